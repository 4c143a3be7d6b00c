"""When may the next request to this service and host leave? One object for all workers, threads and tasks alike.

A worker takes a `Ticket` and asks until the answer is `Go`; in between it sleeps as long as `Again` says, and because it
asks AGAIN after each sleep, whatever has happened meanwhile (a 429, another rate, a host that went silent) holds for
those who already wait as well.

Fairness: tickets that wait stand in the order in which they first asked. A ticket may go as soon as more permits are
free than tickets stand before it. So the order is kept, and yet nobody is held up by one before him who wakes late.
Tokens go by the same rule: a ticket may go as soon as its tokens fit beside those of all who stand before it. So small
ones never overtake a large one for ever.

A service of many hosts (`Service.per_host`) has a line for each of them, before its queue: see hosts.py.

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
from ..model import Hints, PerHost, Service, Window
from .circuit import Circuit, Patience
from .hosts import HOST_PATIENCE, REPORT_S, Host, Hosts
from .limits import (
    GUARD_S,
    PROOF_S,
    Guess,
    Limit,
    SlidingLog,
    TokenLog,
    carry_over,
    count_again,
    limits_of,
    token_limits_of,
)
from .pausing import Pausing, Standing, Turn

RECHECK_S = 0.25
"""Nobody sleeps longer than this before asking again, seconds: so a rate that was raised is felt at once by all."""

PERMIT_S = 1.0
"""A permit is good for so long at most, seconds, and for no longer than the shortest window."""

LONGEST_PAUSE_S = 900.0
"""A service that asks for a longer pause than this, seconds, ends the job: the person is told to come back later.

One of many hosts that asks for it is given up instead, until less is left of it.
"""

REPLACED_AFTER = 5
"""After so many pauses in which a service did nothing but refuse, a request that can be made of another is turned away."""


TOKENS_USED_UP = "quota of tokens is used up"
"""Why everyone waits where a token window is full."""


class Health(Enum):
    """What an attempt says about its host.

    ALIVE: it answered, whatever it said. FAILING: there was no connection. SILENT: it took the request, and no status line
    came back.
    """

    ALIVE = "alive"
    FAILING = "failing"
    SILENT = "silent"
    NO_NEWS = "no news"


UNANSWERED = frozenset({Health.FAILING, Health.SILENT})


class Ticket:
    """One attempt's place in the queue and, once granted, its proof. Times are the performer's monotonic seconds.

    `tokens` are reserved of the service's token windows, `answer_tokens` of them for the answer; the others are an estimate,
    which is put right by how others came true. `spacing_s` lies between two departures to the same host at
    least, where the service is many hosts. `standing` is that of a request that failed before. `replaceable`: the
    asker knows another service, so it is turned away from one that only refuses.
    """

    __slots__ = (
        "answer_tokens",
        "arrives_at",
        "asked_at",
        "at",
        "granted_at",
        "group",
        "host",
        "number",
        "probe",
        "replaceable",
        "reserved",
        "service",
        "spacing_s",
        "standing",
        "tokens",
        "turn",
    )

    def __init__(
        self,
        service: Service,
        host: str,
        tokens: int = 0,
        spacing_s: float = 0.0,
        answer_tokens: int = 0,
        standing: Standing | None = None,
        replaceable: bool = False,
    ) -> None:
        self.service = service
        self.host = host
        self.tokens = tokens
        self.answer_tokens = answer_tokens
        self.spacing_s = spacing_s
        self.standing = standing
        self.replaceable = replaceable
        per_host = service.per_host
        self.group = host if per_host is None else per_host.group(host)  # here, because it is no arithmetic
        self.number = 0  # 0: does not wait
        self.asked_at: float | None = None
        self.granted_at: float | None = None
        self.probe = False
        self.arrives_at = 0.0  # at the latest, once it is granted
        self.reserved = 0  # the number of its reservation of tokens; 0: none that could still be corrected
        self.at: Host | None = None  # where it waits or is in flight, if its service is many hosts
        self.turn: Turn | None = None  # what a place that paused knows of it, once it is granted


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


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent to a service and may still count: when each request, and each reservation of tokens, arrives at the
    latest. Nothing counts for longer than `horizon_s` seconds.
    """

    service: Service
    horizon_s: float
    requests: list[float]
    tokens: list[tuple[float, int]]


