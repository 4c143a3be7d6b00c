"""The store against real SQLite files: what is committed stays, what is not was never there."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peewee import SchemaManager, SqliteDatabase

from enricher.errors import JobBusy, StoreError
from enricher.model import (
    Candidate,
    Effort,
    ExportRow,
    Item,
    Learnt,
    Outcome,
    Pipeline,
    Remembered,
    Row,
    Skipped,
    Table,
)
from enricher.store import Store, StoredAnswer, Writer, declared, schema
from enricher.store import store as store_module
from enricher.store.database import Database
from enricher.store.text import dumps, loads

NOON = 1_700_000_000.0
PLAIN = Pipeline(name="plain", recipe=None, columns=("id",))


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "films.db"


@pytest.fixture
def store(path, clock):
    with Store(path, clock=clock) as store:
        yield store


def row(title, line=2, source="films.csv", **more):
    return Row(source, line, {"Name": title, **more}, Item(title.casefold(), {"title": title}))


def films(count):
    return (row(f"Film {number:05}", number + 2) for number in range(count))


def load(store, rows=(), fingerprint="f"):
    return store.open_job("movies", fingerprint, "films.csv", {"language": "en"}, rows)


def enriched(item, **more):
    return Outcome(item, "enriched", record={"id": item.key}, score=100.0, attempts=1, **more)


def keys(items):
    return [item.key for item in items]


def sound(path):
    """What SQLite itself says of the file."""
    database = sqlite3.connect(path)
    try:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        database.close()


def query(path, sql, *values):
    database = sqlite3.connect(path)
    try:
        with database:
            return database.execute(sql, values).fetchall()
    finally:
        database.close()


# ── loading a list ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_job_holds_its_rows_in_order(store):
    job = load(store, [row("Heat", 2), row("Ran", 3, Year="1985"), row("Heat", 4)])
    assert not job.resumed
    assert (job.name, job.options, job.state) == ("films.csv", {"language": "en"}, "open")
    assert list(store.export_rows(job.id)) == [
        ExportRow("films.csv", 2, {"Name": "Heat"}, "pending", error="not asked yet", key="heat"),
        ExportRow("films.csv", 3, {"Name": "Ran", "Year": "1985"}, "pending", error="not asked yet", key="ran"),
        ExportRow("films.csv", 4, {"Name": "Heat"}, "pending", error="not asked yet", key="heat"),
    ]


def test_rows_with_one_key_share_one_item(store):
    job = load(store, [row("Heat"), row("HEAT", 3)])
    assert list(store.todo(job.id)) == [Item("heat", {"title": "Heat"})]
    store.commit(job.id, [enriched(Item("heat"))], PLAIN)
    assert [each.status for each in store.export_rows(job.id)] == ["enriched", "enriched"]


def test_a_known_fingerprint_resumes_without_touching_the_rows(store):
    def untouchable():
        raise AssertionError("the rows were read again")
        yield

    first = load(store, films(3))
    again = load(store, untouchable())
    assert again == replace(first, resumed=True)
    assert again.resumed


def test_a_row_without_an_item_is_failed_with_its_reason(store):
    job = load(store, [row("Heat"), Row("films.csv", 3, {"Name": ""}, None, "no title")])
    assert list(store.export_rows(job.id))[1] == ExportRow("films.csv", 3, {"Name": ""}, "failed", error="no title")
    counts = store.counts(job.id)
    assert (counts.rows, counts.items, counts.rows_without_item) == (2, 1, 1)
    assert counts.rows_by_status == {"pending": 1, "failed": 1}


def test_skipped_text_is_named_and_never_exported(store):
    skipped = Skipped("films.csv", 1, "a merge marker")
    job = load(store, [skipped, row("Heat")])
    assert store.skipped(job.id) == [skipped]
    assert store.counts(job.id).skipped == 1
    assert len(list(store.export_rows(job.id))) == 1


def test_columns_are_the_union_in_the_order_they_were_met(store):
    job = load(store, [row("Heat", Year="1995"), row("Ran", source="more.csv", Rating="5"), row("Up", Mood="good")])
    assert store.columns(job.id) == ["Name", "Year", "Mood", "Rating"]
    assert store.sources(job.id) == ["films.csv", "more.csv"]
    assert [each.source for each in store.export_rows(job.id)] == ["films.csv", "more.csv", "films.csv"]


def test_an_error_of_the_rows_goes_through_and_leaves_no_job(store):
    def broken():
        yield from films(1_200)
        raise LookupError("line 1,202 is cut off")

    with pytest.raises(LookupError, match="cut off"):
        load(store, broken())
    assert store.jobs() == []
    assert not load(store, films(2)).resumed


def test_no_row_is_lost_where_rows_are_so_long_that_a_page_holds_few(store, monkeypatch):
    monkeypatch.setattr("enricher.store.store.MOST_PAGE_CHARS", 200)
    job = load(store, films(40))
    assert [each.line for each in store.export_rows(job.id)] == list(range(2, 42))


def test_an_empty_list_is_a_job_with_nothing_to_do(store):
    job = load(store)
    assert (list(store.todo(job.id)), store.columns(job.id), store.counts(job.id).rows) == ([], [], 0)


@pytest.mark.parametrize("count", [499, 500, 501, 1_001])
def test_no_row_is_lost_at_the_edge_of_a_page(store, count):
    job = load(store, films(count))
    assert [each.line for each in store.export_rows(job.id)] == list(range(2, count + 2))
    assert len(set(keys(store.todo(job.id)))) == count


@settings(max_examples=60, deadline=None)
@given(
    cells=st.dictionaries(
        st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"])),
        st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"])),
    )
)
def test_cells_come_back_as_they_went_in(tmp_path_factory, cells):
    """Whatever a file holds: NUL, quotes, half a surrogate pair, any script."""
    with Store(tmp_path_factory.mktemp("cells") / "a.db") as store:
        job = load(store, [Row("films.csv", 2, cells, Item("k", cells))])
        (exported,) = store.export_rows(job.id)
        (item,) = store.todo(job.id)
        assert (exported.cells, list(exported.cells)) == (cells, list(cells))
        assert item.fields == cells


def test_half_a_surrogate_pair_in_a_key_still_finds_its_item(store):
    job = load(store, [Row("a\udc80.csv", 2, {"N": "x"}, Item("k\udc80"), None), Row("b", 3, {}, None, "bad \udc80")])
    (item,) = store.todo(job.id)
    store.commit(job.id, [Outcome(Item("k\udc80"), "failed", error="no \udc80")], PLAIN)
    assert item.key == "k\ufffd"
    assert [each.error for each in store.export_rows(job.id)] == ["no \ufffd", "bad \ufffd"]


# ── what is to be done ──────────────────────────────────────────────────────────────────────────────────────────────


def test_todo_is_what_no_run_has_finished(store):
    job = load(store, films(6))
    items = list(store.todo(job.id))
    states = ["enriched", "not_found", "unsure", "failed", "deferred"]
    store.commit(job.id, [Outcome(item, state) for item, state in zip(items, states, strict=False)], PLAIN)
    assert keys(store.todo(job.id)) == keys(items[3:])


def test_an_item_that_fails_during_a_run_is_not_met_again_in_it(store):
    job = load(store, films(7))
    met = []
    for item in store.todo(job.id, page=2):
        met.append(item.key)
        store.commit(job.id, [Outcome(item, "failed", error="503")], PLAIN)
    assert met == keys(store.todo(job.id))
    assert len(met) == 7


def test_todo_holds_no_read_transaction_between_pages(store, path):
    """A reader that stays would keep the -wal file growing for as long as a job runs."""
    job = load(store, films(20))
    flow = store.todo(job.id, page=5)
    next(flow)
    store.commit(job.id, [enriched(Item("film 00000"))], PLAIN)
    (busy, _, _) = query(path, "PRAGMA wal_checkpoint(TRUNCATE)")[0]
    assert busy == 0


@pytest.mark.parametrize("statement", [store_module._TODO, store_module._EXPORT])
def test_a_page_comes_from_an_index_and_is_not_sorted(store, path, statement):
    """Else each page would cost as much as the whole job."""
    plan = query(
        path, "EXPLAIN QUERY PLAN " + statement.replace(":job", "1").replace(":after", "5").replace(":page", "9")
    )
    assert not [step for step in plan if "TEMP B-TREE" in step[3] or "SCAN" in step[3]], plan


def test_reset_forgets_what_became_of_the_items(store):
    job = load(store, films(3))
    store.commit(job.id, [enriched(item) for item in store.todo(job.id)], PLAIN)
    store.set_state(job.id, "done")
    assert store.reset(job.id, ["film 00001", "unheard of"]) == 1
    assert [(each.status, each.record) for each in store.export_rows(job.id)][1] == ("pending", None)
    assert store.reset(job.id) == 3
    assert store.reset(job.id, []) == 0
    assert len(list(store.todo(job.id))) == 3
    assert store.job(job.id).state == "open"


def test_a_decision_adds_to_the_fields_and_asks_again(store):
    job = load(store, [row("Heat")])
    store.commit(
        job.id, [Outcome(Item("heat"), "unsure", candidates=(Candidate("1", "Heat", "1995", 80, "year"),))], PLAIN
    )
    assert store.decide(job.id, "heat", {"id": "949"}) == "decided"
    assert list(store.todo(job.id)) == [Item("heat", {"title": "Heat", "id": "949"})]


def test_the_same_decision_twice_changes_nothing(store):
    job = load(store, [row("Heat")])
    store.decide(job.id, "heat", {"id": "949"})
    store.commit(job.id, [enriched(Item("heat"))], PLAIN)
    assert store.decide(job.id, "heat", {"id": "949"}) == "unchanged"
    assert list(store.todo(job.id)) == []


def test_a_decision_about_no_item_of_the_job_is_said_to_be_unknown(store):
    assert store.decide(load(store, [row("Heat")]).id, "ran", {"id": "1"}) == "unknown"


# ── committing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_of_an_outcome_is_kept(store):
    job = load(store, [row("Heat"), row("Ran")])
    candidate = Candidate("949", "Heat", "1995", 71.5, "another year", "https://example.org/949")
    store.commit(
        job.id,
        [
            enriched(Item("heat"), learnt=(Learnt("k", "search", Remembered(200, b"{}")),)),
            Outcome(
                Item("ran"), "unsure", score=71.5, error="two of them", tries=("503", "200"), candidates=(candidate,)
            ),
        ],
        PLAIN,
    )
    first, second = store.export_rows(job.id)
    assert (first.status, first.score, first.record) == ("enriched", 100.0, {"id": "heat"})
    assert (second.status, second.score, second.error, second.record) == ("unsure", 71.5, "two of them", None)
    (waiting,) = store.unresolved(job.id)
    assert (waiting.item.key, waiting.candidates, waiting.rows) == ("ran", (candidate,), 1)
    assert store.recall("k") == StoredAnswer(Remembered(200, b"{}"), "search", NOON)


def test_a_batch_committed_twice_leaves_the_same_content(store):
    job = load(store, films(3))
    batch = [enriched(item, learnt=(Learnt(item.key, "k", Remembered(200, b"x")),)) for item in store.todo(job.id)]
    store.commit(job.id, batch, PLAIN)
    before = list(store.export_rows(job.id)), store.counts(job.id), store.answer_stats()
    store.commit(job.id, batch, PLAIN)
    assert (list(store.export_rows(job.id)), store.counts(job.id), store.answer_stats()) == before


def test_the_job_sums_the_effort_of_its_runs(store, path, clock):
    job = load(store, films(2))
    effort = Effort(requests=2, hits=1, retries=1, wait_s=0.5, service_s=0.25)
    clock.now += 60
    for _ in range(2):
        store.commit(
            job.id, [enriched(item, effort=effort) for item in (Item("film 00000"), Item("film 00001"))], PLAIN
        )
    job = store.job(job.id)
    assert (job.requests, job.hits, job.retries, job.wait_s, job.service_s) == (8, 4, 4, 2.0, 1.0)
    assert (job.created_at, job.updated_at) == ("2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")
    assert query(path, "SELECT attempts, runs FROM item") == [(2, 2), (2, 2)]


def test_a_record_may_hold_what_json_does_not_know(store):
    """A user's own pipeline returns what it likes; nothing is pickled."""
    job = load(store, [row("Heat")])
    record = {"day": date(1995, 12, 15), "genres": {"b", "a"}, "more": PLAIN.options, "名": "熱"}
    store.commit(job.id, [Outcome(Item("heat"), "enriched", record=record)], PLAIN)
    (exported,) = store.export_rows(job.id)
    assert exported.record == {"day": "1995-12-15", "genres": ["a", "b"], "more": {}, "名": "熱"}


