"""One quota for the whole process: by address and key, whatever the engines, clients and services are called."""

import gc
import json
import threading
from dataclasses import replace

import pytest
from servers import Server, reply

from enricher import Engine, Item, Request, Service, TMDBClient, enrich
from enricher.core.gate import GO, Again, Gate, Health, Ticket
from enricher.engine import MODES
from enricher.gates import PROCESS, Accounts, EngineGate, ProcessGates
from enricher.model import Hints, Window
from enricher.pipelines.movies.service import tmdb

API = Service("api", "http://api.test/3", windows=(Window(2, 10.0),))
HOST = "api.test"


@pytest.fixture
def gates():
    return ProcessGates()


def engine_of(gates, **keys):
    return EngineGate(Accounts(keys), gates)


def ask(gate, now, service=API, host=HOST):
    """Whether a request may leave now; a ticket that must wait is given back."""
    ticket = Ticket(service, host)
    verdict = gate.ask(ticket, now)
    if isinstance(verdict, Again):
        gate.leave(ticket)
    return verdict is GO


# ── who counts together ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (API, "k"),
        (replace(API), "k"),
        (replace(API, name="mine"), "k"),
        (replace(API, base_url="HTTP://API.test:80/3/"), "k"),
    ],
    ids=["the same service", "an equal one", "another name", "another spelling"],
)
def test_what_one_engine_has_sent_counts_for_another(gates, other, key):
    assert ask(engine_of(gates, api="k"), 0.0)
    second = engine_of(gates, api=key, mine=key)
    assert [ask(second, 1.0, other), ask(second, 2.0, other), ask(second, 10.1, other)] == [True, False, True]


@pytest.mark.parametrize(
    ("other", "key"),
    [(API, "another"), (replace(API, base_url="http://api.test:8080/3"), "k"), (API, None)],
    ids=["another key", "another port", "no key"],
)
def test_who_is_counted_apart_by_the_api_is_not_held_back(gates, other, key):
    first = engine_of(gates, api="k")
    assert [ask(first, 0.0), ask(first, 0.0), ask(first, 0.0)] == [True, True, False]
    second = engine_of(gates, **({} if key is None else {"api": key}))
    assert [ask(second, 0.0, other), ask(second, 0.0, other), ask(second, 0.0, other)] == [True, True, False]


def test_an_engine_that_is_gone_is_not_forgotten(gates):
    engine = engine_of(gates)
    assert [ask(engine, 0.0), ask(engine, 0.0)] == [True, True]
    del engine
    gc.collect()
    assert not ask(engine_of(gates), 5.0)


def test_a_pause_is_said_to_the_key_and_so_to_all(gates):
    told = Ticket(API, HOST)
    first = engine_of(gates)
    first.ask(told, 0.0)
    first.report(told, 0.1, Health.ALIVE, 30.0, "HTTP 429")
    second = engine_of(gates)
    assert not ask(second, 20.0)
    assert [(hold.service, hold.reason) for hold in second.holds(20.0)] == [("api", "HTTP 429")]
    assert ask(second, 30.2)


def test_the_registry_knows_no_key(gates):
    engine = engine_of(gates, api="a-secret-key")
    ask(engine, 0.0)
    (account,) = gates._gates
    known = repr((account, vars(engine), vars(engine._accounts), vars(gates._gates[account])))
    assert "a-secret-key" not in known


# ── other windows ───────────────────────────────────────────────────────────────────────────────────────────────────

NARROW, WIDE = (replace(API, windows=(Window(limit, 10.0),)) for limit in (1, 5))


def test_the_windows_of_all_hold_while_their_runs_are_under_way(gates):
    narrow, wide = engine_of(gates), engine_of(gates)
    assert ask(wide, 0.0, WIDE)
    assert not ask(narrow, 0.0, NARROW)
    assert not ask(wide, 1.0, WIDE)
    narrow.rest()
    wide.rest()
    wide.revive()
    assert [ask(wide, 2.0, WIDE) for _ in range(5)] == [True, True, True, True, False]


