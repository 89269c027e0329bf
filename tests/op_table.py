"""One row per function with a derivative: how to call it, and on which numbers.

Every property of ``test_ops.py`` runs over these rows, so a new function is tested by adding one line here, or in the
file of its family.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import rows_arrays
import rows_linalg
import rows_scipy
import rows_ufuncs
from op_row import AS_CALLED, REFERENCES, A, Row, pairs, row, ways

import microgd as mg
from microgd.ops.guard import gate, over, times
from microgd.ops.index import scatter
from microgd.ops.special import log_loss
from microgd.transforms.checkpoint import checkpointed


def assigned(a: Any, index: Any, b: Any) -> Any:
    """Assignment as a function of the old and the new values."""
    out = a * 1.0
    out[index] = b
    return out


def reduced(a: Any, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(a), axis=axis, keepdims=keepdims))


# Keys that are not called by their own name, and what functions that NumPy lacks should compute.
AS_CALLED |= {
    np.ndarray.astype: lambda x, dtype: x.astype(dtype),
    operator.setitem: assigned,
    np.full_like: lambda value: np.full_like(value * np.ones((2, 3)), value),
    checkpointed: mg.checkpoint(lambda x, y: np.tanh(x @ y) @ y),
}
REFERENCES |= {
    gate: lambda g, passes: np.where(passes, g, 0),
    times: np.multiply,
    over: np.divide,
    mg.relu: lambda x: np.where(x > 0, x, 0),
    mg.sigmoid: lambda x: 1 / (1 + np.exp(-x)),
    mg.softplus: lambda x: np.log1p(np.exp(x)),
    log_loss: lambda x, y: np.log1p(np.exp(x)) - y * x,
    mg.logsumexp: lambda a, axis=None, keepdims=False: reduced(a, axis, keepdims),
    mg.softmax: lambda a, axis=-1: np.exp(a) / np.sum(np.exp(a), axis=axis, keepdims=True),
    mg.log_softmax: lambda a, axis=-1: a - reduced(a, axis, True),
    scatter: lambda g, index, shape: np.bincount(np.arange(3)[index], g, 3).astype(g.dtype),
}


c = {"complex_step": True}
mask = np.array([[True, False, True], [False, False, True]])
integers = np.array([[2, 0], [0, 1], [2, 2]])

ELEMENTWISE = [
    *[part for f in (np.real, np.imag, np.angle) for part in ways(f, domain="nonzero")],
    *ways(np.conjugate),
    *pairs(np.add, **c),
    *pairs(np.subtract, **c),
    *pairs(np.multiply, **c),
    *pairs(np.divide, second="nonzero", **c),
    *pairs(np.power, first="positive", **c),
    *[row(np.power, A((2, 3), "nonzero"), n, complex_step=True) for n in (2, 3, -1, 0, 1, 2.0)],
    *[row(np.power, A((2, 3), "positive"), n, complex_step=True) for n in (0.5, -1.5)],
    row(np.power, 2.0, A(), complex_step=True),
    *pairs(np.float_power, first="positive"),
    *pairs(np.maximum, "even", "odd"),
    *pairs(np.minimum, "even", "odd"),
    *pairs(np.fmax, "even", "odd"),
    *pairs(np.fmin, "even", "odd"),
    *pairs(np.logaddexp),
    *pairs(np.logaddexp2),
    *pairs(np.arctan2, "nonzero", "nonzero"),
    *pairs(np.hypot, "nonzero", "nonzero"),
    *pairs(np.remainder, "high", "divisor"),
    *pairs(np.fmod, "high", "divisor"),
    *pairs(times, **c),
    *pairs(over, second="nonzero", **c),
    *[way for f in (np.negative, np.positive, np.square, np.exp, np.exp2, np.expm1) for way in ways(f, **c)],
    *[way for f in (np.sin, np.cos, np.sinh, np.cosh, np.tanh, np.arctan, np.arcsinh) for way in ways(f, **c)],
    *[way for f in (np.deg2rad, np.radians, np.rad2deg, np.degrees) for way in ways(f)],
    *ways(np.tan, domain="unit", **c),
    *ways(np.arcsin, domain="unit", **c),
    *ways(np.arccos, domain="unit", **c),
    *ways(np.arctanh, domain="unit", **c),
    *ways(np.arccosh, domain="above one"),
    *[way for f in (np.sqrt, np.log, np.log2, np.log10, np.log1p) for way in ways(f, domain="positive", **c)],
    *ways(np.cbrt, domain="nonzero"),
    *ways(np.reciprocal, domain="nonzero", **c),
    *ways(np.absolute, domain="nonzero"),
    *ways(np.fabs, domain="nonzero"),
    row(np.clip, A((2, 3), "middle"), A((3,), "low"), A((2, 1), "high")),
    row(np.clip, A((2, 3), "low"), A((3,), "middle"), A((2, 1), "high")),
    row(np.clip, A((2, 3), "high"), A((3,), "low"), A((2, 1), "middle")),
    row(np.clip, A((2, 3), "even"), -0.1, 0.3),
    row(np.clip, A((2, 3), "even"), None, 0.3),
    row(np.clip, A((2, 3), "even"), A((3,), "odd"), None),
    row(np.where, mask, A((2, 3)), A((3,)), complex_step=True),
    row(np.where, mask, A((2, 1)), 0.0, complex_step=True),
    row(gate, A((2, 3)), mask, complex_step=True),
    row(gate, A((3,)), mask, complex_step=True),
    row(np.copy, A()),
    row(np.ndarray.astype, A(), np.float64),
]

NETWORK = [
    *ways(mg.relu, domain="nonzero"),
    *ways(mg.sigmoid),
    *ways(mg.softplus),
    *pairs(log_loss),
    row(mg.logsumexp, A()),
    row(mg.logsumexp, A(), axis=1),
    row(mg.logsumexp, A(), axis=(0, 1), keepdims=True),
    row(mg.softmax, A()),
    row(mg.softmax, A(), axis=0),
    row(mg.log_softmax, A()),
    row(mg.log_softmax, A(), axis=0),
]


def reductions(function: Callable[..., Any], domain: str = "real", **extra: Any) -> list[Row]:
    return [
        row(function, A((2, 3), domain), **extra),
        row(function, A((), domain)),
        row(function, A((2, 3), domain), axis=0, **extra),
        row(function, A((2, 3, 2), domain), axis=(0, -1), **extra),
        row(function, A((2, 3, 2), domain), axis=-2, keepdims=True, **extra),
        row(function, A((2, 3), domain), keepdims=True, **extra),
    ]


REDUCE = [
    *reductions(np.sum, **c),
    *reductions(np.mean, **c),
    *reductions(np.prod, **c),
    *reductions(np.max, "even"),
    *reductions(np.min, "even"),
    *reductions(np.amax, "even"),
    *reductions(np.amin, "even"),
    *reductions(np.var)[:1],
    *reductions(np.var)[2:],
    *reductions(np.var, ddof=1)[2:],
    *reductions(np.std, "even")[2:],
    *reductions(np.std, "even", ddof=1)[2:],
    row(np.add.reduce, A((3, 2)), complex_step=True),
    row(np.add.reduce, A((3, 2)), axis=1, keepdims=True),
    row(np.multiply.reduce, A((3, 2)), complex_step=True),
    row(np.maximum.reduce, A((3, 2), "even")),
    row(np.minimum.reduce, A((3, 2), "even"), axis=1),
]

TRANSFORMS = [row(checkpointed, A((2, 3)), A((3, 3)))]

SHAPE = [
    row(np.full_like, A(())),
    row(np.reshape, A((2, 3)), (3, 2)),
    row(np.reshape, A((2, 3)), -1),
    row(np.ravel, A((2, 3))),
    row(np.squeeze, A((1, 3, 1))),
    row(np.squeeze, A((1, 3, 1)), axis=0),
    row(np.expand_dims, A((2, 3)), 1),
    row(np.transpose, A((2, 3))),
    row(np.transpose, A((2, 3, 2)), (2, 0, 1)),
    row(np.transpose, A((2, 3, 2)), (-1, 0, 1)),
    row(np.swapaxes, A((2, 3, 2)), 0, -1),
    row(np.moveaxis, A((2, 3, 2)), 0, -1),
    row(np.moveaxis, A((2, 3, 2)), (0, 1), (2, 0)),
    row(np.broadcast_to, A((3, 1)), (2, 3, 2)),
    row(np.broadcast_to, A(()), (2, 2)),
    row(np.concatenate, [A((2, 3)), A((1, 3))]),
    row(np.concatenate, [A((2, 1)), A((2, 3)), A((2, 2))], axis=-1),
    row(np.concatenate, [A((2, 1)), A((3,))], axis=None),
    row(np.stack, [A((2, 3)), A((2, 3))]),
    row(np.stack, [A((2, 3)), A((2, 3))], axis=1),
    row(np.stack, [A((2, 3)), A((2, 3))], axis=-1),
    row(np.stack, [A(()), A(())]),
    row(np.vstack, [A((3,)), A((2, 3))]),
    row(np.hstack, [A((3,)), A((2,))]),
    row(np.hstack, [A((2, 3)), A((2, 1))]),
    row(np.column_stack, [A((3,)), A((3, 2))]),
    row(np.atleast_1d, A(())),
    row(np.atleast_2d, A((3,))),
    row(np.split, A((4, 3)), 2),
    row(np.split, A((4, 3)), [1, 3]),
    row(np.split, A((4, 6)), 3, axis=-1),
    row(np.array_split, A((5, 2)), 3),
]

INDEX = [
    *[
        row(operator.getitem, A((3, 4)), index)
        for index in (
            1,
            -1,
            (1, 2),
            slice(None, None, -1),
            (slice(1, 3), slice(None, None, 2)),
            (Ellipsis, 0),
            (None, 1),
            (slice(None), None, 2),
            [0, 2, 0],
            np.array([0, 2, 0, 0]),
            np.int64(2),
            (np.array([0, 2, 0]), np.array([1, 1, 1])),
            (np.array([[0], [2]]), np.array([1, 3])),
            (slice(None), np.array([1, 1, 3])),
            (np.array([0, 1]), slice(None), None),
            np.array([True, False, True]),
            np.arange(12).reshape(3, 4) % 2 == 0,
            (np.array([True, False, True]), 1),
        )
    ],
    row(operator.getitem, A((4, 2)), integers),
    row(operator.getitem, A((3,)), np.array([], dtype=int)),
    row(operator.getitem, A((3,)), Ellipsis),
    row(scatter, A((2,)), np.array([1, 1]), (3,)),
    row(scatter, A((2,)), slice(0, 2), (3,)),
]


ASSIGN = [
    row(operator.setitem, A((3, 4)), 1, A((4,))),
    row(operator.setitem, A((3, 4)), (slice(None), 2), A(())),
    row(operator.setitem, A((3, 4)), slice(0, 2), A((1, 4))),
    row(operator.setitem, A((4,)), np.array([0, 2]), A((2,))),
    row(operator.setitem, A((4,)), np.array([1, 1, 2]), A((3,))),
    row(operator.setitem, A((2, 3)), mask, A((3,))),
    row(operator.setitem, A((2, 3)), mask, 0.5),
]

LINALG = [
    *[
        row(np.matmul, A(a), A(b), complex_step=True)
        for a, b in [
            ((2, 3), (3, 2)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((2, 2, 3), (2, 3, 2)),
            ((2, 2, 3), (3, 2)),
            ((2, 2, 3), (3,)),
            ((2, 3), (2, 3, 2)),
            ((3,), (2, 3, 2)),
            ((2, 1, 2, 3), (3, 3, 1)),
        ]
    ],
    *[
        row(np.dot, A(a), A(b), complex_step=True)
        for a, b in [((2, 3), (3, 2)), ((3,), (3,)), ((), (2,)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (3,))]
    ],
    row(np.inner, A((2, 3)), A((4, 3))),
    row(np.inner, A((3,)), A((3,))),
    row(np.inner, A(()), A((3,))),
    row(np.outer, A((3,)), A((2,))),
    row(np.outer, A((2, 2)), A((2,))),
    row(np.tensordot, A((2, 3)), A((3, 2)), axes=1),
    row(np.tensordot, A((2, 3, 2)), A((3, 2, 4)), axes=2),
    row(np.tensordot, A((2, 3)), A((2, 2)), axes=0),
    row(np.tensordot, A((2, 3, 4)), A((4, 2)), axes=([0, -1], [1, 0])),
    row(np.tensordot, A((2, 3)), A((4, 3)), axes=(1, 1)),
    row(np.einsum, "ij,jk->ik", A((2, 3)), A((3, 4)), complex_step=True),
    row(np.einsum, "ij,jk", A((2, 3)), A((3, 4))),
    row(np.einsum, "ba", A((2, 3))),
    row(np.einsum, "ij->", A((2, 3))),
    row(np.einsum, "ij->j", A((2, 3))),
    row(np.einsum, "ii", A((3, 3))),
    row(np.einsum, "ii->i", A((3, 3))),
    row(np.einsum, "iij,j->i", A((2, 2, 3)), A((3,))),
    row(np.einsum, "i,i,i->", A((3,)), A((3,)), A((3,))),
    row(np.einsum, "ij,kl->", A((2, 3)), A((2, 2))),
    row(np.einsum, "...ij,...jk->...ik", A((2, 2, 3)), A((3, 4))),
    row(np.einsum, "...i,i", A((2, 3)), A((3,))),
    row(np.einsum, "i...->...", A((2, 3))),
    row(np.einsum, "...,...", A((2, 3)), A((3,))),
    row(np.einsum, "ij,ij->ij", A((2, 3)), A((1, 3))),
    row(np.einsum, "bik,bjk,ab->aij", A((2, 2, 3)), A((2, 4, 3)), A((3, 2)), optimize=True),
    row(np.einsum, A((2, 3)), (0, 1), A((3, 2)), (1, 2), (0, 2)),
    row(np.einsum, A((2, 3)), (0, 1), A((3, 2)), (1, 2)),
]

ROWS: list[Row] = [
    *ELEMENTWISE,
    *NETWORK,
    *TRANSFORMS,
    *REDUCE,
    *SHAPE,
    *INDEX,
    *ASSIGN,
    *LINALG,
    *rows_arrays.ROWS,
    *rows_linalg.ROWS,
    *rows_ufuncs.ROWS,
    *rows_scipy.ROWS,
]

FLAT_FLOATS: list[Row] = [*rows_ufuncs.OF_FLOATS, *rows_scipy.OF_FLOATS]
FLAT_INTEGERS: list[Row] = [*rows_ufuncs.OF_INTEGERS]
