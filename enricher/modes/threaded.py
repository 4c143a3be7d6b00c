"""Sync: a short loop, run by one thread after the other's item (`sequential`) or by many (`threaded`).

Workers pull from one shared, lazy feed: a task a worker, not a task an item, because handing each item to the pool costs
a quarter of the throughput. An error that is more than its item's (a refused key, a full disk) stops all workers.
"""

from __future__ import annotations

import concurrent.futures as futures
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..core.effects import Effect, Known, Send, Steps
from ..errors import Interrupted
from ..memory import Pending
from ..model import Compute, Item, Outcome
from ..threads import LEAVE_WITHIN_S, DaemonExecutor
from .performer import WAITED_FOR, Feed, Held, Nap, Performer, Sink, Stop, SyncTransport, T

GRACE_S = 1.5
"""How long what is in flight may go on after a stop, seconds; then its sockets are shut. All is over within two."""

POLL_S = 0.25
"""How often one who waits for another's answer looks whether the run has been stopped, seconds."""


def drive(steps: Steps[T], performer: Performer, transport: SyncTransport) -> T:
    """Run one flow to its end, waiting in this thread.

    :raises Interrupted: if the run is told to stop.
    """
    held = Held()
    try:
        effect = next(steps)
        while True:
            try:
                reply = performer.step(effect, held)
                if isinstance(reply, WAITED_FOR):
                    reply = _wait(reply, effect, held, performer, transport)
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


def _wait(step: Any, effect: Effect, held: Held, performer: Performer, transport: SyncTransport) -> Any:
    """Wait for what a step of `effect` came to, and step on until there is a reply."""
    while isinstance(step, WAITED_FOR):
        match step:
            case Send():
                return transport.send(step.request, fresh=step.fresh)
            case Nap():
                performer.stop.sleep(step.seconds)
                if not step.again:
                    return None
            case Pending():
                remembered = _await(step.settled, performer.stop)
                if remembered is not None:
                    return Known(remembered, age_s=0.0)
            case Compute():
                return _await(performer.processes.submit(step), performer.stop)
        step = performer.step(effect, held)
    return step


def _await(future: futures.Future[Any], stop: Stop) -> Any:
    while not futures.wait([future], timeout=POLL_S).done:
        if stop.is_set():
            future.cancel()
            raise Interrupted
    return future.result()


def run_sequential(
    feed: Feed,
    begin: Callable[[Item], Steps[Outcome]],
    sink: Sink,
    performer: Performer,
    transport: SyncTransport,
) -> None:
    """One item after the other, in this thread."""
    with _grace(performer.stop, transport):
        _work(feed, begin, sink, performer, transport)


def run_threaded(
    feed: Feed,
    begin: Callable[[Item], Steps[Outcome]],
    sink: Sink,
    performer: Performer,
    transport: SyncTransport,
    workers: int,
) -> None:
    """`workers` items at a time, in as many threads. Returns when all is done or stopped.

    A thread that can't be stopped (it looks up a name, or connects) is left behind: when it comes back, it ends.
    """
    stop = performer.stop
    pool = DaemonExecutor("enricher")
    done: list[futures.Future[None]] = []
    with _grace(stop, transport):
        try:
            done.extend(pool.submit(_work, feed, begin, sink, performer, transport) for _ in range(workers))
            while futures.wait(done, POLL_S).not_done and not stop.is_set():
                pass
        except BaseException as error:  # Ctrl-C in this very thread
            stop.set(error)
            raise
        finally:
            if stop.is_set():
                futures.wait(done, LEAVE_WITHIN_S if stop.at_once else GRACE_S + POLL_S)
    for each in done:
        if each.done():
            each.result()


def _work(
    feed: Feed,
    begin: Callable[[Item], Steps[Outcome]],
    sink: Sink,
    performer: Performer,
    transport: SyncTransport,
) -> None:
    try:
        for item in feed:
            try:
                outcome = drive(begin(item), performer, transport)
            finally:
                feed.done(item)
            sink.put(outcome)
            del outcome  # its answers may be large, and the next item takes its time
    except Interrupted:
        return
    except BaseException as error:
        performer.stop.set(error)
        raise


@contextlib.contextmanager
def _grace(stop: Stop, transport: SyncTransport) -> Iterator[None]:
    """While this lasts, a stop shuts the sockets of what is still in flight after `GRACE_S`; at once if it says so."""
    timer = threading.Timer(GRACE_S, transport.abort)
    timer.daemon = True
    stop.on_set(lambda: transport.abort() if stop.at_once else timer.start())
    try:
        yield
    finally:
        timer.cancel()
