"""Hypotheses: the mistakes people make, each as a prediction of the numbers it would give.

A hypothesis says: what is observed (the claimed gradient, unless it says otherwise) is c times ``direction``, with one
constant c at every sample. It is accepted only if that holds entry by entry, and only if c itself makes sense
(``explain``). The families below make hypotheses for one wrong input from the recorded graph: the whole gradient scaled
or rearranged, another quantity altogether, one edge of the graph with a wrong rule, a value of the computation as a
factor. They stand in ``STAGES``, simplest first. What is decided from them is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from microgd.check.evidence import Case, Graph, Sample

Array = Any
Explain = Callable[[Any], tuple[str, str] | None]


class Hypothesis(NamedTuple):
    """observed = c * direction; ``explain(c)`` is (cause, sentence), or None if such a c says nothing."""

    explain: Explain
    direction: Callable[[Sample], Array]
    observed: Callable[[Sample], Array] = lambda s: s.claimed


Family = Callable[[Case], Iterator[Hypothesis]]


# ---- constants ---------------------------------------------------------------------------------------------


def near(a: Any, b: Any) -> bool:
    return bool(abs(a - b) <= 1e-6 * abs(b))


def near_array(a: Array | None, b: Array) -> bool:
    return a is not None and np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-6, atol=0)


def exactly(cause: str, says: str) -> Explain:
    """Only c = 1 explains."""
    return lambda c: (cause, says) if near(c, 1) else None


def roughly(case: Case, cause: str, says: str) -> Explain:
    """c = 1, or a simple constant besides; not any constant, or chance would find an explanation for everything."""

    def explain(c: Any) -> tuple[str, str] | None:
        if near(c, 1):
            return cause, says
        name = constant(case, c, simple=True)
        return (cause, f"{says} Besides, there is a constant factor: {name}.") if name else None

    return explain


NUMBERS = {math.pi: "π", math.e: "e", math.log(2): "ln 2", math.log(10): "ln 10", 180 / math.pi: "180/π"}


def constants(lengths: dict[int, str]) -> list[tuple[float, str]]:
    """The constants that derivatives go wrong by most: small numbers, and the lengths of axes."""
    told = {n: f"{name} (with {name} = {n})" for n, name in lengths.items()}
    found = [(1.0, "1"), (1 / math.e, "1/e")]  # 1/e: x exp(x - 1) for exp(x)
    for n in (2, 3, 4):
        found += [(n, f"{n} or {told[n]}" if n in told else str(n))]
        found += [(1 / n, f"1/{n} or 1/{told[n]}" if n in told else f"1/{n}")]
    for n, name in told.items():
        found += [
            (n, name),
            (1 / n, f"1/{name}"),
            (2 * n, f"2{name}"),
            (1 / (2 * n), f"1/2{name}"),
            (2 / n, f"2/{name}"),
        ]
    return found


def rare_constants(lengths: dict[int, str]) -> list[tuple[float, str]]:
    """Constants that explain a factor, and little else."""
    told = {n: f"{name} (with {name} = {n})" for n, name in lengths.items()}
    found = [(n / 2, f"half of {name}") for n, name in told.items()]
    found += [(n**2, f"the square of {name}") for n, name in told.items()]
    found += [(1 / n**2, f"1 over the square of {name}") for n, name in told.items()]
    found += [(a / b, f"{x}/{y}") for a, x in told.items() for b, y in told.items()]
    found += [(a / b, f"{a}/{b}" if b > 1 else str(a)) for a in range(1, 13) for b in range(1, 13)]
    found += [(v**k, text + "²" * (k == 2)) for v, text in NUMBERS.items() for k in (1, 2)]
    return found + [(1 / v, f"1/({text})") for v, text in NUMBERS.items()]


def constant(case: Case, c: Any, simple: bool = False) -> str | None:
    """A constant in words: 2, 1/2, m, 1/m, 1/2m..., or None if it is no such thing."""
    if abs(np.imag(c)) > 1e-6 * abs(c):
        return None
    sign, size = ("-" if np.real(c) < 0 else ""), abs(c)
    known = constants(case.lengths) + ([] if simple else rare_constants(case.lengths))
    return next((sign + text for value, text in known if near(size, value)), None)


def scaled(case: Case, what: str) -> Explain:
    """What it means that ``what`` is c times what it should be."""

    def explain(c: Any) -> tuple[str, str] | None:
        name = constant(case, c)
        if near(c, 1) or name is None:
            return None
        if near(c, -1):
            return "sign", f"{what} has the wrong sign."
        if np.real(c) > 0 and (summed := summed_over(case, c)):
            return "mean for sum", f"{what} is averaged where {summed} is a sum: it is {name} times what it should be."
        return "factor", f"{what} is {name} times what it should be."

    return explain


def summed_over(case: Case, c: Any) -> str | None:
    """The sum in the graph that has 1/c terms, unless something divides by that number already."""
    found = None
    for k in sorted(case.kin):
        if call := case.graph.calls[k]:
            terms = np.size(call.operands[0]) / max(np.size(call.answer), 1)
            if call.row.function is np.mean and near(terms * c, 1):
                return None
            numbers = [x for x in call.operands.values() if np.ndim(x) == 0 and not isinstance(x, bool)]
            if any(near(x * c, 1) or near(x, c) for x in numbers):
                return None
            if call.row.function is np.sum and near(terms * c, 1):
                found = case.called(k)
    for e in case.edges:
        edge, g = case.first.edge(e)
        wide, narrow = np.size(g), math.prod(case.graph.shape_of(edge.parent))
        if case.graph.row(edge.child).form == "elementwise" and wide > narrow and near(wide / narrow * c, 1):
            found = found or f"{case.called(edge.parent)} is broadcast, so its gradient"
    return found


# ---- the whole gradient ------------------------------------------------------------------------------------


def factor(case: Case) -> Iterator[Hypothesis]:
    """A constant; one that is the value of an input, and not a common number, is that input."""
    for value, name in zip(case.first.inputs, case.names, strict=True):
        if isinstance(value, float) and value and not constant(case, value, simple=True):
            says = f"A factor is missing: `{name}`."
            yield Hypothesis(exactly("missing factor", says), lambda s: s.true, lambda s, v=value: s.claimed * v)
            says = f"There is a factor too many: `{name}`."
            yield Hypothesis(exactly("extra factor", says), lambda s, v=value: s.true * v)
    yield Hypothesis(scaled(case, "The gradient"), lambda s: s.true)
    if case.proportional:  # by chance: without its last x, mean(2 (w x - y) x) is that too where y = 2 x
        yield from local_left_out(case, least=2)


def local_left_out(case: Case, least: int = 1) -> Iterator[Hypothesis]:
    """The local derivative of one step, where it takes at least so many values."""
    for e in case.edges:
        edge = case.graph.edges[e]
        if case.graph.row(edge.child).form != "elementwise":
            continue
        found = local_values(case, e)
        if len(found) >= least and not is_constant(case, found):
            at = f"the derivative of {case.called(edge.child)} with respect to {case.called(edge.parent)}"
            without = lambda s, e=e: s.replaced(e, s.edge(e)[1])
            yield Hypothesis(exactly("missing factor", f"The local derivative was left out: {at}."), without)


def rearranged(case: Case) -> Iterator[Hypothesis]:
    """The right numbers in the wrong places."""
    true = case.first.true
    if np.ndim(true) >= 2:
        yield Hypothesis(roughly(case, "transposed", "It is the transpose of the true gradient."), lambda s: s.true.mT)
    if np.ndim(true) == 2 and true.shape[0] == true.shape[1]:
        says = "It is only the diagonal of the true gradient."
        yield Hypothesis(roughly(case, "diagonal only", says), lambda s: s.true * np.eye(len(s.true)))
    if len(np.unique(true)) > 1:
        says = "The numbers of the true gradient in another order: entries hold what belongs to other entries."
        yield Hypothesis(exactly("permuted", says), lambda s: in_order(s.true), lambda s: in_order(s.claimed))


def in_order(x: Array) -> Array:
    return np.sort(x, axis=None).reshape(np.shape(x))


def not_summed(case: Case) -> Iterator[Hypothesis]:
    """A gradient of the broadcast shape, which would be right after a sum."""
    shape, wanted = np.shape(case.first.claimed), np.shape(case.first.true)
    for count in range(1, len(shape) + 1):
        for axes in combinations(range(len(shape)), count):
            left = math.prod(n for k, n in enumerate(shape) if k not in axes)
            if shape != wanted and left == math.prod(wanted) < math.prod(shape):
                over = ", ".join(map(str, axes))
                for reduced, done in ((np.sum, "summed"), (np.mean, "averaged")):
                    says = f"The input is used along a broadcast axis: the claim is to be {done} over axis {over}."
                    observed = lambda s, axes=axes, reduced=reduced: reduced(s.claimed, axes).reshape(wanted)
                    yield Hypothesis(roughly(case, "missing sum", says), lambda s: s.true, observed)


def another_variable(case: Case) -> Iterator[Hypothesis]:
    """The derivative with respect to another input, or of something that is only on the way to the loss."""
    mine = case.names[case.first.leaf]
    for k in others(case):
        says = f"It is the derivative with respect to `{case.names[k]}`, not `{mine}`"
        both = near_array(case.first.others.get(k), case.first.true)
        cause, says = (
            ("swapped arguments", f"{says}; and the other way round.") if both else ("wrong variable", f"{says}.")
        )
        yield Hypothesis(exactly(cause, says), lambda s, k=k: s.gradient(s.cotangents, k))
    for k in case.nodes:
        cause = "wrong variable" if is_prediction(case.graph, k) else "missing factor"
        says = f"It is the derivative of {case.called(k)}: the derivative of what is made of that is left out."
        yield Hypothesis(roughly(case, cause, says), lambda s, k=k: s.gradient(s.graph.pull({k: s.ones(k)})))


def others(case: Case) -> list[int]:
    """The other inputs that can be differentiated, by number."""
    return [k for k, node in enumerate(case.graph.leaves) if node is not None and k != case.first.leaf]


def at_other_inputs(case: Case) -> Iterator[Hypothesis]:
    """The right formula with two inputs exchanged, or with one transposed or reversed."""
    mine, shape = case.first.leaf, np.shape(case.first.inputs[case.first.leaf])

    def changed(key: str, leaf: int, change: dict[int, Callable[[Sample], Array]]) -> Callable[[Sample], Array]:
        return lambda s: s.elsewhere(key, [change[k](s) if k in change else x for k, x in enumerate(s.inputs)], leaf)

    for k in others(case):
        name = f"`{case.names[k]}`"
        if np.shape(case.first.inputs[k]) == shape:
            says = f"It would be right with `{case.names[mine]}` and {name} exchanged."
            exchange = {mine: lambda s, k=k: s.inputs[k], k: lambda s: s.inputs[mine]}
            for leaf in (k, mine):
                yield Hypothesis(exactly("swapped arguments", says), changed(f"exchange {k}", leaf, exchange))
        for axis in range(np.ndim(case.first.inputs[k])):
            says = f"It would be right if {name} were reversed along axis {axis}."
            flip = {k: lambda s, k=k, axis=axis: np.flip(s.inputs[k], axis)}
            yield Hypothesis(exactly("permuted", says), changed(f"flip {k} {axis}", mine, flip))
        if np.ndim(case.first.inputs[k]) == 2:
            turn = {k: lambda s, k=k: s.inputs[k].T}
            yield Hypothesis(
                exactly("transposed", f"It would be right if {name} were transposed."), changed(f"turn {k}", mine, turn)
            )
    for k, g in case.first.seeds.items():
        for axis in range(np.ndim(g)):
            flipped = lambda s, k=k, axis=axis: s.gradient(s.graph.pull({**s.seeds, k: np.flip(s.seeds[k], axis)}))
            yield Hypothesis(exactly("permuted", f"The upstream gradient is reversed along axis {axis}."), flipped)
            both = lambda s, flipped=flipped: np.flip(flipped(s))
            says = f"The upstream gradient is reversed along axis {axis}, and so is the result."
            yield Hypothesis(exactly("permuted", says), both)


def a_value(case: Case) -> Iterator[Hypothesis]:
    """Not a derivative at all."""
    for value, told in case.values:
        says = f"It is the value of {told}, and not a derivative."
        yield Hypothesis(exactly("wrong variable", says), lambda s, value=value: np.asarray(value(s)))


def is_prediction(graph: Graph, node: int) -> bool:
    """Whether what follows a node looks like a loss: a difference from data, or a logarithm."""
    later = graph.above(node)
    for k in later - {node}:
        inside = [edge.operand for edge in graph.edges_of[k] if edge.parent in later]
        data = [x for i, x in graph.calls[k].operands.items() if i not in inside]  # type: ignore[union-attr]
        if graph.row(k).function is np.log or (
            graph.row(k).function is np.subtract and any(isinstance(x, np.ndarray | np.floating) for x in data)
        ):
            return True
    return False


# ---- one step of the chain rule ----------------------------------------------------------------------------


def one_step(case: Case) -> Iterator[Hypothesis]:
    """What flows through one node scaled or left out; one rule of the graph replaced by a wrong one."""
    for k in case.nodes:
        through = lambda s, k=k: s.gradient(s.graph.pull({k: s.cotangents[k]}))
        rest = lambda s, through=through: s.claimed - s.true + through(s)
        yield Hypothesis(scaled(case, f"What comes through {case.called(k)}"), through, rest)
        says = f"A path is left out: {case.called(k)} also depends on the input, and was treated as a constant."
        yield Hypothesis(exactly("missing factor", says), lambda s, through=through: s.true - through(s))
        says = f"Only what comes through {case.called(k)} is there; the input also acts in other ways."
        yield Hypothesis(roughly(case, "missing factor", says), through)
    yield from local_left_out(case)
    for e in case.edges:
        edge = case.graph.edges[e]
        row, name, operand = case.graph.row(edge.child), case.called(edge.child), case.called(edge.parent)
        at = f"the derivative of {name} with respect to {operand}"

        def wrong(cause: str, says: str, d: Callable[[Sample], Array], e: int = e) -> Hypothesis:
            return Hypothesis(exactly(cause, says), lambda s: s.replaced(e, d(s)))

        through = lambda s, e=e: s.through(e)
        rest = lambda s, e=e: s.claimed - s.true + s.through(e)
        yield Hypothesis(scaled(case, f"What comes through {name} to {operand}"), through, rest)
        says = f"A path is left out: {operand} also acts through {name}, which was treated as a constant."
        yield wrong("missing factor", says, lambda s, e=e: 0 * s.contribution(e))
        if row.form == "elementwise" and not is_constant(case, local_values(case, e)):
            yield wrong("extra factor", f"Twice in the product: {at}.", lambda s, e=e: s.contribution(e) * s.local(e))
            yield from at_wrong_values(case, e, wrong)
        for cause, d in array_mistakes(case, e):
            yield wrong(cause, f"{ARRAYS[cause]} in {at}.", d)


def local_values(case: Case, e: int) -> Array:
    """The numbers that a local derivative is made of."""
    return np.unique(np.concatenate([np.ravel(s.local(e)) for s in case.samples]))


def is_constant(case: Case, found: Array) -> bool:
    """Whether the values of a local derivative are one of the named constants, everywhere."""
    return len(found) == 1 and constant(case, found[0]) is not None


ARRAYS = {
    "transposed": "A factor is transposed, or should be,",
    "swapped arguments": "The product is taken in the wrong order",
    "permuted": "The rearrangement is not undone",
    "wrong axis": "Another axis is used",
    "missing sum": "A sum over a broadcast axis is missing",
    "missing factor": "The local derivative was left out",
}


def at_wrong_values(case: Case, e: int, wrong: Callable[..., Hypothesis]) -> Iterator[Hypothesis]:
    """The rule of an elementwise function at its answer, at exchanged operands, or that of its other operand."""
    edge = case.graph.edges[e]
    row, i, name = case.graph.row(edge.child), edge.operand, case.called(edge.child)

    def rule(s: Sample, at: int, *operands: Array) -> Array:
        call = s.graph.calls[edge.child]
        _, _, *saved = row.keeps[at](None, at, row.forward(*operands, **call.params), *operands, **call.params)
        return row.rules[at](s.edge(e)[1], *saved)

    def operands(s: Sample) -> Any:
        return list(s.graph.calls[edge.child].operands.values())

    def mixed(s: Sample) -> Array:
        needs, x, ans = row.needs[i], operands(s)[0], s.value(edge.child)
        exchange = {"x": ans, "ans": x}
        return s.graph.apply(edge, s.edge(e)[1], *[exchange.get(n, v) for n, v in zip(needs, edge.saved, strict=True)])

    if row.needs[i] and len(operands(case.first)) == 1:
        says = f"In the derivative of {name} its operand and its answer are exchanged."
        yield wrong("wrong variable", says, mixed)
        for v, told in [*case.values, *case.local_derivatives]:
            if np.shape(v(case.first)) == case.graph.shape_of(edge.child):
                says = f"The derivative of {name} is taken at {told}, not at its operand."
                yield wrong("wrong variable", says, lambda s, v=v: rule(s, i, v(s)))
    if len(operands(case.first)) == 2:
        other = f"The derivative of {name} is taken with respect to its other operand."
        yield wrong("wrong variable", other, lambda s: rule(s, 1 - i, *operands(s)))
        says = f"The operands of {name} are exchanged in its derivative."
        for at in (i, 1 - i):
            yield wrong("swapped arguments", says, lambda s, at=at: rule(s, at, *reversed(operands(s))))


def array_mistakes(case: Case, e: int) -> Iterator[tuple[str, Callable[[Sample], Array]]]:
    """Transposes, orders, axes, sums and factors gone wrong at one edge."""
    edge = case.graph.edges[e]
    row, call = case.graph.row(edge.child), case.graph.calls[edge.child]
    g, full, narrow = case.first.edge(e)[1], case.first.contribution(e), case.graph.shape_of(edge.parent)
    assert call is not None

    if row.form == "bilinear" and row.function is not np.multiply:
        for j, factor in enumerate(edge.saved):
            if isinstance(factor, np.ndarray) and factor.ndim >= 2:
                yield "transposed", lambda s, j=j: s.with_saved(e, j, s.graph.edges[e].saved[j].mT)
                yield "transposed", lambda s: s.contribution(e).mT
                yield "transposed", lambda s: s.graph.apply(edge, s.edge(e)[1].mT)
                if np.ndim(full) == 2:
                    w = lambda s, j=j: s.graph.edges[e].saved[j].mT
                    yield "swapped arguments", lambda s, w=w: w(s) @ s.edge(e)[1]
                    yield "swapped arguments", lambda s, w=w: s.edge(e)[1] @ w(s)
    if (row.form == "linear" and len(call.operands) == 1 and np.shape(g) == narrow) or np.size(g) == np.size(full):
        moved = np.array_equal(np.sort(g, axis=None), np.sort(full, axis=None))
        cause = (
            "permuted"
            if moved and not (row.function in (np.transpose, np.swapaxes) and len(narrow) == 2)
            else "transposed"
        )
        if len(call.operands) == 1 and row.form == "linear":
            yield cause, lambda s: np.asarray(row.forward(s.edge(e)[1], **call.params)).reshape(narrow)
            yield cause if moved else "missing factor", lambda s: s.edge(e)[1].reshape(narrow)
    if row.form == "general":
        for axis in range(len(narrow)):
            yield "missing factor", lambda s, axis=axis: np.broadcast_to(np.expand_dims(s.edge(e)[1], axis), narrow)
        yield "missing factor", lambda s: np.broadcast_to(s.edge(e)[1], narrow)
    if "axis" in row.needs[edge.operand]:
        for axis in range(-len(narrow), 0):
            yield "wrong axis", lambda s, axis=axis: s.with_saved(e, row.needs[edge.operand].index("axis"), axis)
    if np.size(full) > math.prod(narrow):
        axes = range(np.ndim(full))
        for k in axes:
            for index in (0, -1):
                yield "missing sum", lambda s, k=k, index=index: np.take(s.contribution(e), index, axis=k)
        for count in axes:
            for chosen in combinations(axes, count + 1):
                for keep in (False, True):
                    yield "wrong axis", lambda s, a=chosen, keep=keep: np.sum(s.contribution(e), axis=a, keepdims=keep)


# ---- factors and terms -------------------------------------------------------------------------------------

FORMULAS: list[tuple[str, Callable[[Array], Array]]] = [
    ("{}", lambda v: v),
    ("the square of {}", lambda v: v * v),
    ("the logarithm of {}", np.log),
    ("1 - v for v = {}", lambda v: 1 - v),
    ("v(1 - v) for v = {}", lambda v: v * (1 - v)),
    ("1 - v² for v = {}", lambda v: 1 - v * v),
]


MIXED_UP = [("one over {}", lambda v: 1 / v), ("the exponential of {}", np.exp)]


def factors(
    case: Case, shape: tuple[int, ...], formulas: list[tuple[str, Callable[[Array], Array]]] = FORMULAS
) -> Iterator[tuple[Callable[[Sample], Array], str]]:
    """Every number of the computation, and simple formulas of it, that can multiply an array of some shape."""
    candidates = [*case.values, *case.local_derivatives]
    for text, formula in formulas:
        for value, name in candidates:
            if fills(np.shape(value(case.first)), shape):
                yield lambda s, value=value, formula=formula: formula(value(s)), text.format(name)


def fills(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(small) <= len(shape) and all(n in (1, m) for n, m in zip(small[::-1], shape[::-1], strict=False))


def whole_factor(case: Case) -> Iterator[Hypothesis]:
    """claimed * v = true, or claimed = true * v."""
    for v, name in factors(case, np.shape(case.first.true)):
        missing, extra = f"A factor is missing: {name}.", f"There is a factor too many: {name}."
        yield Hypothesis(roughly(case, "missing factor", missing), lambda s: s.true, lambda s, v=v: s.claimed * v(s))
        yield Hypothesis(roughly(case, "extra factor", extra), lambda s, v=v: s.true * v(s))


def inner_derivative(case: Case) -> Iterator[Hypothesis]:
    """The chain rule broken off: the derivative of an intermediate by the input is left out."""
    for k in case.nodes:
        says = f"The inner derivative is missing: that of {case.called(k)}."
        inner = lambda s, k=k: s.gradient(s.graph.pull({k: s.ones(k)}))
        yield Hypothesis(exactly("missing factor", says), lambda s: s.true, lambda s, v=inner: s.claimed * v(s))


def diagonal_only(case: Case) -> Iterator[Hypothesis]:
    """Of a full Jacobian between two values of one shape, only the diagonal is used."""
    small = len(case.graph.nodes) <= 60  # a Jacobian takes one sweep for every entry
    nodes = [k for k in sorted(case.kin) if small and 1 < math.prod(case.graph.shape_of(k)) <= 64]
    for k in nodes:
        everything = case.graph.pull({k: case.first.ones(k)})
        for below, d in case.first.diagonal(k).items():
            if below in case.kin and not np.allclose(everything[below], d):  # or it is diagonal
                says = f"Only the diagonal of the Jacobian of {case.called(k)} by {case.called(below)} is used."

                def direction(s: Sample, k: int = k, below: int = below) -> Array:
                    return s.gradient(s.graph.pull({below: s.cotangents[k] * s.diagonal(k)[below]}))

                yield Hypothesis(roughly(case, "diagonal only", says), direction)


def wrong_value(case: Case) -> Iterator[Hypothesis]:
    """In a product, another value of the computation where one of the factors belongs."""
    for e in case.edges:
        edge = case.graph.edges[e]
        row = case.graph.row(edge.child)
        for j, factor in enumerate(edge.saved if row.form == "bilinear" or row.function is np.multiply else ()):
            for v, name in case.values if isinstance(factor, np.ndarray) else ():
                if np.shape(v(case.first)) == factor.shape:
                    says = (
                        f"In the derivative of {case.called(edge.child)} there is {name} where another value belongs."
                    )
                    wrong = lambda s, e=e, j=j, v=v: s.replaced(e, s.with_saved(e, j, v(s)))
                    yield Hypothesis(exactly("wrong variable", says), wrong)


def statistics_fixed(case: Case) -> Iterator[Hypothesis]:
    """All sums and means of the computation treated as constants."""
    blocked = {k for k in case.nodes if case.graph.row(k).function in (np.sum, np.mean, np.var, np.std)}
    if blocked:
        names = " and ".join(case.called(k) for k in sorted(blocked))
        says = f"{names} depend on the input too, and were treated as constants."
        yield Hypothesis(
            roughly(case, "missing factor", says), lambda s: s.gradient(s.graph.pull(s.seeds, frozenset(blocked)))
        )


def factor_inside(case: Case) -> Iterator[Hypothesis]:
    """A number of the computation as a factor inside one step."""
    for e in case.edges:
        full = case.first.contribution(e)
        if np.ndim(full) == 0:
            continue
        at = f"in the step back from {case.called(case.graph.edges[e].child)}"
        for v, name in factors(case, np.shape(full)):
            says = f"A factor is missing {at}: {name}."
            without = lambda s, e=e, v=v: s.replaced(e, s.contribution(e) / v(s))
            yield Hypothesis(exactly("missing factor", says), without)
            says = f"There is a factor too many {at}: {name}."
            twice = lambda s, e=e, v=v: s.replaced(e, s.contribution(e) * v(s))
            yield Hypothesis(exactly("extra factor", says), twice)


def missing_term(case: Case) -> Iterator[Hypothesis]:
    """A number of the computation left out as a term of the gradient, or of what flows back to one node."""
    for k in (case.mine, *case.nodes):
        for v, name in case.values:
            if fills(np.shape(v(case.first)), case.graph.shape_of(k)):
                says = f"A term is left out in what flows back to {case.called(k)}: {name}."
                flows = lambda s, k=k, v=v: s.gradient(s.graph.pull({k: v(s) + 0 * s.cotangents[k]}))
                yield Hypothesis(roughly(case, "missing factor", says), flows, lambda s: s.true - s.claimed)


def other_local(case: Case) -> Iterator[Hypothesis]:
    """Between two values of one shape, a simple formula stands where the derivative belongs."""
    nodes = sorted(case.kin)
    for k in nodes:
        shape = case.graph.shape_of(k)
        for below in nodes:
            if below < k and case.graph.shape_of(below) == shape:
                for v, name in factors(case, shape, FORMULAS + MIXED_UP):
                    says = f"Where the derivative of {case.called(k)} belongs, there is {name}."
                    flows = lambda s, k=k, b=below, v=v: s.gradient(s.graph.pull({b: s.cotangents[k] * v(s)}))
                    yield Hypothesis(exactly("wrong variable", says), flows)


def some_constant(case: Case) -> Iterator[Hypothesis]:
    """A constant ratio without a name, or a constant difference."""
    says = "The gradient is {:.6g} times what it should be, in every entry at every point; the constant is none I know."
    yield Hypothesis(lambda c: ("factor", says.format(c)), lambda s: s.true)

    def off(c: Any) -> tuple[str, str] | None:
        if np.imag(c):
            return None
        cause, way = ("extra factor", "large") if np.real(c) > 0 else ("missing factor", "small")
        return cause, f"It is {abs(c):.6g} too {way} everywhere: a constant term was added or left out."

    yield Hypothesis(off, lambda s: np.ones_like(s.true), lambda s: s.claimed - s.true)


STAGES: list[tuple[float, Family]] = [
    (0.99, factor),
    (0.97, not_summed),
    (0.97, rearranged),
    (0.95, inner_derivative),
    (0.9, another_variable),
    (0.95, one_step),
    (0.9, at_other_inputs),
    (0.9, a_value),
    (0.95, diagonal_only),
    (0.9, statistics_fixed),
    (0.9, whole_factor),
    (0.9, wrong_value),
    (0.9, factor_inside),
    (0.9, missing_term),
    (0.8, other_local),
    (0.8, some_constant),
]
"""How sure a finding of each family is, and the families in order."""
