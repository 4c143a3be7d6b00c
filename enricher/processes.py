"""CPU-bound, pure work in a few processes of its own, each killed when it takes too long.

The processes are spawned (never forked: this process has threads) when there is work for them, and kept. Each has a thread
here that hands it one piece of work at a time, through a pipe of its own. So it is always known what a process was doing when
it died, and nothing else is touched by it.

Pebble's pool stood here before. Its workers share a pipe, and where one dies before the pool has heard what it had taken up,
or while nothing is being done, the pool gives up all that was handed out and takes nothing more (Pebble 5.2.3,
`PoolManager.find_expired_task`): one page could end the reading of all others.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

from .errors import Interrupted
from .forking import keep_inherited
from .model import Compute
from .threads import leave

WORKERS = 2
"""Processes at most: extraction holds the interpreter, so more than a machine's cores bring nothing."""

NICE = 5
"""They stand back for those who wait for the wire: an event loop that shares two cores with them wakes twice as soon."""

BEGIN_WITHIN_S = 60.0
"""A process that has not taken up its work after so long, seconds, is given up: it has to start, and to import."""

END_WITHIN_S = 1.0
"""How long the thread of a process that was killed is waited for, seconds."""

Work = tuple[Compute, Future[Any]]


class Processes:
    """Processes that come into being when they are needed. Usable from any thread."""

    def __init__(self, workers: int = WORKERS) -> None:
        self._workers = workers
        self._hands: list[_Hand] = []
        self._waiting: deque[Work] = deque()
        self._idle = 0
        self._changed = threading.Condition()

    def submit(self, work: Compute) -> Future[Any]:
        """Hand the work out. The future ends with the result, with what the function raised, with `TimeoutError` when the
        process was killed after `work.timeout_s`, or with `ChildProcessError` when it died.

        Who cancels the future has the process killed that does the work.
        """
        future: Future[Any] = Future()
        with self._changed:
            self._waiting.append((work, future))
            if len(self._waiting) > self._idle and len(self._hands) < self._workers:
                self._hands.append(_Hand(self._next))
            self._changed.notify()
        return future

    def close(self) -> None:
        """End the processes; what is not done ends with an error."""
        with self._changed:
            hands, self._hands = self._hands, []
            waiting, self._waiting = self._waiting, deque()
            for hand in hands:
                hand.is_over = True
            self._changed.notify_all()
        for _, future in waiting:
            _fail(future, Interrupted())
        for hand in hands:
            hand.end()

    def after_fork(self) -> None:
        """Called in the child: start with no process. The parent's go on."""
        for hand in self._hands:
            hand.after_fork()
        keep_inherited(self._hands)
        self._hands = []
        self._waiting = deque()
        self._idle = 0
        self._changed = threading.Condition()

    def _next(self, hand: _Hand) -> Work | None:
        """The next work for a hand, when there is some; None when there will be none."""
        with self._changed:
            self._idle += 1
            while not self._waiting and not hand.is_over:
                self._changed.wait()
            self._idle -= 1
            return None if hand.is_over else self._waiting.popleft()


class _Died(Exception):
    """The process has ended. `begun`: it had taken up its work by then."""

    def __init__(self, begun: bool) -> None:
        super().__init__()
        self.begun = begun


