"""Two runs on one database keep a service's windows: what was sent in the last window is known to the next run."""

import json
import sqlite3

import pytest
from cli_world import KEY, KILL, generated, until, write_list
from servers import Server, reply

from enricher import Engine, Item, Request, Service, Stop, Store, Tally, plan
from enricher.core.gate import GO, Gate, Ticket
from enricher.gates import Accounts
from enricher.model import Pipeline, Row, Source, Window
from enricher.quotas import QuotaKeeper

HOUR_S = 3_600.0
API = Service("api", "http://api.test", windows=(Window(10, 100.0),))
ACCOUNTS = Accounts({"api": "a-secret-key"})


class Times:
    """A clock on the wall and one that only goes on, each as the test sets it."""

    def __init__(self):
        self.wall, self.now = 1_000_000.0, 50.0

    def read_wall(self):
        return self.wall

    def read(self):
        return self.now


@pytest.fixture
def times():
    return Times()


@pytest.fixture
def store(tmp_path, times):
    with Store(tmp_path / "things.db", clock=times.read_wall) as made:
        yield made


def keeper(store, gate, times, service=API):
    return QuotaKeeper(store.sent, gate, ACCOUNTS, [service], times.read)


def send(gate, now, service=API, tokens=0):
    ticket = Ticket(service, "api.test", tokens)
    granted = gate.ask(ticket, now) is GO
    if not granted:
        gate.leave(ticket)
    return granted


def free(gate, now, service=API):
    """How many may leave now."""
    return sum(iter(lambda: send(gate, now, service), False))


def sent_before(store, times, *, count=7, service=API, **more):
    """As a process does that ends."""
    gate = Gate()
    with keeper(store, gate, times, service):
        assert all(send(gate, times.now, service, **more) for _ in range(count))


# ── from one process to the next ────────────────────────────────────────────────────────────────────────────────────


def test_what_was_sent_counts_in_the_next_process_until_its_window_is_over(store, times):
    sent_before(store, times)
    times.wall += 30.0
    times.now = 9_000.0  # another process, another clock
    gate = Gate()
    with keeper(store, gate, times):
        assert free(gate, 9_000.0) == 3
        assert free(gate, 9_069.9) == 0
        assert free(gate, 9_071.1) == 7  # a hundredth of the window later than to the moment


@pytest.mark.parametrize("limiter", ["sliding", "fixed"])
def test_each_way_of_counting_goes_on(store, times, limiter):
    service = Service("api", "http://api.test", windows=API.windows, limiter=limiter)
    sent_before(store, times, service=service)
    gate = Gate()
    with keeper(store, gate, times, service):
        assert free(gate, times.now, service) == 3


def test_more_than_a_lower_rate_allows_is_counted_all_the_same(store, times):
    sent_before(store, times)
    lower = Service("api", "http://api.test", windows=(Window(2, 100.0),), limiter="fixed")
    gate = Gate()
    with keeper(store, gate, times, lower):
        assert free(gate, times.now + 1.0, lower) == 0


def test_tokens_count_too(store, times):
    service = Service("api", "http://api.test", token_windows=(Window(1_000, 100.0),))
    sent_before(store, times, count=3, service=service, tokens=300)
    gate = Gate()
    with keeper(store, gate, times, service):
        assert not send(gate, times.now, service, tokens=200)
        assert send(gate, times.now, service, tokens=90)


def test_a_third_process_counts_nothing_twice(store, times):
    sent_before(store, times, count=3)
    sent_before(store, times, count=2)
    gate = Gate()
    with keeper(store, gate, times):
        assert free(gate, times.now) == 5


def test_a_gate_that_runs_again_counts_nothing_twice(store, times):
    gate = Gate()
    for _ in range(3):
        with keeper(store, gate, times):
            assert send(gate, times.now)
    assert free(gate, times.now) == 7


def test_another_key_and_another_address_are_not_held_back(store, times):
    sent_before(store, times)
    for accounts, service in ((Accounts({"api": "other"}), API), (ACCOUNTS, Service("api", "http://b", API.windows))):
        gate = Gate()
        with QuotaKeeper(store.sent, gate, accounts, [service], times.read):
            assert free(gate, times.now, service) == 10


