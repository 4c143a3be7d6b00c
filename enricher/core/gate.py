"""When may the next request to this service and host leave? One object for all workers, threads and tasks alike.

A worker takes a `Ticket` and asks until the answer is `Go`; in between it sleeps as long as `Again` says, and because it
asks AGAIN after each sleep, whatever has happened meanwhile (a 429, another rate, a host that went silent) holds for
those who already wait as well.

Fairness: tickets that wait stand in the order in which they first asked. A ticket may go as soon as more permits are
free than tickets stand before it. So the order is kept, and yet nobody is held up by one before him who wakes late.

The gate is pure in that it is told the time. It has a lock, because its callers are many; under the lock there is
arithmetic only, never a wait.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from ..errors import ServiceDown
from ..locks import ShortLock
from ..model import Service, Window
from .circuit import Circuit, Patience
from .limits import GUARD_S, Limit, carry_over, limits_of

RECHECK_S = 0.25
"""Nobody sleeps longer than this before asking again, seconds: so a rate that was raised is felt at once by all."""

LONGEST_PAUSE_S = 900.0
"""A service that asks for a longer pause than this, seconds, ends the job: the person is told to come back later."""


class Health(Enum):
    """What an attempt says about its host."""

    ALIVE = "alive"
    FAILING = "failing"
    NO_NEWS = "no news"


class Ticket:
    """One attempt's place in the queue and, once granted, its proof. Times are the performer's monotonic seconds."""

    __slots__ = ("asked_at", "granted_at", "host", "number", "probe", "receipts", "service")

    def __init__(self, service: Service, host: str) -> None:
        self.service = service
        self.host = host
        self.number = 0  # 0: does not wait in the queue
        self.asked_at: float | None = None
        self.granted_at: float | None = None
        self.probe = False
        self.receipts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """Not yet: ask again in `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Go:
    """The request may leave now."""


GO = Go()


@dataclass(frozen=True, slots=True)
class Hold:
    """Why everyone waits just now, in words for a person, and for how long still, seconds."""

    service: str
    reason: str
    left_s: float


class _Lane:
    """What the gate knows of one service."""

    def __init__(self, service: Service, guard_s: float) -> None:
        self.service = service
        self.asked_for = service  # as the last ticket had it: `service` may have been given another rate since
        self.limits: list[Limit] = limits_of(service, guard_s)
        self.queue: list[int] = []  # numbers of the tickets that wait, ascending
        self.paused_until = float("-inf")
        self.pause_reason = ""
        self.held_since: float | None = None  # when it began to say "not now", and nothing else since
        self.held_too_long = False
        self.circuits: dict[str, Circuit] = {}


class Gate:
    """The one place that says when a request may leave."""

    def __init__(
        self, *, guard_s: float = GUARD_S, patience: Patience | None = None, recheck_s: float = RECHECK_S
    ) -> None:
        self._guard_s = guard_s
        self._recheck_s = recheck_s
        self._patience = patience or Patience()
        self._lanes: dict[str, _Lane] = {}
        self._numbers = 0
        self._lock = ShortLock()

    def _lane(self, service: Service) -> _Lane:
        lane = self._lanes.get(service.name)
        if lane is None:
            lane = self._lanes[service.name] = _Lane(service, self._guard_s)
        return lane

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, ticket: Ticket, now: float) -> Go | Again:
        """Let the ticket go, or say how long to sleep before asking again.

        :raises ServiceDown: if the host was silent for too long, or the service asked for too long a pause.
        """
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            lane = self._lanes.get(ticket.service.name) or self._lane(ticket.service)
            if ticket.service is not lane.asked_for:
                self._adopt(lane, ticket.service)
            if ticket.asked_at is None:
                ticket.asked_at = now
            ahead = bisect_left(lane.queue, ticket.number) if ticket.number else len(lane.queue)
            circuit = lane.circuits.get(ticket.host)
            wait_s = self._wait_s(lane, circuit, ticket.host, ahead, now)
            if wait_s > 0:
                if not ticket.number:
                    self._numbers += 1
                    ticket.number = self._numbers
                    lane.queue.append(ticket.number)
                return Again(min(wait_s, self._recheck_s))
            if ticket.number:
                del lane.queue[ahead]
                ticket.number = 0
            ticket.receipts = tuple([limit.take(now) for limit in lane.limits])
            ticket.granted_at = now
            ticket.probe = circuit is not None and circuit.begin_probe()
            return GO
        finally:
            lock.release()

    def _wait_s(self, lane: _Lane, circuit: Circuit | None, host: str, ahead: int, now: float) -> float:
        wait_s = lane.paused_until - now
        if wait_s > LONGEST_PAUSE_S:
            raise ServiceDown(lane.service.name, f"{lane.pause_reason}, for {wait_s:.0f} s more; try again later")
        if lane.held_too_long and lane.held_since is not None:
            since_s = now - lane.held_since
            raise ServiceDown(lane.service.name, f"{lane.pause_reason}, and nothing else for {since_s:.0f} s")
        if circuit is not None and circuit.is_open:
            if circuit.given_up(now):
                raise ServiceDown(lane.service.name, f"no answer from {host} for {circuit.silent_s(now):.0f} s")
            wait_s = max(wait_s, circuit.ready_in(now))
        for limit in lane.limits:
            ready_in = limit.ready_in(now, ahead)
            if ready_in > wait_s:
                wait_s = ready_in
        return wait_s

    def leave(self, ticket: Ticket) -> None:
        """The ticket's flow ended early: it gives its place back. What it was granted may have been sent: that counts."""
        with self._lock:
            lane = self._lane(ticket.service)
            if ticket.number:
                lane.queue.remove(ticket.number)
                ticket.number = 0
            circuit = lane.circuits.get(ticket.host)  # none, if a new job began meanwhile
            if ticket.probe and circuit is not None:
                circuit.end_probe()

    # ── learning ────────────────────────────────────────────────────────────────────────────────────────────────────

    def report(self, ticket: Ticket, done_at: float, health: Health, pause_s: float = 0.0, reason: str = "") -> None:
        """What became of the attempt. `pause_s` > 0 holds everyone back for so long from `done_at`, for `reason`."""
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            lane = self._lane(ticket.service)
            if health is not Health.FAILING:  # an answer came: the request had arrived by then
                for limit, receipt in zip(lane.limits, ticket.receipts, strict=False):
                    limit.arrived(receipt, done_at)
            if pause_s > 0:
                self._pause(lane, done_at + pause_s, reason)
                if lane.held_since is None:
                    lane.held_since = done_at
                lane.held_too_long = done_at - lane.held_since > self._patience.outage_s
            elif health is Health.ALIVE:
                lane.held_since = None
            circuit = lane.circuits.get(ticket.host)
            if health is Health.FAILING:
                if circuit is None:
                    circuit = lane.circuits[ticket.host] = Circuit(self._patience)
                circuit.failed(done_at, probe=ticket.probe)
            elif health is Health.ALIVE:
                if circuit is None:
                    circuit = lane.circuits[ticket.host] = Circuit(self._patience)
                circuit.succeeded()
            elif ticket.probe and circuit is not None:
                circuit.succeeded()  # a host that says "not now" is alive
            ticket.probe = False
        finally:
            lock.release()

    def _pause(self, lane: _Lane, until: float, reason: str) -> None:
        if until > lane.paused_until:
            lane.paused_until = until
            lane.pause_reason = reason

    def pause_until(self, service: Service, until: float, reason: str) -> None:
        """Nobody leaves for this service before `until` (monotonic seconds), those who wait already included."""
        with self._lock:
            self._pause(self._lane(service), until, reason)

    def set_rate(self, service: Service, windows: Iterable[Window]) -> None:
        """From now on these windows hold, for those who wait already too; what was just sent still counts."""
        with self._lock:
            lane = self._lane(service)
            self._change(lane, replace(lane.service, windows=tuple(windows)))

    def _adopt(self, lane: _Lane, service: Service) -> None:
        """Another value of the same service (a new job's): its quota holds from now on, if it is another."""
        before, lane.asked_for = lane.asked_for, service
        if (service.windows, service.burst, service.limiter) != (before.windows, before.burst, before.limiter):
            self._change(lane, service)

    def _change(self, lane: _Lane, service: Service) -> None:
        old = lane.limits
        lane.service = service
        lane.limits = limits_of(service, self._guard_s)
        carry_over(old, lane.limits)

    def revive(self) -> None:
        """A new job begins: hosts that were given up get another chance."""
        with self._lock:
            for lane in self._lanes.values():
                lane.circuits.clear()
                lane.held_since = None

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def holds(self, now: float) -> list[Hold]:
        """What holds everyone back just now, for the progress line; empty when nothing but the quota does."""
        with self._lock:
            holds = []
            for lane in self._lanes.values():
                if lane.paused_until > now:
                    holds.append(Hold(lane.service.name, lane.pause_reason, lane.paused_until - now))
                holds.extend(
                    Hold(lane.service.name, f"{host} does not answer", circuit.ready_in(now))
                    for host, circuit in lane.circuits.items()
                    if circuit.is_open
                )
            return holds

    def waiting(self) -> int:
        """How many tickets wait."""
        with self._lock:
            return sum(len(lane.queue) for lane in self._lanes.values())
