"""What is measured, and what it means in life. A scenario is a value: points, who runs there, how often.

Latencies, quotas and faults are texts as `enricher simulate` takes them. `rounds` is the default; `--quick` halves it.
Real answers have a size: the details of a film 35 KB, a page of an article 20 KB. Of articles, a latency is that of an
analysis; their pages have one and sizes of their own (`apis`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from enricher.simulator.behaviour import Latency, Quota

from .runs import Kind, Point
from .subjects import CONTROL, WHOLE

DETAILS_BYTES = 35_000
PAGE_BYTES = 20_000

State = Literal["fresh", "half", "warm"]

MODES = ("threaded", "async", "sequential")
WITH_CONTROL = ("threaded", CONTROL, "async", "sequential")
BASELINES = ("barrier", "gather-all", "stock-pool", "requests-futures", "httpx-async", "scrapy")
LIMITED = ("gather-all", "stock-pool", "requests-futures", "scrapy")
"""Baselines that people give a limiter of their own."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question. `meaning`: the sentence that says what it is in life.

    `subjects`: who is measured at the headline's point; `elsewhere`: at the others, in the first `elsewhere_rounds`.
    `state` is what is known before: nothing, half of it, everything. `item_bytes`: how large an answer is (of a film,
    its details).
    """

    name: str
    meaning: str
    kind: Kind
    points: tuple[Point, ...]
    subjects: tuple[str, ...] = (*WITH_CONTROL, *BASELINES)
    elsewhere: tuple[str, ...] = MODES
    headline: int = 0
    rounds: int = 10
    elsewhere_rounds: int = 2
    state: State = "fresh"
    item_bytes: int = DETAILS_BYTES
    time_scale: float = 1.0

    def who(self, point: int) -> tuple[str, ...]:
        """Who is measured at a point."""
        return self.subjects if point == self.headline else self.elsewhere

    def scaled(self, time_scale: float) -> Scenario:
        """The same with every time of the API's multiplied, its own scale included already."""
        points = tuple(_scaled(point, time_scale) for point in self.points)
        return replace(self, points=points, time_scale=time_scale)


def _scaled(point: Point, scale: float) -> Point:
    if scale == 1:
        return point
    latency = Latency.parse(point.latency)
    a, b = latency.a * scale, latency.b * scale if latency.shape == "uniform" else latency.b
    quota = point.quota
    if quota != "none":
        parsed = Quota.parse(quota)
        quota = str(Quota(parsed.limit, parsed.period_s * scale))
    return replace(point, latency=str(Latency(latency.shape, round(a, 9), round(b, 9))), quota=quota)


def _films(items: int, latency: str, slots: int = 10, **more: str) -> tuple[Point, ...]:
    return (Point(f"{items:,} film{'s' if items > 1 else ''}, {slots} slots", items, slots, latency=latency, **more),)


def _sweep(latency: str) -> tuple[Point, ...]:
    return tuple(
        Point(f"{items} articles, {slots} slots", items, slots, latency=latency)
        for items in (100, 50, 10)
        for slots in (8, 5, 3, 1)
    )


ALL = (
    Scenario(
        "films-50",
        "An evening's list: 50 films, a search and the details of each, 175 ms a request.",
        "films",
        _films(50, "175ms"),
    ),
    Scenario("films-1", "One film, asked for while somebody waits.", "films", _films(1, "175ms")),
    Scenario("films-10", "A short list: one film for each slot.", "films", _films(10, "175ms")),
    Scenario(
        "films-50-varied",
        "The same 50 films from an API that takes 200 to 500 ms, as real ones do.",
        "films",
        _films(50, "200-500ms"),
    ),
    Scenario(
        "articles-sweep",
        "Articles from page to analysis, few or many, one worker or eight: a page takes 0.2 s, its analysis 3.5 s, in pieces"
        " or whole.",
        "articles",
        _sweep("3.5s"),
        subjects=(*WITH_CONTROL, *WHOLE),
        elsewhere=("threaded", "async"),
        elsewhere_rounds=1,
        time_scale=0.1,
    ),
    Scenario(
        "articles-plain",
        "Articles of which each takes 3.5 s to be analysed, few or many, with one worker or eight.",
        "things",
        _sweep("3.5s"),
        elsewhere=("threaded", "async"),
        elsewhere_rounds=1,
        item_bytes=PAGE_BYTES,
        time_scale=0.1,
    ),
    Scenario(
        "heavy-tail",
        "An API that is mostly quick and sometimes very slow (log-normal, σ = 1): one laggard must not hold nine others.",
        "films",
        _films(100, "lognormal:175ms:1"),
    ),
    Scenario(
        "quota-40-per-10s",
        "The quota TMDB used to have: 40 requests in any 10 seconds. Too fast is a rejection, too slow is your time.",
        "films",
        _films(50, "50-150ms", quota="40/10s"),
        subjects=(*WITH_CONTROL, *LIMITED),
        rounds=3,
    ),
    Scenario(
        "quota-35-per-s",
        "The quota TMDB has today, roughly: 35 requests in any second.",
        "films",
        _films(105, "50-150ms", quota="35/s"),
        subjects=(*WITH_CONTROL, *LIMITED),
        rounds=5,
    ),
    Scenario(
        "flaky",
        "A bad day: one attempt in twenty fails, with an error, a reset connection or half an answer.",
        "films",
        _films(100, "100ms", faults="5xx=3%,reset=1%,truncated=1%"),
        rounds=5,
    ),
    Scenario(
        "zero-latency",
        "An API that answers at once: what engine, transport, JSON and database cost.",
        "films",
        _films(1_000, "0"),
        rounds=5,
    ),
    Scenario(
        "slots-sweep",
        "How many slots are worth having, where an answer takes 100 ms: where the time stops falling is the knee.",
        "things",
        tuple(
            Point(f"{slots} slots", 20 * slots, slots, latency="100ms")
            for slots in (100, 1, 2, 5, 10, 20, 50, 200, 400)
        ),
        subjects=("threaded", CONTROL, "async", "gather-all", "stock-pool"),
        elsewhere=("threaded", "async", "gather-all", "stock-pool"),
        item_bytes=2048,
    ),
    Scenario(
        "growth",
        "A hundred items or a hundred thousand: time and memory for each must stay the same.",
        "things",
        tuple(Point(f"{items:,} items", items, 10, latency="0") for items in (1_000, 100, 10_000, 100_000)),
        subjects=("threaded", CONTROL, "async"),
        elsewhere=("threaded", "async"),
        headline=3,
        item_bytes=PAGE_BYTES,
        rounds=3,
    ),
    Scenario(
        "warm",
        "A list whose films are all known: no request at all.",
        "films",
        _films(1_000, "175ms"),
        subjects=WITH_CONTROL,
        state="warm",
    ),
    Scenario(
        "resume",
        "A run that was ended half-way, and goes on.",
        "films",
        _films(100, "175ms"),
        subjects=WITH_CONTROL,
        state="half",
        rounds=5,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in ALL}
