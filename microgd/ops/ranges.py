"""Ranges: numbers at equal steps between two ends, and the same on a logarithmic scale.

Every number is a weighted mean of the ends, so a range has the derivatives of a mean. NumPy's last number is the end
itself, not what rounding makes of it, and so it is here.
"""

import operator
from typing import Any

import numpy as np

from microgd.core.primitive import composed
from microgd.ops.shape import KEPT, shaped


def precision(x: Any) -> Any:
    """What an operand has to say about the dtype: Python's numbers leave it to the others."""
    return x if type(x) in (bool, int, float, complex) else shaped(x).dtype


def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: Any = True,
    retstep: Any = False,
    dtype: Any = None,
    *,
    axis: Any = 0,
) -> Any:
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"linspace: num={num}; expected how many numbers to make, 0 or more")
    exact = np.result_type(precision(start), precision(stop), 0.0)
    start, stop = shaped(start).astype(exact), shaped(stop).astype(exact)
    gap, steps = stop - start, num - bool(endpoint)
    shares = (np.arange(num) / max(steps, 1)).astype(exact)
    numbers = start + gap * shares.reshape([-1, *[1] * gap.ndim])
    if endpoint and num > 1:
        numbers = np.concatenate([numbers[:-1], np.broadcast_to(stop, (1, *gap.shape))])
    if dtype is not None:
        numbers = (np.floor(numbers) if np.issubdtype(dtype, np.integer) else numbers).astype(dtype)
    numbers = np.moveaxis(numbers, 0, axis)
    return (numbers, gap / steps if steps > 0 else gap * np.nan) if retstep else numbers


def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, base: Any = 10.0, dtype: Any = None, *, axis: Any = 0
) -> Any:
    if np.ndim(base):  # then it lies along the axes of the ends
        shape = np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base))
        start = np.broadcast_to(start, shape)
        base = np.expand_dims(np.broadcast_to(base, shape), axis)
    numbers = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return numbers if dtype is None else numbers.astype(dtype)


def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: Any = True, *, axis: Any = 0) -> Any:
    """Equal ratios. What turns ``start`` into a positive number is taken out first: a sign, or a phase."""
    dtype = np.result_type(precision(start), precision(stop), 0.0)
    start, stop = np.broadcast_arrays(shaped(start).astype(dtype), shaped(stop).astype(dtype))
    phase = start / np.abs(start)
    numbers = phase * logspace(np.log10(start / phase), np.log10(stop / phase), num, endpoint)
    if num > 0:
        numbers = np.concatenate([start[None], numbers[1:]])
    if num > 1 and endpoint:
        numbers = np.concatenate([numbers[:-1], stop[None]])
    return np.moveaxis(numbers, 0, axis)


composed(np.linspace, linspace)
composed(np.logspace, logspace)
composed(np.geomspace, geomspace, note=KEPT)
