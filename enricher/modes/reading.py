"""A source that is read in a thread of its own, for the tasks of an event loop.

A source may block: a queue that stays empty, a slow disk, another API. Read in the loop, it would hold up every request
in flight, and nothing could end it. Items are read one by one as they are wanted, so that nothing is read ahead: a slow
consumer still holds the source back. A thread that is stuck in its source is left behind (threads.py says why it may be).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Protocol

from ..model import Item
from .performer import Feed


class Items(Protocol):
    """Where tasks take their items from."""

    async def take(self) -> Item | None:
        """The next item; None at the end. Raises what the source raises."""
        ...


class InLoop:
    """Reads a feed in the loop: for sources that never block."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def take(self) -> Item | None:
        return next(self._feed, None)


class InThread:
    """Reads a feed in a daemon thread, an item for each task that waits for one. Belongs to the loop it is made in."""

    def __init__(self, feed: Iterator[Item]) -> None:
        self._loop = asyncio.get_running_loop()
        self._feed = feed
        self._waiting: deque[asyncio.Future[Item | None]] = deque()
        self._wanted: SimpleQueue[bool] = SimpleQueue()  # True: one more; False: no more
        self._is_over = False
        threading.Thread(target=self._read, name="enricher-source", daemon=True).start()

    async def take(self) -> Item | None:
        if self._is_over:
            return None
        future: asyncio.Future[Item | None] = self._loop.create_future()
        self._waiting.append(future)
        self._wanted.put(True)
        return await future

    def close(self) -> None:
        """Read no more. Every task that waits, or takes later, gets None."""
        self._wanted.put(False)
        self._end()

    def _read(self) -> None:
        while self._wanted.get():
            try:
                item = next(self._feed, None)
            except BaseException as error:  # noqa: BLE001  # it is raised again in the task that waits
                self._tell(self._fail, error)
                return
            if item is None:
                self._tell(self._end)
                return
            self._tell(self._hand_over, item)

    def _tell(self, what: object, *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what, *args)  # type: ignore[arg-type]  # a method of ours

    def _hand_over(self, item: Item) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(item)
                return

    def _fail(self, error: BaseException) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)
                break
        self._end()

    def _end(self) -> None:
        self._is_over = True
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
