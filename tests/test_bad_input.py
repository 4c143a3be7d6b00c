"""Whatever a person hands over: exit 0, 1 or 2 as fits, one clear line, never a traceback, and the good rows enriched."""

import io
import os
import struct
from pathlib import Path

import pytest
from cli_world import IDS, Running, column, rows_of, write_list, write_zip

GOOD = "Name,Year\nThe Matrix,1999\nStalker,1979\n"
GOOD_IDS = ["603", "1398"]
PACKED = b"PK\x03\x04"


def archive_of(content, name="watched.csv"):
    packed = io.BytesIO()
    write_zip(packed, {name: content})
    return packed.getvalue()


def encrypted():
    """A ZIP that says of its one member that it is encrypted, in both of its headers."""
    packed = bytearray(archive_of(GOOD))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = packed.index(magic) + at
        packed[start : start + 2] = struct.pack("<H", 1)
    return bytes(packed)


REFUSED = {
    "an empty file": (b"", "the file is empty"),
    "blank lines": (b"\n \n\n", "blank lines only"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a PNG image"),
    "random bytes": (bytes(range(256)) * 20, "binary data"),
    "NULs": (b"\0" * 5000, "binary data"),
    "no title column": (b"Position,Rating\n1,5\n", "no title column among 'Position', 'Rating'"),
    "a web page": (b"<!DOCTYPE html>\n<html></html>\n", "a web page"),
    "JSON without films": (b'[{"sum": 1}]', "JSON holds no list of films"),
    "broken JSON": (b'[{"title": "Stalker"}, {"ti', "JSON is broken"),
    "a broken ZIP": (archive_of(GOOD)[:60], "broken or cut short"),
    "a spoiled ZIP": (archive_of(GOOD).replace(b"watched", b"w\0tched", 1), "is broken"),
    "four bytes of a ZIP": (PACKED, "broken or cut short"),
    "a ZIP bomb": (archive_of(b"Name,Year\n" + b"a" * 20_000_000), "unpacks to more than any list"),
    "an encrypted ZIP": (encrypted(), "encrypted"),
    "a ZIP without lists": (archive_of("hello", "readme.txt"), "holds no list of films"),
    "a spreadsheet": (archive_of("<x/>", "[Content_Types].xml"), "Excel or office document"),
    "a ZIP that only leads out": (archive_of(GOOD, "../watched.csv"), "holds no list of films"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_list_is_refused_in_one_line(cli, case):
    content, told = REFUSED[case]
    (cli.folder / "list.csv").write_bytes(content)
    ended = cli("movies", "list.csv")
    assert ended.code == 2
    assert ended.complaint.startswith("enricher: list.csv: ")
    assert told in ended.complaint
    assert cli.api.stats()["arrivals"] == 0


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no-such.csv", "there is no such file"),
        ("a-folder", "this is a folder; give the files in it"),
        ("a-pipe", "no ordinary file"),
        ("x" * 300 + ".csv", "can't be opened"),
        ("line\nbreak.csv", "line?break.csv: there is no such file"),
        ("", "this is a folder"),
    ],
)
def test_what_is_no_file_is_refused_in_one_line(cli, path, told):
    (cli.folder / "a-folder").mkdir()
    os.mkfifo(cli.folder / "a-pipe")
    ended = cli("movies", path)
    assert ended.code == 2
    assert told in ended.complaint
    assert "enricher.db" not in cli.files


def test_one_bad_list_among_good_ones_stops_them_before_anything_is_asked(cli):
    write_list(cli.folder / "good.csv")
    (cli.folder / "bad.csv").write_bytes(b"")
    assert "bad.csv: the file is empty" in cli("movies", "good.csv", "bad.csv").complaint
    assert cli.api.stats()["arrivals"] == 0
    assert cli("jobs", "--json").data == []  # no trace of half a list


ENRICHED = {
    "NULs in the text": "Name,Year\nThe \0Matrix\0,1999\nStalker,1979\n",
    "ragged rows": "Name,Year,note\nThe Matrix\n\nStalker,1979,a,b,c\n",
    "an unclosed quote": 'Name,Year\n"The Matrix,1999\nStalker,1979\n',
    "a 3 MB field": "Name,Year,note\nThe Matrix,1999," + "x" * 3_000_000 + "\nStalker,1979,\n",
    "a 3 MB quoted field": 'Name,Year,note\nThe Matrix,1999,"' + ("y" * 998 + '""\n') * 3_000 + '"\nStalker,1979,\n',
    "nonsense years": "Name,Year\nThe Matrix,-1\nStalker,99999999999999999999\n",
    "words for years": "Name,Year\nThe Matrix,next year\nStalker,１９７９年\n",
    "bad bytes": b"Name,Year,note\nThe Matrix,1999,\xff\xfe\x80\nStalker,1979,\xc3\n",
    "mixed line ends": "Name,Year\rThe Matrix,1999\r\nStalker,1979\n",
    "the names again": "Name,Year\nThe Matrix,1999\nName,Year\nStalker,1979\n",
    "UTF-16": "Name,Year\nThe Matrix,1999\nStalker,1979\n".encode("utf-16"),
    "half a surrogate": b"Name,Year,note\nThe Matrix,1999,\xed\xa0\x80\nStalker,1979,\n",
    "no line end": "Name;Year\nThe Matrix;1999\nStalker;1979",
}


@pytest.mark.parametrize("case", ENRICHED)
def test_good_rows_in_a_spoiled_file_are_enriched(cli, case):
    content = ENRICHED[case]
    (cli.folder / "list.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = cli("movies", "list.csv", "--out", "films.jsonl", "--json")
    assert ended.code == 0
    assert ended.data["rows_by_status"] == {"enriched": 2}
    text = (cli.folder / "films.jsonl").read_text(encoding="utf-8")
    assert all(f'"tmdb_id": {number}' in line for number, line in zip(GOOD_IDS, text.splitlines(), strict=True))


@pytest.mark.parametrize(
    ("bad", "why"),
    [(",2001", "no title"), ("   ,1999", "no title"), ("x" * 1001 + ",1999", "a cell of 1001 characters is none")],
    ids=["none", "blank", "far too long"],
)
def test_a_bad_row_is_failed_and_its_neighbours_are_enriched(cli, bad, why):
    (cli.folder / "list.csv").write_text(f"Name,Year\nThe Matrix,1999\n{bad}\nStalker,1979\n")
    rows = cli.table("movies", "list.csv", code=1)
    assert column(rows, "status") == ["enriched", "failed", "enriched"]
    assert why in rows[1]["error"]


def test_a_list_with_names_of_columns_only_is_done_at_once(cli):
    write_list(cli.folder / "empty.csv", [])
    ended = cli("movies", "empty.csv")
    assert ended.code == 0
    assert rows_of(ended.out) == []
    assert cli.api.stats()["arrivals"] == 0


def test_a_name_that_leads_out_of_an_archive_is_named_and_nothing_is_written(cli):
    evil = {"../../evil.csv": GOOD, "/abs.csv": GOOD, "..\\back.csv": GOOD, "watched.csv": GOOD}
    write_zip(cli.folder / "export.zip", evil)
    above = set(cli.folder.parent.iterdir())
    ended = cli("movies", "export.zip")
    assert ended.code == 0
    assert ended.err.count("its name leads out of the archive") == 3
    assert column(rows_of(ended.out), "tmdb_id") == GOOD_IDS
    assert set(cli.folder.parent.iterdir()) == above
    assert not any("evil" in name for name in cli.files)


def test_a_spoiled_list_in_an_archive_does_not_spoil_the_others(cli):
    write_zip(cli.folder / "export.zip", {"ratings.csv": b"\x89PNG\r\n", "watched.csv": GOOD, "diary.csv": b""})
    ended = cli("movies", "export.zip")
    assert ended.code == 0
    assert "ratings.csv: this is no text but a PNG image" in ended.err
    assert "diary.csv: the file is empty" in ended.err
    assert column(rows_of(ended.out), "tmdb_id") == GOOD_IDS


NONSENSE = [
    ("--mode", "quantum"),
    ("--mode", ""),
    ("--concurrency", "0"),
    ("--concurrency", "-3"),
    ("--concurrency", "many"),
    ("--concurrency", "1001"),
    ("--concurrency", "2.5"),
    ("--rate", "fast"),
    ("--rate", "0/s"),
    ("--rate", "10"),
    ("--rate", "10/0s"),
    ("--rate", ""),
    ("--burst", "0"),
    ("--burst", "x"),
    ("--limiter", "elastic"),
    ("--timeout", "0"),
    ("--timeout", "-1"),
    ("--timeout", "nan"),
    ("--timeout", "inf"),
    ("--timeout", "soon"),
    ("--limit", "-1"),
    ("--limit", "some"),
    ("--language", "klingon"),
    ("--base-url", "ftp://example.org"),
    ("--base-url", "example.org/3"),
    ("--base-url", "http://127.0.0.1/3?x=1"),
    ("--base-url", "http://[::1/3"),
    ("--base-url", "http://127.0.0.1:99999/3"),
    ("--base-url", "http:///3"),
    ("--base-url", "http://a..b/3"),
    ("--config", "no-such.yaml"),
    ("--config", "list.csv"),
    ("--db", "no/such/folder/films.db"),
    ("--db", "list.csv"),
    ("--out", "films.docx"),
    ("--out", "films"),
    ("--decisions", "no-such.csv"),
    ("--frobnicate", "x"),
    ("--dry-run=yes", "x"),
]


@pytest.mark.parametrize("words", NONSENSE, ids=" ".join)
def test_nonsense_flags_and_values_are_refused_in_one_line(cli, words):
    write_list(cli.folder / "list.csv")
    ended = cli("movies", "list.csv", *words)
    assert ended.code == 2
    named = words[0].lstrip("-").partition("=")[0]
    assert named in ended.complaint or words[1] in ended.complaint
    assert cli.api.stats()["arrivals"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("ENRICHER_RATE", "fast"), ("RATE_LIMIT_RPS", "many"), ("ENRICHER_ATTEMPTS", "0"), ("LOG_LEVEL", "shout")],
)
def test_a_nonsense_variable_is_named(cli, monkeypatch, name, value):
    monkeypatch.delenv("ENRICHER_RATE")
    monkeypatch.setenv(name, value)
    write_list(cli.folder / "list.csv")
    complaint = cli("movies", "list.csv").complaint
    assert name in complaint
    assert repr(value) in complaint
    assert "allowed: " in complaint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("speed: 9\n", "no such setting"),
        ("rate: [1\n", "not YAML"),
        ("- rate\n", "not a mapping"),
        ("concurrency: lots\n", "'lots'; allowed: a whole number"),
    ],
)
def test_a_nonsense_settings_file_is_told_by_name(cli, text, told):
    (cli.folder / "settings.yaml").write_text(text)
    write_list(cli.folder / "list.csv")
    complaint = cli("movies", "list.csv", "--config", "settings.yaml").complaint
    assert "settings.yaml" in complaint
    assert told in complaint


