"""What a person may set, where it may be said, and in which words it is refused.

    flags  >  ENRICHER_… variables  >  plain variables (RATE_LIMIT_RPS, …)  >  the YAML file  >  defaults

A setting has one name everywhere: `rate` is `--rate`, `ENRICHER_RATE` and `rate:` in the file. The file may also group some
of them (`SECTIONS`). A value that can't be is refused in one line that names the place it was said in, the value, and what
is allowed. A key is never repeated in it.

One file serves both pipelines, so both know all settings; what is usual for articles is not what is usual for films, so
`ArticleSettings` has other defaults. Durations are seconds, or a number with s, m, h or d behind it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .checking import check_address
from .errors import SettingError
from .model import Window

_RATE = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{0,6}(?:\.\d+)?)\s*(s|sec|min|m|h)\s*", re.ASCII)
_NUMBER = re.compile(r"\s*(\d{1,9}(\.\d{0,30})?|\.\d{1,30})\s*", re.ASCII)
_HOST = re.compile(r"(?:[\w.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?", re.ASCII)
_ADDRESS = r"https?://[^\s?#@]+(?:\?[^\s#]*)?"
_FALLBACK = re.compile(
    rf"(local|anthropic|openai|mistral)(:(?:(?!://)[\w.:/@-]){{1,200}}?)?(@(?P<address>{_ADDRESS}))?"
)
_SECRET_PARTS = re.compile(r"(?<=//)[^/@]*(?=@)|(?<=\?).*", re.DOTALL)
"""Where an address may hold a key or a password: a refusal must not repeat it."""

_UNIT_S = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

PLAIN = {
    "RATE_LIMIT_RPS": "rate",
    "RATE_LIMIT_BURST": "burst",
    "REQUEST_TIMEOUT": "timeout",
    "LOG_LEVEL": "log_level",
    "TMDB_API_KEY": "tmdb_api_key",
}
"""Variables without our prefix, as other tools of the kind name them; RATE_LIMIT_RPS is a number of requests a second."""

PLAIN_FOR_ARTICLES = PLAIN | {
    "MAX_CONCURRENT_ARTICLES": "concurrency",
    "API_TIMEOUT": "api_timeout",
    "API_PROVIDER": "provider",
    "RSS_FEED_URL": "feeds",
    "ANTHROPIC_API_KEY": "anthropic_api_key",
    "OPENAI_API_KEY": "openai_api_key",
    "MISTRAL_API_KEY": "mistral_api_key",
}

SECTIONS: dict[str, dict[str, str]] = {
    "async": {
        "enabled": "mode",
        "max_concurrent": "concurrency",
        "timeout": "timeout",
        "use_streaming": "stream",
        "batch_size": "batch_size",
    },
    "rate_limiting": {"rps": "rate", "burst": "burst", "backoff_factor": "backoff_factor"},
    "database": {"path": "db"},
    "cache": {
        "enabled": "cache_enabled",
        "l1_size_mb": "l1_size_mb",
        "l2_enabled": "l2_enabled",
        "ttl_rss": "ttl_rss",
        "ttl_scraped": "ttl_scraped",
        "ttl_api": "ttl_api",
    },
}
"""Groups in the file: what stands in them, and the setting that it is."""

PROVIDERS = ("local", "anthropic", "openai", "mistral")
_DURATION = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*(s|m|h|d)?\s*", re.ASCII)
_DURATION_UNITS_S = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def parse_rate(text: str) -> tuple[Window, ...]:
    """`35/s`, `40/10s`, `40/10s,35/s`, `1000/h`, `none` → the windows that must all hold; none for `none`.

    :raises ValueError: if it is none of these.
    """
    if text.strip().lower() == "none":
        return ()
    windows = []
    for part in text.split(","):
        found = _RATE.fullmatch(part)
        if found is None:
            raise ValueError(text)
        limit, period_s = int(found[1]), float(found[2] or 1) * _UNIT_S[found[3]]
        if limit < 1 or period_s <= 0:
            raise ValueError(text)
        windows.append(Window(limit, period_s))
    return tuple(windows)


def rate_text(windows: Iterable[Window]) -> str:
    """Windows in the words of `parse_rate`.

    >>> rate_text(parse_rate("40/10s,35/s")), rate_text(())
    ('40/10s,35/s', 'none')
    """
    parts = (f"{one.limit}/{'' if one.period_s == 1 else f'{one.period_s:g}'}s" for one in windows)
    return ",".join(parts) or "none"


def parse_duration(text: str) -> float:
    """Seconds: `30`, `30s`, `5m`, `1h`, `7d`.

    :raises ValueError: if it is none of these.

    >>> parse_duration("7d"), parse_duration("1.5h"), parse_duration("30")
    (604800.0, 5400.0, 30.0)
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return float(found[1]) * _DURATION_UNITS_S[found[2]]


