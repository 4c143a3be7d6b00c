"""How papers look on the wire: pages with all that surrounds a text, feeds in four forms. Pure.

A page has navigation, adverts (one of them in the midst of the text), a list of other articles, comments, a footer and
scripts; of three layouts, one alone says <article>. It is filled up with script to the size that its article has drawn, as
real pages are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape

from .press import ALL, ODDS, PAPERS, Article, Paper, Press

FEED_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json",
    "rdf": "application/rdf+xml; charset=windows-1252",
}
TRACKING = "?utm_source=meridian&utm_medium=rss&utm_campaign=weekly&fbclid=IwAR0simulated"
"""What is added to the address of an article that another paper's feed shows as well."""
SHARED = 2


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each paper lives: the hosts are dealt out among the papers, and all listen on one port."""

    hosts: tuple[str, ...]
    port: int

    def of(self, paper: Paper, path: str) -> str:
        """The address of a path of a paper."""
        host = self.hosts[0 if paper is ODDS else ALL.index(paper) % len(self.hosts)]
        return f"http://{host}:{self.port}{path}"

    def article(self, article: Article) -> str:
        """The canonical address of an article."""
        return self.of(article.paper, article.path)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed."""

    title: str
    address: str
    author: str
    published: datetime
    modified: datetime
    summary: str


# ── feeds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def entry_of(article: Article, address: str) -> Entry:
    """The entry of an article under an address."""
    return Entry(article.title, address, article.author, article.published, article.modified, article.blocks[0].text)


def shared_with(press: Press, paper: Paper) -> list[Article]:
    """The articles of another paper that a paper's feed shows besides its own."""
    return list(press.shown_of(PAPERS[0]))[:SHARED] if paper is PAPERS[1] else []


def entries_of(press: Press, paper: Paper, addresses: Addresses) -> list[Entry]:
    """What a paper's feed shows: its own articles, the newest first, then those of others."""
    own = [entry_of(article, addresses.article(article)) for article in press.shown_of(paper)]
    others = [entry_of(article, addresses.article(article) + TRACKING) for article in shared_with(press, paper)]
    return own + others


def feed(paper: Paper, entries: Sequence[Entry], addresses: Addresses) -> bytes:
    """A feed in its paper's form and encoding."""
    home, own = addresses.of(paper, f"/{paper.slug}/"), addresses.of(paper, paper.feed)
    match paper.form:
        case "rss":
            return _rss(paper, entries, home, own).encode(paper.encoding)
        case "atom":
            return _atom(paper, entries, home, own).encode(paper.encoding)
        case "rdf":
            return _rdf(paper, entries, home, own).encode(paper.encoding)
        case "json":
            return _json_feed(paper, entries, home, own).encode()


def _rss(paper: Paper, entries: Sequence[Entry], home: str, own: str) -> str:
    items = "".join(
        f"<item><title>{escape(entry.title)}</title><link>{escape(entry.address)}</link>"
        f'<guid isPermaLink="false">{escape(entry.address.partition("?")[0])}</guid>'
        f"<pubDate>{format_datetime(entry.published, usegmt=True)}</pubDate>"
        f"<dc:creator>{escape(entry.author)}</dc:creator>"
        f"<description>{escape(f'<p>{escape(entry.summary)}</p>')}</description></item>\n"
        for entry in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:atom="http://www.w3.org/2005/Atom"><channel>\n<title>{escape(paper.name)}</title>'
        f"<link>{home}</link><description>{escape(paper.name)}, all articles</description>"
        f'<language>{paper.language.code}</language><atom:link href="{own}" rel="self" type="application/rss+xml"/>\n'
        f"{items}</channel></rss>\n"
    )


def _atom(paper: Paper, entries: Sequence[Entry], home: str, own: str) -> str:
    items = "".join(
        f'<entry><title type="text">{escape(entry.title)}</title><link rel="alternate" href="{escape(entry.address)}"/>'
        f"<id>{escape(entry.address.partition('?')[0])}</id><published>{entry.published.isoformat()}</published>"
        f"<updated>{entry.modified.isoformat()}</updated><author><name>{escape(entry.author)}</name></author>"
        f'<summary type="html">{escape(f"<p>{escape(entry.summary)}</p>")}</summary></entry>\n'
        for entry in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{paper.language.code}"><title>{escape(paper.name)}</title>'
        f'<id>{home}</id><link href="{home}"/><link rel="self" href="{own}"/>'
        f"<updated>{max(entry.modified for entry in entries).isoformat()}</updated>\n{items}</feed>\n"
    )


