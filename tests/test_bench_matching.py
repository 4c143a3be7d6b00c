"""How well films are matched is measured on seeded lists, and does not fall behind what was measured before."""

import random

import pytest
from click.testing import CliRunner

from benchmarks import matching
from benchmarks.matching import Case, measure_all, measure_made, misspelt, read_catalogue, read_list
from enricher.simulator.catalogue import films, words


@pytest.fixture(scope="module")
def results():
    known = [film for film in films() if not film.adult]
    cases = [Case(film.title, film.year, film.id) for film in known if film.votes > 10 and words(film.title)]
    return measure_all(cases[::2], known)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "requests"),
    [
        ("with years", 99.0, 0.2, 2.15),
        ("a year off", 97.0, 0.3, 3.2),
        ("abbreviations", 97.0, 0.3, 3.0),
        ("one typo", 60.0, 0.3, 4.5),
        ("translated", 99.0, 0.3, 2.15),
        ("right ids", 99.0, 0.0, 2.15),
        ("wrong ids", 0.0, 0.4, 4.5),
        ("rivals", 0.0, 0.0, 2.15),
        ("lacking", 0.0, 0.4, 4.5),
    ],
)
def test_what_is_matched_stays_matched_and_what_is_not_is_not_guessed(results, name, right, wrong, requests):
    result = results[name]
    assert result.rows >= 10
    assert result.share("right") >= right, result
    assert result.share("wrong") <= wrong, result.wrong
    assert result.requests <= requests * result.rows


def test_a_list_without_years_is_matched_by_fame_and_hardly_ever_wrong():
    result = measure_made(0)
    assert result.share("right") >= 88.0
    assert result.share("wrong") <= 0.4
    assert result.requests <= 2.15 * result.rows


def test_a_seed_decides_every_mistake():
    assert [misspelt("The Matrix", random.Random(seed)) for seed in (1, 1)] == 2 * [
        misspelt("The Matrix", random.Random(1))
    ]
    assert len({misspelt("The Matrix", random.Random(seed)) for seed in range(50)}) > 20


def test_another_catalogue_and_a_real_list_are_measured_too(tmp_path):
    catalogue, rows = tmp_path / "films.csv", tmp_path / "list.csv"
    catalogue.write_text("title,year,votes\nHeat,1995,9000\nHeat,1986,40\nRan,1985,700\nJaws,1975,9000\n")
    rows.write_text("title,year\nHEAT,1996\nRan,1985\nNobody Made This,1999\n")
    known = read_catalogue(catalogue)
    assert read_list(rows, known) == [Case("HEAT", 1996, 1), Case("Ran", 1985, 3)]
    ended = CliRunner().invoke(matching.main, ["--films", str(catalogue), "--list", str(rows), "--wrong"])
    assert ended.exit_code == 0
    assert "half 2 of 2: 1 films of a catalogue of 4" in ended.output
