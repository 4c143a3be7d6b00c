"""Anthropic's Messages API and its Message Batches.

Sources: platform.claude.com/docs/en/api/messages, /build-with-claude/streaming, /structured-outputs, /api/rate-limits,
/build-with-claude/batch-processing (checked 2026-11).

* temperature, top_p and top_k are never sent: newer models answer 400.
* A reply is its blocks of type "text", joined: the first block may be what the model thought.
* All input is three numbers added: fresh, written to the cache, read from it.
* A stream is whole once it has told its stop reason. A block may begin with text of its own.
* Unknown events are ignored, `ping` may come at any time, `error` even after a 200.
* A batch takes no metadata: one whose taking was not confirmed is known by its ids once it has ended, before that by
  when it was made and how many requests it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ....http import iso_date_s, now_s
from ....model import (
    BatchApi,
    BatchResult,
    BatchState,
    Hints,
    KeyPlace,
    Request,
    Response,
    Usage,
    Window,
)
from ..analysis import Prompt
from .base import (
    CLOCK_SLACK_S,
    JSON_HEADERS,
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
    packed,
    parsed,
    taken_id,
    undecided,
    unstreamed,
)
from .events import payloads

_PATH = "/v1/messages"
_BATCHES = "/v1/messages/batches"
_HEADERS: Mapping[str, str] = {**JSON_HEADERS, "anthropic-version": "2023-06-01"}
_STOPS: Mapping[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "unended": "unended",  # ours
}
_THOUGHTS = {"thinking", "redacted_thinking"}


def build(model: str, prompt: Prompt, stream: bool) -> Built:
    """The request for an analysis."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": prompt.max_tokens,
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.user}],
    }
    config: dict[str, Any] = {}
    if prompt.schema is not None:
        config["format"] = {"type": "json_schema", "schema": prompt.schema}
    if prompt.effort is not None:
        config["effort"] = prompt.effort
    if config:
        body["output_config"] = config
    if stream:
        body["stream"] = True
    return Built(_PATH, _HEADERS, packed(body))


def read(body: bytes, stream: bool) -> Reply:
    """A reply. Raises ValueError where it is none."""
    message = _joined(body) if stream else mapping(parsed(body))
    if message.get("type") != "message":
        raise ValueError("the reply is no message")
    texts = [block.get("text") for block in mappings(message.get("content")) if block.get("type") == "text"]
    text = "".join(text for text in texts if isinstance(text, str))
    stop = message.get("stop_reason")
    thought = any(block.get("type") in _THOUGHTS for block in mappings(message.get("content")))
    return Reply(text, _usage(message.get("usage")), _STOPS.get(str(stop), "other"), thought)


def _joined(body: bytes) -> Mapping[str, Any]:
    """The message that a stream's events make up. One that broke off has the stop reason "unended", and no usage: the
    number of tokens that it began with is not what it took.
    """
    message: dict[str, Any] = {}
    blocks: list[Mapping[str, Any]] = []
    usage: dict[str, Any] = {}
    ended = False
    for data in payloads(body):
        match data.get("type"):
            case "message_start":
                message.update(mapping(data, "message"))
                usage.update(mapping(message, "usage"))
            case "content_block_start":
                blocks.append(mapping(data, "content_block"))
            case "content_block_delta" if mapping(data, "delta").get("type") == "text_delta":
                blocks.append({"type": "text", "text": mapping(data, "delta").get("text")})  # one after the other
            case "message_delta":
                message["stop_reason"] = mapping(data, "delta").get("stop_reason") or message.get("stop_reason")
                usage.update({name: number for name, number in mapping(data, "usage").items() if number is not None})
                ended = ended or message["stop_reason"] is not None
            case "message_stop":
                ended = True
    if not ended:
        message["stop_reason"], usage = "unended", {}
    return {**message, "content": blocks, "usage": usage}


def _usage(data: Any) -> Usage | None:
    told = mapping(data)
    fresh, out = count(told.get("input_tokens")), count(told.get("output_tokens"))
    if fresh is None or out is None:
        return None
    written = count(told.get("cache_creation_input_tokens")) or 0
    cached = count(told.get("cache_read_input_tokens")) or 0
    return Usage(fresh + written + cached, out, cached)


def place_key(key: str) -> KeyPlace:
    """The key goes into a header of its own."""
    return KeyPlace(headers={"x-api-key": key})


