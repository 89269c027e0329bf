"""Functions of the user's own on parts of an array: along an axis, axis after axis, or where a condition holds."""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from microgd.core.primitive import composed
from microgd.ops.shape import shaped


def apply_along_axis(func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """The axes of an answer come where the axis was."""
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    outer = rows.shape[:-1]
    answers = [shaped(func1d(rows[index], *args, **kwargs)) for index in np.ndindex(outer)]
    if not answers:
        raise ValueError(f"apply_along_axis: shape {arr.shape} has no row along axis {axis} to call the function on")
    inner = answers[0].shape
    places = range(len(outer), len(outer) + len(inner))
    return np.moveaxis(np.stack(answers).reshape(outer + inner), places, range(axis, axis + len(inner)))


def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    for axis in np.atleast_1d(axes).tolist():
        axis = normalize_axis_index(axis, a.ndim)
        answer = func(a, axis)
        a = answer if answer.ndim == a.ndim else np.expand_dims(answer, axis)
    return a


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """A function sees only the entries of its own condition; of several that hold, the last one counts."""
    if np.ndim(condlist) == 0 or (np.ndim(condlist[0]) == 0 and x.ndim):
        condlist = [condlist]
    conditions = [shaped(condition).astype(bool) for condition in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(np.stack(conditions), axis=0))
    if len(funclist) != len(conditions):
        raise ValueError(
            f"piecewise: {len(funclist)} functions for {len(condlist)} conditions; expected one for each, and "
            f"perhaps one more for the rest"
        )
    y = np.where(False, x, 0)  # what holds a batch if x is one
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            y[condition] = function
        elif np.any(condition):
            y[condition] = function(x[condition], *args, **kw)
    return y


composed(np.apply_along_axis, apply_along_axis)
composed(np.apply_over_axes, apply_over_axes)
composed(np.piecewise, piecewise, note="in a batch, of conditions that all examples share")
