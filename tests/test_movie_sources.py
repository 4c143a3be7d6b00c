"""Lists of films: whatever people export, or spoil, becomes rows; what can't be read is told in one line."""

import csv
import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from enricher.errors import InputError
from enricher.model import Row, Skipped, Source
from enricher.pipelines.movies import archive, delimited
from enricher.pipelines.movies.films import LONGEST_TITLE_CHARS
from enricher.pipelines.movies.lists.cells import INVISIBLE
from enricher.pipelines.movies.sources import content_digest, read_films
from enricher.pipelines.movies.text import HEAD_BYTES

DIARY = "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date"
WATCHED = "Date,Name,Year,Letterboxd URI"
LIST = """Letterboxd list export v7
Date,Name,Tags,URL,Description
2020-01-01,Favourites,,https://boxd.it/l,"of all
time"

Position,Name,Year,URL,Description
1,Heat,1995,https://boxd.it/heat,
2,Ran,1985,https://boxd.it/ran,"war, and
rain"
"""


def records(paths):
    """What the lists hold: all that comes out but where each begins."""
    return [one for one in read_films(paths) if not isinstance(one, Source)]


@pytest.fixture
def read(tmp_path):
    """Write one list and read it: all that comes out, or the InputError."""

    def write_and_read(content, name="films.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return records([path])

    return write_and_read


@pytest.fixture
def export(tmp_path):
    """Pack members (name → text) as an export and return its path."""

    def pack(members, name="export.zip", compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", compression) as packed:
            for member, text in members.items():
                packed.writestr(member, text)
        return path

    return pack


def rows_of(everything):
    return [one for one in everything if isinstance(one, Row)]


def films(everything):
    """(title, year) of every row, None where a row names no film."""
    return [row.item and (row.item.fields["title"], row.item.fields["year"]) for row in rows_of(everything)]


def skipped(everything):
    return [(one.line, one.reason) for one in everything if isinstance(one, Skipped)]


def refusal(read, content, **more):
    with pytest.raises(InputError) as caught:
        read(content, **more)
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    return message


# ── what people export ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_diary_becomes_rows_with_cells_in_the_order_of_the_file(read):
    (row,) = read(f"{DIARY}\n2021-04-13,Heat,1995,https://boxd.it/x,4.5,Yes,,2021-04-12\n")
    assert (row.source, row.line, row.error) == ("films.csv", 2, None)
    assert list(row.cells) == DIARY.split(",")
    assert list(row.cells.values())[:5] == ["2021-04-13", "Heat", "1995", "https://boxd.it/x", "4.5"]
    assert row.item.key == "film:heat|1995"
    assert row.item.fields == {
        "title": "Heat",
        "year": 1995,
        "imdb_id": None,
        "tmdb_id": None,
        "original_title": None,
    }


def test_a_review_of_many_lines_is_one_cell_and_later_lines_keep_their_numbers(read):
    heat, ran = read('Name,Year,Review,Tags\nHeat,1995,"<i>Great</i>,\n\nhe said ""yes""",x\nRan,1985,,\n')
    assert heat.cells["Review"] == '<i>Great</i>,\n\nhe said "yes"'
    assert (heat.line, ran.line) == (2, 5)


def test_what_letterboxd_writes_above_a_list_is_expected_and_other_text_there_is_named(read):
    everything = read(LIST)
    assert films(everything) == [("Heat", 1995), ("Ran", 1985)]
    assert [row.line for row in rows_of(everything)] == [7, 8]
    assert skipped(everything) == []
    assert skipped(read("My films\nName,Year\nHeat,1995\n")) == [(1, "text above the column names")]
    assert list(rows_of(everything)[0].cells) == ["Position", "Name", "Year", "URL", "Description"]


def test_a_list_may_begin_with_a_blank_line_and_have_no_films(read):
    everything = read("\nDate,Name,Tags,URL,Description\nx,Empty,,u,\n\nPosition,Name,Year,URL,Description\n")
    assert everything == []


def test_a_table_of_lists_is_no_list_with_a_preamble(read):
    assert films(read("Date,Name,Tags,URL,Description\nx,Heat,,u,\n")) == [("Heat", None)]


def test_imdb_trakt_and_letterboxd_imports_bring_ids(read):
    imdb = (
        "Const,Your Rating,Title,Original Title,URL,Title Type,Year\ntt0338564,9,Infernal Affairs,無間道,u,Movie,2002\n"
    )
    (row,) = read(imdb)
    assert row.item.fields["imdb_id"] == "tt0338564"
    assert row.item.fields["original_title"] == "無間道"
    (row,) = read("type,title,year,trakt_id,imdb_id,tmdb_id\nmovie,Heat,1995,1,tt0113277,949\n")
    assert (row.item.fields["imdb_id"], row.item.fields["tmdb_id"]) == ("tt0113277", 949)
    (row,) = read("tmdbID,imdbID,Title,Year\n603,,The Matrix,1999\n")
    assert (row.item.fields["tmdb_id"], row.item.fields["imdb_id"]) == (603, None)


@pytest.mark.parametrize(
    ("imdb_id", "tmdb_id", "key"),
    [
        ("https://www.imdb.com/title/tt0113277/", "", "imdb:tt0113277 film:heat|1995"),
        ("113277", "", "imdb:tt0113277 film:heat|1995"),
        ("TT0113277", "", "imdb:tt0113277 film:heat|1995"),
        ("", "949.0", "tmdb:949 film:heat|1995"),
        ("nm0000199", "0", "film:heat|1995"),
        ("0", "9999999999", "film:heat|1995"),
        ("tt1", "-1", "film:heat|1995"),
        ("", "abc", "film:heat|1995"),
    ],
)
def test_only_what_can_be_an_id_is_one(read, imdb_id, tmdb_id, key):
    (row,) = read(f"imdb_id,tmdb_id,title,year\n{imdb_id},{tmdb_id},Heat,1995\n")
    assert row.item.key == key


def test_rows_with_one_id_are_one_film_only_where_they_say_the_same_of_it(read):
    """An id is checked against its row: what is wrong with one row must not be told of another."""
    rows = ["tt0133093,603,The Matrix,1999", "tt0133093,,The Matrix,1999", "tt0133093,603,Heat,1995"]
    everything = rows_of(read("\n".join(["imdb_id,tmdb_id,title,year", *rows, rows[0].lower()]) + "\n"))
    assert [row.item.key for row in everything].index(everything[-1].item.key) == 0
    assert len({row.item.key for row in everything}) == 3


def test_the_tmdb_number_of_a_series_is_not_taken_for_a_film(read):
    """TMDB counts series apart: 4607 is Lost among the series, and another work among the films."""
    (row,) = read("type,title,year,tmdb_id\nshow,Lost,2004,4607\n")
    assert (row.item.fields["not_a_film"], row.item.fields["tmdb_id"]) == ("a series, not a film", None)


def test_a_row_with_an_id_needs_no_title(read):
    everything = read("imdb_id,title,note\ntt0113277,,\n,,good\n")
    assert [row.item and row.item.key for row in rows_of(everything)] == ["imdb:tt0113277", None]
    assert rows_of(everything)[1].error == "no title"


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "header", ["Title,Year", " movie ,RELEASE_YEAR", "Film,Released", "primaryTitle,startYear", "Original Title,year"]
)
def test_columns_are_known_by_many_names(read, header):
    assert films(read(f"{header}\nHeat,1995\n")) == [("Heat", 1995)]


def test_the_original_title_stands_in_for_a_missing_one(read):
    assert films(read("Original Title,Title,Year\nRan,,1985\nRan,Chaos,1985\n")) == [("Ran", 1985), ("Chaos", 1985)]


def test_the_release_date_gives_the_year_where_the_year_does_not(read):
    everything = read("Title,Year,Release Date\nA,,12/15/1995\nB,1996,1997-01-01\nC,,31-03-1999\n")
    assert films(everything) == [("A", 1995), ("B", 1996), ("C", 1999)]


def test_columns_without_a_name_get_one_and_copies_get_a_number(read):
    (row,) = read(",Name,Name,Year,,Name_2\n0,Heat,b,1995,e,f\n")
    assert row.cells == {
        "column_1": "0",
        "Name": "Heat",
        "Name_2": "b",
        "Year": "1995",
        "column_5": "e",
        "Name_2_2": "f",
    }


def test_ragged_rows_keep_all_their_cells(read):
    short, long, plain = read("Name,Year,Tags\nHeat\nRan,1985,a,b,c\nIkiru,1952,\n")
    assert short.cells == {"Name": "Heat", "Year": "", "Tags": ""}
    assert long.cells == {"Name": "Ran", "Year": "1985", "Tags": "a", "column_4": "b", "column_5": "c"}
    assert plain.cells == {"Name": "Ikiru", "Year": "1952", "Tags": ""}
    assert short.item.fields["title"] == "Heat"


def test_a_list_of_one_column_has_no_delimiter(read):
    everything = read('title\nThe Good, the Bad and the Ugly\n"Quoted; title"\n<<<<<<< HEAD\nFilm\n')
    assert films(everything) == [
        ("The Good, the Bad and the Ugly", None),
        ("Quoted; title", None),
        ("Film", None),
    ]
    assert skipped(everything) == [(4, "a merge marker of git")]


def test_a_film_called_film_is_no_line_of_column_names(read):
    assert films(read("Heat,1995\nFilm,1965\n")) == [("Heat", 1995), ("Film", 1965)]
    assert films(read("Film,1965\n")) == [("Film", 1965)]
    message = refusal(read, "Heat,x\nFilm,y\n")
    assert message.startswith("films.csv: no title column among 'Heat', 'x'")
    assert "the first line must name the columns" in message


def test_many_columns_without_a_title_are_not_all_named(read):
    assert refusal(read, ",".join(f"c{n}" for n in range(50)) + "\n").count("'c") == 12


# ── titles and years ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        ("1999", 1999),
        ("2023.0", 2023),
        ("1999-03-31", 1999),
        ("(1999)", 1999),
        (" 1999 ", 1999),
        ("1994–2004", 1994),
        ("", None),
        ("abc", None),
        ("0", None),
        ("99999", None),
        ("-5", None),
        ("-1999", None),
        ("1066", None),
        ("2999", None),
    ],
)
def test_a_year_is_read_generously_and_nonsense_is_no_error(read, cell, year):
    (row,) = read(f"Name,Year\nHeat,{cell}\n")
    assert (row.item.fields["year"], row.error, row.cells["Year"]) == (year, None, cell)
    assert row.item.key == f"film:heat|{year or ''}"


