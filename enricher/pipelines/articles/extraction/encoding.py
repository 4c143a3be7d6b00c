"""The text of a body: by byte-order mark, UTF-8, the declared charset, or a guess."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_IN_HEADER = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_IN_PAGE = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]+)|^\s*<\?xml[^>]{0,300}?encoding\s*=\s*[\"']([\w.:-]+)",
    re.IGNORECASE,
)
_META_WITHIN_BYTES = 4_096
_NO_UTF_8 = (b"\0", b"\x1b$", b"\x1b(")  # UTF-16, and the shifts of ISO-2022: bytes that would pass for UTF-8
# What browsers read under a name (encoding.spec.whatwg.org, 4.2): the larger set that pages are really written in.
_READ_AS = {
    **dict.fromkeys(("ascii", "iso8859-1", "us-ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "tis-620": "cp874",
    "utf-16": "utf-16-le",
}
# Text encodings to Python, and to no browser: they would make tags out of what has none.
_NO_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
_GUESSES = ["cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"]
_GUESSES += ["cp932", "euc_jp", "gb18030", "big5", "cp949"]
_GUESS_FROM_BYTES = 16_000
_MOST_BROKEN = 0.002
"""As much of a text may be broken in the encoding that it is said to have: a stray byte is no reason to doubt a page."""


def decode(body: bytes, content_type: str = "") -> str:
    """A body as text: by its byte-order mark, else as UTF-8 if it is that throughout, else by the header's charset, the
    page's own, and at last by guess.

    Nothing else is UTF-8 by chance, so it goes before what a server's defaults say. A name that does not fit the bytes is
    passed over; where nothing fits, the likeliest is taken, with U+FFFD in place of what is broken.
    """
    for mark, unicode in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(unicode, "replace")
    if not any(sign in body[:_META_WITHIN_BYTES] for sign in _NO_UTF_8):
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            pass
    texts = []
    for name in _names(body, content_type):
        codec = _codec(name)
        if codec is None:
            continue
        text = body.decode(codec, "replace")
        if text.count("\ufffd") <= len(text) * _MOST_BROKEN:
            return text
        texts.append(text)
    texts.append(body.decode(_guessed(body), "replace"))
    return min(texts, key=lambda text: text.count("\ufffd"))


def _names(body: bytes, content_type: str) -> Iterator[str]:
    """What the header and the page call their encoding."""
    if (in_header := _IN_HEADER.search(content_type)) is not None:
        yield in_header[1]
    if (in_page := _IN_PAGE.search(body[:_META_WITHIN_BYTES])) is not None:
        yield (in_page[1] or in_page[2]).decode("ascii", "replace")


def _codec(name: str) -> str | None:
    """The encoding that browsers read under a name; None: they know none."""
    try:
        known = codecs.lookup(name).name
        b"".decode(known)  # "hex" is known too, and makes no text
    except (LookupError, ValueError):
        return None
    return None if known in _NO_CHARSETS else _READ_AS.get(known, known)


def _guessed(body: bytes) -> str:
    """The likeliest encoding of a body that is no UTF-8, from where its first letter beyond ASCII stands."""
    from charset_normalizer import from_bytes

    first = re.search(rb"[\x80-\xff]", body)
    start = max(0, (0 if first is None else first.start()) - 500)
    best = from_bytes(body[start : start + _GUESS_FROM_BYTES], cp_isolation=_GUESSES).best()
    return "cp1252" if best is None else best.encoding
