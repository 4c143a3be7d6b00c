"""Async: the same short loop, in tasks of one event loop.

Naps and waits for another's answer are plain futures, kept in one place, so that a stop ends all of them at once and
costs nothing until then. What is on the wire may go on for the grace time; then its tasks are cancelled, and a cancelled
task gives back its place in the gate and its lead like any flow that ends early.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..core.effects import Effect, Known, Send, Steps
from ..errors import Interrupted
from ..memory import Pending
from ..model import Compute, Item, Outcome
from ..threads import DaemonExecutor
from .performer import WAITED_FOR, AsyncTransport, Feed, Held, Nap, Performer, Sink, T
from .reading import InLoop, InThread, Items
from .threaded import GRACE_S


class Waits:
    """What the tasks of one loop wait for, besides the wire."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: set[asyncio.Future[None]] = set()
        self._over = False

    async def nap(self, seconds: float) -> None:
        """Let time pass.

        :raises Interrupted: as soon as the run is told to stop.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        handle = self._loop.call_later(seconds, _wake, future)
        try:
            await self._until(future)
        finally:
            handle.cancel()

    async def on(self, other: Future[Any]) -> Any:
        """Wait for a future of another thread.

        :raises Interrupted: as soon as the run is told to stop.
        """
        future: asyncio.Future[None] = self._loop.create_future()

        def wake(_other: Future[Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already: nobody waits any more
                self._loop.call_soon_threadsafe(_wake, future)

        other.add_done_callback(wake)
        try:
            await self._until(future)
        except BaseException:
            other.cancel()
            raise
        return other.result()

    async def _until(self, future: asyncio.Future[Any]) -> None:
        if self._over:
            raise Interrupted
        self._open.add(future)
        try:
            await future
        finally:
            self._open.discard(future)

    def interrupt(self) -> None:
        """End all waits, and those that are still to come."""
        self._over = True
        for future in self._open:
            if not future.done():
                future.set_exception(Interrupted())


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def drive(steps: Steps[T], performer: Performer, transport: AsyncTransport, waits: Waits) -> T:
    """Run one flow to its end, waiting in this task.

    :raises Interrupted: if the run is told to stop.
    """
    held = Held()
    try:
        effect = next(steps)
        while True:
            try:
                reply = performer.step(effect, held)
                if isinstance(reply, WAITED_FOR):
                    reply = await _wait(reply, effect, held, performer, transport, waits)
            except Exception as error:  # noqa: BLE001  # the performer raises again what is not the flow's
                effect = steps.throw(performer.failed(effect, error))
            else:
                effect = steps.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()
        performer.give_back(held)


async def _wait(
    step: Any, effect: Effect, held: Held, performer: Performer, transport: AsyncTransport, waits: Waits
) -> Any:
    """Wait for what a step of `effect` came to, and step on until there is a reply."""
    while isinstance(step, WAITED_FOR):
        match step:
            case Send():
                return await transport.send(step.request, fresh=step.fresh)
            case Nap():
                await waits.nap(step.seconds)
                if not step.again:
                    return None
            case Pending():
                remembered = await waits.on(step.settled)
                if remembered is not None:
                    return Known(remembered, age_s=0.0)
            case Compute():
                return await waits.on(performer.processes.submit(step))
        step = performer.step(effect, held)
    return step


def run_async(
    feed: Feed,
    begin: Callable[[Item], Steps[Outcome]],
    sink: Sink,
    performer: Performer,
    open_transport: Callable[[], contextlib.AbstractAsyncContextManager[AsyncTransport]],
    workers: int,
    *,
    blocking_source: bool = False,
) -> None:
    """`workers` items at a time, in as many tasks of a loop of its own. Returns when all is done or stopped.

    Items are taken from the feed in the loop; with `blocking_source`, in a thread of its own.
    """
    asyncio.run(_run(feed, begin, sink, performer, open_transport, workers, blocking_source))


async def _run(
    feed: Feed,
    begin: Callable[[Item], Steps[Outcome]],
    sink: Sink,
    performer: Performer,
    open_transport: Callable[[], contextlib.AbstractAsyncContextManager[AsyncTransport]],
    workers: int,
    blocking_source: bool,
) -> None:
    stop = performer.stop
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonExecutor("enricher-loop"))  # the interpreter would wait for the loop's own
    waits = Waits(loop)
    reader = InThread(feed) if blocking_source else None
    source: Items = InLoop(feed) if reader is None else reader
    async with open_transport() as transport:

        async def work() -> None:
            try:
                while (item := await source.take()) is not None:
                    try:
                        outcome = await drive(begin(item), performer, transport, waits)
                    finally:
                        feed.done(item)
                    if not sink.offer(outcome):
                        await asyncio.to_thread(sink.put, outcome)
                    del outcome  # its answers may be large, and the next item takes its time
            except Interrupted:
                return
            except asyncio.CancelledError:
                if not stop.is_set():
                    raise
            except BaseException as error:
                stop.set(error)
                raise

        tasks = [loop.create_task(work()) for _ in range(workers)]

        def end() -> None:
            waits.interrupt()
            if reader is not None:
                reader.close()
            for task in tasks:
                loop.call_later(0.0 if stop.at_once else GRACE_S, task.cancel)

        def on_stop() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already: nothing is left to end
                loop.call_soon_threadsafe(end)

        stop.on_set(on_stop)
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError as error:  # Ctrl-C in this very thread
            stop.set(error)
            raise
        finally:
            if reader is not None:
                reader.close()
    for result in results:
        if isinstance(result, BaseException):
            raise result
