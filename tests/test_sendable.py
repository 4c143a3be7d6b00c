"""What a request may hold: a cell never changes where a request goes, and never ends the run."""

import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import Enum
from http import HTTPMethod
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from modes_world import MODES
from servers import Server, always, reply
from transport_world import CANT_BE_SENT, Pooled, Streaming, opened, service_at, told, with_key_in_header

from enricher import Item, KeyPlace, Request, Service, enrich
from enricher.core.freshness import key_of
from enricher.sendable import Unsendable, sendable
from enricher.target import target

API = Service("films", "http://127.0.0.1:1")
KEY = "s3cret"


class Words(str, Enum):  # noqa: UP042  # the kind whose `str` is its name
    ONE = "one"


def outcomes(mode, service, requests_of, items):
    """Each item's status and reason, where its recipe yields `requests_of(item)`."""

    def recipe(item):
        answer = yield requests_of(item)
        return {"status": answer.status}

    found = enrich([Item(str(number), {"it": each}) for number, each in enumerate(items)], recipe, mode=mode, keys=KEYS)
    return [(one.status, one.error) for one in sorted(found, key=lambda one: int(one.item.key))]


KEYS = {"films": KEY}


# ── where a request goes ────────────────────────────────────────────────────────────────────────────────────────────

CONNECTED: list | None = None
"""What this process has connected to or looked up, while somebody watches."""


def _watch(event, args):
    if CONNECTED is not None and event in ("socket.connect", "socket.getaddrinfo"):
        place = args[1] if event == "socket.connect" else args[:2]
        CONNECTED.append((place[0], int(place[1])))


sys.addaudithook(_watch)  # it hears of every connection, by whatever library, and can't be taken off again

EVIL = "127.0.0.2:{port}"
PIECES = st.one_of(
    st.sampled_from(
        [
            *("@", "/", "//", "\\", ":", "?", "#", "%", "%40", "%2f", "%0d%0a", "..", ".", ";", "&", "=", " ", "\t"),
            *("\r\n", "\n", "\0", "\x7f", "\u2028", "\uff0f", "\uff20", "\u3002", "\udc80", "[::1]", "user:pw@"),
            *(EVIL, "http://", "https:", ".evil.test", "evil.test/i", "X-Evil: 1", " HTTP/1.1\r\nX-Evil: 1\r\n\r\n"),
        ]
    ),
    st.text(max_size=3),
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
MAYBE = st.one_of(st.just("plain"), TEXTS)  # else one word would have almost every request refused
HOSTILE = st.tuples(TEXTS, MAYBE, TEXTS, MAYBE, st.booleans())
PLAIN = ("i", "name", "value", "header", True)


def hostile_request(service, texts):
    path, name, value, header, led = (
        text.replace("{port}", str(urlsplit(service.base_url).port)) if isinstance(text, str) else text
        for text in texts
    )
    return Request(service, f"/{path}" if led else path, {name: value}, headers={"X-Cell": header}, expects="bytes")


@pytest.mark.parametrize("mode", MODES)
def test_no_cell_leads_a_request_or_its_key_anywhere_but_to_the_service(mode):
    """The other host is this machine's as well: a request that went there would be answered, and seen."""
    global CONNECTED  # the hook can't be given an argument

    def place_key(key):
        return KeyPlace({"api_key": key}, {"Authorization": f"Bearer {key}"})

    with Server(always(reply(b""))) as server:
        service = Service("films", server.url, place_key=place_key)

        @settings(max_examples=15, deadline=None)
        @given(st.lists(HOSTILE, min_size=1, max_size=20))
        def run(cells):
            outcomes(mode, service, lambda item: hostile_request(service, item.fields["it"]), [PLAIN, *cells])

        CONNECTED = []
        try:
            run()
            places = set(CONNECTED)
        finally:
            CONNECTED = None
    assert places == {("127.0.0.1", server.port)}
    assert {asked.headers["host"] for asked in server.asked} == {f"127.0.0.1:{server.port}"}
    assert all(asked.target.startswith("/") and asked.target.isprintable() for asked in server.asked)
    assert not any("x-evil" in asked.headers for asked in server.asked)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", ["@{other}/i", "i", ".evil.test/i", ":1/i", "\\i", "", "?i=1", "http://{other}/i"])
def test_a_path_that_does_not_begin_with_a_slash_fails_its_item_with_its_name_before_anything_leaves(mode, path):
    with Server(always(reply())) as server, Server(always(reply())) as other:
        path = path.format(other=f"127.0.0.1:{other.port}")
        service = Service("films", server.url, place_key=with_key_in_header)
        paths = [path, "/well"]
        given = outcomes(mode, service, lambda item: Request(service, item.fields["it"]), paths)
        assert given == [
            ("failed", f'the path {path!a} does not begin with "/" (0 attempts)'),
            ("enriched", None),
        ]
        assert [asked.target for asked in server.asked] == ["/well"]
        assert other.connections == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_carries_no_key_anywhere(mode, status):
    with Server(always(reply())) as other:
        led_away = reply(b"", status=status, Location=f"{other.url}/i")
        with Server(always(led_away)) as server:
            service = Service("films", server.url, place_key=with_key_in_header)
            given = outcomes(mode, service, lambda _item: Request(service, "/i"), ["one"])
            assert given == [("failed", f"HTTP {status[:3]} (1 attempt)")]
        assert other.connections == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ["/", "//", "/3/", "/3"])