@pytest.mark.parametrize(
    ("line", "film"),
    [
        ("Heat (1995),", ("Heat", 1995)),
        ("Heat [1995],abc", ("Heat", 1995)),
        ("Heat (1995),1995", ("Heat", 1995)),
        ("2012 (2009),2010", ("2012 (2009)", 2010)),
        ("Movie (9999),", ("Movie (9999)", None)),
        ("(1995),", ("(1995)", None)),
        ("Birdman (or),2014", ("Birdman (or)", 2014)),
    ],
)
def test_a_year_behind_the_title_counts_where_no_other_is_given(read, line, film):
    assert films(read(f"Name,Year\n{line}\n")) == [film]


def test_what_cannot_be_seen_around_a_title_goes_from_the_item_but_not_from_the_cell(read):
    spoiled = "\u00a0\u200b WALL·E\u00a0 2 \ufeff\x1f"
    (row,) = read(f"Name,Year\n{spoiled},2008\n")
    assert row.item.fields["title"] == "WALL·E 2"
    assert row.cells["Name"] == spoiled


def test_a_title_of_nothing_visible_is_no_title(read):
    (row,) = read("Name,Year\n\u200b\u00a0,2008\n")
    assert (row.item, row.error, row.cells["Year"]) == (None, "no title", "2008")


