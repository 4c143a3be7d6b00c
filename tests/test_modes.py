"""How effects are performed: what is bounded, what a stop ends, what is given back, in threads and tasks alike.

Waits here would last an hour: a test that waits one out fails by its time limit, so no clock has to be looked at.
"""

import asyncio
import itertools
import math
import os
import signal
import threading
import time

import pytest
from core_world import FILMS, QUICK, answered, asking, detail, get
from modes_world import MODES, STUCK, Kept, Wire, items, performer, run, run_flows
from servers import PATIENCE_S

from enricher.core.effects import Known, Lead, Permit, Recall, Report, Send, Settle, Wait
from enricher.core.exchange import enrich_item
from enricher.core.gate import Again, Gate, Health, Ticket
from enricher.errors import Interrupted, KeyRefused, ServiceDown, TransportError
from enricher.memory import Memory, Pending
from enricher.model import Compute, Item, Remembered, Service, Window
from enricher.modes import asynchronous, threaded
from enricher.modes.asynchronous import Waits
from enricher.modes.performer import Attempt, Feed, Held, Nap, Performer, Stop
from enricher.processes import Processes

HOUR_S = 3600.0
NARROW = Service("narrow", "https://narrow.test", windows=(Window(1, HOUR_S),))

each_mode = pytest.mark.parametrize("mode", MODES)
at_once = pytest.mark.parametrize("mode", ["threaded", "async"])


@pytest.fixture(scope="module")
def processes():
    pool = Processes(workers=1)
    yield pool
    pool.close()


def fine(_request):
    return answered()


def film(item):
    answer = yield get(f"/movie/{item.key}")
    return {"id": answer.data["id"]}


class Background:
    """A run in a thread of its own, which a test can wait for."""

    def __init__(self, work, *args, **more):
        self.error = None
        self._thread = threading.Thread(target=self._work, args=(work, args, more), daemon=True)
        self._thread.start()

    def _work(self, work, args, more):
        try:
            work(*args, **more)
        except BaseException as error:  # noqa: BLE001  # told by `end`
            self.error = error

    def end(self):
        """Wait until it is over; what it raised."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.error


class Watching(Performer):
    """A performer that tells when a flow has come to something that takes time: what, and how often."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.waited = threading.Semaphore(0)

    def step(self, effect, held):
        step = super().step(effect, held)
        if isinstance(step, Nap | Pending | Compute | Send):
            self.waited.release()
        return step

    def until_waiting(self, flows):
        for _ in range(flows):
            assert self.waited.acquire(timeout=PATIENCE_S)


# ── the stop ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_is_set_once_and_keeps_its_first_reason():
    stop, called = Stop(), []
    stop.on_set(lambda: called.append("early"))
    assert not stop.is_set()
    first = ValueError("first")
    stop.set(first)
    stop.set(ValueError("second"))
    assert stop.is_set()
    assert stop.reason is first
    assert called == ["early"]


def test_who_comes_late_to_listen_is_told_at_once():
    stop, called = Stop(), []
    stop.set()
    stop.on_set(lambda: called.append("late"))
    assert called == ["late"]
    assert stop.reason is None


def test_a_listener_may_set_the_stop_again():
    """It is called outside the lock: the end of one thing may be the end of another."""
    stop = Stop()
    stop.on_set(stop.set)
    stop.set()
    assert stop.is_set()


def test_a_sleep_ends_when_the_run_is_told_to_stop():
    stop = Stop()
    sleeping = Background(stop.sleep, HOUR_S)
    stop.set()
    assert isinstance(sleeping.end(), Interrupted)
    with pytest.raises(Interrupted):
        stop.sleep(0.0)


def test_a_sleep_that_nobody_ends_is_just_over():
    stop = Stop()
    stop.sleep(0.001)
    assert not stop.wait(0.001)
    stop.set()
    assert stop.wait()


# ── the feed ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_item_of_a_feed_goes_to_one_worker():
    feed, taken = Feed(iter(items(2000)), Stop()), []
    workers = [Background(lambda: taken.extend(feed)) for _ in range(4)]
    assert [worker.end() for worker in workers] == [None] * 4
    assert sorted(item.key for item in taken) == sorted(item.key for item in items(2000))


