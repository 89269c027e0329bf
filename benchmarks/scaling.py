"""Print what grows with the graph and what must not: ``python -m benchmarks.scaling``.

Time per operation of ever longer chains, which is level if the backward pass is linear in their length (and runs
at all, if it does not recurse). Memory while graphs come and go with the cyclic collector off, which is level if
reference counting alone frees them. And the overhead of one operation, forward and backward.
"""

import gc
import tracemalloc
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import microgd as mg

LENGTHS = (10_000, 100_000, 1_000_000)
GRAPHS, NODES = 100, 20_000
ROUNDS = 5


def main() -> None:
    Console().print(chain_table(), memory_table(), overhead_table())


def chain(start: Any, length: int) -> Any:
    """``length`` operations in a row, alternately * and +."""
    x = mg.tensor(start, requires_grad=True)
    y = x
    for _ in range(length // 2):
        y = y * 0.999
        y = y + 0.001
    return y


def chain_times(start: Any, length: int) -> tuple[float, float]:
    """Microseconds per operation, forward and backward."""
    begin = perf_counter()
    y = chain(start, length)
    middle = perf_counter()
    y.backward(np.ones_like(start))
    end = perf_counter()
    return (middle - begin) / length * 1e6, (end - middle) / length * 1e6


def chain_table() -> Table:
    table = Table("operations", "forward", "backward", title=f"scalar chain, microseconds per operation, of {ROUNDS}")
    rounds = [[chain_times(1.0, length) for length in LENGTHS] for _ in range(ROUNDS)]
    for length, times in zip(LENGTHS, zip(*rounds, strict=True), strict=True):
        table.add_row(f"{length:,}", *[f"{median(column):.2f}" for column in zip(*times, strict=True)])
    return table


def memory_table() -> Table:
    """Every second graph is swept, the others are dropped as they are."""
    table = Table(
        "graphs", "traced, kB", "resident, MB", title=f"memory after graphs of {NODES:,} nodes, collector off"
    )
    gc.collect()
    gc.disable()
    tracemalloc.start()
    for number in range(GRAPHS + 1):
        if number % 10 == 0:
            table.add_row(str(number), f"{tracemalloc.get_traced_memory()[0] / 1e3:,.1f}", resident())
        y = chain(1.0, NODES)
        if number % 2:
            y.backward()
        del y
    tracemalloc.stop()
    gc.enable()
    return table


def resident() -> str:
    """Megabytes of this process in memory, where the system tells."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((f"{int(line.split()[1]) / 1e3:.1f}" for line in lines if line.startswith("VmRSS")), "unknown")


def overhead_table() -> Table:
    table = Table("value", "forward", "backward", "both", title="overhead, microseconds per operation")
    for name, start in (("scalar", 1.0), ("10-vector", np.ones(10))):
        rounds = [chain_times(start, 1000) for _ in range(100)]
        forward, backward = [median(column) for column in zip(*rounds, strict=True)]
        table.add_row(name, f"{forward:.2f}", f"{backward:.2f}", f"{forward + backward:.2f}")
    return table


if __name__ == "__main__":
    main()
