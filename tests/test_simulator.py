"""The simulated API: its rules as pure functions, its routes over real HTTP, its process from outside."""

import asyncio
import datetime as dt
import json
import math
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.simulator import tmdb
from enricher.simulator.__main__ import main
from enricher.simulator.behaviour import (
    FAULT_KINDS,
    OPTIONS,
    Behaviour,
    Fault,
    Latency,
    Outage,
    Quota,
    RetryAfter,
    chance,
    identity,
    parse_duration,
)
from enricher.simulator.catalogue import Catalogue, films, words
from enricher.simulator.generated import FIRST_ID, MOST_GENERATED, Titles, generated_titles
from enricher.simulator.process import running_simulator
from enricher.simulator.serve import listening, serve
from enricher.simulator.tally import QuotaKeeper, Tally, fullest_window, used_share

HOUSE = {"query": "House", "year": "1977"}


def served(**options):
    """Run an async test against a server in this process; it is handed a client of that server."""

    def wrap(test):
        def run():
            async def scenario():
                behaviour = Behaviour.of(films=1000, **options)
                async with listening(behaviour) as port, aiohttp.ClientSession() as session:
                    session._retry_connection = False  # or aiohttp asks again by itself, and one request arrives twice
                    await test(Client(session, f"http://127.0.0.1:{port}"))

            asyncio.run(scenario())

        run.__doc__ = test.__doc__
        return run

    return wrap


class Client:
    def __init__(self, session, root):
        self.session, self.root = session, root

    async def ask(self, path, key="any", headers=None, **params):
        """Status, headers and parsed body (text where it is no JSON) of one request under /3."""
        params = {**params, "api_key": key} if key else params
        async with self.session.get(self.root + "/3" + path, params=params, headers=headers) as response:
            body = await response.read()
            try:
                return response.status, response.headers, json.loads(body)
            except ValueError:
                return response.status, response.headers, body

    async def stats(self, **params):
        async with self.session.get(self.root + "/_stats", params=params) as response:
            return await response.json()

    async def control(self, **options):
        async with self.session.post(self.root + "/_control", json=options) as response:
            return response.status, await response.json()

    async def reset(self):
        async with self.session.post(self.root + "/_reset") as response:
            assert response.status == 200

    async def until(self, **wanted):
        """Ask for the counts until they are as wanted."""
        while True:
            stats = await self.stats()
            if all(stats[name] == count for name, count in wanted.items()):
                return stats


# ── behaviour ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("latency", "175ms", Latency("constant", 0.175)),
        ("latency", "0", Latency()),
        ("latency", "100-300ms", Latency("uniform", 0.1, 0.3)),
        ("latency", "100ms-2s", Latency("uniform", 0.1, 2.0)),
        ("latency", "lognormal:350ms:0.5", Latency("lognormal", 0.35, 0.5)),
        ("quota", "40/1s", (Quota(40, 1.0),)),
        ("quota", "40/s, 1000/1h", (Quota(40, 1.0), Quota(1000, 3600.0))),
        ("retry_after", "1.5s", RetryAfter(1.5)),
        ("retry_after", "date:2s", RetryAfter(2.0, as_date=True)),
        ("faults", "5xx=5%,429=0.02:3s", (Fault("5xx", 0.05), Fault("429", 0.02, 3.0))),
        ("faults", "503=1%,slow=1%,drip=7%", (Fault("503", 0.01, 1.0), Fault("slow", 0.01, 30.0), Fault("drip", 0.07, 0.05))),
        ("outage", "5s-8s,20-21min:reset", (Outage(5, 8, "503"), Outage(1200, 1260, "reset"))),
        ("key", "secret", "secret"),
        ("seed", "7", 7),
        ("films", "0", 0),
        ("films_seed", "3", 3),
        ("details_bytes", "40000", 40000),
        ("cpu", "0", 0),
    ],
)  # fmt: skip
def test_an_option_reads_its_text_and_writes_one_that_means_the_same(option, text, value):
    behaviour = Behaviour.of(**{option: text})
    assert getattr(behaviour, option) == value
    assert Behaviour.of(**behaviour.texts()) == behaviour


