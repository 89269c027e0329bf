"""Evidence: one run of a function with everything the chain rule touched, open to a replay with one mistake in it.

A ``Graph`` is a recorded run: its nodes, what every operation computed, and the expression it was written as. It can
``pull`` cotangents back from any node, not only from the output, and call the rule of any single edge. The way back is
linear, so a mistake made at one edge changes a gradient by exactly what the change there pulls back to an input. A
``Sample`` is a graph with cotangents and the gradients somebody claims. Nothing here knows what a mistake means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from microgd.core.box import innermost
from microgd.core.primitive import Primitive
from microgd.core.tape import DTYPE, EDGES, NUMBER, ORIGIN, ROW, SHAPE, fit, new_level
from microgd.core.tensor import Tensor
from microgd.core.tree import flatten, tree_map
from microgd.core.watch import origin, watching
from microgd.errors import ShapeError
from microgd.transforms.record import Recorder, reached
from microgd.transforms.reverse import boxed, of_level, own

Array = Any


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
            self.caller = origin()
            boxes = [boxed(x, level, path) if pick else x for (path, x), pick in zip(entries, chosen, strict=True)]
            given = [box.node if type(box) is Tensor else None for box in boxes]  # f may assign to what it is given
            found, self.build = flatten(tree_map(lambda x: own(x, level), f(*build(boxes))))
        outs = [x for _, x in found]
        roots = [x.node if of_level(x, level) else None for x in outs]
        self.outputs = [np.asarray(innermost(x)) for x in outs]
        self.nodes = reached([*roots, *given])
        place = {node[NUMBER]: k for k, node in enumerate(self.nodes)}
        self.roots = [None if node is None else place[node[NUMBER]] for node in roots]
        self.leaves = [None if node is None else place[node[NUMBER]] for node in given]
        self.calls = [recorder.calls.get(node[NUMBER]) for node in self.nodes]
        self.edges = [
            Edge(k, place[parent[NUMBER]], i, tuple(map(innermost, saved)))
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

    def called(self, k: int) -> str:
        """Node ``k`` as it was written, and where; by the function's name if nobody wrote it (f is np.tanh itself)."""
        at = self.nodes[k][ORIGIN]
        return f"`{at.text or self.row(k).name}` ({at.place})" if at and at != self.caller else f"`{self.row(k).name}`"

    @cached_property
    def kind(self) -> tuple[Any, ...]:
        """What two runs share that took the same steps."""
        return tuple((node[ROW], node[SHAPE]) for node in self.nodes)


@dataclass
class Sample:
    """A run with cotangents, the gradient claimed for one input there, and those claimed for the others."""

    graph: Graph
    cotangents: dict[int, Array]
    inputs: list[Array]
    seeds: dict[int, Array]
    claimed: Array
    others: dict[int, Array]
    leaf: int
    rerun: Callable[[list[Array]], Graph]
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def true(self) -> Array:
        return self.gradient(self.cotangents)

    def gradient(self, cotangents: dict[int, Array], leaf: int | None = None) -> Array:
        """The share of one input, the claimed one unless said otherwise, in some cotangents."""
        leaf = self.leaf if leaf is None else leaf
        return cotangents.get(self.graph.leaves[leaf], np.zeros_like(self.inputs[leaf]))  # type: ignore[arg-type]

    def ones(self, node: int) -> Array:
        return np.ones(self.graph.shape_of(node))[()]

    def value(self, node: int) -> Array:
        """What a node holds."""
        leaves = self.graph.leaves
        return self.inputs[leaves.index(node)] if node in leaves else self.graph.calls[node].answer  # type: ignore[union-attr]

    def edge(self, e: int) -> tuple[Edge, Array]:
        """An edge and the cotangent that arrives at it."""
        edge = self.graph.edges[e]
        return edge, self.cotangents[edge.child]

    def contribution(self, e: int) -> Array:
        edge, g = self.edge(e)
        return self.graph.apply(edge, g)

    def local(self, e: int) -> Array:
        """The local derivative of an elementwise edge."""
        edge, g = self.edge(e)
        return self.graph.apply(edge, np.ones_like(g))

    def with_saved(self, e: int, j: int, value: Any) -> Array:
        """The rule of one edge with another value in place of one that it saved."""
        edge, g = self.edge(e)
        return self.graph.apply(edge, g, *edge.saved[:j], value, *edge.saved[j + 1 :])

    def through(self, e: int) -> Array:
        """The part of the true gradient that comes through one edge."""
        return self.gradient(self.graph.pull({self.graph.edges[e].parent: self.fit(e, self.contribution(e))}))

    def fit(self, e: int, d: Array) -> Array:
        return self.graph.fit(self.graph.edges[e], d)

    def replaced(self, e: int, d: Array) -> Array:
        """The gradient if the rule of one edge had given ``d``; at the input itself, also one of a wrong shape."""
        edge, d = self.graph.edges[e], np.asarray(d)[()]
        right = self.fit(e, self.contribution(e))
        try:
            delta = self.fit(e, d) - right
        except ShapeError:
            if edge.parent == self.graph.leaves[self.leaf]:
                return d
            delta = d - right
        return self.true + self.gradient(self.graph.pull({edge.parent: delta}))

    def elsewhere(self, key: str, inputs: list[Array], leaf: int) -> Array:
        """The gradient of one input if the inputs had been others; ``key`` says which."""
        if key not in self.kept:
            graph = self.rerun(inputs)
            self.kept[key] = graph.pull(self.seeds) if graph.kind == self.graph.kind else {}
        return self.gradient(self.kept[key], leaf)

    def diagonal(self, node: int) -> dict[int, Array]:
        """For every node of the same shape below: the diagonal of its Jacobian."""
        if node not in self.kept:
            shape = self.graph.shape_of(node)
            found: dict[int, Array] = {}
            for index in np.ndindex(shape):
                g = np.zeros(shape)
                g[index] = 1.0
                for k, d in self.graph.pull({node: g}).items():
                    if k != node and np.shape(d) == shape:
                        found.setdefault(k, np.zeros(shape))[index] = d[index]
            self.kept[node] = found
        return self.kept[node]  # type: ignore[no-any-return]


