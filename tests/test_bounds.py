"""The lower bounds of a run, against a simulation of the best that first come, first served can do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bounds import Strict, Tokens, Work, bound_s, bounds_s, ideal_s

LATENCIES = st.floats(0.001, 5.0)
RECORDS = st.lists(st.lists(LATENCIES, min_size=1, max_size=3), min_size=1, max_size=30)
STRICT = st.builds(Strict, st.integers(1, 12), st.floats(0.1, 3.0))
TOKENS = st.builds(Tokens, st.integers(1, 8), st.floats(0.5, 20.0))
WORKS = st.builds(Work, RECORDS, st.integers(1, 12), st.lists(STRICT | TOKENS, max_size=2))
FILM = (0.175, 0.175)


@given(WORKS)
@settings(max_examples=400, deadline=None)
def test_no_simulation_is_faster_than_any_bound(work):
    ideal = ideal_s(work)
    for name, bound in bounds_s(work).items():
        assert bound <= ideal + 1e-9, name


@given(RECORDS, st.integers(1, 12))
def test_streaming_is_at_most_a_last_record_slower_than_its_work(records, slots):
    """Graham's bound: Σd/C + (1 - 1/C) · max d."""
    work = Work(records, slots)
    lengths = [sum(record) for record in records]
    assert ideal_s(work) <= sum(lengths) / slots + (1 - 1 / slots) * max(lengths) + 1e-9


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (Work([FILM] * 50, 10), 1.75),
        (Work([FILM] * 50, 1), 17.5),
        (Work([(3.5,)] * 100, 8), 45.5),
        (Work([(3.5,)] * 100, 5), 70.0),
        (Work([(1.0,)] * 80, 10, [Strict(40, 1.0)]), 9.0 - 1.0),
        (Work([(0.0,)] * 80, 80, [Strict(40, 1.0)]), 1.0),
        (Work([(0.5,)] * 20, 20, [Tokens(5, 10.0)]), 2.0),
        (Work([], 3), 0.0),
    ],
)
def test_known_works_have_their_known_bounds_and_reach_them(work, expected):
    assert bound_s(work) == pytest.approx(expected)
    assert ideal_s(work) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("work", "binding"),
    [
        (Work([FILM] * 50, 10), {"work", "packing"}),
        (Work([(1.0,), (1.0,), (9.0,)], 3), {"longest", "packing"}),
        (Work([(3.5,)] * 9, 8), {"packing"}),
        (Work([(0.01, 2.0)] + [(0.01,)] * 9, 10, [Strict(2, 1.0)]), {"quota"}),
        (Work([(1.0,)] * 30, 5, [Strict(6, 1.0)]), {"work", "packing", "quota+slots"}),
        (Work([(1.0,)] * 30, 5, [Strict(20, 6.0)]), {"quota+slots"}),
    ],
)
def test_each_bound_binds_where_it_should(work, binding):
    found = bounds_s(work)
    assert {name for name, bound in found.items() if bound == pytest.approx(max(found.values()))} == binding


def test_a_strict_window_lets_whole_windows_leave_at_once():
    assert [Strict(2, 10.0).earliest_s(k) for k in (1, 2, 3, 4, 5)] == [0, 0, 10, 10, 20]


def test_a_bucket_lets_its_burst_leave_at_once_and_then_paces():
    assert [Tokens(2, 4.0).earliest_s(k) for k in (1, 2, 3, 4)] == [0, 0, 0.25, 0.5]
