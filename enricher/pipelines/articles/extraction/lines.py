"""Lines of a main text that are no part of the article: its title, which is known apart, and set phrases around it."""

from __future__ import annotations

import re
from collections.abc import Iterable

FIRST_LINES = 8  # among these a title stands
MAX_PHRASE_CHARS = 160
_TITLE_SHARE = 0.6  # of a title, without the site's name

_WORD = re.compile(r"\w+")
_PHRASE = re.compile(
    r"""\W*(?:
        read\ (?:more|also|next)\b | also\ read\b | see\ also\b | related(?:\ (?:articles?|stories|posts?))?\W*$
        | (?:photo|image|foto|bild|picture|pic|source|credit)s?(?:\ credit)?\s*:
        | advertisement\W*$ | comments?\W*$ | loading\W*$ | table\ of\ contents\W*$
        | sign\ up\ (?:for|to)\b | subscribe\ (?:to|now|for|today)\b | follow\ (?:us|me)\b | click\ here\b
        | share\ (?:this|on)\b | lesen\ sie\ (?:auch|hier|mehr|dazu)\b | mehr\ zum\ thema\b | lire\ aussi\b
        | leer\ (?:más|también)\b | leggi\ anche\b | lees\ ook\b | czytaj\ (?:więcej|też|także)\b
        | copyright\W.{0,40}\d{4} | ©\ ?\w | all\ rights\ reserved\W*$
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def without_furniture(text: str, titles: Iterable[str]) -> str:
    """A text without its title and without short lines that begin with a set phrase; as it is if nothing else is left."""
    known = {title for title in map(_normal, titles) if title}
    kept = [
        line
        for at, line in enumerate(text.split("\n"))
        if not _is_phrase(line) and not (at < FIRST_LINES and _is_title(line, known))
    ]
    return "\n".join(kept).strip() or text


def _is_title(line: str, titles: set[str]) -> bool:
    normal = _normal(line)
    return normal in titles or any(
        len(normal) > 15 and title.startswith(normal) and len(normal) > _TITLE_SHARE * len(title) for title in titles
    )


def _is_phrase(line: str) -> bool:
    return len(line) < MAX_PHRASE_CHARS and _PHRASE.match(line) is not None


def _normal(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))
