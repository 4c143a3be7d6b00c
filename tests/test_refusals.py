"""An item that is refused for ever harms only itself, and bad pages cost no good one: in every mode, over a real wire."""

import json
from collections import Counter

import pytest
from modes_world import MODES
from servers import Server, Talk, reply

from enricher import Item, Request, Service, ServiceDown, enrich
from enricher.core.circuit import Patience
from enricher.core.gate import Gate
from enricher.core.retry import Backoff
from enricher.engine import Engine
from enricher.model import PerHost
from enricher.modes.performer import Stop

QUICK = Backoff(base_s=0.002)
COUNT = 40


def lasting(trouble):
    """What a server does for ever with a bad page."""

    def answer(talk):
        match trouble:
            case "429":
                talk.send(reply(b"{}", status="429 Too Many Requests"))
            case "503 with Retry-After":
                talk.send(reply(b"{}", status="503 Busy", Retry_After="0.002"))
            case "500":
                talk.send(reply(b"oh", status="500 Internal Server Error"))
            case "cut body":
                talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
                talk.close()
            case "wrong encoding":
                talk.send(reply(b"{}", Content_Encoding="gzip"))
            case "reset":
                talk.reset()

    return answer


def outcomes_of(mode, bad, trouble, *, per_host=False, slots=8):
    """What becomes of `COUNT` items whose pages in `bad` are in trouble for ever; how often each was asked for."""
    harm, asked = lasting(trouble), Counter()

    def answer(talk):
        number = int(talk.asked.target.rpartition("/")[2])
        asked[number] += 1
        if number in bad:
            harm(talk)
        else:
            talk.send(reply(json.dumps({"is": number}).encode()))

    with Server(answer) as server:
        service = Service("web", "", per_host=PerHost(4, str)) if per_host else Service("api", server.url)
        base = server.url if per_host else ""

        def recipe(item):
            answer = yield Request(service, f"{base}/p/{item.key}")
            return answer.data

        with Engine(mode=mode, slots=slots, backoff=QUICK, gate=Gate(guard_s=0.001)) as engine:
            items = [Item(str(number)) for number in range(COUNT)]
            found = {int(outcome.item.key): outcome for outcome in engine.stream(items, recipe, Stop())}
    told = {number: (one.status, one.record, one.error, one.tries) for number, one in sorted(found.items())}
    return told, asked


@pytest.mark.parametrize(
    ("bad", "per_host"),
    [(range(8), False), (range(6), True), (range(0, COUNT, 8), True), (range(COUNT - 2, COUNT), False)],
    ids=["first", "first of one host of many", "spread", "last"],
)
@pytest.mark.parametrize("trouble", ["429", "503 with Retry-After", "500", "cut body", "wrong encoding", "reset"])
def test_bad_pages_fail_alone_after_their_attempts_and_every_mode_says_the_same(trouble, bad, per_host):
    told, asked = outcomes_of("threaded", bad, trouble, per_host=per_host)
    assert {number for number, (status, *_) in told.items() if status == "enriched"} == set(range(COUNT)) - set(bad)
    assert {asked[number] for number in bad} == {QUICK.attempts}
    for mode in set(MODES) - {"threaded"}:
        assert outcomes_of(mode, bad, trouble, per_host=per_host)[0] == told


@pytest.mark.parametrize("mode", MODES)
def test_a_service_that_refuses_everybody_ends_the_run_and_fails_no_item(mode):
    seen = []
    gate = Gate(patience=Patience(outage_s=0.2))
    with Server(lasting("429")) as server, Engine(mode=mode, slots=3, backoff=QUICK, gate=gate) as engine:
        service = Service("api", server.url)

        def recipe(item):
            yield Request(service, f"/{item.key}")

        with pytest.raises(ServiceDown, match="HTTP 429, and nothing else"):
            seen.extend(engine.stream([Item(str(number)) for number in range(COUNT)], recipe, Stop()))
    assert seen == []


@pytest.mark.parametrize("mode", MODES)
def test_a_short_list_that_is_refused_altogether_fails_no_item_and_one_that_sent_nothing_proves_nothing(mode):
    with Server(lasting("429")) as server, Engine(mode=mode, slots=3, backoff=QUICK, gate=Gate()) as engine:
        service = Service("api", server.url)

        def recipe(item):
            if item.key != "needs nothing":
                yield Request(service, f"/{item.key}")
            return {}

        seen = []
        with pytest.raises(ServiceDown, match="it refused every item: HTTP 429"):
            seen.extend(engine.stream([Item("1"), Item("2"), Item("needs nothing")], recipe, Stop()))
    assert [outcome.item.key for outcome in seen] == ["needs nothing"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lose", [Talk.reset, Talk.hang], ids=["connection lost", "timeout"])
@pytest.mark.parametrize(
    ("allowed", "sent"), [({}, 1), ({"idempotent": True}, 2), ({"idempotency_header": "X-Key"}, 2)]
)
def test_a_post_that_may_have_been_carried_out_is_sent_again_only_where_the_service_allows_it(
    mode, lose, allowed, sent
):
    keys = []

    def answer(talk):
        keys.append(talk.asked.headers.get("x-key"))
        if len(keys) == 1:
            lose(talk)
        else:
            talk.send(reply(b'{"made": 1}'))

    with Server(answer) as server:
        service = Service("api", server.url, timeout_s=0.3, **allowed)

        def recipe(item):
            answer = yield Request(service, "/orders", method="POST", body=b"{}")
            return answer.data

        (outcome,) = enrich([Item("1")], recipe, mode=mode)
    assert len(keys) == sent
    assert len(set(keys)) == 1
    assert (keys[0] is None) == ("idempotency_header" not in allowed)
    if sent == 1:
        assert "the POST may have been carried out, so it was not sent again" in outcome.error
