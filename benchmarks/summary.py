"""What follows from a run: a row for each subject, a ratio for each pair, the verdict, and what to doubt.

Correctness comes first. A mode of ours must give the right table and the same file as the others, with exactly the requests
that it takes, over no more connections than slots and two for each fault, without a rejection; of a baseline only the table
is judged.
What fails that is INVALID: it has no figures to compare, and no ratio. Nor is there a verdict where the control, a mode
measured twice, did not come out as itself.

A ratio is one subject's wall time over that of `threaded` in the same round. Both the difference and the equivalence are
read off its one 95 % interval (`verdicts`): at five to ten rounds a bootstrap's 95 % covers 91 to 95, which is what the
two one-sided tests of an equivalence at 5 % would ask for at least. Below five rounds no bootstrap can cover that: then
the ends are those of all rounds, a difference is one that each of them shows, and no equivalence is claimed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .machine import FOREIGN_CORES
from .runs import Measurement, Percentiles, Point, Run, Subject
from .verdicts import CONTROL_MARGIN, Interval, control_holds, interval, percent, ratios, verdict

REFERENCE = "threaded"
"""Whom the others are compared to."""

LATE_MS = 1.0
"""An API whose answers are later than this in the mean is charged to who waits for them."""

MOST_SERVER_SHARE = 0.5
"""An API that is busier than this, of its core, measures itself."""

FEW_ROUNDS = 5
WIDE = 0.10
"""Walls that spread more than this around their median are worth a word."""


@dataclass(frozen=True, slots=True)
class Row:
    """One subject at one point. Figures are medians over its rounds, None where it is not valid."""

    subject: Subject
    valid: bool
    problem: str
    rounds: int
    wall_s: Interval | None = None
    bound_s: float | None = None
    of_bound: Interval | None = None
    of_ideal: Interval | None = None
    cpu_ms_per_request: float | None = None
    peak_mib: float | None = None
    import_mib: float | None = None
    requests: int = 0
    connections: int = 0
    most_in_flight: int = 0
    rejected: int = 0
    faults: int = 0
    fullest: int | None = None
    quota_used: float | None = None
    wrong: int = 0
    wait_ms: Percentiles | None = None
    service_ms: Percentiles | None = None
    server_share: float = 0.0
    late_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """A subject's wall time over the reference's: the difference with its interval, and the equivalence."""

    of: str
    to: str
    ratio: Interval
    margin: float
    rounds: int

    @property
    def equivalent(self) -> bool:
        """Whether the whole interval lies within the margin around 1, and the rounds are enough to say so."""
        return self.rounds >= FEW_ROUNDS and max(abs(self.ratio.low - 1), abs(self.ratio.high - 1)) <= self.margin

    @property
    def verdict(self) -> str:
        """In plain words."""
        low, high = self.ratio.low, self.ratio.high
        if self.rounds >= FEW_ROUNDS:
            return verdict(self.of, self.to, self.ratio, self.margin)
        if self.rounds > 1 and (low > 1 or high < 1):
            return f"{verdict(self.of, self.to, self.ratio, 0.0)} in each of {self.rounds} rounds"
        return f"{self.of} against {self.to} is not decided; more rounds are needed"

    @property
    def statement(self) -> str:
        """The difference and the equivalence, each with its interval.

        >>> Ratio("async", "threaded", Interval(0.998, 0.992, 1.003), 0.05, 10).statement
        'difference -0.2 % (95 %: -0.8 to +0.3); equivalent within ±0.8 %, margin ±5 %'
        """
        if self.rounds < 2:
            return f"difference {_more(self.ratio.median):+.1f} % in one round: no interval, and nothing is decided"
        low, mid, high = map(_more, (self.ratio.low, self.ratio.median, self.ratio.high))
        if self.rounds < FEW_ROUNDS:
            return (
                f"difference {mid:+.1f} % ({low:+.1f} to {high:+.1f} in {self.rounds} rounds: too few for an interval)"
            )
        farther = max(abs(low), abs(high))
        same = "equivalent within" if self.equivalent else "not equivalent: the interval reaches"
        difference = f"difference {mid:+.1f} % (95 %: {low:+.1f} to {high:+.1f})"
        return f"{difference}; {same} ±{farther:.1f} %, margin ±{100 * self.margin:g} %"


def _more(ratio: float) -> float:
    """A ratio as a difference in percent; adding 0.0 makes -0.0 none."""
    return round(100 * (ratio - 1), 1) + 0.0


@dataclass(frozen=True, slots=True)
class PointSummary:
    """One point: its rows in the order of the subjects, its ratios to the reference, its control."""

    point: Point
    bound_s: float
    ideal_s: float
    rows: tuple[Row, ...]
    ratios: tuple[Ratio, ...]
    control: Ratio | None

    @property
    def control_holds(self) -> bool:
        """Whether the mode that was measured twice came out as itself; True where none was.

        A control that is INVALID, or has nothing valid beside it, holds nothing.
        """
        if self.control is None:
            return not any(row.subject.control_of == REFERENCE for row in self.rows)
        return control_holds(self.control.ratio)

    def row(self, subject: str) -> Row | None:
        """The row of a subject."""
        return next((row for row in self.rows if row.subject.name == subject), None)

    def ratio(self, of: str) -> Ratio | None:
        """The ratio of a subject to the reference."""
        return next((ratio for ratio in self.ratios if ratio.of == of), None)


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole run. `measured` is whether there is anything valid at all."""

    points: tuple[PointSummary, ...]
    headline: PointSummary
    verdict: str
    warnings: tuple[str, ...]
    measured: bool


