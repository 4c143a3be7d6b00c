"""What a report says of a run, and that every format says the same."""

import doctest
import html.parser
import json
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from bench_world import growth_run, quota_run, simulated_run, sweep_run
from pytest_benchmark.stats import Stats as TheirStats
from rich.console import Console

from benchmarks import verdicts
from benchmarks.reports import FORMATS, file_name, series, text
from benchmarks.reports.charts import charts as charts_of
from benchmarks.reports.terminal import for_terminal
from benchmarks.runs import Percentiles, Point, Stamps, read
from benchmarks.summary import summarise
from benchmarks.verdicts import Interval

HOSTILE = """<script>alert("x")</script> | `a` *b* [c](d) & 'e' [bold]f[/bold]\n# g"""
WORLDS = {
    "one point": simulated_run,
    "slots sweep": sweep_run,
    "items sweep": growth_run,
    "quota": quota_run,
    "invalid": lambda: simulated_run(wrong=lambda name, _: 3 if name == "barrier" else 0),
    "nothing valid": lambda: simulated_run(rounds=2, problem="the client failed"),
    "nothing at all": lambda: replace(simulated_run(rounds=1), measurements=(), machine={}, command=""),
    "one core, one round": lambda: replace(simulated_run(rounds=1), machine={"cores": 1}),
    "no wait for anything": lambda: simulated_run(rounds=2, bound_s=0.0, ideal_s=0.0, requests=0, stamps=Stamps()),
}


