"""What a provider is, and what all of them share: how they refuse, how they count, how they batch.

A provider is pure functions over bodies and headers; asking, waiting and paying are the engine's. Its errors are alike
enough to be judged in one place: `{"error": {"type", "code", "message"}}`, with or without a fitting status, and inside a
stream that began with 200 as well. A message is a stranger's text: it is looked at, never repeated.

Batches: `submit` leaves a mark with the provider (a hash of the ids handed in) where it takes one, so that a batch whose
taking was not confirmed, because the line or the program died, is found again and not paid for twice (`find` may be told
which batches are `known` already, and are not it). Ids that come from a provider go into our paths only if they look like
ids; an address that it names is never followed, since our key goes along with each request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeVar

from ....errors import Undecided
from ....model import (
    Answer,
    BatchApi,
    BatchResult,
    Hints,
    KeyPlace,
    Refuse,
    RefuseKey,
    Request,
    Response,
    Retry,
    Service,
    Usage,
    Verdict,
    Window,
)
from ..analysis import Prompt
from .events import events

Stop = Literal["end", "length", "refusal", "other"]

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json"}

BAD_REQUEST = "the API does not accept the request"
"""How the reason begins where a server may take the same request without a JSON schema (`Prompt.schema` None)."""

MARK = "enricher"
"""The name under which a batch's mark is kept in its metadata."""

CLOCK_SLACK_S = 60.0
"""A provider's clock may be behind ours: batches that are so much older than asked for are looked at, too."""


class Built(NamedTuple):
    """A request's path below the provider's address, its headers and its body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model replied. `usage` None: the API does not tell, so nobody knows what it took."""

    text: str
    usage: Usage | None
    stop: Stop


Here = Callable[[], Service]
"""The service that a batch belongs to; a function, since the service holds its batch API."""

T = TypeVar("T")
Flow = Generator[Request, Answer, T]


@dataclass(frozen=True, slots=True)
class Provider:
    """One API: where it is, how it is asked, what its answers mean.

    `build(model, prompt, stream)` makes a request, `read(body, stream)` reads a whole reply, and raises ValueError where
    it is none: a stream without its last event is not whole. `judge(response, data)` knows its refusals and faults; None
    leaves an answer to the reader and the general rules. `hints(response, minute_s)` reads the quota headers, which count
    by the minute. `count_deltas(piece)` counts the pieces of text in a piece of a stream. `batch_path` is where a batch
    is handed in, `batch(here)` its API.
    """

    name: str
    key_variable: str
    base_url: str
    default_model: str
    build: Callable[[str, Prompt, bool], Built]
    read: Callable[[bytes, bool], Reply]
    place_key: Callable[[str], KeyPlace]
    hints: Callable[[Response, float], Hints | None]
    count_deltas: Callable[[bytes], int]
    batch_path: str = ""
    batch: Callable[[Here], BatchApi] | None = None

    def judge(self, response: Response, data: Any) -> Verdict | None:
        """What a refusal or a fault means; `data` is the parsed body, or None where it was not parsed."""
        return judge_fault(response, data)


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def parsed(text: bytes | str) -> Any:
    """The parsed JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def packed(data: Any) -> bytes:
    """Data as compact JSON."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def is_stream(body: bytes) -> bool:
    """Whether a body is a stream of events and not one JSON object (from a batch, from a server that streams nothing)."""
    return not body.lstrip().startswith((b"{", b"["))


def mapping(data: Any, *path: str) -> Mapping[str, Any]:
    """A mapping inside a mapping, both as JSON gives them (dict); an empty one where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def mappings(data: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list; none where it is no list."""
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else []


def count(value: Any) -> int | None:
    """A number of things as an API tells it; None where it is none."""
    return value if type(value) is int and value >= 0 else None


# ── refusals and faults ─────────────────────────────────────────────────────────────────────────────────────────────

_KEY = {"authentication_error", "permission_error", "invalid_api_key"}
_SPENT = {"billing_error", "insufficient_quota"}
_TOO_MUCH = {"rate_limit_error", "rate_limit_exceeded"}
_OVERLOADED = {"overloaded_error"}
_UNKNOWN = {"model_not_found", "not_found_error"}
_TOO_LONG = {"context_length_exceeded", "request_too_large"}
_BAD = {"invalid_request_error"}


