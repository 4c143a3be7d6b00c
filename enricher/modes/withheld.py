"""Outcomes of items that were refused (429) at all their attempts, kept back until it is known whose trouble it is.

If the service answers others, it was the item's own: the outcome goes on. If the service refuses everybody, the run ends
(`ServiceDown`), and such an item stays pending like all that were not done: its outcome is dropped. An item that sent
nothing (its answers were remembered, or it needed none) says nothing of the service.
"""

from __future__ import annotations

import threading

from ..errors import ServiceDown
from ..model import Outcome
from .performer import Sink

_ANSWERED = frozenset({"enriched", "not_found", "unsure"})


class Withheld:
    """A sink before the sink of a run. Used by all workers at once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept: list[Outcome] = []
        self._others = False  # whether an item that asked was handed on: not everybody is refused
        self._lock = threading.Lock()

    def offer(self, outcome: Outcome) -> bool:
        """Hand an outcome on if that is possible at once; whether it was."""
        if outcome.refused_by:
            self._keep(outcome)
            return True
        if self._kept and _answered(outcome):
            return False  # what was kept may not fit: `put` waits
        self._note(outcome)
        return self._sink.offer(outcome)

    def put(self, outcome: Outcome) -> None:
        """Hand an outcome on, and what was kept as soon as an item was answered."""
        if outcome.refused_by:
            self._keep(outcome)
            return
        self._note(outcome)
        if self._kept and _answered(outcome):
            self._release()
        self._sink.put(outcome)

    def finish(self) -> None:
        """Hand on what was kept, because all items are done.

        :raises ServiceDown: if all that asked were refused. What was kept is dropped then.
        """
        if self._kept and not self._others:
            refused = self._kept[0]
            raise ServiceDown(refused.refused_by, f"it refused every item: {refused.error}")
        self._release()

    def _release(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, []
        for outcome in kept:
            self._sink.put(outcome)

    def _keep(self, outcome: Outcome) -> None:
        with self._lock:
            self._kept.append(outcome)

    def _note(self, outcome: Outcome) -> None:
        self._others = self._others or outcome.effort.requests > 0


def _answered(outcome: Outcome) -> bool:
    return outcome.status in _ANSWERED and outcome.effort.requests > 0