def test_case_and_blanks_do_not_make_another_film(read):
    keys = {
        row.item.key for row in read("Name,Year\nLe  Fabuleux,2001\nLE FABULEUX ,2001\nＬｅ\u00a0fabuleux,2001.0\n")
    }
    assert keys == {"film:le fabuleux|2001"}
    assert len({row.item.key for row in read("Name,Year\nHeat,1995\nHeat,1986\nHeat,\n")}) == 3


@pytest.mark.parametrize(
    ("spoiled", "title"), [("AmÃ©lie", "Amélie"), ("III â€“ Sith", "III – Sith"), ("Ã la carte", "Ã la carte")]
)
def test_a_title_that_was_encoded_twice_is_mended(read, spoiled, title):
    assert films(read(f"Name,Year\n{spoiled},2001\n")) == [(title, 2001)]


def test_what_is_too_long_for_a_title_is_a_row_that_is_not_asked_for(read):
    too_long, heat = read(f"Name,Year\n{'x' * (LONGEST_TITLE_CHARS + 1)},1995\nHeat,1995\n")
    assert (too_long.item, too_long.error) == (None, "no title: a cell of 1001 characters is none")
    assert heat.item


# ── delimiters, line ends, encodings ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_every_delimiter_line_end_and_encoding_gives_the_same_films(read, delimiter, line_end, encoding):
    lines = [
        ["Name", "Year", "Review"],
        ["Amélie", "2001", ""],
        [f'The "X", or; y{delimiter}', "1999", "é\nè"],
        ["Ça", "", ""],
    ]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(lines)
    rows = read(text.getvalue().replace("\n", line_end), encoding=encoding)
    assert [[cell.replace(line_end, "\n") for cell in row.cells.values()] for row in rows] == lines[1:]
    assert [row.line for row in rows] == [2, 3, 5]


