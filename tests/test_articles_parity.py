"""A whole web of articles in every mode: one story, whatever goes wrong; and nothing is told that is nobody's business."""

import contextlib
import csv
import json
import shutil
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
import requests
from articles_world import KEYS, MODES, SMALL, Warm, asked, contents, reading, sentences, states
from servers import Server, reply

from enricher.pipelines.articles.providers import BY_NAME
from enricher.simulator.process import running_articles
from enricher.simulator.sites import ORDER

PAGE_FAULTS = "5xx=5%,reset=5%,truncated=5%,429=5%,503=5%:50ms,slow=5%:10ms,drip=5%:1ms"
LLM_FAULTS = (
    "5xx=5%,reset=5%,truncated=5%,html=5%,429=5%:0s,503=5%:50ms,slow=5%:10ms,drip=5%:1ms,garbage=5%,529=5%,error=5%,"
    "invalid=5%,refusal=5%,credit=5%"
)
# By this one each kind of fault is met, no page is lost for good, and few answers drip: those take until the timeout.
SEED = 5
PATIENCE = {"ATTEMPTS": "20", "TIMEOUT": "0.7", "API_TIMEOUT": "0.7"}
TOLD = ("t.csv", "t.json", "r.md", "r.html")

ODD = {"pdf": "PDF", "image": "image", "missing": "404", "private": "robots.txt", "empty": "no article"}
"""The addresses of the odd feed that hold no article, and what their reasons name."""


@pytest.fixture(scope="module")
def web():
    with running_articles(**SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def warm():
    processes = Warm()
    yield processes
    processes.end()


@pytest.fixture
def reader(web, own_folder, monkeypatch, capsys, warm):
    with reading(web, own_folder, monkeypatch, capsys, warm) as reader:
        yield reader


def rows_of(reader, name):
    with (reader.folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def providers_of(reader, name):
    return {row["provider"] for row in rows_of(reader, name) if row["status"] == "enriched"}


def tell(reader, *words, **options):
    """Run, and tell in all four forms; what was told, by name. The second run only tells."""
    options["feeds"] = reader.web.feeds
    reader(*words, "--out", "t.csv", "--report", "r.md", **options)
    before = counts(reader.web)
    reader(*words, "--out", "t.json", "--report", "r.html", **options)
    assert counts(reader.web) == before
    return {name: reader.read(name) for name in TOLD}


def counts(web):
    """How many pages and analyses were asked for."""
    stats = web.stats()
    pages = sum(site["by_kind"].get("page", 0) for site in stats["sites"].values())
    return pages, sum(asked(web, provider) for provider in stats["providers"])


def assert_one_story(told):
    for name in TOLD:
        assert told["sequential"][name] == told["threaded"][name], name
        assert told["async"][name] == told["threaded"][name], name


def assert_all_but_the_odd_ones(reader, name="t.csv"):
    rows = rows_of(reader, name)
    failed = {row["url"]: row["error"] for row in rows if row["status"] != "enriched"}
    gone = failed.pop(reader.web.odd["gone_feed"])
    assert "gone for good" in gone
    assert set(failed) == {reader.web.odd[odd] for odd in ODD}
    for odd, reason in ODD.items():
        assert reason in failed[reader.web.odd[odd]]


def test_every_mode_tells_the_same_story_byte_for_byte_whatever_goes_wrong(reader, monkeypatch):
    """The faults go by request and attempt, so each mode meets the same ones, in whatever order it asks."""
    for name, value in PATIENCE.items():
        monkeypatch.setenv(f"ENRICHER_{name}", value)
    told = {}
    for mode in MODES:
        reader.web.control(faults=PAGE_FAULTS, llm_faults=LLM_FAULTS, seed=SEED)
        reader.web.reset()
        words = ("--mode", mode, "--db", f"{mode}.db", "--fallback", "local")
        told[mode] = tell(reader, *words, provider="anthropic")
        stats = reader.web.stats()
        met = {kind for site in stats["sites"].values() for kind in site["faults"]}
        assert met == {"5xx", "reset", "truncated", "429", "503", "slow", "drip"}
        assert len(stats["providers"]["anthropic"]["faults"]) >= 13  # one kind of error for each status, in the mean
        assert_all_but_the_odd_ones(reader)
        assert providers_of(reader, "t.csv") == {"anthropic", "local"}
    assert_one_story(told)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("local", []),
        ("openai", ["--no-stream", "--fallback", "local"]),
        ("mistral", ["--batch"]),
    ],
)
def test_every_analyst_tells_every_mode_the_same(reader, provider, words, monkeypatch):
    """The pages are known already; so what is met here are the faults of the models."""
    for name, value in PATIENCE.items():
        monkeypatch.setenv(f"ENRICHER_{name}", value)
    tell(reader, "--db", "pages.db")
    told = {}
    for mode in MODES:
        shutil.copy(reader.folder / "pages.db", reader.folder / f"{mode}.db")
        if "--batch" not in words:
            reader.web.control(llm_faults=LLM_FAULTS, seed=SEED)
        reader.web.reset()
        told[mode] = tell(reader, *words, "--mode", mode, "--db", f"{mode}.db", provider=provider)
        assert_all_but_the_odd_ones(reader)
        assert provider in providers_of(reader, "t.csv")
    assert_one_story(told)


