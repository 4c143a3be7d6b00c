"""How late is the event loop while articles are extracted? `python -m benchmarks.lag`, a line on standard output.

The async mode works through the articles of `articles-sweep` (100 of them, eight slots), with a timer in its loop that asks
to be woken every 5 ms: what it is late by, any answer is late by. Once so, once with all extraction processes kept
busy besides from the first moment to the last, by pages of the same kind: there is never one free, and it is the worst that
extraction can do to the loop. Beside it stand the pages' and the analyses' service times.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import click

from enricher.model import Compute
from enricher.pipelines.articles.extraction import extract
from enricher.processes import WORKERS, Processes

from . import apis, machine, own
from .scenarios import BY_NAME
from .task import LIST, Clock, Task, read_list

EVERY_S = 0.005
SCENARIO = BY_NAME["articles-sweep"]


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Loops with a timer in them."""

    def __init__(self, late_s: list[float]) -> None:
        super().__init__()
        self._late_s = late_s

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()

        def look(due: float) -> None:
            now = loop.time()
            self._late_s.append(now - due)
            loop.call_at(now + EVERY_S, look, now + EVERY_S)

        loop.call_soon(lambda: look(loop.time()))
        return loop


@contextmanager
def kept_busy(processes: Processes, pages: Sequence[tuple[bytes, str, str]]) -> Iterator[None]:
    """Every process has something to extract, and one more page waits."""
    over = threading.Event()

    def feed() -> None:
        waiting: deque[Future[object]] = deque()
        number = 0
        while not over.is_set():
            while len(waiting) <= WORKERS:
                waiting.append(processes.submit(Compute(extract, pages[number % len(pages)])))
                number += 1
            waiting.popleft().result()

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def share(values: Sequence[float], of: float) -> float:
    """A percentile, in milliseconds."""
    return 1000 * sorted(values)[round(of * (len(values) - 1))]


@click.command()
def main() -> None:
    """How late is the event loop while articles are extracted?"""
    scenario = SCENARIO.scaled(SCENARIO.time_scale)
    point = scenario.points[scenario.headline]
    cores = machine.cores()
    with apis.opened(scenario, cores[0] if len(cores) > 1 else None) as api, tempfile.TemporaryDirectory() as name:
        api.behave(point, 0)
        for busy in (False, True):
            folder = Path(name) / f"{busy}"
            folder.mkdir()
            api.write(folder / LIST, point.items)
            task = Task(scenario.kind, api.base_url, str(folder), point.items, point.slots)
            pages = [apis.page(row["url"]) for row in read_list(folder / LIST)]
            late_s: list[float] = []
            clock = Clock()
            with own.processes_of(task) as processes:
                assert processes is not None
                asyncio.set_event_loop_policy(_Policy(late_s))
                began_at = time.monotonic()
                if busy:
                    with kept_busy(processes, pages):
                        own.work("async", task, clock, processes=processes)
                else:
                    own.work("async", task, clock, processes=processes)
                wall_s = time.monotonic() - began_at
            service_s = [done - sent for _, _, sent, done in clock.stamps]
            click.echo(
                f"{'always busy' if busy else 'as they come'}: loop late p50 {share(late_s, 0.5):.2f} ms, p99"
                f" {share(late_s, 0.99):.2f} ms, at most {share(late_s, 1):.1f} ms ({len(late_s):,} looks);"
                f" service p50 {share(service_s, 0.5):.1f} ms, p99 {share(service_s, 0.99):.1f} ms; {wall_s:.2f} s"
            )


if __name__ == "__main__":
    main()
