"""Charts of a value against another: sweeps over slots or items, and distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..runs import Measurement
from ..summary import REFERENCE, PointSummary, Row
from . import series, svg
from .scene import Chart, Scene, short
from .svg import WIDTH, Look, Scale
from .text import Table, figure, listed, name

LEFT, RIGHT = 50, WIDTH - 12
HEIGHT = 240
LEGEND_ROW = 22
DIGIT = 9
"""What a digit is wide."""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "most": 1.0}
LEAST_MS = 0.1
"""What a stamp can tell; less is drawn as this."""

LEAST_SPAN = 1.5
"""A logarithmic axis spans this factor at least: what is narrower is to be seen as narrow."""


@dataclass(frozen=True, slots=True)
class _Curve:
    """Somebody's points, rising in x. Without a look it is the bound."""

    who: str
    look: Look | None
    points: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Axes:
    """Both axes; x is logarithmic. `ticks`: where x has values, empty for round ones. `top`: the end of a linear y."""

    x: str
    y: str
    ticks: tuple[float, ...] = ()
    top: float | None = None


# ── sweeps ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def slots_sweep(scene: Scene) -> Chart | None:
    """Requests a second against slots, with the bound and the knees."""
    points = series.slots_sweep(scene.summary)
    curves = _curves(scene, points, _slots, lambda _, row: row.requests / row.wall_s.median if row.wall_s else None)
    if not curves:
        return None
    bound = [(_slots(at), row.requests / at.bound_s) for at in points if at.bound_s and (row := at.row(REFERENCE))]
    if len(bound) > 1:
        curves.insert(0, _Curve("bound", None, bound))
    knees = {curve.who: at for curve in curves if (at := _knee(curve)) is not None}
    places = [(curve, at, dict(curve.points).get(at)) for curve in curves if (at := knees.get(curve.who)) is not None]

    def marks(x: Scale, y: Scale) -> Iterable[str]:
        for curve, at, speed in places:
            if curve.look is not None and speed is not None:
                yield svg.group(curve.look, svg.circle(x(at), y(speed), 9, "ink"))
            elif curve.look is None:
                yield svg.line(x(at), y.end, x(at), y.start, "limit")
                yield svg.text(x(at) - 6, y.start - 10, f"knee: {figure(at)}", "halo", "end")

    title = "Throughput against slots"
    told = listed(
        f"{curve.who} {figure(curve.points[-1][1])} requests a second with {curve.points[-1][0]:g} slots"
        + (f", knee at {figure(knees[curve.who])} slots" if curve.who in knees else "")
        for curve in curves
    )
    says = "Both axes are logarithmic. The dashed line is what the bound allows."
    if any(curve.look is not None for curve, _, _ in places):
        says += " A ring marks a mode's knee, up to which every step gave at least half of what its slots promised."
    if "bound" in knees:
        says += " The upright line is the bound's knee, rate × mean latency: more slots gain nobody anything."
    table = _table(title, "slots", _slots, points, curves)
    if knees:
        last = ("knee", *(figure(knees.get(curve.who)) for curve in curves))
        table = Table(table.caption, table.header, (*table.rows, last))
    axes = _Axes("slots", "requests a second", tuple(map(_slots, points)))
    return Chart("slots", title, says, (_plot("slots", title, told, curves, axes, marks),), table)


def items_sweep(scene: Scene) -> Chart | None:
    """The share of the bound against the number of items, or the time for each item where there is no bound."""
    points = series.items_sweep(scene.summary)
    bounded = all(at.bound_s for at in points)
    curves = _curves(scene, points, _items, _percent_of_bound if bounded else _ms_an_item)
    if not curves:
        return None
    if bounded:
        title, y = "Share of the bound against the number of items", "% of the bound"
        says = "A long list should come as near to the bound as a short one."
    else:
        title, y = "Time for each item against their number", "ms an item"
        says = (
            "A level line: an item costs the same, however many there are. What rises to the left is the start's cost."
        )
    told = listed(
        f"{curve.who} {figure(curve.points[0][1])} with {curve.points[0][0]:,g} items,"
        f" {figure(curve.points[-1][1])} with {curve.points[-1][0]:,g}"
        for curve in curves
    )
    axes = _Axes("items", y, tuple(map(_items, points)), 100.0 if bounded else None)
    picture = _plot("items", title, f"{y}: {told}", curves, axes)
    return Chart("items", title, says, (picture,), _table(f"{title}, {y}", "items", _items, points, curves))


