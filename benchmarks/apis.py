"""The API that a scenario meets, in a process of its own: how it is told to behave, what it counted, what that takes at best.

    Films     the simulated TMDB, for films and things
    Web       a simulated web of five sites and an API of analyses, for articles

An article is a page (`PAGE_S` in life), its extraction, and an analysis, for which the point's latency stands. No site asks
for a delay between requests, and the sites are so many that two requests at a time to each hold nobody back. Nor does a
quota. How long an extraction takes is measured before the first round, by the clock of the processor, for what others do
there is not the page's: of each page the least of three warm processes, each of which sees it once, as in a run (again in
the same process it takes less, for what the parsers remember). In the bounds it is a part of its page's latency;
and two processes can't do all of it in less than half. Nobody may ask for a page before the first robots.txt is there, so
its latency comes before everything; that of the others is left out, for whose time it is depends on the order.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from enricher.model import Compute
from enricher.pipelines.articles.extraction import extract
from enricher.processes import WORKERS, Processes
from enricher.simulator.behaviour import Behaviour, Latency, Quota, identity
from enricher.simulator.process import ArticlesSimulator, Simulator, running_articles, running_simulator

from .articles import begin
from .bounds import Strict, Work, bound_s, ideal_s
from .runs import Kind, Point
from .scenarios import Scenario
from .task import requests_of, write_articles, write_list

SITES = 5
"""One for each paper of the simulated press."""

PROVIDER = "anthropic"
PAGE_S = 0.2
"""How long a page takes in life, seconds; a scenario's `time_scale` goes for it too."""

UNLIMITED = 10**9
EXTRACT_WITHIN_S = 60.0
PROCESSES = 3
"""So many measure each extraction."""


@dataclass(frozen=True, slots=True)
class Least:
    """What a point takes at best: no engine can be faster than `bound_s`; one without any cost needs `ideal_s`.

    `requests` is how many there are in all. `needless` was asked for, and nobody needs it.
    """

    bound_s: float
    ideal_s: float
    requests: int
    needless: tuple[str, ...]


class Api(Protocol):
    """What a round needs of an API."""

    @property
    def base_url(self) -> str:
        """A `Task`'s."""

    @property
    def pid(self) -> int:
        """Its process."""

    def behave(self, point: Point, seed: int) -> None:
        """From now on as this point says; counts begin anew."""

    def stats(self, *, moments: bool) -> dict[str, Any]:
        """What it counted since, as `Tally.report` tells with its detail."""

    def write(self, path: Path, items: int, note: str = "") -> None:
        """The list of so many items. A `note` makes it another file with the same content."""

    def least(self, point: Point, seed: int, slots: int, seen: set[str]) -> Least:
        """What the requests that were `seen` take at best."""


