"""One recipe, every mode: whatever a service answers, all drivers tell the same story of each item.

Hypothesis makes up what the service says, attempt by attempt; the rehearsal, one thread, several threads and the tasks
of a loop all play it on a virtual clock. Where items ask for different things, each outcome must be the same; where they
share one, who asks first is left to chance, so the stories must be the same but for who has which.
"""

import threading
from collections import Counter
from concurrent.futures import Future

import pytest
from core_world import FILMS, LIFETIME, answered, detail, get
from hypothesis import given, settings
from hypothesis import strategies as st
from modes_world import MODES, Kept, Wire, items, performer, run

from enricher.core.circuit import Patience
from enricher.core.exchange import Rules, enrich_item
from enricher.core.gate import Gate
from enricher.core.rehearsal import Rehearsal
from enricher.core.retry import Backoff
from enricher.errors import ExchangeError, KeyRefused, Refused, ServiceDown, TransportError
from enricher.model import Compute, Found, Response, Service, Unsure, Window
from enricher.modes.performer import Nap, Performer

WORKERS = 3
LATENCY_S = 0.125  # a power of two, so that no sum of times is rounded: a deadline is passed in all drivers or in none
RULES = Rules(lambda: 0.5, Backoff(deadline_s=40.0))
SERVICE = Service("films", FILMS.base_url, windows=(Window(4, 1.0),), lifetimes={"detail": LIFETIME})

# What a service may say; the words stand for themselves in a failing example.
ANSWERS = {
    "ok": answered(data={"ids": [1, 2], "title": "Stalker"}),
    "nothing": answered(data={"ids": [], "title": "Stalker"}),
    "404": answered(404),
    "403": answered(403),
    "429": answered(429),
    "429 for 3 s": answered(429, retry_after="3"),
    "429 until a date": answered(
        429, retry_after="Wed, 21 Oct 2015 07:28:02 GMT", date="Wed, 21 Oct 2015 07:28:00 GMT"
    ),
    "500": answered(500),
    "500 for 30 s": answered(500, retry_after="30"),
    "503": answered(503),
    "503 for 2 s": answered(503, retry_after="2"),
    "not JSON": answered(body=b'{"cut'),
    "a page": answered(body=b"<html>"),
    "empty": answered(body=b""),
    "no content": answered(204, body=b""),
    "null": answered(body=b"null"),
    "lost": TransportError("connection lost"),
    "late": TransportError("timeout"),
    "no connection": TransportError("connection lost", reached="unsent"),
    "cut body": TransportError("the answer can't be read: it is cut off", reached="answered"),
    "too large": TransportError("too large"),
}
# One attempt's answer each; the last one again and again. Mostly trouble: "ok" has to be earned.
scripts = st.lists(st.sampled_from(list(ANSWERS)), max_size=6).map(lambda words: [*words, "ok"])
# Faults that last: the last answer comes again and again, whatever it is.
endless = st.lists(st.sampled_from(list(ANSWERS)), min_size=1, max_size=6)


class World:
    """Answers each path from its script, by how often it was asked before."""

    def __init__(self, script_of):
        self.script_of = script_of
        self.asked = Counter()
        self.lock = threading.Lock()

    def say(self, request):
        with self.lock:
            before = self.asked[request.path]
            self.asked[request.path] += 1
        script = self.script_of(request.path)
        return ANSWERS[script[min(before, len(script) - 1)]]


class Clock:
    """A clock that goes on only where somebody would wait."""

    def __init__(self):
        self.now = 0.0
        self.lock = threading.Lock()

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        with self.lock:
            self.now += seconds


class Hurried(Performer):
    """A performer whose naps pass at once, on its clock."""

    def step(self, effect, held):
        step = super().step(effect, held)
        if isinstance(step, Nap):
            self.clock.pass_by(step.seconds)
            return Nap(0.0, step.again)
        return step


class Here:
    """In place of the process pool: what is pure can be computed anywhere."""

    def submit(self, work):
        future = Future()
        try:
            future.set_result(work.function(*work.args))
        except Exception as error:  # noqa: BLE001  # as from another process
            future.set_exception(error)
        return future


def gate():
    """No circuit: who probes a silent host is left to chance, and a probe is not the item's own attempt."""
    return Gate(patience=Patience(failures=10**9))


