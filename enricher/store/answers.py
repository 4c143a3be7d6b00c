"""Answers worth remembering, whichever job asked: under the key of what was asked, with the headers that were kept.

Asking is the hot path, so it is SQL, without a context manager between. An answer is put in the transaction of whatever
learnt it: an item's outcome, a call that was paid for, a batch that was collected.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import peewee
from peewee import fn

from ..model import Learnt, Remembered
from . import schema
from .database import Database
from .text import answer_columns, body_of, headers_of, storable

MAX_ANSWER_BYTES = 1024**3

LOOK_AGAIN_S = 0.1
"""How often we look whether a store without any answer has got one, seconds. Writers wait as long for a full batch, so what
was learnt in this time is seldom committed anyhow."""

_RECALL = "SELECT status, body, missing, headers, kind, encoding, stored_at FROM answer WHERE key = ?"

_PUT = """
    INSERT OR REPLACE INTO answer (key, kind, status, missing, body, encoding, size, stored_at, headers)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

# The newest answers are kept as long as they fit: a running sum from the newest to the oldest.
_PRUNE = """
    DELETE FROM answer WHERE rowid IN (
        SELECT id FROM (SELECT rowid AS id, sum(size) OVER (ORDER BY stored_at DESC, rowid DESC) AS kept FROM answer)
        WHERE kept > ?)"""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer out of the store. `stored_at` is in seconds since 1970, by the store's clock."""

    remembered: Remembered
    kind: str
    stored_at: float


@dataclass(frozen=True, slots=True)
class AnswerStats:
    """How much is remembered: `stored_bytes` as it lies in the file; the times are None where nothing is."""

    answers: int
    stored_bytes: int
    oldest_at: float | None
    newest_at: float | None
    by_kind: Mapping[str, int]


class Answers:
    """The answers of one database; `max_bytes` bounds what their bodies take in the file, and the oldest go first."""

    def __init__(self, database: Database, clock: Callable[[], float], max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._max_bytes = max_bytes
        self._has_some = self._look()
        self._look_again_at = time.monotonic() + LOOK_AGAIN_S

    def recall(self, key: str) -> StoredAnswer | None:
        """The answer remembered under `key`, however old; None where there is none."""
        if not (self._has_some or self._found_some()):
            return None
        database = self._database
        # What `Database.reading` does, spelt out: its context managers would cost as much as the query.
        reader = None
        try:
            reader = database.borrow()
            row = reader.raw.execute(_RECALL, (storable(key),)).fetchone()
        except (sqlite3.Error, peewee.PeeweeException) as error:
            raise database.explain(error) from error
        finally:
            if reader is not None:
                database.give_back(reader)
        if row is None:
            return None
        status, body, missing, headers, kind, encoding, stored_at = row
        remembered = Remembered(status, body_of(body, encoding), bool(missing), headers_of(headers))
        return StoredAnswer(remembered, kind, stored_at)

    def remember(self, learnt: Sequence[Learnt]) -> None:
        """Keep answers that no item brought, in one transaction."""
        if learnt:
            now = self._clock()
            rows = [answer_columns(each, now) for each in learnt]
            with self._database.writing() as database:
                self.put(database.raw, rows)

    def put(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows of `answer_columns`, inside the caller's transaction."""
        if rows:
            connection.executemany(_PUT, rows)
            self._has_some = True

    def _found_some(self) -> bool:
        """Whether there are answers by now. In a new file there are none, and ten threads that all look for theirs would
        open ten connections to hear so.
        """
        now = time.monotonic()
        if now < self._look_again_at:
            return False
        self._look_again_at = now + LOOK_AGAIN_S
        if self._look():  # never the other way: a commit, or the store's end, may have come in between
            self._has_some = True
        return self._has_some

    def _look(self) -> bool:
        with self._database.reading() as database:
            return database.raw.execute("SELECT 1 FROM answer LIMIT 1").fetchone() is not None

    def always_ask(self) -> None:
        """Take nothing for granted any more: who recalls hears from the database itself."""
        self._has_some = True

    def stats(self) -> AnswerStats:
        """How many answers are remembered, how much they take, and since when."""
        answer = schema.Answer
        with self._database.reading() as database:
            total = answer.select(
                fn.count(answer.key), fn.sum(answer.size), fn.min(answer.stored_at), fn.max(answer.stored_at)
            ).tuples()
            ((answers, stored_bytes, oldest, newest),) = list(total.execute(database))
            kinds = answer.select(answer.kind, fn.count(answer.key)).group_by(answer.kind).order_by(answer.kind)
            by_kind = dict(kinds.tuples().execute(database))
        return AnswerStats(answers, stored_bytes or 0, oldest, newest, by_kind)

    def prune(self, max_bytes: int | None = None, *, older_than_s: float | None = None) -> int:
        """Forget those older than `older_than_s` seconds, then the oldest beyond `max_bytes` (our own bound). How many?"""
        bound = self._max_bytes if max_bytes is None else max_bytes
        with self._database.reading() as database:
            (total,) = database.raw.execute("SELECT coalesce(sum(size), 0) FROM answer").fetchone()
        if total <= bound and older_than_s is None:
            return 0
        pruned = 0
        with self._database.writing() as database:
            if older_than_s is not None:
                oldest = self._clock() - older_than_s
                pruned += database.raw.execute("DELETE FROM answer WHERE stored_at < ?", (oldest,)).rowcount
            if total > bound:
                pruned += database.raw.execute(_PRUNE, (bound,)).rowcount
        return pruned

    def clear(self) -> int:
        """Forget every answer. How many?"""
        with self._database.writing() as database:
            return int(schema.Answer.delete().execute(database))
