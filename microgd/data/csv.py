"""CSV files of numbers, with or without a header.

The body is read by NumPy's own loader; only when that fails is the file gone through cell by cell, to say which row
and column is wrong, or to find that the columns asked for are sound and only others hold text. Rows are counted as an
editor counts lines. A first line without a single number is a header. Commas, semicolons and tabs separate; blank
lines, a byte-order mark and any line ending are ordinary.
"""

from __future__ import annotations

import csv
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from microgd.errors import DataError

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Table:
    """Named columns of a file. ``names`` are "column 1", "column 2"... where the file has no header."""

    names: list[str]
    has_header: bool
    source: str
    lines: list[tuple[int, str]]
    delimiter: str

    @cached_property
    def values(self) -> Array:
        """All columns, shape (rows, columns)."""
        return self.numbers(range(len(self.names)))

    def numbers(self, columns: Sequence[int]) -> Array:
        """Some columns, shape (rows, len(columns)); the others may hold text, or nothing.

        Raises:
            DataError: a row of another length; a cell of these columns that is not a finite number.
        """
        text = [line for _, line in self.lines]
        try:
            found = np.loadtxt(text, delimiter=self.delimiter, quotechar='"', comments=None, ndmin=2)
        except ValueError:
            return self.cell_by_cell(columns)
        sound = found.shape[1] == len(self.names) and np.all(np.isfinite(found))
        return found[:, list(columns)] if sound else self.cell_by_cell(columns)

    def cell_by_cell(self, columns: Sequence[int]) -> Array:
        """The slow way, for a file that is not numbers throughout."""
        rows, width = [], len(self.names)
        for number, row in cells(self.lines, self.delimiter, self.source):
            if len(row) != width:
                named = ", ".join(self.names)
                raise DataError(f"{self.source}: row {number} has {len(row)} cells, expected {width} ({named})")
            rows.append([self.number(row[k], number, self.names[k]) for k in columns])
        return np.array(rows)

    def number(self, cell: str, row: int, name: str) -> float:
        """One cell as a number, or the reason why it is none."""
        place = f"{self.source}: row {row}, {name}"
        if not cell.strip():
            raise DataError(f"{place}: the cell is empty; fill it in or leave the row out")
        if not is_number(cell) or not np.isfinite(float(cell)):
            kind = "not finite" if is_number(cell) else "not a number"
            advice = "correct it, leave the row out, or choose columns without it (--features)"
            if not self.has_header and row == self.lines[0][0]:
                advice = "if this row is a header, give every column a name that is not a number"
            raise DataError(f"{place}: {reprlib.repr(cell.strip())} is {kind}; {advice}")
        return float(cell)

    def index(self, column: str) -> int:
        """The position of a column, given by name or by number from 1.

        Raises:
            DataError: there is no such column; the message names those there are.
        """
        for known in (self.names, [str(k) for k in range(1, len(self.names) + 1)]):
            if column in known:
                return known.index(column)
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
    table = open_csv(path)
    _ = table.values  # read now, so that a bad cell is found now
    return table


def open_csv(path: str | Path) -> Table:
    """A file whose columns are read when they are asked for, so that some may hold text.

    Raises:
        DataError: missing, empty or unreadable; a header without rows, or with a name twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"{path}: cannot be read: {reason}") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: is empty; expected rows of numbers, with or without a header")
    delimiter = max(";\t,", key=lambda candidate: fitness(lines, candidate))
    rows = cells(lines, delimiter, path)
    first, second = next(rows)[1], next(rows, None)
    has_header = not any(map(is_number, first))
    names = [(" ".join(cell.split()) if has_header else "") or f"column {k}" for k, cell in enumerate(first, 1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the header names {twice!r} twice; give every column a name of its own")
    if has_header and second is None:
        raise DataError(f"{path}: has a header but no rows")
    body = [line for line in lines if line[0] >= second[0]] if has_header and second else lines
    return Table(names, has_header, str(path), body, delimiter)


def fitness(lines: list[tuple[int, str]], delimiter: str) -> tuple[bool, bool, int]:
    """How well a delimiter parts the first two rows; names may hold anything, so the second, of numbers, counts."""
    widths = []
    with suppress(DataError):  # a row that cannot be read is complained about later
        for _, row in islice(cells(lines, delimiter, ""), 2):
            widths.append(len(row))
    head, body = (widths[0], widths[-1]) if widths else (0, 0)
    return body > 1, head == body, body


def cells(lines: list[tuple[int, str]], delimiter: str, source: str | Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of every row, with the number of the line in the file where it begins; quoted ones may go on."""
    rows, begun = csv.reader((line + "\n" for _, line in lines), delimiter=delimiter), 0
    try:
        for row in rows:
            yield lines[begun][0], row
            begun = rows.line_num
    except csv.Error as error:
        raise DataError(
            f"{source}: row {lines[begun][0]}: {error}; look for a quotation mark that is never closed"
        ) from None


def is_number(cell: str) -> bool:
    """Whether a cell holds a number as a data file writes it: Python alone would also take 1_000."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