def test_a_slash_at_the_end_of_an_address_is_not_doubled(mode, end):
    with Server(always(reply())) as server:
        service = Service("films", f"{server.url}{end}")
        assert outcomes(mode, service, lambda _: Request(service, "/i"), [1]) == [("enriched", None)]
        assert [asked.target for asked in server.asked] == ["/3/i" if "3" in end else "/i"]


@pytest.mark.parametrize("kind", [Pooled, Streaming])
@pytest.mark.parametrize("path", ["@127.0.0.1:1/i", ".evil.test", ""])
def test_a_transport_sends_no_such_path_either(kind, path):
    with Server(always(reply())) as server, opened(kind, keys=KEYS) as wire:
        assert told(wire, Request(service_at(server.url, place_key=with_key_in_header), path)) == "not allowed"
        assert server.connections == 0


# ── what a request holds ────────────────────────────────────────────────────────────────────────────────────────────

SPELLED = {
    "text": "L'été & ½",
    "a number": 5,
    "a fraction": 2.5,
    "a decimal": Decimal("1.50"),
    "a truth": True,
    "nothing": None,
    "bytes": b"ab",
    "a list": ["a", "b c", 3, None],
    "a tuple": ("a",),
    "an empty list": [],
    "a date": date(2026, 12, 1),
    "a member": Words.ONE,
    "lines": "one\ntwo",
}


@pytest.mark.parametrize("value", SPELLED.values(), ids=SPELLED)
def test_a_parameter_is_spelled_as_requests_spells_it(value):
    """A member of an enumeration is its value, which `requests` sends as well."""
    theirs = requests.Request("GET", "http://a.test/i", params={"it": value, "page": 2}).prepare().url
    request = sendable(Request(API, "/i", {"it": value, "page": 2}))
    assert f"http://a.test{target(request)}" == theirs
    assert target(sendable(request)) == target(request)


def test_values_that_are_sent_alike_are_remembered_alike():
    assert key_of(sendable(Request(API, "/i", {"page": 5}))) == key_of(Request(API, "/i", {"page": "5"}))


def test_what_can_be_read_once_is_read_once():
    request = sendable(Request(API, "/i", {"it": (each for each in "ab")}))
    assert [target(request), target(request)] == [f"/i?{urlencode({'it': ['a', 'b']}, doseq=True)}"] * 2


class Odd:
    """Of no kind that can be sent."""


