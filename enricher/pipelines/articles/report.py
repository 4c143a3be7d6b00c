"""The report of a job on articles: as Markdown, here, and as one HTML file (`html`). What it tells is `report_digest`'s.

Markdown is GitHub's, which has tables. Whatever a stranger's text holds, it means that text:

* each character that could be a mark is escaped, at the start of a line as inside one;
* what a renderer turns into a link by itself (an address, an e-mail address, @somebody) becomes code, which all of them
  leave alone, and a dot inside a word is escaped, for those that link a bare example.com;
* no picture is shown, and each target inside the report is named by an `<a id>` of our own, because renderers do not agree
  on the ids that they give to headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ...model import ExportRow
from . import report_digest as facts
from .report_digest import Article, Digest, Group, Groups, counted, digest
from .report_html import html

__all__ = ["escaped", "html", "markdown"]

_RUN = re.compile("[!-~]+")
_LINKS_ITSELF = re.compile(r"//|www\.|mailto:|xmpp:|@\w", re.IGNORECASE)
_IN_CODE = str.maketrans({"`": "%60", "|": "%7C", "\\": "%5C"})
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARK = re.compile(r"[\\`*_\[\]{}#~|$^]|=(?==)|\.(?=[^\W\d_])")
# What makes a line a list, a definition or the underline of a heading.
_OPENING = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+:=]))")


def escaped(text: str) -> str:
    """A clean text as Markdown that means this text, wherever in a line, a list, a heading or a table it stands."""
    parts, at = [], 0
    for run in _RUN.finditer(text):
        if _LINKS_ITSELF.search(run[0]):
            parts += [_unmarked(text[at : run.start()]), f"`{run[0].translate(_IN_CODE)}`"]
            at = run.end()
    parts.append(_unmarked(text[at:]))
    return _OPENING.sub(r"\1\\", "".join(parts))


def _unmarked(text: str) -> str:
    return _MARK.sub(r"\\\g<0>", text.translate(_ENTITIES))


def markdown(rows: Iterable[ExportRow], told_before: int = 0) -> str:
    """The report as Markdown; it ends with a line's end. `told_before`: as `Digest` has it."""
    told = digest(rows, told_before)
    blocks = [f"# {facts.TITLE}", facts.verdict(told)]
    if told.articles:
        blocks.append(" · ".join(f"**{label}:** {count:,}" for label, count in facts.counts(told)))
        blocks += [*_sources(told), *_costs(told), *_contents(told)]
    content = {"articles": _analyses, "failed": _failures, "waiting": _waiting, "overview": _overview}
    for key, heading in told.parts:
        blocks += [f'<a id="{key}"></a>', f"## {heading}", *content[key](told)]
    return "\n\n".join(blocks) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table of cells that are escaped already; its first columns are words, the others figures."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))


def _sources(told: Digest) -> Iterator[str]:
    yield "## Sources"
    yield _table(["Source", "Articles"], [(escaped(group.label), f"{len(group):,}") for group in told.feeds])


def _costs(told: Digest) -> Iterator[str]:
    yield "## Tokens and cost"
    yield escaped(facts.bill(told))
    if told.models:
        head = ["Provider", "Model", "Articles", "Tokens in", "Tokens out", "Cost"]
        yield _table(head, map(_cost, told.models), words=2)


def _cost(group: Group) -> list[str]:
    one, each = group.articles[0], group.articles
    figures = (len(each), *facts.tokens_of(each))
    return [escaped(one.provider), escaped(one.model), *(f"{n:,}" for n in figures), escaped(facts.cost_of(each))]


def _contents(told: Digest) -> Iterator[str]:
    yield "## Contents"
    lines = []
    for key, heading in told.parts:
        lines.append(f"- [{heading}](#{key})")
        if key == "articles":
            lines += [f"  {each.number}. [{escaped(each.title)}](#article-{each.number})" for each in told.analysed]
    yield "\n".join(lines)


def _analyses(told: Digest) -> Iterator[str]:
    for article in told.analysed:
        yield f'<a id="article-{article.number}"></a>'
        yield f"### {article.number}. {escaped(article.title)}"
        about = [("Source", article.source), ("Author", article.author), ("Date", article.published)]
        if known := list(_labelled(about)):
            yield " · ".join(known)
        yield from _labelled([("Take-away", article.takeaway), ("Summary", article.summary)])
        if article.findings:
            yield "**Findings:**"
            yield "\n".join(f"- {escaped(finding)}" for finding in article.findings)
        yield from _labelled([("Method", article.method), ("Topics", ", ".join(article.topics))])
        if article.link:
            yield f"[Read the article on {escaped(article.host)}]({_destination(article)})"


def _labelled(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"**{label}:** {escaped(text)}" for label, text in pairs if text)


def _failures(told: Digest) -> Iterator[str]:
    return _listed(told.failures)


def _waiting(told: Digest) -> Iterator[str]:
    yield facts.STILL_TO_COME
    yield from _listed(told.waiting)


def _listed(groups: Groups) -> Iterator[str]:
    for group in groups:
        yield f"### {counted(len(group), 'article')}: {escaped(group.label)}"
        yield "\n".join(f"- {_named(article)}" for article in group.articles)


def _named(article: Article) -> str:
    title = escaped(article.title)
    return f"[{title}]({_destination(article)}) ({escaped(article.host)})" if article.link else title


def _destination(article: Article) -> str:
    return article.link.replace("&", "&amp;")  # entities are read in the address of a link, too


def _overview(told: Digest) -> Iterator[str]:
    yield "### By topic"
    if told.topics:
        yield _table(["Topic", "Which", "Articles"], map(_topic, told.topics[: facts.MOST_TOPICS]), words=2)
    else:
        yield "No topics are known."
    if left := facts.more_topics(told):
        yield left
    yield "### By site"
    sites = [(escaped(group.label), *(f"{count:,}" for count in facts.standing(group))) for group in told.sites]
    yield _table(["Site", *facts.STANDING], sites)


def _topic(group: Group) -> list[str]:
    which = ", ".join(f"[{article.number}](#article-{article.number})" for article in group.articles)
    return [escaped(group.label), which, f"{len(group):,}"]
