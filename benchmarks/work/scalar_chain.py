"""A chain of 50,000 scalar operations, alternately * and +: the cost of one node, and of depth.

y = y c, y = y + c, again and again from y = x; gradients to x and c. By hand the derivatives are two running
sums over Python floats.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import Gradient, Run


@dataclass
class ScalarChain(Gradient):
    length: int = 50_000

    title = "chain of 50,000 scalar ops"
    demands: ClassVar = {"torch": 0.5}
    absent: ClassVar = {"micrograd": "its backward recurses, and ends in a RecursionError at this depth"}

    def problem(self, rng: np.random.Generator) -> Any:
        return [np.float64(1 + 0.1 * rng.random()), np.float64(0.9999)], ()

    def loss(self, xp: Any, x: Any, c: Any) -> Any:
        y = x
        for _ in range(self.length // 2):
            y = y * c
            y = y + c
        return y

    def jax_loss(self, x: Any, c: Any) -> Any:
        import jax

        y, _ = jax.lax.scan(lambda y, _: (y * c + c, None), x, length=self.length // 2)
        return y

    def numpy(self, parameters: Any, data: Any) -> Run:
        x, c = map(float, parameters)

        def run() -> Any:
            y = x
            saved = []
            for _ in range(self.length // 2):
                saved.append(y)
                y = y * c + c
            g, dc = 1.0, 0.0
            for before in reversed(saved):
                dc += g * (before + 1)
                g *= c
            return y, g, dc

        return run
