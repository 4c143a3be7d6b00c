"""The file of a run: everything that was measured, raw, under a summary of what follows from it.

One file a scenario, JSON, version 1. A reader refuses a version that it does not know. Written by `write`, read by `read`.

    format, version     "enricher-benchmark", 1
    summary             what follows (`summary.as_json`): written for who reads the file alone, never read back
    scenario            name, meaning, kind, headline (index of the point that the verdict is about), time_scale,
                        state (what was known before: fresh, half, warm), item_bytes (how large an answer is)
    points              name, items, slots, latency, quota, faults: what every subject of a point meets
    subjects            name, ours, about, control_of: who was measured
    rounds, seed, margin, command, commit, started, took_s, interrupted, trouble (what ended it early, "" for Ctrl-C)
    absent              who was to be measured and lacks its library here
    slowed              who was made slower on purpose, and by which share
    machine             system, processor, cores, python, libraries (`machine.description`)
    measurements        one object for each client process, with every field of `Measurement`

Seconds are seconds, `_ms` milliseconds, `_mib` MiB. `stamps` holds four lists, one entry for each attempt in the order of
their ends: ready, granted, sent, done, in tenths of a millisecond since the work began; empty above `MOST_STAMPS`
requests, the percentiles beside them are always of all. `arrivals` holds the moments at which an API with a quota saw its
first `MOST_STAMPS` requests, tenths of a millisecond since the first of them. The control's pair is under
`summary.control`, not among `summary.ratios`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FORMAT = "enricher-benchmark"
VERSION = 1
MOST_STAMPS = 2_000
TICK_S = 1e-4
"""The unit of stamps, seconds."""

Kind = Literal["films", "things", "articles"]


class UnreadableRun(Exception):
    """A file holds no run that this version can read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Point:
    """What every subject meets: so many items, so many slots, an API that behaves so (texts as `enricher simulate` takes).

    `latency` is that of every request; of articles that of an analysis.
    """

    name: str
    items: int
    slots: int
    latency: str = "0"
    quota: str = "none"
    faults: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured: a mode of ours, or a baseline. `control_of`: the mode that this is, once more, as a control."""

    name: str
    ours: bool
    about: str
    control_of: str | None = None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the times of single requests, milliseconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Stamps:
    """When each attempt was ready, granted, sent and done: tenths of a millisecond since the work began.

    A baseline that does not tell waiting from sending is ready and granted when it sends.
    """

    ready: tuple[int, ...] = ()
    granted: tuple[int, ...] = ()
    sent: tuple[int, ...] = ()
    done: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """One client process. Where it failed, `problem` says how, and what it did not tell is 0 or None.

    point, round, order, seed    where it belongs: index of the point, round from 0, place in its round, the API's seed
    subject                      name of the subject
    wall_s                       from the first line of work until all is stored; interpreter, imports and export apart
    bound_s, ideal_s             of this round's latencies, failed attempts included, slots and quota (`bounds`); of articles
                                 with their extraction (`apis`)
    expected                     how many requests it takes, failed attempts included; None where it depends
    cpu_s                        user and system time of the client for the work, that of its processes apart
    peak_mib, import_mib         VmHWM of the client alone at the end, and before the work when all was imported
    requests, connections, most_in_flight, rejected, faults
                                 counted at the API; `rejected` are 429s of its quota, `faults` those it was told to make; of
                                 articles `connections` and `most_in_flight` are the most at any host
    fullest, quota_used          of the API's strict window: the most arrivals in any, and the share used
    wrong                        rows of the output that are not what the API knows, lost ones included
    output                       sha256 of the output's facts
    export                       sha256 of the exported file, of our modes
    wait_ms, service_ms          waiting for the permit, and from sending to the whole answer
    server_share                 how busy the API was, of one core, waiting precisely apart
    late_ms                      by how much its answers were late in the mean
    foreign_cores                how many cores were busy with other things; None where nobody knows
    problem                      why this measurement says nothing, "" where it does
    discarded                    why it was done again, "" where it counts
    """

    point: int
    round: int
    order: int
    seed: int
    subject: str
    wall_s: float = 0.0
    bound_s: float = 0.0
    ideal_s: float = 0.0
    cpu_s: float = 0.0
    peak_mib: float | None = None
    import_mib: float | None = None
    requests: int = 0
    expected: int | None = None
    connections: int = 0
    most_in_flight: int = 0
    rejected: int = 0
    faults: int = 0
    fullest: int | None = None
    quota_used: float | None = None
    wrong: int = 0
    output: str = ""
    export: str = ""
    wait_ms: Percentiles | None = None
    service_ms: Percentiles | None = None
    server_share: float = 0.0
    late_ms: float = 0.0
    foreign_cores: float | None = None
    problem: str = ""
    discarded: str = ""
    stamps: Stamps = Stamps()
    arrivals: tuple[int, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is one of those that figures are made of."""
        return not self.problem and not self.discarded


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario, measured."""

    scenario: str
    meaning: str
    kind: Kind
    points: tuple[Point, ...]
    subjects: tuple[Subject, ...]
    rounds: int
    seed: int
    margin: float
    headline: int = 0
    time_scale: float = 1.0
    state: str = "fresh"
    item_bytes: int = 0
    command: str = ""
    commit: str = ""
    started: str = ""
    took_s: float = 0.0
    interrupted: bool = False
    trouble: str = ""
    absent: tuple[str, ...] = ()
    slowed: Mapping[str, float] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()


_SCENARIO = ("meaning", "kind", "headline", "time_scale", "state", "item_bytes")


def to_json(run: Run, summary: Mapping[str, Any]) -> str:
    """The file's text. One line for each measurement, so that a difference between two files can be read."""
    whole = dataclasses.asdict(run)
    measurements = whole.pop("measurements")
    scenario = {"name": whole.pop("scenario"), **{name: whole.pop(name) for name in _SCENARIO}}
    head = {"format": FORMAT, "version": VERSION, "summary": summary, "scenario": scenario, **whole}
    text = json.dumps(head, ensure_ascii=False, indent=1)
    lines = ",\n".join("  " + json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in measurements)
    return text.removesuffix("\n}") + ',\n "measurements": [\n' + lines + "\n ]\n}\n"


