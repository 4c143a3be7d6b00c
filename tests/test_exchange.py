"""One request asked until it is answered or given up, and one item through its recipe: played by hand and by rehearsal."""

import pytest
from core_world import (
    FILMS,
    HOST,
    LIFETIME,
    QUICK,
    ByHand,
    answered,
    asking,
    body_of,
    detail,
    get,
    lost,
    names,
    play,
    play_one,
    remembered,
    world_of,
)
from hypothesis import given
from hypothesis import strategies as st

from enricher.core.circuit import Patience
from enricher.core.effects import Permit, Recall, Report, Send, Settle, Wait
from enricher.core.exchange import Journey, Rules, enrich_item, exchange
from enricher.core.freshness import is_fresh, key_of
from enricher.core.gate import Gate, Health, Ticket
from enricher.core.retry import Backoff
from enricher.errors import (
    CAUSES,
    GaveUp,
    Interrupted,
    KeyRefused,
    Refused,
    ServiceDown,
    TransportError,
)
from enricher.model import (
    Accept,
    Candidate,
    Compute,
    Effort,
    Found,
    Item,
    Learnt,
    Lifetime,
    NotFound,
    Remembered,
    Request,
    Service,
    Unsure,
)

ITEM = Item("stalker")
ATTEMPT = ["Permit", "Send", "Report"]
CANDIDATES = (Candidate("1", "Stalker", "1979", 61.0, "another year"),)


def misses(request, response, data):
    return Accept(missing=True) if response.status == 404 else None


KNOWS_MISSING = Service("films", f"https://{HOST}/3", classify=misses, lifetimes={"detail": LIFETIME})


def by_hand(recipe):
    return ByHand(enrich_item(ITEM, recipe, QUICK))


def of_kind(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def answers_of(*requests):
    """A recipe that keeps the answers themselves."""

    def recipe(item):
        found = []
        for request in requests:
            answer = yield request
            found += [answer]
        return {"answers": found}

    return recipe


def recall_of(known, age_s=0.0):
    return lambda _key: (known, age_s)


# ── what is asked of the world, and in which order ──────────────────────────────────────────────────────────────────


def test_an_answer_that_is_not_remembered_is_neither_recalled_nor_settled():
    outcome, played = play_one(asking(get("/search")), world_of(answered(data={"id": 7})))
    assert names(played.effects) == ATTEMPT
    assert outcome.record == {"found": [{"id": 7}]}
    assert outcome.learnt == ()


def test_an_answer_worth_remembering_is_recalled_first_and_settled_last():
    request = detail()
    outcome, played = play_one(asking(request), world_of(answered(data={"id": 7})))
    assert names(played.effects) == ["Recall", *ATTEMPT, "Settle"]
    recall, permit, send, _, settle = played.effects
    found = Remembered(200, body_of({"id": 7}))
    assert recall == Recall(key_of(request), LIFETIME)
    assert permit == Permit(FILMS, HOST)
    assert send == Send(request)
    assert settle == Settle(key_of(request), found)
    assert outcome.learnt == (Learnt(key_of(request), "detail", found),)


def test_a_fresh_memory_spares_the_wire():
    outcome, played = play_one(asking(detail()), world_of(lost()), recall=recall_of(remembered({"id": 7}), 99.0))
    assert names(played.effects) == ["Recall"]
    assert outcome.record == {"found": [{"id": 7}]}
    assert (outcome.attempts, outcome.effort.hits, outcome.learnt) == (0, 1, ())


def test_a_stale_memory_is_asked_anew():
    outcome, played = play_one(
        asking(detail()), world_of(answered(data={"id": 8})), recall=recall_of(remembered({"id": 7}), 101.0)
    )
    assert names(played.effects) == ["Recall", *ATTEMPT, "Settle"]
    assert outcome.record == {"found": [{"id": 8}]}


def test_a_remembered_miss_is_an_answer_as_a_fresh_one_is():
    """Else a resumed job would tell another story than the first run."""
    recipe = answers_of(detail(service=KNOWS_MISSING))
    fresh, _ = play_one(recipe, world_of(answered(404, {"code": 34})))
    known, _ = play_one(recipe, world_of(lost()), recall=recall_of(remembered({"code": 34}, 404, missing=True), 9.0))
    assert known.record == fresh.record
    (answer,) = known.record["answers"]
    assert (answer.status, answer.missing, answer.data) == (404, True, {"code": 34})


def test_remembered_bytes_stay_bytes():
    outcome, _ = play_one(
        answers_of(detail(expects="bytes")), world_of(lost()), recall=recall_of(Remembered(200, b"[1]"))
    )
    (answer,) = outcome.record["answers"]
    assert (answer.data, answer.body) == (None, b"[1]")


def test_requests_are_asked_one_after_the_other():
    _, played = play_one(asking(get("/search"), detail()), world_of(answered()))
    assert names(played.effects) == [*ATTEMPT, "Recall", *ATTEMPT, "Settle"]


def answer_all(flow, answers):
    flow.until_send()
    for answer in answers:
        move = flow.throw if isinstance(answer, TransportError) else flow.send
        flow.until(Send, move(answer))


# ── who leads settles, whatever happens ─────────────────────────────────────────────────────────────────────────────


def broken_judgement(request, response, data):
    raise KeyError("results")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([answered(404)], Refused),
        ([answered(500)] * 5, GaveUp),
        ([lost()] * 5, GaveUp),
        ([answered(429), *[answered(500)] * 5], GaveUp),
        ([answered(500, retry_after="400")], GaveUp),
        ([answered(401)], KeyRefused),
        ([TransportError("too large")], Refused),
    ],
    ids=["refused", "failing", "lost", "too many requests", "deadline", "key refused", "too large"],
)
def test_a_leader_that_finds_nothing_says_so(answers, error):
    """The others wait for its word: without it they would wait for ever."""
    flow = ByHand(exchange(detail(), QUICK, Journey()))
    with pytest.raises(error):
        answer_all(flow, answers)
    assert of_kind(Settle, flow.seen) == [Settle(key_of(detail()), None)]
    assert flow.seen[-1] is of_kind(Settle, flow.seen)[0]


