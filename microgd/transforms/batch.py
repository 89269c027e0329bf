"""Batching: write a function for one example, run it on many, without a loop.

A ``Batched`` box holds all examples along its first axis, and tells everyone else the shape of one. What a call does
with the extra axis follows from the row of its function (``Primitive.batch``): a function of entries lines its operands
up, one along an axis counts one further, one on trailing axes runs as it is. A few functions that arrange shapes have a
rule here, and whatever is left runs example by example. This file knows nothing of derivatives.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from functools import wraps
from string import ascii_letters
from types import EllipsisType, NoneType
from typing import Any, NoReturn, Self

import numpy as np

from microgd.core.box import Box, dispatch
from microgd.core.primitive import Primitive
from microgd.core.tape import new_level
from microgd.core.tensor import refuse_captured, stopped
from microgd.core.tree import flatten, leaves_of
from microgd.core.watch import tell, watchers
from microgd.errors import DetachError, OptionError, ShapeError, UnsupportedError
from microgd.ops.index import is_basic, parts_of, scatter
from microgd.ops.linalg import explicit
from microgd.ops.shape import array_of
from microgd.ops.special import log_softmax, softmax
from microgd.transforms.checkpoint import checkpointed
from microgd.transforms.reverse import own

Array = Any
Params = dict[str, Any]


class Batched(Box):
    """Examples along the first axis of ``value``; the shape is that of one."""

    __slots__ = ("level", "value")

    def __init__(self, value: Array, level: float) -> None:
        self.value, self.level = value, level

    shape = property(lambda self: self.value.shape[1:])
    size = property(lambda self: math.prod(self.shape))

    def process(self, row: Primitive, operands: tuple[Any, ...], params: Params) -> Any:
        """Run one call on all examples at once."""
        if row.function in OF_ONE_EXAMPLE:
            return OF_ONE_EXAMPLE[row.function](*operands, **params)
        values, batched = [], []
        for x in operands:
            batched.append(isinstance(x, Batched) and x.level == self.level)
            values.append(x.value if batched[-1] else x)
        rule = RULES.get(row.function) or BY_KIND[row.batch]
        ans = rule(row, values, batched, params)
        refuse_captured(row, ans, self.level)
        if watchers:
            tell("forward", row, values, params, ans)
        return Batched(ans, self.level)

    def stopped(self) -> Self:
        """The same examples as constants of every transform."""
        return type(self)(stopped(self.value), self.level)

    def replace(self, other: Any) -> Self:
        """Become another batch of this transform."""
        if not (isinstance(other, Batched) and other.level == self.level):
            raise UnsupportedError("assignment: the value belongs to an inner transform; make the array inside of it")
        self.value = other.value
        return self

    def refuse(self, *_: Any, **__: Any) -> NoReturn:
        """There is no one value to convert."""
        raise DetachError(
            "a batch has no single value: inside vmap, branch with np.where instead of `if`, keep to NumPy functions "
            "instead of float(), .item() or np.asarray, and read and assign mg.tensor(x)[i] instead of entries of a "
            "plain array x."
        )

    __bool__ = __float__ = __int__ = __complex__ = __index__ = __array__ = item = tolist = refuse

    def __repr__(self) -> str:
        return f"batched({self.value!r})"


# ---- by kind ---------------------------------------------------------------------------------------------


def aligned(values: list[Any], batched: list[bool]) -> list[Any]:
    """The operands with the batch axis in front and enough axes of length 1 behind it to broadcast."""
    ranks = [len(np.shape(x)) - own for x, own in zip(values, batched, strict=True)]
    rank = max(ranks)
    return [
        x.reshape((x.shape[0], *[1] * (rank - r), *x.shape[1:])) if own and r < rank else x
        for x, own, r in zip(values, batched, ranks, strict=True)
    ]


def by_entries(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """Entry by entry: broadcasting does it, once the ranks agree."""
    return dispatch(row, tuple(aligned(values, batched)), params)


def flat_examples(x: Array) -> Array:
    """Every example along one axis."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def by_axis(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """Along an axis of one operand: the same, one axis further; along none, every example flattened."""
    (x,) = values
    rank = x.ndim - 1
    name = "axes" if "axes" in params else "axis"
    if params[name] is not None:
        return dispatch(row, (x,), {**params, name: further(params[name], rank)})
    if row.function in (softmax, log_softmax):
        return dispatch(row, (x,), {name: tuple(range(1, x.ndim))})
    flattened = {**params, name: 1}
    if "keepdims" in params:
        flattened["keepdims"] = False
    ans = dispatch(row, (flat_examples(x),), flattened)
    return ans.reshape((len(x), *[1] * rank)) if params.get("keepdims") else ans


def by_stack(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """On trailing axes: one more leading axis is nothing new, as long as the operands' ranks agree."""
    ranks = {len(np.shape(x)) - own for x, own in zip(values, batched, strict=True)}
    return dispatch(row, tuple(values), params) if len(ranks) == 1 else by_loop(row, values, batched, params)


