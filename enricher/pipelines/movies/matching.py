"""How well a film answers to what a list says of it: name and year become a score. Pure functions, no decision.

**Titles are read, not compared.** A title on a list may hold several readings: "House (Hausu)" is *House* or *Hausu*,
"Matrix, The" is *The Matrix*. A film has titles of its own: the title, the original title, later its alternative ones.
The strength of a pair is that of its best reading against its best title, in steps rather than on one fuzzy scale,
because the steps fail in different ways:

    100  the same words          case, punctuation, `&`, numerals (II = 2), number words, moved articles apart
     99  the same letters        spacing apart: WALL·E, Face/Off, L.A. Confidential
     98  the same without accents
     97  the same with a lone V or X at the end as a number (Rocky V = Rocky 5; Malcolm X stays what it is above)
     95  an article missing      Matrix = The Matrix
     93  only small words differ, or "The Movie" at the end
     90  the list has the film's head: Birdman = Birdman or (The Unexpected …)
  87-88  one is the other's tail: The Road Warrior = Mad Max 2: The Road Warrior
     77  the film has the list's head: too often a companion of the same year (Watchmen: Tales of …), so it is checked,
         never believed. Head against head is nothing at all: all of "Star Wars: …" would be one film
     84  one letter added, lost, replaced or swapped with the next, and no number; not the plural: Alien is not Aliens
    ≤86  similar spelling (rapidfuzz), and only where the numbers agree: Rocky II is not Rocky III

**The year is checked here, whatever the search did with it**: searching for House in 1977 returns films of 1976. TMDB's
year differs from a list's by one in 3 % of films and by more in 0.1 %, so one year off is weaker than the same year,
and two are never accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from .titles import Forms, forms, with_article_in_front

SAME_NAME = 96.0
"""From here on two titles are one name. Below it a film needs its year, and no rival, to be believed."""

ONLY_SMALL_WORDS = 93.0
"""From here on two titles differ in articles and other small words at most."""

PART_OF_NAME = 87.0
"""From here on one title is the other's head or tail."""

ALIKE = 80.0
"""From here on a similar spelling (0.86 × a ratio of 93: one letter of ten) is believed, in the very year and without a
rival."""

ONE_TYPO = 84.0
SHORTEST_WITH_TYPO = 5
"""Letters. One letter of four is another word: Heat, Meat."""

_YEAR_PENALTY = {0: 0.0, 1: 4.0, 2: 20.0, 3: 25.0}
_YEAR_FAR = 40.0
_YEAR_UNKNOWN = 8.0


def strength(reading: Forms, title: Forms) -> float:
    """How well two titles agree, 0 to 100, in the steps that the module's head lists."""
    if reading.key == title.key:
        return 100.0
    if not reading.key or not title.key:
        return 0.0
    if reading.squeezed == title.squeezed:
        return 99.0
    if reading.folded == title.folded:
        return 98.0
    alike = float(fuzz.ratio(reading.spelling, title.spelling))
    # Most candidates have another title altogether; what follows needs half of the letters or a part of the title.
    if alike >= 50 or reading.bare in title.folded or title.bare in reading.folded:
        for step, agree in _STEPS:
            if agree(reading, title):
                return step
    if reading.numbers != title.numbers:
        return alike * 0.6
    return max(alike * 0.86, ONE_TYPO if _differ_by_a_typo(reading.folded, title.folded) else 0.0)


def _differ_by_a_typo(one: str, other: str) -> bool:
    if min(len(one), len(other)) < SHORTEST_WITH_TYPO or one == f"{other}s" or other == f"{one}s":
        return False
    return OSA.distance(one, other, score_cutoff=1) == 1


_STEPS: tuple[tuple[float, Callable[[Forms, Forms], bool]], ...] = (
    (97.0, lambda reading, title: reading.numeral == title.numeral),
    (95.0, lambda reading, title: reading.bare == title.bare),
    (93.0, lambda reading, title: reading.loose == title.loose),
    (90.0, lambda reading, title: reading.bare in title.heads),
    (88.0, lambda reading, title: reading.bare in title.tails),
    (87.0, lambda reading, title: title.bare in reading.tails),
    (77.0, lambda reading, title: title.bare in reading.heads),
)


# ── what is wanted ──────────────────────────────────────────────────────────────────────────────────────────────────

_YEAR_AT_END = re.compile(r"\s*[(\[](1[89]\d\d|20\d\d)[)\]]\s*$")
_BRACKET_AT_END = re.compile(r"^(?P<main>.*\S)\s*[(\[](?P<inside>[^()\[\]]+)[)\]]\s*$")
_AKA = re.compile(r"^(?:a\.?k\.?a\.?|also known as|aka:|or)\s+", re.IGNORECASE)
_AKA_INSIDE = re.compile(r"\s+(?:a\.?k\.?a\.?|also known as)\s+", re.IGNORECASE)
# A bracket that says which part, cut or copy is meant is no second name.
_NO_NAME = re.compile(
    r"(?:the\s+)?(?:(?:part|pt|vol|volume|chapter|episode|season)\b.*|[ivx\d]+|3-?d|tv.*|short.*|.*\b(?:cut|version|edition))\.?",
    re.IGNORECASE,
)


def _clean(title: str) -> str:
    return " ".join(title.split())  # NO-BREAK SPACE is a space to split(), too


