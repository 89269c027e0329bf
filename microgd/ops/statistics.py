"""Statistics: weighted means, covariances, counts, and the reductions that pass over NaN.

The nan-relatives of the reductions are the reductions told where to look, so they hold no derivative of their own.
"""

from typing import Any

import numpy as np

from microgd.core.box import innermost
from microgd.core.primitive import composed, elementwise, flat, general, primitive
from microgd.ops.guard import always
from microgd.ops.reduce import axes, group_size
from microgd.ops.shape import KEPT, inexact, shaped


def average(a: Any, axis: Any = None, weights: Any = None, returned: Any = False, *, keepdims: Any = False) -> Any:
    """The sum of weights times entries over the sum of weights."""
    a = shaped(a)
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        return (mean, np.full_like(mean, group_size(a.shape, axis))) if returned else mean
    weights = shaped(weights)
    if weights.shape != a.shape:  # they lie along the axes, in their order
        along = axes(axis, a.ndim)
        weights = np.transpose(weights, np.argsort(along))
        weights = weights.reshape([n if k in along else 1 for k, n in enumerate(a.shape)])
    total = np.sum(np.broadcast_to(weights, a.shape), axis, keepdims=keepdims)
    if np.any(innermost(total) == 0):
        raise ZeroDivisionError("average: the weights sum to 0, so there is nothing to divide by")
    mean = np.sum(a * weights, axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def cov(
    m: Any,
    y: Any = None,
    rowvar: Any = True,
    bias: Any = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Products of deviations from the weighted mean; observations lie along the rows' length, or the columns'."""

    def rows(x: Any) -> Any:
        return np.transpose(x) if not rowvar and np.ndim(x) > 1 else np.atleast_2d(x)

    x = rows(m) if y is None else np.concatenate([rows(m), rows(y)])
    x = inexact(x) if dtype is None else x.astype(dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = shaped(1 if fweights is None else fweights)
    if aweights is not None:
        aweights = shaped(aweights).astype(np.real(x).dtype)
        weights = weights * aweights
    weights = np.broadcast_to(weights, x.shape[1:]).astype(np.real(x).dtype)
    total = np.sum(weights)
    lost = ddof if aweights is None else ddof * np.sum(weights * aweights) / total
    deviations = x - np.sum(x * weights, axis=1, keepdims=True) / total
    return np.squeeze((deviations * weights) @ np.conj(deviations).T / np.maximum(total - lost, 0))


def corrcoef(x: Any, y: Any = None, rowvar: Any = True, *, dtype: Any = None) -> Any:
    """Covariances over both standard deviations."""
    c = np.cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviations = np.sqrt(np.real(np.diagonal(c)))
    c = c / deviations[:, None] / deviations
    return c if c.dtype.kind == "c" else np.clip(c, -1, 1)


composed(np.average, average)
composed(np.cov, cov, note=KEPT)
composed(np.corrcoef, corrcoef, note=KEPT)


def over_numbers(reduction: Any) -> Any:
    """A reduction of the entries that are not NaN."""
    return lambda a, axis=None, *rest, where=True, **options: reduction(
        a, axis, *rest, where=~np.isnan(a) & shaped(where), **options
    )


def extreme_of_numbers(reduction: Any, least: Any) -> Any:
    """Likewise; NaN where there is nothing else."""

    def body(a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = True) -> Any:
        if initial is None and where is not True:
            raise ValueError("where= needs initial=, the answer where nothing is chosen")
        numbers = ~np.isnan(a) & where
        found = reduction(a, axis, keepdims=keepdims, where=numbers, initial=least if initial is None else initial)
        return found if initial is not None else np.where(np.any(numbers, axis, keepdims=keepdims), found, np.nan)

    return body


composed(np.nansum, over_numbers(np.sum))
composed(np.nanmean, over_numbers(np.mean))
composed(np.nanprod, over_numbers(np.prod))
composed(np.nanvar, over_numbers(np.var))
composed(np.nanstd, over_numbers(np.std))
composed(np.nanmax, extreme_of_numbers(np.max, -np.inf))
composed(np.nanmin, extreme_of_numbers(np.min, np.inf))
elementwise(
    np.nan_to_num,
    lambda g, x: np.where(np.isfinite(x), g, 0),
    bind=lambda x, copy=True, nan=0.0, posinf=None, neginf=None: (
        (x,),
        {"nan": nan, "posinf": posinf, "neginf": neginf},
    ),
)
primitive(np.nan_to_num).masks = always


def bincount(x: Any, weights: Any, minlength: Any) -> Any:
    """How often every whole number occurs, or the weights that fall on it."""
    counts = np.bincount(x, weights, minlength)
    return counts if weights is None else counts.astype(inexact(shaped(weights)).dtype)


general(
    np.bincount,
    None,
    lambda g, x: g[x],
    signature="x, weights=None, minlength=0",
    forward=bincount,
    note=f"in the weights; {KEPT}",
)
flat(np.digitize, np.histogram_bin_edges, batch="loop")


def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """The weights that fall between the edges, which have no derivative; the last bin holds its right edge too."""
    edges = np.histogram_bin_edges(a, bins, range)
    values = np.ravel(a)
    bins_of = np.searchsorted(edges, values, side="right") - np.equal(values, edges[-1])
    if weights is None:
        counts = np.bincount(bins_of, minlength=len(edges) + 1)
    else:
        counts = np.bincount(bins_of, np.ravel(weights), len(edges) + 1).astype(shaped(weights).dtype)
    counts = counts[1 : len(edges)]
    return (counts / np.diff(edges) / np.sum(counts) if density else counts), edges


composed(np.histogram, histogram, note="in the weights")
