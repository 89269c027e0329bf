"""Rows of the op table for ufuncs and their methods; and of the flat functions, which have no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
from op_row import AS_CALLED, REFERENCES, A, Row, pairs, row, ways

from microgd.core.primitive import TABLE
from microgd.ops.elementwise import bessel, exponent, fraction
from microgd.ops.special import erf
from microgd.ops.ufunc_methods import logaddexp_at, maximum_at, minimum_at


def updated(ufunc: Any) -> Any:
    """``ufunc.at`` as a function of the old and the new values."""

    def at(a: Any, index: Any, b: Any) -> Any:
        out = a + 0 * np.sum(b)  # a tensor or a batch if either of them is
        ufunc.at(out, index, b)
        return out

    return at


def updated_at(ufunc: Any) -> Any:
    return lambda a, b, index: updated(ufunc)(a, index, b)


AT = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.logaddexp]
AS_CALLED |= {ufunc.at: updated(ufunc) for ufunc in AT}
AS_CALLED |= {np.frexp: lambda x: np.frexp(x)[0]}
REFERENCES |= {
    fraction: lambda x: np.modf(x)[0],
    bessel: lambda x, order: np.i0(x),
    maximum_at: updated_at(np.maximum),
    minimum_at: updated_at(np.minimum),
    logaddexp_at: updated_at(np.logaddexp),
}

# Where the ufunc itself needs other numbers than "real", so does its outer.
DOMAINS = {
    np.divide: ("real", "nonzero"),
    np.power: ("positive", "real"),
    np.float_power: ("positive", "real"),
    np.remainder: ("high", "divisor"),
    np.fmod: ("high", "divisor"),
    np.hypot: ("nonzero", "nonzero"),
    np.arctan2: ("nonzero", "nonzero"),
    np.copysign: ("nonzero", "nonzero"),
    **dict.fromkeys((np.maximum, np.minimum, np.fmax, np.fmin), ("even", "odd")),
}
OUTER = [
    row(ufunc.outer, A((2,), first), A((2, 1), second))
    for ufunc in dict.fromkeys(f for f in vars(np).values() if isinstance(f, np.ufunc) and f is not np.ldexp)
    if ufunc.nin == 2 and TABLE[ufunc].form == "elementwise"
    for first, second in [DOMAINS.get(ufunc, ("real", "real"))]
]

index = np.array([2, 0, 2, 2])
spots = (np.array([0, 1, 0]), np.array([1, 1, 1]))

ROWS: list[Row] = [
    *ways(np.sinc),
    *ways(np.i0),
    row(bessel, A((2,)), 0),
    *ways(fraction, domain="divisor"),
    *ways(np.modf, domain="divisor"),
    *ways(np.frexp, domain="divisor"),
    *pairs(np.copysign, "nonzero", "nonzero")[:4],
    *pairs(np.nextafter)[:4],
    row(np.divmod, A((2, 3), "high"), A((3,), "divisor")),
    row(np.ldexp, A((2, 3)), np.array([1, -2, 0])),
    row(np.ldexp.outer, A((2,)), np.array([1, -2])),
    row(np.angle, A((2,), "nonzero"), deg=True),
    row(np.sign, A((2,), "nonzero")),
    *ways(erf),
    *OUTER,
    row(np.logaddexp.reduce, A((3, 2))),
    row(np.logaddexp.reduce, A((3, 2)), axis=1, keepdims=True),
    *[row(f.reduce, A((3, 2), "nonzero"), complex_step=True) for f in (np.subtract, np.divide)],
    row(np.subtract.reduce, A((2, 3)), axis=-1, keepdims=True),
    *[row(f.accumulate, A((5, 2), "even")) for f in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp)],
    *[row(f.accumulate, A((2, 3), "even"), axis=-1) for f in (np.maximum, np.minimum, np.logaddexp)],
    *[row(f.at, A((3,), "even"), index, A((4,), "odd")) for f in AT],
    *[row(f.at, A((2, 3), "even"), spots, A((), "odd")) for f in AT if f not in (np.maximum, np.minimum)],
    *[row(f.at, A((3, 2), "even"), np.array([1, 1]), A((2, 2), "odd")) for f in (np.multiply, np.maximum)],
    *[row(f.at, A((3,), "even"), slice(0, 2), A((2,), "odd")) for f in (np.add, np.multiply)],
    *[row(f, A((3,), "even"), A((4,), "odd"), index) for f in (maximum_at, minimum_at, logaddexp_at)],
]

# Functions without a derivative, on floating-point numbers and on integers.

real, sure = A((2, 3)), A((3,), "positive")
OF_FLOATS = [
    *[
        row(f, real)
        for f in (np.floor, np.ceil, np.trunc, np.rint, np.round, np.around, np.fix, np.spacing, np.lexsort)
    ],
    *[row(f, real) for f in (np.isnan, np.isinf, np.isfinite, np.isposinf, np.isneginf, np.signbit, np.logical_not)],
    *[row(f, real) for f in (np.isreal, np.iscomplex, np.isrealobj, np.iscomplexobj, np.result_type)],
    *[row(f, real) for f in (np.zeros_like, np.ones_like, np.shape, np.ndim, np.size, np.min_scalar_type)],
    *[row(f, real) for f in (np.empty_like, np.nonzero, np.flatnonzero, np.argwhere, np.histogram_bin_edges, exponent)],
    *[row(f, real, axis=0) for f in (np.argmax, np.argmin, np.all, np.any, np.count_nonzero, np.argsort)],
    *[row(f, real, axis=0) for f in (np.nanargmax, np.nanargmin)],
    row(np.linalg.matrix_rank, real),
    row(np.einsum_path, "ij,kj", real, real),
    *[row(f, real, axis=1) for f in (np.logical_and.reduce, np.logical_or.reduce)],
    row(np.argpartition, real, 1),
    *[row(f, real, sure) for f in (np.floor_divide, np.heaviside, np.less, np.less_equal, np.greater)],
    *[row(f, real, sure) for f in (np.greater_equal, np.equal, np.not_equal, np.isclose, np.allclose, np.isin)],
    *[row(f, real, sure) for f in (np.array_equal, np.array_equiv, np.logical_and, np.logical_or, np.logical_xor)],
    row(np.searchsorted, np.array([1.0, 2.0]), sure),
    row(np.digitize, real, np.array([-1.0, 0.5])),
    *[row(f.outer, real, sure) for f in (np.floor_divide, np.heaviside, np.less, np.less_equal, np.greater)],
    *[row(f.outer, real, sure) for f in (np.greater_equal, np.equal, np.not_equal)],
    *[row(f.outer, real, sure) for f in (np.logical_and, np.logical_or, np.logical_xor)],
]
OF_INTEGERS = [
    *[row(f, A((2, 3), "above one")) for f in (np.invert, np.bitwise_count)],
    *[
        row(key, A((2, 3), "above one"), A((3,), "above one"))
        for f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift, np.gcd, np.lcm)
        for key in (f, f.outer)
    ],
]
