"""What several files share: one simulated API for all, and a person's own folder with the command line in it."""

import logging
import os

import pytest
from cli_world import KEY, CommandLine, calm

from enricher.gates import PROCESS
from enricher.settings import PLAIN
from enricher.simulator.behaviour import Behaviour
from enricher.simulator.process import running_simulator


@pytest.fixture(autouse=True)
def first_to_ask():
    """No test waits for what another has sent to the same server: quotas are kept for the whole process."""
    PROCESS.clear()


@pytest.fixture(scope="session")
def simulator():
    with running_simulator(Behaviour.of(films=20_000)) as running:
        yield running


@pytest.fixture
def api(simulator):
    """The simulated API: it behaves well until the test says otherwise, and has counted nothing yet."""
    calm(simulator)
    return simulator


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """An empty folder to work in, and an environment that says nothing about enricher or proxies."""
    for name in list(os.environ):
        if name.startswith("ENRICHER_") or name in PLAIN or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(api, own_folder, monkeypatch, capsys):
    """The command line, with a key, and the simulated API in place of TMDB; in a hurry, and without a quota."""
    settings = {"BASE_URL": api.base_url, "RATE": "none", "BACKOFF_S": "0.01"}
    for name, value in settings.items():
        monkeypatch.setenv(f"ENRICHER_{name}", value)
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    log = logging.getLogger("enricher")
    before = (log.level, log.propagate, log.handlers)
    yield CommandLine(api, own_folder, capsys)
    log.level, log.propagate, log.handlers = before
