"""The pooled transport: what both transports promise, and what only threads over requests need."""

import contextlib
import logging
import socket
import threading

import pytest
import requests
import responses
from servers import PATIENCE_S, Server, Talk, always, reply, tls_context
from transport_world import (
    CHUNKED,
    FILM,
    HEAD,
    KEY,
    LATE,
    LOST,
    Names,
    Pooled,
    Promises,
    get,
    of_the_web,
    opened,
    saying,
    told,
    with_key_in_query,
)

from enricher.model import Reach, Request
from enricher.transports import connections, guard
from enricher.transports.connections import Flight, here
from enricher.transports.pooled import PooledTransport
from enricher.transports.translate import trust_in

FILMS = "https://films.test"


class TestPooled(Promises):
    kind = Pooled


# ── the watchdog, abort and close ───────────────────────────────────────────────────────────────────────────────────


class Clock:
    """A clock that stands until it is set."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


# Where a request can be when it has to end. In the last two the connection object has let go of its socket already.
STUCK = {
    "before the answer": Talk.hang,
    "within the headers": saying(HEAD + b"X-Long: ", then=Talk.hang),
    "within the body": saying(reply(b"wi", length=99), then=Talk.hang),
    "within a chunk": saying(CHUNKED + b"9\r\nwi", then=Talk.hang),
    "within a body without a length": saying(HEAD + b"\r\nwi", then=Talk.hang),
    "within the body of the last answer": saying(reply(b"wi", length=99, Connection="close"), then=Talk.hang),
}
each_way_to_be_stuck = pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)


def stuck_once(stuck, arrived):
    """A server whose first two requests get stuck, and no later one. `arrived` counts them."""

    def answer(talk):
        if talk.number > 2:
            talk.send(reply(b"later"))
            return
        arrived.release()
        stuck(talk)

    return Server(answer)


class InFlight:
    """Two requests on their way, each in its thread, stuck."""

    def __init__(self, stuck, **more):
        self.wire = Pooled(slots=2, **more)
        arrived = threading.Semaphore(0)
        self.server = stuck_once(stuck, arrived)
        self.server.__enter__()
        self.given = []
        self.threads = [threading.Thread(target=self._send) for _ in range(2)]
        for thread in self.threads:
            thread.start()
        for _ in self.threads:
            assert arrived.acquire(timeout=PATIENCE_S)

    def _send(self):
        self.given.append(told(self.wire, get(self.server.url)))

    def told(self):
        """What became of both."""
        for thread in self.threads:
            thread.join(PATIENCE_S / 2)  # sooner than their own time-out, which would end them as well
        return self.given

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()
        self.server.__exit__()


@each_way_to_be_stuck
def test_the_watchdog_ends_what_is_past_its_deadline(stuck):
    """No read takes longer than the time-out, by the clock of the socket; by ours the request is past its time."""
    clock = Clock()
    with InFlight(stuck, clock=clock) as flight:
        clock.now += PATIENCE_S + 1
        assert flight.told() == [LATE, LATE]
        assert told(flight.wire, get(flight.server.url)) == (200, b"later")


@each_way_to_be_stuck
def test_an_abort_ends_what_is_in_flight_and_nothing_else(stuck):
    with InFlight(stuck) as flight:
        flight.wire.transport.abort()
        assert flight.told() == [LATE, LATE]
        assert told(flight.wire, get(flight.server.url)) == (200, b"later")


@each_way_to_be_stuck
def test_a_close_ends_what_is_in_flight_and_the_watchdog(stuck):
    with InFlight(stuck) as flight:
        watchdog = flight.wire.transport._watchdog
        assert watchdog.is_alive()
        flight.wire.close()
        assert flight.told() == [LATE, LATE]
        assert not watchdog.is_alive()
        assert flight.server.asked[2:] == []


def test_an_abort_ends_a_handshake():
    wire = Pooled()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        request = get(f"https://127.0.0.1:{listener.getsockname()[1]}")
        given = []
        thread = threading.Thread(target=lambda: given.append(told(wire, request)))
        thread.start()
        listener.settimeout(PATIENCE_S)
        taken, _ = listener.accept()
        taken.settimeout(PATIENCE_S)
        assert taken.recv(1)  # the client has said hello, and waits
        wire.transport.abort()
        thread.join(PATIENCE_S / 2)
        assert given == [LATE]
        taken.close()
    wire.close()


def test_an_abort_while_a_connection_is_being_made_ends_the_request_once_it_is():
    """A name being looked up can't be stopped; but what comes of it must not go on for minutes after Ctrl-C."""

    class Connection:
        sock = None

    ours, theirs = socket.socketpair()
    with ours, theirs:
        flight = Flight(deadline=1.0, run=None)
        flight.connection = Connection()
        flight.end()
        flight.connection.sock = ours
        flight.left()
        theirs.settimeout(PATIENCE_S)
        assert theirs.recv(1) == b""


def test_who_waits_for_a_slot_when_it_is_closed_sends_nothing():
    with InFlight(Talk.hang) as flight:
        third = threading.Thread(target=flight._send)
        third.start()
        flight.wire.close()
        third.join(PATIENCE_S / 2)
        assert sorted(flight.told()) == [LOST, LATE, LATE]
        assert len(flight.server.asked) == 2


def test_a_transport_that_sent_nothing_has_no_thread_to_end():
    before = threading.active_count()
    wire = PooledTransport({}, 4)
    assert threading.active_count() == before
    wire.close()


