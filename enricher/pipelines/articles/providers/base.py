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
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeVar

from ....errors import Undecided
from ....http import asked_wait_s
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
    Usage,
    Verdict,
    Window,
)
from ..analysis import Prompt
from .events import payloads

Stop = Literal["end", "length", "refusal", "failed", "unended", "other"]
"""Why a reply ends. "failed": the service says that it failed; "unended": the reply broke off or holds nothing."""

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json"}

BAD_REQUEST = "the API does not accept the request"
"""How the reason begins if a server may take the same request with other parameters."""

NO_SUCH_ADDRESS = "the API has no such address"
"""How the reason begins if the address may be another one: nothing speaks of a model."""

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
    """What a model replied. `usage` None: the API does not tell, so nobody knows what it took.

    `thought`: it reasoned apart from its text, and that may have used up what it was allowed to write.
    """

    text: str
    usage: Usage | None
    stop: Stop
    thought: bool = False


Ask = Callable[..., Request]
"""Makes a request about a batch: `ask(path, **more)`. The service that it asks holds the batch's API."""

T = TypeVar("T")
Flow = Generator[Request, Answer, T]


@dataclass(frozen=True, slots=True)
class Provider:
    """One API: where it is, how it is asked, what its answers mean.

    `build(model, prompt, stream)` makes a request, `read(body, stream)` reads a reply, and raises ValueError where
    it is none. A stream is whole once it has told why the model stopped. `judge(response, data)` knows its refusals and
    faults; None leaves an answer to the reader and the general rules. `hints(response, minute_s)` reads the quota headers,
    which count by the minute. `count_deltas(piece)` counts the pieces of text in a piece of a stream. `batch_path` is where
    a batch is handed in, `batch(ask)` its API. `always_versioned`: its clients add a version to every address. `bound` is the
    usual name of the bound on the answer, if servers that speak like it know another.
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
    always_versioned: bool = False
    bound: str | None = None
    batch: Callable[[Ask], BatchApi] | None = None

    def judge(self, response: Response, data: Any) -> Verdict | None:
        """What a refusal or a fault means; `data` is the parsed body, or None where it was not parsed."""
        return judge_fault(response, data)


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def parsed(text: bytes | str) -> Any:
    """The parsed JSON; None where it is none."""
    try:
        return json.loads(text.removeprefix(b"\xef\xbb\xbf") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError):
        return None


def packed(data: Any) -> bytes:
    """Data as compact JSON."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def is_stream(body: bytes) -> bool:
    """Whether a body is a stream of events and not one JSON object (from a batch, from a server that streams nothing)."""
    return not body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


def mapping(data: Any, *path: str) -> Mapping[str, Any]:
    """A mapping inside a mapping, both as JSON gives them (dict); an empty one where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def mappings(data: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list; none where it is no list."""
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else []


LONGEST_COUNT = 15
"""Digits: no reply has more tokens."""


def count(value: Any) -> int | None:
    """A number of things as an API tells it: some servers write it as a fraction or as text. None where it is none."""
    if type(value) is float and value.is_integer():
        return count(int(value))
    if type(value) is str and value.isdecimal() and len(value) <= LONGEST_COUNT:
        return int(value)
    return value if type(value) is int and value >= 0 else None


# ── refusals and faults ─────────────────────────────────────────────────────────────────────────────────────────────

_KEY = {"authentication_error", "permission_error", "invalid_api_key", "unauthenticated", "permission_denied"}
_SPENT = {"billing_error", "insufficient_quota", "insufficient_balance", "1113"}  # the number is Z.ai's
_TOO_MUCH = {"rate_limit_error", "rate_limit_exceeded"}
_OVERLOADED = {"overloaded_error"}
_UNKNOWN = {"model_not_found", "not_found_error"}
_TOO_LONG = {"context_length_exceeded", "request_too_large", "exceed_context_size_error"}
_BAD = {"invalid_request_error", "invalid_argument"}
_PASSING = {
    "api_error",
    "server_error",
    "internal_error",
    "internal_server_error",
    "internal",
    "unavailable",
    "timeout",
}

# Some are told in words only: an empty account by Anthropic (400) and Z.ai (429), a bad key by Gemini (400), a long
# article by vLLM and llama-server (400).
_SAYS_SPENT = re.compile(r"credit balance is too low|insufficient (?:balance|credit|fund)", re.IGNORECASE)
_SAYS_KEY = re.compile(
    r"api[ _-]?key (?:is )?(?:not valid|invalid|expired)|(?:invalid|incorrect) api[ _-]?key", re.IGNORECASE
)
_SAYS_TOO_LONG = re.compile(r"context (?:length|size|window)|(?:prompt|input) is too long", re.IGNORECASE)

_PARAMETERS = {
    "max_completion_tokens": r"max_completion_tokens",
    "max_tokens": r"max_tokens",
    "reasoning_effort": r"reasoning|effort",
    "response_format": r"response[_ ]format|output_config|schema|grammar|structured output|json mode",
    "stream_options": r"stream_options|include_usage",
}
_PARAMETER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PARAMETERS.items()), re.IGNORECASE)