@pytest.mark.parametrize("error", [ServiceDown("films", "no answer"), Interrupted(), ValueError("a fault of ours")])
def test_a_leader_that_gets_no_permit_says_so(error):
    flow = ByHand(exchange(detail(), QUICK, Journey()))
    flow.until(Permit, flow.send())
    assert flow.throw(error) == Settle(key_of(detail()), None)
    with pytest.raises(type(error)):
        flow.send()


def test_a_leader_whose_answer_a_service_cannot_judge_says_so():
    api = Service("films", f"https://{HOST}", classify=broken_judgement, lifetimes={"detail": LIFETIME})
    outcome, played = play_one(asking(detail(service=api)), world_of(answered()))
    assert names(played.effects) == ["Recall", "Permit", "Send", "Settle"]
    assert played.effects[-1].remembered is None
    assert outcome.error == "the recipe raised KeyError: 'results'"


def test_what_a_leader_found_after_retries_is_settled_once():
    _, played = play_one(asking(detail()), world_of(answered(500), lost(), answered(data={"id": 7})))
    assert of_kind(Settle, played.effects) == [Settle(key_of(detail()), remembered({"id": 7}))]


def test_a_flow_that_is_closed_asks_for_nothing_more():
    """It can't: its performer gives back what it held."""
    flow = ByHand(exchange(detail(), QUICK, Journey()))
    flow.until_send()
    flow.steps.close()
    assert names(flow.seen) == ["Recall", "Permit", "Send"]