def hostile_run():
    """A run in which every text is HOSTILE."""
    run = simulated_run(rounds=2, wrong=lambda name, _: 1 if name == "barrier" else 0)
    names = {subject.name: f"{HOSTILE} {subject.name}" for subject in run.subjects if not subject.ours}
    return replace(
        run,
        scenario=HOSTILE,
        meaning=HOSTILE,
        points=(Point(HOSTILE, 50, 10, latency=HOSTILE, faults=HOSTILE),),
        subjects=tuple(replace(one, name=names.get(one.name, one.name), about=HOSTILE) for one in run.subjects),
        command=f"{HOSTILE} ``` ````",
        commit=HOSTILE,
        started=HOSTILE,
        machine={"system": HOSTILE, "python": HOSTILE, "libraries": {HOSTILE: HOSTILE}},
        measurements=tuple(
            replace(one, subject=names.get(one.subject, one.subject), problem=HOSTILE if one.subject == "async" else "")
            for one in run.measurements
        ),
    )


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    """Intervals need not be good here, and are most of the time that a summary takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "RESAMPLES", 100)
        yield


def written(form, run):
    return FORMATS[form](run, summarise(run))


def words(element):
    """All text of an element, with single plain blanks."""
    return " ".join("".join(element.itertext()).replace("\u00a0", " ").split())


def page(run):
    return ET.fromstring(written("html", run).removeprefix("<!DOCTYPE html>\n"))


@pytest.fixture(params=WORLDS, scope="module")
def world(request):
    return WORLDS[request.param]()


# ── any run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("module", [series, text])
def test_the_examples_in_the_reports_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_run_gives_the_same_bytes(form, world):
    assert written(form, world) == written(form, world)


def test_the_page_is_well_formed_and_fetches_nothing(world):
    text_of_page = written("html", world)
    page(world)
    html.parser.HTMLParser().feed(text_of_page)
    assert "<script" not in text_of_page
    assert "<link" not in text_of_page
    assert "<img" not in text_of_page
    assert re.findall(r"https?://[^\"]*", text_of_page) == ["http://www.w3.org/2000/svg"] * text_of_page.count("<svg")
    assert set(re.findall(r"url\(([^)]*)\)", text_of_page)) <= {"#memory-hatch"}
    assert "@import" not in text_of_page


def test_the_page_can_be_read_by_ear(world):
    root = page(world)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        assert set((element.get("aria-labelledby") or "").split()) <= set(ids)
    for picture in root.iter("{http://www.w3.org/2000/svg}svg"):
        title, told = picture[0], picture[1]
        assert (title.tag[-5:], told.tag[-4:], picture.get("role")) == ("title", "desc", "img")
        assert title.text
        assert re.search(r"\d", told.text)
        assert picture.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"
    for table in root.iter("table"):
        assert words(table.find("caption"))
        heads = [*table.iter("th")]
        assert {head.get("scope") for head in heads} <= {"col", "row"}
        assert all(row[0].tag == "th" for row in table.iter("tr"))
    assert root.get("lang") == "en"


def test_every_chart_is_followed_by_its_data(world):
    figures = [*page(world).iter("figure")]
    assert len(figures) == len(charts_of(world, summarise(world)))
    for figure in figures:
        details = figure.find("details")
        assert figure[-1] is details
        assert len([*details.iter("tr")]) > 1


def test_the_verdict_stands_first(world):
    summary = summarise(world)
    sentence = " ".join(summary.verdict.split())
    root = page(world)
    order = [element.tag for element in root.iter() if element.tag in ("h1", "aside", "table", "figure")]
    assert order[:1] == ["h1"]
    assert order == sorted(order, key=["h1", "aside", "table", "figure"].index) or "figure" in order
    assert words(root.find(".//h1")) == sentence
    assert unescaped(written("md", world).split("\n", 1)[0]) == f"# {sentence}"
    assert " ".join(console_text(world).split()).startswith(sentence)


def test_warnings_are_told_before_the_figures(world):
    warnings = summarise(world).warnings
    root, lines = page(world), written("md", world).split("\n")
    if not warnings:
        assert text.NO_WARNINGS in written("html", world)
        assert text.NO_WARNINGS in lines
        return
    body = root.find("body/main")
    order = [element.tag for element in body]
    assert order.index("aside") < order.index("section")
    assert [words(item) for item in body.find("aside/ul")] == [" ".join(warning.split()) for warning in warnings]
    assert [unescaped(line[2:]) for line in lines if line.startswith("- ")][: len(warnings)] == list(warnings)
    assert lines.index("## Warnings") < lines.index("## Figures")


def test_markdown_and_html_hold_the_same_figures(world):
    in_markdown = markdown_tables(written("md", world))
    shown = [table for table in page(world).iter("table") if table.find("caption").get("id").startswith("table-")]
    in_html = [[row_cells(row) for row in table.iter("tr")] for table in shown]
    assert in_markdown == in_html
    assert in_html


def test_the_terminal_needs_a_hundred_columns_and_cuts_nothing_off(world):
    said = console_text(world)
    assert max(map(len, said.split("\n"))) <= 100
    assert "…" not in said
    summary = summarise(world)
    matrix = text.matrix(summary)
    for row in text.table(summary.headline, narrow=text.RANKS).rows + (() if matrix is None else matrix.rows):
        for cell in row:
            for part in text.parted(cell):
                assert all(word in said for word in (part.split() if cell.startswith(text.INVALID) else [part]))


def test_the_file_of_a_run_can_be_read_back(world, tmp_path):
    path = tmp_path / file_name(world, "json")
    path.write_text(written("json", world), encoding="utf-8")
    assert read(path) == world


@pytest.mark.parametrize(("width", "columns"), [(100, 8), (90, 7), (84, 6), (70, 5), (60, 4), (40, 2), (20, 2)])
def test_a_narrow_terminal_gets_fewer_columns_and_whole_figures(width, columns):
    run = quota_run()
    said = console_text(run, width)
    assert max(map(len, said.split("\n"))) <= width
    whole = {cell for column in range(1, 9) for cell in told(run, column)}
    kept = told(run, columns)
    if width >= 40:
        figures = said[said.index("\nmode") :]
        assert all(part in figures for part in kept)
        assert not any(part in figures for part in whole - kept)


def told(run, columns):
    """What a table of so many columns says, but for what might as well be in another column."""
    rows = text.table(summarise(run).headline, narrow=columns).rows
    return {part for row in rows for cell in row for part in text.parted(cell) if len(part) > 4}


def console_text(run, width=100):
    console = Console(width=width, force_terminal=False)
    with console.capture() as caught:
        console.print(for_terminal(run, summarise(run)))
    return caught.get()


def unescaped(line):
    return re.sub(r"\\(.)", r"\1", line)


def markdown_tables(report):
    """The cells of each table of a Markdown text, without the rules below the headers."""
    found, rows = [], []
    for line in [*report.split("\n"), ""]:
        if line.startswith("| "):
            rows.append([unescaped(cell) for cell in re.split(r"(?<!\\) \| ", line[2:-2])])
        elif rows:
            found.append([row for row in rows if set("".join(row)) != {"-", ":"}])
            rows = []
    return found


def row_cells(row):
    """A row's cells; where two were made one, the second said nothing."""
    found = []
    for cell in row:
        told = words(cell)
        if cell.get("colspan"):
            told = told.replace("INVALID ", "INVALID: ", 1)
        found += [told, *([text.UNKNOWN] if cell.get("colspan") else [])]
    return found


