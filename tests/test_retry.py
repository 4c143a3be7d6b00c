"""Verdicts are a table: an answer goes in, what to do comes out."""

import json
import time
from dataclasses import replace

import pytest
from core_world import FILMS, answered, body_of, get
from hypothesis import given
from hypothesis import strategies as st

from enricher.core.bodies import NOT_JSON, in_utf_8, parse_json
from enricher.core.retry import Backoff, judge, judge_error
from enricher.errors import CAUSES, TransportError
from enricher.http import MOST_S, asked_wait_s, retry_after_s, spent_quota
from enricher.model import Accept, Hints, Refuse, RefuseKey, Response, Retry, Service

OPEN = Service("open", "https://open.test")
NOON = "Wed, 21 Oct 2015 12:00:00 GMT"
NOON_UNIX = 1445428800.0

chances = st.floats(0.0, 1.0, exclude_max=True)
backoffs = st.builds(
    Backoff,
    base_s=st.floats(1e-3, 5.0),
    factor=st.floats(1.0, 4.0),
    cap_s=st.floats(0.01, 60.0),
)


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (answered(200), Accept()),
        (answered(203), Accept()),
        (answered(200, body=b"[]"), Accept()),
        (answered(200, body=b"0"), Accept()),
        (answered(200, body=b"<html>busy</html>"), Refuse("HTML or XML, not JSON")),
        (answered(200, body=b"\xef\xbb\xbf\r\n<!DOCTYPE html>"), Refuse("HTML or XML, not JSON")),
        (answered(200, body=b"Try again"), Retry("not JSON")),
        (answered(200, body=b'{"cut": '), Retry("not JSON")),
        (answered(200, body=b""), Refuse("an empty body, not JSON")),
        (answered(200, body=b" \r\n"), Refuse("an empty body, not JSON")),
        (answered(200, body=b"null"), Accept()),
        (answered(204, body=b""), Accept()),
        (answered(205, body=b""), Accept()),
        (answered(204, body=b"Try again"), Retry("not JSON")),
        (answered(200, body=b"\xff\xfe\xfa"), Retry("not JSON")),
        (answered(408), Retry("HTTP 408")),
        (answered(425), Retry("HTTP 425")),
        (answered(429), Retry("HTTP 429", None, pause=True)),
        (answered(429, retry_after="3"), Retry("HTTP 429", 3.0, pause=True)),
        (answered(429, retry_after="soon"), Retry("HTTP 429", None, pause=True)),
        (answered(429, body=b"<html>"), Retry("HTTP 429", None, pause=True)),
        (answered(500), Retry("HTTP 500")),
        (answered(500, retry_after="3"), Retry("HTTP 500", 3.0)),
        (answered(502), Retry("HTTP 502")),
        (answered(503), Retry("HTTP 503")),
        (answered(503, retry_after="0"), Retry("HTTP 503", 0.0, pause=True)),
        (answered(503, retry_after="3"), Retry("HTTP 503", 3.0, pause=True)),
        (answered(503, retry_after="soon"), Retry("HTTP 503")),
        (answered(504), Retry("HTTP 504")),
        (answered(401), RefuseKey("HTTP 401")),
        (answered(400), Refuse("HTTP 400")),
        (answered(403), Refuse("HTTP 403")),
        (answered(404), Refuse("HTTP 404")),
        (answered(410, retry_after="3"), Refuse("HTTP 410")),
        (answered(501), Refuse("HTTP 501")),
        (answered(301), Refuse("HTTP 301")),
        (answered(304), Refuse("HTTP 304")),
        (answered(100), Refuse("HTTP 100")),
    ],
    ids=lambda value: f"{value.status} {dict(value.headers)} {value.body!r}" if isinstance(value, Response) else None,
)
def test_the_verdict_on(response, verdict):
    assert judge(get("/movie/1"), response)[0] == verdict


