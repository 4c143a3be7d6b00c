"""The blocks of README.md that a program writes: `scripts/readme` fills them in, tests/test_promises.py holds them.

<!-- help: movies -->     what `enricher movies --help` says; articles likewise
<!-- demo output -->      what `scripts/demo` says, both of its streams
<!-- performance -->      the table over the stored runs; the chart beside them is written with it
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for `scripts/readme`, which runs this file

from benchmarks.reports import readme as figures  # noqa: E402  # the line above makes it findable
from benchmarks.runs import read  # noqa: E402
from benchmarks.scenarios import ALL  # noqa: E402

README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
DRAWN = "films-50-varied"
CHART = RESULTS / f"{DRAWN}.svg"
HELP_WIDTH = "100"  # of the terminal that help is asked in, so that it reads the same on every machine
OWN = ("ENRICHER_", "RATE_LIMIT_", "REQUEST_TIMEOUT", "LOG_LEVEL", "TMDB_API_KEY", "COLUMNS", "PYTEST_")

_BLOCK = re.compile(
    r"(?P<head><!-- (?P<name>help: [a-z ]+|demo output) -->\n```text\n)(?P<body>.*?)(?=```\n)"
    r"|(?P<above><!-- (?P<table>performance) -->\n)(?P<lines>.*?)(?=\nRead a row so)",
    re.DOTALL,
)


def environment(**more):
    """This process's environment, without what would change what our commands say."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(OWN)} | more


def output_of(*command, **variables):
    """What a command says on both streams, without spaces at line ends. It must succeed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=True,
    )
    return trimmed(done.stdout)


def trimmed(text):
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def written(name):
    """What a block should hold."""
    if name == "performance":
        return "\n" + figures.performance(stored())
    if name == "demo output":
        return output_of("scripts/demo")
    command = name.removeprefix("help: ").split()
    return output_of(sys.executable, "-m", "enricher", *command, "--help", COLUMNS=HELP_WIDTH)


def stored():
    """The stored runs, in the order of the scenarios."""
    return [read(path) for scenario in ALL if (path := RESULTS / f"{scenario.name}.json").exists()]


def drawn():
    """The chart, as it should be."""
    return figures.chart(read(RESULTS / f"{DRAWN}.json"))


def blocks(text):
    """Name → what the block holds now."""
    return {found["name"] or found["table"]: found["body"] or found["lines"] or "" for found in _BLOCK.finditer(text)}


def renewed(found):
    """A block with what it should hold."""
    return (found["head"] or found["above"]) + written(found["name"] or found["table"])


if __name__ == "__main__":
    readme = README.read_text(encoding="utf-8")
    README.write_text(_BLOCK.sub(renewed, readme), encoding="utf-8")
    CHART.write_text(drawn(), encoding="utf-8")
