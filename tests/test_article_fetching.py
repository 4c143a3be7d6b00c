"""How a page is got: redirects of every kind, and cookies within them. The generators are driven by hand."""

from __future__ import annotations

import pytest

from enricher.model import Answer, Failed
from enricher.pipelines.articles.fetching import MOST_REDIRECTS, MOVED_NOWHERE, Fetcher
from enricher.pipelines.articles.pages.cookies import MOST_CHARS, MOST_COOKIES, Jar
from enricher.pipelines.articles.pages.refresh import refresh_of
from enricher.pipelines.articles.web import KEPT, agent_of, web

AGENT = agent_of(None)
WEB = web(agent=AGENT)
FETCHER, RUDE = Fetcher(WEB, AGENT), Fetcher(WEB, AGENT, heed_robots=False)
URL = "https://news.example/a"
NO_RULES = Answer(404, None, b"", missing=True)


def moved(to, cookie=""):
    return Answer(302, None, b"", headers={"location": to, "set-cookie": cookie})


def page(body, **headers):
    return Answer(200, None, body.encode(), headers={"content-type": "text/html", **headers})


def end(flow, answer):
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def at_page(fetcher=RUDE, url=URL):
    flow = fetcher.fetch(url, "page")
    next(flow)
    if fetcher is FETCHER:
        flow.send(NO_RULES)
    return flow


# ── where a redirect leads ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/with space", "https://news.example/with%20space"),
        ("/a\tb\r\nc", "https://news.example/abc"),
        ("/caf\u00e9 \u2003noir?q=\u00fc b", "https://news.example/caf%C3%A9%20%E2%80%83noir?q=%C3%BC%20b"),
        ("//\u00fcber.example/\u00a0x", "https://xn--ber-goa.example/%C2%A0x"),
        ("?x=1", "https://news.example/a?x=1"),
    ],
)
def test_blanks_and_letters_beyond_ascii_in_a_redirect_are_quoted(location, url):
    assert at_page().send(moved(location)).path == url


@pytest.mark.parametrize("location", ["http://a b.example/", "/a\x00b", "http://u:p@news.example/ x", "ftp://x/ y"])
def test_quoting_makes_no_address_of_what_is_none(location):
    assert end(at_page(), moved(location)) == Failed(MOVED_NOWHERE)


# ── a page that refers to another ───────────────────────────────────────────────────────────────────────────────────

META = '<html><head><meta http-equiv="refresh" content="{}"></head><body>Wait.</body></html>'


@pytest.mark.parametrize(
    "content",
    ["0;URL='/b'", "0; url=/b", "0;/b", "3, URL = /b ", "1 url=&quot;/b&quot;", ".5;url=/b", "0;url='/b' and more"],
)
def test_a_page_that_refers_to_another_at_once_is_followed(content):
    assert at_page().send(page(META.format(content))).path == "https://news.example/b"
    assert at_page().send(page("<p>", refresh=content.replace("&quot;", '"'))).path == "https://news.example/b"


def test_a_shortener_s_stub_is_followed_from_its_noscript():
    stub = f"<noscript>{META.format('0;url=/b')}</noscript><script>location.replace('/b')</script>"
    assert at_page().send(page(stub)).path == "https://news.example/b"


@pytest.mark.parametrize(
    "body",
    [
        META.format("300;url=/b"),
        META.format("5"),
        META.format("0;url=/a#top"),
        META.format("0;url=javascript:alert(1)"),
        META.format("soon;url=/b"),
        f"<!-- {META.format('0;url=/b')} -->",
        f"<script>'{META.format('0;url=/b')}'</script>",
        f"<noscript>{META.format('0;url=/b')}</noscript>{'<p>A page of some length.</p>' * 200}",
        f"<rss><![CDATA[{META.format('0;url=/b')}]]></rss>",
        f"{{{META.format('0;url=/b')}}}",
        '<meta name="refresh" content="0;url=/b">',
        "<meta http-equiv=refresh",
    ],
)
def test_a_page_that_only_reloads_itself_or_quotes_a_refresh_is_the_page(body):
    assert end(at_page(), page(body)).body == body.encode()


@pytest.mark.parametrize("content", ["0", "0;", "1; url=/a"])
def test_a_page_that_sets_a_cookie_and_reloads_itself_is_asked_for_once_more(content):
    flow = at_page()
    asked = flow.send(page(META.format(content), **{"set-cookie": "seen=1"}))
    assert (asked.path, asked.headers["Cookie"]) == (URL, "seen=1")
    assert end(flow, page(META.format(content), **{"set-cookie": "seen=2"})).url == URL


