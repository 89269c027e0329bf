"""Forward mode: a dual number carries its derivative along, from inputs to outputs, with nothing recorded.

The same rules as in reverse mode serve, by form: an elementwise rule scales a tangent as it scales a cotangent; a
linear function acts on tangents as on values; a bilinear one on each tangent in turn. Where only the way back is
declared, it is differentiated: u -> J'u is linear, so its transpose applied to t is J t.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from microgd.core.box import Box, dispatch
from microgd.core.primitive import Primitive
from microgd.core.tape import cast, conjugate, frozen_level, new_level
from microgd.core.tensor import differentiable, refuse_captured, stopped
from microgd.core.tree import flatten, flatten_like, tree_map
from microgd.core.watch import tell, watchers
from microgd.core.zeros import holds_nan, zero_wins, zeros_win_in_sums
from microgd.errors import DtypeError, ShapeError, UnsupportedError
from microgd.ops.shape import array_of
from microgd.transforms.checkpoint import checkpointed
from microgd.transforms.reverse import grad, own, vjp

Array = Any


class Dual(Box):
    """A value and the tangent that belongs to it, of the same shape and dtype; None for a constant."""

    __slots__ = ("level", "tangent", "value")

    def __init__(self, value: Array, tangent: Array | None, level: float) -> None:
        self.value, self.tangent, self.level = value, tangent, level

    def process(self, row: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Compute the value one level down, and beside it the tangent."""
        if row.function is checkpointed:  # nothing is kept on the way forward
            return params["segment"].straight(*operands)
        values, tangents = [], []
        for x in operands:
            mine = isinstance(x, Dual) and x.level == self.level
            values.append(x.value if mine else x)
            tangents.append(x.tangent if mine else None)
        ans = dispatch(row, tuple(values), params)
        refuse_captured(row, ans, self.level)
        if watchers:
            tell("forward", row, values, params, ans)
        tangent = None
        if row.form != "flat" and self.level > frozen_level.get() and any(t is not None for t in tangents):
            with np.errstate(all="ignore"):  # an infinite derivative is an answer, not a surprise
                tangent = PUSHES[row.form](row, ans, values, tangents, params)
        if tangent is None:
            return Dual(ans, None, self.level) if differentiable(ans) else ans
        if tangent.shape != ans.shape:
            tangent = np.broadcast_to(tangent, ans.shape)
        tangent = cast(tangent, ans.dtype)
        if watchers:
            tell("tangent", row, values, tangents, tangent)
        return Dual(ans, tangent, self.level)

    def stopped(self) -> Any:
        """The value alone."""
        return stopped(self.value)

    def replace(self, other: Any) -> Self:
        """Become another dual number of this transform."""
        if not (isinstance(other, Dual) and other.level == self.level):
            raise UnsupportedError("assignment: the value belongs to an inner transform; make the array inside of it")
        self.value, self.tangent = other.value, other.tangent
        return self


def summed(terms: list[Array]) -> Array | None:
    """The sum of the parts that the operands contribute, or None if there is none."""
    return sum(terms[1:], terms[0]) if terms else None


def push_elementwise(row: Primitive, ans: Array, values: list[Any], tangents: list[Any], params: dict[str, Any]) -> Any:
    terms = []
    for i, t in enumerate(tangents):
        if t is not None and row.rules[i] is not None:
            _, _, *saved = row.keeps[i](None, i, ans, *values, **params)
            term = row.rules[i](t, *saved)
            if holds_nan(term):
                term = zero_wins(term, t, row.rules[i](np.ones_like(t), *saved))
            terms.append(term)
    return summed(terms)


def push_linear(row: Primitive, ans: Array, values: list[Any], tangents: list[Any], params: dict[str, Any]) -> Any:
    pushed = [
        t if t is not None else x if row.rules[i] is None else np.zeros_like(x)  # no rule: a constant, such as an index
        for i, (x, t) in enumerate(zip(values, tangents, strict=True))
    ]
    return dispatch(row, tuple(pushed), params)


