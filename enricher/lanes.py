"""In which order items are handed to workers, so that one slow host never holds all of them.

A list often has many items of one host in a row. Handed out as they come, they would soon fill every worker with waiting
for that host, while items of others stand behind them. So items are read ahead a little and sorted into lanes (`lane_of`
names an item's: mainly its host). A lane may have `ABREAST` items under way; beyond that its next item waits as long as
there is one of a less busy lane within reach.

Nobody is made to wait here: who asks gets an item as long as there is one. Within a lane items keep their order. At most
`look_ahead` items are read ahead, and only when nothing at hand has room in its lane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from .locks import ShortLock
from .model import Item

ABREAST = 2
"""So many items of one lane go side by side before others are looked for: what one site may be asked at a time."""

LOOK_AHEAD = 200
"""Items read ahead at most: what a few feeds list of one site, one after the other; a few hundred bytes each."""


class Lanes(Iterator[Item]):
    """Items in an order that keeps their lanes apart. Usable from any thread; each item goes to one who asks.

    Who was handed an item says `done` once it is over. `workers` is how many ask at most: no lane is taken to have room for
    more than half of them. Reading `items` may take time, and what it raises goes through.
    """

    def __init__(
        self, items: Iterator[Item], lane_of: Callable[[Item], str], workers: int, look_ahead: int = LOOK_AHEAD
    ) -> None:
        self._items = items
        self._lane_of = lane_of
        self._abreast = max(1, min(ABREAST, workers // 2))
        self._look_ahead = look_ahead
        self._waiting: dict[str, deque[tuple[int, Item]]] = {}  # lane → its items with their numbers; no lane is empty
        self._under_way: dict[str, int] = {}
        self._read = 0
        self._held = 0
        self._lock = ShortLock()

    def __next__(self) -> Item:
        with self._lock:
            lane = self._best()
            while self._crowd(lane) and self._held < max(1, self._look_ahead):
                fresh = self._read_one()
                if fresh is None:
                    break
                if lane is None or self._crowd(fresh) < self._crowd(lane):
                    lane = fresh
            if lane is None:
                raise StopIteration
            return self._hand_out(lane)

    def done(self, item: Item) -> None:
        """An item that was handed out is over."""
        lane = self._lane_of(item)
        with self._lock:
            left = self._under_way[lane] - 1
            if left:
                self._under_way[lane] = left
            else:
                del self._under_way[lane]

    def _crowd(self, lane: str | None) -> int:
        """How many are too many in this lane, were one more to enter it; as if one, where there is no lane."""
        return 1 if lane is None else max(0, self._under_way.get(lane, 0) + 1 - self._abreast)

    def _best(self) -> str | None:
        """The least crowded lane of those that wait; of several, that of the oldest item."""
        return min(self._waiting, key=lambda lane: (self._crowd(lane), self._waiting[lane][0][0]), default=None)

    def _read_one(self) -> str | None:
        """Read one item into its lane: which that is; None at the end."""
        item = next(self._items, None)
        if item is None:
            return None
        lane = self._lane_of(item)
        self._waiting.setdefault(lane, deque()).append((self._read, item))
        self._read += 1
        self._held += 1
        return lane

    def _hand_out(self, lane: str) -> Item:
        waiting = self._waiting[lane]
        _, item = waiting.popleft()
        if not waiting:
            del self._waiting[lane]
        self._held -= 1
        self._under_way[lane] = self._under_way.get(lane, 0) + 1
        return item
