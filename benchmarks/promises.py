"""Promises that no scenario tells, in figures: `python -m benchmarks.promises [NAME...]`.

    core     exchange, recipe, gate and memory together, in ten threads, without a wire: µs a request
    wire     one GET of 2 KB through the threaded mode against a stock requests pool: CPU a request, and the ratio
    memory   peak memory of 30,000 films with real-sized details against that of 3,000
    tokens   use of windows of 2 s of input and of output tokens, whichever binds, and how many calls were turned away

Clients are fresh processes; the simulated API is one of its own; what is compared runs in turn, and a ratio is the median
of the ratios of neighbours. Whatever can be counted at the server is counted there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from enricher import Item, Lifetime, Request, Response, Service, Window, enrich
from enricher.core.exchange import Rules, enrich_item
from enricher.core.gate import Gate
from enricher.memory import Memory
from enricher.model import Outcome
from enricher.modes.performer import Feed, Performer, Stop
from enricher.modes.threaded import run_threaded
from enricher.processes import Processes
from enricher.simulator.behaviour import Behaviour
from enricher.simulator.generated import Titles
from enricher.simulator.process import ArticlesSimulator, Simulator, running_articles, running_simulator

from .machine import peak_mib

WORKERS = 10


def say(text: str) -> None:
    """One line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ── clients: fresh processes ────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def films(count: int) -> Iterator[Path]:
    """A folder with `films.csv`: so many films that the simulated API generates."""
    titles = Titles()
    with tempfile.TemporaryDirectory(prefix="enricher-promises-") as name:
        folder = Path(name)
        with (folder / "films.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Name", "Year"])
            writer.writerows([titles.title(index), titles.year(index)] for index in range(count))
        yield folder


def enrich_films(api: Simulator, folder: Path, *flags: str) -> dict[str, Any]:
    """Run `enricher movies` over the folder's list into a new database; its summary, `cpu_s` and `peak_mib`."""
    for old in folder.glob("enricher.db*"):
        old.unlink()
    words = ["-m", "benchmarks.promises", "--client", "movies", "films.csv", "--out", "out.csv", "--json"]
    return client(*words, "--no-progress", "--base-url", api.base_url, *flags, folder=folder)


def client(*words: str, folder: Path | None = None) -> dict[str, Any]:
    """Run a client and read what it says: one JSON object on standard output."""
    here = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": here, "TMDB_API_KEY": "any"},
        stdout=subprocess.PIPE,
        check=True,
    )
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def cpu_s() -> float:
    """CPU seconds of this process so far, all threads, user and system."""
    return time.process_time()


def be_movies(words: list[str]) -> None:
    """The command line, as a client that also tells its CPU and peak memory."""
    import contextlib
    import io

    from enricher.cli import run

    said = io.StringIO()
    before = cpu_s()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        code = run(["movies", *words])
    facts = {**json.loads(said.getvalue()), "exit": code, "cpu_s": cpu_s() - before, "peak_mib": peak_mib()}
    sys.stdout.write(json.dumps(facts))


def be_get(words: list[str]) -> None:
    """`enricher` or `stock`: so many GETs of 2 KB from an address, in ten threads; CPU a request in µs."""
    kind, base_url, count = words[0], words[1], int(words[2])
    run = get_by_enricher if kind == "enricher" else get_by_stock
    run(base_url, 200)
    before = cpu_s()
    assert run(base_url, count) == count
    sys.stdout.write(json.dumps({"cpu_us": (cpu_s() - before) / count * 1e6}))


def get_by_enricher(base_url: str, count: int) -> int:
    """As a user's own recipe would do it. No store, and nothing is remembered."""
    service = Service("echo", base_url)

    def recipe(item: Item) -> Generator[Request, Any, dict[str, Any]]:
        answer = yield Request(service, "/echo", {"id": item.key, "bytes": "2048", "api_key": "any"})
        return {"id": answer.data["id"]}

    items = (Item(str(number)) for number in range(count))
    return sum(outcome.status == "enriched" for outcome in enrich(items, recipe, concurrency=WORKERS))


def get_by_stock(base_url: str, count: int) -> int:
    """As people do it today: one session, a pool of threads, `session.get(...).json()`."""
    with requests.Session() as session, ThreadPoolExecutor(WORKERS) as pool:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=WORKERS))

        def get(number: int) -> bool:
            params = {"id": str(number), "bytes": "2048", "api_key": "any"}
            return "id" in session.get(f"{base_url}/echo", params=params, timeout=10).json()

        return sum(pool.map(get, range(count)))


# ── what is measured ────────────────────────────────────────────────────────────────────────────────────────────────


class _Instantly:
    """A transport without a wire."""

    def __init__(self, body: bytes) -> None:
        self._response = Response(200, {}, body)

    def send(self, _request: Request, *, fresh: bool = False) -> Response:  # noqa: ARG002  # the protocol names it
        return self._response

    def abort(self) -> None:
        """Nothing is ever in flight."""


class _Counted:
    """A sink that counts, without a lock: an append is one step of the interpreter."""

    def __init__(self) -> None:
        self.statuses: list[str] = []

    def offer(self, outcome: Outcome) -> bool:
        self.put(outcome)
        return True

    def put(self, outcome: Outcome) -> None:
        self.statuses.append(outcome.status)


