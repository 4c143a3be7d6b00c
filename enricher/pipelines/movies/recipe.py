"""What to ask TMDB about one film, and what to conclude: searches, checks and one details answer.

**Known by an id**: a TMDB id is asked for directly; an IMDb id goes through `/find`, which is no search. Where TMDB does
not know one, the next is asked, then the title. A film found by an id is compared with what else its row says: ids stand
in wrong rows and wrong columns, and a series' number finds a film. Where title and year leave a doubt, the row's title
is looked up as well, and two different films leave the row unsure. A person's choice is not compared.

**Known by its title**: search, then details; two requests in the normal case (`searching` says which searches follow, at
most `MOST_SEARCHES`). A film that may go by another name is checked against its alternative and translated titles, with
the details request that would be needed anyway: at most `MOST_DETAILS`. `choosing` decides; nothing is guessed.

Sources: developer.themoviedb.org/reference/search-movie, /movie-details, /find-by-id (checked 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from ...model import Answer, Conclusion, Found, Item, NotFound, Recipe, Request, Service
from .choosing import believable, holders, outvoting, overshadowed, rival, worth_a_check
from .conclusions import DECIDED_NONE, EPISODE, NO_TITLE, SERIES, contradicted, undecided, unknown_ids
from .matching import ONLY_SMALL_WORDS, Film, Scored, Wanted, film_of, rank, score, wanted
from .record import movie_record
from .searching import Search, search_request, searches

MOST_SEARCHES = 4
MOST_DETAILS = 3

NO_SUCH_FILM = "none"
"""The field `decided` says so where a person found that TMDB has no such film: nothing is asked."""

UNNAMED = Wanted(("",), None)
"""What a row without a title says of its film."""

NAME_NOT_DENIED = 70.0
"""From this strength on a title does not speak against the film that an id names: it may be a part or a misspelling."""

_APPENDED = "credits,external_ids,keywords,alternative_titles"
# The search knows translated titles too, which are no alternative titles. They bring the overviews of every language
# along (tens of KB), so they are asked for only where a name must be checked.
_APPENDED_TO_CHECK = f"{_APPENDED},translations"

_IMDB_ID = re.compile(r"tt[0-9]+")

Asking = Generator[Request, Answer, Conclusion]


def movie_recipe(service: Service, language: str = "en-US", *, include_adult: bool = False) -> Recipe:
    """The recipe of a film. Reads the item's fields `tmdb_id`, `imdb_id`, `title`, `year`, `original_title` and
    `other_titles` (a list); `not_a_film`, a reason why nothing need be asked; and `decided`, which a person may have set.

    Concludes Found, NotFound or Unsure (with candidates for a person to pick from); either says why.
    `language` is that of titles, overviews and genres, as TMDB writes it ("en-US", "de-DE"). `include_adult` searches
    films for adults too.
    """

    def recipe(item: Item) -> Generator[Request, Any, Conclusion]:
        return (yield from _Inquiry(service, language, include_adult).conclude(_row(item.fields)))

    return recipe


# ── what a row says ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Row:
    """What a row says: ids (a TMDB id as int, an IMDb id as text), and the film as it names it, None where it does not.

    `refused` is the reason why there is nothing to ask. `decided`: the id is a person's choice.
    """

    ids: tuple[int | str, ...]
    wish: Wanted | None
    refused: str = ""
    decided: bool = False


def _row(fields: Mapping[str, Any]) -> _Row:
    decided = fields.get("decided")
    ids = [_whole(fields.get("tmdb_id")), _imdb_id(fields.get("tmdb_id")), _imdb_id(fields.get("imdb_id"))]
    known = tuple(one for one in ids if one is not None)
    title, year = _text(fields.get("title")), _whole(fields.get("year"))
    more = fields.get("other_titles")
    others = [_text(fields.get("original_title")), *map(_text, more if isinstance(more, list | tuple) else ())]
    names = [name for name in (title, *others) if name]
    if known and not any(letter.isalnum() for name in names for letter in name):
        names = []  # "?" beside an id says nothing against it
    wish = wanted(names[0], year, *names[1:]) if names else None
    refused = _text(fields.get("not_a_film"))
    if decided == NO_SUCH_FILM:
        return _Row((), None, DECIDED_NONE)
    if decided in ("tmdb", "imdb"):
        return _Row(known[:1], wish, decided=True)
    return _Row(known, wish, refused or ("" if known or wish else NO_TITLE))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _imdb_id(value: Any) -> str | None:
    return value if isinstance(value, str) and _IMDB_ID.fullmatch(value) else None


def _whole(value: Any) -> int | None:
    """An id or a year as an int, from an int or digits; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


