"""The harness as a command: what it refuses, and what is left when something dies. Nothing here is measured."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from bench_process import PATIENCE_S, ROOT, alive, endless, third_client, words_of
from bench_world import simulated_run
from cli_world import until

from benchmarks import commands, runner
from benchmarks.runner import Options
from benchmarks.runs import read, write
from benchmarks.scenarios import ALL
from benchmarks.summary import as_json, summarise


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_process_behind_and_keeps_what_was_measured(tmp_path, stop):
    with endless(tmp_path) as bench:
        started = third_client(bench)
        bench.send_signal(stop)
        _, errors = bench.communicate(timeout=PATIENCE_S)
    assert bench.returncode == 130
    assert b"Traceback" not in errors
    assert not alive(started)
    run = read(tmp_path / "films-1.json")
    assert run.interrupted
    assert sum(one.wall_s > 0 for one in run.measurements) >= 2
    assert "interrupted" in (tmp_path / "films-1.md").read_text(encoding="utf-8")


def test_when_the_api_has_died_it_is_said_and_what_was_measured_is_kept(tmp_path):
    with endless(tmp_path) as bench:
        started = third_client(bench)
        (api,) = (pid for pid in started & alive(started) if b"enricher.simulator" in words_of(pid))
        os.kill(api, signal.SIGKILL)
        _, errors = bench.communicate(timeout=PATIENCE_S)
    assert b"Traceback" not in errors
    assert b"the simulated API or the disk failed" in errors
    assert not alive(started)
    if bench.returncode != 2:  # else others disturbed the one measurement that it had, so there was none to keep
        assert bench.returncode == 1
        assert "API or the disk failed" in (tmp_path / "films-1.md").read_text(encoding="utf-8")


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
def test_a_wrong_word_is_one_clear_line_and_exit_2(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["bench", *words])
    with pytest.raises(SystemExit) as ended:
        commands.cli()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


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
