"""What the core may ask of the world. An effect is a value; a performer (modes/) carries it out and sends the reply.

The contract of a performer:

| effect  | reply                                        | raises                                                        |
|---------|----------------------------------------------|---------------------------------------------------------------|
| Permit  | the `Ticket` it was granted                  | `ServiceDown` where the gate has given the service up         |
| Send    | one attempt's `Response`                     | `TransportError`                                              |
| Report  | nothing                                      |                                                               |
| Recall  | `Known`, or `Lead`: go and find out          |                                                               |
| Settle  | nothing; those who waited for the key go on  |                                                               |
| Wait    | nothing                                      |                                                               |
| Book    | the entry's number                           | `BudgetSpent` where the budget has no room for it             |
| Bill    | nothing                                      |                                                               |
| Compute | the function's result                        | what the function raised; `TimeoutError` when it was killed   |

Whatever waits raises `Interrupted` once the job is told to stop. A generator that is closed can't yield any more, so
the performer keeps what a flow holds (a ticket, a lead) and gives it back itself when the flow ends early.

`Book` stands before each `Send` that costs money, and `Bill` after it: what must be known before a call is committed
before it, and the answer that was paid for together with its bill.

`Report` stands beside `Permit`, one for one: every attempt says what became of it, because the gate learns from that
when a slot of the quota is free again, whether to pause, and whether the host is alive.

A reply's type is written where it is received (`ticket: Ticket = yield Permit(...)`). An `__iter__` on each effect would let
the checker see it in a `yield from`, and costs a generator an effect: a tenth of all that a request costs here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ..model import Charge, Compute, Hints, Learnt, Lifetime, Remembered, Request, Service, Usage
from .gate import Health, Ticket
from .pausing import Standing

T = TypeVar("T")


@dataclass(slots=True)
class Permit:
    """May the next request to this service and host leave? The reply comes when it may.

    `answer_tokens` are those of its `tokens` that its answer may take; the others are an estimate. `standing` is that of a
    request that failed before; `replaceable` as in `Request`.
    """

    service: Service
    host: str
    tokens: int = 0
    spacing_s: float = 0.0
    answer_tokens: int = 0
    standing: Standing | None = None
    replaceable: bool = False


@dataclass(slots=True)
class Send:
    """One attempt at one request. `fresh`: over a new connection, because a kept one was lost under the attempt before."""

    request: Request
    fresh: bool = False


@dataclass(slots=True)
class Report:
    """What became of the attempt that `ticket` let through, sent at `sent_at` and over (answered or failed) at `done_at`.

    `reason` is why the answer was not good enough, "" where it was. `tokens` are what it really took, `tokens_in` what went
    in of them, None where that is not known; `hints` what its headers say of the quota; `first_byte_at` when the body of a
    stream began.
    """

    ticket: Ticket
    sent_at: float
    done_at: float
    health: Health
    pause_s: float = 0.0
    reason: str = ""
    tokens: int | None = None
    hints: Hints | None = None
    first_byte_at: float | None = None
    tokens_in: int | None = None


@dataclass(slots=True)
class Recall:
    """Is this known, and fresh by `lifetime`? One asker of many is told to find out (`Lead`); the others wait for it."""

    key: str
    lifetime: Lifetime


@dataclass(slots=True)
class Settle:
    """The leader's word: what it found, or None when it found nothing (then one who waits leads next)."""

    key: str
    remembered: Remembered | None


@dataclass(slots=True)
class Book:
    """Money is about to be spent on an answer that will be known as `key`."""

    charge: Charge
    key: str


@dataclass(slots=True)
class Bill:
    """What became of a booked attempt: what it really took and cost (nano-units), and the answer where it was good.

    `state`: "settled", "free" (nothing is owed), or "unknown": it may have cost up to what was booked.
    """

    entry: int
    state: Literal["settled", "free", "unknown"]
    usage: Usage | None = None
    cost: int = 0
    learnt: Learnt | None = None


@dataclass(slots=True)
class Wait:
    """Back-off: let `seconds` pass."""

    seconds: float


@dataclass(slots=True)
class Known:
    """The memory has it, `age_s` seconds old."""

    remembered: Remembered
    age_s: float


@dataclass(slots=True)
class Lead:
    """Nobody knows, and nobody else is asking: the asker leads, and owes a `Settle`.

    `stale` is an answer that is too old, and that the service can say is still good.
    """

    stale: Remembered | None = None


Effect = Permit | Send | Report | Recall | Settle | Book | Bill | Wait | Compute
Steps = Generator[Effect, Any, T]
