"""The file: opened with care, one connection that writes, a few that read, and every failure told in one line.

Rule 1: nothing is changed in a file before we know that it is ours (even `journal_mode=wal` writes into its header).
Rule 2: one writer at a time. In this process a lock holds that; between processes SQLite does (`BEGIN IMMEDIATE`).
Rule 3: a reader borrows a connection and gives it back. There are as many as ever read at once, whatever threads come
        and go, and `close` closes them all. Nobody keeps a read transaction open: it would hold up WAL checkpoints.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import peewee
from peewee import SqliteDatabase

from ..errors import StoreError
from . import forks, schema

# How long a statement waits for another process's transaction. Loading a list is the longest one: measured,
# 70,000 rows a second, and as slow as its source.
BUSY_TIMEOUT_MS = 30_000

_SQLITE_HEADER = b"SQLite format 3\x00"

# By SQLite's primary result code (https://www.sqlite.org/rescode.html).
_REASONS = {
    sqlite3.SQLITE_BUSY: "another program has kept the database locked; close it, or try again later",
    sqlite3.SQLITE_READONLY: "the database can't be written; check the permissions of the file and its folder",
    sqlite3.SQLITE_IOERR: "the disk can't be read or written; check the drive",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; restore a copy, or move the file away to start anew",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run again: what was committed is kept",
    sqlite3.SQLITE_CANTOPEN: "the database can't be opened or created; check the folder and its permissions",
    sqlite3.SQLITE_NOTADB: "this is not a SQLite database; name another file",
    sqlite3.SQLITE_CONSTRAINT: "a row breaks a rule of its table; check the tables that the pipeline declares",
}


class Connected(SqliteDatabase):
    """One connection: peewee's queries are executed on it, and SQL on its `raw`."""

    def __init__(self, path: Path, mode: str, pragmas: dict[str, object]) -> None:
        # A thread borrows it for as long as it uses it, so peewee and sqlite3 need not tie it to the thread that made it.
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        super().__init__(uri, pragmas=pragmas, thread_safe=False, check_same_thread=False, uri=True)
        self.connect()
        self.raw: sqlite3.Connection = self.connection()  # type: ignore[no-untyped-call]


