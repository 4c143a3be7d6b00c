"""Which searches may find a film by its title, and in which order.

`year` narrows the first search to films with any release in that year, which lifts the right *House* above twenty
others, and misses the 3 % whose year at TMDB is another. So a search that settles nothing is followed by others.

Source: developer.themoviedb.org/reference/search-movie (checked 2026-11).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from ...model import Request, Service
from .matching import Wanted
from .titles import forms

SHORTEST_HALVED = 6
"""Letters. The half of a shorter word is the beginning of too many."""


def search_request(
    service: Service,
    language: str,
    query: str,
    year: int | None = None,
    page: int = 1,
    *,
    include_adult: bool = False,
) -> Request:
    """Ask for one page of films by title, narrowed to those with a release in `year`."""
    params = {"query": query, "include_adult": str(include_adult).lower(), "language": language}
    if year is not None:
        params["year"] = str(year)
    if page > 1:
        params["page"] = str(page)
    return Request(service, "/search/movie", params, kind="search")


class Search(NamedTuple):
    """One search: its words, the year it is narrowed to, the page; `whole`: the words are a name and no part of one."""

    query: str
    year: int | None
    page: int = 1
    whole: bool = True


def searches(wish: Wanted) -> Generator[Search, int, None]:
    """The searches that may find a film, the likeliest first. Is sent how many pages each one found.

    More pages than one mean that the film is hidden rather than missing: ask on, with the words that carry the name
    only, or for the second page. Otherwise it goes by another year or name: ask without the year for the beginning of
    the title, for its other names, the last one first (that is where lists write the original title), for its end.
    Where the name is so common that it is hidden again, ask for the years beside its own. Else one of its words may be
    misspelt: ask for each half of them in its year.
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
    if pages <= 1:
        yield from _halves(words.core, wish.year)
    if wish.year is not None and pages > 1:
        yield Search(wish.main, wish.year + 1)
        yield Search(wish.main, wish.year - 1)
    longest = Search(max(words.key.split(), key=len, default=wish.main), wish.year)
    if longest not in asked:
        yield longest


def _halves(core: str, year: int | None) -> Generator[Search, int, None]:
    """Searches that find a name although one of its words is misspelt: the longest word alone, and the others.

    The half with fewer letters goes first, because the mistake is less likely in it. The beginning of a single word is
    all that there is to ask for, and too little without a year.
    """
    words = core.split()
    longest = max(words, key=len, default="")
    others = [word for word in words if word != longest]
    if not others:
        if year is not None and len(longest) >= SHORTEST_HALVED:
            yield Search(longest[: len(longest) // 2], year, whole=False)
        return
    for half in sorted((longest, " ".join(others)), key=len):
        yield Search(half, year, whole=False)
