"""The APIs of the providers: what is sent, what their answers mean, and how work is handed in by the hundred.

The bodies are as the APIs send them. Flows are driven by hand: no engine, no wire.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from enricher.errors import GaveUp, Refused, Undecided
from enricher.model import (
    Accept,
    Answer,
    BatchState,
    Charge,
    Hints,
    KeyPlace,
    Lifetime,
    Price,
    Refuse,
    RefuseKey,
    Request,
    Response,
    Retry,
    Usage,
    Window,
)
from enricher.pipelines.articles.analysis import (
    SCHEMA,
    Article,
    most_prompt_tokens,
    prompt_of,
    prompt_tokens,
    read_analysis,
)
from enricher.pipelines.articles.analysts import ModelAnalyst
from enricher.pipelines.articles.providers import BY_NAME
from enricher.pipelines.articles.providers.base import (
    BAD_REQUEST,
    NO_SUCH_ADDRESS,
    Reply,
    is_stream,
    mark_of,
)
from enricher.pipelines.articles.providers.endpoints import NO_KEY, endpoint_of
from enricher.pipelines.articles.providers.events import Event, events
from enricher.pipelines.articles.providers.openai import go_duration_s
from enricher.pipelines.articles.providers.services import analysis_request, endpoint_for, reply_of, service_of

ANTHROPIC, OPENAI, MISTRAL, COMPATIBLE = (BY_NAME[name] for name in ("anthropic", "openai", "mistral", "compatible"))
ALL = pytest.mark.parametrize("provider", BY_NAME.values(), ids=lambda provider: provider.name)
ARTICLE = Article("https://news.example/1", "Bees return", text="Bees came back. A survey counted them.")
PROMPT = prompt_of(ARTICLE)
REPLY = json.dumps(
    {
        "title": "Bees return",
        "summary": "Bees came back — €4,000 “saved”.",
        "key_findings": ["many"],
        "method": "survey",
        "topics": ["bees"],
        "takeaway": "Plant.",
    },
    ensure_ascii=False,
)
PRICE = Price(100.0, 500.0, 10.0)


def json_body(data):
    return json.dumps(data).encode()


def sse(*chunks, named=False):
    lines = [f"event: {chunk['type']}\n" if named else "" for chunk in chunks]
    data = [chunk if isinstance(chunk, str) else json.dumps(chunk, ensure_ascii=False) for chunk in chunks]
    return "".join(f"{line}data: {text}\n\n" for line, text in zip(lines, data, strict=True)).encode()


def pieces(text):
    return [text[start : start + 40] for start in range(0, len(text), 40)]


# ── what the APIs answer ──


def anthropic_message(text=REPLY, stop_reason="end_turn", **usage):
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [
            {"type": "thinking", "thinking": "{hm}", "signature": "x"},
            *({"type": "text", "text": part} for part in pieces(text)),
        ],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 400, "output_tokens": 90, **usage},
    }


def anthropic_events(text=REPLY, stop_reason="end_turn"):
    start = {**anthropic_message(), "content": [], "stop_reason": None}
    start["usage"] = {
        "input_tokens": 400,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 100,
        "output_tokens": 1,
    }
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "{hm}"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "ping"},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": part}}
            for part in pieces(text)
        ),
        {"type": "content_block_stop", "index": 1},
        {"type": "something_new", "text": "to be ignored"},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": None},
            "usage": {"output_tokens": 90},
        },
        {"type": "message_stop"},
    ]


def chat_completion(text=REPLY, finish_reason="stop", **message):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
        ],
        "usage": {
            "prompt_tokens": 500,
            "completion_tokens": 90,
            "total_tokens": 590,
            "prompt_tokens_details": {"cached_tokens": 100},
        },
    }


def chat_chunks(text=REPLY, finish_reason="stop", usage=True):
    def chunk(delta, reason=None):
        return {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
            "usage": None,
        }

    last = {"object": "chat.completion.chunk", "choices": [], "usage": chat_completion()["usage"]}
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": part}) for part in pieces(text)),
        chunk({}, finish_reason),
        *([last] if usage else []),
        "[DONE]",
    ]


def whole(provider, text=REPLY, stop="end"):
    if provider is ANTHROPIC:
        return json_body(anthropic_message(text, {"end": "end_turn", "length": "max_tokens"}.get(stop, stop)))
    return json_body(chat_completion(text, {"end": "stop", "refusal": "content_filter"}.get(stop, stop)))


def streamed(provider, text=REPLY):
    return sse(*anthropic_events(text), named=True) if provider is ANTHROPIC else sse(*chat_chunks(text))


# ── events ──


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\n\n", [Event("message", "a")]),
        (b"event: x\ndata: a\n\n", [Event("x", "a")]),
        (b"\xef\xbb\xbfdata: a\r\n\r\ndata:b\r\rdata: c\n\n", [Event("message", name) for name in "abc"]),
        (b"data: a\ndata:\ndata:  b\n\n", [Event("message", "a\n\n b")]),
        (b": a comment\nid: 7\nretry: 5\nunknown: y\nnonsense\ndata: a\n\n", [Event("message", "a")]),
        (b"event: x\n\ndata: a\n\n", [Event("message", "a")]),
        (b"data\n\n", [Event("message", "")]),
        (b"data: a\n\ndata: last", [Event("message", "a"), Event("message", "last")]),
        (b"data: a\n\ndata: last\n", [Event("message", "a"), Event("message", "last")]),
        ("data: a\u2028b\x0bc\n\n".encode(), [Event("message", "a\u2028b\x0bc")]),
        (b"data: \xff\n\n", [Event("message", "\ufffd")]),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_events_are_read_and_the_last_one_needs_no_blank_line(body, expected):
    assert list(events(body)) == expected


# ── what is sent ──


def sent(provider, stream, prompt=PROMPT):
    path, headers, body = provider.build("some-model", prompt, stream)
    return path, headers, json.loads(body)


def test_anthropic_is_sent_what_it_takes_and_nothing_else():
    path, headers, body = sent(ANTHROPIC, stream=True)
    assert path == "/v1/messages"
    assert headers == {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    assert body == {
        "model": "some-model",
        "max_tokens": 1024,
        "system": PROMPT.system,
        "messages": [{"role": "user", "content": PROMPT.user}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "stream": True,
    }


def test_openai_is_sent_its_own_bound_and_asked_for_usage_in_streams():
    path, headers, body = sent(OPENAI, stream=True)
    assert path == "/v1/chat/completions"
    assert headers == {"content-type": "application/json"}
    assert body == {
        "model": "some-model",
        "messages": [{"role": "system", "content": PROMPT.system}, {"role": "user", "content": PROMPT.user}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "analysis", "schema": SCHEMA, "strict": True},
        },
        "stream": True,
        "max_completion_tokens": 1024,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("provider", [MISTRAL, COMPATIBLE], ids=lambda provider: provider.name)
def test_others_are_sent_only_what_all_of_them_know(provider):
    path, _, body = sent(provider, stream=True)
    assert path == "/v1/chat/completions"
    assert set(body) == {"model", "messages", "max_tokens", "stream", "response_format"}


@ALL
def test_without_a_stream_or_a_schema_neither_is_spoken_of(provider):
    body = sent(provider, stream=False, prompt=replace(PROMPT, schema=None))[2]
    assert not set(body) & {"stream", "stream_options", "response_format", "output_config"}


@ALL
def test_a_request_holds_no_key_and_a_key_has_its_place(provider):
    place = provider.place_key("sk-secret")
    assert "sk-secret" in "".join(place.headers.values())
    assert place.params == {}
    expected = {"x-api-key": "sk-secret"} if provider is ANTHROPIC else {"Authorization": "Bearer sk-secret"}
    assert place == KeyPlace(headers=expected)


@ALL
def test_text_is_sent_as_utf_8(provider):
    body = provider.build("m", prompt_of(replace(ARTICLE, text="Grüße\ud800 — 東京")), False).body
    assert "Grüße — 東京".encode() in body


# ── what is read ──


@ALL
def test_a_whole_reply_and_a_whole_stream_say_the_same(provider):
    reply, joined = provider.read(whole(provider), False), provider.read(streamed(provider), True)
    assert reply.text == joined.text == REPLY
    assert reply.stop == joined.stop == "end"
    assert joined.usage == Usage(500, 90, 100)


def test_all_input_of_anthropic_is_three_numbers_added():
    message = anthropic_message(cache_creation_input_tokens=30, cache_read_input_tokens=20)
    assert ANTHROPIC.read(json_body(message), False).usage == Usage(450, 90, 20)


def test_usage_may_come_before_the_last_chunk():
    *chunks, usage, done = chat_chunks()
    assert MISTRAL.read(sse({**chunks[0], **usage}, *chunks, done), True) == Reply(REPLY, Usage(500, 90, 100), "end")


@pytest.mark.parametrize("spelled", [float, str])
def test_usage_told_as_text_or_with_a_fraction_is_booked_as_what_it_says(spelled):
    told = {name: spelled(count) for name, count in {"prompt_tokens": 500, "completion_tokens": 90}.items()}
    assert OPENAI.read(json_body({**chat_completion(), "usage": told}), False).usage == Usage(500, 90)


def test_usage_that_never_came_is_not_made_up():
    assert OPENAI.read(sse(*chat_chunks(usage=False)), True) == Reply(REPLY, None, "end")
    assert OPENAI.read(json_body({**chat_completion(), "usage": {"prompt_tokens": "many"}}), False).usage is None
    without = {**anthropic_message(), "usage": None}
    assert ANTHROPIC.read(json_body(without), False).usage is None


@ALL
def test_a_stream_is_whole_once_it_told_why_the_model_stopped_and_not_before(provider):
    body = streamed(provider)
    told = body.index(b"end_turn" if provider is ANTHROPIC else b'"stop"')
    for end in range(0, len(body), 7):
        try:
            stop = provider.read(body[:end], True).stop
        except ValueError:
            assert end < 400
            continue
        assert stop == ("unended" if end <= told else "end") or told < end < body.index(b"}\n\n", told) + 1


@ALL
@pytest.mark.parametrize("end", [b"", b"\n", b"data: [DONE]", b"data: [DONE]\n", b": bye\n\n"])
def test_a_stream_needs_no_last_event_and_no_blank_lines(provider, end):
    body = streamed(provider).removesuffix(b"data: [DONE]\n\n")
    body = body[: body.index(b"event: message_stop")] if provider is ANTHROPIC else body
    whole_reply = provider.read(streamed(provider), True)
    assert provider.read(body.rstrip() + (b"\n\n" + end if end.strip() else end), True) == whole_reply
    if provider is not ANTHROPIC:  # whose events have names, so that a blank line is needed
        assert provider.read(body.replace(b"\n\n", b"\n") + end, True) == whole_reply


def test_what_a_stream_took_is_known_once_its_last_count_came():
    *chunks, finish, usage, _ = chat_chunks()
    counted = [{**chunk, "usage": {"prompt_tokens": 500, "completion_tokens": n}} for n, chunk in enumerate(chunks)]
    assert OPENAI.read(sse(*chunks, usage), True) == Reply(REPLY, Usage(500, 90, 100), "unended")
    assert OPENAI.read(sse(*counted), True) == Reply(REPLY, None, "unended")  # a count so far
    last = {**finish, "usage": {"prompt_tokens": 500, "completion_tokens": 90}}
    assert OPENAI.read(sse(*counted, last), True) == Reply(REPLY, Usage(500, 90), "end")
    groq = {**finish, "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 9}}}
    assert OPENAI.read(sse(*chunks, groq), True).usage == Usage(5, 9)


def test_a_block_of_anthropic_s_may_begin_with_text():
    events = anthropic_events()
    events[6] = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": REPLY[:40]}}
    del events[7]
    assert ANTHROPIC.read(sse(*events, named=True), True).text == REPLY


@ALL
def test_a_mark_of_unicode_before_a_body_changes_nothing(provider):
    for body in (whole(provider), streamed(provider)):
        assert judged(provider, answered(200, body=b"\xef\xbb\xbf" + body)) == Accept()


@ALL
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"choices": []}', b'{"choices": [7]}', b'{"type": "error"}']
)
def test_a_body_that_is_none_of_theirs_is_no_reply(provider, body):
    with pytest.raises(ValueError, match=r"holds no choice|no message"):
        provider.read(body, False)


@pytest.mark.parametrize(
    ("provider", "reason", "stop"),
    [
        (ANTHROPIC, "stop_sequence", "end"),
        (ANTHROPIC, "max_tokens", "length"),
        (ANTHROPIC, "model_context_window_exceeded", "length"),
        (ANTHROPIC, "refusal", "refusal"),
        (ANTHROPIC, "pause_turn", "other"),
        (ANTHROPIC, "tool_use", "other"),
        (ANTHROPIC, None, "other"),
        (OPENAI, "length", "length"),
        (OPENAI, "content_filter", "refusal"),
        (OPENAI, "tool_calls", "other"),
        (OPENAI, None, "other"),
        (MISTRAL, "model_length", "length"),
        (MISTRAL, "error", "failed"),
        (OPENAI, "network_error", "failed"),
        (OPENAI, "content_filter: SAFETY", "refusal"),
        (OPENAI, "MAX_TOKENS", "length"),
    ],
)
def test_why_a_model_stopped(provider, reason, stop):
    if provider is ANTHROPIC:
        assert provider.read(json_body(anthropic_message(stop_reason=reason)), False).stop == stop
        assert provider.read(sse(*anthropic_events(stop_reason=reason), named=True), True).stop == stop
    else:
        assert provider.read(json_body(chat_completion(finish_reason=reason)), False).stop == stop
        assert provider.read(sse(*chat_chunks(finish_reason=reason)), True).stop == stop


def test_a_refusal_in_openai_s_own_field_is_one():
    assert OPENAI.read(json_body(chat_completion(None, refusal="I can't")), False).stop == "refusal"
    chunks = chat_chunks("")
    chunks[0]["choices"][0]["delta"] = {"refusal": "I can't"}
    assert OPENAI.read(sse(*chunks), True).stop == "refusal"


def test_an_empty_refusal_is_none():
    for refusal in ("", " ", None):
        assert OPENAI.read(json_body(chat_completion(refusal=refusal)), False).stop == "end"
        chunks = chat_chunks()
        chunks[0]["choices"][0]["delta"]["refusal"] = refusal
        assert OPENAI.read(sse(*chunks), True).stop == "end"


def test_thoughts_beside_the_text_are_not_the_reply_unless_there_is_no_other():
    for name in ("reasoning", "reasoning_content"):
        thinking = chat_completion(**{name: "{hm}"})
        assert COMPATIBLE.read(json_body(thinking), False) == Reply(REPLY, Usage(500, 90, 100), "end", thought=True)
        only = json_body(chat_completion("", **{name: REPLY}))
        assert judged(COMPATIBLE, answered(200, body=only)) == Accept()
        spent = chat_completion("", "length", **{name: "hm"})
        verdict = judged(COMPATIBLE, answered(200, body=json_body(spent)))
        assert verdict == Refuse("the reply was cut: max_tokens was used up by thinking")


def test_mistral_s_thinking_parts_are_not_the_reply():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "{hm}"}]}, {"type": "text", "text": REPLY}]
    assert MISTRAL.read(json_body(chat_completion(parts)), False).text == REPLY


@ALL
def test_deltas_are_counted_piece_by_piece(provider):
    assert provider.count_deltas(streamed(provider)) >= len(pieces(REPLY))
    assert provider.count_deltas(b": ping\n\n") == 0


# ── what their refusals and faults mean ──


def answered(status, data=None, headers=None, *, body=None):
    return Response(status, headers or {}, json_body(data) if body is None else body, wall_at=1_000_000.0)


def error(kind, code=None, message="text from outside"):
    return {"type": "error", "error": {"type": kind, "code": code, "message": message}, "request_id": "r"}


def judged(provider, response, kind="analysis", **request):
    """The verdict of the service's classify. The body was not parsed, as where a stream is expected."""
    service = service_of(provider)
    return service.classify(Request(service, "/x", kind=kind, **request), response, None)


