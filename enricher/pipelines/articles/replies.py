"""Find the JSON object in what a model wrote: with reasoning, prose or code fences around it, in a wrapper, or broken.

Rule 1: an object counts by how many of the wanted fields it has; the last one of the best is taken. Models think, draft
and repeat before they answer, in tags of any name, so no tag is looked for.
Rule 2: valid JSON is read first (raw line ends in strings are allowed). Only what is broken goes to `json_repair`.
Rule 3: a repair must keep the letters and digits of the text, all of them and in order. Other repairs are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

MOST_CHARS = 400_000
"""A reply of `max_tokens` is far shorter. A longer one is not searched."""

_MOST_STARTS = 200
_MOST_REPAIRS = 10
_MOST_BRACES = 500  # the time of a repair grows with the square of these
_DEEPEST = 5

_decode = json.JSONDecoder(strict=False).raw_decode

_START = re.compile(r"""\{\s*["'“”„«]?\w[\w -]{0,40}["'“”»]?\s*:""")
_NOT_A_LETTER = re.compile(r"[^a-z]")


def object_in(text: str, fields: Collection[str]) -> Mapping[str, Any] | None:
    """The object in a text that has the most of `fields`, the last one of these; None if none has any.

    Its keys are among `fields`, however they were written ("Key Findings" is key_findings). Other keys are left out.
    """
    if len(text) > MOST_CHARS:
        return None
    names = {_NOT_A_LETTER.sub("", field): field for field in fields}
    best: Mapping[str, Any] = {}
    broken: list[int] = []
    for data in _valid_objects(text, names, broken):
        known = _known(data, names)
        if len(known) >= len(best):
            best = known
    for start in broken[: -_MOST_REPAIRS - 1 : -1]:
        if len(best) == len(names):
            break
        for data in _repaired(text, start, names):
            known = _known(data, names)
            if len(known) > len(best):
                best = known
    return best or None


def _known(data: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    by_key = ((_NOT_A_LETTER.sub("", str(key).casefold()), value) for key, value in data.items())
    return {names[key]: value for key, value in by_key if key in names}


def _valid_objects(text: str, names: Collection[str], broken: list[int]) -> Iterator[Mapping[str, Any]]:
    """The valid objects of a text, in order. Where one begins that is not valid goes into `broken`."""
    try:
        yield from _within(json.loads(text, strict=False), names)
    except (ValueError, RecursionError):
        pass
    else:
        return
    end = 0
    for start in [found.start() for found in _START.finditer(text)][-_MOST_STARTS:]:
        if start < end:
            continue
        try:
            data, end = _decode(text, start)
        except (ValueError, RecursionError):
            broken.append(start)
        else:
            yield from _within(data, names)


def _within(data: Any, names: Collection[str], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects in a value: itself, in a wrapper object or list, or as JSON in a string."""
    if depth > _DEEPEST:
        return
    if isinstance(data, Mapping):
        yield data
        inner = list(data.values())
    elif isinstance(data, list):
        inner = data
    elif isinstance(data, str) and data.lstrip().startswith(("{", "[")):
        try:
            inner = [json.loads(data, strict=False)]
        except (ValueError, RecursionError):
            return
    else:
        return
    for value in inner:
        yield from _within(value, names, depth + 1)


# ── broken JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _repaired(text: str, start: int, names: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """What can be made of the broken object that begins at `start`."""
    from json_repair import loads  # here, because most replies are valid, and to import it takes 60 ms

    for segment in _segments(text[start:]):
        if segment.count("{") + segment.count("[") > _MOST_BRACES:
            continue
        try:
            data = loads(segment, skip_json_loads=True)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, Mapping) and _keeps_the_text(data, segment):
            yield from _within(data, names)
            return


_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_DEPTH = {"{": 1, "[": 1, "}": -1, "]": -1}
_WHOLE = re.compile(r'(?:(?<![:,\[{\s])["”]|\]|\bnull)\s*,?$')


def _segments(text: str) -> Iterator[str]:
    """Where the object that a text begins with may end: at its own brace, at the last one, or with its code fence or text.

    An object that lacks its last brace, and nothing else, is whole. One that ends within a text or a list was cut.
    """
    depth = 0
    for mark in _MARK.finditer(text):
        depth += _DEPTH.get(mark[0], 0)
        if depth == 0:
            yield text[: mark.end()]
            break
    if last := text.rfind("}") + 1:
        yield text[:last]
    trimmed = text.partition("\n```")[0].rstrip()
    if _WHOLE.search(trimmed) and sum(_DEPTH.get(mark, 0) for mark in _MARK.findall(trimmed)) == 1:
        yield trimmed


_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_LITERAL = re.compile(r"\b(?:null|none|true|false)\b", re.IGNORECASE)
_COMMENT = re.compile(r"(?<=[\s,{\[])//[^\n]*|/\*.*?\*/", re.DOTALL)


def _keeps_the_text(data: Any, segment: str) -> bool:
    """Whether a repair holds the letters and digits of its text, all and in order. Comments may be lost."""
    kept = _letters(" ".join(_texts(data)))
    return kept in (_letters(_unescaped(segment)), _letters(_unescaped(_COMMENT.sub(" ", segment))))


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
    else:
        yield str(data)


def _unescaped(text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        if len(found[1]) > 1:
            return chr(int(found[1][1:], 16))
        return " " if found[1] in "bfnrt" else found[1]

    return _ESCAPE.sub(meant, text)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, _LITERAL.sub(" ", text)))
