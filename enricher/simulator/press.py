"""The papers of the simulated web: which articles they have in which edition, and at which address. Pure.

Articles are numbered from the oldest. A paper's edition shows the newest ones; each edition after the first brings a third
as many new ones as it shows, lets as many old ones drop out of the feed, and rewrites one in five of the others (a new
revision). What has dropped out is still there at its address. A date belongs to a number, never to a clock.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from .prose import ENGLISH, FRENCH, GERMAN, Block, Dice, Language, Writer

FIRST_DATE = datetime(2026, 9, 1, 6, 30, tzinfo=UTC)
SMALLEST_PAGE_BYTES, LARGEST_PAGE_BYTES = 5_000, 60_000
# A real page's main text is a small part of it, the smaller the larger the page.
LEAST_TEXT, MOST_TEXT, TEXT_SHARE = 900, 12_000, 0.3
REWRITTEN_ONE_IN = 5

Form = Literal["rss", "atom", "json", "rdf"]


@dataclass(frozen=True, slots=True)
class Paper:
    """One publication. `feed` is the path of its feed, `layout` the kind of its pages."""

    slug: str
    name: str
    language: Language
    form: Form
    feed: str
    encoding: str = "utf-8"
    layout: Literal["article", "columns", "old"] = "article"


PAPERS = (
    Paper("harbour-post", "The Harbour Post", ENGLISH, "rss", "/harbour-post/feed.xml"),
    Paper("meridian", "Meridian Science", ENGLISH, "atom", "/meridian/atom.xml", layout="columns"),
    Paper("lantern", "Lantern", ENGLISH, "json", "/lantern/feed.json", layout="old"),
    Paper("leuchtturm", "Der Leuchtturm", GERMAN, "rdf", "/leuchtturm/index.rdf", "windows-1252", "columns"),
    Paper("kiosque", "Le Kiosque", FRENCH, "rss", "/kiosque/rss"),
)
ODDS = Paper("odds", "Odds and Ends", ENGLISH, "rss", "/odds/feed.xml")
"""The paper of everything that goes wrong; its feed is not made of its articles (`sites`)."""

ALL = (*PAPERS, ODDS)
BY_SLUG = {paper.slug: paper for paper in ALL}


@dataclass(frozen=True, slots=True)
class Article:
    """One article as it stands in an edition; `page_bytes` is how large its page is to be."""

    paper: Paper
    number: int
    revision: int
    title: str
    author: str
    published: datetime
    path: str
    blocks: tuple[Block, ...]
    page_bytes: int
    comments: tuple[tuple[str, str], ...]

    @property
    def modified(self) -> datetime:
        """When it was last changed."""
        return self.published + timedelta(days=self.revision)

    @property
    def text(self) -> str:
        """The main text, a line for each paragraph, heading, entry and quotation."""
        return "\n".join(block.text for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Press:
    """All papers in one edition. `shown` articles stand in a feed; `seed` decides what is written."""

    seed: int = 0
    shown: int = 12
    edition: int = 1

    @property
    def newest(self) -> int:
        """The number of the newest article of every paper."""
        return self._newest(self.edition)

    def _newest(self, edition: int) -> int:
        return self.shown - 1 + (edition - 1) * (self.shown // 3)

    def revision(self, number: int) -> int:
        """How often an article was rewritten up to this edition."""
        return sum(
            oldest <= number <= self._newest(edition - 1) and (number - oldest) % REWRITTEN_ONE_IN == 0
            for edition in range(2, self.edition + 1)
            for oldest in [self._newest(edition) - self.shown + 1]
        )

    def article(self, paper: Paper, number: int) -> Article | None:
        """An article by its number; None: it is not written yet."""
        if not 0 <= number <= self.newest:
            return None
        return _article(self.seed, paper.slug, number, self.revision(number))

    def shown_of(self, paper: Paper) -> Iterator[Article]:
        """The articles of a paper's feed, the newest first."""
        for number in range(self.newest, self.newest - self.shown, -1):
            article = self.article(paper, number)
            if article is not None:
                yield article

    def at(self, path: str) -> Article | None:
        """The article of a path, or None."""
        found = _PATH.fullmatch(path)
        paper = BY_SLUG.get(found[1]) if found else None
        article = self.article(paper, int(found[2])) if found and paper else None
        return article if article is not None and article.path == path else None


_PATH = re.compile(r"/([a-z-]+)/\d{4}/\d\d/n(\d{1,9})-[a-z0-9-]*")


@lru_cache(maxsize=4096)
def _article(seed: int, slug: str, number: int, revision: int) -> Article:
    paper = BY_SLUG[slug]
    dice = Dice(seed, slug, number, "frame")
    published = FIRST_DATE + timedelta(hours=7 * number + ALL.index(paper), minutes=dice.between(0, 59))
    page_bytes = round(SMALLEST_PAGE_BYTES * (LARGEST_PAGE_BYTES / SMALLEST_PAGE_BYTES) ** dice.share())
    writer = Writer(paper.language, seed, slug, number)
    size = min(max(round(page_bytes * TEXT_SHARE), LEAST_TEXT), MOST_TEXT)
    return Article(
        paper,
        number,
        revision,
        writer.title,
        writer.author,
        published,
        f"/{slug}/{published:%Y/%m}/n{number}-{_slug(writer.title)}",
        writer.text(size, revision),
        page_bytes,
        tuple(writer.comment(at) for at in range(dice.between(0, 6))),
    )


def _slug(title: str) -> str:
    letters = unicodedata.normalize("NFKD", title.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:48].strip("-")
