"""The numbers of a graph: what the tape kept, what the caller's variables hold, and what follows from them.

A node does not keep its value; it keeps what its rules name. From a ``Trace`` everything is known. Otherwise values
come from the edges, then from variables, and the rest is computed again by the operations themselves. A variable may
have changed since the graph was made: where the numbers contradict what the tape kept, variables are not believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from microgd.core.primitive import FREED, LEAF, OPERANDS, Primitive, positional
from microgd.core.tape import EDGES, NUMBER, ROW, Node, next_number
from microgd.core.tensor import Tensor
from microgd.core.watch import Watcher


class Unknown:
    """Stands for a value that nobody kept."""


UNKNOWN = Unknown()


@dataclass
class Call:
    """One operation: its operands by position, its metadata, its answer; ``UNKNOWN`` where nobody kept them."""

    row: Primitive
    operands: list[Any]
    params: dict[str, Any] = field(default_factory=dict)
    answer: Any = UNKNOWN
    complete: bool = False
    """Whether the metadata is all there."""
    seen: bool = False
    """Whether a trace saw it happen."""


class Trace(Watcher):
    """Keeps every operation under the number that its node will have."""

    def __init__(self) -> None:
        self.calls: dict[int, Call] = {}

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        """Keep an operation; its node, if it gets one, is made right after this and takes the next number."""
        self.calls[next_number() + 1] = Call(row, list(operands), params, answer, seen=True)


def ancestors(roots: Sequence[Node]) -> list[Node]:
    """Every node that the roots were computed from, oldest first."""
    found: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node[NUMBER] not in found:
            found[node[NUMBER]] = node
            stack += [edge[0] for edge in node[EDGES:]]
    return [found[number] for number in sorted(found)]


def variables(frame: FrameType | None) -> dict[str, Any]:
    """The variables of a frame by name, its own before the module's; private ones left out."""
    if frame is None:
        return {}
    names = {**frame.f_locals, **{k: v for k, v in frame.f_globals.items() if k not in frame.f_locals}}
    return {name: value for name, value in names.items() if not name.startswith("_")}


def tensors(variables: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in some variables by name, then those in lists, dictionaries and modules (``layers[0].weight``)."""
    level: list[tuple[str, Any]] = list(variables.items())
    for _ in range(5):
        below: list[tuple[str, Any]] = []
        for name, value in level:
            if isinstance(value, Tensor):
                yield name, value
            elif isinstance(value, list | tuple) and len(value) <= 1000:
                below += [(f"{name}[{k}]", item) for k, item in enumerate(value)]
            elif isinstance(value, dict) and len(value) <= 1000:
                below += [(f"{name}[{key!r}]", item) for key, item in value.items()]
            elif hasattr(type(value), "__tree__"):
                below += [(f"{name}.{key}", item) for key, item in value.__tree__()[0].items()]
        level = below[:10_000]


def calls_of(
    nodes: Sequence[Node], traced: Mapping[int, Call], outputs: Mapping[int, Any], believed: Mapping[int, Any]
) -> dict[int, Call]:
    """A call for every node, by number, with all that can be known filled in; the answer of a leaf is its value.

    ``outputs`` are values known for sure and ``believed`` those that variables hold, both by the number of the node.
    """
    for belief in (believed, {}):
        calls = saved(nodes)
        calls |= {number: call for number, call in traced.items() if number in calls}
        for number, value in outputs.items():
            calls[number].answer = value
        if replayed(nodes, calls, belief):
            break
    return calls


def saved(nodes: Sequence[Node]) -> dict[int, Call]:
    """What the edges hold."""
    calls: dict[int, Call] = {}
    for node in nodes:
        row = node[ROW]
        count = len(row.rules) if isinstance(row.rules, tuple) else 1 + max((e[1] for e in node[EDGES:]), default=-1)
        call = calls[node[NUMBER]] = Call(row, [UNKNOWN] * count)
        parents = {edge[1]: edge[0][NUMBER] for edge in node[EDGES:]}
        for _, i, *values in node[EDGES:]:
            for name, value in zip(row.needs[i], values, strict=True):
                if name == "ans":
                    call.answer = value
                elif name == "xs":
                    call.operands = list(value)
                elif name in OPERANDS:
                    call.operands[OPERANDS.index(name)] = value
                elif name != "i" and not name.endswith("_shape"):
                    call.params[name] = value
        for k, x in enumerate(call.operands):
            if k in parents and x is not UNKNOWN:
                calls[parents[k]].answer = x
        call.complete = row not in (LEAF, FREED) and has_all(row, len(call.operands), call.params)
    return calls


def has_all(row: Primitive, operands: int, params: Mapping[str, Any]) -> bool:
    """Whether these are all the metadata that calls of a row have."""
    if row.bind is positional:
        return True
    try:
        _, everything = row.bind(*[0.0] * operands)
    except TypeError:
        return False
    return set(everything) <= set(params)


def replayed(nodes: Sequence[Node], calls: dict[int, Call], believed: Mapping[int, Any]) -> bool:
    """Compute what is missing, oldest first; whether nothing contradicts what is known already."""
    for node in nodes:
        call = calls[node[NUMBER]]
        if call.answer is UNKNOWN and node[NUMBER] in believed:
            call.answer = believed[node[NUMBER]]
        for parent, k, *_ in node[EDGES:]:
            if call.operands[k] is UNKNOWN:
                call.operands[k] = calls[parent[NUMBER]].answer
        if call.seen or not call.complete or any(x is UNKNOWN for x in call.operands):
            continue
        answer = computed(call, call.operands)
        if call.answer is UNKNOWN:
            call.answer = answer
        elif not same(answer, call.answer):
            return False
    return True


def computed(call: Call, operands: Sequence[Any]) -> Any:
    """What the operation gives for these operands; ``UNKNOWN`` if it does not take them."""
    try:
        with np.errstate(all="ignore"):
            return call.row.forward(*operands, **call.params)
    except (TypeError, ValueError, IndexError, ArithmeticError, AttributeError):
        return UNKNOWN


def same(a: Any, b: Any) -> bool:
    """Equal in every entry, NaN too."""
    if a is UNKNOWN or np.shape(a) != np.shape(b):
        return False
    return np.asarray(a).tobytes() == np.asarray(b).tobytes() or bool(
        np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True)
    )
