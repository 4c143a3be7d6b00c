"""What an answer is remembered by, and for how long.

The key is what was asked, spelled out: it can be read in the database. It holds no secret, because a request holds none.
"""

from __future__ import annotations

from hashlib import blake2b
from urllib.parse import quote, quote_plus

from ..model import Lifetime, Remembered, Request


def target(request: Request) -> str:
    """The request's address below the service's, query included: what the transport sends before it adds the key."""
    path = quote(request.path, safe="/%:@!$&'()*+,;=~")
    if not request.params:
        return path
    query = "&".join([f"{quote_plus(name)}={quote_plus(value)}" for name, value in request.params.items()])
    return f"{path}?{query}"


def key_of(request: Request) -> str:
    """The key under which the answer is remembered."""
    service = request.service
    key = f"{service.name} {request.method} {service.base_url}{target(request)}"
    if request.body:
        key += f" {blake2b(request.body, digest_size=16).hexdigest()}"
    return key


def is_fresh(remembered: Remembered, age_s: float, lifetime: Lifetime) -> bool:
    """Whether a memory is still good. A clock that was set back (negative age) makes nothing stale."""
    return age_s <= (lifetime.missing_s if remembered.missing else lifetime.found_s)
