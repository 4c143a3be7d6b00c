"""The export: what goes in comes out, in every format, and never half of it."""

import csv
import io
import json
import os
import threading
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.errors import SettingError
from enricher.export import FORMATS, SUFFIXES, format_of, titles, write_export
from enricher.model import ExportRow

INPUT = ("Name", "Year")
RECORD = ("title", "runtime", "genres")
HEAT = ExportRow(
    "films.csv",
    2,
    {"Name": "Heat", "Year": "1995"},
    "enriched",
    100.0,
    None,
    {"title": "Heat", "runtime": 170, "genres": ["Crime", "Drama"]},
)
RAN = ExportRow("films.csv", 3, {"Name": "Ran"}, "failed", error="gave up")
ANY_TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]))


def export(rows, form="csv", input_columns=INPUT, record_columns=RECORD, **more):
    out = io.StringIO(newline="")
    count = write_export(rows, out, input_columns=input_columns, record_columns=record_columns, form=form, **more)
    assert count == len(list(rows))
    return out.getvalue()


def cell(value, form="csv", **more):
    """What one value of a record becomes."""
    row = ExportRow("films.csv", 2, {}, "enriched", record={"value": value})
    text = export([row], form, input_columns=(), record_columns=("value",), **more)
    match form:
        case "csv":
            return list(csv.reader(io.StringIO(text, newline="")))[1][-1]
        case "jsonl":
            return json.loads(text)["value"]
        case _:
            return text.splitlines()[2].removesuffix(" |").rpartition(" | ")[2]


# ── the columns ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_inputs_columns_come_first_then_ours_then_the_records():
    assert titles(INPUT, RECORD) == ["Name", "Year", "status", "match_score", "error", "title", "runtime", "genres"]


def test_several_lists_are_told_apart_after_their_columns():
    assert titles(INPUT, ("id",), with_source=True)[:4] == ["Name", "Year", "source_file", "status"]


def test_a_name_that_is_taken_gets_the_prefix_until_it_is_free():
    names = titles(("title", "enriched_title", "status", "source_file"), ("title", "status"), with_source=True)
    assert names == [
        *("title", "enriched_title", "status", "source_file"),
        *("enriched_source_file", "enriched_status", "match_score", "error"),
        *("enriched_enriched_title", "enriched_enriched_status"),
    ]


@given(st.lists(st.sampled_from(["a", "status", "enriched_a", "enriched_status"]), unique=True), st.permutations("ab"))
def test_no_two_columns_have_one_name(input_columns, record_columns):
    names = titles(input_columns, record_columns, with_source=True)
    assert len(set(names)) == len(names) == len(input_columns) + 4 + len(record_columns)
    assert names[: len(input_columns)] == input_columns


def test_the_source_of_each_row_is_exported_where_asked():
    (exported,) = map(json.loads, export([HEAT], "jsonl", with_source=True).splitlines())
    assert exported["source_file"] == "films.csv"


# ── the formats ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_csv_is_what_a_person_expects():
    assert export([HEAT, RAN]) == (
        "Name,Year,status,match_score,error,title,runtime,genres\n"
        "Heat,1995,enriched,100.0,,Heat,170,Crime; Drama\n"
        "Ran,,failed,,gave up,,,\n"
    )


def test_jsonl_keeps_numbers_and_lists_and_says_null():
    first, second = export([HEAT, RAN], "jsonl").splitlines()
    assert json.loads(first) == {
        "Name": "Heat",
        "Year": "1995",
        "status": "enriched",
        "match_score": 100.0,
        "error": None,
        "title": "Heat",
        "runtime": 170,
        "genres": ["Crime", "Drama"],
    }
    assert json.loads(second)["Year"] is None


def test_json_is_one_array_with_a_row_a_line():
    text = export([HEAT, RAN], "json")
    assert [json.dumps(each, ensure_ascii=False) for each in json.loads(text)] == [
        line.rstrip(",") for line in text.splitlines()[1:-1]
    ]
    assert text.endswith("\n]\n")


