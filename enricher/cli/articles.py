"""`enricher articles` and `enricher run`: feeds and pages, read, analysed and reported."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..engine import Engine
    from ..model import Outcome, Request, Window
    from ..pipelines.articles.inputs import Inputs
    from ..pipelines.articles.pipeline import Articles
    from ..pipelines.articles.reading import Reading
    from ..settings import ArticleSettings
    from ..store import Store
    from .running import Wish

F = TypeVar("F", bound=Callable[..., Any])

MOST_READ = 20
"""Feeds and pages that may wait to be written down while sources are read."""

MOST_NAMED = 50
"""So many feeds that brought nothing are named; all of them are in the table, and in `enricher feeds`."""

NOUN, LOCAL = "articles", "local"
NO_FEEDS = "no feeds: name some with `enricher feeds add URL`, as `feeds:` in a --config file, or in RSS_FEED_URL"

_OPTIONS = (
    click.option(
        "--out",
        "-o",
        metavar="FILE",
        help="Write the table here: .csv, .json, .jsonl or .md. Without it and --report, CSV to stdout.",
    ),
    click.option("--report", metavar="FILE", help="Write the report here: .md or .html."),
    click.option("--only-new", is_flag=True, help="Report only what no earlier report of the database tells of."),
    click.option("--limit", metavar="N", type=click.IntRange(0), help="At most N articles."),
    click.option("--since", metavar="TIME", help="Only articles younger than this: 12h, 7d. Undated ones are kept."),
    click.option("--provider", metavar="WHO", help="local, anthropic, openai or mistral.  [default: local]"),
    click.option("--model", metavar="M", help="The provider's model.  [default: a small one]"),
    click.option("--base-url", metavar="URL", help="The API's address, as its makers give it (Ollama, Gemini, Azure)."),
    click.option(
        "--fallback",
        metavar="WHO[:M][@URL]",
        multiple=True,
        help="Asked where the provider is exhausted, refuses or is down. Several are asked in their order.",
    ),
    click.option("--max-tokens", metavar="N", help="Room for an analysis, thinking included.  [default: 1024]"),
    click.option("--reasoning-effort", metavar="E", help="How much a model is to think: low, medium, high."),
    click.option(
        "--stream/--no-stream", "stream", default=None, help="Have answers come in pieces.  [default: stream]"
    ),
    click.option("--batch", is_flag=True, help="Hand analyses in together: half the price, up to a day of waiting."),
    click.option("--budget", metavar="USD", help="Never spend more than this on a job, whatever happens."),
    click.option("--mode", metavar="MODE", help="sequential, threaded or async.  [default: threaded]"),
    click.option("--async", "use_async", is_flag=True, help="Short for --mode async."),
    click.option("--concurrency", metavar="N", help="Articles worked on at a time, at most 10.  [default: 5]"),
    click.option("--rate", metavar="RATE", help="Of pages and feeds: 10/s, 100/min or none.  [default: 10/s]"),
    click.option("--burst", metavar="N", help="So many of them at once.  [default: 5]"),
    click.option(
        "--limiter", metavar="KIND", help="How the rate counts: sliding or fixed windows.  [default: sliding]"
    ),
    click.option("--timeout", metavar="S", help="Seconds for one page or feed.  [default: 30]"),
    click.option("--ignore-robots", is_flag=True, help="Do not ask for robots.txt. For your own sites."),
    click.option(
        "--allow-private", metavar="HOST[:PORT]", multiple=True, help="A private host that may be fetched all the same."
    ),
    click.option("--dry-run", is_flag=True, help="Read the feeds; tell what the articles would take and cost."),
    click.option("--refresh", is_flag=True, help="Ask anew, whatever is known."),
    click.option("--spreadsheet-safe", is_flag=True, help="Disarm cells that a spreadsheet would run as formulas."),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout."),
    click.option("--no-progress", is_flag=True, help="No progress line and no closing table."),
    click.option("--config", metavar="FILE", help="A YAML file of settings."),
    click.option("--db", metavar="FILE", help="The database.  [default: ./enricher.db]"),
    click.option("-v", "--verbose", count=True, help="Tell more; twice tells of every request."),
)


def _options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("articles", short_help="Read feeds and pages, analyse the articles, write a report.")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@_options
def command(inputs: tuple[str, ...], **words: Any) -> int:
    """Read feeds and pages, analyse the articles, write a report.

    INPUT is the address of a feed, a page or an OPML file, or a file: OPML, a feed, browser bookmarks, newsboat's urls, a
    list of addresses, or a CSV with a column of them. Without a key, articles are analysed on this machine. The same input
    again goes on where it stopped.
    """
    return enrich_articles(_settings(words), inputs, _wish(words, inputs), dry_run=words["dry_run"])


@click.command("run", short_help="The same, with the feeds of the configuration.")
@_options
def run(**words: Any) -> int:
    """The same as `enricher articles`, with the feeds that are configured: those of `enricher feeds`, of the file's `feeds:`
    and of RSS_FEED_URL.
    """
    from ..errors import SettingError
    from .feeds import subscribed

    settings = _settings(words)
    inputs = tuple(dict.fromkeys([*settings.feeds, *subscribed(settings.db)]))
    if not inputs:
        raise SettingError(NO_FEEDS)
    return enrich_articles(settings, inputs, _wish(words, inputs), dry_run=words["dry_run"])


def _settings(words: dict[str, Any]) -> ArticleSettings:
    from ..settings import load_for_articles

    names = (
        *("db", "mode", "concurrency", "rate", "burst", "limiter", "timeout", "base_url"),
        *("provider", "model", "stream", "budget", "since", "max_tokens", "reasoning_effort"),
    )
    flags = {name: words[name] for name in names}
    if words["use_async"]:
        if flags["mode"] not in (None, "async"):
            raise click.UsageError(f"--async and --mode {flags['mode']} contradict each other")
        flags["mode"] = "async"
    for name in ("spreadsheet_safe", "batch", "ignore_robots"):
        if words[name]:
            flags[name] = True
    if words["fallback"]:
        flags["fallback"] = " ".join(words["fallback"])
    if words["allow_private"]:
        flags["allow_private"] = ",".join(words["allow_private"])
    settings = load_for_articles(flags, _path(words["config"]))
    idle = [f"--{name.replace('_', '-')}" for name in ("model", "base_url") if words[name]]
    if idle and settings.provider == LOCAL:
        click.echo(
            f"hint: {' and '.join(idle)} change nothing for the provider local; --provider names another", err=True
        )
    return settings


def _wish(words: dict[str, Any], inputs: tuple[str, ...]) -> Wish:
    from .running import Wish

    if words["only_new"] and words["report"] is None:
        raise click.UsageError("--only-new is of a report; name it with --report FILE")

    return Wish(
        tuple(Path(name) for name in inputs if _is_file(name)),
        NOUN,
        out=_path(words["out"]),
        limit=words["limit"],
        refresh=words["refresh"],
        as_json=words["as_json"],
        progress=not words["no_progress"],
        verbose=words["verbose"],
        report=_path(words["report"]),
        only_new=words["only_new"],
    )


def _have_memory_given_back() -> None:
    """Have the C library give large blocks back when they are free. Of itself glibc learns to keep them, up to 32 MB, for
    each thread (mallopt(3), M_MMAP_THRESHOLD), and feeds may be as large. Others know no such call.
    """
    import ctypes
    from contextlib import suppress

    m_mmap_threshold, least_bytes = -3, 1024 * 1024
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(m_mmap_threshold, least_bytes)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # an address may be longer than a file's name can be
        return False


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def articles_of(settings: ArticleSettings) -> Articles:
    """The pipeline as the settings want it.

    :raises MissingExtra: if its libraries are not installed.
    """
    from ..errors import MissingExtra

    try:
        from ..pipelines.articles.pipeline import Choices, articles
    except ImportError:
        raise MissingExtra("articles") from None
    from ..pipelines.articles.web import BURST, RATE

    windows = settings.windows
    return articles(
        Choices(
            today=datetime.now(UTC).date(),
            provider=settings.provider,
            model=settings.model,
            base_url=settings.base_url,
            fallbacks=tuple(settings.fallback),
            max_tokens=settings.max_tokens,
            reasoning_effort=settings.reasoning_effort,
            stream=settings.stream,
            batch=settings.batch,
            batch_size=settings.batch_size,
            windows=RATE if windows is None else windows,
            burst=settings.burst or (BURST if windows is None else None),
            limiter=settings.limiter,
            timeout_s=settings.timeout,
            api_timeout_s=settings.api_timeout,
            article_timeout_s=settings.article_timeout,
            api_minute_s=settings.api_minute,
            feeds_s=settings.ttl_rss,
            pages_s=settings.ttl_scraped,
            analyses_s=settings.ttl_api,
            heed_robots=not settings.ignore_robots,
            allowed=frozenset(settings.allow_private),
            contact=settings.contact,
            prices=settings.prices,
        )
    )


def keys_of(settings: ArticleSettings, chosen: Articles) -> dict[str, str]:
    """The keys that are needed, by service. A host gets the key that `api_keys` has for it.

    The key of a provider goes to one origin only: the provider's own if it is asked, else the first one that speaks like it.

    :raises SettingError: if one is missing.
    """
    from ..errors import SettingError
    from ..pipelines.articles.analysts import ModelAnalyst
    from ..pipelines.articles.providers.endpoints import NO_KEY

    models = [one for one in chosen.analysts if isinstance(one, ModelAnalyst)]
    at_home = [one for one in models if one.service.base_url == one.provider.base_url]
    homes: dict[str, str] = {}
    for one in (*at_home, *models):
        homes.setdefault(one.provider.key_variable, _origin(one.service.base_url))
    keys: dict[str, str] = {}
    for one in models:
        origin = _origin(one.service.base_url)
        host, variable = origin.partition("://")[2].lower(), one.provider.key_variable
        secret = settings.api_keys.get(host) or settings.api_keys.get(host.rpartition(":")[0])
        if secret is None and homes[variable] == origin:
            secret = getattr(settings, variable.lower())
        if secret is None and one.price is not None:
            where = variable if homes[variable] == origin else f"api_keys (`HOST: KEY` in --config) for {host}"
            raise SettingError(f"no API key: set {where} to a key of yours; --provider local needs none")
        keys[one.service.name] = NO_KEY if secret is None else secret.get_secret_value()
    return keys


def _origin(address: str) -> str:
    """An address' scheme and host."""
    return "/".join(address.split("/", 3)[:3])


