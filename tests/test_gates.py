"""Gates: what a condition says of a run, and that one which can't be judged never passes."""

import doctest
import operator
from dataclasses import replace

import pytest
from bench_world import SUBJECTS, simulated_run
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import gates
from benchmarks.gates import FIGURES, MOST_NESTED, GateError, Verdict, check
from benchmarks.runs import Percentiles, Point, Subject
from benchmarks.summary import PointSummary, Ratio, Row
from benchmarks.verdicts import Interval


def row(name, wall_s=1.8, **facts):
    """A valid row that tells everything."""
    subject = SUBJECTS.get(name, Subject(name, ours=False, about=""))
    told = {
        "wall_s": Interval(wall_s, wall_s - 0.05, wall_s + 0.1),
        "bound_s": 1.75, "of_bound": Interval(0.97, 0.96, 0.98), "of_ideal": Interval(0.98, 0.97, 0.99),
        "cpu_ms_per_request": 1.7, "peak_mib": 60.0, "import_mib": 45.0,
        "requests": 100, "connections": 10, "rejected": 0, "faults": 3, "wrong": 0,
        "wait_ms": Percentiles(0.1, 0.2, 0.3), "service_ms": Percentiles(175.4, 176.0, 177.1),
    }  # fmt: skip
    return Row(subject, valid=True, problem="", rounds=10, **{**told, **facts})


BROKEN = Row(SUBJECTS["barrier"], valid=False, problem="3 of 50 rows\nare wrong or lost", rounds=10, wrong=3)
POINT = PointSummary(
    Point("", 50, 10),
    1.75,
    1.76,
    (
        row("threaded", 1.81),
        row("threaded-again", 1.82),
        row("async", 1.8, peak_mib=None, wait_ms=None),
        row("stock-pool", 1.9),
        row("requests-futures", 2.0, cpu_ms_per_request=2.5),
        BROKEN,
    ),
    (Ratio("async", "threaded", Interval(0.995, 0.99, 1.0), 0.05, 10),),
    Ratio("threaded-again", "threaded", Interval(1.002, 0.998, 1.006), 0.05, 10),
)


# ── what is judged ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "failed", "said"),
    [
        (
            "threaded.wall>1.05*async.wall",
            False,
            "threaded.wall 1.81 s > 1.05 * async.wall 1.8 s = 1.89 s: no",
        ),
        ("threaded.wall > 1.8", True, "threaded.wall 1.81 s > 1.8 s: yes"),
        ("threaded.wall>1.81", False, "threaded.wall 1.81 s > 1.81 s: no"),
        ("threaded.wall >= 1.81", True, "threaded.wall 1.81 s >= 1.81 s: yes"),
        ("threaded.wall < 1.81", False, "threaded.wall 1.81 s < 1.81 s: no"),
        ("threaded.wall<=1.81", True, "threaded.wall 1.81 s <= 1.81 s: yes"),
        ("async.requests == 100", True, "async.requests 100 == 100: yes"),
        ("async.requests != 100", False, "async.requests 100 != 100: no"),
        ("  async.wall\t >  1 ", True, "async.wall 1.8 s > 1 s: yes"),
        ("2 < 1 + 2 * 3 - 4 / 2", True, "2 < 1 + 2 * 3 - 4 / 2 = 5: yes"),
        ("(1 + 2) * 3 == 9", True, "(1 + 2) * 3 = 9 == 9: yes"),
        ("10 - 4 - 3 == 3", True, "10 - 4 - 3 = 3 == 3: yes"),
        ("16 / 4 / 2 == 2", True, "16 / 4 / 2 = 2 == 2: yes"),
        ("--3 == 3", True, "--3 = 3 == 3: yes"),
        ("1e3 > .5", True, "1e3 > .5: yes"),
        ("threaded.wall - async.wall > -1%*async.wall", True, None),
        ("threaded.wall / async.wall > 100.5%", True, None),
        ("barrier.valid == 0", True, "barrier.valid 0 == 0: yes"),
        ("threaded.valid == 0", False, "threaded.valid 1 == 0: no"),
        ("barrier.rounds < 5", False, "barrier.rounds 10 < 5: no"),
    ],
)
def test_a_condition_is_judged_and_told_with_its_numbers(text, failed, said):
    verdict = check(text, POINT)
    assert verdict.failed is failed
    assert said is None or verdict == Verdict(failed, said)


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("1 > 2 or 3 > 2", True),
        ("1 > 2 and 3 > 2", False),
        ("3 > 2 or 3 > 2 and 1 > 2", True),  # "and" binds closer
        ("3 > 2 and 1 > 2 or 3 > 2", True),
        ("1 > 2 and 3 > 2 or 1 > 2", False),
        ("1 > 2 or 1 > 3 or 1 > 0", True),
    ],
)
def test_conditions_are_joined_and_each_is_told(text, failed):
    verdict = check(text, POINT)
    assert verdict.failed is failed
    assert verdict.said.count(": yes") + verdict.said.count(": no") == text.count(">")
    assert verdict.said.count(", and ") == text.count(" and ")


