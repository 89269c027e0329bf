"""Reverse mode: vjp, and grad and value_and_grad in a few lines over it.

Each run of a transform boxes its inputs at a fresh level, runs the function, and walks back. The values inside
may be boxes of other transforms: everything the walk computes is then recorded by them, which is all there is
to higher derivatives. Plain arrays in, plain arrays out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Number
from typing import Any

import numpy as np

from microgd.core.box import Box
from microgd.core.tape import FLOAT64, NUMBER, conjugate, new_level, sweep, unshared
from microgd.core.tensor import Tensor, handle, leaf_node, stopped
from microgd.core.tree import flatten, flatten_like, tree_map
from microgd.errors import DtypeError, GraphError, OptionError, ShapeError
from microgd.ops.shape import array_of


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of ``f`` and its pullback: cotangent of the output -> cotangents of the inputs.

    pullback(v) = v' J, with J the Jacobian of ``f`` at ``primals``. Complex cotangents are
    dL/dx + i dL/dy, on both sides.

    Args:
        f: a function of arrays or containers of arrays, returning the same.
        primals: where to evaluate it; floating-point.

    Returns:
        (out, pullback). The pullback takes a cotangent with the output's structure and shapes, may be called any
        number of times, and returns a tuple with one entry per primal.

    Raises:
        DtypeError: a primal is made of integers. ShapeError: a cotangent of another shape than the output.

    >>> import numpy as np, microgd as mg
    >>> out, pullback = mg.vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> float(out), [float(g) for g in pullback(1.0)]
    (12.0, [4.0, 3.0])
    """
    out, _, pullback = linearized(lambda *boxes: (f(*boxes), None), primals)
    return out, lambda cotangent: pullback(cotangent, True)


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar-valued function, as a function of the same arguments.

    grad(f)(x)[i] = df/dx[i]; of complex z = x + iy it is df/dx + i df/dy. With several ``argnums``, a tuple of
    gradients.

    Args:
        f: a function whose output is one real number, or (number, anything) with ``has_aux``.
        argnums: which positional arguments to differentiate; containers are allowed.
        has_aux: ``f`` returns (loss, extra), and so the result is (gradient, extra).

    Raises:
        GraphError: the output is not a scalar. DtypeError: an argument is made of integers.

    >>> import numpy as np, microgd as mg
    >>> mg.grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> bool(mg.grad(mg.grad(np.sin))(0.5) == -np.sin(0.5))
    True
    """
    both = value_and_grad(f, argnums, has_aux)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Like ``grad``, but returns (value, gradient); with ``has_aux``, ((value, extra), gradient).

    Args and errors as for ``grad``.

    >>> import numpy as np, microgd as mg
    >>> value, g = mg.value_and_grad(lambda w: (w - 1.0) ** 2)(3.0)
    >>> float(value), float(g)
    (4.0, 4.0)
    """
    numbers, alone = positions(argnums)

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        name = getattr(f, "__name__", "f")
        check_positions(numbers, args, f"grad of {name}")

        of_chosen = chosen_only(f, numbers, args, kwargs)

        def loss(*chosen: Any) -> tuple[Any, Any]:
            out = of_chosen(*chosen)
            out, extra = out if has_aux else (out, None)
            if not hasattr(out, "dtype") and (not isinstance(out, Number) or isinstance(out, bool)):
                raise GraphError(
                    f"grad of {name}: expected a number, the function returned {type(out).__name__}; is a return "
                    f"missing? Of several results, pick one, or return (loss, the rest) with has_aux=True."
                )
            if np.shape(out) != ():
                raise GraphError(
                    f"grad of {name}: expected a scalar output, got shape {np.shape(out)}; reduce it (np.sum, "
                    f"np.mean), or use mg.jacobian for all derivatives."
                )
            if getattr(out, "dtype", FLOAT64).kind == "c":
                raise GraphError(f"grad of {name}: expected a real output, got {out.dtype}; take np.real or np.abs")
            return out, extra

        value, extra, pullback = linearized(loss, tuple(args[n] for n in numbers))
        gradients = pullback(np.ones_like(value), False)
        gradient = gradients[0] if alone else gradients
        return ((value, extra), gradient) if has_aux else (value, gradient)

    return value_and_gradient