@pytest.mark.parametrize(
    ("status", "data", "headers", "verdict"),
    [
        (401, error("authentication_error"), {}, RefuseKey("not accepted (HTTP 401)")),
        (401, {"detail": "Unauthorized"}, {}, RefuseKey("not accepted (HTTP 401)")),
        (403, error("permission_error"), {}, RefuseKey("not permitted (HTTP 403)")),
        (
            401,
            error("invalid_request_error", "invalid_api_key"),
            {"x-should-retry": "true"},
            RefuseKey("not accepted (HTTP 401)"),
        ),
        (403, {"html": "a firewall"}, {}, None),
        (402, error("billing_error"), {}, Refuse("the account is exhausted (HTTP 402)")),
        (
            429,
            error("insufficient_quota", "insufficient_quota"),
            {"retry-after": "1"},
            Refuse("the account is exhausted (HTTP 429)"),
        ),
        (
            400,
            error("invalid_request_error", None, "Your credit balance is too low to"),
            {},
            Refuse("the account is exhausted (HTTP 400)"),
        ),
        (400, error("invalid_request_error"), {}, Refuse(f"{BAD_REQUEST} (HTTP 400)")),
        (
            422,
            {"object": "error", "message": {"detail": []}, "type": "invalid_request_error"},
            {},
            Refuse(f"{BAD_REQUEST} (HTTP 422)"),
        ),
        (
            400,
            error("invalid_request_error", "context_length_exceeded"),
            {},
            Refuse("the article is too long for the model (HTTP 400)"),
        ),
        (413, error("request_too_large"), {}, Refuse("the article is too long for the model (HTTP 413)")),
        (404, error("not_found_error"), {}, Refuse("the API knows no such model or address (HTTP 404)")),
        (
            403,
            error("invalid_request_error", "model_not_found"),
            {},
            Refuse("the API knows no such model or address (HTTP 403)"),
        ),
        (404, {"error": "model 'x' not found"}, {}, Refuse("the API knows no such model or address (HTTP 404)")),
        (529, error("overloaded_error"), {}, Retry("the API is overloaded (HTTP 529)")),
        (
            529,
            error("overloaded_error"),
            {"retry-after": "3"},
            Retry("the API is overloaded (HTTP 529)", 3.0, pause=True),
        ),
        (429, error("rate_limit_error"), {"retry-after": "7"}, Retry("HTTP 429", 7.0, pause=True)),
        (
            429,
            error("requests", "rate_limit_exceeded"),
            {"retry-after-ms": "250", "retry-after": "1"},
            Retry("HTTP 429", 0.25, pause=True),
        ),
        (
            429,
            error("rate_limit_error"),
            {"x-should-retry": "false"},
            Refuse("HTTP 429, and the API wants no other attempt"),
        ),
        (500, error("api_error"), {}, Retry("HTTP 500")),
        (500, error("api_error"), {"x-should-retry": "false"}, Refuse("HTTP 500, and the API wants no other attempt")),
        (503, None, {"retry-after": "2"}, Retry("HTTP 503", 2.0, pause=True)),
        (409, error("conflict"), {}, Retry("HTTP 409")),
        (408, None, {}, Retry("HTTP 408")),
        (418, None, {"x-should-retry": "true"}, Retry("HTTP 418")),
        (418, None, {}, None),
    ],
)
@ALL
def test_a_refusal_or_a_fault_means(provider, status, data, headers, verdict):
    assert judged(provider, answered(status, data, headers)) == verdict


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("overloaded_error", Retry("the API is overloaded, said within the answer")),
        ("rate_limit_error", Retry("too many requests, said within the answer", pause=True)),
        ("api_error", Retry("the API failed within its answer")),
        ("billing_error", Refuse("the account is exhausted")),
        ("invalid_request_error", Refuse(BAD_REQUEST)),
        ("heard_of_by_nobody", Retry("the API failed within its answer", attempts=2)),
    ],
)
def test_an_error_within_a_stream_counts_though_the_status_was_200(kind, verdict):
    body = sse(*anthropic_events()[:8], error(kind), named=True)
    assert judged(ANTHROPIC, answered(200, body=body)) == verdict
    assert (
        judged(OPENAI, answered(200, body=sse(*chat_chunks()[:3], {"error": {"type": kind, "message": "x"}})))
        == verdict
    )


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        ({"error": {"code": 502, "message": "x"}}, Retry("the API failed within its answer")),
        ({"error": {"code": "429", "message": "x"}}, Retry("too many requests, said within the answer", pause=True)),
        ({"error": {"code": 401, "message": "x"}}, RefuseKey("not accepted (HTTP 401)")),
        ({"error": "no", "error_type": "validation"}, Retry("the API failed within its answer", attempts=2)),
        ({**chat_completion(), "error": None}, Accept()),
        ({"choices": [], "usage": chat_completion()["usage"]}, Retry("the reply is not whole", attempts=2)),
    ],
)
def test_an_error_in_the_place_of_a_reply_means(data, verdict):
    assert judged(OPENAI, answered(200, data)) == verdict


