"""Numbers become sentences: paired ratios, their interval, and what may be said of them.

A ratio is one round's wall time over another's of the same round, which met the same latencies: the rounds' differences
cancel out. Its median is told with a percentile bootstrap over the rounds (10,000 resamples, a fixed seed), which keeps
what it promises for few rounds too (tests/test_verdicts.py counts on simulated ones).

    interval within 1 ± margin   match within x %, x being the farther end; and if 1 is outside, faster or slower all the same
    interval outside 1           faster, or slower, by at least the nearer end
    else                         not decided: more rounds are needed

There is no "no difference": an experiment can only say how large a difference may still be.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from statistics import median

RESAMPLES = 10_000
CONFIDENCE = 0.95
MARGIN = 0.05
CONTROL_MARGIN = 0.01
"""A mode against itself must come out as 1 within this, or the measurement can't be trusted."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median and the ends of its 95 % interval."""

    median: float
    low: float
    high: float


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The median of some values with its percentile bootstrap interval. One value is its own interval.

    :raises ValueError: if there are no values.
    """
    if not values:
        raise ValueError("no values, no interval")
    return _interval(tuple(values), seed)


@lru_cache(maxsize=4096)  # a summary is made again for each report of a run, and 10,000 medians take their time
def _interval(values: tuple[float, ...], seed: int) -> Interval:
    middle = median(values)
    if len(values) == 1:
        return Interval(middle, middle, middle)
    medians = sorted([median(resample(values)) for resample in _resamples(len(values), seed, RESAMPLES)])
    tail = (1 - CONFIDENCE) / 2
    return Interval(middle, medians[int(tail * RESAMPLES)], medians[int((1 - tail) * RESAMPLES) - 1])


@lru_cache(maxsize=8)  # the same for all values of a run, and drawing them takes longer than their medians
def _resamples(size: int, seed: int, count: int) -> Sequence[Callable[[Sequence[float]], Sequence[float]]]:
    """`count` times: what takes as many of `size` values as there are, with replacement."""
    chance, places = random.Random(seed), range(size)  # noqa: S311  # resampling needs no cryptography
    return [itemgetter(*chance.choices(places, k=size)) for _ in range(count)]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, round by round.

    :raises ValueError: if the rounds are not the same.
    """
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def verdict(of: str, to: str, ratio: Interval, margin: float = MARGIN) -> str:
    """What may be said of the time of `of` over that of `to`, in plain words.

    >>> verdict("async", "threaded", Interval(0.998, 0.992, 1.003))
    'async and threaded match within 0.8 %'
    >>> verdict("async", "threaded", Interval(0.988, 0.986, 0.990))
    'async and threaded match within 1.4 % (faster by at least 1.0 %)'
    >>> verdict("barrier", "threaded", Interval(1.31, 1.28, 1.35))
    'barrier is slower than threaded by at least 28.0 %'
    >>> verdict("sequential", "threaded", Interval(9.84, 9.81, 9.87))
    'sequential takes at least 9.8 times as long as threaded'
    """
    farther = max(abs(ratio.low - 1), abs(ratio.high - 1))
    if farther <= margin:
        which = f" (slower by at least {percent(ratio.low - 1)})" if ratio.low > 1 else ""
        which = f" (faster by at least {percent(1 - ratio.high)})" if ratio.high < 1 else which
        return f"{of} and {to} match within {percent(farther)}{which}"
    if ratio.low > 2:
        return f"{of} takes at least {ratio.low:.1f} times as long as {to}"
    if ratio.low > 1:
        return f"{of} is slower than {to} by at least {percent(ratio.low - 1)}"
    if ratio.high < 1:
        return f"{of} is faster than {to} by at least {percent(1 - ratio.high)}"
    return f"{of} against {to} is not decided; more rounds are needed"


def percent(share: float, digits: int = 1) -> str:
    """A share as a reader expects it.

    >>> percent(0.0312), percent(1, 0)
    ('3.1 %', '100 %')
    """
    return f"{100 * share:.{digits}f} %"


def control_holds(ratio: Interval) -> bool:
    """Whether a mode measured twice came out as itself: the whole interval within 1 ± 1 %."""
    return ratio.low >= 1 - CONTROL_MARGIN and ratio.high <= 1 + CONTROL_MARGIN
