"""Where the first NaN or infinity was born, forward or backward.

Watches every operation on tensors inside a ``with`` block, and stops at the first that gives a number which is not
finite, with the operation, the line, the ranges of what went in, and what usually helps. Outside the block nothing is
watched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from microgd.core.box import Box, innermost
from microgd.core.primitive import LEAF, Primitive
from microgd.core.tape import EDGES, ORIGIN, ROW, Node, sweep
from microgd.core.watch import Watcher, origin, watching
from microgd.errors import NonFiniteError
from microgd.transforms.forward import PUSHES

REMEDIES = {
    "log": "the logarithm of 0 is -inf and of a negative number NaN. Keep its argument positive, as by "
    "np.maximum(x, 1e-12), or use mg.log_softmax, mg.softplus or a loss that takes logits",
    "exp": "exp overflows above 709 (88 in float32). Subtract the maximum first, or use mg.logsumexp, mg.softmax "
    "or mg.sigmoid",
    "divide": "a divisor is 0. Add a small number to it, or choose another divisor with np.where",
    "sqrt": "the root of a negative number is NaN, and its derivative at 0 infinite. Add a small number under the root",
    "arctanh": "it is defined between -1 and 1, and infinite there. Keep its argument inside, as by np.clip",
    "eigh_packed": "vectors of equal eigenvalues or singular values turn freely and have no derivative, nor have the "
    "values a second one. Write what depends on all of them together by np.trace, np.sum(a * a), slogdet or solve, or "
    "tell them apart by a small diagonal",
    "power": "0 to a negative power is infinite, a negative number to a broken power NaN. Keep the base positive",
}
KIN = {"log2": "log", "log10": "log", "log1p": "log", "exp2": "exp", "expm1": "exp", "sinh": "exp", "cosh": "exp"}
KIN |= {"remainder": "divide", "fmod": "divide", "floor_divide": "divide", "arcsin": "arctanh", "arccos": "arctanh"}
KIN |= {"over": "divide", "reciprocal": "divide", "float_power": "power", "std": "sqrt", "cbrt": "sqrt"}
KIN |= {"svd_packed": "eigh_packed", "eig_packed": "eigh_packed"}
OTHERWISE = (
    "the numbers have grown out of range: a smaller learning rate, clipped gradients or scaled inputs usually help"
)


@contextmanager
def detect_nonfinite() -> Iterator[None]:
    """Stop at the operation that makes the first NaN or infinity, forward or backward.

    Raises:
        NonFiniteError: the operation, the user's line, the operands' ranges, whether they were finite, and a remedy.

    >>> import numpy as np, microgd as mg
    >>> x = mg.tensor([1.0, 0.0], requires_grad=True)
    >>> try:
    ...     with mg.detect_nonfinite(), np.errstate(divide="ignore"):
    ...         np.log(x).sum().backward()
    ... except mg.errors.NonFiniteError as error:
    ...     print(str(error).splitlines()[0])
    log: 1 of 2 entries of its output is -inf (at [1]).
    """
    with watching(Detector()):
        yield


class Detector(Watcher):
    """Looks at every answer."""

    def forward(self, row: Primitive, operands: Any, params: dict[str, Any], answer: Any) -> None:
        """Stop if an operation gave a number that is not finite."""
        if not nonfinite(answer) or inside(RULES):
            return
        inputs = [describe(f"operand {k}", x) for k, x in enumerate(operands)]
        came_in = [k for k, x in enumerate(operands) if nonfinite(x)]
        if came_in:
            cause = (
                f"operand {came_in[0]} was not finite already: it came from outside, so look at the data and constants"
            )
        else:
            cause = f"its inputs were finite, so it was born here: {remedy(row)}"
        where = origin()
        stop(f"{row.name}: {count(answer, 'its output')}.", *seen(where), *inputs, f"{cause}.")

    def arrived(self, node: Node, cotangent: Any) -> None:
        """Stop if finite parts have a sum that is not, or if the walk back began with such a number."""
        if not nonfinite(cotangent) or inside(FORWARD):
            return
        name = "a leaf" if node[ROW] is LEAF else node[ROW].name
        stop(
            f"{name}: on the way back, {count(cotangent, 'the sum of what comes from above')}.",
            *seen(node[ORIGIN]),
            f"each part was finite, unless the gradient passed to backward() was not: {OTHERWISE}.",
        )

    def backward(self, node: Node, operand: int, cotangent: Any, result: Any) -> None:
        """Stop if a rule gave a number that is not finite."""
        if not nonfinite(result) or inside(FORWARD):
            return
        row = node[ROW]
        (edge,) = [edge for edge in node[EDGES:] if edge[1] == operand]
        kept = [describe(name, x) for name, x in zip(row.needs[operand], edge[2:], strict=True) if hasattr(x, "dtype")]
        stop(
            f"{row.name}: on the way back, {count(result, f'the gradient of operand {operand}')}.",
            *seen(node[ORIGIN]),
            describe("from above", cotangent),
            *kept,
            f"what came from above was finite, so the derivative of {row.name} is not: {remedy(row)}.",
        )

    def tangent(self, row: Primitive, operands: Any, tangents: Any, result: Any) -> None:
        """Stop if a tangent is not finite."""
        if not nonfinite(result) or inside(RULES):
            return
        given = [describe(f"operand {k}", x) for k, x in enumerate(operands)]
        given += [describe(f"its tangent {k}", t) for k, t in enumerate(tangents) if t is not None]
        cause = f"all of these were finite, so the derivative of {row.name} is not: {remedy(row)}"
        if any(map(nonfinite, tangents)):
            cause = "a tangent was not finite already: it came from outside"
        stop(f"{row.name}: in forward mode, {count(result, 'its tangent')}.", *seen(origin()), *given, f"{cause}.")


FORWARD = {push.__code__ for push in PUSHES.values()}
RULES = {sweep.__code__, *FORWARD}


def stop(*lines: str) -> NoReturn:
    """Raise, with what is known."""
    raise NonFiniteError("\n  ".join(lines))


def inside(places: set[Any]) -> bool:
    """Whether this operation is part of a derivative rule, applied in one of these functions: then the rule's result
    will be looked at, under the name of the operation that the user wrote."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code not in places:
        frame = frame.f_back
    return frame.f_code in places


