"""One more performer, with a virtual clock: plays a whole job in milliseconds.

Tests play scripts with it and look at what was asked of the world; `--dry-run` plays the real job with it to forecast
requests and time. Virtual workers take items as real ones do; whatever would wait moves the clock instead.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from ..errors import ServiceDown, TransportError
from ..model import Compute, Item, Outcome, Remembered, Request, Response
from .effects import Bill, Book, Effect, Known, Lead, Permit, Recall, Report, Send, Settle, Steps, Wait
from .freshness import conditional, is_fresh, key_of
from .gate import Again, Gate, Go, Ticket

World = Callable[[Request, int], tuple[Response | TransportError, float]]
"""(request, how many times it was sent before) → what comes back, and after how many seconds."""


@dataclass(slots=True)
class Played:
    """What happened: the outcomes in the order in which they came, every effect, and the virtual time it took."""

    outcomes: list[Outcome] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    booked: list[Book] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def requests(self) -> int:
        """How many attempts were sent."""
        return len(self.sent_at)


@dataclass(slots=True)
class _Flow:
    """One virtual worker, and where its flow stands."""

    steps: Steps[Outcome]
    effect: Effect | None = None  # what it waits for
    ticket: Ticket | None = None
    reply: Any = None


class Rehearsal:
    """A stage for flows. `recall(key)` is what was known before: a memory and its age in seconds, or None."""

    def __init__(
        self,
        gate: Gate,
        world: World,
        *,
        workers: int = 1,
        recall: Callable[[str], tuple[Remembered, float] | None] = lambda _key: None,
        keep_effects: bool = True,
    ) -> None:
        self._gate = gate
        self._world = world
        self._workers = workers
        self._recall = recall
        self._keep_effects = keep_effects
        self._now = 0.0
        self._settled: dict[str, tuple[Remembered, float]] = {}  # what was found, and when
        self._leads: dict[str, list[_Flow]] = {}
        self._sent: dict[str, int] = {}
        self._agenda: list[tuple[float, int, _Flow]] = []
        self._order = count()
        self._played = Played()

    def play(self, items: Iterable[Item], begin: Callable[[Item], Steps[Outcome]]) -> Played:
        """Play the flows of all items to their ends.

        :raises KeyRefused, ServiceDown: as the core raises them.
        """
        feed = iter(items)
        for _ in range(self._workers):
            self._next_item(feed, begin)
        while self._agenda:
            self._now, _, flow = heapq.heappop(self._agenda)
            self._go_on(flow, feed, begin)
        self._played.elapsed_s = self._now
        return self._played

    def _next_item(self, feed: Iterator[Item], begin: Callable[[Item], Steps[Outcome]]) -> None:
        for item in feed:
            self._at(self._now, _Flow(begin(item)))
            return

    def _at(self, when: float, flow: _Flow) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), flow))

    def _go_on(self, flow: _Flow, feed: Iterator[Item], begin: Callable[[Item], Steps[Outcome]]) -> None:
        """Carry a flow on until it has to wait (it is on the agenda then) or is done."""
        try:
            while True:
                if flow.effect is None:
                    reply, flow.reply = flow.reply, None
                    if isinstance(reply, BaseException):
                        flow.effect = flow.steps.throw(reply)
                    else:
                        flow.effect = flow.steps.send(reply)
                    if self._keep_effects:
                        self._played.effects.append(flow.effect)
                if not self._perform(flow, flow.effect):
                    return
        except StopIteration as stop:
            self._played.outcomes.append(stop.value)
            self._next_item(feed, begin)

    def _perform(self, flow: _Flow, effect: Effect) -> bool:
        """Carry out one effect; False: the flow waits, and the agenda (or a lead) will bring it back."""
        match effect:
            case Permit(service, host, tokens, spacing_s, answer_tokens, standing, replaceable):
                if flow.ticket is None:
                    flow.ticket = Ticket(service, host, tokens, spacing_s, answer_tokens, standing, replaceable)
                verdict: Go | Again | ServiceDown
                try:
                    verdict = self._gate.ask(flow.ticket, self._now)
                except ServiceDown as down:
                    verdict = down
                if isinstance(verdict, Again):
                    self._at(self._now + verdict.seconds, flow)
                    return False
                flow.reply = verdict if isinstance(verdict, ServiceDown) else flow.ticket
                flow.ticket = None
            case Send(request):
                self._send(flow, request)
                return False
            case Report(ticket, _, done_at, health, pause_s, reason, tokens, hints, _, tokens_in):
                self._gate.report(ticket, done_at, health, pause_s, reason, tokens, hints, tokens_in)
            case Book():
                flow.reply = len(self._played.booked)
                self._played.booked.append(effect)
            case Bill():
                self._played.bills.append(effect)
            case Recall(key, lifetime):
                known = self._known(key)
                if known is not None and is_fresh(known.remembered, known.age_s, lifetime):
                    flow.reply = known
                elif key in self._leads:
                    self._leads[key].append(flow)
                    return False
                else:
                    self._leads[key] = []
                    stale = known is not None and conditional(known.remembered)
                    flow.reply = Lead(known.remembered if known is not None and stale else None)
            case Settle(key, remembered):
                if remembered is not None:
                    self._settled[key] = (remembered, self._now)
                for waiter in self._leads.pop(key):
                    self._at(self._now, waiter)
            case Wait(seconds):
                flow.effect = None
                self._at(self._now + seconds, flow)
                return False
            case Compute(function, args):
                try:
                    flow.reply = function(*args)
                except Exception as error:  # noqa: BLE001  # as in another process: the flow is told what it raised
                    flow.reply = error
        flow.effect = None
        return True

    def _known(self, key: str) -> Known | None:
        settled = self._settled.get(key)
        if settled is not None:
            return Known(settled[0], self._now - settled[1])
        before = self._recall(key)
        return None if before is None else Known(before[0], before[1] + self._now)

    def _send(self, flow: _Flow, request: Request) -> None:
        name = key_of(request)
        before = self._sent.get(name, 0)
        self._sent[name] = before + 1
        answer, after_s = self._world(request, before)
        self._played.sent_at.append(self._now)
        done_at = self._now + after_s
        if isinstance(answer, TransportError):
            cause, reached = answer.cause, answer.reached
            flow.reply = TransportError(cause, sent_at=self._now, failed_at=done_at, reached=reached)
        else:
            flow.reply = Response(answer.status, answer.headers, answer.body, self._now, done_at, answer.wall_at)
        flow.effect = None
        self._at(done_at, flow)