_A_DURATION = "seconds, or a number with s, m, h or d"


class Settings(BaseSettings):
    """All settings. A field's description is what is allowed, in the words of a refusal."""

    model_config = SettingsConfigDict(
        env_prefix="ENRICHER_", env_ignore_empty=True, extra="forbid", hide_input_in_errors=True
    )

    mode: Literal["sequential", "threaded", "async"] = Field("threaded", description="sequential, threaded or async")
    concurrency: int = Field(10, ge=1, le=1000, description="a whole number from 1 to 1000")
    rate: str | None = Field(None, description="N/s, N/10s, N/min, N/h, several with commas, or none")
    burst: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    limiter: Literal["sliding", "fixed"] = Field("sliding", description="sliding or fixed")
    timeout: float = Field(10.0, gt=0, le=3600, description="seconds, more than 0 and at most 3600")
    attempts: int = Field(5, ge=1, le=100, description="a whole number from 1 to 100")
    backoff_s: float = Field(0.5, gt=0, le=600, description="seconds, more than 0 and at most 600")
    backoff_factor: float = Field(2.0, ge=1, le=100, description="a number from 1 to 100")
    backoff_cap_s: float = Field(30.0, gt=0, le=3600, description="seconds, more than 0 and at most 3600")
    deadline_s: float = Field(300.0, gt=0, description="seconds, more than 0")
    outage_s: float = Field(120.0, gt=0, description="seconds, more than 0")
    l1_size_mb: float = Field(16.0, ge=0, le=100_000, description="megabytes, 0 or more")
    db: Path = Field(Path("enricher.db"), description="a file's path")
    language: str = Field("en-US", pattern=r"^[a-z]{2}(-[A-Z]{2})?$", description="as en-US or de")
    base_url: str | None = Field(
        None, pattern=r"^https?://[^\s?#@]+$", description="an http(s) address without a query"
    )
    include_adult: bool = Field(False, description="true or false")
    spreadsheet_safe: bool = Field(False, description="true or false")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="debug, info, warning or error"
    )
    tmdb_api_key: SecretStr | None = Field(None, description="a key of TMDB")

    feeds: Annotated[list[str], NoDecode] = Field([], description="addresses of feeds")
    provider: Literal["local", "anthropic", "openai", "mistral"] = Field("local", description=", ".join(PROVIDERS))
    model: str | None = Field(None, pattern=r"^[\w.:/@-]{1,200}$", description="a model's name")
    fallback: Annotated[list[str], NoDecode] = Field(
        [], description="PROVIDER, PROVIDER:MODEL or PROVIDER:MODEL@ADDRESS"
    )
    max_tokens: int = Field(1024, ge=16, le=1_000_000, description="a whole number from 16 to 1000000")
    reasoning_effort: str | None = Field(
        None, pattern=r"^[a-z]{1,20}$", description="a word of the provider's, as low, medium or high"
    )
    stream: bool = Field(True, description="true or false")
    batch: bool = Field(False, description="true or false")
    batch_size: int = Field(1_000, ge=1, le=50_000, description="a whole number from 1 to 50000")
    batch_poll: float = Field(30.0, gt=0, le=86_400, description=_A_DURATION)
    budget: float | None = Field(None, ge=0, le=1_000_000, description="an amount in dollars")
    since: float | None = Field(None, gt=0, le=100 * 365 * 86_400, description=f"{_A_DURATION}; a century at most")
    api_timeout: float = Field(60.0, gt=0, le=3600, description="seconds, more than 0 and at most 3600")
    article_timeout: float = Field(30.0, gt=0, le=3600, description="seconds, more than 0 and at most 3600")
    ignore_robots: bool = Field(False, description="true or false")
    allow_private: Annotated[list[str], NoDecode] = Field([], description="HOST or HOST:PORT")
    contact: str | None = Field(None, pattern=r"^[!-~]{1,200}$", description="an address without blanks")
    api_minute: float = Field(60.0, gt=0, le=3600, description="seconds, more than 0 and at most 3600")
    prices: Path | None = Field(None, description="a file's path")
    cache_enabled: bool = Field(True, description="true or false")
    l2_enabled: bool = Field(True, description="true or false")
    ttl_rss: float = Field(3_600.0, ge=0, description=_A_DURATION)
    ttl_scraped: float = Field(7 * 86_400.0, ge=0, description=_A_DURATION)
    ttl_api: float = Field(30 * 86_400.0, ge=0, description=_A_DURATION)
    anthropic_api_key: SecretStr | None = Field(None, description="a key of Anthropic")
    openai_api_key: SecretStr | None = Field(None, description="a key of OpenAI")
    mistral_api_key: SecretStr | None = Field(None, description="a key of Mistral")
    api_keys: Annotated[dict[str, SecretStr], NoDecode] = Field({}, description="HOST=KEY")

    @field_validator("rate", mode="after")
    @classmethod
    def _rate_can_be_read(cls, rate: str | None) -> str | None:
        if rate is not None:
            parse_rate(rate)
        return rate

    @field_validator("feeds", "allow_private", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """One, several with commas or blanks between them, or a list."""
        return [part for part in re.split(r"[\s,]+", value) if part] if isinstance(value, str) else value

    @field_validator("fallback", mode="before")
    @classmethod
    def _several_analysts(cls, value: Any) -> Any:
        """One, several with commas or blanks between them, or a list of texts or of {provider, model, base_url}."""
        if isinstance(value, str):
            return [
                part for part in re.split(r"\s+|,(?=(?:local|anthropic|openai|mistral)\b)", value) if part.strip(",")
            ]
        return (
            [_analyst_of(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value
        )

    @field_validator("fallback", mode="after")
    @classmethod
    def _analysts(cls, fallback: list[str]) -> list[str]:
        for one in fallback:
            found = _FALLBACK.fullmatch(one)
            if found is None:
                raise ValueError
            if found["address"] is not None:
                check_address(found["address"])
        return fallback

    @field_validator("api_keys", mode="before")
    @classmethod
    def _keys_by_host(cls, value: Any) -> Any:
        """HOST=KEY, several with blanks between them, or a mapping."""
        if isinstance(value, str):
            value = dict(part.partition("=")[::2] for part in value.split())
        if isinstance(value, dict) and not all(_HOST.fullmatch(str(host)) and key for host, key in value.items()):
            raise ValueError
        return {host.lower(): key for host, key in value.items()} if isinstance(value, dict) else value

    @field_validator("allow_private", mode="after")
    @classmethod
    def _hosts(cls, hosts: list[str]) -> list[str]:
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise ValueError
        return [host.lower() for host in hosts]

    @field_validator(
        *("timeout", "api_timeout", "article_timeout", "batch_poll", "since", "ttl_rss", "ttl_scraped", "ttl_api"),
        mode="before",
    )
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return parse_duration(value) if isinstance(value, str) else value

    @field_validator("tmdb_api_key", "anthropic_api_key", "openai_api_key", "mistral_api_key", mode="before")
    @classmethod
    def _key_without_blanks(cls, key: Any) -> Any:
        """What is copied from a page often has a blank or a line break at its end. Blanks alone are no key."""
        if not isinstance(key, str):
            return key
        if not (key.strip().isascii() and key.strip().isprintable()):
            raise ValueError
        return key.strip() or None

    @field_validator("base_url", mode="after")
    @classmethod
    def _address_has_a_host(cls, base_url: str | None) -> str | None:
        if base_url is not None:
            check_address(base_url)
        return base_url

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_any_case(cls, level: Any) -> Any:
        return level.lower() if isinstance(level, str) else level

    @field_validator(
        *("timeout", "api_timeout", "article_timeout", "backoff_s", "backoff_cap_s", "deadline_s", "outage_s"),
        mode="after",
    )
    @classmethod
    def _is_finite(cls, seconds: float) -> float:
        if seconds == float("inf"):
            raise ValueError
        return seconds

    @property
    def windows(self) -> tuple[Window, ...] | None:
        """The rate as windows; None where it was not set."""
        return None if self.rate is None else parse_rate(self.rate)


class ArticleSettings(Settings):
    """The settings with what is usual for articles: fewer at a time, more patience."""

    concurrency: int = Field(5, ge=1, le=10, description="a whole number from 1 to 10")
    timeout: float = Field(30.0, gt=0, le=3600, description="seconds, more than 0 and at most 3600")

    base_url: str | None = Field(None, pattern=rf"^{_ADDRESS}$", description="an http(s) address without a user name")


def _analyst_of(told: dict[str, Any]) -> str:
    """A fallback that the file tells as {provider, model, base_url}, in one word."""
    if told.keys() - {"provider", "model", "base_url"}:
        raise ValueError
    model, address = told.get("model"), told.get("base_url")
    return f"{told.get('provider')}{f':{model}' if model else ''}{f'@{address}' if address else ''}"


S = TypeVar("S", bound=Settings)


def load_for_articles(flags: Mapping[str, Any], config: Path | None = None) -> ArticleSettings:
    """`load`, for articles: with their defaults, and the variables that only they know."""
    return _load(ArticleSettings, PLAIN_FOR_ARTICLES, flags, config)


def load(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """The settings, from all places; a flag that is None was not given.

    :raises SettingError: one line, about the first value that can't be, or the file that can't be read.
    """
    return _load(Settings, PLAIN, flags, config)


def _load(kind: type[S], known: Mapping[str, str], flags: Mapping[str, Any], config: Path | None) -> S:
    given = {name: value for name, value in flags.items() if value is not None}
    plain = _plain_variables(known)
    file = {} if config is None else _read(config)

    class Sourced(kind):  # type: ignore[misc,valid-type]  # a class of its own for each call: its sources are this call's
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return (
                init_settings,
                env_settings,
                InitSettingsSource(settings_cls, plain),
                InitSettingsSource(settings_cls, file),
            )

    try:
        loaded: S = Sourced(**given)
    except ValidationError as error:
        raise SettingError(_refusal(kind, known, error, given, config, file)) from None
    return loaded


def _plain_variables(known: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, name in known.items():
        value = os.environ.get(variable)
        if value:
            values[name] = value if variable != "RATE_LIMIT_RPS" or "/" in value else _rate_of(value)
    return values


def _rate_of(per_second: str) -> str:
    """`2.5` requests a second are a window of `5/2s`, as `parse_rate` reads it; what is no number stays as it is."""
    if _NUMBER.fullmatch(per_second) is None:
        return per_second
    ratio = Fraction(per_second.strip()).limit_denominator(1000)
    return f"{ratio.numerator}/{ratio.denominator}s"


def _read(config: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"config {config}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise SettingError(f"config {config}: not UTF-8 text") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that can't be is a ValueError
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise SettingError(f"config {config}{where}: not YAML; write one `name: value` a line") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise SettingError(f"config {config}: not a mapping; write one `name: value` a line")
    return _flat(config, {name.replace("-", "_"): value for name, value in data.items() if value is not None})


def _flat(config: Path, data: dict[str, Any]) -> dict[str, Any]:
    """The file's values with those of its sections among them, each under its setting's name."""
    flat = {name: value for name, value in data.items() if name not in SECTIONS}
    for section, names in SECTIONS.items():
        values = data.get(section)
        if values is None:
            continue
        if not isinstance(values, dict):
            raise SettingError(f"config {config}: {section}: holds settings of its own: {', '.join(names)}")
        for name, value in values.items():
            setting = names.get(str(name))
            if setting is None:
                raise SettingError(f"config {config}: {section}: {name}: no such setting; there are {', '.join(names)}")
            if setting in flat:
                raise SettingError(f"config {config}: {section}: {name}: {setting} is set twice")
            if value is not None:
                flat[setting] = _meant(section, str(name), value)
    return {name: value for name, value in flat.items() if value is not None}


def _meant(section: str, name: str, value: Any) -> Any:
    """What a value in a section is as a setting: `enabled` chooses a mode, `rps` is a rate."""
    if (section, name) == ("async", "enabled"):
        return {True: "async", False: None}.get(value, value) if isinstance(value, bool) else value
    if (section, name) == ("rate_limiting", "rps"):
        return _rate_of(str(value))
    return value


def _refusal(
    kind: type[Settings],
    known: Mapping[str, str],
    error: ValidationError,
    given: Mapping[str, Any],
    config: Path | None,
    file: Mapping[str, Any],
) -> str:
    """The first thing that is wrong, in one line."""
    name = str(error.errors(include_url=False, include_context=False)[0]["loc"][0])
    variables = {variable.upper(): variable for variable in os.environ}
    prefixed = variables.get(f"ENRICHER_{name.upper()}")
    plain = next((variable for variable, means in known.items() if means == name and os.environ.get(variable)), None)
    if name in given:
        place, value = f"--{name.replace('_', '-')}", given[name]
    elif prefixed is not None and os.environ[prefixed]:
        place, value = prefixed, os.environ[prefixed]
    elif plain is not None:
        place, value = plain, os.environ[plain]
    else:
        place, value = f"config {config}: {name}", file.get(name)
    field = kind.model_fields.get(name)
    if field is None:
        return f"{place}: no such setting; there are {', '.join(sorted({*kind.model_fields, *SECTIONS}))}"
    if "key" in name:
        return f"{place}: not a key"
    allowed = "a number of requests a second, more than 0" if place == "RATE_LIMIT_RPS" else field.description
    return f"{place} is {_SECRET_PARTS.sub('…', str(value))[:60]!r}; allowed: {allowed}"
