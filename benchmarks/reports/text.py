"""What every report says, as text: Markdown, HTML and terminal lay it out and never word or round anything themselves.

A table is data: `COLUMNS` has each column's header, what it means, and the function from a row and its ratio to the
text of a cell. A cell that has more to say puts it in brackets behind: `1.820 [1.765–1.870]`, `60.0 (+15.0)`,
`barrier (baseline)`; a report may set that smaller. What is not known is `–`.

An INVALID row says so, and why, where the others have their wall time; it has no ratio. What the API counted is shown
all the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..runs import Percentiles, Point, Run
from ..summary import REFERENCE, PointSummary, Ratio, Row, Summary
from ..verdicts import CONFIDENCE, CONTROL_MARGIN, RESAMPLES, Interval, percent

UNKNOWN = "–"
INVALID = "INVALID"
NO_WARNINGS = "No warnings: nothing was found that speaks against these figures."


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts. The first column names the rows."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_ASIDE = re.compile(r"(.+?)(?: (?=[(\[])|(?<=INVALID): )(.+)", re.DOTALL)


def parted(cell: str) -> tuple[str, str]:
    """A cell, and what it says besides: what stands in brackets, or why it is INVALID; "" where that is nothing.

    >>> parted("1.820 [1.765–1.870]"), parted("INVALID: it failed"), parted("98.1 %")
    (('1.820', '[1.765–1.870]'), ('INVALID', 'it failed'), ('98.1 %', ''))
    """
    found = _ASIDE.fullmatch(cell)
    return (cell, "") if found is None else (found[1], found[2])


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def places(value: float, digits: int = 3) -> int:
    """How many decimal places show so many significant digits; four at most.

    >>> places(1.82), places(17.7), places(0.0123), places(1820)
    (2, 1, 4, 0)
    """
    return min(4, max(0, digits - 1 - math.floor(math.log10(abs(value))))) if value else 0


def figure(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits and no exponent.

    >>> figure(1.8201, 4), figure(1234.5), figure(0), figure(None)
    ('1.820', '1,234', '0', '–')
    """
    return UNKNOWN if value is None else f"{value:,.{places(value, digits)}f}"


def spread(found: Interval | None, digits: int = 4) -> str:
    """A median and its interval, all with the decimal places of the median. Of one round there is no interval to tell.

    >>> spread(Interval(1.8201, 1.7653, 1.87))
    '1.820 [1.765–1.870]'
    """
    if found is None:
        return UNKNOWN
    decimals = places(found.median, digits)
    middle, low, high = (f"{value:,.{decimals}f}" for value in (found.median, found.low, found.high))
    return middle if found.low == found.high else f"{middle} [{low}–{high}]"


def ratio(found: Interval) -> str:
    """A ratio with its interval: three decimal places below 10.

    >>> ratio(Interval(0.9992, 0.9977, 1.0019)), ratio(Interval(97.13, 96.9, 97.3))
    ('0.999 [0.998–1.002]', '97.13 [96.90–97.30]')
    """
    return spread(found, max(0, 4 + min(0, math.floor(math.log10(found.median))))) if found.median else UNKNOWN


def share(found: Interval | None) -> str:
    """The median of a share, in percent."""
    return UNKNOWN if found is None else percent(found.median)