def test_json_columns_can_be_read_by_a_person(store, path):
    load(store, [row("千と千尋の神隠し")])
    assert query(path, "SELECT cells FROM input_row") == [('{"Name":"千と千尋の神隠し"}',)]


def test_a_failing_pipeline_writes_nothing_of_its_batch(store):
    pipeline = replace(PLAIN, tables_of=lambda record: {"undeclared": [(1,)]})
    job = load(store, films(2))
    with pytest.raises(ValueError, match="undeclared"):
        store.commit(job.id, [enriched(item) for item in store.todo(job.id)], pipeline)
    assert store.counts(job.id).items_by_status == {"pending": 2}


def test_a_row_that_breaks_a_rule_of_its_table_undoes_the_batch(store):
    table = Table("strict", {"id": "INTEGER PRIMARY KEY", "title": "TEXT NOT NULL"})
    pipeline = replace(PLAIN, tables=(table,), tables_of=lambda record: {"strict": [(1, None)]})
    store.prepare(pipeline.tables)
    job = load(store, films(1))
    with pytest.raises(StoreError, match="breaks a rule"):
        store.commit(job.id, [enriched(item) for item in store.todo(job.id)], pipeline)
    assert store.counts(job.id).items_by_status == {"pending": 1}


def test_jobs_are_listed_with_their_state(store):
    first, second = load(store, films(1), "a"), load(store, films(1), "b")
    store.set_state(second.id, "stopped")
    assert [(job.id, job.state) for job in store.jobs()] == [(first.id, "open"), (second.id, "stopped")]
    assert store.job(99) is None


