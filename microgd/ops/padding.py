"""Padding, one axis after the other.

Some modes continue the array with entries of its own, and padding their numbers says which. In the others what goes
before is computed: a constant, a ramp, or a statistic of the nearest entries; what goes behind is the mirror image.
"""

from typing import Any

import numpy as np

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


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    if mode not in (*ENTRIES, *STATISTICS, *SETTINGS) or options.get("reflect_type") == "odd":
        raise UnsupportedError(
            f"pad: mode={mode!r} {options or ''} has no derivative rule; those that have: {', '.join(SETTINGS)}, "
            f"{', '.join([*ENTRIES, *STATISTICS])}, and reflections of type 'even'."
        )
    name, default = SETTINGS.get(mode, ("stat_length", None))
    settings = np.broadcast_to(options.get(name, default), (array.ndim, 2))
    for axis, (before, after) in enumerate(np.broadcast_to(pad_width, (array.ndim, 2)).tolist()):
        if mode in ENTRIES:
            array = np.take(array, np.pad(np.arange(array.shape[axis]), (before, after), mode), axis)
        else:
            head = ahead(array, before, axis, mode, settings[axis, 0])
            tail = ahead(np.flip(array, axis), after, axis, mode, settings[axis, 1])
            array = np.concatenate([head, array, np.flip(tail, axis)], axis)
    return array


composed(np.pad, pad, note="not of mode 'empty', nor of reflect_type 'odd'")
