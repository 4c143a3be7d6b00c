"""The simulated web and LLM APIs: their texts, limits and shapes as pure functions, their routes over real HTTP."""

import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import zlib
from xml.etree import ElementTree as ET

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from enricher.simulator import hostile
from enricher.simulator.__main__ import main
from enricher.simulator.analyst import Reading, analysis, tokens
from enricher.simulator.behaviour import LLM_FAULT_KINDS, PROVIDERS, ArticlesBehaviour, Fault, Latency
from enricher.simulator.meter import Allowance, Lease, Over
from enricher.simulator.pages import Addresses, entries_of, feed, page
from enricher.simulator.press import ALL, PAPERS, Press
from enricher.simulator.process import running_articles
from enricher.simulator.sites import ORDER
from enricher.simulator.tally import fullest_window
from enricher.simulator.wording import go_duration

HERE = Addresses(("127.0.0.1", "127.0.0.2"), 80)
PATIENCE_S = 20
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "summary": {"type": "string"},
        "key_findings": {"type": "array", "items": {"type": "string"}},
        "method": {"type": "string"},
        "topics": {"type": "array", "items": {"type": "string"}},
        "takeaway": {"type": "string"},
    },
    "required": ["title", "summary", "key_findings", "method", "topics", "takeaway"],
    "additionalProperties": False,
}
TEXT = "The bridge in Merrow carries 900 people a day. A survey of 200 households found few doubts. It will stay open."
LOOSE = {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": {"a": {}}}, "strict": True}}
CHAT = {"openai": "/v1/chat/completions", "mistral": "/v1/chat/completions", "anthropic": "/v1/messages"}


def prompt(text=TEXT, nonce="a1b2", title="The bridge of Merrow"):
    return f"<article-{nonce}>\nTitle: {title}\n\n{text}\n</article-{nonce}>"


def body(provider, user, stream=False, **changes):
    """The body of a request for an analysis, as each provider takes it."""
    messages = [{"role": "user", "content": user}]
    form = {"type": "json_schema", "json_schema": {"name": "analysis", "schema": SCHEMA, "strict": True}}
    match provider:
        case "anthropic":
            own = {
                "max_tokens": 1000,
                "system": "Analyse.",
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            }
        case "openai":
            own = {"max_completion_tokens": 1000, "response_format": form}
            messages = [{"role": "system", "content": "Analyse."}, *messages]
            if stream:
                own["stream_options"] = {"include_usage": True}
        case _:
            own = {"max_tokens": 1000, "response_format": form}
            messages = [{"role": "system", "content": "Analyse."}, *messages]
    return {"model": "small", "messages": messages, **({"stream": True} if stream else {}), **own, **changes}


def headers(provider, key="any"):
    if provider == "anthropic":
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return {"Authorization": f"Bearer {key}"}


def ask(web, provider, user=None, stream=False, key="any", **changes):
    return requests.post(
        web.llm(provider) + CHAT[provider],
        json=body(provider, user or prompt(), stream, **changes),
        headers=headers(provider, key),
        timeout=PATIENCE_S,
    )


def said(provider, answer):
    """The text of a whole answer."""
    if provider == "anthropic":
        return "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    return answer["choices"][0]["message"]["content"]


def usage(provider, answer):
    told = answer["usage"]
    if provider == "anthropic":
        return told["input_tokens"], told["output_tokens"]
    return told["prompt_tokens"], told["completion_tokens"]


def events(stream):
    """The data of a stream's events, comments left out; the last one of OpenAI's kind is "[DONE]"."""
    found = []
    for event in stream.decode().split("\n\n"):
        lines = [line.removeprefix("data: ") for line in event.split("\n") if line.startswith("data: ")]
        found += [line if line == "[DONE]" else json.loads(line) for line in lines]
    return found


def streamed(provider, found):
    """The text that a stream's events add up to."""
    if provider == "anthropic":
        deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
        return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")
    chunks = [event for event in found if event != "[DONE]" and event.get("choices")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def fetch(url, **sent):
    return requests.get(url, allow_redirects=False, timeout=PATIENCE_S, headers=sent)


def until(look, wanted):
    """Look until it is as wanted; a test that never sees it ends by its own time limit."""
    while (seen := look()) != wanted:
        assert seen is not None
    return seen


# ── options ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("latency", "0", Latency()),
        ("llm_latency", "300-600ms", Latency("uniform", 0.3, 0.6)),
        ("faults", "5xx=5%,drip=1%", (Fault("5xx", 0.05), Fault("drip", 0.01, 0.05))),
        ("llm_faults", "529=5%,error=1%", (Fault("529", 0.05), Fault("error", 0.01))),
        ("mistral_faults", "refusal=100%", (Fault("refusal", 1.0),)),
        ("llm_minute", "2s", 2.0),
        ("batch_latency", "0", 0.0),
        ("sites", "3", 3),
        ("crawl_delay", "500ms", 0.5),
        ("edition", "2", 2),
        ("articles_seed", "7", 7),
    ],
)
def test_an_option_reads_its_text_and_writes_one_that_means_the_same(option, text, value):
    behaviour = ArticlesBehaviour.of(**{option: text})
    assert getattr(behaviour, option) == value
    assert ArticlesBehaviour.of(**behaviour.texts()) == behaviour


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("faults", "html=5%"),  # nobody can tell one page from another
        ("faults", "529=5%"),
        ("llm_faults", "nonsense=5%"),
        ("llm_minute", "0"),
        ("llm_minute", "soon"),
        ("batch_latency", "soon"),
        ("sites", "0"),
        ("sites", "101"),
        ("articles", "3"),
        ("edition", "0"),
        ("films", "3"),
    ],
)
def test_a_wrong_text_is_told_in_one_line(option, text):
    with pytest.raises(ValueError, match=re.escape(repr(option if option == "films" else text))) as caught:
        ArticlesBehaviour.of(**{option: text})
    assert "\n" not in str(caught.value)


