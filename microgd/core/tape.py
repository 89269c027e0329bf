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
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from microgd.core.primitive import FREED, LEAF, OPERANDS, Primitive
from microgd.core.watch import origin, tell, watchers
from microgd.core.zeros import holds_nan, zeros_win
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


# A node says how one value was made. It is a small list, which costs least: these six places, and then one edge for
# every tracked operand, (parent, operand index, *what the rule named).
Node = list[Any]
NUMBER, SHAPE, DTYPE, ROW, GRAD, ORIGIN, EDGES = range(7)


def new_node(ans: Any, row: Primitive, edges: Iterable[tuple[Any, ...]], grad: Any = NotKept) -> Node:
    """The node of a value; shape and dtype are what its cotangent must have."""
    # The attributes of the common scalar are slow.
    shape, dtype = ((), FLOAT64) if type(ans) is np.float64 else (ans.shape, ans.dtype)
    return [next_number(), shape, dtype, row, grad, origin() if watchers else None, *edges]


def sweep(
    roots: Iterable[tuple[Node, Any]], retain: bool, lift: Callable[[Any, Node], Any] | None = None
) -> list[tuple[Node, Any]]:
    """Carry cotangents from the roots back to the leaves, newest node first.

    Returns every node that keeps a gradient, with its cotangent. ``lift(value, node)`` makes a handle
    of a saved value; with it, the sweep itself is recorded and can be differentiated again. Without
    ``retain`` each node lets go of its edges as soon as it has been used.
    """
    nodes: dict[int, Node] = {}
    cotangents: dict[int, Any] = {}
    for node, g in roots:
        number = node[NUMBER]
        nodes[number] = node
        cotangents[number] = cotangents[number] + g if number in cotangents else g
    newest_first = [-number for number in nodes]
    heapify(newest_first)
    invalid: list[Any] = []  # what NumPy says after 0 * inf; asking for it costs nothing
    kept, masked = [], False  # behind a mask values may be NaN, and of 0 * NaN nothing is said
    # An infinite derivative is an answer here, not a surprise.
    with np.errstate(all="ignore", invalid="call", call=lambda *said: invalid.append(said)):
        while newest_first:
            number = -heappop(newest_first)
            node, g = nodes.pop(number), cotangents.pop(number)
            row = node[ROW]
            if watchers:
                tell("arrived", node, g)
            if node[GRAD] is not NotKept:
                kept.append((node, g))
                if row is LEAF:
                    continue
            if row is FREED:
                raise GraphError(
                    "backward: this graph was already used and freed. Pass retain_graph=True to the first backward() "
                    "if you need a second one, or compute the output again."
                )
            rules = row.rules
            for edge in node[EDGES:]:
                parent, rule = edge[0], rules[edge[1]]
                saved = edge[2:] if lift is None else tuple(lifted(node, edge, lift))
                d = rule(g, *saved)
                suspect = invalid or masked or (row.silent is not None and row.silent(d, g, *saved))
                if suspect and not row.undefined and holds_nan(d):
                    d = zeros_win(d, row, rule, g, saved)
                    invalid.clear()
                if type(d) is not np.float64 or parent[DTYPE] is not FLOAT64 or parent[SHAPE]:
                    if d.shape != parent[SHAPE] or d.dtype is not parent[DTYPE]:
                        d = fit(d, parent, node)
                    if not parent[SHAPE] and type(d) is np.ndarray:  # 0-d values are NumPy scalars, cotangents too
                        d = d[()]
                if watchers:
                    tell("backward", node, edge[1], g, d)
                number = parent[NUMBER]
                if number in nodes:
                    cotangents[number] = cotangents[number] + d
                else:
                    nodes[number] = parent
                    cotangents[number] = d
                    heappush(newest_first, -number)
            masked = masked or (row.masks is not None and row.masks(*edge[2:]))
            if not retain:
                node[ROW] = FREED
                del node[EDGES:]
    return kept


def unshared(kept: list[tuple[Node, Any]], *seeds: Any) -> Iterator[tuple[Node, Any]]:
    """Gradients that may be handed out: no array twice, none that is a view or the caller's own."""
    taken = {id(seed) for seed in seeds}
    for node, g in kept:
        if type(g) is np.ndarray:
            if g.base is not None or id(g) in taken:
                g = g.copy()
            taken.add(id(g))
        yield node, g


def lifted(node: Node, edge: tuple[Any, ...], lift: Callable[[Any, Node], Any]) -> Iterator[Any]:
    """The saved values of an edge as handles on the nodes they came from, constants as they are."""
    _, i, *saved = edge
    parents = {operand: parent for parent, operand, *_ in node[EDGES:]}
    for name, value in zip(node[ROW].needs[i], saved, strict=True):
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
    shape, dtype = parent[SHAPE], parent[DTYPE]
    if not shape:  # a scalar can have been stretched to any shape
        d = np.add.reduce(d, axis=None) if d.shape else d
    elif d.shape != shape:
        extra = len(d.shape) - len(shape)
        if extra > 0 and d.shape[extra:] == shape:
            d = np.add.reduce(d, axis=tuple(range(extra)))
        elif extra < 0 or any(n not in (1, m) for m, n in zip(d.shape[extra:], shape, strict=True)):
            raise ShapeError(
                f"{node[ROW].name}: its rule gave a cotangent of shape {d.shape} for an input of shape {shape}; a rule "
                f"must return the input's shape, or one that broadcasting made from it."
            )
        else:
            stretched = [extra + k for k, n in enumerate(shape) if n == 1 and d.shape[extra + k] != 1]
            d = np.add.reduce(d, axis=(*range(extra), *stretched)).reshape(shape)
    return cast(d, dtype)


def cast(d: Any, dtype: Any) -> Any:
    """``d`` in another precision; what a real value receives from a complex one is the real part."""
    if d.dtype == dtype:
        return d
    if d.dtype.kind == "c" and dtype.kind != "c":
        d = np.real(d)
    return d.astype(dtype)


def conjugate(g: Any) -> Any:
    """Between the convention of users (dL/dx + i dL/dy) and that of rules (its conjugate); real numbers as they are."""
    return g if type(g) is np.float64 or g.dtype.kind != "c" else np.conj(g)


@contextmanager
def new_level() -> Iterator[float]:
    """A fresh level for one run of a transform; left behind whatever happens inside."""
    level = next_level()
    token = transform_level.set(level)
    try:
        yield level
    finally:
        transform_level.reset(token)
