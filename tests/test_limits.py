"""Limits are arithmetic: what they allow is counted here as a strict server would count it."""

import heapq
from functools import partial

import pytest
from core_world import most_in
from hypothesis import given, settings
from hypothesis import strategies as st

from enricher.core.gate import Again, Gate, Go, Health, Ticket
from enricher.core.limits import (
    GUARD_S,
    GUESSES_KEPT,
    HISTORY,
    PROOF_S,
    Bucket,
    FixedWindow,
    Guess,
    SlidingLog,
    TokenLog,
    carry_over,
    limits_of,
    token_limits_of,
)
from enricher.model import Service, Window

TEN_SECONDS = Window(40, 10.0)
ONE_SECOND = Window(35, 1.0)
ways = st.floats(0.0, GUARD_S)


def service_with(*windows, **more):
    return Service("api", "https://api.test", windows=windows, **more)


def let_through(service, journeys, think_s=(), held_s=()):
    """Send one request after the other as fast as the gate lets go; when each arrives at the server.

    `journeys` are (way there, way back or None) in seconds: with a way back, the answer is reported when it is there.
    `held_s`: so long after its permit each leaves, in turn, which the gate is told.
    """
    gate, now, arrivals = Gate(), 0.0, []
    events = []
    for number, (there_s, back_s) in enumerate(journeys):
        now += think_s[number % len(think_s)] if think_s else 0.0
        ticket = Ticket(service, "api.test")
        while True:
            while events and events[0][0] <= now:
                at, _, happens = heapq.heappop(events)
                happens(at)
            verdict = gate.ask(ticket, now)
            if not isinstance(verdict, Again):
                break
            now += verdict.seconds
        leaves_at = now + (held_s[number % len(held_s)] if held_s else 0.0)
        leave = partial(_leave, gate, ticket, events, arrivals, there_s, back_s, number)
        if leaves_at > now:
            heapq.heappush(events, (leaves_at, number, leave))
        else:
            leave(now, late=False)
    while events:
        at, _, happens = heapq.heappop(events)
        happens(at)
    return sorted(arrivals)


def _leave(gate, ticket, events, arrivals, there_s, back_s, number, now, late=True):
    """It leaves, if the gate still lets it; else later. With a way back, its answer is told when it is there."""
    verdict = gate.depart(ticket, now) if late else None
    if isinstance(verdict, Again):
        again = partial(_leave, gate, ticket, events, arrivals, there_s, back_s, number)
        heapq.heappush(events, (now + verdict.seconds, number, again))
        return
    arrivals.append(now + there_s)
    if back_s is not None:
        answered = partial(gate.report, ticket, health=Health.ALIVE)
        heapq.heappush(events, (now + there_s + back_s, number, answered))


# ── the sliding log ─────────────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=150)
@given(
    window=st.builds(Window, st.integers(1, 12), st.sampled_from([0.2, 1.0, 10.0])),
    journeys=st.lists(st.tuples(ways, st.none() | st.floats(0.0, 2.0)), min_size=1, max_size=60),
    think_s=st.lists(st.floats(0.0, 0.3), max_size=5),
)
def test_no_window_ever_holds_more_arrivals_than_it_may(window, journeys, think_s):
    """The promise of the quota, however long each request was on its way, proven or not."""
    assert most_in(window, let_through(service_with(window), journeys, think_s)) <= window.limit


@settings(deadline=None, max_examples=150)
@given(
    window=st.builds(Window, st.integers(1, 12), st.sampled_from([0.2, 1.0, 10.0])),
    journeys=st.lists(st.tuples(ways, st.none() | st.floats(0.0, 2.0)), min_size=1, max_size=60),
    held_s=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=5),
)
def test_what_leaves_late_holds_its_slot_from_then_on(window, journeys, held_s):
    """Something may lie between permit and departure: a cost that is written down, a machine that is busy."""
    assert most_in(window, let_through(service_with(window), journeys, held_s=held_s)) <= window.limit


