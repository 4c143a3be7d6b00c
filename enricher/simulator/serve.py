"""The simulated APIs as a server: one loop, one port on loopback, until told to stop.

`serve` blocks and is what a command calls; `listening` is the same for a loop that is already running (tests).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from . import articles
from .behaviour import ArticlesBehaviour, Behaviour
from .catalogue import Catalogue
from .tmdb import Tmdb
from .world import World

DEFAULT_PORT = 8787

# Hundreds of clients may connect within one turn of the loop; a queue that overflows costs each a second or more.
BACKLOG = 4096

# How often a child looks whether its parent is still there, beside the pipe that tells it at once (`until_abandoned`).
PARENT_CHECK_S = 1.0


def application(behaviour: Behaviour | ArticlesBehaviour) -> web.Application:
    """A simulated API with its world around it: TMDB, or the web of articles with its LLM APIs.

    Raises `ValueError` for more films than can be generated.
    """
    if isinstance(behaviour, ArticlesBehaviour):
        return articles.application(behaviour)
    api = Tmdb(Catalogue(behaviour.films, behaviour.films_seed), behaviour.details_bytes)
    api.prepare()
    world = World(behaviour, api)
    app = web.Application(middlewares=[world.middleware])
    app.add_routes([*api.routes(), *world.routes()])
    return app


@contextlib.asynccontextmanager
async def listening(
    behaviour: Behaviour | ArticlesBehaviour, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serve in the running loop; gives the port. Requests in flight at the end are dropped.

    A web of several sites listens on one port of as many addresses, the first of which is `host`.

    Raises `ValueError` where the host is not loopback or the port is no port, `OSError` where the port is taken.
    """
    if not (host == "localhost" or ipaddress.ip_address(host).is_loopback):
        raise ValueError(f"host {host!r}: a simulated API listens on loopback only, for example 127.0.0.1")
    if not 0 <= port <= 65_535:
        raise ValueError(f"port {port!r}: write a number from 0 (a free one) to 65535")
    runner = web.AppRunner(application(behaviour), access_log=None, handler_cancellation=True, shutdown_timeout=0.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        bound: int = runner.addresses[0][1]
        for other in behaviour.hosts()[1:] if isinstance(behaviour, ArticlesBehaviour) else ():
            await web.TCPSite(runner, other, bound, backlog=BACKLOG).start()
        yield bound
    finally:
        await runner.cleanup()


def serve(
    behaviour: Behaviour | ArticlesBehaviour,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    on_ready: Callable[[str], None] | None = None,
    *,
    until_abandoned: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, then return quietly. Blocks; must run in the main thread.

    `on_ready` is called once with the address ("http://127.0.0.1:8787/3"; of the articles, without "/3").
    `until_abandoned` also ends it when standard input is closed or the parent is gone: a child that is started with a pipe
    never outlives its parent, even after kill -9. Port 0 takes a free one. Raises `ValueError` for a wrong host, port, core
    or number of films, `OSError` where the port is taken.
    """
    if behaviour.cpu is not None:
        _pin(behaviour.cpu)
    asyncio.run(_serve(behaviour, host, port, on_ready, until_abandoned=until_abandoned))


def _pin(core: int) -> None:
    try:
        os.sched_setaffinity(0, {core})
    except (AttributeError, OSError):  # not every system has the call
        raise ValueError(f"cpu {core!r}: there is no such core, or this system pins no process to one") from None


async def _serve(
    behaviour: Behaviour | ArticlesBehaviour,
    host: str,
    port: int,
    on_ready: Callable[[str], None] | None,
    *,
    until_abandoned: bool,
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening(behaviour, host, port) as bound:
        gc.freeze()  # what exists now stays: collections during a run need not walk it
        watch = asyncio.create_task(_abandoned(stop, sys.stdin.fileno())) if until_abandoned else None
        if on_ready is not None:
            root = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
            on_ready(root if isinstance(behaviour, ArticlesBehaviour) else f"{root}/3")
        await stop.wait()
        if watch is not None:
            watch.cancel()


async def _abandoned(stop: asyncio.Event, pipe: int) -> None:
    """Set `stop` when the parent closes its end of the pipe, or is no longer the parent.

    The pipe tells at once. The second look is for a parent that left a fork of itself behind, which holds the pipe open.
    """
    loop, parent = asyncio.get_running_loop(), os.getppid()

    def look() -> None:
        if os.read(pipe, 4096) == b"":
            loop.remove_reader(pipe)
            stop.set()

    loop.add_reader(pipe, look)
    while os.getppid() == parent:  # noqa: ASYNC110 - a lost parent sends no event
        await asyncio.sleep(PARENT_CHECK_S)
    stop.set()
