"""The pipeline of films: lists from Letterboxd, IMDb, Trakt and others in, TMDB's facts out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal
from zlib import crc32

from ...model import Pipeline, Request, Window
from .recipe import NO_SUCH_FILM, movie_recipe
from .record import COLUMNS, TABLES, tables_of
from .service import BASE_URL, WINDOWS, tmdb
from .sources import read_films


def movies(
    base_url: str | None = None,
    *,
    language: str = "en-US",
    windows: tuple[Window, ...] | None = None,
    burst: int | None = None,
    limiter: Literal["sliding", "fixed"] = "sliding",
    timeout_s: float = 10.0,
    include_adult: bool = False,
    encoding: str | None = None,
    only: Sequence[str] = (),
) -> Pipeline:
    """All that the engine needs to enrich lists of films.

    `base_url` and `windows` are TMDB's own where they are None; an empty tuple of windows sets no quota.
    `language` is that of titles, overviews and genres ("en-US", "de-DE"); `include_adult` searches films for adults
    too. `encoding` is that of the lists, None: told from each; `only` chooses among the lists of an export ("watched",
    "diary"), none: all. These and the address change the answers, the quota and the timeout do not: a job may be
    resumed with others.
    """
    service = tmdb(
        BASE_URL if base_url is None else base_url,
        windows=WINDOWS if windows is None else windows,
        burst=burst,
        limiter=limiter,
        timeout_s=timeout_s,
    )
    # Named only where it is wanted: a job of a version that did not know it goes on.
    wanted = {"include_adult": "true" if include_adult else "", "encoding": encoding or "", "only": ",".join(only)}
    return Pipeline(
        name="movies",
        recipe=movie_recipe(service, language, include_adult=include_adult),
        columns=COLUMNS,
        services=(service,),
        read=partial(read_films, encoding=encoding, only=tuple(only)),
        tables=TABLES,
        tables_of=tables_of,
        options={"language": language, "base_url": service.base_url}
        | {name: value for name, value in wanted.items() if value},
        typical=typical,
    )


def choice_fields(choice: str) -> dict[str, Any]:
    """A person's choice as fields of the item: a TMDB id, an IMDb id or "none". Each one takes back any before it.

    >>> choice_fields("603")
    {'tmdb_id': 603, 'decided': 'tmdb'}
    """
    if choice == NO_SUCH_FILM:
        return {"decided": NO_SUCH_FILM}
    if choice.startswith("tt"):
        return {"tmdb_id": None, "imdb_id": choice, "decided": "imdb"}
    return {"tmdb_id": int(choice), "decided": "tmdb"}


def typical(request: Request) -> bytes:
    """A body such as TMDB would send to a film that is found at once: one search, one details answer.

    >>> typical(Request(tmdb(), "/movie/603", kind="details"))[:11]
    b'{"id": 603,'
    """
    title, year = request.params.get("query", "?"), request.params.get("year")
    # Each film has an id of its own, or the details of all of them would be one answer, asked for once.
    film: dict[str, Any] = {"id": 1 + crc32(f"{request.path} {title} {year}".encode()), "title": title, "vote_count": 0}
    if year:
        film["release_date"] = f"{year}-06-01"
    if request.kind == "details":
        # Without a title: what a row says is compared with it, and a forecast has no way to know what that is.
        return json.dumps({"id": int(request.path.rpartition("/")[2]), "vote_count": 0}).encode()
    results = "movie_results" if request.kind == "find" else "results"
    return json.dumps({results: [film], "page": 1, "total_pages": 1, "total_results": 1}).encode()