def _knee(curve: _Curve) -> float | None:
    """In slots: a point of the sweep; of the bound, whose lines are straight, where they cross."""
    slots, speeds = zip(*curve.points, strict=True)
    at: float | None = series.knee(slots, speeds)
    return at if at is None or curve.look is not None else speeds[-1] / speeds[0] * slots[0]


def _slots(at: PointSummary) -> float:
    return at.point.slots


def _items(at: PointSummary) -> float:
    return at.point.items


def _percent_of_bound(_: PointSummary, row: Row) -> float | None:
    return None if row.of_bound is None else 100 * row.of_bound.median


def _ms_an_item(at: PointSummary, row: Row) -> float | None:
    return None if row.wall_s is None else 1000 * row.wall_s.median / at.point.items


def _curves(
    scene: Scene,
    points: Sequence[PointSummary],
    x: Callable[[PointSummary], float],
    y: Callable[[PointSummary, Row], float | None],
) -> list[_Curve]:
    """A curve for each mode that was measured at two points at least."""
    found = []
    for subject in scene.run.subjects:
        rows = ((at, row) for at in points if (row := at.row(subject.name)) is not None and row.valid)
        known = [(x(at), value) for at, row in rows if (value := y(at, row))]
        if subject.control_of is None and len(known) > 1:
            found.append(_Curve(subject.name, scene.looks[subject.name], known))
    return found


def _table(
    caption: str, x: str, at: Callable[[PointSummary], float], points: Sequence[PointSummary], curves: Sequence[_Curve]
) -> Table:  # fmt: skip
    known = [dict(curve.points) for curve in curves]
    rows = ((f"{at(point):,g}", *(figure(values.get(at(point))) for values in known)) for point in points)
    return Table(caption, (x, *(curve.who for curve in curves)), tuple(rows))


# ── distributions ───────────────────────────────────────────────────────────────────────────────────────────────────


def waits(scene: Scene) -> Chart | None:
    """How long requests waited for leave to go. A baseline that does not tell has no curve."""
    return _distributions(
        scene,
        "wait",
        "How long requests waited before they were sent",
        "Waiting for leave to go, of all requests of all rounds: a client that times its calls alone does not see it.",
        series.waits_ms,
        tells=lambda row, times: row.subject.ours or times[-1] > LEAST_MS,
    )


def services(scene: Scene) -> Chart | None:
    """How long an answer took, from sending to the whole of it."""
    return _distributions(
        scene,
        "service",
        "How long answers took",
        "From sending to the whole answer, a rejection too, of all requests of all rounds. All met the same latencies: what"
        " lies further right is the client's doing.",
        series.services_ms,
    )


