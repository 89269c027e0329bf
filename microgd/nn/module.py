"""Module: a model as a tree of parameters.

A model is a class with tensors, other models, and lists or dicts of them as attributes, and ``forward`` for what it
computes. It goes wherever a container of arrays goes: ``mg.grad`` with respect to a model gives a model of gradients,
``mg.gradcheck`` checks its parameters among the inputs, an optimizer takes it whole. Attributes made of inexact numbers
are parameters, in arrays as in tensors; Python numbers, integers, text and functions are settings. No registration, no
hidden state: what can be seen in ``vars(model)`` is all there is. A layer that stands in two places has two places in a
model of gradients too, each with its share, which ``backward`` adds up.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from textwrap import indent
from typing import Any, Self

from microgd.core.tensor import Tensor, differentiable
from microgd.core.tree import flatten, leaves_of
from microgd.errors import OptionError


class Module:
    """Base of every model: set parameters in ``__init__``, compute in ``forward``.

    >>> import numpy as np, microgd as mg
    >>> class Line(mg.nn.Module):
    ...     def __init__(self):
    ...         self.slope = mg.tensor(2.0, requires_grad=True)
    ...         self.intercept = mg.tensor(1.0, requires_grad=True)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.intercept
    >>> line = Line()
    >>> line(3.0).item(), list(line.named_parameters())
    (7.0, ['slope', 'intercept'])
    >>> optimizer = mg.optim.SGD(line, lr=0.1)
    """

    def forward(self, *inputs: Any) -> Any:
        """What the model computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method; write what it computes there")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def named_parameters(self) -> dict[str, Tensor]:
        """Every tensor that requires a gradient, once, by its path: ``{"layers[0].weight": ...}``."""
        found: dict[int, tuple[str, Tensor]] = {}
        for path, x in flatten(self)[0]:
            if isinstance(x, Tensor) and x.requires_grad:
                found.setdefault(id(x), (path.removeprefix("."), x))
        return dict(found.values())

    def parameters(self) -> list[Tensor]:
        """Every tensor that requires a gradient, once."""
        return list(self.named_parameters().values())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.zero_grad()

    def __tree__(self) -> tuple[dict[str, Any], Callable[[dict[str, Any]], Self]]:
        flat = {name: flatten(value) for name, value in vars(self).items()}
        leaves = {name + path: x for name, (entries, _) in flat.items() for path, x in entries if differentiable(x)}

        def rebuilt(parts: dict[str, Any]) -> Self:
            other = copy(self)
            for name, (entries, build) in flat.items():
                setattr(other, name, build([parts.get(name + path, x) for path, x in entries]))
            return other

        return leaves, rebuilt

    def __repr__(self) -> str:
        holding = {name: part for name, part in vars(self).items() if any(map(differentiable, leaves_of(part)))}
        inner = "\n".join(f"{name}: {shown(part)}" for name, part in holding.items())
        return f"{type(self).__name__}(\n{indent(inner, '  ')}\n)"


def shown(part: Any) -> str:
    """A part of a model as its ``repr`` has it: of arrays only the shape."""
    if isinstance(part, list | tuple):
        return "[\n" + indent("\n".join(map(shown, part)), "  ") + "\n]"
    if differentiable(part):
        return f"{part.dtype} {part.shape}"
    return getattr(part, "__name__", None) or repr(part)


class Sequential(Module):
    """One step after the other; each is a model or a function: Sequential(f, g)(x) = g(f(x)).

    Raises:
        OptionError: a step that cannot be called, or none.

    >>> import numpy as np, microgd as mg
    >>> model = mg.nn.Sequential(mg.nn.Linear(2, 8), np.tanh, mg.nn.Linear(8, 1))
    >>> model(np.ones((5, 2))).shape
    (5, 1)
    >>> model
    Sequential(
      steps: [
        Linear(2, 8)
        tanh
        Linear(8, 1)
      ]
    )
    """

    def __init__(self, *steps: Callable[[Any], Any]) -> None:
        for k, step in enumerate(steps):
            if not callable(step):
                raise OptionError(f"Sequential: step {k} is a {type(step).__name__}, which cannot be called")
        if not steps:
            raise OptionError("Sequential: expected at least one step")
        self.steps = list(steps)

    def forward(self, x: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return x
