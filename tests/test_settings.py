"""Settings: which place wins, and how a value that can't be is refused."""

import os
from pathlib import Path

import pytest

from enricher.errors import SettingError
from enricher.model import Window
from enricher.settings import PLAIN, Settings, load, parse_rate, rate_text

KEY = "3f9c0e7d5a1b4c2e8f6a9d0b7c5e3f1a"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("ENRICHER_") or name in PLAIN:
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path):
    """Writes the settings file; returns its path."""

    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(flags=None, file=None):
    """The line with which the settings are refused."""
    with pytest.raises(SettingError) as caught:
        load(flags or {}, file)
    line = str(caught.value)
    assert "\n" not in line
    return line


def value_of(settings, name):
    value = getattr(settings, name)
    if name == "api_keys":
        return {host: key.get_secret_value() for host, key in value.items()}
    return value.get_secret_value() if name.endswith("_api_key") and value is not None else value


# ── which place wins ────────────────────────────────────────────────────────────────────────────────────────────────

# Setting, and what each place says: flag, ENRICHER_… variable, plain variable (None: there is none), YAML; the default.
PLACES = [
    ("rate", "1/s", "2/s", "3", "4/s", None),
    ("burst", "1", "2", "3", "4", None),
    ("timeout", "1", "2", "3", "4", 10.0),
    ("log_level", "error", "INFO", "debug", "error", "warning"),
    ("tmdb_api_key", "a", "b", "c", "d", None),
    ("mode", "sequential", "async", None, "sequential", "threaded"),
    ("concurrency", "1", "2", None, "4", 10),
    ("limiter", "fixed", "sliding", None, "fixed", "sliding"),
    ("attempts", "1", "2", None, "4", 5),
    ("backoff_s", "1", "2", None, "4", 0.5),
    ("backoff_factor", "1", "3", None, "4", 2.0),
    ("backoff_cap_s", "1", "2", None, "4", 30.0),
    ("deadline_s", "1", "2", None, "4", 300.0),
    ("outage_s", "1", "2", None, "4", 120.0),
    ("l1_size_mb", "1", "2", None, "4", 16.0),
    ("db", "a.db", "b.db", None, "d.db", Path("enricher.db")),
    ("language", "de", "fr-FR", None, "ja", "en-US"),
    ("base_url", "http://a/3", "http://b/3", None, "http://d/3", None),
    ("spreadsheet_safe", True, "true", None, "true", False),
    ("include_adult", True, "true", None, "true", False),
    ("feeds", ["a"], "b", None, "[d]", []),
    ("allow_private", ["a"], "b:1", None, "[d]", []),
    ("provider", "openai", "mistral", None, "anthropic", "local"),
    ("model", "a", "b", None, "d", None),
    ("fallback", ["openai"], "mistral:b", None, "[local]", []),
    ("max_tokens", "16", "32", None, "64", 1024),
    ("reasoning_effort", "low", "medium", None, "high", None),
    ("stream", False, "false", None, "false", True),
    ("batch", True, "true", None, "true", False),
    ("batch_size", "1", "2", None, "4", 1_000),
    ("batch_poll", "1", "2", None, "4", 30.0),
    ("budget", "1", "2", None, "4", None),
    ("since", "1", "2", None, "4", None),
    ("api_timeout", "1", "2", None, "4", 60.0),
    ("article_timeout", "1", "2", None, "4", 30.0),
    ("api_minute", "1", "2", None, "4", 60.0),
    ("ignore_robots", True, "true", None, "true", False),
    ("contact", "a@a", "b@b", None, "d@d", None),
    ("prices", "a.yaml", "b.yaml", None, "d.yaml", None),
    ("cache_enabled", False, "false", None, "false", True),
    ("l2_enabled", False, "false", None, "false", True),
    ("ttl_rss", "1", "2", None, "4", 3_600.0),
    ("ttl_scraped", "1", "2", None, "4", 7 * 86_400.0),
    ("ttl_api", "1", "2", None, "4", 30 * 86_400.0),
    ("anthropic_api_key", "a", "b", None, "d", None),
    ("openai_api_key", "a", "b", None, "d", None),
    ("mistral_api_key", "a", "b", None, "d", None),
    ("api_keys", {"a": "x"}, "a=y", None, "{a: z}", {}),
]
READ = {
    "rate": lambda text: text if "/" in text else f"{text}/1s",
    "log_level": str.lower,
    **dict.fromkeys(("db", "prices"), Path),
    **dict.fromkeys(
        ("spreadsheet_safe", "include_adult", "stream", "batch", "ignore_robots", "cache_enabled", "l2_enabled"),
        lambda text: str(text).lower() == "true",
    ),
    **dict.fromkeys(
        ("feeds", "allow_private", "fallback"), lambda named: named if isinstance(named, list) else [named.strip("[]")]
    ),
    **dict.fromkeys(("burst", "concurrency", "attempts", "batch_size", "max_tokens"), int),
    "api_keys": lambda told: {"a=y": {"a": "y"}, "{a: z}": {"a": "z"}}.get(str(told), told),
    **dict.fromkeys(("timeout", "backoff_s", "backoff_factor", "backoff_cap_s", "budget", "since"), float),
    **dict.fromkeys(("deadline_s", "outage_s", "l1_size_mb", "batch_poll", "api_timeout"), float),
    **dict.fromkeys(("article_timeout", "api_minute", "ttl_rss", "ttl_scraped", "ttl_api"), float),
}