def test_a_slot_is_free_a_window_after_its_request_has_arrived_at_the_latest():
    log = SlidingLog(Window(1, 1.0))
    log.take(0.0)
    log.arrives(GUARD_S, 0.5)
    assert log.ready_in(0.5, 0) == pytest.approx(1.0)
    log.arrives(GUARD_S, 0.7)  # nobody is to arrive then any more
    assert log.ready_in(0.5, 0) == pytest.approx(1.0)
    log.arrives(0.5, 0.4)
    assert log.ready_in(0.5, 0) == pytest.approx(0.9)


def test_tokens_are_free_a_window_after_their_request_has_arrived_at_the_latest():
    log = TokenLog(Window(10, 1.0))
    log.take(0.0, 10, 1)
    log.arrives(1, 0.5)
    log.arrives(2, 0.9)
    assert log.ready_in(0.5, 0, 1) == pytest.approx(1.0)


def test_tokens_of_what_leaves_late_are_free_later_and_of_what_is_answered_early_sooner():
    gate, api = Gate(), service_with(token_windows=(Window(10, 1.0),))
    late, early, last = (Ticket(api, "api.test", 5) for _ in range(3))
    assert [type(gate.ask(each, 0.0)) for each in (late, early)] == [Go, Go]
    gate.depart(late, 0.5)
    gate.report(early, 0.9, Health.ALIVE, first_byte_at=0.01, tokens=5)
    assert isinstance(gate.ask(Ticket(api, "api.test", 5), 1.02), Go)
    assert isinstance(gate.ask(last, 1.5), Again)
    assert isinstance(gate.ask(last, 1.57), Go)


def test_what_leaves_late_holds_its_slot_although_another_window_holds_since():
    """Answers tell of a smaller window while some are let go and have not left."""
    gate, api = Gate(), service_with(Window(4, 1.0))
    tickets = [Ticket(api, "api.test") for _ in range(4)]
    assert [type(gate.ask(each, 0.0)) for each in tickets] == [Go] * 4
    gate.set_rate(api, [Window(3, 2.0)])
    for each in tickets[1:]:
        gate.depart(each, 0.5)
    for now in (2.1, 2.5):
        assert isinstance(gate.ask(Ticket(api, "api.test"), now), Again)
    assert isinstance(gate.ask(Ticket(api, "api.test"), 2.57), Go)


@settings(deadline=None, max_examples=40)
@given(journeys=st.lists(st.tuples(ways, st.none() | st.floats(0.0, 0.5)), min_size=90, max_size=130))
def test_several_windows_hold_at_once(journeys):
    arrivals = let_through(service_with(TEN_SECONDS, ONE_SECOND), journeys)
    assert most_in(TEN_SECONDS, arrivals) == TEN_SECONDS.limit
    assert most_in(ONE_SECOND, arrivals) <= ONE_SECOND.limit


def test_a_log_without_a_guard_would_break_the_promise():
    """Why there is a guard: the first request is late at the server, the one after the window is not."""
    window = Window(1, 1.0)
    careless, careful = SlidingLog(window, 0.0), SlidingLog(window)
    for log in (careless, careful):
        log.take(0.0)  # arrives at GUARD_S
    assert careless.ready_in(1.0, 0) == 0.0
    assert careful.ready_in(1.0, 0) == pytest.approx(GUARD_S)


@pytest.mark.parametrize(("answered_at", "free_at"), [(0.02, 1.02 + PROOF_S), (GUARD_S + 0.1, 1.0 + GUARD_S)])
def test_an_answer_that_is_there_early_spares_the_guard_and_one_that_comes_late_proves_nothing(answered_at, free_at):
    gate, api = Gate(), service_with(Window(1, 1.0))
    first, second = Ticket(api, "api.test"), Ticket(api, "api.test")
    gate.ask(first, 0.0)
    gate.report(first, answered_at, Health.ALIVE)
    assert isinstance(gate.ask(second, free_at - 1e-6), Again)
    assert isinstance(gate.ask(second, free_at + 1e-6), Go)


