"""How each of the three LLM APIs is asked, answers, streams, refuses and tells its limits. Pure.

The shapes are those of the real ones as of 2026-11: Anthropic's Messages, OpenAI's and Mistral's chat completions. What the
real ones refuse, these refuse: sampling parameters (Anthropic), a schema that is not strict (OpenAI), a field that is not
known (Mistral).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from .analyst import Reading, analysis, tokens
from .meter import Ending, Left

CREATED = 1_793_000_000
"""Every reply was created at this Unix time: the same seed gives the same bytes."""

PIECE_CHARS = 18
"""A stream brings so many characters a piece: three or four tokens."""

Stop = Literal["end", "max_tokens", "refusal"]


class Malformed(ValueError):
    """The body of a request is not what the API takes; `status` is what it answers then."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for. `text` is all that is paid for going in, `user` the user's words alone."""

    model: str
    text: str
    user: str
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    stream: bool = False
    include_usage: bool = False

    @property
    def tokens_in(self) -> int:
        """The tokens that go in."""
        return tokens(self.text)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered, before it is put into an API's shape. `thought` comes first, and is paid like text."""

    id: str
    model: str
    text: str
    stop: Stop
    tokens_in: int
    tokens_out: int
    thought: str = ""
    include_usage: bool = True


def compose(asked: Asked, reading: Reading, number: str, fault: str = "", variety: float = 0.0) -> tuple[Reply, Ending]:
    """The reply to a request under an id, and how the call ends: with the analysis, a refusal, or nothing that is one.

    `fault` may be "invalid" or "refusal"; `variety` in (0, 1) picks among the ways to be invalid.
    """
    text = analysis(reading, asked.schema)
    ending: Ending = "complete"
    if fault == "invalid":
        ending = "invalid"
        text = "I have read this article with interest." if variety < 0.5 else text[: int(len(text) * 0.6)]
    elif fault == "refusal":
        ending, text = "refusal", "I can't help with this."
    # Some models think first; it is paid for, and no part of the answer.
    thought = f"The article is called {reading.title!r}." if int(reading.name, 16) % 4 == 0 else ""
    room = asked.max_tokens * 4
    if len(thought) + len(text) > room:
        ending, thought = "max_tokens", thought[:room]
        text = text[: room - len(thought)]
    stop: Stop = "refusal" if ending == "refusal" else "max_tokens" if ending == "max_tokens" else "end"
    spent = tokens(thought + text)
    return Reply(number, asked.model, text, stop, asked.tokens_in, spent, thought, asked.include_usage), ending


class Wording(Protocol):
    """One API's way to put things."""

    name: str

    def key(self, headers: Mapping[str, str]) -> str:
        """The key that a request brings, or ""."""
        ...

    def asked(self, headers: Mapping[str, str], body: Any) -> Asked:
        """What a body asks for. Raises `Malformed`."""
        ...

    def reply(self, reply: Reply) -> dict[str, Any]:
        """A whole answer."""
        ...

    def stream(self, reply: Reply) -> list[bytes]:
        """The events of a streamed answer."""
        ...

    def broken(self) -> bytes:
        """The event of an error in the midst of a stream."""
        ...

    def error(self, status: int, message: str) -> tuple[int, dict[str, Any]]:
        """The status that this API has for an error, and the body."""
        ...

    def no_credit(self) -> tuple[int, dict[str, Any]]:
        """The answer to whom has no money left."""
        ...

    def limits(
        self, requests: Left, left: Left, wall_s: float, apart: tuple[Left, Left] | None = None
    ) -> dict[str, str]:
        """The headers that tell the limits; `wall_s` is the Unix time now, `apart` what is left of input and output."""
        ...

    def id_header(self, number: str) -> dict[str, str]:
        """The header that tells a request's id."""
        ...


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS))


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _field(body: Mapping[str, Any], name: str, kind: type, status: int = 400) -> Any:
    value = body.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(f"{name}: Field required", status)
    return value


