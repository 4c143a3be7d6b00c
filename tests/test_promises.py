"""Whatever we claim, something runs: the public names, the examples in docstrings, and every word of README.md that can."""

import csv
import doctest
import importlib
import io
import json
import os
import pkgutil
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest
from readme import CHART, README, RESULTS, ROOT, blocks, drawn, environment, stored, trimmed, written
from servers import Server, reply

import enricher
from benchmarks.summary import as_json, summarise
from enricher import cli
from enricher.pipelines.movies.service import tmdb
from enricher.settings import PLAIN_FOR_ARTICLES, Settings, load, load_for_articles
from enricher.simulator.behaviour import ArticlesBehaviour, Behaviour
from enricher.simulator.process import running_articles, running_simulator

TEXT = README.read_text(encoding="utf-8")


def fenced(language):
    """The fenced blocks of the README in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def simulator():
    with running_simulator(Behaviour.of(films="0")) as server:
        yield server


@pytest.fixture(scope="module")
def press():
    """Simulated feeds, pages and models."""
    with running_articles(ArticlesBehaviour.of(latency="0", llm_latency="0", articles="4")) as server:
        yield server


# ── the public names ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_public_names_are_sorted_and_each_has_one_home():
    assert enricher.__all__ == sorted(enricher.__all__)
    assert list(enricher._HOMES) == enricher.__all__
    assert dir(enricher) == enricher.__all__


@pytest.mark.parametrize("name", enricher.__all__)
def test_a_public_name_can_be_imported_and_says_what_it_is(name):
    named = getattr(enricher, name)
    assert (named.__doc__ or "").strip()
    assert not named.__doc__.startswith(f"{name}(")  # that is what a dataclass says when nobody else does


@pytest.mark.parametrize("name", ["nothing", "model_", "_HOME"])
def test_a_name_that_is_not_there_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"'enricher' has no attribute '{name}'"):
        getattr(enricher, name)


def test_type_checkers_see_the_public_names_too():
    typed = re.search(
        r"if TYPE_CHECKING:\n(.*?)\n_HOMES", Path(enricher.__file__).read_text(encoding="utf-8"), re.DOTALL
    )
    assert set(re.findall(r"\b[A-Za-z_]+\b", re.sub(r"from \S+ import", "", typed[1]))) == set(enricher.__all__)


def test_every_error_that_is_raised_to_a_program_is_public():
    """But a transport's, which the exchange judges, and a batch's, which it makes an outcome of."""
    errors = importlib.import_module("enricher.errors")
    raised = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)}
    assert raised - set(enricher.__all__) == {"TransportError", "Deferred"}


def test_importing_the_package_imports_none_of_its_libraries():
    heavy = "aiohttp click feedparser lxml peewee pydantic rapidfuzz requests rich trafilatura yaml"
    look = f"import sys, enricher; print(*set('{heavy}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


# ── examples in docstrings ──────────────────────────────────────────────────────────────────────────────────────────


def modules():
    """All modules but `__main__`, which runs when it is imported."""
    found = pkgutil.walk_packages(enricher.__path__, "enricher.")
    return ["enricher", *(one.name for one in found if not one.name.endswith(".__main__"))]


@pytest.mark.parametrize("module", modules())
def test_the_examples_in_docstrings_are_true(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_there_are_examples_in_docstrings():
    finder = doctest.DocTestFinder()
    examples = [test for name in modules() for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(examples) >= 5


# ── the python in the README ────────────────────────────────────────────────────────────────────────────────────────


def run_python(code, replaced, by, **names):
    """Run a block of the README with one address in it exchanged for a local one."""
    assert code.count(replaced) == 1
    exec(compile(code.replace(replaced, by), "README.md", "exec"), names)


def python_block(word):
    (code,) = [block for block in fenced("python") if word in block]
    return code


def test_all_python_in_the_readme_is_run_here():
    assert len(fenced("python")) == 3


def test_the_readmes_recipe_enriches_books(capsys):
    def library(talk):
        assert talk.asked.target.endswith("&limit=1")
        known = {"Solaris": ("Lem", 1961), "The+Dispossessed": ("Le Guin", 1974)}
        title = re.search(r"q=([^&]*)", talk.asked.target)[1]
        author, year = known.get(title, (None, None))
        docs = [{"author_name": [author], "first_publish_year": year}] if author else []
        talk.send(reply(json.dumps({"docs": docs}).encode()))

    with Server(library) as server:
        run_python(python_block("BOOKS"), "https://openlibrary.org", server.url)
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "Roadside Picnic not_found None",
        "Solaris enriched {'author': 'Lem', 'year': 1961}",
        "The Dispossessed enriched {'author': 'Le Guin', 'year': 1974}",
    ]


def test_the_readmes_recipe_is_under_twenty_lines():
    assert len(python_block("BOOKS").splitlines()) < 20


def test_the_readmes_client_tells_of_two_films(simulator, capsys, monkeypatch):
    monkeypatch.setenv("TMDB_API_KEY", "any")
    made = 'TMDBClient(os.environ["TMDB_API_KEY"])'
    local = 'TMDBClient(os.environ["TMDB_API_KEY"], service=local)'
    run_python(python_block("TMDBClient"), made, local, local=tmdb(simulator.base_url))
    assert capsys.readouterr().out == "['Andrei Tarkovsky']\n98\n"


def test_the_readmes_processor_tells_of_two_articles(press, capsys):
    code = python_block("ArticleProcessor(").replace("rate_limit_burst=5)", "rate_limit_burst=5, allow_private=local)")
    run_python(code, "https://example.org/feed.xml", press.clean_feeds[0], local=[f"127.0.0.1:{press.port}"])
    topics = capsys.readouterr().out.splitlines()
    assert len(topics) == 2
    assert all(topic and "robots" not in topic for topic in topics)


# ── the commands in the README ──────────────────────────────────────────────────────────────────────────────────────

COMMANDS = [line[2:] for block in fenced("console") for line in block.splitlines() if line.startswith("$ ")]
NOT_RUN = {
    "pip install .": "installs this very package: the clone does it, by scripts/environment",
    "pip install '.[articles]'": "as above",
    "scripts/demo articles": "sets up the extra in an environment of its own; tests/test_cli_showing.py runs what it starts",
    "scripts/test": "runs this test",
    "scripts/check": "runs this test",
    "scripts/bench --quick films-50": "measures for some minutes, and in the middle of tests it would measure those",
    "scripts/bench tune --api-latency 100-300ms --rate 35/s": "measures for some minutes, too",
}
WATCHED = "Date,Name,Year,Letterboxd URI\n2025-01-01,Stalker,1979,https://boxd.it/a\n2025-01-02,Black Box,,https://boxd.it/b\n"
RATINGS = "Date,Name,Year,Letterboxd URI,Rating\n2025-01-01,La Haine,1995,https://boxd.it/c,4.5\n"


def choose(review):
    """What a person does with the review file: an x beside the first candidate."""
    rows = list(csv.reader(io.StringIO(review.read_text(encoding="utf-8"))))
    rows[1][rows[0].index("choice")] = "x"
    with review.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def typed(commands, here, **variables):
    """Commands, typed one after the other in one folder: command → what came of it."""
    program = here / "bin" / "enricher"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m enricher "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    here_set = environment(PATH=path, PYTHONPATH=str(ROOT), TMPDIR=str(here), **variables)
    results = {}
    for command in commands:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            here_set[name] = value
            continue
        if "--decisions" in command:
            choose(here / "unsure.csv")
        for old in here.glob("films.*"):
            old.unlink()
        script = command.startswith("scripts/")
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace("https://example.org/feed.xml", variables.get("FEED", ""))],
            cwd=ROOT if script else here,
            env=environment(TMPDIR=str(here)) if script else here_set,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        results[command] = (
            done.returncode,
            done.stdout,
            {path.name: path.read_text() for path in (*here.glob("films.*"), *here.glob("article_*.md"))},
        )
    return results


def is_about_articles(command):
    return re.match("enricher (articles|feeds|run|jobs 1)|export ANTHROPIC", command) is not None


TYPED = [one for one in COMMANDS if one not in NOT_RUN]
ABOUT_FILMS = [one for one in TYPED if not is_about_articles(one)]
ABOUT_ARTICLES = [one for one in TYPED if is_about_articles(one)]


@pytest.fixture(scope="module")
def told(simulator, tmp_path_factory):
    """What came of the README's commands about films."""
    here = tmp_path_factory.mktemp("readme")
    (here / "watched.csv").write_text(WATCHED, encoding="utf-8")
    (here / "ratings.csv").write_text(RATINGS, encoding="utf-8")
    with zipfile.ZipFile(here / "letterboxd-export.zip", "w") as export:
        export.writestr("watched.csv", WATCHED)
        export.writestr("ratings.csv", RATINGS)
    return typed(ABOUT_FILMS, here, ENRICHER_BASE_URL=simulator.base_url)


