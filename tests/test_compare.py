"""Two runs side by side: what may be compared, what changed, and what is said of it."""

import doctest
import json
import random
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from bench_world import simulated_run
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import changes, verdicts
from benchmarks.changes import FIGURES, Change, change
from benchmarks.compare import (
    NotComparable,
    comparable,
    compare,
    comparison_html,
    comparison_json,
    comparison_markdown,
    machine_differences,
)
from benchmarks.runs import Point, Subject
from benchmarks.verdicts import Interval

FACTORS = {"threaded": 1.02, "threaded-again": 1.02, "async": 1.02, "stock-pool": 1.05}
NAMES = ("0123456", "89abcde")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Intervals are a little coarser, and the tests many times faster."""
    monkeypatch.setattr(verdicts, "RESAMPLES", 400)
    monkeypatch.setattr(changes, "RESAMPLES", 400)


def run(factors=None, **more):
    return simulated_run(factors or FACTORS, **more)


def again(one, slower=None, *, seed=1, noise=0.002, commit="89abcde"):
    """The same latencies met once more by another commit, with noise of its own. Some subjects are `slower` by a factor."""
    chance = random.Random(seed)
    factors = slower or {}
    found = tuple(
        replace(
            each, wall_s=each.bound_s * FACTORS[each.subject] * factors.get(each.subject, 1) * chance.gauss(1, noise)
        )
        for each in one.measurements
    )
    return replace(one, measurements=found, commit=commit)


def with_seeds(one, first):
    """The same measurements, with other latencies' seeds."""
    found = tuple(replace(each, seed=first + each.round) for each in one.measurements)
    return replace(one, measurements=found, seed=first)


def elsewhere(one, **machine):
    return replace(one, machine={**one.machine, **machine})


def only(one, subject, rounds):
    """Without the rounds of a subject that are not named."""
    kept = tuple(each for each in one.measurements if each.subject != subject or each.round in rounds)
    return replace(one, measurements=kept)


def warned(comparison, words):
    return [warning for warning in comparison.warnings if words in warning]


ONE = run()

# ── whether ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_that_met_the_same_are_comparable_whoever_was_measured_when_and_where():
    other = elsewhere(with_seeds(again(run({"threaded": 1.02}, rounds=3)), 70), processor="Another")
    assert comparable(ONE, other) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scenario": "films-400"}, "scenario films-50 against films-400"),
        ({"kind": "things"}, "kind films against things"),
        ({"time_scale": 0.5}, "time scale 1.0 against 0.5"),
        ({"points": ONE.points * 2}, "number of points 1 against 2"),
        ({"points": (Point("", 60, 10, latency="175ms"),)}, "items 50 against 60"),
        ({"points": (Point("", 50, 8, latency="175ms"),)}, "slots 10 against 8"),
        ({"points": (Point("", 50, 10, latency="20ms"),)}, "latency 175ms against 20ms"),
        ({"points": (Point("", 50, 10, latency="175ms", quota="40/10s"),)}, "quota none against 40/10s"),
        ({"points": (Point("", 50, 10, latency="175ms", faults="503:5%"),)}, "faults none against 503:5%"),
        ({"subjects": (Subject("curl", ours=False, about=""),)}, "no subject is in both"),
    ],
)
def test_what_did_not_meet_the_same_is_refused_with_the_reason(changed, reason):
    other = replace(ONE, **changed)
    assert comparable(ONE, other) == [reason]
    with pytest.raises(NotComparable, match=f"can't be compared: {reason}"):
        compare(ONE, other)


def test_all_reasons_are_named_at_once_and_where_they_are():
    one = run(points=(Point("a", 50, 10), Point("b", 50, 10)))
    other = replace(one, scenario="x", points=(Point("a", 50, 10), Point("b", 60, 9)))
    assert comparable(one, other) == [
        "scenario films-50 against x",
        "items of b 50 against 60",
        "slots of b 10 against 9",
    ]
    with pytest.raises(NotComparable, match=r"x; items of b 50 against 60; slots of b 10 against 9$"):
        compare(one, other)


