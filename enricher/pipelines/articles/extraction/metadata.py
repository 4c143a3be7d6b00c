"""What a page states of itself: title, author, date, language, site and description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .text import seen


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a page holds. `text` has a paragraph a line; where it is empty, `reason` says why, in our own words.

    `published` is an ISO 8601 date, `language` two small letters; None: the page does not say.
    """

    text: str = ""
    title: str | None = None
    author: str | None = None
    published: str | None = None
    language: str | None = None
    site: str | None = None
    description: str | None = None
    word_count: int = 0
    reason: str | None = None


_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_].*)?", re.IGNORECASE)
# htmldate looks at the clock for the latest possible date, unless one is named; and what a page states may lie ahead.
_DATES = {"original_date": True, "extensive_search": False, "max_date": "2100-01-01"}


def metadata_of(root: Any, url: str) -> Extracted:
    """Read what a page states of itself, each on one line of bounded length."""
    from trafilatura import extract_metadata

    stated = extract_metadata(root, default_url=url, date_config=_DATES)
    return Extracted(
        title=_line(stated.title, 300),
        author=_line(stated.author, 200),
        published=_line(stated.date, 30),
        language=_language(root),
        site=_line(stated.sitename, 100),
        description=_line(stated.description, 1_000),
    )


def _line(value: Any, most: int) -> str | None:
    if not isinstance(value, str):
        return None
    line = " ".join(seen(value).split())
    return (line if len(line) <= most else f"{line[: most - 1].rstrip()}…") or None


def _language(root: Any) -> str | None:
    """The language of the page's root element, else of its `content-language`."""
    metas = (meta for meta in root.iter("meta") if str(meta.get("http-equiv")).strip().lower() == "content-language")
    for name in (root.get("lang"), root.get("xml:lang"), *(meta.get("content") for meta in metas)):
        if (match := _LANGUAGE.fullmatch(str(name or "").strip())) is not None:
            return match[1].lower()
    return None
