"""One step of Adam on parameters whose gradients are given: many small arrays, or one large one.

Small arrays measure the cost of a parameter, the large one the traffic to memory. Everyone starts from zero
moments and keeps its own state from step to step; the answer is the parameters after the step. PyTorch has two
Adams for the CPU, the default and, with ``fused=True``, one kernel written in C++: each has its row. The two rules
written by hand, in NumPy and in JAX, also serve the classifier.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import SCALARS_ONLY, Run, Work

RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


class NumPyAdam:
    """Adam (Kingma and Ba, 2015) by hand: in place, without a temporary array."""

    def __init__(self, parameters: list[Any]) -> None:
        self.parameters = parameters
        self.moments = [(np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in parameters]
        self.t = 0

    def step(self, gradients: Any) -> None:
        self.t += 1
        rate = RATE / (1 - BETA1**self.t)
        root = (1 - BETA2**self.t) ** 0.5
        for p, g, (m, v, u) in zip(self.parameters, gradients, self.moments, strict=True):
            np.multiply(g, 1 - BETA1, out=u)
            m *= BETA1
            m += u
            np.multiply(g, g, out=u)
            u *= 1 - BETA2
            v *= BETA2
            v += u
            np.sqrt(v, out=u)
            u /= root
            u += EPS
            np.divide(m, u, out=u)
            u *= rate
            p -= u


def jax_adam(parameters: Any, moments: Any, t: Any, gradients: Any) -> Any:
    """The same rule as a function: new parameters and new moments."""
    from jax.numpy import sqrt
    from jax.tree_util import tree_map

    m, v = moments
    m = tree_map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
    v = tree_map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradients)
    rate, root = RATE / (1 - BETA1**t), sqrt(1 - BETA2**t)
    return tree_map(lambda p, m, v: p - rate * m / (sqrt(v) / root + EPS), parameters, m, v), (m, v)


@dataclass
class Adam(Work):
    count: int
    shape: tuple[int, ...]
    title: str
    fused: bool = False

    absent: ClassVar = {
        "autograd": "its Adam is a whole training loop; a step cannot be taken alone",
        "mygrad": "has no optimizers",
        "micrograd": SCALARS_ONLY,
    }

    @property
    def demands(self) -> dict[str, float]:
        return {} if self.fused else {"torch": 0.7}

    def problem(self, rng: np.random.Generator) -> Any:
        parameters = [rng.normal(size=self.shape) for _ in range(self.count)]
        return parameters, ([rng.normal(size=self.shape) for _ in range(self.count)],)

    def microgd(self, parameters: Any, data: Any) -> Run:
        import microgd as mg

        leaves = [mg.tensor(p, requires_grad=True) for p in parameters]
        for leaf, g in zip(leaves, *data, strict=True):
            leaf.grad = g
        optimizer = mg.optim.Adam(leaves, lr=RATE, betas=(BETA1, BETA2), eps=EPS)

        def run() -> Any:
            optimizer.step()
            return leaves

        return run

    def torch(self, parameters: Any, data: Any) -> Run:
        import torch

        leaves = [torch.tensor(p, requires_grad=True) for p in parameters]
        for leaf, g in zip(leaves, *data, strict=True):
            leaf.grad = torch.tensor(g)
        optimizer = torch.optim.Adam(leaves, lr=RATE, betas=(BETA1, BETA2), eps=EPS, fused=self.fused or None)

        def run() -> Any:
            optimizer.step()
            return leaves

        return run

    def jax(self, parameters: Any, data: Any) -> Run:
        import jax

        step = jax.jit(jax_adam, donate_argnums=(0, 1))
        state = [jax.numpy.array(p) for p in parameters]
        moments = ([jax.numpy.zeros_like(p) for p in state], [jax.numpy.zeros_like(p) for p in state])
        gradients = [jax.numpy.array(g) for g in data[0]]
        t = 0

        def run() -> Any:
            nonlocal state, moments, t
            t += 1
            state, moments = jax.block_until_ready(step(state, moments, float(t), gradients))
            return state

        return run

    def numpy(self, parameters: Any, data: Any) -> Run:
        optimizer = NumPyAdam([p.copy() for p in parameters])

        def run() -> Any:
            optimizer.step(*data)
            return optimizer.parameters

        return run
