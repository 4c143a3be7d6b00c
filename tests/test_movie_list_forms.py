"""Lists that are no CSV, or CSV that names no columns: JSON, Markdown, text; their encodings; exports of several lists."""

import io
import json
import subprocess
import tracemalloc

import pytest
from cli_world import column, rows_of, write_list, write_zip

from enricher.errors import InputError
from enricher.export import write_export
from enricher.model import ExportRow, Row, Skipped, Source
from enricher.pipelines.movies.lists.encodings import guessed_encoding
from enricher.pipelines.movies.sources import read_films

NAMES = ("title", "year", "imdb_id", "tmdb_id")


@pytest.fixture
def read(tmp_path):
    """All that one list holds but where it begins."""

    def write_and_read(content, name="list.txt", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [one for one in read_films([path], **options) if not isinstance(one, Source)]

    return write_and_read


@pytest.fixture
def export(tmp_path):
    """The rows of an export of these members."""

    def pack_and_read(members, **options):
        path = write_zip(tmp_path / "export.zip", members)
        return [one for one in read_films([path], **options) if not isinstance(one, Source)]

    return pack_and_read


def films(everything, *names):
    rows = [one for one in everything if isinstance(one, Row)]
    return [tuple(row.item.fields.get(name) for name in names or ("title", "year")) for row in rows]


def skipped(everything):
    return [one.reason for one in everything if isinstance(one, Skipped)]


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "film"),
    [
        ("Heat", ("Heat", None)),
        ("Heat (1995)", ("Heat", 1995)),
        ("Heat [1995]", ("Heat", 1995)),
        ("Heat, 1995", ("Heat", 1995)),
        ("Heat - 1995", ("Heat", 1995)),
        ("Heat – 1995", ("Heat", 1995)),
        ("(1995) Heat", ("Heat", 1995)),
        ("Heat (Michael Mann, 1995)", ("Heat", 1995)),
        ("Heat (1995 film)", ("Heat", 1995)),
        ("Heat (1995) - the best of its year", ("Heat", 1995)),
        ("- Heat (1995)", ("Heat", 1995)),
        ("* [x] Heat", ("Heat", None)),
        ("• Heat", ("Heat", None)),
        ("Heat ★★★★½", ("Heat", None)),
        ("Heat (1995) 4.5/5", ("Heat", 1995)),
        ("Heat (1995): 9/10", ("Heat", 1995)),
        ("★★★★ Heat (1995)", ("Heat", 1995)),
        ("Heat 87%", ("Heat", None)),
        ("Heat - 4 stars", ("Heat", None)),
        ("Heat ****", ("Heat", None)),
        ("**** Heat", ("Heat", None)),
        ("4/5 Heat", ("Heat", None)),
        ("✅ Heat 🔥", ("Heat", None)),
        ("**Heat** (1995) – Michael Mann", ("Heat", 1995)),
        ("7. Siegel", ("7. Siegel", None)),
        ("“Heat” (1995)", ("Heat", 1995)),
        ("**Heat**", ("Heat", None)),
        ("[Heat (1995)](https://letterboxd.com/film/heat-1995/)", ("Heat", 1995)),
        ("Heat.1995.1080p.BluRay.x264-GRP.mkv", ("Heat", 1995)),
        ("Heat (1995).mkv", ("Heat", 1995)),
        ("Heat (1995)/", ("Heat", 1995)),
        ("Heat (1995) dir. Michael Mann", ("Heat", 1995)),
        ("D:\\Films\\Heat (1995)\\Heat (1995) Bluray-1080p.mkv", ("Heat", 1995)),
        ("./films/Heat 1995 1080p BluRay.mkv", ("Heat", 1995)),
        ("Face/Off", ("Face/Off", None)),
        ("12 Angry Men", ("12 Angry Men", None)),
        ("Blade Runner 2049", ("Blade Runner 2049", None)),
        ("Wonder Woman 1984", ("Wonder Woman 1984", None)),
        ("2001: A Space Odyssey (1968)", ("2001: A Space Odyssey", 1968)),
        ("The Good, the Bad and the Ugly", ("The Good, the Bad and the Ugly", None)),
        ("8½", ("8½", None)),
        ("M*A*S*H", ("M*A*S*H", None)),
        ("Fahrenheit 9/11", ("Fahrenheit 9/11", None)),
        ("*batteries not included", ("*batteries not included", None)),
        ("#Alive (2020)", ("#Alive", 2020)),
        ("《七人の侍》（1954）", ("七人の侍", 1954)),
        ("・七人の侍（1954年）", ("七人の侍", 1954)),
        ("“Heat” 1995", ("Heat", 1995)),
        ("Blade.Runner.2049.2017.1080p.WEB-DL.mkv", ("Blade Runner 2049", 2017)),
        ("Blade Runner 2049 2017 1080p BluRay", ("Blade Runner 2049", 2017)),
        ("1917.2019.1080p.mkv", ("1917", 2019)),
    ],
)
def test_a_line_of_text_is_a_film_without_what_stands_around_it(read, line, film):
    everything = read(f"{line}\nRan (1985)\n")
    assert films(everything) == [film, ("Ran", 1985)]
    assert everything[0].cells["Line"] == line


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("tt0113277", ("", None, "tt0113277", None)),
        ("https://www.imdb.com/title/tt0113277/", ("", None, "tt0113277", None)),
        ("https://www.themoviedb.org/movie/949-heat", ("", None, None, 949)),
        ("tmdb:949", ("", None, None, 949)),
        ("imdb.com/title/tt0113277", ("", None, "tt0113277", None)),
        ("www.themoviedb.org/movie/949-heat", ("", None, None, 949)),
        ("Heat (1995) {tmdb-949}", ("Heat", 1995, None, 949)),
        ("Heat (1995) [imdbid-tt0113277]", ("Heat", 1995, "tt0113277", None)),
        ("tt0113277 Heat", ("Heat", None, "tt0113277", None)),
        ("Heat | tt0113277", ("Heat", None, "tt0113277", None)),
    ],
)
def test_ids_in_a_line_of_text_are_used(read, line, ids):
    assert films(read(f"{line}\nRan (1985)\nIkiru\n"), *NAMES)[0] == ids


