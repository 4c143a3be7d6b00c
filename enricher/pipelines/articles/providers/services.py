"""A provider becomes a `Service`: what its answers mean, and which requests are made of it.

An analysis is judged before it is remembered: whole, not refused, not cut, and fitting our schema. What does not fit is
asked for once more. Such an answer has been paid for all the same: its usage is told in any case. That the model refused is
an answer, too: it would refuse again, for money, so it is remembered for a day (`Answer.missing`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from ....model import (
    Accept,
    Answer,
    Charge,
    Lifetime,
    Price,
    Refuse,
    Request,
    Response,
    Retry,
    Service,
    Usage,
    Verdict,
    Window,
)
from ..analysis import Analysis, Prompt, known_as, most_prompt_tokens, prompt_tokens, read_analysis
from .base import Provider, Reply, is_stream
from .endpoints import VERSION, Endpoint, endpoint_of

ANALYSIS = "analysis"
"""The kind of a request for an analysis: the one that is remembered. What a batch asks is of the kind "batch"."""

LIFETIME_S = 30 * 86_400.0
REFUSED_S = 86_400.0

# What a thousand results of a batch, or the events of a long stream, stay well below.
MOST_BYTES = 64 * 1024 * 1024

REFUSED = "the model refused"
CUT = "the reply was cut"
"""How the reason begins if more room (`Prompt.max_tokens`) may help."""

BROKE_OFF = "the stream broke off"
_UNFIT = "the reply does not fit the schema"


def service_of(
    provider: Provider,
    *,
    base_url: str | None = None,
    endpoint: Endpoint | None = None,
    name: str | None = None,
    timeout_s: float = 60.0,
    windows: tuple[Window, ...] = (),
    token_windows: tuple[Window, ...] = (),
    lifetime_s: float = LIFETIME_S,
    minute_s: float = 60.0,
) -> Service:
    """A provider as a service. `lifetime_s` is how long its analyses are good.

    `endpoint` is where it is, or `base_url` says so (see endpoints.py). `name` is by default the provider's. `windows` and
    `token_windows` hold until its headers tell others. `minute_s` is what its API takes for a minute, seconds: a simulated
    one may be short.
    """
    there = endpoint or endpoint_for(provider, base_url)
    made: list[Service] = []

    def ask(path: str, **more: Any) -> Request:
        return Request(made[0], there.located(path), kind="batch", **more)

    lifetime = Lifetime(found_s=lifetime_s, missing_s=min(lifetime_s, REFUSED_S))
    service = Service(
        name=name or provider.name,
        base_url=there.base_url,
        windows=windows,
        token_windows=token_windows,
        place_key=there.placing(provider.place_key),
        classify=partial(classify, provider),
        lifetimes={ANALYSIS: lifetime},
        timeout_s=timeout_s,
        max_bytes=MOST_BYTES,
        hints=_hints(provider, minute_s),
        usage=partial(usage_of, provider),
        batch=None if provider.batch is None else provider.batch(ask),
        idempotent=True,  # an analysis that is made twice costs twice, and does no other harm
    )
    made.append(service)
    return service


def _hints(provider: Provider, minute_s: float) -> Callable[[Response], Any]:
    return lambda response: provider.hints(response, minute_s)


def endpoint_for(provider: Provider, base_url: str | None) -> Endpoint:
    """Where a provider is: at its own address, or at another one."""
    return endpoint_of(base_url or provider.base_url, always_versioned=provider.always_versioned)


def classify(provider: Provider, request: Request, response: Response, data: Any) -> Verdict | None:
    """What an answer means; None leaves it to the general rules.

    Within a 200, faults are looked for in an analysis alone: a file of a batch's results holds errors, and is none.
    """
    accepted = 200 <= response.status < 300
    verdict = None if accepted and request.kind != ANALYSIS else provider.judge(response, data)
    if request.method == "POST" and provider.batch_path and request.path.endswith(provider.batch_path[len(VERSION) :]):
        return _judge_hand_in(response, verdict)
    if accepted and verdict is None and request.kind == ANALYSIS:
        return _judge_reply(provider, response.body)
    return verdict


def _judge_hand_in(response: Response, verdict: Verdict | None) -> Verdict | None:
    """A batch whose taking is in doubt must be looked for before it is handed in again: there is one attempt.

    Only "too many requests" says for sure that it was not taken.
    """
    if response.status >= 500 and (verdict is None or isinstance(verdict, Retry)):
        return Retry(f"HTTP {response.status}, so the batch may or may not be taken", attempts=1)
    if isinstance(verdict, Retry) and not verdict.pause:
        return replace(verdict, attempts=1)
    return verdict


@lru_cache(maxsize=16)  # a stream is some hundred events, and one after the other judge it, charge it and use it
def _read(read: Callable[[bytes, bool], Reply], body: bytes) -> Reply:
    return read(body, is_stream(body))


def _judge_reply(provider: Provider, body: bytes) -> Verdict:
    try:
        reply = _read(provider.read, body)
    except ValueError:
        return _judge_no_reply(body)
    match reply.stop:
        case "refusal":
            return Accept(missing=True)
        case "failed":
            return Retry("the API failed within its answer")
        case "unended":
            return Retry(BROKE_OFF) if is_stream(body) else Retry("the reply is not whole", attempts=2)
    try:
        read_analysis(reply.text)
    except ValueError as error:
        # Asked the same again, the model would be cut again.
        return Refuse(_cut(reply)) if reply.stop == "length" else Retry(f"{_UNFIT}: {error}", attempts=2)
    return Accept()


def _judge_no_reply(body: bytes) -> Verdict:
    """What is neither a reply nor the beginning of one."""
    if not is_stream(body):
        return Retry("the reply is not whole", attempts=2)
    is_page = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    return Refuse("HTML or XML, not JSON") if is_page else Retry(BROKE_OFF)


def _cut(reply: Reply) -> str:
    """Why a reply was cut, with the setting that helps."""
    if reply.thought and not reply.text.strip():
        return f"{CUT}: max_tokens was used up by thinking"
    return f"{CUT}: it is longer than max_tokens"


def usage_of(provider: Provider, response: Response) -> Usage | None:
    """What an answer took; None where it does not tell. A request that was refused or failed is not billed."""
    if response.status >= 400:
        return Usage()
    try:
        return _read(provider.read, response.body).usage
    except ValueError:
        return None


def analysis_request(
    service: Service,
    provider: Provider,
    model: str,
    prompt: Prompt,
    *,
    price: Price | None,
    stream: bool,
    later: bool = False,
    replaceable: bool = False,
    located: Callable[[str], str] | None = None,
    attempts: int | None = None,
) -> Request:
    """The request for an article's analysis. Its prompt is `prompt_of` the article.

    It reserves what its prompt takes by estimate and all that its answer may take. It is charged at most what no prompt of
    so many bytes and no such answer can pass, so that a budget holds whatever the text. `price` None: it costs nothing.
    `located` says how the server spells a path (`Endpoint.located`), `attempts` how many the request has.
    """
    path, headers, body = provider.build(model, prompt, stream)
    most = Usage(tokens_in=most_prompt_tokens(prompt), tokens_out=prompt.max_tokens)
    # A simulated or a local model must not answer for the provider's own.
    elsewhere = "" if service.base_url == provider.base_url else f" at {service.base_url}"
    return Request(
        service,
        path if located is None else located(path),
        kind=ANALYSIS,
        method="POST",
        body=body,
        expects="bytes" if stream else "json",
        headers=headers,
        known_as=known_as(prompt.content, provider.name + elsewhere, model, prompt.effort),
        tokens=prompt_tokens(prompt) + prompt.max_tokens,
        stream=stream,
        charge=None if price is None else Charge(provider.name, model, price, most),
        later=later,
        replaceable=replaceable,
        attempts=attempts,
    )


def reply_of(provider: Provider, answer: Answer) -> tuple[Analysis, Usage | None]:
    """The analysis in an answer, and what it took. A batch answers with one object even where a stream was asked for.

    :raises ValueError: in our own words, if it holds none. One that `classify` accepted does, unless it is `missing`.
    """
    reply = _read(provider.read, answer.body)
    if reply.stop == "refusal":
        raise ValueError(REFUSED)
    return read_analysis(reply.text), reply.usage
