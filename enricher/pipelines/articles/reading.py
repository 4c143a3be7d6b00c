"""Feeds are read before the job is planned: what a person named becomes rows, one an article.

Reading is a recipe like any other, run by the same engine: so feeds are asked politely and at once, remembered for an hour
and then asked conditionally. The rows are put together afterwards, in the order in which the sources were named and their
entries stand: whichever feed answered first, the job is the same.

(Feeds as items whose outcomes have children would need rows whose order depends on who answers first. This does not, and a
job that is resumed within the hour is recognised without a request.)

One article in several feeds is one row: that of the first one. Articles are told apart by their canonical address. A
source that is named twice is read once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...model import Compute, Conclusion, Failed, Found, Item, Outcome, Recipe, Request, Row, Table
from .addresses import absolute, canonical
from .feeds import Entry, Feed, NotAFeed, feed_links, parse_feed
from .fetching import GONE, Fetched, Fetcher
from .inputs import Inputs, Local, Wanted, Wrong

PARSE_WITHIN_S = 30.0
OK, GONE_STATE, NO_ENTRIES = "ok", "gone", "no entries"
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
    `empty` names the files whose feed has no entries.
    """

    rows: list[Row] = field(default_factory=list)
    feeds: list[FeedState] = field(default_factory=list)
    doubles: int = 0
    older: int = 0
    empty: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """What tells this set of articles from another."""
        told = [(row.source, row.item.key if row.item else row.error, *row.cells.values()) for row in self.rows]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def parse(body: bytes, url: str, content_type: str) -> Feed | list[str] | None:
    """Runs in a process of its own: the feed; or the feeds that a page names; None for a page that names none."""
    try:
        return parse_feed(body, url, content_type)
    except NotAFeed:
        return feed_links(body, url) or None


def reading_recipe(fetcher: Fetcher) -> Recipe:
    """Reads one source: the item's fields are `url` and `kind`. Concludes Found with `feed` (its address), `title` and
    `entries`, or with `article` where it is no feed.
    """

    def recipe(item: Item) -> Generator[Request | Compute, Any, Conclusion]:
        url, kind = item.fields["url"], item.fields["kind"]
        fetched: Fetched | Failed = yield from fetcher.fetch(url, "feed")
        if isinstance(fetched, Failed):
            return fetched
        parsed = yield from _parsed(fetched)
        if isinstance(parsed, list) and kind != "article":
            fetched = yield from fetcher.fetch(absolute(parsed[0], fetched.url), "feed")
            if isinstance(fetched, Failed):
                return Failed(f"the feed that it names: {fetched.reason}")
            parsed = yield from _parsed(fetched)
        if isinstance(parsed, Failed):
            return parsed
        if isinstance(parsed, Feed):
            entries = [_entry_fields(entry) for entry in parsed.entries]
            return Found({"feed": fetched.url, "title": parsed.title, "entries": entries})
        if kind == "feed":
            return Failed("it is no feed, and names none")
        return Found({"article": url})

    return recipe


def _parsed(fetched: Fetched) -> Generator[Compute, Any, Feed | list[str] | Failed | None]:
    work = Compute(parse, (fetched.body, fetched.url, fetched.content_type), timeout_s=PARSE_WITHIN_S)
    try:
        parsed: Feed | list[str] | None = yield work
    except TimeoutError:
        return Failed(f"it could not be read within {PARSE_WITHIN_S:g} s")
    except Exception:  # noqa: BLE001  # a feed may end the process that reads it: it fails, and no other does
        return Failed("it is damaged beyond reading")
    return parsed


def _entry_fields(entry: Entry) -> dict[str, Any]:
    return {
        "url": entry.url,
        "title": entry.title,
        "author": entry.author,
        "published": entry.published,
    }


def sources_of(inputs: Inputs) -> Iterator[Item]:
    """What is to be asked for, each address once."""
    seen = set()
    for wanted in inputs.given:
        if isinstance(wanted, Wanted) and wanted.kind != "article" and wanted.url not in seen:
            seen.add(wanted.url)
            yield Item(wanted.url, {"url": wanted.url, "kind": wanted.kind})


def rows_of(inputs: Inputs, outcomes: Iterable[Outcome], since: str | None = None, limit: int | None = None) -> Reading:
    """The rows of all inputs. `since` is the earliest time of an article, ISO 8601; those without a time are kept.

    `limit` is how many articles there are at most.
    """
    by_key = {outcome.item.key: outcome for outcome in outcomes}
    rows = _Rows(since, limit)
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

    def __init__(self, since: str | None, limit: int | None) -> None:
        self._since = since
        self._left = limit
        self._seen: set[str] = set()
        self.reading = Reading()

    def source(self, wanted: Wanted, outcome: Outcome) -> None:
        record = outcome.record
        if record is None:
            reason = outcome.error or "it could not be read"
            state = GONE_STATE if reason == GONE else reason
            self.reading.feeds.append(FeedState(wanted.url, None, state, 0))
            cells = {"url": wanted.url, "feed": wanted.url}
            what = "the feed" if wanted.kind == "feed" else "it"
            self.reading.rows.append(Row(wanted.name, wanted.line, cells, None, f"{what} can't be read: {reason}"))
        elif "article" in record:
            self.article(wanted, {"url": wanted.url})
        else:
            count = len(record["entries"])
            self.reading.feeds.append(FeedState(wanted.url, record["title"], OK if count else NO_ENTRIES, count))
            self.entries(wanted.name, record["title"] or record["feed"], record["entries"])

    def local(self, local: Local) -> None:
        feed = parse_feed(local.body, "", "")
        if not feed.entries:
            self.reading.empty.append(local.name)
        self.entries(local.name, feed.title or local.name, [_entry_fields(entry) for entry in feed.entries])

    def entries(self, source: str, feed: str, entries: Sequence[Mapping[str, Any]]) -> None:
        for line, entry in enumerate(entries, start=1):
            if self._since is not None and entry["published"] is not None and entry["published"] < self._since:
                self.reading.older += 1
                continue
            self._add(source, line, entry, feed)

    def article(self, wanted: Wanted, entry: Mapping[str, Any]) -> None:
        self._add(wanted.name, wanted.line, entry, None)

    def _add(self, source: str, line: int, entry: Mapping[str, Any], feed: str | None) -> None:
        if self._left == 0:
            return
        address: str = entry["url"] or ""
        given = {"url": address, "feed": feed, **{name: entry.get(name) for name in CELLS[2:]}}
        cells = {name: value for name, value in given.items() if value is not None}
        try:
            key, url = canonical(address), absolute(address)
        except ValueError:
            error = "its address is no web address" if address else "it has no address"
            self._put(Row(source, line, cells, None, error))
            return
        if key in self._seen:
            self.reading.doubles += 1
            return
        self._seen.add(key)
        self._put(Row(source, line, cells, Item(key, {**cells, "url": url})))

    def _put(self, row: Row) -> None:
        self.reading.rows.append(row)
        if self._left is not None:
            self._left -= 1