def test_a_provider_has_its_own_faults_or_those_of_all():
    behaviour = ArticlesBehaviour.of(llm_faults="5xx=5%", openai_faults="reset=1%", mistral_faults="5xx=0%")
    assert behaviour.llm("anthropic").faults == (Fault("5xx", 0.05),)
    assert behaviour.llm("openai").faults == (Fault("reset", 0.01),)
    assert behaviour.llm("mistral").faults == (Fault("5xx", 0.0),)


# ── what is written ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others():
    def everything(seed):
        press = Press(seed, 4)
        pages = [page(article, press, HERE) for paper in PAPERS for article in press.shown_of(paper)]
        return pages + [feed(paper, entries_of(press, paper, HERE), HERE) for paper in PAPERS]

    first = everything(1)
    assert everything(1) == first
    assert not set(everything(2)) & set(first)


def test_pages_have_the_sizes_that_are_drawn_and_hold_every_block_of_their_text():
    press = Press(0, 20)
    sizes = []
    for paper in ALL:
        for article in press.shown_of(paper):
            markup = page(article, press, HERE)
            shown = re.sub(
                r"&#x27;|&quot;|&amp;",
                lambda found: {"&#x27;": "'", "&quot;": '"', "&amp;": "&"}[found[0]],
                markup.decode(paper.encoding),
            )
            sizes.append(len(markup))
            assert len(markup) >= article.page_bytes - 64
            assert all(f">{block.text}</" in shown for block in article.blocks)
            assert all(words not in article.text for _, words in article.comments)
            assert paper.language.advert not in article.text
    assert 5_000 <= min(sizes) < 9_000
    assert 40_000 < max(sizes) <= 60_000


def test_an_edition_brings_a_third_new_articles_and_rewrites_a_few():
    before, after = Press(0, 12, 1), Press(0, 12, 2)
    for paper in PAPERS:
        old = {article.number: article for article in before.shown_of(paper)}
        new = {article.number: article for article in after.shown_of(paper)}
        assert len(set(new) - set(old)) == 4
        rewritten = [number for number in set(old) & set(new) if old[number].text != new[number].text]
        assert 1 <= len(rewritten) <= 3
        assert all(old[number].path == new[number].path for number in rewritten)
        dropped = before.article(paper, 0)
        assert dropped is not None
        assert after.at(dropped.path) is not None


def test_an_article_is_found_by_its_own_path_only():
    press = Press(0, 6)
    article = next(press.shown_of(PAPERS[0]))
    assert press.at(article.path) == article
    assert press.at(article.path + "x") is None
    assert press.at(article.path.replace("harbour-post", "nobody")) is None
    assert press.article(PAPERS[0], 6) is None
    assert press.article(PAPERS[0], -1) is None


# ── what the models say ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_analysis_is_a_function_of_the_article_and_not_of_the_tags():
    one, other = Reading.of(prompt(nonce="a1")), Reading.of("Analyse this:\n" + prompt(nonce="b2"))
    assert one == other
    assert Reading.of(prompt(TEXT + " More was said later on.")).name != one.name
    told = json.loads(analysis(one, SCHEMA))
    assert set(told) == set(SCHEMA["properties"])
    assert told["title"] == "The bridge of Merrow"
    assert told["summary"] == TEXT
    assert told["method"] == "A survey of 200 households found few doubts."
    assert "bridge" in told["topics"]
    assert json.loads(analysis(one, None)).keys() == told.keys()


def test_an_article_has_one_name_on_every_port():
    assert Reading.of("<a>See http://127.0.0.2:1234/x</a>").name == Reading.of("<a>See http://127.0.0.2:99/x</a>").name


def test_a_message_without_tags_is_all_article():
    reading = Reading.of("A headline\nIt says that nothing else is known of it.")
    assert (reading.title, reading.sentences) == ("A headline", ["It says that nothing else is known of it."])
    assert Reading.of("").sentences == ["Nothing."]


def test_any_schema_that_the_apis_take_is_filled():
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["news", "opinion"]},
            "fixed": {"const": 7},
            "score": {"type": "integer", "minimum": 10, "maximum": 20},
            "sure": {"type": "boolean"},
            "nothing": {"type": "null"},
            "maybe": {"type": ["null", "string"]},
            "either": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 5}]},
            "people": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/person"}},
        },
        "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string", "minLength": 400}}}},
    }
    told = json.loads(analysis(Reading.of(prompt()), schema))
    assert told["kind"] in {"news", "opinion"}
    assert (told["fixed"], told["score"], told["sure"], told["nothing"]) == (7, 10, True, None)
    assert isinstance(told["maybe"], str)
    assert len(told["either"]) == 5
    assert len(told["people"]) == 3
    assert len(told["people"][0]["name"]) == 400


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 40)), max_size=60),
    st.integers(1, 8),
    st.integers(40, 90),
)
def test_no_minute_ever_holds_more_requests_or_tokens_than_are_allowed(arrivals, most_requests, most_tokens):
    allowance, now, admitted = Allowance(most_requests, most_tokens, 1.0), 0.0, []
    for gap_s, wanted in arrivals:
        now += gap_s
        answer = allowance.ask(now, wanted)
        if isinstance(answer, Lease):
            admitted.append((now, wanted))
        else:
            assert 0 < answer.for_s <= 1.0
    assert fullest_window([at for at, _ in admitted], 1.0) <= most_requests
    for at, _ in admitted:
        assert sum(wanted for then, wanted in admitted if 0 <= at - then < 1.0) <= most_tokens


def test_input_and_output_are_counted_apart_and_an_answer_counts_once_it_is_made():
    allowance = Allowance(10, 100_000, 60.0, tokens_in=1000, tokens_out=100)
    first = allowance.ask(0.0, 5000, 600)
    assert allowance.ask(1.0, 5000, 600) == Over("input tokens", 59.0)
    assert isinstance(allowance.ask(1.0, 5000, 300), Lease)
    allowance.correct(first, 2.0, 600, 120)
    assert [(left.limit, left.left) for left in allowance.left_apart(2.0)] == [(1000, 100), (100, 0)]
    assert allowance.ask(3.0, 5000, 50) == Over("output tokens", 57.0)
    assert isinstance(allowance.ask(60.0, 5000, 50), Lease)