# ── many origins ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_connections_are_kept_to_so_many_origins_and_those_to_the_first_are_closed(monkeypatch):
    """The open web has no end, and the files that a process may hold open have one."""
    monkeypatch.setattr(connections, "MOST_ORIGINS", 2)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(always(reply(FILM)))) for _ in range(3)]
        wire = stack.enter_context(opened(Pooled))
        for server in servers:
            assert told(wire, of_the_web(server.url)) == (200, FILM)
        servers[0]._threads[0].join(PATIENCE_S)  # it ends with its connection
        assert [server.open for server in servers] == [0, 1, 1]
        assert told(wire, of_the_web(servers[0].url)) == (200, FILM)


def test_a_bundle_is_read_once_for_all_origins(monkeypatch, tmp_path):
    """Reading one takes longer than a handshake."""
    context, certificate = tls_context(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    read = []
    monkeypatch.setattr(connections, "trust_in", lambda bundle: read.append(bundle) or trust_in(bundle))
    with (
        Server(always(reply(FILM)), tls=context) as one,
        Server(always(reply(FILM)), tls=context) as other,
        opened(Pooled) as wire,
    ):
        service = of_the_web(one.url).service
        for server in (one, other, one):
            assert told(wire, Request(service, server.url)) == (200, FILM)
    assert read == [str(certificate)]


def test_the_time_that_all_addresses_of_a_name_have_is_that_of_one(monkeypatch):
    """Each could use up the whole time-out: then ten of them would be ten times as patient."""
    monkeypatch.setattr(guard, "is_public", lambda address: True)
    tried = []
    clock = Clock()

    def deaf(place, *args, **kwargs):
        tried.append(place[0])
        flight = here.flight
        flight.end()
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", deaf)
    with opened(Pooled, resolve=Names(films_test=["8.8.8.8", "8.8.4.4"]), clock=clock) as wire:
        assert told(wire, of_the_web("http://films.test/", reach=Reach())) == LATE
    assert tried == ["8.8.8.8"]


# ── requests and urllib3 ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_library_never_tries_again_and_never_opens_more_connections_than_slots():
    with opened(Pooled, slots=7) as wire:
        for scheme in ("http://", "https://"):
            adapter = wire.transport._session.get_adapter(scheme)
            assert adapter.max_retries.total == 0
            assert (adapter._pool_maxsize, adapter._pool_block) == (7, True)


def test_the_connections_log_line_is_there_without_the_key(caplog):
    """Else the test that looks for the key would be content with a log that says nothing."""
    caplog.set_level(logging.DEBUG, "urllib3")
    with Server(always(reply(FILM))) as server, opened(Pooled, keys={"films": KEY}) as wire:
        told(wire, get(server.url, place_key=with_key_in_query))
    assert '"GET /movie/1?api_key=[key] HTTP/1.1" 200' in caplog.text


@responses.activate
def test_what_stands_in_for_requests_is_asked_as_requests_would_be():
    """Whoever tests a recipe of their own with `responses` can: the adapter's `send` is the stock one."""
    responses.get(f"{FILMS}/3/movie/1", json={"title": "Stalker"})
    responses.post(f"{FILMS}/3/batch", body=b"done", status=202)
    with opened(Pooled, keys={"films": KEY}) as wire:
        base = f"{FILMS}/3"
        request = get(base, "/movie/1", {"language": "de"}, place_key=with_key_in_query)
        assert told(wire, request) == (200, b'{"title": "Stalker"}')
        assert wire.send(request).headers["content-type"] == "application/json"
        batch = get(base, "/batch")
        object.__setattr__(batch, "method", "POST")
        object.__setattr__(batch, "body", b"all")
        assert told(wire, batch) == (202, b"done")
    asked, _, posted = (call.request for call in responses.calls)
    assert asked.params == {"language": "de", "api_key": KEY}
    assert asked.headers["Accept-Encoding"] == "gzip, deflate"
    assert (posted.method, posted.body, posted.headers["Content-Length"]) == ("POST", b"all", "3")


@responses.activate
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (requests.ConnectionError("gone"), LOST),
        (requests.exceptions.ChunkedEncodingError("gone"), LOST),
        (requests.exceptions.InvalidHeader("odd"), LOST),
        (requests.ConnectTimeout("late"), LATE),
        (requests.ReadTimeout("late"), LATE),
        (requests.exceptions.InvalidURL("odd"), "not allowed"),
        (requests.exceptions.InvalidProxyURL("odd"), "not allowed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_what_requests_raises_is_told_in_our_words_and_not_tried_again(error, cause):
    responses.get(f"{FILMS}/movie/1", body=error)
    with opened(Pooled) as wire:
        assert told(wire, get(FILMS)) == cause
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize("status", [301, 404, 429, 500, 503])
def test_a_status_is_an_answer_and_never_an_error(status):
    responses.get(f"{FILMS}/movie/1", body=b"words", status=status, headers={"Location": f"{FILMS}/elsewhere"})
    with opened(Pooled) as wire:
        assert told(wire, get(FILMS)) == (status, b"words")
    assert len(responses.calls) == 1


@responses.activate
def test_an_error_tells_nothing_of_the_librarys_own():
    """`responses` says what it was asked for, key and all; our error must not."""
    with opened(Pooled, keys={"films": KEY}) as wire, pytest.raises(Exception, match=r"^connection lost$") as failed:
        wire.send(get(FILMS, place_key=with_key_in_query))
    assert failed.value.__suppress_context__
