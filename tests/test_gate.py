"""The gate: in order, on time, for everyone, and told the time."""

import asyncio
import bisect
import heapq
import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from core_world import QUICK, answered, asking, get, play
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.core.circuit import Patience
from enricher.core.effects import Book, Permit, Send
from enricher.core.gate import GO, LONGEST_PAUSE_S, RECHECK_S, Again, Gate, Go, Health, Hold, Ticket
from enricher.core.hosts import HOST_PATIENCE, HOSTS_KEPT, REPORT_S
from enricher.core.limits import GUARD_S
from enricher.core.pausing import Standing
from enricher.errors import ServiceDown, TransportError
from enricher.memory import Memory
from enricher.model import Hints, PerHost, Request, Service, Window
from enricher.modes.performer import AT_ONCE_S, Held, Nap, Performer, Stop
from enricher.processes import Processes

HOST = "api.test"


def service(*windows, **more):
    return Service("api", f"https://{HOST}", windows=windows, **more)


def ticket(api, host=HOST):
    return Ticket(api, host)


def granted(gate, tickets, now):
    """Which of these tickets may go, asked in this order."""
    return [number for number, each in enumerate(tickets) if gate.ask(each, now) is GO]


def may_go(gate, api, now, host=HOST):
    """Whether a newcomer may go; one who may not leaves again."""
    newcomer = ticket(api, host)
    if gate.ask(newcomer, now) is GO:
        return True
    gate.leave(newcomer)
    return False


def empty_quota(gate, api, now=0.0):
    """Use the quota up; the tickets that were let go."""
    gone = []
    while gate.ask(each := ticket(api), now) is GO:
        gone.append(each)
    gate.leave(each)
    return gone


def when_granted(gate, each, now):
    """Ask as a performer does: sleep as long as one is told, ask again."""
    while isinstance(verdict := gate.ask(each, now), Again):
        now += verdict.seconds
    return now


# ── in order ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_jumps_the_queue():
    gate, api = Gate(), service(Window(2, 1.0))
    empty_quota(gate, api)
    waiting = [ticket(api) for _ in range(3)]
    assert granted(gate, waiting, 0.5) == []
    late = ticket(api)
    assert granted(gate, [late], 1.1) == []  # two permits are free, and three tickets stand before it
    assert granted(gate, waiting, 1.1) == [0, 1]
    assert gate.waiting() == 2


def test_a_late_waker_does_not_hold_up_those_behind():
    """Two permits are free and two wait: the second may go though the first still sleeps; the third may not."""
    gate, api = Gate(), service(Window(2, 1.0))
    empty_quota(gate, api)
    first, second, third = (ticket(api) for _ in range(3))
    granted(gate, [first, second, third], 0.5)
    assert granted(gate, [third], 1.1) == []
    assert granted(gate, [second], 1.1) == [0]
    assert granted(gate, [third], 1.1) == []
    assert granted(gate, [first], 1.2) == [0]


def test_an_asker_who_asks_often_gets_no_more_than_one_who_sleeps_well():
    """A thread asks when the gate told it to, an eager task all the time: they are served in turn all the same."""
    gate, api = Gate(), service(Window(1, 1.0))
    empty_quota(gate, api)
    thread, task = ticket(api), ticket(api)
    served, thread_wakes, now = [], 0.0, 0.0
    while len(served) < 8:
        now += 0.01
        if gate.ask(task, now) is GO:
            served.append("task")
            task = ticket(api)
        if now >= thread_wakes:
            verdict = gate.ask(thread, now)
            if verdict is GO:
                served.append("thread")
                thread = ticket(api)
                verdict = gate.ask(thread, now)
            thread_wakes = now + verdict.seconds
    assert served == ["task", "thread"] * 4


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 9), max_size=80), st.integers(1, 4))
def test_who_asked_first_goes_no_later_than_who_asked_after_him_and_wakes_as_often(wakes, limit):
    """In whatever order sleepers wake: a ticket never goes while as many tickets stand before it as permits are free."""
    gate, api = Gate(guard_s=0.0), service(Window(limit, 1.0))
    empty_quota(gate, api)
    tickets = [ticket(api) for _ in range(10)]
    granted(gate, tickets, 0.0)
    waiting, now, free = list(range(10)), 1.0, limit
    for number in wakes:
        if number not in waiting:
            continue
        place = waiting.index(number)
        may_go = place < free
        assert (gate.ask(tickets[number], now) is GO) == may_go
        if may_go:
            waiting.remove(number)
            free -= 1
        if not free:
            now, free = now + 1.0, limit


def test_a_hundred_threads_get_no_more_permits_than_there_are():
    gate, api = Gate(), service(Window(40, 10.0))
    start, gone, lock = threading.Barrier(100), [], threading.Lock()

    def ask():
        mine = ticket(api)
        start.wait()
        if gate.ask(mine, 0.0) is GO:
            with lock:
                gone.append(mine)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(gone), gate.waiting()) == (40, 60)


class SharedClock:
    """A virtual clock for real threads and real tasks: it moves to the next moment when all of them sleep."""

    def __init__(self, sleepers):
        self.now = 0.0
        self._awake = sleepers
        self._alarms = []
        self._lock = threading.Lock()

    def alarm(self, seconds, ring):
        """Ring after so many seconds; who asked for it sleeps until then."""
        with self._lock:
            self._alarms.append((self.now + seconds, ring))
            self._fell_asleep()

    def leave(self):
        """One who sleeps no more."""
        with self._lock:
            self._fell_asleep()

    def _fell_asleep(self):
        self._awake -= 1
        if self._awake or not self._alarms:
            return
        self.now = min(when for when, _ in self._alarms)
        due = [alarm for alarm in self._alarms if alarm[0] == self.now]
        self._alarms = [alarm for alarm in self._alarms if alarm[0] > self.now]
        self._awake = len(due)
        for _, ring in due:
            ring()

    def sleep(self, seconds):
        """In a thread."""
        rung = threading.Event()
        self.alarm(seconds, rung.set)
        assert rung.wait(20.0)

    async def sleep_in_a_task(self, seconds):
        loop = asyncio.get_running_loop()
        rung = loop.create_future()
        self.alarm(seconds, lambda: loop.call_soon_threadsafe(rung.set_result, None))
        await asyncio.wait_for(rung, 20.0)


def test_threads_and_tasks_are_served_in_turn():
    """Real threads and a real event loop share one gate: each round serves everybody once, in the order of the first."""
    gate, api, rounds = Gate(guard_s=0.0), service(Window(1, 1.0)), 5
    threads, tasks = [f"thread {number}" for number in range(4)], [f"task {number}" for number in range(4)]
    everybody = len(threads) + len(tasks)
    clock, served = SharedClock(everybody), []
    empty_quota(gate, api)  # so that all have asked before the first may go

    def naps(name):
        for _ in range(rounds):
            each = ticket(api)
            while isinstance(verdict := gate.ask(each, clock.now), Again):
                yield verdict.seconds
            served.append((each.granted_at, name))
        clock.leave()

    def thread(name):
        for seconds in naps(name):
            clock.sleep(seconds)

    async def task(name):
        for seconds in naps(name):
            await clock.sleep_in_a_task(seconds)

    async def all_tasks():
        await asyncio.gather(*[task(name) for name in tasks])

    with ThreadPoolExecutor(len(threads)) as pool:
        running = [pool.submit(thread, name) for name in threads]
        asyncio.run(all_tasks())
        for each in running:
            each.result(20.0)
    moments, order = zip(*sorted(served), strict=True)
    assert moments == pytest.approx([1.0 + second for second in range(everybody * rounds)])
    assert sorted(order[:everybody]) == sorted(threads + tasks)
    assert order == order[:everybody] * rounds


