"""Addresses of articles: one spelling each, nothing but the public web, and the site that a host belongs to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher.pipelines.articles.addresses import MOST_CHARS, absolute, canonical, site_of
from enricher.pipelines.articles.robots import MOST_BYTES, MOST_RULES, rules_of

AGENT = "enricher/0.1 (+mail@example.org)"


# ── one spelling ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("https://example.org", "https://example.org/"),
        ("  https://example.org/a\n", "https://example.org/a"),
        ("HTTPS://Example.ORG/Path", "https://example.org/Path"),
        ("https://example.org./a", "https://example.org/a"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("http://example.org:80/a", "http://example.org/a"),
        ("http://example.org:443/a", "http://example.org:443/a"),
        ("https://example.org:/a", "https://example.org/a"),
        ("https://example.org/a#part", "https://example.org/a"),
        ("https://example.org/a/./b/../c", "https://example.org/a/c"),
        ("https://example.org/a/b/..", "https://example.org/a/"),
        ("https://example.org/../../a", "https://example.org/a"),
        ("https://example.org/a/%2e%2e/b", "https://example.org/b"),
        ("https://example.org//a//", "https://example.org//a//"),
        ("https://example.org/caf\u00e9/\u5343", "https://example.org/caf%C3%A9/%E5%8D%83"),
        ("https://example.org/%7euser/%c3%a9%2f", "https://example.org/~user/%C3%A9%2F"),
        ("https://example.org/100%", "https://example.org/100%25"),
        ("https://example.org/a?q=\u00fc&x[]=1&y=a b".replace(" ", "+"), "https://example.org/a?q=%C3%BC&x[]=1&y=a+b"),
        ('https://example.org/"<>\\', "https://example.org/%22%3C%3E%5C"),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
        ("https://stra\u00dfe.example/", "https://xn--strae-oqa.example/"),
        ("https://\uff45xample\u3002org/", "https://example.org/"),
        ("https://my_host.example/", "https://my_host.example/"),
        ("http://[::0001]:8080/a", "http://[::1]:8080/a"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
    ],
)
def test_an_address_has_one_spelling(url, spelt):
    assert absolute(url) == canonical(url) == spelt


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("b", "https://example.org/x/b"),
        ("/b?c=1", "https://example.org/b?c=1"),
        ("../b", "https://example.org/b"),
        ("//other.example/b", "https://other.example/b"),
        ("?page=2", "https://example.org/x/a?page=2"),
        ("http://other.example/b", "http://other.example/b"),
    ],
)
def test_a_relative_address_is_resolved(url, whole):
    assert absolute(url, "https://example.org/x/a") == whole


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("?utm_source=feed&utm_medium=rss", ""),
        ("?id=7&utm_source=feed&page=2", "?id=7&page=2"),
        ("?UTM_Source=feed&b=1&a=2", "?b=1&a=2"),
        ("?fbclid=x&gclid=y&mc_cid=z&mc_eid=w", ""),
        ("?utmost=1&ref=a&source=rss", "?utmost=1&ref=a&source=rss"),
        ("?&&a=1&", "?a=1"),
        ("?a", "?a"),
    ],
)
def test_what_only_tracks_does_not_name_an_article(query, kept):
    assert canonical(f"https://example.org/a{query}") == f"https://example.org/a{kept}"


def test_what_is_asked_for_keeps_its_parameters():
    assert absolute("https://example.org/a?utm_source=feed&id=7") == "https://example.org/a?utm_source=feed&id=7"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "there is no address"),
        (" \n", "there is no address"),
        ("example.org/a", "not an http or https address"),
        ("//example.org/a", "not an http or https address"),
        ("ftp://example.org/a", "not an http or https address"),
        ("javascript:alert(1)", "not an http or https address"),
        ("file:///etc/passwd", "not an http or https address"),
        ("data:text/html,x", "not an http or https address"),
        ("https://user:secret@example.org/", "the address holds a user name or a password"),
        ("https://good.example\\@evil.example/", "the address holds a user name or a password"),
        ("https:///a", "the address names no host"),
        ("https://:80/", "the address names no host"),
        ("https://example.org/a b", "the address holds blanks or control characters"),
        ("https://example.org/a\tb", "the address holds blanks or control characters"),
        ("https://example.org/a\x00", "the address holds blanks or control characters"),
        ("https://example.org/a\u200bb", "the address holds blanks or control characters"),
        ("https://example.org/\ud800", "the address holds blanks or control characters"),
        ("https://example.org:port/", "the address is not valid"),
        ("https://example.org:99999/", "the address is not valid"),
        ("https://[::1/", "the address is not valid"),
        ("https://[fe80::1%25eth0]/", "the address's host is not valid"),
        ("https://exa%6dple.org/", "the address's host is not valid"),
        ("https://a..b/", "the address's host is not valid"),
        ("https://-a.example/", "the address's host is not valid"),
        (f"https://{'a' * 64}.example/", "the address's host is not valid"),
        ("https://" + "\u00fc" * 5000 + ".example/", "the address's host is not valid"),
        (f"https://example.org/{'a' * MOST_CHARS}", "the address is longer than 8,000 characters"),
    ],
)
def test_what_is_no_public_address_is_refused_with_a_reason(url, reason):
    for spell in (absolute, canonical):
        with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
            spell(url)


@given(st.text(max_size=30), st.sampled_from(["https://example.org/", "https://", "//", "", "https://example.org/a?"]))
def test_a_spelling_is_its_own_spelling(text, before):
    try:
        spelt = absolute(before + text, "https://base.example/x/")
    except ValueError:
        return
    assert spelt.isascii()
    assert spelt.startswith(("http://", "https://"))
    assert absolute(spelt) == spelt
    assert canonical(canonical(spelt)) == canonical(spelt)


# ── sites ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("example.org", "example.org"),
        ("News.Example.org", "example.org"),
        ("a.b.example.co.uk:8080", "example.co.uk"),
        ("www.example.org:443", "example.org"),
        ("127.0.0.1:8001", "127.0.0.1:8001"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8001", "[::1]:8001"),
        ("localhost:8001", "localhost:8001"),
        ("host-7.simulated:80", "host-7.simulated:80"),
        ("co.uk", "co.uk"),
        ("", ""),
    ],
)
def test_a_host_belongs_to_its_registrable_domain_or_stands_alone(host, site):
    assert site_of(host) == site


# ── robots.txt ──────────────────────────────────────────────────────────────────────────────────────────────────────

RULES = b"""
Sitemap: https://example.org/sitemap.xml
User-agent: Other
Disallow: /
Crawl-delay: 7

