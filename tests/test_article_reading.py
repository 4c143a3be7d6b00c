"""What a person named becomes rows: how a source is read (the generator is driven by hand), and how rows are put together."""

from __future__ import annotations

import pytest

from enricher.errors import GaveUp, Refused
from enricher.model import Answer, Compute, Failed, Found, Item, Outcome
from enricher.pipelines.articles.feeds import Entry, Feed, parse_feed
from enricher.pipelines.articles.fetching import Fetcher
from enricher.pipelines.articles.inputs import Inputs, Local, Wanted, Wrong
from enricher.pipelines.articles.pages.reasons import GONE, NO_SUCH_PAGE, NOT_ALLOWED, UNANSWERED
from enricher.pipelines.articles.reading import (
    A_LIST,
    GONE_STATE,
    MOST_LISTED,
    NO_ENTRIES,
    NO_OWN_TEXT,
    OK,
    PARSE_WITHIN_S,
    SHALLOW_LISTED,
    SHALLOW_NAMED,
    FeedList,
    FeedState,
    Page,
    parse,
    reading_recipe,
    rows_of,
    sources_of,
    with_listed,
)
from enricher.pipelines.articles.web import agent_of, web

AGENT = agent_of(None)
RECIPE = reading_recipe(Fetcher(web(agent=AGENT), AGENT, heed_robots=False))
FEED, PAGE = "https://news.example/feed.xml", "https://news.example/"
A, B, C, D = (f"https://news.example/{letter}" for letter in "abcd")
OTHER = "https://other.example/rss"
XML = {"content-type": "application/rss+xml"}
BODY = Answer(200, None, b"<rss/>", headers=XML)
RSS = b"<rss version='2.0'><channel><title>The News</title>%s</channel></rss>"


def rss(*items):
    return RSS % b"".join(b"<item>%s</item>" % item for item in items)


def entry(url, title=None, published=None, author=None):
    return Entry(url, title, author, published, None)


def feed(*entries, title="The News"):
    return Feed(title, None, entries)


def reading(kind="either", url=FEED, shallow=SHALLOW_NAMED):
    flow = RECIPE(Item(url, {"url": url, "kind": kind, "shallow": shallow}))
    assert next(flow).path == url
    return flow


def end(flow, answer):
    with pytest.raises(StopIteration) as stop:
        flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    return stop.value.value


def at_page(url=PAGE, kind="either", **options):
    """The flow at a page's address, its page sent: what the page is comes next."""
    flow = reading(kind, url, **options)
    flow.send(BODY)
    return flow


def concluded(flow):
    """The record of a page that names a feed, whether that is asked for or not."""
    try:
        flow.send(Page((FEED,)))
    except StopIteration as stop:
        return stop.value.record
    flow.send(BODY)
    return end(flow, feed(entry(A))).record


# ── one source ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_is_fetched_and_read_by_a_process_that_can_be_killed():
    flow = reading()
    assert flow.send(BODY) == Compute(parse, (b"<rss/>", FEED, "application/rss+xml"), timeout_s=PARSE_WITHIN_S)
    found = end(flow, feed(entry("https://news.example/1", "Bees", "2026-01-02T03:04:05Z", "Ann")))
    told = {"url": "https://news.example/1", "title": "Bees", "author": "Ann", "published": "2026-01-02T03:04:05Z"}
    entries = [{**told, "id": None, "text": "", "text_words": 0}]
    assert found == Found({"feed": FEED, "title": "The News", "entries": entries})


def test_a_front_page_leads_to_the_first_feed_that_it_names():
    flow = at_page()
    assert flow.send(Page((FEED, OTHER))).path == FEED
    assert flow.send(BODY).args[1] == FEED
    assert end(flow, feed()).record["feed"] == FEED


def test_a_page_that_names_no_feed_is_an_article():
    assert end(at_page(), Page()) == Found({"article": PAGE})


