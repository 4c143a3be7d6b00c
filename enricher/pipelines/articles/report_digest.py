"""What a job on articles comes to: the facts and the words that every form of its report tells.

The same rows give the same bytes, whichever mode asked: nothing tells a time or a date of writing, no sum depends on the
order it is made in, and what is equally frequent stands in the order of the input. The text of an article is let go of
at once, so a report takes the memory of what it shows.

Titles, names, summaries and addresses were written by strangers, or by a model that read strangers. So:

* characters that nobody sees (controls, marks of direction, zero-width ones) are taken out, white space becomes one blank,
  half a surrogate pair U+FFFD, and a text that is too long is cut;
* a link is made of an http or https address only, without user and password, and it says which host it leads to. That is
  where the page came from, whatever name it gives itself: none can pass for another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from ...model import ExportRow

TITLE = "Article analysis report"
STANDING = ("Articles", "Analysed", "Failed", "Still to come")
STILL_TO_COME = "Running the same command again goes on from here."

MOST_TOPICS = 50
"""Topics that the overview lists; beyond them there may be hundreds that one article has."""

MOST_NAME, MOST_TEXT = 300, 5_000
"""Characters of a title or a name, and of a text. Honest ones are shorter."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


# ── the facts ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Article:
    """One row, as far as a report shows it. Texts are clean but not escaped; what nobody knows is empty.

    `number` counts the analysed ones from 1, and is 0 for the others. `link` is an address that is safe to click, in ASCII;
    `host` is where it leads. `reason` says why there is no analysis. `cost_usd` is None where that is not known.
    """

    number: int
    status: str
    title: str
    link: str
    host: str
    site: str
    author: str
    published: str
    feed: str
    reason: str
    summary: str
    findings: tuple[str, ...]
    method: str
    topics: tuple[str, ...]
    takeaway: str
    provider: str
    model: str
    tokens_in: int
    tokens_out: int
    cost_usd: float | None

    @property
    def analysed(self) -> bool:
        """Is there an analysis to show?"""
        return self.status == "enriched"

    @property
    def waits(self) -> bool:
        """Has nobody asked yet, or is a provider still at work on it?"""
        return self.status in ("deferred", "pending")

    @property
    def failed(self) -> bool:
        """Will there be no analysis?"""
        return not (self.analysed or self.waits)

    @property
    def source(self) -> str:
        """Who published it: the name that the site gives itself, and the host that it came from."""
        if not self.host or not self.site:
            return self.host or self.site
        same = self.site.casefold().removeprefix("www.") == self.host
        return self.host if same else f"{self.site} ({self.host})"


@dataclass(frozen=True, slots=True)
class Group:
    """Articles that have something in common, in the order of the input."""

    label: str
    articles: tuple[Article, ...]

    def __len__(self) -> int:
        return len(self.articles)


