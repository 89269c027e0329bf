"""Derivative rules, one statement per function, one file per family. Importing this fills the table."""

from microgd.ops import elementwise, index, linalg, reduce, shape, special

__all__ = ["elementwise", "index", "linalg", "reduce", "shape", "special"]
