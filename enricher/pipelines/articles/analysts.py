"""Who analyses an article: a model behind an API, or the extractive analyser that needs no key and no network."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from ...errors import Refused
from ...model import Answer, Compute, Failed, Price, Request, Service, Usage
from .analysis import Analysis, Article, Prompt, prompt_of
from .providers import local
from .providers.base import BAD_REQUEST, Provider
from .providers.services import REFUSED, analysis_request, reply_of
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
        """Its analysis; Failed if the model refuses. What it cost is what the call that brought the answer cost, whenever
        that was, and None where that is not known.

        :raises ExchangeError: if the provider is exhausted, refuses, is down, or does not keep to the schema.
        """
        prompt = prompt_of(article)
        try:
            answer: Answer = yield self._request(prompt, replaceable)
        except Refused as refused:
            if not refused.reason.startswith(BAD_REQUEST):
                raise
            # Some servers know no schema. The prompt describes the fields as well.
            answer = yield self._request(replace(prompt, schema=None), replaceable)
        if answer.missing:
            return Failed(REFUSED)
        analysis, usage = reply_of(self.provider, answer)
        told = usage or Usage()
        return Analysed(analysis, self.provider.name, self.model, told.tokens_in, told.tokens_out, self._cost(usage))

    def _cost(self, usage: Usage | None) -> float | None:
        """Dollars."""
        if self.price is None:
            return 0.0
        return None if usage is None else round(self.price.of(usage) * self.discount / NANO, 9)

    def _request(self, prompt: Prompt, replaceable: bool) -> Request:
        return analysis_request(
            self.service,
            self.provider,
            self.model,
            prompt,
            price=self.price,
            stream=self.stream and not self.later,
            later=self.later,
            replaceable=replaceable,
        )
