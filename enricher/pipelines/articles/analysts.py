"""Who analyses an article: a model behind an API, or the extractive analyser that needs no key and no network."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from ...errors import Refused
from ...model import Answer, Compute, Failed, Price, Request, Service
from .analysis import Analysis, Article, Prompt, prompt_of
from .providers import local
from .providers.base import BAD_REQUEST, Provider
from .providers.services import analysis_request, reply_of
from .recipe import Analysed

LOCAL, LOCAL_MODEL = "local", "extractive"
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
    """Asks a model. `price` None: it costs nothing (a server of one's own). `discount` is what a batch's price is times."""

    service: Service
    provider: Provider
    model: str
    price: Price | None
    stream: bool
    later: bool = False
    discount: float = 1.0

    @property
    def name(self) -> str:
        """Who and which model."""
        return f"{self.provider.name}:{self.model}"

    def analyse(self, article: Article, *, replaceable: bool) -> Generator[Request, Any, Analysed | Failed]:
        """Its analysis.

        :raises ExchangeError: if the provider is exhausted, refuses, is down, or does not keep to the schema.
        """
        prompt = prompt_of(article)
        try:
            answer: Answer = yield self._request(article, prompt, replaceable)
        except Refused as refused:
            if not refused.reason.startswith(BAD_REQUEST):
                raise
            # Some servers know no schema. The prompt describes the fields as well.
            answer = yield self._request(article, replace(prompt, schema=None), replaceable)
        analysis, usage = reply_of(self.provider, answer)
        if usage is None:
            return Analysed(analysis, self.provider.name, self.model)
        cost = 0.0 if self.price is None else round(self.price.of(usage) * self.discount / NANO, 9)
        return Analysed(analysis, self.provider.name, self.model, usage.tokens_in, usage.tokens_out, cost)

    def _request(self, article: Article, prompt: Prompt, replaceable: bool) -> Request:
        return analysis_request(
            self.service,
            self.provider,
            self.model,
            article,
            prompt,
            price=self.price,
            stream=self.stream and not self.later,
            later=self.later,
            replaceable=replaceable,
        )
