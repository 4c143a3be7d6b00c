"""The tree of a page, within bounds: the work that follows grows with the number of tags and with their depth.

Highlighted code has thousands of tags that show nothing but colours, so preformatted text is joined before tags are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .markup import Markup, clean
from .visibility import conceal

# Of 115 real pages none had more than 4,300 tags or attributes. The parser takes three times as many tags as the extraction.
MAX_TAGS = 20_000
MAX_PARSED_TAGS = 60_000
MAX_ATTRIBUTES = 60_000
MAX_TEXT_CHARS = 1_000_000  # a thick novel
MAX_DEPTH = 240  # the libraries fail at 256; of 115 real pages none went deeper than 34
MAX_TAGS_TIMES_DEPTH = 600_000
MAX_PARSED_TIMES_DEPTH = 2_000_000

NO_TEXT = "no main text"
TOO_LONG = "more text than an article can have"
TOO_MUCH = "more tags or attributes than a page can need"
TOO_DEEP = "tags nested deeper than a page can need"

_PIECE_CHARS = 64 * 1024
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\ufffe\uffff]")
# The parser ends the page there; no browser does.
_SHUT_AT_ONCE = re.compile(r"<((?:html|body)\b[^<>]*)/>", re.IGNORECASE)
_LINES = ("br", "div", "p", "li", "tr")


def tree_of(source: str) -> Any:
    """Parse a page into a tree without what is hidden; or return the reason (a `str`) why there is none."""
    from lxml import etree, html

    if not source or source.isspace():
        return NO_TEXT
    markup = clean(_NO_XML.sub("", source))
    if markup is None or _too_much(markup):
        return TOO_MUCH
    text = _SHUT_AT_ONCE.sub(r"<\1>", markup.text).encode("utf-8", "replace")
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    try:
        root = html.document_fromstring(text, parser=parser)
    except etree.ParserError:  # it has no element at all
        return NO_TEXT
    if _deeper(root, min(MAX_DEPTH, MAX_PARSED_TIMES_DEPTH / root.xpath("count(//*)"))):
        return TOO_DEEP
    conceal(root)
    for block in list(root.iter("pre", "code")):
        _join(block)
    tags = root.xpath("count(//*)")
    if tags > MAX_TAGS:
        return TOO_MUCH
    if _deeper(root, MAX_TAGS_TIMES_DEPTH / tags):
        return TOO_DEEP
    for kind, content in markup.data:
        etree.SubElement(root, "script", type=kind).text = content
    return TOO_LONG if root.xpath("string-length(string(/))") > MAX_TEXT_CHARS else root


def _deeper(root: Any, depth: float) -> bool:
    """Whether any tag has as many tags around it."""
    return bool(root.xpath(f"boolean(//*[count(ancestor::*) >= {int(depth)}])"))


def _join(block: Any) -> None:
    """Make preformatted text one text, with a line for each block in it."""
    if len(block) == 0:
        return
    for line in block.iterdescendants(*_LINES):
        line.tail = "\n" + (line.tail or "")
    text = "".join(block.itertext())
    for child in list(block):
        block.remove(child)
    block.text = text


def _too_much(markup: Markup) -> bool:
    """Whether there are more tags or attributes than may be parsed. Counted as the parser does only where it is close."""
    return markup.tags + markup.attributes > MAX_TAGS and _counts_too_much(markup.text)


def _counts_too_much(source: str) -> bool:
    """Count as the parser does, without building a tree; stops as soon as there are too many."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", target=_Counter())
    try:
        for start in range(0, len(source), _PIECE_CHARS):
            parser.feed(source[start : start + _PIECE_CHARS].encode("utf-8", "replace"))
    except _Enough:
        return True
    return False


class _Enough(Exception):
    """More than may be parsed."""


class _Counter:
    """The parser's target: counts tags and attributes."""

    def __init__(self) -> None:
        self._tags = self._attributes = 0

    def start(self, _tag: str, attributes: Mapping[str, str]) -> None:
        self._tags += 1
        self._attributes += len(attributes)
        if self._tags > MAX_PARSED_TAGS or self._attributes > MAX_ATTRIBUTES:
            raise _Enough

    def close(self) -> None:
        pass