def test_who_leaves_gives_his_place_back():
    """Else those behind would wait for a ticket that never asks again: a cancelled task must not slow the others."""
    gate, api = Gate(), service(Window(1, 1.0))
    empty_quota(gate, api)
    first, second = ticket(api), ticket(api)
    granted(gate, [first, second], 0.5)
    assert granted(gate, [second], 1.1) == []
    gate.leave(first)
    assert gate.waiting() == 1
    assert granted(gate, [second], 1.1) == [0]
    gate.leave(second)
    gate.leave(first)  # once more does no harm
    assert gate.waiting() == 0


def test_who_leaves_with_his_permit_has_used_it():
    """His request may be on its way."""
    gate, api = Gate(), service(Window(1, 1.0))
    (gone,) = empty_quota(gate, api)
    gate.leave(gone)
    assert not may_go(gate, api, 0.5)


def test_a_ticket_knows_how_long_it_waited():
    gate, api = Gate(), service(Window(1, 1.0))
    empty_quota(gate, api)
    mine = ticket(api)
    when_granted(gate, mine, 0.25)
    assert mine.asked_at == 0.25
    assert mine.granted_at == pytest.approx(1.0 + GUARD_S)


def test_nobody_sleeps_longer_than_the_recheck():
    gate, api = Gate(), service(Window(1, 3600.0))
    empty_quota(gate, api)
    assert gate.ask(ticket(api), 0.0) == Again(RECHECK_S)


def test_services_do_not_wait_for_each_other():
    gate, api = Gate(), service(Window(1, 1.0))
    empty_quota(gate, api)
    assert granted(gate, [ticket(Service("other", "https://other.test", windows=(Window(1, 1.0),)))], 0.0) == [0]


def test_a_service_without_a_quota_is_never_held():
    gate, api = Gate(), service()
    assert all(isinstance(gate.ask(ticket(api), 0.0), Go) for _ in range(1000))


def test_a_burst_is_followed_by_the_pace_and_the_window_holds_all_the_same():
    """10/s with a burst of 5: ten have left after half a second, so the bucket's next must wait for the window."""
    gate, api = Gate(guard_s=0.0), service(Window(10, 1.0), burst=5)
    now = 0.0
    left_at = [now := when_granted(gate, ticket(api), now) for _ in range(17)]
    paced = [0.1, 0.2, 0.3, 0.4, 0.5]
    assert left_at == pytest.approx([0.0] * 5 + paced + [1.0] * 5 + [1.1, 1.2])


def test_a_fixed_window_service_goes_through_the_same_gate():
    gate, api = Gate(), service(Window(2, 10.0), limiter="fixed")
    now = 3.0
    left_at = [now := when_granted(gate, ticket(api), now) for _ in range(5)]
    assert left_at == [3.0, 3.0, 13.0, 13.0, 23.0]


# ── pauses ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pause_holds_those_who_wait_already():
    """A 429 stops everyone: who was told "in 0.2 s" asks again, and is told to wait on."""
    gate, api = Gate(), service(Window(1, 1.0))
    (gone,) = empty_quota(gate, api)
    waiting = ticket(api)
    granted(gate, [waiting], 0.5)
    gate.report(gone, 0.6, Health.NO_NEWS, pause_s=5.0, reason="HTTP 429")
    assert gate.holds(1.6) == [Hold("api", "HTTP 429", pytest.approx(4.0))]
    assert granted(gate, [waiting, ticket(api)], 5.59) == []
    assert granted(gate, [waiting], 5.6) == [0]
    assert gate.holds(5.6) == []


def test_a_pause_is_never_shortened():
    """Two answers may ask for different pauses: the longer one holds, in whatever order they come."""
    gate, api = Gate(), service()
    gate.pause_until(api, 9.0, "HTTP 429")
    gate.pause_until(api, 3.0, "HTTP 503")
    assert gate.holds(0.0) == [Hold("api", "HTTP 429", 9.0)]
    assert not may_go(gate, api, 8.9)
    assert may_go(gate, api, 9.0)


def test_a_pause_until_a_moment_moves_those_who_wait_already():
    gate, api = Gate(), service(Window(1, 1.0))
    empty_quota(gate, api)
    waiting = [ticket(api) for _ in range(2)]
    granted(gate, waiting, 0.5)
    gate.pause_until(api, 7.0, "asked by a person")
    assert granted(gate, waiting, 6.9) == []
    assert gate.holds(6.9) == [Hold("api", "asked by a person", pytest.approx(0.1))]
    assert granted(gate, waiting, 7.0) == [0]


def test_after_a_pause_the_order_is_the_same():
    gate, api = Gate(), service(Window(2, 1.0))
    gate.pause_until(api, 9.0, "HTTP 429")
    waiting = [ticket(api) for _ in range(3)]
    granted(gate, waiting, 0.0)
    assert granted(gate, reversed(waiting), 9.0) == [1, 2]


def test_a_pause_longer_than_anybody_waits_ends_the_job_and_says_why():
    gate, api = Gate(), service()
    gate.pause_until(api, LONGEST_PAUSE_S, "HTTP 429")
    mine = ticket(api)
    assert granted(gate, [mine], 0.0) == []
    gate.pause_until(api, LONGEST_PAUSE_S + 3600.0, "HTTP 429")
    with pytest.raises(ServiceDown, match=r"^api: HTTP 429, for 4500 s more; try again later$"):
        gate.ask(mine, 0.0)
    gate.leave(mine)
    assert gate.waiting() == 0


# ── another rate ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_higher_rate_is_felt_at_once_by_those_who_wait():
    gate, api = Gate(), service(Window(1, 10.0))
    empty_quota(gate, api)
    waiting = [ticket(api) for _ in range(5)]
    assert granted(gate, waiting, 1.0) == []
    gate.set_rate(api, [Window(4, 10.0)])
    assert granted(gate, waiting, 1.25) == [0, 1, 2]  # one of the four was sent before


def test_a_lower_rate_is_felt_at_once_by_those_who_wait():
    gate, api = Gate(), service(Window(4, 1.0))
    empty_quota(gate, api)
    waiting = [ticket(api) for _ in range(3)]
    granted(gate, waiting, 0.5)
    gate.set_rate(api, [Window(1, 10.0)])
    assert granted(gate, waiting, 1.5) == []
    assert granted(gate, waiting, 10.0 + GUARD_S) == [0]


def test_what_has_just_been_sent_still_counts_after_a_new_rate():
    gate, api = Gate(), service(Window(4, 10.0))
    empty_quota(gate, api)
    gate.set_rate(api, [Window(4, 10.0), Window(3, 1.0)])
    assert not may_go(gate, api, 9.0)
    assert len(empty_quota(gate, api, 10.0 + GUARD_S)) == 3


