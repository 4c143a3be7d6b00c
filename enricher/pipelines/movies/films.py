"""Records become films: which columns say what, and what they say.

Rule 1: columns are known by name, without regard to case, blanks and punctuation; the rest just travels along.
Rule 2: a year that no film can have is no year, and never an error; titles are searched without it.
Rule 3: where no year is given, "Heat (1995)" gives it; a title with its own year behind it is searched without it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...model import Item, Row, Skipped
from .delimited import Record, Table

# Names of columns, without regard to case, blanks and punctuation; of several, the first here is the title.
_TITLES = ("title", "name", "film", "movie", "movietitle", "filmtitle", "filmname", "moviename", "primarytitle")
_ORIGINALS = ("originaltitle", "originalname")
_YEARS = ("year", "releaseyear", "yearreleased", "yearofrelease", "movieyear", "filmyear", "startyear")
_RELEASES = ("released", "releasedate", "datereleased")  # dates, or years: looked at where no year is given
_IMDB_IDS = ("const", "tconst", "imdbid", "imdb", "imdbconst")
_TMDB_IDS = ("tmdbid", "tmdb", "tmdbmovieid", "themoviedbid")
_KINDS = ("type", "titletype")
# Names that are often found beside them, and tell a line of column names from a film that is called "Film".
_COMPANIONS = {"date", "rating", "tags", "url", "letterboxduri", "position", "description", "watcheddate"}
_LIST_INFO = ["date", "name", "tags", "url", "description"]  # what a list exported by Letterboxd has above its films

_MERGE_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}")
_MARKER = "a merge marker of git"
_SERIES = re.compile(r"show|series|season|episode", re.IGNORECASE)

_YEAR = re.compile(r"(?<![\d-])\d{4}(?!\d)|(?<=\d-)\d{4}(?!\d)")  # 1999-03-31 and 31-03-1999, but no negative number
_TITLE_AND_YEAR = re.compile(r"(.*\S)\s*[(\[](\d{4})[)\]]")
_FIRST_YEAR, _LAST_YEAR = 1870, 2100  # the oldest title at IMDb is of 1874; what is announced ends long before 2100

LONGEST_TITLE_CHARS = 1000  # twice the longest at IMDb; more is a spoiled cell, and no address is that long

_IMDB_ID = re.compile(r"(?<![a-z0-9])tt(\d{5,10})(?!\d)", re.IGNORECASE | re.ASCII)
_BARE_IMDB_ID = re.compile(r"(\d{1,8})(?:\.0)?", re.ASCII)
_TMDB_ID = re.compile(r"(\d{1,10})(?:\.0)?", re.ASCII)  # spreadsheets make 603.0 of a column that has gaps
_MAX_TMDB_ID = 2**31 - 1

# Two or more bytes of UTF-8 as Latin-1 or cp1252 shows them: `Ã©` for é, `â€“` for –.
_TWICE_ENCODED = re.compile(r"[\xc2-\xf4][\x80-\xbf\u0152-\u2122]")

# Blanks, control, zero-width and directional characters, which spreadsheets and web pages leave around a title.
_INVISIBLE = "".join(
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


# ── one list ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a list says what: positions of its columns, in the order in which they are asked."""

    titles: tuple[int, ...]
    originals: tuple[int, ...]
    years: tuple[int, ...]
    imdb_ids: tuple[int, ...]
    tmdb_ids: tuple[int, ...]
    kinds: tuple[int, ...]


def _columns(header: Sequence[str]) -> _Columns:
    folded = [_folded(name) for name in header]

    def positions(names: Sequence[str]) -> tuple[int, ...]:
        return tuple(at for name in names for at, found in enumerate(folded) if found == name)

    return _Columns(
        # The title is one column (beside "Title", a "Name" may be anybody's); the original title may stand in for it.
        titles=positions(_TITLES)[:1] + positions(_ORIGINALS),
        originals=positions(_ORIGINALS),
        years=positions(_YEARS) + positions(_RELEASES),
        imdb_ids=positions(_IMDB_IDS),
        tmdb_ids=positions(_TMDB_IDS),
        kinds=positions(_KINDS),
    )


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def find_header(records: Sequence[Record]) -> tuple[int, int] | None:
    """Which of these records names the columns, and how many of its names we know; None: none does."""
    text_above = False
    for at, record in enumerate(records):
        if _is_merge_marker(record.cells):
            continue
        known = _known_names(record.cells)
        # The first line may name a title and nothing else that we know. Further down that is a film called "Film".
        if known > 1 or (known and not text_above and not any(cell.strip().isdecimal() for cell in record.cells)):
            if [_folded(cell) for cell in record.cells] == _LIST_INFO:
                for below, other in enumerate(records[at + 1 : at + 4], at + 1):
                    if _folded(other.cells[0]) == "position" and (known := _known_names(other.cells)):
                        return below, known
            return at, known
        text_above = True
    return None


def _known_names(cells: Sequence[str]) -> int:
    """How many names of columns we know in a line; 0 if none of them says which film a row is about."""
    names = {_folded(cell) for cell in cells}
    films = names & {*_TITLES, *_ORIGINALS, *_IMDB_IDS, *_TMDB_IDS}
    others = names & {*_YEARS, *_RELEASES, *_KINDS, *_COMPANIONS}
    return len(films) + len(others) if films else 0