@pytest.mark.parametrize(
    ("status", "message", "verdict"),
    [
        (400, "API key not valid. Please pass a valid API key.", RefuseKey("not accepted (HTTP 400)")),
        (429, "Insufficient balance. Please recharge.", Refuse("the account is exhausted (HTTP 429)")),
        (400, "maximum context length is 4096", Refuse("the article is too long for the model (HTTP 400)")),
        (400, "'max_tokens' can't be; use 'max_completion_tokens'", Refuse(f"{BAD_REQUEST} (HTTP 400): max_tokens")),
        (400, "This response_format is unavailable", Refuse(f"{BAD_REQUEST} (HTTP 400): response_format")),
        (500, "failed to parse grammar", Refuse(f"{BAD_REQUEST} (HTTP 500): response_format")),
        (500, "broken", Retry("HTTP 500")),
        (404, "404 page not found", Refuse("the API has no such address (HTTP 404)")),
    ],
)
@pytest.mark.parametrize("shape", [lambda error: {"error": error}, lambda error: [{"error": error}]])
def test_what_an_error_says_in_words_alone_counts(status, message, verdict, shape):
    assert judged(COMPATIBLE, answered(status, shape({"code": status, "message": message}))) == verdict


def test_an_article_about_errors_is_no_error():
    text = REPLY.replace("many", 'they wrote \\"error\\": {\\"type\\": \\"overloaded_error\\"}')
    for provider in BY_NAME.values():
        assert judged(provider, answered(200, body=streamed(provider, text))) == Accept()


