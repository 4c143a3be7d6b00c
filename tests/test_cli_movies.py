"""`enricher movies` end to end: words typed by a person, real HTTP to the simulated API, and what comes out."""

import json
import os
import pty
import signal
import sqlite3
import threading

import click
import pytest
from cli_world import (
    FILMS,
    IDS,
    INTERRUPT,
    KEY,
    MISSING,
    TERMINATE,
    UNSURE,
    Running,
    answered,
    column,
    generated,
    meanwhile,
    rows_of,
    until,
    write_list,
    write_zip,
)

from enricher import cli as command_line
from enricher.cli import watching
from enricher.cli.running import Wish, watch_run
from enricher.cli.watching import Watch, duration, progress_line
from enricher.core.gate import Hold
from enricher.engine import Tally

MODES = ("sequential", "threaded", "async")


@pytest.fixture
def films(own_folder):
    return write_list(own_folder / "films.csv")


def requests_of(api):
    return list(api.stats(detail=True)["requests_by_identity"])


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
def test_a_list_comes_out_as_a_table_in_every_mode(cli, films, mode):
    rows = cli.table("movies", films, "--mode", mode)
    assert column(rows, "Name") == column(rows, "title") == [name for name, _ in FILMS]
    assert column(rows, "tmdb_id") == IDS
    assert set(column(rows, "status")) == {"enriched"}


def test_async_is_short_for_the_mode(cli, films):
    assert column(cli.table("movies", films, "--async"), "tmdb_id") == IDS
    assert "contradict" in cli("movies", films, "--async", "--mode", "sequential").complaint
    assert cli("movies", films, "--async", "--mode", "async").code == 0


def test_the_input_s_columns_stand_first_and_untouched(cli, own_folder):
    own = write_list(own_folder / "own.csv", [(" Stalker ", "1979", "x,y"), ("", "", "z")], ("title", "Year", "status"))
    rows = cli.table("movies", own, code=1)
    assert list(rows[0])[:7] == ["title", "Year", "status", "enriched_status", "match_score", "error", "tmdb_id"]
    assert column(rows, "title") == [" Stalker ", ""]
    assert column(rows, "status") == ["x,y", "z"]
    assert column(rows, "enriched_title") == ["Stalker", ""]
    assert column(rows, "enriched_status") == ["enriched", "failed"]
    assert rows[1]["error"] == "no title"


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "md"])
def test_out_writes_each_format_and_leaves_stdout_empty(cli, films, suffix):
    out = cli.folder / f"out.{suffix}"
    ended = cli("movies", films, "--out", out)
    assert (ended.code, ended.out) == (0, "")
    assert f"{out}: 5 rows" in ended.err
    text = out.read_text(encoding="utf-8")
    match suffix:
        case "csv":
            assert column(rows_of(text), "directors")[0] == "Lana Wachowski; Lilly Wachowski"
        case "json":
            assert json.loads(text)[0]["directors"] == ["Lana Wachowski", "Lilly Wachowski"]
        case "jsonl":
            assert [json.loads(line)["tmdb_id"] for line in text.splitlines()] == list(map(int, IDS))
        case "md":
            assert text.startswith("| Name | Year | status |")


def test_an_unknown_suffix_is_refused_before_anything_is_asked(cli, films):
    assert ".jsonl" in cli("movies", films, "--out", "out.xlsx").complaint
    assert cli.api.stats()["arrivals"] == 0


