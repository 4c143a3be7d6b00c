"""Real processes, killed for real: nothing that was done is lost, nothing is done twice, and the words to go on are said."""

import random
import signal
import sqlite3
import time

import pytest
from cli_world import INTERRUPT, KILL, TERMINATE, answered, column, generated, rows_of, until, write_list

MODES = ("sequential", "threaded", "async")
GO_ON = "the same command goes on where it stopped"
SLOTS = 10
COUNT = 200
LATENCY_S = 0.05


def films_of(folder, count):
    return write_list(folder / "films.csv", generated(count)[0])


def query(folder, sql):
    with sqlite3.connect(folder / "enricher.db") as database:
        rows = database.execute(sql).fetchall()
    database.close()
    return rows


def assert_all_are_right_and_nothing_more_is_asked(cli, films, count):
    ids = generated(count)[1]
    assert column(cli.table("movies", films), "tmdb_id") == ids
    assert query(cli.folder, "PRAGMA integrity_check") == [("ok",)]
    assert sorted(str(number) for (number,) in query(cli.folder, "SELECT tmdb_id FROM film")) == sorted(ids)
    assert query(cli.folder, "SELECT count(*), count(DISTINCT key) FROM item WHERE state = 'enriched'") == [
        (count, count)
    ]
    cli.api.reset()
    assert column(cli.table("movies", films), "tmdb_id") == ids
    assert cli.api.stats()["arrivals"] == 0


@pytest.mark.parametrize(("mode", "kills"), [("threaded", 4), ("async", 2)])
def test_kill_9_again_and_again_costs_no_film_and_little_work(cli, mode, kills):
    films = films_of(cli.folder, COUNT)
    chance = random.Random(f"kill {mode}")
    cli.api.control(latency=f"{LATENCY_S}s")
    for kill in range(kills):
        # Spread over the job, so that one that began anew each time would ask for twice what is allowed below.
        moment = 2 * COUNT * (kill + chance.random()) / (kills + 1)
        with cli.start("movies", films, "--mode", mode) as running:
            until(answered(cli.api, cli.api.stats()["answered"] + 1))
            until(answered(cli.api, moment))
            running.send(KILL)
            assert running.end().code == -KILL
    cli.api.control(latency=None)
    assert cli("movies", films, "--mode", mode).code == 0
    asked_again = cli.api.stats()["arrivals"] - 2 * COUNT
    # Not yet committed at a kill: 100 ms of work (three times that on a busy machine), and the films under way.
    assert asked_again <= kills * (3 * 0.1 * SLOTS / LATENCY_S + 2 * SLOTS)
    assert_all_are_right_and_nothing_more_is_asked(cli, films, COUNT)


def test_a_process_that_is_killed_gives_its_job_back(cli):
    films = films_of(cli.folder, 5)
    cli.api.control(pause=True)
    with cli.start("movies", films) as running:
        until(lambda: cli.api.stats()["in_flight"])
        running.send(KILL)
        running.end()
    cli.api.control(pause=False)
    assert_all_are_right_and_nothing_more_is_asked(cli, films, 5)


# ── a refused key ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_key_stops_the_job_at_once_and_the_right_one_finishes_it(cli, mode, monkeypatch):
    films = films_of(cli.folder, 60)
    cli.api.control(key="right", latency="5ms")
    refused = cli("movies", films, "--mode", mode, "--concurrency", "4")
    assert refused.code == 3
    assert "refused the API key" in refused.complaint
    assert "the same command goes on" in refused.complaint
    assert 1 <= cli.api.stats()["arrivals"] <= (1 if mode == "sequential" else 4)
    assert query(cli.folder, "SELECT state, count(*) FROM item GROUP BY state") == [("pending", 60)]
    assert query(cli.folder, "SELECT count(*) FROM answer") == [(0,)]
    monkeypatch.setenv("TMDB_API_KEY", "right")
    assert_all_are_right_and_nothing_more_is_asked(cli, films, 60)


