"""A small world for the tests of the core: a service, its answers, and how a flow is played by hand."""

import json

from enricher.core.effects import Lead, Permit, Recall, Report, Send, Settle, Wait
from enricher.core.exchange import Rules, enrich_item
from enricher.core.gate import Gate, Ticket
from enricher.core.rehearsal import Rehearsal
from enricher.core.retry import Backoff
from enricher.errors import TransportError
from enricher.model import Item, KeyPlace, Lifetime, Remembered, Request, Response, Service, Window

HOST = "films.test"
LIFETIME = Lifetime(found_s=100.0, missing_s=10.0)
FILMS = Service(
    "films",
    f"https://{HOST}/3",
    windows=(Window(1000, 1.0),),
    place_key=lambda key: KeyPlace(params={"api_key": key}),
    lifetimes={"detail": LIFETIME},
)
ROUNDING_S = 1e-9
QUICK = Rules(lambda: 0.5, Backoff())


def get(path, kind="answer", service=FILMS, **more):
    return Request(service, path, kind=kind, **more)


def detail(path="/movie/1", **more):
    return get(path, kind="detail", **more)


def body_of(data):
    return json.dumps(data).encode()


def answered(status=200, data=None, body=None, sent_at=0.0, done_at=0.0, wall_at=0.0, **headers):
    """A response; `retry_after="3"` becomes the header `retry-after`."""
    if body is None:
        body = body_of({"id": 1} if data is None else data)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, body, sent_at, done_at, wall_at)


def remembered(data=None, status=200, missing=False):
    return Remembered(status, body_of({"id": 1} if data is None else data), missing)


def lost(reached="sent"):
    return TransportError("connection lost", reached=reached)


def world_of(*answers, after_s=0.1):
    """A world that gives each request these answers, one an attempt; the last one again and again."""

    def world(request, before):
        return answers[min(before, len(answers) - 1)], after_s

    return world


def asking(*requests):
    """A recipe that asks these requests and keeps the data of all."""

    def recipe(item):
        found = []
        for request in requests:
            answer = yield request
            found.append(answer.data)
        return {"found": found}

    return recipe


def play(recipe, world, items=1, rules=QUICK, workers=1, gate=None, recall=lambda _key: None):
    """Play a recipe over so many items; what happened."""
    keys = [str(number) for number in range(items)] if isinstance(items, int) else items
    rehearsal = Rehearsal(gate or Gate(), world, workers=workers, recall=recall)
    return rehearsal.play([Item(key) for key in keys], lambda item: enrich_item(item, recipe, rules))


def play_one(recipe, world, **more):
    """Play a recipe over one item: its outcome, and what was asked of the world."""
    played = play(recipe, world, **more)
    (outcome,) = played.outcomes
    return outcome, played


def most_in(window, arrivals):
    """The most arrivals in any `period_s` seconds, the end not included: as a strict server counts."""
    most = first = 0
    for last, at in enumerate(arrivals):
        while at - arrivals[first] >= window.period_s - ROUNDING_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def names(effects):
    return [type(effect).__name__ for effect in effects]


class ByHand:
    """Drives one flow by hand: replies to what needs no thought, stops at what the test wants to answer itself."""

    def __init__(self, steps):
        self.steps = steps
        self.seen = []
        self.result = None
        self.ended = False

    def _take(self, move, *args):
        try:
            effect = move(*args)
        except StopIteration as stop:
            self.ended, self.result = True, stop.value
            return None
        self.seen.append(effect)
        return effect

    def send(self, reply=None):
        return self._take(self.steps.send, reply)

    def throw(self, error):
        return self._take(self.steps.throw, error)

    def until(self, kind, effect):
        """Go on until an effect of this kind is asked for, or the flow has ended."""
        while effect is not None and not isinstance(effect, kind):
            match effect:
                case Permit(service, host):
                    effect = self.send(Ticket(service, host))
                case Recall():
                    effect = self.send(Lead())
                case Report() | Settle() | Wait():
                    effect = self.send()
                case other:
                    raise AssertionError(f"the test did not expect {other}")
        return effect

    def until_send(self):
        """From the start to the first attempt."""
        return self.until(Send, self.send())
