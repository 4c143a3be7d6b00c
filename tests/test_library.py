"""The face for programs: `TMDBClient` and `enrich`, against the simulated TMDB and servers of the tests' own."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import PATIENCE_S, Server, always, reply

from enricher import Item, KeyRefused, NotFound, Refused, Request, Service, SettingError, TMDBClient, enrich
from enricher.engine import MODES
from enricher.errors import Interrupted
from enricher.model import Lifetime, Window
from enricher.pipelines.movies.recipe import movie_recipe
from enricher.pipelines.movies.record import COLUMNS
from enricher.pipelines.movies.service import tmdb
from enricher.simulator.behaviour import Behaviour
from enricher.simulator.process import running_simulator

KEY = "0123456789abcdef"
LA_HAINE, STALKER = 406, 1398
each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def simulator():
    with running_simulator(Behaviour.of(films="0", latency="2ms", key=KEY)) as server:
        yield server


@pytest.fixture
def api(simulator):
    """The simulated TMDB, its counts at zero."""
    simulator.reset()
    return simulator


def client_of(server, key=KEY, **more):
    address = getattr(server, "base_url", None) or server.url
    return TMDBClient(key, service=tmdb(address, windows=()), **more)


@pytest.fixture
def client(api):
    with client_of(api) as made:
        yield made


# ── twins ───────────────────────────────────────────────────────────────────────────────────────────────────────────

CALLS = [
    ("enrich_movie", ("Stalker", 1979)),
    ("enrich_movie", ("La Haine",)),
    ("enrich_movie", ("Matrix, The", 1999)),
    ("enrich_movie", ("Black Box", None)),
    ("enrich_movie", ("The Film That Nobody Made", 2020)),
    ("enrich_movie", ("", 1999)),
    ("match_movie", ("Black Box",)),
    ("match_movie", ("Stalker", 1979)),
    ("get_movie_details", (LA_HAINE,)),
    ("get_movie_details", (2_000_000_000,)),
    ("search_movie", ("House", 1977)),
    ("search_movie", ("House",)),
    ("search_movie", ("The Film That Nobody Made",)),
]


@pytest.mark.parametrize(("call", "arguments"), CALLS)
def test_a_call_and_its_twin_tell_the_same(call, arguments, api):
    """Each by a client of its own: what one has learnt would otherwise answer the other."""
    with client_of(api) as one, client_of(api) as other:
        told = getattr(one, call)(*arguments)
        asked = api.stats()["by_kind"]
        twin = asyncio.run(getattr(other, f"{call}_async")(*arguments))
        assert told == twin
        assert api.stats()["by_kind"] == {kind: 2 * count for kind, count in asked.items()}


def test_a_film_is_told_with_the_columns_of_the_table_and_two_words_of_tmdb(client):
    film = client.enrich_movie("La Haine", 1995)
    assert tuple(film) == (*COLUMNS, "people", "runtime", "poster_path")
    assert (film["tmdb_id"], film["directors"], film["year"]) == (LA_HAINE, ["Mathieu Kassovitz"], 1995)
    assert film["runtime"] == film["runtime_min"] == 98
    assert film["poster_path"].startswith("/")
    assert film["poster_url"].endswith(film["poster_path"])


def test_a_film_without_a_poster_and_a_runtime_has_none():
    with Server(always(reply(b'{"id": 1, "title": "Bare"}'))) as server, client_of(server) as client:
        film = client.get_movie_details(1)
    assert (film["title"], film["runtime"], film["poster_path"]) == ("Bare", None, None)


def test_what_can_not_be_told_apart_or_is_not_there_is_none(client):
    assert client.enrich_movie("Black Box") is None
    assert client.enrich_movie("The Film That Nobody Made", 2020) is None
    assert client.get_movie_details(2_000_000_000) is None
    assert client.search_movie("The Film That Nobody Made") == []


def test_why_a_film_is_not_told_can_be_asked(client):
    matched = client.match_movie("The Film That Nobody Made", 2020)
    assert matched == NotFound(reason="no film of this name near 2020")
    assert client.match_movie("Stalker", 1979).record["tmdb_id"] == STALKER
    assert client.match_movie("", tmdb_id=STALKER, imdb_id=None).record["tmdb_id"] == STALKER
    contradicted = client.match_movie("Heat", 1995, imdb_id="tt0133093")
    assert [candidate.id for candidate in contradicted.candidates] == ["603", "949"]


def test_films_for_adults_are_found_where_the_client_wants_them(api):
    with client_of(api, include_adult=True) as open_minded, client_of(api) as other:
        assert open_minded.enrich_movie("Deep Velvet Night", 1972)["year"] == 1972
        assert len(open_minded.search_movie("Deep Velvet Night")) == 1
        assert other.enrich_movie("Deep Velvet Night", 1972) is None


def test_a_search_gives_the_films_as_tmdb_has_them(client):
    found = client.search_movie("House", 1977)
    assert {"House"} <= {film["title"] for film in found}
    assert all({"id", "title", "release_date"} <= set(film) for film in found)


def test_details_are_what_enriching_gives(client):
    assert client.get_movie_details(STALKER) == client.enrich_movie("Stalker", 1979)


def test_the_language_is_asked_for(api):
    with client_of(api, language="fr-FR") as french:
        assert french.get_movie_details(LA_HAINE)["title"] == "La Haine"
    (identity,) = api.stats(detail=True)["requests_by_identity"]
    assert "language=fr-FR" in identity


def test_without_a_service_it_is_tmdb_itself_with_tmdbs_quota():
    with TMDBClient(KEY) as client:
        assert client._service == tmdb()


# ── many at a time ──────────────────────────────────────────────────────────────────────────────────────────────────


def in_threads(count, work):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: work(), range(count)))


async def gathered(count, call, *arguments):
    return await asyncio.gather(*(call(*arguments) for _ in range(count)))


def asked_once(api, *kinds):
    assert api.stats()["by_kind"] == dict.fromkeys(kinds, 1)


def test_a_hundred_threads_that_want_one_film_ask_once(api, client):
    told = in_threads(100, lambda: client.get_movie_details(LA_HAINE)["title"])
    assert told == ["La Haine"] * 100
    asked_once(api, "details")


def test_a_hundred_tasks_that_want_one_film_ask_once(api, client):
    told = asyncio.run(gathered(100, client.enrich_movie_async, "Stalker", 1979))
    assert [film["tmdb_id"] for film in told] == [STALKER] * 100
    asked_once(api, "details", "search")


def test_threads_and_tasks_that_want_one_film_ask_once_together(api, client):
    api.control(pause=True)
    with ThreadPoolExecutor(11) as pool:
        waiting = [pool.submit(client.get_movie_details, LA_HAINE) for _ in range(10)]
        waiting.append(pool.submit(lambda: asyncio.run(gathered(10, client.get_movie_details_async, LA_HAINE))))
        api.control(pause=False)
        films = [*(one.result() for one in waiting[:10]), *waiting[10].result()]
    assert films == [films[0]] * 20
    asked_once(api, "details")


def test_several_threads_use_one_client_for_different_films(api, client):
    found = client.search_movie("House")
    with ThreadPoolExecutor(8) as pool:
        films = list(pool.map(client.get_movie_details, [film["id"] for film in found]))
    assert [film["tmdb_id"] for film in films] == [film["id"] for film in found]
    assert api.stats()["connections_opened"] <= 10


def test_one_session_serves_one_loop_after_another(api, client):
    for film_id in (LA_HAINE, STALKER, LA_HAINE):
        assert asyncio.run(client.get_movie_details_async(film_id))["tmdb_id"] == film_id
    assert api.stats()["arrivals"] == 2
    assert api.stats()["connections_opened"] == 1


def test_both_faces_share_what_they_learn(api, client):
    assert client.enrich_movie("Stalker", 1979) == asyncio.run(client.enrich_movie_async("Stalker", 1979))
    asked_once(api, "details", "search")


@each_mode
def test_sixty_rows_of_three_films_cost_at_most_nine_requests(mode, api):
    films = [("Stalker", 1979), ("La Haine", 1995), ("Parasite", 2019)] * 20
    items = [Item(str(row), {"title": title, "year": year}) for row, (title, year) in enumerate(films)]
    recipe = movie_recipe(tmdb(api.base_url, windows=()))
    outcomes = list(enrich(items, recipe, mode=mode, keys={"tmdb": KEY}))
    assert {outcome.status for outcome in outcomes} == {"enriched"}
    assert len(outcomes) == 60
    assert api.stats()["arrivals"] <= 9


# ── opening and closing ─────────────────────────────────────────────────────────────────────────────────────────────


def loops():
    return [thread for thread in threading.enumerate() if thread.name == "enricher-loop"]


def test_a_client_that_is_closed_asks_nothing_more(api):
    with client_of(api) as client:
        assert client.get_movie_details(LA_HAINE)
    for film_id in (LA_HAINE, STALKER):  # the one is known, the other is not
        with pytest.raises(Interrupted):
            client.get_movie_details(film_id)
        with pytest.raises(Interrupted):
            asyncio.run(client.get_movie_details_async(film_id))
    client.close()
    assert api.stats()["arrivals"] == 1
    assert loops() == []


def test_it_may_be_opened_in_a_loop(api):
    async def two():
        async with client_of(api) as client:
            return await asyncio.gather(
                client.get_movie_details_async(LA_HAINE), client.enrich_movie_async("Stalker", 1979)
            )

    assert [film["tmdb_id"] for film in asyncio.run(two())] == [LA_HAINE, STALKER]
    assert loops() == []


@pytest.mark.parametrize("face", ["threads", "tasks"])
def test_closing_ends_what_is_under_way(face):
    """Both faces are told the same: `Interrupted`, not that somebody cancelled the caller."""
    arrived = threading.Event()

    def answer(talk):
        arrived.set()
        talk.hang()

    with Server(answer) as server, ThreadPoolExecutor(1) as pool:
        client = client_of(server)
        if face == "threads":
            waiting = pool.submit(client.get_movie_details, 1)
        else:
            waiting = pool.submit(lambda: asyncio.run(client.get_movie_details_async(1)))
        assert arrived.wait(PATIENCE_S)
        client.close()
        with pytest.raises(Interrupted):
            waiting.result(PATIENCE_S)


def test_a_caller_who_is_cancelled_gives_back_its_lead():
    """Else everybody who wants this film would wait for it forever."""
    arrived = threading.Event()

    def answer(talk):
        if talk.number == 1:
            arrived.set()
            talk.hang()
        else:
            talk.send(reply(b'{"id": 7}'))

    async def leave_and_ask_again(client):
        first = asyncio.create_task(client.get_movie_details_async(7))
        await asyncio.to_thread(arrived.wait, PATIENCE_S)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await client.get_movie_details_async(7)

    with Server(answer) as server, client_of(server) as client:
        assert asyncio.run(leave_and_ask_again(client))["tmdb_id"] == 7


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("call", "arguments"), [("enrich_movie", ("Stalker",)), ("get_movie_details", (1,)), ("search_movie", ("House",))]
)
def test_a_refused_key_is_raised_by_every_call(call, arguments, api):
    with client_of(api, key="wrong-key") as client:
        with pytest.raises(KeyRefused, match="tmdb refused the API key") as caught:
            getattr(client, call)(*arguments)
        with pytest.raises(KeyRefused) as twin:
            asyncio.run(getattr(client, f"{call}_async")(*arguments))
    assert str(caught.value) == str(twin.value)
    assert "wrong-key" not in str(caught.value)


def test_a_refusal_is_raised_and_does_not_spoil_the_client():
    def answer(talk):
        talk.send(reply(status="422 No") if talk.number == 1 else reply(b'{"id": 7}'))

    with Server(answer) as server, client_of(server) as client:
        with pytest.raises(Refused, match=r"does not accept the request's parameters \(1 attempt\)"):
            client.get_movie_details(7)
        assert client.get_movie_details(7)["tmdb_id"] == 7


def test_a_client_can_not_be_made_with_no_slot():
    with pytest.raises(SettingError, match="concurrency is 0"):
        TMDBClient(KEY, concurrency=0)


# ── any recipe ──────────────────────────────────────────────────────────────────────────────────────────────────────


def books(talk):
    title = talk.asked.target.partition("title=")[2]
    found = {"Solaris": "Lem", "Roadside+Picnic": "Strugatsky"}.get(title)
    talk.send(reply(json.dumps({"author": found}).encode()))


def book_recipe(server):
    service = Service("books", server.url, windows=(Window(500, 1.0),), lifetimes={"answer": Lifetime(60.0, 60.0)})

    def book(item):
        answer = yield Request(service, "/search", {"title": item.key})
        return {"author": answer.data["author"]} if answer.data["author"] else None

    return book


@each_mode
def test_a_recipe_of_ones_own_runs_in_every_mode(mode):
    titles = ["Solaris", "Roadside Picnic", "Unwritten", "Solaris"]
    with Server(books) as server:
        outcomes = list(enrich(map(Item, titles), book_recipe(server), mode=mode, concurrency=3))
        assert len(server.asked) == 3
    told = sorted((one.item.key, one.status, (one.record or {}).get("author")) for one in outcomes)
    assert told == [
        ("Roadside Picnic", "enriched", "Strugatsky"),
        ("Solaris", "enriched", "Lem"),
        ("Solaris", "enriched", "Lem"),
        ("Unwritten", "not_found", None),
    ]


@each_mode
def test_one_may_leave_early(mode):
    """Items without end: who leaves ends the run, or this would never return."""
    taken = []

    def source():
        while True:
            taken.append(len(taken))
            yield Item("Solaris")

    with Server(books) as server:
        for outcome in (stream := enrich(source(), book_recipe(server), mode=mode, concurrency=3)):
            assert outcome.record == {"author": "Lem"}
            break
        stream.close()
    before = len(taken)
    assert before <= 1 + 5 * 3
    assert not [thread for thread in threading.enumerate() if thread.name == "enricher-run"]


@each_mode
def test_a_refused_key_ends_the_run(mode, api):
    recipe = movie_recipe(tmdb(api.base_url, windows=()))
    items = [Item(str(number), {"tmdb_id": number}) for number in range(1, 40)]
    with pytest.raises(KeyRefused):
        list(enrich(items, recipe, mode=mode, concurrency=4, keys={"tmdb": "wrong"}))
    assert api.stats()["arrivals"] <= 4


@pytest.mark.parametrize(
    ("wish", "words"), [({"mode": "fast"}, "mode is 'fast'"), ({"concurrency": 0}, "concurrency is 0")]
)
def test_a_wish_that_can_not_be_is_refused(wish, words):
    with pytest.raises(SettingError, match=words):
        next(enrich([], book_recipe, **wish))


@each_mode
def test_of_no_items_nothing_comes(mode):
    assert list(enrich([], lambda item: iter(()), mode=mode)) == []
