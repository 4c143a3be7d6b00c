"""The simulated web and the three LLM APIs as one application, and the control routes that Python asks.

GET /_stats       the counts of each host and of each provider      GET /_account    all that was paid
POST /_control    changes options at run time                       POST /_reset     zeroes counts and account
GET /_web         the addresses of feeds and of what is odd         GET /_articles   all articles of this edition
GET /_truth       ?url=: the main text of an article
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from . import hostile
from .behaviour import ArticlesBehaviour
from .llm import LlmWorld
from .meter import Account
from .pages import TRACKING, shared_with
from .press import ODDS, PAPERS, Article
from .sites import GONE_FEED, MOVED_FEED, ODD_PATHS, Sites, SiteWorld, host_of, port_of
from .wording import WORDINGS
from .world import Handler, World

# Batches are handed in by the hundred megabyte.
LARGEST_BODY_BYTES = 300 * 1024 * 1024
_FIXED = {"sites", "articles", "articles_seed", "cpu"}


class Articles:
    """All worlds, the account, and what they have in common."""

    def __init__(self, behaviour: ArticlesBehaviour) -> None:
        self._behaviour = behaviour
        self._account = Account()
        self._sites = Sites(behaviour)
        self._hosts = {host: SiteWorld(behaviour.pages(), host) for host in behaviour.hosts()}
        self._providers = {wording.name: LlmWorld(behaviour, wording, self._account) for wording in WORDINGS}
        self._held = False

    def application(self) -> web.Application:
        """All routes, each in its world."""
        app = web.Application(middlewares=[self._middleware], client_max_size=LARGEST_BODY_BYTES)
        app.add_routes(
            [
                *self._sites.routes(),
                *hostile.routes(),
                *(route for world in self._providers.values() for route in world.provider_routes()),
                web.get("/_stats", self._get_stats),
                web.get("/_account", self._get_account),
                web.get("/_web", self._get_web),
                web.get("/_articles", self._get_articles),
                web.get("/_truth", self._get_truth),
                web.post("/_control", self._post_control),
                web.post("/_reset", self._post_reset),
            ]
        )
        return app

    def _world(self, request: web.Request) -> World:
        """A provider's by the path, a host's by the Host header; who is called otherwise is the first host."""
        provider = self._providers.get(request.path.split("/", 2)[1])
        return provider or self._hosts.get(host_of(request)) or next(iter(self._hosts.values()))

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await self._world(request).middleware(request, handler)

    def _worlds(self) -> list[World]:
        return [*self._hosts.values(), *self._providers.values()]

    # ── control ────────────────────────────────────────────────────────────────────────────────────────────────────

    def control(self, options: dict[str, Any]) -> dict[str, Any]:
        """Change the behaviour at run time. Returns all options that differ from their defaults, and the switch.

        Raises `ValueError`, one line, for an unknown option, one that is fixed at the start, or a wrong text; nothing
        is changed then.
        """
        options = dict(options)
        fixed = sorted(_FIXED & set(options))
        if fixed:
            raise ValueError(f"{fixed[0]} is chosen at the start")
        pause = options.pop("pause", None)
        if pause not in (None, True, False):
            raise ValueError(f"pause {pause!r}: write true or false")
        self._behaviour = self._behaviour.changed(options)
        self._sites.behave(self._behaviour)
        for site in self._hosts.values():
            site.behave(self._behaviour.pages())
        for provider in self._providers.values():
            provider.follow(self._behaviour)
        if pause is not None:
            self._held = pause
            for world in self._worlds():
                world.hold(on=pause)
        return {**self._behaviour.texts(), "pause": self._held}

    async def _post_control(self, request: web.Request) -> web.Response:
        try:
            options = json.loads(await request.read())
        except ValueError:
            options = None
        if not isinstance(options, dict):
            return web.json_response({"error": 'write a JSON object, for example {"edition": 2}'}, status=400)
        try:
            return web.json_response(self.control(options))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _post_reset(self, _request: web.Request) -> web.Response:
        for world in self._worlds():
            world.reset()
        self._account.paid.clear()
        return web.json_response({})

    async def _get_stats(self, request: web.Request) -> web.Response:
        wanted = {name: request.query.get(name, "0") not in {"", "0"} for name in ("detail", "moments")}
        now, cpu_s = time.monotonic(), time.process_time()
        return web.json_response(
            {
                "sites": {host: world.tally.report(now, cpu_s, (), **wanted) for host, world in self._hosts.items()},
                "providers": {name: world.report(**wanted) for name, world in self._providers.items()},
            }
        )

    async def _get_account(self, _request: web.Request) -> web.Response:
        for provider in self._providers.values():
            provider.desk.work()
        return web.json_response(self._account.report())

    # ── what there is ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _get_web(self, request: web.Request) -> web.Response:
        here = self._sites.addresses(port_of(request))
        rss, atom, json_feed, moved, linked = PAPERS
        clean = [here.of(paper, paper.feed) for paper in PAPERS]
        injected = self._sites.injected()
        return web.json_response(
            {
                "feeds": [
                    *(here.of(paper, paper.feed) for paper in (rss, atom, json_feed)),
                    here.of(moved, MOVED_FEED),
                    here.of(linked, f"/{linked.slug}/"),
                    here.of(ODDS, ODDS.feed),
                    here.of(ODDS, GONE_FEED),
                ],
                "clean_feeds": clean,
                "odd": {
                    **{name: here.of(ODDS, path) for name, path in ODD_PATHS.items()},
                    "injected": here.article(injected),
                    "moved_feed": here.of(moved, MOVED_FEED),
                    "gone_feed": here.of(ODDS, GONE_FEED),
                    "home": here.of(linked, f"/{linked.slug}/"),
                    "feed": here.of(ODDS, ODDS.feed),
                },
            }
        )

    async def _get_articles(self, request: web.Request) -> web.Response:
        here, press = self._sites.addresses(port_of(request)), self._sites.press
        shared = {
            article.path: here.article(article) + TRACKING for paper in PAPERS for article in shared_with(press, paper)
        }
        articles = [
            {**_told(article), "url": here.article(article), "also": shared.get(article.path)}
            for paper in PAPERS
            for article in press.shown_of(paper)
        ]
        return web.json_response({"articles": articles})

    async def _get_truth(self, request: web.Request) -> web.Response:
        url = request.query.get("url", "")
        article = self._sites.article_at(urlsplit(url).path)
        if article is None:
            return web.json_response({"error": f"there is no article at {url!r}"}, status=404)
        return web.json_response({**_told(article), "text": article.text})


def _told(article: Article) -> dict[str, Any]:
    return {
        "title": article.title,
        "author": article.author,
        "published": article.published.isoformat(),
        "site": article.paper.name,
        "paper": article.paper.slug,
        "language": article.paper.language.code,
        "number": article.number,
        "revision": article.revision,
        "words": len(article.text.split()),
        "page_bytes": article.page_bytes,
    }


def application(behaviour: ArticlesBehaviour) -> web.Application:
    """The simulated web and LLM APIs."""
    return Articles(behaviour).application()
