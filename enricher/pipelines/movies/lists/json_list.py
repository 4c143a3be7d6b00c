"""JSON becomes a table: lists of objects with a title or an id, as Trakt, Radarr, Simkl, Jellyfin, Kodi and we write them.

    [{…}, {…}]                    each object is an entry
    {"movies": [{…}], "shows": …}  each object of the arrays that hold films; the column `list` names the array
    {…} line by line              each line is an entry
    ["Heat (1995)", "tt0133093"]  read like a text file of titles

Rule 1: a file is read as a stream, three times: for its form, for its columns, for its entries. An entry is held, the file
is not.
Rule 2: what holds a film inside an entry (`movie`, `ids`, …) becomes columns such as `movie.ids.imdb`; other objects stay
JSON in their cell, and lists of words are joined with `; `, as our own CSV has them.
Rule 3: the line of an entry is its number in the file.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..delimited import Record, Table
from ..text import NotAList
from . import words
from .columns import meaning

Opener = Callable[[], io.TextIOWrapper]
Path = tuple[str, ...]

MOST_COLUMNS = 1_000
MOST_LEVELS = 64
_CHUNK_CHARS = 64 * 1024

_START = re.compile(r'\s*(?:\[\s*(?:[\[{"\]]|\Z)|\{\s*(?:["}]|\Z))')
_NESTED = {*words.WRAPPERS, *words.SHOW_WRAPPERS, *words.EPISODE_WRAPPERS}
_TITLES = {*words.TITLES, *words.ENGLISH_TITLES, *words.LOCAL_TITLES, *words.ORIGINAL_TITLES} - {"name", "label"}
_IDS = {*words.IMDB_IDS, *words.TMDB_IDS}
_MEDIA_IDS = {"mediaid", "identifier"}
_OF_FILMS = {*words.YEARS, *words.RELEASES, *words.KINDS, "id"}
_OF_OTHERS = {"username", "slug", "privacy", "itemcount", "character", "job", "logopath"}
_IMDB_ID = re.compile(r"tt\d{5,10}")
_BROKEN = "this JSON is broken or cut short; export the list again"
_NO_FILMS = "this JSON holds no list of films (objects with a title or an id)"


class _Found(NamedTuple):
    """A value of the document: an element of an array (`whole`), or a plain value of an object outside all arrays."""

    path: Path
    value: Any
    element: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """Where a document's entries are: its objects themselves, or the elements of the arrays at `paths`."""

    roots: bool = False
    texts: bool = False
    paths: frozenset[Path] = frozenset()


def is_json(start: str) -> bool:
    """Whether a text that begins so may be JSON."""
    return _START.match(start) is not None


def json_table(open_again: Opener, text_table: Callable[[Iterator[str]], Table]) -> Table:
    """The entries of a document that `open_again` opens, each time from its beginning.

    `text_table` reads a list of plain texts. Raises NotAList if the document is broken or holds no films.
    """
    form = _form(open_again)
    if form.texts:
        return text_table(f"{' '.join(_cell(value).split())}\n" for value in _values(open_again, form))
    columns: dict[str, None] = {}
    for entry in _entries(open_again, form):
        columns |= dict.fromkeys(entry)
        if len(columns) > MOST_COLUMNS:
            raise NotAList(f"the objects of this JSON have more than {MOST_COLUMNS:,} names; export the list as CSV")
    records = (
        Record(number, [entry.get(column, "") for column in columns])
        for number, entry in enumerate(_entries(open_again, form), 1)
    )
    return Table(list(columns), [], records)


# ── the document ────────────────────────────────────────────────────────────────────────────────────────────────────


def _form(open_again: Opener) -> _Form:
    """Where the films are."""
    objects, films, texts = Counter[Path](), Counter[Path](), 0
    roots, root_names = 0, dict[str, str]()
    for path, value, element in _walk(open_again):
        if not path and not element:
            roots += 1
        elif not element:
            if len(root_names) < MOST_COLUMNS:
                root_names[".".join(path)] = _cell(value)
        elif isinstance(value, Mapping):
            objects[path] += 1
            films[path] += _is_film(_flat(value), named_only=not path)
        else:
            texts += not path and isinstance(value, str)
    paths = frozenset(path for path, count in films.items() if 2 * count >= objects[path])
    names = {meaning(name)[0] for name in root_names}
    film = _is_film(root_names, named_only=roots > 1)
    if film and (roots > 1 or not paths or names & ({*words.YEARS, *words.RELEASES} | _IDS)):
        return _Form(roots=True)
    if paths:
        return _Form(paths=paths)
    if texts:
        return _Form(texts=True, paths=frozenset({()}))
    raise NotAList(_NO_FILMS)