@pytest.mark.parametrize(
    ("machine", "differs"),
    [
        ({}, []),
        ({"python": "3.11.2"}, []),
        ({"libraries": {}}, []),
        ({"python": "3.12.9"}, ["python 3.11 against 3.12"]),
        ({"processor": "B"}, ["processor A processor against B"]),
        ({"cores": 8}, ["cores 2 against 8"]),
        ({"system": "Darwin"}, ["system Linux 6.1 x86_64 against Darwin"]),
        ({"cores": 8, "python": "3.13.0"}, ["cores 2 against 8", "python 3.11 against 3.13"]),
        ({"processor": None}, ["processor A processor against unknown"]),
    ],
)
def test_a_machine_is_another_by_what_makes_it_faster(machine, differs):
    assert machine_differences(ONE, elsewhere(ONE, **machine)) == differs


def test_a_machine_that_nobody_described_is_nobody_s():
    unknown = replace(ONE, machine={})
    assert "processor unknown against unknown" in machine_differences(unknown, unknown)


# ── what changed ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_identical_runs_match_in_everything():
    comparison = compare(ONE, ONE)
    assert {(one.subject.name, one.figure) for one in comparison.headline.changes} == {
        *((name, figure) for name in ("threaded", "async", "stock-pool") for figure in FIGURES),
    } - {("threaded", "ratio")}
    for each in comparison.headline.changes:
        assert each.ratio == Interval(1, 1, 1)
        assert each.verdict.endswith("match within 0.0 %")
    assert comparison.verdict == "films-50: threaded: match within 0.0 %; async: match within 0.0 %."


def test_a_slow_down_of_5_percent_in_one_mode_is_found_at_a_margin_of_2():
    comparison = compare(ONE, again(ONE, {"async": 1.05}), 0.02)
    found = comparison.headline.change("async")
    assert found.differs
    assert found.paired
    assert 1.04 < found.ratio.low < found.ratio.median < found.ratio.high < 1.06
    assert found.verdict.startswith("async: 89abcde is slower than 0123456 by at least 4.")
    assert comparison.headline.change("threaded").verdict.startswith("threaded: match within ")
    assert comparison.headline.change("async", "ratio").verdict.startswith("async against threaded: 89abcde is slower")
    assert comparison.verdict.startswith("films-50: async: 89abcde is slower than 0123456 by at least 4.")
    assert "; threaded: match within " in comparison.verdict


def test_the_same_change_backwards_is_faster():
    said = compare(again(ONE, {"async": 1.05}), ONE, 0.02).headline.change("async").verdict
    assert said.startswith("async: 0123456 is faster than 89abcde by at least 4.")


def test_a_wider_margin_calls_it_a_match_and_the_margin_is_the_first_run_s_unless_told():
    slower = again(ONE, {"async": 1.03})
    assert compare(ONE, slower).margin == ONE.margin == 0.05
    assert compare(ONE, slower).headline.change("async").matches
    assert compare(replace(ONE, margin=0.01), slower).headline.change("async").differs
    assert compare(ONE, slower, 0.01).headline.change("async").differs


def test_how_often_a_change_is_found_and_none_is_invented():
    slower, match, invented = 0, 0, 0
    for seed in range(60):
        one = again(run({"async": 1.02}, seed=seed), seed=seed, noise=0.01, commit="0123456")
        other = again(one, {"async": 1.05}, seed=1000 + seed, noise=0.01)
        same = again(one, seed=1000 + seed, noise=0.01)
        slower += compare(one, other, 0.02).headline.change("async").ratio.low > 1.02
        found = compare(one, same, 0.02).headline.change("async")
        match += found.matches
        invented += found.differs
    assert slower >= 57
    assert match >= 48
    assert invented <= 1


def test_cpu_and_memory_are_compared_as_well():
    heavier = tuple(replace(each, cpu_s=0.12, peak_mib=54.0) for each in ONE.measurements)
    found = compare(ONE, replace(ONE, measurements=heavier, commit="89abcde")).headline
    cpu, peak = found.change("async", "cpu"), found.change("async", "peak")
    assert (cpu.one, cpu.other) == pytest.approx((1.0, 1.2))
    assert cpu.verdict == "async, CPU: 89abcde needs more than 0123456 by at least 20.0 %"
    assert peak.verdict == "async, memory: 89abcde needs less than 0123456 by at least 10.0 %"


