"""An API that fails in every way it can, and goes away: every film is right in the end, and every mode tells it alike."""

import pytest
from cli_world import answered, column, generated, meanwhile, rows_of, write_list

MODES = ("sequential", "threaded", "async")
FAULTS = "5xx=5%,reset=4%,truncated=3%,html=2%,429=2%"
COUNT = 250


@pytest.fixture
def films(own_folder):
    return write_list(own_folder / "films.csv", generated(COUNT)[0])


def test_every_film_is_right_and_the_files_are_the_same_bytes_in_every_mode(cli, films, monkeypatch):
    """The faults go by request and attempt, so each mode meets the same ones; what it makes of them may not differ."""
    monkeypatch.setenv("ENRICHER_BACKOFF_S", "0.002")
    exported = {}
    for mode in MODES:
        cli.api.control(faults=FAULTS, latency="1ms", seed=3)
        cli.api.reset()
        ended = cli("movies", films, "--mode", mode, "--db", f"{mode}.db", "--out", f"{mode}.csv", "--json")
        assert ended.code == 0
        stats = cli.api.stats()
        assert set(stats["faults"]) == {"5xx", "reset", "truncated", "html", "429"}
        assert sum(stats["faults"].values()) == ended.data["retries"] > 50
        assert stats["arrivals"] == 2 * COUNT + ended.data["retries"]
        cli("export", "--db", f"{mode}.db", "--out", f"{mode}.json")
        exported[mode] = [(cli.folder / f"{mode}.{form}").read_bytes() for form in ("csv", "json")]
    assert column(rows_of(exported["threaded"][0].decode()), "tmdb_id") == generated(COUNT)[1]
    assert exported["sequential"] == exported["threaded"] == exported["async"]


def test_what_fails_for_good_reads_the_same_in_every_mode(cli, films, monkeypatch):
    """No elapsed time and no library's words in the table: a failed film's row is the same bytes, too."""
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "2")
    monkeypatch.setenv("ENRICHER_BACKOFF_S", "0.002")
    tables = set()
    for mode in MODES:
        cli.api.control(faults="5xx=12%,reset=6%,truncated=6%,html=6%,garbage=6%", seed=5)
        cli.api.reset()
        words = ("movies", films, "--limit", "60", "--mode", mode, "--concurrency", "4", "--db", f"{mode}.db")
        tables.add(cli(*words).out)
    (table,) = tables
    errors = set(filter(None, column(rows_of(table), "error")))
    assert "connection lost (2 attempts)" in errors
    assert "not JSON (2 attempts)" in errors
    assert "enriched" in column(rows_of(table), "status")


@pytest.mark.parametrize(("mode", "how"), [("threaded", "503"), ("async", "reset")])
def test_after_an_outage_the_job_goes_on_and_no_film_has_paid_for_it(cli, films, mode, how):
    cli.api.control(outage=how)
    with meanwhile(lambda: cli.api.stats()["faults"].get("outage", 0) >= 10, lambda: cli.api.control(outage="off")):
        ended = cli("movies", films, "--mode", mode, "--limit", "40")
    assert ended.code == 0
    assert column(rows_of(ended.out), "tmdb_id") == generated(40)[1]


@pytest.mark.parametrize("mode", ["threaded", "async"])
def test_an_outage_that_lasts_ends_the_job_with_films_pending_and_the_next_run_ends_it_well(
    cli, films, mode, monkeypatch
):
    monkeypatch.setenv("ENRICHER_OUTAGE_S", "0.2")
    monkeypatch.setenv("ENRICHER_BACKOFF_CAP_S", "0.01")
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "20")
    cli.api.control(latency="5ms")
    with meanwhile(answered(cli.api, 40), lambda: cli.api.control(outage="reset")):
        ended = cli("movies", films, "--mode", mode)
    assert ended.code == 1
    assert "the same command goes on where it stopped" in ended.err
    assert "no answer from 127.0.0.1" in ended.err
    statuses = column(rows_of(ended.out), "status")
    assert statuses.count("enriched") >= (40 - 10) / 2  # of two answers each; ten films may have had one of them
    assert set(statuses) == {"enriched", "pending"}
    cli.api.control(outage="off", latency=None)
    cli.api.reset()
    assert column(cli.table("movies", films), "tmdb_id") == generated(COUNT)[1]
    assert cli.api.stats()["arrivals"] <= 2 * statuses.count("pending")
