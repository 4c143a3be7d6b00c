"""A simulated API in a process of its own, started and stopped from Python.

    with running_simulator(Behaviour.of(latency="175ms", quota="40/1s")) as server:
        ...  # ask server.base_url
        assert server.stats()["rejected"] == 0

Its own process, because a client and a server that share an interpreter slow each other down. The child is stopped by
its own process, never by a name; and whatever happens to the parent, kill -9 included, the child ends with it, because
the pipe to its standard input closes. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .behaviour import Behaviour

# A stop takes milliseconds; a child that needs longer is killed.
STOP_WITHIN_S = 5.0

# The control routes answer at once, even while everything else is paused.
CONTROL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulated API: `base_url` is "http://127.0.0.1:PORT/3", `pid` the id of its process."""

    base_url: str
    pid: int

    def stats(self, *, detail: bool = False, moments: bool = False) -> dict[str, Any]:
        """The counts since the start or the last reset (`tally.Tally.report`).

        `detail` adds `requests_by_identity`, `moments` the monotonic moment of every arrival.
        """
        return self._call("GET", f"/_stats?detail={int(detail)}&moments={int(moments)}")

    def control(self, **options: str | int | bool | None) -> dict[str, Any]:
        """Change options at run time (`behaviour.py`), or `outage="503"|"reset"|"off"`, `pause=True|False`.

        Returns what differs from the defaults now. Raises `ValueError` for a wrong option.
        """
        return self._call("POST", "/_control", options)

    def reset(self) -> None:
        """Zero the counts and the attempts; the quota forgets its past, outages are counted from now."""
        self._call("POST", "/_reset")

    def _call(self, method: str, path: str, value: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=CONTROL_TIMEOUT_S)
        try:
            connection.request(method, path, body=json.dumps(value))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer


@contextlib.contextmanager
def running_simulator(behaviour: Behaviour | None = None, *, port: int = 0) -> Iterator[Simulator]:
    """Start a simulated API in a child process and stop it at the end of the block.

    Raises `RuntimeError` where it does not start; it has then said why on standard error.
    """
    behaviour = behaviour or Behaviour()
    options = [f"--{name.replace('_', '-')}={text}" for name, text in behaviour.texts().items()]
    # A session of its own: the terminal's Ctrl-C is for the parent, which may still have things to ask.
    child = subprocess.Popen(  # noqa: S603 - our own module, its options as a list
        [sys.executable, *_isolation(), "-m", f"{__package__}", "--child", f"--port={port}", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with child:
        try:
            assert child.stdout is not None  # noqa: S101 - it was asked to be a pipe
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(f"the simulated API did not start (exit code {child.wait(STOP_WITHIN_S)})")
            ready = json.loads(line)
            yield Simulator(base_url=ready["base_url"], pid=ready["pid"])
        finally:
            assert child.stdin is not None  # noqa: S101 - it was asked to be a pipe
            child.stdin.close()
            try:
                child.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()


def _isolation() -> list[str]:
    """The flag that makes the child look for modules where this process does, and not in the current folder besides."""
    return [] if {"", str(Path.cwd())} & set(sys.path) else ["-P"]
