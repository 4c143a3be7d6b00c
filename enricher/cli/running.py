"""One job under a person's eyes, whatever its pipeline: run it, let Ctrl-C end it, write the table, say how it went.

The engine works in a thread of its own; this one watches. So Ctrl-C reaches a thread that can always listen, and no signal
handler has to touch a lock.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine import Engine, Tally, plan
from ..errors import BudgetSpent, EnricherError, ServiceDown, SettingError, Undecided
from ..export import Format, write_export
from ..model import Job, Pipeline, Request
from ..modes.performer import Attempt, Stop
from ..store import Store
from .review import Decision, check_choices, write_review
from .watching import Watch, console, print_summary, summary

if TYPE_CHECKING:
    from ..settings import Settings

LOG = logging.getLogger("enricher")
INTERRUPTED = 130
TICK_S = 0.1
END_WITHIN_S = 2.5
"""How long we wait for the run to end after Ctrl-C, seconds: its grace time and a commit."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants of one run, beside its settings."""

    inputs: tuple[Path, ...]
    noun: str
    out: Path | None = None
    limit: int | None = None
    refresh: bool = False
    review: Path | None = None
    decisions: tuple[Decision, ...] = ()
    decided_in: Path | None = None
    as_json: bool = False
    progress: bool = True
    verbose: int = 0
    report: Path | None = None
    only_new: bool = False
    budget: int | None = None


def check_destinations(wish: Wish, db: Path) -> None:
    """Refuse to write into a folder that is not there, over a list, over a person's choices, or two things into one file.

    :raises SettingError: one line that names the flag and the file.
    """
    taken = {path.resolve(): "one of the lists" for path in wish.inputs}
    files = (
        *(("--decisions", wish.decided_in), ("--db", db)),
        *(("--out", wish.out), ("--review", wish.review), ("--report", wish.report)),
    )
    for flag, path in files:
        if path is None:
            continue
        if flag in ("--out", "--review", "--report"):
            if not path.parent.is_dir():
                raise SettingError(f"{flag} {path}: there is no such folder; make it, or choose another place")
            if path.is_dir():
                raise SettingError(f"{flag} {path}: this is a folder; name a file in it")
        if (other := taken.setdefault(path.resolve(), f"the file of {flag}")) != f"the file of {flag}":
            raise SettingError(f"{flag} {path}: this is {other}; choose another name")
    if wish.review is not None:
        check_choices(wish.review, wish.decisions)


def set_up_logging(level: str, verbose: int) -> None:
    """Our own log lines on stderr: `-v` tells of each retry, `-vv` of each request (`log_attempt`). No library below us is
    let speak, so nothing here ever sees a key.
    """
    from rich.logging import RichHandler

    screen = console()
    LOG.setLevel({0: level.upper(), 1: "INFO"}.get(verbose, "DEBUG"))
    LOG.propagate = False
    if screen.is_terminal:
        LOG.handlers = [RichHandler(console=screen, show_path=False, show_time=False, markup=False)]
    else:  # a line an event, however long it is
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
        LOG.handlers = [handler]


def log_attempt(attempt: Attempt) -> None:
    """Tell of one attempt: what was asked, how long it took, and what was wrong where anything was."""
    request = attempt.request
    asked = " ".join([request.method, request.path, *(f"{name}={value}" for name, value in request.params.items())])
    took = f"waited {attempt.granted_at - attempt.ready_at:.3f} s, took {attempt.done_at - attempt.sent_at:.3f} s"
    if not attempt.reason and attempt.first_byte_at is not None:
        first_s, tokens = attempt.first_byte_at - attempt.sent_at, attempt.tokens
        told = "" if tokens is None else f", {tokens:,} tokens in all"
        LOG.info("%s %s: first token after %.3f s%s (%s)", request.service.name, request.path, first_s, told, took)
    elif not attempt.reason:
        LOG.debug("%s: answered (%s)", asked, took)
    elif attempt.pause_s:
        LOG.info("%s: %s, everybody waits %.1f s (%s)", asked, attempt.reason, attempt.pause_s, took)
    else:
        LOG.info("%s: %s (%s)", asked, attempt.reason, took)


def run_job(
    pipeline: Pipeline,
    settings: Settings,
    wish: Wish,
    *,
    digest: str,
    keys: dict[str, str],
    decide: Callable[[str], dict[str, Any]],
) -> int:
    """Run a job to its end and tell; returns the exit code.

    `decide(choice)` turns a person's choice into fields of the item.

    :raises InputError, SettingError, StoreError, JobBusy, KeyRefused: as their rooms do.
    """
    from ..settings import rate_text

    read = pipeline.read
    assert read is not None  # noqa: S101  # a pipeline of the command line reads lists
    with Store(settings.db) as store:
        name = ", ".join(path.name for path in wish.inputs)
        job = plan(store, pipeline, name, digest, read(wish.inputs), wish.limit)
        tell_skipped(store, job)
        with store.lock_job(job.id):  # what another process is working on is not changed under its hands
            apply_decisions(store, job, wish.decisions, decide)
            if wish.refresh:
                store.reset(job.id)
        with engine_of(settings, store, keys, refresh=wish.refresh) as engine:
            tally = Tally(total=_todo_count(store, job))
            down = watch_run(engine, pipeline, job, tally, wish)
        if wish.review is not None:
            count = write_review(wish.review, store.unresolved(job.id))
            click.echo(f"{wish.review}: {count:,} {wish.noun} to look at; decide there, then --decisions", err=True)
        write_table(store, job, pipeline, wish.out, settings.spreadsheet_safe, to_stdout=not wish.as_json)
        rate = rate_text(pipeline.services[0].windows)
        facts = summary(tally, store.counts(job.id), rate, store.reasons(job.id))
        if wish.as_json:
            click.echo(json.dumps({"job": job.id, **facts}, ensure_ascii=False, indent=2))
        elif wish.progress:
            print_summary(facts, wish.noun)
        if down is not None:
            click.echo(f"enricher: {down}; the same command goes on where it stopped", err=True)
        open_rows = facts["rows_by_status"]
        return exit_code(open_rows)