def test_an_answer_from_before_the_new_rate_does_no_harm():
    gate, api = Gate(), service(Window(1, 10.0))
    (gone,) = empty_quota(gate, api)
    gate.set_rate(api, [Window(1, 1.0)])
    gate.report(gone, 0.01, Health.ALIVE)
    assert not may_go(gate, api, 1.0)
    assert may_go(gate, api, 1.1 + GUARD_S)


def test_a_service_can_be_given_a_rate_that_had_none():
    gate, api = Gate(), service()
    granted(gate, [ticket(api)], 0.0)
    gate.set_rate(api, [Window(2, 1.0)])
    assert len(empty_quota(gate, api)) == 2


@pytest.mark.parametrize(
    ("more", "first", "later"),
    [({"burst": 2}, 2, [2.0, 4.0]), ({"limiter": "fixed"}, 6, [10.0, 10.0]), ({}, 6, [10.0 + GUARD_S] * 2)],
    ids=["bucket", "fixed", "sliding"],
)
def test_however_an_api_counts_a_new_rate_forgets_nothing(more, first, later):
    gate, api = Gate(), service(Window(6, 10.0), **more)
    assert len(empty_quota(gate, api)) == first
    gate.set_rate(api, [Window(5, 10.0)])
    now = 0.0
    left_at = [now := when_granted(gate, ticket(api), now) for _ in later]
    assert left_at == pytest.approx(later)


def test_a_rate_can_be_lifted():
    gate, api = Gate(), service(Window(1, 1.0))
    empty_quota(gate, api)
    gate.set_rate(api, [])
    assert granted(gate, [ticket(api) for _ in range(9)], 0.0) == list(range(9))


# ── silent hosts ────────────────────────────────────────────────────────────────────────────────────────────────────


IMPATIENT = Patience(failures=2, first_open_s=1.0, longest_open_s=4.0, outage_s=10.0, silence_s=5.0)


def silent(gate, api, now=0.0, host=HOST):
    """Let a host fail until its circuit is open."""
    for _ in range(IMPATIENT.failures):
        each = ticket(api, host)
        gate.ask(each, now)
        gate.report(each, now, Health.FAILING)


def test_a_silent_host_is_held_and_then_probed_by_one():
    gate, api = Gate(patience=IMPATIENT), service()
    silent(gate, api)
    waiting = [ticket(api) for _ in range(3)]
    assert granted(gate, waiting, 0.9) == []
    assert gate.holds(0.9) == [Hold("api", f"{HOST} does not answer", pytest.approx(0.1))]
    assert granted(gate, waiting, 1.0) == [0]
    assert [each.probe for each in waiting] == [True, False, False]
    gate.report(waiting[0], 1.2, Health.ALIVE)
    assert granted(gate, waiting[1:], 1.2) == [0, 1]
    assert gate.holds(1.2) == []


def test_other_hosts_of_the_service_go_on():
    gate, api = Gate(patience=IMPATIENT), service()
    silent(gate, api)
    assert granted(gate, [ticket(api), ticket(api, "mirror.test")], 0.5) == [1]


@pytest.mark.parametrize("health", [Health.ALIVE, Health.NO_NEWS])
def test_a_host_that_answers_a_probe_is_back_even_with_not_now(health):
    gate, api = Gate(patience=IMPATIENT), service()
    silent(gate, api)
    probe = ticket(api)
    when_granted(gate, probe, 0.0)
    gate.report(probe, 2.0, health)
    assert may_go(gate, api, 2.0)


def test_a_probe_whose_flow_ends_early_is_given_back():
    gate, api = Gate(patience=IMPATIENT), service()
    silent(gate, api)
    probe, next_one = ticket(api), ticket(api)
    assert granted(gate, [probe, next_one], 1.0) == [0]
    gate.leave(probe)
    assert granted(gate, [next_one], 1.0) == [0]
    assert next_one.probe


def test_a_probe_that_ends_early_after_a_new_job_began_does_no_harm():
    """The gate outlives a job; the new job's fresh start must not make the old one's end fail."""
    gate, api = Gate(patience=IMPATIENT), service()
    silent(gate, api)
    probe = ticket(api)
    when_granted(gate, probe, 0.0)
    gate.revive()
    gate.leave(probe)
    assert may_go(gate, api, 1.0)


def test_a_host_that_stays_silent_is_given_up_and_a_new_job_gives_it_another_chance():
    gate, api = Gate(patience=IMPATIENT), service()
    silent(gate, api)
    now = 0.0

    def probe_for_ever():
        nonlocal now
        while True:
            probe = ticket(api)
            now = when_granted(gate, probe, now)
            gate.report(probe, now, Health.FAILING)

    with pytest.raises(ServiceDown, match=rf"^api: no answer from {HOST} for 5 s$"):
        probe_for_ever()
    gate.revive()
    assert may_go(gate, api, now)


def test_news_of_a_host_nobody_has_seen_fail_opens_nothing():
    gate, api = Gate(patience=IMPATIENT), service()
    for health in (Health.NO_NEWS, Health.ALIVE, Health.NO_NEWS):
        each = ticket(api)
        gate.ask(each, 0.0)
        gate.report(each, 0.0, health)
    assert gate.holds(0.0) == []


def test_an_attempt_that_failed_proves_no_arrival():
    """A request that timed out may still be on its way: its slot stays taken for the guard's time as well."""
    gate, api = Gate(), service(Window(1, 1.0))
    (gone,) = empty_quota(gate, api)
    gate.report(gone, 0.01, Health.FAILING)
    assert not may_go(gate, api, 1.05)
    assert may_go(gate, api, 1.06)


def test_the_beginning_of_an_answer_proves_the_arrival():
    """A stream takes as long as the model writes, but its request was there when it began."""
    gate, api = Gate(), service(Window(1, 1.0))
    (gone,) = empty_quota(gate, api)
    gate.report(gone, 0.9, Health.ALIVE, first_byte_at=0.01)
    assert not may_go(gate, api, 1.01)
    assert may_go(gate, api, 1.0111)


class Leaving:
    """A request between its permit and the wire, as a performer carries it out, whose clock goes on in between."""

    def __init__(self, gate, api):
        self.now, self.held, self.send = 0.0, Held(), Send(Request(api, "/"))
        self.performer = Performer(gate, Memory(lambda: 0.0), Stop(), Processes(), clock=lambda: self.now)
        self.performer.step(Permit(api, HOST), self.held)

    def at(self, now):
        """Try to leave; how long it has to wait, None if it has left."""
        self.now = now
        step = self.performer.step(self.send, self.held)
        assert step is self.send or (isinstance(step, Nap) and step.again)
        return None if step is self.send else step.seconds


@pytest.mark.parametrize(("leaves_at", "free_at"), [(AT_ONCE_S, 1.0 + GUARD_S), (0.2, 1.2 + GUARD_S)])
def test_what_leaves_later_than_it_was_let_go_holds_its_place_longer(leaves_at, free_at):
    gate, api = Gate(), service(Window(1, 1.0))
    assert Leaving(gate, api).at(leaves_at) is None
    assert not may_go(gate, api, free_at - 0.001)
    assert may_go(gate, api, free_at + 0.001)