# ── clocks that move ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_clock_that_was_set_back_costs_a_window_at_most_and_only_once(store, times):
    sent_before(store, times)
    times.wall -= 10 * 365 * 86_400.0
    gate = Gate()
    with keeper(store, gate, times):
        assert free(gate, times.now + 98.0) == 3
        assert free(gate, times.now + 101.1) == 7
    times.wall += 300.0
    times.now += 300.0
    later = Gate()
    with keeper(store, later, times):
        assert free(later, times.now) == 10


def test_what_counts_no_more_is_deleted(store, times):
    sent_before(store, times)
    times.wall += 86_400.0
    sent_before(store, times, count=1)
    (row,) = store.sent.read()
    assert sum(count for _, count in row.requests) == 1


# ── what is written ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_written_compactly_and_without_the_key(store, times, tmp_path):
    service = Service("api", "http://api.test", windows=(Window(100_000, 100.0),))
    sent_before(store, times, count=5_000, service=service)
    (row,) = store.sent.read()
    assert (row.service, row.horizon_s) == ("api", 100.0)
    assert row.requests == ((1_000_001.0, 5_000),)
    assert b"a-secret-key" not in (tmp_path / "things.db").read_bytes() + (tmp_path / "things.db-wal").read_bytes()


def test_it_is_written_while_the_job_runs(store, times):
    """Else a kill would lose it."""
    gate = Gate()
    with keeper(store, gate, times):
        assert send(gate, times.now)
        until(lambda: [row.requests for row in store.sent.read()] == [((1_000_001.0, 1),)])


def test_a_database_that_another_process_holds_ends_no_job(tmp_path, times):
    with Store(tmp_path / "things.db", clock=times.read_wall, busy_timeout_ms=1) as store:
        gate = Gate()
        other = sqlite3.connect(tmp_path / "things.db", isolation_level=None)
        with keeper(store, gate, times):
            other.execute("BEGIN IMMEDIATE")
            assert send(gate, times.now)
        other.close()


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("own", [True, False], ids=["a gate of its own", "the process's gate"])
def test_a_job_knows_what_the_last_one_sent(tmp_path, own):
    """The second engine stands for another process where it has a gate of its own, and for a later run where not."""
    with Server(lambda talk: talk.send(reply(json.dumps({"name": "x"}).encode()))) as server:
        service = Service("things", server.url, windows=(Window(10, HOUR_S),))

        def recipe(item):
            answer = yield Request(service, f"/{item.key}")
            return {"name": answer.data["name"]}

        pipeline = Pipeline("things", recipe, ("name",), services=(service,))
        left = []
        with Store(tmp_path / "things.db") as store:
            for keys in ("abcd", "efg"):
                rows = [Source("list", ("name",)), *(Row("list", n, {}, Item(key)) for n, key in enumerate(keys))]
                job = plan(store, pipeline, "list", keys, rows)
                with Engine(store=store, gate=Gate() if own else None) as engine:
                    engine.run(pipeline, job, Stop(), Tally())
                    left.append([len(sent.requests) for sent in engine.gate.sent()])
        assert left == [[4], [7]]


def test_kill_9_loses_nothing_that_was_sent_a_moment_before(cli, monkeypatch):
    monkeypatch.setenv("ENRICHER_RATE", "10/3600s")
    films = write_list(cli.folder / "films.csv", generated(20)[0])

    def sent():
        with sqlite3.connect(cli.folder / "enricher.db") as database:
            found = database.execute("SELECT requests FROM sent").fetchall()
        database.close()
        return sum(count for (requests,) in found for _, count in json.loads(requests))

    for _ in range(2):
        with cli.start("movies", films) as running:
            until(lambda: cli.api.stats()["arrivals"] == 10 and sent() == 10)
            running.send(KILL)
            running.end()
    assert cli.api.stats()["arrivals"] == 10
    assert KEY not in (cli.folder / "enricher.db").read_bytes().decode("latin-1")
