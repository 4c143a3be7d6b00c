"""The engine: any recipe over any list, any pipeline's jobs out of a real store, against real servers on loopback."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from servers import PATIENCE_S, Server, reply

from enricher.core.circuit import Patience
from enricher.core.gate import Gate
from enricher.core.retry import Backoff
from enricher.engine import FORECAST_ITEMS, FORECAST_LATENCY_S, MODES, Engine, Tally, fingerprint, forecast, plan
from enricher.errors import InputError, JobBusy, KeyRefused, ServiceDown, SettingError
from enricher.export import write_export
from enricher.model import (
    Item,
    KeyPlace,
    Lifetime,
    Pipeline,
    Remembered,
    Request,
    Row,
    Service,
    Skipped,
    Table,
    Window,
)
from enricher.modes.performer import Stop
from enricher.pipelines.movies.pipeline import movies
from enricher.simulator.behaviour import Behaviour
from enricher.simulator.process import running_simulator
from enricher.simulator.tally import fullest_window
from enricher.store import Store

QUICK = Backoff(base_s=0.001, cap_s=0.002)
DAY = Lifetime(found_s=86_400.0, missing_s=86_400.0)
each_mode = pytest.mark.parametrize("mode", MODES)


# ── a small API of things, and the pipeline that asks it ────────────────────────────────────────────────────────────


class Things:
    """Answers `/thing/NAME` with the name; `says` maps a name to other answers (bytes), the last one again and again."""

    def __init__(self, **says):
        self.says = {name: list(answers) for name, answers in says.items()}
        self.lock = threading.Lock()

    def __call__(self, talk):
        name = talk.asked.target.partition("?")[0].rpartition("/")[2]
        with self.lock:
            answers = self.says.get(name) or [reply(json.dumps({"name": name}).encode())]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        talk.send(answer)


def place_key(key):
    return KeyPlace(params={"key": key})


def service_of(server, **more):
    return Service("things", server.url, place_key=place_key, lifetimes={"thing": DAY}, **more)


def recipe_of(service):
    def recipe(item):
        answer = yield Request(service, f"/thing/{item.key}", kind="thing")
        return {"name": answer.data["name"]} if "name" in answer.data else None

    return recipe


def pipeline_of(server, *, tables=(), tables_of=None, options=None, **more):
    service = service_of(server, **more)
    return Pipeline(
        "things", recipe_of(service), ("name",), (service,), tables=tables, tables_of=tables_of, options=options or {}
    )


def names(count):
    return [f"t{number}" for number in range(count)]


def rows_of(keys):
    return [Row("list.csv", line, {"Name": key}, Item(key)) for line, key in enumerate(keys, start=2)]


def asked(server):
    """The names that the server was asked for, in order of arrival."""
    return [one.target.partition("?")[0].rpartition("/")[2] for one in server.asked]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "things.db") as opened:
        yield opened


def run(store, pipeline, wanted, *, stop=None, **engine):
    """Plan and run one job in an engine of its own; returns the job and the tally. Errors go through."""
    with Engine(**{"store": store, "slots": 4, "backoff": QUICK, **engine}) as made:
        job = plan(store, pipeline, "list.csv", "digest", rows_of(wanted), None)
        tally = Tally(total=len(wanted))
        made.run(pipeline, job, stop or Stop(), tally)
        return job, tally


def states(store, job):
    return dict(store.counts(job.id).items_by_status)


def only_job(store):
    (job,) = store.jobs()
    return job


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
def test_a_job_enriches_every_row_and_counts_what_it_cost(mode, store):
    server = Server(
        Things(t3=[reply(status="404 Not Found")], t5=[reply(status="503 Busy"), reply(b'{"name": "five"}')])
    )
    with server:
        job, tally = run(store, pipeline_of(server), names(12), mode=mode)
    assert states(store, job) == {"enriched": 11, "failed": 1}  # 404 is no answer that the general rules know
    assert tally.by_status == {"enriched": 11, "failed": 1}
    assert (tally.done, tally.requests, tally.retries, tally.hits) == (12, 13, 1, 0)
    assert len(server.asked) == 13
    exported = {row.cells["Name"]: (row.status, row.record) for row in store.export_rows(job.id)}
    assert exported["t5"] == ("enriched", {"name": "five"})
    assert only_job(store).state == "done"
    assert only_job(store).requests == 13


def test_items_with_one_key_are_asked_once_and_every_row_gets_the_answer(store):
    with Server(Things()) as server:
        job, _ = run(store, pipeline_of(server), ["a", "b", "c"] * 20)
    assert sorted(asked(server)) == ["a", "b", "c"]
    assert [row.record["name"] for row in store.export_rows(job.id)] == ["a", "b", "c"] * 20


@each_mode
def test_a_job_that_was_stopped_goes_on_with_what_is_missing(mode, store):
    stop = Stop()
    seen = itertools.count(1)

    def stop_after_five(_attempt):
        if next(seen) == 5:
            stop.set()

    with Server(Things()) as server:
        pipeline = pipeline_of(server)
        job, tally = run(store, pipeline, names(30), mode=mode, stop=stop, observe=stop_after_five)
        first = asked(server)
        assert 5 <= tally.done < 30
        assert states(store, job) == {"enriched": tally.done, "pending": 30 - tally.done}
        assert only_job(store).state == "stopped"
        again, _ = run(store, pipeline, names(30), mode=mode)
        assert again.id == job.id
        assert again.resumed
        assert sorted(asked(server)) == sorted(names(30))
        assert len(first) == tally.done
    assert states(store, job) == {"enriched": 30}
    assert only_job(store).state == "done"


@each_mode
def test_a_finished_job_asks_nothing(mode, store):
    with Server(Things()) as server:
        pipeline = pipeline_of(server)
        run(store, pipeline, names(5), mode=mode)
        _, tally = run(store, pipeline, names(5), mode=mode)
        assert len(server.asked) == 5
    assert tally.done == 0
    assert only_job(store).state == "done"


def test_only_what_failed_is_asked_again(store):
    nothing = reply(b"{}")
    with Server(Things(t1=[reply(status="400 No"), reply(b'{"name": "one"}')], t2=[nothing])) as server:
        pipeline = pipeline_of(server)
        job, _ = run(store, pipeline, names(4))
        assert states(store, job) == {"enriched": 2, "failed": 1, "not_found": 1}
        run(store, pipeline, names(4))
        assert asked(server).count("t1") == 2
        assert len(server.asked) == 5
    assert states(store, job) == {"enriched": 3, "not_found": 1}


def test_an_answer_that_another_job_learnt_is_not_asked_for_again(store):
    with Server(Things()) as server:
        pipeline = pipeline_of(server)
        run(store, pipeline, names(4))
        with Engine(store=store) as engine:
            job = plan(store, pipeline, "other.csv", "other digest", rows_of(names(6)), None)
            tally = Tally()
            engine.run(pipeline, job, Stop(), tally)
        assert (tally.done, tally.hits, tally.requests) == (6, 4, 2)
        assert len(server.asked) == 6


def test_refresh_takes_nothing_for_known_that_is_older_than_the_engine(store):
    with Server(Things()) as server:
        pipeline = pipeline_of(server)
        job, _ = run(store, pipeline, names(3))
        store.reset(job.id)
        _, tally = run(store, pipeline, names(3), refresh=True)
        assert (tally.requests, tally.hits) == (3, 0)
        assert len(server.asked) == 6


def test_several_jobs_at_a_time_share_one_engine_and_one_quota(store):
    """Two runs with a gate each would send twice the quota."""
    attempts = []
    with Server(Things()) as server, Engine(store=store, slots=4, observe=attempts.append) as engine:
        pipeline = pipeline_of(server, windows=(Window(4, 0.1),))
        together = threading.Barrier(2)

        def work(number):
            keys = [f"{number}-{key}" for key in names(10)]
            job = plan(store, pipeline, f"{number}.csv", f"digest {number}", rows_of(keys), None)
            together.wait(PATIENCE_S)
            engine.run(pipeline, job, Stop(), Tally())
            return job

        with ThreadPoolExecutor(2) as pool:
            jobs = list(pool.map(work, range(2)))
        assert [states(store, job) for job in jobs] == [{"enriched": 10}] * 2
        assert len(server.asked) == 20
    assert fullest_window(sorted(attempt.granted_at for attempt in attempts), 0.1) <= 4


def test_a_job_is_run_by_one_at_a_time(store, tmp_path):
    under_way, go_on = threading.Event(), threading.Event()

    def answer(talk):
        under_way.set()
        go_on.wait(PATIENCE_S)
        talk.send(reply(b'{"name": "x"}'))

    with Server(answer) as server, ThreadPoolExecutor(1) as pool:
        pipeline = pipeline_of(server)
        first = pool.submit(run, store, pipeline, names(2), slots=1)
        try:
            assert under_way.wait(PATIENCE_S)
            with Store(tmp_path / "things.db") as other, pytest.raises(JobBusy, match="job 1 is being run by process"):
                run(other, pipeline, names(2))
            assert len(server.asked) == 1
        finally:
            go_on.set()
        job, tally = first.result()
    assert tally.done == 2
    assert states(store, job) == {"enriched": 2}


@each_mode
def test_a_refused_key_ends_the_job_and_leaves_its_items_pending(mode, store):
    def doorman(talk):
        right = "key=right" in talk.asked.target
        talk.send(reply(b'{"name": "x"}') if right else reply(status="401 Unauthorized"))

    with Server(doorman) as server:
        pipeline = pipeline_of(server)
        with pytest.raises(KeyRefused, match="things refused the API key"):
            run(store, pipeline, names(40), mode=mode, keys={"things": "wrong"})
        assert len(server.asked) <= 4
        job = only_job(store)
        assert states(store, job) == {"pending": 40}
        assert job.state == "stopped"
        run(store, pipeline, names(40), mode=mode, keys={"things": "right"})
    assert states(store, job) == {"enriched": 40}


@each_mode
def test_a_service_that_is_down_ends_the_job_and_the_same_engine_goes_on_later(mode, store):
    well = threading.Event()

    def answer(talk):
        if well.is_set():
            talk.send(reply(b'{"name": "x"}'))
        else:
            talk.reset()

    gate = Gate(patience=Patience(failures=2, first_open_s=0.001, outage_s=0.0, silence_s=0.0))
    with Server(answer) as server, Engine(store=store, mode=mode, slots=2, backoff=QUICK, gate=gate) as engine:
        pipeline = pipeline_of(server)
        job = plan(store, pipeline, "list.csv", "digest", rows_of(names(8)), None)
        with pytest.raises(ServiceDown, match="things: no answer from"):
            engine.run(pipeline, job, Stop(), Tally())
        assert states(store, job)["pending"] >= 6
        assert only_job(store).state == "stopped"
        well.set()
        engine.run(pipeline, job, Stop(), Tally())
    assert states(store, job) == {"enriched": 8}


@each_mode
def test_an_error_of_the_store_goes_through_and_what_was_not_committed_is_pending(mode, store):
    class DiskFull(Exception):
        pass

    def tables_of(record):
        raise DiskFull

    with Server(Things()) as server:
        pipeline = pipeline_of(server, tables=(Table("thing", {"name": "TEXT"}, "name"),), tables_of=tables_of)
        with pytest.raises(DiskFull):
            run(store, pipeline, names(300), mode=mode)
    job = only_job(store)
    assert states(store, job) == {"pending": 300}
    assert job.state == "stopped"


def test_a_stop_ends_a_wait_for_the_quota_at_once(store):
    stop = Stop()
    with Server(Things()) as server:
        pipeline = pipeline_of(server, windows=(Window(1, 3600.0),))
        job, tally = run(store, pipeline, names(3), stop=stop, observe=lambda _attempt: stop.set())
        assert len(server.asked) == 1
    assert tally.done == 1
    assert tally.ended_at is not None
    assert states(store, job) == {"enriched": 1, "pending": 2}


def test_what_hangs_when_the_stop_comes_is_cut_and_stays_pending(store):
    stop = Stop()

    def answer(talk):
        stop.set()
        talk.hang()

    with Server(answer) as server:
        job, _ = run(store, pipeline_of(server), names(3), stop=stop, mode="sequential")
        assert len(server.asked) == 1
    assert states(store, job) == {"pending": 3}


def test_a_job_that_is_told_to_stop_before_it_begins_asks_nothing(store):
    stop = Stop()
    stop.set()
    with Server(Things()) as server:
        job, tally = run(store, pipeline_of(server), names(3), stop=stop)
        assert server.asked == []
    assert tally.done == 0
    assert states(store, job) == {"pending": 3}


def test_whoever_asks_hears_what_holds_everyone_back(store):
    stop = Stop()
    held = []
    busy = reply(status="429 Too Many Requests", Retry_After="30")
    with Server(Things(t0=[busy])) as server:
        pipeline = pipeline_of(server)
        with Engine(store=store, slots=1) as engine:
            job = plan(store, pipeline, "list.csv", "digest", rows_of(names(2)), None)
            thread = threading.Thread(target=engine.run, args=(pipeline, job, stop, Tally()))
            thread.start()
            while not (held := engine.holds()) and thread.is_alive():
                stop.wait(0.001)
            stop.set()
            thread.join(PATIENCE_S)
    assert [(hold.service, hold.reason) for hold in held] == [("things", "HTTP 429")]
    assert 0 < held[0].left_s <= 31


def test_who_observes_is_told_of_each_attempt(store):
    attempts = []
    with Server(Things(t0=[reply(status="503 Busy"), reply(b'{"name": "zero"}')])) as server:
        run(store, pipeline_of(server), ["t0"], observe=attempts.append)
    assert [(one.request.path, one.reason, one.probe) for one in attempts] == [
        ("/thing/t0", "HTTP 503", False),
        ("/thing/t0", "", False),
    ]
    for one in attempts:
        assert one.ready_at <= one.granted_at <= one.sent_at <= one.done_at


def test_a_job_needs_a_store():
    with Engine() as engine, pytest.raises(SettingError, match="no store"):
        engine.run(Pipeline("p", lambda item: iter(()), ()), None, Stop(), Tally())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mode": "fast"}, "mode is 'fast'; allowed are sequential, threaded, async"),
        ({"slots": 0}, "concurrency is 0; at least 1 is needed"),
    ],
)
def test_an_engine_that_can_not_be_is_refused(given, words):
    with pytest.raises(SettingError, match=words):
        Engine(**given)


def test_one_after_the_other_is_one_at_a_time_whatever_was_wished():
    with Engine(mode="sequential", slots=10) as engine:
        assert engine.slots == 1


def test_an_engine_may_be_closed_twice():
    engine = Engine()
    engine.close()
    engine.close()


def test_the_time_of_a_run_stands_still_when_it_has_ended():
    tally = Tally(started_at=time.monotonic() - 5)
    assert tally.elapsed_s >= 5
    tally.ended_at = tally.started_at + 2
    assert tally.elapsed_s == 2


# ── plans ───────────────────────────────────────────────────────────────────────────────────────────────────────────

PLAIN = Pipeline("things", lambda item: iter(()), ("name",), options={"language": "en"})


def test_the_same_input_is_the_same_job_and_is_not_read_again(store):
    first = plan(store, PLAIN, "list.csv", "digest", rows_of("ab"), None)
    second = plan(store, PLAIN, "list.csv", "digest", iter(lambda: pytest.fail("it was read again"), None), None)
    assert (first.resumed, second.resumed) == (False, True)
    assert first.id == second.id


@pytest.mark.parametrize(
    ("pipeline", "digest", "limit"),
    [
        (PLAIN, "other", None),
        (PLAIN, "digest", 2),
        (PLAIN, "digest", 0),
        (Pipeline("others", PLAIN.recipe, ("name",), options={"language": "en"}), "digest", None),
        (Pipeline("things", PLAIN.recipe, ("name",), options={"language": "de"}), "digest", None),
        (Pipeline("things", PLAIN.recipe, ("name",)), "digest", None),
    ],
    ids=["input", "limit", "no rows", "pipeline", "options", "no options"],
)
def test_what_changes_the_answers_makes_another_job(pipeline, digest, limit):
    assert fingerprint(pipeline, digest, limit) != fingerprint(PLAIN, "digest", None)


def test_a_fingerprint_does_not_go_by_the_order_of_options():
    one, two = ({"a": "1", "b": "2"}, {"b": "2", "a": "1"})
    prints = {fingerprint(Pipeline("p", PLAIN.recipe, (), options=options), "d", None) for options in (one, two)}
    assert len(prints) == 1


def test_a_limit_is_as_if_the_input_ended_after_that_row(store):
    """Text that is no row is not counted; what comes after the last row is not read."""

    def read():
        yield Skipped("list.csv", 1, "preamble")
        yield from rows_of("a")
        yield Row("list.csv", 3, {"Name": ""}, None, "no title")
        yield Skipped("list.csv", 4, "marker")
        yield from rows_of("b")
        pytest.fail("read on after the limit")

    job = plan(store, PLAIN, "list.csv", "digest", read(), 2)
    counts = store.counts(job.id)
    assert (counts.rows, counts.items, counts.skipped) == (2, 1, 2)


def test_jobs_with_limits_stand_beside_the_whole_one(store):
    jobs = [plan(store, PLAIN, "list.csv", "digest", rows_of("abc"), limit) for limit in (None, 0, 2, 9)]
    assert [store.counts(job.id).rows for job in jobs] == [3, 0, 2, 3]
    assert len({job.id for job in jobs}) == 4


def test_a_list_that_can_not_be_read_leaves_no_job(store):
    def read():
        yield from rows_of("a")
        raise InputError("list.csv: spoiled")

    with pytest.raises(InputError, match="spoiled"):
        plan(store, PLAIN, "list.csv", "digest", read(), None)
    assert store.jobs() == []


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def at_once(item):
    """A recipe that asks nothing."""
    return {"key": item.key}
    yield


def assert_nothing_runs_on():
    for thread in threading.enumerate():
        if thread.name.startswith(("enricher_", "enricher-run", "asyncio_")):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@each_mode
def test_a_stream_gives_every_outcome_once(mode):
    with Engine(mode=mode, slots=3) as engine:
        outcomes = list(engine.stream([Item(key) for key in names(50)], at_once))
    assert sorted(outcome.record["key"] for outcome in outcomes) == sorted(names(50))
    assert_nothing_runs_on()


@each_mode
def test_a_slow_consumer_holds_the_workers_back(mode):
    full, overrun = threading.Event(), threading.Event()
    with Engine(mode=mode, slots=3) as engine:
        # One is taken, four a slot wait in the stream, and one is in each worker's hands.
        most = 1 + 4 * engine.slots + engine.slots

        def source():
            for number in itertools.count(1):
                if number == most:
                    full.set()
                if number > most:
                    overrun.set()
                yield Item(str(number))

        with closing(engine.stream(source(), at_once)) as stream:
            next(stream)
            assert full.wait(PATIENCE_S)
            assert not overrun.wait(0.2)


@each_mode
def test_a_consumer_that_leaves_early_ends_the_run(mode):
    with Engine(mode=mode, slots=3) as engine:
        stream = engine.stream((Item(str(number)) for number in itertools.count()), at_once)
        assert next(stream).status == "enriched"
        stream.close()
        assert_nothing_runs_on()


@pytest.mark.parametrize("mode", ["threaded", "async"])
def test_a_consumer_that_leaves_does_not_wait_for_who_hangs(mode):
    def answer(talk):
        talk.send(reply(b'{"name": "x"}')) if talk.asked.target.endswith("/t0") else talk.hang()

    with Server(answer) as server, Engine(mode=mode, slots=3) as engine:
        stream = engine.stream((Item(key) for key in names(9)), recipe_of(service_of(server, timeout_s=PATIENCE_S)))
        assert next(stream).item.key == "t0"
        stream.close()
        assert_nothing_runs_on()


@each_mode
def test_an_error_of_the_source_reaches_the_consumer_after_what_was_done(mode):
    def source():
        yield Item("a")
        raise InputError("list.csv, line 3: spoiled")

    seen = []
    with Engine(mode=mode) as engine, pytest.raises(InputError, match="line 3: spoiled"):
        seen.extend(outcome.item.key for outcome in engine.stream(source(), at_once))
    assert_nothing_runs_on()


@each_mode
def test_an_error_of_the_sink_goes_through(mode):
    class Spoiled(Exception):
        pass

    class Sink:
        def offer(self, outcome):
            return self.put(outcome)

        def put(self, outcome):
            raise Spoiled

    with Engine(mode=mode) as engine, pytest.raises(Spoiled):
        engine.work((Item(str(number)) for number in itertools.count()), at_once, Sink(), Stop())


@each_mode
def test_a_stream_ends_when_its_stop_is_set(mode):
    stop = Stop()
    with Engine(mode=mode) as engine:
        stream = engine.stream((Item(str(number)) for number in itertools.count()), at_once, stop)
        next(stream)
        stop.set()
        assert all(outcome.status == "enriched" for outcome in stream)


@each_mode
def test_a_recipe_that_breaks_fails_its_item_and_no_other(mode):
    def broken(item):
        if item.key == "t1":
            raise ZeroDivisionError("a slip")
        return {"key": item.key}
        yield

    with Engine(mode=mode) as engine:
        outcomes = {one.item.key: one for one in engine.stream(map(Item, names(3)), broken)}
    assert {key: one.status for key, one in outcomes.items()} == {"t0": "enriched", "t1": "failed", "t2": "enriched"}
    assert outcomes["t1"].error == "the recipe raised ZeroDivisionError: a slip"


# ── films, from a simulated TMDB ────────────────────────────────────────────────────────────────────────────────────

FILMS = [
    *(("The Matrix", 1999), ("Matrix, The", 1999), ("La Haine", 1995), ("Stalker", 1979), ("Parasite", 2019)),
    *(("Dune", 1984), ("Dune", 2021), ("Black Box", None), ("The Film That Nobody Made", 2020)),
]
FAULTY = Behaviour.of(films="0", faults="5xx=5%,reset=4%,truncated=3%,html=2%,429=2%", retry_after="0.01s", seed="4")


@pytest.fixture(scope="module")
def films():
    with running_simulator(FAULTY) as server:
        yield server


def test_all_modes_tell_the_same_story_of_the_same_films_faults_included(films, tmp_path):
    tables, counts = set(), set()
    for mode in MODES:
        films.reset()
        pipeline = movies(films.base_url)
        rows = [
            Row("f.csv", line, {"Name": title}, Item(f"{title} {year}", {"title": title, "year": year}))
            for line, (title, year) in enumerate(FILMS, start=2)
        ]
        with (
            Store(tmp_path / f"{mode}.db") as store,
            Engine(mode=mode, keys={"tmdb": "any"}, store=store, backoff=QUICK) as engine,
        ):
            job = plan(store, pipeline, "f.csv", "digest", rows, None)
            engine.run(pipeline, job, Stop(), Tally())
            out = tmp_path / f"{mode}.csv"
            write_export(store.export_rows(job.id), out, input_columns=["Name"], record_columns=pipeline.columns)
            tables.add(out.read_bytes())
            counts.add(tuple(sorted(store.counts(job.id).rows_by_status.items())))
        assert films.stats()["in_flight"] == 0
    assert counts == {(("enriched", 7), ("not_found", 1), ("unsure", 1))}
    assert len(tables) == 1


# ── forecasts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def film_items(count):
    return [Item(str(number), {"title": f"Film {number}", "year": 2000}) for number in range(count)]


def nothing_known(_key):
    return None


def test_a_forecast_counts_two_requests_a_film_and_the_time_that_the_quota_takes():
    told = forecast(movies(), film_items(350), 350, nothing_known, 20)
    assert (told.items, told.known, told.requests, told.hits) == (350, 0, 700, 0)
    assert 665 / 35 <= told.elapsed_s <= 1.1 * 700 / 35


def test_a_forecast_without_a_quota_goes_by_the_latency():
    told = forecast(movies(windows=()), film_items(40), 40, nothing_known, 4)
    assert told.elapsed_s == pytest.approx(40 * 2 / 4 * FORECAST_LATENCY_S)


def test_a_forecast_knows_what_is_known():
    pipeline = movies()

    def known(key):
        path = key.partition("/3")[2]
        kind = "search" if path.startswith("/search") else "details"
        request = Request(pipeline.services[0], path.partition("?")[0], {"query": "Film 1", "year": "2000"}, kind=kind)
        return Remembered(200, pipeline.typical(request)), 60.0

    told = forecast(pipeline, [film_items(2)[1]] * 3, 3, known, 2)
    assert (told.known, told.requests, told.hits) == (3, 0, 6)


def test_a_long_job_is_forecast_in_proportion():
    count = 10 * FORECAST_ITEMS
    items = (Item(str(number)) for number in itertools.count())  # so it can't have read them all

    def recipe(item):
        yield Request(service, f"/{item.key}")
        return {}

    service = Service("s", "http://s.test", windows=(Window(100, 1.0),))
    pipeline = Pipeline("p", recipe, (), (service,), typical=lambda request: b"{}")
    told = forecast(pipeline, items, count, nothing_known, 50)
    assert told.requests == count
    assert told.elapsed_s == pytest.approx(count / 100, rel=0.1)


@pytest.mark.parametrize(("pipeline", "count"), [(movies(), 0), (PLAIN, 7)], ids=["nothing to do", "nothing typical"])
def test_where_nothing_can_be_rehearsed_nothing_is_forecast(pipeline, count):
    told = forecast(pipeline, [], count, nothing_known, 4)
    assert (told.items, told.requests, told.elapsed_s) == (count, 0, 0.0)


def test_the_end_of_one_run_cuts_no_request_of_another():
    """Both send over the same connections; a stop shuts the sockets of its own run only."""
    held, free = threading.Event(), threading.Event()

    def answer(talk):
        if "slow" in talk.asked.target:
            held.set()
            free.wait(PATIENCE_S)
        elif "hang" in talk.asked.target:
            talk.hang()
            return
        talk.send(reply(b'{"id": 1}'))

    def recipe(item):
        return (yield Request(service, f"/{item.key}")).data

    with Server(answer) as server, Engine(slots=4) as engine:
        service = Service("here", server.url)
        stop = Stop()
        other = engine.stream([Item("hang")], recipe, stop)
        mine = engine.stream([Item("slow")], recipe)
        with ThreadPoolExecutor(2) as pool:
            ended = pool.submit(list, other)
            outcome = pool.submit(next, mine)
            assert held.wait(PATIENCE_S)
            stop.set()
            assert ended.result(PATIENCE_S) == []
            free.set()
            assert outcome.result(PATIENCE_S).attempts == 1
        mine.close()
