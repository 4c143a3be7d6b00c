"""`--help` comes at once: it loads none of the libraries that take time. (Held by names, because times lie.)"""

import json

import pytest
from cli_world import Running

SLOW = (
    "requests",
    "urllib3",
    "aiohttp",
    "asyncio",
    "peewee",
    "sqlite3",
    "pydantic",
    "rich",
    "yaml",
    "rapidfuzz",
)
LOADED = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()) as shown:
    {what}
print(json.dumps([sorted(sys.modules), shown.getvalue()]))
"""


def loaded_by(what):
    with Running(["-c", LOADED.format(what=what)]) as running:
        ended = running.end()
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-h"],
        ["movies", "--help"],
        ["export", "--help"],
        ["jobs", "-h"],
        ["cache", "prune", "-h"],
        ["demo", "-h"],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_that_takes_time(words):
    modules, shown = loaded_by(f"from enricher.cli import run; assert run({words!r}) == 0")
    assert shown.startswith("Usage: enricher ")
    assert "click" in modules
    assert not set(SLOW) & set(modules)


def test_importing_the_package_loads_nothing_but_itself():
    modules, _ = loaded_by("import enricher")
    assert not {"click", *SLOW} & set(modules)
    assert [name for name in modules if name.startswith("enricher")] == ["enricher"]


def test_the_libraries_are_loaded_where_they_are_needed():
    """The names above are spelled right: a run does load them."""
    modules, _ = loaded_by(
        "from enricher.cli import running, movies; import enricher.pipelines.movies.pipeline, enricher.settings"
    )
    assert set(SLOW) <= set(modules)
