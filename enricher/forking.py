"""What must be made anew in the child of a fork.

A fork copies memory but no threads, and it shares every descriptor. So in the child a socket would carry answers to two
processes, a lock may be held by a thread that is not there, and who waits for such a thread waits for ever. Each object
that owns sockets, locks or threads registers here; `after_fork` is called in the child, in the thread that forked, before
anything else runs there. It must not wait, must not take an inherited lock, and must not use an inherited descriptor:
`shutdown` on a socket or a change to an epoll set would reach into the parent.

The store has hooks of its own (store/database.py): SQLite's connections have to be closed before the fork.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol


class Forkable(Protocol):
    """Owns what no two processes may share."""

    def after_fork(self) -> None:
        """Make it anew. Called in the child."""
        ...


_known: weakref.WeakSet[Forkable] = weakref.WeakSet()

_inherited: list[Any] = []
"""Kept for the life of the child: to finalize them would touch what the parent still uses."""


def register(thing: Forkable) -> None:
    """Have `thing.after_fork()` called in the child of each fork, for as long as somebody uses it."""
    _known.add(thing)


def keep_inherited(*things: object) -> None:
    """Keep objects of the parent from being finalized in this process."""
    _inherited.extend(things)


def _after_fork() -> None:
    for thing in list(_known):
        thing.after_fork()


if hasattr(os, "register_at_fork"):  # not on every system
    os.register_at_fork(after_in_child=_after_fork)
