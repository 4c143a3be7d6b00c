"""What we keep of a film: one flat record, and the tables that a person opens with an SQLite browser.

The record is made from TMDB's details answer with its appended parts. That is JSON from a server, so nothing in it is
taken on trust: a field that is absent or of another type than documented is None (or an empty list), never an error.
TMDB writes 0 or "" where it knows nothing (runtime, revenue, release date): those are None too, because a sum over a
column must not count them as facts.

`COLUMNS` is what an export shows. The record holds one key more, `people`, for the tables only: the directors and the
first cast with TMDB's person id and the character, so that two people of one name stay two.

Tables: `film` (one row a film), and for what a film has several of `film_genre`, `film_country`, `film_keyword` and
`film_person` (role "director" or "cast"), each with its place in the list. No foreign keys: the store replaces a film's
row, which SQLite does by deleting it, and the rows of the other tables are replaced with it in any case.

Source: developer.themoviedb.org/reference/movie-details and /docs/image-basics (checked 2026-11).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from ...model import Table

COLUMNS: tuple[str, ...] = (
    "tmdb_id",
    "imdb_id",
    "title",
    "original_title",
    "release_date",
    "year",
    "genres",
    "directors",
    "cast",
    "runtime_min",
    "overview",
    "tagline",
    "vote_average",
    "vote_count",
    "popularity",
    "original_language",
    "countries",
    "keywords",
    "budget",
    "revenue",
    "poster_url",
)

POSTERS = "https://image.tmdb.org/t/p/w500"
CAST_KEPT = 5


def movie_record(details: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a details answer: every name of `COLUMNS`, and `people`. Lists are lists of str. Never raises."""
    people = [*_directors(details), *_cast(details)]
    date = _date(details.get("release_date"))
    poster = _text(details.get("poster_path"))
    return {
        "tmdb_id": _whole(details.get("id")),
        "imdb_id": _text(details.get("imdb_id")) or _text(_part(details, "external_ids").get("imdb_id")),
        "title": _text(details.get("title")),
        "original_title": _text(details.get("original_title")),
        "release_date": date,
        "year": int(date[:4]) if date else None,
        "genres": _names(details.get("genres")),
        "directors": [person["name"] for person in people if person["role"] == "director"],
        "cast": [person["name"] for person in people if person["role"] == "cast"],
        "runtime_min": _whole(details.get("runtime")),
        "overview": _text(details.get("overview")),
        "tagline": _text(details.get("tagline")),
        "vote_average": _number(details.get("vote_average")),
        "vote_count": _count(details.get("vote_count")),
        "popularity": _number(details.get("popularity")),
        "original_language": _text(details.get("original_language")),
        "countries": _names(details.get("production_countries")),
        "keywords": _names(_part(details, "keywords").get("keywords")),
        "budget": _whole(details.get("budget")),
        "revenue": _whole(details.get("revenue")),
        "poster_url": f"{POSTERS}{poster}" if poster and poster.startswith("/") else None,
        "people": people,
    }


# ── values of a server, each one checked ────────────────────────────────────────────────────────────────────────────


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _whole(value: Any) -> int | None:
    """A whole number above 0; 0 is TMDB's word for unknown."""
    return _count(value) or None


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
    return float(value) if usable and math.isfinite(value) else None


def _date(value: Any) -> str | None:
    date = _text(value)
    return date if date and len(date) == 10 and date.isascii() and date[:4].isdigit() and date[:4] != "0000" else None


def _part(details: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = details.get(name)
    return part if isinstance(part, Mapping) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list of JSON."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _names(value: Any) -> list[str]:
    return list(dict.fromkeys(name for entry in _objects(value) if (name := _text(entry.get("name")))))


def _directors(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    crew = _objects(_part(details, "credits").get("crew"))
    return _people([entry for entry in crew if entry.get("job") == "Director"], "director")


def _cast(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    cast = _objects(_part(details, "credits").get("cast"))
    # The order of credits; an entry without one comes last. The sort keeps the answer's order among equals.
    orders: list[Any] = [entry.get("order") for entry in cast]
    if set(map(type, orders)) != {int} or not 0 <= min(orders) <= max(orders) < 2**63:
        cast.sort(key=lambda entry: math.inf if (order := _count(entry.get("order"))) is None else order)
    elif orders != sorted(orders):
        cast.sort(key=itemgetter("order"))
    return _people(cast, "cast", CAST_KEPT)


def _people(entries: Sequence[Mapping[str, Any]], role: str, most: int | None = None) -> list[dict[str, Any]]:
    """The first `most` who have a name, each once: TMDB lists an actor again for a second part.

    A film has a hundred entries and five are kept, so the others are not looked at.
    """
    first: dict[tuple[Any, Any], dict[str, Any]] = {}
    for entry in entries:
        if len(first) == most:
            break
        name, person_id = _text(entry.get("name")), _whole(entry.get("id"))
        if name and (person_id, name) not in first:
            character = _text(entry.get("character")) if role == "cast" else None
            first[person_id, name] = {"role": role, "person_id": person_id, "name": name, "character": character}
    return list(first.values())


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_FILM: dict[str, str] = {
    "tmdb_id": "INTEGER PRIMARY KEY",
    "imdb_id": "TEXT",
    "title": "TEXT",
    "original_title": "TEXT",
    "release_date": "TEXT",
    "year": "INTEGER",
    "runtime_min": "INTEGER",
    "overview": "TEXT",
    "tagline": "TEXT",
    "vote_average": "REAL",
    "vote_count": "INTEGER",
    "popularity": "REAL",
    "original_language": "TEXT",
    "budget": "INTEGER",
    "revenue": "INTEGER",
    "poster_url": "TEXT",
}
_LISTS = {"film_genre": "genres", "film_country": "countries", "film_keyword": "keywords"}


def _list_table(name: str) -> Table:
    return Table(
        name=name,
        columns={"tmdb_id": "INTEGER NOT NULL", "position": "INTEGER NOT NULL", "name": "TEXT NOT NULL"},
        owner="tmdb_id",
        indexes=(("name",),),
        constraints=("PRIMARY KEY (tmdb_id, position)",),
    )


TABLES: tuple[Table, ...] = (
    Table(name="film", columns=_FILM, indexes=(("title",), ("year",), ("imdb_id",))),
    Table(
        name="film_person",
        columns={
            "tmdb_id": "INTEGER NOT NULL",
            "role": "TEXT NOT NULL CHECK (role IN ('director', 'cast'))",
            "position": "INTEGER NOT NULL",
            "person_id": "INTEGER",
            "name": "TEXT NOT NULL",
            "character": "TEXT",
        },
        owner="tmdb_id",
        indexes=(("name",), ("person_id",)),
        constraints=("PRIMARY KEY (tmdb_id, role, position)",),
    ),
    *map(_list_table, _LISTS),
)


def tables_of(record: Mapping[str, Any]) -> dict[str, Sequence[tuple[Any, ...]]]:
    """The rows of one record for each of `TABLES`; nothing for a record without a TMDB id. Positions count from 1."""
    film_id = record.get("tmdb_id")
    if film_id is None:
        return {}
    people: list[tuple[Any, ...]] = []
    for role in ("director", "cast"):
        cast = (person for person in record.get("people") or () if person["role"] == role)
        people += [
            (film_id, role, position, person["person_id"], person["name"], person["character"])
            for position, person in enumerate(cast, 1)
        ]
    return {
        "film": [tuple(record.get(column) for column in _FILM)],
        "film_person": people,
        **{
            table: [(film_id, position, name) for position, name in enumerate(record.get(column) or (), 1)]
            for table, column in _LISTS.items()
        },
    }
