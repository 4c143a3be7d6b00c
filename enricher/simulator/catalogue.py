"""The films of the simulated TMDB: some hundred real ones from `films.txt`, any number of generated ones, and the search.

The search imitates what TMDB's does to a client, not how it does it: case, accents and punctuation do not count; every
word of the query must be in ONE of a film's titles (title, original, translated, alternative), the last one may be the
beginning of a word; the order mixes likeness with popularity, so that the right film is not always the first. `year`
is any year of release, `primary_year` the first. Films for adults are found only where they are asked for.

The data file is read at the first use, and nothing of a generated film is kept.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from .behaviour import chance
from .generated import FIRST_ID, MOST_GENERATED, Titles

T = TypeVar("T")

_DATA = Path(__file__).with_name("films.txt")
_COLUMNS = 14

SHORT_MIN = 15
"""A film of at most so many minutes is a short that next to nobody has voted on."""

SERIES = {"tt0903747": (1396, "Breaking Bad"), "tt0944947": (1399, "Game of Thrones"), "tt2802850": (60622, "Fargo")}
"""IMDb identifier → TMDB's number and name of a series. Series are numbered apart: 1396 is a film as well."""

# IMDb's own identifiers have not got this far: an invented one is never taken for a real one.
_INVENTED_IMDB = 90_000_000
_GENERATED_IMDB = 95_000_000


@dataclass(frozen=True, slots=True)
class Film:
    """What the catalogue knows of a film. `date` is ISO, `runtime` in minutes (0: unknown), `other_titles` are
    (country, title) pairs and `translations` (language, title) pairs, `other_years` years of release besides the date's.
    """

    id: int
    imdb_id: str
    date: str
    other_years: tuple[int, ...]
    runtime: int
    language: str
    countries: tuple[str, ...]
    genres: tuple[str, ...]
    title: str
    original_title: str
    other_titles: tuple[tuple[str, str], ...]
    directors: tuple[str, ...]
    cast: tuple[str, ...]
    translations: tuple[tuple[str, str], ...] = ()
    adult: bool = False
    counted_votes: int | None = None

    @property
    def year(self) -> int:
        """The primary year of release."""
        return int(self.date[:4])

    @property
    def titles(self) -> tuple[str, ...]:
        """Every title that finds the film."""
        return (self.title, self.original_title, *(title for _, title in (*self.other_titles, *self.translations)))

    @property
    def popularity(self) -> float:
        """TMDB's measure in spirit: by votes where they were counted; else mostly chance, and newer films are looked at
        more than old ones.
        """
        if self.counted_votes is not None:
            return self.counted_votes / 300
        return round(0.6 + 40 * chance(0, "popularity", self.id) ** 3 * max(0.2, (self.year - 1900) / 100), 4)

    @property
    def votes(self) -> int:
        """Those that were counted; else invented, and next to none for a short, as a famous film's namesake mostly is."""
        if self.counted_votes is not None:
            return self.counted_votes
        return 1 + self.id % 3 if 0 < self.runtime <= SHORT_MIN else int(self.popularity * 300)


@lru_cache(maxsize=1)
def films() -> tuple[Film, ...]:
    """The real films, in the order of the data file."""
    lines = _DATA.read_text(encoding="utf-8").splitlines()
    return tuple(_film(line) for line in lines if line and not line.startswith("#"))


def _film(line: str) -> Film:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != _COLUMNS:
        raise ValueError(f"films.txt: {len(cells)} columns instead of {_COLUMNS}: {line[:60]}")
    identifier, imdb_id, date, years, minutes, language, countries, genres, title, original, others = cells[:11]
    directors, cast = cells[11:13]
    titles = [(other[:2], other[3:]) for other in _list(others)]
    return Film(
        id=int(identifier),
        imdb_id=imdb_id or f"tt{_INVENTED_IMDB + int(identifier)}",
        date=date,
        other_years=tuple(map(int, _list(years))),
        runtime=int(minutes),
        language=language,
        countries=_list(countries),
        genres=tuple(genre for genre in _list(genres) if genre != "Adult"),
        title=title,
        original_title=original or title,
        other_titles=tuple(other for other in titles if other[0].isupper()),
        directors=_list(directors),
        cast=_list(cast),
        translations=tuple(other for other in titles if other[0].islower()),
        adult="Adult" in _list(genres),
    )


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())


# ── generated films ────────────────────────────────────────────────────────────────────────────────────────────────