# ── what an attempt reports ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "health", "pause_s", "reason"),
    [
        (answered(200), Health.ALIVE, 0.0, ""),
        (answered(200, body=b'{"cut'), Health.ALIVE, 0.0, "not JSON"),
        (answered(200, body=b"<html>"), Health.ALIVE, 0.0, "HTML or XML, not JSON"),
        (answered(404), Health.ALIVE, 0.0, "HTTP 404"),
        (answered(408), Health.ALIVE, 0.0, "HTTP 408"),
        (answered(401), Health.ALIVE, 0.0, "HTTP 401"),
        (answered(500), Health.ALIVE, 0.0, "HTTP 500"),
        (answered(501), Health.ALIVE, 0.0, "HTTP 501"),
        (answered(503), Health.ALIVE, 0.0, "HTTP 503"),
        (answered(503, retry_after="7"), Health.NO_NEWS, 7.125, "HTTP 503"),
        (answered(429), Health.NO_NEWS, 0.625, "HTTP 429"),
        (answered(429, retry_after="7"), Health.NO_NEWS, 7.125, "HTTP 429"),
        (lost(), Health.SILENT, 0.0, "connection lost"),
        (lost("unsent"), Health.FAILING, 0.0, "connection lost"),
        (lost("answered"), Health.ALIVE, 0.0, "connection lost"),
        (TransportError("timeout"), Health.SILENT, 0.0, "timeout"),
        (TransportError("connection lost", reused=True), Health.NO_NEWS, 0.0, "connection lost"),
        (TransportError("too large"), Health.NO_NEWS, 0.0, "too large"),
        (TransportError("not allowed"), Health.NO_NEWS, 0.0, "not allowed"),
    ],
    ids=lambda value: f"{value.status} {dict(value.headers)}" if hasattr(value, "status") else None,
)
def test_the_report_on(answer, health, pause_s, reason):
    recipe = asking(get("/x"))
    seen = []

    def until_reported(item):
        try:
            yield from recipe(item)
        finally:
            seen.append(item)

    flow = by_hand(until_reported)
    flow.until_send()
    report = flow.throw(answer) if isinstance(answer, TransportError) else flow.send(answer)
    assert (report.health, report.pause_s, report.reason) == (health, pytest.approx(pause_s), reason)
    flow.steps.close()
    assert seen == [ITEM]


def test_a_report_carries_its_ticket_and_its_times():
    flow = by_hand(asking(get("/x")))
    permit = flow.until(Permit, flow.send())
    ticket = Ticket(permit.service, permit.host)
    flow.send(ticket)
    report = flow.throw(TransportError("timeout", sent_at=3.0, failed_at=13.0))
    assert (report.ticket, report.sent_at, report.done_at) == (ticket, 3.0, 13.0)


# ── again ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [answered(500), answered(200, body=b'{"cut'), lost(), TransportError("timeout")])
def test_every_attempt_takes_a_permit_and_reports(answer):
    outcome, played = play_one(asking(get("/x")), world_of(answer, answer, answered()))
    assert names(played.effects) == [*ATTEMPT, "Wait", *ATTEMPT, "Wait", *ATTEMPT]
    assert (outcome.status, outcome.attempts, outcome.effort.retries) == ("enriched", 3, 2)


def test_an_item_that_stays_without_an_answer_waits_longer_each_time_and_is_given_up():
    outcome, played = play_one(asking(get("/x")), world_of(answered(500)))
    assert [wait.seconds for wait in of_kind(Wait, played.effects)] == [0.25, 0.5, 1.0, 2.0]
    assert (outcome.status, outcome.error, outcome.attempts) == ("failed", "HTTP 500 (5 attempts)", 5)


def test_the_last_reason_is_told_and_all_are_kept():
    outcome, _ = play_one(asking(detail()), world_of(answered(502), TransportError("timeout"), answered(404)))
    assert outcome.error == "HTTP 404 (3 attempts)"
    assert outcome.tries == ("detail: HTTP 502", "detail: timeout", "detail: HTTP 404")


def test_what_one_request_is_asked_to_wait_it_waits_and_a_little_more():
    _, played = play_one(asking(get("/x")), world_of(answered(500, retry_after="3"), answered()))
    assert of_kind(Wait, played.effects) == [Wait(3.25)]


@pytest.mark.parametrize("answer", [answered(429, retry_after="3"), answered(503, retry_after="3")])
def test_where_everybody_pauses_one_does_not_wait_on_his_own_as_well(answer):
    """The gate holds him back like all others."""
    _, played = play_one(asking(get("/x")), world_of(answer, answered()))
    assert names(played.effects) == ATTEMPT * 2
    assert played.sent_at == [0.0, pytest.approx(0.1 + 3.125)]


def test_a_second_429_without_a_word_pauses_for_longer():
    _, played = play_one(asking(get("/x")), world_of(answered(429), answered(429), answered()))
    assert [report.pause_s for report in of_kind(Report, played.effects)] == [0.625, 1.125, 0.0]