def test_no_rows_are_a_table_all_the_same():
    assert json.loads(export([], "json")) == []
    assert export([], "jsonl") == ""
    assert export([]).count("\n") == 1
    assert export([], "markdown").count("\n") == 2


def test_markdown_is_a_table():
    assert export([RAN], "markdown", record_columns=("title",)) == (
        "| Name | Year | status | match_score | error | title |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| Ran |  | failed |  | gave up |  |\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\\b", r"a\\b"),
        ("two\r\nlines\nor\rmore", "two<br>lines<br>or<br>more"),
        ("<script>&amp;", "&lt;script&gt;&amp;amp;"),
        ("[click](x) `code` *loud* ~no~", r"\[click\](x) \`code\` \*loud\* \~no\~"),
        ("snake_case _slanted_", r"snake_case \_slanted\_"),
        ("tab\tbell\x07\x00\x85", "tab bell"),
    ],
)
def test_no_cell_escapes_from_a_markdown_table(text, shown):
    assert cell(text, "markdown") == shown


@given(ANY_TEXT)
def test_each_row_of_a_markdown_table_is_one_line(text):
    assert len(export([ExportRow(text, 2, {"Name": text}, text, error=text)], "markdown").splitlines()) == 3


@pytest.mark.parametrize(
    ("value", "text", "in_json"),
    [
        (None, "", None),
        (True, "true", True),
        (False, "false", False),
        (7, "7", 7),
        (0.1 + 0.2, "0.30000000000000004", 0.1 + 0.2),
        (1e16, "1e+16", 1e16),
        (float("nan"), "", None),
        (float("-inf"), "", None),
        ([], "", []),
        (["a", None, 2, [3.5, True]], "a; ; 2; 3.5; true", ["a", None, 2, [3.5, True]]),
        (("a", float("inf")), "a; ", ["a", None]),
        ({"a": [1, {"b": "ü"}]}, '{"a": [1, {"b": "ü"}]}', {"a": [1, {"b": "ü"}]}),
        ({"a": float("nan")}, '{"a": null}', {"a": None}),
        (st, str(st), str(st)),
    ],
)
def test_a_value_becomes(value, text, in_json):
    assert cell(value) == text
    assert cell(value, "jsonl") == in_json


def test_a_mapping_inside_a_list_of_a_record_is_an_object():
    assert cell([MappingProxyType({"a": 1})], "jsonl") == [{"a": 1}]


def test_the_score_has_one_decimal():
    row = ExportRow("films.csv", 2, {}, "unsure", 71.25999)
    assert export([row], input_columns=(), record_columns=()) == "status,match_score,error\nunsure,71.3,\n"


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=5))
def test_csv_read_back_gives_the_cells(pairs):
    """All but what CSV can't hold: NUL, and half a surrogate pair."""
    rows = [ExportRow("films.csv", 2, {"Name": name, "Year": year}, "pending") for name, year in pairs]
    text = export(rows)
    read = list(csv.DictReader(io.StringIO(text.encode().decode(), newline="")))
    expected = [tuple(as_csv(each) for each in pair) for pair in pairs]
    assert [(each["Name"], each["Year"]) for each in read] == expected


def as_csv(text):
    return in_utf_8(text).replace("\0", "")


def in_utf_8(text):
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


NUMBERS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(ANY_TEXT, st.recursive(NUMBERS | st.text(), st.lists), st.sampled_from(["json", "jsonl"]))
def test_json_read_back_gives_the_values(name, value, form):
    row = ExportRow("films.csv", 2, {"Name": name}, "enriched", record={"value": value})
    read = json.loads(export([row], form, ("Name",), ("value",)).encode())
    if form == "json":
        (read,) = read
    assert read["Name"] == in_utf_8(name)
    assert read["value"] == value


# ── spreadsheets ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\n=x", "\0=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(text):
    assert cell(text, spreadsheet_safe=True) == "'" + text.replace("\0", "")
    assert cell(text) == text.replace("\0", "")


