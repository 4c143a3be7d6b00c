"""A script always ends, however it leaves what it began: real interpreters, whose exit is what is tested."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading

import pytest
from servers import PATIENCE_S, Server, reply

from enricher import Engine, Interrupted, Item, Request, Service, TMDBClient
from enricher.engine import MODES
from enricher.pipelines.movies.service import tmdb

BEGIN = """
import asyncio, itertools, os, signal, sys, threading
from enricher import Engine, Item, Request, Service, enrich

mode, port = sys.argv[1:]
address = f"http://127.0.0.1:{port}"
api = Service("api", address, timeout_s=600.0)

def recipe(item):
    answer = yield Request(api, f"/{item.key}")
    return {"name": answer.data["name"]}

def blocked():  # gives three items, and then nothing for ever
    yield from map(Item, "abc")
    threading.Event().wait()

def endless():  # its consumer is slow: the workers wait for room
    yield from (Item(str(number)) for number in itertools.count())

def hanging():  # all but the first are never answered
    yield from (Item("a"), *(Item(f"hang{number}") for number in range(50)))
"""

LEAVES = """
for outcome in enrich(blocked(), recipe, mode=mode): break
for outcome in enrich(hanging(), recipe, mode=mode): break
try:
    for outcome in enrich(hanging(), recipe, mode=mode): raise ValueError
except ValueError: pass

first = threading.Event()
def read():  # somebody else's thread, which reads on
    for outcome in enrich(hanging(), recipe, mode=mode): first.set()
threading.Thread(target=read, daemon=True).start(); first.wait()

kept = [enrich(source(), recipe, mode=mode) for source in (blocked, hanging, endless)]
for outcomes in kept: next(outcomes)
engine = Engine(mode=mode); left = engine.stream(endless(), recipe); next(left)
"""

CTRL_C = """
for number, outcome in enumerate(enrich(blocked(), recipe, mode=mode), 1):
    if number == 3:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
"""

CLIENTS = """
from enricher import ArticleProcessor, TMDBClient
from enricher.pipelines.movies.service import tmdb

client = TMDBClient("key", service=tmdb(address, windows=()))
assert client.search_movie("a") == asyncio.run(client.search_movie_async("b")) == []
asking = TMDBClient("key", service=tmdb(f"{address}/hang", windows=()))
threading.Thread(target=asking.search_movie, args=("a",), daemon=True).start()

processor = ArticleProcessor(allow_private=["127.0.0.1"])
processor.analyze("The river rose in the night. By noon the old bridge was gone, and nobody could cross. " * 9)
addresses = [f"{address}/hang{number}" for number in range(9)]
threading.Thread(target=processor.process_batch, args=(addresses,), daemon=True).start()
"""


def answer(talk):
    """Films for searches, a name for the rest; nothing at all where the path says so."""
    path = talk.asked.target
    if "hang" in path:
        talk.hang()
    else:
        talk.send(reply(b'{"results": []}' if "search" in path else b'{"name": "x"}'))


@pytest.fixture
def server():
    with Server(answer) as running:
        yield running


def ended(script, mode, port):
    """How a script ended: what it said, and its exit code. One that never ends fails the test."""
    words = [sys.executable, "-W", "error", "-c", BEGIN + script, mode, str(port)]
    over = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return over.stderr, over.returncode


@pytest.mark.parametrize("mode", MODES)
def test_a_script_ends_however_it_leaves_its_runs(mode, server):
    """By a break, an exception, or with the iterator still there; with sources that block and requests in flight."""
    assert ended(LEAVES, mode, server.port) == ("", 0)


@pytest.mark.parametrize("mode", MODES)
def test_ctrl_c_ends_a_script_whose_source_blocks(mode, server):
    said, code = ended(CTRL_C, mode, server.port)
    assert said.endswith("KeyboardInterrupt\n")
    assert code == -signal.SIGINT


def test_a_script_ends_whatever_it_did_not_close(server):
    assert ended(CLIENTS, "threaded", server.port) == ("", 0)


# ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def threads_of_ours():
    return {thread for thread in threading.enumerate() if thread.name.startswith("enricher")}


def test_a_client_that_nobody_uses_any_more_closes_itself(server):
    before = threads_of_ours()
    client = TMDBClient("never-said-elsewhere", service=tmdb(server.url, windows=()))
    assert client.search_movie("a") == asyncio.run(client.search_movie_async("b")) == []
    assert threads_of_ours() > before
    del client
    gc.collect()
    assert threads_of_ours() <= before


@pytest.mark.parametrize("mode", MODES)
def test_a_consumer_hears_that_its_engine_was_closed(mode, server):
    """What it has is not all that there is: the end of the iteration would say so."""
    service = Service("api", server.url)

    def recipe(item):
        yield Request(service, f"/{item.key}")
        return {}

    engine = Engine(mode=mode)
    outcomes = engine.stream([Item("a"), Item("hang")], recipe)
    assert next(outcomes).item.key == "a"
    engine.close()
    with pytest.raises(Interrupted, match="the engine was closed"):
        next(outcomes)
