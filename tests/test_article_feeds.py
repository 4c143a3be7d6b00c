"""Feeds become entries: as many as feedparser sees, whatever the bytes; JSON Feed by its specification; OPML both ways."""

import contextlib
import html
import json
import warnings

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.pipelines.articles import feeds
from enricher.pipelines.articles.feeds import (
    MOST_BYTES,
    MOST_ENTRIES,
    MOST_MARKS,
    Entry,
    NotAFeed,
    feed_links,
    parse_feed,
)
from enricher.pipelines.articles.opml import NotOpml, read_opml, write_opml

URL = "https://example.org/blog/feed"

RSS = """<?xml version="1.0"?><rss version="2.0"><channel>
<title>The &amp;amp; Feed</title><link>/blog/</link><description>d</description>
<item><title>One</title><link>https://example.org/1?utm_source=feed</link><guid>tag:1</guid>
<author>ann@example.org (Ann)</author><pubDate>Sat, 31 Jan 2026 10:00:00 +0100</pubDate></item>
<item><title>Two</title><link>2</link></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><author><name>Owner</name></author>
<entry><title type="text">How to centre a &lt;div&gt;</title><link href="/1"/><id>urn:1</id>
<updated>2026-01-31T09:00:00Z</updated></entry>
<entry><title type="html">&lt;b&gt;Bold&lt;/b&gt; &amp;amp; new</title><link rel="enclosure" href="/2.mp3"/><id>urn:2</id>
<author><name>Ann</name></author><author><name>Bob</name></author></entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://example.org/"><title>R</title></channel>
<item rdf:about="https://example.org/1"><title>One</title><link>https://example.org/1</link><dc:creator>Ann</dc:creator>
<dc:date>2026-01-31T10:00:00+01:00</dc:date></item></rdf:RDF>"""


def parse(text, url=URL, content_type=""):
    return parse_feed(text if isinstance(text, bytes) else text.encode(), url, content_type)


def rss(*items):
    return f'<rss version="2.0"><channel><title>t</title>{"".join(f"<item>{each}</item>" for each in items)}</channel></rss>'


def only(*items):
    (entry,) = parse(rss(*items)).entries
    return entry


def json_feed(*items, **more):
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": items} | more)


# ── RSS, RDF, Atom ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_rss_is_read():
    found = parse(RSS)
    assert (found.title, found.link) == ("The & Feed", "https://example.org/blog/")
    assert found.entries == (
        Entry("https://example.org/1?utm_source=feed", "One", "Ann", "2026-01-31T09:00:00Z", "tag:1"),
        Entry("https://example.org/blog/2", "Two", None, None, None),
    )


def test_atom_is_read_and_its_authors_are_inherited():
    one, two = parse(ATOM).entries
    assert one == Entry("https://example.org/1", "How to centre a <div>", "Owner", "2026-01-31T09:00:00Z", "urn:1")
    assert two == Entry(None, "Bold & new", "Ann, Bob", None, "urn:2")


def test_rdf_is_read():
    assert parse(RDF).entries == (
        Entry("https://example.org/1", "One", "Ann", "2026-01-31T09:00:00Z", "https://example.org/1"),
    )


