"""What somebody might have written today instead of using enricher: the same task, as each library invites one to do it.

    name               at a time                                    connections         the quota
    barrier            gather on batches of so many rows            one a request       aiolimiter, a leaky bucket
    gather-all         gather on all rows, a semaphore              one session         aiolimiter
    stock-pool         ThreadPoolExecutor.map over one session      kept by requests    ratelimit, a fixed window
    requests-futures   all searches, then the details               kept by requests    ratelimit, where one submits
    httpx-async        gather on all rows, a semaphore              one client          aiolimiter
    scrapy             a spider in this process                     kept by Scrapy      a delay between requests

Each is a module with `ABOUT`, one clause for a table, and `work`, a `task.Client`; `read` reads what any of them stored.
What everybody writes around such a library is shared: a table (`table`) and a loop of retries (`patience`).

None is tuned, and none is made worse than its library: what one lacks is said at the head of its module. A row that fails
five times is lost. Where there is a quota, each has the limiter that its users take. The libraries are the extra `bench`;
importing this package imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from ..task import Clock, Task
from .table import read

__all__ = ["NAMES", "Baseline", "available", "load", "read"]

NAMES = {
    "barrier": "barrier",
    "gather-all": "gather_all",
    "stock-pool": "stock_pool",
    "requests-futures": "requests_futures",
    "httpx-async": "httpx_async",
    "scrapy": "scrapy_spider",
}
"""Name → module in this package, in the order of a report."""

_NEEDS = {
    "barrier": ("aiohttp", "aiolimiter"),
    "gather-all": ("aiohttp", "aiolimiter"),
    "stock-pool": ("requests", "ratelimit"),
    "requests-futures": ("requests_futures", "ratelimit"),
    "httpx-async": ("httpx", "aiolimiter"),
    "scrapy": ("scrapy",),
}


class Baseline(Protocol):
    """What a baseline's module offers."""

    ABOUT: str

    def work(self, task: Task, clock: Clock) -> None:
        """Do the task (`task.Client`)."""


def available(name: str) -> str:
    """The distributions that a baseline misses here, "" where it can run. Imports nothing."""
    return ", ".join(library.replace("_", "-") for library in _NEEDS[name] if find_spec(library) is None)


def load(name: str) -> Baseline:
    """Import a baseline, its library with it. Raises `ImportError` where that is not installed."""
    return cast(Baseline, import_module(f".{NAMES[name]}", __name__))