def test_a_feed_takes_nothing_before_it_is_asked_and_nothing_after_a_stop():
    source, stop = iter(items(3)), Stop()
    feed = Feed(source, stop)
    assert next(feed).key == "0"
    stop.set()
    assert list(feed) == []
    assert next(source).key == "1"


# ── one step ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_permit_is_asked_for_with_the_same_ticket_until_it_is_granted():
    now = [0.0]
    using, held = performer(clock=lambda: now[0]), Held()
    using.step(Permit(NARROW, "narrow.test"), Held())
    first = using.step(Permit(NARROW, "narrow.test"), held)
    assert isinstance(first, Nap)
    assert first.again
    waiting = held.ticket
    now[0] += 2 * HOUR_S
    assert using.step(Permit(NARROW, "narrow.test"), held) is waiting
    assert waiting.granted_at == now[0]


def test_no_permit_is_granted_after_a_stop():
    using = performer()
    using.stop.set()
    with pytest.raises(Interrupted):
        using.step(Permit(FILMS, "films.test"), Held())


def test_a_back_off_and_work_and_an_attempt_are_left_to_the_mode():
    using, held = performer(), Held()
    back_off = using.step(Wait(3.0), held)
    assert (back_off.seconds, back_off.again) == (3.0, False)
    for effect in (Compute(pow, (2, 3)), Send(get("/movie/1"))):
        assert using.step(effect, held) is effect
    assert held.request.path == "/movie/1"


def test_a_lead_is_held_until_it_is_settled_and_then_known_to_all():
    using, held, other = performer(), Held(), Held()
    recall = Recall("key", detail().service.lifetimes["detail"])
    assert isinstance(using.step(recall, held), Lead)
    assert held.lead == "key"
    assert isinstance(using.step(recall, other), Pending)
    assert other.lead is None
    using.step(Settle("key", Remembered(200, b"{}")), held)
    assert held.lead is None
    assert isinstance(using.step(recall, other), Known)


def test_each_attempt_is_shown_to_who_watches():
    seen, now = [], [10.0]
    using, held = performer(observe=seen.append, clock=lambda: now[0]), Held()
    request = get("/movie/1")
    ticket = using.step(Permit(FILMS, "films.test"), held)
    using.step(Send(request), held)
    using.step(Report(ticket, 11.0, 12.0, Health.NO_NEWS, 3.0, "HTTP 429"), held)
    assert seen == [Attempt(request, 10.0, 10.0, 11.0, 12.0, "HTTP 429", 3.0, probe=False)]
    assert held.ticket is None
    assert isinstance(using.gate.ask(Ticket(FILMS, "films.test"), 14.0), Again)


def test_a_report_of_a_ticket_that_never_asked_tells_when_it_left():
    seen, held = [], Held()
    using = performer(observe=seen.append)
    using.step(Send(get("/movie/1")), held)
    using.step(Report(Ticket(FILMS, "films.test"), 11.0, 12.0, Health.ALIVE), held)
    assert (seen[0].ready_at, seen[0].granted_at) == (11.0, 11.0)


def test_a_flow_gives_back_its_place_in_the_queue_and_its_lead():
    using, held = performer(clock=lambda: 0.0), Held()
    using.step(Permit(NARROW, "narrow.test"), Held())
    using.step(Permit(NARROW, "narrow.test"), held)
    held.lead = "key"
    using.memory.recall("key", FILMS.lifetimes["detail"])
    using.give_back(held)
    assert (held.ticket, held.lead) == (None, None)
    assert using.gate._lanes["narrow"].queue == []
    assert isinstance(using.memory.recall("key", FILMS.lifetimes["detail"]), Lead)


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Send(get("/movie/1")), TransportError("timeout")),
        (Compute(pow), ValueError("of the function")),
        (Compute(pow), TimeoutError()),
        (Compute(pow), TransportError("timeout")),
        (Permit(FILMS, "films.test"), ServiceDown("films", "gone")),  # the exchange knows what it ends
    ],
)
def test_a_flow_is_told_of_its_attempt_and_of_its_work(effect, error):
    assert performer().failed(effect, error) is error


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Permit(FILMS, "films.test"), Interrupted()),
        (Send(get("/movie/1")), RuntimeError("a bug")),
        (Compute(pow), Interrupted()),
        (Recall("key", FILMS.lifetimes["detail"]), OSError("the disk")),
    ],
)
def test_what_is_more_than_the_flows_is_raised_again(effect, error):
    with pytest.raises(type(error)) as raised:
        performer().failed(effect, error)
    assert raised.value is error


