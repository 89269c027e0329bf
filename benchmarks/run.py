"""Print how long microgd and its peers take for the same work: ``python -m benchmarks.run [--json FILE] [WORK ...]``.

Every time is a median over rounds; every ratio is microgd's time over the peer's, as the median of the rounds'
ratios with their quartiles, and beside it the demand where there is one. Every answer was checked first.
"""

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import THREADS
from benchmarks.measure import Result, measure
from benchmarks.work import WORKS
from benchmarks.work.base import RUNNERS

SECONDS = 20  # for the rounds of one work
RATIOS = ("torch", "numpy", "autograd", "micrograd")
BUSY = 0.5  # processes waiting to run, on average over a minute


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"only these of: {', '.join(WORKS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round's time to FILE")
    options = parser.parse_args()
    unknown = set(options.works) - set(WORKS)
    if unknown:
        parser.error(f"no such work: {', '.join(sorted(unknown))}; there are {', '.join(WORKS)}")
    if hasattr(os, "sched_setaffinity"):  # JAX takes as many threads as there are processors to run on
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

    console = Console(width=170)
    machine = describe_machine()
    if os.getloadavg()[0] > BUSY:
        console.print(
            "[bold red]The machine is busy with something else: works on several threads will come out wrong.[/]"
        )
    results = {}
    for name in options.works or WORKS:
        with console.status(WORKS[name].title):
            results[name] = measure(WORKS[name], RUNNERS, SECONDS)
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()))
    console.print(time_table(results), ratio_table(results))
    for name, result in results.items():
        for runner, reason in result.absent.items():
            console.print(f"without {runner}: {WORKS[name].title}: {reason}")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "works": as_data(results)}, indent=1) + "\n")


def describe_machine() -> dict[str, Any]:
    """What the numbers depend on."""
    found = {"cpu": processor(), "threads": THREADS, "python": platform.python_version()}
    found["load before"] = f"{os.getloadavg()[0]:.2f}"
    for package in RUNNERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor()


def time_table(results: dict[str, Result]) -> Table:
    table = Table("work", *RUNNERS, "rounds", title="microseconds, median of the rounds")
    for name, result in results.items():
        cells = [f"{np.median(result.times[r]) * 1e6:,.0f}" if r in result.times else "-" for r in RUNNERS]
        table.add_row(WORKS[name].title, *cells, str(len(result.times["microgd"])))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def ratio_table(results: dict[str, Result]) -> Table:
    table = Table("work", *[f"microgd / {peer}" for peer in RATIOS], title="ratios: median (quartiles), demand")
    for name, result in results.items():
        table.add_row(WORKS[name].title, *[ratio_cell(name, result, peer) for peer in RATIOS])
    return table


def ratio_cell(name: str, result: Result, peer: str) -> str:
    if peer not in result.times:
        return "-"
    low, middle, high = np.percentile(result.ratios(peer), [25, 50, 75])
    cell = f"{middle:.2f} ({low:.2f} to {high:.2f})"
    demand = WORKS[name].demands.get(peer)
    if demand is None:
        return cell
    return f"{cell}, at most {demand} {'[green]met[/]' if middle <= demand else '[bold red]missed[/]'}"


def as_data(results: dict[str, Result]) -> dict[str, Any]:
    return {
        name: {
            "title": WORKS[name].title,
            "seconds": result.times,
            "ratios": {peer: np.percentile(result.ratios(peer), [25, 50, 75]).tolist() for peer in result.times},
            "demands": WORKS[name].demands,
            "absent": result.absent,
        }
        for name, result in results.items()
    }


if __name__ == "__main__":
    main()