@pytest.mark.parametrize("before", [-1.0, 0.5, 99.0])
def test_who_was_not_to_arrive_then_frees_nothing(before):
    log = SlidingLog(Window(2, 1.0))
    log.take(0.0)
    log.take(0.1)
    log.arrives(before, -50.0)
    assert log.ready_in(0.2, 0) == pytest.approx(0.8 + GUARD_S)


@pytest.mark.parametrize(
    ("ahead", "expected_s"),
    [(0, 0.0), (1, 1.0), (2, 2.0), (3, 10.0), (4, 11.0), (5, 12.0), (6, 20.0)],
)
def test_who_stands_further_back_waits_for_a_later_slot(ahead, expected_s):
    """Three slots, two of them used: one goes now, two as these are free, and then those who went are followed."""
    log = SlidingLog(Window(3, 10.0), guard_s=0.0)
    log.take(-9.0)
    log.take(-8.0)
    assert log.ready_in(0.0, ahead) == pytest.approx(expected_s)


@pytest.mark.parametrize(("ahead", "expected_s"), [(0, 9.0), (1, 10.0), (2, 19.0)])
def test_a_log_that_is_fuller_than_its_window_waits_for_the_last_of_its_slots(ahead, expected_s):
    """So it is when the rate was lowered: what was sent before must leave the window first, and not a window more."""
    old, new = SlidingLog(Window(10, 10.0), 0.0), SlidingLog(Window(2, 10.0), 0.0)
    for second in range(10):
        old.take(float(second))
    new.follow(old)
    assert new.ready_in(9.0, ahead) == pytest.approx(expected_s)


def test_a_new_window_keeps_the_slots_that_are_used():
    old, new = SlidingLog(Window(40, 10.0)), SlidingLog(Window(3, 1.0))
    for at in (0.0, 8.5, 8.6, 8.7):
        old.take(at)
    new.follow(old)
    assert new.ready_in(9.0, 0) == pytest.approx(0.5 + GUARD_S)


# ── the token log ───────────────────────────────────────────────────────────────────────────────────────────────────


def let_tokens_through(service, journeys):
    """As `let_through`, with tokens: (arrived at, reserved, taken, known from when) of each request.

    `journeys` are (reserved, taken or None, way there, way back or None): None taken is not told, None back not reported.
    """
    gate, now, sent, answers = Gate(), 0.0, [], []
    for number, (reserved, taken, there_s, back_s) in enumerate(journeys):
        ticket = Ticket(service, "api.test", reserved)
        while True:
            while answers and answers[0][0] <= now:
                done_at, _, answered, tokens = heapq.heappop(answers)
                gate.report(answered, done_at, Health.ALIVE, tokens=tokens)
            verdict = gate.ask(ticket, now)
            if not isinstance(verdict, Again):
                break
            now += verdict.seconds
        done_at = float("inf") if back_s is None else now + there_s + back_s
        sent.append((now + there_s, reserved, reserved if taken is None else taken, done_at))
        if back_s is not None:
            heapq.heappush(answers, (done_at, number, ticket, taken))
    return sorted(sent)


def most_tokens_in(window, sent):
    """The most that a strict server ever counts as a request arrives: reserved, until it knows what was taken."""
    most = 0
    for now, *_ in sent:
        here = [each for each in sent if now - window.period_s + 1e-9 < each[0] <= now]
        most = max(most, sum(taken if done_at <= now else reserved for _, reserved, taken, done_at in here))
    return most


backs = st.none() | st.floats(0.0, 2.0)


@st.composite
def token_journeys(draw, limit):
    reserved = draw(st.integers(0, limit))
    return reserved, draw(st.none() | st.integers(0, reserved)), draw(ways), draw(backs)


@settings(deadline=None, max_examples=120)
@given(window=st.builds(Window, st.integers(1, 1000), st.sampled_from([0.2, 1.0])), data=st.data())
def test_no_window_ever_holds_more_tokens_than_it_may(window, data):
    journeys = data.draw(st.lists(token_journeys(window.limit), min_size=1, max_size=40))
    sent = let_tokens_through(service_with(token_windows=(window,)), journeys)
    assert most_tokens_in(window, sent) <= window.limit


