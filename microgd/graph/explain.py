"""Explanation: backpropagation told step by step, with the numbers of this very computation.

A step is one operation on the way back: what arrives from above (the upstream), the local derivative as a formula in
the user's names and as a number, their product, and the gradient of each operand as far as it has come. Numbers are
the engine's own: a sweep over the user's graph with a watcher. Long loops are folded, arrays summarised; ``.steps``
holds everything in full.
"""

from __future__ import annotations

import ast
import html
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from microgd.core.tensor import Tensor
from microgd.errors import OptionError
from microgd.graph.formulas import Derivative, constant, derivative, expression, literal
from microgd.graph.latex import factor, latex, plain
from microgd.graph.summary import clipped, shaped, summary, wrapped
from microgd.graph.trace import trace
from microgd.graph.view import UNKNOWN, Flow, Vertex, View, view, walk

SHOWN = 40  # steps, beyond which the middle of a long explanation is left out


class Part(NamedTuple):
    """What one operand receives in one step."""

    to: str
    derivative: Derivative
    local: Any
    contribution: Any
    total: Any
    which: int
    of: int


@dataclass(frozen=True)
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


class Fold(NamedTuple):
    """Steps that are left out: how many, of which operations, and the vertices of the first and the last one."""

    steps: int
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
        return f"... {self.steps} more steps of the same kind ({named})"


@dataclass(frozen=True)
class Explanation:
    """What ``mg.explain`` gives: ``str()`` for a terminal, HTML for a notebook, LaTeX for a page.

    Attributes:
        output: the name of what is differentiated.
        steps: every operation in the order of the way back.
        gradients: by the name of each input, d(output)/d(input).
        graph: the vertices and arrows behind it.
    """

    output: str
    steps: tuple[Step, ...]
    gradients: dict[str, Any]
    graph: View

    def __str__(self) -> str:
        return "\n".join(text_lines(self))

    __repr__ = __str__

    def to_html(self) -> str:
        """A fragment of HTML that stands on its own: styles inside, no script."""
        return "".join(html_parts(self))

    _repr_html_ = to_html

    def to_latex(self) -> str:
        """Equations in ``align*`` (package amsmath): the operation, and each product of the chain rule."""
        return "\n".join(latex_lines(self))


def explain(output: Any, *inputs: Any, gradient: Any = None) -> Explanation:
    """Backpropagation of one computation, narrated: d(output)/d(parent) += d(output)/d(node) * d(node)/d(parent).

    Args:
        output: a tensor, before ``backward()`` frees its graph; or a function, which is run on ``inputs``. Run that
            way, or inside ``mg.record_lines()``, every step also tells its line and the expression as it was written.
        inputs: what the function is given. Where none requires a gradient, all floating-point ones are differentiated.
        gradient: the cotangent of an output that is no scalar. Ones by default: the derivative of its sum.

    Raises:
        GraphError: no graph, or one that was used and freed. ShapeError: ``gradient`` of another shape.
        OptionError: ``inputs`` beside a tensor.

    >>> import microgd as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> print(mg.explain(x * x + 2.0))
    output = 11, explained backwards in 2 steps
    <BLANKLINE>
    Forward
      x = 3
      v1 = x * x = 9
      output = v1 + 2 = 11
    <BLANKLINE>
    Backward, from d output/d output = 1
    <BLANKLINE>
    1. output = v1 + 2
       x * x + 2
       upstream  d output/d output = 1
       to v1     d output/d v1 = 1
                 1 * 1 = 1
    <BLANKLINE>
    2. v1 = x * x
       upstream  d output/d v1 = 1
       to x      d v1/d x = x = 3
                 1 * 3 = 3  (1 of 2)
       to x      d v1/d x = x = 3
                 1 * 3 = 3  (2 of 2), sum 6
    <BLANKLINE>
    Gradient
      d output/d x = 6
    """
    refuse_inputs("explain", output, inputs)
    found = trace(output, inputs, sys._getframe(1))
    if found.failure:
        raise found.failure.error
    graph = view(found)
    flows = walk(graph, gradient)
    gradients = {v.name: v.gradient for v in graph.vertices if v.kind == "input" and v.gradient is not None}
    return Explanation(graph.top.name, tuple(steps(graph, flows)), gradients, graph)


