"""The gate: in order, on time, for everyone, and told the time."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from core_world import QUICK, answered, asking, get, play
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.core.circuit import Patience
from enricher.core.gate import GO, LONGEST_PAUSE_S, RECHECK_S, Again, Gate, Go, Health, Hold, Ticket
from enricher.core.limits import GUARD_S
from enricher.errors import ServiceDown
from enricher.model import Service, Window

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