def test_a_page_that_says_that_it_is_an_article_is_one_whatever_it_names():
    assert end(at_page(), Page((FEED,), is_article=True)) == Found({"article": PAGE})


@pytest.mark.parametrize(
    ("path", "named", "listed"),
    [
        ("", "feed", "feed"),
        ("blog/", "feed", "feed"),
        ("my-post", "feed", "feed"),
        ("en/blog/", "feed", "article"),
        ("blog/my-post", "feed", "article"),
        ("blog/about/bees", "article", "article"),
        ("2026/bees", "article", "article"),
        ("2026-01-02-bees", "article", "article"),
        ("20261/bees", "feed", "article"),
    ],
)
def test_a_page_that_lies_deep_in_its_site_is_an_article_sooner_in_a_list(path, named, listed):
    for shallow, expected in ((SHALLOW_NAMED, named), (SHALLOW_LISTED, listed)):
        assert set(concluded(at_page(f"{PAGE}{path}", shallow=shallow))) & {"article", "feed"} == {expected}


def test_a_page_is_an_article_if_the_feed_that_it_names_holds_it():
    flow = at_page(f"{PAGE}bees?utm_source=x")
    flow.send(Page((FEED,)))
    flow.send(BODY)
    others = [entry(None), entry("mailto:ann@news.example"), entry(A)]
    assert end(flow, feed(*others, entry(f"{PAGE}bees"))) == Found({"article": f"{PAGE}bees?utm_source=x"})


GONE_ANSWER = Answer(410, None, b"", missing=True)
NO_FEEDS = [(GONE_ANSWER, GONE), (Refused("HTTP 404", 1), NO_SUCH_PAGE), (GaveUp("timeout", 3), UNANSWERED)]


@pytest.mark.parametrize("came", [came for came, _ in NO_FEEDS])
def test_a_page_whose_feed_cannot_be_had_is_an_article(came):
    flow = at_page(f"{PAGE}bees")
    flow.send(Page((FEED,)))
    assert end(flow, came) == Found({"article": f"{PAGE}bees"})


@pytest.mark.parametrize(
    "came", [TimeoutError(), RuntimeError("died"), Page(), Page((OTHER,)), Feed("Empty", None, ())]
)
def test_a_page_whose_feed_is_none_or_cannot_be_read_is_an_article(came):
    flow = at_page(f"{PAGE}bees")
    flow.send(Page((FEED,)))
    flow.send(BODY)
    assert end(flow, came) == Found({"article": f"{PAGE}bees"})


@pytest.mark.parametrize(("came", "reason"), NO_FEEDS)
def test_a_site_s_own_front_page_is_never_an_article(came, reason):
    flow = at_page()
    flow.send(Page((FEED,)))
    assert end(flow, came) == Failed(f"the feed that it names: {reason}")


def test_a_page_in_place_of_the_feed_that_a_page_names_is_not_followed_further():
    flow = at_page(kind="feed")
    flow.send(Page((FEED,)))
    flow.send(BODY)
    assert end(flow, Page((OTHER,))) == Failed("the feed that it names: it is no feed")


def test_what_is_named_as_a_feed_is_followed_to_one_or_fails():
    assert end(at_page(kind="feed"), Page()) == Failed("it is no feed, and names none")
    deep = at_page(f"{PAGE}2026/01/bees", "feed")
    assert deep.send(Page((FEED,), is_article=True)).path == FEED


def test_a_feed_that_is_gone_says_so():
    assert end(reading(), GONE_ANSWER) == Failed(GONE)


def test_a_feed_that_refuses_says_what_it_answered():
    assert end(reading("feed", FEED), Refused("HTTP 403", 1)) == Failed("answered HTTP 403")


