"""Derivative rules, one statement per function, one file per family. Importing this fills the table."""

from microgd.ops import (
    arrange,
    cumulative,
    diagonals,
    elementwise,
    index,
    interpolation,
    linalg,
    padding,
    reduce,
    select,
    shape,
    sorting,
    special,
    statistics,
)

__all__ = [
    "arrange",
    "cumulative",
    "diagonals",
    "elementwise",
    "index",
    "interpolation",
    "linalg",
    "padding",
    "reduce",
    "select",
    "shape",
    "sorting",
    "special",
    "statistics",
]
