"""What the pictures show: their data, not their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from microgd.plots import error_surface, learning_curve, line_as_it_moves
from microgd.plots.curves import moments


def test_learning_curve_shows_every_loss():
    losses = [100.0, 10.0, 1.0, 0.5]
    (axes,) = learning_curve(losses, "mean squared error").axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), losses)
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "mean squared error"
    assert learning_curve([2.0, 1.0]).axes[0].get_yscale() == "linear"


def test_the_line_moves_from_start_to_end():
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    path = np.array([[0.0, 0.0], [0.5, 0.5], [0.9, 0.9], [1.0, 1.0]])
    picture = line_as_it_moves(x, y, path, lambda grid, p: p[0] + p[1] * grid, ("hours", "score"), best=np.ones(2))
    axes = picture.axes[0]
    first, last, best = axes.lines[0], axes.lines[-2], axes.lines[-1]
    assert first.get_ydata()[-1] == 0.0
    assert last.get_ydata()[-1] == best.get_ydata()[-1] == 3.0
    assert [t.get_text() for t in picture.legends[0].get_texts()] == [
        "data",
        "start",
        "after 1 epoch",
        "after 2 epochs",
        "after 3 epochs",
        "closed form",
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("hours", "score")


@pytest.mark.parametrize("count", [2, 3, 10, 1001])
def test_moments_hold_both_ends(count):
    chosen = moments(count)
    assert chosen[0] == 0
    assert chosen[-1] == count - 1
    assert len(chosen) <= 9


@pytest.mark.parametrize("best", [None, np.array([3.0, 1.0])])
def test_surface_shows_the_whole_path_at_its_true_height(best):
    path = np.array([[0.0, 0.0], [2.0, 0.5], [2.9, 0.9]])

    def loss(a, b):
        return (a - 3) ** 2 + 5 * (b - 1) ** 2

    flat, _, solid = error_surface(loss, path, ("intercept", "slope"), best).axes
    drawn = flat.lines[1]
    np.testing.assert_array_equal(np.column_stack([drawn.get_xdata(), drawn.get_ydata()]), path)
    for low, high, column in (*flat.get_xlim(), 0), (*flat.get_ylim(), 1):
        assert low < path[:, column].min()
        assert high > path[:, column].max()
    xs, ys, zs = solid.lines[0].get_data_3d()
    np.testing.assert_allclose(zs, loss(np.array(xs), np.array(ys)))


def test_a_path_that_stands_still_can_be_drawn():
    error_surface(lambda a, b: a * 0 + b * 0, np.zeros((3, 2)), ("a", "b")).canvas.draw()
