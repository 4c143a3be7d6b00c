"""`ThreadPoolExecutor.map` over one stock `requests.Session`: how most Python programs ask many things at once.

Written by who has a loop with requests that works, and puts a pool around it. `pool_maxsize` is there because urllib3 says
"Connection pool is full, discarding connection" without it.

It lacks: the session does its whole work anew for every request (environment, cookies, hooks, redirects), in threads that
share one interpreter; each row of the list is a future in memory from the start; `ratelimit` counts in fixed windows, so
that a strict window sees up to twice its limit; and nothing can be stopped before the queue is empty.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from ratelimit import limits, sleep_and_retry
from requests.adapters import HTTPAdapter

from ..task import (
    KEY,
    TIMEOUT_S,
    Clock,
    Facts,
    Task,
    details_params,
    film_facts,
    read_list,
    search_params,
    thing_params,
)
from .patience import LOST, check, quota_of, retried
from .table import Table

ABOUT = "a pool of threads over one stock requests session"


def work(task: Task, clock: Clock) -> None:
    """All rows into the pool, their facts out of it in the order of the list."""
    quota = quota_of(task)
    # What is limited is a look at the clock: so one knows when the request was let go.
    permit = sleep_and_retry(limits(quota.limit, quota.period_s)(clock.now)) if quota else clock.now
    with Table(task) as table, requests.Session() as session, ThreadPoolExecutor(task.slots) as pool:
        session.mount("http://", HTTPAdapter(pool_maxsize=task.slots))

        @retried(requests.RequestException)
        def get(path: str, params: dict[str, str]) -> requests.Response:
            ready_at = clock.now()
            sent_at = permit()
            try:
                response = session.get(task.base_url + path, params={**params, "api_key": KEY}, timeout=TIMEOUT_S)
            finally:
                clock.add(ready_at, sent_at, sent_at, clock.now())
            check(response.status_code, response.headers)
            return response

        def one(row: dict[str, str]) -> Facts | None:
            try:
                if task.kind == "things":
                    return Facts(get("/echo", thing_params(row["id"], task.item_bytes)).json()["id"])
                found = get("/search/movie", search_params(row["Name"], row["Year"])).json()
                return film_facts(get(f"/movie/{found['results'][0]['id']}", details_params()).json())
            except LOST:
                return None

        for facts in pool.map(one, read_list(task.list_path)):
            if facts:
                table.save(facts)