@contextmanager
def opened(scenario: Scenario, cpu: int | None) -> Iterator[Api]:
    """The API of a scenario, on this core.

    :raises RuntimeError: if it does not start, or a page of it has no text.
    """
    most = max(point.items for point in scenario.points)
    if scenario.kind == "articles":
        page = str(Latency(a=PAGE_S * scenario.time_scale))
        with running_articles(
            cpu=cpu, sites=SITES, crawl_delay=0, articles=max(4, -(-most // SITES)), latency=page,
            llm_requests=UNLIMITED, llm_tokens=UNLIMITED,
        ) as web:  # fmt: skip
            yield Web.of(web, most, PAGE_S * scenario.time_scale)
        return
    details_bytes = scenario.item_bytes if scenario.kind == "films" else None
    with running_simulator(Behaviour.of(films=most, details_bytes=details_bytes, cpu=cpu)) as films:
        yield Films(films, scenario.kind, scenario.item_bytes)


# ── films and things ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Films:
    """The simulated TMDB."""

    api: Simulator
    kind: Kind
    item_bytes: int

    @property
    def base_url(self) -> str:
        return self.api.base_url

    @property
    def pid(self) -> int:
        return self.api.pid

    def behave(self, point: Point, seed: int) -> None:
        quota = "" if point.quota == "none" else point.quota
        self.api.control(latency=point.latency, faults=point.faults, quota=quota, seed=seed)
        self.api.reset()

    def stats(self, *, moments: bool) -> dict[str, Any]:
        return self.api.stats(detail=True, moments=moments)

    def write(self, path: Path, items: int, note: str = "") -> None:
        write_list(self.kind, path, items, note=note)

    def least(self, point: Point, seed: int, slots: int, seen: set[str]) -> Least:
        """What was known before costs nobody anything. A failed attempt takes its latency, and another follows."""
        behaviour = Behaviour.of(latency=point.latency, faults=point.faults, seed=seed)
        rows = list(requests_of(self.kind, point.items, self.item_bytes))
        records = [tuple(one_s for one in row if one in seen for one_s in _attempts_s(behaviour, one)) for row in rows]
        quotas = []
        if point.quota != "none":
            parsed = Quota.parse(point.quota)
            quotas.append(Strict(parsed.limit, parsed.period_s))
        work = Work(list(filter(None, records)), slots, quotas)
        needless = tuple(sorted(seen.difference(*rows)))
        return Least(bound_s(work) if work.records else 0.0, ideal_s(work), work.requests, needless)


def _attempts_s(behaviour: Behaviour, request: str) -> Iterator[float]:
    """The latencies of a request's attempts, up to the one that is answered well."""
    latency_s = behaviour.latency_s(request)
    for attempt in itertools.count(1):
        yield latency_s
        if behaviour.fault(request, attempt) is None:
            return


# ── articles ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Web:
    """The simulated web. `articles` are (address, title), the papers in turn; `extraction_s` goes with them."""

    api: ArticlesSimulator
    articles: Sequence[tuple[str, str]]
    extraction_s: Sequence[float]
    page_s: float

    @classmethod
    def of(cls, api: ArticlesSimulator, most: int, page_s: float) -> Web:
        """Its first so many articles, the extraction of each measured."""
        papers: dict[str, list[tuple[str, str]]] = {}
        for told in api.articles():
            papers.setdefault(told["paper"], []).append((told["url"], told["title"]))
        articles = [one for ones in zip(*papers.values(), strict=True) for one in ones][:most]
        return cls(api, articles, extraction_s([url for url, _ in articles]), page_s)

    @property
    def base_url(self) -> str:
        return self.api.llm(PROVIDER)

    @property
    def pid(self) -> int:
        return self.api.pid

    def behave(self, point: Point, seed: int) -> None:
        """Constant latencies alone: an analysis goes by what was extracted, which is not known before.

        :raises ValueError: where a point asks for more.
        """
        if Latency.parse(point.latency).shape != "constant" or point.quota != "none" or point.faults:
            raise ValueError(f"{point.name}: articles meet one constant latency, no quota and no faults")
        self.api.control(llm_latency=point.latency, seed=seed)
        self.api.reset()

    def stats(self, *, moments: bool) -> dict[str, Any]:  # noqa: ARG002  # there is no quota to see them against
        """Those of all hosts together. Of connections and of what was in flight the most at any of them."""
        told = self.api.stats(detail=True)
        worlds: list[dict[str, Any]] = [*told["sites"].values(), *told["providers"].values()]
        sums = ("arrivals", "answered", "rejected", "late_sum_s", "spun_s")
        mosts = ("connections_opened", "most_in_flight", "cpu_s")  # each tells the CPU of the whole process
        return {
            **{name: sum(world[name] for world in worlds) for name in sums},
            **{name: max(world[name] for world in worlds) for name in mosts},
            "faults": _added(world["faults"] for world in worlds),
            "requests_by_identity": _added(world["requests_by_identity"] for world in worlds),
            "quotas": [],
        }

    def write(self, path: Path, items: int, note: str = "") -> None:
        write_articles(path, self.articles[:items], note=note)

    def least(self, point: Point, seed: int, slots: int, seen: set[str]) -> Least:  # noqa: ARG002  # latencies are constant
        analysis_s = Latency.parse(point.latency).a
        addresses = [urlsplit(url) for url, _ in self.articles[: point.items]]
        took_s = self.extraction_s[: point.items]
        work = Work([(self.page_s + one_s, analysis_s) for one_s in took_s], slots)
        floor_s = sum(took_s) / WORKERS
        robots = {_seen(address.hostname, "/robots.txt") for address in addresses}
        needed = robots | {_seen(address.hostname, address.path) for address in addresses}
        needless = sorted(one for one in seen - needed if not one.startswith(f"POST /{PROVIDER}/"))
        at_best_s, ideally_s = (self.page_s + max(one_s, floor_s) for one_s in (bound_s(work), ideal_s(work)))
        return Least(at_best_s, ideally_s, work.requests + len(robots), tuple(needless))


def _seen(host: str | None, path: str) -> str:
    """A request as the web names it."""
    return identity("GET", f"{host}{path}", ())


def _added(counts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    return dict(sum(map(Counter, counts), Counter[str]()))


def extraction_s(urls: Sequence[str]) -> list[float]:
    """How long the extraction of each page takes at least: the least of several warm processes, none of which has seen it.

    :raises RuntimeError: if one of them has no text.
    """
    pages = [page(url) for url in urls]
    return [min(each) for each in zip(*(_first_s(pages) for _ in range(PROCESSES)), strict=True)]


def _first_s(pages: Sequence[tuple[bytes, str, str]]) -> list[float]:
    processes = Processes(workers=1)
    try:
        processes.submit(Compute(begin, timeout_s=EXTRACT_WITHIN_S)).result()
        works = [processes.submit(Compute(once_s, one, timeout_s=EXTRACT_WITHIN_S)) for one in pages]
        return [work.result() for work in works]
    finally:
        processes.close()


def once_s(body: bytes, url: str, content_type: str) -> float:
    """How long this page's extraction takes this process, seconds of CPU.

    :raises RuntimeError: if it has no text.
    """
    began_s = time.process_time()
    extracted = extract(body, url, content_type)
    took_s = time.process_time() - began_s
    if extracted.reason is not None:
        raise RuntimeError(f"a page has no text: {extracted.reason}")
    return took_s


def page(url: str) -> tuple[bytes, str, str]:
    """A page as `extract` takes it: body, address, content type."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=EXTRACT_WITHIN_S)
    try:
        connection.request("GET", address.path)
        answer = connection.getresponse()
        return answer.read(), url, answer.headers.get("content-type", "")
    finally:
        connection.close()
