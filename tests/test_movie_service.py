"""What TMDB's answers mean, where its key goes, and what the pipeline of films is made of."""

from __future__ import annotations

import json

import pytest

from enricher.model import Accept, Answer, Found, Item, KeyPlace, Refuse, RefuseKey, Request, Response, Retry, Window
from enricher.pipelines.movies.pipeline import choice_fields, movies, typical
from enricher.pipelines.movies.service import TMDB, classify, place_key, tmdb

JSON_TOO_MUCH = Retry("unexpected JSON")


def _judge(kind, status, data):
    return classify(Request(TMDB, "/movie/603", kind=kind), Response(status, {}, b""), data)


@pytest.mark.parametrize(
    ("kind", "status", "data", "verdict"),
    [
        ("search", 200, {"results": [{"id": 1}]}, Accept()),
        ("search", 200, {"results": []}, Accept(missing=True)),
        ("search", 200, {"results": None}, JSON_TOO_MUCH),
        ("search", 200, {"id": 1}, JSON_TOO_MUCH),
        ("search", 200, [], JSON_TOO_MUCH),
        ("search", 200, None, JSON_TOO_MUCH),
        ("details", 200, {"id": 603}, Accept()),
        ("details", 200, {"id": 604}, JSON_TOO_MUCH),
        ("details", 200, {"id": "603"}, JSON_TOO_MUCH),
        ("details", 200, {"id": True}, JSON_TOO_MUCH),
        ("details", 200, {"results": []}, JSON_TOO_MUCH),
        ("find", 200, {"movie_results": [{"id": 1}]}, Accept()),
        ("find", 200, {"movie_results": [], "tv_results": [{"id": 1}]}, Accept(missing=True)),
        ("find", 200, {"results": []}, JSON_TOO_MUCH),
        ("other", 200, {"anything": 1}, None),
        ("details", 404, {"status_code": 34}, Accept(missing=True)),
        ("details", 404, None, None),
        ("details", 404, {"status_code": 6}, Accept(missing=True)),
        ("details", 404, {"status_code": 5}, None),
        ("details", 500, {"status_code": 44}, Accept(missing=True)),
        ("find", 500, {"status_code": 44}, Accept(missing=True)),
        ("find", 404, {"status_code": 34}, Accept(missing=True)),
        ("search", 404, {"status_code": 34}, None),
        ("details", 500, {"status_code": 11}, None),
        ("details", 500, None, None),
        ("search", 429, {"status_code": 25}, None),
        ("search", 503, {"status_code": 9}, None),
        ("search", 401, {"status_code": 99}, None),
        ("search", 401, ["odd"], None),
        ("search", 403, {"status_code": 7}, None),
    ],
)
def test_an_answer_means(kind, status, data, verdict):
    assert _judge(kind, status, data) == verdict


@pytest.mark.parametrize("code", [7, 3, 10, 14, 32, 35])
def test_a_refused_key_stops_the_job(code):
    assert isinstance(_judge("search", 401, {"status_code": code}), RefuseKey)


@pytest.mark.parametrize(
    ("status", "data"), [(500, {"status_code": 44}), (422, {"errors": ["query must be provided"]})]
)
def test_what_asking_again_will_not_help_is_refused(status, data):
    assert isinstance(_judge("search", status, data), Refuse)


@pytest.mark.parametrize("status", [401, 422, 500])
def test_no_reason_repeats_the_server_s_words(status):
    code = {401: 7, 422: 20, 500: 44}[status]
    verdict = _judge("search", status, {"status_code": code, "status_message": "<b>key abc123</b>"})
    assert "abc123" not in verdict.reason


def test_a_token_is_a_header_and_a_key_is_a_parameter():
    assert place_key("eyJhbGciOi.x.y") == KeyPlace(headers={"Authorization": "Bearer eyJhbGciOi.x.y"})
    assert place_key("0123456789abcdef") == KeyPlace(params={"api_key": "0123456789abcdef"})


def test_an_address_and_a_quota_of_one_s_own_change_nothing_else():
    service = tmdb("http://127.0.0.1:9/3/", windows=(Window(40, 10.0),), burst=5, limiter="fixed", timeout_s=2.0)
    assert (service.base_url, service.windows, service.burst) == ("http://127.0.0.1:9/3", (Window(40, 10.0),), 5)
    assert (service.limiter, service.timeout_s, service.classify) == ("fixed", 2.0, classify)
    assert tmdb() == TMDB


def test_only_what_a_film_is_made_of_is_remembered():
    assert set(TMDB.lifetimes) == {"search", "details", "find"}
    assert all(lifetime.missing_s < lifetime.found_s for lifetime in TMDB.lifetimes.values())


def test_the_pipeline_is_tmdb_s_own_unless_told_otherwise():
    pipeline = movies()
    assert pipeline.services == (TMDB,)
    assert pipeline.options == {"language": "en-US", "base_url": TMDB.base_url}
    other = movies("http://127.0.0.1:9/3", language="de-DE", windows=())
    assert other.options == {"language": "de-DE", "base_url": "http://127.0.0.1:9/3"}
    assert other.services[0].windows == ()


@pytest.mark.parametrize("fields", [{"title": "Heat", "year": 1995}, {"title": "Heat"}, {"imdb_id": "tt0113277"}])
def test_typical_bodies_lead_to_a_film_at_once(fields):
    pipeline = movies()
    flow, answer = pipeline.recipe(Item("film", fields)), None
    for _ in range(2):
        request = flow.send(answer)
        body = typical(request)
        assert classify(request, Response(200, {}, body), json.loads(body)) == Accept()
        answer = Answer(200, json.loads(body), body)
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    assert isinstance(stop.value.value, Found)


def test_a_choice_takes_back_the_one_before():
    fields = {"title": "Heat", "imdb_id": "tt1"}
    fields |= choice_fields("603")
    assert fields["tmdb_id"] == 603
    fields |= choice_fields("tt0113277")
    assert (fields["tmdb_id"], fields["imdb_id"]) == (None, "tt0113277")
    fields |= choice_fields("none")
    assert fields["decided"] == "none"
    fields |= choice_fields("949")
    assert (fields["tmdb_id"], fields["decided"]) == (949, "tmdb")
