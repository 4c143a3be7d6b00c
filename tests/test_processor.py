"""`ArticleProcessor`: articles for programs, each call and its awaited twin, against simulated sites."""

import asyncio
import contextlib
import math

import pytest
from articles_world import KEYS, SMALL, Warm, calm

from enricher import ArticleProcessor, ProcessingError, SettingError
from enricher.core.exchange import Rules
from enricher.core.retry import Backoff
from enricher.errors import KeyRefused, ServiceDown
from enricher.model import Window
from enricher.pipelines.articles.pages.reasons import NOT_ALLOWED, UNANSWERED
from enricher.pipelines.articles.recipe import COLUMNS
from enricher.simulator.process import running_articles

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@pytest.fixture(scope="module")
def running():
    with running_articles(**SMALL) as web:
        yield web


@pytest.fixture
def web(running):
    calm(running)
    return running


@pytest.fixture(scope="module")
def warm():
    processes = Warm()
    yield processes
    processes.end()


@pytest.fixture
def make(warm, monkeypatch):
    """Makes processors that may ask the simulated sites, in a hurry; closes them."""
    monkeypatch.setattr("enricher.engine.Processes", lambda: warm)
    with contextlib.ExitStack() as made:

        def new(*numbers, **words):
            return made.enter_context(
                ArticleProcessor(*(numbers or (5, 1000.0, 100)), **({"allow_private": HOSTS} | words))
            )

        yield new


@pytest.fixture
def processor(make, web):
    return make()


# Each call as a program that waits makes it, and as one does that awaits.
class Waits:
    def __init__(self, processor):
        self._processor = processor

    def __call__(self, name, *arguments):
        return getattr(self._processor, name)(*arguments)


class Awaits(Waits):
    def __call__(self, name, *arguments):
        return asyncio.run(getattr(self._processor, f"{name}_async")(*arguments))


@pytest.fixture(params=[Waits, Awaits], ids=["waits", "awaits"])
def call(request, processor):
    return request.param(processor)


# ── articles ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_article_is_a_record_whose_keys_are_the_table_s_columns(call, web):
    article = web.articles()[0]
    record = call("process_article", article["url"])
    assert tuple(record) == COLUMNS
    told = {name: record[name] for name in ("url", "canonical_url", "title", "author", "site", "language", "provider")}
    assert told == {
        **{name: article[name] for name in ("url", "title", "author", "site", "language")},
        "canonical_url": article["url"],
        "provider": "local",
    }
    assert web.truth(article["url"]).splitlines()[0] in record["text"]
    assert record["summary"]


def test_waiting_and_awaiting_tell_the_same(make, web):
    urls = [article["url"] for article in web.articles()[:4]]
    told = [kind(make())("process_batch", urls) for kind in (Waits, Awaits)]
    assert told[0] == told[1]
    assert told[0] == [make().process_article(url) for url in urls]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pdf", "a PDF document, not a web page"),
        ("missing", "there is no such page (404)"),
        ("private", "its robots.txt forbids it"),
    ],
)
def test_what_cannot_be_processed_says_why(call, web, name, reason):
    url = web.odd[name]
    with pytest.raises(ProcessingError) as raised:
        call("process_article", url)
    assert (raised.value.url, raised.value.reason, str(raised.value)) == (url, reason, f"{url}: {reason}")
    with pytest.raises(ProcessingError) as raised:
        call("fetch_content", url)
    assert raised.value.reason == reason


@pytest.mark.parametrize("name", ["process_article", "fetch_content", "parse_feed"])
@pytest.mark.parametrize("url", ["", "foo", "javascript:alert(1)", "ftp://a.example/", "https://me:secret@a.example/"])
def test_what_is_no_address_is_not_asked_for(call, web, name, url):
    with pytest.raises(ProcessingError) as raised:
        call(name, url)
    assert raised.value.reason == "it is no http(s) address"
    assert sum(site["arrivals"] for site in web.stats()["sites"].values()) == 0


def test_a_batch_tells_of_each_in_its_place_what_failed_included(call, web):
    first, second = (article["url"] for article in web.articles()[:2])
    told = call("process_batch", iter([first, "foo", web.odd["image"], second, first]))
    assert [each["url"] for each in told] == [first, "foo", web.odd["image"], second, first]
    assert [each.get("error") for each in told] == [
        None,
        "it is no http(s) address",
        "an image, not a web page",
        None,
        None,
    ]
    assert told[0] == told[4]
    assert call("process_batch", []) == []


def test_one_article_that_many_want_is_fetched_once(call, web):
    url = web.articles()[0]["url"]
    call("process_batch", [url] * 8)
    assert sum(site["by_kind"].get("page", 0) for site in web.stats()["sites"].values()) == 1