# ── one film ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Inquiry:
    """One film's questions, and what is known so far."""

    service: Service
    language: str
    include_adult: bool
    films: dict[int, Film] = field(default_factory=dict)
    details: dict[int, Mapping[str, Any] | None] = field(default_factory=dict)

    def conclude(self, row: _Row) -> Asking:
        """By the surest thing that the list knows of it: TMDB id, IMDb id, title."""
        if row.refused:
            return NotFound(reason=row.refused)
        unknown: list[str] = []
        accused: list[Scored] = []
        confirmed = False
        for one in row.ids:
            film_id = one if isinstance(one, int) else (yield from self._find(one))
            if isinstance(film_id, str):
                return NotFound(reason=film_id)
            if film_id in {doubted.film.id for doubted in accused}:
                confirmed = True
                continue
            data = None if film_id is None else (yield from self._detail(film_id))
            if film_id is None or data is None:
                unknown.append(str(one))
                continue
            film = None if row.decided else film_of(data)
            doubted = None if film is None else (yield from self._doubt(row, film))
            if film is not None and accused and row.wish is None:
                doubted = score(UNNAMED, film)  # two ids, two films, and nothing that tells which
            if doubted is None:
                return Found(movie_record(data), 100.0)
            accused.append(doubted)
            if isinstance(one, int) and data.get("imdb_id") in row.ids:  # the other id is of the same film
                confirmed = True
                break
        if accused:
            return (yield from self._judge(row, accused, unknown_ids(unknown), confirmed=confirmed))
        if row.wish is None or row.decided:
            return NotFound(reason=unknown_ids(unknown) or NO_TITLE)
        chosen = yield from self._by_title(row.wish, MOST_SEARCHES)
        if chosen is None:
            return undecided(row.wish, rank(row.wish, self.films.values()), unknown_ids(unknown))
        return (yield from self._found(chosen))

    # ── known by an id ──

    def _find(self, imdb_id: str) -> Generator[Request, Answer, int | str | None]:
        """The TMDB id of a film's IMDb id; None where TMDB does not know it, and the reason where it is no film."""
        params = {"external_source": "imdb_id", "language": self.language}
        answer = yield Request(self.service, f"/find/{quote(imdb_id)}", params, kind="find")
        if films := _films(answer.data, "movie_results"):
            return films[0].id
        for results, reason in (("tv_results", SERIES), ("tv_season_results", SERIES), ("tv_episode_results", EPISODE)):
            if isinstance(answer.data, Mapping) and answer.data.get(results):
                return reason
        return None

    def _doubt(self, row: _Row, film: Film) -> Generator[Request, Answer, Scored | None]:
        """A film that was found by an id, where what else its row says leaves a doubt of it; else None.

        A title that none of the film's is like may be a translation: its translations are asked for.
        """
        if row.wish is None:
            return None if self._has_imdb_id(row, film) else score(UNNAMED, film)
        one = score(row.wish, film)
        if one.strength < NAME_NOT_DENIED:
            one = score(row.wish, (yield from self._translated(film)))
        return None if one.strength >= NAME_NOT_DENIED and one.gap in (0, 1, None) else one

    def _has_imdb_id(self, row: _Row, film: Film) -> bool:
        """False where the row has an IMDb id, and TMDB has another for the film."""
        data = self.details[film.id]
        known = None if data is None else _imdb_id(data.get("imdb_id"))
        return known is None or known in row.ids or not any(isinstance(one, str) for one in row.ids)

    def _translated(self, film: Film) -> Generator[Request, Answer, Film]:
        """The film with its translated titles too, asked for anew."""
        self.details.pop(film.id)
        return film_of((yield from self._detail(film.id, _APPENDED_TO_CHECK))) or film

    def _judge(self, row: _Row, accused: list[Scored], reason: str, *, confirmed: bool) -> Asking:
        """The row speaks against the films of its ids. What does its title find?

        Where title and year both do, it is unsure whatever is found. Where one of them does not, or no year is there and
        both ids are of one film (`confirmed`), the id is believed unless another film has the row's very name.
        """
        if row.wish is None:
            return contradicted(UNNAMED, accused, (), reason)
        first = accused[0]
        near = first.gap in ((0, 1, None) if confirmed else (0, 1))
        named = first.strength >= NAME_NOT_DENIED
        mild = len(accused) == 1 and (named or near)
        # Another film of the name is of the row's year, or of any where the name is all that speaks against the id.
        chosen = yield from self._by_title(row.wish, (1 if named else 2) if mild else MOST_SEARCHES)
        ids = {one.film.id for one in accused}
        if chosen is not None and chosen.film.id in ids:
            return (yield from self._found(chosen))
        ranked = rank(row.wish, self.films.values())
        others = [one for one in ranked if one.same_name and one.gap in (0, 1, None) and one.film.id not in ids]
        if mild and chosen is None and not others:
            return (yield from self._found(replace(first, score=max(first.score, NAME_NOT_DENIED))))
        return contradicted(row.wish, accused, [chosen] if chosen is not None else others or ranked, reason)

    # ── known by its title ──

    def _by_title(self, wish: Wanted, most_searches: int) -> Generator[Request, Answer, Scored | None]:
        """The one film that the title and year name; None where there is none, or several."""
        plan = searches(wish)
        search = next(plan)
        everywhere = False
        for _ in range(most_searches):
            pages = yield from self._search(search)
            everywhere = everywhere or (search.year is None and (wish.year is not None or search.page >= pages))
            if (yield from self._settle(wish, everywhere=everywhere, whole=search.whole)):
                break
            if not search.whole and believable(rank(wish, self.films.values()), everywhere=everywhere):
                break
            try:
                search = plan.send(pages)
            except StopIteration:
                break
        # With a year there is nothing more to be had; without one, unread pages may still hold the same name.
        ranked = rank(wish, self.films.values())
        held = holders(wish, ranked, everywhere=everywhere or wish.year is not None)
        chosen = outvoting(held) if held else believable(ranked, everywhere=everywhere)
        if chosen is None or overshadowed(ranked, chosen):
            return None
        rivalling = rival(wish, ranked, chosen)
        if rivalling is None or rivalling.film.id in self.details or len(self.details) >= MOST_DETAILS:
            return chosen
        yield from self._check(rivalling.film)
        return None if score(wish, self.films[rivalling.film.id]).strength >= ONLY_SMALL_WORDS else chosen

    def _settle(self, wish: Wanted, *, everywhere: bool, whole: bool) -> Generator[Request, Answer, list[Scored]]:
        """The films that hold the name, after checks of those that may: one, several (a tie) or none so far."""
        while True:
            ranked = rank(wish, self.films.values())
            held = holders(wish, ranked, everywhere=everywhere)
            if len(held) == 1:
                return held
            # A tie can be broken only by a second name; its winner's details are then known already.
            doubtful = (
                (held if wish.other_names else [])
                if held
                else worth_a_check(ranked, everywhere=everywhere, whole=whole)
            )
            unchecked = [one for one in doubtful if one.film.id not in self.details]
            if not unchecked or len(self.details) >= MOST_DETAILS:
                return held
            yield from self._check(unchecked[0].film)

    # ── the requests ──

    def _search(self, search: Search) -> Generator[Request, Answer, int]:
        """Add the films of one page to what is known; returns the number of pages."""
        answer = yield search_request(
            self.service, self.language, search.query, search.year, search.page, include_adult=self.include_adult
        )
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
        more = film_of((yield from self._detail(film.id, _APPENDED_TO_CHECK)))
        if more is not None:
            others = dict.fromkeys([*more.titles, *more.other_titles])
            self.films[film.id] = replace(film, other_titles=tuple(one for one in others if one not in film.titles))

    def _found(self, chosen: Scored) -> Asking:
        data = yield from self._detail(chosen.film.id)
        if data is None:
            return NotFound(reason=f"TMDB lists the film {chosen.film.id} and has no details of it")
        return Found(movie_record(data), chosen.score)


def _films(data: Any, results: str) -> list[Film]:
    listed = data.get(results) if isinstance(data, Mapping) else None
    return [film for film in map(film_of, listed if isinstance(listed, list) else ()) if film is not None]
