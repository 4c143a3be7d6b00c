"""Pages, feeds and servers that mean harm: each fails alone, soon and in one clear line, and everything else is read.

One run holds all of them beside a feed of good articles, in every mode. Each server is a site of its own, because trouble
with a site is that site's; a person has named all of them but one, which keeps a secret.
"""

import contextlib
import csv
import gzip
import os
import socket
import sys
import time
from pathlib import Path

import pytest
from articles_world import HURRY, MODES, Warm
from cli_world import Ended, Running
from servers import Server, always, reply

from enricher.cli import run
from enricher.model import Reach
from enricher.pipelines.articles import extraction
from enricher.pipelines.articles.pages.reasons import NO_SUCH_PAGE, NOT_ALLOWED, UNANSWERED
from enricher.pipelines.articles.reading import NO_OWN_TEXT
from enricher.transports import guard
from enricher.transports.pooled import PooledTransport

GOOD = 4
SHORT_S = 0.7
MOST_MORE_MB = 50.0
PROSE = " ".join(
    f"The {word} is where people of the town meet in the evening." for word in ("market", "bridge", "park")
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
NO_ADDRESS = "it redirects to what is no web address"
TOO_LARGE = "too large"
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + '<!ENTITY x SYSTEM "file:///etc/hostname">]><rss version="2.0"><channel><title>&a9;</title>'
    "<item><title>&x;&a9;</title><link>javascript:alert(1)</link></item></channel></rss>"
)


def page(title):
    body = f"<p>{PROSE}</p>" * 4
    return f"<html lang=en><title>{title}</title><article><h1>{title}</h1>{body}</article></html>".encode()


def feed(*addresses):
    items = "".join(f"<item><link>{address}</link></item>" for address in addresses)
    return f"<rss version='2.0'><channel><title>Good</title>{items}</channel></rss>".encode()


