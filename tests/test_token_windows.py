"""Two windows of tokens, as Anthropic has them: whole jobs on a virtual clock, against a server that counts strictly.

A request is admitted if its input fits and if fewer tokens than the limit were produced (or, of the stricter kind, if all
that its answer may take still fits). What an answer took counts from the request's arrival.
"""

import random

import pytest

from enricher.core.exchange import Rules, enrich_item
from enricher.core.gate import Gate
from enricher.core.rehearsal import Rehearsal
from enricher.model import Charge, Hints, Item, Price, Request, Response, Service, Usage, Window

MOST_OUT = 1500
"""What an answer may take: many times what it does."""


class Strict:
    """An API with a window of input and one of output tokens; `reserves`: answers count by the most that they may take."""

    def __init__(self, most_in, most_out, period_s, latency_s, *, reserves=False):
        self.most = {"in": most_in, "out": most_out}
        self.period_s, self.latency_s, self.reserves = period_s, latency_s, reserves
        self.taken = []  # arrival, end, in, out
        self.refused = []
        self.service = Service("llm", "http://127.0.0.1", hints=self.hints, usage=self.usage)
        self.now = lambda: 0.0

    def hints(self, _response):
        most, period_s = self.most, self.period_s
        return Hints(tokens_in=Window(most["in"], period_s, "in"), tokens_out=Window(most["out"], period_s, "out"))

    def usage(self, response):
        if response.status != 200:
            return Usage()
        tokens_in, tokens_out = map(int, response.body.decode().strip('"').split())
        return Usage(tokens_in=tokens_in, tokens_out=tokens_out)

    def world(self, request, before):
        now, chance = self.now(), random.Random(f"{request.path} {before}")
        tokens_in, tokens_out = chance.randint(800, 1200), chance.randint(180, 260)
        recent = [each for each in self.taken if now - each[0] < self.period_s]
        used_in = sum(each[2] for each in recent)
        begun = MOST_OUT if self.reserves else 0
        used_out = sum(begun if each[1] > now else each[3] for each in recent)
        wanted_out = MOST_OUT if self.reserves else 1
        if used_in + tokens_in > self.most["in"] or used_out + wanted_out > self.most["out"]:
            self.refused.append(now)
            return Response(429, {"retry-after": "1"}, b"{}"), 0.01
        took_s = self.latency_s * chance.uniform(0.7, 1.3)
        self.taken.append((now, now + took_s, tokens_in, tokens_out))
        return Response(200, {}, f'"{tokens_in} {tokens_out}"'.encode()), took_s

    def recipe(self, item):
        price = Price(1, 1, 1)
        most = Usage(tokens_in=4000, tokens_out=MOST_OUT)
        charge = Charge("llm", "model", price, most)
        yield Request(self.service, f"/{item.key}", method="POST", tokens=1300 + MOST_OUT, charge=charge)
        return {}

    def play(self, count, workers):
        rehearsal = Rehearsal(Gate(), self.world, workers=workers, keep_effects=False)
        self.now = lambda: rehearsal._now
        items = [Item(str(number)) for number in range(count)]
        played = rehearsal.play(items, lambda item: enrich_item(item, self.recipe, Rules(lambda: 0.5)))
        assert [outcome.status for outcome in played.outcomes] == ["enriched"] * count

    def used(self, part):
        """The share of a window that was used in all whole windows after the first two."""
        index = 2 if part == "in" else 3
        begin = 2 * self.period_s
        windows = int((self.taken[-1][0] - begin) / self.period_s)
        end = begin + windows * self.period_s
        total = sum(each[index] for each in self.taken if begin <= each[0] < end)
        return total / self.most[part] * self.period_s / (end - begin)

    def fullest(self, part):
        index = 2 if part == "in" else 3
        return (
            max(sum(each[index] for each in self.taken if at <= each[0] < at + self.period_s) for at, *_ in self.taken)
            / self.most[part]
        )


LIMITS = {"in": (40_000, 80_000), "out": (400_000, 10_000)}
"""Of input and of output, by which of them binds."""


@pytest.mark.parametrize(("period_s", "latency_s"), [(60.0, 5.0), (2.0, 0.15)])
@pytest.mark.parametrize("binds", ["in", "out"])
def test_nine_tenths_of_the_window_that_binds_are_used_and_nothing_is_turned_away(binds, period_s, latency_s):
    """Each reserves seven times what it takes for its answer, until the first has come true."""
    api = Strict(*LIMITS[binds], period_s, latency_s)
    api.play(280, workers=8)
    assert api.refused == []
    assert 0.9 <= api.used(binds) <= 1.0
    assert max(api.fullest("in"), api.fullest("out")) <= 1.0


def test_where_answers_count_by_the_most_that_they_may_take_a_few_refusals_teach_it():
    api = Strict(*LIMITS["out"], 60.0, 5.0, reserves=True)
    api.play(180, workers=8)
    assert 0 < len(api.refused) <= 8  # all that were ready to leave
    assert max(api.refused) < 30.0  # and none after the first window
    assert api.fullest("out") <= 1.0
