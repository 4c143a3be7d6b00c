"""`enricher articles`, `run`, `feeds` and what tells of them afterwards, as a person meets them.

Over real HTTP, from simulated sites. One feed is enough where all feeds would tell the same.
"""

import csv
import io
import json
import re
import sys
from collections import Counter
from datetime import date

import pytest
from articles_world import KEYS, MODES, SMALL, Warm, asked, query, reading, states

from enricher.cli.articles import Tokens
from enricher.model import Charge, Price, Request, Usage
from enricher.pipelines.articles.addresses import canonical
from enricher.pipelines.articles.pages.reasons import NOT_ALLOWED
from enricher.pipelines.articles.pipeline import Choices, articles
from enricher.pipelines.articles.reading import NO_OWN_TEXT
from enricher.simulator.process import running_articles
from enricher.store import BatchEntry, Store

COLUMNS = [
    *("status", "error", "url", "canonical_url", "feed", "title", "author", "published", "site", "language"),
    *("word_count", "text", "text_source", "summary", "key_findings", "method", "topics", "takeaway"),
    *("provider", "model", "tokens_in", "tokens_out", "cost_usd"),
]


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
        monkeypatch.setenv("ENRICHER_ALLOW_PRIVATE", "127.0.0.1,127.0.0.2,127.0.0.3")
        yield reader


