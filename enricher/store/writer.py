"""One thread that commits, so that nobody else waits for the disk.

Outcomes are handed over one by one and committed in batches: at most `batch_size` of them, or whatever has come
`linger_s` after the first one of the batch (measured: 8 µs an outcome in batches of 100, 50 µs with a commit each).
`on_committed` hears of a batch only after its commit: done is what is committed. A commit that fails ends the writer;
every later `put` and `close` raises the failure, and what was not committed is simply still pending in the store.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from ..errors import StoreError
from ..model import Outcome

BATCH_SIZE = 100
LINGER_S = 0.1
# Ten batches: more would be memory for nothing, as the producers are faster than the disk only in bursts.
MOST_WAITING = 1_000

Commit = Callable[[Sequence[Outcome]], object]


class Writer:
    """Commits outcomes on a thread of its own: `Writer(lambda batch: store.commit(job_id, batch, pipeline))`.

    `commit` and `on_committed` are called on that thread, with batches in the order of `put`.
    """

    def __init__(
        self,
        commit: Commit,
        *,
        on_committed: Callable[[list[Outcome]], object] | None = None,
        batch_size: int = BATCH_SIZE,
        linger_s: float = LINGER_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._commit = commit
        self._on_committed = on_committed
        self._batch_size = min(batch_size, most_waiting)
        self._linger_s = linger_s
        self._most_waiting = most_waiting
        self._waiting: list[Outcome] = []
        self._closing = False
        self._failure: BaseException | None = None
        lock = threading.Lock()
        self._work = threading.Condition(lock)  # the writer waits here for outcomes
        self._room = threading.Condition(lock)  # producers wait here for room
        self._thread = threading.Thread(target=self._run, name="enricher-writer", daemon=True)
        self._thread.start()

    def put(self, outcome: Outcome) -> None:
        """Hand an outcome over; waits while too many are waiting already.

        :raises StoreError: if the writer is closed. If a commit failed, raises what it raised.
        """
        with self._work:
            while len(self._waiting) >= self._most_waiting and self._failure is None and not self._closing:
                self._room.wait()
            self._add(outcome)

    def offer(self, outcome: Outcome) -> bool:
        """Hand an outcome over if there is room at once (for an event loop, which must not wait); raises as `put`."""
        with self._work:
            if len(self._waiting) >= self._most_waiting and self._failure is None and not self._closing:
                return False
            self._add(outcome)
            return True

    def _add(self, outcome: Outcome) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closing:
            raise StoreError("the writer is closed; nothing more can be committed")
        self._waiting.append(outcome)
        # The writer is woken for the first of a batch and for a full one; in between it waits for its time.
        if len(self._waiting) == 1 or len(self._waiting) == self._batch_size:
            self._work.notify()

    def close(self) -> None:
        """Commit what is waiting and end the thread; may be called again. Raises what a commit raised."""
        with self._work:
            self._closing = True
            self._work.notify()
            self._room.notify_all()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BaseException:
            if error is None:
                raise  # else the body's own error goes on: it came first, or it is this very failure

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._commit(batch)
                if self._on_committed is not None:
                    self._on_committed(batch)
                del batch  # it may be large, and the next one takes its time
        except BaseException as failure:  # noqa: BLE001 - it is raised again, in the producers' threads
            with self._work:
                self._failure = failure
                self._room.notify_all()

    def _next_batch(self) -> list[Outcome]:
        """Wait for the next batch; empty once the writer is closed and nothing is left."""
        with self._work:
            while not self._waiting and not self._closing:
                self._work.wait()
            deadline = time.monotonic() + self._linger_s
            while len(self._waiting) < self._batch_size and not self._closing:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    break
                self._work.wait(left_s)
            batch = self._waiting[: self._batch_size]
            del self._waiting[: self._batch_size]
            self._room.notify_all()
            return batch