def positions(argnums: Any) -> tuple[tuple[int, ...], bool]:
    """The numbers of the chosen arguments, and whether one was chosen by a bare number."""
    alone = isinstance(argnums, int | np.integer)
    return ((int(argnums),) if alone else tuple(argnums)), alone


def chosen_only(f: Callable[..., Any], numbers: tuple[int, ...], args: Any, kwargs: Any) -> Callable[..., Any]:
    """``f`` as a function of the chosen arguments alone."""

    def of_chosen(*chosen: Any) -> Any:
        given = list(args)
        for n, x in zip(numbers, chosen, strict=True):
            given[n] = x
        return f(*given, **kwargs)

    return of_chosen


def check_positions(numbers: tuple[int, ...], args: tuple[Any, ...], what: str) -> None:
    if any(not -len(args) <= n < len(args) for n in numbers):
        raise OptionError(f"{what}: argnums={numbers}, but it was called with {len(args)} positional arguments")
    if len({n % len(args) for n in numbers}) < len(numbers):
        raise OptionError(f"{what}: argnums={numbers} names an argument twice")


def linearized(
    f: Callable[..., tuple[Any, Any]], primals: tuple[Any, ...]
) -> tuple[Any, Any, Callable[[Any, bool], tuple[Any, ...]]]:
    """Run ``f``, which returns (output, extra), on boxed inputs.

    Returns the plain output, the plain extra, and the walk back, which can keep or free the graph.
    """
    entries, build = flatten(primals)
    with new_level() as level:
        boxes = [boxed(x, level, path) for path, x in entries]
        inputs = [(box.node[NUMBER], box.value) for box in boxes if box.node]  # f may assign to what it is given
        out, extra = tree_map(lambda x: own(x, level), f(*build(boxes)))
    out_entries, build_out = flatten(out)
    outs = [x for _, x in out_entries]

    def pullback(cotangent: Any, retain: bool) -> tuple[Any, ...]:
        paths = [path for path, _ in out_entries]
        roots = []
        for path, out, g in zip(paths, outs, flatten_like(cotangent, paths, "pullback"), strict=True):
            if np.shape(g) != np.shape(out):
                raise ShapeError(f"pullback{path}: expected a cotangent of shape {np.shape(out)}, got {np.shape(g)}")
            if of_level(out, level) and out.node is not None:
                roots.append((out.node, conjugate(g if isinstance(g, Box) else np.asarray(g, dtype=out.dtype)[()])))
        seeds = [g for _, g in roots]
        found = {node[NUMBER]: g for node, g in unshared(sweep(roots, retain), *seeds)}
        gradients = [conjugate(found[number]) if number in found else np.zeros_like(value) for number, value in inputs]
        return build(gradients)  # type: ignore[no-any-return]

    return build_out(lowered(x, level) for x in outs), tree_map(lambda x: lowered(x, level), extra), pullback


def own(x: Any, level: float) -> Any:
    """An output as this transform knows it: without what was made by hand inside, at higher levels."""
    while type(x) is Tensor and x.level > level:
        x = x.value
    return x


def of_level(x: Any, level: float) -> bool:
    """Whether ``x`` is a tensor of the transform that runs at ``level``."""
    return type(x) is Tensor and x.level == level


def lowered(x: Any, level: float) -> Any:
    """An output as it is outside of the transform that runs at ``level``."""
    return x.value if of_level(x, level) else x


def boxed(x: Any, level: float, path: str) -> Tensor:
    """A fresh leaf around one input."""
    value = array_of(x)
    try:
        return handle(value, leaf_node(value), level)
    except DtypeError as error:
        raise DtypeError(f"argument {path}: {error}") from None


def stop_gradient(x: Any) -> Any:
    """The same value, treated as a constant by every transform. Containers are allowed.

    >>> import microgd as mg
    >>> float(mg.grad(lambda x: x * mg.stop_gradient(x))(3.0))
    3.0
    """
    return tree_map(stopped, x)
