"""A long-lived object that runs any recipe over any list, and any pipeline's jobs out of a store.

It owns what runs share: the gate (one quota, however many runs), the memory (one asker for many), the connections, the
processes. It installs no signal handler and prints nothing: who calls it stops a run through its `Stop`, and watches it
through a `Tally`.

A job's journey: `plan` loads the list into the store (or finds the job that is there already), `run` feeds what is still
to do to the mode, and the store's writer commits what comes back. Done is what is committed, and only then counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, get_args

from .background import BackgroundRun
from .batching import Batching, Deferring, Flow, Waiting
from .core.effects import Steps
from .core.exchange import Journey, Rules, enrich_item, pursue
from .core.gate import Gate, Hold
from .core.rehearsal import Rehearsal
from .core.retry import Backoff
from .errors import BudgetSpent, Interrupted, ServiceDown, SettingError
from .forking import register
from .gates import Accounts, EngineGate
from .lanes import Lanes
from .mailbox import Mailbox
from .memory import DEFAULT_BYTES, Memory
from .model import Item, Job, Outcome, Pipeline, Recipe, Remembered, Request, Response, Row, Skipped, Source
from .modes import asynchronous, threaded
from .modes.performer import AsyncTransport, Attempt, Feed, Performer, Purse, Sink, Stop
from .modes.withheld import Withheld
from .processes import Processes
from .purse import JobPurse
from .quotas import QuotaKeeper
from .resources import Resources
from .store import Store, Writer
from .transports.pooled import PooledTransport

Mode = Literal["sequential", "threaded", "async"]
MODES: tuple[str, ...] = get_args(Mode)
T = TypeVar("T")

FORECAST_ITEMS = 2_000
"""A forecast rehearses so many items at most, and goes on from there in proportion."""

FORECAST_LATENCY_S = 0.25
"""What a forecast takes an answer to need, seconds."""


@dataclass(slots=True)
class Tally:
    """How a run is getting on: only what is committed counts. Written by one thread, read by any."""

    total: int = 0
    done: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    hits: int = 0
    retries: int = 0
    wait_s: float = 0.0
    service_s: float = 0.0
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count committed outcomes."""
        for outcome in outcomes:
            if outcome.status != "deferred":  # it comes again
                self.by_status[outcome.status] = self.by_status.get(outcome.status, 0) + 1
            effort = outcome.effort
            self.requests += effort.requests
            self.hits += effort.hits
            self.retries += effort.retries
            self.wait_s += effort.wait_s
            self.service_s += effort.service_s
            self.done += outcome.status != "deferred"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began; until it ended, if it has."""
        return (time.monotonic() if self.ended_at is None else self.ended_at) - self.started_at


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a job would ask for, rehearsed: nothing was sent. `known` of the `items` need no request at all."""

    items: int
    known: int
    requests: int
    hits: int
    elapsed_s: float