def exit_code(rows_by_status: Mapping[str, int]) -> int:
    """0 where every row has its answer, else 1."""
    return int(any(rows_by_status.get(status) for status in ("failed", "pending", "deferred")))


def engine_of(
    settings: Settings,
    store: Store,
    keys: Mapping[str, str],
    *,
    refresh: bool,
    on_chunk: Callable[[Request, bytes], None] | None = None,
) -> Engine:
    """An engine as the settings want it."""
    from ..core.circuit import Patience
    from ..core.gate import Gate
    from ..core.retry import Backoff

    backoff = Backoff(
        settings.attempts, settings.backoff_s, settings.backoff_factor, settings.backoff_cap_s, settings.deadline_s
    )
    return Engine(
        keys=keys,
        mode=settings.mode,
        slots=settings.concurrency,
        store=store,
        backoff=backoff,
        memory_bytes=round(settings.l1_size_mb * 1_000_000) if settings.cache_enabled else 0,
        refresh=refresh or not settings.cache_enabled,
        recalls=settings.l2_enabled,
        observe=log_attempt if LOG.isEnabledFor(logging.INFO) else None,
        on_chunk=on_chunk,
        gate=Gate(patience=Patience(outage_s=settings.outage_s)),
        batch_poll_s=settings.batch_poll,
    )


def _todo_count(store: Store, job: Job) -> int:
    states = store.counts(job.id).items_by_status
    return sum(states.get(state, 0) for state in ("pending", "failed", "deferred"))


def watch_run(
    engine: Engine,
    pipeline: Pipeline,
    job: Job,
    tally: Tally,
    wish: Wish,
    more: Callable[[], str] = lambda: "",
) -> EnricherError | None:
    """Run the job in a thread and show how it gets on. What ends it early and is nobody's fault is told at the end, so it
    is returned: a service that is down, a budget that is spent, a batch that a person has to decide on. `more` is said at
    the end of the progress line.

    :raises click.exceptions.Exit: after Ctrl-C, when what was done is committed and the words to go on are said.
    """
    stop = Stop()
    # Not Thread.join: before Python 3.13, one that Ctrl-C interrupts takes the thread for dead, and what it does for lost.
    ended = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            engine.run(pipeline, job, stop, tally, budget=wish.budget, tell=watch.say)
        except BaseException as error:  # noqa: BLE001  # it is raised again in the main thread
            failure.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=work, name="enricher-job", daemon=True)
    watch = Watch(tally, engine.holds, wish.noun, show=wish.progress, more=more)
    with watch:
        try:
            thread.start()
            while not ended.wait(TICK_S):
                watch.tick()
        except KeyboardInterrupt:
            with contextlib.suppress(KeyboardInterrupt):  # a second one: no more patience, but the words all the same
                stop.set()
                ended.wait(END_WITHIN_S)
    if stop.is_set() and stop.reason is None:
        go_on = "the same command goes on where it stopped"
        click.echo(f"enricher: stopped with {tally.done:,} of {tally.total:,} {wish.noun} done; {go_on}", err=True)
        raise click.exceptions.Exit(INTERRUPTED)
    if failure and isinstance(failure[0], ServiceDown | BudgetSpent | Undecided):
        return failure[0]
    if failure:
        raise failure[0]
    return None


def tell_skipped(store: Store, job: Job, most: int = 20) -> None:
    """Name the text that was no row, on stderr."""
    skipped = store.skipped(job.id)
    for each in skipped[:most]:
        place = f"{each.source}:{each.line}" if each.line else each.source
        click.echo(f"{place}: skipped: {each.reason}", err=True)
    if len(skipped) > most:
        click.echo(f"… and {len(skipped) - most:,} more skipped lines", err=True)


def apply_decisions(
    store: Store, job: Job, decisions: tuple[Decision, ...], decide: Callable[[str], dict[str, Any]]
) -> None:
    """Take over a person's choices."""
    for decision in decisions:
        if store.decide(job.id, decision.key, decide(decision.choice)) == "unknown":
            click.echo(f"decision for {decision.key!r}: no such item in this list", err=True)


def write_table(
    store: Store,
    job: Job,
    pipeline: Pipeline,
    out: Path | None,
    spreadsheet_safe: bool,
    *,
    to_stdout: bool,
    form: Format | None = None,
) -> None:
    """The job's table: into `out`, or as CSV to stdout."""
    if out is None and not to_stdout:
        return
    count = write_export(
        store.export_rows(job.id),
        sys.stdout if out is None else out,
        input_columns=store.columns(job.id),
        record_columns=pipeline.columns,
        with_source=len(store.sources(job.id)) > 1,
        merged=pipeline.merged,
        spreadsheet_safe=spreadsheet_safe,
        form=form,
    )
    if out is not None:
        click.echo(f"{out}: {count:,} rows", err=True)
