"""Kinks: entries that stand on one, or close to one, are reported as that, with the operation and the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import microgd as mg
from microgd.check import gradcheck
from microgd.errors import GradientError


def branching(x):
    if x[0] > 0:
        return x * x
    return -x


KINKED = {
    "absolute": (lambda x: np.abs(x), [1e-7, 1.0]),
    "relu": (lambda x: mg.relu(x), [-1e-7, 1.0]),
    "maximum": (lambda x: np.maximum(x[0], 2 * x[1]), [1.0, 0.5 + 1e-8]),
    "minimum": (lambda x: np.minimum(x, 3.0), [3.0 + 1e-8, 1.0]),
    "clip": (lambda x: np.clip(x, -1, 1), [1.0, 0.5]),
    "max": (lambda x: np.max(2 * x), [1.0, 1.0 + 1e-8]),
    "min": (lambda x: np.min(x), [1.0, 1.0 + 1e-8]),
    "argsort": (lambda x: np.sort(x), [1.0, 1.0 - 1e-8]),
    "where": (lambda x: np.where(np.array([True, False]), x, 2 * x) + np.where(x > 0, x, 0), [1e-8, 1.0]),
    "floor": (lambda x: np.floor(x), [2.0, 0.5]),
    "remainder": (lambda x: np.remainder(x, 2.0), [2.0, 0.5]),
    "sign": (lambda x: x * np.sign(x), [1e-8, 0.5]),
    "greater": (branching, [1e-8, 0.5]),
    "sqrt": (lambda x: np.sqrt(x), [0.0, 0.5]),
    "cbrt": (lambda x: np.cbrt(x), [0.0, 0.5]),
    "reciprocal": (lambda x: np.reciprocal(x), [1e-7, 0.5]),
    "divide": (lambda x: 1.0 / x, [1e-7, 0.5]),
    "power": (lambda x: x**0.5, [0.0, 0.5]),
}


@pytest.mark.parametrize("operation", KINKED)
def test_every_kinked_operation_is_named_with_its_entry_and_line(operation):
    f, x = KINKED[operation]
    report = gradcheck(f, np.array(x))
    assert report
    kink = report.kinks[0]
    assert kink.entry == "x[0]"
    assert kink.operation == ("greater" if operation == "where" else operation)
    assert "test_kinks.py:" in kink.place
    assert kink.expression in Path(__file__).read_text()
    assert str(kink) in str(report)


def test_the_line_is_that_of_the_operation():
    def loss(w):
        hidden = w * 2
        out = mg.relu(hidden)
        return np.sum(out)

    (kink,) = gradcheck(loss, np.array([1.0, 1e-9])).kinks
    assert (kink.entry, kink.operation, kink.expression) == ("w[1]", "relu", "mg.relu(hidden)")
    assert kink.place.endswith("in loss")


def test_away_from_kinks_there_are_none():
    assert not gradcheck(lambda x: np.sum(np.abs(x) + np.maximum(x, 0.5)), np.array([1.0, -2.0])).kinks


def test_closer_to_a_kink_than_the_step_the_derivative_is_still_checked():
    leaky = mg.primitive(lambda x: np.maximum(x, 0), vjps=lambda g, x: np.where(x > 0, g, 0.5 * g))
    with pytest.raises(GradientError, match="wrong"):
        gradcheck(lambda x: leaky(x) + np.abs(x), np.array([-1e-7, 1.0]))
    assert gradcheck(lambda x: mg.relu(x) + np.abs(x), np.array([-1e-7, 1.0])).kinks[0].distance > 1e-8


def test_other_entries_are_still_wrong():
    wrong = mg.primitive(lambda x: x * x, vjps=lambda g, x: 3 * g * x)
    with pytest.raises(GradientError, match=r"x: 1 of 2 entries are wrong(.|\n)*x\[0\] is on a kink of relu"):
        gradcheck(lambda x: mg.relu(x) + wrong(x), np.array([0.0, 1.0]))


def test_a_function_by_itself_is_named_without_a_line():
    (kink,) = gradcheck(mg.relu, np.array([0.0, 1.0])).kinks
    assert (kink.operation, kink.place) == ("relu", "")


@pytest.mark.parametrize(
    ("operation", "f", "x"),
    [
        ("norm", lambda x: np.linalg.norm(x), np.zeros(3)),
        ("max", lambda x: np.max(x), np.ones(3)),
        ("absolute", lambda x: np.abs(x), np.zeros(3)),
        ("maximum", lambda x: np.maximum(x, np.zeros(3)), np.zeros(3)),
    ],
)
def test_a_kink_is_reported_even_where_the_difference_agrees_with_the_convention(operation, f, x):
    kinks = gradcheck(f, x).kinks
    assert [kink.entry for kink in kinks] == ["x[0]", "x[1]", "x[2]"]
    assert {kink.operation for kink in kinks} == {operation}
    assert {kink.distance for kink in kinks} == {0.0}


def test_the_second_derivative_at_a_kink_of_the_first():
    assert gradcheck(lambda x: x * np.abs(x), np.array([0.0, 1e-9, 1.0]), order=2).kinks
    assert gradcheck(lambda x: np.linalg.norm(x, axis=1), np.array([[0.0, 0.0], [1.0, 2.0]]), order=2).kinks


def hinge_with(slope):
    return mg.primitive(lambda x: np.maximum(x, 0), vjps=lambda g, x: g * np.where(x > 0, 1, np.where(x < 0, 0, slope)))


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_at_a_kink_every_slope_in_between_is_a_convention(slope):
    (kink,) = gradcheck(hinge_with(slope), np.array([0.0, 1.0])).kinks
    assert str(kink) == "x[0] is on a kink of the function: `<lambda>`"


@pytest.mark.parametrize("slope", [-1.0, 2.5, np.nan])
def test_at_a_kink_other_slopes_are_wrong(slope):
    with pytest.raises(GradientError, match=r"worst entry: x\[0\]"):
        gradcheck(hinge_with(slope), np.array([0.0, 1.0]))
    with pytest.raises(GradientError, match=r"worst entry: x\[0\]"):
        gradcheck(lambda x: mg.relu(x) + hinge_with(slope)(x), np.array([0.0, 1.0]))