User-agent: *
Disallow: /private
Allow: /private/open
Disallow: /*.pdf$
Crawl-delay: 2.5

User-agent: Hoover
User-agent: Picky
Disallow: /all
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/private/a", False),
        ("/private/open/a", True),
        ("/a.pdf", False),
        ("/a.pdf?x", True),
        ("/all", True),
    ],
)
def test_the_rules_for_everybody_are_ours(path, allowed):
    assert rules_of(200, RULES).allows(f"https://example.org{path}", AGENT) is allowed


def test_rules_for_us_go_before_those_for_everybody():
    rules = rules_of(200, RULES + b"User-Agent: Enricher # us\nDisallow: /news\nCrawl-delay: 1")
    assert not rules.allows("https://example.org/news/1", AGENT)
    assert rules.allows("https://example.org/private/a", AGENT)
    assert rules.delay_s(AGENT) == 1.0
    assert rules.delay_s("somebody/1.0") == 2.5


def test_each_agent_of_a_group_has_its_rules():
    for agent in ("hoover/2", "Picky"):
        assert not rules_of(200, RULES).allows("https://example.org/all", agent)


@pytest.mark.parametrize(
    ("text", "delay_s"),
    [
        ("Crawl-delay: 3", 3.0),
        ("Crawl-delay: 86400", 60.0),
        ("Crawl-delay: -1", 0.0),
        ("Crawl-delay: soon", 0.0),
        ("Request-rate: 1/30", 0.0),
        ("", 0.0),
    ],
)
def test_a_delay_is_heeded_within_reason(text, delay_s):
    assert rules_of(200, f"User-agent: *\n{text}".encode()).delay_s(AGENT) == delay_s


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(200, False), (204, False), (301, True), (403, True), (404, True), (500, False), (503, False)],
)
def test_what_a_status_means(status, allowed):
    rules = rules_of(status, b"User-agent: *\nDisallow: /")
    assert rules.allows("https://example.org/a", AGENT) is allowed
    assert rules.delay_s(AGENT) == 0.0


def test_an_agent_without_a_name_ends_a_group_and_stands_for_nobody():
    rules = rules_of(200, b"User-agent: *\nDisallow: /a\nUser-agent:\nDisallow: /b")
    assert not rules.allows("https://example.org/a", AGENT)
    assert rules.allows("https://example.org/b", AGENT)


@given(st.binary(max_size=200))
def test_no_bytes_upset_the_rules(body):
    rules = rules_of(200, b"User-agent: *\n" + body)
    rules.allows("https://example.org/a", AGENT)
    assert 0.0 <= rules.delay_s(AGENT) <= 60.0


def test_rules_survive_bytes_that_are_no_text():
    rules = rules_of(200, b"\xef\xbb\xbfUser-agent: *\r\n\xff\xfe\x00\r\nDisallow: /a\r\n")
    assert not rules.allows("https://example.org/a", AGENT)


def test_a_page_in_place_of_rules_forbids_nothing():
    assert rules_of(200, b"<!DOCTYPE html><html><body>Disallow: /</body></html>").allows("https://a.example/", AGENT)


def test_what_lies_beyond_the_bound_is_not_read():
    filler = b"# " + b"x" * 98 + b"\n"
    beyond = b"User-agent: *\n" + filler * (MOST_BYTES // 100) + b"Disallow: /\n"
    assert rules_of(200, beyond).allows("https://example.org/a", AGENT)


def test_many_agents_with_many_rules_are_not_multiplied():
    """Each of these agents would hold each of these rules: two hundred million of them."""
    agents = b"".join(b"User-agent: e%d*\n" % n for n in range(10_000))
    rules = rules_of(200, agents + b"User-agent: *\n" + b"Disallow: /a\n" * 20_000)
    assert not rules.allows("https://example.org/a", AGENT)


def test_no_more_rules_are_read_than_a_site_has():
    rules = rules_of(200, b"User-agent: *\n" + b"Disallow: /a\n" * (MOST_RULES - 1) + b"Disallow: /b\n")
    assert not rules.allows("https://example.org/a", AGENT)
    assert rules.allows("https://example.org/b", AGENT)
