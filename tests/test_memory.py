"""The memory: two tiers, bounded in bytes and in time, and one asker for many who want the same."""

import asyncio
import gc
import itertools
import sys
import threading
import tracemalloc
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import pytest
from core_world import LIFETIME, remembered
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.core.effects import Known, Lead
from enricher.memory import ENTRY_BYTES, Memory, Pending
from enricher.model import Lifetime, Remembered

PATIENCE_S = 20.0  # a test that waits for what must happen fails after so long, instead of hanging
FOR_EVER = Lifetime(float("inf"), float("inf"))
FOUND = remembered({"id": 7})
MISSING = remembered({"code": 34}, status=404, missing=True)


class Wall:
    """Unix time that moves when the test says so."""

    def __init__(self, now=1_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


def memory_of(wall=None, **more):
    return Memory(wall or Wall(), **more)


def learn(memory, key="key", what=FOUND):
    """Lead and settle."""
    assert isinstance(memory.recall(key, LIFETIME), Lead)
    memory.settle(key, what)


def weight_of(key, body):
    return sys.getsizeof(key) + sys.getsizeof(body) + ENTRY_BYTES


# ── what is known, and for how long ─────────────────────────────────────────────────────────────────────────────────


def test_what_was_learnt_is_known():
    memory = memory_of()
    learn(memory)
    assert memory.recall("key", LIFETIME) == Known(FOUND, 0.0)
    assert isinstance(memory.recall("another", LIFETIME), Lead)


@pytest.mark.parametrize(
    ("what", "age_s", "fresh"),
    [(FOUND, 100.0, True), (FOUND, 101.0, False), (MISSING, 10.0, True), (MISSING, 11.0, False), (FOUND, -5.0, True)],
)
@pytest.mark.parametrize("tier", ["upper", "lower"])
def test_a_memory_lives_as_long_as_its_kind_and_a_miss_for_a_shorter_time(what, age_s, fresh, tier):
    wall = Wall()
    learnt_at = wall.now
    memory = memory_of(wall, lower=lambda _key: (what, learnt_at) if tier == "lower" else None)
    if tier == "upper":
        learn(memory, what=what)
    wall.now += age_s
    reply = memory.recall("key", LIFETIME)
    assert reply == (Known(what, age_s) if fresh else Lead())


@pytest.mark.parametrize(("learnt_at", "good"), [(999.0, False), (1000.0, True), (1001.0, True)])
@pytest.mark.parametrize("tier", ["upper", "lower"])
def test_what_was_learnt_before_the_refresh_is_not_good_enough(learnt_at, good, tier):
    wall = Wall(learnt_at)
    memory = memory_of(wall, lower=lambda _key: (FOUND, learnt_at) if tier == "lower" else None, not_before=1000.0)
    if tier == "upper":
        learn(memory)
    wall.now = 1002.0
    assert isinstance(memory.recall("key", LIFETIME), Known if good else Lead)


def test_a_refreshed_answer_is_known_from_then_on():
    wall = Wall(1000.0)
    memory = memory_of(wall, lower=lambda _key: (FOUND, 10.0), not_before=1000.0)
    learn(memory, what=MISSING)
    assert memory.recall("key", LIFETIME) == Known(MISSING, 0.0)


def test_a_stale_memory_is_replaced_by_the_new_one():
    wall = Wall()
    memory = memory_of(wall)
    learn(memory)
    wall.now += 101.0
    learn(memory, what=MISSING)
    assert memory.recall("key", LIFETIME) == Known(MISSING, 0.0)
    assert memory.weight_bytes == weight_of("key", MISSING.body)


# ── what is too old, and can be asked about ─────────────────────────────────────────────────────────────────────────

ETAG = Remembered(200, b"{}", headers={"etag": '"7"'})
DATE = Remembered(200, b"{}", headers={"last-modified": "Wed, 01 Jan 2025 00:00:00 GMT"})
NO_MARK = Remembered(200, b"{}", headers={"content-type": "text/html"})


@pytest.mark.parametrize(("what", "offered"), [(ETAG, ETAG), (DATE, DATE), (NO_MARK, None), (FOUND, None)])
@pytest.mark.parametrize("why", ["too old", "before the refresh"])
@pytest.mark.parametrize("tier", ["upper", "lower"])
def test_what_is_not_good_enough_is_offered_to_the_leader_if_the_service_can_be_asked_about_it(
    what, offered, why, tier
):
    wall = Wall(1000.0)
    memory = memory_of(
        wall,
        lower=lambda _key: (what, 1000.0) if tier == "lower" else None,
        not_before=1001.0 if why == "before the refresh" else 0.0,
    )
    if tier == "upper":
        learn(memory, what=what)
    wall.now += 101.0 if why == "too old" else 2.0
    assert memory.recall("key", LIFETIME) == Lead(offered)
    assert isinstance(memory.recall("key", LIFETIME), Pending)


@pytest.mark.parametrize(("below_at", "offered"), [(900.0, ETAG), (1100.0, DATE)])
def test_of_two_that_are_too_old_the_younger_is_offered(below_at, offered):
    """What was just learnt is not in the store yet; what another process learnt is only there."""
    wall = Wall(1000.0)
    memory = memory_of(wall, lower=lambda _key: (DATE, below_at))
    memory.settle("key", ETAG)
    wall.now = 2000.0
    assert memory.recall("key", LIFETIME) == Lead(offered)


def test_what_is_still_good_is_young_again_once_that_was_said():
    wall = Wall()
    memory = memory_of(wall)
    learn(memory, what=ETAG)
    wall.now += 101.0
    memory.settle("key", memory.recall("key", LIFETIME).stale)
    assert memory.recall("key", LIFETIME) == Known(ETAG, 0.0)


# ── the lower tier ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lower_tier_is_read_once_and_its_answers_keep_their_age():
    wall, read = Wall(), []

    def lower(key):
        read.append(key)
        return FOUND, 1_000_000.0 - 60.0

    memory = memory_of(wall, lower=lower)
    assert memory.recall("key", LIFETIME) == Known(FOUND, 60.0)
    wall.now += 40.0
    assert memory.recall("key", LIFETIME) == Known(FOUND, 100.0)
    assert read == ["key"]
    wall.now += 1.0
    assert isinstance(memory.recall("key", LIFETIME), Lead)


def test_who_reads_the_lower_tier_holds_back_the_others():
    """Else a hundred threads would read the same row, and the slowest would ask the service."""
    memory = memory_of(lower=lambda _key: asked.append(memory.recall("key", LIFETIME)) or (FOUND, 1_000_000.0))
    asked = []
    assert memory.recall("key", LIFETIME) == Known(FOUND, 0.0)
    (other,) = asked
    assert other.settled.done()
    assert memory.recall("key", LIFETIME) == Known(FOUND, 0.0)


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()])
def test_a_lower_tier_that_fails_leaves_nobody_waiting(error):
    asked = []

    def lower(key):
        asked.append(memory.recall("key", LIFETIME))
        raise error

    memory = memory_of(lower=lower)
    with pytest.raises(type(error)):
        memory.recall("key", LIFETIME)
    assert asked[0].settled.done()
    memory._lower = None
    assert isinstance(memory.recall("key", LIFETIME), Lead)