def test_a_key_that_is_refused_on_the_way_keeps_what_is_done(cli, monkeypatch):
    films = films_of(cli.folder, 60)
    cli.api.control(latency="10ms")
    with cli.start("movies", films) as running:
        until(answered(cli.api, 40))
        cli.api.control(key="right")
        assert running.end().code == 3
    states = dict(query(cli.folder, "SELECT state, count(*) FROM item GROUP BY state"))
    assert set(states) == {"enriched", "pending"}
    monkeypatch.setenv("TMDB_API_KEY", "right")
    assert_all_are_right_and_nothing_more_is_asked(cli, films, 60)


# ── Ctrl-C and a polite kill ────────────────────────────────────────────────────────────────────────────────────────

# The bounds are those that we promise, times three: one second during a pause, two with a request in flight.
PAUSE_BOUND_S = 3.0
FLIGHT_BOUND_S = 6.0

by_name = {"ids": lambda value: signal.Signals(value).name if isinstance(value, signal.Signals) else value}


def stop(running, number):
    """Stop it, and how it ended: what it said, and the seconds it took."""
    began = time.monotonic()
    running.send(number)
    ended = running.end()
    return ended, time.monotonic() - began


def assert_said(ended, count):
    assert ended.code == 130
    assert f" of {count} films done; {GO_ON}" in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("mode", "number"),
    [("sequential", INTERRUPT), ("threaded", INTERRUPT), ("async", INTERRUPT), ("threaded", TERMINATE)],
    **by_name,
)
def test_a_stop_during_a_long_pause_ends_it_promptly(cli, mode, number):
    films = films_of(cli.folder, 20)
    cli.api.control(faults="429=100%:60s")
    with cli.start("movies", films, "--mode", mode) as running:
        assert "60 s left" in running.line("waiting: tmdb HTTP 429")
        ended, took_s = stop(running, number)
    assert_said(ended, 20)
    assert took_s < PAUSE_BOUND_S
    cli.api.control(faults=None)
    assert_all_are_right_and_nothing_more_is_asked(cli, films, 20)


@pytest.mark.parametrize(
    ("mode", "number"),
    [("sequential", TERMINATE), ("threaded", INTERRUPT), ("async", INTERRUPT)],
    **by_name,
)
def test_a_stop_with_requests_in_flight_ends_them_and_keeps_what_is_done(cli, mode, number):
    films = films_of(cli.folder, 20)
    slots = 1 if mode == "sequential" else 2
    cli.api.control(latency="10ms")
    with cli.start("movies", films, "--mode", mode, "--concurrency", slots) as running:
        until(answered(cli.api, 12))
        cli.api.control(latency="30s")
        until(lambda: cli.api.stats()["latency_sum_s"] >= 30 * slots)  # all that is in flight takes so long
        ended, took_s = stop(running, number)
    assert_said(ended, 20)
    assert took_s < FLIGHT_BOUND_S
    done = query(cli.folder, "SELECT count(*) FROM item WHERE state = 'enriched'")[0][0]
    assert done >= (12 - slots) // 2
    assert f"stopped with {done} of 20" in ended.err
    cli.api.control(latency=None)
    cli.api.reset()
    assert column(rows_of(cli("movies", films).out), "tmdb_id") == generated(20)[1]
    assert cli.api.stats()["arrivals"] == 2 * (20 - done)
    assert_all_are_right_and_nothing_more_is_asked(cli, films, 20)


def test_a_stopped_job_is_listed_as_stopped(cli):
    films = films_of(cli.folder, 20)
    cli.api.control(faults="429=100%:60s")
    with cli.start("movies", films) as running:
        running.line("waiting")
        stop(running, INTERRUPT)
    (job,) = cli("jobs", "--json").data
    assert (job["state"], job["items_by_status"]) == ("stopped", {"pending": 20})
