"""What has been learnt: a tier in memory over a tier in the store, and one asker for many who want the same.

`recall` answers `Known`, `Lead` (nobody knows: you find out, and settle) or `Pending` (somebody is finding out: wait for
it, then recall again). Leads are shared by threads and asyncio tasks alike, so what waits is a concurrent Future. A lead
carries what was known before, where it is too old but the service can say whether it is still good.

The upper tier is bounded in bytes: key, body, headers and the Python objects around them are counted, and the least
recently used goes first. Ages are Unix time, because the lower tier outlives the process. The lower tier is only read
here: what is learnt travels to it inside the outcomes, and the one writer puts it there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from cachetools import LRUCache

from .core.effects import Known, Lead
from .core.freshness import conditional, is_fresh
from .locks import ShortLock
from .model import Lifetime, Remembered

DEFAULT_BYTES = 16 * 1000 * 1000
"""The upper tier's default size: some 400 details of films of 35 KB each, bytes."""

ENTRY_BYTES = 520
"""The most that an entry weighs beside its key and body (objects, slots in the tables of the cache), bytes: some 280 to 370
while the memory fills, up to 517 when it turns over, because the tables then have holes. Measured with tracemalloc over
1,000 to 22,000 entries (tests/test_memory.py holds the real weight to the counted one)."""

LEAD = Lead()


@dataclass(slots=True)
class Pending:
    """Somebody is finding out: `settled` ends with what was found; with None, recall again."""

    settled: Future[Remembered | None]


class Memory:
    """Both tiers. Usable from any thread.

    `lower(key)` reads the lower tier: an answer and the Unix time at which it was learnt, or None.
    `not_before`: answers learnt before this Unix time are not good enough any more (`--refresh` sets it to now).
    """

    def __init__(
        self,
        wall: Callable[[], float],
        *,
        max_bytes: int = DEFAULT_BYTES,
        lower: Callable[[str], tuple[Remembered, float] | None] | None = None,
        not_before: float = 0.0,
    ) -> None:
        self._wall = wall
        self._lower = lower
        self._not_before = not_before
        self._max_bytes = max_bytes
        self._upper: LRUCache[str, tuple[Remembered, float, int]] = LRUCache(
            max_bytes, getsizeof=lambda entry: entry[2]
        )
        self._leads: dict[str, Future[Remembered | None] | None] = {}
        self._lock = ShortLock()

    def recall(self, key: str, lifetime: Lifetime) -> Known | Lead | Pending:
        """What is known of the key, fresh by `lifetime`; else who finds out."""
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            above = self._upper.get(key)
            if above is not None:
                age_s = self._wall() - above[1]
                if above[1] >= self._not_before and is_fresh(above[0], age_s, lifetime):
                    return Known(above[0], age_s)
            if key in self._leads:
                settled = self._leads[key]
                if settled is None:
                    settled = self._leads[key] = Future()
                    settled.set_running_or_notify_cancel()  # many wait for it: one who leaves can't cancel it for all
                return Pending(settled)
            self._leads[key] = None
        finally:
            lock.release()
        below = None
        if self._lower is not None:
            try:
                below = self._lower(key)
            except BaseException:
                self.settle(key, None)
                raise
        if below is not None:
            remembered, learnt_at = below
            age_s = self._wall() - learnt_at
            if learnt_at >= self._not_before and is_fresh(remembered, age_s, lifetime):
                self._put(key, remembered, learnt_at)
                return Known(remembered, age_s)
        if above is None and below is None:
            return LEAD
        return _lead_with(above, below)

    def learn(self, key: str, remembered: Remembered) -> None:
        """What has come to be known without being asked for here."""
        self._put(key, remembered, self._wall())

    def settle(self, key: str, remembered: Remembered | None) -> None:
        """The leader's word. None: it found nothing, and the first of those who waited leads next."""
        self._put(key, remembered, self._wall())

    def _put(self, key: str, remembered: Remembered | None, learnt_at: float) -> None:
        lock = self._lock
        if not lock.take(False):
            lock.acquire()
        try:
            if remembered is not None:
                weight = sys.getsizeof(key) + sys.getsizeof(remembered.body) + ENTRY_BYTES
                if remembered.headers:
                    weight += _weight_of(remembered.headers)
                if weight <= self._max_bytes:
                    self._upper[key] = (remembered, learnt_at, weight)
            settled = self._leads.pop(key, None)
        finally:
            lock.release()
        if settled is not None:
            settled.set_result(remembered)

    def after_fork(self) -> None:
        """Called in the child: who was finding something out does so in the parent only."""
        was_free = self._lock.take(False)
        self._lock = ShortLock()
        self._leads = {}
        if not was_free:  # another thread was changing the upper tier: it may be half done
            self._upper = LRUCache(self._max_bytes, getsizeof=self._upper.getsizeof)

    @property
    def weight_bytes(self) -> int:
        """What the upper tier weighs now, bytes."""
        with self._lock:
            return int(self._upper.currsize)


def _lead_with(*known: tuple[Remembered, float] | tuple[Remembered, float, int] | None) -> Lead:
    """A lead with the younger of what the tiers have, if the service can be asked about it."""
    stale, _, *_ = max((entry for entry in known if entry is not None), key=lambda entry: entry[1])
    return Lead(stale) if conditional(stale) else LEAD


def _weight_of(headers: Mapping[str, str]) -> int:
    """Bytes."""
    return sys.getsizeof(headers) + sum(sys.getsizeof(name) + sys.getsizeof(value) for name, value in headers.items())