@pytest.mark.parametrize(
    "body",
    [
        RSS.encode(),
        RSS.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16"),
        b"\n\n  " + RSS.encode(),
        b"\xef\xbb\xbf" + RSS.encode(),
        b"<br />\n<b>Warning</b>: in line 7<br />\n" + RSS.encode(),
        RSS.replace("?>", ' encoding="utf-16"?>', 1).encode(),
        RSS.replace("?>", ' encoding="punycode"?>', 1).encode(),
        RSS.encode("utf-16-be"),
        RSS.encode("utf-32"),
        b"<html><body>" + RSS.replace('<?xml version="1.0"?>', "").encode() + b"</body></html>",
        RSS.replace("</channel></rss>", "").encode(),
        RSS.replace("d</desc", "a & b &nbsp; <br> \x0b</desc").encode(),
    ],
    ids=[
        "plain",
        "utf-16",
        "leading blanks",
        "mark",
        "warnings before",
        "wrong prolog",
        "odd prolog",
        "utf-16 unmarked",
        "utf-32",
        "in a page",
        "cut off",
        "no XML",
    ],
)
def test_a_feed_that_is_not_as_it_should_be_is_read_all_the_same(body):
    assert [each.title for each in parse(body).entries] == ["One", "Two"]


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("iso-8859-7", "application/rss+xml; charset=ISO-8859-7"),
        ("iso-8859-7", 'text/xml;charset="iso-8859-7"'),
        ("utf-8", ""),
        ("utf-8", "text/xml"),
        ("utf-8", "application/json"),
        ("utf-8", "text/html; charset=utf-8"),
        ("utf-8", "text/xml; charset=utf-16"),
        ("utf-8", "text/xml; charset=klingon"),
        ("utf-8-sig", "text/xml; charset=iso-8859-7"),
        ("utf-16", "text/xml; charset=utf-8"),
    ],
)
def test_a_mark_goes_before_the_header_and_the_header_before_a_guess(encoding, content_type):
    body = rss("<title>\u0391\u03b8\u03ae\u03bd\u03b1</title>").encode(encoding)
    assert parse(body, content_type=content_type).entries[0].title == "\u0391\u03b8\u03ae\u03bd\u03b1"


@pytest.mark.parametrize(
    ("item", "url"),
    [
        ("<link>https://a.example/1</link><guid>https://a.example/2</guid>", "https://a.example/1"),
        ("<guid>https://a.example/2</guid>", "https://a.example/2"),
        ('<guid isPermaLink="false">https://a.example/2</guid>', "https://a.example/2"),
        ("<link>javascript:alert(1)</link><guid>https://a.example/2</guid>", "https://a.example/2"),
        ("<link>\n https://a.example/a\n b c </link>", "https://a.example/a%20b%20c"),
        ("<link>//b.example/x</link>", "https://b.example/x"),
        ('<guid isPermaLink="false">1234</guid>', None),
        *((f"<guid>{guid}</guid>", None) for guid in ("1234", "post-12", "urn:uuid:1", "a/b", " 17\n")),
        ("<guid><![CDATA[1234]]></guid>", None),
        ("<guid> <![CDATA[https://a.example/?a=1&b=2]]> </guid>", "https://a.example/?a=1&b=2"),
        ("<guid>https://a.example/?a=1&amp;b=2</guid>", "https://a.example/?a=1&b=2"),
        ('<guid isPermaLink="true">/7</guid>', "https://example.org/7"),
        ("<guid>1234</guid><link>/7</link>", "https://example.org/7"),
        ("<link>https://user:secret@a.example/</link>", None),
        ("<link>file:///etc/passwd</link>", None),
        ('<enclosure url="https://a.example/1.mp3" type="audio/mpeg"/>', None),
        (
            '<enclosure url="https://a.example/1.mp3"/><guid isPermaLink="false">https://a.example/1.mp3</guid>',
            None,
        ),
        ("<title>no link</title>", None),
        ("<link></link><guid></guid>", None),
    ],
)
def test_an_entry_leads_to_its_link_or_to_an_id_that_is_an_address(item, url):
    assert only(item).url == url


def test_entries_with_one_id_are_all_kept_in_order():
    same = "<guid>https://a.example/1</guid>"
    found = parse(rss(f"<title>a</title>{same}", f"<title>b</title>{same}", "<title>c</title>")).entries
    assert [each.title for each in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "alert(1)"),
        ("&lt;img src=x onerror=alert(1)&gt;Hi", "Hi"),
        ("<![CDATA[<b>H</b>i<br>there]]>", "Hi there"),
        ("a &lt; b &amp;amp; c &amp;#8217;", "a < b & c \u2019"),
        ("two\n  lines\t", "two lines"),
        ("se\u200ben \u202eunseen\u2066", "seen unseen"),
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),
        ("&lt;p&gt;&lt;/p&gt;", None),
        ("", None),
        ("x" * 5000, "x" * 1000),
    ],
)
def test_a_title_is_plain_text_on_one_line(title, plain):
    assert only(f"<title>{title}</title>").title == plain


