"""Feeds are read before the job is planned: what a person named becomes rows, one an article.

Reading is a recipe like any other, run by the same engine: so feeds are asked politely and at once, remembered for an hour
and then asked conditionally. The rows are put together afterwards, in the order in which the sources were named and their
entries stand: whichever feed answered first, the job is the same.

(Feeds as items whose outcomes have children would need rows whose order depends on who answers first. This does not, and a
job that is resumed within the hour is recognised without a request.)

An address may lead to a list of feeds (OPML): they are read in a second round, in the list's place.

A page that names a feed may be a site's front page, which stands for its feed, or an article of a site that has one, as
most have. It is an article if it says so (og:type), if it lies deep in its site (deeper on the command line, where people
name sites, than in lists, which hold articles), if that feed holds it as an entry, or if that feed can't be had.

One article in several feeds is one row: that of the first one. Articles are told apart by their canonical address; one
without an address by its id in its feed, and its text is then the feed's. A source that is named twice is read once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from ...model import Compute, Conclusion, Failed, Found, Item, Outcome, Recipe, Request, Row, Table
from .addresses import absolute, canonical, untracked
from .feeds import Entry, Feed, NotAFeed, feed_links, parse_feed, root_of
from .fetching import Fetched, Fetcher
from .inputs import COMMAND_LINE, Inputs, Local, Wanted, Wrong, asked_for
from .opml import NotOpml, read_opml
from .pages.own_text import MIN_WORDS
from .pages.reasons import GONE

PARSE_WITHIN_S = 30.0
OK, GONE_STATE, NO_ENTRIES = "ok", "gone", "no entries"
A_LIST = "it is a list of feeds and no feed"
MOST_LISTED = 5_000
"""Feeds of a list at an address: whoever writes it decides whom we ask."""

SHALLOW_NAMED, SHALLOW_LISTED = 2, 1
"""A front page's path has so many parts at most: on the command line, in a list."""

