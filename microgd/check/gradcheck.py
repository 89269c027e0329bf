"""gradcheck: the automatic derivative of a function against differences of its values.

The function is looked at as one from real vectors to real vectors (``vectors``). Its Jacobian is compared in numbers
u J d: u is a random cotangent, never ones, or one output alone, pulled back in a random length; d is one entry of an
input, or a random direction. Where a number disagrees, further steps are taken (``numeric``) and kinks are looked for
(``kinks``) before it is called wrong. What is found is worded in ``report``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from microgd.check.kinks import Kink
from microgd.check.numeric import Slope, central, corner, ladder, refined, step, tolerance
from microgd.check.report import KINK, RIGHT, UNRESOLVED, WRONG, Part, Report, Table
from microgd.check.subject import Subject, opened
from microgd.errors import GradientError, OptionError

Array = Any
ENTRIES, OUTPUTS = 750, 500  # a difference costs two evaluations, an output one pass: 2,000 in all
ENOUGH = 40  # columns looked at closely before the rest is taken to be wrong as well


class Rule(NamedTuple):
    """When two numbers agree. ``atol`` None is 1e-7 of the largest entry, rtol / 100; ``torch`` is torch.allclose."""

    eps: float | None
    rtol: float | None
    atol: float | None
    torch: bool

    def allowed(self, a: Array, n: Array, largest: Array, precision: float) -> Array:
        """The greatest gap that is none: atol + rtol max(|a|, |n|)."""
        rtol = tolerance(precision) if self.rtol is None else self.rtol
        atol = rtol / 100 * largest if self.atol is None else self.atol
        return atol + rtol * (np.abs(n) if self.torch else np.maximum(np.abs(a), np.abs(n)))

    def steps(self, size: float, precision: float) -> tuple[float, list[float]]:
        """The first step around a number of this size, and those to look closer with."""
        h = self.eps or step(size, precision)
        return h, [h] if self.torch else ladder(h, size, precision)


def compared(a: Array, n: Slope, allowed: Array) -> Array:
    """Right within what is allowed, not to be told within the error of the slope, wrong beyond both."""
    gap = np.abs(a - n.value)
    finite = np.isfinite(gap)
    return np.select([finite & (gap <= allowed), finite & (gap <= allowed + n.error)], [RIGHT, UNRESOLVED], WRONG)


class Probe:
    """The numbers u J d of one subject: which are looked at, and what they are by each account."""

    def __init__(self, subject: Subject, rule: Rule, rng: np.random.Generator) -> None:
        self.subject, self.rule = subject, rule
        n, m = subject.inputs.size, subject.outputs.size
        self.places = subject.inputs.some(ENTRIES, rng)
        self.rows = subject.outputs.some(OUTPUTS, rng)
        self.u = random_numbers(rng, m)
        self.scales = np.array([1, *random_numbers(rng, len(self.rows))])
        self.reach = reach(subject.x) * rng.normal(size=n)
        self.parts = subject.inputs.slices
        self.leaf_of = np.array([*map(subject.inputs.leaf, self.places), *range(len(self.parts))])
        self.count = len(self.leaf_of)
        self.kinks: dict[int, Kink] = {}

    def direction(self, c: int) -> Array:
        """The direction of a column: an entry of the inputs, or a walk over a whole one."""
        d = np.zeros(self.subject.inputs.size)
        if c < len(self.places):
            d[self.places[c]] = 1
        else:
            part = self.parts[c - len(self.places)]
            d[part] = self.reach[part]
        return d

    def size(self, c: int) -> float:
        return abs(float(self.subject.x[self.places[c]])) if c < len(self.places) else 1.0

    def first(self, c: int) -> float:
        """The first step of a column."""
        return self.rule.steps(self.size(c), self.subject.precision)[0]

    def projected(self, y: Array) -> Array:
        """What is looked at of a vector of outputs: u y, and single outputs."""
        return np.concatenate([[self.u @ y], y[self.rows]])

    def line(self, c: int) -> Callable[[float], Array]:
        d = self.direction(c)
        return lambda t: self.projected(self.subject.value(self.subject.x + t * d))

    @cached_property
    def numeric(self) -> Slope:
        """By one difference each."""
        here = self.projected(self.subject.y)
        slopes = [central(self.line(c), self.first(c), self.subject.precision, here) for c in range(self.count)]
        return Slope(*(np.stack(part, axis=1) for part in zip(*slopes, strict=True)))

    def reverse(self) -> Array:
        """By a pass back for each cotangent, in a random length."""
        self.subject.steady(self.u)
        rows = []
        for r, scale in enumerate(self.scales):
            u = self.u if r == 0 else np.arange(len(self.u)) == self.rows[r - 1]
            g = self.subject.pull(scale * u) / scale
            rows.append([*g[self.places], *[g[part] @ self.reach[part] for part in self.parts]])
        return np.array(rows)

    def forward(self, rng: np.random.Generator) -> Array:
        """By a pass forward for each direction, in a random length."""
        columns = []
        for c, scale in enumerate(random_numbers(rng, self.count)):
            columns.append(self.projected(self.subject.push(scale * self.direction(c))) / scale)
        return np.array(columns).T

    def judge(self, automatic: Array) -> Table:
        """Which of the numbers agree; a closer look at those that do not."""
        value = self.numeric.value.copy()
        largest = self.largest(automatic)
        allowed = self.rule.allowed(automatic, value, largest, self.subject.precision)
        verdict = compared(automatic, self.numeric, allowed)
        gap = np.where(verdict == WRONG, np.abs(automatic - value) / allowed, 0)
        excess = np.max(np.nan_to_num(gap, nan=np.inf), axis=0)
        suspects = [c for c in np.argsort(-excess, kind="stable") if (verdict[:, c] == WRONG).any()]
        for k, c in enumerate(suspects):
            if k >= ENOUGH and (verdict[:, suspects[:k]] == WRONG).any():
                break
            verdict[:, c], value[:, c] = self.closer(c, automatic[:, c], largest[:, c], verdict[:, c], value[:, c])
        bent = (self.numeric.bend > 0.01 * largest + 4 * self.numeric.error).any(axis=0)
        for c in np.flatnonzero(bent[: len(self.places)]).tolist():  # as |x| at 0: symmetric differences agree
            if c not in self.kinks and (at := self.parted(self.direction(c), self.first(c))):
                self.kinks[c] = Kink(self.subject.inputs.name(self.places[c]), *at, 0.0)
        return Table(automatic, value, verdict)

    def largest(self, automatic: Array) -> Array:
        """Beside every number the largest one for the same cotangent and input.

        All of those may be rounding, next to nothing beside what the same entry gives for other cotangents: so at least
        1e-7 of that; and where differences see nothing, of what any entry gives.
        """
        sizes = np.fmax(np.abs(automatic), np.abs(self.numeric.value))
        sizes = np.where(np.isfinite(sizes), sizes, 0)
        unseen = np.abs(self.numeric.value) <= self.numeric.error
        least = 1e-7 * np.where(unseen, np.max(sizes, initial=0), np.max(sizes, axis=0))
        for leaf in range(len(self.parts)):
            mine = (self.leaf_of == leaf) & (np.arange(self.count) < len(self.places))
            sizes[:, mine] = np.max(sizes[:, mine], axis=1, keepdims=True, initial=0)
        return np.maximum(sizes, least)

    def closer(self, c: int, automatic: Array, largest: Array, verdict: Array, value: Array) -> tuple[Array, Array]:
        """One column at several steps, without those that cross a kink."""
        precision, d = self.subject.precision, self.direction(c)
        h, steps = self.rule.steps(self.size(c), precision)
        parted = {t: self.parted(d, t) for t in steps}
        crossed = {t: at for t, at in parted.items() if at}
        clear = [t for t in steps if t not in crossed]
        slopes = [central(self.line(c), t, precision) for t in clear]
        near = refined(slopes, clear) if len(steps) > 1 or not slopes else slopes[0]
        known = np.isfinite(near.error)
        number = np.where(known, near.value, value)
        allowed = self.rule.allowed(automatic, number, largest, precision)
        found: Array = compared(automatic, Slope(number, near.error), allowed)
        lost = np.where(np.isfinite(automatic), UNRESOLVED, WRONG)
        found = np.where(known, found, KINK if crossed and len(clear) < 3 else lost)
        found = np.where((found == WRONG) | (found == KINK), self.at_corner(c, h, automatic, found), found)
        found = np.where(verdict == WRONG, found, verdict)
        if c < len(self.places) and (h in crossed or (found == KINK).any()):
            kink = crossed.get(h, ("the function", self.subject.title, ""))
            distance = min(crossed) if crossed and clear else 0.0
            self.kinks[c] = Kink(self.subject.inputs.name(self.places[c]), *kink, distance)
        return found, np.where(verdict == WRONG, number, value)

    def at_corner(self, c: int, h: float, automatic: Array, found: Array) -> Array:
        """Where the slopes to both sides are known: a kink if they differ with the derivative in between, or wrong."""
        low, high, settled = corner(self.line(c), h)
        slack = 1e-3 * np.maximum(np.abs(low), np.abs(high))
        between = (low - slack <= automatic) & (automatic <= high + slack)
        return np.select([settled & ~between, settled & (high - low > slack)], [WRONG, KINK], found)

    def parted(self, d: Array, h: float) -> tuple[str, str, str] | None:
        """The kink between x - h d, x and x + h d, if there is one."""
        return self.subject.here.crossing([self.subject.path(self.subject.x + side * d) for side in (h, -h)])

    def part(self, order: int, mode: str, automatic: Array) -> Part:
        """The judgement, with all that is needed to word it."""
        self.kinks = {}
        table = self.judge(automatic)
        kinks = tuple(self.kinks[c] for c in sorted(self.kinks))
        steps = np.array([self.first(c) for c in range(self.count)])
        return Part(self.subject, order, mode, self.places, self.rows, self.leaf_of, steps, table, kinks, self.u)


def reach(x: Array) -> Array:
    """How far a walk over all entries moves each: in proportion to it; by 1 where it is 0, and not at all from inf."""
    return np.where(x == 0, 1, np.where(np.isfinite(x), np.abs(x), 0))


def random_numbers(rng: np.random.Generator, n: int) -> Array:
    """Away from 0 and from 1, of either sign: nothing that a mistake could hide behind."""
    return rng.uniform(0.5, 2, n) * rng.choice([-1, 1], n)


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    modes: str | Sequence[str] = "reverse",
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    torch: bool = False,
) -> Report:
    """Check the automatic derivative of a function against central differences: |a - n| <= atol + rtol max(|a|, |n|).

    The step is cbrt(machine epsilon) max(1, |x|); an entry that disagrees is looked at with further steps, and next to
    a kink it is reported as one. Up to 750 entries of the inputs and 500 of the outputs are looked at singly, and all
    of them in random combinations; the report tells.

    Args:
        f: a function of arrays or containers of arrays, returning the same. A module's own parameters are inputs too.
        inputs: where to check: floating-point or complex; what is made of integers is a constant.
        order: 2 checks the derivative of the derivative too.
        modes: "reverse" or "forward", or a tuple of both.
        eps: a step instead of the rule's. rtol, atol: instead of 1e-5, and of 1e-7 of the largest entry (in double
            precision; looser where the computation uses single).
        torch: PyTorch's numbers: one step of 1e-6, |a - n| <= 1e-5 + 1e-3 |n| (torch.autograd.gradcheck).

    Returns:
        A ``Report``, which is true: ``assert mg.gradcheck(f, x)``.

    Raises:
        GradientError: a derivative is wrong, or ``f`` is not finite here, nondeterministic, or changes its input.
        DtypeError: no input is made of floating-point numbers. OptionError: an unknown mode or order, no inputs, or an
            ``f`` that is no function.

    >>> import numpy as np, microgd as mg
    >>> from microgd.check import gradcheck
    >>> bool(gradcheck(np.tanh, np.array([0.5, -1.0]), order=2))
    True
    >>> wrong = mg.primitive(lambda x: np.tanh(x), vjps=lambda g, ans: g * (1 - ans))
    >>> gradcheck(wrong, np.array([0.5, -1.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    microgd.errors.GradientError: gradcheck: the derivative of <lambda> with respect to x is wrong (reverse mode)
      ...
    """
    modes = (modes,) if isinstance(modes, str) else modes
    if order < 1 or not modes or set(modes) - {"reverse", "forward"}:
        raise OptionError(f'gradcheck: expected order >= 1 and modes "reverse", "forward"; got {order}, {modes!r}')
    rule = Rule(eps, rtol, atol, torch)
    if torch:
        rule = Rule(eps or 1e-6, 1e-3 if rtol is None else rtol, 1e-5 if atol is None else atol, True)
    name = getattr(f, "__name__", type(f).__name__)
    rng = np.random.default_rng(0)
    parts: list[Part] = []
    with np.errstate(all="ignore"):  # steps may lead out of a function's domain
        subject = Subject(*opened(f, inputs), name)
        for k in range(order):
            if k:
                subject = subject.gradient(random_numbers(rng, subject.outputs.size))
            probe = Probe(subject, rule, rng)
            for mode in modes:
                automatic = probe.reverse() if mode == "reverse" else probe.forward(rng)
                parts.append(probe.part(k + 1, mode, automatic))
                if not parts[-1].ok:
                    raise GradientError(parts[-1].diagnosis())
    return Report(name, tuple(parts))