def test_a_feed_s_redirect_is_where_its_relative_addresses_begin():
    flow = reading()
    flow.send(Answer(301, None, b"", headers={"location": "https://new.example/rss"}))
    assert flow.send(BODY).args[1] == "https://new.example/rss"
    assert end(flow, feed()).record["feed"] == "https://new.example/rss"


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (TimeoutError("Task timeout", 30), "it could not be read within 30 s"),
        (RuntimeError("died with exit code -9"), "it is damaged beyond reading"),
        (MemoryError(), "it is damaged beyond reading"),
    ],
)
def test_a_feed_that_kills_its_reader_fails_alone_in_our_own_words(trouble, reason):
    assert end(at_page(), trouble) == Failed(reason)


LINK = b"<link rel=alternate type='application/rss+xml' href='/feed.xml'>"
DECLARED = b'<meta property="og:type" content="article"/>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rss(b"<link>/1</link>"), feed(entry("https://news.example/1"))),
        (b"<html>" + LINK, Page((FEED,))),
        (b"<html><p>An article.", Page()),
        (b"<html>" + LINK + DECLARED, Page((FEED,), is_article=True)),
        (b"<html><META content = article property=og:type>", Page(is_article=True)),
        (b"<html><meta property='article:published_time' content='2026-01-02'>", Page(is_article=True)),
        (b'<html><meta property="og:type" content="website">', Page()),
        (b'<html><meta name="description" content="article of the day">', Page()),
        (b"<html>og:type article" + b" " * 600_000 + DECLARED, Page()),
        (b"%PDF-1.4", Page()),
        (b"", Page()),
        (rss(b"<link>" * 300_001), Failed("the feed holds more than 300,000 marks of its format")),
        (b'{"version": "https://jsonfeed.org/version/1.1"', Failed("the JSON is damaged")),
        (b'{"version": "1"}', Page()),
    ],
)
def test_a_body_is_a_feed_or_names_feeds_or_says_that_it_is_an_article(body, expected):
    assert parse(body, PAGE, "") == expected


# ── the rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def named(*urls, kind="either", name="command line"):
    return [Wanted(kind, url, name, line) for line, url in enumerate(urls, 1)]


def read(url, *entries, title="The News"):
    names = ("url", "title", "author", "published", "id", "text")
    fields = [{name: getattr(one, name) for name in names} | {"text_words": one.word_count} for one in entries]
    return Outcome(Item(url), "enriched", {"feed": url, "title": title, "entries": fields})


def failed(url, error):
    return Outcome(Item(url), "failed", error=error)


def put_together(given, *outcomes, **options):
    return rows_of(Inputs(tuple(given)), outcomes, **options)


def addresses(reading):
    return [row.item.fields["url"] if row.item else row.error for row in reading.rows]


def test_each_address_is_asked_for_once_and_an_article_s_not_at_all():
    saved = Local("x", Feed(None, None, ()))
    given = [*named(FEED, OTHER, FEED), *named(A, kind="article"), *named(FEED, kind="feed"), saved]
    assert [item.key for item in sources_of(Inputs(tuple(given)))] == [FEED, OTHER]


def test_a_list_s_pages_are_taken_for_articles_sooner_than_the_command_line_s():
    given = [*named(FEED), *named(OTHER, name="list.txt")]
    assert [item.fields["shallow"] for item in sources_of(Inputs(tuple(given)))] == [SHALLOW_NAMED, SHALLOW_LISTED]


def test_rows_stand_in_the_order_in_which_they_were_named_whoever_answered_first():
    given = [*named(FEED), *named(D, kind="article", name="list.txt"), *named(OTHER)]
    outcomes = [read(OTHER, entry(C), title="Other"), read(FEED, entry(B), entry(A))]
    reading = put_together(given, *outcomes)
    assert addresses(reading) == [B, A, D, C]
    assert [row.source for row in reading.rows] == ["command line", "command line", "list.txt", "command line"]
    assert [row.line for row in reading.rows] == [1, 2, 1, 1]
    assert put_together(given, *reversed(outcomes)).rows == reading.rows


