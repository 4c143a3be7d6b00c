"""One request, asked until it is answered or given up; and one item, asked through its recipe.

Rule 1: nothing here waits; waiting is yielded.
Rule 2: every attempt takes a permit and reports back, because a retry costs the API as much as a first try.
Rule 3: what was asked for together is asked for once: the first asker leads, and settles with the others whatever happens.
Rule 4: an item's trouble is its own. Only a refused key, a silent service, a full disk and a stop end more than one item.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from types import GeneratorType
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from ..errors import (
    BudgetSpent,
    Deferred,
    ExchangeError,
    GaveUp,
    Interrupted,
    KeyRefused,
    Refused,
    ServiceDown,
    TransportError,
)
from ..model import (
    Accept,
    Answer,
    Candidate,
    Compute,
    Conclusion,
    Effort,
    Failed,
    Found,
    Item,
    Learnt,
    NotFound,
    Outcome,
    Recipe,
    Refuse,
    RefuseKey,
    Remembered,
    Request,
    Response,
    Retry,
    Status,
    Unsure,
)
from ..sendable import Unsendable, sendable
from .attempted import (
    Attempted,
    bill,
    may_be_done,
    of_error,
    of_response,
    remembered_answer,
    resendable,
    with_idempotency_key,
)
from .effects import Book, Known, Lead, Permit, Recall, Report, Send, Settle, Steps, Wait
from .freshness import conditional, key_of
from .gate import Ticket
from .pausing import Standing
from .retry import Backoff

T = TypeVar("T")

MOST_GROWTH = 4
"""A pause without a Retry-After grows three times at most: by 2, from 0.5 s to 4 s. A service that is well again is found
out within so long, and one that is not is asked no more than once in so long.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the exchange goes by. `chance` gives numbers in [0, 1): random in life, seeded in tests."""

    chance: Callable[[], float]
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(slots=True)
class Journey:
    """What one item has cost and learnt so far."""

    requests: int = 0
    hits: int = 0
    retries: int = 0
    wait_s: float = 0.0
    service_s: float = 0.0
    spent_s: float = 0.0
    tries: list[str] = field(default_factory=list)
    learnt: list[Learnt] = field(default_factory=list)

    def effort(self) -> Effort:
        return Effort(self.requests, self.hits, self.retries, self.wait_s, self.service_s)


def exchange(request: Request, rules: Rules, journey: Journey) -> Steps[Answer]:
    """Get one request answered: from memory where it is known and fresh, else from the service.

    :raises GaveUp: if every permitted attempt failed, or the item's deadline passed.
    :raises Refused: if the service's answer is final, or the request can't be sent.
    :raises KeyRefused: if the service does not accept the key.
    :raises Deferred: if it goes into a batch, and is not known yet.
    """
    try:
        request = sendable(request)
    except Unsendable as error:
        raise Refused(str(error), 0) from None
    lifetime = request.service.lifetimes.get(request.kind)
    if lifetime is None:
        if request.later:
            raise Deferred(request)
        return (yield from _ask(request, rules, journey))
    key = key_of(request)
    known: Known | Lead = yield Recall(key, lifetime)
    if isinstance(known, Known):
        journey.hits += 1
        return remembered_answer(request, known.remembered)
    if request.later:
        yield Settle(key, None)
        raise Deferred(request)
    try:
        answer = yield from _ask(request, rules, journey, known.stale)
    except Exception:
        yield Settle(key, None)
        raise
    remembered = Remembered(answer.status, answer.body, answer.missing, answer.headers)
    journey.learnt.append(Learnt(key, request.kind, remembered))
    yield Settle(key, remembered)
    return answer


class _Asking:
    """How one request has fared so far: its attempts, and when the next one may be made."""

    __slots__ = ("_backoff", "_most", "_most_refused", "attempts", "limited", "request", "standing")

    def __init__(self, request: Request, backoff: Backoff) -> None:
        self.request = request
        self._backoff = backoff
        self._most = request.attempts or request.service.attempts or backoff.attempts
        self._most_refused = max(self._most, backoff.refusals or 0)
        self.attempts = 0
        self.limited = 0  # failures for a reason that allows fewer attempts than others (`Retry.attempts`)
        self.standing: Standing | None = None  # once it failed

    def failed(self, this: Attempted, ticket: Ticket) -> None:
        """An attempt failed. (To be called before its report, which ends the probe.)"""
        if self.standing is None:
            self.standing = ticket.standing = Standing()
        if _refused(this):
            self.attempts += 1
            self.standing.refusals += 1
        elif not ticket.probe:  # whether a silent host is back is everybody's business as well
            self.attempts += 1

    def pause_s(self, this: Attempted, ticket: Ticket, chance: Callable[[], float]) -> float:
        """How long everyone is to wait because of a failed attempt, seconds.

        Such a pause grows while the service does nothing but refuse; the request's last attempt makes it no longer.
        """
        if self.standing is None or not _refused(this):
            return 0.0
        if self.attempts >= self._most_refused:
            pauses = 1
        elif ticket.turn is None or ticket.turn.alone:
            pauses = self.standing.refusals
        else:
            pauses = ticket.turn.streak + 1
        return self._backoff.pause_s(min(pauses, MOST_GROWTH), this.after_s, chance)

    def delay_s(self, verdict: Retry, chance: Callable[[], float]) -> float:
        """How long this request alone waits before its next attempt, seconds.

        :raises GaveUp: if there is none.
        """
        refusals = 0 if self.standing is None else self.standing.refusals
        if verdict.pause:
            if self.attempts >= self._most_refused:
                service = self.request.service
                # One of many hosts that refuses everybody ends no run, so its items fail at once.
                raise GaveUp(verdict.reason, self.attempts, service.name if service.per_host is None else "")
            return 0.0
        own = self.attempts - (refusals if self._backoff.refusals else 0)
        self.limited += verdict.attempts is not None
        if own >= self._most or (verdict.attempts is not None and self.limited >= verdict.attempts):
            raise GaveUp(verdict.reason, self.attempts)
        return self._backoff.delay_s(max(self.attempts, 1), verdict.after_s, chance)


def _refused(this: Attempted) -> bool:
    return isinstance(this.verdict, Retry) and this.verdict.pause


def _ask(request: Request, rules: Rules, journey: Journey, stale: Remembered | None = None) -> Steps[Answer]:
    """`stale`: an answer that the service may say is still good."""
    service, charge = request.service, request.charge
    host = urlsplit(service.base_url or request.path).netloc
    asked = request if service.idempotency_header is None else with_idempotency_key(request, rules.chance())
    if stale is not None:
        asked = replace(asked, headers={**asked.headers, **conditional(stale)})
    answer_tokens = 0 if charge is None else charge.most.tokens_out
    asking = _Asking(request, rules.backoff)
    lost: TransportError | None = None
    while True:
        try:
            ticket: Ticket = yield Permit(
                service,
                host,
                request.tokens,
                request.spacing_s,
                answer_tokens,
                asking.standing,
                request.replaceable,
            )
        except ServiceDown as down:
            _turned_away(request, down, asking.attempts)
            raise
        if ticket.granted_at is not None and ticket.asked_at is not None:
            journey.wait_s += ticket.granted_at - ticket.asked_at
        entry: int | None = None
        if charge is not None:
            entry = yield Book(charge, key_of(request))
        journey.requests += 1
        send, lost = Send(asked, fresh=lost is not None and lost.reused), None
        try:
            response: Response = yield send
        except TransportError as error:
            lost, this = error, of_error(error)
        else:
            this = of_response(request, response, stale)
        took_s = this.done_at - this.sent_at
        journey.service_s += took_s
        journey.spent_s += took_s
        if entry is not None and charge is not None:
            yield bill(entry, request, charge, this)
        if this.answer is not None:
            yield _report(ticket, this, 0.0)
            return this.answer
        asking.failed(this, ticket)
        yield _report(ticket, this, asking.pause_s(this, ticket, rules.chance))
        delay_s = _next_in_s(asking, this, lost, rules, journey)
        if delay_s is not None:
            yield Wait(delay_s)


def _turned_away(request: Request, down: ServiceDown, attempts: int) -> None:
    """:raises GaveUp: if that the service, or this host of it, is down costs this request only."""
    per_host = request.service.per_host
    if per_host is None and not request.replaceable:
        return
    # What is said of one of many hosts tells no time; what is said of a service does, and runs would differ.
    said, _, _time = down.reason.partition(", ")
    silent = "it does not answer any more" if said.startswith("no answer") else f"{said}, and nothing else"
    reason = silent if per_host is None else down.reason
    raise GaveUp(reason, max(attempts, 1)) from None


def _report(ticket: Ticket, this: Attempted, pause_s: float) -> Report:
    reason = "" if isinstance(this.verdict, Accept) else this.verdict.reason
    tokens_in = None if this.usage is None or not this.tokens else this.usage.tokens_in
    return Report(
        ticket,
        this.sent_at,
        this.done_at,
        this.health,
        pause_s,
        reason,
        this.tokens,
        this.hints,
        this.first_byte_at,
        tokens_in,
    )


def _next_in_s(
    asking: _Asking, this: Attempted, lost: TransportError | None, rules: Rules, journey: Journey
) -> float | None:
    """Seconds to wait before the next attempt; None: the gate says when, as to everybody.

    :raises KeyRefused, Refused, GaveUp: if there is no next attempt.
    """
    request, verdict, deadline_s = asking.request, this.verdict, rules.backoff.deadline_s
    assert not isinstance(verdict, Accept)  # noqa: S101  # what is accepted was answered
    journey.tries.append(f"{request.kind}: {verdict.reason}")
    attempts = max(asking.attempts, 1)
    if isinstance(verdict, RefuseKey):
        raise KeyRefused(request.service.name, verdict.reason, sent=lost is None)
    if isinstance(verdict, Refuse):
        raise Refused(verdict.reason, attempts)
    if not verdict.pause and may_be_done(request, this, lost) and not resendable(request):
        raise GaveUp(
            f"{verdict.reason}; the {request.method} may have been carried out, so it was not sent again", attempts
        )
    delay_s = asking.delay_s(verdict, rules.chance)
    if not verdict.pause and journey.spent_s + delay_s > deadline_s:
        raise GaveUp(f"{verdict.reason}; deadline of {deadline_s:g} s passed", attempts)
    journey.retries += 1
    if verdict.pause:
        return None
    journey.spent_s += delay_s
    journey.wait_s += delay_s
    return delay_s


def _stranger(asked: object) -> NoReturn:
    raise TypeError(f"a recipe yields Request or Compute, not {type(asked).__name__}")


def follow(item: Item, recipe: Recipe, rules: Rules, journey: Journey) -> Steps[Conclusion]:
    """One item through its recipe: what the recipe concludes. Raises what the exchange and the recipe raise."""
    flow = recipe(item)
    if not isinstance(flow, GeneratorType | Generator):  # the type first: an abstract class is slow to ask
        raise TypeError(f"a recipe is a generator function, and this one returned {type(flow).__name__}")
    return (yield from pursue(flow, rules, journey))


def pursue(flow: Generator[Request | Compute, Any, T], rules: Rules, journey: Journey) -> Steps[T]:
    """A flow that asks, to its end: what it returns. Raises what the exchange and the flow raise."""
    try:
        asked = next(flow)
        while True:
            reply: object
            try:
                if isinstance(asked, Request):
                    reply = yield from exchange(asked, rules, journey)
                elif isinstance(asked, Compute):
                    reply = yield asked
                else:
                    _stranger(asked)
            except Exception as error:
                if not isinstance(error, ExchangeError) and not isinstance(asked, Compute):
                    raise
                asked = flow.throw(error)  # a recipe may know better: to do without, or to ask elsewhere
            else:
                asked = flow.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        with contextlib.suppress(Exception):  # an error of its clean-up must not hide what ended it
            flow.close()


def enrich_item(item: Item, recipe: Recipe, rules: Rules) -> Steps[Outcome]:
    """One item through its recipe: its outcome, whatever became of it.

    :raises KeyRefused, ServiceDown, BudgetSpent, Interrupted: these end the job, not the item; it stays pending.
    """
    journey = Journey()
    try:
        conclusion = yield from follow(item, recipe, rules, journey)
    except ExchangeError as error:
        refused_by = error.refused_by if isinstance(error, GaveUp) else ""
        return _outcome(item, "failed", journey, error=str(error), refused_by=refused_by)
    except Deferred as deferred:
        return replace(_outcome(item, "deferred", journey), handed=deferred.request)
    except (KeyRefused, ServiceDown, BudgetSpent, Interrupted):
        raise
    except Exception as error:  # noqa: BLE001  # a recipe is a stranger's code: its error is its item's, never the job's
        return _outcome(item, "failed", journey, error=f"the recipe raised {type(error).__name__}: {error}")
    return _concluded(item, conclusion, journey)


def _concluded(item: Item, conclusion: Conclusion, journey: Journey) -> Outcome:
    match conclusion:
        case Found():
            return _outcome(item, "enriched", journey, conclusion.record, conclusion.score)
        case None:
            return _outcome(item, "not_found", journey)
        case NotFound():
            return _outcome(
                item, "not_found", journey, error=conclusion.reason or None, candidates=conclusion.candidates
            )
        case Failed():
            return _outcome(item, "failed", journey, error=conclusion.reason)
        case Unsure():
            return _outcome(
                item, "unsure", journey, None, conclusion.score, conclusion.reason or None, conclusion.candidates
            )
        case dict() | Mapping():  # dict first: to ask an abstract class costs more than all the rest
            return _outcome(item, "enriched", journey, conclusion)
    kind = type(conclusion).__name__
    return _outcome(
        item, "failed", journey, error=f"the recipe returned {kind}, not a mapping, Found, NotFound or Unsure"
    )


def _outcome(
    item: Item,
    status: Status,
    journey: Journey,
    record: Mapping[str, Any] | None = None,
    score: float | None = None,
    error: str | None = None,
    candidates: tuple[Candidate, ...] = (),
    refused_by: str = "",
) -> Outcome:
    return Outcome(
        item,
        status,
        record,
        score,
        error,
        journey.requests,
        tuple(journey.tries),
        candidates,
        tuple(journey.learnt),
        journey.effort(),
        refused_by=refused_by,
    )