@pytest.mark.parametrize(
    ("dates", "published"),
    [
        ("<pubDate>Sat, 31 Jan 2026 09:00:00 GMT</pubDate>", "2026-01-31T09:00:00Z"),
        ("<dc:date xmlns:dc='http://purl.org/dc/elements/1.1/'>2026-01-31</dc:date>", "2026-01-31T00:00:00Z"),
        ("<pubDate>yesterday</pubDate>", None),
        ("<pubDate>0000-01-01</pubDate>", None),
        ("<created>2026-01-31T09:00:00Z</created>", "2026-01-31T09:00:00Z"),
        ("", None),
    ],
)
def test_a_date_is_told_in_utc_or_not_at_all(dates, published):
    assert only(f"<title>x</title>{dates}").published == published


def test_no_warning_is_raised_over_a_date_that_is_not_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse(RSS).entries[1].published is None


def test_bytes_that_name_a_file_are_not_opened(tmp_path):
    """feedparser opens what it is handed, if there is a file of that name."""
    secret = tmp_path / "secret.xml"
    secret.write_text(RSS)
    with pytest.raises(NotAFeed):
        parse(str(secret))


def test_no_entity_brings_in_a_file(tmp_path):
    (tmp_path / "file").write_text("secret")
    text = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{(tmp_path / "file").as_uri()}">]>{rss("<title>[&x;]</title>")}'
    (entry,) = parse(text).entries
    assert "secret" not in (entry.title or "")


def test_entities_do_not_multiply():
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 4))
    (entry,) = parse(
        f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">{levels}]>{rss("<title>&l3; &l0;</title>")}'
    ).entries
    assert "haha" not in (entry.title or "")


def test_a_harmless_entity_of_a_feeds_own_is_resolved():
    text = f'<!DOCTYPE rss [\n<!ENTITY firm "Acme">\n]>{rss("<title>&firm; &amp; Co</title>")}'
    assert [each.title for each in parse(text).entries] == ["Acme & Co"]


@pytest.mark.parametrize("text", [RSS, ATOM, RDF, rss(), "<feed xmlns='http://www.w3.org/2005/Atom'/>"])
def test_the_entries_are_those_that_feedparser_sees(text):
    seen = feedparser.parse(text.encode())
    assert [each.title for each in parse(text).entries] == [
        each.title.replace("<b>", "").replace("</b>", "").replace("&amp;", "&") for each in seen.entries
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf \r\n", "it is empty"),
        (
            b"<!doctype html><html><head><title>403</title></head><body>Just a moment...</body></html>",
            "it is a web page",
        ),
        (b"\xef\xbb\xbf <!-- <feed> --><HTML><title>x</title>", "it is a web page"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "it is a web page"),
        (b"<opml version='2.0'><body/></opml>", "it is neither RSS, Atom nor JSON Feed"),
        (b"%PDF-1.7", "it is neither RSS, Atom nor JSON Feed"),
        (b"Not found", "it is neither RSS, Atom nor JSON Feed"),
        (b'{"a": 1}', "it is JSON, and no JSON Feed"),
        (b'{"version": 1.1}', "it is JSON, and no JSON Feed"),
        (b'{"version": "https://jsonfeed.org/version/1"', "the JSON is damaged"),
        (b'{"a":' + b"[" * 100_000, "the JSON is damaged"),
        (b'{"a":' + b"1" * 10_000 + b"}", "the JSON is damaged"),
        (b" " * (MOST_BYTES + 1), "the feed is larger than 10 MB"),
        (b"<rss>" + b"<a>" * MOST_MARKS, "the feed holds more than 300,000 marks"),
        (b'{"version":"https://jsonfeed.org/version/1","items":[' + b"{}," * MOST_MARKS, "the feed holds more than"),
        (b"<rss>" + b"<a xml:base='x/'>" * 3000, "its xml:base attributes pile up"),
    ],
    ids=lambda each: each[:40] if isinstance(each, str) else "",
)
def test_what_is_no_feed_is_told_apart(body, reason):
    with pytest.raises(NotAFeed, match=reason):
        parse(body)