def test_a_row_knows_all_that_its_feed_tells_and_no_more():
    (row,) = put_together(named(FEED), read(FEED, entry(A, "Bees", "2026-01-02T03:04:05Z", "Ann"))).rows
    told = {"url": A, "feed": "The News", "title": "Bees", "author": "Ann", "published": "2026-01-02T03:04:05Z"}
    assert (row.cells, row.item) == (told, Item(A, told))
    (row,) = put_together(named(FEED), read(FEED, entry(A), title=None)).rows
    assert row.cells == {"url": A, "feed": FEED}


def test_one_article_in_several_feeds_is_one_row_of_the_first():
    doubles = [entry(f"{A}?utm_source=other", "B title"), entry(f"{A}#part"), entry("HTTPS://NEWS.example:443/a")]
    reading = put_together(named(FEED, OTHER), read(FEED, entry(A, "A title")), read(OTHER, *doubles, entry(B)))
    assert addresses(reading) == [A, B]
    assert (reading.rows[0].cells["title"], reading.doubles) == ("A title", 3)
    assert reading.rows[0].item.key == A


def test_what_is_asked_for_keeps_what_the_key_leaves_out():
    (row,) = put_together(named(f"{A}?utm_source=x", kind="article")).rows
    assert (row.item.key, row.item.fields["url"]) == (A, f"{A}?utm_source=x")


def test_a_source_that_is_named_twice_is_read_once():
    reading = put_together(named(FEED, FEED), read(FEED, entry(A)))
    assert (addresses(reading), reading.doubles, len(reading.feeds)) == ([A], 0, 1)
    reading = put_together(named(FEED, FEED), failed(FEED, "HTTP 404 (1 attempt)"))
    assert len(reading.rows) == len(reading.unread) == 1


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (None, f"it has no address, and {NO_OWN_TEXT}"),
        ("", f"it has no address, and {NO_OWN_TEXT}"),
        ("javascript:alert(1)", "its address is no web address"),
        ("mailto:ann@example.org", "its address is no web address"),
        ("http://user:pass@news.example/", "its address is no web address"),
    ],
)
def test_an_entry_that_leads_nowhere_is_a_failed_row_that_tells_what_is_known(address, error):
    reading = put_together(named(FEED), read(FEED, entry(address, "Bees"), entry(A)))
    first, second = reading.rows
    assert (first.item, first.error, first.cells["title"]) == (None, error, "Bees")
    assert second.item.key == A


def test_entries_that_lead_nowhere_are_no_doubles_of_each_other():
    assert len(put_together(named(FEED), read(FEED, entry(None), entry(None))).rows) == 2


def test_a_line_that_names_nothing_is_a_failed_row():
    (row,) = put_together([Wrong("list.txt", 7, "htp:/x", "not an http or https address")]).rows
    assert (row.source, row.line, row.cells, row.item) == ("list.txt", 7, {"url": "htp:/x"}, None)
    assert row.error == "not an http or https address"


@pytest.mark.parametrize(
    ("kind", "feeds", "error", "state", "told"),
    [
        ("feed", (), GONE, GONE_STATE, f"the feed can't be read: {GONE}"),
        ("either", {FEED}, GONE, GONE_STATE, f"the feed can't be read: {GONE}"),
        ("feed", (), "HTTP 500 (3 attempts)", "HTTP 500 (3 attempts)", "the feed can't be read: HTTP 500 (3 attempts)"),
        ("feed", (), None, "it could not be read", "the feed can't be read: it could not be read"),
    ],
)
def test_a_feed_that_cannot_be_read_is_named_with_one_reason(kind, feeds, error, state, told):
    reading = put_together(named(FEED, kind=kind), failed(FEED, error), feeds=feeds)
    assert (reading.feeds, reading.unread) == ([FeedState(FEED, None, state, 0)], [])
    (row,) = reading.rows
    assert (row.item, row.error, row.cells) == (None, told, {"url": FEED, "feed": FEED})


