"""Runs that were never run: measurements with known factors, so that what is said of them can be checked."""

import random
from dataclasses import replace

from benchmarks.runs import Measurement, Percentiles, Point, Run, Stamps, Subject
from benchmarks.verdicts import MARGIN

SUBJECTS = {
    "threaded": Subject("threaded", ours=True, about="a few threads over one session"),
    "threaded-again": Subject("threaded-again", ours=True, about="threaded, once more", control_of="threaded"),
    "async": Subject("async", ours=True, about="tasks of one event loop"),
    "sequential": Subject("sequential", ours=True, about="one after the other"),
    "barrier": Subject("barrier", ours=False, about="gather on batches of 10"),
    "stock-pool": Subject("stock-pool", ours=False, about="a pool over a stock session"),
}
FACTORS = {
    "threaded": 1.02, "threaded-again": 1.02, "async": 1.021, "sequential": 9.9, "barrier": 1.22, "stock-pool": 1.05
}  # fmt: skip


def simulated_run(
    factors=None, *, rounds=10, seed=0, noise=0.002, round_noise=0.03, margin=MARGIN, points=None, **changes
):
    """A run in which each subject takes `factor` times the bound, with noise of its own and of the round.

    `changes` go into every measurement; a callable is asked with subject and round.
    """
    chance = random.Random(seed)
    factors = FACTORS if factors is None else factors
    points = points or (Point("", 50, 10, latency="175ms"),)
    found = []
    for index, point in enumerate(points):
        for number in range(rounds):
            bound_s = 2 * 0.175 * point.items / point.slots * (1 + chance.gauss(0, round_noise))
            for order, (name, factor) in enumerate(factors.items()):
                wall_s = bound_s * factor * (1 + chance.gauss(0, noise))
                facts = {
                    "wall_s": wall_s,
                    "bound_s": bound_s,
                    "ideal_s": bound_s,
                    "cpu_s": 0.1,
                    "peak_mib": 60.0,
                    "import_mib": 45.0,
                    "requests": 2 * point.items,
                    "connections": 1 if name == "sequential" else point.slots,
                    "most_in_flight": point.slots,
                    "output": "o",
                    "export": "e",
                    "wait_ms": Percentiles(0.1, 0.2, 0.3),
                    "service_ms": Percentiles(175.4, 176.0, 177.1),
                    "server_share": 0.05,
                    "foreign_cores": 0.01,
                    "stamps": flight(2 * point.items, point.slots, wall_s, batched=name == "barrier"),
                }
                facts |= {key: value(name, number) if callable(value) else value for key, value in changes.items()}
                found.append(Measurement(index, number, order, seed + number, name, **facts))
    return Run(
        scenario="films-50",
        meaning="An evening's list of films.",
        kind="films",
        points=tuple(points),
        subjects=tuple(SUBJECTS[name] for name in factors),
        rounds=rounds,
        seed=seed,
        margin=margin,
        command="scripts/bench films-50",
        commit="0123456",
        started="2026-11-24T12:00:00Z",
        took_s=100.0,
        machine={
            "system": "Linux 6.1 x86_64", "processor": "A processor", "cores": 2, "python": "3.11.9",
            "libraries": {"requests": "2.32.0", "aiohttp": "3.11.0"},
        },
        measurements=tuple(found),
    )  # fmt: skip


def flight(requests, slots, wall_s, *, batched):
    """Stamps of so many requests on so many slots; batches all wait for their slowest."""
    chance = random.Random(requests)
    free, sent, done = [0.0] * slots, [], []
    for number in range(requests):
        if batched and number % slots == 0:
            free = [max(free)] * slots
        slot = free.index(min(free))
        took_s = wall_s * slots / requests * chance.uniform(0.6, 1.4 if not batched else 1.0)
        sent.append(free[slot])
        free[slot] += took_s
        done.append(free[slot])
    order = sorted(range(requests), key=done.__getitem__)
    ticks = tuple(round(sent[index] * 10_000) for index in order)
    return Stamps(ticks, ticks, ticks, tuple(round(done[index] * 10_000) for index in order))


def sweep_run(**changes):
    """A sweep over slots with a quota that allows no more than 1,000 requests a second."""
    points = [Point(f"{slots} slots", 20 * slots, slots, latency="50ms") for slots in (20, 1, 2, 5, 10, 50, 100)]
    run = simulated_run({"threaded": 1.02, "async": 1.03, "barrier": 1.3}, rounds=3, points=points, **changes)
    found = []
    for one in run.measurements:
        requests = one.requests
        bound_s = max(0.05 * requests / points[one.point].slots, requests / 1000)
        wall_s = bound_s * one.wall_s / one.bound_s
        found.append(replace(one, bound_s=bound_s, ideal_s=bound_s, wall_s=wall_s, stamps=Stamps()))
    return replace(run, scenario="slots-sweep", measurements=tuple(found))


def growth_run(**changes):
    """A sweep over the number of items."""
    points = [Point(f"{items:,} items", items, 10) for items in (100, 10, 1_000)]
    return simulated_run({"threaded": 1.02, "async": 1.03}, rounds=3, points=points, **changes)


def quota_run(**changes):
    """A quota of 40 in 10 seconds: our modes keep to it, a stock pool sends all at once."""

    def arrivals(name, number):
        chance = random.Random(number)
        found = []
        for index in range(100):
            earliest = found[index - 40] + 100_050 if name != "stock-pool" and index >= 40 else 0
            found.append(max(earliest, (found[-1] if found else 0) + chance.randrange(100, 400)))
        return tuple(at - found[0] for at in found)

    rejected = {"stock-pool": 60}
    return simulated_run(
        {"threaded": 1.02, "threaded-again": 1.02, "async": 1.021, "stock-pool": 1.4},
        rounds=3,
        points=[Point("50 films", 50, 10, latency="50-150ms", quota="40/10s")],
        arrivals=arrivals,
        quota_used=0.98,
        fullest=lambda name, _: 100 if name == "stock-pool" else 40,
        rejected=lambda name, _: rejected.get(name, 0),
        **changes,
    )
