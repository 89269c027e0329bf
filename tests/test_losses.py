"""Losses: values and gradients against formulas written out by hand, curvature, extremes, and every refusal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import microgd as mg
from microgd.errors import DtypeError, OptionError, ShapeError
from microgd.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    lp_loss,
    mse_loss,
)

FACTORS = {"mean": lambda m: 1 / m, "sum": lambda m: 1, "half_mean": lambda m: 1 / (2 * m), "half_sum": lambda m: 0.5}
every_reduction = pytest.mark.parametrize("reduction", FACTORS)
entries = lambda low, high: st.floats(low, high).map(lambda x: round(x, 6))  # nothing so small that it underflows
vectors = lambda low, high: arrays(float, 5, elements=entries(low, high))
numbers, probabilities = vectors(-10, 10), vectors(0.01, 0.99)
elementwise = pytest.mark.parametrize(
    "loss", [mse_loss, l1_loss, lp_loss, binary_cross_entropy, binary_cross_entropy_with_logits]
)


def leaf(value, dtype=float):
    return mg.tensor(value, dtype=dtype, requires_grad=True)


def swept(loss, z, *args, **kwargs):
    """The value of a loss and its gradient with respect to the prediction."""
    z = leaf(z)
    out = loss(z, *args, **kwargs)
    out.backward(np.ones(out.shape))
    return out.data, z.grad


class TestByHand:
    """Each value entry by entry in plain Python, each gradient from its formula."""

    @every_reduction
    @given(numbers, numbers)
    def test_mse(self, reduction, f, y):
        value, gradient = swept(mse_loss, f, y, reduction)
        factor = FACTORS[reduction](5)
        np.testing.assert_allclose(value, factor * sum((a - b) ** 2 for a, b in zip(f, y, strict=True)), rtol=1e-12)
        np.testing.assert_allclose(gradient, factor * 2 * (f - y), rtol=1e-12)

    @every_reduction
    @given(numbers, numbers)
    def test_l1(self, reduction, f, y):
        value, gradient = swept(l1_loss, f, y, reduction)
        factor = FACTORS[reduction](5)
        np.testing.assert_allclose(value, factor * sum(abs(a - b) for a, b in zip(f, y, strict=True)), rtol=1e-12)
        np.testing.assert_allclose(gradient, factor * np.sign(f - y), rtol=1e-12)

    @every_reduction
    @given(numbers, numbers, st.sampled_from([1, 1.5, 2, 2.0, 3, 4.5]))
    def test_lp(self, reduction, f, y, p):
        value, gradient = swept(lp_loss, f, y, p, reduction)
        factor, d = FACTORS[reduction](5), abs(f - y)
        np.testing.assert_allclose(value, factor * math.fsum(d**p), rtol=1e-12)
        np.testing.assert_allclose(gradient, factor * p * d ** (p - 1) * np.sign(f - y), rtol=1e-12)

    @every_reduction
    @given(probabilities, probabilities)
    def test_binary_cross_entropy(self, reduction, f, y):
        value, gradient = swept(binary_cross_entropy, f, y, reduction)
        each = [-(b * math.log(a) + (1 - b) * math.log(1 - a)) for a, b in zip(f, y, strict=True)]
        factor = FACTORS[reduction](5)
        np.testing.assert_allclose(value, factor * sum(each), rtol=1e-12)
        np.testing.assert_allclose(gradient, factor * (f - y) / (f * (1 - f)), rtol=1e-9, atol=1e-12)

    @every_reduction
    @given(numbers, probabilities)
    def test_binary_cross_entropy_with_logits(self, reduction, z, y):
        value, gradient = swept(binary_cross_entropy_with_logits, z, y, reduction)
        each = [max(a, 0) - a * b + math.log1p(math.exp(-abs(a))) for a, b in zip(z, y, strict=True)]
        factor = FACTORS[reduction](5)
        np.testing.assert_allclose(value, factor * sum(each), rtol=1e-12)
        np.testing.assert_allclose(gradient, factor * (1 / (1 + np.exp(-z)) - y), rtol=1e-9, atol=1e-12)

    @given(numbers, probabilities)
    def test_logits_and_probabilities_agree(self, z, y):
        of_logits = binary_cross_entropy_with_logits(z, y, "none")
        np.testing.assert_allclose(of_logits, binary_cross_entropy(mg.sigmoid(z), y, "none"), rtol=1e-9)

    @every_reduction
    @given(arrays(float, (4, 3), elements=entries(-10, 10)), arrays(int, 4, elements=st.sampled_from([0, 1, 2, -100])))
    def test_cross_entropy(self, reduction, z, labels):
        labels[0] = 1  # one row at least that counts
        value, gradient = swept(cross_entropy, z, labels, reduction)
        counted = [(row, label) for row, label in zip(z, labels, strict=True) if label != -100]
        each = [math.log(math.fsum(np.exp(row - row[label]))) for row, label in counted]
        factor = FACTORS[reduction](len(counted))
        np.testing.assert_allclose(value, factor * sum(each), rtol=1e-9, atol=1e-12)
        softmax = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        expected = (softmax - np.eye(3)[np.where(labels == -100, 0, labels)]) * (labels != -100)[:, None]
        np.testing.assert_allclose(gradient, factor * expected, rtol=1e-9, atol=1e-12)

    def test_two_classes_are_binary(self):
        z, y = np.array([-1.0, 0.5, 3.0]), np.array([0, 1, 1])
        binary = binary_cross_entropy_with_logits(z, y.astype(float))
        np.testing.assert_allclose(cross_entropy(np.stack([np.zeros(3), z], axis=1), y), binary, rtol=1e-14)


class TestEveryLoss:
    @elementwise
    @given(probabilities, probabilities)
    def test_reductions_are_of_the_entries(self, loss, f, y):
        each = loss(f, y, reduction="none")
        assert each.shape == f.shape
        for reduction, factor in FACTORS.items():
            np.testing.assert_allclose(loss(f, y, reduction=reduction), factor(5) * each.sum(), rtol=1e-12)

    @elementwise
    def test_the_mean_is_the_default(self, loss):
        f, y = np.array([0.2, 0.9]), np.array([0.0, 1.0])
        assert loss(f, y) == loss(f, y, reduction="mean")

    @elementwise
    @given(probabilities, probabilities)
    def test_the_target_has_a_gradient_too(self, loss, f, y):
        """By central differences; a kink between the two is as good as none."""
        y = np.where(abs(f - y) < 1e-3, f + 0.005, y)
        y = np.clip(y, 1e-5, 1 - 1e-5)
        target = leaf(y)
        loss(f, target, reduction="sum").backward()
        h = 1e-6
        slope = (loss(f, y + h, reduction="none") - loss(f, y - h, reduction="none")) / (2 * h)
        np.testing.assert_allclose(target.grad, slope, rtol=1e-5, atol=1e-7)

    @elementwise
    @pytest.mark.parametrize("reduction", [*FACTORS, "none"])
    def test_single_precision_stays_single(self, loss, reduction):
        f = leaf([0.25, 0.5], np.float32)
        out = loss(f, np.array([0, 1], np.float32), reduction=reduction)
        out.sum().backward()
        assert out.dtype == f.grad.dtype == np.float32

    def test_single_precision_stays_single_over_classes(self):
        z = leaf([[0.25, 0.5]], np.float32)
        out = cross_entropy(z, [1])
        out.backward()
        assert out.dtype == z.grad.dtype == np.float32

    @elementwise
    def test_tensors_arrays_lists_and_numbers(self, loss):
        f, y = [0.25, 0.5], [0.0, 1.0]
        expected = loss(np.array(f), np.array(y))
        assert loss(f, y) == expected
        assert loss(mg.tensor(f), mg.tensor(y)).item() == expected
        assert isinstance(expected, np.float64), "plain in, plain out"
        assert loss(0.25, 0.0) == loss([0.25], [0.0])


class TestCurvature:
    """Second derivatives, by grad of grad, against the formula."""

    @pytest.mark.parametrize(
        ("loss", "formula"),
        [
            (mse_loss, lambda f, y: 2 + 0 * f),
            (l1_loss, lambda f, y: 0 * f),
            (lambda f, y: lp_loss(f, y, 3), lambda f, y: 6 * abs(f - y)),
            (binary_cross_entropy, lambda f, y: y / f**2 + (1 - y) / (1 - f) ** 2),
            (binary_cross_entropy_with_logits, lambda z, y: np.exp(-z) / (1 + np.exp(-z)) ** 2),
        ],
        ids=["mse", "l1", "l3", "bce", "logits"],
    )
    @given(st.floats(0.05, 0.95), st.floats(0, 1))
    def test_second_derivative(self, loss, formula, f, y):
        if f == y:
            f += 0.01
        np.testing.assert_allclose(mg.grad(mg.grad(loss))(f, y), formula(f, y), rtol=1e-9, atol=1e-12)

    def test_even_powers_have_no_kink(self):
        assert mg.grad(mg.grad(lp_loss))(1.0, 1.0, 2) == 2
        assert mg.grad(mg.grad(lp_loss))(1.0, 1.0, 3) == 0

    def test_at_logit_zero(self):
        """Where weights that start at zero put every logit: the curvature is a quarter, not that of a kink."""
        assert mg.grad(mg.grad(binary_cross_entropy_with_logits))(0.0, 1.0) == 0.25

    def test_cross_entropy_has_the_hessian_of_logsumexp(self):
        z, v = np.array([[0.3, -1.0, 2.0]]), np.array([[1.0, -2.0, 0.5]])
        slope = mg.grad(lambda z: cross_entropy(z, [2]))
        s = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(mg.grad(lambda z: np.sum(slope(z) * v))(z), s * v - s * np.sum(s * v), rtol=1e-9)


class TestExtremes:
    def test_certain_probabilities(self):
        """Logarithms stop at -100, as in PyTorch: the worst answer costs 100, and every gradient is finite."""
        value, gradient = swept(binary_cross_entropy, [0.0, 1.0, 0.0, 1.0], np.array([1.0, 0.0, 0.0, 1.0]), "none")
        np.testing.assert_allclose(value, [100, 100, 0, 0], rtol=1e-15)
        assert np.isfinite(gradient).all()
        assert binary_cross_entropy(np.float32(0), np.float32(1)) == 100
        assert binary_cross_entropy([0, 1], [1, 1]) == 50, "whole numbers are probabilities too"

    def test_large_logits(self):
        z, y = [1000.0, -1000.0, 1000.0, -1000.0], np.array([1.0, 0.0, 0.0, 1.0])
        value, gradient = swept(binary_cross_entropy_with_logits, z, y, "none")
        np.testing.assert_array_equal(value, [0, 0, 1000, 1000])
        np.testing.assert_array_equal(gradient, [0, 0, 1, -1])

    def test_large_logits_of_classes(self):
        value, gradient = swept(cross_entropy, [[1000.0, -1000.0], [-1000.0, 1000.0]], [0, 0], "none")
        np.testing.assert_array_equal(value, [0, 2000])
        np.testing.assert_array_equal(gradient, [[0, 0], [-1, 1]])

    def test_agreement_has_no_slope(self):
        for loss in (mse_loss, l1_loss, lp_loss):
            assert swept(loss, [2.0], np.array([2.0]))[1] == 0

    def test_ignored_rows_leave_no_trace(self):
        value, gradient = swept(cross_entropy, [[0.0, 0.0], [5.0, 1.0]], [0, 7], "none", ignore_index=7)
        np.testing.assert_allclose(value, [math.log(2), 0], rtol=1e-15)
        np.testing.assert_array_equal(gradient, [[-0.5, 0.5], [0, 0]])


class TestKindsOfNumbers:
    @pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
    def test_whole_numbers_do_not_wrap_around(self, dtype):
        f, y = np.array([0, 100], dtype), np.array([100, 0], dtype)
        wide = f.astype(float), y.astype(float)
        for loss in (mse_loss, l1_loss, lp_loss):
            assert loss(f, y) == loss(*wide)

    def test_complex_errors_have_a_modulus(self):
        f, y = np.array([1j, 2 + 1j]), np.array([0j, 2 - 1j])
        assert mse_loss(f, y) == lp_loss(f, y) == 2.5
        z = mg.tensor(f, requires_grad=True)
        mse_loss(z, y).backward()
        np.testing.assert_allclose(z.grad, f - y)


class TestRefusals:
    @elementwise
    @pytest.mark.parametrize(
        ("shapes", "message"),
        [
            (((4, 1), (4,)), r"shape \(4, 1\) and target \(4,\).*prediction\[:, 0\].*reshape"),
            (((4,), (4, 1)), r"shape \(4,\) and target \(4, 1\).*target\[:, 0\].*reshape"),
            (((4,), (3,)), r"shape \(4,\) and target \(3,\)"),
            (((4,), ()), r"shape \(4,\) and target \(\)"),
        ],
    )
    def test_shapes(self, loss, shapes, message):
        f, y = np.full(shapes[0], 0.5), np.full(shapes[1], 0.5)
        with pytest.raises(ShapeError, match=f"{loss.__name__}.*{message}"):
            loss(f, y)
        with pytest.raises(ShapeError, match=message):
            loss(leaf(f), y)

    @elementwise
    def test_reduction(self, loss):
        with pytest.raises(OptionError, match="one of mean, sum, half_mean, half_sum, none, got 'average'"):
            loss(0.5, 0.5, reduction="average")

    @pytest.mark.parametrize("p", [0, 0.5, math.nan, math.inf])
    def test_exponent(self, p):
        with pytest.raises(OptionError, match=f"lp_loss: p must be .* got {p!r}"):
            lp_loss(1.0, 0.0, p)

    @pytest.mark.parametrize("f", [-0.1, 1.1])
    def test_what_is_no_probability(self, f):
        with pytest.raises(OptionError, match="binary_cross_entropy_with_logits"):
            binary_cross_entropy([0.5, f], [0.0, 1.0])

    @pytest.mark.parametrize("loss", [binary_cross_entropy, binary_cross_entropy_with_logits])
    def test_labels_of_another_school(self, loss):
        with pytest.raises(OptionError, match=rf"{loss.__name__}: targets.*\(labels \+ 1\) / 2"):
            loss([0.5, 0.5], [-1, 1])

    @pytest.mark.parametrize(
        ("labels", "error", "message"),
        [
            ([0, 3], OptionError, "label 3 is not one of the 3 classes, 0 to 2"),
            ([0, -1], OptionError, "label -1 is not"),
            ([0.0, 1.0], DtypeError, "integers; got float64"),
            ([0, 1, 2], ShapeError, r"\(N, C\) and labels \(N,\), got \(2, 3\) and \(3,\)"),
            ([[0], [1]], ShapeError, r"got \(2, 3\) and \(2, 1\)"),
            (np.eye(3)[:2], ShapeError, r"one-hot.*argmax\(axis=1\)"),
        ],
    )
    def test_labels(self, labels, error, message):
        with pytest.raises(error, match=message):
            cross_entropy(np.zeros((2, 3)), labels)

    def test_no_label_that_counts(self):
        with pytest.raises(OptionError, match="of 2 labels all are ignore_index=-100"):
            cross_entropy(np.zeros((2, 3)), [-100, -100])

    def test_logits_of_one_row(self):
        with pytest.raises(ShapeError, match=r"got \(3,\) and \(\)"):
            cross_entropy(np.zeros(3), 1)

    def test_reduction_of_classes(self):
        with pytest.raises(OptionError, match="got 'average'"):
            cross_entropy(np.zeros((1, 2)), [0], "average")


def test_an_ignored_row_among_losses_that_are_not_reduced():
    losses = cross_entropy(np.zeros((3, 2)), np.array([0, -100, 1]), reduction="none")
    np.testing.assert_allclose(losses, [np.log(2), 0, np.log(2)])
