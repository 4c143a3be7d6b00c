"""What a person types: `python -m benchmarks`, in short `scripts/bench` and `scripts/compare`.

Exit codes: 0 all is well; 1 a gate of `--fail-if` failed, a mode of ours is INVALID, or something ended the run early; 2
nothing was measured, or a word was wrong; 130 Ctrl-C or SIGTERM. What was measured is kept.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from enricher import EnricherError
from enricher.simulator.behaviour import Latency, Quota

from . import reports, runner, subjects, tune
from .compare import NotComparable, compare, comparison_html, comparison_json, comparison_markdown
from .gates import GateError, check
from .reports.terminal import for_terminal
from .runner import Options, Progress
from .runs import Measurement, Run, UnreadableRun, read
from .scenarios import ALL, BY_NAME, Scenario
from .summary import Summary, summarise
from .verdicts import MARGIN

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".bench"
"""Where reports go unless somebody wants them elsewhere; git does not look there."""

NOTHING_MEASURED = 2
INTERRUPTED = 130
START_S = 0.9
"""About what a client needs besides its work, seconds: for the forecast of a run."""

STDERR = Console(stderr=True)


class _Scenarios(click.Group):
    """`bench NAME...` runs scenarios; the other words are commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Scenarios, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Sequential, threaded, async: measured.

    `bench [SCENARIO...]` runs scenarios (all, if none is named) and writes a report for each.
    """


def _modes(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """`--modes a,b`."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in subjects.NAMES:
            raise click.BadParameter(f"{name!r}: there are {', '.join(subjects.NAMES)}")
        if lacking := subjects.missing(name):
            raise click.BadParameter(f"{name} needs {lacking}; scripts/bench installs it")
    if not names:
        raise click.BadParameter("name at least one")
    return names


