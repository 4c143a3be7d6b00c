"""Two runs side by side: two commits, or two machines.

Nothing is compared unless both met the same: scenario, kind, points, time scale (`comparable`). What is compared then:

    on one machine    wall time, CPU a request, peak memory, and what is relative
    on two            what is relative only: wall over threaded's of the same run, and the share of the bound

A machine is the same if its processor, cores and system are, and Python's minor version.

Two runs are never interleaved. A machine that was warmer in one of them looks like a change of the code, and no interval
holds that. So each run's control is told beside it, baselines that changed as well are a warning, and what is relative,
whose parts were interleaved, stands below what is absolute. What is INVALID in one run has no change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from .changes import FIGURES, Change, Comparison, Figure, PointComparison, Values, change
from .reports import html, markdown, text
from .reports.markdown import plain
from .reports.text import Table
from .runs import Run
from .summary import FEW_ROUNDS, REFERENCE, Ratio, Row, Summary, summarise
from .verdicts import control_holds

MACHINE = ("processor", "cores", "system", "python")
"""What makes a machine another one. Of Python only the minor version counts."""

_POINT = ("items", "slots", "latency", "quota", "faults")


class NotComparable(Exception):
    """Two runs did not meet the same; the message names all that differs."""


def comparable(one: Run, other: Run) -> list[str]:
    """Why the figures of two runs can't be compared at all, reason by reason; none where they can."""
    pairs: list[tuple[str, Any, Any]] = [
        ("scenario", one.scenario, other.scenario),
        ("kind", one.kind, other.kind),
        ("time scale", one.time_scale, other.time_scale),
        ("state", one.state, other.state),
        ("size of an answer", one.item_bytes, other.item_bytes),
        ("slow-down on purpose", dict(one.slowed), dict(other.slowed)),
        ("number of points", len(one.points), len(other.points)),
    ]
    alike = len(one.points) == len(other.points)
    for mine, theirs in zip(one.points, other.points, strict=True) if alike else ():
        where = f" of {mine.name}" if mine.name else ""
        pairs += [(f"{name}{where}", getattr(mine, name), getattr(theirs, name)) for name in _POINT]
    reasons = [_difference(*pair) for pair in pairs if pair[1] != pair[2]]
    if not {subject.name for subject in one.subjects} & {subject.name for subject in other.subjects}:
        reasons.append("no subject is in both")
    return reasons


def machine_differences(one: Run, other: Run) -> list[str]:
    """What makes the machines of two runs different ones. What nobody knows may differ."""
    known = [(name, _machine(one, name), _machine(other, name)) for name in MACHINE]
    return [
        _difference(name, mine or "unknown", theirs or "unknown")
        for name, mine, theirs in known
        if mine != theirs or not mine
    ]


def compare(one: Run, other: Run, margin: float | None = None) -> Comparison:
    """What changed from one run to the other, at the margin of the one or at another.

    :raises NotComparable: if they did not meet the same.
    """
    if reasons := comparable(one, other):
        raise NotComparable(f"these runs can't be compared: {'; '.join(reasons)}")
    margin = one.margin if margin is None else margin
    differences = tuple(machine_differences(one, other))
    names = _names(one, other)
    sides = _Side(one, summarise(one), names[0]), _Side(other, summarise(other), names[1])
    figures = [name for name, figure in FIGURES.items() if not (figure.absolute and differences)]
    points = tuple(
        PointComparison(point, tuple(_changes(*sides, index, figures, margin)))
        for index, point in enumerate(one.points)
    )
    return Comparison(
        runs=(one, other),
        names=names,
        margin=margin,
        differences=differences,
        points=points,
        controls=(sides[0].control, sides[1].control),
        verdict=_verdict(sides, points[one.headline], bool(differences)),
        warnings=tuple(_warnings(sides, points, differences)),
    )


# ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs, what follows from it, and its name."""

    run: Run
    summary: Summary
    name: str

    @property
    def control(self) -> Ratio | None:
        return self.summary.headline.control

    def row(self, index: int, subject: str) -> Row | None:
        return self.summary.points[index].row(subject)

    def valid(self, index: int, subject: str) -> bool:
        row = self.row(index, subject)
        return row is not None and row.valid

    def values(self, index: int, subject: str, figure: Figure) -> Values:
        """A figure of a subject, as far as it is known and above 0."""
        here = [one for one in self.run.measurements if one.point == index and one.counts]
        walls = {one.round: one.wall_s for one in here if one.subject == REFERENCE and self.valid(index, REFERENCE)}
        found = {one.round: (one.seed, figure.of(one, walls.get(one.round))) for one in here if one.subject == subject}
        return {number: (seed, value) for number, (seed, value) in found.items() if value}


