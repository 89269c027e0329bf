"""Explain: what the next step of an optimizer will do to every parameter, in the rule's own words and numbers.

The rule itself runs, on copies, so the numbers are those of the step to come and no formula is written twice: the rule
only names its quantities (``Optimizer.quantities``). The optimizer, its parameters and their gradients stay as they
are. The gradient is taken as it stands in ``.grad``; whoever clips it does so before the step, and it shows here
clipped. This file does not know any rule.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from microgd.errors import GraphError, OptionError
from microgd.optim.flat import Flat, pairs
from microgd.optim.optimizer import Group, Optimizer, Quantity

WIDTH = 80
ENTRIES = 3  # arrays up to this size are shown whole, larger ones by as many numbers: one entry, min, max
SHOWN = 6  # parameters in a text or page; all of them are in .parameters
BEFORE = "before the step"
LEFT, RIGHT = 'style="text-align:left"', 'style="text-align:right;white-space:nowrap;padding-left:1em"'


@dataclass(frozen=True, eq=False)
class ParameterStep:
    """One parameter in the coming step.

    Attributes:
        name: the parameter's place in the optimizer. shape: its shape.
        t: the number of the coming step, from 1; the last one made, if this parameter is skipped.
        quantities: all that the update computes, in order; ``q <-`` is the new value of ``q``.
        delta: what the step adds to the parameter.
    """

    name: str
    shape: tuple[int, ...]
    t: int
    quantities: tuple[Quantity, ...]
    delta: Any

    @property
    def skipped(self) -> bool:
        """Whether the parameter has no gradient, so that the step leaves it alone."""
        return not self.quantities

    def __getitem__(self, name: str) -> Any:
        """The value of the quantity with this name."""
        return {quantity.name: quantity.value for quantity in self.quantities}[name]

    @property
    def head(self) -> str:
        place = f"{self.name}, shape {self.shape}"
        return f"{place}: skipped, it has no gradient" if self.skipped else f"{place}: step t = {self.t}"

    @property
    def large(self) -> bool:
        """Whether the arrays are summed up: the entry that moves most, to follow the formulas with, and the range."""
        return math.prod(self.shape) > ENTRIES

    def table(self) -> list[list[str]]:
        """The cells to show, a heading first. A single number for a whole array stands in every column."""
        indices = [most(self.delta)] if self.large else list(np.ndindex(self.shape))
        rows = [["quantity", "formula", *[str(list(index)) if index else "value" for index in indices]]]
        rows[0] += ["min", "max"] if self.large else []
        digits = 4 if self.shape else 6
        for name, formula, value in self.quantities:
            array = np.broadcast_to(value, self.shape)
            numbers = [array[index] for index in indices] + ([array.min(), array.max()] if self.large else [])
            rows.append([name, formula, *[f"{number:.{digits}g}" for number in numbers]])
        return rows

    def __str__(self) -> str:
        if self.skipped:
            return self.head
        rows = self.table()
        words = [max(len(row[k]) for row in rows) for k in range(2)]
        number = max((len(cell) for row in rows for cell in row[2:]), default=0)
        lines = [
            "  ".join([row[0].ljust(words[0]), row[1].ljust(words[1]), *[cell.rjust(number) for cell in row[2:]]])
            for row in rows
        ]
        return "\n".join([self.head, *["  " + line.rstrip() for line in lines]])

    def _repr_html_(self) -> str:
        title = f"<p><strong>{escape(self.head)}</strong></p>"
        if self.skipped:
            return title
        heading, *rows = self.table()
        lines = ["".join(f"<th>{escape(cell)}</th>" for cell in heading)]
        for name, formula, *numbers in rows:
            words = "".join(f"<td {LEFT}>{escape(cell)}</td>" for cell in (name, formula))
            values = "".join(f"<td {RIGHT}>{escape(number)}</td>" for number in numbers)
            lines.append(words + values)
        return f"{title}<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


@dataclass(frozen=True, eq=False)
class StepExplanation:
    """The answer of ``explain_step``: read it as text or in a notebook, or take the numbers from ``.parameters``."""

    head: str
    parameters: tuple[ParameterStep, ...]

    @property
    def rest(self) -> str:
        """How many parameters are not shown, if any."""
        left = len(self.parameters) - SHOWN
        return f"... and {left} more in .parameters" if left > 0 else ""

    def __str__(self) -> str:
        parts = [self.head, *map(str, self.parameters[:SHOWN]), self.rest]
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        tables = "".join(one._repr_html_() for one in self.parameters[:SHOWN])
        return f'<pre style="white-space:pre-wrap">{escape(self.head)}</pre>{tables}<p>{escape(self.rest)}</p>'


def explain_step(optimizer: Optimizer) -> StepExplanation:
    """What ``optimizer.step()`` would do now: every quantity of its rule, as a formula and in numbers.

        delta = p_after - p_before,  to the last bit, for every parameter and option

    Nothing changes: the rule runs on copies. A gradient that was clipped is explained as it is, clipped.

    Args:
        optimizer: any optimizer, after ``backward`` and before ``step``.

    Raises:
        GraphError: no parameter has a gradient. NonFiniteError, ShapeError, DtypeError: a gradient that ``step``
        would refuse. OptionError: not an optimizer.

    >>> import microgd as mg
    >>> w = mg.tensor(4.0, requires_grad=True)
    >>> optimizer = mg.optim.SGD([w], lr=0.25, momentum=0.5)
    >>> (w * w).backward()
    >>> print(explain_step(optimizer))
    SGD, the next step
      group 0: lr 0.25, momentum 0.5, dampening 0, weight_decay 0
    <BLANKLINE>
    parameter [0] of group 0, shape (): step t = 1
      quantity  formula          value
      p         before the step      4
      b         before the step      0
      g         p.grad               8
      b <-      g                    8
      delta     -lr b               -2
      p <-      p + delta            2
    >>> optimizer.step()
    >>> w
    tensor(2., requires_grad=True)

    Source: the formulas are those of each rule's own documentation.
    """
    if not isinstance(optimizer, Optimizer):
        raise OptionError(
            f"explain_step: expected an optimizer, got {type(optimizer).__name__}; give it the object whose step() "
            f"you would call next"
        )
    gradients = {id(flat): flat.gradients() for flats in optimizer.flats for flat in flats}
    work = [(group, flat, k, gradients[id(flat)][k]) for group, flat, k in optimizer.places()]
    if all(g is None for *_, g in work):
        raise GraphError(
            f"explain_step: no parameter of this {type(optimizer).__name__} has a gradient ({len(work)} in all), so "
            f"step() would change nothing; call backward() on the loss first, and zero_grad() only after the step"
        )
    settings = [options(number, group) for number, group in enumerate(optimizer.param_groups)]
    parameters = tuple(rehearse(optimizer, *place) for place in work)
    note = ["  of a large array: the entry that moves most, and the range"] if any(p.large for p in parameters) else []
    return StepExplanation("\n".join([f"{type(optimizer).__name__}, the next step", *settings, *note]), parameters)


def rehearse(optimizer: Optimizer, group: Group, flat: Flat, k: int, g: Any) -> ParameterStep:
    """Run the rule on copies of one parameter and its state, and note what it was given, left behind and did."""
    name, shape, t = flat.names[k], flat.params[k].shape, flat.steps[k] + 1
    p = pairs(np.array(flat.params[k].value, flat.values.dtype).reshape(-1))
    if flat.values.dtype.kind == "c":
        shape = (*shape, 2)  # the rule sees real and imaginary parts
    if g is None:
        return ParameterStep(name, shape, t - 1, (), np.zeros_like(p).reshape(shape)[()])
    state = remembered(flat, k, optimizer.initial_state(group))
    before = [Quantity(optimizer.symbols.get(entry, entry), BEFORE, array.copy()) for entry, array in state.items()]
    start, g = p.copy(), pairs(g).copy()
    given = optimizer.decayed(p, g, group)
    kept = p.copy()
    optimizer.update(p, given, state, t, group)
    named, change = optimizer.quantities(given, state, t, group)
    delta = p - start

    rows = [Quantity("p", BEFORE, start), *before, Quantity("g", "p.grad", g)]
    sign, coupled = "-g" if group["maximize"] else "g", group["weight_decay"] and not optimizer.decoupled
    if given is not g:
        rows.append(Quantity("g <-", f"{sign} + weight_decay p" if coupled else sign, given))
    states = {row.name for row in before}
    rows += [row._replace(name=f"{row.name} <-") if row.name in states else row for row in named]
    if group["weight_decay"] and optimizer.decoupled:
        rows += [Quantity("decay", "-lr weight_decay p", kept - start), Quantity("move", change, p - kept)]
        change = "decay + move"
    rows += [Quantity("delta", change, delta), Quantity("p <-", "p + delta", p)]
    shaped = tuple(row._replace(value=reshaped(row.value, shape)) for row in rows)
    return ParameterStep(name, shape, t, shaped, reshaped(delta, shape))


def remembered(flat: Flat, k: int, initial: dict[str, float]) -> dict[str, Any]:
    """Copies of the state of one parameter, as a step would find it: at its first values where none was kept yet."""
    part = flat.parts[k]
    return {
        entry: pairs(flat.state[entry][part].copy())
        if entry in flat.state
        else np.full_like(pairs(flat.values[part]), first)
        for entry, first in initial.items()
    }


def reshaped(value: Any, shape: tuple[int, ...]) -> Any:
    """A flat array in the shape of its parameter; a single number that holds for all entries stays one."""
    return value.reshape(shape)[()] if np.ndim(value) else value


def options(number: int, group: Group) -> str:
    """The hyper-parameters of a group in a line or two; switches that are off are left out."""
    texts = []
    for name, value in group.items():
        if value is True:
            texts.append(name)
        elif value is not False and name != "params":
            texts.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
    return textwrap.fill(f"group {number}: {', '.join(texts)}", WIDTH, initial_indent="  ", subsequent_indent="    ")


def most(delta: Any) -> tuple[int, ...]:
    """The index of the entry that moves most."""
    return tuple(int(k) for k in np.unravel_index(np.argmax(np.abs(delta)), delta.shape))