def test_a_missing_input_and_an_unknown_command_are_told(cli):
    assert "INPUT" in cli("movies").complaint
    assert "No such command" in cli("moveis", "list.csv").complaint


def test_an_address_where_nobody_answers_is_told_and_the_films_stay_pending(cli, monkeypatch):
    """A real refusal of the connection; patience is what keeps it short here, twenty seconds in life."""
    monkeypatch.setattr("enricher.core.circuit.Patience.__init__.__defaults__", (10, None, 0.05, 0.1, 0.1, 0.1))
    write_list(cli.folder / "list.csv", [("Film", str(1950 + number)) for number in range(30)])
    ended = cli("movies", "list.csv", "--base-url", "http://127.0.0.1:9/3")
    assert ended.code == 1
    assert "no answer from 127.0.0.1:9" in ended.err
    assert "Traceback" not in ended.err
    assert "pending" in column(rows_of(ended.out), "status")


def test_in_a_real_process_bad_input_leaves_no_traceback(cli):
    """The tests above run in this process, where an exception would come through; this one looks at the real stream."""
    (cli.folder / "list.csv").write_bytes(bytes(range(256)) * 20)
    with Running(["-m", "enricher", "movies", "list.csv"]) as running:
        ended = running.end()
    assert ended.code == 2
    assert "binary data" in ended.complaint


