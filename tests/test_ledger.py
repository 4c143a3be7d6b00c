"""The ledger against real SQLite files: nothing is spent that was not written down, nothing is paid for twice."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.errors import StoreError
from enricher.model import Charge, Learnt, Price, Remembered, Usage
from enricher.store import BatchEntry, Spent, Store, StoredAnswer, Total, ledger

NOON = 1_700_000_000.0
PRICE = Price(tokens_in=1.0, tokens_out=10.0, cached=0.5)


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


def charge(worst, provider="anthropic", model="small", **more):
    """At one nano-dollar a token that goes in, so that `worst` is its worst price."""
    return Charge(provider, model, Price(1.0, 10.0, 0.5, **more), Usage(tokens_in=worst))


def query(path, sql, *values):
    database = sqlite3.connect(path)
    try:
        with database:
            return database.execute(sql, values).fetchall()
    finally:
        database.close()


def answer(key, body=b"{}"):
    return Learnt(key, "analysis", Remembered(200, body, headers={"x-model": "small"}))


# ── booking and settling ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_in_the_file_before_it_leaves(store, path, job):
    assert store.ledger.start(charge(70), "k", job) == 1
    assert query(path, "SELECT job_id, batch_id, provider, model, state, key, worst_nano, currency FROM call") == [
        (job, None, "anthropic", "small", "started", "k", 70, "USD")
    ]


def test_a_call_is_settled_at_what_it_took(store, path, clock, job):
    call = store.ledger.start(charge(70), "k", job)
    clock.now += 3
    usage = Usage(tokens_in=20, tokens_out=1, cached=4)
    store.ledger.settle(call, "settled", usage, PRICE.of(usage))
    assert query(path, "SELECT state, tokens_in, tokens_out, tokens_cached, cost_nano FROM call") == [
        ("settled", 20, 1, 4, 28)
    ]
    assert query(path, "SELECT started_at, settled_at FROM call") == [("2023-11-14T22:13:20Z", "2023-11-14T22:13:23Z")]


@pytest.mark.parametrize(
    ("state", "spent"),
    [
        (None, Spent(0, 70, 0, 0, 1)),
        ("settled", Spent(28, 0, 0, 0, 1)),
        ("unknown", Spent(0, 0, 0, 70, 1)),
        ("free", Spent(0, 0, 0, 0, 0)),
    ],
)
def test_what_is_not_settled_counts_at_its_worst_unless_nothing_is_owed(store, job, state, spent):
    call = store.ledger.start(charge(70), "k", job)
    if state is not None:
        store.ledger.settle(call, state, None, 28 if state == "settled" else 0)
    assert store.ledger.spent(job) == spent
    assert spent.all_nano == spent.settled_nano + spent.open_nano + spent.unknown_nano
    assert store.ledger.reserve(charge(100 - spent.all_nano + 1), "more", job, 100) is None
    assert store.ledger.reserve(charge(100 - spent.all_nano), "more", job, 100) is not None


def test_an_answer_that_was_paid_for_is_there_at_once(store, job):
    """Found although the store had no answer a moment ago, and did not look again since."""
    assert store.recall("k") is None
    store.ledger.settle(store.ledger.start(charge(70), "k", job), "settled", Usage(5), 5, answer("k"))
    assert store.recall("k") == StoredAnswer(answer("k").remembered, "analysis", NOON)


def test_a_call_is_not_settled_without_its_answer(store, job):
    """Else a process that dies between the two would pay for it again. Here the disk is full."""
    call = store.ledger.start(charge(70), "k", job)
    with store._database.writing() as database:
        database.raw.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="free some space"):
        store.ledger.settle(call, "settled", Usage(5), 5, answer("k", os.urandom(200_000)))
    assert store.ledger.spent(job) == Spent(0, 70, 0, 0, 1)
    assert store.recall("k") is None


def test_a_call_of_no_job_is_booked_too(store, job):
    store.ledger.settle(store.ledger.start(charge(70), "k", None), "settled", Usage(5), 5)
    store.ledger.start(charge(3), "k", job)
    assert store.ledger.spent(None) == Spent(5, 0, 0, 0, 1)
    assert store.ledger.spent(job) == Spent(0, 3, 0, 0, 1)


def test_a_call_of_a_job_that_is_not_there_is_refused(store, job):
    with pytest.raises(StoreError, match="breaks a rule"):
        store.ledger.start(charge(70), "k", job + 1)


def test_half_a_surrogate_pair_in_a_models_name_is_no_trouble(store, job):
    """It may come from the command line."""
    store.ledger.start(charge(70, model="m\udc80"), "k\udc80", job)
    assert store.ledger.totals(job)[0].model == "m\ufffd"


def test_a_closed_store_keeps_no_books(path):
    store = Store(path)
    store.close()
    for act in (lambda: store.ledger.start(charge(1), "k", None), lambda: store.ledger.spent(None)):
        with pytest.raises(StoreError, match="the store is closed"):
            act()


# ── a budget ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_budget_is_used_to_its_end_and_never_passed(store, path, job):
    assert [store.ledger.reserve(charge(40), "k", job, 100) is not None for _ in range(3)] == [True, True, False]
    assert query(path, "SELECT count(*) FROM call") == [(2,)]
    assert store.ledger.reserve(charge(20), "k", job, 100) is not None
    assert store.ledger.reserve(charge(1), "k", job, 100) is None
    assert store.ledger.spent(job).all_nano == 100


def test_what_costs_less_than_was_feared_makes_room(store, job):
    call = store.ledger.reserve(charge(80), "k", job, 100)
    assert store.ledger.reserve(charge(80), "k", job, 100) is None
    store.ledger.settle(call, "settled", Usage(20), 20)
    assert store.ledger.reserve(charge(80), "k", job, 100) is not None


def test_without_a_budget_there_is_always_room(store, job):
    assert store.ledger.reserve(charge(10**15), "k", job, None) is not None
    assert store.ledger.spent(job).open_nano == 10**15


def test_a_budget_is_the_jobs_own(store, job):
    store.ledger.start(charge(100), "k", job_of(store, "another"))
    store.ledger.start(charge(100), "k", None)
    assert store.ledger.reserve(charge(100), "k", job, 100) is not None


def test_many_threads_of_two_processes_do_not_pass_a_budget_together(store, path, job):
    """Two stores on one file stand for the processes: all that they share is the file."""
    with Store(path) as other, ThreadPoolExecutor(8) as pool:
        stores = [store, other] * 40
        entries = list(pool.map(lambda each: each.ledger.reserve(charge(7), "k", job, 7 * 30 + 6), stores))
    assert len(set(entries) - {None}) == 30
    assert store.ledger.spent(job).all_nano == 7 * 30


moves = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(["settled", "free", "unknown", "under way"]), st.floats(0, 1)),
    max_size=20,
)


@settings(max_examples=50, deadline=None)
@given(moves, st.integers(0, 150))
def test_whatever_becomes_of_the_calls_the_job_stays_within_its_budget(tmp_path_factory, moves, budget):
    with Store(tmp_path_factory.mktemp("ledger") / "a.db") as store:
        job, sure, feared = job_of(store), 0, 0
        for worst, ending, share in moves:
            call = store.ledger.reserve(charge(worst), "k", job, budget)
            assert (call is None) == (sure + feared + worst > budget)
            if call is None:
                continue
            if ending == "under way":
                feared += worst
                continue
            cost = int(worst * share) if ending == "settled" else 0
            store.ledger.settle(call, ending, None, cost)
            sure += cost
            feared += worst if ending == "unknown" else 0
        spent = store.ledger.spent(job)
        assert spent.settled_nano == sure
        assert spent.all_nano == sure + feared <= budget


@pytest.mark.parametrize("statement", [ledger._ALL_NANO, ledger._SPENT])
@pytest.mark.parametrize("job_id", ["1", "NULL"])
def test_what_was_spent_is_summed_from_an_index(store, path, statement, job_id):
    """The look at the budget comes before every call: it must not read the whole ledger."""
    ((_, _, _, step),) = query(path, "EXPLAIN QUERY PLAN " + statement.replace("?", job_id))
    assert "SEARCH" in step
    assert "COVERING INDEX" in step


# ── orphans ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_under_way_when_its_process_ended_may_have_cost_its_worst(store, job):
    store.ledger.settle(store.ledger.start(charge(50), "settled", job), "settled", Usage(5), 5)
    store.ledger.start(charge(70), "lost", job)
    store.ledger.start(charge(8), "lost", job)
    assert store.ledger.orphans(job) == 2
    assert store.ledger.spent(job) == Spent(5, 0, 0, 78, 3)
    assert store.ledger.orphans(job) == 0


def test_calls_of_others_and_calls_in_batches_are_no_orphans(store, job):
    other = job_of(store, "another")
    store.ledger.start(charge(70), "k", other)
    store.ledger.start(charge(70), "k", None)
    store.batches.begin(job, "anthropic", "claude", [BatchEntry("c-1", "k", "analysis", charge(8))])
    assert store.ledger.orphans(job) == 0
    assert store.ledger.spent(job) == Spent(0, 8, 8, 0, 1)
    assert store.ledger.spent(other).open_nano == store.ledger.spent(None).open_nano == 70


# ── totals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_totals_are_by_provider_model_and_currency(store, job):
    def call(state, usage=None, cost=0, **more):
        entry = store.ledger.start(charge(70, **more), "k", job)
        if state is not None:
            store.ledger.settle(entry, state, usage, cost)

    call("settled", Usage(9, 2, 3), 12, provider="mistral", currency="EUR")
    call("settled", Usage(1), 1, provider="mistral", currency="USD")
    call("settled", Usage(10, 5, 2), 30)
    call("settled", Usage(20, 1, 0), 40)
    call("unknown")
    call(None)
    call("free")
    call("free", model="never answered")
    call("unknown", model="large")
    assert store.ledger.totals(job) == [
        Total("anthropic", "large", "USD", 0, 0, 0, 0, 0, 1, 70, 0, 0),
        Total("anthropic", "small", "USD", 2, 30, 6, 2, 70, 1, 70, 1, 70),
        Total("mistral", "small", "EUR", 1, 9, 2, 3, 12, 0, 0, 0, 0),
        Total("mistral", "small", "USD", 1, 1, 0, 0, 1, 0, 0, 0, 0),
    ]
    assert store.ledger.totals(None) == []


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────

PAYING = """
import sys
from enricher.model import Charge, Learnt, Price, Remembered, Usage
from enricher.store import Store
store = Store(sys.argv[1])
job = store.open_job("articles", "f", "feeds", {}, ()).id
charge = Charge("anthropic", "small", Price(1.0, 10.0, 0.5), Usage(100))
for number in range(int(sys.argv[2]), 100_000):
    call = store.ledger.reserve(charge, f"k{number}", job, None)
    print(f"leaves {number}", flush=True)
    remembered = Remembered(200, str(number).encode() * 300, headers={"n": str(number)})
    store.ledger.settle(call, "settled", Usage(60), 60, Learnt(f"k{number}", "analysis", remembered))
    print(f"paid {number}", flush=True)
