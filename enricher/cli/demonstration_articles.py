"""The demo of articles: feeds, pages and a model's API, all simulated; the real command line; and what came of it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..settings import load_for_articles
from ..simulator.behaviour import ArticlesBehaviour
from ..simulator.process import running_articles
from .demonstration import folder_for

SHOWN_ROWS = 10
FILES = ("article_analysis_report.md", "article_analysis_report.html", "articles.csv", "enricher.db")
SHOWN = ("site", "title", "topics", "word_count", "cost_usd")


def show(folder: str | None) -> int:
    """Run the demo; returns the exit code of the run.

    :raises SettingError: if the folder can't be, or holds a file of a name that the demo writes.
    """
    from .articles import enrich_articles
    from .running import Wish

    here = folder_for(folder, FILES)
    markdown, html, table, database = (here / name for name in FILES)
    with running_articles(ArticlesBehaviour.of(articles="6")) as api:
        click.echo(f"Simulated feeds, pages and a model's API answer at {api.base_url}.", err=True)
        click.echo(
            f"$ enricher articles FEED... --provider anthropic --report {markdown.name} --out {table.name}", err=True
        )
        settings = load_for_articles(
            {
                "db": database,
                "mode": "threaded",
                "provider": "anthropic",
                "base_url": api.llm("anthropic"),
                "anthropic_api_key": "demo",
                "rate": "40/s",
                "allow_private": [f"127.0.0.1:{api.port}"],
                "budget": 1.0,
            }
        )
        wish = Wish((), "articles", out=table, report=markdown)
        code = enrich_articles(settings, api.clean_feeds, wish)
        # The same again as HTML: nothing is asked twice.
        enrich_articles(settings, api.clean_feeds, Wish((), "articles", out=table, report=html, progress=False))
        totals = api.account()["totals"]["anthropic"]
    _print_table(table)
    click.echo(
        f"The API counts {totals['calls']} calls, {totals['tokens_in']:,} tokens in and {totals['tokens_out']:,} out; "
        "the second run for the HTML asked none.\n\n"
        f"The files are in {here}:\n"
        f"  {markdown.name}, .html   the report\n"
        f"  {table.name}                    the table, one line an article\n"
        f"  {database.name}                     jobs, feeds, remembered pages and analyses, and all paid calls\n\n"
        "On feeds of yours, first without a key (sentences are picked, none are written), then with one:\n"
        "  enricher articles https://example.org/feed.xml --report report.html\n"
        "  export ANTHROPIC_API_KEY=...\n"
        "  enricher articles https://example.org/feed.xml --provider anthropic --budget 0.50 --report report.html"
    )
    return code


def _print_table(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = Table(title=f"the first {SHOWN_ROWS} of {len(rows)} rows of {path.name}", title_justify="left")
    for name in SHOWN:
        table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=44)
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*(row[name] for name in SHOWN))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120  # as in the demo of films
    console.print(table)
