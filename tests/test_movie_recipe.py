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
    assert _end(flow, GONE) == NotFound(reason="TMDB knows no such id (999999999)")


def test_an_imdb_id_is_looked_up_without_a_search():
    flow = _flow(title="Matrix", year=1999, imdb_id="tt0133093")
    params = {"external_source": "imdb_id", "language": "en-US"}
    assert next(flow) == Request(SERVICE, "/find/tt0133093", params, kind="find")
    assert flow.send(Answer(200, {"movie_results": [MATRIX]}, b"")).path == "/movie/603"
    assert isinstance(_end(flow, Answer(200, MATRIX, b"")), Found)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"movie_results": [], "tv_results": [{"id": 1396, "name": "X"}]}, "a series, not a film"),
        ({"tv_season_results": [{"id": 7}]}, "a series, not a film"),
        ({"tv_episode_results": [{"id": 7}]}, "an episode of a series, not a film"),
        ({}, "TMDB knows no such id (tt0903747)"),
        (None, "TMDB knows no such id (tt0903747)"),
    ],
)
def test_an_imdb_id_that_is_no_film_s_is_not_found_and_the_reason_says_what_it_is(data, reason):
    flow = _flow(imdb_id="tt0903747")
    next(flow)
    assert _end(flow, Answer(200, data, b"", missing=True)) == NotFound(reason=reason)


def test_a_series_is_not_searched_as_a_film_by_its_title():
    flow = _flow(imdb_id="tt2802850", title="Fargo", year=1996)
    next(flow)
    assert _end(flow, Answer(200, {"tv_results": [{"id": 60622}]}, b"")) == NotFound(reason="a series, not a film")


def test_an_imdb_id_that_is_none_leaves_it_to_the_title():
    assert next(_flow(title="Matrix", imdb_id="../configuration")).kind == "search"


@pytest.mark.parametrize("title", [None, "", "  ", 7])
def test_without_a_title_or_an_id_nothing_is_asked(title):
    assert _conclusion_without_asking(title=title) == NotFound(reason="no title and no id")


def test_what_a_person_declared_missing_is_not_asked_for():
    reason = "a person decided that TMDB has no such film"
    assert _conclusion_without_asking(title="Matrix", decided="none") == NotFound(reason=reason)


def test_what_the_list_calls_no_film_is_not_asked_for_and_keeps_the_list_s_reason():
    said = "a series, not a film"
    assert _conclusion_without_asking(title="Fargo", tmdb_id=60622, not_a_film=said) == NotFound(reason=said)


def test_a_person_s_choice_goes_before_what_the_list_calls_it():
    assert (
        next(_flow(title="Fargo", tmdb_id=275, decided="tmdb", not_a_film="a series, not a film")).path == "/movie/275"
    )


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
    assert _end(flow, GONE) == NotFound(reason="TMDB lists the film 603 and has no details of it")


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


def test_a_word_that_is_often_abbreviated_is_left_out_of_the_second_search():
    flow = _flow(title="Guardians of the Galaxy Volume 2", year=2017)
    assert _asked([next(flow), flow.send(NOTHING)])[1] == ("guardians galaxy", None)


def test_either_half_of_the_words_is_asked_for_where_all_of_them_find_nothing():
    flow = _flow(title="The Shawshank Redemtion", year=1994)
    asked = [next(flow), *(flow.send(NOTHING) for _ in range(3))]
    assert _asked(asked)[2:] == [("shawshank", "1994"), ("redemtion", "1994")]


def test_asking_ends_after_the_most_searches():
    flow = _flow(title="The Long Name of a Film That Nobody Made", year=1999)
    next(flow)
    searches = 1
    while searches < MOST_SEARCHES:
        assert flow.send(NOTHING).kind == "search"
        searches += 1
    assert _end(flow, NOTHING) == NotFound(reason="no film of this name near 1999")


def test_asking_ends_where_no_other_words_are_left():
    flow = _flow(title="heat")
    next(flow)
    assert _end(flow, NOTHING) == NotFound(reason="no film of this name")


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


def test_films_for_adults_are_searched_where_they_are_wanted():
    recipe = movie_recipe(SERVICE, include_adult=True)
    assert next(recipe(Item("film", {"title": "Heat"}))).params["include_adult"] == "true"


# ── an id, and what else its row says ───────────────────────────────────────────────────────────────────────────────

