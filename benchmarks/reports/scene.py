"""What the charts share: a chart as a value, and the headline's point with who is drawn how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..runs import Run, Subject
from ..summary import PointSummary, Row, Summary
from . import svg
from .svg import Look
from .text import Table

CLIP = 3
"""What is more than so many times the smallest stands at the edge, with an arrow: it would squeeze all the others."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart. `key`: unique in a page; `says`: how to read it; `pictures`: SVG; `table`: the same figures for who reads
    tables; `panels`: the pictures are small multiples, `svg.PANEL_WIDTH` wide.
    """

    key: str
    title: str
    says: str
    pictures: tuple[str, ...]
    table: Table
    panels: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A run, seen from its headline's point."""

    run: Run
    summary: Summary
    looks: dict[str, Look]

    @classmethod
    def of(cls, run: Run, summary: Summary) -> Scene:
        """With a look for each subject of the run."""
        return cls(run, summary, looks(run.subjects))

    @property
    def at(self) -> int:
        """The index of the headline's point."""
        return self.run.headline

    @property
    def point(self) -> PointSummary:
        """The headline's point."""
        return self.summary.headline

    @property
    def rows(self) -> list[Row]:
        """Who is valid, the control included."""
        return [row for row in self.point.rows if row.valid]

    @property
    def modes(self) -> list[Row]:
        """Who is valid, without the control, which is a mode that is there already."""
        return [row for row in self.rows if row.subject.control_of is None]

    def look(self, row: Row) -> Look:
        """How a row's subject is drawn."""
        return self.looks[row.subject.name]


def looks(subjects: Iterable[Subject]) -> dict[str, Look]:
    """A look for each subject. A control looks like the mode that it is, but hollow."""
    found: dict[str, Look] = {}
    for subject in subjects:
        of = found.get(subject.control_of or "")
        number = sum(not look.hollow for look in found.values())
        found[subject.name] = Look.number(number) if of is None else Look(of.colour, of.dash, of.shape, hollow=True)
    return found


def short(name: str, most: int = 24) -> str:
    """A name that has room in a picture; the whole of it stands in the tables."""
    return name if len(name) <= most else name[: most - 1] + "…"


def time_axis(scale: svg.Scale, top: float, bottom: float) -> str:
    """Ticks of a time in seconds below a panel, the unit behind the last one."""
    ticks = scale.ticks(4)
    parts = []
    for tick in ticks:
        x, last = scale(tick), tick == ticks[-1]
        anchor = "end" if last and x > scale.end - 12 else "middle"  # half of what "10 s" is wide
        parts.append(svg.line(x, top, x, bottom, "grid"))
        parts.append(svg.text(x, bottom + 17, f"{tick:g}{' s' if last else ''}", "soft", anchor))
    return "".join(parts)
