"""What a simulated API counts, and the strict quota that it holds its clients to. Pure: time is an argument.

A `Tally` belongs to the time between two resets. A request keeps the tally it arrived in, so that an answer that
leaves after a reset is counted where its arrival was, and `arrivals` always equals `answered` + `cut` + `abandoned` +
`in_flight`.

All moments are seconds on the server's monotonic clock. On Linux that clock is one for all processes of a machine, so
a client can lay its own stamps beside these.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

from .behaviour import FaultKind, Quota

# 16 MB of doubles. Later arrivals are counted but their moments are not kept, and `arrivals_kept` says so.
MOST_MOMENTS = 2_000_000


@dataclass(slots=True)
class Visits:
    """How often one request arrived, and how often it got as far as being answered.

    The fault of an attempt goes by `attempts`: arrivals that were turned away by the key, the quota or an outage depend
    on the client's timing, and must not shift which attempts fail.
    """

    arrivals: int = 0
    attempts: int = 0


@dataclass(slots=True)
class Tally:
    """Counts since `started`. `arrivals` are requests to the API; the control routes are never counted."""

    started: float
    cpu_started_s: float = 0.0
    moments: array[float] = field(default_factory=lambda: array("d"))
    arrivals: int = 0
    answered: int = 0
    cut: int = 0
    abandoned: int = 0
    rejected: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    connections: int = 0
    last_arrival: float | None = None
    last_answer: float | None = None
    latency_sum_s: float = 0.0
    late_sum_s: float = 0.0
    spun_s: float = 0.0
    by_status: Counter[int] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    visits: dict[str, Visits] = field(default_factory=dict)
    _open: WeakSet[Any] = field(default_factory=WeakSet)

    def arrive(self, now: float, request: str, kind: str, connection: object | None) -> Visits:
        """A request (an `identity`) arrived over a connection (held weakly; None: it is gone already)."""
        self.arrivals += 1
        self.last_arrival = now
        if len(self.moments) < MOST_MOMENTS:
            self.moments.append(now)
        self.by_kind[kind] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if connection is not None and connection not in self._open:
            self._open.add(connection)
            self.connections += 1
        visits = self.visits.get(request)
        if visits is None:
            visits = self.visits[request] = Visits()
        visits.arrivals += 1
        return visits

    def inject(self, fault: FaultKind | str) -> None:
        """A fault was injected; an outage counts as one."""
        self.faults[fault] += 1

    def answer(self, now: float, status: int) -> None:
        """An answer is handed to the connection, whole or damaged."""
        self.answered += 1
        self.last_answer = now
        self.by_status[status] += 1

    def report(
        self, now: float, cpu_s: float, quotas: Iterable[Quota], *, detail: bool = False, moments: bool = False
    ) -> dict[str, Any]:
        """The counts as JSON. `detail` adds the arrivals of each request, `moments` the moment of each arrival."""
        report: dict[str, Any] = {
            "started": self.started,
            "now": now,
            "cpu_s": cpu_s - self.cpu_started_s,
            "arrivals": self.arrivals,
            "arrivals_kept": len(self.moments),
            "answered": self.answered,
            "cut": self.cut,
            "abandoned": self.abandoned,
            "rejected": self.rejected,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "by_kind": dict(sorted(self.by_kind.items())),
            "faults": dict(sorted(self.faults.items())),
            "connections_opened": self.connections,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "first_arrival": self.moments[0] if self.moments else None,
            "last_arrival": self.last_arrival,
            "last_answer": self.last_answer,
            "latency_sum_s": self.latency_sum_s,
            "late_sum_s": self.late_sum_s,
            "spun_s": self.spun_s,
            "quotas": [
                {
                    "quota": str(quota),
                    "limit": quota.limit,
                    "period_s": quota.period_s,
                    "fullest": fullest_window(self.moments, quota.period_s),
                    "used": used_share(self.moments, quota),
                }
                for quota in quotas
            ],
            "identities": len(self.visits),
            "attempts_max": max((visits.arrivals for visits in self.visits.values()), default=0),
        }
        if detail:
            report["requests_by_identity"] = {request: visits.arrivals for request, visits in self.visits.items()}
        if moments:
            report["moments"] = self.moments.tolist()
        return report


def fullest_window(moments: Sequence[float], period_s: float) -> int:
    """The most moments (in rising order) that any window of `period_s` holds, its later edge excluded.

    >>> fullest_window([0.0, 0.5, 1.0, 1.2], 1.0)
    3
    """
    first, fullest = 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= period_s:
            first += 1
        fullest = max(fullest, last - first + 1)
    return fullest


class QuotaKeeper:
    """Judges arrivals by strict sliding windows: fewer than `limit` were admitted in the `period_s` before, or no.

    A rejected arrival uses up nothing. The arrival that is `limit` admissions back decides, so a window costs a deque
    of at most `limit` moments.
    """

    def __init__(self, quotas: Iterable[Quota]) -> None:
        self._windows = [(quota.period_s, deque[float](maxlen=quota.limit)) for quota in quotas]

    def admit(self, now: float) -> bool:
        """Whether an arrival at `now` is within every quota; it then counts towards each."""
        for period_s, admitted in self._windows:
            if len(admitted) == admitted.maxlen and now - admitted[0] < period_s:
                return False
        for _, admitted in self._windows:
            admitted.append(now)
        return True


def used_share(moments: Sequence[float], quota: Quota) -> float | None:
    """How much of a quota a run used, 1 being all: (n - W) / W * T / (last - first arrival); None below one window.

    The first window may be filled at once, so it proves nothing and is left out.
    """
    if len(moments) <= quota.limit or moments[-1] <= moments[0]:
        return None
    return (len(moments) - quota.limit) / quota.limit * quota.period_s / (moments[-1] - moments[0])
