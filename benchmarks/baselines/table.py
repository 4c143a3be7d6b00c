"""The table that every baseline keeps: plain SQLite, one connection, a commit now and then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ..task import Facts, Task

COMMIT_EVERY = 100
"""Rows in one transaction."""

_FILE = "rows.db"


class Table:
    """The rows' facts in SQLite. For one thread; the end of its block commits the rest."""

    def __init__(self, task: Task) -> None:
        self._db = sqlite3.connect(Path(task.folder) / _FILE)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, title TEXT, imdb_id TEXT, runtime_min TEXT)"
        )
        self._uncommitted = 0

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._db.commit()
        self._db.close()

    def save(self, facts: Facts) -> None:
        """Keep a row's facts."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", facts)
        self._uncommitted += 1
        if self._uncommitted == COMMIT_EVERY:
            self._db.commit()
            self._uncommitted = 0


def read(task: Task) -> Iterator[Facts]:
    """What any baseline stored (`task.Reader`)."""
    db = sqlite3.connect(Path(task.folder) / _FILE)
    try:
        yield from map(Facts._make, db.execute("SELECT key, title, imdb_id, runtime_min FROM facts"))
    finally:
        db.close()