def by_loop(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """One example after the other: always right, and as slow as it sounds."""
    (count,) = {len(x) for x, own in zip(values, batched, strict=True) if own}
    if not count:  # an example made up says what shape the answers have
        made_up = [
            np.ones_like(x, shape=(1, *x.shape[1:])) if own else x for x, own in zip(values, batched, strict=True)
        ]
        return by_loop(row, made_up, batched, params)[:0]
    answers = [
        dispatch(row, tuple([x[k] if own else x for x, own in zip(values, batched, strict=True)]), params)
        for k in range(count)
    ]
    if len({np.shape(answer) for answer in answers}) > 1:
        raise UnsupportedError(
            f"{row.name}: the shape of its answer depends on the values, which differ between examples; inside vmap "
            f"use a function whose shape is known beforehand, such as np.where."
        )
    return np.stack(answers)


BY_KIND: dict[str, Callable[..., Array]] = {"entries": by_entries, "axis": by_axis, "stack": by_stack, "loop": by_loop}


def further(axis: Any, rank: int) -> Any:
    """Axis numbers of one example as those of the batch."""
    if isinstance(axis, Sequence | np.ndarray):
        return tuple([further(a, rank) for a in axis])
    if not -rank <= axis < rank:
        raise np.exceptions.AxisError(axis, rank)
    return int(axis) % rank + 1


# ---- functions with a rule of their own --------------------------------------------------------------------


def matmul(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """As few and as large products as possible."""
    x, y = values
    rank_x, rank_y = x.ndim - batched[0], y.ndim - batched[1]
    if not batched[1] and rank_y <= 2:  # the examples are more rows
        rows = np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
        return np.reshape(rows @ y, (*x.shape[:-1], *y.shape[1:]))
    if not batched[0] and rank_x <= 2 and rank_y == 1:
        return y @ x.T if rank_x == 2 else y @ x
    if batched[0] and batched[1] and rank_x == rank_y == 1:
        return np.sum(x * y, axis=1)
    left = x[..., None, :] if rank_x == 1 else x
    right = y[..., :, None] if rank_y == 1 else y
    left, right = aligned([left, right], batched)
    product = left @ right
    if rank_x == 1:
        product = product[..., 0, :]
    return product[..., 0] if rank_y == 1 else product


def einsum(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """One more letter, on the batched operands and on the output."""
    terms, output = explicit(params["subscripts"], [x.ndim - own for x, own in zip(values, batched, strict=True)])
    letter = next(c for c in ascii_letters if c not in "".join(terms))
    terms = [letter + term if own else term for term, own in zip(terms, batched, strict=True)]
    return dispatch(row, tuple(values), {**params, "subscripts": ",".join(terms) + "->" + letter + output})


def inside(index: Any) -> tuple[Any, ...]:
    """An index into one example as an index into the batch."""
    return (slice(None), *parts_of(index))


def batch_axis(index: Any) -> int:
    """Where the batch axis of ``value[inside(index)]`` is: NumPy puts separated array indices in front."""
    parts = parts_of(index)
    if is_basic(index):
        return 0
    between = (slice, EllipsisType, NoneType)
    advanced = [k for k, part in enumerate(parts) if not isinstance(part, between)]
    if advanced[-1] - advanced[0] + 1 == len(advanced):
        return 0
    arrays = [np.asarray(parts[k]) for k in advanced]
    return np.broadcast(*[a.nonzero()[0] if a.dtype == bool else a for a in arrays]).ndim


def getitem(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    part, axis = values[0][inside(params["index"])], batch_axis(params["index"])
    return np.moveaxis(part, axis, 0) if axis else part


def scattered(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (g,), index = values, params["index"]
    shape = (len(g), *params["shape"])
    return dispatch(row, (np.moveaxis(g, 0, batch_axis(index)),), {"index": inside(index), "shape": shape})


def setitem(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (a, b), index = values, params["index"]
    if batch_axis(index):
        return by_loop(row, values, batched, params)
    if not batched[0]:
        a = np.broadcast_to(a, (len(b), *np.shape(a)))
    if batched[1]:
        rank = np.empty(a.shape[1:], dtype=bool)[index].ndim
        b = b.reshape((len(b), *[1] * (rank - b.ndim + 1), *b.shape[1:]))
    return dispatch(row, (a, b), {"index": inside(index)})


def reshape(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (x,), shape = values, np.atleast_1d(params["shape"]).tolist()
    if -1 in shape and math.prod(shape):
        shape = tuple([-math.prod(x.shape[1:]) // math.prod(shape) if n == -1 else n for n in shape])
    return dispatch(row, (x,), {**params, "shape": (len(x), *shape)})


def ravel(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    return flat_examples(values[0])


def squeeze(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (x,), axis = values, params["axis"]
    ones = tuple(k for k, n in enumerate(x.shape) if k and n == 1)
    return np.squeeze(x, ones if axis is None else further(axis, x.ndim - 1))


def expand_dims(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (x,), axis = values, params["axis"]
    added = len(axis) if isinstance(axis, Sequence) else 1
    return np.expand_dims(x, further(axis, x.ndim - 1 + added))


def transpose(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (x,), axes = values, params["axes"]
    order = range(x.ndim - 1)[::-1] if axes is None else axes
    return np.transpose(x, (0, *further(list(order), x.ndim - 1)))


def swap(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (x,) = values
    return dispatch(row, (x,), {name: further(axis, x.ndim - 1) for name, axis in params.items()})


def broadcast_to(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (x,), shape = values, np.atleast_1d(params["shape"]).tolist()
    return np.broadcast_to(x.reshape((len(x), *[1] * (len(shape) - x.ndim + 1), *x.shape[1:])), (len(x), *shape))


def concatenate(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    (count,) = {len(x) for x, own in zip(values, batched, strict=True) if own}
    full = [x if own else np.broadcast_to(x, (count, *np.shape(x))) for x, own in zip(values, batched, strict=True)]
    axis = params["axis"]
    if axis is None:
        return dispatch(row, tuple([flat_examples(x) for x in full]), {"axis": 1})
    return dispatch(row, tuple(full), {"axis": further(axis, full[0].ndim - 1)})


def solve(row: Primitive, values: list[Any], batched: list[bool], params: Params) -> Array:
    """A vector on the right becomes a column: a batch of vectors would be taken for a matrix."""
    a, b = values
    if b.ndim - batched[1] > 1:
        return by_stack(row, values, batched, params)
    return dispatch(row, tuple(aligned([a, b[..., None]], batched)), params)[..., 0]


RULES: dict[Callable[..., Any], Callable[..., Array]] = {
    np.matmul: matmul,
    np.einsum: einsum,
    operator.getitem: getitem,
    scatter: scattered,
    operator.setitem: setitem,
    np.reshape: reshape,
    np.ravel: ravel,
    np.squeeze: squeeze,
    np.expand_dims: expand_dims,
    np.transpose: transpose,
    np.swapaxes: swap,
    np.moveaxis: swap,
    np.broadcast_to: broadcast_to,
    np.concatenate: concatenate,
    np.linalg.solve: solve,
}


def like(make: Callable[..., Array]) -> Callable[..., Array]:
    """``zeros_like`` and kin look at one example, and are the same for all of them."""

    def of_one(x: Any, *rest: Any, shape: Any = None, **params: Any) -> Array:
        return make(x.value, *rest, shape=x.shape if shape is None else shape, **params)

    return of_one


OF_ONE_EXAMPLE: dict[Callable[..., Any], Callable[..., Any]] = {
    np.zeros_like: like(np.zeros_like),
    np.ones_like: like(np.ones_like),
    np.empty_like: like(np.empty_like),
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a: a.size,
    np.einsum_path: lambda *xs, **params: np.einsum_path(
        *[x.value[0] if isinstance(x, Batched) else x for x in xs], **params
    ),
    np.result_type: lambda *xs: np.result_type(*[x.value if isinstance(x, Batched) else x for x in xs]),
    checkpointed: lambda *xs, segment: segment.straight(*xs),  # nothing is kept here
}


# ---- the transform -------------------------------------------------------------------------------------------


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """``f`` for many examples at once: vmap(f)(x)[k] = f(x[k]), computed together.

    Args:
        f: a function of arrays or containers of arrays.
        in_axes: along which axis of each argument the examples lie; None for an argument that is the same for all.
            One number for all arguments, or a tuple with one entry per argument; an entry may be a container like it.
        out_axes: where the examples go in the output: a number, or a container like the output.

    Raises:
        OptionError: nothing to batch over, or ``in_axes`` for more or fewer arguments than there are.
        ShapeError: arguments with different numbers of examples.

    >>> import numpy as np, microgd as mg
    >>> mg.vmap(np.dot)(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    >>> mg.vmap(mg.grad(lambda w, x: np.sin(w * x)), in_axes=(None, 0))(0.0, np.array([1.0, 2.0]))
    array([1., 2.])
    """

    @wraps(f)
    def batched(*args: Any) -> Any:
        entries, build = flatten(args)
        axes = spread_axes(in_axes, args, "in_axes")
        counts = {path: examples(x, a, path) for (path, x), a in zip(entries, axes, strict=True) if a is not None}
        if not counts:
            raise OptionError("vmap: nothing to batch over; every entry of in_axes is None, or there are no arguments")
        if len(set(counts.values())) > 1:
            raise ShapeError(f"vmap: the arguments hold different numbers of examples: {counts}")
        count = next(iter(counts.values()))
        with new_level() as level:
            boxes = [
                x if a is None else Batched(np.moveaxis(array_of(x), a, 0), level)
                for (_, x), a in zip(entries, axes, strict=True)
            ]
            out = f(*build(boxes))
        outs, build_out = flatten(out)
        placed: list[Any] = []
        taken = {id(x) for _, x in entries}
        for (_, x), a in zip(outs, spread_axes(out_axes, out, "out_axes"), strict=True):
            x = own(x, level)
            mine = isinstance(x, Batched) and x.level == level
            if a is None:
                if mine:
                    raise OptionError("vmap: out_axes is None for an output that differs between examples")
                placed.append(x)
                continue
            whole = x.value if mine else np.broadcast_to(array_of(x), (count, *np.shape(x)))
            if type(whole) is np.ndarray:  # nobody else's memory, and nobody's twice
                whole = whole.copy() if id(whole) in taken or whole.base is not None else whole
                taken.add(id(whole))
            placed.append(np.moveaxis(whole, 0, a) if a else whole)
        return build_out(placed)

    return batched


def examples(x: Any, axis: int, path: str) -> int:
    """How many examples lie along an axis of an argument."""
    shape = np.shape(x)
    if not -len(shape) <= axis < len(shape):
        raise OptionError(
            f"vmap: argument {path} has shape {shape}, so no axis {axis} to batch over; pass arrays (a list is a "
            f"container of arguments), or None in in_axes for what is the same for all."
        )
    return int(shape[axis])


def spread_axes(axes: Any, tree: Any, name: str) -> list[Any]:
    """One axis per leaf of ``tree``, from one number, or from a container that may stop above the leaves."""
    if axes is None or isinstance(axes, int | np.integer):
        return [axes] * len(leaves_of(tree))
    if is_dataclass(axes) and type(axes) is type(tree):
        axes, tree = vars(axes), vars(tree)
    if isinstance(axes, dict) and not (isinstance(tree, dict) and set(axes) == set(tree)):
        raise OptionError(f"vmap: {name} has the keys {list(axes)}; they must be those of the container")
    parts = tree.values() if isinstance(tree, dict) else tree
    given = [axes[key] for key in tree] if isinstance(axes, dict) else list(axes)
    if not isinstance(tree, dict | list | tuple) or len(given) != len(parts):
        raise OptionError(
            f"vmap: {name}={axes} does not fit; it needs one entry per argument or part, got {len(parts)}"
        )
    return [axis for part, entry in zip(parts, given, strict=True) for axis in spread_axes(entry, part, name)]
