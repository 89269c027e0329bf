"""Trace: everything that can be known of a computation beside its nodes: values, operands, names, lines.

There are two ways to know. Given a function, it is run under the eyes of a watcher, and everything is known, up to the
line that raised if one did. Given a tensor, the values are those that the tape saved for the way back, those of the
caller's variables, and what follows from them by computing forward again; what is known is exact, the rest is left out.
Names are those of variables that hold the values. The user's graph and gradients are not touched.
"""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

import numpy as np

from microgd.core.box import innermost
from microgd.core.primitive import FREED, LEAF, OPERANDS, Primitive, positional
from microgd.core.tape import EDGES, NUMBER, ROW, Node
from microgd.core.tensor import Tensor, differentiable, tensor
from microgd.core.tree import flatten
from microgd.core.watch import LIBRARY, Origin, watching
from microgd.errors import GraphError, OptionError, ShapeError
from microgd.transforms.record import Call, Recorder, reached

MANY = 100  # entries of a container in which names are looked for


@dataclass(repr=False, eq=False)
class Failure:
    """Where a run stopped: the expression, what was raised, and the nodes that the expression was given."""

    where: Origin | None
    error: Exception
    given: list[Node]


@dataclass(repr=False, eq=False)  # nodes are lists within lists
class Trace:
    """Nodes from the oldest to the newest, and what is known of each by its number."""

    nodes: list[Node]
    calls: dict[int, Call]
    values: dict[int, Any]
    names: dict[int, str]
    constants: dict[int, str]  # the names of plain arrays, by identity
    output: Node | None
    caller: Origin
    outer: tuple[CodeType | None, ...] = ()  # the code that asked: of the caller, and of the function that was run
    failure: Failure | None = None


def trace(output: Any, inputs: tuple[Any, ...], frame: FrameType) -> Trace:
    """The trace of a tensor, or of a function run on inputs. ``frame`` is where the user's variables are."""
    caller = Origin(frame.f_code, frame.f_lasti, frame.f_lineno)
    if isinstance(output, Tensor) and inputs:
        raise OptionError(f"got a tensor and {len(inputs)} more; give one tensor, or a function and its inputs")
    if isinstance(output, Tensor):
        return found(output, list(named(frame)), caller)
    if not callable(output):
        raise GraphError(
            f"expected a tensor, or a function and its inputs, got {type(output).__name__}; give the tensor itself, "
            f"before .item(), .data or backward() take it out of its graph."
        )
    return ran(output, inputs, caller)


# ---- a function: run, and watched ---------------------------------------------------------------------------


