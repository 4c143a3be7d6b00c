"""The demo: the simulated API in its own process, a bundled diary, the real command line, and what came of it."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..errors import SettingError
from ..settings import load
from ..simulator.behaviour import Behaviour
from ..simulator.process import running_simulator

SHOWN_ROWS = 12
FILES = ("diary.csv", "films.csv", "enricher.db", "review.csv")
SHOWN = ("Name", "Year", "status", "title", "directors", "runtime_min", "genres")


def show(folder: str | None) -> int:
    """Run the demo; returns the exit code of the enrichment.

    :raises SettingError: if the folder can't be, or holds a file of a name that the demo writes.
    """
    from .movies import enrich_lists

    here = folder_for(folder, FILES)
    diary, table, database, review = (here / name for name in FILES)
    diary.write_bytes(resources.files("enricher.cli").joinpath("diary.csv").read_bytes())
    with running_simulator(Behaviour.of(latency="100-300ms", quota="35/1s")) as api:
        click.echo(f"A simulated TMDB answers at {api.base_url} (0.1 to 0.3 s a request, 35 a second).", err=True)
        command = f"enricher movies {diary.name} --out {table.name} --review {review.name}"
        click.echo(f"$ {command}", err=True)
        # The demo is the demo, whatever the environment says of this person's own runs.
        settings = load(
            {"base_url": api.base_url, "db": database, "tmdb_api_key": "demo", "mode": "threaded", "rate": "35/s"}
        )
        code = enrich_lists(settings, (diary,), out=table, review=review)
        stats = api.stats()
    _print_table(table)
    click.echo(
        f"{stats['arrivals']} requests arrived at the API, {stats['rejected']} too many, "
        f"{stats['most_in_flight']} at a time at most.\n\n"
        f"The files are in {here}:\n"
        f"  {table.name}    the table, one line a diary entry\n"
        f"  {review.name}   what could not be told apart: choose there, then --decisions {review.name}\n"
        f"  {database.name}  jobs, films, people and remembered answers: what is known is not asked again\n\n"
        "With a TMDB key (free, www.themoviedb.org, Settings, API) it works on your own lists:\n"
        "  export TMDB_API_KEY=...\n"
        "  enricher movies letterboxd-export.zip --out films.csv"
    )
    return code


def folder_for(name: str | None, files: Sequence[str]) -> Path:
    """The folder that was asked for, made if need be; a new one where none was. Nothing that lies in it is ever written over.

    :raises SettingError: if it can't be, or holds one of the files.
    """
    if name is None:
        return Path(tempfile.mkdtemp(prefix="enricher-demo-"))
    here = Path(name)
    try:
        here.mkdir(parents=True, exist_ok=True)
        taken = sorted({*files} & {each.name for each in here.iterdir()})
    except (FileExistsError, NotADirectoryError):
        raise SettingError(f"--dir {here}: this is no folder; name another") from None
    except OSError as error:
        raise SettingError(f"--dir {here}: {error.strerror}; name another folder") from None
    if taken:
        raise SettingError(f"--dir {here}: there is a {taken[0]} already; name another folder")
    return here


def _print_table(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = Table(title=f"the first {SHOWN_ROWS} of {len(rows)} rows of {path.name}", title_justify="left")
    for name in SHOWN:
        table.add_column(name, overflow="ellipsis", no_wrap=name != "genres", max_width=28)
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*(row[name] for name in SHOWN))
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120  # a log has no width of its own; 80 would cut every column
    console.print(table)