def refuse_inputs(name: str, output: Any, inputs: tuple[Any, ...]) -> None:
    if isinstance(output, Tensor) and inputs:
        raise OptionError(f"{name}: got a tensor and {len(inputs)} more; give one tensor, or a function and its inputs")


def steps(graph: View, flows: Sequence[Flow]) -> Iterator[Step]:
    """Contributions gathered by the operation they come through."""
    count: dict[int, int] = {}
    for flow in flows:
        count[flow.source] = count.get(flow.source, 0) + 1
    totals: dict[int, list[Any]] = {}
    k = 0
    while k < len(flows):
        target, parts = flows[k].target, []
        upstream = flows[k].upstream
        while k < len(flows) and flows[k].target == target:
            flow = flows[k]
            sums = totals.setdefault(flow.source, [])
            sums.append(sums[-1] + flow.contribution if sums else flow.contribution)
            parts.append(part(graph, flow, sums, count[flow.source]))
            k += 1
        yield Step(graph.vertices[target], upstream, tuple(parts))


def part(graph: View, flow: Flow, sums: list[Any], of: int) -> Part:
    target, source = graph.vertices[flow.target], graph.vertices[flow.source]
    row = target.row
    assert row is not None
    group = int(np.prod(source.shape)) // max(int(np.prod(target.shape)), 1)
    names = {**target.names, "n": literal(group), "g": ast.Name("upstream")}
    local = flow.local
    if row.name in ("sum", "mean"):
        local = np.float64(1 if row.name == "sum" else 1 / group)
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
            left_out = every[k + 2 * period : k + length - period]
            names = tuple(dict.fromkeys(step.vertex.row.name for step in left_out if step.vertex.row))
            fold = Fold(len(left_out), names, left_out[0].vertex.name, left_out[-1].vertex.name)
            shown += [*every[k : k + 2 * period], fold, *every[k + length - period : k + length]]
            k += length
        else:
            shown.append(every[k])
            k += 1
    if len(shown) > SHOWN:
        middle = shown[SHOWN // 2 : -SHOWN // 2]
        out = [step for step in middle if isinstance(step, Step)]
        names = tuple(dict.fromkeys(step.vertex.row.name for step in out if step.vertex.row))
        count = len(out) + sum(fold.steps for fold in middle if isinstance(fold, Fold))
        fold = Fold(count, names, out[0].vertex.name, out[-1].vertex.name)
        shown = [*shown[: SHOWN // 2], fold, *shown[-SHOWN // 2 :]]
    return shown


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


# ---- text ----------------------------------------------------------------------------------------------------


def headline(e: Explanation) -> str:
    count = f"{len(e.steps)} step{'s' * (len(e.steps) != 1)}"
    return f"{e.output}{equals(e.graph.top.value)}, explained backwards in {count}"


def footnote(e: Explanation) -> str:
    """What a reader needs to be told of constants without a value."""
    calls = [vertex.call for vertex in e.graph.vertices if vertex.call is not None]
    unknown = any(isinstance(part, ast.Name) and part.id == UNKNOWN for call in calls for part in ast.walk(call))
    return (
        f"{UNKNOWN} is a constant that was not kept, as no derivative needs it; explain(f, *inputs) sees everything"
        if unknown
        else ""
    )


def by(e: Explanation, name: str, of: str | None = None) -> str:
    return f"d {of or e.output}/d {name}"


def forward_lines(e: Explanation, shown: list[Step | Fold]) -> Iterator[tuple[str, str]]:
    """Inputs, constants and operations as they were computed, with (formula = value, written as ... on line)."""
    for vertex in e.graph.vertices:
        if vertex.kind != "operation":
            yield f"{vertex.name}{equals(vertex.value)}", "" if vertex.kind == "input" else "constant"
    for step in reversed(shown):
        if isinstance(step, Fold):
            yield f"{step.what}, from {step.last} to {step.first}", ""
        else:
            yield f"{step.vertex.formula}{equals(step.vertex.value)}", step.vertex.place


def equals(value: Any) -> str:
    return "" if value is None else f" = {shaped(value)}"


def reason(p: Part, step: Step) -> tuple[str, str]:
    """Why an operand receives what it does: (the local derivative, the product)."""
    d = p.derivative
    if d.local is None:
        return (d.words, f"= {shaped(p.contribution)}") if d.pulled is None else ("", pulled(p))
    formula, number = ast.unparse(d.local), summary(p.local)
    same = formula == number or constant(d.local) is not None
    local = f"{by_local(p, step)} = {formula}" + ("" if same else f" = {number}")
    if np.size(p.contribution) == 1 and np.size(step.upstream) == 1:
        factor = f"({number})" if number.startswith("-") else number
        return local, f"{summary(step.upstream)} * {factor} = {summary(p.contribution)}"
    stretched = np.shape(p.contribution) != np.shape(step.upstream) and np.shape(p.local) != ()
    how = ", summed over the axes that were stretched" if stretched else ""
    return local, f"upstream * local{how} = {shaped(p.contribution)}"


def pulled(p: Part) -> str:
    assert p.derivative.pulled is not None
    return f"{ast.unparse(p.derivative.pulled)} = {shaped(p.contribution)}"


def by_local(p: Part, step: Step) -> str:
    return f"d {step.vertex.name}/d {p.to}"


def running(p: Part) -> str:
    """Where several contributions meet: which one this is, and the sum so far."""
    if p.of == 1:
        return ""
    total = f", sum {'so far ' if p.which < p.of else ''}{shaped(p.total)}" if p.which > 1 else ""
    return f"  ({p.which} of {p.of}){total}"


def text_lines(e: Explanation) -> Iterator[str]:
    shown = folded(e.steps)
    yield headline(e)
    yield "\nForward"
    for left, right in forward_lines(e, shown):
        yield from wrapped(f"  {left}" + (f"   ({right})" if right else ""), "    ")
    yield f"\nBackward, from {by(e, e.output)} = {shaped(e.graph.top.gradient)}"
    number = 0
    for step in shown:
        yield ""
        if isinstance(step, Fold):
            number += step.steps
            yield from wrapped(str(step), "   ")
        else:
            number += 1
            yield from text_step(e, step, number)
    yield "\nGradient"
    for name, gradient in e.gradients.items():
        yield f"  {by(e, name)} = {shaped(gradient)}"
    if note := footnote(e):
        yield f"\n{note}"


def written(vertex: Vertex) -> str:
    """The expression behind a step, where it says more than the step, and its line."""
    assert vertex.call is not None
    more = vertex.text != ast.unparse(vertex.call)
    return "   ".join(
        filter(None, [clipped(vertex.text, 70) if more else "", f"({vertex.place})" * bool(vertex.place)])
    )


def text_step(e: Explanation, step: Step, number: int) -> Iterator[str]:
    yield f"{number}. {step.vertex.formula}"
    inset = " " * (len(str(number)) + 2)
    if origin := written(step.vertex):
        yield inset + origin
    rows = [("upstream", f"{by(e, step.vertex.name)} = {shaped(step.upstream)}")]
    for p in step.parts:
        local, product = reason(p, step)
        lines = [line for line in (local, product + running(p)) if line]
        rows += [(f"to {p.to}" if k == 0 else "", line) for k, line in enumerate(lines)]
    width = max(len(label) for label, _ in rows)
    for label, line in rows:
        yield from wrapped(f"{inset}{label:{width}}  {line}", inset + " " * (width + 4))


# ---- HTML ----------------------------------------------------------------------------------------------------

STYLE = """<style>
.mg-explain{font:14px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:60em;padding:.5em}
.mg-explain code{font:13px/1.45 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.mg-explain .step{border-left:4px solid #0072b2;padding:.1em .8em;margin:.9em 0}
.mg-explain .head{font-weight:600}
.mg-explain .dim{color:#5c5c5c;font-size:12.5px;overflow-wrap:anywhere}
.mg-explain dl{display:grid;grid-template-columns:minmax(4.5em,max-content) 1fr;gap:.15em .9em;margin:.3em 0}
.mg-explain dt{font-size:13px;color:#5c5c5c;max-width:9em;overflow-wrap:anywhere}.mg-explain dd{margin:0;min-width:0}
.mg-explain .result{border-left-color:#d55e00}
.mg-explain .fold{color:#5c5c5c;margin:.9em 0 .9em 1em}
</style>"""


def code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def definitions(rows: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{html.escape(term)}</dt><dd>{body}</dd>" for term, body in rows) + "</dl>"


def html_parts(e: Explanation) -> Iterator[str]:
    shown = folded(e.steps)
    yield f'{STYLE}<div class="mg-explain"><p class="head">{html.escape(headline(e))}</p>'
    yield "<details><summary>Forward</summary>"
    for left, right in forward_lines(e, shown):
        yield f'<div>{code(left)} <span class="dim">{html.escape(right)}</span></div>'
    yield "</details>"
    number = 0
    for step in shown:
        if isinstance(step, Fold):
            number += step.steps
            yield f'<p class="fold">{html.escape(str(step))}</p>'
        else:
            number += 1
            yield html_step(e, step, number)
    rows = [(by(e, name), code(shaped(gradient))) for name, gradient in e.gradients.items()]
    yield f'<div class="step result"><div class="head">Gradient</div>{definitions(rows)}</div>'
    yield f'<p class="dim">{html.escape(footnote(e))}</p></div>'


def html_step(e: Explanation, step: Step, number: int) -> str:
    origin = f'<div class="dim">{html.escape(written(step.vertex))}</div>'
    rows = [("upstream", code(f"{by(e, step.vertex.name)} = {shaped(step.upstream)}"))]
    for p in step.parts:
        local, product = reason(p, step)
        why = f"{html.escape(local) if p.derivative.words else code(local)}<br>" if local else ""
        meeting = f'<span class="dim">{html.escape(running(p))}</span>'
        rows.append((f"to {p.to}", f"{why}{code(product)}{meeting}"))
    head = f'<div class="head">{number}. {code(step.vertex.formula)}</div>'
    return f'<div class="step">{head}{origin}{definitions(rows)}</div>'


# ---- LaTeX ---------------------------------------------------------------------------------------------------


def ratio(above: str, below: str) -> str:
    return rf"\frac{{\partial {latex(expression(above))}}}{{\partial {latex(expression(below))}}}"


def latex_value(value: Any) -> str:
    """A number as it is, an array in upright text."""
    return summary(value) if np.ndim(value) == 0 else rf"\text{{{plain(shaped(value))}}}"


def latex_lines(e: Explanation) -> Iterator[str]:
    yield r"\begin{align*}"
    rows = [row for step in folded(e.steps) for row in latex_rows(e, step)]
    yield " \\\\\n".join(rows)
    yield r"\end{align*}"


def latex_rows(e: Explanation, step: Step | Fold) -> Iterator[str]:
    if isinstance(step, Fold):
        yield rf"& \text{{{plain(str(step))}}}"
        return
    vertex = step.vertex
    assert vertex.call is not None
    value = "" if vertex.value is None else f" = {latex_value(vertex.value)}"
    yield rf"{latex(expression(vertex.name))} &= {latex(vertex.call)}{value}"
    for p in step.parts:
        d, above = p.derivative, ratio(e.output, vertex.name)
        if d.local is not None:
            how = rf"{above} \cdot {factor(d.local)}"
        elif d.pulled is not None:
            how = latex(d.pulled)
        else:
            how = rf"\text{{{plain(d.words)}}}"
        sign = "=" if p.of == 1 else r"\mathrel{+}="
        yield rf"{ratio(e.output, p.to)} &{sign} {how} = {latex_value(p.contribution)}"
