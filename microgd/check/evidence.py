"""Evidence: one run of a function with everything the chain rule touched, open to a replay with one mistake in it.

A ``Graph`` is a recorded run: its nodes, what every operation computed, and the expression it was written as. It can
``pull`` cotangents back from any node, not only from the output, and call the rule of any single edge. The way back is
linear, so a mistake made at one edge changes a gradient by exactly what the change there pulls back to an input. A
``Sample`` is a graph with cotangents and the gradients somebody claims. Nothing here knows what a mistake means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from microgd.core.primitive import Primitive
from microgd.core.tape import DTYPE, EDGES, NUMBER, ORIGIN, ROW, SHAPE, Node, fit, new_level, next_number
from microgd.core.tensor import Tensor
from microgd.core.tree import flatten, tree_map
from microgd.core.watch import Watcher, watching
from microgd.transforms.reverse import boxed, of_level, own

Array = Any


class Call(NamedTuple):
    """One operation with plain values."""

    row: Primitive
    operands: Sequence[Array]
    params: dict[str, Any]
    answer: Array


class Recorder(Watcher):
    """Keeps every operation under the number that its node will have."""

    def __init__(self) -> None:
        self.calls: dict[int, Call] = {}

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        # The operation's node, if it gets one, is made right after this and takes the next number.
        self.calls[next_number() + 1] = Call(row, [plain(x) for x in operands], params, plain(answer))


class Edge(NamedTuple):
    """The step back from node ``child`` to one of its operands, both by position in the graph."""

    child: int
    parent: int
    operand: int
    saved: tuple[Any, ...]


class Graph:
    """A recorded run of ``f`` on a tuple of inputs; ``chosen`` tells which leaves of the inputs to differentiate."""

    def __init__(self, f: Callable[..., Any], inputs: tuple[Any, ...], chosen: Sequence[bool]) -> None:
        entries, build = flatten(inputs)
        recorder = Recorder()
        with new_level() as level, watching(recorder):
            boxes = [boxed(x, level, path) if pick else x for (path, x), pick in zip(entries, chosen, strict=True)]
            found, self.build = flatten(tree_map(lambda x: own(x, level), f(*build(boxes))))
        outs = [x for _, x in found]
        roots = [x.node if of_level(x, level) else None for x in outs]
        self.outputs = [np.asarray(plain(x)) for x in outs]
        self.nodes = sorted(reached([*roots, *[b.node for b in boxes if type(b) is Tensor]]), key=lambda n: n[NUMBER])
        place = {node[NUMBER]: k for k, node in enumerate(self.nodes)}
        self.roots = [None if node is None else place[node[NUMBER]] for node in roots]
        self.leaves = [place[b.node[NUMBER]] if type(b) is Tensor and b.node else None for b in boxes]
        self.calls = [recorder.calls.get(node[NUMBER]) for node in self.nodes]
        self.edges = [
            Edge(k, place[parent[NUMBER]], i, tuple(map(plain, saved)))
            for k, node in enumerate(self.nodes)
            for parent, i, *saved in node[EDGES:]
        ]
        self.edges_of: dict[int, list[Edge]] = {k: [] for k in place.values()}
        for edge in self.edges:
            self.edges_of[edge.child].append(edge)

    def row(self, k: int) -> Primitive:
        return self.nodes[k][ROW]  # type: ignore[no-any-return]

    def apply(self, edge: Edge, g: Array, *saved: Any) -> Array:
        """The rule of one edge as it is, before broadcasting is undone."""
        return self.row(edge.child).rules[edge.operand](g, *(saved or edge.saved))

    def fit(self, edge: Edge, d: Array) -> Array:
        """Undo broadcasting at one edge."""
        node = self.nodes[edge.parent]
        d = np.asarray(d)[()]
        return d if d.shape == node[SHAPE] and d.dtype == node[DTYPE] else fit(d, node, self.nodes[edge.child])

    def pull(self, seeds: dict[int, Array], blocked: frozenset[int] = frozenset()) -> dict[int, Array]:
        """The cotangents of every node below, from cotangents at some; nothing goes through ``blocked`` nodes."""
        found = dict(seeds)
        with np.errstate(all="ignore"):
            for k in range(max(seeds, default=-1), -1, -1):
                if k in found and k not in blocked:
                    for edge in self.edges_of[k]:
                        d = self.fit(edge, self.apply(edge, found[k]))
                        found[edge.parent] = found[edge.parent] + d if edge.parent in found else d
        return found

    def shape_of(self, k: int) -> tuple[int, ...]:
        return self.nodes[k][SHAPE]  # type: ignore[no-any-return]

    def above(self, k: int) -> set[int]:
        """Node ``k`` and all that depend on it."""
        found = {k}
        for edge in self.edges:  # from the oldest child to the newest
            if edge.parent in found:
                found.add(edge.child)
        return found

    def groups(self) -> Iterator[int]:
        """How many entries each sum or mean adds up, the last one first."""
        for call in reversed(self.calls):
            if call is not None and call.row.function in (np.sum, np.mean) and np.size(call.answer):
                yield np.size(call.operands[0]) // np.size(call.answer)

    def expression(self, k: int) -> tuple[str, str]:
        """Node ``k`` as it was written, and where."""
        origin = self.nodes[k][ORIGIN]
        return (origin.text or self.row(k).name, origin.place) if origin else (self.row(k).name, "")

    @cached_property
    def kind(self) -> tuple[Any, ...]:
        """What two runs share that took the same steps."""
        return tuple((node[ROW], node[SHAPE]) for node in self.nodes)


def reached(roots: Sequence[Node | None]) -> Iterator[Node]:
    """Every node that the roots were made from, once."""
    waiting, seen = [node for node in roots if node is not None], set()
    while waiting:
        node = waiting.pop()
        if node[NUMBER] not in seen:
            seen.add(node[NUMBER])
            yield node
            waiting += [edge[0] for edge in node[EDGES:]]


def plain(x: Any) -> Any:
    """The array inside however many boxes."""
    while isinstance(x, Tensor):
        x = x.value
    return x