@settings(deadline=None, max_examples=40)
@given(journeys=st.lists(token_journeys(100), min_size=60, max_size=80))
def test_windows_of_requests_and_of_tokens_hold_at_once(journeys):
    requests, tokens = Window(5, 1.0), (Window(300, 1.0), Window(900, 10.0))
    sent = let_tokens_through(service_with(requests, token_windows=tokens), journeys)
    assert most_in(requests, [at for at, *_ in sent]) <= requests.limit
    assert [most_tokens_in(window, sent) <= window.limit for window in tokens] == [True, True]


def tokens_per_second(limit, **taken):
    """A log of so many a second without a guard; `at_3=40`: at 0.3 s forty were taken."""
    log = TokenLog(Window(limit, 1.0), guard_s=0.0)
    for name, tokens in taken.items():
        tenths = int(name.removeprefix("at_"))
        log.take(tenths / 10, tokens, tenths)
    return log


@pytest.mark.parametrize(
    ("ahead", "tokens", "expected_s"),
    [
        (0, 30, 0.0),
        (0, 31, 0.4),
        (0, 60, 0.4),
        (0, 61, 0.7),
        (20, 11, 0.4),
        (40, 50, 0.7),
        (60, 50, 1.0),
        (0, 999, 0.7),
    ],
)
def test_tokens_wait_until_as_many_are_free(ahead, tokens, expected_s):
    """Of a hundred thirty went at 0 s and forty at 0.3 s. What is larger than the window waits until it is empty."""
    log = tokens_per_second(100, at_0=30, at_3=40)
    assert log.ready_in(0.6, ahead, tokens) == pytest.approx(expected_s)


def test_more_than_the_window_goes_once_it_is_empty_and_then_nothing_else_does():
    log = tokens_per_second(100, at_0=1)
    assert log.ready_in(1.0, 0, 250) == 0.0
    log.take(1.0, 250, 7)
    assert log.ready_in(1.9, 0, 1) == pytest.approx(0.1)
    assert log.ready_in(2.0, 0, 100) == 0.0


def test_an_estimate_is_taken_for_as_much_as_the_worst_of_the_last_ones_and_a_little_more():
    guess = Guess()
    assert guess.of(100) == 100
    for real in (50, 60, 20):
        guess.learn(100, real)
    assert guess.of(200) == 126
    guess.learn(100, 140)  # it may have been too low as well
    assert guess.of(200) == 294
    for _ in range(GUESSES_KEPT):
        guess.learn(100, 40)
    assert guess.of(200) == 84


@pytest.mark.parametrize(("estimate", "real"), [(0, 10), (10, 0)])
def test_what_was_not_estimated_or_took_nothing_teaches_nothing(estimate, real):
    guess = Guess()
    guess.learn(estimate, real)
    assert guess.of(100) == 100


@pytest.mark.parametrize(("taken", "left"), [(0, 100), (25, 75), (60, 40), (90, 10)])
def test_a_reservation_is_corrected_to_what_was_taken(taken, left):
    """To more than was reserved as well."""
    log = tokens_per_second(100, at_0=60)
    log.correct(0, taken)
    assert log.ready_in(0.5, 0, left) == 0.0
    assert log.ready_in(0.5, 0, left + 1) == (pytest.approx(0.5) if taken else 0.0)


def test_a_correction_comes_too_late_when_the_tokens_have_left_the_window():
    log = tokens_per_second(100, at_0=60)
    assert log.ready_in(1.0, 0, 100) == 0.0
    log.correct(0, 90)
    log.arrives(0, 0.1)
    assert log.ready_in(1.0, 0, 100) == 0.0


def test_an_early_answer_spares_the_guard_of_its_tokens():
    log = TokenLog(Window(100, 1.0))
    log.take(0.0, 60, 1)
    log.take(0.0, 40, 2)
    log.arrives(2, 0.02)
    assert log.ready_in(0.5, 0, 40) == pytest.approx(0.52)
    assert log.ready_in(0.5, 0, 41) == pytest.approx(0.5 + GUARD_S)