def _percentiles(found: Percentiles | None) -> str:
    if found is None:
        return UNKNOWN
    return " / ".join(figure(value) for value in (found.p50, found.p95, found.p99))


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `rank`: how soon it has a place in a narrow table, from 1; 0 if in none."""

    header: str
    meaning: str
    cell: Callable[[Row, Ratio | None], str]
    rank: int = 0


def name(row: Row) -> str:
    """Who it is, and whether it is no mode of ours or the control."""
    if row.subject.control_of is not None:
        return f"{row.subject.name} (control)"
    return row.subject.name if row.subject.ours else f"{row.subject.name} (baseline)"


def _wall(row: Row, _: Ratio | None) -> str:
    return spread(row.wall_s) if row.valid else f"{INVALID}: {row.problem}"


def _ratio(row: Row, pair: Ratio | None) -> str:
    if pair is not None:
        return ratio(pair.ratio)
    return "1 (reference)" if row.valid and row.subject.name == REFERENCE else UNKNOWN


def _memory(row: Row, _: Ratio | None) -> str:
    if row.peak_mib is None:
        return UNKNOWN
    above = "" if row.import_mib is None else f" (+{figure(row.peak_mib - row.import_mib)})"
    return figure(row.peak_mib) + above


def _quota(row: Row, _: Ratio | None) -> str:
    if row.quota_used is None and not row.rejected:
        return UNKNOWN
    used = UNKNOWN if row.quota_used is None else percent(row.quota_used)
    return f"{used} / {row.rejected:,}"


COLUMNS = (
    Column("mode", "Who did the work. Baselines are what people use today.", lambda row, _: name(row), rank=1),
    Column(
        "wall s [95 %]",
        "Median over the rounds, from the first line of work until all is stored, and its 95 % interval;"
        " below five rounds the least and the most.",
        _wall,
        rank=2,
    ),
    Column(
        f"ratio to {REFERENCE} [95 %]",
        f"Wall time over that of {REFERENCE} in the same round: median and 95 % interval. Below 1 is faster.",
        _ratio,
        rank=3,
    ),
    Column(
        "% of bound",
        "The shortest time that is physically possible, over the wall time. The bound is that of the subject's own slots:"
        " sequential has one.",
        lambda row, _: share(row.of_bound),
        rank=4,
    ),
    Column(
        "% of ideal",
        "The time of an engine without any cost that takes items first come, first served, over the wall time.",
        lambda row, _: share(row.of_ideal),
    ),
    Column(
        "CPU ms/request",
        "User and system time of the client for the work, imports apart. Compare it only at an equal rate of requests.",
        lambda row, _: figure(row.cpu_ms_per_request),
        rank=6,
    ),
    Column(
        "peak MiB (above imports)",
        "The most memory the client held, and how much of it came after the imports.",
        _memory,
        rank=7,
    ),
    Column(
        "wait p99 ms",
        "99 % of the requests waited no longer than this for leave to go.",
        lambda row, _: figure(None if row.wait_ms is None else row.wait_ms.p99),
    ),
    Column(
        "service p50/p95/p99 ms",
        "From sending to the whole answer.",
        lambda row, _: _percentiles(row.service_ms),
    ),
    Column(
        "quota used / rejected",
        "The share of the API's quota that was used, and how many requests it rejected, in all rounds.",
        _quota,
        rank=5,
    ),
    Column("connections", "The most connections opened in a round.", lambda row, _: f"{row.connections:,}"),
    Column("most in flight", "The most requests at the API at once.", lambda row, _: f"{row.most_in_flight:,}"),
    Column(
        "rounds",
        "How many rounds the figures are of. A very slow subject runs in fewer.",
        lambda row, _: f"{row.rounds:,}",
        rank=8,
    ),
)


def ratio_of(point: PointSummary, row: Row) -> Ratio | None:
    """The ratio that stands in a subject's row: that of the control included."""
    if point.control is not None and point.control.of == row.subject.name:
        return point.control
    return point.ratio(row.subject.name)


def table(point: PointSummary, narrow: int | None = None) -> Table:
    """A point's table. A narrow one has the columns up to this rank, and none in which nothing is known."""
    columns = [column for column in COLUMNS if narrow is None or 0 < column.rank <= narrow]
    rows = [tuple(column.cell(row, ratio_of(point, row)) for column in columns) for row in point.rows]
    if narrow is not None and rows:
        told = [index for index in range(len(columns)) if any(row[index] != UNKNOWN for row in rows)]
        columns = [columns[index] for index in told]
        rows = [tuple(row[index] for index in told) for row in rows]
    return Table(conditions(point.point), tuple(column.header for column in columns), tuple(rows))


RANKS = max(column.rank for column in COLUMNS)


def matrix(summary: Summary) -> Table | None:
    """Points by modes, wall time and share of the bound, of who was measured at several; None for one point."""
    if len(summary.points) == 1:
        return None
    rows_of_all = (row for point in summary.points for row in point.rows if row.subject.control_of is None)
    who = list(dict.fromkeys(row.subject.name for row in rows_of_all))
    several = [one for one in who if sum(point.row(one) is not None for point in summary.points) > 1]
    rows = [(point_name(point.point), *(_short(point.row(one)) for one in several)) for point in summary.points]
    bounded = any(point.bound_s for point in summary.points)
    caption = f"Wall time at every point, s{' (and the share of the bound)' if bounded else ''}; peak memory"
    return Table(caption, ("point", *several), tuple(rows))


def _short(row: Row | None) -> str:
    if row is None or (row.valid and row.wall_s is None):
        return UNKNOWN
    if not row.valid or row.wall_s is None:
        return INVALID
    efficiency = "" if row.of_bound is None else f" ({share(row.of_bound)})"
    memory = "" if row.peak_mib is None else f"; {row.peak_mib:.0f} MiB"
    return figure(row.wall_s.median, 4) + efficiency + memory


# ── sentences ───────────────────────────────────────────────────────────────────────────────────────────────────────


def point_name(point: Point) -> str:
    """A point's name, or what it consists of where it has none."""
    return point.name or _so_many(point)


def _so_many(point: Point) -> str:
    return f"{_many(point.items, 'item')}, {_many(point.slots, 'slot')}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def conditions(point: Point) -> str:
    """What every subject of a point meets, in one line."""
    parts = [_so_many(point), f"latency {point.latency}"]
    if point.quota not in ("", "none"):
        parts.append(f"quota {point.quota}")
    if point.faults:
        parts.append(f"faults {point.faults}")
    known = ", ".join(parts)
    return f"{point.name}: {known}" if point.name else known


