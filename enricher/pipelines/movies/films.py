"""Records become films: what a record says of the film that it is about.

Rule 1: what is there is used. A TMDB id, an IMDb id, titles and the year all reach the item, so that where TMDB does not
know one, the next is asked.
Rule 2: a row that says it is no film becomes an item that is not asked for; its field `not_a_film` says why.
Rule 3: where no year is given, "Heat (1995)" gives it; a title with its own year behind it is searched without it.
Rule 4: an item is keyed by all that names its film. So equal rows are one item, and what is wrong in one row, such as a
dead id, stays with that row. The answers to equal requests are shared all the same.

The siblings in lists/: columns.py knows names of columns, kinds.py series and games, cells.py titles, years and ids.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from ...model import Item, Row, Skipped
from .delimited import Record, Table
from .lists import kinds
from .lists.cells import INVISIBLE, imdb_id_of, linked_ids, tagged_ids, tidy, tmdb_id_of, year_of
from .lists.columns import Columns, columns_of, first_filled, known_names
from .lists.words import folded

_LIST_INFO = ["date", "name", "tags", "url", "description"]  # what a list exported by Letterboxd has above its films

_MERGE_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}")
_MARKER = "a merge marker of git"
_HEADING = "a heading"

_TITLE_AND_YEAR = re.compile(r"(.*\S)\s*[(\[](\d{4})[)\]]")
_IMDB_ID = re.compile(r"tt\d{5,10}", re.IGNORECASE | re.ASCII)

LONGEST_TITLE_CHARS = 1000  # twice the longest at IMDb; more is a spoiled cell, and no address is that long
SAMPLE_RECORDS = 100
"""Records that are read ahead to tell ids from scores."""
MOST_ALIASES = 10

_NO_TITLES = {"-", "–", "—", "n/a", "#n/a", "\\n"}  # what people and databases write into an empty cell


# ── one list ────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_header(records: Sequence[Record]) -> tuple[int, int] | None:
    """Which of these records names the columns, and how many of its names we know; None: none does."""
    text_above = False
    for at, record in enumerate(records):
        if _is_merge_marker(record.cells):
            continue
        known = 0 if _is_data(record.cells) else known_names(record.cells)
        # The first line may name a title and nothing else that we know. Further down that is a film called "Film".
        if known > 1 or (known and not text_above):
            if _is_list_info(record):
                for below, other in enumerate(records[at + 1 : at + 4], at + 1):
                    if folded(other.cells[0]) == "position" and (known := known_names(other.cells)):
                        return below, known
            return at, known
        text_above = True
    return None


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a line holds a number, an IMDb id or a tag, or is a heading: no line of column names does."""
    return any(
        cell.isdecimal() or cell.startswith(("<", "# ", "## ")) or _IMDB_ID.fullmatch(cell)
        for cell in map(str.strip, cells)
    )


def _is_list_info(record: Record) -> bool:
    return [folded(cell) for cell in record.cells] == _LIST_INFO


def films_of(table: Table, source: str) -> Iterator[Row | Skipped]:
    """The rows of one list, and the text in it that is no record. Lazy; raises nothing of its own."""
    own = any(map(_is_list_info, table.preamble))  # what Letterboxd writes above a list is expected
    for record in table.preamble:
        if not own or _is_merge_marker(record.cells):
            yield Skipped(source, record.line, _aside(record.cells, 0) or "text above the column names")
    names = unique_names(table.header)
    width = len(names)
    sample = list(islice(table.records, SAMPLE_RECORDS))
    columns = columns_of(table.header, [record.cells for record in sample])
    for line, cells, _ in chain(sample, table.records):
        if not any(cell.strip(INVISIBLE) for cell in cells):
            continue  # blank, or separators only: what a spreadsheet writes below a list
        if reason := _aside(cells, width, headings=table.headings):
            yield Skipped(source, line, reason)
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


def _aside(cells: Sequence[str], width: int, *, headings: bool = False) -> str | None:
    """Why a record is none, None if it is one."""
    if _is_merge_marker(cells):
        return _MARKER
    return _HEADING if headings and len(cells) == 1 and width > 1 else None


def _is_merge_marker(cells: Sequence[str]) -> bool:
    return len(cells) == 1 and _MERGE_MARKER.fullmatch(cells[0]) is not None


def unique_names(header: Sequence[str]) -> list[str]:
    """Names for all columns: `column_3` where the third has none, and `Name_2` for the second `Name`."""
    names: dict[str, None] = {}
    for position, cell in enumerate(header, 1):
        name = plain = cell.strip(INVISIBLE) or f"column_{position}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{plain}_{copies}"
        names[name] = None
    return list(names)