def test_what_stands_on_most_lines_is_no_part_of_the_titles(read):
    assert films(read("1. Heat\n2. 12 Angry Men\n3. 8½\n")) == [("Heat", None), ("12 Angry Men", None), ("8½", None)]
    mixed = read("1. Heat\nso good\nagain\n2. 12 Angry Men\nwell\n3. Ran\nyes\n")
    assert [title for title, _ in films(mixed)][::3] == ["Heat", "12 Angry Men", "yes"]
    assert films(read("10 Heat\n9 Ran\n8 12 Angry Men\n")) == [("Heat", None), ("Ran", None), ("12 Angry Men", None)]
    years = [("Heat", 1995), ("Ran", 1985), ("Blade Runner 2049", 2017)]
    assert films(read("Heat 1995\nRan 1985\nBlade Runner 2049 2017\n")) == years
    assert films(read("1995 Heat\n1985 - Ran\n2017 - Blade Runner 2049\n")) == years
    assert films(read("949\n11645\n603\n"), "tmdb_id") == [(949,), (11645,), (603,)]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01 Heat (1995)\n2024-02-01 1917 (2019)\n",
        "- 01/02/2024: Heat (1995)\n- 02/02/2024: 1917 (2019)\n",
        "[1.2.2024 20:15] Heat (1995)\n[2.2.2024 20:15] 1917 (2019)\n",
        "1. 2024-01-01 Heat 1995\n2. 2024-02-01 1917 2019\n3. 2024-02-01 Ran 1985\n",
    ],
)
def test_the_day_of_each_viewing_is_no_part_of_the_titles(read, text):
    assert films(read(text))[:2] == [("Heat", 1995), ("1917", 2019)]


