# ruff: noqa: F401
"""Derivative rules, one statement per function, one file per family. Importing this fills the table."""

from microgd.core.primitive import LATE
from microgd.ops import (
    applying,
    arrange,
    cumulative,
    decompositions,
    diagonals,
    elementwise,
    fft,
    index,
    interpolation,
    linalg,
    norms,
    padding,
    polynomials,
    products,
    ranges,
    reduce,
    select,
    shape,
    sorting,
    special,
    statistics,
    ufunc_methods,
)

LATE["scipy.special"] = "microgd.ops.scipy_special"
