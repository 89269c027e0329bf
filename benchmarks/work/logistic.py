"""Logistic regression on 100,000 rows of 50 features: two passes over a matrix, and no overhead to speak of.

One gradient of the mean log loss from logits, at random weights.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.work.base import Gradient, Run


@dataclass
class Logistic(Gradient):
    rows: int = 100_000
    features: int = 50

    title = "logistic regression, 100,000 x 50"
    demands: ClassVar = {"numpy": 1.15}

    def problem(self, rng: np.random.Generator) -> Any:
        X = rng.normal(size=(self.rows, self.features))
        y = (rng.random(self.rows) < 0.5).astype(float)
        return [rng.normal(size=self.features) / self.features**0.5, np.float64(0.1)], (X, y)

    def loss(self, xp: Any, w: Any, b: Any, X: Any, y: Any) -> Any:
        z = X @ w + b
        return xp.mean(xp.logaddexp(0.0, z) - y * z)

    def microgd_loss(self, w: Any, b: Any, X: Any, y: Any) -> Any:
        from microgd.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(X @ w + b, y)

    def torch_loss(self, w: Any, b: Any, X: Any, y: Any) -> Any:
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(X @ w + b, y)

    def numpy(self, parameters: Any, data: Any) -> Run:
        w, b = parameters
        X, y = data

        def run() -> Any:
            z = X @ w
            z += b
            e = np.abs(z)
            np.negative(e, out=e)
            np.exp(e, out=e)
            loss = (np.maximum(z, 0).sum() - y @ z + np.log1p(e).sum()) / len(y)
            e += 1
            np.minimum(z, 0, out=z)
            g = np.exp(z, out=z)
            g /= e
            g -= y
            g /= len(y)
            return loss, X.T @ g, g.sum()

        return run
