"""What the fields of a `Service` may hold. Checked once, when it is made: a wrong one would end the run with a foreign
exception, or fail every item.

Rule: a reason names the field, what it holds and what to write. A value that may hold a secret is not shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from .errors import SettingError

_ADDRESS = re.compile(r"https?://[^\s?#@\\]+", re.IGNORECASE)
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)

LONGEST_SHOWN = 80
"""Characters of a value that a reason shows."""


def check_address(address: str) -> None:
    """Check the host and the port of an address.

    :raises ValueError: if they can't be.
    """
    parts = urlsplit(address)  # a ValueError for brackets and ports that can't be
    host = parts.hostname or ""
    if parts.port == 0 or not all(0 < len(part) < 64 for part in host.removesuffix(".").split(".")):
        raise ValueError


def check_service(service: Any, kinds: Mapping[str, type]) -> None:
    """Check the fields of a service. `kinds` are the classes of those that hold a value of our own, or a tuple of them.

    :raises SettingError: if one can't be used.
    """
    for name, (fits, want) in _RULES.items():
        if not fits(getattr(service, name)):
            raise _wrong(service, name, want)
    for name, kind in kinds.items():
        value = getattr(service, name)
        if name.endswith("windows"):
            if not (isinstance(value, tuple) and all(isinstance(each, kind) and _is_window(each) for each in value)):
                raise _wrong(
                    service, name, "a tuple of windows, as (Window(40, 10.0),): a whole number in so many seconds"
                )
        elif value is not None and not isinstance(value, kind):
            raise _wrong(service, name, f"a {kind.__name__}, or None")


def _wrong(service: Any, name: str, want: str) -> SettingError:
    value = getattr(service, name)
    secret = name == "headers" or (name == "base_url" and any(mark in str(value) for mark in "@?#"))
    shown = "" if secret else f"={value!a}"
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[: LONGEST_SHOWN - 1]}…"
    return SettingError(f"the service {service.name!a}: {name}{shown} can't be used; write {want}")


def _is_base(base_url: object) -> bool:
    if base_url == "":
        return True
    if not isinstance(base_url, str) or not base_url.isprintable() or _ADDRESS.fullmatch(base_url) is None:
        return False
    try:
        check_address(base_url)
    except ValueError:
        return False
    return True


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_window(window: Any) -> bool:
    return _is_count(window.limit) and _is_seconds(window.period_s) and window.part in ("both", "in", "out")


def _is_header(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _are_headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


_COUNT = (_or_none(_is_count), "a whole number from 1, or None")
_FUNCTION = (_or_none(callable), "a function, or None")

_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_name, "a text that is not empty"),
    "base_url": (
        _is_base,
        'an http(s) address as "https://api.example.org/3", without a query, or "" for the open web',
    ),
    "burst": _COUNT,
    "limiter": (lambda value: value in ("sliding", "fixed"), '"sliding" or "fixed"'),
    "headers": (_are_headers, "a mapping of texts to texts"),
    "lifetimes": (lambda value: isinstance(value, Mapping), "a mapping of kinds to lifetimes"),
    "timeout_s": (_is_seconds, "a number of seconds more than 0, as 10.0"),
    "max_bytes": (_is_count, "a whole number from 1"),
    "max_connections": _COUNT,
    "keep_headers": (_are_texts, 'a tuple of names, as ("etag",)'),
    "attempts": _COUNT,
    "idempotency_header": (_or_none(_is_header), "the name of a header, or None"),
    **dict.fromkeys(("place_key", "classify", "hints", "usage"), _FUNCTION),
}
"""By field, what it may hold, and how to say so."""