def _rdf(paper: Paper, entries: Sequence[Entry], home: str, own: str) -> str:
    listed = "".join(f'<rdf:li rdf:resource="{escape(entry.address)}"/>' for entry in entries)
    items = "".join(
        f'<item rdf:about="{escape(entry.address)}"><title>{escape(entry.title)}</title>'
        f"<link>{escape(entry.address)}</link><description>{escape(entry.summary)}</description>"
        f"<dc:creator>{escape(entry.author)}</dc:creator><dc:date>{entry.published.isoformat()}</dc:date></item>\n"
        for entry in entries
    )
    return (
        '<?xml version="1.0" encoding="windows-1252"?>\n'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="{own}"><title>{escape(paper.name)}</title>'
        f"<link>{home}</link><description>{escape(paper.name)}</description><dc:language>{paper.language.code}"
        f"</dc:language><items><rdf:Seq>{listed}</rdf:Seq></items></channel>\n{items}</rdf:RDF>\n"
    )


def _json_feed(paper: Paper, entries: Sequence[Entry], home: str, own: str) -> str:
    items = [
        {
            "id": entry.address.partition("?")[0],
            "url": entry.address,
            "title": entry.title,
            "summary": entry.summary,
            "date_published": entry.published.isoformat(),
            "date_modified": entry.modified.isoformat(),
            "authors": [{"name": entry.author}],
        }
        for entry in entries
    ]
    head = {"version": "https://jsonfeed.org/version/1.1", "title": paper.name, "home_page_url": home, "feed_url": own}
    return json.dumps({**head, "language": paper.language.code, "items": items}, ensure_ascii=False)


# ── pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def page(article: Article, press: Press, addresses: Addresses, hidden: str = "") -> bytes:
    """An article's page. `hidden` is markup that stands before its text, for what a reader is not to see."""
    paper, words = article.paper, article.paper.language
    head = _head(
        paper,
        article.title,
        addresses,
        f'<meta name="description" content="{escape(article.blocks[0].text)}">'
        f'<meta name="author" content="{escape(article.author)}">'
        f'<link rel="canonical" href="{addresses.article(article)}">'
        f'<meta property="og:type" content="article"><meta property="og:title" content="{escape(article.title)}">'
        f'<meta property="og:site_name" content="{escape(paper.name)}">'
        f'<meta property="article:published_time" content="{article.published.isoformat()}">'
        f'<meta property="article:modified_time" content="{article.modified.isoformat()}">'
        f'<script type="application/ld+json">{_linked_data(article)}</script>',
    )
    byline = (
        f'<p class="byline">{words.by} <span class="author" rel="author">{escape(article.author)}</span> · '
        f'<time datetime="{article.published.isoformat()}">{article.published:%d.%m.%Y}</time></p>'
    )
    advert = f'<div class="advert" role="complementary">{escape(words.advert)}</div>'
    body = _frame(paper, f"<h1>{escape(article.title)}</h1>{byline}", hidden + _text(article, advert), advert)
    others = "".join(
        f'<li><a href="{addresses.article(other)}">{escape(other.title)}</a></li>'
        for other in press.shown_of(paper)
        if other.number != article.number
    )
    comments = "".join(
        f'<div class="comment"><b class="comment-author">{escape(who)}</b><span>{escape(said)}</span></div>'
        for who, said in article.comments
    )
    tail = (
        f'<aside class="related"><ul>{others}</ul></aside><section id="comments" class="comments">{comments}</section>'
        f"{_foot(paper)}"
    )
    return _filled(head + body + tail, article.page_bytes, paper.encoding)


def home(paper: Paper, articles: Sequence[Article], addresses: Addresses) -> bytes:
    """A paper's front page: no feed, but the link to one."""
    listed = "".join(
        f'<li><a href="{addresses.article(article)}">{escape(article.title)}</a></li>' for article in articles
    )
    return (
        f"{_head(paper, paper.name, addresses, '')}{_menu(paper)}<ul class=teasers>{listed}</ul>{_foot(paper)}</body></html>"
    ).encode(paper.encoding)


