"""A fork crosses nothing: what was used before it is used after it, in the parent and in the child at once."""

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import select
import signal
import threading
import traceback

import pytest
from servers import PATIENCE_S, Server, reply

from enricher import Engine, Item, Request, Service, Store, StoreError, TMDBClient
from enricher.core.gate import GO, Again, Gate, Health, Ticket
from enricher.engine import MODES
from enricher.memory import Memory, Pending
from enricher.model import Compute, Learnt, Lifetime, Outcome, Pipeline, Remembered, Row, Source, Window
from enricher.modes.performer import Stop
from enricher.pipelines.movies.service import tmdb
from enricher.processes import Processes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
each_mode = pytest.mark.parametrize("mode", MODES)


class Child:
    """A fork of this process that does some work, and tells what it returned."""

    def __init__(self, work):
        self._said, say = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(say)
            return
        try:
            told = {"result": work()}
        except BaseException:  # noqa: BLE001  # told in the parent
            told = {"error": traceback.format_exc()}
        with contextlib.suppress(OSError):
            os.write(say, json.dumps(told).encode())
        os._exit(0)

    def result(self):
        """What the work returned. A child that hangs is killed, and fails the test."""
        try:
            ready, _, _ = select.select([self._said], [], [], PATIENCE_S)
            assert ready, "the child says nothing"
            told = json.loads(os.read(self._said, 1_000_000))
        finally:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._said)
        assert "error" not in told, told["error"]
        return told["result"]


def echo(talk):
    """Answers with the path that was asked for; nothing at all where it says so."""
    path = talk.asked.target
    if "hang" in path:
        talk.hang()
    else:
        talk.send(reply(json.dumps({"path": path, "results": [{"title": path}]}).encode()))


@pytest.fixture
def server():
    with Server(echo) as running:
        yield running


def recipe_of(server, **more):
    service = Service("api", server.url, **more)

    def recipe(item):
        answer = yield Request(service, f"/{item.key}")
        return {"right": answer.data["path"] == f"/{item.key}"}

    return recipe


def right(engine, recipe, who, count=30):
    """How many rows came back with the answer that belongs to them."""
    outcomes = list(engine.stream([Item(f"{who}-{number}") for number in range(count)], recipe))
    return sum(outcome.record is not None and outcome.record["right"] for outcome in outcomes)


# ── engines and clients ─────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
def test_an_engine_gives_the_right_rows_on_both_sides_of_a_fork(mode, server):
    recipe = recipe_of(server)
    with Engine(mode=mode, slots=3) as engine:
        assert right(engine, recipe, "before") == 30
        children = [Child(lambda who=who: right(engine, recipe, who)) for who in ("one", "two")]
        assert right(engine, recipe, "parent") == 30
        assert [child.result() for child in children] == [30, 30]
        assert right(engine, recipe, "after") == 30


def test_a_client_answers_on_both_sides_of_a_fork_in_threads_and_in_loops(server):
    with TMDBClient("a-key-for-forks", service=tmdb(server.url, windows=())) as client:

        def both(who):
            one = client.search_movie(f"{who} 1")
            other = asyncio.run(client.search_movie_async(f"{who} 2"))
            return [f"{who}+{number}" in found[0]["title"] for number, found in enumerate((one, other), 1)]

        assert both("before") == [True, True]
        child = Child(lambda: both("child"))
        assert both("parent") == [True, True]
        assert child.result() == [True, True]
        assert both("after") == [True, True]


def test_a_process_that_multiprocessing_forks_is_a_child_like_any_other(server):
    context = multiprocessing.get_context("fork")
    recipe = recipe_of(server)
    with Engine(slots=3) as engine:
        assert right(engine, recipe, "before") == 30
        ours, theirs = context.Pipe()
        process = context.Process(target=lambda: theirs.send(right(engine, recipe, "child")))
        process.start()
        try:
            assert ours.poll(PATIENCE_S)
            assert ours.recv() == 30
        finally:
            process.kill()
            process.join()
        assert right(engine, recipe, "after") == 30


