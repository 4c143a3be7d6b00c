"""The nouns that travel from the source to the export. Frozen values; no behaviour, but that a service is checked when made.

A value here holds no secret: a `Service` says where a key goes (`place_key`), the transport alone holds the key itself
and adds it last. Times are in seconds, sizes in bytes; a name says so wherever it is not plain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .checking import check_service

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
    """At most `limit` requests, or tokens, arrive in any `period_s` seconds.

    `part`: a window of tokens may count those that go in, or those of the answers, alone.
    """

    limit: int
    period_s: float
    part: Literal["both", "in", "out"] = "both"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an answer is worth remembering, in seconds; `missing_s` for one that says "no such thing".

    `obliging`: where the server says that the answer is good for longer (Cache-Control or Expires), it is, up to a day.
    An answer that is older is asked for again; with its ETag or date, where those were kept (`Service.keep_headers`), and
    an answer of 304 makes it young again. `moved_s` is for an answer that says "moved for good" (301, 308).
    """

    found_s: float
    missing_s: float
    obliging: bool = False
    moved_s: float | None = None


@dataclass(frozen=True, slots=True)
class PerHost:
    """A service that is many hosts: what each of them may be asked. Trouble with one host is that host's alone.

    `group` names what counts as one host (its registrable domain); it is given the host with its port.
    """

    concurrency: int
    group: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a service's addresses may lead: only to public hosts, and to what is `allowed` beside them.

    `allowed` holds "host" (any port) or "host:port", in lower case: private hosts that a person names. It is judged by the
    address that is connected to, so no name and no redirect leads elsewhere.
    """

    allowed: frozenset[str] = frozenset()
    ports: tuple[int, ...] = (80, 443)


@dataclass(frozen=True, slots=True)
class Hints:
    """What an answer's headers say of the quota; None says nothing.

    `requests`, `tokens`, `tokens_in` and `tokens_out` are the windows that hold from now on; where one of tokens is told,
    those that are not told are lifted. `pause_s`: nobody is to ask for so long.
    """

    requests: Window | None = None
    tokens: Window | None = None
    pause_s: float | None = None
    tokens_in: Window | None = None
    tokens_out: Window | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, in tokens. `tokens_in` are all that went in, `cached` of them at the lower price."""

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost, in billionths of a currency's unit for each token (nano-dollars)."""

    tokens_in: float
    tokens_out: float
    cached: float
    currency: str = "USD"

    def of(self, usage: Usage) -> int:
        """What a usage costs, nano-units, rounded up."""
        fresh = usage.tokens_in - usage.cached
        return math.ceil(fresh * self.tokens_in + usage.cached * self.cached + usage.tokens_out * self.tokens_out)