"""


def test_nothing_that_was_paid_for_is_lost_to_kill_9(path):
    """Killed again and again anywhere between two lines: what was said to leave is in the books, what was said to be paid is
    there with its answer, and no call is settled whose answer is not."""
    chance, left, paid, first = random.Random("kill"), [], [], 0
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", PAYING, str(path), str(first)], stdout=subprocess.PIPE, text=True
        )
        lines = [process.stdout.readline() for _ in range(chance.randint(1, 40))]
        process.send_signal(signal.SIGKILL)
        lines += process.communicate()[0].splitlines()
        words = [line.split() for line in lines if line.strip()]
        left += [number for word, number in words if word == "leaves"]
        paid += [number for word, number in words if word == "paid"]
        first = int(left[-1]) + 10
    states = dict(query(path, "SELECT key, state FROM call"))
    answers = {key for (key,) in query(path, "SELECT key FROM answer")}
    assert {f"k{number}" for number in left} <= states.keys()
    assert {f"k{number}" for number in paid} <= answers
    assert answers == {key for key, state in states.items() if state == "settled"}
    with Store(path) as store:
        for number in paid:
            assert store.recall(f"k{number}").remembered == Remembered(
                200, number.encode() * 300, headers={"n": number}
            )
        lost = len(states) - len(answers)
        assert store.ledger.orphans(1) == lost <= 5
        assert store.ledger.spent(1) == Spent(60 * len(answers), 0, 0, 100 * lost, len(states))
