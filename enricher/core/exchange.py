"""One request, asked until it is answered or given up; and one item, asked through its recipe.

Rule 1: nothing here waits; waiting is yielded.
Rule 2: every attempt takes a permit and reports back, because a retry costs the API as much as a first try.
Rule 3: what was asked for together is asked for once: the first asker leads, and settles with the others whatever happens.
Rule 4: an item's trouble is its own. Only a refused key, a silent service, a full disk and a stop end more than one item.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ..errors import ExchangeError, GaveUp, Interrupted, KeyRefused, Refused, ServiceDown, TransportError
from ..model import (
    Accept,
    Answer,
    Candidate,
    Compute,
    Conclusion,
    Effort,
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
from .effects import Known, Lead, Permit, Recall, Report, Send, Settle, Steps, Wait
from .freshness import key_of
from .gate import Health, Ticket
from .retry import Backoff, judge, judge_error, parse_json


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
    :raises Refused: if the service's answer is final.
    :raises KeyRefused: if the service does not accept the key.
    """
    lifetime = request.service.lifetimes.get(request.kind)
    if lifetime is None:
        return (yield from _ask(request, rules, journey))
    key = key_of(request)
    known: Known | Lead = yield Recall(key, lifetime)
    if isinstance(known, Known):
        journey.hits += 1
        remembered = known.remembered
        data = parse_json(remembered.body) if request.expects == "json" else None
        return Answer(remembered.status, data, remembered.body, remembered.missing)
    try:
        answer = yield from _ask(request, rules, journey)
    except Exception:
        yield Settle(key, None)
        raise
    remembered = Remembered(answer.status, answer.body, answer.missing)
    journey.learnt.append(Learnt(key, request.kind, remembered))
    yield Settle(key, remembered)
    return answer


def _ask(request: Request, rules: Rules, journey: Journey) -> Steps[Answer]:
    backoff = rules.backoff
    host = urlsplit(request.service.base_url).netloc
    attempt = pauses = 0
    while True:
        ticket: Ticket = yield Permit(request.service, host)
        if ticket.granted_at is not None and ticket.asked_at is not None:
            journey.wait_s += ticket.granted_at - ticket.asked_at
        journey.requests += 1
        try:
            response: Response = yield Send(request)
        except TransportError as error:
            verdict, data, sent_at, done_at = judge_error(error), None, error.sent_at, error.failed_at
            health = Health.NO_NEWS if isinstance(verdict, Refuse) else Health.FAILING
        else:
            (verdict, data), sent_at, done_at = judge(request, response), response.sent_at, response.done_at
            health = Health.FAILING if response.status >= 500 and isinstance(verdict, Retry) else Health.ALIVE
        journey.service_s += done_at - sent_at
        journey.spent_s += done_at - sent_at
        if isinstance(verdict, Accept):
            yield Report(ticket, sent_at, done_at, health)
            return Answer(response.status, data, response.body, verdict.missing)
        journey.tries.append(f"{request.kind}: {verdict.reason}")
        if isinstance(verdict, Retry) and verdict.pause:
            # "Not now" is said to everybody, so it is no attempt of this item's. The gate ends what goes on for too long.
            pauses += 1
            pause_s = backoff.pause_s(pauses, verdict.after_s, rules.chance)
            yield Report(ticket, sent_at, done_at, Health.NO_NEWS, pause_s, verdict.reason)
            journey.retries += 1
            continue
        if not ticket.probe:  # to find out whether a silent host is back is everybody's business as well
            attempt += 1
        yield Report(ticket, sent_at, done_at, health, reason=verdict.reason)
        if isinstance(verdict, RefuseKey):
            raise KeyRefused(request.service.name, verdict.reason)
        if isinstance(verdict, Refuse):
            raise Refused(verdict.reason, max(attempt, 1))
        if attempt >= backoff.attempts:
            raise GaveUp(verdict.reason, attempt)
        delay_s = backoff.delay_s(max(attempt, 1), verdict.after_s, rules.chance)
        if journey.spent_s + delay_s > backoff.deadline_s:
            raise GaveUp(f"{verdict.reason}; deadline of {backoff.deadline_s:g} s passed", max(attempt, 1))
        journey.spent_s += delay_s
        journey.wait_s += delay_s
        yield Wait(delay_s)
        journey.retries += 1


def _stranger(asked: object) -> NoReturn:
    raise TypeError(f"a recipe yields Request or Compute, not {type(asked).__name__}")


def follow(item: Item, recipe: Recipe, rules: Rules, journey: Journey) -> Steps[Conclusion]:
    """One item through its recipe: what the recipe concludes. Raises what the exchange and the recipe raise."""
    flow = recipe(item)
    if not isinstance(flow, GeneratorType | Generator):  # the type first: an abstract class is slow to ask
        raise TypeError(f"a recipe is a generator function, and this one returned {type(flow).__name__}")
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
        conclusion: Conclusion = stop.value
        return conclusion
    finally:
        with contextlib.suppress(Exception):  # an error of its clean-up must not hide what ended it
            flow.close()


def enrich_item(item: Item, recipe: Recipe, rules: Rules) -> Steps[Outcome]:
    """One item through its recipe: its outcome, whatever became of it.

    :raises KeyRefused, ServiceDown, Interrupted: these end the job, not the item; it stays pending.
    """
    journey = Journey()
    try:
        conclusion = yield from follow(item, recipe, rules, journey)
    except ExchangeError as error:
        return _outcome(item, "failed", journey, error=str(error))
    except (KeyRefused, ServiceDown, Interrupted):
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
            return _outcome(item, "not_found", journey, candidates=conclusion.candidates)
        case Unsure():
            return _outcome(item, "unsure", journey, candidates=conclusion.candidates, score=conclusion.score)
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
