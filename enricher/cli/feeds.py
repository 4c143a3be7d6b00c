"""`enricher feeds`: which feeds `enricher run` reads, and how each of them was the last time."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .opening import DB, open_store

if TYPE_CHECKING:
    from ..store import Store

NEVER_READ = "not read yet"
WIDEST = 1_000
"""Columns of what is no screen: a feed a line, for grep and its like."""
MOST_TITLE = 40

_SECRET = re.compile(r"//[^/\s]*@")


@click.group("feeds", no_args_is_help=False, short_help="The feeds of `enricher run`: list, add, remove, OPML.")
def feeds() -> None:
    """The feeds that `enricher run` reads."""


def _open(db: str | None, *, make: bool = False) -> Store:
    """The database with its table of feeds. `make`: where there is none, one is made."""
    from ..errors import MissingExtra
    from ..settings import load
    from ..store import Store

    try:
        from ..pipelines.articles.reading import FEED_TABLE
    except ImportError:
        raise MissingExtra("articles") from None
    store = Store(load({"db": db}).db) if make else open_store(db)
    store.prepare([FEED_TABLE])
    return store


def subscribed(db: Path) -> list[str]:
    """The addresses of the feeds that are subscribed to, in the order of their addresses."""
    if not db.exists():
        return []
    with _open(str(db)) as store:
        return [row[0] for row in _rows(store) if row[5]]


def _rows(store: Store) -> list[tuple[Any, ...]]:
    from ..pipelines.articles.reading import FEED_TABLE

    return sorted(store.rows_of(FEED_TABLE))


def _put(store: Store, urls: list[tuple[str, str | None]], *, wanted: bool) -> int:
    """Subscribe, or no longer; how many were not so before?"""
    from ..pipelines.articles.reading import FEED_TABLE

    known = {row[0]: row for row in _rows(store)}
    changed = []
    for url, title in dict(reversed(urls)).items():
        before = known.get(url)
        if before is None:
            changed.append((url, title, NEVER_READ, None, None, int(wanted)))
        elif bool(before[5]) != wanted:
            changed.append((*before[:5], int(wanted)))
    store.put_rows(FEED_TABLE, changed)
    return len(changed)


@feeds.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@DB
def list_feeds(as_json: bool, db: str | None) -> int:
    """List all feeds that are known, and how each was the last time."""
    import json

    from rich.console import Console
    from rich.table import Table

    with _open(db) as store:
        rows = _rows(store)
    names = ("url", "title", "state", "articles", "checked_at", "subscribed")
    if as_json:
        facts = [{**dict(zip(names, row, strict=True)), "subscribed": bool(row[5])} for row in rows]
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    table.add_column("feed", overflow="fold")
    table.add_column("title", overflow="ellipsis", no_wrap=True, max_width=MOST_TITLE)
    table.add_column("state", overflow="fold")
    table.add_column("articles", justify="right")
    table.add_column("checked")
    table.add_column("run")
    for url, title, state, count, checked_at, wanted in rows:
        cells = (
            url,
            title or "",
            state,
            "" if count is None else f"{count:,}",
            (checked_at or "")[:16].replace("T", " "),
        )
        table.add_row(*cells, "yes" if wanted else "")
    width = None if sys.stdout.isatty() else WIDEST
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)
    return 0


@feeds.command("add")
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@DB
def add(urls: tuple[str, ...], db: str | None) -> int:
    """Have `enricher run` read these feeds."""
    addresses = [_address(url) for url in urls]
    with _open(db, make=True) as store:
        count = _put(store, [(address, None) for address in addresses], wanted=True)
    click.echo(f"{count:,} added")
    return 0


@feeds.command("remove")
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@DB
def remove(urls: tuple[str, ...], db: str | None) -> int:
    """Have `enricher run` read these feeds no longer. What is known of them stays."""
    from ..errors import SettingError

    with _open(db) as store:
        known = {row[0] for row in _rows(store) if row[5]}
        addresses = [_address(url) for url in urls]
        for address in addresses:
            if address not in known:
                raise SettingError(f"feeds remove {address}: no such feed; `enricher feeds list` tells which there are")
        count = _put(store, [(address, None) for address in addresses], wanted=False)
    click.echo(f"{count:,} removed")
    return 0


@feeds.command("import")
@click.argument("file", metavar="OPML")
@DB
def import_opml(file: str, db: str | None) -> int:
    """Have `enricher run` read all feeds of an OPML file. What is no address in it is named and left out."""
    from ..errors import InputError, SettingError
    from ..pipelines.articles.opml import NotOpml, read_opml

    try:
        named = read_opml(Path(file).read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or 'it cannot be read'}") from None
    except NotOpml as reason:
        raise InputError(f"{file}: {reason}; export it again from your feed reader") from None
    good, wrong = [], []
    for title, url in named:
        try:
            good.append((_address(url), title or None))
        except SettingError as error:
            wrong.append(str(error))
    with _open(db, make=True) as store:
        count = _put(store, good, wanted=True)
    for line in wrong:
        click.echo(f"{file}: {line}", err=True)
    click.echo(f"{count:,} added")
    return int(bool(wrong))


@feeds.command("export")
@click.option("--out", "-o", metavar="FILE", help="Write it here. Else to stdout.")
@DB
def export_opml(out: str | None, db: str | None) -> int:
    """Write the feeds that `enricher run` reads, as OPML."""
    from ..export import write_whole
    from ..pipelines.articles.opml import write_opml

    with _open(db) as store:
        text = write_opml([(title or url, url) for url, title, *_, wanted in _rows(store) if wanted])
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(Path(out), lambda stream: stream.write(text))
    return 0


def _address(url: str) -> str:
    """The address as it is asked for.

    :raises SettingError: if it is none.
    """
    from ..errors import MissingExtra, SettingError

    try:
        from ..pipelines.articles.addresses import absolute
    except ImportError:
        raise MissingExtra("articles") from None
    try:
        return absolute(url)
    except ValueError as reason:  # its words are our own
        raise SettingError(f"feeds: {_SECRET.sub('//…@', url)[:100]!r}: {reason}") from None