def test_unresolved_items_come_in_input_order_with_their_first_row(store):
    job = load(store, [row("Heat"), row("Ran", 3), row("Heat", 4), row("Up", 5), row("Alien", 6)])
    states = {"heat": "not_found", "ran": "unsure", "up": "failed", "alien": "enriched"}
    store.commit(job.id, [Outcome(Item(key), state) for key, state in states.items()], PLAIN)
    found = list(store.unresolved(job.id, page=1))
    assert [(each.item.key, each.status, each.line, each.rows) for each in found] == [
        ("heat", "not_found", 2, 2),
        ("ran", "unsure", 3, 1),
    ]
    assert found[0].cells == {"Name": "Heat"}
    assert [each.item.key for each in store.unresolved(job.id, ["failed", "it's no state"])] == ["up"]


# ── a pipeline's tables ─────────────────────────────────────────────────────────────────────────────────────────────

MOVIE = Table("movie", {"movie_id": "INTEGER PRIMARY KEY", "title": "TEXT"}, indexes=(("title",),))
GENRE = Table(
    "movie_genre",
    {"movie_id": "INTEGER REFERENCES movie", "genre": "TEXT"},
    owner="movie_id",
    constraints=("UNIQUE (movie_id, genre)",),
)
MOVIES = Pipeline(
    name="movies",
    recipe=None,
    columns=("id",),
    tables=(MOVIE, GENRE),
    tables_of=lambda record: {
        "movie": [(record["id"], record["title"])],
        "movie_genre": [(record["id"], genre) for genre in record["genres"]],
    },
)


def movie(key, number, title, *genres):
    return Outcome(Item(key), "enriched", record={"id": number, "title": title, "genres": genres})


def test_a_records_rows_land_in_the_declared_tables(store, path):
    store.prepare(MOVIES.tables)
    job = load(store, films(2))
    store.commit(
        job.id, [movie("film 00000", 1, "Heat", "Crime", "Drama"), Outcome(Item("film 00001"), "failed")], MOVIES
    )
    assert query(path, "SELECT * FROM movie") == [(1, "Heat")]
    assert query(path, "SELECT * FROM movie_genre ORDER BY genre") == [(1, "Crime"), (1, "Drama")]


@pytest.mark.parametrize("genres", [("Western",), ()])
def test_parts_that_are_gone_are_removed(store, path, genres):
    """Even where no part is left: the film's own row names the owner."""
    store.prepare(MOVIES.tables)
    job = load(store, films(1))
    store.commit(job.id, [movie("film 00000", 1, "Heat", "Crime", "Drama")], MOVIES)
    store.commit(job.id, [movie("film 00000", 1, "Heat 2", *genres)], MOVIES)
    assert query(path, "SELECT * FROM movie") == [(1, "Heat 2")]
    assert query(path, "SELECT genre FROM movie_genre") == [(genre,) for genre in genres]


def test_of_two_records_about_one_owner_in_a_batch_the_later_stands(store, path):
    store.prepare(MOVIES.tables)
    job = load(store, films(2))
    store.commit(job.id, [movie("film 00000", 1, "Heat", "Crime"), movie("film 00001", 1, "Heat!", "Drama")], MOVIES)
    assert query(path, "SELECT title, genre FROM movie NATURAL JOIN movie_genre") == [("Heat!", "Drama")]


def test_a_newer_pipeline_adds_its_columns(store, path):
    store.prepare(MOVIES.tables)
    load(store, films(1))
    wider = replace(MOVIE, columns={**MOVIE.columns, "year": "INTEGER"})
    store.prepare([wider])
    store.prepare([wider])
    assert [name for _, name, *_ in query(path, "PRAGMA table_info(movie)")] == ["movie_id", "title", "year"]