def _words(content: Any) -> str:
    """The text of a message: a string, or blocks of which those of type text count."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return ""


def _said(messages: Sequence[Any], role: str) -> str:
    return "\n".join(
        _words(each.get("content")) for each in messages if isinstance(each, dict) and each.get("role") == role
    )


def _object(body: Any, status: int = 400) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise Malformed("The request body is not valid JSON", status)
    return body


# ── Anthropic ──────────────────────────────────────────────────────────────────────────────────────────────────────

_ANTHROPIC_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Anthropic:
    """`POST /v1/messages`."""

    name = "anthropic"

    def key(self, headers: Mapping[str, str]) -> str:
        return headers.get("x-api-key", "")

    def asked(self, headers: Mapping[str, str], body: Any) -> Asked:
        body = _object(body)
        if "anthropic-version" not in headers:
            raise Malformed("anthropic-version: header is required")
        for sampling in ("temperature", "top_p", "top_k"):
            if sampling in body:
                raise Malformed(f"{sampling}: not supported by this model")
        messages = _field(body, "messages", list)
        form = (body.get("output_config") or {}).get("format") or {}
        schema = form.get("schema") if form.get("type") == "json_schema" else None
        user = _said(messages, "user")
        system = _words(body.get("system"))
        return Asked(
            model=_field(body, "model", str),
            text=f"{system}\n{user}{json.dumps(schema) if schema else ''}",
            user=user,
            max_tokens=_field(body, "max_tokens", int),
            schema=schema,
            stream=body.get("stream") is True,
        )

    def _message(
        self, reply: Reply, content: list[dict[str, Any]], stop: str | None, tokens_out: int
    ) -> dict[str, Any]:
        return {
            "id": f"msg_{reply.id}",
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {
                "input_tokens": reply.tokens_in,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": tokens_out,
                "service_tier": "standard",
            },
        }

    def _stop(self, reply: Reply) -> str:
        return {"end": "end_turn", "max_tokens": "max_tokens", "refusal": "refusal"}[reply.stop]

    def reply(self, reply: Reply) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        if reply.thought:
            content.append({"type": "thinking", "thinking": reply.thought, "signature": f"sig-{reply.id}"})
        if reply.text:
            content.append({"type": "text", "text": reply.text})
        return self._message(reply, content, self._stop(reply), reply.tokens_out)

    def stream(self, reply: Reply) -> list[bytes]:
        events = [_event("message_start", {"message": self._message(reply, [], None, 1)})]
        blocks = [("thinking", reply.thought), ("text", reply.text)]
        for index, (kind, text) in enumerate(block for block in blocks if block[1]):
            start = {"type": kind, kind: "", **({"signature": ""} if kind == "thinking" else {})}
            events += [_event("content_block_start", {"index": index, "content_block": start}), _event("ping", {})]
            for number, piece in enumerate(_pieces(text)):
                events.append(
                    _event("content_block_delta", {"index": index, "delta": {"type": f"{kind}_delta", kind: piece}})
                )
                if number % 16 == 15:
                    events.append(_event("ping", {}))
            if kind == "thinking":
                signed = {"type": "signature_delta", "signature": f"sig-{reply.id}"}
                events.append(_event("content_block_delta", {"index": index, "delta": signed}))
            events.append(_event("content_block_stop", {"index": index}))
        ended = {"stop_reason": self._stop(reply), "stop_sequence": None}
        events.append(_event("message_delta", {"delta": ended, "usage": {"output_tokens": reply.tokens_out}}))
        events.append(_event("message_stop", {}))
        return events

    def broken(self) -> bytes:
        return _event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})

    def error(self, status: int, message: str) -> tuple[int, dict[str, Any]]:
        kind = _ANTHROPIC_ERRORS.get(status, "api_error")
        return status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"}

    def no_credit(self) -> tuple[int, dict[str, Any]]:
        return self.error(402, "Your credit balance is too low to access the API.")

    def limits(
        self, requests: Left, left: Left, wall_s: float, apart: tuple[Left, Left] | None = None
    ) -> dict[str, str]:
        headers = {}
        told = {"requests": requests, "tokens": left}
        if apart is not None:
            told |= {"input-tokens": apart[0], "output-tokens": apart[1]}
        for name, each in told.items():
            # Whole seconds as the real one writes them, rounded up: never too early.
            full = datetime.fromtimestamp(math.ceil(wall_s + each.full_in_s), UTC)
            headers[f"anthropic-ratelimit-{name}-limit"] = str(each.limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(each.left)
            headers[f"anthropic-ratelimit-{name}-reset"] = f"{full:%Y-%m-%dT%H:%M:%SZ}"
        return headers

    def id_header(self, number: str) -> dict[str, str]:
        return {"request-id": f"req_{number}"}


def _event(kind: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + _dump({"type": kind, **data}) + b"\n\n"


# ── OpenAI ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_DONE = b"data: [DONE]\n\n"
_COMMENT = b": keep-alive\n\n"  # what a client must ignore; gateways in front of these APIs send it


def _chunk(data: Mapping[str, Any]) -> bytes:
    return b"data: " + _dump(data) + b"\n\n"


def _schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = body.get("response_format") or {}
    wrapped = form.get("json_schema") or {} if isinstance(form, dict) and form.get("type") == "json_schema" else {}
    schema = wrapped.get("schema")
    return schema if isinstance(schema, dict) else None


class OpenAI:
    """`POST /v1/chat/completions`, of OpenAI."""

    name = "openai"

    def key(self, headers: Mapping[str, str]) -> str:
        return _bearer(headers)

    def asked(self, headers: Mapping[str, str], body: Any) -> Asked:
        del headers
        body = _object(body)
        messages, schema = _field(body, "messages", list), _schema_of(body)
        strict = schema is not None and body["response_format"]["json_schema"].get("strict") is True
        if strict and schema is not None and not _is_strict(schema):
            raise Malformed(
                "Invalid schema for response_format: 'additionalProperties' and 'required' must be complete."
            )
        user, system = _said(messages, "user"), _said(messages, "system") + _said(messages, "developer")
        most = body.get("max_completion_tokens", body.get("max_tokens", 4_096))
        if not isinstance(most, int) or most < 1:
            raise Malformed("max_completion_tokens: must be a positive integer")
        return Asked(
            model=_field(body, "model", str),
            text=f"{system}\n{user}{json.dumps(schema) if schema else ''}",
            user=user,
            max_tokens=most,
            schema=schema,
            stream=body.get("stream") is True,
            include_usage=(body.get("stream_options") or {}).get("include_usage") is True,
        )

    def _usage(self, reply: Reply) -> dict[str, Any]:
        return {
            "prompt_tokens": reply.tokens_in,
            "completion_tokens": reply.tokens_out,
            "total_tokens": reply.tokens_in + reply.tokens_out,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": tokens(reply.thought)},
        }

    def _stop(self, reply: Reply) -> str:
        return "length" if reply.stop == "max_tokens" else "stop"

    def reply(self, reply: Reply) -> dict[str, Any]:
        refused = reply.stop == "refusal"
        message = {
            "role": "assistant",
            "content": None if refused else reply.text,
            "refusal": reply.text if refused else None,
        }
        return {
            "id": f"chatcmpl-{reply.id}",
            "object": "chat.completion",
            "created": CREATED,
            "model": reply.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": self._stop(reply)}],
            "usage": self._usage(reply),
            "service_tier": "default",
        }

    def stream(self, reply: Reply) -> list[bytes]:
        usage = {"usage": None} if reply.include_usage else {}
        head = {
            "id": f"chatcmpl-{reply.id}",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": reply.model,
        }

        def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _chunk({**head, "choices": [choice], **usage})

        part = "refusal" if reply.stop == "refusal" else "content"
        events = [chunk({"role": "assistant", part: ""}), _COMMENT]
        events += [chunk({part: piece}) for piece in _pieces(reply.text)]
        events.append(chunk({}, self._stop(reply)))
        if reply.include_usage:
            events.append(_chunk({**head, "choices": [], "usage": self._usage(reply)}))
        return [*events, _DONE]

    def broken(self) -> bytes:
        error = {
            "message": "The server had an error while processing your request.",
            "type": "server_error",
            "code": None,
        }
        return _chunk({"error": error})

    def error(self, status: int, message: str) -> tuple[int, dict[str, Any]]:
        kind, code = "invalid_request_error", None
        if status == 401:
            code = "invalid_api_key"
        elif status == 429:
            kind, code = "tokens" if "token" in message else "requests", "rate_limit_exceeded"
        elif status >= 500:
            kind = "server_error"
        error = {"message": message, "type": kind, "param": None, "code": code}
        return 503 if status == 529 else status, {"error": error}

    def no_credit(self) -> tuple[int, dict[str, Any]]:
        message = "You exceeded your current quota, please check your plan and billing details."
        return 429, {
            "error": {"message": message, "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
        }

    def limits(
        self, requests: Left, left: Left, wall_s: float, apart: tuple[Left, Left] | None = None
    ) -> dict[str, str]:
        del wall_s, apart
        headers = {}
        for name, each in (("requests", requests), ("tokens", left)):
            headers[f"x-ratelimit-limit-{name}"] = str(each.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(each.left)
            headers[f"x-ratelimit-reset-{name}"] = go_duration(each.full_in_s)
        return headers

    def id_header(self, number: str) -> dict[str, str]:
        return {"x-request-id": f"req_{number}"}


def go_duration(seconds: float) -> str:
    """A duration as Go writes it, rounded up to milliseconds: 12ms, 1.5s, 6m0s."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{f'{minutes}m' if minutes else ''}{rest / 1000:g}s"


