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
| Compute | the function's result                        | what the function raised; `TimeoutError` when it was killed   |

Whatever waits raises `Interrupted` once the job is told to stop. A generator that is closed can't yield any more, so
the performer keeps what a flow holds (a ticket, a lead) and gives it back itself when the flow ends early.

`Report` stands beside `Permit`, one for one: every attempt says what became of it, because the gate learns from that
when a slot of the quota is free again, whether to pause, and whether the host is alive.

A reply's type is written where it is received (`ticket: Ticket = yield Permit(...)`). An `__iter__` on each effect would let
the checker see it in a `yield from`, and costs a generator an effect: a tenth of all that a request costs here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from ..model import Compute, Lifetime, Remembered, Request, Service
from .gate import Health, Ticket

T = TypeVar("T")


@dataclass(slots=True)
class Permit:
    """May the next request to this service and host leave? The reply comes when it may."""

    service: Service
    host: str


@dataclass(slots=True)
class Send:
    """One attempt at one request."""

    request: Request


@dataclass(slots=True)
class Report:
    """What became of the attempt that `ticket` let through, sent at `sent_at` and over (answered or failed) at `done_at`.

    `reason` is why the answer was not good enough, "" where it was.
    """

    ticket: Ticket
    sent_at: float
    done_at: float
    health: Health
    pause_s: float = 0.0
    reason: str = ""


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
    """Nobody knows, and nobody else is asking: the asker leads, and owes a `Settle`."""


Effect = Permit | Send | Report | Recall | Settle | Wait | Compute
Steps = Generator[Effect, Any, T]
