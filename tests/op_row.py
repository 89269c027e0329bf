"""A row of the op table: how to call one function with a derivative, and on which numbers.

An operand is written as ``A(shape, domain)``; whatever else stands in a call is passed as it is. The domains keep
random points away from kinks and poles, where a numeric derivative means nothing; those points have a table of
their own in ``test_special_values.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


def grid(rng: np.random.Generator, shape: tuple[int, ...], offset: int) -> Any:
    """Numbers that differ by at least 0.2, and by 0.1 from those of the other offset: no ties within a step."""
    return (0.2 * rng.permutation(np.arange(np.prod(shape, dtype=int))) + 0.1 * offset - 0.4).reshape(shape)


DOMAINS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Any]] = {
    "real": lambda rng, shape: rng.uniform(-2, 2, shape),
    "positive": lambda rng, shape: rng.uniform(0.6, 2.5, shape),
    "unit": lambda rng, shape: rng.uniform(-0.8, 0.8, shape),
    "above one": lambda rng, shape: rng.uniform(1.3, 3, shape),
    "nonzero": lambda rng, shape: rng.uniform(0.6, 2, shape) * rng.choice([-1, 1], shape),
    "even": lambda rng, shape: grid(rng, shape, 0),
    "odd": lambda rng, shape: grid(rng, shape, 1),
    "low": lambda rng, shape: rng.uniform(-2, -1.2, shape),
    "middle": lambda rng, shape: rng.uniform(-0.8, 0.8, shape),
    "high": lambda rng, shape: rng.uniform(1.65, 1.9, shape),
    "divisor": lambda rng, shape: rng.uniform(0.7, 0.8, shape),
}


@dataclass(frozen=True)
class A:
    """An operand: a shape and the numbers it may hold."""

    shape: tuple[int, ...] = (2, 3)
    domain: str = "real"

    def draw(self, rng: np.random.Generator, dtype: Any) -> Any:
        return np.asarray(DOMAINS[self.domain](rng, self.shape), dtype=dtype)[()]


@dataclass(frozen=True)
class Row:
    """One way to call one function: ``key`` is its key in the table of primitives."""

    key: Callable[..., Any]
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    complex_step: bool = False

    def __str__(self) -> str:
        words = [str(a.shape) if isinstance(a, A) else repr(a) for a in self.args]
        words += [f"{key}={value!r}" for key, value in self.kwargs.items()]
        ufunc = getattr(self.key, "__self__", None)  # np.add.outer is a method
        name = f"{ufunc.__name__}.{self.key.__name__}" if isinstance(ufunc, np.ufunc) else self.key.__name__
        text = f"{name}({', '.join(words)})".replace("\n", "")
        return re.sub(r"<(?:function|ufunc) '?(\w+)[^>]*>", r"\1", text)  # by name: addresses change with the process

    def draw(self, seed: int, dtype: Any = np.float64) -> list[Any]:
        """Random operands."""
        rng = np.random.default_rng(seed)
        nested = [arg if isinstance(arg, list) else [arg] for arg in self.args]
        return [item.draw(rng, dtype) for group in nested for item in group if isinstance(item, A)]

    def __call__(self, *operands: Any) -> Any:
        """Call the function, with the operands in the places of the specifications."""
        rest = iter(operands)

        def fill(arg: Any) -> Any:
            if isinstance(arg, list):
                return [fill(item) for item in arg]
            return next(rest) if isinstance(arg, A) else arg

        return self.function(*[fill(arg) for arg in self.args], **self.kwargs)

    def on_arrays(self) -> Row:
        """The same call of a function that takes plain arrays: the reference where NumPy has no such function."""
        return replace(self, function=REFERENCES.get(self.key, self.function))


def row(key: Callable[..., Any], *args: Any, complex_step: bool = False, **kwargs: Any) -> Row:
    return Row(key, AS_CALLED.get(key, key), args, kwargs, complex_step)


AS_CALLED: dict[Any, Callable[..., Any]] = {}
"""How to call keys that are not called by their own name."""

REFERENCES: dict[Any, Callable[..., Any]] = {}
"""What functions that NumPy lacks should compute, on plain arrays."""


def ways(function: Callable[..., Any], *shapes: tuple[int, ...], domain: str = "real", **kwargs: Any) -> list[Row]:
    """An elementwise function of one operand, on arrays and on a scalar."""
    return [row(function, A(shape, domain), **kwargs) for shape in (shapes or ((2, 3), ()))]


def pairs(function: Callable[..., Any], first: str = "real", second: str = "real", **kwargs: Any) -> list[Row]:
    """An elementwise function of two operands: equal shapes, both ways of broadcasting, scalars, a constant."""
    shapes = [((2, 3), (2, 3)), ((3,), (2, 1)), ((2, 1, 2), (3, 1)), ((), (2,)), ((2,), ()), ((), ())]
    return [row(function, A(a, first), A(b, second), **kwargs) for a, b in shapes]
