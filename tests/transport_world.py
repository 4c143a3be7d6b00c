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
import random
import resource
import socket
import threading
import traceback
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

import pytest
from servers import (
    EXPIRED_CERTIFICATE,
    FUTURE_CERTIFICATE,
    PATIENCE_S,
    TEST_CERTIFICATE,
    Server,
    Talk,
    always,
    proxy,
    reply,
    tls_context,
)

from enricher.errors import TransportError
from enricher.model import KeyPlace, Reach, Request, Service
from enricher.transports import guard
from enricher.transports.pooled import PooledTransport
from enricher.transports.streaming import StreamingTransport
from enricher.transports.translate import headers_of, route_of

KEY = "s3cret/+key"
SHORT_S = 0.3
"""The time-out where a case is about a time-out, seconds."""

MOST_BYTES = 20_000
"""The size cap of a case, bytes; a bomb swells to far more."""


class Pooled:
    """The pooled transport."""

    def __init__(self, keys=None, slots=1, **more):
        self.transport = PooledTransport(keys or {}, slots, **more)

    def send(self, request, **more):
        return self.transport.send(request, **more)

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

    def __init__(self, keys=None, slots=1, resolve=None, **more):
        self.runner = asyncio.Runner()

        async def resolve_in_a_loop(*args, **kwargs):
            return resolve(*args, **kwargs)

        self.transport = StreamingTransport(keys or {}, slots, resolve=resolve and resolve_in_a_loop, **more)

    def send(self, request, **more):
        return self.runner.run(self.transport.send(request, **more))

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


