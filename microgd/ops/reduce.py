"""Reductions: sums, means, products, variances and extremes along axes.

The transpose of a sum is to give every entry its group's cotangent (``spread``). Where entries tie for the
largest or smallest, they share the gradient evenly.
"""

import math
from typing import Any

import numpy as np

from microgd.core.primitive import composed, flat, general, linear
from microgd.ops.guard import over


def axes(axis: Any, ndim: Any) -> Any:
    """The reduced axes as a tuple of numbers from 0."""
    if axis is None:
        return tuple(range(ndim))
    return tuple([a % ndim for a in (axis if isinstance(axis, tuple | list) else (axis,))])


def kept(reduced: Any, shape: Any, axis: Any, keepdims: Any) -> Any:
    """A reduced value with its reduced axes back, each of length 1."""
    if keepdims or not shape:
        return reduced
    if axis is None:
        return reduced  # a scalar broadcasts as it is
    gone = axes(axis, len(shape))
    return reduced.reshape([1 if k in gone else n for k, n in enumerate(shape)])


def spread(g: Any, shape: Any, axis: Any, keepdims: Any) -> Any:
    """Every entry gets the cotangent of its group."""
    if type(g) is np.float64 and math.prod(shape) <= 4096:  # small: quicker to fill than to stretch a view
        return np.full(shape, g)
    return np.broadcast_to(kept(g, shape, axis, keepdims), shape)


def group_size(shape: Any, axis: Any) -> Any:
    """How many entries one output is made of."""
    return math.prod(shape if axis is None else [shape[a] for a in axes(axis, len(shape))])


def total(a: Any, axis: Any, keepdims: Any) -> Any:
    """np.sum without the detours that NumPy takes before it adds."""
    return (
        np.add.reduce(a, axis=axis, keepdims=keepdims) if type(a) is np.ndarray else np.sum(a, axis, keepdims=keepdims)
    )


def average(a: Any, axis: Any, keepdims: Any) -> Any:
    """np.mean, likewise; half precision is left to NumPy, which adds it up in single."""
    if type(a) is np.ndarray and a.dtype.char in "df":
        n = a.size if axis is None else group_size(a.shape, axis)
        return np.add.reduce(a, axis=axis, keepdims=keepdims) / n
    return np.mean(a, axis, keepdims=keepdims)


linear(
    np.sum,
    lambda g, x_shape, axis, keepdims: spread(g, x_shape, axis, keepdims),
    signature="a, axis=None, keepdims=False",
    forward=total,
)
linear(
    np.mean,
    lambda g, x_shape, axis, keepdims: spread(g / group_size(x_shape, axis), x_shape, axis, keepdims),
    signature="a, axis=None, keepdims=False",
    forward=average,
)


def extreme(g: Any, ans: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    """The entries that reach the extreme share the cotangent evenly."""
    reach = x == kept(ans, x.shape, axis, keepdims)
    ties = np.sum(reach.astype(g.dtype), axis=axis if axis is None else axes(axis, x.ndim), keepdims=True)
    return kept(g, x.shape, axis, keepdims) * reach / ties


general(np.max, extreme, signature="a, axis=None, keepdims=False")
general(np.min, extreme, signature="a, axis=None, keepdims=False")
composed(np.amax, lambda a, axis=None, keepdims=False: np.max(a, axis, keepdims=keepdims))
composed(np.amin, lambda a, axis=None, keepdims=False: np.min(a, axis, keepdims=keepdims))


def prod(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """A product by halves: its derivative needs no division, so it is right at zeros and at every order."""
    reduced = axes(axis, a.ndim)
    rest = [k for k in range(a.ndim) if k not in reduced]
    x = np.transpose(a, [*reduced, *rest]).reshape([group_size(a.shape, axis), *[a.shape[k] for k in rest]])
    if len(x) == 0:
        x = np.ones_like(x, shape=(1, *x.shape[1:]))
    while len(x) > 1:
        half = len(x) // 2
        product = x[:half] * x[half : 2 * half]
        x = product if len(x) % 2 == 0 else np.concatenate([product, x[-1:]])
    shape = [1 if k in reduced else n for k, n in enumerate(a.shape)] if keepdims else [a.shape[k] for k in rest]
    return x.reshape(shape)


composed(np.prod, prod)


def centred(x: Any, axis: Any) -> Any:
    """Deviations from the mean of each group."""
    return x - np.mean(x, axis=axis, keepdims=True)


def var(a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    deviations = centred(a, axis)
    return np.sum(deviations * deviations, axis=axis, keepdims=keepdims) / (group_size(a.shape, axis) - ddof)


composed(np.var, var)


def std_rule(g: Any, ans: Any, x: Any, axis: Any, ddof: Any, keepdims: Any) -> Any:
    """(x - mean) / ((n - ddof) std), and 0 where every deviation is 0."""
    scale = kept(ans, x.shape, axis, keepdims) * (group_size(x.shape, axis) - ddof)
    return over(kept(g, x.shape, axis, keepdims) * centred(x, axis), scale)


general(np.std, std_rule, signature="a, axis=None, ddof=0, keepdims=False")

composed(np.add.reduce, lambda array, axis=0, keepdims=False: np.sum(array, axis=axis, keepdims=keepdims))
composed(np.multiply.reduce, lambda array, axis=0, keepdims=False: np.prod(array, axis=axis, keepdims=keepdims))
composed(np.maximum.reduce, lambda array, axis=0, keepdims=False: np.max(array, axis=axis, keepdims=keepdims))
composed(np.minimum.reduce, lambda array, axis=0, keepdims=False: np.min(array, axis=axis, keepdims=keepdims))

flat(np.argmax, np.argmin, np.all, np.any, np.count_nonzero, signature="a, axis=None, keepdims=False")
flat(np.argsort, signature="a, axis=-1, kind=None, stable=None")
flat(np.nonzero, np.searchsorted, batch="loop")
