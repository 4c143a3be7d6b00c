"""CPU-bound, pure work in a few processes of its own, each killed when it takes too long.

The processes are spawned (never forked: this process has threads) when the first piece of work comes, and kept.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any

from pebble import ProcessPool

from .errors import Interrupted
from .model import Compute

WORKERS = 2
"""Processes at most: extraction holds the interpreter, so more than a machine's cores bring nothing."""

NICE = 5
"""They stand back for those who wait for the wire: an event loop that shares two cores with them wakes twice as soon."""


class Processes:
    """A pool that comes into being when it is needed. Usable from any thread."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._workers = workers
        self._pool: ProcessPool | None = None
        self._open: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def submit(self, work: Compute) -> Future[Any]:
        """Hand the work out. The future ends with the result, with what the function raised, or with `TimeoutError`
        when the process was killed after `work.timeout_s`.
        """
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPool(
                    max_workers=self._workers,
                    initializer=getattr(os, "nice", None),  # not every system has it
                    initargs=(NICE,),
                    context=multiprocessing.get_context("spawn"),
                )
            future: Future[Any] = self._pool.schedule(work.function, args=work.args, timeout=work.timeout_s)
            self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    def close(self) -> None:
        """End the processes; work that is not done is dropped, and its futures end with an error."""
        with self._lock:
            if self._pool is not None:
                self._pool.stop()  # type: ignore[no-untyped-call]  # pebble annotates its arguments only
                self._pool.join()
                self._pool = None
                for future in list(self._open):  # the pool forgets what it had not begun
                    with contextlib.suppress(InvalidStateError):  # cancelled just now, by one who waited
                        future.set_exception(Interrupted())