def test_a_permit_that_has_become_too_old_is_none():
    """Its place is another's by now: so it waits for one like everybody else."""
    gate, api = Gate(), service(Window(2, 0.5))
    old = [Leaving(gate, api) for _ in range(2)]
    assert len(empty_quota(gate, api, 0.6)) == 2
    assert old[0].at(0.6) > 0
    assert old[1].at(0.6) > 0
    assert old[0].at(1.2) is None
    assert old[1].at(1.2) is None
    assert not may_go(gate, api, 1.2)


def test_a_bucket_counts_permits_so_a_late_departure_costs_no_second_one():
    gate, api = Gate(), service(Window(10, 1.0), burst=1)
    assert Leaving(gate, api).at(0.2) is None
    assert may_go(gate, api, 0.2)


def test_nobody_leaves_in_the_middle_of_a_pause_with_an_older_permit():
    gate, api = Gate(), service(Window(9, 10.0))
    leaving = Leaving(gate, api)
    gate.pause_until(api, 5.0, "HTTP 429")
    assert leaving.at(0.1) == RECHECK_S
    assert leaving.at(4.9) == pytest.approx(0.1)
    assert leaving.at(5.0) is None


class NoRoom:
    """A purse without room, as long as others may make some."""

    def book(self, _charge, _key):
        return None


def test_a_request_that_waits_for_money_holds_no_place_that_others_wait_for():
    """After a pause one request goes first. The money that it waits for may be held by one that waits for it to come back."""
    gate, api = Gate(), service(Window(9, 10.0), token_windows=(Window(1000, 10.0),))
    paid, refused = Leaving(gate, api), Ticket(api, HOST)
    assert gate.ask(refused, 0.0) is GO
    refused.standing = Standing(refusals=1)
    gate.report(refused, 0.0, Health.NO_NEWS, 1.0, "HTTP 429")
    assert paid.at(0.5) > 0  # it was about to leave
    held, permit, now = Held(), Permit(api, HOST, tokens=900, standing=refused.standing), 0.6
    first = Performer(gate, Memory(lambda: 0.0), Stop(), Processes(), clock=lambda: now, purse=NoRoom())
    assert isinstance(first.step(permit, held), Nap)
    now = 1.0
    assert first.step(permit, held).granted_at == now
    assert paid.at(1.0) > 0
    assert isinstance(first.step(Book(None, ""), held), Nap)
    assert paid.at(1.0) is None
    gate.report(paid.held.ticket, 1.1, Health.ALIVE)
    assert gate.ask(Ticket(api, HOST, tokens=900), 1.1) is GO  # nor are its tokens held


def test_a_service_that_is_down_meanwhile_fails_the_attempt_and_not_the_job():
    gate, api = Gate(), service(Window(9, 10.0))
    leaving = Leaving(gate, api)
    gate.pause_until(api, 2 * LONGEST_PAUSE_S, "HTTP 429")
    with pytest.raises(TransportError):
        leaving.at(0.1)
    assert gate.waiting() == 0


def test_the_pause_between_two_requests_to_a_host_begins_when_the_first_has_left():
    gate, api = Gate(), web(concurrency=2)
    first, second = Ticket(api, HOST, spacing_s=1.0), Ticket(api, HOST, spacing_s=1.0)
    assert gate.ask(first, 0.0) is GO
    assert gate.depart(first, 0.4) is GO
    assert when_granted(gate, second, 0.5) == pytest.approx(1.4)


# ── and the quota is used ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("windows", "measured", "items", "least"),
    [
        ((Window(40, 1.0),), Window(40, 1.0), 1000, 0.93),
        ((Window(40, 10.0),), Window(40, 10.0), 400, 0.97),
        ((Window(40, 10.0), Window(35, 1.0)), Window(40, 10.0), 400, 0.97),
    ],
    ids=["40/1s", "40/10s", "40/10s,35/s"],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_quota_is_used(windows, measured, items, least, seed):
    """A promise that is kept by going slowly is no feat."""
    chance = random.Random(seed)
    api = service(*windows)

    def world(_request, _before):
        return answered(), chance.uniform(0.010, 0.060)

    played = play(asking(get("/thing", service=api)), world, items=items, workers=10, rules=QUICK)
    first, last = played.sent_at[0], played.sent_at[-1]
    used = (items - measured.limit) / measured.limit * measured.period_s / (last - first)
    assert least <= used <= 1.0


# ── several jobs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_next_job_s_quota_holds_for_the_same_service():
    """The gate outlives a job; what was just sent for the one before still counts."""
    gate = Gate()
    wide, narrow = service(Window(10, 1.0)), service(Window(2, 1.0))
    assert [may_go(gate, wide, 0.0) for _ in range(3)] == [True] * 3
    assert not may_go(gate, narrow, 0.5)
    assert may_go(gate, narrow, 1.2)


def test_an_equal_value_of_a_service_changes_no_rate_that_was_set():
    gate, first = Gate(), service(Window(10, 1.0))
    may_go(gate, first, 0.0)
    gate.set_rate(first, [Window(1, 100.0)])
    assert not may_go(gate, service(Window(10, 1.0)), 5.0)


def test_a_service_that_says_not_now_for_too_long_ends_the_job_and_an_answer_makes_it_forget():
    gate, api = Gate(patience=IMPATIENT), service()
    now = 0.0
    for _ in range(3):
        asked = ticket(api)
        now = when_granted(gate, asked, now)
        gate.report(asked, now, Health.NO_NEWS, 2.0, "HTTP 429")
    answered = ticket(api)
    now = when_granted(gate, answered, now)
    gate.report(answered, now, Health.ALIVE)
    for _ in range(3):
        asked = ticket(api)
        now = when_granted(gate, asked, now)
        gate.report(asked, now, Health.NO_NEWS, 2.0, "HTTP 429")
    assert may_go(gate, api, now + 3)
    late = ticket(api)
    gate.report(late, now + 10, Health.NO_NEWS, 2.0, "HTTP 429")
    with pytest.raises(ServiceDown, match="HTTP 429, and nothing else for"):
        gate.ask(ticket(api), now + 20)


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def model(*token_windows, windows=(), **more):
    return service(*windows, token_windows=token_windows, **more)


def wanting(api, tokens):
    return Ticket(api, HOST, tokens)


def test_tokens_and_requests_hold_at_once():
    gate, api = Gate(guard_s=0.0), model(Window(100, 1.0), windows=(Window(3, 1.0),))
    assert granted(gate, [wanting(api, 60), wanting(api, 40)], 0.0) == [0, 1]
    one_more = wanting(api, 1)
    assert granted(gate, [one_more], 0.5) == []
    gate.leave(one_more)
    assert granted(gate, [wanting(api, 0)], 0.5) == [0]  # one that needs no tokens waits for none
    assert granted(gate, [wanting(api, 0)], 0.6) == []


def test_that_tokens_are_waited_for_is_said_and_that_requests_are_is_not():
    gate, api = Gate(guard_s=0.0), model(Window(100, 60.0), windows=(Window(3, 60.0),))
    assert granted(gate, [wanting(api, 100)], 0.0) == [0]
    assert gate.holds(1.0) == []  # nobody waits
    waiting = wanting(api, 50)
    assert granted(gate, [waiting], 1.0) == []
    (hold,) = gate.holds(20.0)
    assert (hold.service, hold.reason) == ("api", "quota of tokens is used up")
    assert hold.left_s == pytest.approx(40.0, abs=1.0)
    gate.leave(waiting)
    assert granted(gate, [wanting(api, 0), wanting(api, 0), wanting(api, 0)], 21.0) == [0, 1]
    assert gate.holds(22.0) == []


