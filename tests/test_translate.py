"""What every transport needs: an address with its key, and foreign exceptions told in our own words."""

import contextlib
import http.client
import inspect
import logging
import ssl
from urllib.parse import quote_plus

import aiohttp
import pytest
import requests
import responses
import urllib3
from transport_world import (
    KEY,
    LATE,
    LOST,
    Pooled,
    Streaming,
    get,
    opened,
    service_at,
    told,
    with_key_in_header,
    with_key_in_query,
)

from enricher.errors import CAUSES
from enricher.model import KeyPlace, Request
from enricher.transports import pooled, streaming
from enricher.transports.causes import beneath, chain
from enricher.transports.translate import (
    REDACT,
    Redact,
    address,
    keep_out_of_logs,
    may_be_cut_off,
    route_of,
)

URL = "https://films.test/3"
UNTRUSTED, NOT_ALLOWED = "certificate not trusted", "not allowed"


# ── the exceptions of the libraries ─────────────────────────────────────────────────────────────────────────────────


def errors_of(module):
    """One error of each class that a library declares there, by name. Its constructor is not asked: they differ.

    Not those that tell a programmer of a mistake in calling it (aiohttp has one, of its web sockets).
    """
    library = module.__name__.partition(".")[0]
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__.startswith(library)]
    errors = [kind for kind in kinds if issubclass(kind, Exception) and not issubclass(kind, Warning | TypeError)]
    return {f"{library}.{kind.__name__}": kind.__new__(kind) for kind in errors}


BENEATH = {
    type(error).__name__: error
    for error in (
        *(TimeoutError(), OSError(), ConnectionResetError(), ConnectionRefusedError(), BrokenPipeError()),
        *(ssl.SSLError(), ssl.SSLCertVerificationError(), ssl.SSLEOFError(), ValueError(), UnicodeError()),
    )
}
OF_POOLED = {**errors_of(requests.exceptions), **errors_of(urllib3.exceptions), **errors_of(http.client), **BENEATH}
OF_STREAMING = {**errors_of(aiohttp.client_exceptions), **errors_of(aiohttp.http_exceptions), **BENEATH}

NO_PROXY, REFUSING_PROXY = "the proxy does not answer", "the proxy refuses the connection"

# What is more than a lost connection, by name. A class that a new version of a library brings is a lost connection too,
# until somebody has thought about it and put it here: if it is not, the test below says so.
TELLING_BENEATH = {
    "TimeoutError": LATE,
    "SSLCertVerificationError": UNTRUSTED,
    "ValueError": NOT_ALLOWED,
    "UnicodeError": NOT_ALLOWED,
}
TELLING_POOLED = {
    **TELLING_BENEATH,
    **dict.fromkeys(["requests.ConnectTimeout", "requests.ReadTimeout", "requests.Timeout"], LATE),
    **dict.fromkeys(["urllib3.ConnectTimeoutError", "urllib3.ReadTimeoutError", "urllib3.TimeoutError"], LATE),
    **dict.fromkeys(["requests.InvalidProxyURL", "requests.InvalidSchema", "requests.InvalidURL"], NOT_ALLOWED),
    **dict.fromkeys(["requests.JSONDecodeError", "requests.MissingSchema"], NOT_ALLOWED),
    **dict.fromkeys(
        ["urllib3.LocationParseError", "urllib3.LocationValueError", "urllib3.URLSchemeUnknown"], NOT_ALLOWED
    ),
    **dict.fromkeys(["requests.ProxyError", "urllib3.ProxyError"], NO_PROXY),
    **dict.fromkeys(["urllib3.ProxySchemeUnknown", "urllib3.ProxySchemeUnsupported"], NOT_ALLOWED),
}
TELLING_STREAMING = {
    **TELLING_BENEATH,
    **dict.fromkeys(
        ["aiohttp.ServerTimeoutError", "aiohttp.ConnectionTimeoutError", "aiohttp.SocketTimeoutError"], LATE
    ),
    "aiohttp.ClientConnectorCertificateError": UNTRUSTED,
    "aiohttp.ClientProxyConnectionError": NO_PROXY,
    "aiohttp.ClientHttpProxyError": REFUSING_PROXY,
    **dict.fromkeys(["aiohttp.InvalidURL", "aiohttp.InvalidUrlClientError"], NOT_ALLOWED),
    **dict.fromkeys(["aiohttp.NonHttpUrlClientError", "aiohttp.NonHttpUrlRedirectClientError"], NOT_ALLOWED),
    "aiohttp.InvalidUrlRedirectClientError": NOT_ALLOWED,
}


