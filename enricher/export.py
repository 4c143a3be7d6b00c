"""A table comes out: CSV, JSON, JSONL or Markdown, row by row, the same bytes for the same content.

The columns, in this order:

1. the input's own, untouched, in their order; of several lists the union (`input_columns`);
2. `source_file`, where there are several lists (`with_source`);
3. `status`, `match_score` (0 to 100, one decimal), `error`;
4. the record's (`record_columns`).

Where the list's columns are among the record's (`merged`), they are told there alone: `status`, `error` and the record's
columns are all there is, and a row without a record has its cells in them.

A name that is taken by a column before it gets `enriched_` in front, as often as it takes: what a list says about itself
is never overwritten.

What a value becomes:

| value           | CSV, Markdown                | JSON, JSONL |
|-----------------|------------------------------|-------------|
| None, not a number | empty                     | null        |
| input cell      | as it was                    | a string; null where this list has no such column |
| number          | Python's shortest form       | a number    |
| true, false     | true, false                  | true, false |
| list            | its values joined with `; `  | a list      |
| mapping         | JSON                         | an object   |

CSV is UTF-8 without a byte order mark, lines end with LF (RFC 4180 says CRLF; what reads CSV takes both, and what counts
lines or compares texts likes LF better), quotes only where needed, NUL characters dropped. Half a surrogate pair, which
UTF-8 can't express, becomes U+FFFD everywhere. A file is written beside its destination and moved there when it is whole,
so no crash leaves half a table under the name that was asked for.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

from .errors import SettingError
from .model import ExportRow

Format = Literal["csv", "json", "jsonl", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)

SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
}

PREFIX = "enriched_"

# What makes Excel, LibreOffice and Google Sheets read a cell as a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_BREAK = re.compile("\r\n|[\r\n\u2028\u2029]")
# Marks that would format or link a cell's text; an underscore inside a word does nothing, so it stays readable.
_MARKDOWN_MARK = re.compile(r"[\\`*\[\]~|]|(?<!\w)_|_(?!\w)")

Values = list[Any]


def format_of(path: Path) -> Format:
    """The format that a file's suffix asks for, in whatever case.

    :raises SettingError: if the suffix is none that we know.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise SettingError(f"output {path}: the suffix is not known; allowed are {', '.join(SUFFIXES)}") from None


def titles(input_columns: Sequence[str], record_columns: Sequence[str], *, with_source: bool = False) -> list[str]:
    """The names of the exported columns, each once: as described at the head of this file."""
    own = ["source_file"] if with_source else []
    named = dict.fromkeys(input_columns)
    for name in (*own, "status", "match_score", "error", *record_columns):
        while name in named:
            name = PREFIX + name
        named[name] = None
    return list(named)


def write_export(
    rows: Iterable[ExportRow],
    out: Path | TextIO,
    *,
    input_columns: Sequence[str],
    record_columns: Sequence[str],
    form: Format | None = None,
    with_source: bool = False,
    spreadsheet_safe: bool = False,
    merged: bool = False,
) -> int:
    """Write the rows to a file (moved into place when whole) or to an open text stream; how many were there?

    `form` None: by the suffix of the file, and CSV for a stream. `spreadsheet_safe` puts a `'` before each CSV text that
    a spreadsheet would run as a formula; numbers are left alone. A path that is no regular file (`/dev/stdout`, a pipe)
    is written to, not replaced.

    :raises SettingError: if the suffix is not known, or the file can't be written.
    """
    if form is None:
        form = format_of(out) if isinstance(out, Path) else "csv"
    own = ["status", "error", *record_columns]
    names = own if merged else titles(input_columns, record_columns, with_source=with_source)
    count = 0

    def values() -> Iterator[Values]:
        nonlocal count
        for row in rows:
            count += 1
            if merged:
                told = {**row.cells, **(row.record or {})}
                yield [row.status, row.error, *map(told.get, record_columns)]
            else:
                yield _values(row, input_columns, record_columns, with_source)

    def put(stream: TextIO) -> None:
        stream.writelines(_WRITERS[form](names, values(), spreadsheet_safe))

    if isinstance(out, Path):
        write_whole(out, put)
    else:
        put(out)
    return count


