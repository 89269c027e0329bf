"""Padding, one axis after the other.

Some modes continue the array with entries of its own, and padding their numbers says which. In the others what goes
before is computed: a constant, a ramp, or a statistic of the nearest entries; what goes behind is the mirror image.
"""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from microgd.core.primitive import composed
from microgd.errors import UnsupportedError
from microgd.ops.shape import at

ENTRIES = ("edge", "reflect", "symmetric", "wrap")
STATISTICS: dict[str, Any] = {"mean": np.mean, "maximum": np.max, "minimum": np.min, "median": np.median}
SETTINGS: dict[str, Any] = {"constant": ("constant_values", 0), "linear_ramp": ("end_values", 0)}


def ahead(x: Any, width: int, axis: int, mode: Any, setting: Any) -> Any:
    """What goes before ``x``, as wide as ``width`` along the axis."""
    shape = [width if k == axis else n for k, n in enumerate(x.shape)]
    if mode in STATISTICS:
        return np.broadcast_to(STATISTICS[mode](x[at(slice(setting), axis, x.ndim)], axis=axis, keepdims=True), shape)
    setting = setting.astype(x.dtype)
    if mode == "constant":
        return np.broadcast_to(setting, shape)
    steps = (np.arange(width) / max(width, 1)).astype(x.dtype)
    steps = steps.reshape([-1 if k == axis else 1 for k in range(x.ndim)])
    return setting + (x[at(slice(1), axis, x.ndim)] - setting) * steps


def widths(pad_width: Any, ndim: int) -> Any:
    """One (before, after) per axis; an axis that a dict leaves out is not padded."""
    if not isinstance(pad_width, dict):
        return np.broadcast_to(pad_width, (ndim, 2)).tolist()
    pairs = [[0, 0]] * ndim
    for axis, width in pad_width.items():
        pairs[normalize_axis_index(axis, ndim)] = np.broadcast_to(width, 2).tolist()
    return pairs


def turned(array: Any, reflected: Any, before: int, after: int, axis: int, mode: Any) -> Any:
    """Reflection of type "odd": through the entry at the edge, which lies half way to the mirror image."""
    length = array.shape[axis]
    furthest = length - (mode == "reflect")
    if max(before, after) > furthest:
        raise UnsupportedError(
            f"pad: reflect_type='odd' by {max(before, after)} on axis {axis} with {length} entries; the "
            f"derivative rule holds for one reflection, at most {furthest}. Pad less, or pad the answer again."
        )
    first, last = array[at(slice(1), axis, array.ndim)], array[at(slice(-1, None), axis, array.ndim)]
    head = 2 * first - reflected[at(slice(before), axis, array.ndim)]
    tail = 2 * last - reflected[at(slice(before + length, None), axis, array.ndim)]
    return np.concatenate([head, array, tail], axis)


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    odd = options.get("reflect_type") == "odd"
    if mode not in (*ENTRIES, *STATISTICS, *SETTINGS) or (odd and mode not in ("reflect", "symmetric")):
        raise UnsupportedError(
            f"pad: mode={mode!r} {options or ''} has no derivative rule; those that have: {', '.join(SETTINGS)}, "
            f"{', '.join([*ENTRIES, *STATISTICS])}; 'reflect' and 'symmetric' take reflect_type."
        )
    name, default = SETTINGS.get(mode, ("stat_length", None))
    settings = np.broadcast_to(options.get(name, default), (array.ndim, 2))
    for axis, (before, after) in enumerate(widths(pad_width, array.ndim)):
        if mode in ENTRIES:
            padded = np.take(array, np.pad(np.arange(array.shape[axis]), (before, after), mode), axis)
            several = array.shape[axis] > 1  # NumPy repeats a single entry, whatever the type of reflection
            array = turned(array, padded, before, after, axis, mode) if odd and several else padded
        else:
            head = ahead(array, before, axis, mode, settings[axis, 0])
            tail = ahead(np.flip(array, axis), after, axis, mode, settings[axis, 1])
            array = np.concatenate([head, array, np.flip(tail, axis)], axis)
    return array


composed(np.pad, pad, note="not of mode 'empty'; reflect_type 'odd' as far as one reflection")
