"""The harness against the real thing: real clients, a real API, real signals. Nothing here asserts a time."""

import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from bench_process import children, is_client

from benchmarks.apis import Web
from benchmarks.runner import Options, measure
from benchmarks.runs import Point
from benchmarks.scenarios import BY_NAME, Scenario
from benchmarks.summary import summarise
from enricher.simulator.process import ArticlesSimulator

pytestmark = pytest.mark.alone  # a measurement that others disturb is made again, three times in all

TINY = Scenario(
    "tiny", "Six things.", "things", (Point("6 things, 3 slots", 6, 3, latency="5-15ms"),), item_bytes=500, rounds=2
)


def measured(scenario, **options):
    seen = []
    run = measure(scenario, Options(**{"rounds": 2, "modes": ("threaded", "async"), **options}), seen.append)
    assert [progress.measurement for progress in seen] == list(run.measurements)
    return run


@pytest.fixture(scope="module")
def tiny():
    """Two rounds of it."""
    return measured(TINY)


def test_a_round_is_reversed_and_all_in_it_meet_the_same_api(tiny):
    counted = [one for one in tiny.measurements if not one.discarded]
    orders = [[one.subject for one in counted if one.round == number] for number in (0, 1)]
    assert orders[0] == ["threaded", "async", "threaded-again"]
    assert orders[1] == orders[0][::-1]
    assert [{one.seed for one in counted if one.round == number} for number in (0, 1)] == [{0}, {1}]
    bounds = [{one.bound_s for one in counted if one.round == number} for number in (0, 1)]
    assert all(len(those) == 1 for those in bounds)
    assert bounds[0] != bounds[1]


def test_what_is_measured_is_right_and_within_what_is_possible(tiny):
    summary = summarise(tiny)
    assert [row.problem for row in summary.headline.rows] == ["", "", ""]
    for one in tiny.measurements:
        assert (one.requests, one.wrong, one.rejected) == (6, 0, 0)
        assert one.connections <= 3
        assert one.most_in_flight <= 3
        assert 0 < one.bound_s <= one.ideal_s <= one.wall_s
        assert one.cpu_s > 0
        assert len(one.stamps.done) == 6
        assert all(a <= b <= c <= d for a, b, c, d in zip(*(getattr(one.stamps, name) for name in NAMES), strict=True))
        assert one.peak_mib >= one.import_mib > 0
    assert len({one.export for one in tiny.measurements}) == 1


NAMES = ("ready", "granted", "sent", "done")


def test_the_warm_up_is_kept_and_does_not_count(tiny):
    undisturbed = [one for one in tiny.measurements if one.discarded in ("", "warm-up")]
    assert [(one.round, one.discarded) for one in undisturbed if one.subject == "threaded"] == [
        (-1, "warm-up"),
        (0, ""),
        (1, ""),
    ]
    assert summarise(tiny).headline.row("threaded").rounds == 2


def test_films_are_searched_and_detailed_as_the_baselines_do_it():
    """Or their latencies would not be the same, and the bounds not theirs."""
    films = Scenario("films", "Four films.", "films", (Point("", 4, 2, latency="5ms"),), item_bytes=2_000)
    run = measured(films, rounds=1, modes=("threaded", "sequential", "stock-pool"))
    summary = summarise(run)
    assert [row.problem for row in summary.headline.rows] == [""] * 4
    assert {one.requests for one in run.measurements} == {8}
    for one in run.measurements:
        assert one.bound_s == pytest.approx(0.040 if one.subject == "sequential" else 0.020)


def test_what_is_known_is_not_asked_and_half_of_it_is_gone_on_with():
    warm = Scenario("warm", "Known.", "films", (Point("", 6, 2, latency="5ms"),), state="warm", item_bytes=2_000)
    run = measured(warm, rounds=1)
    assert {one.requests for one in run.measurements} == {0}
    assert [row.problem for row in summarise(run).headline.rows] == [""] * 3
    half = Scenario("half", "Half.", "things", (Point("", 40, 2, latency="5ms"),), state="half", item_bytes=500)
    run = measured(half, rounds=1)
    assert [row.problem for row in summarise(run).headline.rows] == [""] * 3
    (requests,) = {one.requests for one in run.measurements}
    assert 0 < requests <= 20


