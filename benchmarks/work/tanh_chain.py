"""Ten tanh in a row on a million doubles: memory and the speed of one function, forward and backward."""

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

        def run() -> Any:
            answers = [np.tanh(x)]
            for _ in range(self.length - 1):
                answers.append(np.tanh(answers[-1]))
            loss = answers[-1].sum()
            g = np.ones_like(x)
            for t in reversed(answers):
                np.multiply(t, t, out=t)
                np.subtract(1, t, out=t)
                g *= t
            return loss, g

        return run