def test_a_director_and_a_year_in_brackets_are_no_cells(read):
    everything = read("The Matrix (Wachowski, 1999)\nHeat (Michael Mann, 1995)\nAlien (Ridley Scott, 1979)\n")
    assert films(everything) == [("The Matrix", 1999), ("Heat", 1995), ("Alien", 1979)]


def test_a_link_to_a_series_in_a_text_says_that_it_is_none(read):
    (row,) = read("https://www.themoviedb.org/tv/1396-breaking-bad\n")
    assert row.item.fields["not_a_film"] == "a series, not a film"


def test_lines_with_more_than_a_title_are_text_also_below_a_column_name(read):
    everything = read("Film\n1. Heat (1995) ★★★★\n2. 12 Angry Men\n")
    assert films(everything) == [("Heat", 1995), ("12 Angry Men", None)]
    assert (everything[0].cells["Film"], everything[0].line) == ("1. Heat (1995) ★★★★", 2)
    (row,) = read("Title\nHeat (1995)\n")
    assert (row.cells, films([row])) == ({"Title": "Heat (1995)"}, [("Heat", 1995)])
    assert films(read("# Films\n\n1、Heat\n2、Ran\n")) == [("Heat", None), ("Ran", None)]


def test_headings_are_named_and_rules_are_blank(read):
    everything = read("Seen:\n\n- Heat\n----\n## Again\n- Ran\n")
    assert films(everything) == [("Heat", None), ("Ran", None)]
    assert skipped(everything) == ["a heading", "a heading"]


@pytest.mark.parametrize(
    "text",
    [
        "Position,Rating\n1,5\n",
        "name1;value1\nname2;value2\n",
        "It was a dark night, and nobody who had seen it could say afterwards how long it had lasted. " * 3 + "\n",
        "He\x07at\nRan\n",
        "<films>\n<film>Heat</film>\n",
    ],
)
def test_tables_without_titles_and_prose_are_no_lists(read, text):
    with pytest.raises(InputError, match=r"no title column|looks like"):
        read(text)


# ── no column names ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Heat\ttt0113277\timdb\nVertigo\t426\ttmdb\n",
            [("Heat", None, "tt0113277", None), ("Vertigo", None, None, 426)],
        ),
        ("Heat,1995\nRan,1985\n", [("Heat", 1995, None, None), ("Ran", 1985, None, None)]),
        ("1;Heat;1995;Mann\n2;Ran;1985;Kurosawa\n", [("Heat", 1995, None, None), ("Ran", 1985, None, None)]),
        ("1995|Heat\n1985|Ran\n", [("Heat", 1995, None, None), ("Ran", 1985, None, None)]),
        ("tt0113277,Heat\ntt0089881,Ran\n", [("Heat", None, "tt0113277", None), ("Ran", None, "tt0089881", None)]),
        ("1917,2019\n300,2006\n", [("1917", 2019, None, None), ("300", 2006, None, None)]),
        ("Pavadin,Met,X\nHeat,1995,a\nRan,1985,b\n", [("Heat", 1995, None, None), ("Ran", 1985, None, None)]),
    ],
)
def test_columns_that_are_plainly_titles_and_years_or_ids_need_no_names(read, text, found):
    assert films(read(text), *NAMES) == found


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_markdown_table_is_read_and_its_rule_is_no_film(read):
    everything = read(
        "My films:\n\n| Title | Year |\n|---|:-:|\n| Heat | 1995 |\n| a \\| b &amp; \\*c\\* | 1990 |\n\nend\n"
    )
    assert films(everything) == [("Heat", 1995), ("a | b & *c*", 1990)]
    assert skipped(everything) == ["text above the column names", "a heading"]
    assert films(read("Title | Year\n--- | ---\nHeat | 1995\n")) == [("Heat", 1995)]


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────

HEAT = ("Heat", 1995, "tt0113277", 949)
IDS = {"trakt": 481, "slug": "heat-1995", "imdb": "tt0113277", "tmdb": 949}
MOVIE = {"title": "Heat", "year": 1995, "ids": IDS}
SHOW = {"title": "Lost", "year": 2004, "ids": {"tmdb": 4607}}