# ── bounded in bytes ────────────────────────────────────────────────────────────────────────────────────────────────


def fill(memory, entries, body_bytes):
    """Learn so many films, as the exchange does: key, body and all around them are made anew."""
    for number in range(entries):
        key = f"tmdb GET https://api.themoviedb.org/3/movie/{number}?language=en-US"
        learn(memory, key, Remembered(200, bytes(body_bytes)))


def really_held(make):
    """What `make` returns, and how many bytes it holds."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        made = make()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return made, after - before


@pytest.mark.parametrize(
    ("entries", "body_bytes"),
    [(340, 35_000), (10_000, 2_000), (10_000, 200), (10_923, 200), (1_000, 0)],
    ids=lambda value: f"{value:,}",
)
def test_the_counted_weight_is_the_real_one_and_never_less(entries, body_bytes):
    """10,923 is the number at which Python's tables have just grown: the most that an entry ever costs."""
    seconds = itertools.count(1_000_000)

    def full():
        memory = memory_of(lambda: float(next(seconds)), max_bytes=100_000_000)
        fill(memory, entries, body_bytes)
        return memory

    memory, held_bytes = really_held(full)
    assert held_bytes <= memory.weight_bytes
    assert memory.weight_bytes - held_bytes <= entries * ENTRY_BYTES / 2


