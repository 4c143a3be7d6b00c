"""Drawing primitives: strings of SVG, coordinates in the units of the viewBox, colours by CSS variables.

A picture is `WIDTH` units wide, and text is 14 of them: on a phone of 360 pixels that is still 10, on a wide screen, two
pictures beside each other, 16. Panels are narrower and stand three beside each other.

Who is who is told three times: by colour (Okabe and Ito's, which colour-blind people tell apart, darkened or lightened
until they stand out from the paper by 3:1), by dashes or the marker's shape, and by a name beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 440
PANEL_WIDTH = 340

LIGHT = ("#0072b2", "#d55e00", "#009e73", "#b5598c", "#a87400", "#2f8fc9", "#7f7700", "#4a4a4a")
DARK = ("#4ba6e8", "#f0803c", "#2dbe94", "#e09bc3", "#e69f00", "#9ad6f7", "#f0e442", "#d0d0d0")
PAPER_LIGHT, PAPER_DARK = "#fdfdfb", "#15171b"

LEAST_TICKS = 3
"""Where a logarithmic scale is so short that it has fewer, it takes those of a linear one."""

_DASHES = ("", "7 3", "2 3", "11 3 2 3", "5 2 1 2 1 2")
_MARKERS = ("circle", "square", "triangle", "diamond", "cross", "down", "plus")


def _variables(colours: Sequence[str]) -> str:
    return "".join(f"--c{index}:{colour};" for index, colour in enumerate(colours))


LIGHT_VARIABLES, DARK_VARIABLES = _variables(LIGHT), _variables(DARK)

STYLE = """
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-family: inherit; font-size: 14px; fill: var(--text); font-variant-numeric: tabular-nums; }
svg .who { font-weight: 600; }
svg .soft { fill: var(--soft); }
svg .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .limit { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 5 3; fill: none; }
svg .lane { fill: var(--wash); }
svg .margin { fill: var(--text); opacity: .09; }
svg .ink { stroke: var(--ink); stroke-width: 2.25; fill: none; stroke-linejoin: round; }
svg .area { fill: var(--ink); opacity: .16; stroke: none; }
svg .plain { fill: var(--soft); }
svg .full { fill: var(--ink); stroke: none; }
svg .dot { fill: var(--ink); stroke: none; opacity: .62; }
svg .mark { fill: var(--ink); stroke: var(--ink); stroke-width: 2; }
svg .hollow { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }
""" + "".join(f"svg .s{index} {{ --ink: var(--c{index}); }}\n" for index in range(len(LIGHT)))


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody is drawn, in every chart of a report. Hollow: the control of the one with the same look."""

    colour: int
    dash: str
    shape: str
    hollow: bool = False

    @classmethod
    def number(cls, index: int) -> Look:
        """The looks in their order; no two of the first 280 are the same."""
        return cls(index % len(LIGHT), _DASHES[index % len(_DASHES)], _MARKERS[index % len(_MARKERS)])


# ── scales ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scale:
    """From values (low to high) to coordinates (start to end), linear or logarithmic. Values beyond stay at the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The coordinate of a value."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return self.start + (self.end - self.start) * ((at - low) / (high - low) if high > low else 0.5)

    def ticks(self, most: int = 5) -> list[float]:
        """Round numbers within the scale, about so many."""
        found = _log_ticks(self.low, self.high, most) if self.log else []
        return found if len(found) >= LEAST_TICKS else _ticks(self.low, self.high, most)


def _ticks(low: float, high: float, most: int) -> list[float]:
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps]
        found = [tick for tick in found if low * 0.999 <= tick <= high * 1.001]
        if len(found) <= most:
            break
    return found[:: math.ceil(len(found) / most)] if found else []


# ── elements ────────────────────────────────────────────────────────────────────────────────────────────────────────


def xy(value: float) -> str:
    """A coordinate, to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words, their base line at y. The anchor is start, middle or end."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{xy(x)}" y="{xy(y)}"{where}{_class(kind)}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str, dash: str = "") -> str:
    """A straight line."""
    ends = f'x1="{xy(x1)}" y1="{xy(y1)}" x2="{xy(x2)}" y2="{xy(y2)}"'
    return f"<line {ends}{_class(kind)}{_dash(dash)}/>"


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 0.0, fill: str = "") -> str:
    """A rectangle; a negative width is none."""
    size = f'x="{xy(x)}" y="{xy(y)}" width="{xy(max(0.0, width))}" height="{xy(height)}"'
    rounded = f' rx="{xy(radius)}"' if radius else ""
    return f"<rect {size}{rounded}{_class(kind)}{f' fill={chr(34)}{fill}{chr(34)}' if fill else ''}/>"


