"""A database across a fork: its connections are closed before it, and opened again after it, on both sides.

SQLite keeps what it knows of a file's locks in the memory of the process. A child that inherits an open connection takes
the parent's locks for its own, even where it opens the file anew: then the parent may remove the write-ahead log under it,
and what the child commits is lost (https://www.sqlite.org/howtocorrupt.html, 2.6). So no connection may be open while the
process is forked.

One that can't be closed within `CLOSE_WITHIN_S` (a list is being loaded, say) stays open in the parent; in the child, the
database is refused.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

CLOSE_WITHIN_S = 1.0
"""How long a fork waits for a transaction or a read under way, seconds. A commit takes milliseconds."""


class Database(Protocol):
    """What is to be told of a fork."""

    def before_fork(self) -> None:
        """Close all connections, and let nobody open one."""
        ...

    def after_fork(self, *, in_child: bool) -> None:
        """From now on connections may be opened."""
        ...


_known: weakref.WeakSet[Database] = weakref.WeakSet()
_told: list[Database] = []
"""Those that were told before the fork are told after it, whatever comes and goes in between."""


_inherited: list[object] = []
"""Connections of the parent that could not be closed: to finalize one closes it, which the child must not do."""


def keep_inherited(connection: object) -> None:
    """Keep a connection of the parent from being finalized."""
    _inherited.append(connection)


def register(database: Database) -> None:
    """Tell this database of each fork, for as long as somebody uses it."""
    _known.add(database)


_forking = threading.Lock()
"""Held from before a fork until after it: two threads that fork at once would mix up whom they told."""


def _before() -> None:
    _forking.acquire()
    _told[:] = list(_known)
    for database in _told:
        database.before_fork()


def _after(*, in_child: bool) -> None:
    try:
        while _told:
            _told.pop().after_fork(in_child=in_child)
    finally:
        _forking.release()  # in the child as well: the thread that forked took it


if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(in_child=False),
        after_in_child=lambda: _after(in_child=True),
    )