@pytest.fixture(scope="module")
def told_of_articles(press, tmp_path_factory):
    """What came of the README's commands about articles."""
    return typed(
        ABOUT_ARTICLES,
        tmp_path_factory.mktemp("readme-articles"),
        ENRICHER_BASE_URL=press.llm("anthropic"),
        ENRICHER_ALLOW_PRIVATE=f"127.0.0.1:{press.port}",
        ENRICHER_RATE="none",
        FEED=press.clean_feeds[0],
    )


def but_exports(commands):
    return [one for one in commands if not one.startswith("export ")]


@pytest.mark.parametrize("command", but_exports(ABOUT_FILMS))
def test_a_command_in_the_readme_runs(command, told):
    code, said, files = told[command]
    assert code == 0, said
    assert "Traceback" not in said
    if "--out" in command:
        (table,) = files.values()
        assert "Andrei Tarkovsky" in table


@pytest.mark.timeout(120)  # eight programs, each of which starts two processes
@pytest.mark.parametrize("command", but_exports(ABOUT_ARTICLES))
def test_a_command_in_the_readme_about_articles_runs(command, told_of_articles):
    code, said, _ = told_of_articles[command]
    assert code == 0, said
    assert "Traceback" not in said


def test_the_readmes_example_of_a_report_is_one(told_of_articles, press):
    (example,) = fenced("markdown")
    first = next(command for command in told_of_articles if "article_analysis_report.md" in command)
    assert example in told_of_articles[first][2]["article_analysis_report.md"]


