"""Work handed to a provider by the hundred: submitted, waited for, collected, and paid for once.

An item that needs a batch comes out of its recipe `deferred`, with the request that it waits for. Those requests go into
batches, a part at a time, so that a long list does not lie in memory. When all items have had their turn and all batches have
ended, the answers go into the memory, and the items run again and find them there. A generator can't wait for hours or
survive kill -9; this can, because all it knows lies in the store:

    started ──taken by the provider──▶ submitted ──▶ collected
       │
       └─killed in between: the provider is asked whether it has it ─▶ submitted, or dropped, or undecided (a person decides)

A submit is tried once: one that is answered by silence may have been taken, so it is looked for before it is tried again; and
a provider may still be taking it, so "it is not there" counts only after a while (`SURE_AFTER`).

What another job has handed in and not collected is not handed in again: its batch is waited for and collected first.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .core.freshness import key_of
from .core.retry import judge
from .errors import BudgetSpent, ExchangeError, GaveUp, JobBusy, Refused, ServiceDown, Undecided
from .model import Accept, Answer, BatchApi, BatchResult, Item, Outcome, Remembered, Request, Response, Service, Usage
from .modes.performer import Sink, Stop
from .purse import money
from .store import Batch, BatchEntry, Collected, Store

T = TypeVar("T")
Flow = Generator[Request, Answer, T]

SURE_AFTER = 2.0
"""A batch that its provider does not have was never taken, once so many of the service's time-outs have passed."""

NOT_THERE = "its batch has no answer to it"

FIRST_LOOK_S = 1.0
"""When a batch is looked at for the first time, seconds; then each time twice as long, up to `poll_s`."""


MOST_WAITING_BYTES = 16 * 2**20
"""Requests of a batch wait in memory for each other, up to about so many bytes of them. (Anthropic takes no batch of more
than 256 MB: platform.claude.com, batch processing, checked 2026-11.)"""

FORGOTTEN = "what its batch answered is not known any more, or its page is another at each look"


class Waiting:
    """What deferred items of one run wait for: `requests` by key, still to be handed in, and the `keys` of those that were.

    What a batch has brought no answer to is not waited for again: `without` says why, by key. Nor is an item that was
    handed in already: its answer came, and is not known any more.
    """

    def __init__(self, without: Mapping[str, str]) -> None:
        self._without = dict(without)
        self._items: set[str] = set()  # the keys of items that wait for `requests`
        self._handed: set[str] = set()  # of those that were handed in
        self._bytes = 0
        self.requests: dict[str, Request] = {}
        self.keys: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be handed in before more is asked for."""
        return self._bytes >= MOST_WAITING_BYTES

    def until_full(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items, until that is so. Those that were read ahead by then come to their end, and perhaps here as well."""
        for item in items:
            yield item
            if self.is_full:
                return

    def handed_in(self) -> None:
        """The requests are under way."""
        self.keys |= self.requests.keys()
        self._handed |= self._items
        self._forget()

    def came_home(self, without: Mapping[str, str]) -> None:
        """All that was under way is there, or it is known why not. What was not handed in is asked for again."""
        self._without |= without
        self.keys.clear()
        self._forget()

    def _forget(self) -> None:
        self.requests, self._items, self._bytes = {}, set(), 0

    def why_not(self, item: str, key: str) -> str | None:
        """Why an item can't wait for a request; None: it can."""
        return self._without.get(key) or (FORGOTTEN if item in self._handed else None)

    def add(self, item: str, key: str, request: Request) -> None:
        """An item waits for a request. What is under way already, for another item, is not handed in twice."""
        if key in self.keys:
            self._handed.add(item)
            return
        if key not in self.requests:
            self._bytes += len(request.body)
        self.requests[key] = request
        self._items.add(item)


class Deferring:
    """A sink in front of the writer, which sees what deferred items wait for."""

    def __init__(self, sink: Sink, waiting: Waiting) -> None:
        self._sink = sink
        self._waiting = waiting

    def offer(self, outcome: Outcome) -> bool:
        """Hand it on if that is possible at once."""
        return self._sink.offer(self._seen(outcome))

    def put(self, outcome: Outcome) -> None:
        """Hand it on."""
        self._sink.put(self._seen(outcome))

    def _seen(self, outcome: Outcome) -> Outcome:
        request = outcome.handed
        if request is None:
            return outcome
        item, key = outcome.item.key, key_of(request)
        reason = self._waiting.why_not(item, key)
        if reason is not None:
            return replace(outcome, status="failed", error=reason, handed=None)
        self._waiting.add(item, key, request)
        return replace(outcome, handed=None)


