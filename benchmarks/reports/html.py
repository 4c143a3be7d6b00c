"""A report as one HTML file: no script, nothing fetched, readable on a phone, on paper, in the dark, and by ear.

It is well-formed XML as well: every element is closed, every value quoted and escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..runs import Run
from ..summary import PointSummary, Row, Summary
from . import text
from .charts import charts
from .scene import Chart
from .style import STYLE
from .text import Table


def as_html(run: Run, summary: Summary) -> str:
    """The whole file."""
    body = [
        head(run.scenario, run.started[:10], summary.verdict, run.meaning),
        warned(summary.warnings),
        _figures(summary),
        _charts(charts(run, summary)),
        _method(run, summary),
        _again(run),
    ]
    return page(f"{run.scenario}: benchmark", body)


def page(title: str, body: Iterable[str]) -> str:
    """A whole file with this body."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        '<meta name="color-scheme" content="light dark"/>\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(body)}</main>\n</body>\n</html>\n"
    )


def head(scenario: str, when: str, verdict: str, meaning: str) -> str:
    """The verdict. Its first statement stands out, the others follow in the same sentence."""
    first, semicolon, rest = verdict.partition("; ")
    semi = f"<span>{semicolon.strip()}</span>" if semicolon else ""  # a line's end tells it; read aloud, it is a pause
    place = [f"<b>{escape(scenario)}</b>", *([escape(when)] if when else [])]
    return (
        f'<header>\n<p class="where">{" · ".join(place)}</p>\n'
        f"<h1><b>{_prose(first)}{semi}</b> {_prose(rest)}</h1>\n"
        f'<p class="meaning">{_prose(meaning)}</p>\n</header>\n'
    )


def warned(warnings: Sequence[str]) -> str:
    """The warnings, or that there are none."""
    if not warnings:
        return f'<p class="quiet">{escape(text.NO_WARNINGS)}</p>\n'
    items = "".join(f"<li>{_prose(warning)}</li>\n" for warning in warnings)
    head = '<aside class="warnings" aria-labelledby="warnings">\n<h2 id="warnings">Warnings</h2>\n'
    return f"{head}<ul>\n{items}</ul>\n</aside>\n"


def _figures(summary: Summary) -> str:
    matrix = text.matrix(summary)
    parts = [_point(summary.headline, "table-headline")]
    pairs = text.pairs(summary.headline)
    if pairs:
        items = "".join(f"<li><b>{escape(pair)}</b>: {_prose(statement)}</li>\n" for pair, statement in pairs)
        parts.append(f'<ul class="pairs">\n{items}</ul>\n')
    columns = _terms((column.header, column.meaning) for column in text.COLUMNS)
    parts.append(f'<details class="meanings"><summary>What the columns mean</summary>\n{columns}</details>\n')
    if matrix is not None:
        others = (_point(at, f"table-{n}") for n, at in enumerate(summary.points) if at is not summary.headline)
        full = f"<details><summary>The other points in full</summary>\n{''.join(others)}</details>\n"
        parts.append(f'<div class="matrix">\n{tabulated(matrix, "table-points")}</div>\n{full}')
    return _section("figures", "Figures", "".join(parts), "figures")


def _point(point: PointSummary, key: str) -> str:
    """A point's table; baselines are set off from our modes."""
    return tabulated(
        text.table(point), key, [_kind(row, point.rows[index - 1]) for index, row in enumerate(point.rows)]
    )


def _kind(row: Row, before: Row) -> str:
    return " ".join(
        kind
        for kind, holds in (
            ("invalid", not row.valid),
            ("next", before.subject.ours and not row.subject.ours),
        )
        if holds
    )


def tabulated(table: Table, key: str, kinds: Sequence[str] = ()) -> str:
    """A table in a box of its own, which scrolls where it is too wide for the page."""
    head = "".join(f'<th scope="col">{_prose(header)}</th>' for header in table.header)
    rows = []
    for index, row in enumerate(table.rows):
        kind = f' class="{kinds[index]}"' if kinds and kinds[index] else ""
        cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row[1:])
        if kind and row[1].startswith(text.INVALID):  # the reason needs the room of the ratio that there is not
            cells = f'<td colspan="2">{_cell(row[1])}</td>' + "".join(f"<td>{_cell(cell)}</td>" for cell in row[3:])
        rows.append(f'<tr{kind}><th scope="row">{_cell(row[0])}</th>{cells}</tr>\n')
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{key}">\n<table>\n'
        f'<caption id="{key}"><span>{_prose(table.caption)}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _cell(words: str) -> str:
    figure, more = text.parted(words)
    return f"{escape(figure)} <small>{escape(more)}</small>" if more else escape(figure)


def _prose(words: str) -> str:
    """Words that may break at the end of a line, but not between a number and its sign."""
    return escape(words).replace(" %", "\u00a0%")


def _charts(found: Sequence[Chart]) -> str:
    if not found:
        return ""
    figures = "".join(map(_figure, found))
    return _section("charts", "Charts", f'<div class="charts">\n{figures}</div>\n')


def _figure(chart: Chart) -> str:
    pictures = "\n".join(chart.pictures)
    opened, drawn = "<figure>", pictures
    if chart.panels:
        opened, drawn = '<figure class="wide">', f'<div class="panels">\n{pictures}\n</div>'
    data = tabulated(chart.table, f"{chart.key}-data")
    return (
        f"{opened}\n<figcaption><h3>{escape(chart.title)}</h3><p>{_prose(chart.says)}</p></figcaption>\n{drawn}\n"
        f"<details><summary>Data of this chart</summary>\n{data}</details>\n</figure>\n"
    )


def _method(run: Run, summary: Summary) -> str:
    parts = [
        _terms(text.method(run, text.margin(run, summary))),
        "<h3>Who was measured</h3>\n",
        _terms(text.subjects(run)),
    ]
    if machine := text.machine(run):
        parts += ["<h3>Machine</h3>\n", _terms(machine)]
    return _section("method", "Method and machine", "".join(parts))


def _section(key: str, title: str, body: str, kind: str = "") -> str:
    classed = f' class="{kind}"' if kind else ""
    return f'<section{classed} aria-labelledby="{key}">\n<h2 id="{key}">{title}</h2>\n{body}</section>\n'


def _terms(terms: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(term)}</dt><dd>{_prose(words)}</dd>\n" for term, words in terms)
    return f"<dl>\n{items}</dl>\n"


def _again(run: Run) -> str:
    """How to repeat it, and where the raw data is."""
    command = f"<pre><code>{escape(run.command)}</code></pre>\n"
    again = _section("again", "To repeat it", command) if run.command else ""
    return again + _section("raw", "Raw data", f"<p>{escape(text.raw_data(run))}</p>\n")