def test_no_more_are_worked_on_at_a_time_than_is_said(make, web):
    web.control(latency="30ms")
    urls = [article["url"] for article in web.articles()]
    two = make(2, 1000.0, 100, heed_robots=False)
    for call in (Waits(two), Awaits(make(2, 1000.0, 100, heed_robots=False))):
        web.reset()
        call("process_batch", urls)
        assert 0 < max(site["most_in_flight"] for site in web.stats()["sites"].values()) <= 2
        assert sum(site["arrivals"] for site in web.stats()["sites"].values()) == len(urls)


# ── its parts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_is_its_entries(call, web):
    shown = {article["url"]: article for article in web.articles() if article["paper"] == "leuchtturm"}
    entries = call("parse_feed", web.odd["moved_feed"])
    assert {entry["url"] for entry in entries} >= set(shown)
    for entry in entries:
        if entry["url"] in shown:
            assert entry["title"] == shown[entry["url"]]["title"]
            assert entry["published"] == shown[entry["url"]]["published"].replace("+00:00", "Z")
    assert [set(entry) for entry in entries] == [{"url", "title", "author", "published"}] * len(entries)


def test_a_page_stands_for_the_feed_that_it_names(call, web):
    assert call("parse_feed", web.odd["home"]) == call("parse_feed", web.clean_feeds[4])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone_feed", "gone for good (410)"), ("pdf", "it is no feed, and names none")],
)
def test_what_is_no_feed_says_so(call, web, name, reason):
    with pytest.raises(ProcessingError) as raised:
        call("parse_feed", web.odd[name])
    assert raised.value.reason == reason


def test_content_is_the_main_text_and_what_the_page_says_of_itself(call, web):
    article = web.articles()[-1]
    content = call("fetch_content", article["url"])
    assert list(content) == ["url", "title", "author", "published", "site", "language", "text", "word_count"]
    assert [content[name] for name in ("url", "title", "author", "site", "language")] == [
        article[name] for name in ("url", "title", "author", "site", "language")
    ]
    assert web.truth(article["url"]).splitlines()[0] in content["text"]
    assert content["word_count"] > 50


TEXT = "Bees came back to the city. A survey of 40 gardens counted 4,000 of them. Nobody knows why they came."


def test_an_analysis_of_a_text_needs_no_address(call):
    told = call("analyze", TEXT, "Bees return")
    assert list(told) == [
        *("title", "summary", "key_findings", "method", "topics", "takeaway"),
        *("provider", "model", "tokens_in", "tokens_out", "cost_usd"),
    ]
    assert (told["title"], told["provider"], told["cost_usd"]) == ("Bees return", "local", 0.0)
    assert told["summary"]
    assert told["summary"].removesuffix(".") in TEXT


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_no_text_is_not_analysed(call, text):
    with pytest.raises(ProcessingError) as raised:
        call("analyze", text, "Bees")
    assert raised.value.reason == "there is no text"


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [Waits, Awaits])
@pytest.mark.parametrize("provider", ["anthropic", "openai", "mistral"])
def test_a_model_analyses_where_a_key_is_given(make, web, provider, kind):
    call = kind(make(provider=provider, api_key=KEYS[provider], base_url=web.llm(provider)))
    record = call("process_article", web.articles()[0]["url"])
    told = call("analyze", record["text"], record["title"])
    paid = web.account()["totals"][provider]
    assert (record["provider"], record["tokens_in"]) == (provider, paid["tokens_in"])
    assert record["cost_usd"] > 0
    assert told["summary"] == record["summary"]
    assert paid["calls"] == 1  # the same text is not asked about twice


@pytest.mark.parametrize("kind", [Waits, Awaits])
def test_a_refused_key_is_no_article_s_trouble(make, web, kind):
    web.control(llm_key="another")
    call = kind(make(provider="openai", api_key="wrong-key", base_url=web.llm("openai")))
    url = web.articles()[0]["url"]
    for name, argument in (("process_article", url), ("process_batch", [url]), ("analyze", TEXT)):
        with pytest.raises(KeyRefused) as raised:
            call(name, argument)
        assert "wrong-key" not in str(raised.value)


@pytest.mark.parametrize("kind", [Waits, Awaits])
def test_a_model_that_refuses_fails_the_text(make, web, kind):
    web.control(anthropic_faults="refusal=100%")
    call = kind(make(provider="anthropic", api_key="k", base_url=web.llm("anthropic")))
    with pytest.raises(ProcessingError, match="the model refused"):
        call("analyze", TEXT, "Bees")
    (told,) = call("process_batch", [web.articles()[0]["url"]])
    assert told["error"].startswith("the model refused")


@pytest.mark.parametrize("kind", [Waits, Awaits])
def test_a_service_that_is_down_fails_what_is_asked_and_no_more(make, web, monkeypatch, kind):
    made = make()

    def down(*_, **__):
        raise ServiceDown("anthropic", "it does not answer any more")

    async def down_async(*_, **__):
        down()

    for name, stand_in in (("ask", down), ("ask_async", down_async), ("work", down)):
        monkeypatch.setattr(made._engine, name, stand_in)
    call, url = kind(made), web.articles()[0]["url"]
    with pytest.raises(ProcessingError, match="anthropic: it does not answer any more"):
        call("process_article", url)
    told = call("process_batch", ["foo", url])
    assert [each["error"] for each in told] == [
        "it is no http(s) address",
        "anthropic: it does not answer any more",
    ]


