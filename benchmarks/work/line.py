"""A line fitted by gradient descent: the first program everyone writes, and all of it overhead.

A hundred full-batch steps of y = m x + b on a hundred points from m = b = 0: loss, gradient, update.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import Run, Work

RATE = 0.1


@dataclass
class Line(Work):
    points: int = 100
    steps: int = 100

    title = "line, 100 points, 100 steps"
    demands: ClassVar = {"torch": 0.35}

    def problem(self, rng: np.random.Generator) -> Any:
        x = rng.normal(size=self.points)
        return [0.0, 0.0], (x, 3 * x - 1 + 0.1 * rng.normal(size=self.points))

    @staticmethod
    def loss(m: Any, b: Any, x: Any, y: Any) -> Any:
        d = m * x + b - y
        return (d * d).mean()

    def microgd(self, parameters: Any, data: Any) -> Run:
        import microgd as mg

        x, y = data

        def run() -> Any:
            m, b = [mg.tensor(p, requires_grad=True) for p in parameters]
            for _ in range(self.steps):
                m.grad = b.grad = None
                loss = self.loss(m, b, x, y)
                loss.backward()
                with mg.no_grad():
                    m -= RATE * m.grad
                    b -= RATE * b.grad
            return loss, m, b

        return run

    def torch(self, parameters: Any, data: Any) -> Run:
        import torch

        x, y = [torch.tensor(d) for d in data]

        def run() -> Any:
            m, b = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in parameters]
            for _ in range(self.steps):
                m.grad = b.grad = None
                loss = self.loss(m, b, x, y)
                loss.backward()
                with torch.no_grad():
                    m -= RATE * m.grad
                    b -= RATE * b.grad
            return loss, m, b

        return run

    def jax(self, parameters: Any, data: Any) -> Run:
        import jax

        gradient = jax.value_and_grad(self.loss, (0, 1))

        @jax.jit
        def descend(m: Any, b: Any, x: Any, y: Any) -> Any:
            def step(_: Any, state: Any) -> Any:
                _, m, b = state
                loss, (dm, db) = gradient(m, b, x, y)
                return loss, m - RATE * dm, b - RATE * db

            return jax.lax.fori_loop(0, self.steps, step, (m, m, b))

        arrays = [jax.numpy.asarray(a) for a in (*parameters, *data)]
        return lambda: jax.block_until_ready(descend(*arrays))

    def autograd(self, parameters: Any, data: Any) -> Run:
        import autograd

        gradient = autograd.value_and_grad(self.loss, (0, 1))

        def run() -> Any:
            m, b = parameters
            for _ in range(self.steps):
                loss, (dm, db) = gradient(m, b, *data)
                m, b = m - RATE * dm, b - RATE * db
            return loss, m, b

        return run

    def mygrad(self, parameters: Any, data: Any) -> Run:
        import mygrad

        def run() -> Any:
            m, b = [mygrad.tensor(p) for p in parameters]
            for _ in range(self.steps):
                loss = self.loss(m, b, *data)
                loss.backward()
                m.data -= RATE * m.grad
                b.data -= RATE * b.grad
            return loss, m, b

        return run

    def numpy(self, parameters: Any, data: Any) -> Run:
        x, y = data
        n = len(x)

        def run() -> Any:
            m, b = parameters
            for _ in range(self.steps):
                d = m * x + b - y
                loss = d @ d / n
                m -= RATE * 2 / n * (d @ x)
                b -= RATE * 2 / n * d.sum()
            return loss, m, b

        return run