@pytest.mark.parametrize("value", [-1, -0.5, "1-1", "", None])
def test_what_is_no_formula_is_left_alone(value):
    assert cell(value, spreadsheet_safe=True) == cell(value)


def test_a_columns_name_is_disarmed_too():
    assert export([], input_columns=("=cmd",), spreadsheet_safe=True).startswith("'=cmd,")


def test_json_is_no_spreadsheet():
    assert cell("=1+1", "jsonl", spreadsheet_safe=True) == "=1+1"


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(path, rows=(HEAT, RAN), **more):
    return write_export(rows, path, input_columns=INPUT, record_columns=RECORD, **more)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".CSV"])
def test_the_suffix_chooses_the_format(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    assert write(path) == 2
    assert path.read_text(encoding="utf-8") == export([HEAT, RAN], SUFFIXES[suffix.lower()])


def test_a_suffix_nobody_knows_is_refused_with_those_we_know(tmp_path):
    with pytest.raises(SettingError, match=r"out\.xlsx.*\.csv, \.json, \.jsonl") as caught:
        write(tmp_path / "out.xlsx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_given_goes_before_the_suffix(tmp_path):
    write(tmp_path / "out.txt", form="jsonl")
    assert (tmp_path / "out.txt").read_text() == export([HEAT, RAN], "jsonl")


def test_every_format_has_a_suffix():
    assert set(SUFFIXES.values()) == set(FORMATS)
    assert {suffix: format_of(Path(f"out{suffix}")) for suffix in SUFFIXES} == SUFFIXES


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_content_gives_the_same_bytes(tmp_path, form):
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, form=form)
    write(second, iter([HEAT, RAN]), form=form)
    assert first.read_bytes() == second.read_bytes()


def test_a_file_is_utf_8_without_a_mark_and_with_plain_line_ends(tmp_path):
    path = tmp_path / "out.csv"
    write(path, [ExportRow("films.csv", 2, {"Name": "千と千尋\r\n"}, "pending")])
    assert path.read_bytes().splitlines(keepends=True)[1] == '"千と千尋\r\n'.encode()
    assert not path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert path.read_bytes().endswith(b",,\n")


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_an_export_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "out.csv"
    path.write_text("before")

    def rows():
        yield HEAT
        raise error

    with pytest.raises(error):
        write(path, rows())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_appears_only_when_the_table_is_whole(tmp_path):
    path = tmp_path / "out.csv"

    def rows():
        yield HEAT
        assert not path.exists()
        yield RAN

    write(path, rows())
    assert path.exists()


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("before")
    link.symlink_to(real)
    write(link)
    assert link.is_symlink()
    assert real.read_text() == export([HEAT, RAN])


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, read = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: read.append(pipe.read_text()))
    thread.start()
    write(pipe)
    thread.join()
    assert read == [export([HEAT, RAN])]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["nowhere/out.csv", "x" * 300 + ".csv"])
def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path, name):
    with pytest.raises(SettingError, match="can't be written"):
        write(tmp_path / name)


def test_a_folder_is_no_file_to_write(tmp_path):
    with pytest.raises(SettingError, match="this is a folder"):
        write(tmp_path, form="csv")


def test_a_full_disk_is_told_in_one_line(tmp_path):
    """/dev/full takes nothing; it is a device, so it is written to directly."""
    with pytest.raises(SettingError, match="can't be written"):
        write(Path("/dev/full"), form="csv")


def test_a_destination_that_became_a_folder_meanwhile_is_told(tmp_path):
    path = tmp_path / "out.csv"

    def rows():
        yield HEAT
        path.mkdir()

    with pytest.raises(SettingError, match="can't be written"):
        write(path, rows())
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


def test_rows_are_written_as_they_come():
    """Flat memory: no row is asked for before the one before it is written."""
    out = io.StringIO(newline="")
    seen = []

    def rows():
        for _ in range(3):
            seen.append(out.getvalue().count("Heat,1995"))
            yield HEAT

    write_export(rows(), out, input_columns=INPUT, record_columns=RECORD)
    assert seen == [0, 1, 2]
