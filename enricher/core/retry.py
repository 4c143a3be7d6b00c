"""Is one answer good enough, and if not, when to ask again.

`judge` turns a response into a verdict: the service's own `classify` first, then the general rules. `Backoff` says how
long to wait before the next attempt: full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
for one that failed alone; for one that everybody waits for, the exponential itself plus jitter, and at least what the
service asked for. Jitter only lengthens what a service asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import TransportError
from ..http import asked_wait_s, retry_after_s
from ..model import Accept, Refuse, RefuseKey, Request, Response, Retry, Verdict
from .bodies import NOT_JSON, has_no_body, instead_of_json, parse_json

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass (RFC 9110, 15.5 and 15.6; RFC 8470 for 425; RFC 6585 for 429)."""

ACCEPTED = Accept()


def judge(request: Request, response: Response) -> tuple[Verdict, Any]:
    """The verdict on a response, and its parsed data (None where it has none, or none was expected)."""
    status = response.status
    data = parse_json(response.body) if request.expects == "json" else None
    unread: Verdict | None = None
    if data is NOT_JSON:
        data = None
        if 200 <= status < 300 and not has_no_body(request, response):
            unread = instead_of_json(response.body, pages_pass=request.service.pages_pass)
    classify = request.service.classify
    if classify is not None and unread is None:
        verdict = classify(request, response, data)
        if verdict is not None:
            return verdict, data
    if 200 <= status < 300:
        return unread or ACCEPTED, data
    if status in TRANSIENT:
        after_s = asked_wait_s(response) if status in (429, 503) else retry_after_s(response)
        pause = status == 429 or (status == 503 and after_s is not None)
        return Retry(_pausing(request, status, after_s if pause else None), after_s, pause), data
    if status == 401 and request.service.place_key is not None:
        return RefuseKey(f"HTTP {status}"), data
    return Refuse(f"HTTP {status}"), data


def _pausing(request: Request, status: int, after_s: float | None) -> str:
    """The reason of a transient status. One of many hosts is given up rather than waited for: its rows say for how long."""
    if request.service.per_host is None or not after_s:
        return f"HTTP {status}"
    return f"HTTP {status}, asking for a pause of {math.ceil(after_s):,} s"


_FINAL = frozenset(
    {
        *("too large", "not allowed", "SOCKS proxies are not supported", "certificate not trusted"),
        "certificate expired, by this machine's clock",
        "certificate not valid yet, by this machine's clock",
    }
)
"""Causes that asking again will not change."""


def judge_error(error: TransportError) -> Verdict:
    """The verdict on an attempt that brought no whole answer."""
    if error.cause == "the API key can't be sent":
        return RefuseKey("it holds a line end or another character that no request can carry")
    if error.cause in _FINAL:
        return Refuse(error.cause)
    return Retry(error.cause)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how long. `deadline_s` bounds what one item spends on the wire and in back-off, all in all.

    Waiting for the quota, for a pause or for a silent host is everybody's, and does not count. `refusals` is how many
    attempts a request has if it is refused each time (429); None: `attempts`, as for any other failure.
    """

    attempts: int = 5
    base_s: float = 0.5
    factor: float = 2.0
    cap_s: float = 30.0
    deadline_s: float = 300.0
    refusals: int | None = None

    def _exponential(self, attempt: int) -> float:
        return min(self.cap_s, self.base_s * self.factor ** (attempt - 1))

    def delay_s(self, attempt: int, after_s: float | None, chance: Callable[[], float]) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1), by this item alone."""
        jittered = chance() * self._exponential(attempt)
        return jittered if after_s is None else after_s + jittered

    def pause_s(self, attempt: int, after_s: float | None, chance: Callable[[], float]) -> float:
        """Seconds that everybody waits after a "too many requests"."""
        least = self._exponential(attempt) if after_s is None else after_s
        return least + chance() * self.base_s / 2
