"""Who is measured: our three modes, one of them twice as a control, and what people use today."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from . import baselines
from .runs import Subject
from .task import Client, Reader, Task

CONTROL = "threaded-again"

OURS = {
    "threaded": Subject("threaded", ours=True, about="our threads over one pooled session"),
    CONTROL: Subject(CONTROL, ours=True, about="threaded once more: the control", control_of="threaded"),
    "async": Subject("async", ours=True, about="our tasks on one event loop"),
    "sequential": Subject("sequential", ours=True, about="ours, one after the other"),
}
NAMES = (*OURS, *baselines.NAMES)


def subject(name: str) -> Subject:
    """What there is to tell of a subject.

    :raises KeyError: if there is none of this name.
    """
    return OURS[name] if name in OURS else Subject(name, ours=False, about=baselines.load(name).ABOUT)


def missing(name: str) -> str:
    """Which libraries a subject lacks here, "" where none."""
    return "" if name in OURS else baselines.available(name)


def load(name: str) -> tuple[Client, Reader]:
    """A subject's client and reader, with all that it needs imported."""
    if name in OURS:
        from . import own

        return own.client(OURS[name].control_of or name), own.read
    return baselines.load(name).work, baselines.read


def stopping(name: str, done: int) -> Client:
    """One of our modes that stops when so many items are done."""
    from . import own

    return functools.partial(own.work, name, stop_after=done)


def export(task: Task) -> str:
    """What the exported file is (sha256); "" of a subject that exports none."""
    path = Path(task.folder) / "out.csv"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