class Database:
    """One SQLite file in WAL mode. Safe to share between threads and with an event loop's thread.

    :raises StoreError: if the file can't be used; the message names it and says what to do.
    """

    def __init__(
        self, path: Path, *, steps: Sequence[schema.Step] = schema.STEPS, busy_timeout_ms: int = BUSY_TIMEOUT_MS
    ) -> None:
        self.path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._idle: list[Connected] = []
        self._readers = 0  # those that are open, idle or lent
        self._opening = threading.Lock()  # around `_readers`
        self._writing = threading.Lock()
        self._transaction_of: int | None = None  # the thread that writes
        self._holds_writing = False  # for a fork
        self._closed = False
        self._lost = False  # in the child of a fork that did not wait for us
        self._refuse_what_is_no_database()
        with self._told():
            self._writer: Connected | None = self._open_writer(steps)
        forks.register(self)

    # ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refuse_what_is_no_database(self) -> None:
        try:
            if not self.path.parent.is_dir():
                raise StoreError(f"{self.path}: the folder {self.path.parent} does not exist; create it first")
            if self.path.is_dir():
                raise StoreError(f"{self.path}: this is a folder; name a database file")
            if self.path.exists():
                with self.path.open("rb") as file:
                    header = file.read(len(_SQLITE_HEADER))
                if header and header != _SQLITE_HEADER:
                    raise self._refusal(sqlite3.SQLITE_NOTADB)
        except OSError:
            raise self._refusal(sqlite3.SQLITE_CANTOPEN) from None

    def _refuse_what_is_not_ours(self, writer: Connected, newest: int) -> None:
        with writer.atomic():  # one moment: another process may be making the tables just now
            owner, found = int(writer.pragma("application_id")), int(writer.pragma("user_version"))
            empty = not writer.raw.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if owner != schema.APPLICATION_ID and not (empty and owner == 0 and found == 0):
            raise StoreError(f"{self.path}: this database belongs to another program; name another file")
        if found > newest:
            raise StoreError(
                f"{self.path}: this database has version {found} and this program knows versions up to {newest}; "
                "upgrade enricher, or name another file"
            )

    def _open_writer(self, steps: Sequence[schema.Step]) -> Connected:
        writer = self._connect("rwc")
        try:
            self._refuse_what_is_not_ours(writer, schema.version(steps))
            # Two processes that turn a new file to WAL at once: SQLite refuses one of them without waiting.
            deadline = time.monotonic() + self._busy_timeout_ms / 1000
            while True:
                try:
                    writer.pragma("journal_mode", "wal")
                    break
                except peewee.OperationalError as error:
                    if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            if int(writer.pragma("user_version")) != schema.version(steps):
                with writer.atomic("IMMEDIATE"):
                    schema.bring_up_to_date(writer, steps)
        except BaseException:
            writer.close()
            raise
        return writer

    def _connect(self, mode: str) -> Connected:
        """Open a connection of its own; `mode` is SQLite's: "rw", or "rwc" to create the file."""
        pragmas = {"busy_timeout": self._busy_timeout_ms, "synchronous": "normal", "foreign_keys": 1}
        return Connected(self.path, mode, pragmas)

    # ── reading and writing ─────────────────────────────────────────────────────────────────────────────────────────

    def borrow(self) -> Connected:
        """Hand out a connection to read with; `give_back` is owed."""
        if self._closed:
            raise self._unusable()
        try:
            return self._idle.pop()
        except IndexError:
            with self._opening:
                reader = self._connect("rw")
                self._readers += 1
            reader.pragma("query_only", 1)
            return reader

    def give_back(self, reader: Connected) -> None:
        """Take a borrowed connection back."""
        self._idle.append(reader)
        if self._closed:
            self._close_idle()

    @contextmanager
    def reading(self) -> Iterator[Connected]:
        """Lend a connection for a short read: fetch everything you ask for before you leave."""
        with self._told():
            reader = self.borrow()
            try:
                yield reader
            finally:
                self.give_back(reader)

    @contextmanager
    def writing(self) -> Iterator[Connected]:
        """One transaction: all of it is committed on leaving, or nothing where an exception leaves it."""
        with self._writing:
            if self._closed:
                raise self._unusable()
            with self._told():
                if self._writer is None:  # it was closed for a fork
                    self._writer = self._connect("rw")
                self._transaction_of = threading.get_ident()
                try:
                    with self._writer.atomic("IMMEDIATE"):
                        yield self._writer
                finally:
                    self._transaction_of = None

    def close(self) -> None:
        """Wait for the transaction under way and close every connection. May be called again."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            # The readers first: the last connection to leave folds the -wal file into the database.
            self._close_idle()
            self._close_writer()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _close_idle(self) -> None:
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return
            self._readers -= 1

    def _unusable(self) -> StoreError:
        if self._lost:
            why = "the store was in use while this process was forked; open it in the child, or fork before it is used"
        else:
            why = "the store is closed"
        return StoreError(f"{self.path}: {why}")

    # ── forks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def before_fork(self) -> None:
        """Close all connections, and let nobody open one (forks.py says why)."""
        deadline = time.monotonic() + forks.CLOSE_WITHIN_S
        self._opening.acquire()
        is_own = self._transaction_of == threading.get_ident()  # a source that forks while it is loaded
        self._holds_writing = not is_own and self._writing.acquire(timeout=forks.CLOSE_WITHIN_S)
        self._close_idle()
        while self._readers and time.monotonic() < deadline:  # lent ones come back within moments
            time.sleep(0.001)
            self._close_idle()
        if self._holds_writing:
            self._close_writer()

    def after_fork(self, *, in_child: bool) -> None:
        """From now on connections may be opened. What is still open in the child is the parent's."""
        if not in_child:
            if self._holds_writing:
                self._writing.release()
            self._opening.release()
            return
        if self._readers or self._writer is not None:
            self._lost = self._closed = True
            forks.keep_inherited(self._writer)
        self._readers = 0
        self._opening = threading.Lock()
        self._writing = threading.Lock()

    # ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, peewee.PeeweeException) as error:
            raise self.explain(error) from error

    def explain(self, error: Exception) -> StoreError:
        """Our own words for what SQLite or peewee raised; a rarer failure is named by its code."""
        return self._refusal(_code(error))

    def _refusal(self, code: int) -> StoreError:
        reason = _REASONS.get(code, f"the database refused a statement (SQLite's result code {code})")
        return StoreError(f"{self.path}: {reason}")


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code; the extended ones keep it in their low byte. 1 is its "some error".

    Where SQLite itself undid the transaction (a full disk), peewee's own ROLLBACK fails too: the reason lies below.
    """
    while error is not None:
        code = int(getattr(getattr(error, "orig", error), "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
        if code != sqlite3.SQLITE_ERROR:
            return code
        error = error.__context__
    return sqlite3.SQLITE_ERROR
