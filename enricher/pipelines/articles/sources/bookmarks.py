"""Bookmarks as browsers export them: Netscape's bookmark file, which Firefox, Chrome, Safari, Edge and Pinboard write.

https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa753582 (checked
2026-11). Tags are found by a pattern, in linear time: the file is HTML that is never closed properly.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_IS_ONE = re.compile(rb"<!doctype\s+netscape-bookmark-file|<dl\b[^<>]{0,100}>\s*(?:<p>)?\s*<dt\b", re.IGNORECASE)
_HEAD_BYTES = 64 * 1024
_LINK = re.compile(r"<a\s((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z_-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """One bookmark: `address` as it is written there, on which line, and whether it is a feed's (a live bookmark)."""

    address: str
    line: int
    is_feed: bool = False


def are_bookmarks(body: bytes) -> bool:
    """Whether a file is one of bookmarks."""
    return _IS_ONE.search(body[:_HEAD_BYTES]) is not None


def read_bookmarks(body: bytes) -> list[Bookmark]:
    """The bookmarks in a file, in its order."""
    text = body.decode("utf-8-sig", "replace")
    found: list[Bookmark] = []
    line, counted = 1, 0
    for tag in _LINK.finditer(text):
        line += text.count("\n", counted, tag.start())
        counted = tag.start()
        attributes: dict[str, str] = {}
        for each in _ATTRIBUTE.finditer(tag[1]):
            attributes.setdefault(each[1].lower(), html.unescape(each[2] or each[3] or each[4] or "").strip())
        feed = attributes.get("feedurl", "")
        if address := feed or attributes.get("href", ""):
            found.append(Bookmark(address, line, is_feed=bool(feed)))
    return found