# ── what the table says ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invalid_row_has_its_reason_and_no_ratio_and_no_time():
    run = simulated_run(wrong=lambda name, _: 3 if name == "barrier" else 0)
    table = text.table(summarise(run).headline)
    row = dict(zip(table.header, next(row for row in table.rows if row[0] == "barrier (baseline)"), strict=True))
    assert row["wall s [95 %]"].startswith("INVALID: ")
    assert "of 50 rows are wrong or lost" in row["wall s [95 %]"]
    assert row["ratio to threaded [95 %]"] == row["% of bound"] == row["CPU ms/request"] == "–"
    assert row["connections"] == "10"
    for form in ("md", "html"):
        line = next(
            line for line in written(form, run).split("\n") if "INVALID" in line and ("|" in line or "<tr" in line)
        )
        assert "of 50 rows are wrong or lost" in line
        assert not re.search(r"\d\.\d\d", line)


def test_an_invalid_mode_is_in_no_chart():
    run = simulated_run(wrong=lambda name, _: 3 if name == "barrier" else 0)
    for chart in charts_of(run, summarise(run)):
        assert not any("barrier" in row[0] for row in chart.table.rows)
        assert not any("barrier" in picture for picture in chart.pictures)


def test_the_columns_stand_in_their_order_and_are_explained():
    headers = [column.header for column in text.COLUMNS]
    assert headers == [
        "mode", "wall s [95 %]", "ratio to threaded [95 %]", "% of bound", "% of ideal", "CPU ms/request",
        "peak MiB (above imports)", "wait p99 ms", "service p50/p95/p99 ms", "quota used / rejected", "connections",
        "most in flight", "rounds",
    ]  # fmt: skip
    run = simulated_run(rounds=2)
    for column in text.COLUMNS:
        assert column.meaning in written("md", run)
        assert column.meaning in written("html", run).replace("\u00a0", " ").replace("&#x27;", "'")


def test_the_cells_hold_what_was_measured():
    run = quota_run(cpu_s=0.2, peak_mib=70.0, import_mib=41.5, wait_ms=Percentiles(1.0, 20.0, 312.4))
    summary = summarise(run)
    table = text.table(summary.headline)
    rows = {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}
    ours, control, stock = rows["threaded"], rows["threaded-again (control)"], rows["stock-pool (baseline)"]
    wall_s = summary.headline.row("threaded").wall_s
    assert ours["wall s [95 %]"] == f"{wall_s.median:.3f} [{wall_s.low:.3f}–{wall_s.high:.3f}]"
    assert ours["ratio to threaded [95 %]"] == "1 (reference)"
    assert control["ratio to threaded [95 %]"].startswith(f"{summary.headline.control.ratio.median:.3f} [")
    assert ours["CPU ms/request"] == "2.00"
    assert ours["peak MiB (above imports)"] == "70.0 (+28.5)"
    assert ours["wait p99 ms"] == "312"
    assert ours["quota used / rejected"] == "98.0 % / 0"
    assert stock["quota used / rejected"] == "98.0 % / 180"
    assert "quota 40/10s" in table.caption


def test_what_is_unknown_is_not_made_up():
    unknown = {"peak_mib": None, "import_mib": None, "wait_ms": None, "service_ms": None, "bound_s": 0.0, "requests": 0}
    table = text.table(summarise(simulated_run(rounds=2, **unknown)).headline)
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert [row[header] for header in table.header[3:4] + table.header[5:10]] == ["–"] * 6


def test_several_points_are_told_in_one_table_without_the_control():
    matrix = text.matrix(summarise(growth_run()))
    assert matrix.header == ("point", "threaded", "async")
    assert [row[0] for row in matrix.rows] == ["100 items", "10 items", "1,000 items"]
    assert text.matrix(summarise(simulated_run(rounds=2))) is None
    with_control = {"threaded": 1.0, "threaded-again": 1.0}
    run = simulated_run(with_control, rounds=2, points=[Point("a", 10, 10), Point("b", 20, 10)])
    assert text.matrix(summarise(run)).header == ("point", "threaded")


