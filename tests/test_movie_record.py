"""What is kept of a film, whatever the server sends, and the tables that a person can query."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.pipelines.movies.record import CAST_KEPT, COLUMNS, TABLES, movie_record, tables_of

DETAILS = {
    "id": 603,
    "imdb_id": "tt0133093",
    "title": "The Matrix",
    "original_title": "The Matrix",
    "release_date": "1999-03-30",
    "genres": [{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}],
    "runtime": 136,
    "overview": "A hacker learns what the world is.",
    "tagline": "",
    "vote_average": 8.2,
    "vote_count": 9540,
    "popularity": 35,
    "original_language": "en",
    "production_countries": [{"iso_3166_1": "US", "name": "United States of America"}],
    "budget": 63000000,
    "revenue": 0,
    "poster_path": "/p.jpg",
    "credits": {
        "cast": [
            {"id": 3, "name": "Three", "character": "Trinity", "order": 2},
            {"id": 1, "name": "One", "character": "Neo", "order": 0},
            {"id": 2, "name": "Two", "character": "", "order": 1},
            {"id": 1, "name": "One", "character": "Anderson", "order": 7},
            {"id": 9, "name": "Late"},
            *({"id": 10 + n, "name": f"Extra {n}", "order": 3 + n} for n in range(3)),
        ],
        "crew": [
            {"id": 21, "name": "Lana", "job": "Director"},
            {"id": 22, "name": "Lilly", "job": "Director"},
            {"id": 21, "name": "Lana", "job": "Director"},
            {"id": 23, "name": "Bill", "job": "Editor"},
        ],
    },
    "keywords": {"keywords": [{"id": 1, "name": "simulation"}]},
}


def test_a_record_has_every_column_and_the_people():
    record = movie_record(DETAILS)
    assert set(record) == {*COLUMNS, "people"}
    assert {name: record[name] for name in COLUMNS} == {
        "tmdb_id": 603,
        "imdb_id": "tt0133093",
        "title": "The Matrix",
        "original_title": "The Matrix",
        "release_date": "1999-03-30",
        "year": 1999,
        "genres": ["Action", "Science Fiction"],
        "directors": ["Lana", "Lilly"],
        "cast": ["One", "Two", "Three", "Extra 0", "Extra 1"],
        "runtime_min": 136,
        "overview": "A hacker learns what the world is.",
        "tagline": None,
        "vote_average": 8.2,
        "vote_count": 9540,
        "popularity": 35.0,
        "original_language": "en",
        "countries": ["United States of America"],
        "keywords": ["simulation"],
        "budget": 63000000,
        "revenue": None,
        "poster_url": "https://image.tmdb.org/t/p/w500/p.jpg",
    }


def test_the_cast_is_in_the_order_of_the_credits_and_ends_after_five():
    cast = [person for person in movie_record(DETAILS)["people"] if person["role"] == "cast"]
    assert len(cast) == CAST_KEPT
    assert cast[0] == {"role": "cast", "person_id": 1, "name": "One", "character": "Neo"}
    assert cast[1]["character"] is None


@pytest.mark.parametrize(
    ("field", "value", "column"),
    [
        ("runtime", 0, "runtime_min"),
        ("runtime", None, "runtime_min"),
        ("runtime", "136", "runtime_min"),
        ("budget", -1, "budget"),
        ("budget", True, "budget"),
        ("revenue", 2**70, "revenue"),
        ("popularity", "0.9", "popularity"),
        ("popularity", float("nan"), "popularity"),
        ("popularity", float("inf"), "popularity"),
        ("vote_average", True, "vote_average"),
        ("vote_count", None, "vote_count"),
        ("release_date", "", "release_date"),
        ("release_date", "soon", "year"),
        ("release_date", "tomorrow!!", "year"),
        ("overview", "  ", "overview"),
        ("title", 7, "title"),
        ("poster_path", None, "poster_url"),
        ("poster_path", "javascript:alert(1)", "poster_url"),
        ("id", "603", "tmdb_id"),
    ],
)
def test_what_is_unknown_or_ill_typed_is_none(field, value, column):
    assert movie_record({**DETAILS, field: value})[column] is None


def test_no_votes_are_a_fact_and_not_unknown():
    assert movie_record({**DETAILS, "vote_count": 0, "vote_average": 0})["vote_count"] == 0


def test_the_imdb_id_may_come_from_the_external_ids_only():
    details = {**DETAILS, "imdb_id": "", "external_ids": {"imdb_id": "tt0133093"}}
    assert movie_record(details)["imdb_id"] == "tt0133093"


@pytest.mark.parametrize("value", [None, 7, "text", [None, 7, {}, {"name": ""}, {"name": 7}], {"cast": 7, "crew": {}}])
def test_a_list_that_is_none_is_empty(value):
    names = ("genres", "production_countries", "keywords", "credits")
    record = movie_record({**DETAILS, **dict.fromkeys(names, value)})
    assert [record[name] for name in ("genres", "countries", "keywords", "directors", "cast")] == [[], [], [], [], []]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "cast", "crew", "job", "order", "keywords", "id"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*DETAILS, "external_ids"]), _JSON))
def test_no_json_breaks_a_record_or_its_tables(details):
    record = movie_record(details)
    json.dumps(record, allow_nan=False)
    _stored(record)


def _stored(*records):
    """A database as a store would build it from `TABLES`."""
    database = sqlite3.connect(":memory:")
    for table in TABLES:
        columns = [*(f"{name} {kind}" for name, kind in table.columns.items()), *table.constraints]
        database.execute(f"CREATE TABLE {table.name} ({', '.join(columns)})")
        for index in table.indexes:
            database.execute(f"CREATE INDEX {table.name}_{'_'.join(index)} ON {table.name} ({', '.join(index)})")
    for record in records:
        for name, rows in tables_of(record).items():
            for row in rows:
                database.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
    return database


def test_the_tables_answer_who_made_what():
    other = movie_record({**DETAILS, "id": 604, "title": "The Matrix Reloaded"})
    database = _stored(movie_record(DETAILS), other)
    films = database.execute(
        "SELECT title, character FROM film JOIN film_person USING (tmdb_id)"
        " WHERE name = 'One' AND role = 'cast' ORDER BY tmdb_id"
    )
    assert films.fetchall() == [("The Matrix", "Neo"), ("The Matrix Reloaded", "Neo")]
    directors = database.execute("SELECT position, name FROM film_person WHERE tmdb_id = 603 AND role = 'director'")
    assert directors.fetchall() == [(1, "Lana"), (2, "Lilly")]
    assert database.execute("SELECT count(*) FROM film_genre WHERE name = 'Action'").fetchone() == (2,)


def test_every_list_goes_into_a_table_and_every_other_column_into_the_film():
    record = movie_record(DETAILS)
    tables = tables_of(record)
    assert list(tables) == [table.name for table in TABLES]
    lists = {name for name in COLUMNS if isinstance(record[name], list)}
    assert set(TABLES[0].columns) == set(COLUMNS) - lists
    assert all(table.owner == "tmdb_id" for table in TABLES[1:])


def test_a_record_without_an_id_has_no_rows():
    assert tables_of(movie_record({})) == {}


def test_a_record_that_lost_its_lists_has_its_film_row():
    rows = tables_of({"tmdb_id": 603})
    assert len(rows["film"]) == 1
    assert not any(rows[name] for name in rows if name != "film")