def test_a_parser_that_breaks_tells_of_no_feed(monkeypatch):
    """Without a word of its own: the reason is the same in every mode."""

    def broken(*_, **__):
        raise AttributeError("in line 7")

    monkeypatch.setattr(feeds.feedparser, "parse", broken)
    with pytest.raises(NotAFeed, match=r"^the feed is damaged beyond reading$"):
        parse(RSS)


def test_entries_are_capped():
    assert len(parse(rss(*["<title>x</title>"] * (MOST_ENTRIES + 1))).entries) == MOST_ENTRIES
    many = [{"id": str(n)} for n in range(MOST_ENTRIES + 1)]
    assert [each.id for each in parse(json_feed(*many)).entries] == [str(n) for n in range(MOST_ENTRIES)]


@given(st.binary(max_size=200), st.sampled_from([b"", b"<rss><item>", b"<feed>", b'{"version":']))
def test_no_bytes_upset_the_reader(body, before):
    with contextlib.suppress(NotAFeed):
        assert parse(before + body, content_type="text/xml").entries is not None


# ── JSON Feed ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_json_feed_is_read():
    text = json_feed(
        {
            "id": "https://example.org/1",
            "url": "/1",
            "title": "Using  <div> &amp; co",
            "authors": [{"name": "Ann"}, {"name": "Bob"}, {"url": "https://x.example"}],
            "author": {"name": "Ann"},
            "date_published": "2026-01-31T10:00:00+01:00",
        },
        {"id": 2, "external_url": "https://b.example/2", "date_modified": "2026-01-31T09:00:00.5Z"},
        home_page_url="https://example.org",
        author={"name": "Owner"},
    )
    found = parse(text)
    assert (found.title, found.link) == ("J", "https://example.org/")
    assert found.entries == (
        Entry("https://example.org/1", "Using <div> & co", "Ann, Bob", "2026-01-31T09:00:00Z", "https://example.org/1"),
        Entry("https://b.example/2", None, "Owner", "2026-01-31T09:00:00Z", "2"),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_may_be_in_any_unicode(encoding):
    assert parse(json_feed({"id": "\u5343"}).encode(encoding)).entries[0].id == "\u5343"


def test_version_1_is_read_too():
    assert len(parse(json_feed({"id": "1"}, version="http://jsonfeed.org/version/1")).entries) == 1


def test_an_item_without_an_id_is_discarded_and_no_other():
    """The one thing that the specification insists on; a number is an id."""
    items = [
        {"title": "x"},
        {"id": ""},
        {"id": " "},
        {"id": None},
        {"id": True},
        {"id": []},
        "x",
        {"id": 3.14},
        {"id": "a"},
    ]
    assert [each.id for each in parse(json_feed(*items)).entries] == ["3.14", "a"]


@pytest.mark.parametrize(
    ("item", "url"),
    [
        ({"url": "https://a.example/1", "external_url": "https://b.example"}, "https://a.example/1"),
        ({"id": "https://a.example/id", "external_url": "https://b.example"}, "https://a.example/id"),
        ({"url": 7, "external_url": {}}, None),
        ({"url": "javascript:1"}, None),
    ],
)
def test_an_item_leads_to_its_permalink_first(item, url):
    (entry,) = parse(json_feed({"id": "urn:x"} | item)).entries
    assert entry.url == url


def test_members_of_a_wrong_kind_are_as_good_as_absent():
    item = {"id": "1", "title": 1000, "authors": "x", "author": ["x"], "date_published": {}, "date_modified": "soon"}
    (entry,) = parse(json_feed(item, authors={"name": "x"}, title=["x"], home_page_url={})).entries
    assert entry == Entry(None, None, None, None, "1")
    assert parse(json_feed(items={"id": "1"})).entries == ()


def test_half_a_surrogate_pair_is_left_out():
    (entry,) = parse(json_feed({"id": "1", "title": "a\ud800b", "url": "https://a.example/\ud800"})).entries
    assert (entry.title, entry.url) == ("ab", None)


# ── pages that offer feeds ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_offers_its_feeds_in_order():
    page = b"""<!doctype html><html><head>
    <link rel="stylesheet" type="text/css" href="a.css"><link rel=alternate hreflang=de href="/de">
    <LINK REL="Alternate" TYPE="application/rss+xml; charset=utf-8" HREF="/feed?a=1&amp;b=2" title="a">
    <!-- <link rel="alternate" type="application/rss+xml" href="/old"> -->
    <script>document.write('<link rel="alternate" type="application/rss+xml" href="/script">')</script>
    <link href='atom.xml' type='application/atom+xml' rel='home alternate'/>
    <link rel="alternate" type="application/feed+json" href="https://b.example/feed.json">
    <link rel="alternate" type="application/atom+xml" href="/blog/atom.xml">
    <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
    <link rel="alternate" type="application/rss+xml"></head></html>"""
    assert feed_links(page, "https://example.org/blog/") == [
        "https://example.org/feed?a=1&b=2",
        "https://example.org/blog/atom.xml",
        "https://b.example/feed.json",
    ]


def test_a_page_may_move_the_base_of_its_links():
    page = b'<base target="_blank"><base href="/x/"><base href="/y/"><link rel=alternate type=application/json href=f.json>'
    assert feed_links(page, "https://example.org/") == ["https://example.org/x/f.json"]


@pytest.mark.parametrize(
    "page", [b"", b"\xff\xfe\x00", b"<link", b"<link>", b"<link rel=alternate type='application/rss+xml href=/a>"]
)
def test_a_page_without_links_offers_no_feed(page):
    assert feed_links(page, "https://example.org/") == []


@pytest.mark.parametrize("piece", [b"<!--", b"<script", b"<link ", b"<link rel='", b"<", b"<a"])
def test_a_broken_page_is_read_in_linear_time(piece):
    """Each of these takes minutes where time grows with the square of the size."""
    assert feed_links(piece * (600_000 // len(piece)), "https://example.org/") == []
    with pytest.raises(NotAFeed):
        parse(b"<html>" + piece * 100_000)


# ── OPML ────────────────────────────────────────────────────────────────────────────────────────────────────────────

OPML = b"""<?xml version="1.0" encoding="windows-1252"?><!DOCTYPE opml><OPML version="1.0"><head><title>x</title></head><body>
<outline text="News"><outline text="A &amp; B" XMLURL=" https://a.example/feed "/>
<Outline title="Caf\xe9" text="no" xmlUrl="https://b.example/feed" htmlUrl="https://b.example"><outline text="deep">
<outline xmlurl="feed://c.example"/></outline></Outline></outline><outline text="folder" xmlUrl=""/></body></OPML>"""


def test_the_feeds_of_an_opml_file_are_found_wherever_they_are_nested():
    assert read_opml(OPML) == [
        ("A & B", "https://a.example/feed"),
        ("Caf\u00e9", "https://b.example/feed"),
        ("", "feed://c.example"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_opml_may_be_in_any_unicode(encoding):
    text = '<opml><body><outline text="\u5343" xmlUrl="https://a.example"/></body></opml>'
    assert read_opml(text.encode(encoding)) == [("\u5343", "https://a.example")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<rss/>", "this is no OPML"),
        (b"", "the XML is damaged in line 1"),
        (b"<opml>\n<body>\n<outline text='a & b'/></body></opml>", "the XML is damaged in line 3"),
        (b"<opml><body>", "the XML is damaged in line 1"),
        (b"<?xml version='1.0' encoding='klingon'?><opml/>", "the XML is in an encoding"),
        (b"<?xml version='1.0' encoding='big5'?><opml/>", "the XML is in an encoding"),
        (b'<!DOCTYPE opml [<!ENTITY a "ha">]><opml/>', "the file declares XML entities"),
        (b'<!DOCTYPE opml [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml/>', "the file declares XML entities"),
        (b"<!DOCTYPE opml [<!ENTITY % a \"<!ENTITY b 'x'>\">%a;]><opml/>", "the file declares XML entities"),
    ],
)
def test_what_is_no_harmless_opml_is_refused(body, reason):
    with pytest.raises(NotOpml, match=f"^{reason}"):
        read_opml(body)


@given(st.lists(st.tuples(st.text(max_size=10), st.text(st.characters(min_codepoint=33), min_size=1, max_size=10))))
def test_what_is_written_is_read_again(listed):
    """All but what XML can't hold."""
    text = write_opml(listed)
    assert text.count("\n") == len(listed) + 8
    cleaned = [[" ".join(keep_xml(each).split()) for each in pair] for pair in listed]
    assert read_opml(text.encode("utf-8", "surrogatepass")) == [
        (title or address, address) for title, address in cleaned if address
    ]


def keep_xml(text):
    return "".join(
        each
        for each in text
        if each in "\t\n\r" or (each >= " " and each not in "\ufffe\uffff" and not ("\ud800" <= each <= "\udfff"))
    )


def test_opml_is_written_as_readers_expect_it():
    written = write_opml([('A "&" <B>', "https://a.example/?a=1&b=2")])
    assert "text='A \"&amp;\" &lt;B&gt;' title='A \"&amp;\" &lt;B&gt;'" in written
    assert 'type="rss"' in written
    assert 'xmlUrl="https://a.example/?a=1&amp;b=2"/>' in written
    assert written.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">')


# ── a feed's own text ───────────────────────────────────────────────────────────────────────────────────────────────

WORDS = "The bees came back to the harbour in May. " * 5
LONG = f"<p>{WORDS}</p><p style='display:none'>Obey.</p><ul><li>One</li><li>Two &amp; a half</li></ul>"
TOLD = f"{WORDS.strip()}\nOne\nTwo & a half"
IN_RSS = "<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/'><channel><item>{}</item></channel></rss>"
IN_ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'><entry>{}</entry></feed>"


def json_item(**item):
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", **item}]})


@pytest.mark.parametrize(
    "body",
    [
        IN_RSS.format(f"<content:encoded><![CDATA[{LONG}]]></content:encoded><description>Short.</description>"),
        IN_RSS.format(f"<description>{html.escape(LONG)}</description>"),
        IN_ATOM.format(f"<content type='html'>{html.escape(LONG)}</content><summary>Short.</summary>"),
        IN_ATOM.format(f"<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>{LONG}</div></content>"),
        IN_ATOM.format(f"<summary type='html'><![CDATA[{LONG}]]></summary>"),
        json_item(content_html=LONG, summary="Short."),
    ],
)
def test_an_entry_has_the_text_that_its_feed_holds_without_what_nobody_sees(body):
    (entry,) = parse_feed(body.encode(), "https://news.example/feed").entries
    assert (entry.text, entry.word_count) == (TOLD, 49)


def test_a_text_that_is_no_markup_keeps_its_brackets():
    text = f"How to centre a <div>: {WORDS}"
    for body in (json_item(content_text=text), IN_ATOM.format(f"<content type='text'>{html.escape(text)}</content>")):
        (entry,) = parse_feed(body.encode(), "").entries
        assert entry.text == text.strip()


def test_a_whole_page_within_a_feed_is_its_body():
    data = '<script type="application/ld+json">{"name": "Data"}</script>'
    page = f"<html><head><title>Title</title></head><body>{data}<p>{WORDS}</p></body></html>"
    (entry,) = parse_feed(json_item(content_html=page).encode(), "").entries
    assert entry.text == WORDS.strip()


@pytest.mark.parametrize("text", ["", "Read on.", "<b>" * 100_000, "&nbsp;" * 100, "word " * 24, "<!-- word -->" * 30])
def test_what_is_too_little_for_an_article_is_no_text(text):
    (entry,) = parse_feed(json_item(content_html=text).encode(), "").entries
    assert (entry.text, entry.word_count) == ("", 0)
