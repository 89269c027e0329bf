"""Report: what gradcheck looked at and found, for a program to ask and for people to read.

A ``Part`` is one pass over a function in one mode and of one order; its ``diagnosis`` is the message of a failure: the
function, the input, the worst entry with both values, how many are wrong, and the pattern. A ``Report`` is what a
check that succeeded returns. Nothing here decides what is right.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from microgd.check.kinks import Kink
from microgd.check.numeric import tolerance
from microgd.check.pattern import pattern

Array = Any
RIGHT, UNRESOLVED, KINK, WRONG = range(4)
SHOWN = 8
DOUBLE = float(np.finfo(np.float64).eps)


class Table(NamedTuple):
    """The numbers u J d, a row per cotangent and a column per direction, by both accounts, with the verdicts."""

    automatic: Array
    numeric: Array
    verdict: Array


class Coverage(NamedTuple):
    """How many entries of all inputs, and how many single outputs, were looked at one by one."""

    entries: int
    of_entries: int
    outputs: int
    of_outputs: int

    def __str__(self) -> str:
        full = "the full Jacobian" if self.entries == self.of_entries and self.outputs == self.of_outputs else ""
        counts = f"{self.entries} of {self.of_entries} input entries x {self.outputs} of {self.of_outputs} outputs"
        return f"{full or 'random entries'} ({counts}), a random cotangent, a random direction per input"


@dataclass
class Part:
    """One pass of a check."""

    subject: Any
    order: int
    mode: str
    places: Array
    rows: Array
    leaf_of: Array
    steps: Array
    table: Table
    kinks: tuple[Kink, ...]
    u: Array

    @property
    def ok(self) -> bool:
        return not (self.table.verdict == WRONG).any()

    @property
    def coverage(self) -> Coverage:
        return Coverage(len(self.places), self.subject.inputs.size, len(self.rows), self.subject.outputs.size)

    @property
    def unresolved(self) -> int:
        """How many entries of the inputs differences could not settle."""
        singles = self.table.verdict[:, : len(self.places)]
        return int(np.sum((singles == UNRESOLVED).any(axis=0)))

    def error(self, leaf: int) -> float:
        """The largest gap of one input's entries, in numbers of the largest entry for the same cotangent."""
        mine = (self.leaf_of == leaf) & (np.arange(len(self.leaf_of)) < len(self.places))
        settled = self.table.verdict[:, mine] == RIGHT
        a, n = (np.where(settled, t[:, mine], 0) for t in self.table[:2])
        size = np.max(np.abs(n), axis=1, keepdims=True, initial=0)
        return float(np.max(np.abs(a - n) / np.where(size > 0, size, 1), initial=0))

    # ---- a failure ------------------------------------------------------------------------------------------

    def diagnosis(self) -> str:
        """What is wrong, for a person."""
        wrong = self.table.verdict == WRONG
        leaves = sorted({int(self.leaf_of[c]) for c in np.flatnonzero(wrong.any(axis=0))})
        names = [self.subject.inputs.names[leaf] for leaf in leaves]
        right = [name for name in self.subject.inputs.names if name not in names]
        lines = [
            f"gradcheck: the derivative of {self.subject.title} with respect to {', '.join(names)} is wrong "
            f"({self.mode} mode)"
        ]
        for leaf in leaves:
            lines += [f"  {line}" for line in self.of_leaf(leaf)]
        lines += [f"  right: {', '.join(right)}"] if right else []
        lines += [f"  {kink}" for kink in self.kinks[:SHOWN]]
        if self.subject.precision > DOUBLE:
            lines.append("  The computation is not in double precision; check in float64 for a sharper answer.")
        return "\n".join(lines)

    def of_leaf(self, leaf: int) -> Iterator[str]:
        """What is wrong with one input."""
        name = self.subject.inputs.names[leaf]
        singles = np.arange(len(self.leaf_of)) < len(self.places)
        mine = np.flatnonzero((self.leaf_of == leaf) & singles)
        wrong = self.table.verdict[:, mine] == WRONG
        if not wrong.any():
            row, c = np.argwhere((self.table.verdict == WRONG) & (self.leaf_of == leaf) & ~singles)[0]
            a, n = self.table.automatic[row, c], self.table.numeric[row, c]
            yield f"{name}: along a random direction: automatic {a:.8g}, numeric {n:.8g} ({self.upstream(row)})"
            yield "Every entry that was looked at alone is right."
            return
        row = int(np.argmax(wrong.any(axis=1)))
        a, n = self.table.automatic[row, mine], self.table.numeric[row, mine]
        with np.errstate(all="ignore"):
            gap = np.where(wrong[row], np.nan_to_num(np.abs(a - n), nan=np.inf), -1)
        k = int(np.argmax(gap))
        entry = self.subject.inputs.name(self.places[mine[k]])
        yield f"{name}: {np.sum(wrong[row])} of {len(mine)} entries are wrong ({self.upstream(row)})"
        yield f"worst entry: {entry}: automatic {a[k]:.8g}, numeric {n[k]:.8g}"
        if seen := self.seen(leaf, mine, a, n, wrong[row]):
            yield seen
        if (
            self.mode == "reverse"
            and a.any()
            and np.array_equal(self.subject.pull(2 * self.u), self.subject.pull(self.u))
        ):
            yield "It does not depend on the upstream gradient: a rule must multiply by it."

    def seen(self, leaf: int, mine: Array, a: Array, n: Array, wrong: Array) -> str:
        """The pattern, in the shape of the input where all of it was looked at."""
        layout = self.subject.inputs
        shape, width = layout.shapes[leaf], layout.width(leaf)
        x = self.subject.x[self.places[mine]]
        if len(mine) != np.prod(shape, dtype=int) * width:
            return pattern(a, n, wrong, x)
        if width == 2:
            a, n, x = (part.view(np.complex128) for part in (a.copy(), n.copy(), x.copy()))
            wrong = wrong.reshape(-1, 2).any(axis=1)
        return pattern(*(part.reshape(shape) for part in (a, n, wrong, x)))

    def upstream(self, row: int) -> str:
        """The cotangent of a row, in words."""
        if row == 0:
            return "upstream gradient: random numbers"
        place = self.rows[row - 1]
        return f"upstream gradient: {self.subject.outputs.name(place)} alone"


