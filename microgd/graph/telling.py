"""Telling: the steps of the way back as text, as HTML and as LaTeX.

All three say the same: what was computed, and then for every operation the upstream, the local derivative as a formula
and as a number, their product, and the sum so far where several contributions meet. Nothing here computes.
"""

from __future__ import annotations

import ast
import html
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from microgd.graph.formulas import constant, expression
from microgd.graph.latex import factor, latex, plain
from microgd.graph.steps import Fold, Part, Step, Story, folded
from microgd.graph.summary import clipped, shaped, summary, wrapped
from microgd.graph.view import UNKNOWN, Vertex

# ---- text ----------------------------------------------------------------------------------------------------


def headline(e: Story) -> str:
    count = f"{len(e.steps)} step{'s' * (len(e.steps) != 1)}"
    return f"{e.output}{equals(e.graph.top.value)}, explained backwards in {count}"


def footnote(e: Story) -> str:
    """What a reader needs to be told of constants without a value."""
    calls = [vertex.call for vertex in e.graph.vertices if vertex.call is not None]
    unknown = any(part is UNKNOWN for call in calls for part in ast.walk(call))
    return (
        f"{UNKNOWN.id} is a constant that was not kept, as no derivative needs it; explain(f, *inputs) sees everything"
        if unknown
        else ""
    )


def by(e: Story, name: str) -> str:
    return f"d {e.output}/d {name}"


def forward_lines(e: Story, shown: list[Step | Fold]) -> Iterator[tuple[str, str]]:
    """Inputs, constants and operations as they were computed, with (formula = value, written as ... on line)."""
    for vertex in e.graph.vertices:
        if vertex.kind != "operation":
            yield f"{vertex.name}{equals(vertex.value)}", "" if vertex.kind == "input" else "constant"
    for step in reversed(shown):
        if isinstance(step, Fold):
            yield f"{step.what}, from {step.last} to {step.first}", ""
        else:
            yield f"{step.vertex.formula}{equals(step.vertex.value)}", step.vertex.place


def numbered(shown: list[Step | Fold]) -> Iterator[tuple[int, Step | Fold]]:
    """Steps with their numbers, counting those that are left out."""
    return zip(accumulate(step.steps if isinstance(step, Fold) else 1 for step in shown), shown, strict=True)


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


def text_lines(e: Story) -> Iterator[str]:
    shown = folded(e.steps)
    yield headline(e)
    yield "\nForward"
    for left, right in forward_lines(e, shown):
        yield from wrapped(f"  {left}" + (f"   ({right})" if right else ""), "    ")
    yield f"\nBackward, from {by(e, e.output)} = {shaped(e.graph.top.gradient)}"
    for number, step in numbered(shown):
        yield ""
        yield from wrapped(str(step), "   ") if isinstance(step, Fold) else text_step(e, step, number)
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


def text_step(e: Story, step: Step, number: int) -> Iterator[str]:
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


def html_parts(e: Story) -> Iterator[str]:
    shown = folded(e.steps)
    yield f'{STYLE}<div class="mg-explain"><p class="head">{html.escape(headline(e))}</p>'
    yield "<details><summary>Forward</summary>"
    for left, right in forward_lines(e, shown):
        yield f'<div>{code(left)} <span class="dim">{html.escape(right)}</span></div>'
    yield "</details>"
    for number, step in numbered(shown):
        fold = isinstance(step, Fold)
        yield f'<p class="fold">{html.escape(str(step))}</p>' if fold else html_step(e, step, number)
    rows = [(by(e, name), code(shaped(gradient))) for name, gradient in e.gradients.items()]
    yield f'<div class="step result"><div class="head">Gradient</div>{definitions(rows)}</div>'
    yield f'<p class="dim">{html.escape(footnote(e))}</p></div>'


def html_step(e: Story, step: Step, number: int) -> str:
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


def latex_lines(e: Story) -> Iterator[str]:
    yield r"\begin{align*}"
    rows = [row for step in folded(e.steps) for row in latex_rows(e, step)]
    yield " \\\\\n".join(rows)
    yield r"\end{align*}"


def latex_rows(e: Story, step: Step | Fold) -> Iterator[str]:
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