Groups = tuple[Group, ...]
"""The largest first; of those that are as large, the one that the input has first."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a job comes to. `told_before` articles are left out, because an earlier report tells of them."""

    articles: tuple[Article, ...]
    analysed: tuple[Article, ...]
    feeds: Groups
    models: Groups
    failures: Groups
    waiting: Groups
    topics: Groups
    sites: Groups
    told_before: int = 0

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The parts that the contents name: id and heading. An empty part is left out."""
        there = {
            ("articles", "Articles"): self.analysed,
            ("failed", "What failed, and why"): self.failures,
            ("waiting", "Still to come"): self.waiting,
            ("overview", "Overview"): self.articles,
        }
        return [part for part, content in there.items() if content]


def digest(rows: Iterable[ExportRow], told_before: int = 0) -> Digest:
    """What the rows come to."""
    articles = tuple(_articles(rows))
    analysed = tuple(article for article in articles if article.analysed)
    return Digest(
        articles=articles,
        analysed=analysed,
        feeds=_groups((article.feed, article) for article in articles),
        models=_groups((f"{article.provider} {article.model}", article) for article in analysed),
        failures=_groups((article.reason, article) for article in articles if article.failed),
        waiting=_groups((article.reason, article) for article in articles if article.waits),
        topics=_groups((topic, article) for article in analysed for topic in article.topics),
        sites=_groups((article.host or "unknown", article) for article in articles),
        told_before=told_before,
    )


def _articles(rows: Iterable[ExportRow]) -> Iterator[Article]:
    analysed = 0
    for row in rows:
        analysed += row.status == "enriched"
        yield _article(row, analysed if row.status == "enriched" else 0)


def _article(row: ExportRow, number: int) -> Article:
    record: Mapping[str, Any] = row.record or {}

    def name(column: str) -> str:
        return clean(record.get(column), MOST_NAME) or clean(row.cells.get(column), MOST_NAME)

    address = str(record.get("canonical_url") or row.cells.get("url") or "")
    link = safe_link(address)
    origin = clean(row.source, MOST_NAME)
    cost = record.get("cost_usd")
    return Article(
        number=number,
        status=row.status,
        title=name("title") or clean(address, MOST_NAME) or f"Line {row.line:,} of {origin}",
        link=link,
        host=_host(link),
        site=name("site"),
        author=name("author"),
        published=_day(name("published")),
        feed=name("feed") or origin,
        reason=_reason(row),
        summary=clean(record.get("summary")),
        findings=_texts(record.get("key_findings"), MOST_TEXT),
        method=clean(record.get("method")),
        topics=_distinct(_texts(record.get("topics"), MOST_NAME)),
        takeaway=clean(record.get("takeaway")),
        provider=name("provider"),
        model=name("model"),
        tokens_in=int(record.get("tokens_in") or 0),
        tokens_out=int(record.get("tokens_out") or 0),
        cost_usd=None if cost is None else float(cost),
    )


def _reason(row: ExportRow) -> str:
    match row.status:
        case "enriched":
            return ""
        case "pending":
            return "not asked yet"
        case "deferred":
            return "in a provider's batch"
        case "not_found":
            return clean(row.error) or "there is no such article"
        case _:
            return clean(row.error) or "the reason is not known"


def _groups(pairs: Iterable[tuple[str, Article]]) -> Groups:
    """Grouped by a label, in whatever case; its first spelling names the group."""
    found: dict[str, tuple[str, list[Article]]] = {}
    for label, article in pairs:
        found.setdefault(label.casefold(), (label, []))[1].append(article)
    groups = (Group(label, tuple(articles)) for label, articles in found.values())
    return tuple(sorted(groups, key=len, reverse=True))  # a stable sort: ties stay in the order of the input


# ── strangers' words ────────────────────────────────────────────────────────────────────────────────────────────────

# Controls that are no white space, marks of direction, zero-width characters, and the invisible copies of ASCII ("tags").
# The joiners U+200C and U+200D stay: Persian, the scripts of India and emoji are spelt with them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_NO_CHARACTER = re.compile("[\ud800-\udfff\ufffe\uffff]")
_HOST = re.compile(r"[a-z0-9_.:-]+")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?!\d)", re.ASCII)


def clean(value: Any, most: int = MOST_TEXT) -> str:
    """A stranger's text on one line, without what nobody sees, of at most so many characters. None is empty."""
    if value is None:
        return ""
    text = _NO_CHARACTER.sub("\ufffd", _UNSEEN.sub("", str(value)))
    return clipped(" ".join(text.split()), most)


def clipped(text: str, most: int) -> str:
    """The text, its end cut off where it is longer."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def safe_link(address: str) -> str:
    """The address in ASCII, such as can stand in any link; "" where it is none that a person should click.

    Whatever could end a link (brackets, quotes, white space, a bar) is percent-encoded, or the address is refused.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not _HOST.fullmatch(host):
        return ""
    if _UNSEEN.search(address) or _NO_CHARACTER.search(address) or address.split() != [address]:
        return ""
    return quote(address, safe="%/:?#[]@!&'*+,;=~")


def _host(link: str) -> str:
    """The host of a safe link, without the www. that says nothing."""
    return (urlsplit(link).hostname or "").removeprefix("www.")


