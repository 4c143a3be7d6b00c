"""A report as pytest-benchmark writes it, so that `pytest-benchmark compare` shows and compares runs.

One benchmark for each valid subject and point; its data are the wall times of the rounds. Bounds, intervals and
memory have no place there: they are under `extra_info`.
"""

from __future__ import annotations

import json
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from ..runs import Run
from ..summary import PointSummary, Row, Summary
from .series import counted
from .text import point_name

SCHEMA = "5.3.1"
"""The version of pytest-benchmark whose format this is."""


def as_pytest_benchmark(run: Run, summary: Summary) -> str:
    """The file's text."""
    benchmarks = [
        _benchmark(run, index, point, row)
        for index, point in enumerate(summary.points)
        for row in point.rows
        if row.valid
    ]
    whole = {
        "machine_info": {**run.machine, "python_version": run.machine.get("python", "")},
        "commit_info": {
            "id": run.commit.rstrip("+"),
            "time": None,
            "dirty": run.commit.endswith("+"),
            "project": "enricher",
        },
        "benchmarks": benchmarks,
        "datetime": run.started,
        "version": SCHEMA,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _benchmark(run: Run, index: int, point: PointSummary, row: Row) -> dict[str, Any]:
    where, who = point_name(point.point), row.subject.name
    walls = [one.wall_s for one in counted(run, index, who)]
    return {
        "group": f"{run.scenario}: {where}",
        "name": f"{run.scenario}[{who}-{where}]",
        "fullname": f"benchmarks/{run.scenario}[{who}-{where}]",
        "params": {"subject": who, "point": where},
        "param": f"{who}-{where}",
        "extra_info": {
            "of_bound": row.of_bound and row.of_bound.median,
            "cpu_ms_per_request": row.cpu_ms_per_request,
            "peak_mib": row.peak_mib,
        },
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": run.rounds, "warmup": False},
        "stats": _stats(walls),
    }


def _stats(data: Sequence[float]) -> dict[str, Any]:
    rising = sorted(data)
    mean, total = statistics.fmean(rising), sum(rising)
    deviation = statistics.stdev(rising) if len(rising) > 1 else 0.0
    q1, median, q3 = statistics.quantiles(rising, n=4, method="inclusive") if len(rising) > 1 else rising * 3
    low_fence, high_fence = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    far = sum(abs(value - mean) > deviation for value in rising)
    farther = sum(value < low_fence or value > high_fence for value in rising)
    return {
        "min": rising[0],
        "max": rising[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(rising),
        "median": median,
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": farther,
        "stddev_outliers": far,
        "outliers": f"{far};{farther}",
        "ld15iqr": rising[bisect_left(rising, low_fence)],
        "hd15iqr": rising[bisect_right(rising, high_fence) - 1],
        "ops": len(rising) / total if total else 0.0,
        "total": total,
        "data": list(data),
        "iterations": 1,
    }
