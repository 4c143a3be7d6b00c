"""`enricher export`, `jobs`, `cache`: what lies in the database, without asking anybody."""

import json
import re
import sqlite3

import pytest
from cli_world import FILMS, IDS, UNSURE, column, generated, write_list

NO_DATABASE = "enricher: enricher.db: no such database; a run makes it, --db names another"


@pytest.fixture
def kept(cli):
    """A database with two jobs: five films, and two of which one has failed."""
    cli("movies", write_list(cli.folder / "first.csv"))
    cli("movies", write_list(cli.folder / "second.csv", [UNSURE, ("", "1999"), ("Dune", "=1984")]))
    cli.api.reset()
    yield cli
    assert cli.api.stats()["arrivals"] == 0


def remembered(cli):
    return cli("cache", "stats").out.splitlines()[0].split()[0]


@pytest.mark.parametrize(
    "words", [("export",), ("jobs",), ("cache", "stats"), ("cache", "prune"), ("cache", "clear"), ("export", "1")]
)
def test_without_a_database_none_is_made(cli, words):
    ended = cli(*words)
    assert (ended.code, ended.complaint, cli.files) == (2, NO_DATABASE, [])


@pytest.mark.parametrize("words", [("export",), ("jobs",), ("cache", "stats")])
def test_a_file_that_is_no_database_is_refused(cli, words):
    write_list(cli.folder / "films.csv")
    ended = cli(*words, "--db", "films.csv")
    assert ended.code == 2
    assert "films.csv" in ended.complaint


# ── export ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_newest_job_is_exported_unless_another_is_named(kept):
    assert column(kept.table("export"), "Name") == ["Black Box", "", "Dune"]
    assert column(kept.table("export", "1"), "tmdb_id") == IDS


def test_an_export_is_the_table_that_the_run_wrote(kept):
    ran = kept("movies", "first.csv", "--out", "ran.json")
    again = kept("export", "1", "--out", "again.json")
    assert (ran.code, again.code, again.out) == (0, 0, "")
    assert "again.json: 5 rows" in again.err
    assert (kept.folder / "again.json").read_bytes() == (kept.folder / "ran.json").read_bytes()


def test_an_export_can_be_spreadsheet_safe(kept):
    assert column(kept.table("export"), "Year")[2] == "=1984"
    assert column(kept.table("export", "--spreadsheet-safe"), "Year")[2] == "'=1984"


@pytest.mark.parametrize("words", [("export", "7"), ("jobs", "7")])
def test_a_job_that_is_not_there_is_told(kept, words):
    assert kept(*words).complaint == "enricher: enricher.db: no job 7; enricher jobs lists them"


def test_a_database_without_jobs_has_nothing_to_export(kept):
    with sqlite3.connect(kept.folder / "enricher.db") as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM job")
    database.close()
    assert "no job yet" in kept("export").complaint
    assert kept("jobs", "--json").data == []


def test_a_job_of_a_pipeline_that_we_do_not_know_is_left_alone(kept):
    with sqlite3.connect(kept.folder / "enricher.db") as database:
        database.execute("UPDATE job SET pipeline = 'birds'")
    database.close()
    assert "of the pipeline 'birds', which this program does not know" in kept("export").complaint


@pytest.mark.parametrize("word", ["x", "1.5"])
def test_a_job_is_a_number(kept, word):
    assert "is not a valid integer" in kept("export", word).complaint


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_jobs_lists_all_or_tells_of_one(kept):
    listed = kept("jobs").out
    assert "first.csv" in listed
    assert "second.csv" in listed
    one = kept("jobs", "1").out
    assert "first.csv" in one
    assert "second.csv" not in one


def test_jobs_as_json_says_how_far_each_is_and_what_it_cost(kept):
    first, second = kept("jobs", "--json").data
    assert (first["job"], first["pipeline"], first["name"], first["state"]) == (1, "movies", "first.csv", "done")
    assert (first["rows"], first["items"], first["items_by_status"]) == (5, 5, {"enriched": 5})
    assert (first["requests"], first["cache_hits"], first["retries"]) == (10, 0, 0)
    assert first["options"]["language"] == "en-US"
    assert (second["rows"], second["items_by_status"]) == (3, {"enriched": 1, "unsure": 1})
    assert kept("jobs", "2", "--json").data == [second]


def test_a_job_s_line_is_not_cut_where_the_screen_is_narrow(kept, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert "…" not in kept("jobs").out


def test_jobs_are_a_line_each_at_eighty_columns(kept, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    head, *lines = kept("jobs").out.splitlines()
    assert head.split() == ["job", "list", "state", "rows", "done", "failed", "requests", "updated"]
    assert len(lines) == 2
    for line in lines:
        assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d *$", line)


# ── cache ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cache_stats_counts_answers_by_kind(kept):
    first, *kinds, oldest = kept("cache", "stats").out.splitlines()
    assert first.endswith(" MB")
    counts = dict(line.strip().split(": ") for line in kinds)
    assert set(counts) == {"details", "search"}
    assert sum(map(int, counts.values())) == int(first.split()[0])
    assert oldest.startswith("oldest: 20")


def test_cache_clear_forgets_answers_and_keeps_jobs_and_films(kept):
    before = remembered(kept)
    assert kept("cache", "clear").out == f"{before} answers forgotten\n"
    assert kept("cache", "stats").out == "0 answers, 0.0 MB\n"
    assert column(kept.table("export", "1"), "tmdb_id") == IDS
    assert kept("movies", "first.csv").code == 0  # a finished job asks nothing, cleared or not


def test_cache_prune_keeps_what_fits(kept):
    before = int(remembered(kept))
    assert kept("cache", "prune").out == "0 answers forgotten\n"
    assert kept("cache", "prune", "--max-mb", "0.002").code == 0
    assert 0 < int(remembered(kept)) < before
    kept("cache", "prune", "--max-mb", "0")
    assert remembered(kept) == "0"


def test_cache_prune_forgets_what_is_too_old(kept):
    before = remembered(kept)
    assert kept("cache", "prune", "--older-than-days", "1").out == "0 answers forgotten\n"
    with sqlite3.connect(kept.folder / "enricher.db") as database:
        database.execute("UPDATE answer SET stored_at = stored_at - 2 * 86400 WHERE kind = 'search'")
        (old,) = database.execute("SELECT count(*) FROM answer WHERE kind = 'search'").fetchone()
    database.close()
    assert kept("cache", "prune", "--older-than-days", "1").out == f"{old} answers forgotten\n"
    assert int(remembered(kept)) == int(before) - old


@pytest.mark.parametrize("words", [("--max-mb", "-1"), ("--max-mb", "x"), ("--older-than-days", "-0.5")])
def test_cache_prune_refuses_nonsense(kept, words):
    before = remembered(kept)
    ended = kept("cache", "prune", *words)
    assert ended.code == 2
    assert words[0] in ended.complaint
    assert remembered(kept) == before


def test_cleared_answers_are_asked_for_again(cli):
    cli("movies", write_list(cli.folder / "films.csv", generated(2)[0]))
    cli("cache", "clear")
    cli.api.reset()
    cli("movies", write_list(cli.folder / "other.csv", [*generated(2)[0], *FILMS[:1]]))
    assert cli.api.stats()["arrivals"] == 6


def test_cache_alone_says_what_is_missing(cli):
    assert cli("cache").complaint == "enricher: Missing command. (enricher cache --help tells what can be said)"


def test_the_options_of_a_job_are_told_as_they_were(kept):
    assert json.loads(kept("jobs", "1", "--json").out)[0]["options"]["base_url"] == kept.api.base_url