def test_a_column_that_sqlite_cannot_add_is_refused_in_one_line(store):
    store.prepare(MOVIES.tables)
    with pytest.raises(StoreError, match="lacks the column imdb"):
        store.prepare([replace(MOVIE, columns={**MOVIE.columns, "imdb": "TEXT UNIQUE"})])


@pytest.mark.parametrize(
    "table",
    [
        Table("item", {"id": "INTEGER"}),
        Table("SQLITE_x", {"id": "INTEGER"}),
        Table("part", {"id": "INTEGER"}, owner="whole"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_an_error_of_the_pipeline(store, table):
    with pytest.raises(ValueError, match=r"table|owner"):
        store.prepare([table])


def test_a_table_that_no_record_mentions_is_left_alone():
    pipeline = replace(MOVIES, tables_of=lambda record: {"movie": []})
    assert declared.gather(pipeline, [{}]) == []


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def remember(store, job, key, body, missing=False):
    learnt = Learnt(key, "search", Remembered(404 if missing else 200, body, missing))
    store.commit(job.id, [enriched(Item("film 00000"), learnt=(learnt,))], PLAIN)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"a" * 100_000, bytes(range(256)) * 3, os.urandom(600)],
    ids=["empty", "small", "dull", "bytes", "noise"],
)
def test_an_answer_is_recalled_byte_for_byte(store, body):
    remember(store, load(store, films(1)), "k", body, missing=True)
    assert store.recall("k").remembered == Remembered(404, body, missing=True)


@pytest.mark.parametrize("headers", [{}, {"etag": '"7"', "location": "/caf\u00e9\udc80"}], ids=["none", "some"])
def test_an_answer_keeps_its_headers(store, path, headers):
    store.remember([Learnt("k", "page", Remembered(200, b"x", headers=headers))])
    assert store.recall("k").remembered == Remembered(200, b"x", headers=headers)
    assert query(path, "SELECT headers IS NULL FROM answer") == [(not headers,)]


def test_answers_are_remembered_outside_of_any_job(store, clock):
    """And found at once, although the store had none a moment ago."""
    assert store.recall("b") is None
    store.remember([])
    store.remember([Learnt(key, "feed", Remembered(200, key.encode())) for key in "ab"])
    assert store.recall("b") == StoredAnswer(Remembered(200, b"b"), "feed", NOON)
    assert store.answer_stats().by_kind == {"feed": 2}


def test_of_answers_remembered_together_all_are_kept_or_none(store):
    with store._database.writing() as database:
        database.raw.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="disk is full"):
        store.remember([Learnt(key, "feed", Remembered(200, os.urandom(100_000))) for key in "ab"])
    assert store.answer_stats().answers == 0


def test_what_was_never_learnt_is_not_recalled(store):
    assert store.recall("k") is None


def test_a_long_answer_takes_less_room_than_it_has_bytes(store, path):
    remember(store, load(store, films(1)), "k", b'{"title": "Heat"}' * 1_000)
    ((encoding, size, length),) = query(path, "SELECT encoding, size, length(body) FROM answer")
    assert (encoding, size) == ("zlib", length)
    assert size < 1_700


def test_a_newer_answer_replaces_the_older(store, clock):
    job = load(store, films(1))
    remember(store, job, "k", b"old")
    clock.now += 5
    remember(store, job, "k", b"new")
    assert store.recall("k") == StoredAnswer(Remembered(200, b"new"), "search", NOON + 5)
    assert store.answer_stats().answers == 1


def test_pruning_forgets_the_oldest_answers_first(store, clock):
    job = load(store, films(1))
    for number in range(5):
        remember(store, job, f"k{number}", b"x" * 100)
        clock.now += 10
    assert store.prune_answers(300) == 2
    assert [store.recall(f"k{number}") is None for number in range(5)] == [True, True, False, False, False]
    assert store.prune_answers(older_than_s=25) == 1
    assert store.prune_answers() == 0
    stats = store.answer_stats()
    assert (stats.answers, stats.stored_bytes, stats.by_kind) == (2, 200, {"search": 2})
    assert (stats.oldest_at, stats.newest_at) == (NOON + 30, NOON + 40)


def test_an_empty_memory_has_stats_too(store):
    stats = store.answer_stats()
    assert (stats.answers, stats.stored_bytes, stats.oldest_at, stats.newest_at) == (0, 0, None, None)


def test_clearing_forgets_every_answer_and_no_job(store):
    job = load(store, films(1))
    remember(store, job, "k", b"x")
    assert store.clear_answers() == 1
    assert store.recall("k") is None
    assert store.counts(job.id).items_by_status == {"enriched": 1}


def test_answers_stay_within_the_bound_without_being_asked(path, clock):
    with Store(path, clock=clock, max_answer_bytes=1_000) as store:
        job = load(store, films(1))
        for number in range(store_module.COMMITS_BETWEEN_PRUNES):
            remember(store, job, f"k{number}", b"x" * 100)
            clock.now += 1
        assert store.answer_stats().stored_bytes == 1_000
        assert store.recall(f"k{number}") is not None