def test_an_attempt_that_failed_after_the_stop_says_nothing_of_its_item():
    using = performer()
    using.stop.set()
    with pytest.raises(Interrupted):
        using.failed(Send(get("/movie/1")), TransportError("timeout"))


# ── a run ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
def test_each_item_has_one_outcome(mode):
    sink, wire = Kept(), Wire(fine)
    run(mode, items(50), film, sink, performer(), wire)
    assert sorted(sink.keys, key=int) == [item.key for item in items(50)]
    assert {outcome.status for outcome in sink.outcomes} == {"enriched"}
    assert len(wire.sent) == 50


@each_mode
def test_nothing_to_do_is_done(mode):
    sink = Kept()
    run(mode, [], film, sink, performer(), Wire(fine))
    assert sink.outcomes == []


@each_mode
def test_work_in_flight_is_bounded_and_items_are_taken_one_by_one(mode):
    """What is read and not yet done is what the workers hold: memory does not grow with the input."""
    taken, held = itertools.count(1), []
    sink = Kept()

    def source():
        for item in items(60):
            held.append(next(taken) - len(sink.outcomes))
            yield item

    run(mode, source(), film, sink, performer(), Wire(fine), workers=4)
    assert len(sink.outcomes) == 60
    assert max(held) <= (1 if mode == "sequential" else 4)


@each_mode
def test_as_many_are_at_work_as_there_are_workers(mode):
    using, began = performer(kind=Watching), []

    def flow(item):
        began.append(item.key)
        yield from hour_long(item)

    running = Background(run_flows, mode, items(50), flow, Kept(), using, Wire(fine), workers=4)
    workers = 1 if mode == "sequential" else 4
    using.until_waiting(workers)
    using.stop.set()
    assert running.end() is None
    assert sorted(began) == [item.key for item in items(workers)]


@each_mode
def test_an_endless_source_ends_with_the_stop(mode):
    stop = Stop()
    sink = Kept(lambda _outcome: stop.set() if len(sink.outcomes) == 20 else None)
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield Item(str(number))

    run(mode, endless(), film, sink, performer(stop=stop), Wire(fine))
    assert 20 <= len(sink.outcomes) <= len(taken) <= 20 + 3


@each_mode
def test_a_run_that_was_stopped_before_it_began_asks_nothing(mode):
    stop, sink, wire = Stop(), Kept(), Wire(fine)
    stop.set()
    run(mode, items(5), film, sink, performer(stop=stop), wire)
    assert (sink.outcomes, wire.sent) == ([], [])


@each_mode
def test_one_asks_for_many(mode):
    sink, wire = Kept(), Wire(fine)
    run(mode, items(20), asking(detail()), sink, performer(), wire, workers=10)
    assert len(wire.sent) == 1
    assert sorted(outcome.effort.hits for outcome in sink.outcomes) == [0] + [1] * 19


@each_mode
def test_where_the_leader_fails_the_next_one_leads(mode):
    count = itertools.count(1)
    sink = Kept()
    wire = Wire(lambda _request: answered(404) if next(count) == 1 else answered())
    run(mode, items(20), asking(detail()), sink, performer(), wire, workers=10)
    assert sorted(outcome.status for outcome in sink.outcomes) == ["enriched"] * 19 + ["failed"]
    assert len(wire.sent) == 2


# ── errors that are more than an item's ─────────────────────────────────────────────────────────────────────────────


def hour_long(item):
    """A flow that backs off for an hour."""
    yield Wait(HOUR_S)


def flows(kinds):
    """Begins for each item, by its key, the flow that stands for it."""
    return lambda item: kinds[item.key](item)


