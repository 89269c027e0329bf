"""Layers: models that networks are built from."""

from __future__ import annotations

from typing import Any

import numpy as np

from microgd.core.tensor import tensor
from microgd.errors import OptionError, ShapeError
from microgd.nn.module import Module


class Linear(Module):
    """A weighted sum of the features for every output: y = x W' + b.

    Weights and biases start uniform in +-1/sqrt(inputs), as PyTorch's do.

    Args:
        inputs, outputs: how many features come in and go out. x has shape (..., inputs), ``weight`` (outputs, inputs).
        bias: whether there is a b, of shape (outputs,).
        rng: a generator, or the seed of one, from which the parameters are drawn; without it they differ every time.
            Layers of one network share a generator: from one seed, layers of one size would be the same.
        dtype: of the parameters.

    Raises:
        OptionError: fewer than one input or output. ShapeError, when called: another number of features.

    >>> import numpy as np, microgd as mg
    >>> layer = mg.nn.Linear(3, 2, rng=0)
    >>> layer
    Linear(3, 2)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bias: bool = True,
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float64,
    ) -> None:
        if inputs < 1 or outputs < 1:
            raise OptionError(f"Linear: expected at least one input and one output, got {inputs} and {outputs}")
        rng, bound = np.random.default_rng(rng), inputs**-0.5
        self.weight = tensor(rng.uniform(-bound, bound, (outputs, inputs)), dtype=dtype, requires_grad=True)
        self.bias = tensor(rng.uniform(-bound, bound, outputs), dtype=dtype, requires_grad=True) if bias else None

    def forward(self, x: Any) -> Any:
        outputs, inputs = self.weight.shape
        if np.ndim(x) == 0 or np.shape(x)[-1] != inputs:
            raise ShapeError(
                f"Linear({inputs}, {outputs}): expected {inputs} features along the last axis, got shape {np.shape(x)}"
            )
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias

    def __repr__(self) -> str:
        outputs, inputs = self.weight.shape
        return f"Linear({inputs}, {outputs}{'' if self.bias is not None else ', bias=False'})"
