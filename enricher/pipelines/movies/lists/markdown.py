"""Markdown becomes a table, as we and notebooks write it: a line of names, a line of dashes, a line a row."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from ..delimited import Record, Table

LONGEST_RULE_CHARS = 10_000
_RULE = re.compile(r"\|?(?:\s*:?-+:?\s*\|)*\s*:?-+:?\s*\|?")  # of a stripped line: blanks would be tried in many ways
_BAR = re.compile(r"(?<!\\)\|")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|~<>])")


def markdown_table(head: Sequence[str], lines: Iterator[str]) -> Table | None:
    """The first table in a text whose first lines are `head`, and `lines` all of it; None if `head` holds none."""
    for at in range(1, len(head)):
        if "|" in head[at] and "|" in head[at - 1] and _RULE.fullmatch(head[at].strip()[:LONGEST_RULE_CHARS]):
            names = _cells(head[at - 1])
            if len(names) == len(_cells(head[at])):
                above = [
                    Record(number, [line.strip()]) for number, line in enumerate(head[: at - 1], 1) if line.strip()
                ]
                return Table(names, above, _records(lines, at + 1), headings=True)
    return None


def _records(lines: Iterator[str], passed: int) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if number <= passed or not line.strip():
            continue
        if "|" in line:
            yield Record(number, _cells(line))
        else:
            yield Record(number, [line.strip()])


def _cells(line: str) -> list[str]:
    text = line.strip()
    text = text.removeprefix("|")
    if text.endswith("|") and not text.endswith("\\|"):
        text = text[:-1]
    return [_plain(cell.strip()) for cell in _BAR.split(text)]


def _plain(cell: str) -> str:
    """A cell as it was before it was escaped."""
    return html.unescape(_ESCAPED.sub(r"\1", cell.replace("<br>", "\n")))
