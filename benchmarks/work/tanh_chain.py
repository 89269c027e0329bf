"""Ten tanh in a row on a million doubles: memory and the speed of one function, forward and backward.

By hand nothing is allocated from call to call: fresh pages from the system would cost as much as the arithmetic.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.work.base import Gradient, Run


@dataclass
class TanhChain(Gradient):
    size: int = 1_000_000
    length: int = 10

    title = "chain of 10 tanh, 1,000,000 doubles"

    def problem(self, rng: np.random.Generator) -> Any:
        return [rng.normal(size=self.size)], ()

    def loss(self, xp: Any, x: Any) -> Any:
        for _ in range(self.length):
            x = xp.tanh(x)
        return x.sum()

    def numpy(self, parameters: Any, data: Any) -> Run:
        (x,) = parameters
        answers = [np.empty_like(x) for _ in range(self.length)]
        g = np.empty_like(x)

        def run() -> Any:
            h = x
            for t in answers:
                h = np.tanh(h, out=t)
            loss = h.sum()
            g.fill(1)
            for t in reversed(answers):
                np.multiply(t, t, out=t)
                np.subtract(1, t, out=t)
                np.multiply(g, t, out=g)
            return loss, g

        return run