@dataclass(frozen=True)
class Report:
    """What ``gradcheck`` returns where every derivative is right; true, so that it can be asserted.

    Attributes:
        name: of the function. parts: one per order and mode.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def ok(self) -> bool:
        return all(part.ok for part in self.parts)

    def __bool__(self) -> bool:
        return self.ok

    @cached_property
    def errors(self) -> dict[str, float]:
        """The largest error by input, relative to the largest entry for the same cotangent."""
        names = self.parts[0].subject.inputs.names
        return {name: max(part.error(k) for part in self.parts) for k, name in enumerate(names)}

    @property
    def coverage(self) -> Coverage:
        return self.parts[0].coverage

    @property
    def kinks(self) -> tuple[Kink, ...]:
        """Entries on a kink, or closer to one than the step, each once."""
        return tuple({kink.entry: kink for part in reversed(self.parts) for kink in part.kinks}.values())

    @property
    def steps(self) -> dict[str, tuple[float, float]]:
        """The smallest and the largest first step by input."""
        part = self.parts[0]
        mine = [part.steps[part.leaf_of == k] for k in range(len(part.subject.inputs.names))]
        return {name: (h.min(), h.max()) for name, h in zip(part.subject.inputs.names, mine, strict=True)}

    def lines(self) -> Iterator[str]:
        what = ", ".join(f"order {part.order} {part.mode}" for part in self.parts)
        yield f"gradcheck of {self.name}: right ({what})"
        yield f"looked at {self.coverage}"
        for name, error in self.errors.items():
            low, high = self.steps[name]
            yield f"{name}: largest error {error:.1e}, step {low:.2g}" + (f" to {high:.2g}" if high > low else "")
        if unresolved := sum(part.unresolved for part in self.parts):
            yield f"{unresolved} entries cannot be told by differences: the gap is less than their own error"
        for kink in self.kinks[:SHOWN]:
            yield str(kink)
        if len(self.kinks) > SHOWN:
            yield f"... and {len(self.kinks) - SHOWN} more kinks in .kinks"
        if self.parts[0].subject.precision > DOUBLE:
            loose = tolerance(self.parts[0].subject.precision)
            yield f"Not in double precision: a relative error of {loose:.0e} may pass. Check in float64."

    def __str__(self) -> str:
        return "\n  ".join(self.lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
