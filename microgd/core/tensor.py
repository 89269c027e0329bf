"""Tensor: a handle on a node, and the interpreter that records.

A tensor holds a value and, where a gradient is wanted, the node that says how the value was made. Nodes and
values never change; a tensor is only a handle on them. Assignment (``t[i] = v``, ``t += u``) therefore points the
handle at a new node, and whatever was computed from the old value stays right: value semantics, no aliasing.
A 0-d value is kept as a NumPy scalar, so a network written scalar by scalar makes no arrays.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from contextvars import Token
from typing import Any, Self

import numpy as np

from microgd.core.box import Box, call, dispatch
from microgd.core.primitive import LEAF, Primitive, primitive
from microgd.core.tape import (
    FLOAT64,
    GRAD,
    ROW,
    Node,
    NotKept,
    conjugate,
    frozen_level,
    new_node,
    next_number,
    sweep,
    transform_level,
    unshared,
)
from microgd.core.watch import origin, tell, watchers
from microgd.errors import DetachError, DtypeError, GraphError, OptionError, ShapeError, UnsupportedError

PLAIN = {float, int, np.ndarray, np.float64, np.float32}
new = object.__new__


def conversion(kind: Callable[..., Any]) -> Callable[[Any], Any]:
    """The method behind ``float(t)`` and kin."""
    return lambda self: kind(self.convert(f"{kind.__name__}(tensor)"))


class Tensor(Box):
    """An array, or a scalar, that remembers how it was made. Made by ``mg.tensor``, not by hand."""

    __slots__ = ("__weakref__", "level", "node", "value")
    value: Any
    node: Node | None
    level: float

    # ---- the interpreter -------------------------------------------------------------------------------

    def process(self, row: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Compute the value one level down, and record a node if any operand has one."""
        level = self.level
        values: list[Any] = []
        parents: list[Node | None] = []
        nested = tracked = False
        for x in operands:
            parent = None
            if type(x) is Tensor:
                if x.level == level:
                    parent, x = x.node, x.value
                    tracked = tracked or parent is not None
                elif x.node is None:  # a constant of a lower level needs no box
                    x = x.value
            nested = nested or isinstance(x, Box)
            values.append(x)
            parents.append(parent)
        ans = dispatch(row, tuple(values), params)
        refuse_captured(row, ans, level)
        if watchers:
            tell("forward", row, values, params, ans)
        if watchers and tracked and (row.form == "flat" or level <= frozen_level.get()):
            for parent in filter(None, parents):
                tell("cut", parent, f"{row.name}, which has no derivative," if row.form == "flat" else "no_grad()")
        if row.form == "flat":
            return constant(ans, level) if differentiable(ans) else ans
        if nested and not tracked:  # only constants at this level: the result belongs to the level below
            return ans
        if type(ans) is np.ndarray and not ans.shape:
            ans = ans[()]
        edges = []
        if tracked and level > frozen_level.get():
            for i, parent in enumerate(parents):
                keep = row.keeps[i]
                if parent is not None and keep is not None:
                    edges.append(keep(parent, i, ans, *values, **params))
        return handle(ans, new_node(ans, row, edges) if edges else None, level)

    def apply(self, row: Primitive, params: dict[str, Any]) -> Any:
        """``process`` for one operand, written out."""
        x, parent, level = self.value, self.node, self.level
        if type(x) not in PLAIN or row.form == "flat":
            return self.process(row, (self,), params)
        ans = row.forward(x, **params)
        if watchers:
            tell("forward", row, (x,), params, ans)
        if type(ans) is np.ndarray:
            ans = ans if ans.shape else ans[()]
        elif type(ans) not in PLAIN:
            refuse_captured(row, ans, level)
        if parent is None or row.keeps[0] is None or level <= frozen_level.get():
            if watchers and parent is not None:
                tell("cut", parent, "no_grad()")
            return handle(ans, None, level)
        return handle(ans, new_node(ans, row, (row.keeps[0](parent, 0, ans, x, **params),)), level)

    def operate(self, row: Primitive, left: Any, right: Any) -> Any:
        """``process`` for two operands, by a function made for this row."""
        if row.record is None:
            row.record = recorder(row)
        return row.record(left, right)

    # ---- gradients -------------------------------------------------------------------------------------

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add d(self)/d(leaf), contracted with ``gradient``, to ``.grad`` of every leaf.

        Of a complex leaf x + iy, ``.grad`` is dL/dx + i dL/dy: minus the direction in which a real L falls fastest.

        Args:
            gradient: the cotangent, of this tensor's shape. May be left out for a tensor with one entry.
            retain_graph: keep the graph, so that a second backward pass is possible.
            create_graph: record the backward pass too; ``.grad`` is then a tensor that can be differentiated.

        Raises:
            GraphError: no graph, a freed graph, or more than one entry and no ``gradient``.
            ShapeError: ``gradient`` has another shape than this tensor.

        >>> import microgd as mg
        >>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        array([2., 4., 6.])
        """
        if self.node is None:
            raise GraphError(
                "backward: this tensor has no graph: nothing it was computed from requires a gradient. Make a leaf "
                "with mg.tensor(..., requires_grad=True), and compute outside no_grad()."
            )
        if gradient is None:
            if self.shape and self.size != 1:
                raise GraphError(
                    f"backward: expected a scalar, got shape {self.shape}; reduce it to a loss (.mean(), .sum()), pass "
                    f"gradient= of that shape, or use mg.jacobian for all derivatives."
                )
            g: Any = np.float64(1.0) if type(self.value) is np.float64 else np.ones_like(self.value)
        elif np.shape(gradient) != self.shape:
            raise ShapeError(
                f"backward: expected gradient= of shape {self.shape}, this tensor's, got {np.shape(gradient)}"
            )
        else:
            g = self.like(gradient)
        lift = None
        if create_graph:
            level = self.level
            g = g if isinstance(g, Box) else constant(g, level)

            def lift(value: Any, node: Node) -> Tensor:
                return handle(value, node, level)

        elif type(g) is Tensor and g.level == self.level:
            g = g.value
        for node, kept in unshared(sweep([(self.node, conjugate(g))], retain_graph or create_graph, lift), g):
            kept = conjugate(kept)
            node[GRAD] = kept if node[GRAD] is None else node[GRAD] + kept
            if watchers:
                tell("arrived", node, node[GRAD])

    @property
    def grad(self) -> Any:
        """The gradient collected by ``backward``: a plain array of this leaf's shape and dtype, or None."""
        if self.node is None:
            return None
        if self.node[GRAD] is NotKept:
            raise GraphError(
                "grad: this tensor is not a leaf, and its gradient was not kept. Call t.retain_grad() before "
                "backward() to keep it, or differentiate with mg.grad."
            )
        return self.node[GRAD]

    @grad.setter
    def grad(self, value: Any) -> None:
        if self.node is None:
            if value is None:
                return
            raise GraphError("grad: this tensor does not require a gradient; make it with requires_grad=True")
        if value is not None:
            if np.shape(value) != self.shape:
                raise ShapeError(f"grad: expected shape {self.shape}, this tensor's, got {np.shape(value)}")
            value = self.like(value)
        self.node[GRAD] = value

    def like(self, gradient: Any) -> Any:
        """A gradient given by hand, in this tensor's dtype."""
        if isinstance(gradient, Box):
            return gradient if gradient.dtype == self.dtype else gradient.astype(self.dtype)
        return np.asarray(gradient, dtype=self.dtype)[()]

    def zero_grad(self) -> None:
        """Forget the collected gradient: ``.grad`` is None again."""
        self.grad = None

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf: the next backward pass fills its ``.grad``."""
        if self.node is None:
            raise GraphError("retain_grad: this tensor does not require a gradient")
        if self.node[GRAD] is NotKept:
            self.node[GRAD] = None

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can flow to or through this tensor."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if not self.is_leaf:
            raise GraphError("requires_grad: only a leaf can be switched; use t.detach() to cut a computed tensor off")
        self.node = leaf_node(self.value) if flag else None

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by hand: not computed from others that require a gradient, nor the input of a
        transform, which has a level without a half."""
        return self.node is None or (self.node[ROW] is LEAF and self.level % 1 != 0)

    def detach(self) -> Tensor:
        """The same value without history, as a tensor."""
        self.leaves("detach()")
        return self.stopped()

    def stopped(self) -> Tensor:
        """The same value as a constant of every transform."""
        return constant(stopped(self.value), self.level)

    # ---- values ----------------------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """The plain value. Writing it changes the leaf without recording anything."""
        self.leaves(".data")
        return stopped(self.value)

    @data.setter
    def data(self, value: Any) -> None:
        self.value = self.conforming(value if isinstance(value, Box) else np.asarray(value))

    def numpy(self) -> Any:
        """The plain value, as ``.data``: an explicit way out of the graph."""
        self.leaves(".numpy()")
        return stopped(self.value)

    def item(self, *index: Any) -> Any:
        """The one entry, or the one at ``index``, as a Python number."""
        self.leaves(".item()")
        return self.value.item(*index)

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        self.leaves(".tolist()")
        return self.value.tolist()

    def leaves(self, how: str) -> None:
        """Tell whoever watches that a value is taken out of its graph."""
        if watchers and self.node is not None:
            tell("cut", self.node, how)

    def conforming(self, value: Any) -> Any:
        """``value`` as something this handle may hold: the same shape, and a dtype that NumPy would cast."""
        if value.shape != self.shape:
            raise ShapeError(f"assignment: expected shape {self.shape}, this tensor's, got {value.shape}")
        if value.dtype != self.dtype:
            if not np.can_cast(value.dtype, self.dtype, "same_kind"):
                raise DtypeError(f"assignment: {value.dtype} does not fit into {self.dtype}; convert it with .astype")
            value = value.astype(self.dtype)
        return value[()] if type(value) is np.ndarray else value

    def replace(self, other: Any) -> Self:
        """Point this handle at another node: what every assignment comes down to."""
        if type(other) is not Tensor:
            if self.node is None and other.level < self.level:  # a buffer made inside another kind of transform
                self.value = self.conforming(other)
                return self
            raise UnsupportedError(
                f"assignment: a {type(other).__name__} cannot be assigned into a tensor made outside its transform; "
                f"make the tensor inside, or build the value with np.where or np.stack."
            )
        if type(self.value) is not np.float64 or type(other.value) is not np.float64:  # two of these always conform
            other = self.conforming(other)
        recording = other.level > frozen_level.get()
        if self.node is None or (recording and not self.is_leaf):
            self.value, self.node, self.level = other.value, other.node, other.level
        elif recording:
            raise GraphError(
                "assignment: a leaf that requires a gradient cannot be changed while recording: its gradient would "
                "belong to the new value. Update it inside `with mg.no_grad():`, or assign to a copy, t * 1."
            )
        elif self.is_leaf:
            self.value = other.value
        else:
            raise GraphError(
                "assignment: inside no_grad() this would cut a computed tensor, or the input of a transform, off from "
                "its history; assign to t.detach() instead."
            )
        return self

    # ---- conversions: loud where a gradient would be lost ----------------------------------------------

    def convert(self, what: str) -> Any:
        if self.node is not None or isinstance(self.value, Box):
            raise DetachError(
                f"{what}: this tensor requires a gradient, which the conversion would lose in silence. Keep computing "
                f"with functions of NumPy and SciPy (np.sin instead of math.sin; mg.logsumexp, softmax, log_softmax "
                f"and polygamma, as SciPy's convert), stack tensors with np.stack or mg.array, or leave the graph with "
                f".data or .item()."
            )
        return self.value

    def __iter__(self) -> Iterator[Tensor]:
        # One after the other: an entry that is assigned in the loop is read as it is then.
        return (self[i] if self.node else constant(self.value[i], self.level) for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.convert("np.asarray(tensor)"), dtype=dtype, copy=copy)

    __float__, __int__, __complex__ = conversion(float), conversion(int), conversion(complex)
    __index__ = conversion(operator.index)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self)

    def __repr__(self) -> str:
        body = (
            repr(self.value)
            if isinstance(self.value, Box)
            else np.array2string(np.asarray(self.value), separator=", ", prefix="tensor(")
        )
        kind = "" if self.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self.dtype}"
        return f"tensor({body}{kind}{', requires_grad=True' if self.requires_grad else ''})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if not self.is_leaf or isinstance(self.value, Box):
            raise DetachError(
                "copy or pickle of a tensor: only leaves made by hand can be copied; the copy of any other would lose "
                "its history in silence. Use it as it is (values never change), or copy t.detach()."
            )
        return rebuilt, (self.value, self.requires_grad, self.node[GRAD] if self.node else None)