class Frames(Recorder):
    """Keeps the frames that asked for operations too."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[int, tuple[int, FrameType]] = {}  # how deep each one lies; a held frame keeps its variables

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        super().forward(row, operands, params, answer)
        frame: FrameType | None = sys._getframe(1)
        asking = []
        while frame and frame.f_code is not ran.__code__ and id(frame) not in self.frames:
            if not frame.f_code.co_filename.startswith(LIBRARY):
                asking.append(frame)
            frame = frame.f_back
        depth = self.frames[id(frame)][0] + 1 if frame and id(frame) in self.frames else 0
        for k, frame in enumerate(reversed(asking)):
            self.frames[id(frame)] = (depth + k, frame)

    def variables(self) -> Iterator[tuple[str, Any]]:
        """What the frames call their values, the outermost first. What a function inside calls its arguments is its
        own affair: the values have another name outside."""
        for depth, frame in sorted(self.frames.values(), key=lambda pair: pair[0]):
            code = frame.f_code
            given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if depth else ()
            yield from ((name, x) for name, x in named(frame) if name not in given)


def ran(f: Callable[..., Any], inputs: tuple[Any, ...], caller: Origin) -> Trace:
    """Run ``f`` on tensors named after its parameters; whatever it raises is kept as the failure."""
    body = getattr(f, "forward", f)  # of a module, what it computes
    given, args, kwargs = arguments(body, inputs)
    recorder, failure, out = Frames(), None, None
    try:
        with watching(recorder):
            out = f(*args, **kwargs)
    except Exception as error:
        failure = failed(error)
    variables = [*given, *recorder.variables(), *(parts("model", f) if hasattr(type(f), "__tree__") else ())]
    names, constants, values = known(variables)
    output = None
    if failure is None:
        output = root(out, getattr(f, "__name__", type(f).__name__))
        roots = [output]
    else:
        made = [x.node for x in handed(x for _, x in variables) if x.node is not None]
        leaves = [x.node for _, x in given if type(x) is Tensor and x.node is not None]
        roots = [*failure.given, *leaves, *(node for node in made if node[NUMBER] in recorder.calls)]
    nodes = reached(roots)
    calls = {n[NUMBER]: recorder.calls.get(n[NUMBER]) or saved(n, values) for n in nodes}
    values |= {number: call.answer for number, call in calls.items() if call.answer is not None}
    for node in nodes:
        operands = calls[node[NUMBER]].operands
        values |= {parent[NUMBER]: operands[i] for parent, i, *_ in node[EDGES:] if i in operands}
    if output is not None and getattr(f, "__name__", "").isidentifier():
        names.setdefault(output[NUMBER], f.__name__)
    outer = (caller.code, getattr(body, "__code__", None))
    return Trace(nodes, calls, values, names, constants, output, caller, outer, failure)


def root(out: Any, name: str) -> Node:
    """The node of what a function returned."""
    leaves = [leaf for _, leaf in flatten(out)[0]]
    if len(leaves) != 1:
        raise ShapeError(f"{name}: expected one output, got {len(leaves)}; let it return one")
    if type(leaves[0]) is not Tensor or leaves[0].node is None:
        raise GraphError(
            f"{name}: its output depends on no input that requires a gradient; inputs of integers are constants, so "
            f"write 3.0 for 3, and keep computing with NumPy functions on what is passed in."
        )
    return leaves[0].node


def arguments(f: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[list[tuple[str, Any]], Any, Any]:
    """Inputs by name, and the arguments to call ``f`` with.

    Where no input is a tensor that requires a gradient, every floating-point one becomes such a tensor.
    """
    try:
        bound = inspect.signature(f).bind(*inputs)
    except ValueError:  # NumPy's own functions do not always tell
        bound = inspect.signature(lambda *x: None).bind(*inputs)
    entries = [(name, *flatten(value)) for name, value in bound.arguments.items()]
    tracked = any(isinstance(x, Tensor) and x.requires_grad for _, leaves, _ in entries for _, x in leaves)
    given: list[tuple[str, Any]] = []
    for name, leaves, build in entries:
        made = [x if tracked or not (isinstance(x, float) or differentiable(x)) else leaf(x) for _, x in leaves]
        given += [(name + path, x) for (path, _), x in zip(leaves, made, strict=True)]
        bound.arguments[name] = build(made)
    return given, bound.args, bound.kwargs


def leaf(x: Any) -> Tensor:
    return tensor(x.value if isinstance(x, Tensor) else x, requires_grad=True)


def failed(error: Exception) -> Failure:
    """The user's expression that raised, and the tensors it had handed over."""
    where: Origin | None = None
    given: list[Node] = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if not frame.f_code.co_filename.startswith(LIBRARY):
            where, given = Origin(frame.f_code, step.tb_lasti, step.tb_lineno), []
        elif where is not None and not given:
            given = [x.node for x in handed(frame.f_locals.values()) if x.node is not None]
        step = step.tb_next
    return Failure(where, error, given)


def handed(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among a function's arguments, also inside lists."""
    for x in values:
        if type(x) is Tensor:
            yield x
        elif type(x) in (tuple, list):
            yield from handed(x)


# ---- a tensor: what the tape saved, and what follows -----------------------------------------------------------


def found(output: Tensor, variables: list[tuple[str, Any]], caller: Origin) -> Trace:
    """The graph of a tensor, with every value that can be known exactly."""
    if output.node is None:
        raise GraphError(
            "this tensor has no graph: nothing it was computed from requires a gradient. Make a leaf with "
            "mg.tensor(..., requires_grad=True), and compute outside no_grad()."
        )
    if output.node[ROW] is FREED:
        raise GraphError(
            "the graph of this tensor was used and freed by backward(); ask before it, or pass retain_graph=True to it"
        )
    names, constants, held = known(variables)
    nodes = reached([output.node])
    made = {output.node[NUMBER]: innermost(output)}
    for values in ({**held, **made}, made):  # a leaf may have been moved since: then its old value is not known
        calls = {node[NUMBER]: saved(node, values) for node in nodes}
        agrees = [completed(node, calls[node[NUMBER]], values, variables) for node in nodes if node[ROW] is not LEAF]
        if all(agrees):
            break
    return Trace(nodes, calls, values, names, constants, output.node, caller, (caller.code,))


def saved(node: Node, values: dict[int, Any]) -> Call:
    """What the rules of one node kept of its operands, metadata and answer, by the names they asked for."""
    call = Call(node[ROW])
    for _, i, *kept in node[EDGES:]:
        for name, value in zip(node[ROW].needs[i], kept, strict=True):
            if name == "ans":
                values[node[NUMBER]] = innermost(value)
            elif name == "xs":
                call.operands |= {k: innermost(x) for k, x in enumerate(value)}
            elif name in OPERANDS:
                call.operands[OPERANDS.index(name)] = innermost(value)
            elif name != "i" and not name.endswith("_shape"):
                call.params[name] = value
    for parent, i, *_ in node[EDGES:]:
        if i in call.operands:
            values[parent[NUMBER]] = call.operands[i]
    return call


def completed(node: Node, call: Call, values: dict[int, Any], variables: list[tuple[str, Any]]) -> bool:
    """Fill in operands from the parents, then the answer from the operands or a constant from the answer.

    Returns whether what was known before agrees with what the operation gives.
    """
    tracked = {i: parent[NUMBER] for parent, i, *_ in node[EDGES:]}
    call.operands |= {i: values[n] for i, n in tracked.items() if n in values}
    answer = call.answer = values.get(node[NUMBER])
    missing = set(range(len(call.row.rules))) - set(call.operands) if isinstance(call.row.rules, tuple) else {0}
    if not missing and metadata(call.row) <= set(call.params):
        result = again(call, call.operands)
        if answer is not None:
            return result is None or alike(result, answer)
        if result is not None:
            values[node[NUMBER]] = call.answer = result
    elif answer is not None and len(missing) == 1 and not missing & set(tracked):
        (k,) = missing
        candidates = [innermost(x) for _, x in variables if isinstance(x, Tensor | np.ndarray)]
        for x in [*candidates, *solved(call, k, answer)]:
            if np.array_equal(again(call, {**call.operands, k: x}), answer):
                call.operands[k] = x
                break
    return True


def alike(a: Any, b: Any) -> bool:
    """Equal to half of the digits that the numbers have."""
    digits = np.finfo(np.result_type(b, 0.0)).eps ** 0.5
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=float(digits), atol=0, equal_nan=True)


