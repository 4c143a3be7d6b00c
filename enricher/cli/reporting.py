"""What is written and told of a job of articles: the report, and what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SettingError
from ..export import write_whole

if TYPE_CHECKING:
    from ..model import Job
    from ..store import Store

SUFFIXES = (".md", ".markdown", ".html", ".htm")


def check_report(path: Path) -> None:
    """Refuse what a report can't be.

    :raises SettingError: if the suffix is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(f"--report {path}: the suffix is not known; allowed are .md and .html")


def write_report(store: Store, job: Job, path: Path, *, only_new: bool = False) -> None:
    """Write the job's report, as its suffix says. `only_new`: without what an earlier report told of.

    What it tells counts as told of once the file is written (`reported`).
    """
    from ..pipelines.articles.report import html, markdown
    from ..pipelines.articles.reported import REPORTED_TABLE, Reported

    write = markdown if path.suffix.lower() in SUFFIXES[:2] else html
    store.prepare([REPORTED_TABLE])
    reported = Reported(store.rows_of(REPORTED_TABLE))
    told_before = sum(not reported.is_new(row) for row in store.export_rows(job.id)) if only_new else 0
    rows = (row for row in store.export_rows(job.id) if not only_new or reported.is_new(row))
    text = write(reported.noting(rows), told_before)
    write_whole(path, lambda stream: stream.write(text), "report")
    store.put_rows(REPORTED_TABLE, reported.changes)
    left_out = f", without {told_before:,} that an earlier one tells of" if told_before else ""
    click.echo(f"{path}: the report{left_out}", err=True)


def cost_facts(store: Store, job: Job) -> dict[str, Any]:
    """What a job has cost in all its runs, from the ledger; nothing where nothing was paid for."""
    from ..purse import money

    totals = store.ledger.totals(job.id)
    if not totals:
        return {}
    return {
        "cost": money(sum(one.cost_nano for one in totals)),
        "cost_unknown_at_most": money(sum(one.unknown_nano for one in totals)),
        "paid_calls": sum(one.calls for one in totals),
        "tokens_in": sum(one.tokens_in for one in totals),
        "tokens_out": sum(one.tokens_out for one in totals),
    }
