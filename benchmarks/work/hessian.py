"""The Hessian of logistic regression: 100 parameters on 1,000 rows, all second derivatives in one batched pass."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import SCALARS_ONLY, Run, Work


@dataclass
class Hessian(Work):
    rows: int = 1_000
    features: int = 100

    title = "Hessian of logistic loss, 100 parameters, 1,000 rows"
    absent: ClassVar = {"micrograd": SCALARS_ONLY, "mygrad": "has first derivatives only"}
    demands: ClassVar = {"autograd": 0.25, "torch": 0.5}

    def problem(self, rng: np.random.Generator) -> Any:
        X = rng.normal(size=(self.rows, self.features))
        y = np.where(rng.random(self.rows) < 0.5, -1.0, 1.0)
        return [rng.normal(size=self.features) / self.features**0.5], (X, y)

    def microgd(self, parameters: Any, data: Any) -> Run:
        import microgd as mg

        X, y = data
        curvature = mg.hessian(lambda w: np.mean(np.logaddexp(0.0, -y * (X @ w))))
        return lambda: [curvature(*parameters)]

    def torch(self, parameters: Any, data: Any) -> Run:
        import torch
        from torch.nn.functional import softplus

        w, X, y = [torch.tensor(a) for a in (*parameters, *data)]
        curvature = torch.func.hessian(lambda w: softplus(-y * (X @ w)).mean())
        return lambda: [curvature(w)]

    def jax(self, parameters: Any, data: Any) -> Run:
        import jax
        import jax.numpy as jnp

        w, X, y = [jnp.asarray(a) for a in (*parameters, *data)]
        curvature = jax.jit(jax.hessian(lambda w: jnp.mean(jnp.logaddexp(0.0, -y * (X @ w)))))
        return lambda: [jax.block_until_ready(curvature(w))]

    def autograd(self, parameters: Any, data: Any) -> Run:
        import autograd
        import autograd.numpy as anp

        X, y = data
        curvature = autograd.hessian(lambda w: anp.mean(anp.logaddexp(0.0, -y * anp.dot(X, w))))
        return lambda: [curvature(*parameters)]

    def numpy(self, parameters: Any, data: Any) -> Run:
        (w,), (X, y) = parameters, data

        def run() -> Any:
            p = 1 / (1 + np.exp(-(X @ w)))
            return [(X * (p * (1 - p) / len(y))[:, None]).T @ X]

        return run
