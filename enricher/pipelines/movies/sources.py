"""Lists of films become rows: what people export from Letterboxd, IMDb and Trakt, and any CSV with a title column.

Rule 1: no record is lost. One that names no film is a row with an error; what is no record at all (a merge marker, the
lines above the column names, the names again) is `Skipped`, by line. Only blank lines pass in silence.
Rule 2: cells travel as they stand in the file; what is tidied (blanks, years, ids) is tidied for the item alone.
Rule 3: a film is keyed by its IMDb or TMDB id where the list has one, else by title and year. Never by a Letterboxd
address: in diary and reviews that is the address of the entry.
Rule 4: a file is read line by line. An export ZIP is the exception: it becomes one row a film, so its films are held.

Rows of an export: the columns of all its lists, in order of appearance, with the address of diary and reviews left out,
of the lists only the film itself, and a last column "Files" that names the lists a film is in, the first of them being
the one that `line` counts in. The first list that says something about a film is heard: watched, ratings, diary,
reviews, watchlist, likes, then the lists. Rows without a film stay as they are.

The siblings: text.py knows encodings, delimited.py delimiters and quotes, films.py columns, archive.py the ZIP.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ...model import Row, Skipped, Source
from . import archive
from .delimited import Table, open_table
from .films import films_of, find_header, unique_names
from .text import NotAList, open_text

_ADDRESS = "Letterboxd URI"
_ENTRY_LISTS = {"diary.csv", "reviews.csv"}  # their addresses are those of entries
_LIST_COLUMNS = {"Name": "Name", "Year": "Year", "URL": _ADDRESS}  # position and notes belong to the list

_CHUNK_BYTES = 1024 * 1024


def read_films(paths: Sequence[Path]) -> Iterator[Source | Row | Skipped]:
    """The lists with their rows, lazily and in order, and the text in them that is no record.

    `item.fields` has `title`, `year` (int or None), `imdb_id`, `tmdb_id` (int or None) and `original_title`.
    Raises InputError, one line that says what to do, if a list can't be read at all; a missing one before the first row.
    """
    for path in paths:
        with _opened(path):
            pass
    for path in paths:
        source = _shown(path.name)
        with _opened(path) as raw:
            magic = raw.read(4)
            raw.seek(0)
            if magic in archive.MAGIC:
                yield from _films_of_export(raw, source)
                continue
            try:
                table = _table(raw)
                yield Source(source, tuple(unique_names(table.header)))
                yield from films_of(table, source)
            except NotAList as reason:
                raise InputError(f"{source}: {reason}") from None


def content_digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the base names and contents of these files, in their order, in hex.

    Raises InputError if one can't be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        contents = hashlib.sha256()
        with _opened(path) as raw:
            while chunk := raw.read(_CHUNK_BYTES):
                contents.update(chunk)
        # A digest of digests: where one file ends and the next begins changes it, too.
        whole.update(path.name.encode("utf-8", "surrogatepass") + b"\0" + contents.digest())
    return whole.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[io.FileIO]:
    """A file to read from. Raises InputError if it can't be opened, or ceases to be readable in the block."""
    with _open(path) as raw:
        try:
            yield raw
        except OSError:
            raise InputError(f"{_shown(path.name)}: the file can't be read to its end; check its disk") from None


def _open(path: Path) -> io.FileIO:
    name = _shown(path.name or str(path))
    try:
        if path.is_dir():
            raise InputError(f"{name}: this is a folder; give the files in it")
        if path.exists() and not path.is_file():  # opening a pipe would wait for whoever writes to it
            raise InputError(f"{name}: this is no ordinary file; save the list to a file first")
        return io.FileIO(str(path))
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file; check its name ({_shown(str(path))})") from None
    except PermissionError:
        raise InputError(f"{name}: no permission to read the file; change its permissions") from None
    except (OSError, ValueError):  # a name that is too long, or not a name at all
        raise InputError(f"{name}: the file can't be opened; check its name") from None


def _shown(name: str) -> str:
    """A file's name as it can be printed on one line and stored: what is neither becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _table(raw: io.RawIOBase) -> Table:
    return open_table(open_text(raw), find_header)


# ── an export ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Film:
    """What the lists of an export say about one film; `row` is where it was first named."""

    row: Row
    cells: dict[str, str] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)


def _films_of_export(raw: io.FileIO, source: str) -> Iterator[Source | Row | Skipped]:
    films: dict[object, _Film] = {}
    columns: dict[str, None] = {}
    lists = 0
    for member in archive.members(raw, source):
        name = _shown(member.name)
        if member.raw is None:
            yield Skipped(source, 0, f"{name}: {member.refusal}")
            continue
        try:
            table = _table(member.raw)
        except NotAList as reason:
            yield Skipped(source, 0, f"{name}: {reason}")
            continue
        lists += 1
        # All columns, also of a list without films: two exports of one person then have the same.
        columns |= dict.fromkeys(_film_cells(name, dict.fromkeys(unique_names(table.header), "")))
        for row in films_of(table, source):
            if isinstance(row, Skipped):
                yield Skipped(source, row.line, f"{name}: {row.reason}")
                continue
            key = row.item.key if row.item else (name, row.line)
            film = films.setdefault(key, _Film(row))
            film.files[name] = None
            for column, cell in _film_cells(name, row.cells).items():
                columns.setdefault(column)
                if cell and not film.cells.get(column):
                    film.cells[column] = cell
    if not lists:
        raise InputError(f"{source}: the ZIP archive holds no list of films (a CSV file with a title column)")
    names = unique_names([*columns, "Files"])
    yield Source(source, tuple(names))
    for film in films.values():
        cells = [*(film.cells.get(column, "") for column in columns), "; ".join(film.files)]
        yield Row(source, film.row.line, dict(zip(names, cells, strict=True)), film.row.item, film.row.error)


def _film_cells(member: str, cells: Mapping[str, str]) -> dict[str, str]:
    """What a list of an export says about the film itself."""
    parts = member.casefold().split("/")
    if "lists" in parts[:-1] and _LIST_COLUMNS.keys() <= cells.keys():
        return {_LIST_COLUMNS[name]: cell for name, cell in cells.items() if name in _LIST_COLUMNS}
    if parts[-1] in _ENTRY_LISTS:
        return {name: cell for name, cell in cells.items() if name != _ADDRESS}
    return dict(cells)
