"""A circuit is a small machine: its states, and what moves it from one to the next."""

import pytest

from enricher.core.circuit import Circuit, Patience

PATIENCE = Patience(failures=3, first_open_s=1.0, longest_open_s=5.0, outage_s=100.0, silence_s=10.0)

FAIL, FAILED_PROBE, ANSWER, PROBE, GIVE_BACK = "fail", "failed probe", "answer", "probe", "give back"


def after(*moves, at=0.0):
    """A circuit to which all this has happened at one moment."""
    circuit = Circuit(PATIENCE)
    for move in moves:
        match move:
            case "fail":
                circuit.failed(at, probe=False)
            case "failed probe":
                circuit.failed(at, probe=True)
            case "answer":
                circuit.succeeded()
            case "probe":
                assert circuit.begin_probe() == circuit.is_open
            case "give back":
                circuit.end_probe()
    return circuit


def state(circuit, now):
    """closed, open (nobody may go), due (one may probe) or probing."""
    if not circuit.is_open:
        return "closed"
    ready_in = circuit.ready_in(now)
    if not ready_in:
        return "due"
    return "probing" if circuit._probing else f"open for {ready_in:g} s"


OPEN = (FAIL,) * 3


@pytest.mark.parametrize(
    ("moves", "now", "expected"),
    [
        ((), 0.0, "closed"),
        ((FAIL,), 0.0, "closed"),
        ((FAIL, FAIL), 0.0, "closed"),
        (OPEN, 0.0, "open for 1 s"),
        (OPEN, 0.75, "open for 0.25 s"),
        (OPEN, 1.0, "due"),
        ((FAIL, FAIL, ANSWER, FAIL, FAIL), 0.0, "closed"),
        ((*OPEN, FAIL, FAIL), 0.0, "open for 1 s"),
        ((*OPEN, PROBE), 2.0, "probing"),
        ((*OPEN, PROBE, FAIL), 2.0, "probing"),
        ((*OPEN, PROBE, GIVE_BACK), 2.0, "due"),
        ((*OPEN, PROBE, ANSWER), 2.0, "closed"),
        ((*OPEN, PROBE, FAILED_PROBE), 0.0, "open for 2 s"),
        ((*OPEN, *(PROBE, FAILED_PROBE) * 2), 0.0, "open for 4 s"),
        ((*OPEN, *(PROBE, FAILED_PROBE) * 3), 0.0, "open for 5 s"),
        ((*OPEN, *(PROBE, FAILED_PROBE) * 9), 0.0, "open for 5 s"),
        ((*OPEN, ANSWER), 0.0, "closed"),
        ((*OPEN, PROBE, FAILED_PROBE, ANSWER, *OPEN), 0.0, "open for 1 s"),
        ((*OPEN, PROBE, ANSWER, FAIL, FAIL), 0.0, "closed"),
        ((*OPEN, PROBE, ANSWER, FAILED_PROBE), 0.0, "closed"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else None,
)
def test_the_circuit_is(moves, now, expected):
    """The last line: an answer that was under way closed the circuit; the probe that fails after it is one failure."""
    assert state(after(*moves), now) == expected


def test_a_closed_circuit_has_no_probe():
    circuit = after(PROBE)
    assert state(circuit, 0.0) == "closed"
    assert circuit.silent_s(9.0) == 0.0


def test_a_circuit_that_closes_holds_nobody_until_its_time_would_have_been_over():
    """An answer that was under way when it opened says that the host is alive."""
    circuit = after(*OPEN)
    assert circuit.ready_in(0.25) == 0.75
    circuit.succeeded()
    assert circuit.ready_in(0.25) == 0.0


def fail_and_probe(circuit, *probed_at):
    for _ in range(PATIENCE.failures):
        circuit.failed(0.0, probe=False)
    for at in probed_at:
        circuit.begin_probe()
        circuit.failed(at, probe=True)
    return circuit


@pytest.mark.parametrize(
    ("answered_before", "probed_at", "now", "expected"),
    [
        (False, (), 9999.0, False),  # nobody has probed: perhaps it is back
        (False, (9.0,), 9.9, False),
        (False, (9.0,), 10.0, True),
        (True, (9.0,), 10.0, False),
        (True, (9.0, 50.0), 99.9, False),
        (True, (9.0, 50.0), 100.0, True),
    ],
)
def test_a_host_that_never_answered_is_given_up_sooner(answered_before, probed_at, now, expected):
    circuit = Circuit(PATIENCE)
    if answered_before:
        circuit.succeeded()
    assert fail_and_probe(circuit, *probed_at).given_up(now) == expected


def test_silence_is_counted_from_the_first_failure():
    circuit = Circuit(PATIENCE)
    for at in (5.0, 6.0, 7.0):
        circuit.failed(at, probe=False)
    assert circuit.silent_s(9.0) == 4.0


def test_a_host_is_not_given_up_while_a_probe_may_still_come_back():
    """It is judged when a probe has failed, not while one is out: that may be the one that gets through."""
    circuit = fail_and_probe(Circuit(PATIENCE), 9.0)
    circuit.begin_probe()
    assert not circuit.given_up(11.0)
    circuit.failed(11.0, probe=True)
    assert circuit.given_up(11.0)


def test_an_answer_forgets_the_silence():
    circuit = fail_and_probe(Circuit(PATIENCE), 9.0)
    circuit.succeeded()
    assert not circuit.given_up(9999.0)
    assert circuit.silent_s(9999.0) == 0.0
