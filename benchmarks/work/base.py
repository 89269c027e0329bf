"""Work: one thing to compute, and how each runner computes it.

A work makes its numbers from a seed (``problem``) and has one method per runner. The method takes those numbers,
does whatever is not to be timed (conversion, compilation), and returns ``run``: each call does the work once and
returns what it computed, so that the runners can be held against each other. The method ``numpy`` is written by
hand, derivative and all, and is the reference. A runner that makes no sense for a work stands in ``absent``
with the reason. A work does not know how it is timed.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

RUNNERS = ("microgd", "torch", "jax", "autograd", "mygrad", "micrograd", "numpy")
SCALARS_ONLY = "has scalars only; this work is on arrays"

Run = Callable[[], Sequence[Any]]


class Work:
    """One kind of work. Subclasses are dataclasses whose fields are the sizes."""

    title: ClassVar[str]
    dtype: ClassVar[type] = np.float64
    absent: ClassVar[dict[str, str]] = {"micrograd": SCALARS_ONLY}
    """Runner -> why it does not take part."""
    demands: ClassVar[dict[str, float]] = {}
    """Runner -> the largest share of its time that microgd may take."""

    def problem(self, rng: np.random.Generator) -> tuple[list[Any], tuple[Any, ...]]:
        """Initial parameters, and data."""
        raise NotImplementedError


class Gradient(Work):
    """Work that is one loss and its gradient: a single formula serves every runner that differentiates.

    ``loss(xp, *parameters, *data)`` is written once, for any array namespace ``xp``. A subclass gives a runner
    a formula of its own where that runner has a faster way to say the same.
    """

    def loss(self, xp: Any, *arrays: Any) -> Any:
        """The loss in NumPy's words."""
        raise NotImplementedError

    def torch_loss(self, *arrays: Any) -> Any:
        """The loss as a PyTorch user writes it."""
        import torch

        return self.loss(torch, *arrays)

    def jax_loss(self, *arrays: Any) -> Any:
        """The loss as a JAX user writes it."""
        import jax.numpy as jnp

        return self.loss(jnp, *arrays)

    def microgd_loss(self, *arrays: Any) -> Any:
        """The loss as a microgd user writes it."""
        return self.loss(np, *arrays)

    def microgd(self, parameters: list[Any], data: tuple[Any, ...]) -> Run:
        import microgd as mg

        leaves = [mg.tensor(p, requires_grad=True) for p in parameters]
        constants = [mg.tensor(d) for d in data]

        def run() -> Sequence[Any]:
            for leaf in leaves:
                leaf.zero_grad()
            loss = self.microgd_loss(*leaves, *constants)
            loss.backward()
            return [loss, *[leaf.grad for leaf in leaves]]

        return run

    def torch(self, parameters: list[Any], data: tuple[Any, ...]) -> Run:
        import torch

        leaves = [torch.tensor(p, requires_grad=True) for p in parameters]
        constants = [torch.tensor(d) for d in data]

        def run() -> Sequence[Any]:
            for leaf in leaves:
                leaf.grad = None
            loss = self.torch_loss(*leaves, *constants)
            loss.backward()
            return [loss, *[leaf.grad for leaf in leaves]]

        return run

    def jax(self, parameters: list[Any], data: tuple[Any, ...]) -> Run:
        import jax

        gradient = jax.jit(jax.value_and_grad(self.jax_loss, tuple(range(len(parameters)))))
        arrays = [jax.numpy.asarray(a) for a in (*parameters, *data)]

        def run() -> Sequence[Any]:
            loss, gradients = jax.block_until_ready(gradient(*arrays))
            return [loss, *gradients]

        return run

    def autograd(self, parameters: list[Any], data: tuple[Any, ...]) -> Run:
        import autograd
        import autograd.numpy

        loss = lambda *arrays: self.loss(autograd.numpy, *arrays)
        gradient = autograd.value_and_grad(loss, tuple(range(len(parameters))))

        def run() -> Sequence[Any]:
            loss, gradients = gradient(*parameters, *data)
            return [loss, *gradients]

        return run

    def mygrad(self, parameters: list[Any], data: tuple[Any, ...]) -> Run:
        import mygrad

        leaves = [mygrad.tensor(p) for p in parameters]

        def run() -> Sequence[Any]:
            for leaf in leaves:
                leaf.null_grad()
            loss = self.loss(mygrad, *leaves, *data)
            loss.backward()
            return [loss, *[leaf.grad for leaf in leaves]]

        return run
