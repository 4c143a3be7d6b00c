"""A page or a feed, got as a polite reader gets it: robots.txt first, redirects hop by hop, nothing private, nothing huge.

A flow that a recipe runs with `yield from`: it yields Requests and is sent Answers. It returns what came, or `Failed` with
the reason in our own words.

A page that refers to another at once (`pages/refresh.py`) counts as a redirect, and cookies are sent back within the
redirects of one page only (`pages/cookies.py`): each hop is judged by its host's robots.txt and by the guard all the same.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Literal
from urllib.parse import urlsplit

from ...errors import ExchangeError
from ...model import NOTHING, Answer, Failed, Request, Service
from .addresses import linked
from .pages.cookies import Jar
from .pages.reasons import GONE, NO_SUCH_PAGE, NotNow, failed
from .pages.refresh import refresh_of
from .robots import ALLOW_ALL, Robots, rules_of
from .web import MOST_FEED_BYTES, MOST_PAGE_BYTES, MOST_ROBOTS_BYTES, REDIRECTS

MOST_REDIRECTS = 5
MOVED_NOWHERE = "it redirects to what is no web address"

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
        """What lies at an address, as `absolute` spells it; Failed with the reason if it can't be had.

        Redirects are followed, and so is a page that refers to another at once. Cookies are kept meanwhile.
        """
        jar = Jar()
        for _ in range(MOST_REDIRECTS + 1):
            cookies = jar.header(url)
            answer = yield from self._hop(url, kind, cookies)
            if isinstance(answer, Failed):
                return answer
            jar.take(url, answer.headers.get("set-cookie", ""))
            try:
                target = _target(answer, url)
            except ValueError:
                return Failed(MOVED_NOWHERE)
            # A page that sets a cookie and reloads itself is asked for once more; any other that reloads is the page.
            reloads = answer.status not in REDIRECTS and target == url
            if target is None or (reloads and (cookies or not jar.header(url))):
                return Fetched(url, answer.body, answer.headers.get("content-type", ""))
            url = target
        return Failed(f"more than {MOST_REDIRECTS} redirects")

    def _hop(self, url: str, kind: str, cookies: str) -> Generator[Request, Answer, Answer | Failed]:
        """The answer of one address, if its host's rules let us ask for it."""
        spacing_s = 0.0
        if self.heed_robots:
            robots = yield from self._robots(url)
            if isinstance(robots, Failed):
                return robots
            if not robots.allows(url, self.agent):
                return Failed("its robots.txt forbids it")
            spacing_s = robots.delay_s(self.agent)
        try:
            answer = yield self._request(url, kind, cookies, spacing_s)
        except ExchangeError as error:
            return failed(error)
        if answer.missing:
            return Failed(GONE if answer.status == 410 else NO_SUCH_PAGE)
        return answer

    def _request(self, url: str, kind: str, cookies: str, spacing_s: float) -> Request:
        """`cookies` are part of what the answer is remembered by: with them, a site answers something else."""
        known_as = None
        if cookies:
            digest = blake2b(cookies.encode(), digest_size=16).hexdigest()
            known_as = f"{self.web.name} GET {url} bytes with cookies {digest}"
        return Request(
            self.web,
            url,
            kind=kind,
            expects="bytes",
            headers={"Cookie": cookies} if cookies else NOTHING,
            max_bytes=MOST_FEED_BYTES if kind == "feed" else MOST_PAGE_BYTES,
            known_as=known_as,
            spacing_s=spacing_s,
        )

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
                place = linked(answer.headers.get("location", ""), place)
        except ExchangeError as error:
            found = failed(error)
            if isinstance(found, NotNow):  # what is said of a page or of its site, as `failed` has it
                if found.reason.startswith("answered"):
                    return replace(found, reason=f"its robots.txt {found.reason}")
                return replace(found, reason=found.reason.replace("the answer", "its robots.txt", 1))
            if error.reason == "not allowed" and place == own:
                return found
            # RFC 9309, 2.3.1.4: who can't be asked for the rules is not to be asked for the rest.
            return Failed(f"its robots.txt could not be read: {error.reason}")
        except ValueError:
            pass
        return ALLOW_ALL  # RFC 9309, 2.3.1.2: after five redirects, the file counts as missing


def _target(answer: Answer, url: str) -> str | None:
    """Where an answer leads on to; None if it is what was asked for.

    :raises ValueError: if it redirects to what is no web address.
    """
    if answer.status in REDIRECTS:
        return linked(answer.headers.get("location", ""), url)
    return refresh_of(answer.body, url, answer.headers.get("refresh", ""))