@pytest.mark.parametrize("answer", [answered(429), answered(429, retry_after="1"), answered(503, retry_after="1")])
def test_a_refusal_is_an_attempt_like_any_other_failure(answer):
    """Or a request that is refused for ever would be asked for ever, and hold all others up."""
    outcome, played = play_one(asking(get("/x")), world_of(*[answer] * 4, answered()))
    assert (outcome.status, played.requests, outcome.effort.retries) == ("enriched", 5, 4)
    assert names(played.effects) == ATTEMPT * 5
    outcome, played = play_one(asking(get("/x")), world_of(answer))
    assert outcome.error == f"HTTP {answer.status} (5 attempts)"
    assert (played.requests, outcome.refused_by) == (5, "films")


def test_a_pause_grows_only_to_the_next_attempt_and_only_so_far():
    """The last attempt's is short: the item has failed, and the others may have no part in it."""
    rules = Rules(lambda: 0.5, Backoff(attempts=7))
    _, played = play_one(asking(get("/x")), world_of(answered(429)), rules=rules)
    assert [report.pause_s - 0.125 for report in of_kind(Report, played.effects)] == [0.5, 1, 2, 4, 4, 4, 0.5]


def test_what_is_asked_once_may_be_refused_more_often():
    """A batch that may be taken is not handed in again; one that was refused surely was not taken."""
    rules = Rules(lambda: 0.5, Backoff(attempts=1, refusals=5))
    outcome, played = play_one(asking(get("/x")), world_of(*[answered(429)] * 4, answered()), rules=rules)
    assert (outcome.status, played.requests) == ("enriched", 5)
    outcome, played = play_one(asking(get("/x")), world_of(answered(429), answered(500)), rules=rules)
    assert outcome.error == "HTTP 500 (2 attempts)"


@pytest.mark.parametrize(
    ("attempts", "sent", "error"), [(1, 1, "HTTP 500 (1 attempt)"), (2, 2, "HTTP 500 (2 attempts)")]
)
def test_as_many_attempts_are_made_as_are_permitted(attempts, sent, error):
    rules = Rules(lambda: 0.5, Backoff(attempts=attempts))
    outcome, played = play_one(asking(get("/x")), world_of(answered(500)), rules=rules)
    assert (played.requests, outcome.error) == (sent, error)


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_request_may_have_fewer_or_more_attempts_than_others_of_its_service(attempts):
    rules = Rules(lambda: 0.5, Backoff(attempts=3))
    asked = get("/x", attempts=attempts)
    outcome, played = play_one(asking(asked), world_of(answered(500)), rules=rules)
    assert played.requests == attempts
    assert outcome.error.startswith("HTTP 500 (")


def test_each_request_of_an_item_has_its_own_attempts():
    outcome, played = play_one(asking(get("/a"), get("/b")), world_of(*[answered(500)] * 4, answered()))
    assert (outcome.status, played.requests) == ("enriched", 10)


# ── the deadline ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_is_given_up_when_its_time_is_over():
    rules = Rules(lambda: 0.5, Backoff(deadline_s=20.0))
    outcome, played = play_one(asking(get("/x")), world_of(TransportError("timeout"), after_s=10.0), rules=rules)
    assert outcome.error == "timeout; deadline of 20 s passed (2 attempts)"
    assert played.elapsed_s == pytest.approx(20.25)


def test_the_deadline_is_the_items_and_not_each_requests():
    rules = Rules(lambda: 0.5, Backoff(deadline_s=20.0))
    outcome, _ = play_one(
        asking(get("/a"), get("/b")), world_of(TransportError("timeout"), answered(), after_s=8.0), rules=rules
    )
    assert outcome.error == "timeout; deadline of 20 s passed (1 attempt)"


def test_the_waits_for_the_next_attempt_count_against_the_deadline():
    rules = Rules(lambda: 0.5, Backoff(deadline_s=20.0))
    outcome, played = play_one(asking(get("/x")), world_of(answered(500, retry_after="8")), rules=rules)
    assert outcome.error == "HTTP 500; deadline of 20 s passed (3 attempts)"
    assert of_kind(Wait, played.effects) == [Wait(8.25), Wait(8.5)]


