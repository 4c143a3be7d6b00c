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


def write_report(store: Store, job: Job, path: Path) -> None:
    """The job's report, as its suffix says."""
    from ..pipelines.articles.report import html, markdown

    write = markdown if path.suffix.lower() in SUFFIXES[:2] else html
    text = write(store.export_rows(job.id))
    write_whole(path, lambda stream: stream.write(text), "report")
    click.echo(f"{path}: the report", err=True)


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