@pytest.mark.parametrize("flag", ["--out", "--review"])
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("no/such/folder.csv", "no such folder"),
        ("films.csv", "one of the lists"),
        ("./films.csv", "one of the lists"),
        ("a-folder.csv", "this is a folder"),
        ("base.csv", "the file of --db"),
        ("chosen.csv", "the file of --decisions"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anything_is_asked(cli, films, flag, place, told):
    before = films.read_bytes()
    (cli.folder / "a-folder.csv").mkdir()
    (cli.folder / "chosen.csv").write_text("choice,key,id\n")
    ended = cli("movies", films.name, flag, place, "--db", "base.csv", "--decisions", "chosen.csv")
    assert ended.code == 2
    assert told in ended.complaint
    assert cli.api.stats()["arrivals"] == 0
    assert films.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--out", "same.csv", "--review", "same.csv"), "--review same.csv: this is the file of --out"),
        (("--db", "films.csv"), "--db films.csv: this is one of the lists"),
    ],
)
def test_two_things_are_never_written_into_one_file(cli, films, words, told):
    ended = cli("movies", films, *words)
    assert ended.code == 2
    assert told in ended.complaint
    assert cli.files == ["films.csv"]


def test_unsure_and_missing_films_have_their_answer_and_no_record(cli, own_folder):
    rows = cli.table("movies", write_list(own_folder / "odd.csv", [UNSURE, MISSING]))
    assert column(rows, "status") == ["unsure", "not_found"]
    assert column(rows, "tmdb_id") == ["", ""]


def test_two_lists_of_the_same_name_are_two_lists(cli, own_folder):
    lists = []
    for name, film in (("d1", ("Stalker", "1979")), ("d2", ("Dune", "1984"))):
        (own_folder / name).mkdir()
        lists.append(write_list(own_folder / name / "diary.csv", [film]))
    rows = cli.table("movies", *lists)
    assert column(rows, "source_file") == ["diary.csv", "diary.csv"]
    assert column(rows, "tmdb_id") == ["1398", "841"]


def test_a_list_without_films_is_a_list_with_its_columns(cli, own_folder):
    empty = write_list(own_folder / "empty.csv", [], ("Name", "Rating"))
    assert cli("movies", empty).out.startswith("Name,Rating,status,")
    (row,) = cli.table("movies", empty, write_list(own_folder / "films.csv", FILMS[:1]))
    assert list(row)[:4] == ["Name", "Rating", "Year", "source_file"]
    assert row["source_file"] == "films.csv"


def test_several_lists_make_one_table_that_says_where_each_row_is_from(cli, own_folder):
    seen = write_list(own_folder / "seen.csv", [("Stalker", "1979"), ("Dune", "1984")])
    rated = write_list(own_folder / "rated.csv", [("Dune", "1984", "3")], ("Name", "Year", "Rating"))
    rows = cli.table("movies", seen, rated)
    assert column(rows, "source_file") == ["seen.csv", "seen.csv", "rated.csv"]
    assert column(rows, "Rating") == ["", "", "3"]
    assert column(rows, "tmdb_id") == ["1398", "841", "841"]
    assert cli.api.stats()["arrivals"] == 4  # two films, however many rows


def test_an_export_s_archive_becomes_one_row_a_film(cli, own_folder):
    export = write_zip(
        own_folder / "letterboxd.zip",
        {
            "watched.csv": "Date,Name,Year,Letterboxd URI\n2025-01-01,Stalker,1979,https://boxd.it/1\n",
            "ratings.csv": "Date,Name,Year,Letterboxd URI,Rating\n2025-01-02,Stalker,1979,https://boxd.it/1,5\n",
            "diary.csv": "Date,Name,Year,Letterboxd URI,Rewatch\n2025-01-03,Dune,1984,https://boxd.it/e,Yes\n",
        },
    )
    rows = cli.table("movies", export)
    assert column(rows, "Name") == ["Stalker", "Dune"]
    assert column(rows, "Files") == ["watched.csv; ratings.csv", "diary.csv"]
    assert column(rows, "tmdb_id") == ["1398", "841"]


OPEN = [
    ("?", "", "tt0903747", "a series, not a film"),
    ("The Film That Nobody Made", "2020", "", "no film of this name near 2020"),
    ("Black Box", "", "", "2 films of this name; the row has no year"),
    ("Die Jagd", "2012", "", "2 films of this name near 2012"),
    (
        "Heat",
        "1995",
        "tt0133093",
        "the id is another film's: it is that of The Matrix (1999), and the row says Heat (1995)",
    ),
    ("", "", "tt8888888", "TMDB knows no such id (tt8888888)"),
]


