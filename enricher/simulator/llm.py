"""The simulated LLM APIs: each a world of its own, with its limits, its streams and what it charges.

A request for an analysis is known by its model and a hash of its article, not by its body: prompts may hold a nonce, and
the same article has to meet the same latency and the same faults in every run, streamed or not.

The order of judgement: outage → key → shape → limits (requests and tokens, `meter`) → fault → answer. The first byte of a
stream leaves after `FIRST_SHARE` of the latency, the last one when the answer is due. What is sent in between is cut
without regard to events or characters, as networks do.

What ran is paid: an answer with an error status is free; whatever else becomes of an answer on its way is paid for what had
been produced by then. Files and batches (`batches`) take a tenth of an analysis's latency and no quota. A fault that is an
error status comes before anything is done, one of the connection after it: a batch whose answer is lost has been taken.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from aiohttp import web

from .analyst import Reading
from .batches import AnthropicDesk, Desk, MistralDesk, OpenAIDesk
from .behaviour import ArticlesBehaviour, Fault, RetryAfter, identity
from .meter import Account, Allowance, Ending, Lease, Over, Paid
from .wording import Asked, Malformed, Reply, Wording, compose
from .world import Handler, Turn, World

FIRST_SHARE = 0.4
WRITES = 24
DESK_SHARE = 0.1

_STATUS_FAULTS = {"5xx", "429", "503", "529", "credit"}
_LOST = {"reset", "html", "garbage", "truncated"}
_MESSAGES = {
    401: "Incorrect API key provided.",
    404: "Not found.",
    405: "Method not allowed.",
    429: "Rate limit reached.",
    503: "Service unavailable.",
    529: "Overloaded",
}
_DESKS: dict[str, type[Desk]] = {"anthropic": AnthropicDesk, "openai": OpenAIDesk, "mistral": MistralDesk}
_PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "mistral": "/v1/chat/completions"}


@dataclass(slots=True, kw_only=True)
class Call(Turn):
    """A request for an analysis: what it asks for, the tokens it holds, and how much of its answer was produced."""

    asked: Asked
    reading: Reading
    lease: Lease | None = None
    produced: float = 0.0

    @property
    def first_due(self) -> float:
        """When the first token is due."""
        return self.arrived + FIRST_SHARE * self.latency_s

    def produced_by(self, now: float) -> float:
        """The share of the answer that has been produced by a moment."""
        left_s = self.due - self.first_due
        return 1.0 if left_s <= 0 else min(max((now - self.first_due) / left_s, 0.0), 1.0)


class LlmWorld(World):
    """One provider. What is paid goes to the account."""

    def __init__(self, options: ArticlesBehaviour, wording: Wording, account: Account) -> None:
        self._options, self.wording, self._account = options, wording, account
        super().__init__(options.llm(wording.name), self)
        self.desk = _DESKS[wording.name](wording, account, lambda: self.behaviour, lambda: self._options.batch_latency)

    def reset(self) -> None:
        """Begin a new tally and a new minute."""
        super().reset()
        self.allowance = self._allowance()

    def follow(self, options: ArticlesBehaviour) -> None:
        """Behave so from now on. Limits that change forget their past."""
        before, self._options = self._options, options
        self.behave(options.llm(self.wording.name))
        limits = ("llm_requests", "llm_tokens", "llm_tokens_in", "llm_tokens_out", "llm_minute")
        if any(getattr(before, name) != getattr(options, name) for name in limits):
            self.allowance = self._allowance()

    def _allowance(self) -> Allowance:
        options = self._options
        apart = (options.llm_tokens_in, options.llm_tokens_out) if self.wording.name == "anthropic" else (0, 0)
        return Allowance(
            options.llm_requests, options.llm_tokens, options.llm_minute, tokens_in=apart[0], tokens_out=apart[1]
        )

    def report(self, *, detail: bool, moments: bool) -> dict[str, Any]:
        """The counts, with the use of the token limit beside that of the requests, and the batches taken since the start."""
        allowance = self.allowance
        return {
            **self.tally.report(
                time.monotonic(), time.process_time(), self.behaviour.quota, detail=detail, moments=moments
            ),
            "tokens": {
                "limit": allowance.tokens,
                "period_s": allowance.minute_s,
                "spent": sum(lease.tokens for lease in allowance.spent),
                "used": allowance.used(),
                "taken": [[lease.at, lease.tokens_in, lease.tokens_out] for lease in allowance.spent]
                if moments
                else [],
            },
            "batches": self.desk.taken,
        }

    def provider_routes(self) -> list[web.RouteDef]:
        """The provider's routes, under its name."""
        name = self.wording.name
        return [
            web.post(f"/{name}{_PATHS[name]}", self._malformed, name=f"{name}-analysis"),
            *self.desk.routes(f"/{name}"),
        ]

    # ── dialect ────────────────────────────────────────────────────────────────────────────────────────────────────

    def admits(self, request: web.Request, key: str | None) -> bool:
        """Whether the request brings `key`, or any key at all where `key` is None."""
        given = self.wording.key(request.headers)
        return given == key if key is not None else bool(given)

    def refusal(self, status: int) -> bytes:
        """The JSON body that goes with an error status."""
        return json.dumps(self.wording.error(status, _MESSAGES.get(status, "Internal server error"))[1]).encode()

    # ── judging ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _turn(self, request: web.Request) -> Turn:
        name = self.wording.name
        if request.method == "POST" and request.path == f"/{name}{_PATHS[name]}":
            try:
                asked = await self._asked(request)
            except Malformed:
                pass  # judged like any other; its route says what is wrong
            else:
                reading = Reading.of(asked.user)
                who = f"{request.method} {request.path} {asked.model} {reading.name}"
                return Call(request, who, self.tally, asked=asked, reading=reading)
        return Turn(request, identity(request.method, request.path, request.query.items()), self.tally)

    async def _asked(self, request: web.Request) -> Asked:
        try:
            return self.wording.asked(request.headers, json.loads(await request.read()))
        except Malformed:
            raise
        except (ValueError, TypeError, AttributeError, KeyError):
            raise Malformed("The request body is not valid JSON, or not of the right shape") from None

    async def _malformed(self, request: web.Request) -> web.Response:
        try:
            await self._asked(request)
        except Malformed as error:
            status, body = self.wording.error(error.status, str(error))
            return web.json_response(body, status=status)
        raise AssertionError  # what is well formed is a Call, and never comes here

    def _turned_away(self, turn: Turn) -> web.Response | None:
        if not self.admits(turn.request, self.behaviour.key):
            return self._refuse(turn, 401)
        if not isinstance(turn, Call):
            return None
        asked = turn.asked
        leased = self.allowance.ask(turn.arrived, asked.tokens_in + asked.max_tokens, asked.tokens_in)
        if isinstance(leased, Over):
            turn.tally.rejected += 1
            status, body = self.wording.error(429, f"Rate limit reached: {leased.what} per minute.")
            return self._json(turn, body, status, {"retry-after": str(math.ceil(leased.for_s))})
        turn.lease = leased
        return None

    def _latency_s(self, turn: Turn) -> float:
        whole_s = super()._latency_s(turn)
        return whole_s if isinstance(turn, Call) else whole_s * DESK_SHARE

    # ── answering ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _perform(self, turn: Turn, handler: Handler) -> web.StreamResponse | None:
        fault = turn.fault
        streamed = isinstance(turn, Call) and turn.asked.stream
        if fault is not None and (fault.kind in _STATUS_FAULTS or (fault.kind == "error" and not streamed)):
            await self._wait_for(turn)
            self._correct(turn, 0, 0)
            return await self._harm(turn, web.Response(), fault)
        if isinstance(turn, Call):
            return await self._analyse(turn)
        if fault is not None and fault.kind in ("error", "invalid", "refusal"):
            turn.fault = None  # there is nothing here to be invalid
        return await super()._perform(turn, handler)

    async def _analyse(self, call: Call) -> web.StreamResponse | None:
        fault = call.fault.kind if call.fault is not None else ""
        reply, ending = compose(call.asked, call.reading, self._number(call), fault, self._variety(call))
        try:
            if call.asked.stream and fault not in ("reset", "html", "garbage"):
                ending = "broken" if fault in ("truncated", "error") else ending
                return await self._stream(call, reply)
            ending = "lost" if fault in _LOST else ending
            return await self._at_once(call, reply)
        except (asyncio.CancelledError, ConnectionError):
            ending = "abandoned"
            raise
        finally:
            self._settle(call, reply, ending)

    async def _at_once(self, call: Call, reply: Reply) -> web.StreamResponse | None:
        try:
            await self._wait_for(call)
        finally:
            call.produced = call.produced_by(time.monotonic())
        self._correct(call, reply.tokens_in, reply.tokens_out)
        response = self._json(call, self.wording.reply(reply))
        if call.fault is None or call.fault.kind in ("slow", "invalid", "refusal"):
            return response
        return await self._harm(call, response, call.fault)

    async def _stream(self, call: Call, reply: Reply) -> web.StreamResponse:
        events = self.wording.stream(reply)
        whole = sum(map(len, events))
        fault = call.fault.kind if call.fault is not None else ""
        # Somewhere in its middle, where it breaks at all.
        share = 0.2 + 0.6 * self._variety(call)
        if fault == "error":
            events = [*events[: int(len(events) * share)], self.wording.broken()]
        body = b"".join(events)
        if fault == "truncated":
            body = body[: int(len(body) * share)]
        size = 1 if fault == "drip" else -(-len(body) // WRITES)
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers={**headers, **self._headers(call)})
        every_s = self._between(call, len(pieces))
        for number, piece in enumerate(pieces):
            if number == len(pieces) - 1 and fault != "drip":
                await self._wait_for(call)
            else:
                await asyncio.sleep(max(call.first_due + every_s * number - time.monotonic(), 0.0))
            if number == 0:
                await response.prepare(call.request)
            await response.write(piece)
            call.produced = min(call.produced + len(piece) / whole, 1.0)
        if fault == "truncated" and call.request.transport is not None:
            call.request.transport.close()  # sends what is buffered first
            return response
        await response.write_eof()
        return response

    def _between(self, call: Call, pieces: int) -> float:
        """The seconds between two writes of a stream."""
        if call.fault is not None and call.fault.kind == "drip":
            return call.fault.seconds or 0.0
        return (call.due - call.first_due) / max(pieces - 1, 1)

    async def _harm(self, turn: Turn, response: web.StreamResponse, fault: Fault) -> web.StreamResponse | None:
        match fault.kind:
            case "529" | "error":
                return self._refuse(turn, 529)
            case "credit":
                status, body = self.wording.no_credit()
                return self._json(turn, body, status)
            case _:
                return await super()._harm(turn, response, fault)

    def _refuse(self, turn: Turn, status: int, retry_after: RetryAfter | None = None) -> web.Response:
        response = super()._refuse(turn, status, retry_after)
        response.set_status(self.wording.error(status, "")[0])
        response.headers.update(self._headers(turn))
        return response

    def _json(
        self, turn: Turn, body: dict[str, Any], status: int = 200, more: dict[str, str] | None = None
    ) -> web.Response:
        return web.json_response(
            body,
            status=status,
            headers={**self._headers(turn), **(more or {})},
            dumps=lambda value: json.dumps(value, ensure_ascii=False),
        )

    def _headers(self, turn: Turn) -> dict[str, str]:
        headers = self.wording.id_header(self._number(turn))
        if isinstance(turn, Call):
            now = time.monotonic()
            headers |= self.wording.limits(*self.allowance.left(now), time.time(), self.allowance.left_apart(now))
        return headers

    def _number(self, turn: Turn) -> str:
        """A request's id."""
        return blake2b(f"{self.behaviour.seed} {turn.who} {turn.attempt}".encode(), digest_size=12).hexdigest()

    # ── paying ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _correct(self, turn: Turn, tokens_in: int, tokens_out: int) -> None:
        if isinstance(turn, Call) and turn.lease is not None:
            self.allowance.correct(turn.lease, time.monotonic(), tokens_in, tokens_out)

    def _settle(self, call: Call, reply: Reply, ending: Ending) -> None:
        tokens_out = round(reply.tokens_out * call.produced)
        self._correct(call, reply.tokens_in, tokens_out)
        self._account.paid.append(
            Paid(
                id=reply.id,
                provider=self.wording.name,
                model=reply.model,
                tokens_in=reply.tokens_in,
                tokens_out=tokens_out,
                cached=0,
                batch=False,
                price_share=1.0,
                ended=ending,
                article=call.reading.name,
            )
        )
