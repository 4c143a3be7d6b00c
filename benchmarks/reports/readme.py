"""What a README shows of stored runs: one table over all of them, and one chart that stands in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from ..runs import Run
from ..summary import FEW_ROUNDS, REFERENCE, PointSummary, Ratio, summarise
from ..verdicts import percent
from . import rows
from .scene import Scene
from .style import DARK_INK, LIGHT_INK
from .svg import STYLE

HEADER = (
    "scenario",
    "met",
    "bound s",
    "threaded s",
    "of the bound",
    "async : threaded",
    "sequential : threaded",
    "fastest baseline : threaded",
)


def performance(runs: Sequence[Run]) -> str:
    """The table: a line a run, of its headline; below it, where the figures come from."""
    lines = [_line(HEADER), _line(("---", "---", *["--:"] * (len(HEADER) - 2)))]
    lines += [_line(_row(run)) for run in runs]
    return "\n".join([*lines, "", _source(runs)]) + "\n"


def _row(run: Run) -> tuple[str, ...]:
    point = summarise(run).headline
    threaded = point.row(REFERENCE)
    known = threaded is not None and threaded.valid and threaded.wall_s is not None
    ours = {row.subject.name for row in point.rows if row.subject.ours}
    baselines = [ratio for ratio in point.ratios if ratio.of not in ours]
    fastest = min(baselines, key=lambda ratio: ratio.ratio.median, default=None)
    return (
        f"[{run.scenario}](benchmarks/results/{run.scenario}.md)",
        _met(run, point),
        f"{point.bound_s:.2f}" if point.bound_s else "-",
        f"{threaded.wall_s.median:.2f}"
        if known and threaded is not None and threaded.wall_s is not None
        else "INVALID",
        "-" if threaded is None or threaded.of_bound is None else percent(threaded.of_bound.median),
        *(
            (
                _times(point.ratio("async")),
                _times(point.ratio("sequential")),
                "-" if fastest is None else f"{fastest.of} {_times(fastest)}",
            )
            if point.control_holds
            else ("no verdict",) * 3
        ),
    )


def _met(run: Run, point: PointSummary) -> str:
    met = [point.point.name] if point.point.name else []
    if point.point.latency != "0":
        met.append(f"{point.point.latency} {'an analysis' if run.kind == 'articles' else 'a request'}")
    if point.point.quota != "none":
        met.append(point.point.quota)
    if point.point.faults:
        met.append("faults")
    if run.time_scale != 1:
        met.append(f"times × {run.time_scale:g}")
    return ", ".join(met)


def _times(ratio: Ratio | None) -> str:
    if ratio is None:
        return "-"
    if ratio.rounds < FEW_ROUNDS:
        return f"{ratio.ratio.median:.3f}"
    return f"{ratio.ratio.median:.3f} [{ratio.ratio.low:.3f}-{ratio.ratio.high:.3f}]"


def _source(runs: Sequence[Run]) -> str:
    about = runs[0].machine
    rounds = sorted({run.rounds for run in runs})
    many = f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
    commits = ", ".join(dict.fromkeys(run.commit for run in runs))
    return (
        f"Medians of {many} rounds, with 95 % intervals where there are five or more, at commit {commits}, on"
        f" {about.get('processor', 'an unknown processor')} ({about.get('cores', '?')} cores), Python"
        f" {about.get('python', '?')}. Seconds are of that machine; the ratios are what lasts."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def chart(run: Run) -> str:
    """Wall over bound of a run as a file of SVG, for light and for dark pages.

    :raises ValueError: if the run has no bound.
    """
    found = rows.wall_over_bound(Scene.of(run, summarise(run)))
    if found is None:
        raise ValueError(f"{run.scenario} has no bound, so there is nothing to draw")
    (picture,) = found.pictures
    style = (
        f"svg {{ {LIGHT_INK} font-family: system-ui, sans-serif; }}"
        f" @media (prefers-color-scheme: dark) {{ svg {{ {DARK_INK} }} }} {STYLE}"
    )
    return picture.replace(">", f"><style>{style}</style>", 1) + "\n"