def test_no_reason_repeats_what_the_server_said():
    for status in (400, 401, 402, 403, 404, 413, 429, 500, 529):
        for provider in BY_NAME.values():
            verdict = judged(provider, answered(status, error("strange_error", "strange", "<script>")))
            assert "strange" not in verdict.reason
            assert "script" not in verdict.reason


# ── whether a reply may be remembered ──


@ALL
def test_a_reply_that_fits_is_accepted_streamed_or_whole(provider):
    assert judged(provider, answered(200, body=whole(provider))) == Accept()
    assert judged(provider, answered(200, body=streamed(provider))) == Accept()


@ALL
def test_a_refusal_is_an_answer_and_a_cut_and_a_misshapen_reply_are_none(provider):
    assert judged(provider, answered(200, body=whole(provider, stop="refusal"))) == Accept(missing=True)
    cut = judged(provider, answered(200, body=whole(provider, REPLY[:50], "length")))
    assert cut == Refuse("the reply was cut: it is longer than max_tokens")  # asked the same, it would be cut again
    assert judged(provider, answered(200, body=whole(provider, REPLY + " " * 50, "length"))) == Accept()
    empty = REPLY.replace("Bees came back", "").replace(" — €4,000 “saved”.", "")
    for text, why in [
        ("hm", "the reply holds no JSON object"),
        (empty, "the summary is empty"),
        ("", "the reply is empty"),
    ]:
        assert judged(provider, answered(200, body=streamed(provider, text))) == Retry(
            f"the reply does not fit the schema: {why}", attempts=2
        )


