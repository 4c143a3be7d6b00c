"""Settings of articles: the file's sections, plain variables, durations, and what is refused in one line."""

import re

import pytest

from enricher.errors import SettingError
from enricher.settings import load, load_for_articles, parse_duration

WHOLE = """
async: {enabled: true, max_concurrent: 8, timeout: 45s, use_streaming: false, batch_size: 50}
rate_limiting: {rps: 2.5, burst: 3, backoff_factor: 3}
database: {path: here.db}
cache: {enabled: true, l1_size_mb: 4, l2_enabled: false, ttl_rss: 30m, ttl_scraped: 1d, ttl_api: 90d}
feeds: [https://a.example/feed, https://b.example/feed]
provider: mistral
"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith(("ENRICHER_", "RATE_", "API_", "MAX_", "RSS_", "REQUEST_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


def written(tmp_path, text):
    path = tmp_path / "enricher.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_articles_have_defaults_of_their_own():
    articles, films = load_for_articles({}), load({})
    assert (articles.concurrency, articles.timeout) == (5, 30.0)
    assert (films.concurrency, films.timeout) == (10, 10.0)
    assert (articles.api_timeout, articles.article_timeout, articles.provider) == (60.0, 30.0, "local")
    assert (articles.ttl_rss, articles.ttl_scraped, articles.ttl_api) == (3_600, 7 * 86_400, 30 * 86_400)


def test_sections_of_the_file_are_settings_like_any_other(tmp_path):
    settings = load_for_articles({}, written(tmp_path, WHOLE))
    assert (settings.mode, settings.concurrency, settings.timeout, settings.stream) == ("async", 8, 45.0, False)
    assert (settings.rate, settings.burst, settings.backoff_factor) == ("5/2s", 3, 3.0)
    assert (str(settings.db), settings.l1_size_mb, settings.l2_enabled) == ("here.db", 4.0, False)
    assert (settings.ttl_rss, settings.ttl_scraped, settings.ttl_api) == (1_800, 86_400, 90 * 86_400)
    assert settings.feeds == ["https://a.example/feed", "https://b.example/feed"]
    assert (settings.batch_size, settings.provider) == (50, "mistral")


def test_one_file_serves_films_as_well(tmp_path):
    assert load({}, written(tmp_path, WHOLE)).concurrency == 8


def test_async_that_is_not_enabled_leaves_the_default_mode(tmp_path):
    assert load_for_articles({}, written(tmp_path, "async: {enabled: false}")).mode == "threaded"


def test_a_flag_goes_before_a_variable_and_that_before_a_plain_one_and_that_before_the_file(tmp_path, monkeypatch):
    file = written(tmp_path, "async: {max_concurrent: 1}")
    assert load_for_articles({}, file).concurrency == 1
    monkeypatch.setenv("MAX_CONCURRENT_ARTICLES", "2")
    assert load_for_articles({}, file).concurrency == 2
    monkeypatch.setenv("ENRICHER_CONCURRENCY", "3")
    assert load_for_articles({}, file).concurrency == 3
    assert load_for_articles({"concurrency": "4"}, file).concurrency == 4


def test_plain_variables_of_articles(monkeypatch):
    for name, value in {
        "RATE_LIMIT_RPS": "2.5",
        "RATE_LIMIT_BURST": "4",
        "REQUEST_TIMEOUT": "12",
        "API_TIMEOUT": "90",
        "LOG_LEVEL": "INFO",
        "API_PROVIDER": "openai",
        "ANTHROPIC_API_KEY": " a ",
        "OPENAI_API_KEY": "o",
        "MISTRAL_API_KEY": "m",
        "RSS_FEED_URL": "https://a.example/feed, https://b.example/feed",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_for_articles({})
    assert (settings.rate, settings.burst, settings.timeout, settings.api_timeout) == ("5/2s", 4, 12.0, 90.0)
    assert (settings.log_level, settings.provider) == ("info", "openai")
    assert settings.anthropic_api_key.get_secret_value() == "a"
    assert settings.feeds == ["https://a.example/feed", "https://b.example/feed"]


def test_a_variable_of_ours_takes_several_values(monkeypatch):
    monkeypatch.setenv("ENRICHER_ALLOW_PRIVATE", "127.0.0.1:8080 Intranet.local")
    assert load_for_articles({}).allow_private == ["127.0.0.1:8080", "intranet.local"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("5m", 300), ("1h", 3_600), ("7d", 604_800), ("1.5h", 5_400)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7 days", "-1d", "1w", "d", "1e9", "٣"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("async: {speed: 1}", "async: speed: no such setting; there are enabled, max_concurrent"),
        ("async: yes please", "async: holds settings of its own"),
        ("async: {enabled: perhaps}", "mode is 'perhaps'"),
        ("async: {max_concurrent: 11}", "concurrency is '11'; allowed: a whole number from 1 to 10"),
        ("cache: {ttl_rss: soon}", "ttl_rss is 'soon'; allowed: seconds, or a number with s, m, h or d"),
        ("concurrency: 2\nasync: {max_concurrent: 3}", "async: max_concurrent: concurrency is set twice"),
        ("colour: blue", "colour: no such setting"),
        ("provider: hal", "provider is 'hal'; allowed: local, anthropic, openai, mistral"),
        ("fallback: hal:9000", "fallback is 'hal:9000'"),
        ("fallback: [openai, hal]", "fallback is"),
        ("fallback: openai:m@ftp://x", "fallback is 'openai:m@ftp://x'"),
        ("fallback: [{provider: openai, url: http://x}]", "fallback is"),
        ("base_url: http://a.example/v1#x", "base_url is"),
        ("base_url: http://me@a.example/v1", "base_url is"),
        ("max_tokens: 0", "max_tokens is '0'; allowed: a whole number"),
        ("api_keys: {a b: x}", "api_keys: not a key"),
        ("budget: -1", "budget is '-1'; allowed: an amount in dollars"),
        ("allow_private: [http://x/]", "allow_private is"),
    ],
)
def test_what_can_not_be_is_one_line(tmp_path, text, said):
    with pytest.raises(SettingError) as refused:
        load_for_articles({}, written(tmp_path, text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_is_never_repeated(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "geheim\u2014")
    with pytest.raises(SettingError) as refused:
        load_for_articles({})
    assert "geheim" not in str(refused.value)


def test_several_fallbacks_stay_in_their_order_wherever_they_are_set(tmp_path, monkeypatch):
    several = [
        "openai:llama3.2:3b@http://localhost:11434/v1?key=a,b",
        "mistral",
        "openai@https://b.example/v1beta/openai/",
    ]
    assert load_for_articles({"fallback": " ".join(several)}).fallback == several
    monkeypatch.setenv("ENRICHER_FALLBACK", ",".join(several))
    assert load_for_articles({}).fallback == several
    monkeypatch.delenv("ENRICHER_FALLBACK")
    text = """
fallback:
  - {provider: openai, model: "llama3.2:3b", base_url: "http://localhost:11434/v1?key=a,b"}
  - mistral
  - {provider: openai, base_url: https://b.example/v1beta/openai/}
"""
    assert load_for_articles({}, written(tmp_path, text)).fallback == several


def test_an_address_of_an_api_may_have_a_query_and_a_film_api_s_may_not():
    address = "https://a.example/openai/deployments/d?api-version=2024-10-21"
    assert load_for_articles({"base_url": address}).base_url == address
    with pytest.raises(SettingError):
        load({"base_url": address})


def test_a_refusal_repeats_no_query_and_no_key_of_a_host():
    for flags in (
        {"fallback": "openai:m@https://a.example/v1?key=geheim#x"},
        {"base_url": "https://a.example/v1?key=geheim#x"},
        {"api_keys": "a/b=geheim"},
    ):
        with pytest.raises(SettingError) as refused:
            load_for_articles(flags)
        assert "geheim" not in str(refused.value)
