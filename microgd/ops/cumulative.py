"""Running sums and products, and their opposite, differences.

The transpose of summing from the left is summing from the right. A running product is made by doubling, out of
products alone: no derivative of it divides, so all are right where entries are zero.
"""

from typing import Any

import numpy as np

from microgd.core.primitive import composed, elementwise, linear
from microgd.ops.reduce import axes, chosen, typed
from microgd.ops.shape import at, in_a_row, shaped


def bind_along(a: Any, axis: Any) -> Any:
    a, axis = in_a_row(a, axis)
    return (a,), {"axis": axis}


linear(
    np.cumsum,
    lambda g, axis: np.flip(np.cumsum(np.flip(g, axis), axis), axis),
    bind=lambda a, axis=None, dtype=None: bind_along(typed(a, dtype), axis),
    batch="axis",
)


def cumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """Each round multiplies by what stands twice as far before."""
    x, axis = in_a_row(typed(a, dtype), axis)
    reach = 1
    while reach < x.shape[axis]:
        further = x[at(slice(reach, None), axis, x.ndim)] * x[at(slice(-reach), axis, x.ndim)]
        x = np.concatenate([x[at(slice(reach), axis, x.ndim)], further], axis)
        reach *= 2
    return x


composed(np.cumprod, cumprod)
composed(np.nancumsum, lambda a, axis=None, dtype=None: np.cumsum(chosen(a, ~np.isnan(a), 0), axis, dtype))
composed(np.nancumprod, lambda a, axis=None, dtype=None: np.cumprod(chosen(a, ~np.isnan(a), 1), axis, dtype))


def cumulative(run: Any, start: Any) -> Any:
    """The array standard's spelling: one axis, and on request what the empty sum or product is, in front."""

    def body(x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: Any = False) -> Any:
        x = np.atleast_1d(x)
        if axis is None and x.ndim > 1:
            raise ValueError(f"{run.__name__}: an array of {x.ndim} axes needs axis=")
        out = run(x, 0 if axis is None else axis, dtype)
        width = [(0, 0)] * out.ndim
        width[axis or 0] = (int(include_initial), 0)
        return np.pad(out, width, constant_values=start) if include_initial else out

    return body


if hasattr(np, "cumulative_sum"):
    composed(np.cumulative_sum, cumulative(np.cumsum, 0))
    composed(np.cumulative_prod, cumulative(np.cumprod, 1))


def differences(x: Any, axis: Any) -> Any:
    return x[at(slice(1, None), axis, x.ndim)] - x[at(slice(-1), axis, x.ndim)]


def diff(a: Any, n: Any = 1, axis: Any = -1, prepend: Any = None, append: Any = None) -> Any:
    """Neighbours' differences, n times."""

    def end(value: Any) -> Any:
        if value is None:
            return []
        shape = [1 if k == axis % a.ndim else size for k, size in enumerate(a.shape)]
        return [np.broadcast_to(value, shape) if np.ndim(value) == 0 else value]

    if n < 0:
        raise ValueError(f"diff: n={n}; differences are taken 0 times or more")
    if n > 0 and (prepend is not None or append is not None):
        a = np.concatenate([*end(prepend), a, *end(append)], axis)
    for _ in range(n):
        a = differences(a, axis)
    return a


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    middle = differences(np.ravel(ary), 0)
    ends = [[] if end is None else [np.ravel(end).astype(middle.dtype)] for end in (to_begin, to_end)]
    return np.concatenate([*ends[0], middle, *ends[1]])


def slope(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The slope at each point of the parabola through it and its neighbours; at the ends, of the chord."""
    if f.shape[axis] <= edge_order:
        raise ValueError(f"gradient: edge_order={edge_order} needs more points on axis {axis} than {f.shape[axis]}")
    gap = spacing
    if np.ndim(spacing):
        gap = differences(spacing, 0).reshape([-1 if k == axis else 1 for k in range(f.ndim)])

    def of(x: Any, start: Any, stop: Any) -> Any:
        return x[at(slice(start, stop), axis, f.ndim)] if np.ndim(x) else x

    chord = differences(f, axis) / gap
    left, right, before, after = of(chord, None, -1), of(chord, 1, None), of(gap, None, -1), of(gap, 1, None)
    middle = (after * left + before * right) / (before + after)
    first, last = of(chord, None, 1), of(chord, -1, None)
    if edge_order == 2:
        bend = (right - left) / (before + after)
        first = first - of(gap, None, 1) * of(bend, None, 1)
        last = last + of(gap, -1, None) * of(bend, -1, None)
    return np.concatenate([first, middle, last], axis)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: Any = 1) -> Any:
    """Slopes along each axis, from differences of second order."""
    f = shaped(f)
    along = axes(axis, f.ndim)
    spacings = tuple([shaped(h) if np.ndim(h) else h for h in varargs]) or (1.0,)
    spacings = spacings * len(along) if len(spacings) == 1 else spacings
    slopes = [slope(f, h, k, edge_order) for h, k in zip(spacings, along, strict=True)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1) -> Any:
    """The area under straight lines from point to point."""
    y = shaped(y)
    if x is not None:
        x = shaped(x)
        dx = differences(x, axis if x.ndim > 1 else 0)
        dx = dx.reshape([-1 if k == axis % y.ndim else 1 for k in range(y.ndim)]) if x.ndim == 1 else dx
    pairs = y[at(slice(1, None), axis, y.ndim)] + y[at(slice(-1), axis, y.ndim)]
    return np.sum(dx * pairs / 2, axis=axis)


composed(np.diff, diff)
composed(np.ediff1d, ediff1d)
composed(np.gradient, gradient)
composed(np.trapezoid, trapezoid)
elementwise(  # whole periods are added, so every slope is 1
    np.unwrap,
    lambda g: g,
    bind=lambda p, discont=None, axis=-1, *, period=2 * np.pi: (
        (p,),
        {"discont": discont, "axis": axis, "period": period},
    ),
    batch="axis",
)