def test_each_setting_is_in_the_table_of_places():
    assert {name for name, *_ in PLACES} == set(Settings.model_fields)
    assert {name for name, _, _, plain, _, _ in PLACES if plain is not None} == set(PLAIN.values())


@pytest.mark.parametrize(
    ("name", "flag", "prefixed", "plain", "yaml", "default"), PLACES, ids=[row[0] for row in PLACES]
)
def test_flags_beat_variables_beat_plain_ones_beat_the_file_beat_the_default(
    name, flag, prefixed, plain, yaml, default, config, monkeypatch
):
    read = READ.get(name, str)
    plain_name = next((variable for variable, means in PLAIN.items() if means == name), None)

    def now(flags, file):
        return value_of(load(flags, file), name)

    assert now({name: None}, None) == default
    file = config(f"{name.replace('_', '-')}: {yaml}\n")
    assert now({}, file) == read(yaml)
    if plain_name is not None:
        monkeypatch.setenv(plain_name, plain)
        assert now({}, file) == read(plain)
    monkeypatch.setenv(f"ENRICHER_{name.upper()}", prefixed)
    assert now({}, file) == read(prefixed)
    assert now({name: flag}, file) == read(flag)


def test_an_empty_variable_and_an_empty_line_say_nothing(config, monkeypatch):
    monkeypatch.setenv("ENRICHER_MODE", "")
    monkeypatch.setenv("REQUEST_TIMEOUT", "")
    settings = load({}, config("mode: async\nlanguage:\ntimeout: 7\n"))
    assert (settings.mode, settings.timeout, settings.language) == ("async", 7.0, "en-US")


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file_says_nothing(text, config):
    assert load({}, config(text)).model_dump() == load({}).model_dump()


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("35", (Window(35, 1.0),)),
        (" 2.5 ", (Window(5, 2.0),)),
        ("0.1", (Window(1, 10.0),)),
        (".5", (Window(1, 2.0),)),
        ("3.", (Window(3, 1.0),)),
        ("0.3333333333333333", (Window(1, 3.0),)),
        ("40/10s", (Window(40, 10.0),)),
    ],
)
def test_rate_limit_rps_is_a_number_of_requests_a_second(text, windows, monkeypatch):
    monkeypatch.setenv("RATE_LIMIT_RPS", text)
    assert load({}).windows == windows


# ── rates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("35/s", [(35, 1)]),
        ("40/10s", [(40, 10)]),
        ("40/10s,35/s", [(40, 10), (35, 1)]),
        (" 40 / 10 s , 35/sec ", [(40, 10), (35, 1)]),
        ("5/0.5s", [(5, 0.5)]),
        ("60/min", [(60, 60)]),
        ("60/2m", [(60, 120)]),
        ("1000/h", [(1000, 3600)]),
        ("none", []),
        (" None ", []),
    ],
)
def test_a_rate_is_read_as_windows_and_said_again(text, windows):
    assert [(window.limit, window.period_s) for window in parse_rate(text)] == windows
    assert parse_rate(rate_text(parse_rate(text))) == parse_rate(text)
    assert load({"rate": text}).windows == parse_rate(text)


def test_a_rate_that_was_not_set_is_left_to_the_service():
    assert load({}).windows is None


BAD_RATES = [
    "",
    "35",
    "35/",
    "0/s",
    "-1/s",
    "35/0s",
    "35/day",
    "35/s;",
    "35/s,",
    "fast",
    "٣٥/s",
    "1" * 10 + "/s",
    "1e3/s",
]


@pytest.mark.parametrize("text", BAD_RATES)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match=r"^"):
        parse_rate(text)
    assert f"--rate is {text!r}; allowed: N/s, N/10s" in refusal({"rate": text})


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = [
    *(("mode", word) for word in ("fast", "Async", "1")),
    *(("concurrency", word) for word in ("0", "1001", "ten", "1.5", "-1")),
    *(("burst", word) for word in ("0", "some")),
    *(("limiter", word) for word in ("token", "Sliding")),
    *(("timeout", word) for word in ("0", "-1", "3601", "inf", "nan", "10 min")),
    *(("attempts", word) for word in ("0", "101", "many")),
    *(("backoff_s", word) for word in ("0", "601", "nan")),
    *(("backoff_factor", word) for word in ("0.5", "101")),
    *(("backoff_cap_s", word) for word in ("0", "inf")),
    *(("deadline_s", word) for word in ("0", "inf", "soon")),
    *(("outage_s", word) for word in ("0", "inf")),
    *(("l1_size_mb", word) for word in ("-1", "100001", "big")),
    *(("language", word) for word in ("English", "en_US", "EN")),
    *(("base_url", word) for word in ("api.themoviedb.org", "ftp://a/3", "http://a/3 b")),
    *(("spreadsheet_safe", word) for word in ("perhaps", "2")),
    *(("log_level", word) for word in ("loud", "TRACE")),
]


