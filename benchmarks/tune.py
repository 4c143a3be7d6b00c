"""How many slots are worth having? A sweep over slots at a latency, and where its knee is.

The latency is given, or measured at an API: a few requests, one after the other, that ask for nothing special. The sweep
itself always runs against the simulated API with that latency and quota: nobody's API is loaded to find a number.

The knee is the last point of the sweep up to which every step gave at least half of what its slots promised. Theory's
word beside it, where a quota binds (Little's law): C* = rate · mean latency.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import ceil

from enricher import Answer, Engine, Item, Request, Stop, movies
from enricher.pipelines.movies.service import MOST_CONNECTIONS
from enricher.simulator.behaviour import Latency
from enricher.simulator.behaviour import Quota as StrictQuota

from .reports import series
from .runner import Options
from .runs import Point, Run
from .scenarios import Scenario
from .summary import PointSummary, Row, Summary

SLOTS = (1, 2, 5, 10, 20, 50, 100)
DEFAULT_SLOTS = 10
POINT_S = 3.0
"""About how long one point works, seconds."""

LEAST_ITEMS, MOST_ITEMS = 20, 2_000
ASKED = 12
"""Requests that measure an API's latency; the first two open the connection and do not count."""

UNCOUNTED = 2


def sweep(latency: str, quota: str, slots: Sequence[int] = SLOTS) -> Scenario:
    """The scenario of a tuning: things of one request, as many as fill the time of a point."""
    mean_s = mean_latency_s(latency)
    points = []
    for count in slots:
        per_s = count / mean_s if mean_s else 2_000.0
        if quota != "none":
            parsed = StrictQuota.parse(quota)
            per_s = min(per_s, parsed.limit / parsed.period_s)
        items = min(MOST_ITEMS, max(LEAST_ITEMS, 2 * count, ceil(POINT_S * per_s)))
        points.append(Point(f"{count} slots", items, count, latency=latency, quota=quota))
    who = ("threaded", "async")
    return Scenario(
        "tune", f"How many slots are worth having at {latency}.", "things", tuple(points), who, who, item_bytes=2048
    )


def mean_latency_s(latency: str) -> float:
    """The mean of a latency's text, seconds."""
    parsed = Latency.parse(latency)
    return (parsed.a + parsed.b) / 2 if parsed.shape == "uniform" else parsed.a


def options(quick: bool, seed: int) -> Options:
    """How a tuning is run: its points are its evidence, so few rounds do."""
    return Options(rounds=1 if quick else 3, seed=seed)


def measured_latency(base_url: str, key: str | None) -> str:
    """The latency of an API that speaks as TMDB does, as a text: from the fastest to the slowest of a few requests.

    One after the other, and within TMDB's quota.

    :raises EnricherError: as the engine does, if the key is refused.
    :raises ConnectionError: if the API does not answer well.
    """
    service = movies(base_url).services[0]
    took_s: list[float] = []

    def asking(_: Item) -> Generator[Request, Answer, dict[str, int]]:
        answer = yield Request(service, "/configuration", kind="configuration")
        return {"status": answer.status}

    with Engine(
        mode="sequential",
        keys={} if key is None else {service.name: key},
        observe=lambda one: took_s.append(one.done_at - one.sent_at),
    ) as engine:
        for outcome in engine.stream((Item(str(number)) for number in range(ASKED)), asking, Stop()):
            if outcome.status != "enriched":
                raise ConnectionError(outcome.error)
    kept = sorted(took_s[UNCOUNTED:])
    return f"{max(1, round(1000 * kept[0]))}-{max(1, round(1000 * kept[-1]))}ms"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a sweep says about one mode. `gain` is the speed at the knee over that at the default slots."""

    mode: str
    knee: PointSummary
    gain: float
    cost: str


def advise(summary: Summary, mode: str) -> Advice | None:
    """The knee of a mode; None if it is not valid at every point."""
    points = sorted(summary.points, key=lambda point: point.point.slots)
    speeds = []
    for point in points:
        row = point.row(mode)
        if row is None or row.wall_s is None:
            return None
        speeds.append(point.point.items / row.wall_s.median)
    slots = [point.point.slots for point in points]
    found = series.knee(slots, speeds)
    knee = len(slots) - 1 if found is None else slots.index(int(found))
    usual = next((at for at, point in enumerate(points) if point.point.slots == DEFAULT_SLOTS), 0)
    gain = speeds[knee] / speeds[usual]
    return Advice(mode, points[knee], gain, _cost(points[usual].row(mode), points[knee].row(mode)))


def _cost(usual: Row | None, there: Row | None) -> str:
    if usual is None or there is None or usual.peak_mib is None or there.peak_mib is None:
        return "unknown"
    more = there.peak_mib - usual.peak_mib
    before, after = usual.cpu_ms_per_request, there.cpu_ms_per_request
    cpu = "" if before is None or after is None else f", {after:.2f} ms of CPU a request instead of {before:.2f}"
    return f"{there.connections} connections instead of {usual.connections}, {more:+.1f} MiB{cpu}"


def theory(run: Run) -> str:
    """What Little's law says, where a quota binds; "" where none does."""
    point = run.points[0]
    if point.quota == "none":
        return ""
    parsed = StrictQuota.parse(point.quota)
    rate, mean_s = parsed.limit / parsed.period_s, mean_latency_s(point.latency)
    return f"Little's law: {rate:g}/s × {mean_s:.3f} s = {rate * mean_s:.1f} requests in flight use the whole quota."


def told(run: Run, summary: Summary) -> list[str]:
    """The sweep as lines of text: a table, and the advice for each mode."""
    modes = [subject.name for subject in run.subjects if subject.control_of is None]
    lines = ["slots" + "".join(f"{mode:>14}" for mode in modes) + "   items a second (share of the bound)"]
    for point in sorted(summary.points, key=lambda point: point.point.slots):
        cells = (_cell(point, point.row(mode)) for mode in modes)
        lines.append(f"{point.point.slots:5}" + "".join(f"{cell:>14}" for cell in cells))
    lines += [line for line in (theory(run),) if line]
    for mode in modes:
        advice = advise(summary, mode)
        if advice is None:
            lines.append(f"{mode}: no advice; a point of its sweep is not valid.")
            continue
        slots = advice.knee.point.slots
        lines.append(
            f"{mode}: the knee is at {slots} slots (--concurrency {slots}): {advice.gain:.1f} times as fast as"
            f" {DEFAULT_SLOTS} slots. It costs {advice.cost}."
        )
    lines.append(f"TMDB allows {MOST_CONNECTIONS} connections an address, and 35 to 40 requests a second.")
    return lines


def _cell(point: PointSummary, row: Row | None) -> str:
    if row is None or row.wall_s is None:
        return "INVALID"
    share = "" if row.of_bound is None else f" ({100 * row.of_bound.median:.0f} %)"
    return f"{point.point.items / row.wall_s.median:.0f}{share}"