def rehearsed(recipe, count, script_of, gate):
    world = World(script_of)
    rehearsal = Rehearsal(gate, lambda request, _before: (world.say(request), LATENCY_S), workers=WORKERS)
    outcomes = rehearsal.play(items(count), lambda item: enrich_item(item, recipe, RULES)).outcomes
    return outcomes, world.asked


def performed(mode, recipe, count, script_of, gate):
    world, clock, sink = World(script_of), Clock(), Kept()

    def answer(request):
        said, sent_at = world.say(request), clock()
        clock.pass_by(LATENCY_S)
        if isinstance(said, TransportError):
            raise TransportError(said.cause, sent_at=sent_at, failed_at=sent_at + LATENCY_S, reached=said.reached)
        return Response(said.status, said.headers, said.body, sent_at, sent_at + LATENCY_S)

    using = performer(gate=gate, kind=Hurried, clock=clock, processes=Here())
    run(mode, items(count), recipe, sink, using, Wire(answer), WORKERS, RULES)
    return sink.outcomes, world.asked


def told_by_all(recipe, count, script_of, new_gate=gate):
    """What each driver makes of it: its outcomes, and how often each path was asked."""
    told = {mode: performed(mode, recipe, count, script_of, new_gate()) for mode in MODES}
    told["rehearsal"] = rehearsed(recipe, count, script_of, new_gate())
    return told


def story(outcome):
    """All that an outcome says, but for times, which are each driver's own."""
    return outcome, outcome.effort.requests, outcome.effort.hits, outcome.effort.retries


def film(item):
    """A recipe with one of everything: a choice, a memory, a failure that it gets over, work for another process."""
    found = yield get(f"/search/{item.key}", "search", SERVICE)
    if not found.data["ids"]:
        return None
    first = yield detail(f"/movie/{item.key}", service=SERVICE)
    again = yield detail(f"/movie/{item.key}", service=SERVICE)
    try:
        extra = (yield get(f"/extra/{item.key}", "extra", SERVICE)).data["title"]
    except Refused as error:
        extra = error.reason
    except ExchangeError:
        return Unsure()
    try:
        yield Compute(int, (extra,))
    except ValueError:
        count = yield Compute(len, (extra,))
    return Found({"title": first.data["title"], "same": first.body == again.body, "extra": extra, "count": count})


def shared(item):
    """A recipe of which each item asks for the same."""
    answer = yield detail("/shared", service=SERVICE)
    return {"title": answer.data["title"]}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(scripts, endless, endless), min_size=1, max_size=4))
def test_every_driver_tells_the_same_of_each_item(told):
    kinds = ("search", "movie", "extra")

    def script_of(path):
        _, kind, key = path.split("/")
        return told[int(key)][kinds.index(kind)]

    by_driver = {}
    for driver, (outcomes, asked) in told_by_all(film, len(told), script_of).items():
        by_driver[driver] = {outcome.item.key: story(outcome) for outcome in outcomes}, asked
        assert len(outcomes) == len(told)
    assert all(one == by_driver["rehearsal"] for one in by_driver.values())


@settings(max_examples=60, deadline=None)
@given(endless, st.integers(2, 6))
def test_every_driver_asks_once_for_what_is_shared_and_tells_the_same_of_it(script, count):
    by_driver = {}
    for driver, (outcomes, asked) in told_by_all(shared, count, lambda _path: script).items():
        stories = [(one.status, one.record, one.error, one.attempts, one.tries, one.effort.hits) for one in outcomes]
        by_driver[driver] = sorted(stories, key=repr), asked
    assert all(one == by_driver["rehearsal"] for one in by_driver.values())


@pytest.mark.parametrize(
    ("script", "patience", "error"),
    [
        (["401"], Patience(failures=10**9), KeyRefused),
        (["lost"], Patience(failures=3, silence_s=5.0), ServiceDown),
    ],
)
@pytest.mark.parametrize("driver", [*MODES, "rehearsal"])
def test_what_ends_a_job_ends_it_in_every_driver(driver, script, patience, error, monkeypatch):
    monkeypatch.setitem(ANSWERS, "401", answered(401))

    def asking(item):
        yield get(f"/movie/{item.key}")

    play = rehearsed if driver == "rehearsal" else lambda *args: performed(driver, *args)
    with pytest.raises(error):
        play(asking, 20, lambda _path: script, Gate(patience=patience))
