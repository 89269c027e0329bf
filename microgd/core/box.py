"""Box: the one place where NumPy calls arrive.

A box implements NumPy's two protocols, ``__array_ufunc__`` (NEP 13) and ``__array_function__`` (NEP 18),
and Python's operators. ``call`` finds the row of the function in the table, and ``dispatch`` hands the call
to the box of the highest level among the operands: its ``process`` is the interpreter.
A box may hold an array or a box of a lower level, so interpreters nest in any order. This file does not
know any interpreter, nor any rule.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from microgd.core.primitive import TABLE, Primitive, late, positional, primitive, undeclared
from microgd.errors import DetachError, UnsupportedError

Operator = Callable[[Any, Any], Any]


def dispatch(row: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Run one canonical call: on plain arrays directly, on boxes by the interpreter of the highest level."""
    if row.form == "composed":
        return row.forward(*operands, **params)
    top: Box | None = None
    for x in operands:
        if isinstance(x, Box) and (top is None or x.level > top.level):
            top = x
    if top is None:
        ans = row.forward(*operands, **params)
        return np.complex128(ans) if type(ans) is complex else ans  # what Python makes of 1j * np.float64
    return top.process(row, operands, params)


def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Bring a call as the user wrote it into canonical form, and dispatch it."""
    row = TABLE.get(function) or late(function)
    if row is None or row.form == "undeclared":
        raise undeclared(function)
    if row.form == "composed":
        return run_composed(row, args, kwargs)
    if kwargs and row.bind is positional and any(isinstance(x, Box) for x in kwargs.values()):
        args, kwargs = in_order(row, args, kwargs)
    if row.bind is positional and (not kwargs or row.form == "flat"):
        operands, params = args, kwargs
    else:
        try:
            operands, params = row.bind(*args, **kwargs)
        except TypeError as error:
            raise unsupported(row, error) from None
    if len(operands) == 1 and isinstance(operands[0], Box):
        return operands[0].apply(row, params)
    for x in operands:
        if type(x) is list or type(x) is tuple:
            operands = tuple([np.asarray(x) if type(x) in (list, tuple) else x for x in operands])
            break
    return dispatch(row, operands, params)


def call_numpy(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``call`` for NumPy's own functions, which may be given an array to write into."""
    if kwargs.pop("out", None) is not None:
        raise DetachError(
            f"{function.__name__}: out= and in-place forms (array += tensor) would write a tensor's value into "
            f"a plain array and lose its gradient. Write z = {function.__name__}(x, y) or x = x + y instead."
        )
    return call(function, args, kwargs)