@ALL
def test_a_broken_stream_is_asked_for_again(provider):
    body = streamed(provider)
    assert judged(provider, answered(200, body=body[: len(body) // 2])) == Retry("the stream broke off")
    assert judged(provider, answered(200, body=b"")) == Retry("the stream broke off")
    assert judged(provider, answered(200, body=b"{}")) == Retry("the reply is not whole", attempts=2)


@ALL
def test_a_page_in_the_place_of_a_reply_is_refused_at_once(provider):
    assert judged(provider, answered(200, body=b"<!doctype html><p>Log in")) == Refuse("HTML or XML, not JSON")


@ALL
def test_other_kinds_are_not_read_as_analyses(provider):
    assert judged(provider, answered(200, {"id": "b"}), kind="batch") is None


@ALL
@pytest.mark.parametrize("request_kind", [{"kind": "batch", "expects": "bytes"}, {"kind": "batch"}])
def test_a_file_of_results_that_is_one_error_is_no_fault(provider, request_kind):
    for line in (error("overloaded_error"), {"custom_id": "a1", "response": None, "error": {"code": "batch_expired"}}):
        service = service_of(provider)
        asked = Request(service, "/v1/files/f/content", **request_kind)
        body = None if "expects" in request_kind else line
        assert service.classify(asked, answered(200, line), body) is None
        assert isinstance(judged(provider, answered(200, line)), Retry)  # within an analysis it is one


# ── what it took ──


@ALL
def test_usage_is_told_of_a_reply_that_was_paid_for_though_it_does_not_fit(provider):
    service = service_of(provider)
    assert service.usage(answered(200, body=streamed(provider, "no JSON"))) == Usage(500, 90, 100)


@ALL
def test_usage_of_a_refusal_is_nothing_and_of_a_broken_stream_unknown(provider):
    service = service_of(provider)
    assert service.usage(answered(429, error("rate_limit_error"))) == Usage()
    body = streamed(provider)
    assert service.usage(answered(200, body=body[: len(body) // 2])) is None


# ── the quota in the headers ──


def test_anthropic_s_quota_is_read():
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-26T12:00:10Z",
        "anthropic-ratelimit-tokens-limit": "60000",
        "anthropic-ratelimit-input-tokens-limit": "50000",
        "anthropic-ratelimit-output-tokens-limit": "10000",
        "date": "Thu, 26 Nov 2026 12:00:00 GMT",
    }
    hints = service_of(ANTHROPIC).hints(answered(200, {}, headers))
    apart = Window(50_000, 60.0, "in"), Window(10_000, 60.0, "out")
    assert hints == Hints(Window(50, 60.0), Window(60_000, 60.0), 10 / 50, *apart)
    del headers["anthropic-ratelimit-tokens-limit"]
    headers["anthropic-ratelimit-requests-remaining"] = "1"
    hints = service_of(ANTHROPIC).hints(answered(200, {}, headers))
    assert hints == Hints(Window(50, 60.0), None, None, *apart)


def test_anthropic_s_tokens_are_kept_whatever_the_parts_are():
    told = {f"anthropic-ratelimit-{name}-limit": "2000" for name in ("tokens", "input-tokens", "output-tokens")}
    assert service_of(ANTHROPIC).hints(answered(200, {}, told)).tokens == Window(2_000, 60.0)
    told["anthropic-ratelimit-output-tokens-limit"] = "100"
    assert service_of(ANTHROPIC).hints(answered(200, {}, told)).tokens == Window(2_000, 60.0)


def test_openai_s_quota_is_read_in_a_minute_of_any_length():
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-tokens": "30000",
    }
    hints = service_of(OPENAI, minute_s=2.0).hints(answered(200, {}, headers))
    assert hints == Hints(Window(500, 2.0), Window(30_000, 2.0), 60 / 500)


def test_mistral_s_quota_is_read():
    headers = {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-limit-tokens-minute": "5000"}
    assert service_of(MISTRAL).hints(answered(200, {}, headers)) == Hints(Window(60, 60.0), Window(5000, 60.0))


@ALL
@pytest.mark.parametrize("value", ["", "many", "-1", "0", "1.5"])
def test_headers_that_tell_nothing_change_nothing(provider, value):
    names = ("anthropic-ratelimit-requests-limit", "x-ratelimit-limit-requests", "x-ratelimit-limit-req-minute")
    assert service_of(provider).hints(answered(200, {}, dict.fromkeys(names, value))) is None
    assert service_of(provider).hints(answered(200, {})) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("250µs", 0.00025),
        ("0s", 0.0),
        ("", None),
        ("5", None),
        ("-1s", None),
        ("1s" * 30, None),
    ],
)
def test_go_durations_are_read(text, seconds):
    assert go_duration_s(text) == (None if seconds is None else pytest.approx(seconds))


# ── services and requests ──


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8080", "http://localhost:8080/", "http://localhost:8080/v1", "http://localhost:8080/v1/"],
)
def test_an_address_may_end_in_v1(address):
    assert service_of(COMPATIBLE, base_url=address).base_url == "http://localhost:8080"


def _request(provider=OPENAI, *, stream=True, base_url=None, price=PRICE, **more):
    service = service_of(provider, base_url=base_url)
    return analysis_request(service, provider, "m", PROMPT, price=price, stream=stream, **more)


def test_a_request_reserves_its_prompt_and_its_longest_answer_and_is_charged_at_most_its_bytes():
    request = _request()
    assert (request.method, request.path, request.kind) == ("POST", "/v1/chat/completions", "analysis")
    assert request.tokens == prompt_tokens(PROMPT) + 1024
    assert request.charge == Charge("openai", "m", PRICE, Usage(most_prompt_tokens(PROMPT), 1024))
    assert request.charge.most.tokens_in > prompt_tokens(PROMPT)
    assert _request(price=None).charge is None


def test_a_stream_is_expected_as_bytes():
    assert (_request().stream, _request().expects) == (True, "bytes")
    assert (_request(stream=False).stream, _request(stream=False).expects) == (False, "json")


def test_streamed_whole_and_batched_answers_are_one_memory_and_another_address_another():
    key = _request().known_as
    assert key == _request(stream=False, later=True).known_as
    assert key != _request(base_url="http://127.0.0.1:9").known_as
    assert key != _request(MISTRAL).known_as


def test_what_is_analysed_is_remembered_and_a_batch_is_not():
    assert set(service_of(OPENAI, lifetime_s=7.0).lifetimes) == {"analysis"}
    assert service_of(OPENAI, lifetime_s=7.0).lifetimes["analysis"] == Lifetime(7.0, 7.0)


def test_that_the_model_refused_is_remembered_for_a_day():
    assert service_of(OPENAI).lifetimes["analysis"] == Lifetime(30 * 86_400.0, 86_400.0)


def test_later_and_replaceable_are_handed_on():
    request = _request(later=True, replaceable=True)
    assert (request.later, request.replaceable) == (True, True)
    assert (_request().later, _request().replaceable) == (False, False)


@ALL
def test_an_answer_is_read_streamed_or_whole(provider):
    for body in (streamed(provider), whole(provider)):
        analysis, usage = reply_of(provider, Answer(200, None, body))
        assert analysis == read_analysis(REPLY)
        assert usage.tokens_out == 90
    assert is_stream(streamed(provider))
    assert not is_stream(whole(provider))


@ALL
def test_an_answer_that_holds_no_analysis_says_why(provider):
    for body, said in [
        (whole(provider, stop="refusal"), "the model refused"),
        (whole(provider, REPLY[:50], stop="length"), "no JSON object"),
        (whole(provider, "hm"), "no JSON object"),
    ]:
        with pytest.raises(ValueError, match=said):
            reply_of(provider, Answer(200, None, body))


# ── batches ──

BATCHED = pytest.mark.parametrize("provider", [ANTHROPIC, OPENAI, MISTRAL], ids=lambda provider: provider.name)
IDS = ["a1", "b2"]
SINCE = 1_790_000_000.0  # 2026-09-21T14:13:20Z


def drive(flow, answers):
    """Drive a flow with the bodies that its requests are answered with: its result, and the requests."""
    asked = []
    try:
        request = next(flow)
        for body in answers:
            asked.append(request)
            raw = body if isinstance(body, bytes) else json_body(body)
            request = flow.send(Answer(200, None if request.expects == "bytes" else json.loads(raw), raw))
    except StopIteration as stop:
        return stop.value, asked
    pytest.fail(f"the flow asks for more: {request.path}")


def handed_in(provider, service):
    requests = [analysis_request(service, provider, "m", PROMPT, price=None, stream=True) for _ in IDS]
    return list(zip(IDS, requests, strict=True))


def submitted(provider):
    service = service_of(provider)
    answers = [{"id": "batch_1"}] if provider is not OPENAI else [{"id": "file-1"}, {"id": "batch_1"}]
    batch_id, asked = drive(service.batch.submit(handed_in(provider, service)), answers)
    assert batch_id == "batch_1"
    assert all(request.kind == "batch" and request.method == "POST" and request.service is service for request in asked)
    return asked


def test_anthropic_takes_a_batch_in_one_request():
    (request,) = submitted(ANTHROPIC)
    assert request.path == "/v1/messages/batches"
    assert request.headers["anthropic-version"] == "2023-06-01"
    entries = json.loads(request.body)["requests"]
    assert [entry["custom_id"] for entry in entries] == IDS
    assert entries[0]["params"] == sent(ANTHROPIC, stream=False)[2] | {"model": "m"}


def test_openai_takes_a_batch_as_a_file_and_a_job():
    upload, job = submitted(OPENAI)
    assert (upload.path, job.path) == ("/v1/files", "/v1/batches")
    boundary = upload.headers["content-type"].partition("multipart/form-data; boundary=")[2].encode()
    empty, purpose, file, end = upload.body.split(b"--" + boundary)
    assert (empty, end) == (b"", b"--\r\n")
    assert purpose.endswith(b'name="purpose"\r\n\r\nbatch\r\n')
    lines = file.partition(b"\r\n\r\n")[2].strip().split(b"\n")
    first = json.loads(lines[0])
    assert (first["custom_id"], first["method"], first["url"]) == ("a1", "POST", "/v1/chat/completions")
    assert first["body"] == sent(OPENAI, stream=False)[2] | {"model": "m"}
    assert json.loads(job.body) == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"enricher": mark_of(IDS)},
    }