def _changes(one: _Side, other: _Side, index: int, figures: Sequence[str], margin: float) -> Iterator[Change]:
    subjects = [row.subject for row in one.summary.points[index].rows if not row.subject.control_of]
    both = [subject for subject in subjects if all(side.valid(index, subject.name) for side in (one, other))]
    for name in figures:
        for subject in both:
            old, new = (side.values(index, subject.name, FIGURES[name]) for side in (one, other))
            if old and new:
                yield change(subject, name, (one.name, other.name), old, new, margin)


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _names(one: Run, other: Run) -> tuple[str, str]:
    if one.commit and other.commit and one.commit != other.commit:
        return one.commit, other.commit
    return "the first", "the second"


def _machine(run: Run, name: str) -> str:
    value = str(run.machine.get(name) or "")
    return ".".join(value.split(".")[:2]) if name == "python" else value


def _difference(name: str, one: Any, other: Any) -> str:
    mine, theirs = (str(value) if value not in ("", None) else "none" for value in (one, other))
    return f"{name} {mine} against {theirs}"


def _verdict(sides: tuple[_Side, _Side], headline: PointComparison, two_machines: bool) -> str:
    """The sentence at the head: what differs comes first."""
    run = sides[0].run
    where = f"{run.scenario}, {headline.point.name}" if headline.point.name else run.scenario
    loud = [side.name for side in sides if not side.summary.headline.control_holds]
    if loud:
        return f"{where}: no verdict. The control of {' and of '.join(loud)} did not come out as itself."
    ours = sorted((change for change in headline.changes if change.subject.ours), key=lambda one: not one.differs)
    found = [one.verdict for one in ours if one.figure == ("ratio" if two_machines else "wall")]
    if two_machines:  # the reference has no ratio
        found += [one.verdict for one in ours if one.figure == "of_bound" and one.subject.name == REFERENCE]
    found += [
        f"{row.subject.name} is INVALID in {side.name}"
        for side in sides
        for row in side.summary.headline.rows
        if row.subject.ours and not row.valid
    ]
    if not found:
        return f"{where}: nothing to compare."
    return f"{where}{', on two machines' if two_machines else ''}: {'; '.join(found)}."


def _warnings(
    sides: tuple[_Side, _Side], points: Sequence[PointComparison], differences: Sequence[str]
) -> Iterator[str]:
    """What to doubt, each with the next step."""
    if differences:
        yield (
            f"Two machines ({'; '.join(differences)}): wall time, CPU and memory are not compared, only what is relative"
            " within each run. Measure both on one machine for the rest."
        )
    else:
        yield (
            "The runs were not interleaved: a machine that was busier or warmer in one of them looks like a change."
            " Measure both again, in the other order, and trust what comes out twice."
        )
    for side in sides:
        if side.control is None:
            yield f"{side.name} has no valid control: nobody knows how quiet its machine was. Run it again with one."
        elif not control_holds(side.control.ratio):
            low, high = side.control.ratio.low, side.control.ratio.high
            yield (
                f"In {side.name}, {REFERENCE} against itself gave {low:.3f} to {high:.3f}: its machine was not quiet."
                " Close other programs, or run more rounds (--rounds 20)."
            )
        if side.run.interrupted:
            yield f"{side.name} was interrupted: rounds are missing. Run it again for all of them."
    changes = [change for point in points for change in point.changes]
    drifted = _of(one for one in changes if one.figure == "wall" and one.differs and not one.subject.ours)
    if drifted:
        yield (
            f"The wall time of baselines changed as well ({drifted}): it may be the machine."
            f" Look at the wall time over that of {REFERENCE}, which was interleaved."
        )
    if unpaired := _of(one for one in changes if not one.paired):
        yield f"Rounds or seeds differ ({unpaired}): they are not paired, and intervals are wide. Use the same --seed."
    if few := _of(one for one in changes if min(one.rounds) < FEW_ROUNDS):
        yield f"Fewer than {FEW_ROUNDS} rounds ({few}): intervals are wide. Use --rounds {2 * FEW_ROUNDS} or more."
    yield from _left_out(sides, points)
    mine, theirs = (dict(side.run.machine.get("libraries") or {}) for side in sides)
    names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    if names:
        told = "; ".join(_difference(name, mine.get(name), theirs.get(name)) for name in names)
        yield f"Libraries differ ({told}): a change may be theirs. Install the same and run again."


def _of(changes: Iterable[Change]) -> str:
    return ", ".join(dict.fromkeys(change.subject.name for change in changes))


def _left_out(sides: tuple[_Side, _Side], points: Sequence[PointComparison]) -> Iterator[str]:
    names = dict.fromkeys(subject.name for side in sides for subject in side.run.subjects)
    for name in names:
        for side in sides:
            rows = {index: row for index in range(len(points)) if (row := side.row(index, name)) is not None}
            if not rows:
                yield f"{name} was not measured in {side.name}, and has no change. Run it there too."
            for index, row in rows.items():
                if not row.valid:
                    where = f"{points[index].point.name}: " if points[index].point.name else ""
                    yield f"{where}{name} is INVALID in {side.name}: {row.problem}. Mend that and run again."


# ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def tables(comparison: Comparison) -> list[Table]:
    """The changes as tables, one for each point and figure, the headline's first; at the end the two runs."""
    points = sorted(comparison.points, key=lambda point: point is not comparison.headline)
    found = []
    for point in points:
        for name, figure in FIGURES.items():
            rows = tuple(_cells(change) for change in point.changes if change.figure == name)
            if rows:
                where = f", {text.point_name(point.point)}" if len(points) > 1 else ""
                header = ("mode", *comparison.names, "change [95 %]", "rounds", "verdict")
                found.append(Table(f"{figure.title}{where}", header, rows))
    terms = [_terms(run, control) for run, control in zip(comparison.runs, comparison.controls, strict=True)]
    labels = [label for label in {**terms[0], **terms[1]} if label in terms[0] or label in terms[1]]
    rows = tuple((label, *(each.get(label, text.UNKNOWN) for each in terms)) for label in labels)
    return [*found, Table("The runs", ("", *comparison.names), rows)]


def _cells(change: Change) -> tuple[str, ...]:
    ends = (change.ratio.median, change.ratio.low, change.ratio.high)
    middle, low, high = (f"{round(100 * (end - 1), 1) + 0.0:+.1f}" for end in ends)  # adding 0.0 makes -0.0 none
    show, (before, after) = FIGURES[change.figure].show, change.rounds
    rounds = f"{before} paired" if change.paired else f"{before} and {after}"
    verdict = change.verdict.partition(": ")[2]
    return (change.subject.name, show(change.one), show(change.other), f"{middle} % [{low} to {high}]", rounds, verdict)


def _terms(run: Run, control: Ratio | None) -> dict[str, str]:
    """What there is to tell of a run. The control, a mode measured twice, is what makes it believable."""
    holds = "" if control is None else "holds" if control_holds(control.ratio) else "does not hold"
    return {
        f"{REFERENCE} against itself": text.UNKNOWN if control is None else f"{text.spread(control.ratio)}, {holds}",
        "Rounds": str(run.rounds),
        "Seed": str(run.seed),
        **dict(text.machine(run)),
        "Command": run.command or text.UNKNOWN,
    }


def _explained(comparison: Comparison) -> str:
    one, other = comparison.names
    margin = f"{100 * comparison.margin:g} %"
    return (
        f"A change is a figure of {other} over that of {one}, with its 95 % interval; they match where the whole interval"
        f" lies within ±{margin}. Rounds are paired where they had the same seed, and so met the same latencies."
    )


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown."""
    run = comparison.runs[0]
    parts = [f"# {plain(comparison.verdict)}", plain(f"{run.scenario}, {_pair(comparison)}: {run.meaning}")]
    parts += ["## Warnings", "\n".join(f"- {plain(warning)}" for warning in comparison.warnings)]
    parts += ["## Figures", plain(_explained(comparison)), *map(markdown.tabulated, tables(comparison))]
    return "\n\n".join(parts) + "\n"


def comparison_html(comparison: Comparison) -> str:
    """The comparison as one HTML file, laid out as the report of a run is."""
    run = comparison.runs[0]
    head = html.head(run.scenario, _pair(comparison), comparison.verdict, run.meaning)
    figures = "".join(
        f'<section class="figures">\n{html.tabulated(table, f"table-{index}")}</section>\n'
        for index, table in enumerate(tables(comparison))
    )
    explained = f'<p class="quiet">{escape(_explained(comparison))}</p>\n'
    title = f"{run.scenario}: {_pair(comparison)}"
    return html.page(title, [head, html.warned(comparison.warnings), explained, figures])


def _pair(comparison: Comparison) -> str:
    return " → ".join(comparison.names)


def comparison_json(comparison: Comparison) -> str:
    """All of it but the measurements, as JSON."""
    first = comparison.runs[0]
    whole = {
        "format": "enricher-comparison",
        "version": 1,
        "scenario": first.scenario,
        "one": _run_json(comparison, 0),
        "other": _run_json(comparison, 1),
        "margin": comparison.margin,
        "verdict": comparison.verdict,
        "warnings": comparison.warnings,
        "machine_differences": comparison.differences,
        "headline": first.headline,
        "points": [
            {"point": point.point.name, "changes": list(map(_change_json, point.changes))}
            for point in comparison.points
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _run_json(comparison: Comparison, index: int) -> dict[str, Any]:
    run, control = comparison.runs[index], comparison.controls[index]
    return {
        "name": comparison.names[index],
        **{name: getattr(run, name) for name in ("commit", "started", "seed", "rounds", "command")},
        "machine": dict(run.machine),
        "control": control and {**asdict(control.ratio), "holds": control_holds(control.ratio)},
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "subject": change.subject.name,
        "figure": change.figure,
        "one": change.one,
        "other": change.other,
        "ratio": asdict(change.ratio),
        "rounds": change.rounds,
        "paired": change.paired,
        "verdict": change.verdict,
    }