def core() -> None:
    """One request through exchange, recipe, gate and memory, in threads: CPU, as that is what threads share."""
    count, lifetime = 30_000, Lifetime(3600.0, 3600.0)
    service = Service("open", "http://127.0.0.1/3", windows=(Window(1_000_000, 1.0),), lifetimes={"answer": lifetime})
    body = json.dumps({"id": 1, "text": "x" * 2000}).encode()

    def recipe(item: Item) -> Generator[Request, Any, dict[str, Any]]:
        answer = yield Request(service, "/thing", {"id": item.key})
        return {"id": answer.data["id"]}

    found, rules = [], Rules(lambda: 0.5)
    for _ in range(7):
        sink, stop = _Counted(), Stop()
        performer = Performer(Gate(), Memory(time.time), stop, Processes())
        feed = Feed((Item(str(number)) for number in range(count)), stop)
        before = cpu_s()
        run_threaded(feed, lambda item: enrich_item(item, recipe, rules), sink, performer, _Instantly(body), WORKERS)
        found.append((cpu_s() - before) / count * 1e6)
        assert sink.statuses == ["enriched"] * count
    say(
        f"core    {statistics.median(found):.1f} µs a request ({min(found):.1f} to {max(found):.1f}, {len(found)} runs)"
    )


def wire() -> None:
    """CPU a request of the threaded mode against a stock requests pool, in turn."""
    count, ratios, ours, theirs = 8_000, [], [], []
    with running_simulator(Behaviour.of()) as api:
        for turn in range(9):
            one: dict[str, float] = {}
            for kind in ("enricher", "stock") if turn % 2 else ("stock", "enricher"):
                words = ("-m", "benchmarks.promises", "--client", "get", kind, api.base_url, str(count))
                one[kind] = client(*words)["cpu_us"]
            ours.append(one["enricher"])
            theirs.append(one["stock"])
            ratios.append(one["enricher"] / one["stock"])
    say(f"wire    enricher {statistics.median(ours):.0f} µs, stock {statistics.median(theirs):.0f} µs of CPU a request")
    say(f"wire    ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} pairs)")


def memory() -> None:
    """Peak memory against the length of the list."""
    peaks = {}
    with running_simulator(Behaviour.of(films=40_000, details_bytes=35_000)) as api:
        for count in (3_000, 30_000):
            with films(count) as folder:
                facts = enrich_films(api, folder, "--rate", "none")
                assert facts["items_by_status"] == {"enriched": count}
                peaks[count] = facts["peak_mib"]
                say(f"memory  {count:6} films: peak {peaks[count]:.1f} MiB ({facts['seconds']:.0f} s)")
    say(f"memory  difference {peaks[30_000] - peaks[3_000]:.1f} MiB")


def tokens() -> None:
    """Analyses against an API that counts input and output apart. The pages are known, so that only calls take time."""
    period_s, windows = 2.0, 10
    with (
        running_articles(articles=48, latency="1ms", crawl_delay="0", llm_latency="100-200ms") as web,
        tempfile.TemporaryDirectory(prefix="enricher-promises-") as name,
    ):
        folder = Path(name)
        read_articles(web, folder, "pages.db", "--provider", "local")
        needed: dict[str, int] = {}
        for binds in ("neither", "in", "out"):
            if needed:
                limits = {
                    f"llm_tokens_{part}": needed[part] * (1 if part == binds else 9) // windows for part in needed
                }
                web.control(llm_minute=f"{period_s:g}s", **limits)
            shutil.copy(folder / "pages.db", folder / f"{binds}.db")
            web.reset()
            read_articles(web, folder, f"{binds}.db", "--provider", "anthropic", "--base-url", web.llm("anthropic"))
            stats = web.stats(moments=True)["providers"]["anthropic"]
            taken = stats["tokens"]["taken"]
            if not needed:
                needed = {"in": sum(each[1] for each in taken), "out": sum(each[2] for each in taken)}
                continue
            begin = taken[0][0] + 2 * period_s
            whole = int((taken[-1][0] - begin) / period_s)
            part = 1 if binds == "in" else 2
            used = sum(each[part] for each in taken if begin <= each[0] < begin + whole * period_s)
            share = used / whole / limits[f"llm_tokens_{binds}"]
            say(
                f"tokens  {binds:3} binds: {share:.1%} used in {whole} windows after the first two, "
                f"{stats['rejected']} of {len(taken)} turned away"
            )


def read_articles(web: ArticlesSimulator, folder: Path, database: str, *flags: str) -> None:
    """Run `enricher articles` over all good feeds."""
    hosts = sorted({feed.split("/")[2] for feed in web.clean_feeds})
    allowed = [word for host in hosts for word in ("--allow-private", host)]
    told = ("--db", database, "--rate", "none", "--no-progress", "--out", "out.csv")
    subprocess.run(  # noqa: S603  # our own module
        [sys.executable, "-m", "enricher", "articles", *web.clean_feeds, *allowed, *told, *flags],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
            "ANTHROPIC_API_KEY": "any",
            "ENRICHER_API_MINUTE": "2",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


MEASURED: dict[str, Callable[[], None]] = {
    "core": core,
    "wire": wire,
    "memory": memory,
    "tokens": tokens,
}
CLIENTS: dict[str, Callable[[list[str]], None]] = {"movies": be_movies, "get": be_get}


def main(words: list[str]) -> None:
    """Measure what is named, or everything."""
    if words[:1] == ["--client"]:
        CLIENTS[words[1]](words[2:])
        return
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.promises", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("names", nargs="*", choices=[*MEASURED, []], metavar="NAME", help=", ".join(MEASURED))
    for name in parser.parse_args(words).names or MEASURED:
        MEASURED[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
