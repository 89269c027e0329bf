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
from microgd.optim.flat import BLOCK, SHARE
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

    def work(wait):
        seen.add(threading.get_ident())
        if wait:  # each of the first pieces waits for the others, so each is on a thread of its own
            everyone.wait()

    spread(work, [True] * processors() + [False] * 2 * processors(), share=3)
    assert len(seen) == processors()
    assert threading.active_count() == before
    seen.clear()
    spread(work, [False] * 5, share=3)
    assert seen == {threading.get_ident()}


@pytest.mark.parametrize("bad", [0, 7])
def test_an_error_in_any_thread_is_raised(bad):
    with pytest.raises(ZeroDivisionError):
        spread(lambda k: 1 / (k - bad), list(range(8)), share=1)


@pytest.mark.parametrize("bad", [0, 7])
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


LATE = """
import threading, time
import numpy as np, microgd as mg
p = mg.tensor(np.zeros(2_000_000), requires_grad=True)
optimizer = mg.optim.SGD([p], lr=1.0)

def train():
    threading.main_thread().join()
    for _ in range(2):
        p.grad = np.ones(2_000_000)
        optimizer.step()
    print(np.unique(p.data), optimizer.flats[0][0].steps)

threading.Thread(target=train).start()
"""
LIMITED = """
import resource, threading, time
import numpy as np
from microgd.optim.threads import spread
resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))
threading.stack_size(2**36 + 2**39)  # so large that the system refuses
done = np.zeros(8, dtype=int)

def work(k):
    done[k] += 1

spread(work, list(range(8)), share=1)
print(done)
"""


@pytest.mark.parametrize(("program", "printed"), [(LATE, "[-2.] [2]"), (LIMITED, "[1 1 1 1 1 1 1 1]")])
def test_without_threads_the_caller_does_all(program, printed):
    """While the program ends, and where the system gives no more."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == printed, done.stderr


def test_a_step_that_failed_is_not_counted():
    p = mg.tensor(np.ones(3), requires_grad=True)
    optimizer = mg.optim.Adam([p])
    p.grad = np.array([1.0, 1.0, 1e200])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        optimizer.step()
    assert optimizer.state_dict()["state"] == {}