def test_many_threads_recall_at_once_and_their_connections_do_not_pile_up(store):
    job = load(store, films(1))
    for number in range(50):
        remember(store, job, f"k{number}", str(number).encode())
    wrong = []

    def reader():
        bodies = [store.recall(f"k{number}").remembered.body for number in range(50)]
        wrong.extend(body for number, body in enumerate(bodies) if body != str(number).encode())

    for _ in range(5):
        threads = [threading.Thread(target=reader) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert len(store._database._idle) <= 4


# ── the writer ──────────────────────────────────────────────────────────────────────────────────────────────────────

HOUR_S = 3_600.0


def outcomes(count):
    return [Outcome(Item(str(number)), "enriched") for number in range(count)]


def test_the_writer_commits_in_the_order_it_was_handed(store):
    job = load(store, films(250))
    told = []
    with Writer(lambda batch: store.commit(job.id, batch, PLAIN), on_committed=told.extend) as writer:
        for item in store.todo(job.id):
            writer.put(enriched(item))
    assert keys(outcome.item for outcome in told) == [each.item.key for each in films(250)]
    assert store.counts(job.id).items_by_status == {"enriched": 250}


def test_a_full_batch_does_not_wait_for_its_time():
    committed = threading.Event()
    writer = Writer(lambda batch: committed.set(), batch_size=3, linger_s=HOUR_S)
    for outcome in outcomes(3):
        writer.put(outcome)
    assert committed.wait(30)
    writer.close()


def test_a_lonely_outcome_is_committed_when_its_time_is_up():
    committed = threading.Event()
    writer = Writer(lambda batch: committed.set(), batch_size=1_000, linger_s=0.01)
    writer.put(outcomes(1)[0])
    assert committed.wait(30)
    writer.close()


def test_no_batch_is_larger_than_asked_for():
    sizes, gate = [], threading.Event()

    def commit(batch):
        gate.wait(30)
        sizes.append(len(batch))

    with Writer(commit, batch_size=4, linger_s=HOUR_S) as writer:
        for outcome in outcomes(11):
            writer.put(outcome)
        gate.set()
    assert sum(sizes) == 11
    assert max(sizes) == 4


def test_a_batch_is_reported_only_after_its_commit():
    story = []
    with Writer(
        lambda batch: story.append("commit"), on_committed=lambda batch: story.append("report"), batch_size=1
    ) as writer:
        for outcome in outcomes(3):
            writer.put(outcome)
    assert story == ["commit", "report"] * 3


def test_a_failing_commit_reaches_the_producer_and_the_closer():
    failure = StoreError("the disk is full")
    failed = threading.Event()

    def commit(batch):
        failed.set()
        raise failure

    writer = Writer(commit, batch_size=1)
    writer.put(outcomes(1)[0])
    assert failed.wait(30)
    writer._thread.join()
    for act in (lambda: writer.put(outcomes(1)[0]), lambda: writer.offer(outcomes(1)[0]), writer.close, writer.close):
        with pytest.raises(StoreError, match="disk is full"):
            act()


def test_a_failing_commit_wakes_a_producer_that_waits_for_room():
    entered, fail = threading.Event(), threading.Event()

    def commit(batch):
        entered.set()
        fail.wait(30)
        raise StoreError("the disk is full")

    writer = Writer(commit, batch_size=1, most_waiting=1)
    writer.put(outcomes(1)[0])
    assert entered.wait(30)
    writer.put(outcomes(1)[0])
    raised = []

    def producer():
        try:
            writer.put(outcomes(1)[0])
        except StoreError as error:
            raised.append(error)

    thread = threading.Thread(target=producer)
    thread.start()
    fail.set()
    thread.join()
    assert len(raised) == 1
    with pytest.raises(StoreError):
        writer.close()


def test_a_failing_report_is_not_lost_either():
    def report(batch):
        raise LookupError("nobody listens")

    writer = Writer(lambda batch: None, on_committed=report)
    writer.put(outcomes(1)[0])
    with pytest.raises(LookupError):
        writer.close()


def test_a_failure_of_the_body_is_not_hidden_by_the_writers():
    def commit(batch):
        raise StoreError("the disk is full")

    with pytest.raises(LookupError), Writer(commit) as writer:  # noqa: PT012 - both must happen inside
        writer.put(outcomes(1)[0])
        raise LookupError("the body's own")


def test_a_failure_of_the_last_batch_comes_out_of_the_with():
    def commit(batch):
        raise StoreError("the disk is full")

    with pytest.raises(StoreError), Writer(commit) as writer:
        writer.put(outcomes(1)[0])


def test_an_offer_is_declined_while_there_is_no_room():
    entered, go = threading.Event(), threading.Event()

    def commit(batch):
        entered.set()
        go.wait(30)

    writer = Writer(commit, batch_size=1, most_waiting=2)
    first, second, third, fourth = outcomes(4)
    assert writer.offer(first)
    assert entered.wait(30)
    assert writer.offer(second)
    assert writer.offer(third)
    assert not writer.offer(fourth)
    go.set()
    writer.close()


def test_a_closed_writer_takes_nothing():
    writer = Writer(lambda batch: None)
    writer.close()
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.put(outcomes(1)[0])


# ── the lock of a job ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_run_by_one_at_a_time_even_in_one_process(store):
    job = load(store, films(1))
    with store.lock_job(job.id):
        with (
            pytest.raises(JobBusy, match=f"job {job.id} is being run by process {os.getpid()}"),
            store.lock_job(job.id),
        ):
            pass
        with store.lock_job(job.id + 1):
            pass
    with store.lock_job(job.id):
        pass


def test_a_busy_job_names_a_process_only_if_it_is_known(store):
    job = load(store, films(1))
    with store.lock_job(job.id):
        query(store.path, "UPDATE job SET pid = NULL")
        with pytest.raises(JobBusy, match="by another process"), store.lock_job(job.id):
            pass


def test_a_lock_that_cannot_be_written_is_told_in_one_line(store):
    job = load(store, films(1))
    store.path.with_name(f"{store.path.name}.job-{job.id}.lock").mkdir()
    with pytest.raises(StoreError, match="lock file can't be written"), store.lock_job(job.id):
        pass


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(path, **more):
    with pytest.raises(StoreError) as caught:
        Store(path, **more)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"Name,Year\nHeat,1995\n")
    assert "not a SQLite database" in refused(path)
    assert path.read_bytes() == b"Name,Year\nHeat,1995\n"


def test_a_damaged_file_is_refused_in_one_line(path):
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4_096)
    assert "not a SQLite database" in refused(path)


