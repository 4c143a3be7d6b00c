"""One client process: `python -m benchmarks.client`. Does one task as one subject, and tells what it cost.

Standard input brings one line of JSON: the subject, its task, the cores to stay on. Standard output gets one line back.
All that the subject needs is imported before the clock starts, and processes that it works with are begun; what it needs
then is its own work. The pipe of the
standard input stays open: when the parent is gone, however it went, this process ends too.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .machine import peak_mib, pin
from .runs import MOST_STAMPS, TICK_S
from .task import Clock, Facts, Task, truth_of


def main() -> None:
    """Be a client."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    if order["cores"]:
        pin(*order["cores"])
    told = json.dumps(measure(order["subject"], Task(**order["task"]), order["stop_after"], order["slowed"]))
    sys.stdout.write(told + "\n")


def _end_with_the_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    os._exit(1)


def measure(subject: str, task: Task, stop_after: int | None = None, slowed: float = 0.0) -> dict[str, Any]:
    """Do the task in this process; what it took, and whether the table is right. `slowed`: by this share, on purpose."""
    from . import subjects

    with subjects.opened(subject, task, stop_after) as (client, read):
        clock = Clock()
        gc.collect()  # what the imports left behind is not the subject's
        import_mib = peak_mib()
        began_at, began_cpu_s = time.monotonic(), time.process_time()
        client(task, clock)
        if slowed:
            time.sleep(slowed * (time.monotonic() - began_at))
        wall_s, cpu_s = time.monotonic() - began_at, time.process_time() - began_cpu_s
    told = {"began_at": began_at, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": peak_mib(), "import_mib": import_mib}
    return told | _judge(task, list(read(task))) | _times(clock.stamps, began_at) | {"export": subjects.export(task)}


def _judge(task: Task, found: Sequence[Facts]) -> dict[str, Any]:
    """How many rows are wrong, lost or there twice; and what the output is."""
    by_key: dict[str, Facts] = {}
    wrong = 0
    for facts in found:
        wrong += facts.key in by_key
        by_key[facts.key] = facts
    digest = hashlib.sha256()
    for true in truth_of(task):
        given = by_key.pop(true.key, None)
        wrong += given != true
        digest.update(repr(given).encode())
    return {"wrong": wrong + len(by_key), "output": digest.hexdigest()}


Stamp = tuple[float, float, float, float]


def _times(stamps: Sequence[Stamp], began_at: float) -> dict[str, Any]:
    """The stamps, where there are few enough, and the percentiles of all."""
    if not stamps:
        return {"stamps": {}, "wait_ms": None, "service_ms": None}
    kept = {}
    if len(stamps) <= MOST_STAMPS:
        for place, name in enumerate(("ready", "granted", "sent", "done")):
            kept[name] = [round((stamp[place] - began_at) / TICK_S) for stamp in stamps]
    return {
        "stamps": kept,
        "wait_ms": _percentiles(stamps, lambda stamp: stamp[1] - stamp[0]),
        "service_ms": _percentiles(stamps, lambda stamp: stamp[3] - stamp[2]),
    }


def _percentiles(stamps: Sequence[Stamp], what: Callable[[Stamp], float]) -> dict[str, float]:
    values = sorted(map(what, stamps))
    last = len(values) - 1
    return {f"p{share}": round(1000 * values[round(share / 100 * last)], 3) for share in (50, 95, 99)}


if __name__ == "__main__":
    main()