def metadata(row: Primitive) -> set[str]:
    """The metadata that a call must know before it can be repeated: all but what became part of the operand."""
    if row.bind is positional:
        return set()
    return set(list(inspect.signature(row.bind).parameters)[len(row.rules) :]) - {"dtype", "where", "initial", "pick"}


def again(call: Call, operands: dict[int, Any]) -> Any:
    """The operation once more on plain operands; None where they do not fit."""
    try:
        with np.errstate(all="ignore"):
            return call.row.forward(*[operands[k] for k in sorted(operands)], **call.params)
    except (TypeError, ValueError):
        return None


def solved(call: Call, k: int, answer: Any) -> Iterator[Any]:
    """Numbers that an unknown operand of a sum may be: the tape keeps none, as the derivative does not need it."""
    if call.row.function in (np.add, np.subtract):
        other = np.asarray(call.operands[1 - k])
        x = answer - other if call.row.function is np.add else other - answer if k else answer + other
        if x.size:
            yield float(f"{np.real(x.flat[0]):.12g}")


# ---- shared --------------------------------------------------------------------------------------------------


def named(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """Variables that can be seen from a frame, the nearest first, and behind them what lies in containers."""
    every = [pair for scope in (frame.f_locals, frame.f_globals) for pair in list(scope.items())]
    variables = [(name, x) for name, x in every if name.isidentifier() and not name.startswith("_")]
    yield from variables
    waiting, seen, left = deque(variables), set[int](), MANY * MANY
    while waiting and left > 0:
        name, value = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        for part in parts(name, value):
            yield part
            waiting.append(part)
            left -= 1


def parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """What a container or an object holds, with the names it is reached by."""
    if hasattr(type(value), "__tree__"):
        return [(name + path, x) for path, x in flatten(value)[0]]
    if type(value) in (list, tuple) and len(value) <= MANY:
        return [(f"{name}[{k}]", x) for k, x in enumerate(value)]
    if type(value) is dict and len(value) <= MANY:
        return [(f"{name}[{key!r}]", x) for key, x in value.items()]
    if hasattr(value, "__dict__") and not isinstance(value, ModuleType | FunctionType | type):
        return [(f"{name}.{key}", x) for key, x in vars(value).items() if not key.startswith("_")]
    return []


def known(variables: Iterable[tuple[str, Any]]) -> tuple[dict[int, str], dict[int, str], dict[int, Any]]:
    """Names by node, names of plain arrays by identity, and values by node."""
    names: dict[int, str] = {}
    constants: dict[int, str] = {}
    values: dict[int, Any] = {}
    for name, x in variables:
        if type(x) is Tensor and x.node is not None:
            names.setdefault(x.node[NUMBER], name)
            values.setdefault(x.node[NUMBER], innermost(x))
        elif isinstance(x, Tensor | np.ndarray):
            constants.setdefault(id(innermost(x)), name)
    return names, constants, values
