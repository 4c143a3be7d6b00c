"""The report on articles: complete, the same bytes for the same rows, and never more than text where strangers wrote it."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from enricher.model import ExportRow
from enricher.pipelines.articles.report import escaped, html, markdown
from enricher.pipelines.articles.report_digest import MOST_NAME, MOST_TOPICS, clean, digest, money, safe_link
from enricher.pipelines.articles.report_html import BARS, POLICY, fitted

FORMS = pytest.mark.parametrize("form", [markdown, html])

HOSTILE = (
    "# 1. <script>alert(1)</script> </title></style> ![x](https://evil.test/p.png) [y](javascript:alert(1)) | a\n\n- b"
    " \u202e*loud* `code` &amp; <img src=x onerror=alert(1)> https://evil.test www.evil.test @someone me@evil.test\"'\x00"
)


def row(number=1, status="enriched", cells=None, **record):
    """A row about article `number`; with an analysis where the status says so."""
    address = f"https://news.example/{number}"
    known = {
        "url": f"{address}?utm_source=feed",
        "canonical_url": address,
        "title": f"Title {number}",
        "site": "The News",
        "published": "2026-11-05T08:00:00Z",
        "text": "The whole text of the page.",
        "summary": f"Summary {number}.",
        "key_findings": ["One finding.", "Another."],
        "method": "A survey.",
        "topics": ["energy"],
        "takeaway": f"Take-away {number}.",
        "provider": "openai",
        "model": "small",
        "tokens_in": 1000,
        "tokens_out": 200,
        "cost_usd": 0.0123,
    }
    told = {
        "url": address,
        "feed": "https://news.example/feed",
        "title": f"Told {number}",
        "author": "Ada",
        "published": "",
    }
    return ExportRow(
        "feeds.opml",
        number + 1,
        told | (cells or {}),
        status,
        error=record.pop("error", None),
        record=known | record if status == "enriched" else None,
    )


def failed(number, error="the page is gone", **cells):
    return row(number, "failed", cells, error=error)


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and all words."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.levels = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))

    def handle_data(self, data):
        self.words += data

    @property
    def tags(self):
        return {tag for tag, _ in self.elements}

    @property
    def targets(self):
        return [attributes["href"] for tag, attributes in self.elements if tag == "a" and "href" in attributes]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def rendered(text):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def page(form, rows):
    text = form(rows)
    return Page(rendered(text) if form is markdown else text)


# ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_markdown_of_one_article_and_one_failure():
    assert markdown([row(1), failed(2)]) == (
        "# Article analysis report\n\n1 of 2 articles was analysed.\n\n"
        "**Articles:** 2 · **Analysed:** 1 · **Failed:** 1\n\n"
        "## Sources\n\n| Source | Articles |\n| --- | ---: |\n| `https://news.example/feed` | 2 |\n\n"
        "## Tokens and cost\n\n1 article took 1,000 tokens in and 200 tokens out; \\$0.0123.\n\n"
        "| Provider | Model | Articles | Tokens in | Tokens out | Cost |\n| --- | --- | ---: | ---: | ---: | ---: |\n"
        "| openai | small | 1 | 1,000 | 200 | \\$0.0123 |\n\n"
        "## Contents\n\n- [Articles](#articles)\n  1. [Title 1](#article-1)\n- [What failed, and why](#failed)\n"
        "- [Overview](#overview)\n\n"
        '<a id="articles"></a>\n\n## Articles\n\n<a id="article-1"></a>\n\n### 1. Title 1\n\n'
        "**Source:** The News (news\\.example) · **Author:** Ada · **Date:** 5 November 2026\n\n"
        "**Take-away:** Take-away 1.\n\n**Summary:** Summary 1.\n\n**Findings:**\n\n- One finding.\n- Another.\n\n"
        "**Method:** A survey.\n\n**Topics:** energy\n\n"
        "[Read the article on news\\.example](https://news.example/1)\n\n"
        '<a id="failed"></a>\n\n## What failed, and why\n\n### 1 article: the page is gone\n\n'
        "- [Told 2](https://news.example/2) (news\\.example)\n\n"
        '<a id="overview"></a>\n\n## Overview\n\n### By topic\n\n'
        "| Topic | Which | Articles |\n| --- | --- | ---: |\n| energy | [1](#article-1) | 1 |\n\n"
        "### By site\n\n| Site | Articles | Analysed | Failed | Still to come |\n| --- | ---: | ---: | ---: | ---: |\n"
        "| news\\.example | 2 | 1 | 1 | 0 |\n"
    )


@FORMS
def test_everything_that_an_analysis_holds_is_told(form):
    words = page(form, [row(1), failed(2), row(3, "deferred"), row(4, "pending")]).words
    for expected in (
        *("1 of 4 articles was analysed.", "Title 1", "The News (news.example)", "Ada", "5 November 2026"),
        *("Summary 1.", "One finding.", "A survey.", "energy", "Take-away 1.", "Read the article on news.example"),
        *("https://news.example/feed", "openai", "small", "$0.0123", "1,000 tokens in and 200 tokens out"),
        *("1 article: the page is gone", "Told 2", "1 article: in a provider's batch", "Told 3"),
        *("1 article: not asked yet", "Told 4", "Running the same command again"),
    ):
        assert expected in words


@FORMS
def test_the_text_of_a_page_is_not_in_its_report(form):
    assert "whole text" not in form([row(1)])


@FORMS
def test_the_same_rows_give_the_same_bytes(form):
    rows = [row(1), row(2, topics=["b", "a"]), failed(3)]
    assert form(iter(rows)) == form(rows)


@FORMS
def test_every_anchor_leads_to_one_place(form):
    there = page(form, [row(1), row(2), failed(3), row(4, "pending")])
    inside = [target.removeprefix("#") for target in there.targets if target.startswith("#")]
    assert {"articles", "article-1", "article-2", "failed", "waiting", "overview"} <= set(inside) <= set(there.ids)
    assert len(set(there.ids)) == len(there.ids)


@FORMS
def test_headings_leave_no_level_out(form):
    levels = page(form, [row(1), failed(2), row(3, "pending")]).levels
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert levels.count(1) == 1


@FORMS
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "There was no article to analyse."),
        ([row(1)], "The one article was analysed."),
        ([failed(1)], "The one article was not analysed."),
        ([row(1), row(2)], "All 2 articles were analysed."),
        ([failed(1), failed(2)], "None of the 2 articles was analysed."),
        ([row(1), failed(2)], "1 of 2 articles was analysed."),
        ([row(1), row(2), failed(3)], "2 of 3 articles were analysed."),
    ],
)
def test_the_first_sentence_says_how_it_went(form, rows, sentence):
    assert sentence in page(form, rows).words


@FORMS
def test_nothing_is_said_of_what_is_not_there(form):
    empty = page(form, [])
    assert empty.targets == []
    assert "Overview" not in empty.words
    words = page(form, [failed(1), failed(2)]).words
    assert "No article was analysed, so there is no cost to show." in words
    assert "No topics are known." in words
    assert "Take-away" not in words


@FORMS
def test_what_an_analysis_lacks_leaves_no_heading_behind(form):
    bare = dict.fromkeys(("summary", "key_findings", "method", "topics", "takeaway", "site", "published"))
    words = page(form, [row(1, cells={"author": "", "title": ""}, **bare, title=None, author=None)]).words
    for label in ("Summary", "Findings", "Method", "Topics:", "Take-away", "Author", "Date", "None"):
        assert label not in words
    assert "https://news.example/1" in words  # where there is no title, the address names it


# ── groups, ties, figures ───────────────────────────────────────────────────────────────────────────────────────────


def labels(groups):
    return [(group.label, len(group)) for group in groups]


def test_the_largest_group_comes_first_and_ties_go_by_input_position():
    told = digest([failed(1, "b"), failed(2, "c"), failed(3, "a"), failed(4, "c")])
    assert labels(told.failures) == [("c", 2), ("b", 1), ("a", 1)]


def test_sources_that_have_as_many_articles_stand_as_the_input_names_them():
    told = digest([row(n, cells={"feed": feed}) for n, feed in enumerate("zayaz")])
    assert labels(told.feeds) == [("z", 2), ("a", 2), ("y", 1)]


def test_an_article_without_a_feed_comes_from_its_list():
    assert labels(digest([row(1, cells={"feed": ""})]).feeds) == [("feeds.opml", 1)]


def test_a_topic_is_one_in_whatever_case_and_counts_an_article_once():
    told = digest([row(1, topics=["Solar power", "solar  POWER"]), row(2, topics="solar power")])
    assert labels(told.topics) == [("Solar power", 2)]
    assert told.articles[0].topics == ("Solar power",)


def test_topics_beyond_the_most_are_counted_not_listed():
    rows = [row(1, topics=[f"topic {n}" for n in range(MOST_TOPICS + 1)])]
    for form in (markdown, html):
        assert "Not listed: 1 topic, none of more articles than these." in form(rows)
        assert f"topic {MOST_TOPICS - 1}" in page(form, rows).words
    assert f"| topic {MOST_TOPICS} |" not in markdown(rows)


def test_articles_are_numbered_among_the_analysed():
    told = digest([failed(1), row(2), row(3, "pending"), row(4)])
    assert [article.number for article in told.articles] == [0, 1, 0, 2]


def test_sites_are_told_apart_by_host_and_not_by_the_name_that_they_give_themselves():
    rows = [
        row(1, canonical_url="https://www.evil.test/1", site="The News"),
        row(2, canonical_url="https://evil.test:8080/2", site="evil.test"),
        failed(3, url="no address"),
    ]
    told = digest(rows)
    assert labels(told.sites) == [("evil.test", 2), ("unknown", 1)]
    assert [article.source for article in told.articles[:2]] == ["The News (evil.test)", "evil.test"]
    assert "| evil\\.test | 2 | 2 | 0 | 0 |\n| unknown | 1 | 0 | 1 | 0 |" in markdown(rows)


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        ("not_found", None, "there is no such article"),
        ("not_found", "the page is gone (410)", "the page is gone (410)"),
        ("failed", None, "the reason is not known"),
        ("unsure", None, "the reason is not known"),
    ],
)
def test_what_is_neither_analysed_nor_waiting_failed_for_a_reason(status, error, reason):
    assert labels(digest([row(1, status, error=error)]).failures) == [(reason, 1)]


def test_a_row_without_title_and_address_is_named_by_its_line():
    assert digest([failed(1, title="", url="")]).articles[0].title == "Line 2 of feeds.opml"


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0.0123, "$0.0123"),
        (0.012345678, "$0.01235"),
        (0.1 + 0.2, "$0.30"),
        (0.00000012346, "$0.0000001235"),
        (1, "$1.00"),
        (1.5, "$1.50"),
        (2.34567, "$2.346"),
        (12.3456, "$12.35"),
        (0.99999, "$1.00"),
        (1234567.891, "$1,234,567.89"),
        (1e16, "$10,000,000,000,000,000.00"),
    ],
)
def test_money_has_four_digits_and_its_cents(dollars, text):
    assert money(dollars) == text


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row(1)], "1 article took 1,000 tokens in and 200 tokens out; $0.0123."),
        ([row(n, cost_usd=0.1) for n in range(3)], "3 articles took 3,000 tokens in and 600 tokens out; $0.30."),
        ([row(1, tokens_in=1, tokens_out=1)], "1 article took 1 token in and 1 token out; $0.0123."),
        (
            [row(1, provider="local", cost_usd=0.0, tokens_in=0, tokens_out=None)],
            "1 article took no tokens; no cost: analysed locally.",
        ),
        ([row(1, cost_usd=None)], "1 article took 1,000 tokens in and 200 tokens out; cost not known."),
        (
            [row(1, provider="compatible", cost_usd=0.0), row(2, provider="local", cost_usd=0.0)],
            "2 articles took 2,000 tokens in and 400 tokens out; no cost: a server of your own.",
        ),
        (
            [row(1), row(2, cost_usd=None)],
            "2 articles took 2,000 tokens in and 400 tokens out; $0.0123, and 1 article of unknown cost.",
        ),
    ],
)
def test_tokens_and_cost_are_summed_up_in_a_sentence(rows, sentence):
    for form in (markdown, html):
        assert sentence in page(form, rows).words


def test_each_model_has_its_own_bill():
    rows = [row(1), row(2, model="large", cost_usd=2.5, tokens_in=12345), row(3), row(4, provider="local", cost_usd=0)]
    lines = markdown(rows).splitlines()
    start = lines.index("| Provider | Model | Articles | Tokens in | Tokens out | Cost |") + 2
    assert lines[start : start + 3] == [
        "| openai | small | 2 | 2,000 | 400 | \\$0.0246 |",
        "| openai | large | 1 | 12,345 | 200 | \\$2.50 |",
        "| local | small | 1 | 1,000 | 200 | no cost: analysed locally |",
    ]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2026-01-09", "9 January 2026"),
        ("2026-12-31T23:59:59+01:00", "31 December 2026"),
        ("2026-02-30", "2026-02-30"),
        ("2026-11-055", "2026-11-055"),
        ("last Tuesday", "last Tuesday"),
    ],
)
def test_a_date_reads_as_people_write_it_and_is_left_alone_where_it_is_none(told, shown):
    assert digest([row(1, published=told)]).articles[0].published == shown


# ── strangers' words ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (None, ""),
        ("a\r\n\u2028\tb\x0c\x85c", "a b c"),
        ("a\u202e\u2066b\u200f\ufeff\u200b\x00\x1b\x9f\u061cc", "abc"),
        ("a\U000e0041b", "ab"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
        ("half \ud800 \uffff", "half \ufffd \ufffd"),
        ("x" * 6000, "x" * 4999 + "…"),
        (7, "7"),
    ],
)
def test_a_text_is_one_line_of_what_can_be_seen(told, shown):
    assert clean(told) == shown


@FORMS
def test_a_title_without_end_is_cut(form):
    assert "x" * MOST_NAME not in form([row(1, title="x" * 100_000)])


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://a.test/x?a=1&b=(2)#c", "https://a.test/x?a=1&b=%282%29#c"),
        ("HTTP://A.test/<b>\"'`|\\{}^$", "HTTP://A.test/%3Cb%3E%22'%60%7C%5C%7B%7D%5E%24"),
        ("http://[::1]:8080/é%20", "http://[::1]:8080/%C3%A9%20"),
        *(
            (refused, "")
            for refused in (
                *(
                    "javascript:alert(1)",
                    "data:text/html,x",
                    "ftp://a.test",
                    "//a.test",
                    "/x",
                    "",
                    "https://",
                    "mailto:a@b.c",
                ),
                *("https://user:secret@a.test", "https://bank.test@evil.test", "https://a.test\\@evil.test/"),
                *("https://a.test/ x", "https://a.te\nst/", "java\nscript:x", " https://a.test", "https://a.test/\x00"),
                *(
                    "https://a.test/\u202e",
                    "https://a.test/\ud800",
                    "https://a<b.test",
                    "https://[::1",
                    "https://a.test:x",
                ),
                *("https://bänk.test", "https:/a.test"),
            )
        ),
    ],
)
def test_a_link_is_an_address_that_a_person_may_click(address, link):
    assert safe_link(address) == link


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, (really): 3.5 % – don't!", "plain words, (really): 3.5 % – don't!"),
        ("*a* _b_ ~c~ [d](e) `f` #g $h$ {i} j|k l\\m", r"\*a\* \_b\_ \~c\~ \[d\](e) \`f\` \#g \$h\$ \{i\} j\|k l\\m"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("- a", r"\- a"),
        ("+ a", r"\+ a"),
        ("= a", r"\= a"),
        ("=== a", r"\=\== a"),
        ("1. a", r"1\. a"),
        ("20) a", r"20\) a"),
        ("2026-11-05", "2026-11-05"),
        ("see example.com.", r"see example\.com."),
        ("at https://a.test/(x)*y*, say", "at `https://a.test/(x)*y*,` say"),
        ("x|www.a.test`\\", "`x%7Cwww.a.test%60%5C`"),
        ("ask @someone or me@a.test", "ask `@someone` or `me@a.test`"),
        ("中文https://a.test中文", "中文`https://a.test`中文"),
    ],
)
def test_markdown_is_escaped(text, shown):
    assert escaped(text) == shown


MARKS = st.text(st.sampled_from("\\`*_[]{}()#+-=.!|~<>&;:$^\"'/@w1a é\n\t\x00\u202e"), max_size=25)
PLACES = ("{}\n", "# 1. {}\n", "- {}\n", "**Label:** {}\n", "[{}](#x)\n", "| {} |\n| --- |\n| {} |\n")


@given(MARKS | st.text(max_size=25), st.sampled_from(PLACES))
def test_markdown_means_the_text_that_went_in(text, place):
    """Rendered, it is the same text again, whatever it holds and wherever it stands; code has three signs encoded."""
    wanted = clean(text) or "Q"
    alone, there = Page(rendered(place.replace("{}", "Q"))), Page(rendered(place.replace("{}", escaped(wanted))))
    assert there.tags - {"code"} == alone.tags
    expected = alone.words.replace("Q", wanted)
    if "code" in there.tags:
        assert same_letters(there.words) == same_letters(expected)
    else:
        assert there.words == expected


def same_letters(text):
    return re.sub(r"[`|\\]|%60|%7C|%5C", "", text)


def hostile_rows():
    every = ("title", "author", "site", "published", "summary", "method", "takeaway", "provider", "model")
    return [
        row(1, **dict.fromkeys(every, HOSTILE), key_findings=[HOSTILE], topics=[HOSTILE]),
        row(2, canonical_url="https://evil.test/a)<script>\"'[x](y)|&lt;", feed=HOSTILE),
        failed(3, HOSTILE, title=HOSTILE, url='javascript:alert("x")', feed=HOSTILE),
        failed(4, title=HOSTILE),
        ExportRow(HOSTILE, 9, {"url": HOSTILE}, "failed"),
    ]


@FORMS
def test_no_stranger_adds_an_element_or_a_link(form):
    there, tame = page(form, hostile_rows()), page(form, [row(1), row(2), failed(3), failed(4), failed(5)])
    assert there.tags - {"code"} <= tame.tags
    outside = {target for target in there.targets if not target.startswith("#")}
    assert outside == {
        "https://news.example/1",
        "https://news.example/4",
        "https://evil.test/a%29%3Cscript%3E%22'[x]%28y%29%7C&lt;".replace(
            "[x]", "%5Bx%5D" if form is markdown else "[x]"
        ),
    }
    allowed = {"href", "id"} if form is markdown else HTML_ATTRIBUTES
    assert {name for _, attributes in there.elements for name in attributes} - {"style"} <= allowed
    assert "\u202e" not in form(hostile_rows())
    assert "\x00" not in form(hostile_rows())


@FORMS
def test_what_strangers_wrote_can_be_read(form):
    assert "<script>alert(1)</script>" in page(form, hostile_rows()).words


def test_no_stranger_breaks_a_line_or_a_table_of_the_markdown():
    def shape(rows):
        return [line.count("|") - line.count("\\|") for line in markdown(rows).splitlines() if line.startswith("| ")]

    tame = [row(1), row(2), failed(3, "a"), failed(4, "b"), failed(5, "c")]
    assert set(shape(hostile_rows())) == set(shape(tame))


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────

HTML_ATTRIBUTES = {
    *("href", "id", "rel", "dir", "lang", "class", "role", "scope", "tabindex", "aria-label", "aria-labelledby"),
    *("charset", "http-equiv", "name", "content", "xmlns", "viewbox", "x", "y", "width", "height", "rx"),
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("rows", [[], [failed(1)], [row(1), row(2, "pending")], hostile_rows()])
def test_the_page_is_well_formed_and_has_its_landmarks(rows):
    root = ET.fromstring(html(rows))
    assert root.get("lang") == "en"
    assert [len(list(root.iter(tag))) for tag in ("header", "main", "h1", "title")] == [1, 1, 1, 1]
    assert len(list(root.iter("nav"))) == bool(rows)


def test_the_page_runs_and_fetches_nothing():
    there = page(html, hostile_rows())
    assert not there.tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base"}
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}) in there.elements
    assert "default-src 'none'" in POLICY
    assert not re.search(r"url\(|@import", html([]))


def test_links_to_the_outside_tell_and_vouch_for_nothing():
    links = [attributes for tag, attributes in page(html, [row(1), failed(2)]).elements if tag == "a"]
    outside = [each for each in links if not each["href"].startswith("#")]
    assert len(outside) == 2
    assert {each.get("rel") for each in outside} == {"noopener noreferrer nofollow"}


def test_each_text_of_a_stranger_finds_its_own_direction():
    root = ET.fromstring(html([row(1, title="اخبار", summary="اخبار", key_findings=["اخبار"], takeaway="اخبار")]))
    holders = [each for each in root.iter() if each.text == "اخبار"]
    assert len(holders) == 5  # in the contents, too
    assert {each.get("dir") for each in holders} == {"auto"}


def test_a_chart_has_a_name_its_figures_in_words_and_a_table_beside_it():
    rows = [row(1, topics=["a", "b"]), row(2, topics=["a"]), row(3, topics=["a", "b", "c & d"])]
    root = ET.fromstring(html(rows))
    figure = next(root.iter("figure"))
    picture = figure.find(f".//{SVG}svg")
    assert picture.get("role") == "img"
    named = {each.get("id"): each.text for each in picture.iter() if each.get("id")}
    assert list(named) == picture.get("aria-labelledby").split()
    assert list(named.values()) == ["Articles by topic", "a: 3 articles; b: 2 articles; c & d: 1 article."]
    widths = [int(bar.get("width")) for bar in picture.iter(f"{SVG}rect")]
    assert [round(width / widths[0], 2) for width in widths] == [1, 0.67, 0.33]
    texts = [each.text for each in picture.iter(f"{SVG}text")]
    assert texts == ["a", "3", "b", "2", "c & d", "1"]
    table = [["".join(cell.itertext()) for cell in line] for line in figure.iter("tr")]
    assert table[1:] == [["a", "1, 2, 3", "3"], ["b", "1, 3", "2"], ["c & d", "3", "1"]]


def test_a_chart_shows_the_first_and_the_table_all():
    root = ET.fromstring(html([row(n, canonical_url=f"https://host{n}.test/") for n in range(BARS + 5)]))
    figure = list(root.iter("figure"))[1]
    assert len(list(figure.iter(f"{SVG}rect"))) == BARS
    assert len(list(figure.iter("tr"))) == 1 + BARS + 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [("short", "short"), ("abcdef", "abcdef"), ("abcdefg", "abcde…"), ("日本語", "日本語"), ("日本語で", "日本…")],
)
def test_a_name_is_cut_to_the_room_of_a_chart(text, shown):
    assert fitted(text, most=6) == shown


def test_dark_and_narrow_and_printed_pages_are_thought_of():
    text = html([])
    assert all(
        f"({word}" in text or f"@media {word}" in text for word in ("prefers-color-scheme: dark", "max-width", "print")
    )
