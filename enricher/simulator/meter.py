"""What an LLM API admits in a minute, and what it puts on the bill. Pure: time is an argument.

An allowance has two strict sliding windows. A request counts from its arrival; its tokens are reserved then, what goes in
by its length and what may come out by its max_tokens, and corrected to what it really took when its answer is made. A
request that is refused uses up nothing.

Where input and output have windows of their own (`tokens_in`, `tokens_out`; 0: none), what may come out counts for nothing
there: a request is admitted as long as less than the limit was produced, and its answer counts once it is made.

The account holds one entry for each call that was paid, whatever became of its answer: a stream that broke and a client that
went away are paid for what had been produced by then. An answer with an error status costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Lease:
    """The tokens that one request holds of its window, as long as it is `held`."""

    at: float
    tokens: int
    tokens_in: int = 0
    tokens_out: int = 0
    held: bool = True


@dataclass(frozen=True, slots=True)
class Over:
    """Not admitted: what is used up, and for how long."""

    what: Literal["requests", "tokens", "input tokens", "output tokens"]
    for_s: float


@dataclass(frozen=True, slots=True)
class Left:
    """How much is left, and in how many seconds all of it will be again."""

    limit: int
    left: int
    full_in_s: float


class Allowance:
    """At most `requests` requests and `tokens` tokens in any `minute_s` seconds."""

    def __init__(self, requests: int, tokens: int, minute_s: float, *, tokens_in: int = 0, tokens_out: int = 0) -> None:
        self.requests, self.tokens, self.minute_s = requests, tokens, minute_s
        self.tokens_in, self.tokens_out = tokens_in, tokens_out
        self._held: deque[Lease] = deque()
        self._sum = 0
        self.spent: list[Lease] = []

    def ask(self, now: float, tokens: int, tokens_in: int = 0) -> Lease | Over:
        """Admit a request that reserves so many tokens, `tokens_in` of them for its input, or say what it is over."""
        self._forget(now)
        if len(self._held) >= self.requests:
            return Over("requests", self.minute_s - (now - self._held[0].at))
        if self._sum + tokens > self.tokens:
            return Over("tokens", self._room_in_s(now, tokens))
        used_in, used_out = self._apart()
        if self.tokens_in and used_in + tokens_in > self.tokens_in:
            return Over("input tokens", self.minute_s - (now - self._held[0].at) if self._held else self.minute_s)
        if self.tokens_out and used_out >= self.tokens_out:
            return Over("output tokens", self.minute_s - (now - self._held[0].at))
        lease = Lease(now, tokens, tokens_in)
        self._held.append(lease)
        self._sum += tokens
        self.spent.append(lease)
        return lease

    def correct(self, lease: Lease, now: float, tokens_in: int, tokens_out: int) -> None:
        """A request really took so many tokens."""
        tokens = tokens_in + tokens_out
        self._forget(now)
        if lease.held:  # not by its moment: who arrived first is not always admitted first
            self._sum += tokens - lease.tokens
        lease.tokens, lease.tokens_in, lease.tokens_out = tokens, tokens_in, tokens_out

    def left(self, now: float) -> tuple[Left, Left]:
        """What is left of the requests and of the tokens."""
        self._forget(now)
        full_in_s = self._held[-1].at + self.minute_s - now if self._held else 0.0
        return (
            Left(self.requests, max(self.requests - len(self._held), 0), full_in_s),
            Left(self.tokens, max(self.tokens - self._sum, 0), full_in_s),
        )

    def left_apart(self, now: float) -> tuple[Left, Left] | None:
        """What is left of the input and of the output tokens, where they have windows of their own."""
        if not self.tokens_in or not self.tokens_out:
            return None
        full_in_s = self.left(now)[1].full_in_s
        used_in, used_out = self._apart()
        return (
            Left(self.tokens_in, max(self.tokens_in - used_in, 0), full_in_s),
            Left(self.tokens_out, max(self.tokens_out - used_out, 0), full_in_s),
        )

    def _apart(self) -> tuple[int, int]:
        return sum(lease.tokens_in for lease in self._held), sum(lease.tokens_out for lease in self._held)

    def used(self) -> float | None:
        """The share of the token limit that was used, 1 being all, as `tally.used_share` reckons it for requests."""
        total = sum(lease.tokens for lease in self.spent)
        span_s = self.spent[-1].at - self.spent[0].at if self.spent else 0.0
        if total <= self.tokens or span_s <= 0:
            return None
        return (total - self.tokens) / self.tokens * self.minute_s / span_s

    def _forget(self, now: float) -> None:
        while self._held and now - self._held[0].at >= self.minute_s:
            gone = self._held.popleft()
            gone.held = False
            self._sum -= gone.tokens

    def _room_in_s(self, now: float, tokens: int) -> float:
        missing = self._sum + tokens - self.tokens
        for lease in self._held:
            missing -= lease.tokens
            if missing <= 0:
                return self.minute_s - (now - lease.at)
        return self.minute_s  # it asks for more than there ever is


Ending = Literal["complete", "max_tokens", "refusal", "invalid", "broken", "abandoned", "lost"]
"""How a paid call ended: an answer (complete, cut short by max_tokens, refused, none that is valid), a stream that broke
or carried an error, a client that went away, an answer that was lost or spoilt on its way."""


@dataclass(frozen=True, slots=True)
class Paid:
    """One paid call. `article` is a hash of the article (`analyst.Reading`), `price_share` 0.5 in a batch."""

    id: str
    provider: str
    model: str
    tokens_in: int
    tokens_out: int
    cached: int
    batch: bool
    price_share: float
    ended: Ending
    article: str
    custom_id: str | None = None


@dataclass(slots=True)
class Account:
    """All that was paid since the start or the last reset."""

    paid: list[Paid] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """The entries in the order of payment, and their sums by provider."""
        return {"calls": [asdict(paid) for paid in self.paid], "totals": _totals(self.paid)}


def _totals(paid: Iterable[Paid]) -> Mapping[str, Mapping[str, int]]:
    totals: dict[str, dict[str, int]] = {}
    for each in paid:
        sums = totals.setdefault(
            each.provider, dict.fromkeys(("calls", "batched", "tokens_in", "tokens_out", "cached"), 0)
        )
        sums["calls"] += 1
        sums["batched"] += each.batch
        for name in ("tokens_in", "tokens_out", "cached"):
            sums[name] += getattr(each, name)
    return dict(sorted(totals.items()))
