"""The lists of one export become one row a film.

Rows: the columns of all lists, in order of appearance, with the address of diary and reviews left out, of the lists only
the film itself, and a last column "Files" that names the lists a film is in, the first of them being the one that `line`
counts in. The first list that says something about a film is heard: watched, ratings, diary, reviews, watchlist, likes,
then the lists. Rows without a film stay as they are.

Rule: a film may have been watched often, and what is said of one viewing is never put beside what is said of another. So
of each list a film's first row counts, and of diary and reviews those of one viewing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ....model import Row, Skipped, Source
from .. import archive
from ..films import unique_names

_ADDRESS = "Letterboxd URI"
_ENTRY_LISTS = {"diary.csv", "reviews.csv"}  # their addresses are those of entries
_LIST_COLUMNS = {"Name": "Name", "Year": "Year", "URL": _ADDRESS}  # position and notes belong to the list
_VIEWING = "Watched Date"


@dataclass(slots=True)
class _Film:
    """What the lists of an export say about one film; `row` is where it was first named.

    `heard` are the lists whose row of it has been taken, `viewing` the one that diary and reviews are heard about.
    """

    row: Row
    cells: dict[str, str] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    viewing: str | None = None


class Merged:
    """The films of an export, list by list. They are held: what is said of one may stand in any list."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._films: dict[object, _Film] = {}
        self._columns: dict[str, None] = {}

    def add(self, name: str, header: Sequence[str], rows: Iterator[Row | Skipped]) -> Iterator[Skipped]:
        """Take one list; what comes out is the text in it that is no record."""
        # All columns, also of a list without films: two exports of one person then have the same.
        self._columns |= dict.fromkeys(_film_cells(name, dict.fromkeys(unique_names(header), "")))
        for row in rows:
            if isinstance(row, Skipped):
                yield Skipped(self._source, row.line, f"{name}: {row.reason}")
                continue
            film = self._films.setdefault(row.item.key if row.item else (name, row.line), _Film(row))
            film.files[name] = None
            if _takes(film, name, row):
                for column, cell in _film_cells(name, row.cells).items():
                    self._columns.setdefault(column)
                    if cell and not film.cells.get(column):
                        film.cells[column] = cell

    def rows(self) -> Iterator[Source | Row]:
        """One row a film."""
        names = unique_names([*self._columns, "Files"])
        yield Source(self._source, tuple(names))
        for film in self._films.values():
            cells = [*(film.cells.get(column, "") for column in self._columns), "; ".join(film.files)]
            row = film.row
            yield Row(self._source, row.line, dict(zip(names, cells, strict=True)), row.item, row.error)


def _takes(film: _Film, name: str, row: Row) -> bool:
    """Whether a row is the first that its list has of the film; of an entry, whether it is about the viewing heard."""
    own_list = archive.PART.sub("", name)
    if own_list in film.heard:
        return False
    if name.casefold().split("/")[-1] in _ENTRY_LISTS:
        viewing = row.cells.get(_VIEWING, "")
        if film.viewing is not None and not (viewing and viewing == film.viewing):
            return False
        film.viewing = viewing
    film.heard.add(own_list)
    return True


def _film_cells(member: str, cells: Mapping[str, str]) -> dict[str, str]:
    """What a list of an export says about the film itself."""
    parts = member.casefold().split("/")
    if "lists" in parts[:-1] and _LIST_COLUMNS.keys() <= cells.keys():
        return {_LIST_COLUMNS[name]: cell for name, cell in cells.items() if name in _LIST_COLUMNS}
    if parts[-1] in _ENTRY_LISTS:
        return {name: cell for name, cell in cells.items() if name != _ADDRESS}
    return dict(cells)
