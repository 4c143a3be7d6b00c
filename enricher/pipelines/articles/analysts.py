"""Who analyses an article: a model behind an API, or the extractive analyser that needs no key and no network."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ExchangeError, Refused
from ...model import Answer, Compute, Failed, Price, Request, Service, Usage
from .analysis import MOST_TOKENS, Analysis, Article, Prompt, prompt_of
from .providers import local
from .providers.base import BAD_REQUEST, NO_SUCH_ADDRESS, Provider
from .providers.dialect import SCHEMA, WIDER, Dialect, Form, doubted
from .providers.endpoints import VERSION, Endpoint
from .providers.services import CUT, REFUSED, analysis_request, reply_of
from .recipe import Analysed

LOCAL, LOCAL_MODEL = "local", "extractive"
FAILED = "HTTP 500"
_OF_A_FORM = (BAD_REQUEST, NO_SUCH_ADDRESS, FAILED)
NANO = 1e9


@dataclass(frozen=True, slots=True)
class LocalAnalyst:
    """Picks sentences and words out of the text."""

    timeout_s: float = 30.0
    name: str = LOCAL

    def analyse(self, article: Article, *, replaceable: bool) -> Generator[Compute, Any, Analysed | Failed]:
        """Its analysis."""
        del replaceable  # it is always there
        try:
            analysis: Analysis = yield Compute(local.analyse, (article,), timeout_s=self.timeout_s)
        except TimeoutError:
            return Failed(f"it could not be analysed within {self.timeout_s:g} s")
        except Exception:  # noqa: BLE001  # whatever became of the process: this article fails, and no other does
            return Failed("it could not be analysed")
        return Analysed(analysis, LOCAL, LOCAL_MODEL)


@dataclass(frozen=True, slots=True)
class ModelAnalyst:
    """Asks a model. `price` None: it costs nothing (a server of one's own). `discount` is what a batch's price is times.

    `max_tokens` is the room for an answer, thinking included; `effort` how much the model is to think, in its API's words.
    `endpoint` and `dialect` hold what the server turned out to want; they are shared by all workers.
    """

    service: Service
    provider: Provider
    model: str
    price: Price | None
    stream: bool
    later: bool = False
    discount: float = 1.0
    max_tokens: int = MOST_TOKENS
    effort: str | None = None
    endpoint: Endpoint | None = None
    dialect: Dialect = field(default_factory=Dialect, compare=False)

    @property
    def name(self) -> str:
        """Who and which model."""
        return f"{self.provider.name}:{self.model}"

    def analyse(self, article: Article, *, replaceable: bool) -> Generator[Request, Any, Analysed | Failed]:
        """Its analysis; Failed if the model refuses. What it cost is what the call that brought the answer cost, whenever
        that was, and None where that is not known.

        :raises ExchangeError: if the provider is exhausted, refuses, is down, or does not keep to the schema.
        """
        prompt = replace(prompt_of(article, self.max_tokens), effort=self.effort)
        answer = yield from self._answer(prompt, replaceable)
        if answer.missing:
            return Failed(REFUSED)
        analysis, usage = reply_of(self.provider, answer)
        told = usage or Usage()
        return Analysed(analysis, self.provider.name, self.model, told.tokens_in, told.tokens_out, self._cost(usage))

    def _answer(self, prompt: Prompt, replaceable: bool) -> Generator[Request, Any, Answer]:
        """The answer to a prompt, in the form and at the address that the server accepts.

        :raises ExchangeError: if it accepts none, of the first form; or if the reply is cut again with more room.
        """
        form, versions = self.dialect.form, self._versions()
        version = versions.pop(0)
        first: ExchangeError | None = None  # what the form that everybody begins with was refused for
        cut_before = False
        while True:
            try:
                # What failed with a schema is tried without it once, and not as often again.
                attempts = 1 if first is not None and first.reason == FAILED else None
                answer: Answer = yield self._request(form.of(prompt), version, replaceable, attempts)
            except ExchangeError as error:
                if error.reason.startswith(CUT):
                    if cut_before or form.room > 1:
                        raise self._cut(error, form.of(prompt)) from None
                    cut_before, form = True, replace(form, room=WIDER)
                elif cut_before:  # more room than the server gives
                    raise self._cut(error, prompt) from None
                elif error.reason.startswith(NO_SUCH_ADDRESS) and versions:
                    version = versions.pop(0)
                elif (other := self._other_form(error, form, prompt)) is not None:
                    form = other
                elif first is not None and error.reason.startswith(_OF_A_FORM):
                    self.dialect.schema_is_fine = self.dialect.schema_is_fine or first.reason == error.reason == FAILED
                    raise first from None
                else:
                    raise
                first = first or error
            else:
                self.dialect.learn(form)
                if self.endpoint is not None:
                    self.endpoint.version = version
                return answer

    def _versions(self) -> list[str]:
        """The versions that the address may want, the one first that is known to be right."""
        if self.endpoint is None:
            return [VERSION]
        known = self.endpoint.version
        return [known, *(one for one in self.endpoint.versions if one != known)]

    def _other_form(self, error: ExchangeError, form: Form, prompt: Prompt) -> Form | None:
        """The form to ask in after a refusal; None if there is none that may help."""
        known = self.dialect.form.joined(form)
        if error.reason.startswith(BAD_REQUEST):
            if known.unaccepted != form.unaccepted:  # another worker has learnt it meanwhile
                return replace(known, room=form.room)
            doubt = doubted(error.reason, self.provider, form.of(prompt))
            return None if doubt is None else form.without(doubt)
        # Servers that can't use a schema fail with 500 as well. It is no refusal, so nothing else is left out for it.
        if error.reason == FAILED and form.of(prompt).schema is not None and not self.dialect.schema_is_fine:
            return form.without(SCHEMA)
        return None

    def _cut(self, error: ExchangeError, prompt: Prompt) -> Refused:
        """That a reply was cut, with what to do."""
        why = error.reason if error.reason.startswith(CUT) else f"{CUT}: it is longer than max_tokens"
        less = ", or lower --reasoning-effort" if "thinking" in why else ""
        return Refused(f"{why} ({prompt.max_tokens:,}); raise --max-tokens{less}", error.attempts)

    def _cost(self, usage: Usage | None) -> float | None:
        """Dollars."""
        if self.price is None:
            return 0.0
        return None if usage is None else round(self.price.of(usage) * self.discount / NANO, 9)

    def _request(self, prompt: Prompt, version: str, replaceable: bool, attempts: int | None) -> Request:
        endpoint = self.endpoint
        return analysis_request(
            self.service,
            self.provider,
            self.model,
            prompt,
            price=self.price,
            stream=self.stream and not self.later,
            later=self.later,
            replaceable=replaceable,
            attempts=attempts,
            located=None if endpoint is None else lambda path: endpoint.located(path, version),
        )
