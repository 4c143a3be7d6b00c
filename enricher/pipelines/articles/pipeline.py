"""The pipeline of articles: feeds, lists of feeds and addresses in, an analysis of each article and a report out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...errors import SettingError
from ...model import Item, Pipeline, Window
from .addresses import site_of
from .analysis import PROMPT_VERSION
from .analysts import LOCAL, LocalAnalyst, ModelAnalyst
from .fetching import Fetcher
from .prices import discount_of, load_prices, price_of
from .providers import BY_NAME
from .providers.services import service_of
from .reading import FEED_TABLE
from .recipe import COLUMNS, Analyst, article_recipe
from .web import BURST, DAY_S, HOUR_S, RATE, agent_of, web


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen about articles. Times in seconds; `windows` and `burst` are of the web, never of a provider.

    `fallback` is "PROVIDER" or "PROVIDER:MODEL". `today` decides which price holds.
    """

    today: date
    provider: str = LOCAL
    model: str | None = None
    base_url: str | None = None
    fallback: str | None = None
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
    return {"analysts": ", ".join(who), "base_url": choices.base_url or "", "prompt": str(PROMPT_VERSION)}


def _analysts(choices: Choices) -> list[Analyst]:
    wanted = [(choices.provider, choices.model, choices.base_url)]
    if choices.fallback is not None:
        name, _, model = choices.fallback.partition(":")
        wanted.append((name, model or None, None))
    return [_analyst(choices, name, model, base_url) for name, model, base_url in wanted]


def _analyst(choices: Choices, name: str, model: str | None, base_url: str | None) -> Analyst:
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
    service = service_of(
        provider,
        base_url=base_url,
        timeout_s=choices.api_timeout_s,
        lifetime_s=choices.analyses_s,
        minute_s=choices.api_minute_s,
    )
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
    )
