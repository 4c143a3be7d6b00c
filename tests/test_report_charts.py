"""What the charts of a report draw, of hand-made stamps and of simulated runs."""

import re
from dataclasses import replace

import pytest
from bench_world import growth_run, quota_run, simulated_run, sweep_run

from benchmarks import verdicts
from benchmarks.reports import series, svg
from benchmarks.reports.charts import charts as charts_of
from benchmarks.reports.scene import looks
from benchmarks.reports.style import STYLE
from benchmarks.reports.svg import Look, Scale
from benchmarks.runs import Point, Stamps, Subject
from benchmarks.summary import summarise


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    """Intervals need not be good here, and are most of the time that a summary takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "RESAMPLES", 100)
        yield


def drawn(run):
    return {chart.key: chart for chart in charts_of(run, summarise(run))}


# ── charts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_charts_are_shown_where_there_is_data_and_only_there():
    always = {"wall", "ratios", "flight", "service", "cpu", "memory"}
    assert set(drawn(simulated_run(rounds=2))) == always
    assert set(drawn(quota_run())) == always | {"window-1"}
    assert set(drawn(sweep_run())) == always - {"flight", "service"} | {"slots"}
    assert set(drawn(growth_run())) == always | {"items"}
    assert set(drawn(simulated_run(rounds=2, stamps=Stamps()))) == always - {"flight", "service"}
    assert set(drawn(simulated_run(rounds=2, bound_s=0.0))) == always - {"wall"}
    assert set(drawn(simulated_run(rounds=2, peak_mib=None))) == always - {"memory"}
    assert set(drawn(simulated_run(rounds=2, requests=0))) == always - {"cpu"}
    assert drawn(simulated_run(rounds=2, problem="the client failed")) == {}
    assert drawn(replace(simulated_run(rounds=1), measurements=())) == {}


def test_waits_are_drawn_of_who_tells_them():
    stamps = Stamps((0, 0), (0, 50), (0, 50), (100, 200))
    silent = Stamps((0, 50), (0, 51), (0, 51), (100, 200))  # what a stamp's unit is rounded to is no wait
    run = simulated_run(rounds=2, stamps=lambda name, _: silent if name == "barrier" else stamps)
    wait = drawn(run)["wait"].table
    assert [row[0] for row in wait.rows] == ["threaded", "async", "sequential", "stock-pool (baseline)"]
    assert dict(zip(wait.header, wait.rows[0], strict=True)) == {
        "mode": "threaded", "p50 ms": "0", "p90 ms": "5.00", "p95 ms": "5.00", "p99 ms": "5.00", "most ms": "5.00"
    }  # fmt: skip
    assert "wait" not in drawn(simulated_run(rounds=2, stamps=silent))


def test_requests_in_flight_are_counted_from_sending_to_answer():
    stamps = Stamps(ready=(0,) * 4, granted=(0,) * 4, sent=(0, 0, 20, 30), done=(10, 20, 30, 40))
    assert series.in_flight(stamps) == [(0.0, 2), (0.001, 1), (0.002, 1), (0.003, 1), (0.004, 0)]
    assert series.in_flight(Stamps()) == []


def test_a_window_holds_what_arrived_less_than_its_length_ago():
    steps = series.in_window((0, 10, 5_000, 10_000, 10_010), 1.0)
    assert steps == [(0.0, 1), (0.001, 2), (0.5, 3), (1.0, 3), (1.001, 3), (1.5, 2), (2.0, 1), (2.001, 0)]
    assert max(count for _, count in series.in_window((0, 9_999), 1.0)) == 2
    assert max(count for _, count in series.in_window((0, 10_000), 1.0)) == 1


def test_an_average_keeps_the_area_and_makes_no_spike_of_a_moment():
    steps = [(0.0, 10), (0.4999, 0), (0.5, 10), (1.0, 0)]
    found = series.averaged(steps, 1.0, 10)
    assert sum(found) / 10 == pytest.approx(9.999)
    assert min(found) == pytest.approx(9.99)
    assert series.averaged([(0.25, 4), (0.75, 0)], 1.0, 2) == pytest.approx([2.0, 2.0])
    assert series.averaged([], 1.0, 2) == [0.0, 0.0]


def test_the_round_that_is_shown_is_that_of_the_median_time():
    walls = {0: 3.0, 1: 1.0, 2: 2.0}
    run = simulated_run(rounds=3, wall_s=lambda _, number: walls[number])
    assert series.typical(run, 0, "async", lambda one: one.stamps.sent).round == 2
    assert series.typical(run, 0, "async", lambda one: one.round < 2).round == 1
    assert series.typical(run, 0, "async", lambda one: one.arrivals) is None


def test_what_was_done_again_is_in_no_chart():
    run = simulated_run(rounds=2)
    twice = [replace(one, wall_s=99.0, discarded="others") for one in run.measurements]
    both = replace(run, measurements=(*run.measurements, *twice))
    assert [chart.pictures for chart in charts_of(both, summarise(both))] == [
        chart.pictures for chart in charts_of(run, summarise(run))
    ]


def test_a_barrier_shows_as_saw_teeth():
    chart = drawn(simulated_run(rounds=2))["flight"]
    averages = {row[0]: float(row[1]) for row in chart.table.rows}
    assert averages["threaded"] > 9
    assert averages["barrier (baseline)"] < 9
    teeth = {row[0]: picture.count("H") for row, picture in zip(chart.table.rows, chart.pictures, strict=True)}
    assert teeth["barrier (baseline)"] > 5 * teeth["threaded"]


def test_what_goes_on_far_longer_is_cut_off_with_an_arrow():
    charts = drawn(simulated_run(rounds=2))
    for key in ("wall", "ratios", "flight"):
        assert "An arrow" in charts[key].says
    same = drawn(simulated_run({"threaded": 1.02, "async": 1.03, "barrier": 1.2}, rounds=2))
    for key in ("wall", "ratios", "flight"):
        assert "An arrow" not in same[key].says


def test_a_window_that_is_overrun_is_seen():
    chart = drawn(quota_run())["window-1"]
    assert {row[0]: row[1:] for row in chart.table.rows} == {
        "threaded": ("40", "40"), "async": ("40", "40"), "stock-pool (baseline)": ("100", "40")
    }  # fmt: skip


def test_the_bounds_knee_is_rate_times_latency():
    chart = drawn(sweep_run())["slots"]
    assert [row[0] for row in chart.table.rows] == ["1", "2", "5", "10", "20", "50", "100", "knee"]
    assert dict(zip(chart.table.header, chart.table.rows[-1], strict=True))["bound"] == "50.0"
    assert "knee" in chart.pictures[0]


def test_a_sweep_that_still_grows_has_no_knee():
    points = [Point(f"{slots} slots", 100, slots) for slots in (1, 3, 5, 8)]
    chart = drawn(simulated_run({"threaded": 1.02, "barrier": 1.5}, rounds=2, points=points))["slots"]
    assert "knee" not in chart.says
    assert "knee" not in chart.pictures[0]


def test_a_grid_of_points_is_swept_along_both_axes_through_the_headline():
    points = [Point(f"{items}, {slots}", items, slots) for items in (100, 50) for slots in (8, 5)]
    summary = summarise(simulated_run({"threaded": 1.0}, rounds=2, points=points))
    assert [point.point.name for point in series.slots_sweep(summary)] == ["100, 5", "100, 8"]
    assert [point.point.name for point in series.items_sweep(summary)] == ["50, 8", "100, 8"]


def test_points_of_other_apis_are_no_sweep():
    points = [Point(latency, 50, slots, latency=latency) for slots, latency in ((5, "1s"), (10, "2s"))]
    summary = summarise(simulated_run({"threaded": 1.0}, rounds=2, points=points))
    assert series.slots_sweep(summary) == series.items_sweep(summary) == []


def test_without_a_bound_growth_is_told_as_time_for_each_item():
    assert drawn(growth_run())["items"].title.startswith("Share of the bound")
    chart = drawn(growth_run(bound_s=0.0))["items"]
    assert chart.title.startswith("Time for each item")
    assert [row[0] for row in chart.table.rows] == ["10", "100", "1,000"]


def test_a_distribution_is_thinned_and_keeps_its_ends():
    values = [float(value) for value in range(10_000)]
    points = series.distribution(values)
    assert len(points) <= 150
    assert points[0] == (0.0, 1 / 10_000)
    assert points[-1] == (9_999.0, 1.0)
    assert all(share == pytest.approx((value + 1) / 10_000) for value, share in points)


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_scale_maps_its_ends_and_keeps_what_is_beyond_at_the_edge():
    scale = Scale(1, 100, 0, 200, log=True)
    assert [scale(value) for value in (1, 10, 100, 1_000, 0.1)] == pytest.approx([0, 100, 200, 200, 0])
    assert Scale(5, 5, 0, 10)(5) == 5
    assert Scale(0, 10, 100, 0)(2.5) == 75


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0.99, 1.23, 0, 1), [1.0, 1.05, 1.1, 1.15, 1.2]),
        (Scale(0, 2.2, 0, 1), [0, 0.5, 1, 1.5, 2]),
        (Scale(1, 400, 0, 1, log=True), [1, 10, 100]),
        (Scale(150, 260, 0, 1, log=True), [150, 175, 200, 225, 250]),
        (Scale(3, 3, 0, 1), [3]),
    ],
)
def test_ticks_are_round_and_within(scale, ticks):
    assert scale.ticks() == pytest.approx(ticks)


def test_a_staircase_keeps_the_extremes_of_what_falls_together():
    assert svg.staircase([(0, 5), (10, 3), (10.01, 9), (10.02, 4), (20, 4)], 30) == "M0 5H10V3V9V4H30"


def test_nobody_looks_like_another_and_the_control_like_its_mode_but_hollow():
    names = [f"subject {number}" for number in range(12)]
    subjects = [Subject("threaded", ours=True, about=""), Subject("again", ours=True, about="", control_of="threaded")]
    found = looks([*subjects, *(Subject(name, ours=False, about="") for name in names)])
    assert len(set(found.values())) == 14
    assert found["again"] == replace(found["threaded"], hollow=True)
    pairs = [(look.dash, look.shape) for name, look in found.items() if name != "again"]
    assert len(set(pairs)) == len(pairs)  # apart without any colour as well
    assert len({Look.number(index) for index in range(280)}) == 280


@pytest.mark.parametrize(("paper", "colours"), [(svg.PAPER_LIGHT, svg.LIGHT), (svg.PAPER_DARK, svg.DARK)])
def test_every_colour_stands_out_from_the_paper(paper, colours):
    for colour in colours:
        assert contrast(colour, paper) >= 3


def test_text_stands_out_from_its_ground_in_both_schemes():
    light, dark = (
        dict(re.findall(r"--([\w-]+):(#\w{6})", block)) for block in re.findall(r":root \{ (.*?) \}", STYLE)[:2]
    )
    assert light.keys() == dark.keys()
    for scheme in (light, dark):
        for ink, ground in (
            ("text", "paper"), ("soft", "paper"), ("accent", "paper"), ("bad", "paper"), ("warn", "warn-wash"),
            ("text", "warn-wash"), ("text", "wash"),
        ):  # fmt: skip
            assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)


def contrast(one, other):
    """WCAG's contrast of two colours."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
