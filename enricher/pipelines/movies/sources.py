"""Lists of films become rows: what people export from Letterboxd, IMDb, Trakt and others, in any form that tells titles.

Rule 1: no record is lost. One that names no film is a row with an error; what is no record at all (a merge marker, the
lines above the column names, the names again) is `Skipped`, by line. Only blank lines pass in silence, and what Letterboxd
writes above a list.
Rule 2: cells travel as they stand in the file; what is tidied (blanks, years, ids) is tidied for the item alone.
Rule 3: a film is never known by its Letterboxd address: in diary and reviews that is the address of the entry.
Rule 4: a file is read line by line. An export ZIP is the exception: it becomes one row a film, so its films are held.

The siblings: text.py knows encodings, delimited.py delimiters and quotes, films.py rows, archive.py the ZIP; those in
lists/ the forms of lists, the names of columns, and how the lists of an export become one.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from ...errors import InputError
from ...model import Row, Skipped, Source
from . import archive
from .films import films_of, unique_names
from .lists.forms import table_of
from .lists.merging import Merged
from .text import NotAList

LOG = logging.getLogger("enricher")

_CHUNK_BYTES = 1024 * 1024


def read_films(
    paths: Sequence[Path], *, encoding: str | None = None, only: Sequence[str] = ()
) -> Iterator[Source | Row | Skipped]:
    """The lists with their rows, lazily and in order, and the text in them that is no record.

    `item.fields` has `title`, `year` (int or None), `imdb_id`, `tmdb_id` (int or None) and `original_title`; `other_titles`
    (a list) where the row has more names, and `not_a_film` (a reason) where the row says that it is none.
    `encoding` is that of texts without a mark; None: told from each, and logged as a warning where that is a guess.
    `only` chooses among the lists of an export ("watched", "diary"); none: all.
    Raises InputError, one line that says what to do, if a list can't be read at all; a missing one before the first row.
    """
    for path in paths:
        with _opened(path):
            pass
    for path in paths:
        source = _shown(path.name)
        on_guess = _guesses(source)
        with _opened(path) as raw, ExitStack() as opened:
            magic = raw.read(4)
            raw.seek(0)
            if magic in archive.MAGIC:
                yield from _films_of_export(raw, source, encoding, only, on_guess)
                continue
            try:
                again = partial(_opened_again, path, opened)
                table = table_of(again, encoding, on_guess)
                yield Source(source, tuple(unique_names(table.header)))
                yield from films_of(table, source)
            except NotAList as reason:
                raise InputError(f"{source}: {reason}") from None


def _opened_again(path: Path, opened: ExitStack) -> io.FileIO:
    return opened.enter_context(_open(path))


def _guesses(source: str) -> Callable[[str], None]:
    """Tells of the first guess at the encoding of a list."""
    told = False

    def tell(encoding: str) -> None:
        nonlocal told
        if not told:
            LOG.warning("%s: read as %s, which is a guess; if letters are wrong, name its --encoding", source, encoding)
        told = True

    return tell


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


def _films_of_export(
    raw: io.FileIO, source: str, encoding: str | None, only: Sequence[str], on_guess: Callable[[str], None]
) -> Iterator[Source | Row | Skipped]:
    merged = Merged(source)
    lists, nested = 0, ""
    for member in archive.members(raw, source, only):
        name = _shown(member.name)
        if member.open is None:
            nested = nested or (name if name.casefold().endswith(".zip") else "")
            yield Skipped(source, 0, f"{name}: {member.refusal}")
            continue
        try:
            table = table_of(member.open, encoding, on_guess)
        except NotAList as reason:
            if not name.casefold().endswith(".json"):  # an export has dozens of settings and statistics as JSON
                yield Skipped(source, 0, f"{name}: {reason}")
            continue
        lists += 1
        yield from merged.add(name, table.header, films_of(table, source))
    if not lists:
        inside = f"; there is another in it: {nested}, unpack it and give that" if nested else ""
        raise InputError(f"{source}: the ZIP archive holds no list of films (CSV or JSON with titles){inside}")
    yield from merged.rows()
