"""CSV files of numbers, with or without a header.

The body is read by NumPy's own loader; only when that fails is the file gone through cell by cell, to say which row
and column is wrong. Rows are counted as an editor counts lines. A first line without a single number is a header.
Commas, semicolons and tabs separate; blank lines, a byte-order mark and any line ending are ordinary.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgd.errors import DataError


@dataclass(frozen=True)
class Table:
    """Columns of numbers. ``names`` are "column 1", "column 2"... where the file has no header."""

    names: list[str]
    values: np.ndarray[Any, np.dtype[np.float64]]
    has_header: bool
    source: str

    def index(self, column: str) -> int:
        """The position of a column, given by name or by number from 1.

        Raises:
            DataError: there is no such column; the message names those there are.
        """
        if column in self.names:
            return self.names.index(column)
        if column.isdigit() and 1 <= int(column) <= len(self.names):
            return int(column) - 1
        raise DataError(
            f"{self.source}: no column {column!r}; there are: {', '.join(self.names)} (or 1 to {len(self.names)})"
        )


def read_csv(path: str | Path) -> Table:
    """Read a file of numbers.

    Args:
        path: a text file; UTF-8.

    Raises:
        DataError: missing, empty or unreadable; a row of another length; a cell that is not a finite number.

    >>> from microgd.data import BUNDLED, read_csv
    >>> table = read_csv(BUNDLED)
    >>> table.names, table.values.shape
    (['hours', 'score'], (100, 2))
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"{path}: cannot be read: {reason}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: is empty; expected rows of numbers, with or without a header")
    delimiter = max(",;\t", key=lines[0][1].count)
    first = next(cells(lines[:1], delimiter))[1]
    has_header = not any(map(is_number, first))
    names = [cell.strip() for cell in first] if has_header else [f"column {k}" for k in range(1, len(first) + 1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the header names {twice!r} twice; give every column a name of its own")
    body = lines[1:] if has_header else lines
    if not body:
        raise DataError(f"{path}: has a header but no rows")
    try:
        values = np.loadtxt([line for _, line in body], delimiter=delimiter, quotechar='"', comments=None, ndmin=2)
    except ValueError as error:
        raise bad_cell(path, body, delimiter, names, str(error)) from None
    if values.shape[1] != len(names) or not np.all(np.isfinite(values)):
        raise bad_cell(path, body, delimiter, names, "rows and header do not fit")
    return Table(names, values, has_header, str(path))


def cells(lines: list[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of every line, with its number in the file."""
    rows = csv.reader((line for _, line in lines), delimiter=delimiter)
    return ((number, row) for (number, _), row in zip(lines, rows, strict=False))


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def bad_cell(path: str | Path, body: list[tuple[int, str]], delimiter: str, names: list[str], reason: str) -> DataError:
    """What is wrong with the first row that is wrong."""
    for number, row in cells(body, delimiter):
        if len(row) != len(names):
            return DataError(f"{path}: row {number} has {len(row)} cells, expected {len(names)} ({', '.join(names)})")
        for name, cell in zip(names, row, strict=True):
            if not cell.strip():
                return DataError(f"{path}: row {number}, {name}: the cell is empty; fill it in or leave the row out")
            if not is_number(cell) or not np.isfinite(float(cell)):
                kind = "not finite" if is_number(cell) else "not a number"
                return DataError(
                    f"{path}: row {number}, {name}: {cell.strip()!r} is {kind}; correct it or leave the row out"
                )
    return DataError(f"{path}: cannot be read as numbers: {reason}")
