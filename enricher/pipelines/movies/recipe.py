"""What to ask TMDB about one film, and what to conclude: searches, checks and one details answer.

**Known by an id**: a TMDB id (a person's decision is one) is asked for directly; an IMDb id goes through `/find`, which
is no search.

**Known by its title**: search, then details; two requests in the normal case. `year` narrows the first search to films
with any release in that year, which lifts the right *House* above twenty others, and misses the 3 % whose year at TMDB
is another. So a search that settles nothing is followed by others, at most `MOST_SEARCHES` (`searches` says which). A
film that may go by another name is checked against its alternative and translated titles, with the details request
that would be needed anyway: at most `MOST_DETAILS`. `matching` decides; nothing is guessed.

Sources: developer.themoviedb.org/reference/search-movie, /movie-details, /find-by-id (checked 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import quote

from ...model import Answer, Candidate, Conclusion, Found, Item, NotFound, Recipe, Request, Service, Unsure
from .matching import (
    UNDECIDED,
    WORTH_SHOWING,
    Film,
    Scored,
    Wanted,
    believable,
    film_of,
    forms,
    holders,
    rank,
    wanted,
)
from .record import movie_record

MOST_SEARCHES = 3
MOST_DETAILS = 3

MOST_CANDIDATES = 10
"""As many as a person compares; the rest of a page of twenty is noise."""

NO_SUCH_FILM = "none"
"""The field `decided` says so where a person found that TMDB has no such film: nothing is asked."""

FEW = 3
"""A search that finds so few films found them by a name: each may go by another name, and is worth a check."""

WORTH_A_CHECK = 70.0
"""Where a search finds more, most were found by a common word: only names as strong as this are worth a check."""

_APPENDED = "credits,external_ids,keywords,alternative_titles"
# The search knows translated titles too, which are no alternative titles. They bring the overviews of every language
# along (tens of KB), so they are asked for only where a name must be checked.
_APPENDED_TO_CHECK = f"{_APPENDED},translations"

_IMDB_ID = re.compile(r"tt[0-9]+")

Asking = Generator[Request, Answer, Conclusion]


def movie_recipe(service: Service, language: str = "en-US") -> Recipe:
    """The recipe of a film. Reads the item's fields `tmdb_id`, `imdb_id`, `title`, `year` and `original_title`;
    and `decided`, which a person may have set to `NO_SUCH_FILM`.

    Concludes Found, NotFound (no such film, or a series) or Unsure (with candidates for a person to pick from).
    `language` is that of titles, overviews and genres, as TMDB writes it ("en-US", "de-DE").
    """

    def recipe(item: Item) -> Generator[Request, Any, Conclusion]:
        return (yield from _Inquiry(service, language).conclude(item.fields))

    return recipe


def search_request(service: Service, language: str, query: str, year: int | None = None, page: int = 1) -> Request:
    """Ask for one page of films by title, narrowed to those with a release in `year`."""
    params = {"query": query, "include_adult": "false", "language": language}
    if year is not None:
        params["year"] = str(year)
    if page > 1:
        params["page"] = str(page)
    return Request(service, "/search/movie", params, kind="search")


# ── which searches ──────────────────────────────────────────────────────────────────────────────────────────────────


class Search(NamedTuple):
    """One search: its words, the year it is narrowed to, the page."""

    query: str
    year: int | None
    page: int = 1


def searches(wish: Wanted) -> Generator[Search, int, None]:
    """The searches that may find a film, the likeliest first. Is sent how many pages each one found.

    More pages than one mean that the film is hidden rather than missing: ask on, with the words that carry the name
    only, or for the second page. Otherwise it goes by another year or name: ask without the year for the beginning of
    the title, for its other names, the last one first (that is where lists write the original title), for its end.
    Where the name is so common that it is hidden again, ask for the years beside its own; else for its longest word.
    """
    words = forms(wish.main)
    asked = {first := Search(wish.main, wish.year)}
    pages = yield first
    if pages > 1:
        narrower = Search(words.core, wish.year)
        same = wish.year is None or forms(words.core).key == words.key
        asked.add(second := Search(wish.main, wish.year, page=2) if same else narrower)
        yield second
    beginning, *end = words.parts or (words.core,)
    names = [beginning, *(forms(name).core for name in reversed(wish.other_names)), *end]
    for wide in (Search(name, None) for name in names):
        if wide not in asked:
            asked.add(wide)
            pages = yield wide
    if wish.year is not None and pages > 1:
        yield Search(wish.main, wish.year + 1)
        yield Search(wish.main, wish.year - 1)
    longest = Search(max(words.key.split(), key=len, default=wish.main), wish.year)
    if longest not in asked:
        yield longest


# ── one film ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Inquiry:
    """One film's questions, and what is known so far."""

    service: Service
    language: str
    films: dict[int, Film] = field(default_factory=dict)
    details: dict[int, Mapping[str, Any] | None] = field(default_factory=dict)

    def conclude(self, fields: Mapping[str, Any]) -> Asking:
        """By the surest thing that the list knows of it: TMDB id, IMDb id, title."""
        if fields.get("decided") == NO_SUCH_FILM:
            return NotFound()
        if (tmdb_id := _whole(fields.get("tmdb_id"))) is not None:
            return (yield from self._found(tmdb_id, 100.0))
        imdb_id = fields.get("imdb_id")
        if isinstance(imdb_id, str) and _IMDB_ID.fullmatch(imdb_id):
            return (yield from self._by_imdb_id(imdb_id))
        title, original = fields.get("title"), fields.get("original_title")
        if not isinstance(title, str) or not title.strip():
            return NotFound()
        wish = wanted(title, _whole(fields.get("year")), original if isinstance(original, str) else None)
        return (yield from self._by_title(wish))

    def _by_imdb_id(self, imdb_id: str) -> Asking:
        params = {"external_source": "imdb_id", "language": self.language}
        answer = yield Request(self.service, f"/find/{quote(imdb_id)}", params, kind="find")
        # Series and episodes come as tv_results: on a list of films they are not found.
        films = _films(answer.data, "movie_results")
        return (yield from self._found(films[0].id, 100.0)) if films else NotFound()

    def _by_title(self, wish: Wanted) -> Asking:
        plan = searches(wish)
        search = next(plan)
        everywhere = False
        for _ in range(MOST_SEARCHES):
            pages = yield from self._search(search)
            everywhere = everywhere or (search.year is None and (wish.year is not None or search.page >= pages))
            if (yield from self._settle(wish, everywhere=everywhere)):
                break
            try:
                search = plan.send(pages)
            except StopIteration:
                break
        ranked = rank(wish, self.films.values())
        # With a year there is nothing more to be had; without one, unread pages may still hold the same name.
        held = holders(wish, ranked, everywhere=everywhere or wish.year is not None)
        chosen = believable(ranked, everywhere=everywhere) if not held else held[0] if len(held) == 1 else None
        if chosen is None:
            return _undecided(ranked)
        return (yield from self._found(chosen.film.id, chosen.score))

    def _settle(self, wish: Wanted, *, everywhere: bool) -> Generator[Request, Answer, list[Scored]]:
        """The films that hold the name, after checks of those that may: one, several (a tie) or none so far."""
        while True:
            ranked = rank(wish, self.films.values())
            held = holders(wish, ranked, everywhere=everywhere)
            if len(held) == 1:
                return held
            # A tie can be broken only by a second name; its winner's details are then known already.
            doubtful = (held if wish.other_names else []) if held else _worth_a_check(ranked, everywhere=everywhere)
            unchecked = [one for one in doubtful if one.film.id not in self.details]
            if not unchecked or len(self.details) == MOST_DETAILS:
                return held
            yield from self._check(unchecked[0].film)

    # ── the requests ──

    def _search(self, search: Search) -> Generator[Request, Answer, int]:
        """Add the films of one page to what is known; returns the number of pages."""
        answer = yield search_request(self.service, self.language, *search)
        for film in _films(answer.data, "results"):
            self.films.setdefault(film.id, film)
        pages = answer.data.get("total_pages") if isinstance(answer.data, Mapping) else None
        return pages if isinstance(pages, int) else 1

    def _detail(self, film_id: int, appended: str = _APPENDED) -> Generator[Request, Answer, Mapping[str, Any] | None]:
        """The details of a film, asked for once; None where TMDB has no such film."""
        if film_id not in self.details:
            params = {"append_to_response": appended, "language": self.language}
            answer = yield Request(self.service, f"/movie/{film_id}", params, kind="details")
            known = not answer.missing and isinstance(answer.data, Mapping)
            self.details[film_id] = answer.data if known else None
        return self.details[film_id]

    def _check(self, film: Film) -> Generator[Request, Answer, None]:
        """Learn a film's other names. Its year stays the search's: the list of films was ranked by it."""
        data = yield from self._detail(film.id, _APPENDED_TO_CHECK)
        more = film_of(data)
        if more is not None:
            self.films[film.id] = replace(film, titles=tuple(dict.fromkeys([*film.titles, *more.titles])))

    def _found(self, film_id: int, score: float) -> Asking:
        data = yield from self._detail(film_id)
        return NotFound() if data is None else Found(movie_record(data), score)