# ---- the hot path ----------------------------------------------------------------------------------------


def recorder(row: Primitive) -> Callable[[Any, Any], Any]:
    """``Tensor.process`` for one function of two operands, written out: most of a program's time is spent here."""
    compute, function, frozen = row.forward, row.function, frozen_level.get

    def record(left: Any, right: Any) -> Any:
        parent_x = parent_y = None
        if type(left) is Tensor:
            x, parent_x, level = left.value, left.node, left.level
            if type(right) is Tensor and right.level == level:
                y, parent_y = right.value, right.node
            elif type(right) in PLAIN:
                y = right
            else:
                return call(function, (left, right), {})
        elif type(left) in PLAIN:
            x, y, parent_y, level = left, right.value, right.node, right.level
        else:
            return call(function, (left, right), {})
        ans = compute(x, y)
        if watchers:
            tell("forward", row, (x, y), {}, ans)
        out = new(Tensor)
        out.value, out.level = ans, level
        if (parent_x is None and parent_y is None) or level <= frozen():
            out.node = None
            if watchers:
                for parent in filter(None, (parent_x, parent_y)):
                    tell("cut", parent, "no_grad()")
            return out
        shape, dtype = ((), FLOAT64) if type(ans) is np.float64 else (ans.shape, ans.dtype)
        out.node = node = [next_number(), shape, dtype, row, NotKept, origin() if watchers else None]
        if parent_x is not None:
            node.append(row.keeps[0](parent_x, 0, ans, x, y))
        if parent_y is not None:
            node.append(row.keeps[1](parent_y, 1, ans, x, y))
        return out

    return record


