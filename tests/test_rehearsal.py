"""The rehearsal: a whole job on a virtual clock, with as many workers as one likes, at the price of its arithmetic."""

import random

import pytest
from core_world import (
    FILMS,
    HOST,
    LIFETIME,
    QUICK,
    answered,
    asking,
    detail,
    get,
    lost,
    most_in,
    names,
    play,
    play_one,
    remembered,
    world_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.core.circuit import Patience
from enricher.core.effects import Recall, Report
from enricher.core.exchange import enrich_item
from enricher.core.gate import Gate
from enricher.core.limits import GUARD_S
from enricher.core.rehearsal import Rehearsal
from enricher.errors import KeyRefused, TransportError
from enricher.model import Compute, Item, Lifetime, Service, Window


def api_with(*windows, **more):
    return Service("api", f"https://{HOST}", windows=windows, **more)


def by_item(kind="answer", service=FILMS):
    """A recipe that asks for each item's own thing."""

    def recipe(item):
        answer = yield get(f"/thing/{item.key}", kind=kind, service=service)
        return {"found": answer.data}

    return recipe


def slow(seconds):
    return world_of(answered(), after_s=seconds)


class CountingGate(Gate):
    """A gate that knows how often it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def ask(self, ticket, now):
        self.asked += 1
        return super().ask(ticket, now)


# ── the virtual clock ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("items", "workers", "elapsed_s"), [(1, 1, 2.0), (5, 1, 10.0), (10, 5, 4.0), (11, 5, 6.0), (3, 50, 2.0)]
)
def test_workers_share_the_time_that_the_service_takes(items, workers, elapsed_s):
    played = play(by_item(), slow(2.0), items=items, workers=workers)
    assert played.elapsed_s == pytest.approx(elapsed_s)
    assert (played.requests, len(played.outcomes)) == (items, items)


def test_nothing_to_do_takes_no_time():
    played = play(by_item(), slow(2.0), items=0, workers=3)
    assert (played.elapsed_s, played.outcomes, played.effects, played.requests) == (0.0, [], [], 0)


def test_a_back_off_moves_the_clock():
    outcome, played = play_one(asking(get("/x")), world_of(lost(), answered(), after_s=1.0))
    assert played.sent_at == [0.0, pytest.approx(1.25)]
    assert played.elapsed_s == pytest.approx(2.25)
    assert outcome.effort.service_s == pytest.approx(2.0)


def test_a_lost_attempt_is_told_with_its_virtual_times():
    _, played = play_one(asking(get("/x")), world_of(TransportError("timeout"), answered(), after_s=10.0))
    first, _ = [effect for effect in played.effects if isinstance(effect, Report)]
    assert (first.sent_at, first.done_at, first.reason) == (0.0, 10.0, "timeout")


def test_outcomes_come_when_they_are_done():
    def world(request, before):
        return answered(), 3.0 if request.path.endswith("/0") else 1.0

    played = play(by_item(), world, items=4, workers=2)
    assert [outcome.item.key for outcome in played.outcomes] == ["1", "2", "0", "3"]


def test_no_item_is_taken_before_somebody_is_free_for_it():
    """Memory must not grow with the input: so a forecast of a million rows costs no more than the workers hold."""
    taken, done = [], []

    def items():
        for number in range(50):
            taken.append(number)
            assert len(taken) - len(done) <= 3
            yield Item(str(number))

    def begin(item):
        outcome = yield from enrich_item(item, by_item(), QUICK)
        done.append(item)
        return outcome

    Rehearsal(Gate(), slow(1.0), workers=3).play(items(), begin)
    assert (len(taken), len(done)) == (50, 50)


def test_effects_are_kept_only_where_they_are_wanted():
    kept = play(by_item(), slow(1.0), items=3)
    rehearsal = Rehearsal(Gate(), slow(1.0), keep_effects=False)
    spared = rehearsal.play(
        [Item(str(number)) for number in range(3)], lambda item: enrich_item(item, by_item(), QUICK)
    )
    assert names(kept.effects) == ["Permit", "Send", "Report"] * 3
    assert spared.effects == []
    assert spared.outcomes == kept.outcomes


# ── one gate for many workers ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "windows",
    [(Window(40, 10.0),), (Window(35, 1.0),), (Window(40, 10.0), Window(35, 1.0)), (Window(1, 0.5), Window(3, 2.0))],
    ids=["40/10s", "35/s", "40/10s,35/s", "1/0.5s,3/2s"],
)
@pytest.mark.parametrize("workers", [1, 12])
@pytest.mark.parametrize("burst", [None, 5])
def test_many_workers_keep_every_window(windows, workers, burst):
    """Counted where the server counts: after a way there that is different for each request, 5xx and lost ones included."""
    chance = random.Random(7)
    ways = []

    def world(_request, before):
        ways.append(chance.uniform(0.0, GUARD_S))
        answer = answered() if before or chance.random() > 0.1 else chance.choice([answered(502), lost()])
        return answer, ways[-1] + chance.uniform(0.0, 0.1)

    played = play(by_item(service=api_with(*windows, burst=burst)), world, items=200, workers=workers)
    arrivals = sorted(sent_at + way for sent_at, way in zip(played.sent_at, ways, strict=True))
    for window in windows:
        assert most_in(window, played.sent_at) <= window.limit
        assert most_in(window, arrivals) <= window.limit
    assert [outcome.status for outcome in played.outcomes] == ["enriched"] * 200


def test_the_count_would_notice_one_request_too_many():
    """What the test above measures with."""
    assert most_in(Window(2, 1.0), [0.0, 0.5, 1.0, 1.5]) == 2
    assert most_in(Window(2, 1.0), [0.0, 0.5, 0.999]) == 3


def test_a_fixed_window_lets_its_limit_through_and_then_waits_for_the_next():
    played = play(by_item(service=api_with(Window(4, 10.0), limiter="fixed")), slow(0.5), items=10, workers=5)
    assert played.sent_at == pytest.approx([0.0] * 4 + [10.0] * 4 + [20.0] * 2)


def test_a_429_of_one_stops_all():
    def world(request, before):
        return (answered(429, retry_after="60") if request.path.endswith("/0") and not before else answered()), 0.1

    played = play(by_item(), world, items=40, workers=4)
    assert [at for at in played.sent_at if 0.1 < at < 60.0] == []
    assert len([at for at in played.sent_at if at <= 0.1]) < 40 <= len(played.sent_at)
    assert {outcome.status for outcome in played.outcomes} == {"enriched"}


def test_a_refused_key_ends_the_play():
    with pytest.raises(KeyRefused):
        play(by_item(), world_of(answered(401)), items=9, workers=3)


def test_a_job_of_thousands_costs_no_more_than_its_arithmetic():
    """Five minutes of quota, without a wait: a few questions to the gate a request, and nothing else that could wait."""
    gate = CountingGate()
    film = api_with(Window(35, 1.0), lifetimes={"detail": LIFETIME})

    def recipe(item):
        yield get(f"/search/{item.key}", service=film)
        answer = yield get(f"/movie/{item.key}", kind="detail", service=film)
        return answer.data

    played = play(recipe, slow(0.1), items=5000, workers=10, gate=gate)
    assert (len(played.outcomes), played.requests) == (5000, 10_000)
    assert 10_000 / 35 <= played.elapsed_s <= 1.07 * 10_000 / 35
    assert len(played.effects) == 5000 * (3 + 5)
    assert gate.asked <= 3 * played.requests
    assert gate.waiting() == 0


# ── one asker for many ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_many_want_is_asked_once():
    played = play(asking(detail()), slow(1.0), items=100, workers=100)
    assert played.requests == 1
    assert [outcome.record for outcome in played.outcomes] == [{"found": [{"id": 1}]}] * 100
    assert sorted(outcome.effort.hits for outcome in played.outcomes) == [0] + [1] * 99
    assert [len(outcome.learnt) for outcome in played.outcomes].count(1) == 1


def test_who_waited_for_a_leader_that_found_nothing_leads_next():
    """A refusal is not remembered: each must hear it for himself, one after the other."""
    played = play(asking(detail()), world_of(answered(404), answered(404), answered()), items=5, workers=5)
    assert [outcome.status for outcome in played.outcomes] == ["failed", "failed", *["enriched"] * 3]
    assert played.requests == 3
    assert played.sent_at == pytest.approx([0.0, 0.1, 0.2])


def test_what_was_known_before_is_not_asked():
    outcome, played = play_one(asking(detail()), world_of(lost()), recall=lambda _key: (remembered({"id": 7}), 99.0))
    assert (played.requests, outcome.record) == (0, {"found": [{"id": 7}]})


def waiting_between(*, seconds):
    """A recipe that asks for the same twice, and for something slow in between."""
    return asking(detail(), get("/slow"), detail()), slow_only(seconds)


def slow_only(seconds):
    def world(request, before):
        return answered(), seconds if request.path == "/slow" else 0.0

    return world


@pytest.mark.parametrize(("seconds", "requests"), [(99.0, 2), (101.0, 3)])
def test_what_was_learnt_ages_with_the_virtual_clock(seconds, requests):
    """Else the forecast of a long job would promise fewer requests than the job will need."""
    recipe, world = waiting_between(seconds=seconds)
    assert play_one(recipe, world)[1].requests == requests


def test_what_was_learnt_late_is_no_older_than_that():
    recipe = asking(get("/slow"), detail(), get("/slow"), detail())
    assert play_one(recipe, slow_only(60.0))[1].requests == 3


@pytest.mark.parametrize(("age_s", "requests"), [(49.0, 1), (51.0, 2), (101.0, 2)])
def test_what_was_known_before_ages_with_the_virtual_clock(age_s, requests):
    recipe, world = waiting_between(seconds=50.0)
    _, played = play_one(recipe, world, recall=lambda _key: (remembered(), age_s))
    assert played.requests == requests


def test_each_asker_judges_by_his_own_lifetime():
    patient = Service("films", FILMS.base_url, lifetimes={"detail": Lifetime(1000.0, 1000.0)})
    recipe = asking(detail(), get("/slow"), detail(service=patient), detail())
    _, played = play_one(recipe, slow_only(500.0))
    assert [effect.lifetime.found_s for effect in played.effects if isinstance(effect, Recall)] == [
        100.0,
        1000.0,
        100.0,
    ]
    assert played.requests == 3


# ── work that is handed out ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_computation_is_done_at_once():
    def recipe(item):
        power = yield Compute(pow, (2, 10))
        try:
            yield Compute(int, ("seven",))
        except ValueError:
            return {"power": power}

    outcome, played = play_one(recipe, world_of(answered()))
    assert (outcome.record, played.elapsed_s) == ({"power": 1024}, 0.0)


# ── the same story, however many tell it ────────────────────────────────────────────────────────────────────────────

faults = st.sampled_from(
    [answered(500), answered(503), answered(429, retry_after="1"), answered(200, body=b'{"cut'), lost()]
)
stories = st.lists(
    st.tuples(st.lists(faults, max_size=6), st.sampled_from([answered(), answered(404)])), min_size=1, max_size=25
)


def told(stories, workers):
    """Each item's outcome where its requests are answered as its story says, and no circuit opens over all of them."""

    def world(request, before):
        bad, end = stories[int(request.path.rpartition("/")[2])]
        return (bad[before] if before < len(bad) else end), 0.05

    gate = Gate(patience=Patience(failures=10_000))
    played = play(by_item("detail"), world, items=len(stories), workers=workers, gate=gate)
    return sorted(played.outcomes, key=lambda outcome: int(outcome.item.key)), played


@settings(deadline=None, max_examples=60)
@given(stories, st.integers(2, 12))
def test_many_workers_tell_the_story_that_one_tells(stories, workers):
    alone, _ = told(stories, 1)
    together, played = told(stories, workers)
    assert len(together) == len(stories)
    assert sum(outcome.attempts for outcome in together) == played.requests
    assert together == alone


def test_a_quota_below_ours_costs_pauses_and_no_item():
    """Somebody else uses the same key: a strict window of 5 per 10 s, where ours allows far more."""
    arrivals = []

    def world(_request, _before):
        recent = [at for at in arrivals if at > rehearsal._now - 10.0]
        if len(recent) >= 5:
            return answered(429), 0.05
        arrivals.append(rehearsal._now)
        return answered(), 0.05

    rehearsal = Rehearsal(Gate(), world, workers=10)
    played = rehearsal.play([Item(str(n)) for n in range(40)], lambda item: enrich_item(item, by_item(), QUICK))
    assert [outcome.status for outcome in played.outcomes] == ["enriched"] * 40
    assert played.elapsed_s < 3 * 40 / 5 * 10.0
