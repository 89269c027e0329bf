"""Norms of vectors and of matrices, and condition numbers.

A norm of a matrix is one of its singular values, of their sum, or of sums of its entries. At 0 a norm has a corner, and
gets the derivative 0.
"""

from typing import Any

import numpy as np

from microgd.core.box import dispatching
from microgd.core.primitive import composed, general
from microgd.ops.guard import over, times
from microgd.ops.reduce import kept, squared


@dispatching
def length(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """The square root of the sum of squares; its derivative at 0 is 0."""
    return np.sqrt(np.sum(squared(x), axis=axis, keepdims=keepdims))


general(
    length,
    lambda g, ans, x, axis, keepdims: times(
        kept(g, x.shape, axis, keepdims), over(np.conj(x), kept(ans, x.shape, axis, keepdims))
    ),
    signature="x, axis=None, keepdims=False",
)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Any:
    """The norm of order ``ord`` of all entries along ``axis``."""
    if ord == 2:
        return length(x, axis, keepdims)
    sizes = np.abs(x)
    if ord == np.inf:
        return np.max(sizes, axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(sizes, axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0).astype(sizes.dtype), axis=axis, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord={ord!r} is a norm of matrices; for vectors give a number")
    if ord == 1:
        return np.sum(sizes, axis=axis, keepdims=keepdims)
    if ord > 1:
        powers = sizes**ord
    else:  # 0 is a cusp, and gets no derivative
        powers = np.where(sizes == 0, 0 if ord > 0 else np.inf, np.where(sizes == 0, 1, sizes) ** ord)
    total = np.sum(powers, axis=axis, keepdims=keepdims)
    return np.where(total == 0, 0, total ** (1 / ord))  # at 0 the root's derivative is infinite, but not asked for


def norm_of_matrices(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    """The norm of order ``ord`` of the matrices along two axes."""
    if ord in ("fro", "f", None):
        return length(x, axis, keepdims)
    matrices = np.moveaxis(x, axis, (-2, -1))
    if ord in ("nuc", 2, -2):
        sizes = np.abs(np.linalg.svdvals(matrices))  # the derivative of a value that is 0 is 0
    elif ord in (1, -1, np.inf, -np.inf):
        sizes = np.sum(np.abs(matrices), axis=-2 if abs(ord) == 1 else -1)
    else:
        raise ValueError(
            f"norm: a matrix has no norm of ord={ord!r}; give 'fro', 'nuc', or 1, 2, inf or minus one of them"
        )
    norms = np.sum(sizes, axis=-1) if ord == "nuc" else np.max(sizes, axis=-1) if ord > 0 else np.min(sizes, axis=-1)
    return kept(norms, x.shape, axis, False) if keepdims else norms


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    if ord is None and axis is None:
        return length(x, None, keepdims)
    along = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(along) == 1:
        return vector_norm(x, axis=along[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(along) == 2:
        return norm_of_matrices(x, ord, along, keepdims)
    raise ValueError(f"norm: ord={ord!r} needs one axis (vectors) or two (matrices), got {len(along)}")


def matrix_norm(x: Any, /, *, keepdims: Any = False, ord: Any = "fro") -> Any:
    return norm_of_matrices(x, ord, (-2, -1), keepdims)


def cond(x: Any, p: Any = None) -> Any:
    """The norm of a matrix times that of its inverse."""
    if p not in (None, 2, -2):
        return matrix_norm(x, ord=p) * matrix_norm(np.linalg.inv(x), ord=p)
    values = np.linalg.svdvals(x)
    return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]


composed(np.linalg.norm, norm, note="0 at 0")
composed(np.linalg.vector_norm, vector_norm, note="0 at 0")
composed(np.linalg.matrix_norm, matrix_norm, note="0 at 0")
composed(np.linalg.cond, cond)