@pytest.mark.parametrize(("name", "word"), REFUSED)
def test_a_value_that_can_not_be_is_refused_with_its_place_itself_and_what_is_allowed(name, word, config, monkeypatch):
    file = config(f"{name}: '{word}'\n")
    told = f"is {word!r}; allowed: {Settings.model_fields[name].description}"
    assert refusal({}, file) == f"config {file}: {name} {told}"
    monkeypatch.setenv(f"ENRICHER_{name.upper()}", word)
    assert refusal({}, file) == f"ENRICHER_{name.upper()} {told}"
    assert refusal({name: word}, file) == f"--{name.replace('_', '-')} {told}"


@pytest.mark.parametrize(
    ("variable", "word", "allowed"),
    [
        ("RATE_LIMIT_RPS", "many", "a number of requests a second, more than 0"),
        ("RATE_LIMIT_RPS", "0", "a number of requests a second, more than 0"),
        ("RATE_LIMIT_RPS", "-3", "a number of requests a second, more than 0"),
        ("RATE_LIMIT_RPS", "nan", "a number of requests a second, more than 0"),
        ("RATE_LIMIT_RPS", "1/0", "a number of requests a second, more than 0"),
        (
            "RATE_LIMIT_RPS",
            "1e999999999",
            "a number of requests a second, more than 0",
        ),  # as a whole number it would fill the memory
        ("RATE_LIMIT_BURST", "0", "a whole number"),
        ("REQUEST_TIMEOUT", "soon", "seconds"),
        ("LOG_LEVEL", "loud", "debug, info"),
    ],
)
def test_a_plain_variable_is_named_as_it_was_written(variable, word, allowed, monkeypatch):
    monkeypatch.setenv(variable, word)
    line = refusal()
    assert line.startswith(f"{variable} is {word!r}; allowed: ")
    assert allowed in line


def test_a_prefixed_variable_in_another_case_is_named_as_it_was_written(monkeypatch):
    monkeypatch.setenv("enricher_timeout", "soon")
    assert refusal().startswith("enricher_timeout is 'soon'")


def test_a_long_value_is_cut_and_a_broken_line_stays_one_line():
    line = refusal({"mode": "a\nb" * 100})
    assert len(line) < 200


@pytest.mark.parametrize(
    "value",
    ["[1, 2]", "{a: 1}", "true", "12", "2025-01-01", "1.5"],
    ids=["list", "map", "bool", "int", "date", "float"],
)
def test_a_value_of_another_kind_in_the_file_is_refused(value, config):
    assert "language is " in refusal({}, config(f"language: {value}\n"))


def test_a_setting_that_there_is_not_is_refused_with_those_that_there_are(config):
    file = config(f"modes: async\napi_key: {KEY}\n")
    line = refusal({}, file)
    assert line.startswith(f"config {file}: modes: no such setting; there are allow_private, anthropic_api_key,")
    assert all(name in line for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mode: [async\n", "line 2: not YAML"),
        ("mode: async\n\tburst: 1\n", "line 2: not YAML"),
        ("mode: 2025-13-45\n", "not YAML"),
        ("a: " + "[" * 3000, "not YAML"),
        ("mode: \x07\n", "not YAML"),
        ("!!python/object/apply:os.system [echo]\n", "line 1: not YAML"),
        ("- mode\n- async\n", "not a mapping"),
        ("mode\n", "not a mapping"),
        ("1: async\n", "not a mapping"),
        (b"mode: \xff\xfe\n", "not UTF-8 text"),
    ],
    ids=["bracket", "tab", "date", "deep", "control", "object", "list", "word", "number", "bytes"],
)
def test_a_file_that_is_no_settings_file_is_refused_in_one_line(text, reason, config):
    file = config(text)
    assert refusal({}, file).startswith(f"config {file}")
    assert reason in refusal({}, file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refusal({}, tmp_path / "none.yaml") == f"config {tmp_path / 'none.yaml'}: No such file or directory"
    assert refusal({}, tmp_path) == f"config {tmp_path}: Is a directory"


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        f"tmdb_api_key: [{KEY}]\n",
        f"api_key: {KEY}\n",
        f"mode: async: {KEY}\n",
        f"base_url: https://api.themoviedb.org/3?api_key={KEY}\n",
        f"base_url: https://user:{KEY}@api.themoviedb.org/3\n",
    ],
    ids=["of another kind", "unknown setting", "broken line", "in a query", "as a password"],
)
def test_a_refusal_never_repeats_a_key(text, config):
    assert KEY not in refusal({}, config(text))
    assert KEY[:8] not in refusal({}, config(text))


def test_a_refused_key_is_named_by_its_place_alone(config, monkeypatch):
    file = config("tmdb_api_key: 12345\n")
    assert refusal({}, file) == f"config {file}: tmdb_api_key: not a key"


def test_settings_that_are_printed_show_no_key(monkeypatch):
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    settings = load({})
    assert settings.tmdb_api_key.get_secret_value() == KEY
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()}"
