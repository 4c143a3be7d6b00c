"""Where articles come from, from outside: pages that lead on, lists of feeds, a feed's own text; and what is new."""

import contextlib
import csv
import os
import signal
from pathlib import Path

import pytest
from articles_world import DB, HURRY, MODES, Warm, query, states
from cli_world import Ended, Running, until
from servers import Server, reply

from enricher.cli import run
from enricher.model import ExportRow
from enricher.pipelines.articles.reported import Reported

PROSE = " ".join(
    f"The {word} is where people of the town meet in the evening." for word in ("market", "bridge", "park")
)
META = b"<html><head><meta http-equiv=refresh content='0;url=/good'></head><body>Wait.</body></html>"


def page(title):
    body = f"<p>{PROSE}</p>" * 4
    return f"<html lang=en><title>{title}</title><article><h1>{title}</h1>{body}</article></html>".encode()


def feed(*items):
    return f"<rss version='2.0'><channel><title>News</title>{''.join(items)}</channel></rss>".encode()


def linked(address):
    return f"<item><link>{address}</link></item>"


def note(number, words=PROSE):
    return f"<item><title>Note {number}</title><guid>{number}</guid><description>{words}</description></item>"


@pytest.fixture(scope="module")
def warm():
    processes = Warm()
    yield processes
    processes.end()


@pytest.fixture
def articles(own_folder, monkeypatch, capsys, warm):
    for name, value in HURRY.items():
        monkeypatch.setenv(f"ENRICHER_{name}", value)
    monkeypatch.setattr("enricher.engine.Processes", lambda: warm)

    def typed(*words):
        capsys.readouterr()
        code = run(["articles", *map(str, words)])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return typed


@pytest.fixture
def site():
    """A site whose answers are set by path. What is not set is not there; `asked` holds what came, path by path."""
    answers, asked = {}, []

    def answer(talk):
        asked.append((talk.asked.target, talk.asked.headers.get("cookie")))
        found = answers.get(talk.asked.target, reply(b"", status="404 Not Found"))
        talk.send(found(talk.asked) if callable(found) else found)

    with Server(answer) as server:
        server.answers, server.log = answers, asked
        server.allowed = ("--allow-private", f"127.0.0.1:{server.port}")
        yield server


def table(name="t.csv"):
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def html(body):
    return reply(body, Content_Type="text/html")


# ── pages that lead on ──────────────────────────────────────────────────────────────────────────────────────────────


def behind_a_cookie(asked):
    if asked.headers.get("cookie") == "seen=1":
        return html(page("Behind"))
    return reply(b"", status="302 Found", Location="/wall", Set_Cookie="seen=1; Path=/")


@pytest.mark.parametrize("mode", MODES)
def test_a_cookie_and_a_refresh_lead_to_the_article_in_every_mode(articles, site, mode):
    site.answers |= {
        "/feed": reply(
            feed(*(linked(f"{site.url}/{name}") for name in ("wall", "wait", "blank", "latin"))),
            Content_Type="text/xml",
        ),
        "/wall": behind_a_cookie,
        "/wait": html(META),
        "/good": html(page("Good")),
        "/blank": reply(b"", status="301 Moved", Location="/with blank \u00e9"),
        "/latin": reply(b"", status="301 Moved", Location="@").replace(b"@", b"/caf\xe9"),
        "/caf%E9": html(page("Latin")),
        "/with%20blank%20%C3%A9": html(page("Blank")),
    }
    words = (f"{site.url}/feed", *site.allowed, "--mode", mode, "-o")
    assert articles(*words, "t.csv").code == 0
    assert [row["canonical_url"].removeprefix(site.url) for row in table()] == [
        "/wall",
        "/good",
        "/with%20blank%20%C3%A9",
        "/caf%E9",
    ]
    assert {cookie for path, cookie in site.log if path != "/wall"} == {None}
    site.log.clear()
    Path(DB).rename("kept.db")
    assert articles(*words, "kept.csv", "--db", "kept.db", "--limit", 2).code == 0  # another job, all of it remembered
    assert site.log == []
    assert table("kept.csv") == table()[:2]