def test_nobody_waits_for_a_moment_after_the_deadline():
    outcome, played = play_one(asking(get("/x")), world_of(answered(500, retry_after="301")))
    assert outcome.error == "HTTP 500; deadline of 300 s passed (1 attempt)"
    assert of_kind(Wait, played.effects) == []


def test_a_pause_of_all_and_the_wait_for_the_quota_do_not_count_against_the_deadline():
    """An item must not fail because the service was busy with others."""
    rules = Rules(lambda: 0.5, Backoff(deadline_s=1.0))
    outcome, played = play_one(asking(get("/x")), world_of(answered(429, retry_after="600"), answered()), rules=rules)
    assert (outcome.status, played.sent_at[-1]) == ("enriched", pytest.approx(600.225))
    assert outcome.effort.wait_s == pytest.approx(600.125)


# ── who may not be asked at all ─────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_key_ends_the_job_after_one_attempt():
    seen = []

    def world(request, before):
        seen.append(request)
        return answered(401), 0.1

    with pytest.raises(KeyRefused, match=r"^films refused the API key: HTTP 401$"):
        play(asking(get("/x")), world, items=50)
    assert len(seen) == 1


def test_a_recipe_cannot_swallow_a_refused_key():
    def careless(item):
        try:
            yield get("/x")
        except Exception:  # noqa: BLE001  # as careless as recipes come
            return {"found": False}

    with pytest.raises(KeyRefused):
        play(careless, world_of(answered(401)))


@pytest.mark.parametrize("error", [ServiceDown("films", "no answer"), Interrupted()])
def test_what_ends_the_job_leaves_the_item_pending(error):
    flow = by_hand(asking(get("/x")))
    flow.until(Permit, flow.send())
    with pytest.raises(type(error)):
        flow.throw(error)
    assert not flow.ended


IMPATIENT = Patience(failures=3, first_open_s=1.0, longest_open_s=4.0, outage_s=1000.0, silence_s=1000.0)


def test_probes_are_not_the_items_attempts():
    """Somebody has to find out whether a silent host is back; his item must not fail for it."""
    gate = Gate(patience=IMPATIENT)
    outcome, played = play_one(asking(get("/x")), world_of(*[lost("unsent")] * 12, answered()), gate=gate)
    assert (outcome.status, outcome.attempts, played.requests) == ("enriched", 13, 13)
    probes = [report.ticket for report in of_kind(Report, played.effects)][3:]
    assert len(probes) == 10
    assert len(outcome.tries) == 12


def test_a_probe_that_comes_first_backs_off_like_a_first_attempt():
    flow = by_hand(asking(get("/x")))
    flow.until(Permit, flow.send())
    probe = Ticket(FILMS, HOST)
    probe.probe = True
    flow.send(probe)
    assert flow.until(Wait, flow.send(answered(500))) == Wait(0.25)
    flow.until(Send, flow.send())
    assert flow.until(Wait, flow.send(answered(500))) == Wait(0.25)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (lost(), ""),
        (TransportError("timeout"), ""),
        (TransportError("the proxy does not answer", reached="unsent"), ": the proxy does not answer"),
        (TransportError("the answer is not HTTP"), ": the answer is not HTTP"),
    ],
)
def test_a_host_that_stays_silent_ends_the_job_and_what_stands_between_is_named(error, why):
    gate = Gate(patience=Patience(failures=3, silence_s=10.0))
    with pytest.raises(ServiceDown, match=rf"^films: no answer from {HOST} for \d+ s{why}$"):
        play(asking(get("/x")), world_of(error), items=100, workers=4, gate=gate)


# ── recipes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("conclusion", "status", "record", "score", "candidates"),
    [
        ({"id": 7}, "enriched", {"id": 7}, None, ()),
        ({}, "enriched", {}, None, ()),
        (Found({"id": 7}, 97.5), "enriched", {"id": 7}, 97.5, ()),
        (None, "not_found", None, None, ()),
        (NotFound(CANDIDATES), "not_found", None, None, CANDIDATES),
        (Unsure(CANDIDATES, 61.0), "unsure", None, 61.0, CANDIDATES),
    ],
)
def test_what_a_recipe_concludes_becomes_its_items_outcome(conclusion, status, record, score, candidates):
    def recipe(item):
        yield get("/x")
        return conclusion

    outcome, _ = play_one(recipe, world_of(answered()))
    assert (outcome.status, outcome.record, outcome.score) == (status, record, score)
    assert (outcome.candidates, outcome.error) == (candidates, None)