def _is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether every object of a schema allows and requires its own properties and no others."""
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    if isinstance(schema.get("items"), dict):
        parts.append(schema["items"])
    return all(map(_is_strict, parts))


# ── Mistral ────────────────────────────────────────────────────────────────────────────────────────────────────────

_MISTRAL_FIELDS = {
    *("model", "messages", "max_tokens", "stream", "response_format", "temperature", "top_p", "random_seed"),
    *("safe_prompt", "stop", "n", "presence_penalty", "frequency_penalty", "metadata", "prompt_mode"),
}


class Mistral:
    """`POST /v1/chat/completions`, of Mistral."""

    name = "mistral"

    def key(self, headers: Mapping[str, str]) -> str:
        return _bearer(headers)

    def asked(self, headers: Mapping[str, str], body: Any) -> Asked:
        del headers
        body = _object(body, 422)
        for name in body:
            if name not in _MISTRAL_FIELDS:
                raise Malformed(f"{name}: Extra inputs are not permitted", 422)
        messages, schema = _field(body, "messages", list, 422), _schema_of(body)
        user, system = _said(messages, "user"), _said(messages, "system")
        most = body.get("max_tokens") or 4_096
        if not isinstance(most, int) or most < 1:
            raise Malformed("max_tokens: Input should be a valid integer", 422)
        return Asked(
            model=_field(body, "model", str, 422),
            text=f"{system}\n{user}{json.dumps(schema) if schema else ''}",
            user=user,
            max_tokens=most,
            schema=schema,
            stream=body.get("stream") is True,
        )

    def _usage(self, reply: Reply) -> dict[str, int]:
        return {
            "prompt_tokens": reply.tokens_in,
            "completion_tokens": reply.tokens_out,
            "total_tokens": reply.tokens_in + reply.tokens_out,
        }

    def _stop(self, reply: Reply) -> str:
        return "length" if reply.stop == "max_tokens" else "stop"

    def reply(self, reply: Reply) -> dict[str, Any]:
        message = {"role": "assistant", "tool_calls": None, "content": reply.text}
        return {
            "id": reply.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": reply.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self._stop(reply)}],
            "usage": self._usage(reply),
        }

    def stream(self, reply: Reply) -> list[bytes]:
        head = {"id": reply.id, "object": "chat.completion.chunk", "created": CREATED, "model": reply.model}

        def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: object) -> bytes:
            return _chunk({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})

        events = [chunk({"role": "assistant", "content": ""}), _COMMENT]
        events += [chunk({"content": piece}) for piece in _pieces(reply.text)]
        return [*events, chunk({"content": ""}, self._stop(reply), usage=self._usage(reply)), _DONE]

    def broken(self) -> bytes:
        return _chunk(
            {"object": "error", "message": "Service unavailable.", "type": "internal_server_error", "code": "3000"}
        )

    def error(self, status: int, message: str) -> tuple[int, dict[str, Any]]:
        if status == 401:
            return status, {"message": "Unauthorized", "request_id": "simulated"}
        if status == 422:
            place, _, words = message.partition(": ")
            return status, {"detail": [{"type": "value_error", "loc": ["body", place], "msg": words}]}
        kind, code = ("rate_limited", "1300") if status == 429 else ("internal_server_error", "3000")
        body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
        return 503 if status == 529 else status, body

    def no_credit(self) -> tuple[int, dict[str, Any]]:
        return self.error(402, "Your account has no credit left.")

    def limits(
        self, requests: Left, left: Left, wall_s: float, apart: tuple[Left, Left] | None = None
    ) -> dict[str, str]:
        del wall_s, apart
        return {
            "x-ratelimit-limit-req-minute": str(requests.limit),
            "x-ratelimit-remaining-req-minute": str(requests.left),
            "x-ratelimit-limit-tokens-minute": str(left.limit),
            "x-ratelimit-remaining-tokens-minute": str(left.left),
        }

    def id_header(self, number: str) -> dict[str, str]:
        return {"mistral-correlation-id": number}


WORDINGS: tuple[Wording, ...] = (Anthropic(), OpenAI(), Mistral())
"""One for each of `behaviour.PROVIDERS`, in its order."""