class Engine:
    """Runs recipes and jobs. Usable from any thread, several runs at a time; a context manager, else `close` it.

    `keys` maps a service's name to its API key. `on_chunk` is shown the pieces of streams. `slots` is how many items are
    worked on at a time, and how many connections there are at most. `recalls`: what the store remembers is known.
    `refresh` does not take an answer for known that is older than this engine. A batch is looked at every `batch_poll_s`.

    :raises SettingError: if `mode` is none of `MODES` or `slots` is less than 1.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str] | None = None,
        mode: Mode = "threaded",
        slots: int = 10,
        store: Store | None = None,
        backoff: Backoff | None = None,
        memory_bytes: int = DEFAULT_BYTES,
        refresh: bool = False,
        chance: Callable[[], float] = random.random,
        observe: Callable[[Attempt], None] | None = None,
        on_chunk: Callable[[Request, bytes], None] | None = None,
        gate: Gate | None = None,
        processes: Processes | None = None,
        batch_poll_s: float = 30.0,
        recalls: bool = True,
    ) -> None:
        if mode not in MODES:
            raise SettingError(f"mode is {mode!r}; allowed are {', '.join(MODES)}")
        if slots < 1:
            raise SettingError(f"concurrency is {slots}; at least 1 is needed")
        self.mode: Mode = mode
        self.slots = 1 if mode == "sequential" else slots
        self._store = store
        self.rules = Rules(chance, backoff or Backoff())
        self._observe = observe
        self._batch_poll_s = batch_poll_s
        self._accounts = Accounts(keys or {})
        self.gate: Gate | EngineGate = gate or EngineGate(self._accounts)
        self.memory = Memory(
            time.time,
            max_bytes=memory_bytes,
            lower=_lower(store) if store is not None and recalls else None,
            not_before=time.time() if refresh else 0.0,
        )
        self._resources = Resources(keys or {}, self.slots, on_chunk, processes)
        self._processes = self._resources.processes
        weakref.finalize(self, self._resources.close)  # where nobody closes it
        self._runs = 0
        self._lock = threading.Lock()
        register(self)

    def after_fork(self) -> None:
        """The child of a fork starts anew: what was learnt and sent still counts, nothing else is shared."""
        self._lock = threading.Lock()
        self._runs = 0
        self.gate.after_fork()
        self.memory.after_fork()
        self._resources.after_fork()

    # ── running ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def work(
        self,
        items: Iterable[Item],
        recipe: Recipe,
        sink: Sink,
        stop: Stop,
        *,
        lane_of: Callable[[Item], str] | None = None,
        purse: Purse | None = None,
        blocking_source: bool = False,
    ) -> None:
        """Run a recipe over items; each outcome goes to the sink as it comes. Returns when all is done or stopped.

        `blocking_source`: reading `items` may take long, so no event loop reads them.

        :raises KeyRefused, ServiceDown, BudgetSpent: as the core does; what was not done has no outcome. What `items` and
            `sink` raise goes through.
        """
        performer = self._performer(stop, purse)
        withheld = Withheld(sink)
        if lane_of is None:
            feed = Feed(iter(items), stop)
        else:
            lanes = Lanes(iter(items), lane_of, self.slots)
            feed = Feed(lanes, stop, lanes.done)

        def begin(item: Item) -> Steps[Outcome]:
            return enrich_item(item, recipe, self.rules)

        with self._running():
            if self.mode == "async":
                blocking = not isinstance(items, Sequence) and blocking_source
                asynchronous.run_async(
                    feed, begin, withheld, performer, self._streaming, self.slots, blocking_source=blocking
                )
            elif self.mode == "threaded":
                threaded.run_threaded(feed, begin, withheld, performer, self._transport().share(), self.slots)
            else:
                threaded.run_sequential(feed, begin, withheld, performer, self._transport().share())
        if not stop.is_set():
            withheld.finish()

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """A run, or a flow. The first of those at a time gives hosts that were given up another chance."""
        with self._lock:
            if not self._runs:
                self.gate.revive()
            self._runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                if not self._runs and isinstance(self.gate, EngineGate):
                    self.gate.rest()

    def stream(self, items: Iterable[Item], recipe: Recipe, stop: Stop | None = None) -> Iterator[Outcome]:
        """Run a recipe over items in the background; yield the outcomes as they come.

        A consumer that is slow holds the workers back; one that leaves early ends the run. `stop` is this run's own: it is
        set when the run is over.

        :raises KeyRefused, ServiceDown: as the core does.
        """
        own = stop or Stop()

        def work(mailbox: Mailbox) -> None:
            self.work(items, recipe, mailbox, own, blocking_source=True)

        run = BackgroundRun(work, Mailbox(4 * self.slots), own)
        self._resources.begin(run)
        try:
            yield from run
        finally:
            self._resources.end(run)

    def ask(self, steps: Steps[T], stop: Stop) -> T:
        """Carry out one flow in this thread.

        :raises Interrupted: if it is told to stop, or is already.
        """
        if stop.is_set():
            raise Interrupted
        with self._running():
            return threaded.drive(steps, self._performer(stop), self._transport())

    async def ask_async(self, steps: Steps[T], stop: Stop) -> T:
        """Carry out one flow in the engine's own event loop, whatever loop this is awaited in.

        So one session serves every loop that a program comes along with, one `asyncio.run` after another.

        :raises Interrupted: if it is told to stop, or is already.
        """
        with self._running():
            flow = self._resources.submit(steps, self._performer(stop))
            try:
                return await asyncio.wrap_future(flow)
            except asyncio.CancelledError:
                here = asyncio.current_task()
                if here is not None and here.cancelling():
                    raise
                raise Interrupted from None  # not the one who waits was told to end, but the engine's loop

    # ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(
        self,
        pipeline: Pipeline,
        job: Job,
        stop: Stop,
        tally: Tally,
        *,
        budget: int | None = None,
        tell: Callable[[str], None] = lambda _said: None,
    ) -> None:
        """Do what is still to do of a job. Everything is committed when this returns or raises.

        `budget` is the most that the job may cost, nano-units; `tell` hears in a sentence how its batches stand.

        :raises JobBusy: if another process runs this job.
        :raises KeyRefused, ServiceDown, BudgetSpent: as the core does; what was not done stays pending.
        :raises Undecided: if a person has to say whether a batch was taken by its provider.
        """
        store = self._needed_store()
        quotas = QuotaKeeper(store.sent, self.gate, self._accounts, pipeline.services)
        with store.lock_job(job.id), quotas:
            try:
                store.ledger.orphans(job.id)
                batching = self._batching(store, pipeline, job, stop, budget, tell)
                if batching is None:
                    self._turn(store, pipeline, job, stop, tally, budget, Waiting({}), store.todo(job.id))
                else:
                    self._in_parts(store, pipeline, job, stop, tally, budget, batching)
            except Interrupted:  # while a batch was waited for: it goes on without us
                pass
            finally:
                tally.ended_at = time.monotonic()
                store.ledger.orphans(job.id)  # what a stop cut off: its answer is lost, and may have to be paid for
                left = store.counts(job.id).items_by_status
                store.set_state(job.id, "stopped" if left.get("pending") or left.get("deferred") else "done")

    def _in_parts(
        self,
        store: Store,
        pipeline: Pipeline,
        job: Job,
        stop: Stop,
        tally: Tally,
        budget: int | None,
        batching: Batching,
    ) -> None:
        """Every open item once, and again those that wait for a batch when it is there.

        What waits is handed in a part at a time; all of it, before any is waited for. A part that is not taken (the budget
        has no room for what all of them could cost) waits until the others have come home, and is handed in then.
        """
        waiting = Waiting(batching.finish())
        todo: Iterator[Item] = store.todo(job.id)
        self._turn(store, pipeline, job, stop, tally, budget, waiting, todo)
        while (waiting.requests or waiting.keys) and not stop.is_set():
            try:
                batching.hand_in(waiting.requests)
            except (BudgetSpent, ServiceDown):
                if not waiting.keys:
                    raise
                at_home = True
            else:
                at_home = not waiting.is_full
                waiting.handed_in()
            if at_home:
                waiting.came_home(batching.finish())
                todo = chain(store.todo(job.id, deferred_only=True), todo)
            self._turn(store, pipeline, job, stop, tally, budget, waiting, todo)

    def _turn(
        self,
        store: Store,
        pipeline: Pipeline,
        job: Job,
        stop: Stop,
        tally: Tally,
        budget: int | None,
        waiting: Waiting,
        todo: Iterator[Item],
    ) -> None:
        """What is to do, once, until so much waits for a batch that it should be handed in."""
        with Writer(
            lambda batch: store.commit(job.id, batch, pipeline),
            on_committed=tally.add,
            most_waiting=WAITING_A_SLOT * self.slots,
        ) as writer:
            purse = JobPurse(store.ledger, job.id, budget)
            items, sink = waiting.until_full(todo), Deferring(writer, waiting)
            self.work(items, pipeline.recipe, sink, stop, lane_of=pipeline.lane_of, purse=purse)

    def _batching(
        self,
        store: Store,
        pipeline: Pipeline,
        job: Job,
        stop: Stop,
        budget: int | None,
        tell: Callable[[str], None],
    ) -> Batching | None:
        services = {service.name: service for service in pipeline.services if service.batch is not None}
        if not services:
            return None
        backoff = self.rules.backoff
        once = Rules(self.rules.chance, replace(backoff, attempts=1, refusals=backoff.attempts))

        def ask(flow: Flow[Any], only_once: bool) -> Any:
            return self.ask(pursue(flow, once if only_once else self.rules, Journey()), stop)

        return Batching(store, job.id, services, ask, stop, budget, self._batch_poll_s, tell, self.memory.learn)

    def holds(self) -> list[Hold]:
        """What holds everyone back just now."""
        return self.gate.holds(time.monotonic())

    def _needed_store(self) -> Store:
        if self._store is None:
            raise SettingError("this engine has no store; give it one to run jobs")
        return self._store

    # ── what runs share ─────────────────────────────────────────────────────────────────────────────────────────────

    def _performer(self, stop: Stop, purse: Purse | None = None) -> Performer:
        return Performer(self.gate, self.memory, stop, self._processes, observe=self._observe, purse=purse)

    def _transport(self) -> PooledTransport:
        return self._resources.pooled()

    @contextlib.asynccontextmanager
    async def _streaming(self) -> AsyncIterator[AsyncTransport]:
        transport = self._resources.streaming()
        try:
            yield transport
        finally:
            await transport.close()

    def close(self) -> None:
        """End runs, close connections, end processes. The store stays open: it is its owner's."""
        self._resources.close(Interrupted("the engine was closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


WAITING_A_SLOT = 20
"""Outcomes that may wait for the writer, for each slot: two batches of ten slots. Each holds its answers: some 40 KB of a
film, a page of an article."""


def plan(
    store: Store,
    pipeline: Pipeline,
    name: str,
    digest: str,
    rows: Iterable[Source | Row | Skipped],
    limit: int | None = None,
) -> Job:
    """The job for this input: loaded from `rows` (the first `limit` of them), or the one that is there already.

    `digest` stands for the input's content; with the pipeline, its options and `limit` it tells jobs apart.
    """
    store.prepare(pipeline.tables)
    if limit is not None:
        rows = _first(rows, limit)
    return store.open_job(pipeline.name, fingerprint(pipeline, digest, limit), name, pipeline.options, rows)


def fingerprint(pipeline: Pipeline, digest: str, limit: int | None) -> str:
    """What tells one job from another: the pipeline, what changes its answers, and the input."""
    about = json.dumps([pipeline.name, sorted(pipeline.options.items()), digest, limit])
    return hashlib.sha256(about.encode()).hexdigest()


def _first(rows: Iterable[Source | Row | Skipped], limit: int) -> Iterator[Source | Row | Skipped]:
    """The input as if it ended after row `limit`."""
    for row in rows:
        if isinstance(row, Row):
            limit -= 1
        if limit < 0:
            return
        yield row


def forecast(
    pipeline: Pipeline,
    items: Iterable[Item],
    count: int,
    known: Callable[[str], tuple[Remembered, float] | None],
    slots: int,
) -> Forecast:
    """Rehearse a job of `count` items with the real core on a virtual clock: how many requests, and how long?

    `known(key)` gives a remembered answer and its age in seconds. What is not known is answered by the pipeline's
    `typical`, after `FORECAST_LATENCY_S`. No failures are rehearsed: life will take a little longer.
    """
    typical = pipeline.typical
    if typical is None or not count:
        return Forecast(count, 0, 0, 0, 0.0)
    rules = Rules(lambda: 0.0, Backoff())

    def world(request: Request, _before: int) -> tuple[Response, float]:
        return Response(200, {}, typical(request)), FORECAST_LATENCY_S

    gate = Gate(recheck_s=float("inf"))  # nothing comes in between, and a quota an hour would be asked for for ever
    rehearsal = Rehearsal(gate, world, workers=slots, recall=known, keep_effects=False)
    played = rehearsal.play(islice(items, FORECAST_ITEMS), lambda item: enrich_item(item, pipeline.recipe, rules))
    scale = count / max(1, len(played.outcomes))
    known_items = sum(not outcome.effort.requests for outcome in played.outcomes)
    hits = sum(outcome.effort.hits for outcome in played.outcomes)
    return Forecast(
        count,
        round(known_items * scale),
        round(played.requests * scale),
        round(hits * scale),
        played.elapsed_s * scale,
    )


def _lower(store: Store) -> Callable[[str], tuple[Remembered, float] | None]:
    def lower(key: str) -> tuple[Remembered, float] | None:
        stored = store.recall(key)
        return None if stored is None else (stored.remembered, stored.stored_at)

    return lower
