"""The tables that a pipeline declares: made when they are missing, widened when they have grown, filled in batches.

A table with an `owner` column holds the parts of something (the genres of a film). When a record names such a table,
the old parts of every owner that the record mentions are removed before the new ones are written, so a part that is gone
is gone here as well. The owners a record mentions are the values of that column in any of its tables' rows: a film
without genres still cleans its old ones, if another table of the record has a column of the same name.
Where two records of a batch speak of one owner, the later one stands.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import StoreError
from ..model import Pipeline, Table
from .schema import TABLE_NAMES
from .text import storable

Rows = Sequence[tuple[Any, ...]]


def create(connection: sqlite3.Connection, tables: Sequence[Table]) -> None:
    """Create what is missing. To be called inside a transaction.

    :raises ValueError: if a table takes one of our own names, or names an owner that is no column.
    :raises StoreError: if an existing table lacks a column that SQLite can't add (a key, a NOT NULL without a default).
    """
    for table in tables:
        if table.name.lower() in TABLE_NAMES or table.name.lower().startswith("sqlite_"):
            raise ValueError(f"a pipeline can't declare the table {table.name!r}: the name is taken")
        if table.owner is not None and table.owner not in table.columns:
            raise ValueError(f"the owner {table.owner!r} of the table {table.name!r} is none of its columns")
        name = _quoted(table.name)
        columns = [f"{_quoted(column)} {kind}" for column, kind in table.columns.items()]
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join([*columns, *table.constraints])})")
        there = {row[1].lower() for row in connection.execute(f"PRAGMA table_info({name})").fetchall()}
        for column, kind in table.columns.items():
            if column.lower() not in there:
                _add_column(connection, table.name, column, kind)
        for index in [*table.indexes, *([(table.owner,)] if table.owner else [])]:
            title, parts = _quoted("_".join((table.name, *index))), ", ".join(map(_quoted, index))
            connection.execute(f"CREATE INDEX IF NOT EXISTS {title} ON {name} ({parts})")


def _add_column(connection: sqlite3.Connection, table: str, column: str, kind: str) -> None:
    try:
        connection.execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN {_quoted(column)} {kind}")
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"the table {table} of this database was made by an older pipeline and lacks the column {column}, "
            "which can't be added to it; name a new database file"
        ) from error


def gather(pipeline: Pipeline, records: Iterable[Mapping[str, Any]]) -> list[tuple[Table, list[Any], Rows]]:
    """All that a batch of records has for the pipeline's tables: (table, owners to clean, rows), in declared order.

    :raises ValueError: if `tables_of` names a table that the pipeline does not declare.
    """
    if pipeline.tables_of is None:
        return []
    tables = {table.name: table for table in pipeline.tables}
    places = {table.name: {column: place for place, column in enumerate(table.columns)} for table in pipeline.tables}
    shared: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    owned: dict[str, dict[Any, list[tuple[Any, ...]]]] = defaultdict(dict)
    for record in records:
        parts = pipeline.tables_of(record)
        if unknown := parts.keys() - tables.keys():
            raise ValueError(
                f"the pipeline {pipeline.name} fills tables it does not declare: {', '.join(sorted(unknown))}"
            )
        for name, rows in parts.items():
            owner = tables[name].owner
            if owner is None:
                shared[name] += rows
                continue
            fresh: dict[Any, list[tuple[Any, ...]]] = {
                row[places[other][owner]]: [] for other in parts if owner in places[other] for row in parts[other]
            }
            for row in rows:
                fresh[row[places[name][owner]]].append(row)
            owned[name].update(fresh)
    gathered: list[tuple[Table, list[Any], Rows]] = []
    for name, table in tables.items():
        by_owner = owned.get(name, {})
        rows = [row for rows in by_owner.values() for row in rows] if table.owner else shared.get(name, [])
        if rows or by_owner:
            gathered.append((table, list(by_owner), rows))
    return gathered


def write(connection: sqlite3.Connection, gathered: Sequence[tuple[Table, list[Any], Rows]]) -> None:
    """Remove, children first; then insert, parents first (as the pipeline declared them)."""
    for table, owners, _ in reversed(gathered):
        if table.owner is not None:
            statement = f"DELETE FROM {_quoted(table.name)} WHERE {_quoted(table.owner)} = ?"  # noqa: S608 - quoted
            connection.executemany(statement, [(owner,) for owner in owners])
    for table, _, rows in gathered:
        names, marks = ", ".join(map(_quoted, table.columns)), ", ".join("?" * len(table.columns))
        statement = f"INSERT OR REPLACE INTO {_quoted(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 - quoted
        connection.executemany(statement, [tuple([_storable(value) for value in row]) for row in rows])


def read(connection: sqlite3.Connection, table: Table) -> list[tuple[Any, ...]]:
    """All rows of a table."""
    names = ", ".join(map(_quoted, table.columns))
    return connection.execute(f"SELECT {names} FROM {_quoted(table.name)}").fetchall()  # noqa: S608 - quoted


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
