"""One aiohttp session for all tasks of one event loop.

The session's own second try on a stale connection is switched off: it would bypass the gate. The environment is read
once an origin, as in the pooled transport: the same proxies and the same CA bundle.

A service whose reach is guarded has a session of its own, whose resolver gives only addresses that were judged (guard.py);
a host that is a number is judged before, because no resolver is asked for it. No proxy there, and none on the open web.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..errors import Cause, Reached, TransportError
from ..model import NOTHING, Reach, Request, Response, Service
from .causes import beneath, over_a_kept_connection
from .environment import bundle, proxy_of
from .framing import LONGEST_LINE_BYTES
from .guard import admit, judged
from .protocol import FLIGHT, Connector, Flight, SentRequest
from .translate import (
    Observer,
    Route,
    address,
    header_map,
    headers_of,
    is_https,
    keep_out_of_logs,
    lost_or_cut,
    may_be_cut_off,
    most_bytes_of,
    route_of,
    trust_in,
)
from .unpacking import Body


@dataclass(frozen=True, slots=True, repr=False)
class _Way:
    """How requests to one service leave, found out once. Holds the key, so it has no repr."""

    service: Service
    route: Route
    proxy: str | None
    bundle: str
    timeout: aiohttp.ClientTimeout


BODILESS = (204, 304)
"""Answers without a body, even where they name the length of one (RFC 9112, 6.3)."""

_FAILURES = (TimeoutError, aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError)


def cause_of(error: BaseException) -> Cause:
    """What an exception of aiohttp means, in our words."""
    plain = beneath(error)
    if plain is not None:
        return plain
    if isinstance(error, TimeoutError):  # aiohttp's own time-outs are TimeoutErrors as well
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "certificate not trusted"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "the proxy does not answer"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return "the proxy refuses the connection"
    if isinstance(error, ValueError | aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return "not allowed"  # the address or the proxy can't be
    return "connection lost"


def _cause_in(flight: Flight, error: BaseException) -> Cause:
    """The cause of a failed attempt. Before it had a connection, what can't be read is a proxy's word about its tunnel."""
    if flight.handler is not None and flight.handler.trouble is not None:
        return flight.handler.trouble.cause
    cause = cause_of(error)
    return "connection lost" if flight.handler is None and cause.startswith("the answer") else cause


def _headers_in(response: aiohttp.ClientResponse) -> dict[str, str]:
    """An answer's headers, their names in lower case. aiohttp has read what is no UTF-8 as surrogates."""
    return header_map(response.headers.items(), lambda value: value.encode("utf-8", "surrogateescape"))


Resolve = Callable[..., Awaitable[Any]]
"""As a loop's `getaddrinfo`: host, port, `family` and `type` to the addresses that it stands for."""


