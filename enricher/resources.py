"""What an engine holds of this process: connections, threads, processes, runs. Made when needed, closed exactly once.

Rule 1: nothing here refers to the engine. So an engine that nobody uses any more is collected, and its finalizer
(`weakref.finalize`) closes all this; the interpreter calls the same finalizer when it ends. Nobody has to call `close`.
Rule 2: closing takes a bounded time, whatever hangs. What does not end by then is left behind (threads.py).
Rule 3: the child of a fork starts with nothing. What it inherited stays untouched: it is the parent's (forking.py).
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import TypeVar

from .background import BackgroundRun
from .core.effects import Steps
from .errors import Interrupted
from .forking import keep_inherited
from .model import Request
from .modes import asynchronous
from .modes.performer import Performer
from .processes import Processes
from .threads import DaemonExecutor, leave
from .transports.pooled import PooledTransport
from .transports.streaming import StreamingTransport

T = TypeVar("T")

CLOSE_WITHIN_S = 1.0
"""How long the event loop may take to cancel its tasks and close its connections, seconds."""


class Resources:
    """One engine's. Usable from any thread.

    `keys` maps a service's name to its API key, `slots` bounds the connections, `on_chunk` is shown the pieces of streams.
    `processes` None: processes of its own, which end with it.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        slots: int,
        on_chunk: Callable[[Request, bytes], None] | None,
        processes: Processes | None,
    ) -> None:
        self._keys = dict(keys)
        self._slots = slots
        self._on_chunk = on_chunk
        self.processes = processes or Processes()
        self._owns_processes = processes is None
        self._pooled: PooledTransport | None = None
        self._loop: LoopThread | None = None
        self._runs: set[BackgroundRun] = set()
        self._lock = threading.Lock()

    def pooled(self) -> PooledTransport:
        """The connections of all threads."""
        with self._lock:
            if self._pooled is None:
                self._pooled = PooledTransport(self._keys, self._slots, on_chunk=self._on_chunk)
            return self._pooled

    def streaming(self) -> StreamingTransport:
        """New connections, for one event loop."""
        return StreamingTransport(self._keys, self._slots, on_chunk=self._on_chunk)

    def submit(self, steps: Steps[T], performer: Performer) -> Future[T]:
        """Carry out a flow in the engine's event loop.

        :raises Interrupted: if it is told to stop already. Asked under the lock: whoever closes an engine sets the stop
            first, so nothing is opened again.
        """
        with self._lock:
            if performer.stop.is_set():
                raise Interrupted
            if self._loop is None:
                self._loop = LoopThread(self.streaming)
            return self._loop.submit(steps, performer)

    def begin(self, run: BackgroundRun) -> None:
        """Start a run; `close` ends it."""
        with self._lock:  # until it has started: `close` waits for its thread
            self._runs.add(run)
            run.start()

    def end(self, run: BackgroundRun) -> None:
        """End a run."""
        run.end()
        self._runs.discard(run)

    def close(self, error: BaseException | None = None) -> None:
        """End runs, close connections, end processes. May be called again; what is asked for later is made anew.

        `error` is raised to whoever still iterates over a run. None, when the process ends: it waits on, and ends as well.
        """
        if sys.is_finalizing():
            return
        with self._lock:
            runs, self._runs = self._runs, set()
            pooled, self._pooled = self._pooled, None
            loop, self._loop = self._loop, None
        for run in runs:
            run.end(error)
        if pooled is not None:
            pooled.close()
        if loop is not None:
            loop.close()
        if self._owns_processes:
            self.processes.close()

    def after_fork(self) -> None:
        """Start with nothing."""
        for run in list(self._runs):
            run.after_fork()
        if self._loop is not None:
            self._loop.after_fork()
        keep_inherited(self._pooled, self._loop)
        self._runs = set()
        self._pooled = None
        self._loop = None
        self._lock = threading.Lock()
        self.processes.after_fork()


class _Loop(asyncio.SelectorEventLoop):
    """A loop that the child of a fork can disown: its epoll set is shared, and closing it there would change the parent's."""

    disowned = False

    def is_closed(self) -> bool:
        return self.disowned or super().is_closed()


class LoopThread:
    """An event loop in a thread of its own, with one transport for all that is asked there."""

    def __init__(self, new_transport: Callable[[], StreamingTransport]) -> None:
        self._loop = _Loop()
        self._loop.set_default_executor(DaemonExecutor("enricher-loop"))
        self._transport = new_transport()
        self._waits = asynchronous.Waits(self._loop)
        self._thread = threading.Thread(target=self._loop.run_forever, name="enricher-loop", daemon=True)
        self._thread.start()

    def submit(self, steps: Steps[T], performer: Performer) -> Future[T]:
        """Carry out a flow there; cancelling the future cancels it."""
        flow = asynchronous.drive(steps, performer, self._transport, self._waits)
        return asyncio.run_coroutine_threadsafe(flow, self._loop)

    def close(self) -> None:
        """End what is under way, close the connections, end the thread. Called in that thread, it only begins to."""
        ended = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        if threading.current_thread() is not self._thread:
            wait([ended], CLOSE_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        leave(self._thread)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._transport.close()

    def after_fork(self) -> None:
        """It runs in the parent only."""
        self._loop.disowned = True
