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
    NOTHING,
    Accept,
    Answer,
    Candidate,
    Charge,
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
    Service,
    Status,
    Unsure,
    Usage,
)
from ..sendable import Unsendable, sendable
from .bodies import NOT_JSON, in_utf_8, parse_json
from .effects import Bill, Book, Known, Lead, Permit, Recall, Report, Send, Settle, Steps, Wait
from .freshness import conditional, key_of
from .gate import Health, Ticket
from .retry import Backoff, judge, judge_error

T = TypeVar("T")

AFTER_THE_WORK = frozenset({408, 502, 504})
"""What is said between us and a service: it may have done the work, and want to be paid for it."""

NOT_MODIFIED = 304
"""What was remembered is still good (RFC 9110, 15.4.5)."""


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
        return _answer(request, known.remembered)
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


def _answer(request: Request, remembered: Remembered) -> Answer:
    """A memory as the answer that it was."""
    data = parse_json(remembered.body) if request.expects == "json" else None
    data = None if data is NOT_JSON else data
    return Answer(remembered.status, data, remembered.body, remembered.missing, remembered.headers)


def _ask(request: Request, rules: Rules, journey: Journey, stale: Remembered | None = None) -> Steps[Answer]:
    """`stale`: an answer that the service may say is still good."""
    backoff, service = rules.backoff, request.service
    host = urlsplit(service.base_url or request.path).netloc
    most = service.attempts or backoff.attempts
    asked = request
    if stale is not None:
        asked = replace(request, headers={**request.headers, **conditional(stale)})
    answer_tokens = 0 if request.charge is None else request.charge.most.tokens_out
    attempt = pauses = poor = 0
    while True:
        try:
            ticket: Ticket = yield Permit(service, host, request.tokens, request.spacing_s, answer_tokens)
        except ServiceDown as down:
            if service.per_host is None and not request.replaceable:
                raise
            # What is said of one of many hosts tells no time; what is said of a service does, and runs would differ.
            reason = "it does not answer any more" if service.per_host is None else down.reason
            raise GaveUp(reason, max(attempt, 1)) from None
        if ticket.granted_at is not None and ticket.asked_at is not None:
            journey.wait_s += ticket.granted_at - ticket.asked_at
        entry: int | None = None
        if request.charge is not None:
            entry = yield Book(request.charge, key_of(request))
        journey.requests += 1
        response: Response | None = None
        unchanged: Answer | None = None
        try:
            response = yield Send(asked)
            if request.expects == "json":
                response = in_utf_8(response)
        except TransportError as error:
            verdict, data, sent_at, done_at = judge_error(error), None, error.sent_at, error.failed_at
            health = Health.FAILING if error.host_is_silent else Health.NO_NEWS
        else:
            sent_at, done_at = response.sent_at, response.done_at
            if stale is not None and response.status == NOT_MODIFIED:
                verdict, unchanged = Accept(stale.missing), _answer(request, stale)
                health = Health.ALIVE
            else:
                verdict, data = judge(request, response)
                health = Health.FAILING if response.status >= 500 and isinstance(verdict, Retry) else Health.ALIVE
        journey.service_s += done_at - sent_at
        journey.spent_s += done_at - sent_at
        usage, hints, first_byte_at = None, None, None
        if response is not None:
            usage = None if service.usage is None else service.usage(response)
            hints = None if service.hints is None else service.hints(response)
            first_byte_at = response.first_byte_at
        answer: Answer | None = None
        if isinstance(verdict, Accept) and response is not None:
            kept = _kept(service, response)
            if unchanged is not None:
                answer = replace(unchanged, headers={**unchanged.headers, **kept})
            else:
                answer = Answer(response.status, data, response.body, verdict.missing, kept)
        if entry is not None and request.charge is not None:
            yield _bill(entry, request, request.charge, response, usage, answer)
        tokens = None if usage is None else usage.tokens_in + usage.tokens_out
        if answer is not None:
            tokens_in = None if usage is None else usage.tokens_in
            yield Report(ticket, sent_at, done_at, health, 0.0, "", tokens, hints, first_byte_at, tokens_in)
            return answer
        assert not isinstance(verdict, Accept)  # noqa: S101  # what is accepted was answered
        if response is not None and not 200 <= response.status < 300:
            tokens = 0  # what is turned away takes nothing
        journey.tries.append(f"{request.kind}: {verdict.reason}")
        if isinstance(verdict, Retry) and verdict.pause:
            # "Not now" is said to everybody, so it is no attempt of this item's. The gate ends what goes on for too long.
            pauses += 1
            pause_s = backoff.pause_s(pauses, verdict.after_s, rules.chance)
            yield Report(ticket, sent_at, done_at, Health.NO_NEWS, pause_s, verdict.reason, tokens, hints)
            journey.retries += 1
            continue
        if not ticket.probe:  # to find out whether a silent host is back is everybody's business as well
            attempt += 1
        yield Report(ticket, sent_at, done_at, health, 0.0, verdict.reason, tokens, hints, first_byte_at)
        if isinstance(verdict, RefuseKey):
            raise KeyRefused(service.name, verdict.reason, sent=response is not None)
        if isinstance(verdict, Refuse):
            raise Refused(verdict.reason, max(attempt, 1))
        poor += verdict.attempts is not None
        if attempt >= most or (verdict.attempts is not None and poor >= verdict.attempts):
            raise GaveUp(verdict.reason, attempt)
        delay_s = backoff.delay_s(max(attempt, 1), verdict.after_s, rules.chance)
        if journey.spent_s + delay_s > backoff.deadline_s:
            raise GaveUp(f"{verdict.reason}; deadline of {backoff.deadline_s:g} s passed", max(attempt, 1))
        journey.spent_s += delay_s
        journey.wait_s += delay_s
        yield Wait(delay_s)
        journey.retries += 1


def _kept(service: Service, response: Response) -> Mapping[str, str]:
    """The headers that travel with the answer."""
    if not service.keep_headers:
        return NOTHING
    return {name: response.headers[name] for name in service.keep_headers if name in response.headers}


def _bill(
    entry: int, request: Request, charge: Charge, response: Response | None, usage: Usage | None, answer: Answer | None
) -> Bill:
    """What an attempt came to. An answer that tells no usage is paid for at its worst; a lost one may have cost that."""
    if response is None:
        return Bill(entry, "unknown")
    if response.status in AFTER_THE_WORK:
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
        return _outcome(item, "failed", journey, error=str(error))
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
    )
