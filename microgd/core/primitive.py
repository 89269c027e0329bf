"""The table of primitives: for every function, how to differentiate it, in one statement.

A primitive is declared by its *form*. The form, not the author of an op, later supplies reverse mode,
forward mode and batching::

    elementwise(np.tanh, lambda g, ans: g * (1 - ans * ans))
    linear(np.sum, lambda g, x_shape, axis, keepdims: ..., signature="a, axis=None, keepdims=False")

A rule is a function of the cotangent ``g`` and of whatever else it *names*: ``ans`` (the output),
``x``, ``y``, ``z`` (the operands by position), ``xs`` and ``i`` (all operands of a variadic function and
the index of this one), the call's metadata (``axis``...), or ``x_shape`` and kin (only the shape).
What no rule names is not kept in memory. Rules are written in NumPy, so they can be differentiated. They are
transposes, without complex conjugates: <g, J t> = <J'g, t> with <a, b> the real part of the sum of a b.
"""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

from microgd.errors import UnsupportedError

Rule = Callable[..., Any]
Form = Literal["elementwise", "linear", "bilinear", "general", "flat", "composed", "undeclared"]

Indexed = Any  # a tuple or a mapping by operand number

# How a call on one more leading axis is the same call: entry by entry, with its ``axis`` moved along, on a stack (the
# function works on trailing axes already), by a rule of its own kept elsewhere, or one example after the other.
Batching = Literal["entries", "axis", "stack", "loop"]

OPERANDS = ("x", "y", "z", *[f"x{k}" for k in range(3, 16)])