def test_what_is_not_run_is_in_the_readme_in_these_words():
    assert set(NOT_RUN) <= set(COMMANDS)


def test_the_readmes_choice_makes_an_unsure_film_sure(told):
    asked = next(one for one in COMMANDS if "--review" in one)
    decided = next(one for one in COMMANDS if "--decisions" in one)

    def status(command):
        (table,) = told[command][2].values()
        return {row["Name"]: row["status"] for row in csv.DictReader(io.StringIO(table))}

    assert status(asked) == {"Stalker": "enriched", "Black Box": "unsure"}
    assert status(decided) == {"Stalker": "enriched", "Black Box": "enriched"}


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").iterdir()), ids=lambda path: path.name)
def test_each_script_can_be_read_by_the_shell_and_says_what_it_is_for(script):
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("# ") for line in lines[:2])
    assert script.name == "environment" or (lines[0] == "#!/usr/bin/env bash" and os.access(script, os.X_OK))


# ── its written blocks, flags, settings and tables ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["help: movies", "help: articles"])
def test_the_help_in_the_readme_is_what_the_program_says(name):
    assert blocks(TEXT)[name] == written(name), "scripts/readme writes it anew"


def test_the_figures_in_the_readme_are_those_of_the_stored_runs():
    assert blocks(TEXT)["performance"] == written("performance"), "scripts/readme writes it anew"
    assert CHART.read_text(encoding="utf-8") == drawn(), "scripts/readme draws it anew"
    assert f"({CHART.relative_to(ROOT)})" in TEXT


def test_each_stored_run_is_whole_and_has_its_reports_beside_it():
    """A summary that is no longer what follows from the raw values would be a figure that nobody measured."""
    runs = stored()
    assert runs
    for run in runs:
        path = RESULTS / f"{run.scenario}.json"
        assert json.loads(path.read_text(encoding="utf-8"))["summary"] == as_json(run, summarise(run))
        assert not run.interrupted
        assert run.commit
        assert path.with_suffix(".md").exists()
        assert path.with_suffix(".html").exists()


CHANCE = [
    (r"http://127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\S*/enricher-demo-\w+", "FOLDER"),
    (r"(seconds +)\d+\.\d", r"\1S"),
    (r"(requests/s +)\d+\.\d", r"\1N"),
    (r"\d+ at a time at most", "N at a time at most"),
    (r" +", " "),
]


def but_for_chance(text):
    for pattern, word in CHANCE:
        text = re.sub(pattern, word, text)
    return text