class Tokens:
    """Counts the tokens of all streams as they come, for the progress line. Never their text: it is an article's."""

    def __init__(self, chosen: Articles) -> None:
        from ..pipelines.articles.analysts import ModelAnalyst

        models = (one for one in chosen.analysts if isinstance(one, ModelAnalyst))
        self._count = {one.service.name: one.provider.count_deltas for one in models}
        self._seen = 0

    def show(self, request: Request, piece: bytes) -> None:
        """A piece of a stream. An item more or less, where two threads count at once, is no matter."""
        self._seen += self._count[request.service.name](piece)

    def told(self) -> str:
        """How many there were."""
        return f"{self._seen:,} tokens streamed" if self._seen else ""


def read(
    engine: Engine, store: Store, chosen: Articles, inputs: Inputs, since_s: float | None, limit: int | None
) -> Reading:
    """All feeds, read; their rows. What was learnt is kept, and how each feed is."""
    from ..modes.performer import Stop
    from ..pipelines.articles.pipeline import lane_of
    from ..pipelines.articles.reading import FEED_TABLE, reading_recipe, rows_of, sources_of, with_listed
    from ..store import Writer

    outcomes: list[Outcome] = []

    def remember(batch: Sequence[Outcome]) -> None:
        """What was fetched is kept as it comes, and not held: a list may name thousands of pages."""
        store.remember([learnt for outcome in batch for learnt in outcome.learnt])
        outcomes.extend(replace(outcome, learnt=()) for outcome in batch)

    for _ in range(2):  # once more for the feeds of the lists of feeds
        sources = list(sources_of(inputs, outcomes))
        if sources:
            with Writer(remember, most_waiting=MOST_READ) as sink:
                engine.work(sources, reading_recipe(chosen.fetcher), sink, Stop(), lane_of=lane_of)
        inputs = with_listed(inputs, outcomes)
    now = datetime.now(UTC)
    since = None if since_s is None else f"{now - timedelta(seconds=since_s):%Y-%m-%dT%H:%M:%SZ}"
    store.prepare([FEED_TABLE])
    known = {row[0]: row for row in store.rows_of(FEED_TABLE)}
    reading = rows_of(inputs, outcomes, since, limit, known)
    store.put_rows(
        FEED_TABLE,
        [
            (one.url, one.title or _old_title(known, one.url), one.state, one.articles, f"{now:%Y-%m-%dT%H:%M:%SZ}",
             known[one.url][5] if one.url in known else 0)
            for one in reading.feeds
        ],
    )  # fmt: skip
    return reading


