"""The key is nowhere but on the wire: in no file, on no stream, in no traceback, in no object that can be printed.

A v3 key travels in the query, a v4 token in a header. Both have letters here that a query must quote, so that either
spelling would be found.
"""

import logging
import os
import sqlite3
import subprocess
import sys
import traceback
from urllib.parse import quote, quote_plus

import pytest
from cli_world import FILMS, KILL, UNSURE, Running, answered, generated, until, write_list
from servers import Server, reply

import enricher
from enricher.engine import Engine
from enricher.modes.performer import Performer
from enricher.pipelines.movies.service import tmdb
from enricher.settings import Settings, load
from enricher.store import Store
from enricher.store.text import body_of
from enricher.transports.pooled import PooledTransport
from enricher.transports.streaming import StreamingTransport
from enricher.transports.translate import route_of

MODES = ("sequential", "threaded", "async")
KEYS = {"v3": "s3cr3t+key/with=odd&signs", "v4": "eyJhbGciOi.s3cr3t-token_of.a+person/=="}
FAULTS = "5xx=10%,reset=8%,truncated=8%,html=5%,garbage=5%,429=5%"


def spellings(key):
    return {key, quote(key), quote_plus(key), quote(key, safe=""), key.partition("+")[0]}


def assert_clean(key, *texts):
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        for spelling in spellings(key):
            assert spelling.encode() not in data


def assert_no_file_holds(key, folder):
    for path in folder.rglob("*"):
        if path.is_file():
            assert_clean(key, path.name, path.read_bytes())


def assert_no_answer_holds(key, path):
    """Bodies are compressed in the file, so they are looked at once more in plain."""
    with sqlite3.connect(path) as database:
        for address, body, encoding in database.execute("SELECT key, body, encoding FROM answer"):
            assert_clean(key, address, body_of(body, encoding))
    database.close()


@pytest.fixture(params=KEYS)
def key(request, cli, monkeypatch):
    monkeypatch.setenv("TMDB_API_KEY", KEYS[request.param])
    cli.api.control(key=KEYS[request.param])
    return KEYS[request.param]


@pytest.fixture
def films(own_folder):
    return write_list(own_folder / "films.csv", [*FILMS, UNSURE, *generated(25)[0]])


@pytest.mark.parametrize("mode", MODES)
def test_no_file_and_no_stream_holds_the_key(cli, key, films, mode, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "2")
    cli.api.control(faults=FAULTS, seed=7)
    words = ("movies", films, "--mode", mode, "-vv", "--review", "review.csv", "--out", "table.csv", "--json")
    with Store(cli.folder / "enricher.db"):  # while it is open here, the WAL stays beside the database
        ended = cli(*words)
        assert "enricher.db-wal" in cli.files
        assert_no_file_holds(key, cli.folder)
    assert ended.code == 1
    assert "GET /search/movie" in ended.err
    assert ended.data["rows_by_status"]["failed"] > 0
    assert ended.data["rows_by_status"]["enriched"] > 0
    for form in ("json", "jsonl", "md", "csv"):
        cli("export", "--out", f"again.{form}")
    assert_clean(key, ended.out, ended.err, cli("jobs", "--json").out, cli("jobs").out, cli("cache", "stats").out)
    assert_no_file_holds(key, cli.folder)
    assert_no_answer_holds(key, cli.folder / "enricher.db")


@pytest.mark.parametrize("mode", MODES)
def test_no_log_line_of_a_library_holds_the_key(cli, key, films, mode, caplog):
    """We let none of them speak; a program that has us as a library may. urllib3 tells of every address at DEBUG."""
    caplog.set_level(logging.DEBUG)
    cli("movies", films, "--mode", mode, "--limit", "5")
    assert mode == "async" or "/3/search/movie?" in caplog.text
    assert_clean(key, caplog.text)


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_key_is_not_repeated(cli, key, films, mode):
    cli.api.control(key="another")
    ended = cli("movies", films, "--mode", mode, "-vv")
    assert ended.code == 3
    assert_clean(key, ended.out, ended.err)
    assert_no_file_holds(key, cli.folder)


