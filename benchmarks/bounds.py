"""How fast can it be? Lower bounds from the latencies, the slots and the quota, and what a faultless engine would need.

A record is the sequence of its requests' latencies, in seconds: (0.175, 0.175) is a film of a search and its details.
A record keeps its slot from its first request to its last answer, and its requests follow each other.

No engine can end before `bound`: the largest of several lower bounds, each true by itself.

    work        Σd / C                      C slots are busy at best all the time (d: a record's latencies added up)
    longest     max d                       one record's requests follow each other
    packing     max_k Σ(the k+1 shortest of the kC+1 longest d)
                                            of kC+1 records, one slot has to take k+1; for equal d: ceil(N/C) · d
    quota       max_k (s_k + q_k)           the k-th request leaves at s_k at the earliest, and what is left of its record
                                            still has to come; at best the longest rests (q, falling) leave first
    quota+slots max_k (s_k + Σ(the n-k+1 shortest l) / C)
                                            what leaves from s_k on is at least n-k+1 requests, on C slots

`ideal_s` plays the same work first come, first served, on a machine that costs nothing: the difference from the bound is
the tail of the last records, the difference from what was measured is the engine.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, islice

Record = Sequence[float]


@dataclass(frozen=True, slots=True)
class Strict:
    """At most `limit` admissions in any window of `period_s` seconds."""

    limit: int
    period_s: float

    def earliest_s(self, k: int) -> float:
        """When the k-th request (from 1) may leave at the earliest: floor((k-1) / W) · T."""
        return (k - 1) // self.limit * self.period_s


@dataclass(frozen=True, slots=True)
class Tokens:
    """`burst` at once, then `rate` a second; a burst of 1 is a pace."""

    burst: int
    rate: float

    def earliest_s(self, k: int) -> float:
        """When the k-th request (from 1) may leave at the earliest: max(0, (k-B) / r)."""
        return max(0.0, (k - self.burst) / self.rate)


Quota = Strict | Tokens


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, and with how much: all that a bound depends on."""

    records: Sequence[Record]
    slots: int
    quotas: Sequence[Quota] = field(default=())

    @property
    def requests(self) -> int:
        """How many requests there are in all."""
        return sum(map(len, self.records))


def bounds_s(work: Work) -> dict[str, float]:
    """The lower bounds by name, seconds; 0 where one says nothing."""
    lengths = sorted((sum(record) for record in work.records), reverse=True)
    found = {
        "work": sum(lengths) / work.slots,
        "longest": lengths[0] if lengths else 0.0,
        "packing": _packing_s(lengths, work.slots),
        "quota": 0.0,
        "quota+slots": 0.0,
    }
    if work.quotas and lengths:
        leave_s = [max(quota.earliest_s(k) for quota in work.quotas) for k in range(1, work.requests + 1)]
        rests = sorted((rest for record in work.records for rest in _rests(record)), reverse=True)
        shortest = [0.0, *accumulate(sorted(one for record in work.records for one in record))]
        found["quota"] = max(at + rest for at, rest in zip(leave_s, rests, strict=True))
        found["quota+slots"] = max(at + shortest[-1 - k] / work.slots for k, at in enumerate(leave_s))
    return found


def bound_s(work: Work) -> float:
    """No engine can be faster, seconds."""
    return max(bounds_s(work).values())


def _packing_s(falling: Sequence[float], slots: int) -> float:
    sums = [0.0, *accumulate(falling)]
    best = 0.0
    for k in range(len(falling)):
        among = k * slots + 1
        if among > len(falling):
            break
        best = max(best, sums[among] - sums[among - k - 1])
    return best


def _rests(record: Record) -> list[float]:
    """What is left of a record when each of its requests leaves."""
    return list(accumulate(reversed(record)))


def ideal_s(work: Work) -> float:
    """What a first-come-first-served engine without any cost would need, seconds.

    Slots take records in their order. A request that may not leave yet waits in its slot, and they leave in the order in
    which they became ready.
    """
    meters = [_StrictMeter(quota) if isinstance(quota, Strict) else _TokenMeter(quota) for quota in work.quotas]
    waiting = iter(work.records)
    order = count()
    agenda = [(0.0, next(order), record, 0) for record in islice(waiting, work.slots)]
    end_s = left_at = 0.0
    while agenda:
        ready_at, _, record, done = heapq.heappop(agenda)
        if done == len(record):
            end_s = max(end_s, ready_at)
            following = next(waiting, None)
            if following is not None:
                heapq.heappush(agenda, (ready_at, next(order), following, 0))
            continue
        if meters:
            left_at = max(left_at, ready_at, *(meter.free_at() for meter in meters))
            for meter in meters:
                meter.leave(left_at)
            ready_at = left_at
        heapq.heappush(agenda, (ready_at + record[done], next(order), record, done + 1))
    return end_s


class _StrictMeter:
    def __init__(self, quota: Strict) -> None:
        self._quota = quota
        self._left = deque[float](maxlen=quota.limit)

    def free_at(self) -> float:
        """When one more may leave."""
        return self._left[0] + self._quota.period_s if len(self._left) == self._quota.limit else 0.0

    def leave(self, at: float) -> None:
        """One leaves."""
        self._left.append(at)


class _TokenMeter:
    def __init__(self, quota: Tokens) -> None:
        self._quota = quota
        self._tokens = float(quota.burst)
        self._counted_at = 0.0

    def free_at(self) -> float:
        """When one more may leave."""
        return self._counted_at + max(0.0, 1 - self._tokens) / self._quota.rate

    def leave(self, at: float) -> None:
        """One leaves."""
        saved = self._tokens + (at - self._counted_at) * self._quota.rate
        self._tokens, self._counted_at = min(self._quota.burst, saved) - 1, at