def _values(row: ExportRow, input_columns: Sequence[str], record_columns: Sequence[str], with_source: bool) -> Values:
    record = row.record or {}
    return [
        *map(row.cells.get, input_columns),
        *([row.source] if with_source else ()),
        row.status,
        None if row.score is None else round(row.score, 1),
        row.error,
        *map(record.get, record_columns),
    ]


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_whole(path: Path, put: Callable[[TextIO], object], what: str = "output") -> None:
    """Have a file written by `put`, under its name only when it is whole. `what` it is to a person, for a refusal.

    :raises SettingError: if it can't be written.
    """
    try:
        target = path.resolve()
        if target.is_dir():
            raise SettingError(f"{what} {path}: this is a folder; name a file in it")
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8", newline="") as stream:
                put(stream)
            return
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        stream = part.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise _cannot_write(path, what) from error
    try:
        with stream:
            put(stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except OSError as error:
        raise _cannot_write(path, what) from error
    finally:
        part.unlink(missing_ok=True)


def _cannot_write(path: Path, what: str) -> SettingError:
    return SettingError(
        f"{what} {path}: the file can't be written; check that its folder exists, is writable, not full"
    )


# ── the formats: names and values in, text out, line by line ────────────────────────────────────────────────────────


class _Echo:
    """What `csv.writer` writes to: `writerow` returns what `write` returns, the line."""

    def write(self, line: str) -> str:
        return line


def _csv(names: list[str], rows: Iterable[Values], spreadsheet_safe: bool) -> Iterator[str]:
    # Python 3.11 quotes a carriage return only if line ends contain one; unquoted, a cell would break in two.
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    for values in _and(names, rows):
        line: str = writer.writerow([_cell(value, spreadsheet_safe) for value in values])
        yield line[:-2] + "\n"


def _cell(value: Any, spreadsheet_safe: bool) -> str:
    text = _text(value).replace("\x00", "")
    return text if not spreadsheet_safe or isinstance(value, int | float) else spreadsheet_cell(text)


def spreadsheet_cell(text: str) -> str:
    """The text, with a `'` in front where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _json(names: list[str], rows: Iterable[Values], _: bool) -> Iterator[str]:
    before = "[\n"
    for values in rows:
        yield before + _object(names, values)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _jsonl(names: list[str], rows: Iterable[Values], _: bool) -> Iterator[str]:
    for values in rows:
        yield _object(names, values) + "\n"


def _object(names: list[str], values: Values) -> str:
    return _dumps(dict(zip(names, values, strict=True)))


def _markdown(names: list[str], rows: Iterable[Values], _: bool) -> Iterator[str]:
    table = (f"| {' | '.join(_escaped(_text(value)) for value in values)} |\n" for values in _and(names, rows))
    yield next(table)
    yield f"| {' | '.join('---' for _ in names)} |\n"
    yield from table


def _escaped(text: str) -> str:
    text = _CONTROL.sub("", text.replace("\t", " "))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKDOWN_MARK.sub(lambda mark: "\\" + mark[0], text)
    return _LINE_BREAK.sub("<br>", text)


def _and(names: list[str], rows: Iterable[Values]) -> Iterator[Values]:
    yield list(names)
    yield from rows


_WRITERS: Mapping[Format, Callable[[list[str], Iterable[Values], bool], Iterator[str]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "markdown": _markdown,
}


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(value: Any) -> str:
    """A value in one cell."""
    match value:
        case str():
            return _whole(value)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else ""
        case list() | tuple():
            return "; ".join(map(_text, value))
        case Mapping():
            return _dumps(value)
        case _:
            return str(value)


def _whole(text: str) -> str:
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _dumps(value: Any) -> str:
    try:
        text = _encode(value)
    except ValueError:  # JSON has no word for infinity and "not a number"
        text = _encode(_finite(value))
    return _whole(text)


def _other(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_other).encode


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [_finite(each) for each in value]
        case Mapping():
            return {name: _finite(each) for name, each in value.items()}
        case _:
            return value
