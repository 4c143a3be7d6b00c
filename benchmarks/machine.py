"""What a run costs and what disturbs it, read from the system: memory, CPU, foreign load, and the machine itself.

Linux only where /proc is read; elsewhere those values are None, and a report leaves them out.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("aiohttp", "requests", "urllib3", "peewee", "cachetools", "trafilatura", "lxml"),
    *("aiolimiter", "httpx", "ratelimit", "requests-futures", "scrapy"),
)
FOREIGN_CORES = 0.1
"""Load of others above this, in cores, makes a round worth repeating."""


def peak_mib() -> float | None:
    """Peak resident memory of this process, MiB: VmHWM. `ru_maxrss` of a child begins with its parent's size."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def cores() -> list[int]:
    """The processors that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def pin(*cores: int) -> None:
    """Keep this process, and what it starts, on these processors, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this process on one processor for a while; on any where `core` is None."""
    before = cores()
    if core is not None:
        pin(core)
    try:
        yield
    finally:
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Load:
    """A moment's count: busy CPU seconds of the whole machine, and of processes of ours."""

    at: float
    machine_s: float | None
    ours_s: float

    @classmethod
    def now(cls, pids: Sequence[int]) -> Load:
        """Count now; processes that are gone count nothing."""
        return cls(time.monotonic(), _busy_s(), sum(map(_cpu_s, pids)))


def foreign_cores(before: Load, after: Load) -> float | None:
    """How many processors were busy with the work of others between two moments; None where nobody knows."""
    if before.machine_s is None or after.machine_s is None or after.at <= before.at:
        return None
    busy_s = (after.machine_s - before.machine_s) - (after.ours_s - before.ours_s)
    return max(0.0, busy_s / (after.at - before.at))


def _busy_s() -> float | None:
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    # user nice system idle iowait irq softirq steal: idle and iowait are not work, and steal is not ours to see
    user, nice, system, _, _, irq, softirq = map(int, words[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def description() -> dict[str, Any]:
    """The machine and what runs on it, for the head of a report. Names no folder, host or person."""
    found: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(cores()),
        "python": platform.python_version(),
        "libraries": found,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    return text.partition("model name")[2].partition(":")[2].partition("\n")[0].strip() or platform.processor()