class _Fault(NamedTuple):
    words: frozenset[str]  # the type and the code
    message: str


def _fault(data: Any) -> _Fault | None:
    error = data.get("error") if isinstance(data, Mapping) else None
    if isinstance(data, Mapping) and data.get("object") == "error":  # Mistral's
        error = data
    if isinstance(error, str):  # Ollama's
        return _Fault(frozenset(), error)
    if not isinstance(error, Mapping):
        return None
    words = frozenset(word for word in (error.get("type"), error.get("code")) if isinstance(word, str))
    message = error.get("message")
    return _Fault(words, message if isinstance(message, str) else "")


def _fault_in_stream(body: bytes) -> _Fault | None:
    if b'"error"' not in body:  # which no event of a fault can do without
        return None
    return next(filter(None, (_fault(parsed(event.data)) for event in events(body))), None)


def judge_fault(response: Response, data: Any) -> Verdict | None:
    """What a refusal or a fault means, of any of the APIs; None where the answer is neither, or the general rules will do.

    Retry 408, 409, 429 and 5xx; `x-should-retry` knows better; `retry-after-ms` goes before `retry-after`. 529 is
    Anthropic's "overloaded".
    """
    accepted = 200 <= response.status < 300
    if accepted and is_stream(response.body):
        fault = _fault_in_stream(response.body)
    else:
        fault = _fault(parsed(response.body) if data is None else data)
    if accepted:
        return None if fault is None else _judge_inside(fault, retry_after_s(response))
    return _final(response.status, fault) or _passing(response, fault)


def _judge_inside(fault: _Fault, after_s: float | None) -> Verdict:
    """A fault that came after the status said that all is well."""
    if fault.words & _TOO_MUCH:
        return Retry("too many requests, said within the answer", after_s, pause=True)
    if fault.words & _OVERLOADED:
        return Retry("the API is overloaded, said within the answer", after_s)
    return _final(200, fault) or Retry("the API failed within its answer", after_s)


def _final(status: int, fault: _Fault | None) -> Verdict | None:
    """Refusals that no second attempt changes, whatever the headers say."""
    words = frozenset[str]() if fault is None else fault.words
    said = "" if status == 200 else f" (HTTP {status})"
    # Anthropic tells an empty account with 400, too, and only in words.
    if status == 402 or words & _SPENT or (fault is not None and "credit balance is too low" in fault.message):
        return Refuse(f"the account is exhausted{said}")
    if words & _UNKNOWN:
        return Refuse(f"the API knows no such model or address{said}")
    # A 403 without the API's own words comes from something in between, and says nothing of the key.
    if status == 401 or words & _KEY or (status == 403 and fault is not None):
        return RefuseKey("not permitted" + said if status == 403 else "not accepted" + said)
    if status == 413 or words & _TOO_LONG:
        return Refuse(f"the article is too long for the model{said}")
    if status == 404:
        return Refuse(f"the API knows no such model or address{said}")
    if status in (400, 422) or (status == 200 and words & _BAD):
        return Refuse(BAD_REQUEST + said)
    return None


def _passing(response: Response, fault: _Fault | None) -> Verdict | None:
    """Faults that may pass, and what else the headers say of another attempt."""
    status, after_s = response.status, retry_after_s(response)
    told = response.headers.get("x-should-retry", "").strip().lower()
    if told == "false":
        return Refuse(f"HTTP {status}, and the API wants no other attempt")
    words = frozenset[str]() if fault is None else fault.words
    if status == 429 or words & _TOO_MUCH:
        return Retry(f"HTTP {status}", after_s, pause=True)
    if status == 529 or words & _OVERLOADED:
        return Retry(f"the API is overloaded (HTTP {status})", after_s, pause=after_s is not None)
    if told == "true" or status in (408, 409) or status >= 500:
        return Retry(f"HTTP {status}", after_s, pause=status == 503 and after_s is not None)
    return None


_SECONDS = re.compile(r"\d{1,9}(\.\d+)?", re.ASCII)