class _Hand:
    """A process, and the thread that hands it its work."""

    def __init__(self, next_work: Callable[[_Hand], Work | None]) -> None:
        self.is_over = False
        self._next_work = next_work
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._doing: Future[Any] | None = None
        self._lock = threading.Lock()  # held for a moment, around `_process` and `_doing`
        self._thread = threading.Thread(target=self._run, name="enricher-process", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Kill the process, whatever it does, and wait until it is gone."""
        with self._lock:
            doing = self._doing
            self._kill()
        if doing is not None:
            _fail(doing, Interrupted())
        leave(self._thread, END_WITHIN_S)

    def after_fork(self) -> None:
        """Let go of the parent's process: the pipe's end here would keep it alive, and the exit of the child would kill it
        with all processes that `multiprocessing` takes for this one's.
        """
        if self._pipe is not None:
            self._pipe.close()
        multiprocessing.process._children.discard(self._process)  # type: ignore[attr-defined]  # noqa: SLF001

    def _run(self) -> None:
        while (work := self._next_work(self)) is not None:
            self._do(*work)
        self._bury()

    def _do(self, work: Compute, future: Future[Any]) -> None:
        if future.done():  # nobody waits for it any more
            return
        with self._lock:
            self._doing = future
        future.add_done_callback(self._drop)
        try:
            result = self._carried_out(work, future)
        except Exception as error:  # noqa: BLE001  # it is the waiter's, whatever it is
            self._done()
            _fail(future, error)
        else:
            self._done()
            with contextlib.suppress(InvalidStateError):  # cancelled just now, or the processes were closed
                future.set_result(result)

    def _done(self) -> None:
        with self._lock:
            self._doing = None

    def _drop(self, future: Future[Any]) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            if future.cancelled() and self._doing is future:
                self._kill()

    def _carried_out(self, work: Compute, future: Future[Any]) -> Any:
        """What the function returns.

        A process that dies before it has taken the work up has died of something else: then another one does it.
        """
        for is_last in (False, True):
            if self.is_over or future.done():
                raise Interrupted
            try:
                return self._asked(work)
            except _Died as died:
                self._bury()
                if died.begun or is_last:
                    raise ChildProcessError("the process that did it has died") from None
            except TimeoutError:
                self._bury()
                raise
        raise AssertionError

    def _asked(self, work: Compute) -> Any:
        packed = ForkingPickler.dumps((work.function, work.args))
        pipe, process = self._begun()
        try:
            pipe.send_bytes(packed)
        except OSError:
            raise _Died(begun=False) from None
        try:
            _heard(pipe, process, BEGIN_WITHIN_S, begun=False)
        except TimeoutError:
            raise _Died(begun=False) from None
        good, value = _heard(pipe, process, work.timeout_s, begun=True)
        if good:
            return value
        raise value

    def _begun(self) -> tuple[Connection, BaseProcess]:
        if self._process is None or self._pipe is None or not self._process.is_alive():
            self._bury()
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs,), name="enricher-process", daemon=True)
            with theirs:  # ours is closed, so that the end of the process is the end of the pipe
                process.start()
            with self._lock:
                self._process = process
                if self.is_over or (
                    self._doing is not None and self._doing.cancelled()
                ):  # while there was none to kill
                    self._kill()
        return self._pipe, self._process

    def _kill(self) -> None:
        """Whoever waits for it sees that it has died. The lock is held."""
        if self._process is not None:
            self._process.kill()

    def _bury(self) -> None:
        """Nothing of the process is left."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            with contextlib.suppress(
                ValueError
            ):  # another thread that starts one has asked after it in this very moment
                process.close()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _heard(pipe: Connection, process: BaseProcess, within_s: float | None, *, begun: bool) -> Any:
    """The next thing that the process says.

    :raises TimeoutError: if it says nothing for so long.
    :raises _Died: if it says nothing any more.
    """
    ready = wait([pipe, process.sentinel], within_s)
    if not ready:
        raise TimeoutError(f"not done after {within_s:g} s")
    if pipe not in ready:
        raise _Died(begun)
    try:
        said = pipe.recv_bytes()
    except (EOFError, OSError):
        raise _Died(begun) from None
    return ForkingPickler.loads(said)


def _fail(future: Future[Any], error: BaseException) -> None:
    with contextlib.suppress(InvalidStateError):  # cancelled, or failed already
        future.set_exception(error)


def serve(pipe: Connection) -> None:
    """What a process does: the work that comes through the pipe, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for who started us
    if hasattr(os, "nice"):  # not every system has it
        os.nice(NICE)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, args = _unpacked(pipe.recv_bytes())  # this imports what it needs, which is nobody's time
            pipe.send(None)
            pipe.send_bytes(_packed(_tried(function, args)))


def _unpacked(work: bytes) -> tuple[Callable[..., Any], Sequence[Any]]:
    try:
        function, args = ForkingPickler.loads(work)
    except Exception as error:  # noqa: BLE001  # an import may raise anything
        return _raise, (error,)
    return function, args


def _raise(error: Exception) -> NoReturn:
    raise error


def _tried(function: Callable[..., Any], args: Sequence[Any]) -> tuple[bool, Any]:
    """Whether it went well, and the result or what was raised."""
    try:
        return True, function(*args)
    except Exception as error:  # noqa: BLE001  # it is told to who waits
        return False, error


def _packed(told: tuple[bool, Any]) -> bytes:
    try:
        return bytes(ForkingPickler.dumps(told))
    except Exception as error:  # noqa: BLE001  # pickling stumbles over anything
        return bytes(ForkingPickler.dumps((False, TypeError(f"its result can't leave its process: {error}"))))
