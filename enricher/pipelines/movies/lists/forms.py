"""Which form a list has, told by its content and never by its name: JSON, Markdown, delimited text, or a title a line."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain, islice

from ..delimited import HEAD_LINES, Table, open_table
from ..films import find_header
from ..text import NotAList, open_characters, text_lines
from .headless import headless_table
from .json_list import is_json, json_table
from .markdown import markdown_table
from .plain import adorned_table, plain_table


def table_of(
    open_again: Callable[[], io.RawIOBase], encoding: str | None = None, on_guess: Callable[[str], None] | None = None
) -> Table:
    """The table that a list is. `open_again` opens the file, each time from its beginning; `on_guess` is called with the
    encoding where that was guessed.

    Raises NotAList if the file holds no list of films.
    """
    text, start = open_characters(open_again(), encoding, on_guess or _ignore)
    if not is_json(start):
        return _text_table(text_lines(text))
    text.close()
    return json_table(lambda: open_characters(open_again(), encoding)[0], _text_table)


def _ignore(_encoding: str) -> None:
    pass


def _text_table(lines: Iterator[str]) -> Table:
    head = list(islice(lines, HEAD_LINES))

    def all_lines() -> Iterator[str]:
        return chain(head, lines)

    if (table := markdown_table(head, all_lines())) is not None:
        return table
    try:
        table = open_table(all_lines(), find_header)
    except NotAList:
        if not any(map(str.strip, head)):
            raise
        for read in (headless_table, plain_table):
            if (table := read(head, all_lines())) is not None:
                return table
        raise
    if len(table.header) == 1 and not table.preamble:
        named_by = next(at for at, line in enumerate(head) if line.strip())
        below = [*["\n"] * (named_by + 1), *head[named_by + 1 :]]  # blank, so that lines keep their numbers
        return adorned_table(table.header[0], below, chain(below, lines)) or table
    return table