def films_of(table: Table, source: str) -> Iterator[Row | Skipped]:
    """The rows of one list, and the text in it that is no record. Lazy; raises nothing of its own."""
    for record in table.preamble:
        yield Skipped(source, record.line, _MARKER if _is_merge_marker(record.cells) else "text above the column names")
    columns = _columns(table.header)
    names = unique_names(table.header)
    width = len(names)
    for line, cells, _ in table.records:
        if len(cells) == 1:
            if not cells[0].strip(_INVISIBLE):
                continue
            if _is_merge_marker(cells):
                yield Skipped(source, line, _MARKER)
                continue
        if len(cells) < width:
            cells = [*cells, *[""] * (width - len(cells))]
        elif len(cells) > len(names):
            names = unique_names([*names, *[""] * (len(cells) - len(names))])
        if cells == table.header:
            yield Skipped(source, line, "the column names again")
            continue
        item = _item(cells, columns)
        error = item if isinstance(item, str) else None
        yield Row(source, line, dict(zip(names, cells, strict=False)), None if isinstance(item, str) else item, error)


def _is_merge_marker(cells: Sequence[str]) -> bool:
    return len(cells) == 1 and _MERGE_MARKER.fullmatch(cells[0]) is not None


def unique_names(header: Sequence[str]) -> list[str]:
    """Names for all columns: `column_3` where the third has none, and `Name_2` for the second `Name`."""
    names: dict[str, None] = {}
    for position, cell in enumerate(header, 1):
        name = plain = cell.strip(_INVISIBLE) or f"column_{position}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{plain}_{copies}"
        names[name] = None
    return list(names)


# ── one film ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _item(cells: Sequence[str], columns: _Columns) -> Item | str:
    """The film that a record is about, or why it is about none."""
    title = next(filter(None, (_tidy(cells[at]) for at in columns.titles)), "")
    imdb_id = next(filter(None, (_imdb_id(cells[at]) for at in columns.imdb_ids)), None)
    tmdb_id = next(filter(None, (_tmdb_id(cells[at]) for at in columns.tmdb_ids)), None)
    if tmdb_id and any(_SERIES.search(cells[at]) for at in columns.kinds):
        tmdb_id = None  # TMDB counts series apart: the same number is another film
    if not (title or imdb_id or tmdb_id):
        return "no title"
    if len(title) > LONGEST_TITLE_CHARS:
        return f"no title: a cell of {len(title)} characters is none"
    year = next(filter(None, (_year(cells[at]) for at in columns.years)), None)
    if title.endswith((")", "]")) and (match := _TITLE_AND_YEAR.fullmatch(title)):
        year_in_title = _year(match[2])
        if year_in_title and year in {None, year_in_title}:
            title, year = match[1], year_in_title
    # An id is checked against its row, so rows with one id are one film only where they say the same of it.
    named = f"film:{_normalised(title)}|{year or ''}" if title else ""
    ids = (f"imdb:{imdb_id}" if imdb_id else "", f"tmdb:{tmdb_id}" if tmdb_id else "")
    key = " ".join(filter(None, (*ids, named)))
    fields: dict[str, Any] = {
        "title": title,
        "year": year,
        "imdb_id": imdb_id,
        "tmdb_id": tmdb_id,
        "original_title": next(filter(None, (_tidy(cells[at]) for at in columns.originals)), None),
    }
    return Item(key, fields)


def _tidy(title: str) -> str:
    """A title without what can't be seen around it, blanks folded, and without a quote that was never closed."""
    if not title.isascii() and _TWICE_ENCODED.search(title):
        title = _mended(title)
    title = " ".join(title.strip(_INVISIBLE).split())
    if title.startswith('"') and title.count('"') % 2:
        title = title[1:].lstrip()
    return title


def _mended(title: str) -> str:
    """`Amélie` for `AmÃ©lie`: UTF-8 that a program on the way took for Latin-1 or cp1252. No title is so by itself."""
    for taken_for in ("latin-1", "cp1252"):
        with suppress(UnicodeError):
            return title.encode(taken_for).decode("utf-8")
    return title


def _normalised(title: str) -> str:
    if title.isascii():
        return title.casefold()
    # Twice, because folding the case may undo what the first has done.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold())
    return " ".join(folded.split())


def _year(cell: str) -> int | None:
    """The first year in a cell that a film can be of: `1999`, `2023.0`, `(1999)`, `1999-03-31`, `3/31/1999`."""
    for found in _YEAR.findall(cell):
        if _FIRST_YEAR <= (year := int(found)) <= _LAST_YEAR:
            return year
    return None


def _imdb_id(cell: str) -> str | None:
    """`tt0133093`, also out of an address, or as a bare number."""
    cell = cell.strip(_INVISIBLE)
    if match := _IMDB_ID.search(cell) or _BARE_IMDB_ID.fullmatch(cell):
        return f"tt{match[1].zfill(7)}" if int(match[1]) else None
    return None


def _tmdb_id(cell: str) -> int | None:
    match = _TMDB_ID.fullmatch(cell.strip(_INVISIBLE))
    return int(match[1]) or None if match and int(match[1]) <= _MAX_TMDB_ID else None
