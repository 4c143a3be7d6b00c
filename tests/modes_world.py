"""What the tests of the modes share: transports in memory, a sink, and one way to run a recipe in any mode."""

import asyncio
import contextlib
import threading

from core_world import QUICK
from servers import PATIENCE_S

from enricher.core.exchange import enrich_item
from enricher.core.gate import Gate
from enricher.errors import TransportError
from enricher.memory import Memory
from enricher.model import Item
from enricher.modes.asynchronous import run_async
from enricher.modes.performer import Feed, Performer, Stop
from enricher.modes.threaded import run_sequential, run_threaded

MODES = ("sequential", "threaded", "async")

STUCK = object()
"""What a world answers that says nothing until it is cut."""


class Wire:
    """A transport for threads: asks `answer(request)`, which gives a response, raises, or is `STUCK`."""

    def __init__(self, answer):
        self.answer = answer
        self.sent = []
        self.cut = threading.Event()

    def send(self, request, *, fresh=False):
        self.sent.append(request)
        given = self.answer(request)
        if given is STUCK:
            assert self.cut.wait(PATIENCE_S)
            raise TransportError("timeout")
        return given

    def abort(self):
        self.cut.set()

    @contextlib.asynccontextmanager
    async def opened(self):
        """The same for tasks."""
        yield _Tasks(self)


class _Tasks:
    def __init__(self, wire):
        self.wire = wire

    async def send(self, request, *, fresh=False):
        self.wire.sent.append(request)
        await asyncio.sleep(0)  # as on a real wire, others have their turn
        given = self.wire.answer(request)
        if given is STUCK:
            await asyncio.Event().wait()
        return given


class Kept:
    """A sink that keeps what comes, and calls `seen(outcome)` for each."""

    def __init__(self, seen=lambda _outcome: None):
        self.outcomes = []
        self.seen = seen

    def put(self, outcome):
        self.outcomes.append(outcome)
        self.seen(outcome)

    def offer(self, outcome):
        self.put(outcome)
        return True

    @property
    def keys(self):
        return [outcome.item.key for outcome in self.outcomes]


def performer(*, stop=None, gate=None, memory=None, processes=None, kind=Performer, **more):
    return kind(gate or Gate(), memory or Memory(lambda: 0.0), stop or Stop(), processes, **more)


def items(count):
    return [Item(str(number)) for number in range(count)]


def run_flows(mode, source, begin, sink, using, wire, workers=3):
    """Run flows in this mode."""
    feed = Feed(iter(source), using.stop)
    if mode == "async":
        run_async(feed, begin, sink, using, wire.opened, workers)
    elif mode == "threaded":
        run_threaded(feed, begin, sink, using, wire, workers)
    else:
        run_sequential(feed, begin, sink, using, wire)


def run(mode, source, recipe, sink, using, wire, workers=3, rules=QUICK):
    """Run a recipe over items in this mode."""
    run_flows(mode, source, lambda item: enrich_item(item, recipe, rules), sink, using, wire, workers)
