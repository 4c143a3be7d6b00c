"""Items are handed out so that one lane never holds all workers, and none is lost."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.lanes import ABREAST, LOOK_AHEAD, Lanes
from enricher.model import Item


def items(lanes):
    """One item for each letter: "aab" is two items of lane a, then one of lane b."""
    return [Item(f"{lane}{number}", {"lane": lane}) for number, lane in enumerate(lanes)]


def lane_of(item):
    return item.fields["lane"]


def lanes_of(text, workers=10, **more):
    return Lanes(iter(items(text)), lane_of, workers, **more)


def take(lanes, count):
    return [next(lanes) for _ in range(count)]


def keys(taken):
    return " ".join(item.key for item in taken)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("abc", "a0 b1 c2"),
        ("aaaa", "a0 a1 a2 a3"),
        ("aaaab", "a0 a1 b4 a2 a3"),
        ("aaaabbbb", "a0 a1 b4 b5 a2 b6 a3 b7"),
        ("aaaabbbbc", "a0 a1 b4 b5 c8 a2 b6 a3 b7"),
    ],
)
def test_a_lane_beyond_its_share_waits_while_there_is_another_within_reach(text, taken):
    """Nobody is ever done here: so both lanes of the fourth grow side by side."""
    assert keys(take(lanes_of(text), len(text))) == taken


def test_what_is_done_makes_room_in_its_lane():
    lanes = lanes_of("aaaabbb")
    first, _ = take(lanes, 2)
    lanes.done(first)
    assert keys(take(lanes, 2)) == "a2 b4"


def test_a_slow_lane_does_not_grow_while_others_go_on():
    """Ten workers, a thousand items of a host that never answers before those of another: it holds two of them."""
    lanes = lanes_of("a" * 150 + "b" * 300)
    under_way, taken = [], []
    for _ in range(250):
        item = next(lanes)
        taken.append(lane_of(item))
        under_way.append(item)
        for quick in [each for each in under_way if lane_of(each) == "b"][:1]:
            under_way.remove(quick)
            lanes.done(quick)
    assert taken.count("a") == ABREAST


def test_few_workers_share_themselves_out_all_the_same():
    assert keys(take(lanes_of("aaab", workers=3), 2)) == "a0 b3"


def test_one_worker_takes_items_as_they_come():
    lanes = lanes_of("aaabab", workers=1)
    for expected in ["a0", "a1", "a2", "b3", "a4", "b5"]:
        item = next(lanes)
        assert item.key == expected
        lanes.done(item)


def test_what_lies_beyond_the_look_ahead_is_out_of_reach():
    assert keys(take(lanes_of("aaaaaab", look_ahead=3), 5)) == "a0 a1 a2 a3 b6"
    assert keys(take(lanes_of("aaaaab", look_ahead=0), 4)) == "a0 a1 a2 a3"


def test_nothing_is_read_ahead_that_is_not_needed():
    """Memory must not grow with the input, and the first item is not held up by two hundred others."""
    read = []

    def source():
        for item in items("abcdefgh"):
            read.append(item)
            yield item

    lanes = Lanes(source(), lane_of, workers=10)
    take(lanes, 3)
    assert len(read) == 3


def test_the_end_is_the_end_for_everyone_who_asks():
    lanes = lanes_of("a")
    take(lanes, 1)
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(lanes)


def test_what_the_source_raises_goes_through_and_what_was_read_is_still_there():
    def source():
        yield from items("aaaa")
        raise OSError("gone")

    lanes = Lanes(source(), lane_of, workers=10)
    take(lanes, ABREAST)
    with pytest.raises(OSError, match="gone"):
        next(lanes)
    assert keys(take(lanes, 2)) == "a2 a3"


def test_what_is_over_is_forgotten():
    lanes = lanes_of("abcabcabc")
    for _ in range(9):
        lanes.done(next(lanes))
    assert (lanes._under_way, lanes._waiting, lanes._held) == ({}, {}, 0)


def test_many_threads_get_each_item_once():
    text = "".join("abc"[number * number % 3] for number in range(3000))
    lanes, taken, lock = lanes_of(text), [], threading.Lock()

    def work():
        for item in lanes:
            with lock:
                taken.append(item.key)
            lanes.done(item)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(item.key for item in items(text))


@settings(deadline=None, max_examples=300)
@given(
    text=st.text("aaabcd", max_size=60),
    workers=st.integers(1, 12),
    look_ahead=st.integers(1, 12),
    moves=st.lists(st.none() | st.integers(0, 100), max_size=200),
)
def test_the_next_item_is_the_oldest_of_the_least_crowded_lane_within_reach(text, workers, look_ahead, moves):
    """And so every item is handed out once, in order within its lane, and never more are read ahead than may be.

    A move of None takes an item, a number ends one that is under way. At last all others are taken.
    """
    read, under_way, taken = [], [], []

    def source():
        for item in items(text):
            read.append(item)
            yield item

    def crowd(lane):
        return max(0, [lane_of(each) for each in under_way].count(lane) + 1 - max(1, min(ABREAST, workers // 2)))

    lanes = Lanes(source(), lane_of, workers, look_ahead)
    for move in [*moves, *[None] * len(text)]:
        if move is not None:
            if under_way:
                lanes.done(under_way.pop(move % len(under_way)))
            continue
        item = next(lanes, None)
        if item is None:
            assert len(taken) == len(text)
            break
        within_reach = [each for each in read if each not in taken]
        assert len(within_reach) <= look_ahead
        assert item == min(within_reach, key=lambda each: crowd(lane_of(each)))  # of equals the first: the oldest
        if crowd(lane_of(item)):
            assert len(within_reach) == look_ahead or len(read) == len(text)
        taken.append(item)
        under_way.append(item)
    assert len(taken) == len(text)
    for lane in "abcd":
        assert [each for each in taken if lane_of(each) == lane] == [
            each for each in items(text) if lane_of(each) == lane
        ]


def test_the_look_ahead_is_enough_for_a_few_feeds_of_one_site():
    lanes = lanes_of("a" * (LOOK_AHEAD + 1) + "b")
    assert keys(take(lanes, 3)) == f"a0 a1 b{LOOK_AHEAD + 1}"
