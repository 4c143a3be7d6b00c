"""What inline styles say of an element: whether it is shown at all, and how its text looks. Style sheets are not read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

FRAME = frozenset({"html", "head", "body"})  # a page that hides itself shows itself by script: it is no trick
INVISIBLE = frozenset({"hidden", "collapse"})  # values of visibility

# Nothing that is meant to be seen is moved so far beyond an edge; ±9999px is what people write.
_FAR_PX = 500.0
_FAR_ASIDE_PX = 5_000.0
_PX = {"pt": 1.33, "em": 16.0, "rem": 16.0, "ch": 8.0, "vw": 10.0, "vh": 10.0}
_TINY_PX = 2.0
_FAINT = 0.1

_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([a-z%]*)")
_CLIPPED = re.compile(r"rect\((?:[01](?:px)?[\s,]*){4}\)|inset\((?:50|100)%|circle\(0")
_SHRUNK = re.compile(r"scale(?:3d|x|y)?\(0*\.?0*[,)]")
_SHARE = re.compile(r"%|[0-9.]em|inherit|smaller|larger")
_IMPORTANT = re.compile(r"!\s*important")
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?")
_EDGES = ("left", "right", "top", "bottom", "text-indent", "margin-left", "margin-top")
_ALONG_THE_LINE = ("left", "text-indent", "margin-left")
_SIZES = ("width", "height", "max-width", "max-height")
_PROPERTIES = (
    *("display", "visibility", "content-visibility", "opacity", "font-size", "overflow", *_SIZES),
    *("transform", "clip", "clip-path", *_EDGES),
    *("color", "-webkit-text-fill-color", "background", "background-color", "background-image"),
    *("background-clip", "-webkit-background-clip"),
)
_DECLARED = re.compile(rf"(?:^|;)\s*({'|'.join(_PROPERTIES)})\s*:([^;]*)")

Style = Mapping[str, str]
Colour = tuple[float, float, float]
_INVISIBLE: Colour = (-1, -1, -1)
_NAMED: Mapping[str, Colour] = {"white": (255, 255, 255), "black": (0, 0, 0), "transparent": _INVISIBLE}
_HEX = re.compile(r"#([0-9a-f]{3,8})\b")
_RGB = re.compile(r"rgba?\(([^)]*)\)")
_ALIKE = 24  # of 255: colours whose parts differ by no more can't be read on each other


class Look(NamedTuple):
    """How text looks at a place, as far as the inline styles around it say. None: they do not say."""

    unseen: bool = False
    tiny: bool = False
    faint: bool = False
    ink: Colour | None = None
    paper: Colour | None = None

    @property
    def hidden(self) -> bool:
        """Invisible, of no size, or of the colour of what it is written on."""
        return self.unseen or self.tiny or self.ink == _INVISIBLE or _alike(self.ink, self.paper)

    @property
    def doubtful(self) -> bool:
        """Faded out, or white on what may be the white that a page is by default."""
        return self.faint or (self.paper is None and _alike(self.ink, _NAMED["white"]))


def never_shown(style: Style) -> bool:
    """Whether an element is moved out of the page, clipped or shrunk to nothing: no script would show an article so."""
    if any(_px(style.get(edge)) <= -_FAR_PX for edge in _EDGES):
        return True
    if any(_px(style.get(edge)) >= _FAR_ASIDE_PX for edge in _ALONG_THE_LINE):
        return True
    transform = style.get("transform", "")
    if any(_px(moved[0]) <= -_FAR_PX for moved in _NUMBER.finditer(transform)) or _SHRUNK.search(transform):
        return True
    if _CLIPPED.search(style.get("clip", "")) or _CLIPPED.search(style.get("clip-path", "")):
        return True
    closed = any(word in style.get("overflow", "") for word in ("hidden", "clip"))
    return closed and any(_px(style.get(size), math.inf) <= 1 for size in _SIZES)


def look_of(element: Any, style: Style, around: Look) -> Look:
    """How text of an element looks, given how it looks around it."""
    if not style and element.get("color") is None and element.get("bgcolor") is None:
        return around
    seen = style.get("visibility")
    size = style.get("font-size", "")
    faint = _px(style.get("opacity"), 1.0) < _FAINT and element.tag not in FRAME
    ink = _colour(style.get("-webkit-text-fill-color") or style.get("color") or element.get("color"))
    if ink == _INVISIBLE and "text" in style.get("background-clip", style.get("-webkit-background-clip", "")):
        ink = None  # letters cut out of a background
    return Look(
        unseen=around.unseen if seen in (None, "inherit") or element.tag in FRAME else seen in INVISIBLE,
        # A share of nothing is nothing: only a size of its own makes text within text of no size seen again.
        tiny=around.tiny if not size or (around.tiny and _SHARE.search(size)) else _px(size, 16.0) < _TINY_PX,
        faint=around.faint or faint,
        ink=around.ink if ink is None else ink,
        paper=_paper(element, style, around),
    )


def _paper(element: Any, style: Style, around: Look) -> Colour | None:
    """What text is written on. Pictures have whatever colour, and so has what we can't read: no ink is like it."""
    value = style.get("background-color") or style.get("background") or str(element.get("bgcolor") or "").lower()
    if "background-image" in style or "url(" in value or "gradient(" in value:
        return _INVISIBLE
    if not value or value in ("none", "inherit", "initial", "unset"):
        return around.paper
    colour = _colour(value)
    return _INVISIBLE if colour is None else around.paper if colour == _INVISIBLE else colour


def style_of(text: str | None) -> Style:
    """What a style attribute declares, of what can hide: in lower case, without comments and escapes."""
    if not text:
        return {}
    plain = re.sub(r"/\*.*?(?:\*/|$)", "", text.lower(), flags=re.DOTALL)
    plain = _ESCAPE.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)).lower(), plain).replace("\\", "")
    declared = sorted(_DECLARED.finditer(plain), key=lambda match: _IMPORTANT.search(match[2]) is not None)
    return {match[1]: _IMPORTANT.sub("", match[2]).strip() for match in declared}


def _px(value: str | None, otherwise: float = 0.0) -> float:
    """A length, roughly in pixels; a bare number as it is."""
    match = _NUMBER.match(value or "")
    return otherwise if match is None else float(match[1]) * _PX.get(match[2], 1.0)


def _alike(one: Colour | None, other: Colour | None) -> bool:
    if one is None or other is None or _INVISIBLE in (one, other):
        return False
    return all(abs(part - counterpart) <= _ALIKE for part, counterpart in zip(one, other, strict=True))


def _colour(value: str | None) -> Colour | None:
    """The colour that a value names first, if it is one that we know."""
    if not value:
        return None
    value = value.strip().lower()
    if (match := _HEX.search(value)) is not None:
        digits = match[1]
        pairs = [digit * 2 for digit in digits] if len(digits) < 6 else [digits[at : at + 2] for at in range(0, 8, 2)]
        return _INVISIBLE if pairs[3:4] == ["00"] else (int(pairs[0], 16), int(pairs[1], 16), int(pairs[2], 16))
    if (match := _RGB.search(value)) is not None:
        parts = [float(part[1]) for part in _NUMBER.finditer(match[1])]
        if len(parts) > 3 and parts[3] < _FAINT:
            return _INVISIBLE
        return (parts[0], parts[1], parts[2]) if len(parts) >= 3 else None
    return next((_NAMED[word] for word in value.split() if word in _NAMED), None)
