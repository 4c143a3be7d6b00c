"""Connections as urllib3 makes and keeps them, with what it lacks: a deadline, judged addresses, one reading of an answer.

The adapter's public hooks are overridden, its `send` is not: what patches or wraps it still works.

Rule 1: an answer's head is read by framing.py, and http.client is shown what it wrote out anew; a chunked body is unwrapped
before http.client sees it.
Rule 2: a flight knows what became of its request: whether it left, over a kept connection or a new one, and whether a
status line came.
Rule 3: a flight that must be `fresh` uses no kept connection: its last attempt was lost with one (RFC 9112, 9.5), and a
server or a router on the way drops many of them together.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..errors import Reached
from ..model import Reach
from .framing import LONGEST_LINE_BYTES, Chunks, Head, HeadLines, Unreadable, plain_head
from .guard import judged, number_of
from .translate import is_https, trust_in

MOST_ORIGINS = 64
"""To so many origins connections are kept; beyond, those of the origin that was first are closed. The open web has no end."""

PIECE_BYTES = 65_536
"""How much of a body is read at once where it is not read whole."""

Resolve = Callable[..., Any]
"""As `socket.getaddrinfo`: host, port and `type` to the addresses that it stands for."""


class Flight:
    """One request on its way."""

    __slots__ = ("connection", "cut", "deadline", "fresh", "reached", "reused", "run", "sock")

    def __init__(self, deadline: float, run: object, *, fresh: bool = False) -> None:
        self.deadline = deadline
        self.fresh = fresh
        """Whether it must leave over a connection that has brought no answer yet."""
        self.run = run
        self.connection: Any = None
        self.sock: Any = None  # kept apart: a connection lets go of its socket before a body that ends with it is read
        self.cut = False
        self.reached: Reached = "unsent"
        self.reused = False
        """Whether it left over a connection that had brought an answer before."""

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


here = threading.local()


class _Watched:
    """A connection that tells the flight that it is used by."""

    answers = 0
    """How many came over it since it was made."""

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]  # a mixin: the connection class comes second
        flight: Flight | None = getattr(here, "flight", None)
        if flight is not None:
            flight.connecting(sock)
        return sock

    def connect(self) -> None:
        flight: Flight | None = getattr(here, "flight", None)
        self.answers = 0
        try:
            super().connect()  # type: ignore[misc]  # see above
            if flight is not None:
                flight.reached = "sent"
        finally:
            if flight is not None:
                flight.connected()

    def request(self, *args: Any, **kwargs: Any) -> None:
        flight: Flight | None = getattr(here, "flight", None)
        if flight is not None:
            flight.connection = self
            if self.sock is not None:  # type: ignore[attr-defined]  # see above; connected already, or reused
                flight.reached = "sent"
                flight.reused = self.answers > 0
        super().request(*args, **kwargs)  # type: ignore[misc]  # see above
        if flight is not None:
            flight.left()

    def getresponse(self) -> Any:
        response = super().getresponse()  # type: ignore[misc]  # see above
        self.answers += 1
        return response


class _Answer(http.client.HTTPResponse):
    """An answer whose head http.client reads as framing.py has written it out, and whose body holds no chunks."""

    def begin(self) -> None:
        if self.headers is not None:  # it has begun; the stubs don't know that it may not have
            return
        wire: Any = self.fp
        head = _head_of(wire, self._method or "GET")
        self.fp = io.BytesIO(head.raw)
        super().begin()
        self.fp = wire
        if head.chunked:
            self.chunked = False
            self.fp = io.BufferedReader(_Unwrapped(wire), PIECE_BYTES)


def _head_of(wire: Any, method: str) -> Head:
    """Read the head of an answer.

    :raises http.client.RemoteDisconnected: if the connection ends before it does.
    """
    flight: Flight | None = getattr(here, "flight", None)
    head = plain_head(wire.peek(1), method)
    if head is not None:
        wire.read(len(head.raw))
        return head
    lines = HeadLines(method)
    while head is None:
        line = wire.readline(LONGEST_LINE_BYTES + 1)
        if not line.endswith(b"\n") and len(line) <= LONGEST_LINE_BYTES:
            raise http.client.RemoteDisconnected("")
        try:
            head = lines.add(line)
        finally:
            if lines.answered and flight is not None:
                flight.reached = "answered"
    return head


class _Unwrapped(io.RawIOBase):
    """A body in chunks, read as if it were none. It ends where its last chunk does."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self._chunks = Chunks()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._chunks.done:
            data = self._wire.read1(PIECE_BYTES)
            if not data:
                raise Unreadable("the answer can't be read: it is cut off")
            self._ready = memoryview(self._chunks.feed(data))
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._wire.close()
        super().close()


class _WatchedHTTP(_Watched, HTTPConnection):
    response_class = _Answer


class _WatchedHTTPS(_Watched, HTTPSConnection):
    response_class = _Answer


class _Renewing:
    """A pool that gives a flight that must be fresh a connection that is made for it."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]  # a mixin: the pool class comes second
        flight: Flight | None = getattr(here, "flight", None)
        if flight is not None and flight.fresh:
            connection.close()  # it is made anew when it is used
        return connection


class _HTTPPool(_Renewing, HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(_Renewing, HTTPSConnectionPool):
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
        flight: Flight | None = getattr(here, "flight", None)
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


class _GuardedHTTPPool(_Renewing, HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedHTTPSPool(_Renewing, HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


def path_at(url: str) -> int:
    """Where the path of an absolute http(s) URL begins."""
    slash = url.find("/", 8)
    return len(url) if slash < 0 else slash


_BLANK = vars(requests.Response())
"""What a new response holds. Its cookie jar costs more to make than all the rest, and nobody looks into it here."""


class LeanAdapter(HTTPAdapter):
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
        origin = request.url[: path_at(request.url)]
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
        return url[path_at(url) :] or "/"

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = requests.Response.__new__(requests.Response)
        vars(response).update(_BLANK, status_code=resp.status, raw=resp, request=req)
        return response


class GuardedAdapter(LeanAdapter):
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