def test_a_quota_is_kept_and_its_windows_are_counted_at_the_api():
    tight = Scenario("tight", "A quota.", "things", (Point("", 12, 6, latency="1ms", quota="5/0.5s"),), item_bytes=500)
    run = measured(tight, rounds=1, modes=("threaded",))
    for one in run.measurements:
        assert (one.requests, one.rejected, one.problem) == (12, 0, "")
        assert one.fullest <= 5
        assert len(one.arrivals) == 12
        assert one.bound_s >= 1.0


def test_a_bad_day_is_valid_and_its_failed_attempts_are_in_the_bound():
    faults = "5xx=10%,reset=10%,truncated=5%"
    bad = Scenario("bad", "Faults.", "things", (Point("", 20, 4, latency="2ms", faults=faults),), item_bytes=500)
    run = measured(bad, rounds=1)
    assert [row.problem for row in summarise(run).headline.rows] == [""] * 3
    for one in run.measurements:
        assert one.faults > 0
        assert one.requests == one.expected == 20 + one.faults
        assert one.bound_s == pytest.approx(0.002 * (20 + one.faults) / 4)


ARTICLES = Scenario(
    "some",
    "Six articles.",
    "articles",
    (Point("6 articles, 3 slots", 6, 3, latency="60ms"),),
    subjects=("threaded", "async", "threaded-whole", "async-whole"),
    time_scale=0.05,
)


def test_articles_are_read_and_analysed_alike_in_every_mode_in_pieces_or_whole():
    run = measured(ARTICLES, rounds=1, modes=None)
    assert [(row.subject.name, row.problem) for row in summarise(run).headline.rows] == [
        (name, "") for name in ARTICLES.subjects
    ]
    assert len({(one.export, one.output) for one in run.measurements}) == 1
    for one in run.measurements:
        assert (one.requests, one.expected, one.wrong) == (17, 17, 0)  # of five sites each has a robots.txt
        assert 2 * (0.01 + 0.06) < one.bound_s <= one.ideal_s <= one.wall_s
        assert len(one.stamps.done) == 17


def test_articles_meet_what_their_bound_knows_of_and_nothing_else():
    varied = replace(ARTICLES, points=(replace(ARTICLES.points[0], latency="10-20ms"),))
    with pytest.raises(ValueError, match="one constant latency"):
        measured(varied, rounds=1, modes=None)


def test_two_processes_can_not_extract_in_less_than_half_of_the_time():
    extraction_s = [1.0, 3.0, 4.0, 4.0]
    web = Web(ArticlesSimulator("http://127.0.0.1:1", 0, (), (), {}), [(URL, "")] * 4, extraction_s, 0.5)
    least = web.least(Point("", 4, 4, latency="2s"), 0, 4, set())
    assert least.bound_s == least.ideal_s == 7.0  # a slot for each: the longest, after the first robots.txt
    least = web.least(Point("", 4, 4, latency="0"), 0, 8, {"GET 127.0.0.1/robots.txt?", "GET 127.0.0.1/other?"})
    assert least.bound_s == least.ideal_s == 6.5
    assert least.needless == ("GET 127.0.0.1/other?",)
    assert least.requests == 9


URL = "http://127.0.0.1:1/paper/one"


def test_what_is_slowed_down_on_purpose_is_found():
    """The one run for real: half as slow again is out of reach of any noise that a test machine has."""
    run = measured(BY_NAME["films-1"], rounds=2, modes=("threaded",), slowed={"threaded-again": 0.5})
    summary = summarise(run)
    assert not summary.headline.control_holds
    assert summary.headline.control.ratio.low > 1.3
    assert "no verdict" in summary.verdict
    assert any("50.0 % slower" in warning for warning in summary.warnings)


def test_a_client_that_dies_makes_its_row_invalid():
    run = measured_with_a_murder(TINY)
    summary = summarise(run)
    (row,) = summary.headline.rows
    assert not row.valid
    assert "the client failed" in row.problem
    assert not summary.measured


def measured_with_a_murder(scenario):
    """Each client is killed as soon as it is there."""
    over, ours = threading.Event(), os.getpid()

    def murder():
        while not over.is_set():
            for pid in filter(is_client, children(ours)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            over.wait(0.01)

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        return measured(scenario, rounds=1, modes=("async",))
    finally:
        over.set()
        thread.join()