@pytest.mark.parametrize("reason", [NO_SUCH_PAGE, NOT_ALLOWED, GONE, "HTTP 500 (3 attempts)"])
def test_what_may_be_an_article_and_cannot_be_read_is_a_failed_article_and_no_feed(reason):
    reading = put_together(named(A), failed(A, reason), feeds={FEED})
    assert (reading.feeds, reading.unread) == ([], [(A, reason)])
    (row,) = reading.rows
    assert (row.item, row.error, row.cells) == (None, reason, {"url": A})


@pytest.mark.parametrize("kind", ["either", "feed"])
def test_a_page_that_is_not_there_says_so_as_an_article_s_does(kind):
    assert end(reading(kind, PAGE), Refused("HTTP 404", 1)) == Failed(NO_SUCH_PAGE)


def test_a_page_without_a_feed_is_a_row_and_no_feed():
    reading = put_together(named(A), Outcome(Item(A), "enriched", {"article": A}))
    assert (addresses(reading), reading.feeds) == ([A], [])
    assert "feed" not in reading.rows[0].cells


TEXT = "The bees came back to the harbour. " * 10


def own(id_, text=TEXT, url=None):
    return Entry(url, "Bees", None, None, id_, text, len(text.split()))


def test_an_entry_without_an_address_is_known_by_its_id_in_its_feed():
    first = read(FEED, own("1"), own("2"), own("1", "Another text. " * 20))
    second = read(OTHER, own("1"), own(None), own(None), own(None, "Another text. " * 20))
    reading = put_together(named(FEED, OTHER), first, second)
    keys = [row.item.key for row in reading.rows]
    assert keys[:3] == [f"{FEED} 1", f"{FEED} 2", f"{OTHER} 1"]
    assert (len(set(keys)), reading.doubles) == (5, 2)
    assert reading.rows[0].item.fields == {
        "url": None,
        "feed": "The News",
        "title": "Bees",
        "text": TEXT,
        "text_words": 70,
    }


def test_where_a_feed_s_text_is_all_there_is_another_text_is_another_article():
    def digest(*entries):
        return put_together(named(FEED), read(FEED, *entries)).digest

    assert digest(own("1")) == digest(own("1")) != digest(own("1", "Another text. " * 20))
    assert digest(own("1", url=A)) == digest(own("1", "Another text. " * 20, url=A))  # a page's is asked for anyway


def test_a_feed_s_text_goes_along_with_an_address():
    (row,) = put_together(named(FEED), read(FEED, own("1", url=A))).rows
    assert (row.item.key, row.item.fields["text"], "text" in row.cells) == (A, TEXT, False)


def test_a_feed_without_entries_is_named():
    reading = put_together(named(FEED), read(FEED))
    assert (reading.rows, reading.feeds) == ([], [FeedState(FEED, "The News", NO_ENTRIES, 0)])
    assert put_together(named(FEED), read(FEED, entry(A))).feeds == [FeedState(FEED, "The News", OK, 1)]


def test_a_feed_in_a_file_needs_nobody_to_be_asked():
    saved = parse_feed(rss(b"<link>https://news.example/a</link>", b"<title>Nowhere</title>"), "")
    reading = put_together([Local("saved.xml", saved)])
    assert addresses(reading) == [A, f"it has no address, and {NO_OWN_TEXT}"]
    assert {row.source for row in reading.rows} == {"saved.xml"}
    assert (reading.rows[0].cells["feed"], reading.feeds, reading.empty) == ("The News", [], [])


def test_a_feed_in_a_file_goes_by_the_file_where_it_has_no_title_and_is_named_where_it_is_empty():
    untitled = b"<rss version='2.0'><channel><item><link>https://news.example/a</link></item></channel></rss>"
    assert put_together([Local("saved.xml", parse_feed(untitled, ""))]).rows[0].cells["feed"] == "saved.xml"
    assert put_together([Local("saved.xml", parse_feed(rss(), ""))]).empty == ["saved.xml"]


# ── lists of feeds ──────────────────────────────────────────────────────────────────────────────────────────────────

LIST = "https://news.example/all.opml"


