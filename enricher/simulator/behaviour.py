"""How a simulated API behaves: a frozen value, and the texts it is written as. Nothing here waits or touches a wire.

Rule 1: chance is a function of the request. A latency or a fault is drawn from hash(seed, request, ...), never from
a sequential random source, so that every mode and every client meets the same API whatever the order of arrival.
A latency does not depend on the attempt (one request, one latency: a forecast needs no history); a fault does, or a
retry could never succeed.

Rule 2: every option has one text, the same on a command line, in `Behaviour.of(...)` and in the JSON of the control
route: `parse(text)` gives the value, `str(value)` a text that parses to it again. What is wrong with a text is told
by a `ValueError` of one line: the option, the text, what is allowed.

    latency        175ms | 100-300ms | lognormal:350ms:0.5    (constant, uniform, log-normal by mean and sigma)
    quota          40/1s | 40/1s,1000/1h                      (at most N arrivals in any window of T)
    retry_after    2s | date:2s                               (what a 429 says; without it, nothing)
    faults         5xx=5%,reset=4%,slow=1%:30s                (rates; after the colon the kind's seconds)
    outage         5s-8s | 5s-8s:reset,20s-21s                (since the start, or since the last reset)

A `Behaviour` is one API's; an `ArticlesBehaviour` is that of a small web and of three LLM APIs, which take a share of its
options each (`pages`, `llm`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from email.utils import formatdate
from hashlib import blake2b
from statistics import NormalDist
from typing import Any, Literal, Self, get_args

# ── chance, durations ──────────────────────────────────────────────────────────────────────────────────────────────


def chance(seed: int, *parts: object) -> float:
    """A number in (0, 1) that depends on the seed and the parts alone, in every process and on every machine."""
    digest = blake2b("\0".join(map(str, (seed, *parts))).encode(), digest_size=8).digest()
    return ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52


def identity(method: str, path: str, params: Iterable[tuple[str, str]]) -> str:
    """The name of a request: decoded, its parameters sorted, its key left out. Chance and counts go by it.

    >>> identity("GET", "/3/search/movie", [("year", "1977"), ("api_key", "secret"), ("query", "House")])
    'GET /3/search/movie?query=House&year=1977'
    """
    return f"{method} {path}?" + "&".join(f"{name}={value}" for name, value in sorted(params) if name != "api_key")


_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_UNIT = r"\s*(?:ms|s|min|h)"
_DURATION = re.compile(rf"({_NUMBER})({_UNIT})", re.ASCII)
_SPAN = re.compile(rf"({_NUMBER})({_UNIT})?\s*-\s*({_NUMBER})({_UNIT})", re.ASCII)
_LOGNORMAL = re.compile(rf"lognormal:({_NUMBER}{_UNIT}):({_NUMBER})", re.ASCII)
_FAULT = re.compile(rf"([0-9a-z]+)=({_NUMBER})\s*(%?)(?::(.*))?", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds of a text such as `175ms`, `1.5s`, `2min`, `1h`, or `0`. Raises `ValueError` for any other."""
    text = text.strip()
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write for example 175ms, 2s, 1min or 1h")
    number, unit = float(match[1]), match[2].strip()
    # Milliseconds are divided, not multiplied by 0.001: 175 / 1000 is the float that 0.175 is written as.
    return number / 1000 if unit == "ms" else number * _UNITS_S[unit]


def _span(text: str) -> tuple[float, float] | None:
    """The seconds of `100-300ms` or `100ms-2s`, the smaller one first; None for any other text."""
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    low_s, high_s = parse_duration(match[1] + (match[2] or match[4])), parse_duration(match[3] + match[4])
    return (low_s, high_s) if low_s <= high_s else None


def _seconds(value: float) -> str:
    return f"{value!r}s".replace(".0s", "s")