def test_mistral_takes_a_batch_inline_with_one_model_for_all():
    (request,) = submitted(MISTRAL)
    job = json.loads(request.body)
    assert request.path == "/v1/batch/jobs"
    assert (job["model"], job["endpoint"]) == ("m", "/v1/chat/completions")
    assert job["metadata"] == {"enricher": mark_of(IDS)}
    assert [entry["custom_id"] for entry in job["requests"]] == IDS
    assert set(job["requests"][0]["body"]) == {"messages", "max_tokens", "response_format"}


@pytest.mark.parametrize("provider", [OPENAI, MISTRAL], ids=lambda provider: provider.name)
def test_a_batch_of_two_models_is_not_handed_in(provider):
    service = service_of(provider)
    requests = handed_in(provider, service)
    other = analysis_request(service, provider, "other", PROMPT, price=None, stream=False)
    with pytest.raises(ValueError, match="one and the same model"):
        next(service.batch.submit([*requests, ("c3", other)]))


@BATCHED
@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"id": "../../files"}', b'{"id": 7}'])
def test_an_answer_that_names_no_batch_leaves_it_undecided(provider, body):
    service = service_of(provider)
    answers = [{"id": "file-1"}] * (provider is OPENAI) + [body]
    with pytest.raises(Undecided):
        drive(service.batch.submit(handed_in(provider, service)), answers)


@BATCHED
def test_a_batch_is_handed_in_once_where_its_taking_is_in_doubt(provider):
    request = {"method": "POST", "kind": "batch"}
    service = service_of(provider)
    hand_in = Request(service, provider.batch_path, **request)
    for status in (500, 502, 503, 529):
        verdict = service.classify(hand_in, answered(status, None, {"retry-after": "1"}), None)
        assert verdict == Retry(f"HTTP {status}, so the batch may or may not be taken", attempts=1)
    assert service.classify(hand_in, answered(408), None).attempts == 1
    assert service.classify(hand_in, answered(429), None) == Retry("HTTP 429", pause=True)
    assert service.classify(hand_in, answered(401), None) == RefuseKey("not accepted (HTTP 401)")
    looked_at = Request(service, provider.batch_path, kind="batch")
    assert service.classify(looked_at, answered(500), None) == Retry("HTTP 500")


@pytest.mark.parametrize(
    ("provider", "data", "state"),
    [
        (ANTHROPIC, {"processing_status": "in_progress"}, BatchState(ended=False)),
        (ANTHROPIC, {"processing_status": "canceling"}, BatchState(ended=False)),
        (ANTHROPIC, {"processing_status": "ended"}, BatchState(ended=True)),
        (OPENAI, {"status": "validating"}, BatchState(ended=False)),
        (OPENAI, {"status": "in_progress"}, BatchState(ended=False)),
        (OPENAI, {"status": "completed"}, BatchState(ended=True)),
        (OPENAI, {"status": "expired"}, BatchState(ended=True)),
        (OPENAI, {"status": "failed"}, BatchState(ended=True, reason="the provider could not use the batch")),
        (MISTRAL, {"status": "QUEUED"}, BatchState(ended=False)),
        (MISTRAL, {"status": "SUCCESS"}, BatchState(ended=True)),
        (MISTRAL, {"status": "TIMEOUT_EXCEEDED"}, BatchState(ended=True)),
        (MISTRAL, {"status": "FAILED", "succeeded_requests": 1}, BatchState(ended=True)),
        (
            MISTRAL,
            {"status": "FAILED", "succeeded_requests": 0},
            BatchState(ended=True, reason="the provider could not use the batch"),
        ),
        (ANTHROPIC, {}, BatchState(ended=False)),
        (OPENAI, {}, BatchState(ended=False)),
        (MISTRAL, {}, BatchState(ended=False)),
    ],
)
def test_a_batch_stands(provider, data, state):
    found, (request,) = drive(service_of(provider).batch.state("batch_1"), [data])
    assert found == state
    assert (request.method, request.path) == ("GET", f"{provider.batch_path}/batch_1")


def jsonl(*lines):
    return b"".join(json_body(line) + b"\n" for line in lines)


def chat_line(custom_id, status=200, body=None, code=None):
    response = {"status_code": status, "request_id": "r", "body": chat_completion() if body is None else body}
    return {"id": "l", "custom_id": custom_id, "response": response, "error": None if code is None else {"code": code}}


def test_anthropic_s_results_are_read_in_any_order_from_our_own_address():
    body = jsonl(
        {"custom_id": "b2", "result": {"type": "succeeded", "message": anthropic_message()}},
        {"custom_id": "a1", "result": {"type": "errored", "error": error("invalid_request_error")}},
        {"custom_id": "c3", "result": {"type": "expired"}},
        {"custom_id": "d4", "result": {"type": "canceled"}},
        {"no": "id"},
    )
    results, (request,) = drive(service_of(ANTHROPIC).batch.results("batch_1"), [body])
    assert request.path == "/v1/messages/batches/batch_1/results"
    assert [(result.custom_id, result.body is None, result.reason) for result in results] == [
        ("b2", False, ""),
        ("a1", True, "the API refused it in the batch"),
        ("c3", True, "the batch expired before it"),
        ("d4", True, "the batch was cancelled before it"),
    ]
    assert reply_of(ANTHROPIC, Answer(200, None, results[0].body))[0] == read_analysis(REPLY)


def test_openai_s_results_are_two_files():
    job = {"status": "expired", "output_file_id": "file-out", "error_file_id": "file-err"}
    out = jsonl(chat_line("a1"), chat_line("b2", 500, {"error": {"message": "x"}}))
    err = jsonl({"custom_id": "c3", "response": None, "error": {"code": "batch_expired", "message": "x"}})
    results, asked = drive(service_of(OPENAI).batch.results("batch_1"), [job, out, err])
    assert [request.path for request in asked[1:]] == ["/v1/files/file-out/content", "/v1/files/file-err/content"]
    assert [(result.custom_id, result.body is None, result.reason) for result in results] == [
        ("a1", False, ""),
        ("b2", True, "the API refused it in the batch"),
        ("c3", True, "the batch expired before it"),
    ]
    assert reply_of(OPENAI, Answer(200, None, results[0].body))[1] == Usage(500, 90, 100)


def test_a_batch_without_files_has_no_results():
    assert drive(service_of(OPENAI).batch.results("batch_1"), [{"output_file_id": None}])[0] == []
    assert drive(service_of(MISTRAL).batch.results("batch_1"), [{"outputs": None}])[0] == []


