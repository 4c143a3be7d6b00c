"""How many requests may leave, and when: arithmetic on numbers, told the time.

A limit answers two questions. `ready_in(now, ahead)`: in how many seconds may one more leave, if `ahead` others go
first? `take(now)`: one leaves now.

**SlidingLog** keeps the promise of a strict window (at most W arrivals in any T seconds, at the server). A window is W
slots, and a slot is free again T after the request that used it ARRIVED. We know when we let it go, not when it
arrived: so it is first taken to arrive `guard` later, the guard being the longest way from here to there that we allow for.
When its answer begins to come back sooner than that, it proves that it had arrived by then, and its slot is free so much
sooner (`arrives`). Fast APIs thus lose nearly nothing to the guard, slow ones at most guard / T. And a request that is not
handed to the transport at once, because its cost is written down first or a busy machine takes its time, is taken to arrive
so much later, as long as its slot is still held: the guard is for the way alone. Whatever arrives holds its slot for T from
then on, and slots are W: so the promise is kept.

**Bucket** is the token bucket: `burst` at once, then one every 1 / rate seconds.

**FixedWindow** counts as the `ratelimit` package does (windows that start when it starts), for APIs that count this way.
At a window's edge it lets 2 W through, so it is wrong for a strict sliding window.

**TokenLog** is a sliding log of requests that weigh something. A request is counted with the tokens that it reserves, from
when it arrives; once its answer tells what it really took, that counts instead, at the same moment. What it reserves for its
input is an estimate, which is put right by how the last ones came true (**Guess**). What it reserves for its answer is the
most that the answer may take. Where answers have a window of their own, they count there as they are produced (Anthropic
leaves `max_tokens` out of it): then this is put right in the same way, and less boldly once a request was refused.

A service whose answers tell its windows (`Service.hints`) is watched for a minute back before any is known: what was
sent until then counts at the server, so it must count here as soon as there is a window to count it in.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from ratelimit import RateLimitDecorator, RateLimitException

from ..model import Service, Window

GUARD_S = 0.06
"""Longest way from our permit to the server's count that is allowed for, seconds.

A log with no margin had 44 to 86 of 480 requests rejected by a strict window on loopback, one of 10 ms none; with 50 ms of
random delay on the way, a guard of 60 ms still kept every window (tests/test_gate.py plays that way with a seeded delay).
"""

PROOF_S = 0.001
"""Added to a proven arrival, seconds: two machines' clocks may run 50 ppm apart, which is 0.5 ms in 10 s."""

ENDLESS = 10**15
"""More than is ever counted."""

GUESSES_KEPT, GUESS_MARGIN = 20, 1.05
"""The share of an estimate that comes true differs with language and tokenizer, and little from one article to the next."""

DOUBTED_FOR = 200
"""A refusal may have had other causes; so estimates are put right again after so many requests."""

HISTORY = Window(ENDLESS, 60.0)
"""What is kept of a service whose windows are still to be learnt: those of the known APIs are a minute long at most."""


class Limit(Protocol):
    """One rule about when requests may leave. It looks back `horizon_s` seconds."""

    horizon_s: float

    def ready_in(self, now: float, ahead: int) -> float:
        """Seconds until one more may leave when `ahead` others go first; 0 when it may leave now."""
        ...

    def take(self, now: float) -> None:
        """Let one leave now; it arrives the guard later at the latest."""
        ...

    def arrives(self, before: float, after: float) -> None:
        """A request that was to arrive at `before` at the latest arrives at `after` at the latest."""
        ...

    def follow(self, other: Any) -> None:
        """Take over what another of its kind has counted."""
        ...

    def sent(self) -> list[float]:
        """When each request that may still count arrives at the latest; empty where that is not kept one by one."""
        ...


class SlidingLog:
    """At most `window.limit` arrivals in any `window.period_s` seconds."""

    def __init__(self, window: Window, guard_s: float = GUARD_S) -> None:
        self.window = window
        self.horizon_s = window.period_s
        self._guard_s = guard_s
        self._arrive: list[float] = []  # when each that holds a slot arrives at the latest, ascending

    def ready_in(self, now: float, ahead: int) -> float:
        arrive, period_s = self._arrive, self.window.period_s
        if arrive and arrive[0] + period_s <= now:
            del arrive[: bisect_right(arrive, now, key=lambda at: at + period_s)]
        first_short = len(arrive) + ahead - self.window.limit
        if first_short < 0:
            return 0.0
        over = max(0, len(arrive) - self.window.limit)  # used before the rate was lowered: nobody follows them
        turns, index = divmod(first_short - over, self.window.limit)
        index += over
        span_s = period_s + self._guard_s
        soonest = arrive[index] + period_s - now if index < len(arrive) else span_s
        return soonest + turns * span_s

    def take(self, now: float) -> None:
        insort(self._arrive, now + self._guard_s)

    def arrives(self, before: float, after: float) -> None:
        index = bisect_left(self._arrive, before)
        if index < len(self._arrive) and self._arrive[index] == before:
            del self._arrive[index]
            insort(self._arrive, after)

    def follow(self, other: SlidingLog) -> None:
        self._arrive = list(other._arrive)  # the same class

    def sent(self) -> list[float]:
        return list(self._arrive)