@given(st.floats(1e-7, 1e7), st.floats(1e-7, 1e7), st.floats(0, 1), st.floats(0, 5))
def test_any_number_survives_being_written_as_a_text(a, b, rate, sigma):
    low, high = sorted((a, b))
    behaviour = Behaviour(
        latency=Latency("uniform", low, high),
        quota=(Quota(1, a),),
        retry_after=RetryAfter(a),
        faults=(Fault("slow", rate, b),),
        outage=(Outage(low, high, "reset"),),
    )
    assert Behaviour.of(**behaviour.texts()) == behaviour
    lognormal = Latency("lognormal", a, sigma)
    assert Latency.parse(str(lognormal)) == lognormal


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("latency", "fast"),
        ("latency", "300-100ms"),
        ("latency", "100-300"),
        ("latency", "lognormal:1s"),
        ("quota", "40"),
        ("quota", "0/1s"),
        ("quota", "40/0s"),
        ("quota", "x/1s"),
        ("retry_after", "soon"),
        ("faults", "5xx"),
        ("faults", "5xx=-1%"),
        ("faults", "5xx=101%"),
        ("faults", "nosuch=1%"),
        ("faults", "reset=1%:2s"),
        ("faults", "slow=1%:long"),
        ("faults", "5xx=60%,reset=60%"),
        ("faults", "5xx=1%,5xx=2%"),
        ("outage", "5s"),
        ("outage", "8s-5s"),
        ("outage", "5s-8s:slow"),
        ("seed", "one"),
        ("films", "-1"),
        ("cpu", "1.5"),
        ("colour", "red"),
    ],
)
def test_a_wrong_text_is_told_in_one_line_that_holds_it(option, text):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as told:
        Behaviour.of(**{option: text})
    assert option in str(told.value) or text.split(",")[0] in str(told.value)


def test_an_option_that_is_not_given_keeps_its_default():
    assert Behaviour.of(latency=None, quota=None) == Behaviour()
    assert Behaviour.of(latency="1s").changed({"latency": ""}) == Behaviour()
    assert Behaviour().texts() == {}
    assert set(OPTIONS) == set(Behaviour.__slots__)


def test_durations_have_units():
    assert [parse_duration(text) for text in ("0", "250ms", "2 s", "1.5min", "1h", "1e-05s")] == [
        0,
        0.25,
        2,
        90,
        3600,
        1e-05,
    ]
    with pytest.raises(ValueError, match="no duration"):
        parse_duration("5")


def test_the_name_of_a_request_holds_no_key_and_no_order():
    mine = identity("GET", "/3/find/tt1", [("language", "en"), ("api_key", "secret"), ("external_source", "imdb_id")])
    assert mine == identity("GET", "/3/find/tt1", [("external_source", "imdb_id"), ("language", "en")])
    assert "secret" not in mine


def test_a_latency_belongs_to_the_request_and_the_seed():
    latency = Latency.parse("100-300ms")
    drawn = [latency.of(1, f"GET /3/movie/{number}?") for number in range(500)]
    assert drawn == [latency.of(1, f"GET /3/movie/{number}?") for number in range(500)]
    assert drawn != [latency.of(2, f"GET /3/movie/{number}?") for number in range(500)]
    assert 0.1 <= min(drawn) < 0.105
    assert 0.295 < max(drawn) <= 0.3


def test_a_lognormal_latency_has_the_mean_it_says():
    latency = Latency.parse("lognormal:350ms:0.5")
    drawn = [latency.of(0, str(number)) for number in range(20_000)]
    assert math.isclose(sum(drawn) / len(drawn), 0.35, rel_tol=0.02)
    assert Latency.parse("lognormal:0s:0.5").of(0, "x") == 0


def test_faults_meet_the_share_of_attempts_that_their_rates_say():
    behaviour = Behaviour.of(faults="5xx=5%,reset=4%")
    drawn = [behaviour.fault(f"request {number}", attempt) for number in range(5000) for attempt in (1, 2)]
    kinds = [fault.kind if fault else None for fault in drawn]
    assert 0.045 < kinds.count("5xx") / len(kinds) < 0.055
    assert 0.035 < kinds.count("reset") / len(kinds) < 0.045
    assert drawn == [behaviour.fault(f"request {number}", attempt) for number in range(5000) for attempt in (1, 2)]
    assert Behaviour().fault("request", 1) is None


def test_a_fault_of_one_attempt_says_nothing_about_the_next():
    behaviour = Behaviour.of(faults="5xx=50%")
    pairs = {(bool(behaviour.fault(str(n), 1)), bool(behaviour.fault(str(n), 2))) for n in range(100)}
    assert len(pairs) == 4