@dataclass(frozen=True, slots=True)
class Charge:
    """That a request costs money: who is paid for which model, the price, and the most that one attempt can take.

    An attempt is booked before it leaves (`started`, at its worst price), and settled by what it really took.
    """

    provider: str
    model: str
    price: Price
    most: Usage

    @property
    def worst(self) -> int:
        """The most that an attempt can cost, nano-units."""
        return self.price.of(self.most)


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
    the rest is refused). `data` is the parsed JSON body, None for `null`, an empty 204 and an error that is no JSON; a
    success that is no JSON does not reach it.
    `lifetimes` is by kind of answer (`Request.kind`); a kind that is not listed is not remembered.
    `keep_headers` are the headers (in lower case) that travel with an answer and are remembered with it.
    With `per_host` the service is the open web: `base_url` is "" and a request's path its whole address.
    `reach` guards where its requests may lead; None: the address is its operator's own word.
    `token_windows` bound the tokens that requests reserve (`Request.tokens`); `hints(response)` reads both kinds of windows
    from an answer's headers, `usage(response)` what it really took, None where it does not tell.
    `pages_pass`: an HTML page in the place of JSON is a proxy's, so it is asked for again. Without it a page is refused at
    once, because the address may be none of an API's.
    `attempts` is how many a request has, where it is not as many as everywhere. `batch` hands work in by the hundred.
    A POST (any method that is not idempotent, RFC 9110, 9.2.2) that may have been carried out is not sent again, unless the
    service says that it may be: by `idempotent`, or by `idempotency_header`, the header in which it takes a key of ours.
    A slash at the end of `base_url` is left out.

    :raises SettingError: if a field holds what can't be used, when the service is made.
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
    keep_headers: tuple[str, ...] = ()
    per_host: PerHost | None = None
    reach: Reach | None = None
    token_windows: tuple[Window, ...] = ()
    hints: Callable[[Response], Hints | None] | None = None
    usage: Callable[[Response], Usage | None] | None = None
    attempts: int | None = None
    batch: BatchApi | None = None
    pages_pass: bool = False
    idempotent: bool = False
    idempotency_header: str | None = None

    def __post_init__(self) -> None:
        for name in ("windows", "token_windows", "keep_headers"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if isinstance(self.base_url, str):
            object.__setattr__(self, "base_url", self.base_url.rstrip("/") or self.base_url)  # a path has one
        check_service(self, _KINDS)


@dataclass(frozen=True, slots=True)
class Request:
    """What a recipe asks of a service: `path` is joined to the service's address, `params` follow in their order.

    `path` begins with "/". Values of `params` are text, numbers or dates; a list repeats its parameter, and None leaves it
    out. Anything else fails the request before it leaves, with the name of what can't be sent (sendable.py).
    `expects` "json" has the body parsed, in the charset that it is declared in: one that is cut or garbled is asked for
    again, an empty one and a page are refused (a page not where `Service.pages_pass`). "bytes" leaves it alone.
    `max_bytes` bounds the decoded body, where it is not as much as the service allows.
    `known_as` is what the answer is remembered by, where it is not by what was sent.
    `tokens` are reserved of the service's token windows, `spacing_s` lies between two requests to one host at least.
    `stream`: the body comes in pieces, which are shown to who watches; the answer is the whole of it all the same.
    `charge`: it costs money. `later`: it may be handed to the service's `batch`; an item that needs it is then `deferred`.
    `attempts` is how many it has, where it is not as many as others of its service.
    `replaceable`: the recipe knows whom to ask instead, so that a silent service fails this request and not the job.
    `idempotent`: whether it may be sent again though it may have been carried out; None: as its service says. A header
    whose name ends in "Idempotency-Key" says so, too.
    """

    service: Service
    path: str
    params: Mapping[str, Any] = NOTHING
    kind: str = "answer"
    method: str = "GET"
    body: bytes = b""
    expects: Literal["json", "bytes"] = "json"
    headers: Mapping[str, str] = NOTHING
    max_bytes: int | None = None
    known_as: str | None = None
    tokens: int = 0
    spacing_s: float = 0.0
    stream: bool = False
    charge: Charge | None = None
    later: bool = False
    replaceable: bool = False
    attempts: int | None = None
    idempotent: bool | None = None


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

    `sent_at`, `first_byte_at` (of the body) and `done_at` are seconds on the performer's monotonic clock, `wall_at` is Unix
    time at `done_at`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: float = 0.0
    done_at: float = 0.0
    wall_at: float = 0.0
    first_byte_at: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipe receives for a `Request`: `data` is the parsed JSON where JSON was expected.

    `missing` is true where the service says "no such thing": an answer too, only a shorter-lived one.
    `headers` are those that the service keeps.
    """

    status: int
    data: Any
    body: bytes
    missing: bool = False
    headers: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True)
class Accept:
    """Good enough. `missing`: the service says that there is no such thing."""

    missing: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Worth another attempt. `pause`: the service asks everyone to hold back, for `after_s` seconds at least.

    `attempts`: so many attempts of this request that end so are enough, where it is not as many as for any other reason.
    """

    reason: str
    after_s: float | None = None
    pause: bool = False
    attempts: int | None = None


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
class BatchState:
    """How a batch stands at its provider. `ended`: its results can be fetched; `reason` says why there will be none."""

    ended: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one request of a batch: the `body` of a usual answer, or the `reason` why there is none."""

    custom_id: str
    body: bytes | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchApi:
    """How work is handed to a service by the hundred. Each is a flow that asks its requests one after the other.

    `submit(requests)` hands in (custom_id, request) pairs and returns the provider's id of the batch; `state(id)` returns a
    `BatchState`, `results(id)` a list of `BatchResult` in any order. `find(custom_ids, since, known)` looks for a batch that
    may or may not have been taken since a Unix time, and is none of `known`: its id, None where it surely was not taken; it
    raises `Undecided` where that can't be told.
    `discount` is what the price is multiplied by. At most `most` requests go into one.
    """

    submit: Callable[[Sequence[tuple[str, Request]]], Generator[Request, Answer, str]]
    state: Callable[[str], Generator[Request, Answer, BatchState]]
    results: Callable[[str], Generator[Request, Answer, list[BatchResult]]]
    find: Callable[[Sequence[str], float, frozenset[str]], Generator[Request, Answer, str | None]]
    discount: float = 0.5
    most: int = 1000


_KINDS: Mapping[str, type] = {
    "windows": Window,
    "token_windows": Window,
    "per_host": PerHost,
    "reach": Reach,
    "batch": BatchApi,
}
"""Of the fields of a `Service` that hold values of our own, their classes."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer as the memory keeps it, with the headers that its service keeps."""

    status: int
    body: bytes
    missing: bool = False
    headers: Mapping[str, str] = NOTHING


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
    """The service knows no such thing; `candidates` were looked at and turned down. `reason` says why, in one line."""

    candidates: tuple[Candidate, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unsure:
    """Several things answer to it, or none well enough: never guessed. `reason` says why, in one line."""

    candidates: tuple[Candidate, ...] = ()
    score: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The recipe can't do it, for this reason, in our own words. The next run tries again."""

    reason: str


Conclusion = Found | NotFound | Unsure | Failed | Mapping[str, Any] | None
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
    """What became of an item, with everything it learnt on the way. `handed` is what a deferred one waits for.

    `error` says why it is not enriched; None where the recipe gave no reason. `refused_by` names the service that said "not
    now" until the item's attempts were used up: whether that was the item's own trouble, only answers to others can tell.
    """

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
    handed: Request | None = field(default=None, compare=False)
    refused_by: str = field(default="", compare=False)


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
    `merged`: the columns of a list are among those of the record; a row is told as its record, and as its cells where it has
    none.
    `lane_of(item)` names what an item mainly waits for (its host): items are taken so that no lane holds all workers.
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
    lane_of: Callable[[Item], str] | None = None
    merged: bool = False


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
    """One input row with what became of its item: `status` is a `Status` or "pending". `key` is the item's, if it has one."""

    source: str
    line: int
    cells: Mapping[str, str]
    status: str
    score: float | None = None
    error: str | None = None
    record: Mapping[str, Any] | None = None
    key: str | None = field(default=None, compare=False)


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