@pytest.mark.parametrize("mode", MODES)
def test_every_row_that_is_not_enriched_says_why_in_every_export_the_review_and_the_summary(cli, own_folder, mode):
    known = write_list(own_folder / "known.csv", [row[:3] for row in OPEN], ("Name", "Year", "imdb_id"))
    words = ("movies", known, "--mode", mode, "--review", own_folder / "review.csv")
    ended = cli(*words)
    reasons = [row[3] for row in OPEN]
    assert column(rows_of(ended.out), "error") == reasons
    assert " 1 unsure: … films of this name near …" in ended.err
    lines = rows_of((own_folder / "review.csv").read_text())
    assert list(dict.fromkeys(column(lines, "error"))) == reasons
    kept = json.loads(cli(*words, "--json").out)["reasons"]  # from the database: nothing is asked again
    assert {"status": "not_found", "reason": "a series, not a film", "rows": 1} in kept
    for suffix in ("json", "jsonl", "md"):
        out = own_folder / f"films.{suffix}"
        cli(*words, "--out", out)
        assert all(json.dumps(reason)[1:-1] in out.read_text() for reason in reasons)


def test_a_reason_goes_with_a_person_s_choice_and_a_row_of_its_own_says_another(cli, own_folder):
    known = write_list(own_folder / "known.csv", [OPEN[1][:2]])
    review = own_folder / "review.csv"
    cli("movies", known, "--review", review)
    review.write_text(review.read_text().replace("\n,The Film", "\nnone,The Film"))
    assert column(cli.table("movies", known, "--decisions", review), "error") == [
        "a person decided that TMDB has no such film"
    ]


def test_a_dead_id_leads_to_the_title_and_spoils_no_other_row(cli, own_folder):
    header = ("Title", "Year", "imdb_id", "tmdb_id")
    rows = [("The Matrix", "1999", "tt0133093", "31014900"), ("The Matrix", "1999", "tt0133093", "")]
    known = write_list(own_folder / "known.csv", [*rows, ("The Matrix", "1999", "tt9999999", "310149")], header)
    assert column(cli.table("movies", known), "enriched_tmdb_id") == ["603"] * 3


def test_films_for_adults_are_found_only_with_the_flag_which_makes_another_job_of_it(cli, own_folder):
    known = write_list(own_folder / "known.csv", [("Deep Velvet Night", "1972")])
    statuses = [column(cli.table("movies", known, *flag), "status") for flag in ((), ("--include-adult",), ())]
    assert statuses == [["not_found"], ["enriched"], ["not_found"]]


def test_ids_in_the_list_spare_the_search(cli, own_folder):
    header = ("Name", "imdb_id", "tmdb_id")
    known = write_list(own_folder / "known.csv", [("?", "tt0133093", ""), ("?", "", "841")], header)
    assert column(cli.table("movies", known), "enriched_tmdb_id") == ["603", "841"]
    assert cli.api.stats()["by_kind"] == {"details": 2, "find": 1}


def test_spreadsheet_safe_disarms_formulas_and_the_plain_table_does_not(cli, own_folder):
    trap = write_list(own_folder / "trap.csv", [("Stalker", "1979", "=1+1")], ("Name", "Year", "note"))
    assert column(cli.table("movies", trap), "note") == ["=1+1"]
    assert column(cli.table("movies", trap, "--spreadsheet-safe"), "note") == ["'=1+1"]


def test_text_that_is_no_row_is_named_on_stderr_only(cli, own_folder):
    own_folder.joinpath("merged.csv").write_text("Name,Year\n<<<<<<< ours\nStalker,1979\n")
    ended = cli("movies", "merged.csv")
    assert "merged.csv:2: skipped: a merge marker of git" in ended.err
    assert column(rows_of(ended.out), "Name") == ["Stalker"]


