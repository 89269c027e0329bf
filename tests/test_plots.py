"""What the pictures show: their data, not their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from microgd.plots import error_surface, learning_curve, line_as_it_moves, v_curve
from microgd.plots.curves import moments


def test_learning_curve_shows_every_loss():
    losses = [100.0, 10.0, 1.0, 0.5]
    (axes,) = learning_curve(losses, "mean squared error").axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), losses)
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "mean squared error"
    assert learning_curve([2.0, 1.0]).axes[0].get_yscale() == "linear"


def test_a_long_run_says_that_its_axis_is_logarithmic():
    for count, scale, label in ((101, "symlog", "epoch (logarithmic axis)"), (100, "linear", "epoch")):
        (axes,) = learning_curve(np.linspace(2, 1, count)).axes
        assert (axes.get_xscale(), axes.get_xlabel()) == (scale, label)


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
    error_surface(lambda a, b: a * 0 + b * 0, np.zeros((3, 2)), ("a", "b")).draw_without_rendering()


def test_names_are_not_read_as_mathematics():
    name, path = r"$\frac{$", np.array([[0.0, 0.0], [1.0, 1.0]])
    pictures = [
        learning_curve([2.0, 1.0], name),
        line_as_it_moves(path[:, 0], path[:, 1], path, lambda grid, p: p[0] + p[1] * grid, (name, name)),
        error_surface(lambda a, b: a**2 + b**2, path, (name, name), loss_name=name),
        v_curve([1e-3, 1e-5], [1e-6, 1e-10], name=name),
    ]
    for picture in pictures:
        picture.draw_without_rendering()  # a name read as mathematics does not parse


def bowl(a, b):
    return (a - 3) ** 2 + (b - 1) ** 2


def test_one_scale_makes_circles_round():
    path = np.array([[0.0, 0.9], [3.0, 1.0]])
    flat = error_surface(bowl, path, ("a", "b"), one_scale=True).axes[0]
    assert flat.get_aspect() == 1
    assert np.ptp(flat.get_xlim()) == pytest.approx(np.ptp(flat.get_ylim()))
    assert error_surface(bowl, path, ("a", "b")).axes[0].get_aspect() == "auto"


def test_the_colours_begin_at_the_lowest_loss_and_numbers_stand_whole():
    path = np.array([[0.0, 1e12], [2e12, 0.0]])
    picture = error_surface(lambda a, b: (a - 2e12) ** 2 + b**2, path, ("a", "b"), np.array([2e12, 0.0]))
    picture.draw_without_rendering()
    flat, bar, solid = picture.axes
    assert bar.get_ylim()[0] >= 0
    axes = (flat.xaxis, flat.yaxis, solid.xaxis, solid.yaxis, solid.zaxis, bar.yaxis)
    assert all(axis.get_offset_text().get_text() == "" for axis in axes)
    assert "2e+12" in [label.get_text() for label in flat.get_xticklabels()]


def test_the_end_is_marked_and_the_view_is_over_the_lowest_corner():
    path = np.array([[0.0, 0.0], [3.0, 1.0]])
    flat, _, solid = error_surface(bowl, path, ("a", "b")).axes
    end = next(line for line in flat.lines if line.get_label() == "end")
    np.testing.assert_array_equal([*end.get_xdata(), *end.get_ydata()], path[-1])
    assert solid.azim == 30  # the corner where both parameters are large: the valley lies there
    mirrored = error_surface(lambda a, b: bowl(-a, -b), -path, ("a", "b")).axes[2]
    assert mirrored.azim == 210


def test_a_loss_that_is_the_same_everywhere_can_be_drawn():
    error_surface(lambda a, b: 5.0 + 0 * a * b, np.zeros((3, 2)), ("a", "b")).draw_without_rendering()
