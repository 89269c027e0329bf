"""Checkpointing: forget what a function computed on the way, and compute it again on the way back.

Memory for time: of a checkpointed function only the arguments are kept. (Griewank and Walther 2000, "Revolve", here
with one level, as in Chen et al. 2016, "Training deep nets with sublinear memory cost".)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from microgd.core.box import Box, call, dispatching
from microgd.core.primitive import general
from microgd.core.tape import cast, conjugate, new_level
from microgd.core.tensor import constant, differentiable
from microgd.core.tree import flatten
from microgd.transforms.reverse import lowered, vjp


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which keeps only its arguments for the way back and runs a second time there.

    Args:
        f: a function of arrays or containers, returning the same. It must be deterministic, and every tensor that
            should receive a gradient must be an argument.

    Raises:
        GraphError: ``f`` uses a tensor that requires a gradient and was not passed in.

    >>> import numpy as np, microgd as mg
    >>> block = mg.checkpoint(lambda x: np.sin(np.sin(x)))
    >>> float(mg.grad(block)(1.0)) == float(mg.grad(lambda x: np.sin(np.sin(x)))(1.0))
    True
    """

    @wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, build = flatten((args, kwargs))
        operands = [x for _, x in leaves if isinstance(x, Box) or differentiable(x)]
        if not any(isinstance(x, Box) for x in operands):
            return f(*args, **kwargs)

        def of_operands(*xs: Any) -> Any:
            given = iter(xs)
            full = [next(given) if isinstance(x, Box) or differentiable(x) else x for _, x in leaves]
            inner_args, inner_kwargs = build(full)
            return f(*inner_args, **inner_kwargs)

        segment = Segment(of_operands)
        return segment.unpacked(call(checkpointed, tuple(operands), {"segment": segment}))

    return run


class Segment:
    """One run of a checkpointed function: what it takes to run it again."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.seen: Any = None
        self.cotangents: dict[int, Any] = {}

    def packed(self, *xs: Any) -> Any:
        """All outputs that can be differentiated as one array, since a node has one value."""
        leaves, self.build = flatten(self.f(*xs))
        outs = [x if hasattr(x, "dtype") else np.asarray(x)[()] for _, x in leaves]
        self.forms = [(x.shape, x.dtype) if differentiable(x) else x for x in outs]
        inexact = [x for x in outs if differentiable(x)]
        if len(inexact) == 1:
            return inexact[0]
        return np.concatenate([np.reshape(x, -1) for x in inexact]) if inexact else np.zeros(0)

    def straight(self, *xs: Any) -> Any:
        """``packed`` on handles of its own, as the function may assign to what it is given."""
        with new_level() as level:
            return lowered(self.packed(*[constant(x, level) for x in xs]), level)

    def unpacked(self, packed: Any) -> Any:
        """The outputs in their places, each with its shape and dtype; what has no derivative is as it was."""
        forms = [form for form in self.forms if isinstance(form, tuple)]
        if len(forms) == 1:
            parts = iter([packed])
        else:
            ends = [int(end) for end in np.cumsum([math.prod(shape) for shape, _ in forms])]
            pieces = np.split(packed, ends[:-1]) if forms else []
            parts = iter(cast(p.reshape(shape), dtype) for p, (shape, dtype) in zip(pieces, forms, strict=True))
        return self.build([next(parts) if isinstance(form, tuple) else form for form in self.forms])

    def cotangent(self, g: Any, i: int, xs: Any) -> Any:
        """That of operand ``i``. One second run serves all operands, which ask one after the other."""
        if g is not self.seen or i not in self.cotangents:
            self.seen = g
            self.cotangents = dict(enumerate(vjp(self.packed, *xs)[1](conjugate(g))))
        return conjugate(self.cotangents.pop(i))


@dispatching
def checkpointed(*xs: Any, segment: Segment) -> Any:
    """The outputs of a segment."""
    return segment.straight(*xs)


general(
    checkpointed,
    lambda g, i, xs, segment: segment.cotangent(g, i, xs),
    signature="*xs, segment",
    bind=lambda *xs, segment: (xs, {"segment": segment}),
    forward=checkpointed,
)
