"""A small multilayer perceptron, 20-64-64-1 with tanh: arrays so small that overhead decides.

One forward and one backward pass of the mean squared error over a batch of 64, in float64.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import Gradient, Run


@dataclass
class MLP(Gradient):
    batch: int = 64
    inputs: int = 20
    hidden: int = 64

    title = "MLP 20-64-64-1 tanh, batch 64"
    demands: ClassVar = {"torch": 0.7, "numpy": 1.5}

    def problem(self, rng: np.random.Generator) -> Any:
        sizes = [self.inputs, self.hidden, self.hidden, 1]
        parameters = []
        for n, m in pairwise(sizes):
            parameters += [rng.normal(size=(n, m)) / np.sqrt(n), np.zeros(m)]
        return parameters, (rng.normal(size=(self.batch, self.inputs)), rng.normal(size=(self.batch, 1)))

    def loss(self, xp: Any, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, y: Any) -> Any:
        h = xp.tanh(X @ W1 + b1)
        h = xp.tanh(h @ W2 + b2)
        d = h @ W3 + b3 - y
        return (d * d).mean()

    def torch_loss(self, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, y: Any) -> Any:
        import torch

        h = torch.tanh(torch.addmm(b1, X, W1))
        h = torch.tanh(torch.addmm(b2, h, W2))
        return torch.nn.functional.mse_loss(torch.addmm(b3, h, W3), y)

    def numpy(self, parameters: Any, data: Any) -> Run:
        W1, b1, W2, b2, W3, b3 = parameters
        X, y = data

        def run() -> Any:
            h1 = np.tanh(X @ W1 + b1)
            h2 = np.tanh(h1 @ W2 + b2)
            d = h2 @ W3 + b3 - y
            g = d * (2 / d.size)
            g2 = (g @ W3.T) * (1 - h2 * h2)
            g1 = (g2 @ W2.T) * (1 - h1 * h1)
            loss = np.vdot(d, d) / d.size
            return loss, X.T @ g1, g1.sum(0), h1.T @ g2, g2.sum(0), h2.T @ g, g.sum(0)

        return run