def test_a_hundred_skipped_lines_do_not_flood_the_screen(cli, own_folder):
    own_folder.joinpath("torn.csv").write_text("Name,Year\nStalker,1979\n" + "=======\n" * 100)
    assert "and 80 more skipped lines" in cli("movies", "torn.csv").err


# ── how much, what, how often ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("limit", "kept"), [("0", 0), ("2", 2), ("99", 5)])
def test_limit_is_as_if_the_input_ended_there(cli, films, limit, kept):
    assert column(cli.table("movies", films, "--limit", limit), "tmdb_id") == IDS[:kept]
    assert cli.api.stats()["arrivals"] == 2 * kept


def test_the_same_command_again_asks_nothing(cli, films):
    first = cli("movies", films)
    cli.api.reset()
    assert cli("movies", films).out == first.out
    assert cli.api.stats()["arrivals"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_refresh_asks_anew_once(cli, films, mode):
    cli("movies", films, "--mode", mode)
    cli.api.reset()
    assert column(cli.table("movies", films, "--mode", mode, "--refresh"), "tmdb_id") == IDS
    stats = cli.api.stats()
    assert (stats["arrivals"], stats["attempts_max"]) == (10, 1)


def test_another_list_with_the_same_films_finds_the_answers_remembered(cli, films, own_folder):
    cli("movies", films)
    cli.api.reset()
    other = write_list(own_folder / "other.csv", reversed(FILMS))
    assert column(cli.table("movies", other), "tmdb_id") == IDS[::-1]
    assert cli.api.stats()["arrivals"] == 0


def test_failed_rows_make_exit_1_and_are_asked_again(cli, films, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "1")
    cli.api.control(faults="5xx=100%")
    rows = cli.table("movies", films, code=1)
    assert set(column(rows, "status")) == {"failed"}
    assert all(error.startswith("HTTP 5") and error.endswith("(1 attempt)") for error in column(rows, "error"))
    cli.api.control(faults=None)
    assert set(column(cli.table("movies", films), "status")) == {"enriched"}


def test_a_timeout_is_one_for_the_attempt(cli, films, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "1")
    cli.api.control(latency="20s")
    rows = cli.table("movies", films, "--limit", "2", "--timeout", "0.2", code=1)
    assert column(rows, "error") == ["timeout (1 attempt)"] * 2


def test_the_language_is_asked_for(cli, films):
    cli("movies", films, "--language", "de-DE", "--limit", "1")
    assert all("language=de-DE" in request for request in requests_of(cli.api))


def test_another_database_can_be_named(cli, films):
    cli("movies", films, "--db", "other.db")
    assert "other.db" in cli.files
    assert "enricher.db" not in cli.files


def test_concurrency_bounds_what_is_in_flight(cli, own_folder):
    cli.api.control(latency="30ms")
    many = write_list(own_folder / "many.csv", generated(8)[0])
    cli("movies", many, "--concurrency", "3")
    stats = cli.api.stats()
    assert (stats["most_in_flight"], stats["connections_opened"]) == (3, 3)


@pytest.mark.parametrize("limiter", ["sliding", "fixed"])
def test_the_rate_is_kept(cli, own_folder, limiter):
    cli.api.control(quota="10/200ms" if limiter == "sliding" else "20/200ms")  # two fixed windows may lie back to back
    many = write_list(own_folder / "many.csv", generated(12)[0])
    ended = cli("movies", many, "--rate", "10/0.2s", "--limiter", limiter, "--json")
    assert ended.data["rate_allowed"] == "10/0.2s"
    stats = cli.api.stats()
    assert (stats["arrivals"], stats["rejected"]) == (24, 0)


def test_a_burst_paces_what_the_window_would_let_go_at_once(cli, films):
    cli("movies", films, "--rate", "50/s", "--burst", "1")
    stats = cli.api.stats()
    assert stats["arrivals"] == 10
    assert stats["last_arrival"] - stats["first_arrival"] > 0.5 * 9 / 50


def test_a_settings_file_is_read_and_a_flag_outweighs_it(cli, films, own_folder):
    config = own_folder / "settings.yaml"
    config.write_text("mode: sequential\nlanguage: fr-FR\n")
    cli.api.control(latency="20ms")
    cli("movies", films, "--config", config, "--language", "it-IT")
    assert cli.api.stats()["most_in_flight"] == 1
    assert all("language=it-IT" in request for request in requests_of(cli.api))


# ── what it says ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_prints_the_summary_and_no_table(cli, films, own_folder):
    cli.api.control(faults="429=20%", seed=1)
    facts = cli("movies", write_list(own_folder / "odd.csv", [*FILMS, UNSURE, ("", "1999")]), "--json").data
    stats = cli.api.stats()
    assert facts["rows"] == 7
    assert facts["rows_by_status"] == {"enriched": 5, "failed": 1, "unsure": 1}
    assert facts["items_by_status"] == {"enriched": 5, "unsure": 1}
    assert facts["asked"] == facts["items"] == 6
    assert facts["requests"] == stats["arrivals"]
    assert facts["retries"] == stats["faults"]["429"] > 0
    assert facts["wait_s"] > 0
    assert facts["seconds"] > 0
    assert facts["rate_used_per_s"] > 0
    assert facts["cache_hits"] == 0


def test_json_and_out_give_both(cli, films):
    ended = cli("movies", films, "--json", "--out", "out.csv")
    assert ended.data["rows"] == 5
    assert "out.csv" in cli.files


def test_the_closing_summary_names_what_became_of_the_rows(cli, own_folder):
    err = cli("movies", write_list(own_folder / "odd.csv", [*FILMS, UNSURE, MISSING, ("", "1999")])).err
    told = " ".join(err.split())
    for part in ("rows 8", "films 7", "enriched 5", "unsure 1", "not found 1", "failed 1", "requests ", "seconds "):
        assert part in told


def test_no_progress_is_quiet(cli, films):
    assert cli("movies", films, "--no-progress").err == ""


def test_v_tells_of_retries_and_vv_of_every_request(cli, films):
    cli.api.control(faults="429=30%,5xx=20%", seed=2)
    once = cli("movies", films, "-v").err
    assert "HTTP 429, everybody waits" in once
    assert "HTTP 50" in once
    assert "answered" not in once
    twice = cli("movies", films, "-vv", "--refresh").err
    assert "GET /search/movie query=Stalker" in twice
    assert "answered (waited " in twice


def test_a_log_line_is_never_broken_where_no_screen_is(cli, films, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    told = cli("movies", films, "-vv", "--no-progress").err.splitlines()
    assert len(told) == 10
    assert all(line.startswith("DEBUG ") and line.endswith(" s)") for line in told)


def test_a_key_is_taken_without_the_blanks_around_it(cli, films, monkeypatch):
    cli.api.control(key=KEY)
    monkeypatch.setenv("TMDB_API_KEY", f" {KEY}\n")
    assert column(cli.table("movies", films), "tmdb_id") == IDS
    monkeypatch.setenv("TMDB_API_KEY", "  ")
    assert "no API key" in cli("movies", films).complaint


def test_without_v_nothing_is_logged(cli, films):
    cli.api.control(faults="5xx=30%", seed=2)
    assert "GET" not in cli("movies", films).err


def test_the_log_level_can_be_a_variable(cli, films, monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert "answered" in cli("movies", films).err


# ── progress ────────────────────────────────────────────────────────────────────────────────────────────────────────


def tally_of(done, total, elapsed_s, **more):
    return Tally(total=total, done=done, started_at=0.0, ended_at=elapsed_s, **more)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (11_100, "3:05:00")]
)
def test_durations_read_like_a_clock(seconds, text):
    assert duration(seconds) == text


def test_the_progress_line_says_how_far_how_fast_and_how_long_still():
    line = progress_line(tally_of(250, 1000, 50.0, hits=7, retries=3, by_status={"failed": 2}), [], "films")
    assert line == "250/1,000 films · 5.0/s · ETA 2:30 · 7 hits · 3 retries · 2 failed"


def test_the_progress_line_makes_no_promise_it_cannot_compute():
    assert progress_line(tally_of(0, 3, 0.0), [], "films") == "0/3 films · 0.0/s · 0 hits · 0 retries"
    assert "ETA" not in progress_line(tally_of(3, 3, 1.0), [], "films")


def test_the_progress_line_says_why_it_waits_by_the_longest_wait():
    holds = [Hold("tmdb", "films.test does not answer", 2.0), Hold("tmdb", "HTTP 429", 41.0)]
    assert progress_line(tally_of(1, 2, 1.0), holds, "films").endswith(" · waiting: tmdb HTTP 429, 41 s left")


def said(capsys):
    return capsys.readouterr().err.splitlines()


def test_without_a_terminal_a_wait_is_told_once_at_its_beginning(capsys):
    holds = []
    with Watch(tally_of(1, 2, 1.0), lambda: holds, "films", show=True) as watch:
        watch.tick()
        assert said(capsys) == []
        holds.append(Hold("tmdb", "HTTP 429", 0.5))
        watch.tick()
        assert said(capsys) == []  # not worth a line
        holds[:] = [Hold("tmdb", "HTTP 429", 60.0)]
        watch.tick()
        watch.tick()
        (line,) = said(capsys)
    assert line.endswith("waiting: tmdb HTTP 429, 60 s left")


def test_without_a_terminal_a_plain_line_comes_every_so_often(capsys, monkeypatch):
    monkeypatch.setattr(watching, "PLAIN_EVERY_S", 0.0)
    with Watch(tally_of(1, 2, 1.0), list, "films", show=True) as watch:
        watch.tick()
    assert said(capsys) == ["1/2 films · 1.0/s · ETA 0:01 · 0 hits · 0 retries"]


def test_a_watch_that_is_not_to_show_anything_shows_nothing(capsys, monkeypatch):
    monkeypatch.setattr(watching, "PLAIN_EVERY_S", 0.0)
    with Watch(tally_of(1, 2, 1.0), list, "films", show=False) as watch:
        watch.tick()
    assert said(capsys) == []


def test_on_a_terminal_the_line_is_live(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Watch(tally_of(1, 2, 1.0), list, "films", show=True) as watch:
        watch.tick()
    assert "1/2 films" in capsys.readouterr().err


def test_on_a_real_terminal_the_table_stays_clean(cli, films):
    screen, terminal = pty.openpty()
    cli.api.control(latency="150ms")
    try:
        with cli.start("movies", films, stderr=terminal) as running:
            ended = running.end()
        shown = os.read(screen, 65536).decode()
    finally:
        os.close(terminal)
        os.close(screen)
    assert column(rows_of(ended.out), "tmdb_id") == IDS
    assert "/5 films" in shown
    assert "\x1b[2K" in shown  # the line is wiped away in the end


def test_a_log_says_why_it_waits(cli, films):
    cli.api.control(faults="429=100%:2s")
    with meanwhile(answered(cli.api, 1), lambda: cli.api.control(faults=None)):
        ended = cli("movies", films, "--limit", "1")
    assert "waiting: tmdb HTTP 429, 2 s left" in ended.err


# ── --dry-run ───────────────────────────────────────────────────────────────────────────────────────────────────────


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_dry_run_needs_no_key_sends_nothing_and_writes_nothing(cli, films, monkeypatch):
    monkeypatch.delenv("TMDB_API_KEY")
    before = contents(cli.folder)
    ended = cli("movies", films, "--dry-run", "--out", "out.csv", "--review", "review.csv")
    assert (ended.code, ended.err) == (0, "")
    for part in ("5 rows, 5 distinct films, 0 already known.", "10 requests needed", "Nothing was sent."):
        assert part in ended.out
    assert contents(cli.folder) == before
    assert cli.api.stats()["arrivals"] == 0


def test_a_dry_run_leaves_an_existing_database_as_it_is(cli, films, own_folder):
    cli("movies", films)
    before = contents(cli.folder)
    cli("movies", films, "--dry-run")
    cli("movies", films, "--dry-run", "--limit", "3")
    assert contents(cli.folder) == before


def test_a_dry_run_counts_what_is_known_already(cli, films, own_folder):
    cli("movies", films, "--limit", "3")
    other = write_list(own_folder / "other.csv", [*FILMS, ("Stalker", "1979")])
    facts = cli("movies", other, "--dry-run", "--json").data
    assert (facts["rows"], facts["films"], facts["already_known"], facts["requests_needed"]) == (6, 5, 3, 4)
    facts = cli("movies", films, "--limit", "3", "--dry-run", "--json").data  # the very same job
    assert (facts["already_known"], facts["requests_needed"], facts["forecast_seconds"]) == (3, 0, 0.0)


def test_a_dry_run_of_a_refresh_takes_nothing_for_known(cli, films):
    cli("movies", films)
    facts = cli("movies", films, "--dry-run", "--refresh", "--json").data
    assert (facts["already_known"], facts["requests_needed"]) == (0, 10)


@pytest.mark.parametrize(
    ("words", "least_s", "most_s"),
    [
        (("--rate", "none"), 5.0, 5.5),  # 200 requests of a quarter of a second, 10 at a time
        (("--rate", "none", "--mode", "sequential"), 50.0, 50.5),
        (("--rate", "none", "--concurrency", "20"), 2.5, 3.0),
        (("--rate", "10/s"), 19.0, 21.0),
        (("--rate", "40/10s"), 40.0, 44.0),
    ],
)
def test_the_forecast_is_what_the_quota_and_the_latency_allow(cli, own_folder, words, least_s, most_s):
    many = write_list(own_folder / "many.csv", generated(100)[0])
    facts = cli("movies", many, "--dry-run", "--json", *words).data
    assert facts["requests_needed"] == 200
    assert least_s <= facts["forecast_seconds"] <= most_s


# ── the key, the connections ────────────────────────────────────────────────────────────────────────────────────────


def test_no_key_is_bad_usage_with_the_words_how_to_get_one(cli, films, monkeypatch):
    monkeypatch.delenv("TMDB_API_KEY")
    ended = cli("movies", films)
    assert ended.code == 2
    for part in ("TMDB_API_KEY", "www.themoviedb.org", "--dry-run", "enricher demo"):
        assert part in ended.complaint
    assert "--help tells" not in ended.complaint
    assert cli.files == ["films.csv"]


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (("--concurrency", "21"), True),
        (("--concurrency", "20"), False),
        (("--concurrency", "21", "--base-url", "https://api.themoviedb.org/3/"), True),
        (("--concurrency", "21", "--base-url", "http://127.0.0.1:9/3"), False),
    ],
)
def test_more_than_20_connections_are_warned_of_for_tmdb_s_own_host_only(cli, films, monkeypatch, words, warned):
    monkeypatch.delenv("ENRICHER_BASE_URL")
    assert ("TMDB allows 20 connections" in cli("movies", films, "--dry-run", *words).err) == warned


