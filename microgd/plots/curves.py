"""Curves: the loss over the epochs, and a fitted line or logistic curve as it moves through the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"  # told apart with any colour vision


def figure(width: float = 7.0, height: float = 4.5) -> Figure:
    """An empty figure that belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def words(text: str) -> str:
    """A name as it is: matplotlib would take what stands between two dollars for mathematics."""
    return text.replace("$", r"\$")


def learning_curve(losses: Sequence[float], name: str = "loss") -> Figure:
    """The loss after every epoch; on logarithmic axes where it spans more than a factor of 30, or 100 epochs.

    Most happens in the first epochs of a long run: a plain axis would show a corner.
    """
    picture = figure()
    axes = picture.add_subplot()
    axes.plot(np.arange(len(losses)), losses, color=BLUE, marker="o" if len(losses) < 30 else "", markersize=3)
    if min(losses) > 0 and max(losses) > 30 * min(losses):
        axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel=words(name))
    if len(losses) > 100:
        axes.set_xscale("symlog", linthresh=1)
        axes.set(xlim=(0, len(losses) - 1), xlabel="epoch (logarithmic axis)")
    axes.set_title(f"{words(name)}: {losses[0]:.6g} at the start, {losses[-1]:.6g} at the end")
    axes.grid(alpha=0.3)
    return picture


def line_as_it_moves(
    x: Array,
    y: Array,
    path: Array,
    curve: Callable[[Array, Array], Array],
    names: tuple[str, str],
    best: Array | None = None,
) -> Figure:
    """Data of one feature, with the curve at moments of the descent, later ones darker.

    Args:
        x, y: the data, shape (m,). path: parameters over time, shape (epochs + 1, 2). curve: (x, parameters) -> y.
        names: of the feature and the target. best: the parameters of the closed form, drawn dashed.
    """
    picture = figure()
    axes = picture.add_subplot()
    axes.scatter(x, y, s=14, color=GREY, alpha=0.7, label="data", zorder=1)
    grid = np.linspace(np.min(x), np.max(x), 200)
    shown = moments(len(path))
    for place, k in enumerate(shown):
        share = place / (len(shown) - 1)
        name = "start" if k == 0 else f"after {k} epoch{'s' * (k > 1)}"
        axes.plot(grid, curve(grid, path[k]), color=ORANGE, alpha=0.2 + 0.8 * share, lw=1 + share, label=name)
    if best is not None:
        axes.plot(grid, curve(grid, best), color=BLUE, ls="--", lw=1.2, label="closed form", zorder=4)
    axes.set(xlabel=words(names[0]), ylabel=words(names[1]), title="The fit as it moves")
    picture.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture


def moments(count: int) -> list[int]:
    """About eight moments of a run, close together at the start, where most happens."""
    last = count - 1
    return sorted({0, last, *(int(k) for k in np.geomspace(1, max(last, 1), 7))})