@each_mode
def test_a_fork_while_others_are_at_work_leaves_their_locks_and_leads_behind(mode, server):
    recipe = recipe_of(server, lifetimes={"answer": Lifetime(60.0, 60.0)}, windows=(Window(10_000, 1.0),))
    stop, busy = Stop(), threading.Event()

    def endless():
        for number in itertools.count():
            if number == 20:
                busy.set()
            yield Item(f"busy-{number}")

    def others():
        for _ in engine.stream(endless(), recipe, stop):
            pass

    with Engine(mode=mode, slots=3) as engine:
        working = threading.Thread(target=others)
        working.start()
        try:
            assert busy.wait(PATIENCE_S)
            children = [Child(lambda who=who: right(engine, recipe, who, 10)) for who in ("one", "two", "three")]
            assert [child.result() for child in children] == [10, 10, 10]
        finally:
            stop.set()
            working.join(PATIENCE_S)


@each_mode
def test_a_run_goes_on_in_the_parent_and_is_refused_in_the_child(mode, server):
    recipe = recipe_of(server)

    def told():
        with contextlib.closing(outcomes):
            return [outcome.item.key for outcome in outcomes]

    with Engine(mode=mode, slots=2) as engine:
        outcomes = engine.stream((Item(str(number)) for number in range(40)), recipe)
        next(outcomes)
        with pytest.raises(AssertionError, match=r"Interrupted: this run belongs to the process that was forked"):
            Child(told).result()
        assert len(list(outcomes)) == 39


def test_a_stop_that_the_child_sets_cuts_nothing_of_the_parents(server):
    stop = Stop()
    cut = []
    stop.on_set(lambda: cut.append(True))
    assert Child(lambda: [stop.set(), list(cut), stop.is_set()]).result() == [None, [], True]
    assert not stop.is_set()


# ── what an engine is made of ───────────────────────────────────────────────────────────────────────────────────────

API = Service("api", "http://api.test", windows=(Window(2, 60.0),))


def test_what_was_sent_counts_in_the_child_and_who_waits_in_the_parent_does_not():
    gate = Gate()
    for now in (0.0, 1.0):
        assert gate.ask(Ticket(API, "api.test"), now) is GO
    assert isinstance(gate.ask(Ticket(API, "api.test"), 2.0), Again)
    assert gate.waiting() == 1
    gate._lock.acquire()  # as another thread may at the moment of the fork

    def child():
        gate.after_fork()
        mine = Ticket(API, "api.test")
        return [gate.waiting(), gate.ask(mine, 3.0) is GO, gate.ask(mine, 61.1) is GO]

    assert Child(child).result() == [0, False, True]


def test_a_probe_that_is_on_its_way_in_the_parent_is_none_in_the_child():
    gate = Gate()
    for now in range(10):
        lost = Ticket(API, "api.test")
        gate.ask(lost, 100.0 * now)
        gate.report(lost, 100.0 * now, Health.FAILING)
    assert gate.ask(Ticket(API, "api.test"), 2_000.0) is GO
    gate.after_fork()
    assert gate.ask(Ticket(API, "api.test"), 2_000.0) is GO


def test_a_memory_knows_in_the_child_what_it_knew_and_waits_for_nobody():
    memory = Memory(lambda: 0.0)
    lifetime = Lifetime(60.0, 60.0)
    memory.learn("known", Remembered(200, b"{}"))
    memory.recall("asked", lifetime)
    assert isinstance(memory.recall("asked", lifetime), Pending)
    memory.after_fork()
    assert type(memory.recall("known", lifetime)).__name__ == "Known"
    assert type(memory.recall("asked", lifetime)).__name__ == "Lead"
    memory._lock.acquire()  # a thread of the parent is changing it
    memory.after_fork()
    assert type(memory.recall("known", lifetime)).__name__ == "Lead"


def test_processes_work_on_both_sides_of_a_fork_and_the_child_ends_none_of_the_parents():
    processes = Processes(workers=1)

    def asked():
        return processes.submit(Compute(os.getpid, (), PATIENCE_S)).result(PATIENCE_S)

    def child():
        processes.after_fork()
        left = [process.pid for process in multiprocessing.active_children()]  # whom its exit would kill
        theirs = asked()
        processes.close()
        return [left, theirs]

    try:
        ours = asked()
        left, theirs = Child(child).result()
        assert ours not in left
        assert theirs != ours
        assert asked() == ours
    finally:
        processes.close()


# ── stores ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def recipe_of_nothing(item):
    return {"key": item.key}
    yield


THINGS = Pipeline("things", recipe_of_nothing, ())


