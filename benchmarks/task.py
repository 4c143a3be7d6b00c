"""What a client is asked to do, the same for every subject: read a list, ask the API about each row, keep the answers.

    films     for each title and year a search, for the film that it finds the details; 2 requests a row
    things    for each row one answer of some 2 KB, or as long as an article; 1 request a row
    articles  for each address its page, the text out of it, and an analysis; 2 requests a row, and 1 a site

A subject works in the task's folder, beside `list.csv`: a `Client` does the work, which is timed, and afterwards a
`Reader` reads from what it stored the `Facts` of each row, in any order. Lost is what is not there.
"""

from __future__ import annotations

import csv
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from enricher.simulator.behaviour import identity
from enricher.simulator.catalogue import Catalogue
from enricher.simulator.generated import FIRST_ID, Titles

from .runs import Kind

KEY = "any"
"""The simulated API takes any key; it is sent as `api_key`."""

APPENDED = "credits,external_ids,keywords,alternative_titles"
LANGUAGE = "en-US"
TIMEOUT_S = 60.0
"""For one attempt, in every subject: no scenario has an answer that takes so long, and none is measured by giving up."""

LIST = "list.csv"


@dataclass(frozen=True, slots=True)
class Task:
    """One client's work. `base_url` ends in /3, or is that of the analyses; `quota` is what it may send: `none` or `40/10s`
    (`behaviour.Quota`).
    """

    kind: Kind
    base_url: str
    folder: str
    items: int
    slots: int
    quota: str = "none"
    item_bytes: int = 2048

    @property
    def list_path(self) -> Path:
        """The list: `Name,Year`, `id` or `url,title`, a header line first."""
        return Path(self.folder) / LIST


class Facts(NamedTuple):
    """What is kept of a row: of a film its ids, title and running time; of a thing its id; of an article address and title,
    where it has a text and a summary.
    """

    key: str
    title: str = ""
    imdb_id: str = ""
    runtime_min: str = ""


# ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_list(kind: str, path: Path, items: int, *, note: str = "") -> None:
    """The list of so many films or things. A `note` makes it another file with the same content."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if kind == "films":
            titles = Titles()
            writer.writerow(["Name", "Year", *([note] if note else [])])
            writer.writerows([titles.title(n), titles.year(n), *([note] if note else [])] for n in range(items))
        else:
            writer.writerow(["id", *([note] if note else [])])
            writer.writerows([thing(number), *([note] if note else [])] for number in range(items))


def write_articles(path: Path, articles: Sequence[tuple[str, str]], *, note: str = "") -> None:
    """The list of these articles, each an address and a title."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["url", "title", *([note] if note else [])])
        writer.writerows([*article, *([note] if note else [])] for article in articles)


def thing(number: int) -> str:
    """The id of a thing."""
    return f"thing-{number:06}"


def read_list(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a list."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


# ── the requests ────────────────────────────────────────────────────────────────────────────────────────────────────


def search_params(title: str, year: str) -> dict[str, str]:
    """Of `/search/movie`, the key apart."""
    return {"query": title, "include_adult": "false", "language": LANGUAGE, "year": year}


def details_params() -> dict[str, str]:
    """Of `/movie/{id}`, the key apart."""
    return {"append_to_response": APPENDED, "language": LANGUAGE}


def thing_params(key: str, item_bytes: int) -> dict[str, str]:
    """Of `/echo`, the key apart."""
    return {"id": key, "bytes": str(item_bytes)}


def film_facts(details: dict[str, Any]) -> Facts:
    """What is kept of a details answer."""
    return Facts(str(details["id"]), details["title"], details["imdb_id"], str(details["runtime"] or ""))


# ── what is true ────────────────────────────────────────────────────────────────────────────────────────────────────


def truth_of(task: Task) -> Iterator[Facts]:
    """What the API knows of each row of a task's list. That of articles says it itself: no subject is told the titles."""
    if task.kind != "articles":
        yield from truth(task.kind, task.items)
        return
    for row in read_list(task.list_path):
        yield Facts(row["url"], row["title"])


def truth(kind: str, items: int) -> Iterator[Facts]:
    """What the API knows of each row of the list."""
    if kind == "things":
        yield from (Facts(thing(number)) for number in range(items))
        return
    catalogue = Catalogue(items)
    for number in range(items):
        film = catalogue.get(FIRST_ID + number)
        assert film is not None
        yield Facts(str(film.id), film.title, film.imdb_id, str(film.runtime or ""))


def requests_of(kind: str, items: int, item_bytes: int) -> Iterator[tuple[str, ...]]:
    """The requests of each row in their order, as the API names them (`behaviour.identity`): what latencies go by."""
    if kind == "things":
        for number in range(items):
            yield (identity("GET", "/3/echo", thing_params(thing(number), item_bytes).items()),)
        return
    titles = Titles()
    for number in range(items):
        yield (
            identity("GET", "/3/search/movie", search_params(titles.title(number), str(titles.year(number))).items()),
            identity("GET", f"/3/movie/{FIRST_ID + number}", details_params().items()),
        )


# ── stamps ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Clock:
    """Collects the four stamps of each attempt, seconds on the monotonic clock. Any thread may add.

    They lie in one array, 32 bytes an attempt: as objects they would be six times as much, and be taken for the subject's.
    """

    def __init__(self) -> None:
        self._ticks = array("d")

    def add(self, ready_at: float, granted_at: float, sent_at: float, done_at: float) -> None:
        """One attempt. To extend an array by a tuple of floats is one step of the interpreter: no lock."""
        self._ticks.extend((ready_at, granted_at, sent_at, done_at))

    @property
    def stamps(self) -> list[tuple[float, float, float, float]]:
        """Those of all attempts: ready, granted, sent, done."""
        ticks = iter(self._ticks)
        return list(zip(ticks, ticks, ticks, ticks, strict=True))

    now = staticmethod(time.monotonic)


Client = Callable[[Task, Clock], None]
"""Does the work. What it stored is read afterwards, by the `Reader` beside it."""

Reader = Callable[[Task], Iterable[Facts]]