def test_the_data_comes_with_the_verdict():
    assert judge(get("/movie/1"), answered(200, {"id": 7})) == (Accept(), {"id": 7})
    assert judge(get("/movie/1"), answered(404, {"code": 34})) == (Refuse("HTTP 404"), {"code": 34})
    assert judge(get("/movie/1"), answered(404, body=b"<p>")) == (Refuse("HTTP 404"), None)


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"a": 1}'])
def test_a_request_for_bytes_takes_any_body_and_parses_none(body):
    assert judge(get("/page", expects="bytes"), answered(200, body=body)) == (Accept(), None)


def test_a_401_of_a_service_without_a_key_is_this_requests_own_affair():
    """There is no key that could be refused: the job goes on."""
    assert judge(get("/page", service=OPEN), answered(401))[0] == Refuse("HTTP 401")


def test_a_body_that_is_nested_too_deep_is_no_json():
    """A stranger's body may not crash the interpreter, nor the job."""
    for deep in (b"[" * 200_000, b'{"a":' * 200_000, b"[" * 200_000 + b"]" * 200_000):
        assert parse_json(deep) is NOT_JSON
    assert judge(get("/movie/1"), answered(200, body=b"[" * 200_000))[0] == Retry("not JSON")


def test_a_number_with_too_many_digits_is_no_json():
    assert parse_json(b"9" * 5_000) is NOT_JSON


@pytest.mark.parametrize(
    ("body", "kind", "data"),
    [
        ('{"t": "Café"}'.encode("latin-1"), "application/json; charset=ISO-8859-1", "Café"),
        ('{"t": "Café"}'.encode(), "application/json; charset=ISO-8859-1", "Café"),
        ('{"t": "“Café”"}'.encode("cp1252"), 'application/json;charset="windows-1252"', "“Café”"),
        ('{"t": "Сталкер"}'.encode("cp1251"), "text/json; charset = Windows-1251", "Сталкер"),
        ('{"t": "一"}'.encode("gbk"), "application/json; charset=gbk", "一"),
        ('{"t": "七人の侍"}'.encode("shift_jis"), "application/json; charset=Shift_JIS", "七人の侍"),
        ('{"t": "七人の侍"}'.encode("iso-2022-jp"), "application/json; charset=iso-2022-jp", "七人の侍"),
        ('{"t": "ü"}'.encode("utf-16"), "application/json; charset=utf-16", "ü"),
        ('{"t": "ü"}'.encode("utf-16-le"), "application/json", "ü"),
        ('{"t": "ü"}'.encode("utf-8-sig"), "application/json", "ü"),
        ('{"t": "ü"}'.encode("utf-8-sig"), "application/json; charset=utf-8", "ü"),
        (b'{"t": "plain"}', "application/json; charset=punycode", "plain"),
        (b'{"t": "plain"}', "application/json; charset=nobody-knows-this", "plain"),
        (b'{"t": "plain"}', "application/json; charset=utf-16", "plain"),
    ],
)
def test_json_is_read_in_the_charset_that_it_is_declared_in_and_is_utf_8_from_then_on(body, kind, data):
    """What is remembered has no header that says what it was."""
    response = in_utf_8(answered(200, body=body, content_type=kind))
    assert judge(get("/movie/1"), response) == (Accept(), {"t": data})
    assert parse_json(response.body) == {"t": data}


def test_a_page_of_a_service_that_surely_answers_json_is_a_proxys_and_passes():
    page = answered(200, body=b"<html>busy</html>")
    assert judge(get("/x", service=replace(FILMS, pages_pass=True)), page)[0] == Retry("HTML or XML, not JSON")


def test_an_answer_to_head_has_no_body_to_be_json():
    assert judge(get("/movie/1", method="HEAD"), answered(200, body=b"")) == (Accept(), None)


@given(st.binary(max_size=40))
def test_any_bytes_are_parsed_or_are_no_json(body):
    parse_json(body)


# ── what the service means by it ────────────────────────────────────────────────────────────────────────────────────


def classifying(verdict, place_key=None):
    seen = []

    def classify(request, response, data):
        seen.append((request.path, response.status, data))
        return verdict

    return Service("own", "https://own.test", classify=classify, place_key=place_key), seen


