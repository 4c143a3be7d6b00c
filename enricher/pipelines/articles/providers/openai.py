"""OpenAI's Chat Completions and batches, and servers that speak the same: Ollama, llama-server, vLLM.

Sources: developers.openai.com/api/docs/api-reference/chat, /guides/structured-outputs, /guides/rate-limits,
/guides/batch (checked 2026-11).

* A stream is whole once it has told a finish reason or `data: [DONE]`: some servers send only one of them. Usage comes in
  a last chunk without choices, in every chunk, or never: then nobody knows it.
* A server of one's own is sent only what all of them know. One that refuses the JSON schema is asked without
  (`Prompt.schema` None); one that ignores it is told the fields by the prompt, and the {…} is looked for in its reply.
* A batch is a file, uploaded, and a job on it. An upload without its job costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from ....model import BatchApi, BatchResult, BatchState, Hints, KeyPlace, Request, Response, Usage
from ..analysis import Prompt
from .base import (
    CLOCK_SLACK_S,
    JSON_HEADERS,
    MARK,
    MOST_PAGES,
    Ask,
    Built,
    Flow,
    Provider,
    Reply,
    Stop,
    checked_id,
    count,
    header_count,
    hints_from,
    json_lines,
    mapping,
    mappings,
    mark_of,
    one_model,
    packed,
    parsed,
    result_of,
    taken_id,
    undecided,
    unstreamed,
)
from .events import DONE, payloads

CHAT_PATH = "/v1/chat/completions"
FILES_PATH = "/v1/files"
_BATCHES = "/v1/batches"

_STOPS: Mapping[str, Stop] = {
    "stop": "end",
    "length": "length",
    "model_length": "length",  # Mistral's
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",  # Z.ai's
    "content_filter": "refusal",
    "safety": "refusal",
    "refusal": "refusal",
    "sensitive": "refusal",  # Z.ai's
    "error": "failed",  # OpenRouter's
    "network_error": "failed",  # Z.ai's
    "insufficient_system_resource": "failed",  # DeepSeek's
    "abort": "failed",  # vLLM's
}


def chat_body(model: str, prompt: Prompt, stream: bool) -> dict[str, Any]:
    """What all that speak chat/completions understand; without the bound on the answer, which has two names (`bounded`)."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
    }
    if prompt.schema is not None:
        named = {"name": "analysis", "schema": prompt.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if prompt.effort is not None:
        body["reasoning_effort"] = prompt.effort
    if stream:
        body["stream"] = True
    return body


def bounded(prompt: Prompt, usual: str) -> dict[str, int]:
    """The bound on the answer, under its usual name, or under the other one if the server does not accept that."""
    other = "max_tokens" if usual == "max_completion_tokens" else "max_completion_tokens"
    return {other if usual in prompt.unaccepted else usual: prompt.max_tokens}


def build(model: str, prompt: Prompt, stream: bool) -> Built:
    """The request for an analysis, as OpenAI takes it."""
    body = {**chat_body(model, prompt, stream), **bounded(prompt, "max_completion_tokens")}
    if stream and "stream_options" not in prompt.unaccepted:
        body["stream_options"] = {"include_usage": True}
    return Built(CHAT_PATH, JSON_HEADERS, packed(body))


def build_compatible(model: str, prompt: Prompt, stream: bool) -> Built:
    """The request for an analysis, as others take it: Mistral, and servers of one's own."""
    return Built(CHAT_PATH, JSON_HEADERS, packed({**chat_body(model, prompt, stream), **bounded(prompt, "max_tokens")}))


def read(body: bytes, stream: bool) -> Reply:
    """A reply. Raises ValueError where it is none."""
    return _read_stream(body) if stream else _read_object(mapping(parsed(body)))


def _read_object(data: Mapping[str, Any]) -> Reply:
    choices, usage = mappings(data.get("choices")), _usage(data)
    if not choices:
        if usage is None:
            raise ValueError("the reply holds no choice")
        return Reply("", usage, "unended")
    message = mapping(choices[0], "message")
    reason = choices[0].get("finish_reason")
    return _reply(_text(message), _thoughts(message), usage, _stop(reason), refused=_is_refusal(message))


def _read_stream(body: bytes) -> Reply:
    texts: list[str] = []
    thoughts: list[str] = []
    running = usage = None  # the usage so far, and that of the whole
    reason: Any = None
    refused = done = seen = False
    for data in payloads(body):
        if data.get("done") == DONE:
            done = True
            break
        seen = seen or "choices" in data
        running = _usage(data) or running
        choices = mappings(data.get("choices"))[:1]
        for choice in choices:
            delta = mapping(choice, "delta") or mapping(choice, "message")
            texts.append(_text(delta))
            thoughts.append(_thoughts(delta))
            refused = refused or _is_refusal(delta)
            reason = choice.get("finish_reason") or reason
        if reason or not choices:
            usage = running
    if not seen:
        raise ValueError("the stream holds no choice")
    stop = _stop(reason) if reason or done else "unended"
    whole = usage if stop == "unended" else running
    return _reply("".join(texts), "".join(thoughts), whole, stop, refused=refused)


def _reply(text: str, thoughts: str, usage: Usage | None, stop: Stop, *, refused: bool) -> Reply:
    """Some servers put all that a model writes into its thoughts if it is to keep to a schema."""
    if not text.strip() and stop in ("end", "other"):
        text = thoughts
    return Reply(text, usage, "refusal" if refused else stop, bool(thoughts))


def _is_refusal(message: Mapping[str, Any]) -> bool:
    """Whether the model declines. An empty text is how some servers write null."""
    refusal = message.get("refusal")
    return isinstance(refusal, str) and bool(refusal.strip())


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message: a string, or a list of parts, of which some may be what the model thought."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in mappings(content) if part.get("type") in ("text", "output_text")]
    return "".join(part for part in parts if isinstance(part, str))


def _thoughts(message: Mapping[str, Any]) -> str:
    """What the model thought, under either name: `reasoning_content` (DeepSeek, vLLM), `reasoning` (OpenRouter, Ollama)."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(thoughts := message.get(name), str) and thoughts:
            return thoughts
    return ""


def _stop(reason: Any) -> Stop:
    """Gemini adds details to its reasons ("content_filter: SAFETY")."""
    return _STOPS.get(reason.partition(":")[0].strip().lower(), "other") if isinstance(reason, str) else "other"


def _usage(data: Mapping[str, Any]) -> Usage | None:
    told = mapping(data, "usage") or mapping(data, "x_groq", "usage")
    tokens_in, tokens_out = count(told.get("prompt_tokens")), count(told.get("completion_tokens"))
    if tokens_in is None or tokens_out is None:
        return None
    cached = count(mapping(told, "prompt_tokens_details").get("cached_tokens")) or 0
    return Usage(tokens_in, tokens_out, min(cached, tokens_in))


def place_key(key: str) -> KeyPlace:
    """The key is a bearer token."""
    return KeyPlace(headers={"Authorization": f"Bearer {key}"})


_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_GO_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def go_duration_s(text: str) -> float | None:
    """A duration as Go writes it ("12ms", "6m0s"), seconds; None where it is none."""
    if len(text) > 40 or not _GO_DURATION.fullmatch(text):
        return None
    return sum(float(number) * _GO_UNIT_S[unit] for number, unit in _GO_PART.findall(text))


def hints(response: Response, minute_s: float) -> Hints | None:
    """The quota in the `x-ratelimit-…` headers."""
    return hints_from(
        header_count(response, "x-ratelimit-limit-requests"),
        header_count(response, "x-ratelimit-limit-tokens"),
        minute_s,
        left=header_count(response, "x-ratelimit-remaining-requests"),
        full_in_s=go_duration_s(response.headers.get("x-ratelimit-reset-requests", "").strip()),
    )


def count_deltas(piece: bytes) -> int:
    """The pieces of text in a piece of a stream, a token or some each."""
    return piece.count(b'"delta"')


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_UNENDED = {"validating", "in_progress", "finalizing", "cancelling"}


def batch(asked: Ask) -> BatchApi:
    """Batches: half the price, up to 24 hours; 50,000 requests at most, of which we use few."""

    def submit(requests: Sequence[tuple[str, Request]]) -> Flow[str]:
        bodies = [unstreamed(request) for _, request in requests]
        one_model(bodies)
        lines = [
            packed({"custom_id": name, "method": "POST", "url": CHAT_PATH, "body": body})
            for (name, _), body in zip(requests, bodies, strict=True)
        ]
        headers, form = _form(b"\n".join(lines) + b"\n")
        uploaded = yield asked(FILES_PATH, method="POST", headers=headers, body=form)
        job = {
            "input_file_id": mapping(uploaded.data).get("id"),
            "endpoint": CHAT_PATH,
            "completion_window": "24h",
            "metadata": {MARK: mark_of([name for name, _ in requests])},
        }
        hand_in = asked(_BATCHES, method="POST", headers=JSON_HEADERS, body=packed(job), expects="bytes")
        return taken_id((yield hand_in))

    def state(batch_id: str) -> Flow[BatchState]:
        data = mapping((yield asked(f"{_BATCHES}/{batch_id}")).data)
        status = data.get("status")
        if status == "failed":
            return BatchState(ended=True, reason="the provider could not use the batch")
        return BatchState(ended=isinstance(status, str) and status not in _UNENDED)

    def results(batch_id: str) -> Flow[list[BatchResult]]:
        data = mapping((yield asked(f"{_BATCHES}/{batch_id}")).data)
        return (yield from results_in(asked, [data.get("output_file_id"), data.get("error_file_id")]))

    def find(custom_ids: Sequence[str], since: float, known: Collection[str] = ()) -> Flow[str | None]:
        mark = mark_of(custom_ids)
        params = {"limit": "100"}
        for _ in range(MOST_PAGES):
            data = mapping((yield asked(_BATCHES, params=params)).data)
            page = mappings(data.get("data"))
            for one in page:
                batch_id = checked_id(one.get("id"))
                if mapping(one, "metadata").get(MARK) == mark and batch_id is not None and batch_id not in known:
                    return batch_id
            last_id = data.get("last_id")
            if not data.get("has_more") or not isinstance(last_id, str) or older(page, since):
                return None
            params = {"limit": "100", "after": last_id}
        raise undecided("the provider lists too many batches")

    return BatchApi(submit, state, results, find)


def older(page: Sequence[Mapping[str, Any]], since: float) -> bool:
    """Whether a page, newest first, reaches back beyond a moment (Unix time)."""
    return any((count(one.get("created_at")) or since) < since - CLOCK_SLACK_S for one in page)


def results_in(asked: Any, file_ids: Sequence[Any]) -> Flow[list[BatchResult]]:
    """The results in a batch's files: one of answers, one of errors, either may be missing."""
    found: list[BatchResult] = []
    for file_id in filter(None, map(checked_id, file_ids)):
        answer = yield asked(f"{FILES_PATH}/{file_id}/content", expects="bytes")
        found += [result for line in json_lines(answer.body) if (result := result_of(line)) is not None]
    return found


def _form(content: bytes) -> tuple[Mapping[str, str], bytes]:
    """A file as multipart/form-data (RFC 7578). The boundary is a hash of the content, which therefore can't hold it."""
    boundary = blake2b(content, digest_size=16).hexdigest()
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="batch.jsonl"\r\n'.encode(),
        b"Content-Type: application/jsonl\r\n\r\n",
        content,
        f"\r\n--{boundary}--\r\n".encode(),
    )
    return {"content-type": f"multipart/form-data; boundary={boundary}"}, b"".join(parts)


OPENAI = Provider(
    name="openai",
    key_variable="OPENAI_API_KEY",
    base_url="https://api.openai.com",
    # The cheapest that does not reason unless it is asked to: what is reasoned counts as output, and as its bound.
    default_model="gpt-5.4-nano",
    build=build,
    read=read,
    place_key=place_key,
    hints=hints,
    count_deltas=count_deltas,
    batch_path=_BATCHES,
    batch=batch,
    bound="max_completion_tokens",
)

COMPATIBLE = replace(
    OPENAI,
    name="compatible",
    base_url="http://localhost:11434",  # Ollama's
    default_model="llama3.2",
    build=build_compatible,
    batch_path="",
    batch=None,
    bound="max_tokens",
)