def _is_film(entry: Mapping[str, str], *, named_only: bool) -> bool:
    """Whether an object is about a film or a series. `named_only`: a name alone is enough."""
    known = {meaning(name)[0] for name, cell in entry.items() if cell}
    if known & _TITLES or known & _IDS or (known & _MEDIA_IDS and "source" in known):
        return True
    if "name" in known or "label" in known:
        return not known & _OF_OTHERS and (named_only or bool(known & (_OF_FILMS - {"id"})))
    return any(_IMDB_ID.fullmatch(cell) for cell in entry.values())


def _entries(open_again: Opener, form: _Form) -> Iterator[dict[str, str]]:
    several = len(form.paths) > 1 or any(form.paths)
    for path, value, _ in _walk(open_again, whole_roots=form.roots):
        if form.roots or path in form.paths:
            entry = _flat(value) if isinstance(value, Mapping) else {"value": _cell(value)}
            if several and path:
                entry.setdefault("list", path[-1])
            yield entry


def _values(open_again: Opener, form: _Form) -> Iterator[Any]:
    return (found.value for found in _walk(open_again) if found.element and found.path in form.paths)


def _walk(open_again: Opener, *, whole_roots: bool = False) -> Iterator[_Found]:
    """The elements of all arrays that are in no other array, and the plain values outside them; each object at the top
    is announced by a value with an empty path. With `whole_roots` only these objects come, each as a whole.

    Raises NotAList if the text is no JSON.
    """
    keys: list[str | None] = []  # of the open objects and arrays, None for an array
    events = _events(open_again)
    for event, value in events:
        in_array = bool(keys) and keys[-1] is None
        if event in ("end_map", "end_array"):
            keys.pop()
        elif event == "map_key":
            keys[-1] = value
        elif whole_roots and not keys and event == "start_map":
            yield _Found((), _built(event, value, events), element=True)
        elif event in ("start_map", "start_array") and not in_array:
            if len(keys) > MOST_LEVELS:
                raise NotAList(_BROKEN)
            if not keys and event == "start_map":
                yield _Found((), None, element=False)
            keys.append("" if event == "start_map" else None)
        elif not whole_roots or in_array:
            path = tuple(key for key in keys if key is not None)
            whole = _built(event, value, events) if event.startswith("start") else value
            if not whole_roots:
                yield _Found(path, whole, element=in_array)


def _built(event: str, value: Any, events: Iterator[tuple[str, Any]]) -> Any:
    """The value that begins with an event; takes its other events."""
    import ijson

    builder, depth = ijson.ObjectBuilder(), 1
    builder.event(event, value)
    while depth:
        event, value = next(events)
        builder.event(event, value)
        depth += event.startswith("start") - event.startswith("end")
        if depth > MOST_LEVELS:
            raise NotAList(_BROKEN)
    return builder.value


def _events(open_again: Opener) -> Iterator[tuple[str, Any]]:
    import ijson  # here, because most lists are no JSON

    with open_again() as text:
        try:
            yield from ijson.basic_parse(_Utf8(text), use_float=True, multiple_values=True)
        except (ijson.JSONError, ValueError, RecursionError, OverflowError):
            raise NotAList(_BROKEN) from None


class _Utf8:
    """A text as the UTF-8 that the parser reads."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int) -> bytes:
        return self._text.read(min(size, _CHUNK_CHARS) if size >= 0 else _CHUNK_CHARS).encode("utf-8", "replace")


# ── an entry ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _flat(value: Mapping[str, Any], prefix: str = "", level: int = 0) -> dict[str, str]:
    """An object as cells by column."""
    cells: dict[str, str] = {}
    for name, one in value.items():
        column = f"{prefix}{name}"
        if isinstance(one, Mapping) and level < 3 and words.folded(name) in _NESTED:
            cells |= _flat(one, f"{column}.", level + 1)
        else:
            cells[column] = _cell(one)
    return cells


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list() if not any(isinstance(one, list | Mapping) for one in value):
            return "; ".join(map(_cell, value))
        case list() | Mapping():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)
