"""A recurrent network of 100 steps, hidden size 32, batch 16: a long graph of small arrays.

h = tanh(x_t W + h U + b); the loss is the mean square of the last h against a target. Everyone walks step by
step, the derivative by hand too: gathering the products of all steps into one before the loop would be another
program (and a faster one, for every runner). JAX unrolls nothing: its loop is ``lax.scan``.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import Gradient, Run


@dataclass
class RNN(Gradient):
    steps: int = 100
    hidden: int = 32
    batch: int = 16

    title = "RNN, 100 steps of 32, batch 16"
    demands: ClassVar = {"torch": 0.7, "numpy": 2.0}

    def problem(self, rng: np.random.Generator) -> Any:
        n = self.hidden
        parameters = [rng.normal(size=(n, n)) / n**0.5, rng.normal(size=(n, n)) / n**0.5, np.zeros(n)]
        return parameters, (rng.normal(size=(self.steps, self.batch, n)), rng.normal(size=(self.batch, n)))

    def loss(self, xp: Any, W: Any, U: Any, b: Any, X: Any, y: Any) -> Any:
        h = np.zeros(y.shape)
        for x in X:
            h = xp.tanh(x @ W + h @ U + b)
        d = h - y
        return (d * d).mean()

    def torch_loss(self, W: Any, U: Any, b: Any, X: Any, y: Any) -> Any:
        import torch

        h = torch.zeros_like(y)
        for x in X:
            h = torch.tanh(torch.addmm(torch.addmm(b, x, W), h, U))
        return torch.nn.functional.mse_loss(h, y)

    def jax_loss(self, W: Any, U: Any, b: Any, X: Any, y: Any) -> Any:
        import jax
        import jax.numpy as jnp

        h, _ = jax.lax.scan(lambda h, x: (jnp.tanh(x @ W + h @ U + b), None), jnp.zeros_like(y), X)
        d = h - y
        return (d * d).mean()

    def numpy(self, parameters: Any, data: Any) -> Run:
        W, U, b = parameters
        X, y = data

        def run() -> Any:
            states = [np.zeros(y.shape)]
            for x in X:
                states.append(np.tanh(x @ W + states[-1] @ U + b))
            d = states[-1] - y
            dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
            g = d * (2 / d.size)
            for x, before, h in zip(X[::-1], states[-2::-1], states[::-1], strict=False):
                g = g * (1 - h * h)
                dW += x.T @ g
                dU += before.T @ g
                db += g.sum(0)
                g = g @ U.T
            return np.vdot(d, d) / d.size, dW, dU, db

        return run
