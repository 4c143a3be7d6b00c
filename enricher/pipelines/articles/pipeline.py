"""The pipeline of articles: feeds, lists of feeds and addresses in, an analysis of each article and a report out."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...errors import SettingError
from ...model import Item, Pipeline, Service, Window
from .addresses import site_of
from .analysis import MOST_TOKENS, PROMPT_VERSION
from .analysts import LOCAL, LocalAnalyst, ModelAnalyst
from .fetching import Fetcher
from .prices import discount_of, load_prices, price_of
from .providers import BY_NAME
from .providers.base import Provider
from .providers.endpoints import Endpoint
from .providers.services import endpoint_for, service_of
from .reading import FEED_TABLE
from .recipe import COLUMNS, Analyst, article_recipe
from .web import BURST, DAY_S, HOUR_S, RATE, agent_of, web


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen about articles. Times in seconds; `windows` and `burst` are of the web, never of a provider.

    `fallbacks` are "PROVIDER", "PROVIDER:MODEL", "PROVIDER@ADDRESS" or "PROVIDER:MODEL@ADDRESS", in the order in which
    they are asked. `max_tokens` is the room for an answer, thinking included. `today` decides which price holds.
    """

    today: date
    provider: str = LOCAL
    model: str | None = None
    base_url: str | None = None
    fallbacks: tuple[str, ...] = ()
    max_tokens: int = MOST_TOKENS
    reasoning_effort: str | None = None
    stream: bool = True
    batch: bool = False
    batch_size: int = 1_000
    windows: tuple[Window, ...] = RATE
    burst: int | None = BURST
    limiter: Literal["sliding", "fixed"] = "sliding"
    timeout_s: float = 30.0
    api_timeout_s: float = 60.0
    article_timeout_s: float = 30.0
    api_minute_s: float = 60.0
    feeds_s: float = HOUR_S
    pages_s: float = 7 * DAY_S
    analyses_s: float = 30 * DAY_S
    heed_robots: bool = True
    allowed: frozenset[str] = frozenset()
    contact: str | None = None
    prices: Path | None = None


@dataclass(frozen=True, slots=True)
class Articles:
    """The pipeline, who fetches for it, and who analyses."""

    pipeline: Pipeline
    fetcher: Fetcher
    analysts: tuple[Analyst, ...]


def articles(choices: Choices) -> Articles:
    """All that the engine needs to read feeds and to analyse articles.

    :raises SettingError: if a provider is not known, a model has no known price, or the prices can't be read.
    """
    agent = agent_of(choices.contact)
    pages = web(
        agent=agent,
        windows=choices.windows,
        burst=choices.burst,
        limiter=choices.limiter,
        timeout_s=choices.timeout_s,
        feeds_s=choices.feeds_s,
        pages_s=choices.pages_s,
        allowed=choices.allowed,
    )
    fetcher = Fetcher(pages, agent, choices.heed_robots)
    analysts = tuple(_analysts(choices))
    services = [analyst.service for analyst in analysts if isinstance(analyst, ModelAnalyst)]
    pipeline = Pipeline(
        name="articles",
        recipe=article_recipe(fetcher, analysts, extract_within_s=choices.article_timeout_s),
        columns=COLUMNS,
        services=(pages, *services),
        tables=(FEED_TABLE,),
        options=_options(choices, analysts),
        lane_of=lane_of,
        merged=True,
    )
    return Articles(pipeline, fetcher, analysts)


def lane_of(item: Item) -> str:
    """What an article mainly waits for: its site; "" where the feed holds all that there is of it."""
    return site_of(urlsplit(item.fields["url"] or "").netloc)


def _options(choices: Choices, analysts: tuple[Analyst, ...]) -> dict[str, str]:
    """What changes the answers."""
    who = [one.name for one in analysts]
    where = [_shown(address) for _, _, address in _wanted(choices)]
    options = {"analysts": ", ".join(who), "base_url": where[0], "prompt": str(PROMPT_VERSION)}
    if any(where[1:]):
        options["fallback_urls"] = ", ".join(where[1:])
    if choices.reasoning_effort is not None:
        options["reasoning_effort"] = choices.reasoning_effort
    return options


