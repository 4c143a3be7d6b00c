"""The process pool: real processes, spawned, and really killed."""

import concurrent.futures
import math
import operator
import os
import time

import pytest

from enricher.model import Compute
from enricher.processes import Processes

PATIENCE_S = 30.0  # a test that waits for what must happen fails after so long, instead of hanging
FOR_EVER_S = 3600.0


@pytest.fixture(scope="module")
def processes():
    """One process for all tests here: whatever befalls it, the next piece of work finds one."""
    pool = Processes(workers=1)
    yield pool
    pool.close()


def result(processes, function, *args, **more):
    return processes.submit(Compute(function, args, **more)).result(PATIENCE_S)


def is_running(pid):
    """Whether there is such a process (one that is dead and not yet collected counts as none)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_work_is_done_in_another_process_that_is_kept(processes):
    assert result(processes, pow, 2, 10) == 1024
    worker = result(processes, os.getpid)
    assert worker != os.getpid()
    assert result(processes, os.getpid) == worker


def test_what_the_function_raises_is_raised_here(processes):
    with pytest.raises(ValueError, match="math domain error"):
        result(processes, math.sqrt, -1)


def test_work_that_takes_too_long_is_killed_and_the_next_is_done(processes):
    worker = result(processes, os.getpid)
    with pytest.raises(TimeoutError):
        result(processes, time.sleep, FOR_EVER_S, timeout_s=0.1)
    assert not is_running(worker)
    assert result(processes, operator.add, 3, 4) == 7


def test_each_piece_of_work_has_its_own_time(processes):
    """It counts from when the work begins, not from when it was handed out."""
    late = processes.submit(Compute(time.sleep, (FOR_EVER_S,), timeout_s=0.3))
    behind = processes.submit(Compute(pow, (2, 3), timeout_s=PATIENCE_S))
    assert behind.result(PATIENCE_S) == 8
    assert isinstance(late.exception(), TimeoutError)


def test_a_process_that_dies_fails_its_own_work_only(processes):
    """A parser written in C may crash on a stranger's page."""
    dying = processes.submit(Compute(os._exit, (3,)))
    assert isinstance(dying.exception(PATIENCE_S), OSError)
    assert result(processes, pow, 2, 3) == 8


def test_work_that_nobody_waits_for_any_more_is_killed(processes):
    """A stop must not leave a process behind that computes for minutes."""
    worker = result(processes, os.getpid)
    abandoned = processes.submit(Compute(time.sleep, (FOR_EVER_S,), timeout_s=FOR_EVER_S))
    while not abandoned.running():
        time.sleep(0.005)
    assert abandoned.cancel()
    assert result(processes, pow, 2, 3) == 8
    assert not is_running(worker)


def test_work_that_cannot_travel_says_so(processes):
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        result(processes, lambda: 1)


def test_nothing_is_started_before_there_is_work():
    pool = Processes()
    assert pool._pool is None
    pool.close()
    assert pool._pool is None


def test_a_close_kills_what_runs_and_drops_what_waits():
    pool = Processes(workers=1)
    worker = result(pool, os.getpid)
    running = pool.submit(Compute(time.sleep, (FOR_EVER_S,), timeout_s=FOR_EVER_S))
    waiting = pool.submit(Compute(time.sleep, (FOR_EVER_S,), timeout_s=FOR_EVER_S))
    pool.close()
    pool.close()  # once more does no harm
    assert not is_running(worker)
    assert concurrent.futures.wait([running, waiting], PATIENCE_S).not_done == set()
    assert None not in [running.exception(), waiting.exception()]
    assert result(pool, pow, 2, 3) == 8  # and who comes later finds a new one
    pool.close()
