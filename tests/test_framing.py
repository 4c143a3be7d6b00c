"""One reading of an answer in both transports: what one reads, the other reads, or both refuse it with the same reason."""

import contextlib
import gzip
import io
import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Server, Talk, always, reply
from transport_world import (
    CHANGED,
    CHUNK,
    CUT,
    ENCODED,
    LENGTH,
    LOST,
    NOT_HTTP,
    TOO_LONG,
    TOO_MANY,
    VERSION,
    Pooled,
    Streaming,
    closed_port,
    get,
    opened,
    saying,
)

from enricher.errors import TransportError
from enricher.transports.framing import LONGEST_LINE_BYTES, Chunks, HeadLines, Unreadable

KINDS = (Pooled, Streaming)
OK = b"HTTP/1.1 200 OK\r\n"
TWO = b"Content-Length: 2\r\n"
END = b"\r\n"
WELL = (200, b"{}")


@dataclass(frozen=True)
class Odd:
    """What a server sends, and what both transports make of it: status and body, or the cause of the failure."""

    sent: bytes
    gives: object = WELL
    headers: dict = field(default_factory=dict)
    """Some of those that are read; None: there is none of that name."""
    method: str = "GET"


ODD = {
    # status lines
    "a later minor version": Odd(b"HTTP/1.2 200 OK\r\n" + TWO + END + b"{}"),
    "a far later minor version": Odd(b"HTTP/1.99 200 OK\r\n" + TWO + END + b"{}"),
    "the version before": Odd(b"HTTP/1.0 200 OK\r\n" + TWO + END + b"{}"),
    "no minor version": Odd(b"HTTP/1 200 OK\r\n" + TWO + END + b"{}"),
    "a version in lower case": Odd(b"http/1.1 200 OK\r\n" + TWO + END + b"{}"),
    "HTTP/2 in the clear": Odd(b"HTTP/2.0 200 OK\r\n" + TWO + END + b"{}", VERSION),
    "HTTP/2 without a minor version": Odd(b"HTTP/2 200\r\n" + TWO + END + b"{}", VERSION),
    "HTTP/0.9": Odd(b"HTTP/0.9 200 OK\r\n" + TWO + END + b"{}", VERSION),
    "ICY": Odd(b"ICY 200 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "no version": Odd(b"HTTP 200 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "a version of three numbers": Odd(b"HTTP/1.1.1 200 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "no reason phrase": Odd(b"HTTP/1.1 200\r\n" + TWO + END + b"{}"),
    "no reason phrase but a blank": Odd(b"HTTP/1.1 200 \r\n" + TWO + END + b"{}"),
    "two blanks": Odd(b"HTTP/1.1  200  OK\r\n" + TWO + END + b"{}"),
    "a tab for a blank": Odd(b"HTTP/1.1\t200\tOK\r\n" + TWO + END + b"{}"),
    "a blank before it": Odd(b" HTTP/1.1 200 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "letters in the reason that are no ASCII": Odd(b"HTTP/1.1 200 \xe9t\xc3\xa9\r\n" + TWO + END + b"{}"),
    "a NUL in the reason": Odd(b"HTTP/1.1 200 O\0K\r\n" + TWO + END + b"{}"),
    "a status of two digits": Odd(b"HTTP/1.1 20 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "a status of four digits": Odd(b"HTTP/1.1 2000 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "a status that is joined to its reason": Odd(b"HTTP/1.1 200OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "a status below nothing": Odd(b"HTTP/1.1 -200 OK\r\n" + TWO + END + b"{}", NOT_HTTP),
    "a status of nobody's": Odd(b"HTTP/1.1 999 Request denied\r\n" + TWO + END + b"{}", (999, b"{}")),
    "an empty line before it": Odd(b"\r\n\n" + OK + TWO + END + b"{}"),
    "nothing but empty lines": Odd(b"\r\n" * 20, NOT_HTTP),
    "an endless status line": Odd(b"HTTP/1.1 200 " + b"x" * 70_000, NOT_HTTP),
    "a page without a head": Odd(b"<html>busy</html>\n", NOT_HTTP),
    "JSON without a head": Odd(b'{"a": 1}\r\n', NOT_HTTP),
    "half a status line": Odd(b"HTTP/1.1 20", LOST),
    "nothing": Odd(b"", LOST),
    "early hints and again": Odd(
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n") * 2 + OK + TWO + END + b"{}"
    ),
    "another protocol": Odd(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", CHANGED
    ),
    # headers
    "a line without a colon": Odd(
        OK + b"X-A: 1\r\nno colon here\r\nX-B: 2\r\n" + TWO + END + b"{}", WELL, {"x-b": "2"}
    ),
    "a name with a blank in it": Odd(OK + b"X A: 1\r\nX-B: 2\r\n" + TWO + END + b"{}", WELL, {"x-b": "2", "x a": None}),
    "a name with a blank behind it": Odd(OK + b"X-A : 1\r\n" + TWO + END + b"{}", WELL, {"x-a": "1"}),
    "a length with a blank before its colon": Odd(OK + b"Content-Length : 2\r\n\r\n{}"),
    "a name with a bracket": Odd(OK + b"X(A): 1\r\n" + TWO + END + b"{}", WELL, {"x(a)": None}),
    "a name that is no ASCII": Odd(OK + "Ü: 1\r\n".encode() + TWO + END + b"{}"),
    "no name": Odd(OK + b": 1\r\n" + TWO + END + b"{}", WELL, {"": None}),
    "no value": Odd(OK + b"X-A:\r\n" + TWO + END + b"{}", WELL, {"x-a": ""}),
    "no blank before a value": Odd(OK + b"X-A:1\r\nContent-Length:2\r\n\r\n{}", WELL, {"x-a": "1"}),
    "blanks around a value": Odd(OK + b"X-A:   1  \r\n" + TWO + END + b"{}", WELL, {"x-a": "1"}),
    "tabs around a value": Odd(OK + b"X-A:\t1\t\r\n" + TWO + END + b"{}", WELL, {"x-a": "1"}),
    "a NUL in a value": Odd(OK + b"X-A: a\0b\r\n" + TWO + END + b"{}", WELL, {"x-a": "a b"}),
    "a NUL in a name": Odd(OK + b"X\0A: 1\r\n" + TWO + END + b"{}"),
    "a bell in a value": Odd(OK + b"X-A: a\x07b\r\n" + TWO + END + b"{}", WELL, {"x-a": "a b"}),
    "a carriage return in a value": Odd(OK + b"X-A: a\rX-B: 2\r\n" + TWO + END + b"{}", WELL, {"x-a": "a X-B: 2"}),
    "a folded value": Odd(OK + b"X-A: a\r\n b\r\n\tc\r\n" + TWO + END + b"{}", WELL, {"x-a": "a b c"}),
    "a folded first line": Odd(OK + b" X-A: a\r\n" + TWO + END + b"{}", WELL, {"x-a": None}),
    "a fold after a line that is left out": Odd(
        OK + b"X-A: a\r\nnone\r\n b\r\n" + TWO + END + b"{}", WELL, {"x-a": "a"}
    ),
    "a fold that holds a length": Odd(OK + b"X-A: a\r\n Content-Length: 9\r\n" + TWO + END + b"{}"),
    "bare line ends": Odd((OK + b"X-A: 1\r\n" + TWO + END).replace(b"\r", b"") + b"{}", WELL, {"x-a": "1"}),
    "both kinds of line ends": Odd(OK + b"X-A: 1\n" + TWO + b"\n{}", WELL, {"x-a": "1"}),
    "a header in two spellings": Odd(OK + b"X-A: 1\r\nx-a: 2\r\n" + TWO + END + b"{}", WELL, {"x-a": "2"}),
    "letters that are no UTF-8": Odd(OK + b"X-A: caf\xe9\r\n" + TWO + END + b"{}", WELL, {"x-a": "caf\u00e9"}),
    "a header of 64 KB": Odd(OK + b"X-A: " + b"x" * (LONGEST_LINE_BYTES - 7) + END + TWO + END + b"{}"),
    "a header of a byte more": Odd(OK + b"X-A: " + b"x" * (LONGEST_LINE_BYTES - 6) + END + TWO + END + b"{}", TOO_LONG),
    "an endless header": Odd(OK + b"X-A: " + b"x" * 200_000, TOO_LONG),
    "99 headers": Odd(OK + b"X: 1\r\n" * 98 + TWO + END + b"{}"),
    "100 headers": Odd(OK + b"X: 1\r\n" * 99 + TWO + END + b"{}", TOO_MANY),
    "100 lines that are no headers": Odd(OK + b"none\r\n" * 100 + TWO + END + b"{}", TOO_MANY),
    "a head that ends within": Odd(OK + b"X-A: 1\r\nX-", CUT),
    # where a body ends
    "a length said twice": Odd(OK + TWO + TWO + END + b"{}", WELL, {"content-length": "2"}),
    "a length said three times in two lines": Odd(OK + TWO + b"content-length: 2, 2\r\n\r\n{}"),
    "a length said twice in a line": Odd(OK + b"Content-Length: 2, 2\r\n\r\n{}"),
    "two lengths": Odd(OK + TWO + b"Content-Length: 3\r\n\r\n{} ", LENGTH),
    "two lengths in a line": Odd(OK + b"Content-Length: 2,3\r\n\r\n{} ", LENGTH),
    "no length where one is named": Odd(OK + b"Content-Length:\r\n\r\n{}", LENGTH),
    "a length with a sign": Odd(OK + b"Content-Length: +2\r\n\r\n{}", LENGTH),
    "a length with a line between": Odd(OK + b"Content-Length: 0_2\r\n\r\n{}", LENGTH),
    "a length with noughts": Odd(OK + b"Content-Length: 0002\r\n\r\n{}"),
    "a length in hexadecimal": Odd(OK + b"Content-Length: 0x2\r\n\r\n{}", LENGTH),
    "a length in other digits": Odd(OK + "Content-Length: ٢\r\n\r\n{}".encode(), LENGTH),
    "a length of a hundred digits": Odd(OK + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n{}", LENGTH),
    "a length in a folded line": Odd(OK + b"Content-Length:\r\n 2\r\n\r\n{}"),
    "a body that is longer than declared": Odd(OK + TWO + END + b"{} and more"),
    "an answer after the answer": Odd(OK + TWO + END + b"{}" + reply(b"evil")),
    "a body that is shorter than declared": Odd(OK + b"Content-Length: 3\r\n\r\n{}", CUT),
    "a body without a length": Odd(OK + b"\r\n{}"),
    "a body with 204": Odd(b"HTTP/1.1 204 No Content\r\n" + TWO + END + b"{}", (204, b"")),
    "chunks with 304": Odd(b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", (304, b"")),
    "two lengths with 304": Odd(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2, 3\r\n\r\n", (304, b"")),
    "no number for a length with 304": Odd(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2x\r\n\r\n", (304, b"")),
    "a length to HEAD": Odd(OK + b"Content-Length: 999\r\n\r\n", (200, b""), {"content-length": "999"}, "HEAD"),
    "a body to HEAD": Odd(OK + TWO + END + b"{}", (200, b""), {}, "HEAD"),
    "chunks to HEAD": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n", (200, b""), {}, "HEAD"),
    "no length to HEAD": Odd(OK + END, (200, b""), {}, "HEAD"),
    "a body to a method in lower case": Odd(OK + TWO + END + b"{}", WELL, {}, "head"),
    "a body to a method of nobody's": Odd(OK + TWO + END + b"{}", WELL, {}, "PURGE"),
    # chunks
    "a chunk with an extension": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2;a=b;c\r\n{}\r\n0;last\r\n\r\n"),
    "a chunk with an odd extension": Odd(OK + b'Transfer-Encoding: chunked\r\n\r\n2;=";\x01\r\n{}\r\n0\r\n\r\n'),
    "a chunk with blanks": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n 0\t\r\n\r\n"),
    "chunks with noughts and capitals": Odd(OK + b"TRANSFER-ENCODING: Chunked\r\n\r\n0000002\r\n{}\r\n00\r\n\r\n"),
    "chunks with bare line ends": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"),
    "chunks in two": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    "chunks with trailers": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: 1\r\nnone\r\n\r\n"),
    "chunks with a hundred trailers": Odd(
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + b"X: 1\r\n" * 100 + END, TOO_MANY
    ),
    "chunks and what follows": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nand more"),
    "chunks of the version before": Odd(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "chunks that are named twice": Odd(
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ENCODED
    ),
    "chunks and no encoding": Odd(OK + b"Transfer-Encoding: identity, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "chunks and a comma": Odd(OK + b"Transfer-Encoding: chunked, \r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "no encoding at all": Odd(OK + b"Transfer-Encoding: identity\r\n" + TWO + END + b"{}"),
    "packed chunks": Odd(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ENCODED),
    "an encoding of nobody's": Odd(OK + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ENCODED),
    "a length and chunks": Odd(OK + TWO + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", LENGTH),
    "a chunk with a sign": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n", CHUNK),
    "a chunk below nothing": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", CHUNK),
    "a chunk with 0x": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", CHUNK),
    "a chunk without a size": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n", CHUNK),
    "a chunk of twenty digits": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n{}", CHUNK),
    "an endless size": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 20_000, CHUNK),
    "a chunk longer than its size": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", CHUNK),
    "a chunk without its line end": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n", CHUNK),
    "no last chunk": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", CUT),
    "no last line": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", CUT),
    "chunks in words": Odd(OK + b"Transfer-Encoding: chunked\r\n\r\n{}\r\n", CHUNK),
}


def sending(data, piece):
    """Sends the first request these bytes, so many at a time, and closes; serves the next one well."""

    def answer(talk):
        if talk.number > 1:
            talk.send(reply(b"later"))
            return
        with contextlib.suppress(OSError):  # whoever refuses an answer does not wait for its end
            for at in range(0, len(data), piece):
                talk.send(data[at : at + piece])
        talk.close()

    return answer


def told(wire, request):
    """Status, body and headers, or the cause of the failure and how far it got."""
    try:
        response = wire.send(request)
    except TransportError as error:
        return error.cause, error.reached, error.reused
    return response.status, response.body, dict(response.headers)


def read(kind, odd, piece):
    """What this transport makes of it, and of the next answer."""
    with Server(sending(odd.sent, piece)) as server, opened(kind) as wire:
        first = told(wire, replace(get(server.url), method=odd.method))
        then = told(wire, get(server.url))
        if then == (LOST, "sent", True):  # it left before the end of the first connection was seen
            then = told(wire, get(server.url))
        assert server.asked[0].method == odd.method
    return first, then


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("piece", [1 << 20, 7], ids=["at once", "in pieces"])
def test_both_transports_make_the_same_of_an_odd_answer(odd, piece):
    pooled, streaming = (read(kind, odd, max(piece, len(odd.sent) // 1000)) for kind in KINDS)
    assert pooled == streaming
    first, then = pooled
    assert (first[0] if isinstance(odd.gives, str) else first[:2]) == odd.gives
    assert then[:2] == (200, b"later")
    if not isinstance(odd.gives, str):
        assert {name: first[2].get(name) for name in odd.headers} == odd.headers
        assert all(value.isprintable() for value in first[2].values())
    elif odd.gives not in (NOT_HTTP, LOST):
        assert first[1] == "answered"


WHOLE = gzip.compress(b"{}" * 20, mtime=0)
WHOLES = {
    "with a length": reply(b"{}" * 20),
    "in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n6\r\n{}{}{}\r\n2;x\r\n{}\r\n0\r\nX: 1\r\n\r\n",
    "packed, with a length": reply(WHOLE, Content_Encoding="gzip"),
    "packed, to the end of the connection": OK + b"Content-Encoding: gzip\r\n\r\n" + WHOLE,
    "after early hints": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + reply(b"{}"),
    "an error": reply(b"{}" * 20, status="500 Odd"),
}


@pytest.mark.parametrize("end", [Talk.close, Talk.reset], ids=["closed", "reset"])
@pytest.mark.parametrize("whole", WHOLES.values(), ids=WHOLES)
def test_an_answer_is_cut_off_wherever_it_is_cut_after_its_status_line(whole, end):
    """Every place at which it can be cut, in both transports: before the first line has ended, nothing has answered."""
    answered_at = whole.index(b"\n") + 1
    for kind in KINDS:
        with (
            Server(lambda talk: (talk.send(whole[: len(server.asked) - 1]), end(talk))) as server,
            opened(kind) as wire,
        ):
            given = [told(wire, get(server.url)) for _ in whole]
        assert given[:answered_at] == [(LOST, "sent", False)] * answered_at
        assert given[answered_at:] == [(CUT, "answered", False)] * (len(whole) - answered_at)


# ── the pieces that it comes in change nothing ──────────────────────────────────────────────────────────────────────


def of_lines(data, method="GET"):
    """What the lines of a head come to: the head, or the cause why there is none."""
    lines = HeadLines(method)
    for line in io.BytesIO(data):
        try:
            head = lines.add(line)
        except Unreadable as error:
            return error.cause
        if head is not None:
            return head
    return None


SCRAPS = st.sampled_from(
    [
        *(
            b"HTTP/1.1 200 OK",
            b"http/1.0 404",
            b"HTTP/2 200",
            b"HTTP/1.1 100",
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b":",
        ),
        *(b"Content-Length", b"Transfer-Encoding", b"chunked", b"identity", b"2", b"-1", b",", b"\0", b"\xff", b"X-A"),
        *(b": ", b"\r\n\r\n", b"Content-Length: 2\r\n", b"transfer-encoding: chunked\r\n", b"Set-Cookie: a\r\n"),
    ]
)


@given(st.lists(SCRAPS, max_size=30).map(b"".join))
def test_a_head_that_was_written_out_anew_reads_the_same_again(scraps):
    """So it says plainly what it says, and neither library finds anything to mend."""
    head = of_lines(b"HTTP/1.1 200 OK\r\n" + scraps + b"\r\n\r\n")
    if head is not None and not isinstance(head, str):
        assert of_lines(head.raw) == head
        assert head.raw.lower().count(b"\ncontent-length:") <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(SCRAPS, max_size=12).map(b"".join), st.binary(max_size=30))
def test_both_transports_make_the_same_of_any_scraps(scraps, rest):
    """No exception but ours leaves either of them, whatever a server sends."""
    for sent in (scraps + rest, OK + scraps + END + rest):
        pooled, streaming = (read(kind, Odd(sent), 1 << 20) for kind in KINDS)
        assert pooled == streaming


def pieces_of(data, cuts):
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(0, 1000), max_size=8)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=5), CUTS, st.binary(max_size=5))
def test_chunks_are_unwrapped_alike_however_they_are_cut(bodies, cuts, after):
    chunks = b"".join(b"%x;ext\r\n%b\r\n" % (len(body), body) for body in bodies) + b"0\r\nX: 1\r\n\r\n"
    reader = Chunks()
    assert b"".join(map(reader.feed, pieces_of(chunks, cuts))) == b"".join(bodies)
    assert (reader.done, reader.stray) == (True, False)
    assert reader.feed(after) == b""
    assert reader.stray == bool(after)


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "request_",
    [
        get("http://127.0.0.1"),
        replace(get("http://127.0.0.1"), method="POST"),
        replace(get("http://127.0.0.1"), method="POST", body=b"{}"),
        replace(get("http://127.0.0.1"), method="DELETE"),
        replace(get("http://127.0.0.1"), method="HEAD"),
        replace(get("http://127.0.0.1"), method="get"),
        replace(get("http://127.0.0.1"), method="OPTIONS"),
        replace(get("http://127.0.0.1"), method="PURGE"),
        replace(get("http://127.0.0.1", headers={"accept": "text/html"}), method="PATCH"),
        replace(get("http://127.0.0.1"), headers={"Content-Type": "application/json", "X-A": "1"}, body=b"{}"),
    ],
    ids=["GET", "POST of nothing", "POST", "DELETE", "HEAD", "get", "OPTIONS", "PURGE", "PATCH", "headers of its own"],
)
def test_both_transports_send_the_same(request_):
    """A server may answer by any header, so one more is another story."""
    told = []
    for kind in KINDS:
        with Server(lambda talk: talk.send(reply(b"" if talk.asked.method == "HEAD" else b"{}"))) as server:
            with opened(kind) as wire:
                wire.send(replace(request_, service=replace(request_.service, base_url=server.url)))
            (asked,) = server.asked
            asked.headers["host"] = asked.headers["host"].replace(str(server.port), "PORT")
            told.append((asked.method, asked.target, asked.headers, asked.body))
    assert told[0] == told[1]


# ── through a proxy ─────────────────────────────────────────────────────────────────────────────────────────────────

PROXIES = {
    "absent": None,
    "refusing": always(reply(b"", status="407 Proxy Authentication Required")),
    "failing": always(reply(b"x", status="502 Bad Gateway")),
    "closing": Talk.close,
    "resetting": Talk.reset,
    "speaking something else": saying(b"220 mail.test ESMTP\r\n", then=Talk.close),
    "answering rubbish": saying(OK + b"\r\n" + b"rubbish", then=Talk.close),
    "answering nothing": saying(OK + b"\r\n", then=Talk.close),
    "answering half": saying(OK + b"X", then=Talk.close),
    "answering too much": saying(OK + b"X: 1\r\n" * 200 + b"\r\n", then=Talk.close),
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)
def test_both_transports_make_the_same_of_an_odd_proxy(scheme, proxy, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    given = []
    for kind in KINDS:
        with contextlib.ExitStack() as stack:
            url = f"http://127.0.0.1:{closed_port()}" if proxy is None else stack.enter_context(Server(proxy)).url
            monkeypatch.setenv(f"{scheme}_proxy", url)
            given.append(told(stack.enter_context(opened(kind)), get(f"{scheme}://films.test")))
    assert given[0] == given[1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_http_over_a_kept_connection_says_nothing_of_the_host_and_over_a_new_one_it_does(kind):
    def answer(talk):
        talk.send(reply(b"{}") if talk.number == 1 else b"the rest\r\n\r\n")

    with Server(answer) as server, opened(kind) as wire:
        assert told(wire, get(server.url))[0] == 200
        assert told(wire, get(server.url)) == (LOST, "sent", True)
        assert told(wire, get(server.url)) == ("the answer is not HTTP", "sent", False)