def raises_at_once(item):
    raise ValueError("no title")
    yield


def raises_later(item):
    answer = yield get("/x")
    return {"id": answer.data["results"]}


def yields_a_stranger(item):
    yield "https://films.test/3/movie/1"


def yields_nothing_at_all(item):
    yield


def returns_a_stranger(item):
    yield get("/x")
    return ["Stalker"]


def is_no_generator(item):
    return {"id": 7}


def forgets_to_ask(item):
    return None


def stops_iterating(item):
    raise StopIteration
    yield


@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        (raises_at_once, "the recipe raised ValueError: no title"),
        (raises_later, "the recipe raised KeyError: 'results'"),
        (yields_a_stranger, "the recipe raised TypeError: a recipe yields Request or Compute, not str"),
        (yields_nothing_at_all, "the recipe raised TypeError: a recipe yields Request or Compute, not NoneType"),
        (returns_a_stranger, "the recipe returned list, not a mapping, Found, NotFound or Unsure"),
        (
            is_no_generator,
            "the recipe raised TypeError: a recipe is a generator function, and this one returned dict",
        ),
        (
            forgets_to_ask,
            "the recipe raised TypeError: a recipe is a generator function, and this one returned NoneType",
        ),
        (stops_iterating, "the recipe raised RuntimeError: generator raised StopIteration"),
    ],
)
def test_a_recipe_that_misbehaves_spoils_its_own_item_only(recipe, error):
    def sometimes(item):
        return asking(get("/y"))(item) if item.key == "good" else recipe(item)

    played = play(sometimes, world_of(answered()), items=["bad", "good"])
    bad, good = played.outcomes
    assert (bad.status, bad.error) == ("failed", error)
    assert good.status == "enriched"


def test_a_recipe_may_do_without_an_answer():
    def content(item):
        try:
            yield get("/x")
        except Refused as error:
            return {"reason": error.reason}

    outcome, _ = play_one(content, world_of(answered(404)))
    assert (outcome.status, outcome.record) == ("enriched", {"reason": "HTTP 404"})
    assert outcome.tries == ("answer: HTTP 404",)


def test_a_recipe_may_ask_elsewhere():
    def world(request, before):
        return (answered(500) if request.path == "/first" else answered(data={"id": 7})), 0.1

    def elsewhere(item):
        try:
            answer = yield get("/first")
        except GaveUp:
            answer = yield get("/second")
        return answer.data

    outcome, _ = play_one(elsewhere, world)
    assert (outcome.record, outcome.attempts) == ({"id": 7}, 6)


def ending(how, log):
    """A recipe that stops in the middle of its work, and cleans up in this way."""

    def recipe(item):
        try:
            yield get("/x")
        finally:
            log.append("cleaned up")
            if how == "raises":
                raise RuntimeError("in the clean-up")
            if how == "asks":
                yield get("/goodbye")

    return recipe


@pytest.mark.parametrize("how", ["well", "raises", "asks"])
def test_a_recipe_whose_flow_ends_early_cleans_up_and_hides_nothing(how):
    """However badly it does so: the refused key must end the job, and a stop must stay a stop."""
    log = []
    with pytest.raises(KeyRefused):
        play(ending(how, log), world_of(answered(401)))
    flow = by_hand(ending(how, log))
    flow.until_send()
    flow.steps.close()
    assert log == ["cleaned up"] * 2


# ── work that is handed out ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_computation_is_handed_out_and_its_result_handed_in():
    work = Compute(pow, (2, 10))

    def recipe(item):
        return {"power": (yield work)}

    flow = by_hand(recipe)
    assert flow.send() is work
    flow.send(1024)
    assert flow.result.record == {"power": 1024}
    assert flow.result.effort == Effort()