def rows_in(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def rows_of(reader, name="t.csv"):
    return rows_in(reader.read(name).decode())


def known(*rows):
    return [row["canonical_url"] for row in rows]


def one(reader):
    """A feed whose articles all lie on its own host."""
    return [reader.web.clean_feeds[2]]


def arrivals(web):
    """What the sites were asked for, by kind."""
    return sum((Counter(site["by_kind"]) for site in web.stats()["sites"].values()), Counter())


def answers(web):
    return sum((Counter(site["by_status"]) for site in web.stats()["sites"].values()), Counter())


def cost_line(reader):
    """What `enricher jobs 1` says of the one model that was paid."""
    (line,) = (line for line in reader.type("jobs", "1").out.splitlines() if " calls, " in line and " out: " in line)
    return line


def all_of(web):
    return {canonical(article["url"]) for article in web.articles()}


# ── what goes in ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sources_of_every_kind_are_read_together_and_each_article_is_one_row(reader):
    rss, atom, json_feed, rdf, linked = reader.web.clean_feeds
    folder = reader.folder
    (folder / "reader.opml").write_text(f'<opml><body><outline><outline xmlUrl="{json_feed}"/></outline></body></opml>')
    picked = [article["url"] for article in reader.web.articles() if article["paper"] == "leuchtturm"]
    (folder / "list.txt").write_text(f"# mine\n{picked[0]}\n\n{picked[1]}  # good\nhtp:/nothing\n{picked[0]}\n")
    (folder / "saved.csv").write_text(f"title,url\nOne,{picked[2]}\nTwo,{picked[3]}\nThree,\n")
    saved = f"<rss version='2.0'><channel><title>Saved</title><item><link>{picked[3]}#x</link></item></channel></rss>"
    (folder / "saved.xml").write_text(saved)
    home = reader.web.odd["home"]
    ended = reader.type(
        *("articles", rss, "reader.opml", home, "list.txt", atom, "saved.csv", "saved.xml", rdf, linked, "-o", "t.csv")
    )
    rows = rows_of(reader)
    done = [row for row in rows if row["status"] == "enriched"]
    assert set(known(*done)) == all_of(reader.web)
    assert len(done) == len(all_of(reader.web))
    failed = [(row["url"], row["error"]) for row in rows if row["status"] == "failed"]
    assert failed == [("htp:/nothing", "not an http or https address"), ("", "there is no address")]
    assert ended.code == 1
    feeds = [row["feed"] for row in done]
    assert feeds[0] == "The Harbour Post"
    assert feeds.index("Lantern") < feeds.index("Le Kiosque") < feeds.index("") < feeds.index("Meridian Science")


def test_a_plain_list_of_articles_is_those_articles_although_each_names_its_site_s_feed(reader):
    picked = [article["url"] for article in reader.web.articles()][::5]
    (reader.folder / "list.txt").write_text("\n".join(picked))
    assert reader.type("articles", "list.txt", "-o", "t.csv").code == 0
    assert [row["url"] for row in rows_of(reader)] == picked
    assert not [kind for kind in arrivals(reader.web) if kind.startswith("feed")]


def test_an_article_on_the_command_line_is_that_article(reader):
    picked = reader.web.articles()[3]
    (row,) = rows_in(reader.type("articles", picked["url"], "--no-progress").out)
    assert (row["url"], row["title"], row["author"]) == (picked["url"], picked["title"], picked["author"])
    assert (row["site"], row["language"], row["status"]) == (picked["site"], picked["language"], "enriched")


def test_an_article_in_two_feeds_is_one_row_and_that_is_said(reader):
    shared = sum(article["also"] is not None for article in reader.web.articles())
    ended = reader("-o", "t.csv")
    assert shared
    assert len(rows_of(reader)) == len(all_of(reader.web))
    assert f"; {shared} double{'s' * (shared > 1)} left out\n" in ended.err


def test_a_feed_s_entries_that_lead_nowhere_are_failed_rows(reader):
    entries = "<item><title>A</title></item><item><title>B</title><link>javascript:alert(1)</link></item>"
    (reader.folder / "odd.xml").write_text(f"<rss version='2.0'><channel><title>Odd</title>{entries}</channel></rss>")
    ended = reader.type("articles", "odd.xml", "-o", "t.csv")
    told = [[row[name] for name in ("status", "error", "url", "title", "feed")] for row in rows_of(reader)]
    assert told == [["failed", f"it has no address, and {NO_OWN_TEXT}", "", title, "Odd"] for title in "AB"]
    assert ended.code == 1


def test_a_feed_without_entries_is_named(reader):
    (reader.folder / "empty.xml").write_text("<rss version='2.0'><channel><title>Empty</title></channel></rss>")
    ended = reader.type("articles", "empty.xml", "-o", "t.csv")
    assert (ended.code, rows_of(reader)) == (0, [])
    assert "empty.xml: no entries\n" in ended.err


REASONS = {
    "pdf": "a PDF document, not a web page",
    "image": "an image, not a web page",
    "missing": "there is no such page (404)",
    "private": "its robots.txt forbids it",
}


def test_what_fails_says_one_clear_reason_a_row(reader):
    web = reader.web
    ended = reader("-o", "t.csv", "--report", "r.md", feeds=[web.odd["feed"], web.odd["gone_feed"]])
    failed = {row["url"]: row["error"] for row in rows_of(reader) if row["status"] == "failed"}
    expected = {web.odd[name]: reason for name, reason in REASONS.items()}
    expected[web.odd["gone_feed"]] = "gone for good (410)"
    empty = failed.pop(web.odd["empty"], None)  # the wrapping of a page, and no text in it
    assert failed == expected
    assert "no article" in empty
    assert ended.code == 1
    report = reader.read("r.md").decode().replace("\\", "")
    assert all(reason in report for reason in REASONS.values())


def test_redirects_are_followed_and_an_article_is_known_by_where_it_is(reader):
    web = reader.web
    reader("-o", "t.csv", feeds=[web.odd["feed"]])
    by_url = {row["url"]: row for row in rows_of(reader)}
    for name in ("moved", "found", "twice"):
        row = by_url[web.odd[name]]
        assert "/odds/go/" not in row["canonical_url"]
        assert web.truth(web.odd[name]).splitlines()[0] in row["text"]


@pytest.mark.parametrize("mode", MODES)
def test_a_private_host_is_refused_in_every_mode_unless_a_person_names_it(reader, monkeypatch, mode):
    monkeypatch.delenv("ENRICHER_ALLOW_PRIVATE")
    feed = reader.web.clean_feeds[0]
    ended = reader.type("articles", feed, "--mode", mode, "-o", "t.csv")
    (row,) = rows_of(reader)
    assert (ended.code, row["error"]) == (1, NOT_ALLOWED)
    assert not arrivals(reader.web)
    host = feed.split("/")[2]
    assert reader.type("articles", feed, "--mode", mode, "--allow-private", host, "--limit", 1, "-o", "t.csv").code == 0


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_columns_are_these_and_no_others_in_every_format(reader):
    names = ("t.csv", "t.json", "t.jsonl", "t.md")
    assert reader("--limit", 3, "-o", "t.csv", feeds=one(reader)).code == 0
    for name in names[1:]:
        assert reader.type("export", "-o", name).code == 0
    texts = dict(zip(names, (reader.read(name).decode() for name in names), strict=True))
    assert next(csv.reader([texts["t.csv"].splitlines()[0]])) == COLUMNS
    objects = json.loads(texts["t.json"])
    assert [list(each) for each in objects] == [COLUMNS] * 3
    assert [json.loads(line) for line in texts["t.jsonl"].splitlines()] == objects
    head, rule, *lines = texts["t.md"].splitlines()
    assert head == f"| {' | '.join(name.replace('_', chr(95)) for name in COLUMNS)} |"
    assert (len(lines), rule.count("---")) == (3, len(COLUMNS))
    assert isinstance(objects[0]["topics"], list)
    assert isinstance(objects[0]["word_count"], int)


def test_async_is_short_for_its_mode(reader):
    reader("-o", "t.csv", "--limit", 2, feeds=one(reader))
    assert reader("-o", "a.csv", "--limit", 2, "--async", "--refresh", feeds=one(reader)).code == 0
    assert reader.read("a.csv") == reader.read("t.csv")


def test_the_table_is_the_truth(reader):
    reader("-o", "t.json", feeds=one(reader))
    truth = {canonical(article["url"]): article for article in reader.web.articles()}
    for row in json.loads(reader.read("t.json")):
        article = truth[row["canonical_url"]]
        told = [row[name] for name in ("title", "author", "site", "language", "published")]
        assert told[:4] == [article[name] for name in ("title", "author", "site", "language")]
        assert told[4] == article["published"].replace("+00:00", "Z")
        assert (row["provider"], row["model"], row["cost_usd"], row["error"]) == ("local", "extractive", 0.0, None)
        assert row["summary"]


def test_without_a_file_the_table_is_printed_unless_a_report_or_a_summary_is_wanted(reader):
    assert rows_in(reader("--limit", 1, feeds=one(reader)).out)[0]["status"] == "enriched"
    ended = reader("--limit", 1, "--report", "r.html", feeds=one(reader))
    assert (ended.out, reader.read("r.html")[:15]) == ("", b"<!DOCTYPE html>")
    assert reader("--limit", 1, "--json", feeds=one(reader)).data["rows_by_status"] == {"enriched": 1}


def test_a_spreadsheet_runs_nothing(reader):
    item = "<item><title>=1+1</title><link>javascript:x</link></item>"
    (reader.folder / "odd.xml").write_text(f"<rss version='2.0'><channel><title>+2</title>{item}</channel></rss>")
    reader.type("articles", "odd.xml", "-o", "t.csv", "--spreadsheet-safe")
    (row,) = rows_of(reader)
    assert (row["title"], row["feed"]) == ("'=1+1", "'+2")
    assert rows_in(reader.type("export", "--spreadsheet-safe").out) == [row]


def test_an_export_is_the_table_that_the_run_wrote(reader, monkeypatch):
    feeds = [reader.web.odd["feed"], reader.web.odd["gone_feed"]]
    reader("-o", "ran.csv", feeds=feeds)
    reader("-o", "ran.json", feeds=feeds)
    reader.web.reset()
    monkeypatch.setenv("ENRICHER_PROVIDER", "anthropic")
    monkeypatch.setenv("ENRICHER_BATCH", "true")
    monkeypatch.setenv("ENRICHER_PRICES", "not-there.yaml")
    monkeypatch.setenv("ENRICHER_CONCURRENCY", "99")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    for suffix in ("csv", "json"):
        assert reader.type("export", "-o", f"again.{suffix}").code == 0
        assert reader.read(f"again.{suffix}") == reader.read(f"ran.{suffix}")
    assert not arrivals(reader.web)


# ── a second run ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_run_within_the_hour_asks_nobody_and_tells_the_same(reader):
    words = ("-o", "t.csv", "--report", "r.md")
    first = reader(*words, feeds=reader.web.feeds)
    table, report = reader.read("t.csv"), reader.read("r.md")
    reader.web.reset()
    second = reader(*words, feeds=reader.web.feeds)
    assert not arrivals(reader.web)
    assert (second.code, reader.read("t.csv"), reader.read("r.md")) == (first.code, table, report)
    assert len(query(reader.folder / "enricher.db", "SELECT * FROM job")) == 1


@pytest.mark.parametrize("told", ["variable", "file"])
def test_after_the_hour_feeds_are_asked_conditionally_and_pages_not_at_all(reader, monkeypatch, told):
    words = ["-o", "t.csv", "--limit", 1]  # all feeds are read, whatever is done with their articles
    reader(*words)
    reader.web.reset()
    if told == "variable":
        monkeypatch.setenv("ENRICHER_TTL_RSS", "0")
    else:
        (reader.folder / "short.yaml").write_text("cache:\n  ttl_rss: 0s\n")
        words += ["--config", "short.yaml"]
    assert reader(*words).code == 0
    # Two of the five say by Cache-Control that they are good for longer.
    assert arrivals(reader.web) == {"feed-meridian": 1, "feed-lantern": 1, "feed-kiosque": 1}
    assert answers(reader.web) == {"304": 3}


def test_a_redirect_for_good_is_remembered_beyond_the_hour(reader, monkeypatch):
    monkeypatch.setenv("ENRICHER_TTL_RSS", "0")
    feeds = [reader.web.odd["moved_feed"]]
    reader("-o", "t.csv", feeds=feeds)
    assert arrivals(reader.web)["feed-moved"] == 1
    reader.web.reset()
    reader("-o", "t.csv", feeds=feeds)
    assert arrivals(reader.web)["feed-moved"] == 0


def test_refresh_asks_anew_whatever_is_known(reader):
    first = reader("-o", "t.csv", "--json", feeds=one(reader)).data
    before = arrivals(reader.web)
    reader.web.reset()
    again = reader("-o", "t.csv", "--json", "--refresh", feeds=one(reader)).data
    assert arrivals(reader.web) == before
    assert (again["job"], again["asked"], again["cache_hits"]) == (first["job"], first["asked"], first["cache_hits"])


def test_a_feed_with_new_articles_is_another_job_that_knows_the_old_ones(reader):
    reader("-o", "t.csv", "--refresh", feeds=one(reader))
    before = set(known(*rows_of(reader)))
    reader.web.control(edition=2)
    reader.web.reset()
    reader("-o", "t.csv", "--refresh", feeds=one(reader))
    after = set(known(*rows_of(reader)))
    assert len(after & before) > 0 < len(after - before)
    assert len(reader.type("jobs", "--json").data) == 2


def test_the_same_content_under_two_addresses_is_analysed_once(reader):
    web = reader.web
    feeds = [web.odd["feed"], *web.clean_feeds]
    ended = reader("-o", "t.csv", "--report", "r.md", "--no-stream", feeds=feeds, provider="openai")
    done = [row for row in rows_of(reader) if row["status"] == "enriched"]
    texts = Counter(row["text"] for row in done)
    assert max(texts.values()) == 2
    assert asked(web, "openai") == len(texts) < len(done)
    cost = cost_line(reader).rpartition(" out: ")[2]
    assert f"; {cost}.\n" in reader.read("r.md").decode().replace("\\", "")
    assert ended.code == 1


# ── how much of it ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_limit_takes_the_first_articles_and_asks_for_no_other_page(reader):
    reader("-o", "all.csv", feeds=one(reader))
    reader.web.reset()
    assert reader("-o", "t.csv", "--limit", 2, "--refresh", feeds=one(reader)).code == 0
    assert rows_of(reader) == rows_of(reader, "all.csv")[:2]
    assert arrivals(reader.web)["page"] == 2
    assert reader("-o", "t.csv", "--limit", 0, feeds=one(reader)).code == 0
    assert rows_of(reader) == []


def test_since_leaves_out_what_is_older_and_says_so(reader):
    ended = reader("-o", "t.csv", "--since", "1h", feeds=one(reader))
    assert (ended.code, rows_of(reader)) == (0, [])
    assert re.search(r"^1 feed with (\d) articles; \1 older than --since left out$", ended.err, re.MULTILINE)
    assert reader("-o", "t.csv", "--since", "3650d", feeds=one(reader)).code == 0
    assert len(rows_of(reader)) > 3


# ── feeds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_run_reads_the_feeds_of_a_variable_a_file_and_the_database(reader, monkeypatch):
    rss, _, json_feed, rdf, linked = reader.web.clean_feeds
    monkeypatch.setenv("RSS_FEED_URL", f"{rss}, {rdf}")
    assert reader.type("run", "-o", "t.csv").code == 0
    assert {row["feed"] for row in rows_of(reader)} == {"The Harbour Post", "Der Leuchtturm"}
    monkeypatch.delenv("RSS_FEED_URL")
    (reader.folder / "mine.yaml").write_text(f"feeds:\n  - {json_feed}\n  - {rss}\n")
    assert reader.type("feeds", "add", linked, rss).out == "2 added\n"
    assert reader.type("run", "-o", "t.csv", "--config", "mine.yaml").code == 0
    assert list(dict.fromkeys(row["feed"] for row in rows_of(reader))) == ["Lantern", "The Harbour Post", "Le Kiosque"]
    assert reader.type("run", "-o", "t.csv").code == 0
    assert {row["feed"] for row in rows_of(reader)} == {"The Harbour Post", "Le Kiosque"}


def test_run_without_feeds_says_how_to_name_some(reader):
    ended = reader.type("run")
    assert ended.code == 2
    assert all(word in ended.complaint for word in ("no feeds", "enricher feeds add", "feeds:", "RSS_FEED_URL"))
    assert list(reader.folder.iterdir()) == []


def test_feeds_list_tells_how_each_was(reader):
    web = reader.web
    dead, unheard_of = f"{web.base_url}/nobody/feed.xml", f"{web.base_url}/nobody/page.html"
    reader.type("feeds", "add", web.odd["gone_feed"], dead)
    feeds = [web.clean_feeds[0], web.odd["gone_feed"], web.odd["moved_feed"], dead, unheard_of]
    ended = reader("-o", "t.csv", feeds=feeds)
    assert f"{web.odd['gone_feed']}: gone\n" in ended.err
    assert f"{dead}: there is no such page (404)\n" in ended.err
    assert f"{unheard_of}: there is no such page (404)\n" in ended.err
    assert "2 feeds with 8 articles" in ended.err
    row = rows_of(reader)[-1]
    assert (row["url"], row["feed"], row["error"]) == (unheard_of, "", "there is no such page (404)")
    reader.type("feeds", "remove", web.odd["gone_feed"], dead)
    reader.type("feeds", "add", web.clean_feeds[1])
    listed = {row["url"]: row for row in reader.type("feeds", "list", "--json").data}
    told = {url: (row["state"], row["title"], row["articles"], row["subscribed"]) for url, row in listed.items()}
    assert told == {
        web.clean_feeds[0]: ("ok", "The Harbour Post", 4, False),
        web.clean_feeds[1]: ("not read yet", None, None, True),
        web.odd["gone_feed"]: ("gone", None, 0, False),
        web.odd["moved_feed"]: ("ok", "Der Leuchtturm", 4, False),
        dead: ("there is no such page (404)", None, 0, False),
    }
    head, *lines = reader.type("feeds", "list").out.splitlines()
    assert head.split() == ["feed", "title", "state", "articles", "checked", "run"]
    assert [line.split()[0] for line in lines] == sorted(told)
    assert sum(line.rstrip().endswith(" yes") for line in lines) == 1


def test_a_feed_that_dies_keeps_its_title_and_that_it_is_wanted(reader, monkeypatch):
    web, feed = reader.web, reader.web.clean_feeds[3]
    monkeypatch.setenv("ENRICHER_ATTEMPTS", "1")
    reader.type("feeds", "add", feed)
    reader.type("run", "-o", "t.csv")
    web.control(outage="0s-1h")
    assert reader.type("run", "-o", "t.csv", "--refresh").code == 1
    (row,) = reader.type("feeds", "list", "--json").data
    assert (row["title"], row["subscribed"], row["articles"]) == ("Der Leuchtturm", True, 0)
    assert row["state"] == "its robots.txt answered HTTP 503 three times"


def test_feeds_come_and_go(reader):
    add = ("feeds", "add", "https://b.example/rss", "HTTPS://A.example:443/rss", "https://b.example/rss")
    assert reader.type(*add).out == "2 added\n"
    assert reader.type(*add).out == "0 added\n"
    assert [row["url"] for row in reader.type("feeds", "list", "--json").data] == [
        "https://a.example/rss",
        "https://b.example/rss",
    ]
    assert reader.type("feeds", "remove", "https://a.example/rss").out == "1 removed\n"
    again = reader.type("feeds", "remove", "https://a.example/rss")
    assert (again.code, again.complaint) == (
        2,
        "enricher: feeds remove https://a.example/rss: no such feed; `enricher feeds list` tells which there are",
    )
    assert [row["subscribed"] for row in reader.type("feeds", "list", "--json").data] == [False, True]
    assert reader.type("feeds", "add", "https://a.example/rss").out == "1 added\n"


def test_opml_goes_out_and_comes_in_again(reader):
    reader(feeds=reader.web.clean_feeds[:1])
    reader.type("feeds", "add", *reader.web.clean_feeds[:1], "https://a.example/?x=1&y=%22")
    assert reader.type("feeds", "export", "-o", "mine.opml").code == 0
    assert reader.type("feeds", "export").out == reader.read("mine.opml").decode()
    assert reader.type("feeds", "import", "mine.opml", "--db", "other.db").out == "2 added\n"
    assert reader.type("feeds", "export", "--db", "other.db").out == reader.read("mine.opml").decode()
    titles = [row["title"] for row in reader.type("feeds", "list", "--json", "--db", "other.db").data]
    assert titles == ["The Harbour Post", "https://a.example/?x=1&y=%22"]


def test_one_wrong_address_in_opml_does_not_stop_the_others(reader):
    outlines = ('xmlUrl="https://me:secret@a.example/"', 'xmlUrl="https://b.example/rss" title="B"', 'text="a folder"')
    text = "".join(f"<outline {outline}/>" for outline in outlines)
    (reader.folder / "mixed.opml").write_text(f"<opml><body>{text}</body></opml>")
    ended = reader.type("feeds", "import", "mixed.opml")
    assert (ended.code, ended.out) == (1, "1 added\n")
    assert ended.err == "mixed.opml: feeds: 'https://…@a.example/': the address holds a user name or a password\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no.opml: No such file or directory"),
        ("hello", "no.opml: the XML is damaged in line 1; export it again from your feed reader"),
        ("<rss/>", "no.opml: this is no OPML; export it again from your feed reader"),
    ],
)
def test_what_is_no_opml_is_refused(reader, text, message):
    if text is not None:
        (reader.folder / "no.opml").write_text(text)
    ended = reader.type("feeds", "import", "no.opml")
    assert (ended.code, ended.complaint) == (2, f"enricher: {message}")