@pytest.mark.parametrize("period_s", [10.0, 3_600.0])
def test_a_longer_window_still_knows_what_was_sent_when_a_shorter_one_was_in_force_in_between(gates, period_s):
    long, short = replace(API, windows=(Window(2, period_s),)), replace(API, windows=(Window(5, 1.0),))
    first, second = engine_of(gates), engine_of(gates)
    assert [ask(first, 0.0, long), ask(first, 0.0, long)] == [True, True]
    first.rest()
    assert ask(second, 2.0, short)
    second.rest()
    first.revive()
    assert [ask(first, period_s / 2, long), ask(first, period_s + 2.2, long)] == [False, True]


def test_what_an_answer_told_of_the_windows_is_kept_from_one_engine_to_the_next(gates):
    first = engine_of(gates)
    service = replace(API, windows=(), hints=lambda _response: None)
    told = Ticket(service, HOST)
    first.ask(told, 0.0)
    first.report(told, 0.1, Health.ALIVE, hints=Hints(requests=Window(1, 60.0)))
    first.rest()
    assert not ask(engine_of(gates), 1.0, replace(service))


# ── hosts that were given up ────────────────────────────────────────────────────────────────────────────────────────


def fail(gate, times):
    for _ in range(times):
        ticket = Ticket(replace(API, windows=()), HOST)
        gate.ask(ticket, 0.0)
        gate.report(ticket, 0.0, Health.FAILING)


def test_a_silent_host_is_known_to_all_until_a_run_begins_that_is_alone(gates):
    first, second = engine_of(gates), engine_of(gates)
    fail(first, 10)
    assert not ask(second, 0.5, replace(API, windows=()))
    first.rest()
    second.rest()
    second.revive()
    assert ask(second, 0.5, replace(API, windows=()))


# ── the registry ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_gates_that_matter_to_nobody_are_forgotten(gates, monkeypatch):
    monkeypatch.setattr("enricher.gates.GATES_KEPT", 3)
    gates._most = 3
    old = engine_of(gates)
    services = [replace(API, base_url=f"http://api.test/{number}") for number in range(4)]
    for service in services[:3]:
        ask(old, -1_000.0, service)  # long ago, on any clock
    kept = engine_of(gates)
    ask(kept, -1_000.0, services[0])
    del old
    gc.collect()
    ask(kept, 0.0, services[3])
    accounts = Accounts({})
    assert set(gates._gates) == {accounts.of(services[0]), accounts.of(services[3])}


# ── through the faces ───────────────────────────────────────────────────────────────────────────────────────────────


def echo(talk):
    talk.send(reply(json.dumps({"results": []}).encode()))


def recipe_of(service):
    def recipe(item):
        yield Request(service, f"/{item.key}")
        return {}

    return recipe


def sent_by(service, key=""):
    """How many requests the process has counted of what a service's API counts."""
    gate = PROCESS._gates[Accounts({service.name: key}).of(service)]
    return len(gate.sent()[0].requests)


@pytest.mark.parametrize("mode", MODES)
def test_calls_one_after_the_other_and_at_once_are_counted_together(mode):
    with Server(echo) as server:
        service = Service("api", server.url, windows=(Window(1_000, 3_600.0),))

        def call(number):
            list(enrich([Item(f"{number}-{each}") for each in range(3)], recipe_of(service), mode=mode))

        call(0)
        call(1)
        threads = [threading.Thread(target=call, args=(number,)) for number in (2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sent_by(service) == len(server.asked) == 12


def test_clients_with_one_key_are_counted_together_and_another_key_is_not():
    with Server(echo) as server:
        service = tmdb(server.url, windows=(Window(1_000, 3_600.0),))
        for key in ("key-one", "key-one", "key-two"):
            with TMDBClient(key, service=replace(service)) as client:
                client.search_movie("a")
        assert (sent_by(service, "key-one"), sent_by(service, "key-two")) == (2, 1)


def test_a_gate_that_is_passed_stays_the_engines_own():
    with Server(echo) as server:
        service = Service("api", server.url, windows=(Window(1_000, 3_600.0),))
        own = Gate()
        with Engine(gate=own) as engine:
            list(engine.stream([Item("a")], recipe_of(service)))
        assert len(own.sent()[0].requests) == 1
        assert PROCESS._gates == {}
