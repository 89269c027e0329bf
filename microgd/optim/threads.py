"""Threads: the same work on many pieces of large arrays, by all processors that this process may use.

NumPy lets go of Python's lock while it computes, so pieces that do not overlap can be worked on at once. The threads
live for one call: starting them takes a tenth of a millisecond, and none is left behind for a fork to lose. They see
the caller's context, so ``np.errstate`` holds in them too. This file does not know what the work is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[[Any], None], pieces: list[Any], share: int) -> None:
    """``work(piece)`` for every piece, on as many threads as have at least ``share`` pieces each.

    Raises what the work raises, after all threads have stopped.
    """
    threads = max(min(len(pieces) // share, processors()), 1)

    def run(k: int) -> None:
        for piece in pieces[k * len(pieces) // threads : (k + 1) * len(pieces) // threads]:
            work(piece)

    if threads == 1:
        run(0)
        return
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(copy_context().run, run, k) for k in range(1, threads)]
        run(0)
    for other in others:
        other.result()
