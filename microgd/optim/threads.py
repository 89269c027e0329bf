"""Threads: the same work on many pieces of large arrays, by all processors that this process may use.

NumPy lets go of Python's lock while it computes, so pieces that do not overlap can be worked on at once. The threads
live for one call: starting them takes a tenth of a millisecond, and none is left behind for a fork to lose. They see
the caller's context, so ``np.errstate`` holds in them too. This file does not know what the work is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import Any


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[[Any], None], pieces: list[Any], share: int) -> None:
    """``work(piece)`` for every piece, on as many threads as have ``share`` pieces each; who is free takes the next.

    Where no thread can be started, the caller does the work alone. Raises what the work raises, after all have stopped.
    """
    waiting = iter(pieces)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            for piece in waiting:
                if errors:
                    return
                work(piece)
        except BaseException as error:
            errors.append(error)

    helpers: list[Thread] = []
    try:
        for _ in range(min(len(pieces) // share, processors()) - 1 if len(pieces) >= 2 * share else 0):
            helper = Thread(target=copy_context().run, args=(run,))
            helper.start()
            helpers.append(helper)
    except (RuntimeError, MemoryError):  # the system gives no more, or the program is ending
        pass
    run()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