def unboxed(x: Any) -> list[Any]:
    """What is inside however many boxes: a value, and the tangents that it carries."""
    if isinstance(x, Box):
        return [*unboxed(x.value), *unboxed(getattr(x, "tangent", None))]
    return [x]


def nonfinite(x: Any) -> list[Any]:
    """The arrays or numbers in ``x`` that hold a NaN or an infinity."""
    return [
        np.asarray(a)
        for a in unboxed(x)
        if isinstance(a, np.ndarray | np.inexact | float)
        and np.asarray(a).dtype.kind in "fc"
        and not np.isfinite(a).all()
    ]


def count(x: Any, what: str) -> str:
    """``2 of 6 entries of its output are nan (the first at [0, 1])``."""
    array = nonfinite(x)[0]
    bad = np.argwhere(~np.isfinite(array))
    first = array[tuple(bad[0])]
    place = f" (at {bad[0].tolist()})" if len(bad) == 1 else f" (the first at {bad[0].tolist()})"
    verb = "is" if len(bad) == 1 else "are"
    return f"{len(bad)} of {array.size} entries of {what} {verb} {first}{place if array.ndim else ''}"


def describe(name: str, x: Any) -> str:
    """``operand 0: shape (3,), from -1 to 2, finite``."""
    x = innermost(x)
    if not isinstance(x, np.ndarray | np.number | float | int):
        return f"{name}: {type(x).__name__}"
    array = np.asarray(x)
    good = array[np.isfinite(array)] if array.dtype.kind in "fc" else array
    size = np.abs(good) if array.dtype.kind == "c" else good
    span = f"from {size.min():.6g} to {size.max():.6g}" if good.size else "no finite entry"
    missing = array.size - good.size
    return f"{name}: shape {array.shape}, {span}, {'all finite' if not missing else f'{missing} not finite'}"


def seen(where: Any) -> list[str]:
    return [f"at {where.place}: {where.text}"] if where else []


def remedy(row: Primitive) -> str:
    return REMEDIES.get(KIN.get(row.name, row.name), OTHERWISE)