def summarise(run: Run, margin: float | None = None) -> Summary:
    """What follows from a run, at its own margin or another."""
    margin = run.margin if margin is None else margin
    points = tuple(_point(run, index, margin) for index in range(len(run.points)))
    headline = points[run.headline]
    measured = any(row.valid for point in points for row in point.rows)
    return Summary(points, headline, _verdict(run, headline, measured), tuple(_warnings(run, points)), measured)


def _point(run: Run, index: int, margin: float) -> PointSummary:
    here = [one for one in run.measurements if one.point == index and not one.discarded]
    shared = _shared(run.subjects, here)
    rows = tuple(
        _row(subject, [one for one in here if one.subject == subject.name], shared, run.points[index])
        for subject in run.subjects
        if any(one.subject == subject.name for one in here)
    )
    pairs: list[Ratio] = []
    control = None
    reference = next((row for row in rows if row.subject.name == REFERENCE and row.valid), None)
    for row in rows if reference is not None else ():
        if not row.valid or row.subject.name == REFERENCE:
            continue
        ratio = _ratio(row.subject.name, here, margin)
        if ratio is not None and row.subject.control_of == REFERENCE:
            control = ratio
        elif ratio is not None:
            pairs.append(ratio)
    sound = [one for one in here if one.counts]
    typical = [one for one in sound if one.subject == REFERENCE] or sound  # sequential has one slot, and its own bound
    bounds = [one.bound_s for one in typical]
    ideals = [one.ideal_s for one in typical]
    return PointSummary(
        run.points[index],
        median(bounds) if bounds else 0.0,
        median(ideals) if ideals else 0.0,
        rows,
        tuple(pairs),
        control,
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """What our modes must have in common, round by round: the exported file, and the number of requests, where it is not
    known what it takes (`Measurement.expected`).
    """

    requests: int | None
    export: str


def _shared(subjects: Iterable[Subject], here: Sequence[Measurement]) -> dict[int, _Shared]:
    ours = {subject.name for subject in subjects if subject.ours}
    found: dict[int, _Shared] = {}
    for number in {one.round for one in here}:
        those = [one for one in here if one.round == number and one.subject in ours and one.counts and not one.wrong]
        requests = Counter(one.requests for one in those).most_common(1)
        exports = Counter(one.export for one in those).most_common(1)
        found[number] = _Shared(requests[0][0] if requests else None, exports[0][0] if exports else "")
    return found


def _row(subject: Subject, its: Sequence[Measurement], shared: dict[int, _Shared], point: Point) -> Row:
    problem = next(filter(None, (_problem(subject, one, shared[one.round], point) for one in its)), "")
    counts: dict[str, Any] = {
        "requests": round(median(one.requests for one in its)),
        "connections": max(one.connections for one in its),
        "most_in_flight": max(one.most_in_flight for one in its),
        "rejected": sum(one.rejected for one in its),
        "faults": sum(one.faults for one in its),
        "fullest": _of(its, lambda one: one.fullest, max),
        "wrong": sum(one.wrong for one in its),
        "server_share": max(one.server_share for one in its),
        "late_ms": median(one.late_ms for one in its),
    }
    if problem:
        return Row(subject, valid=False, problem=problem, rounds=len(its), **counts)
    admitted = [one.requests - one.rejected for one in its]  # to be rejected is cheap, and no work
    return Row(
        subject,
        valid=True,
        problem="",
        rounds=len(its),
        wall_s=interval([one.wall_s for one in its]),
        bound_s=median(one.bound_s for one in its),
        of_bound=_share([one.bound_s for one in its], its),
        of_ideal=_share([one.ideal_s for one in its], its),
        cpu_ms_per_request=median(1000 * one.cpu_s / count for one, count in zip(its, admitted, strict=True))
        if all(admitted)
        else None,
        peak_mib=_of(its, lambda one: one.peak_mib, median),
        import_mib=_of(its, lambda one: one.import_mib, median),
        quota_used=_of(its, lambda one: one.quota_used, median),
        wait_ms=_percentiles([one.wait_ms for one in its]),
        service_ms=_percentiles([one.service_ms for one in its]),
        **counts,
    )


def _problem(subject: Subject, one: Measurement, shared: _Shared, point: Point) -> str:
    """Why this measurement makes its row INVALID; "" where it does not."""
    if one.problem:
        return one.problem
    if one.server_share > MOST_SERVER_SHARE:
        return f"the API was busy for {percent(one.server_share, 0)} of its core, so this measured the API"
    if one.wrong:
        return f"{one.wrong} of {point.items} rows are wrong or lost"
    if not subject.ours:
        return ""
    slots = 1 if subject.name == "sequential" else point.slots
    # A fault may break a connection, and the attempt after that takes a new one in place of a kept one (RFC 9112, 9.5).
    if one.connections > slots + 2 * one.faults:
        return f"{one.connections} connections for {slots} slots"
    if one.expected is not None and one.requests != one.expected:
        return f"{one.requests} requests where it takes {one.expected}"
    if one.requests != shared.requests:
        return f"{one.requests} requests where the other modes sent {shared.requests}"
    if one.export != shared.export:
        return "its file differs from that of the other modes"
    if one.rejected:
        return f"{one.rejected} requests were rejected by the quota"
    return ""


def _ratio(of: str, here: Sequence[Measurement], margin: float) -> Ratio | None:
    """Paired by round; None where they share none."""
    walls = {one.round: one.wall_s for one in here if one.subject == of}
    theirs = {one.round: one.wall_s for one in here if one.subject == REFERENCE}
    both = sorted(walls.keys() & theirs.keys())
    if not both:
        return None
    pairs = ratios([walls[number] for number in both], [theirs[number] for number in both])
    return Ratio(of, REFERENCE, interval(pairs), margin, len(both))


def _share(least: Sequence[float], its: Sequence[Measurement]) -> Interval | None:
    """How near the walls come to what is possible; None where nothing had to be waited for."""
    if not all(least):
        return None
    return interval([best / one.wall_s for best, one in zip(least, its, strict=True)])


def _of(its: Sequence[Measurement], what: Callable[[Measurement], Any], how: Callable[[Sequence[Any]], Any]) -> Any:
    """Median or maximum of what is known."""
    known = [value for one in its if (value := what(one)) is not None]
    return how(known) if known else None


def _percentiles(found: Sequence[Percentiles | None]) -> Percentiles | None:
    known = [one for one in found if one is not None]
    if not known:
        return None
    return Percentiles(*(median(getattr(one, name) for one in known) for name in ("p50", "p95", "p99")))


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _verdict(run: Run, headline: PointSummary, measured: bool) -> str:
    """The sentence at the head of a report."""
    if not measured:
        return "Nothing valid was measured."
    where = f"{run.scenario}, {headline.point.name}" if headline.point.name else run.scenario
    if not headline.control_holds and headline.control is None and any(not row.valid for row in headline.rows):
        return f"{where}: no verdict. The control, or {REFERENCE} itself, is INVALID."
    if not headline.control_holds:
        return f"{where}: no verdict. The control did not come out as itself, so the machine was not quiet enough."
    ours = [ratio for ratio in headline.ratios if _is_ours(headline, ratio.of)]
    others = [ratio for ratio in headline.ratios if not _is_ours(headline, ratio.of)]
    parts = [ratio.verdict for ratio in sorted(ours, key=lambda ratio: ratio.of != "async")]
    if others:
        nearest = min(others, key=lambda ratio: ratio.ratio.median)
        parts.append(f"the fastest of {len(others)} baseline{'s' * (len(others) > 1)}: {nearest.verdict}")
    threaded = headline.row(REFERENCE)
    if threaded is not None and threaded.of_bound is not None:
        parts.append(f"{REFERENCE} reaches {percent(threaded.of_bound.median)} of what is physically possible")
    parts += [f"{row.subject.name} is INVALID" for row in headline.rows if not row.valid]
    return f"{where}: {'; '.join(parts) or 'nothing to compare'}."


def _is_ours(point: PointSummary, subject: str) -> bool:
    row = point.row(subject)
    return row is not None and row.subject.ours


def _warnings(run: Run, points: Sequence[PointSummary]) -> list[str]:
    """What to doubt, each with the next step."""
    found = []
    if run.interrupted:
        what = f"{run.trouble[:1].upper()}{run.trouble[1:]}" if run.trouble else "The run was interrupted"
        found.append(f"{what}: rounds are missing. Run it again for all of them.")
    for point in points:
        name = f"{point.point.name}: " if point.point.name else ""
        if not point.control_holds and point.control is not None:
            low, high = point.control.ratio.low, point.control.ratio.high
            found.append(
                f"{name}{REFERENCE} against itself gave {low:.3f} to {high:.3f}, outside 1 ± {percent(CONTROL_MARGIN, 0)}:"
                " no verdict. Close other programs, or run more rounds (--rounds 20)."
            )
        invalid = [row for row in point.rows if not row.valid]
        found += [f"{name}{row.subject.name} is INVALID: {row.problem}. Mend that and run again." for row in invalid]
    wide = [row.subject.name for row in points[run.headline].rows if row.rounds > 1 and _is_wide(row)]
    if wide:
        found.append(
            f"The medians of {', '.join(wide)} are uncertain by more than {percent(WIDE, 0)}."
            " Run it on a quieter machine, or with more rounds."
        )
    counted = [one for one in run.measurements if one.counts]
    rounds = {(one.point, one.round) for one in counted}
    loaded = {(one.point, one.round) for one in counted if (one.foreign_cores or 0.0) > FOREIGN_CORES}
    if loaded:
        found.append(
            f"Other programs used more than {FOREIGN_CORES} cores in {len(loaded)} of {len(rounds)} rounds, and still did"
            " when those were repeated. Close them and run again."
        )
    late = max((row.late_ms for point in points for row in point.rows), default=0.0)
    if late > LATE_MS:
        found.append(
            f"The API's answers came {late:.1f} ms late in the mean. Use a machine with a core to spare for it."
        )
    if run.absent:
        found.append(
            f"Not measured: {', '.join(run.absent)}. scripts/bench installs what they need; run it from there."
        )
    for name, share in run.slowed.items():
        found.append(f"On purpose, {name} was made {percent(share)} slower. Run without --inject for true figures.")
    again = sum(bool(one.discarded) and one.round >= 0 for one in run.measurements)  # the warm-up has no round
    if again:
        found.append(
            f"Because of other programs {again} of the measurements had to be done again; the raw data keeps both."
            " Close them before the next run."
        )
    if run.machine.get("cores", 2) < 2:  # one for the client, one for the API
        found.append("Client and API shared one core: absolute figures are too slow. Use a machine with two or more.")
    if 0 < run.rounds < FEW_ROUNDS:
        found.append(f"Few rounds ({run.rounds}): intervals are wide. Use --rounds {2 * FEW_ROUNDS} or more.")
    return found


def _is_wide(row: Row) -> bool:
    """Whether the interval is wide; of the share of the bound where there is one, for the bound varies with the rounds."""
    its = row.of_bound or row.wall_s
    return its is not None and its.high - its.low > WIDE * its.median


# ── for the file ────────────────────────────────────────────────────────────────────────────────────────────────────


def as_json(run: Run, summary: Summary) -> dict[str, Any]:
    """The `summary` of a run's file. `modes`, `ratios` and `control` are the headline's; `points` has them all."""
    return {
        "scenario": run.scenario,
        "verdict": summary.verdict,
        "warnings": list(summary.warnings),
        **_point_json(summary.headline),
        "points": [_point_json(point) for point in summary.points],
    }


def _point_json(point: PointSummary) -> dict[str, Any]:
    return {
        "point": point.point.name,
        "bound_s": point.bound_s,
        "ideal_s": point.ideal_s,
        "modes": {row.subject.name: _row_json(row) for row in point.rows},
        "ratios": {f"{ratio.of}/{ratio.to}": _ratio_json(ratio) for ratio in point.ratios},
        "control": None if point.control is None else {**_ratio_json(point.control), "holds": point.control_holds},
    }


def _row_json(row: Row) -> dict[str, Any]:
    wall, of_bound, of_ideal = row.wall_s, row.of_bound, row.of_ideal
    return {
        "valid": row.valid,
        "problem": row.problem,
        "ours": row.subject.ours,
        "wall_s": wall and wall.median,
        "wall_low_s": wall and wall.low,
        "wall_high_s": wall and wall.high,
        "bound_s": row.bound_s,
        "of_bound": of_bound and of_bound.median,
        "of_ideal": of_ideal and of_ideal.median,
        "cpu_ms_per_request": row.cpu_ms_per_request,
        "peak_mib": row.peak_mib,
        "import_mib": row.import_mib,
        "requests": row.requests,
        "connections": row.connections,
        "most_in_flight": row.most_in_flight,
        "rejected": row.rejected,
        "faults": row.faults,
        "fullest": row.fullest,
        "quota_used": row.quota_used,
        "wrong": row.wrong,
        "server_share": row.server_share,
        "late_ms": row.late_ms,
        "wait_p99_ms": row.wait_ms and row.wait_ms.p99,
        "service_p50_ms": row.service_ms and row.service_ms.p50,
        "service_p95_ms": row.service_ms and row.service_ms.p95,
        "service_p99_ms": row.service_ms and row.service_ms.p99,
        "rounds": row.rounds,
    }


def _ratio_json(ratio: Ratio) -> dict[str, Any]:
    return {
        "median": ratio.ratio.median,
        "low": ratio.ratio.low,
        "high": ratio.ratio.high,
        "rounds": ratio.rounds,
        "margin": ratio.margin,
        "equivalent": ratio.equivalent,
        "statement": ratio.statement,
        "verdict": ratio.verdict,
    }
