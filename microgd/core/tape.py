"""The tape: nodes that remember how a value was made, and the sweep that walks back over them.

A node knows its parents only, so nothing here is a reference cycle and memory is freed by counting alone.
Nodes carry a creation number; a reverse topological order is therefore one sort, without recursion. The
sweep undoes broadcasting and restores dtypes in one place, after every rule, so that no rule has to: a
cotangent always has exactly the shape and dtype of the value it belongs to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from typing import Any

import numpy as np

from microgd.core.primitive import OPERANDS, Primitive
from microgd.errors import GraphError, ShapeError

next_number = itertools.count(1).__next__
FLOAT64 = np.dtype(np.float64)

# A transform (grad, vjp...) works at a level of its own, newer ones higher. Tensors made by hand live half a
# step above the transform they are made in. Both variables follow threads and asyncio tasks.
next_level = itertools.count(1).__next__
transform_level: ContextVar[float] = ContextVar("transform_level", default=0)
frozen_level: ContextVar[float] = ContextVar("frozen_level", default=-1)


class NotKept:
    """Stands in a node's ``grad`` when the sweep should not store a gradient there."""


class Node:
    """How one value was made: ``edges`` hold (parent, operand index, *what the rule named)."""

    __slots__ = ("dtype", "edges", "grad", "number", "row", "shape")

    def __init__(self, ans: Any, row: Primitive, edges: list[tuple[Any, ...]], grad: Any = NotKept) -> None:
        self.number = next_number()
        self.shape: tuple[int, ...] = ans.shape
        self.dtype: np.dtype[Any] = FLOAT64 if type(ans) is np.float64 else ans.dtype  # a scalar's own is slow
        self.row = row
        self.edges: list[tuple[Any, ...]] | None = edges  # None once the sweep has used and freed them
        self.grad = grad


def sweep(
    roots: Iterable[tuple[Node, Any]], retain: bool, lift: Callable[[Any, Node], Any] | None = None
) -> list[tuple[Node, Any]]:
    """Carry cotangents from the roots back to the leaves, newest node first.

    Returns every node that keeps a gradient, with its cotangent. ``lift(value, node)`` makes a handle
    of a saved value; with it, the sweep itself is recorded and can be differentiated again. Without
    ``retain`` each node lets go of its edges as soon as it has been used.
    """
    cotangents: dict[int, Any] = {}
    kept = []
    start = []
    for node, g in roots:
        start.append(node)
        cotangents[node.number] = g if node.number not in cotangents else cotangents[node.number] + g
    with np.errstate(all="ignore"):  # an infinite derivative is an answer here, not a surprise
        for node in reachable(start):
            g = cotangents.pop(node.number)
            if node.grad is not NotKept:
                kept.append((node, g))
            edges = node.edges
            if not edges:
                continue
            rules = node.row.rules
            for edge in edges:
                parent, i = edge[0], edge[1]
                saved = edge[2:] if lift is None else lifted(node, edge, lift)
                d = rules[i](g, *saved)
                if d.shape != parent.shape or d.dtype is not parent.dtype:
                    d = fit(d, parent, node)
                if not parent.shape and type(d) is np.ndarray:  # 0-d values are NumPy scalars, cotangents too
                    d = d[()]
                number = parent.number
                have = cotangents.get(number)
                cotangents[number] = d if have is None else have + d
            if not retain:
                node.edges = None
    return kept


def unshared(kept: list[tuple[Node, Any]], *seeds: Any) -> Iterator[tuple[Node, Any]]:
    """Gradients that may be handed out: no array twice, none that is a view or the caller's own."""
    taken = {id(seed) for seed in seeds}
    for node, g in kept:
        if type(g) is np.ndarray and (g.base is not None or id(g) in taken):
            g = g.copy()
        taken.add(id(g))
        yield node, g


def reachable(start: list[Node]) -> list[Node]:
    """Every node that the given ones depend on, newest first."""
    nodes = []
    seen = {node.number for node in start}
    stack = list({node.number: node for node in start}.values())
    while stack:
        node = stack.pop()
        nodes.append(node)
        if node.edges is None:
            raise GraphError(
                f"backward: the graph behind {node.row.name} was already used and freed. Pass retain_graph=True to the "
                f"first backward() if you need a second one, or compute the output again."
            )
        for edge in node.edges:
            parent = edge[0]
            if parent.number not in seen:
                seen.add(parent.number)
                stack.append(parent)
    nodes.sort(key=attrgetter("number"), reverse=True)
    return nodes


def lifted(node: Node, edge: tuple[Any, ...], lift: Callable[[Any, Node], Any]) -> Iterator[Any]:
    """The saved values of an edge as handles on the nodes they came from, constants as they are."""
    _, i, *saved = edge
    parents = {operand: parent for parent, operand, *_ in node.edges or ()}
    for name, value in zip(node.row.needs[i], saved, strict=True):
        if name == "ans":
            yield lift(value, node)
        elif name == "xs":
            yield tuple(lift(x, parents[k]) if k in parents else x for k, x in enumerate(value))
        elif name in OPERANDS and OPERANDS.index(name) in parents:
            yield lift(value, parents[OPERANDS.index(name)])
        else:
            yield value


def fit(d: Any, parent: Node, node: Node) -> Any:
    """Undo broadcasting and promotion: sum over the axes that were stretched, cast back to the input's dtype."""
    if not parent.shape:  # a scalar can have been stretched to any shape
        d = np.add.reduce(d, axis=None) if d.shape else d
    elif d.shape != parent.shape:
        extra = len(d.shape) - len(parent.shape)
        if extra < 0 or any(n not in (1, m) for m, n in zip(d.shape[extra:], parent.shape, strict=True)):
            raise ShapeError(
                f"{node.row.name}: its rule gave a cotangent of shape {d.shape} for an input of shape {parent.shape}; "
                f"a rule must return the input's shape, or one that broadcasting made from it."
            )
        stretched = [extra + k for k, n in enumerate(parent.shape) if n == 1 and d.shape[extra + k] != 1]
        d = np.add.reduce(d, axis=(*range(extra), *stretched)).reshape(parent.shape)
    return d if d.dtype == parent.dtype else d.astype(parent.dtype)


@contextmanager
def new_level() -> Iterator[float]:
    """A fresh level for one run of a transform; left behind whatever happens inside."""
    level = next_level()
    token = transform_level.set(level)
    try:
        yield level
    finally:
        transform_level.reset(token)
