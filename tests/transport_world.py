"""Both transports behind one face, and what both must make of the same server: the cases, and the promises.

The exchange tells causes to people and counts attempts by them, so the same failure must read the same in every mode. So
each case stands here once and runs over both; a transport's own test file holds what only that transport can do.
"""

import asyncio
import contextlib
import gzip
import itertools
import logging
import os
import socket
import threading
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

import pytest
from servers import PATIENCE_S, TEST_CERTIFICATE, Server, Talk, always, proxy, reply, tls_context

from enricher.errors import TransportError
from enricher.model import KeyPlace, Request, Service
from enricher.transports.pooled import PooledTransport
from enricher.transports.streaming import StreamingTransport

KEY = "s3cret/+key"
SHORT_S = 0.3
"""The time-out where a case is about a time-out, seconds."""

MOST_BYTES = 20_000
"""The size cap of a case, bytes; a bomb swells to far more."""


class Pooled:
    """The pooled transport."""

    def __init__(self, keys=None, slots=1, **more):
        self.transport = PooledTransport(keys or {}, slots, **more)

    def send(self, request):
        return self.transport.send(request)

    def send_all(self, requests):
        """Send them at once; what each gave: its response or its error."""
        given = [None] * len(requests)

        def send(number, request):
            try:
                given[number] = self.transport.send(request)
            except TransportError as error:
                given[number] = error

        threads = [threading.Thread(target=send, args=each) for each in enumerate(requests)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return given

    def close(self):
        self.transport.close()

    end = close


class Streaming:
    """The streaming transport, in a loop of its own."""

    def __init__(self, keys=None, slots=1, **more):
        self.runner = asyncio.Runner()
        self.transport = StreamingTransport(keys or {}, slots, **more)

    def send(self, request):
        return self.runner.run(self.transport.send(request))

    def send_all(self, requests):
        """Send them at once; what each gave: its response or its error."""

        async def send_all():
            return await asyncio.gather(*map(self.transport.send, requests), return_exceptions=True)

        return self.runner.run(send_all())

    def close(self):
        self.runner.run(self.transport.close())

    def end(self):
        """End the loop as well."""
        self.close()
        self.runner.close()


@contextlib.contextmanager
def opened(kind, **more):
    """A transport of this kind, closed in the end."""
    wire = kind(**more)
    try:
        yield wire
    finally:
        wire.end()


def service_at(url, **more):
    return Service("films", url, **{"timeout_s": PATIENCE_S, "max_bytes": MOST_BYTES, **more})


def with_key_in_query(key):
    return KeyPlace(params={"api_key": key})


def with_key_in_header(key):
    return KeyPlace(headers={"Authorization": f"Bearer {key}"})


def get(url, path="/movie/1", params=None, **more):
    return Request(service_at(url, **more), path, params or {})


def told(wire, request):
    """What a request gives: its status and body, or the cause of its failure."""
    try:
        response = wire.send(request)
    except TransportError as error:
        return error.cause
    return response.status, response.body


def closed_port():
    """A port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def complain(listener):
    """Answer whatever comes as a server does that expects HTTP: a handshake need not hold the line end it waits for."""
    sock, _ = listener.accept()
    with sock:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


# ── the cases ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Case:
    """What a server does with the first request of a connection, and what that must give."""

    name: str
    answer: Callable[[Talk], None]
    gives: str | tuple[int, bytes]
    timeout_s: float = PATIENCE_S


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FILM = b'{"title": "Stalker"}'
BOMB = gzip.compress(bytes(100 * MOST_BYTES))
GZIP_CHUNKED = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BOMB)
LOST, LATE, LARGE = "connection lost", "timeout", "too large"


def saying(data, *, then):
    """Sends these bytes, then closes, resets or hangs."""

    def answer(talk):
        talk.send(data)
        then(talk)

    return answer


def dripping(data):
    """Sends these bytes at once, then one more now and then, for ever: no single read takes long."""

    def answer(talk):
        talk.send(data)
        while not talk.server.ending.wait(SHORT_S / 10):
            talk.send(b"x")

    return answer


def pouring(data, piece):
    """Sends these bytes, then one piece after the other for as long as anybody reads."""

    def answer(talk):
        talk.send(data)
        while not talk.server.ending.is_set():
            talk.send(piece)

    return answer


def encoded(how, body, **more):
    return always(reply(body, Content_Encoding=how, **more))


def _raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CASES = [
    Case("a whole answer", always(reply(FILM)), (200, FILM)),
    Case("an empty answer", always(reply(b"")), (200, b"")),
    Case("no content", always(HEAD.replace(b"200 OK", b"204 No Content") + b"\r\n"), (204, b"")),
    Case("an error with a body", always(reply(b"no", status="404 Not Found")), (404, b"no")),
    Case("an error of the server", always(reply(b"oh", status="503 Service Unavailable")), (503, b"oh")),
    Case("a status that nobody knows", always(reply(FILM, status="299 Odd")), (299, FILM)),
    Case("a status without words", always(reply(FILM, status="200")), (200, FILM)),
    Case("in chunks", always(CHUNKED + b"4\r\nwide\r\n5\r\nworld\r\n0\r\n\r\n"), (200, b"wideworld")),
    Case("until the connection ends", saying(HEAD + b"\r\n" + FILM, then=Talk.close), (200, FILM)),
    Case("gzip", encoded("gzip", gzip.compress(FILM)), (200, FILM)),
    Case("gzip in upper case", encoded("GZIP", gzip.compress(FILM)), (200, FILM)),
    Case("deflate", encoded("deflate", zlib.compress(FILM)), (200, FILM)),
    Case("deflate without a head", encoded("deflate", _raw_deflate(FILM)), (200, FILM)),
    Case("as large as allowed", always(reply(b"x" * MOST_BYTES)), (200, b"x" * MOST_BYTES)),
    Case("one byte too large", always(reply(b"x" * (MOST_BYTES + 1))), LARGE),
    Case("endless", pouring(HEAD + b"\r\n", b"x" * 4096), LARGE),
    Case("endless in chunks", pouring(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"), LARGE),
    Case("a bomb", encoded("gzip", BOMB), LARGE),
    Case("a bomb in chunks", always(HEAD + GZIP_CHUNKED + BOMB + b"\r\n0\r\n\r\n"), LARGE),
    Case("a body that is cut short", saying(reply(FILM, length=999), then=Talk.close), LOST),
    Case("chunks that are cut short", saying(CHUNKED + b"4\r\nwide\r\n", then=Talk.close), LOST),
    Case("a chunk that is cut short", saying(CHUNKED + b"9\r\nwide", then=Talk.close), LOST),
    Case("a chunk without a size", saying(CHUNKED + b"zz\r\nwide\r\n", then=Talk.close), LOST),
    Case("gzip that is none", encoded("gzip", b"this was never compressed"), LOST),
    Case("deflate that is none", encoded("deflate", b"\xff\xff\xff this was never compressed"), LOST),
    Case("a reset before the answer", Talk.reset, LOST),
    Case("a reset within the answer", saying(reply(FILM, length=999), then=Talk.reset), LOST),
    Case("a close before the answer", Talk.close, LOST),
    Case("a close where a body should be", saying(HEAD + b"\r\n", then=Talk.close), LOST),
    Case("a close within the headers", saying(HEAD + b"Content-Le", then=Talk.close), LOST),
    Case("not HTTP at all", saying(b"220 mail.test ESMTP ready\r\n", then=Talk.close), LOST),
    Case("no number for a status", saying(b"HTTP/1.1 two hundred\r\n\r\n", then=Talk.close), LOST),
    Case("a header of 30 KB", always(reply(FILM, Content_Security_Policy="x" * 30_000)), (200, FILM)),
    Case("a header of 100 KB", saying(reply(FILM, Content_Security_Policy="x" * 100_000), then=Talk.close), LOST),
    Case("a redirect", always(reply(b"", status="302 Found", Location="/elsewhere")), (302, b"")),
    Case("silence", Talk.hang, LATE, timeout_s=SHORT_S),
    Case("silence within the headers", saying(HEAD, then=Talk.hang), LATE, timeout_s=SHORT_S),
    Case("silence within the body", saying(reply(b"wi", length=99), then=Talk.hang), LATE, timeout_s=SHORT_S),
    Case("a dripped header", dripping(HEAD + b"X-Long: "), LATE, timeout_s=SHORT_S),
    Case("a dripped body", dripping(reply(b"", length=99_999)), LATE, timeout_s=SHORT_S),
    Case("a dripped body without a length", dripping(HEAD + b"\r\n"), LATE, timeout_s=SHORT_S),
]


# ── the promises ────────────────────────────────────────────────────────────────────────────────────────────────────

# The name of the test certificate in a folder of trusted ones: the hash of its subject (`openssl x509 -hash`).
CERTIFICATE_HASH = "ce275665.0"

CANT_BE_SENT = {
    "no address": {"url": ""},
    "no scheme": {"url": "films.test/3"},
    "no host": {"url": "http://"},
    "another scheme": {"url": "ftp://films.test"},
    "a blank": {"url": "http://films test"},
    "half an IPv6 address": {"url": "http://[::1"},
    "no such port": {"url": "http://127.0.0.1:99999"},
    "a header of two lines": {"headers": {"X-Odd": "a\r\nX-Evil: b"}},
    "a header that no wire carries": {"headers": {"X-Odd": "☃"}},
}

NO_PROXIES = {
    "of a strange kind": "socks5://127.0.0.1:1",
    "without a host": "http://",
    "with half a host": "http://[",
    "at no port": "http://127.0.0.1:99999",
}


class Promises:
    """What both transports promise. A test class of each transport's own file inherits these with its `kind`."""

    kind: type

    @pytest.fixture(autouse=True)
    def _plain_environment(self, monkeypatch):
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
                monkeypatch.delenv(name)

    @pytest.fixture
    def wire(self):
        with opened(self.kind) as wire:
            yield wire

    @pytest.fixture
    def safe(self, tmp_path):
        """A server over TLS, and the certificate that vouches for it."""
        context, certificate = tls_context(tmp_path)
        with Server(always(reply(FILM)), tls=context) as server:
            yield server, certificate

    # what a server does, and what we call it

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_what_a_server_does_is_told_in_our_words_by_one_arrival_and_the_next_request_is_well(self, case, wire):
        """The only slot was given back, and no connection is taken for well that is not."""

        def answer(talk):
            (case.answer if talk.number == 1 else always(reply(b"later")))(talk)

        with Server(answer) as server:
            assert told(wire, get(server.url, timeout_s=case.timeout_s)) == case.gives
            assert len(server.asked) == 1
            assert told(wire, get(server.url)) == (200, b"later")

    def test_nobody_at_the_door_is_a_lost_connection(self, wire):
        assert told(wire, get(f"http://127.0.0.1:{closed_port()}")) == LOST

    def test_a_handshake_that_never_ends_is_a_timeout(self, wire):
        with socket.create_server(("127.0.0.1", 0)) as listener:  # it takes the connection, and says nothing
            assert told(wire, get(f"https://127.0.0.1:{listener.getsockname()[1]}", timeout_s=SHORT_S)) == LATE

    @pytest.mark.parametrize("trouble", CANT_BE_SENT.values(), ids=CANT_BE_SENT)
    def test_what_cant_be_sent_never_leaves(self, trouble, wire):
        with Server(always(reply())) as server:
            assert told(wire, get(**{"url": server.url, **trouble})) == "not allowed"
            assert server.asked == []

    @pytest.mark.parametrize("key", ["two\nlines", "☃"])
    def test_a_key_that_no_header_can_carry_never_leaves(self, key):
        with Server(always(reply())) as server, opened(self.kind, keys={"films": key}) as wire:
            assert told(wire, get(server.url, place_key=with_key_in_header)) == "not allowed"
            assert server.asked == []

    # what arrives there and here

    def test_a_request_arrives_as_it_was_meant(self, wire):
        service = {"headers": {"Accept-Language": "de"}}
        with Server(always(reply())) as server:
            told(wire, get(server.url + "/3", "/search/movie", {"query": "L'été & ½", "page": "2"}, **service))
            told(wire, replace(get(server.url, "/batch"), method="POST", body=b'{"all": 1}'))
        first, second = server.asked
        assert (first.method, first.target) == ("GET", "/3/search/movie?query=L%27%C3%A9t%C3%A9+%26+%C2%BD&page=2")
        assert first.headers["accept-language"] == "de"
        assert first.headers["accept-encoding"] == "gzip, deflate"
        assert first.headers["user-agent"].startswith("enricher/")
        assert (second.method, second.target, second.body) == ("POST", "/batch", b'{"all": 1}')
        assert second.headers["content-length"] == "10"

    def test_a_path_is_not_tidied_up_on_the_way(self, wire):
        """It is what the answer is remembered by; and an id may hold an escaped slash."""
        with Server(always(reply())) as server:
            told(wire, get(server.url, "/a%2Fb/../c//d ü"))
        assert server.asked[0].target == "/a%2Fb/../c//d%20%C3%BC"

    def test_a_response_tells_its_headers_in_lower_case_and_its_times(self):
        """The clock stands still at first, so each time that is read can be told from the others."""
        times = iter(range(100, 200))
        with (
            Server(always(reply(b"{}", Retry_After="7", X_Twice="a\r\nX-Twice: b"))) as server,
            opened(self.kind, clock=lambda: next(times), wall=lambda: 5.0) as wire,
        ):
            response = wire.send(get(server.url, timeout_s=1000.0))
        assert (response.headers["retry-after"], response.headers["x-twice"]) == ("7", "b")
        assert response.sent_at == 100
        assert response.done_at > response.sent_at
        assert response.wall_at == 5.0

    def test_a_failure_tells_when_it_left_and_when_it_was_over(self):
        times = iter(range(100, 200))
        with opened(self.kind, clock=lambda: next(times)) as wire, pytest.raises(TransportError) as failed:
            wire.send(get(f"http://127.0.0.1:{closed_port()}"))
        assert failed.value.sent_at == 100
        assert failed.value.failed_at > 100

    # the key

    @pytest.mark.parametrize("params", [{}, {"language": "de"}])
    def test_a_key_in_the_query_comes_last(self, params):
        with Server(always(reply())) as server, opened(self.kind, keys={"films": KEY}) as wire:
            told(wire, get(server.url, "/movie/1", params, place_key=with_key_in_query))
        query = f"language=de&api_key={quote_plus(KEY)}" if params else f"api_key={quote_plus(KEY)}"
        assert server.asked[0].target == f"/movie/1?{query}"

    def test_a_key_in_a_header_arrives_there(self):
        with Server(always(reply())) as server, opened(self.kind, keys={"films": KEY}) as wire:
            told(wire, get(server.url, place_key=with_key_in_header))
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
        assert server.asked[0].target == "/movie/1"

    @pytest.mark.parametrize(
        ("keys", "place"), [({"films": KEY}, None), ({"books": KEY}, with_key_in_query), ({}, None)]
    )
    def test_a_key_goes_to_no_other_service_and_to_none_that_takes_none(self, keys, place):
        with Server(always(reply())) as server, opened(self.kind, keys=keys) as wire:
            told(wire, get(server.url, place_key=place))
        assert server.asked[0].target == "/movie/1"
        assert "authorization" not in server.asked[0].headers

    @pytest.mark.parametrize("place", [with_key_in_query, with_key_in_header])
    @pytest.mark.parametrize(
        "answer",
        [
            always(reply(FILM)),
            Talk.close,
            saying(b"220 mail.test ESMTP ready\r\n", then=Talk.close),
            saying(HEAD + b"Content-Length: 2\r\nA broken header\r\n\r\n{}", then=Talk.close),
            always(reply(b"", status="302 Found", Location="/elsewhere")),
            encoded("gzip", b"this was never compressed"),
        ],
        ids=["answered", "closed", "not HTTP", "a broken header", "a redirect", "a broken body"],
    )
    def test_no_error_no_log_line_and_no_repr_holds_the_key(self, place, answer, caplog):
        caplog.set_level(logging.DEBUG)
        for name in ("urllib3", "aiohttp", "asyncio", "requests"):
            caplog.set_level(logging.DEBUG, name)
        said = []
        with Server(answer) as server, opened(self.kind, keys={"films": KEY}) as wire:
            for url in (server.url, f"http://127.0.0.1:{closed_port()}", "http://127.0.0.1:99999"):
                request = get(url, place_key=place)
                said += [repr(request), repr(wire.transport)]
                try:
                    said.append(repr(wire.send(request)))
                except TransportError as error:
                    said += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        text = "\n".join([*said, caplog.text, *(record.getMessage() for record in caplog.records)])
        assert KEY not in text
        assert quote_plus(KEY) not in text

    # connections

    def test_one_session_serves_request_after_request_over_one_connection(self, wire):
        with Server(always(reply(FILM))) as server:
            assert {told(wire, get(server.url, f"/movie/{number}")) for number in range(5)} == {(200, FILM)}
            assert (len(server.asked), server.connections) == (5, 1)

    def test_no_more_connections_than_slots_and_no_fewer(self):
        """Three wait for each other, so three must be there at once; and twelve at once must not be."""
        together = threading.Barrier(3, timeout=PATIENCE_S)

        def answer(talk):
            together.wait()
            talk.send(reply(FILM))

        with Server(answer) as server, opened(self.kind, slots=3) as wire:
            given = wire.send_all([get(server.url, f"/movie/{number}") for number in range(12)])
            assert [response.body for response in given] == [FILM] * 12
            assert (len(server.asked), server.connections, server.most_open) == (12, 3, 3)

    def test_who_waits_for_a_slot_is_not_on_the_wire_yet(self, wire):
        """Else a slow answer would be the next one's time-out, and the quota would count what has not left."""
        with Server(always(reply(FILM))) as server:
            given = wire.send_all([get(server.url, f"/movie/{number}") for number in range(4)])
        spans = sorted((response.sent_at, response.done_at) for response in given)
        assert all(done_at <= sent_at for (_, done_at), (sent_at, _) in itertools.pairwise(spans))

    def test_a_request_that_is_lost_on_a_kept_connection_is_not_sent_again_behind_our_back(self, wire):
        """Both libraries would like to: then one permit would pay for two arrivals."""

        def answer(talk):
            if talk.number == 1:
                talk.send(reply(FILM))
            else:
                talk.close()

        with Server(answer) as server:
            assert told(wire, get(server.url)) == (200, FILM)
            assert told(wire, get(server.url)) == LOST
            assert [asked.connection for asked in server.asked] == [1, 1]

    def test_a_cookie_is_not_kept(self, wire):
        with Server(always(reply(Set_Cookie="who=me; Path=/"))) as server:
            url = server.url.replace("127.0.0.1", "localhost")  # from an address without a name, nobody keeps one
            told(wire, get(url))
            told(wire, get(url))
        assert "cookie" not in server.asked[1].headers

    def test_after_a_close_nothing_leaves(self, wire):
        with Server(always(reply(FILM))) as server:
            told(wire, get(server.url))
            wire.close()
            assert told(wire, get(server.url)) == LOST
            assert len(server.asked) == 1

    # the environment

    def test_no_netrc_is_read(self, wire, tmp_path, monkeypatch):
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        with Server(always(reply())) as server:
            told(wire, get(server.url))
        assert "authorization" not in server.asked[0].headers

    def test_a_proxy_of_the_environment_is_used_and_looked_up_once(self, wire, monkeypatch):
        with Server(always(reply(FILM, Connection="close"))) as server, Server(proxy) as between:
            monkeypatch.setenv("http_proxy", between.url)
            service = service_at(server.url)
            assert told(wire, Request(service, "/movie/1")) == (200, FILM)
            monkeypatch.delenv("http_proxy")
            assert told(wire, Request(service, "/movie/2")) == (200, FILM)
            assert [asked.target for asked in between.asked] == [f"{server.url}/movie/1", f"{server.url}/movie/2"]

    @pytest.mark.parametrize("spared", ["127.0.0.1", "*", "localhost, 127.0.0.1"])
    def test_no_proxy_is_heeded(self, spared, wire, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
        monkeypatch.setenv("NO_PROXY", spared)
        with Server(always(reply(FILM))) as server:
            assert told(wire, get(server.url)) == (200, FILM)

    def test_a_proxy_that_is_not_there_is_a_lost_connection(self, wire, monkeypatch):
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{closed_port()}")
        with Server(always(reply(FILM))) as server:
            assert told(wire, get(server.url)) == LOST
            assert server.asked == []

    @pytest.mark.parametrize("address", NO_PROXIES.values(), ids=NO_PROXIES)
    def test_a_proxy_that_cant_be_one_is_not_allowed(self, address, wire, monkeypatch):
        """Rather than going there without it: whoever sets a proxy has a reason."""
        monkeypatch.setenv("http_proxy", address)
        with Server(always(reply(FILM))) as server:
            assert told(wire, get(server.url)) == "not allowed"
            assert server.asked == []

    def test_tls_goes_through_a_proxy_in_a_tunnel(self, wire, safe, monkeypatch):
        server, certificate = safe
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Server(proxy) as between:
            monkeypatch.setenv("https_proxy", between.url)
            assert told(wire, get(server.url)) == (200, FILM)
            assert [asked.method for asked in between.asked] == ["CONNECT"]

    def test_a_proxy_that_opens_no_tunnel_is_a_lost_connection(self, wire, safe, monkeypatch):
        server, certificate = safe
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Server(always(reply(b"", status="407 Proxy Authentication Required"))) as between:
            monkeypatch.setenv("https_proxy", between.url)
            assert told(wire, get(server.url)) == LOST
        assert server.asked == []

    # trust

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_a_server_that_the_own_bundle_vouches_for_is_trusted(self, name, wire, safe, monkeypatch):
        server, certificate = safe
        monkeypatch.setenv(name, str(certificate))
        assert told(wire, get(server.url)) == (200, FILM)

    def test_a_bundle_may_be_a_folder(self, wire, safe, tmp_path, monkeypatch):
        folder = tmp_path / "trusted"
        folder.mkdir()
        (folder / CERTIFICATE_HASH).write_text(TEST_CERTIFICATE)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
        assert told(wire, get(safe[0].url)) == (200, FILM)

    def test_a_server_that_nobody_vouches_for_is_not_trusted_and_told_nothing(self, wire, safe):
        assert told(wire, get(safe[0].url)) == "certificate not trusted"
        assert safe[0].asked == []

    @pytest.mark.parametrize("bundle", ["nowhere.pem", "rubbish.pem", "empty"])
    def test_without_a_bundle_that_can_be_read_nobody_is_trusted(self, bundle, wire, safe, tmp_path, monkeypatch):
        (tmp_path / "rubbish.pem").write_text("no certificate")
        (tmp_path / "empty").mkdir()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / bundle))
        assert told(wire, get(safe[0].url)) == "certificate not trusted"
        assert safe[0].asked == []

    def test_a_certificate_for_another_name_is_not_trusted(self, wire, safe, monkeypatch):
        server, certificate = safe

        def astray(talk):
            """A proxy that leads every tunnel to our server."""
            talk.asked = replace(talk.asked, target=f"127.0.0.1:{server.port}")
            proxy(talk)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Server(astray) as between:
            monkeypatch.setenv("https_proxy", between.url)
            assert told(wire, get("https://films.test")) == "certificate not trusted"
        assert server.asked == []

    def test_tls_to_one_who_speaks_none_is_a_lost_connection(self, wire):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            plain = threading.Thread(target=complain, args=(listener,))
            plain.start()
            assert told(wire, get(f"https://127.0.0.1:{listener.getsockname()[1]}")) == LOST
            plain.join()
