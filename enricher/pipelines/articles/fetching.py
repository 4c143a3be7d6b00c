"""A page or a feed, got as a polite reader gets it: robots.txt first, redirects hop by hop, nothing private, nothing huge.

A flow that a recipe runs with `yield from`: it yields Requests and is sent Answers. It returns what came, or `Failed` with
the reason in our own words.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from ...errors import ExchangeError, GaveUp
from ...model import Answer, Failed, Request, Service
from .addresses import absolute
from .robots import ALLOW_ALL, Robots, rules_of
from .web import MOST_FEED_BYTES, MOST_PAGE_BYTES, MOST_ROBOTS_BYTES, REDIRECTS

MOST_REDIRECTS = 5
GONE = "gone for good (410)"
NOT_ALLOWED = "no public address on port 80 or 443 (--allow-private names exceptions)"
NO_SUCH_PAGE = "there is no such page (404)"
UNANSWERED = "its site does not answer, or only with errors"
"""One reason for all: which page of a silent host finds out, and how, depends on who asks first."""

Flow = Generator[Request, Any, Any]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came from `url`, after all redirects."""

    url: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Fetcher:
    """How we ask: the service, our name, and whether robots.txt is heeded."""

    web: Service
    agent: str
    heed_robots: bool = True

    def fetch(self, url: str, kind: Literal["feed", "page"]) -> Generator[Request, Answer, Fetched | Failed]:
        """What lies at an address, as `absolute` spells it.

        :raises ExchangeError: if a host refuses.
        """
        most = MOST_FEED_BYTES if kind == "feed" else MOST_PAGE_BYTES
        for _ in range(MOST_REDIRECTS + 1):
            spacing_s = 0.0
            if self.heed_robots:
                robots = yield from self._robots(url)
                if isinstance(robots, Failed):
                    return robots
                if not robots.allows(url, self.agent):
                    return Failed("its robots.txt forbids it")
                spacing_s = robots.delay_s(self.agent)
            try:
                answer = yield Request(self.web, url, kind=kind, expects="bytes", max_bytes=most, spacing_s=spacing_s)
            except ExchangeError as error:
                if error.reason == "not allowed":
                    return Failed(NOT_ALLOWED)
                if isinstance(error, GaveUp):
                    return Failed(UNANSWERED)
                raise
            if answer.missing:
                return Failed(GONE if answer.status == 410 else NO_SUCH_PAGE)
            if answer.status not in REDIRECTS:
                return Fetched(url, answer.body, answer.headers.get("content-type", ""))
            try:
                url = absolute(answer.headers.get("location", ""), url)
            except ValueError:
                return Failed("it redirects to what is no web address")
        return Failed(f"more than {MOST_REDIRECTS} redirects")

    def _robots(self, url: str) -> Generator[Request, Answer, Robots | Failed]:
        """The rules of a host, asked for once for all workers; its redirects are followed, whatever they say."""
        parts = urlsplit(url)
        place = own = f"{parts.scheme}://{parts.netloc}/robots.txt"
        try:
            for _ in range(MOST_REDIRECTS + 1):
                answer = yield Request(self.web, place, kind="robots", expects="bytes", max_bytes=MOST_ROBOTS_BYTES)
                if answer.missing:
                    return ALLOW_ALL
                if answer.status not in REDIRECTS:
                    return rules_of(answer.status, answer.body)
                place = absolute(answer.headers.get("location", ""), place)
        except ExchangeError as error:
            if error.reason == "not allowed" and place == own:
                return Failed(NOT_ALLOWED)
            if isinstance(error, GaveUp):
                return Failed(UNANSWERED)
            # RFC 9309, 2.3.1.4: who can't be asked for the rules is not to be asked for the rest.
            return Failed(f"its robots.txt could not be read: {error.reason}")
        except ValueError:
            pass
        return ALLOW_ALL  # RFC 9309, 2.3.1.2: after five redirects, the file counts as missing
