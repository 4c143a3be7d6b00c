"""What one attempt came to: pure judging, apart from the loop that asks again (exchange.py).

A status line, whatever follows it, says that the host is alive: an error, half a body or a broken one is that page's own
trouble. A request that may have been carried out is not sent again, unless its service says that it may be (`resendable`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from ..errors import TransportError
from ..http import spent_quota
from ..model import (
    NOTHING,
    Accept,
    Answer,
    Charge,
    Hints,
    Learnt,
    Remembered,
    Request,
    Response,
    Retry,
    Service,
    Usage,
    Verdict,
)
from .bodies import NOT_JSON, in_utf_8, parse_json
from .effects import Bill
from .freshness import key_of
from .gate import Health
from .retry import judge, judge_error

AFTER_THE_WORK = frozenset({408, 502, 504})
"""Statuses that a proxy may return after the service has done, and billed, the work."""

NOT_MODIFIED = 304
"""What was remembered is still good (RFC 9110, 15.4.5)."""

LOST_ON_THE_WAY = frozenset({"connection lost", "timeout", "the answer can't be read: it is cut off"})
"""Causes that, after a status line, say nothing but that the rest did not come: the host is alive."""

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that have the same effect however often they are sent (RFC 9110, 9.2.2)."""


class Attempted:
    """One attempt that is over: what it says of the answer, of the host and of the quota. Times are monotonic seconds."""

    __slots__ = (
        "answer",
        "data",
        "done_at",
        "first_byte_at",
        "health",
        "hints",
        "response",
        "sent_at",
        "usage",
        "verdict",
    )

    def __init__(self, verdict: Verdict, health: Health, sent_at: float, done_at: float) -> None:
        self.verdict = verdict
        self.health = health
        self.sent_at = sent_at
        self.done_at = done_at
        self.data: Any = None
        self.response: Response | None = None
        self.answer: Answer | None = None
        self.usage: Usage | None = None
        self.hints: Hints | None = None
        self.first_byte_at: float | None = None

    @property
    def after_s(self) -> float | None:
        """What the answer asks us to wait, seconds; None: nothing."""
        return self.verdict.after_s if isinstance(self.verdict, Retry) else None

    @property
    def tokens(self) -> int | None:
        """The tokens that it took; None where that is not known. What is turned away takes none."""
        if self.answer is None and self.response is not None and not 200 <= self.response.status < 300:
            return 0
        return None if self.usage is None else self.usage.tokens_in + self.usage.tokens_out


def of_response(request: Request, response: Response, stale: Remembered | None) -> Attempted:
    """What an answer came to. `stale`: what is remembered, and was asked about."""
    service = request.service
    if request.expects == "json":
        response = in_utf_8(response)
    unchanged = stale is not None and response.status == NOT_MODIFIED
    verdict: Verdict
    if stale is not None and unchanged:
        verdict, data = Accept(stale.missing), None
    else:
        verdict, data = judge(request, response)
    this = Attempted(verdict, Health.ALIVE, response.sent_at, response.done_at)
    this.response, this.data, this.first_byte_at = response, data, response.first_byte_at
    this.usage = None if service.usage is None else service.usage(response)
    this.hints = spent_quota(response) if service.hints is None else service.hints(response)
    if isinstance(verdict, Accept):
        kept = _kept(service, response)
        if stale is not None and unchanged:
            known = remembered_answer(request, stale)
            this.answer = replace(known, headers={**known.headers, **kept})
        else:
            this.answer = Answer(response.status, data, response.body, verdict.missing, kept)
    elif isinstance(verdict, Retry) and verdict.pause:
        this.health = Health.NO_NEWS
    return this


def of_error(error: TransportError) -> Attempted:
    """What a failed attempt came to."""
    verdict = judge_error(error)
    if error.reached == "answered" and error.cause in LOST_ON_THE_WAY:
        health = Health.ALIVE
    elif not error.host_is_silent:
        health = Health.NO_NEWS
    elif error.reached == "unsent":
        health = Health.FAILING
    else:
        health = Health.SILENT
    return Attempted(verdict, health, error.sent_at, error.failed_at)


def remembered_answer(request: Request, remembered: Remembered) -> Answer:
    """A memory as the answer that it was."""
    data = parse_json(remembered.body) if request.expects == "json" else None
    data = None if data is NOT_JSON else data
    return Answer(remembered.status, data, remembered.body, remembered.missing, remembered.headers)


def _kept(service: Service, response: Response) -> Mapping[str, str]:
    """The headers that travel with the answer."""
    if not service.keep_headers:
        return NOTHING
    return {name: response.headers[name] for name in service.keep_headers if name in response.headers}


# ── may it be sent again? ───────────────────────────────────────────────────────────────────────────────────────────


def resendable(request: Request) -> bool:
    """Whether a request may be sent again though it may have been carried out."""
    if request.method.upper() in IDEMPOTENT or request.service.idempotency_header is not None:
        return True
    if request.idempotent is not None:
        return request.idempotent
    return request.service.idempotent or any(name.lower().endswith("idempotency-key") for name in request.headers)


def with_idempotency_key(request: Request, chance: float) -> Request:
    """The request with a key of its own, the same for all its attempts, in the header that its service names."""
    name = request.service.idempotency_header
    if name is None or request.method.upper() in IDEMPOTENT:
        return request
    key = blake2b(f"{chance!r} {key_of(request)}".encode(), digest_size=16).hexdigest()
    return replace(request, headers={name: key, **request.headers})


def may_be_done(request: Request, this: Attempted, error: TransportError | None) -> bool:
    """Whether the service may have carried the request out, though there is no answer that can be used."""
    if error is not None:
        return error.reached != "unsent"
    response = this.response
    if response is None:
        return False
    unreadable = 200 <= response.status < 300 and request.expects == "json" and this.data is None
    return unreadable or response.status in AFTER_THE_WORK


# ── what it cost ────────────────────────────────────────────────────────────────────────────────────────────────────


def bill(entry: int, request: Request, charge: Charge, this: Attempted) -> Bill:
    """What an attempt came to. An answer that tells no usage is paid for at its worst; a lost one may have cost that."""
    response, usage, answer = this.response, this.usage, this.answer
    if response is None or response.status in AFTER_THE_WORK:
        return Bill(entry, "unknown")
    if not 200 <= response.status < 300:
        return Bill(entry, "free")
    if usage is None and answer is None:
        return Bill(entry, "unknown")
    usage = charge.most if usage is None else usage
    learnt = None
    if answer is not None and request.kind in request.service.lifetimes:
        remembered = Remembered(answer.status, answer.body, answer.missing, answer.headers)
        learnt = Learnt(key_of(request), request.kind, remembered)
    return Bill(entry, "settled", usage, charge.price.of(usage), learnt)
