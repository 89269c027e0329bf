"""Reductions: sums, means, products, variances and extremes along axes.

The transpose of a sum is to give every entry its group's cotangent (``spread``). Where entries tie for the
largest or smallest, they share the gradient evenly.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from microgd.core.primitive import composed, flat, general, linear
from microgd.ops.guard import times


def axes(axis: Any, ndim: Any) -> Any:
    """The reduced axes as a tuple of numbers from 0. A number has none, but 0 and -1 may be said."""
    if axis is None:
        return tuple(range(ndim))
    found = [normalize_axis_index(a, ndim or 1) for a in (axis if isinstance(axis, tuple | list) else (axis,))]
    return tuple(found) if ndim else ()


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
    if isinstance(g, np.generic) and math.prod(shape) <= 4096:  # small: quicker to fill than to stretch a view
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


def chosen(a: Any, where: Any, other: Any) -> Any:
    """``other`` in place of the entries that are not to be counted."""
    return a if where is True else np.where(where, a, other)


def chosen_for_mean(a: Any, where: Any, axis: Any) -> Any:
    """Entries whose mean over all is the mean over those chosen."""
    if where is True:
        return a
    share = np.mean(np.where(where, np.ones_like(a), 0), axis, keepdims=True)
    return np.where(where, a, 0) / share


def chosen_for_extreme(pick: Any, a: Any, where: Any, initial: Any) -> Any:
    """Entries among which the extreme is looked for: ``initial`` is one more of them."""
    if initial is None and where is not True:
        raise TypeError("where= needs initial=, the answer where nothing is chosen")
    return a if initial is None else pick(chosen(a, where, initial), initial)


def typed(a: Any, dtype: Any) -> Any:
    return a if dtype is None else a.astype(dtype)


linear(
    np.sum,
    lambda g, x_shape, axis, keepdims: spread(g, x_shape, axis, keepdims),
    bind=lambda a, axis=None, dtype=None, *, keepdims=False, where=True: (
        (chosen(typed(a, dtype), where, 0),),
        {"axis": axis, "keepdims": keepdims},
    ),
    forward=total,
    batch="axis",
)
linear(
    np.mean,
    lambda g, x_shape, axis, keepdims: spread(g / group_size(x_shape, axis), x_shape, axis, keepdims),
    bind=lambda a, axis=None, dtype=None, *, keepdims=False, where=True: (
        (chosen_for_mean(typed(a, dtype), where, axis),),
        {"axis": axis, "keepdims": keepdims},
    ),
    forward=average,
    batch="axis",
)


def extreme(g: Any, ans: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    """The entries that reach the extreme share the cotangent evenly."""
    reach = x == kept(ans, x.shape, axis, keepdims)
    ties = np.sum(reach.astype(g.dtype), axis=axis if axis is None else axes(axis, x.ndim), keepdims=True)
    return times(kept(g, x.shape, axis, keepdims), reach / ties)


for function, pick in ((np.max, np.maximum), (np.min, np.minimum)):
    general(
        function,
        extreme,
        bind=lambda a, axis=None, *, keepdims=False, initial=None, where=True, pick=pick: (
            (chosen_for_extreme(pick, a, where, initial),),
            {"axis": axis, "keepdims": keepdims},
        ),
        batch="axis",
        note="ties share evenly",
    )
composed(np.amax, np.max)
composed(np.amin, np.min)
composed(
    np.ptp,
    lambda a, axis=None, *, keepdims=False: np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims),
)


def prod(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False, initial: Any = 1, where: Any = True
) -> Any:
    """A product by halves: its derivative needs no division, so it is right at zeros and at every order."""
    a = chosen(typed(a, dtype), where, 1)
    if isinstance(axis, list):
        raise TypeError(f"prod: axis={axis}; give a tuple for several axes")
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
    return x.reshape(shape) * initial


composed(np.prod, prod)


def squared(x: Any) -> Any:
    """|x|^2, entry by entry."""
    return np.real(x * np.conj(x)) if x.dtype.kind == "c" else x * x


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    correction: Any = None,
    keepdims: Any = False,
    where: Any = True,
    mean: Any = None,
) -> Any:
    """The mean square of the deviations from the mean, with ``ddof`` (or ``correction``) fewer in the count."""
    if ddof and correction is not None:
        raise ValueError("var: ddof and correction are two names of the same; give one")
    a = typed(a, dtype)
    mean = np.mean(a, axis, keepdims=True, where=where) if mean is None else mean
    deviations = chosen(a - mean, where, 0)
    squares = squared(deviations) if a.dtype.kind == "c" else deviations * deviations  # of the data's kind, as in NumPy
    count = group_size(a.shape, axis)
    if where is not True:
        count = np.sum(np.where(where, np.ones_like(squares), 0), axis, keepdims=keepdims)
    return np.sum(squares, axis, keepdims=keepdims) / (count - (ddof if correction is None else correction))


def std(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    """The root of the variance; where that is 0, so is the derivative."""
    square = np.var(a, axis, dtype, **options)
    return np.where(square == 0, 0, np.sqrt(np.where(square == 0, 1, square)))


composed(np.var, var)
composed(np.std, std, note="derivative 0 where all are equal")


def along_first(reduction: Any) -> Any:
    """A reduction as the ``reduce`` of its ufunc, which goes along the first axis if nothing else is said."""

    def reduce(array: Any, axis: Any = 0, dtype: Any = None, **options: Any) -> Any:
        given = {name: x for name, x in options.items() if x is not None and x is not np._NoValue}
        return reduction(typed(array, dtype), axis, **given)

    return reduce


for ufunc, reduction in ((np.add, np.sum), (np.multiply, np.prod), (np.maximum, np.max), (np.minimum, np.min)):
    composed(ufunc.reduce, along_first(reduction))

flat(np.argmax, np.argmin, np.nanargmax, np.nanargmin, signature="a, axis=None, out=None, *, keepdims=False")
flat(np.all, np.any, signature="a, axis=None, out=None, *, keepdims=False, where=True")
flat(np.count_nonzero, signature="a, axis=None, *, keepdims=False")
