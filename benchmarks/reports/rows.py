"""Charts of one row a subject, its name and figure above what is drawn: they stay readable however narrow the page is."""

from __future__ import annotations

from collections.abc import Sequence

from ..summary import REFERENCE, Row
from ..verdicts import Interval
from . import series, svg
from .scene import CLIP, Chart, Scene, short
from .svg import WIDTH, Look, Scale
from .text import Table, figure, listed, name, ratio, ratio_of, spread

INSET = 6
NAME_Y = 14
LANE_Y = 21
LANE = 16
DOTS = 30
GAP = 14
ARROW = " An arrow: further than is drawn."


def wall_over_bound(scene: Scene) -> Chart | None:
    """How many times the bound each took; seconds would let `sequential` dwarf all the others."""
    found = [(row, Interval(1 / of.median, 1 / of.high, 1 / of.low)) for row in scene.rows if (of := row.of_bound)]
    if not found:
        return None
    scale, clipped = _scale([times for _, times in found], [])
    parts, y = [], 0.0
    for row, times in found:
        look = scene.look(row)
        parts.append(_head(y, row, ratio(times)))
        parts.append(_lane(scale, y + LANE_Y, LANE))
        parts.append(_whisker(scale, look, times, y + LANE_Y + LANE / 2))
        y += LANE_Y + LANE + GAP
    parts.append(_axis(scale, y, "times the bound"))
    title = "Wall time over what is physically possible"
    rows = tuple((name(row), ratio(times), spread(row.wall_s)) for row, times in found)
    return Chart(
        "wall",
        title,
        "1 is the shortest time that the latencies, the slots and the quota allow anybody. Whiskers are 95 % intervals."
        + (ARROW if clipped else ""),
        (
            svg.svg(
                "wall", title, listed(f"{who} {times} times the bound" for who, times, _ in rows), WIDTH, y + 36, parts
            ),
        ),
        Table(title, ("mode", "times the bound [95 %]", "wall s [95 %]"), rows),
    )


def paired_ratios(scene: Scene) -> Chart | None:
    """Every round's ratio to the reference, with the median, its interval, and the margin of what counts as equal."""
    found = [(row, pair) for row in scene.rows if (pair := ratio_of(scene.point, row)) is not None]
    if not found:
        return None
    margin = found[0][1].margin
    rounds = {row.subject.name: series.paired(scene.run, scene.at, row.subject.name) for row, _ in found}
    scale, clipped = _scale(
        [pair.ratio for _, pair in found],
        [1 - margin, 1 + margin, *(value for pairs in rounds.values() for _, value in pairs)],
    )
    parts, y = [], 0.0
    for row, pair in found:
        top, its = y + LANE_Y, rounds[row.subject.name]
        parts.append(_head(y, row, ratio(pair.ratio)))
        parts.append(_lane(scale, top, DOTS, margin))
        for number, (_, value) in enumerate(its):
            if value <= scale.high:
                dot_y = top + 4 + (DOTS - 18) * (number / max(1, len(its) - 1))
                parts.append(svg.group(scene.look(row), svg.circle(scale(value), dot_y, 2.6, "dot")))
        parts.append(_whisker(scale, scene.look(row), pair.ratio, top + DOTS - 7))
        y = top + DOTS + GAP
    parts.append(_axis(scale, y, f"wall time over that of {REFERENCE}, same round"))
    title = f"Ratio to {REFERENCE}, round by round"
    told = [f"{name(row)} {ratio(pair.ratio)}" for row, pair in found]
    numbers = sorted({number for pairs in rounds.values() for number, _ in pairs})
    values = {who: dict(pairs) for who, pairs in rounds.items()}
    return Chart(
        "ratios",
        title,
        "Every dot is a round, the first one on top; below them the median with its 95 % interval. Left of the line is"
        f" faster. Grey: ± {100 * margin:g} %, in which two count as equal." + (ARROW if clipped else ""),
        (svg.svg("ratios", title, listed(told), WIDTH, y + 36, parts),),
        Table(
            title,
            ("mode", "median [95 %]", *(f"round {number + 1}" for number in numbers)),
            tuple(
                (
                    name(row),
                    ratio(pair.ratio),
                    *(figure(values[row.subject.name].get(number), 4) for number in numbers),
                )
                for row, pair in found
            ),
        ),
    )


def cpu(scene: Scene) -> Chart | None:
    """CPU time a request."""
    found = [(row, row.cpu_ms_per_request) for row in scene.modes if row.cpu_ms_per_request is not None]
    if not found:
        return None
    scale = Scale(0, max(value for _, value in found) or 1.0, 0, WIDTH)
    parts, y = [], 0.0
    for row, value in found:
        parts.append(_head(y, row, f"{figure(value)} ms"))
        parts.append(svg.rect(0, y + LANE_Y, WIDTH, LANE, "lane", 2))
        parts.append(svg.group(scene.look(row), svg.rect(0, y + LANE_Y, scale(value), LANE, "full", 2)))
        y += LANE_Y + LANE + GAP
    title = "CPU time of the client for each request"
    rows = tuple((name(row), figure(value)) for row, value in found)
    return Chart(
        "cpu",
        title,
        "User and system time of the client's process, imports apart. A client that is idle most of the time pays more a"
        " request than a busy one.",
        (svg.svg("cpu", title, listed(f"{who} {value} ms" for who, value in rows), WIDTH, y - GAP, parts),),
        Table(title, ("mode", "CPU ms/request"), rows),
    )


