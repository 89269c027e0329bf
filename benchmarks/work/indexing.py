"""Reading entries: one at a time in a loop, and as rows of a table, where a dense way back would be the cost."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import SCALARS_ONLY, Gradient, Run


@dataclass
class Reads(Gradient):
    """The sum of x[i] ** 2 over the first entries of a vector, each read on its own."""

    reads: int = 1_000
    size: int = 10_000

    title = "1,000 single reads of a vector of 10,000"
    demands: ClassVar = {"torch": 3.0}
    absent: ClassVar = {"micrograd": SCALARS_ONLY, "jax": "compiles a loop of a thousand reads for minutes"}

    def problem(self, rng: np.random.Generator) -> Any:
        return [rng.normal(size=self.size)], ()

    def loss(self, xp: Any, x: Any) -> Any:
        total = 0.0
        for i in range(self.reads):
            total = total + x[i] * x[i]
        return total

    def numpy(self, parameters: Any, data: Any) -> Run:
        (x,) = parameters

        def run() -> Any:
            g = np.zeros_like(x)
            g[: self.reads] = 2 * x[: self.reads]
            return x[: self.reads] @ x[: self.reads], g

        return run


@dataclass
class Embedding(Gradient):
    """The mean square of the rows of a table that a list of numbers names."""

    entries: int = 100_000
    width: int = 64
    reads: int = 10_000

    title = "10,000 rows by number of a table 100,000 x 64"
    demands: ClassVar = {"torch": 1.2}

    def problem(self, rng: np.random.Generator) -> Any:
        return [rng.normal(size=(self.entries, self.width))], ()

    def loss(self, xp: Any, table: Any) -> Any:
        rows = table[self.ids()]
        return xp.mean(rows * rows)

    def torch_loss(self, table: Any) -> Any:
        import torch
        from torch.nn.functional import embedding

        rows = embedding(torch.from_numpy(self.ids()), table)
        return torch.mean(rows * rows)

    def ids(self) -> Any:
        return np.random.default_rng(1).integers(0, self.entries, self.reads)

    def numpy(self, parameters: Any, data: Any) -> Run:
        (table,) = parameters

        def run() -> Any:
            ids = self.ids()
            rows = table[ids]
            g = np.zeros_like(table)
            order = np.argsort(ids, kind="stable")
            named, first = np.unique(ids[order], return_index=True)
            g[named] = np.add.reduceat(rows[order], first) * (2 / rows.size)
            return np.mean(rows * rows), g

        return run
