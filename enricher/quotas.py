"""What a gate has sent, kept in the store while a job runs: the next process goes on within the same windows.

At the beginning, what other processes wrote is counted by the gate. From then on a thread looks every `TICK_S` and writes
if anything was sent since, and once more at the end. Nothing is written where a request passes. After kill -9, what was
sent in the last `TICK_S` is not known.

Times are counted together to a hundredth of the longest window, later rather than sooner. They are written as wall-clock
times, because monotonic ones mean nothing in another process. A time in the future (the clock was set back) counts as now:
that costs one window at most. If the clock was set forward, what was sent seems older than it is.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from .core.gate import Gate, Sent
from .errors import StoreError
from .gates import Accounts, EngineGate, ProcessGates
from .model import Service
from .store import SentLog, SentRow
from .threads import leave

TICK_S = 0.02
"""How often the thread looks, seconds: a look costs some 10 µs, a write some 150 µs."""

STEPS, LONGEST_STEP_S = 100, 1.0
"""Times are kept to this part of the longest window, and to this at least, seconds."""

LOOKING_SHARE = 50
"""The thread sleeps so many times as long as a look takes: one of a huge window copies all of its times."""

_writers: weakref.WeakKeyDictionary[Gate | ProcessGates, str] = weakref.WeakKeyDictionary()
"""By what name each gate writes; all that are shared have one. What was written under it, the gate knows already."""


class QuotaKeeper:
    """Keeps what a gate sends, from entering to leaving. `clock` is the performer's, monotonic seconds."""

    def __init__(
        self,
        log: SentLog,
        gate: Gate | EngineGate,
        accounts: Accounts,
        services: Sequence[Service],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._gate = gate
        self._accounts = accounts
        self._services = {accounts.of(service): service for service in services}
        self._clock = clock
        self._newest: dict[str, tuple[int, float]] = {}  # by service: how many count, and when the last one was sent
        self._over = threading.Event()
        self._writing = threading.Lock()  # the last word is the one at the end, even if the thread is late
        self._thread = threading.Thread(target=self._watch, name="enricher-quota", daemon=True)

    def __enter__(self) -> Self:
        self._writer = _writer_of(self._gate)
        rows = [row for row in self._log.read() if row.account in self._services and row.writer != self._writer]
        now, wall = self._clock(), self._log.clock()
        for row in rows:
            self._gate.restore(
                self._services[row.account],
                [at for at, count in _at(row.requests, now - wall, now) for _ in range(count)],
                _at(row.tokens, now - wall, now),
            )
        if rows:
            self._write(rows)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        leave(self._thread)
        with contextlib.suppress(StoreError):  # the job's own commits have told it
            self._write(is_last=True)

    def _watch(self) -> None:
        pause_s = TICK_S
        while not self._over.wait(pause_s):
            began = time.monotonic()
            with contextlib.suppress(StoreError):  # another process holds the database: the next look writes
                self._write()
            pause_s = max(TICK_S, LOOKING_SHARE * (time.monotonic() - began))

    def _write(self, taken_over: Sequence[SentRow] = (), *, is_last: bool = False) -> None:
        with self._writing:
            sent = self._gate.sent()
            if self._is_news(sent) or taken_over or is_last:
                offset_s, now = self._log.clock() - self._clock(), self._clock()
                self._log.write([self._row(each, offset_s, now - each.horizon_s) for each in sent], taken_over)

    def _is_news(self, sent: Sequence[Sent]) -> bool:
        """Whether anything was sent since the last time. That a request has arrived sooner than feared is no news."""
        before, self._newest = self._newest, {each.service.name: _newest(each) for each in sent}
        nothing = (0, 0.0)
        return any(
            count > before.get(name, nothing)[0] or (count and at > before.get(name, nothing)[1])
            for name, (count, at) in self._newest.items()
        )

    def _row(self, sent: Sent, offset_s: float, after: float) -> SentRow:
        step_s = _step_s(sent.horizon_s)
        requests = [(at, 1) for at in sent.requests if at > after]
        tokens = [(at, count) for at, count in sent.tokens if at > after]
        return SentRow(
            self._accounts.of(sent.service),
            self._writer,
            sent.service.name,
            sent.horizon_s,
            _together(requests, step_s, offset_s),
            _together(tokens, step_s, offset_s),
        )


def _writer_of(gate: Gate | EngineGate) -> str:
    """The name that a gate writes under: another one in the child of a fork."""
    owner = gate.registry if isinstance(gate, EngineGate) else gate
    return f"{os.getpid()}-{_writers.setdefault(owner, uuid.uuid4().hex)}"


def _newest(sent: Sent) -> tuple[int, float]:
    count = len(sent.requests) + len(sent.tokens)
    return count, max([*sent.requests[-1:], *(at for at, _ in sent.tokens[-1:])], default=0.0)


def _step_s(horizon_s: float) -> float:
    return min(LONGEST_STEP_S, horizon_s / STEPS)


def _together(counted: Iterable[tuple[float, int]], step_s: float, offset_s: float) -> tuple[tuple[float, int], ...]:
    """Times rounded up to a step, and what was sent by then since the step before; as wall-clock times."""
    sums: Counter[int] = Counter()
    for at, count in counted:
        sums[math.ceil((at + offset_s) / step_s)] += count
    return tuple((round(step * step_s, 3), count) for step, count in sorted(sums.items()))


def _at(counted: Iterable[tuple[float, int]], offset_s: float, now: float) -> list[tuple[float, int]]:
    """Wall-clock times as monotonic ones, none of them in the future."""
    return [(min(at + offset_s, now), count) for at, count in counted]
