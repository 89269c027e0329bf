"""Selection: entries taken by their numbers, along an axis, or by a condition; and writing where one would read.

``gather`` and ``gather_back`` are each other's transposes, so taking has derivatives of every order. Both work on the
last axis and line up the axes before it, so an index may differ from row to row, also between examples of a batch.
"""

import math
import operator
from typing import Any

import numpy as np

from microgd.core.box import Box, call, dispatching, innermost
from microgd.core.primitive import bilinear, composed, flat, primitive
from microgd.errors import DetachError, UnsupportedError
from microgd.ops.guard import always
from microgd.ops.index import parts_of, plain, scatter
from microgd.ops.shape import at, in_a_row, shaped


def places(index: Any, axis: int) -> Any:
    """An index along one axis as NumPy's index along all of them."""
    return tuple(index if k == axis else grid for k, grid in enumerate(np.indices(index.shape, sparse=True)))


@dispatching
def gather(x: Any, index: Any) -> Any:
    """x[..., index[..., k]] for every k: entries along the last axis."""
    ndim = max(x.ndim, index.ndim)
    x, index = (a.reshape((1,) * (ndim - a.ndim) + a.shape) for a in (x, index))
    return np.take_along_axis(x, index, -1)


@dispatching
def gather_back(g: Any, index: Any, length: Any) -> Any:
    """Zeros, ``length`` of them along the last axis, with ``g`` added where ``gather`` would read."""
    g, index = np.broadcast_arrays(g, index)
    return scatter(g, places(index, g.ndim - 1), (*g.shape[:-1], length))


bilinear(gather, lambda g, x_shape, y: gather_back(g, y, x_shape[-1]), None, signature="x, index", batch="stack")
bilinear(gather_back, lambda g, y: gather(g, y), None, signature="g, index, length", batch="stack")
primitive(gather).masks = always


def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    arr, axis = in_a_row(arr, axis)
    if indices.ndim != arr.ndim:
        raise ValueError(f"take_along_axis: indices of shape {indices.shape} for an array of {arr.ndim} axes")
    if axis == arr.ndim - 1:
        return gather(arr, indices)
    return np.moveaxis(gather(np.moveaxis(arr, axis, -1), np.moveaxis(indices, axis, -1)), -1, axis)


def inside(indices: Any, length: int, mode: Any) -> Any:
    """Numbers brought into range as NumPy's ``mode`` says."""
    if mode == "wrap":
        return indices % length
    return np.clip(indices, 0, length - 1) if mode == "clip" else indices


def take(a: Any, indices: Any, axis: Any = None, *, mode: Any = "raise") -> Any:
    a, axis = in_a_row(a, axis)
    indices = inside(shaped(indices), a.shape[axis], mode)
    if isinstance(indices, Box):  # an index that may be another one in every example
        found = gather(np.moveaxis(a, axis, -1), indices.flatten())
        return np.moveaxis(found, -1, axis).reshape((*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :]))
    return a[at(indices, axis, a.ndim)]


