"""Indexing: reading entries (gather) and its transpose, adding into entries (scatter), and assignment.

Gather and scatter are each other's transposes, so indexing has derivatives of every order.
"""

import math
import operator
from typing import Any

import numpy as np

from microgd.core.box import Box, dispatching
from microgd.core.primitive import linear, primitive


def parts_of(index: Any) -> Any:
    """An index as a tuple, one part after the other."""
    return index if isinstance(index, tuple) else (index,)


def is_basic(index: Any) -> Any:
    """Whether an index is made of integers, slices, ``...`` and ``None``: then it names no entry twice."""
    return all(part is None or part is ... or isinstance(part, int | np.integer | slice) for part in parts_of(index))


def plain(index: Any) -> Any:
    """An index without tensors in it: integers carry no gradient."""
    if isinstance(index, tuple | list):
        return type(index)(plain(part) for part in index)
    return np.asarray(index)[()] if isinstance(index, Box) else index


def entries(index: Any, shape: Any) -> Any:
    """The numbers of the entries that an index reads, counted through the flattened array."""
    parts = parts_of(index)
    whole_rows = all(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in parts)
    counted = shape[: len(parts)] if whole_rows else shape
    rows = np.arange(math.prod(counted)).reshape(counted)[index]
    width = math.prod(shape[len(counted) :])
    return rows if width == 1 else rows.reshape(-1, 1) * width + np.arange(width)


@dispatching
def scatter(g: Any, index: Any, shape: Any) -> Any:
    """Zeros of ``shape`` with ``g`` added at ``index``; an entry named twice receives both."""
    out = np.zeros_like(g, shape=shape, order="C")
    if is_basic(index):
        out[index] = g
    else:  # along one axis np.add.at is several times as fast as with any other index
        np.add.at(out.reshape(-1), entries(index, shape).reshape(-1), np.reshape(g, -1))
    return out


def assign(a: Any, b: Any, index: Any) -> Any:
    out = np.array(a)
    out[index] = b
    return out


def storable(a: Any, b: Any) -> Any:
    """What is assigned; as the constant that it becomes among integers."""
    return b.astype(a.dtype) if isinstance(b, Box) and a.dtype.kind in "biu" else b


def written(g: Any, index: Any) -> Any:
    """Which of the values at ``index`` were not overwritten by a later one at the same place."""
    owner = np.full(g.shape, -1)
    order = np.arange(np.size(owner[index])).reshape(np.shape(owner[index]))
    owner[index] = order
    return owner[index] == order


linear(
    operator.getitem,
    lambda g, index, x_shape: scatter(g, index, x_shape),
    bind=lambda a, index: ((a,), {"index": plain(index)}),
    forward=lambda a, index: a[index],
)


def by_condition(index: Any, *_: Any) -> bool:
    """Whether an index holds an array of booleans: then what it leaves out was meant to be left out."""
    return any(isinstance(part, np.ndarray) and part.dtype.kind == "b" for part in parts_of(index))


primitive(operator.getitem).masks = by_condition
linear(scatter, lambda g, index: g[index], bind=lambda g, index, shape: ((g,), {"index": index, "shape": shape}))
linear(
    operator.setitem,
    lambda g, index: call_assign(g, index),
    lambda g, index: g[index] if is_basic(index) else g[index] * written(g, index),
    bind=lambda a, index, b: ((a, storable(a, b)), {"index": plain(index)}),
    forward=assign,
)


def call_assign(g: Any, index: Any) -> Any:
    """The cotangent of the old value: nothing where it was overwritten."""
    keep = np.ones(g.shape, dtype=bool)
    keep[index] = False
    return g * keep