def operator_methods(function: Callable[..., Any]) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """``t + u`` and, reflected, ``u + t``, without a step between Python and the recorder."""
    row = primitive(function)
    record = row.record = recorder(row)
    return record, lambda self, other: record(other, self)


Tensor.__add__, Tensor.__radd__ = operator_methods(np.add)
Tensor.__sub__, Tensor.__rsub__ = operator_methods(np.subtract)
Tensor.__mul__, Tensor.__rmul__ = operator_methods(np.multiply)
Tensor.__truediv__, Tensor.__rtruediv__ = operator_methods(np.divide)
Tensor.__pow__, Tensor.__rpow__ = operator_methods(np.power)
Tensor.__matmul__, Tensor.__rmatmul__ = operator_methods(np.matmul)


# ---- makers ----------------------------------------------------------------------------------------------


def handle(value: Any, node: Node | None, level: float) -> Tensor:
    """A tensor on an existing node."""
    out = new(Tensor)
    out.value, out.node, out.level = value, node, level
    return out


def constant(value: Any, level: float) -> Tensor:
    """A tensor without history."""
    return handle(value, None, level)


def leaf_node(value: Any) -> Node:
    """The node of a value made by hand; refuses what has no derivative."""
    if not differentiable(value):
        raise DtypeError(
            f"requires_grad: expected floating-point numbers, got {value.dtype}: a gradient moves in steps smaller "
            f"than one. Write 3.0 instead of 3, or convert first: x.astype(float), mg.tensor(x, dtype=float)."
        )
    return new_node(value, LEAF, (), None)