def test_a_new_token_window_keeps_what_is_taken_and_it_can_still_be_corrected():
    old, new = TokenLog(HISTORY), TokenLog(Window(100, 1.0))
    old.take(0.0, 60, 1)
    old.take(5.0, 60, 2)
    new.follow(old)
    assert new.ready_in(5.5, 0, 41) == pytest.approx(0.5 + GUARD_S)
    new.correct(2, 10)
    assert new.ready_in(5.5, 0, 90) == 0.0


def test_a_service_whose_answers_tell_its_windows_is_watched_for_a_minute_back():
    """Else what was sent before the first answer came would be counted by the server and not here."""
    learning = service_with(TEN_SECONDS, token_windows=(ONE_SECOND,), hints=lambda response: None)
    assert [limit.window for limit in limits_of(learning)] == [TEN_SECONDS, HISTORY]
    assert [limit.window for limit in token_limits_of(learning)] == [ONE_SECOND, HISTORY]
    assert token_limits_of(service_with(TEN_SECONDS)) == []


def test_what_is_only_watched_holds_nobody_and_is_forgotten_after_a_minute():
    log, tokens = SlidingLog(HISTORY), TokenLog(HISTORY)
    for number in range(100):
        log.take(float(number))
        tokens.take(float(number), 10**6, number)
        assert (log.ready_in(float(number), 50), tokens.ready_in(float(number), 10**9, 10**6)) == (0.0, 0.0)
    assert (len(log._arrive), len(tokens._arrive), len(tokens._held)) == (61, 61, 61)


# ── the bucket ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bucket_lets_its_burst_through_and_then_paces():
    bucket, now, left_at = Bucket(rate=4.0, burst=3), 5.0, []
    for _ in range(6):
        now += bucket.ready_in(now, 0)
        bucket.take(now)
        bucket.arrives(now, now - 1)
        left_at.append(round(now, 6))
    assert left_at == [5.0, 5.0, 5.0, 5.25, 5.5, 5.75]


def test_a_bucket_holds_no_more_than_its_burst():
    bucket = Bucket(rate=10.0, burst=2)
    bucket.take(0.0)
    assert bucket.ready_in(1000.0, 1) == 0.0
    assert bucket.ready_in(1000.0, 2) == pytest.approx(0.1)


@settings(deadline=None, max_examples=60)
@given(
    burst=st.integers(1, 20),
    journeys=st.lists(st.tuples(ways, st.none() | st.floats(0.0, 0.5)), min_size=30, max_size=60),
)
def test_a_bucket_paces_and_the_window_still_holds(burst, journeys):
    """A bucket alone lets burst + rate · T through in T seconds: more than the window allows."""
    window = Window(10, 1.0)
    arrivals = let_through(service_with(window, burst=burst), journeys)
    assert most_in(window, arrivals) <= window.limit


def test_the_pace_is_the_slowest_windows():
    (*_, bucket) = limits_of(service_with(TEN_SECONDS, ONE_SECOND, burst=5))
    assert (bucket.rate, bucket.burst) == (4.0, 5)


def test_a_burst_without_a_window_paces_nothing():
    """There is no rate to pace by."""
    assert limits_of(service_with(burst=5)) == []


def test_a_bucket_goes_on_from_the_one_before_it():
    """A new rate must not hand out the burst once more."""
    old, new = Bucket(rate=1.0, burst=4), Bucket(rate=2.0, burst=4)
    for _ in range(4):
        old.take(10.0)
    new.follow(old)
    assert new.ready_in(10.0, 0) == pytest.approx(0.5)


# ── the fixed window, as the ratelimit package counts ───────────────────────────────────────────────────────────────


def fixed(limit, period_s):
    return FixedWindow(Window(limit, period_s))


