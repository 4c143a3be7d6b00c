"""The command line from outside: words in; an exit code, two streams and files out.

`cli("movies", ...)` runs in this process, which is quick; `cli.start(...)` starts a real one, where signals and exits are
the matter. Either way the answers come over real HTTP from the simulated API.
"""

import contextlib
import csv
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass

from enricher.cli import run
from enricher.simulator.generated import FIRST_ID, generated_titles

KEY = "0123456789abcdef0123456789abcdef"

FILMS = (("The Matrix", "1999"), ("Spirited Away", "2001"), ("Stalker", "1979"), ("Parasite", "2019"), ("Dune", "1984"))
IDS = ["603", "129", "1398", "496243", "841"]
UNSURE = ("Black Box", "")  # two films of the catalogue go by this name
MISSING = ("The Film That Nobody Made", "2020")

# What must happen within so many seconds, or the test fails instead of hanging.
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.005


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self):
        return json.loads(self.out)

    @property
    def complaint(self):
        """The one line that a refusal consists of."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        return line


class Running:
    """The command line in a process of its own."""

    def __init__(self, arguments, environment=None, **streams):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        self.process = subprocess.Popen([sys.executable, *arguments], env=environment, text=True, **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self, part):
        """Read its talk until a line has this part; the line."""
        for line in self.process.stderr:
            if part in line:
                return line
        raise AssertionError(f"it ended without saying {part!r}")

    def send(self, number):
        self.process.send_signal(number)

    def end(self, within_s=PATIENCE_S):
        out, err = self.process.communicate(timeout=within_s)
        return Ended(self.process.returncode, out, err)


class CommandLine:
    """`enricher`, typed in the test's own folder."""

    def __init__(self, api, folder, capsys):
        self.api = api
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words):
        self._capsys.readouterr()
        code = run([str(word) for word in words])
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)

    def start(self, *words, **options):
        return Running(["-m", "enricher", *map(str, words)], **options)

    def table(self, *words, code=0):
        """The rows that a command prints as CSV."""
        ended = self(*words)
        assert ended.code == code, ended.err
        return rows_of(ended.out)

    @property
    def files(self):
        return sorted(path.name for path in self.folder.iterdir())


def calm(api):
    """Behave well, and forget."""
    plain = dict.fromkeys(("latency", "quota", "retry_after", "faults", "key", "seed"))
    api.control(**plain, outage="off", pause=False)
    api.reset()


def rows_of(text):
    return list(csv.DictReader(text.splitlines()))


def column(rows, name):
    return [row[name] for row in rows]


def write_list(path, rows=FILMS, header=("Name", "Year")):
    """A list as a file; its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_zip(path, members):
    """A ZIP archive of name → text or bytes; its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def generated(count):
    """Rows of generated films, and the ids that they must be given."""
    rows = [(title, str(year)) for title, year in generated_titles(count)]
    return rows, [str(FIRST_ID + index) for index in range(count)]


def until(happened):
    """Look again and again until it has happened; what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(LOOK_EVERY_S)
    return found


@contextlib.contextmanager
def meanwhile(happened, act):
    """While the block runs: act as soon as something has happened."""
    thread = threading.Thread(target=lambda: (until(happened), act()), name="meanwhile")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def answered(api, count):
    return lambda: api.stats()["answered"] >= count


INTERRUPT, TERMINATE, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
