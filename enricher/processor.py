"""Articles for programs: thin calls over the same recipes and the same engine that the command line uses."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from .core.effects import Steps
from .core.exchange import Journey, follow, pursue
from .engine import Engine
from .errors import ExchangeError, Interrupted, ProcessingError, ServiceDown, SettingError
from .model import Compute, Conclusion, Failed, Found, Item, Outcome, Request, Window
from .modes.performer import Stop
from .pipelines.articles.addresses import absolute
from .pipelines.articles.analysis import Article
from .pipelines.articles.analysts import ModelAnalyst
from .pipelines.articles.pipeline import Choices, articles, lane_of
from .pipelines.articles.providers.endpoints import NO_KEY
from .pipelines.articles.reading import reading_recipe
from .pipelines.articles.recipe import COLUMNS, Analysed, Content, content_of

Asked = Request | Compute

NO_ADDRESS, NO_TEXT, CLOSED = "it is no http(s) address", "there is no text", "the processor is closed"


class ArticleProcessor:
    """Fetches pages, extracts their text and has it analysed: one session, one quota and one memory for all who use it.

    `max_concurrent` articles are worked on at a time; pages and feeds are asked for at `rate_limit_rps` a second, of which
    `rate_limit_burst` at once. `provider` is "local" (no key, no network for it), "anthropic", "openai" or "mistral", and
    `api_key` its key. `allow_private` names private hosts ("host" or "host:port") that may be fetched.

    Each call has an `…_async` twin, which may be awaited in any loop. A context manager; else `close` it. Every call raises
    `KeyRefused` if the provider does not accept the key, and `ProcessingError` as said there; that also once it is closed,
    where a batch tells it of each article that is not done.

    :raises SettingError: if a number is not positive, the provider is not known, or its key or the model's price is missing.
    """

    def __init__(
        self,
        max_concurrent: int = 5,
        rate_limit_rps: float = 10.0,
        rate_limit_burst: int = 5,
        *,
        provider: str = "local",
        api_key: str | None = None,
        model: str | None = None,
        base_url: str | None = None,
        allow_private: Sequence[str] = (),
        heed_robots: bool = True,
        contact: str | None = None,
    ) -> None:
        if not 0 < rate_limit_rps < math.inf or rate_limit_burst < 1:
            raise SettingError(
                f"rate_limit_rps is {rate_limit_rps}, rate_limit_burst {rate_limit_burst}; both are positive"
            )
        whole = max(1, int(rate_limit_rps))
        chosen = articles(
            Choices(
                today=datetime.now(UTC).date(),
                provider=provider,
                model=model,
                base_url=base_url,
                windows=(Window(whole, whole / rate_limit_rps),),
                burst=rate_limit_burst,
                allowed=frozenset(host.lower() for host in allow_private),
                heed_robots=heed_robots,
                contact=contact,
            )
        )
        self._fetcher = chosen.fetcher
        self._analyst = chosen.analysts[0]
        self._recipe = chosen.pipeline.recipe
        keys = {}
        if isinstance(self._analyst, ModelAnalyst):
            if api_key is not None:
                keys[self._analyst.service.name] = api_key
            elif self._analyst.price is not None:
                raise SettingError(f"provider {provider} needs an api_key; provider local needs none")
            else:
                keys[self._analyst.service.name] = NO_KEY
        self._slots = max_concurrent
        self._engine = Engine(keys=keys, slots=max_concurrent)
        self._stop = Stop()
        self._batches: set[Stop] = set()

    # ── articles ────────────────────────────────────────────────────────────────────────────────────────────────────

    def process_article(self, url: str) -> dict[str, Any]:
        """The article's record; its keys are the columns of the exported table.

        :raises ProcessingError: if there is none: why, in `reason`.
        """
        return _columns(_record(url, self._asked(url, self._article(url))))

    async def process_article_async(self, url: str) -> dict[str, Any]:
        """`process_article`, awaited."""
        return _columns(_record(url, await self._asked_async(url, self._article(url))))

    def process_batch(self, urls: Iterable[str]) -> list[dict[str, Any]]:
        """The records of many, in their order. One that can't be processed is `{"url": …, "error": …}`."""
        wanted = list(urls)
        addresses = {url: _absolute(url) for url in wanted}
        items = (Item(url, {"url": address}) for url, address in addresses.items() if address is not None)
        sink = _Outcomes({url: NO_ADDRESS for url, address in addresses.items() if address is None})
        stop = Stop()  # of this batch alone: what ends it early ends nothing else
        self._batches.add(stop)
        if self._stop.is_set():
            stop.set()
        try:
            self._engine.work(items, self._recipe, sink, stop, lane_of=lane_of)
        except ServiceDown as down:
            sink.otherwise = str(down)
        finally:
            self._batches.discard(stop)
        return [sink.told(url) for url in wanted]

    async def process_batch_async(self, urls: Iterable[str]) -> list[dict[str, Any]]:
        """`process_batch`, awaited."""
        slots = asyncio.Semaphore(self._slots)

        async def one(url: str) -> dict[str, Any]:
            async with slots:
                try:
                    return await self.process_article_async(url)
                except ProcessingError as error:
                    return {"url": url, "error": error.reason}

        return list(await asyncio.gather(*map(one, urls)))

    # ── its parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def parse_feed(self, url: str) -> list[dict[str, Any]]:
        """The entries of the feed at this address, or of the one that the page there names: `url`, `title`, `author`,
        `published` (ISO 8601, UTC).

        :raises ProcessingError: if it can't be read, or is no feed.
        """
        return _entries(url, self._asked(url, self._reading(url)))

    async def parse_feed_async(self, url: str) -> list[dict[str, Any]]:
        """`parse_feed`, awaited."""
        return _entries(url, await self._asked_async(url, self._reading(url)))

    def fetch_content(self, url: str) -> dict[str, Any]:
        """A page's main text and what it says of itself: `url`, `title`, `author`, `published`, `site`, `language`, `text`
        and `word_count`.

        :raises ProcessingError: if it can't be fetched, or has no main text.
        """
        return _content(url, self._asked(url, self._content(url)))

    async def fetch_content_async(self, url: str) -> dict[str, Any]:
        """`fetch_content`, awaited."""
        return _content(url, await self._asked_async(url, self._content(url)))

    def analyze(self, text: str, title: str = "") -> dict[str, Any]:
        """The analysis of a text: `title`, `summary`, `key_findings`, `method`, `topics`, `takeaway`, and what it took.

        :raises ProcessingError: if there is no text, or the provider can't.
        """
        return _analysis(self._asked(title, self._analysis(text, title)))

    async def analyze_async(self, text: str, title: str = "") -> dict[str, Any]:
        """`analyze`, awaited."""
        return _analysis(await self._asked_async(title, self._analysis(text, title)))

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _article(self, url: str) -> Steps[Conclusion]:
        return follow(Item(url, {"url": _address(url)}), self._recipe, self._engine.rules, Journey())

    def _reading(self, url: str) -> Steps[Conclusion]:
        item = Item(url, {"url": _address(url), "kind": "feed", "shallow": 0})
        return follow(item, reading_recipe(self._fetcher), self._engine.rules, Journey())

    def _content(self, url: str) -> Steps[Content | Failed]:
        flow: Generator[Asked, Any, Content | Failed] = content_of(self._fetcher, {"url": _address(url)})
        return pursue(flow, self._engine.rules, Journey())

    def _analysis(self, text: str, title: str) -> Steps[Analysed | Failed]:
        if not text.strip():
            raise ProcessingError(title, NO_TEXT)
        article = Article(url="", title=title, author="", published="", site="", language="", text=text)
        return pursue(self._analyst.analyse(article, replaceable=False), self._engine.rules, Journey())

    def _asked(self, what: str, steps: Steps[Any]) -> Any:
        try:
            return self._engine.ask(steps, self._stop)
        except (ExchangeError, ServiceDown) as error:
            raise ProcessingError(what, str(error)) from None
        except Interrupted:
            raise ProcessingError(what, CLOSED) from None

    async def _asked_async(self, what: str, steps: Steps[Any]) -> Any:
        try:
            return await self._engine.ask_async(steps, self._stop)
        except (ExchangeError, ServiceDown) as error:
            raise ProcessingError(what, str(error)) from None
        except Interrupted:
            raise ProcessingError(what, CLOSED) from None

    def close(self) -> None:
        """End what is under way, close the connections, end the processes."""
        self._stop.set()
        for stop in list(self._batches):
            stop.set()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)