class _Lane:
    """What the gate knows of one service."""

    def __init__(self, service: Service, guard_s: float) -> None:
        self.service = service
        self.asked_for = service  # as the last ticket had it: `service` may have been given another rate since
        self.limits: list[Limit] = limits_of(service, guard_s)
        self.token_limits: list[TokenLog] = token_limits_of(service, guard_s)
        self.queue: list[int] = []  # numbers of the tickets that wait, ascending; without those that wait for a host
        self.tokens: dict[int, tuple[int, int]] = {}  # number → tokens, of those that wait and want any
        self.guess = Guess()
        self.answers = Guess()
        self.unsettled = 0  # reservations of tokens that a report may still correct
        self.pausing = Pausing()
        self.circuits: dict[str, Circuit] = {}
        self.hosts = Hosts(self.circuits)


def _wanted(lane: _Lane, ticket: Ticket) -> tuple[int, int]:
    """The tokens that a ticket is to reserve, and those of them that are for its answer."""
    tokens_out = ticket.answer_tokens
    if any(log.window.part == "out" for log in lane.token_limits):
        tokens_out = min(lane.answers.of(tokens_out), tokens_out)
    return lane.guess.of(ticket.tokens - ticket.answer_tokens) + tokens_out, tokens_out


def _put(line: list[int], number: int) -> None:
    index = bisect_left(line, number)
    if index == len(line) or line[index] != number:
        line.insert(index, number)


def _drop(line: list[int], number: int) -> None:
    index = bisect_left(line, number)
    if index < len(line) and line[index] == number:
        del line[index]


