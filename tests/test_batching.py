"""Batches of a job, with a provider made up in a few lines and a real store: handed in, collected, paid for once."""

import pytest

from enricher.batching import FORGOTTEN, Batching, keys_of
from enricher.engine import Engine, Tally, plan
from enricher.errors import BudgetSpent, GaveUp, Interrupted, Refused, ServiceDown, Undecided
from enricher.model import (
    Accept,
    BatchApi,
    BatchResult,
    BatchState,
    Charge,
    Item,
    Lifetime,
    Pipeline,
    Price,
    Refuse,
    Request,
    Row,
    Service,
    Source,
    Usage,
)
from enricher.modes.performer import Stop
from enricher.store import Store

PRICE = Price(tokens_in=10.0, tokens_out=0.0, cached=0.0)
CHARGE = Charge("them", "small", PRICE, Usage(tokens_in=100))
HOUR = Lifetime(3_600.0, 3_600.0)


class Provider:
    """Keeps batches as a provider does. `trouble` is raised by the next submit, after it was taken or before."""

    def __init__(self):
        self.batches = {}
        self.trouble = None
        self.takes_it = True
        self.looks = 0
        self.states = []
        self.unanswered = set()
        self.bodies = {}
        self.listed = True
        self.service = Service(
            "them",
            "http://them.test",
            timeout_s=0.01,
            lifetimes={"analysis": HOUR},
            classify=lambda request, response, data: Accept() if response.body != b'"bad"' else Refuse("unfit"),
            usage=lambda response: Usage(tokens_in=50),
            batch=BatchApi(self.submit, self.state, self.results, self.find, most=10),
        )

    def submit(self, requests):
        yield "submit"
        if self.takes_it:
            number = f"b{len(self.batches) + 1}"
            self.batches[number] = [custom_id for custom_id, _ in requests]
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        return number

    def state(self, number):
        yield "state"
        self.looks += 1
        if self.states:
            said = self.states.pop(0)
            if isinstance(said, Exception):
                raise said
            return BatchState(said)
        return BatchState(ended=True)

    def results(self, number):
        yield "results"
        return [
            BatchResult(custom_id, self.bodies.get(place, b'{"ok": true}'))
            for place, custom_id in enumerate(self.batches[number])
            if place not in self.unanswered
        ]

    def find(self, custom_ids, since, known):
        yield "find"
        if not self.listed:
            raise Undecided("no list")
        return next((name for name, ids in self.batches.items() if set(ids) == set(custom_ids)), None)

    def request(self, name="a"):
        body = b"ten bytes."
        return Request(
            self.service,
            f"/{name}",
            method="POST",
            body=body,
            kind="analysis",
            known_as=name,
            charge=CHARGE,
            later=True,
        )


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "x.db") as opened:
        yield opened


def job_of(store, name="list", items=("a",)):
    rows = [Source(name, ()), *(Row(name, line, {}, Item(key)) for line, key in enumerate(items, 1))]
    return plan(store, Pipeline("p", recipe=lambda item: None, columns=()), name, name, rows)


def ask(flow, once):
    """Carry out a flow whose questions need no answer."""
    try:
        while True:
            next(flow)
    except StopIteration as stop:
        return stop.value


def batching_of(store, provider, job=None, budget=None, told=None, learnt=None):
    job = job or job_of(store)
    return Batching(
        store,
        job.id,
        {"them": provider.service},
        ask,
        Stop(),
        budget,
        0.001,
        (told if told is not None else []).append,
        (learnt if learnt is not None else {}).__setitem__,
    )


def requests_of(provider, *names):
    return keys_of(provider.request(name) for name in names)


def calls(store, job_id=1):
    spent = store.ledger.spent(job_id)
    return (spent.settled_nano, spent.open_nano, spent.unknown_nano)


def test_what_is_handed_in_comes_back_at_half_the_price_and_is_known(store, provider):
    learnt = {}
    batching = batching_of(store, provider, learnt=learnt)
    batching.hand_in(requests_of(provider, "a", "b"))
    assert calls(store) == (0, 1_000, 0)  # two at their worst, discounted
    assert batching.finish() == {}
    assert calls(store) == (500, 0, 0)
    assert store.recall("a").remembered.body == b'{"ok": true}'
    assert set(learnt) == {"a", "b"}
    assert store.batches.open(1) == []


def test_more_than_one_takes_goes_into_several(store, provider):
    batching_of(store, provider).hand_in(requests_of(provider, *map(str, range(25))))
    assert [len(ids) for ids in provider.batches.values()] == [10, 10, 5]


def test_a_budget_that_has_no_room_hands_nothing_in(store, provider):
    with pytest.raises(BudgetSpent):
        batching_of(store, provider, budget=999).hand_in(requests_of(provider, "a", "b"))
    assert provider.batches == {}
    assert calls(store) == (0, 0, 0)


def test_an_answer_that_is_not_good_is_paid_for_and_told(store, provider):
    provider.bodies[0] = b'"bad"'
    batching = batching_of(store, provider)
    batching.hand_in(requests_of(provider, "a", "b"))
    assert batching.finish() == {"a": "unfit"}
    assert calls(store) == (500, 0, 0)