@pytest.mark.parametrize("error", [TimeoutError(), ValueError("no text in it"), GaveUp("HTTP 500", 3)])
def test_what_a_computation_raises_the_recipe_is_told(error):
    def recipe(item):
        try:
            yield Compute(pow)
        except type(error) as caught:
            return {"caught": caught}

    flow = by_hand(recipe)
    flow.send()
    flow.throw(error)
    assert flow.result.record == {"caught": error}


def test_a_recipe_that_lets_its_computation_fail_spoils_its_item_only():
    def recipe(item):
        yield Compute(int, (item.key,))
        return {"number": True}

    played = play(recipe, world_of(answered()), items=["seven", "7"])
    assert [outcome.status for outcome in played.outcomes] == ["failed", "enriched"]
    assert played.outcomes[0].error.startswith("the recipe raised ValueError: invalid literal")


# ── what an item cost, and what it learnt ───────────────────────────────────────────────────────────────────────────


def test_an_outcome_tells_what_it_cost():
    """Two requests, one of them known; the other is asked three times, waits for one back-off and one pause."""

    def recall(key):
        return (remembered(), 0.0) if "/movie/1" in key else None

    outcome, _ = play_one(
        asking(detail("/movie/1"), detail("/movie/2")),
        world_of(lost(), answered(429, retry_after="2"), answered(), after_s=0.5),
        recall=recall,
    )
    assert outcome.attempts == 3
    assert outcome.tries == ("detail: connection lost", "detail: HTTP 429")
    effort = outcome.effort
    assert (effort.requests, effort.hits, effort.retries) == (3, 1, 2)
    assert effort.service_s == pytest.approx(1.5)
    assert effort.wait_s == pytest.approx(0.25 + 2.125)


def test_the_wait_for_the_quota_is_told():
    api = Service("slow", f"https://{HOST}")
    flow = by_hand(asking(get("/x", service=api)))
    flow.until(Permit, flow.send())
    ticket = Ticket(api, HOST)
    ticket.asked_at, ticket.granted_at = 10.0, 14.0
    flow.send(ticket)
    flow.until(Send, flow.send(answered(sent_at=14.0, done_at=14.5)))
    assert (flow.result.effort.wait_s, flow.result.effort.service_s) == (4.0, 0.5)


def test_a_failed_item_keeps_what_it_learnt_before():
    """So the next run starts where this one failed."""

    def world(request, before):
        return (answered(data={"id": 1}) if request.path == "/movie/1" else answered(404)), 0.1

    outcome, _ = play_one(asking(detail("/movie/1"), detail("/movie/2")), world)
    assert outcome.status == "failed"
    assert outcome.learnt == (Learnt(key_of(detail("/movie/1")), "detail", remembered({"id": 1})),)


def test_a_miss_is_learnt_as_a_miss():
    outcome, _ = play_one(asking(detail(service=KNOWS_MISSING)), world_of(answered(404, {"code": 34})))
    assert [learnt.remembered for learnt in outcome.learnt] == [remembered({"code": 34}, 404, missing=True)]


scripts = st.lists(
    st.sampled_from(
        [
            answered(),
            answered(404),
            answered(429, retry_after="1"),
            answered(500),
            answered(503, retry_after="2"),
            answered(200, body=b'{"cut'),
            answered(200, body=b"<html>"),
            *[TransportError(cause) for cause in CAUSES if cause != "the API key can't be sent"],
        ]
    ),
    min_size=1,
    max_size=7,
).map(lambda script: [*script, answered(500)])  # one that says "not now" without end would end the job


@given(scripts)
def test_whatever_comes_back_the_books_balance(script):
    """Each permit has its send and its report, each lead its word, each attempt but the last good one its reason."""
    outcome, played = play_one(asking(detail("/movie/1"), detail("/movie/2")), world_of(*script))
    count = names(played.effects).count
    assert count("Permit") == count("Send") == count("Report") == outcome.attempts == played.requests
    assert count("Recall") == count("Settle")
    assert len(outcome.tries) == outcome.attempts - len(outcome.learnt)
    assert outcome.effort.retries == outcome.attempts - count("Recall")
    assert (outcome.status == "failed") == (outcome.error is not None)
    assert outcome.status in ("enriched", "failed")


