"""What articles cost, with real processes that are killed for real: paid once, within the budget, and the books agree."""

import json
import math
import shutil
from urllib.request import Request, urlopen

import pytest
from articles_world import (
    DB,
    KEYS,
    MODES,
    SLOTS,
    SMALL,
    Warm,
    asked,
    assert_books_agree,
    calls,
    calm,
    charged_nano,
    most_nano,
    paid_again,
    query,
    reading,
    settled_nano,
    states,
    taken,
)
from cli_world import INTERRUPT, KILL, until

from enricher.purse import NANO
from enricher.simulator.process import running_articles

COUNT = 30
FAULTS = "5xx=5%,reset=5%,truncated=5%,html=5%,429=2%:0s,garbage=5%,529=5%,error=5%,invalid=5%"
GO_ON = "the same command goes on where it stopped"


@pytest.fixture(scope="module")
def web():
    with running_articles(**{**SMALL, "articles": 6}) as running:
        yield running


@pytest.fixture(scope="module")
def warm():
    processes = Warm()
    yield processes
    processes.end()


@pytest.fixture
def reader(web, own_folder, monkeypatch, capsys, warm):
    monkeypatch.setenv("ENRICHER_API_TIMEOUT", "1")  # twice that, and a batch that is not there was never taken
    with reading(web, own_folder, monkeypatch, capsys, warm) as reader:
        yield reader


def kill(reader, happened, *words, **options):
    """A real run, killed as soon as something has happened."""
    with reader.start(*words, **options) as running:
        until(happened)
        running.send(KILL)
        assert running.end().code == -KILL


def charged(web):
    return len(web.account()["calls"])


# ── killed ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("mode", "moments"), [("threaded", (4, 16)), ("async", (9,))])
def test_kill_9_again_and_again_pays_for_no_article_twice_beyond_those_in_flight(reader, mode, moments):
    web = reader.web
    web.control(llm_latency="100ms")
    for moment in moments:
        kill(reader, lambda least=moment: charged(web) >= least, "--mode", mode, provider="anthropic")
    ended = reader("--mode", mode, "--out", "t.csv", provider="anthropic")
    assert ended.code == 0
    assert states(reader.folder) == {"enriched": COUNT}
    found = calls(reader.folder)
    assert found["settled"] == COUNT
    assert found["unknown"] <= len(moments) * SLOTS
    assert paid_again(web) <= found["unknown"]
    assert_books_agree(web, reader.folder)


def test_a_batch_that_is_killed_at_every_stage_is_paid_for_once(reader, monkeypatch):
    monkeypatch.setenv("ENRICHER_API_TIMEOUT", "1")  # what is not there after twice that was never taken
    web = reader.web
    words = ("--batch",)
    web.control(anthropic_faults="429=100%:30s")  # it arrives, and is not taken
    kill(reader, lambda: asked(web, "anthropic", "batch"), *words, provider="anthropic")
    web.control(anthropic_faults=None, llm_latency="5s", batch_latency="3s")  # it is taken, and this is not told
    before = taken(web, "anthropic")
    kill(reader, lambda: taken(web, "anthropic") > before, *words, provider="anthropic")
    assert query(reader.folder / DB, "SELECT state, provider_id FROM batch") == [("failed", None), ("started", None)]
    kill(reader, lambda: asked(web, "anthropic", "poll"), *words, provider="anthropic")  # it is waited for
    before = asked(web, "anthropic", "results")
    kill(reader, lambda: asked(web, "anthropic", "results") > before, *words, provider="anthropic")  # it is collected
    assert calls(reader.folder) == {"free": COUNT, "started": COUNT}
    web.control(llm_latency="10ms")
    assert reader(*words, provider="anthropic").code == 0
    assert asked(web, "anthropic", "batch") == 2
    assert_paid_once(reader)


@pytest.mark.parametrize("mode", ["threaded", "async"])
def test_what_waits_is_handed_in_a_part_at_a_time_and_all_of_it_before_any_is_waited_for(reader, mode, monkeypatch):
    monkeypatch.setattr("enricher.batching.MOST_WAITING_BYTES", 40_000)
    reader.web.control(batch_latency="1s")
    ended = reader("--batch", "-v", "--mode", mode, provider="anthropic")
    assert ended.code == 0
    parts = asked(reader.web, "anthropic", "batch")
    assert parts >= 3
    told = [line for line in ended.err.splitlines() if "handed in" in line or "came back" in line]
    assert ["handed in" in line for line in told] == [True] * parts + [False] * parts
    assert_paid_once(reader)


