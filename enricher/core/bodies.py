"""What the body of an answer is where JSON is expected: JSON, nothing at all, or something else.

A body is judged by what it is, not by what its header says it is. An empty body in the place of JSON, or a page, stays
one however often it is asked for, so it is refused at once; but a page of a service that surely answers JSON
(`Service.pages_pass`) is a proxy's, and passes. JSON that is cut or garbled may be whole the next time.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final

from ..model import Refuse, Request, Response, Retry, Verdict


class Unparsed(Enum):
    """A body that is no JSON. Its own value, because None is what `null` parses to."""

    NOT_JSON = auto()


_PAGE = "HTML or XML, not JSON"

NOT_JSON: Final = Unparsed.NOT_JSON

EMPTIED = frozenset({204, 205})
"""Statuses that promise an empty body (RFC 9110, 15.3.5 and 15.3.6)."""

_decode_from_start = json.JSONDecoder().raw_decode

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.ASCII | re.IGNORECASE)
_DECODED = re.compile(
    r"(iso-?8859-?\d+|windows-?\d+|cp-?\d+|latin-?\d+|koi8-[ru]|macintosh|tis-620|utf-?(16|32)(-?[bl]e)?"
    r"|shift-jis|sjis|euc-(jp|kr)|iso-2022-(jp|kr)|gb(2312|18030|k)|big5(-hkscs)?)"
)
"""Charsets that servers declare. No other codec of Python's: some take time without bound."""

_ALWAYS_TEXT = re.compile(r"iso-?8859-?1|latin-?1|windows-?1252|cp-?1252")
"""Any bytes are text in these, so they are declared by default. Bytes that are UTF-8 are meant as that."""


def in_utf_8(response: Response) -> Response:
    """The response with its body in UTF-8, if its Content-Type declares another charset in which its body is JSON."""
    charset = _declared_charset(response.headers.get("content-type", ""))
    if charset is None or (_ALWAYS_TEXT.fullmatch(charset) and _is_utf_8(response.body)):
        return response
    try:
        body = response.body.decode(charset).removeprefix("\ufeff").encode()
    except (UnicodeError, LookupError):
        return response
    return response if parse_json(body) is NOT_JSON else replace(response, body=body)


@lru_cache(maxsize=64)  # a service sends one or two
def _declared_charset(content_type: str) -> str | None:
    """The charset of a Content-Type, None if there is none that has to be decoded."""
    found = _CHARSET.search(content_type)
    charset = "" if found is None else found[1].lower().replace("_", "-")
    return charset if _DECODED.fullmatch(charset) else None


def _is_utf_8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_json(body: bytes) -> Any:
    """The parsed body; `NOT_JSON` if it is no JSON.

    Bodies nested deeper than the interpreter's stack are no JSON that anybody meant.
    """
    try:
        text = body.decode()
        data, end = _decode_from_start(text)
        if end == len(text):
            return data
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(body)  # blanks around it, another Unicode: which, costs as much to find out as to decode
    except (ValueError, RecursionError):
        return NOT_JSON


def has_no_body(request: Request, response: Response) -> bool:
    """Whether the answer is whole without a body."""
    return not response.body and (response.status in EMPTIED or request.method == "HEAD")


def instead_of_json(body: bytes, *, pages_pass: bool) -> Verdict:
    """The verdict on the body of a success that is no JSON."""
    start = body[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return Refuse("an empty body, not JSON")
    if start.startswith(b"<"):
        return Retry(_PAGE) if pages_pass else Refuse(_PAGE)
    return Retry("not JSON")
