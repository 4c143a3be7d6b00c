"""What an answer is remembered by, and for how long.

The key is what was asked, spelled out: it can be read in the database. It holds no secret, because a request holds none.
"""

from __future__ import annotations

from hashlib import blake2b

from ..model import Lifetime, Remembered, Request
from ..target import target


def key_of(request: Request) -> str:
    """The key under which the answer is remembered."""
    service = request.service
    key = f"{service.name} {request.method} {service.base_url}{target(request)}"
    if request.expects != "json":
        key += f" {request.expects}"  # what was remembered as bytes need not be JSON
    if request.body:
        key += f" {blake2b(request.body, digest_size=16).hexdigest()}"
    return key


def is_fresh(remembered: Remembered, age_s: float, lifetime: Lifetime) -> bool:
    """Whether a memory is still good. A clock that was set back (negative age) makes nothing stale."""
    return age_s <= (lifetime.missing_s if remembered.missing else lifetime.found_s)
