"""A report as Markdown: to be read as it is, on a forge, or in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..runs import Run
from ..summary import Summary
from . import text
from .text import Table


def as_markdown(run: Run, summary: Summary) -> str:
    """The whole report."""
    parts = [f"# {plain(summary.verdict)}", plain(run.meaning)]
    if summary.warnings:
        parts += ["## Warnings", _list(map(plain, summary.warnings))]
    else:
        parts.append(text.NO_WARNINGS)
    parts += ["## Figures", tabulated(text.table(summary.headline))]
    matrix = text.matrix(summary)
    if matrix is not None:
        parts.append(tabulated(matrix))
        parts += [tabulated(text.table(point)) for point in summary.points if point is not summary.headline]
    pairs = text.pairs(summary.headline)
    if pairs:
        parts += ["## Differences", _list(f"**{plain(pair)}**: {plain(statement)}" for pair, statement in pairs)]
    parts += [
        "## Columns",
        _list(f"**{plain(column.header)}**: {plain(column.meaning)}" for column in text.COLUMNS),
        "## Method",
        _terms(text.method(run, text.margin(run, summary))),
        "## Who was measured",
        _terms(text.subjects(run)),
    ]
    if machine := text.machine(run):
        parts += ["## Machine", _terms(machine)]
    if run.command:
        parts += ["## To repeat it", _code(run.command)]
    parts += ["## Raw data", plain(text.raw_data(run))]
    return "\n\n".join(filter(None, parts)) + "\n"


def tabulated(table: Table) -> str:
    """A table below its caption."""
    rule = _row(["---", *("---:" for _ in table.header[1:])])
    rows = (_row(map(plain, row)) for row in table.rows)
    return "\n".join([f"**{plain(table.caption)}**", "", _row(map(plain, table.header)), rule, *rows])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _terms(terms: Iterable[tuple[str, str]]) -> str:
    return _list(f"**{plain(term)}**: {plain(words)}" for term, words in terms)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def plain(words: str) -> str:
    """Words as they are: one line, and nothing in them is markup."""
    return re.sub(r"([\\`*_<>|#&~]|\](?=[(:]))", r"\\\1", " ".join(words.split()))


def _code(words: str) -> str:
    """A block of code, its fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{words}\n{fence}"