@dataclass(slots=True)
class Batching:
    """The batches of one job. `ask(flow, once)` carries out a provider's flow, `once` without a second try.

    `tell` hears in a sentence how things stand; `poll_s` is how often a batch is looked at in the end, seconds. `learn` is
    shown each answer that came back, by its key.
    """

    store: Store
    job_id: int
    services: Mapping[str, Service]
    ask: Callable[[Flow[Any], bool], Any]
    stop: Stop
    budget: int | None
    poll_s: float
    tell: Callable[[str], None]
    learn: Callable[[str, Remembered], None]

    def hand_in(self, requests: Mapping[str, Request]) -> None:
        """Submit what is waited for, by key.

        :raises BudgetSpent: if a batch could cost more than the budget has left.
        :raises ServiceDown: if the provider does not take it.
        """
        answered = self._finish_others(requests)
        by_service: dict[str, list[tuple[str, Request]]] = {}
        for key, request in requests.items():
            if key in answered:
                continue
            by_service.setdefault(request.service.name, []).append((key, request))
        for name, all_of_it in by_service.items():
            most = self._api(name).most
            for first in range(0, len(all_of_it), most):
                self._submit(name, all_of_it[first : first + most])

    def finish(self) -> dict[str, str]:
        """Wait for all batches that are under way and collect them; why there is no answer, by key.

        :raises Undecided: if it can't be told whether one was taken.
        :raises ServiceDown: if its provider does not let us have it.
        :raises Interrupted: if the job is told to stop.
        """
        without: dict[str, str] = {}
        for batch in self.store.batches.open(self.job_id):
            without |= self._finish(batch) or {}
        return without

    def _finish_others(self, keys: Iterable[str]) -> set[str]:
        """Collect the batches of other jobs that hold some of these; which of them have an answer now."""
        answered: set[str] = set()
        for batch in self.store.batches.holding(list(keys)):
            if batch.job_id == self.job_id or batch.service not in self.services:
                continue
            with contextlib.suppress(JobBusy), self.store.lock_job(batch.job_id):
                without = self._finish(batch)
                if without is not None:
                    answered |= {entry.key for entry in batch.entries} - without.keys()
        return answered

    def _finish(self, batch: Batch) -> dict[str, str] | None:
        """Wait for a batch and collect it; why there is no answer, by key. None: it was never taken."""
        taken = batch if batch.provider_id is not None else self._look_for(batch)
        if taken is None:
            return None
        return self._collect(taken, self._await(taken))

    # ── one batch ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _api(self, service: str) -> BatchApi:
        api = self.services[service].batch
        assert api is not None  # noqa: S101  # only a service that has one lets its requests wait
        return api

    def _submit(self, name: str, requests: Sequence[tuple[str, Request]]) -> None:
        api = self._api(name)
        nonce = hashlib.blake2b(repr([self.job_id, time.time_ns()]).encode(), digest_size=6).hexdigest()
        named = [(f"{nonce}-{number:05}", key, request) for number, (key, request) in enumerate(requests)]
        entries = [
            BatchEntry(custom_id, key, request.kind, request.charge)
            for custom_id, key, request in named
            if request.charge is not None
        ]
        provider = entries[0].charge.provider
        number = self.store.batches.begin(self.job_id, provider, name, entries, api.discount, self.budget)
        if number is None:
            spent = self.store.ledger.spent(self.job_id)
            raise BudgetSpent(money(self.budget or 0), f"{money(spent.all_nano)} spent or booked")
        try:
            taken_as = self.ask(api.submit([(custom_id, request) for custom_id, _, request in named]), True)
        except Refused as refused:
            self.store.batches.drop(number)
            raise ServiceDown(provider, f"it takes no batch: {refused.reason}") from None
        except (ExchangeError, Undecided):
            batch = self.store.batches.get(number)
            assert batch is not None  # noqa: S101  # it was just written down
            if self._look_for(batch) is None:
                raise ServiceDown(provider, "it does not take the batch just now") from None
            return
        self.store.batches.submitted(number, taken_as)
        self.tell(f"{len(named):,} analyses handed in to {provider} as {taken_as}")

    def _known(self) -> frozenset[str]:
        """The batches that we know of already: none of them is the one that is looked for."""
        return frozenset(self.store.batches.taken())

    def _look_for(self, batch: Batch) -> Batch | None:
        """Whether the provider has a batch whose submit was not answered; None: it never was there, and costs nothing."""
        api = self._api(batch.service)
        sure_at = batch.created + SURE_AFTER * self.services[batch.service].timeout_s
        wait_s = min(FIRST_LOOK_S, self.poll_s)
        try:
            while True:
                ids = [entry.custom_id for entry in batch.entries]
                with contextlib.suppress(GaveUp):
                    found = self._asked(batch, api.find(ids, batch.created, self._known()))
                    if found is not None or time.time() >= sure_at:
                        break
                self.tell(f"looking for a batch that {batch.provider} may have taken")
                self.stop.sleep(wait_s)
                wait_s = min(2 * wait_s, self.poll_s)
        except Undecided as undecided:
            self.store.batches.mark(batch.id, "undecided")
            raise Undecided(
                f"batch {batch.id} may have been taken by {batch.provider}, and may cost money there: {undecided}. Look at "
                f"its console, then say `enricher batches {batch.id} --taken ID` or `--dropped`"
            ) from None
        if found is None:
            self.store.batches.drop(batch.id)
            return None
        self.store.batches.submitted(batch.id, found)
        return self.store.batches.get(batch.id)

    def _asked(self, batch: Batch, flow: Flow[T]) -> T:
        """What a provider answers about a batch.

        :raises GaveUp: if it says nothing just now.
        :raises ServiceDown: if it does not let us have it.
        """
        try:
            answer: T = self.ask(flow, False)
        except GaveUp:
            raise
        except ExchangeError as error:
            raise ServiceDown(batch.provider, f"batch {batch.provider_id or batch.id}: {error.reason}") from None
        return answer

    def _await(self, batch: Batch) -> str:
        """Until a batch has ended; why there will be no answers, "" where there will."""
        api, wait_s = self._api(batch.service), min(FIRST_LOOK_S, self.poll_s)
        assert batch.provider_id is not None  # noqa: S101  # it was taken
        while True:
            with contextlib.suppress(GaveUp):  # it says nothing just now: the batch goes on all the same
                state = self._asked(batch, api.state(batch.provider_id))
                if state.ended:
                    return state.reason
            self.tell(f"waiting for {batch.provider} to finish {batch.provider_id} ({len(batch.entries):,} analyses)")
            self.stop.sleep(wait_s)
            wait_s = min(2 * wait_s, self.poll_s)

    def _collect(self, batch: Batch, failed: str) -> dict[str, str]:
        """Keep what came back; why there is no answer, by key. `failed` is why there are none at all."""
        service, api = self.services[batch.service], self._api(batch.service)
        assert batch.provider_id is not None  # noqa: S101  # it was taken
        try:
            results: Iterable[BatchResult] = self._asked(batch, api.results(batch.provider_id))
        except GaveUp as error:
            raise ServiceDown(batch.provider, f"batch {batch.provider_id}: {error.reason}") from None
        by_id = {result.custom_id: result for result in results}
        if by_id and by_id.keys().isdisjoint(entry.custom_id for entry in batch.entries):
            self.store.batches.mark(batch.id, "undecided")
            raise Undecided(
                f"{batch.provider_id} at {batch.provider} is not batch {batch.id}, which may have been taken all the same. "
                f"Look at its console, then say `enricher batches {batch.id} --taken ID` or `--dropped`"
            )
        without = {entry.key: failed or NOT_THERE for entry in batch.entries if entry.custom_id not in by_id}
        collected = []  # what nobody told of may have been done: the store takes its cost for unknown
        for entry in batch.entries:
            if entry.custom_id not in by_id:
                continue
            one = _judged(service, entry, by_id[entry.custom_id], api.discount)
            if one.remembered is None:
                without[entry.key] = one.reason
            else:
                self.learn(entry.key, one.remembered)
            collected.append(one)
        self.store.batches.collect(batch.id, collected)
        here, wanted = len(batch.entries) - len(without), len(batch.entries)
        self.tell(f"{here:,} of {wanted:,} analyses came back from {batch.provider}")
        return without


def _judged(service: Service, entry: BatchEntry, result: BatchResult, discount: float) -> Collected:
    """One result as a usual answer, judged as such: what it took, and whether it is good."""
    if result.body is None:
        return Collected(entry.custom_id, None, None, 0, "free", result.reason)
    response = Response(200, {"content-type": "application/json"}, result.body)
    usage: Usage | None = None if service.usage is None else service.usage(response)
    cost = entry.charge.price.of(entry.charge.most if usage is None else usage)
    verdict, _ = judge(Request(service, "", kind=entry.kind), response)
    paid = -int(-cost * discount // 1)
    if isinstance(verdict, Accept):
        return Collected(entry.custom_id, Remembered(200, result.body, verdict.missing), usage, paid, "settled")
    return Collected(entry.custom_id, None, usage, paid, "settled", verdict.reason)


def keys_of(requests: Iterable[Request]) -> dict[str, Request]:
    """Requests by what their answers are known as; the same one once."""
    return {key_of(request): request for request in requests}
