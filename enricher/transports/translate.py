"""What every transport needs: an address with its key, and foreign exceptions told in our own words.

The key is added here, last, and leaves only towards the wire.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from ..model import Request, Service
from ..target import target

ACCEPT_ENCODING = "gzip, deflate"
USER_AGENT = "enricher/0.1"


@dataclass(frozen=True, slots=True, repr=False)
class Route:
    """How requests to one service leave: what is added to each. Holds the key, so it has no repr."""

    query: str
    headers: Mapping[str, str]


def route_of(service: Service, key: str | None) -> Route:
    """The route of a service: its key placed as the service wants it.

    :raises ValueError: if its address, its headers or its key hold what can't be sent. Said here, because one library
        would refuse it and the other send it in a spelling of its own.
    """
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING, **service.headers}
    query = ""
    if key and service.place_key is not None:
        place = service.place_key(key)
        headers.update(place.headers)
        query = "&".join([f"{quote_plus(name)}={quote_plus(value)}" for name, value in place.params.items()])
    if " " in service.base_url or not service.base_url.isprintable():
        raise ValueError("an address has no blanks")
    if not all(text.isascii() and text.isprintable() for header in headers.items() for text in header):
        raise ValueError("a header is printable ASCII")
    return Route(query, headers)


def address(request: Request, route: Route) -> str:
    """The whole URL, key included where the service wants it in the query."""
    url = f"{request.service.base_url}{target(request)}"
    if not route.query:
        return url
    return f"{url}{'&' if request.params else '?'}{route.query}"


def may_be_cut_off(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a success may have ended within its headers: no word of its length has come, and no byte of its body.

    http.client takes headers that end with the connection for whole.
    """
    if body or not 200 <= status < 300 or status in (204, 205):
        return False
    return "content-length" not in headers and "transfer-encoding" not in headers


def trust_in(bundle: str) -> ssl.SSLContext:
    """A context that trusts those whom a file or a folder of certificates vouches for.

    :raises ssl.SSLCertVerificationError: if there is no such bundle, or nothing in it: then nobody can be trusted.
    """
    folder = os.path.isdir(bundle)  # noqa: PTH112  # a string from the environment, handed on as it is
    try:
        return ssl.create_default_context(capath=bundle) if folder else ssl.create_default_context(cafile=bundle)
    except OSError:
        raise ssl.SSLCertVerificationError(f"no certificates in {bundle}") from None


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was raised from or holds, each once."""
    seen: set[int] = set()
    todo: list[BaseException] = [error]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        todo.extend(each for each in inner if isinstance(each, BaseException))


def is_distrust(error: BaseException) -> bool:
    """Whether the server's certificate was the trouble: asking again will not help."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in chain(error))


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
            for secret in self.secrets:
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