def _old_title(known: dict[str, Any], url: str) -> str | None:
    return known[url][1] if url in known else None


def enrich_articles(settings: ArticleSettings, names: Sequence[str], wish: Wish, *, dry_run: bool = False) -> int:
    """Read, analyse, report; or tell the plan. Returns the exit code."""
    import json

    from ..engine import Tally, plan
    from ..export import format_of
    from ..purse import NANO
    from ..settings import rate_text
    from ..store import Store
    from .reporting import check_report, cost_facts, write_report
    from .running import check_destinations, engine_of, exit_code, set_up_logging, tell_skipped, watch_run, write_table
    from .watching import print_summary, summary

    set_up_logging(settings.log_level, wish.verbose)
    _have_memory_given_back()
    if wish.out is not None:
        format_of(wish.out)
    if wish.report is not None:
        check_report(wish.report)
    check_destinations(wish, settings.db)
    chosen = articles_of(settings)
    from ..pipelines.articles.inputs import read_inputs  # not before its libraries are known to be there

    inputs = read_inputs(names)
    keys = keys_of(settings, chosen) if not dry_run else {}
    _warn_of_rate(settings, chosen.pipeline.services[0].windows)
    if settings.budget is not None:
        wish = replace(wish, budget=round(settings.budget * NANO))
    pipeline = chosen.pipeline
    tokens = Tokens(chosen)
    on_chunk = tokens.show if wish.verbose else None
    with (
        Store(settings.db) as store,
        engine_of(settings, store, keys, refresh=wish.refresh, on_chunk=on_chunk) as engine,
    ):
        _tell_sources(inputs, wish)
        reading = read(engine, store, chosen, inputs, settings.since, wish.limit)
        _tell_reading(reading, wish)
        if dry_run:
            from .forecasting import tell_forecast

            return tell_forecast(store, settings, chosen, reading, wish)
        job = plan(store, pipeline, _job_name(names), reading.digest, reading.rows)
        tell_skipped(store, job)
        if wish.refresh:
            with store.lock_job(job.id):
                store.reset(job.id)
        states = store.counts(job.id).items_by_status
        tally = Tally(total=sum(states.get(state, 0) for state in ("pending", "failed", "deferred")))
        ended = watch_run(engine, pipeline, job, tally, wish, tokens.told)
        if wish.report is not None:
            write_report(store, job, wish.report, only_new=wish.only_new)
        if wish.out is not None:
            write_table(store, job, pipeline, wish.out, settings.spreadsheet_safe, to_stdout=False)
        elif wish.report is None and not wish.as_json:
            write_table(store, job, pipeline, None, settings.spreadsheet_safe, to_stdout=True)
        rate = rate_text(pipeline.services[0].windows)
        facts = summary(tally, store.counts(job.id), rate, store.reasons(job.id))
        facts |= cost_facts(store, job)
        if wish.as_json:
            click.echo(json.dumps({"job": job.id, **facts}, ensure_ascii=False, indent=2))
        elif wish.progress:
            print_summary(facts, NOUN)
        if ended is not None:
            click.echo(f"enricher: {ended}; the same command goes on where it stopped", err=True)
        return exit_code(facts["rows_by_status"])


