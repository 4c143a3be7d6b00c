"""One article: its page, its main text, its analysis, its record.

    robots.txt ─▶ page ─▶ Compute(extract) ─▶ analysis: one provider after the other ─▶ record
                              or the feed's text └─ `local` is a Compute too: no key, no network

An entry without an address, a page that refuses, is empty or holds less than the feed: then the feed's own text is taken.

A provider that is exhausted, refuses or is down is followed by the next one of `analysts`; a refused key ends the job.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from ...errors import ExchangeError
from ...model import Compute, Conclusion, Failed, Found, Item, Recipe, Request
from .addresses import canonical
from .analysis import Analysis, Article
from .extraction import Extracted, extract, refusal
from .fetching import Fetched, Fetcher
from .pages.own_text import MIN_WORDS
from .pages.reasons import NotNow

COLUMNS = (
    *("url", "canonical_url", "feed", "title", "author", "published", "site", "language", "word_count", "text"),
    "text_source",
    *("summary", "key_findings", "method", "topics", "takeaway"),
    *("provider", "model", "tokens_in", "tokens_out", "cost_usd"),
)

FULL_WORDS = 100
"""Where a page may be there the next time, only so many words of the feed are taken for the article; fewer are a teaser."""

LONGER = 1.1

Flow = Generator[Request | Compute, Any, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """An article, how many words it has, how large its page was (0: there was none), and where its text is from."""

    article: Article
    word_count: int
    page_bytes: int
    text_source: Literal["page", "feed"] = "page"


@dataclass(frozen=True, slots=True)
class Analysed:
    """An analysis, who made it, and what that took: `cost_usd` in dollars, None where it is not known."""

    analysis: Analysis
    provider: str
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = 0.0


class Analyst(Protocol):
    """Who can analyse an article."""

    @property
    def name(self) -> str:
        """Who, and by what model."""
        ...

    def analyse(self, article: Article, *, replaceable: bool) -> Generator[Request | Compute, Any, Analysed | Failed]:
        """A flow that asks for it. `replaceable`: another one is asked where this one can't."""
        ...


def article_recipe(fetcher: Fetcher, analysts: Sequence[Analyst], *, extract_within_s: float = 30.0) -> Recipe:
    """The recipe of an article. Reads the item's fields `url`, `feed`, `title`, `author`, `published`, `text`, `text_words`.

    Concludes Found, or Failed with the reason. What the feed says of title, author and date stands before what the page
    says. A page whose text takes longer than `extract_within_s` fails.
    """

    def recipe(item: Item) -> Generator[Request | Compute, Any, Conclusion]:
        content = yield from content_of(fetcher, item.fields, extract_within_s)
        if isinstance(content, Failed):
            return content
        analysed: Analysed | Failed = yield from _analysed(content.article, analysts)
        if isinstance(analysed, Failed):
            return analysed
        return Found(_record(item.fields, content, analysed))

    return recipe


def content_of(
    fetcher: Fetcher, fields: Mapping[str, Any], within_s: float = 30.0
) -> Generator[Request | Compute, Any, Content | Failed]:
    """The article at the field `url`: the text of its page, or the feed's own (`text`, of `text_words` words).

    Where both are there, the feed's is taken if it is longer by a tenth at least: feeds add a line or two to each text.
    """
    if not fields["url"]:
        return _from_feed(fields, None)
    page = yield from _page(fetcher, fields, within_s)
    own_words: int = fields.get("text_words") or 0
    if isinstance(page, Failed):
        least = FULL_WORDS if isinstance(page, NotNow) else MIN_WORDS
        return page if own_words < least else _from_feed(fields, None)
    return page if own_words < LONGER * page.word_count else _from_feed(fields, page)


def _from_feed(fields: Mapping[str, Any], page: Content | None) -> Content:
    """The feed's own text; with what its page says of the article, if there is a page."""
    about = _article(fields, Extracted(), fields["url"] or "") if page is None else page.article
    page_bytes = 0 if page is None else page.page_bytes
    return Content(replace(about, text=fields["text"]), fields["text_words"], page_bytes, "feed")


def _page(
    fetcher: Fetcher, fields: Mapping[str, Any], within_s: float
) -> Generator[Request | Compute, Any, Content | Failed]:
    """The page at the field `url`, its main text and what is known of it."""
    fetched: Fetched | Failed = yield from fetcher.fetch(fields["url"], "page")
    if isinstance(fetched, Failed):
        return fetched
    extracted = yield from _extracted(fetched, within_s)
    if isinstance(extracted, Failed):
        return extracted
    if extracted.word_count < MIN_WORDS:
        count = "one word" if extracted.word_count == 1 else f"{extracted.word_count} words"
        return Failed(f"its text has only {count}: no article")
    return Content(_article(fields, extracted, fetched.url), extracted.word_count, len(fetched.body))


def _article(fields: Mapping[str, Any], extracted: Extracted, url: str) -> Article:
    return Article(
        url=url,
        title=fields.get("title") or extracted.title or "",
        author=fields.get("author") or extracted.author or "",
        published=fields.get("published") or extracted.published or "",
        site=extracted.site or "",
        language=extracted.language or "",
        text=extracted.text,
    )


def _extracted(fetched: Fetched, within_s: float) -> Generator[Compute, Any, Extracted | Failed]:
    reason = refusal(fetched.content_type, fetched.body)
    if reason is not None:
        return Failed(reason)
    work = Compute(extract, (fetched.body, fetched.url, fetched.content_type), timeout_s=within_s)
    try:
        extracted: Extracted = yield work
    except TimeoutError:
        return Failed(f"its text could not be extracted within {within_s:g} s")
    except Exception:  # noqa: BLE001  # a page may end the process that reads it: it fails, and no other does
        return Failed("its text could not be extracted")
    return extracted if extracted.reason is None else Failed(extracted.reason)


def _analysed(article: Article, analysts: Sequence[Analyst]) -> Generator[Request | Compute, Any, Analysed | Failed]:
    """By the first of the analysts that can.

    :raises ExchangeError: of the last one.
    """
    *others, last = analysts
    for analyst in others:
        try:
            analysed = yield from analyst.analyse(article, replaceable=True)
        except ExchangeError:
            continue
        if not isinstance(analysed, Failed):
            return analysed
    return (yield from last.analyse(article, replaceable=False))


def _record(fields: Mapping[str, Any], content: Content, analysed: Analysed) -> dict[str, Any]:
    """The columns of an article."""
    article, analysis = content.article, analysed.analysis
    return {
        "url": fields["url"],
        "canonical_url": canonical(article.url) if article.url else None,
        "feed": fields.get("feed"),
        "title": analysis.title or article.title,
        "author": article.author or None,
        "published": article.published or None,
        "site": article.site or None,
        "language": article.language or None,
        "word_count": content.word_count,
        "text": article.text,
        "text_source": content.text_source,
        "summary": analysis.summary,
        "key_findings": list(analysis.key_findings),
        "method": analysis.method,
        "topics": list(analysis.topics),
        "takeaway": analysis.takeaway,
        "provider": analysed.provider,
        "model": analysed.model,
        "tokens_in": analysed.tokens_in,
        "tokens_out": analysed.tokens_out,
        "cost_usd": analysed.cost_usd,
        "page_bytes": content.page_bytes,  # no column: what a prompt of the whole page would have held
    }
