"""The nouns that travel from the source to the export. Frozen values, no behaviour.

A value here holds no secret: a `Service` says where a key goes (`place_key`), the transport alone holds the key itself
and adds it last. Times are in seconds, sizes in bytes; a name says so wherever it is not plain.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Status = Literal["enriched", "not_found", "unsure", "failed", "deferred"]
"""What became of an item. A row whose item has no outcome yet is `pending` in reports."""


class _Nothing(Mapping[str, Any]):
    """The mapping with nothing in it: immutable and hashable, so that it can be a default."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


NOTHING: Mapping[str, Any] = _Nothing()


# ── what goes in ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to enrich. Items with the same `key` are enriched once; `fields` is what the recipe asks with."""

    key: str
    fields: Mapping[str, Any] = NOTHING


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a list, its cells untouched and in the file's order.

    `item` is None when the record can't be enriched; `error` then says why in our own words.
    """

    source: str
    line: int
    cells: Mapping[str, str]
    item: Item | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a list begins: its name and columns. The rows of this name that follow are its own, until the next begins."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Text in a list that is no record (a merge marker, a preamble): named to the person, never exported."""

    source: str
    line: int
    reason: str


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` requests arrive in any `period_s` seconds."""

    limit: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an answer is worth remembering, in seconds; `missing_s` for one that says "no such thing"."""

    found_s: float
    missing_s: float


@dataclass(frozen=True, slots=True, repr=False)
class KeyPlace:
    """Where a key goes in a request: query parameters and headers, added by the transport as the last step.

    It holds the key, so it has no repr.
    """

    params: Mapping[str, str] = NOTHING
    headers: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True)
class Service:
    """What we know of one API.

    `place_key(key)` says where a key goes; None: the service takes none.
    `classify(request, response, data)` judges an answer by what this API means by it; None leaves it to the general
    rules (2xx is accepted; 408, 425, 429, 500, 502, 503, 504 are asked again; 401 refuses the key where one is sent;
    the rest is refused). `data` is the parsed JSON body, or None where the body is no JSON.
    `lifetimes` is by kind of answer (`Request.kind`); a kind that is not listed is not remembered.
    """

    name: str
    base_url: str
    windows: tuple[Window, ...] = ()
    burst: int | None = None
    limiter: Literal["sliding", "fixed"] = "sliding"
    place_key: Callable[[str], KeyPlace] | None = None
    headers: Mapping[str, str] = NOTHING
    classify: Callable[[Request, Response, Any], Verdict | None] | None = None
    lifetimes: Mapping[str, Lifetime] = NOTHING
    timeout_s: float = 10.0
    max_bytes: int = 8 * 1024 * 1024
    max_connections: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a recipe asks of a service: `path` is joined to the service's address, `params` follow in their order.

    `expects` "json" has the body parsed (a body that does not parse is asked for again), "bytes" leaves it alone.
    """

    service: Service
    path: str
    params: Mapping[str, str] = NOTHING
    kind: str = "answer"
    method: str = "GET"
    body: bytes = b""
    expects: Literal["json", "bytes"] = "json"


@dataclass(frozen=True, slots=True)
class Compute:
    """CPU-bound, pure work that a recipe hands out: `function(*args)` in another process, killed at `timeout_s`."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    timeout_s: float = 30.0


# ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Response:
    """One attempt's answer as the wire brought it: header names in lower case, `body` decoded.

    `sent_at` and `done_at` are seconds on the performer's monotonic clock, `wall_at` is Unix time at `done_at`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: float = 0.0
    done_at: float = 0.0
    wall_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipe receives for a `Request`: `data` is the parsed JSON where JSON was expected.

    `missing` is true where the service says "no such thing": an answer too, only a shorter-lived one.
    """

    status: int
    data: Any
    body: bytes
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """Good enough. `missing`: the service says that there is no such thing."""

    missing: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Worth another attempt. `pause`: the service asks everyone to hold back, for `after_s` seconds at least."""

    reason: str
    after_s: float | None = None
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Final for this request."""

    reason: str


@dataclass(frozen=True, slots=True)
class RefuseKey:
    """The key is not accepted: final for the job."""

    reason: str


Verdict = Accept | Retry | Refuse | RefuseKey


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer as the memory keeps it."""

    status: int
    body: bytes
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Learnt:
    """A new memory on its way to the store, inside the outcome of the item that led the asking."""

    key: str
    kind: str
    remembered: Remembered


# ── what a recipe concludes, and what becomes of an item ───────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible answer of an unsure item, for the person who decides: `score` is 0 to 100."""

    id: str
    title: str
    year: str
    score: float
    reason: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The recipe found the record (column → value; None where the service knows nothing)."""

    record: Mapping[str, Any]
    score: float | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The service knows no such thing; `candidates` were looked at and turned down."""

    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsure:
    """Several things answer to it, or none well enough: never guessed."""

    candidates: tuple[Candidate, ...] = ()
    score: float | None = None


Conclusion = Found | NotFound | Unsure | Mapping[str, Any] | None
"""What a recipe returns. A plain mapping means `Found(mapping)`, None means `NotFound()`."""

Recipe = Callable[[Item], Generator[Request | Compute, Any, Conclusion]]
"""A generator function: yields `Request` (is sent an `Answer`) and `Compute` (is sent its result)."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What an item cost. `wait_s` is time spent waiting for permits and back-off, `service_s` on the wire."""

    requests: int = 0
    hits: int = 0
    retries: int = 0
    wait_s: float = 0.0
    service_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item, with everything it learnt on the way."""

    item: Item
    status: Status
    record: Mapping[str, Any] | None = None
    score: float | None = None
    error: str | None = None
    attempts: int = 0
    tries: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    learnt: tuple[Learnt, ...] = ()
    effort: Effort = field(default=Effort(), compare=False)


# ── a pipeline ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a pipeline wants in the database, beside jobs, items and answers.

    `columns` maps a name to its SQL type and constraints ("INTEGER PRIMARY KEY", "TEXT NOT NULL", …).
    `owner` is the column by which a record's old rows are removed before its new ones are written; None: rows are
    inserted or replaced by their primary key.
    """

    name: str
    columns: Mapping[str, str]
    owner: str | None = None
    indexes: tuple[tuple[str, ...], ...] = ()
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A source reader, a recipe, columns and tables: all that the engine needs to run one kind of job.

    `read(paths)` yields the rows of all lists, lazily, in order; raises `InputError` where a list can't be read at all.
    `tables_of(record)` gives the rows of one record: table name → rows, each in the order of the table's columns.
    `options` are what changes the answers (language, address): the same input with other options is another job.
    `typical(request)` makes up a body such as the service would send: what a forecast is rehearsed with.
    """

    name: str
    recipe: Recipe
    columns: tuple[str, ...]
    services: tuple[Service, ...] = ()
    read: Callable[[Sequence[Path]], Iterator[Source | Row | Skipped]] | None = None
    tables: tuple[Table, ...] = ()
    tables_of: Callable[[Mapping[str, Any]], Mapping[str, Sequence[tuple[Any, ...]]]] | None = None
    options: Mapping[str, str] = NOTHING
    typical: Callable[[Request], bytes] | None = None


# ── what the store tells ────────────────────────────────────────────────────────────────────────────────────────────

JobState = Literal["open", "done", "stopped"]
"""`open`: loaded, perhaps under way; `done`: every item was asked; `stopped`: ended early, by a person or a fault."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run over a list, as the store keeps it. Times are ISO 8601 in UTC; the totals are sums over all its runs.

    `resumed` is true where `open_job` found the job already there.
    """

    id: int
    pipeline: str
    fingerprint: str
    name: str
    options: Mapping[str, str]
    state: JobState
    created_at: str
    updated_at: str
    requests: int = 0
    hits: int = 0
    retries: int = 0
    wait_s: float = 0.0
    service_s: float = 0.0
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a job is. The mappings are by `Status` or "pending"; a status nobody has is not listed.

    A row without an item (it could not be read) counts as `failed` in `rows_by_status`, and in `rows_without_item`.
    """

    rows: int
    items: int
    items_by_status: Mapping[str, int]
    rows_by_status: Mapping[str, int]
    rows_without_item: int
    skipped: int


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One input row with what became of its item: `status` is a `Status` or "pending"."""

    source: str
    line: int
    cells: Mapping[str, str]
    status: str
    score: float | None = None
    error: str | None = None
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An item that a person may decide, with the first row that asked for it and how many rows wait for it."""

    item: Item
    status: Status
    score: float | None
    error: str | None
    candidates: tuple[Candidate, ...]
    source: str
    line: int
    cells: Mapping[str, str]
    rows: int
