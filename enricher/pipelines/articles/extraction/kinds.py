"""What a body is, by its first bytes or its content type, and why some bodies have no text.

The size of a page is counted without pictures that are embedded as `data:` addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from .markup import EMBEDDED_BYTES

MAX_BYTES = 3 * 1024 * 1024

Kind = Literal["html", "text", "pdf", "image", "media", "other"]

REFUSED: Mapping[Kind, str] = {
    "pdf": "a PDF document, not a web page",
    "image": "an image, not a web page",
    "media": "sound or video, not a web page",
    "other": "neither HTML nor plain text",
}
"""Kind → why it has no text here. "html" and "text" are not refused."""

_START_BYTES = 1_024
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"ID3", "media"),
    (b"OggS", "media"),
    (b"\x1aE\xdf\xa3", "media"),
    (b"PK\x03\x04", "other"),
    (b"\x1f\x8b", "other"),
)
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?:\s+|<\?xml[^>]*>|<!--.*?-->)*", re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|article|main|section|div|h1|p)\b", re.IGNORECASE)
_OTHER_XML = re.compile(rb"<(?:!doctype\s+(?!html)[a-z]+|rss|feed|rdf:rdf)\b", re.IGNORECASE)
_DOCUMENT = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def refusal(content_type: str, body: bytes) -> str | None:
    """The reason why a body can't hold an article; None if it may. Reads the first bytes only, unless the body is large."""
    if len(body) > MAX_BYTES and len(EMBEDDED_BYTES.sub(b"", body)) > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1024**2} MB"
    return REFUSED.get(kind_of(content_type, body))


def kind_of(content_type: str, body: bytes) -> Kind:
    """Classify a body by its magic bytes, else by its content type and the beginning of its markup."""
    start = body[:_START_BYTES]
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    start = start.replace(b"\0", b"")  # UTF-16
    beginning = start[_end(_PROLOG.match(start)) :]
    mime = content_type.partition(";")[0].strip().lower()
    match mime.partition("/")[0], mime:
        case _, "text/html" | "application/xhtml+xml":
            return "other" if _OTHER_XML.match(beginning) else "html"
        case _, "application/pdf":
            return "pdf"
        case "image", _:
            return "image"
        case "audio" | "video", _:
            return "media"
        case _, "text/plain" | "text/markdown":
            # Some servers call everything plain text. Tags would be no text, and hide what they like.
            return "html" if _DOCUMENT.match(beginning) else "text"
        case _, "":
            return "html" if beginning.startswith(b"<") else "text"
        case _:
            return "html" if _HTML.match(beginning) else "other"


def _end(match: re.Match[bytes] | None) -> int:
    return 0 if match is None else match.end()
