"""Feeds: bytes become entries. RSS 0.9x, 1.0 and 2.0, RDF, Atom and CDF through feedparser, JSON Feed through our own reader.

Rule 1: the entries are those that feedparser sees, as many and in its order, duplicates included; of a JSON Feed those
that its specification keeps (https://jsonfeed.org/version/1.1, checked 2026-11: an item without an id is discarded). One
that leads nowhere stays an entry with `url` None, so that it is told of and not lost.
Rule 2: nothing is fetched and no file is opened. feedparser takes bytes that name a file for that file, so it is handed a
stream. It is not asked to sanitise: we take no markup from it, and that costs most of its time.
Rule 3: texts are plain: tags gone, entities resolved, one line. Where a format says that a text is no markup (Atom's
type="text", JSON Feed), its angle brackets are kept: "How to centre a <div>". What is shown escapes it all the same.
Rule 4: an entry leads to its link, else to its id, if that is an address (a guid mostly is, whatever it says about
being a permalink). Never to its enclosure: a podcast's sound is no article. Its own text (show notes, a whole post) may
be one: `text` holds it.
Rule 5: sizes are bounded, and no pattern here takes longer than linear time, whatever the text. feedparser's may: within
the bounds, a hostile feed can still take a minute. Who reads feeds of strangers lets a process read them that can be killed.
"""

from __future__ import annotations

import codecs
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import feedparser

from .addresses import linked
from .pages.own_text import own_text
from .sources.dates import moment_of

MOST_BYTES = 10 * 1024 * 1024
MOST_ENTRIES = 1_000
# Tags, attributes and entities; braces and brackets. Real feeds have two to five in a hundred bytes. Made of nothing else,
# ten megabytes cost feedparser minutes and a gigabyte.
MOST_MARKS = 300_000
MOST_TEXT_CHARS = 1_000  # of a title, a name, an id; longer is no title

_MOST_MARKUP_CHARS = 20 * MOST_TEXT_CHARS
_HEAD_BYTES = 64 * 1024
_PAGE_HEAD_BYTES = 512 * 1024  # links to feeds stand in a page's head; styles and scripts may come before them

FEED_TYPES = frozenset(("application/rss+xml", "application/atom+xml", "application/feed+json", "application/json"))

