"""What can be told to the store and asked of it.

Cold paths speak peewee. The hot ones (loading, committing, recalling, paging) are SQL: there, building a query would
cost more than running it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from filelock import FileLock, Timeout

from ..errors import JobBusy, StoreError
from ..model import (
    Counts,
    ExportRow,
    Item,
    Job,
    JobState,
    Learnt,
    Outcome,
    Pipeline,
    Row,
    Skipped,
    Source,
    Table,
    Unresolved,
)
from . import declared, schema
from .answers import MAX_ANSWER_BYTES, Answers, AnswerStats, StoredAnswer
from .batches import Batches
from .database import Connected, Database
from .ledger import Ledger
from .loading import load
from .sent import SentLog
from .text import answer_columns, candidates_of, candidates_text, dumps, loads, storable, utc

# The bound on the answers is looked at once in so many commits: one sum over an index, 4 ms at 100,000 answers.
COMMITS_BETWEEN_PRUNES = 64

# A page of rows is held at once: as many as were asked for, or as many as make up so much text. An article may be a novel.
MOST_PAGE_CHARS = 4_000_000

# What the next run asks for. A deferred item was handed to a provider; run again, it finds its answer in the memory.
OPEN_STATES = ("pending", "failed", "deferred")

# One ordered stream out of three: SQLite merges the parts, each of which the index (job, state, position) delivers in
# order, so a page costs the same at the end of a million items as at their beginning.
_OPEN = "SELECT position, key, fields FROM item WHERE job_id = :job AND state = '{}' AND position > :after"
_ORDERED = " ORDER BY position LIMIT :page"
_TODO = " UNION ALL ".join(map(_OPEN.format, OPEN_STATES)) + _ORDERED
_DEFERRED = _OPEN.format("deferred") + _ORDERED

_EXPORT = """
    SELECT r.position, source.name, r.line, r.cells, r.error, item.state, item.score, item.error, item.record,
           item.key
    FROM input_row AS r
    JOIN source ON source.job_id = r.job_id AND source.position = r.source_position
    LEFT JOIN item ON item.id = r.item_id
    WHERE r.job_id = :job AND r.position > :after ORDER BY r.position LIMIT :page"""

_UNRESOLVED = """
    SELECT item.position, item.key, item.fields, item.state, item.score, item.error, item.candidates,
           source.name, r.line, r.cells, (SELECT count(*) FROM input_row WHERE item_id = item.id)
    FROM ({items} ORDER BY position LIMIT :page) AS item
    JOIN input_row AS r ON r.job_id = item.job_id AND r.position = item.position
    JOIN source ON source.job_id = r.job_id AND source.position = r.source_position
    ORDER BY item.position"""
_UNRESOLVED_ITEMS = "SELECT * FROM item WHERE job_id = :job AND state = :state{} AND position > :after"

_COMMIT_ITEM = """
    UPDATE item SET state = ?, attempts = attempts + ?, runs = runs + 1, error = ?, score = ?, record = ?,
                    candidates = ?, tries = ?, updated_at = ?
    WHERE job_id = ? AND key = ?"""

_COMMIT_JOB = """
    UPDATE job SET requests = requests + ?, hits = hits + ?, retries = retries + ?, wait_s = wait_s + ?,
                   service_s = service_s + ?, updated_at = ?
    WHERE id = ?"""

_FORGET = """
    state = 'pending', error = NULL, score = NULL, record = NULL, candidates = NULL, tries = NULL, updated_at = :now"""


WAITING = {"pending": "not asked yet", "deferred": "handed in, the answer is not there yet"}
"""Why a row without an error of its own is not enriched, by the state of its item."""


class Store:
    """A database of jobs and answers. Any thread may use it; give it back with `close`, or use it in a `with`.

    `ledger` is what was paid for, `batches` what was handed in by the hundred, `sent` what was sent to each API lately.
    `clock` gives seconds since 1970. `max_answer_bytes` bounds what the remembered answers take in the file; the
    oldest go first.

    :raises StoreError: from any method, if the file can't be used; one line that names it and says what to do.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Callable[[], float] = time.time,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        busy_timeout_ms: int = 30_000,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._commits = 0
        self._database = Database(self.path, busy_timeout_ms=busy_timeout_ms)
        self._answers = Answers(self._database, clock, max_answer_bytes)
        self.ledger = Ledger(self._database, clock, self._answers)
        self.batches = Batches(self._database, clock, self._answers)
        self.sent = SentLog(self._database, clock)

    def close(self) -> None:
        """Close every connection. Nothing is lost by not calling it; a `-wal` file beside the database stays then."""
        self._database.close()
        self._answers.always_ask()  # who asks now hears from the database that it is closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def prepare(self, tables: Sequence[Table]) -> None:
        """Create the tables that a pipeline declares, and add columns that an older pipeline did not know.

        :raises ValueError: if a declaration makes no sense (a name of ours, an owner that is no column).
        """
        with self._database.writing() as database:
            declared.create(database.raw, tables)

    def put_rows(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows into a table that a pipeline declares, or replace them, outside of any job."""
        with self._database.writing() as database:
            declared.write(database.raw, [(table, [], rows)])

    def rows_of(self, table: Table) -> list[tuple[Any, ...]]:
        """All rows of a table that a pipeline declares, in the order of its columns: for small ones."""
        with self._database.reading() as database:
            return declared.read(database.raw, table)

    def open_job(
        self,
        pipeline: str,
        fingerprint: str,
        name: str,
        options: Mapping[str, str],
        rows: Iterable[Source | Row | Skipped],
    ) -> Job:
        """Return the job with this fingerprint, `resumed`, without touching `rows`; or load it from `rows`.

        Loading is one transaction: an exception of `rows` goes through, and leaves no trace of the job. `rows` is
        consumed in one pass and not held. Of two processes that come at once, one loads and the other resumes.
        """
        with self._database.reading() as database:
            job = _job_where(database, "fingerprint", fingerprint)
        if job is not None:
            return replace(job, resumed=True)
        with self._database.writing() as database:
            # Another process may have loaded it while we waited for its transaction to end.
            job = _job_where(database, "fingerprint", fingerprint)
            if job is not None:
                return replace(job, resumed=True)
            now = utc(self._clock())
            job = Job(0, pipeline, fingerprint, storable(name), dict(options), "open", now, now)
            query = schema.Job.insert(
                pipeline=pipeline,
                fingerprint=fingerprint,
                name=job.name,
                options=dumps(options),
                state=job.state,
                created_at=now,
                updated_at=now,
            )
            job = replace(job, id=query.execute(database))
            load(database.raw, job.id, rows, now)
        return job

    def job(self, job_id: int) -> Job | None:
        """The job with this number."""
        with self._database.reading() as database:
            return _job_where(database, "id", job_id)

    def jobs(self) -> list[Job]:
        """All jobs, the oldest first."""
        with self._database.reading() as database:
            rows = schema.Job.select().order_by(schema.Job.id).dicts().execute(database)
            return [_job_of(row) for row in rows]

    def set_state(self, job_id: int, state: JobState) -> None:
        """Say how the job stands, for people who look at it; nothing here depends on it."""
        with self._database.writing() as database:
            values = (state, utc(self._clock()), job_id)
            database.raw.execute("UPDATE job SET state = ?, updated_at = ? WHERE id = ?", values)

    @contextmanager
    def lock_job(self, job_id: int) -> Iterator[None]:
        """Hold the job for this process. The lock ends with the process, however that ends.

        It is an empty file beside the database, and stays there: to remove a lock file that somebody may just have
        opened would let two of them hold "the" lock.

        :raises JobBusy: at once, if another process, or another caller in this one, holds it.
        """
        lock = FileLock(f"{self.path}.job-{job_id}.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise JobBusy(
                f"{self.path}: job {job_id} is being run {self._holder(job_id)}; wait for it to end"
            ) from None
        except OSError:
            raise StoreError(f"{lock.lock_file}: the lock file can't be written; check the folder") from None
        try:
            with self._database.writing() as database:
                database.raw.execute("UPDATE job SET pid = ? WHERE id = ?", (os.getpid(), job_id))
            yield
        finally:
            lock.release()

    def _holder(self, job_id: int) -> str:
        with self._database.reading() as database:
            query = schema.Job.select(schema.Job.pid).where(schema.Job.id == job_id).tuples()
            pids = [pid for (pid,) in query.execute(database) if pid is not None]
        return f"by process {pids[0]}" if pids else "by another process"

    # ── items ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def todo(self, job_id: int, page: int = 500, *, deferred_only: bool = False) -> Iterator[Item]:
        """What is still to be asked: items pending, failed or deferred, in input order, each at most once.

        Read in pages as they are wanted, so an item that fails meanwhile is not met again.
        """
        for _, key, fields in self._pages(_DEFERRED if deferred_only else _TODO, page, job=job_id):
            yield Item(key, loads(fields))

    def reset(self, job_id: int, keys: Sequence[str] | None = None) -> int:
        """Make items pending again and forget what became of them; all of the job's where `keys` is None. How many?"""
        values = {"job": job_id, "now": utc(self._clock())}
        statement = f"UPDATE item SET {_FORGET} WHERE job_id = :job"  # noqa: S608 - our own words
        with self._database.writing() as database:
            if keys is None:
                changed = database.raw.execute(statement, values).rowcount
            else:
                each = ({**values, "key": storable(key)} for key in keys)
                changed = database.raw.executemany(f"{statement} AND key = :key", each).rowcount
            database.raw.execute("UPDATE job SET state = 'open', updated_at = :now WHERE id = :job", values)
        return max(changed, 0)

    def decide(self, job_id: int, key: str, fields: Mapping[str, Any]) -> Literal["decided", "unchanged", "unknown"]:
        """Add `fields` to what an item is asked with, and make it pending.

        "unchanged": it has these fields already, so nothing is asked again. "unknown": the job has no such item.
        """
        key = storable(key)
        with self._database.writing() as database:
            found = database.raw.execute(
                "SELECT fields FROM item WHERE job_id = ? AND key = ?", (job_id, key)
            ).fetchone()
            if found is None:
                return "unknown"
            before = loads(found[0])
            after = {**before, **loads(dumps(fields))}
            if after == before:
                return "unchanged"
            values = {"job": job_id, "key": key, "fields": dumps(after), "now": utc(self._clock())}
            database.raw.execute(
                f"UPDATE item SET fields = :fields, {_FORGET} WHERE job_id = :job AND key = :key",  # noqa: S608
                values,
            )
            database.raw.execute("UPDATE job SET state = 'open', updated_at = :now WHERE id = :job", values)
        return "decided"

    def commit(self, job_id: int, outcomes: Sequence[Outcome], pipeline: Pipeline) -> None:
        """Write all that a batch of outcomes brought, in one transaction.

        The same batch again leaves the same states, records, answers and rows; only the counts of effort grow.
        What pipeline code raises (`tables_of`) goes through, and nothing of the batch is written.

        :raises StoreError: if another process holds the database for longer than the busy timeout.
        """
        now = self._clock()
        now_text = utc(now)
        # Everything that takes time happens before the transaction: others wait for it only while SQLite works.
        items = [
            (
                outcome.status,
                outcome.attempts,
                outcome.error and storable(outcome.error),
                outcome.score,
                None if outcome.record is None else dumps(outcome.record),
                candidates_text(outcome.candidates),
                dumps(outcome.tries) if outcome.tries else None,
                now_text,
                job_id,
                storable(outcome.item.key),
            )
            for outcome in outcomes
        ]
        answers = [answer_columns(learnt, now) for outcome in outcomes for learnt in outcome.learnt]
        records = [outcome.record for outcome in outcomes if outcome.record is not None]
        parts = declared.gather(pipeline, records)
        efforts = [outcome.effort for outcome in outcomes]
        totals = (
            sum(effort.requests for effort in efforts),
            sum(effort.hits for effort in efforts),
            sum(effort.retries for effort in efforts),
            sum(effort.wait_s for effort in efforts),
            sum(effort.service_s for effort in efforts),
        )
        with self._database.writing() as database:
            database.raw.executemany(_COMMIT_ITEM, items)
            self._answers.put(database.raw, answers)
            declared.write(database.raw, parts)
            database.raw.execute(_COMMIT_JOB, (*totals, now_text, job_id))
        self._commits += 1
        if self._commits % COMMITS_BETWEEN_PRUNES == 0:
            self.prune_answers()

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def recall(self, key: str) -> StoredAnswer | None:
        """The answer remembered under `key`, however old; None where there is none."""
        return self._answers.recall(key)

    def remember(self, learnt: Sequence[Learnt]) -> None:
        """Keep answers that no item of a job brought, in one transaction."""
        self._answers.remember(learnt)

    def answer_stats(self) -> AnswerStats:
        """How many answers are remembered, how much they take, and since when."""
        return self._answers.stats()

    def prune_answers(self, max_bytes: int | None = None, *, older_than_s: float | None = None) -> int:
        """Forget answers: those older than `older_than_s` seconds, then the oldest beyond `max_bytes`. How many?

        Without `max_bytes`, the store's own bound holds.
        """
        return self._answers.prune(max_bytes, older_than_s=older_than_s)

    def clear_answers(self) -> int:
        """Forget every answer. How many?"""
        return self._answers.clear()

    # ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def counts(self, job_id: int) -> Counts:
        """How far the job is."""
        with self._database.reading() as database:
            items = dict(
                database.raw.execute("SELECT state, count(*) FROM item WHERE job_id = ? GROUP BY state", (job_id,))
            )
            rows = dict(
                database.raw.execute(
                    "SELECT item.state, count(*) FROM input_row LEFT JOIN item ON item.id = item_id"
                    " WHERE input_row.job_id = ? GROUP BY 1",
                    (job_id,),
                )
            )
            (skipped,) = database.raw.execute("SELECT count(*) FROM skipped WHERE job_id = ?", (job_id,)).fetchone()
        total = sum(rows.values())
        without_item = rows.pop(None, 0)
        if without_item:
            rows["failed"] = rows.get("failed", 0) + without_item
        return Counts(total, sum(items.values()), items, rows, without_item, skipped)

    def reasons(self, job_id: int) -> Iterator[tuple[str, str, int]]:
        """Why rows are not enriched: (status, error, number of rows) in the order of the rows, each pair once."""
        statement = (
            "SELECT coalesce(item.state, 'failed'), coalesce(item.error, input_row.error) AS reason, count(*)"
            " FROM input_row LEFT JOIN item ON item.id = item_id WHERE input_row.job_id = ? AND reason IS NOT NULL"
            " GROUP BY 1, 2 ORDER BY min(input_row.position)"
        )
        with self._database.reading() as database:
            yield from database.raw.execute(statement, (job_id,))

    def skipped(self, job_id: int) -> list[Skipped]:
        """Text in the job's lists that was no row, in input order."""
        table = schema.SkippedText
        query = table.select(table.source, table.line, table.reason).where(table.job == job_id).order_by(table.id)
        with self._database.reading() as database:
            return [Skipped(*row) for row in query.tuples().execute(database)]

    def sources(self, job_id: int) -> list[str]:
        """The names of the job's lists, in input order."""
        return [name for name, _ in self._sources(job_id)]

    def columns(self, job_id: int) -> list[str]:
        """The columns of all the job's lists, each once, in the order they were met."""
        return list(dict.fromkeys(column for _, columns in self._sources(job_id) for column in columns))

    def _sources(self, job_id: int) -> list[tuple[str, list[str]]]:
        table = schema.Source
        query = table.select(table.name, table.columns).where(table.job == job_id).order_by(table.position).tuples()
        with self._database.reading() as database:
            return [(name, loads(columns)) for name, columns in query.execute(database)]

    def export_rows(self, job_id: int, page: int = 500) -> Iterator[ExportRow]:
        """Every row of the job's lists in input order, with what became of its item. Read in pages as wanted."""
        for row in self._pages(_EXPORT, page, job=job_id):
            _, source, line, cells, row_error, state, score, error, record, key = row
            if state is None:
                yield ExportRow(source, line, loads(cells), "failed", error=row_error)
            else:
                yield ExportRow(
                    source, line, loads(cells), state, score, error or WAITING.get(state), loads(record), key
                )

    def unresolved(
        self, job_id: int, states: Sequence[str] = ("unsure", "not_found"), page: int = 500
    ) -> Iterator[Unresolved]:
        """Items that a person may decide, in input order. Read in pages as wanted."""
        items = " UNION ALL ".join(_UNRESOLVED_ITEMS.format(number) for number in range(len(states)))
        named = {f"state{number}": state for number, state in enumerate(states)}
        for row in self._pages(_UNRESOLVED.format(items=items), page, job=job_id, **named):
            _, key, fields, state, score, error, candidates, source, line, cells, rows = row
            item = Item(key, loads(fields))
            yield Unresolved(item, state, score, error, candidates_of(candidates), source, line, loads(cells), rows)

    def _pages(self, statement: str, page: int, **values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement that takes `:after` and `:page` and puts the position first, page by page."""
        after = -1
        while True:
            with self._database.reading() as database:
                cursor = database.raw.execute(statement, {**values, "after": after, "page": page})
                rows, whole = _page(cursor)
            yield from rows
            if whole and len(rows) < page:
                return
            after = rows[-1][0]


def _page(cursor: sqlite3.Cursor) -> tuple[list[tuple[Any, ...]], bool]:
    """A cursor's rows, and whether these are all: of very long ones only the first, so that memory stays bounded."""
    rows: list[tuple[Any, ...]] = []
    room = MOST_PAGE_CHARS
    for row in cursor:
        rows.append(row)
        room -= sum([len(value) for value in row if isinstance(value, str)])
        if room < 0:
            cursor.close()
            return rows, False
    return rows, True


def _job_where(database: Connected, column: str, value: object) -> Job | None:
    cursor = database.raw.execute(f"SELECT * FROM job WHERE {column} = ?", (value,))  # noqa: S608 - our own words
    row = cursor.fetchone()
    return None if row is None else _job_of(dict(zip([name for name, *_ in cursor.description], row, strict=True)))


def _job_of(columns: dict[str, Any]) -> Job:
    """A `Job` from its row; `pid` is nobody else's business."""
    columns.pop("pid")
    return Job(**{**columns, "options": loads(columns["options"])})
