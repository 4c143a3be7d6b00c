"""The streaming transport: what both transports promise, and what only tasks over aiohttp need."""

import asyncio
import threading

from servers import PATIENCE_S, Server, Talk, always, reply
from transport_world import FILM, LARGE, MOST_BYTES, Promises, Streaming, get, opened, told

from enricher.transports.streaming import StreamingTransport


class TestStreaming(Promises):
    kind = Streaming


def arriving(stuck):
    """A server whose first request gets stuck, no later one; and an event of the running loop: it has arrived."""
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(talk):
        if talk.number == 1:
            loop.call_soon_threadsafe(arrived.set)
            stuck(talk)
        else:
            talk.send(reply(b"later"))

    return Server(answer), arrived


async def cancelled_and_then():
    """Cancel a request that is stuck; what the next one gives."""
    server, arrived = arriving(Talk.hang)
    transport = StreamingTransport({}, slots=1)
    with server:
        stuck = asyncio.create_task(transport.send(get(server.url)))
        waits = asyncio.create_task(transport.send(get(server.url)))
        await asyncio.wait_for(arrived.wait(), PATIENCE_S)
        stuck.cancel()
        later = await asyncio.wait_for(waits, PATIENCE_S)
        await transport.close()
    return stuck.cancelled(), later.body


def test_a_cancelled_request_gives_its_slot_back():
    assert asyncio.run(cancelled_and_then()) == (True, b"later")


def test_a_body_that_is_too_large_is_not_read_to_its_end():
    """The connection is closed at once: else a gigabyte would be fetched to be thrown away."""
    cut = threading.Event()

    def answer(talk):
        talk.send(reply(b"", length=1_000_000_000))
        try:
            while not talk.server.ending.is_set():
                talk.send(bytes(65_536))
        except OSError:
            cut.set()
            raise

    with Server(answer) as server, opened(Streaming) as wire:
        assert told(wire, get(server.url)) == LARGE
        assert cut.wait(PATIENCE_S)


def test_one_session_serves_tasks_at_once_and_is_opened_by_the_first():
    with Server(always(reply(FILM))) as server, opened(Streaming, slots=4) as wire:
        assert wire.transport._session is None
        wire.send_all([get(server.url, f"/movie/{number}") for number in range(8)])
        session = wire.transport._session
        wire.send(get(server.url))
        assert wire.transport._session is session
        wire.close()
        assert session.closed


def test_a_transport_that_sent_nothing_has_nothing_to_close():
    with opened(Streaming) as wire:
        assert wire.transport._session is None


def test_the_cap_counts_what_was_decoded_over_all_pieces():
    """Pieces that are small one by one add up."""

    def answer(talk):
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MOST_BYTES // 100 + 1):
            talk.send(b"64\r\n" + bytes(100) + b"\r\n")
        talk.send(b"0\r\n\r\n")

    with Server(answer) as server, opened(Streaming) as wire:
        assert told(wire, get(server.url)) == LARGE