def test_mistral_s_results_come_inline_or_as_a_file():
    results, (request,) = drive(
        service_of(MISTRAL).batch.results("j1"), [{"outputs": [chat_line("a1"), chat_line("b2", 422)]}]
    )
    assert request.params == {"inline": "true"}
    assert [result.body is None for result in results] == [False, True]
    job = {"outputs": None, "output_file": "f-1", "error_file": None}
    results, asked = drive(service_of(MISTRAL).batch.results("j1"), [job, jsonl(chat_line("a1"))])
    assert asked[1].path == "/v1/files/f-1/content"
    assert [result.custom_id for result in results] == ["a1"]


# ── finding a batch that may have been taken ──


def marked(batch_id, mark, created_at=SINCE + 5):
    return {"id": batch_id, "created_at": int(created_at), "metadata": None if mark is None else {"enricher": mark}}


@pytest.mark.parametrize("provider", [OPENAI, MISTRAL], ids=lambda provider: provider.name)
def test_a_batch_is_found_by_its_mark(provider):
    listed = {"data": [marked("x", None), marked("y", "another"), marked("z", mark_of(IDS[::-1]))], "has_more": False}
    found, (request,) = drive(service_of(provider).batch.find(IDS, SINCE), [listed])
    assert found == "z"
    assert (request.method, request.path) == ("GET", provider.batch_path)


@pytest.mark.parametrize("provider", [OPENAI, MISTRAL], ids=lambda provider: provider.name)
def test_a_batch_whose_mark_is_nowhere_was_not_taken(provider):
    assert (
        drive(service_of(provider).batch.find(IDS, SINCE), [{"data": [marked("x", "another")], "has_more": False}])[0]
        is None
    )


def test_the_list_is_read_page_by_page_and_no_further_back_than_asked():
    page = {"data": [marked("x", "another")], "has_more": True, "last_id": "x"}
    last = {"data": [marked("z", mark_of(IDS))], "has_more": False}
    found, asked = drive(service_of(OPENAI).batch.find(IDS, SINCE), [page, last])
    assert (found, asked[1].params["after"]) == ("z", "x")
    old = {"data": [marked("x", "another", SINCE - 3600)], "has_more": True, "last_id": "x"}
    assert drive(service_of(OPENAI).batch.find(IDS, SINCE), [old])[0] is None
    full = {"data": [marked("x", "another")] * 100}
    found, asked = drive(service_of(MISTRAL).batch.find(IDS, SINCE), [full, last])
    assert (found, [request.params["page"] for request in asked]) == ("z", ["0", "1"])
    assert asked[0].params["created_after"] == "2026-09-21T14:12:20+00:00"


@BATCHED
def test_a_list_without_an_end_is_undecided(provider):
    made = {"created_at": "2026-09-21T14:13:25Z", "request_counts": {}} if provider is ANTHROPIC else {}
    page = {"data": [{**marked("x", "another"), **made}] * 100, "has_more": True, "last_id": "x"}
    with pytest.raises(Undecided, match="too many"):
        drive(service_of(provider).batch.find(IDS, SINCE), [page] * 50)


def made(batch_id, status="in_progress", size=2, created_at="2026-09-21T14:13:25.100435Z"):
    counts = {"processing": size, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return {"id": batch_id, "created_at": created_at, "processing_status": status, "request_counts": counts}


def find(listed, *results):
    return drive(service_of(ANTHROPIC).batch.find(IDS, SINCE), [{"data": listed, "has_more": False}, *results])[0]


def results_for(*ids):
    return jsonl(*({"custom_id": name, "result": {"type": "expired"}} for name in ids))


def test_anthropic_s_one_batch_under_way_of_that_size_is_ours():
    assert find([made("x", size=3), made("y"), made("old", created_at="2026-09-20T14:13:25Z")]) == "y"


def test_anthropic_s_ended_batch_is_ours_by_its_ids():
    ended = [made("x", "ended"), made("y", "ended")]
    assert find(ended, results_for("c3", "d4"), results_for("b2", "a1")) == "y"
    assert find(ended, results_for("c3", "d4"), results_for("a1", "d4")) is None


def test_none_of_that_size_means_not_taken():
    assert find([]) is None
    assert find([made("x", size=1)]) is None


def test_a_batch_that_is_known_already_is_not_the_one_looked_for():
    listed = {"data": [made("x"), made("y")], "has_more": False}
    assert drive(service_of(ANTHROPIC).batch.find(IDS, SINCE, {"x"}), [listed])[0] == "y"
    assert drive(service_of(ANTHROPIC).batch.find(IDS, SINCE, {"x", "y"}), [listed])[0] is None
    for provider in (OPENAI, MISTRAL):
        listed = {"data": [marked("x", mark_of(IDS))], "has_more": False}
        assert drive(service_of(provider).batch.find(IDS, SINCE, {"x"}), [listed])[0] is None


def test_two_of_anthropic_s_under_way_of_that_size_are_undecided():
    with pytest.raises(Undecided, match="look into the provider's list"):
        find([made("x"), made("y")])


def test_a_server_of_one_s_own_takes_no_batch():
    assert service_of(COMPATIBLE).batch is None


@BATCHED
def test_a_batch_costs_half(provider):
    assert service_of(provider).batch.discount == 0.5


# ── addresses ──


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h:1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("http://h:1//v1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1beta/openai/", "http://h:1/v1beta/openai/chat/completions"),
        ("http://h:1/api/paas/v4", "http://h:1/api/paas/v4/chat/completions"),
        ("http://h:1/custom/chat/completions/", "http://h:1/custom/chat/completions"),
        ("http://h:1/proxy", "http://h:1/proxy/chat/completions"),
        ("http://h:1/openai/deployments/d?api-version=1", "http://h:1/openai/deployments/d/chat/completions"),
        ("http://h:1/x/chat/completions?api-version=1", "http://h:1/x/chat/completions"),
    ],
)
def test_an_address_is_used_as_it_is_given(address, asked):
    endpoint = endpoint_of(address)
    assert endpoint.base_url + endpoint.located("/v1/chat/completions") == asked


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/messages"])
@pytest.mark.parametrize("path", ["", "/anthropic", "/api/v4"])
def test_anthropic_s_version_is_added_to_every_address(path, end):
    endpoint = endpoint_of(f"https://h{path}{end}", always_versioned=True)
    assert endpoint.base_url + endpoint.located("/v1/messages") == f"https://h{path}/v1/messages"


def test_the_query_of_an_address_is_placed_like_a_key_and_shown_nowhere():
    service = service_of(COMPATIBLE, base_url="https://h/v1?key=geheim&x=a%20b")
    assert service.place_key(NO_KEY) == KeyPlace(params={"key": "geheim", "x": "a b"})
    assert service.place_key("k").headers == {"Authorization": "Bearer k"}
    assert "geheim" not in repr((service, endpoint_of("https://h/v1?key=geheim"), service.place_key("k")))


