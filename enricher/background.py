"""A run in a thread of its own, whose outcomes somebody else iterates over.

Whoever iterates may stop at any time: leave the loop, raise, end the script with the generator still referenced, or fork.
The run then ends at once, because nobody wants its outcomes: requests in flight are cut, not waited for. A thread that is
stuck in its source or looks up a name is left behind (threads.py).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

from .errors import Interrupted
from .mailbox import Mailbox
from .model import Outcome
from .modes.performer import Stop
from .threads import LEAVE_WITHIN_S, leave

FORKED = "this run belongs to the process that was forked; start a run of its own in the child"

WITHIN_S = 2 * LEAVE_WITHIN_S
"""How long the thread of a run that was told to stop is waited for, seconds: its workers first, then itself."""


class BackgroundRun:
    """Runs `work`, which fills the mailbox, from `start` to `end`. Iterate over it for the outcomes."""

    def __init__(self, work: Callable[[Mailbox], None], mailbox: Mailbox, stop: Stop) -> None:
        self._mailbox = mailbox
        self._stop = stop
        self._is_over = False
        self._thread = threading.Thread(
            target=mailbox.fill, args=(lambda: work(mailbox),), name="enricher-run", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._mailbox)

    def end(self, error: BaseException | None = None) -> None:
        """Stop, and wait for the thread, for at most `WITHIN_S`. `error` is raised to a consumer that still iterates."""
        if self._is_over or sys.is_finalizing():  # at that point every other thread is gone, its locks perhaps taken
            return
        self._is_over = True
        self._mailbox.leave(error)
        self._stop.set(at_once=True)
        leave(self._thread, WITHIN_S)

    def after_fork(self) -> None:
        """Nothing runs here. A consumer in the child is told so."""
        self._is_over = True
        self._mailbox.after_fork(Interrupted(FORKED))