_HEAD_BYTES = 512 * 1024
_FEED_ROOTS = ("rss", "rdf", "feed")
_JSON_FEED = re.compile(rb"\s*\{.{0,1000}jsonfeed\.org/version/", re.DOTALL)
_META = re.compile(rb"<meta\b[^<>]{1,500}>", re.IGNORECASE)
_ARTICLE = re.compile(rb"[\s\"']article:published_time\b|\scontent\s{0,9}=\s{0,9}[\"']?article\b", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d(?:\D.*)?")

NO_OWN_TEXT = f"the feed holds no text of {MIN_WORDS} words of it"

CELLS = ("url", "feed", "title", "author", "published")

FEED_TABLE = Table(
    "feed",
    {
        "url": "TEXT PRIMARY KEY",
        "title": "TEXT",
        "state": "TEXT NOT NULL",
        "articles": "INTEGER",
        "checked_at": "TEXT",
        "subscribed": "INTEGER NOT NULL DEFAULT 0",
    },
)
"""What became of each feed the last time. `subscribed`: `enricher run` reads it."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What became of one feed: `state` is `OK`, `NO_ENTRIES`, `GONE_STATE`, or why it could not be read."""

    url: str
    title: str | None
    state: str
    articles: int


@dataclass(slots=True)
class Reading:
    """All rows of what was named, and how the feeds are.

    `doubles` are articles that were named more than once, beyond the first time; `older` those that `since` left out.
    `empty` names the files whose feed has no entries; `unread` are the addresses that may be articles as well as feeds and
    can't be read, with the reason.
    """

    rows: list[Row] = field(default_factory=list)
    feeds: list[FeedState] = field(default_factory=list)
    doubles: int = 0
    older: int = 0
    empty: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """What tells this set of articles from another."""
        told = [(row.source, *_told_by(row), *row.cells.values()) for row in self.rows]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _told_by(row: Row) -> list[str | None]:
    """What a row is told by beside its cells: where a feed's text is all that there is of an article, by its text as well."""
    if row.item is None:
        return [row.error]
    return [row.item.key] if row.item.fields["url"] else [row.item.key, row.item.fields["text"]]


@dataclass(frozen=True, slots=True)
class Page:
    """What is no feed: the addresses of those that it names, and whether it says that it is an article."""

    feeds: tuple[str, ...] = ()
    is_article: bool = False


@dataclass(frozen=True, slots=True)
class FeedList:
    """What lies at an address is a list of feeds (OPML): their addresses, as they are written there."""

    feeds: tuple[str, ...]


def parse(body: bytes, url: str, content_type: str) -> Feed | FeedList | Page | Failed:
    """Runs in a process of its own. Failed: it would be a feed or OPML, were it not damaged, or too much of one."""
    if root_of(body) == "opml":
        return _feed_list(body)
    try:
        return parse_feed(body, url, content_type)
    except NotAFeed as reason:
        if root_of(body) in _FEED_ROOTS or _JSON_FEED.match(body):
            return Failed(str(reason))
        tags = (tag[0] for tag in _META.finditer(body[:_HEAD_BYTES]))
        declared = any(_ARTICLE.search(tag) for tag in tags if b"og:type" in tag or b":published_time" in tag)
        return Page(tuple(feed_links(body, url)), declared)


def _feed_list(body: bytes) -> FeedList | Failed:
    try:
        feeds = tuple(address for _, address in read_opml(body))
    except NotOpml as reason:
        return Failed(str(reason))
    if not feeds:
        return Failed("the OPML names no feed")
    if len(feeds) > MOST_LISTED:
        return Failed(f"the OPML names more than {MOST_LISTED:,} feeds; save it, and give its parts")
    return FeedList(feeds)


def reading_recipe(fetcher: Fetcher) -> Recipe:
    """Reads one source: the item's fields are `url`, `kind`, and `shallow`, how many parts a front page's path has at most.
    Concludes Found with `feed` (its address), `title` and `entries`, with `feeds` where it is a list of them (OPML), or with
    `article` where it is neither.
    """

    def recipe(item: Item) -> Generator[Request | Compute, Any, Conclusion]:
        url, must_be_feed = item.fields["url"], item.fields["kind"] == "feed"
        page = yield from _read(fetcher, url)
        if isinstance(page, FeedList):
            return Failed(A_LIST) if must_be_feed else Found({"feeds": list(page.feeds)})
        if not isinstance(page, Page):
            return page
        if must_be_feed and not page.feeds:
            return Failed("it is no feed, and names none")
        parts = [part for part in urlsplit(url).path.split("/") if part]
        deep = len(parts) > item.fields["shallow"] or any(map(_YEAR.fullmatch, parts))
        if not must_be_feed and (not page.feeds or page.is_article or deep):
            return Found({"article": url})
        named = yield from _named(fetcher, page.feeds[0])
        if not must_be_feed and parts:
            entries = [] if isinstance(named, Failed) else named.record["entries"]
            if not entries or _key(url) in {_key(entry["url"]) for entry in entries}:
                return Found({"article": url})
        return named

    return recipe


def _named(fetcher: Fetcher, url: str) -> Generator[Request | Compute, Any, Found | Failed]:
    """The feed that a page names."""
    read = yield from _read(fetcher, absolute(url))
    if isinstance(read, Page | FeedList):
        read = Failed("it is no feed")
    return Failed(f"the feed that it names: {read.reason}") if isinstance(read, Failed) else read


def _read(fetcher: Fetcher, url: str) -> Generator[Request | Compute, Any, Found | FeedList | Page | Failed]:
    """What lies at an address."""
    fetched: Fetched | Failed = yield from fetcher.fetch(url, "feed")
    if isinstance(fetched, Failed):
        return fetched
    try:
        parsed: Feed | FeedList | Page | Failed = yield Compute(
            parse, (fetched.body, fetched.url, fetched.content_type), timeout_s=PARSE_WITHIN_S
        )
    except TimeoutError:
        return Failed(f"it could not be read within {PARSE_WITHIN_S:g} s")
    except Exception:  # noqa: BLE001  # a feed may end the process that reads it: it fails, and no other does
        return Failed("it is damaged beyond reading")
    if not isinstance(parsed, Feed):
        return parsed
    entries = [_entry_fields(entry) for entry in parsed.entries]
    return Found({"feed": fetched.url, "title": parsed.title, "entries": entries})


def _key(url: str | None) -> str | None:
    try:
        return canonical(url or "")
    except ValueError:
        return None


def _entry_fields(entry: Entry) -> dict[str, Any]:
    return {
        "url": entry.url,
        "title": entry.title,
        "author": entry.author,
        "published": entry.published,
        "id": entry.id,
        "text": entry.text,
        "text_words": entry.word_count,
    }


def with_listed(inputs: Inputs, outcomes: Iterable[Outcome]) -> Inputs:
    """The inputs with the feeds of each list of feeds in its place. What these name is a feed, and no list once more."""
    lists = {one.item.key: one.record["feeds"] for one in outcomes if one.record is not None and "feeds" in one.record}
    given: list[Wanted | Local | Wrong] = []
    for wanted in inputs.given:
        if isinstance(wanted, Wanted) and wanted.kind == "either" and wanted.url in lists:
            feeds = lists.pop(wanted.url) or ()  # a list that is named twice is read once
            given += [asked_for("feed", address, wanted.url, place) for place, address in enumerate(feeds, 1)]
            lists[wanted.url] = ()
        else:
            given.append(wanted)
    return Inputs(tuple(given))


def sources_of(inputs: Inputs, known: Iterable[Outcome] = ()) -> Iterator[Item]:
    """What is to be asked for, each address once, and none of which the outcome is known."""
    seen = {outcome.item.key for outcome in known}
    for wanted in inputs.given:
        if isinstance(wanted, Wanted) and wanted.kind != "article" and wanted.url not in seen:
            seen.add(wanted.url)
            shallow = SHALLOW_NAMED if wanted.name == COMMAND_LINE else SHALLOW_LISTED
            yield Item(wanted.url, {"url": wanted.url, "kind": wanted.kind, "shallow": shallow})


def rows_of(
    inputs: Inputs,
    outcomes: Iterable[Outcome],
    since: str | None = None,
    limit: int | None = None,
    feeds: Collection[str] = (),
) -> Reading:
    """The rows of all inputs. `since` is the earliest time of an article, ISO 8601; those without a time are kept.

    `limit` is how many articles there are at most, `feeds` are addresses of which it is known that they are feeds: what can't
    be read is a feed if it is one of these or was named as one, else an article.
    """
    by_key = {outcome.item.key: outcome for outcome in outcomes}
    rows = _Rows(since, limit, feeds)
    read: set[str] = set()
    for wanted in inputs.given:
        match wanted:
            case Wrong():
                rows.reading.rows.append(Row(wanted.name, wanted.line, {"url": wanted.text}, None, wanted.reason))
            case Local():
                rows.local(wanted)
            case Wanted(kind="article"):
                rows.article(wanted, {"url": wanted.url})
            case Wanted() if wanted.url not in read:
                read.add(wanted.url)
                rows.source(wanted, by_key[wanted.url])
    return rows.reading


class _Rows:
    """Puts the rows together."""

    def __init__(self, since: str | None, limit: int | None, feeds: Collection[str]) -> None:
        self._since = since
        self._left = limit
        self._feeds = feeds
        self._seen: set[str] = set()
        self.reading = Reading()

    def source(self, wanted: Wanted, outcome: Outcome) -> None:
        record = outcome.record
        if record is None or "feeds" in record:  # the latter: a list of feeds that names itself
            reason, cells = outcome.error or (A_LIST if record else "it could not be read"), {"url": wanted.url}
            if wanted.kind == "feed" or wanted.url in self._feeds:
                state = GONE_STATE if reason == GONE else reason
                self.reading.feeds.append(FeedState(wanted.url, None, state, 0))
                cells["feed"], reason = wanted.url, f"the feed can't be read: {reason}"
            else:
                self.reading.unread.append((wanted.url, reason))
            self.reading.rows.append(Row(wanted.name, wanted.line, cells, None, reason))
        elif "article" in record:
            self.article(wanted, {"url": wanted.url})
        else:
            count = len(record["entries"])
            self.reading.feeds.append(FeedState(wanted.url, record["title"], OK if count else NO_ENTRIES, count))
            self.entries(wanted.name, record["title"] or record["feed"], record["entries"], record["feed"])

    def local(self, local: Local) -> None:
        feed = local.feed
        if not feed.entries:
            self.reading.empty.append(local.name)
        self.entries(local.name, feed.title or local.name, [_entry_fields(entry) for entry in feed.entries], local.name)

    def entries(self, source: str, feed: str, entries: Sequence[Mapping[str, Any]], origin: str) -> None:
        """`origin` tells the feed from others, where an entry is known by its id alone."""
        for line, entry in enumerate(entries, start=1):
            if self._since is not None and entry["published"] is not None and entry["published"] < self._since:
                self.reading.older += 1
                continue
            self._add(source, line, entry, feed, origin)

    def article(self, wanted: Wanted, entry: Mapping[str, Any]) -> None:
        self._add(wanted.name, wanted.line, entry, None)

    def _add(
        self, source: str, line: int, entry: Mapping[str, Any], feed: str | None, origin: str | None = None
    ) -> None:
        if self._left == 0:
            return
        given = {"url": entry["url"] or "", "feed": feed, **{name: entry.get(name) for name in CELLS[2:]}}
        cells = {name: value for name, value in given.items() if value is not None}
        item = _item(entry, cells, origin)
        if isinstance(item, str):
            self._put(Row(source, line, cells, None, item))
        elif item.key in self._seen:
            self.reading.doubles += 1
        else:
            self._seen.add(item.key)
            self._put(Row(source, line, cells, item))

    def _put(self, row: Row) -> None:
        self.reading.rows.append(row)
        if self._left is not None:
            self._left -= 1


def _item(entry: Mapping[str, Any], cells: Mapping[str, Any], origin: str | None) -> Item | str:
    """An article by its address; else by its id in its feed, where the feed holds its text. The reason if it has neither."""
    text = {name: entry[name] for name in ("text", "text_words") if entry.get("text")}
    try:
        url = absolute(cells["url"])
    except ValueError:
        if not text:
            return "its address is no web address" if cells["url"] else f"it has no address, and {NO_OWN_TEXT}"
        own = entry["id"] or blake2b(entry["text"].encode(), digest_size=16).hexdigest()
        return Item(f"{origin} {own}", {**cells, "url": None, **text})
    return Item(untracked(url), {**cells, "url": url, **text})