def retry_after_s(response: Response) -> float | None:
    """What `retry-after-ms` or `retry-after` (seconds, or an HTTP date) asks for, seconds; None where they ask nothing."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = response.headers.get(name, "").strip()
        if _SECONDS.fullmatch(text):
            return float(text) * unit_s
    until = _http_date_s(response.headers.get("retry-after", ""))
    return None if until is None else max(0.0, until - now_s(response))


def now_s(response: Response) -> float:
    """When a response was made, Unix time: by its own Date, so that a wrong clock on either side does no harm."""
    here = _http_date_s(response.headers.get("date", ""))
    return response.wall_at if here is None else here


def _http_date_s(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def rfc3339_s(text: Any) -> float | None:
    """A moment as Unix time; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


# ── quota ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_WHOLE = re.compile(r"\d{1,15}", re.ASCII)


def header_count(response: Response, name: str) -> int | None:
    """A whole number in a header; None where there is none."""
    text = response.headers.get(name, "").strip()
    return int(text) if _WHOLE.fullmatch(text) else None


def hints_from(
    requests: int | None,
    tokens: int | None,
    minute_s: float,
    *,
    left: int | None = None,
    full_in_s: float | None = None,
) -> Hints | None:
    """Windows from the limits a minute. `left` requests are left, and `full_in_s` all are back.

    These quotas flow back steadily, so where none is left, the next one is back after its share of the time until all
    are: a pause that matters only where others use the same key, since our own windows hold already.
    """
    request_window = Window(requests, minute_s) if requests else None
    token_window = Window(tokens, minute_s) if tokens else None
    pause_s = full_in_s / requests if left == 0 and requests and full_in_s else None
    if request_window is None and token_window is None:
        return None
    return Hints(request_window, token_window, pause_s)


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
MOST_PAGES = 20


def mark_of(custom_ids: Sequence[str]) -> str:
    """The mark of a batch: a hash of its ids, in any order."""
    return blake2b("\n".join(sorted(custom_ids)).encode(), digest_size=16).hexdigest()


def one_model(bodies: Sequence[Mapping[str, Any]]) -> str:
    """The model that all the requests of a batch ask. Raises ValueError if they ask several, which no batch takes."""
    models = {body["model"] for body in bodies}
    if len(models) != 1:
        raise ValueError("the requests of a batch ask one and the same model")
    return str(models.pop())


def unstreamed(request: Request) -> dict[str, Any]:
    """The body of a request as a batch takes it: it has no stream."""
    body: dict[str, Any] = json.loads(request.body)
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}


def checked_id(value: Any) -> str | None:
    """An id that may stand in a path; None where it looks like something else."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def taken_id(answer: Answer) -> str:
    """The id of a batch just handed in. (Its answer is asked for as bytes: one that is no JSON must not be asked again.)

    :raises Undecided: if the answer holds none: it may have been taken all the same.
    """
    found = checked_id(mapping(parsed(answer.body)).get("id"))
    if found is None:
        raise Undecided("the provider's answer names no batch; look into its list of batches before you hand in again")
    return found


def json_lines(body: bytes) -> Iterator[Mapping[str, Any]]:
    """The objects of a JSONL body."""
    for line in body.split(b"\n"):
        data = parsed(line)
        if isinstance(data, Mapping):
            yield data


def result_of(line: Mapping[str, Any]) -> BatchResult | None:
    """One line of OpenAI's or Mistral's results: {custom_id, response: {status_code, body}, error}."""
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str):
        return None
    response = mapping(line, "response")
    body = response.get("body")
    if response.get("status_code", 200) == 200 and isinstance(body, Mapping) and _fault(body) is None:
        return BatchResult(custom_id, packed(body))
    code = mapping(line, "error").get("code")
    expired = isinstance(code, str) and code.endswith("expired")
    return BatchResult(custom_id, None, "the batch expired before it" if expired else "the API refused it in the batch")


def undecided(found: str) -> Undecided:
    """That it can't be told whether a batch was taken; `found` says what was found instead."""
    return Undecided(f"{found}: look into the provider's list of batches, and hand in again only if ours is not there")
