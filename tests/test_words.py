"""What a person reads of a failure, in every mode: told as what it is, after as many attempts as can help."""

import pytest
from modes_world import MODES
from servers import Server, Talk, always, reply
from transport_world import HEAD, saying, with_key_in_header, with_key_in_query

from enricher import Item, KeyRefused, Request, Service, enrich

JSON = b'{"title": "Caf\xe9"}'


def outcomes(mode, server, items=1, keys=None, **more):
    """Each item's status and reason or data, and how many requests arrived."""

    def recipe(item):
        answer = yield Request(service, f"/{item.key}")
        return {"status": answer.status, "data": answer.data}

    service = Service("films", server.url, **{"attempts": 1, **more})
    found = enrich([Item(str(number)) for number in range(items)], recipe, mode=mode, keys=keys)
    return [(one.status, one.error or one.record) for one in found], len(server.asked)


UNREADABLE = {
    "an encoding that was not asked for": always(reply(b"x", Content_Encoding="br")),
    "more headers than are taken": always(reply(**{f"X-{each}": "x" for each in range(200)})),
    "a header is too long": always(reply(X_Long="x" * 70_000)),
    "a chunk is broken": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\ntwo\r\n{}", then=Talk.close),
    "it is cut off": saying(reply(JSON, length=99), then=Talk.reset),
    "its packed body is broken": always(reply(JSON, Content_Encoding="gzip")),
    "its length is unclear": always(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
    "it is of another version of HTTP": always(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("what", "answer"), UNREADABLE.items(), ids=UNREADABLE)
def test_an_answer_that_cant_be_read_is_told_as_that_and_not_as_silence(mode, what, answer):
    with Server(answer) as server:
        given, asked = outcomes(mode, server)
    assert given == [("failed", f"the answer can't be read: {what} (1 attempt)")]
    assert asked == 1


BODIES = {
    "null": (reply(b"null"), "enriched", {"status": 200, "data": None}, 1),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "enriched", {"status": 204, "data": None}, 1),
    "another charset": (
        reply(JSON, Content_Type="application/json; charset=iso-8859-1"),
        "enriched",
        {"status": 200, "data": {"title": "Café"}},
        1,
    ),
    "a page": (reply(b"<!DOCTYPE html>"), "failed", "HTML or XML, not JSON (1 attempt)", 1),
    "nothing": (reply(b""), "failed", "an empty body, not JSON (1 attempt)", 1),
    "half": (reply(b'{"title'), "failed", "not JSON (2 attempts)", 2),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("sent", "status", "gives", "asked"), BODIES.values(), ids=BODIES)
def test_a_body_is_judged_by_what_it_is(mode, sent, status, gives, asked):
    with Server(always(sent)) as server:
        assert outcomes(mode, server, attempts=2) == ([(status, gives)], asked)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", [with_key_in_header, with_key_in_query], ids=["header", "query"])
def test_a_key_with_a_line_end_ends_the_run_before_anything_leaves(mode, place):
    with Server(always(reply())) as server:
        with pytest.raises(KeyRefused, match="the API key for films can't be sent: it holds a line end") as refused:
            outcomes(mode, server, items=3, keys={"films": "s3cret\n"}, place_key=place)
        assert "s3cret" not in str(refused.value)
        assert server.connections == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_socks_proxy_is_told_as_what_it_is(mode, monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5h://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Server(always(reply())) as server:
        assert outcomes(mode, server) == ([("failed", "SOCKS proxies are not supported (1 attempt)")], 0)


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_cant_be_read_costs_no_other_item_anything(mode):
    """A host that answers is alive: twenty such answers in a row must not have it given up."""

    def answer(talk):
        talk.send(reply() if int(talk.asked.target[1:]) >= 20 else reply(b"x", Content_Encoding="br"))

    with Server(answer) as server:
        given, _ = outcomes(mode, server, items=25)
    assert sorted(status for status, _ in given) == ["enriched"] * 5 + ["failed"] * 20


@pytest.mark.parametrize("mode", MODES)
def test_an_attempt_after_a_lost_kept_connection_goes_over_a_new_one(mode):
    """A server that resets each connection at its second request: no other kept one may cost the next attempt as well."""

    seen = set()

    def answer(talk):
        if talk.asked.connection in seen:
            talk.reset()
        else:
            seen.add(talk.asked.connection)
            talk.send(reply())

    with Server(answer) as server:
        given, _ = outcomes(mode, server, items=4 if mode == "sequential" else 20, attempts=2)
    assert {status for status, _ in given} == {"enriched"}