def test_chance_lies_strictly_between_nothing_and_one():
    assert all(0 < chance(0, number) < 1 for number in range(1000))


def test_retry_after_is_written_as_seconds_or_as_a_date_that_is_not_too_early():
    assert RetryAfter(2).header(1000.0) == "2"
    assert RetryAfter(0.5).header(1000.0) == "0.5"
    assert RetryAfter(2, as_date=True).header(0.25) == "Thu, 01 Jan 1970 00:00:03 GMT"


def test_an_outage_begins_at_its_first_moment_and_is_over_at_its_last():
    behaviour = Behaviour.of(outage="1s-2s,3s-4s:reset")
    assert [behaviour.outage_at(s) for s in (0.9, 1.0, 1.9, 2.0, 3.5)] == [None, "503", "503", None, "reset"]


# ── tally ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_no_window_ever_holds_more_than_the_quotas_admit(moments, small, large):
    quotas = (Quota(small, 1.0), Quota(large, 3.0))
    keeper = QuotaKeeper(quotas)
    admitted = [moment for moment in sorted(moments) if keeper.admit(moment)]
    for quota in quotas:
        assert fullest_window(admitted, quota.period_s) <= quota.limit


def test_a_rejected_arrival_uses_up_nothing():
    keeper = QuotaKeeper([Quota(2, 1.0)])
    assert [keeper.admit(moment) for moment in (0.0, 0.1, 0.5, 0.9, 1.0, 1.05, 1.1)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_the_fullest_window_leaves_out_its_later_edge():
    assert fullest_window([0.0, 0.5, 1.0, 1.2], 1.0) == 3
    assert fullest_window([], 1.0) == 0


def test_a_paced_run_has_used_its_whole_quota():
    assert used_share([number / 40 for number in range(121)], Quota(40, 1.0)) == pytest.approx(81 / 40 / 3)
    assert used_share([0.0, 0.1], Quota(40, 1.0)) is None
    assert used_share([1.0, 1.0], Quota(1, 1.0)) is None


def test_a_tally_that_is_full_goes_on_counting(monkeypatch):
    monkeypatch.setattr("enricher.simulator.tally.MOST_MOMENTS", 2)
    tally = Tally(started=0.0)
    for moment in (1.0, 2.0, 3.0):
        tally.arrive(moment, "request", "search", None)
    report = tally.report(4.0, 0.0, [])
    assert (report["arrivals"], report["arrivals_kept"], report["last_arrival"]) == (3, 2, 3.0)


# ── films ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_generated_titles_are_all_different_and_find_themselves():
    titles = Titles(seed=3)
    listed = list(generated_titles(3000, seed=3))
    assert len({title for title, _ in listed}) == 3000
    assert all(1930 <= year <= 2024 for _, year in listed)
    for index in range(0, 3000, 7):
        assert titles.matching(words(listed[index][0]), 3000) == [index]
    last = MOST_GENERATED - 1
    assert titles.matching(words(titles.title(last)), MOST_GENERATED) == [last]


def test_a_beginning_of_the_last_word_finds_generated_titles_and_a_wrong_word_none():
    titles = Titles()
    told = words(titles.title(5))
    assert titles.matching([*told[:-1], told[-1][:3]], 1000) == [5]
    assert 5 in titles.matching(told[1:3], 1000)
    assert titles.matching(told, 5) == []
    for tokens in (["nosuch", *told], [told[1]], [], [told[1], told[1]], [*told, "nosuch"], [*told, told[1], told[2]]):
        assert titles.matching(tokens, MOST_GENERATED) == []


def test_the_words_of_titles_are_each_in_one_list_only():
    from enricher.simulator.generated import _PLACE_OF, _SLOTS

    assert len(_PLACE_OF) == sum(map(len, _SLOTS))
    assert math.prod(map(len, _SLOTS)) == MOST_GENERATED >= 100_000


def test_more_films_than_can_be_generated_are_refused():
    with pytest.raises(ValueError, match="at most"):
        generated_titles(MOST_GENERATED + 1)
    with pytest.raises(ValueError, match="at most"):
        Catalogue(MOST_GENERATED + 1)


def test_every_line_of_the_data_file_is_sound():
    known = films()
    assert len(known) >= 350
    assert len({film.id for film in known}) == len({film.imdb_id for film in known}) == len(known)
    for film in known:
        dt.date.fromisoformat(film.date)
        assert film.year not in film.other_years, film.title
        assert film.directors, film.title
        assert film.cast, film.title
        assert 5 < film.runtime < 500, film.title
        assert set(film.genres) <= set(tmdb._GENRES), film.title
        assert set(film.countries) <= set(tmdb._COUNTRIES), film.title
        assert film.language in tmdb._LANGUAGES, film.title
        assert all(len(country) == 2 and country.isupper() for country, _ in film.other_titles), film.title
        assert all(language in tmdb._LANGUAGES for language, _ in film.translations), film.title
        assert film.id < FIRST_ID


def test_a_broken_line_of_the_data_file_is_named():
    from enricher.simulator.catalogue import _film

    with pytest.raises(ValueError, match=r"films.txt: 2 columns instead of 14: 1\|"):
        _film("1|tt1")


def test_each_title_of_each_film_finds_it():
    catalogue = Catalogue()
    for film in films():
        for title in film.titles:
            assert film in catalogue.search(title, film.year, include_adult=True), title


def test_a_film_for_adults_is_found_only_where_such_films_are_asked_for():
    assert Catalogue().search("Deep Velvet Night") == []
    assert [film.adult for film in Catalogue().search("Deep Velvet Night", include_adult=True)] == [True]


def test_the_right_film_is_not_always_the_first():
    """What a client must check itself: TMDB's reply to House, 1977 held the right film in the 7th place."""
    found = [(film.title, film.year) for film in Catalogue().search("House", 1977)]
    assert ("House", 1977) in found[1:]
    namesakes = [film for film in Catalogue().search("Alone", 2020) if film.title == "Alone"]
    assert len(namesakes) == 2


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("LEON the professional", "Léon: The Professional"),
        ("wall e", "WALL·E"),
        ("seven", "Se7en"),
        ("8 1/2", "8½"),
        ("8½", "8½"),
        ("hausu", "House"),
        ("千と千尋の神隠し", "Spirited Away"),
        ("сталкер", "Stalker"),
        ("oceans eleven", "Ocean's Eleven"),
        ("ocean's elev", "Ocean's Eleven"),
        ("mash", "M*A*S*H"),
        ("star wars episode iv a new hope", "Star Wars"),
        ("salo 120 giornate", "Salò, or the 120 Days of Sodom"),
    ],
)
def test_a_film_is_found_however_its_title_is_written(query, title):
    assert title in [film.title for film in Catalogue().search(query)]