def test_cp1252_quotes_and_dashes_come_out_right_also_far_below_the_head(read):
    padding = "Heat,1995\n" * (HEAD_BYTES // 10 + 10)
    everything = read(b"Name,Year\n" + padding.encode() + "L’Été – Œuvre,1999\n".encode("cp1252"))
    assert films(everything)[-1] == ("L’Été – Œuvre", 1999)
    assert films(read("Name,Year\nL’Été – Œuvre,1999\n", encoding="cp1252")) == [("L’Été – Œuvre", 1999)]


def test_one_broken_byte_spoils_nothing_around_it(read):
    assert films(read(b"Name,Year\n" + "Amélie,2001\nÇa,1999\n".encode() + b"Bl\x8f\xe9,1990\n")) == [
        ("Amélie", 2001),
        ("Ça", 1999),
        ("Blé".replace("é", "\x8fé"), 1990),
    ]


@pytest.mark.parametrize(
    ("encoding", "titles"),
    [
        ("cp1251", ["Москва слезам не верит", "Сталкер"]),
        ("cp932", ["七人の侍", "千と千尋の神隠し", "東京物語"]),
        ("gb18030", ["霸王别姬", "卧虎藏龙", "重庆森林", "花样年华"]),
    ],
)
def test_far_encodings_are_recognised(read, encoding, titles):
    lines = "".join(f"{title},1999\n" for title in titles)
    assert films(read(f"Name,Year\n{lines}", encoding=encoding)) == [(title, 1999) for title in titles]


def test_long_runs_that_no_encoding_explains_are_read_as_cp1252(read):
    (row,) = read(b"Name,Year\n\xff\xff\xff\xff,1999\n")
    assert row.item.fields["year"] == 1999


def test_nuls_in_a_text_are_dropped(read):
    everything = read(b"Name,Year\nA\0lien,1979\n\0\nHe\0at,1995\n" + b"Ran,1985\n" * 10 + b"\0")
    assert films(everything)[:2] == [("Alien", 1979), ("Heat", 1995)]
    assert len(everything) == 12


def test_the_hint_that_excel_writes_is_named_and_passed_over(read):
    everything = read("sep=;\nTitle;Year\nHeat;1995\n")
    assert films(everything) == [("Heat", 1995)]
    assert skipped(everything) == [(1, "text above the column names")]


# ── what is no record ───────────────────────────────────────────────────────────────────────────────────────────────


def test_merge_markers_are_named_and_both_sides_are_read(read):
    everything = read(
        "<<<<<<< HEAD\nName,Year\nHeat,1995\n||||||| base\n=======\nName,Year\n\nRan,1985\n>>>>>>> other\n"
    )
    assert films(everything) == [("Heat", 1995), ("Ran", 1985)]
    marker = "a merge marker of git"
    assert skipped(everything) == [(1, marker), (4, marker), (5, marker), (6, "the column names again"), (9, marker)]


def test_blank_lines_are_passed_over_in_silence(read):
    assert [row.line for row in read("\n \nName,Year\n\nHeat,1995\n \t \nRan,1985\n\x1a")] == [5, 7]


@pytest.mark.parametrize("line", [",,", " , ,\t", '"","",""', "\u00a0,,"])
def test_a_line_of_separators_only_is_a_blank_line(read, line):
    """Spreadsheets write dozens of them below a list."""
    assert [row.line for row in read(f"Name,Year,Note\nHeat,1995,\n{line}\nRan,1985,\n{line}\n")] == [2, 4]
    (row,) = read(f"Name,Year,Note\n,1995,\n{line}\n")
    assert (row.item, row.error) == (None, "no title")


def test_column_names_alone_yield_nothing(read):
    assert read("Name,Year\n") == []
    assert read("Name,Year") == []


# ── quotes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_quote_that_never_closes_swallows_no_row(read):
    everything = read('Name,Year\nA,1990\n"B,1991\nC,1992\nD,1993\n')
    assert films(everything) == [("A", 1990), ("B", 1991), ("C", 1992), ("D", 1993)]
    assert rows_of(everything)[1].cells["Name"] == '"B'
    assert [row.line for row in rows_of(everything)] == [2, 3, 4, 5]


def test_the_next_cells_quote_does_not_close_it(read):
    everything = read('Name,Year\n"A,1990\nB,1991\n"C, c",1992\n"D\nd",1993\n')
    assert films(everything) == [("A", 1990), ("B", 1991), ("C, c", 1992), ("D d", 1993)]


def test_a_quote_that_closes_by_chance_swallows_no_row_of_a_wide_list(read):
    lines = [f"2020-01-01,Film {number},19{number},u" for number in range(50, 60)]
    lines[2] = '2020-01-01,Film 52,"1952,u'
    lines[8] = '2020-01-01,Film 58,1958",u'
    everything = read(WATCHED + "\n" + "\n".join(lines))
    assert films(everything) == [(f"Film {number}", 1900 + number) for number in range(50, 60)]


def test_rows_that_are_wider_than_the_column_names_are_rows_all_the_same(read):
    rows = "".join(f"2020-01-01,Film {number},19{number},u,,\n" for number in range(50, 60))
    everything = read(f'{WATCHED}\n{rows}x,"Film 60,1960,u,,\n{rows}')
    assert len(everything) == 21


def test_many_open_quotes_are_read_in_linear_time(read):
    """Each of these lines leaves a quote open, whether or not one was open before; searched anew they would take hours."""
    assert len(read("Name,Year\n" + 'a",":\n' * 20_000)) == 20_000
    assert len(read("Name,Year\n" + '"a,1999\n' * 20_000)) == 20_000


def test_a_review_that_is_cut_off_stays_one_record(read):
    (row,) = read('Name,Year,Review\nHeat,1995,"long\n\nand, as they say, good\nfilm')
    assert row.cells["Review"] == "long\n\nand, as they say, good\nfilm"
    (row,) = read('Name,Year,Review\nHeat,1995,"cut')
    assert row.item.key == "film:heat|1995"


def test_a_review_with_a_stray_quote_stays_one_record(read):
    heat, ran = read('Name,Year,Review\nHeat,1995,"he said\n"yes" to it"\nRan,1985,\n')
    assert heat.cells["Review"].startswith("he said\n")
    assert (ran.line, ran.item.fields["title"]) == (4, "Ran")


def test_a_long_review_that_closes_is_believed_even_with_commas(read):
    review = "\n".join(["one, two"] * 150)
    heat, ran = read(f'Name,Review\nHeat,"{review}"\nRan,\n')
    assert (heat.cells["Review"], ran.line) == (review, 152)


def test_quotes_inside_a_title_stay_there(read):
    everything = read('Name,Year\n"Crocodile" Dundee,1986\nThe "Burbs",1989\n"Say ""A""",1990\n"a "b", c",1991\n')
    assert [film and film[0] for film in films(everything)][:3] == ['"Crocodile" Dundee', 'The "Burbs"', 'Say "A"']
    assert len(everything) == 4


@pytest.mark.parametrize(
    "cell", ["x" * 3_000_000, '"' + "x" * 3_000_000 + '"', '"' + 'x, ""y""\n' * 200_000 + '"', '"x" ' + "x" * 200_000]
)
def test_a_cell_of_megabytes_loses_no_other_row(read, cell):
    heat, ran = read(f"Name,Year,Review\nHeat,1995,{cell}\nRan,1985,\n")
    assert len(heat.cells["Review"]) >= 200_000
    assert '""' not in heat.cells["Review"]
    assert (heat.item.key, ran.item.key) == ("film:heat|1995", "film:ran|1985")


def test_no_limit_of_the_csv_module_is_changed(read):
    before = csv.field_size_limit()
    read(f'Name,Review\nHeat,"{"x" * 200_000}"\n')
    assert csv.field_size_limit() == before


def test_an_open_quote_is_searched_for_no_further_than_memory_allows(read, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST_RECORD_CHARS", 1000)
    everything = read('Name,Year\n"A,1990\n' + "B,1991\n" * 1000)
    assert len(everything) == 1001


def test_memory_does_not_grow_with_the_list(tmp_path):
    def peak(rows):
        path = tmp_path / f"{rows}.csv"
        path.write_text("Name,Year\n" + "Heat,1995\n" * rows)
        tracemalloc.start()
        assert sum(isinstance(one, Row) for one in read_films([path])) == rows
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(20_000) < 1.5 * peak(5_000)


# ── several lists ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_lists_are_read_one_after_the_other_and_a_missing_one_is_told_before_the_first_row(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("Name\nHeat\n")
    two.write_text("Title;Year\nRan;1985\n")
    assert [(row.source, row.line) for row in records([one, two])] == [("one.csv", 2), ("two.csv", 2)]
    with pytest.raises(InputError, match="three"):
        next(read_films([one, tmp_path / "three.csv"]))
    assert list(read_films([])) == []


# ── an export ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_export_becomes_one_row_a_film(export):
    path = export(
        {
            "deleted/diary.csv": f"{WATCHED}\nx,Deleted,1999,u\n",
            "orphaned/reviews.csv": f"{WATCHED}\nx,Orphan,1999,u\n",
            "profile.csv": "Date Joined,Username\nx,y\n",
            "comments.csv": "Date,Content,Comment\nx,y,z\n",
            "likes/lists.csv": "Date,Name,Letterboxd URI\nx,A list,u\n",
            "likes/films.csv": f"{WATCHED}\n2020,Heat,1995,https://boxd.it/heat\n",
            "lists/top.csv": LIST,
            "diary.csv": f"{DIARY}\nx,HEAT,1995,https://boxd.it/entry1,4,,,2021-01-01\nx,Heat,1995,e2,5,Yes,,2022-01-01\n",
            "ratings.csv": f"{WATCHED},Rating\nx,Heat,1995,https://boxd.it/heat,4.5\n",
            "watched.csv": f"{WATCHED}\n2019,Heat,1995,https://boxd.it/heat\n2019,,,\n",
            "watchlist.csv": f"{WATCHED}\nx,Ikiru,1952,https://boxd.it/ikiru\n",
            "notes.txt": "hello",
        }
    )
    everything = records([path])
    heat, nameless, ikiru, ran = rows_of(everything)
    assert heat.cells == {
        "Date": "2019",
        "Name": "Heat",
        "Year": "1995",
        "Letterboxd URI": "https://boxd.it/heat",
        "Rating": "4.5",
        "Rewatch": "",
        "Tags": "",
        "Watched Date": "2021-01-01",
        "Files": "watched.csv; ratings.csv; diary.csv; likes/films.csv; lists/top.csv",
    }
    assert (heat.source, heat.line, heat.item.key) == ("export.zip", 2, "film:heat|1995")
    assert (nameless.item, nameless.error, nameless.line) == (None, "no title", 3)
    assert (ikiru.cells["Files"], ikiru.cells["Letterboxd URI"]) == ("watchlist.csv", "https://boxd.it/ikiru")
    assert ran.cells["Letterboxd URI"] == "https://boxd.it/ran"
    assert {tuple(row.cells) for row in rows_of(everything)} == {tuple(heat.cells)}
    assert skipped(everything) == []


def test_an_entrys_address_is_never_taken_for_the_films(export):
    path = export({"diary.csv": f"{DIARY}\nx,Heat,1995,https://boxd.it/entry,4,,,2021-01-01\n"})
    (row,) = records([path])
    assert "Letterboxd URI" not in row.cells


def test_an_export_may_be_packed_with_its_folder_and_hold_foreign_lists(export):
    path = export(
        {
            "letterboxd-me/deleted/watched.csv": f"{WATCHED}\nx,Deleted,1999,u\n",
            "__MACOSX/letterboxd-me/._watched.csv": b"\0\1\2",
            "letterboxd-me/profile.csv": "Date Joined\nx\n",
            "letterboxd-me/watched.csv": f"{WATCHED}\nx,Heat,1995,u\n",
            "letterboxd-me/imdb.csv": "Const,Title,Files\ntt0089881,Ran,f\n",
            "letterboxd-me/lists/own.csv": "Title,Year\nIkiru,1952\n",
        }
    )
    rows = records([path])
    assert films(rows) == [("Heat", 1995), ("Ikiru", 1952), ("Ran", None)]
    assert rows[0].cells["Files_2"] == "letterboxd-me/watched.csv"


def test_members_that_cannot_be_read_are_named_and_the_others_read(export):
    path = export(
        {
            "../evil.csv": "Name\nEvil\n",
            "/etc/evil.csv": "Name\nEvil\n",
            "C:\\evil.csv": "Name\nEvil\n",
            "empty.csv": "",
            "budget.csv": "Month,Sum\n1,2\n",
            "watched.csv": "Name\nHeat\n",
        }
    )
    everything = records([path])
    assert films(everything) == [("Heat", None)]
    reasons = [reason for _, reason in skipped(everything)]
    assert sum("leads out of the archive" in reason for reason in reasons) == 3
    assert any(reason.startswith("empty.csv: the file is empty") for reason in reasons)
    assert any(reason.startswith("budget.csv: no title column among 'Month', 'Sum'") for reason in reasons)
    assert len(reasons) == 5
    assert not (path.parent.parent / "evil.csv").exists()


def test_a_member_compressed_in_an_unbounded_way_is_not_unpacked(export):
    path = export({"watched.csv": "Name\nHeat\n"}, compression=zipfile.ZIP_LZMA)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as packed:
        packed.writestr("ratings.csv", "Name\nRan\n")
    everything = records([path])
    assert films(everything) == [("Ran", None)]
    assert "compression is not supported" in skipped(everything)[0][1]


def zip_refusal(path):
    with pytest.raises(InputError) as caught:
        records([path])
    assert str(caught.value).startswith(f"{path.name}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_zip_without_films_is_told(export):
    assert "holds no list of films" in zip_refusal(export({"readme.txt": "hello"}))
    assert "holds no list of films" in zip_refusal(export({}))
    assert "Excel" in zip_refusal(export({"[Content_Types].xml": "<x/>", "xl/workbook.xml": ""}, name="films.xlsx"))


def test_a_broken_zip_is_told(export):
    path = export({"watched.csv": "Name\n" + "Heat\n" * 1000}, compression=zipfile.ZIP_STORED)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert "broken or cut short" in zip_refusal(path)
    path.write_bytes(whole.replace(b"Heat\nHeat", b"Heat\nHeap", 1))
    assert "'watched.csv' in the ZIP archive is broken" in zip_refusal(path)
    path.write_bytes(b"XX" + whole[2:])
    refusal_of_the_whole = zip_refusal(path)
    assert "no title column" in refusal_of_the_whole or "binary" in refusal_of_the_whole


def test_a_member_whose_own_header_is_gone_is_broken(export):
    path = export({"ratings.csv": "Name\nHeat\n", "watched.csv": "Name\nRan\n"})
    second = path.read_bytes().index(b"PK\x03\x04", 4)
    content = bytearray(path.read_bytes())
    content[second : second + 4] = b"XXXX"
    path.write_bytes(content)
    assert "'watched.csv' in the ZIP archive is broken" in zip_refusal(path)


def test_an_encrypted_zip_is_told(export):
    path = export({"watched.csv": "Name\nHeat\n"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + offset
        content[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(content)
    assert "encrypted" in zip_refusal(path)


def test_a_zip_bomb_is_stopped_while_it_unpacks(export, monkeypatch):
    assert "unpacks to more" in zip_refusal(export({"watched.csv": "Name\n" + " " * 8_000_000}))
    lists = {"watched.csv": "Name\n" + "Heat\n" * 500, "ratings.csv": "Name\n" + "Heat\n" * 500}
    assert len(records([export(lists)])) == 1
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 4000)
    assert "'ratings.csv' in the ZIP archive unpacks to more" in zip_refusal(export(lists))
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 2000)
    assert "'watched.csv' in the ZIP archive unpacks to more" in zip_refusal(export(lists))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    assert "2 files in one ZIP archive" in zip_refusal(export(lists))


def test_a_zip_that_says_itself_what_it_unpacks_to_is_refused_before_it_is_read(export):
    path = export({"watched.csv": "Name\n" + "Heat\n" * 500})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", archive.MAX_MEMBER_BYTES + 1)
    path.write_bytes(content)
    assert "unpacks to more" in zip_refusal(path)


def test_a_zip_that_lies_about_its_size_is_not_believed(export):
    path = export({"watched.csv": "Name\n" + "Heat\n" * 500})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    assert "broken" in zip_refusal(path)


# ── what can't be read at all ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "blank lines only"),
        (b"\n \n\n", "blank lines only"),
        (b"\0\0\0\0", "binary"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x1f\x8b\x08\0\0", "gzip"),
        (b"SQLite format 3\0\x10", "an SQLite database"),
        (bytes(range(256)) * 4, "binary data"),
        (b'[{"title": "Heat"}', "this JSON is broken or cut short"),
        (b'{"a": [1, {"b": 2}]}', "this JSON holds no list of films"),
        (b"<!DOCTYPE html>\n<title>Heat</title>", "a web page or XML"),
        (b"a,b\nc,d\n", "no title column among 'a', 'b'"),
    ],
)
def test_what_is_no_list_is_told_in_one_line(read, content, words):
    message = refusal(read, content)
    assert message.startswith("films.csv: ")
    assert words in message


@pytest.mark.parametrize("of", [content_digest, lambda paths: list(read_films(paths))], ids=["digest", "films"])
def test_what_is_no_file_is_told_in_one_line(tmp_path, of):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for path, words in [
        (tmp_path / "none.csv", "none.csv: there is no such file"),
        (tmp_path, "this is a folder"),
        (fifo, "no ordinary file"),
        (tmp_path / ("x" * 300), "can't be opened"),
        (Path("a\0\nb"), "a\\?\\?b: the file can't be opened"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            of([path])
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text("Name\nHeat\n")
    path.chmod(0)
    with pytest.raises(InputError, match="no permission"):
        records([path])


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and can't be read")
def test_a_file_that_ceases_to_be_readable_is_told():
    with pytest.raises(InputError, match="can't be read to its end"):
        list(read_films([Path("/proc/self/mem")]))


def test_a_name_that_cannot_be_printed_is_shown_and_stored_in_another_way(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.csv"))
    path.write_text("Name\nHeat\n")
    (row,) = records([path])
    assert row.source == "caf??.csv"
    assert len(content_digest([path])) == 64


# ── whatever comes ──────────────────────────────────────────────────────────────────────────────────────────────────


def films_or_refusal(path):
    """What a file holds; nothing where it is refused as it should be."""
    try:
        return records([path])
    except InputError as error:
        message = str(error)
    assert message.isprintable()
    return []


PIECES = st.sampled_from(
    b'" "" , ; | \t \n \r \r\n \0 \xff\xfe \xef\xbb\xbf \xe9 \x1a Name,Year\n title 1999 Heat (2001) PK\x03\x04'.split(
        b" "
    )
    + '– ======= <<<<<<< Position,Name [ { } ] : "title" | --- 1. ★★ S1E2 tt0133093 {tmdb-603} imdb://tt1 #'.encode().split()
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=40).map(b"".join)), st.booleans())
@example(b'Name,Year\n"', True)
def test_whatever_the_bytes_only_an_input_error_ever_leaves(tmp_path, content, named):
    path = tmp_path / "films.csv"
    path.write_bytes((b"Name,Year\n" if named else b"") + content)
    everything = films_or_refusal(path)
    assert all((row.item is None) == (row.error is not None) for row in rows_of(everything))
    assert all("\n" not in (row.item.fields["title"] if row.item else "") for row in rows_of(everything))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_befalls_a_zip_only_an_input_error_ever_leaves(export, data):
    path = export({"watched.csv": "Name,Year\nHeat,1995\n", "lists/top.csv": LIST})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    films_or_refusal(path)


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), st.sampled_from(",;\t|"))
def test_what_the_csv_module_writes_is_read_back_cell_by_cell(tmp_path, table, delimiter):
    path = tmp_path / "films.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, delimiter=delimiter).writerows([("Name", "Year", "Review"), *table])
    read = [list(row.cells.values()) for row in rows_of(read_films([path]))]
    assert read == [list(cells) for cells in table if any(cell.strip(INVISIBLE) for cell in cells)]


# ── the digest ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_digest_changes_with_names_contents_order_and_borders(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_bytes(b"ab" * 600_000)
    two.write_bytes(b"c")
    first = content_digest([one, two])
    assert first == content_digest([one, two])
    assert len({first, content_digest([two, one]), content_digest([one]), content_digest([])}) == 4
    one.write_bytes(b"ab" * 599_999 + b"a")
    two.write_bytes(b"bc")
    assert content_digest([one, two]) != first
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "two.csv").write_bytes(b"bc")
    assert content_digest([two]) == content_digest([other / "two.csv"])
