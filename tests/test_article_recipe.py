"""What is asked about one article, in which order, and what becomes of it. The generators are driven by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from enricher.errors import GaveUp, KeyRefused, Refused, SettingError
from enricher.model import Accept, Answer, Compute, Failed, Found, Item, Price, Refuse, Request, Response, Window
from enricher.pipelines.articles.analysis import Analysis, Article
from enricher.pipelines.articles.analysts import LocalAnalyst, ModelAnalyst
from enricher.pipelines.articles.extraction import Extracted, extract
from enricher.pipelines.articles.extraction.kinds import REFUSED
from enricher.pipelines.articles.fetching import MOST_REDIRECTS, Fetched, Fetcher
from enricher.pipelines.articles.pages.reasons import GONE, NO_SUCH_PAGE, NOT_ALLOWED, UNANSWERED, NotNow
from enricher.pipelines.articles.pipeline import Choices, articles, lane_of
from enricher.pipelines.articles.providers import BY_NAME, local
from enricher.pipelines.articles.providers.base import BAD_REQUEST
from enricher.pipelines.articles.providers.services import service_of
from enricher.pipelines.articles.recipe import COLUMNS, article_recipe
from enricher.pipelines.articles.robots import rules_of
from enricher.pipelines.articles.web import (
    BURST,
    DAY_S,
    HOUR_S,
    MOST_FEED_BYTES,
    MOST_PAGE_BYTES,
    MOST_ROBOTS_BYTES,
    RATE,
    agent_of,
    classify,
    web,
)

AGENT = agent_of(None)
WEB = web(agent=AGENT)
FETCHER, RUDE = Fetcher(WEB, AGENT), Fetcher(WEB, AGENT, heed_robots=False)
URL, ELSEWHERE = "https://news.example/a?id=1&utm_source=feed", "https://other.example/b?utm_medium=x"
ITEM = Item("https://news.example/a?id=1", {"url": URL, "feed": "The News", "title": "Bees", "author": None})
RULES = Answer(200, None, b"User-agent: *\nDisallow: /closed/\nCrawl-delay: 2\n")
NO_RULES = Answer(404, None, b"", missing=True)
HTML = {"content-type": "text/html"}
PAGE = Answer(200, None, b"<html><p>Bees came back.", headers=HTML)
TEXT = Extracted("Bees came back.", "Bees return", "Ann", "2026-01-02", "en", "The News", None, 30)
ANALYSIS = Analysis("Bees return", "They are back.", ("many", "everywhere"), "a survey", ("bees",), "Plant.")


def moved(to, status=302):
    return Answer(status, None, b"", headers={"location": to})


def recipe(*analysts, fetcher=FETCHER, **options):
    return article_recipe(fetcher, analysts or [LocalAnalyst()], **options)


def end(flow, answer=None):
    """What a flow returns once it is sent, or thrown, this."""
    with pytest.raises(StopIteration) as stop:
        flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    return stop.value.value


def rules_asked(host="https://news.example"):
    return Request(WEB, f"{host}/robots.txt", kind="robots", expects="bytes", max_bytes=MOST_ROBOTS_BYTES)


def page_asked(url=URL, spacing_s=0.0):
    return Request(WEB, url, kind="page", expects="bytes", max_bytes=MOST_PAGE_BYTES, spacing_s=spacing_s)


def at_extraction(flow, page=PAGE):
    """The flow, sent its page: what it asks for then."""
    next(flow)
    flow.send(NO_RULES)
    return flow.send(page)


def at_analysis(flow):
    at_extraction(flow)
    return flow.send(TEXT)


# ── one article ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_article_takes_its_rules_its_page_its_text_and_an_analysis():
    flow = recipe()(ITEM)
    assert next(flow) == rules_asked()
    assert flow.send(RULES) == page_asked(spacing_s=2.0)
    assert flow.send(PAGE) == Compute(extract, (PAGE.body, URL, "text/html"), timeout_s=30.0)
    article = Article(URL, "Bees", "Ann", "2026-01-02", "The News", "en", "Bees came back.")
    assert flow.send(TEXT) == Compute(local.analyse, (article,), timeout_s=30.0)
    conclusion = end(flow, ANALYSIS)
    assert conclusion == Found(
        {
            "url": URL,
            "canonical_url": "https://news.example/a?id=1",
            "feed": "The News",
            "title": "Bees return",
            "author": "Ann",
            "published": "2026-01-02",
            "site": "The News",
            "language": "en",
            "word_count": 30,
            "text": "Bees came back.",
            "text_source": "page",
            "summary": "They are back.",
            "key_findings": ["many", "everywhere"],
            "method": "a survey",
            "topics": ["bees"],
            "takeaway": "Plant.",
            "provider": "local",
            "model": "extractive",
            "tokens_in": 0,
            "tokens_out": 0,
            "cost_usd": 0.0,
            "page_bytes": len(PAGE.body),
        }
    )
    assert tuple(conclusion.record) == (*COLUMNS, "page_bytes")


def test_what_the_feed_says_stands_before_what_the_page_says():
    told = {"title": "By the feed", "author": "Ben", "published": "2025-12-31T09:00:00Z"}
    work = at_analysis(recipe()(Item("a", {**ITEM.fields, **told})))
    (article,) = work.args
    assert (article.title, article.author, article.published) == tuple(told.values())


def test_what_nobody_knows_is_left_empty():
    flow = recipe()(Item("a", {"url": URL}))
    at_extraction(flow)
    flow.send(Extracted("Bees.", word_count=25))
    record = end(flow, Analysis("", "Bees.", (), "not stated", (), "")).record
    assert {name for name in COLUMNS if record[name] is None} == {"feed", "author", "published", "site", "language"}
    assert (record["title"], record["key_findings"], record["topics"]) == ("", [], [])


def test_an_article_is_known_by_the_address_that_it_was_found_at():
    flow = recipe(fetcher=RUDE)(ITEM)
    next(flow)
    flow.send(moved(ELSEWHERE))
    flow.send(PAGE)
    flow.send(TEXT)
    record = end(flow, ANALYSIS).record
    assert (record["url"], record["canonical_url"]) == (URL, "https://other.example/b")


@pytest.mark.parametrize(
    ("type_", "kind"), [("application/pdf", "pdf"), ("image/png", "image"), ("video/mp4", "media")]
)
def test_what_is_no_page_is_not_read(type_, kind):
    flow = recipe()(ITEM)
    next(flow)
    flow.send(NO_RULES)
    assert end(flow, Answer(200, None, b"%", headers={"content-type": type_})) == Failed(REFUSED[kind])


@pytest.mark.parametrize(
    ("came", "reason"),
    [
        (Extracted(reason="no main text"), "no main text"),
        (TimeoutError(), "its text could not be extracted within 12 s"),
        (RuntimeError("died with exit code -11"), "its text could not be extracted"),
        (MemoryError(), "its text could not be extracted"),
    ],
)
def test_a_page_that_cannot_be_read_fails_alone_with_its_reason(came, reason):
    flow = recipe(extract_within_s=12.0)(ITEM)
    assert at_extraction(flow).timeout_s == 12.0
    assert end(flow, came) == Failed(reason)


@pytest.mark.parametrize(
    ("came", "reason"),
    [
        (TimeoutError(), "it could not be analysed within 30 s"),
        (RuntimeError("died"), "it could not be analysed"),
    ],
)
def test_an_article_that_cannot_be_analysed_here_fails_alone(came, reason):
    flow = recipe()(ITEM)
    at_analysis(flow)
    assert end(flow, came) == Failed(reason)


# ── the feed's own text ─────────────────────────────────────────────────────────────────────────────────────────────

OWN = {"text": "From the feed.", "text_words": 30}


def with_own(words=30, url=URL):
    return recipe(fetcher=RUDE)(
        Item("a", {"url": url, "title": "Bees", "feed": "The News", **OWN, "text_words": words})
    )


def told(flow, asked):
    assert asked.function is local.analyse
    record = end(flow, ANALYSIS).record
    return [record[name] for name in ("url", "canonical_url", "text", "word_count", "text_source", "site")]


def test_an_entry_without_an_address_is_analysed_from_its_feed():
    flow = with_own(url=None)
    assert told(flow, next(flow)) == [None, None, "From the feed.", 30, "feed", None]
    assert lane_of(Item("a", {"url": None})) == ""


@pytest.mark.parametrize(
    "came",
    [
        *(
            Refused("HTTP 403", 1),
            Refused("not allowed", 1),
            Refused("too large", 1),
            Answer(410, None, b"", missing=True),
        ),
        Answer(200, None, b"%PDF-", headers={"content-type": "application/pdf"}),
    ],
)
def test_where_a_page_refuses_the_feed_s_own_text_is_taken(came):
    flow = with_own()
    next(flow)
    asked = flow.throw(came) if isinstance(came, Exception) else flow.send(came)
    assert told(flow, asked) == [URL, "https://news.example/a?id=1", "From the feed.", 30, "feed", None]


@pytest.mark.parametrize("words", [99, 100])
def test_a_teaser_does_not_stand_for_a_page_that_may_be_there_the_next_time(words):
    flow = with_own(words)
    next(flow)
    if words < 100:
        assert end(flow, GaveUp("HTTP 500", 3)) == NotNow("answered HTTP 500 three times")
    else:
        assert told(flow, flow.throw(GaveUp("HTTP 500", 3)))[4] == "feed"


@pytest.mark.parametrize(
    ("own_words", "extracted", "taken"),
    [
        (30, Extracted(reason="no main text"), "feed"),
        (30, Extracted("Not found.", word_count=2), "feed"),
        (33, replace(TEXT, word_count=30), "feed"),
        (32, replace(TEXT, word_count=30), "page"),
        (300, replace(TEXT, word_count=900), "page"),
    ],
)
def test_of_a_page_and_a_feed_the_longer_text_is_taken(own_words, extracted, taken):
    flow = with_own(own_words)
    next(flow)
    flow.send(PAGE)
    url, _, text, _, source, site = told(flow, flow.send(extracted))
    assert (url, source) == (URL, taken)
    assert text == ("From the feed." if taken == "feed" else "Bees came back.")
    assert site == ("The News" if extracted.site else None)  # what the page says of itself stays


def test_a_page_of_a_few_words_is_no_article_and_says_so():
    for count, reason in (
        (24, "its text has only 24 words: no article"),
        (1, "its text has only one word: no article"),
    ):
        flow = recipe()(ITEM)
        at_extraction(flow)
        assert end(flow, Extracted("Page not found", word_count=count)) == Failed(reason)


# ── who analyses ────────────────────────────────────────────────────────────────────────────────────────────────────


class Someone:
    """An analyst who answers as a test wants."""

    name = "someone"

    def __init__(self, answer):
        self.answer = answer
        self.replaceable = None

    def analyse(self, article, *, replaceable):
        self.replaceable = replaceable
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
        yield


@pytest.mark.parametrize("trouble", [GaveUp("HTTP 529", 5), Refused("the account is exhausted", 1), Failed("it can't")])
def test_the_next_one_is_asked_where_one_is_exhausted_refuses_or_is_down(trouble):
    first = Someone(trouble)
    flow = recipe(first, LocalAnalyst())(ITEM)
    assert at_analysis(flow).function is local.analyse
    assert first.replaceable is True
    assert end(flow, ANALYSIS).record["provider"] == "local"


def test_the_last_one_s_trouble_is_the_article_s_and_it_is_not_replaceable():
    last = Someone(GaveUp("HTTP 500", 5))
    flow = recipe(Someone(Refused("no", 1)), last)(ITEM)
    at_extraction(flow)
    with pytest.raises(GaveUp, match="HTTP 500"):
        flow.send(TEXT)
    assert last.replaceable is False


def test_a_refused_key_is_never_a_reason_to_ask_elsewhere():
    second = Someone(Failed("never asked"))
    flow = recipe(Someone(KeyRefused("anthropic", "not accepted")), second)(ITEM)
    at_extraction(flow)
    with pytest.raises(KeyRefused):
        flow.send(TEXT)
    assert second.replaceable is None


OPENAI = BY_NAME["openai"]
REPLY = (
    b'{"choices":[{"index":0,"message":{"content":"{\\"title\\":\\"T\\",\\"summary\\":\\"S\\",\\"key_findings\\":[],'
    b'\\"method\\":\\"m\\",\\"topics\\":[],\\"takeaway\\":\\"w\\"}"},"finish_reason":"stop"}]%s}'
)
USAGE = b',"usage":{"prompt_tokens":1000,"completion_tokens":100}'


def openai(**choices):
    plain = {"price": Price(100.0, 500.0, 10.0), "stream": True}
    return ModelAnalyst(service_of(OPENAI), OPENAI, "small", **(plain | choices))


def whole(usage=USAGE):
    return Answer(200, json.loads(REPLY % usage), REPLY % usage)


def test_a_model_s_analysis_tells_who_made_it_and_what_it_took():
    flow = recipe(openai())(ITEM)
    request = at_analysis(flow)
    assert (request.service.name, request.stream, request.later, request.replaceable) == ("openai", True, False, False)
    record = end(flow, whole()).record
    told = [record[name] for name in ("provider", "model", "tokens_in", "tokens_out", "cost_usd", "title", "summary")]
    assert told == ["openai", "small", 1000, 100, 0.00015, "T", "S"]


def test_a_batch_is_no_stream_and_costs_its_share():
    flow = recipe(openai(later=True, discount=0.5))(ITEM)
    request = at_analysis(flow)
    assert (request.later, request.stream) == (True, False)
    assert end(flow, whole()).record["cost_usd"] == 0.000075


@pytest.mark.parametrize(
    ("price", "usage", "cost"), [(None, USAGE, 0.0), (None, b"", 0.0), (Price(1.0, 1.0, 1.0), b"", None)]
)
def test_what_has_no_price_costs_nothing_and_what_tells_no_usage_costs_what_nobody_knows(price, usage, cost):
    flow = recipe(openai(price=price))(ITEM)
    at_analysis(flow)
    assert end(flow, whole(usage)).record["cost_usd"] == cost


REFUSAL = Answer(200, None, b'{"choices": [{"message": {"refusal": "no"}}]}', missing=True)


def test_a_model_that_refuses_fails_the_article():
    flow = recipe(openai())(ITEM)
    at_analysis(flow)
    assert end(flow, REFUSAL) == Failed("the model refused")


def test_where_a_model_refuses_the_next_one_is_asked():
    flow = recipe(openai(), LocalAnalyst())(ITEM)
    at_analysis(flow)
    assert flow.send(REFUSAL).function is local.analyse


def test_a_server_that_knows_no_schema_is_asked_once_more_without_one():
    flow = recipe(openai())(ITEM)
    assert b"json_schema" in at_analysis(flow).body
    again = flow.throw(Refused(f"{BAD_REQUEST} (HTTP 400)", 1))
    assert b"json_schema" not in again.body
    assert end(flow, whole()).record["provider"] == "openai"


def test_any_other_refusal_is_final():
    flow = recipe(openai())(ITEM)
    at_analysis(flow)
    with pytest.raises(Refused, match="the account is exhausted"):
        flow.throw(Refused("the account is exhausted", 1))


# ── fetching ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_may_be_larger_than_a_page():
    flow = RUDE.fetch(URL, "feed")
    asked = next(flow)
    assert (asked.kind, asked.max_bytes) == ("feed", MOST_FEED_BYTES)
    assert end(flow, PAGE) == Fetched(URL, PAGE.body, "text/html")


def test_what_robots_txt_forbids_is_not_asked_for():
    flow = FETCHER.fetch("https://news.example/closed/a", "page")
    next(flow)
    assert end(flow, RULES) == Failed("its robots.txt forbids it")


def test_rules_are_not_asked_for_where_a_person_does_not_want_them():
    assert next(RUDE.fetch(URL, "page")) == page_asked()


def test_each_hop_of_a_redirect_is_looked_up_in_its_own_host_s_rules():
    flow = FETCHER.fetch(URL, "page")
    asked = [next(flow), flow.send(RULES), flow.send(moved("/c")), flow.send(RULES), flow.send(moved(ELSEWHERE, 308))]
    assert [request.path for request in asked] == [
        "https://news.example/robots.txt",
        URL,
        "https://news.example/robots.txt",
        "https://news.example/c",
        "https://other.example/robots.txt",
    ]
    assert flow.send(NO_RULES) == page_asked(ELSEWHERE)
    assert end(flow, PAGE).url == ELSEWHERE


def test_five_redirects_are_followed_and_a_sixth_is_not():
    flow = RUDE.fetch(URL, "page")
    next(flow)
    for hop in range(MOST_REDIRECTS):
        assert flow.send(moved(f"/{hop}")).path == f"https://news.example/{hop}"
    assert end(flow, moved("/once-more")) == Failed("more than 5 redirects")


@pytest.mark.parametrize("to", ["javascript:alert(1)", "ftp://other.example/", "http://user:pass@other.example/", ""])
def test_a_redirect_to_what_is_no_web_address_ends_there(to):
    flow = RUDE.fetch(URL, "page")
    next(flow)
    assert end(flow, moved(to)) == Failed("it redirects to what is no web address")


@pytest.mark.parametrize(("status", "reason"), [(410, GONE), (404, NO_SUCH_PAGE)])
def test_what_is_gone_and_what_is_not_there_are_told_apart(status, reason):
    flow = RUDE.fetch(URL, "page")
    next(flow)
    assert end(flow, Answer(status, None, b"", missing=True)) == Failed(reason)


def test_a_private_address_is_told_with_what_can_be_done():
    flow = RUDE.fetch("http://10.0.0.1/", "page")
    next(flow)
    assert end(flow, Refused("not allowed", 1)) == Failed(NOT_ALLOWED)
    flow = FETCHER.fetch("http://10.0.0.1/", "page")
    next(flow)
    assert end(flow, Refused("not allowed", 1)) == Failed(NOT_ALLOWED)
    assert "--allow-private" in NOT_ALLOWED


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (Refused("HTTP 403", 1), Failed("answered HTTP 403")),
        (Refused("HTTP 404", 1), Failed(NO_SUCH_PAGE)),
        (Refused("too large", 1), Failed("too large")),
        (GaveUp("HTTP 500", 5), NotNow("answered HTTP 500 five times")),
        (GaveUp("HTTP 503", 1), NotNow("answered HTTP 503 once")),
        (GaveUp("HTTP 502", 12), NotNow("answered HTTP 502 12 times")),
        (GaveUp("HTTP 429", 3), NotNow("its site answered HTTP 429")),
        (
            GaveUp("the answer can't be read: it is cut off", 3),
            NotNow("the answer can't be read: it is cut off, three times"),
        ),
    ],
)
def test_a_reason_says_what_was_the_matter(trouble, told):
    flow = RUDE.fetch(URL, "page")
    next(flow)
    assert end(flow, trouble) == told


@pytest.mark.parametrize(
    "trouble",
    [GaveUp(reason, 3) for reason in ("connection lost", "timeout", "the answer is not HTTP", "no answer from a")],
)
@pytest.mark.parametrize("fetcher", [FETCHER, RUDE])
def test_a_silent_host_has_one_reason_for_all_its_pages(fetcher, trouble):
    """Which of them finds out, and how, depends on the mode."""
    flow = fetcher.fetch(URL, "page")
    next(flow)
    assert end(flow, trouble) == NotNow(UNANSWERED)


def test_rules_that_cannot_be_had_are_told_as_the_rules():
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    assert end(flow, GaveUp("HTTP 500", 3)) == NotNow("its robots.txt answered HTTP 500 three times")


def test_rules_that_are_cut_off_are_told_as_the_rules():
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    told = NotNow("its robots.txt can't be read: it is cut off, three times")
    assert end(flow, GaveUp("the answer can't be read: it is cut off", 3)) == told


def test_who_cannot_be_asked_for_the_rules_is_not_asked_for_the_rest():
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    assert end(flow, Refused("too large", 1)) == Failed("its robots.txt could not be read: too large")


def test_rules_that_moved_to_a_private_host_are_not_read():
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    flow.send(moved("http://127.0.0.1/robots.txt"))
    assert end(flow, Refused("not allowed", 1)) == Failed("its robots.txt could not be read: not allowed")


def test_rules_are_read_where_they_moved_to():
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    assert flow.send(moved("https://www.news.example/robots.txt", 301)) == rules_asked("https://www.news.example")
    assert end(flow, Answer(200, None, b"User-agent: *\nDisallow: /\n")) == Failed("its robots.txt forbids it")


def test_a_rule_of_many_stars_is_read_without_going_back_and_forth():
    rules = rules_of(200, b"User-agent: *\nDisallow: /*ab*ab*ab*ac$\n")
    assert rules.allows(f"https://news.example/{'ab' * 2_000}", AGENT)  # years, where each star is tried against each


def test_rules_that_move_for_ever_or_nowhere_are_none():
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    for _ in range(MOST_REDIRECTS):
        assert flow.send(moved("/robots.txt")) == rules_asked()
    assert flow.send(moved("/robots.txt")) == page_asked()
    flow = FETCHER.fetch(URL, "page")
    next(flow)
    assert flow.send(moved("mailto:someone")) == page_asked()


# ── the web as a service ────────────────────────────────────────────────────────────────────────────────────────────


def judged(status, kind="page", **headers):
    request = Request(WEB, URL, kind=kind, expects="bytes")
    return classify(request, Response(status, headers, b""), None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_if_it_leads_somewhere(status):
    assert judged(status, location="/b") == Accept()
    assert judged(status) == Refuse("it redirects to nowhere")


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (200, "page", None),
        (401, "page", None),
        (403, "page", None),
        (404, "page", Accept(missing=True)),
        (404, "feed", None),
        (410, "page", Accept(missing=True)),
        (410, "feed", Accept(missing=True)),
        (429, "page", None),
        (503, "page", None),
        (401, "robots", Accept(missing=True)),
        (403, "robots", Accept(missing=True)),
        (404, "robots", Accept(missing=True)),
        (410, "robots", Accept(missing=True)),
        (429, "robots", None),
        (500, "robots", None),
        (304, "page", None),
    ],
)
def test_what_an_answer_means(status, kind, verdict):
    assert judged(status, kind) == verdict


def test_the_web_is_many_hosts_none_of_which_is_trusted():
    service = web(agent=AGENT, allowed=frozenset(["intranet:8080"]))
    assert (service.base_url, service.place_key, service.attempts) == ("", None, 3)
    assert (service.windows, service.burst) == ((Window(10, 1.0),), 5) == (RATE, BURST)
    assert service.per_host.concurrency == 2
    assert service.per_host.group("www.news.example.co.uk:8080") == "example.co.uk"
    assert service.reach.allowed == {"intranet:8080"}
    assert service.reach.ports == (80, 443)


def test_a_burst_needs_a_rate():
    assert web(agent=AGENT, windows=(), burst=5).burst is None


def test_feeds_are_good_for_an_hour_pages_for_a_week_and_what_is_not_there_for_an_hour():
    lifetimes = web(agent=AGENT, feeds_s=60.0).lifetimes
    assert (lifetimes["feed"].found_s, lifetimes["page"].found_s) == (60.0, 7 * DAY_S)
    assert (WEB.lifetimes["feed"].found_s, WEB.lifetimes["page"].missing_s) == (HOUR_S, HOUR_S)
    assert (WEB.lifetimes["robots"].found_s, WEB.lifetimes["robots"].moved_s) == (DAY_S, None)
    assert {WEB.lifetimes[kind].moved_s for kind in ("feed", "page")} == {30 * DAY_S}
    assert {WEB.lifetimes[kind].obliging for kind in ("feed", "page")} == {True}


def test_we_go_by_our_name_and_a_person_s_address_where_one_is_set():
    assert WEB.headers["User-Agent"].startswith("enricher/")
    contact = web(agent=agent_of("me@example.org")).headers["User-Agent"]
    assert contact == f"{WEB.headers['User-Agent']} (+me@example.org)"


# ── the pipeline ────────────────────────────────────────────────────────────────────────────────────────────────────

TODAY = date(2026, 11, 26)


def chosen(**choices):
    return articles(Choices(TODAY, **choices))


def test_the_pipeline_asks_the_web_and_each_provider_that_was_chosen():
    made = chosen(provider="anthropic", fallbacks=("mistral",))
    assert [service.name for service in made.pipeline.services] == ["web", "anthropic", "mistral"]
    assert [analyst.name.partition(":")[0] for analyst in made.analysts] == ["anthropic", "mistral"]
    assert (made.pipeline.columns, made.pipeline.merged, made.pipeline.lane_of) == (COLUMNS, True, lane_of)


def test_what_is_chosen_of_the_web_holds_for_the_web_alone():
    made = chosen(
        provider="openai",
        windows=(Window(3, 1.0),),
        burst=2,
        timeout_s=7.0,
        api_timeout_s=9.0,
        contact="me@example.org",
    )
    pages, api = made.pipeline.services
    assert (pages.windows, pages.burst, pages.timeout_s) == ((Window(3, 1.0),), 2, 7.0)
    assert (api.windows, api.burst, api.timeout_s) == ((), None, 9.0)
    assert made.fetcher.agent == pages.headers["User-Agent"] == agent_of("me@example.org")
    assert "User-Agent" not in api.headers


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"provider": "anthropic"}),
        ({"provider": "openai"}, {"provider": "openai", "base_url": "http://localhost:1"}),
        ({"provider": "openai"}, {"provider": "openai", "fallbacks": ("local",)}),
    ],
)
def test_who_analyses_makes_it_another_job(first, second):
    assert chosen(**first).pipeline.options != chosen(**second).pipeline.options


def test_how_it_is_asked_makes_no_other_job():
    other = chosen(provider="openai", stream=False, timeout_s=1.0, windows=(), heed_robots=False)
    assert chosen(provider="openai").pipeline.options == other.pipeline.options


def test_a_batch_s_share_of_the_price_is_the_file_s(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text("providers: {openai: {batch: 0.25, models: {small: [{since: 2026-01-01, in: 1, out: 1}]}}}")
    (analyst,) = chosen(provider="openai", model="small", prices=file, batch=True).analysts
    assert (analyst.discount, analyst.service.batch.discount) == (0.25, 0.25)
    (analyst,) = chosen(provider="openai", model="small", prices=file).analysts
    assert (analyst.discount, analyst.service.batch.discount) == (1.0, 0.25)


def test_a_server_of_one_s_own_costs_nothing_and_is_asked_for_what_all_of_them_know():
    (analyst,) = chosen(provider="openai", model="llama3", base_url="http://localhost:11434/v1").analysts
    assert (analyst.price, analyst.provider, analyst.model) == (None, BY_NAME["compatible"], "llama3")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"provider": "gemini"}, "provider is 'gemini'; allowed are local, anthropic"),
        ({"provider": "openai", "model": "unheard-of"}, "--model unheard-of: its price is not known"),
        ({"fallbacks": ("mistral:unheard-of",)}, "--model unheard-of: its price is not known"),
    ],
)
def test_what_cannot_be_chosen_is_told(choices, message):
    with pytest.raises(SettingError, match=message):
        chosen(**choices)


@pytest.mark.parametrize(
    ("url", "lane"),
    [
        ("https://a.news.example.co.uk/1", "example.co.uk"),
        ("https://example.co.uk:8443/2", "example.co.uk"),
        ("http://127.0.0.1:8080/3", "127.0.0.1:8080"),
    ],
)
def test_articles_wait_for_their_site(url, lane):
    assert lane_of(Item(url, {"url": url})) == lane
