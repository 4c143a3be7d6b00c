"""Delimited text without known column names: what its columns are is told by their cells.

Rule 1: only what is plain is read: a column of titles beside a column of years, of IMDb ids, or of ids with the names of
their services.
Rule 2: a first line that has no year where all others have one names the columns, in a language that we do not know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ..delimited import DELIMITERS, Record, Table, split

SAMPLE_LINES = 200
LONGEST_CELL_CHARS = 300
_YEAR = re.compile(r"(?:18[7-9]|19\d|20[0-4])\d|\((?:18[7-9]|19\d|20[0-4])\d\)")
_IMDB = re.compile(r"\S*\btt\d{5,10}\b\S*", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d[\d.,/% ]*")
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T ].*)?")
_LETTER = re.compile(r"[^\W\d_]")
_SOURCES = {"imdb", "tmdb", "themoviedb", "tvdb", "trakt", "mal", "anilist", "igdb", "manual"}
_PLAIN_SHARE = 0.7


def headless_table(head: Sequence[str], lines: Iterator[str]) -> Table | None:
    """The table of a text whose first lines are `head`, and `lines` all of it; None if its columns are not plain."""
    best: tuple[int, str, list[str], Record | None] | None = None
    for delimiter in DELIMITERS:
        records = list(islice(split(iter(head), delimiter), SAMPLE_LINES))
        if (found := _columns(records)) is not None:
            names, named_by = found
            meant = sum(1 for name in names if name)
            if best is None or meant > best[0]:
                best = (meant, delimiter, names, named_by)
    if best is None:
        return None
    _, delimiter, names, named_by = best
    below = split(lines, delimiter, width=len(names))
    if named_by is None:
        return Table(names, [], below)
    own = [name or cell for name, cell in zip(names, named_by.cells, strict=True)]
    return Table(own, [], (record for record in below if record.line > named_by.line))


def _columns(records: Sequence[Record]) -> tuple[list[str], Record | None] | None:
    """Names for the columns of these records ("" for the others), and the record that names them itself, if one does."""
    rows = [record for record in records if any(cell.strip() for cell in record.cells)]
    if not rows:
        return None
    width, count = Counter(len(record.cells) for record in rows).most_common(1)[0]
    if width < 2 or count < 0.95 * len(rows):
        return None
    rows = [record for record in rows if len(record.cells) == width]
    named_by = rows[0] if len(rows) > 2 and not _says_anything(rows[0].cells) else None
    columns = [
        [record.cells[at].strip()[:LONGEST_CELL_CHARS] for record in rows[named_by is not None :]]
        for at in range(width)
    ]
    years = [
        at for at in range(width) if _share(columns[at], _YEAR.fullmatch) and 2 * _filled(columns[at]) >= len(rows)
    ]
    imdb = [at for at in range(width) if _share(columns[at], _IMDB.fullmatch)]
    sources = [at for at in range(width) if _share(columns[at], _is_source)]
    names = [""] * width
    if years:
        names[years[-1]] = "Year"
    if imdb:
        names[imdb[0]] = "IMDb ID"
    elif sources:
        names[sources[0]] = "Source"
        numbers = [at for at in range(width) if not names[at] and _share(columns[at], _is_number_or_id)]
        names[numbers[0] if numbers else sources[0]] = "Source ID" if numbers else ""
    titles = [at for at in range(width) if not names[at] and _share(columns[at], _is_title)]
    if not titles and len(years) > 1:  # names that are years, such as 1917
        titles = years[:1]
    if titles:
        names[titles[0]] = "Title"
    plain = (titles and any(names[at] for at in range(width) if at != titles[0])) or imdb
    return (names, named_by) if plain else None


def _says_anything(cells: Sequence[str]) -> bool:
    """Whether a line has a number or an id in it, as a row has and a line of names has not."""
    return any(_NUMBER.fullmatch(cell.strip()) or _IMDB.fullmatch(cell.strip()) for cell in cells)


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell)


def _share(cells: Sequence[str], is_one: Callable[[str], object]) -> bool:
    """Whether nearly all of the filled cells are of a kind."""
    return 0 < _PLAIN_SHARE * _filled(cells) <= sum(1 for cell in cells if cell and is_one(cell))


def _is_source(cell: str) -> bool:
    return cell.casefold() in _SOURCES


def _is_number_or_id(cell: str) -> bool:
    return cell.isdecimal() or _IMDB.fullmatch(cell) is not None


def _is_title(cell: str) -> bool:
    return bool(_LETTER.search(cell)) and "://" not in cell and not _DATE.fullmatch(cell) and not _is_source(cell)