def test_what_one_run_does_not_know_is_not_compared():
    unknown = replace(ONE, measurements=tuple(replace(each, peak_mib=None, bound_s=0.0) for each in ONE.measurements))
    figures = {each.figure for each in compare(ONE, unknown).headline.changes}
    assert figures == {"wall", "cpu", "ratio"}


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_other_seeds_are_not_paired_and_their_interval_is_much_wider():
    one = run(rounds=10, round_noise=0.05)
    paired = compare(one, again(one)).headline.change("async")
    comparison = compare(one, with_seeds(again(one), 50))
    unpaired = comparison.headline.change("async")
    assert paired.paired
    assert not unpaired.paired
    assert unpaired.ratio.high - unpaired.ratio.low > 5 * (paired.ratio.high - paired.ratio.low)
    assert unpaired.ratio.low <= 1 <= unpaired.ratio.high
    assert unpaired.rounds == (10, 10)
    assert warned(comparison, "Use the same --seed")
    assert not warned(compare(one, again(one)), "--seed")


def test_an_unpaired_interval_covers_the_truth_about_as_often_as_it_says():
    chance, covered = random.Random(5), 0
    for _ in range(100):
        old, new = ({number: (seed, chance.gauss(1, 0.1)) for number in range(10)} for seed in (1, 2))
        ratio = change(Subject("async", ours=True, about=""), "wall", NAMES, old, new, 0.05).ratio
        covered += ratio.low <= 1 <= ratio.high
    assert covered >= 90


def test_rounds_that_only_one_run_has_are_left_out_of_the_pairs():
    long = run(rounds=10)
    short = again(replace(long, rounds=5, measurements=tuple(each for each in long.measurements if each.round < 5)))
    for one, other in ((long, short), (short, long)):
        found = compare(one, other).headline.change("async")
        assert (found.paired, found.rounds) == (True, (5, 5))
        assert found.ratio.median == pytest.approx(found.other / found.one, rel=0.01)


def test_rounds_of_which_some_are_alike_are_not_paired_by_those_alone():
    one = run(rounds=6)
    other = again(one)
    shifted = replace(other, measurements=tuple(replace(each, round=each.round + 3) for each in other.measurements))
    assert not compare(one, shifted).headline.change("async").paired


def test_a_slow_mode_is_paired_with_the_rounds_it_has_in_both():
    one = only(run(rounds=10), "async", {0, 5, 9})
    other = only(again(run(rounds=10)), "async", {0, 5, 9})
    found = compare(one, other)
    assert found.headline.change("async").rounds == (3, 3)
    assert found.headline.change("threaded").rounds == (10, 10)
    assert warned(found, "Fewer than 5 rounds (async)")


def test_one_round_alone_decides_nothing():
    one = run(rounds=1)
    comparison = compare(one, again(one, {"async": 1.5}))
    assert comparison.headline.change("async").verdict == "async: not decided; more rounds are needed"
    assert compare(one, one).headline.change("async").verdict.endswith("not decided; more rounds are needed")


@settings(deadline=None, max_examples=40)
@given(
    old=st.dictionaries(st.integers(0, 9), st.tuples(st.integers(0, 2), st.floats(0.5, 2)), min_size=1),
    new=st.dictionaries(st.integers(0, 9), st.tuples(st.integers(0, 2), st.floats(0.5, 2)), min_size=1),
    margin=st.floats(0.01, 0.5),
)
def test_a_change_holds_its_median_and_says_one_thing(old, new, margin):
    found = change(Subject("async", ours=True, about=""), "wall", NAMES, old, new, margin)
    assert found.ratio.low <= found.ratio.median <= found.ratio.high
    assert found.matches + found.differs <= 1
    assert found.matches == ("match within" in found.verdict)
    assert found.differs == ("by at least" in found.verdict)
    alike = [number for number in old if number in new and old[number][0] == new[number][0]]
    assert found.paired == (len(alike) in {len(old), len(new)})
    assert change(found.subject, "wall", NAMES, old, new, margin) == found


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.99, 1.02, "match within 2.0 %"),
        (1.01, 1.05, "match within 5.0 %"),
        (1.06, 1.2, "89abcde is slower than 0123456 by at least 6.0 %"),
        (0.5, 0.9, "89abcde is faster than 0123456 by at least 10.0 %"),
        (0.9, 1.1, "not decided; more rounds are needed"),
        (1.0, 1.1, "not decided; more rounds are needed"),
    ],
)
def test_a_verdict_says_no_more_than_the_interval(low, high, words):
    ratio = Interval((low + high) / 2, low, high)
    found = Change(Subject("async", ours=True, about=""), "wall", NAMES, 1.0, 1.0, ratio, 0.0501, (9, 9), paired=True)
    assert found.verdict == f"async: {words}"


