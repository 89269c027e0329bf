"""Functions of one's own: a forward in NumPy (or in anything else), and the way back, in one statement.

They are rows of the same table that holds NumPy's functions, so every transform knows them. This is also how to give a
function another gradient than its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np

from microgd.core import primitive as table
from microgd.core.box import dispatching
from microgd.errors import GraphError, OptionError
from microgd.ops.shape import array_of

Rules = Callable[..., Any] | Sequence[Callable[..., Any] | None]


def primitive(
    forward: Callable[..., Any], vjps: Rules, jvps: Rules | None = None, batch: table.Batching = "loop"
) -> Callable[..., Any]:
    """Make a differentiable function from a forward computation and its vector-Jacobian products.

    vjps[k](g, ...) = J_k' g, with J_k the Jacobian by argument k and g the cotangent of the output.

    Args:
        forward: a function that returns one array. Its first arguments are the operands, one for each rule; what
            follows is metadata. It is given plain arrays (boxes of outer transforms, when nested).
        vjps: one rule per operand, or None for an operand without a derivative. After ``g`` a rule names what it needs:
            ``ans`` (the output), operands by their names in ``forward`` or as ``x``, ``y``, ``z``, their shapes
            (``x_shape``), metadata. Written in NumPy, it can be differentiated again.
        jvps: likewise for forward mode, from a tangent ``t``; without them the rules above are transposed.
        batch: how vmap runs it: "entries" if it works entry by entry, "stack" if on trailing axes, "loop" one by one.

    Raises:
        OptionError: more rules than arguments, or a rule that names something unknown.

    >>> import numpy as np, microgd as mg
    >>> cube = mg.primitive(lambda x: x**3, vjps=lambda g, x: g * 3 * x**2)
    >>> mg.grad(lambda x: np.sum(cube(x)))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> float(mg.grad(mg.grad(cube))(2.0))
    12.0
    """
    rules = as_rules(vjps)
    names = parameters(forward, len(rules))
    operands, metadata = names[: len(rules)], names[len(rules) :]
    if len(operands) < len(rules):
        raise OptionError(f"primitive: {len(rules)} rules for a function of {len(names)} arguments")
    pushes = as_rules(jvps)
    if pushes and len(pushes) != len(rules):
        raise OptionError(f"primitive: {len(rules)} vjps but {len(pushes)} jvps; expected one of each per operand")

    def bind(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not kwargs and not metadata and len(args) == len(operands):
            return args, {}
        given = inspect.signature(forward).bind(*args, **kwargs)
        given.apply_defaults()
        return tuple(given.arguments[name] for name in operands), {name: given.arguments[name] for name in metadata}

    def as_array(*args: Any, **kwargs: Any) -> Any:
        return array_of(forward(*args, **kwargs))

    function = dispatching(forward)
    if batch not in get_args(table.Batching):
        raise OptionError(f"primitive: batch must be one of {', '.join(get_args(table.Batching))}, got {batch!r}")
    needs = [canonical(rule, operands, metadata) for rule in rules]
    table.general(
        function,
        *[rule and checked(rule, forward) for rule in rules],
        bind=bind,
        forward=as_array,
        batch=batch,
        needs=needs,
    )
    table.primitive(function).pushes = tuple(
        rule and (rule, table.keeper(list(table.OPERANDS[: len(rules)]), True, canonical(rule, operands, metadata)))
        for rule in pushes
    )
    return function


def checked(rule: Callable[..., Any], forward: Callable[..., Any]) -> Callable[..., Any]:
    """The rule, whose result is made an array."""
    name = getattr(forward, "__name__", "primitive")

    def run(g: Any, *needed: Any) -> Any:
        out = rule(g, *needed)
        if out is None:
            raise GraphError(f"{name}: a rule returned None; return an array, or declare None in its place")
        return out if hasattr(out, "dtype") else np.asarray(out)[()]

    return run


def as_rules(rules: Rules | None) -> tuple[Callable[..., Any] | None, ...]:
    return () if rules is None else (rules,) if callable(rules) else tuple(rules)


def canonical(rule: Callable[..., Any] | None, operands: list[str], metadata: list[str]) -> list[str]:
    """What a rule names, with operands called as the table calls them."""
    known = {name: name for name in ("ans", *metadata)}
    for given, name in zip(operands, table.OPERANDS, strict=False):
        known |= {name: name, f"{name}_shape": f"{name}_shape"}
        known |= {given: name, f"{given}_shape": f"{name}_shape"}
    named = [] if rule is None else table.named_by(rule)
    unknown = [name for name in named if name not in known]
    if unknown:
        raise OptionError(
            f"primitive: a rule names {', '.join(unknown)}; after the cotangent it can name {', '.join(sorted(known))}"
        )
    return [known[name] for name in named]


def parameters(forward: Callable[..., Any], rules: int) -> list[str]:
    """The names of a function's arguments; NumPy's own functions do not always tell."""
    if isinstance(forward, np.ufunc):
        return list(table.OPERANDS[: forward.nin])
    try:
        return list(inspect.signature(forward).parameters)
    except ValueError:
        return list(table.OPERANDS[:rules])