def in_order(row: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same call with tensors that were given by keyword in their places."""
    try:
        given = inspect.signature(row.function).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        raise unsupported(row, error) from None
    if any(isinstance(x, Box) for x in given.kwargs.values()):
        raise unsupported(row, TypeError("a tensor was given as a keyword argument"))
    return given.args, given.kwargs


def run_composed(row: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the program that a function is made of; arguments that it does not take are refused by name."""
    try:
        return row.forward(*args, **kwargs)
    except TypeError:
        try:
            inspect.signature(row.forward).bind(*args, **kwargs)
        except TypeError as error:
            raise unsupported(row, error) from None
        raise


def unsupported(row: Primitive, error: Exception) -> UnsupportedError:
    """The error for arguments that a row does not take."""
    if isinstance(error, UnsupportedError):
        return error
    reason = str(error).replace("<lambda>()", row.name)
    return UnsupportedError(
        f"{row.name}: {reason}; of this function's arguments only those with a derivative rule are accepted on "
        f"tensors. Leave the argument out, or write the step as a separate operation."
    )


def innermost(x: Any) -> Any:
    """The array inside however many boxes."""
    while isinstance(x, Box):
        x = x.value
    return x


def holds_box(index: Any) -> bool:
    """Whether a tensor is in an index."""
    return isinstance(index, Box) or (type(index) is tuple and any(isinstance(part, Box) for part in index))


def dispatching(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that NumPy lacks a primitive: on boxes it dispatches, on plain arrays it just runs."""
    from functools import wraps

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for x in (*args, *kwargs.values()) if kwargs else args:
            if isinstance(x, Box):
                return call(wrapper, args, kwargs)
        return function(*args, **kwargs)

    primitive(wrapper).forward = function
    return wrapper


def unary(function: Callable[..., Any], compute: Callable[..., Any]) -> Callable[[Any], Any]:
    """The method behind a one-operand operator. ``compute`` is Python's operator: on NumPy scalars it is ten
    times faster than the ufunc that names the rule."""
    row = primitive(function)
    row.forward = compute
    return lambda self: self.apply(row, {})


def binary(function: Callable[..., Any], compute: Callable[..., Any]) -> tuple[Operator, Operator]:
    """The two methods behind a two-operand operator: ``x + y`` and, reflected, ``y + x``."""
    row = primitive(function)
    row.forward = compute
    return lambda self, other: self.operate(row, self, other), lambda self, other: self.operate(row, other, self)


def flat_binary(function: Callable[..., Any], compute: Callable[..., Any]) -> tuple[Operator, Operator]:
    """``binary`` for an operator without a derivative."""
    row = primitive(function)
    row.forward = compute
    return lambda self, other: dispatch(row, (self, other), {}), lambda self, other: dispatch(row, (other, self), {})


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function as a method: ``t.sum(axis=0)`` is ``np.sum(t, axis=0)``."""

    def call_method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return call_numpy(function, (self, *args), kwargs)

    call_method.__name__ = getattr(function, "__name__", "method")
    call_method.__doc__ = f"``np.{call_method.__name__}`` of this tensor."
    return call_method


def in_place(compute: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """The method behind ``t += u`` and kin."""
    return lambda self, other: self.replace(compute(self, other))


class Box:
    """What stands in for an array while a transform watches. See the module's first lines."""

    __slots__ = ()
    level: float
    value: Any

    def process(self, row: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Interpret one call in which this box has the highest level."""
        raise NotImplementedError

    def apply(self, row: Primitive, params: dict[str, Any]) -> Any:
        """Interpret a function of this box alone; a box may override this with something faster."""
        return dispatch(row, (self,), params)

    def operate(self, row: Primitive, left: Any, right: Any) -> Any:
        """Interpret a function of two operands, one of them this box; likewise."""
        return call(row.function, (left, right), {})

    def stopped(self) -> Any:
        """The same value as a constant of every transform."""
        raise NotImplementedError

    def detach(self) -> Any:
        """The same value without history or tangent."""
        return self.stopped()

    def __bool__(self) -> bool:
        return bool(self.value)

    def replace(self, other: Any) -> Self:
        """Become what ``other`` is: assignment changes the handle, never the value it held."""
        raise NotImplementedError

    def __getitem__(self, index: Any) -> Any:
        return self.read(index) if holds_box(index) else call(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        if holds_box(index):
            self.replace(self.written(index, value))
        else:
            self.replace(call(operator.setitem, (self, index, value), {}))

    def __array_ufunc__(self, ufunc: np.ufunc, how: str, *inputs: Any, **kwargs: Any) -> Any:
        if how != "__call__":
            return call_numpy(getattr(ufunc, how), inputs, kwargs)
        if len(inputs) == 2 and not kwargs and (row := TABLE.get(ufunc)) and row.form in ("elementwise", "bilinear"):
            return self.operate(row, *inputs)  # where `array * tensor` arrives
        return call_numpy(ufunc, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return call_numpy(function, args, kwargs)

    def refuse(self, *_: Any, **__: Any) -> NoReturn:
        """What a conversion to something without derivatives comes to, unless a box knows better."""
        raise DetachError(
            "float(), int(), np.asarray() and kin would lose the derivative in silence: keep computing with NumPy "
            "functions (np.sin instead of math.sin), and collect values with np.stack or mg.array."
        )

    __float__ = __int__ = __complex__ = __index__ = __array__ = item = tolist = refuse

    def __reduce__(self) -> Any:
        self.refuse()

    # What an array knows about itself.
    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: self.value.size)
    itemsize = property(lambda self: self.value.itemsize)
    nbytes = property(lambda self: self.value.nbytes)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a scalar tensor; it has no axis to count")
        return int(self.shape[0])

    def __contains__(self, x: Any) -> bool:
        return bool(np.any(self == x))

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    # Operators: the table is keyed by the NumPy function, so nothing here knows a derivative.
    __add__, __radd__ = binary(np.add, operator.add)
    __sub__, __rsub__ = binary(np.subtract, operator.sub)
    __mul__, __rmul__ = binary(np.multiply, operator.mul)
    __truediv__, __rtruediv__ = binary(np.divide, operator.truediv)
    __pow__, __rpow__ = binary(np.power, operator.pow)
    __matmul__, __rmatmul__ = binary(np.matmul, operator.matmul)
    __mod__, __rmod__ = binary(np.remainder, operator.mod)
    __floordiv__, __rfloordiv__ = flat_binary(np.floor_divide, operator.floordiv)
    __lt__, _ = flat_binary(np.less, operator.lt)
    __gt__, _ = flat_binary(np.greater, operator.gt)
    __le__, _ = flat_binary(np.less_equal, operator.le)
    __ge__, _ = flat_binary(np.greater_equal, operator.ge)
    __eq__, _ = flat_binary(np.equal, operator.eq)
    __ne__, _ = flat_binary(np.not_equal, operator.ne)
    __and__, __rand__ = flat_binary(np.bitwise_and, operator.and_)
    __or__, __ror__ = flat_binary(np.bitwise_or, operator.or_)
    __xor__, __rxor__ = flat_binary(np.bitwise_xor, operator.xor)
    __lshift__, __rlshift__ = flat_binary(np.left_shift, operator.lshift)
    __rshift__, __rrshift__ = flat_binary(np.right_shift, operator.rshift)
    __neg__ = unary(np.negative, operator.neg)
    __pos__ = unary(np.positive, operator.pos)
    __abs__ = unary(np.absolute, operator.abs)
    __invert__ = unary(np.invert, operator.invert)
    __iadd__, __isub__ = in_place(operator.add), in_place(operator.sub)
    __imul__, __itruediv__ = in_place(operator.mul), in_place(operator.truediv)
    __imod__, __ifloordiv__ = in_place(operator.mod), in_place(operator.floordiv)
    __ipow__, __imatmul__ = in_place(operator.pow), in_place(operator.matmul)
    __hash__: ClassVar[Callable[[Any], int]] = object.__hash__

    # NumPy's methods, and a few functions that networks are written with (ops supplies the bare ones).
    read: Callable[..., Any]
    written: Callable[..., Any]
    exp, log, sqrt, tanh = method(np.exp), method(np.log), method(np.sqrt), method(np.tanh)
    relu: Callable[..., Any]
    sigmoid: Callable[..., Any]
    softmax: Callable[..., Any]
    all, any, nonzero = method(np.all), method(np.any), method(np.nonzero)
    argmax, argmin = method(np.argmax), method(np.argmin)
    argsort, argpartition = method(np.argsort), method(np.argpartition)
    astype = method(np.ndarray.astype)
    choose = method(np.choose)
    repeat, take = method(np.repeat), method(np.take)
    clip, copy = method(np.clip), method(np.copy)
    conj = conjugate = method(np.conjugate)
    cumsum, cumprod = method(np.cumsum), method(np.cumprod)
    diagonal, trace = method(np.diagonal), method(np.trace)
    dot, searchsorted = method(np.dot), method(np.searchsorted)
    max, min, put = method(np.max), method(np.min), method(np.put)
    mean, sum, prod = method(np.mean), method(np.sum), method(np.prod)
    ravel, squeeze, swapaxes = method(np.ravel), method(np.squeeze), method(np.swapaxes)
    round = __round__ = method(np.round)
    std, var = method(np.std), method(np.var)
    real = property(lambda self: np.real(self))
    imag = property(lambda self: np.imag(self))
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.swapaxes(self, -1, -2))  # noqa: N815  (NumPy's name)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """The entries, or the slices along an axis, for which the condition holds."""
        return np.compress(condition, self, axis)

    def fill(self, value: Any) -> None:
        """Assign one value to every entry."""
        self[...] = value

    def sort(self, axis: int = -1) -> None:
        """Become what ``np.sort`` gives."""
        self.replace(np.sort(self, axis))

    def partition(self, kth: Any, axis: int = -1) -> None:
        """Become what ``np.partition`` gives."""
        self.replace(np.partition(self, kth, axis))

    def flatten(self, order: str = "C") -> Any:
        """All entries along one axis."""
        return np.reshape(self, -1, order=order)  # type: ignore[call-overload]

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """``t.reshape(2, 3)`` or ``t.reshape((2, 3))``."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        """``t.transpose()``, ``t.transpose(1, 0)`` or ``t.transpose((1, 0))``."""
        order = axes[0] if len(axes) == 1 else axes or None
        return np.transpose(self, order)
