"""What every transport needs: an address with its key, and headers both ways.

The key is added here, last, and leaves only towards the wire.

"""

from __future__ import annotations

import logging
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from ..errors import Cause, Reached
from ..model import Request, Service
from ..sendable import check_header
from ..target import target
from .causes import Unsuitable, out_of_files
from .guard import place_of

ACCEPT_ENCODING = "gzip, deflate"
USER_AGENT = "enricher/0.1"

Observer = Callable[[Request, bytes], None]
"""Is shown each piece of a streamed body, unpacked, as it comes: in the thread, or the loop, that sends."""

_ESCAPE = re.compile(r"%(?:[0-9A-Fa-f]{2})?")


@dataclass(frozen=True, slots=True, repr=False)
class Route:
    """How requests to one service leave: what is added to each. Holds the key, so it has no repr.

    `fixed` are the headers (in lower case) that the key is in: no request has a say in them.
    """

    query: str
    headers: Mapping[str, str]
    fixed: frozenset[str] = frozenset()


def _check(headers: Mapping[str, str]) -> None:
    """:raises ValueError: if a header can't be sent."""
    for name, value in headers.items():
        check_header(name, value)


def _can_be_sent(name: str, value: str) -> bool:
    try:
        check_header(name, value)
    except ValueError:
        return False
    return True


def route_of(service: Service, key: str | None) -> Route:
    """The route of a service: its key placed as the service wants it. The open web gets none: a key is for one host.

    :raises Unsuitable: if its key holds what can't be sent.
    :raises ValueError: if its headers do. Said here, because one library would refuse it and the other send
        it in a spelling of its own.
    """
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING, **service.headers}
    if not any(name.lower() == "accept" for name in headers):
        headers["Accept"] = "*/*"  # as requests and aiohttp send it; some servers answer none without
    query = ""
    fixed: frozenset[str] = frozenset()
    if key and service.place_key is not None and service.base_url:
        place = service.place_key(key)
        if not key.isprintable() or not all(_can_be_sent(*header) for header in place.headers.items()):
            raise Unsuitable("the API key can't be sent")
        headers.update(place.headers)
        fixed = frozenset(name.lower() for name in place.headers)
        query = "&".join([f"{quote_plus(name)}={quote_plus(str(value))}" for name, value in place.params.items()])
    _check(headers)
    return Route(query, headers, fixed)


def headers_of(request: Request, route: Route) -> dict[str, str]:
    """The service's headers with the request's own over them, and the key over all.

    :raises ValueError: if one of its own can't be sent.
    """
    _check(request.headers)
    own = {name: value for name, value in request.headers.items() if name.lower() not in route.fixed}
    names = {name.lower() for name in own}
    return {**{name: value for name, value in route.headers.items() if name.lower() not in names}, **own}


def _escape(found: re.Match[str]) -> str:
    """A percent sign as it is sent: with two digits, in upper case, or as a character that is meant as one."""
    return found[0].upper() if len(found[0]) > 1 else "%25"


def _of_the_web(url: str) -> str:
    """An absolute address, spelled so that both libraries send the same bytes.

    :raises ValueError: if it can't be read (`guard.place_of`).
    """
    place = place_of(url)
    path, _, query = place.rest.partition("?")
    rest = f"{path or '/'}?{query}" if query else path or "/"
    return place.origin + quote(_ESCAPE.sub(_escape, rest), safe="/?:@!$&'()*+,;=~%")


def address(request: Request, route: Route) -> str:
    """The whole URL, key included where the service wants it in the query.

    :raises ValueError: if the request names its whole address itself, and it can't be read.
    """
    if not request.service.base_url:
        return _of_the_web(target(request))
    url = f"{request.service.base_url}{target(request)}"
    if not route.query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{route.query}"


def most_bytes_of(request: Request) -> int:
    """How long the body of an answer may be, unpacked: as long as the service allows, or less where the request says so."""
    most_bytes = request.service.max_bytes
    return most_bytes if request.max_bytes is None else min(most_bytes, request.max_bytes)


def value_of(raw: bytes) -> str:
    """A header's value as text: as UTF-8 where it is that, which is what people mean; else a letter for each byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _quoted(raw: bytes) -> str:
    """An address with its bytes beyond ASCII percent-encoded, as browsers do: only the server knows their encoding."""
    return "".join([chr(byte) if byte < 128 else f"%{byte:02X}" for byte in raw])


_ADDED_UP = ("set-cookie", "retry-after", "ratelimit", "x-ratelimit", "x-rate-limit", "anthropic-ratelimit")


def header_map(lines: Iterable[tuple[str, str]], bytes_of: Callable[[str], bytes]) -> dict[str, str]:
    """Header lines by name, in lower case. Of several lines of one name the last holds; cookies, and those about a quota,
    are joined by ", ", because all of them count. `bytes_of` undoes how a library has read a value that is no ASCII.
    """
    headers: dict[str, str] = {}
    for spelled, value in lines:
        name = spelled.lower()
        if not value.isascii():
            value = _quoted(bytes_of(value)) if name == "location" else value_of(bytes_of(value))
        if name in headers and name.startswith(_ADDED_UP) and headers[name]:
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def may_be_cut_off(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a success may have ended within its headers: no word of its length has come, and no byte of its body.

    http.client takes headers that end with the connection for whole.
    """
    if body or not 200 <= status < 300 or status in (204, 205):
        return False
    return "content-length" not in headers and "transfer-encoding" not in headers


def lost_or_cut(cause: Cause, reached: Reached) -> Cause:
    """The cause of a lost attempt. Once a status line has come, the rest of an answer is lost, wherever it was cut."""
    return "the answer can't be read: it is cut off" if (cause, reached) == ("connection lost", "answered") else cause


def is_https(url: str) -> bool:
    """Whether an address asks for TLS, in whatever case it was typed."""
    return url[:6].lower() == "https:"


def trust_in(bundle: str) -> ssl.SSLContext:
    """A context that trusts those whom a file or a folder of certificates vouches for.

    :raises ssl.SSLCertVerificationError: if there is no such bundle, or nothing in it: then nobody can be trusted.
    """
    folder = os.path.isdir(bundle)  # noqa: PTH112  # a string from the environment, handed on as it is
    try:
        return ssl.create_default_context(capath=bundle) if folder else ssl.create_default_context(cafile=bundle)
    except OSError as error:
        if out_of_files(error):
            raise
        raise ssl.SSLCertVerificationError(f"no certificates in {bundle}") from None


class Redact(logging.Filter):
    """Keeps keys out of another library's log lines: urllib3 logs each address at DEBUG, query and all, and at WARNING
    that of an answer with broken headers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if any(secret in text for secret in self.secrets):
            for secret in sorted(self.secrets, key=len, reverse=True):  # a short one may lie within a long one
                text = text.replace(secret, "[key]")
            record.msg, record.args = text, ()
        return True


REDACT = Redact()
"""On urllib3's loggers from the first transport on that holds a key."""

_TALKATIVE = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")
"""Those that name an address. A filter holds for one logger, not for those below it."""


def keep_out_of_logs(key: str) -> None:
    """From now on this key is blotted out in the log lines of the libraries below us."""
    REDACT.secrets |= {key, quote_plus(key)}
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(REDACT)