class TokenLog:
    """At most `window.limit` tokens arrive in any `window.period_s` seconds: all of a request, or its input's or its answer's
    alone (`Window.part`). Reservations are known by a number.
    """

    def __init__(self, window: Window, guard_s: float = GUARD_S) -> None:
        self.window = window
        self.horizon_s = window.period_s
        self._guard_s = guard_s
        self._used = 0
        self._arrive: list[tuple[float, int]] = []  # when each reservation arrives at the latest, its number; ascending
        self._held: dict[int, tuple[float, int, int, int]] = {}  # number → when it arrives at the latest, its weight,
        # its tokens, and those of them that its answer takes

    def weight(self, tokens: int, tokens_out: int) -> int:
        """How much of `tokens` counts here, when an answer takes `tokens_out` of them."""
        match self.window.part:
            case "in":
                return tokens - tokens_out
            case "out":
                return tokens_out
        return tokens

    def ready_in(self, now: float, ahead: int, tokens: int) -> float:
        """Seconds until `tokens` fit when `ahead` tokens go first; 0 when they fit now. Both are weights (`weight`).

        What is larger than the window itself fits once the window is empty. Never later than it can be, but perhaps
        sooner: when those before it will have gone is not known.
        """
        self._forget(now)
        limit = self.window.limit
        over = self._used + ahead + min(tokens, limit) - limit
        if over <= 0:
            return 0.0
        for at, number in self._arrive:
            over -= self._held[number][1]
            if over <= 0:
                return at + self.window.period_s - now
        return self.window.period_s + self._guard_s

    def _forget(self, now: float) -> None:
        arrive, period_s = self._arrive, self.window.period_s
        if arrive and arrive[0][0] + period_s <= now:
            gone = bisect_right(arrive, now, key=lambda each: each[0] + period_s)
            for _, number in arrive[:gone]:
                self._used -= self._held.pop(number)[1]
            del arrive[:gone]

    def take(self, now: float, tokens: int, number: int, tokens_out: int = 0) -> None:
        """Reserve so many tokens now, under this number; they arrive the guard later at the latest."""
        at, weight = now + self._guard_s, self.weight(tokens, tokens_out)
        insort(self._arrive, (at, number))
        self._held[number] = at, weight, tokens, tokens_out
        self._used += weight

    def arrives(self, number: int, after: float) -> None:
        """The request of this reservation arrives at `after` at the latest."""
        if number in self._held:
            before, *tokens = self._held[number]
            del self._arrive[bisect_left(self._arrive, (before, number))]
            insort(self._arrive, (after, number))
            self._held[number] = after, tokens[0], tokens[1], tokens[2]

    def correct(self, number: int, tokens: int, tokens_out: int | None = None) -> None:
        """The request of this reservation really took so many tokens. `tokens_out` None: as many for the answer as reserved,
        or all of them.
        """
        held = self._held.get(number)
        if held is not None:
            tokens_out = min(held[3], tokens) if tokens_out is None else tokens_out
            weight = self.weight(tokens, tokens_out)
            self._held[number] = held[0], weight, tokens, tokens_out
            self._used += weight - held[1]

    def follow(self, other: TokenLog) -> None:
        """Take over what another has counted. The numbers stay: who holds one can still correct it."""
        self._arrive = list(other._arrive)  # the same class
        self._held = {
            number: (at, self.weight(tokens, tokens_out), tokens, tokens_out)
            for number, (at, _, tokens, tokens_out) in other._held.items()
        }
        self._used = sum(weight for _, weight, _, _ in self._held.values())

    def sent(self) -> list[tuple[float, int]]:
        """When each reservation that may still count arrives at the latest, and its tokens."""
        return [(at, self._held[number][1]) for at, number in self._arrive]