@pytest.mark.parametrize("words", [("list",), ("export",), ("remove", "https://a.example/")])
def test_who_only_looks_makes_no_database(reader, words):
    ended = reader.type("feeds", *words)
    assert (ended.code, list(reader.folder.iterdir())) == (2, [])
    assert "no such database" in ended.complaint


# ── the forecast ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_reads_the_feeds_and_asks_for_nothing_else(reader):
    words = ("--dry-run", "--json")
    told = reader(*words, provider="anthropic").data
    count = len(all_of(reader.web))
    assert not {kind for kind in arrivals(reader.web) if kind != "robots" and not kind.startswith("feed-")}
    assert not asked(reader.web, "anthropic")
    assert (told["articles"], told["already_known"]) == (count, 0)
    assert told["requests_needed"] == 2 * count + 3
    assert told["tokens_in"] == 1_415 * count
    assert told["cost"].startswith("$0.0")
    assert told["analysts"][0].startswith("anthropic:")
    assert query(reader.folder / "enricher.db", "SELECT * FROM job") == []


def test_a_dry_run_needs_no_key(reader, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    ended = reader("--dry-run", provider="openai", feeds=one(reader))
    assert ended.code == 0
    assert re.search(r"By openai:\S+: [\d,]+ tokens in, [\d,]+ out; about \$0\.\d+, \$0\.\d+ if the", ended.out)


def test_what_is_known_is_not_forecast_whichever_job_knows_it(reader):
    count = len(all_of(reader.web))
    some = reader.web.clean_feeds[:2]
    reader("-o", "t.csv", feeds=some)
    done = len(rows_of(reader))
    assert reader("--dry-run", "--json", feeds=some).data["already_known"] == done
    told = reader("--dry-run", "--json").data
    assert (told["articles"], told["already_known"]) == (count, done)
    assert reader("--dry-run", "--json", "--refresh").data["already_known"] == 0
    assert reader("--dry-run", "--json", provider="mistral").data["already_known"] == 0
    reader.type("cache", "clear")
    assert reader("--dry-run", "--json").data["already_known"] == 0
    assert reader("--dry-run", "--json", feeds=some).data["already_known"] == done


def test_a_forecast_on_this_machine_costs_nothing(reader):
    reader("-o", "t.csv", feeds=one(reader))
    count = len(rows_of(reader))
    assert reader("--dry-run", feeds=one(reader)).out == (
        f"{count} articles, {count} already analysed.\n0 requests needed: about 0:00, 5 at a time.\n"
        "By local: on this machine, at no cost. No page and no model was asked.\n"
    )


def test_a_batch_is_forecast_at_its_price(reader):
    def cost(*words):
        return float(
            reader("--dry-run", "--json", *words, provider="openai", feeds=one(reader)).data["cost"].lstrip("$")
        )

    assert cost("--batch") == pytest.approx(cost() / 2, rel=0.01)


# ── what it cost ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_tells_what_it_cost_and_so_does_its_run(reader):
    ended = reader("-o", "t.csv", "--json", provider="anthropic", feeds=one(reader))
    count = len(rows_of(reader))
    (told,) = reader.type("jobs", "1", "--json").data
    (cost,) = told["cost"]
    paid = reader.web.account()["totals"]["anthropic"]
    assert [cost[name] for name in ("provider", "calls", "tokens_in", "tokens_out")] == [
        *("anthropic", count, paid["tokens_in"], paid["tokens_out"])
    ]
    assert (ended.data["paid_calls"], ended.data["tokens_in"]) == (count, paid["tokens_in"])
    assert ended.data["cost"].startswith("$0.0")
    assert sum(float(row["cost_usd"]) for row in rows_of(reader)) == pytest.approx(cost["cost_nano"] / 1e9)
    line = cost_line(reader)
    assert line.startswith(f"anthropic {cost['model']}: {count} calls, {paid['tokens_in']:,} tokens in (0 cached), ")
    assert line.endswith(f" out: {ended.data['cost']}")


def test_a_budget_that_is_too_small_for_one_call_is_not_passed(reader):
    ended = reader("-o", "t.csv", "--budget", "0.00000001", provider="anthropic", feeds=one(reader))
    assert ended.code == 1
    assert "enricher: the budget of $0.00000001 is spent as far as it goes" in ended.err
    assert ended.err.endswith("; the same command goes on where it stopped\n")
    assert reader.web.account()["calls"] == []
    assert {row["status"] for row in rows_of(reader)} == {"pending"}


def test_tokens_are_counted_as_they_come_and_their_text_is_not_kept():
    chosen = articles(Choices(date(2026, 11, 26), provider="anthropic"))
    tokens = Tokens(chosen)
    assert tokens.told() == ""
    request = Request(chosen.analysts[0].service, "/v1/messages", stream=True)
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Bees"}}
    piece = f"event: content_block_delta\ndata: {json.dumps(delta)}\n\n".encode()
    for _ in range(1_200):
        tokens.show(request, piece)
    assert tokens.told() == "1,200 tokens streamed"
    assert "Bees" not in str(vars(tokens))


def test_what_cost_nothing_tells_no_cost(reader):
    assert "cost" not in reader("-o", "t.csv", "--json", feeds=one(reader)).data
    assert "$" not in reader.type("jobs", "1").out
    assert reader.type("jobs", "1", "--json").data[0]["cost"] == []


def test_the_summary_and_the_progress_tell_the_cost_and_the_tokens(reader):
    ended = reader("-o", "t.csv", "-v", provider="openai", feeds=one(reader))
    assert re.search(r"paid calls +\d+", ended.err)
    assert re.search(r"cost +\$0\.0\d+", ended.err)
    assert "first token after" in ended.err


def test_jobs_have_a_name_that_fits_on_a_line(reader):
    reader("-o", "t.csv", "--limit", 1)
    reader("-o", "t.csv", "--limit", 1, feeds=reader.web.clean_feeds[1:2])
    (reader.folder / "list.txt").write_text(reader.web.articles()[0]["url"])
    reader.type("articles", "list.txt", "-o", "t.csv")
    host, other = (reader.web.clean_feeds[number].removeprefix("http://") for number in (0, 1))
    names = [job["name"] for job in reader.type("jobs", "--json").data]
    assert names == [f"{host.partition('/')[0]} and 4 more", other, "list.txt"]


# ── batches that a person decides on ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def undecided(reader):
    """A batch that may have been taken: its number is 1."""
    charge = Charge("anthropic", "small", Price(1.0, 10.0, 0.1), Usage(tokens_in=100))
    with Store(reader.folder / "enricher.db") as store:
        job = store.open_job("articles", "f", "feeds", {}, ())
        store.batches.begin(job.id, "anthropic", "small", [BatchEntry("c-1", "key", "analysis", charge)], 0.5, None)
    return reader


def batch_state(reader):
    with Store(reader.folder / "enricher.db") as store:
        found = store.batches.get(1)
    return found.state, found.provider_id


@pytest.mark.parametrize(
    ("words", "said", "expected"),
    [
        (("--taken", "msgbatch_7"), "batch 1: taken\n", ("submitted", "msgbatch_7")),
        (("--dropped",), "batch 1: dropped\n", ("failed", None)),
    ],
)
def test_a_person_s_word_decides(undecided, words, said, expected):
    ended = undecided.type("batches", 1, *words)
    assert (ended.code, ended.out) == (0, said)
    assert batch_state(undecided) == expected


def test_a_batch_that_its_provider_has_lost_can_be_given_up(undecided):
    undecided.type("batches", 1, "--taken", "msgbatch_7")
    assert undecided.type("batches", 1, "--dropped").code == 0
    assert batch_state(undecided)[0] == "failed"
    assert "no batch 1 to decide on" in undecided.type("batches", 1, "--taken", "msgbatch_7").complaint


def test_a_batch_that_is_not_there_is_not_decided_on(undecided):
    ended = undecided.type("batches", 2, "--dropped")
    assert (ended.code, ended.complaint) == (2, "enricher: enricher.db: there is no batch 2 to decide on")


@pytest.mark.parametrize("words", [(), ("--dropped", "--taken", "x")])
def test_a_batch_is_either_taken_or_dropped(undecided, words):
    ended = undecided.type("batches", 1, *words)
    assert (ended.code, batch_state(undecided)[0]) == (2, "started")
    assert "say either --taken ID or --dropped" in ended.complaint


def test_what_was_never_answered_may_have_cost_something(undecided):
    told = undecided.type("jobs", "1").out.splitlines()[-1]
    assert told.startswith("anthropic small: ")
    assert "1 without an answer: at most $0.0000" in told


# ── hints and refusals ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "rate"),
    [
        (("--rate", "9/s"), "9/s"),
        (("--rate", "500/min"), "500/60s"),
        (("--rate", "100/s,60/10s"), "100/s,60/10s"),
        (("--rate", "10/s", "--concurrency", "6"), "10/s"),
    ],
)
def test_a_rate_below_twice_the_concurrency_is_hinted_at(reader, words, rate):
    concurrency = 6 if "6" in words else 5
    hint = f"hint: the rate of {rate} is less than twice the concurrency of {concurrency} a second; "
    assert hint in reader("--limit", 0, *words, feeds=one(reader)).err