def test_a_refresh_is_asked_for_like_any_redirect():
    flow = at_page(FETCHER)
    assert flow.send(page(META.format("0;url=https://other.example/b"))).path == "https://other.example/robots.txt"
    assert end(flow, Answer(200, None, b"User-agent: *\nDisallow: /\n")) == Failed("its robots.txt forbids it")
    flow = at_page()
    for number in range(MOST_REDIRECTS):
        flow.send(page(META.format(f"0;url=/{number}")))
    assert end(flow, page(META.format("0;url=/again"))) == Failed("more than 5 redirects")


def test_half_a_megabyte_of_unfinished_tags_is_looked_through_at_once():
    assert refresh_of(b"<meta http-equiv=refresh content='0;url=" * 13_000, URL) is None
    assert refresh_of(b"<script>refresh" + b"<!--" * 100_000, URL) is None
    meta = b"<meta " + b"a" * 8_900 + b">"
    assert refresh_of(b"<meta name=refresh>" + meta * 57, URL) is None


# ── cookies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cookie_goes_back_within_the_redirects_of_a_page():
    flow = at_page()
    asked = flow.send(moved("/a", "seen=1; Path=/; HttpOnly"))
    assert (asked.path, dict(asked.headers)) == (URL, {"Cookie": "seen=1"})
    asked = flow.send(page(META.format("0;url=/b"), **{"set-cookie": "two=2"}))
    assert asked.headers["Cookie"] == "seen=1; two=2"
    assert end(flow, page("<p>Here.")).url == "https://news.example/b"


def test_a_cookie_is_no_part_of_another_page_s_request():
    at_page().send(moved("/a", "seen=1"))
    assert not next(RUDE.fetch(URL, "page")).headers


def test_with_cookies_another_answer_is_remembered():
    """Else the redirect would be remembered as the answer to the request that brings the cookie."""
    asked = [at_page().send(moved("/a", cookie)) for cookie in ("", "seen=1", "seen=2")]
    assert len({request.known_as for request in asked}) == 3
    assert {"set-cookie", "refresh"} <= set(KEPT)


@pytest.mark.parametrize(
    "to", ["https://www.news.example/", "https://example/", "https://news.example:8443/", "https://evil.example/"]
)
def test_a_cookie_reaches_no_other_host(to):
    flow = at_page()
    assert not flow.send(moved(to, "sid=1; Domain=example; Path=/")).headers
    assert flow.send(moved(URL)).headers["Cookie"] == "sid=1"


@pytest.mark.parametrize(
    ("set_cookie", "header"),
    [
        ("a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT; Path=/, b=2", "b=2; a=1"),
        ("a=1, b=2; Path=/, a=3; Path=/x/y", "a=1; b=2"),
        ("a=1; Path=/x, b=2", "a=1; b=2"),
        ("a=1; Path=/xy", ""),
        ("a=; Path=/", "a="),
        ("a=1; Secure", "a=1"),
        ("no pair; Path=/", ""),
        ("a b=1", ""),
        ("a=\u00e9", ""),
        ("a=1\r\nX-Injected: yes", ""),
        (f"a={'x' * MOST_CHARS}", ""),
        ("a=1, a=2; Max-Age=0", ""),
        ("a=1, a=2; Max-Age=-1; Expires=Wed, 21 Oct 2037 07:28:00 GMT", ""),
        ("a=1, a=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
        ("a=1, a=gone; Expires=Thu, 01-Jan-70 00:00:00 GMT", ""),
    ],
)
def test_cookies_are_read_as_browsers_read_them(set_cookie, header):
    jar = Jar()
    jar.take("https://news.example/x/y", set_cookie)
    assert jar.header("https://news.example/x/z") == header


def test_a_secure_cookie_waits_for_https():
    jar = Jar()
    jar.take("http://news.example/", "a=1; Secure")
    assert (jar.header("http://news.example/"), jar.header("https://news.example/")) == ("", "a=1")


def test_a_jar_holds_so_many_cookies_and_no_more():
    jar = Jar()
    jar.take(URL, ", ".join(f"c{number}=1" for number in range(2 * MOST_COOKIES)))
    assert jar.header(URL).count("=") == MOST_COOKIES