@at_once
def test_a_worker_that_fails_ends_all_others_at_once(mode):
    using = performer(kind=Watching)
    sink, began = Kept(), []

    def refused(item):
        began.append(item.key)
        yield Wait(0.0)
        raise KeyRefused("films", "HTTP 401")

    def waiting(item):
        began.append(item.key)
        yield from hour_long(item)

    def source():
        yield from [Item("waits"), Item("waits too"), Item("refused")]
        yield from items(100)

    kinds = {"waits": waiting, "waits too": waiting, "refused": refused, **dict.fromkeys(map(str, range(100)), waiting)}
    error = Background(run_flows, mode, source(), flows(kinds), sink, using, Wire(fine)).end()
    assert isinstance(error, KeyRefused)
    assert using.stop.reason is error
    assert began == ["waits", "waits too", "refused"]
    assert sink.outcomes == []


@each_mode
def test_an_error_of_the_source_ends_the_run_and_is_told(mode):
    def source():
        yield from items(3)
        raise OSError("the list is gone")

    using, sink = performer(), Kept()
    with pytest.raises(OSError, match="the list is gone") as failed:
        run(mode, source(), film, sink, using, Wire(fine))
    assert using.stop.reason is failed.value


@each_mode
def test_an_error_of_the_sink_ends_the_run_and_is_told(mode):
    def full(_outcome):
        raise OSError("the disk is full")

    using = performer()
    with pytest.raises(OSError, match="the disk is full") as failed:
        run(mode, items(10), film, Kept(full), using, Wire(fine))
    assert using.stop.reason is failed.value


@each_mode
def test_a_service_that_is_given_up_ends_the_run(mode):
    gate = Gate()
    gate.pause_until(FILMS, time.monotonic() + 10 * HOUR_S, "HTTP 429")
    with pytest.raises(ServiceDown, match="HTTP 429"):
        run(mode, items(3), film, Kept(), performer(gate=gate), Wire(fine))


@each_mode
def test_a_mistake_in_a_transport_is_told_and_not_taken_for_an_answer(mode):
    def broken(_request):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run(mode, items(3), film, Kept(), performer(), Wire(broken))


# ── a stop during each kind of wait ─────────────────────────────────────────────────────────────────────────────────


def permit(item):
    yield Permit(NARROW, "narrow.test")


def recall(item):
    yield Recall("key", FILMS.lifetimes["detail"])


def compute(item):
    yield Compute(time.sleep, (HOUR_S,), timeout_s=HOUR_S)


WAITS = {"for a permit": permit, "in a back-off": hour_long, "for another's answer": recall, "for work": compute}


@each_mode
@pytest.mark.parametrize("flow", WAITS.values(), ids=WAITS)
def test_a_stop_ends_a_wait_and_gives_back_what_was_held(mode, flow, processes, monkeypatch):
    grace(monkeypatch, HOUR_S)
    using = performer(kind=Watching, processes=processes)
    using.gate.ask(Ticket(NARROW, "narrow.test"), using.clock())  # the only one of this hour
    recalled = using.memory.recall("key", FILMS.lifetimes["detail"])  # and somebody else is finding out
    sink = Kept()
    running = Background(run_flows, mode, items(5), flow, sink, using, Wire(fine))
    using.until_waiting(1 if mode == "sequential" else 3)
    using.stop.set()
    assert running.end() is None
    assert isinstance(recalled, Lead)
    assert sink.outcomes == []
    assert using.gate._lanes["narrow"].queue == []


@at_once
def test_one_who_leaves_does_not_take_the_answer_from_those_who_wait_with_him(mode):
    """The wait for a leader is shared: a run that is stopped must not end it for another run."""
    memory = Memory(lambda: 0.0)
    memory.recall("key", FILMS.lifetimes["detail"])
    stopped, other = (performer(memory=memory, kind=Watching) for _ in range(2))
    sink = Kept()

    def known(item):
        return (yield Recall("key", FILMS.lifetimes["detail"]))

    leaving = Background(run_flows, mode, items(1), known, Kept(), stopped, Wire(fine))
    staying = Background(run_flows, mode, items(1), known, sink, other, Wire(fine))
    stopped.until_waiting(1)
    other.until_waiting(1)
    stopped.stop.set()
    assert leaving.end() is None
    memory.settle("key", Remembered(200, b"{}"))
    assert staying.end() is None
    assert [known.remembered.body for known in sink.outcomes] == [b"{}"]


