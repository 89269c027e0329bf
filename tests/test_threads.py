"""Work spread over threads: every piece once, in the caller's context, errors seen, nothing left behind."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.optim.flat import BLOCK
from microgd.optim.optimizer import SHARE
from microgd.optim.threads import processors, spread


@given(st.integers(0, 40), st.integers(1, 12))
def test_every_piece_is_worked_on_once(n, share):
    done = np.zeros(n, dtype=int)

    def work(k):
        done[k] += 1

    spread(work, list(range(n)), share)
    assert np.all(done == 1)


def test_threads_are_used_where_there_is_enough_work_and_end_with_it():
    before, seen = threading.active_count(), set()
    everyone = threading.Barrier(processors(), timeout=60)

    def work(first):
        seen.add(threading.get_ident())
        if first:  # the first piece of each share waits for those of the others
            everyone.wait()

    spread(work, [True, False, False] * processors(), share=3)
    assert len(seen) == processors()
    assert threading.active_count() == before
    seen.clear()
    spread(work, [False] * 5, share=3)
    assert seen == {threading.get_ident()}


@pytest.mark.parametrize("bad", [0, 7], ids=["in the caller's share", "in the last share"])
def test_an_error_in_any_thread_is_raised(bad):
    with pytest.raises(ZeroDivisionError):
        spread(lambda k: 1 / (k - bad), list(range(8)), share=1)


@pytest.mark.parametrize("bad", [0, 7], ids=["in the caller's share", "in the last share"])
def test_numpys_error_state_is_the_callers(bad):
    zeros = np.zeros(3)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        spread(lambda k: 1 / zeros if k == bad else None, list(range(8)), share=1)
    with np.errstate(divide="ignore"):
        spread(lambda k: 1 / zeros, list(range(8)), share=1)


def large_adam(n):
    rng = np.random.default_rng(0)
    w = mg.tensor(rng.normal(size=n), requires_grad=True)
    optimizer = mg.optim.Adam([w], lr=0.1)
    for _ in range(3):
        w.grad = rng.normal(size=n)
        optimizer.step()
    return w.data


def test_a_large_parameter_moves_as_it_does_on_one_processor():
    """Bit for bit; the other process may use one processor only."""
    n = 4 * SHARE * BLOCK + 17
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no call that keeps a process on one processor")
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "import sys; sys.path.insert(0, sys.argv[1]); from test_threads import large_adam;"
        "from microgd.optim.threads import processors; assert processors() == 1;"
        f"sys.stdout.buffer.write(large_adam({n}).tobytes())"
    )
    folder = os.path.dirname(__file__)
    alone = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, check=True, timeout=120)
    np.testing.assert_array_equal(large_adam(n), np.frombuffer(alone.stdout))