def push_bilinear(row: Primitive, ans: Array, values: list[Any], tangents: list[Any], params: dict[str, Any]) -> Any:
    terms = []
    for i, t in enumerate(tangents):
        if t is not None and row.rules[i] is not None:
            factors = (*values[:i], t, *values[i + 1 :])
            term = dispatch(row, factors, params)
            if holds_nan(term) and None not in row.rules:
                term = zeros_win_in_sums(term, lambda *xs: dispatch(row, xs, params), factors, i)
            terms.append(term)
    return summed(terms)


def push_general(row: Primitive, ans: Array, values: list[Any], tangents: list[Any], params: dict[str, Any]) -> Any:
    terms = []
    for i, t in enumerate(tangents):
        if t is not None and row.pushes and (push := row.pushes[i]):
            rule, keep = push
            _, _, *saved = keep(None, i, ans, *values, **params)
            terms.append(rule(t, *saved))
        elif t is not None and row.rules[i] is not None:
            _, _, *saved = row.keeps[i](None, i, ans, *values, **params)
            pulled, transpose = vjp(lambda u, i=i, saved=saved: row.rules[i](u, *saved), np.ones_like(ans))
            if t.shape != pulled.shape:  # as a rule may leave it to the sweep
                t = np.broadcast_to(t, pulled.shape)
            terms.append(conjugate(transpose(conjugate(t))[0]))  # the transpose, without vjp's complex conjugates
    return summed(terms)


PUSHES: dict[str, Callable[..., Any]] = {
    "elementwise": push_elementwise,
    "linear": push_linear,
    "bilinear": push_bilinear,
    "general": push_general,
}


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """The value of ``f`` and its directional derivative: (f(x), J t).

    Args:
        f: a function of arrays or containers of arrays. primals: where, as a tuple of its arguments.
        tangents: in which direction, with the structure and shapes of ``primals``.

    Raises:
        DtypeError: a primal is made of integers. ShapeError: a tangent of another shape than its primal.

    >>> import numpy as np, microgd as mg
    >>> value, slope = mg.jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 10.0))
    >>> float(value), float(slope)
    (12.0, 34.0)
    """
    entries, build = flatten(tuple(primals))
    directions = flatten_like(tuple(tangents), [path for path, _ in entries], "jvp")
    with new_level() as level:
        duals = [dual(x, t, level, path) for (path, x), t in zip(entries, directions, strict=True)]
        out = tree_map(lambda x: own(x, level), f(*build(duals)))

    def mine(x: Any) -> bool:
        return isinstance(x, Dual) and x.level == level

    def slope(x: Any) -> Any:
        value, tangent = (x.value, x.tangent) if mine(x) else (x, None)
        return np.zeros_like(value) if tangent is None else owned(tangent, directions)

    return tree_map(lambda x: x.value if mine(x) else x, out), tree_map(slope, out)


def owned(x: Any, others: list[Any]) -> Any:
    """An array that may be changed without changing anyone else's."""
    shared = type(x) is np.ndarray and (x.base is not None or any(x is other for other in others))
    return x.copy() if shared else x


def dual(x: Any, t: Any, level: float, path: str) -> Dual:
    """One input with its tangent."""
    value, tangent = array_of(x), array_of(t)
    if not differentiable(value):
        raise DtypeError(
            f"argument {path}: expected floating-point numbers, got {value.dtype}; convert with dtype=float"
        )
    if value.shape != tangent.shape:
        raise ShapeError(f"jvp{path}: expected a tangent of shape {value.shape}, its primal's, got {tangent.shape}")
    return Dual(value, tangent if tangent.dtype == value.dtype else tangent.astype(value.dtype), level)


def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """The product of the Hessian of a scalar function with a vector, forward over reverse: hvp(f)(x, v) = H(x) v.

    Args:
        f: a scalar-valued function of one argument, an array or container. v has its structure and shapes.

    Raises:
        GraphError: the output is not a scalar. ShapeError: v has another structure or shape than x.

    >>> import numpy as np, microgd as mg
    >>> mg.hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 0.5]))
    array([6., 6.])
    """
    return lambda x, v: jvp(grad(f), (x,), (v,))[1]