class Names:
    """A resolver that knows these names only: name → its addresses. `asked` holds what it was asked for."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked = []

    def __call__(self, host, port, **_):
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in self.names[host]
        ]


def of_the_web(url, **more):
    """A request that names its whole address."""
    fields = {name: more.pop(name) for name in ("headers", "stream") if name in more}
    return Request(service_at("", **more), url, **fields)


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
GZIP_STREAM = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
FILM = b'{"title": "Stalker"}'
NOISE = random.Random(4).randbytes(MOST_BYTES)
UNCHANGED = b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: br\r\nETag: x\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n"
BOMB = gzip.compress(bytes(100 * MOST_BYTES))
GZIP_CHUNKED = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BOMB)
LOST, LATE, LARGE, NOT_HTTP = "connection lost", "timeout", "too large", "the answer is not HTTP"
UNREADABLE = "the answer can't be read: "
ENCODED = UNREADABLE + "an encoding that was not asked for"
BROKEN = UNREADABLE + "its packed body is broken"
CHUNK = UNREADABLE + "a chunk is broken"
CUT = UNREADABLE + "it is cut off"
LENGTH = UNREADABLE + "its length is unclear"
TOO_MANY = UNREADABLE + "more headers than are taken"
TOO_LONG = UNREADABLE + "a header is too long"
VERSION = UNREADABLE + "it is of another version of HTTP"
CHANGED = UNREADABLE + "it changes the protocol"


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


def with_headers(number):
    """A film with so many headers, its length among them."""
    return reply(FILM, **{f"X-{each}": "x" for each in range(number - 1)})


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
    Case("gzip by its old name", encoded("x-gzip", gzip.compress(FILM)), (200, FILM)),
    Case("gzip in two members", encoded("gzip", gzip.compress(FILM[:9]) + gzip.compress(FILM[9:])), (200, FILM)),
    Case("gzip and padding", encoded("gzip", gzip.compress(FILM) + bytes(8)), (200, FILM)),
    Case("nothing that is said to be gzip", encoded("gzip", b""), (200, b"")),
    Case("no content that is said to be brotli", always(UNCHANGED), (304, b"")),
    Case("a word that names no packing", encoded("UTF-8", FILM), (200, FILM)),
    Case("not packed, as is said", encoded("identity", FILM), (200, FILM)),
    Case("incompressible and as large as allowed", encoded("gzip", gzip.compress(NOISE)), (200, NOISE)),
    Case("as large as allowed", always(reply(b"x" * MOST_BYTES)), (200, b"x" * MOST_BYTES)),
    Case("one byte too large", always(reply(b"x" * (MOST_BYTES + 1))), LARGE),
    Case("too large by its own word", saying(reply(b"wi", length=MOST_BYTES + 1), then=Talk.hang), LARGE),
    Case("endless", pouring(HEAD + b"\r\n", b"x" * 4096), LARGE),
    Case("endless in chunks", pouring(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"), LARGE),
    Case("a bomb", encoded("gzip", BOMB), LARGE),
    Case("a bomb in chunks", always(HEAD + GZIP_CHUNKED + BOMB + b"\r\n0\r\n\r\n"), LARGE),
    Case("a bomb of deflate", encoded("deflate", zlib.compress(bytes(100 * MOST_BYTES))), LARGE),
    Case("a bomb of members", encoded("gzip", gzip.compress(bytes(999)) * 30), LARGE),
    Case("gzip of nothing, over and over", encoded("gzip", gzip.compress(b"") * 1001), BROKEN),
    Case("gzip that is cut short", encoded("gzip", gzip.compress(FILM)[:-9]), CUT),
    Case("gzip that ends within its head", encoded("gzip", gzip.compress(FILM)[:7]), CUT),
    Case("gzip that ends within its second member", encoded("gzip", (gzip.compress(FILM) * 2)[:-9]), CUT),
    Case("deflate that is cut short", encoded("deflate", zlib.compress(FILM)[:-5]), CUT),
    Case("a packing that we never asked for", encoded("br", b"\x0b\x02\x80hello\x03"), ENCODED),
    Case("packed twice", encoded("gzip, gzip", gzip.compress(gzip.compress(FILM))), (200, FILM)),
    Case("packed in two ways", encoded("deflate, gzip", gzip.compress(zlib.compress(FILM))), (200, FILM)),
    Case("packed once and said to be twice", encoded("gzip, gzip", gzip.compress(FILM)), BROKEN),
    Case("packed twice and cut", encoded("gzip, gzip", gzip.compress(gzip.compress(FILM)[:-9])), CUT),
    Case("packed three times", encoded("gzip, gzip, gzip", FILM), ENCODED),
    Case("packed twice, once as nobody asked for", encoded("br, gzip", gzip.compress(FILM)), ENCODED),
    Case("a body that is cut short", saying(reply(FILM, length=999), then=Talk.close), CUT),
    Case("chunks that are cut short", saying(CHUNKED + b"4\r\nwide\r\n", then=Talk.close), CUT),
    Case("a chunk that is cut short", saying(CHUNKED + b"9\r\nwide", then=Talk.close), CUT),
    Case("a chunk without a size", saying(CHUNKED + b"zz\r\nwide\r\n", then=Talk.close), CHUNK),
    Case("gzip that is none", encoded("gzip", b"this was never compressed"), BROKEN),
    Case("deflate that is none", encoded("deflate", b"\xff\xff\xff this was never compressed"), BROKEN),
    Case("a reset before the answer", Talk.reset, LOST),
    Case("a reset within the answer", saying(reply(FILM, length=999), then=Talk.reset), CUT),
    Case("a close before the answer", Talk.close, LOST),
    Case("a close where a body should be", saying(HEAD + b"\r\n", then=Talk.close), CUT),
    Case("a close within the headers", saying(HEAD + b"Content-Le", then=Talk.close), CUT),
    Case("not HTTP at all", saying(b"220 mail.test ESMTP ready\r\n", then=Talk.close), NOT_HTTP),
    Case("no number for a status", saying(b"HTTP/1.1 two hundred\r\n\r\n", then=Talk.close), NOT_HTTP),
    Case("a header of 30 KB", always(reply(FILM, Content_Security_Policy="x" * 30_000)), (200, FILM)),
    Case("a header of 100 KB", saying(reply(FILM, Content_Security_Policy="x" * 100_000), then=Talk.close), TOO_LONG),
    Case("as many headers as we take", always(with_headers(99)), (200, FILM)),
    Case("one header too many", always(with_headers(100)), TOO_MANY),
    Case("far too many headers", always(with_headers(5000)), TOO_MANY),
    Case("early hints", always(HINTS + HINTS + reply(FILM)), (200, FILM)),
    Case("a length that is no number", saying(HEAD + b"Content-Length: two\r\n\r\n{}", then=Talk.close), LENGTH),
    Case("a length below nothing", saying(HEAD + b"Content-Length: -2\r\n\r\n{}", then=Talk.close), LENGTH),
    Case("two lengths", saying(reply(b"{}", Content_length="3"), then=Talk.close), LENGTH),
    Case("a length and chunks", always(reply(b"2\r\n{}\r\n0\r\n\r\n", Transfer_Encoding="chunked")), LENGTH),
    Case("a redirect", always(reply(b"", status="302 Found", Location="/elsewhere")), (302, b"")),
    Case("silence", Talk.hang, LATE, timeout_s=SHORT_S),
    Case("silence within the headers", saying(HEAD, then=Talk.hang), LATE, timeout_s=SHORT_S),
    Case("silence within the body", saying(reply(b"wi", length=99), then=Talk.hang), LATE, timeout_s=SHORT_S),
    Case("a dripped header", dripping(HEAD + b"X-Long: "), LATE, timeout_s=SHORT_S),
    Case("a dripped body", dripping(reply(b"", length=MOST_BYTES)), LATE, timeout_s=SHORT_S),
    Case("a dripped body without a length", dripping(HEAD + b"\r\n"), LATE, timeout_s=SHORT_S),
]


# ── the promises ────────────────────────────────────────────────────────────────────────────────────────────────────

# The name of the test certificate in a folder of trusted ones: the hash of its subject (`openssl x509 -hash`).
CERTIFICATE_HASH = "ce275665.0"

CANT_BE_SENT = {
    "no address": {"url": ""},
    "a header of two lines": {"headers": {"X-Odd": "a\r\nX-Evil: b"}},
    "a header that no wire carries": {"headers": {"X-Odd": "☃"}},
}

NO_PROXIES = {
    "without a host": "http://",
    "with half a host": "http://[",
    "at no port": "http://127.0.0.1:99999",
}


NOT_OF_THE_WEB = {
    "no address": "",
    "no scheme": "films.test/3",
    "a path": "/movie/1",
    "no host": "http:///movie/1",
    "a file": "file:///etc/passwd",
    "another scheme": "ftp://127.0.0.1/x",
    "a name and a password": "http://me:secret@127.0.0.1/",
    "another host behind an @": "http://films.test@127.0.0.1/",
    "a backslash": "http://films.test\\@127.0.0.1/",
    "an escape in the host": "http://127.0.0.%31/",
    "a host in another script": "http://１２７.0.0.1/",
    "a blank": "http://127.0.0.1/a b",
    "a line end": "http://127.0.0.1/a\r\nX-Evil: b",
    "a path in another script": "http://127.0.0.1/ü",
    "half an IPv6 address": "http://[::1/",
    "a scope": "http://[fe80::1%25eth0]/",
    "no such port": "http://127.0.0.1:99999/",
}

# What leads to this machine or its neighbours, or is no usual way to write a number. `{}` is the server's port.
PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("0.1.2.3", "224.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1]"),
    *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fc00::1]", "[fec0::1]", "[ff02::1]"),
    *("2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "127.0.0.1."),
    *("localhost", "LOCALHOST", "localhost.", "private.test", "sixth.test", "mapped.test", "mixed.test"),
]
NEIGHBOURS = Names(
    localhost=["127.0.0.1", "::1"],
    localhost_=["127.0.0.1"],
    private_test=["192.168.7.7"],
    sixth_test=["fe80::1%eth0"],
    mapped_test=["::ffff:10.0.0.1"],
    mixed_test=["10.0.0.1", "127.0.0.1"],
)

LINES = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]


def in_chunks(pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


STREAMS = {
    "in chunks": (CHUNKED + in_chunks(LINES) + b"0\r\n\r\n", Talk.close),
    "with a length": (reply(b"".join(LINES)), Talk.close),
    "until the connection ends": (HEAD + b"\r\n" + b"".join(LINES), Talk.close),
    "packed": (HEAD + GZIP_STREAM + in_chunks([gzip.compress(b"".join(LINES))]) + b"0\r\n\r\n", Talk.close),
}
BROKEN_STREAMS = {
    "without its last chunk": (CHUNKED + in_chunks(LINES), Talk.close, CUT),
    "cut within a chunk": (CHUNKED + in_chunks(LINES) + b"9\r\nda", Talk.close, CUT),
    "reset": (CHUNKED + in_chunks(LINES), Talk.reset, CUT),
    "shorter than its length": (reply(b"".join(LINES), length=999), Talk.close, CUT),
    "packed and cut short": (
        HEAD + GZIP_STREAM + in_chunks([gzip.compress(b"".join(LINES))[:-9]]) + b"0\r\n\r\n",
        lambda talk: None,
        CUT,
    ),
    "too large": (CHUNKED + in_chunks([b"x" * 1000] * 21), Talk.hang, LARGE),
    "a bomb": (HEAD + GZIP_STREAM + in_chunks([BOMB]), Talk.hang, LARGE),
    "silent in the middle": (CHUNKED + in_chunks(LINES), Talk.hang, LATE),
}

HOW_FAR = {
    "reset at once": (Talk.reset, "sent"),
    "closed at once": (Talk.close, "sent"),
    "silent": (Talk.hang, "sent"),
    "cut body": (saying(HEAD + b"Content-Length: 9\r\n\r\nx", then=Talk.reset), "answered"),
    "silent body": (saying(HEAD + b"Content-Length: 9\r\n\r\nx", then=Talk.hang), "answered"),
    "no gzip": (encoded("gzip", b"text"), "answered"),
    "too large": (always(reply(NOISE * 2)), "answered"),
}
"""What a server does, and how far the attempt got (`TransportError.reached`)."""

BOMBS = {
    "gzip": ("gzip", BOMB),
    "deflate": ("deflate", zlib.compress(bytes(100 * MOST_BYTES))),
    "within another packing": ("gzip, gzip", gzip.compress(BOMB)),
    "many members": ("gzip", gzip.compress(bytes(MOST_BYTES)) * 200),
}


def at(port, **more):
    """A reach that takes this port as the web's own."""
    return Reach(ports=(port,), **more)