def by_name(errors):
    return pytest.mark.parametrize(("name", "error"), errors.items(), ids=errors)


def test_there_are_exceptions_to_walk():
    assert len(OF_POOLED) > 60
    assert len(OF_STREAMING) > 40
    assert set(TELLING_POOLED) <= set(OF_POOLED)
    assert set(TELLING_STREAMING) <= set(OF_STREAMING)
    assert {*TELLING_POOLED.values(), LOST, REFUSING_PROXY} == {*TELLING_STREAMING.values(), LOST} < set(CAUSES)


@by_name(OF_POOLED)
def test_each_exception_of_requests_and_urllib3_is_told_in_our_words(name, error):
    assert pooled.cause_of(error) == TELLING_POOLED.get(name, LOST)


@by_name(OF_STREAMING)
def test_each_exception_of_aiohttp_is_told_in_our_words(name, error):
    assert streaming.cause_of(error) == TELLING_STREAMING.get(name, LOST)


@responses.activate
@by_name(OF_POOLED)
def test_no_exception_of_requests_or_urllib3_leaves_the_transport(name, error):
    """One that did would end the job, not its item."""
    responses.get(f"{URL}/movie/1", body=error)
    with opened(Pooled) as wire:
        assert told(wire, get(URL)) == TELLING_POOLED.get(name, LOST)


class Failing:
    """A session in which every request fails."""

    def __init__(self, error):
        self.error = error

    @contextlib.asynccontextmanager
    async def request(self, *_, **__):
        raise self.error
        yield

    async def close(self):
        pass


@by_name(OF_STREAMING)
def test_no_exception_of_aiohttp_leaves_the_transport(name, error):
    with opened(Streaming) as wire:
        wire.transport._session = Failing(error)
        assert told(wire, get("http://films.test")) == TELLING_STREAMING.get(name, LOST)


# ── distrust, however deep ──────────────────────────────────────────────────────────────────────────────────────────

DISTRUST = ssl.SSLCertVerificationError()


def raised_from(cause, *, openly):
    """An error as it looks when it was raised from another, or while another was handled."""
    try:
        try:
            raise cause
        except OSError as inner:
            if openly:
                raise KeyError from inner
            raise KeyError  # noqa: B904  # the point
    except KeyError as error:
        return error


def with_reason(reason):
    error = urllib3.exceptions.MaxRetryError(None, "/movie/1", reason)
    return requests.exceptions.SSLError(error)


@pytest.mark.parametrize(
    "error",
    [
        DISTRUST,
        raised_from(DISTRUST, openly=True),
        raised_from(DISTRUST, openly=False),
        with_reason(DISTRUST),
        ValueError("a", ValueError(DISTRUST)),
    ],
    ids=["itself", "cause", "context", "reason", "arguments"],
)
def test_distrust_is_seen_however_deep_it_lies(error):
    assert beneath(error) == UNTRUSTED


@pytest.mark.parametrize(
    "error", [ssl.SSLError("certificate"), with_reason(OSError()), raised_from(OSError(), openly=True)]
)
def test_other_trouble_is_no_distrust(error):
    assert beneath(error) is None


def test_errors_in_a_circle_are_each_walked_once():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert list(chain(first)) == [first, second]


# ── the address and the key ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("params", "key", "whole"),
    [
        ({}, None, f"{URL}/movie/1"),
        ({"page": "2"}, None, f"{URL}/movie/1?page=2"),
        ({}, "k", f"{URL}/movie/1?api_key=k"),
        ({"page": "2"}, "k", f"{URL}/movie/1?page=2&api_key=k"),
        ({}, "a&b=c d", f"{URL}/movie/1?api_key=a%26b%3Dc+d"),
    ],
)
def test_an_address_has_the_key_last_and_quoted(params, key, whole):
    service = service_at(URL, place_key=with_key_in_query)
    assert address(Request(service, "/movie/1", params), route_of(service, key)) == whole


