"""What a person may name on the command line: addresses, and files that hold addresses.

    https://…                 a feed, OPML, a page with a feed link, or an article: what comes back decides
    a file of OPML            the feeds in it
    a feed in a file          its entries are the articles
    bookmarks of a browser    pages and feeds, as above
    a CSV with a column url   articles (Pocket, Instapaper, Raindrop and others export such)
    newsboat's urls           feeds; their tags are passed over
    any other text            one address a line, as above; blank lines and what follows a # are passed over

Rule 1: what a file is, is told from its beginning, never from its name.
Rule 2: no line is lost. One that names nothing to fetch is `Wrong`, with its file, line and reason; a wrong address on the
command line itself, or a file that can't be read, ends it before anything is asked.
Rule 3: a password in an address is never repeated.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from ...errors import InputError
from ..movies.delimited import DELIMITERS, HEAD_LINES, Record, open_table, split
from ..movies.text import NotAList, open_text
from .addresses import absolute
from .feeds import MOST_BYTES, Feed, NotAFeed, parse_feed, root_of
from .opml import NotOpml, read_opml
from .sources.bookmarks import are_bookmarks, read_bookmarks
from .sources.listing import COLUMNS, Columns, columns_of, folded, line_of, no_addresses, said

Kind = Literal["feed", "article", "either"]

COMMAND_LINE = "command line"
"""The `name` of what was named there; `line` is then its place, from 1."""

_ADDRESS = re.compile(r"(?:https?|feed):", re.IGNORECASE)
_FEED_SCHEME = re.compile(r"feed:(?://)?(?=https?:)", re.IGNORECASE)
_SECRET = re.compile(r"//[^/\s]*@")
_HEAD_BYTES = 64 * 1024
_MOST_TEXT_CHARS = 1_000  # of a wrong line: enough to find it by


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address to ask for, as `absolute` writes it. In a file of OPML, `line` counts its feeds."""

    kind: Kind
    url: str
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Local:
    """A feed that lies in a file."""

    name: str
    feed: Feed


