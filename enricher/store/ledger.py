"""What was paid for: a row for each attempt that costs money.

    started ──▶ settled   what it took is known
            ──▶ free      surely nothing is owed: it was turned away
            ──▶ unknown   it may have cost up to what was booked: the answer was lost, or the process died

Rule 1: the row is committed before the request leaves. So whenever we are killed, there is a row for all that may be owed.
Rule 2: an answer that was paid for is stored in the transaction that settles its row. So no kill makes us pay for it twice.
Rule 3: a budget is looked at in the transaction that books against it, and whatever is not settled counts at its worst
        price. So it is never passed, however many threads and processes book at once.

Amounts are whole nano-units of a currency. The amounts of a job are added up as if they were all of one currency.
Booking and settling are hot, and called by event loops: each is one short transaction, in SQL. Measured: 30 µs to book,
70 µs to settle with an answer; and where there is a budget, 0.1 ms for each 1,000 calls that the job has made.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..model import Charge, Learnt, Usage
from .answers import Answers
from .database import Database
from .text import answer_columns, storable, utc

Ending = Literal["settled", "free", "unknown"]
"""What becomes of a call."""

_BOOK = """
    INSERT INTO call (job_id, batch_id, provider, model, state, key, worst_nano, currency, started_at)
    VALUES (?, ?, ?, ?, 'started', ?, ?, ?, ?)"""

_SETTLE = """
    UPDATE call SET state = ?, tokens_in = ?, tokens_out = ?, tokens_cached = ?, cost_nano = ?, settled_at = ?
    WHERE id = ?"""

_ORPHANS = """
    UPDATE call SET state = 'unknown', settled_at = ?
    WHERE job_id = ? AND state = 'started' AND batch_id IS NULL"""

# `IS` finds NULL too: calls that belong to no job. The index (job, state, batch, worst, cost) has all that is summed.
_ALL_NANO = """
    SELECT coalesce(sum(CASE state WHEN 'settled' THEN cost_nano WHEN 'free' THEN 0 ELSE worst_nano END), 0)
    FROM call WHERE job_id IS ?"""

_SPENT = """
    SELECT coalesce(sum(cost_nano) FILTER (WHERE state = 'settled'), 0),
           coalesce(sum(worst_nano) FILTER (WHERE state = 'started'), 0),
           coalesce(sum(worst_nano) FILTER (WHERE state = 'started' AND batch_id IS NOT NULL), 0),
           coalesce(sum(worst_nano) FILTER (WHERE state = 'unknown'), 0),
           count(*) FILTER (WHERE state != 'free')
    FROM call WHERE job_id IS ?"""

_TOTALS = """
    SELECT provider, model, currency,
           count(*) FILTER (WHERE state = 'settled'),
           coalesce(sum(tokens_in) FILTER (WHERE state = 'settled'), 0),
           coalesce(sum(tokens_out) FILTER (WHERE state = 'settled'), 0),
           coalesce(sum(tokens_cached) FILTER (WHERE state = 'settled'), 0),
           coalesce(sum(cost_nano) FILTER (WHERE state = 'settled'), 0),
           count(*) FILTER (WHERE state = 'unknown'),
           coalesce(sum(worst_nano) FILTER (WHERE state = 'unknown'), 0),
           count(*) FILTER (WHERE state = 'started'),
           coalesce(sum(worst_nano) FILTER (WHERE state = 'started'), 0)
    FROM call WHERE job_id IS ? AND state != 'free'
    GROUP BY provider, model, currency ORDER BY provider, model, currency"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a job has cost: settled at what it took, the rest at its worst. `batched_nano` is the part of `open_nano` that is
    in batches. `calls` are those that may have cost anything.
    """

    settled_nano: int
    open_nano: int
    batched_nano: int
    unknown_nano: int
    calls: int

    @property
    def all_nano(self) -> int:
        """The most that it can come to, nano-units."""
        return self.settled_nano + self.open_nano + self.unknown_nano


@dataclass(frozen=True, slots=True)
class Total:
    """What a job's calls of one model came to. `calls`, tokens and `cost_nano` are of the settled ones.

    `tokens_in` are all that went in, `tokens_cached` of them at the lower price.
    """

    provider: str
    model: str
    currency: str
    calls: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_nano: int
    unknown_calls: int
    unknown_nano: int
    open_calls: int
    open_nano: int


class Ledger:
    """The calls of one database. Usable from any thread and from an event loop's.

    :raises StoreError: from any method, if the file can't be used.
    """

    def __init__(self, database: Database, clock: Callable[[], float], answers: Answers) -> None:
        self._database = database
        self._clock = clock
        self._answers = answers

    def start(self, charge: Charge, key: str, job_id: int | None) -> int:
        """Book a call at its worst price, whatever it costs. Committed on return: now it may leave."""
        now = utc(self._clock())
        with self._database.writing() as database:
            return book(database.raw, charge, key, job_id, now)

    def reserve(self, charge: Charge, key: str, job_id: int | None, budget_nano: int | None) -> int | None:
        """As `start`, within a budget (None: whatever it costs). None, and nothing written, where the job could pass it."""
        now = utc(self._clock())
        with self._database.writing() as database:
            if not has_room(database.raw, job_id, charge.worst, budget_nano):
                return None
            return book(database.raw, charge, key, job_id, now)

    def settle(
        self,
        call_id: int,
        state: Ending,
        usage: Usage | None = None,
        cost_nano: int = 0,
        learnt: Learnt | None = None,
    ) -> None:
        """Say what became of a call, and keep the answer that it brought."""
        now = self._clock()
        answers = [] if learnt is None else [answer_columns(learnt, now)]
        with self._database.writing() as database:
            settle(database.raw, [settled(call_id, state, usage, cost_nano, utc(now))])
            self._answers.put(database.raw, answers)

    def orphans(self, job_id: int) -> int:
        """Calls that were under way when their process ended become `unknown`. How many?

        To be called while the job's lock is held and nothing of it runs: else they are not orphans. Calls in batches are none
        either: what became of them will be told.
        """
        with self._database.writing() as database:
            return database.raw.execute(_ORPHANS, (utc(self._clock()), job_id)).rowcount

    def spent(self, job_id: int | None) -> Spent:
        """What the job has cost so far; None: what belongs to no job."""
        with self._database.reading() as database:
            return Spent(*database.raw.execute(_SPENT, (job_id,)).fetchone())

    def totals(self, job_id: int | None) -> list[Total]:
        """What the job has cost, by provider, model and currency, in their order. Models that cost nothing are left out."""
        with self._database.reading() as database:
            return [Total(*row) for row in database.raw.execute(_TOTALS, (job_id,)).fetchall()]


# ── inside a transaction ────────────────────────────────────────────────────────────────────────────────────────────


def discounted(worst_nano: int, discount: float) -> int:
    """`discount` is what the price is multiplied by; rounded up."""
    return math.ceil(worst_nano * discount)


def has_room(connection: sqlite3.Connection, job_id: int | None, worst_nano: int, budget_nano: int | None) -> bool:
    """Whether the job stays within its budget even if all comes to the worst."""
    if budget_nano is None:
        return True
    (so_far,) = connection.execute(_ALL_NANO, (job_id,)).fetchone()
    return bool(so_far + worst_nano <= budget_nano)


def book(
    connection: sqlite3.Connection,
    charge: Charge,
    key: str,
    job_id: int | None,
    now: str,
    batch_id: int | None = None,
    discount: float = 1.0,
) -> int:
    """Write a `started` row; its number."""
    row = (
        job_id,
        batch_id,
        charge.provider,
        storable(charge.model),
        storable(key),
        discounted(charge.worst, discount),
        charge.price.currency,
        now,
    )
    number = connection.execute(_BOOK, row).lastrowid
    assert number is not None  # noqa: S101  # it was an INSERT
    return number


def settled(call_id: int | None, state: Ending, usage: Usage | None, cost_nano: int, now: str) -> Sequence[Any]:
    """A row for `settle`."""
    took = Usage() if usage is None else usage
    return (state, took.tokens_in, took.tokens_out, took.cached, cost_nano, now, call_id)


def settle(connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Say what became of calls."""
    connection.executemany(_SETTLE, rows)