def refuse_captured(row: Primitive, ans: Any, level: float) -> None:
    """A function made by a user was given values of lower levels, and yet returned something with a history here."""
    if isinstance(ans, Box) and ans.level >= level and not (type(ans) is Tensor and ans.node is None):
        raise GraphError(
            f"{row.name}: the function uses a tensor that requires a gradient, or an input of a transform, that is not "
            f"among its arguments, where its gradient would be lost; pass it in."
        )


def differentiable(value: Any) -> bool:
    """Whether a value is made of inexact numbers, so that a derivative makes sense."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and np.issubdtype(dtype, np.inexact)


def rebuilt(value: Any, requires_grad: bool, grad: Any) -> Tensor:
    out = tensor(value, requires_grad=requires_grad)
    if grad is not None:
        out.grad = np.copy(grad)
    return out


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor from numbers, nested lists of numbers, or an array (which is copied).

    Args:
        data: a number, nested lists, an array, or a tensor without history. Arrays of other libraries that speak
            NumPy's protocols are kept as they are.
        dtype: NumPy's; by default what NumPy would choose (a Python float is float64).
        requires_grad: whether ``backward`` should collect a gradient here.

    Raises:
        DtypeError: integers with ``requires_grad``, or something that is not a number.
        DetachError: lists that hold tensors with history (use ``mg.array``), or such a tensor itself.

    >>> import microgd as mg
    >>> mg.tensor([1.0, 2.0], requires_grad=True)
    tensor([1., 2.], requires_grad=True)
    """
    level = transform_level.get() + 0.5
    if type(data) is float and dtype is None:
        value: Any = np.float64(data)
    elif isinstance(data, np.ndarray | np.generic | list | tuple) or not hasattr(data, "__array_function__"):
        value = np.array(data, dtype=dtype)
    elif isinstance(data, Tensor):
        value = data.convert("mg.tensor(tensor)")
        value = np.array(value, dtype=dtype)
    else:
        value = data if dtype is None else data.astype(dtype)
    if value.dtype.kind not in "fiubc":
        raise DtypeError(
            f"tensor: expected numbers, got {value.dtype} from {type(data).__name__}; rows of different length, text "
            f"and None cannot be differentiated."
        )
    value = value[()] if type(value) is np.ndarray else value  # a 0-d array as a NumPy scalar
    return handle(value, leaf_node(value) if requires_grad else None, level)


