"""All derivatives at once: Jacobians and Hessians as one batched pass, not a loop over rows.

A reverse pass takes one row of the Jacobian, a forward pass one column; batching takes all rows or all columns in a
single pass. The mode with fewer of them is chosen, unless the caller says which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal

import numpy as np

from microgd.core.tape import cast, conjugate
from microgd.core.tree import flatten, leaves_of
from microgd.errors import DtypeError, OptionError, ShapeError
from microgd.transforms.batch import vmap
from microgd.transforms.forward import jvp
from microgd.transforms.reverse import check_positions, chosen_only, grad, positions, vjp

Array = Any
Mode = Literal["forward", "reverse"]


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, mode: Mode | None = None) -> Callable[..., Any]:
    """All first derivatives of a function: jacobian(f)(x)[i, j] = df_i/dx_j.

    Args:
        f: a function of arrays or containers of arrays, returning the same.
        argnums: which positional arguments to differentiate. A function of complex numbers must be holomorphic.
        mode: "forward" (a column per input entry) or "reverse" (a row per output entry); by default the shorter one.

    Returns:
        A function of the same arguments. Its result has the shape of the output followed by that of the input; where
        either is a container, containers of inputs inside those of outputs; with several ``argnums``, a tuple inside.

    Raises:
        OptionError: another mode. DtypeError: an argument is made of integers, or is complex while an output is real.
        ShapeError: there is no array among the arguments, or none in the output.

    >>> import numpy as np, microgd as mg
    >>> mg.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if mode not in (None, "forward", "reverse"):
        raise OptionError(f'jacobian: expected mode "forward" or "reverse", got {mode!r}')
    numbers, alone = positions(argnums)

    @wraps(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        check_positions(numbers, args, "jacobian")
        primals = tuple(args[n] for n in numbers)

        of_primals = chosen_only(f, numbers, args, kwargs)
        inputs, build = flatten(primals)

        def columns() -> tuple[Any, Any]:
            along = vmap(lambda *tangents: jvp(of_primals, primals, tangents), out_axes=(None, 0))
            return along(*build(basis(inputs)))  # type: ignore[no-any-return]

        forward = mode == "forward"
        out, other = columns() if forward else vjp(of_primals, *primals)
        outputs, build_out = flatten(out)
        if not inputs or not outputs:
            raise ShapeError(
                f"jacobian: expected arrays in and out, got {len(inputs)} and {len(outputs)}; is a return missing?"
            )
        (ins, from_complex), (outs, to_complex) = kinds(inputs), kinds(outputs)
        if from_complex and outs - to_complex:
            raise DtypeError(
                "jacobian: a real function of complex numbers has no complex derivative; differentiate it by the real "
                "and imaginary parts, or use mg.grad for dL/dx + i dL/dy."
            )
        columns_only = to_complex and ins - from_complex  # one row would take the real part of its real entries
        if forward or columns_only or (mode is None and ins < outs):
            matrix = side_by_side(leaves_of(other if forward else columns()[1])).T
        else:
            matrix = conjugate(side_by_side(leaves_of(vmap(other)(build_out(basis(outputs))))))
        nested = []
        for (_, y), band in zip(outputs, np.split(matrix, cuts(outputs), axis=0), strict=True):
            blocks = np.split(band, cuts(inputs), axis=1)
            inner = build([block(b, y, x) for (_, x), b in zip(inputs, blocks, strict=True)])
            nested.append(inner[0] if alone else inner)
        return build_out(nested)

    return derivatives


def block(entries: Array, y: Any, x: Any) -> Array:
    """One block of the Jacobian, in the shape of output and input and in the input's precision."""
    dtype = dtype_of(x) if dtype_of(x).kind == dtype_of(y).kind else np.result_type(dtype_of(x), dtype_of(y))
    return cast(entries.reshape(np.shape(y) + np.shape(x)), dtype)


Leaves = list[tuple[str, Any]]


def sizes(leaves: Leaves) -> list[int]:
    return [math.prod(np.shape(x)) for _, x in leaves]


def cuts(leaves: Leaves) -> list[int]:
    """Where one leaf's entries end and the next one's begin."""
    return [int(end) for end in np.cumsum(sizes(leaves), dtype=int)[:-1]]


def side_by_side(batches: list[Array]) -> Array:
    """One row per member of the batch: all its entries."""
    return np.concatenate([x.reshape(x.shape[0], math.prod(x.shape[1:])) for x in batches], axis=1)


def kinds(leaves: Leaves) -> tuple[int, int]:
    """How many entries there are, and how many of them are complex."""
    return sum(sizes(leaves)), sum(sizes([leaf for leaf in leaves if dtype_of(leaf[1]).kind == "c"]))


def dtype_of(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.result_type(x)


def basis(leaves: Leaves) -> list[Array]:
    """All unit vectors of the given arrays taken together, along a new first axis."""
    units = np.split(np.eye(sum(sizes(leaves))), cuts(leaves), axis=1)
    return [
        unit.reshape((len(unit), *np.shape(x))).astype(dtype_of(x)) for (_, x), unit in zip(leaves, units, strict=True)
    ]


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """All second derivatives of a scalar function, forward over reverse: hessian(f)(x)[i, j] = d2f/dx_i dx_j.

    Args:
        f: a function whose output is one real number. argnums: as in ``jacobian``.

    Raises:
        DtypeError: an argument is complex; a real function has no complex Hessian. Its products are ``hvp``.

    >>> import numpy as np, microgd as mg
    >>> mg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    second = jacobian(grad(f, argnums), argnums, mode="forward")

    @wraps(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        check_positions(positions(argnums)[0], args, "hessian")
        if any(dtype_of(x).kind == "c" for n in positions(argnums)[0] for x in leaves_of(args[n])):
            raise DtypeError(
                "hessian: a real function of complex numbers has no complex second derivatives; differentiate it by "
                "the real and imaginary parts, or use mg.hvp for products."
            )
        return second(*args, **kwargs)

    return derivatives


def gauss_newton(model: Callable[..., Any], loss: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """The product of the Gauss-Newton matrix of loss(model(x)) with a vector: J' H J v.

    J is the Jacobian of ``model`` and H the Hessian of ``loss`` at the model's output: positive semidefinite where the
    loss is convex, and the Hessian itself where the model is linear. (Schraudolph 2002, "Fast curvature matrix-vector
    products for second-order gradient descent".)

    Args:
        model: from parameters (an array or a container) to outputs. loss: from outputs to one number.

    >>> import numpy as np, microgd as mg
    >>> mg.gauss_newton(np.exp, np.sum)(np.zeros(2), np.array([1.0, 2.0]))
    array([0., 0.])
    """

    def product(x: Any, v: Any) -> Any:
        out, push = jvp(model, (x,), (v,))
        _, curved = jvp(grad(loss), (out,), (push,))
        _, pullback = vjp(model, x)
        return pullback(curved)[0]

    return product