def positional(*operands: Any, **metadata: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The call of a ufunc: every positional argument is an operand, and there is no metadata."""
    if metadata:
        raise TypeError(f"unexpected keyword {', '.join(map(repr, metadata))}")
    return operands, {}


class Primitive:
    """One row of the table: a function and what the interpreters need to know about it."""

    __slots__ = (
        "batch",
        "bind",
        "form",
        "forward",
        "function",
        "keeps",
        "masks",
        "name",
        "needs",
        "note",
        "pushes",
        "record",
        "rules",
        "silent",
        "undefined",
    )

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        ufunc: Any = getattr(function, "__self__", None)  # of which this is a method
        name = getattr(function, "__name__", str(function))
        self.name: str = f"{ufunc.__name__}.{name}" if hasattr(ufunc, "nin") else name
        self.form: Form = "undeclared"
        self.forward: Callable[..., Any] = function
        """Computes the output from canonical operands (positional) and metadata (keyword)."""
        self.bind: Callable[..., tuple[tuple[Any, ...], dict[str, Any]]] = positional
        """Turns a call as the user wrote it into (operands, metadata)."""
        self.rules: Indexed = ()
        """One rule per operand; None where an operand has no derivative."""
        self.keeps: Indexed = ()
        """Beside each rule: builds the edge (parent, i, *saved) that the rule will be called with."""
        self.needs: Indexed = ()
        """Beside each rule: the names of what the edge saved, in order."""
        self.pushes: tuple[tuple[Rule, Callable[..., Any]] | None, ...] = ()
        """Forward mode where the form does not supply it: per operand a rule for its tangent, and what it keeps."""
        self.batch: Batching = "loop"
        self.masks: Callable[..., bool] | None = None
        """By what an edge saved: whether entries were chosen, so that those left out may be anything, NaN too."""
        self.silent: Callable[..., bool] | None = None
        """By a rule's answer, ``g`` and what the edge saved: whether NumPy may fail to say that a product met 0 times
        infinity, as it does elsewhere."""
        self.undefined = False
        """Whether a NaN of its rule says that there is no derivative, whatever comes from above."""
        self.record: Callable[[Any, Any], Any] | None = None
        """How a tensor runs and records this function of two operands, once it has been asked to."""
        self.note = ""
        """What a user should know about the derivative, in a few words: conventions, limits."""

    def __repr__(self) -> str:
        return f"<{self.form} {self.name}>"


LEAF = Primitive(tuple)  # the row of values that were made by hand
FREED = Primitive(tuple)  # the row of values whose history was used and freed

TABLE: dict[Callable[..., Any], Primitive] = {}

LATE: dict[str, str] = {}
"""Rules for a library that is never imported for its own sake: its module, and the module that declares them."""


def primitive(function: Callable[..., Any]) -> Primitive:
    """The row of ``function``, made empty at its first mention so that operators can name it early."""
    if function not in TABLE:
        TABLE[function] = Primitive(function)
    return TABLE[function]


def late(function: Callable[..., Any]) -> Primitive | None:
    """The row of a function that is not in the table yet because its library is only now in use."""
    for library, rules in LATE.items():
        if library in sys.modules:
            import_module(rules)
    return TABLE.get(function)


def elementwise(function: Callable[..., Any], *rules: Rule | None, signature: str = "", **parts: Any) -> None:
    """Declare a function whose Jacobian is diagonal: the rule scales ``g`` back and a tangent forward."""
    _declare("elementwise", function, rules, signature, **parts)


def linear(function: Callable[..., Any], *rules: Rule | None, signature: str = "", **parts: Any) -> None:
    """Declare a function linear in all its operands together: rules are transposes."""
    _declare("linear", function, rules, signature, **parts)


def bilinear(function: Callable[..., Any], *rules: Rule | None, signature: str = "", **parts: Any) -> None:
    """Declare a function linear in each operand alone: rules are transposes per operand."""
    _declare("bilinear", function, rules, signature, **parts)


def general(function: Callable[..., Any], *rules: Rule | None, signature: str = "", **parts: Any) -> None:
    """Declare a function by its vector-Jacobian products, one per operand."""
    _declare("general", function, rules, signature, **parts)


def flat(*functions: Callable[..., Any], signature: str = "", batch: Batching = "entries") -> None:
    """Declare functions that are constant almost everywhere: their derivative is zero or meaningless."""
    for function in functions:
        row = primitive(function)
        row.form, row.batch = "flat", "axis" if signature else batch
        if signature:
            row.bind = _binder(signature, 1)


def composed(function: Callable[..., Any], body: Callable[..., Any], note: str = "") -> None:
    """Declare a function as an ordinary program of others: calls on boxes run ``body`` instead."""
    row = primitive(function)
    row.form, row.forward, row.note = "composed", body, note


def _declare(
    form: Form,
    function: Callable[..., Any],
    rules: tuple[Rule | None, ...],
    signature: str,
    forward: Callable[..., Any] | None = None,
    bind: Callable[..., Any] | None = None,
    batch: Batching | None = None,
    note: str = "",
    needs: Sequence[list[str]] | None = None,
) -> None:
    """Fill a row. ``signature`` is NumPy's own, cut down to the arguments that are supported.

    Its first parameters, as many as there are rules, are operands and the rest metadata. A star before
    the first one says that the operands arrive inside a list. ``batch`` need not be said of an elementwise
    function, nor of one with a single operand and an ``axis``.
    """
    row = primitive(function)
    variadic = signature.startswith("*")
    operands = ["*xs"] if variadic else list(OPERANDS[: len(rules)])
    has_metadata = bind is not None or signature.count(",") >= len(rules)
    row.form, row.note = form, note
    single_axis = len(rules) == 1 and not variadic and "axis" in signature.replace("=", ",").replace(" ", "").split(",")
    row.batch = batch or ("entries" if form == "elementwise" else "axis" if single_axis else "loop")
    if bind is not None:
        row.bind = bind
    elif signature:
        row.bind = _binder(signature, len(rules))
    if forward is not None:
        row.forward = forward
    elif variadic:
        row.forward = lambda *xs, **params: function(xs, **params)
    row.rules = rules
    row.needs = needs or [[] if rule is None else named_by(rule) for rule in rules]
    row.keeps = [
        None if rule is None else keeper(operands, has_metadata, names)
        for rule, names in zip(rules, row.needs, strict=True)
    ]
    if variadic:  # the one rule serves every operand
        row.rules, row.needs, row.keeps = (_everywhere(part[0]) for part in (row.rules, row.needs, row.keeps))


def named_by(rule: Rule) -> list[str]:
    """What a rule needs beside the cotangent."""
    return list(inspect.signature(rule).parameters)[1:]


def _everywhere(part: Any) -> Mapping[int, Any]:
    return defaultdict(lambda: part)


def _binder(signature: str, operands: int) -> Callable[..., Any]:
    """``lambda a, axis=None: ((a,), {'axis': axis})``: Python's own call does the matching."""
    names = [part.split("=")[0].strip() for part in signature.split(",")]
    names = [name for name in names if name != "*"]
    given = ", ".join(names[:operands])
    metadata = ", ".join(f"{name!r}: {name}" for name in names[operands:])
    return eval(f"lambda {signature}: (({given},), {{{metadata}}})")  # type: ignore[no-any-return]


def keeper(operands: list[str], has_metadata: bool, needs: list[str]) -> Callable[..., Any]:
    """``lambda parent, i, ans, x, y: (parent, i, y)``: an edge that holds what one rule names."""
    picks = [_expression(name) for name in needs]
    arguments = ["parent", "i", "ans", *operands]
    if has_metadata:
        named = [name for name in needs if name not in ("ans", "i", "xs", *OPERANDS) and not name.endswith("_shape")]
        arguments += [*([] if "*xs" in operands or not named else ["*"]), *named, "**_"]
    edge = ", ".join(["parent", "i", *picks])
    return eval(f"lambda {', '.join(arguments)}: ({edge},)")  # type: ignore[no-any-return]


def _expression(name: str) -> str:
    if name == "xs_shape":
        return "[x.shape for x in xs]"
    return f"{name.removesuffix('_shape')}.shape" if name.endswith("_shape") else name


def undeclared(function: Callable[..., Any]) -> UnsupportedError:
    """The error for a function without a row, with the nearest names that have one."""
    import difflib

    name = Primitive(function).name
    known = {row.name for row in TABLE.values() if row.form != "undeclared"}
    near = difflib.get_close_matches(name, known, n=3)
    hint = f" The nearest that do: {', '.join(near)}." if near else ""
    hint = f" NumPy's or microgd's {name} has one." if name in known else hint
    return UnsupportedError(
        f"{name}: has no derivative rule in microgd.{hint} Compose it from supported functions (mg.supported() lists "
        f"them), declare one with mg.primitive(forward, vjps=...), or pass plain arrays if no gradient should flow."
    )