@dataclass
class Case:
    """One wrong input: its samples, the names of all inputs, and the lengths of its axes with a name for each."""

    samples: list[Sample]
    names: list[str]
    lengths: dict[int, str]

    @property
    def first(self) -> Sample:
        return self.samples[0]

    @property
    def graph(self) -> Graph:
        return self.samples[0].graph

    @cached_property
    def proportional(self) -> bool:
        """Whether the claim is the truth times one constant."""
        if np.shape(self.first.claimed) != np.shape(self.first.true):
            return False
        with np.errstate(all="ignore"):
            ratios = np.concatenate([np.ravel(s.claimed / s.true) for s in self.samples])
        return np.allclose(ratios, ratios[:1], rtol=1e-6, atol=0)

    @cached_property
    def nodes(self) -> list[int]:
        """The nodes between the output and this input, without either."""
        return [k for k in sorted(self.kin) if k not in (*self.graph.roots, self.mine)]

    @property
    def mine(self) -> int:
        return self.graph.leaves[self.first.leaf] or 0

    @cached_property
    def kin(self) -> set[int]:
        """This input, and every node that depends on it and that the output depends on."""
        return self.graph.above(self.mine) & set(self.first.cotangents)

    @cached_property
    def edges(self) -> list[int]:
        return [e for e, edge in enumerate(self.graph.edges) if {edge.parent, edge.child} <= self.kin]

    def called(self, node: int) -> str:
        """A node in words: an input by its name, anything else by its expression and line."""
        if node in self.graph.leaves:
            return f"`{self.names[self.graph.leaves.index(node)]}`"
        return self.graph.called(node)

    @cached_property
    def values(self) -> list[tuple[Callable[[Sample], Array], str]]:
        """Every number of the computation: inputs, intermediates, data; each with its name, no array twice."""
        found: dict[Any, tuple[Callable[[Sample], Array], str]] = {}
        for get, name in self.all_values():
            xs = [np.asarray(get(s)) for s in self.samples]
            if xs[0].dtype.kind in "fc":
                found.setdefault((xs[0].shape, *(x.tobytes() for x in xs)), (get, name))
        return list(found.values())

    def all_values(self) -> Iterator[tuple[Callable[[Sample], Array], str]]:
        for k in self.first.seeds:
            if np.all(self.first.seeds[k] == 1):  # of a loss, and no number that anyone writes down
                continue
            yield lambda s, k=k: s.seeds[k], "the upstream gradient"
        for k, call in enumerate(self.graph.calls):
            if call is not None or k in self.graph.leaves:
                yield lambda s, k=k: s.value(k), self.called(k)
        for k, call in enumerate(self.graph.calls):
            for i, x in call.operands.items() if call else ():
                if isinstance(x, np.ndarray | np.floating):
                    yield lambda s, k=k, i=i: s.graph.calls[k].operands[i], f"the data in {self.called(k)}"

    @cached_property
    def local_derivatives(self) -> list[tuple[Callable[[Sample], Array], str]]:
        """The local derivatives of elementwise functions, each with its name."""
        steps = [(e, self.graph.edges[e].child) for e in self.edges]
        return [
            (lambda s, e=e: s.local(e), f"the derivative of {self.called(child)}")
            for e, child in steps
            if self.graph.row(child).form == "elementwise"
        ]
