"""The world between a client and a simulated API: latency, quota, faults, outages, and the counting of it all.

An aiohttp middleware around any API's routes. The API knows nothing of it; the world knows of the API only its
`Dialect`: how it is handed a key, and how it words a refusal. What an API has of its own (names of requests that are not
in their addresses, another quota, streams) is a subclass's (`sites`, `llm`).

The order of judgement: arrival (stamped and counted) → outage → key → quota → fault → latency → answer. What is turned
away is turned away at once; only an admitted request takes its latency, counted from its arrival, not from the moment
that the loop got round to it.

On waiting precisely: `asyncio.sleep` is never early, and late by up to a millisecond (epoll counts in them), by what the
loop has to do, and by what an idle core needs to wake up: 1.4 ms in the mean for one request at a time (175 ms each, on a
virtual machine of two cores). So: sleep until 2 ms before, then yield to the loop until due, which is within 0.04 ms.
But that burns a core, so at most `MOST_SPINNING` requests do it at a time; the others find the loop awake meanwhile, and
are punctual with them. Nobody is favoured: lock-step clients and streaming ones are answered as late as each other.
`late_sum_s` tells by how much answers were late in all, `spun_s` for how long somebody spun.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiohttp import web

from .behaviour import Behaviour, Fault, RetryAfter, chance, identity
from .tally import QuotaKeeper, Tally, Visits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SPIN_S = 0.002
MOST_SPINNING = 8

HTML_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head>"
    b"<body><h1>Welcome to the guest network</h1><p>Please accept the terms of use to continue.</p></body></html>\n"
)
GARBAGE = b'{"page":1,"results":[{"id":,]]\x00\xff'
_FIXED = {"films", "films_seed", "details_bytes", "cpu"}
SERVER_ERRORS = (500, 502, 503, 504)


class Dialect(Protocol):
    """How one API is handed a key and how it words a refusal."""

    def admits(self, request: web.Request, key: str | None) -> bool:
        """Whether the request brings `key`, or any key at all where `key` is None."""
        ...

    def refusal(self, status: int) -> bytes:
        """The JSON body that goes with an error status."""
        ...


@dataclass(slots=True)
class Turn:
    """One request on its way through a world: `who` it is (an `identity`), and from its admission on what it meets."""

    request: web.Request
    who: str
    tally: Tally
    attempt: int = 0
    arrived: float = 0.0
    latency_s: float = 0.0
    fault: Fault | None = None

    @property
    def due(self) -> float:
        """When it is to be answered."""
        return self.arrived + self.latency_s


class World:
    """One simulated API's behaviour and counts. `middleware` goes around its routes, `routes` beside them."""

    content_type = "application/json"
    """Of refusals."""

    def __init__(self, behaviour: Behaviour, dialect: Dialect) -> None:
        self.behaviour = behaviour
        self._dialect = dialect
        self._down: Literal["503", "reset"] | None = None
        self._running = asyncio.Event()
        self._running.set()
        self._spinning = 0
        self._spun_from = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin a new tally; the quota forgets its past, and outages are counted from now."""
        self.tally = Tally(started=time.monotonic(), cpu_started_s=time.process_time())
        self._keeper = QuotaKeeper(self.behaviour.quota)

    def control(self, options: dict[str, Any]) -> dict[str, Any]:
        """Change the behaviour at run time. Returns all options that differ from their defaults, and the switches.

        Raises `ValueError`, one line, for an unknown option, one that is fixed at the start, or a wrong text; nothing
        is changed then.
        """
        options = dict(options)
        fixed = sorted(_FIXED & set(options))
        if fixed:
            raise ValueError(f"{fixed[0]} is chosen at the start")
        pause = options.pop("pause", None)
        if pause not in (None, True, False):
            raise ValueError(f"pause {pause!r}: write true or false")
        down = self._down
        if options.get("outage") in ("503", "reset"):
            down = options.pop("outage")
        elif "outage" in options:
            down = None
            options["outage"] = "" if options["outage"] == "off" else options["outage"]
        self.behave(self.behaviour.changed(options))
        self._down = down
        if pause is not None:
            self.hold(on=pause)
        return {**self.behaviour.texts(), "down": self._down, "pause": not self._running.is_set()}

    def behave(self, behaviour: Behaviour) -> None:
        """Behave so from now on. A quota that changes forgets its past."""
        if behaviour.quota != self.behaviour.quota:
            self._keeper = QuotaKeeper(behaviour.quota)
        self.behaviour = behaviour

    def hold(self, *, on: bool) -> None:
        """Hold every request that is admitted from now on; off: let all go on that are held."""
        (self._running.clear if on else self._running.set)()

    # ── around the API's routes ────────────────────────────────────────────────────────────────────────────────────

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Treat one request as this world does; the control routes pass untouched."""
        if request.path.startswith("/_"):
            return await handler(request)
        arrived = time.monotonic()
        turn = await self._turn(request)
        turn.arrived, tally = arrived, turn.tally
        visits = tally.arrive(arrived, turn.who, request.match_info.route.name or "other", request.transport)
        try:
            response = await self._answer(turn, handler, visits)
        except asyncio.CancelledError:
            tally.abandoned += 1
            raise
        except ConnectionError:
            tally.abandoned += 1
            return web.Response()  # nobody will read it, and it is no error of ours
        finally:
            tally.in_flight -= 1
        if response is None:
            tally.cut += 1
            return web.Response()  # nobody will read it: the connection is gone
        tally.answer(time.monotonic(), response.status)
        return response

    async def _turn(self, request: web.Request) -> Turn:
        """Who a request is. A subclass may have to read its body first."""
        return Turn(request, identity(request.method, request.path, request.query.items()), self.tally)

    async def _answer(self, turn: Turn, handler: Handler, visits: Visits) -> web.StreamResponse | None:
        behaviour, tally = self.behaviour, turn.tally
        down = self._down or behaviour.outage_at(turn.arrived - tally.started)
        if down is not None:
            tally.inject("outage")
            if down == "503":
                return self._refuse(turn, 503)
            _cut(turn.request, hard=True)
            return None
        refused = self._turned_away(turn)
        if refused is not None:
            return refused
        visits.attempts += 1
        turn.attempt = visits.attempts
        if not self._running.is_set():
            await self._running.wait()
        turn.fault = fault = behaviour.fault(turn.who, turn.attempt)
        turn.latency_s = self._latency_s(turn)
        if fault is not None:
            tally.inject(fault.kind)
            if fault.kind == "slow":
                turn.latency_s += fault.seconds or 0.0
        return await self._perform(turn, handler)

    def _turned_away(self, turn: Turn) -> web.Response | None:
        """The refusal of a request that is not admitted: its key, the quota."""
        if not self._dialect.admits(turn.request, self.behaviour.key):
            return self._refuse(turn, 401)
        if not self._keeper.admit(turn.arrived):
            turn.tally.rejected += 1
            return self._refuse(turn, 429, self.behaviour.retry_after)
        return None

    def _latency_s(self, turn: Turn) -> float:
        return self.behaviour.latency_s(turn.who)

    async def _perform(self, turn: Turn, handler: Handler) -> web.StreamResponse | None:
        """Answer an admitted request when it is due, or do to it what its fault does; None: the connection is cut."""
        # The answer is made while its latency runs: what making it costs must not come on top.
        response = await self._ask(turn, handler)
        await self._wait_for(turn)
        if turn.fault is None or turn.fault.kind == "slow":
            return response
        return await self._harm(turn, response, turn.fault)

    async def _wait_for(self, turn: Turn) -> None:
        """Wait until an answer is due."""
        if turn.latency_s > 0:
            turn.tally.latency_sum_s += turn.latency_s
            turn.tally.late_sum_s += await self._until(turn.due)

    async def _until(self, due: float) -> float:
        """Wait until `due`. Returns by how many seconds it was missed (late is positive)."""
        if (left := due - time.monotonic()) > SPIN_S:
            await asyncio.sleep(left - SPIN_S)
        if self._spinning >= MOST_SPINNING:
            if (left := due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            return time.monotonic() - due
        tally = self.tally
        if not self._spinning:
            self._spun_from = time.monotonic()
        self._spinning += 1
        try:
            while time.monotonic() < due:  # noqa: ASYNC110 - to spin is the point, see the head
                await asyncio.sleep(0)
        finally:
            self._spinning -= 1
            if not self._spinning:
                tally.spun_s += time.monotonic() - self._spun_from
        return time.monotonic() - due

    async def _ask(self, turn: Turn, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(turn.request)
        except web.HTTPException as error:  # no such route, or not by this method
            return self._refuse(turn, error.status)

    def _refuse(self, turn: Turn, status: int, retry_after: RetryAfter | None = None) -> web.Response:
        del turn  # a subclass may have more to say to it
        response = web.Response(status=status, body=self._dialect.refusal(status), content_type=self.content_type)
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after.header(time.time())
        return response

    def _variety(self, turn: Turn) -> float:
        """A number in (0, 1) that picks among the ways of a fault's kind."""
        return chance(self.behaviour.seed, "variety", turn.who, turn.attempt)

    async def _harm(self, turn: Turn, response: web.StreamResponse, fault: Fault) -> web.StreamResponse | None:
        """Answer as a fault does; `response` is the good answer."""
        variety = self._variety(turn)
        match fault.kind:
            case "5xx":
                return self._refuse(turn, SERVER_ERRORS[int(variety * len(SERVER_ERRORS))])
            case "429" | "503":
                own = None if fault.seconds is None else RetryAfter(fault.seconds)
                return self._refuse(turn, int(fault.kind), own or self.behaviour.retry_after)
            case "reset":
                _cut(turn.request, hard=variety < 0.5)
                return None
            case "html":
                return web.Response(body=HTML_PAGE, content_type="text/html")
            case "garbage":
                return web.Response(body=GARBAGE, content_type="application/json")
            case "truncated":
                return await _send(turn.request, response, share=0.2 + 0.6 * variety)
            case _:  # drip; slow never comes here
                return await _send(turn.request, response, every_s=fault.seconds or 0.0)

    # ── beside them ────────────────────────────────────────────────────────────────────────────────────────────────

    def routes(self) -> list[web.RouteDef]:
        """The control routes."""
        return [
            web.get("/_stats", self._get_stats),
            web.post("/_control", self._post_control),
            web.post("/_reset", self._post_reset),
        ]

    async def _get_stats(self, request: web.Request) -> web.Response:
        wanted = {name: request.query.get(name, "0") not in {"", "0"} for name in ("detail", "moments")}
        return web.json_response(
            self.tally.report(time.monotonic(), time.process_time(), self.behaviour.quota, **wanted)
        )

    async def _post_control(self, request: web.Request) -> web.Response:
        try:
            options = json.loads(await request.read())
        except ValueError:
            options = None
        if not isinstance(options, dict):
            return web.json_response({"error": 'write a JSON object, for example {"latency": "1s"}'}, status=400)
        try:
            return web.json_response(self.control(options))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _post_reset(self, _request: web.Request) -> web.Response:
        self.reset()
        return web.json_response({})


def _cut(request: web.Request, *, hard: bool) -> None:
    """End the connection without an answer: with RST where `hard`, else as a server does that just closes."""
    transport = request.transport
    if transport is None:
        return
    if hard:
        # Lingering for no time at all makes the kernel send RST.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _send(
    request: web.Request, whole: web.StreamResponse, *, share: float = 1.0, every_s: float = 0.0
) -> web.StreamResponse:
    """Send a `share` of a whole response under its full Content-Length, a byte every `every_s` where that is above 0."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = len(body)
    await response.prepare(request)
    body = body[: int(len(body) * share)]
    if every_s > 0:
        for byte in body:
            await response.write(bytes((byte,)))
            await asyncio.sleep(every_s)
    else:
        await response.write(body)
    if share < 1 and request.transport is not None:
        request.transport.close()  # sends what is buffered first
    return response