def test_a_file_name_that_is_no_text_is_told_and_works(cli):
    name = os.fsdecode(b"films-\xff.csv")
    write_list(cli.folder / name)
    out = os.fsdecode(b"out-\xff.csv")
    with cli.start("movies", name, "--out", out) as running:
        assert running.end().code == 0
    assert column(rows_of((cli.folder / out).read_text(encoding="utf-8")), "tmdb_id") == IDS
    assert "no-?.csv: there is no such file" in cli("movies", os.fsdecode(b"no-\xff.csv")).complaint


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["table", "json"])
def test_a_standard_output_that_is_full_is_told_in_one_line(cli, words):
    write_list(cli.folder / "list.csv")
    with (
        Path("/dev/full").open("w") as full,
        cli.start("movies", "list.csv", "--no-progress", *words, stdout=full) as running,
    ):
        ended = running.end()
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "enricher: standard output can't be written: No space left on device"
    assert "Traceback" not in ended.err


def test_a_closed_standard_output_leaves_no_traceback(cli):
    write_list(cli.folder / "list.csv")
    with Running(["-m", "enricher", "movies", "list.csv", "--no-progress"], preexec_fn=lambda: os.close(1)) as running:
        ended = running.end()
    assert ended.code == 0
    assert "Traceback" not in ended.err


def test_a_plan_for_a_quota_of_centuries_is_told_at_once(cli):
    write_list(cli.folder / "list.csv")
    ended = cli("movies", "list.csv", "--rate", "1/999999h", "--dry-run", "--json")
    assert ended.code == 0
    assert ended.data["forecast_seconds"] > 1e9


@pytest.mark.parametrize("key", ["kéy", "a\x07b"])
def test_what_can_be_no_key_is_refused_and_not_repeated(cli, monkeypatch, key):
    monkeypatch.setenv("TMDB_API_KEY", key)
    write_list(cli.folder / "list.csv")
    complaint = cli("movies", "list.csv").complaint
    assert "TMDB_API_KEY: not a key" in complaint
    assert key not in complaint
