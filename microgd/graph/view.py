"""View: a computation as a small graph to read: vertices with names, expressions and values, arrows between them.

A vertex has the user's name for it, or a number as on a Wengert list (v1, v2...), the one operation that made it in
those names, and the expression and line it was written as, where that is known. ``walk`` goes the way back over it with
a watcher, and notes every contribution. Nothing here decides how a graph is told or drawn.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Literal

import numpy as np

from microgd.core.primitive import LEAF, OPERANDS, Primitive
from microgd.core.tape import DTYPE, EDGES, NUMBER, ORIGIN, ROW, SHAPE, Node, conjugate, sweep
from microgd.core.watch import Origin, Watcher, watching
from microgd.errors import GraphError, ShapeError
from microgd.graph.formulas import expression, library, literal
from microgd.graph.summary import clipped
from microgd.graph.trace import Trace
from microgd.transforms.record import Call

INFIX: dict[str, ast.operator] = {
    "add": ast.Add(),
    "subtract": ast.Sub(),
    "multiply": ast.Mult(),
    "times": ast.Mult(),
    "divide": ast.Div(),
    "over": ast.Div(),
    "power": ast.Pow(),
    "matmul": ast.MatMult(),
}
UNKNOWN = ast.Name("const")  # stands for a constant that the tape did not keep
INLINE = 40  # an intermediate without a name is written out in the next one up to this length


@dataclass
class Vertex:
    """One value: an input, a constant, what an operation gave, or the operation that failed."""

    name: str
    kind: Literal["input", "constant", "operation", "failed"]
    shape: tuple[int, ...] = ()
    value: Any = None
    gradient: Any = None
    call: ast.expr | None = None
    text: str = ""
    where: Origin | None = None
    row: Primitive | None = None
    names: dict[str, ast.expr] = field(default_factory=dict)
    ndims: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        """``file.py:12 in loss``, where it is known."""
        return self.where.place if self.where else ""

    @property
    def formula(self) -> str:
        """The operation in the names of the graph; an input has only its name."""
        return self.name if self.call is None else f"{self.name} = {ast.unparse(self.call)}"


@dataclass(frozen=True)
class Arrow:
    """From a vertex to one that was computed from it, as which operand."""

    source: int
    target: int
    operand: int


@dataclass(repr=False, eq=False)  # nodes are lists within lists
class View:
    """Vertices in the order of their making, and arrows from older to newer ones."""

    vertices: list[Vertex]
    arrows: list[Arrow]
    places: dict[int, int]  # from the number of a node to its vertex
    root: Node | None
    outer: tuple[CodeType | None, ...] = ()
    error: str = ""

    @property
    def top(self) -> Vertex:
        """The vertex of the output."""
        assert self.root is not None, "a computation that failed has no output"
        return self.vertices[self.places[self.root[NUMBER]]]


@dataclass(frozen=True)
class Flow:
    """One contribution on the way back: what arrived at a vertex, and what one operand received through it."""

    target: int
    operand: int
    source: int
    upstream: Any
    contribution: Any
    local: Any


def view(trace: Trace) -> View:
    """The graph of a trace."""
    return Builder(trace).view


class Builder:
    """Makes the vertices one after the other, each from those before it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.view = View([], [], {}, trace.output, trace.outer)
        self.taken = set(trace.names.values()) | set(trace.constants.values())
        self.used: set[str] = set()
        self.counts = {"v": 0, "c": 0}
        self.constants: dict[int, int] = {}
        self.written: list[ast.expr] = []  # beside each vertex: how the next expression refers to it
        for node in trace.nodes:
            self.add(node)
        if trace.failure:
            self.fail()

    def name(self, wanted: str | None, letter: str) -> str:
        """The user's name if there is one and nothing else has it, or a number."""
        if wanted is None:
            while not self.counts[letter] or f"{letter}{self.counts[letter]}" in self.taken:
                self.counts[letter] += 1
            self.taken.add(wanted := f"{letter}{self.counts[letter]}")
        elif wanted in self.used:
            k = 2
            while f"{wanted}_{k}" in self.taken | self.used:
                k += 1
            wanted = f"{wanted}_{k}"
        self.used.add(wanted)
        return wanted

    def put(self, vertex: Vertex, written: ast.expr | None = None) -> int:
        self.view.vertices.append(vertex)
        self.written.append(written or expression(vertex.name))
        return len(self.view.vertices) - 1

    def add(self, node: Node) -> None:
        """The vertex of a node, and its arrows."""
        number, row = node[NUMBER], node[ROW]
        value = self.trace.values.get(number)
        given = self.trace.names.get(number)
        if row is LEAF or len(node) == EDGES:
            vertex = Vertex(self.name(given, "v"), "input", node[SHAPE], value)
            self.view.places[number] = self.put(vertex)
            return
        call = self.trace.calls[number]
        parents = {i: self.view.places[parent[NUMBER]] for parent, i, *_ in node[EDGES:]}
        where = node[ORIGIN] if node[ORIGIN] != self.trace.caller else None
        operands = self.operands(call, parents, where)
        short = [self.reference(x) for x in operands]
        long = [self.written[x] if isinstance(x, int) else x for x in operands]
        composed = called(call, long)
        name = self.name(given or ("output" if node is self.trace.output else None), "v")
        vertex = Vertex(name, "operation", node[SHAPE], value, where=where, row=row, call=called(call, short))
        vertex.text = (where.text if where else "") or ast.unparse(composed)
        vertex.names = {**dict(zip(OPERANDS, short, strict=False)), "ans": expression(vertex.name)}
        vertex.ndims = tuple(
            len(self.view.vertices[x].shape) if isinstance(x, int) else np.ndim(call.operands.get(k, 0))
            for k, x in enumerate(operands)
        )
        inline = given is None and len(ast.unparse(composed)) <= INLINE
        place = self.view.places[number] = self.put(vertex, composed if inline else None)
        self.view.arrows += [Arrow(x, place, k) for k, x in enumerate(operands) if isinstance(x, int)]

    def operands(self, call: Call, parents: dict[int, int], where: Origin | None) -> list[int | ast.expr]:
        """Each operand as a vertex, or as it is written: numbers have no vertex, nor what is not known."""
        rules = call.row.rules
        count = len(rules) if isinstance(rules, tuple) else max([*parents, *call.operands]) + 1
        source = expression(where.text) if where else None
        return [parents[k] if k in parents else self.constant(call, k, source) for k in range(count)]

    def constant(self, call: Call, k: int, source: ast.expr | None) -> int | ast.expr:
        if k not in call.operands:  # not kept; the line may tell what it was
            if isinstance(source, ast.BinOp) and type(source.op) is type(INFIX.get(call.row.name)):
                return source.right if k else source.left
            return UNKNOWN
        x = call.operands[k]
        if call.row.name == "clip" and x is None:
            return expression("-inf" if k == 1 else "inf")
        if id(x) not in self.trace.constants and np.ndim(x) == 0:
            number = np.asarray(x)
            return literal(number[()]) if number.dtype.kind in "iufc" else expression(clipped(repr(x), 20))
        if id(x) not in self.constants:
            name = self.name(self.trace.constants.get(id(x)), "c")
            self.constants[id(x)] = self.put(Vertex(name, "constant", np.shape(x), np.asarray(x)))
        return self.constants[id(x)]

    def reference(self, operand: int | ast.expr) -> ast.expr:
        return expression(self.view.vertices[operand].name) if isinstance(operand, int) else operand

    def fail(self) -> None:
        """The operation that raised, with arrows from what it was given."""
        failure = self.trace.failure
        assert failure is not None
        kind = type(failure.error).__name__
        self.view.error = f"{kind}: {failure.error}"
        text = failure.where.text if failure.where else ""
        place = self.put(Vertex(kind, "failed", text=text, where=failure.where))
        sources = dict.fromkeys(self.view.places[node[NUMBER]] for node in failure.given)
        self.view.arrows += [Arrow(source, place, k) for k, source in enumerate(sources)]


