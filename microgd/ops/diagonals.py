"""Diagonals and triangles of matrices.

In a flattened matrix of m columns a diagonal is every (m + 1)th entry: reading one is a slice, and so is its
transpose, writing one.
"""

from typing import Any

import numpy as np

from microgd.core.primitive import composed
from microgd.core.tensor import differentiable
from microgd.ops.index import scatter
from microgd.ops.shape import KEPT


def along_diagonal(rows: int, columns: int, offset: int) -> slice:
    """The slice of a flattened matrix that is one of its diagonals."""
    start = offset if offset >= 0 else -offset * columns
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return slice(start, start + length * (columns + 1), columns + 1)


def diagonal(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    *others, rows, columns = a.shape
    return a.reshape((*others, rows * columns))[..., along_diagonal(rows, columns, offset)]


def matrix_of(v: Any, k: Any = 0) -> Any:
    """The matrix that is zero but for one diagonal."""
    v = np.ravel(v)
    n = len(v) + abs(k)
    return scatter(v, along_diagonal(n, n, k), (n * n,)).reshape(n, n)


def trace(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None) -> Any:
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def diag(v: Any, k: Any = 0) -> Any:
    if v.ndim not in (1, 2):
        raise ValueError(f"diag: expected a vector or a matrix, got shape {v.shape}; np.diagonal takes more axes")
    return matrix_of(v, k) if v.ndim == 1 else diagonal(v, k)


composed(np.diagonal, diagonal)
composed(np.diagflat, matrix_of)
composed(np.diag, diag)
composed(np.trace, trace)


def below(m: Any, k: Any) -> Any:
    """Which entries lie on the diagonal number k or under it."""
    return np.tri(m.shape[-2:][0], m.shape[-1], k, bool)


composed(np.tril, lambda m, k=0: np.where(below(m, k), m, 0))
composed(np.triu, lambda m, k=0: np.where(below(m, k - 1), 0, m))


def vander(x: Any, N: Any = None, increasing: Any = False) -> Any:
    """Powers of the entries side by side, the highest first."""
    if x.ndim != 1:
        raise ValueError(f"vander: expected a vector, got shape {x.shape}")
    x = x if differentiable(x) else x.astype(np.promote_types(x.dtype, int))
    powers = range(len(x) if N is None else N)
    if not powers:
        return np.zeros_like(x, shape=(len(x), 0))
    return np.stack([x**k for k in (powers if increasing else reversed(powers))], axis=-1)


composed(np.vander, vander, note=KEPT)