@pytest.mark.parametrize("mode", MODES)
def test_an_api_that_echoes_the_key_in_its_refusals_is_not_quoted(cli, key, films, mode, monkeypatch):
    """What an error page says is text from outside: it may repeat the address it was asked with."""
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "2")

    def echo(talk):
        said = f"{talk.asked.target} {talk.asked.headers.get('authorization', '')}"
        body = b'{"status_message": "%s"}' % said.encode()
        talk.send(reply(body, "404 Not Found" if talk.number % 2 else "400 Bad Request", x_asked=said))

    with Server(echo) as server:
        ended = cli("movies", films, "--mode", mode, "-vv", "--limit", "8", "--base-url", f"{server.url}/3")
        assert key in (server.asked[0].headers.get("authorization", "")) or quote_plus(key) in server.asked[0].target
    assert ended.code == 1
    assert_clean(key, ended.out, ended.err)
    assert_no_file_holds(key, cli.folder)


@pytest.mark.parametrize(("key", "mode"), [("v3", "threaded"), ("v4", "async")], indirect=["key"])
def test_a_killed_process_leaves_no_key_behind(cli, key, films, mode):
    cli.api.control(latency="20ms")
    with cli.start("movies", films, "--mode", mode, "-vv") as running:
        until(answered(cli.api, 20))
        running.send(KILL)
        ended = running.end()
    assert ended.code == -KILL
    assert_clean(key, ended.out, ended.err)
    assert_no_file_holds(key, cli.folder)


UNEXPECTED = """
import sys
from {module} import {owner}

def broken(*args, **named):
    raise ZeroDivisionError("a bug")

{owner}.{method} = broken
from enricher.cli import main
main()
"""


@pytest.mark.parametrize(
    ("key", "module", "owner", "method", "mode"),
    [
        ("v3", "enricher.store", "Store", "commit", "threaded"),
        ("v4", "enricher.core.gate", "Gate", "report", "sequential"),
        ("v3", "aiohttp", "ClientSession", "_request", "async"),
        ("v4", "enricher.transports.pooled", "PooledTransport", "__init__", "threaded"),
    ],
    indirect=["key"],
)
def test_no_traceback_of_a_bug_holds_the_key(cli, key, films, module, owner, method, mode):
    code = UNEXPECTED.format(module=module, owner=owner, method=method)
    with Running(["-c", code, "movies", str(films), "--mode", mode, "-vv"]) as running:
        ended = running.end()
    assert ended.code == 1
    assert "ZeroDivisionError: a bug" in ended.err
    assert_clean(key, ended.out, ended.err)
    assert_no_file_holds(key, cli.folder)


def test_no_exception_of_a_transport_holds_the_key_nor_does_what_it_was_raised_from(key):
    """A library's own error names the whole address; `raise ... from None` keeps it off the screen."""
    transport = PooledTransport({"tmdb": key}, 1)
    try:
        with pytest.raises(enricher.EnricherError) as raised:
            transport.send(enricher.Request(tmdb("http://127.0.0.1:9/3", timeout_s=1.0), "/movie/1"))
    finally:
        transport.close()
    assert_clean(key, "".join(traceback.format_exception(raised.value)), repr(raised.value))


def test_no_object_that_can_be_printed_shows_the_key(cli, key):
    settings = load({})
    service = tmdb(cli.api.base_url)
    with enricher.TMDBClient(key, service=service) as client, Engine(keys={"tmdb": key}) as engine:
        client.search_movie("Stalker")
        stop = enricher.Stop()
        things = [
            settings,
            settings.tmdb_api_key,
            settings.model_dump(),
            Settings.model_fields,
            client,
            engine,
            engine.gate,
            engine.memory,
            engine._transport(),
            engine._transport()._session,
            StreamingTransport({"tmdb": key}, 1),
            Performer(engine.gate, engine.memory, stop, engine._processes),
            route_of(service, key),
            service.place_key(key),
            service,
            enricher.Request(service, "/movie/1"),
            enricher.KeyRefused("tmdb", "HTTP 401"),
        ]
        for thing in things:
            assert_clean(key, repr(thing), str(thing), f"{thing}")


def test_a_setting_that_is_refused_does_not_repeat_the_key(cli, key, films):
    """The key may be said in a settings file, too; a wrong line there is told without its value."""
    (cli.folder / "settings.yaml").write_text(f"tmdb_api_key: ['{key}']\n")
    environment = {name: value for name, value in os.environ.items() if name != "TMDB_API_KEY"}
    words = [sys.executable, "-m", "enricher", "movies", str(films), "--config", "settings.yaml"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "tmdb_api_key: not a key" in ended.stderr
    assert_clean(key, ended.stdout, ended.stderr)