HEAT = {"id": 949, "title": "Heat", "release_date": "1995-12-15", "imdb_id": "tt0113277"}
JAGTEN = {
    "id": 103663,
    "title": "The Hunt",
    "original_title": "Jagten",
    "release_date": "2012-05-20",
    "vote_count": 7000,
    "translations": ["Die Jagd"],
}
WORLD = World(
    [
        {**MATRIX, "imdb_id": "tt0133093"},
        HEAT,
        {**HEAT, "id": 9000, "release_date": "1986-11-01", "imdb_id": "tt0093164"},
        {"id": 1396, "title": "The Mirror", "release_date": "1975-03-07", "imdb_id": "tt0072443"},
        {"id": 426, "title": "Vertigo", "release_date": "1958-05-28", "imdb_id": "tt0052357"},
        JAGTEN,
        {"id": 777002, "title": "Die Jagd", "release_date": "2012-03-01", "vote_count": 2},
    ],
    series={"tt0903747"},
)


def _asked_of(world, **fields):
    conclusion, requests = play(RECIPE, Item("film", fields), world)
    return conclusion, [request.kind for request in requests]


@pytest.mark.parametrize(
    ("fields", "film"),
    [
        ({"title": "The Matrix", "year": 1999, "tmdb_id": 310149}, 603),
        ({"title": "The Matrix", "year": 1999, "tmdb_id": 310149, "imdb_id": "tt0133093"}, 603),
        ({"title": "The Matrix", "year": 1999, "imdb_id": "tt9999999"}, 603),
        ({"title": "The Matrix", "year": 1999, "tmdb_id": "tt0133093"}, 603),
        ({"title": "Die Jagd", "year": 2012, "tmdb_id": 103663}, 103663),
        ({"title": "Die Jagd", "year": None, "tmdb_id": 103663}, 103663),
        ({"title": "Something of Our Own", "year": 1999, "tmdb_id": 603}, 603),
        ({"title": "The Matrix", "year": 2003, "tmdb_id": 603}, 603),
        ({"title": "Heat", "year": 1995, "tmdb_id": 603, "imdb_id": "tt0113277"}, 949),
        ({"title": "Der Spiegel", "year": 1975, "tmdb_id": 1396, "imdb_id": "tt0072443"}, 1396),
        ({"title": "Der Spiegel", "year": None, "tmdb_id": 1396, "imdb_id": "tt0072443"}, 1396),
        ({"title": "Heat", "year": 1995, "tmdb_id": 603, "decided": "tmdb"}, 603),
    ],
)
def test_an_id_is_believed_unless_its_row_says_something_else_and_a_dead_one_leads_on(fields, film):
    assert _asked_of(WORLD, **fields)[0].record["tmdb_id"] == film


@pytest.mark.parametrize(
    ("fields", "candidates"),
    [
        ({"title": "Heat", "year": 1995, "imdb_id": "tt0133093"}, ["603", "949"]),
        ({"title": "Heat", "year": 1995, "tmdb_id": 603}, ["603", "949"]),
        ({"title": "Heat", "year": 1986, "tmdb_id": 949}, ["949", "9000"]),
        ({"title": "Breaking Bad", "year": 2008, "tmdb_id": 1396}, ["1396"]),
        ({"title": "Breaking Bad", "year": 2008, "tmdb_id": 1396, "imdb_id": "tt0072443"}, ["1396"]),
        ({"title": "Heat", "year": 1995, "tmdb_id": 603, "imdb_id": "tt0133093"}, ["603", "949"]),
        ({"title": "Breaking Bad", "year": None, "tmdb_id": 1396}, ["1396"]),
        ({"tmdb_id": 603, "imdb_id": "tt0113277"}, ["603", "949"]),
    ],
)
def test_a_row_that_contradicts_its_id_is_unsure_with_both_films_to_choose_from(fields, candidates):
    conclusion = _asked_of(WORLD, **fields)[0]
    assert isinstance(conclusion, Unsure), conclusion
    assert [one.id for one in conclusion.candidates][: len(candidates)] == candidates
    assert conclusion.reason


def test_a_dead_id_that_a_person_chose_is_not_replaced_by_what_the_title_finds():
    conclusion, kinds = _asked_of(WORLD, title="The Matrix", year=1999, tmdb_id=31014900, decided="tmdb")
    assert (conclusion, kinds) == (NotFound(reason="TMDB knows no such id (31014900)"), ["details"])