def test_a_fixed_window_starts_with_its_first_request():
    limit = fixed(2, 10.0)
    assert limit.ready_in(7.0, 0) == 0.0
    limit.take(7.0)
    limit.take(9.0)
    assert limit.ready_in(16.0, 0) == pytest.approx(1.0)
    assert limit.ready_in(17.0, 0) == 0.0


def test_a_fixed_window_lets_twice_its_limit_through_at_its_edge():
    """Its nature, and why the sliding log is the default: a strict server would refuse half of these."""
    limit = fixed(40, 10.0)
    left_at = []
    for now in [0.0] + [9.99] * 39 + [10.0] * 40:
        assert limit.ready_in(now, 0) == 0.0
        limit.take(now)
        limit.arrives(now, now - 1)
        left_at.append(now)
    assert most_in(Window(40, 10.0), left_at) == 79
    assert limit.ready_in(10.0, 0) == pytest.approx(10.0)


@given(
    period_s=st.sampled_from([0.1, 0.3, 0.7, 1.0, 10.0]),
    limit=st.integers(1, 3),
    start=st.floats(0.0, 1e6),
)
@settings(deadline=None)
def test_a_fixed_window_lets_go_when_it_says_it_will(period_s, limit, start):
    """At the very edge two sums that round differently disagree; the package raises then, and a job would die of it."""
    window, now = fixed(limit, period_s), start
    for _ in range(4 * limit):
        asked = 0
        while (wait_s := window.ready_in(now, 0)) > 0:
            now += wait_s
            asked += 1
            assert asked < 5
        window.take(now)


@pytest.mark.parametrize(
    ("now", "ahead", "expected_s"),
    [(1.0, 0, 9.0), (1.0, 1, 9.0), (1.0, 2, 19.0), (10.0, 1, 0.0), (10.0, 2, 10.0), (10.0, 4, 20.0), (99.0, 2, 10.0)],
)
def test_in_a_fixed_window_who_stands_further_back_waits_for_a_later_window(now, ahead, expected_s):
    """A window that is over frees as many places as it has: the next in line may not pass those before him."""
    window = fixed(2, 10.0)
    window.take(0.0)
    window.take(0.0)
    assert window.ready_in(now, ahead) == pytest.approx(expected_s)


def test_a_fixed_window_that_has_not_begun_knows_who_must_wait():
    assert fixed(2, 10.0).ready_in(0.0, 1) == 0.0
    assert fixed(2, 10.0).ready_in(0.0, 2) == pytest.approx(10.0)


def test_a_fixed_window_goes_on_from_the_one_before_it():
    """Five were sent in the window that runs: a new limit of two lets nobody through until it is over, then two."""
    old, new, unused = fixed(9, 10.0), fixed(2, 10.0), fixed(2, 10.0)
    for _ in range(5):
        old.take(3.0)
    unused.follow(fixed(9, 10.0))
    new.follow(old)
    assert unused.ready_in(4.0, 1) == 0.0
    assert [new.ready_in(4.0, ahead) for ahead in range(3)] == pytest.approx([9.0, 9.0, 19.0])
    assert new.ready_in(13.0, 1) == 0.0


def test_each_new_limit_goes_on_from_the_old_one_that_looks_back_furthest():
    """Only that one knows all that the others know."""
    ten_s, one_s, replaced = SlidingLog(TEN_SECONDS, 0.0), SlidingLog(ONE_SECOND, 0.0), SlidingLog(Window(2, 5.0), 0.0)
    for at in (0.0, 4.0, 8.0):
        for log in (ten_s, one_s):
            log.ready_in(at, 0)
            log.take(at)
    bucket = Bucket(rate=1.0, burst=1)
    carry_over([one_s, ten_s], [replaced, bucket])
    assert replaced.ready_in(8.0, 0) == pytest.approx(1.0)
    assert bucket.ready_in(8.0, 0) == 0.0


def test_a_service_says_how_its_api_counts():
    kinds = [type(limit) for limit in limits_of(service_with(TEN_SECONDS, limiter="fixed", burst=2))]
    assert kinds == [FixedWindow, Bucket]
