"""What pages put between and around the paragraphs of an article is taken out of the tree, before its text is looked for.

Furniture is known by three signs: it is nothing but links ("read more" blocks), it is named or marked up as such (newsletter
boxes, captions, comments), or it begins with a set phrase. A sign that would take much of the page's own text is no sign on
that page: some sites name their paragraphs "paywall" or "caption".

The names were chosen on 257 news pages and 400 other articles, by what they held beside and of the expected texts.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

MAX_BLOCK_CHARS = 1_500  # a longer block is text, whatever its name
MAX_SHARE = 0.3  # of the page's own text, for all blocks of one name
LINK_SHARE = 0.85
LEAD_IN_CHARS = 25  # of "Read more: "
MIN_LINK_WORDS = 3

_NAMES = frozenset(
    {
        *("related", "readmore", "recirc", "recirculation", "recommend", "recommended", "recommendations", "trending"),
        *(
            "newsletter",
            "subscribe",
            "subscription",
            "signup",
            "promo",
            "cta",
            "banner",
            "donate",
            "donation",
            "support",
        ),
        *("membership", "login", "register", "premium", "advert", "advertisement", "sponsor", "sponsored", "outbrain"),
        *("taboola", "social", "share", "sharing", "comment", "comments", "rating", "poll", "quiz", "survey"),
        *("breadcrumb", "breadcrumbs", "tag", "tags", "taglist", "topics", "eyebrow", "kicker", "toc", "teaser"),
        *("author", "authors", "contributor", "contributors", "byline", "bio", "date", "dateline", "timestamp"),
        *("caption", "credit", "credits", "video", "player", "podcast", "infobox", "factbox"),
        *(
            "modal",
            "popup",
            "dropdown",
            "overlay",
            "tooltip",
            "toast",
            "footer",
            "disclaimer",
            "disclosure",
            "copyright",
        ),
    }
)
_PAIRS = frozenset(
    {
        *(("read", "more"), ("read", "next"), ("more", "on"), ("more", "from"), ("also", "read"), ("see", "also")),
        *(
            ("most", "read"),
            ("most", "popular"),
            ("up", "next"),
            ("sign", "up"),
            ("table", "contents"),
            ("pull", "quote"),
        ),
        *(("sr", "only"), ("visually", "hidden"), ("screen", "reader")),
    }
)
_ROLES = frozenset({"complementary", "navigation", "contentinfo", "dialog", "search"})
_MARKED = frozenset({"figcaption", "small", "h6"})
_NAMED = (
    *("div", "section", "aside", "ul", "ol", "li", "dl", "p", "span", "details", "table", "blockquote"),
    *("h2", "h3", "h4", "h5", *_MARKED),
)
_LINKED = ("p", "div", "blockquote", "h4", "h5", "h6")
_INLINE = frozenset(
    {
        *(
            "a",
            "span",
            "b",
            "i",
            "em",
            "strong",
            "br",
            "font",
            "u",
            "small",
            "img",
            "sup",
            "sub",
            "time",
            "mark",
            "cite",
        ),
        *("picture", "source"),
    }
)
_NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LEAD_IN = re.compile(rf"[^.!?]{{1,{LEAD_IN_CHARS - 1}}}[:|»>–-]")


def remove_furniture(root: Any) -> None:
    """Take out of a tree the blocks that are known to be furniture."""
    body = root.find("body")
    if body is None:
        return
    blocks = _lists_of_links(body) + [block for block in body.iter(*_LINKED) if _is_paragraph_of_links(block)]
    _drop(blocks)
    own = _own_chars([body])
    for named in _named_blocks(body).values():
        outer = set(named)
        blocks = [block for block in named if outer.isdisjoint(block.iterancestors())]
        if _own_chars(blocks) <= own * MAX_SHARE:
            _drop(blocks)


def join_parts(root: Any) -> None:
    """Join the parts of an article that is cut up by adverts: trafilatura would read the first part only.

    Parts are blocks of the same class in one `<article>`, with paragraphs of their own, that hold most of its paragraphs.
    """
    for article in list(root.iter("article")):
        if article.find(".//article") is not None:
            continue
        groups: dict[str, list[Any]] = defaultdict(list)
        for block in article.iter("div", "section"):
            if block.get("class") and len(block.findall("p")) >= 2:
                groups[block.get("class")].append(block)
        paragraphs = sum(map(_chars, article.iter("p")))
        for first, *others in groups.values():
            own = sum(_chars(paragraph) for part in (first, *others) for paragraph in part.findall("p"))
            if others and own >= 0.7 * paragraphs and not any(first in other.iterancestors() for other in others):
                for other in others:
                    first.extend(list(other))
                _drop(others)


def _drop(blocks: Iterable[Any]) -> None:
    for block in blocks:
        if block.getparent() is not None:
            block.drop_tree()


# ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lists_of_links(body: Any) -> list[Any]:
    found = []
    for block in body.iter("ul", "ol"):
        items = block.findall("li")
        links = sum(map(_is_links, items))
        if items and (
            links == len(items) or (links >= 0.6 * len(items) > 1 and _own_chars([block]) < 0.4 * _chars(block))
        ):
            found.append(block)
    return found


def _is_paragraph_of_links(block: Any) -> bool:
    if any(inner.tag not in _INLINE for inner in block.iterdescendants()):
        return False
    text = _text(block)
    return text is not None and len(text.split()) >= MIN_LINK_WORDS and _is_links(block)


def _is_links(block: Any) -> bool:
    """Whether a block is nothing but links, up to a short lead-in."""
    text = _text(block)
    own = _own_chars([block]) if text else 0
    if not text or own >= len(text):
        return False
    return own <= (1 - LINK_SHARE) * len(text) or (own <= LEAD_IN_CHARS and _LEAD_IN.match(text) is not None)


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _named_blocks(body: Any) -> dict[Any, list[Any]]:
    """Sign → the blocks that bear it and hold text, but no article."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for block in body.iter(*_NAMED):
        signs = _signs(block)
        if signs and _text(block) and not block.xpath("boolean(.//h1 | .//article | .//main)"):
            for sign in signs:
                found[sign].append(block)
    return found


def _signs(block: Any) -> list[Any]:
    """The names in an element's class and id, its role and its tag, of those that furniture bears."""
    signs: list[Any] = [sign for sign in (block.get("role"), block.tag) if sign in _ROLES or sign in _MARKED]
    name = f"{block.get('class') or ''} . {block.get('id') or ''}"
    parts = [part.lower() for part in _NAME_PART.findall(name)]
    signs += (part for part in parts if part in _NAMES)
    signs += (pair for pair in itertools.pairwise(parts) if pair in _PAIRS)
    return signs


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(block: Any) -> str | None:
    """The text of a block with single blanks; None if it is longer than furniture."""
    parts, size = [], 0
    for part in block.itertext():
        size += len(part)
        if size > 4 * MAX_BLOCK_CHARS:  # with blanks
            return None
        parts += part.split()
    text = " ".join(parts)
    return text if len(text) < MAX_BLOCK_CHARS else None


def _chars(block: Any) -> int:
    return sum(len(part) for text in block.itertext() for part in text.split())


def _own_chars(blocks: Iterable[Any]) -> int:
    """How many characters blocks have outside links."""
    return sum(_chars(block) - sum(map(_chars, block.iter("a"))) for block in blocks)
