"""What changed from one run to the other: a figure of a subject in both, its ratio, and what may be said of it.

A change is a figure of the other run over that of the one. Rounds of the same seeds met the same latencies: then it is
the median of the rounds' ratios (`verdicts.interval`). Else it is the ratio of two medians, and for its interval both are
drawn again; that is much wider, for the differences of the latencies stay in it.

What is said of it follows `verdicts.verdict`, with one more care: one round alone has no interval, and decides nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .runs import Measurement, Point, Run, Subject
from .summary import REFERENCE, Ratio
from .verdicts import CONFIDENCE, RESAMPLES, Interval, interval, percent, ratios

Values = dict[int, tuple[int, float]]
"""What was measured, above 0, by round: the round's seed, and the value."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared. `of`: its value from a measurement and from threaded's wall of that round; None where unknown.

    `suffix` stands behind the subject; `more` and `less` say what a change means.
    """

    title: str
    suffix: str
    more: str
    less: str
    absolute: bool
    of: Callable[[Measurement, float | None], float | None]
    show: Callable[[float], str]


def _cpu_ms(one: Measurement, _reference_s: float | None) -> float | None:
    return 1000 * one.cpu_s / one.requests if one.requests else None


def _over_reference(one: Measurement, reference_s: float | None) -> float | None:
    return one.wall_s / reference_s if reference_s and one.subject != REFERENCE else None


FIGURES = {
    "wall": Figure(
        "Wall time", "", "is slower than", "is faster than", True, lambda one, _: one.wall_s, "{:.3f} s".format
    ),
    "cpu": Figure("CPU a request", ", CPU", "needs more than", "needs less than", True, _cpu_ms, "{:.3f} ms".format),
    "peak": Figure(
        "Peak memory", ", memory", "needs more than", "needs less than", True, lambda one, _: one.peak_mib,
        "{:.1f} MiB".format,
    ),
    "ratio": Figure(
        f"Wall time over that of {REFERENCE} in the same run", f" against {REFERENCE}", "is slower than",
        "is faster than", False, _over_reference, "{:.3f}".format,
    ),
    "of_bound": Figure(
        "Share of the bound", ", share of the bound", "reaches more than", "reaches less than", False,
        lambda one, _: one.bound_s / one.wall_s, percent,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one subject in both runs: the medians, and the other over the one with its interval."""

    subject: Subject
    figure: str
    names: tuple[str, str]
    one: float
    other: float
    ratio: Interval
    margin: float
    rounds: tuple[int, int]
    paired: bool

    @property
    def matches(self) -> bool:
        """Whether the whole interval lies within the margin around 1. One round alone has no interval."""
        return min(self.rounds) > 1 and _farther(self.ratio) <= self.margin

    @property
    def differs(self) -> bool:
        """Whether there is a difference that the margin does not cover."""
        return min(self.rounds) > 1 and not self.matches and not self.ratio.low <= 1 <= self.ratio.high

    @property
    def verdict(self) -> str:
        """In plain words.

        >>> who, names = Subject("async", True, ""), ("89abcde", "0123456")
        >>> Change(who, "wall", names, 1.8, 1.9, Interval(1.05, 1.03, 1.06), 0.05, (10, 10), True).verdict
        'async: 0123456 is slower than 89abcde by at least 3.0 %'
        """
        figure, (one, other) = FIGURES[self.figure], self.names
        who = f"{self.subject.name}{figure.suffix}"
        if self.matches:
            return f"{who}: match within {percent(_farther(self.ratio))}"
        if not self.differs:
            return f"{who}: not decided; more rounds are needed"
        if self.ratio.low > 1:
            return f"{who}: {other} {figure.more} {one} by at least {percent(self.ratio.low - 1)}"
        return f"{who}: {other} {figure.less} {one} by at least {percent(1 - self.ratio.high)}"


@dataclass(frozen=True, slots=True)
class PointComparison:
    """One point: its changes, figure by figure, each in the order of the subjects."""

    point: Point
    changes: tuple[Change, ...]

    def change(self, subject: str, figure: str = "wall") -> Change | None:
        """The change of a subject's figure; None where there is none."""
        return next((one for one in self.changes if (one.subject.name, one.figure) == (subject, figure)), None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs. `names`: their commits, else first and second; `differences`: of the machines; `controls`: the headline's."""

    runs: tuple[Run, Run]
    names: tuple[str, str]
    margin: float
    differences: tuple[str, ...]
    points: tuple[PointComparison, ...]
    controls: tuple[Ratio | None, Ratio | None]
    verdict: str
    warnings: tuple[str, ...]

    @property
    def headline(self) -> PointComparison:
        """The point that the verdict is about."""
        return self.points[self.runs[0].headline]


def change(subject: Subject, figure: str, names: tuple[str, str], old: Values, new: Values, margin: float) -> Change:
    """The change from old to new values, of which there is one each at least.

    Rounds are paired where all that one of them has are in both, with the same seeds; what only the other has is left
    out then.
    """
    alike = [number for number in old if number in new and old[number][0] == new[number][0]]
    paired = len(alike) == min(len(old), len(new))
    before, after = ([each[number][1] for number in (alike if paired else each)] for each in (old, new))
    return Change(
        subject=subject,
        figure=figure,
        names=names,
        one=median(before),
        other=median(after),
        ratio=interval(ratios(after, before)) if paired else _unpaired(before, after),
        margin=margin,
        rounds=(len(before), len(after)),
        paired=paired,
    )


def _unpaired(before: Sequence[float], after: Sequence[float]) -> Interval:
    """The ratio of two medians, both drawn again for its interval."""
    chance = random.Random(0)  # noqa: S311  # resampling needs no cryptography
    drawn = sorted(
        median(chance.choices(after, k=len(after))) / median(chance.choices(before, k=len(before)))
        for _ in range(RESAMPLES)
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = drawn[int(tail * RESAMPLES)], drawn[int((1 - tail) * RESAMPLES) - 1]
    return Interval(median(after) / median(before), low, high)


def _farther(ratio: Interval) -> float:
    return max(abs(ratio.low - 1), abs(ratio.high - 1))