class _Judging(AbstractResolver):
    """Gives the addresses that a host stands for now, as far as they are within reach."""

    def __init__(self, reach: Reach, resolve: Resolve) -> None:
        self._reach = reach
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        host = host.lower()
        told = await self._resolve(host, port, family=family, type=socket.SOCK_STREAM)
        return [
            ResolveResult(
                hostname=host,
                host=found,
                port=port,
                family=socket.AF_INET6 if ":" in found else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for found in judged(host, port, [each[4][0] for each in told], self._reach)
        ]

    async def close(self) -> None:
        """It holds nothing."""


class StreamingTransport:
    """Sends requests over one aiohttp session; `slots` bounds its connections. Belongs to the loop it is used in first.

    `keys` maps a service's name to its key; the transport alone holds them.
    `on_chunk` is shown the pieces of streamed answers, in the loop. `resolve` looks up the hosts of guarded services, as the
    loop's `getaddrinfo` does, which it is by default.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        slots: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        on_chunk: Observer | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._keys = dict(keys)
        for key in self._keys.values():
            keep_out_of_logs(key)
        self._slots = slots
        self._free = asyncio.Semaphore(slots)  # who waits for a connection is not on the wire yet
        self._clock = clock
        self._wall = wall
        self._on_chunk = on_chunk
        self._resolve = resolve
        self._session: aiohttp.ClientSession | None = None
        self._guarded: dict[Reach, aiohttp.ClientSession] = {}
        self._ways: dict[str, _Way] = {}
        self._trusts: dict[str, ssl.SSLContext] = {}
        self._closed = False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._made(None)
        return self._session

    def _open_guarded(self, reach: Reach) -> aiohttp.ClientSession:
        if reach not in self._guarded:
            resolve = self._resolve or asyncio.get_running_loop().getaddrinfo
            self._guarded[reach] = self._made(_Judging(reach, resolve))
        return self._guarded[reach]

    def _made(self, resolver: AbstractResolver | None) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=Connector(limit=self._slots, resolver=resolver),
            request_class=SentRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=LONGEST_LINE_BYTES,
            max_field_size=LONGEST_LINE_BYTES,
            skip_auto_headers=["Content-Type"],  # requests adds none either
        )
        session._retry_connection = False  # noqa: SLF001  # there is no public switch (aiohttp 3.14)
        return session

    def _trust(self, bundle: str, url: str) -> ssl.SSLContext | bool:
        if not is_https(url):
            return True
        if bundle not in self._trusts:  # read once: it takes longer than a handshake, and connections are kept by it
            self._trusts[bundle] = trust_in(bundle)
        return self._trusts[bundle]

    def _way(self, service: Service) -> _Way:
        way = self._ways.get(service.name)
        if way is None or way.service is not service:
            way = self._ways[service.name] = _Way(
                service,
                route_of(service, self._keys.get(service.name)),
                proxy_of(service),
                bundle(),
                aiohttp.ClientTimeout(total=service.timeout_s),
            )
        return way

    async def send(self, request: Request, *, fresh: bool = False) -> Response:
        """One attempt. `fresh`: over a connection that has brought no answer yet.

        :raises TransportError: if no whole answer came, within the service's `timeout_s` and `max_bytes`.
        """
        async with self._free:
            if self._closed:  # it was closed while this one waited for its turn
                now = self._clock()
                raise TransportError("connection lost", sent_at=now, failed_at=now, reached="unsent")
            return await self._send(request, fresh=fresh)

    async def _send(self, request: Request, *, fresh: bool) -> Response:
        sent_at = self._clock()
        flight = Flight(request.method, fresh=fresh)
        FLIGHT.set(flight)
        try:
            way = self._way(request.service)
            url = address(request, way.route)
            session = self._session_for(url, request.service.reach)
            headers = way.route.headers if request.headers is NOTHING else headers_of(request, way.route)
            trust = self._trust(way.bundle, url)
            async with session.request(
                request.method,
                URL(url, encoded=True),
                headers=headers,
                data=request.body or None,
                allow_redirects=False,
                proxy=way.proxy,
                ssl=trust,
                timeout=way.timeout,
            ) as response:
                headers_in = _headers_in(response)
                body, first_byte_at = await self._body(request, response)
                if body is None:
                    response.close()
                    raise self._failed("too large", sent_at, flight)
            if request.method != "HEAD" and may_be_cut_off(response.status, headers_in, body):
                raise self._failed("connection lost", sent_at, flight)
        except _FAILURES as error:
            raise self._failed(_cause_in(flight, error), sent_at, flight) from None
        return Response(response.status, headers_in, body, sent_at, self._clock(), self._wall(), first_byte_at)

    def _session_for(self, url: str, reach: Reach | None) -> aiohttp.ClientSession:
        if reach is None:
            return self._open()
        admit(url, reach)
        return self._open_guarded(reach)

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> tuple[bytes | None, float | None]:
        """A body as it comes, unpacked and shown to who watches, and when it began; None: it is longer than it may be."""
        packed = "content-encoding" in response.headers
        length = None if packed or request.stream or request.method == "HEAD" else response.content_length
        if length is not None and length > most_bytes_of(request) and response.status not in BODILESS:
            return None, None
        encoding = ",".join(response.headers.getall("content-encoding")) if packed else ""
        body = Body(request, encoding, self._clock, self._on_chunk)
        async for came in response.content.iter_any():
            if not body.add(came):
                return None, body.first_byte_at
        return body.finish(), body.first_byte_at

    def _failed(self, cause: Cause, sent_at: float, flight: Flight) -> TransportError:
        """What to raise for an attempt that failed."""
        reached: Reached = "sent"
        if flight.answered:
            reached = "answered"
        elif flight.handler is None and cause != "timeout":  # no connection was had; of a time-out as `Reached` has it
            reached = "unsent"
        cause = lost_or_cut(cause, reached)
        reused = flight.reused and reached != "answered"
        if reused:
            cause = over_a_kept_connection(cause)
        return TransportError(cause, sent_at=sent_at, failed_at=self._clock(), reached=reached, reused=reused)

    async def close(self) -> None:
        """Close all connections. Nothing is sent any more."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None
        for session in self._guarded.values():
            await session.close()
        self._guarded.clear()