def test_tokens_that_were_not_taken_are_free_for_the_next():
    gate, api = Gate(), model(Window(100, 1.0))
    first, second = wanting(api, 100), wanting(api, 70)
    assert granted(gate, [first, second], 0.0) == [0]
    gate.report(first, 0.1, Health.ALIVE, tokens=30)
    assert granted(gate, [second], 0.11) == [0]


def test_how_estimates_of_the_input_came_true_is_what_the_next_ones_reserve():
    """Of fifty for the input and ten for the answer: half of the fifty came true, so the next one reserves 27 and ten."""
    gate, api = Gate(), model(Window(100, 1.0))
    first = Ticket(api, HOST, 60, 0.0, 10)
    gate.ask(first, 0.0)
    gate.report(first, 0.1, Health.ALIVE, tokens=28, tokens_in=25)
    assert granted(gate, [Ticket(api, HOST, 60, 0.0, 10) for _ in range(3)], 1.5) == [0, 1]


@pytest.mark.parametrize(("tokens", "goes"), [(None, []), (100, []), (0, [0])])
def test_a_reservation_stays_unless_it_is_known_what_was_taken(tokens, goes):
    gate, api = Gate(), model(Window(100, 1.0))
    first = wanting(api, 100)
    gate.ask(first, 0.0)
    gate.report(first, 0.1, Health.FAILING, tokens=tokens)
    assert granted(gate, [wanting(api, 100)], 0.2) == goes


def test_who_leaves_with_tokens_has_taken_them():
    gate, api = Gate(), model(Window(100, 1.0))
    first, second = wanting(api, 100), wanting(api, 50)
    assert granted(gate, [first, second], 0.0) == [0]
    gate.leave(first)
    assert gate.ask(second, 0.5) == Again(RECHECK_S)  # no report will come: there is nothing to look for sooner
    gate.report(first, 0.6, Health.ALIVE, tokens=0)  # and none counts any more
    assert granted(gate, [second], 1.0) == []
    assert granted(gate, [second], 1.0 + GUARD_S) == [0]


def test_who_waits_for_tokens_looks_soon_whether_a_report_has_freed_some():
    """Half of what is reserved is not taken: to find out a quarter of a second later would cost a tenth of the quota."""
    gate, api = Gate(), model(Window(100, 60.0))
    gate.ask(wanting(api, 100), 0.0)
    assert [gate.ask(wanting(api, 10), 0.1).seconds for _ in range(3)] == pytest.approx(
        [REPORT_S * n for n in (1, 2, 3)]
    )


def test_a_large_ticket_is_not_starved_by_small_ones_behind_it():
    gate, api, now = Gate(guard_s=0.0), model(Window(100, 1.0)), 0.0
    small = [wanting(api, 30) for _ in range(3)]
    assert granted(gate, small, 0.0) == [0, 1, 2]
    large, waiting = wanting(api, 90), []
    while gate.ask(large, now) is not GO:
        waiting.append(wanting(api, 10))
        assert granted(gate, waiting, now) == []
        now = round(now + 0.1, 1)
    assert now == 1.0
    assert granted(gate, waiting, now) == [0]


def test_small_ones_go_while_the_large_one_before_them_would_still_fit():
    gate, api = Gate(), model(Window(100, 1.0), windows=(Window(3, 1.0),))
    empty_quota(gate, api)
    large, small, smaller = (wanting(api, tokens) for tokens in (70, 30, 1))
    assert granted(gate, [large, small, smaller], 0.5) == []
    assert granted(gate, [smaller, small, large], 1.1) == [1, 2]  # the smallest does not fit beside those before it


def test_who_waited_with_tokens_and_left_is_in_nobody_s_way():
    gate, api = Gate(), model(Window(100, 1.0))
    first, large, small = wanting(api, 50), wanting(api, 90), wanting(api, 50)
    assert granted(gate, [first, large, small], 0.0) == [0]
    gate.leave(large)
    assert granted(gate, [small], 0.1) == [0]


def test_what_is_larger_than_the_window_goes_once_the_window_is_empty():
    gate, api = Gate(guard_s=0.0), model(Window(100, 1.0))
    first, huge, small = wanting(api, 1), wanting(api, 500), wanting(api, 1)
    assert granted(gate, [first, huge, small], 0.0) == [0]
    assert granted(gate, [small, huge], 1.0) == [1]
    assert granted(gate, [small], 1.99) == []
    assert granted(gate, [small], 2.0) == [0]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 150), min_size=1, max_size=12), st.lists(st.integers(0, 11), max_size=60))
def test_everybody_gets_tokens_in_the_end_whoever_wakes_when(wants, wakes):
    """In whatever order they wake: each needs a window for itself at most, and the step in which it is noticed."""
    gate, api = Gate(guard_s=0.0), model(Window(100, 1.0))
    waiting = [wanting(api, tokens) for tokens in wants]
    order = itertools.cycle([*wakes, *range(len(wants))])
    now = 0.0
    while waiting and now <= 1.3 * len(wants):
        for number in itertools.islice(order, len(wakes) + len(wants)):
            if number < len(waiting) and gate.ask(waiting[number], now) is GO:
                del waiting[number]
        now += 0.1
    assert (waiting, gate.waiting(), gate._lanes["api"].tokens) == ([], 0, {})


@pytest.mark.parametrize("seed", range(3))
def test_the_quota_of_tokens_is_used(seed):
    """Eight are under way at a time, and each reserves a third more than it takes. The rest goes to the guard and to that."""
    chance, gate, api = random.Random(seed), Gate(), model(Window(6000, 2.0))
    agenda, taken, order = [(0.0, number, None) for number in range(8)], [], itertools.count(8)
    while len(taken) < 1500:
        now, _, mine = heapq.heappop(agenda)
        if mine is not None and mine.granted_at is not None:
            taken.append((mine.granted_at, chance.randint(80, 120)))
            gate.report(mine, now, Health.ALIVE, tokens=taken[-1][1])
            mine = None
        mine = mine or wanting(api, 133)
        verdict = gate.ask(mine, now)
        delay_s = verdict.seconds if isinstance(verdict, Again) else chance.uniform(0.1, 0.2)
        heapq.heappush(agenda, (now + delay_s, next(order), mine))
    taken.sort()
    total, span_s = sum(tokens for _, tokens in taken), taken[-1][0] - taken[0][0]
    assert 0.9 <= (total - 6000) / 6000 * 2.0 / span_s <= 1.0


