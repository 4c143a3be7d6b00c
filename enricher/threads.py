"""Threads that never keep the interpreter alive.

Python joins the workers of every `ThreadPoolExecutor` before it runs any exit hook, daemon or not. So a worker that waits
for a consumer that is gone, reads from a source that blocks, or looks up a name would keep a finished script alive for
ever. All threads of this package are therefore daemon threads of our own: whoever started them tells them to stop and
waits for at most `LEAVE_WITHIN_S`, in `close` or in the exit hook (resources.py). A thread that does not come back by then
is left behind, and ends with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LEAVE_WITHIN_S = 0.3
"""How long a thread that was told to stop is waited for, seconds, where nothing that it does is wanted any more."""


class DaemonExecutor(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own. A `ThreadPoolExecutor` by name: an event loop takes no other."""

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1)  # it never starts one
        self._name = name
        self._numbers = count()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start the call; its future ends as the call does."""
        future: Future[T] = Future()
        name = f"{self._name}_{next(self._numbers)}"
        threading.Thread(target=_call, args=(future, fn, args, kwargs), name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  # as the base has it
        """Return at once: threads that still run are left behind, whatever `wait` says."""
        super().shutdown(wait=False)


def _call(future: Future[Any], fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  # it is raised again where the result is read
        future.set_exception(error)
    else:
        future.set_result(result)


def leave(thread: threading.Thread, within_s: float = LEAVE_WITHIN_S) -> None:
    """Wait for a thread that was told to stop, for at most `within_s` seconds. Returns at once in that thread itself."""
    if thread is not threading.current_thread():
        thread.join(within_s)