def called(call: Call, operands: Sequence[ast.expr]) -> ast.expr:
    """One operation as it would be written."""
    name = call.row.name
    if not library(call.row):
        return ast.Call(ast.Name(name), list(operands), [])
    if name in INFIX and len(operands) == 2:
        return ast.BinOp(operands[0], INFIX[name], operands[1])
    if name == "negative":
        return ast.UnaryOp(ast.USub(), operands[0])
    if name == "getitem":
        return ast.Subscript(operands[0], ast.Name(index(call.params.get("index", ...))))
    if name == "setitem":
        return ast.Call(ast.Name(name), [operands[0], ast.Name(index(call.params.get("index", ...))), operands[1]], [])
    if name == "transpose" and call.params.get("axes") is None:
        return ast.Attribute(operands[0], "T")
    given: list[ast.expr] = [*operands]
    if not isinstance(call.row.rules, tuple):  # they arrive in a list
        given = [ast.List(given)]
    shown = {k: v for k, v in call.params.items() if isinstance(v, int | float | tuple | str) and v not in (False, "C")}
    words = [ast.keyword(k, ast.Name(clipped(repr(v), 20))) for k, v in shown.items()]
    return ast.Call(ast.Name(name), given, words)


def index(key: Any) -> str:
    """An index as it stands between brackets."""
    if isinstance(key, tuple):
        return ", ".join(map(index, key)) or "()"
    if isinstance(key, slice):
        step = "" if key.step is None else f":{key.step}"
        return f"{'' if key.start is None else key.start}:{'' if key.stop is None else key.stop}{step}"
    if key is Ellipsis:
        return "..."
    if np.size(key) > 4:
        return f"{np.asarray(key).dtype} {np.shape(key)}"
    return clipped(repr(key.tolist() if isinstance(key, np.ndarray | np.generic) else key), 20)


