"""What one cell says: a title, a year, an id.

Rule 1: a year that no film can have is no year, and never an error.
Rule 2: a score is no id. IMDb's numbers have five digits or more, and a column with fractions holds scores.
Rule 3: an id in a link counts in any column, if the cell is that link and nothing else: a review may name another film.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from contextlib import suppress

_YEAR = re.compile(r"(?<![\d-])\d{4}(?!\d)|(?<=\d-)\d{4}(?!\d)")  # 1999-03-31 and 31-03-1999, but no negative number
_FIRST_YEAR, _LAST_YEAR = 1870, 2100  # the oldest title at IMDb is of 1874; what is announced ends long before 2100

_IMDB_ID = re.compile(r"(?<![a-z0-9])tt(\d{5,10})(?!\d)", re.IGNORECASE | re.ASCII)
_BARE_IMDB_ID = re.compile(r"(\d{5,8}|0\d{6})(?:\.0)?", re.ASCII)
_TMDB_ID = re.compile(r"(\d{1,10})(?:\.0)?", re.ASCII)  # spreadsheets make 603.0 of a column that has gaps
_MAX_TMDB_ID = 2**31 - 1
_TMDB_LINK = re.compile(
    r"(?:(?:themoviedb|tmdb)\.org/(?:[a-z]{2}(?:-[a-z]{2})?/)?movie/|letterboxd\.com/tmdb/"
    r"|(?:themoviedb|tmdb)://(?:movie/)?|^(?:tmdb|movie|/movie)[:/-](?:movie[:/-])?)(\d{1,10})(?!\d)",
    re.IGNORECASE,
)
_LINK = re.compile(r"\S*://\S+")
_IMDB_LINK = re.compile(r"imdb(?:\.com/(?:[a-z]{2}/)?title/|://)tt\d", re.IGNORECASE)
LONGEST_LINK_CHARS = 2000

# `{tmdb-603}`, `[imdbid-tt0133093]` and the like, which media servers read from the names of folders.
_TAGGED_ID = re.compile(r"\s*[\[{(](tmdb|imdb)(?:id)?[-=: ]\s*((?:tt)?\d{1,10})[\]})]", re.IGNORECASE)

# A score, and no number that counts films: 7.5, 7,5, 85 %, 4/5.
_FRACTION = re.compile(r"\d+[.,]\d*[1-9]\d*|\d+(?:[.,]\d+)?\s*(?:%|/\s*\d+)")

# Two or more bytes of UTF-8 as Latin-1 or cp1252 shows them: `Ã©` for é, `â€“` for –.
_TWICE_ENCODED = re.compile(r"[\xc2-\xf4][\x80-\xbf\u0152-\u2122]")
_ENTITY = re.compile(r"&(?:#\d+|#x[\da-f]+|[a-z]\w{1,30});", re.IGNORECASE)
_TAG = re.compile(r"</?(?:i|b|em|strong|u|s|br|span|a|p|small|sup|sub|font|div|cite)(?:\s[^<>]*)?/?>", re.IGNORECASE)

# Blanks, control, zero-width and directional characters, which spreadsheets and web pages leave around a title.
INVISIBLE = "".join(
    chr(code)
    for first, last in (
        (0x00, 0x20),
        (0x7F, 0xA0),
        (0xAD, 0xAD),
        (0x1680, 0x1680),
        (0x2000, 0x200F),
        (0x2028, 0x202F),
        (0x205F, 0x206F),
        (0x3000, 0x3000),
        (0xFEFF, 0xFEFF),
    )
    for code in range(first, last + 1)
)


def tidy(title: str) -> str:
    """A title without what can't be seen around it, markup and entities, blanks folded, an unclosed quote dropped.

    >>> tidy("  <i>Fast &amp;amp; Furious</i><br>")
    'Fast & Furious'
    """
    if not title.isascii() and _TWICE_ENCODED.search(title):
        title = _mended(title)
    if "&" in title and _ENTITY.search(title):
        title = html.unescape(title)
        title = html.unescape(title) if _ENTITY.search(title) else title  # a page that was escaped twice
    if "<" in title:
        title = _TAG.sub(" ", title)
    title = " ".join(title.strip(INVISIBLE).split())
    if title.startswith('"') and title.count('"') % 2:
        title = title[1:].lstrip()
    if title.startswith(("'=", "'+", "'-", "'@")):  # what keeps a spreadsheet from running a cell
        title = title[1:]
    return title


def _mended(title: str) -> str:
    """`Amélie` for `AmÃ©lie`: UTF-8 that a program on the way took for Latin-1 or cp1252. No title is so by itself."""
    for taken_for in ("latin-1", "cp1252"):
        with suppress(UnicodeError):
            return title.encode(taken_for).decode("utf-8")
    return title


def year_of(cell: str) -> int | None:
    """The first year in a cell that a film can be of: `1999`, `2023.0`, `(1999)`, `1999-03-31`, `3/31/1999`."""
    for found in _YEAR.findall(cell):
        if _FIRST_YEAR <= (year := int(found)) <= _LAST_YEAR:
            return year
    return None


def imdb_id_of(cell: str, *, bare: bool = True) -> str | None:
    """`tt0133093`, also out of an address; as a number without letters only if `bare`."""
    cell = cell.strip(INVISIBLE)
    if match := _IMDB_ID.search(cell) or (_BARE_IMDB_ID.fullmatch(cell) if bare else None):
        return f"tt{match[1].zfill(7)}" if int(match[1]) else None
    return None


def tmdb_id_of(cell: str) -> int | None:
    """A TMDB id as a number or in a link to a film."""
    cell = cell.strip(INVISIBLE)
    match = _TMDB_ID.fullmatch(cell) or _TMDB_LINK.search(cell)
    return int(match[1]) or None if match and int(match[1]) <= _MAX_TMDB_ID else None


def linked_ids(cells: Iterable[str]) -> tuple[str | None, int | None]:
    """IMDb and TMDB id in those cells that are a link, or a JSON text of links; two different ids of one kind are none."""
    imdb: set[str] = set()
    tmdb: set[int] = set()
    for cell in cells:
        if "://" not in cell or len(cell) > LONGEST_LINK_CHARS:
            continue
        text = cell.strip(INVISIBLE)
        if not (_LINK.fullmatch(text) or text.startswith(("[{", '["', "{"))):
            continue
        if _IMDB_LINK.search(text) and (imdb_id := imdb_id_of(text, bare=False)):
            imdb.add(imdb_id)
        if match := _TMDB_LINK.search(text):
            tmdb.add(int(match[1]))
    return (imdb.pop() if len(imdb) == 1 else None), (tmdb.pop() if len(tmdb) == 1 else None)


def tagged_ids(title: str) -> tuple[str, str | None, int | None]:
    """A title without `{tmdb-603}` or `[imdbid-tt0133093]`, and these ids.

    >>> tagged_ids("The Matrix (1999) {tmdb-603}")
    ('The Matrix (1999)', None, 603)
    """
    imdb_id = tmdb_id = None
    if "{" in title or "[" in title or "(" in title:
        for kind, number in _TAGGED_ID.findall(title):
            if kind.casefold() == "imdb":
                imdb_id = imdb_id or imdb_id_of(number)
            else:
                tmdb_id = tmdb_id or tmdb_id_of(number)
        if imdb_id or tmdb_id:
            title = _TAGGED_ID.sub("", title).strip()
    return title, imdb_id, tmdb_id


def are_scores(cells: Iterable[str], *, named_id: bool) -> bool:
    """Whether a column that is named for a service's ids holds its scores. `named_id`: the name says "id".

    Scores have fractions, or none is above 100; a column "TMDB" with one number up to 100 is taken for a score.
    """
    filled = [text for text in (cell[:LONGEST_LINK_CHARS].strip(INVISIBLE) for cell in cells) if text]
    if any(len(text) < 20 and _FRACTION.fullmatch(text) for text in filled):
        return True
    numbers = [int(match[1]) for match in map(_TMDB_ID.fullmatch, filled) if match]
    most, fewest = (10, 4) if named_id else (100, 1)
    return len(numbers) == len(filled) >= fewest and max(numbers) <= most