def _texts(value: Any, most: int) -> tuple[str, ...]:
    """The texts of a list that say something. One text alone is a list of one."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(text for each in values if (text := clean(each, most)))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text once, in whatever case."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(text.casefold(), text)
    return tuple(found.values())


def _day(text: str) -> str:
    """An ISO date, its time left out, as people write it; any other text as it is."""
    if found := _DAY.match(text):
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            return text
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return text


# ── figures and sentences ───────────────────────────────────────────────────────────────────────────────────────────


def counted(count: int, noun: str) -> str:
    """1 article, 1,234 articles."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def money(dollars: float) -> str:
    """An amount to four significant digits, and to the cent at least: $0.0123, $1,234.50."""
    amount = Decimal(repr(dollars))
    decimals = max(2, 3 - amount.adjusted())
    whole, _, rest = f"{round(amount, decimals):,f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"


def cost_of(articles: Sequence[Article]) -> str:
    """What the analyses cost, in words."""
    articles = _asked_once(articles)
    known = [article.cost_usd for article in articles if article.cost_usd is not None]
    if not known:
        return "cost not known"
    total = math.fsum(known)
    free = "analysed locally" if all(article.provider == "local" for article in articles) else "a server of your own"
    said = money(total) if total else f"no cost: {free}"
    unknown = len(articles) - len(known)
    return f"{said}, and {counted(unknown, 'article')} of unknown cost" if unknown else said


def tokens_of(articles: Sequence[Article]) -> tuple[int, int]:
    """The tokens that went in, and those that came out."""
    articles = _asked_once(articles)
    return sum(each.tokens_in for each in articles), sum(each.tokens_out for each in articles)


def _asked_once(articles: Sequence[Article]) -> Sequence[Article]:
    """One of each answer: the same text at two addresses is analysed, and paid for, once."""
    answers: dict[tuple[object, ...], Article] = {}
    for each in articles:
        answer = (each.provider, each.model, each.title, each.summary, each.findings, each.tokens_in, each.tokens_out)
        answers.setdefault(answer, each)
    return list(answers.values())


def verdict(told: Digest) -> str:
    """The report in one sentence, and another on what it leaves out."""
    if not told.told_before:
        return _of_all(told)
    before = f"{counted(told.told_before, 'article')} that an earlier report tells of {_is(told.told_before)} left out."
    return f"{_of_all(told) if told.articles else 'There is no new article.'} {before}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _of_all(told: Digest) -> str:
    count, analysed = len(told.articles), len(told.analysed)
    if not count:
        return "There was no article to analyse."
    if count == 1:
        return "The one article was analysed." if analysed else "The one article was not analysed."
    if analysed == count:
        return f"All {count:,} articles were analysed."
    if not analysed:
        return f"None of the {count:,} articles was analysed."
    return f"{analysed:,} of {count:,} articles {'was' if analysed == 1 else 'were'} analysed."


def counts(told: Digest) -> list[tuple[str, int]]:
    """How many articles there are, and what became of them."""
    failed = sum(map(len, told.failures))
    waiting = [(group.label.capitalize(), len(group)) for group in told.waiting]
    return [("Articles", len(told.articles)), ("Analysed", len(told.analysed)), ("Failed", failed), *waiting]


def standing(group: Group) -> tuple[int, ...]:
    """How many articles of a group are where, in the order of `STANDING`."""
    each = group.articles
    return len(each), sum(a.analysed for a in each), sum(a.failed for a in each), sum(a.waits for a in each)


def bill(told: Digest) -> str:
    """Tokens and cost in one sentence."""
    if not told.analysed:
        return "No article was analysed, so there is no cost to show."
    tokens_in, tokens_out = tokens_of(told.analysed)
    took = f"{counted(tokens_in, 'token')} in and {counted(tokens_out, 'token')} out"
    if not tokens_in and not tokens_out:
        took = "no tokens"
    return f"{counted(len(told.analysed), 'article')} took {took}; {cost_of(told.analysed)}."


def more_topics(told: Digest) -> str:
    """How many topics the overview leaves out, in words; "" where it lists all of them."""
    left = len(told.topics) - MOST_TOPICS
    return f"Not listed: {counted(left, 'topic')}, none of more articles than these." if left > 0 else ""
