"""Piecewise linear interpolation: between two neighbours found by searching, a line; outside, the ends."""

from typing import Any

import numpy as np

from microgd.core.primitive import composed
from microgd.ops.select import take
from microgd.ops.shape import KEPT, inexact, shaped


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """At a knot the slope is that of the piece on its right; beyond the ends it is 0."""
    x, xp, fp = (inexact(shaped(a)) for a in (x, xp, fp))
    if period is not None:
        if period == 0:
            raise ValueError("interp: period=0; give the length after which the function repeats")
        period = abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    last = len(xp) - 1
    low = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(last - 1, 0))
    high = np.minimum(low + 1, last)
    x0, f0 = take(xp, low), take(fp, low)
    gap = take(xp, high) - x0
    inside = f0 + (take(fp, high) - f0) / np.where(gap == 0, 1, gap) * (x - x0)
    below = fp[0] if left is None or period is not None else left
    above = fp[-1] if right is None or period is not None else right
    return np.where(x < xp[0], below, np.where(x > xp[-1], above, inside))


composed(np.interp, interp, note=f"in x, xp and fp; at a knot, the slope on its right; {KEPT}")