class Gate:
    """The one place that says when a request may leave. `host_patience` is for each host of a service that is many."""

    def __init__(
        self,
        *,
        guard_s: float = GUARD_S,
        patience: Patience | None = None,
        host_patience: Patience | None = None,
        recheck_s: float = RECHECK_S,
    ) -> None:
        self._guard_s = guard_s
        self._recheck_s = recheck_s
        self._patience = patience or Patience()
        self._host_patience = host_patience or HOST_PATIENCE
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

        :raises ServiceDown: if the host was silent for too long, or the service asked for too long a pause; where the
            service is many hosts, if the ticket's host did. The ticket waits no more then.
        """
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            service = ticket.service
            lane = self._lanes.get(service.name) or self._lane(service)
            if service is not lane.asked_for:
                self._adopt(lane, service)
            if ticket.asked_at is None:
                ticket.asked_at = now
            circuit = lane.circuits.get(ticket.host)
            if service.per_host is not None:
                wait_s = self._host_wait_s(lane, service.per_host, circuit, ticket, now)
                if wait_s > 0:
                    _drop(lane.queue, ticket.number)
                    self._wait(lane, ticket)
                    return Again(min(wait_s, self._recheck_s))
            if ticket.at is None and lane.pausing.recovers:
                ahead = lane.pausing.ahead(ticket.number, ticket.standing, lane.queue)
            else:
                ahead = bisect_left(lane.queue, ticket.number) if ticket.number else len(lane.queue)
            wait_s = self._wait_s(lane, circuit, ticket, ahead, now)
            if wait_s > 0:
                self._wait(lane, ticket)
                _put(lane.queue, ticket.number)
                return Again(min(wait_s, self._recheck_s))
            if ticket.number:
                self._wait_no_more(lane, ticket)
            for limit in lane.limits:
                limit.take(now)
            ticket.granted_at, ticket.arrives_at = now, now + self._guard_s
            ticket.probe = circuit is not None and circuit.begin_probe()
            if ticket.tokens:
                self._reserve(lane, ticket, now)
            host = ticket.at
            if host is not None:
                self._depart(lane, ticket, host, now)
            pausing = lane.pausing if host is None else host.pausing
            if pausing.recovers:
                ticket.turn = pausing.goes(lane.queue if host is None else host.line)
        except ServiceDown:
            self._wait_no_more(lane, ticket)
            ticket.at = None
            raise
        else:
            return GO
        finally:
            lock.release()

    def _wait_s(self, lane: _Lane, circuit: Circuit | None, ticket: Ticket, ahead: int, now: float) -> float:
        pausing = lane.pausing
        wait_s = pausing.until - now
        if wait_s > LONGEST_PAUSE_S:
            raise ServiceDown(lane.service.name, f"{pausing.reason}, for {wait_s:.0f} s more; try again later")
        if pausing.held_too_long and pausing.held_since is not None:
            since_s = now - pausing.held_since
            raise ServiceDown(lane.service.name, f"{pausing.reason}, and nothing else for {since_s:.0f} s")
        if pausing.recovers and ticket.at is None:
            wait_s = max(wait_s, pausing.turn_s(ahead))
            if wait_s > 0 and ticket.replaceable and pausing.streak >= REPLACED_AFTER:
                raise ServiceDown(lane.service.name, f"it says nothing but {pausing.reason}")
        if circuit is not None and circuit.is_open and ticket.at is None:
            if circuit.given_up(now):
                why = f": {circuit.reason}" if circuit.reason else ""
                silent_s = circuit.silent_s(now)
                raise ServiceDown(lane.service.name, f"no answer from {ticket.host} for {silent_s:.0f} s{why}")
            wait_s = max(wait_s, circuit.ready_in(now))
        for limit in lane.limits:
            ready_in = limit.ready_in(now, ahead)
            if ready_in > wait_s:
                wait_s = ready_in
        if ticket.tokens and lane.token_limits:
            wait_s = max(wait_s, self._tokens_wait_s(lane, ticket, ahead, now))
        return wait_s

    def _wait(self, lane: _Lane, ticket: Ticket) -> None:
        """From now on the ticket waits, if it did not before."""
        if ticket.number:
            return
        standing = ticket.standing
        if standing is not None and standing.number:
            ticket.number = standing.number
        else:
            self._numbers += 1
            ticket.number = self._numbers
        if ticket.tokens:
            lane.tokens[ticket.number] = _wanted(lane, ticket)
        if ticket.at is not None:
            _put(ticket.at.line, ticket.number)
        if standing is not None:
            (lane if ticket.at is None else ticket.at).pausing.waits(ticket.number, standing)

    def _wait_no_more(self, lane: _Lane, ticket: Ticket) -> None:
        _drop(lane.queue, ticket.number)
        if ticket.tokens:
            lane.tokens.pop(ticket.number, None)
        if ticket.at is not None:
            _drop(ticket.at.line, ticket.number)
        if ticket.standing is not None:
            (lane if ticket.at is None else ticket.at).pausing.waits_no_more(ticket.number)
        ticket.number = 0

    def depart(self, ticket: Ticket, now: float) -> Go | Again:
        """Its request leaves only now: since the ticket was let go, something has taken its time.

        A permit that is too old, or older than a pause, is none any more: then the ticket asks anew.

        :raises ServiceDown: as `ask` does.
        """
        with self._lock:
            lane = self._lane(ticket.service)
            granted_at = ticket.granted_at
            logs = [limit.horizon_s for limit in lane.limits if isinstance(limit, SlidingLog)]
            stale_s = min([PERMIT_S, *logs, *(log.horizon_s for log in lane.token_limits)])
            if granted_at is not None and now - granted_at <= stale_s and lane.pausing.until <= now:
                self._arrives(lane, ticket, now + self._guard_s)
                if ticket.at is not None:
                    ticket.at.left_at = max(ticket.at.left_at, now)
                return GO
        self.put_back(ticket)
        return self.ask(ticket, now)

    def put_back(self, ticket: Ticket) -> None:
        """Give a permit back that was not used: its request waits for something else first, and asks anew then (`depart`).

        What holds a permit must wait for nothing that depends on another permit. A request that is let go may be the only one
        that may leave after a pause, or that tries a silent host, and others wait for it.
        """
        if ticket.granted_at is None:
            return
        with self._lock:
            for log in self._lane(ticket.service).token_limits:
                log.correct(ticket.reserved, 0)
        self.leave(ticket)
        ticket.granted_at = None

    def _arrives(self, lane: _Lane, ticket: Ticket, at: float) -> None:
        """A request that was let go arrives at `at` at the latest."""
        for limit in lane.limits:
            limit.arrives(ticket.arrives_at, at)
        if ticket.reserved:
            for log in lane.token_limits:
                log.arrives(ticket.reserved, at)
        ticket.arrives_at = at

    def leave(self, ticket: Ticket) -> None:
        """The ticket's flow ended early: it gives its place back. What it was granted may have been sent: that counts."""
        with self._lock:
            lane = self._lane(ticket.service)
            self._wait_no_more(lane, ticket)
            circuit = lane.circuits.get(ticket.host)  # none, if a new job began meanwhile
            if ticket.probe and circuit is not None:
                circuit.end_probe()
            self._land(lane, ticket)

    def _land(self, lane: _Lane, ticket: Ticket) -> None:
        """The ticket is not in flight any more."""
        if ticket.turn is not None:
            (lane if ticket.at is None else ticket.at).pausing.landed()
            ticket.turn = None
        if ticket.reserved:
            ticket.reserved = 0
            lane.unsettled -= 1
        if ticket.at is not None:
            if ticket.granted_at is not None:
                ticket.at.in_flight -= 1
            if ticket.probe:
                ticket.at.probed.discard(ticket.host)
            ticket.at = None

    # ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _next_tokens_wait_s(self, lane: _Lane, now: float) -> float:
        """How long the token windows hold back the first ticket that waits for tokens, seconds; 0 if they hold none."""
        first = next((lane.tokens[number] for number in lane.queue if number in lane.tokens), None)
        if first is None:
            return 0.0
        return max((log.ready_in(now, 0, log.weight(*first)) for log in lane.token_limits), default=0.0)

    def _tokens_wait_s(self, lane: _Lane, ticket: Ticket, ahead: int, now: float) -> float:
        before = [lane.tokens[number] for number in lane.queue[:ahead] if number in lane.tokens]
        wanted = _wanted(lane, ticket)
        wait_s = max(
            log.ready_in(now, sum(log.weight(*each) for each in before), log.weight(*wanted))
            for log in lane.token_limits
        )
        if lane.unsettled:  # a report that less was taken than reserved may let it go sooner
            wait_s = min(wait_s, (ahead + 1) * REPORT_S)
        return wait_s

    def _reserve(self, lane: _Lane, ticket: Ticket, now: float) -> None:
        if lane.token_limits:
            self._numbers += 1
            ticket.reserved = self._numbers
            lane.unsettled += 1
            tokens, tokens_out = _wanted(lane, ticket)
            for log in lane.token_limits:
                log.take(now, tokens, ticket.reserved, tokens_out)

    # ── one of many hosts ───────────────────────────────────────────────────────────────────────────────────────────

    def _host_wait_s(
        self, lane: _Lane, per_host: PerHost, circuit: Circuit | None, ticket: Ticket, now: float
    ) -> float:
        """Seconds until the ticket's host has room for it; 0 or less when it has.

        The reasons tell no time: each becomes the error of an item, and the same run has the same errors.
        """
        host = ticket.at
        if host is None:
            host = ticket.at = lane.hosts.of(ticket.group, now)
        if ticket.spacing_s > host.spacing_s:
            host.spacing_s = ticket.spacing_s
            self._stand_back(lane, host)
        pausing = host.pausing
        wait_s = pausing.until - now
        if wait_s > LONGEST_PAUSE_S:
            raise ServiceDown(lane.service.name, f"{host.name} asks for too long a pause ({pausing.reason})")
        if wait_s > 0 and pausing.held_too_long and pausing.held_since is not None:
            raise ServiceDown(lane.service.name, f"{host.name} says nothing but {pausing.reason}")
        if pausing.recovers:
            ahead = pausing.ahead(ticket.number, ticket.standing, host.line)
        else:
            ahead = bisect_left(host.line, ticket.number) if ticket.number else len(host.line)
        wait_s = host.wait_s(ahead, per_host.concurrency, now)
        if pausing.recovers:
            wait_s = max(wait_s, pausing.turn_s(ahead))
        if circuit is not None and circuit.ready_in(now) > 0:
            if ticket.host not in host.probed:
                raise ServiceDown(lane.service.name, f"no answer from {ticket.host}")
            wait_s = max(wait_s, REPORT_S)
        return wait_s

    def _stand_back(self, lane: _Lane, host: Host) -> None:
        """The host has less room than it had: who waits for it leaves the service's queue until it has asked again."""
        for number in host.line:
            _drop(lane.queue, number)

    def _depart(self, lane: _Lane, ticket: Ticket, host: Host, now: float) -> None:
        host.in_flight += 1
        host.left_at = now
        if ticket.probe:
            host.probed.add(ticket.host)
            self._stand_back(lane, host)

    # ── learning ────────────────────────────────────────────────────────────────────────────────────────────────────

    def report(
        self,
        ticket: Ticket,
        done_at: float,
        health: Health,
        pause_s: float = 0.0,
        reason: str = "",
        tokens: int | None = None,
        hints: Hints | None = None,
        tokens_in: int | None = None,
        first_byte_at: float | None = None,
    ) -> None:
        """What became of the attempt. `pause_s` > 0 holds everyone back for so long from `done_at`, for `reason`: where the
        service is many hosts, everyone who asks this one.

        `tokens` is what was taken of those reserved, 0 frees them all; None: that is not known, and they stay reserved.
        `tokens_in` is what went in of them. `first_byte_at` is when the answer began, where that is known: the request had
        arrived by then.
        `hints` is what the answer's headers say: their windows hold from now on, in place of those in force.
        """
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            service = ticket.service
            lane = self._lanes.get(service.name) or self._lane(service)
            host: Host | None = None
            place: _Lane | Host = lane
            patience = self._patience
            if service.per_host is not None:
                place = host = ticket.at or lane.hosts.of(ticket.group, done_at)
                patience = self._host_patience
            if health not in UNANSWERED:  # an answer came: the request had arrived by then
                proven_at = (done_at if first_byte_at is None else first_byte_at) + PROOF_S
                if proven_at < ticket.arrives_at:
                    self._arrives(lane, ticket, proven_at)
            if ticket.reserved:
                if tokens is not None:
                    tokens_out = None if tokens_in is None else tokens - tokens_in
                    for log in lane.token_limits:
                        log.correct(ticket.reserved, tokens, tokens_out)
                if tokens_in is not None:
                    lane.guess.learn(ticket.tokens - ticket.answer_tokens, tokens_in)
                    if tokens is not None:
                        lane.answers.learn(ticket.answer_tokens, tokens - tokens_in)
            if hints is not None:
                self._learn(lane, place, hints, done_at, reason)
            if pause_s > 0:
                lane.answers.doubt()
                self._refused(lane, place, ticket, done_at, pause_s, reason, patience.outage_s)
            elif health is Health.ALIVE:
                place.pausing.came_through(ticket.turn)
            circuit = lane.circuits.get(ticket.host)
            if health in UNANSWERED:
                if circuit is None:
                    circuit = lane.circuits[ticket.host] = Circuit(patience)
                silent = (ticket.standing or ticket) if health is Health.SILENT else None
                circuit.failed(done_at, probe=ticket.probe, silent=silent, reason=reason)
                if host is not None and circuit.is_open:
                    self._stand_back(lane, host)
            elif health is Health.ALIVE:
                if circuit is None and host is None:
                    circuit = lane.circuits[ticket.host] = Circuit(patience)
                if circuit is not None:
                    circuit.succeeded()
            elif ticket.probe and circuit is not None:
                circuit.succeeded()  # a host that says "not now" is alive
            if ticket.reserved or host is not None or ticket.turn is not None:
                self._land(lane, ticket)
            ticket.probe = False
        finally:
            lock.release()

    def _refused(
        self,
        lane: _Lane,
        place: _Lane | Host,
        ticket: Ticket,
        done_at: float,
        pause_s: float,
        reason: str,
        outage_s: float,
    ) -> None:
        standing = ticket.standing
        place.pausing.refused(ticket.turn, standing, ticket.granted_at, done_at, pause_s, reason, outage_s)
        if standing is not None and not standing.number:
            self._numbers += 1
            standing.number = self._numbers
        if isinstance(place, Host):
            self._stand_back(lane, place)

    def _pause(self, lane: _Lane, place: _Lane | Host, until: float, reason: str) -> None:
        place.pausing.pause(until, reason)
        if isinstance(place, Host):
            self._stand_back(lane, place)

    def pause_until(self, service: Service, until: float, reason: str) -> None:
        """Nobody leaves for this service before `until` (monotonic seconds), those who wait already included."""
        with self._lock:
            lane = self._lane(service)
            self._pause(lane, lane, until, reason)

    def set_rate(
        self, service: Service, windows: Iterable[Window], token_windows: Iterable[Window] | None = None
    ) -> None:
        """From now on these windows hold, for those who wait already too; what was just sent still counts.

        `token_windows` None leaves those as they are.
        """
        with self._lock:
            lane = self._lane(service)
            tokens = lane.service.token_windows if token_windows is None else tuple(token_windows)
            self._change(lane, replace(lane.service, windows=tuple(windows), token_windows=tokens))

    def _learn(self, lane: _Lane, place: _Lane | Host, hints: Hints, done_at: float, reason: str) -> None:
        current = lane.service
        windows = current.windows if hints.requests is None else (hints.requests,)
        told = tuple(window for window in (hints.tokens, hints.tokens_in, hints.tokens_out) if window is not None)
        token_windows = told or current.token_windows
        if (windows, token_windows) != (current.windows, current.token_windows):
            self._change(lane, replace(current, windows=windows, token_windows=token_windows))
        if hints.pause_s is not None:
            self._pause(lane, place, done_at + hints.pause_s, reason or "nothing left of its quota")

    def _adopt(self, lane: _Lane, service: Service) -> None:
        """Another value of the same service (a new job's): its quota holds from now on, if it is another."""
        before, lane.asked_for = lane.asked_for, service
        if quota_of(service) != quota_of(before):
            self._change(lane, service)

    def _change(self, lane: _Lane, service: Service) -> None:
        limits, token_limits = lane.limits, lane.token_limits
        lane.service = service
        lane.limits = limits_of(service, self._guard_s)
        lane.token_limits = token_limits_of(service, self._guard_s)
        carry_over(limits, lane.limits)
        carry_over(token_limits, lane.token_limits)

    def revive(self) -> None:
        """A new job begins: hosts that were given up get another chance."""
        with self._lock:
            for lane in self._lanes.values():
                lane.circuits.clear()
                lane.pausing.forget()
                for host in lane.hosts.all():
                    host.pausing.forget()

    def after_fork(self) -> None:
        """Called in the child: nobody waits here and nothing is in flight. What was sent still counts."""
        self._lock = ShortLock()
        for lane in self._lanes.values():
            lane.queue.clear()
            lane.tokens.clear()
            lane.unsettled = 0
            lane.pausing.forget_waiting()
            for circuit in lane.circuits.values():
                circuit.end_probe()
            for host in lane.hosts.all():
                host.forget_waiting()

    # ── what other processes have to know ───────────────────────────────────────────────────────────────────────────

    def sent(self) -> list[Sent]:
        """What was sent to each service that has windows."""
        with self._lock:
            return [_sent(lane) for lane in self._lanes.values() if lane.limits or lane.token_limits]

    def restore(self, service: Service, requests: Iterable[float], tokens: Iterable[tuple[float, int]]) -> None:
        """Count what another process has sent, as `Sent` has it: in this process's monotonic seconds."""
        with self._lock:
            lane = self._lane(service)
            for at in sorted(requests):
                count_again(lane.limits, at - self._guard_s)
            for at, weight in sorted(tokens):
                self._numbers += 1
                for log in lane.token_limits:
                    tokens_out = (
                        weight if log.window.part == "out" else 0
                    )  # which it was is not known: it counts in each
                    log.take(at - self._guard_s, weight, self._numbers, tokens_out)

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def holds(self, now: float) -> list[Hold]:
        """What holds everyone back just now, for the progress line; empty when nothing but the requests' quota does.

        Of a service that is many hosts, those that are waited for.
        """
        with self._lock:
            holds = []
            for lane in self._lanes.values():
                name = lane.service.name
                pausing = lane.pausing
                if pausing.until > now:
                    holds.append(Hold(name, pausing.reason, pausing.until - now))
                holds.extend(
                    Hold(name, f"{host.name}: {host.pausing.reason}", host.pausing.until - now)
                    for host in lane.hosts.all()
                    if host.line and host.pausing.until > now
                )
                if lane.asked_for.per_host is None:  # a silent one of many holds nobody
                    holds.extend(
                        Hold(name, f"{host} does not answer", circuit.ready_in(now))
                        for host, circuit in lane.circuits.items()
                        if circuit.is_open
                    )
                if (wait_s := self._next_tokens_wait_s(lane, now)) > 0:
                    holds.append(Hold(name, TOKENS_USED_UP, wait_s))
            return holds

    def waiting(self) -> int:
        """How many tickets wait."""
        with self._lock:
            return sum(
                len({*lane.queue, *(number for host in lane.hosts.all() for number in host.line)})
                for lane in self._lanes.values()
            )


def _sent(lane: _Lane) -> Sent:
    limits, logs = lane.limits, lane.token_limits
    return Sent(
        lane.service,
        max([*(limit.horizon_s for limit in limits), *(log.horizon_s for log in logs)]),
        max((limit.sent() for limit in limits), key=len, default=[]),
        max((log.sent() for log in logs), key=len, default=[]),
    )


def quota_of(service: Service) -> tuple[object, ...]:
    """All that the limits of a service come from."""
    learns = service.hints is not None
    return service.windows, service.burst, service.limiter, service.token_windows, learns
