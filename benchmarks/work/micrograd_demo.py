"""micrograd's demo, scalar by scalar: 100 points of two moons through a 2-16-16-1 network of single numbers.

One epoch as in the notebook of github.com/karpathy/micrograd: scores, the max-margin loss of a support vector
machine, an L2 penalty, and the backward pass. ``network`` is the notebook's program over any kind of number;
by hand it is a program of matrices, which shows what scalars cost.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import Run, Work

ALPHA = 1e-4


def network(layers: Any, relu: Any, wrap: Any, X: Any, y: Any) -> Any:
    """Loss of neurons (weights, bias) in layers; ``wrap`` makes an input into the library's own number."""
    losses = []
    for row, label in zip(X, y, strict=True):
        h = [wrap(v) for v in row]
        for layer in layers:
            h = [sum((w * v for w, v in zip(weights, h, strict=True)), bias) for weights, bias in layer]
            if layer is not layers[-1]:
                h = [relu(v) for v in h]
        losses.append(relu(1 + -label * h[0]))
    data_loss = sum(losses) * (1.0 / len(losses))
    return data_loss + ALPHA * sum(p * p for layer in layers for weights, bias in layer for p in [*weights, bias])


@dataclass
class MicrogradDemo(Work):
    points: int = 100
    hidden: int = 16

    title = "micrograd's demo net, scalar by scalar"
    demands: ClassVar = {"micrograd": 0.25}
    absent: ClassVar = {"jax": "unrolled, this is one program of 200,000 equations, which takes minutes to compile"}

    @property
    def sizes(self) -> list[int]:
        return [2, self.hidden, self.hidden, 1]

    def problem(self, rng: np.random.Generator) -> Any:
        turn = rng.uniform(0, np.pi, size=self.points)
        y = np.where(np.arange(self.points) % 2, 1.0, -1.0)
        moons = np.stack([0.5 - y * (0.5 - np.cos(turn)), 0.25 - y * (np.sin(turn) - 0.25)], axis=1)
        X = moons + 0.1 * rng.normal(size=moons.shape)
        count = sum((n + 1) * m for n, m in pairwise(self.sizes))
        return rng.uniform(-1, 1, size=count).tolist(), (X.tolist(), y.tolist())

    def layers(self, numbers: Any) -> Any:
        """The flat list of numbers as layers of neurons."""
        feed = iter(numbers)
        return [[([next(feed) for _ in range(n)], next(feed)) for _ in range(m)] for n, m in pairwise(self.sizes)]

    def microgd(self, parameters: Any, data: Any) -> Run:
        import microgd as mg

        leaves = [mg.tensor(p, requires_grad=True) for p in parameters]
        layers = self.layers(leaves)

        def run() -> Any:
            for leaf in leaves:
                leaf.grad = None
            loss = network(layers, mg.relu, mg.tensor, *data)
            loss.backward()
            return [loss, *[leaf.grad for leaf in leaves]]

        return run

    def micrograd(self, parameters: Any, data: Any) -> Run:
        from micrograd.engine import Value

        leaves = [Value(p) for p in parameters]
        layers = self.layers(leaves)

        def run() -> Any:
            for leaf in leaves:
                leaf.grad = 0
            loss = network(layers, Value.relu, Value, *data)
            loss.backward()
            return [loss.data, *[leaf.grad for leaf in leaves]]

        return run

    def torch(self, parameters: Any, data: Any) -> Run:
        import torch

        number = lambda v: torch.tensor(v, dtype=torch.float64)
        leaves = [number(p).requires_grad_() for p in parameters]
        layers = self.layers(leaves)

        def run() -> Any:
            for leaf in leaves:
                leaf.grad = None
            loss = network(layers, torch.relu, number, *data)
            loss.backward()
            return [loss, *[leaf.grad for leaf in leaves]]

        return run

    def autograd(self, parameters: Any, data: Any) -> Run:
        import autograd
        import autograd.numpy as xp

        relu = lambda v: xp.maximum(v, 0.0)
        gradient = autograd.value_and_grad(lambda p: network(self.layers(p), relu, float, *data))

        def run() -> Any:
            loss, gradients = gradient(parameters)
            return [loss, *gradients]

        return run

    def mygrad(self, parameters: Any, data: Any) -> Run:
        import mygrad
        from mygrad.nnet import relu

        leaves = [mygrad.tensor(p) for p in parameters]
        layers = self.layers(leaves)

        def run() -> Any:
            for leaf in leaves:
                leaf.null_grad()
            loss = network(layers, relu, float, *data)
            loss.backward()
            return [loss, *[leaf.grad for leaf in leaves]]

        return run

    def numpy(self, parameters: Any, data: Any) -> Run:
        layers = [
            (np.array([w for w, _ in layer]), np.array([b for _, b in layer])) for layer in self.layers(parameters)
        ]
        (W1, b1), (W2, b2), (W3, b3) = layers
        X, y = np.array(data[0]), np.array(data[1])

        def run() -> Any:
            h1 = np.maximum(X @ W1.T + b1, 0)
            h2 = np.maximum(h1 @ W2.T + b2, 0)
            margin = np.maximum(1 - y * (h2 @ W3[0] + b3), 0)
            loss = margin.mean() + ALPHA * sum((W * W).sum() + (b * b).sum() for W, b in layers)
            g3 = np.where(margin > 0, -y, 0)[:, None] / len(y)
            g2 = (g3 @ W3) * (h2 > 0)
            g1 = (g2 @ W2) * (h1 > 0)
            flat = []
            for g, h, (W, b) in zip((g1, g2, g3), (X, h1, h2), layers, strict=True):
                flat.append(np.column_stack([g.T @ h + 2 * ALPHA * W, g.sum(0) + 2 * ALPHA * b]).ravel())
            return [loss, *np.concatenate(flat)]

        return run
