"""Why a page or a feed could not be had, in words for its row. Pure.

Rule: the same run has the same reasons in every mode. Which page of a silent host finds out, and how, depends on which
one is asked first; so silence has one reason. What a page itself answered is that page's, with how often.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....errors import ExchangeError, GaveUp
from ....model import Failed

GONE = "gone for good (410)"
NOT_ALLOWED = "no public address on port 80 or 443 (--allow-private names exceptions)"
NO_SUCH_PAGE = "there is no such page (404)"
UNANSWERED = "its site does not answer: no connection, or no whole answer"

_STATUS = re.compile(r"HTTP (\d{3})(, asking for [^()]*)?")
_SILENT = ("connection lost", "timeout", "the answer is not HTTP", "no answer")
_WORDS = ("never", "once", "twice", "three times", "four times", "five times", "six times", "seven times")


@dataclass(frozen=True, slots=True)
class NotNow(Failed):
    """What may pass: a site that is silent or overloaded. The next run asks again."""


def times(count: int) -> str:
    """How often, in words: "once", "twice", "three times"."""
    return _WORDS[count] if 0 <= count < len(_WORDS) else f"{count:,} times"


def failed(error: ExchangeError) -> Failed:
    """What a request that stayed without an answer says in its row: `NotNow` if asking later may help."""
    if error.reason == "not allowed":
        return Failed(NOT_ALLOWED)
    if error.reason == "HTTP 404":
        return Failed(NO_SUCH_PAGE)
    status = _STATUS.search(error.reason)
    if not isinstance(error, GaveUp):
        return Failed(f"answered {error.reason}" if status is not None else error.reason)
    if status is None:
        silent = error.reason.startswith(_SILENT)
        return NotNow(UNANSWERED if silent else f"{error.reason}, {times(error.attempts)}")
    # "Too many requests" holds for all pages of a site: those that were not asked any more tell the same as those that were.
    if status[1] == "429" or status[2]:
        return NotNow(f"its site answered {status[0]}")
    return NotNow(f"answered {status[0]} {times(error.attempts)}")
