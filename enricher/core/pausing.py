"""A pause that holds everyone at one place (a service, or one of many hosts), and how it ends.

A refusal ("not now": 429, 503 with Retry-After) pauses the place. When the pause is over, ONE request goes first. While
requests come through, one more may be in flight for each that did, until `FULL_ROOM` are; then the place is open again. A
refusal begins a new pause. So a pause never ends in a stampede.

A refused request keeps its place in the queue, and the first to go is the one that stands there first. But one that was
refused as the first goes first again only after all others that were refused so less often: a request which is refused for
ever holds nobody up, and under a quota that is smaller than we know nobody is refused again and again by bad luck.

Pauses without a Retry-After grow with the refusals in a row (`streak`). An answer of any other kind ends the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FULL_ROOM = 16
"""With so many requests in flight after a pause, and all of them answered, the pause is over for good."""

TURN_S = 0.01
"""How soon a waiting request looks again whether the one in flight came through, seconds; times its place in the queue."""


@dataclass(slots=True, eq=False)
class Standing:
    """A request that failed before, over its attempts: its place in the queue, how often it was refused, and how often as
    the first that went after a pause.
    """

    refusals: int = 0
    number: int = 0
    as_first: int = 0


@dataclass(slots=True)
class Turn:
    """An attempt that went while its place recovers from a pause. `streak`: the pauses in a row when it went, in which
    nothing came through. `first`: no other had gone since the last pause. `alone`: nobody else waited then.
    """

    streak: int
    first: bool
    alone: bool


_UNREFUSED = Standing()


class Pausing:
    """The pause of one place. Times are the performer's monotonic seconds."""

    __slots__ = (
        "_began",
        "_in_flight",
        "_refused",
        "_room",
        "held_since",
        "held_too_long",
        "reason",
        "streak",
        "until",
    )

    def __init__(self) -> None:
        self.until = float("-inf")
        self.reason = ""
        self.held_since: float | None = None  # when it began to refuse, and has done nothing else since
        self.held_too_long = False
        self.streak = 0  # pauses in a row in which nothing came through
        self._began = float("-inf")  # when the last refusal came: those that left before are part of the same burst
        self._room = 0  # requests that may be in flight while it recovers; 0: it does not
        self._in_flight = 0  # trials only
        self._refused: dict[int, Standing] = {}  # by number in the queue, of those that wait

    @property
    def recovers(self) -> bool:
        """Whether a pause has come, and not enough requests came through since."""
        return self._room > 0

    def pause(self, until: float, reason: str) -> bool:
        """Let nobody leave before `until`. A pause is never shortened; whether this one is longer."""
        if until <= self.until:
            return False
        self.until, self.reason = until, reason
        return True

    def refused(
        self,
        turn: Turn | None,
        standing: Standing | None,
        granted_at: float | None,
        done_at: float,
        pause_s: float,
        reason: str,
        outage_s: float,
    ) -> None:
        """A request was refused: everyone waits until `pause_s` after `done_at`."""
        if turn is not None and turn.first and standing is not None:
            standing.as_first += 1
        if granted_at is None or granted_at >= self._began:
            self.streak += 1
        self._began = done_at
        self._room = 1
        self.pause(done_at + pause_s, reason)
        if self.held_since is None:
            self.held_since = done_at
        self.held_too_long = done_at - self.held_since > outage_s

    def came_through(self, turn: Turn | None) -> None:
        """A request got an answer that is no refusal."""
        self.held_since = None
        self.held_too_long = False
        self.streak = 0
        if turn is not None and self._room:
            self._room = 0 if self._room >= FULL_ROOM else self._room + 1

    def forget(self) -> None:
        """A new job begins: the refusals of the one before don't count against it."""
        self.held_since = None
        self.held_too_long = False
        self.streak = 0

    def forget_waiting(self) -> None:
        """Nobody waits any more, and nothing is in flight."""
        self._in_flight = 0
        self._refused.clear()

    # ── while it recovers ───────────────────────────────────────────────────────────────────────────────────────────

    def waits(self, number: int, standing: Standing | None) -> None:
        """A request waits under this number."""
        if standing is not None and standing.refusals:
            self._refused[number] = standing

    def waits_no_more(self, number: int) -> None:
        """It has left the queue."""
        self._refused.pop(number, None)

    def ahead(self, number: int, standing: Standing | None, line: Sequence[int]) -> int:
        """How many of those that wait go before a request while the place recovers. `number` 0: it comes last.

        Every other limit must go by this order, too: else the first waits for those that wait for it.
        """
        mine = self._rank(number or line[-1] + 1 if line else number, standing or _UNREFUSED)
        return sum(self._rank(other, self._refused.get(other, _UNREFUSED)) < mine for other in line)

    def turn_s(self, ahead: int) -> float:
        """Seconds until a request may look again whether it is its turn, when `ahead` others go first; 0 if it is now."""
        return 0.0 if ahead < self._room - self._in_flight else TURN_S * (ahead + 1)

    def _rank(self, number: int, standing: Standing) -> tuple[int, int]:
        return (standing.as_first if self._room == 1 else 0), number

    def goes(self, line: Sequence[int]) -> Turn:
        """A request leaves while the place recovers; `line` are the others that wait."""
        self._in_flight += 1
        return Turn(self.streak, first=self._room == 1, alone=not line)

    def landed(self) -> None:
        """A request that left while it recovered is not in flight any more."""
        self._in_flight -= 1
