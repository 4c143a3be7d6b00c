"""What others would have written: each gets the rows right by itself, in its own way, against a real simulated API."""

import doctest
import json
import subprocess
import sys
from itertools import count, takewhile
from pathlib import Path

import pytest
from cli_world import calm

from benchmarks import baselines
from benchmarks.baselines import patience
from benchmarks.task import Clock, Task, requests_of, truth, write_list
from enricher.simulator.behaviour import Behaviour

ROOT = Path(__file__).resolve().parent.parent
ALL = list(baselines.NAMES)
IN_PROCESS = [name for name in ALL if name != "scrapy"]  # a reactor starts only once in a process
SLOTS = 4
CHILD = """
import json, sys
from benchmarks import baselines
from benchmarks.task import Clock, Task
clock = Clock()
baselines.load(sys.argv[1]).work(Task(**json.loads(sys.argv[2])), clock)
print(json.dumps(clock.stamps))
"""


def worked(name, task):
    """Let a baseline work; the stamps of its attempts."""
    if name in IN_PROCESS:
        clock = Clock()
        baselines.load(name).work(task, clock)
        return clock.stamps
    facts = {field: getattr(task, field) for field in Task.__slots__}
    command = [sys.executable, "-W", "error", "-c", CHILD, name, json.dumps(facts)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def a_task(api, folder, kind, items, quota="none"):
    task = Task(kind, api.base_url, str(folder), items, SLOTS, quota)
    write_list(kind, task.list_path, items)
    return task


@pytest.fixture(scope="module", params=[(name, kind) for name in ALL for kind in ("films", "things")], ids="-".join)
def run(request, simulator, tmp_path_factory):
    """Ten rows, done by each: the name, the task, its stamps, and what the API counted."""
    name, kind = request.param
    calm(simulator)
    simulator.control(latency="5-15ms")
    task = a_task(simulator, tmp_path_factory.mktemp("baseline"), kind, 10)
    stamps = worked(name, task)
    return name, task, stamps, simulator.stats()


def test_a_baseline_gets_every_row_right(run):
    _, task, _, _ = run
    assert sorted(baselines.read(task)) == sorted(truth(task.kind, task.items))


def test_a_baseline_asks_no_more_than_the_rows_need(run):
    _, task, _, stats = run
    asked = {"search": 10, "details": 10} if task.kind == "films" else {"echo": 10}
    assert stats["by_kind"] == asked
    assert stats["attempts_max"] == 1


def test_a_baseline_has_no_more_in_flight_than_slots(run):
    _, _, stamps, stats = run
    assert 1 < stats["most_in_flight"] <= SLOTS
    for _, _, sent_at, _ in stamps:
        assert sum(sent <= sent_at < done for _, _, sent, done in stamps) <= SLOTS


def test_the_barrier_opens_a_connection_for_each_request_and_the_others_keep_theirs(run):
    name, _, _, stats = run
    if name == "barrier":
        assert stats["connections_opened"] == stats["arrivals"]
    else:
        assert stats["connections_opened"] <= SLOTS


def test_each_attempt_is_ready_then_granted_then_sent_then_done(run):
    _, _, stamps, stats = run
    assert len(stamps) == stats["arrivals"]
    assert all(list(stamp) == sorted(stamp) for stamp in stamps)


def test_no_batch_of_the_barrier_begins_before_the_last_one_is_over(api, tmp_path):
    api.control(latency="5-15ms")
    stamps = sorted(worked("barrier", a_task(api, tmp_path, "films", 10)))
    a_batch = 2 * SLOTS
    for first in range(a_batch, len(stamps), a_batch):
        ready_at, *_ = stamps[first]
        assert ready_at >= max(done_at for *_, done_at in stamps[:first])


@pytest.mark.parametrize("name", ALL)
def test_a_quota_holds_a_baseline_back(name, api, tmp_path):
    """Two of four may leave at once; how long the others wait depends on the limiter, but it is half a period at least."""
    worked(name, a_task(api, tmp_path, "things", 4, quota="2/400ms"))
    stats = api.stats()
    assert stats["last_arrival"] - stats["first_arrival"] >= 0.2


FAULTS = "5xx=20%,reset=20%"


def faults_met(behaviour, request):
    """The kinds of the faults that a request meets, one attempt after the other until one is answered."""
    met = takewhile(bool, (behaviour.fault(request, attempt) for attempt in count(1)))
    return [fault.kind for fault in met]


def a_seed(resets):
    """The first seed with which one of four films meets a 5xx, another so many resets, and the others no fault."""
    films = list(requests_of("films", 4, 2048))
    for seed in range(100_000):
        behaviour = Behaviour.of(faults=FAULTS, seed=seed)
        met = [[kind for request in film for kind in faults_met(behaviour, request)] for film in films]
        if sorted(met) == [[], [], ["5xx"], ["reset"] * resets]:
            return seed
    raise AssertionError("there is none")


@pytest.mark.parametrize("name", ALL)
def test_a_row_comes_although_an_attempt_failed(name, api, tmp_path):
    # When a connection breaks aiohttp asks again by itself, once: it takes two to make an attempt fail.
    api.control(faults=FAULTS, seed=a_seed(resets=2 if name in {"barrier", "gather-all"} else 1))
    task = a_task(api, tmp_path, "films", 4)
    stamps = worked(name, task)
    assert sorted(baselines.read(task)) == sorted(truth("films", 4))
    assert set(api.stats()["faults"]) == {"5xx", "reset"}
    assert len(stamps) == 4 * 2 + 2


@pytest.mark.parametrize("name", ALL)
def test_a_row_is_lost_after_five_failures_and_that_is_no_error(name, api, tmp_path):
    api.control(faults="503=100%:0")  # Retry-After: 0, so nobody sleeps
    task = a_task(api, tmp_path, "things", 3)
    stamps = worked(name, task)
    assert list(baselines.read(task)) == []
    assert len(stamps) == api.stats()["arrivals"] == 3 * 5


@pytest.mark.parametrize("name", IN_PROCESS)
@pytest.mark.parametrize("fault", ["garbage", "html"])
def test_an_answer_that_is_no_json_loses_its_row_alone(name, fault, api, tmp_path):
    api.control(faults=f"{fault}=40%", seed=1)
    behaviour = Behaviour.of(faults=f"{fault}=40%", seed=1)
    task = a_task(api, tmp_path, "films", 8)
    requests = requests_of("films", 8, 2048)
    kept = [
        facts
        for facts, row in zip(truth("films", 8), requests, strict=True)
        if not any(behaviour.fault(request, 1) for request in row)
    ]
    worked(name, task)
    assert sorted(baselines.read(task)) == sorted(kept)
    assert 0 < len(kept) < 8


def test_every_baseline_can_run_where_the_extra_is_installed():
    assert {name: baselines.available(name) for name in ALL} == dict.fromkeys(ALL, "")


@pytest.mark.parametrize(
    ("module", "name", "missing"),
    [
        ("scrapy", "scrapy", "scrapy"),
        ("requests_futures", "requests-futures", "requests-futures"),
        ("aiolimiter", "httpx-async", "aiolimiter"),
    ],
)
def test_a_distribution_that_is_not_installed_is_named(module, name, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # what makes Python say that there is none
    assert baselines.available(name) == missing


def test_importing_the_package_imports_none_of_the_libraries():
    libraries = "aiohttp aiolimiter asyncio httpx requests requests_futures scrapy twisted"
    look = f"import sys, benchmarks.baselines; print(*set('{libraries}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", ALL)
def test_a_baseline_stands_in_the_table_and_says_in_a_clause_what_it_is(name):
    assert f"\n    {name} " in baselines.__doc__
    about = baselines.load(name).ABOUT
    assert 10 < len(about) < 80
    assert not about.endswith(".")


def test_the_examples_of_pauses_are_true():
    found = doctest.testmod(patience)
    assert found.attempted > 0
    assert found.failed == 0
