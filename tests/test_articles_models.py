"""Whole runs against model servers that are choosy or odd: what is learnt is asked once, and no key of an address is told."""

import json

import pytest
from articles_world import KEYS, MODES, SLOTS, SMALL, Warm, reading
from servers import Server, reply

from enricher.simulator.process import running_articles

GOOD = {"title": "T", "summary": "S.", "key_findings": ["F"], "method": "m", "topics": ["t"], "takeaway": "w"}
GOOD_TEXT = json.dumps(GOOD)


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


def said(content=GOOD_TEXT, finish="stop"):
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return reply(json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}).encode())


def no(status, message):
    return reply(json.dumps({"error": {"message": message}}).encode(), status=status)


def choosy(talk):
    """Takes no schema, knows the bound by one name only, and needs more room than is usual."""
    body = json.loads(talk.asked.body)
    if "response_format" in body:
        talk.send(no("500 Internal Server Error", "failed to parse grammar"))
    elif "max_tokens" in body:
        talk.send(no("400 Bad Request", "Unsupported parameter: 'max_tokens'"))
    else:
        talk.send(said() if body["max_completion_tokens"] > 2000 else said("", "length"))


def run(reader, server, *words, at="/v1", mode="threaded", out="t.json"):
    model = ["--provider", "openai", "--model", "m", "--base-url", server.url + at]
    feeds = reader.web.clean_feeds
    allowed = [word for feed in feeds for word in ("--allow-private", feed.split("/")[2])]
    ended = reader.type("articles", *feeds, *allowed, *model, "--mode", mode, "--db", f"{mode}.db", "-o", out, *words)
    rows = json.loads(reader.read(out))
    return ended, rows


def test_what_a_server_does_not_accept_is_learnt_once_in_all_modes_with_the_same_rows(reader):
    told = []
    for mode in MODES:
        with Server(choosy) as server:
            ended, rows = run(reader, server, mode=mode)
        assert ended.code == 0
        assert len(rows) > SLOTS
        assert len(rows) < len(server.asked) <= len(rows) + 3 * SLOTS  # three things are learnt, by who is on the way
        told.append(rows)
    assert told[0] == told[1] == told[2]


def test_a_key_in_an_address_reaches_its_server_and_is_told_nowhere_else(reader, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with Server(lambda talk: talk.send(said())) as server:
        ended, rows = run(reader, server, "-vv", "--limit", "2", "--report", "r.md", at="/v1beta/openai/?key=geheim")
    assert {row["status"] for row in rows} == {"enriched"}
    assert {one.target for one in server.asked} == {"/v1beta/openai/chat/completions?key=geheim"}
    assert not any("authorization" in one.headers for one in server.asked)
    files = [path.read_bytes() for path in reader.folder.iterdir() if path.is_file()]
    assert len(files) >= 3
    assert all(b"geheim" not in text for text in (*files, ended.out.encode(), ended.err.encode()))


def test_of_several_fallbacks_the_next_one_is_asked_and_none_is_sent_another_s_key(reader):
    with (
        Server(lambda talk: talk.send(no("402 Payment Required", "Insufficient Balance"))) as poor,
        Server(lambda talk: talk.send(said())) as good,
    ):
        more = (
            "--fallback",
            f"openai:b@{poor.url}/api/v4",
            "--fallback",
            f"openai:c@{good.url}",
            "--fallback",
            "local",
        )
        ended, rows = run(reader, poor, *more, "--limit", "3")
    assert (ended.code, {row["model"] for row in rows}) == (0, {"c"})
    assert {one.target for one in poor.asked} == {"/v1/chat/completions", "/api/v4/chat/completions"}
    assert {one.headers.get("authorization") for one in poor.asked} == {f"Bearer {KEYS['openai']}"}
    assert {one.headers.get("authorization") for one in good.asked} == {None}


def test_a_server_that_only_fails_is_asked_once_more_than_usual_and_named_by_what_it_says(reader):
    with Server(lambda talk: talk.send(no("500 Internal Server Error", "broken"))) as server:
        _, rows = run(reader, server, "--limit", "3")
    assert {row["error"] for row in rows} == {"HTTP 500 (5 attempts)"}
    assert 15 <= len(server.asked) <= 18
