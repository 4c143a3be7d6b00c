"""`enricher simulate` and `enricher demo`: the simulated API by hand, and in a show."""

import http.client
import json
import os
import signal
import socket

import pytest
from cli_world import INTERRUPT, PATIENCE_S, TERMINATE, Running, column, meanwhile, rows_of

from enricher.simulator.behaviour import OPTIONS


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port, path="/3/configuration?api_key=any"):
    """Whether somebody answers there with films' data."""

    def look():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            return "images" in json.loads(connection.getresponse().read())
        except OSError:
            return False
        finally:
            connection.close()

    return look


def test_simulate_serves_until_ctrl_c(cli):
    port = free_port()
    with meanwhile(answers(port), lambda: os.kill(os.getpid(), INTERRUPT)):
        ended = cli("simulate", "--port", port, "--films", "10")
    assert (ended.code, ended.err) == (0, "")
    address = f"http://127.0.0.1:{port}/3"
    assert ended.out.splitlines() == [
        f"Simulated TMDB at {address}",
        f"Try: TMDB_API_KEY=any enricher movies LIST.csv --base-url {address}",
    ]


@pytest.mark.parametrize("number", [INTERRUPT, TERMINATE], ids=lambda number: signal.Signals(number).name)
def test_simulate_is_a_process_that_ends_politely(number, own_folder):
    with Running(["-m", "enricher", "simulate", "--port", "0", "--key", "right", "--films", "10"]) as running:
        port = int(running.process.stdout.readline().rpartition(":")[2].partition("/")[0])
        assert answers(port, "/3/configuration?api_key=right")()
        assert not answers(port, "/3/configuration?api_key=wrong")()
        running.send(number)
        ended = running.end()
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ("--latency", "soon"),
        ("--quota", "many"),
        ("--faults", "5xx=200%"),
        ("--retry-after", "later"),
        ("--seed", "-1"),
        ("--films", "1e99"),
        ("--films", "999999999"),
        ("--details-bytes", "x"),
        ("--host", "0.0.0.0"),
        ("--host", "nowhere"),
        ("--port", "99999"),
        ("--port", "x"),
    ],
    ids=" ".join,
)
def test_simulate_refuses_nonsense_in_one_line(cli, words):
    ended = cli("simulate", *words)
    assert ended.code == 2
    assert words[1] in ended.complaint


def test_simulate_tells_of_a_port_that_is_taken(cli):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = cli("simulate", "--port", port)
    assert ended.code == 2
    assert ended.complaint == f"enricher: port {port} is taken; choose another with --port"


def test_simulate_offers_what_the_simulator_can_do(cli):
    shown = cli("simulate", "--help").out
    left_out = {"outage", "films_seed", "cpu"}  # for tests and benchmarks
    assert all(f"--{name.replace('_', '-')}" in shown for name in OPTIONS if name not in left_out)


def test_the_demo_shows_it_all_without_a_key_and_whatever_the_environment_says(cli, tmp_path, monkeypatch):
    monkeypatch.delenv("TMDB_API_KEY")
    monkeypatch.setenv("ENRICHER_RATE", "none")  # its API would turn away whoever asks so much
    monkeypatch.delenv("COLUMNS")
    ended = cli("demo", "--dir", tmp_path / "new" / "folder")
    assert ended.code == 0
    assert ended.out.startswith("the first 12 of 24 rows of films.csv")
    assert len(ended.out.splitlines()[1]) == 120  # a log has no width, and 80 would cut every column
    for part in ("La Haine", "0 too many", f"The files are in {tmp_path / 'new' / 'folder'}", "export TMDB_API_KEY"):
        assert part in ended.out
    assert "$ enricher movies diary.csv --out films.csv --review review.csv" in ended.err
    assert "enriched 22" in " ".join(ended.err.split())
    folder = tmp_path / "new" / "folder"
    assert {"diary.csv", "films.csv", "review.csv", "enricher.db"} <= {path.name for path in folder.iterdir()}
    rows = rows_of((folder / "films.csv").read_text(encoding="utf-8"))
    assert sorted(set(column(rows, "status"))) == ["enriched", "not_found", "unsure"]
    assert cli.api.stats()["arrivals"] == 0  # it brings its own


@pytest.mark.parametrize("name", ["diary.csv", "films.csv", "review.csv", "enricher.db"])
def test_the_demo_writes_over_nobody_s_files(cli, name):
    own = cli.folder / name
    own.write_text("mine")
    ended = cli("demo", "--dir", cli.folder)
    assert ended.code == 2
    assert ended.complaint == f"enricher: --dir {cli.folder}: there is a {name} already; name another folder"
    assert (own.read_text(), cli.files) == ("mine", [name])


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_the_demo_wants_a_folder(cli, place):
    (cli.folder / "a-file").write_text("")
    ended = cli("demo", "--dir", place)
    assert ended.code == 2
    assert f"--dir {place}: this is no folder" in ended.complaint


def test_there_is_no_demo_of_anything_else(cli):
    assert "'movies'" in cli("demo", "birds").complaint