def test_the_usual_rate_is_hinted_at_where_it_is_too_low(reader, monkeypatch):
    monkeypatch.delenv("ENRICHER_RATE")
    words = ("--limit", 0)
    assert "hint" not in reader(*words, feeds=one(reader)).err
    assert "hint: the rate of 10/s is less" in reader(*words, "--concurrency", "10", feeds=one(reader)).err
    assert "hint" not in reader(*words, "--rate", "none", "--concurrency", "10", feeds=one(reader)).err


def test_flags_that_change_nothing_are_hinted_at(reader):
    said = reader("--limit", 0, "--model", "gpt", "--base-url", "http://localhost:1").err
    assert "hint: --model and --base-url change nothing for the provider local; --provider names another\n" in said
    assert "hint" not in reader("--dry-run", "--model", "gpt-5.4-nano", provider="openai").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing argument 'INPUT...'"),
        (("no.txt",), "no.txt: there is no such file"),
        (("ftp://a.example/",), "there is no such file; an address begins with https:// or http://"),
        (("http://",), "the address names no host"),
        (("https://me:secret@a.example/",), "https://…@a.example/: the address holds a user name"),
        (("X", "--rate", "fast"), "--rate is 'fast'; allowed: N/s"),
        (("X", "--concurrency", "11"), "--concurrency is '11'; allowed: a whole number from 1 to 10"),
        (("X", "--concurrency", "0"), "--concurrency is '0'"),
        (("X", "--burst", "0"), "--burst is '0'"),
        (("X", "--limiter", "odd"), "--limiter is 'odd'; allowed: sliding or fixed"),
        (("X", "--timeout", "0"), "--timeout is '0'"),
        (("X", "--mode", "quick"), "--mode is 'quick'; allowed: sequential, threaded or async"),
        (("X", "--async", "--mode", "threaded"), "--async and --mode threaded contradict each other"),
        (("X", "--since", "yesterday"), "--since is 'yesterday'"),
        (("X", "--limit", "-1"), "'--limit': -1"),
        (("X", "--provider", "gemini"), "--provider is 'gemini'; allowed: local, anthropic, openai, mistral"),
        (
            ("X", "--fallback", "gemini"),
            "--fallback is 'gemini'; allowed: PROVIDER, PROVIDER:MODEL or PROVIDER:MODEL@ADDRESS",
        ),
        (("X", "--provider", "openai", "--model", "unheard"), "--model unheard: its price is not known"),
        (("X", "--budget", "lots"), "--budget is 'lots'; allowed: an amount in dollars"),
        (("X", "--base-url", "foo"), "--base-url is 'foo'"),
        (
            ("X", "--allow-private", "http://x", "--allow-private", "y"),
            "--allow-private is 'http://x,y'; allowed: HOST",
        ),
        (("X", "--out", "t.xlsx"), "t.xlsx: the suffix is not known"),
        (("X", "--report", "r.pdf"), "--report r.pdf: the suffix is not known; allowed are .md and .html"),
        (("X", "--report", "nowhere/r.md"), "--report nowhere/r.md: there is no such folder"),
        (("X", "--report", "a.md", "--out", "a.md"), "--report a.md: this is the file of --out"),
        (("list.txt", "--out", "list.txt"), "the suffix is not known"),
        (("list.csv", "--out", "list.csv"), "--out list.csv: this is one of the lists"),
        (("X", "--config", "no.yaml"), "config no.yaml: No such file or directory"),
        (("X", "--config", "odd.yaml"), "cache: ttl: no such setting; there are enabled,"),
        (("X", "--db", "."), "this is a folder"),
        (("X", "--nothing"), "No such option '--nothing'"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_asked(reader, words, message):
    (reader.folder / "odd.yaml").write_text("cache:\n  ttl: 1h\n")
    for name in ("list.txt", "list.csv"):
        (reader.folder / name).write_text(f"url\n{reader.web.articles()[0]['url']}\n")
    ended = reader.type("articles", *(reader.web.clean_feeds[0] if word == "X" else word for word in words))
    assert ended.code == 2
    assert message in ended.complaint
    assert "secret" not in ended.complaint
    assert not arrivals(reader.web)


@pytest.mark.parametrize("provider", ["anthropic", "openai", "mistral"])
def test_a_missing_key_is_told_before_anything_is_asked(reader, monkeypatch, provider):
    monkeypatch.delenv(f"{provider.upper()}_API_KEY")
    ended = reader(provider=provider)
    assert (ended.code, ended.complaint) == (
        2,
        f"enricher: no API key: set {provider.upper()}_API_KEY to a key of yours; --provider local needs none",
    )
    assert not arrivals(reader.web)


def test_a_server_of_one_s_own_needs_no_key(reader, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    reader.web.control(llm_key="any")
    ended = reader("--limit", 1, "--model", "llama3", "-o", "t.csv", provider="openai")
    assert "no API key" not in ended.err
    assert asked(reader.web, "openai") > 0  # the simulated one wants a key all the same, as some servers do
    assert ended.code == 3


def test_a_refused_key_ends_it_with_a_code_of_its_own_and_everything_stays_pending(reader):
    reader.web.control(llm_key="another")
    ended = reader("-o", "t.csv", provider="mistral", feeds=one(reader))
    assert ended.code == 3
    assert "mistral refused the API key" in ended.err
    assert KEYS["mistral"] not in ended.err
    assert set(states(reader.folder)) == {"pending"}


# ── without the libraries ───────────────────────────────────────────────────────────────────────────────────────────

MODULES = tuple(f"enricher.pipelines.articles.{name}" for name in ("addresses", "pipeline", "reading"))


@pytest.mark.parametrize(
    "words",
    [
        ("articles", "https://a.example/rss"),
        ("articles", "https://a.example/rss", "--dry-run"),
        ("run",),
        ("feeds", "list"),
        ("feeds", "add", "https://a.example/rss"),
    ],
)
def test_without_the_extra_s_libraries_it_says_how_to_install_them(reader, monkeypatch, words):
    monkeypatch.setenv("RSS_FEED_URL", "https://a.example/rss")
    for module in MODULES:
        monkeypatch.setitem(sys.modules, module, None)  # what an import makes of it: ModuleNotFoundError
    ended = reader.type(*words)
    assert ended.code == 2
    assert ended.complaint.endswith("articles need libraries that are not installed: pip install 'enricher[articles]'")