class Guess:
    """How an estimate of tokens comes true. The largest share of it that did lately is taken for the next ones', and a
    little more: an estimate that is far too high keeps a quota from being used, since it is held until the answer is here.
    """

    def __init__(self) -> None:
        self._shares: deque[float] = deque(maxlen=GUESSES_KEPT)
        self._learnt = 0
        self._least = 1  # so many have to come true before the next ones are put right

    def of(self, estimate: int) -> int:
        """What to reserve for an estimate. All of it, until enough have come true."""
        if self._learnt < self._least:
            return estimate
        return math.ceil(estimate * max(self._shares) * GUESS_MARGIN)

    def learn(self, estimate: int, real: int) -> None:
        """An estimate came true so."""
        if estimate > 0 and real > 0:
            self._shares.append(real / estimate)
            self._learnt += 1

    def doubt(self) -> None:
        """A request was refused that should have fitted: the service may count the estimates themselves. All of each is
        reserved until `DOUBTED_FOR` have come true, ten times as many after the next refusal, and so on.
        """
        if self._learnt >= self._least:
            self._least = max(DOUBTED_FOR, 10 * self._least)
            self._learnt = 0


class Bucket:
    """`burst` requests at once, then `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self.horizon_s = burst / rate
        self._tokens = float(burst)
        self._counted_at = float("-inf")

    def _tokens_at(self, now: float) -> float:
        return min(self.burst, self._tokens + (now - self._counted_at) * self.rate)

    def ready_in(self, now: float, ahead: int) -> float:
        missing = ahead + 1 - self._tokens_at(now)
        return missing / self.rate if missing > 1e-9 else 0.0  # a rounding error is no token

    def take(self, now: float) -> None:
        self._tokens = self._tokens_at(now) - 1
        self._counted_at = now

    def arrives(self, before: float, after: float) -> None:
        """Nothing to learn: a bucket counts permits."""

    def follow(self, other: Bucket) -> None:
        self._tokens, self._counted_at = other._tokens, other._counted_at  # the same class

    def sent(self) -> list[float]:
        """A bucket stands beside windows, which know."""
        return []


class FixedWindow:
    """At most `window.limit` requests in each window of `window.period_s` seconds, counted by the `ratelimit` package."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.horizon_s = window.period_s
        self._now = 0.0
        self._counter: Any = None

    def ready_in(self, now: float, ahead: int) -> float:
        limit, period_s = self.window.limit, self.window.period_s
        free, left_s = limit, period_s
        if self._counter is not None:
            running_s = period_s - (now - self._counter.last_reset)  # the package's own sum: another rounds differently
            if running_s > 0:
                free = max(0, limit - self._counter.num_calls)  # more were sent than may be, if the rate was lowered
                left_s = max(running_s, 1e-6)  # less would not move a clock
        if ahead < free:
            return 0.0
        return left_s + period_s * ((ahead - free) // limit)

    def take(self, now: float) -> None:
        self._now = now
        if self._counter is None:  # its first window starts when it is made: so it is made with the first request
            self._begin()
        self._call()

    def _begin(self) -> None:
        self._counter = RateLimitDecorator(
            calls=self.window.limit, period=self.window.period_s, clock=lambda: self._now, raise_on_limit=True
        )
        self._call = self._counter(lambda: None)

    def arrives(self, before: float, after: float) -> None:
        """Nothing to learn: the package counts permits."""

    def follow(self, other: FixedWindow) -> None:
        counted = other._counter  # the same class
        if counted is not None:
            self._begin()
            self._counter.last_reset, self._counter.num_calls = counted.last_reset, counted.num_calls

    def sent(self) -> list[float]:
        return [] if self._counter is None else [self._counter.last_reset] * self._counter.num_calls


def count_again(limits: Sequence[Limit], at: float) -> None:
    """Count a request that another process let go at `at`, be it more than these limits would allow."""
    for limit in limits:
        with contextlib.suppress(RateLimitException):  # counted all the same
            limit.take(at)


def carry_over(old: Sequence[Limit | TokenLog], new: Sequence[Limit | TokenLog]) -> None:
    """Let each new limit go on from the old one of its kind that looks back furthest: nothing just sent is forgotten."""
    for limit in new:
        alike: list[Any] = [other for other in old if type(other) is type(limit)]
        if alike:
            limit.follow(max(alike, key=lambda other: other.horizon_s))


def limits_of(service: Service, guard_s: float = GUARD_S) -> list[Limit]:
    """The limits that a service's windows, burst and way of counting amount to."""
    fixed = service.limiter == "fixed"
    limits: list[Limit] = [FixedWindow(window) if fixed else SlidingLog(window, guard_s) for window in service.windows]
    if service.burst is not None and service.windows:
        limits.append(Bucket(min(window.limit / window.period_s for window in service.windows), service.burst))
    if service.hints is not None and not fixed:
        limits.append(SlidingLog(HISTORY, guard_s))
    return limits


def token_limits_of(service: Service, guard_s: float = GUARD_S) -> list[TokenLog]:
    """The limits that a service's token windows amount to."""
    windows = service.token_windows if service.hints is None else (*service.token_windows, HISTORY)
    return [TokenLog(window, guard_s) for window in windows]