# ── keys and freshness ──────────────────────────────────────────────────────────────────────────────────────────────


def no_key_here(_key):
    raise AssertionError("the core asked where the key goes")


def test_the_core_never_touches_the_key():
    """It is the transport's alone: so no key of the cache, no outcome and no effect can hold it."""
    api = Service("films", f"https://{HOST}/3", place_key=no_key_here, lifetimes={"detail": LIFETIME})
    _, played = play_one(asking(detail(service=api, params={"language": "de"})), world_of(lost(), answered()))
    assert played.effects[0].key == f"films GET https://{HOST}/3/movie/1?language=de"


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (get("/movie/1"), f"films GET https://{HOST}/3/movie/1"),
        (get("/search", params={"query": "La Haine & co", "year": "1995"}),
         f"films GET https://{HOST}/3/search?query=La+Haine+%26+co&year=1995"),
        (get("/search", params={"query": "ハウス"}),
         f"films GET https://{HOST}/3/search?query=%E3%83%8F%E3%82%A6%E3%82%B9"),
        (get("/a b/ü?"), f"films GET https://{HOST}/3/a%20b/%C3%BC%3F"),
        (get("/page", method="POST", body=b"{}"),
         f"films POST https://{HOST}/3/page 2afb9b83f9314e5d029766197f539792"),
    ],
    ids=["path", "words", "script", "odd path", "body"],
)  # fmt: skip
def test_the_key_of(request_, key):
    assert key_of(request_) == key


words = st.text(max_size=8)
requests = st.builds(
    Request,
    st.sampled_from([FILMS, Service("films", "https://mirror.test"), Service("books", FILMS.base_url)]),
    st.sampled_from(["/movie/1", "/movie/2", "/movie"]),
    st.dictionaries(words, words, max_size=2),
    method=st.sampled_from(["GET", "POST"]),
    body=st.binary(max_size=3),
)


def asked_for(request):
    return (request.service.name, request.service.base_url, request.method, request.path, request.body)


@given(requests, requests)
def test_two_requests_have_one_key_only_if_they_ask_the_same(one, other):
    same = asked_for(one) == asked_for(other) and list(one.params.items()) == list(other.params.items())
    assert (key_of(one) == key_of(other)) == same


@pytest.mark.parametrize(
    ("missing", "age_s", "fresh"),
    [
        (False, 0.0, True),
        (False, 100.0, True),
        (False, 100.5, False),
        (True, 10.0, True),
        (True, 10.5, False),
        (False, -3600.0, True),
        (True, -3600.0, True),
    ],
)
def test_a_memory_is_fresh(missing, age_s, fresh):
    """The last two: a clock that was set back makes nothing stale."""
    assert is_fresh(remembered(missing=missing), age_s, Lifetime(found_s=100.0, missing_s=10.0)) == fresh


@pytest.mark.parametrize("answer", [answered(200, body=b"null"), answered(204, body=b"")])
def test_an_answer_of_nothing_reaches_the_recipe_and_is_remembered_as_nothing(answer):
    def recipe(item):
        found = yield detail()
        return {"status": found.status, "data": found.data}

    outcome, _ = play_one(recipe, world_of(answer))
    assert outcome.record == {"status": answer.status, "data": None}
    again, played = play_one(recipe, world_of(answered(500)), recall=lambda _key: (outcome.learnt[0].remembered, 0.0))
    assert (again.record, played.requests) == (outcome.record, 0)


def test_an_answer_in_another_charset_is_remembered_in_utf_8():
    latin = answered(200, body='{"t": "Café"}'.encode("latin-1"), content_type="application/json; charset=latin1")

    def recipe(item):
        found = yield detail()
        return found.data

    outcome, _ = play_one(recipe, world_of(latin))
    assert outcome.record == {"t": "Café"}
    assert outcome.learnt[0].remembered.body == '{"t": "Café"}'.encode()


def test_a_key_that_cant_be_sent_ends_the_job_and_is_told_as_that():
    with pytest.raises(KeyRefused, match=r"^the API key for films can't be sent: it holds a line end or another"):
        play_one(asking(get("/x")), world_of(TransportError("the API key can't be sent")))