UNSENDABLE = {
    "a number for a path": ({"path": 5}, "the path 5 is an int, not text"),
    "no path": ({"path": None}, "the path None is None, not text"),
    "a list for a path": ({"path": ["/i"]}, "the path list is a list, not text"),
    "a line end in a path": ({"path": "/a\r\nX: b"}, r"the path '/a\r\nX: b' holds a control character"),
    "a NUL in a path": ({"path": "/a\0"}, r"the path '/a\x00' holds a control character"),
    "half a character in a path": ({"path": "/\udc80"}, r"the path '/\udc80' is no Unicode text"),
    "half a character": ({"params": {"it": "\udc80"}}, "the parameter it is no Unicode text"),
    "bytes that are no text": ({"params": {"it": b"\xff"}}, "the parameter it can't be spelled as text"),
    "far too many digits": ({"params": {"it": 10**5000}}, "the parameter it can't be spelled as text"),
    "a mapping": ({"params": {"it": {"a": 1}}}, "the parameter it is a dict, which can't be sent"),
    "a list of mappings": ({"params": {"it": [{}]}}, "the parameter it is a dict, which can't be sent"),
    "an object": ({"params": {"it": Odd()}}, "the parameter it is an Odd, which can't be sent"),
    "a parameter without a name": (
        {"params": {None: "a"}},
        "the name None of a parameter is None, which can't be sent",
    ),
    "parameters in a list": ({"params": ["a"]}, "the parameters are a list, not a mapping"),
    "a number for a header": ({"headers": {"X-A": 5}}, "the header X-A is an int, not text"),
    "two lines in a header": (
        {"headers": {"X-A": "a\r\nX-Evil: b"}},
        "the header X-A holds a line end or another character than printable ASCII",
    ),
    "a header without a name": ({"headers": {"": "a"}}, "the header name '' can't be sent"),
    "a host of its own": ({"headers": {"hOST": "evil.test"}}, "the header hOST is the transport's own"),
    "a length of its own": ({"headers": {"Content-Length": "3"}}, "the header Content-Length is the transport's own"),
    "headers in a list": ({"headers": ["a"]}, "the headers are a list, not a mapping"),
    "a mapping for a body": ({"body": {"a": 1}}, "the body is a dict, not bytes"),
    "two words for a method": ({"method": "GET /"}, "the method 'GET /' is no HTTP method"),
    "no method": ({"method": None}, "the method None is no HTTP method"),
    "tokens in words": ({"tokens": "5"}, "the request's tokens is a str"),
    "a long path": ({"path": "x" * 200}, f'the path \'{"x" * 78}… does not begin with "/"'),
}


@pytest.mark.parametrize(("trouble", "reason"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_cant_be_sent_is_refused_by_its_name(trouble, reason):
    with pytest.raises(Unsendable) as refused:
        sendable(replace(Request(API, "/i"), **trouble))
    assert str(refused.value) == reason


@pytest.mark.parametrize("mode", MODES)
def test_what_cant_be_sent_fails_its_item_and_nothing_else(mode):
    with Server(always(reply())) as server:
        service = Service("films", server.url)
        fields = [{}, *(trouble for trouble, _ in UNSENDABLE.values()), {}]
        given = outcomes(mode, service, lambda item: replace(Request(service, "/i"), **item.fields["it"]), fields)
        assert given == [
            ("enriched", None),
            *(("failed", f"{reason} (0 attempts)") for _, reason in UNSENDABLE.values()),
            ("enriched", None),
        ]
        assert len(server.asked) == 2


@pytest.mark.parametrize("mode", MODES)
def test_what_can_be_sent_arrives(mode):
    with Server(always(reply())) as server:
        service = Service("films", server.url)
        fields = [
            {"params": {"page": 5, "with": ["a", "b"], "none": None}},
            {"headers": {"X-A": b"1", "X-B": None}},
            {"body": "été", "method": HTTPMethod.POST},
            {"params": None, "headers": None, "body": None},
        ]
        given = outcomes(mode, service, lambda item: replace(Request(service, "/i"), **item.fields["it"]), fields)
        assert given == [("enriched", None)] * 4
        first, second, third, fourth = sorted(
            server.asked, key=lambda asked: (-len(asked.target), asked.method != "GET")
        )[:4]
        assert first.target == "/i?page=5&with=a&with=b"
        assert {second.headers.get("x-a"), third.headers.get("x-a"), fourth.headers.get("x-a")} == {"1", None}
        assert (fourth.method, fourth.body) == ("POST", "été".encode())


def test_a_request_that_holds_what_is_sent_already_is_not_made_anew():
    request = Request(API, "/i", {"it": "a"}, body=b"x")
    assert sendable(request) is request


def test_the_cases_of_the_transports_are_refused_here_as_well():
    """A header is judged by one rule, whoever looks."""
    for trouble in CANT_BE_SENT.values():
        if "headers" in trouble:
            with pytest.raises(Unsendable):
                sendable(replace(Request(API, "/i"), headers=trouble["headers"]))
