"""The process in which an exercise file runs: the far end of ``grading``.

It is told on standard input what to do, runs the file, and answers line by line, as JSON, on a channel of its own:
what the file prints goes elsewhere and is never taken for an answer. An alarm stops what takes too long, so that the
line is known; where the file swallows it, the other side ends the process. It knows neither people nor terminals.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from microgd.check.exercises import TimeUp, attempt, complaint, exercises_of

MEMORY = (
    4 << 30
)  # bytes on top of what Python and NumPy take; a list that grows for ever ends here, not with the machine


def main() -> None:
    """Work, then end at once, without waiting for threads and exit hooks that the file may have left."""
    try:
        work(**json.load(sys.stdin))
    except OSError:  # the file closed the channel, so there is nobody to tell
        os._exit(os.EX_IOERR)
    os._exit(0)


def work(channel: int, path: str, seed: int, first: int, limit: float) -> None:
    """Load the file and check its exercises from number ``first`` on; ``limit`` in seconds holds for each step."""
    os.set_inheritable(channel, False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())

    def tell(**facts: Any) -> None:
        os.write(channel, json.dumps(facts).encode() + b"\n")

    bound_memory()
    tell(ready=True)
    try:
        with alarm(limit):
            tasks = exercises_of(load(path))
    except BaseException as error:  # whatever the file may throw
        verdict, where = complaint(error, path)
        return tell(error=verdict, where=where)
    tell(names=[task.name for task in tasks], hints=[task.hints for task in tasks])
    for task in tasks[first:]:
        with alarm(limit):
            result = attempt(task, seed, path)
        tell(result=dataclasses.asdict(result))
    return tell(finished=True)


def load(path: str) -> ModuleType:
    """The file as a module; what stands under ``if __name__ == "__main__"`` does not run."""
    sys.path.insert(0, str(Path(path).parent))
    sys.argv = [path]
    module = sys.modules["exercise_file"] = ModuleType("exercise_file")
    module.__file__ = path
    exec(compile(Path(path).read_bytes(), path, "exec"), module.__dict__)
    return module


@contextmanager
def alarm(limit: float) -> Iterator[None]:
    """Raise ``TimeUp`` where the program is after ``limit`` seconds."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUp(f"{limit:g}")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def bound_memory() -> None:
    """Let the process grow by ``MEMORY`` at most, where the system says how large it is."""
    size = Path("/proc/self/statm")
    if size.exists():
        import resource

        pages = int(size.read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