def _shown(address: str | None) -> str:
    """An address without its query, which may hold a key."""
    return (address or "").partition("?")[0]


Place = tuple[Service, Endpoint]

_ADDRESS = re.compile(r"@(?=https?://)")


def _wanted(choices: Choices) -> list[tuple[str, str | None, str | None]]:
    """Who is asked, one after the other: provider, model and address."""
    wanted = [(choices.provider, choices.model, choices.base_url)]
    for fallback in choices.fallbacks:
        who, *address = _ADDRESS.split(fallback, maxsplit=1)
        name, _, model = who.partition(":")
        wanted.append((name, model or None, address[0] if address else None))
    return wanted


def _analysts(choices: Choices) -> list[Analyst]:
    services: dict[str, Place] = {}
    return [_analyst(choices, services, name, model, address) for name, model, address in _wanted(choices)]


def _analyst(
    choices: Choices, services: dict[str, Place], name: str, model: str | None, base_url: str | None
) -> Analyst:
    """Who is asked. `services` are those of the others, by name: each has a name of its own."""
    if name == LOCAL:
        if choices.batch and choices.provider == LOCAL:
            raise SettingError("--batch: texts that are analysed on this machine cost nothing; leave it out")
        return LocalAnalyst(choices.article_timeout_s)
    if name not in BY_NAME:
        raise SettingError(f"provider is {name!r}; allowed are {', '.join((LOCAL, *BY_NAME))}")
    provider = BY_NAME[name]
    chosen = model or provider.default_model
    prices = load_prices(choices.prices)
    price = price_of(prices, name, chosen, choices.today)
    if price is None and name == "openai" and base_url is not None:
        provider = BY_NAME["compatible"]  # a server of one's own that speaks like it: it knows less, and costs nothing
    service, endpoint = _made(choices, provider, base_url, services)
    if service.batch is not None:  # kept in any case: what was handed in by an earlier run is waited for
        most = min(service.batch.most, choices.batch_size)
        service = replace(service, batch=replace(service.batch, most=most, discount=discount_of(prices, name)))
    elif choices.batch:
        raise SettingError(f"--batch: {chosen} at {service.base_url} takes none; leave it out")
    if price is None and provider is not BY_NAME["compatible"]:
        raise SettingError(
            f"--model {chosen}: its price is not known; choose another, or name a file of prices (`prices:` in --config)"
        )
    return ModelAnalyst(
        service,
        provider,
        chosen,
        price,
        stream=choices.stream,
        later=choices.batch,
        discount=service.batch.discount if choices.batch and service.batch is not None else 1.0,
        max_tokens=choices.max_tokens,
        effort=choices.reasoning_effort,
        endpoint=endpoint,
    )


def _made(
    choices: Choices, provider: Provider, base_url: str | None, services: dict[str, Place]
) -> tuple[Service, Endpoint]:
    """The service at an address: the same one for two models there, and one with a name of its own for another address."""
    endpoint = endpoint_for(provider, base_url)
    host = urlsplit(endpoint.base_url).netloc
    more = (f"{provider.name} at {host} ({number})" for number in itertools.count(2))
    for name in itertools.chain((provider.name, f"{provider.name} at {host}"), more):
        service, there = services.get(name, (None, endpoint))
        if service is not None and (there.base_url, there.query) != (endpoint.base_url, endpoint.query):
            continue
        if service is None:
            service = service_of(
                provider,
                endpoint=endpoint,
                name=name,
                timeout_s=choices.api_timeout_s,
                lifetime_s=choices.analyses_s,
                minute_s=choices.api_minute_s,
            )
        return services.setdefault(name, (service, there))
    raise AssertionError("names are numbered without end")
