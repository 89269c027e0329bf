"""Error surfaces of two parameters, and the path walked over them, as a map and in three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from microgd.plots.curves import BLUE, ORANGE, figure, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any


def error_surface(
    loss: Callable[[Array, Array], Array],
    path: Array,
    names: tuple[str, str],
    best: Array | None = None,
    loss_name: str = "loss",
    *,
    one_scale: bool = False,
) -> Figure:
    """The loss over two parameters around the path, with the path.

    Args:
        loss: takes two arrays of one shape, the first and the second parameter, and returns the losses.
        path: parameters over time, shape (epochs + 1, 2). names: of the two parameters.
        best: the minimum, where it is known; marked by a star. loss_name: for the axis.
        one_scale: whether both parameters have one unit; then one sees that steps are at right angles to contours.
    """
    from matplotlib.colors import BoundaryNorm

    path = np.asarray(path)
    shown = path if best is None else np.vstack([path, best])
    names, loss_name = (words(names[0]), words(names[1])), words(loss_name)
    widest = max(np.ptp(shown, axis=0)) if one_scale else 0.0
    first, second = np.meshgrid(*(span(shown[:, k], widest) for k in (0, 1)), indexing="ij")
    height, along = loss(first, second), loss(path[:, 0], path[:, 1])
    picture = figure(12.0, 5.0)

    flat = picture.add_subplot(1, 2, 1)
    low = min(np.min(height), np.min(along))
    gap = max(np.max(height) - low, 1e-9 * abs(low), 1e-300)
    levels = low + gap * np.concatenate([[0], np.geomspace(1e-4, 1, 22)])
    bands = BoundaryNorm(levels, 256)  # bands narrow towards the minimum, so that a flat valley still shows its shape
    colours = flat.contourf(first, second, height, levels=levels, norm=bands, cmap="viridis_r")
    ticks = levels[[0, *range(2, len(levels), 5)]]
    picture.colorbar(colours, ax=flat, label=loss_name, ticks=ticks, format=digits)
    flat.contour(first, second, height, levels=levels, colors="white", linewidths=0.4, alpha=0.5)
    flat.plot(path[:, 0], path[:, 1], color="white", lw=3.5)
    flat.plot(path[:, 0], path[:, 1], color=ORANGE, lw=1.8, marker=".", markersize=5, label="path, a dot per epoch")
    flat.plot(*path[0], "o", color=ORANGE, markeredgecolor="white", markersize=9, label="start")
    flat.plot(*path[-1], "s", color=ORANGE, markeredgecolor="white", markersize=8, label="end")
    if best is not None:
        flat.plot(*best, "*", color=BLUE, markeredgecolor="white", markersize=15, label="minimum")
    flat.set(xlabel=names[0], ylabel=names[1], title=f"{loss_name} seen from above")
    if one_scale:
        flat.set_aspect("equal")
    picture.legend(*flat.get_legend_handles_labels(), loc="outside lower left", ncols=4, frameon=False)

    solid: Any = picture.add_subplot(1, 2, 2, projection="3d")
    solid.computed_zorder = False  # the path lies on the surface and must not be hidden by it
    solid.plot_surface(
        first, second, height, cmap="viridis_r", norm=bands, alpha=0.75, rstride=2, cstride=2, linewidth=0, zorder=1
    )
    solid.plot(path[:, 0], path[:, 1], along, color=ORANGE, lw=2, marker=".", markersize=4, zorder=3)
    solid.set_title(f"{loss_name} as a surface")
    solid.set_xlabel(names[0], labelpad=10)
    solid.set_ylabel(names[1], labelpad=10)
    corners = {-60: height[-1, 0], 30: height[-1, -1], 120: height[0, -1], 210: height[0, 0]}
    solid.view_init(elev=35, azim=min(corners, key=lambda side: corners[side]))  # over the lowest, into the valley
    solid.tick_params(labelsize=8)
    solid.locator_params(nbins=5)
    for axis in (flat.xaxis, flat.yaxis, solid.xaxis, solid.yaxis, solid.zaxis):
        axis.set_major_formatter(digits)
    return picture


def digits(value: float, _: float = 0.0) -> str:
    """A number at a tick, whole: a power of ten beside the axis would lie on other words."""
    return f"{value:.4g}"


def span(values: Array, width: float) -> Array:
    """A grid over the values, as wide as asked for at least, and a margin of 30 %."""
    low, high = float(np.min(values)), float(np.max(values))
    spare = max(width - (high - low), 0) / 2
    low, high = low - spare, high + spare
    margin = 0.3 * (high - low) or 0.5 * abs(low) or 1.0
    return np.linspace(low - margin, high + margin, 121)