def test_what_was_reserved_and_not_taken_is_free_again():
    allowance = Allowance(10, 1000, 60.0)
    lease = allowance.ask(0.0, 900)
    assert allowance.ask(1.0, 200) == Over("tokens", 59.0)
    allowance.correct(lease, 2.0, 300, 0)
    assert isinstance(allowance.ask(2.0, 200), Lease)
    requests_left, tokens_left = allowance.left(2.0)
    assert (requests_left.left, tokens_left.left, tokens_left.full_in_s) == (8, 500, 60.0)
    allowance.correct(lease, 61.0, 5, 0)  # it has left the window: nothing to correct there
    assert allowance.left(61.0)[1].left == 800


def test_one_who_is_admitted_after_a_later_one_is_corrected_all_the_same():
    """Its body took longer to read. It counts from when it arrived."""
    allowance = Allowance(10, 1000, 60.0)
    allowance.ask(0.1, 100)
    early = allowance.ask(0.0, 600)
    allowance.correct(early, 1.0, 100, 0)
    assert allowance.left(1.0)[1].left == 800
    assert allowance.left(61.0)[1].left == 1000


def test_more_tokens_than_there_are_in_a_minute_are_never_admitted():
    assert Allowance(1, 10, 60.0).ask(0.0, 11) == Over("tokens", 60.0)


def test_the_use_of_a_limit_is_what_came_after_the_first_minute_full():
    allowance = Allowance(100, 10, 1.0)
    assert allowance.used() is None
    for at in (0.0, 1.0, 2.0):
        allowance.ask(at, 10)
    assert allowance.used() == 1.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.0121, "13ms"), (1.5, "1.5s"), (60, "1m0s"), (360, "6m0s"), (61.25, "1m1.25s")]
)
def test_a_duration_is_written_as_go_writes_it(seconds, text):
    assert go_duration(seconds) == text


# ── the web ────────────────────────────────────────────────────────────────────────────────────────────────────────

CALM = {
    **dict.fromkeys(("latency", "llm_latency", "batch_latency"), "0"),
    "edition": "1",
    "pause": False,
    **dict.fromkeys(("faults", "llm_faults", "anthropic_faults", "openai_faults", "mistral_faults", "outage"), ""),
    **dict.fromkeys(
        ("llm_key", "llm_requests", "llm_tokens", "llm_tokens_in", "llm_tokens_out", "llm_minute", "crawl_delay"), ""
    ),
}


@pytest.fixture(scope="module")
def simulator():
    with running_articles(sites=3, articles=6, latency="0", llm_latency="0", batch_latency="0") as running:
        yield running


@pytest.fixture
def web(simulator):
    """The simulated web as it is at its start: nothing takes time, nothing goes wrong, nothing is counted yet."""
    simulator.control(**CALM)
    simulator.reset()
    return simulator


def links(answer):
    """The addresses in a feed of any form."""
    if "json" in answer.headers["Content-Type"]:
        return [item["url"] for item in answer.json()["items"]]
    root = ET.fromstring(answer.content)
    named = [each for each in root.iter() if each.tag.endswith(("}item", "}entry")) or each.tag == "item"]
    found = [next(child for child in each if child.tag.rpartition("}")[2] == "link") for each in named]
    return [child.get("href") or child.text for child in found]


def test_the_clean_feeds_together_show_each_article_once_and_shared_ones_twice(web):
    shown = [link for address in web.clean_feeds for link in links(fetch(address))]
    articles = web.articles()
    assert len(web.clean_feeds) == 5
    assert len(articles) == 30
    both = [article["also"] for article in articles if article["also"]]
    assert len(both) == 2
    assert all("utm_source=" in address for address in both)
    assert sorted(shown) == sorted([article["url"] for article in articles] + both)


def test_every_feed_answers_a_conditional_request_honestly(web):
    for address in web.clean_feeds:
        whole = fetch(address)
        given = {"If-None-Match": whole.headers.get("ETag"), "If-Modified-Since": whole.headers.get("Last-Modified")}
        assert any(given.values())
        for name, value in given.items():
            if value:
                again = fetch(address, **{name: value})
                assert (again.status_code, again.content) == (304, b"")
        known = {name: value for name, value in given.items() if value}
        web.control(edition=2)
        assert fetch(address, **known).status_code == 200
        web.control(edition=1)
        assert fetch(address, **{"If-None-Match": '"another"', "If-Modified-Since": "no date"}).status_code == 200


def test_a_new_edition_shows_two_thirds_of_the_old_articles(web):
    before = {article["url"]: web.truth(article["url"]) for article in web.articles()}
    web.control(edition=2)
    after = {article["url"]: web.truth(article["url"]) for article in web.articles()}
    kept = set(before) & set(after)
    assert len(kept) == 20
    assert 0 < sum(before[url] != after[url] for url in kept) < 10


def test_a_feed_may_have_moved_be_gone_or_be_linked_to(web):
    moved = fetch(web.odd["moved_feed"])
    assert (moved.status_code, moved.headers["Location"]) == (301, web.clean_feeds[3])
    assert fetch(web.odd["gone_feed"]).status_code == 410
    linked = re.search(
        r'<link rel="alternate" type="application/rss\+xml" title="[^"]*" href="([^"]*)"', fetch(web.odd["home"]).text
    )
    assert linked[1] == web.clean_feeds[4]
    assert set(web.feeds) == {
        *web.clean_feeds[:3],
        web.odd["moved_feed"],
        web.odd["home"],
        web.odd["feed"],
        web.odd["gone_feed"],
    }