# ── two at once, and ends ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_process_on_the_same_job_gets_a_clear_line_and_changes_nothing(cli, films):
    def done():
        return "enriched" in cli("jobs", "--json").data[0]["items_by_status"]

    cli.api.control(latency="300ms")
    with cli.start("movies", films, "--mode", "sequential") as first:
        until(answered(cli.api, 1))
        until(done)
        cli.api.control(pause=True)
        second = cli("movies", films, "--refresh")
        assert second.code == 1
        assert f"job 1 is being run by process {first.process.pid}; wait for it to end" in second.complaint
        assert done()
        cli.api.control(pause=False, latency=None)
        assert first.end().code == 0
    assert cli.api.stats()["arrivals"] == 10


class Interrupting:
    """Stands for an engine whose run is interrupted from the keyboard, and again while it ends, which it then never does."""

    def __init__(self, times):
        self._times = times
        self.let_go = threading.Event()

    def holds(self):
        return []

    def run(self, pipeline, job, stop, tally, **more):
        del pipeline, job
        tally.done = 3
        for _ in range(self._times):
            os.kill(os.getpid(), INTERRUPT)
            until(stop.is_set)
        if self._times > 1:
            self.let_go.wait()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_once_or_twice_says_once_how_far_it_got_and_how_to_go_on(times, capsys):
    engine = Interrupting(times)
    try:
        with pytest.raises(click.exceptions.Exit) as ended:
            watch_run(engine, None, None, Tally(total=9), Wish((), "films", progress=False))
    finally:
        engine.let_go.set()
    assert ended.value.exit_code == command_line.INTERRUPTED
    assert capsys.readouterr().err == (
        "enricher: stopped with 3 of 9 films done; the same command goes on where it stopped\n"
    )