class _Fault(NamedTuple):
    words: frozenset[str]  # the type, the code and the status, in lower case
    message: str
    status: int | None = None  # an HTTP status within the body
    parameter: str | None = None  # the parameter of ours that it speaks of first, by our name

    def says(self, words: set[str], message: re.Pattern[str] | None = None) -> bool:
        return bool(self.words & words) or (message is not None and bool(message.search(self.message)))


_NO_FAULT = _Fault(frozenset(), "")


def _fault(data: Any) -> _Fault | None:
    if isinstance(data, list) and len(data) == 1:  # Gemini's
        data = data[0]
    if not isinstance(data, Mapping):
        return None
    error = data if data.get("object") == "error" else data.get("error")  # Mistral's, others'
    if isinstance(error, str):  # Ollama's
        error = {"message": error, "type": data.get("error_type")}
    if not isinstance(error, Mapping):
        return None
    told = [error.get(name) for name in ("type", "code", "status")]
    words = frozenset(word.lower() for word in told if isinstance(word, str))
    numbers = [int(one) for one in told if type(one) is int or (isinstance(one, str) and _STATUS.fullmatch(one))]
    text = error.get("message")
    message = text if isinstance(text, str) else json.dumps(text or "")  # Mistral tells what was wrong where
    status = next((number for number in numbers if 400 <= number <= 599), None)
    return _Fault(words, message, status, _parameter_in(error.get("param")) or _parameter_in(message))


_DETAILED = frozenset({400, 404, 422, 500})


def _detail(data: Any) -> _Fault | None:
    """A fault as FastAPI tells it, and servers built on it: {"detail": a text, or a list of what was wrong where}."""
    detail = data.get("detail") if isinstance(data, Mapping) else None
    text = json.dumps(detail)
    return None if detail is None else _Fault(frozenset(), text, parameter=_parameter_in(text))


_STATUS = re.compile(r"[45]\d\d", re.ASCII)


def _parameter_in(text: Any) -> str | None:
    found = _PARAMETER.search(text) if isinstance(text, str) else None
    return None if found is None else found.lastgroup


def _fault_in_stream(body: bytes) -> _Fault | None:
    if b'"error"' not in body:  # which no event of a fault can do without
        return None
    return next(filter(None, map(_fault, payloads(body))), None)


def judge_fault(response: Response, data: Any) -> Verdict | None:
    """What a refusal or a fault means, of any of the APIs; None where the answer is neither, or the general rules will do.

    Retry 408, 409, 429 and 5xx; `x-should-retry` knows better; `retry-after-ms` makes `retry-after` exact. 529 is
    Anthropic's "overloaded".
    """
    accepted = 200 <= response.status < 300
    if accepted and is_stream(response.body):
        fault = _fault_in_stream(response.body)
    else:
        read = parsed(response.body) if data is None else data
        fault = _fault(read) or (_detail(read) if response.status in _DETAILED else None)
    if accepted:
        return None if fault is None else _judge_inside(fault, asked_wait_s(response))
    return _final(response.status, fault) or _passing(response, fault)


def _judge_inside(fault: _Fault, after_s: float | None) -> Verdict:
    """A fault that came after the status said that all is well. What nobody knows is asked for once more only."""
    final = _final(fault.status or 200, fault)
    if final is not None and (fault.says(_SPENT, _SAYS_SPENT) or fault.status not in (None, 429)):
        return final
    if fault.says(_TOO_MUCH) or fault.status == 429:
        return Retry("too many requests, said within the answer", after_s, pause=True)
    if fault.says(_OVERLOADED):
        return Retry("the API is overloaded, said within the answer", after_s)
    passing = fault.says(_PASSING) or (fault.status or 0) >= 500
    return final or Retry("the API failed within its answer", after_s, attempts=None if passing else 2)


def _final(status: int, fault: _Fault | None) -> Verdict | None:
    """Refusals that no second attempt changes, whatever the headers say."""
    said = "" if status == 200 else f" (HTTP {status})"
    told = fault or _NO_FAULT
    if status == 402 or told.says(_SPENT, _SAYS_SPENT):
        return Refuse(f"the account is exhausted{said}")
    if told.says(_UNKNOWN):
        return Refuse(f"the API knows no such model or address{said}")
    # A 403 without the API's own words comes from something in between, and says nothing of the key.
    if status == 401 or told.says(_KEY, _SAYS_KEY) or (status == 403 and fault is not None):
        return RefuseKey("not permitted" + said if status == 403 else "not accepted" + said)
    if status == 413 or told.says(_TOO_LONG) or (status in (200, 400, 422) and told.says(set(), _SAYS_TOO_LONG)):
        return Refuse(f"the article is too long for the model{said}")
    if status == 404:
        of_model = "model" in told.message.lower()
        return Refuse(f"the API knows no such model or address{said}" if of_model else NO_SUCH_ADDRESS + said)
    if status in (400, 422) or (status == 200 and told.says(_BAD)) or (status == 500 and told.parameter):
        return Refuse(BAD_REQUEST + said + (f": {told.parameter}" if told.parameter else ""))
    return None


def _passing(response: Response, fault: _Fault | None) -> Verdict | None:
    """Faults that may pass, and what else the headers say of another attempt."""
    status, after_s = response.status, asked_wait_s(response)
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