@pytest.mark.parametrize(
    "document",
    [
        [MOVIE],
        [{"plays": 1, "last_watched_at": "2024-01-01", "movie": MOVIE}],
        {"movies": [{"movie": MOVIE}], "total": 1},
        {"result": {"movies": [{"label": "Heat", "year": 1995, "uniqueid": {"imdb": "tt0113277", "tmdb": "949"}}]}},
        {"Items": [{"Name": "Heat", "ProductionYear": 1995, "ProviderIds": {"Imdb": "tt0113277", "Tmdb": "949"}}]},
        [
            {
                "content": {
                    "title": "Heat",
                    "type": "movie",
                    "release_date": "1995-12-15",
                    "imdb_id": "tt0113277",
                    "tmdbId": 949,
                }
            }
        ],
        [{"title": "Heat", "year": 1995, "Guid": [{"id": "imdb://tt0113277"}, {"id": "tmdb://949"}]}],
        {"title": "Heat", "year": 1995, "imdbId": "tt0113277", "tmdbId": 949, "genres": [{"id": 80, "name": "Crime"}]},
    ],
)
def test_films_are_found_in_json_wherever_programs_put_them(read, document):
    assert films(read(json.dumps(document)), *NAMES) == [HEAT]


def test_a_radarr_list_and_bare_ids_and_titles_are_lists(read):
    radarr = [{"id": 7, "imdb_id": "tt0113277", "title": "Heat", "release_year": "1995", "adult": False}]
    assert films(read(json.dumps(radarr)), *NAMES) == [("Heat", 1995, "tt0113277", None)]
    assert films(read('[{"tmdb_id": 949}, {"id": "tt0113277"}, {"name": "Ran"}]'), *NAMES) == [
        ("", None, None, 949),
        ("", None, "tt0113277", None),
        ("Ran", None, None, None),
    ]
    assert films(read('["Heat (1995)", "tt0089881"]'), *NAMES[:3]) == [("Heat", 1995, None), ("", None, "tt0089881")]


def test_series_episodes_and_anime_in_json_are_no_films(read):
    history = [
        {"type": "movie", "movie": MOVIE},
        {"type": "episode", "episode": {"title": "Pilot", "ids": {"tmdb": 63056}}, "show": SHOW},
        {"plays": 2, "show": SHOW},
    ]
    assert [title for title, refused in films(read(json.dumps(history)), "title", "not_a_film") if refused] == [
        "Lost"
    ] * 2
    lists = {
        "movies": [{"movie": MOVIE}],
        "shows": [SHOW],
        "anime": [{"anime_type": "tv", "show": SHOW}, {"anime_type": "movie", "show": MOVIE}],
    }
    found = films(read(json.dumps(lists)), "title", "not_a_film")
    assert [(title, refused is None) for title, refused in found] == [
        ("Heat", True),
        ("Lost", False),
        ("Lost", False),
        ("Heat", True),
    ]


def test_json_lines_and_other_encodings_are_read_and_cells_are_as_our_tables_have_them(read):
    lines = (
        '{"title": "Élan", "genres": ["Crime", "Drama"], "seen": true, "note": null}\n{"title": "Ran", "x": {"y": 1}}\n'
    )
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le"):
        one, two = read(lines.encode(encoding))
        assert one.cells == {"title": "Élan", "genres": "Crime; Drama", "seen": "true", "note": "", "x": ""}
        assert (two.cells["x"], two.line) == ('{"y": 1}', 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"title": "Heat"}, {"tit', "this JSON is broken or cut short"),
        ('{"title": "Heat"}}', "this JSON is broken or cut short"),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, "this JSON is broken or cut short"),
        ('[{"title": "Heat", "a": ' + "[" * 20_000 + "]" * 20_000 + "}]", "this JSON is broken or cut short"),
        ("[]", "holds no list of films"),
        ('{"users": [{"username": "x", "name": "y"}]}', "holds no list of films"),
        (json.dumps([{"title": "x", f"k{n}": n} for n in range(2000)]), "more than 1,000 names"),
    ],
)
def test_json_that_is_broken_or_holds_no_films_is_told_in_one_line(read, text, told):
    with pytest.raises(InputError, match=told) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_memory_does_not_grow_with_a_json_list(tmp_path):
    def peak(count):
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps({"movies": [MOVIE] * count}))
        tracemalloc.start()
        assert sum(isinstance(one, Row) for one in read_films([path])) == count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(3_000) < 1.5 * peak(750)


