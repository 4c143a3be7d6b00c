"""Who is measured: our three modes, one of them twice as a control, and what people use today.

Of articles two modes are measured with their analyses whole besides: otherwise those come in pieces.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import baselines
from .runs import Subject
from .task import Client, Reader, Task

CONTROL = "threaded-again"
WHOLE = {"threaded-whole": "threaded", "async-whole": "async"}
"""Name → the mode that it is, with analyses whole."""

OURS = {
    "threaded": Subject("threaded", ours=True, about="our threads over one pooled session"),
    CONTROL: Subject(CONTROL, ours=True, about="threaded once more: the control", control_of="threaded"),
    "async": Subject("async", ours=True, about="our tasks on one event loop"),
    "sequential": Subject("sequential", ours=True, about="ours, one after the other"),
    **{name: Subject(name, ours=True, about=f"{mode}, each analysis whole") for name, mode in WHOLE.items()},
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


@contextmanager
def opened(name: str, task: Task, stop_after: int | None = None) -> Iterator[tuple[Client, Reader]]:
    """A subject's client and reader, with all that it needs imported and begun, and ended after the block.

    `stop_after`: one of our modes stops when so many items are done.
    """
    if name not in OURS:
        yield baselines.load(name).work, baselines.read
        return
    from . import own

    mode = WHOLE.get(name) or OURS[name].control_of or name
    with own.processes_of(task) as processes:
        yield (
            functools.partial(own.work, mode, stop_after=stop_after, stream=name not in WHOLE, processes=processes),
            own.read,
        )


def export(task: Task) -> str:
    """What the exported file is (sha256); "" of a subject that exports none."""
    path = Path(task.folder) / "out.csv"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
