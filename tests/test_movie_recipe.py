"""What is asked about a film, in which order, and when asking ends. The generator is driven by hand."""

from __future__ import annotations

import pytest
from matching_world import SERVICE, World, play

from enricher.model import Answer, Found, Item, NotFound, Request, Unsure
from enricher.pipelines.movies.recipe import MOST_DETAILS, MOST_SEARCHES, movie_recipe, search_request

RECIPE = movie_recipe(SERVICE)
MATRIX = {"id": 603, "title": "The Matrix", "release_date": "1999-03-30", "vote_count": 9540, "popularity": 35.5}
NOTHING = Answer(200, {"results": [], "total_pages": 0}, b"", missing=True)
GONE = Answer(404, {"status_code": 34}, b"", missing=True)


def _flow(**fields):
    return RECIPE(Item("film", fields))


def _results(*films, pages=1):
    return Answer(200, {"results": list(films), "total_pages": pages}, b"")


def _end(flow, answer):
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def _conclusion_without_asking(**fields):
    return _end(_flow(**fields), None)


def _asked(requests):
    return [(request.params["query"], request.params.get("year")) for request in requests if request.kind == "search"]


def test_a_title_takes_one_search_and_one_details_request():
    flow = _flow(title="Matrix, The", year=1999)
    params = {"query": "The Matrix", "include_adult": "false", "language": "en-US", "year": "1999"}
    assert next(flow) == Request(SERVICE, "/search/movie", params, kind="search")
    appended = {"append_to_response": "credits,external_ids,keywords,alternative_titles", "language": "en-US"}
    assert flow.send(_results(MATRIX)) == Request(SERVICE, "/movie/603", appended, kind="details")
    conclusion = _end(flow, Answer(200, MATRIX, b""))
    assert (conclusion.record["title"], conclusion.score) == ("The Matrix", 100.0)


def test_sixty_rows_of_three_films_would_be_answered_within_three_requests_a_film():
    """The engine asks once for items with the same key; what a film costs is the recipe's own affair."""
    films = [MATRIX, {**MATRIX, "id": 604, "title": "The Matrix Reloaded", "release_date": "2003-05-15"}]
    world = World([*films, {**MATRIX, "id": 1, "title": "Heat", "release_date": "1995-12-15"}])
    lists = [("Matrix, The", 1999), ("The Matrix Reloaded", 2003), ("Heat", 1996)]
    costs = [len(play(RECIPE, Item("film", {"title": title, "year": year}), world)[1]) for title, year in lists]
    assert costs == [2, 2, 3]


def test_the_language_goes_with_every_request():
    flow = movie_recipe(SERVICE, "de-DE")(Item("film", {"title": "Matrix", "year": 1999}))
    assert next(flow).params["language"] == "de-DE"
    assert flow.send(_results({**MATRIX, "title": "Matrix"})).params["language"] == "de-DE"


def test_a_tmdb_id_is_asked_for_directly_and_so_is_a_person_s_decision():
    for tmdb_id in (603, "603"):
        flow = _flow(title="Matrix", year=1999, tmdb_id=tmdb_id, imdb_id="tt0133093")
        assert next(flow).path == "/movie/603"
        assert _end(flow, Answer(200, MATRIX, b"")).score == 100.0


def test_a_tmdb_id_that_is_none_is_not_found():
    flow = _flow(tmdb_id=999_999_999)
    next(flow)
    assert _end(flow, GONE) == NotFound()


def test_an_imdb_id_is_looked_up_without_a_search():
    flow = _flow(title="Matrix", year=1999, imdb_id="tt0133093")
    params = {"external_source": "imdb_id", "language": "en-US"}
    assert next(flow) == Request(SERVICE, "/find/tt0133093", params, kind="find")
    assert flow.send(Answer(200, {"movie_results": [MATRIX]}, b"")).path == "/movie/603"
    assert isinstance(_end(flow, Answer(200, MATRIX, b"")), Found)


@pytest.mark.parametrize("data", [{"movie_results": [], "tv_results": [{"id": 1396, "name": "X"}]}, {}, None])
def test_a_series_is_not_found(data):
    flow = _flow(imdb_id="tt0903747")
    next(flow)
    assert _end(flow, Answer(200, data, b"", missing=True)) == NotFound()


def test_an_imdb_id_that_is_none_leaves_it_to_the_title():
    assert next(_flow(title="Matrix", imdb_id="../configuration")).kind == "search"


@pytest.mark.parametrize("title", [None, "", "  ", 7])
def test_without_a_title_or_an_id_nothing_is_asked(title):
    assert _conclusion_without_asking(title=title) == NotFound()


def test_what_a_person_declared_missing_is_not_asked_for():
    assert _conclusion_without_asking(title="Matrix", decided="none") == NotFound()


@pytest.mark.parametrize("year", [None, "", "soon", True, -5])
def test_a_year_that_is_none_narrows_nothing(year):
    assert "year" not in next(_flow(title="Matrix", year=year)).params


def test_a_film_of_a_neighbouring_year_takes_a_second_search():
    flow = _flow(title="The Matrix", year=1998)
    next(flow)
    second = flow.send(NOTHING)
    assert (second.params["query"], "year" in second.params) == ("matrix", False)
    assert flow.send(_results(MATRIX)).kind == "details"
    assert _end(flow, Answer(200, MATRIX, b"")).score == 96.0


