"""One quota for the whole process, however many engines, clients and runs there are, one after the other or at once.

An API counts by who asks: by its address and the key. So there is one gate for each of these in the process
(`ProcessGates`), and an engine asks through an `EngineGate`, which finds the right one for a service. What was sent, a
pause that the API asked for and a host that is silent are known to all.

Of two services with the same address and key, whatever their names, the windows of both hold for both while both are in
use (while runs of their engines are under way). A run that begins while no other uses the gate brings its own windows, and
gives hosts that were given up another chance.

The registry knows digests and no keys. A gate that is passed to an engine explicitly stays that engine's alone.
"""

from __future__ import annotations

import hashlib
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from . import forking
from .core.gate import Again, Gate, Go, Hold, Sent, Ticket, quota_of
from .core.limits import ENDLESS, Limit, SlidingLog
from .model import Service, Window

GATES_KEPT = 1_000
"""So many gates are kept before those that no longer matter are looked for: a program may ask with a key for each user."""

KEPT_S = 3_600.0
"""What a window counted is kept for so long at most, seconds, while shorter ones are in force: longer, and requests that
no window holds back would fill the memory.
"""

DEFAULT_PORTS = {"http": 80, "https": 443}


class Accounts:
    """Tells by what an API counts. Holds digests of the keys, never a key."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._digests = {name: _digest(key) for name, key in keys.items() if key}

    def of(self, service: Service) -> str:
        """A digest of the service's address and key."""
        return _digest(f"{_origin(service.base_url)} {self._digests.get(service.name, '')}")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"enricher quota").hexdigest()


def _origin(address: str) -> str:
    """An address in one spelling.

    >>> _origin("HTTPS://API.example:443/3/"), _origin("http://api.example:8080")
    ('https://api.example/3', 'http://api.example:8080')
    """
    try:
        parts = urlsplit(address)
        port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:  # a transport refuses it later, in its own words
        return address
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"


class SharedGate(Gate):
    """The gate of one API, under whatever names and values of services it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.engines: weakref.WeakSet[EngineGate] = weakref.WeakSet()
        self._users: dict[
            tuple[int, str], Service
        ] = {}  # an engine's id and a service's name, while a run is under way
        self._agreed: Service | None = None

    def _lane(self, service: Service) -> Any:
        for lane in self._lanes.values():
            self._lanes[service.name] = lane
            return lane
        return super()._lane(service)

    def _adopt(self, lane: Any, service: Service) -> None:
        """What holds is agreed on by `enter`, not by who asked last."""
        lane.asked_for = service

    def _change(self, lane: Any, service: Service) -> None:
        """Where a longer window gives way to shorter ones, what it counted is kept: it may come back with the next run."""
        old = max((limit for limit in lane.limits if isinstance(limit, SlidingLog)), key=_horizon_s, default=None)
        super()._change(lane, service)
        if old is not None and old.horizon_s > max(map(_horizon_s, lane.limits), default=0.0):
            history = SlidingLog(Window(ENDLESS, min(old.horizon_s, KEPT_S)), self._guard_s)
            history.follow(old)
            lane.limits.append(history)

    def enter(self, engine: EngineGate, service: Service) -> None:
        """A run of this engine uses the service from now on."""
        with self._lock:
            is_first = not self._users
            self._users[id(engine), service.name] = service
            agreed = _merged(service, self._users.values())
            lane = self._lane(service)
            if self._agreed is not None and quota_of(agreed) != quota_of(self._agreed):
                self._change(lane, agreed)
            self._agreed = agreed
        if is_first:
            self.revive()

    def exit(self, engine: EngineGate) -> None:
        """No run of this engine is under way."""
        with self._lock:
            for user in [user for user in self._users if user[0] == id(engine)]:
                del self._users[user]

    def after_fork(self) -> None:
        super().after_fork()
        self._users.clear()

    def matters(self, now: float) -> bool:
        """Whether anything depends on what it knows."""
        if self.engines or self.holds(now):
            return True
        return any(
            at + sent.horizon_s > now for sent in self.sent() for at in (*sent.requests, *(at for at, _ in sent.tokens))
        )


def _horizon_s(limit: Limit) -> float:
    return limit.horizon_s


def _merged(service: Service, others: Iterable[Service]) -> Service:
    """The service with the quotas of all: every window holds."""
    services = [service, *others]
    bursts = [each.burst for each in services if each.burst is not None]
    return replace(
        service,
        windows=_each_once(window for each in services for window in each.windows),
        token_windows=_each_once(window for each in services for window in each.token_windows),
        burst=min(bursts, default=None),
        limiter="fixed" if all(each.limiter == "fixed" for each in services) else "sliding",
        hints=next((each.hints for each in services if each.hints is not None), None),
    )


def _each_once(windows: Iterable[Window]) -> tuple[Window, ...]:
    return tuple(sorted(set(windows), key=lambda window: (window.period_s, window.limit)))


class ProcessGates:
    """The gates of a process, by account. Usable from any thread."""

    def __init__(self) -> None:
        self._gates: dict[str, SharedGate] = {}
        self._most = GATES_KEPT
        self._lock = threading.Lock()
        forking.register(self)

    def of(self, account: str, engine: EngineGate) -> SharedGate:
        """The gate for an account; from now on this engine uses it."""
        with self._lock:
            gate = self._gates.get(account)
            if gate is None:
                if len(self._gates) >= self._most:
                    self._forget(time.monotonic())
                gate = self._gates[account] = SharedGate()
            gate.engines.add(engine)
            return gate

    def _forget(self, now: float) -> None:
        """Forget what no longer matters. Looked for again when there are twice as many: so it costs little a gate."""
        self._gates = {account: gate for account, gate in self._gates.items() if gate.matters(now)}
        self._most = max(GATES_KEPT, 2 * len(self._gates))

    def clear(self) -> None:
        """Forget everything: what is sent from now on is the first."""
        with self._lock:
            self._gates.clear()

    def after_fork(self) -> None:
        """What was sent before the fork counts in the child; from then on each process counts its own."""
        self._lock = threading.Lock()
        for gate in self._gates.values():
            gate.after_fork()


PROCESS = ProcessGates()
"""This process's."""