def pairs(point: PointSummary) -> list[tuple[str, str]]:
    """Each pair of a point with its difference and equivalence, the control first."""
    control = [] if point.control is None else [point.control]
    return [(f"{ratio.of} / {ratio.to}", ratio.statement) for ratio in (*control, *point.ratios)]


def subjects(run: Run) -> list[tuple[str, str]]:
    """Who was measured, and what each is."""
    return [(subject.name, subject.about) for subject in run.subjects]


def margin(run: Run, summary: Summary) -> float:
    """The margin that was judged by: the run's, unless somebody chose another."""
    found = (pair for point in summary.points for pair in (*point.ratios, point.control) if pair is not None)
    return next((pair.margin for pair in found), run.margin)


def method(run: Run, judged_by: float) -> list[tuple[str, str]]:
    """What was measured and how, judged by this margin: a name and a sentence or two each."""
    requests = {
        "films": "two requests each, a search and the details",
        "things": "one request each",
        "articles": "two requests each, a page and the analysis of its text",
    }[run.kind]
    if int(run.machine.get("cores", 2)) < 2:  # one for the client, one for the API
        where = "both on the only processor there is"
    elif run.kind == "articles":
        where = "on a processor that the client and its extracting processes, begun before the clock, use too"
    else:
        where = "each on a processor of its own"
    scale = f" All times of the API are {run.time_scale:g} of what they are in life." if run.time_scale != 1 else ""
    return [
        ("Work", f"A list of {run.kind} is read, asked for ({requests}) and kept as a table.{scale}"),
        ("Processes", f"Every measurement is a fresh process; the simulated API is another one, {where}."),
        ("Rounds", f"{_many(run.rounds, 'round')}, seed {run.seed}. {_ROUNDS}"),
        ("Intervals", f"{_INTERVALS} Two match where the whole interval lies within 1 ± {100 * judged_by:g} %."),
        ("Control", _CONTROL),
        ("Bound", _BOUND + (_EXTRACTION if run.kind == "articles" else "")),
        ("Ideal", "The same requests played first come, first served, by an engine that costs nothing."),
        (
            "Times",
            "Every request has four stamps. Wait: from ready to granted. Service: from sent to the whole answer.",
        ),
        ("CPU and memory", "Of the client's process: user and system time for the work; the peak that the system saw."),
        ("Validity", _VALIDITY),
    ]


_ROUNDS = (
    "All subjects of a round meet the same latencies and faults, the next round has others."
    " The order is reversed every round."
)
_INTERVALS = (
    f"Medians with a percentile bootstrap over the rounds ({RESAMPLES:,} resamples, {percent(CONFIDENCE, 0)})."
    " Ratios are paired by round."
)
_CONTROL = (
    f"{REFERENCE} is measured twice a round. Where it does not match itself within {percent(CONTROL_MARGIN, 0)},"
    " there is no verdict."
)
_BOUND = (
    "The largest of five lower bounds, from the round's latencies, slots and quota: work Σd/C; longest max d; packing"
    " max Σ(the k+1 shortest of the kC+1 longest d); quota max(s_k + q_k); quota and slots max(s_k + Σ(rest)/C)."
)
_EXTRACTION = (
    " A page's latency holds its extraction, the least of three measured before; two processes need half of all of it."
)
_VALIDITY = (
    "A mode of ours is INVALID unless it has the right table, the same file as the others, exactly the requests that it"
    " takes, no more connections than slots and broken ones, and no rejection. Of a baseline only the table is judged."
    " Where the API was busy for more than half of its core, nobody is valid: that would be a figure of the API."
)


def machine(run: Run) -> list[tuple[str, str]]:
    """What it was measured on, with what, and when. What is not known is left out."""
    known = run.machine
    libraries = known.get("libraries") or {}
    found = [
        ("System", known.get("system")),
        ("Processor", known.get("processor")),
        ("Cores", known.get("cores")),
        ("Python", known.get("python")),
        ("Libraries", ", ".join(f"{library} {version}" for library, version in libraries.items() if version)),
        ("Commit", run.commit),
        ("Started", run.started),
        ("Took", f"{figure(run.took_s)} s" if run.took_s else ""),
    ]
    return [(label, str(value)) for label, value in found if value]


def raw_data(run: Run) -> str:
    """Where every measured value is."""
    return f"Every single measurement, with its stamps, is in {file_name(run, 'json')}, beside this report."


def file_name(run: Run, ending: str) -> str:
    """The name of a file about a run: its scenario's, without what a file's name should not hold."""
    return f"{re.sub(r'[^A-Za-z0-9_]+', '-', run.scenario).strip('-') or 'run'}.{ending}"


def listed(words: Iterable[str]) -> str:
    """Some phrases as a sentence of a description.

    >>> listed(["a 1", "b 2"])
    'a 1; b 2.'
    """
    return "; ".join(words) + "."
