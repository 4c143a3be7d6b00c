"""Small multiples over time: a panel a mode, all with the same axes, so that shapes can be compared at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from enricher.simulator.behaviour import Quota

from ..summary import Row
from . import series, svg
from .scene import CLIP, Chart, Scene, short, time_axis
from .series import Steps
from .svg import PANEL_WIDTH, Look, Scale
from .text import Table, figure, name

LEFT = 36
TOP = 30
HEIGHT = 62
BOTTOM = TOP + HEIGHT
TEXT = 14
BINS = 310
"""As many parts of the time as a panel has units."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One mode's count over time, and how long that went on."""

    row: Row
    look: Look
    steps: Steps
    end_s: float

    @property
    def most(self) -> int:
        return max((count for _, count in self.steps), default=0)


def flights(scene: Scene) -> Chart | None:
    """How many requests were in flight: batches with a barrier show as saw-teeth."""
    panels = []
    for row in scene.modes:
        one = series.typical(scene.run, scene.at, row.subject.name, lambda one: one.stamps.sent)
        if one is not None:
            panels.append(_Panel(row, scene.look(row), series.in_flight(one.stamps), one.wall_s))
    slots = scene.point.point.slots
    if not panels:
        return None
    time, count = _axes(panels, slots)
    pictures: list[str] = []
    means = []
    for panel in panels:
        end_s = min(panel.end_s, time.high)
        bins = max(1, round(BINS * end_s / time.high))
        heights = series.averaged(panel.steps, end_s, bins)
        line = svg.staircase(
            [(time(end_s * index / bins), count(high)) for index, high in enumerate(heights)], time(end_s)
        )
        means.append(sum(series.averaged(panel.steps, panel.end_s, 1)))
        told = f"{figure(means[-1])} requests in flight on average, {panel.most} at most, over {figure(panel.end_s)} s."
        title = f"Requests in flight over time: {name(panel.row)}"
        key = f"flight-{len(pictures) + 1}"
        pictures.append(_picture(key, title, told, panel, line, time, count, slots, f"{figure(panel.end_s, 4)} s"))
    rows = [
        (name(panel.row), figure(mean), f"{panel.most:,}", figure(panel.end_s, 4))
        for panel, mean in zip(panels, means, strict=True)
    ]
    return Chart(
        "flight",
        "Requests in flight over time",
        f"The round with the median wall time of each mode. The dashed line is the limit of {slots} slots: the area below"
        " it that is empty was not used. Batches that wait for their slowest show as saw-teeth."
        + (" An arrow: it goes on further than is drawn." if _clipped(panels, time) else ""),
        tuple(pictures),
        Table("Requests in flight over time", ("mode", "average", "most", "wall s of this round"), tuple(rows)),
        panels=True,
    )


def windows(scene: Scene) -> list[Chart]:
    """How many requests lay in the API's sliding window at each moment, and its limit."""
    quota_text = scene.point.point.quota
    if quota_text in ("", "none"):
        return []
    return [
        chart
        for number, one in enumerate(quota_text.split(","))
        if (chart := _window(scene, Quota.parse(one), f"window-{number + 1}")) is not None
    ]


def _window(scene: Scene, quota: Quota, key: str) -> Chart | None:
    panels = []
    for row in scene.modes:
        one = series.typical(scene.run, scene.at, row.subject.name, lambda one: one.arrivals)
        if one is not None:
            steps = series.in_window(one.arrivals, quota.period_s)
            panels.append(_Panel(row, scene.look(row), steps, steps[-1][0]))
    if not panels:
        return None
    time, count = _axes(panels, quota.limit)
    pictures: list[str] = []
    for panel in panels:
        line = svg.staircase(
            [(time(at), count(many)) for at, many in panel.steps if at <= time.high], time(panel.end_s)
        )
        title = f"Requests in the last {quota.period_s:g} s: {name(panel.row)}"
        told = f"{panel.most} at most, where the API allows {quota.limit}."
        words = f"at most {panel.most}"
        pictures.append(
            _picture(f"{key}-{len(pictures) + 1}", title, told, panel, line, time, count, quota.limit, words)
        )
    title = f"Requests at the API within any {quota.period_s:g} s"
    rows = tuple((name(panel.row), f"{panel.most:,}", f"{quota.limit:,}") for panel in panels)
    return Chart(
        key,
        title,
        f"At each moment, how many requests had arrived within the last {quota.period_s:g} s, in the round with the median"
        f" wall time. The dashed line is the limit of {quota.limit}: above it the API rejects, far below it time is lost.",
        tuple(pictures),
        Table(title, ("mode", "most in a window", "limit"), rows),
        panels=True,
    )


def _axes(panels: Sequence[_Panel], limit: int) -> tuple[Scale, Scale]:
    """The time and the count, the same for all panels; what takes far longer than the shortest is cut off."""
    shortest = min(panel.end_s for panel in panels)
    end_s = max(panel.end_s for panel in panels if panel.end_s <= CLIP * shortest) or 1.0
    most = max(limit, *(panel.most for panel in panels))
    return Scale(0, end_s, LEFT, PANEL_WIDTH - 4), Scale(0, most * 1.06, BOTTOM, TOP)


def _clipped(panels: Iterable[_Panel], time: Scale) -> bool:
    return any(panel.end_s > time.high for panel in panels)


def _picture(
    key: str, title: str, told: str, panel: _Panel, line: str, time: Scale, count: Scale, limit: int, words: str
) -> str:  # fmt: skip
    further = panel.end_s > time.high
    edge = svg.beyond(PANEL_WIDTH - 2, count(panel.most) + 12) if further else ""
    area = f"{line}V{svg.xy(BOTTOM)}H{svg.xy(LEFT)}Z"
    line = f"M{svg.xy(LEFT)} {svg.xy(BOTTOM)}V{line[1:].partition(' ')[2] if not further else ''}"
    parts = [
        svg.text(0, 14, short(name(panel.row), 26), "who"),
        svg.text(PANEL_WIDTH, 14, words, "soft", "end"),
        time_axis(time, TOP, BOTTOM),
        svg.group(panel.look, svg.path(area, "area"), svg.path(line, "ink"), edge),
        svg.line(LEFT, BOTTOM, PANEL_WIDTH - 4, BOTTOM, "axis"),
        svg.line(LEFT, count(limit), PANEL_WIDTH - 4, count(limit), "limit"),
        svg.text(LEFT - 6, count(limit) + 5, f"{limit}", "soft", "end"),
        svg.text(LEFT - 6, BOTTOM + 1, "0", "soft", "end") if count(limit) < BOTTOM - TEXT else "",
    ]
    return svg.svg(key, title, told, PANEL_WIDTH, BOTTOM + 22, parts)