def test_each_page_holds_the_text_that_is_told_of_it_whatever_is_added_to_its_address(web):
    for article in web.articles():
        answer = fetch(article["also"] or article["url"])
        encoding = re.search(r'<meta charset="([^"]*)"', answer.content.decode("latin-1"))[1]
        shown = answer.content.decode(encoding)
        assert article["title"].split("'")[0] in shown
        for line in web.truth(article["url"]).split("\n"):
            assert line.partition('"')[0].partition("'")[0] in shown
        assert fetch(article["url"], **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_redirects_lead_to_an_article_and_the_rest_of_what_is_odd_to_none(web):
    def follow(url):
        return requests.get(url, timeout=PATIENCE_S)

    for name in ("moved", "found", "twice", "shared"):
        end = follow(web.odd[name])
        assert end.history
        assert web.truth(web.odd[name]) == web.truth(end.url)
    assert len(follow(web.odd["twice"]).history) == 2
    assert fetch(web.odd["found"]).headers["Location"].startswith("/")
    assert follow(web.odd["pdf"]).content.startswith(b"%PDF")
    assert follow(web.odd["image"]).headers["Content-Type"] == "image/png"
    assert follow(web.odd["missing"]).status_code == 404
    assert ORDER in follow(web.odd["injected"]).text
    assert ORDER not in web.truth(web.odd["injected"])
    with pytest.raises(ValueError, match="no article"):
        web.truth(web.odd["empty"])
    in_feed = links(fetch(web.odd["feed"]))
    assert in_feed == [
        web.odd[name]
        for name in ("injected", "moved", "found", "twice", "shared", "pdf", "image", "missing", "private", "empty")
    ]
    assert {fetch(address).status_code for address in in_feed} == {200, 301, 302, 404}
    assert fetch(web.base_url + "/odds/go/nowhere").status_code == 404
    assert fetch(web.base_url + "/odds/files/nothing.pdf").status_code == 404


def test_each_host_has_its_own_robots_txt_and_its_own_counts(web):
    hosts = [f"http://127.0.0.{number}:{web.port}" for number in (1, 2, 3)]
    first, second, third = (fetch(host + "/robots.txt") for host in hosts)
    assert "Disallow: /odds/private/" in first.text
    assert "Crawl-delay" not in first.text
    assert second.status_code == 404
    assert "Crawl-delay: 0.2\n" in third.text
    fetch(hosts[2] + "/lantern/")
    stats = web.stats(detail=True, moments=True)["sites"]
    assert {host: report["arrivals"] for host, report in stats.items()} == {
        "127.0.0.1": 1,
        "127.0.0.2": 1,
        "127.0.0.3": 2,
    }
    assert stats["127.0.0.2"]["by_status"] == {"404": 1}
    assert list(stats["127.0.0.3"]["requests_by_identity"]) == ["GET 127.0.0.3/robots.txt?", "GET 127.0.0.3/lantern/?"]
    assert len(stats["127.0.0.3"]["moments"]) == 2


def test_any_host_is_served_the_same(web):
    feed_path = "/" + web.clean_feeds[1].split("/", 3)[3]
    assert fetch(web.base_url + feed_path, Host="news.example").content == fetch(web.clean_feeds[1]).content


def test_articles_are_spread_over_the_hosts(web):
    assert {article["url"].split(":")[1] for article in web.articles()} == {"//127.0.0.1", "//127.0.0.2", "//127.0.0.3"}


def test_faults_of_pages_are_pages(web):
    web.control(faults="5xx=100%")
    answer = fetch(web.clean_feeds[0])
    assert answer.status_code in {500, 502, 503, 504}
    assert answer.headers["Content-Type"].startswith("text/html")
    web.control(faults="truncated=100%")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        fetch(web.clean_feeds[0])
    web.control(faults="drip=100%:0s")
    assert fetch(web.clean_feeds[0]).headers["Content-Type"] == "application/rss+xml; charset=utf-8"
    assert web.stats()["sites"]["127.0.0.1"]["faults"] == {"5xx": 1, "drip": 1, "truncated": 1}


# ── what means harm ────────────────────────────────────────────────────────────────────────────────────────────────


def hurt(web, path):
    """The connection and the answer of a hostile route, its body not read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE_S)
    connection.request("GET", "/hostile/" + path)
    return connection, connection.getresponse()


def test_hostile_bodies_are_as_bad_as_they_are_said_to_be(web):
    web.control(faults="5xx=100%")  # which means nothing to them
    connection, answer = hurt(web, "drip?every=0")
    assert answer.read(5) == b"<" * 5
    connection.close()
    connection, answer = hurt(web, "endless")
    assert len(answer.read(10_000_000)) == 10_000_000
    connection.close()
    connection, answer = hurt(web, "bomb?mb=20")
    packed = answer.read()
    assert len(packed) < 200_000
    assert len(gzip.decompress(packed)) > 20_000_000
    connection.close()
    connection, answer = hurt(web, "large")
    assert len(answer.read()) == int(answer.headers["Content-Length"]) == 11 * 1024 * 1024
    connection.close()
    connection, answer = hurt(web, "short")
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE_S) as raw:
        raw.sendall(b"GET /hostile/long HTTP/1.1\r\nHost: x\r\n\r\n")
        whole = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b"Content-Length: 10\r\n" in whole
    assert len(whole.partition(b"\r\n\r\n")[2]) == 27
    assert fetch(web.base_url + "/hostile/deep?n=100").text.count("<div>") == 100
    assert fetch(web.base_url + "/hostile/links?n=100").text.count("<a ") == 100
    assert b"&a8;&a8;" in fetch(web.base_url + "/hostile/laughs.xml").content


def test_a_silent_server_is_counted_as_left_by_its_client(web):
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE_S) as raw:
        raw.sendall(b"GET /hostile/silent HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        until(lambda: web.stats()["sites"]["127.0.0.1"]["in_flight"], 1)
    until(lambda: web.stats()["sites"]["127.0.0.1"]["abandoned"], 1)


def test_hostile_redirects_lead_where_nobody_may_be_led(web):
    for form in hostile.AWAY:
        to = fetch(f"{web.base_url}/hostile/away/{form}").headers["Location"]
        assert to == hostile.AWAY[form].format(port=web.port)
    assert fetch(web.base_url + "/hostile/away/home").status_code == 404
    assert fetch(web.base_url + "/hostile/loop").headers["Location"] == "/hostile/loop"
    assert fetch(web.base_url + "/hostile/chain/4").headers["Location"] == "/hostile/chain/5"
    assert hostile.SECRET in fetch(web.base_url + "/hostile/secret").text


# ── the LLM APIs ───────────────────────────────────────────────────────────────────────────────────────────────────

each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@each_provider
def test_an_answer_is_an_analysis_and_its_usage_is_what_is_paid(web, provider):
    answer = ask(web, provider)
    assert answer.status_code == 200
    assert json.loads(said(provider, answer.json()))["title"] == "The bridge of Merrow"
    tokens_in, tokens_out = usage(provider, answer.json())
    assert tokens_in == tokens("Analyse.\n" + prompt() + json.dumps(SCHEMA))
    assert tokens_out >= tokens(said(provider, answer.json()))
    account = web.account()
    paid = account["calls"][0]
    assert (paid["provider"], paid["model"], paid["tokens_in"], paid["tokens_out"]) == (
        provider,
        "small",
        tokens_in,
        tokens_out,
    )
    assert (paid["ended"], paid["batch"], paid["price_share"], paid["cached"]) == ("complete", False, 1.0, 0)
    assert paid["article"] == Reading.of(prompt()).name
    assert account["totals"] == {
        provider: {"calls": 1, "batched": 0, "tokens_in": tokens_in, "tokens_out": tokens_out, "cached": 0}
    }


@each_provider
def test_a_stream_adds_up_to_the_same_answer(web, provider):
    text = TEXT.replace("doubts", "doubts — naïve ones")  # a cut between two writes may fall into a character
    whole = ask(web, provider, prompt(text)).json()
    answer = ask(web, provider, prompt(text), stream=True)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    found = events(answer.content)
    assert streamed(provider, found) == said(provider, whole)
    if provider == "anthropic":
        kinds = [event["type"] for event in found]
        assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
        assert "ping" in kinds
        told = found[0]["message"]["usage"]["input_tokens"], found[-2]["usage"]["output_tokens"]
    else:
        assert found[-1] == "[DONE]"
        assert b"\n\n: keep-alive\n\n" in answer.content
        told = usage(provider, found[-2])
    assert told == usage(provider, whole)
    assert [(each["tokens_in"], each["tokens_out"]) for each in web.account()["calls"]] == [told, told]


def test_openai_tells_no_usage_of_a_stream_unless_asked(web):
    found = events(ask(web, "openai", stream=True, stream_options=None).content)
    assert all("usage" not in chunk for chunk in found[:-1])


def test_some_models_think_before_they_speak(web):
    answers = [ask(web, "anthropic", prompt(title=f"Number {number}")).json() for number in range(12)]
    firsts = {answer["content"][0]["type"] for answer in answers}
    assert firsts == {"thinking", "text"}
    thoughtful = next(n for n, answer in enumerate(answers) if answer["content"][0]["type"] == "thinking")
    found = events(ask(web, "anthropic", prompt(title=f"Number {thoughtful}"), stream=True).content)
    assert {event["delta"]["type"] for event in found if event["type"] == "content_block_delta"} == {
        "thinking_delta",
        "signature_delta",
        "text_delta",
    }


@each_provider
def test_an_answer_ends_where_its_tokens_do(web, provider):
    name = "max_completion_tokens" if provider == "openai" else "max_tokens"
    answer = ask(web, provider, **{name: 20}).json()
    assert usage(provider, answer)[1] == 20
    stop = answer["stop_reason"] if provider == "anthropic" else answer["choices"][0]["finish_reason"]
    assert stop == ("max_tokens" if provider == "anthropic" else "length")
    assert web.account()["calls"][0]["ended"] == "max_tokens"


@each_provider
def test_only_the_right_key_opens(web, provider):
    web.control(llm_key="right")
    assert ask(web, provider, key="wrong").status_code == 401
    assert ask(web, provider, key="right").status_code == 200
    web.control(llm_key="")
    assert ask(web, provider, key="").status_code == 401
    assert web.account()["totals"][provider]["calls"] == 1


@pytest.mark.parametrize(
    ("provider", "changes", "status"),
    [
        ("anthropic", {"temperature": 0}, 400),
        ("anthropic", {"max_tokens": None}, 400),
        ("anthropic", {"messages": "x"}, 400),
        ("openai", {"model": None}, 400),
        ("openai", {"max_completion_tokens": 0}, 400),
        ("openai", {"stream_options": 7}, 400),
        ("openai", {"response_format": LOOSE}, 400),
        ("mistral", {"stream_options": {"include_usage": True}}, 422),
        ("mistral", {"max_tokens": "many"}, 422),
    ],
)  # fmt: skip
def test_what_the_real_ones_refuse_is_refused(web, provider, changes, status):
    answer = ask(web, provider, **changes)
    assert answer.status_code == status
    assert answer.json()
    assert web.account()["calls"] == []


def test_a_body_that_is_no_json_and_a_path_that_is_none_are_refused(web):
    url = web.llm("anthropic")
    assert (
        requests.post(url + "/v1/messages", data=b"{", headers=headers("anthropic"), timeout=PATIENCE_S).status_code
        == 400
    )
    answer = requests.post(url + "/v1/nothing", headers=headers("anthropic"), timeout=PATIENCE_S)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
    with pytest.raises(ValueError, match="no provider 'nobody'"):
        web.llm("nobody")


LIMITS = {
    "anthropic": ("anthropic-ratelimit-requests-{}", "anthropic-ratelimit-tokens-{}"),
    "openai": ("x-ratelimit-{}-requests", "x-ratelimit-{}-tokens"),
    "mistral": ("x-ratelimit-{}-req-minute", "x-ratelimit-{}-tokens-minute"),
}


@each_provider
def test_the_limits_are_told_and_what_goes_over_them_is_refused(web, provider):
    web.control(llm_requests=2, llm_minute="1h")
    for_requests, for_tokens = LIMITS[provider]
    told = ask(web, provider).headers
    assert (told[for_requests.format("limit")], told[for_requests.format("remaining")]) == ("2", "1")
    spent = sum(web.account()["totals"][provider][name] for name in ("tokens_in", "tokens_out"))
    assert told[for_tokens.format("limit")] == "2000000"
    assert told[for_tokens.format("remaining")] == str(2_000_000 - spent)
    if provider == "openai":
        assert re.fullmatch(r"(60m0s|59m[\d.]+s)", told["x-ratelimit-reset-tokens"])
    if provider == "anthropic":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["anthropic-ratelimit-tokens-reset"])
    assert ask(web, provider).status_code == 200
    refused = ask(web, provider)
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    report = web.stats()["providers"][provider]
    assert (report["rejected"], report["quotas"][0]["fullest"]) == (1, 3)
    assert report["tokens"]["spent"] == 2 * spent
    assert len(web.account()["calls"]) == 2


@each_provider
def test_tokens_are_reserved_at_arrival_and_corrected_by_the_answer(web, provider):
    one_call = tokens("Analyse.\n" + prompt() + json.dumps(SCHEMA)) + 1000
    web.control(llm_tokens=one_call + 800, llm_minute="1h")
    assert ask(web, provider).status_code == 200  # which took no more than half of what it held
    assert ask(web, provider).status_code == 200
    statuses = [ask(web, provider).status_code for _ in range(8)]
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 429}


@each_provider
def test_each_kind_of_fault_looks_as_it_does_in_life(web, provider):
    def meet(spec, **more):
        web.control(llm_faults=spec)
        return ask(web, provider, **more)

    assert {meet("5xx=100%", user=prompt(title=f"No. {n}")).status_code for n in range(30)} == {500, 502, 503, 504}
    answer = meet("429=100%:3s")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert meet("503=100%").headers["Retry-After"] == "1"
    overloaded = meet("529=100%")
    assert overloaded.status_code == (529 if provider == "anthropic" else 503)
    assert meet("error=100%").status_code == overloaded.status_code
    broke = meet("credit=100%")
    assert broke.status_code == {"anthropic": 402, "openai": 429, "mistral": 402}[provider]
    assert "Retry-After" not in broke.headers
    assert web.account()["calls"] == []  # an error status costs nothing

    assert meet("html=100%").headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        meet("garbage=100%").json()
    for stream in (False, True):
        with pytest.raises(requests.ConnectionError):
            meet("reset=100%", stream=stream)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            meet("truncated=100%", stream=stream)
    refused = meet("refusal=100%").json()
    if provider == "anthropic":
        assert refused["stop_reason"] == "refusal"
    if provider == "openai":
        assert (refused["choices"][0]["message"]["content"], bool(refused["choices"][0]["message"]["refusal"])) == (
            None,
            True,
        )
    invalid = [said(provider, meet("invalid=100%", user=prompt(title=f"No. {n}")).json()) for n in range(6)]
    assert not any(text.endswith("}") for text in invalid)
    assert meet("slow=100%:1ms").status_code == 200
    assert streamed(provider, events(meet("drip=100%:0s", stream=True).content)) != ""
    stats = web.stats()["providers"][provider]
    assert set(stats["faults"]) == set(LLM_FAULT_KINDS)
    assert stats["arrivals"] == stats["answered"] + stats["cut"]
    ended = [paid["ended"] for paid in web.account()["calls"]]
    assert ended[:6] == ["lost", "lost", "lost", "lost", "lost", "broken"]
    assert ended[6:] == ["refusal", *["invalid"] * 6, "complete", "complete"]


@each_provider
def test_a_stream_that_breaks_is_paid_for_what_it_brought(web, provider):
    whole = ask(web, provider).json()
    web.control(llm_faults="error=100%")
    found = events(ask(web, provider, stream=True).content)
    assert "error" in (found[-1].get("type"), found[-1].get("object"), *found[-1])
    assert 0 < len(streamed(provider, found)) < len(said(provider, whole))
    paid = web.account()["calls"][1]
    assert paid["ended"] == "broken"
    assert paid["tokens_in"] == usage(provider, whole)[0]
    assert 0 < paid["tokens_out"] < usage(provider, whole)[1]


@each_provider
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_pays_for_what_was_produced(web, provider, stream):
    web.control(llm_latency="1h")
    sent = json.dumps(body(provider, prompt(), stream)).encode()
    lines = [f"POST /{provider}{CHAT[provider]} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(sent)}"]
    lines += [f"{name}: {value}" for name, value in headers(provider).items()]
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE_S) as raw:
        raw.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
        until(lambda: web.stats()["providers"][provider]["in_flight"], 1)
    until(lambda: web.stats()["providers"][provider]["abandoned"], 1)
    paid = web.account()["calls"]
    assert [(each["ended"], each["tokens_in"] > 0, each["tokens_out"]) for each in paid] == [("abandoned", True, 0)]


@each_provider
def test_one_article_is_one_request_whatever_its_nonce_and_however_it_is_answered(web, provider):
    web.control(llm_latency="1-3ms", llm_faults="529=50%")

    def story(nonce, stream):
        web.reset()
        statuses = [
            ask(web, provider, prompt(nonce=nonce, title=f"No. {number}"), stream).status_code
            for number in range(8)
            for _ in range(2)
        ]
        stats = web.stats(detail=True)["providers"][provider]
        return statuses, stats["requests_by_identity"], round(stats["latency_sum_s"], 9)

    first = story("a1", stream=False)
    assert story("b2", stream=True) == first
    assert len(set(first[0])) == 2
    assert set(first[1].values()) == {2}


# ── batches ────────────────────────────────────────────────────────────────────────────────────────────────────────

ARTICLES = {f"item-{number}": prompt(title=f"Article {number}") for number in range(6)}


class Batches:
    """One provider's batches, as a client uses them."""

    def __init__(self, web, provider):
        self.root, self.provider = web.llm(provider) + "/v1", provider

    def call(self, method, path, **more):
        answer = requests.request(method, self.root + path, headers=headers(self.provider), timeout=PATIENCE_S, **more)
        assert answer.status_code == 200, answer.text
        return answer

    def submit(self, prompts, **changes):
        bodies = {name: body(self.provider, user, **changes) for name, user in prompts.items()}
        match self.provider:
            case "anthropic":
                rows = [{"custom_id": name, "params": each} for name, each in bodies.items()]
                return self.call("POST", "/messages/batches", json={"requests": rows}).json()
            case "openai":
                rows = [
                    {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": each}
                    for name, each in bodies.items()
                ]
                content = "\n".join(map(json.dumps, rows))
                file = self.call(
                    "POST", "/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", content)}
                ).json()
                assert self.call("GET", f"/files/{file['id']}").json() == file
                asked = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
                return self.call("POST", "/batches", json={**asked, "metadata": {"mark": "m1"}}).json()
            case _:
                rows = [
                    {"custom_id": name, "body": {field: value for field, value in each.items() if field != "model"}}
                    for name, each in bodies.items()
                ]
                asked = {"endpoint": "/v1/chat/completions", "model": "small", "requests": rows}
                return self.call("POST", "/batch/jobs", json={**asked, "metadata": {"mark": "m1"}}).json()

    @property
    def path(self):
        return {"anthropic": "/messages/batches", "openai": "/batches", "mistral": "/batch/jobs"}[self.provider]

    def poll(self, job):
        return self.call("GET", f"{self.path}/{job['id']}").json()

    def state(self, job):
        return job["processing_status" if self.provider == "anthropic" else "status"]

    def results(self, job):
        """The ids in their order, and each result's body (None where there is none)."""
        if self.provider == "anthropic":
            rows = requests.get(job["results_url"], headers=headers("anthropic"), timeout=PATIENCE_S)
            return {row["custom_id"]: row["result"].get("message") for row in map(json.loads, rows.text.splitlines())}
        names = ("output_file_id", "error_file_id") if self.provider == "openai" else ("output_file", "error_file")
        found = {}
        for name in names:
            if job[name]:
                for row in map(json.loads, self.call("GET", f"/files/{job[name]}/content").text.splitlines()):
                    good = row["response"]["status_code"] == 200
                    found[row["custom_id"]] = row["response"]["body"] if good else None
        return found