def moved(*targets):
    """A site that redirects: /0 to the first of these, and so on; everything else is a page."""
    heads = [f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {target}\r\n\r\n".encode() for target in targets]

    def answer(talk):
        place = talk.asked.target[1:]
        talk.send(heads[int(place)] if place.isdecimal() else reply(page(place), Content_Type="text/html"))

    return answer


def pouring(head, more, every_s=0.0):
    """Never ends."""

    def answer(talk):
        talk.send(head)
        while not talk.server.ending.wait(every_s):
            talk.send(more)

    return answer


def cut(talk):
    talk.send(HEAD + b"Content-Length: 999\r\n\r\n<p>")
    talk.close()


def without_robots(answer):
    def answer_or_not(talk):
        if talk.asked.target == "/robots.txt":
            talk.send(reply(b"", status="404 Not Found"))
        else:
            answer(talk)

    return answer_or_not


def good(talk):
    there = f"http://{talk.asked.headers['host']}"
    is_feed = talk.asked.target == "/feed"
    body = feed(*(f"{there}/good-{number}" for number in range(GOOD))) if is_feed else page(talk.asked.target[1:])
    talk.send(reply(body, Content_Type="application/rss+xml" if is_feed else "text/html", Set_Cookie="sid=1; Path=/"))


BOMB = reply(gzip.compress(bytes(64 * 1024 * 1024)), Content_Type="text/html", Content_Encoding="gzip")

SITES = {
    "bomb": (always(BOMB), TOO_LARGE),
    "endless": (pouring(HEAD + b"\r\n", b"<p>abcd " * 8_192), TOO_LARGE),
    "too long by its own word": (always(HEAD + b"Content-Length: 99999999\r\n\r\n"), TOO_LARGE),
    "dripped body": (pouring(HEAD + b"\r\n", b"<", 0.05), UNANSWERED),
    "dripped headers": (pouring(HEAD, b"X: y\r\n", 0.05), UNANSWERED),
    "cut body": (cut, "the answer can't be read: it is cut off, three times"),
    "come back tomorrow": (
        always(reply(b"", status="429 Too Many Requests", Retry_After="86400")),
        "its site answered HTTP 429, asking for a pause of 86,400 s",
    ),
    "loop": (always(reply(b"", status="301 Moved", Location="/again")), "more than 5 redirects"),
    "novel": (always(reply(b"word\n" * 500_000, Content_Type="text/plain")), extraction.TOO_LONG),
    "deep": (always(reply(b"<div>" * 200_000, Content_Type="text/html")), extraction.TOO_MUCH),
    "charset": (always(reply(page("Charset"), Content_Type="text/html; charset=klingon")), ""),
}
"""What a site does for its page, and what its row says; "" where there is nothing wrong with it."""

FORMS = {
    "http://127.0.0.1:{port}/": NOT_ALLOWED,
    "//localhost:{port}/": NOT_ALLOWED,
    "http://[::1]:{port}/": NOT_ALLOWED,
    "http://[::ffff:127.0.0.1]:{port}/": NOT_ALLOWED,
    "http://2130706433:{port}/": NOT_ALLOWED,
    "http://0x7f.1:{port}/": NOT_ALLOWED,
    "http://169.254.169.254/latest/meta-data/": NOT_ALLOWED,
    "http://[64:ff9b::7f00:1]/": NOT_ALLOWED,
    "http://inner.test/": NOT_ALLOWED,
    "http://me:secret@127.0.0.1:{port}/": NO_ADDRESS,
    "file:///etc/passwd": NO_ADDRESS,
    "javascript:alert(1)": NO_ADDRESS,
    "data:text/html,secret": NO_ADDRESS,
    "/a%0d%0aX-Injected:%20yes": "",
    "/café": "",
}
"""Where a page redirects to, and what its row says. `port` is that of the site that nobody named."""


@pytest.fixture(scope="module")
def warm():
    processes = Warm()
    yield processes
    processes.end()


@pytest.fixture
def opened():
    """Opens servers, which end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda answer, robots=False: stack.enter_context(Server(answer if robots else without_robots(answer)))


@pytest.fixture
def articles(own_folder, monkeypatch, capsys, warm):
    """`enricher articles` in this process, in a hurry."""
    for name, value in {**HURRY, "TIMEOUT": str(SHORT_S)}.items():
        monkeypatch.setenv(f"ENRICHER_{name}", value)
    monkeypatch.setattr("enricher.engine.Processes", lambda: warm)

    def typed(*words):
        capsys.readouterr()
        code = run(["articles", *map(str, words)])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return typed


def allowing(*servers):
    return [word for server in servers for word in ("--allow-private", f"127.0.0.1:{server.port}")]


def table(name="t.csv"):
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def listed(name, addresses):
    Path(name).write_text("\n".join(["url", *addresses]))
    return name


def resolving(monkeypatch, names):
    """From now on these names stand for one of these addresses after the other, the last of them for ever."""
    ask, left = socket.getaddrinfo, {name: list(addresses) for name, addresses in names.items()}

    def resolve(host, port, *args, **kwargs):
        if host not in left:
            return ask(host, port, *args, **kwargs)
        address = left[host].pop(0) if len(left[host]) > 1 else left[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)  # an event loop's own asks it
    monkeypatch.setitem(PooledTransport.__init__.__kwdefaults__, "resolve", resolve)


# ── all of it at once ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
def test_what_means_harm_fails_alone_and_everything_else_is_read(articles, opened, monkeypatch, mode):
    resolving(monkeypatch, {"inner.test": ["127.0.0.1"]})
    kind, secret = opened(good), opened(always(reply(page("SECRET"))))
    away = opened(moved(*(form.format(port=secret.port) for form in FORMS)))
    robots = opened(always(BOMB), robots=True)
    sites = {name: opened(answer) for name, (answer, _) in SITES.items()}
    marks = opened(always(reply(feed() + b"<a>" * 300_001, Content_Type="application/rss+xml")))
    addresses = [f"{server.url}/page" for server in (*sites.values(), robots)]
    pages = listed("pages.csv", [*addresses, *(f"{away.url}/{number}" for number in range(len(FORMS)))])
    Path("laughs.xml").write_text(LAUGHS)
    allowed = allowing(kind, away, robots, marks, *sites.values())
    ended = articles(
        f"{kind.url}/feed", "laughs.xml", f"{marks.url}/feed", pages, "--mode", mode, *allowed, "-o", "t.csv"
    )
    rows = table()
    assert [row["status"] for row in rows[:GOOD]] == ["enriched"] * GOOD
    assert [row["error"] for row in rows[GOOD:]] == [
        f"it has no address, and {NO_OWN_TEXT}",
        "the feed holds more than 300,000 marks of its format",
        *(error for _, error in SITES.values()),
        "its robots.txt could not be read: too large",
        *FORMS.values(),
    ]
    assert [row["status"] == "failed" for row in rows] == [bool(row["error"]) for row in rows]
    assert (ended.code, secret.connections, "Traceback" in ended.err) == (1, 0, False)
    assert {"/caf%C3%A9", "/a%0D%0AX-Injected:%20yes"} <= {each.target for each in away.asked}
    assert not any("cookie" in each.headers for each in kind.asked)


@pytest.mark.parametrize("mode", MODES)
def test_a_name_that_turns_private_between_two_requests_leads_nowhere_private(articles, opened, monkeypatch, mode):
    """It is public while robots.txt is asked for, and private when the page is. Async goes where it was led before, as long
    as it remembers; the other modes look it up for each connection.
    """

    def once(talk):
        talk.send(reply(b"", status="404 Not Found", Connection="close"))
        talk.close()

    public = opened(once, robots=True)
    monkeypatch.setattr(guard, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(
        "enricher.pipelines.articles.web.Reach", lambda allowed: Reach(allowed, ports=(80, 443, public.port))
    )
    resolving(monkeypatch, {"turning.test": ["127.0.0.1", "127.0.0.2"]})
    pages = listed("pages.csv", [f"http://turning.test:{public.port}/page"])
    with socket.create_server(("127.0.0.2", public.port)) as private:
        private.setblocking(False)
        articles(pages, "--mode", mode, "-o", "t.csv")
        with pytest.raises(BlockingIOError):  # nobody has come
            private.accept()
    assert [row["error"] for row in table()] == [NO_SUCH_PAGE if mode == "async" else NOT_ALLOWED]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_no_harm_takes_much_memory(own_folder, opened):
    """The peak of the whole program, beside that of a run over good articles alone."""
    kind = opened(good)
    small = b"1\r\nx\r\n" * 1_000
    harm = [
        *(opened(always(BOMB)) for _ in range(2)),
        opened(pouring(HEAD + b"\r\n", b"<p>abcd " * 8_192)),
        opened(pouring(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", small)),
    ]
    words = [f"{kind.url}/feed", *allowing(kind, *harm), "--timeout", "0.7", "--rate", "none", "-o", "t.csv"]
    usual_mb = peak_mb(*words, "--db", "usual.db")
    worst_mb = peak_mb(*words, "--db", "worst.db", *(f"{server.url}/page" for server in harm))
    assert [row["status"] for row in table()] == ["enriched"] * GOOD + ["failed"] * len(harm)
    assert worst_mb - usual_mb <= MOST_MORE_MB


def peak_mb(*words):
    """The most that the command line holds in memory, MB."""
    peak_kb = 0
    with Running(["-m", "enricher", "articles", *words]) as running:
        while running.process.poll() is None:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{running.process.pid}/status").read_text()
                peak_kb = max([peak_kb, *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)])
            time.sleep(0.01)
    return peak_kb / 1024


# ── the processes that read pages ───────────────────────────────────────────────────────────────────────────────────


def deadly(body, url, content_type=""):
    """In place of `extract`: a page may end the process that reads it."""
    if b"deadly" in body:
        os._exit(9)
    return extraction.extract(body, url, content_type)


@pytest.mark.parametrize("mode", ["threaded", "async"])
def test_a_page_that_ends_the_process_that_reads_it_fails_alone(articles, opened, monkeypatch, mode):
    monkeypatch.setattr("enricher.pipelines.articles.recipe.extract", deadly)
    kind = opened(good)
    pages = listed("pages.csv", [f"{kind.url}/{name}" for name in ("one", "deadly", "two", "deadly-too", "three")])
    articles(pages, "--mode", mode, *allowing(kind), "-o", "t.csv")
    failed = "its text could not be extracted"
    assert [row["error"] for row in table()] == ["", failed, "", failed, ""]


# ── lists without end ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_of_thousands_on_a_dead_host_ends_soon_and_the_others_are_read(articles, opened, monkeypatch):
    """And not at the rate of requests, because nobody is asked any more."""
    monkeypatch.setenv("ENRICHER_RATE", "10/s")
    kind = opened(good)
    dead = socket.create_server(("127.0.0.1", 0))
    port = dead.getsockname()[1]
    dead.close()
    pages = listed("pages.csv", [f"http://127.0.0.1:{port}/{number}" for number in range(3_000)])
    began = time.monotonic()
    articles(pages, f"{kind.url}/feed", *allowing(kind), "--allow-private", f"127.0.0.1:{port}", "-o", "t.csv")
    rows = table()
    assert [row["error"] for row in rows] == [UNANSWERED] * 3_000 + [""] * GOOD
    assert time.monotonic() - began < 3_000 / 10 / 2


def test_of_many_feeds_that_bring_nothing_the_first_are_named_and_the_rest_are_counted(articles):
    outlines = "".join(f'<outline xmlUrl="http://127.0.0.1/{number}"/>' for number in range(60))
    Path("many.opml").write_text(f"<opml version='2.0'><body>{outlines}</body></opml>")
    ended = articles("many.opml", "--no-progress", "-o", "t.csv")
    assert len(table()) == 60
    assert ended.err.count(NOT_ALLOWED) == 50
    assert "… and 10 more that brought nothing" in ended.err


# ── what a person may type ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("X", "--budget", "nan"), "--budget is 'nan'; allowed: an amount in dollars"),
        (("X", "--budget", "inf"), "--budget is 'inf'"),
        (("X", "--since", "0"), "--since is '0'"),
        (("X", "--since", "999999999d"), "--since is '999999999d'"),
        (("X", "--db", "missing/e.db"), "the folder missing does not exist"),
        (("https://" + "a" * 9_000 + ".test/",), "the address is longer than 8,000 characters"),
        ((os.fsdecode(b"caf\xff.csv"),), "caf?.csv: there is no such file"),
        ((os.fsdecode(b"https://a.test/\xff"),), "https://a.test/?: the address holds blanks or control characters"),
        (("X", "--provider", "openai", "--config", "odd.yaml"), "prices.yaml, line 2: this is no YAML"),
    ],
)
def test_what_cannot_be_is_one_line(articles, monkeypatch, words, message):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    Path("odd.yaml").write_text("prices: prices.yaml\n")
    Path("prices.yaml").write_text("models: [\n")
    ended = articles(*("https://a.test/feed" if word == "X" else word for word in words))
    assert ended.code == 2
    assert message in ended.complaint


def test_a_name_in_no_encoding_can_be_a_list_and_a_table(own_folder):
    """In a process of its own, as the file system spells it."""
    with open(b"caf\xff.csv", "w") as file:  # noqa: PTH123  # a name in bytes
        file.write("url\njavascript:alert(1)\n")
    words = [os.fsencode(sys.executable), b"-m", b"enricher", b"articles", b"caf\xff.csv", b"-o", b"t\xfe.csv"]
    with Running(words[1:]) as running:
        ended = running.end()
    assert (ended.code, "Traceback" in ended.err) == (1, False)
    assert os.path.exists(b"t\xfe.csv")  # noqa: PTH110  # a name in bytes
