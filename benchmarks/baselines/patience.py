"""What everybody writes around a request: a loop that asks again.

The loop is the usual one: five attempts, after a 429, a 5xx or a connection error, with a pause of what Retry-After says
in seconds, or else of 1, 2, 3 and 4 s. It lacks what one misses on a bad day: others go on asking while one pauses, a date
in Retry-After is not understood, all who failed together come back together, and whoever pauses keeps its slot.

A row is lost when its five attempts are used up, or when an answer is not what was asked for. That ends nothing.

Stamps: a request is ready when its row has a slot and wants to send, as it is in our modes; granted when its limiter lets
it go, and sent at once then; done when its body is there, before the JSON is read.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar

from enricher.simulator.behaviour import Quota

from ..task import Facts, Task, details_params, film_facts, search_params, thing_params

ATTEMPTS = 5

_P = ParamSpec("_P")
_T = TypeVar("_T")


def quota_of(task: Task) -> Quota | None:
    """What the client may send; None where there is no limit."""
    return None if task.quota == "none" else Quota.parse(task.quota)


class Refused(Exception):
    """A status that the next attempt may not meet: 429 or 5xx. `retry_after` is that header's text, or ""."""

    def __init__(self, status: int, retry_after: str) -> None:
        super().__init__(f"status {status}")
        self.retry_after = retry_after


class GaveUp(Exception):
    """The last attempt failed too."""


LOST = (GaveUp, ValueError, LookupError, TypeError)
"""What loses a row: no answer, a body that is no JSON, an answer without what was asked for."""


def check(status: int, headers: Mapping[str, str]) -> None:
    """Let an answer pass, or raise `Refused`."""
    if status == 429 or status >= 500:
        raise Refused(status, headers.get("Retry-After", ""))


def pause_s(failures: int, error: Exception) -> float:
    """How long to wait after so many failures, seconds.

    >>> pause_s(2, Refused(429, "0.5")), pause_s(2, Refused(503, "")), pause_s(3, TimeoutError())
    (0.5, 2.0, 3.0)
    """
    if isinstance(error, Refused):
        try:
            return float(error.retry_after)
        except ValueError:
            pass
    return float(failures)


def retried(*errors: type[Exception]) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorate a request: it is sent again after `Refused` or one of the errors, and raises `GaveUp` in the end."""
    caught: tuple[type[Exception], ...] = (Refused, *errors)

    def decorate(attempt: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(attempt)
        def ask(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            for failures in range(1, ATTEMPTS + 1):
                try:
                    return attempt(*args, **kwargs)
                except caught as error:
                    if failures < ATTEMPTS:
                        time.sleep(pause_s(failures, error))
            raise GaveUp

        return ask

    return decorate


def retried_async(
    *errors: type[Exception],
) -> Callable[[Callable[_P, Awaitable[_T]]], Callable[_P, Awaitable[_T]]]:
    """Decorate a request of an event loop, as `retried` does one of a thread."""
    caught: tuple[type[Exception], ...] = (Refused, *errors)

    def decorate(attempt: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
        @functools.wraps(attempt)
        async def ask(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            for failures in range(1, ATTEMPTS + 1):
                try:
                    return await attempt(*args, **kwargs)
                except caught as error:
                    if failures < ATTEMPTS:
                        await asyncio.sleep(pause_s(failures, error))
            raise GaveUp

        return ask

    return decorate


async def row_facts(
    task: Task, row: Mapping[str, str], get: Callable[[str, dict[str, str]], Awaitable[bytes]]
) -> Facts | None:
    """Ask about one row in an event loop: its facts, or None where it is lost. `get` is given path and parameters."""
    try:
        if task.kind == "things":
            return Facts(json.loads(await get("/echo", thing_params(row["id"], task.item_bytes)))["id"])
        found = json.loads(await get("/search/movie", search_params(row["Name"], row["Year"])))
        details = json.loads(await get(f"/movie/{found['results'][0]['id']}", details_params()))
        return film_facts(details)
    except LOST:
        return None
