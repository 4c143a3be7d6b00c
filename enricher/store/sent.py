"""What was sent to each API lately, for the next process that uses this database.

A row for each account (a digest of an API's address and key) and writer (a gate of a process). Times are seconds since
1970, counted together: `[[time, requests], …]` and `[[time, tokens], …]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .database import Database
from .text import dumps, loads

Counted = tuple[tuple[float, int], ...]
"""Times, and how much was sent at each."""

_WRITE = """
    INSERT OR REPLACE INTO sent (account, writer, service, horizon_s, requests, tokens, written_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


@dataclass(frozen=True, slots=True)
class SentRow:
    """What one writer has sent to one account. Nothing counts for longer than `horizon_s` seconds."""

    account: str
    writer: str
    service: str
    horizon_s: float
    requests: Counted
    tokens: Counted


class SentLog:
    """The rows of one database. Usable from any thread.

    :raises StoreError: from any method, if the file can't be used.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self.clock = clock

    def read(self) -> list[SentRow]:
        """All rows."""
        columns = "account, writer, service, horizon_s, requests, tokens"
        with self._database.reading() as database:
            found = database.raw.execute(f"SELECT {columns} FROM sent").fetchall()  # noqa: S608 - our own words
        return [
            SentRow(account, writer, service, horizon_s, _counted(requests), _counted(tokens))
            for account, writer, service, horizon_s, requests, tokens in found
        ]

    def write(self, rows: Iterable[SentRow], taken_over: Sequence[SentRow] = ()) -> None:
        """Write rows in place of their writer's older ones, and delete those that are part of them now, or count no more.

        One transaction: a kill leaves what was there, or all of it.
        """
        now = self.clock()
        texts = [
            (row.account, row.writer, row.service, row.horizon_s, dumps(row.requests), dumps(row.tokens), now)
            for row in rows
        ]
        with self._database.writing() as database:
            gone = [(row.account, row.writer) for row in taken_over]
            database.raw.executemany("DELETE FROM sent WHERE account = ? AND writer = ?", gone)
            database.raw.execute("DELETE FROM sent WHERE written_at + horizon_s < ?", (now,))
            database.raw.executemany(_WRITE, texts)


def _counted(text: str) -> Counted:
    return tuple((float(at), int(count)) for at, count in loads(text))
