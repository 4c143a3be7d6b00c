"""A list becomes a job: rows stream in, in chunks, inside the caller's transaction.

Nothing is held but one chunk and the columns of each source. Which item a row belongs to is looked up by SQLite, in the
index that makes keys unique: a dictionary of a million keys would be most of our memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from ..model import Row, Skipped, Source
from .text import dumps, storable

CHUNK_ROWS = 500

_ITEM = "INSERT OR IGNORE INTO item (job_id, key, position, fields, updated_at) VALUES (?, ?, ?, ?, ?)"
_ROW = """
    INSERT INTO input_row (job_id, position, source_position, line, item_id, cells, error)
    VALUES (?, ?, ?, ?, (SELECT id FROM item WHERE job_id = ? AND key = ?), ?, ?)"""
_SOURCE = "INSERT INTO source (job_id, position, name, columns) VALUES (?, ?, ?, ?)"
_SKIPPED = "INSERT INTO skipped (job_id, source, line, reason) VALUES (?, ?, ?, ?)"


def load(connection: sqlite3.Connection, job_id: int, rows: Iterable[Source | Row | Skipped], now: str) -> None:
    """Insert a new job's sources, rows, items and skipped texts.

    Two lists may have the same name: each `Source` begins a list of its own. A name that none has announced is a list, too.
    Items with the same key are one; the first row's fields stand, and its position is the item's.
    """
    sources: list[tuple[str, dict[str, None]]] = []  # name and columns
    places: dict[str, int] = {}  # name → position of the list that has it now
    items: list[tuple[Any, ...]] = []
    chunk: list[tuple[Any, ...]] = []
    position = 0

    def flush() -> None:
        connection.executemany(_ITEM, items)
        connection.executemany(_ROW, chunk)
        items.clear()
        chunk.clear()

    def begin(source: Source) -> None:
        places[source.name] = len(sources)
        sources.append((source.name, dict.fromkeys(source.columns)))

    for row in rows:
        if isinstance(row, Source):
            begin(row)
            continue
        if isinstance(row, Skipped):
            connection.execute(_SKIPPED, (job_id, storable(row.source), row.line, storable(row.reason)))
            continue
        if row.source not in places:
            begin(Source(row.source, ()))
        place = places[row.source]
        columns = sources[place][1]
        if not row.cells.keys() <= columns.keys():
            columns.update(dict.fromkeys(row.cells))
        key = None
        if row.item is not None:
            key = storable(row.item.key)
            items.append((job_id, key, position, dumps(row.item.fields), now))
        error = None if row.error is None else storable(row.error)
        chunk.append((job_id, position, place, row.line, job_id, key, dumps(row.cells), error))
        position += 1
        if len(chunk) == CHUNK_ROWS:
            flush()
    flush()
    connection.executemany(
        _SOURCE,
        [(job_id, place, storable(name), dumps(list(columns))) for place, (name, columns) in enumerate(sources)],
    )
