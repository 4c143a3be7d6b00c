"""A Scrapy spider, run in this process: the framework for who fetches many pages, used for an API.

Written by who has spiders already. `DOWNLOAD_DELAY` is how its users keep to a quota: an even pace, no burst.

It lacks: a retry is sent at once, whatever Retry-After says; a pace of one request after the other never uses the slots
for a burst that the quota would allow; each request passes a scheduler, a filter for duplicates and a dozen middlewares,
which costs milliseconds of the processor; and a reactor starts only once in a process, so `work` can be called only once.

Its stamps: ready when the downloader takes the request, done when the middleware nearest to it gets the answer, and sent
as long before that as Scrapy's own measure, which ends with the headers. A failed attempt is sent when it is ready.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from scrapy import Request, Spider
from scrapy.crawler import Crawler, CrawlerProcess
from scrapy.http import Response, TextResponse
from scrapy.settings import Settings
from scrapy.utils.misc import load_object

from ..task import (
    KEY,
    TIMEOUT_S,
    Clock,
    Facts,
    Task,
    details_params,
    film_facts,
    read_list,
    search_params,
    thing_params,
)
from .patience import ATTEMPTS, quota_of
from .table import Table

ABOUT = "a Scrapy spider, a delay between requests for a quota"


def _import_parts() -> None:
    """Scrapy imports its parts when a crawl begins, by the names in its settings. Imported before, they are no work."""
    plain = Settings()
    for path in (*plain["DOWNLOADER_MIDDLEWARES_BASE"], *plain["EXTENSIONS_BASE"]):
        load_object(path)
    for path in plain["DOWNLOAD_HANDLERS_BASE"].values():
        load_object(path)


_import_parts()


def work(task: Task, clock: Clock) -> None:
    """One crawl."""
    quota = quota_of(task)
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": task.slots,
            "CONCURRENT_REQUESTS_PER_DOMAIN": task.slots,
            "DOWNLOAD_DELAY": quota.period_s / quota.limit if quota else 0,
            "DOWNLOAD_DELAY_JITTER": 0,
            "DOWNLOAD_TIMEOUT": TIMEOUT_S,
            "DOWNLOADER_MIDDLEWARES": {Stamps: 950},
            "RETRY_TIMES": ATTEMPTS - 1,
            "AUTOTHROTTLE_ENABLED": False,
            "COOKIES_ENABLED": False,
            "LOG_ENABLED": False,
            "REMOTE_CONTROL_ENABLED": False,  # a server of its own, and a file in the user's folder that tells its token
            "ROBOTSTXT_OBEY": False,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    with Table(task) as table:
        process.crawl(Rows, task=task, table=table, clock=clock)
        process.start()


class Rows(Spider):
    """Asks about each row, and keeps its facts."""

    name = "rows"
    task: Task
    table: Table
    clock: Clock

    async def start(self) -> AsyncIterator[Request]:
        """The first request of each row."""
        for row in read_list(self.task.list_path):
            if self.task.kind == "things":
                yield self._request("/echo", thing_params(row["id"], self.task.item_bytes), self.parse_thing)
            else:
                yield self._request("/search/movie", search_params(row["Name"], row["Year"]), self.parse_search)

    def parse_search(self, response: TextResponse) -> Iterator[Request]:
        """The first film that was found."""
        yield self._request(f"/movie/{response.json()['results'][0]['id']}", details_params(), self.parse_details)

    def parse_details(self, response: TextResponse) -> None:
        """A film."""
        self.table.save(film_facts(response.json()))

    def parse_thing(self, response: TextResponse) -> None:
        """A thing."""
        self.table.save(Facts(response.json()["id"]))

    def _request(self, path: str, params: dict[str, str], callback: Callable[..., Any]) -> Request:
        return Request(f"{self.task.base_url}{path}?{urlencode({**params, 'api_key': KEY})}", callback=callback)


class Stamps:
    """A downloader middleware, the nearest to the downloader: sees every attempt, before it is judged."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Stamps:
        """Scrapy's way to make one."""
        assert isinstance(crawler.spider, Rows)
        return cls(crawler.spider.clock)

    def process_request(self, request: Request) -> None:
        """The downloader is about to take it."""
        request.meta["ready_at"] = self._clock.now()

    def process_response(self, request: Request, response: Response) -> Response:
        """Its answer is there."""
        done_at = self._clock.now()
        sent_at = done_at - request.meta["download_latency"]
        self._clock.add(request.meta["ready_at"], sent_at, sent_at, done_at)
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:  # noqa: ARG002  # as Scrapy calls it
        """It has none."""
        ready_at = request.meta["ready_at"]
        self._clock.add(ready_at, ready_at, ready_at, self._clock.now())