def test_work_that_a_stop_ended_is_killed(processes):
    """In tasks as in threads: else it would hold its process for an hour."""
    for mode in ("threaded", "async"):
        using = performer(kind=Watching, processes=processes)
        running = Background(run_flows, mode, items(1), compute, Kept(), using, Wire(fine), workers=1)
        using.until_waiting(1)
        using.stop.set()
        assert running.end() is None
        assert processes.submit(Compute(pow, (2, 3))).result(PATIENCE_S) == 8


# ── a stop with requests in flight ──────────────────────────────────────────────────────────────────────────────────


def grace(monkeypatch, seconds):
    monkeypatch.setattr(threaded, "GRACE_S", seconds)
    monkeypatch.setattr(asynchronous, "GRACE_S", seconds)


@each_mode
def test_what_is_in_flight_is_cut_after_the_grace_time_and_its_item_stays_as_it_was(mode, monkeypatch):
    """Even on its last attempt: that we cut it is no failure of the item."""
    grace(monkeypatch, 0.02)
    using, sink = performer(kind=Watching), Kept()

    def one_attempt(item):
        try:
            yield Send(get("/movie/1"))
        except TransportError:
            return "the item paid for it"

    running = Background(run_flows, mode, items(5), one_attempt, sink, using, Wire(lambda _request: STUCK))
    using.until_waiting(1 if mode == "sequential" else 3)
    using.stop.set()
    assert running.end() is None
    assert sink.outcomes == []


@each_mode
def test_what_is_answered_within_the_grace_time_is_kept(mode, monkeypatch):
    grace(monkeypatch, HOUR_S)
    using, sink = performer(), Kept()

    def answer(_request):
        using.stop.set()
        return answered()

    run(mode, items(5), film, sink, using, Wire(answer))
    assert 1 <= len(sink.outcomes) <= 3
    assert {outcome.status for outcome in sink.outcomes} == {"enriched"}


@each_mode
def test_what_fails_within_the_grace_time_is_not_tried_again(mode):
    using, sink = performer(), Kept()

    def answer(_request):
        using.stop.set()
        return answered(500)

    wire = Wire(answer)
    run(mode, items(5), film, sink, using, wire)
    assert sink.outcomes == []
    assert len(wire.sent) <= 3


def test_a_wait_that_begins_after_the_stop_is_over_at_once():
    """A flow may come to it late: its answer arrived within the grace time."""

    async def late():
        waits = Waits(asyncio.get_running_loop())
        waits.interrupt()
        with pytest.raises(Interrupted):
            await waits.nap(HOUR_S)

    asyncio.run(late())


def test_a_thread_that_cant_be_stopped_is_left_behind(monkeypatch):
    """It looks up a name, say: no socket can be shut yet."""
    grace(monkeypatch, 0.02)
    deaf, sink = threading.Event(), Kept()
    using = performer(kind=Watching)

    def answer(_request):
        assert deaf.wait(PATIENCE_S)
        return answered()

    running = Background(run, "threaded", items(5), film, sink, using, Wire(answer))
    using.until_waiting(3)
    using.stop.set()
    assert running.end() is None
    assert sink.outcomes == []
    deaf.set()


@each_mode
def test_ctrl_c_in_the_very_thread_of_the_run_ends_it(mode, monkeypatch):
    """Where no handler turns it into a stop: a program that uses the library as it is."""
    grace(monkeypatch, 0.02)
    using, main, count = performer(), threading.main_thread().ident, itertools.count(1)

    def answer(_request):
        if next(count) == 5:
            signal.pthread_kill(main, signal.SIGINT)
        return answered()

    with pytest.raises(KeyboardInterrupt):
        run(mode, (Item(str(number)) for number in itertools.count()), film, Kept(), using, Wire(answer))
    assert using.stop.is_set()


