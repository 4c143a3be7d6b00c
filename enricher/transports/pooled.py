"""One pooled `requests.Session` for all threads.

What a stock session does anew for each request is done once here: the environment is read at the first request to an
origin (proxies, CA bundle), cookies are off, and a prepared request is put together by hand from an address that is
well-formed already. The adapter's public hooks are overridden, its `send` is not: what patches or wraps it still works.

`max_retries=0`: a retry inside the library would bypass the gate. `pool_block`: never more connections than slots.

A socket timeout never fires on a server that drips a byte now and then. So one watchdog thread looks at what is in
flight and shuts down the sockets of those past their deadline; `abort` does the same to all, for Ctrl-C.

A service whose reach is guarded has connections of its own, which are made only to addresses that were judged (guard.py).
Neither it nor the open web goes through a proxy of the environment: what a proxy connects to, nobody here could judge.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Timeout

from ..errors import Cause, Reached, TransportError
from ..model import NOTHING, Reach, Request, Response, Service
from .guard import admit, judged, number_of
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

WATCH_EVERY_S = 0.25
"""How often the watchdog looks, seconds: a deadline is kept to within this."""

MOST_ORIGINS = 64
"""To so many origins connections are kept; beyond, those of the origin that was first are closed. The open web has no end."""

PIECE_BYTES = 65_536
"""How much of a body is read at once where it is not read whole."""

Resolve = Callable[..., Any]
"""As `socket.getaddrinfo`: host, port and `type` to the addresses that it stands for."""


class _Flight:
    """One request on its way."""

    __slots__ = ("connection", "cut", "deadline", "reached", "run", "sock")

    def __init__(self, deadline: float, run: object) -> None:
        self.deadline = deadline
        self.run = run
        self.connection: Any = None
        self.sock: Any = None  # kept apart: a connection lets go of its socket before a body that ends with it is read
        self.cut = False
        self.reached: Reached = "unsent"

    def connecting(self, sock: Any) -> None:
        """Its connection is being made. A handshake takes the socket away until it is done, so this keeps another end."""
        self.sock = sock.dup()
        if self.cut:
            self.end()

    def connected(self) -> None:
        """Its connection is made, or is not."""
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()

    def left(self) -> None:
        """The request is on the wire."""
        self.sock = self.connection.sock
        if self.cut:  # while its connection was being made
            self.end()

    def end(self) -> None:
        """Shut the socket down, so that whoever reads from it stops. A name still being looked up ends by itself."""
        self.cut = True
        sock = self.sock or getattr(self.connection, "sock", None)
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # the plain call: an SSLSocket's own drops its TLS state


_here = threading.local()


class _Watched:
    """A connection that tells the flight that it is used by."""

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]  # a mixin: the connection class comes second
        flight: _Flight | None = getattr(_here, "flight", None)
        if flight is not None:
            flight.connecting(sock)
        return sock

    def connect(self) -> None:
        flight: _Flight | None = getattr(_here, "flight", None)
        try:
            super().connect()  # type: ignore[misc]  # see above
            if flight is not None:
                flight.reached = "sent"
        finally:
            if flight is not None:
                flight.connected()

    def request(self, *args: Any, **kwargs: Any) -> None:
        flight: _Flight | None = getattr(_here, "flight", None)
        if flight is not None:
            flight.connection = self
            if self.sock is not None:  # type: ignore[attr-defined]  # see above; connected already, or reused
                flight.reached = "sent"
        super().request(*args, **kwargs)  # type: ignore[misc]  # see above
        if flight is not None:
            flight.left()


class _Answer(http.client.HTTPResponse):
    """One that waits for its final status: http.client takes early hints (103) for the answer, and leaves the answer to
    whoever asks next.
    """

    def _read_status(self) -> tuple[str, int, str]:
        told: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # the stubs leave it out
        while 101 < told[1] < 200:  # 100 is skipped already, and 101 ends HTTP
            http.client.parse_headers(self.fp)
            told = super()._read_status()  # type: ignore[misc]  # see above
        return told


class _WatchedHTTP(_Watched, HTTPConnection):
    response_class = _Answer


class _WatchedHTTPS(_Watched, HTTPSConnection):
    response_class = _Answer


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Guarded:
    """A connection that is made to one of the addresses that `find` gives for its host. Its name stays what it is: TLS
    and the Host header know no address.
    """

    def __init__(self, *args: Any, find: Callable[[str, int], list[str]], **kwargs: Any) -> None:
        self._find = find
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> Any:
        connection: Any = self
        name = connection._dns_host  # noqa: SLF001  # `host` without the dot that may end it
        flight: _Flight | None = getattr(_here, "flight", None)
        failed: Exception = OSError("a name without addresses")
        for found in self._find(name, connection.port):
            if flight is not None and flight.cut:  # each address has the whole time-out, all together have no more
                break
            connection.host = found
            try:
                return super()._new_conn()  # type: ignore[misc]  # a mixin: the connection class comes second
            except urllib3.exceptions.HTTPError as error:
                failed = error
            finally:
                connection.host = name
        raise failed


class _GuardedHTTP(_Guarded, _WatchedHTTP):
    pass


class _GuardedHTTPS(_Guarded, _WatchedHTTPS):
    pass


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


def _path_at(url: str) -> int:
    """Where the path of an absolute http(s) URL begins."""
    slash = url.find("/", 8)
    return len(url) if slash < 0 else slash


@dataclass(frozen=True, slots=True, repr=False)
class _Way:
    """How requests to one service leave, found out once. Holds the key, so it has no repr."""

    service: Service
    adapter: _LeanAdapter
    route: Route
    headers: Any  # a plain dict, which urllib3 copies quicker than requests' own kind
    proxies: Any
    verify: Any
    timeout: Any  # urllib3's Timeout: requests takes it, its stubs don't know


_BLANK = vars(requests.Response())
"""What a new response holds. Its cookie jar costs more to make than all the rest, and nobody looks into it here."""


class _LeanAdapter(HTTPAdapter):
    """The stock adapter, with its per-request look-ups done once an origin."""

    _classes: Mapping[str, Any] = {"http": _HTTPPool, "https": _HTTPSPool}

    def __init__(self, slots: int) -> None:
        self._pools: dict[str, Any] = {}
        self._trusts: dict[str, ssl.SSLContext] = {}
        self._trusting = threading.Lock()
        self._lock = threading.Lock()
        # Of its own pools the manager keeps but the last: they are kept here, and closed by being let go.
        super().__init__(pool_connections=1, pool_maxsize=slots, max_retries=0, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._classes
        return manager

    def get_connection_with_tls_context(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        origin = request.url[: _path_at(request.url)]
        pool = self._pools.get(origin)
        if pool is None:
            with self._lock:
                pool = self._pools.get(origin) or self._pool(request, *args, **kwargs)
                if origin not in self._pools and len(self._pools) >= MOST_ORIGINS:
                    del self._pools[next(iter(self._pools))]
                self._pools[origin] = pool
        return pool

    def _pool(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if proxies or not is_https(request.url):
            super().cert_verify(pool, request.url, verify, None)  # type: ignore[no-untyped-call]  # stubs leave it out
        else:  # read once: reading a bundle takes longer than a handshake
            bundle = verify if isinstance(verify, str) else requests.utils.DEFAULT_CA_BUNDLE_PATH
            pool.conn_kw["ssl_context"] = self.trust(bundle)
            pool.cert_reqs, pool.ca_certs, pool.ca_cert_dir = "CERT_REQUIRED", None, None
        return pool

    def trust(self, bundle: str) -> ssl.SSLContext:
        """A context that trusts those whom a bundle vouches for, one for all connections."""
        with self._trusting:  # or all who begin together read it, and it takes each of them longer than a page
            if bundle not in self._trusts:
                self._trusts[bundle] = trust_in(bundle)
            return self._trusts[bundle]

    def close(self) -> None:
        super().close()
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Done when the pool was made."""

    def request_url(self, request: Any, proxies: Any) -> str:
        if proxies:
            return super().request_url(request, proxies)
        url: str = request.url
        return url[_path_at(url) :] or "/"

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = requests.Response.__new__(requests.Response)
        vars(response).update(_BLANK, status_code=resp.status, raw=resp, request=req)
        return response