def test_azure_takes_a_key_in_a_header_of_its_own():
    place = service_of(COMPATIBLE, base_url="https://h/openai/deployments/d?api-version=1").place_key("k")
    assert place == KeyPlace(params={"api-version": "1"}, headers={"api-key": "k"})


@pytest.mark.parametrize("provider", [ANTHROPIC, OPENAI, MISTRAL], ids=lambda provider: provider.name)
def test_a_batch_goes_where_the_analyses_go(provider):
    service = service_of(provider, base_url="https://h/some/v9/openai")
    request = next(service.batch.state("batch_1"))
    assert request.path.startswith("/v1/" if provider is ANTHROPIC else "/batch")


# ── what a server turns out to accept ──


def analyst(provider=COMPATIBLE, base_url="http://h/v1", **choices):
    endpoint = endpoint_for(provider, base_url)
    service = service_of(provider, endpoint=endpoint)
    return ModelAnalyst(service, provider, "m", None, stream=True, endpoint=endpoint, **choices)


def asking(someone, *answers):
    """What an analyst sends, as each answer comes: a reason is a refusal, an error an error, None a good reply."""
    flow = someone.analyse(ARTICLE, replaceable=False)
    requests = [next(flow)]
    for told in answers:
        try:
            if told is None:
                flow.send(Answer(200, None, whole(someone.provider)))
            else:
                requests.append(flow.throw(told if isinstance(told, Exception) else Refused(told, 1)))
        except StopIteration as stop:
            return requests, stop.value
    return requests, None


def body_of(request):
    return json.loads(request.body)


@pytest.mark.parametrize(
    ("provider", "choices", "refusals", "gone", "come"),
    [
        (COMPATIBLE, {}, ["max_tokens"], {"max_tokens"}, {"max_completion_tokens", "response_format"}),
        (OPENAI, {}, ["max_completion_tokens"], {"max_completion_tokens"}, {"max_tokens", "stream_options"}),
        (MISTRAL, {}, ["response_format"], {"response_format"}, {"max_tokens"}),
        (COMPATIBLE, {"effort": "low"}, ["reasoning_effort"], {"reasoning_effort"}, {"response_format", "max_tokens"}),
        (
            COMPATIBLE,
            {},
            ["response_format", "max_tokens"],
            {"response_format", "max_tokens"},
            {"max_completion_tokens"},
        ),
        (OPENAI, {}, ["stream_options"], {"stream_options"}, {"response_format"}),
        (ANTHROPIC, {"effort": "low"}, ["reasoning_effort"], set(), {"output_config"}),
        (COMPATIBLE, {}, [""], {"response_format"}, {"max_tokens"}),
        (COMPATIBLE, {}, ["", ""], {"response_format", "max_tokens"}, {"max_completion_tokens"}),
    ],
)
def test_what_a_server_refuses_is_left_out_and_by_all_articles_after_it(provider, choices, refusals, gone, come):
    someone = analyst(provider, **choices)
    reasons = [f"{BAD_REQUEST} (HTTP 400){': ' * bool(name)}{name}" for name in refusals]
    requests, analysed = asking(someone, *reasons, None)
    assert analysed.provider == provider.name
    assert len(requests) == 1 + len(refusals)
    for request in (requests[-1], asking(someone)[0][0]):
        assert not gone & body_of(request).keys()
        assert come <= body_of(request).keys()


def test_a_form_that_is_refused_as_well_teaches_nothing_and_the_first_reason_stands():
    someone = analyst()
    with pytest.raises(Refused, match=r"\(HTTP 400\): response_format"):
        asking(
            someone,
            *[f"{BAD_REQUEST} (HTTP 400): {name}" for name in ("response_format", "max_tokens", "max_tokens")] * 2,
        )
    assert {"response_format", "max_tokens"} <= body_of(asking(someone)[0][0]).keys()


def test_a_schema_that_makes_a_server_fail_is_left_out_and_blamed_once():
    someone = analyst()
    with_it, without = asking(someone, GaveUp("HTTP 500", 5), None)[0]
    assert "response_format" not in body_of(without)
    assert (with_it.attempts, without.attempts) == (None, 1)
    assert "response_format" not in body_of(asking(someone)[0][0])
    someone = analyst()
    for _ in range(2):
        with pytest.raises(GaveUp, match="HTTP 500"):
            asking(someone, GaveUp("HTTP 500", 5), GaveUp("HTTP 500", 5))
        assert someone.dialect.schema_is_fine
    with pytest.raises(GaveUp):
        asking(someone, GaveUp("HTTP 500", 5))  # not asked without a schema again


def test_a_reply_that_was_cut_is_asked_for_once_more_with_more_room():
    someone = analyst(OPENAI, max_tokens=500)
    requests, analysed = asking(someone, "the reply was cut: max_tokens was used up by thinking", None)
    assert [body_of(request)["max_completion_tokens"] for request in requests] == [500, 2000]
    assert analysed.provider == "openai"
    assert requests[1].tokens - requests[0].tokens == 1500
    assert body_of(asking(someone)[0][0])["max_completion_tokens"] == 2000  # all that come after begin with it


def test_a_reply_that_is_cut_again_names_the_settings_and_teaches_nothing():
    someone = analyst(max_tokens=500)
    cut = "the reply was cut: max_tokens was used up by thinking"
    with pytest.raises(Refused, match=r"thinking \(2,000\); raise --max-tokens, or lower --reasoning-effort"):
        asking(someone, cut, cut)
    with pytest.raises(Refused, match=r"^the reply was cut.* \(500\); raise --max-tokens"):
        asking(someone, cut, f"{BAD_REQUEST} (HTTP 400): max_tokens")  # more than the server gives
    assert body_of(asking(someone)[0][0])["max_tokens"] == 500


def test_the_version_that_an_address_wants_is_found_once():
    for address, paths in [
        ("http://h", ["/v1/chat/completions", "/chat/completions"]),
        ("http://h/proxy", ["/chat/completions", "/v1/chat/completions"]),
    ]:
        someone = analyst(base_url=address)
        requests, _ = asking(someone, f"{NO_SUCH_ADDRESS} (HTTP 404)", None)
        assert [request.path for request in requests] == paths
        assert asking(someone)[0][0].path == paths[1]
    with pytest.raises(Refused, match=NO_SUCH_ADDRESS):
        asking(analyst(base_url="http://h/v1"), f"{NO_SUCH_ADDRESS} (HTTP 404)")


def test_an_effort_is_sent_in_the_api_s_own_words_and_is_another_memory():
    openai, anthropic = asking(analyst(effort="low"))[0][0], asking(analyst(ANTHROPIC, effort="low"))[0][0]
    assert body_of(openai)["reasoning_effort"] == "low"
    assert body_of(anthropic)["output_config"]["effort"] == "low"
    assert openai.known_as != asking(analyst())[0][0].known_as
    assert asking(analyst(max_tokens=99))[0][0].known_as == asking(analyst())[0][0].known_as