def numbers(index: Any, shape: Any) -> Any:
    """The entries that an index of whole numbers and slices reads, counted through the flattened array."""
    parts = list(parts_of(index))
    if any(part is ... for part in parts):
        k = next(k for k, part in enumerate(parts) if part is ...)
        parts[k : k + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    parts += [slice(None)] * (len(shape) - len(parts))
    if len(parts) > len(shape) or any(not isinstance(x, slice) and shaped(x).dtype.kind not in "iu" for x in parts):
        raise UnsupportedError(
            f"an index that differs between examples may hold whole numbers, arrays of them, slices and ..., one for "
            f"each axis; got {index} for shape {shape}"
        )
    chosen = [k for k, part in enumerate(parts) if not isinstance(part, slice)]
    rank, slices = max(np.ndim(parts[k]) for k in chosen), len(parts) - len(chosen)
    before = chosen[0] if chosen[-1] - chosen[0] + 1 == len(chosen) else 0  # NumPy puts separated ones in front
    number = 0
    for k, (part, length) in enumerate(zip(parts, shape, strict=True)):
        if k in chosen:
            place = in_range(shaped(part).astype(np.intp), length)
            place = place.reshape((*place.shape, *[1] * (slices - before)))
        else:
            seen = sum(other not in chosen for other in range(k))
            place = np.arange(length)[part].reshape(-1, *[1] * (slices - seen - 1 + (rank if seen < before else 0)))
        number = number * length + place
    return number


def in_range(index: Any, length: int) -> Any:
    """Numbers from 0; negative ones count from the end."""
    if np.any((innermost(index) < -length) | (innermost(index) >= length)):
        raise IndexError(f"index out of bounds for an axis of {length} entries: {innermost(index)}")
    return np.where(index < 0, index + length, index)


def read(x: Any, index: Any) -> Any:
    """x[index] with tensors in the index; it may be another one in every example of a batch."""
    try:
        index = plain(index)
    except DetachError:
        if isinstance(index, Box) and index.dtype.kind in "iu":
            return np.take(x, index, 0)
        return np.take(x, numbers(index, x.shape))
    return x[index]


def written(x: Any, index: Any, value: Any) -> Any:
    """``x`` after x[index] = value, likewise; of several values for one place the last counts."""
    try:
        index = plain(index)
    except DetachError:
        places = numbers(index, x.shape)
        values = np.ravel(np.broadcast_to(value, places.shape))
        after, every = np.ravel(x), np.arange(x.size)
        for k, place in enumerate(np.ravel(places)):
            after = np.where(np.equal(every, place), values[k], after)
        return np.reshape(after, x.shape)
    return call(operator.setitem, (x, index, value), {})


Box.read, Box.written = read, written


def choose(a: Any, choices: Any, *, mode: Any = "raise") -> Any:
    a, *choices = np.broadcast_arrays(a, *choices)
    return take_along_axis(np.stack(choices), inside(a, len(choices), mode)[None], 0)[0]


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first whose condition holds, so the last ones are looked at first."""
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        default = np.where(condition, choice, default)
    return default


composed(np.take_along_axis, take_along_axis)
composed(np.take, take)
composed(np.choose, choose)
composed(np.select, select)
composed(np.compress, lambda condition, a, axis=None: np.take(a, np.flatnonzero(condition), axis))
composed(np.extract, lambda condition, arr: np.take(arr, np.flatnonzero(condition)))
flat(np.nonzero, np.flatnonzero, np.argwhere, np.isin, batch="loop")


# Writing: the functions that change their first argument, which for a tensor means what assignment means.


def numbered(numbers: Any, shape: Any) -> Any:
    """The index of entries given by their numbers."""
    return np.unravel_index(np.arange(math.prod(shape))[numbers], shape)


def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    arr[numbered(indices, arr.shape) if axis is None else places(indices, axis % arr.ndim)] = values


def put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> None:
    ind = inside(np.ravel(ind), a.size, mode)
    if np.size(v):
        a[numbered(ind, a.shape)] = np.resize(v, len(ind))


def place(arr: Any, mask: Any, vals: Any) -> None:
    mask = np.asarray(mask, dtype=bool)
    arr[mask] = np.resize(vals, int(mask.sum()))


def putmask(a: Any, mask: Any, values: Any) -> None:
    a[...] = np.where(mask, np.resize(values, a.shape), a)


def copyto(dst: Any, src: Any, where: Any = True) -> None:
    dst[...] = np.where(where, src, dst)


def fill_diagonal(a: Any, val: Any) -> None:
    length = min(a.shape)
    a[(np.arange(length),) * a.ndim] = np.resize(val, length)


composed(np.put_along_axis, put_along_axis)
composed(np.put, put)
composed(np.putmask, putmask)
composed(np.place, place)
composed(np.copyto, copyto)
composed(np.fill_diagonal, fill_diagonal)
