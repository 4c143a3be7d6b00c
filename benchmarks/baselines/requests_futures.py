"""`requests_futures.FuturesSession`: requests that are submitted and come back as futures.

Written by who wants requests "in the background" and follows that library's own pattern: submit everything, then take
what is ready with `as_completed`, and submit what follows from it. The retries live in the session below it, whose
`request` runs in the library's threads.

It lacks: the stages follow each other, because details queue behind all searches, so nothing is stored before the last
search is answered; every future and every answer of a stage is in memory; the limiter works where one submits, so retries
go past it, and `ratelimit` counts in fixed windows, so that a strict window sees up to twice its limit.

Its threads cannot tell how long a request waited in the queue: it is ready and granted when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, as_completed
from contextlib import suppress
from typing import Any

import requests
from ratelimit import limits, sleep_and_retry
from requests_futures.sessions import FuturesSession

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

ABOUT = "a requests-futures session: all searches, then their details"


class PatientSession(requests.Session):
    """A session that asks again."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    @retried(requests.RequestException)
    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        sent_at = self._clock.now()
        try:
            response = super().request(*args, **kwargs)
        finally:
            self._clock.add(sent_at, sent_at, sent_at, self._clock.now())
        check(response.status_code, response.headers)
        return response


def work(task: Task, clock: Clock) -> None:
    """Stage after stage."""
    quota = quota_of(task)
    with (
        Table(task) as table,
        PatientSession(clock) as patient,
        FuturesSession(max_workers=task.slots, session=patient) as session,
    ):
        get = sleep_and_retry(limits(quota.limit, quota.period_s)(session.get)) if quota else session.get

        def submit(path: str, params: dict[str, str]) -> Future[requests.Response]:
            future: Future[requests.Response] = get(
                task.base_url + path, params={**params, "api_key": KEY}, timeout=TIMEOUT_S
            )
            return future

        rows = read_list(task.list_path)
        if task.kind == "things":
            things = [submit("/echo", thing_params(row["id"], task.item_bytes)) for row in rows]
            for thing in _answers(things):
                with suppress(*LOST):
                    table.save(Facts(thing["id"]))
            return
        searches = [submit("/search/movie", search_params(row["Name"], row["Year"])) for row in rows]
        films = []
        for found in _answers(searches):
            with suppress(*LOST):
                films.append(submit(f"/movie/{found['results'][0]['id']}", details_params()))
        for details in _answers(films):
            with suppress(*LOST):
                table.save(film_facts(details))


def _answers(futures: Iterable[Future[requests.Response]]) -> Iterator[Any]:
    """The JSON of those that have any, as they come."""
    for future in as_completed(futures):
        try:
            answer = future.result().json()
        except LOST:
            continue
        yield answer
