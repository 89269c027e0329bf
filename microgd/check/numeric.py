"""Numeric derivatives: what differences of values tell about a slope, and how far they can be trusted.

Everything here is about a ``Line``, a function of one real number t with an array as its value: any function of any
inputs becomes one by walking from x along a direction, line(t) = f(x + t d). A difference has two errors. Cutting off
the Taylor series costs h^2, rounding costs eps |f| / h; where they meet, h is the cube root of eps. Where one step
does not settle a question, several do: slopes over three steps are right to a few times what they differ by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = Any
Line = Callable[[float], Array]
EPS = float(np.finfo(np.float64).eps)


class Slope(NamedTuple):
    """A derivative by differences, with a bound of its error (inf where nothing could be learned).

    Attributes:
        bend: by how much the slopes to both sides differ: as little as h, unless there is a kink.
    """

    value: Array
    error: Array
    bend: Array = 0.0


def power_of_two(h: float) -> float:
    """The nearest power of two, so that x + h - x is h wherever it can be."""
    return float(2.0 ** np.round(np.log2(h)))


def step(x: float, eps: float = EPS) -> float:
    """The step for central differences around numbers of size ``x``: cbrt(eps) max(1, |x|), as a power of two.

    >>> step(1.0) == 2.0**-17
    True
    """
    return power_of_two(float(np.cbrt(eps)) * max(1.0, abs(x)))


def tolerance(eps: float = EPS) -> float:
    """The relative error that may pass: 1e-5, or 4 sqrt(eps) where that is more."""
    return max(1e-5, 4 * eps**0.5)


def central(line: Line, h: float, eps: float = EPS, here: Array = np.nan) -> Slope:
    """The slope at 0 by one central difference, (f(h) - f(-h)) / 2h; its error is that of rounding alone.

    ``here`` is f(0), if it is known, and only needed for the bend.

    >>> round(float(central(np.sin, 2.0**-17).value), 9)
    1.0
    """
    with np.errstate(all="ignore"):
        above, below = line(h), line(-h)
        size = np.maximum(np.abs(above), np.abs(below))
        return Slope((above - below) / (2 * h), 2 * eps * size / h, np.abs(above - 2 * here + below) / h)


def ladder(h: float, x: float, eps: float = EPS) -> list[float]:
    """Steps to try where ``h`` does not settle it, larger first: around it, and in proportion to a small ``x``."""
    steps = {512 * h, 8 * h, h, h / 8, h / 64, h / 512}
    if 0 < abs(x) < 1:
        own = power_of_two(float(np.cbrt(eps)) * abs(x))
        steps |= {8 * own, own, own / 8}
    return sorted(steps, reverse=True)


def refined(slopes: Sequence[Slope], steps: Sequence[float]) -> Slope:
    """The slope on which three neighbouring steps agree best, the Taylor term of h^2 taken out (Richardson 1911).

    How much the two smallest steps disagree tells the noise of the values, which the larger ones have a share of; three
    slopes that agree by chance are not believed beyond that. Where small steps see no change at all and larger ones
    do, the values are too coarse for the small ones, which then do not count.
    """
    shape = np.shape(slopes[0].value) if slopes else ()
    best = Slope(np.full(shape, np.inf), np.full(shape, np.inf))
    moved = np.zeros(shape, bool)
    noise = np.abs(slopes[-1].value - slopes[-2].value) * steps[-1] if len(slopes) > 1 else 0.0
    for k, slope in enumerate(slopes):
        moved |= slope.value != 0
        if k < 2:
            continue
        before, last = slopes[k - 2].value, slopes[k - 1].value
        shrink = (steps[k] / steps[k - 1]) ** 2
        value = slope.value + (slope.value - last) * shrink / (1 - shrink)
        spread = np.maximum(np.abs(slope.value - last), np.abs(last - before))
        error = 4 * (spread + noise / steps[k]) + slope.error
        better = ~(moved & (slope.value == 0)) & (error < best.error)  # not where it is NaN
        best = Slope(np.where(better, value, best.value), np.where(better, error, best.error))
    return best


class Corner(NamedTuple):
    """The lower and the higher one of the slopes to either side, and whether smaller steps give the same."""

    low: Array
    high: Array
    settled: Array


def corner(line: Line, h: float) -> Corner:
    """The slopes to either side of 0. At a kink they differ, and any derivative in between is a convention."""
    here = line(0.0)
    (below, above), (below_next, above_next) = (((here - line(-t)) / t, (line(t) - here) / t) for t in (h / 8, h / 64))
    size = np.maximum(np.abs(below_next), np.abs(above_next))
    change = np.maximum(np.abs(below_next - below), np.abs(above_next - above))
    low, high = np.minimum(below_next, above_next), np.maximum(below_next, above_next)
    return Corner(low, high, change <= 1e-3 * size)


def sweep(line: Line, exact: Array, steps: Sequence[float]) -> list[float]:
    """The error of the central difference at each step, in numbers of the size of ``exact``: the V curve."""
    size = float(np.max(np.abs(exact), initial=0)) or 1.0
    return [float(np.max(np.abs(central(line, h).value - exact), initial=0)) / size for h in steps]