# ── two machines ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_on_another_machine_nothing_absolute_is_compared_and_a_warning_says_so():
    comparison = compare(ONE, elsewhere(again(ONE, {"async": 1.05}), processor="B", cores=8), 0.02)
    assert {each.figure for each in comparison.headline.changes} == {"ratio", "of_bound"}
    assert warned(
        comparison, "Two machines (processor A processor against B; cores 2 against 8): wall time, CPU and memory"
    )
    assert not warned(comparison, "not interleaved")
    assert comparison.verdict.startswith("films-50, on two machines: async against threaded: 89abcde is slower than")
    assert "threaded, share of the bound: match within" in comparison.verdict


def test_a_machine_that_is_twice_as_slow_for_everyone_changes_no_ratio():
    both = compare(ONE, elsewhere(again(ONE, dict.fromkeys(FACTORS, 2.0)), processor="B"))
    assert both.headline.change("async", "ratio").matches
    assert both.headline.change("async", "of_bound").ratio.median == pytest.approx(0.5, rel=0.01)


# ── what to doubt ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_not_interleaved_is_always_warned_of():
    assert len(warned(compare(ONE, ONE), "were not interleaved")) == 1


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_invalid_in_either_run_has_no_change(which):
    broken = replace(
        again(ONE),
        measurements=tuple(replace(one, wrong=3 * (one.subject == "async")) for one in again(ONE).measurements),
    )
    pair = (broken, replace(ONE, commit="1234567")) if which == 0 else (replace(ONE, commit="1234567"), broken)
    comparison = compare(*pair)
    assert all(each.subject.name != "async" for each in comparison.headline.changes)
    assert warned(comparison, "async is INVALID in 89abcde: 3 of 50 rows are wrong or lost")
    assert "async is INVALID in 89abcde" in comparison.verdict
    assert comparison.headline.change("threaded").matches


def test_an_invalid_reference_leaves_no_ratio():
    spoilt = tuple(replace(one, wrong=int(one.subject == "threaded")) for one in ONE.measurements)
    comparison = compare(ONE, replace(ONE, measurements=spoilt))
    assert {each.figure for each in comparison.headline.changes} == {"wall", "cpu", "peak", "of_bound"}
    assert {each.subject.name for each in comparison.headline.changes} == {"async", "stock-pool"}


def test_who_was_measured_in_one_run_only_is_named():
    comparison = compare(ONE, again(run({"threaded": 1.02, "async": 1.02})))
    assert warned(comparison, "stock-pool was not measured in 89abcde")
    assert comparison.headline.change("stock-pool") is None


def test_a_control_that_is_not_itself_withholds_the_verdict():
    loud = again(ONE, {"threaded-again": 1.05})
    comparison = compare(ONE, loud)
    assert comparison.verdict == "films-50: no verdict. The control of 89abcde did not come out as itself."
    assert warned(comparison, "In 89abcde, threaded against itself gave 1.04")
    assert [control is None for control in comparison.controls] == [False, False]


def test_a_run_without_a_control_is_warned_of_and_compared():
    bare = run({"threaded": 1.02, "async": 1.02})
    comparison = compare(bare, again(bare))
    assert len(warned(comparison, "has no valid control")) == 2
    assert "async: match within" in comparison.verdict


def test_baselines_that_changed_as_well_point_at_the_machine():
    assert warned(compare(ONE, again(ONE, dict.fromkeys(FACTORS, 1.1))), "baselines changed as well (stock-pool)")
    assert not warned(compare(ONE, again(ONE, {"async": 1.1})), "baselines")


def test_other_libraries_and_interruptions_are_warned_of():
    other = replace(elsewhere(again(ONE), libraries={"requests": "2.33.0", "aiohttp": "3.11.0"}), interrupted=True)
    comparison = compare(ONE, other)
    assert warned(comparison, "Libraries differ (requests 2.32.0 against 2.33.0)")
    assert warned(comparison, "89abcde was interrupted")
    assert comparison.differences == ()


def test_runs_of_one_commit_are_the_first_and_the_second():
    assert compare(ONE, again(ONE, commit="0123456")).names == ("the first", "the second")
    assert compare(ONE, again(ONE, commit="")).names == ("the first", "the second")


