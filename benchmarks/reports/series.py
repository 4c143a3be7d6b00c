"""From raw measurements to what a chart draws: counts over time, distributions, sweeps. No drawing here.

Times in are ticks of a tenth of a millisecond, as the run's file has them; times out are seconds or milliseconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ..runs import TICK_S, Measurement, Run, Stamps
from ..summary import REFERENCE, PointSummary, Summary
from ..verdicts import ratios

Steps = list[tuple[float, int]]
"""Moments in seconds, rising, each with the count that holds from then on."""

_TICKS_A_MS = 10
WORTH = 0.5
"""More slots are worth it if they bring this share of what they promise."""


def counted(run: Run, point: int, subject: str) -> list[Measurement]:
    """The measurements that a subject's figures at a point are made of, by round."""
    here = [one for one in run.measurements if one.point == point and one.subject == subject and one.counts]
    return sorted(here, key=lambda one: one.round)


def typical(run: Run, point: int, subject: str, has: Callable[[Measurement], object]) -> Measurement | None:
    """The round with the median wall time, of those that have what is to be shown; None where none has."""
    found = sorted(filter(has, counted(run, point, subject)), key=lambda one: one.wall_s)
    return found[(len(found) - 1) // 2] if found else None


def paired(run: Run, point: int, subject: str) -> list[tuple[int, float]]:
    """Each round that a subject shares with the reference, with the ratio of their wall times."""
    walls = {one.round: one.wall_s for one in counted(run, point, subject)}
    theirs = {one.round: one.wall_s for one in counted(run, point, REFERENCE)}
    both = sorted(walls.keys() & theirs.keys())
    found = ratios([walls[number] for number in both], [theirs[number] for number in both])
    return list(zip(both, found, strict=True))


# ── over time ───────────────────────────────────────────────────────────────────────────────────────────────────────


def in_flight(stamps: Stamps) -> Steps:
    """How many requests are between sending and the whole answer.

    >>> in_flight(Stamps(sent=(0, 0, 10_000), done=(10_000, 20_000, 15_000)))
    [(0.0, 2), (1.0, 2), (1.5, 1), (2.0, 0)]
    """
    return _count(stamps.sent, stamps.done)


def in_window(arrivals: Sequence[int], period_s: float) -> Steps:
    """How many arrivals lie within the last `period_s` seconds: each counts until exactly that long after it.

    >>> in_window((0, 5_000, 10_000), 1.0)
    [(0.0, 1), (0.5, 2), (1.0, 2), (1.5, 1), (2.0, 0)]
    """
    period = round(period_s / TICK_S)
    return _count(arrivals, [tick + period for tick in arrivals])


def _count(ups: Iterable[int], downs: Iterable[int]) -> Steps:
    changes = Counter(ups)
    changes.subtract(downs)
    found, count = [], 0
    for tick in sorted(changes):
        count += changes[tick]
        found.append((round(tick * TICK_S, 9), count))
    return found


def averaged(steps: Steps, end_s: float, bins: int) -> list[float]:
    """The mean count in each of so many equal parts of 0 to `end_s`: what is short is small, not a spike of full height.

    >>> averaged([(0.0, 2), (1.0, 4), (1.5, 0)], 2.0, 2)
    [2.0, 2.0]
    """
    width_s = end_s / bins
    areas = [0.0] * bins
    stops = [*(at_s for at_s, _ in steps[1:]), end_s]
    for (start_s, count), stop_s in zip(steps, stops, strict=False):  # without steps there is the end alone
        for index in range(int(start_s / width_s), min(bins, int(stop_s / width_s) + 1)):
            overlap_s = min(stop_s, (index + 1) * width_s) - max(start_s, index * width_s)
            areas[index] += count * max(0.0, overlap_s)
    return [area / width_s for area in areas]


# ── distributions ───────────────────────────────────────────────────────────────────────────────────────────────────


def waits_ms(found: Sequence[Measurement]) -> list[float]:
    """How long each request waited for leave to go, rising, of all rounds."""
    pairs = (pair for one in found for pair in zip(one.stamps.ready, one.stamps.granted, strict=True))
    return sorted((granted - ready) / _TICKS_A_MS for ready, granted in pairs)


def services_ms(found: Sequence[Measurement]) -> list[float]:
    """How long each request took from sending to the whole answer, rising, of all rounds."""
    pairs = (pair for one in found for pair in zip(one.stamps.sent, one.stamps.done, strict=True))
    return sorted((done - sent) / _TICKS_A_MS for sent, done in pairs)


def distribution(rising: Sequence[float], most: int = 150) -> list[tuple[float, float]]:
    """About so many points of the cumulative distribution: a value, and which share is no larger.

    >>> distribution([1.0, 2.0, 2.0, 4.0])
    [(1.0, 0.25), (2.0, 0.75), (4.0, 1.0)]
    """
    size = len(rising)
    shares: dict[float, float] = {}
    for index in sorted({round(step * (size - 1) / (most - 1)) for step in range(most)}) if size else ():
        shares[rising[index]] = (index + 1) / size
    return list(shares.items())


def quantile(rising: Sequence[float], share: float) -> float:
    """The smallest value that no more than 1 − `share` of the values exceed.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    return rising[max(0, math.ceil(share * len(rising)) - 1)]


# ── sweeps ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def slots_sweep(summary: Summary) -> list[PointSummary]:
    """The points that differ from the headline in slots alone, by slots; where there are none, in items as well."""
    alike = [point for point in summary.points if _api(point) == _api(summary.headline)]
    same = [point for point in alike if point.point.items == summary.headline.point.items]
    for points in (same, alike):
        found = sorted(points, key=lambda point: point.point.slots)
        if len(found) > 1 and len({point.point.slots for point in found}) == len(found):
            return found
    return []


def items_sweep(summary: Summary) -> list[PointSummary]:
    """The points that differ from the headline in items alone, by items; none where that is a single one."""
    slots, api = summary.headline.point.slots, _api(summary.headline)
    alike = [point for point in summary.points if point.point.slots == slots and _api(point) == api]
    found = sorted(alike, key=lambda point: point.point.items)
    return found if len({point.point.items for point in found}) == len(found) > 1 else []


def _api(point: PointSummary) -> tuple[str, str, str]:
    return point.point.latency, point.point.quota, point.point.faults


def knee(slots: Sequence[float], speeds: Sequence[float]) -> float | None:
    """The slots up to which every step gave at least half of what it promised; None where that is still the last.

    >>> knee([1, 10, 100, 200], [10, 100, 900, 950])
    100
    >>> knee([1, 2, 4], [9, 17, 32])
    """
    for at in range(1, len(slots)):
        promised = slots[at] / slots[at - 1] - 1
        if speeds[at] / speeds[at - 1] - 1 < WORTH * promised:
            return slots[at - 1]
    return None
