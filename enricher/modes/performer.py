"""What all modes share of carrying out an effect: everything but the waiting.

`Performer.step` does what can be done at once, and answers with the reply; or with what there is to wait for (`Nap`,
`Pending`, or the effect itself). A mode waits in its own way and then either has the reply or steps again. So a mode is a
short loop, and how a permit is asked for, a key recalled or a lead settled is written once.

`Held` is what a flow holds while it runs: at most one ticket and one lead, because a flow does one thing at a time. A flow
that ends early can't yield any more, so its driver gives back what is still held.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, assert_never

from ..core.effects import Bill, Book, Effect, Lead, Permit, Recall, Report, Send, Settle, Wait
from ..core.gate import Again, Go, Ticket
from ..errors import Interrupted, ServiceDown, TransportError
from ..forking import register
from ..locks import ShortLock
from ..memory import Memory, Pending
from ..model import Charge, Compute, Item, Outcome, Request, Response
from ..processes import Processes

T = TypeVar("T")


class Stop:
    """Tells a run to stop: everything that waits in it ends at once. Set by any thread, once; `reason` is what ended it.

    `at_once`: nobody wants what is still in flight, so it is not given its grace time.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._on_set: list[Callable[[], None]] = []
        self.reason: BaseException | None = None
        self.at_once = False
        register(self)

    def after_fork(self) -> None:
        """Forget who listened: what they would end is the parent's."""
        was_set = self._event.is_set()
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._on_set = []
        if was_set:
            self._event.set()

    def set(self, reason: BaseException | None = None, *, at_once: bool = False) -> None:
        """Stop. `reason` is the error that ended the run; None: a person, or the end of the run."""
        with self._lock:
            if self._event.is_set():
                return
            self.reason = reason
            self.at_once = at_once
            self._event.set()
            listeners = list(self._on_set)
        for listener in listeners:
            listener()

    def is_set(self) -> bool:
        """Whether the run is told to stop."""
        return self._event.is_set()

    def on_set(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the run is told to stop; at once if it is already. From the thread that stops it."""
        with self._lock:
            if not self._event.is_set():
                self._on_set.append(listener)
                return
        listener()

    def sleep(self, seconds: float) -> None:
        """Let time pass.

        :raises Interrupted: as soon as the run is told to stop.
        """
        if self._event.wait(seconds):
            raise Interrupted

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the stop; whether it came."""
        return self._event.wait(seconds)


class Sink(Protocol):
    """Where outcomes go. `offer` takes one if that is possible at once, `put` waits until it is."""

    def offer(self, outcome: Outcome) -> bool: ...

    def put(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a request, for who watches or measures. Times are seconds on the monotonic clock.

    It was ready to leave at `ready_at`, was let go at `granted_at`, left at `sent_at` and was over at `done_at`: waiting
    for the quota is `granted_at` − `ready_at`, the service's time `done_at` − `sent_at`. `reason` is why it was not good
    enough, "" where it was; `pause_s` is for how long everybody holds back because of it. `first_byte_at` is when a
    stream's body began, None where it was no stream; `tokens` is what it took, where the service tells.
    """

    request: Request
    ready_at: float
    granted_at: float
    sent_at: float
    done_at: float
    reason: str
    pause_s: float
    probe: bool
    first_byte_at: float | None = None
    tokens: int | None = None


@dataclass(slots=True)
class Nap:
    """Nothing to do for `seconds`; then step again, or go on if it was the effect itself that waits."""

    seconds: float
    again: bool


WAITED_FOR = (Nap, Send, Pending, Compute)
"""What `step` may answer with besides a reply."""


class Held:
    """What a flow holds, and what it sent last."""

    __slots__ = ("entry", "lead", "request", "ticket")

    def __init__(self) -> None:
        self.ticket: Ticket | None = None
        self.lead: str | None = None
        self.entry: int | None = None  # what was booked and is not billed yet
        self.request: Request | None = None


class Purse(Protocol):
    """Who pays: writes down each attempt that costs money before it leaves, and what it came to."""

    def book(self, charge: Charge, key: str) -> int | None:
        """The number of a new entry; None: not yet, what is under way may cost less than feared. Raises `BudgetSpent`."""
        ...

    def bill(self, bill: Bill) -> None:
        """What became of an entry."""
        ...


class NoPurse:
    """Pays whatever it costs, and keeps no books: for recipes that run outside of a job."""

    def book(self, charge: Charge, key: str) -> int:
        """No entry is kept."""
        del charge, key
        return 0

    def bill(self, bill: Bill) -> None:
        """Nobody asks."""


AT_ONCE_S = 0.002
"""What leaves within so many seconds of its permit has left at once: the gate need not be told."""

PURSE_AGAIN_S = 0.05
"""How soon to ask again whether the budget has room, seconds: when what is under way has cost less than was feared."""


class Permits(Protocol):
    """Who says when a request may leave: a gate, or what hands each ticket to one."""

    def ask(self, ticket: Ticket, now: float) -> Go | Again: ...

    def depart(self, ticket: Ticket, now: float) -> Go | Again: ...

    def put_back(self, ticket: Ticket) -> None: ...

    def leave(self, ticket: Ticket) -> None: ...

    @property
    def report(self) -> Callable[..., None]: ...


class Performer:
    """Carries out effects, but for the waiting. One for all workers of a run."""

    def __init__(
        self,
        gate: Permits,
        memory: Memory,
        stop: Stop,
        processes: Processes,
        *,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[Attempt], None] | None = None,
        purse: Purse | None = None,
    ) -> None:
        self.purse = NoPurse() if purse is None else purse
        self.gate = gate
        self.memory = memory
        self.stop = stop
        self.processes = processes
        self.clock = clock
        self._observe = observe

    def step(self, effect: Effect, held: Held) -> Any:
        """Do what can be done at once: the effect's reply, or what there is to wait for.

        :raises Interrupted: if the run is told to stop and the effect would begin something.
        :raises ServiceDown: as the gate does.
        """
        match effect:  # plain class patterns: to take an effect apart in the pattern costs as much as to carry it out
            case Permit():
                if self.stop.is_set():
                    raise Interrupted
                ticket = held.ticket
                if ticket is None:
                    ticket = held.ticket = Ticket(
                        effect.service,
                        effect.host,
                        effect.tokens,
                        effect.spacing_s,
                        effect.answer_tokens,
                        effect.standing,
                        effect.replaceable,
                    )
                try:
                    verdict = self.gate.ask(ticket, self.clock())
                except ServiceDown:
                    self.gate.leave(ticket)
                    held.ticket = None
                    raise
                return Nap(verdict.seconds, again=True) if isinstance(verdict, Again) else ticket
            case Send():
                held.request = effect.request
                return self._departing(effect, held.ticket)
            case Report():
                held.ticket = None
                was_probe = effect.ticket.probe
                self.gate.report(
                    effect.ticket,
                    effect.done_at,
                    effect.health,
                    effect.pause_s,
                    effect.reason,
                    effect.tokens,
                    effect.hints,
                    effect.tokens_in,
                    effect.first_byte_at,
                )
                if self._observe is not None and held.request is not None:
                    self._observe(_attempt(held.request, effect, was_probe))
                return None
            case Recall():
                known = self.memory.recall(effect.key, effect.lifetime)
                if isinstance(known, Lead):
                    held.lead = effect.key
                return known
            case Settle():
                held.lead = None
                self.memory.settle(effect.key, effect.remembered)
                return None
            case Book():
                if self.stop.is_set():
                    raise Interrupted
                entry = self.purse.book(effect.charge, effect.key)
                held.entry = entry
                if entry is not None:
                    return entry
                if held.ticket is not None:
                    self.gate.put_back(held.ticket)
                return Nap(PURSE_AGAIN_S, again=True)
            case Bill():
                held.entry = None
                self.purse.bill(effect)
                return None
            case Wait():
                return Nap(effect.seconds, again=False)
            case Compute():
                return effect  # a mode waits for the processes in its own way
        assert_never(effect)

    def _departing(self, send: Send, ticket: Ticket | None) -> Send | Nap:
        """The request, which the mode's transport sends; or how long to wait, if its permit is none any more."""
        if ticket is None:
            return send
        now = self.clock()
        if ticket.granted_at is not None and now - ticket.granted_at <= AT_ONCE_S:
            return send
        try:
            verdict = self.gate.depart(ticket, now)
        except ServiceDown:  # the next attempt's permit says so; this one has not been sent
            raise TransportError("connection lost", sent_at=now, failed_at=now, reached="unsent") from None
        return Nap(verdict.seconds, again=True) if isinstance(verdict, Again) else send

    def failed(self, effect: Effect, error: Exception) -> Exception:
        """What the flow is told of an effect that failed: that its attempt brought nothing, or what its function raised.

        :raises Interrupted: if an attempt failed after the run was told to stop. We may have cut it ourselves, so it
            says nothing of its item.
        Every other error is more than its flow's, and is raised again.
        """
        if isinstance(effect, Send) and isinstance(error, TransportError):
            if self.stop.is_set():
                raise Interrupted from None
            return error
        if isinstance(effect, Compute) and not isinstance(error, Interrupted):
            return error
        if isinstance(effect, Permit) and isinstance(error, ServiceDown):
            return error  # the exchange knows whether that ends more than its request
        raise error

    def give_back(self, held: Held) -> None:
        """The flow has ended: give back what it still holds."""
        if held.ticket is not None:
            self.gate.leave(held.ticket)
            held.ticket = None
        if held.lead is not None:
            self.memory.settle(held.lead, None)
            held.lead = None
        if held.entry is not None:
            self.purse.bill(Bill(held.entry, "unknown"))
            held.entry = None


def _attempt(request: Request, report: Report, was_probe: bool) -> Attempt:
    ticket = report.ticket
    granted_at = report.sent_at if ticket.granted_at is None else ticket.granted_at
    ready_at = granted_at if ticket.asked_at is None else ticket.asked_at
    return Attempt(
        request,
        ready_at,
        granted_at,
        report.sent_at,
        report.done_at,
        report.reason,
        report.pause_s,
        was_probe,
        report.first_byte_at,
        report.tokens,
    )


class Feed(Iterator[Item]):
    """One lazy iterator of items, shared by all workers: each item goes to the first who asks.

    `on_done` hears of each item whose work is over, under the same lock.
    """

    def __init__(self, items: Iterator[Item], stop: Stop, on_done: Callable[[Item], None] | None = None) -> None:
        self._on_done = on_done
        self._items = items
        self._stop = stop
        self._lock = ShortLock()

    def __next__(self) -> Item:
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            if self._stop.is_set():
                raise StopIteration
            return next(self._items)
        finally:
            lock.release()

    def done(self, item: Item) -> None:
        """The item's work is over."""
        if self._on_done is not None:
            with self._lock:
                self._on_done(item)


class SyncTransport(Protocol):
    """A transport for threads."""

    def send(self, request: Request, *, fresh: bool = False) -> Response: ...

    def abort(self) -> None: ...


class AsyncTransport(Protocol):
    """A transport for tasks."""

    async def send(self, request: Request, *, fresh: bool = False) -> Response: ...