@pytest.mark.parametrize("binds", ["in", "out", "both"])
@pytest.mark.parametrize("seed", range(2))
def test_windows_of_input_and_of_answers_hold_apart_and_what_binds_is_used(binds, seed):
    """Learnt from the first answer's headers. Each request reserves 30 for an answer that takes 18 to 22 of them.

    A window of 2 s loses 3 % to the guard, up to 5 % to what the eight in flight reserve too much, and to the steps of time.
    """
    most = {"in": 20_000, "out": 5000, "both": 25_000} | {binds: {"in": 5000, "out": 1500, "both": 6000}[binds]}
    chance, gate, api = random.Random(seed), Gate(), service(hints=lambda response: None)
    hints = Hints(
        tokens=Window(most["both"], 2.0),
        tokens_in=Window(most["in"], 2.0, "in"),
        tokens_out=Window(most["out"], 2.0, "out"),
    )
    taken, order = [], itertools.count(8)
    agenda = [(0.3 if number else 0.0, number, None) for number in range(8)]
    while len(taken) < 800:
        now, _, mine = heapq.heappop(agenda)
        if mine is not None and mine.granted_at is not None:
            tokens_in, tokens_out = chance.randint(85, 95), chance.randint(18, 22)
            taken.append((mine.granted_at, tokens_in, tokens_out))
            gate.report(mine, now, Health.ALIVE, tokens=tokens_in + tokens_out, hints=hints, tokens_in=tokens_in)
            mine = None
        mine = mine or Ticket(api, HOST, 130, 0.0, 30)
        verdict = gate.ask(mine, now)
        delay_s = verdict.seconds if isinstance(verdict, Again) else chance.uniform(0.1, 0.2)
        heapq.heappush(agenda, (now + delay_s, next(order), mine))
    taken.sort()
    span_s = taken[-1][0] - taken[0][0]
    used = {"in": [t[1] for t in taken], "out": [t[2] for t in taken], "both": [t[1] + t[2] for t in taken]}
    at = [granted_at for granted_at, _, _ in taken]
    for part, tokens in used.items():
        ends = [bisect.bisect_left(at, start + 2.0) for start in at]
        assert max(sum(tokens[first:end]) for first, end in enumerate(ends)) <= most[part]
    assert 0.8 <= (sum(used[binds]) - most[binds]) / most[binds] * 2.0 / span_s <= 1.0


# ── what the answers' headers say ───────────────────────────────────────────────────────────────────────────────────


def learning(*windows):
    return service(*windows, hints=lambda response: None)


def told(gate, api, hints, now=0.0, tokens=0):
    """One request whose answer says this."""
    each = wanting(api, tokens)
    assert gate.ask(each, now) is GO
    gate.report(each, now, Health.ALIVE, hints=hints)


def test_windows_from_the_headers_hold_from_then_on_and_what_was_sent_before_counts():
    """Three left before the first answer told that there are five a second."""
    gate, api = Gate(), learning()
    assert granted(gate, [ticket(api), ticket(api)], 0.0) == [0, 1]
    told(gate, api, Hints(requests=Window(5, 1.0)), now=0.9)
    assert granted(gate, [ticket(api) for _ in range(3)], 0.95) == [0, 1]
    assert len(gate._lanes["api"].limits) == 2  # the new one, and the minute that is watched


def test_token_windows_from_the_headers_count_what_was_sent_and_its_corrections():
    gate, api = Gate(), learning()
    before = wanting(api, 60)
    gate.ask(before, 0.0)
    told(gate, api, Hints(tokens=Window(100, 1.0)), now=0.1, tokens=30)
    next_one = wanting(api, 50)
    assert granted(gate, [next_one], 0.2) == []
    gate.report(before, 0.3, Health.ALIVE, tokens=20)
    assert granted(gate, [next_one], 0.3) == [0]


def test_headers_that_say_the_same_as_before_change_nothing():
    gate, api = Gate(), learning(Window(5, 1.0))
    told(gate, api, Hints(tokens=Window(100, 1.0)))
    limits = gate._lanes["api"].limits
    told(gate, api, Hints(requests=Window(5, 1.0), tokens=Window(100, 1.0)))
    told(gate, api, Hints())
    assert gate._lanes["api"].limits is limits
    assert gate._lanes["api"].service.windows == (Window(5, 1.0),)


def test_a_pause_that_headers_ask_for_holds_everyone_and_is_no_not_now():
    gate, api = Gate(patience=IMPATIENT), learning()
    for second in range(0, 60, 6):  # longer than the patience for a service that says nothing else
        told(gate, api, Hints(pause_s=5.0), now=float(second))
        assert not may_go(gate, api, second + 4.9)
    assert gate.holds(58.0) == [Hold("api", "nothing left of its quota", pytest.approx(1.0))]


def test_what_was_learnt_is_kept_for_the_next_job_with_the_same_quota_and_not_with_another():
    gate = Gate(guard_s=0.0)
    told(gate, learning(), Hints(requests=Window(2, 1.0)))
    again = learning()
    assert [may_go(gate, again, 0.5) for _ in range(2)] == [True, False]
    assert [may_go(gate, learning(Window(3, 1.0)), 0.6) for _ in range(2)] == [True, False]


def test_the_next_job_s_token_windows_hold_for_the_same_service():
    gate = Gate()
    gate.ask(wanting(model(Window(100, 1.0)), 60), 0.0)
    narrow, wide = wanting(model(Window(80, 1.0)), 30), wanting(model(Window(90, 1.0)), 30)
    assert granted(gate, [narrow], 0.5) == []
    gate.leave(narrow)
    assert granted(gate, [wide], 0.5) == [0]


@pytest.mark.parametrize(
    ("token_windows", "goes"), [(None, []), ([], [0]), ([Window(30, 1.0)], []), ([Window(90, 1.0)], [0])]
)
def test_a_rate_is_set_with_its_token_windows_or_without(token_windows, goes):
    gate, api = Gate(), model(Window(50, 1.0))
    gate.ask(wanting(api, 20), 0.0)
    gate.set_rate(api, [Window(9, 1.0)], token_windows)
    assert granted(gate, [wanting(api, 40)], 0.0) == goes


# ── many hosts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def site(host):
    """The last two labels of a host's name."""
    return ".".join(host.split(".")[-2:])


def web(*windows, concurrency=2, **more):
    return Service("web", "", windows=windows, per_host=PerHost(concurrency, site), **more)


def page(api, host="a.test", spacing_s=0.0):
    return Ticket(api, host, spacing_s=spacing_s)


def under_way(gate, api, count, host="a.test", now=0.0):
    tickets = [page(api, host) for _ in range(count)]
    assert granted(gate, tickets, now) == list(range(count))
    return tickets


def turned_away(gate, api, now, host="a.test"):
    """Why a newcomer is turned away; None if he is not."""
    newcomer = page(api, host)
    try:
        gate.ask(newcomer, now)
    except ServiceDown as error:
        return str(error)
    finally:
        gate.leave(newcomer)
    return None


def test_a_host_is_asked_no_more_at_a_time_than_it_may_be():
    gate, api = Gate(), web()
    first, _ = under_way(gate, api, 2)
    third, fourth = page(api), page(api, "www.a.test")  # of the same site
    assert [gate.ask(each, 0.0) for each in (third, fourth)] == [Again(REPORT_S), Again(2 * REPORT_S)]
    assert granted(gate, [page(api, "b.test")], 0.0) == [0]
    gate.report(first, 0.5, Health.ALIVE)
    assert granted(gate, [fourth, third], 0.5) == [1]
    assert gate.waiting() == 1


