"""The harness in processes of its own: begun for real, and what it has started counted."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from cli_world import until

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30


def children(pid):
    """The processes that a process has started and not yet waited for."""
    try:
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except FileNotFoundError:
        return set()


def words_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):  # it has ended: before it was opened, or before it was read
        return []


def is_client(pid):
    return b"benchmarks.client" in words_of(pid)


def alive(pids):
    """Those that still run. One that has ended may stay for a moment, until its new parent has taken note of that."""
    return {pid for pid in pids if _state(pid) not in {"", "Z", "X"}}


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def endless(folder):
    """A run of many rounds, its results in this folder."""
    words = ["--rounds", "500", "--modes", "threaded,async", "--out", str(folder), "films-1"]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        yield process
        process.kill()


def third_client(process):
    """Wait until it has come to its third client; all that it has started."""
    seen, clients = set(), set()

    def look():
        seen.update(children(process.pid))
        clients.update(filter(is_client, seen))
        return len(clients) == 3

    until(look)
    return seen