@each_provider
def test_a_batch_brings_each_answer_once_in_another_order_at_half_the_price(web, provider):
    batches = Batches(web, provider)
    job = batches.poll(batches.submit(ARTICLES))
    assert batches.state(job) == {"anthropic": "ended", "openai": "completed", "mistral": "SUCCESS"}[provider]
    results = batches.results(job)
    assert set(results) == set(ARTICLES)
    assert list(results) != list(ARTICLES)
    for name, answer in results.items():
        assert json.loads(said(provider, answer))["title"] == f"Article {name[-1]}"
    calls = web.account()["calls"]
    assert {(paid["custom_id"], paid["batch"], paid["price_share"]) for paid in calls} == {
        (name, True, 0.5) for name in ARTICLES
    }
    assert sum(paid["tokens_out"] for paid in calls) == sum(usage(provider, answer)[1] for answer in results.values())
    batches.poll(job)
    assert len(web.account()["calls"]) == 6


@each_provider
def test_a_batch_is_in_progress_until_its_time_has_come_and_paid_then_though_nobody_looks(web, provider):
    web.control(batch_latency="1h")
    batches = Batches(web, provider)
    job = batches.poll(batches.submit(ARTICLES))
    assert batches.state(job) == {"anthropic": "in_progress", "openai": "in_progress", "mistral": "RUNNING"}[provider]
    assert web.account()["calls"] == []
    batches.call("POST", f"{batches.path}/{job['id']}/cancel")
    assert (
        batches.state(batches.poll(job))
        == {"anthropic": "ended", "openai": "cancelled", "mistral": "CANCELLED"}[provider]
    )
    web.control(batch_latency="0")
    batches.submit(ARTICLES)
    assert web.account()["totals"][provider]["batched"] == 6