def test_two_numbers_that_look_alike_tell_by_how_much_they_differ():
    said = check("threaded.wall > 1.80999999", POINT).said
    assert said == "threaded.wall 1.81 s > 1.80999999 s: yes, by 1e-08 s"


# ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("threaded.wall > 1809ms", True),
        ("threaded.wall > 1811ms", False),
        ("threaded.wall > 1.809s", True),
        ("threaded.cpu > 1.6ms", True),
        ("threaded.cpu > 0.0016s", True),
        ("threaded.cpu > 1.8ms", False),
        ("threaded.cpu > 1.6", True),  # a plain number takes the figure's unit
        ("threaded.cpu > 1.8", False),
        ("threaded.wait_p99 > 2ms", False),
        ("threaded.peak > 40MiB", True),
        ("threaded.peak - threaded.imports > 16 MiB", False),
        ("threaded.of_bound < 98%", True),
        ("threaded.of_bound < 98 %", True),
        ("threaded.of_bound < 0.96", False),
        ("threaded.wall > (1 + 5%) * async.wall", False),
        ("threaded.wall > async.wall + 5 ms", True),
        ("threaded.cpu * threaded.requests > 169ms", True),
        ("threaded.cpu * threaded.requests > 0.171s", False),
        ("threaded.service_p50 / 1s > 17%", True),
        ("threaded.requests / 2 == 50", True),
        ("1s - 1 == 0", True),
    ],
)
def test_units_are_minded(text, failed):
    assert check(text, POINT).failed is failed


def test_what_was_converted_is_shown():
    assert check("threaded.wall > 2ms", POINT).said == "threaded.wall 1.81 s > 2ms = 0.002 s: yes"


# ── every figure ────────────────────────────────────────────────────────────────────────────────────────────────────

VALUES = {
    "wall": 1.9, "wall.low": 1.85, "wall.high": 2.0, "bound": 1.75, "of_bound": 0.97, "of_ideal": 0.98, "cpu": 1.7,
    "peak": 60, "imports": 45, "requests": 100, "connections": 10, "rejected": 0, "faults": 3, "wrong": 0,
    "wait_p99": 0.3, "service_p50": 175.4, "service_p95": 176, "service_p99": 177.1, "valid": 1, "rounds": 10,
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), VALUES.items())
def test_a_figure_is_what_its_row_says(name, value):
    assert not check(f"stock-pool.{name} - {value} > 1e-9 or {value} - stock-pool.{name} > 1e-9", POINT).failed


@pytest.mark.parametrize(("mode", "value"), [("async", 0.995), ("threaded-again", 1.002)])
def test_a_ratio_is_that_to_threaded_of_a_mode_or_of_the_control(mode, value):
    assert check(f"{mode}.ratio == {value}", POINT).failed
    assert check(f"{mode}.ratio.low < {mode}.ratio and {mode}.ratio < {mode}.ratio.high", POINT).failed


