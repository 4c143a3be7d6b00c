"""What follows from a run: what counts, what is INVALID, what is said of it, and that a file keeps all of it."""

import doctest
import json
import re
from dataclasses import replace
from statistics import median

import pytest
from bench_world import FACTORS, simulated_run
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import summary as room
from benchmarks import verdicts
from benchmarks.runs import MOST_STAMPS, VERSION, Percentiles, Point, UnreadableRun, read, to_json, write
from benchmarks.summary import MOST_SERVER_SHARE, as_json, summarise
from benchmarks.verdicts import CONTROL_MARGIN

PAIR = {"threaded": 1.02, "async": 1.02}
TRIO = {"threaded": 1.02, "threaded-again": 1.02, "async": 1.02}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Intervals are a little coarser, and the tests many times faster."""
    monkeypatch.setattr(verdicts, "RESAMPLES", 400)


def of(name, value, otherwise):
    """A change of one subject's measurements."""
    return lambda subject, _: value if subject == name else otherwise


def warned(run, words):
    return [warning for warning in summarise(run).warnings if words in warning]


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_keeps_all_of_a_run(tmp_path):
    run = simulated_run(
        rounds=2,
        points=(Point("few", 10, 2, quota="40/10s"), Point("many", 20, 5, latency="1ms", faults="503:1%")),
        fullest=40, quota_used=0.97, wait_ms=None, foreign_cores=None, peak_mib=None, arrivals=(0, 10, 25),
        problem=of("async", "the client failed: “oh”\nno", ""),
    )  # fmt: skip
    run = replace(run, headline=1, time_scale=0.5, interrupted=True)
    path = tmp_path / "run.json"
    write(run, as_json(run, summarise(run)), path)
    assert read(path) == run


@settings(deadline=None)
@given(
    words=st.text(st.characters(categories=("L", "N", "P", "S"))),
    number=st.floats(1e-4, 1e6),
    some=st.none() | st.floats(0, 1e9),
    ticks=st.lists(st.integers(0, MOST_STAMPS)).map(tuple),
)
def test_a_file_keeps_every_word_and_number(tmp_path_factory, words, number, some, ticks):
    run = simulated_run(PAIR, rounds=1, problem=words, wall_s=number, peak_mib=some, arrivals=ticks)
    path = tmp_path_factory.mktemp("run") / "run.json"
    write(replace(run, meaning=words, command=words), {}, path)
    assert read(path) == replace(run, meaning=words, command=words)


def test_a_file_has_a_line_for_each_measurement_and_its_summary_above():
    run = simulated_run(PAIR, rounds=3)
    text = to_json(run, as_json(run, summarise(run)))
    assert len([line for line in text.splitlines() if '"wall_s":' in line and '"round":' in line]) == 6
    assert text.index('"verdict"') < text.index('"measurements"')
    assert json.loads(text)["summary"]["modes"]["async"]["valid"] is True


def test_a_run_without_measurements_is_a_file_too(tmp_path):
    run = replace(simulated_run(PAIR, rounds=1), measurements=())
    write(run, as_json(run, summarise(run)), tmp_path / "run.json")
    assert read(tmp_path / "run.json") == run


@pytest.mark.parametrize(("name", "value"), [("version", VERSION + 1), ("version", "1"), ("format", "another")])
def test_another_version_or_format_is_refused_by_name(tmp_path, name, value):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(to_json(simulated_run(PAIR, rounds=1), {})) | {name: value}))
    with pytest.raises(UnreadableRun, match=rf"run\.json: .*{value}.*; this reads enricher-benchmark {VERSION}"):
        read(path)


