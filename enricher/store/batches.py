"""What was handed to a provider by the hundred, from before it left until its answers are here.

    started ──▶ submitted ──▶ ended ──▶ collected     its answers are stored, its calls settled
       │            │           └─────▶ failed        there will be none
       ├──▶ undecided                                 whether it was taken can't be told: a person decides
       └──▶ failed                                    surely never taken

Rule 1: a batch, its entries and what they may cost are committed before it is submitted. So a kill at any moment leaves
        enough to ask the provider whether it has it, and nothing is handed in twice.
Rule 2: collecting is one transaction: all of its answers are stored and all of its calls settled, or nothing has happened.
Rule 3: where a batch is over, none of its calls is open: what nobody has told of is `unknown`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from peewee import ModelSelect

from ..model import Charge, Learnt, Remembered, Usage
from . import schema
from .answers import Answers
from .database import Connected, Database
from .ledger import Ending, book, discounted, has_room, settle, settled
from .text import answer_columns, charge_of, charge_text, storable, utc

OpenState = Literal["started", "submitted", "ended", "undecided"]
BatchStatus = OpenState | Literal["collected", "failed"]

OPEN: tuple[OpenState, ...] = ("started", "submitted", "ended", "undecided")

_BEGIN = """
    INSERT INTO batch (job_id, provider, service, state, created_at, created, updated_at)
    VALUES (?, ?, ?, 'started', ?, ?, ?)"""

_ENTRY = "INSERT INTO batch_item (batch_id, custom_id, key, kind, charge, call_id) VALUES (?, ?, ?, ?, ?, ?)"

_CLOSE_CALLS = """
    UPDATE call SET state = ?, settled_at = ?
    WHERE state = 'started' AND id IN (SELECT call_id FROM batch_item WHERE batch_id = ?)"""


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """One request of a batch: its answer will be known as `key`. No two of a batch have the same `custom_id`."""

    custom_id: str
    key: str
    kind: str
    charge: Charge


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the store keeps it, its entries in the order of their `custom_id`.

    `created` is in seconds since 1970, from before it was submitted. `provider_id` is None until we know that it was taken.
    """

    id: int
    job_id: int
    provider: str
    service: str
    state: BatchStatus
    provider_id: str | None
    created: float
    entries: tuple[BatchEntry, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of one request of a batch; `cost_nano` at the batch's price. `reason` says why there is no answer, to who
    collects: it is not stored.
    """

    custom_id: str
    remembered: Remembered | None
    usage: Usage | None
    cost_nano: int
    state: Ending
    reason: str = ""


class Batches:
    """The batches of one database. Usable from any thread.

    :raises StoreError: from any method, if the file can't be used.
    """

    def __init__(self, database: Database, clock: Callable[[], float], answers: Answers) -> None:
        self._database = database
        self._clock = clock
        self._answers = answers

    def begin(
        self,
        job_id: int,
        provider: str,
        service: str,
        entries: Sequence[BatchEntry],
        discount: float = 1.0,
        budget_nano: int | None = None,
    ) -> int | None:
        """Write down a batch and book its calls at `discount` times their worst price. Committed on return: now it may leave.

        None, and nothing written, where the job could pass its budget.
        """
        created = self._clock()
        now = utc(created)
        worst_nano = sum(discounted(entry.charge.worst, discount) for entry in entries)
        charges = [charge_text(entry.charge) for entry in entries]
        with self._database.writing() as database:
            raw = database.raw
            if not has_room(raw, job_id, worst_nano, budget_nano):
                return None
            batch_id = raw.execute(_BEGIN, (job_id, provider, service, now, created, now)).lastrowid
            raw.executemany(
                _ENTRY,
                [
                    (
                        batch_id,
                        entry.custom_id,
                        storable(entry.key),
                        entry.kind,
                        charge,
                        book(raw, entry.charge, entry.key, job_id, now, batch_id, discount),
                    )
                    for entry, charge in zip(entries, charges, strict=True)
                ],
            )
            return batch_id

    def submitted(self, batch_id: int, provider_id: str) -> None:
        """The provider has it, and calls it so."""
        with self._database.writing() as database:
            database.raw.execute("UPDATE batch SET provider_id = ? WHERE id = ?", (provider_id, batch_id))
            _set_state(database.raw, batch_id, "submitted", utc(self._clock()))

    def mark(self, batch_id: int, state: Literal["ended", "undecided", "failed"]) -> None:
        """Say how a batch stands. One that `failed` may have cost something all the same: its open calls become `unknown`."""
        now = utc(self._clock())
        with self._database.writing() as database:
            _set_state(database.raw, batch_id, state, now)
            if state == "failed":
                _close_calls(database.raw, batch_id, "unknown", now)

    def drop(self, batch_id: int) -> None:
        """It was surely never taken: it has failed, and nothing is owed for it."""
        now = utc(self._clock())
        with self._database.writing() as database:
            _set_state(database.raw, batch_id, "failed", now)
            _close_calls(database.raw, batch_id, "free", now)

    def collect(self, batch_id: int, results: Sequence[Collected]) -> None:
        """Keep the answers of a batch and settle its calls. Those of which `results` tell nothing become `unknown`."""
        now = self._clock()
        item = schema.BatchItem
        with self._database.reading() as database:
            query = item.select(item.custom_id, item.key, item.kind, item.call).where(item.batch == batch_id).tuples()
            items = {custom_id: (key, kind, call_id) for custom_id, key, kind, call_id in query.execute(database)}
        answers, calls = [], []
        for result in results:
            if result.custom_id in items:
                key, kind, call_id = items[result.custom_id]
                calls.append(settled(call_id, result.state, result.usage, result.cost_nano, utc(now)))
                if result.remembered is not None:
                    answers.append(answer_columns(Learnt(key, kind, result.remembered), now))
        with self._database.writing() as database:
            self._answers.put(database.raw, answers)
            settle(database.raw, calls)
            _set_state(database.raw, batch_id, "collected", utc(now))
            _close_calls(database.raw, batch_id, "unknown", utc(now))

    def open(self, job_id: int) -> list[Batch]:
        """The job's batches that are not over, the oldest first."""
        batch = schema.Batch
        return self._found(batch.select().where(batch.job == job_id, batch.state.in_(OPEN)).order_by(batch.id))

    def holding(self, keys: Sequence[str]) -> list[Batch]:
        """The batches of any job that are not over and hold one of these keys, the oldest first."""
        item, batch = schema.BatchItem, schema.Batch
        wanted = set(map(storable, keys))
        query = item.select(item.batch, item.key).join(batch).where(batch.state.in_(OPEN)).tuples()
        with self._database.reading() as database:
            found = {batch_id for batch_id, key in query.execute(database) if key in wanted}
        return self._found(batch.select().where(batch.id.in_(sorted(found))).order_by(batch.id)) if found else []

    def taken(self) -> list[str]:
        """What providers call the batches that they have taken, of all jobs."""
        batch = schema.Batch
        query = batch.select(batch.provider_id).where(batch.provider_id.is_null(False)).tuples()
        with self._database.reading() as database:
            return [provider_id for (provider_id,) in query.execute(database)]

    def get(self, batch_id: int) -> Batch | None:
        """The batch with this number, however it stands."""
        found = self._found(schema.Batch.select().where(schema.Batch.id == batch_id))
        return found[0] if found else None

    def _found(self, query: ModelSelect[schema.Batch]) -> list[Batch]:
        with self._database.reading() as database:
            return [_batch_of(database, row) for row in list(query.dicts().execute(database))]


def _batch_of(database: Connected, row: Mapping[str, Any]) -> Batch:
    item = schema.BatchItem
    columns = item.select(item.custom_id, item.key, item.kind, item.charge)
    query = columns.where(item.batch == row["id"]).order_by(item.custom_id).tuples()
    entries = [
        BatchEntry(custom_id, key, kind, charge_of(charge)) for custom_id, key, kind, charge in query.execute(database)
    ]
    return Batch(
        row["id"],
        row["job"],
        row["provider"],
        row["service"],
        row["state"],
        row["provider_id"],
        row["created"],
        tuple(entries),
    )


def _set_state(connection: sqlite3.Connection, batch_id: int, state: BatchStatus, now: str) -> None:
    connection.execute("UPDATE batch SET state = ?, updated_at = ? WHERE id = ?", (state, now, batch_id))


def _close_calls(connection: sqlite3.Connection, batch_id: int, state: Ending, now: str) -> None:
    connection.execute(_CLOSE_CALLS, (state, now, batch_id))