def test_several_parameters_of_a_key_go_in_their_order():
    service = service_at(URL, place_key=lambda key: KeyPlace(params={"user": "me", "token": key}))
    assert address(Request(service, "/m"), route_of(service, "k")) == f"{URL}/m?user=me&token=k"


def test_a_service_may_say_its_own_name_and_a_key_goes_over_all():
    service = service_at(URL, headers={"User-Agent": "mine", "Authorization": "none"}, place_key=with_key_in_header)
    headers = route_of(service, "k").headers
    assert (headers["User-Agent"], headers["Authorization"]) == ("mine", "Bearer k")


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_none_is_placed(key):
    route = route_of(service_at(URL, place_key=with_key_in_header), key)
    assert (route.query, "Authorization" in route.headers) == ("", False)


def test_a_route_prints_no_key():
    route = route_of(service_at(URL, place_key=with_key_in_query), KEY)
    assert quote_plus(KEY) in route.query
    assert quote_plus(KEY) not in repr(route) + str(route)


@pytest.mark.parametrize(
    "service",
    [
        service_at(URL, headers={"X\r\nY": "a"}),
        service_at(URL, headers={"X": "a\nb"}),
        service_at(URL, headers={"X": "é"}),
        service_at(URL, place_key=lambda key: KeyPlace(headers={"Authorization": f"{key}\n"})),
    ],
)
def test_what_no_wire_carries_alike_is_refused_without_a_word_of_the_key(service):
    with pytest.raises(ValueError, match=r"ASCII|can't be sent") as refused:
        route_of(service, KEY)
    assert KEY not in str(refused.value)


# ── an answer without a length ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "headers", "body", "is_so"),
    [
        (200, {}, b"", True),
        (206, {"server": "x"}, b"", True),
        (200, {}, b"{}", False),
        (200, {"content-length": "0"}, b"", False),
        (200, {"transfer-encoding": "chunked"}, b"", False),
        (204, {}, b"", False),
        (205, {}, b"", False),
        (304, {}, b"", False),
        (404, {}, b"", False),
    ],
)
def test_a_success_of_no_length_and_no_byte_may_be_cut_off(status, headers, body, is_so):
    assert may_be_cut_off(status, headers, body) is is_so


# ── log lines ───────────────────────────────────────────────────────────────────────────────────────────────────────


def filtered(record, *secrets):
    """What a log line says once the filter has seen it."""
    redact = Redact()
    redact.secrets = set(secrets)
    assert redact.filter(record)
    return record.getMessage()


def line(text, *args):
    return logging.LogRecord("urllib3", logging.DEBUG, __file__, 1, text, args, None)


def test_a_key_in_a_log_line_is_blotted_out_in_its_text_and_in_its_arguments():
    assert filtered(line("GET /?api_key=abc&x=abc"), "abc") == "GET /?api_key=[key]&x=[key]"
    assert filtered(line("%s %s", "GET", "/?api_key=abc"), "abc") == "GET /?api_key=[key]"
    assert filtered(line("%s and %s", "abc", "xyz"), "abc", "xyz") == "[key] and [key]"


def test_a_log_line_without_a_key_stays_as_it_is():
    assert filtered(line("100%% of %d", 5), "abc") == "100% of 5"


def test_a_key_is_blotted_out_as_it_is_and_as_it_is_quoted():
    keep_out_of_logs("a key/+")
    assert {"a key/+", "a+key%2F%2B"} <= REDACT.secrets


def test_a_key_that_lies_within_another_leaves_nothing_of_it_behind():
    redact = Redact()
    redact.secrets = {"k", "s3cr3t+key"}
    record = logging.LogRecord("urllib3", logging.DEBUG, "", 0, "GET /?api=s3cr3t+key", (), None)
    redact.filter(record)
    assert "s3cr3t" not in record.getMessage()
