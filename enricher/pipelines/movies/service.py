"""TMDB v3 as we know it: address, key, quota, lifetimes, and what its answers mean.

Quota: the old limit of 40 requests in 10 s was switched off in 2019; the documentation now says "somewhere in the 40
requests per second range" and asks to respect the 429 (https://developer.themoviedb.org/docs/rate-limiting, checked
2026-11). Its 429 need not hold a Retry-After (a header dump of 2023, moviedb-promise#74). We stay a little below, and at
the 20 connections an address that its founder named (2022, quoted in go-tmdb#44).

Status codes: https://developer.themoviedb.org/docs/errors (checked 2026-11). What is not judged here is left to the
general rules: 429 and the 5xx are asked again, other refusals are final.

Reasons are our own words. TMDB's `status_message` is text from outside: it may hold anything, and never reaches a
report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from ...model import (
    Accept,
    KeyPlace,
    Lifetime,
    Refuse,
    RefuseKey,
    Request,
    Response,
    Retry,
    Service,
    Verdict,
    Window,
)

BASE_URL = "https://api.themoviedb.org/3"

WINDOWS = (Window(35, 1.0),)
"""Below the "40 requests per second range": a 429 pauses every worker, which costs more than the last five."""

MOST_CONNECTIONS = 20

_DAY_S = 86_400.0

LIFETIMES: Mapping[str, Lifetime] = MappingProxyType(
    {
        # A film's facts settle; votes drift, which nobody waits for. A search changes when a film is added.
        "details": Lifetime(found_s=30 * _DAY_S, missing_s=_DAY_S),
        "find": Lifetime(found_s=30 * _DAY_S, missing_s=_DAY_S),
        "search": Lifetime(found_s=7 * _DAY_S, missing_s=_DAY_S),
    }
)

# Suspended, invalid, expired or missing keys and tokens, all of them with 401.
_KEY_CODES = {7, 3, 10, 14, 32, 35}
# No such id (404), one that can't be (404), one beyond TMDB's numbers (500).
_INVALID_ID = 44
_NO_SUCH_ID = {(404, 34), (404, 6), (500, _INVALID_ID)}


def tmdb(
    base_url: str = BASE_URL,
    *,
    windows: tuple[Window, ...] = WINDOWS,
    burst: int | None = None,
    limiter: Literal["sliding", "fixed"] = "sliding",
    timeout_s: float = 10.0,
) -> Service:
    """TMDB at an address (a simulated one, a proxy), with the quota to keep to."""
    return replace(TMDB, base_url=base_url, windows=windows, burst=burst, limiter=limiter, timeout_s=timeout_s)


def place_key(key: str) -> KeyPlace:
    """A v4 token (a JWT, it starts with `eyJ`) goes into a header; a v3 key works as a parameter only.

    Source: https://developer.themoviedb.org/docs/authentication-application (checked 2026-11).
    """
    if key.startswith("eyJ"):
        return KeyPlace(headers={"Authorization": f"Bearer {key}"})
    return KeyPlace(params={"api_key": key})


def classify(request: Request, response: Response, data: Any) -> Verdict | None:
    """What an answer of TMDB means; None leaves it to the general rules.

    "No such film" is an answer, to a request for one film, and so is "no such id can be". A 404 that is not TMDB's own, or
    to a search, says that the address is wrong, so it is left to the general rules, which refuse it.
    """
    code = data.get("status_code") if isinstance(data, Mapping) else None
    match response.status:
        case 200:
            return _judge_content(request, data)
        case 401 if code in _KEY_CODES:
            return RefuseKey(f"TMDB does not accept it (its code {code})")
        case status if (status, code) in _NO_SUCH_ID and request.kind in ("details", "find"):
            return Accept(missing=True)
        case 500 if code == _INVALID_ID:
            return Refuse("TMDB says that the id is invalid")
        case 422:
            return Refuse("TMDB does not accept the request's parameters")
        case _:
            return None


def _judge_content(request: Request, data: Any) -> Verdict | None:
    """The shape of a good answer. A proxy's page, another film or half an answer must not be remembered as a film."""
    kind = request.kind
    if kind not in LIFETIMES:
        return None
    if isinstance(data, Mapping):
        listed = data.get("movie_results" if kind == "find" else "results")
        if kind == "details":
            if type(data.get("id")) is int and str(data["id"]) == request.path.rpartition("/")[2]:
                return Accept()
        elif isinstance(listed, list):
            return Accept(missing=not listed)
    return Retry("unexpected JSON")


TMDB = Service(
    name="tmdb",
    base_url=BASE_URL,
    windows=WINDOWS,
    place_key=place_key,
    headers={"Accept": "application/json"},
    classify=classify,
    pages_pass=True,
    lifetimes=LIFETIMES,
    max_connections=MOST_CONNECTIONS,
)
