"""The harness as a command: what it refuses, and what is left when something dies. Nothing here is measured."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from bench_process import ROOT, alive, endless, third_client
from bench_world import simulated_run
from cli_world import until

from benchmarks import runner
from benchmarks.runner import Options
from benchmarks.runs import write
from benchmarks.scenarios import ALL
from benchmarks.summary import as_json, summarise


def test_after_kill_9_the_clients_and_the_api_end_by_themselves(tmp_path):
    with endless(tmp_path) as bench:
        started = third_client(bench)
        bench.kill()
        until(lambda: not alive(started))


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_each_scenario_can_be_scaled_and_says_what_it_means(scenario):
    half = scenario.scaled(0.5)
    assert half.time_scale == 0.5
    assert scenario.meaning.endswith(".")
    whole = runner.forecast_s(scenario, Options(3), 0.0)
    assert runner.forecast_s(half, Options(3), 0.0) <= whole
    assert 0 <= scenario.headline < len(scenario.points)
    assert all(point.name for point in scenario.points)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["films-5000"], "films-50"),
        (["--modes", "turbo", "films-1"], "threaded"),
        (["--quick", "--rounds", "3", "films-1"], "contradict"),
        (["--margin", "many", "films-1"], "5%"),
        (["--inject", "turbo=5%", "films-1"], "NAME=5%"),
        (["--time-scale", "nan", "films-1"], "--time-scale"),
        (["compare", "nowhere.json"], "nowhere.json"),
        (["compare", "nowhere.json", "--out", "told.md"], "--format"),
        (["tune"], "--api-latency"),
        (["tune", "--api-latency", "fast"], "175ms"),
    ],
)
def test_a_wrong_word_is_one_clear_line_and_exit_2(words, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_measured_nothing_exits_2(tmp_path):
    run = simulated_run(rounds=2)
    run = replace(run, measurements=tuple(replace(one, problem="it died") for one in run.measurements))
    path = tmp_path / "run.json"
    write(run, as_json(run, summarise(run)), path)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "compare", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "INVALID" in done.stdout
    assert json.loads(path.read_text(encoding="utf-8"))["summary"]["ratios"] == {}
