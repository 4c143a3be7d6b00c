"""The micro suite: what one request costs in each room it passes through, without a wire.

pytest benchmarks/                       as a smoke test (no timing is asserted)
pytest benchmarks/ --benchmark-only      with figures; `pytest-benchmark compare` reads what --benchmark-save wrote
"""

from __future__ import annotations

import io
import itertools
import json
import random
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from enricher.core.exchange import Rules, enrich_item
from enricher.core.gate import GO, Gate, Health, Ticket
from enricher.core.rehearsal import Rehearsal
from enricher.export import write_export
from enricher.memory import Memory
from enricher.model import ExportRow, Item, Learnt, Lifetime, Outcome, Remembered, Request, Response, Service, Window
from enricher.pipelines.movies.matching import film_of, rank, wanted
from enricher.pipelines.movies.pipeline import movies, typical
from enricher.pipelines.movies.record import COLUMNS, movie_record
from enricher.simulator.generated import Titles
from enricher.store import Store

HOUR = Lifetime(3600.0, 3600.0)
BODY = json.dumps({"text": "x" * 2000}).encode()
OPEN = Service("open", "http://127.0.0.1/api", lifetimes={"answer": HOUR})
WIDE = Service("wide", "http://127.0.0.1/api", windows=(Window(1_000_000, 1.0),))


def test_permit(benchmark: BenchmarkFixture) -> None:
    gate, clock = Gate(), itertools.count()

    def permit() -> object:
        now = next(clock) / 1000
        ticket = Ticket(WIDE, "127.0.0.1")
        verdict = gate.ask(ticket, now)
        gate.report(ticket, now, Health.ALIVE)
        return verdict

    assert benchmark(permit) is GO


def test_a_window_of_permits_under_ten_threads(benchmark: BenchmarkFixture) -> None:
    gate = Gate()

    def worker() -> None:
        for _ in range(100):
            gate.ask(Ticket(WIDE, "127.0.0.1"), 0.0)

    def window() -> None:
        threads = [threading.Thread(target=worker) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    benchmark(window)
    assert gate.waiting() == 0


def test_a_hit_in_the_upper_tier(benchmark: BenchmarkFixture) -> None:
    memory = Memory(lambda: 0.0)
    memory.settle("key", Remembered(200, BODY))
    known: Any = benchmark(memory.recall, "key", HOUR)
    assert known.remembered.body == BODY


def test_a_hit_in_the_lower_tier(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    with Store(tmp_path / "micro.db") as store:
        pipeline = movies()
        job = store.open_job("movies", "f", "list", {}, [])
        outcome = Outcome(Item("a"), "not_found", learnt=(Learnt("key", "details", Remembered(200, BODY)),))
        store.commit(job.id, [outcome], pipeline)
        stored = benchmark(store.recall, "key")
    assert stored is not None
    assert stored.remembered.body == BODY


def answering(body: bytes) -> Any:
    return lambda _request, _before: (Response(200, {}, body), 0.0)


def test_one_request_through_exchange_recipe_gate_and_memory(benchmark: BenchmarkFixture) -> None:
    rules, numbers = Rules(random.random), itertools.count()

    def recipe(item: Item) -> Generator[Request, Any, dict[str, int]]:
        answer: Any = yield Request(OPEN, "/thing", {"id": item.key})
        return {"n": len(answer.data["text"])}

    def one() -> Outcome:
        item = Item(str(next(numbers)))
        rehearsal = Rehearsal(Gate(), answering(BODY), keep_effects=False)
        return rehearsal.play([item], lambda item: enrich_item(item, recipe, rules)).outcomes[0]

    assert benchmark(one).status == "enriched"


FILM = {"title": "Stalker", "year": 1979, "imdb_id": None, "tmdb_id": None, "original_title": None}


def test_the_recipe_of_a_film(benchmark: BenchmarkFixture) -> None:
    """Search, matching, details, record: all but the wire."""
    pipeline, rules = movies(), Rules(random.random)

    def one() -> Outcome:
        rehearsal = Rehearsal(Gate(), lambda request, _: (Response(200, {}, typical(request)), 0.0), keep_effects=False)
        return rehearsal.play([Item("f", FILM)], lambda item: enrich_item(item, pipeline.recipe, rules)).outcomes[0]

    assert benchmark(one).status == "enriched"


def test_matching_one_film_among_twenty(benchmark: BenchmarkFixture) -> None:
    """A whole page of a search, as for a common word."""
    titles = Titles()
    page = [{"id": n + 1, "title": titles.title(n), "release_date": f"{titles.year(n)}-06-01"} for n in range(20)]
    wish = wanted(titles.title(7), titles.year(7))

    def match() -> int:
        return rank(wish, filter(None, map(film_of, page)))[0].film.id

    assert benchmark(match) == 8


def test_a_hundred_rows_of_the_table(benchmark: BenchmarkFixture) -> None:
    record = movie_record(json.loads(typical(Request(movies().services[0], "/movie/1", kind="details"))))
    rows = [
        ExportRow("list.csv", n, {"Name": "Stalker", "Year": "1979"}, "enriched", 100.0, None, record)
        for n in range(100)
    ]

    def export() -> int:
        return write_export(rows, io.StringIO(), input_columns=("Name", "Year"), record_columns=COLUMNS)

    assert benchmark(export) == 100


@pytest.mark.parametrize("body_bytes", [2_000, 40_000])
def test_a_batch_of_100_outcomes_into_the_store(benchmark: BenchmarkFixture, tmp_path: Path, body_bytes: int) -> None:
    pipeline = movies()
    body = json.dumps({"text": "some words " * (body_bytes // 11)}).encode()
    record = movie_record({"id": 1, "title": "Film", "genres": [{"name": "Drama"}]})
    numbers = itertools.count()

    def batch() -> list[Outcome]:
        return [
            Outcome(
                Item(str(n)), "enriched", record=record, learnt=(Learnt(f"k{n}", "details", Remembered(200, body)),)
            )
            for n in (next(numbers) for _ in range(100))
        ]

    with Store(tmp_path / "micro.db") as store:
        store.prepare(pipeline.tables)
        job = store.open_job("movies", "f", "list", {}, [])
        benchmark(lambda: store.commit(job.id, batch(), pipeline))
        assert store.answer_stats().answers >= 100
