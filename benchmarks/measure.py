"""Time runners against each other on a noisy machine: check that they agree, then take turns.

First every runner does the work a few times and must give the reference's answers. Then come rounds, and in each
round every runner has one turn, so that whatever slows the machine down slows all of them alike; ratios are taken
round by round. What happens in a turn, and in which process, is the business of ``runner``.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import runner
from benchmarks.work.base import Work

CHECKED_CALLS = 3
TURN = 0.02  # seconds
MIN_ROUNDS, MAX_ROUNDS = 5, 100
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}

Processes = dict[str, ProcessPoolExecutor]


@dataclass
class Result:
    """Seconds per call for every runner and round, and the reasons of those that did not run."""

    times: dict[str, list[float]]
    absent: dict[str, str]

    def ratios(self, peer: str) -> Any:
        """microgd's time as a share of the peer's, one number per round."""
        return np.array(self.times["microgd"]) / np.array(self.times[peer])


@contextmanager
def processes(names: Sequence[str]) -> Iterator[Processes]:
    """One fresh process per runner."""
    with ExitStack() as stack:
        spawn = get_context("spawn")
        yield {name: stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for name in names}


def measure(work: Work, names: Sequence[str], seconds: float) -> Result:
    """Check that all runners that can do ``work`` agree, then time them for about so many seconds."""
    with processes(names) as everyone:
        reasons = {name: process.submit(runner.prepare, work, name).result() for name, process in everyone.items()}
        present = {name: process for name, process in everyone.items() if reasons[name] is None}
        check(work, present)
        result = Result({name: [] for name in present}, {name: reason for name, reason in reasons.items() if reason})
        end = perf_counter() + seconds
        for rounds in range(MAX_ROUNDS):
            if rounds >= MIN_ROUNDS and perf_counter() > end:
                break
            for name, process in present.items():
                result.times[name].append(process.submit(runner.turn, TURN).result())
    return result


def check(work: Work, present: Processes) -> None:
    """Raise unless everyone gives the answers derived by hand, in several calls: some runners work in place."""
    for call in range(1, CHECKED_CALLS + 1):
        expected = present["numpy"].submit(runner.answers).result()
        for name, process in present.items():
            if name != "numpy":
                compare(process.submit(runner.answers).result(), expected, work, f"{name}, call {call}")


def compare(got: list[Any], expected: list[Any], work: Work, who: str) -> None:
    """Raise unless every answer equals the one by hand, up to rounding."""
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        error = np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12) if a.shape == b.shape else np.inf
        if not error <= TOLERANCE[work.dtype]:
            raise ValueError(
                f"{work.title}: {who}: answer {i} differs from the one by hand: shapes {a.shape} and {b.shape}, "
                f"relative distance {error:.1e}"
            )