def test_headers_are_part_of_the_weight():
    def full():
        memory = memory_of(max_bytes=100_000_000)
        for number in range(1_000):
            headers = {f"x-name-{number}": f"{number:0500}", f"location-{number}": f"https://example.org/{number}"}
            learn(memory, f"key {number}", Remembered(200, b"", headers=headers))
        return memory

    memory, held_bytes = really_held(full)
    assert held_bytes <= memory.weight_bytes
    assert memory.weight_bytes - held_bytes <= 1_000 * ENTRY_BYTES


@pytest.mark.parametrize(
    ("max_bytes", "entries", "body_bytes"),
    [(1_000_000, 2_500, 2_000), (9_400_000, 22_500, 200), (4_000_000, 500, 35_000)],
    ids=lambda value: f"{value:,}",
)
def test_a_memory_that_turns_over_holds_no_more_than_it_may(max_bytes, entries, body_bytes):
    """The second is the worst that was found: 11,000 entries, each replaced once."""
    seconds = itertools.count(1_000_000)

    def full():
        memory = memory_of(lambda: float(next(seconds)), max_bytes=max_bytes)
        fill(memory, entries, body_bytes)
        return memory

    memory, held_bytes = really_held(full)
    assert 0.95 * max_bytes <= memory.weight_bytes <= max_bytes
    assert held_bytes <= memory.weight_bytes


def test_the_least_recently_used_goes_first():
    memory = memory_of(max_bytes=3 * weight_of("a", FOUND.body))
    for key in "abc":
        learn(memory, key)
    memory.recall("a", LIFETIME)
    learn(memory, "d")
    assert [isinstance(memory.recall(key, LIFETIME), Known) for key in "acdb"] == [True, True, True, False]


@pytest.mark.parametrize("max_bytes", [0, 1000])
def test_what_is_heavier_than_all_the_memory_is_not_kept(max_bytes):
    memory = memory_of(max_bytes=max_bytes)
    learn(memory, what=Remembered(200, bytes(2000)))
    assert memory.weight_bytes == 0
    assert isinstance(memory.recall("key", LIFETIME), Lead)


MOST_BYTES = 5_000
moves = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | st.integers(0, 6_000)), max_size=60)


@settings(deadline=None)
@given(moves)
def test_the_upper_tier_does_what_a_plain_model_does(moves):
    """None recalls only; a number also learns a body of that size where nothing is known."""
    memory, model = memory_of(max_bytes=MOST_BYTES), OrderedDict()
    for key, size in moves:
        reply = memory.recall(key, FOR_EVER)
        assert isinstance(reply, Known) == (key in model)
        if key in model:
            model.move_to_end(key)
            assert reply.remembered.body == model[key]
            continue
        body = None if size is None else bytes(size)
        memory.settle(key, None if body is None else Remembered(200, body))
        if body is not None and weight_of(key, body) <= MOST_BYTES:
            model[key] = body
            while sum(weight_of(*entry) for entry in model.items()) > MOST_BYTES:
                model.popitem(last=False)
        assert memory.weight_bytes == sum(weight_of(*entry) for entry in model.items()) <= MOST_BYTES


# ── one asker for many ──────────────────────────────────────────────────────────────────────────────────────────────


def test_one_leads_and_the_others_wait_for_its_word():
    memory = memory_of()
    assert isinstance(memory.recall("key", LIFETIME), Lead)
    first, second = memory.recall("key", LIFETIME), memory.recall("key", LIFETIME)
    assert isinstance(memory.recall("another", LIFETIME), Lead)
    assert first.settled is second.settled
    assert not first.settled.done()
    memory.settle("key", FOUND)
    assert first.settled.done()
    assert memory.recall("key", LIFETIME) == Known(FOUND, 0.0)