@each_provider
def test_the_list_of_batches_has_the_newest_first_and_comes_in_pages(web, provider):
    batches = Batches(web, provider)
    jobs = [batches.submit({"only": prompt()})["id"] for _ in range(3)]
    pages = {
        "anthropic": lambda first: {"limit": 2} if first is None else {"limit": 2, "after_id": first},
        "openai": lambda first: {"limit": 2} if first is None else {"limit": 2, "after": first},
        "mistral": lambda first: {"page_size": 2, "page": 0 if first is None else 1},
    }[provider]
    listed = batches.call("GET", batches.path, params=pages(None)).json()
    more = batches.call("GET", batches.path, params=pages(listed["data"][1]["id"])).json()
    assert [job["id"] for job in listed["data"] + more["data"]][:3] == jobs[::-1]
    if provider != "anthropic":
        assert batches.call("GET", batches.path).json()["object"] == "list"
    if provider == "mistral":
        batches.submit(ARTICLES)
        assert batches.call("GET", batches.path).json()["data"][0]["metadata"] == {"mark": "m1"}
        for moment, found in (
            ("2026-01-01T00:00:00+00:00", True),
            ("3026-01-01T00:00:00+00:00", False),
            ("then", True),
        ):
            young = batches.call("GET", batches.path, params={"created_after": moment}).json()
            assert (young["total"] > 0) == found


