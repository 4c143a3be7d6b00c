"""The dates that feeds write, read as moments."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.pipelines.articles.feeds import parse_feed
from enricher.pipelines.articles.sources.dates import moment_of

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
RSS = (
    "<rss version='2.0'><channel><item><link>https://news.example/a</link><pubDate>{}</pubDate></item></channel></rss>"
)


@pytest.mark.parametrize(
    "text",
    [
        *("Mon, 05 Jan 2026 09:00:00 GMT", "Mon, 05 Jan 2026 04:00:00 EST", "Mon, 05 Jan 2026 10:00 CET"),
        *("Mon, 05 Jan 2026 18:00:00 JST", "Mon, 5 Jan 2026 20:00:00 AEDT", "Mon, 05 Jan 26 01:00:00 PST"),
        *("Mon, 05 Jan 2026 10:00:00 Europe/Berlin", "Mon, 05 Jan 2026 06:00:00 America/Argentina/Buenos_Aires"),
        *("Mon, 05 Jan 2026 11:00:00 GMT+2", "Mon, 05 Jan 2026 14:30:00 UTC+05:30", "Mon, 05 Jan 2026 14:30:00 IST"),
        *(
            "Mon, 05 Jan 2026 10:00:00 +0100",
            "Mon, 05 Jan 2026 10:00:00 +01:00",
            "Mon, 05 Jan 2026 10:00:00 +0100 (CET)",
        ),
        *(
            "Mon Jan  5 10:00:00 CET 2026",
            "Mon Jan  5 09:00:00 2026",
            "Mon, 05 Jan 2026 09:00 AM",
            "Lun, 05 Jan 2026 09:00",
        ),
        *(
            "Mon, 05 Jan 2026 04:00:00 -0500 EST",
            "Mon, 05 Jan 2026 10:00:00 GMT+0100",
            "2026-01-05T09:00:00Z",
            "2026-01-05 10:00:00+01:00",
            "2026-01-05 04:00 EST",
            "20260105090000",
            "2026/1/5 09:00:00",
        ),
        *("January 5, 2026 4:00 am EST", "Jan 5, 2026 09:00:00", "  2026-01-05T09:00:00  "),
        *("1767603600", "1767603600000", "1767603600000000", "1767603600.0", 1767603600, 1767603600000, 1767603600.0),
    ],
)
def test_a_date_is_read_whatever_its_form_and_its_zone(text):
    assert moment_of(text) == NINE


def test_noon_and_midnight_are_told_apart():
    assert moment_of("January 5, 2026 12:30 am") == datetime(2026, 1, 5, 0, 30, tzinfo=UTC)
    assert moment_of("January 5, 2026 12:30 p.m.") == datetime(2026, 1, 5, 12, 30, tzinfo=UTC)


def test_an_hour_in_summer_is_another():
    assert moment_of("Mon, 06 Jul 2026 10:00:00 CEST") == datetime(2026, 7, 6, 8, tzinfo=UTC)
    assert moment_of("Mon, 06 Jul 2026 10:00:00 Europe/Berlin") == datetime(2026, 7, 6, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "yesterday", "EST", "2026", "2026-01", "05 Jan", "Mon, 32 Jan 2026 09:00 GMT", "17676", "1" * 17),
        *("Mon, 05 Jan 2026 99:00 CET", "0001-01-01T00:00:00+23:00", "x" * 1_000, None, True, [1767603600], {}),
        *(1e300, float("nan"), -1767603600, "20261305", "20260105990000"),
    ],
)
def test_what_is_no_date_is_none_and_never_a_guess(value):
    assert moment_of(value) is None


@given(st.text(max_size=60) | st.integers() | st.floats())
def test_nothing_that_stands_for_a_date_raises(value):
    assert moment_of(value) is None or moment_of(value).tzinfo is UTC


@pytest.mark.parametrize("text", ["Mon, 05 Jan 2026 10:00:00 CET", "1767603600", "1767603600000"])
def test_the_dates_of_feeds_are_read_so(text):
    (entry,) = parse_feed(RSS.format(text).encode(), "").entries
    assert entry.published == "2026-01-05T09:00:00Z"
    for value in (text, int(text)) if text.isdigit() else (text,):
        feed = {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "date_published": value}]}
        (entry,) = parse_feed(json.dumps(feed).encode(), "").entries
        assert entry.published == "2026-01-05T09:00:00Z"


def test_a_date_in_digits_means_the_same_on_every_day():
    """feedparser makes December of it in December."""
    (entry,) = parse_feed(RSS.format("2026").encode(), "").entries
    assert entry.published is None
