"""What a person may set, where it may be said, and in which words it is refused.

    flags  >  ENRICHER_… variables  >  plain variables (RATE_LIMIT_RPS, …)  >  the YAML file  >  defaults

A setting has one name everywhere: `rate` is `--rate`, `ENRICHER_RATE` and `rate:` in the file. A value that can't be is
refused in one line that names the place it was said in, the value, and what is allowed. A key is never repeated in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import SettingError
from .model import Window

_RATE = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{0,6}(?:\.\d+)?)\s*(s|sec|min|m|h)\s*", re.ASCII)
_NUMBER = re.compile(r"\s*(\d{1,9}(\.\d{0,30})?|\.\d{1,30})\s*", re.ASCII)
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
    spreadsheet_safe: bool = Field(False, description="true or false")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="debug, info, warning or error"
    )
    tmdb_api_key: SecretStr | None = Field(None, description="a key of TMDB")

    @field_validator("rate", mode="after")
    @classmethod
    def _rate_can_be_read(cls, rate: str | None) -> str | None:
        if rate is not None:
            parse_rate(rate)
        return rate

    @field_validator("tmdb_api_key", mode="before")
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
            parts = urlsplit(base_url)  # a ValueError for brackets and ports that can't be
            host = parts.hostname or ""
            if parts.port == 0 or not all(0 < len(part) < 64 for part in host.removesuffix(".").split(".")):
                raise ValueError
        return base_url

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_any_case(cls, level: Any) -> Any:
        return level.lower() if isinstance(level, str) else level

    @field_validator("timeout", "backoff_s", "backoff_cap_s", "deadline_s", "outage_s", mode="after")
    @classmethod
    def _is_finite(cls, seconds: float) -> float:
        if seconds == float("inf"):
            raise ValueError
        return seconds

    @property
    def windows(self) -> tuple[Window, ...] | None:
        """The rate as windows; None where it was not set."""
        return None if self.rate is None else parse_rate(self.rate)


def load(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """The settings, from all places; a flag that is None was not given.

    :raises SettingError: one line, about the first value that can't be, or the file that can't be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    plain = _plain_variables()
    file = {} if config is None else _read(config)

    class Sourced(Settings):
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
        return Sourced(**given)
    except ValidationError as error:
        raise SettingError(_refusal(error, given, config, file)) from None


def _plain_variables() -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, name in PLAIN.items():
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
    return {name.replace("-", "_"): value for name, value in data.items() if value is not None}


def _refusal(error: ValidationError, given: Mapping[str, Any], config: Path | None, file: Mapping[str, Any]) -> str:
    """The first thing that is wrong, in one line."""
    name = str(error.errors(include_url=False, include_context=False)[0]["loc"][0])
    variables = {variable.upper(): variable for variable in os.environ}
    prefixed = variables.get(f"ENRICHER_{name.upper()}")
    plain = next((variable for variable, means in PLAIN.items() if means == name and os.environ.get(variable)), None)
    if name in given:
        place, value = f"--{name.replace('_', '-')}", given[name]
    elif prefixed is not None and os.environ[prefixed]:
        place, value = prefixed, os.environ[prefixed]
    elif plain is not None:
        place, value = plain, os.environ[plain]
    else:
        place, value = f"config {config}: {name}", file.get(name)
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{place}: no such setting; there are {', '.join(sorted(Settings.model_fields))}"
    if "key" in name:
        return f"{place}: not a key"
    allowed = "a number of requests a second, more than 0" if place == "RATE_LIMIT_RPS" else field.description
    return f"{place} is {_SECRET_PARTS.sub('…', str(value))[:60]!r}; allowed: {allowed}"