_ROOT = re.compile(r"<!--.*?(?:-->|\Z)|<!doctype\s+(html)\b|<(?:[\w-]+:)?([a-z][\w.-]*)", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?:script|style)\b.*?(?:</(?:script|style)|\Z)|(<(?:link|base)\b[^<>]{0,4000}>)",
    re.DOTALL | re.IGNORECASE,
)
_WRAPPED = re.compile(rb"<(?:[\w-]+:)?(?:rss|rdf)[\s>]|<(?:[\w-]+:)?feed\s[^<>]*xmlns", re.IGNORECASE)
_DECLARED = re.compile(rb"\s*<\?xml\s[^<>]*?encoding\s*=\s*[\"']([\w.-]+)", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.-]+)", re.IGNORECASE)
_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_BY_ZEROS: dict[tuple[int, ...], str] = {
    (1, 1, 1, 0): "utf-32-be",
    (0, 1, 1, 1): "utf-32-le",
    (1, 0, 1, 0): "utf-16-be",
    (0, 1, 0, 1): "utf-16-le",
}
_GUID = re.compile(rb"<(?:\w+:)?guid\b[^<>]{0,200}>(?:[^<>]{0,100}<!\[CDATA\[)?([^<>]{0,8000})", re.IGNORECASE)
_BASE = re.compile(rb"[\s:]base\s*=\s*[\"']([^\"'<>]*)", re.IGNORECASE)
_MOST_BASE_BYTES = 4_000  # each relative one makes the addresses of all elements within longer
_ENTITY = re.compile(rb"<!ENTITY[^>]*>", re.IGNORECASE)
_HARMLESS = re.compile(rb"<!ENTITY\s+[\w.-]+\s+(?:\"[^\"&%]{0,100}\"|'[^'&%]{0,100}')\s*>", re.IGNORECASE)
_BREAK = re.compile(r"</?(?:br|p|div|li)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
# Controls, zero-width and directional characters, halves of pairs, tag characters: nobody sees them, so they carry what
# nobody is to see. The joiners stay: emoji and several scripts are spelt with them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


class NotAFeed(ValueError):
    """What came is no feed. `str()` is the reason in our own words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `url` absolute, `published` as 2026-01-31T09:00:00Z (UTC), texts plain; None where there is none.

    `text` is what the feed itself holds of it, of `word_count` words; "" and 0 where that is too little for an article.
    """

    url: str | None
    title: str | None
    author: str | None
    published: str | None
    id: str | None
    text: str = ""
    word_count: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its title and the page it belongs to (None where it names none), and its first `MOST_ENTRIES` entries."""

    title: str | None
    link: str | None
    entries: tuple[Entry, ...]


def parse_feed(body: bytes, url: str, content_type: str = "") -> Feed:
    """The feed in the answer from `url` ("" for a file), whose Content-Type may know the encoding.

    Raises NotAFeed if there is none, or if it is larger than `MOST_BYTES` or holds more than `MOST_MARKS`.
    """
    if len(body) > MOST_BYTES:
        raise NotAFeed(f"the feed is larger than {MOST_BYTES // 1024 // 1024} MB")
    body, wide = _narrowed(body)
    start = body[:_HEAD_BYTES].lstrip()[:1]
    if not start:
        raise NotAFeed("it is empty")
    marks = b"{[" if start == b"{" else b"<&="
    if sum(body.count(mark) for mark in marks) > MOST_MARKS:
        raise NotAFeed(f"the feed holds more than {MOST_MARKS:,} marks of its format")
    if start == b"{":
        return _json_feed(body, url)
    # feedparser reads any page to its end before it finds no feed in it; but some feeds are wrapped in a page.
    if root_of(body) == "html" and not _WRAPPED.search(body):
        raise NotAFeed("it is a web page and no feed")
    return _xml_feed(body, url, "utf-8" if wide else _charset(body, content_type))


def root_of(body: bytes) -> str:
    """The name of the first element of an XML or HTML text, without its prefix, in lower case; "" if there is none."""
    text = body[:_HEAD_BYTES].replace(b"\0", b"").decode("latin-1")  # without its NULs, UTF-16 is read, too
    return next((name.lower() for each in _ROOT.finditer(text) if (name := each[1] or each[2])), "")


def feed_links(page: bytes, base: str) -> list[str]:
    """The addresses of the feeds that a page at `base` offers (`<link rel="alternate">`), in its order, each once."""
    text = page[:_PAGE_HEAD_BYTES].replace(b"\0", b"").decode("utf-8", "replace")
    found: dict[str, None] = {}
    based = False
    # Tags are found by a pattern and only then parsed, one by one: html.parser takes quadratic time over broken pages.
    for tag, attributes in _tags(each[1] for each in _LINK.finditer(text) if each[1]):
        href = attributes.get("href") or ""
        if tag == "base":
            if href and not based:  # the first one counts
                based, base = True, _address(href, base) or base
        elif (
            "alternate" in (attributes.get("rel") or "").lower().split()
            and (attributes.get("type") or "").partition(";")[0].strip().lower() in FEED_TYPES
            and (address := _address(href, base))
        ):
            found[address] = None
    return list(found)


class _Tag(HTMLParser):
    """The name and attributes of one tag."""

    found: tuple[str, dict[str, str | None]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = (tag, dict(reversed(attrs)))  # of two attributes of one name, the first is heard


def _tags(texts: Iterator[str]) -> Iterator[tuple[str, dict[str, str | None]]]:
    for text in texts:
        parser = _Tag()
        parser.feed(text)
        if parser.found is not None:
            yield parser.found


# ── RSS, RDF, Atom, CDF ─────────────────────────────────────────────────────────────────────────────────────────────


def _xml_feed(body: bytes, url: str, charset: str) -> Feed:
    relative = (each[1] for each in _BASE.finditer(body) if not each[1].lower().startswith((b"http://", b"https://")))
    if sum(map(len, relative)) > _MOST_BASE_BYTES:
        raise NotAFeed("its xml:base attributes pile up")
    head = _ENTITY.sub(lambda each: each[0] if _HARMLESS.fullmatch(each[0]) else b"", body[:_HEAD_BYTES])
    body = head + body[_HEAD_BYTES:]
    headers = {"content-location": url, "content-type": f"application/xml{charset and f'; charset={charset}'}"}
    try:
        found = feedparser.parse(
            io.BytesIO(body),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,  # in content, which we do not read; links are resolved all the same
        )
    except Exception:  # noqa: BLE001  # it walks hostile text: whatever it stumbles over, there is nothing to read
        raise NotAFeed("the feed is damaged beyond reading") from None
    version: str = found.get("version") or ""
    if not version and not found["entries"]:
        raise NotAFeed("it is neither RSS, Atom nor JSON Feed")
    about, guids = found["feed"], {_guid(each[1]) for each in _GUID.finditer(body)}
    # An entry of Atom has its feed's authors where it names none (RFC 4287, section 4.2.1).
    author = _author(about) if version.startswith("atom") else None
    return Feed(
        _title(about, version),
        _address(about.get("link"), url),
        tuple(
            Entry(
                _leads_to(each, url, guids),
                _title(each, version),
                _author(each) or author,
                _published(each),
                _line(each.get("id")),
                *own_text(_texts(each)),
            )
            for each in found["entries"][:MOST_ENTRIES]
        ),
    )


def _charset(body: bytes, content_type: str) -> str:
    """The encoding that feedparser is to be told of; "" where it finds out by itself: as declared, else UTF-8.

    By RFC 7303, section 3, what the header says goes before what is declared. A type of text/xml says nothing, though
    feedparser would take it for ASCII.
    """
    told, declared = _CHARSET.search(content_type), _DECLARED.match(body, 0, 1_000)
    name = told[1] if told else declared[1].decode("ascii", "replace") if declared else ""
    if name and not _is_plausible(name):
        return "utf-8"
    return name if told else ""


def _is_plausible(encoding: str) -> bool:
    """Not UTF-16, as its bytes would show; nor what Python can decode, too, and nobody writes: some of it takes hours."""
    try:
        found = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        return False
    return not found.startswith(("utf-16", "utf-32", "utf-7", "punycode", "idna", "unicode", "raw", "undefined"))


def _guid(written: bytes) -> str:
    return html.unescape(written.decode("utf-8", "replace").removesuffix("]]").strip())


def _leads_to(entry: Any, url: str, guids: set[str]) -> str | None:
    """The address of an entry. feedparser makes one of any guid that is not said to be none, "17" becoming "/17": such a
    one counts if it stands in the feed (`guids`) as an address or a path.
    """
    linked_to = any(each.get("rel") == "alternate" and each.get("href") for each in entry.get("links", ()))
    if entry.get("guidislink") and not linked_to:
        own = str(entry.get("id"))
        if own not in guids and f"/{own.partition('//')[2].partition('/')[2]}" not in guids:
            return None
    return _address(entry.get("link"), url) or _own_address(entry)


def _own_address(entry: Any) -> str | None:
    """An entry's id, where it is an address, and not that of a sound or a film."""
    own = _address(entry.get("id"))
    enclosed = (each.get("href") for each in entry.get("links", ()) if each.get("rel") == "enclosure")
    return own if own not in map(_address, enclosed) else None


def _title(holder: Any, version: str) -> str | None:
    detail = holder.get("title_detail") or {}
    literal = version.startswith("atom") and detail.get("type") == "text/plain"
    return _plain(holder.get("title"), markup=not literal)


def _author(holder: Any) -> str | None:
    names = (_plain(each.get("name")) for each in holder.get("authors", ()))
    return _line(", ".join(dict.fromkeys(name for name in names if name))) or _plain(holder.get("author"))


def _published(entry: Any) -> str | None:
    for name in ("published", "updated", "created"):
        # dict.get, because asking feedparser's own for a date that is not there may warn, and give another.
        text = dict.get(entry, name)
        if moment := moment_of(text):
            return _utc(moment)
        # What feedparser makes of other digits may depend on the day that it is read on.
        moment = dict.get(entry, f"{name}_parsed") if re.search(r"[^\W\d_]", text or "") else None
        if moment:
            try:
                year, month, day, hour, minute, second = moment[:6]
                return _utc(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
            except ValueError:
                continue
    return None


def _texts(entry: Any) -> Iterator[tuple[str, bool]]:
    """The texts of an entry, and whether each is markup."""
    for each in (*entry.get("content", ()), entry.get("summary_detail") or {}):
        if isinstance(text := each.get("value"), str):
            yield text, each.get("type") != "text/plain"


# ── JSON Feed ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _json_feed(body: bytes, url: str) -> Feed:
    try:
        found = json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise NotAFeed("the JSON is damaged") from None
    version = found.get("version") if isinstance(found, dict) else None
    if not isinstance(version, str) or "jsonfeed.org/version/" not in version:
        raise NotAFeed("it is JSON, and no JSON Feed")
    items = found.get("items")
    kept = [each for each in items if isinstance(each, dict) and _id(each)] if isinstance(items, list) else []
    author = _json_author(found)
    return Feed(
        _plain(found.get("title"), markup=False),
        _address(found.get("home_page_url"), url),
        tuple(
            Entry(
                _address(each.get("url"), url) or _address(_id(each)) or _address(each.get("external_url"), url),
                _plain(each.get("title"), markup=False),
                _json_author(each) or author,
                _json_date(each.get("date_published")) or _json_date(each.get("date_modified")),
                _id(each),
                *own_text(_json_texts(each)),
            )
            for each in kept[:MOST_ENTRIES]
        ),
    )


def _json_texts(item: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for name in ("content_html", "content_text", "summary"):
        if isinstance(text := item.get(name), str):
            yield text, name == "content_html"


def _id(item: dict[str, Any]) -> str | None:
    """An item's id; a number is made a string, as the specification says."""
    found = item.get("id")
    return _line(str(found) if isinstance(found, int | float) and not isinstance(found, bool) else found)


def _json_author(holder: dict[str, Any]) -> str | None:
    """`authors` of version 1.1 before `author` of version 1."""
    listed = holder.get("authors")
    people = [*(listed if isinstance(listed, list) else ()), holder.get("author")]
    names = [name for each in people if isinstance(each, dict) and (name := _plain(each.get("name"), markup=False))]
    return _line(", ".join(dict.fromkeys(names)))


def _json_date(value: object) -> str | None:
    moment = moment_of(value)
    return None if moment is None else _utc(moment)


# ── addresses and texts ─────────────────────────────────────────────────────────────────────────────────────────────


def _narrowed(body: bytes) -> tuple[bytes, bool]:
    """A text with a byte-order mark, or in UTF-16 or UTF-32, as plain UTF-8; and whether it was one."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace").encode(), True
    # Its first two characters are ASCII, whatever the format: where their zeros stand tells the encoding.
    encoding = _WIDE_BY_ZEROS.get(tuple(int(not byte) for byte in body[:4]), "")
    return (body.decode(encoding, "replace").encode(), True) if encoding else (body, False)


def _address(text: object, base: str = "") -> str | None:
    """As browsers take it (`linked`). None if it is no http address."""
    if not isinstance(text, str):
        return None
    try:
        return linked(text, base)
    except ValueError:
        return None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _plain(text: object, *, markup: bool = True) -> str | None:
    if not isinstance(text, str):
        return None
    text = text[:_MOST_MARKUP_CHARS]
    if markup:
        text = _TAG.sub("", _BREAK.sub(" ", text))
    return _line(html.unescape(text))


def _line(text: object) -> str | None:
    """A text on one line, without what nobody sees, and not too long; None if nothing is left of it."""
    if not isinstance(text, str):
        return None
    return " ".join(_UNSEEN.sub("", text[:_MOST_MARKUP_CHARS]).split())[:MOST_TEXT_CHARS].rstrip() or None
