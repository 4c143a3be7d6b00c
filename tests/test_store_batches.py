"""Batches against real SQLite files: nothing is handed in that was not written down, and collecting is all or nothing."""

import signal
import sqlite3
import subprocess
import sys

import pytest

from enricher.errors import StoreError
from enricher.model import Charge, Price, Remembered, Usage
from enricher.store import Batch, BatchEntry, Collected, Spent, Store, Total

NOON = 1_700_000_000.25


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
    return tmp_path / "articles.db"


@pytest.fixture
def store(path, clock):
    with Store(path, clock=clock) as store:
        yield store


@pytest.fixture
def job(store):
    return job_of(store)


def job_of(store, fingerprint="f"):
    return store.open_job("articles", fingerprint, "feeds", {}, ()).id


def entry(number, worst=100):
    """At one nano-dollar a token that goes in, so that `worst` is its worst price."""
    charge = Charge("anthropic", "small", Price(1.0, 10.0, 0.1, "USD"), Usage(tokens_in=worst))
    return BatchEntry(f"c-{number}", f"key {number}", "analysis", charge)


def begin(store, job, entries, discount=0.5, budget=None):
    return store.batches.begin(job, "anthropic", "claude", entries, discount, budget)


def came(number, cost=20):
    return Collected(f"c-{number}", Remembered(200, b"%d" % number, headers={"n": "1"}), Usage(40), cost, "settled")


def query(path, sql, *values):
    database = sqlite3.connect(path)
    try:
        with database:
            return database.execute(sql, values).fetchall()
    finally:
        database.close()


def states(path):
    return [state for (state,) in query(path, "SELECT state FROM call ORDER BY id")]


# ── from begin to end ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_comes_back_as_it_was_written_down(store, job):
    """With its prices: those that were agreed, whatever they are by the time that it is collected."""
    entries = [entry(1), entry(2, worst=7)]
    number = begin(store, job, entries)
    expected = Batch(number, job, "anthropic", "claude", "started", None, NOON, tuple(entries))
    assert store.batches.open(job) == [expected]
    assert store.batches.get(number) == expected


def test_its_calls_are_booked_at_the_discount_before_it_leaves(store, path, job):
    number = begin(store, job, [entry(1, worst=101), entry(2, worst=10)])
    assert query(path, "SELECT job_id, batch_id, state, key, worst_nano FROM call ORDER BY id") == [
        (job, number, "started", "key 1", 51),
        (job, number, "started", "key 2", 5),
    ]
    assert store.ledger.spent(job) == Spent(0, 56, 56, 0, 2)


def test_a_batch_that_could_pass_the_budget_leaves_no_trace(store, path, job):
    entries = [entry(number) for number in range(4)]
    assert begin(store, job, entries, budget=199) is None
    assert store.batches.open(job) == []
    assert query(path, "SELECT (SELECT count(*) FROM call), (SELECT count(*) FROM batch_item)") == [(0, 0)]
    assert begin(store, job, entries, budget=200) is not None
    assert store.ledger.reserve(entry(9, worst=1).charge, "more", job, 200) is None


def test_two_entries_with_one_name_are_refused_whole(store, path, job):
    with pytest.raises(StoreError, match="breaks a rule"):
        begin(store, job, [entry(1), entry(1)])
    assert store.batches.open(job) == []
    assert states(path) == []


def test_what_is_open_is_the_jobs_own_and_not_over_oldest_first(store, job):
    begin(store, job_of(store, "another"), [entry(0)])
    numbers = [begin(store, job, [entry(0)]) for _ in range(6)]
    store.batches.submitted(numbers[1], "msgbatch_1")
    store.batches.submitted(numbers[2], "msgbatch_2")
    store.batches.mark(numbers[2], "ended")
    store.batches.mark(numbers[3], "undecided")
    store.batches.collect(numbers[4], [])
    store.batches.drop(numbers[5])
    assert [(batch.id, batch.state, batch.provider_id) for batch in store.batches.open(job)] == [
        (numbers[0], "started", None),
        (numbers[1], "submitted", "msgbatch_1"),
        (numbers[2], "ended", "msgbatch_2"),
        (numbers[3], "undecided", None),
    ]
    assert store.batches.get(numbers[5]).state == "failed"
    assert store.batches.get(99) is None


def test_the_times_of_a_batch_can_be_read_and_computed_with(store, path, clock, job):
    number = begin(store, job, [entry(1)])
    clock.now += 60
    store.batches.submitted(number, "msgbatch_1")
    assert query(path, "SELECT created_at, created, updated_at FROM batch") == [
        ("2023-11-14T22:13:20Z", NOON, "2023-11-14T22:14:20Z")
    ]


