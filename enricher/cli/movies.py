"""`enricher movies`: lists of films, enriched from TMDB."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..model import Pipeline
    from ..settings import Settings
    from .running import Wish

NO_KEY = (
    "no API key: set TMDB_API_KEY to a key of yours. It is free: make an account at www.themoviedb.org, then ask for one"
    " under Settings, API. (--dry-run needs none, and `enricher demo` shows everything without one.)"
)


def _known_encoding(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    import codecs

    try:
        if name is not None:
            "".encode(name)
            codecs.getincrementaldecoder(name)("replace")
            b"Title".decode(name, "ignore")  # "idna" knows no way to go on after an error
            return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise click.BadParameter(
            f"{name!r} is no encoding of texts; such are utf-8, cp1252, cp1250, shift_jis"
        ) from None
    return None


@click.command("movies", short_help="Enrich lists of films from TMDB.")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--only", metavar="LISTS", help="Of an export, only these lists: watched,diary.")
@click.option(
    "--encoding",
    metavar="NAME",
    callback=_known_encoding,
    help="The lists' encoding, such as cp1250.  [default: told from each]",
)
@click.option(
    "--out", "-o", metavar="FILE", help="Write the table here: .csv, .json, .jsonl or .md. Else CSV to stdout."
)
@click.option("--db", metavar="FILE", help="The database: jobs, films, remembered answers.  [default: ./enricher.db]")
@click.option("--mode", metavar="MODE", help="sequential, threaded or async.  [default: threaded]")
@click.option("--async", "use_async", is_flag=True, help="Short for --mode async.")
@click.option("--concurrency", metavar="N", help="Films worked on at a time.  [default: 10]")
@click.option("--rate", metavar="RATE", help="At most: 35/s, 40/10s, 40/10s,35/s, 1000/h or none.  [default: 35/s]")
@click.option("--burst", metavar="N", help="Pace the requests: N at once, then evenly. The rate's windows still hold.")
@click.option("--limiter", metavar="KIND", help="How the API counts: sliding or fixed windows.  [default: sliding]")
@click.option("--timeout", metavar="S", help="Seconds that one attempt may take.  [default: 10]")
@click.option("--limit", metavar="N", type=click.IntRange(0), help="As if the input ended after row N.")
@click.option("--dry-run", is_flag=True, help="Send nothing; tell what would be asked, and how long it would take.")
@click.option("--refresh", is_flag=True, help="Ask anew, whatever is known.")
@click.option("--review", metavar="FILE", help="Write the unsure and the missing with their candidates, as CSV.")
@click.option("--decisions", metavar="FILE", help="Read such a file back, with your choices.")
@click.option("--language", metavar="LANG", help="Of titles and overviews.  [default: en-US]")
@click.option("--include-adult", is_flag=True, help="Search films for adults too.")
@click.option("--base-url", metavar="URL", help="Stands for https://api.themoviedb.org/3.")
@click.option("--spreadsheet-safe", is_flag=True, help="Disarm cells that a spreadsheet would run as formulas.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@click.option("--no-progress", is_flag=True, help="No progress line and no closing table.")
@click.option("--config", metavar="FILE", help="A YAML file of settings: `name: value` lines.")
@click.option("-v", "--verbose", count=True, help="Tell more; twice tells of every request.")
def command(inputs: tuple[str, ...], config: str | None, use_async: bool, dry_run: bool, **words: Any) -> int:
    """Enrich lists of films from TMDB.

    INPUT is a Letterboxd or Trakt export (the ZIP, or any file of it), an IMDb list, or any CSV, JSON, Markdown or text
    file with titles or ids; - is the standard input. Several are merged into one set of films. The same input again goes
    on where it stopped.
    """
    from pathlib import Path

    from ..settings import load
    from .review import read_decisions

    names = ("db", "mode", "concurrency", "rate", "burst", "limiter", "timeout", "language", "base_url")
    flags = {name: words[name] for name in names}
    if use_async:
        if flags["mode"] not in (None, "async"):
            raise click.UsageError(f"--async and --mode {flags['mode']} contradict each other")
        flags["mode"] = "async"
    for flag in ("spreadsheet_safe", "include_adult"):
        if words[flag]:
            flags[flag] = True
    with _lists(inputs) as lists:
        return enrich_lists(
            load(flags, _path(config)),
            lists,
            dry_run=dry_run,
            encoding=words["encoding"],
            only=tuple(filter(None, map(str.strip, (words["only"] or "").split(",")))),
            out=_path(words["out"]),
            limit=words["limit"],
            refresh=words["refresh"],
            review=_path(words["review"]),
            decisions=() if words["decisions"] is None else tuple(read_decisions(Path(words["decisions"]))),
            decided_in=_path(words["decisions"]),
            as_json=words["as_json"],
            progress=not words["no_progress"],
            verbose=words["verbose"],
        )


@contextmanager
def _lists(inputs: tuple[str, ...]) -> Iterator[tuple[Path, ...]]:
    """The lists as files; the standard input becomes one for as long as the block runs, because lists are read twice."""
    import shutil
    import sys
    import tempfile
    from pathlib import Path

    if "-" not in inputs:
        yield tuple(map(Path, inputs))
        return
    if inputs.count("-") > 1:
        raise click.UsageError("the standard input (-) can be given once only")
    with tempfile.TemporaryDirectory(prefix="enricher-stdin-") as folder:
        copy = Path(folder, "stdin")
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield tuple(copy if name == "-" else Path(name) for name in inputs)


def _path(text: str | None) -> Path | None:
    from pathlib import Path

    return None if text is None else Path(text)


def enrich_lists(
    settings: Settings,
    inputs: tuple[Path, ...],
    *,
    dry_run: bool = False,
    encoding: str | None = None,
    only: tuple[str, ...] = (),
    **wishes: Any,
) -> int:
    """Enrich the lists, or tell the plan; returns the exit code. `encoding` and `only` are those of `read_films`,
    `wishes` those of `running.Wish`.
    """
    from ..errors import SettingError
    from ..export import format_of
    from ..pipelines.movies.pipeline import choice_fields, movies
    from ..pipelines.movies.sources import content_digest
    from .running import Wish, check_destinations, run_job, set_up_logging

    wish = Wish(inputs, "films", **wishes)
    set_up_logging(settings.log_level, wish.verbose)
    if wish.out is not None:
        format_of(wish.out)  # what can't be is told before the work, not after it
    check_destinations(wish, settings.db)
    pipeline = movies(
        base_url=settings.base_url,
        language=settings.language,
        windows=settings.windows,
        burst=settings.burst,
        limiter=settings.limiter,
        timeout_s=settings.timeout,
        include_adult=settings.include_adult,
        encoding=encoding,
        only=only,
    )
    _warn_of_connections(pipeline, settings)
    digest = content_digest(inputs)
    if dry_run:
        return _tell_plan(pipeline, settings, wish, digest)
    if settings.tmdb_api_key is None:
        raise SettingError(NO_KEY)
    keys = {pipeline.services[0].name: settings.tmdb_api_key.get_secret_value()}
    return run_job(pipeline, settings, wish, digest=digest, keys=keys, decide=choice_fields)


def _warn_of_connections(pipeline: Pipeline, settings: Settings) -> None:
    from urllib.parse import urlsplit

    from ..pipelines.movies.service import BASE_URL

    most = pipeline.services[0].max_connections
    own = urlsplit(pipeline.services[0].base_url).hostname == urlsplit(BASE_URL).hostname
    if most is not None and own and settings.concurrency > most:
        click.echo(
            f"warning: TMDB allows {most} connections an address; --concurrency is {settings.concurrency}", err=True
        )


def _tell_plan(pipeline: Pipeline, settings: Settings, wish: Wish, digest: str) -> int:
    """What a run would ask for. Nothing is sent, and the database is not written to."""
    import json

    from ..settings import rate_text
    from .planning import look_ahead
    from .watching import duration

    counts, forecast = look_ahead(pipeline, settings, wish.inputs, digest, wish.limit, refresh=wish.refresh)
    facts = {
        "rows": counts.rows,
        "films": counts.items,
        "already_known": counts.items - forecast.items + forecast.known,
        "requests_needed": forecast.requests,
        "forecast_seconds": round(forecast.elapsed_s, 1),
    }
    if wish.as_json:
        click.echo(json.dumps(facts, indent=2))
        return 0
    rate = rate_text(pipeline.services[0].windows)
    click.echo(
        f"{facts['rows']:,} rows, {facts['films']:,} distinct films, {facts['already_known']:,} already known.\n"
        f"{facts['requests_needed']:,} requests needed: about {duration(forecast.elapsed_s)} at {rate}, "
        f"{settings.concurrency} at a time. Nothing was sent."
    )
    return 0