@pytest.mark.parametrize(
    "verdict", [Accept(missing=True), Retry("busy", 4.0, pause=True), Refuse("no"), RefuseKey("bad key")]
)
@pytest.mark.parametrize("status", [200, 401, 404, 429, 503])
def test_the_services_own_word_goes_before_the_general_rules(verdict, status):
    service, _ = classifying(verdict)
    assert judge(get("/x", service=service), answered(status, {"code": 34})) == (verdict, {"code": 34})


@pytest.mark.parametrize("status", [200, 404, 429])
def test_where_the_service_has_no_word_the_general_rules_hold(status):
    service, seen = classifying(None)
    assert judge(get("/x", service=service), answered(status, {"a": 1})) == judge(get("/x"), answered(status, {"a": 1}))
    assert seen == [("/x", status, {"a": 1})]


def test_the_service_is_not_asked_about_a_success_that_is_no_json():
    """Its word would be about data that is not there."""
    service, seen = classifying(Accept())
    assert judge(get("/x", service=service), answered(200, body=b"{"))[0] == Retry("not JSON")
    assert seen == []


@pytest.mark.parametrize("response", [answered(200, body=b"null"), answered(204, body=b"")])
def test_the_service_is_asked_about_nothing_that_is_an_answer(response):
    service, seen = classifying(Accept(missing=True))
    assert judge(get("/x", service=service), response) == (Accept(missing=True), None)
    assert seen == [("/x", response.status, None)]


def test_the_service_is_asked_about_a_failure_that_is_no_json_and_about_bytes():
    service, seen = classifying(Refuse("gone"))
    assert judge(get("/x", service=service), answered(404, body=b"<html>")) == (Refuse("gone"), None)
    assert judge(get("/x", service=service, expects="bytes"), answered(200, body=b"<html>")) == (Refuse("gone"), None)
    assert seen == [("/x", 404, None), ("/x", 200, None)]