def opml(*addresses):
    return f"<opml version='2.0'><body>{''.join(f'<outline xmlUrl={a!r}/>' for a in addresses)}</body></opml>".encode()


def listing(*addresses):
    return Outcome(Item(LIST), "enriched", {"feeds": list(addresses)})


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (opml(FEED, "feed://b.example/x"), FeedList((FEED, "feed://b.example/x"))),
        (b"<?xml version='1.0'?><!-- mine -->" + opml(FEED), FeedList((FEED,))),
        (opml(), Failed("the OPML names no feed")),
        (opml(FEED)[:-9], Failed("the XML is damaged in line 1")),
        (opml(*["x"] * (MOST_LISTED + 1)), Failed("the OPML names more than 5,000 feeds; save it, and give its parts")),
    ],
)
def test_an_address_may_lead_to_opml(body, found):
    assert parse(body, LIST, "text/xml") == found


def test_a_list_of_feeds_is_read_where_a_person_names_it_and_only_there():
    assert end(at_parse("either"), FeedList((FEED,))) == Found({"feeds": [FEED]})
    assert end(at_parse("feed"), FeedList((FEED,))) == Failed(A_LIST)


def at_parse(kind):
    flow = reading(kind)
    flow.send(BODY)
    return flow


def test_the_feeds_of_a_list_stand_in_its_place():
    inputs = Inputs((*named(A, LIST, LIST, FEED),))
    outcomes = [Outcome(Item(A), "enriched", {"article": A}), listing(OTHER, "ftp://x/", FEED, LIST)]
    inputs = with_listed(with_listed(inputs, outcomes), outcomes)
    assert [item.key for item in sources_of(inputs, outcomes)] == [OTHER, FEED]
    told = rows_of(inputs, [*outcomes, read(OTHER, entry(B)), read(FEED, entry(C), entry(B))])
    assert [row.item.key if row.item else row.error for row in told.rows] == [
        *(A, B, "not an http or https address", C),
        f"the feed can't be read: {A_LIST}",
    ]
    assert [row.source for row in told.rows[1:]] == [LIST] * 4


# ── since, limit ────────────────────────────────────────────────────────────────────────────────────────────────────

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def test_since_leaves_out_what_is_older_counts_it_and_keeps_what_has_no_date():
    reading = put_together(named(FEED), read(FEED, entry(A, None, OLD), entry(B, None, NEW), entry(C)), since=NEW)
    assert (addresses(reading), reading.older) == ([B, C], 1)


def test_since_leaves_alone_what_was_named_one_by_one():
    assert addresses(put_together(named(A, kind="article"), since=NEW)) == [A]


@pytest.mark.parametrize(("limit", "expected"), [(None, [A, B, C]), (0, []), (1, [A]), (2, [A, B]), (9, [A, B, C])])
def test_a_limit_counts_articles_over_all_sources(limit, expected):
    given = named(FEED, OTHER)
    outcomes = [read(FEED, entry(A), entry(A), entry(B)), read(OTHER, entry(C))]
    assert addresses(put_together(given, *outcomes, limit=limit)) == expected


def test_a_limit_does_not_hide_a_feed_that_cannot_be_read():
    assert len(put_together(named(FEED), failed(FEED, GONE), limit=0).rows) == 1


# ── the digest ──────────────────────────────────────────────────────────────────────────────────────────────────────


def digest(*entries, error=GONE):
    return put_together(named(FEED, OTHER), read(FEED, *entries), failed(OTHER, error)).digest


def test_the_same_rows_are_the_same_job_and_any_other_rows_are_another():
    first = digest(entry(A, "Bees"), entry(B))
    assert first == digest(entry(A, "Bees"), entry(B))
    others = {
        digest(entry(B), entry(A, "Bees")),
        digest(entry(A), entry(B)),
        digest(entry(A, "Bees")),
        digest(entry(C)),
    }
    assert len(others | {first}) == 5
    assert first != digest(entry(A, "Bees"), entry(B), error="HTTP 404 (1 attempt)")