class EngineGate:
    """What one engine's workers ask: it hands each ticket to the gate of its service."""

    def __init__(self, accounts: Accounts, gates: ProcessGates = PROCESS) -> None:
        self._accounts = accounts
        self.registry = gates
        self._gates: dict[str, tuple[Service, SharedGate]] = {}  # by the service's name
        self._lock = threading.Lock()

    def _of(self, service: Service) -> SharedGate:
        known = self._gates.get(service.name)
        if known is not None and known[0] is service:
            return known[1]
        with self._lock:
            gate = self.registry.of(self._accounts.of(service), self)
            gate.enter(self, service)
            self._gates[service.name] = service, gate
            return gate

    def ask(self, ticket: Ticket, now: float) -> Go | Again:
        """As `Gate.ask`."""
        return self._of(ticket.service).ask(ticket, now)

    def depart(self, ticket: Ticket, now: float) -> Go | Again:
        """As `Gate.depart`."""
        return self._of(ticket.service).depart(ticket, now)

    def put_back(self, ticket: Ticket) -> None:
        """As `Gate.put_back`."""
        self._of(ticket.service).put_back(ticket)

    def leave(self, ticket: Ticket) -> None:
        """As `Gate.leave`."""
        self._of(ticket.service).leave(ticket)

    def report(self, ticket: Ticket, *what: Any, **more: Any) -> None:
        """As `Gate.report`."""
        self._of(ticket.service).report(ticket, *what, **more)

    def revive(self) -> None:
        """A run begins, and no other of this engine is under way."""
        for service, gate in list(self._gates.values()):
            gate.enter(self, service)

    def rest(self) -> None:
        """No run of this engine is under way any more."""
        for _, gate in list(self._gates.values()):
            gate.exit(self)

    def holds(self, now: float) -> list[Hold]:
        """As `Gate.holds`, of the services that this engine uses."""
        return list(dict.fromkeys(hold for gate in self._each() for hold in gate.holds(now)))

    def sent(self) -> list[Sent]:
        """As `Gate.sent`, of the services that this engine uses."""
        counted = [(service, gate.sent()) for service, gate in list(self._gates.values())]
        return [replace(sent[0], service=service) for service, sent in counted if sent]

    def restore(self, service: Service, requests: Iterable[float], tokens: Iterable[tuple[float, int]]) -> None:
        """As `Gate.restore`."""
        self._of(service).restore(service, requests, tokens)

    def _each(self) -> list[SharedGate]:
        return list(dict.fromkeys(gate for _, gate in list(self._gates.values())))

    def after_fork(self) -> None:
        """The gates themselves are the registry's."""
        self._lock = threading.Lock()