@each_provider
def test_faults_spoil_some_requests_of_a_batch_and_not_the_others(web, provider):
    batches = Batches(web, provider)
    job = batches.submit({f"n{number}": prompt(title=f"Article {number}") for number in range(20)})
    web.control(llm_faults="529=50%,slow=20%")
    web.account()
    web.control(llm_faults="")
    results = batches.results(batches.poll(job))
    good = [name for name, answer in results.items() if answer is not None]
    assert len(results) == 20
    assert 0 < len(good) < 20


@each_provider
def test_a_batch_whose_answer_was_lost_has_been_taken_and_one_that_was_refused_has_not(web, provider):
    batches = Batches(web, provider)
    before = batches.call("GET", batches.path, params={"limit": 100}).json()["data"]
    rows = [{"custom_id": "a", "params": body(provider, prompt()), "body": body(provider, prompt())}]
    sent = {"requests": rows, "model": "small"}
    if provider == "openai":
        content = json.dumps({"custom_id": "a", "body": rows[0]["body"]})
        file = batches.call("POST", "/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", content)}).json()
        sent = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    web.control(llm_faults="5xx=100%")
    with pytest.raises(AssertionError):
        batches.call("POST", batches.path, json=sent)
    web.control(llm_faults="reset=100%")
    with pytest.raises(requests.ConnectionError):
        batches.call("POST", batches.path, json=sent)
    web.control(llm_faults="")
    after = batches.call("GET", batches.path, params={"limit": 100}).json()["data"]
    assert len(after) == len(before) + 1