# ── the parts of a behaviour ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an answer takes. `constant`: `a` seconds; `uniform`: `a` to `b`; `lognormal`: mean `a`, sigma `b`."""

    shape: Literal["constant", "uniform", "lognormal"] = "constant"
    a: float = 0.0
    b: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """`175ms`, `100-300ms`, `100ms-2s`, `lognormal:350ms:0.5`, `0`. Raises `ValueError` for any other text."""
        if (span := _span(text)) is not None:
            return cls("uniform", *span)
        if (match := _LOGNORMAL.fullmatch(text)) is not None:
            return cls("lognormal", parse_duration(match[1]), float(match[2]))
        try:
            return cls("constant", parse_duration(text))
        except ValueError:
            raise ValueError(f"latency {text!r}: write 175ms, 100-300ms or lognormal:350ms:0.5") from None

    def __str__(self) -> str:
        match self.shape:
            case "constant":
                return _seconds(self.a)
            case "uniform":
                return f"{_seconds(self.a)}-{_seconds(self.b)}"
            case "lognormal":
                return f"lognormal:{_seconds(self.a)}:{self.b!r}"

    def of(self, seed: int, request: str) -> float:
        """The latency of one request (an `identity`), in seconds."""
        if self.shape == "constant":
            return self.a
        drawn = chance(seed, "latency", request)
        if self.shape == "uniform":
            return self.a + (self.b - self.a) * drawn
        if self.a == 0:
            return 0.0
        # A log-normal variable of mean m has mu = ln m - sigma²/2.
        return math.exp(math.log(self.a) - self.b**2 / 2 + self.b * NormalDist().inv_cdf(drawn))


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` requests arrive in any `period_s` seconds: a strict sliding window."""

    limit: int
    period_s: float

    @classmethod
    def parse(cls, text: str) -> Quota:
        """`40/1s` or `40/s`. Raises `ValueError` for any other text."""
        limit, _, period = text.partition("/")
        try:
            quota = cls(int(limit), parse_duration(period if period.strip()[:1].isdigit() else "1" + period.strip()))
        except ValueError:
            quota = cls(0, 0)
        if quota.limit < 1 or quota.period_s <= 0:
            raise ValueError(f"quota {text!r}: write N/T, for example 40/1s or 1000/1h")
        return quota

    def __str__(self) -> str:
        return f"{self.limit}/{_seconds(self.period_s)}"


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The Retry-After header of a refusal: `seconds` from now, as a number or as an HTTP date."""

    seconds: float
    as_date: bool = False

    @classmethod
    def parse(cls, text: str) -> RetryAfter:
        """`2s` or `date:2s`. Raises `ValueError` for any other text."""
        try:
            return cls(parse_duration(text.removeprefix("date:")), text.startswith("date:"))
        except ValueError as error:
            raise ValueError(f"retry_after {text!r}: {error}") from None

    def __str__(self) -> str:
        return f"{'date:' if self.as_date else ''}{_seconds(self.seconds)}"

    def header(self, wall_clock_s: float) -> str:
        """The header's value; a date is rounded up, because it has no fraction of a second."""
        if self.as_date:
            return formatdate(math.ceil(wall_clock_s + self.seconds), usegmt=True)
        return f"{self.seconds:g}"


FaultKind = Literal["5xx", "reset", "truncated", "html", "429", "503", "slow", "drip", "garbage"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
"""5xx: one of 500, 502, 503, 504 · reset: the connection ends before an answer (RST or plain close) · truncated: the
body ends before its Content-Length · html: a page with status 200 · 429, 503: with a Retry-After · slow: seconds later
than the latency says · drip: the body a byte at a time · garbage: a whole body that is no JSON."""

PAGE_FAULT_KINDS: tuple[FaultKind, ...] = tuple(kind for kind in FAULT_KINDS if kind not in {"html", "garbage"})
"""Those of a page, of which nobody can tell another page or garbage."""

LlmFaultKind = Literal["529", "error", "invalid", "refusal", "credit"]
LLM_FAULT_KINDS: tuple[FaultKind | LlmFaultKind, ...] = (*FAULT_KINDS, *get_args(LlmFaultKind))
"""529: overloaded (503 where an API has no 529) · error: an error event within a stream of status 200 (as 529 where nothing
is streamed) · invalid: a reply that is no analysis · refusal: the model will not · credit: there is no money left."""

# The seconds of a kind that takes any, where the text names none. Slow outlasts a client's usual patience of 10 s.
_KIND_SECONDS: Mapping[str, float | None] = {"429": None, "503": 1.0, "slow": 30.0, "drip": 0.05}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, and the share of attempts that meets it.

    `seconds`: what Retry-After says (429, 503; None: as `retry_after` of the behaviour), how much later (slow), or the
    time between two bytes (drip).
    """

    kind: FaultKind | LlmFaultKind
    rate: float
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str, kinds: Sequence[FaultKind | LlmFaultKind] = FAULT_KINDS) -> Fault:
        """`5xx=5%`, `reset=0.04`, `slow=1%:30s`. Raises `ValueError` for any other text, or a kind not of `kinds`."""
        match = _FAULT.fullmatch(text)
        if match is None:
            raise ValueError(f"fault {text!r}: write KIND=RATE or KIND=RATE:SECONDS, for example 5xx=5% or slow=1%:30s")
        name, number, percent, duration = match.groups()
        kind = next((kind for kind in kinds if kind == name), None)
        if kind is None:
            raise ValueError(f"fault {text!r}: the kinds are {', '.join(kinds)}")
        # Rounded, so that 7 % is the same number as 0.07.
        rate = round(float(number) / 100, 12) if percent else float(number)
        if rate > 1:
            raise ValueError(f"fault {text!r}: a rate lies between 0 and 100 %")
        if duration is None:
            return cls(kind, rate, _KIND_SECONDS.get(kind))
        if kind not in _KIND_SECONDS:
            raise ValueError(f"fault {text!r}: {kind} takes no duration")
        try:
            return cls(kind, rate, parse_duration(duration))
        except ValueError as error:
            raise ValueError(f"fault {text!r}: {error}") from None

    def __str__(self) -> str:
        return f"{self.kind}={self.rate!r}" + ("" if self.seconds is None else f":{_seconds(self.seconds)}")


def parse_faults(text: str, kinds: Sequence[FaultKind | LlmFaultKind] = FAULT_KINDS) -> tuple[Fault, ...]:
    """Faults separated by commas. Raises `ValueError` for a wrong one, a kind named twice, or rates above 100 %."""
    faults = tuple(Fault.parse(part, kinds) for part in _split(text))
    if len({fault.kind for fault in faults}) < len(faults):
        raise ValueError(f"faults {text!r}: a kind is named twice")
    if sum(fault.rate for fault in faults) > 1 + 1e-9:
        raise ValueError(f"faults {text!r}: the rates add up to more than 100 %")
    return faults


def draw_fault(faults: Iterable[Fault], seed: int, request: str, attempt: int) -> Fault | None:
    """The fault that this attempt (counted from 1) of this request meets, if any."""
    drawn = chance(seed, "fault", request, attempt)
    for fault in faults:
        drawn -= fault.rate
        if drawn < 0:
            return fault
    return None


@dataclass(frozen=True, slots=True)
class Outage:
    """Every request that arrives between two moments (seconds since the start or the last reset) is turned away."""

    from_s: float
    to_s: float
    how: Literal["503", "reset"] = "503"

    @classmethod
    def parse(cls, text: str) -> Outage:
        """`5s-8s`, `5-8s` or `5s-8s:reset`. Raises `ValueError` for any other text."""
        times, _, how = text.partition(":")
        span = _span(times)
        if span is None or how not in {"", "503", "reset"}:
            raise ValueError(f"outage {text!r}: write 5s-8s, 5s-8s:503 or 5s-8s:reset")
        return cls(*span, "reset" if how == "reset" else "503")

    def __str__(self) -> str:
        return f"{_seconds(self.from_s)}-{_seconds(self.to_s)}:{self.how}"


# ── the whole ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Options:
    """Options that are read from texts and written as texts; each field of a subclass is one."""

    @classmethod
    def parsers(cls) -> Mapping[str, Callable[[str], Any]]:
        """How each option is read, in the order of the fields."""
        raise NotImplementedError

    @classmethod
    def of(cls, **options: str | int | None) -> Self:
        """A behaviour from texts. None leaves a default. Raises `ValueError`: an unknown option, a wrong text."""
        return cls().changed({name: option for name, option in options.items() if option is not None})

    def changed(self, options: Mapping[str, Any]) -> Self:
        """The same behaviour with some options changed; an empty text or None switches an option back to its default.

        Raises `ValueError` for an unknown option or a wrong text, and changes nothing then.
        """
        parsers = self.parsers()
        unknown = sorted(set(options) - set(parsers))
        if unknown:
            raise ValueError(f"there is no option {unknown[0]!r}; the options are {', '.join(parsers)}")
        plain = type(self)()
        return replace(
            self,
            **{
                name: getattr(plain, name) if option in (None, "") else parsers[name](str(option))
                for name, option in options.items()
            },
        )

    def texts(self) -> dict[str, str]:
        """The options that differ from their defaults, as texts: `B.of(**b.texts()) == b`."""
        plain = type(self)()
        return {
            field.name: _text(option)
            for field in fields(self)
            if (option := getattr(self, field.name)) != getattr(plain, field.name)
        }


def _text(option: object) -> str:
    if isinstance(option, tuple):
        return ",".join(map(str, option))
    return _seconds(option) if isinstance(option, float) else str(option)


@dataclass(frozen=True, slots=True)
class Behaviour(_Options):
    """All that may be chosen about a simulated API. `Behaviour.of(latency="175ms", quota="40/1s")` reads texts.

    `key`: the only key that is accepted; None accepts any that is not empty. `seed` decides latencies and faults,
    `films_seed` which films are generated: rounds of a benchmark change the one and keep the other. `films` are
    generated beside the real ones. `details_bytes`: credits are padded until an answer has that size (real ones have
    30 to 60 KB). `cpu`: the core that the server's process stays on.
    """

    latency: Latency = Latency()
    quota: tuple[Quota, ...] = ()
    retry_after: RetryAfter | None = None
    faults: tuple[Fault, ...] = ()
    outage: tuple[Outage, ...] = ()
    key: str | None = None
    seed: int = 0
    films: int = 100_000
    films_seed: int = 0
    details_bytes: int = 0
    cpu: int | None = None

    @classmethod
    def parsers(cls) -> Mapping[str, Callable[[str], Any]]:
        return _PARSERS

    def latency_s(self, request: str) -> float:
        """The latency of a request (an `identity`), in seconds: what a lower bound is computed from."""
        return self.latency.of(self.seed, request)

    def fault(self, request: str, attempt: int) -> Fault | None:
        """The fault of an attempt (counted from 1) of a request (an `identity`), if any."""
        return draw_fault(self.faults, self.seed, request, attempt) if self.faults else None

    def outage_at(self, elapsed_s: float) -> Literal["503", "reset"] | None:
        """How requests are turned away `elapsed_s` after the start, if they are."""
        return next((outage.how for outage in self.outage if outage.from_s <= elapsed_s < outage.to_s), None)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(name: str, least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"{name} {text!r}: write a whole number of at least {least}")
        return number

    return parse


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "latency": lambda text: Latency.parse(text.strip()),
    "quota": lambda text: tuple(map(Quota.parse, _split(text))),
    "retry_after": lambda text: RetryAfter.parse(text.strip()),
    "faults": parse_faults,
    "outage": lambda text: tuple(map(Outage.parse, _split(text))),
    "key": str,
    "seed": _whole("seed", 0),
    "films": _whole("films", 0),
    "films_seed": _whole("films_seed", 0),
    "details_bytes": _whole("details_bytes", 0),
    "cpu": _whole("cpu", 0),
}
OPTIONS: tuple[str, ...] = tuple(_PARSERS)
"""The names of a behaviour's options, in the order of its fields."""


# ── the web of articles, and the LLM APIs ──────────────────────────────────────────────────────────────────────────

PROVIDERS: tuple[str, ...] = ("anthropic", "openai", "mistral")
"""The LLM APIs; each lives under its name."""


@dataclass(frozen=True, slots=True)
class ArticlesBehaviour(_Options):
    """All that may be chosen about the simulated web and its LLM APIs. `latency`, `faults` and `outage` are those of pages.

    `llm_faults` are those of every provider that has none of its own (`mistral_faults="5xx=0%"` spares that one). In any
    `llm_minute` seconds each provider admits `llm_requests` and `llm_tokens`, and Anthropic `llm_tokens_in` and
    `llm_tokens_out` apart as well, where both are given. A batch is in progress for `batch_latency`
    seconds. The web has `sites` hosts, 127.0.0.1 and so on; where there are two or more, the last one asks robots for
    `crawl_delay` seconds between requests. Each feed holds `articles`; every `edition` after the first replaces a third of
    them and changes the text of a few. `seed` decides latencies and faults, `articles_seed` what is written. `cpu`: the core
    that the server's process stays on.
    """

    latency: Latency = Latency("uniform", 0.02, 0.06)
    faults: tuple[Fault, ...] = ()
    outage: tuple[Outage, ...] = ()
    llm_latency: Latency = Latency("uniform", 0.3, 0.6)
    llm_faults: tuple[Fault, ...] = ()
    anthropic_faults: tuple[Fault, ...] = ()
    openai_faults: tuple[Fault, ...] = ()
    mistral_faults: tuple[Fault, ...] = ()
    llm_key: str | None = None
    llm_requests: int = 1_000
    llm_tokens: int = 2_000_000
    llm_tokens_in: int = 0
    llm_tokens_out: int = 0
    llm_minute: float = 60.0
    batch_latency: float = 2.0
    sites: int = 1
    crawl_delay: float = 0.2
    articles: int = 12
    edition: int = 1
    seed: int = 0
    articles_seed: int = 0
    cpu: int | None = None

    @classmethod
    def parsers(cls) -> Mapping[str, Callable[[str], Any]]:
        return _ARTICLES_PARSERS

    def hosts(self) -> tuple[str, ...]:
        """The addresses of the sites."""
        return tuple(f"127.0.0.{number}" for number in range(1, self.sites + 1))

    def pages(self) -> Behaviour:
        """How the sites behave."""
        return Behaviour(latency=self.latency, faults=self.faults, outage=self.outage, seed=self.seed)

    def llm(self, provider: str) -> Behaviour:
        """How one of the `PROVIDERS` behaves; its quota by tokens is beside this (`meter.Allowance`)."""
        own: Mapping[str, tuple[Fault, ...]] = {
            "anthropic": self.anthropic_faults,
            "openai": self.openai_faults,
            "mistral": self.mistral_faults,
        }
        return Behaviour(
            latency=self.llm_latency,
            quota=(Quota(self.llm_requests, self.llm_minute),),
            faults=own[provider] or self.llm_faults,
            key=self.llm_key,
            seed=self.seed,
        )


def _duration(name: str, *, zero: bool) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise ValueError(f"{name} {text!r}: {error}") from None
        if seconds == 0 and not zero:
            raise ValueError(f"{name} {text!r}: it takes more than no time")
        return seconds

    return parse


def _sites(text: str) -> int:
    number = _whole("sites", 1)(text)
    if number > MOST_SITES:
        raise ValueError(f"sites {text!r}: at most {MOST_SITES}")
    return number


def _page_faults(text: str) -> tuple[Fault, ...]:
    return parse_faults(text, PAGE_FAULT_KINDS)


def _llm_faults(text: str) -> tuple[Fault, ...]:
    return parse_faults(text, LLM_FAULT_KINDS)


MOST_SITES = 100
_ARTICLES_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "latency": _PARSERS["latency"],
    "faults": _page_faults,
    "outage": _PARSERS["outage"],
    "llm_latency": _PARSERS["latency"],
    "llm_faults": _llm_faults,
    "anthropic_faults": _llm_faults,
    "openai_faults": _llm_faults,
    "mistral_faults": _llm_faults,
    "llm_key": str,
    "llm_requests": _whole("llm_requests", 1),
    "llm_tokens": _whole("llm_tokens", 1),
    "llm_tokens_in": _whole("llm_tokens_in", 0),
    "llm_tokens_out": _whole("llm_tokens_out", 0),
    "llm_minute": _duration("llm_minute", zero=False),
    "batch_latency": _duration("batch_latency", zero=True),
    "sites": _sites,
    "crawl_delay": _duration("crawl_delay", zero=True),
    "articles": _whole("articles", 4),
    "edition": _whole("edition", 1),
    "seed": _PARSERS["seed"],
    "articles_seed": _whole("articles_seed", 0),
    "cpu": _PARSERS["cpu"],
}
ARTICLES_OPTIONS: tuple[str, ...] = tuple(_ARTICLES_PARSERS)
"""The names of an `ArticlesBehaviour`'s options, in the order of its fields."""