# ── our own tables ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "markdown"])
def test_our_own_tables_are_lists_again(read, form):
    rows = [
        ExportRow(
            "a.csv", 2, {"Name": "Heat | x*", "Year": "1995"}, "enriched", 100.0, record={"tmdb_id": 949, "title": "H"}
        ),
        ExportRow("a.csv", 3, {"Name": "Ran", "Year": "1985"}, "not_found", error="no film of this name near 1985"),
    ]
    table = io.StringIO()
    columns = ["tmdb_id", "title", "year", "genres"]
    write_export(rows, table, input_columns=["Name", "Year"], record_columns=columns, form=form)
    everything = read(table.getvalue())
    assert films(everything, "title", "year", "tmdb_id") == [("H", 1995, 949), ("Ran", 1985, None)]
    assert [row.cells["Name"] for row in everything] == ["Heat | x*", "Ran"]


# ── encodings ───────────────────────────────────────────────────────────────────────────────────────────────────────

TITLES = {
    "cp1250": ["Krótki film o miłości", "Ostře sledované vlaky", "Gyűrűk könyve", "Crna mačka", "Poliţist, adjectiv"],
    "iso8859_2": ["Pociągi pod specjalnym nadzorem", "Dzień świra", "Ziemia obiecana"],
    "cp1254": ["Kış Uykusu", "Babam ve Oğlum", "Eşkıya"],
    "cp1252": [
        "Le Fabuleux Destin d'Amélie",
        "À bout de souffle",
        "Drømmen",
        "¿Qué?",
        "Så som i himlen",
        "Corações",
        "Alien³",
    ],
}


@pytest.mark.parametrize("encoding", TITLES)
def test_old_encodings_are_told_apart_by_their_letters(encoding):
    for count in range(1, len(TITLES[encoding]) + 1):
        text = "".join(f"{title};1999\n" for title in TITLES[encoding][:count])
        assert text.encode(encoding).decode(guessed_encoding(text.encode(encoding))) == text


def test_a_guess_is_told_once_and_an_encoding_that_is_named_is_taken(read, export, caplog):
    text = "Name,Year\nŽivot,1999\nŁódź,1999\n"
    assert films(read(text.encode("cp1250")))[1] == ("Łódź", 1999)
    (record,) = caplog.records
    assert (
        record.getMessage() == "list.txt: read as cp1250, which is a guess; if letters are wrong, name its --encoding"
    )
    caplog.clear()
    assert films(read("Name,Year\nЖизнь,1999\n".encode("cp866"), encoding="cp866")) == [("Жизнь", 1999)]
    assert films(read(text))[0] == ("Život", 1999)
    assert caplog.records == []
    export({"watched.csv": text.encode("cp1250"), "ratings.csv": text.encode("cp1250")})
    assert len(caplog.records) == 1


