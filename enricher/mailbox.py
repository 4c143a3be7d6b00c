"""Outcomes on their way from the workers to one consumer: a sink at one end, an iterator at the other.

`SimpleQueue`, because it is the one queue that puts and gets without a lock of Python's: with `queue.Queue` in its place,
a run of ten threads spent 50 µs of CPU an outcome on handing it over, with this 10 (the queues exchanged under the threads of
`python -m benchmarks.promises wire`).
It has no bound, so who finds the mailbox full waits before it puts: at most an outcome a worker is over the bound.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from .model import Outcome


class Mailbox:
    """Holds about `size` outcomes; who puts more waits for the consumer."""

    def __init__(self, size: int) -> None:
        self._outcomes: SimpleQueue[Outcome | None] = SimpleQueue()
        self._size = size
        self._room = threading.Condition()
        self._waiting = 0  # workers that wait for room
        self._left = False  # the consumer has gone: nobody reads any more
        self._error: BaseException | None = None

    def _is_full(self) -> bool:
        return self._outcomes.qsize() >= self._size and not self._left

    def offer(self, outcome: Outcome) -> bool:
        """Put an outcome in if there is room; whether there was."""
        if self._is_full():
            return False
        self.put(outcome)
        return True

    def put(self, outcome: Outcome | None) -> None:
        """Put an outcome in, as soon as there is room. None: there are no more."""
        if self._is_full():
            with self._room:
                self._waiting += 1
                while self._is_full():
                    self._room.wait()
                self._waiting -= 1
        if not self._left:
            self._outcomes.put(outcome)

    def fill(self, work: Callable[[], None]) -> None:
        """Do the work that fills this mailbox; keep its error for the consumer."""
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # it is raised again where the outcomes are read
            self._error = error
        finally:
            self.put(None)

    def leave(self, error: BaseException | None = None) -> None:
        """Drop what comes from now on. A consumer that still iterates is told the error; without one, nothing more."""
        with self._room:
            self._left = True
            self._room.notify_all()
        if error is not None:
            self._end(error)

    def after_fork(self, error: BaseException) -> None:
        """Nobody fills this mailbox any more: a consumer is told the error. Takes no lock."""
        self._outcomes = SimpleQueue()
        self._room = threading.Condition()
        self._left = True
        self._end(error)

    def _end(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._outcomes.put(None)

    def __iter__(self) -> Iterator[Outcome]:
        while (outcome := self._outcomes.get()) is not None:
            if self._waiting:
                with self._room:
                    self._room.notify()
            yield outcome
        if self._error is not None:
            raise self._error
