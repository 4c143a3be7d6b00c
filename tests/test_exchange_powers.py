"""What the exchange learnt for articles: conditional requests, batches, money, one host's silence, a reason to fail."""

from dataclasses import replace

import pytest
from core_world import FILMS, HOST, QUICK, answered, asking, get, lost, names, play, play_one, world_of

from enricher.core.effects import Bill, Book, Report, Send
from enricher.core.exchange import enrich_item
from enricher.core.freshness import is_fresh, key_of, promised_s
from enricher.core.gate import Gate
from enricher.core.rehearsal import Rehearsal
from enricher.errors import ExchangeError, ServiceDown
from enricher.model import (
    Charge,
    Failed,
    Hints,
    Item,
    Lifetime,
    PerHost,
    Price,
    Refuse,
    Remembered,
    Request,
    Retry,
    Service,
    Usage,
    Window,
)

HOUR = Lifetime(found_s=3600.0, missing_s=60.0)
KEPT = Service(
    "feeds", f"https://{HOST}", lifetimes={"feed": HOUR}, keep_headers=("etag", "last-modified", "cache-control")
)
OLD = Remembered(200, b'{"id": 1}', headers={"etag": '"a"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
PRICE = Price(tokens_in=3.0, tokens_out=15.0, cached=0.3)
PAID = Charge("them", "small", PRICE, most=Usage(1_000, 500))


def feed(service=KEPT, **more):
    return get("/feed", kind="feed", service=service, **more)


def sent(played):
    return [effect.request for effect in played.effects if isinstance(effect, Send)]


def of(kind, played):
    return [effect for effect in played.effects if isinstance(effect, kind)]


# ── asking whether a memory is still good ───────────────────────────────────────────────────────────────────────────


def test_what_is_too_old_is_asked_for_with_its_etag_and_date():
    _, played = play_one(asking(feed()), world_of(answered()), recall=lambda _key: (OLD, 9_999.0))
    assert sent(played)[0].headers == {
        "If-None-Match": '"a"',
        "If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT",
    }


def test_an_unchanged_answer_is_the_old_one_and_young_again():
    unchanged = answered(304, body=b"", etag='"b"')
    outcome, _ = play_one(asking(feed()), world_of(unchanged), recall=lambda _key: (OLD, 9_999.0))
    assert outcome.record == {"found": [{"id": 1}]}
    (learnt,) = outcome.learnt
    assert learnt.remembered.body == OLD.body
    assert learnt.remembered.headers["etag"] == '"b"'
    assert learnt.remembered.headers["last-modified"] == OLD.headers["last-modified"]


def test_a_changed_answer_takes_the_place_of_the_old_one():
    outcome, _ = play_one(asking(feed()), world_of(answered(data={"id": 2})), recall=lambda _key: (OLD, 9_999.0))
    assert outcome.record == {"found": [{"id": 2}]}


def test_what_nobody_can_vouch_for_is_asked_for_plainly():
    plain = Remembered(200, b'{"id": 1}')
    _, played = play_one(asking(feed()), world_of(answered()), recall=lambda _key: (plain, 9_999.0))
    assert sent(played)[0].headers == {}


def test_a_304_that_nobody_asked_for_is_no_answer():
    outcome, _ = play_one(asking(feed()), world_of(answered(304, body=b"")))
    assert outcome.error == "HTTP 304 (1 attempt)"


def test_only_the_headers_that_a_service_keeps_are_remembered():
    outcome, _ = play_one(asking(feed()), world_of(answered(etag='"x"', set_cookie="secret=1")))
    assert outcome.learnt[0].remembered.headers == {"etag": '"x"'}


@pytest.mark.parametrize(
    ("cache_control", "age_s", "fresh"),
    [
        ("max-age=7200", 7_000, True),
        ("max-age=7200", 7_300, False),
        ("max-age=60", 3_000, True),  # our own hour holds at least
        ("public, max-age=999999999", 86_400, True),
        ("public, max-age=999999999", 86_401, False),  # a day, and no longer
        ("no-cache", 3_601, False),
    ],
)
def test_a_server_may_say_that_its_answer_is_good_for_longer(cache_control, age_s, fresh):
    known = Remembered(200, b"", headers={"cache-control": cache_control})
    assert is_fresh(known, age_s, replace(HOUR, obliging=True)) is fresh
    assert is_fresh(known, age_s, HOUR) is (age_s <= 3600)


NOON = "Wed, 25 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "promised"),
    [
        ({}, 0.0),
        ({"date": NOON, "expires": "Wed, 25 Nov 2026 14:00:00 GMT"}, 7200.0),
        ({"date": NOON, "expires": "Thu, 26 Nov 2026 14:00:00 GMT"}, 86_400.0),  # a day, and no longer
        ({"date": NOON, "expires": "Wed, 25 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"date": NOON, "expires": "0"}, 0.0),
        ({"expires": "Wed, 25 Nov 2026 14:00:00 GMT"}, 0.0),  # by whose clock?
        ({"date": NOON, "expires": "Wed, 25 Nov 2026 14:00:00 GMT", "cache-control": "max-age=60"}, 60.0),
        ({"date": NOON, "expires": "Wed, 25 Nov 2026 14:00:00 GMT", "cache-control": "private, no-cache"}, 0.0),
        *(
            ({"date": NOON, "expires": "Wed, 25 Nov 2026 14:00:00 GMT", "cache-control": forbids}, 0.0)
            for forbids in ("no-store", "NO-STORE", "No-Cache", "MAX-AGE=0", 'max-age="0"', "max-age", "max-age=soon")
        ),
        ({"cache-control": "max-age=31536000000"}, 86_400.0),
        ({"cache-control": 'public, Max-Age="60"'}, 60.0),
        ({"date": NOON, "expires": "Wed, 25 Nov 2026 14:00:00 GMT", "cache-control": "private"}, 7200.0),
    ],
)
def test_a_promise_is_in_cache_control_or_in_expires(headers, promised):
    assert promised_s(Remembered(200, b"", headers=headers)) == promised


@pytest.mark.parametrize(("status", "fresh"), [(301, True), (308, True), (302, False), (200, False)])
def test_what_moved_for_good_is_known_for_longer(status, fresh):
    assert is_fresh(Remembered(status, b""), 5_000, replace(HOUR, moved_s=9_999.0)) is fresh


def test_an_answer_may_be_known_by_another_name_than_what_was_sent():
    assert key_of(feed(known_as="the analysis")) == "the analysis"


# ── later ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["feed", "not remembered"])
def test_what_goes_into_a_batch_is_handed_over_and_not_sent(kind):
    request = get("/analysis", kind=kind, service=KEPT, later=True)
    outcome, played = play_one(asking(request), world_of(answered()))
    assert (outcome.status, outcome.handed, outcome.error) == ("deferred", request, None)
    assert sent(played) == []


def test_what_came_back_from_a_batch_is_known():
    request = feed(later=True)
    outcome, _ = play_one(asking(request), world_of(lost()), recall=lambda _key: (OLD, 1.0))
    assert outcome.status == "enriched"


def test_a_recipe_can_not_take_a_batch_for_a_failure():
    def recipe(item):
        try:
            yield feed(later=True)
        except ExchangeError:
            return {"went": "elsewhere"}

    outcome, _ = play_one(recipe, world_of(answered()))
    assert outcome.status == "deferred"


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def paid(usage=lambda response: Usage(100, 50), **more):
    service = replace(KEPT, usage=usage, **more)
    return get("/analysis", kind="feed", service=service, charge=PAID, tokens=1_500)


def test_each_attempt_is_booked_before_it_leaves_and_billed_before_it_is_reported():
    outcome, played = play_one(asking(paid()), world_of(answered(500), answered()))
    order = ["Permit", "Book", "Send", "Bill", "Report"]
    assert names(played.effects) == ["Recall", *order, "Wait", *order, "Settle"]
    assert outcome.status == "enriched"
    assert [bill.state for bill in of(Bill, played)] == ["free", "settled"]
    assert [booked.charge for booked in of(Book, played)] == [PAID, PAID]


def test_a_bill_brings_what_it_took_and_the_answer_that_was_paid_for():
    request = paid()
    _, played = play_one(asking(request), world_of(answered(data={"id": 7})))
    (bill,) = of(Bill, played)
    assert (bill.usage, bill.cost) == (Usage(100, 50), 100 * 3 + 50 * 15)
    assert (bill.learnt.key, bill.learnt.remembered.body) == (key_of(request), b'{"id": 7}')


def test_a_lost_answer_may_have_cost_what_was_booked():
    _, played = play_one(asking(paid()), world_of(lost(), answered()))
    assert [bill.state for bill in of(Bill, played)] == ["unknown", "settled"]


def test_an_answer_that_tells_no_usage_is_paid_for_at_its_worst():
    _, played = play_one(asking(paid(usage=lambda response: None)), world_of(answered()))
    (bill,) = of(Bill, played)
    assert (bill.usage, bill.cost) == (PAID.most, PAID.worst)


def test_a_useless_answer_is_paid_for_as_well_and_not_kept():
    classify = lambda request, response, data: Retry("does not fit", attempts=2)  # noqa: E731
    outcome, played = play_one(asking(paid(classify=classify)), world_of(answered()))
    assert [(bill.state, bill.cost, bill.learnt) for bill in of(Bill, played)] == [("settled", 1_050, None)] * 2
    assert outcome.error == "does not fit (2 attempts)"


def test_what_an_answer_took_corrects_what_was_reserved():
    _, played = play_one(asking(paid()), world_of(answered(429), lost(), answered()))
    assert [report.tokens for report in of(Report, played)] == [0, None, 150]


def test_the_gate_hears_what_the_headers_say():
    hints = Hints(requests=Window(7, 60.0))
    request = feed(replace(KEPT, hints=lambda response: hints))
    _, played = play_one(asking(request), world_of(answered()))
    assert of(Report, played)[0].hints is hints


# ── failing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reason_that_is_not_worth_five_attempts_gets_as_many_as_it_says():
    verdicts = iter([Retry("odd", attempts=2), Retry("other"), Retry("other"), Retry("odd", attempts=2)])
    request = get("/", service=replace(FILMS, classify=lambda *_: next(verdicts)))
    outcome, _ = play_one(asking(request), world_of(answered()))
    assert outcome.error == "odd (4 attempts)"


def test_a_service_may_have_fewer_attempts_than_others():
    outcome, _ = play_one(asking(get("/", service=replace(FILMS, attempts=2))), world_of(lost()))
    assert outcome.error == "connection lost (2 attempts)"


def test_a_recipe_may_say_why_it_fails():
    def recipe(item):
        yield get("/")
        return Failed("a PDF document, not a web page")

    outcome, _ = play_one(recipe, world_of(answered()))
    assert (outcome.status, outcome.error) == ("failed", "a PDF document, not a web page")


class Silent(Gate):
    """Has given up on everybody."""

    def ask(self, ticket, now):
        raise ServiceDown(ticket.service.name, "no answer for 120 s")


def test_a_silent_service_ends_the_job():
    with pytest.raises(ServiceDown):
        play(asking(get("/")), world_of(answered()), gate=Silent())


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (get("/", replaceable=True), "it does not answer any more"),
        (get("https://a.test/", service=Service("web", "", per_host=PerHost(2, str))), "no answer for 120 s"),
    ],
)
def test_a_silent_host_of_many_or_one_that_can_be_replaced_fails_its_request_only(request_, reason):
    """Of a host it is said what the gate says; of a service not, because that tells for how long."""
    outcome, _ = play_one(asking(request_), world_of(answered()), gate=Silent())
    assert outcome.error == f"{reason} (1 attempt)"


def test_a_replaceable_service_that_says_the_same_for_ever_is_told_by_what_it_says():
    class Refusing(Gate):
        def ask(self, ticket, now):
            raise ServiceDown(ticket.service.name, "HTTP 429, and nothing else for 120 s")

    outcome, _ = play_one(asking(get("/", replaceable=True)), world_of(answered()), gate=Refusing())
    assert outcome.error == "HTTP 429, and nothing else (1 attempt)"


def test_a_recipe_asks_elsewhere_where_a_replaceable_service_is_down():
    other = Service("other", "https://other.test")

    class OneSilent(Gate):
        def ask(self, ticket, now):
            if ticket.service.name == FILMS.name:
                raise ServiceDown(FILMS.name, "no answer for 120 s")
            return super().ask(ticket, now)

    def recipe(item):
        try:
            answer = yield get("/", replaceable=True)
        except ExchangeError:
            answer = yield Request(other, "/")
        return answer.data

    outcome, _ = play_one(recipe, world_of(answered(data={"id": 5})), gate=OneSilent())
    assert outcome.record == {"id": 5}


def test_a_request_of_the_open_web_is_its_hosts():
    request = get("https://a.test:8080/x", service=Service("web", "", per_host=PerHost(2, str)), spacing_s=3.0)
    _, played = play_one(asking(request), world_of(answered()))
    permit = played.effects[0]
    assert (permit.host, permit.spacing_s) == ("a.test:8080", 3.0)


def test_a_refusal_is_final_and_costs_nothing():
    classify = lambda request, response, data: Refuse("the account is exhausted")  # noqa: E731
    outcome, played = play_one(asking(paid(classify=classify)), world_of(answered(402)))
    assert outcome.error == "the account is exhausted (1 attempt)"
    assert of(Bill, played)[0].state == "free"


def test_an_unchanged_page_is_billed_nothing_it_did_not_take():
    rehearsal = Rehearsal(Gate(), world_of(answered(304, body=b"")), recall=lambda _key: (OLD, 9_999.0))
    played = rehearsal.play([Item("a")], lambda item: enrich_item(item, asking(paid()), QUICK))
    assert played.bills[0].state == "free"