def test_two_films_that_have_a_row_s_name_speak_against_its_id_as_one_does():
    twins = [{"id": n, "title": "Alone", "release_date": "2020-01-01", "vote_count": 50} for n in (1, 2)]
    other = {"id": 3, "title": "The Call", "release_date": "2020-11-27"}
    conclusion, _ = _asked_of(World([*twins, other]), title="Alone", year=2020, tmdb_id=3)
    assert [one.id for one in conclusion.candidates] == ["3", "1", "2"]


def test_the_reason_of_a_contradiction_names_what_the_row_says_and_what_the_id_is():
    conclusion = _asked_of(WORLD, title="Heat", year=1995, tmdb_id=31014900, imdb_id="tt0133093")[0]
    told = "the id is another film's: it is that of The Matrix (1999), and the row says Heat (1995)"
    assert conclusion.reason == f"TMDB knows no such id (31014900); {told}"


def test_two_ids_of_one_film_confirm_each_other_whoever_knows_it():
    flow = _flow(title="Der Spiegel", tmdb_id=1396, imdb_id="tt0072443")
    next(flow)
    mirror = {"id": 1396, "title": "Mirror", "release_date": "1975-03-07"}  # the details do not tell the other id
    assert flow.send(Answer(200, mirror, b"")).kind == "details"
    assert flow.send(Answer(200, mirror, b"")).kind == "find"
    assert flow.send(Answer(200, {"movie_results": [mirror]}, b"")).kind == "search"
    assert flow.send(NOTHING).kind == "search"
    assert _end(flow, NOTHING).record["tmdb_id"] == 1396


def test_the_number_of_a_series_that_is_taken_for_a_film_s_is_found_out_by_its_imdb_id():
    conclusion, _ = _asked_of(WORLD, title="Breaking Bad", year=2008, tmdb_id=1396, imdb_id="tt0903747")
    assert conclusion == NotFound(reason="a series, not a film")


def test_a_row_that_agrees_with_its_id_costs_no_request_more_and_a_translated_title_one():
    assert _asked_of(WORLD, title="The Matrix", year=1999, tmdb_id=603)[1] == ["details"]
    assert _asked_of(WORLD, title="Die Jagd", year=2012, tmdb_id=103663)[1] == ["details", "details"]


# ── rivals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("year", [2012, None])
def test_a_far_better_known_film_that_goes_by_this_name_in_another_language_leaves_it_unsure(year):
    conclusion, kinds = _asked_of(WORLD, title="Die Jagd", year=year)
    assert [one.id for one in conclusion.candidates][:2] in (["103663", "777002"], ["777002", "103663"])
    assert kinds == ["search", "details"]


def test_a_rival_of_the_year_before_that_was_released_in_this_one_is_looked_at_too():
    films = [{**JAGTEN, "also_released": [2013]}, {**WORLD.films[777002], "release_date": "2013-03-01"}]
    assert isinstance(_asked_of(World(films), title="Die Jagd", year=2013)[0], Unsure)


def test_a_far_better_known_film_that_differs_in_an_article_only_is_a_rival_as_well():
    matrix = {**MATRIX, "translations": ["Matrix"]}
    short = {"id": 5, "title": "Matrix", "release_date": "1999-10-01", "vote_count": 2}
    assert isinstance(_asked_of(World([matrix, short]), title="Matrix", year=1999)[0], Unsure)
    assert _asked_of(World([matrix, short]), title="The Matrix", year=1999)[0].record["tmdb_id"] == 603


def test_a_rival_that_its_other_names_do_not_explain_takes_nothing_away():
    films = [{**JAGTEN, "translations": ["Die Jagd nach dem Glück"]}, WORLD.films[777002]]
    assert _asked_of(World(films), title="Die Jagd", year=2012)[0].record["tmdb_id"] == 777002


@pytest.mark.parametrize(("votes", "film"), [(200, 1), (199, None)])
def test_of_two_films_of_one_name_and_year_the_one_with_a_hundred_times_the_votes_is_meant(votes, film):
    films = [
        {"id": n, "title": "Twins", "release_date": "1988-01-01", "vote_count": v} for n, v in ((1, votes), (2, 2))
    ]
    conclusion = _asked_of(World(films), title="Twins", year=1988)[0]
    assert (conclusion.record["tmdb_id"] if isinstance(conclusion, Found) else None) == film