# ── what never passes ───────────────────────────────────────────────────────────────────────────────────────────────

PROSE = "The market is where people of the town meet in the evening, and nobody leaves before the lamps are lit. " * 8
PAGE = f"<html lang=en><title>Town</title><article><h1>Town</h1>{f'<p>{PROSE}</p>' * 3}</article></html>".encode()
CUT = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99999\r\n\r\n" + PAGE[:300]
LASTING = {
    "500": reply(b"", status="500 Internal Server Error"),
    "cut": CUT,
    "encoding": reply(b"this is no gzip", Content_Type="text/html", Content_Encoding="gzip"),
    "429": reply(b"", status="429 Too Many Requests"),
    "429-later": reply(b"", status="429 Too Many Requests", Retry_After="0"),
}
"""What a site always answers to one of its addresses."""


def lasting(name):
    """A site that has eight good pages and one that never comes, in their midst."""

    def answer(talk):
        target = talk.asked.target
        if target == f"/{name}":
            talk.send(LASTING[name])
            talk.close()
        elif target == "/robots.txt":
            talk.send(reply(b"", status="404 Not Found"))
        else:
            talk.send(reply(PAGE.replace(b"Town", target.encode()), Content_Type="text/html"))

    return answer


def test_every_mode_tells_the_same_of_pages_that_never_come(reader, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "3")
    told = {}
    with contextlib.ExitStack() as stack:
        sites = {name: stack.enter_context(Server(lasting(name))) for name in LASTING}
        pages = [f"{site.url}/{page}" for name, site in sites.items() for page in (*"abcd", name, *"efgh")]
        (reader.folder / "pages.txt").write_text("\n".join(pages))
        allowed = [word for site in sites.values() for word in ("--allow-private", site.url.partition("//")[2])]
        for mode in MODES:
            words = ("articles", "pages.txt", *allowed, "--provider", "local", "--mode", mode, "--db", f"{mode}.db")
            reader.type(*words, "--out", "t.csv", "--report", "r.md")
            reader.type(*words, "--out", "t.json", "--report", "r.html")
            told[mode] = {name: reader.read(name) for name in TOLD}
            failed = [row for row in rows_of(reader, "t.csv") if row["status"] != "enriched"]
            assert {row["url"].rpartition("/")[2] for row in failed} == set(LASTING)
    assert_one_story(told)


REFUSED = ("500 Internal Server Error", "429 Too Many Requests", "529 Overloaded", "400 Bad Request")
"""What a provider always answers to one article each."""


def refusing(web, titles):
    """A server between us and a provider that passes all on, but for these articles: a request holds its title."""
    marks = [json.dumps(title)[1:-1].encode() for title in titles]

    def answer(talk):
        asked = talk.asked
        for mark, status in zip(marks, REFUSED, strict=True):
            if mark in asked.body:
                talk.send(reply(b'{"type": "error", "error": {"type": "api_error", "message": "no"}}', status=status))
                return
        headers = {name: asked.headers[name] for name in ("x-api-key", "anthropic-version", "content-type")}
        there = requests.post(web.llm("anthropic") + asked.target, asked.body, headers=headers, timeout=10)
        talk.send(reply(there.content, Content_Type=there.headers["Content-Type"]))

    return answer


def test_every_mode_tells_the_same_of_articles_that_a_provider_always_refuses(reader, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "2")
    feeds, told = reader.web.clean_feeds, {}
    reader("--db", "pages.db", feeds=feeds)
    titles = {article["title"] for article in reader.web.articles()[: len(REFUSED)]}
    with Server(refusing(reader.web, sorted(titles))) as between:
        for mode in MODES:
            shutil.copy(reader.folder / "pages.db", reader.folder / f"{mode}.db")
            words = ("--mode", mode, "--db", f"{mode}.db", "--base-url", between.url)
            reader(*words, "--out", "t.csv", "--report", "r.md", provider="anthropic", feeds=feeds)
            reader(*words, "--out", "t.json", "--report", "r.html", provider="anthropic", feeds=feeds)
            told[mode] = {name: reader.read(name) for name in TOLD}
            failed = {row["title"] for row in rows_of(reader, "t.csv") if row["status"] != "enriched"}
            assert failed == titles
    assert_one_story(told)