# ── one film ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _item(cells: Sequence[str], columns: Columns) -> Item | str:
    """The film that a record is about, or why it is about none."""
    title = first_filled(cells, columns.titles, _title) or ""
    title, imdb_id, tmdb_id = _ids(title, cells, columns)
    if len(title) > LONGEST_TITLE_CHARS:
        return f"no title: a cell of {len(title)} characters is none"
    year = first_filled(cells, columns.years, year_of)
    if title.endswith((")", "]")) and (match := _TITLE_AND_YEAR.fullmatch(title)):
        year_in_title = year_of(match[2])
        if year_in_title and year in {None, year_in_title}:
            title, year = match[1], year_in_title
    fields: dict[str, Any] = {
        "title": title,
        "year": year,
        "imdb_id": imdb_id,
        "tmdb_id": tmdb_id,
        "original_title": first_filled(cells, columns.originals, _title),
    }
    reason = _not_a_film(title, cells, columns)
    if not (title or imdb_id or tmdb_id or reason):
        return "no title"
    if reason:
        # TMDB counts series apart: the same number is another film.
        return Item(_key("other" if title else reason, fields), {**fields, "tmdb_id": None, "not_a_film": reason})
    if aliases := _aliases(title, cells, columns):
        fields["other_titles"] = aliases
    return Item(_key("film", fields), fields)


def _title(cell: str) -> str:
    """The title in a cell, "" if there is none."""
    title = tidy(cell)
    return "" if title.casefold() in _NO_TITLES else title


def _ids(title: str, cells: Sequence[str], columns: Columns) -> tuple[str, str | None, int | None]:
    """The title without ids in it, the IMDb id and the TMDB id: of the columns for ids first, then wherever they stand."""
    imdb_id = first_filled(cells, columns.imdb_ids, imdb_id_of)
    tmdb_id = first_filled(cells, columns.tmdb_ids, tmdb_id_of)
    if columns.any_ids and not tmdb_id:
        service = first_filled(cells, columns.id_sources, folded) or ""
        if service in {"tmdb", "themoviedb", "themoviedborg"}:
            tmdb_id = first_filled(cells, columns.any_ids, tmdb_id_of)
        elif service in {"imdb", "imdbcom"}:
            imdb_id = imdb_id or first_filled(cells, columns.any_ids, imdb_id_of)
    if not imdb_id:
        imdb_id = first_filled(cells, columns.any_ids, lambda cell: imdb_id_of(cell, bare=False))
    title, tagged_imdb, tagged_tmdb = tagged_ids(title)
    linked_imdb, linked_tmdb = (None, None) if imdb_id and tmdb_id else linked_ids(cells)
    if _IMDB_ID.fullmatch(title):
        title, tagged_imdb = "", imdb_id_of(title)
    return title, imdb_id or tagged_imdb or linked_imdb, tmdb_id or tagged_tmdb or linked_tmdb


def _not_a_film(title: str, cells: Sequence[str], columns: Columns) -> str | None:
    """What the row says that it is, if that is no film."""
    named = [kinds.kind_named(cells[at]) for at in columns.kinds]
    named += [kinds.flag(cells[at], of_film=True) for at in columns.film_flags]
    named += [kinds.flag(cells[at], of_film=False) for at in columns.series_flags]
    said = kinds.decided(named)
    if said is None:
        said = kinds.decided([kinds.plain_kind(cells[at]) for at in columns.loose_kinds])
    if said is None and any(kinds.filled(cells[at]) for at in columns.episodes):
        said = kinds.SERIES
    if said is None:
        said = kinds.of_title(title) or kinds.of_links(cells) or first_filled(cells, columns.tmdb_ids, kinds.of_id)
    return said or None


def _aliases(title: str, cells: Sequence[str], columns: Columns) -> list[str]:
    """The film's other names in the row, the original title apart."""
    named = (tidy(part) for at in columns.aliases for part in cells[at][: 10 * LONGEST_TITLE_CHARS].split(";"))
    return [name for name in dict.fromkeys(named) if name and name != title and len(name) <= LONGEST_TITLE_CHARS][
        :MOST_ALIASES
    ]


def _key(kind: str, fields: dict[str, Any]) -> str:
    """What tells this item from others: its ids, its title and year."""
    parts = [f"{name}:{fields[f'{name}_id']}" for name in ("imdb", "tmdb") if fields[f"{name}_id"]]
    if fields["title"] or kind != "film":  # TMDB counts series apart: an id alone is no film's
        parts.append(f"{kind}:{_normalised(fields['title'])}|{fields['year'] or ''}")
    return " ".join(parts)


def _normalised(title: str) -> str:
    if title.isascii():
        return title.casefold()
    # Twice, because folding the case may undo what the first has done.
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold())
    return " ".join(normal.split())