def spoil(whole, *path, value):
    """A run's file with something else at a place."""
    here = whole
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '"a run"',
        "null",
        '{"format": "enricher-benchmark", "version": 1}',
        json.dumps(
            spoil(json.loads(to_json(simulated_run(PAIR, rounds=1), {})), "measurements", 0, "stamps", value=[])
        ),
        json.dumps(spoil(json.loads(to_json(simulated_run(PAIR, rounds=1), {})), "measurements", value=[1])),
        json.dumps(spoil(json.loads(to_json(simulated_run(PAIR, rounds=1), {})), "points", 0, "colour", value="red")),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(UnreadableRun) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("scenario", "headline"), 5),
        (("scenario", "headline"), "0"),
        (("scenario", "kind"), "xx"),
        (("scenario", "name"), 5),
        (("scenario", "name"), "\x1b[31m"),
        (("scenario", "meaning"), "\ud800"),
        (("scenario", "meaning"), "right \u202e left"),
        (("points",), []),
        (("rounds",), "x"),
        (("rounds",), -1),
        (("margin",), float("nan")),
        (("margin",), -1.0),
        (("machine",), None),
        (("slowed",), None),
        (("absent",), [1]),
        (("measurements", 0, "wall_s"), 0.0),
        (("measurements", 0, "wall_s"), -1.0),
        (("measurements", 0, "wall_s"), 5e-324),
        (("measurements", 0, "wall_s"), float("inf")),
        (("measurements", 0, "wall_s"), float("nan")),
        (("measurements", 0, "wall_s"), 1e308),
        (("measurements", 0, "wall_s"), 10**400),
        (("measurements", 0, "wall_s"), "1"),
        (("measurements", 0, "wall_s"), None),
        (("measurements", 0, "cpu_s"), -1.0),
        (("measurements", 0, "point"), 9),
        (("measurements", 0, "subject"), "nobody"),
        (("subjects", 0, "name"), "async"),
    ],
)
def test_what_no_run_can_hold_is_refused_in_one_line(tmp_path, path, value):
    whole = json.loads(to_json(simulated_run(PAIR, rounds=1), {}))
    file = tmp_path / "run.json"
    file.write_text(json.dumps(whole))
    read(file)
    file.write_text(json.dumps(spoil(whole, *path, value=value)))
    with pytest.raises(UnreadableRun) as refused:
        read(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_file_that_is_nested_too_deep_is_refused_by_name(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UnreadableRun, match=r"deep\.json"):
        read(tmp_path / "deep.json")


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(UnreadableRun, match=r"gone\.json"):
        read(tmp_path / "gone.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableRun, match=r"bytes\.json"):
        read(tmp_path / "bytes.json")


# ── correctness first ───────────────────────────────────────────────────────────────────────────────────────────────

BROKEN = {
    "wrong rows": ({"wrong": 3}, "3 of 50 rows are wrong or lost"),
    "connections": ({"connections": 11}, "11 connections for 10 slots"),
    "requests": ({"requests": 101}, "101 requests where the other modes sent 100"),
    "file": ({"export": "another"}, "its file differs from that of the other modes"),
    "rejected": ({"rejected": 2}, "2 requests were rejected by the quota"),
    "busy API": ({"server_share": 0.62}, "the API was busy for 62 % of its core"),
    "failed": ({"problem": "the client failed: KeyError", "wall_s": 0.0}, "the client failed: KeyError"),
}
USUAL = {"connections": 10, "requests": 100, "export": "e", "server_share": 0.05, "problem": "", "wall_s": 1.8}


@pytest.mark.parametrize(("changes", "words"), BROKEN.values(), ids=BROKEN)
def test_one_bad_round_makes_a_mode_invalid_and_leaves_it_without_wall_and_ratio(changes, words):
    def broken(name):
        return lambda subject, number: changes[name] if (subject, number) == ("async", 1) else USUAL.get(name, 0)

    run = simulated_run(TRIO, rounds=3, **{name: broken(name) for name in changes})
    summary = summarise(run)
    point, row = summary.headline, summary.headline.row("async")
    assert not row.valid
    assert words in row.problem
    assert (row.wall_s, row.bound_s, row.of_bound, row.of_ideal, row.cpu_ms_per_request, row.peak_mib) == (None,) * 6
    assert point.ratio("async") is None
    assert point.row("threaded").valid
    assert point.row("threaded-again").valid
    assert any(warning.startswith(f"async is INVALID: {row.problem}") for warning in summary.warnings)
    assert "async is INVALID" in summary.verdict
    assert as_json(run, summary)["modes"]["async"]["wall_s"] is None
    assert "async/threaded" not in as_json(run, summary)["ratios"]


def test_what_is_just_allowed_is_valid():
    run = simulated_run(PAIR, rounds=2, connections=10, server_share=MOST_SERVER_SHARE, most_in_flight=99, faults=7)
    assert all(row.valid for row in summarise(run).headline.rows)


def test_an_invalid_reference_leaves_nobody_a_ratio():
    point = summarise(simulated_run(TRIO, rounds=2, wrong=of("threaded", 1, 0))).headline
    assert point.ratios == ()
    assert point.control is None
    assert point.row("async").wall_s is not None


def test_a_baseline_is_judged_by_its_output_only():
    whoever = {
        "requests": of("barrier", 120, 100), "connections": of("barrier", 99, 10), "export": of("barrier", "", "e"),
        "rejected": of("barrier", 20, 0),
    }  # fmt: skip
    factors = {"threaded": 1.02, "async": 1.02, "barrier": 1.2}
    row = summarise(simulated_run(factors, rounds=2, **whoever)).headline.row("barrier")
    assert row.valid
    assert (row.connections, row.rejected) == (99, 40)
    row = summarise(simulated_run(factors, rounds=2, **whoever, wrong=of("barrier", 1, 0))).headline.row("barrier")
    assert row.problem == "1 of 50 rows are wrong or lost"


def test_a_mode_with_a_wrong_table_has_no_say_in_what_the_others_should_have():
    run = simulated_run(
        {"async": 1.02, "threaded": 1.02},
        rounds=1,
        wrong=of("async", 3, 0),
        export=of("async", "x", "e"),
        requests=of("async", 97, 100),
    )
    assert summarise(run).headline.row("threaded").valid


def test_baselines_have_no_say_in_what_our_modes_should_have():
    factors = {"barrier": 1.2, "stock-pool": 1.1, "threaded": 1.02}
    run = simulated_run(factors, rounds=1, requests=of("threaded", 100, 50), export=of("threaded", "e", "x"))
    assert summarise(run).headline.row("threaded").valid


def test_nothing_valid_is_nothing_measured():
    run = simulated_run(rounds=2, problem="the client failed: it said nothing")
    summary = summarise(run)
    assert not summary.measured
    assert summary.verdict == "Nothing valid was measured."
    empty = summarise(replace(run, measurements=()))
    assert not empty.measured
    assert empty.headline.rows == ()
    assert as_json(run, summary)["control"] is None


# ── what counts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_figures_are_medians_over_the_rounds():
    walls = [1.0, 5.0, 2.0, 4.0, 3.5]
    run = simulated_run(
        PAIR,
        rounds=5,
        wall_s=lambda name, number: walls[number] if name == "async" else 2.0,
        bound_s=1.0,
        cpu_s=lambda _, number: 0.1 * (number + 1),
        peak_mib=lambda _, number: None if number == 0 else 50.0 + number,
        wait_ms=lambda _, number: Percentiles(number, number, 10 * number),
    )
    row = summarise(run).headline.row("async")
    assert row.wall_s.median == 3.5
    assert row.bound_s == 1.0
    assert row.of_bound.median == median(1 / wall for wall in walls)
    assert row.cpu_ms_per_request == pytest.approx(3.0)
    assert row.peak_mib == median([51, 52, 53, 54])
    assert row.wait_ms == Percentiles(2, 2, 20)
    assert row.rounds == 5
    assert summarise(run).headline.ratio("async").ratio.median == 1.75


def test_a_slow_mode_is_paired_with_the_rounds_that_it_has():
    whole = simulated_run(FACTORS, rounds=10)
    its = {0, 5, 9}
    run = replace(
        whole, measurements=tuple(one for one in whole.measurements if one.subject != "sequential" or one.round in its)
    )
    point = summarise(run).headline
    walls = {(one.subject, one.round): one.wall_s for one in run.measurements}
    ratio = point.ratio("sequential")
    assert (point.row("sequential").rounds, ratio.rounds) == (3, 3)
    assert ratio.ratio.median == median(walls["sequential", n] / walls["threaded", n] for n in its)
    assert point.ratio("async").rounds == 10


def test_a_mode_that_shares_no_round_with_the_reference_has_no_ratio():
    run = simulated_run(PAIR, rounds=2)
    apart = [one for one in run.measurements if (one.subject, one.round) in {("threaded", 0), ("async", 1)}]
    point = summarise(replace(run, measurements=tuple(apart))).headline
    assert point.ratio("async") is None
    assert point.row("async").valid


def test_a_measurement_that_was_made_again_does_not_count_and_is_told_of():
    run = simulated_run(PAIR, rounds=6)
    disturbed = replace(run.measurements[1], wall_s=99.0, wrong=50, discarded="other programs used 0.80 cores")
    warm_up = replace(run.measurements[0], round=-1, wall_s=99.0, discarded="warm-up")
    again = replace(run, measurements=(warm_up, disturbed, *run.measurements))
    assert summarise(again).points == summarise(run).points
    assert len(warned(again, "Because of other programs 1 of the measurements")) == 1
    assert warned(replace(run, measurements=(warm_up, *run.measurements)), "again because") == []


def test_each_point_stands_by_itself():
    points = (Point("10 slots", 50, 10), Point("2 slots", 50, 2))
    summary = summarise(simulated_run(PAIR, rounds=3, points=points, connections=10))
    assert [point.row("async").valid for point in summary.points] == [True, False]
    assert summary.headline is summary.points[0]
    assert any(warning.startswith("2 slots: async is INVALID") for warning in summary.warnings)


def test_where_nothing_had_to_be_waited_for_there_is_no_share_of_the_bound():
    row = summarise(simulated_run(PAIR, rounds=2, bound_s=0.0, requests=0)).headline.row("async")
    assert (row.of_bound, row.bound_s, row.cpu_ms_per_request) == (None, 0.0, None)


def test_a_baseline_that_asked_nothing_in_one_round_has_no_cpu_a_request():
    run = simulated_run(
        {"threaded": 1.0, "barrier": 1.0},
        rounds=2,
        requests=lambda name, number: 0 if (name, number) == ("barrier", 1) else 100,
    )
    assert summarise(run).headline.row("barrier").cpu_ms_per_request is None


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("factor", "holds"), [(1.02, True), (1.02 * (1 + 2 * CONTROL_MARGIN), False), (0.99, False)])
def test_without_a_control_that_is_itself_there_is_no_verdict(factor, holds):
    run = simulated_run({**TRIO, "threaded-again": factor})
    summary = summarise(run)
    assert summary.headline.control_holds is holds
    assert ("async and threaded match" in summary.verdict) is holds
    assert ("no verdict" in summary.verdict) is not holds
    assert bool(warned(run, "threaded against itself gave")) is not holds
    assert as_json(run, summary)["control"]["holds"] is holds
    assert summary.headline.ratio("threaded-again") is None


@pytest.mark.parametrize("name", ["threaded", "threaded-again"])
def test_a_control_that_is_invalid_holds_nothing(name):
    summary = summarise(simulated_run(TRIO, rounds=3, wrong=of(name, 1, 0)))
    assert not summary.headline.control_holds
    assert "no verdict" in summary.verdict
    assert summarise(simulated_run(PAIR, rounds=3)).headline.control_holds  # where there is none, none is missed


def rates(factor, runs=200):
    """Of so many simulated runs of noisy machines: how often async is called slower, and how often a match."""
    found = [
        summarise(simulated_run({"threaded": 1.02, "async": 1.02 * factor}, seed=seed, noise=0.01, margin=0.02)).verdict
        for seed in range(runs)
    ]
    return sum("async is slower" in said for said in found), sum("match within" in said for said in found)


def test_a_slow_down_of_5_percent_is_found_at_a_margin_of_2():
    slower, match = rates(1.05)
    assert slower >= 198
    assert match == 0


def test_no_slow_down_is_found_where_there_is_none():
    slower, match = rates(1.0)
    assert slower <= 4
    assert match >= 160


def test_another_margin_changes_what_is_said_and_not_what_was_measured():
    run = simulated_run({"threaded": 1.02, "async": 1.02 * 1.03}, margin=0.05)
    wide, narrow = summarise(run), summarise(run, 0.01)
    assert "match within" in wide.verdict
    assert "async is slower than threaded" in narrow.verdict
    assert wide.headline.rows == narrow.headline.rows
    assert wide.headline.ratio("async").equivalent
    assert not narrow.headline.ratio("async").equivalent


def test_the_verdict_names_our_modes_the_nearest_baseline_and_the_bound():
    verdict = summarise(simulated_run()).verdict
    assert verdict.startswith("films-50: async and threaded match within")
    assert "sequential takes at least 9.7 times as long as threaded" in verdict
    assert "the fastest of 2 baselines: stock-pool" in verdict
    assert re.search(r"threaded reaches 98\.\d % of what is physically possible\.$", verdict)


# ── warnings ────────────────────────────────────────────────────────────────────────────────────────────────────────

QUIET = simulated_run(TRIO, rounds=10)
DOUBTS = {
    "interrupted": (replace(QUIET, interrupted=True), "was interrupted"),
    "control": (simulated_run({**TRIO, "threaded-again": 1.1}), "against itself gave"),
    "invalid": (simulated_run(TRIO, wrong=of("async", 1, 0)), "async is INVALID"),
    "wide": (simulated_run(TRIO, noise=0.3), "are uncertain by more than 10 %"),
    "loaded": (simulated_run(TRIO, foreign_cores=lambda _, number: 0.3 * (number < 2)), "in 2 of 10 rounds"),
    "again": (
        replace(QUIET, measurements=(replace(QUIET.measurements[0], discarded="busy"), *QUIET.measurements)),
        "had to be done again",
    ),
    "one core": (replace(QUIET, machine={"cores": 1}), "shared one core"),
    "few rounds": (simulated_run(TRIO, rounds=3), "Few rounds (3)"),
}


def test_a_quiet_run_warns_of_nothing():
    assert summarise(QUIET).warnings == ()


@pytest.mark.parametrize(("run", "words"), DOUBTS.values(), ids=DOUBTS)
def test_each_doubt_is_told_with_a_next_step(run, words):
    warnings = summarise(run).warnings
    assert any(words in warning for warning in warnings)
    for warning in warnings:
        assert re.search(r"\b(close|mend|run|use)\b", warning, re.IGNORECASE), warning


def test_rounds_of_several_points_are_counted_apart():
    points = (Point("a", 50, 10), Point("b", 50, 10))
    run = simulated_run(PAIR, rounds=5, points=points, foreign_cores=lambda _, number: 0.3 * (number == 0))
    assert len(warned(run, "in 2 of 10 rounds")) == 1


def test_the_examples_hold():
    assert doctest.testmod(room).failed == 0
