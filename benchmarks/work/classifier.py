"""A training step of a classifier, 784-512-256-10 with relu, in float32: where matrix products decide.

Cross-entropy from logits over a batch of 128, its gradient, and one step of Adam, in the sizes of MNIST. Each
runner keeps training on the one batch; runners without an Adam of their own take the one written by hand.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.adam import NumPyAdam, jax_adam
from benchmarks.work.base import Run, Work


def logits(relu: Any, W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any) -> Any:
    h = relu(X @ W1 + b1)
    h = relu(h @ W2 + b2)
    return h @ W3 + b3


@dataclass
class Classifier(Work):
    batch: int = 128
    sizes: tuple[int, ...] = (784, 512, 256, 10)

    title = "784-512-256-10 relu + Adam, batch 128"
    dtype = np.float32
    demands: ClassVar = {"numpy": 1.15}

    def problem(self, rng: np.random.Generator) -> Any:
        parameters = []
        for n, m in pairwise(self.sizes):
            parameters += [(rng.normal(size=(n, m)) * (2 / n) ** 0.5).astype("f"), np.zeros(m, "f")]
        X = rng.normal(size=(self.batch, self.sizes[0])).astype("f")
        return parameters, (X, rng.integers(self.sizes[-1], size=self.batch))

    def microgd(self, parameters: Any, data: Any) -> Run:
        import microgd as mg
        from microgd.nn.functional import cross_entropy

        leaves = [mg.tensor(p, requires_grad=True) for p in parameters]
        X, labels = mg.tensor(data[0]), data[1]
        optimizer = mg.optim.Adam(leaves)

        def run() -> Any:
            optimizer.zero_grad()
            loss = cross_entropy(logits(mg.relu, *leaves, X), labels)
            loss.backward()
            optimizer.step()
            return [loss, *leaves]

        return run

    def torch(self, parameters: Any, data: Any) -> Run:
        import torch
        from torch.nn.functional import cross_entropy, relu

        leaves = [torch.tensor(p, requires_grad=True) for p in parameters]
        W1, b1, W2, b2, W3, b3 = leaves
        X, labels = [torch.tensor(d) for d in data]
        optimizer = torch.optim.Adam(leaves)

        def run() -> Any:
            optimizer.zero_grad()
            h = relu(torch.addmm(b1, X, W1))
            h = relu(torch.addmm(b2, h, W2))
            loss = cross_entropy(torch.addmm(b3, h, W3), labels)
            loss.backward()
            optimizer.step()
            return [loss, *leaves]

        return run

    def jax(self, parameters: Any, data: Any) -> Run:
        import jax

        def cost(parameters: Any, X: Any, labels: Any) -> Any:
            z = jax.nn.log_softmax(logits(jax.nn.relu, *parameters, X))
            return -jax.numpy.take_along_axis(z, labels[:, None], 1).mean()

        def step(parameters: Any, moments: Any, t: Any, X: Any, labels: Any) -> Any:
            loss, gradients = jax.value_and_grad(cost)(parameters, X, labels)
            return loss, *jax_adam(parameters, moments, t, gradients)

        compiled = jax.jit(step, donate_argnums=(0, 1))
        state = [jax.numpy.array(p) for p in parameters]
        moments = ([jax.numpy.zeros_like(p) for p in state], [jax.numpy.zeros_like(p) for p in state])
        arrays = [jax.numpy.asarray(d) for d in data]
        t = 0

        def run() -> Any:
            nonlocal state, moments, t
            t += 1
            loss, state, moments = jax.block_until_ready(compiled(state, moments, np.float32(t), *arrays))
            return [loss, *state]

        return run

    def autograd(self, parameters: Any, data: Any) -> Run:
        import autograd
        import autograd.numpy as xp
        from autograd.scipy.special import logsumexp

        X, labels = data
        rows = np.arange(len(labels))

        def cost(parameters: Any) -> Any:
            z = logits(lambda x: xp.maximum(x, 0), *parameters, X)
            return xp.mean(logsumexp(z, axis=1) - z[rows, labels])

        gradient = autograd.value_and_grad(cost)
        optimizer = NumPyAdam([p.copy() for p in parameters])

        def run() -> Any:
            loss, gradients = gradient(optimizer.parameters)
            optimizer.step(gradients)
            return [loss, *optimizer.parameters]

        return run

    def mygrad(self, parameters: Any, data: Any) -> Run:
        import mygrad
        from mygrad.nnet import relu, softmax_crossentropy

        leaves = [mygrad.tensor(p) for p in parameters]
        optimizer = NumPyAdam([leaf.data for leaf in leaves])

        def run() -> Any:
            loss = softmax_crossentropy(logits(relu, *leaves, data[0]), data[1])
            loss.backward()
            optimizer.step([leaf.grad for leaf in leaves])
            return [loss, *leaves]

        return run

    def numpy(self, parameters: Any, data: Any) -> Run:
        parameters = [p.copy() for p in parameters]
        W1, b1, W2, b2, W3, b3 = parameters
        X, labels = data
        rows = np.arange(len(labels))
        optimizer = NumPyAdam(parameters)

        def run() -> Any:
            h1 = X @ W1
            h1 += b1
            np.maximum(h1, 0, out=h1)
            h2 = h1 @ W2
            h2 += b2
            np.maximum(h2, 0, out=h2)
            z = h2 @ W3
            z += b3
            z -= z.max(1, keepdims=True)
            e = np.exp(z)
            total = e.sum(1, keepdims=True)
            loss = (np.log(total[:, 0]) - z[rows, labels]).mean()
            g = e / total
            g[rows, labels] -= 1
            g /= len(rows)
            g2 = g @ W3.T
            g2 *= h2 > 0
            g1 = g2 @ W2.T
            g1 *= h1 > 0
            optimizer.step([X.T @ g1, g1.sum(0), h1.T @ g2, g2.sum(0), h2.T @ g, g.sum(0)])
            return [loss, *parameters]

        return run