# ── what may be asked ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [Waits, Awaits])
def test_a_private_host_is_not_asked_unless_it_is_named(make, web, kind):
    url = web.articles()[0]["url"]
    call = kind(make(allow_private=()))
    for name in ("process_article", "fetch_content", "parse_feed"):
        with pytest.raises(ProcessingError) as raised:
            call(name, url)
        assert raised.value.reason == NOT_ALLOWED
    assert sum(site["arrivals"] for site in web.stats()["sites"].values()) == 0
    host = url.split("/")[2]
    assert kind(make(allow_private=[host]))("fetch_content", url)["word_count"] > 50
    elsewhere = f"{host.partition(':')[0]}:1"
    with pytest.raises(ProcessingError, match=NOT_ALLOWED.split(" (")[0]):
        kind(make(allow_private=[elsewhere]))("fetch_content", url)


def test_rules_may_be_left_aside_for_sites_of_one_s_own(make, web):
    """What is closed to robots is so short that it is no article: it was asked for all the same."""
    with contextlib.suppress(ProcessingError):
        make(heed_robots=False).fetch_content(web.odd["private"])
    kinds = [site["by_kind"] for site in web.stats()["sites"].values()]
    assert sum(kind.get("private", 0) for kind in kinds) == 1
    assert sum(kind.get("robots", 0) for kind in kinds) == 0


@pytest.mark.parametrize(
    ("rate", "burst", "window"),
    [
        (10.0, 5, Window(10, 1.0)),
        (2.5, 1, Window(2, 0.8)),
        (0.5, 1, Window(1, 2.0)),
        (1000, 100, Window(1000, 1.0)),
    ],
)
def test_the_rate_is_as_it_was_said(make, rate, burst, window):
    service = make(5, rate, burst)._fetcher.web
    assert (service.windows, service.burst) == ((window,), burst)


@pytest.mark.parametrize(
    ("numbers", "words", "message"),
    [
        ((0,), {}, "concurrency is 0"),
        ((1, 0), {}, "rate_limit_rps is 0"),
        ((1, -1.0), {}, "rate_limit_rps is -1.0"),
        ((1, math.inf), {}, "rate_limit_rps is inf"),
        ((1, math.nan), {}, "rate_limit_rps is nan"),
        ((1, 1, 0), {}, "rate_limit_burst 0"),
        ((), {"provider": "gemini"}, "provider is 'gemini'; allowed are local, anthropic"),
        ((), {"provider": "anthropic"}, "provider anthropic needs an api_key; provider local needs none"),
        ((), {"provider": "openai", "api_key": "k", "model": "unheard"}, "its price is not known"),
    ],
)
def test_what_cannot_be_is_told_at_once(numbers, words, message):
    with pytest.raises(SettingError, match=message):
        ArticleProcessor(*numbers, **words)


def test_a_server_of_one_s_own_needs_no_key(make):
    make(provider="openai", model="llama3", base_url="http://localhost:11434/v1")


# ── its life ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_processor_serves_one_event_loop_after_another(processor, web):
    url = web.articles()[0]["url"]
    told = [asyncio.run(processor.fetch_content_async(url)) for _ in range(2)]
    assert told[0] == told[1]
    assert sum(site["by_kind"].get("page", 0) for site in web.stats()["sites"].values()) == 1


def test_a_host_that_was_silent_is_asked_again_when_it_is_back(make, web):
    """Who lives long sees hosts come and go."""
    made, url = make(), web.articles()[0]["url"]
    made._engine.rules = Rules(lambda: 0.0, Backoff(5, 0.01, 1.0, 0.01))
    web.control(outage="0s-1h")
    for _ in range(5):
        with pytest.raises(ProcessingError, match=f"answered HTTP 503 three times|{UNANSWERED}"):
            made.fetch_content(url)
    web.control(outage=None)
    assert made.fetch_content(url)["word_count"] > 50


def test_what_is_closed_asks_nothing_more(make, web):
    made, url = make(), web.articles()[0]["url"]
    made.close()
    with pytest.raises(ProcessingError, match="the processor is closed"):
        made.process_article(url)
    with pytest.raises(ProcessingError, match="the processor is closed"):
        asyncio.run(made.process_article_async(url))
    closed = [{"url": url, "error": "the processor is closed"}]
    assert made.process_batch([url]) == asyncio.run(made.process_batch_async([url])) == closed


def test_it_may_be_used_as_a_context_of_either_kind(make, web, warm, monkeypatch):
    url = web.articles()[0]["url"]

    async def asked():
        async with ArticleProcessor(allow_private=HOSTS) as inner:
            return inner, await inner.fetch_content_async(url)

    inner, content = asyncio.run(asked())
    assert content["word_count"] > 50
    with pytest.raises(ProcessingError, match="the processor is closed"):
        inner.fetch_content(url)
