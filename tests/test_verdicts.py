"""What a benchmark may say of its numbers."""

import doctest
import random

import pytest

from benchmarks import verdicts
from benchmarks.verdicts import Interval, control_holds, interval, ratios, verdict


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.99, 1.01, "match within 1.0 %"),
        (0.96, 1.0, "match within 4.0 %"),
        (1.01, 1.03, "match within 3.0 %"),
        (1.06, 1.2, "slower than threaded by at least 6.0 %"),
        (1.01, 1.2, "slower than threaded by at least 1.0 %"),
        (0.5, 0.9, "faster than threaded by at least 10.0 %"),
        (0.9, 1.1, "not decided"),
        (1.0, 1.1, "not decided"),
    ],
)
def test_a_verdict_says_no_more_than_the_interval(low, high, words):
    said = verdict("async", "threaded", Interval((low + high) / 2, low, high))
    assert words in said
    assert "no difference" not in said


def test_a_wider_margin_lets_more_match():
    ratio = Interval(1.06, 1.02, 1.08)
    assert "slower" in verdict("async", "threaded", ratio)
    assert "match" in verdict("async", "threaded", ratio, margin=0.1)


def test_an_interval_holds_its_median_and_is_the_same_each_time():
    values = [1.0, 1.1, 0.9, 1.05, 0.97]
    found = interval(values)
    assert found == interval(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    chance, covered = random.Random(5), 0
    for run in range(60):
        found = interval([chance.lognormvariate(0.0, 0.1) for _ in range(10)], seed=run)
        covered += found.low <= 1.0 <= found.high
    assert covered >= 50


def test_one_round_is_its_own_interval_and_none_is_refused():
    assert interval([2.0]) == Interval(2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_rounds_are_paired_and_must_be_the_same():
    assert ratios([1.0, 4.0], [2.0, 2.0]) == [0.5, 2.0]
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize(("low", "high", "holds"), [(0.995, 1.005, True), (0.98, 1.0, False), (1.0, 1.02, False)])
def test_a_control_that_is_not_itself_spoils_the_run(low, high, holds):
    assert control_holds(Interval(1.0, low, high)) is holds


def test_the_examples_hold():
    assert doctest.testmod(verdicts).failed == 0