# ── tasks that are cancelled ────────────────────────────────────────────────────────────────────────────────────────


async def turned(until):
    """Let the loop turn until something holds."""
    for _ in range(1000):
        if until():
            return
        await asyncio.sleep(0)
    raise AssertionError("what the test waits for does not come")


async def cancelled(flow, using, wire):
    """Drive a flow in a task, cancel it where it waits, and let the loop turn."""
    async with wire.opened() as transport:
        waits = Waits(asyncio.get_running_loop())
        task = asyncio.create_task(asynchronous.drive(flow, using, transport, waits))
        await turned(lambda: using.waited.acquire(blocking=False))
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), waits._open


@pytest.mark.parametrize("what", ["permit", "send"])
def test_a_cancelled_task_gives_back_its_place_and_its_lead(what):
    """The task of somebody who calls our coroutine in his own program, and loses patience."""
    gate = Gate()
    service = Service("narrow", NARROW.base_url, NARROW.windows, lifetimes=FILMS.lifetimes)
    using = performer(kind=Watching, gate=gate)
    if what == "permit":
        gate.ask(Ticket(service, "narrow.test"), using.clock())
    request = detail(service=service)
    flow = enrich_item(Item("1"), asking(request), QUICK)
    assert asyncio.run(cancelled(flow, using, Wire(lambda _request: STUCK))) == (True, set())
    assert gate._lanes["narrow"].queue == []
    assert using.memory._leads == {}
    assert flow.gi_frame is None  # closed: what the recipe opened is closed too


def test_a_task_that_leads_and_is_cancelled_makes_room_for_one_who_waits():
    using = performer(kind=Watching)
    count = itertools.count(1)
    wire = Wire(lambda _request: STUCK if next(count) == 1 else answered())

    async def two():
        async with wire.opened() as transport:
            waits = Waits(asyncio.get_running_loop())

            def ask(key):
                flow = enrich_item(Item(key), asking(detail()), QUICK)
                return asyncio.create_task(asynchronous.drive(flow, using, transport, waits))

            leader = ask("leads")
            await turned(lambda: wire.sent)
            waiter = ask("waits")
            await turned(lambda: all(using.memory._leads.values()))
            leader.cancel()
            return await asyncio.wait_for(waiter, PATIENCE_S)

    assert asyncio.run(two()).status == "enriched"
    assert len(wire.sent) == 2


def test_a_task_of_a_run_that_somebody_else_cancels_is_told():
    """No stop was set: then it is no end of ours, and must not pass for one."""

    def answer(_request):
        asyncio.current_task().cancel()
        return answered()

    with pytest.raises(asyncio.CancelledError):
        run("async", items(5), film, Kept(), performer(), Wire(answer), workers=1)


def test_a_stop_that_comes_after_the_loop_has_ended_does_no_harm():
    using = performer()
    run("async", items(1), film, Kept(), using, Wire(fine))
    using.stop.set()
    assert using.stop.is_set()


