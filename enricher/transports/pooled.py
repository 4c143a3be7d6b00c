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

import http.client
import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import requests
import urllib3
from urllib3.util import Timeout

from ..errors import Cause, TransportError
from ..model import NOTHING, Reach, Request, Response, Service
from .causes import beneath, chain, over_a_kept_connection
from .connections import PIECE_BYTES, Flight, GuardedAdapter, LeanAdapter, Resolve, here
from .environment import bundle, proxy_of
from .guard import admit
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
)
from .unpacking import Body

WATCH_EVERY_S = 0.25
"""How often the watchdog looks, seconds: a deadline is kept to within this."""

CLOSE_WITHIN_S = 1.0
"""How long the watchdog is waited for, seconds: it only has to wake."""


@dataclass(frozen=True, slots=True, repr=False)
class _Way:
    """How requests to one service leave, found out once. Holds the key, so it has no repr."""

    service: Service
    adapter: LeanAdapter
    route: Route
    headers: Any  # a plain dict, which urllib3 copies quicker than requests' own kind
    proxies: Any
    verify: Any
    timeout: Any  # urllib3's Timeout: requests takes it, its stubs don't know


_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods whose requests say no length where they have no body, as aiohttp has it."""

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
    plain = beneath(error)
    if plain is not None:
        return plain
    inner = list(chain(error))
    late = any(
        isinstance(one, _TIMEOUTS) and not isinstance(one, urllib3.exceptions.NewConnectionError) for one in inner
    )
    if late:
        return "timeout"
    if any(isinstance(one, requests.exceptions.ProxyError | urllib3.exceptions.ProxyError) for one in inner):
        refused = any(str(one).startswith("Tunnel connection failed") for one in inner if isinstance(one, OSError))
        return "the proxy refuses the connection" if refused else "the proxy does not answer"
    if isinstance(error, ValueError) and not isinstance(error, _FAULTS_OF_THE_SERVER):
        return "not allowed"  # the address or the proxy can't be
    return "connection lost"


_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
"""urllib3 derives `NewConnectionError` from one of these, though it is none."""


def _headers_in(raw: Any) -> dict[str, str]:
    """An answer's headers, their names in lower case. http.client has made a letter of each byte."""
    return header_map(raw.headers.items(), lambda value: value.encode("latin-1"))


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
        self._adapter = LeanAdapter(slots)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._guarded: dict[Reach, GuardedAdapter] = {}
        self._ways: dict[str, _Way] = {}
        self._flights: dict[int, Flight] = {}
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._watchdog: threading.Thread | None = None
        self._lock = threading.Lock()

    def _way(self, service: Service) -> _Way:
        way = self._ways.get(service.name)
        if way is None or way.service is not service:
            route = route_of(service, self._keys.get(service.name))
            adapter = self._adapter_for(service.reach)
            # The one look at the environment. No .netrc, no cookies.
            proxy, trusted = proxy_of(service), bundle()
            if is_https(service.base_url):
                adapter.trust(trusted)  # told here, in plain words, rather than by each connection
            way = self._ways[service.name] = _Way(
                service,
                adapter,
                route,
                dict(route.headers),
                {"http": proxy, "https": proxy} if proxy else None,
                trusted,
                Timeout(connect=service.timeout_s, read=service.timeout_s),
            )
            with self._lock:
                if self._watchdog is None:
                    self._watchdog = threading.Thread(target=self._watch, name="enricher-watchdog", daemon=True)
                    self._watchdog.start()
        return way

    def _adapter_for(self, reach: Reach | None) -> LeanAdapter:
        if reach is None:
            return self._adapter
        with self._lock:
            if reach not in self._guarded:
                self._guarded[reach] = GuardedAdapter(self._most_slots, reach, self._resolve)
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

    def send(self, request: Request, run: object = None, *, fresh: bool = False) -> Response:
        """One attempt, for a run. `fresh`: over a connection that has brought no answer yet.

        :raises TransportError: if no whole answer came, within the service's `timeout_s` and `max_bytes`.
        """
        slot = self._slots.get()
        try:
            if self._closed.is_set():  # it was closed while this one waited for its turn
                now = self._clock()
                raise TransportError("connection lost", sent_at=now, failed_at=now, reached="unsent")
            return self._send(request, run, fresh=fresh)
        finally:
            self._slots.put(slot)

    def _send(self, request: Request, run: object, *, fresh: bool) -> Response:
        sent_at = self._clock()
        flight = Flight(sent_at + request.service.timeout_s, run, fresh=fresh)
        number = next(self._numbers)
        self._flights[number] = flight
        here.flight = flight
        try:
            way = self._way(request.service)
            raw, body, first_byte_at = self._answer(request, way, self._prepared(request, way))
            headers = _headers_in(raw)
            if flight.cut:  # what was read before the cut may look whole where no length was declared
                raise self._failed("timeout", sent_at, flight)
            if body is None:
                raise self._failed("too large", sent_at, flight)
            if request.method != "HEAD" and may_be_cut_off(raw.status, headers, body):
                raise self._failed("connection lost", sent_at, flight)
        except _FAILURES as error:
            raise self._failed("timeout" if flight.cut else cause_of(error), sent_at, flight) from None
        finally:
            del self._flights[number]
            flight.connection = flight.sock = here.flight = None  # what it used may be another's from now on
        return Response(raw.status, headers, body, sent_at, self._clock(), self._wall(), first_byte_at)

    def _prepared(self, request: Request, way: _Way) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = address(request, way.route)
        if request.service.reach is not None:
            admit(prepared.url, request.service.reach)
        headers: Any = way.headers if request.headers is NOTHING else headers_of(request, way.route)
        if request.body:
            prepared.body = request.body
            headers = {**headers, "Content-Length": str(len(request.body))}
        elif request.method.upper() not in _WITHOUT_BODY:
            headers = {**headers, "Content-Length": "0"}
        prepared.headers = headers
        return prepared

    def _answer(
        self, request: Request, way: _Way, prepared: requests.PreparedRequest
    ) -> tuple[Any, bytes | None, float | None]:
        """Send it: the answer, its body (None: it is longer than it may be), and when that began."""
        response = way.adapter.send(prepared, stream=True, timeout=way.timeout, verify=way.verify, proxies=way.proxies)
        raw = response.raw
        here.flight.reached = "answered"
        body, first_byte_at = None, None
        try:
            if request.stream or raw.length_remaining is None or "content-encoding" in raw.headers:
                body, first_byte_at = self._in_pieces(request, raw)
            elif raw.length_remaining <= most_bytes_of(request):
                body = raw.read(decode_content=True)  # at once, which is quicker
        finally:
            if body is None:
                raw.close()
                raw.release_conn()  # closed, but its place in the pool must be given back
        return raw, body, first_byte_at

    def _failed(self, cause: Cause, sent_at: float, flight: Flight) -> TransportError:
        """What to raise for an attempt that failed."""
        reached = flight.reached
        if cause == "the proxy does not answer" and reached != "unsent":
            cause = "connection lost"  # it did: urllib3 takes all that is lost on the way through it for its own
        cause = lost_or_cut(cause, reached)
        reused = flight.reused and reached != "answered"
        if reused:
            cause = over_a_kept_connection(cause)
        if cause == "timeout" and reached == "unsent":
            reached = "sent"  # as `Reached` has it
        return TransportError(cause, sent_at=sent_at, failed_at=self._clock(), reached=reached, reused=reused)

    def _in_pieces(self, request: Request, raw: Any) -> tuple[bytes | None, float | None]:
        """A body as it comes, unpacked and shown to who watches, and when it began; None: it is longer than it may be.

        Read in pieces of our own size: a server that sends chunks of a byte would have a list made of each.
        """
        body = Body(request, raw.headers.get("content-encoding", ""), self._clock, self._on_chunk)
        read = raw.read1 if request.stream else raw.read  # read1 waits for no more than there is
        while came := read(PIECE_BYTES, decode_content=False):
            if not body.add(came):
                return None, body.first_byte_at
        return body.finish(), body.first_byte_at

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
        with self._lock:
            watchdog = self._watchdog
        if watchdog is not None and watchdog is not threading.current_thread():  # a finalizer runs anywhere
            watchdog.join(CLOSE_WITHIN_S)


class Share:
    """One run's part in a pooled transport: it sends over the same connections, and `abort` ends only its own requests."""

    def __init__(self, transport: PooledTransport) -> None:
        self._transport = transport

    def send(self, request: Request, *, fresh: bool = False) -> Response:
        """One attempt, as `PooledTransport.send`."""
        return self._transport.send(request, self, fresh=fresh)

    def abort(self) -> None:
        """End what this run has in flight."""
        self._transport.abort(self)
