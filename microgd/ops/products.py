"""Products of arrays that come down to the few in ``linalg``: vector products, Kronecker, chains, convolution.

Almost everything here is a short program of other functions, so every mode of differentiation follows. Convolution is
the exception: it is linear in each operand, and its transpose is a convolution with the other one turned round.
"""

from functools import cache
from typing import Any

import numpy as np

from microgd.core.box import dispatching
from microgd.core.primitive import bilinear, composed, flat, primitive
from microgd.ops.guard import always
from microgd.ops.index import scatter
from microgd.ops.shape import shaped


@dispatching
def cross_last(a: Any, b: Any) -> Any:
    """The cross product of vectors of three entries along the last axis."""
    return np.cross(a, b)


# <g, a x b> is the volume spanned by g, a and b, which any cyclic shift leaves as it is.
bilinear(cross_last, lambda g, y: cross_last(y, g), lambda g, x: cross_last(g, x), batch="stack")


def in_space(a: Any) -> Any:
    """Vectors of the plane with a third entry, 0; vectors of space as they are."""
    return a if a.shape[-1] == 3 else np.concatenate([a, np.zeros_like(a, shape=(*a.shape[:-1], 1))], axis=-1)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(shaped(a), axisa, -1), np.moveaxis(shaped(b), axisb, -1)
    if {a.shape[-1], b.shape[-1]} - {2, 3}:
        raise ValueError(f"cross: expected vectors of 2 or 3 entries, got {a.shape[-1]} and {b.shape[-1]}")
    product = cross_last(in_space(a), in_space(b))
    return product[..., 2] if a.shape[-1] == b.shape[-1] == 2 else np.moveaxis(product, -1, axisc)


def cross_in_space(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"linalg.cross: expected vectors of 3 entries, got shapes {x1.shape} and {x2.shape}")
    return cross(x1, x2, axis=axis)


composed(np.cross, cross)
composed(np.linalg.cross, cross_in_space)


def kron(a: Any, b: Any) -> Any:
    """Every entry of ``a`` times all of ``b``: the axes of one beside those of the other, then merged in pairs."""
    a, b = shaped(a), shaped(b)
    rank = max(np.ndim(a), np.ndim(b))
    shape_a, shape_b = ((1,) * (rank - len(shape)) + shape for shape in (np.shape(a), np.shape(b)))
    left = np.reshape(a, [n for k in range(rank) for n in (shape_a[k], 1)])
    right = np.reshape(b, [n for k in range(rank) for n in (1, shape_b[k])])
    return np.reshape(left * right, [m * n for m, n in zip(shape_a, shape_b, strict=True)])


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.einsum("...i,...i", np.conj(np.moveaxis(shaped(x1), axis, -1)), np.moveaxis(shaped(x2), axis, -1))


composed(np.kron, kron)
composed(np.vdot, lambda a, b: np.ravel(np.conj(shaped(a))) @ np.ravel(shaped(b)), note="conjugates the first operand")
composed(np.vecdot, vecdot, note="conjugates the first operand")
composed(np.linalg.vecdot, vecdot, note="conjugates the first operand")
if hasattr(np, "matvec"):  # NumPy 2.2
    composed(np.matvec, lambda x1, x2, /: (x1 @ shaped(x2)[..., None])[..., 0])
    composed(
        np.vecmat,
        lambda x1, x2, /: (np.conj(shaped(x1))[..., None, :] @ x2)[..., 0, :],
        note="conjugates the first operand",
    )


def multi_dot(arrays: Any) -> Any:
    """A chain of matrix products in the order that needs the fewest multiplications (Godbole 1973)."""
    factors = [shaped(x) for x in arrays]
    first, last = factors[0].shape, factors[-1].shape
    sizes = [first[0] if len(first) > 1 else 1, *map(len, factors[1:]), last[1] if len(last) > 1 else 1]

    @cache
    def plan(start: int, stop: int) -> tuple[int, int]:
        """The cost of the product of factors start to stop - 1, and where to split it."""
        if stop - start == 1:
            return 0, start
        return min(
            (plan(start, k)[0] + plan(k, stop)[0] + sizes[start] * sizes[k] * sizes[stop], k)
            for k in range(start + 1, stop)
        )

    def product(start: int, stop: int) -> Any:
        if stop - start == 1:
            return factors[start]
        split = plan(start, stop)[1]
        return product(start, split) @ product(split, stop)

    return product(0, len(factors))


composed(np.linalg.multi_dot, multi_dot)
composed(np.linalg.matmul, lambda x1, x2, /: np.matmul(x1, x2))
composed(np.linalg.outer, lambda x1, x2, /: np.outer(x1, x2))
composed(np.linalg.tensordot, lambda x1, x2, /, *, axes=2: np.tensordot(x1, x2, axes))


def whole(g: Any, size: int) -> Any:
    """The cotangent of the middle part of a full convolution as that of all of it."""
    start = (size - len(g)) // 2
    return scatter(g, slice(start, start + len(g)), (size,))


def turned(g: Any, size: int, other: Any) -> Any:
    """The transpose of ``x -> convolve(x, other)``; ``size`` is that of x."""
    return np.convolve(whole(g, size + len(other) - 1), other[::-1], "valid")


bilinear(
    np.convolve,
    lambda g, x_shape, y: turned(g, x_shape[0], y),
    lambda g, y_shape, x: turned(g, y_shape[0], x),
    bind=lambda a, v, mode="full": ((np.atleast_1d(shaped(a)), np.atleast_1d(shaped(v))), {"mode": mode}),
)


primitive(np.convolve).silent = always


def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Convolution with the second operand conjugated and turned round."""
    a, v = np.atleast_1d(shaped(a)), np.atleast_1d(shaped(v))
    if len(v) > len(a):  # NumPy slides the shorter one, so "same" is cut out of the answer turned round
        return np.convolve(np.conj(v), a[::-1], mode)[::-1]
    return np.convolve(a, np.conj(v)[::-1], mode)


composed(np.correlate, correlate, note="conjugates the second operand")


flat(np.einsum_path)
