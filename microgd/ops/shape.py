"""Shapes: the same numbers in another arrangement. Every rule puts the cotangent back where it came from."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from microgd.core.box import Box, dispatching
from microgd.core.primitive import composed, elementwise, flat, linear
from microgd.core.tensor import differentiable


def shaped(x: Any) -> Any:
    """``x`` as something with a shape: numbers and lists of them become arrays."""
    return x if hasattr(x, "shape") else np.asarray(x)


def array_of(x: Any) -> Any:
    """``x`` as something that speaks NumPy's protocols: numbers and lists of them become arrays, or NumPy's numbers."""
    return x if hasattr(x, "__array_function__") else np.asarray(x)[()]


KEPT = "float32 stays float32, where NumPy widens it"


def inexact(x: Any) -> Any:
    """``x`` as it is, or whole numbers in double precision."""
    return x if differentiable(x) else x.astype(np.float64)


def at(part: Any, axis: int, ndim: int) -> Any:
    """The index that takes ``part`` of one axis and all of those before it."""
    return (slice(None),) * normalize_axis_index(axis, ndim) + (part,)


def in_a_row(a: Any, axis: Any) -> tuple[Any, Any]:
    """For functions whose axis=None means all entries in one row: (array, axis), and an axis there always is."""
    a, axis = (np.ravel(a), 0) if axis is None else (shaped(a), axis)
    return a, normalize_axis_index(axis, a.ndim)


def inverse(axes: Any) -> list[int]:
    """The permutation that undoes one."""
    return [int(k) for k in np.argsort([a % len(axes) for a in axes])]


def known(order: str) -> str:
    if order not in ("C", "F"):
        raise TypeError(f"order={order!r} depends on how the numbers lie in memory; say 'C' or 'F'")
    return order


def reshape_back(g: Any, x_shape: Any, order: Any) -> Any:
    return g.reshape(x_shape) if order == "C" else np.reshape(g, x_shape, order=order)


linear(
    np.reshape,
    reshape_back,
    bind=lambda a, /, shape=None, order="C", *, newshape=None: (
        (a,),
        {"shape": shape if newshape is None else newshape, "order": known(order)},
    ),
    forward=lambda a, shape, order: np.reshape(a, shape, order=order),
)
linear(
    np.ravel,
    lambda g, x_shape: g.reshape(x_shape),
    bind=lambda a, order="C": ((np.transpose(a) if known(order) == "F" else a,), {}),
)
linear(np.squeeze, lambda g, x_shape: g.reshape(x_shape), signature="a, axis=None")
linear(np.expand_dims, lambda g, x_shape: g.reshape(x_shape), signature="a, axis")
linear(np.transpose, lambda g, axes: np.transpose(g, None if axes is None else inverse(axes)), signature="a, axes=None")
linear(np.swapaxes, lambda g, axis1, axis2: np.swapaxes(g, axis1, axis2), signature="a, axis1, axis2")
linear(
    np.moveaxis, lambda g, source, destination: np.moveaxis(g, destination, source), signature="a, source, destination"
)
composed(np.matrix_transpose, lambda x: np.swapaxes(x, -1, -2))
linear(np.broadcast_to, lambda g: g, signature="array, shape")
elementwise(np.copy, lambda g: g, signature="a")


@dispatching
def as_integers(a: Any, dtype: Any) -> Any:
    """Conversion to integers or truth values: a step function, so its answer is a constant."""
    return a.astype(dtype)


flat(as_integers)
elementwise(
    np.ndarray.astype,
    lambda g: g,
    bind=lambda a, dtype: ((a if np.issubdtype(dtype, np.inexact) else as_integers(a, dtype=dtype),), {"dtype": dtype}),
    forward=lambda a, dtype: a.astype(dtype),
)
composed(np.astype, lambda x, dtype, /, *, copy=True: x.astype(dtype))


def full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """Copies of a value, which may be a tensor, in the shape and dtype of another."""
    empty = np.zeros_like(a, dtype=dtype, shape=shape)  # can be assigned to, whatever the value is
    return empty + np.broadcast_to(fill_value, empty.shape).astype(empty.dtype)


composed(np.full_like, full_like)


def piece(g: Any, i: Any, xs_shape: Any, axis: Any) -> Any:
    """The part of a concatenation's cotangent that belongs to operand i."""
    if axis is None:  # operands were flattened first
        sizes = [int(np.prod(shape)) for shape in xs_shape]
        return g[sum(sizes[:i]) : sum(sizes[: i + 1])].reshape(xs_shape[i])
    lengths = [shape[axis] for shape in xs_shape]
    part = slice(sum(lengths[:i]), sum(lengths[: i + 1]))
    return g[at(part, axis, g.ndim)]


