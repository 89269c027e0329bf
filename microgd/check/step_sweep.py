"""The V curve: how far central differences are from the automatic derivative, from large steps to tiny ones.

On the right the error falls with h^2 (Taylor), on the left it grows as eps / h (rounding); the bottom of the V says
how many digits differences can give for a function, and where a step should lie. A wrong derivative has no V.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from microgd.check.gradcheck import reach
from microgd.check.numeric import step, sweep
from microgd.check.subject import Subject, opened

POINTS = 48


class StepSweep(NamedTuple):
    """The data of the picture: steps, relative errors, and the step that gradcheck takes."""

    steps: tuple[float, ...]
    errors: tuple[float, ...]
    chosen: float


def step_sweep(f: Callable[..., Any], *inputs: Any) -> StepSweep:
    """The relative error of the central difference of <u, f> along a random direction, for h = 1/2, 1/4, ...

    Args:
        f, inputs: as for ``gradcheck``; the direction is in proportion to the inputs.

    >>> import numpy as np
    >>> from microgd.check import step_sweep
    >>> curve = step_sweep(np.tanh, np.array([0.5, -1.0]))
    >>> min(curve.errors) < 1e-9 < curve.errors[0]
    True
    """
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        subject = Subject(*opened(f, inputs), getattr(f, "__name__", type(f).__name__))
        u, d = rng.normal(size=subject.outputs.size), rng.normal(size=subject.inputs.size)
        d *= reach(subject.x)
        steps = tuple(0.5**k for k in range(1, POINTS + 1))
        errors = sweep(lambda t: u @ subject.value(subject.x + t * d), subject.pull(u) @ d, steps)
    return StepSweep(steps, tuple(errors), step(1.0, subject.precision))