class _Outcomes:
    """A sink that keeps what came, by address. `wrong` are those that were not asked for, and why; `otherwise` is why the
    rest has no outcome.
    """

    def __init__(self, wrong: Mapping[str, str]) -> None:
        self._wrong = wrong
        self._by_url: dict[str, Outcome] = {}
        self.otherwise = CLOSED

    def offer(self, outcome: Outcome) -> bool:
        self._by_url[outcome.item.key] = outcome
        return True

    def put(self, outcome: Outcome) -> None:
        self._by_url[outcome.item.key] = outcome

    def told(self, url: str) -> dict[str, Any]:
        outcome = self._by_url.get(url)
        if outcome is not None and outcome.record is not None:
            return _columns(outcome.record)
        error = self._wrong.get(url, self.otherwise) if outcome is None else outcome.error
        return {"url": url, "error": error}


def _absolute(url: str) -> str | None:
    try:
        return absolute(url)
    except ValueError:
        return None


def _address(url: str) -> str:
    address = _absolute(url)
    if address is None:
        raise ProcessingError(url, NO_ADDRESS)
    return address


def _record(url: str, conclusion: Conclusion) -> dict[str, Any]:
    if isinstance(conclusion, Found):
        return dict(conclusion.record)
    raise ProcessingError(url, conclusion.reason if isinstance(conclusion, Failed) else "nothing was found")


def _columns(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in COLUMNS}


def _entries(url: str, conclusion: Conclusion) -> list[dict[str, Any]]:
    names = ("url", "title", "author", "published")
    return [{name: entry[name] for name in names} for entry in _record(url, conclusion)["entries"]]


def _content(url: str, content: Content | Failed) -> dict[str, Any]:
    if isinstance(content, Failed):
        raise ProcessingError(url, content.reason)
    names = ("url", "title", "author", "published", "site", "language", "text")
    return {name: getattr(content.article, name) for name in names} | {"word_count": content.word_count}


def _analysis(analysed: Analysed | Failed) -> dict[str, Any]:
    if isinstance(analysed, Failed):
        raise ProcessingError("", analysed.reason)
    found = analysed.analysis
    return {
        "title": found.title,
        "summary": found.summary,
        "key_findings": list(found.key_findings),
        "method": found.method,
        "topics": list(found.topics),
        "takeaway": found.takeaway,
        "provider": analysed.provider,
        "model": analysed.model,
        "tokens_in": analysed.tokens_in,
        "tokens_out": analysed.tokens_out,
        "cost_usd": analysed.cost_usd,
    }