class _GuardedAdapter(_LeanAdapter):
    """An adapter of its own for each reach: no connection is shared with those who may go further."""

    _classes: Mapping[str, Any] = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}

    def __init__(self, slots: int, reach: Reach, resolve: Resolve) -> None:
        self._reach = reach
        self._resolve = resolve
        super().__init__(slots)

    def _pool(self, *args: Any, **kwargs: Any) -> Any:
        pool = super()._pool(*args, **kwargs)
        pool.conn_kw["find"] = self._find
        return pool

    def _find(self, host: str, port: int) -> list[str]:
        """The addresses that a host stands for now, as far as they are within reach."""
        host = host.strip("[]")
        if number_of(host) is not None:
            return judged(host, port, [host], self._reach)
        told = self._resolve(host, port, type=socket.SOCK_STREAM)
        return judged(host, port, [found[4][0] for found in told], self._reach)


_FAULTS_OF_THE_SERVER = (requests.exceptions.InvalidHeader, urllib3.exceptions.ProtocolError)
"""Some of them are ValueErrors as well."""

_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


def cause_of(error: BaseException) -> Cause:
    """What an exception of requests or urllib3 means, in our words."""
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connection lost"  # though urllib3 derives it from a time-out
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "timeout"
    if is_distrust(error):
        return "certificate not trusted"
    if isinstance(error, ValueError) and not isinstance(error, _FAULTS_OF_THE_SERVER):
        return "not allowed"  # the address, the key or the proxy can't be
    return "connection lost"


