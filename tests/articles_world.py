"""The articles pipeline from outside: a simulated web and its LLM APIs, a person's folder, the command line; and the books.

`reader("--provider", ...)` runs in this process, where the processes that extract are kept warm between runs, because
to start them takes longer than all the rest; `reader.start(...)` starts a real one, where signals and exits matter.
"""

import contextlib
import logging
import math
import sqlite3
from collections import Counter
from datetime import UTC, datetime

from cli_world import Ended, Running

from enricher.cli import run
from enricher.model import Usage
from enricher.pipelines.articles.prices import load_prices, price_of
from enricher.processes import Processes
from enricher.store.text import body_of

MODES = ("sequential", "threaded", "async")
PROVIDERS = ("anthropic", "openai", "mistral")
KEYS = {name: f"s3cr3t+{name}/key=of&{number}" for number, name in enumerate(PROVIDERS)}
SLOTS = 5
DB = "enricher.db"

HURRY = {"RATE": "none", "BACKOFF_S": "0.01", "BATCH_POLL": "0.05", "CONCURRENCY": str(SLOTS)}
SMALL = {
    "sites": 3,
    "articles": 4,
    "latency": "2ms",
    "llm_latency": "10-30ms",
    "crawl_delay": "10ms",
    "batch_latency": "0.1s",
}


class Warm(Processes):
    """Processes that outlive the engines that use them."""

    def close(self):
        """Not yet."""

    def end(self):
        super().close()


class Reader:
    """`enricher articles`, typed in the test's own folder, with simulated feeds in front of it."""

    def __init__(self, web, folder, capsys):
        self.web = web
        self.folder = folder
        self._capsys = capsys

    def words(self, *words, provider="local", feeds=None):
        """What is typed: the feeds, that they may be read though they are private, where the provider is."""
        feeds = self.web.clean_feeds if feeds is None else feeds
        hosts = sorted({feed.split("/")[2] for feed in feeds})
        version = "" if provider == "anthropic" else "/v1"  # as their clients have it
        at = [] if provider == "local" else ["--base-url", self.web.llm(provider) + version]
        allowed = [word for host in hosts for word in ("--allow-private", host)]
        return ["articles", *feeds, *allowed, "--provider", provider, *at, *map(str, words)]

    def __call__(self, *words, **options):
        return self.type(*self.words(*words, **options))

    def type(self, *words):
        """Any command."""
        self._capsys.readouterr()
        code = run([str(word) for word in words])
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)

    def start(self, *words, **options):
        return Running(["-m", "enricher", *self.words(*words, **options)])

    def read(self, name):
        return (self.folder / name).read_bytes()


@contextlib.contextmanager
def reading(web, folder, monkeypatch, capsys, warm):
    """A reader in a hurry, with keys for all; the simulated web behaves well, and has counted nothing yet."""
    for name, value in HURRY.items():
        monkeypatch.setenv(f"ENRICHER_{name}", value)
    for name, key in KEYS.items():
        monkeypatch.setenv(f"{name.upper()}_API_KEY", key)
    monkeypatch.setattr("enricher.engine.Processes", lambda: warm)
    calm(web)
    log = logging.getLogger("enricher")
    before = (log.level, log.propagate, log.handlers)
    yield Reader(web, folder, capsys)
    log.level, log.propagate, log.handlers = before


def calm(web):
    """Behave well, and forget."""
    faults = dict.fromkeys(("faults", "llm_faults", "anthropic_faults", "openai_faults", "mistral_faults", "outage"))
    plain = {name: value for name, value in SMALL.items() if name not in ("sites", "articles")}
    limits = dict.fromkeys(
        ("llm_requests", "llm_tokens", "llm_tokens_in", "llm_tokens_out", "llm_minute", "llm_key", "edition", "seed")
    )
    web.control(**faults, **plain, **limits, pause=False)
    web.reset()


def asked(web, provider, kind="analysis"):
    """How many requests of a kind (the route's) have arrived at a provider."""
    return web.stats()["providers"][provider]["by_kind"].get(f"{provider}-{kind}", 0)


def taken(web, provider):
    """How many batches a provider has ever taken. One is taken when its request is whole: later than it is `asked`."""
    return web.stats()["providers"][provider]["batches"]


# ── the books ───────────────────────────────────────────────────────────────────────────────────────────────────────


def query(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        return database.execute(sql).fetchall()


def states(folder, db=DB):
    return dict(query(folder / db, "SELECT state, count(*) FROM item GROUP BY state"))


def calls(folder, db=DB):
    """The ledger: how many calls there are of each state."""
    return Counter(state for (state,) in query(folder / db, "SELECT state FROM call"))


def cost_nano(paid):
    """What the provider charges for a call of its account."""
    price = price_of(load_prices(), paid["provider"], paid["model"], datetime.now(UTC).date())
    whole = price.of(Usage(paid["tokens_in"], paid["tokens_out"], paid["cached"]))
    return math.ceil(whole * paid["price_share"])


def charged_nano(web):
    """What the providers charge for all calls."""
    return sum(map(cost_nano, web.account()["calls"]))


def most_nano(folder, db=DB):
    """The most that the ledger says may have been spent."""
    sql = """SELECT coalesce(sum(CASE state WHEN 'settled' THEN cost_nano WHEN 'free' THEN 0 ELSE worst_nano END), 0)
             FROM call"""
    return query(folder / db, sql)[0][0]


def settled_nano(folder, db=DB):
    return query(folder / db, "SELECT coalesce(sum(cost_nano), 0) FROM call WHERE state = 'settled'")[0][0]


def assert_books_agree(web, folder, db=DB):
    """What is settled was charged, and nothing was charged that is neither settled nor known to be unknown."""
    found, charged = calls(folder, db), web.account()["calls"]
    assert found["started"] == 0
    assert found["settled"] <= len(charged) <= found["settled"] + found["unknown"]
    assert settled_nano(folder, db) <= charged_nano(web) <= most_nano(folder, db)


def paid_again(web):
    """How many calls were charged beyond the first for each article."""
    charged = web.account()["calls"]
    return len(charged) - len({paid["article"] for paid in charged})


# ── what must not be seen ───────────────────────────────────────────────────────────────────────────────────────────


def sentences(web):
    """Lines of all articles, each too long to be a title."""
    texts = [web.truth(article["url"]) for article in web.articles()]
    return {line[:60] for text in texts for line in text.splitlines() if len(line) > 80}


def contents(folder):
    """All that lies in a folder, by name; answers in a database in plain as well, since they are packed there."""
    found = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in found if name.endswith(".db")]:
        for number, (key, body, encoding) in enumerate(query(folder / name, "SELECT key, body, encoding FROM answer")):
            found[f"{name} {number} {key}"] = key.encode() + b"\n" + body_of(body, encoding)
    return found