@pytest.mark.parametrize("byte_order", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_read_where_it_is_named(read, byte_order):
    assert films(read("Name,Year\nHeat,1995\n".encode(byte_order), encoding="utf-16")) == [("Heat", 1995)]
    cyrillic = "Название;Год\nЗеркало;1974\n".encode(byte_order)
    assert films(read(cyrillic, encoding=byte_order)) == [("Зеркало", 1974)]


def test_an_encoding_of_control_characters_is_read_where_it_is_named(read):
    japanese = "".join(["Name,Year\n", *["七人の侍,1954\n乱,1985\n"] * 3]).encode("iso2022_jp")
    with pytest.raises(InputError, match=r"binary data.*--encoding"):
        read(japanese)
    assert films(read(japanese, encoding="iso2022_jp"))[:2] == [("七人の侍", 1954), ("乱", 1985)]


def test_a_list_that_is_not_in_the_encoding_that_is_named_ends_in_rows_or_one_line(cli):
    write_list(cli.folder / "list.csv")
    for encoding in ("utf-16", "utf-32", "utf-7", "ascii", "punycode"):
        ended = cli("movies", "list.csv", "--encoding", encoding, "--dry-run")
        assert "Traceback" not in ended.err


# ── exports ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DIARY = "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date\n"
REVIEWS = "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Review,Tags,Watched Date\n"


def test_cells_of_one_viewing_never_stand_beside_those_of_another(export):
    diary = DIARY + "d1,Heat,1995,u,4,,,2020-01-01\nd2,Heat,1995,u,5,Yes,again,2024-01-01\n"
    reviews = REVIEWS + "d2,Heat,1995,u,5,Yes,Second,again,2024-01-01\nd1,Heat,1995,u,4,,First,,2020-01-01\n"
    (row,) = export({"diary.csv": diary, "reviews.csv": reviews, "watchlist.csv": "Name,Year,Note\nHeat,1995,n\n"})
    told = {name: row.cells[name] for name in ("Date", "Rating", "Rewatch", "Tags", "Watched Date", "Review", "Note")}
    assert list(told.values()) == ["d1", "4", "", "", "2020-01-01", "First", "n"]
    (row,) = export(
        {"diary.csv": DIARY + "d1,Heat,1995,u,4,,,2020-01-01\n", "reviews.csv": reviews.replace("2020", "2019")}
    )
    assert row.cells["Review"] == ""


def test_trakts_export_becomes_one_row_a_film(export):
    watched = [
        {"plays": 2, "movie": MOVIE},
        {"plays": 1, "movie": {"title": "Ran", "year": 1985, "ids": {"tmdb": 11645}}},
    ]
    history = [
        {"watched_at": "2024", "type": "movie", "movie": MOVIE},
        {"type": "episode", "episode": {"title": "Pilot"}, "show": SHOW},
        {"type": "episode", "episode": {"title": "Tabula Rasa"}, "show": SHOW},
    ]
    everything = export(
        {
            "user/profile.json": "{}",
            "user/settings.json": '{"user": {"username": "x", "name": "y"}}',
            "lists/lists.json": '[{"name": "Again", "privacy": "private", "ids": {"slug": "again"}}]',
            "watched/watched-movies.json": json.dumps(watched),
            "watched/watched-history-1.json": json.dumps(history),
            "watched/watched-history-2.json": json.dumps(
                [{"watched_at": "2020", "action": "watch", "type": "movie", "movie": MOVIE}]
            ),
            "ratings/ratings-movies.json": json.dumps([{"rating": 9, "movie": MOVIE}]),
        }
    )
    assert films(everything, "title", "tmdb_id") == [("Heat", 949), ("Ran", 11645), ("Lost", None)]
    heat = everything[0]
    assert (heat.cells["plays"], heat.cells["rating"], heat.cells["watched_at"]) == ("2", "9", "2024")
    assert heat.cells["action"] == ""  # said of another viewing
    assert heat.cells["Files"].split("; ") == [
        "watched/watched-movies.json",
        "ratings/ratings-movies.json",
        "watched/watched-history-1.json",
        "watched/watched-history-2.json",
    ]


EXPORT = {
    "watched.csv": "Name,Year\nHeat,1995\n",
    "diary.csv": DIARY + "d,Ran,1985,u,4,,,2020\n",
    "watchlist.csv": "Name,Year\nIkiru,1952\n",
    "lists/top.csv": "Name,Year\nStalker,1979\n",
    "watched/watched-history-1.json": json.dumps([MOVIE]),
    "lists-watchlist.json": '[{"title": "Solaris"}]',
}


@pytest.mark.parametrize(
    ("only", "titles"),
    [
        (["watched"], ["Heat"]),
        (["watched", "diary"], ["Heat", "Ran"]),
        (["Watchlist"], ["Ikiru", "Solaris"]),
        (["top"], ["Stalker"]),
        (["lists"], ["Stalker"]),
        (["lists/top"], ["Stalker"]),
        (["history"], ["Heat"]),
        (["diary.csv"], ["Ran"]),
    ],
)
def test_only_chooses_among_the_lists_of_an_export(export, only, titles):
    assert sorted({title for title, _ in films(export(EXPORT, only=only))}) == titles


def test_a_list_that_an_export_has_not_is_told_with_those_that_it_has(export):
    with pytest.raises(
        InputError, match=r"export\.zip: --only likes: the export has no such list; it has watched, diary"
    ):
        export(EXPORT, only=["watched", "likes"])


def test_a_zip_in_a_zip_is_named(export, tmp_path):
    inner = write_zip(tmp_path / "inner.zip", EXPORT).read_bytes()
    everything = export({"inner.zip": inner, "watched.csv": "Name\nHeat\n"})
    assert films(everything) == [("Heat", None)]
    assert skipped(everything) == ["inner.zip: a ZIP archive inside the ZIP archive; unpack it and give it by itself"]
    with pytest.raises(InputError, match=r"there is another in it: backup/inner\.zip, unpack it and give that"):
        export({"backup/inner.zip": inner})


# ── the command line ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_standard_input_is_a_list_and_the_same_job_again(cli):
    def given(text):
        with cli.start("movies", "-", "--no-progress", stdin=text or subprocess.DEVNULL) as running:
            return running.end()

    path = cli.folder / "given.txt"
    path.write_text("Stalker (1979)\nThe Matrix (1999)\n")
    with path.open() as text:
        assert column(rows_of(given(text).out), "tmdb_id") == ["1398", "603"]
    asked = cli.api.stats()["arrivals"]
    with path.open() as text:
        assert column(rows_of(given(text).out), "tmdb_id") == ["1398", "603"]
    assert cli.api.stats()["arrivals"] == asked
    assert [job["name"] for job in cli("jobs", "--json").data] == ["stdin"]
    assert "stdin: the file is empty" in given(None).complaint
    assert "once only" in cli("movies", "-", "-").err


def test_only_and_encoding_are_flags_and_another_choice_is_another_job(cli):
    write_zip(cli.folder / "export.zip", {"watched.csv": "Name,Year\nStalker,1979\n", "watchlist.csv": "Name\nDune\n"})
    assert column(cli.table("movies", "export.zip", "--only", "watched"), "Name") == ["Stalker"]
    assert len(cli.table("movies", "export.zip", "--only", "watched, watchlist")) == 2
    assert len(cli("jobs", "--json").data) == 2
    (cli.folder / "old.csv").write_bytes("Name,Year,Note\nStalker,1979,Сталкер\n".encode("cp866"))
    assert column(cli.table("movies", "old.csv", "--encoding", "cp866"), "Note") == ["Сталкер"]
    ended = cli("movies", write_list(cli.folder / "list.csv"), "--encoding", "klingon")
    assert (ended.code, "is no encoding of texts" in ended.err) == (2, True)
    ended = cli("movies", "list.csv", "--encoding", "idna")
    assert (ended.code, "is no encoding of texts" in ended.err) == (2, True)


def test_a_guessed_encoding_is_told_in_one_line(cli):
    (cli.folder / "old.csv").write_bytes("Name,Year,Note\nStalker,1979,Zażółć\n".encode("cp1250"))
    ended = cli("movies", "old.csv", "--no-progress")
    (line,) = [line for line in ended.err.splitlines() if "guess" in line]
    assert "old.csv: read as cp1250" in line
    assert column(rows_of(ended.out), "Note") == ["Zażółć"]