def loaded(store, count=10):
    rows = [Source("list", ("name",)), *(Row("list", n, {"name": str(n)}, Item(str(n))) for n in range(count))]
    return store.open_job("things", "print", "list", {}, rows)


def commit(store, job, key):
    learnt = (Learnt(f"answer {key}", "answer", Remembered(200, b"{}")),)
    store.commit(job.id, [Outcome(Item(key), "enriched", record={"key": key}, learnt=learnt)], THINGS)


def test_a_store_is_written_on_both_sides_of_a_fork_and_nothing_is_lost(tmp_path):
    """The parent closes its own side first: it would remove the write-ahead log, took it itself for the last one."""
    go_on, wake = os.pipe()
    path = tmp_path / "things.db"
    store = Store(path)
    job = loaded(store)
    commit(store, job, "0")
    assert store.recall("answer 0") is not None

    def child():
        commit(store, job, "1")
        known = store.recall("answer 0") is not None
        os.read(go_on, 1)  # now the parent's side is closed
        commit(store, job, "2")
        store.close()
        return known

    forked = Child(child)
    commit(store, job, "3")
    store.close()
    with Store(path) as other:
        commit(other, job, "4")
    os.write(wake, b"x")
    assert forked.result() is True
    with Store(path) as after:
        assert after.counts(job.id).items_by_status == {"enriched": 5, "pending": 5}
        assert all(after.recall(f"answer {key}") is not None for key in range(5))
    os.close(go_on)
    os.close(wake)


def test_a_store_that_was_being_written_at_the_fork_is_refused_in_the_child(tmp_path):
    forked = []

    def rows():
        yield Source("list", ("name",))
        forked.append(Child(lambda: commit(store, job, "1")))
        yield Row("list", 1, {"name": "1"}, Item("1"))

    with Store(tmp_path / "things.db") as store:
        job = loaded(store)
        other = store.open_job("things", "other", "list", {}, rows())
        with pytest.raises(AssertionError, match=r"things\.db: the store was in use while this process was forked"):
            forked[0].result()
        commit(store, job, "0")
        assert store.counts(other.id).rows == 1
        assert store.counts(job.id).items_by_status == {"enriched": 1, "pending": 9}


def test_a_reader_that_is_lent_at_the_fork_is_waited_for(tmp_path):
    with Store(tmp_path / "things.db") as store:
        job = loaded(store)
        lent, database = threading.Event(), store._database

        def read():
            with database.reading() as reader:
                lent.set()
                for _ in range(1_000):
                    reader.raw.execute("SELECT count(*) FROM item").fetchone()

        reading = threading.Thread(target=read)
        reading.start()
        assert lent.wait(PATIENCE_S)
        child = Child(lambda: commit(store, job, "1"))
        reading.join(PATIENCE_S)
        assert child.result() is None
        commit(store, job, "0")
        assert store.counts(job.id).items_by_status == {"enriched": 2, "pending": 8}


def test_two_threads_that_fork_at_once_leave_a_store_usable(tmp_path, monkeypatch):
    with Store(tmp_path / "jobs.db") as store:
        told = threading.Event()
        close = store._database.before_fork

        def closed_late():
            told.set()
            other.start()
            other.join(0.1)  # it would have told the store by now, were it not kept waiting
            close()

        def fork():
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)

        other = threading.Thread(target=fork, daemon=True)
        monkeypatch.setattr(store._database, "before_fork", lambda: close() if told.is_set() else closed_late())
        fork()
        other.join(PATIENCE_S)
        assert not other.is_alive()
        reader = threading.Thread(target=store.jobs, daemon=True)
        reader.start()
        reader.join(PATIENCE_S)
        assert not reader.is_alive()


def test_a_store_that_is_closed_stays_closed_across_a_fork(tmp_path):
    store = Store(tmp_path / "things.db")
    store.close()

    def child():
        with pytest.raises(StoreError, match="the store is closed"):
            store.jobs()

    assert Child(child).result() is None


def test_a_job_that_is_run_in_the_parent_stays_its_own_whatever_the_child_does(tmp_path):
    with Store(tmp_path / "things.db") as store:
        job = loaded(store)
        with contextlib.ExitStack() as ours:
            ours.enter_context(store.lock_job(job.id))
            Child(ours.close).result()  # as a child does that leaves the block
            with Store(tmp_path / "things.db") as other, pytest.raises(StoreError, match="is being run"):
                other.lock_job(job.id).__enter__()