def _margin(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """`5%` or `0.05`."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise click.BadParameter(f"{text!r}: write 5% or 0.05")
    return share


def _slowed(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    """`--inject async=5%`."""
    found = {}
    for text in texts:
        name, _, share = text.partition("=")
        if name not in subjects.NAMES:
            raise click.BadParameter(f"{text!r}: write NAME=5%; the names are {', '.join(subjects.NAMES)}")
        found[name] = _margin(_context, _parameter, share) or 0.0
    return found


@main.command()
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Half the rounds.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="So many rounds.  [default: as `list` says]")
@click.option("--modes", metavar="NAME,...", callback=_modes, help="Only these modes and baselines.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of latencies and faults.  [default: 0]")
@click.option("--time-scale", type=click.FloatRange(0.001, 100), help="Multiply the API's times by this.")
@click.option("--margin", metavar="5%", callback=_margin, default="5%", help="What counts as a match.  [default: 5%]")
@click.option(
    "--inject",
    "slowed",
    metavar="NAME=5%",
    multiple=True,
    callback=_slowed,
    help="Slow this one down, to see it found.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="A folder for the reports.")
def run(names: tuple[str, ...], quick: bool, rounds: int | None, out: Path | None, **words: Any) -> int:
    """Run scenarios; each leaves a JSON, an HTML and a Markdown file."""
    if quick and rounds is not None:
        raise click.UsageError("--quick and --rounds contradict each other")
    if words["time_scale"] is not None and not math.isfinite(words["time_scale"]):
        raise click.BadParameter("write a number", param_hint="--time-scale")
    for name in names:
        if name not in BY_NAME:
            raise click.BadParameter(f"{name!r}: there are {', '.join(BY_NAME)}", param_hint="SCENARIO")
    scenarios = [BY_NAME[name] for name in dict.fromkeys(names)] or list(ALL)
    out = out or PLACE / datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    out.mkdir(parents=True, exist_ok=True)
    codes = set()
    for scenario in scenarios:
        count = rounds or (max(1, -(-scenario.rounds // 2)) if quick else scenario.rounds)
        options = Options(count, words["seed"], words["modes"], words["margin"], slowed=words["slowed"])
        options = replace(options, command=_command(scenario.name, options, words["time_scale"]))
        done = _measure(scenario.scaled(words["time_scale"] or scenario.time_scale), options)
        codes.add(_report(done, out))
        if done.trouble:
            click.echo(f"bench: {done.trouble}", err=True)
            return max(1, *codes)
        if done.interrupted:
            return INTERRUPTED
    return max(codes)


def _command(scenario: str, options: Options, time_scale: float | None) -> str:
    """The words that repeat this run. No folder: that of a report is its reader's business."""
    words = ["scripts/bench", scenario, "--rounds", str(options.rounds)]
    words += [] if options.modes is None else ["--modes", ",".join(options.modes)]
    words += ["--seed", str(options.seed)] if options.seed else []
    words += [] if time_scale is None else ["--time-scale", f"{time_scale:g}"]
    words += [] if options.margin == MARGIN else ["--margin", f"{100 * options.margin:g}%"]
    words += [word for name, share in options.slowed.items() for word in ("--inject", f"{name}={100 * share:g}%")]
    return shlex.join(words)


def _measure(scenario: Scenario, options: Options) -> Run:
    STDERR.print(f"[bold]{scenario.name}[/]: {scenario.meaning}", highlight=False)
    STDERR.print(f"{options.rounds} rounds, {_forecast(scenario, options)} or less.", highlight=False)
    with STDERR.status("starting …", refresh_per_second=1) as status:
        return runner.measure(scenario, options, lambda progress: status.update(_progress(progress)))


def _forecast(scenario: Scenario, options: Options) -> str:
    seconds = runner.forecast_s(scenario, options, START_S)
    return f"about {seconds / 60:.0f} minutes" if seconds > 90 else f"about {seconds:.0f} s"  # words


def _progress(progress: Progress) -> str:
    one: Measurement = progress.measurement
    what = one.problem or f"{one.wall_s:.2f} s"
    return f"{progress.number} of at most {progress.most}: round {one.round + 1}, {one.subject} {what}"


def _report(done: Run, out: Path) -> int:
    """Write a run's files and say what it found; the exit code."""
    summary = summarise(done)
    for form in ("json", "html", "md"):
        (out / reports.file_name(done, form)).write_text(reports.FORMATS[form](done, summary), encoding="utf-8")
    Console().print(for_terminal(done, summary))
    click.echo(f"{out / reports.file_name(done, 'html')}\n{out / reports.file_name(done, 'json')}")
    return _code(summary)


def _code(summary: Summary) -> int:
    if not summary.measured:
        return NOTHING_MEASURED
    ours = [row for point in summary.points for row in point.rows if row.subject.ours]
    return 0 if all(row.valid for row in ours) else 1


@main.command("list")
def show_list() -> int:
    """What can be run."""
    for scenario in ALL:
        met = scenario.scaled(scenario.time_scale)
        minutes = runner.forecast_s(met, Options(scenario.rounds), START_S) / 60
        click.echo(f"{scenario.name:17} {scenario.rounds:2} rounds, {minutes:3.0f} min  {scenario.meaning}")
    lacking = {name: what for name in subjects.NAMES if (what := subjects.missing(name))}
    click.echo(f"\nmodes and baselines: {', '.join(name for name in subjects.NAMES if name not in lacking)}")
    for name, what in lacking.items():
        click.echo(f"not here: {name}, which needs {what}")
    return 0


@main.command("compare")
@click.argument("paths", metavar="RUN.json [OTHER.json]", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--margin", metavar="5%", callback=_margin, help="What counts as a match.  [default: the run's]")
@click.option("--fail-if", metavar="EXPRESSION", multiple=True, help="Exit 1 if e.g. threaded.wall>1.05*async.wall")
@click.option("--format", "form", type=click.Choice([*reports.FORMATS]), help="Instead of the terminal's table.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file for it.  [default: stdout]")
def compare_runs(
    paths: Sequence[Path], margin: float | None, fail_if: tuple[str, ...], form: str | None, out: Path | None
) -> int:
    """Tell of one run, or put two side by side; and judge them. The gates of --fail-if are about the last."""
    if len(paths) > 2:  # one or two
        raise click.UsageError("one run, or two")
    if out is not None and form is None:
        raise click.UsageError(f"--out needs a --format: {', '.join(reports.FORMATS)}")
    runs = [read(path) for path in paths]
    text = None if len(runs) == 1 else _pair(runs[0], runs[1], margin, form)
    summary = summarise(runs[-1], margin)
    if len(runs) == 1 and form is not None:
        text = reports.FORMATS[form](runs[0], summary)
    if text is None:
        Console().print(for_terminal(runs[0], summary))
    elif out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    code = _code(summary)
    for expression in fail_if:
        verdict = check(expression, summary.headline)
        click.echo(f"{'FAILED' if verdict.failed else 'passed'}: {verdict.said}", err=True)
        code = max(code, int(verdict.failed))
    return code


def _pair(one: Run, other: Run, margin: float | None, form: str | None) -> str:
    both = compare(one, other, margin)
    forms = {"md": comparison_markdown, "html": comparison_html, "json": comparison_json}
    if form not in (None, *forms):
        raise click.UsageError(f"--format {form} is for one run; two take {', '.join(forms)}")
    return forms[form or "md"](both)


@main.command("tune")
@click.option("--api-latency", metavar="175ms", help="How long an answer takes: 175ms, 100-300ms, lognormal:350ms:1.")
@click.option("--base-url", metavar="URL", help="Measure it at this API: 12 requests, one after the other.")
@click.option("--rate", metavar="35/s", default="none", help="The quota: 35/s, 40/10s.  [default: none]")
@click.option("--quick", is_flag=True, help="One round.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of latencies.  [default: 0]")
def tune_slots(api_latency: str | None, base_url: str | None, rate: str, quick: bool, seed: int) -> int:
    """Find the concurrency at the knee, and say what it would gain and cost.

    The sweep runs against the simulated API. With --base-url, $TMDB_API_KEY is sent along.
    """
    if (api_latency is None) == (base_url is None):
        raise click.UsageError("name --api-latency or --base-url")
    if base_url is not None:
        api_latency = tune.measured_latency(base_url, os.environ.get("TMDB_API_KEY"))
        click.echo(f"{base_url} answers in {api_latency}.")
    assert api_latency is not None
    Latency.parse(api_latency)
    quota = "none" if rate == "none" else str(Quota.parse(rate))
    done = _measure(tune.sweep(api_latency, quota), tune.options(quick, seed))
    if done.interrupted:
        return INTERRUPTED
    summary = summarise(done)
    if not summary.measured:
        click.echo("Nothing was measured.", err=True)
        return NOTHING_MEASURED
    click.echo("\n".join(tune.told(done, summary)))
    return 0


def cli() -> None:
    """The program: errors that a person can mend are one line."""
    try:
        sys.exit(main.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except (EnricherError, UnreadableRun, NotComparable, GateError, ValueError, RuntimeError, OSError) as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(NOTHING_MEASURED)
