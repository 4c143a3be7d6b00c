"""A service that can't be used says so when it is made, with the field and what to write."""

import pickle
from dataclasses import replace

import pytest

from enricher import Service, SettingError, Window
from enricher.model import PerHost, Reach

KEY = "s3cret"

WRONG = {
    "name": ["", None, 7],
    "base_url": [
        *(None, 7, "/", b"http://films.test", "films.test", "//films.test", "ftp://films.test", "http://", "http:///3"),
        *("http://films.test:99999", "http://films.test:0", "http://films.test:port", "http://[::1", "http://a..b"),
        *("https://films test", "https://films.test/\n", "https://films.test/\x00", "http://films.test\\@evil.test"),
        *(f"http://me:{KEY}@films.test", f"http://films.test?key={KEY}", f"http://films.test/#{KEY}"),
    ],
    "windows": [Window(1, 1.0), None, 40, (40, 10.0), ("40/10s",), (Window("40", 1.0),), (Window(0, 1.0),)],
    "token_windows": [
        Window(1, 1.0),
        (Window(1, "1"),),
        (Window(1, 0),),
        (Window(2.5, 1.0),),
        (Window(1, 1.0, "all"),),
    ],
    "burst": [0, -1, "5", 1.5, True],
    "limiter": ["leaky", None],
    "place_key": ["Authorization", {"api_key": "x"}],
    "headers": [None, [("X", "1")], {"X": 1}, {"X": None}, {"Authorization": KEY, 1: "x"}],
    "classify": ["accept"],
    "lifetimes": [None, 60, [1]],
    "timeout_s": ["10", None, 0, -1.0, float("inf"), float("nan"), True],
    "max_bytes": ["8M", 0, 1e6, None],
    "max_connections": ["2", 0],
    "keep_headers": ["etag", None, (1,)],
    "per_host": [2, "films.test"],
    "reach": ["films.test", True],
    "hints": [{}],
    "usage": [0],
    "attempts": [0, "3"],
    "batch": [True, "yes"],
    "idempotency_header": ["", "Idempotency Key", True],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_field_that_cant_be_used_is_named_when_the_service_is_made(name, value):
    with pytest.raises(SettingError, match=rf"^the service .+: {name}.* can't be used; write \S+") as wrong:
        Service(**{"name": "films", "base_url": "http://films.test", name: value})
    assert KEY not in str(wrong.value)
    assert len(str(wrong.value).splitlines()) == 1


@pytest.mark.parametrize(
    "base_url",
    [
        *("", "http://films.test", "HTTPS://Films.Test:443/3", "http://127.0.0.1:8080", "http://[::1]:1", "http://a"),
        *("https://films.test./x/y", "http://müsli.test", "http://a_b.test"),
    ],
)
def test_an_address_of_http_is_taken(base_url):
    assert Service("films", base_url).base_url == base_url


def test_a_list_is_taken_for_a_tuple():
    service = Service("films", "", windows=[Window(1, 1)], token_windows=[], keep_headers=["etag"])
    assert (service.windows, service.token_windows, service.keep_headers) == ((Window(1, 1),), (), ("etag",))


def test_a_service_stays_a_value():
    service = Service("films", "http://films.test/", per_host=PerHost(2, str), reach=Reach(), timeout_s=5)
    assert service == replace(service, base_url="http://films.test") == pickle.loads(pickle.dumps(service))
    assert hash(service.windows) == hash(())