def test_there_is_no_figure_without_a_test():
    assert set(FIGURES) == {*VALUES, "ratio", "ratio.low", "ratio.high"}
    assert all(figure.about for figure in FIGURES.values())


def test_a_run_s_own_summary_can_be_judged():
    from benchmarks.summary import summarise

    headline = summarise(simulated_run({"threaded": 1.02, "threaded-again": 1.02, "async": 1.1}, rounds=3)).headline
    known = [name for name in FIGURES if not check(f"async.{name} != async.{name}", headline).failed]
    assert known == list(FIGURES)
    assert check("async.wall > 1.05 * threaded.wall", headline).failed
    assert not check("threaded.wall > 1.05 * async.wall", headline).failed


# ── names with hyphens ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stock-pool.wall>1", "stock-pool.wall 1.9 s > 1 s: yes"),
        ("requests-futures.cpu>1", "requests-futures.cpu 2.5 ms > 1 ms: yes"),
        ("threaded-again.wall>1", "threaded-again.wall 1.82 s > 1 s: yes"),
        ("stock-pool.wall-threaded.wall>1", "stock-pool.wall 1.9 s - threaded.wall 1.81 s = 0.09 s > 1 s: no"),
        (
            "threaded.wall-threaded-again.wall>1",
            "threaded.wall 1.81 s - threaded-again.wall 1.82 s = -0.01 s > 1 s: no",
        ),
        ("3-stock-pool.wall>1", "3 - stock-pool.wall 1.9 s = 1.1 s > 1 s: yes"),
        ("-threaded-again.wall<-1", "-threaded-again.wall 1.82 s = -1.82 s < -1 = -1 s: yes"),
    ],
)
def test_a_hyphen_belongs_to_a_mode_wherever_there_is_such_a_mode(text, said):
    assert check(text, POINT).said == said


def test_the_longest_name_wins_and_odd_names_are_names():
    names = ("a", "a-b", "2-threads", "or", "and-more", "order", "a.b")
    point = replace(POINT, rows=tuple(row(name, 1.0 + index) for index, name in enumerate(names)))
    verdict = check(
        "a-b.wall - a.wall == 1 and 2-threads.wall == 3 and or.wall == 4 or order.wall>and-more.wall", point
    )
    assert verdict.failed
    assert verdict.said.count(": yes") == 4
    assert check("a.b.wall == 7", point).failed


