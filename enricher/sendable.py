"""What a request may hold, checked before anything leaves: recipes build requests from cells, and cells hold anything.

Rule 1: no text of a request changes where it goes. A path begins with "/", so it can't extend the service's host or port.
Rule 2: no text of a request adds a header or ends a line. Headers that frame a message or name its host are the
transport's own.
Rule 3: a value is sent as `requests` would send it, or the request is refused with the name of what can't be sent. So a
bad cell fails its item, never the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, time
from numbers import Number
from typing import Any
from uuid import UUID

from .model import NOTHING, Request

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)

_PLAIN_PATH = re.compile(r"/[ -~]*")
_USUAL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_SCALARS = (Number, date, time, UUID)
"""Kinds whose `str` is their value, as `requests` takes it. Of any other object it may be an address in memory."""

_FRAMING = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)
"""Headers of the connection (RFC 9110, 7.6.1), of the message's end and of the host: a request has no say in them."""

LONGEST_SHOWN = 80
"""Characters of a value that a reason shows."""


class Unsendable(ValueError):
    """A request holds what can't be sent. `str(error)` names it; nothing was sent."""


def sendable(request: Request) -> Request:
    """The request with its method, parameters, headers and body as they are sent: text and bytes.

    Numbers, dates and UUIDs become text, a list repeats its parameter, and what is None is left out.

    :raises Unsendable: if its path, method, a parameter, a header, its body or a bound can't be used.
    """
    method, params, headers, body = request.method, request.params, request.headers, request.body
    _check_path(request.path, request.service.base_url)
    _check_bounds(request)
    usual = type(method) is str and method in _USUAL_METHODS
    if not usual and not (isinstance(method, str) and _TOKEN.fullmatch(method)):
        raise Unsendable(f"the method {_shown(method)} is no HTTP method")
    if params is not NOTHING:
        params = _params(params)
    if headers is not NOTHING:
        headers = _headers(headers)
    if type(body) is not bytes:
        body = _body(body)
    if type(method) is str and params is request.params and headers is request.headers and body is request.body:
        return request
    return replace(request, method=str.__str__(method), params=params, headers=headers, body=body)


def check_path(path: str) -> None:
    """Check that a path can't change the host that it is joined to.

    :raises Unsendable: if it does not begin with "/".
    """
    if path[:1] != "/":
        raise Unsendable(f'the path {_shown(path)} does not begin with "/"')


def check_header(name: object, value: object) -> None:
    """Check that a header can be sent, in the same bytes by every library.

    :raises Unsendable: if its name is no token, or its value is no printable ASCII text.
    """
    if not (isinstance(name, str) and _TOKEN.fullmatch(name)):
        raise Unsendable(f"the header name {_shown(name)} can't be sent")
    if not isinstance(value, str):
        raise Unsendable(f"the header {name} is {_kind(value)}, not text")
    if not (value.isascii() and value.isprintable()):
        raise Unsendable(f"the header {name} holds a line end or another character than printable ASCII")


def _check_path(path: object, base_url: str) -> None:
    if not isinstance(path, str):
        raise Unsendable(f"the path {_shown(path)} is {_kind(path)}, not text")
    if not base_url or _PLAIN_PATH.fullmatch(path):  # the open web has a whole address, which its guard reads
        return
    check_path(path)
    if _CONTROL.search(path):
        raise Unsendable(f"the path {_shown(path)} holds a control character")
    if not _encodable(path):
        raise Unsendable(f"the path {_shown(path)} is no Unicode text")


def _check_bounds(request: Request) -> None:
    if (
        type(request.tokens) is int
        and type(request.spacing_s) in (float, int)
        and request.max_bytes is None
        and (request.known_as is None or type(request.known_as) is str)
    ):  # nearly every request
        return
    for name, value, kinds in (
        ("tokens", request.tokens, int),
        ("spacing_s", request.spacing_s, int | float),
        ("max_bytes", request.max_bytes, int | None),
        ("known_as", request.known_as, str | None),
    ):
        if not isinstance(value, kinds):
            raise Unsendable(f"the request's {name} is {_kind(value)}")


def _params(params: Any) -> Mapping[str, str | tuple[str, ...]]:
    if params is None:
        return NOTHING
    if not isinstance(params, Mapping):
        raise Unsendable(f"the parameters are {_kind(params)}, not a mapping")
    for name, value in params.items():
        if not (type(name) is str and type(value) is str and name.isascii() and value.isascii()):
            break
    else:  # nearly every request
        return params
    told: dict[str, str | tuple[str, ...]] = {}
    for name, value in params.items():
        key = _text(f"the name {_shown(name)} of a parameter", name)
        if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
            told[key] = tuple(_text(f"the parameter {key}", each) for each in value if each is not None)
        elif value is not None:
            told[key] = _text(f"the parameter {key}", value)
    return told


def _headers(headers: Any) -> Mapping[str, str]:
    if headers is None:
        return NOTHING
    if not isinstance(headers, Mapping):
        raise Unsendable(f"the headers are {_kind(headers)}, not a mapping")
    told: dict[str, str] = {}
    for name, value in headers.items():
        if value is None:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        check_header(name, text)
        if name.lower() in _FRAMING:
            raise Unsendable(f"the header {name} is the transport's own")
        told[name] = text
    return told


def _body(body: object) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str) and _encodable(body):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise Unsendable(f"the body is {_kind(body)}, not bytes")


def _text(what: str, value: object) -> str:
    """A scalar as text. `what` names it in a reason."""
    try:
        if isinstance(value, str):
            text = str.__str__(value)  # of an enumeration's member the value, not its name
        elif isinstance(value, bytes):
            text = value.decode()
        elif isinstance(value, _SCALARS):
            text = str(value)
        else:
            raise Unsendable(f"{what} is {_kind(value)}, which can't be sent")
    except ValueError as error:  # bytes that are no UTF-8, an int of more digits than Python spells out
        raise error if isinstance(error, Unsendable) else Unsendable(f"{what} can't be spelled as text") from None
    if not _encodable(text):
        raise Unsendable(f"{what} is no Unicode text")
    return text


def _encodable(text: str) -> bool:
    """Whether a text can be encoded: half a surrogate pair can't."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _shown(value: object) -> str:
    """A value as a reason shows it: on one line, and no address in memory."""
    text = ascii(value) if isinstance(value, str | bytes | int | float | None) else type(value).__name__
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
