"""Order: sorting, and the statistics of rank that follow from it.

A sorted array is the array taken in an order. The order is constant as long as no two entries change places, so it is
found by ``np.argsort``, which has no derivative, and everything else is selection.
"""

from typing import Any

import numpy as np

from microgd.core.box import Box
from microgd.core.primitive import composed, flat, primitive
from microgd.errors import UnsupportedError
from microgd.ops.reduce import axes
from microgd.ops.select import gather
from microgd.ops.shape import in_a_row, shaped

flat(np.argsort, signature="a, axis=-1, kind=None, stable=None")
flat(np.argpartition, signature="a, kth, axis=-1, kind='introselect'")
flat(np.searchsorted, np.lexsort, batch="loop")
primitive(np.lexsort).bind = lambda keys, axis=-1: (tuple(keys), {"axis": axis})
primitive(np.lexsort).forward = lambda *keys, axis: np.lexsort(keys, axis=axis)


def sort(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Any:
    a, axis = in_a_row(a, axis)
    return np.take_along_axis(a, np.argsort(a, axis=axis, kind=kind, stable=stable), axis)


def partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect") -> Any:
    a, axis = in_a_row(a, axis)
    return np.take_along_axis(a, np.argpartition(a, kth, axis=axis, kind=kind), axis)


def sort_complex(a: Any) -> Any:
    """By the real part, then by the imaginary one; the answer is complex in any case."""
    a = np.sort(a)
    return a if a.dtype.kind == "c" else a.astype(np.complex64 if a.dtype.char in "bhBH" else np.complex128)


composed(np.sort, sort)
composed(np.sort_complex, sort_complex)
composed(np.partition, partition)


def place(q: Any, count: Any, method: Any) -> Any:
    """Where among ``count`` sorted numbers the quantile lies; of the numbers 0, 1, 2... it is its own place."""
    if not isinstance(q, Box) and np.ndim(count) == 0:
        return np.quantile(np.arange(count, dtype=float), q, method=method)
    if method != "linear":
        raise UnsupportedError(f"quantile: method={method!r} takes plain q and no NaN; 'linear' takes all")
    if not isinstance(q, Box) and not np.all((q >= 0) & (q <= 1)):
        raise ValueError(f"quantile: expected q from 0 to 1, got {q}")
    return np.clip(q, 0, 1) * (count - 1)


STEPS = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")


def quantile_among(
    counted: Any, a: Any, q: Any, axis: Any = None, *, method: Any = "linear", keepdims: Any = False
) -> Any:
    """Between the two entries around its place; ``counted(x)`` says how many of each row to look at."""
    a = shaped(a)
    reduced = axes(axis, a.ndim)
    rest = [k for k in range(a.ndim) if k not in reduced]
    x = np.transpose(a, [*rest, *reduced]).reshape([*[a.shape[k] for k in rest], -1])
    order = np.argsort(x, axis=-1)
    exact = place(np.ravel(q), counted(x), method)
    below = np.floor(exact)
    low, high = (gather(x, gather(order, k.astype(int))) for k in (below, np.ceil(exact)))
    weight = exact - below
    weak = type(q) in (int, float) or shaped(q).dtype.kind in "iu" or method in STEPS  # NumPy's choice of precision
    weight = weight.astype(a.dtype if weak else np.result_type(a.dtype, shaped(q).dtype))
    exactly = weight == 0  # there both are the same entry, which may be infinite
    between = np.where(exactly, low, (1 - weight) * low + weight * np.where(exactly, 0, high))
    sizes = [1 if k in reduced else n for k, n in enumerate(a.shape) if keepdims or k in rest]
    return np.moveaxis(between, -1, 0).reshape((*np.shape(q), *sizes))


def quantile(a: Any, q: Any, axis: Any = None, *, method: Any = "linear", keepdims: Any = False) -> Any:
    """Quantiles; NaN where there is a NaN, as NumPy has it."""
    found = quantile_among(lambda x: x.shape[-1], a, q, axis, method=method, keepdims=keepdims)
    return np.where(np.any(np.isnan(a), axis=axis, keepdims=keepdims), np.nan, found)


def nanquantile(a: Any, q: Any, axis: Any = None, *, method: Any = "linear", keepdims: Any = False) -> Any:
    """Sorting puts NaN behind the numbers, so it is enough to count those."""
    return quantile_among(
        lambda x: np.sum(~np.isnan(x), axis=-1, keepdims=True), a, q, axis, method=method, keepdims=keepdims
    )


def in_percent(quantile: Any) -> Any:
    """A function of shares as one of percentages."""

    def percentile(a: Any, q: Any, axis: Any = None, *, method: Any = "linear", keepdims: Any = False) -> Any:
        share = q / 100 if np.ndim(q) == 0 else shaped(q) / 100
        return quantile(a, share, axis, method=method, keepdims=keepdims)

    return percentile


def middle(quantile: Any) -> Any:
    """The quantile at one half; of nothing, what the mean of nothing is."""

    def median(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
        return quantile(a, 0.5, axis, keepdims=keepdims) if a.size else np.mean(a, axis, keepdims=keepdims)

    return median


composed(np.quantile, quantile, note="q too, by method 'linear'")
composed(np.nanquantile, nanquantile, note="by method 'linear'")
composed(np.percentile, in_percent(np.quantile))
composed(np.nanpercentile, in_percent(np.nanquantile))
composed(np.median, middle(np.quantile))
composed(np.nanmedian, middle(np.nanquantile))