def few(arrays: Any, axis: Any, most: int = 32) -> Any:
    """Beside each operand the shapes of all are kept, so that many are joined in groups, and the groups in turn."""
    arrays = tuple(arrays)
    while len(arrays) > most:
        arrays = tuple([np.concatenate(arrays[k : k + most], axis) for k in range(0, len(arrays), most)])
    return arrays


def cast(arrays: Any, dtype: Any) -> Any:
    """Arrays in the precision that was asked for, as far as NumPy would go."""
    for x in arrays if dtype is not None else ():
        if not np.can_cast(shaped(x).dtype, dtype, "same_kind"):
            raise TypeError(f"cannot join {shaped(x).dtype} as {np.dtype(dtype)}; convert it with .astype")
    return arrays if dtype is None else [shaped(x).astype(dtype) for x in arrays]


linear(
    np.concatenate,
    piece,
    signature="*arrays, axis=0",
    bind=lambda arrays, axis=0, dtype=None: (few(cast(arrays, dtype), axis), {"axis": axis}),
)


def stack(arrays: Any, axis: Any = 0, *, dtype: Any = None) -> Any:
    """Concatenation along a new axis."""
    arrays = [shaped(x) for x in arrays]
    return np.concatenate([x[at(None, axis, x.ndim + 1)] for x in arrays], axis=axis, dtype=dtype)


composed(np.stack, stack)


def array(nested: Any) -> Any:
    """Make one tensor from nested lists that hold tensors; gradients flow to each of them.

    >>> import microgd as mg
    >>> t = mg.tensor(2.0, requires_grad=True)
    >>> mg.array([[t, 0.0], [1.0, t * t]])
    tensor([[2., 0.],
            [1., 4.]], requires_grad=True)
    """
    if isinstance(nested, list | tuple):
        return np.stack([array(item) for item in nested])
    return nested if isinstance(nested, Box) else np.asarray(nested)[()]


def each(function: Any) -> Any:
    """A function of one array as NumPy calls it with several: a tuple of answers."""
    return lambda *arys: function(shaped(arys[0])) if len(arys) == 1 else tuple(function(shaped(x)) for x in arys)


def at_least_3d(x: Any) -> Any:
    return x if x.ndim > 2 else np.atleast_2d(x)[..., None] if x.ndim else x.reshape(1, 1, 1)


composed(np.atleast_1d, each(lambda x: x if x.ndim else x.reshape(1)))
composed(np.atleast_2d, each(lambda x: x if x.ndim > 1 else x.reshape(1, -1)))
composed(np.atleast_3d, each(at_least_3d))


def as_column(x: Any) -> Any:
    return x if np.ndim(x) > 1 else np.reshape(x, (-1, 1))


composed(np.vstack, lambda tup, *, dtype=None: np.concatenate([np.atleast_2d(x) for x in tup], axis=0, dtype=dtype))
composed(np.dstack, lambda tup: np.concatenate([np.atleast_3d(x) for x in tup], axis=2))
composed(np.column_stack, lambda tup: np.concatenate([as_column(x) for x in tup], axis=1))


def hstack(tup: Any, *, dtype: Any = None) -> Any:
    arrays = [np.atleast_1d(x) for x in tup]
    return np.concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1, dtype=dtype)


composed(np.hstack, hstack)


def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    """Slices along one axis; the first pieces are one longer where the length does not divide."""
    length = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        small, longer = divmod(length, indices_or_sections)
        sizes = [small + 1] * longer + [small] * (indices_or_sections - longer)
        bounds = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    else:
        bounds = [0, *indices_or_sections, length]
    return [ary[at(slice(start, stop), axis, ary.ndim)] for start, stop in pairwise(bounds)]


def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            f"split: {ary.shape[axis]} entries on axis {axis} do not divide into {indices_or_sections} equal parts; "
            f"np.array_split allows unequal ones"
        )
    return array_split(ary, indices_or_sections, axis)


composed(np.array_split, array_split)
composed(np.split, split)
composed(np.vsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, 0))
composed(np.hsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, min(ary.ndim - 1, 1)))
composed(np.dsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, 2))