# ── what can't be judged ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "what", "where", "allowed"),
    [
        ("", "something is missing", "at the end of ''", "a number, MODE.FIGURE"),
        ("   ", "something is missing", "at the end", "a number"),
        (
            "treaded.wall > 1",
            "unknown mode 'treaded'",
            "at character 1 of",
            "threaded, threaded-again, async, stock-pool",
        ),
        ("1 > stock-poll.wall", "unknown mode 'stock-poll'", "at character 5 of", "stock-pool"),
        ("threaded-async.wall > 1", "unknown mode 'threaded-async'", "at character 1 of", "async"),
        ("threaded.wal > 1", "unknown figure 'wal'", "at character 10 of", "wall, wall.low"),
        ("threaded.wall.mid > 1", "unknown figure 'wall.mid'", "at character 10 of", "wall.high"),
        ("threaded. > 1", "unknown figure ''", "at character 10 of", "wall"),
        ("threaded > 1", "'threaded' names no figure", "at character 1 of", "MODE.FIGURE"),
        ("wall > 1", "'wall' names no figure", "at character 1 of", "with a mode of threaded, threaded-again"),
        (
            "barrier.wall > 1",
            "barrier is INVALID (3 of 50 rows are wrong",
            "at character 1 of",
            "barrier valid, rounds",
        ),
        ("barrier.wrong > 0", "barrier is INVALID", "at character 1 of", "barrier valid, rounds"),
        ("barrier.ratio > 0", "barrier is INVALID", "at character 1 of", "barrier valid, rounds"),
        ("1 > 0 or barrier.wall > 1", "barrier.wall is not known", "at character 10 of", "valid"),
        ("1 > 2 and barrier.wall > 1", "barrier.wall is not known", "at character 11 of", "valid"),
        ("async.peak > 1", "async.peak is not known: there is none", "at character 1 of", "of async wall, wall.low"),
        ("async.wait_p99 > 1", "async.wait_p99 is not known", "at character 1 of", "service_p50"),
        ("threaded.ratio > 1", "threaded.ratio is not known", "at character 1 of", "wall"),
        ("threaded.wall", "a comparison is missing", "at the end of", "> >= < <= == !="),
        ("threaded.wall and 1 > 0", "a comparison is missing", "at character 15 of", "> >="),
        ("threaded.wall >", "something is missing", "at the end of", "a number"),
        ("threaded.wall > * 2", "'*' does not belong here", "at character 17 of", "a number"),
        ("threaded.wall = 2", "'=' means nothing", "at character 15 of", "== !="),
        ("1 < 2 < 3", "a second comparison", "at character 7 of", "one at a time"),
        ("1 < 2 3", "'3' does not belong here", "at character 7 of", "or the end"),
        ("1 < 2 threaded.wall", "'threaded.wall' does not belong here", "at character 7 of", "and, or"),
        ("1 < 2 )", "')' does not belong here", "at character 7 of", "or the end"),
        ("1 < 2 and", "something is missing", "at the end of", "a number"),
        ("1 < 2 && 2 < 3", "'&' means nothing", "at character 7 of", "and, or"),
        ("(1 + 2 < 3", "a parenthesis is not closed", "at character 8 of", "+ - * / )"),
        (
            "(1 < 2 or 1 < 3) and 1 < 4",
            "a parenthesis is not closed",
            "at character 4 of",
            "parentheses hold sums only",
        ),
        ("1 < ()", "')' does not belong here", "at character 6 of", "a sum in parentheses"),
        ("threaded.wall > 2sec", "unknown unit 'sec'", "at character 18 of", "%, ms, s, MiB, or none"),
        ("threaded.wall > 2m", "unknown unit 'm'", "at character 18 of", "ms"),
        ("threaded.peak > 2GiB", "unknown unit 'GiB'", "at character 18 of", "MiB"),
        ("threaded.wall > 40MiB", "a time > memory makes no sense", "at character 15 of", "plain numbers"),
        ("threaded.wall > 5%", "a time > a number makes no sense", "at character 15 of", "plain numbers"),
        ("threaded.wall > 5% * 2", "a time > a number makes no sense", "at character 15 of", "plain numbers"),
        ("threaded.wall > async.requests", "a time > a number makes no sense", "at character 15 of", "same unit"),
        ("threaded.wall + 1MiB > 1", "a time + memory makes no sense", "at character 15 of", "same unit"),
        ("threaded.wall * async.wall > 1", "a time * a time makes no sense", "at character 15 of", "a factor"),
        ("1 / threaded.wall > 1", "a number / a time makes no sense", "at character 3 of", "a divisor"),
        ("threaded.peak / threaded.wall > 1", "memory / a time makes no sense", "at character 15 of", "same unit"),
        ("1 / 0 > 1", "0 is 0 and divides", "at character 3 of", "a divisor"),
        ("threaded.wall / (1 - 1) > 1", "(1 - 1) is 0 and divides", "at character 15 of", "a divisor"),
        ("1 / async.rejected > 1", "async.rejected 0 is 0 and divides", "at character 3 of", "a divisor"),
        ("1e999 > 1", "a number is too large", "at character 7 of", "what a computer can count"),
        ("1 > 1e999 - 1e999", "a number is too large", "at character 3 of", "what a computer can count"),
        ("threaded.wall > 2 €", "'€' means nothing", "at character 19 of", "numbers"),
        ("__import__('os') > 1", "'__import__' names no figure", "at character 1 of", "MODE.FIGURE"),
        ("threaded.wall\n>\n€", "'€' means nothing", r"at character 17 of 'threaded.wall\n>\n€'", "numbers"),
        ("(" * 60 + "1", "nested too deep", f"at character {MOST_NESTED + 1} of", f"{MOST_NESTED} parentheses"),
        ("-" * 9000 + "1 > 0", "nested too deep", f"at character {MOST_NESTED + 1} of", f"{MOST_NESTED} parentheses"),
    ],
)
def test_what_can_t_be_judged_is_an_error_that_says_what_where_and_what_is_allowed(text, what, where, allowed):
    with pytest.raises(GateError) as refused:
        check(text, POINT)
    said = str(refused.value)
    assert what in said
    assert f", {where}" in said
    assert allowed in said.partition("; allowed: ")[2]
    assert len(said.splitlines()) == 1