@dataclass(frozen=True, slots=True)
class Wrong:
    """A line that names nothing to fetch: what stands there (without a password), and the reason in our own words."""

    name: str
    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that was named, in its order."""

    given: tuple[Wanted | Local | Wrong, ...]


def read_inputs(names: Sequence[str]) -> Inputs:
    """What these names (addresses and files) stand for.

    Raises InputError, one line that says what to do, if one of them is neither a valid address nor a file that can be read,
    or if a file holds nothing of what is listed above.
    """
    given: list[Wanted | Local | Wrong] = []
    for place, name in enumerate(names, 1):
        if _ADDRESS.match(name):
            asked = asked_for("either", name, COMMAND_LINE, place)
            if isinstance(asked, Wrong):
                raise InputError(f"{_shown(asked.text)}: {asked.reason}")
            given.append(asked)
        else:
            given += _read(name)
    return Inputs(tuple(given))


# ── one file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(path: str) -> Iterator[Wanted | Local | Wrong]:
    name = _shown(Path(path).name)
    with _opened(path) as raw:
        start = (raw.read(_HEAD_BYTES) or b"").replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n")
        raw.seek(0)
        if start[:1] in (b"<", b"{"):
            yield from _document(_whole(raw, name), name)
            return
        try:
            yield from _list(open_text(raw), name)
        except NotAList as reason:
            raise InputError(f"{name}: {reason}") from None


def _whole(raw: io.FileIO, name: str) -> bytes:
    with io.BufferedReader(raw) as whole:
        body = whole.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise InputError(f"{name}: the file is larger than {MOST_BYTES // 1024 // 1024} MB; split it")
    return body


def _document(body: bytes, name: str) -> Iterator[Wanted | Local | Wrong]:
    """XML, HTML or JSON: bookmarks, OPML or a feed."""
    if are_bookmarks(body):
        marks = read_bookmarks(body)
        if not marks:
            raise InputError(f"{name}: there is no bookmark in the file")
        for mark in marks:
            yield asked_for("feed" if mark.is_feed else "either", mark.address, name, mark.line)
        return
    if root_of(body) != "opml":
        try:
            feed = parse_feed(body, "")
        except NotAFeed as reason:
            raise InputError(f"{name}: {reason}; name a feed, OPML, a list of addresses, or an address") from None
        yield Local(name, feed)
        return
    try:
        feeds = read_opml(body)
    except NotOpml as reason:
        raise InputError(f"{name}: {reason}") from None
    if not feeds:
        raise InputError(f"{name}: the OPML names no feed (no outline has an xmlUrl)")
    for place, (_, address) in enumerate(feeds, 1):
        yield asked_for("feed", address, name, place)


def _list(lines: Iterator[str], name: str) -> Iterator[Wanted | Wrong]:
    """A table, or one address a line: its first lines tell which."""
    head = list(islice(lines, HEAD_LINES))
    first = next((line for line in head if said(line)), "")
    lines = chain(head, lines)
    if any(_column_count(first.split(each)) for each in DELIMITERS):
        yield from _rows(lines, name)
    elif (columns := columns_of(head)) is not None:
        yield from _cells(lines, name, columns)
    elif (reason := no_addresses(head)) is not None:
        raise NotAList(reason)
    else:
        yield from _addresses(lines, name)


def _addresses(lines: Iterable[str], name: str) -> Iterator[Wanted | Wrong]:
    for number, line in enumerate(lines, 1):
        text = said(line)
        found = line_of(text) if text else None
        if found is None:
            continue
        if found.reason is not None:
            yield _wrong(name, number, found.text, found.reason)
        else:
            yield asked_for("feed" if found.is_feed else "either", found.text, name, number)


def _cells(lines: Iterator[str], name: str, columns: Columns) -> Iterator[Wanted | Wrong]:
    """A table whose column of addresses has no name that we know."""
    records = (record for record in split(lines, columns.delimiter) if said(record.cells[0]) or len(record.cells) > 1)
    for record in islice(records, columns.has_names, None):
        yield _article([record.cells[at] for at in columns.places if at < len(record.cells)], name, record.line)


def _rows(lines: Iterator[str], name: str) -> Iterator[Wanted | Wrong]:
    try:
        table = open_table(lines, _header)
    except NotAList:
        raise NotAList("the names of its columns can't be read; one of them is to be url") from None
    columns = [at for wanted in COLUMNS for at, found in enumerate(table.header) if folded(found) == wanted]
    for record in table.records:
        yield _article([record.cells[at] for at in columns if at < len(record.cells)], name, record.line)


def _article(cells: Iterable[str], name: str, line: int) -> Wanted | Wrong:
    return asked_for("article", next((cell.strip() for cell in cells if cell.strip()), ""), name, line)


def _header(records: Sequence[Record]) -> tuple[int, int] | None:
    for at, record in enumerate(records):
        if not record.cells[0].lstrip().startswith("#"):
            known = _column_count(record.cells)
            return (at, known) if known else None
    return None


def _column_count(cells: Iterable[str]) -> int:
    """How many of these are names of the column that we look for."""
    return sum(folded(each) in COLUMNS for each in cells)


def asked_for(kind: Kind, text: str, name: str, line: int) -> Wanted | Wrong:
    """What a line of `name` asks for, if it is an address."""
    address = text
    if text[:5].lower() == "feed:":  # what browsers hand to a reader of feeds
        address = _FEED_SCHEME.sub("", text) if _FEED_SCHEME.match(text) else f"http:{text[5:]}"
    try:
        return Wanted(kind, absolute(address), name, line)
    except ValueError as reason:  # its words are our own
        return _wrong(name, line, text, str(reason))


def _wrong(name: str, line: int, text: str, reason: str) -> Wrong:
    return Wrong(name, line, _SECRET.sub("//…@", text)[:_MOST_TEXT_CHARS], reason)


# ── the file itself ─────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _opened(path: str) -> Iterator[io.FileIO]:
    """A file to read from. Raises InputError if it can't be opened, or ceases to be readable in the block."""
    with _open(path) as raw:
        try:
            yield raw
        except OSError:
            raise InputError(f"{_shown(Path(path).name)}: the file can't be read to its end; check its disk") from None


def _open(path: str) -> io.FileIO:
    name = _shown(Path(path).name or path)
    try:
        if Path(path).is_dir():
            raise InputError(f"{name}: this is a folder; give the files in it")
        if Path(path).exists() and not Path(path).is_file():  # opening a pipe would wait for whoever writes to it
            raise InputError(f"{name}: this is no ordinary file; save the list to a file first")
        return io.FileIO(path)
    except FileNotFoundError:
        raise InputError(f"{_shown(path)}: there is no such file; an address begins with https:// or http://") from None
    except PermissionError:
        raise InputError(f"{name}: no permission to read the file; change its permissions") from None
    except (OSError, ValueError):  # a name that is too long, or not a name at all
        raise InputError(f"{name}: the file can't be opened; check its name") from None


def _shown(text: str) -> str:
    """A text as it can be printed on one line: what can't be becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in _SECRET.sub("//…@", text))