@pytest.mark.parametrize("provider", ["openai", "mistral"])
def test_a_batch_that_was_taken_and_not_confirmed_is_found_again(reader, provider):
    web = reader.web
    before = taken(web, provider)
    web.control(llm_latency="5s")
    kill(reader, lambda: taken(web, provider) > before, "--batch", provider=provider)
    assert query(reader.folder / DB, "SELECT state, provider_id FROM batch") == [("started", None)]
    web.control(llm_latency="10ms")
    assert reader("--batch", provider=provider).code == 0
    assert asked(web, provider, "batch") == 1
    assert_paid_once(reader)


def assert_paid_once(reader, db=DB):
    """All is analysed, each article was paid for once, and the ledger says exactly what the provider says."""
    assert states(reader.folder, db) == {"enriched": COUNT}
    assert paid_again(reader.web) == 0
    assert calls(reader.folder, db)["unknown"] == 0
    assert_books_agree(reader.web, reader.folder, db)
    assert settled_nano(reader.folder, db) == charged_nano(reader.web)


def test_ctrl_c_while_a_batch_is_waited_for_says_how_to_go_on_and_the_batch_is_kept(reader):
    reader.web.control(batch_latency="3s")
    with reader.start("--batch", provider="anthropic") as running:
        running.line("waiting for anthropic to finish")
        running.send(INTERRUPT)
        ended = running.end()
    assert ended.code == 130
    assert f"stopped with 0 of {COUNT} articles done; {GO_ON}" in ended.err
    assert "Traceback" not in ended.err
    assert states(reader.folder) == {"deferred": COUNT}
    assert reader("--batch", provider="anthropic").code == 0
    assert asked(reader.web, "anthropic", "batch") == 1
    assert_paid_once(reader)


# ── a person decides ────────────────────────────────────────────────────────────────────────────────────────────────


def post(web, path, data):
    """What somebody else asks of the provider with the same key."""
    headers = {"x-api-key": KEYS["anthropic"], "anthropic-version": "2023-06-01", "content-type": "application/json"}
    address = f"{web.llm('anthropic')}/v1/messages/batches{path}"
    with urlopen(Request(address, json.dumps(data).encode(), headers)) as answer:  # our own server
        return json.loads(answer.read())


def hand_in(web, custom_ids):
    """A batch that we know nothing of. Its id."""
    requests = [
        {
            "custom_id": name,
            "params": {"model": "claude-haiku-5-5", "max_tokens": 99, "messages": [{"role": "user", "content": name}]},
        }
        for name in custom_ids
    ]
    return post(web, "", {"requests": requests})["id"]


@pytest.fixture
def undecided(reader):
    """A batch whose submit was cut off, at a provider with two others under way that look like it: nobody can tell.

    Those two are cancelled in the end, because they live as long as the simulator.
    """
    web = reader.web
    web.control(batch_latency="60s")
    others = [hand_in(web, [f"{n}-{number}" for number in range(COUNT)]) for n in "ab"]
    web.control(anthropic_faults="429=100%:30s")
    kill(reader, lambda: asked(web, "anthropic", "batch") > len(others), "--batch", provider="anthropic")
    calm(web)
    yield
    for batch in others:
        post(web, f"/{batch}/cancel", {})


@pytest.mark.usefixtures("undecided")
def test_a_batch_that_nobody_can_tell_waits_for_a_persons_word_and_goes_by_it(reader):
    for _ in range(2):  # nothing is handed in before a person has spoken, however often it is asked for
        ended = reader("--batch", "--no-progress", "--out", "t.csv", provider="anthropic")
        assert ended.code == 1
        assert "batch 1 may have been taken by anthropic" in ended.err
        assert "`enricher batches 1 --taken ID` or `--dropped`" in ended.err
    assert query(reader.folder / DB, "SELECT state FROM batch") == [("undecided",)]
    assert calls(reader.folder) == {"started": COUNT}  # what it may cost stays booked
    assert asked(reader.web, "anthropic", "batch") == 0
    shutil.copy(reader.folder / DB, reader.folder / "taken.db")

    assert reader.type("batches", "1", "--dropped").code == 0
    assert reader("--batch", provider="anthropic").code == 0
    assert asked(reader.web, "anthropic", "batch") == 1
    assert_paid_once(reader)
    again = reader.type("batches", "1", "--dropped")
    assert again.code == 2
    assert "there is no batch 1 to decide on" in again.complaint

    reader.web.reset()
    taken_as = hand_in(reader.web, [name for (name,) in query("taken.db", "SELECT custom_id FROM batch_item")])
    assert reader.type("batches", "1", "--taken", taken_as, "--db", "taken.db").code == 0
    assert reader("--batch", "--db", "taken.db", provider="anthropic").code == 0
    assert asked(reader.web, "anthropic", "batch") == 1  # nothing was handed in but what the person spoke of
    assert_paid_once(reader, "taken.db")