def test_a_folder_is_refused(tmp_path):
    assert "this is a folder" in refused(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    assert "does not exist" in refused(tmp_path / "nowhere" / "films.db")


def test_a_place_where_nothing_can_be_created_is_refused():
    assert "can't be opened or created" in refused(Path("/proc/enricher.db"))


def test_a_file_that_cannot_be_looked_at_is_refused(tmp_path):
    """A name longer than a file system takes stands for all that `stat` and `open` may answer."""
    assert "can't be opened" in refused(tmp_path / ("x" * 300))


def test_another_programs_database_is_refused_and_not_changed(path):
    query(path, "CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    assert "belongs to another program" in refused(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_an_empty_database_of_another_program_is_refused(path):
    query(path, "PRAGMA application_id = 7")
    assert "belongs to another program" in refused(path)


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    Store(path).close()
    assert query(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]


def test_a_newer_file_is_refused_with_both_versions(path):
    Store(path).close()
    query(path, "PRAGMA user_version = 99")
    message = refused(path)
    assert "version 99" in message
    assert f"up to {schema.version()}" in message
    assert "upgrade" in message


def test_an_older_file_is_taken_forward_step_by_step(path):
    """The content stays, each step runs once, and an older program then refuses the file."""
    with Store(path) as store:
        load(store, films(3))
    ran = []

    def add_colour(database):
        ran.append("colour")
        database.execute_sql("ALTER TABLE item ADD COLUMN colour TEXT")

    def paint(database):
        ran.append("paint")
        database.execute_sql("UPDATE item SET colour = 'grey'")

    for _ in range(2):
        Database(path, steps=(*schema.STEPS, add_colour, paint)).close()
    assert ran == ["colour", "paint"]
    assert query(path, "SELECT DISTINCT colour FROM item") == [("grey",)]
    assert query(path, "PRAGMA user_version") == [(schema.version() + 2,)]
    assert "upgrade" in refused(path)


VERSION_1 = """
    CREATE TABLE "job" ("id" INTEGER NOT NULL PRIMARY KEY, "pipeline" TEXT NOT NULL, "fingerprint" TEXT NOT NULL,
        "name" TEXT NOT NULL, "options" TEXT NOT NULL, "state" TEXT NOT NULL, "created_at" TEXT NOT NULL,
        "updated_at" TEXT NOT NULL, "requests" INTEGER NOT NULL DEFAULT 0, "hits" INTEGER NOT NULL DEFAULT 0,
        "retries" INTEGER NOT NULL DEFAULT 0, "wait_s" REAL NOT NULL DEFAULT 0,
        "service_s" REAL NOT NULL DEFAULT 0, "pid" INTEGER);
    CREATE UNIQUE INDEX "job_fingerprint" ON "job" ("fingerprint");
    CREATE TABLE "source" ("job_id" INTEGER NOT NULL, "position" INTEGER NOT NULL, "name" TEXT NOT NULL,
        "columns" TEXT NOT NULL, PRIMARY KEY ("job_id", "position"),
        FOREIGN KEY ("job_id") REFERENCES "job" ("id") ON DELETE CASCADE) WITHOUT ROWID;
    CREATE TABLE "item" ("id" INTEGER NOT NULL PRIMARY KEY, "job_id" INTEGER NOT NULL, "key" TEXT NOT NULL,
        "position" INTEGER NOT NULL, "fields" TEXT NOT NULL, "state" TEXT NOT NULL DEFAULT 'pending',
        "attempts" INTEGER NOT NULL DEFAULT 0, "runs" INTEGER NOT NULL DEFAULT 0, "error" TEXT, "score" REAL,
        "record" TEXT, "candidates" TEXT, "tries" TEXT, "updated_at" TEXT NOT NULL,
        FOREIGN KEY ("job_id") REFERENCES "job" ("id") ON DELETE CASCADE);
    CREATE UNIQUE INDEX "item_job_id_key" ON "item" ("job_id", "key");
    CREATE INDEX "item_job_id_state_position" ON "item" ("job_id", "state", "position");
    CREATE TABLE "input_row" ("job_id" INTEGER NOT NULL, "position" INTEGER NOT NULL,
        "source_position" INTEGER NOT NULL, "line" INTEGER NOT NULL, "item_id" INTEGER, "cells" TEXT NOT NULL,
        "error" TEXT, PRIMARY KEY ("job_id", "position"),
        FOREIGN KEY ("job_id") REFERENCES "job" ("id") ON DELETE CASCADE,
        FOREIGN KEY ("item_id") REFERENCES "item" ("id") ON DELETE CASCADE) WITHOUT ROWID;
    CREATE INDEX "inputrow_item_id" ON "input_row" ("item_id");
    CREATE TABLE "skipped" ("id" INTEGER NOT NULL PRIMARY KEY, "job_id" INTEGER NOT NULL, "source" TEXT NOT NULL,
        "line" INTEGER NOT NULL, "reason" TEXT NOT NULL,
        FOREIGN KEY ("job_id") REFERENCES "job" ("id") ON DELETE CASCADE);
    CREATE INDEX "skippedtext_job_id" ON "skipped" ("job_id");
    CREATE TABLE "answer" ("key" TEXT NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL, "status" INTEGER NOT NULL,
        "missing" INTEGER NOT NULL, "body" BLOB NOT NULL, "encoding" TEXT NOT NULL, "size" INTEGER NOT NULL,
        "stored_at" REAL NOT NULL);
    CREATE INDEX "answer_stored_at_size" ON "answer" ("stored_at", "size");
    PRAGMA application_id = 1701737059;
    PRAGMA user_version = 1;
    PRAGMA journal_mode = wal;

    INSERT INTO job (pipeline, fingerprint, name, options, state, created_at, updated_at)
        VALUES ('movies', 'f', 'films.csv', '{"language":"en"}', 'stopped', '', '');
    INSERT INTO source VALUES (1, 0, 'films.csv', '["Name"]');
    INSERT INTO item (job_id, key, position, fields, updated_at) VALUES (1, 'heat', 0, '{"title":"Heat"}', '');
    INSERT INTO input_row VALUES (1, 0, 0, 2, 1, '{"Name":"Heat"}', NULL);
    INSERT INTO answer VALUES ('k', 'search', 200, 0, x'7b7d', 'raw', 2, 1700000000.0);
    """


def shape(path):
    """What the tables of a file are, however the statements that made them were written."""
    tables = {}
    for _, name, kind, _, without_rowid, strict in query(path, "PRAGMA table_list"):
        if kind == "table" and not name.startswith("sqlite_"):
            indexes = query(path, f"PRAGMA index_list({name})")
            tables[name] = (
                (without_rowid, strict),
                query(path, f"PRAGMA table_xinfo({name})"),
                sorted(each[2:] for each in query(path, f"PRAGMA foreign_key_list({name})")),
                sorted((each[1:], tuple(query(path, f"PRAGMA index_xinfo({each[1]})"))) for each in indexes),
            )
    return tables


def test_a_file_of_version_1_is_taken_forward_with_all_that_is_in_it(path, tmp_path):
    """Made by the statements of the first release, word for word; it ends up as a new file begins."""
    old = sqlite3.connect(path)
    old.executescript(VERSION_1)
    old.close()
    with Store(path) as store:
        job = load(store)
        assert job.resumed
        assert list(store.todo(job.id)) == [Item("heat", {"title": "Heat"})]
        assert store.recall("k") == StoredAnswer(Remembered(200, b"{}"), "search", NOON)
        assert store.ledger.spent(job.id).calls == 0
        assert store.batches.open(job.id) == []
    Store(tmp_path / "new.db").close()
    assert shape(path) == shape(tmp_path / "new.db")
    assert (
        query(path, "PRAGMA user_version") == query(tmp_path / "new.db", "PRAGMA user_version") == [(schema.version(),)]
    )


def test_the_models_are_the_tables(path, tmp_path):
    """A new file is made by plain statements, because peewee takes longer to build them than SQLite to run them."""
    Store(path).close()
    modelled = SqliteDatabase(tmp_path / "modelled.db")
    for table in schema.TABLES:
        SchemaManager(table, modelled).create_all()
    modelled.close()
    assert shape(path) == shape(tmp_path / "modelled.db")
    assert {table._meta.table_name for table in schema.TABLES} == schema.TABLE_NAMES


def test_a_step_that_fails_leaves_the_file_as_it_was(path):
    Store(path).close()

    def broken(database):
        database.execute_sql("ALTER TABLE item ADD COLUMN colour TEXT")
        database.execute_sql("ALTER TABLE nothing ADD COLUMN colour TEXT")

    with pytest.raises(StoreError):
        Database(path, steps=(*schema.STEPS, broken))
    assert query(path, "PRAGMA user_version") == [(schema.version(),)]
    Store(path).close()


def test_the_pragmas_are_set_on_every_connection(store):
    with store._database.reading() as reader, store._database.writing() as writer:
        for connection in (reader, writer):
            found = [
                connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert found == ["wal", 1, 1, 30_000]


def test_a_reader_cannot_write(store):
    with pytest.raises(StoreError, match="can't be written"), store._database.reading() as reader:
        reader.raw.execute("DELETE FROM job")


def test_a_closed_store_says_so(path):
    store = Store(path)
    store.close()
    store.close()
    for act in (store.jobs, lambda: store.recall("k"), store.clear_answers):
        with pytest.raises(StoreError, match="the store is closed"):
            act()


def test_a_reader_that_outlives_the_store_closes_its_own_connection(path):
    store = Store(path)
    with store._database.reading():
        store.close()
    assert store._database._idle == []


def test_nothing_stays_beside_a_closed_store(path):
    with Store(path) as store:
        load(store, films(10))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_database_locked_by_another_program_is_told_after_the_busy_timeout(path):
    with Store(path, busy_timeout_ms=1) as store:
        job = load(store, films(1))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.commit(job.id, [enriched(Item("film 00000"))], PLAIN)
        assert store.counts(job.id).items_by_status == {"pending": 1}
        other.close()
        store.commit(job.id, [enriched(Item("film 00000"))], PLAIN)


def test_a_new_file_held_by_another_program_is_told_after_the_busy_timeout(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert "locked" in refused(path, busy_timeout_ms=1)
    other.close()


def test_opening_waits_for_another_program_that_reads_the_new_file(path):
    """SQLite refuses `journal_mode=wal` at once while somebody reads, whatever the busy timeout says."""
    query(path, f"PRAGMA application_id = {schema.APPLICATION_ID}")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM sqlite_master").fetchall()
    assert "locked" in refused(path, busy_timeout_ms=20)
    other.close()
    Store(path, busy_timeout_ms=20).close()


def test_recalling_from_a_broken_file_is_told_in_one_line(store):
    remember(store, load(store, films(1)), "k", b"x")
    with store._database.writing() as database:
        database.raw.execute("DROP TABLE answer")
    with pytest.raises(StoreError, match="result code 1"):
        store.recall("k")


def test_an_answer_of_another_process_is_found_in_a_store_that_had_none(store, path):
    """A store that is empty is not asked each time; what others learn meanwhile is seen soon all the same."""
    assert store.recall("k") is None
    store._answers._look_again_at = 0.0
    with Store(path) as other:
        remember(other, load(other, films(1)), "k", b"x")
    assert store.recall("k").remembered.body == b"x"


def test_ten_threads_that_recall_from_an_empty_store_open_no_connections(store):
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(store.recall, map(str, range(100)))) == [None] * 100
    assert len(store._database._idle) == 1


def test_a_full_disk_is_told_in_our_words_and_keeps_what_was_committed(store):
    """Full for real, to SQLite: the file may not grow."""
    job = load(store, films(2))
    remember(store, job, "kept", b"x")
    with store._database.writing() as database:
        database.raw.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="free some space") as caught:
        remember(store, job, "lost", os.urandom(200_000))
    assert "database or disk is full" not in str(caught.value)
    assert store.recall("lost") is None
    assert store.recall("kept") is not None
    assert store.counts(job.id).items_by_status == {"enriched": 1, "pending": 1}


def test_a_failure_without_a_code_is_told_too(store):
    """A row of the wrong length, from a pipeline: Python's sqlite3 refuses it, SQLite never saw it."""
    store.prepare([MOVIE])
    pipeline = replace(MOVIES, tables_of=lambda record: {"movie": [(1, "Heat", "too much")]})
    job = load(store, films(1))
    with pytest.raises(StoreError, match="refused a statement"):
        store.commit(job.id, [enriched(Item("film 00000"))], pipeline)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_json_columns_bring_back_what_they_were_given(value):
    assert loads(dumps(value)) == value
    dumps(value).encode()


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def child(script, *arguments):
    """Another Python that runs `script`, to talk with line by line."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


COMMITTING = """
import sys
from enricher.model import Item, Learnt, Outcome, Pipeline, Remembered, Row
from enricher.store import Store
plain = Pipeline(name="plain", recipe=None, columns=())
store = Store(sys.argv[1])
rows = (Row("films.csv", n, {"Name": str(n)}, Item(str(n))) for n in range(20_000))
job = store.open_job("movies", "f", "films.csv", {}, rows)
batch = []
for item in store.todo(job.id):
    body = (item.key * 500).encode()
    batch.append(Outcome(item, "enriched", record={"id": item.key}, learnt=(Learnt(item.key, "k", Remembered(200, body)),)))
    if len(batch) == 20:
        store.commit(job.id, batch, plain)
        print(" ".join(outcome.item.key for outcome in batch), flush=True)
        batch = []
"""


def test_nothing_committed_is_lost_to_kill_9(path):
    """Killed again and again in the middle of commits; every batch that was reported is there, whole."""
    reported = []
    for lines in (1, 3, 8, 2, 13, 5):
        process = child(COMMITTING, path)
        for _ in range(lines):
            reported += process.stdout.readline().split()
        kill(process)
    assert len(set(reported)) == len(reported) == 32 * 20  # a resumed job asks for nothing twice
    with Store(path) as store:
        done = {each.cells["Name"]: each for each in store.export_rows(1) if each.status == "enriched"}
        for key in reported:
            assert done[key].record == {"id": key}
            assert store.recall(key).remembered.body == (key * 500).encode()
        assert len(done) % 20 == 0  # no batch is there in part
        assert len(store.jobs()) == 1
    assert sound(path)


LOADING = """
import sys
from enricher.model import Item, Row
from enricher.store import Store
def rows():
    for n in range(10_000):
        yield Row("films.csv", n, {"Name": "x" * 500}, Item(str(n)))
    print("loading", flush=True)
    sys.stdin.readline()
with Store(sys.argv[1]) as store:
    job = store.open_job("movies", "f", "films.csv", {}, rows())
    print("resumed" if job.resumed else "loaded", store.counts(job.id).rows, flush=True)
"""


def test_a_list_half_loaded_leaves_nothing_behind_kill_9(path):
    process = child(LOADING, path)
    assert process.stdout.readline() == "loading\n"
    kill(process)
    with Store(path) as store:
        assert store.jobs() == []
        assert not load(store, films(3)).resumed
    assert sound(path)


def test_of_two_processes_with_one_new_job_one_loads_and_the_other_resumes(path):
    """The second waits for the first one's transaction, and then finds the job."""
    first = child(LOADING, path)
    assert first.stdout.readline() == "loading\n"
    second = child(LOADING, path)
    assert first.communicate("go on\n")[0] == "loaded 10000\n"
    assert second.communicate("go on\n")[0] == "resumed 10000\n"


OPENING = """
import sys
from enricher.store import Store
print("ready", flush=True)
sys.stdin.readline()
with Store(sys.argv[1]) as store:
    print(len(store.jobs()), flush=True)
"""


def test_processes_that_make_one_new_file_at_once_do_not_quarrel(path):
    children = [child(OPENING, path) for _ in range(6)]
    for process in children:
        assert process.stdout.readline() == "ready\n"
    for process in children:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in children] == ["0\n"] * 6
    assert sound(path)


LOCKING = """
import sys
from enricher.store import Store
store = Store(sys.argv[1])
with store.lock_job(1):
    print("locked", flush=True)
    sys.stdin.readline()
"""


def test_a_jobs_lock_names_its_holder_and_dies_with_it(store, path):
    job = load(store, films(1))
    process = child(LOCKING, path)
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(JobBusy, match=f"by process {process.pid}"), store.lock_job(job.id):
        pass
    kill(process)
    with store.lock_job(job.id):
        pass


def test_a_store_is_open_to_other_tools_while_it_works(store, path):
    """Names that a person with a database browser expects."""
    job = load(store, [row("Heat")])
    store.commit(job.id, [enriched(Item("heat"))], PLAIN)
    joined = """
        SELECT job.name, source.name, input_row.line, item.key, item.state, item.record FROM input_row
        JOIN item ON item.id = input_row.item_id JOIN job ON job.id = input_row.job_id
        JOIN source ON source.job_id = job.id AND source.position = input_row.source_position"""
    assert query(path, joined) == [
        ("films.csv", "films.csv", 2, "heat", "enriched", json.dumps({"id": "heat"}, separators=(",", ":")))
    ]
    names = {name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names - {"sqlite_sequence"} == schema.TABLE_NAMES


def test_half_a_surrogate_pair_of_one_record_costs_no_other(store, path):
    """JSON may hold one, UTF-8 can't: it must not stop the batch that it is in."""
    store.prepare([MOVIE, GENRE])
    job = load(store, films(2))
    odd = Outcome(Item("film 00000"), "enriched", record={"id": 1, "title": "a\ud800b", "genres": ["x\udfff"]})
    good = Outcome(Item("film 00001"), "enriched", record={"id": 2, "title": "Heat", "genres": []})
    store.commit(job.id, [odd, good], MOVIES)
    assert query(path, "SELECT title FROM movie ORDER BY movie_id") == [("a\ufffdb",), ("Heat",)]


def test_a_database_that_is_gone_is_told_in_one_line(store, path):
    """One more reader opens it when it is first needed, which may be after somebody has moved it away."""
    remember(store, load(store, films(1)), "k", b"x")
    elsewhere = path.with_name("elsewhere.db")
    with store._database.reading():
        path.rename(elsewhere)
        with pytest.raises(StoreError, match="can't be opened"):
            store.recall("k")
        elsewhere.rename(path)