# ---- the way back ----------------------------------------------------------------------------------------------


class Steps(Watcher):
    """Notes every contribution in the order of the sweep."""

    def __init__(self) -> None:
        self.seen: list[tuple[Node, int, Any, Any]] = []

    def backward(self, node: Any, operand: int, cotangent: Any, result: Any) -> None:
        self.seen.append((node, operand, cotangent, result))


def walk(graph: View, gradient: Any = None) -> list[Flow]:
    """Carry a cotangent of the output back, give every vertex its gradient, and return all contributions in order.

    The tape is kept and no ``.grad`` is touched. ``gradient`` is 1 for every entry unless given.
    """
    root, top = graph.root, graph.top
    assert root is not None
    if gradient is not None and np.shape(gradient) != top.shape:
        raise ShapeError(f"gradient: expected shape {top.shape}, the output's, got {np.shape(gradient)}")
    seed = np.ones(top.shape) if gradient is None else np.asarray(gradient)
    seed = seed.astype(root[DTYPE])[()]
    steps = Steps()
    try:
        with watching(steps):
            sweep([(root, conjugate(seed))], retain=True)
    except GraphError as error:
        raise GraphError(f"{error} A part of this computation was walked back before.") from None
    top.gradient = seed
    flows = []
    within = [step for step in steps.seen if step[0][NUMBER] in graph.places]  # a rule may walk a graph of its own
    for node, operand, cotangent, result in within:
        (edge,) = [edge for edge in node[EDGES:] if edge[1] == operand]
        source = graph.vertices[place := graph.places[edge[0][NUMBER]]]
        contribution = conjugate(result)
        source.gradient = contribution if source.gradient is None else source.gradient + contribution
        flows.append(
            Flow(
                graph.places[node[NUMBER]],
                operand,
                place,
                conjugate(cotangent),
                contribution,
                local(node, edge, cotangent),
            )
        )
    return flows


def local(node: Node, edge: tuple[Any, ...], cotangent: Any) -> Any:
    """The local derivative as numbers, where it scales entry by entry: what the rule makes of ones."""
    row, (_, operand, *kept) = node[ROW], edge
    if row.form != "elementwise":
        return None
    with np.errstate(all="ignore"):
        return conjugate(np.asarray(row.rules[operand](np.ones_like(cotangent), *kept)))[()]