def _job_name(names: Sequence[str]) -> str:
    """What `enricher jobs` calls it: its file or address; of several, the first one, short enough for a line."""
    first = Path(names[0]).name if _is_file(names[0]) else names[0].partition("://")[2]
    return first if len(names) == 1 else f"{first.partition('/')[0]} and {len(names) - 1} more"


def _warn_of_rate(settings: ArticleSettings, windows: Sequence[Window]) -> None:
    """A page needs a request or two before its analysis: a rate below that keeps workers waiting."""
    from ..settings import rate_text

    slowest = min((window.limit / window.period_s for window in windows), default=math.inf)
    if slowest < 2 * settings.concurrency:
        click.echo(
            f"hint: the rate of {rate_text(windows)} is less than twice the concurrency of {settings.concurrency} a second; "
            "some workers will wait for it",
            err=True,
        )


def _tell_sources(inputs: Inputs, wish: Wish) -> None:
    from ..pipelines.articles.reading import sources_of

    count = sum(1 for _ in sources_of(inputs))
    if count and wish.progress:
        click.echo(f"reading {_count(count, 'address', 'addresses')}", err=True)


def _tell_reading(reading: Reading, wish: Wish) -> None:
    """Name what brought nothing, and say how many articles there are."""
    from ..pipelines.articles.reading import NO_ENTRIES, OK

    nothing = [(feed.url, feed.state) for feed in reading.feeds if feed.state != OK]
    nothing += [*((name, NO_ENTRIES) for name in reading.empty), *reading.unread]
    for name, state in nothing[:MOST_NAMED]:
        click.echo(f"{name}: {state}", err=True)
    if len(nothing) > MOST_NAMED:
        click.echo(f"… and {len(nothing) - MOST_NAMED:,} more that brought nothing", err=True)
    parts = []
    if good := sum(feed.state in (OK, NO_ENTRIES) for feed in reading.feeds):
        articles = sum(feed.articles for feed in reading.feeds)
        parts.append(f"{_count(good, 'feed')} with {_count(articles, 'article')}")
    if reading.older:
        parts.append(f"{reading.older:,} older than --since left out")
    if reading.doubles:
        parts.append(f"{_count(reading.doubles, 'double')} left out")
    if parts and wish.progress:
        click.echo("; ".join(parts), err=True)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
