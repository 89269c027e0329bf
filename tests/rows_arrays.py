"""Rows of the op table: arranging, selecting, sorting, accumulating, and the statistics of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from op_row import AS_CALLED, DOMAINS, REFERENCES, A, Row, row

import microgd as mg
from microgd.core.box import Box
from microgd.ops.select import gather, gather_back


def written(write: Callable[..., None]) -> Callable[..., Any]:
    """A function that changes its first argument, as one that returns it changed."""

    def changed(a: Any, *rest: Any, **options: Any) -> Any:
        boxed = any(isinstance(x, Box) for x in rest) and not isinstance(a, Box)
        out = mg.tensor(a) if boxed else a * 1.0  # a plain array could not hold what a box holds
        write(out, *rest, **options)
        return out

    return changed


DOMAINS |= {  # knots near 0, 1, 2..., places between them, and shares that fall between four pieces
    "rising": lambda rng, shape: np.arange(*shape) + rng.uniform(-0.2, 0.2, shape),
    "between": lambda rng, shape: rng.integers(-1, 4, shape) + rng.uniform(0.3, 0.7, shape),
    "share": lambda rng, shape: (rng.integers(0, 4, shape) + rng.uniform(0.3, 0.7, shape)) / 4,
}
AS_CALLED |= {
    **{write: written(write) for write in (np.put_along_axis, np.put, np.putmask, np.place, np.fill_diagonal)},
    np.copyto: written(np.copyto),
    np.block: lambda a, b, c, d: np.block([[a, b], [c, d]]),
    np.bincount: lambda x, weights, **options: np.bincount(x, weights, **options),
    np.sort_complex: lambda a, b: np.abs(np.sort_complex(a + 1j * b) + np.arange(1, 4)),
    np.histogram: lambda *args, **options: np.histogram(*args, **options)[0],
}
REFERENCES |= {
    gather: lambda x, index: np.take_along_axis(x, index, -1),
    gather_back: lambda g, index, n: np.stack([np.bincount(*one, n) for one in zip(index, g, strict=True)]).astype(
        g.dtype
    ),
}

c = {"complex_step": True}
mask = np.array([[True, False, True], [False, False, True]])
picks = np.array([[2, 0, 0, 1], [1, 1, 0, 2]])
weights = np.array([0.5, 1.5, 1.0])
windows = np.lib.stride_tricks.sliding_window_view
NUMPY_PADS_BY_DICT = np.lib.NumpyVersion(np.__version__) >= "2.3.0"

ARRANGE = [
    row(np.reshape, A((2, 3)), (3, 2), order="F"),
    row(np.ravel, A((2, 3)), order="F"),
    row(np.matrix_transpose, A((2, 3, 2))),
    row(np.atleast_1d, A(()), A((2,))),
    row(np.atleast_3d, A(())),
    row(np.atleast_3d, A((3,))),
    row(np.dstack, [A((3,)), A((1, 3, 2))]),
    row(np.hsplit, A((2, 4)), 2),
    row(np.vsplit, A((4, 2)), [1, 2]),
    row(np.dsplit, A((1, 2, 4)), 2),
    row(np.flip, A((2, 3)), **c),
    row(np.flip, A((2, 3)), -1),
    row(np.flip, A((2, 3, 2)), (0, 2)),
    row(np.fliplr, A((2, 3))),
    row(np.flipud, A((2, 3))),
    *[row(np.rot90, A((2, 3)), k) for k in (1, 2, -1, 5, -3)],
    row(np.rot90, A((2, 3, 2)), 1, (0, 2)),
    row(np.roll, A((2, 3)), 2),
    row(np.roll, A((2, 3)), -1, axis=1),
    row(np.roll, A((2, 3)), (1, 4), axis=(0, 1)),
    row(np.rollaxis, A((2, 3, 2)), 2),
    row(np.rollaxis, A((2, 3, 2)), 0, 3),
    row(np.tile, A((2, 3)), 2),
    row(np.tile, A((3,)), (2, 1, 2)),
    row(np.repeat, A((2, 3)), 2),
    row(np.repeat, A((2, 3)), [0, 2, 1], axis=1),
    row(np.delete, A((2, 3)), 4),
    row(np.delete, A((2, 3)), [0, -1], axis=1),
    row(np.insert, A((2, 3)), 4, A(())),
    row(np.insert, A((4,)), 1, A((3,))),
    row(np.insert, A((2, 3)), 1, A((2,)), axis=1),
    row(np.insert, A((2, 3)), [0, 2], A((2, 2)), axis=1),
    row(np.insert, A((2, 3)), [1], A((2, 1)), axis=1),
    row(np.insert, A((3,)), slice(0, 2), A(())),
    row(np.append, A((2, 3)), A((2,))),
    row(np.append, A((2, 3)), A((1, 3)), axis=0),
    row(np.resize, A((2, 3)), (2, 4)),
    row(np.block, A((2, 2)), A((2, 1)), A((1, 2)), A((1, 1))),
    row(np.block, A((2,)), A((1,)), A((2,)), A((1,))),
    row(np.broadcast_arrays, A((3,)), A((2, 1))),
    row(np.meshgrid, A((3,)), A((2,))),
    row(np.meshgrid, A((3,)), A((2,)), A((2,)), indexing="ij", sparse=True),
    *([row(np.unstack, A((2, 3)), axis=1)] if hasattr(np, "unstack") else []),
    row(np.diagonal, A((2, 3))),
    row(np.diagonal, A((3, 2, 4)), -1, 0, 2),
    row(np.diag, A((3,))),
    row(np.diag, A((3, 3)), 1),
    row(np.diagflat, A((2, 2)), 1),
    row(np.trace, A((3, 3)), **c),
    row(np.trace, A((2, 3, 2)), 1, 1, 2),
    row(np.tril, A((3, 3)), **c),
    row(np.tril, A((2, 2, 3)), -1),
    row(np.triu, A((3, 3)), 1),
    row(np.triu, A((3,))),
    row(np.vander, A((3,))),
    row(np.vander, A((3,)), 2, increasing=True),
    row(np.pad, A((2, 3)), 1),
    row(np.pad, A((2, 3)), ((1, 0), (2, 1)), "constant", constant_values=((0.5, 1), (2, 3)), **c),
    *[row(np.pad, A((4,)), (2, 1), mode) for mode in ("edge", "reflect", "symmetric", "wrap", "linear_ramp")],
    *[row(np.pad, A((3, 2), "even"), (1, 2), mode) for mode in ("mean", "maximum", "minimum", "median")],
    row(np.pad, A((2, 3)), 2, "linear_ramp", end_values=((0.5, 1.0), (2.0, 3.0))),
    row(np.pad, A((4,)), (1, 2), "mean", stat_length=2),
    *[row(np.pad, A((3, 4)), ((2, 1), (0, 2)), mode, reflect_type="odd") for mode in ("reflect", "symmetric")],
    row(np.pad, A((1, 3)), 2, "reflect", reflect_type="odd"),
    *([row(np.pad, A((2, 3)), widths) for widths in ({-1: (1, 2)}, {0: 1, 1: 2})] if NUMPY_PADS_BY_DICT else []),
    row(windows, A((4,)), 2, **c),
    row(windows, A((3, 4)), (2, 3)),
    row(windows, A((2, 4)), (2, 2), (-1, 1)),
    row(windows, A((2, 3)), 3, -1),
    row(np.astype, A(), np.float64),
]

SELECT = [
    row(gather, A((2, 3)), picks),
    row(gather_back, A((2, 4)), picks, 3),
    row(np.take, A((2, 3)), np.array([5, 0, 0])),
    row(np.take, A((2, 3)), picks, 1),
    row(np.take, A((2, 3)), 1, axis=0),
    row(np.take, A((2, 3)), [-4, 7], 1, mode="wrap"),
    row(np.take_along_axis, A((2, 3)), picks, 1, **c),
    row(np.take_along_axis, A((2, 3)), np.array([[1, 0, 0]]), 0),
    row(np.take_along_axis, A((1, 3)), picks, 1),
    row(np.take_along_axis, A((2, 3)), np.array([5, 5, 0]), None),
    row(np.put_along_axis, A((2, 3)), np.array([[2], [0]]), A((2, 1)), 1),
    row(np.put_along_axis, A((2, 3)), np.array([4, 0]), A((2,)), None),
    row(np.put, A((2, 3)), [0, -2], A((2,))),
    row(np.put, A((2, 3)), [0, 7], 0.5, mode="wrap"),
    row(np.putmask, A((2, 3)), mask, A((2,))),
    row(np.place, A((2, 3)), mask, A((2,))),
    row(np.copyto, A((2, 3)), A((3,))),
    row(np.copyto, A((2, 3)), A((3,)), where=mask),
    row(np.fill_diagonal, A((3, 2)), A((2,))),
    row(np.choose, np.array([2, 0, 1]), [A((3,)), A((3,)), A(())]),
    row(np.choose, np.array([[0], [4]]), [A((3,)), A((2, 3))], mode="clip"),
    row(np.select, [mask, ~mask & mask[::-1]], [A((2, 3)), A((3,))], 0.5),
    row(np.select, [mask], [A((2, 3))]),
    row(np.compress, [True, False, True], A((2, 3)), axis=1),
    row(np.compress, [False, True, True], A((2, 3))),
    row(np.extract, mask, A((2, 3))),
]

SORTING = [
    row(np.sort, A((3,), "even")),
    row(np.sort, A((3, 2), "even"), axis=0),
    row(np.sort, A((2, 3), "even"), axis=None, stable=True),
    row(np.sort_complex, A((2, 3), "even"), A((3,))),
    row(np.partition, A((2, 4), "even"), 1),
    row(np.median, A((2, 3), "even")),
    row(np.median, A((2, 2, 2), "even"), axis=(0, -1), keepdims=True),
    row(np.quantile, A((5,), "even"), 0.3),
    row(np.quantile, A((2, 5), "even"), [[0.0, 0.3], [0.62, 1.0]], axis=1),
    row(np.quantile, A((5,), "even"), A((2,), "share")),
    *[row(np.quantile, A((5, 2), "even"), 0.63, axis=0, method=method) for method in ("lower", "midpoint", "hazen")],
    row(np.quantile, A((5,), "even"), [0.2, 0.63], method="higher"),
    row(np.percentile, A((2, 5), "even"), 30, axis=1, keepdims=True),
    row(np.percentile, A((5,), "even"), [30.0, 61.0]),
    row(np.nanmedian, A((2, 3), "even"), axis=1),
    row(np.nanquantile, A((2, 5), "even"), [0.3, 0.61], axis=1),
    row(np.nanpercentile, A((5,), "even"), 30.0),
    row(np.interp, A((2, 2), "between"), np.arange(4.0), A((4,))),
    row(np.interp, A((3,), "between"), A((4,), "rising"), A((4,)), -1.0, 2.0),
    row(np.interp, A((3,), "between"), A((3,), "rising"), A((3,)), period=5.0),
]

CUMULATIVE = [
    row(np.cumsum, A((2, 3)), **c),
    row(np.cumsum, A((2, 3)), 1),
    row(np.cumprod, A((2, 3)), **c),
    row(np.cumprod, A((5, 2)), 0),
    row(np.nancumsum, A((2, 3)), 1),
    row(np.nancumprod, A((2, 3))),
    *(
        [
            row(np.cumulative_sum, A((3,))),
            row(np.cumulative_sum, A((2, 3)), axis=1, include_initial=True),
            row(np.cumulative_prod, A((2, 3)), axis=-2, include_initial=True),
        ]
        if hasattr(np, "cumulative_sum")
        else []
    ),
    row(np.diff, A((2, 4))),
    row(np.diff, A((4, 2)), 2, 0),
    row(np.diff, A((2, 3)), 1, -1, A(()), A((2, 1))),
    row(np.ediff1d, A((2, 2)), A((2,)), 0.5),
    row(np.ediff1d, A((4,))),
    row(np.gradient, A((4,))),
    row(np.gradient, A((3, 4)), 0.5, 2.0),
    row(np.gradient, A((4, 2)), axis=0, edge_order=2),
    row(np.gradient, A((4,)), A((4,), "rising"), edge_order=2),
    row(np.gradient, A((2, 3)), A((), "positive"), axis=1),
    row(np.trapezoid, A((2, 3)), **c),
    row(np.trapezoid, A((3, 2)), A((3,)), axis=0),
    row(np.trapezoid, A((2, 3)), A((2, 3)), axis=1),
    row(np.unwrap, A((3, 2), "even"), None, 0, period=1.0),
]

RANGES = [
    row(np.linspace, A((), "low"), A((), "high"), 4, **c),
    row(np.linspace, A((2, 1)), A((3,)), 3, False, axis=-1, **c),
    row(np.linspace, 0, A((2,)), 3),
    row(np.linspace, A(()), A((2,)), 3, retstep=True),
    row(np.linspace, A(()), 1.0, 1, False, retstep=True),
    row(np.linspace, A(()), [1.0, 2.0], 1),
    row(np.logspace, A((), "unit"), A((2,), "unit"), 3, **c),
    row(np.logspace, A((), "unit"), A((), "unit"), 3, False, 2),
    row(np.logspace, A((2,), "unit"), A((1,), "unit"), 3, True, A((2,), "positive"), axis=-1),
    row(np.geomspace, A((), "positive"), A((2,), "positive"), 4),
    row(np.geomspace, A((2, 1), "low"), A((3,), "low"), 3, False, axis=1),
    row(np.geomspace, 1, A((), "positive"), 1),
]

APPLIED = [
    row(np.apply_along_axis, np.sum, 0, A((2, 3)), **c),
    row(np.apply_along_axis, np.cumsum, -1, A((2, 3))),
    row(np.apply_along_axis, np.outer, 1, A((2, 2, 2)), np.array([1.0, 2.0])),
    row(np.apply_along_axis, np.prod, 0, A((3,))),
    row(np.apply_over_axes, np.sum, A((2, 3, 2)), (0, -1)),
    row(np.apply_over_axes, np.cumsum, A((2, 3)), 1),
    row(np.piecewise, A(), [mask, ~mask], [np.sin, 2.0]),
    row(np.piecewise, A(), [mask], [np.exp, np.cumsum]),
    row(np.piecewise, A((3,)), mask[0], [np.square]),
    row(np.piecewise, A(()), [False, True], [np.sin, np.cos]),
]

STATISTICS = [
    row(np.sum, A((2, 3)), where=mask, **c),
    row(np.add.reduce, A((2, 3)), where=mask),
    row(np.maximum.reduce, A((2, 3), "even"), where=mask, initial=-0.3, axis=1),
    row(np.add.reduceat, A((5, 2)), [0, 3, 1, 1, 4]),
    row(np.add.reduceat, A((2, 5)), np.array([2, 0]), axis=1),
    row(np.mean, A((2, 3)), axis=1, where=mask),
    row(np.max, A((2, 3), "even"), axis=0, where=mask, initial=-0.3),
    row(np.prod, A((2, 3)), axis=1, where=mask, initial=2.0),
    row(np.var, A((2, 3)), where=mask),
    row(np.var, A((2, 3)), axis=1, mean=np.array([[0.5], [1.0]])),
    row(np.var, A((2, 3)), axis=1, correction=1, keepdims=True),
    row(np.std, A((2, 2, 3), "even"), axis=(0, 2)),
    row(np.std, A((2, 3), "even"), where=mask, ddof=1),
    row(np.ptp, A((2, 3), "even")),
    row(np.ptp, A((2, 3), "even"), axis=1, keepdims=True),
    row(np.average, A((2, 3)), 1, A((3,), "positive")),
    row(np.average, A((2, 3)), None, A((2, 3), "positive")),
    row(np.average, A((2, 3, 2)), (1, 0), A((3, 2), "positive"), keepdims=True),
    row(np.average, A((2, 3)), 0, A((2,), "positive"), True),
    row(np.cov, A((2, 4))),
    row(np.cov, A((4,)), A((4,)), ddof=0),
    row(np.cov, A((4, 2)), rowvar=False, bias=True),
    row(np.cov, A((2, 3)), fweights=np.array([1, 2, 3]), aweights=weights),
    row(np.corrcoef, A((2, 4))),
    row(np.corrcoef, A((4,)), A((4,))),
    row(np.nansum, A((2, 3)), axis=0),
    row(np.nanmean, A((2, 3)), axis=0),
    row(np.nanprod, A((2, 3)), axis=1),
    row(np.nanvar, A((2, 3)), ddof=1),
    row(np.nanstd, A((2, 3), "even"), axis=1, keepdims=True),
    row(np.nanmax, A((2, 3), "even"), axis=1),
    row(np.nanmin, A((2, 3), "even")),
    row(np.nanmin, A((2, 3), "even"), axis=0, initial=0.3, where=mask),
    row(np.nan_to_num, A()),
    row(np.bincount, np.array([1, 0, 1, 3]), A((4,)), minlength=5),
    row(np.histogram, np.array([0.1, 0.4, 1.0, 0.7]), 3, None, None, A((4,), "positive")),
    row(np.histogram, np.array([0.1, 0.4, 2.0]), [0.0, 0.2, 1.0], None, True, A((3,), "positive")),
]

ROWS: list[Row] = [*ARRANGE, *SELECT, *SORTING, *CUMULATIVE, *RANGES, *APPLIED, *STATISTICS]