@dataclass(frozen=True, slots=True)
class Wanted:
    """A film as a list names it: what to ask the search for, and what to recognise the answer by.

    `names` are the readings, most trusted first; `year` is None where the list has none.
    """

    names: tuple[str, ...]
    year: int | None

    @property
    def main(self) -> str:
        """The reading to search by: without what stands in brackets at the end."""
        return self.names[0]

    @property
    def other_names(self) -> tuple[str, ...]:
        """The names beside it, without the reading that holds them all."""
        return tuple(name for name in self.names[1:] if "(" not in name and "[" not in name)


def wanted(title: str, year: int | None = None, *others: str) -> Wanted:
    """Read a list's title; `others` are titles from other columns of its row. A year in brackets at the end of the
    title serves where no other is given.

    >>> wanted("House (Hausu) (1977)")
    Wanted(names=('House', 'House (Hausu)', 'Hausu'), year=1977)
    """
    text = _clean(title)
    if found := _YEAR_AT_END.search(text):
        in_title = int(found[1])
        if found.start() and (year is None or abs(year - in_title) <= 1):
            text, year = text[: found.start()], in_title if year is None else year
    whole = text
    also: list[str] = []
    while found := _BRACKET_AT_END.match(text):
        inside = _AKA.sub("", found["inside"]).strip()
        if _NO_NAME.fullmatch(inside):
            break
        text = found["main"]
        also[:0] = [inside] if inside else []
    main, *known_as = _AKA_INSIDE.split(text)
    names = [main, whole, *known_as, *also, *others]
    moved = (with_article_in_front(name) for name in names)
    return Wanted(tuple(dict.fromkeys(name for name in map(_clean, moved) if name)) or (text,), year)


# ── what was found ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Film:
    """One film of a search or details answer: `titles` are its title and original title, `other_titles` the
    alternative and translated ones that are known so far.
    """

    id: int
    title: str
    titles: tuple[str, ...]
    year: int | None
    votes: int = 0
    other_titles: tuple[str, ...] = ()


def film_of(data: Any) -> Film | None:
    """A film from one entry of a search's `results`, or from a details answer with the titles appended to it.

    None where there is no usable id or no title: this is JSON from a server, and nothing in it is taken on trust.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("id"), int) or isinstance(data["id"], bool):
        return None
    own = [title for title in (data.get("title"), data.get("original_title")) if isinstance(title, str) and title]
    if not own:
        return None
    date, votes = data.get("release_date"), data.get("vote_count")
    return Film(
        id=data["id"],
        title=own[0],
        titles=tuple(dict.fromkeys(own)),
        year=int(date[:4]) if isinstance(date, str) and re.match(r"[0-9]{4}(?![0-9])", date) else None,
        votes=votes if isinstance(votes, int) else 0,
        other_titles=tuple(dict.fromkeys(title for title in _alternative_titles(data) if title not in own)),
    )


def _alternative_titles(data: Mapping[str, Any]) -> Iterable[str]:
    """`alternative_titles.titles[].title` and `translations.translations[].data.title`, as far as they are there."""
    for part, entries, inner in (("alternative_titles", "titles", None), ("translations", "translations", "data")):
        appended = data.get(part)
        listed = appended.get(entries) if isinstance(appended, Mapping) else None
        for entry in listed if isinstance(listed, list) else ():
            holder = entry.get(inner) if inner and isinstance(entry, Mapping) else entry
            title = holder.get("title") if isinstance(holder, Mapping) else None
            if isinstance(title, str) and title:
                yield title


@dataclass(frozen=True, slots=True)
class Scored:
    """How well one film answers to what is wanted.

    `strength` is of its name alone, `agreed` counts the readings that are one of its names, `gap` is the distance of
    the years (None where one is unknown), `score` joins them, 0 to 100. `own_name`: a reading is its title or original
    title, and not only an alternative or translated one.
    """

    film: Film
    strength: float
    agreed: int
    gap: int | None
    score: float
    own_name: bool = False

    @property
    def same_name(self) -> bool:
        """One of the film's titles is one of the readings."""
        return self.strength >= SAME_NAME

    @property
    def reason(self) -> str:
        """Why it scores as it does, for the person who decides."""
        if self.same_name:
            name = "same title"
        elif self.strength >= PART_OF_NAME:
            name = "part of the title"
        else:
            name = "similar title" if self.strength >= ALIKE else "other title"
        years = {None: "year unknown", 0: "same year", 1: "one year off"}.get(self.gap, f"{self.gap} years off")
        return f"{name}, {years}"


def score(wish: Wanted, film: Film) -> Scored:
    """Compare a film's titles and year with what is wanted."""
    readings = [forms(name) for name in wish.names]
    own = [_strongest(reading, film.titles) for reading in readings]
    best_by_reading = [
        max(mine, _strongest(reading, film.other_titles)) for mine, reading in zip(own, readings, strict=True)
    ]
    name = max(best_by_reading)
    gap = abs(wish.year - film.year) if wish.year is not None and film.year is not None else None
    penalty = _YEAR_UNKNOWN if gap is None else _YEAR_PENALTY.get(gap, _YEAR_FAR)
    agreed = sum(one >= SAME_NAME for one in best_by_reading)
    return Scored(film, name, agreed, gap, round(max(0.0, name - penalty), 1), max(own) >= SAME_NAME)


def _strongest(reading: Forms, titles: Iterable[str]) -> float:
    return max((strength(reading, forms(title)) for title in titles), default=0.0)


def rank(wish: Wanted, films: Iterable[Film]) -> list[Scored]:
    """The films, best first; ties by votes, then by id, so that the order never depends on who answered first."""
    return sorted((score(wish, film) for film in films), key=lambda one: (-one.score, -one.film.votes, one.film.id))
