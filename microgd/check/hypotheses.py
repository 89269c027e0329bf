"""Hypotheses: the mistakes people make, each as a prediction of the numbers it would give.

A hypothesis says: the claimed gradient is ``base + c * direction`` for one constant c, at every sample. It is accepted
only if that holds entry by entry, and only if c itself makes sense (``explain``). The families below make hypotheses
for one wrong input from the recorded graph: the whole gradient scaled or rearranged, another quantity altogether, one
edge of the graph with a wrong rule, a value of the computation as a factor. They stand in ``STAGES``, simplest
explanation first. What is decided from them, and how sure that is, is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from microgd.check.evidence import Edge, Graph

Array = Any


@dataclass
class Sample:
    """A run with a cotangent, and the gradient claimed for one input there."""

    graph: Graph
    cotangents: dict[int, Array]
    inputs: list[Array]
    seeds: dict[int, Array]
    claimed: Array
    leaf: int
    rerun: Callable[[list[Array]], Graph]

    @property
    def node(self) -> int:
        return self.graph.leaves[self.leaf]  # type: ignore[return-value]

    @property
    def true(self) -> Array:
        return self.gradient(self.cotangents)

    def gradient(self, cotangents: dict[int, Array]) -> Array:
        """The claimed input's share of some cotangents."""
        return cotangents.get(self.node, np.zeros_like(self.inputs[self.leaf]))

    def contribution(self, edge: Edge) -> Array:
        return self.graph.apply(edge, self.cotangents[edge.child])

    def replaced(self, edge: Edge, d: Array) -> Array:
        """The gradient if the rule of one edge had given ``d``."""
        d = np.asarray(d)[()]
        if d.shape != self.graph.shape_of(edge.parent):
            right = self.contribution(edge)
            if edge.parent == self.node and d.shape != right.shape:
                return d
        delta = self.graph.fit(edge, d) - self.graph.fit(edge, self.contribution(edge))
        return self.true + self.gradient(self.graph.pull({edge.parent: delta}))


class Case(NamedTuple):
    """One wrong input: its samples, the names of all inputs, and the constants that have a name here."""

    samples: list[Sample]
    names: list[str]
    constants: list[tuple[float, str]]

    @property
    def first(self) -> Sample:
        return self.samples[0]

    @property
    def graph(self) -> Graph:
        return self.samples[0].graph

    def edges(self) -> Iterator[int]:
        """The edges that lie between the output and this input, by number."""
        above = {self.first.node}
        for edge in sorted(self.graph.edges, key=lambda edge: edge.child):
            if edge.parent in above:
                above.add(edge.child)
        for k, edge in enumerate(self.graph.edges):
            if edge.parent in above and edge.child in self.first.cotangents:
                yield k

    def called(self, node: int) -> str:
        """A node in words: an input by its name, anything else by its expression and line."""
        if node in self.graph.leaves:
            return f"`{self.names[self.graph.leaves.index(node)]}`"
        text, place = self.graph.expression(node)
        return f"`{text}`" + (f" ({place})" if place else "")


class Hypothesis(NamedTuple):
    """claimed = base + c * direction, and what c says: (cause, sentence), or None if it says nothing."""

    explain: Callable[[Any], tuple[str, str] | None]
    direction: Callable[[Sample], Array]
    base: Callable[[Sample], Array] | None = None


def exactly(cause: str, says: str) -> Callable[[Any], tuple[str, str] | None]:
    """Only c = 1 explains."""
    return lambda c: (cause, says) if near(c, 1) else None


def roughly(case: Case, cause: str, says: str) -> Callable[[Any], tuple[str, str] | None]:
    """c = 1, or a constant with a name besides."""

    def explain(c: Any) -> tuple[str, str] | None:
        name = constant(case, c)
        if near(c, 1):
            return cause, says
        return (cause, f"{says} Besides, there is a constant factor of {name}.") if name else None

    return explain


def near(a: Any, b: Any) -> bool:
    return bool(abs(a - b) <= 1e-6 * max(abs(b), 1e-300))


NUMBERS = {math.pi: "π", math.e: "e", math.log(2): "ln 2", math.log(10): "ln 10", 180 / math.pi: "180/π"}


def constants(lengths: dict[int, str]) -> list[tuple[float, str]]:
    """The constants that derivatives go wrong by: small numbers, the lengths of axes, and a few of mathematics."""
    found = [(1.0, "1"), (2.0, "2"), (0.5, "1/2"), (3.0, "3"), (1 / 3, "1/3"), (4.0, "4"), (0.25, "1/4")]
    for n, name in lengths.items():
        pairs = [
            (n, name),
            (1 / n, f"1/{name}"),
            (2 * n, f"2{name}"),
            (1 / (2 * n), f"1/(2{name})"),
            (2 / n, f"2/{name}"),
        ]
        pairs += [(n / 2, f"{name}/2"), (n**2, f"{name}²"), (1 / n**2, f"1/{name}²")]
        found += [(value, f"{text}, with {name} = {n},") for value, text in pairs]
    found += [pair for n in range(5, 13) if n not in lengths for pair in ((n, str(n)), (1 / n, f"1/{n}"))]
    found += [(1.5, "3/2"), (2 / 3, "2/3")]
    return found + [pair for v, text in NUMBERS.items() for pair in ((v, text), (1 / v, f"1/({text})"))]


def constant(case: Case, c: Any) -> str | None:
    """A constant in words: 2, 1/2, m, 1/m, 1/(2m)..., or None if it is no such thing."""
    if abs(np.imag(c)) > 1e-6 * abs(c):
        return None
    sign, size = ("-" if np.real(c) < 0 else ""), abs(c)
    names = [sign + text for value, text in case.constants if near(size, value)]
    return " or ".join(names[:2]) or None


def scaled(case: Case, c: Any, what: str) -> tuple[str, str] | None:
    """What it means that ``what`` is c times what it should be."""
    name = constant(case, c)
    if near(c, 1) or name is None:
        return None
    if near(c, -1):
        return "sign", f"{what} has the wrong sign."
    if np.real(c) > 0 and (mean_of := averaged(case, c)):
        return "mean for sum", f"{what} is a mean where {mean_of} is a sum: it is {name} times the true value."
    return "factor", f"{what} is {name} times the true value."


def averaged(case: Case, c: Any) -> str | None:
    """The sum in the graph that has 1/c terms, unless something divides by that number already."""
    found = None
    for k in range(len(case.graph.nodes)):
        call = case.graph.calls[k]
        if call is None:
            continue
        operands = [np.asarray(x) for x in call.operands]
        if call.row.function is np.sum and call.answer.size and near(operands[0].size / np.size(call.answer) * c, 1):
            found = case.called(k)
        if call.row.function is np.mean and near(operands[0].size / np.size(call.answer) * c, 1):
            return None
        if any(x.shape == () and (near(x * c, 1) or near(x, c)) for x in operands):
            return None
    for e in case.edges():
        edge = case.graph.edges[e]
        wide, narrow = np.size(case.first.contribution(edge)), math.prod(case.graph.shape_of(edge.parent))
        if narrow and wide > narrow and near(wide / narrow * c, 1):
            found = found or f"the broadcasting of {case.called(edge.parent)}"
    return found


# ---- the whole gradient ------------------------------------------------------------------------------------


def factor(case: Case) -> Iterator[Hypothesis]:
    yield Hypothesis(lambda c: scaled(case, c, "The gradient"), lambda s: s.true)


STAGES: list[tuple[float, Callable[[Case], Iterator[Hypothesis]]]] = [(0.99, factor)]