# ── lists of feeds ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_feeds_of_opml_at_an_address_are_read(articles, site):
    outlines = "".join(f"<outline xmlUrl='{site.url}/{name}'/>" for name in ("one", "busy", "two"))
    busy = reply(b"", status="429 Too Many Requests", Retry_After="3600")
    site.answers |= {
        "/all.opml": reply(f"<opml version='2.0'><body>{outlines}</body></opml>".encode(), Content_Type="text/x-opml"),
        "/one": reply(feed(note(1)), Content_Type="text/xml"),
        "/two": reply(feed(note(1), note(2)), Content_Type="text/xml"),
        "/busy": busy,
    }
    ended = articles(f"{site.url}/all.opml", *site.allowed, "--mode", "sequential", "-o", "t.csv")
    first, *others = table()
    assert (ended.code, first["title"], first["text_source"], first["url"]) == (1, "Note 1", "feed", "")
    busy_told = "its site answered HTTP 429, asking for a pause of 3,600 s"
    assert f"{site.url}/busy: {busy_told}" in ended.err
    assert others[0]["error"] == f"the feed can't be read: {busy_told}"


def test_the_plan_of_what_a_feed_holds_itself_needs_no_request(articles):
    Path("notes.xml").write_bytes(feed(note(1), note(2)))
    assert articles("notes.xml", "--dry-run", "--json").data["requests_needed"] == 0
    articles("notes.xml", "-o", "t.csv")
    Path("notes.xml").write_bytes(feed(note(1), note(2), note(3)))
    planned = articles("notes.xml", "--dry-run", "--json").data
    assert (planned["articles"], planned["already_known"], planned["requests_needed"]) == (3, 2, 0)


# ── what is new ─────────────────────────────────────────────────────────────────────────────────────────────────────


def told(name):
    """The articles of a report, and its first sentences."""
    text = Path(name).read_text(encoding="utf-8")
    return [number for number in "1234" if f"Note {number}" in text], text.split("\n\n")[1]


def test_a_report_of_what_is_new_leaves_out_what_an_earlier_one_told(articles):
    notes = Path("notes.xml")
    notes.write_bytes(feed(note(1), note(2), note(3, "Too short.")))
    articles(notes, "--report", "first.md")
    assert told("first.md") == (["1", "2", "3"], "2 of 3 articles were analysed.")
    notes.write_bytes(feed(note(4), note(1), note(2), note(3, PROSE)))
    ended = articles(notes, "--report", "new.md", "--only-new", "-o", "t.csv")
    assert "new.md: the report, without 2 that an earlier one tells of" in ended.err
    before = "2 articles that an earlier report tells of are left out."
    assert told("new.md") == (["3", "4"], f"All 2 articles were analysed. {before}")  # what failed then is new now
    assert [row["title"] for row in table()] == [f"Note {number}" for number in (4, 1, 2, 3)]  # the table is whole
    articles(notes, "--report", "none.html", "--only-new")
    assert "There is no new article. 4 articles that an earlier report" in Path("none.html").read_text(encoding="utf-8")
    articles(notes, "--report", "all.md")
    assert told("all.md") == (["1", "2", "3", "4"], "All 4 articles were analysed.")


def row(status, key="a", line=1):
    return ExportRow("notes.xml", line, {"title": "Note"}, status, key=key)


def test_what_waits_is_told_each_time_and_counts_as_told_never():
    for status in ("pending", "deferred"):
        reported = Reported([])
        list(reported.noting([row(status)]))
        assert (reported.changes, Reported([("a", status)]).is_new(row(status))) == ([], True)


def test_what_is_no_article_is_told_once_too():
    reported = Reported([])
    list(reported.noting([row("failed", None)]))
    again = Reported(reported.changes)
    assert not again.is_new(row("failed", None, line=2))  # the line may be another the next time
    list(again.noting([row("failed", None)]))
    assert again.changes == []


def test_a_report_that_could_not_be_written_told_nothing(articles):
    Path("notes.xml").write_bytes(feed(note(1)))
    Path("full.md").symlink_to("/dev/full")
    assert articles("notes.xml", "--report", "full.md").code == 2
    articles("notes.xml", "--report", "new.md", "--only-new")
    assert told("new.md")[0] == ["1"]


def test_a_report_whose_process_was_killed_told_nothing(own_folder, monkeypatch, articles):
    Path("notes.xml").write_bytes(feed(note(1)))
    os.mkfifo("pipe.md")  # to open it for writing waits for a reader, who never comes
    with Running(["-m", "enricher", "articles", "notes.xml", "--report", "pipe.md"]) as running:
        until(lambda: Path(DB).exists() and analysed(own_folder))
        running.send(signal.SIGKILL)
        running.end()
    articles("notes.xml", "--report", "new.md", "--only-new")
    assert told("new.md")[0] == ["1"]


def analysed(folder):
    with contextlib.suppress(Exception):  # its tables may not be there yet
        return states(folder) == {"enriched": 1} and query(folder / DB, "SELECT state FROM job") == [("done",)]
    return False


def test_only_new_is_of_a_report(articles):
    ended = articles("https://news.example/", "--only-new")
    assert (ended.code, "name it with --report FILE" in ended.err) == (2, True)