def _failure(cause: Cause, sent_at: float, failed_at: float, reached: Reached) -> TransportError:
    if cause == "timeout" and reached == "unsent":
        reached = "sent"  # as `Reached` has it
    return TransportError(cause, sent_at=sent_at, failed_at=failed_at, reached=reached)


def _headers_in(raw: Any) -> dict[str, str]:
    """An answer's headers, their names in lower case. http.client has made a letter of each byte."""
    return header_map(
        (name.lower(), value if value.isascii() else value_of(value.encode("latin-1")))
        for name, value in raw.headers.items()
    )


def _may_be_proxied(service: Service) -> bool:
    return bool(service.base_url) and service.reach is None


class PooledTransport:
    """Sends requests over one session. Usable from any number of threads, of which `slots` may send at a time.

    `keys` maps a service's name to its key; the transport alone holds them.
    `on_chunk` is shown the pieces of streamed answers, in the thread that sends. `resolve` looks up the hosts of guarded
    services, as `socket.getaddrinfo` does.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        slots: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        on_chunk: Observer | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._keys = dict(keys)
        for key in self._keys.values():
            keep_out_of_logs(key)
        self._clock = clock
        self._wall = wall
        self._on_chunk = on_chunk
        self._resolve = resolve
        self._most_slots = slots
        self._slots: SimpleQueue[None] = SimpleQueue()  # who waits for a connection is not on the wire yet
        for _ in range(slots):
            self._slots.put(None)
        self._session = requests.Session()
        self._adapter = _LeanAdapter(slots)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._guarded: dict[Reach, _GuardedAdapter] = {}
        self._ways: dict[str, _Way] = {}
        self._flights: dict[int, _Flight] = {}
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._watchdog: threading.Thread | None = None
        self._lock = threading.Lock()

    def _way(self, service: Service) -> _Way:
        way = self._ways.get(service.name)
        if way is None or way.service is not service:
            route = route_of(service, self._keys.get(service.name))
            adapter = self._adapter_for(service.reach)
            # The one look at the environment: proxies (NO_PROXY heeded) and the CA bundle. No .netrc, no cookies.
            about = self._session.merge_environment_settings(service.base_url, {}, None, None, None)
            proxied = _may_be_proxied(service) and requests.utils.select_proxy(service.base_url, about["proxies"])
            if isinstance(about["verify"], str) and is_https(service.base_url):
                adapter.trust(about["verify"])  # told here, in plain words, rather than by each connection
            way = self._ways[service.name] = _Way(
                service,
                adapter,
                route,
                dict(route.headers),
                about["proxies"] if proxied else None,
                about["verify"],
                Timeout(connect=service.timeout_s, read=service.timeout_s),
            )
            with self._lock:
                if self._watchdog is None:
                    self._watchdog = threading.Thread(target=self._watch, name="enricher-watchdog", daemon=True)
                    self._watchdog.start()
        return way

    def _adapter_for(self, reach: Reach | None) -> _LeanAdapter:
        if reach is None:
            return self._adapter
        with self._lock:
            if reach not in self._guarded:
                self._guarded[reach] = _GuardedAdapter(self._most_slots, reach, self._resolve)
            return self._guarded[reach]

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_EVERY_S):
            now = self._clock()
            for flight in list(self._flights.values()):
                if now > flight.deadline:
                    flight.end()

    def share(self) -> Share:
        """The same connections, for one of several runs."""
        return Share(self)

    def send(self, request: Request, run: object = None) -> Response:
        """One attempt, for a run.

        :raises TransportError: if no whole answer came, within the service's `timeout_s` and `max_bytes`.
        """
        slot = self._slots.get()
        try:
            if self._closed.is_set():  # it was closed while this one waited for its turn
                raise _failure("connection lost", now := self._clock(), now, "unsent")
            return self._send(request, run)
        finally:
            self._slots.put(slot)

    def _send(self, request: Request, run: object) -> Response:
        service = request.service
        sent_at = self._clock()
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        try:
            way = self._way(service)
            prepared.url = address(request, way.route)
            if service.reach is not None:
                admit(prepared.url, service.reach)
            headers: Any = way.headers if request.headers is NOTHING else headers_of(request, way.route)
        except (OSError, ValueError) as error:
            raise _failure(cause_of(error), sent_at, self._clock(), "unsent") from None
        prepared.headers = headers
        if request.body:
            prepared.body = request.body
            prepared.headers = headers.copy()
            prepared.headers["Content-Length"] = str(len(request.body))
        flight = _Flight(sent_at + service.timeout_s, run)
        number = next(self._numbers)
        self._flights[number] = flight
        _here.flight = flight
        try:
            response = way.adapter.send(
                prepared, stream=True, timeout=way.timeout, verify=way.verify, proxies=way.proxies
            )
            raw = response.raw
            flight.reached = "answered"
            body = None
            first_byte_at = None
            try:
                if raw.length_remaining is None and "content-length" in raw.headers:
                    raise http.client.HTTPException("a length that is none, or one beside chunks")
                if request.stream or raw.length_remaining is None or "content-encoding" in raw.headers:
                    body, first_byte_at = self._in_pieces(request, raw)
                elif raw.length_remaining <= most_bytes_of(request):
                    body = raw.read(decode_content=True)  # at once, which is quicker
            finally:
                if body is None:
                    raw.close()
                    raw.release_conn()  # closed, but its place in the pool must be given back
            if body is None:
                raise _failure("too large", sent_at, self._clock(), "answered")
            if flight.cut:  # what was read before the cut may look whole where no length was declared
                raise _failure("timeout", sent_at, self._clock(), "answered")
        except _FAILURES as error:
            cause: Cause = "timeout" if flight.cut else cause_of(error)
            raise _failure(cause, sent_at, self._clock(), flight.reached) from None
        finally:
            del self._flights[number]
            flight.connection = flight.sock = _here.flight = None  # what it used may be another's from now on
        headers_in = _headers_in(raw)
        if may_be_cut_off(raw.status, headers_in, body):
            raise _failure("connection lost", sent_at, self._clock(), "answered")
        return Response(raw.status, headers_in, body, sent_at, self._clock(), self._wall(), first_byte_at)

    def _in_pieces(self, request: Request, raw: Any) -> tuple[bytes | None, float | None]:
        """A body as it comes, unpacked and shown to who watches, and when it began; None: it is longer than it may be.

        Read in pieces of our own size: a server that sends chunks of a byte would have a list made of each.
        """
        unpacking = unpacking_of(raw.headers.get("content-encoding", ""))
        read = raw.read1 if request.stream else raw.read  # read1 waits for no more than there is
        most_bytes = most_bytes_of(request)
        body = io.BytesIO()  # it gives its contents away without a copy
        size = 0
        first_byte_at = None
        while came := read(PIECE_BYTES, decode_content=False):
            for piece in (came,) if unpacking is None else unpacking.feed(came):
                size += len(piece)
                if size > most_bytes:
                    return None, first_byte_at
                body.write(piece)
                if request.stream:
                    if first_byte_at is None:
                        first_byte_at = self._clock()
                    if self._on_chunk is not None:
                        self._on_chunk(request, piece)
        if unpacking is not None:
            unpacking.finish()
        return body.getvalue(), first_byte_at

    def abort(self, run: object = None) -> None:
        """End all that is in flight, or all of a run: each such `send` raises `TransportError` at once."""
        for flight in list(self._flights.values()):
            if run is None or flight.run is run:
                flight.end()

    def close(self) -> None:
        """Close all connections. What is in flight ends as in `abort`."""
        self._closed.set()
        self.abort()
        self._session.close()
        for adapter in list(self._guarded.values()):
            adapter.close()
        if self._watchdog is not None:
            self._watchdog.join()


class Share:
    """One run's part in a pooled transport: it sends over the same connections, and `abort` ends only its own requests."""

    def __init__(self, transport: PooledTransport) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        """One attempt, as `PooledTransport.send`."""
        return self._transport.send(request, self)

    def abort(self) -> None:
        """End what this run has in flight."""
        self._transport.abort(self)
