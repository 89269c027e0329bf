"""The V curve: the error of a numeric derivative against the step, with both causes drawn beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from microgd.plots.curves import BLUE, GREY, ORANGE, figure, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def v_curve(steps: Sequence[float], errors: Sequence[float], chosen: float | None = None, name: str = "f") -> Figure:
    """Relative error of the central difference against its step, both axes logarithmic.

    Falling to the left with h^2 is the Taylor series cut off, rising with 1 / h is rounding. Both are drawn through
    the bottom of the V, so the eye can compare.

    Args:
        steps, errors: of the same length, as ``check.step_sweep`` gives them. Errors of exactly 0, and such as are not
            finite, are left out.
        chosen: the step that a check takes, drawn as a line. name: of the function.

    >>> picture = v_curve([1e-1, 1e-3, 1e-5, 1e-7], [1e-2, 1e-6, 1e-10, 1e-9], chosen=1e-5)
    >>> picture.axes[0].get_xscale()
    'log'
    """
    h, e = np.asarray(steps, float), np.asarray(errors, float)
    shown = np.isfinite(e) & (e > 0)
    h, e = h[shown], e[shown]
    picture = figure()
    axes = picture.add_subplot(xscale="log", yscale="log", xlabel="step h", ylabel="relative error")
    if len(e):
        bottom = int(np.argmin(e))
        right, left = h >= h[bottom], h <= h[bottom]
        axes.plot(h[right], e[bottom] * (h[right] / h[bottom]) ** 2, color=GREY, ls="--", lw=1, label="h²: Taylor")
        axes.plot(h[left], e[bottom] * h[bottom] / h[left], color=GREY, ls=":", lw=1, label="1/h: rounding")
        axes.plot(h, e, color=BLUE, marker="o", markersize=3, label="error")
        axes.set_ylim(e.min() / 5, e.max() * 5)
        axes.set_title(f"Central differences of {words(name)}: at best {e[bottom]:.1e}, at h = {h[bottom]:.1e}")
    if chosen is not None:
        axes.axvline(chosen, color=ORANGE, lw=1, label=f"step of the check, {chosen:.1e}")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="upper center", framealpha=0.9)
    return picture
