"""`enricher articles --dry-run`: what the articles would take and cost. Feeds are read for it, no page and no model is
asked.

An article's size is not known before its page is, so the forecast goes by the mean of real ones, and says what texts
`LONG` times as long would cost. Time is what the slots or the rate of the web need, whichever is longer. Known are the
articles that a job with the same options has analysed, as far as their pages are remembered.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from ..model import Item
    from ..pipelines.articles.pipeline import Articles
    from ..pipelines.articles.reading import Reading
    from ..settings import ArticleSettings
    from ..store import Store
    from .running import Wish

TOKENS_IN, TOKENS_OUT = 1_415, 600
"""Of an article in the mean: 1,115 of the texts of 181 real pages, 300 of our prompt; 600 of an analysis."""

LONG = 3
"""Of an article that is long: so many times the text. Its analysis takes all the room that it has."""

ANALYSIS_S, PAGE_S = 3.5, 0.5
"""What an analysis and a page take, seconds: about, of models and sites in everyday use."""


def tell_forecast(store: Store, settings: ArticleSettings, chosen: Articles, reading: Reading, wish: Wish) -> int:
    """Print the plan; returns the exit code."""
    facts = _forecast(store, settings, chosen, reading, refresh=wish.refresh)
    if wish.as_json:
        click.echo(json.dumps(facts, indent=2))
        return 0
    from .watching import duration

    (who,) = facts["analysts"]
    cost = "on this machine, at no cost"
    if settings.provider != "local":
        cost = (
            f"{facts['tokens_in']:,} tokens in, {facts['tokens_out']:,} out; about {facts['cost']}, "
            f"{facts['cost_if_long']} if the texts are {LONG} times as long as usual"
        )
    click.echo(
        f"{facts['articles']:,} articles, {facts['already_known']:,} already analysed.\n"
        f"{facts['requests_needed']:,} requests needed: about {duration(facts['forecast_seconds'])}, "
        f"{settings.concurrency} at a time.\n"
        f"By {who}: {cost}. No page and no model was asked."
    )
    return 0


def _forecast(
    store: Store, settings: ArticleSettings, chosen: Articles, reading: Reading, *, refresh: bool
) -> dict[str, Any]:
    from ..model import Usage
    from ..pipelines.articles.analysts import ModelAnalyst
    from ..purse import money

    items = [row.item for row in reading.rows if row.item is not None]
    known = set() if refresh else _known(store, settings, chosen, reading, items)
    todo = [item for item in items if item.key not in known]
    first = chosen.analysts[0]
    model = first if isinstance(first, ModelAnalyst) else None
    pages = [
        item.fields["url"] for item in todo if item.fields["url"] is not None
    ]  # without one, the feed holds the text
    robots = 0 if settings.ignore_robots else len({urlsplit(page).netloc for page in pages})
    web_requests, analyses = len(pages) + robots, 0 if model is None else len(todo)
    usual = Usage(TOKENS_IN * analyses, TOKENS_OUT * analyses)
    long = Usage(LONG * usual.tokens_in, (0 if model is None else model.max_tokens) * analyses)
    costs = [0, 0]
    if model is not None and model.price is not None:
        costs = [round(model.price.of(usage) * model.discount) for usage in (usual, long)]
    slots = 1 if settings.mode == "sequential" else settings.concurrency
    windows = chosen.pipeline.services[0].windows
    per_s = min((window.limit / window.period_s for window in windows), default=float("inf"))
    seconds = max(web_requests / per_s, (len(pages) * PAGE_S + analyses * ANALYSIS_S) / slots)
    return {
        "articles": len(items),
        "already_known": len(known),
        "requests_needed": web_requests + analyses,
        "analysts": [first.name],
        "tokens_in": usual.tokens_in,
        "tokens_out": usual.tokens_out,
        "cost": money(costs[0]),
        "cost_if_long": money(costs[1]),
        "forecast_seconds": round(seconds, 1),
    }


def _known(
    store: Store, settings: ArticleSettings, chosen: Articles, reading: Reading, items: Sequence[Item]
) -> set[str]:
    """The keys of the items that this job, or another with the same options, has analysed already."""
    from ..core.freshness import key_of
    from ..engine import fingerprint
    from ..model import Request

    pipeline = chosen.pipeline
    own: set[str] = set()
    others: set[str] = set()
    for job in store.jobs():
        if job.pipeline == pipeline.name and dict(job.options) == dict(pipeline.options):
            found = own if job.fingerprint == fingerprint(pipeline, reading.digest, None) else others
            found |= {row.key for row in store.export_rows(job.id) if row.status == "enriched" and row.key is not None}
    wanted = [item for item in items if item.key in others - own] if settings.cache_enabled else []
    pages = {
        item.key: item.fields["url"] and Request(chosen.fetcher.web, item.fields["url"], expects="bytes")
        for item in wanted
    }
    remembered = {key for key, page in pages.items() if not page or store.recall(key_of(page)) is not None}
    return {item.key for item in items} & own | remembered
