"""Which columns of a list say what, told by their names and, for ids, by a sample of their cells.

Rule 1: a name counts without case, accents, blanks and punctuation, and without what it is prefixed with ("movie_imdb_id",
"movie.ids.imdb"). Columns of no known name just travel along.
Rule 2: of several columns with one meaning, each is asked in turn until one is filled.
Rule 3: a column named for a service's ids that holds its scores has no ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

from . import kinds, words
from .cells import are_scores

_FILM_NAMES = frozenset(
    (
        *words.TITLES,
        *words.ENGLISH_TITLES,
        *words.LOCAL_TITLES,
        *words.ORIGINAL_TITLES,
        *words.IMDB_IDS,
        *words.TMDB_IDS,
    )
)
_OTHER_NAMES = frozenset((*words.YEARS, *words.RELEASES, *words.KINDS, *words.COMPANIONS))
_KNOWN = _FILM_NAMES | _OTHER_NAMES | {*words.ANY_IDS, *words.FILM_FLAGS, *words.SERIES_FLAGS, *words.EPISODES}
_PREFIXES = (
    "movies",
    "movie",
    "films",
    "film",
    "content",
    "media",
    "item",
    "ids",
    "providerids",
    "uniqueid",
    "external",
)
_TMDB_SHAPE = {"posterpath", "voteaverage", "originallanguage"}  # together they are the marks of TMDB's own answers

_WORDS = re.compile(r"[^\W_]+")

Part = Literal["film", "show", "episode"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a list says what: positions of its columns, in the order in which they are asked.

    `aliases` are columns with other names of the film. `any_ids` hold ids of the service that one of `id_sources` names,
    or ids that tell by themselves whose they are. `episodes` are filled for series only.
    """

    titles: tuple[int, ...]
    originals: tuple[int, ...]
    aliases: tuple[int, ...]
    years: tuple[int, ...]
    imdb_ids: tuple[int, ...]
    tmdb_ids: tuple[int, ...]
    any_ids: tuple[int, ...]
    id_sources: tuple[int, ...]
    kinds: tuple[int, ...]
    loose_kinds: tuple[int, ...]
    film_flags: tuple[int, ...]
    series_flags: tuple[int, ...]
    episodes: tuple[int, ...]


@lru_cache(maxsize=4096)
def meaning(name: str) -> tuple[str, Part]:
    """What a column's name comes to without its prefixes, and whether it is about the film, a show or an episode.

    >>> meaning("movie.ids.imdb"), meaning("movie_title"), meaning("show.title")
    (('imdb', 'film'), ('title', 'film'), ('title', 'show'))
    """
    part: Part = "film"
    parts = [piece for piece in map(words.folded, name.split(".")) if piece]
    for wrapper in parts[:-1]:
        if wrapper in words.EPISODE_WRAPPERS:
            part = "episode"
        elif wrapper in words.SHOW_WRAPPERS:
            part = "show"
    wrappers = {*words.WRAPPERS, *words.SHOW_WRAPPERS, *words.EPISODE_WRAPPERS}
    plain = "".join(piece for at, piece in enumerate(parts) if at == len(parts) - 1 or piece not in wrappers)
    while plain not in _KNOWN:
        prefix = next((one for one in _PREFIXES if plain.startswith(one) and plain != one), None)
        if prefix is None:
            break
        plain = plain.removeprefix(prefix)
    return plain if plain in _KNOWN else _title_in_a_language(name) or plain, part


def _title_in_a_language(name: str) -> str | None:
    """What "Title (German)" or "Titel_Original" comes to, None if a name is none of these."""
    found = [words.folded(word) for word in _WORDS.findall(name)]
    titles = [word for word in found if word in words.TITLES]
    if len(titles) != 1 or len(found) > 3:
        return None
    rest = {word for word in found if word not in titles}
    if rest and rest <= words.ORIGINAL_MARKS:
        return words.ORIGINAL_TITLES[0]
    if rest and rest <= words.LANGUAGES:
        return (
            words.ENGLISH_TITLES[0] if rest & {"en", "english", "englisch", "anglais", "us"} else words.LOCAL_TITLES[0]
        )
    return None


def known_names(cells: Sequence[str]) -> int:
    """How many names of columns we know in a line; 0 if none of them says which film a row is about."""
    names = {meaning(cell)[0] for cell in cells if len(cell) < 100}
    films = names & _FILM_NAMES or ({"mediaid", "source"} <= names and {"mediaid"}) or set()
    return len(films) + len(names & _OTHER_NAMES - films) if films else 0


def columns_of(names: Sequence[str], sample: Sequence[Sequence[str]]) -> Columns:
    """The columns of a list by its names and the first of its records."""
    known = [meaning(name) for name in names]

    def positions(wanted: Sequence[str], parts: Set[Part] = frozenset({"film"})) -> tuple[int, ...]:
        return tuple(at for name in wanted for at, (found, part) in enumerate(known) if found == name and part in parts)

    def ids(wanted: Sequence[str]) -> tuple[int, ...]:
        return tuple(
            at
            for at in positions(wanted, {"film", "show"})
            if not are_scores((cells[at] for cells in sample if at < len(cells)), named_id=_names_an_id(known[at][0]))
        )

    def told(names: Set[str], are: Callable[[Iterable[str]], bool]) -> tuple[int, ...]:
        return tuple(
            at
            for at, (found, part) in enumerate(known)
            if part == "film" and found in names and are(cells[at] for cells in sample if at < len(cells))
        )

    series_flags = told(words.SERIES_WORDS | words.TELEVISION, kinds.are_flags)
    film_flags = told(words.FILM_NAMES, kinds.are_flags)
    unknown = {found for found, _ in known} - _KNOWN
    originals = positions(words.ORIGINAL_TITLES)
    aliases = positions(words.ENGLISH_TITLES) + positions(words.LOCAL_TITLES)
    shows = positions(words.SHOW_TITLES) + positions(words.TITLES, {"show"})
    tmdb_shaped = {found for found, _ in known} >= _TMDB_SHAPE
    titles = positions(words.TITLES) + aliases + originals + shows
    if not {*titles} - {*film_flags}:
        film_flags = ()  # a list of films called "Yes" and "1"
    return Columns(
        titles=tuple(at for at in titles if at not in film_flags),
        originals=originals,
        aliases=aliases,
        years=positions(words.YEARS, {"film", "show"}) + positions(words.RELEASES),
        imdb_ids=ids(words.IMDB_IDS),
        tmdb_ids=ids(words.TMDB_IDS) + (positions(("id",)) if tmdb_shaped else ()),
        any_ids=positions(words.ANY_IDS),
        id_sources=positions(words.ID_SOURCES),
        kinds=positions(words.KINDS),
        loose_kinds=positions(words.LOOSE_KINDS) + told(unknown, kinds.are_kinds),
        film_flags=positions(words.FILM_FLAGS) + film_flags,
        series_flags=positions(words.SERIES_FLAGS) + series_flags,
        episodes=_unique(
            positions(words.EPISODES),
            positions(words.SHOW_TITLES),
            (at for at, (_, part) in enumerate(known) if part != "film"),
        ),
    )


def _names_an_id(name: str) -> bool:
    return name not in {"imdb", "tmdb", "themoviedb"}


def _unique(*groups: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(at for group in groups for at in group))


def first_filled(cells: Sequence[str], positions: Iterable[int], read: Callable[[str], T | None]) -> T | None:
    """What `read` makes of the first of these cells of which it makes anything."""
    for at in positions:
        if value := read(cells[at]):
            return value
    return None
