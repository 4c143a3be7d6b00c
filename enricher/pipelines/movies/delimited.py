"""Text becomes records: the delimiter, the column names and the cells, as CSV files are and not as they should be.

Rule 1: a list is read line by line, and only a quoted cell holds more than one line in memory.
Rule 2: the delimiter is the one of `,` `;` tab `|` by which the caller recognises column names; a list of one column
has none, so that "The Good, the Bad and the Ugly" stays one title.
Rule 3: a quote opens a cell only where a cell starts, and closes it only before a delimiter or a line's end.
Rule 4: a quote that never closes, or that only another cell's opening quote would close, must not swallow the rows
below it. If most of the lines swallowed look like rows (as many cells as there are columns), the quote is an ordinary
character and they are read as rows; if not, they are what they look like: the lines of one long, spoiled cell.
Cell parsing is the csv module's. Its limit of 131,072 characters a cell belongs to the whole process and is left alone:
a record with a longer cell is cut by the same grammar that finds the records' ends.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

from .text import LONGEST_LINE_CHARS, NotAList

DELIMITERS = ",;\t|"
NO_DELIMITER = "\x1f"  # ASCII's own "unit separator", which nobody types

# Column names stand at the top; a list exported by Letterboxd has a few lines of its own above them, one of which may
# be a description of many lines.
HEAD_LINES = 200
LONGEST_RECORD_CHARS = LONGEST_LINE_CHARS

# A quoted cell that closes as it should is believed, up to so many lines; beyond, its lines must not look like rows. In a
# wide list that is sure after a few lines (who writes seven commas a line?), in a narrow one, with one comma, never.
BELIEVED_LINES = 4
BELIEVED_LINES_IN_A_NARROW_LIST = 200
WIDE = 4


class Record(NamedTuple):
    """One record, from the physical line `line` on, which is followed by `lines - 1` more."""

    line: int
    cells: list[str]
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A list whose column names are known: `preamble` stood above them, `records` (lazy) stand below.

    With `headings`, a record of one cell is a heading between the others.
    """

    header: list[str]
    preamble: list[Record]
    records: Iterator[Record]
    headings: bool = False


def open_table(lines: Iterator[str], find_header: Callable[[Sequence[Record]], tuple[int, int] | None]) -> Table:
    """Find the delimiter and the column names at the top of a text.

    `find_header` is shown the first records, cut by one delimiter, and tells which of them holds the column names and
    how many of the names it knows; None: none does.
    Raises NotAList if no delimiter leads to column names.
    """
    head = list(islice(lines, HEAD_LINES))
    best: tuple[int, int, int, str, list[Record]] | None = None
    widest: list[str] = []
    for delimiter in DELIMITERS:
        records = list(split(iter(head), delimiter))
        if not records:
            raise NotAList("the file holds blank lines only; export the list again")
        widest = max(widest, records[0].cells, key=len)
        found = find_header(records)
        if found is not None:
            at, known = found
            width = len(records[at].cells)
            if best is None or (known, width) > best[:2]:
                best = (known, width, at, delimiter, records)
    if best is None:
        raise NotAList(_no_header(widest))
    _, width, at, delimiter, records = best
    header = records[at]
    below = header.line + header.lines
    body = chain(head[below - 1 :], lines)
    return Table(
        header=header.cells,
        preamble=records[:at],
        records=split(body, delimiter if width > 1 else NO_DELIMITER, width=width, line=below),
    )


def _no_header(cells: Sequence[str]) -> str:
    start = cells[0].lstrip().casefold()
    if start.startswith(("<", "{", "[")):
        looks = "a web page or XML" if start.startswith("<") else "JSON"
        return f"this looks like {looks}; export the list as CSV"
    names = ", ".join(repr(name.strip()[:30]) for name in cells[:12]) + (", …" if len(cells) > 12 else "")
    return (
        f"no title column among {names}; "
        "the first line must name the columns, one of them Title, Name, Film or Movie (and Year, if there is one)"
    )