def test_who_leaves_gives_back_his_place_at_the_host_granted_or_not():
    gate, api = Gate(), web(concurrency=1)
    (gone,) = under_way(gate, api, 1)
    first, second = page(api), page(api)
    assert granted(gate, [first, second], 0.0) == []
    for each in (gone, gone, first):
        gate.leave(each)
    assert granted(gate, [second, page(api)], 0.0) == [0]


def test_a_report_after_the_end_frees_no_second_place():
    gate, api = Gate(), web(concurrency=1)
    (gone,) = under_way(gate, api, 1)
    gate.leave(gone)
    under_way(gate, api, 1)
    gate.report(gone, 0.1, Health.ALIVE)
    assert granted(gate, [page(api)], 0.2) == []


def test_two_departures_to_a_host_lie_apart_by_the_most_that_is_asked_for():
    gate, api, now, left_at = Gate(), web(concurrency=9), 0.0, []
    for spacing_s in (0.0, 0.5, 2.0, 0.0):
        now = when_granted(gate, page(api, spacing_s=spacing_s), now)
        left_at.append(now)
    assert left_at == pytest.approx([0.0, 0.5, 2.5, 4.5])
    assert granted(gate, [page(api), page(api, "b.test")], 6.0) == [1]


def test_a_spaced_host_is_asked_in_order():
    gate, api = Gate(), web(concurrency=9)
    under_way(gate, api, 1)
    waiting = [page(api, spacing_s=1.0) for _ in range(3)]
    assert [gate.ask(each, 0.9).seconds for each in waiting] == pytest.approx([0.1, RECHECK_S, RECHECK_S])
    assert granted(gate, reversed(waiting), 1.0) == [2]
    assert granted(gate, waiting[1:], 1.9) == []
    assert granted(gate, reversed(waiting[1:]), 2.0) == [1]


def test_who_waits_for_his_host_is_in_nobody_s_way():
    """A ticket of a busy host asked first: it does not count as one before the others of the service."""
    gate, api = Gate(), web(Window(3, 1.0), concurrency=1)
    under_way(gate, api, 1)
    busy = [page(api) for _ in range(5)]
    assert granted(gate, busy, 0.1) == []
    assert granted(gate, [page(api, "b.test"), page(api, "c.test"), page(api, "d.test")], 0.2) == [0, 1]


def test_once_the_host_has_room_its_first_stands_where_he_first_asked():
    gate, api = Gate(guard_s=0.0), web(Window(2, 1.0), concurrency=1)
    (gone,) = under_way(gate, api, 1)
    under_way(gate, api, 1, "b.test")
    first, second, other = page(api), page(api), page(api, "c.test")
    assert granted(gate, [first, second, other], 0.1) == []
    gate.report(gone, 0.2, Health.FAILING)
    assert granted(gate, [first], 0.3) == []  # it has a turn at its host now, and waits for the quota
    assert granted(gate, [other, second, first], 1.0) == [0, 2]


@pytest.mark.parametrize("trouble", ["a pause", "a circuit", "more space"])
def test_a_host_that_gets_into_trouble_takes_its_tickets_out_of_the_queue_at_once(trouble):
    """Not only when they wake: those behind them would wait for nothing."""
    gate, api = Gate(guard_s=0.0, host_patience=IMPATIENT), web(Window(2, 1.0), concurrency=9)
    tickets = under_way(gate, api, 2)
    mine, other, another = page(api), page(api, "b.test"), page(api, "c.test")
    assert granted(gate, [mine, other, another], 0.5) == []
    match trouble:
        case "a pause":
            gate.report(tickets[0], 0.6, Health.NO_NEWS, 60.0, "HTTP 429")
        case "a circuit":
            for each in tickets:
                gate.report(each, 0.6, Health.FAILING)
        case "more space":
            gate.ask(page(api, spacing_s=60.0), 0.6)
    assert granted(gate, [another, other], 1.0) == [0, 1]


def test_a_host_s_pause_is_its_own():
    gate, api = Gate(), web()
    first, _ = under_way(gate, api, 2)
    waiting = page(api, "www.a.test")
    granted(gate, [waiting], 0.0)
    gate.report(first, 0.5, Health.NO_NEWS, pause_s=5.0, reason="HTTP 429")
    assert granted(gate, [waiting, page(api, "b.test")], 5.4) == [1]
    assert gate.holds(4.5) == [Hold("web", "a.test: HTTP 429", pytest.approx(1.0))]
    assert granted(gate, [waiting], 5.5) == [0]
    assert gate.holds(5.5) == []


def test_a_pause_in_a_host_s_headers_is_its_own():
    gate, api = Gate(), web()
    first, _ = under_way(gate, api, 2)
    gate.report(first, 0.5, Health.ALIVE, hints=Hints(pause_s=5.0))
    assert granted(gate, [page(api), page(api, "b.test")], 5.4) == [1]


def test_a_host_that_asks_for_too_long_a_pause_is_given_up_until_less_is_left():
    """The reason tells no time: it becomes the error of an item, which is the same however fast a run was."""
    gate, api = Gate(), web()
    first, _ = under_way(gate, api, 2)
    gate.report(first, 0.0, Health.NO_NEWS, LONGEST_PAUSE_S + 60.0, "HTTP 503")
    assert turned_away(gate, api, 59.0) == "web: a.test asks for too long a pause (HTTP 503)"
    assert gate.holds(59.0) == []  # nobody waits for it
    assert (turned_away(gate, api, 59.0, "b.test"), gate.waiting()) == (None, 0)
    assert turned_away(gate, api, 60.0) is None


def test_a_host_that_says_nothing_but_not_now_is_given_up_while_it_says_so():
    gate, api, now = Gate(host_patience=IMPATIENT), web(), 0.0
    for _ in range(7):
        each = page(api)
        now = when_granted(gate, each, now)
        gate.report(each, now, Health.NO_NEWS, 2.0, "HTTP 429")
    assert turned_away(gate, api, now + 1.0) == "web: a.test says nothing but HTTP 429"
    assert turned_away(gate, api, now + 1.0, "b.test") is None
    under_way(gate, api, 1, now=now + 2.0)  # its pause is over: one may try
    gate.revive()
    assert turned_away(gate, api, now + 1.0) is None


# ── a dead one of many hosts ────────────────────────────────────────────────────────────────────────────────────────


def dead(gate, api, host="a.test", now=0.0):
    for _ in range(HOST_PATIENCE.failures):
        (each,) = under_way(gate, api, 1, host, now)
        gate.report(each, now, Health.FAILING)


def test_a_dead_host_fails_its_items_at_once_and_holds_nobody_else():
    gate, api = Gate(), web()
    dead(gate, api)
    assert turned_away(gate, api, 0.1) == "web: no answer from a.test"
    assert turned_away(gate, api, 0.1, "www.a.test") is None  # another machine of the same site
    assert turned_away(gate, api, HOST_PATIENCE.first_open_s - 0.1) is not None
    assert (gate.waiting(), gate.holds(0.1)) == (0, [])