def _films(data: Any, results: str) -> list[Film]:
    listed = data.get(results) if isinstance(data, Mapping) else None
    return [film for film in map(film_of, listed if isinstance(listed, list) else ()) if film is not None]


def _worth_a_check(ranked: list[Scored], *, everywhere: bool) -> list[Scored]:
    """Those whose other names may be the one wanted, best first."""
    near = [one for one in ranked if one.gap in ((0, 1, None) if everywhere else (0,))]
    return near if len(near) <= FEW else [one for one in near if one.strength >= WORTH_A_CHECK]


def _undecided(ranked: list[Scored]) -> NotFound | Unsure:
    """Unsure where something may be it after all; what was looked at goes with either."""
    candidates = tuple(
        Candidate(
            id=str(one.film.id),
            title=one.film.title,
            year="" if one.film.year is None else str(one.film.year),
            score=one.score,
            reason=one.reason,
            link=f"https://www.themoviedb.org/movie/{one.film.id}",
        )
        for one in ranked[:MOST_CANDIDATES]
        if one.score >= WORTH_SHOWING
    )
    if candidates and candidates[0].score >= UNDECIDED:
        return Unsure(candidates, candidates[0].score)
    return NotFound(candidates)


def _whole(value: Any) -> int | None:
    """An id or a year as an int, from an int or digits; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
