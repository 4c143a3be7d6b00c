"""Every error that this package raises on purpose.

    EnricherError
    ├── InputError          a list can't be read: says the file, the line if there is one, and what to do
    ├── SettingError        a flag, a variable or a configuration line is wrong: names it, its value and what is allowed
    ├── MissingExtra        a pipeline's libraries are not installed: says how to install them
    ├── StoreError          the database can't be used: newer than this program, not a database, locked, read-only
    │   └── JobBusy         another process runs this job just now
    ├── TransportError      one attempt got no whole answer; `cause` is one of CAUSES (translated in transports/ only)
    ├── ExchangeError       one request stays without an answer
    │   ├── GaveUp          every permitted attempt failed; asking later may help, so the next run asks again
    │   └── Refused         the service's answer is final for this request; asking again will not help
    ├── ProcessingError     the library's word for an article that can't be processed; `reason` says why
    ├── Deferred            a request is to be handed in with others: its item waits for their answers
    ├── BudgetSpent         the next call could cost more than the budget has left: the job ends, its items pending
    ├── Undecided           whether a batch was taken by its provider can't be told: a person decides
    ├── KeyRefused          the service does not accept the key: the whole job stops
    ├── ServiceDown         the service has not answered for so long that the job ends, its items pending
    └── Interrupted         the job was told to stop while this was waiting

No message holds a key, and none holds the text of another library's exception: the same failure reads the same in
every mode.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

Cause = Literal[
    "connection lost",
    "timeout",
    "too large",
    "not allowed",
    "certificate not trusted",
    "certificate expired, by this machine's clock",
    "certificate not valid yet, by this machine's clock",
    "the proxy does not answer",
    "the proxy refuses the connection",
    "SOCKS proxies are not supported",
    "too many open files",
    "the API key can't be sent",
    "the answer is not HTTP",
    "the answer can't be read: it changes the protocol",
    "the answer can't be read: it is of another version of HTTP",
    "the answer can't be read: more headers than are taken",
    "the answer can't be read: a header is too long",
    "the answer can't be read: its length is unclear",
    "the answer can't be read: an encoding that was not asked for",
    "the answer can't be read: its packed body is broken",
    "the answer can't be read: a chunk is broken",
    "the answer can't be read: it is cut off",
]
CAUSES: tuple[str, ...] = get_args(Cause)

_SILENCES = frozenset(
    {
        *("connection lost", "timeout", "the answer is not HTTP"),
        *("the proxy does not answer", "the proxy refuses the connection"),
    }
)
"""Causes that may be the host's: of the others it has answered, or the trouble is this machine's."""

Reached = Literal["unsent", "sent", "answered"]
"""How far an attempt got before it failed: nothing was sent; all or part of it may have been sent and no status line came
back; a status line came back. A timeout before any status line counts as "sent": aiohttp does not say how far it got.
"""


class EnricherError(Exception):
    """The root: catch this to catch everything that this package raises on purpose."""


class InputError(EnricherError):
    """A list that can't be read. `str(error)` is one line: file, line number where there is one, reason, remedy."""


class SettingError(EnricherError):
    """A setting that can't be used. `str(error)` names the setting, the value given and what is allowed."""


class MissingExtra(EnricherError):
    """What is asked for needs libraries that are not installed. `str(error)` says how to install them."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"{extra} need libraries that are not installed: pip install 'enricher[{extra}]'")
        self.extra = extra


class StoreError(EnricherError):
    """The database can't be used. `str(error)` names the file and says what to do."""


class JobBusy(StoreError):
    """Another process runs this job: raised when its file lock is taken."""


class TransportError(EnricherError):
    """One attempt brought no whole answer: raised by a transport, judged by the exchange.

    `cause` is coarse on purpose, so that requests and aiohttp tell the same story of the same failure.
    `sent_at` and `failed_at` are seconds on the performer's monotonic clock. `reached` says how far the attempt got: it
    decides whether the host counts as alive, and whether a POST may be sent again. `reused`: it left over a connection
    that was kept from an earlier request.
    """

    def __init__(
        self,
        cause: Cause,
        *,
        sent_at: float = 0.0,
        failed_at: float = 0.0,
        reached: Reached = "sent",
        reused: bool = False,
    ) -> None:
        super().__init__(cause)
        self.cause: Cause = cause
        self.reached: Reached = reached
        self.reused = reused
        self.sent_at = sent_at
        self.failed_at = failed_at

    @property
    def host_is_silent(self) -> bool:
        """Whether this speaks against the host: nothing of it answered. A kept connection that is lost says nothing, because
        a server may close it at any time (RFC 9112, 9.5).
        """
        if self.reached == "answered" or (self.reused and self.cause == "connection lost"):
            return False
        return self.cause in _SILENCES


class ExchangeError(EnricherError):
    """A request that stays without an answer; fails its item and nothing else. `attempts` counts the item's own."""

    def __init__(self, reason: str, attempts: int) -> None:
        plural = "" if attempts == 1 else "s"
        super().__init__(f"{reason} ({attempts} attempt{plural})")
        self.reason = reason
        self.attempts = attempts

    def __reduce__(self) -> tuple[type[ExchangeError], tuple[Any, ...]]:
        return (type(self), (self.reason, self.attempts))


class GaveUp(ExchangeError):
    """Every permitted attempt failed, or the item's deadline passed. The next run asks again.

    `refused_by` names the service that said "not now" to the last attempt; "" where something else failed.
    """

    def __init__(self, reason: str, attempts: int, refused_by: str = "") -> None:
        super().__init__(reason, attempts)
        self.refused_by = refused_by

    def __reduce__(self) -> tuple[type[GaveUp], tuple[Any, ...]]:
        return (type(self), (self.reason, self.attempts, self.refused_by))


class Refused(ExchangeError):
    """The service's answer is final for this request: asking again will not help."""


class ProcessingError(EnricherError):
    """An article that a program asked for can't be processed; `reason` says why, in our own words."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}" if url else reason)
        self.url = url
        self.reason = reason

    def __reduce__(self) -> tuple[type[ProcessingError], tuple[str, str]]:
        return (type(self), (self.url, self.reason))


class Deferred(EnricherError):
    """A request that goes into a batch (`Request.later`) and is not known yet; `request` is what to hand in."""

    def __init__(self, request: Any) -> None:
        super().__init__("handed in later")
        self.request = request


class BudgetSpent(EnricherError):
    """The next call could cost more than the budget has left, and nothing is under way that may cost less than feared."""

    def __init__(self, budget: str, spent: str) -> None:
        super().__init__(f"the budget of {budget} is spent as far as it goes ({spent}); a larger --budget goes on")


class Undecided(EnricherError):
    """Whether a batch was taken by its provider can't be told. `str(error)` says what a person can do."""


class KeyRefused(EnricherError):
    """The service does not accept the key, or it can't be sent. Stops the job at once: no other request could do better."""

    def __init__(self, service: str, reason: str, *, sent: bool = True) -> None:
        what = f"{service} refused the API key" if sent else f"the API key for {service} can't be sent"
        super().__init__(f"{what}: {reason}")
        self.service = service
        self.reason = reason


class ServiceDown(EnricherError):
    """The service answers nothing, or asks for a pause longer than we are willing to wait; items stay pending."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service
        self.reason = reason


class Interrupted(EnricherError):
    """The job was told to stop while something waited. Nothing is lost: what is not done stays pending."""
