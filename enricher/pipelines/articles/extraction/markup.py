"""The markup of a page without scripts, styles, comments and embedded pictures, counted before a parser sees it.

The parser needs minutes for a tag of 100,000 attributes, so tags are counted first. Scripts and styles are no markup: JSON in
a script looks like tags of thousands of attributes. They are therefore removed before the count, and the parser gets only
what was counted: where this scanner and the parser disagree on the end of a script, text is lost, but no bound.
JSON-LD is kept apart and put back into the tree as text.

Tags, comments and scripts are split as browsers do it (html.spec.whatwg.org, 13.2.5). All patterns are possessive or bounded,
so the scan is linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_ATTRIBUTES_OF_A_TAG = 5_000
# A longer block of JSON-LD is not read: looking for authors in it may take minutes. The longest of 115 pages had 18,000.
MAX_DATA_CHARS = 50_000

_DATA_TYPES = frozenset({"application/ld+json", "application/settings+json"})
# Their content is text to the parser, and is never shown.
_RAW = frozenset({"script", "style", "iframe", "noembed", "noframes"})
# Their content is text to the parser, too, but is shown.
_TEXT_ONLY = frozenset({"title", "textarea", "xmp"})

_ATTRIBUTE = r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|(?!["'>])[^\s>]++))?+"""
_OPENING = re.compile(
    rf"""<!---?>|<!--|<[!?][^>]*+>?|<([a-zA-Z][^\s/>]*+)((?:[\s/]++|{_ATTRIBUTE})*+)>?|</(?:p|br)\b""", re.IGNORECASE
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TYPE = re.compile(r"""(?:^|[\s/])type\s*=\s*["']?\s*([^\s"'>]+)""", re.IGNORECASE)
_COMMENT_END = re.compile(r"--!?>")
_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])[^>]*+>?", re.IGNORECASE) for name in _RAW | _TEXT_ONLY}
_IN_SCRIPT = re.compile(r"<!---?>|(<!--)|(-->)|(<script(?=[\s/>]))|(</script(?=[\s/>])[^>]*+>?)", re.IGNORECASE)

_EMBEDDED = r"""data:[^,"'<>\s()]{0,100},(?:[\w+/=%.-]{40,}+(?:[\r\n]\s*+)?)+"""
EMBEDDED_BYTES = re.compile(_EMBEDDED.encode(), re.IGNORECASE)
_EMBEDDED_TEXT = re.compile(_EMBEDDED, re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Markup:
    """Markup that may be parsed. `attributes` is an upper bound; `data` are the blocks of JSON-LD, as (type, content)."""

    text: str
    tags: int
    attributes: int
    data: tuple[tuple[str, str], ...] = ()


def clean(source: str) -> Markup | None:
    """Remove scripts, styles, comments and embedded pictures; None if a tag has more attributes than can be parsed."""
    source = _EMBEDDED_TEXT.sub("data:,", source)
    kept: list[str] = []
    data: list[tuple[str, str]] = []
    tags = attributes = at = 0
    while (opening := _OPENING.search(source, at)) is not None:
        start, end = opening.span()
        name = (opening[1] or "").lower()
        if not name and source.startswith("<!--", start):
            kept.append(source[at:start])
            at = end if source[end - 1] == ">" else _after(_COMMENT_END, source, end)[1]
            continue
        tags += 1
        most = _most_attributes(opening[2] or "")
        if most is None:
            return None
        attributes += most
        if name in _RAW:
            kept.append(source[at:start])
            inner, at = _end_of_script(source, end) if name == "script" else _after(_ENDS[name], source, end)
            if (kind := _data_type(name, opening[2])) and inner - end <= MAX_DATA_CHARS:
                data.append((kind, source[end:inner]))
            continue
        after = _after(_ENDS[name], source, end)[1] if name in _TEXT_ONLY else end
        kept.append(source[at:after])
        at = after
    kept.append(source[at:])
    return Markup("".join(kept), tags, attributes, tuple(data))


def _most_attributes(inside: str) -> int | None:
    """An upper bound of the attributes in a tag, exact where it matters; None if they are more than can be parsed."""
    most = len(inside.split()) + inside.count("/") + inside.count("=")
    if most > MAX_ATTRIBUTES_OF_A_TAG:
        most = sum(1 for _ in _ATTRIBUTES.finditer(inside))
    return None if most > MAX_ATTRIBUTES_OF_A_TAG else most


def _after(pattern: re.Pattern[str], source: str, at: int) -> tuple[int, int]:
    """Where a pattern is found next, as (start, end); the end of the source if it is not found."""
    found = pattern.search(source, at)
    return (len(source), len(source)) if found is None else found.span()


def _end_of_script(source: str, at: int) -> tuple[int, int]:
    """Where the script ends whose content begins at `at`. In a comment, a nested script's end tag does not end it."""
    commented = nested = False
    for found in _IN_SCRIPT.finditer(source, at):
        match found.lastindex:
            case 1:
                commented = True
            case 2:
                commented = nested = False
            case 3:
                nested = nested or commented
            case 4 if nested:
                nested = False
            case 4:
                return found.span()
    return len(source), len(source)


def _data_type(name: str, attributes: str) -> str | None:
    """The type of a script whose content states facts of the page; None for all others."""
    found = _TYPE.search(attributes) if name == "script" else None
    return found[1].lower() if found is not None and found[1].lower() in _DATA_TYPES else None