def memory(scene: Scene) -> Chart | None:
    """Peak memory: what the imports take, and what the work adds."""
    found = [
        (row, row.import_mib, row.peak_mib)
        for row in scene.modes
        if row.import_mib is not None and row.peak_mib is not None
    ]
    if not found:
        return None
    scale = Scale(0, max(peak for _, _, peak in found) or 1.0, 0, WIDTH)
    hatch = (
        '<pattern id="memory-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f"{svg.rect(0, 0, 6, 6, 'lane')}{svg.line(1, 0, 1, 6, 'axis')}</pattern>"
    )
    parts = [
        f"<defs>{hatch}</defs>",
        svg.rect(0, 1, 22, LANE - 2, "", fill="url(#memory-hatch)"),
        svg.text(30, NAME_Y, "imports", "soft"),
        svg.rect(110, 1, 22, LANE - 2, "plain"),
        svg.text(140, NAME_Y, "what the work adds", "soft"),
    ]
    y = 32.0
    for row, imports, peak in found:
        parts.append(_head(y, row, f"{figure(imports)} + {figure(max(0.0, peak - imports))} MiB"))
        parts.append(svg.rect(0, y + LANE_Y, scale(imports), LANE, "", fill="url(#memory-hatch)"))
        above = svg.rect(scale(imports) + 1, y + LANE_Y, scale(peak) - scale(imports) - 1, LANE, "full")
        parts.append(svg.group(scene.look(row), above))
        y += LANE_Y + LANE + GAP
    title = "Peak memory of the client"
    rows = tuple(
        (name(row), figure(imports), figure(max(0.0, peak - imports)), figure(peak)) for row, imports, peak in found
    )
    told = listed(f"{who} {peak} MiB, of which {imports} imports" for who, imports, _, peak in rows)
    return Chart(
        "memory",
        title,
        "The most that the client's process held, in MiB. Imports are the interpreter and the libraries before any work.",
        (svg.svg("memory", title, told, WIDTH, y - GAP, parts),),
        Table(title, ("mode", "imports MiB", "above them MiB", "peak MiB"), rows),
    )


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _scale(found: Sequence[Interval], more: Sequence[float]) -> tuple[Scale, bool]:
    """A scale that holds 1 and all intervals but those far beyond; whether there are such."""
    limit = CLIP * max(1.0, min(times.median for times in found))
    inside = [times for times in found if times.median <= limit]
    values = [1.0, *(end for times in inside for end in (times.low, times.high))]
    values += [value for value in more if value <= limit]
    pad = 0.04 * (max(values) - min(values)) or 0.01
    low, high = min(values) - pad, max(values) + pad
    return Scale(low, high, INSET, WIDTH - INSET), len(inside) < len(found)


def _head(y: float, row: Row, value: str) -> str:
    """A row's name and figure."""
    return svg.text(0, y + NAME_Y, short(name(row)), "who") + svg.text(WIDTH, y + NAME_Y, value, anchor="end")


def _lane(scale: Scale, y: float, height: float, margin: float = 0.0) -> str:
    """The ground on which a row is drawn: round values, the margin, and the line at 1."""
    parts = [svg.rect(0, y, WIDTH, height, "lane", 2)]
    if margin:
        left, right = scale(1 - margin), scale(1 + margin)
        parts.append(svg.rect(left, y, right - left, height, "margin"))
    parts += [svg.line(scale(tick), y, scale(tick), y + height, "grid") for tick in scale.ticks() if tick != 1]
    return "".join(parts) + svg.line(scale(1), y, scale(1), y + height, "limit")


def _whisker(scale: Scale, look: Look, found: Interval, y: float) -> str:
    """A median with its interval, or an arrow where both lie beyond the edge."""
    if found.median > scale.high:
        return svg.group(look, svg.beyond(WIDTH - 4, y))
    low, high = scale(found.low), scale(found.high)
    ends = "".join(svg.line(end, y - 5, end, y + 5, "ink") for end in (low, high))
    return svg.group(look, svg.line(low, y, high, y, "ink"), ends, svg.marker(look, scale(found.median), y))


def _axis(scale: Scale, y: float, title: str) -> str:
    """Round values below the last row, and what they are."""
    ticks = (svg.text(scale(tick), y + 6, f"{tick:g}", "soft", "middle") for tick in scale.ticks())
    return "".join(ticks) + svg.text(WIDTH / 2, y + 28, title, "soft", "middle")