@contextlib.contextmanager
def no_file_left():
    """This process can open no file and no socket: the lowest number that is free is beyond its limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


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

    def test_what_follows_a_body_is_neither_a_part_of_it_nor_the_next_answer(self, wire):
        """aiohttp may take it for a broken answer: it depends on what arrives together."""

        def answer(talk):
            talk.send(reply(FILM, length=9) + reply(b"evil") if talk.number == 1 else reply(b"later"))

        with Server(answer) as server:
            assert told(wire, get(server.url)) in ((200, FILM[:9]), LOST)
            assert told(wire, get(server.url)) == (200, b"later")

    def test_nobody_at_the_door_is_a_lost_connection(self, wire):
        assert told(wire, get(f"http://127.0.0.1:{closed_port()}")) == LOST

    @pytest.mark.parametrize(("answer", "reached"), HOW_FAR.values(), ids=HOW_FAR)
    def test_a_failed_attempt_says_whether_the_request_left_and_whether_a_status_line_came(self, answer, reached, wire):
        with Server(answer) as server, pytest.raises(TransportError) as failed:
            wire.send(get(server.url, timeout_s=SHORT_S))
        assert failed.value.reached == reached

    @pytest.mark.parametrize("request_", [get(f"http://127.0.0.1:{closed_port()}"), get("http://nobody.invalid")])
    def test_what_found_no_connection_was_not_sent(self, request_, wire):
        with pytest.raises(TransportError) as failed:
            wire.send(request_)
        assert failed.value.reached == "unsent"

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
            assert told(wire, get(server.url, place_key=with_key_in_header)) == "the API key can't be sent"
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

    @pytest.mark.parametrize("method", ["GET", "get", "Post", "POST", "PUT", "patch", "DELETE", "PURGE", "M-SEARCH"])
    def test_a_method_is_sent_as_it_is_written(self, method, wire):
        """RFC 9110, 9.1: it is case-sensitive."""
        with Server(always(reply(FILM))) as server:
            assert told(wire, replace(get(server.url), method=method)) == (200, FILM)
            assert told(wire, replace(get(server.url), method=method, body=b"all")) == (200, FILM)
        assert [(asked.method, asked.body) for asked in server.asked] == [(method, b""), (method, b"all")]

    def test_a_path_is_not_tidied_up_on_the_way(self, wire):
        """It is what the answer is remembered by; and an id may hold an escaped slash."""
        with Server(always(reply())) as server:
            told(wire, get(server.url, "/a%2Fb/../c//d ü"))
        assert server.asked[0].target == "/a%2Fb/../c//d%20%C3%BC"

    @pytest.mark.parametrize(
        ("raw", "meant", "quoted"),
        [
            ("/caf\u00e9".encode(), "/caf\u00e9", "/caf%C3%A9"),
            (b"/caf\xe9", "/caf\u00e9", "/caf%E9"),
            (b"/\xff\xfe", "/\u00ff\u00fe", "/%FF%FE"),
        ],
    )
    def test_a_header_s_value_is_read_as_utf_8_or_letter_for_byte_and_an_address_is_quoted(
        self, wire, raw, meant, quoted
    ):
        with Server(
            always(HEAD + b"X-Name: " + raw + b"\r\nLocation: " + raw + b"\r\nContent-Length: 0\r\n\r\n")
        ) as server:
            headers = wire.send(get(server.url)).headers
        assert (headers["x-name"], headers["location"]) == (meant, quoted)

    def test_all_cookies_of_an_answer_arrive(self, wire):
        lines = b"Set-Cookie: a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT\r\nset-cookie: b=2; Path=/\r\n"
        with Server(always(HEAD + lines + b"Content-Length: 0\r\n\r\n")) as server:
            headers = wire.send(get(server.url)).headers
        assert headers["set-cookie"] == "a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT, b=2; Path=/"

    def test_two_lines_about_a_quota_are_one_value(self, wire):
        lines = b"Retry-After: 3\r\nX-RateLimit-Reset: 4\r\nretry-after: 120\r\nETag: a\r\nETag: b\r\n"
        with Server(always(HEAD + lines + b"Content-Length: 0\r\n\r\n")) as server:
            headers = wire.send(get(server.url)).headers
        assert (headers["retry-after"], headers["x-ratelimit-reset"], headers["etag"]) == ("3, 120", "4", "b")

    @pytest.mark.parametrize(("most_bytes", "gives"), [(9, LARGE), (10, (200, b"0123456789")), (MOST_BYTES * 2, LARGE)])
    def test_a_request_allows_less_than_its_service_and_never_more(self, wire, most_bytes, gives):
        body = b"0123456789" if most_bytes <= 10 else b"x" * (MOST_BYTES + 1)
        for answer in (reply(body), HEAD + b"\r\n" + body):
            with Server(saying(answer, then=Talk.close)) as server:
                assert told(wire, replace(get(server.url), max_bytes=most_bytes)) == gives

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
            for url in (server.url, f"http://127.0.0.1:{closed_port()}"):
                request = get(url, place_key=place)
                said += [repr(request), repr(wire.transport)]
                try:
                    said.append(repr(wire.send(request)))
                except TransportError as error:
                    said += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        text = "\n".join([*said, caplog.text, *(record.getMessage() for record in caplog.records)])
        assert KEY not in text
        assert quote_plus(KEY) not in text

    # headers of a request's own

    def test_a_request_may_add_headers_and_change_those_of_its_service_but_not_the_keys(self):
        service = {"headers": {"Accept": "text/html", "X-Same": "s"}, "place_key": with_key_in_header}
        own = {"ACCEPT": "text/event-stream", "If-None-Match": '"7"', "authorization": "none", "user-agent": "mine/1"}
        with Server(always(reply())) as server, opened(self.kind, keys={"films": KEY}) as wire:
            told(wire, replace(get(server.url, **service), headers=own))
            told(wire, get(server.url, **service))
        first, second = (asked.headers for asked in server.asked)
        assert (first["accept"], first["if-none-match"], first["x-same"]) == ("text/event-stream", '"7"', "s")
        assert (first["authorization"], first["user-agent"]) == (f"Bearer {KEY}", "mine/1")
        assert (second["accept"], "if-none-match" in second) == ("text/html", False)
        request = replace(get(server.url, **service), headers=own)
        names = [name.lower() for name in headers_of(request, route_of(request.service, KEY))]
        assert len(names) == len(set(names))  # in two spellings, both would be sent

    def test_a_header_of_its_own_goes_with_a_body_as_well(self, wire):
        with Server(always(reply())) as server:
            told(wire, replace(get(server.url), method="POST", body=b"all", headers={"X-Own": "1"}))
        assert (server.asked[0].body, server.asked[0].headers["x-own"]) == (b"all", "1")

    @pytest.mark.parametrize(
        "header", [("X", "a\r\nY: b"), ("X\nY", "a"), ("X", "é"), ("", "a"), ("X:Y", "a"), ("X Y", "a")]
    )
    def test_a_header_that_cant_be_sent_never_leaves(self, header, wire):
        with Server(always(reply())) as server:
            assert told(wire, replace(get(server.url), headers=dict([header]))) == "not allowed"
            assert server.asked == []

    # streams

    @pytest.mark.parametrize(("data", "then"), STREAMS.values(), ids=STREAMS)
    def test_a_stream_is_shown_as_it_comes_and_is_one_answer_in_the_end(self, data, then):
        seen = []
        times = iter(range(100, 200))
        with (
            Server(saying(data, then=then)) as server,
            opened(self.kind, on_chunk=lambda *what: seen.append(what), clock=lambda: next(times)) as wire,
        ):
            request = replace(get(server.url, timeout_s=1000.0), stream=True)
            response = wire.send(request)
        assert (response.status, response.body) == (200, b"".join(LINES))
        assert b"".join(piece for _, piece in seen) == response.body
        assert all(asked is request and piece for asked, piece in seen)
        assert response.sent_at < response.first_byte_at < response.done_at

    def test_a_piece_is_shown_before_the_next_one_is_sent(self):
        """Else a stream would be no quicker to the eye than an ordinary answer."""
        shown = threading.Semaphore(0)

        def answer(talk):
            talk.send(CHUNKED)
            for line in LINES:
                talk.send(in_chunks([line]))
                assert shown.acquire(timeout=PATIENCE_S)
            talk.send(b"0\r\n\r\n")

        with Server(answer) as server, opened(self.kind, on_chunk=lambda *_: shown.release()) as wire:
            assert told(wire, replace(get(server.url), stream=True)) == (200, b"".join(LINES))

    @pytest.mark.parametrize(("data", "then", "cause"), BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
    def test_a_stream_that_breaks_is_no_answer_and_the_next_request_is_well(self, data, then, cause, wire):
        def answer(talk):
            (saying(data, then=then) if talk.number == 1 else always(reply(b"later")))(talk)

        with Server(answer) as server:
            limit_s = SHORT_S if cause == LATE else PATIENCE_S
            assert told(wire, replace(get(server.url, timeout_s=limit_s), stream=True)) == cause
            assert told(wire, get(server.url)) == (200, b"later")

    def test_an_ordinary_answer_is_shown_to_nobody(self):
        seen = []
        with Server(always(reply(FILM))) as server, opened(self.kind, on_chunk=lambda *_: seen.append(1)) as wire:
            assert wire.send(get(server.url)).first_byte_at is None
        assert seen == []

    def test_a_stream_needs_nobody_who_watches_and_may_be_empty(self, wire):
        with Server(always(reply(b""))) as server:
            response = wire.send(replace(get(server.url), stream=True))
        assert (response.body, response.first_byte_at) == (b"", None)

    # what a body may cost

    @pytest.mark.parametrize(("how", "packed"), BOMBS.values(), ids=BOMBS)
    def test_a_bomb_is_stopped_while_it_swells(self, how, packed, wire):
        with Server(encoded(how, packed)) as server:
            told(wire, get(server.url))
            tracemalloc.start()
            try:
                assert told(wire, get(server.url)) == LARGE
                assert tracemalloc.get_traced_memory()[1] < 50 * MOST_BYTES  # connections and threads included
            finally:
                tracemalloc.stop()

    # the open web

    @pytest.mark.parametrize(
        ("path", "arrives"),
        [
            ("", "/"),
            ("/", "/"),
            ("?u=/x", "/?u=/x"),
            ("/a?", "/a"),
            ("/a?b=?", "/a?b=?"),
            ("/a//b/../c;d=1?e=f,g#h", "/a//b/../c;d=1?e=f,g"),
            ("/%c3%bc%2f", "/%C3%BC%2F"),
            ("/100%?a=%zz&b=%20", "/100%25?a=%25zz&b=%20"),
            ('/a|b"<>^`{}\\[]', "/a%7Cb%22%3C%3E%5E%60%7B%7D%5C%5B%5D"),
            ("?a[]=1|2&b='(!*)'", "/?a%5B%5D=1%7C2&b='(!*)'"),
        ],
    )
    def test_a_whole_address_arrives_alike(self, path, arrives, wire):
        with Server(always(reply(FILM))) as server:
            assert told(wire, of_the_web(server.url.replace("http", "HTTP") + path)) == (200, FILM)
            assert (server.asked[0].target, server.asked[0].headers["host"]) == (arrives, f"127.0.0.1:{server.port}")

    @pytest.mark.parametrize("reach", [None, Reach()], ids=["open", "guarded"])
    @pytest.mark.parametrize("url", NOT_OF_THE_WEB.values(), ids=NOT_OF_THE_WEB)
    def test_what_is_no_address_of_the_web_never_leaves(self, url, reach, wire):
        assert told(wire, of_the_web(url, reach=reach)) == "not allowed"

    def test_the_open_web_knows_no_proxy_and_no_key(self, monkeypatch):
        with Server(always(reply(FILM))) as server, opened(self.kind, keys={"films": KEY}) as wire:
            for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
            for place in (with_key_in_query, with_key_in_header):
                assert told(wire, of_the_web(f"{server.url}/a", place_key=place)) == (200, FILM)
            guarded = {"reach": at(server.port, allowed=frozenset({"127.0.0.1"}))}
            assert told(wire, get(server.url, "/a", **guarded)) == (200, FILM)
        assert {asked.target for asked in server.asked} == {"/a"}
        assert KEY not in str([asked.headers for asked in server.asked])

    def test_the_open_web_trusts_whom_the_own_bundle_vouches_for_and_nobody_else(self, safe, monkeypatch):
        server, certificate = safe
        with opened(self.kind) as wire:
            assert told(wire, of_the_web(server.url)) == "certificate not trusted"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with opened(self.kind) as wire:
            assert told(wire, of_the_web(server.url)) == (200, FILM)

    # how far an address may lead

    @pytest.mark.parametrize("host", PRIVATE)
    def test_no_number_and_no_name_leads_to_this_machine_or_its_neighbours(self, host):
        with Server(always(reply())) as server, opened(self.kind, resolve=NEIGHBOURS) as wire:
            for reach in (at(server.port), at(server.port, allowed=frozenset({"other.test", "127.0.0.1:1"}))):
                assert told(wire, of_the_web(f"http://{host}:{server.port}/", reach=reach)) == "not allowed"
                assert told(wire, get(f"http://{host}:{server.port}", reach=reach)) == "not allowed"
            assert server.connections == 0

    @pytest.mark.parametrize("port", [22, 8080, 443])
    def test_a_port_out_of_reach_is_asked_for_nothing_not_even_its_name(self, port):
        names = Names(films_test=["8.8.8.8"])
        with opened(self.kind, resolve=names) as wire:
            assert told(wire, of_the_web(f"http://films.test:{port}/", reach=Reach(ports=(80,)))) == "not allowed"
            assert told(wire, of_the_web(f"http://8.8.8.8:{port}/", reach=Reach(ports=(80,)))) == "not allowed"
        assert names.asked == []

    @pytest.mark.parametrize(
        ("host", "allowed"),
        [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1:{}"),
            ("localhost", "localhost"),
            ("LocalHost", "localhost:{}"),
            ("mixed.test", "mixed.test"),
        ],
    )
    def test_what_a_person_names_is_within_reach_at_any_port(self, host, allowed):
        names = Names(localhost=["127.0.0.1"], mixed_test=["127.0.0.1"])
        with Server(always(reply(FILM))) as server, opened(self.kind, resolve=names) as wire:
            reach = Reach(allowed=frozenset({allowed.format(server.port)}))
            assert told(wire, of_the_web(f"http://{host}:{server.port}/", reach=reach)) == (200, FILM)

    @pytest.mark.parametrize("allowed", ["::1", "[::1]", "[::1]:{}", "0:0:0:0:0:0:0:1"])
    def test_an_address_of_ipv6_is_named_plain_or_in_brackets(self, allowed, wire):
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            port = listener.getsockname()[1]
            host = "[0:0:0:0:0:0:0:1]" if allowed.startswith("0") else "[::1]"
            plain = threading.Thread(target=complain, args=(listener,))
            plain.start()
            reach = Reach(allowed=frozenset({allowed.format(port)}))
            assert told(wire, of_the_web(f"http://{host}:{port}/", reach=reach))[0] == 400
            plain.join()

    def test_the_connection_goes_to_the_address_that_was_judged_and_keeps_the_name(self, monkeypatch):
        """The name tells the truth once: if it were looked up again, the answer would come from elsewhere, or not at all."""
        monkeypatch.setattr(guard, "is_public", lambda address: address == "127.0.0.1")
        names = Names(films_test=["127.0.0.2", "127.0.0.1"])
        with Server(always(reply(FILM))) as server, opened(self.kind, resolve=names) as wire:
            reach = at(server.port)
            for _ in range(3):
                assert told(wire, of_the_web(f"http://films.test:{server.port}/", reach=reach)) == (200, FILM)
                names.names["films.test"] = ["127.0.0.2"]
            assert (names.asked, server.connections) == (["films.test"], 1)
            assert {asked.headers["host"] for asked in server.asked} == {f"films.test:{server.port}"}

    def test_where_one_address_is_deaf_the_next_one_is_tried(self, monkeypatch):
        monkeypatch.setattr(guard, "is_public", lambda address: True)
        names = Names(films_test=["127.0.0.2", "127.0.0.1"])
        with Server(always(reply(FILM))) as server, opened(self.kind, resolve=names) as wire:
            assert told(wire, of_the_web(f"http://films.test:{server.port}/", reach=at(server.port))) == (200, FILM)

    def test_tls_knows_the_name_and_not_the_address(self, safe, monkeypatch):
        server, certificate = safe
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        reach = Reach(allowed=frozenset({"localhost", "films.test"}))
        names = Names(localhost=["127.0.0.1"], films_test=["127.0.0.1"])
        with opened(self.kind, resolve=names) as wire:
            assert told(wire, of_the_web(f"https://localhost:{server.port}/", reach=reach)) == (200, FILM)
            given = told(wire, of_the_web(f"https://films.test:{server.port}/", reach=reach))
        assert given == "certificate not trusted"

    def test_a_name_that_nobody_knows_is_a_lost_connection(self):
        with opened(self.kind, resolve=Names()) as wire:
            assert told(wire, of_the_web("http://films.test/", reach=Reach())) == LOST

    def test_a_name_that_cant_be_one_is_not_allowed(self, wire):
        assert told(wire, of_the_web(f"http://{'a' * 70}.test/", reach=Reach())) == "not allowed"

    def test_no_connection_is_shared_with_those_who_may_go_further(self, wire):
        with Server(always(reply(FILM))) as server:
            named = Reach(allowed=frozenset({"127.0.0.1"}))
            assert told(wire, of_the_web(server.url)) == (200, FILM)
            assert told(wire, of_the_web(server.url, reach=named)) == (200, FILM)
            assert told(wire, of_the_web(server.url, reach=at(server.port))) == "not allowed"
            assert server.connections == 2

    def test_a_redirect_is_judged_as_an_address_of_its_own(self, wire):
        """A transport follows none: whoever does asks anew, and is judged anew."""
        with Server(always(reply(b"", status="302 Found", Location="http://127.0.0.1:1/"))) as server:
            reach = at(1, allowed=frozenset({f"127.0.0.1:{server.port}"}))
            response = wire.send(of_the_web(server.url, reach=reach))
            assert told(wire, of_the_web(response.headers["location"], reach=reach)) == "not allowed"

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

    @pytest.mark.parametrize("death", [Talk.reset, Talk.close, Talk.hang], ids=["reset", "closed", "silent"])
    def test_a_kept_connection_that_is_lost_says_so_and_a_fresh_request_takes_one_place(self, death):
        """A server that restarts, or a router that forgets, drops many at once; the others are kept all the same."""
        together = threading.Barrier(3, timeout=PATIENCE_S)

        def answer(talk):
            if len(server.asked) <= 3:
                together.wait()  # so there are three connections
            elif len(server.asked) == 4:
                death(talk)
                return
            talk.send(reply(FILM))

        with Server(answer) as server, opened(self.kind, slots=3) as wire:
            given = wire.send_all([get(server.url) for _ in range(3)])
            assert [response.body for response in given] == [FILM] * 3
            with pytest.raises(TransportError) as lost:
                wire.send(get(server.url, timeout_s=SHORT_S))
            assert lost.value.cause == (LATE if death is Talk.hang else LOST)
            assert (lost.value.reused, lost.value.reached) == (True, "sent")
            assert wire.send(get(server.url), fresh=True).status == 200
            assert server.asked[-1].connection == server.connections == 4
            assert [wire.send(get(server.url)).status for _ in range(6)] == [200] * 6
            assert server.connections == 4  # one was kept aside, and is used again

    def test_a_fresh_request_leaves_over_no_kept_connection(self, wire):
        with Server(always(reply(FILM))) as server:
            for fresh in (False, False, True, False):
                wire.send(get(server.url), fresh=fresh)
            assert [asked.connection for asked in server.asked] == [1, 1, 2, 2]

    def test_a_new_connection_that_is_lost_speaks_against_its_host(self, wire):
        with Server(Talk.close) as server, pytest.raises(TransportError) as lost:
            wire.send(get(server.url))
        assert (lost.value.reused, lost.value.host_is_silent) == (False, True)

    def test_a_kept_connection_that_is_lost_within_an_answer_was_answered(self, wire):
        def answer(talk):
            talk.send(reply(FILM) if talk.number == 1 else reply(FILM, length=99))
            if talk.number > 1:
                talk.close()

        with Server(answer) as server:
            wire.send(get(server.url))
            with pytest.raises(TransportError) as lost:
                wire.send(get(server.url))
        assert (lost.value.reused, lost.value.reached, lost.value.host_is_silent) == (False, "answered", False)

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

    def test_a_close_ends_the_connections_that_were_kept(self, wire):
        with Server(always(reply(FILM))) as server:
            told(wire, get(server.url))
            told(wire, of_the_web(server.url, reach=Reach(allowed=frozenset({"127.0.0.1"}))))
            assert server.open == 2
            wire.close()
            for thread in server._threads:
                thread.join(PATIENCE_S)  # it ends with its connection
            assert server.open == 0

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

    def test_a_proxy_that_is_not_there_is_told_as_such(self, wire, monkeypatch):
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{closed_port()}")
        with Server(always(reply(FILM))) as server:
            assert told(wire, get(server.url)) == "the proxy does not answer"
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

    @pytest.mark.parametrize("kind", ["socks5", "socks4", "socks5h"])
    def test_a_socks_proxy_is_told_as_such(self, kind, wire, monkeypatch):
        monkeypatch.setenv("http_proxy", f"{kind}://127.0.0.1:1")
        with Server(always(reply(FILM))) as server:
            assert told(wire, get(server.url)) == "SOCKS proxies are not supported"
            assert server.asked == []

    def test_a_proxy_that_opens_no_tunnel_is_told_as_such(self, wire, safe, monkeypatch):
        server, certificate = safe
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with Server(always(reply(b"", status="407 Proxy Authentication Required"))) as between:
            monkeypatch.setenv("https_proxy", between.url)
            assert told(wire, get(server.url)) == "the proxy refuses the connection"
        assert server.asked == []

    # this machine's own troubles

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_too_many_open_files_are_told_as_such_and_say_nothing_of_the_host(self, scheme, host, wire):
        with Server(always(reply(FILM))) as server:
            assert told(wire, get(server.url)) == (200, FILM)  # all that is loaded once is loaded
            elsewhere = get(f"{scheme}://{host}:{closed_port()}")
            with no_file_left(), pytest.raises(TransportError) as failed:
                wire.send(elsewhere)
            assert failed.value.cause == "too many open files"
            assert (failed.value.reached, failed.value.host_is_silent) == ("unsent", False)
            assert told(wire, get(server.url)) == (200, FILM)

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

    @pytest.mark.parametrize(
        ("certificate", "cause"),
        [
            (EXPIRED_CERTIFICATE, "certificate expired, by this machine's clock"),
            (FUTURE_CERTIFICATE, "certificate not valid yet, by this machine's clock"),
        ],
    )
    def test_a_certificate_outside_its_dates_is_told_as_such(self, certificate, cause, wire, tmp_path, monkeypatch):
        """Where the clock is years ahead, every server's certificate is one of these."""
        context, path = tls_context(tmp_path, certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        with Server(always(reply(FILM)), tls=context) as server, pytest.raises(TransportError) as failed:
            wire.send(get(server.url))
        assert (failed.value.cause, failed.value.host_is_silent) == (cause, False)

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