def test_the_demo_in_the_readme_is_what_the_demo_says(told):
    """All but the times, the port and the folder."""
    code, said, _ = told["scripts/demo"]
    assert code == 0
    assert but_for_chance(blocks(TEXT)["demo output"]) == but_for_chance(trimmed(said)), "scripts/readme writes it anew"


def flags(command=cli.command, path="enricher"):
    """(command, flag) of the whole command line."""
    for option in command.params:
        if isinstance(option, click.Option):
            for flag in option.opts:
                yield path, flag
    for name, one in getattr(command, "commands", {}).items():
        yield from flags(one, f"{path} {name}")


HELP = {"enricher movies": "help: movies", "enricher articles": "help: articles", "enricher run": "help: articles"}


@pytest.mark.parametrize(("command", "flag"), sorted(flags()))
def test_a_flag_is_in_the_readme_beside_its_command(command, flag):
    if command in HELP:
        told_there = blocks(TEXT)[HELP[command]]
    else:
        told_there = "\n".join(line for line in TEXT.splitlines() if f"`{command}" in line)
    assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", told_there)


def test_each_command_is_in_the_readme():
    for path in {path for path, _ in flags()} - {"enricher"}:
        assert f"`{path}" in TEXT or f"$ {path}" in TEXT


def test_the_exit_codes_in_the_readme_are_those_of_the_program():
    table = TEXT.partition("### Exit codes")[2].partition("##")[0]
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE))
    words = {
        cli.OK: "every row has its answer",
        cli.UNFINISHED: "failed or are pending",
        cli.BAD_USAGE: "bad usage or input",
        cli.KEY_REFUSED: "refused the key",
        cli.INTERRUPTED: "interrupted",
    }
    assert set(rows) == {str(code) for code in words}
    for code, word in words.items():
        assert word in rows[str(code)]
        assert re.search(rf"\b{code} ", cli.__doc__)


def test_the_settings_file_in_the_readme_can_be_read(tmp_path):
    text, grouped = fenced("yaml")
    file = tmp_path / "settings.yaml"
    file.write_text(grouped, encoding="utf-8")
    settings = load_for_articles({}, file)
    assert (settings.mode, settings.concurrency, settings.rate, settings.ttl_scraped) == ("async", 8, "10/1s", 604_800)
    file.write_text(text, encoding="utf-8")
    settings = load({}, file)
    assert set(re.findall(r"^(\w+):", text, re.MULTILINE)) <= set(Settings.model_fields)
    assert (settings.mode, settings.concurrency, settings.language) == ("async", 15, "de-DE")


@pytest.mark.parametrize("variable", PLAIN_FOR_ARTICLES)
def test_a_variable_that_is_read_is_in_the_readme(variable):
    assert f"`{variable}`" in TEXT


# ── every file ──────────────────────────────────────────────────────────────────────────────────────────────────────

# Built from parts, so that this file holds none of what it looks for.
MACHINE = re.compile(
    "(?<![\\w.:/-])/(" + "|".join(("ro" + "ot", "wo" + "rk", "ho" + "me", "Us" + "ers", "mn" + "t")) + ")/"
)
REGISTRIES = [
    *(
        "py" + "pi.org",
        "python" + "hosted.org",
        "npm" + "js.",
        "yarn" + "pkg.com",
        "crates" + ".io",
        "ruby" + "gems.org",
    ),
    *(
        "proxy.go" + "lang.org",
        "ana" + "conda.org",
        "ma" + "ven.org",
        "index" + "-url",
        "art" + "ifactory",
        "dev" + "pi",
    ),
]


def project_files():
    """What is in the project's history or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, encoding="utf-8").stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def test_no_file_names_a_folder_of_somebodys_machine_or_a_package_registry():
    """Such an address works where it was written and nowhere else."""
    files = project_files()
    assert README in files
    found = []
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        marks = [MACHINE.search(text)[0]] if MACHINE.search(text) else []
        marks += [word for word in REGISTRIES if word in text]
        found += [(str(path.relative_to(ROOT)), mark) for mark in marks]
    assert found == []


@pytest.mark.parametrize("parts", [("x = '/ro", "ot/a'"), ("cd /wo", "rk/main"), ("(/ho", "me/me)")])
def test_a_folder_of_a_machine_would_be_found(parts):
    assert MACHINE.search("".join(parts))
