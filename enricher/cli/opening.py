"""The database that commands look into: how it is named, and how it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..store import Store

DB = click.option("--db", metavar="FILE", help="The database.  [default: ./enricher.db]")


def open_store(db: str | None) -> Store:
    """The database that is there already; these commands make none."""
    from ..errors import StoreError
    from ..settings import load
    from ..store import Store

    path = load({"db": db}).db
    if not path.exists():
        raise StoreError(f"{path}: no such database; a run makes it, --db names another")
    return Store(path)