def test_a_leader_that_settles_after_the_waits_have_ended_disturbs_no_loop(caplog):
    """It goes on for the grace time, while those who waited for it are gone; and its word may come when the loop is."""
    memory = Memory(lambda: 0.0)
    lifetime = FILMS.lifetimes["detail"]

    async def leave(key):
        memory.recall(key, lifetime)
        waits = Waits(asyncio.get_running_loop())
        wait = asyncio.create_task(waits.on(memory.recall(key, lifetime).settled))
        await asyncio.sleep(0)
        waits.interrupt()
        with pytest.raises(Interrupted):
            await wait
        if key == "within":
            memory.settle(key, None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(leave("within"))
    asyncio.run(leave("after"))
    memory.settle("after", None)
    assert caplog.records == []


# ── the sink ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Full(Kept):
    """A sink that takes nothing at once; the first `put` waits until the second has come."""

    def __init__(self):
        super().__init__()
        self.offered = []
        self.second = threading.Event()
        self.numbers = itertools.count(1)

    def offer(self, outcome):
        self.offered.append(outcome.item.key)
        return False

    def put(self, outcome):
        if next(self.numbers) == 1:
            assert self.second.wait(PATIENCE_S)
        else:
            self.second.set()
        super().put(outcome)


@at_once
def test_a_sink_that_is_full_holds_its_worker_and_no_other(mode):
    """In tasks above all: a wait in the loop's own thread would hold all of them, and this would never end."""
    sink = Full()
    run(mode, items(6), film, sink, performer(), Wire(fine))
    assert sorted(sink.keys) == ["0", "1", "2", "3", "4", "5"]
    assert sorted(sink.offered) == (["0", "1", "2", "3", "4", "5"] if mode == "async" else [])


@each_mode
def test_a_sink_that_is_full_holds_the_source_back(mode):
    taken, door = [], threading.Semaphore(0)
    using, sink = performer(), Kept(lambda _outcome: door.acquire(timeout=PATIENCE_S))
    sink.offer = lambda _outcome: False
    arrived = threading.Semaphore(0)

    def put(outcome):
        arrived.release()
        Kept.put(sink, outcome)

    sink.put = put

    def source():
        for item in items(30):
            taken.append(item)
            yield item

    running = Background(run, mode, source(), film, sink, using, Wire(fine))
    workers = 1 if mode == "sequential" else 3
    for _ in range(workers):
        assert arrived.acquire(timeout=PATIENCE_S)
    assert len(taken) == workers
    door.release(30)
    assert running.end() is None
    assert len(sink.outcomes) == 30


# ── work in other processes ─────────────────────────────────────────────────────────────────────────────────────────


def computing(item):
    """A recipe that hands out work and lives with what becomes of it."""
    told = {"sum": (yield Compute(sum, ((1, 2, 3),))), "elsewhere": (yield Compute(os.getpid)) != os.getpid()}
    try:
        yield Compute(math.sqrt, (-1,))
    except ValueError as error:
        told["raised"] = str(error)
    try:
        yield Compute(time.sleep, (HOUR_S,), timeout_s=0.05)
    except TimeoutError:
        told["killed"] = True
    return told


@each_mode
def test_work_is_done_in_another_process_and_what_becomes_of_it_is_told_to_the_recipe(mode, processes):
    sink = Kept()
    run(mode, items(1), computing, sink, performer(processes=processes), Wire(fine))
    (outcome,) = sink.outcomes
    assert outcome.error is None
    assert outcome.record == {"sum": 6, "elsewhere": True, "raised": "math domain error", "killed": True}


@each_mode
def test_work_that_fails_fails_its_item_and_no_other(mode, processes):
    def recipe(item):
        yield Compute(math.sqrt, (int(item.key) - 1,))
        return {"fine": True}

    sink = Kept()
    run(mode, items(3), recipe, sink, performer(processes=processes), Wire(fine))
    told = {outcome.item.key: (outcome.status, outcome.error) for outcome in sink.outcomes}
    assert told == {
        "0": ("failed", "the recipe raised ValueError: math domain error"),
        "1": ("enriched", None),
        "2": ("enriched", None),
    }


# ── one flow ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Closing:
    """A flow that tells when it is closed."""

    def __init__(self):
        self.closed = False

    def __call__(self, item):
        try:
            yield Send(get("/movie/1"))
            return "whole"
        finally:
            self.closed = True


@each_mode
def test_a_flow_is_closed_whatever_ends_it(mode):
    """So a recipe's own `finally` runs, and runs in time."""
    flow = Closing()

    def broken(_request):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        run_flows(mode, items(1), flow, Kept(), performer(), Wire(broken))
    assert flow.closed


@each_mode
def test_a_failed_attempt_reaches_the_flow_and_counts_as_one(mode):
    def lost(_request):
        raise TransportError("connection lost")

    def flow(item):
        try:
            yield Send(get("/movie/1"))
        except TransportError as error:
            yield Wait(0.0)
            return error.cause

    sink = Kept()
    sink.put = sink.outcomes.append
    sink.offer = lambda cause: sink.outcomes.append(cause) or True
    run_flows(mode, items(2), flow, sink, performer(), Wire(lost))
    assert sink.outcomes == ["connection lost"] * 2
