"""The face for programs: thin calls over the same recipes and the same engine that the command line uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from .core.effects import Steps
from .core.exchange import Journey, exchange, follow
from .engine import Engine, Mode
from .model import Answer, Conclusion, Found, Item, Outcome, Recipe, Service
from .modes.performer import Stop
from .pipelines.movies.recipe import movie_recipe
from .pipelines.movies.record import POSTERS
from .pipelines.movies.searching import search_request
from .pipelines.movies.service import tmdb


def enrich(
    items: Iterable[Item],
    recipe: Recipe,
    *,
    mode: Mode = "threaded",
    concurrency: int = 10,
    keys: Mapping[str, str] | None = None,
) -> Iterator[Outcome]:
    """Run a recipe over items; yield each item's outcome as it comes, in no particular order.

    `keys` maps a service's name to its API key. Items are taken lazily; a slow consumer holds the workers back, and one
    that leaves early ends the run.

    :raises KeyRefused: if a service does not accept its key.
    :raises ServiceDown: if a service does not answer any more.
    :raises SettingError: if `mode` or `concurrency` can't be.
    """
    with Engine(mode=mode, slots=concurrency, keys=keys) as engine:
        yield from engine.stream(items, recipe)


class TMDBClient:
    """TMDB for programs: one session, one quota and one memory for all threads and all event loops that use it.

    `api_key` is a v3 key or a v4 token (it starts with `eyJ`). Each call has an `…_async` twin, which may be awaited in
    any loop, one `asyncio.run` after another. `include_adult` searches films for adults too. A context manager; else
    `close` it.

    Every call raises `KeyRefused` if TMDB does not accept the key, `ServiceDown` if it does not answer any more, and
    `ExchangeError` (`GaveUp`, `Refused`) if this one request stays without an answer; and `Interrupted` once the client
    is closed.
    """

    def __init__(
        self,
        api_key: str,
        *,
        language: str = "en-US",
        concurrency: int = 10,
        service: Service | None = None,
        include_adult: bool = False,
    ) -> None:
        self._service = service or tmdb()
        self._language = language
        self._include_adult = include_adult
        self._recipe = movie_recipe(self._service, language, include_adult=include_adult)
        self._engine = Engine(keys={self._service.name: api_key}, slots=concurrency)
        self._stop = Stop()

    def enrich_movie(self, title: str, year: int | None = None) -> dict[str, Any] | None:
        """The film's record, or None where it was not found or can't be told from another (`match_movie` says why).

        The keys are the columns of the exported table, `people` (the directors and the first cast with TMDB's ids), and
        `runtime` (minutes) and `poster_path` as TMDB has them.
        """
        return _movie(self._engine.ask(self._film({"title": title, "year": year}), self._stop))

    async def enrich_movie_async(self, title: str, year: int | None = None) -> dict[str, Any] | None:
        """`enrich_movie`, awaited."""
        return _movie(await self._engine.ask_async(self._film({"title": title, "year": year}), self._stop))

    def match_movie(
        self, title: str, year: int | None = None, *, tmdb_id: int | None = None, imdb_id: str | None = None
    ) -> Conclusion:
        """What is concluded of a film: `Found` with its record and score, else `NotFound` or `Unsure` with the reason and the
        candidates. An id spares the search, and is checked against title and year.
        """
        return self._engine.ask(self._film(_named(title, year, tmdb_id, imdb_id)), self._stop)

    async def match_movie_async(
        self, title: str, year: int | None = None, *, tmdb_id: int | None = None, imdb_id: str | None = None
    ) -> Conclusion:
        """`match_movie`, awaited."""
        return await self._engine.ask_async(self._film(_named(title, year, tmdb_id, imdb_id)), self._stop)

    def get_movie_details(self, movie_id: int) -> dict[str, Any] | None:
        """The record of the film with this TMDB id, as `enrich_movie` gives it; None where there is none."""
        return _movie(self._engine.ask(self._film({"tmdb_id": movie_id}), self._stop))

    async def get_movie_details_async(self, movie_id: int) -> dict[str, Any] | None:
        """`get_movie_details`, awaited."""
        return _movie(await self._engine.ask_async(self._film({"tmdb_id": movie_id}), self._stop))

    def search_movie(self, title: str, year: int | None = None) -> list[dict[str, Any]]:
        """TMDB's first page of films for a title, as TMDB has them (`id`, `title`, `release_date`, …)."""
        return _results(self._engine.ask(self._search(title, year), self._stop))

    async def search_movie_async(self, title: str, year: int | None = None) -> list[dict[str, Any]]:
        """`search_movie`, awaited."""
        return _results(await self._engine.ask_async(self._search(title, year), self._stop))

    def _film(self, fields: Mapping[str, Any]) -> Steps[Conclusion]:
        return follow(Item("", fields), self._recipe, self._engine.rules, Journey())

    def _search(self, title: str, year: int | None) -> Steps[Answer]:
        request = search_request(self._service, self._language, title, year, include_adult=self._include_adult)
        return exchange(request, self._engine.rules, Journey())

    def close(self) -> None:
        """End what is under way and close the connections."""
        self._stop.set()
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
        self.close()


def _named(title: str, year: int | None, tmdb_id: int | None, imdb_id: str | None) -> dict[str, Any]:
    return {"title": title, "year": year, "tmdb_id": tmdb_id, "imdb_id": imdb_id}


def _movie(conclusion: Conclusion) -> dict[str, Any] | None:
    if not isinstance(conclusion, Found):
        return None
    record = conclusion.record
    poster = record.get("poster_url")
    path = None if poster is None else poster.removeprefix(POSTERS)
    return {**record, "runtime": record["runtime_min"], "poster_path": path}


def _results(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.data["results"])
