"""What a text file of addresses holds: a table with a column of them, or one address a line, perhaps with tags.

Rule 1: a column of addresses goes by its name, or by its cells where its name is another or there is none.
Rule 2: a comma may stand within an address. Lines that begin with an address are a table only if another cell holds a
blank, as titles do: addresses never hold one.
Rule 3: a file in which nothing is an address is told as such, once, and not line by line.
newsboat's `urls` file is one of lines with tags: https://newsboat.org/releases/2.38/docs/newsboat.html (checked 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...movies.delimited import DELIMITERS, HEAD_LINES, split

COLUMNS = ("url", "link", "address", "articleurl", "permalink")  # of several, the first here that a row fills
RUNS_A_PROGRAM = "newsboat would run a program for this; name the feed's address"

_ADDRESS = re.compile(r"\s*(?:https?|feed):\S+\s*", re.IGNORECASE)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_TAGGED = re.compile(r"(\"?)((?:https?|feed):[^\s\"]+)\1((?:\s+(?:\"[^\"]*\"|~\S*|!|[^\s\"/.:]+))*)", re.IGNORECASE)
_QUERY = re.compile(r"\"?query:", re.IGNORECASE)
_PROGRAM = re.compile(r"\"?(?:exec|filter):", re.IGNORECASE)
_MOST_NAMES, _MOST_NAME_CHARS = 12, 30


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list: what is asked for, or why nothing is. `is_feed`: its tags say so."""

    text: str
    is_feed: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the addresses of a table stand: `delimiter`, the columns, and whether a line above names them."""

    delimiter: str
    places: tuple[int, ...]
    has_names: bool


def folded(name: str) -> str:
    """A column's name as names are compared: small letters and digits."""
    return "".join(filter(str.isalnum, name.casefold()))


def said(line: str) -> str:
    """What a line says beside its comment. A # within an address is no comment."""
    return _COMMENT.sub("", line.strip().lstrip("\ufeff")).strip()


def line_of(text: str) -> Line | None:
    """What a line asks for; None for a feed of newsboat's that is made of others (`query:`)."""
    if _QUERY.match(text):
        return None
    if _PROGRAM.match(text):
        return Line(text, reason=RUNS_A_PROGRAM)
    found = _TAGGED.fullmatch(text)
    if found is None:
        return Line(text)
    return Line(found[2], is_feed=any(mark in found[3] for mark in '"~!'))


def columns_of(head: Sequence[str]) -> Columns | None:
    """The columns of addresses of a table that begins with these lines, told by their cells; None if it is none."""
    lines = [text for line in head if (text := said(line))]
    for delimiter in DELIMITERS:
        records = [record.cells for record in split(iter(lines), delimiter)]
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        if len(places := _places(records[1:], width)) == 1 and not any(map(_ADDRESS.fullmatch, records[0])):
            return Columns(delimiter, places, has_names=True)  # of several, one may be of pictures
        if (places := _places(records, width)) and all(len(cells) == width for cells in records):
            rest = (cell for cells in records for at, cell in enumerate(cells) if at not in places)
            if any(" " in cell.strip() for cell in rest):
                return Columns(delimiter, places, has_names=False)
    return None


def _places(records: Sequence[Sequence[str]], width: int) -> tuple[int, ...]:
    """The columns all of whose filled cells are addresses."""
    found = []
    for place in range(width):
        cells = [cells[place] for cells in records if place < len(cells) and cells[place].strip()]
        if cells and all(map(_ADDRESS.fullmatch, cells)):
            found.append(place)
    return tuple(found)


def _names(lines: Sequence[str], delimiter: str) -> list[str]:
    """The cells of the first line, if most lines have as many."""
    records = [record.cells for record in split(iter(lines), delimiter)]
    same = sum(len(cells) == len(records[0]) for cells in records)
    return records[0] if 2 * same > len(records) else []


def no_addresses(head: Iterable[str]) -> str | None:
    """Why a file that begins with these lines is no list of addresses; None if one of them is an address."""
    lines = [text for line in head if (text := said(line))]
    if not lines:
        return "there is no address in the file; write one a line"
    if lines[0][0] in "[{":
        return "it is JSON, and no JSON Feed; write one address a line"
    cells = [] if _TAGGED.match(lines[0]) else max((_names(lines, each) for each in DELIMITERS), key=len)
    if len(cells) > 1:
        names = ", ".join(repr(name.strip()[:_MOST_NAME_CHARS]) for name in cells[:_MOST_NAMES])
        more = ", …" if len(cells) > _MOST_NAMES else ""
        return f"no column of addresses among {names}{more}; name the one that holds them url"
    if any(map(_TAGGED.match, lines)):
        return None
    which = "of its first lines" if len(lines) >= HEAD_LINES else "of its lines"
    return f"none {which} is an address; each begins with https:// or http://"