@each_provider
def test_a_wrong_request_in_a_batch_is_its_own_error(web, provider):
    batches = Batches(web, provider)
    job = batches.poll(batches.submit({"right": prompt()} | {"wrong": prompt()}, messages=None))
    assert set(batches.results(job).values()) == {None}
    assert web.account()["calls"] == []


@pytest.mark.parametrize(
    ("provider", "path", "sent"),
    [
        ("anthropic", "/v1/messages/batches", {"requests": []}),
        ("anthropic", "/v1/messages/batches", {"requests": [{"custom_id": "a"}]}),
        ("anthropic", "/v1/messages/batches", {"requests": [{"custom_id": "a", "params": {}}] * 2}),
        ("anthropic", "/v1/messages/batches", []),
        (
            "openai",
            "/v1/batches",
            {"input_file_id": "none", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        ),
        ("openai", "/v1/batches", {"endpoint": "/v1/embeddings"}),
        ("openai", "/v1/files", {}),
        ("mistral", "/v1/batch/jobs", {"input_files": ["none"]}),
    ],
)
def test_a_batch_of_a_wrong_shape_is_refused(web, provider, path, sent):
    answer = requests.post(web.llm(provider) + path, json=sent, headers=headers(provider), timeout=PATIENCE_S)
    assert answer.status_code == 400


def test_what_is_no_batch_and_no_file_is_not_there(web):
    for provider, path in (
        ("anthropic", "/v1/messages/batches/x"),
        ("openai", "/v1/files/x"),
        ("openai", "/v1/files/x/content"),
        ("mistral", "/v1/batch/jobs/x"),
    ):
        assert requests.get(web.llm(provider) + path, headers=headers(provider), timeout=PATIENCE_S).status_code == 404
    web.control(batch_latency="1h")
    job = Batches(web, "anthropic").submit({"only": prompt()})
    unfinished = f"{web.llm('anthropic')}/v1/messages/batches/{job['id']}/results"
    assert requests.get(unfinished, headers=headers("anthropic"), timeout=PATIENCE_S).status_code == 404


def test_mistral_takes_a_file_as_well(web):
    batches = Batches(web, "mistral")
    content = json.dumps({"custom_id": "a", "body": {"messages": [{"role": "user", "content": prompt()}]}})
    file = batches.call("POST", "/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", content)}).json()
    job = batches.call("POST", "/batch/jobs", json={"model": "small", "input_files": [file["id"]]}).json()
    assert set(batches.results(batches.poll(job))) == {"a"}
    broken = batches.call("POST", "/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", "{")}).json()
    answer = requests.post(
        web.llm("mistral") + "/v1/batch/jobs",
        json={"model": "small", "input_files": [broken["id"]]},
        headers=headers("mistral"),
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 400


# ── control, process ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_change_is_told_and_changes_nothing(web):
    for options, word in (
        ({"latency": "x"}, "latency"),
        ({"sites": 2}, "start"),
        ({"pause": "x"}, "pause"),
        ({"x": 1}, "option"),
    ):
        with pytest.raises(ValueError, match=word):
            web.control(**options)
    assert requests.post(web.base_url + "/_control", data=b"[", timeout=PATIENCE_S).status_code == 400
    assert web.control(edition=3)["edition"] == "3"
    assert "edition" not in web.control(edition="")


def test_a_pause_holds_requests_until_it_ends(web):
    assert web.control(pause=True)["pause"] is True
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE_S) as raw:
        raw.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        until(lambda: web.stats()["sites"]["127.0.0.1"]["in_flight"], 1)
        web.control(pause=False)
        assert raw.recv(12) == b"HTTP/1.1 200"


def test_a_reset_zeroes_counts_limits_and_account(web):
    web.control(llm_requests=1, llm_minute="1h")
    assert [ask(web, "openai").status_code for _ in range(2)] == [200, 429]
    web.reset()
    assert web.account() == {"calls": [], "totals": {}}
    assert web.stats()["providers"]["openai"]["arrivals"] == 0
    assert ask(web, "openai").status_code == 200


def test_one_site_is_enough_and_the_process_ends_with_the_block():
    with running_articles(ArticlesBehaviour.of(articles=4), seed=3) as web:
        assert {address.split(":")[1] for address in web.feeds} == {"//127.0.0.1"}
        assert "Crawl-delay" not in fetch(web.base_url + "/robots.txt").text
        assert web.control()["seed"] == "3"
    with pytest.raises(ProcessLookupError):
        os.kill(web.pid, 0)


def test_in_the_foreground_ctrl_c_ends_it_quietly():
    with subprocess.Popen(
        [sys.executable, "-m", "enricher.simulator", "--api", "articles", "--port", "0", "--llm-minute", "2s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert re.fullmatch(rb"Simulated web and LLM APIs at http://127.0.0.1:\d+\n", child.stdout.readline())
        child.send_signal(signal.SIGINT)
        assert child.communicate() == (b"", b"")
        assert child.returncode == 0


def test_an_option_of_another_api_is_no_option(capsys):
    assert main(["--port", "0", "--api", "articles", "--films", "3"]) == 2
    assert "'films'" in capsys.readouterr().err


def test_the_picture_is_one():
    """A broken file would be refused for the wrong reason."""
    from enricher.simulator.sites import PNG

    assert PNG.startswith(b"\x89PNG")
    length = int.from_bytes(PNG[33:37], "big")
    assert zlib.crc32(PNG[37 : 41 + length]) == int.from_bytes(PNG[41 + length : 45 + length], "big")
    assert len(zlib.decompress(PNG[41 : 41 + length])) == 4
