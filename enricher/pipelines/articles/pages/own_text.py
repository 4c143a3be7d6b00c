"""The text that a feed itself holds of an entry. Pure, and runs where the feed is parsed: in a process that can be killed.

All of it is the entry's, so nothing looks for the main text in it. What a reader does not see is taken out as from a page
(`extraction`): a feed is a stranger's text as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from ..extraction.text import seen, words
from ..extraction.tree import tree_of

MIN_WORDS = 25
"""Fewer are no article, neither in a page nor in a feed: a notice, a redirect's text, a page that is not there."""

MOST_CHARS = 100_000
"""A longer text is cut. An analysis reads less than half of it."""

_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "br", "center", "dd", "details", "div", "dl", "dt"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main"),
        *("nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    )
)
_SILENT = frozenset(("head", "script", "style", "title"))


def own_text(candidates: Iterable[tuple[str, bool]]) -> tuple[str, int]:
    """The text with the most words among an entry's (text, whether it is markup), and how many words it has.

    ("", 0) if there is none of `MIN_WORDS`.
    """
    longest = sorted(set(candidates), key=lambda each: (-len(each[0]), each))[:2]  # the content and the summary
    texts = [
        text_of(text if markup else f"<pre>{escape(text)}</pre>")[:MOST_CHARS].rstrip() for text, markup in longest
    ]
    count, text = max(((words(text), text) for text in texts), default=(0, ""), key=lambda each: each[0])
    return (text, count) if count >= MIN_WORDS else ("", 0)


def text_of(markup: str) -> str:
    """The visible text of some markup, a block a line; "" if it holds nothing, or more markup than a page can need."""
    try:
        root = tree_of(markup)
    except Exception:  # noqa: BLE001  # a parser meets whatever people write: such an entry has no text
        return ""
    if isinstance(root, str):
        return ""
    lines = (" ".join(line.split()) for line in "".join(_pieces(root)).split("\n"))
    return seen("\n".join(filter(None, lines)))


def _pieces(root: Any) -> Iterator[str]:
    """The text of all elements, with a line end around each block."""
    from lxml import etree

    silent: Any = None
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        block = element.tag in _BLOCKS
        if event == "start":
            if silent is None and element.tag in _SILENT:
                silent = element
            if block:
                yield "\n"
            if silent is None and element.text:
                yield element.text if _within_pre(element) else _flat(element.text)
        else:
            if silent is element:
                silent = None
            if block:
                yield "\n"
            if silent is None and element.tail and element is not root:
                yield element.tail if _within_pre(element.getparent()) else _flat(element.tail)


def _flat(text: str) -> str:
    """Line ends in markup are blanks."""
    return text.replace("\r", " ").replace("\n", " ")


def _within_pre(element: Any) -> bool:
    return element.tag == "pre" or (element.getparent() is not None and element.getparent().tag == "pre")
