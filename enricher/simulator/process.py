"""A simulated API in a process of its own, started and stopped from Python.

    with running_simulator(Behaviour.of(latency="175ms", quota="40/1s")) as server:
        ...  # ask server.base_url
        assert server.stats()["rejected"] == 0

    with running_articles(sites=3, llm_minute="2s") as web:
        ...  # fetch web.feeds, ask web.llm("anthropic")
        assert web.account()["totals"]["anthropic"]["calls"] == 36

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from .behaviour import PROVIDERS, ArticlesBehaviour, Behaviour

# A stop takes milliseconds; a child that needs longer is killed.
STOP_WITHIN_S = 5.0

# The control routes answer at once, even while everything else is paused.
CONTROL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Child:
    """A running simulated API: `base_url` is its address, `pid` the id of its process."""

    base_url: str
    pid: int

    def reset(self) -> None:
        """Zero the counts and the attempts; a quota forgets its past, outages are counted from now."""
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


@dataclass(frozen=True, slots=True)
class Simulator(_Child):
    """A running simulated TMDB: `base_url` is "http://127.0.0.1:PORT/3"."""

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


@dataclass(frozen=True, slots=True)
class ArticlesSimulator(_Child):
    """A running simulated web with its LLM APIs: `base_url` is "http://127.0.0.1:PORT".

    `feeds` are addresses as a person would list them: three feeds, one that moved (301), a page that links to its feed, one
    of everything that goes wrong, one that is gone (410). `clean_feeds` are the five papers' own, where nothing goes wrong.
    `odd` names what does: moved, found, twice, shared (redirects), pdf, image, missing, private (closed by robots.txt),
    empty, injected (it hides an order), moved_feed, gone_feed, home, feed.
    """

    feeds: tuple[str, ...]
    clean_feeds: tuple[str, ...]
    odd: Mapping[str, str]

    @property
    def port(self) -> int:
        """The port, the same on every host."""
        return urlsplit(self.base_url).port or 0

    def llm(self, provider: str) -> str:
        """The address of one of the `PROVIDERS`. Raises `ValueError` for another."""
        if provider not in PROVIDERS:
            raise ValueError(f"there is no provider {provider!r}; there are {', '.join(PROVIDERS)}")
        return f"{self.base_url}/{provider}"

    def articles(self) -> list[dict[str, Any]]:
        """The articles of the papers' feeds in this edition, each once.

        Each has url, also (its other address, where two feeds show it), title, author, published, site, paper, language,
        number, revision, words, page_bytes.
        """
        articles: list[dict[str, Any]] = self._call("GET", "/_articles")["articles"]
        return articles

    def truth(self, url: str) -> str:
        """The main text of the article that an address shows or leads to, a line for each of its blocks.

        Raises `ValueError` where there is none.
        """
        return str(self._call("GET", f"/_truth?url={quote(url, safe='')}")["text"])

    def stats(self, *, detail: bool = False, moments: bool = False) -> dict[str, Any]:
        """The counts since the start or the last reset: `sites` by host, `providers` by name (`tally.Tally.report`).

        A provider's have `tokens` besides: limit, period_s, spent, used (as `used` of a quota).
        """
        return self._call("GET", f"/_stats?detail={int(detail)}&moments={int(moments)}")

    def account(self) -> dict[str, Any]:
        """What was paid since the start or the last reset: `calls` (`meter.Paid`), and `totals` by provider."""
        return self._call("GET", "/_account")

    def control(self, **options: str | int | bool | None) -> dict[str, Any]:
        """Change options at run time (`behaviour.ArticlesBehaviour`), or `pause=True|False`.

        Returns what differs from the defaults now. Raises `ValueError` for a wrong option.
        """
        return self._call("POST", "/_control", options)


@contextlib.contextmanager
def running_simulator(behaviour: Behaviour | None = None, *, port: int = 0) -> Iterator[Simulator]:
    """Start a simulated TMDB in a child process and stop it at the end of the block.

    Raises `RuntimeError` where it does not start; it has then said why on standard error.
    """
    with _child("tmdb", behaviour or Behaviour(), port) as (base_url, pid):
        yield Simulator(base_url, pid)


@contextlib.contextmanager
def running_articles(
    behaviour: ArticlesBehaviour | None = None, *, port: int = 0, **options: str | int | None
) -> Iterator[ArticlesSimulator]:
    """Start a simulated web with its LLM APIs in a child process, and stop it at the end of the block.

    `options` are changes to the behaviour, as texts. Raises `ValueError` for a wrong one, `RuntimeError` where the child
    does not start; it has then said why on standard error.
    """
    with _child("articles", (behaviour or ArticlesBehaviour()).changed(options), port) as (base_url, pid):
        web = _Child(base_url, pid)._call("GET", "/_web")  # noqa: SLF001 - our own
        yield ArticlesSimulator(base_url, pid, tuple(web["feeds"]), tuple(web["clean_feeds"]), web["odd"])


@contextlib.contextmanager
def _child(api: str, behaviour: Behaviour | ArticlesBehaviour, port: int) -> Iterator[tuple[str, int]]:
    """A simulated API in a child process: its address and the id of its process."""
    options = [f"--{name.replace('_', '-')}={text}" for name, text in behaviour.texts().items()]
    # A session of its own: the terminal's Ctrl-C is for the parent, which may still have things to ask.
    child = subprocess.Popen(  # noqa: S603 - our own module, its options as a list
        [sys.executable, *_isolation(), "-m", f"{__package__}", f"--api={api}", "--child", f"--port={port}", *options],
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
            yield ready["base_url"], ready["pid"]
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
