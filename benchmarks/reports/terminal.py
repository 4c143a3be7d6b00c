"""A report in the terminal: the verdict first, what to doubt, and a table with as many columns as have room.

A hundred characters hold them all; a narrower terminal gets fewer columns rather than broken figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from ..runs import Run
from ..summary import PointSummary, Summary
from . import text
from .text import INVALID, Table

LEAST_RANK = 2
"""The mode and its wall time are shown however narrow it is."""


def for_terminal(run: Run, summary: Summary) -> RenderableType:
    """What a console prints."""
    parts: list[RenderableType] = [Text(summary.verdict, style="bold" if summary.measured else "bold red")]
    parts += [Text(f"! {warning}", style="yellow") for warning in summary.warnings]
    parts += [Text(""), _Fitting(summary.headline)]
    matrix = text.matrix(summary)
    if matrix is not None:
        parts += [Text(""), _table(matrix, dense=True)]
    if run.command:
        parts += [Text(""), Text(f"Again: {run.command}", style="dim")]
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """A point's table with as many columns as fit, the more important ones first."""

    point: PointSummary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for rank in range(text.RANKS, LEAST_RANK - 1, -1):
            table = _table(text.table(self.point, rank))
            if rank == LEAST_RANK or _width(console, table) <= options.max_width:
                yield table
                return


def _width(console: Console, table: RichTable) -> int:
    return console.measure(table, options=console.options.update(width=1_000)).maximum


def _table(table: Table, *, dense: bool = False) -> RichTable:
    """What a cell says besides stands below it, or, where it is dense, beside it."""
    found = RichTable(title=Text(table.caption), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = [_column(*column, dense=dense) for column in zip(table.header, *table.rows, strict=True)]
    for index, (header, *_) in enumerate(columns):
        found.add_column(header, justify="right" if index else "left", overflow="fold")
    for row in zip(*(cells for _, *cells in columns), strict=True):
        found.add_row(*row)
    return found


def _column(header: str, *cells: str, dense: bool) -> list[Text]:
    """A column as wide as its figures: its header, or why something is INVALID, goes on in the next line."""
    parts = [(cell, "") if dense else text.parted(cell) for cell in cells]
    figures = [part for figure, more in parts if figure != INVALID for part in (figure, more)]
    header = header.replace(" %]", "\u00a0%]")  # stays together
    width = max(map(len, (*figures, *header.split(" "))))
    return [Text(fill(header, width)), *(_cell(figure, fill(more, width)) for figure, more in parts)]


def _cell(figure: str, more: str) -> Text:
    """Words are words: what looks like markup in a name is none."""
    cell = Text(figure, style="bold red" if figure == INVALID else "")
    return cell.append(f"\n{more}", style="dim") if more else cell
