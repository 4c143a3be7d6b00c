"""What models cost: the bundled list, dates, and what is said of a file that can't be used."""

from __future__ import annotations

from datetime import date

import pytest

from enricher.errors import SettingError
from enricher.model import Price, Usage
from enricher.pipelines.articles.prices import discount_of, load_prices, price_of
from enricher.pipelines.articles.providers import BY_NAME

TODAY = date(2026, 11, 26)

LISTED = """
providers:
  acme:
    source: https://acme.example/prices
    checked: 2026-11-01
    batch: 0.25
    models:
      roadrunner:
        - {since: 2026-01-01, in: 2, out: 10, cached: 0.5}
        - {since: 2026-06-01, in: 1, out: 5, cached: 0.1}
      coyote-2026-01-01:
        - {since: 2026-01-01, in: 7, out: 7}
      coyote:
        - {since: 2026-01-01, in: 4, out: 4}
"""


@pytest.fixture
def listed(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text(LISTED, encoding="utf-8")
    return load_prices(file)


@pytest.mark.parametrize("name", ["anthropic", "openai", "mistral"])
def test_the_default_model_of_each_paid_provider_has_a_price_and_a_discount(name):
    prices = load_prices()
    assert price_of(prices, name, BY_NAME[name].default_model, TODAY) is not None
    assert discount_of(prices, name) == 0.5


def test_dollars_for_a_million_tokens_are_nanodollars_for_one():
    price = price_of(load_prices(), "anthropic", "claude-haiku-4-5", TODAY)
    assert price == Price(tokens_in=1000.0, tokens_out=5000.0, cached=100.0)
    assert price.of(Usage(1_000_000, 0)) == 1_000_000_000


def test_a_thousand_articles_cost_what_they_should():
    """1,115 tokens of text, 300 of prompt and 600 of answer each: 44 cents."""
    price = price_of(load_prices(), "anthropic", "claude-haiku-5-5", TODAY)
    assert 1000 * price.of(Usage(1415, 600)) == pytest.approx(0.4415e9)


def test_a_price_holds_from_its_day_until_the_next_one(listed):
    assert price_of(listed, "acme", "roadrunner", date(2025, 12, 31)) is None
    assert price_of(listed, "acme", "roadrunner", date(2026, 1, 1)).tokens_in == 2000
    assert price_of(listed, "acme", "roadrunner", date(2026, 5, 31)).tokens_in == 2000
    assert price_of(listed, "acme", "roadrunner", date(2026, 6, 1)).tokens_in == 1000


def test_cached_tokens_cost_as_much_as_fresh_ones_where_nothing_is_said(listed):
    assert price_of(listed, "acme", "coyote", TODAY).cached == 4000


def test_a_dated_name_costs_what_the_plain_one_does_unless_it_is_listed(listed):
    assert price_of(listed, "acme", "coyote-20260501", TODAY).tokens_in == 4000
    assert price_of(listed, "acme", "coyote-2026-05-01", TODAY).tokens_in == 4000
    assert price_of(listed, "acme", "coyote-2026-01-01", TODAY).tokens_in == 7000


def test_what_is_not_listed_has_no_price(listed):
    assert price_of(listed, "acme", "other", TODAY) is None
    assert price_of(listed, "other", "coyote", TODAY) is None
    assert discount_of(listed, "acme") == 0.25
    assert discount_of(listed, "other") == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("providers: [", ", line 1: this is no YAML"),
        ("a: 2026-02-31", ": this is no YAML, or holds a date that can't be"),
        ("", ": the file must be names with values"),
        ("prices: {}", ": prices must be one of providers"),
        ("providers: {acme: {model: {}}}", ": providers.acme.model must be one of batch, checked, models, source"),
        ("providers: {acme: {models: {x: {in: 1}}}}", ": providers.acme.models.x must be a list of prices"),
        (
            "providers: {acme: {models: {x: [{since: 2026-01-01, in: -1, out: 1}]}}}",
            ": providers.acme.models.x[0].in must be a number, not below 0",
        ),
        (
            "providers: {acme: {models: {x: [{since: 2026-01-01, in: 1}]}}}",
            ": providers.acme.models.x[0].out must be a number, not below 0",
        ),
        (
            "providers: {acme: {models: {x: [{since: soon, in: 1, out: 1}]}}}",
            ": providers.acme.models.x[0].since must be a day like 2026-11-26",
        ),
        (
            "providers: {acme: {models: {x: [{since: 2026-01-01, above: 5, in: 1, out: 1}]}}}",
            ": providers.acme.models.x[0].above must be one of cached, in, out, since",
        ),
        (
            "providers: {acme: {models: {x: [{since: 2026-01-01, in: .nan, out: 1}]}}}",
            ": providers.acme.models.x[0].in must be a number, not below 0",
        ),
        ("providers: {acme: {batch: yes, models: {}}}", ": providers.acme.batch must be a number, not below 0"),
        (
            "providers: {acme: {models: {1: []}}}",
            ": providers.acme.models must be names that are texts; put the others into quotes",
        ),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_file_and_place(tmp_path, text, said):
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as refused:
        load_prices(file)
    assert str(refused.value) == f"{file}{said}"


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(SettingError, match="can't be read"):
        load_prices(tmp_path / "none.yaml")
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SettingError, match="no YAML"):
        load_prices(file)