def hints(response: Response, minute_s: float) -> Hints | None:
    """The quota in the `anthropic-ratelimit-…` headers.

    The API counts what goes in and what comes out apart, and `tokens` is what binds over both (by /api/rate-limits, the
    workspace's limit where it has one, else the sum of the two). Each that is told is kept.
    """

    def limit(kind: str) -> int | None:
        return header_count(response, f"anthropic-ratelimit-{kind}-limit")

    full_at = iso_date_s(response.headers.get("anthropic-ratelimit-requests-reset"))
    told = hints_from(
        limit("requests"),
        limit("tokens"),
        minute_s,
        left=header_count(response, "anthropic-ratelimit-requests-remaining"),
        full_in_s=None if full_at is None else max(0.0, full_at - now_s(response)),
    )
    tokens_in, tokens_out = limit("input-tokens"), limit("output-tokens")
    if not tokens_in and not tokens_out:
        return told
    return replace(
        told or Hints(),
        tokens_in=Window(tokens_in, minute_s, "in") if tokens_in else None,
        tokens_out=Window(tokens_out, minute_s, "out") if tokens_out else None,
    )


def count_deltas(piece: bytes) -> int:
    """The pieces of text in a piece of a stream, some tokens each."""
    return piece.count(b'"text_delta"')


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def batch(ask: Ask) -> BatchApi:
    """Message Batches: half the price, up to 24 hours; 100,000 requests at most, of which we use few."""

    def asked(path: str, **more: Any) -> Request:
        return ask(path, headers=_HEADERS, **more)

    def submit(requests: Sequence[tuple[str, Request]]) -> Flow[str]:
        entries = [{"custom_id": name, "params": unstreamed(request)} for name, request in requests]
        return taken_id((yield asked(_BATCHES, method="POST", body=packed({"requests": entries}), expects="bytes")))

    def state(batch_id: str) -> Flow[BatchState]:
        answer = yield asked(f"{_BATCHES}/{batch_id}")
        return BatchState(mapping(answer.data).get("processing_status") == "ended")

    def results(batch_id: str) -> Flow[list[BatchResult]]:
        answer = yield asked(f"{_BATCHES}/{batch_id}/results", expects="bytes")
        return [result for line in json_lines(answer.body) if (result := _result(line)) is not None]

    def find(custom_ids: Sequence[str], since: float, known: Collection[str] = ()) -> Flow[str | None]:
        wanted = set(custom_ids)
        made = yield from _made_since(asked, since - CLOCK_SLACK_S)
        listed = [(one, checked_id(one.get("id"))) for one in made if _size(one) == len(wanted)]
        alike = [(one, batch_id) for one, batch_id in listed if batch_id is not None and batch_id not in known]
        unended = []
        for one, batch_id in alike:
            if one.get("processing_status") != "ended":
                unended.append(batch_id)
            elif {result.custom_id for result in (yield from results(batch_id))} == wanted:
                return batch_id
        if len(unended) > 1:
            raise undecided(f"{len(unended)} batches under way hold {len(wanted)} requests as ours does")
        return unended[0] if unended else None

    return BatchApi(submit, state, results, find)


def _made_since(asked: Any, since: float) -> Flow[list[Mapping[str, Any]]]:
    """The batches made since a moment (Unix time), newest first, as the API lists them."""
    found: list[Mapping[str, Any]] = []
    params = {"limit": "100"}
    for _ in range(MOST_PAGES):
        data = mapping((yield asked(_BATCHES, params=params)).data)
        page = mappings(data.get("data"))
        young = [one for one in page if (iso_date_s(one.get("created_at")) or since) >= since]
        found += young
        last_id = data.get("last_id")
        if not data.get("has_more") or len(young) < len(page) or not isinstance(last_id, str):
            return found
        params = {"limit": "100", "after_id": last_id}
    raise undecided("the provider lists too many batches")


def _size(listed: Mapping[str, Any]) -> int:
    return sum(number for number in mapping(listed, "request_counts").values() if type(number) is int)


_ENDS: Mapping[str, str] = {
    "errored": "the API refused it in the batch",
    "canceled": "the batch was cancelled before it",
    "expired": "the batch expired before it",
}


def _result(line: Mapping[str, Any]) -> BatchResult | None:
    custom_id, result = line.get("custom_id"), mapping(line, "result")
    if not isinstance(custom_id, str):
        return None
    message = mapping(result, "message")
    if result.get("type") == "succeeded" and message:
        return BatchResult(custom_id, packed(message))
    return BatchResult(custom_id, None, _ENDS.get(str(result.get("type")), "the batch holds no answer to it"))


ANTHROPIC = Provider(
    name="anthropic",
    key_variable="ANTHROPIC_API_KEY",
    base_url="https://api.anthropic.com",
    default_model="claude-haiku-5-5",
    build=build,
    read=read,
    place_key=place_key,
    hints=hints,
    count_deltas=count_deltas,
    batch_path=_BATCHES,
    always_versioned=True,
    batch=batch,
)