def test_after_a_while_one_finds_out_whether_a_dead_host_is_back_and_the_others_wait_for_it():
    gate, api, back = Gate(), web(), HOST_PATIENCE.first_open_s
    dead(gate, api)
    probe, other = page(api), page(api)
    assert gate.ask(probe, back) is GO
    assert probe.probe
    assert gate.ask(other, back) == Again(REPORT_S)
    gate.report(probe, back + 1.0, Health.ALIVE)
    assert gate.ask(other, back + 1.0) is GO
    assert turned_away(gate, api, back + 1.0) is None


def test_a_host_that_is_still_dead_is_left_alone_for_twice_as_long():
    gate, api, back = Gate(), web(), HOST_PATIENCE.first_open_s
    dead(gate, api)
    probe, other = page(api), page(api)
    granted(gate, [probe, other], back)
    gate.report(probe, back, Health.FAILING)
    with pytest.raises(ServiceDown, match=r"^web: no answer from a\.test$"):
        gate.ask(other, back)
    assert turned_away(gate, api, 3 * back - 1.0) is not None
    assert turned_away(gate, api, 3 * back) is None


def test_a_probe_of_one_of_many_hosts_is_given_back_and_its_followers_leave_the_queue():
    gate, api, back = Gate(), web(Window(6, 60.0), concurrency=9), HOST_PATIENCE.first_open_s
    dead(gate, api)
    under_way(gate, api, 1, "b.test")
    probe, follower, other = page(api), page(api), page(api, "c.test")
    assert granted(gate, [probe, follower, other], back) == []  # the quota is used up
    gate.set_rate(api, [Window(8, 60.0)])
    assert granted(gate, [probe, other], back) == [0, 1]
    gate.leave(probe)
    gate.set_rate(api, [])
    assert granted(gate, [follower], back) == [0]
    assert follower.probe


def test_a_new_job_gives_dead_hosts_another_chance():
    gate, api = Gate(), web()
    dead(gate, api)
    gate.revive()
    assert turned_away(gate, api, 0.1) is None


def test_a_ticket_that_was_turned_away_may_ask_again():
    gate, api = Gate(), web(concurrency=1)
    dead(gate, api)
    mine = page(api)
    with pytest.raises(ServiceDown):
        gate.ask(mine, 0.1)
    gate.revive()
    assert gate.ask(mine, 0.2) is GO
    assert granted(gate, [page(api)], 0.3) == []


def test_a_few_failures_between_answers_give_nobody_up():
    gate, api = Gate(), web()
    for _ in range(10):
        for health in [Health.FAILING] * (HOST_PATIENCE.failures - 1) + [Health.ALIVE]:
            (each,) = under_way(gate, api, 1)
            gate.report(each, 0.0, health)
    assert turned_away(gate, api, 0.0) is None


# ── and thousands of them ───────────────────────────────────────────────────────────────────────────────────────────


def test_hosts_are_forgotten_when_nothing_depends_on_them():
    gate, api = Gate(), web(concurrency=1)
    paused, dead_one = "paused.test", "dead.test"
    (each,) = under_way(gate, api, 1, paused)
    gate.report(each, 0.0, Health.NO_NEWS, 600.0, "HTTP 429")
    dead(gate, api, dead_one)
    (busy,) = under_way(gate, api, 1, "busy.test")
    spaced = page(api, "spaced.test", spacing_s=60.0)
    assert gate.ask(spaced, 0.0) is GO
    gate.report(spaced, 0.0, Health.ALIVE)
    hosts = gate._lanes["web"].hosts
    for number in range(5 * HOSTS_KEPT):
        (each,) = under_way(gate, api, 1, f"{number}.x{number}", now=number / 1000)
        gate.report(each, number / 1000, Health.FAILING if number % 2 else Health.ALIVE)
        assert len(hosts._hosts) + len(gate._lanes["web"].circuits) <= HOSTS_KEPT + 1
    assert granted(gate, [page(api, paused), page(api, "busy.test"), page(api, "spaced.test")], 5.0) == []
    assert turned_away(gate, api, 5.0, dead_one) is not None
    gate.report(busy, 5.0, Health.ALIVE)


def test_a_host_whose_tickets_wait_for_the_quota_is_not_forgotten():
    gate, api = Gate(guard_s=0.0), web(Window(1, 1.0), concurrency=1)
    under_way(gate, api, 1, "b.test")
    first, second = page(api), page(api)
    assert granted(gate, [first, second], 0.0) == []
    gate._lanes["web"].hosts.forget(0.5)
    assert granted(gate, [first], 1.0) == [0]
    assert granted(gate, [page(api)], 2.0) == []


def play_visits(api, visits):
    """One worker for each visit, all from the start: (host, how long it takes, its spacing). When each left, was over."""
    gate, left, over, order = Gate(guard_s=0.0), {}, {}, itertools.count()
    agenda = [
        (0.0, next(order), number, page(api, host, spacing_s)) for number, (host, _, spacing_s) in enumerate(visits)
    ]
    while agenda:
        now, _, number, mine = heapq.heappop(agenda)
        assert now < 100.0
        if number in left:
            over[number] = now
            gate.report(mine, now, Health.ALIVE)
            continue
        verdict = gate.ask(mine, now)
        if verdict is GO:
            left[number] = now
        delay_s = verdict.seconds if isinstance(verdict, Again) else visits[number][1]
        heapq.heappush(agenda, (now + delay_s, next(order), number, mine))
    assert gate.waiting() == 0
    assert not any(host.in_flight for lane in gate._lanes.values() for host in lane.hosts.all())
    return left, over


some_visits = st.lists(
    st.tuples(
        st.sampled_from(["a.test", "www.a.test", "b.test", "c.test"]),
        st.floats(0.01, 1.0),
        st.sampled_from([0.0, 0.0, 0.0, 0.3]),
    ),
    min_size=1,
    max_size=14,
)


@settings(deadline=None, max_examples=80)
@given(some_visits, st.integers(1, 3), st.sampled_from([(), (Window(2, 0.5),), (Window(1, 0.1),)]))
def test_every_host_is_asked_in_turn_no_more_than_it_may_be_and_every_visit_is_made(visits, concurrency, windows):
    left, over = play_visits(web(*windows, concurrency=concurrency), visits)
    assert len(over) == len(visits)
    for name in {site(host) for host, _, _ in visits}:
        mine = [number for number, (host, _, _) in enumerate(visits) if site(host) == name]
        in_turn = sorted(mine, key=lambda number: (left[number], number))
        for place, number in enumerate(in_turn):
            assert sum(left[each] <= left[number] < over[each] for each in mine) <= concurrency
            assert sum(each < number for each in in_turn[place:]) < concurrency  # who wakes late lets so many pass
        spacing_s = max(visits[number][2] for number in mine)
        for sooner, later in itertools.pairwise(in_turn):
            if left[later] > 0.0:  # all have asked for their spacing by then
                assert left[later] - left[sooner] >= spacing_s - 1e-9


@settings(deadline=None, max_examples=60)
@given(some_visits, st.integers(1, 3))
def test_what_one_host_is_asked_and_when_does_not_depend_on_the_others(visits, concurrency):
    api = web(concurrency=concurrency)
    mine = [number for number, (host, _, _) in enumerate(visits) if site(host) == "a.test"]
    mixed, _ = play_visits(api, visits)
    alone, _ = play_visits(api, [visits[number] for number in mine])
    assert [mixed[number] for number in mine] == [alone[place] for place in range(len(mine))]
