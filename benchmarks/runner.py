"""A runner at work in a process of its own, as its users have it: with its own library loaded and no other.

Company would not be fair: Python's garbage collector walks over every object of every imported library, and the
threads of one library disturb the next. These functions run inside that process, one call after another; the
work being done is the module's one variable. They know nothing of rounds or of other runners.
"""

import gc
import importlib
from collections.abc import Sequence
from time import perf_counter, process_time, sleep
from typing import Any

import numpy as np

from benchmarks import THREADS
from benchmarks.work.base import Run, Work

SEED = 0
KEPT = 31 << 20
"""Bytes of a block that every runner frees before it begins, as ``import microgd`` does: glibc keeps freed memory or
gives it back to the system depending on the largest block that was ever freed (mallopt(3), M_MMAP_THRESHOLD), and the
times of large arrays would differ by a factor of two with the works that came before."""
run: Run


def prepare(work: Work, runner: str) -> str | None:
    """Get ready for ``work``; the answer is a reason why this runner cannot do it, or None."""
    global run
    if runner in work.absent:
        return work.absent[runner]
    try:
        module = importlib.import_module(runner)
    except ImportError as error:
        return f"not installed ({error})"
    np.empty(KEPT, dtype="u1")
    if runner == "torch":
        module.set_num_threads(THREADS)
    elif runner == "jax":
        module.config.update("jax_enable_x64", True)
    elif runner == "mygrad":
        module.turn_memory_guarding_off()  # its manual's advice for speed
    run = getattr(work, runner)(*work.problem(np.random.default_rng(SEED)))
    return None


def answers() -> list[Any]:
    """Do the work once; what it computed, as NumPy arrays."""
    values = plain(run())
    fall_asleep()
    return values


def plain(values: Sequence[Any]) -> list[Any]:
    """Arrays and tensors of any library as NumPy arrays, copied: some runners work in place."""
    arrays = [np.asarray(v.detach() if hasattr(v, "detach") else getattr(v, "data", v)) for v in values]
    return [a.copy() for a in arrays]


def turn(seconds: float) -> float:
    """Seconds per call, over as many calls as fill ``seconds``.

    The first call is not counted, except to see how many are needed, nor are as many again where they are short: they
    warm the caches and wake the clock and the threads, which takes some milliseconds. The collector is run once
    before, and stays on during the calls.
    """
    gc.collect()
    calls = max(1, round(seconds / timed(1)))
    if calls > 1:
        timed(calls)
    result = timed(calls) / calls
    fall_asleep()
    return result


def fall_asleep() -> None:
    """Wait until this process uses no processor. The idle threads of OpenBLAS wait for more work at full speed for a
    tenth of a second, and would do so in the turn of the runner that comes next."""
    before = -1.0
    while process_time() - before > 0.001:
        before = process_time()
        sleep(0.01)


def timed(calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        run()
    return perf_counter() - start