# ── budget, quota, savings ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def whole(reader):
    """What all articles cost when nobody counts, nano-dollars."""
    assert reader("--db", "priced.db", provider="anthropic").code == 0
    cost = charged_nano(reader.web)
    reader.web.reset()
    return cost


def budget_of(nano):
    return ("--budget", f"{nano / NANO:.9f}")


@pytest.mark.parametrize("mode", MODES)
def test_a_budget_is_never_passed_whatever_goes_wrong_and_however_often_it_goes_on(reader, mode, whole):
    reader.web.control(llm_faults=FAULTS, seed=7)
    for share in (0.7, 0.7, 1.4):
        budget = math.ceil(whole * share)
        ended = reader(*budget_of(budget), "--mode", mode, "--db", "b.db", "--out", "t.csv", provider="anthropic")
        assert ended.code == 1
        assert "budget" in ended.err
        assert GO_ON in ended.err
        assert 0.3 * budget < charged_nano(reader.web)  # it is used, too: what was lost is booked at its worst
        assert charged_nano(reader.web) <= most_nano(reader.folder, "b.db") <= budget
        assert_books_agree(reader.web, reader.folder, "b.db")
    assert calls(reader.folder, "b.db")["unknown"]


def test_a_batch_that_could_pass_the_budget_is_not_handed_in(reader, whole):
    words = ("--batch", "--db", "b.db", "--out", "t.csv")
    ended = reader(*budget_of(whole / 4), *words, provider="anthropic")
    assert ended.code == 1
    assert GO_ON in ended.err
    assert asked(reader.web, "anthropic", "batch") == 0
    budget = 2 * whole
    assert reader(*budget_of(budget), *words, provider="anthropic").code == 0
    assert charged_nano(reader.web) == settled_nano(reader.folder, "b.db") == most_nano(reader.folder, "b.db") < budget
    assert abs(charged_nano(reader.web) - whole / 2) < COUNT


@pytest.mark.parametrize(
    ("limits", "mode"),
    [
        ({"llm_requests": 10}, "threaded"),
        ({"llm_tokens": 25_000}, "async"),
        ({"llm_tokens_in": 15_000, "llm_tokens_out": 500_000}, "threaded"),
        ({"llm_tokens_in": 500_000, "llm_tokens_out": 3_000}, "async"),
    ],
)
def test_a_quota_that_the_provider_tells_rejects_nothing(reader, limits, mode, monkeypatch):
    monkeypatch.setenv("ENRICHER_API_MINUTE", "1")
    reader.web.control(llm_minute="1s", **limits)
    reader.web.reset()
    assert reader("--mode", mode, provider="anthropic").code == 0
    assert reader.web.stats()["providers"]["anthropic"]["rejected"] == 0
    assert asked(reader.web, "anthropic") == COUNT


def test_a_second_run_over_changed_feeds_makes_a_third_of_the_calls_and_in_a_batch_costs_a_fifth(reader):
    """In the new edition a third of the articles is new. What all of it would cost is asked for in another database."""
    web = reader.web
    assert reader(provider="anthropic").code == 0
    web.control(edition="2")
    web.reset()
    age_feeds(reader, 2 * 3600)
    assert reader("--batch", provider="anthropic").code == 0
    few, cheap = charged(web), charged_nano(web)
    web.reset()
    assert reader("--db", "anew.db", provider="anthropic").code == 0
    assert charged(web) == COUNT
    assert few <= 0.35 * COUNT
    assert cheap <= 0.20 * charged_nano(web)
    (told,) = reader.type("jobs", "2", "--json").data
    saving = told["saving"]
    assert (saving["calls"], saving["articles"], saving["cost"]) == (few, COUNT, cheap)
    assert saving["anew"] > charged_nano(web)  # pages are longer than their texts


def age_feeds(reader, seconds):
    """As if so much time had gone by since the feeds were read."""
    query(reader.folder / DB, f"UPDATE answer SET stored_at = stored_at - {seconds} WHERE kind = 'feed'")