def test_what_nobody_tells_of_may_have_cost_something(store, provider):
    provider.unanswered.add(1)
    batching = batching_of(store, provider)
    batching.hand_in(requests_of(provider, "a", "b"))
    assert list(batching.finish()) == ["b"]
    assert calls(store) == (250, 0, 500)


def test_a_submit_without_an_answer_is_looked_for_and_found(store, provider):
    provider.trouble = GaveUp("timeout", 1)
    batching = batching_of(store, provider)
    batching.hand_in(requests_of(provider, "a"))
    assert batching.finish() == {}
    assert len(provider.batches) == 1


def test_one_that_was_never_taken_costs_nothing_and_may_be_handed_in_again(store, provider):
    provider.trouble, provider.takes_it = GaveUp("HTTP 500", 1), False
    batching = batching_of(store, provider)
    with pytest.raises(ServiceDown, match="does not take the batch"):
        batching.hand_in(requests_of(provider, "a"))
    assert calls(store) == (0, 0, 0)
    provider.takes_it = True
    batching.hand_in(requests_of(provider, "a"))
    assert batching.finish() == {}


def test_a_provider_that_is_slow_to_list_it_is_asked_again(store, provider):
    """Kill -9 right after the submit: at the next start it is not listed yet."""
    batching = batching_of(store, provider)
    entries_of = provider.find
    asked = []

    def slow(custom_ids, since, known):
        asked.append(custom_ids)
        found = yield from entries_of(custom_ids, since, known)
        return found if len(asked) > 1 else None

    object.__setattr__(provider.service.batch, "find", slow)
    provider.trouble = GaveUp("timeout", 1)
    batching.hand_in(requests_of(provider, "a"))
    assert len(asked) == 2
    assert batching.finish() == {}


def test_a_refused_batch_ends_the_job_and_costs_nothing(store, provider):
    provider.trouble, provider.takes_it = Refused("the account is exhausted", 1), False
    with pytest.raises(ServiceDown, match="the account is exhausted"):
        batching_of(store, provider).hand_in(requests_of(provider, "a"))
    assert calls(store) == (0, 0, 0)


def test_where_it_can_not_be_told_a_person_decides(store, provider):
    provider.trouble, provider.listed = GaveUp("timeout", 1), False
    batching = batching_of(store, provider)
    with pytest.raises(Undecided, match="enricher batches 1 --taken ID"):
        batching.hand_in(requests_of(provider, "a"))
    assert calls(store) == (0, 500, 0)  # it may be under way
    store.batches.submitted(1, "b1")
    assert batching.finish() == {}


def test_a_batch_of_strangers_is_not_ours(store, provider):
    batching = batching_of(store, provider)
    batching.hand_in(requests_of(provider, "a"))
    provider.batches["b1"] = ["somebody-else"]
    with pytest.raises(Undecided, match="is not batch 1"):
        batching.finish()


def test_silence_while_a_batch_is_waited_for_ends_nothing(store, provider):
    provider.states = [GaveUp("timeout", 5), False, False]
    told = []
    batching = batching_of(store, provider, told=told)
    batching.hand_in(requests_of(provider, "a"))
    assert batching.finish() == {}
    assert sum("waiting for them" in line for line in told) == 3


def test_a_refusal_while_a_batch_is_waited_for_ends_the_job_and_keeps_it(store, provider):
    provider.states = [Refused("HTTP 404", 1)]
    batching = batching_of(store, provider)
    batching.hand_in(requests_of(provider, "a"))
    with pytest.raises(ServiceDown, match="b1: HTTP 404"):
        batching.finish()
    assert len(store.batches.open(1)) == 1


def test_a_stop_ends_the_wait_and_the_batch_goes_on(store, provider):
    provider.states = [False] * 1_000_000
    batching = batching_of(store, provider)
    batching.hand_in(requests_of(provider, "a"))
    batching.stop.set()
    with pytest.raises(Interrupted):
        batching.finish()
    provider.states = []
    assert batching_of(store, provider).finish() == {}


def test_what_another_job_has_handed_in_is_waited_for_and_not_paid_for_again(store, provider):
    batching_of(store, provider).hand_in(requests_of(provider, "a"))
    other = batching_of(store, provider, job_of(store, "another list"))
    other.hand_in(requests_of(provider, "a", "b"))
    assert [len(ids) for ids in provider.batches.values()] == [1, 1]
    assert other.finish() == {}
    assert store.recall("a") is not None
    assert calls(store, 2) == (250, 0, 0)


def test_a_job_that_runs_elsewhere_keeps_its_batch(store, provider):
    batching_of(store, provider).hand_in(requests_of(provider, "a"))
    other = batching_of(store, provider, job_of(store, "another list"))
    with store.lock_job(1):
        other.hand_in(requests_of(provider, "a"))
    assert len(provider.batches) == 2


# ── a whole job ─────────────────────────────────────────────────────────────────────────────────────────────────────


