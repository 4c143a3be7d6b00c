"""The report of a job on articles as one HTML file: no script, nothing fetched, for wide and narrow, light and dark, paper
and ear.

Strangers' texts are escaped, each in an element that finds out its own direction (`dir="auto"`), so that Arabic in one title
turns nothing around it. A policy in the file's head (CSP) forbids what escaping already prevents: scripts, pictures from
elsewhere, frames. Links tell the other side nothing (`noreferrer`) and vouch for nothing (`nofollow`).

A chart has one colour, which means nothing; its bars are named and counted, and the table beside it holds the same figures.
The colours are Okabe and Ito's blue, which every kind of sight tells from both papers. The file is well-formed XML too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from ...model import ExportRow
from . import report_digest as facts
from .report_digest import Article, Digest, Group, Groups, counted, digest

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

BARS = 10
"""Bars of a chart; the table beside it goes on."""

_WIDTH, _STEP, _BAR = 320, 42, 12  # units of the picture, in which its letters are 14 high
_LETTERS = 38

_INK = (
    "--paper:#fdfdfb;--text:#1c1f24;--soft:#5b616b;--rule:#dfe0dc;--wash:#f1f1ed;--accent:#0067a3;--bar:#0072b2;",
    "--paper:#15171b;--text:#e7e8ea;--soft:#a3aab4;--rule:#343940;--wash:#20242a;--accent:#6cb8ee;--bar:#56b4e9;",
)

STYLE = f"""
:root {{ color-scheme: light dark; {_INK[0]} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_INK[1]} }} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }}
body {{
  margin: 0 auto; max-width: 54rem; padding: clamp(1.5rem, 5vw, 4rem) clamp(1rem, 4vw, 3rem) 5rem;
  background: var(--paper); color: var(--text); overflow-wrap: anywhere;
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}}
h1 {{
  margin: 0; font-size: clamp(1.625rem, 1.2rem + 2vw, 2.5rem); font-weight: 650; line-height: 1.2; letter-spacing: -.018em;
}}
h2 {{ margin: 0 0 1rem; font-size: 1.375rem; font-weight: 650; line-height: 1.3; letter-spacing: -.01em; }}
h3 {{ margin: 0 0 .5rem; font-size: 1.1875rem; font-weight: 650; line-height: 1.35; }}
h4 {{ margin: 1.25rem 0 .25rem; font-size: .9375rem; font-weight: 650; }}
p {{ margin: 0; }}
a {{ color: var(--accent); }}
a:focus-visible, .scroll:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }}
ul, ol {{ margin: 0; padding-inline-start: 1.5rem; }}
li + li {{ margin-top: .3rem; }}
li:dir(rtl) {{ margin-inline-start: 1.5rem; }}
section, nav {{ margin-top: clamp(2.5rem, 6vw, 4rem); }}
header > p {{ margin-top: .75rem; font-size: 1.125rem; }}
.soft {{ color: var(--soft); }}
.counts {{ display: flex; flex-wrap: wrap; gap: 1rem 2.75rem; margin: 1.75rem 0 0; }}
.counts div {{ display: flex; flex-direction: column-reverse; }}
.counts dt {{ color: var(--soft); font-size: .9375rem; }}
.counts dd {{ margin: 0; font-size: 1.75rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }}
nav > ul {{ list-style: none; padding: 0; }}
nav ol {{ margin: .3rem 0 .6rem; }}
article {{ padding-top: 1.75rem; border-top: 1px solid var(--rule); }}
article + article {{ margin-top: 2.25rem; }}
article > .about {{ color: var(--soft); font-size: .9375rem; }}
.takeaway {{
  margin-top: 1.1rem; padding: .8rem 1.1rem; border-inline-start: 3px solid var(--accent); background: var(--wash);
}}
.takeaway b {{ display: block; font-size: .9375rem; }}
.topics {{ display: flex; flex-wrap: wrap; gap: .4rem .5rem; padding: 0; list-style: none; font-size: .9375rem; }}
.topics li:nth-child(n) {{ margin: 0; padding: .1rem .65rem; border: 1px solid var(--rule); border-radius: 1rem; }}
.out {{ margin-top: 1.25rem; }}
h3 + ul {{ margin-bottom: 1.75rem; }}
p + h3 {{ margin-top: 1.75rem; }}
.scroll {{ overflow-x: auto; }}
table {{ width: 100%; border-collapse: collapse; font-size: .9375rem; line-height: 1.4; font-variant-numeric: tabular-nums; }}
caption {{ padding-bottom: .5rem; text-align: start; color: var(--soft); }}
th, td {{ padding: .45rem .6rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }}
td {{ white-space: nowrap; overflow-wrap: normal; }}
thead th {{ font-size: .8125rem; font-weight: 500; vertical-align: bottom; color: var(--soft); border-color: var(--soft); }}
thead th {{ overflow-wrap: normal; }}
tbody th {{ font-weight: 400; min-width: 5rem; }}
th:first-child {{ text-align: left; padding-left: 0; }}
td.words, th.words {{ text-align: left; white-space: normal; }}
td.words {{ min-width: 5rem; overflow-wrap: break-word; }}
td.cost {{ white-space: normal; }}
td:last-child, th:last-child {{ padding-right: 0; }}
p + .scroll, .scroll + p {{ margin-top: 1rem; }}
figure {{ margin: 1rem 0 2.75rem; display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 1rem 2.5rem; }}
svg {{ display: block; width: 100%; height: auto; max-width: 24rem; }}
svg text {{ font-size: 14px; fill: var(--text); unicode-bidi: plaintext; }}
svg rect {{ fill: var(--bar); }}
@media (max-width: 44rem) {{ figure {{ grid-template-columns: minmax(0, 1fr); }} }}
@media print {{
  @page {{ size: A4; margin: 16mm; }}
  :root {{ color-scheme: light; --paper: #fff; font-size: 9.5pt; }}
  body {{ max-width: none; padding: 0; }}
  .scroll {{ overflow: visible; }}
  a {{ color: inherit; }}
  .out a::after {{ content: " (" attr(href) ")"; }}
  h2, h3, h4 {{ break-after: avoid; }}
  tr, li, .takeaway, svg {{ break-inside: avoid; }}
}}
"""


def html(rows: Iterable[ExportRow], told_before: int = 0) -> str:
    """The report as a whole HTML file; it ends with a line's end. `told_before`: as `Digest` has it."""
    told = digest(rows, told_before)
    content = {"articles": _analyses, "failed": _failures, "waiting": _waiting, "overview": _overview}
    sections = "".join(_section(key, heading, content[key](told)) for key, heading in told.parts)
    before = _sources(told) + _costs(told) + _contents(told) if told.articles else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        '<meta name="color-scheme" content="light dark"/>\n<meta name="referrer" content="no-referrer"/>\n'
        f"<title>{facts.TITLE}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{_header(told)}<main>\n{before}{sections}</main>\n</body>\n</html>\n"
    )


def _header(told: Digest) -> str:
    figures = "".join(f"<div><dt>{escape(name)}</dt><dd>{count:,}</dd></div>\n" for name, count in facts.counts(told))
    counts = f'<dl class="counts">\n{figures}</dl>\n' if told.articles else ""
    return f"<header>\n<h1>{facts.TITLE}</h1>\n<p>{facts.verdict(told)}</p>\n{counts}</header>\n"


def _section(key: str, heading: str, body: str) -> str:
    return f'<section aria-labelledby="{key}">\n<h2 id="{key}">{heading}</h2>\n{body}</section>\n'


def _sources(told: Digest) -> str:
    rows = [[_text(group.label), _figure(len(group))] for group in told.feeds]
    return _section("sources", "Sources", _table("Where the articles come from", ["Source", "Articles"], rows))


def _costs(told: Digest) -> str:
    rows = [
        [_text(one.provider), _words(_text(one.model)), *map(_figure, figures), f'<td class="cost">{escape(cost)}</td>']
        for one, figures, cost in (
            (group.articles[0], (len(group), *facts.tokens_of(group.articles)), facts.cost_of(group.articles))
            for group in told.models
        )
    ]
    head = ["Provider", "Model", "Articles", "Tokens in", "Tokens out", "Cost"]
    table = _table("By provider and model", head, rows, words=2) if rows else ""
    return _section("cost", "Tokens and cost", f"<p>{escape(facts.bill(told))}</p>\n{table}")


def _contents(told: Digest) -> str:
    lines = []
    for key, heading in told.parts:
        titles = ""
        if key == "articles":
            titles = "".join(
                f'<li><a href="#article-{each.number}">{_text(each.title)}</a></li>\n' for each in told.analysed
            )
            titles = f"\n<ol>\n{titles}</ol>\n"
        lines.append(f'<li><a href="#{key}">{heading}</a>{titles}</li>\n')
    return f'<nav aria-labelledby="contents">\n<h2 id="contents">Contents</h2>\n<ul>\n{"".join(lines)}</ul>\n</nav>\n'


# ── the articles ────────────────────────────────────────────────────────────────────────────────────────────────────


def _analyses(told: Digest) -> str:
    return "".join(map(_analysis, told.analysed))


def _analysis(article: Article) -> str:
    key = f"article-{article.number}"
    about = " · ".join(_text(each) for each in (article.source, article.author, article.published) if each)
    parts = [
        f'<article aria-labelledby="{key}">\n<h3 id="{key}">{article.number}. {_text(article.title)}</h3>\n',
        f'<p class="about">{about}</p>\n' if about else "",
        _paragraph(article.takeaway, '<div class="takeaway">\n<b>Take-away</b>\n', "</div>\n"),
        _paragraph(article.summary, "<h4>Summary</h4>\n"),
        _list("Findings", article.findings),
        _paragraph(article.method, "<h4>Method</h4>\n"),
        _list("Topics", article.topics, "topics"),
    ]
    if article.link:
        parts.append(f'<p class="out">{_link(article, f"Read the article on {_text(article.host)}")}</p>\n')
    return f"{''.join(parts)}</article>\n"


def _paragraph(text: str, before: str, after: str = "") -> str:
    return f'{before}<p dir="auto">{escape(text)}</p>\n{after}' if text else ""


def _list(heading: str, texts: Sequence[str], kind: str = "") -> str:
    if not texts:
        return ""
    classed = f' class="{kind}"' if kind else ""
    items = "".join(f'<li dir="auto">{escape(text)}</li>\n' for text in texts)
    return f"<h4>{heading}</h4>\n<ul{classed}>\n{items}</ul>\n"


def _failures(told: Digest) -> str:
    return _listed(told.failures)


def _waiting(told: Digest) -> str:
    return f'<p class="soft">{facts.STILL_TO_COME}</p>\n{_listed(told.waiting)}'


def _listed(groups: Groups) -> str:
    return "".join(
        f"<h3>{counted(len(group), 'article')}: {_text(group.label)}</h3>\n"
        f"<ul>\n{''.join(f'<li>{_named(article)}</li>{chr(10)}' for article in group.articles)}</ul>\n"
        for group in groups
    )


def _named(article: Article) -> str:
    title = _text(article.title)
    if not article.link:
        return title
    return f'{_link(article, title)} <span class="soft">({_text(article.host)})</span>'


def _link(article: Article, content: str) -> str:
    return f'<a href="{escape(article.link)}" rel="noopener noreferrer nofollow">{content}</a>'


# ── the overview ────────────────────────────────────────────────────────────────────────────────────────────────────


def _overview(told: Digest) -> str:
    return _topics(told) + _sites(told)


def _topics(told: Digest) -> str:
    if not told.topics:
        return "<h3>By topic</h3>\n<p>No topics are known.</p>\n"
    listed = told.topics[: facts.MOST_TOPICS]
    rows = [[_text(group.label), _words(_pointers(group)), _figure(len(group))] for group in listed]
    table = _table("Topics of the articles", ["Topic", "Which", "Articles"], rows, words=2)
    left = facts.more_topics(told)
    return _charted("topics", "By topic", listed, table) + (f'<p class="soft">{left}</p>\n' if left else "")


def _sites(told: Digest) -> str:
    rows = [[_text(group.label), *map(_figure, facts.standing(group))] for group in told.sites]
    table = _table("Sites of the articles", ["Site", *facts.STANDING], rows)
    return _charted("sites", "By site", told.sites, table)


def _pointers(group: Group) -> str:
    return ", ".join(f'<a href="#article-{each.number}">{each.number}</a>' for each in group.articles)


def _charted(key: str, heading: str, groups: Groups, table: str) -> str:
    chart = _chart(key, f"Articles {heading.lower()}", groups[:BARS])
    return f"<h3>{heading}</h3>\n<figure>\n<div>{chart}</div>\n{table}</figure>\n"


def _chart(key: str, title: str, groups: Groups) -> str:
    """Bars below each other, the longest as wide as the picture less its figure; the name stands above its bar."""
    most = max(map(len, groups))
    told = "; ".join(f"{group.label}: {counted(len(group), 'article')}" for group in groups)
    drawn = []
    for index, group in enumerate(groups):
        top, width = index * _STEP, round((_WIDTH - 50) * len(group) / most)
        drawn.append(f'<text x="0" y="{top + 14}">{escape(fitted(group.label))}</text>')
        drawn.append(f'<rect x="0" y="{top + 20}" width="{width}" height="{_BAR}" rx="2"/>')
        drawn.append(f'<text x="{width + 8}" y="{top + 31}">{len(group):,}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {len(groups) * _STEP}" role="img" '
        f'aria-labelledby="{key}-title {key}-told"><title id="{key}-title">{title}</title>'
        f'<desc id="{key}-told">{escape(told)}.</desc>{"".join(drawn)}</svg>'
    )


def fitted(text: str, most: int = _LETTERS) -> str:
    """As much of a text as fits into a chart; a wide letter (Chinese, Japanese, Korean) takes the room of two."""
    width = 0
    for at, letter in enumerate(text):
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > most:
            return f"{text[: at - 1].rstrip()}…"
    return text


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table in a box that scrolls where it is too wide. Of a row, the first is a name, the others are whole cells.

    So many of the first columns are words; the others are figures.
    """
    heads = "".join(
        f'<th scope="col"{" class=" + chr(34) + "words" + chr(34) if index < words else ""}>{name}</th>'
        for index, name in enumerate(head)
    )
    lines = "".join(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>\n' for name, *cells in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}">\n<table>\n<caption>{caption}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table>\n</div>\n"
    )


def _figure(count: int) -> str:
    return f"<td>{count:,}</td>"


def _words(content: str) -> str:
    return f'<td class="words">{content}</td>'


def _text(text: str) -> str:
    """A stranger's words among ours."""
    return f'<bdi dir="auto">{escape(text)}</bdi>'