FINAL = {
    "too large",
    "not allowed",
    "SOCKS proxies are not supported",
    "certificate not trusted",
    "certificate expired, by this machine's clock",
    "certificate not valid yet, by this machine's clock",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_of_a_lost_attempt_has_a_verdict(cause):
    if cause == "the API key can't be sent":
        verdict = RefuseKey("it holds a line end or another character that no request can carry")
    else:
        verdict = Refuse(cause) if cause in FINAL else Retry(cause)
    assert judge_error(TransportError(cause)) == verdict


SPEAKS_AGAINST_THE_HOST = {
    *("connection lost", "timeout", "the answer is not HTTP"),
    *("the proxy does not answer", "the proxy refuses the connection"),
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("reached", ["unsent", "sent", "answered"])
def test_a_host_is_silent_where_nothing_of_it_answered(cause, reached):
    error = TransportError(cause, reached=reached)
    assert error.host_is_silent == (reached != "answered" and cause in SPEAKS_AGAINST_THE_HOST)


@pytest.mark.parametrize(("cause", "is_silent"), [("connection lost", False), ("timeout", True)])
def test_a_kept_connection_that_is_lost_says_nothing_of_its_host(cause, is_silent):
    """RFC 9112, 9.5: a server may close it at any time."""
    assert TransportError(cause, reused=True).host_is_silent is is_silent


# ── Retry-After ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("ms", "expected_s"), [("2500", 2.5), ("1900", 1.9), ("10", 2.0), ("soon", 2.0)])
def test_milliseconds_make_the_wait_exact_and_never_shorter_than_the_seconds_round_up_to(ms, expected_s):
    assert retry_after_s(answered(429, retry_after="2", retry_after_ms=ms)) == expected_s


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("", None),
        ("   ", None),
        ("0", 0.0),
        ("3", 3.0),
        (" 3 ", 3.0),
        ("003", 3.0),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-3", None),
        ("+3", None),
        ("1e3", None),
        ("3 s", 3.0),
        ("1m0s", 60.0),
        ("1h2m3.5s", 3723.5),
        ("250ms", 0.25),
        ("PT1M30S", 90.0),
        ("2 seconds", 2.0),
        ("1 minute and 30 secs", 90.0),
        ("1 day 2 hours", 93600.0),
        ("500 milliseconds", 0.5),
        ('"3"', 3.0),
        ("2 months", None),
        ("3, 3", 3.0),
        ("3, 120", 120.0),
        ("120, 3", 120.0),
        ("30, Wed, 21 Oct 2015 12:00:45 GMT", 45.0),
        ("Wed, 21 Oct 2015 12:00:45 GMT, 30", 45.0),
        ("3, soon", 3.0),
        ("2015-10-21T12:00:05Z", 5.0),
        ("2015-10-21T14:00:05+02:00", 5.0),
        ("2015-10-21 12:00:05", 5.0),
        (str(NOON_UNIX + 5), 5.0),
        (str(int(NOON_UNIX + 5) * 1000), 5.0),
        (str(int(NOON_UNIX + 5) * 1_000_000), 5.0),
        (str(int(NOON_UNIX + 5) * 1_000_000_000), 5.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),  # a digit, but none that HTTP knows
        ("86400", 86400.0),
        ("999999999", 999999999.0),
        ("1700000000", 1700000000.0),  # no Unix time of about now
        ("99999999999", 99999999999.0),
        ("9" * 400, MOST_S),
        ("Wed, 21 Oct 2015 12:00:05 GMT", 5.0),
        ("Wed, 21 Oct 2015 11:59:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 12:00:05 GMT", 5.0),
        ("Wed Oct 21 12:00:05 2015", 5.0),
        ("Wed, 21 Oct 2015 12:00:05 -0000", 5.0),
        ("Wed, 21 Oct 2015 14:00:05 +0200", 5.0),
        ("Wed, 32 Oct 2015 12:00:05 GMT", None),
        ("Wed, 21 Oct 99999 12:00:05 GMT", None),
        ("Wed, 21 Oct 2015 12:00:05 +9999", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_retry_after(text, expected_s, zone, monkeypatch):
    """In whatever zone this machine stands: a date without one is GMT (RFC 9110, 5.6.7 knows such dates)."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert retry_after_s(answered(429, date=NOON, retry_after=text)) == expected_s
        assert retry_after_s(answered(429, wall_at=NOON_UNIX, retry_after=text)) == expected_s
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_date_is_held_against_the_services_own_clock():
    """Its clock may be an hour off ours: what counts is how long it asks for."""
    asked = answered(429, date=NOON, wall_at=NOON_UNIX + 3600.0, retry_after="Wed, 21 Oct 2015 12:00:30 GMT")
    assert retry_after_s(asked) == 30.0


@pytest.mark.parametrize("date", ["yesterday", "", "21"])
def test_a_date_is_held_against_ours_where_the_service_has_none_that_can_be_read(date):
    asked = answered(429, date=date, wall_at=NOON_UNIX, retry_after="Wed, 21 Oct 2015 12:00:30 GMT")
    assert retry_after_s(asked) == 30.0


def test_a_retry_after_as_long_as_a_header_may_be_is_read_in_linear_time():
    assert (
        retry_after_s(answered(429, retry_after=f"{'1' * 60_000}x")) is None
    )  # tried in every way, it took half a minute


@given(st.text(max_size=40))
def test_no_text_of_a_header_is_too_strange(text):
    after_s = retry_after_s(answered(429, date=text, retry_after=text))
    assert after_s is None or after_s >= 0.0


# ── the headers of a quota ──────────────────────────────────────────────────────────────────────────────────────────

SPENT = {
    "draft 3": ({"ratelimit-limit": "9", "ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7.0),
    "draft 7": ({"ratelimit": "limit=9, remaining=0, reset=7"}, 7.0),
    "draft 8": ({"ratelimit": '"a";r=0;t=7, "b";r=5;t=900'}, 7.0),
    "two that are spent": ({"ratelimit": '"a";r=0;t=7, "b";r=0;t=900'}, 900.0),
    "seconds": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, 7.0),
    "Unix time": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON_UNIX) + 7)}, 7.0),
    "Unix time in ms": ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str((int(NOON_UNIX) + 7) * 1000)}, 7.0),
    "seconds after": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "7.5"}, 7.5),
    "a duration": ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m7s"}, 67.0),
}


@pytest.mark.parametrize(("headers", "wait_s"), SPENT.values(), ids=SPENT)
def test_a_quota_that_is_spent_holds_everyone_until_it_is_back_whether_the_answer_is_good_or_a_refusal(headers, wait_s):
    headers = {name.replace("-", "_"): value for name, value in headers.items()}
    assert judge(get("/x"), answered(429, date=NOON, **headers))[0] == Retry("HTTP 429", wait_s, pause=True)
    assert judge(get("/x"), answered(503, date=NOON, **headers))[0] == Retry("HTTP 503", wait_s, pause=True)
    assert spent_quota(answered(date=NOON, **headers)) == Hints(pause_s=wait_s)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_ratelimit_remaining": "3", "x_ratelimit_reset": "7"},
        {"x_ratelimit_remaining": "0"},
        {"ratelimit": '"a";r=3;t=7'},
        {"ratelimit": "strange"},
        {"x_ratelimit_remaining": "none", "x_ratelimit_reset": "soon"},
        {  # a moment that is long over
            "date": "Wed, 21 Oct 2015 12:00:00 GMT",
            "x_ratelimit_remaining": "0",
            "x_ratelimit_reset": str(int(NOON_UNIX) - 1_000_000),
        },
    ],
)
def test_a_quota_of_which_something_is_left_holds_nobody(headers):
    assert spent_quota(answered(**headers)) is None
    assert asked_wait_s(answered(429, **headers)) is None


def test_retry_after_goes_before_the_headers_of_a_quota():
    assert asked_wait_s(answered(429, retry_after="3", x_ratelimit_remaining="0", x_ratelimit_reset="900")) == 3.0
    assert asked_wait_s(answered(429, retry_after="3", retry_after_ms="3500")) == 3.5


# ── how long to wait ────────────────────────────────────────────────────────────────────────────────────────────────


@given(backoffs, st.integers(1, 100), st.floats(0.0, 1e9), chances)
def test_what_the_service_asked_for_is_never_undercut(backoff, attempt, after_s, chance):
    """Jitter only lengthens it, and no cap shortens it."""
    assert backoff.delay_s(attempt, after_s, lambda: chance) >= after_s
    assert backoff.pause_s(attempt, after_s, lambda: chance) >= after_s


@given(backoffs, st.integers(1, 100), chances)
def test_the_jitter_is_full_and_stays_below_the_cap(backoff, attempt, chance):
    least, most = (backoff.delay_s(attempt, None, lambda value=value: value) for value in (0.0, 1.0))
    assert least == 0.0
    assert most <= backoff.cap_s
    assert least <= backoff.delay_s(attempt, None, lambda: chance) <= most


@given(backoffs, st.integers(1, 100), chances)
def test_a_pause_for_all_is_at_least_the_exponential_itself(backoff, attempt, chance):
    """Nobody gains from all coming back early: full jitter is for one alone."""
    most = backoff.delay_s(attempt, None, lambda: 1.0)
    assert most <= backoff.pause_s(attempt, None, lambda: chance) <= most + backoff.base_s / 2


@pytest.mark.parametrize(("attempt", "most_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (50, 30.0)])
def test_each_wait_may_be_twice_as_long_as_the_one_before(attempt, most_s):
    assert Backoff().delay_s(attempt, None, lambda: 1.0) == most_s


def test_the_services_lifetimes_and_keys_are_not_asked_for_a_verdict():
    """A verdict is a function of the request and its answer, and so it can be printed."""
    assert repr(judge(get("/x", service=FILMS), answered(429, retry_after="3"))[0]) == (
        "Retry(reason='HTTP 429', after_s=3.0, pause=True, attempts=None)"
    )
    assert json.loads(body_of({"a": 1})) == {"a": 1}
