"""Rounds: every subject once, each in a fresh process of its own, against one simulated API in another.

The API keeps to one core, the clients to another; where there is only one, they share it and the report says so. A
client that works with processes of its own uses all: two of them and itself do not fit on one. A round has a seed, so
that all its subjects meet the same latencies and faults and the next round others. The order is reversed every round:
what drifts, drifts for all. A subject that takes five times as long as `threaded` runs in every fifth round and in the
last one only.

Before the first round the first subject runs once, for the caches of the system; it does not count. A measurement during
which other programs used more than a tenth of a core is done again, at most twice, and the raw data keeps all of them.

Ctrl-C ends the client, and with it the run; what was measured is kept. No process is left: clients and the API end
when the pipe to their standard input closes, even after kill -9 of this process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from enricher.simulator.behaviour import Behaviour
from enricher.simulator.behaviour import Quota as StrictQuota

from . import apis, machine, subjects
from .apis import Api, Least
from .runs import MOST_STAMPS, TICK_S, Measurement, Percentiles, Run, Stamps
from .scenarios import Scenario
from .task import LIST, Task
from .verdicts import MARGIN

ROOT = Path(__file__).resolve().parent.parent
SLOW = 5
"""A subject that takes so many times as long as the reference runs in so many times fewer rounds."""

SEEDS = 1_000
"""So far apart are the rounds' seeds of two runs with neighbouring `--seed`s."""

MOST_REPEATS = 2
LEAST_FOREIGN_S = 0.5
"""Shorter work is not judged by foreign load: the system counts in hundredths of a second."""

PATIENCE = 20
"""A client is given up after so many times the ideal, and a minute."""

COST_S = 0.0005
"""About what an item costs at least, seconds of one core."""

ENDED = "the run could not go on: the simulated API or the disk failed"
WARM_UP = "warm-up"
BUSY = "other programs used"


@dataclass(frozen=True, slots=True)
class Options:
    """How a scenario is run. `modes`: only these subjects, None for all.

    `slowed`: subjects that are made slower on purpose, by a share of their time, to see that it is found.
    """

    rounds: int
    seed: int = 0
    modes: tuple[str, ...] | None = None
    margin: float = MARGIN
    command: str = ""
    slowed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """For who watches: the measurement that was just made, the how-manieth it is, and of how many at most."""

    measurement: Measurement
    number: int
    most: int


def measure(scenario: Scenario, options: Options, watch: Callable[[Progress], None]) -> Run:
    """Run a scenario. `scenario` is what is met: its times are scaled already (`Scenario.scaled`).

    :raises RuntimeError: if the simulated API does not start.
    """
    began, started, commit = time.monotonic(), datetime.now(UTC), _commit()
    found: list[Measurement] = []
    interrupted, trouble = False, ""
    try:
        with _World.open(scenario, options.slowed) as world:
            for one in _rounds(world, options):
                found.append(one)
                watch(Progress(one, len(found), _most(scenario, options)))
    except KeyboardInterrupt:
        interrupted = True  # what was measured is kept, whatever ended it
    except (OSError, RuntimeError) as error:
        if not any(one.counts for one in found):
            raise RuntimeError(f"{ENDED} ({error})") from None
        interrupted, trouble = True, f"{ENDED} ({error}); what was measured before is kept"
    who = {name: None for point in range(len(scenario.points)) for name in _who(scenario, point, options)}
    return Run(
        scenario=scenario.name,
        meaning=scenario.meaning,
        kind=scenario.kind,
        points=scenario.points,
        subjects=tuple(map(subjects.subject, who)),
        rounds=options.rounds,
        seed=options.seed,
        margin=options.margin,
        headline=scenario.headline,
        time_scale=scenario.time_scale,
        state=scenario.state,
        item_bytes=scenario.item_bytes,
        command=options.command,
        commit=commit if commit == _commit() else f"{commit} to {_commit()}",
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        took_s=round(time.monotonic() - began, 1),
        interrupted=interrupted,
        trouble=trouble,
        absent=tuple(_absent(scenario, options)),
        slowed=dict(options.slowed),
        machine=machine.description(),
        measurements=tuple(found),
    )


