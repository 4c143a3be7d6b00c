"""One aiohttp session for all tasks of one event loop.

The session's own second try on a stale connection is switched off: it would bypass the gate. The environment is read
once an origin, as in the pooled transport: the same proxies and the same CA bundle.

A service whose reach is guarded has a session of its own, whose resolver gives only addresses that were judged (guard.py);
a host that is a number is judged before, because no resolver is asked for it. No proxy there, and none on the open web.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import requests
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..errors import Cause, Reached, TransportError
from ..model import NOTHING, Reach, Request, Response, Service
from .guard import admit, judged
from .translate import (
    Observer,
    Route,
    address,
    header_map,
    headers_of,
    is_distrust,
    is_https,
    keep_out_of_logs,
    may_be_cut_off,
    most_bytes_of,
    route_of,
    trust_in,
    unpacking_of,
    value_of,
)

LONGEST_HEADER_BYTES = 65_536
"""As http.client has it under the pooled transport; aiohttp's own 8,190 are less than some servers' policies need."""

BODILESS = (204, 304)
"""Answers without a body, even where they name the length of one (RFC 9112, 6.3)."""

MOST_HEADERS = 99
"""As http.client has it, which counts the empty line as well; aiohttp would take 128."""


@dataclass(frozen=True, slots=True, repr=False)
class _Way:
    """How requests to one service leave, found out once. Holds the key, so it has no repr."""

    service: Service
    route: Route
    proxy: str | None
    bundle: str
    timeout: aiohttp.ClientTimeout


_FAILURES = (TimeoutError, aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError)

_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError)
"""Failures before the request could leave. (`ClientProxyConnectionError` is one of the first kind.)"""


def cause_of(error: BaseException) -> Cause:
    """What an exception of aiohttp means, in our words."""
    if isinstance(error, TimeoutError):  # aiohttp's own time-outs are TimeoutErrors as well
        return "timeout"
    if is_distrust(error) or isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "certificate not trusted"
    if isinstance(error, ValueError | aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return "not allowed"  # the address, the key or the proxy can't be
    return "connection lost"


def _headers_in(response: aiohttp.ClientResponse) -> dict[str, str]:
    """An answer's headers, their names in lower case. aiohttp has read what is no UTF-8 as surrogates."""
    return header_map(
        (name.lower(), value if value.isascii() else value_of(value.encode("utf-8", "surrogateescape")))
        for name, value in response.headers.items()
    )


def _proxy(service: Service) -> str | None:
    if not service.base_url or service.reach is not None:
        return None
    told = requests.utils.select_proxy(service.base_url, requests.utils.get_environ_proxies(service.base_url))
    if told is None:
        return None
    proxy: str = requests.utils.prepend_scheme_if_needed(told, "http")  # type: ignore[no-untyped-call]
    if not proxy.startswith("http"):
        raise ValueError("neither aiohttp nor a plain requests speaks SOCKS")
    if URL(proxy).host is None:
        raise ValueError("a proxy has a host")
    return proxy


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
            connector=aiohttp.TCPConnector(limit=self._slots, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=LONGEST_HEADER_BYTES,
            max_field_size=LONGEST_HEADER_BYTES,
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
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
            way = self._ways[service.name] = _Way(
                service,
                route_of(service, self._keys.get(service.name)),
                _proxy(service),
                bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH,
                aiohttp.ClientTimeout(total=service.timeout_s),
            )
        return way

    async def send(self, request: Request) -> Response:
        """One attempt.

        :raises TransportError: if no whole answer came, within the service's `timeout_s` and `max_bytes`.
        """
        async with self._free:
            if self._closed:  # it was closed while this one waited for its turn
                now = self._clock()
                raise TransportError("connection lost", sent_at=now, failed_at=now, reached="unsent")
            return await self._send(request)

    async def _send(self, request: Request) -> Response:
        service = request.service
        sent_at = self._clock()
        reached: Reached = "unsent"

        def failure(cause: Cause) -> TransportError:
            return TransportError(cause, sent_at=sent_at, failed_at=self._clock(), reached=reached)

        try:
            way = self._way(service)
            url = address(request, way.route)
            if service.reach is None:
                session = self._open()
            else:
                admit(url, service.reach)
                session = self._open_guarded(service.reach)
            reached = "sent"
            async with session.request(
                request.method,
                URL(url, encoded=True),
                headers=way.route.headers if request.headers is NOTHING else headers_of(request, way.route),
                data=request.body or None,
                allow_redirects=False,
                proxy=way.proxy,
                ssl=self._trust(way.bundle, url),
                timeout=way.timeout,
            ) as response:
                reached = "answered"
                status = response.status
                headers = _headers_in(response)
                if len(response.headers) > MOST_HEADERS:
                    raise failure("connection lost")
                packed = "content-encoding" in headers
                unpacking = unpacking_of(",".join(response.headers.getall("content-encoding"))) if packed else None
                most_bytes = most_bytes_of(request)
                length = None if packed or request.stream else response.content_length
                if length is not None and length > most_bytes and status not in BODILESS:
                    response.close()
                    raise failure("too large")
                pieces = io.BytesIO()  # it gives its contents away without a copy
                size = 0
                first_byte_at = None
                async for came in response.content.iter_any():
                    for piece in (came,) if unpacking is None else unpacking.feed(came):
                        size += len(piece)
                        if size > most_bytes:
                            response.close()
                            raise failure("too large")
                        pieces.write(piece)
                        if request.stream:
                            if first_byte_at is None:
                                first_byte_at = self._clock()
                            if self._on_chunk is not None:
                                self._on_chunk(request, piece)
                if unpacking is not None:
                    unpacking.finish()
        except _FAILURES as error:
            if isinstance(error, _NOT_CONNECTED):
                reached = "unsent"
            raise failure(cause_of(error)) from None
        body = pieces.getvalue()
        if may_be_cut_off(status, headers, body):
            raise failure("connection lost")
        return Response(status, headers, body, sent_at, self._clock(), self._wall(), first_byte_at)

    async def close(self) -> None:
        """Close all connections. Nothing is sent any more."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None
        for session in self._guarded.values():
            await session.close()
        self._guarded.clear()
