"""What an answer is remembered by, and for how long.

The key is what was asked, spelled out: it can be read in the database. It holds no secret, because a request holds none.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from ..http import http_date_s
from ..model import Lifetime, Remembered, Request
from ..target import target

LONGEST_PROMISE_S = 86_400.0
"""A server may say that its answer is good for longer than our own lifetime, but not for ever: a day, seconds."""

MOVED_FOR_GOOD = (301, 308)

_MAX_AGE = re.compile(r"\bmax-age(?:=\"?(\d+))?")
_NOT_KEPT = re.compile(r"\bno-(?:cache|store)\b")


def key_of(request: Request) -> str:
    """The key under which the answer is remembered."""
    if request.known_as is not None:
        return request.known_as
    service = request.service
    key = f"{service.name} {request.method} {service.base_url}{target(request)}"
    if request.expects != "json":
        key += f" {request.expects}"  # what was remembered as bytes need not be JSON
    if request.body:
        key += f" {blake2b(request.body, digest_size=16).hexdigest()}"
    return key


def is_fresh(remembered: Remembered, age_s: float, lifetime: Lifetime) -> bool:
    """Whether a memory is still good. A clock that was set back (negative age) makes nothing stale."""
    if remembered.missing:
        return age_s <= lifetime.missing_s
    if lifetime.moved_s is not None and remembered.status in MOVED_FOR_GOOD:
        return age_s <= lifetime.moved_s
    return age_s <= lifetime.found_s or (lifetime.obliging and age_s <= promised_s(remembered))


def promised_s(remembered: Remembered) -> float:
    """For how long the server said that its answer is good, seconds, at most `LONGEST_PROMISE_S`; 0 where it did not.

    Where Cache-Control says it, that goes before Expires (RFC 9111, 5.3), which is held against the answer's own Date.
    """
    headers = remembered.headers
    control = headers.get("cache-control", "").lower()
    found = _MAX_AGE.search(control)
    if found is not None:
        return min(float(found[1] or 0), LONGEST_PROMISE_S)
    here, until = http_date_s(headers.get("date", "")), http_date_s(headers.get("expires", ""))
    if here is None or until is None or _NOT_KEPT.search(control):
        return 0.0
    return min(max(0.0, until - here), LONGEST_PROMISE_S)


def conditional(stale: Remembered) -> dict[str, str]:
    """The headers that ask whether a memory is still good (RFC 9110, 13.1); empty where nothing can be said."""
    asked: dict[str, str] = {}
    if stale.missing or stale.status != 200:  # a 304 speaks of the page, and not of a redirect or of its absence
        return asked
    for theirs, ours in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
        told = stale.headers.get(theirs, "")
        if told and told.isascii() and told.isprintable():  # nothing else can be sent
            asked[ours] = told
    return asked