_FIRST_NAMES = ("Ada", "Bruno", "Clara", "Dario", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leon")
_LAST_NAMES = ("Abel", "Berg", "Costa", "Dahl", "Egger", "Falk", "Grau", "Holm", "Ivers", "Jansen", "Keller", "Lund")
_GENRES = ("Drama", "Comedy", "Thriller", "Romance", "Crime", "Documentary", "Adventure", "Mystery")
_ORIGINS = (("en", "US"), ("en", "GB"), ("fr", "FR"), ("it", "IT"), ("de", "DE"), ("ja", "JP"), ("es", "ES"))


@lru_cache(maxsize=4096)  # a search is mostly followed by the details of what it found
def _generated(index: int, titles: Titles) -> Film:
    # One digest, two bytes for each draw: a film of a hundred thousand must not cost more than its JSON.
    digest = iter(blake2b(f"{titles.seed} {index}".encode(), digest_size=64).digest())

    def draw(choices: Sequence[T]) -> T:
        return choices[(next(digest) << 8 | next(digest)) * len(choices) >> 16]

    def person() -> str:
        return f"{draw(_FIRST_NAMES)} {draw(_LAST_NAMES)}"

    language, country = draw(_ORIGINS)
    title = titles.title(index)
    return Film(
        id=FIRST_ID + index,
        imdb_id=f"tt{_GENERATED_IMDB + index}",
        date=f"{titles.year(index)}-{draw(range(1, 13)):02}-{draw(range(1, 29)):02}",
        other_years=(),
        runtime=0 if index % 97 == 96 else draw(range(70, 170)),  # TMDB does not know every length either
        language=language,
        countries=(country,),
        genres=tuple(dict.fromkeys((draw(_GENRES), draw(_GENRES)))),
        title=title,
        original_title=title,
        other_titles=(),
        directors=tuple(dict.fromkeys(person() for _ in range(2 if index % 11 == 10 else 1))),
        cast=tuple(dict.fromkeys(person() for _ in range(4))),
    )


# ── the search ─────────────────────────────────────────────────────────────────────────────────────────────────────

# What Unicode's decomposition leaves as it is, or takes apart in a way that no query is written in.
_PLAIN: dict[int, str | None] = {ord("½"): " 1/2", ord("æ"): "ae", ord("Æ"): "ae", ord("œ"): "oe", ord("đ"): "d"}
_PLAIN.update({ord("ø"): "o", ord("Ø"): "o", ord("ł"): "l", ord("Ł"): "l"})
_PLAIN.update(dict.fromkeys(map(ord, "'’‘ʼ`")))
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The words of a title as the search compares them.

    >>> words("L'Avventura: 8½ Müller")
    ('lavventura', '8', '1', '2', 'muller')
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return tuple(_WORD.findall("".join(sign for sign in decomposed if not unicodedata.combining(sign)).casefold()))


class Catalogue:
    """The real films (or those of `known`) and the first `generated` of the generated ones of a seed.

    Raises `ValueError` where more are wanted than can be generated.
    """

    def __init__(self, generated: int = 0, seed: int = 0, known: Sequence[Film] | None = None) -> None:
        self._known = known
        if generated > MOST_GENERATED:
            raise ValueError(f"films {generated!r}: at most {MOST_GENERATED} can be generated")
        self._generated = generated
        self._titles = Titles(seed)

    def get(self, identifier: int) -> Film | None:
        """The film of a TMDB identifier, or None."""
        if 0 <= identifier - FIRST_ID < self._generated:
            return _generated(identifier - FIRST_ID, self._titles)
        return self._by_id.get(identifier)

    def by_imdb(self, imdb_id: str) -> Film | None:
        """The film of an IMDb identifier (`tt` and digits), or None."""
        known = self._by_imdb.get(imdb_id)
        if known is None and re.fullmatch(r"tt\d{8}", imdb_id, re.ASCII):
            return self.get(int(imdb_id[2:]) - _GENERATED_IMDB + FIRST_ID)
        return known

    def search(
        self, query: str, year: int | None = None, primary_year: int | None = None, *, include_adult: bool = False
    ) -> list[Film]:
        """The films that a query finds, best first by a mix of likeness and popularity."""
        asked = words(query)
        if not asked:
            return []
        found = [self._films[number] for number in self._holding(asked)]
        found += [_generated(index, self._titles) for index in self._titles.matching(asked, self._generated)]
        if not include_adult:
            found = [film for film in found if not film.adult]
        if year is not None:
            found = [film for film in found if year == film.year or year in film.other_years]
        if primary_year is not None:
            found = [film for film in found if primary_year == film.year]
        return sorted(found, key=lambda film: (-_rank(film, asked), film.id))

    def _holding(self, asked: Sequence[str]) -> set[int]:
        """The numbers of the real films one of whose titles holds all words, the last perhaps begun only."""
        *whole, last = asked
        start = bisect_left(self._sorted_words, last)
        titles: set[tuple[int, int]] = set()
        for word in self._sorted_words[start:]:
            if not word.startswith(last):
                break
            titles |= self._titles_with[word]
        for word in whole:
            titles &= self._titles_with.get(word, set())
        return {film for film, _ in titles}

    @property
    def _films(self) -> Sequence[Film]:
        return films() if self._known is None else self._known

    @cached_property
    def _by_id(self) -> dict[int, Film]:
        return {film.id: film for film in self._films}

    @cached_property
    def _by_imdb(self) -> dict[str, Film]:
        return {film.imdb_id: film for film in self._films}

    @cached_property
    def _titles_with(self) -> dict[str, set[tuple[int, int]]]:
        """Word → the titles that hold it, each as (number of the film, number of its title)."""
        holding: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for number, film in enumerate(self._films):
            for title_number, title in enumerate(film.titles):
                for word in words(title):
                    holding[word].add((number, title_number))
        return dict(holding)

    @cached_property
    def _sorted_words(self) -> list[str]:
        return sorted(self._titles_with)


def _rank(film: Film, asked: Sequence[str]) -> float:
    """An exact title is worth as much as a good deal of popularity, not as much as any: TMDB's order misleads too."""
    likeness = max((len(asked) / max(len(words(title)), 1) for title in film.titles), default=0.0)
    return 5 * min(likeness, 1.0) + film.popularity