# ── another one is asked ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "fault"), [("sequential", "credit"), ("threaded", "refusal"), ("async", "invalid"), ("threaded", "reset")]
)
def test_the_next_provider_is_asked_where_one_is_exhausted_refuses_or_is_down(reader, mode, fault, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "1")
    simulated = replace(BY_NAME["openai"], base_url=reader.web.llm("openai"))
    monkeypatch.setattr("enricher.pipelines.articles.pipeline.BY_NAME", {**BY_NAME, "openai": simulated})
    reader.web.control(anthropic_faults=f"{fault}=100%")
    words = ("--fallback", "openai", "--mode", mode, "--limit", "4", "--out", "t.csv")
    assert reader(*words, provider="anthropic").code == 0
    assert providers_of(reader, "t.csv") == {"openai"}
    assert asked(reader.web, "openai") == 4
    assert asked(reader.web, "anthropic") == 4


@pytest.mark.parametrize("mode", MODES)
def test_a_bad_key_ends_the_job_and_nobody_else_is_asked(reader, mode):
    reader.web.control(llm_key="another")
    ended = reader("--fallback", "local", "--mode", mode, "--out", "t.csv", provider="anthropic")
    assert ended.code == 3
    assert "refused the API key" in ended.err
    assert states(reader.folder) == {"pending": 20}
    assert not (reader.folder / "t.csv").exists()
    assert reader.web.account()["calls"] == []


# ── what nobody is to see ───────────────────────────────────────────────────────────────────────────────────────────


def assert_no_key(*texts):
    for key in KEYS.values():
        for spelling in {key, quote(key), quote_plus(key), quote(key, safe=""), key.partition("+")[2]}:
            for text in texts:
                assert spelling.encode() not in (text if isinstance(text, bytes) else text.encode())


def assert_no_sentence(web, text):
    known = sentences(web)
    assert len(known) > 100
    assert not [sentence for sentence in known if sentence in text]


@pytest.mark.parametrize("mode", ["threaded", "async"])
def test_no_log_line_holds_a_key_or_a_sentence_and_no_file_a_key(reader, mode, monkeypatch):
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "3")
    reader.web.control(llm_faults=LLM_FAULTS.replace("drip=5%:1ms,", ""), seed=SEED)
    ended = reader("-v", "--mode", mode, "--out", "t.csv", "--report", "r.md", provider="anthropic")
    assert "first token after" in ended.err
    assert " tokens in all" in ended.err
    assert_no_sentence(reader.web, ended.err)
    assert any(sentence in reader.read("t.csv").decode() for sentence in sentences(reader.web))  # it would be found
    told = reader("-vv", "--mode", mode, "--refresh", "--report", "r.html", "--json", provider="anthropic")
    assert "POST /v1/messages" in told.err
    assert_no_key(ended.out, ended.err, told.out, told.err, reader.type("jobs", "1").out)
    assert_no_key(*contents(reader.folder).values())


@pytest.mark.parametrize("words", [["--batch"], []])
def test_no_key_is_told_when_it_is_refused(reader, words):
    reader.web.control(llm_key="another")
    ended = reader("-vv", *words, provider="openai")
    assert ended.code == 3
    assert_no_key(ended.out, ended.err, *contents(reader.folder).values())


@pytest.mark.parametrize(("provider", "words"), [("local", []), ("anthropic", []), ("mistral", ["--batch"])])
def test_an_order_that_a_page_hides_reaches_no_model_no_table_and_no_report(reader, provider, words):
    feeds = (reader.web.odd["feed"],)
    reader(*words, "--out", "t.json", "--report", "r.html", provider=provider, feeds=feeds)
    reader(*words, "--out", "t.csv", "--report", "r.md", provider=provider, feeds=feeds)
    (row,) = [row for row in rows_of(reader, "t.csv") if row["url"] == reader.web.odd["injected"]]
    assert row["status"] == "enriched"
    assert row["summary"]
    for name in TOLD:
        assert ORDER.encode() not in reader.read(name)
    (holder,) = [name for name, content in contents(reader.folder).items() if ORDER.encode() in content]
    assert row["url"] in holder  # the page as it came