def write(run: Run, summary: Mapping[str, Any], path: Path) -> None:
    """Write the file."""
    path.write_text(to_json(run, summary), encoding="utf-8")


def read(path: Path) -> Run:
    """The run of a file.

    :raises UnreadableRun: if there is none, or one of another version, or with what no run of ours can hold: values of
        another type or out of range, control characters.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UnreadableRun(f"{path}: {error}") from None
    from pydantic import ValidationError  # here: a client, whose memory is measured, reads no file of a run

    try:
        whole = json.loads(text, parse_constant=_number, parse_float=_number, parse_int=_whole_number)
        if not isinstance(whole, dict) or not _is_plain(whole):
            raise UnreadableRun(f"{path}: this is no run of the benchmarks")
        told = whole.get("format"), whole.get("version")
        if told != (FORMAT, VERSION):
            raise UnreadableRun(f"{path}: {told[0]!s:.60} version {told[1]!s:.60}; this reads {FORMAT} {VERSION}")
        run = _run(whole)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnreadableRun(f"{path}: this is no run of the benchmarks ({where}: {first['msg']})") from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        told_of = "too deep" if isinstance(error, RecursionError) else repr(error)
        raise UnreadableRun(f"{path}: this is no run of the benchmarks ({told_of:.200})") from None
    for wrong in _out_of_range(run):
        raise UnreadableRun(f"{path}: this is no run of the benchmarks ({wrong})")
    return run


MOST_NUMBER = 1e15


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) <= MOST_NUMBER:
        raise ValueError(f"{text:.20} is no figure")
    return number


def _whole_number(text: str) -> int:
    return int(text) if len(text) <= 15 else int(_number(text))  # thousands of digits take long


def _is_plain(value: Any) -> bool:
    """Whether all texts in it can be shown: no control character, no half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\n", " ").isprintable()
    if isinstance(value, dict):
        return all(_is_plain(part) for pair in value.items() for part in pair)
    return all(map(_is_plain, value)) if isinstance(value, list) else True


def _run(whole: Mapping[str, Any]) -> Run:
    scenario = whole["scenario"]
    plain = {name.name: whole[name.name] for name in dataclasses.fields(Run) if name.name in whole}
    told = plain | {name: scenario[name] for name in _SCENARIO} | {"scenario": scenario["name"]}
    for one in whole["points"]:
        Point(**one)  # nothing that nobody knows
    from pydantic import TypeAdapter

    run: Run = TypeAdapter(Run).validate_json(json.dumps(told), strict=True)
    return run


def _out_of_range(run: Run) -> Iterator[str]:
    """What can't be so."""
    names = [subject.name for subject in run.subjects]
    if not 0 <= run.headline < len(run.points):
        yield "headline is no point"
    if run.rounds < 1 or not 0 < run.margin < 1:
        yield "rounds and margin are out of range"
    if len(set(names)) < len(names):
        yield "a subject is there twice"
    for one in run.measurements:
        if one.subject not in names or not 0 <= one.point < len(run.points):
            yield "a measurement of nobody or nowhere"
        if one.counts and not LEAST_WALL_S <= one.wall_s <= MOST_WALL_S:
            yield f"wall_s is {one.wall_s:g}"
        if min(one.cpu_s, one.bound_s, one.ideal_s, one.requests, one.late_ms) < 0:
            yield "a figure is negative"


LEAST_WALL_S, MOST_WALL_S = 1e-4, 1e6