def test_as_deep_as_allowed_is_judged():
    assert check("(" * MOST_NESTED + "1" + ")" * MOST_NESTED + " > 0", POINT).failed


def test_a_point_without_anyone_knows_no_mode():
    with pytest.raises(GateError, match="unknown mode 'threaded'"):
        check("threaded.wall > 1", replace(POINT, rows=()))


# ── against another reader ──────────────────────────────────────────────────────────────────────────────────────────

WORDS = [("async.requests", 100.0), ("async.ratio", 0.995), ("threaded.of_bound", 0.97)]
NUMBERS = st.integers(0, 20).map(lambda number: (str(number), float(number)))
PERCENT = st.integers(0, 200).map(lambda number: (f"{number}%", number / 100))
GAPS = st.sampled_from(["", " ", "  "])


@st.composite
def operation(draw, parts):
    """Two parts and a sign between them, as text for a gate and as text for Python."""
    (left, python_left), (right, python_right) = draw(parts), draw(parts)
    sign, gap = draw(st.sampled_from("+-*/")), draw(GAPS)
    return f"{left}{gap}{sign}{gap}{right}", f"{python_left} {sign} {python_right}"


def wrapped(parts):
    return parts.map(lambda part: (f"({part[0]})", f"({part[1]})"))


LEAVES = NUMBERS | PERCENT | st.sampled_from(WORDS)
SUMS = st.recursive(LEAVES, lambda parts: operation(parts) | wrapped(operation(parts)), max_leaves=12)
SIGNS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne}


@settings(max_examples=300, deadline=None)
@given(left=SUMS, right=SUMS, sign=st.sampled_from(sorted(SIGNS)))
def test_arithmetic_is_python_s(left, right, sign):
    try:
        expected = SIGNS[sign](eval(str(left[1])), eval(str(right[1])))
    except ZeroDivisionError:
        with pytest.raises(GateError, match="divides"):
            check(f"{left[0]}{sign}{right[0]}", POINT)
        return
    assert check(f"{left[0]}{sign}{right[0]}", POINT).failed == expected


SIGNS_AND_NUMBERS = [*"()+-*/<>=!%. \n\x00é", ">=", "==", "and", "or", "1", "2.5", "5%", "2ms", "3s", "40MiB"]
NAMES = ["threaded.wall", "async.wall", "barrier.wall", "barrier.valid", "threaded-again.", "stock-pool.cpu", "wall"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(SIGNS_AND_NUMBERS + NAMES), max_size=12).map("".join) | st.text(max_size=30))
def test_any_text_is_judged_or_refused_in_one_line(text):
    try:
        said = check(text, POINT).said
    except GateError as error:
        said = str(error)
    assert "; allowed: " in said or ": yes" in said or ": no" in said
    assert len(said.splitlines()) == 1


def test_the_examples_hold():
    assert doctest.testmod(gates).failed == 0
