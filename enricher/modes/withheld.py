"""Outcomes of items that were refused (429) at all their attempts, kept back until it is known whose trouble it is.

If the service answers others, it was the item's own: the outcome goes on. If the service refuses everybody, the run ends
(`ServiceDown`), and such an item stays pending like all that were not done: its outcome is dropped.
"""

from __future__ import annotations

import threading

from ..model import Outcome
from .performer import Sink

_ANSWERED = frozenset({"enriched", "not_found", "unsure"})


class Withheld:
    """A sink before the sink of a run. Used by all workers at once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept: list[Outcome] = []
        self._lock = threading.Lock()

    def offer(self, outcome: Outcome) -> bool:
        """Hand an outcome on if that is possible at once; whether it was."""
        if outcome.refused_by:
            self._keep(outcome)
            return True
        if self._kept and outcome.status in _ANSWERED:
            return False  # what was kept may not fit: `put` waits
        return self._sink.offer(outcome)

    def put(self, outcome: Outcome) -> None:
        """Hand an outcome on, and what was kept as soon as an item was answered."""
        if outcome.refused_by:
            self._keep(outcome)
            return
        if self._kept and outcome.status in _ANSWERED:
            self.release()
        self._sink.put(outcome)

    def release(self) -> None:
        """Hand on what was kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for outcome in kept:
            self._sink.put(outcome)

    def _keep(self, outcome: Outcome) -> None:
        with self._lock:
            self._kept.append(outcome)
