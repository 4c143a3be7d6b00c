"""The process pool: real processes, spawned, and really killed."""

import concurrent.futures
import math
import multiprocessing
import operator
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from cli_world import until

from enricher.errors import Interrupted
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


def sometimes_deadly(number):
    if number % 5 == 3:
        os._exit(9)
    return number


def test_whoever_dies_when_all_others_are_read():
    """At once, or while others are handed out: it must not matter when."""
    pool = Processes()
    works = [pool.submit(Compute(sometimes_deadly, (number,), timeout_s=PATIENCE_S)) for number in range(30)]
    for number, work in enumerate(works):
        if number % 5 == 3:
            assert isinstance(work.exception(PATIENCE_S), ChildProcessError)
        else:
            assert work.result(PATIENCE_S) == number
    pool.close()


def test_a_process_that_dies_with_nothing_to_do_costs_nobody_anything(processes):
    """As where the system is short of memory, and kills what it likes."""
    worker = result(processes, os.getpid)
    os.kill(worker, signal.SIGKILL)
    assert result(processes, os.getpid) != worker


@pytest.mark.parametrize("error", [EOFError, BrokenPipeError, ValueError])
def test_what_looks_like_the_end_of_the_pipe_is_the_functions_own(processes, error):
    worker = result(processes, os.getpid)
    with pytest.raises(error):
        result(processes, failing, error)
    assert result(processes, os.getpid) == worker


def failing(error):
    raise error


class Homeless:
    """It can be packed, and not unpacked there."""

    def __reduce__(self):
        return failing, (ImportError("no such thing here"),)


def test_what_cannot_be_taken_up_says_so(processes):
    with pytest.raises(ImportError, match="no such thing here"):
        result(processes, id, Homeless())
    assert result(processes, pow, 2, 3) == 8


def test_a_result_that_cannot_travel_says_so(processes):
    with pytest.raises(TypeError, match="can't leave its process"):
        result(processes, threading.Lock)
    assert result(processes, pow, 2, 3) == 8


def test_what_is_large_travels_both_ways(processes):
    assert result(processes, bytes.upper, b"x" * 20_000_000) == b"X" * 20_000_000


def announced(path):
    """Work that says when it has begun, and goes on for ever."""
    Path(path).touch()
    time.sleep(FOR_EVER_S)


def begun(pool, path):
    """Such work, under way."""
    work = pool.submit(Compute(announced, (str(path),), timeout_s=FOR_EVER_S))
    until(path.exists)
    return work


def test_work_that_nobody_waits_for_any_more_is_killed(processes, tmp_path):
    """A stop must not leave a process behind that computes for minutes."""
    worker = result(processes, os.getpid)
    abandoned = begun(processes, tmp_path / "begun")
    assert abandoned.cancel()
    assert result(processes, pow, 2, 3) == 8
    assert not is_running(worker)


def test_work_that_is_cancelled_while_its_process_starts_is_killed():
    pool = Processes(workers=1)
    abandoned = pool.submit(Compute(time.sleep, (FOR_EVER_S,), timeout_s=FOR_EVER_S))
    until(lambda: pool._hands[0]._doing is abandoned)
    assert abandoned.cancel()
    assert result(pool, pow, 2, 3) == 8
    pool.close()


def test_work_that_is_cancelled_before_its_turn_is_not_done_and_kills_nothing(processes, tmp_path):
    worker = result(processes, os.getpid)
    first = processes.submit(Compute(time.sleep, (0.05,)))
    second = processes.submit(Compute(announced, (str(tmp_path / "begun"),)))
    assert second.cancel()
    assert first.result(PATIENCE_S) is None
    assert result(processes, os.getpid) == worker
    assert not (tmp_path / "begun").exists()


def test_work_that_cannot_travel_says_so(processes):
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        result(processes, lambda: 1)


def test_nothing_is_started_before_there_is_work():
    before = set(multiprocessing.active_children())
    pool = Processes()
    pool.close()
    assert set(multiprocessing.active_children()) == before


def test_no_more_processes_are_started_than_there_is_work_for():
    pool = Processes(workers=3)
    workers = {result(pool, os.getpid) for _ in range(5)}
    assert len(workers) == 1
    pool.close()


def test_a_close_kills_what_runs_and_drops_what_waits(tmp_path):
    pool = Processes(workers=1)
    worker = result(pool, os.getpid)
    running = begun(pool, tmp_path / "begun")
    waiting = pool.submit(Compute(time.sleep, (FOR_EVER_S,), timeout_s=FOR_EVER_S))
    pool.close()
    pool.close()  # once more does no harm
    assert not is_running(worker)
    assert concurrent.futures.wait([running, waiting], PATIENCE_S).not_done == set()
    assert [type(each.exception()) for each in (running, waiting)] == [Interrupted] * 2
    assert result(pool, pow, 2, 3) == 8  # and who comes later finds a new one
    pool.close()