# ── collecting ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_collecting_keeps_the_answers_and_settles_the_calls(store, path, job):
    number = begin(store, job, [entry(number) for number in range(4)])
    store.batches.submitted(number, "msgbatch_1")
    assert store.recall("key 1") is None
    refused = Collected("c-2", None, None, 0, "free", "it expired")
    poor = Collected("c-3", None, Usage(50, 1), 30, "settled", "no JSON")
    store.batches.collect(number, [came(1), refused, poor, came(77_777)])
    assert store.recall("key 1").remembered == Remembered(200, b"1", headers={"n": "1"})
    assert store.recall("key 1").kind == "analysis"
    assert [store.recall(f"key {other}") for other in (0, 2, 3, 77_777)] == [None] * 4
    assert states(path) == ["unknown", "settled", "free", "settled"]
    assert store.batches.open(job) == []
    assert store.batches.get(number).state == "collected"
    assert store.ledger.spent(job) == Spent(50, 0, 0, 50, 3)
    assert store.ledger.totals(job) == [Total("anthropic", "small", "USD", 2, 90, 1, 0, 50, 1, 50, 0, 0)]


def test_collecting_again_changes_nothing(store, path, job):
    number = begin(store, job, [entry(1), entry(2)])
    store.batches.collect(number, [came(1)])
    before = store.ledger.totals(job), store.answer_stats(), states(path)
    store.batches.collect(number, [came(1)])
    assert (store.ledger.totals(job), store.answer_stats(), states(path)) == before


def test_a_batch_is_collected_whole_or_not_at_all(store, path, job):
    """Here the very last row can't be written: that of the call which nobody has told of."""
    number = begin(store, job, [entry(1), entry(2)])
    store.batches.submitted(number, "msgbatch_1")
    last = "BEFORE UPDATE ON call WHEN NEW.state = 'unknown' BEGIN SELECT RAISE(ABORT, 'no'); END"
    query(path, f"CREATE TRIGGER refusing {last}")
    with pytest.raises(StoreError, match="breaks a rule"):
        store.batches.collect(number, [came(1)])
    assert store.recall("key 1") is None
    assert states(path) == ["started", "started"]
    assert store.batches.get(number).state == "submitted"


@pytest.mark.parametrize(
    ("end", "state", "spent"),
    [
        ("drop", "failed", Spent(0, 0, 0, 0, 0)),
        ("failed", "failed", Spent(0, 0, 0, 100, 2)),
        ("undecided", "undecided", Spent(0, 100, 100, 0, 2)),
        ("ended", "ended", Spent(0, 100, 100, 0, 2)),
    ],
)
def test_a_batch_without_answers_costs_what_it_may_have_cost(store, job, end, state, spent):
    """Nothing where it was never taken; its worst where it failed there, or where that can't be told."""
    number = begin(store, job, [entry(1), entry(2)])
    if end == "drop":
        store.batches.drop(number)
    else:
        store.batches.mark(number, end)
    assert store.batches.get(number).state == state
    assert store.ledger.spent(job) == spent


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────

BATCHING = """
import itertools, sys
from enricher.model import Charge, Price, Remembered, Usage
from enricher.store import BatchEntry, Collected, Store
store = Store(sys.argv[1])
job = store.open_job("articles", "f", "feeds", {}, ()).id
charge = Charge("anthropic", "small", Price(1.0, 10.0, 0.5), Usage(100))
for turn in itertools.count():
    names = [f"{sys.argv[2]}-{turn}-{number}" for number in range(50)]
    entries = [BatchEntry(name, name, "analysis", charge) for name in names]
    batch = store.batches.begin(job, "anthropic", "claude", entries, 0.5)
    print(f"begun {batch}", flush=True)
    store.batches.submitted(batch, f"msgbatch_{batch}")
    print(f"submitted {batch}", flush=True)
    store.batches.collect(batch, [Collected(name, Remembered(200, b"x" * 900), Usage(60), 30, "settled") for name in names])
    print(f"collected {batch}", flush=True)
"""


def test_no_batch_is_lost_or_left_in_part_by_kill_9(path):
    """Killed between any two of its steps, and within them: each batch is whole, and stands at least as it was said to."""
    said, order = {}, ["begun", "submitted", "collected"]
    for turn, lines in enumerate((1, 2, 3, 7, 11)):
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", BATCHING, str(path), str(turn)], stdout=subprocess.PIPE, text=True
        )
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.communicate()[0].splitlines()
        said.update({int(line.split()[1]): line.split()[0] for line in told if line.strip()})
    with Store(path) as store:
        assert store.ledger.orphans(1) == 0
        for number, word in said.items():
            batch = store.batches.get(number)
            stands = {"started": "begun"}.get(batch.state, batch.state)
            assert order.index(stands) >= order.index(word)
            assert len(batch.entries) == 50
            assert (batch.provider_id is None) == (batch.state == "started")
            known = [store.recall(each.key) is not None for each in batch.entries]
            assert known == [batch.state == "collected"] * 50
            assert query(path, "SELECT DISTINCT state FROM call WHERE batch_id = ?", number) == [
                ("settled" if batch.state == "collected" else "started",)
            ]
        assert {batch.id for batch in store.batches.open(1)} >= {
            number for number in said if store.batches.get(number).state != "collected"
        }