def stopped(value: Any) -> Any:
    """A value with the history of every level cut off."""
    if isinstance(value, Tensor):
        value.leaves("stop_gradient()")
    return value.stopped() if isinstance(value, Box) else value


class no_grad(ContextDecorator):  # noqa: N801  (a verb used like a keyword, as everyone in the field writes it)
    """Record nothing inside: for updates and for evaluation. Also a decorator; nests.

    Transforms started inside (``mg.grad``...) still work: only graphs that exist already are left alone.

    >>> import microgd as mg
    >>> p = mg.tensor(1.0, requires_grad=True)
    >>> with mg.no_grad():
    ...     p -= 0.1
    >>> p
    tensor(0.9, requires_grad=True)
    """

    def __init__(self) -> None:
        self.tokens: list[Token[float]] = []

    def _recreate_cm(self) -> no_grad:  # as a decorator: one per call, so that threads do not share tokens
        return no_grad()

    def __call__(self, function: Any) -> Any:
        later = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        if any(kind(function) for kind in later):
            raise OptionError("no_grad: this function runs after the call that makes it; use no_grad() inside of it")
        return super().__call__(function)

    def __enter__(self) -> Self:
        self.tokens.append(frozen_level.set(max(frozen_level.get(), transform_level.get() + 0.5)))
        return self

    def __exit__(self, *exception: object) -> None:
        frozen_level.reset(self.tokens.pop())
