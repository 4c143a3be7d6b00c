"""The review file: written for a person, read back with the person's choices, in whatever shape a spreadsheet left it."""

import csv

import pytest
from cli_world import FILMS, MISSING, UNSURE, column, rows_of, write_list

from enricher.cli.review import COLUMNS, NONE, Decision, read_decisions, write_review
from enricher.errors import InputError, SettingError
from enricher.model import Candidate, Item, Unresolved

KEY_OF_UNSURE = "film:black box|"
IDS_OF_UNSURE = ["900014", "900015"]


def unresolved(title="House", key="film:house|1977", candidates=(), error=None, status="unsure"):
    return Unresolved(
        Item(key, {"title": title, "year": 1977}), status, 80.0, error, tuple(candidates), "films.csv", 2, {}, 3
    )


def candidate(number, **more):
    link = f"https://www.themoviedb.org/movie/{number}"
    return Candidate(
        **{"id": number, "title": "House", "year": "1977", "score": 91.25, "reason": "r", "link": link, **more}
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review.csv"


@pytest.fixture
def review(path):
    """A review file of two items, one with two candidates and one with none, to be written into."""
    second = unresolved("=Nobody", "film:nobody|", status="not_found", error="why")
    assert write_review(path, [unresolved(candidates=[candidate("1"), candidate("2")]), second]) == 2
    return path


def lines_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def save(path, lines, delimiter=",", encoding="utf-8", newline="\n", columns=COLUMNS):
    """As a spreadsheet would."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter, lineterminator=newline, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)


def choose(path, *choices, **saved):
    """Write choices into the lines, in their order."""
    lines = lines_of(path)
    for line, choice in zip(lines, choices, strict=False):
        line["choice"] = choice
    save(path, lines, **saved)
    return path


# ── written ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_candidate_has_a_line_that_a_person_can_judge(review):
    first, second, bare = lines_of(review)
    assert tuple(first) == COLUMNS
    assert first == {
        "choice": "",
        "item": "House",
        "year": "1977",
        "status": "unsure",
        "error": "",
        "rows": "3",
        "id": "1",
        "candidate": "House",
        "candidate_year": "1977",
        "score": "91.2",
        "reason": "r",
        "link": "https://www.themoviedb.org/movie/1",
        "key": "film:house|1977",
    }
    assert (second["id"], second["key"]) == ("2", first["key"])
    assert (bare["id"], bare["error"], bare["status"]) == ("", "why", "not_found")


def test_no_cell_is_a_formula(review):
    assert column(lines_of(review), "item")[2] == "'=Nobody"


def test_an_item_without_a_title_goes_by_its_key(path):
    write_review(path, [unresolved(title="", key="imdb:tt0000001")])
    assert column(lines_of(path), "item") == ["imdb:tt0000001"]


def test_a_review_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(SettingError, match=r"--review .*: the file can't be written"):
        write_review(tmp_path / "no" / "review.csv", [])


# ── read back ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_untouched_review_decides_nothing(review):
    assert read_decisions(review) == []


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ("x", "2"),
        (" X ", "2"),
        ("yes", "2"),
        ("none", NONE),
        ("No", NONE),
        ("-", NONE),
        ("603", "603"),
        ("tt0133093", "tt0133093"),
        ("https://www.themoviedb.org/movie/603", "603"),
        ("https://www.themoviedb.org/movie/603-the-matrix", "603"),
        ("https://www.themoviedb.org/movie/603-the-matrix?language=de", "603"),
        ("https://www.imdb.com/title/tt0133093/", "tt0133093"),
        ("https://www.imdb.com/title/tt0133093/?ref_=nv_sr_srsg_0", "tt0133093"),
        ("www.imdb.com/title/tt0133093#top/5", "tt0133093"),
    ],
)
def test_a_choice_is_understood(review, choice, meant):
    assert read_decisions(choose(review, "", choice)) == [Decision("film:house|1977", meant)]


@pytest.mark.parametrize("choice", ["perhaps", "603.5", "tt1", "1234567890", "https://boxd.it/abcd", "movie/", "6 03"])
def test_a_choice_that_cannot_be_understood_is_told_with_its_line(review, choice):
    with pytest.raises(InputError, match=r"review.csv, line 3: '.*'; allowed: x .*, an id, a link, or none"):
        read_decisions(choose(review, "", choice))


def test_an_x_where_there_is_no_candidate_is_told(review):
    with pytest.raises(InputError, match="line 4: 'x'; allowed"):
        read_decisions(choose(review, "", "", "x"))


def test_two_choices_for_one_item_are_told_and_the_same_one_twice_is_not(review):
    with pytest.raises(InputError, match="line 3: a second choice for the same item"):
        read_decisions(choose(review, "x", "x"))
    assert read_decisions(choose(review, "2", "x")) == [Decision("film:house|1977", "2")]


def test_the_key_comes_back_as_it_was(path):
    write_review(path, [unresolved(key="=1+1")])
    assert read_decisions(choose(path, "7")) == [Decision("=1+1", "7")]


@pytest.mark.parametrize(
    "saved",
    [
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"newline": "\r\n"},
        {"encoding": "utf-8-sig"},
        {"delimiter": ";", "encoding": "utf-8-sig", "newline": "\r\n"},
        {"columns": ("key", "id", "choice")},
    ],
    ids=str,
)
def test_what_a_spreadsheet_makes_of_the_file_is_read(review, saved):
    expected = [Decision("film:house|1977", "1"), Decision("film:nobody|", NONE)]
    assert read_decisions(choose(review, "x", "", "none", **saved)) == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no columns choice, id and key"),
        (b"Name,Year\nStalker,1979\n", "no columns choice, id and key"),
        ("choice,key,id\nx,k,ü\n".encode("cp1252"), "not a CSV file in UTF-8; save it as CSV"),
        ("choice,key,id\nx,k,1\n".encode("utf-16"), "not a CSV file in UTF-8; save it as CSV"),
        (b"choice,key,id\nx,k," + b"1" * 200_000 + b"\n", "not a CSV file in UTF-8; save it as CSV"),
        (b"PK\x03\x04\xff\xfe", "not a CSV file in UTF-8; save it as CSV"),
    ],
    ids=["empty", "another list", "cp1252", "utf-16", "a cell too long", "xlsx"],
)
def test_what_is_no_review_file_is_refused_in_one_line(path, content, told):
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_decisions(path)
    assert told in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_review_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_decisions(tmp_path / "no.csv")
    with pytest.raises(InputError, match="directory"):
        read_decisions(tmp_path)


def test_a_short_line_is_no_choice(path):
    path.write_text("choice,key,id\n\nx\n")
    with pytest.raises(InputError, match="line 3: 'x'; allowed"):
        read_decisions(path)


# ── end to end ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def films(own_folder):
    return write_list(own_folder / "films.csv", [*FILMS[:2], UNSURE, MISSING, UNSURE])


def test_the_unsure_and_the_missing_are_written_for_a_person(cli, films, path):
    ended = cli("movies", films, "--review", path)
    assert f"{path}: 2 films to look at; decide there, then --decisions" in ended.err
    assert column(rows_of(ended.out), "status") == ["enriched", "enriched", "unsure", "not_found", "unsure"]
    lines = lines_of(path)
    assert column(lines, "id") == [*IDS_OF_UNSURE, ""]
    assert column(lines, "rows") == ["2", "2", "1"]
    assert column(lines, "status") == ["unsure", "unsure", "not_found"]
    assert lines[0]["key"] == KEY_OF_UNSURE


def test_a_person_s_choice_is_enriched_and_nothing_else_is_asked(cli, films, path):
    cli("movies", films, "--review", path)
    cli.api.reset()
    rest = path.with_name("rest.csv")
    ended = cli("movies", films, "--decisions", choose(path, "x", "", "none"), "--review", rest)
    rows = rows_of(ended.out)
    assert column(rows, "status") == ["enriched", "enriched", "enriched", "not_found", "enriched"]
    assert column(rows, "tmdb_id") == ["603", "129", "900014", "", "900014"]
    assert cli.api.stats()["by_kind"] == {"details": 1}
    assert column(lines_of(rest), "status") == ["not_found"]


def test_the_same_decisions_again_ask_nothing_and_others_take_them_back(cli, films, path):
    cli("movies", films, "--review", path)
    first = cli("movies", films, "--decisions", choose(path, "x"))
    cli.api.reset()
    assert cli("movies", films, "--decisions", path).out == first.out
    assert cli.api.stats()["arrivals"] == 0
    again = cli.table("movies", films, "--decisions", choose(path, "", "x"))
    assert again[2]["tmdb_id"] == "900015"


@pytest.mark.parametrize("choice", ["603", "tt0133093", "https://www.imdb.com/title/tt0133093/?ref_=x"])
def test_any_id_may_be_chosen(cli, films, path, choice):
    cli("movies", films, "--review", path)
    assert cli.table("movies", films, "--decisions", choose(path, choice))[2]["title"] == "The Matrix"


def test_a_decision_may_come_with_the_first_run(cli, films, path):
    save(path, [{"choice": "900015", "key": KEY_OF_UNSURE}])
    assert cli.table("movies", films, "--decisions", path)[2]["tmdb_id"] == "900015"


def test_a_decision_about_another_list_is_named_and_does_no_harm(cli, films, path):
    save(path, [{"choice": "603", "key": "film:heat|1995"}])
    ended = cli("movies", films, "--decisions", path)
    assert ended.code == 0
    assert "decision for 'film:heat|1995': no such item in this list" in ended.err


def test_a_wrong_decisions_file_is_bad_input_and_nothing_is_asked(cli, films):
    ended = cli("movies", films, "--decisions", films)
    assert ended.code == 2
    assert "not a review file" in ended.complaint
    assert cli.api.stats()["arrivals"] == 0


def test_a_review_without_choices_is_written_anew(cli, films, path):
    cli("movies", films, "--review", path)
    before = path.read_bytes()
    assert cli("movies", films, "--review", path).code == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(("choice", "told"), [("x", "it holds choices of yours"), ("perhaps", "not one to write over")])
def test_a_review_never_writes_over_choices(cli, films, path, choice, told):
    cli("movies", films, "--review", path)
    before = choose(path, choice).read_bytes()
    cli.api.reset()
    ended = cli("movies", films, "--review", path, "--refresh")
    assert ended.code == 2
    assert told in ended.complaint
    assert path.read_bytes() == before
    assert cli.api.stats()["arrivals"] == 0


def test_choices_that_are_handed_over_may_be_written_over(cli, films, path):
    cli("movies", films, "--review", path)
    copy = path.with_name("copy.csv")
    copy.write_bytes(choose(path, "x").read_bytes())
    assert cli("movies", films, "--review", path, "--decisions", copy).code == 0
    assert column(lines_of(path), "status") == ["not_found"]


def test_a_review_that_cannot_be_written_costs_no_answer(cli, films, path):
    """What stood there still stands there."""
    save(path, [])
    before = path.read_bytes()

    def broken():
        yield unresolved()
        raise OSError(28, "no space left")

    with pytest.raises(SettingError, match="can't be written"):
        write_review(path, broken())
    assert path.read_bytes() == before
    assert list(path.parent.glob(".*part")) == []