def test_the_method_tells_the_margin_that_was_judged_by():
    run = simulated_run(rounds=2)
    summary = summarise(run, margin=0.125)
    for form in ("md", "html"):
        assert "1 ± 12.5 %" in FORMATS[form](run, summary).replace("\u00a0", " ")


def test_pairs_are_told_with_difference_and_equivalence_the_control_first():
    summary = summarise(simulated_run(rounds=3))
    pairs = text.pairs(summary.headline)
    assert [pair for pair, _ in pairs][:2] == ["threaded-again / threaded", "async / threaded"]
    for _, statement in pairs:
        assert statement in written("md", simulated_run(rounds=3))


# ── hostile words ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_of_a_run_are_no_markup_in_the_page():
    run = hostile_run()
    report = written("html", run)
    assert "<script" not in report
    root = page(run)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        element.tag.rpartition("}")[2] for element in page(simulated_run(rounds=2, wrong=1)).iter()
    } | {"svg", "title", "desc", "g", "line", "rect", "text", "path", "circle", "defs", "pattern"} | {
        "figure", "figcaption", "aside", "pre", "code"
    }  # fmt: skip
    assert words(root.find(".//h1")).startswith(" ".join(HOSTILE.split()))


def test_words_of_a_run_are_no_markup_in_markdown():
    report = written("md", hostile_run())
    fence = re.search(r"^(`{5,})sh\n(.*?)\n\1$", report, re.DOTALL | re.MULTILINE)
    assert fence[2] == f"{HOSTILE} ``` ````"
    outside = report.replace(fence[0], "")
    assert not re.search(r"(?<!\\)(?:[<`]|\]\()", outside)
    assert sum(line.startswith("# ") for line in outside.split("\n")) == 1
    for table in markdown_tables(outside):
        assert {len(row) for row in table} == {len(table[0])}


def test_words_of_a_run_are_no_markup_in_the_terminal():
    assert "[bold]f[/bold]" in console_text(hostile_run())


def test_a_files_name_leads_nowhere():
    run = simulated_run(rounds=1)
    assert file_name(run, "html") == "films-50.html"
    assert file_name(replace(run, scenario="../../x y"), "json") == "x-y.json"
    assert file_name(replace(run, scenario="…"), "json") == "run.json"


# ── for pytest-benchmark ────────────────────────────────────────────────────────────────────────────────────────────


def test_pytest_benchmark_itself_compares_the_file(tmp_path):
    run = simulated_run(rounds=4, wrong=lambda name, _: 1 if name == "barrier" else 0)
    (tmp_path / "run.json").write_text(written("pytest-benchmark", run), encoding="utf-8")
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "run.json", "--csv=out.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.replace("Generated csv: out.csv", "").strip()) == (0, "")
    assert "5 tests" in done.stdout
    assert "films-50[async" in done.stdout
    assert "barrier" not in done.stdout
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 6


@pytest.mark.parametrize("rounds", [1, 2, 5, 10])
def test_the_statistics_are_those_that_pytest_benchmark_makes(rounds):
    run = simulated_run({"threaded": 1.02, "async": 1.1}, rounds=rounds)
    benchmarks = json.loads(written("pytest-benchmark", run))["benchmarks"]
    assert [one["params"]["subject"] for one in benchmarks] == ["threaded", "async"]
    for one in benchmarks:
        theirs = TheirStats()
        for wall_s in one["stats"]["data"]:
            theirs.update(wall_s)
        walls = [each.wall_s for each in run.measurements if each.subject == one["params"]["subject"]]
        assert one["stats"]["data"] == walls
        assert one["stats"].keys() == {*TheirStats.fields, "data", "iterations"}
        for field in ("min", "max", "mean", "stddev", "median", "rounds", "total", "ops", "stddev_outliers"):
            assert one["stats"][field] == pytest.approx(getattr(theirs, field)), field


def test_intervals_share_the_places_of_their_median():
    assert text.spread(Interval(17.6912, 9.9999, 18.0)) == "17.69 [10.00–18.00]"
    assert text.spread(Interval(2.0, 2.0, 2.0)) == "2.000"  # of one round: there is no interval to tell
    assert text.spread(None) == text.figure(None) == "–"
    assert text.ratio(Interval(0.9992, 0.9977, 1.0019)) == "0.999 [0.998–1.002]"