def _distributions(
    scene: Scene,
    key: str,
    title: str,
    says: str,
    times: Callable[[Sequence[Measurement]], list[float]],
    tells: Callable[[Row, list[float]], bool] = lambda _row, _times: True,
) -> Chart | None:
    of = [(row, times(series.counted(scene.run, scene.at, row.subject.name))) for row in scene.modes]
    known = [(row, found) for row, found in of if found and tells(row, found)]
    if not any(found[-1] > LEAST_MS for _, found in known):
        return None
    curves = []
    for row, found in known:
        points = [(max(LEAST_MS, value), 100 * share) for value, share in series.distribution(found)]
        curves.append(_Curve(name(row), scene.look(row), [(points[0][0], 0.0), *points]))
    rows = tuple(
        (name(row), *(figure(series.quantile(found, share)) for share in QUANTILES.values())) for row, found in known
    )
    told = listed(f"{row[0]} half within {row[1]} ms, 99 % within {row[4]} ms" for row in rows)
    axes = _Axes("milliseconds", "% of the requests", top=100.0)
    header = ("mode", *(f"{label} ms" for label in QUANTILES))
    return Chart(key, title, says, (_plot(key, title, told, curves, axes),), Table(f"{title}, ms", header, rows))


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plot(
    key: str,
    title: str,
    told: str,
    curves: Sequence[_Curve],
    axes: _Axes,
    marks: Callable[[Scale, Scale], Iterable[str]] = lambda _x, _y: (),
) -> str:
    legend, top = _legend(curves, marked=bool(axes.ticks))
    top += 32
    bottom = top + HEIGHT
    x = _log_scale([x for curve in curves for x, _ in curve.points], LEFT, RIGHT, pad=1.0)
    if axes.top is None:
        y = _log_scale([y for curve in curves for _, y in curve.points], bottom, top, pad=1.3)
    else:
        y = Scale(0.0, axes.top, bottom, top)
    parts = [legend, svg.text(0, top - 14, axes.y, "soft")]
    for tick in y.ticks():
        parts.append(svg.line(LEFT, y(tick), RIGHT, y(tick), "grid"))
        parts.append(svg.text(LEFT - 8, y(tick) + 5, _tick(tick), "soft", "end"))
    for tick in _apart(axes.ticks or x.ticks(6), x):
        parts.append(svg.line(x(tick), top, x(tick), bottom, "grid"))
        middle = min(x(tick), WIDTH - DIGIT * len(_tick(tick)) / 2)
        parts.append(svg.text(middle, bottom + 19, _tick(tick), "soft", "middle"))
    parts.append(svg.line(LEFT, bottom, RIGHT, bottom, "axis"))
    parts.append(svg.text((LEFT + RIGHT) / 2, bottom + 40, axes.x, "soft", "middle"))
    parts += [_drawn(x, y, curve, marked=bool(axes.ticks)) for curve in curves]
    parts += marks(x, y)
    return svg.svg(key, title, told, WIDTH, bottom + 46, parts)


def _log_scale(values: Sequence[float], start: float, end: float, pad: float) -> Scale:
    low, high = min(values) / pad, max(values) * pad
    wider = max(1.0, LEAST_SPAN * low / high) ** 0.5
    return Scale(low / wider, high * wider, start, end, log=True)


def _legend(curves: Sequence[_Curve], *, marked: bool) -> tuple[str, float]:
    """Who is who, two beside each other, and how high that is."""
    parts = []
    for index, curve in enumerate(curves):
        x, y = (index % 2) * WIDTH / 2, (index // 2) * LEGEND_ROW + 10
        sample = [(x, float(y)), (x + 32, float(y))]
        middle = svg.marker(curve.look, x + 16, y, 4) if marked and curve.look is not None else ""
        parts.append(_line(curve.look, svg.polyline(sample), middle))
        parts.append(svg.text(x + 40, y + 5, short(curve.who, 23)))
    return "".join(parts), LEGEND_ROW * ((len(curves) + 1) // 2)


def _drawn(x: Scale, y: Scale, curve: _Curve, *, marked: bool) -> str:
    places = [(x(one), y(other)) for one, other in curve.points]
    look = curve.look
    markers = "".join(svg.marker(look, *place, 4) for place in places) if marked and look is not None else ""
    return _line(look, svg.polyline(places), markers)


def _line(look: Look | None, data: str, markers: str) -> str:
    if look is None:
        return svg.path(data, "limit")
    return svg.group(look, svg.path(data, "ink", look.dash), markers)


def _apart(ticks: Iterable[float], x: Scale) -> list[float]:
    """The ticks whose numbers have room beside each other, the largest first."""
    found: list[float] = []
    edge = float("inf")
    for tick in sorted(set(ticks), reverse=True):
        half = DIGIT * (len(_tick(tick)) / 2 + 0.5)
        if x(tick) + half <= edge:
            found.append(tick)
            edge = x(tick) - half
    return found


def _tick(value: float) -> str:
    return f"{value:,.6g}"