def path(data: str, kind: str, dash: str = "") -> str:
    """A path."""
    return f'<path d="{data}"{_class(kind)}{_dash(dash)}/>'


def circle(x: float, y: float, radius: float, kind: str) -> str:
    """A circle."""
    return f'<circle cx="{xy(x)}" cy="{xy(y)}" r="{xy(radius)}"{_class(kind)}/>'


def group(look: Look, *parts: str) -> str:
    """Parts in the colour of a look."""
    return f'<g class="s{look.colour}">{"".join(parts)}</g>'


def marker(look: Look, x: float, y: float, size: float = 5.0) -> str:
    """The mark of a look."""
    kind = "hollow" if look.hollow else "mark"
    up, side = size * 1.1, size
    match look.shape:
        case "circle":
            return circle(x, y, size * 0.95, kind)
        case "square":
            return rect(x - size * 0.85, y - size * 0.85, size * 1.7, size * 1.7, kind)
        case "triangle":
            data = f"M{xy(x - side)} {xy(y + side * 0.8)}L{xy(x + side)} {xy(y + side * 0.8)}L{xy(x)} {xy(y - up)}Z"
        case "down":
            data = f"M{xy(x - side)} {xy(y - side * 0.8)}L{xy(x + side)} {xy(y - side * 0.8)}L{xy(x)} {xy(y + up)}Z"
        case "diamond":
            data = f"M{xy(x)} {xy(y - up)}L{xy(x + up)} {xy(y)}L{xy(x)} {xy(y + up)}L{xy(x - up)} {xy(y)}Z"
        case "cross":
            near, far = (xy(y - side), xy(y + side))
            data = f"M{xy(x - side)} {near}L{xy(x + side)} {far}M{xy(x - side)} {far}L{xy(x + side)} {near}"
        case _:
            data = f"M{xy(x - up)} {xy(y)}L{xy(x + up)} {xy(y)}M{xy(x)} {xy(y - up)}L{xy(x)} {xy(y + up)}"
    return path(data, kind)


def beyond(x: float, y: float) -> str:
    """An arrowhead at the right edge: it goes on further than is drawn."""
    return path(f"M{xy(x - 7)} {xy(y - 6)}L{xy(x)} {xy(y)}L{xy(x - 7)} {xy(y + 6)}", "ink")


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """The path data of straight lines through points."""
    return "".join(f"{'L' if index else 'M'}{xy(x)} {xy(y)}" for index, (x, y) in enumerate(points))


def staircase(points: Sequence[tuple[float, float]], end: float) -> str:
    """The path data of a value that stays until the next point. What falls on one tenth of a unit is its two extremes."""
    columns: dict[str, list[float]] = {}
    for x, y in points:
        columns.setdefault(xy(x), []).append(y)
    parts: list[str] = []
    last = ""
    for x_text, column in columns.items():
        heights = list(dict.fromkeys(map(xy, (min(column), max(column), column[-1]))))
        if not parts:
            parts.append(f"M{x_text} {heights[-1]}")
        elif len(column) > 1 or heights[-1] != last:
            parts.append(f"H{x_text}" + "".join(f"V{height}" for height in heights))
        last = heights[-1]
    return "".join(parts) + f"H{xy(end)}"


def svg(key: str, title: str, told: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A whole picture: its name, and its figures in words for who can't see it. `key` is unique in the page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{key}-title {key}-desc"'
        f' viewBox="0 0 {xy(width)} {xy(height)}" width="100%">'
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(told)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _dash(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""
