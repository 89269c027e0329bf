"""Steps: the way back as data, one step per operation, with what every operand receives and why.

Contributions come from a walk over the view of a computation, in the order of the sweep; formulas from their table. A
long account is folded: of the rounds of a loop two and the last one stay, of many different steps the first and the
last. Nothing here is text for people.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from microgd.graph.formulas import Derivative, derivative, literal
from microgd.graph.view import Flow, Vertex, View

SHOWN = 40  # steps, beyond which the middle of a long account is left out


class Part(NamedTuple):
    """What one operand receives in one step."""

    to: str
    derivative: Derivative
    local: Any
    contribution: Any
    total: Any
    which: int
    of: int


class Fold(NamedTuple):
    """Steps that are left out: how many, of which operations, and the vertices of the first and the last one."""

    steps: int
    words: str
    operations: tuple[str, ...]
    first: str
    last: str

    def __str__(self) -> str:
        return f"{self.what}, from {self.first} to {self.last}"

    @property
    def what(self) -> str:
        """The words without the order, which is another one forward."""
        *others, last = self.operations
        named = f"{', '.join(others)} and {last}" if others else last
        return f"... {self.steps} more steps {self.words} ({named})"


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on the way back."""

    vertex: Vertex
    upstream: Any
    parts: tuple[Part, ...]

    @property
    def kind(self) -> tuple[Any, ...]:
        """What steps of a loop share from one round to the next."""
        row, where = self.vertex.row, self.vertex.where
        return (row, self.vertex.shape, where, *(np.shape(part.contribution) for part in self.parts))

    def fold(self, words: str) -> Fold:
        """This step alone, left out."""
        operation = self.vertex.row.name if self.vertex.row else ""
        return Fold(1, words, (operation,), self.vertex.name, self.vertex.name)


@dataclass(frozen=True, eq=False)
class Story:
    """The way back over one computation: the output's name, its steps, the inputs' gradients, and the graph."""

    output: str
    steps: tuple[Step, ...]
    gradients: dict[str, Any]
    graph: View


def steps(graph: View, flows: Sequence[Flow]) -> Iterator[Step]:
    """Contributions gathered by the operation they come through."""
    count = Counter(flow.source for flow in flows)
    sums: defaultdict[int, list[Any]] = defaultdict(list)  # so far, by vertex
    for target, arriving in groupby(flows, lambda flow: flow.target):
        parts = []
        for flow in arriving:
            so_far = sums[flow.source]
            so_far.append(so_far[-1] + flow.contribution if so_far else flow.contribution)
            parts.append(part(graph, flow, so_far, count[flow.source]))
        yield Step(graph.vertices[target], flow.upstream, tuple(parts))


def part(graph: View, flow: Flow, sums: list[Any], of: int) -> Part:
    target, source = graph.vertices[flow.target], graph.vertices[flow.source]
    row = target.row
    assert row is not None
    group = int(np.prod(source.shape)) // max(int(np.prod(target.shape)), 1)
    names = {**target.names, "n": literal(group), "g": ast.Name("upstream")}
    local = flow.local
    if row.name in ("sum", "mean"):
        local = np.float64(1 if row.name == "sum" else 1 / max(group, 1))
    rule = derivative(row, flow.operand, names, target.ndims)
    return Part(source.name, rule, local, flow.contribution, sums[-1], len(sums), of)


# ---- folding -------------------------------------------------------------------------------------------------


def folded(every: Sequence[Step]) -> list[Step | Fold]:
    """The steps with repetitions left out: two rounds of a loop and its last one stay."""
    kinds = [step.kind for step in every]
    shown: list[Step | Fold] = []
    k = 0
    while k < len(every):
        period, length = repetition(kinds, k)
        if length:
            start, stop = k + 2 * period, k + length - period
            shown += [*every[k:start], left_out(every[start:stop], "of the same kind"), *every[stop : k + length]]
        else:
            shown.append(every[k])
        k += max(length, 1)
    if len(shown) > SHOWN:
        half = SHOWN // 2
        shown[half:-half] = [left_out(shown[half:-half], "of several kinds")]
    return shown


def left_out(steps: Sequence[Step | Fold], words: str) -> Fold:
    """One line for many steps, some of which may be such lines themselves."""
    folds = [step if isinstance(step, Fold) else step.fold(words) for step in steps]
    operations = tuple(dict.fromkeys(name for fold in folds for name in fold.operations))
    return Fold(sum(fold.steps for fold in folds), words, operations, folds[0].first, folds[-1].last)


def repetition(kinds: Sequence[Any], start: int) -> tuple[int, int]:
    """The shortest period that repeats from ``start`` for at least six rounds, and how many steps its rounds have."""
    for period in range(1, min(20, (len(kinds) - start) // 6) + 1):
        stop = start + period
        while stop < len(kinds) and kinds[stop] == kinds[stop - period]:
            stop += 1
        rounds = (stop - start) // period
        if rounds >= 6:
            return period, rounds * period
    return 0, 0
