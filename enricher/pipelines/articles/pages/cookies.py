"""Cookies within the redirects of one page (RFC 6265, in part). Pure: no clock, no disk.

Many sites set a cookie, redirect to the same address, and redirect for ever unless the cookie comes back. So:

Rule 1: a jar belongs to one page's chain of redirects and ends with it. No cookie reaches another page's request.
Rule 2: a cookie goes back to the host and port that set it, and nowhere else. `Domain` is ignored: it can only widen that.
Rule 3: `Path` and `Secure` are honoured, and a cookie that is set to expire at once is deleted. Other expiry times are
longer than a chain of redirects, and are ignored.
Rule 4: sizes are bounded, and a value that can't be sent as a header is dropped.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MOST_COOKIES = 20  # of one chain; browsers must take 50 of a domain (RFC 6265, 6.1)
MOST_CHARS = 4_096  # of one cookie, as RFC 6265, 6.1 asks for at least

# Several Set-Cookie lines arrive joined by commas. A comma within a date is followed by a day, never by "name=".
_BETWEEN = re.compile(r",(?=\s*[^\s;,=]+\s*=)")
_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_EPOCH = re.compile(r"\b(?:19[67]\d|[67]\d)\b")  # a year that says "long ago", as servers write to delete a cookie


class Jar:
    """The cookies of one chain of redirects."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], tuple[str, bool]] = {}  # (host, path, name) → (value, secure)

    def take(self, url: str, set_cookie: str) -> None:
        """Keep, replace or delete what the answer from `url` sets; `set_cookie` is its header, "" for none."""
        for text in _BETWEEN.split(set_cookie):
            self._take(url, text)

    def _take(self, url: str, text: str) -> None:
        pair, *attributes = text.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not _NAME.fullmatch(name) or not (value.isascii() and value.isprintable()):
            return
        told = {key.strip().lower(): val.strip() for key, _, val in (each.partition("=") for each in attributes)}
        parts = urlsplit(url)
        path = told.get("path", "")
        if not path.startswith("/"):
            path = parts.path.rpartition("/")[0] or "/"
        place = (parts.netloc, path, name)
        self._cookies.pop(place, None)
        if not _is_over(told) and len(name) + len(value) <= MOST_CHARS and len(self._cookies) < MOST_COOKIES:
            self._cookies[place] = (value, "secure" in told)

    def header(self, url: str) -> str:
        """The Cookie header for a request to `url`; "" if there is none. Longer paths come first (RFC 6265, 5.4)."""
        parts = urlsplit(url)
        fitting = [
            (path, name, value)
            for (host, path, name), (value, secure) in self._cookies.items()
            if host == parts.netloc and _within(parts.path or "/", path) and (parts.scheme == "https" or not secure)
        ]
        fitting.sort(key=lambda cookie: -len(cookie[0]))
        return "; ".join(f"{name}={value}" for _, name, value in fitting)


def _within(path: str, around: str) -> bool:
    """RFC 6265, section 5.1.4."""
    return path == around or (path.startswith(around) and (around.endswith("/") or path[len(around)] == "/"))


def _is_over(told: dict[str, str]) -> bool:
    """Whether the cookie is set in order to delete it. Max-Age goes before Expires (RFC 6265, 5.3)."""
    age = told.get("max-age", "")
    if re.fullmatch(r"-?\d{1,12}", age, re.ASCII):
        return int(age) <= 0
    return _EPOCH.search(told.get("expires", "")) is not None
