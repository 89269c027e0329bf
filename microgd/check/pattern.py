"""Patterns: in a few words, how one array of numbers is wrong beside another, where that can be seen from the numbers.

The plain mistakes only: a constant factor, a sign, transposed, constant along an axis, wrong in some rows or for
negative inputs. Causes that need the computation behind the numbers are looked for by ``check_derivation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = Any
CLOSE = 1e-4


def alike(a: Array, b: Array, close: float = CLOSE) -> bool:
    """Equal for the purpose of a pattern."""
    return bool(np.max(np.abs(a - b), initial=0) <= close * np.max(np.abs(b), initial=0))


def pattern(a: Array, n: Array, wrong: Array, x: Array) -> str:
    """What the automatic numbers ``a`` are to the numeric ones ``n``, as a sentence; "" if nothing is seen.

    Args:
        a, n: of the input's shape, or in a row where not every entry was looked at. wrong: which of them disagree.
        x: the input at the same entries.
    """
    seen = next(values(a, n), "")
    if seen or wrong.all():
        return seen
    return f"{next(places(wrong, x))} {next(values(a[wrong], n[wrong]), '')}".strip()


def values(a: Array, n: Array) -> Iterator[str]:
    """What the wrong numbers are."""
    if not np.isfinite(a).all():
        yield f"{np.sum(~np.isfinite(a))} automatic values are not finite."
        return
    if not a.any():
        yield "The automatic derivative is zero there: is a part of the computation cut off from its history?"
        return
    if not n.any():
        yield "The derivative is zero there."
        return
    c = np.vdot(n, a) / np.vdot(n, n)
    if alike(a, c * n):
        yield factor(c, a.size)
    if a.ndim == 2 and a.shape[0] == a.shape[1] and alike(a, n.T):
        yield "It is transposed."
    if np.iscomplexobj(a) and alike(a, n.conj()):
        yield "It is the complex conjugate."
    if a.size > 1 and alike(np.sort(a, None), np.sort(n, None)):
        yield "They are the right numbers in other places."
    for axis in range(a.ndim):
        first, mean = a.take([0], axis), n.mean(axis, keepdims=True)
        if a.shape[axis] > 1 and alike(a, np.broadcast_to(first, a.shape)):
            sums = alike(first, mean * a.shape[axis])
            what = "the sum" if sums else "the mean" if alike(first, mean) else ""
            yield f"It is the same all along axis {axis}" + (f": {what} of what should stand there." if what else ".")
    if a.size > 1 and alike(a - n, np.full_like(a, (a - n).flat[0])):
        yield f"Every entry is off by the same {(a - n).flat[0]:.4g}."


def factor(c: Any, count: int) -> str:
    """A constant ratio in words."""
    all_of_them = "Every one of them" if count > 1 else "It"
    if abs(c - 1) < CLOSE:
        return f"{all_of_them} is off by {abs(c - 1):.1e} of its value."
    if abs(c + 1) < CLOSE:
        return f"{all_of_them} has the wrong sign."
    if np.iscomplexobj(c) and abs(c.imag) > CLOSE * abs(c):
        return f"{all_of_them} is {c:.6g} times what it should be."
    c = float(np.real(c))
    sign = " and has the wrong sign" if c < 0 else ""
    times, way = (abs(c), "large") if abs(c) > 1 else (1 / abs(c), "small")
    return f"{all_of_them} is {times:.6g} times too {way}{sign}."


def places(wrong: Array, x: Array) -> Iterator[str]:
    """Where the wrong numbers stand, if not everywhere."""
    for axis in range(wrong.ndim if wrong.ndim > 1 else 0):
        rest = tuple(k for k in range(wrong.ndim) if k != axis)
        slices = np.flatnonzero(wrong.any(rest))
        if len(slices) < wrong.shape[axis] and wrong.take(slices, axis).all():
            yield f"Wrong is all of {', '.join(map(str, slices[:8]))} along axis {axis}, and nothing else."
    if np.isrealobj(x) and np.array_equal(wrong, x < 0):
        yield "Wrong where the input is negative, and only there."
    if np.isrealobj(x) and np.array_equal(wrong, x > 0):
        yield "Wrong where the input is positive, and only there."
    yield "The other entries are right."