def test_two_jobs_may_share_a_database(cli, films, own_folder):
    other = write_list(own_folder / "other.csv", generated(5)[0])
    cli.api.control(latency="20ms")
    with cli.start("movies", films) as first, cli.start("movies", other) as second:
        assert (first.end().code, second.end().code) == (0, 0)
    assert [job["items_by_status"] for job in cli("jobs", "--json").data] == [{"enriched": 5}] * 2


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(cli, own_folder):
    """In this process, in sequential mode; tests/test_interrupts.py does it to real ones, in every mode."""
    many = write_list(own_folder / "many.csv", generated(20)[0])
    cli.api.control(latency="20ms")
    with meanwhile(answered(cli.api, 10), lambda: os.kill(os.getpid(), INTERRUPT)):
        ended = cli("movies", many, "--mode", "sequential")
    assert ended.code == 130
    assert "of 20 films done; the same command goes on where it stopped" in ended.err
    assert set(column(cli.table("movies", many), "status")) == {"enriched"}
    assert cli.api.stats()["arrivals"] <= 40 + 2  # at most the film that was under way was asked for twice


def test_what_the_engine_raises_comes_through(cli, films, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("enricher.store.store.Store.commit", broken)
    with pytest.raises(ZeroDivisionError):
        cli("movies", films)


def test_a_reader_that_has_seen_enough_ends_it_quietly(cli, own_folder):
    many = write_list(own_folder / "many.csv", [(name, year, "x" * 2000) for name, year in generated(60)[0]], "NYx")
    many.write_text(many.read_text().replace("N,Y,x", "Name,Year,note"))
    cli("movies", many)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with cli.start("export", stdout=writing) as running:
            ended = running.end()
    finally:
        os.close(writing)
    assert (ended.code, ended.err) == (1, "")


def test_the_table_is_utf_8_whatever_the_locale_can_express(cli, films):
    cli("movies", films)
    with cli.start("export", environment={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}) as running:
        ended = running.end()
    assert (ended.code, ended.err) == (0, "")
    assert column(rows_of(ended.out), "original_title")[1] == "千と千尋の神隠し"


@pytest.fixture
def restored_sigterm():
    before = signal.getsignal(TERMINATE)
    yield
    signal.signal(TERMINATE, before)


def test_the_console_script_exits_with_the_code(monkeypatch, capsys, restored_sigterm):
    monkeypatch.setattr("sys.argv", ["enricher", "--version"])
    with pytest.raises(SystemExit) as exit_:
        command_line.main()
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith("enricher, version ")


def test_what_is_reported_lies_in_tables_that_a_person_can_query(cli, films):
    cli("movies", films)
    with sqlite3.connect(cli.folder / "enricher.db") as database:
        found = database.execute("SELECT title FROM film ORDER BY title").fetchall()
    database.close()
    assert found == [(name,) for name in sorted(name for name, _ in FILMS)]


def test_a_run_without_arguments_says_what_is_missing(cli):
    assert cli().complaint == "enricher: Missing command. (enricher --help tells what can be said)"
    assert cli().code == 2


def test_a_module_is_a_command_too():
    with Running(["-m", "enricher", "--version"]) as running:
        assert running.end().out.startswith("enricher, version ")
