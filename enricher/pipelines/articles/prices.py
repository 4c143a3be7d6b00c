"""What models cost: read from a file that a person can edit, with dates (`prices.yaml` says how).

A file that can't be used is refused in one line that names the file and the place in it. Nothing is guessed: a model
that is not listed has no price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from ...errors import SettingError
from ...model import Price

BUNDLED = Path(__file__).with_name("prices.yaml")

# Every run begins with the bundled file: in C that takes a tenth of the time, where libyaml is there. A person's own file is
# read in Python: libyaml names another line where a file ends too early, and nesting without end would exhaust its stack.
_QUICK: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DAY = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$", re.ASCII)
_FIELDS = {"since", "in", "cached", "out"}
_PROVIDER_FIELDS = {"source", "checked", "batch", "models"}


@dataclass(frozen=True, slots=True)
class Dated:
    """A price from a day on."""

    since: date
    price: Price


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by provider and model, and what each provider's are multiplied by in a batch."""

    dated: Mapping[str, Mapping[str, tuple[Dated, ...]]]
    discounts: Mapping[str, float]


def load_prices(path: Path | None = None) -> Prices:
    """The prices in a file, by default the one that comes along.

    :raises SettingError: if it can't be read, or holds something else.
    """
    file, loader = (BUNDLED, _QUICK) if path is None else (path, yaml.SafeLoader)
    try:
        data = yaml.load(file.read_text(encoding="utf-8"), loader)  # noqa: S506  # a safe one, either of them
    except OSError:
        raise SettingError(f"{file}: the prices can't be read; name a file that exists and may be read") from None
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise SettingError(f"{file}{line}: this is no YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that can't be is a ValueError, no UTF-8 as well
        raise SettingError(f"{file}: this is no YAML, or holds a date that can't be") from None
    return _Reader(file).prices(data)


def price_of(prices: Prices, provider: str, model: str, on: date) -> Price | None:
    """What a model's tokens cost on a day; None where that is not known.

    A model's dated name ("…-20251001") costs what its plain one does, unless it is listed itself.
    """
    models = prices.dated.get(provider, {})
    held = [one for one in models.get(model) or models.get(_DAY.sub("", model), ()) if one.since <= on]
    return max(held, key=lambda one: one.since).price if held else None


def discount_of(prices: Prices, provider: str) -> float:
    """What a provider's prices are multiplied by in a batch; 1 where it says nothing."""
    return prices.discounts.get(provider, 1.0)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the data of one file. A place in it is named like `providers.openai.models.gpt-5.4-nano[0].in`."""

    file: Path

    def prices(self, data: Any) -> Prices:
        providers = self._mapping(self._mapping(data, "", {"providers"}).get("providers"), "providers")
        dated, discounts = {}, {}
        for name, told in providers.items():
            place = f"providers.{name}"
            fields = self._mapping(told, place, _PROVIDER_FIELDS)
            discounts[name] = self._number(fields.get("batch", 1.0), f"{place}.batch")
            models = self._mapping(fields.get("models"), f"{place}.models")
            dated[name] = {model: self._all(listed, f"{place}.models.{model}") for model, listed in models.items()}
        return Prices(dated, discounts)

    def _all(self, listed: Any, place: str) -> tuple[Dated, ...]:
        if not isinstance(listed, list) or not listed:
            raise self._wrong(place, "a list of prices")
        return tuple(self._one(entry, f"{place}[{number}]") for number, entry in enumerate(listed))

    def _one(self, entry: Any, place: str) -> Dated:
        fields = self._mapping(entry, place, _FIELDS)
        since = fields.get("since")
        if type(since) is not date:
            raise self._wrong(f"{place}.since", "a day like 2026-11-26")
        fresh = self._nano(fields.get("in"), f"{place}.in")
        cached = fresh if fields.get("cached") is None else self._nano(fields["cached"], f"{place}.cached")
        return Dated(since, Price(fresh, self._nano(fields.get("out"), f"{place}.out"), cached))

    def _nano(self, dollars_a_million: Any, place: str) -> float:
        """Billionths of a dollar for one token."""
        return round(self._number(dollars_a_million, place) * 1_000, 6)

    def _number(self, value: Any, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise self._wrong(place, "a number, not below 0")
        return float(value)

    def _mapping(self, value: Any, place: str, allowed: set[str] | None = None) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._wrong(place, "names with values")
        for name in value:
            if not isinstance(name, str):
                raise self._wrong(place, "names that are texts; put the others into quotes")
            if allowed is not None and name not in allowed:
                raise self._wrong(f"{place}.{name}".lstrip("."), f"one of {', '.join(sorted(allowed))}")
        return value

    def _wrong(self, place: str, wanted: str) -> SettingError:
        return SettingError(f"{self.file}: {place or 'the file'} must be {wanted}")
