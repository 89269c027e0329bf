"""Arrangements: functions that turn, shift, repeat, drop or join entries without changing one.

Most are slices and joins. Where NumPy's rule for what goes where is intricate (``np.repeat``, ``np.delete``...), the
function is run on the numbers of the entries, and its answer says which to take.
"""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from microgd.core.primitive import composed
from microgd.ops.index import plain
from microgd.ops.reduce import axes
from microgd.ops.shape import at, in_a_row, shaped

REVERSED = slice(None, None, -1)


def flip(m: Any, axis: Any = None) -> Any:
    turned = axes(axis, m.ndim)
    return m[tuple(REVERSED if k in turned else slice(None) for k in range(m.ndim))]


composed(np.flip, flip)
composed(np.flipud, lambda m: m[REVERSED])
composed(np.fliplr, lambda m: m[:, REVERSED])


def rot90(m: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    """Quarter turns: two are two flips, one is a flip of the transpose."""
    if k % 2 == 0:
        return flip(m, axes if k % 4 else ())
    return flip(np.swapaxes(m, *axes), axes[0] if k % 4 == 1 else axes[1])


def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Along each axis, the end comes first."""
    if axis is None:
        return roll(np.ravel(a), shift, 0).reshape(a.shape)
    for step, k in np.broadcast(shift, axis):
        cut = -step % max(a.shape[k], 1)
        a = np.concatenate([a[at(slice(cut, None), k, a.ndim)], a[at(slice(cut), k, a.ndim)]], axis=k)
    return a


composed(np.rot90, rot90)
composed(np.roll, roll)


def rollaxis(a: Any, axis: Any, start: Any = 0) -> Any:
    axis, start = normalize_axis_index(axis, a.ndim), start + a.ndim if start < 0 else start
    return np.moveaxis(a, axis, start - (axis < start))


composed(np.rollaxis, rollaxis)


def tile(A: Any, reps: Any) -> Any:
    """Each axis, next to a new one that is stretched, and then one with it."""
    reps = tuple(reps) if np.ndim(reps) else (reps,)
    ndim = max(A.ndim, len(reps))
    sizes = (1,) * (ndim - A.ndim) + A.shape
    counts = (1,) * (ndim - len(reps)) + reps
    apart = A.reshape([n for size in sizes for n in (1, size)])
    stretched = np.broadcast_to(apart, [n for pair in zip(counts, sizes, strict=True) for n in pair])
    return stretched.reshape([count * size for count, size in zip(counts, sizes, strict=True)])


composed(np.tile, tile)


def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    a, axis = in_a_row(a, axis)
    return np.take(a, np.repeat(np.arange(a.shape[axis]), repeats), axis)


def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    arr, axis = in_a_row(arr, axis)
    return np.take(arr, np.delete(np.arange(arr.shape[axis]), plain(obj)), axis)


def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """The new entries are numbered after the old ones."""
    (arr, axis), obj = in_a_row(arr, axis), plain(obj)
    length: int = arr.shape[axis]
    values = shaped(values).astype(arr.dtype)
    values = values.reshape((1,) * (arr.ndim - values.ndim) + values.shape)
    if not isinstance(obj, slice) and np.ndim(obj) == 0:
        values = np.moveaxis(values, 0, axis)
    several = isinstance(obj, slice) or np.size(obj) != 1  # places; at one of them there may be several values
    added = np.insert(np.zeros(length), obj, 0).size - length if several else values.shape[axis]
    shape = [added if k == axis else n for k, n in enumerate(arr.shape)]
    order = np.insert(np.arange(length), obj, np.arange(length, length + added))
    return np.take(np.concatenate([arr, np.broadcast_to(values, shape)], axis), order, axis)


def append(arr: Any, values: Any, axis: Any = None) -> Any:
    (arr, axis), (values, _) = in_a_row(arr, axis), in_a_row(values, axis)
    return np.concatenate([arr, values], axis)


def resize(a: Any, new_shape: Any) -> Any:
    if a.size == 0:
        return np.zeros_like(a, shape=new_shape)
    return np.take(np.ravel(a), np.resize(np.arange(a.size), new_shape))


composed(np.repeat, repeat)
composed(np.delete, delete)
composed(np.insert, insert)
composed(np.append, append)
composed(np.resize, resize)


def sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Any:
    """Every window of neighbours, along new axes at the end; in a new array, where NumPy shows the old one."""
    sizes = np.atleast_1d(window_shape).tolist()
    along = range(x.ndim) if axis is None else np.atleast_1d(axis).tolist()
    if len(sizes) != len(along):
        raise ValueError(f"sliding_window_view: {len(sizes)} window sizes for {len(along)} axes; expected one for each")
    for size, k in zip(sizes, [normalize_axis_index(k, x.ndim) for k in along], strict=True):
        count = x.shape[k] - size + 1
        if size < 0 or count < 1:
            raise ValueError(f"sliding_window_view: a window of {size} on axis {k}, which has {x.shape[k]} entries")
        x = np.moveaxis(np.take(x, np.arange(count)[:, None] + np.arange(size), k), k + 1, -1)
    return x


composed(np.lib.stride_tricks.sliding_window_view, sliding_window_view)


def depth(nested: Any) -> int:
    """How many lists are around one array."""
    return 1 + depth(nested[0]) if isinstance(nested, list) else 0


def joined(nested: Any, axis: Any, ndim: Any) -> Any:
    if isinstance(nested, list):
        return np.concatenate([joined(part, axis + 1, ndim) for part in nested], axis)
    return nested.reshape((1,) * (ndim - nested.ndim) + nested.shape)


def block(arrays: Any) -> Any:
    """The innermost lists lie along the last axis, those around them along the one before."""

    def rank(nested: Any) -> int:
        return max(map(rank, nested)) if isinstance(nested, list) else nested.ndim

    def boxed(nested: Any) -> Any:
        return [boxed(part) for part in nested] if isinstance(nested, list) else shaped(nested)

    arrays = boxed(arrays)
    return joined(arrays, -depth(arrays), max(rank(arrays), depth(arrays)))


composed(np.block, block)


def broadcast_arrays(*args: Any) -> Any:
    arrays = [shaped(x) for x in args]
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    return tuple([np.broadcast_to(x, shape) for x in arrays])


def meshgrid(*xi: Any, sparse: Any = False, indexing: Any = "xy") -> Any:
    """Each vector along an axis of its own; "xy" is "ij" with the first two axes swapped."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing={indexing!r}; expected 'xy' or 'ij'")
    grids = [np.reshape(x, [-1 if j == k else 1 for j in range(len(xi))]) for k, x in enumerate(xi)]
    if indexing == "xy" and len(xi) > 1:
        grids = [np.swapaxes(x, 0, 1) for x in grids]
    return tuple(grids) if sparse else broadcast_arrays(*grids)


composed(np.broadcast_arrays, broadcast_arrays)
composed(np.meshgrid, meshgrid)
if hasattr(np, "unstack"):
    composed(np.unstack, lambda x, /, *, axis=0: tuple(np.moveaxis(x, axis, 0)))
