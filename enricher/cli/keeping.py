"""`enricher export`, `jobs`, `cache`: what lies in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from .opening import DB, open_store

if TYPE_CHECKING:
    from ..model import Item, Job, Pipeline
    from ..store import Store, Total

WIDE = 80
"""Columns of a screen that has room for two blanks between a table's columns."""


def _pipeline(name: str) -> Pipeline:
    from ..errors import MissingExtra, StoreError
    from ..model import Pipeline
    from ..pipelines.movies.pipeline import movies

    if name == "articles":
        try:
            from ..pipelines.articles.recipe import COLUMNS
        except ImportError:
            raise MissingExtra("articles") from None
        return Pipeline(name, _never, COLUMNS, merged=True)  # a table needs neither settings nor anybody who analyses
    if name != "movies":
        raise StoreError(f"the job is of the pipeline {name!r}, which this program does not know")
    return movies()


def _never(_item: Item) -> NoReturn:
    raise AssertionError("what lies in the database is asked nothing")


def _job(store: Store, number: int | None) -> Job:
    from ..errors import StoreError

    jobs = store.jobs()
    for job in reversed(jobs):
        if number is None or job.id == number:
            return job
    wanted = "no job yet" if number is None else f"no job {number}"
    raise StoreError(f"{store.path}: {wanted}; enricher jobs lists them")


@click.command("export", short_help="Write the table of any job again.")
@click.argument("job", type=int, required=False)
@click.option("--out", "-o", metavar="FILE", help="Write it here: .csv, .json, .jsonl or .md. Else CSV to stdout.")
@click.option("--spreadsheet-safe", is_flag=True, help="Disarm cells that a spreadsheet would run as formulas.")
@DB
def export(job: int | None, out: str | None, spreadsheet_safe: bool, db: str | None) -> int:
    """Write the table of a JOB (a number from `enricher jobs`; the newest if none is given). Asks nothing."""
    from .running import write_table

    with open_store(db) as store:
        found = _job(store, job)
        path = None if out is None else Path(out)
        write_table(store, found, _pipeline(found.pipeline), path, spreadsheet_safe, to_stdout=True)
    return 0


@click.command("jobs", short_help="List the jobs, or tell of one.")
@click.argument("job", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@DB
def jobs(job: int | None, as_json: bool, db: str | None) -> int:
    """List the jobs in the database, or tell of one JOB: how far it is, what it cost, and what it has saved."""
    import json

    from rich.console import Console
    from rich.table import Table

    from .saving import saving_of

    with open_store(db) as store:
        found = [_job(store, job)] if job is not None else store.jobs()
        told = [(each, store.counts(each.id), store.ledger.totals(each.id)) for each in found]
        saving = saving_of(store, told[0][0]) if job is not None else None
    if as_json:
        facts = [
            {
                "job": each.id,
                "pipeline": each.pipeline,
                "name": each.name,
                "state": each.state,
                "created_at": each.created_at,
                "updated_at": each.updated_at,
                "options": dict(each.options),
                "rows": counts.rows,
                "items": counts.items,
                "items_by_status": dict(sorted(counts.items_by_status.items())),
                "requests": each.requests,
                "cache_hits": each.hits,
                "retries": each.retries,
                "cost": [asdict(total) for total in costs],
                **({"saving": asdict(saving)} if saving is not None else {}),
            }
            for each, counts, costs in told
        ]
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return 0
    screen = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2 if screen.width >= WIDE else 1, 0, 0))
    for name in ("job", "list", "state", "rows", "done", "failed", "requests", "updated"):
        right = name in ("job", "rows", "done", "failed", "requests")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name != "list")
    for each, counts, _ in told:
        by_status = counts.items_by_status
        done = sum(by_status.get(status, 0) for status in ("enriched", "unsure", "not_found"))
        table.add_row(
            *(str(each.id), each.name, each.state, f"{counts.rows:,}", f"{done:,}", f"{by_status.get('failed', 0):,}"),
            *(f"{each.requests:,}", each.updated_at[:16].replace("T", " ")),
        )
    screen.print(table)
    if job is not None:
        for line in [*cost_lines(told[0][2]), *([str(saving)] if saving is not None else [])]:
            click.echo(line)
    return 0


def cost_lines(totals: Sequence[Total]) -> list[str]:
    """What a job cost, a line a model. What was never answered may have cost something too."""
    from ..purse import money

    lines = []
    for one in totals:
        line = (
            f"{one.provider} {one.model}: {one.calls:,} calls, {one.tokens_in:,} tokens in ({one.tokens_cached:,} cached), "
            f"{one.tokens_out:,} out: {money(one.cost_nano, one.currency)}"
        )
        unsettled = one.unknown_calls + one.open_calls
        if unsettled:
            line += f"; {unsettled:,} without an answer: at most {money(one.unknown_nano + one.open_nano, one.currency)} more"
        lines.append(line)
    return lines


@click.group("cache", no_args_is_help=False, short_help="Remembered answers: stats, prune, clear.")
def cache() -> None:
    """Remembered answers, as they lie in the database."""


@cache.command("stats")
@DB
def stats(db: str | None) -> int:
    """How many answers are remembered, and how much they take."""
    from datetime import UTC, datetime

    with open_store(db) as store:
        known = store.answer_stats()
    click.echo(f"{known.answers:,} answers, {known.stored_bytes / 1e6:,.1f} MB")
    for kind, count in known.by_kind.items():
        click.echo(f"  {kind}: {count:,}")
    if known.oldest_at is not None:
        click.echo(f"oldest: {datetime.fromtimestamp(known.oldest_at, UTC):%Y-%m-%d %H:%M} UTC")
    return 0


@cache.command("prune")
@click.option("--max-mb", type=click.FloatRange(0), help="Keep at most so much, the newest.")
@click.option("--older-than-days", type=click.FloatRange(0), help="Forget what is older.")
@DB
def prune(max_mb: float | None, older_than_days: float | None, db: str | None) -> int:
    """Forget the oldest answers: those over the size, or over the age."""
    with open_store(db) as store:
        count = store.prune_answers(
            None if max_mb is None else round(max_mb * 1_000_000),
            older_than_s=None if older_than_days is None else older_than_days * 86_400,
        )
    click.echo(f"{count:,} answers forgotten")
    return 0


@cache.command("clear")
@DB
def clear(db: str | None) -> int:
    """Forget all answers. Jobs and films stay."""
    with open_store(db) as store:
        count = store.clear_answers()
    click.echo(f"{count:,} answers forgotten")
    return 0