def test_another_name_is_checked_with_the_details_request_that_is_needed_anyway():
    seven = {"id": 807, "title": "Se7en", "release_date": "1995-09-22"}
    flow = _flow(title="Seven", year=1995)
    next(flow)
    check = flow.send(_results(seven))
    assert check.params["append_to_response"].endswith("alternative_titles,translations")
    conclusion = _end(flow, Answer(200, {**seven, "alternative_titles": {"titles": [{"title": "Seven"}]}}, b""))
    assert (conclusion.record["tmdb_id"], conclusion.score) == (807, 100.0)


def test_a_film_that_vanished_between_search_and_details_is_not_found():
    flow = _flow(title="The Matrix", year=1999)
    next(flow)
    flow.send(_results(MATRIX))
    assert _end(flow, GONE) == NotFound()


def test_a_check_that_finds_no_film_leaves_the_candidate_as_it_was():
    flow = _flow(title="Birdman", year=2014)
    next(flow)
    long = {"id": 1, "title": "Birdman or (The Unexpected Virtue of Ignorance)", "release_date": "2014-10-17"}
    assert flow.send(_results(long)).kind == "details"
    assert flow.send(GONE).kind == "search"


def test_a_common_name_is_narrowed_to_its_own_words_and_then_widened():
    others = [{"id": number, "title": "Something", "release_date": "1999-01-01"} for number in range(1, 21)]
    flow = _flow(title="The House of the Hill", year=1999)
    asked = [next(flow), flow.send(_results(*others, pages=9)), flow.send(NOTHING)]
    assert _asked(asked) == [("The House of the Hill", "1999"), ("house hill", "1999"), ("house hill", None)]


def test_a_name_without_small_words_is_looked_for_on_the_second_page():
    flow = _flow(title="Heat", year=1995)
    next(flow)
    assert flow.send(_results(pages=3)).params["page"] == "2"


def test_a_name_that_is_hidden_without_its_year_is_looked_for_in_the_next_year():
    flow = _flow(title="Heat", year=1994)
    asked = [next(flow), flow.send(NOTHING), flow.send(_results(pages=9))]
    assert _asked(asked) == [("Heat", "1994"), ("heat", None), ("Heat", "1995")]


def test_a_subtitle_is_searched_by_its_head_and_by_its_tail():
    flow = _flow(title="Aces: Iron Eagle III", year=1992)
    asked = [next(flow), flow.send(NOTHING), flow.send(NOTHING)]
    assert _asked(asked) == [("Aces: Iron Eagle III", "1992"), ("aces", None), ("iron eagle", None)]


def test_the_last_name_in_brackets_is_searched_before_the_others():
    flow = _flow(title="Sound (Thunder) (Yama no oto)", year=1954)
    asked = [next(flow), flow.send(NOTHING), flow.send(NOTHING)]
    assert _asked(asked) == [("Sound", "1954"), ("sound", None), ("yama no oto", None)]


def test_the_original_title_of_a_list_is_searched_too():
    flow = _flow(title="House", year=1977, original_title="ハウス")
    asked = [next(flow), flow.send(NOTHING), flow.send(NOTHING)]
    assert _asked(asked)[-1] == ("ハウス", None)


def test_asking_ends_after_three_searches():
    flow = _flow(title="The Long Name of a Film That Nobody Made", year=1999)
    next(flow)
    searches = 1
    while searches < MOST_SEARCHES:
        assert flow.send(NOTHING).kind == "search"
        searches += 1
    assert _end(flow, NOTHING) == NotFound()


def test_asking_ends_where_no_other_words_are_left():
    flow = _flow(title="heat")
    next(flow)
    assert _end(flow, NOTHING) == NotFound()


def test_no_more_than_three_films_are_checked():
    films = [{"id": n, "title": f"Other {n}", "release_date": "1999-01-01"} for n in (1, 2, 3)]
    more = [{"id": n, "title": f"Further {n}", "release_date": "1999-01-01"} for n in (4, 5)]
    world = World([*films, *more])
    world.search = lambda params: {"results": films if "year" in params else more, "total_pages": 1}
    _, requests = play(RECIPE, Item("film", {"title": "Heat Wave Tonight", "year": 1999}), world)
    assert sum(request.kind == "details" for request in requests) == MOST_DETAILS


def test_a_tie_of_two_names_is_broken_by_the_names_that_checks_bring():
    twins = [
        {"id": 1, "title": "Mother", "release_date": "2009-05-20", "vote_count": 9},
        {"id": 2, "title": "Mother", "release_date": "2009-11-01", "alternative_titles": ["Madeo"]},
    ]
    item = Item("film", {"title": "Mother (Madeo)", "year": 2009})
    conclusion, _ = play(RECIPE, item, World(twins))
    assert conclusion.record["tmdb_id"] == 2
    assert isinstance(play(RECIPE, Item("film", {"title": "Mother", "year": 2009}), World(twins))[0], Unsure)


def test_without_a_year_a_second_film_of_the_name_leaves_it_unsure():
    flow = _flow(title="Heat")
    next(flow)
    heats = [{"id": n, "title": "Heat", "release_date": f"{year}-01-01"} for n, year in ((1, 1986), (2, 1995))]
    conclusion = _end(flow, _results(*heats))
    assert [candidate.id for candidate in conclusion.candidates] == ["1", "2"]
    assert conclusion.score == 92.0


def test_odd_answers_are_no_reason_to_fail():
    for data in (None, [], {"results": "none"}, {"results": [None, {"id": 1}], "total_pages": "many"}):
        flow = _flow(title="The Matrix", year=1999)
        next(flow)
        assert flow.send(Answer(200, data, b"")).kind == "search"


def test_a_search_request_stands_alone_for_programs():
    params = {"query": "Heat", "include_adult": "false", "language": "en-US"}
    assert search_request(SERVICE, "en-US", "Heat") == Request(SERVICE, "/search/movie", params, kind="search")