def _who(scenario: Scenario, point: int, options: Options) -> list[str]:
    """Who runs at a point: who is wanted, and has its library here. The control comes last, so that half of the rounds and
    all who run in them lie between it and the mode that it is.
    """
    return [name for name in _wanted(scenario, point, options) if not subjects.missing(name)]


def _wanted(scenario: Scenario, point: int, options: Options) -> list[str]:
    wanted = scenario.who(point)
    if options.modes is not None:
        # A mode that is asked for by name is measured everywhere, whether the scenario would or not.
        wanted = tuple(dict.fromkeys([*(name for name in wanted if name in options.modes), *options.modes]))
        if "threaded" in options.modes and point == scenario.headline:
            wanted = (*wanted, subjects.CONTROL)
    names = list(dict.fromkeys(wanted))
    return sorted(names, key=lambda name: name == subjects.CONTROL)


def _absent(scenario: Scenario, options: Options) -> list[str]:
    wanted = [name for point in range(len(scenario.points)) for name in _wanted(scenario, point, options)]
    return [name for name in dict.fromkeys(wanted) if subjects.missing(name)]


def forecast_s(scenario: Scenario, options: Options, start_s: float) -> float:
    """About how long a run takes at most, seconds: clients that start in `start_s` and waste nothing."""
    total = 0.0
    for point in range(len(scenario.points)):
        fastest = _least_s(scenario, point, scenario.points[point].slots)
        rounds = _rounds_at(scenario, point, options)
        for name in _who(scenario, point, options):
            alone = _least_s(scenario, point, 1) if name == "sequential" else fastest
            few = min(rounds, -(-rounds // SLOW) + 1)
            total += (few if alone > SLOW * fastest else rounds) * (alone + start_s)
    return total


def _rounds_at(scenario: Scenario, point: int, options: Options) -> int:
    return options.rounds if point == scenario.headline else min(options.rounds, scenario.elsewhere_rounds)


def _most(scenario: Scenario, options: Options) -> int:
    points = range(len(scenario.points))
    return 1 + sum(_rounds_at(scenario, point, options) * len(_who(scenario, point, options)) for point in points)


def _rounds(world: _World, options: Options) -> Iterator[Measurement]:
    scenario = world.scenario
    first = _who(scenario, scenario.headline, options)[:1]
    for name in first:
        shortest = min(range(len(scenario.points)), key=lambda at: scenario.points[at].items)
        yield replace(world.measure(name, shortest, 0, 0, SEEDS * options.seed), round=-1, discarded=WARM_UP)
    walls: dict[tuple[int, str], float] = {}
    for number in range(options.rounds):
        for point in range(len(scenario.points)):
            if number >= _rounds_at(scenario, point, options):
                continue
            who = _who(scenario, point, options)
            for order, name in enumerate(who if number % 2 == 0 else reversed(who)):
                if _is_slow(walls, point, name) and number % SLOW and number != options.rounds - 1:
                    continue
                for one in _quiet(world, name, point, number, order, SEEDS * options.seed + number):
                    if one.counts:
                        walls.setdefault((point, name), one.wall_s)
                    yield one


def _is_slow(walls: dict[tuple[int, str], float], point: int, name: str) -> bool:
    reference = walls.get((point, "threaded"))
    return reference is not None and walls.get((point, name), 0.0) > SLOW * reference


def _quiet(world: _World, name: str, point: int, number: int, order: int, seed: int) -> Iterator[Measurement]:
    """Measure, again where others disturbed it. The last one counts."""
    for repeats_left in range(MOST_REPEATS, -1, -1):
        one = world.measure(name, point, number, order, seed)
        load = one.foreign_cores or 0.0
        if load <= machine.FOREIGN_CORES or not repeats_left:
            yield one
            return
        yield replace(one, discarded=f"{BUSY} {load:.2f} cores")


# ── the world of a scenario ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _World:
    """The API, a folder, and where things are kept while a scenario runs."""

    scenario: Scenario
    api: Api
    folder: Path
    client_cores: tuple[int, ...]
    slowed: Mapping[str, float]
    templates: dict[int, Path] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, scenario: Scenario, slowed: Mapping[str, float]) -> Iterator[_World]:
        cores = machine.cores()
        first = cores[0] if len(cores) > 1 else None
        with (
            machine.pinned(first),
            tempfile.TemporaryDirectory(prefix="enricher-bench-") as name,
            apis.opened(scenario, first) as api,
        ):
            yield cls(scenario, api, Path(name), tuple(cores if scenario.kind == "articles" else cores[-1:]), slowed)

    def measure(self, name: str, at: int, number: int, order: int, seed: int) -> Measurement:
        """One client, one measurement."""
        point = self.scenario.points[at]
        facts = Measurement(at, number, order, seed, name)
        folder = self._prepared(at)
        ours = [os.getpid(), self.api.pid]  # of ours come the children, once they are over
        try:
            self.api.behave(point, seed)
            before = machine.Load.now(ours)
            told = self._client(name, at, folder)
            after = machine.Load.now(ours)
            stats = self.api.stats(moments=point.quota != "none")
        finally:
            shutil.rmtree(folder)
        slots = 1 if name == "sequential" else point.slots
        least = self.api.least(point, seed, slots, set(stats["requests_by_identity"]))
        facts = _counted(facts, stats, least, fresh=self.scenario.state == "fresh")
        if "problem" in told or least.needless:
            return replace(facts, problem=told.get("problem") or f"it asked what nobody needs: {least.needless[0]}")
        foreign = machine.foreign_cores(before, after) if after.at - before.at >= LEAST_FOREIGN_S else None
        return _told(facts, told, stats, foreign)

    def _task(self, at: int, folder: Path) -> Task:
        point, scenario = self.scenario.points[at], self.scenario
        return Task(
            scenario.kind, self.api.base_url, str(folder), point.items, point.slots, point.quota, scenario.item_bytes
        )

    def _client(self, name: str, at: int, folder: Path, stop_after: int | None = None) -> dict[str, Any]:
        """Run a client; what it tells, or the `problem`."""
        task = self._task(at, folder)
        order = {
            "subject": name,
            "task": asdict(task),
            "cores": self.client_cores,
            "stop_after": stop_after,
            "slowed": self.slowed.get(name, 0.0),
        }
        patience_s = 60 + PATIENCE * _least_s(self.scenario, at, 1 if name == "sequential" else task.slots)
        with subprocess.Popen(  # our own module
            [sys.executable, "-m", "benchmarks.client"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the terminal's Ctrl-C is for us
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                # unbuffered: what a dead child did not take must not be written again when the pipe is closed
                os.write(child.stdin.fileno(), (json.dumps(order) + "\n").encode())
                # communicate() would close the pipe that tells the child that we are here
                output, errors = _outputs(child, patience_s)
            except subprocess.TimeoutExpired:
                return {"problem": f"gave up after {patience_s:.0f} s"}
            except BrokenPipeError:
                output, errors = "", ""
            finally:
                child.kill()
        try:
            told: dict[str, Any] = json.loads(output)
        except ValueError:
            last = errors.strip().rpartition("\n")[2].replace(str(self.folder), "…").replace(str(ROOT), "…")[:200]
            last = "".join(sign if sign.isprintable() else "?" for sign in last)
            return {"problem": f"the client failed: {last or 'it said nothing'}"}
        return told

    def _prepared(self, at: int) -> Path:
        """A folder to work in: the list, and what was done before."""
        if self.scenario.state != "fresh" and at not in self.templates:
            self.templates[at] = self._template(at)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        if at in self.templates:
            shutil.copytree(self.templates[at], folder, dirs_exist_ok=True)
        note = "again" if self.scenario.state == "warm" else ""
        self.api.write(folder / LIST, self.scenario.points[at].items, note)
        return folder

    def _template(self, at: int) -> Path:
        """What `threaded` leaves behind when it has done everything, or was stopped half-way."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        point = self.scenario.points[at]
        self.api.write(folder / LIST, point.items)
        half = self.scenario.state == "half"
        self.api.behave(replace(point, latency="20ms" if half else "0", faults="", quota="none"), 0)
        told = self._client("threaded", at, folder, stop_after=point.items // 2 if half else None)
        if "problem" in told:
            raise RuntimeError(f"could not prepare {self.scenario.name}: {told['problem']}")
        return folder


def _outputs(child: subprocess.Popen[str], patience_s: float) -> tuple[str, str]:
    """Both outputs to their end, while the child's standard input stays open.

    :raises subprocess.TimeoutExpired: if it takes longer.
    """
    standard_input, child.stdin = child.stdin, None
    try:
        return child.communicate(timeout=patience_s)
    finally:
        if standard_input is not None:
            standard_input.close()


def _least_s(scenario: Scenario, at: int, slots: int) -> float:
    """About how long a point takes at best, seconds: for patience and forecasts, not for figures."""
    point = scenario.points[at]
    cost_s = COST_S * point.items
    if scenario.state == "warm":
        return cost_s
    each = Behaviour.of(latency=point.latency).latency
    mean_s = (each.a + each.b) / 2 if each.shape == "uniform" else each.a
    requests = point.items * (2 if scenario.kind == "films" else 1)
    quota_s = 0.0
    if point.quota != "none":
        parsed = StrictQuota.parse(point.quota)
        quota_s = requests / parsed.limit * parsed.period_s
    return max(requests * mean_s / slots, quota_s, cost_s)


def _counted(facts: Measurement, stats: dict[str, Any], least: Least, *, fresh: bool) -> Measurement:
    """What the API counted, and what is possible."""
    quotas = stats["quotas"]
    moments = stats.get("moments", [])
    ticks = tuple(round((moment - moments[0]) / TICK_S) for moment in moments[:MOST_STAMPS])
    return replace(
        facts,
        bound_s=least.bound_s,
        ideal_s=least.ideal_s,
        requests=stats["arrivals"],
        expected=least.requests if fresh else None,
        late_ms=1000 * stats["late_sum_s"] / max(1, stats["answered"]),
        connections=stats["connections_opened"],
        most_in_flight=stats["most_in_flight"],
        rejected=stats["rejected"],
        faults=sum(stats["faults"].values()),
        fullest=max((quota["fullest"] for quota in quotas), default=None),
        quota_used=max((quota["used"] for quota in quotas if quota["used"] is not None), default=None),
        arrivals=ticks,
    )


def _told(facts: Measurement, told: dict[str, Any], stats: dict[str, Any], foreign: float | None) -> Measurement:
    """What the client told."""
    stamps = Stamps(**{name: tuple(ticks) for name, ticks in told["stamps"].items()})
    plain = ("wall_s", "cpu_s", "peak_mib", "import_mib", "wrong", "output", "export")
    return replace(
        facts,
        **{name: told[name] for name in plain},
        wait_ms=told["wait_ms"] and Percentiles(**told["wait_ms"]),
        service_ms=told["service_ms"] and Percentiles(**told["service_ms"]),
        server_share=max(0.0, stats["cpu_s"] - stats["spun_s"]) / told["wall_s"],
        foreign_cores=foreign,
        stamps=stamps,
    )


def _commit() -> str:
    """The commit that is checked out, "+" behind it where files were changed since; "" outside of a repository."""
    try:
        words = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