def split(lines: Iterator[str], delimiter: str, *, width: int = 0, line: int = 1) -> Iterator[Record]:
    """Cut lines into records; blank lines are passed over. `width` is the number of columns, 0 if not yet known.

    `line` is the number of the first of the lines.
    """
    grammar = _Grammar(delimiter)
    believed_lines = BELIEVED_LINES if width >= WIDE else BELIEVED_LINES_IN_A_NARROW_LIST
    widths = {width}  # of rows: that of the header, and that of the record before, for headers that lack a name
    returned: deque[str] = deque()  # lines that a quote had swallowed and gave back
    # A quote that opens in a line before this one fares as the quote that had swallowed the line: both stand open at the
    # line's end. So no line is searched again and again, however many quotes stay open.
    hopeless_until = 0
    while text := returned.popleft() if returned else next(lines, ""):
        taken = [text]
        if '"' not in text:
            cells = grammar.plain(text)
        elif (end := grammar.end_of(text)) == "closed":
            cells = grammar.cells(taken)
        elif end == "bad" or line < hopeless_until:
            cells = grammar.likelier(text, widths)
        else:
            chars = len(text)
            while end == "open" and chars < LONGEST_RECORD_CHARS:
                more = returned.popleft() if returned else next(lines, "")
                if not more:
                    break
                taken.append(more)
                chars += len(more)
                if '"' in more:
                    end = grammar.end_of('"' + more)  # as though the open cell began on this line
            believed = end == "closed" and len(taken) <= believed_lines
            if len(taken) == 1:
                cells = grammar.likelier(text, widths)
            elif not believed and grammar.are_rows(taken[1:], widths):
                hopeless_until = line + len(taken) - 1
                returned.extendleft(reversed(taken[1:]))
                taken = taken[:1]
                cells = grammar.literal(text)
            else:
                cells = grammar.cells(taken)
        if len(cells) >= WIDE:
            widths = {width, len(cells)}
        if not text.isspace():
            yield Record(line, cells, len(taken))
        line += len(taken)


_QUOTED = r'"[^"]*+(?:""[^"]*+)*+'  # its closing quote is not among it
_LAST_OPEN = re.compile(rf"{_QUOTED}\Z")


class _Grammar:
    """What a cell is, by one delimiter. Most lists hold no quote: the patterns are made when the first one is met."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        mark = re.escape(delimiter)
        self._mark = mark
        self._bare = rf'[^"{mark}\r\n][^{mark}\r\n]*+'

    @cached_property
    def _whole_cells(self) -> re.Pattern[str]:
        return re.compile(rf'(?:(?:{_QUOTED}"|{self._bare}|){self._mark})*+')

    @cached_property
    def _last_closed(self) -> re.Pattern[str]:
        return re.compile(rf'(?:{_QUOTED}"|{self._bare}|)(?:\r\n|\r|\n)?\Z')

    @cached_property
    def _cell(self) -> re.Pattern[str]:
        return re.compile(rf'(?:"([^"]*+(?:""[^"]*+)*+)"|({self._bare}|)){self._mark}')

    def plain(self, text: str) -> list[str]:
        """The cells of a line without quotes: what the csv module would say, for cells of any length."""
        return text.rstrip("\r\n").split(self._delimiter)

    def end_of(self, text: str) -> str:
        """How a line ends: "closed", "open" (inside quotes), or "bad" (a quote closes in the middle of a cell)."""
        last = self._opening(text)
        if self._last_closed.match(text, last):
            return "closed"
        return "open" if _LAST_OPEN.match(text, last) else "bad"

    def cells(self, lines: Sequence[str]) -> list[str]:
        """The cells of one record."""
        try:
            return next(csv.reader(lines, delimiter=self._delimiter))
        except csv.Error:  # a cell longer than the csv module's limit
            text = "".join(lines)
            if self.end_of(text) != "closed":
                return self.plain(text)
            found = self._cell.findall(text.rstrip("\r\n") + self._delimiter)
            return [quoted.replace('""', '"') or bare for quoted, bare in found]

    def literal(self, text: str) -> list[str]:
        """The cells of one line, the first quote that does not close as it should read as an ordinary character."""
        opening = self._opening(text)
        return [*self.cells([text[:opening] + "."])[:-1], *self.plain(text[opening:])]

    def likelier(self, text: str, widths: Set[int]) -> list[str]:
        """The cells of one line, its quote literal if that makes a row of it, else as the csv module sees them.

        So `"Crocodile" Dundee,1986` keeps its quotes, as whoever wrote it meant.
        """
        literal = self.literal(text)
        return literal if len(literal) in widths else self.cells([text])

    def are_rows(self, lines: Sequence[str], widths: Set[int]) -> bool:
        """Whether most of these lines have as many cells as a row."""
        filled = [line for line in lines if not line.isspace()]
        return 2 * sum(len(self.likelier(line, widths)) in widths for line in filled) > len(filled)

    def _opening(self, text: str) -> int:
        """Where the last cell starts, or the first that does not end as it should."""
        match = self._whole_cells.match(text)
        return match.end() if match else 0  # it matches nothing at all, too