def test_a_leader_that_dies_promotes_one_of_those_who_wait():
    memory = memory_of()
    memory.recall("key", LIFETIME)
    waiting = memory.recall("key", LIFETIME)
    memory.settle("key", None)
    assert waiting.settled.done()
    assert isinstance(memory.recall("key", LIFETIME), Lead)
    again = memory.recall("key", LIFETIME)
    assert isinstance(again, Pending)
    assert not again.settled.done()


def test_a_leader_that_finds_nothing_leaves_an_older_memory_alone():
    """It may be fresh enough for somebody else."""
    wall = Wall()
    memory = memory_of(wall)
    learn(memory)
    wall.now += 500.0
    assert isinstance(memory.recall("key", LIFETIME), Lead)
    memory.settle("key", None)
    assert memory.recall("key", FOR_EVER) == Known(FOUND, 500.0)


class Crowd:
    """Many who want the same key at once. The leader finds it only when all others wait; the first `deaths` leaders die."""

    def __init__(self, askers, deaths=0):
        self.memory = memory_of()
        self.askers = askers
        self.deaths = deaths
        self.led = []
        self.known = []
        self._waiting = threading.Semaphore(0)

    def ask(self, number):
        """As a worker of the threaded mode does."""
        while True:
            reply = self.memory.recall("key", LIFETIME)
            if isinstance(reply, Pending):
                self._waiting.release()
                reply.settled.result(PATIENCE_S)
            elif self._take(reply, number):
                return

    async def ask_in_a_task(self, number):
        """As a task of the async mode does; who leads looks for the answer in a thread, so that the loop goes on."""
        while True:
            reply = self.memory.recall("key", LIFETIME)
            if isinstance(reply, Pending):
                self._waiting.release()
                await asyncio.wait_for(asyncio.wrap_future(reply.settled), PATIENCE_S)
            elif await asyncio.to_thread(self._take, reply, number):
                return

    def _take(self, reply, number):
        if isinstance(reply, Known):
            self.known.append(number)
            return True
        self.led.append(number)
        died = len(self.led) <= self.deaths
        for _ in range(self.askers - len(self.led)):
            assert self._waiting.acquire(timeout=PATIENCE_S)
        self.memory.settle("key", None if died else FOUND)
        return True


@pytest.mark.parametrize("deaths", [0, 1, 3])
def test_a_hundred_threads_that_ask_one_uncached_key_have_one_leader(deaths):
    """And where it dies, one other, not ninety-nine."""
    crowd = Crowd(100, deaths)
    with ThreadPoolExecutor(100) as pool:
        for asked in [pool.submit(crowd.ask, number) for number in range(100)]:
            asked.result(PATIENCE_S)
    assert len(crowd.led) == deaths + 1
    assert sorted(crowd.led + crowd.known) == list(range(100))


def test_threads_and_tasks_share_one_leader():
    crowd = Crowd(60)

    async def tasks():
        await asyncio.gather(*[crowd.ask_in_a_task(number) for number in range(30)])

    with ThreadPoolExecutor(30) as pool:
        threads = [pool.submit(crowd.ask, number) for number in range(30, 60)]
        asyncio.run(tasks())
        for asked in threads:
            asked.result(PATIENCE_S)
    assert len(crowd.led) == 1
    assert sorted(crowd.led + crowd.known) == list(range(60))


def test_one_who_leaves_does_not_end_the_wait_of_the_others():
    """Who is told to stop cancels what he waits for: that must not reach those who share it."""
    memory = memory_of()
    memory.recall("key", LIFETIME)
    leaving, staying = memory.recall("key", LIFETIME), memory.recall("key", LIFETIME)
    assert not leaving.settled.cancel()
    assert not staying.settled.done()
    memory.settle("key", FOUND)
    assert staying.settled.result(0) == FOUND


def test_those_who_wait_are_told_what_was_found_even_where_the_memory_has_no_room_for_it():
    """Else each of a hundred askers of one large answer would lead in turn."""
    memory = memory_of(max_bytes=0)
    memory.recall("key", LIFETIME)
    waiting = memory.recall("key", LIFETIME)
    memory.settle("key", FOUND)
    assert waiting.settled.result(0) == FOUND
    assert isinstance(memory.recall("key", LIFETIME), Lead)