def empty(paper: Paper, title: str, addresses: Addresses) -> bytes:
    """A page that has a title and no text, as where a script would fetch it."""
    return (
        f"{_head(paper, title, addresses, '')}{_menu(paper)}<div id=app></div><script>start()</script></body></html>"
    ).encode(paper.encoding)


def _head(paper: Paper, title: str, addresses: Addresses, more: str) -> str:
    kind = FEED_TYPES[paper.form].partition(";")[0]
    return (
        f'<!DOCTYPE html>\n<html lang="{paper.language.code}"><head><meta charset="{paper.encoding}">'
        f"<title>{escape(title)} | {escape(paper.name)}</title>"
        f'<link rel="alternate" type="{kind}" title="{escape(paper.name)}" href="{addresses.of(paper, paper.feed)}">'
        f"{more}<style>body{{font:16px/1.5 serif;margin:0}}.advert{{background:#fe9}}</style></head>\n"
    )


def _menu(paper: Paper) -> str:
    links = "".join(
        f'<li><a href="/{paper.slug}/{number}/">{word}</a></li>' for number, word in enumerate(paper.language.menu)
    )
    name = f'<a href="/{paper.slug}/">{escape(paper.name)}</a>'
    return f'<header class="site-header">{name}<nav><ul>{links}</ul></nav></header>'


def _foot(paper: Paper) -> str:
    links = " · ".join(f'<a href="/{paper.slug}/{word}">{word}</a>' for word in paper.language.menu[-3:])
    return f'<footer class="site-footer"><p>© 2026 {escape(paper.name)} · {links}</p></footer>'


def _frame(paper: Paper, top: str, text: str, advert: str) -> str:
    menu = _menu(paper)
    match paper.layout:
        case "article":
            return f"<body>{menu}{advert}<main><article>{top}{text}</article></main>"
        case "columns":
            return (
                f'<body><div class="wrap">{menu}<div class="sidebar">{advert}</div>'
                f'<main class="column">{top}<div class="article-body">{text}</div></main></div>'
            )
        case "old":
            post = f'{top}<div class="entry-content">{text}</div>'
            return f'<body><div id="top">{menu}</div><div id="content" class="post">{post}</div>'


def _text(article: Article, advert: str) -> str:
    parts, middle = [], len(article.blocks) // 2
    for number, block in enumerate(article.blocks):
        words = escape(block.text)
        before = number > 0 and article.blocks[number - 1].kind == "li"
        after = number + 1 < len(article.blocks) and article.blocks[number + 1].kind == "li"
        match block.kind:
            case "p" | "h2":
                parts.append(f"<{block.kind}>{words}</{block.kind}>\n")
            case "quote":
                parts.append(f"<blockquote><p>{words}</p></blockquote>\n")
            case "li":
                parts.append(f"{'' if before else '<ul>'}<li>{words}</li>{'' if after else '</ul>'}\n")
        if number == middle and not (block.kind == "li" and after):
            parts.append(advert)
    return "".join(parts)


def _linked_data(article: Article) -> str:
    return json.dumps(
        {
            "@context": "https://schema.org",
            "@type": "NewsArticle",
            "headline": article.title,
            "author": {"@type": "Person", "name": article.author},
            "datePublished": article.published.isoformat(),
            "dateModified": article.modified.isoformat(),
            "publisher": {"@type": "Organization", "name": article.paper.name},
        }
    )


def _filled(markup: str, size: int, encoding: str) -> bytes:
    """The page, filled up with script to `size` bytes where it is smaller."""
    body, head, tail = markup.encode(encoding), b"<script>window.slots={", b"};</script></body></html>\n"
    missing = size - len(body) - len(head) - len(tail)
    slots = ",".join(f'"s{number}":"{number * 2_654_435_761 % 2**32:08x}"' for number in range(max(missing, 0) // 12))
    return body + head + slots[: max(missing, 0)].rpartition(",")[0].encode().ljust(max(missing, 0)) + tail