def engine_for(store, **more):
    engine = Engine(store=store, mode="sequential", batch_poll_s=0.001, **more)
    engine.ask = lambda steps, stop: ask(steps.gi_frame.f_locals["flow"], False)
    return engine


def analysing(provider, *, changing=False, name_of=str):
    seen = iter(range(1_000_000))

    def recipe(item):
        answer = yield provider.request(f"{item.key}{next(seen)}" if changing else name_of(item.key))
        return {"ok": answer.data["ok"]}

    return Pipeline("p", recipe, ("ok",), services=(provider.service,))


def run(engine, pipeline, job):
    tally = Tally()
    engine.run(pipeline, job, Stop(), tally)
    return tally


SIX = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
def parts_of_two(monkeypatch):
    monkeypatch.setattr("enricher.batching.MOST_WAITING_BYTES", 20)


@pytest.mark.usefixtures("parts_of_two")
def test_what_two_parts_wait_for_is_handed_in_once(store, provider):
    job = job_of(store, items=SIX)
    with engine_for(store) as engine:
        tally = run(engine, analysing(provider, name_of=lambda key: "a" if key == "f" else key), job)
    assert tally.by_status == {"enriched": 6}
    assert [len(ids) for ids in provider.batches.values()] == [2, 2, 1]


@pytest.mark.usefixtures("parts_of_two")
def test_an_item_that_waited_for_another_part_is_not_handed_in_a_second_time_either(store, provider):
    """Its page is another at the second look."""
    job, looks = job_of(store, items=SIX), []

    def name_of(key):
        looks.append(key)
        return key if key != "f" else "a" if looks.count("f") == 1 else "another"

    with engine_for(store) as engine:
        tally = run(engine, analysing(provider, name_of=name_of), job)
    assert tally.by_status == {"enriched": 5, "failed": 1}
    assert [row.error for row in store.export_rows(job.id) if row.error] == [FORGOTTEN]
    assert [len(ids) for ids in provider.batches.values()] == [2, 2, 1]


@pytest.mark.usefixtures("parts_of_two")
def test_a_part_that_could_pass_the_budget_is_handed_in_when_the_others_have_come_home(store, provider):
    """Each costs half of what it could cost at most; the budget has room for what five could."""
    job = job_of(store, items=SIX)
    each = PRICE.of(CHARGE.most) // 2  # a batch costs half
    with engine_for(store) as engine:
        tally = Tally()
        engine.run(analysing(provider), job, Stop(), tally, budget=5 * each)
    assert [len(ids) for ids in provider.batches.values()] == [2, 2, 2]
    assert tally.by_status == {"enriched": 6}


@pytest.mark.usefixtures("parts_of_two")
def test_where_the_budget_has_no_room_at_all_what_was_handed_in_is_brought_home_first(store, provider):
    job = job_of(store, items=SIX)
    each = PRICE.of(CHARGE.most) // 2
    with engine_for(store) as engine, pytest.raises(BudgetSpent):
        engine.run(analysing(provider), job, Stop(), Tally(), budget=3 * each)
    assert store.counts(job.id).items_by_status == {"enriched": 4, "deferred": 2}  # two at a time had room
    with engine_for(store) as engine:
        assert run(engine, analysing(provider), job).by_status == {"enriched": 2}
    assert [len(ids) for ids in provider.batches.values()] == [2, 2, 2]


@pytest.mark.parametrize("recalls", [True, False])
def test_a_deferred_item_runs_again_and_finds_its_answer(store, provider, recalls):
    job = job_of(store, items=("a", "b"))
    with engine_for(store, recalls=recalls) as engine:
        tally = run(engine, analysing(provider), job)
    assert tally.by_status == {"enriched": 2}
    assert tally.done == 2
    assert len(provider.batches) == 1


def test_an_answer_that_is_forgotten_is_not_paid_for_again_and_again(store, provider):
    job = job_of(store)
    with engine_for(store) as engine:
        tally = run(engine, analysing(provider, changing=True), job)
    assert len(provider.batches) == 1
    assert tally.by_status == {"failed": 1}
    (row,) = store.export_rows(job.id)
    assert row.error == FORGOTTEN


def test_a_failed_item_has_one_turn_in_a_run(store, provider):
    turns = []

    def recipe(item):
        turns.append(item.key)
        if item.key == "bad":
            raise RuntimeError
        answer = yield provider.request(item.key)
        return {"ok": answer.data["ok"]}

    job = job_of(store, items=("bad", "a"))
    with engine_for(store) as engine:
        tally = run(engine, Pipeline("p", recipe, ("ok",), services=(provider.service,)), job)
    assert turns == ["bad", "a", "a"]
    assert (tally.done, tally.by_status) == (2, {"failed": 1, "enriched": 1})


def test_what_was_handed_in_is_collected_without_being_asked_for_in_batches(store, provider):
    """Begun with --batch, gone on with without it."""
    job = job_of(store)
    batching_of(store, provider, job).hand_in(requests_of(provider, "a"))
    with engine_for(store) as engine:
        run(engine, analysing(provider), job)
    assert len(provider.batches) == 1
