"""One aiohttp session for all tasks of one event loop.

The session's own second try on a stale connection is switched off: it would bypass the gate. The environment is read
once an origin, as in the pooled transport: the same proxies and the same CA bundle.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
import requests
from yarl import URL

from ..errors import Cause, TransportError
from ..model import Request, Response, Service
from .translate import Route, address, is_distrust, keep_out_of_logs, may_be_cut_off, route_of, trust_in

LONGEST_HEADER_BYTES = 65_536
"""As http.client has it under the pooled transport; aiohttp's own 8,190 are less than some servers' policies need."""


@dataclass(frozen=True, slots=True, repr=False)
class _Way:
    """How requests to one service leave, found out once. Holds the key, so it has no repr."""

    service: Service
    route: Route
    proxy: str | None
    trust: ssl.SSLContext | bool
    timeout: aiohttp.ClientTimeout


_FAILURES = (TimeoutError, aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError)


def cause_of(error: BaseException) -> Cause:
    """What an exception of aiohttp means, in our words."""
    if isinstance(error, TimeoutError):  # aiohttp's own time-outs are TimeoutErrors as well
        return "timeout"
    if is_distrust(error) or isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "certificate not trusted"
    if isinstance(error, ValueError | aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return "not allowed"  # the address, the key or the proxy can't be
    return "connection lost"


def _trust(service: Service) -> ssl.SSLContext | bool:
    if not service.base_url.startswith("https"):
        return True
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return trust_in(bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH)


def _proxy(service: Service) -> str | None:
    told = requests.utils.select_proxy(service.base_url, requests.utils.get_environ_proxies(service.base_url))
    if told is None:
        return None
    proxy: str = requests.utils.prepend_scheme_if_needed(told, "http")  # type: ignore[no-untyped-call]
    if not proxy.startswith("http"):
        raise ValueError("neither aiohttp nor a plain requests speaks SOCKS")
    if URL(proxy).host is None:
        raise ValueError("a proxy has a host")
    return proxy


class StreamingTransport:
    """Sends requests over one aiohttp session; `slots` bounds its connections. Belongs to the loop it is used in first.

    `keys` maps a service's name to its key; the transport alone holds them.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        slots: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._keys = dict(keys)
        for key in self._keys.values():
            keep_out_of_logs(key)
        self._slots = slots
        self._free = asyncio.Semaphore(slots)  # who waits for a connection is not on the wire yet
        self._clock = clock
        self._wall = wall
        self._session: aiohttp.ClientSession | None = None
        self._ways: dict[str, _Way] = {}
        self._closed = False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._slots),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
                trust_env=False,
                max_line_size=LONGEST_HEADER_BYTES,
                max_field_size=LONGEST_HEADER_BYTES,
            )
            self._session._retry_connection = False  # noqa: SLF001  # there is no public switch (aiohttp 3.14)
        return self._session

    def _way(self, service: Service) -> _Way:
        way = self._ways.get(service.name)
        if way is None or way.service is not service:
            way = self._ways[service.name] = _Way(
                service,
                route_of(service, self._keys.get(service.name)),
                _proxy(service),
                _trust(service),
                aiohttp.ClientTimeout(total=service.timeout_s),
            )
        return way

    async def send(self, request: Request) -> Response:
        """One attempt.

        :raises TransportError: if no whole answer came, within the service's `timeout_s` and `max_bytes`.
        """
        async with self._free:
            if self._closed:  # it was closed while this one waited for its turn
                raise TransportError("connection lost", sent_at=(now := self._clock()), failed_at=now)
            return await self._send(request)

    async def _send(self, request: Request) -> Response:
        service = request.service
        sent_at = self._clock()
        try:
            way = self._way(service)
            async with self._open().request(
                request.method,
                URL(address(request, way.route), encoded=True),
                headers=way.route.headers,
                data=request.body or None,
                allow_redirects=False,
                proxy=way.proxy,
                ssl=way.trust,
                timeout=way.timeout,
            ) as response:
                chunks: list[bytes] = []
                size = 0
                async for chunk in response.content.iter_any():
                    size += len(chunk)
                    if size > service.max_bytes:
                        response.close()
                        raise TransportError("too large", sent_at=sent_at, failed_at=self._clock())
                    chunks.append(chunk)
                status = response.status
                headers = {name.lower(): value for name, value in response.headers.items()}
        except _FAILURES as error:
            raise TransportError(cause_of(error), sent_at=sent_at, failed_at=self._clock()) from None
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if may_be_cut_off(status, headers, body):
            raise TransportError("connection lost", sent_at=sent_at, failed_at=self._clock())
        return Response(status, headers, body, sent_at, self._clock(), self._wall())

    async def close(self) -> None:
        """Close all connections. Nothing is sent any more."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None