@pytest.mark.parametrize("query", ["", "!?", "dune matrix", "matri the", "breaking bad"])
def test_words_that_no_single_title_holds_find_nothing(query):
    assert Catalogue().search(query) == []


def test_any_year_of_release_finds_a_film_but_only_the_first_is_primary():
    catalogue = Catalogue()
    ids = [film.id for film in catalogue.search("Spirited Away", year=2003)]
    assert ids == [129]
    assert catalogue.search("Spirited Away", primary_year=2003) == []
    assert [film.id for film in catalogue.search("Spirited Away", primary_year=2001)] == [129]
    assert catalogue.search("Spirited Away", year=1990) == []


def test_a_hundred_thousand_films_are_there_without_being_kept():
    catalogue = Catalogue(generated=100_000, seed=5)
    *_, (title, year) = generated_titles(100_000, seed=5)
    (film,) = catalogue.search(title, primary_year=year)
    assert film.id == FIRST_ID + 99_999
    assert catalogue.get(film.id) == catalogue.by_imdb(film.imdb_id) == film
    assert catalogue.get(film.id + 1) is None
    assert catalogue.by_imdb("tt0000000") is None
    assert catalogue.by_imdb("nonsense") is None


# ── TMDB over HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────


@served()
async def test_a_search_has_the_shape_of_tmdbs(client):
    status, headers, page = await client.ask("/search/movie", **HOUSE)
    assert (status, headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    assert list(page) == ["page", "results", "total_pages", "total_results"]
    house = next(film for film in page["results"] if film["id"] == 25623)
    assert set(house) == {
        "adult", "backdrop_path", "genre_ids", "id", "original_language", "original_title", "overview", "popularity",
        "poster_path", "release_date", "title", "video", "vote_average", "vote_count",
    }  # fmt: skip
    assert (house["title"], house["original_title"], house["release_date"]) == ("House", "ハウス", "1977-07-30")
    assert (await client.ask("/search/movie", query="zzz"))[2] == {
        "page": 1,
        "results": [],
        "total_pages": 0,
        "total_results": 0,
    }


@served()
async def test_a_search_comes_in_pages_of_twenty(client):
    first = (await client.ask("/search/movie", query="the"))[2]
    second = (await client.ask("/search/movie", query="the", page=2))[2]
    assert len(first["results"]) == len(second["results"]) == 20
    assert first["total_pages"] == math.ceil(first["total_results"] / 20) > 2
    assert not {film["id"] for film in first["results"]} & {film["id"] for film in second["results"]}
    for page in ("0", "501", "x"):
        status, _, body = await client.ask("/search/movie", query="the", page=page)
        assert (status, body["status_code"]) == (400, 22)


@served()
async def test_details_hold_the_parts_that_were_asked_for_and_no_others(client):
    plain = (await client.ask("/movie/101"))[2]
    assert not {"credits", "keywords", "external_ids", "alternative_titles"} & set(plain)
    parts = "credits,external_ids,keywords,alternative_titles,nosuch"
    full = (await client.ask("/movie/101", append_to_response=parts))[2]
    assert {name: value for name, value in full.items() if name in plain} == plain
    assert (full["title"], full["original_title"], full["runtime"]) == ("Léon: The Professional", "Léon", 111)
    assert full["genres"][0] == {"id": 80, "name": "Crime"}
    assert full["production_countries"][0] == {"iso_3166_1": "FR", "name": "France"}
    assert [person["name"] for person in full["credits"]["crew"] if person["job"] == "Director"] == ["Luc Besson"]
    first = full["credits"]["cast"][0]
    assert (first["name"], first["order"]) == ("Jean Reno", 0)
    assert full["external_ids"]["imdb_id"] == full["imdb_id"] == "tt0110413"
    assert {"iso_3166_1": "US", "title": "The Professional", "type": ""} in full["alternative_titles"]["titles"]
    assert all(set(keyword) == {"id", "name"} for keyword in full["keywords"]["keywords"])
    assert "nosuch" not in full


@served()
async def test_the_language_of_a_film_shows_its_original_title(client):
    assert (await client.ask("/movie/129", language="ja-JP"))[2]["title"] == "千と千尋の神隠し"
    assert (await client.ask("/movie/129", language="fr"))[2]["title"] == "Le Voyage de Chihiro"
    assert (await client.ask("/movie/129", language="pl"))[2]["title"] == "Spirited Away"


@served()
async def test_an_imdb_identifier_finds_its_film(client):
    found = (await client.ask("/find/tt0133093", external_source="imdb_id"))[2]
    assert [film["id"] for film in found["movie_results"]] == [603]
    assert found["movie_results"][0]["media_type"] == "movie"
    assert found["person_results"] == found["tv_results"] == []
    assert (await client.ask("/find/tt0000000", external_source="imdb_id"))[2]["movie_results"] == []
    assert (await client.ask("/find/603", external_source="tvdb_id"))[2]["movie_results"] == []
    assert (await client.ask("/find/tt0133093"))[0] == 400


@served()
async def test_the_configuration_says_where_pictures_are(client):
    assert (await client.ask("/configuration"))[2]["images"]["secure_base_url"] == "https://image.tmdb.org/t/p/"


@served()
async def test_what_tmdb_refuses_is_refused_in_its_words(client):
    for path, params, status, code in [
        ("/movie/999999", {}, 404, 34),
        ("/movie/abc", {}, 404, 6),
        ("/movie/99999999999", {}, 500, 44),
        ("/movie/603", {"append_to_response": ",".join("abcdefghijklmnopqrstuvw")}, 400, 27),
        ("/nosuch", {}, 404, 34),
    ]:
        answered, _, body = await client.ask(path, **params)
        assert (answered, body["status_code"], body["success"]) == (status, code, False)
    assert (await client.ask("/search/movie"))[::2] == (422, {"errors": ["query must be provided"]})
    async with client.session.post(client.root + "/3/movie/603?api_key=any") as response:
        assert (response.status, (await response.json())["status_code"]) == (405, 4)


@served(details_bytes="40000")
async def test_details_with_credits_are_as_large_as_is_wanted(client):
    small = (await client.ask("/movie/603"))[1]
    large = await client.ask("/movie/603", append_to_response="credits,keywords")
    assert int(small["Content-Length"]) < 2000
    assert 40_000 <= int(large[1]["Content-Length"]) < 41_000
    assert large[2]["credits"]["cast"][0]["name"] == "Keanu Reeves"
    assert large[2]["credits"]["cast"][-1]["name"].startswith("Extra ")
    assert large[2]["credits"]["crew"][-1]["name"].startswith("Hand ")


@served(details_bytes="10")
async def test_details_that_are_large_enough_are_left_alone(client):
    details = (await client.ask("/movie/603", append_to_response="credits"))[2]
    assert len(details["credits"]["cast"]) == 5


@served()
async def test_an_echo_has_the_size_and_the_name_it_was_asked_for(client):
    _, headers, body = await client.ask("/echo", bytes=2048, id="a")
    assert (headers["Content-Length"], body["id"]) == ("2048", "a")
    assert (await client.ask("/echo", bytes="x", id="a"))[2] == {"id": "a", "padding": ""}


# ── the world over HTTP ────────────────────────────────────────────────────────────────────────────────────────────


@served()
async def test_without_a_key_nothing_is_answered_and_it_is_counted(client):
    for headers in ({}, {"Authorization": "Bearer "}):
        status, _, body = await client.ask("/movie/603", key="", headers=headers)
        assert (status, body["status_code"]) == (401, 7)
    assert (await client.ask("/movie/603", key="", headers={"Authorization": "Bearer any"}))[0] == 200
    assert (await client.stats())["by_status"] == {"200": 1, "401": 2}


@served(key="right")
async def test_where_a_key_is_chosen_no_other_is_accepted(client):
    assert [(await client.ask("/movie/603", key=key))[0] for key in ("right", "wrong", "")] == [200, 401, 401]
    assert (await client.ask("/movie/603", key="", headers={"Authorization": "Bearer right"}))[0] == 200
    stats = await client.stats(detail="1")
    assert "right" not in json.dumps(stats)
    assert "wrong" not in json.dumps(stats)


@served(quota="3/1h")
async def test_what_arrives_beyond_the_quota_is_rejected(client):
    answers = [await client.ask("/movie/603") for _ in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert answers[-1][2]["status_code"] == 25
    assert "Retry-After" not in answers[-1][1]
    stats = await client.stats()
    assert (stats["rejected"], stats["arrivals"]) == (2, 5)
    (quota,) = stats["quotas"]
    assert quota["used"] > 1
    assert quota == {"quota": "3/3600s", "limit": 3, "period_s": 3600, "fullest": 5, "used": quota["used"]}
    await client.reset()
    assert (await client.ask("/movie/603"))[0] == 200
    assert (await client.control(quota="1/1h", retry_after="7s"))[0] == 200
    assert [(await client.ask("/movie/603"))[0] for _ in range(2)] == [200, 429]
    assert (await client.ask("/movie/603"))[1]["Retry-After"] == "7"


@served(latency="lognormal:4ms:0.2")
async def test_an_answer_takes_the_time_that_its_request_is_given(client):
    """The lower side only: a machine may always be slower. Twenty at once are more than wait precisely."""
    await asyncio.gather(*(client.ask("/echo", id=number) for number in range(20)))
    stats = await client.stats(moments="1")
    behaviour = Behaviour.of(latency="lognormal:4ms:0.2")
    wanted = [behaviour.latency_s(identity("GET", "/3/echo", [("id", str(number))])) for number in range(20)]
    assert stats["latency_sum_s"] == pytest.approx(sum(wanted))
    assert stats["late_sum_s"] > -1e-6
    assert stats["last_answer"] - stats["first_arrival"] >= max(wanted) - 1e-6
    assert stats["connections_opened"] == 20  # how many were in flight at once is the machine's business
    assert len(stats["moments"]) == 20
    assert all(earlier <= later for earlier, later in pairwise(stats["moments"]))


@served(latency="30ms")
async def test_a_longer_latency_is_never_cut_short(client):
    await client.ask("/echo")
    stats = await client.stats()
    assert stats["last_answer"] - stats["first_arrival"] >= 0.03 - 1e-6


@served()
async def test_each_kind_of_fault_looks_as_it_does_in_life(client):
    async def meet(spec, **params):
        assert (await client.control(faults=spec))[0] == 200
        return await client.ask("/movie/603", **params)

    statuses = {(await meet("5xx=100%", n=number))[0] for number in range(40)}
    assert statuses == {500, 502, 503, 504}
    status, headers, body = await meet("429=100%:3s")
    assert (status, headers["Retry-After"], body["status_code"]) == (429, "3", 25)
    assert "Retry-After" not in (await meet("429=100%"))[1]
    status, headers, body = await meet("503=100%")
    assert (status, headers["Retry-After"], body["status_code"]) == (503, "1", 9)
    status, headers, body = await meet("html=100%")
    assert (status, headers["Content-Type"], body[:9]) == (200, "text/html", b"<!DOCTYPE")
    status, headers, body = await meet("garbage=100%")
    assert (status, headers["Content-Type"], type(body)) == (200, "application/json", bytes)
    for number in range(8):  # half of them with RST
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await meet("reset=100%", n=number)
    with pytest.raises(aiohttp.ClientPayloadError):
        await meet("truncated=100%")
    assert (await meet("slow=100%:1ms"))[2]["id"] == 603
    assert (await meet("drip=100%:1ms", append_to_response=""))[2]["id"] == 603
    assert (await meet("drip=100%:0s"))[2]["id"] == 603
    stats = await client.stats()
    assert set(stats["faults"]) == set(FAULT_KINDS)
    assert stats["cut"] == 8
    assert stats["arrivals"] == stats["answered"] + stats["cut"]


@served(faults="5xx=50%")
async def test_a_fault_is_met_by_the_same_attempt_of_the_same_request_every_time(client):
    async def story():
        return [(await client.ask("/echo", id=number))[0] for number in range(10) for _ in range(3)]

    first = await story()
    await client.reset()
    assert await story() == first
    assert 200 in first
    assert len(set(first)) > 1


@served(quota="1/1h", faults="5xx=50%")
async def test_a_rejected_arrival_is_no_attempt(client):
    """Or the client's pace would decide which of its attempts fail."""
    who = identity("GET", "/3/movie/603", [])
    first = Behaviour.of(faults="5xx=50%").fault(who, 1)
    assert ((await client.ask("/movie/603"))[0] == 200) == (first is None)
    assert (await client.ask("/movie/603"))[0] == 429
    await client.control(quota="")
    second = Behaviour.of(faults="5xx=50%").fault(who, 2)
    assert ((await client.ask("/movie/603"))[0] == 200) == (second is None)


@served()
async def test_an_outage_turns_everything_away_until_it_is_off(client):
    assert (await client.control(outage="503"))[1]["down"] == "503"
    status, _, body = await client.ask("/movie/603", key="")
    assert (status, body["status_code"]) == (503, 9)
    await client.control(outage="reset")
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await client.ask("/movie/603")
    assert (await client.control(outage="off"))[1]["down"] is None
    assert (await client.ask("/movie/603"))[0] == 200
    await client.control(outage="0s-1h")
    assert (await client.ask("/movie/603"))[0] == 503
    assert (await client.stats())["faults"] == {"outage": 3}


@served()
async def test_a_pause_holds_requests_until_it_ends(client):
    assert (await client.control(pause=True))[1]["pause"] is True
    held = asyncio.create_task(client.ask("/movie/603"))
    await client.until(in_flight=1)
    assert not held.done()
    assert (await client.control(pause=False))[1]["pause"] is False
    assert (await held)[0] == 200
    assert (await client.stats())["in_flight"] == 0


@served()
async def test_a_client_that_goes_away_is_counted_as_gone(client):
    await client.control(pause=True)
    held = asyncio.create_task(client.ask("/movie/603"))
    await client.until(in_flight=1)
    held.cancel()
    stats = await client.until(in_flight=0)
    assert (stats["abandoned"], stats["answered"]) == (1, 0)


@served()
async def test_an_answer_after_a_reset_is_not_counted_with_the_new_ones(client):
    await client.control(pause=True)
    held = asyncio.create_task(client.ask("/movie/603"))
    await client.until(in_flight=1)
    await client.reset()
    await client.control(pause=False)
    assert (await held)[0] == 200
    stats = await client.stats()
    assert (stats["arrivals"], stats["answered"], stats["in_flight"], stats["first_arrival"]) == (0, 0, 0, None)


@served()
async def test_the_counts_tell_who_asked_what_how_often(client):
    await client.ask("/search/movie", **HOUSE)
    await client.ask("/movie/603")
    await client.ask("/movie/603")
    await client.ask("/find/tt0133093", external_source="imdb_id")
    await client.ask("/nosuch")
    stats = await client.stats(detail="1")
    assert stats["by_kind"] == {"details": 2, "find": 1, "other": 1, "search": 1}
    assert stats["requests_by_identity"] == {
        "GET /3/search/movie?query=House&year=1977": 1,
        "GET /3/movie/603?": 2,
        "GET /3/find/tt0133093?external_source=imdb_id": 1,
        "GET /3/nosuch?": 1,
    }
    assert (stats["identities"], stats["attempts_max"], stats["connections_opened"]) == (4, 2, 1)
    assert stats["cpu_s"] >= 0
    assert "requests_by_identity" not in await client.stats()


@served(latency="1ms")
async def test_a_wrong_change_is_told_and_changes_nothing(client):
    for options, word in [
        ({"latency": "0", "faults": "x"}, "fault"),
        ({"colour": "red"}, "colour"),
        ({"films": 5}, "at the start"),
        ({"pause": "yes"}, "pause"),
    ]:
        status, body = await client.control(**options)
        assert status == 400
        assert word in body["error"]
    for body in (b"[]", b"{"):
        async with client.session.post(client.root + "/_control", data=body) as response:
            assert response.status == 400
    assert (await client.control())[1] == {"films": "1000", "latency": "0.001s", "down": None, "pause": False}


# ── the process ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def simulator():
    with running_simulator(Behaviour.of(films=10, quota="1000/1s", cpu=min(os.sched_getaffinity(0)))) as running:
        yield running


def test_a_simulator_in_its_own_process_is_asked_and_told_from_python(simulator):
    assert simulator.base_url.startswith("http://127.0.0.1:")
    assert simulator.pid != os.getpid()
    assert simulator.stats(detail=True, moments=True)["arrivals"] == 0
    assert simulator.control(latency="1s")["latency"] == "1s"
    assert "latency" not in simulator.control(latency="")
    simulator.reset()
    with pytest.raises(ValueError, match="latency 'x'"):
        simulator.control(latency="x")


def test_a_second_server_on_the_same_port_says_that_it_did_not_start(simulator, capfd):
    port = int(simulator.base_url.split(":")[2].split("/")[0])
    with pytest.raises(RuntimeError, match="exit code 2"), running_simulator(port=port):
        pass
    assert "error:" in capfd.readouterr().err


def test_the_process_has_ended_when_the_block_is_left():
    with running_simulator() as running:
        os.kill(running.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


def test_a_child_that_does_not_stop_is_killed(monkeypatch):
    monkeypatch.setattr("enricher.simulator.process.STOP_WITHIN_S", 0.01)
    with running_simulator() as running:
        os.kill(running.pid, signal.SIGSTOP)
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


def test_nothing_is_left_behind_when_the_parent_is_killed():
    """The child inherits standard error: its end is read only when parent and child are both gone."""
    script = (
        "from enricher.simulator.process import running_simulator\n"
        "with running_simulator() as running:\n"
        "    print(running.pid, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert int(parent.stdout.readline()) > 0
        parent.kill()
        assert parent.stderr.read() == b""


def test_in_the_foreground_ctrl_c_ends_it_quietly():
    with subprocess.Popen(
        [sys.executable, "-m", "enricher.simulator", "--port", "0", "--latency", "1ms"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline().startswith(b"Simulated TMDB at http://127.0.0.1:")
        child.send_signal(signal.SIGINT)
        assert child.communicate() == (b"", b"")
        assert child.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--latency", "x"], "latency"),
        (["--host", "0.0.0.0"], "loopback"),
        (["--port", "70000"], "port"),
        (["--films", "9999999"], "at most"),
        (["--cpu", "1000"], "no such core"),
    ],
)
def test_wrong_options_end_it_with_one_line_and_exit_code_2(arguments, word, capsys):
    assert main(["--port", "0", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert word in said.err
    assert said.err.count("\n") == 1


def test_serving_blocks_until_a_signal_and_says_when_it_is_ready():
    addresses = []

    def ready(address):
        addresses.append(address)
        os.kill(os.getpid(), signal.SIGTERM)

    serve(Behaviour(), port=0, on_ready=ready)
    assert len(addresses) == 1
    assert addresses[0].endswith("/3")


def test_a_child_ends_when_the_pipe_from_its_parent_is_closed(monkeypatch):
    reader, writer = os.pipe()
    os.write(writer, b"still here")
    with os.fdopen(reader) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        serve(Behaviour(), port=0, on_ready=lambda _: os.close(writer), until_abandoned=True)


def test_server_and_client_read_the_same_clock(simulator):
    before = time.monotonic()
    assert before <= simulator.stats()["now"] <= time.monotonic()
