"""The open web as a service: many hosts, each asked politely, none trusted.

One bucket for all hosts (10 requests a second, 5 at once, unless a person says otherwise), and for each registrable
domain at most two requests at a time, spaced by what its robots.txt asks for. No proxy, no key, and no cookie beyond the
redirects of one page; only public hosts, judged by the address that is connected to (`Reach`), unless a person names a
private one.

What an answer means: a redirect is an answer, because the recipe follows it hop by hop, so that each hop is looked up in
its host's robots.txt and judged by the guard. 410 is an answer too: gone, for good; and so is a page's 404, so that the
next run does not ask for it at once. 401, 403, a feed's 404 and other refusals are final for the request; 5xx and
silence are asked again, twice. 429 is a pause, and no attempt. All of these hold back that host alone.

Lifetimes: feeds an hour, pages a week (an hour, where there is none), robots.txt a day (RFC 9309 says no longer than
that), a permanent redirect a month.
Longer where the server says so (Cache-Control), and what is older is asked for conditionally (ETag, Last-Modified).
"""

from __future__ import annotations

from typing import Any, Literal

from ...model import Accept, Lifetime, PerHost, Reach, Refuse, Request, Response, Service, Verdict, Window
from .addresses import site_of

NAME = "web"
HOUR_S, DAY_S = 3_600.0, 86_400.0

RATE = (Window(10, 1.0),)
BURST = 5
PER_SITE = 2
"""Requests to one registrable domain at a time: what a browser's user would hardly notice."""

ATTEMPTS = 3
MOST_PAGE_BYTES = 10 * 1024 * 1024
"""With pictures embedded in it, which do not count as a page's size (`extraction.kinds.MAX_BYTES`)."""
MOST_FEED_BYTES = 10 * 1024 * 1024
MOST_ROBOTS_BYTES = 3 * 1024 * 1024
"""More than is heeded of a robots.txt (`robots.MOST_BYTES`): of a longer one, the beginning holds."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEPT = (
    *("content-type", "location", "refresh", "set-cookie"),
    *("etag", "last-modified", "cache-control", "date", "expires"),
)
CONTENT = "text/html,application/xhtml+xml,application/rss+xml,application/atom+xml,application/feed+json,*/*;q=0.5"


def agent_of(contact: str | None) -> str:
    """The name that we go by on the web, with a person's address to complain to where one is set.

    >>> agent_of("mail@example.org")
    'enricher/0.1 (+mail@example.org)'
    """
    return "enricher/0.1" if contact is None else f"enricher/0.1 (+{contact})"


def web(
    *,
    agent: str,
    windows: tuple[Window, ...] = RATE,
    burst: int | None = BURST,
    limiter: Literal["sliding", "fixed"] = "sliding",
    timeout_s: float = 30.0,
    feeds_s: float = HOUR_S,
    pages_s: float = 7 * DAY_S,
    allowed: frozenset[str] = frozenset(),
) -> Service:
    """The web, as one service. `allowed` are private hosts that may be asked all the same ("host" or "host:port")."""
    return Service(
        NAME,
        "",
        windows=windows,
        burst=burst if windows else None,
        limiter=limiter,
        headers={"User-Agent": agent, "Accept": CONTENT},
        classify=classify,
        lifetimes={
            "feed": Lifetime(feeds_s, 30 * DAY_S, obliging=True, moved_s=30 * DAY_S),
            "page": Lifetime(pages_s, HOUR_S, obliging=True, moved_s=30 * DAY_S),
            "robots": Lifetime(DAY_S, DAY_S),
        },
        timeout_s=timeout_s,
        max_bytes=MOST_FEED_BYTES,
        keep_headers=KEPT,
        per_host=PerHost(PER_SITE, site_of),
        reach=Reach(allowed),
        attempts=ATTEMPTS,
    )


def classify(request: Request, response: Response, _data: Any) -> Verdict | None:
    """What a host's answer means; None leaves it to the general rules."""
    status = response.status
    if status in REDIRECTS:
        return Accept() if response.headers.get("location") else Refuse("it redirects to nowhere")
    if request.kind == "robots" and 400 <= status < 500 and status != 429:
        return Accept(missing=True)  # RFC 9309, 2.3.1.3: no rules, everything is allowed
    if status == 410 or (status == 404 and request.kind == "page"):
        return Accept(missing=True)
    return None