def test_nothing_valid_is_nothing_to_compare():
    nothing = replace(ONE, measurements=())
    assert compare(nothing, nothing).verdict == "films-50: nothing to compare."


# ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SWEEP = run(rounds=5, points=(Point("few", 20, 10, latency="1ms"), Point("many", 50, 10, latency="1ms")))
SWEEP = replace(SWEEP, headline=1)
HOSTILE = replace(SWEEP, meaning="<script>alert(1)</script> & | `x`", command="a | b <c> *d*")
REPORTED = [
    (ONE, again(ONE, {"async": 1.05})),
    (ONE, elsewhere(again(ONE), processor="<b>B</b> | C")),
    (SWEEP, again(SWEEP)),
    (HOSTILE, again(HOSTILE, commit="<i>|`1`")),
    (replace(ONE, measurements=()), replace(ONE, measurements=())),
]


@pytest.mark.parametrize(("one", "other"), REPORTED)
def test_markdown_tells_the_verdict_then_the_doubts_then_the_figures(one, other):
    comparison = compare(one, other)
    text = comparison_markdown(comparison)
    assert text == comparison_markdown(comparison)
    assert text.startswith("# films-50")
    assert (
        text.index("\n## Warnings\n")
        < text.index("\n- ")
        < text.index("\n## Figures\n")
        < text.index("\n**The runs**\n")
    )
    for line in text.splitlines():
        if line.startswith("| "):
            assert line.replace("\\|", "").count("|") in {4, 7}
    assert "<script" not in text.replace("\\<", "")
    figures = {(point.point, each.figure) for point in comparison.points for each in point.changes}
    assert len(re.findall(r"(?m)^\*\*[^*]+\*\*$", text)) == len(figures) + 1


def test_the_figures_of_markdown_are_those_of_the_change():
    comparison = compare(ONE, again(ONE, {"async": 1.05}))
    found = comparison.headline.change("async")
    line = next(each for each in comparison_markdown(comparison).splitlines() if each.startswith("| async |"))
    middle, low, high = (f"{100 * (end - 1):+.1f}" for end in (found.ratio.median, found.ratio.low, found.ratio.high))
    assert "-0.0 %" not in comparison_markdown(compare(ONE, again(ONE, seed=3)))
    assert line.startswith(f"| async | {found.one:.3f} s | {found.other:.3f} s | {middle} % [")
    assert f"[{low} to {high}] | 10 paired | 89abcde is slower than 0123456 by at least" in line


def words(node):
    """What is written there, as one line."""
    return " ".join("".join(node.itertext()).split())


@pytest.mark.parametrize(("one", "other"), REPORTED)
def test_html_is_well_formed_loads_nothing_and_runs_nothing(one, other):
    comparison = compare(one, other)
    page = comparison_html(comparison)
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert [words(node) for node in root.iter("h1")] == [comparison.verdict]
    assert not list(root.iter("script"))
    assert not re.search(r"://|src=|href=|@import|url\(", page)
    names = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(names) == len(set(names))
    cells = {words(node) for node in root.iter("td")}
    for point in comparison.points:
        for each in point.changes:
            assert FIGURES[each.figure].show(each.other) in cells
            assert each.verdict.partition(": ")[2] in cells
    assert page.index("<h1>") < page.index('<aside class="warnings"') < page.index("<table>")


@pytest.mark.parametrize(("one", "other"), REPORTED)
def test_json_holds_every_change(one, other):
    comparison = compare(one, other)
    whole = json.loads(comparison_json(comparison))
    assert whole["verdict"] == comparison.verdict
    assert [len(point["changes"]) for point in whole["points"]] == [len(point.changes) for point in comparison.points]
    assert whole["one"]["seed"] == one.seed
    assert whole["machine_differences"] == list(comparison.differences)
    for point, told in zip(comparison.points, whole["points"], strict=True):
        for each, said in zip(point.changes, told["changes"], strict=True):
            assert (said["subject"], said["figure"], said["paired"]) == (each.subject.name, each.figure, each.paired)
            assert said["ratio"] == {"median": each.ratio.median, "low": each.ratio.low, "high": each.ratio.high}


def test_the_headline_s_tables_come_first():
    text = comparison_markdown(compare(SWEEP, again(SWEEP)))
    assert text.index("Wall time, many") < text.index("Wall time, few")


def test_the_examples_hold():
    assert doctest.testmod(changes).failed == 0
