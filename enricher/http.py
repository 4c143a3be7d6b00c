"""What HTTP headers say of time and quota, for every room. Pure.

How long a service asks us to wait is never read as less than it says: of several values the longest holds, and a text with
several parts of which some can't be understood counts by those that can.

| header | forms |
|---|---|
| Retry-After | seconds (any digits, fractions), durations ("1m0s", "PT1M", "2 min"), HTTP dates, ISO 8601 dates, Unix time |
| RateLimit (IETF drafts 07 and later) | `limit=9, remaining=0, reset=5`; `"name";r=0;t=5` |
| RateLimit-Remaining and -Reset, X-RateLimit-…, X-Rate-Limit-… | as Retry-After; a reset counts where nothing remains |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from .model import Hints, Response

_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)
_ISO_DURATION = re.compile(r"p(?:(\d+)d)?t?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?()", re.ASCII)
_UNIT_WORDS = {
    "ms": "milliseconds?|millis|msecs?",
    "s": "seconds?|secs?",
    "m": "minutes?|mins?",
    "h": "hours?|hrs?",
    "d": "days?",
}
_SPELLED_OUT = re.compile(
    rf"(?<=\d)(?:{'|'.join(f'(?P<{unit}>{words})' for unit, words in _UNIT_WORDS.items())})(?:and)?(?=\d|$)", re.ASCII
)
_UNITS_S = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_PARTS = re.compile(r"\s*((?:[A-Za-z]{3,9},)?[^,]+)")
"""The parts of a value that may be several, joined by commas; that of a date stands behind the name of a day."""

_YEAR_S, _DAY_S = 366 * 86_400.0, 86_400.0
MOST_S = 1e14
"""No wait is longer, seconds: a number with more digits than a float holds must not become infinite."""

_FIELD = re.compile(r"\b(remaining|reset|r|t)\s*=\s*(\d+(?:\.\d+)?)", re.ASCII)
_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_SUFFIXES = ("", "-requests", "-tokens")
_REMAINING = tuple(f"{prefix}-remaining{suffix}" for prefix in _PREFIXES for suffix in _SUFFIXES)
_TELLING = frozenset({"ratelimit", *_REMAINING})
"""Headers that say how much of a quota remains."""


def http_date_s(text: str) -> float | None:
    """An HTTP date (RFC 9110, 5.6.7) as Unix time; None where it is none, as in `Expires: 0`."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()  # a date that names no zone is GMT
    except (ValueError, OverflowError):
        return None


def iso_date_s(text: Any) -> float | None:
    """An ISO 8601 moment as Unix time; None where it is none. One that names no zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def now_s(response: Response) -> float:
    """When a response was made, Unix time: by its own Date, so that a wrong clock on either side does no harm."""
    here = http_date_s(response.headers.get("date", ""))
    return response.wall_at if here is None else here


def retry_after_s(response: Response) -> float | None:
    """What Retry-After asks for, seconds; None where it asks for nothing that can be understood. A past date is 0.

    `retry-after-ms` is the same to the millisecond; where it is another moment, the longer wait holds.
    """
    wait_s = _longest(response.headers.get("retry-after", ""), response)
    text = response.headers.get("retry-after-ms", "").strip()
    if not _NUMBER.fullmatch(text):
        return wait_s
    exact_s = min(float(text) / 1000, MOST_S)
    return exact_s if wait_s is None or wait_s - exact_s < 1.0 else wait_s


def reset_s(response: Response) -> float | None:
    """In how many seconds a quota is back of which nothing remains, as the rate limit headers say; None: they don't."""
    headers = response.headers
    found = list(_resets(headers.get("ratelimit", "")))
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            remaining = headers.get(f"{prefix}-remaining{suffix}", "").strip()
            if remaining and remaining.strip("0.") != "":
                continue
            for name in (f"{prefix}-reset{suffix}", f"{prefix}-reset-after{suffix}"):
                wait_s = _longest(headers.get(name, ""), response)
                if wait_s is not None and wait_s < _YEAR_S:  # more is a moment that is long over, or in unknown units
                    found.append(wait_s)
    return max(found, default=None)


def asked_wait_s(response: Response) -> float | None:
    """How long a refusal asks us to wait, seconds: what Retry-After says, else until the quota is back; None: nothing."""
    wait_s = retry_after_s(response)
    return reset_s(response) if wait_s is None else wait_s


def spent_quota(response: Response) -> Hints | None:
    """That nothing remains of a quota, and for how long, as an answer's headers say; None: they don't say so.

    Used where a service brings no `hints` of its own.
    """
    headers = response.headers
    if _TELLING.isdisjoint(headers):  # nearly every answer
        return None
    if not _nothing_remains(headers):
        return None
    wait_s = reset_s(response)
    return None if not wait_s else Hints(pause_s=wait_s)


def _nothing_remains(headers: Mapping[str, str]) -> bool:
    told = [headers[name].strip() for name in _REMAINING if name in headers]
    return any(text and text.strip("0.") == "" for text in told) or any(_resets(headers.get("ratelimit", "")))


def _resets(text: str) -> Iterator[float]:
    """The resets of those parts of a RateLimit header of which nothing remains."""
    if "=" not in text:
        return
    parts = text.split(",") if ";" in text else [text]
    for part in parts:
        fields = {name[:3]: float(value) for name, value in _FIELD.findall(part)}
        remaining, reset = fields.get("rem", fields.get("r")), fields.get("res", fields.get("t"))
        if remaining == 0 and reset is not None:
            yield min(reset, MOST_S)


def _longest(text: str, response: Response) -> float | None:
    """The longest wait that a value names, or one of its parts."""
    text = text.strip()
    if not text:
        return None
    whole = _wait_s(text, lambda: now_s(response))
    if whole is not None:
        return whole
    waits = [_wait_s(part.strip(), lambda: now_s(response)) for part in _PARTS.findall(text)]
    return max((wait_s for wait_s in waits if wait_s is not None), default=None)


def _wait_s(text: str, now: Callable[[], float]) -> float | None:
    """One value as seconds from now, never negative; None where it can't be understood."""
    text = text.strip(" \t\"'")
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= 1e9:
            here = now()
            for unit in (1.0, 1e3, 1e6, 1e9):  # nobody asks for thirty years: this is Unix time, in s to ns
                if here - _DAY_S <= number / unit <= here + _YEAR_S:
                    return max(0.0, number / unit - here)
        return min(number, MOST_S)
    lowered = _SPELLED_OUT.sub(lambda unit: str(unit.lastgroup), text.lower().replace(" ", ""))
    for form in (_CLOCK, _ISO_DURATION):
        found = form.fullmatch(lowered)
        if found is not None and any(found.groups()):
            return min(sum(float(n) * unit_s for n, unit_s in zip(found.groups(), _UNITS_S, strict=True) if n), MOST_S)
    until = http_date_s(text)
    if until is None:
        until = iso_date_s(text)
    return None if until is None else max(0.0, until - now())
