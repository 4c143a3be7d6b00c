"""The many hosts of a service that is the open web (`Service.per_host`): each has a room of its own in the gate.

A ticket for such a service stands in its host's line first, and in the service's queue only while its host has room for
it. So who waits for a slow host stands in nobody's way. Within a line it goes by who asked first.

Trouble with one host is that host's alone. A pause holds its requests only. A host of which nothing answers is given up
after `HOST_PATIENCE.failures` failed connections in a row, or `silences` requests that were sent and got no status line: for
`first_open_s` its requests are turned away at once, then one goes to find out whether it is back, while the others wait for
what it brings; each time that it is not, twice as long. A service that the job can't do without is waited for; of fifty
sites one is always down, and who waited two minutes for it would hold workers that the other forty-nine could use. A page's
three attempts and two of the next come to five failed connections, so a dead host costs the time of two items.

What is known of a host is forgotten when it no longer matters (`Hosts.forget`), so that a thousand sites cost nothing.
"""

from __future__ import annotations

from .circuit import Circuit, Patience
from .pausing import Pausing

HOST_PATIENCE = Patience(failures=5, silences=10, first_open_s=30.0, longest_open_s=300.0, outage_s=60.0)
"""When one of many hosts is given up. `outage_s` bounds how long it may say "not now" and nothing else: whoever asks it
waits so long, and in sequential mode everybody. Five pages that are refused for ever take 42 s of it, one after the other.
"""

REPORT_S = 0.01
"""How long one sleeps who waits for somebody's report, seconds: nobody can say when that comes.

Who has others before him sleeps this long for each of them, so that a long line does not ask all the time.
"""

HOSTS_KEPT = 1000
"""So many hosts and circuits are remembered before those that no longer matter are looked for."""


class Host:
    """What the gate knows of one host (of one group of them, as `PerHost.group` has it)."""

    __slots__ = (
        "in_flight",
        "left_at",
        "line",
        "name",
        "pausing",
        "probed",
        "spacing_s",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.line: list[int] = []  # numbers of the tickets that wait, ascending
        self.in_flight = 0
        self.left_at = float("-inf")  # when the last request left
        self.spacing_s = 0.0
        self.pausing = Pausing()
        self.probed: set[str] = set()  # those of its hosts that a probe is on its way to

    def wait_s(self, ahead: int, concurrency: int, now: float) -> float:
        """Seconds until one more may leave when `ahead` others of its line go first; 0 or less when it may now."""
        wait_s = self.pausing.until - now
        if self.spacing_s:
            wait_s = max(wait_s, max(0.0, self.left_at + self.spacing_s - now) + ahead * self.spacing_s)
        reports = self.in_flight + ahead + 1 - concurrency
        return max(wait_s, reports * REPORT_S) if reports > 0 else wait_s

    def forget_waiting(self) -> None:
        """Nobody waits for it any more, and nothing is in flight."""
        self.line.clear()
        self.in_flight = 0
        self.probed.clear()
        self.pausing.forget_waiting()

    def matters(self, now: float) -> bool:
        """Whether anything depends on what is known of it."""
        return bool(self.line or self.in_flight) or now < max(self.pausing.until, self.left_at + self.spacing_s)


class Hosts:
    """The hosts of one service, and the circuits of those that failed."""

    def __init__(self, circuits: dict[str, Circuit]) -> None:
        self._hosts: dict[str, Host] = {}
        self._circuits = circuits
        self._most = HOSTS_KEPT

    def of(self, group: str, now: float) -> Host:
        """What is known of this host; from now on something is."""
        if len(self._hosts) + len(self._circuits) >= self._most:
            self.forget(now)
        host = self._hosts.get(group)
        if host is None:
            host = self._hosts[group] = Host(group)
        return host

    def forget(self, now: float) -> None:
        """Forget all that no longer matters. Looked for again when there are twice as many: so it costs little a host."""
        for group in [group for group, host in self._hosts.items() if not host.matters(now)]:
            del self._hosts[group]
        for name in [name for name, circuit in self._circuits.items() if not circuit.ready_in(now)]:
            del self._circuits[name]
        self._most = max(HOSTS_KEPT, 2 * (len(self._hosts) + len(self._circuits)))

    def all(self) -> list[Host]:
        """All hosts of which something is known."""
        return list(self._hosts.values())
