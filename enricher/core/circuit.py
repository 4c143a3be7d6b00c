"""Is this host alive? A run of failures opens its circuit; then one request at a time probes until one gets through.

    closed ──FAILURES failures in a row──▶ open ──its time is over──▶ probing ──answered──▶ closed
                                            ▲                            │
                                            └──── failed, twice as long ─┘

Two kinds of failure count: no connection at all (`failures` of them), and requests that were sent and got no status line
(`silences` different ones, however often each was tried, since a single page may do that). A
host that answers anything, an error or half a body, is alive.

A host that stays silent longer than it is worth waiting for is given up: `given_up(now)` turns true, and the gate ends
the job with its items pending. A host that never answered is given up sooner: then the address is wrong or the network
is away, and a person who watches wants to know.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """When a circuit opens and how long it waits, seconds. Ten failures in a row are no accident: at 20 % faults, 1e-7.

    `silences` None: as many as `failures`.
    """

    failures: int = 10
    silences: int | None = None
    first_open_s: float = 1.0
    longest_open_s: float = 30.0
    outage_s: float = 120.0
    silence_s: float = 20.0


PLAIN_SILENCE = ("connection lost", "timeout")
"""Reasons that say no more than that nothing came."""


class Circuit:
    """One host's circuit. Told what happened and when; asked whether a request may go."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failed_in_a_row = 0
        self._silent: set[object] = set()  # the requests that got no status line since the last answer
        self._opened = 0
        self._open_until = 0.0
        self._failing_since = 0.0
        self._answered_once = False
        self._probing = False
        self.reason = ""
        """Why the last attempt failed, if that says more than that nothing came."""

    @property
    def is_open(self) -> bool:
        """Whether requests are held back just now."""
        return self._opened > 0

    def ready_in(self, now: float) -> float:
        """Seconds until a request may go; 0 when it may. While a probe is out, as long as the probe may want."""
        if not self._opened:
            return 0.0
        if self._probing:
            return self._patience.first_open_s
        return max(0.0, self._open_until - now)

    def begin_probe(self) -> bool:
        """A request goes: is it a probe?"""
        self._probing = self._opened > 0
        return self._probing

    def end_probe(self) -> None:
        """The probe came to nothing (its flow ended early): another may go."""
        self._probing = False

    def succeeded(self) -> None:
        """The host answered."""
        if self._failed_in_a_row or self._silent or self._opened or not self._answered_once:
            self._failed_in_a_row = self._opened = 0
            self._silent.clear()
            self._answered_once = True
            self._probing = False

    def failed(self, now: float, *, probe: bool, silent: object = None, reason: str = "") -> None:
        """The host did not answer. `silent` is the request that it took without a word; None: there was no connection."""
        self.reason = "" if reason in PLAIN_SILENCE else reason
        if self._opened and not probe:
            return  # sent before the circuit opened: no news
        if not self._failed_in_a_row and not self._silent:
            self._failing_since = now
        if silent is None:
            self._failed_in_a_row += 1
        elif not self._opened:
            self._silent.add(silent)
        self._probing = False
        patience = self._patience
        silences = patience.failures if patience.silences is None else patience.silences
        if self._opened or self._failed_in_a_row >= patience.failures or len(self._silent) >= silences:
            longest = self._patience.longest_open_s
            self._open_until = now + min(longest, self._patience.first_open_s * 2.0**self._opened)
            self._opened += 1

    def silent_s(self, now: float) -> float:
        """How long the host has not answered, seconds; 0 while its circuit is closed."""
        return now - self._failing_since if self._opened else 0.0

    def given_up(self, now: float) -> bool:
        """Whether it has been silent for longer than we wait, judged when a probe has failed."""
        allowed = self._patience.outage_s if self._answered_once else self._patience.silence_s
        return self._opened > 1 and not self._probing and self.silent_s(now) >= allowed
