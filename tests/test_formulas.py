"""The engine and the losses against formulas derived by hand, as a textbook prints them.

Hypothesis draws the numbers; the formulas are exact, so only rounding may separate the two sides.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import microgd as mg
from microgd import optim
from microgd.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, l1_loss, lp_loss, mse_loss

SCALE = {"mean": lambda n: 1 / n, "sum": lambda n: 1.0, "half_mean": lambda n: 0.5 / n, "half_sum": lambda n: 0.5}
reductions = pytest.mark.parametrize("reduction", SCALE)
numbers = st.floats(-5, 5, allow_subnormal=False)


@st.composite
def samples(draw, labels=numbers):
    """A design matrix X (n, d), targets y (n,) and weights w (d,)."""
    n, d = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    return (
        draw(arrays(float, (n, d), elements=numbers)),
        draw(arrays(float, n, elements=labels)),
        draw(arrays(float, d, elements=numbers)),
    )


zero_or_one = st.sampled_from([0.0, 1.0])


def close(actual, expected, size=1.0):
    """Equal but for rounding; ``size`` is the largest term where sums cancel."""
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-10 * size)


def logistic(z):
    return 1 / (1 + np.exp(-z))


# ---- squared error -----------------------------------------------------------------------------------------


@reductions
@given(samples(), numbers, numbers)
def test_squared_error_of_a_line(reduction, drawn, m, b):
    """dL/dm = -2/n sum x (y - (m x + b)) and dL/db = -2/n sum (y - (m x + b)), for the mean of squares."""
    X, y, _ = drawn
    x = X[:, 0]
    dm, db = mg.grad(lambda m, b: mse_loss(m * x + b, y, reduction=reduction), argnums=(0, 1))(m, b)
    residual = y - (m * x + b)
    scale = SCALE[reduction](len(y))
    close(dm, -2 * scale * np.sum(x * residual))
    close(db, -2 * scale * np.sum(residual))


@reductions
@given(samples())
def test_squared_error_of_a_linear_model(reduction, drawn):
    """(2/m) X'(X w - y), for the mean of squares of m samples."""
    X, y, w = drawn
    close(
        mg.grad(lambda w: mse_loss(X @ w, y, reduction=reduction))(w),
        2 * SCALE[reduction](len(y)) * X.T @ (X @ w - y),
    )


@reductions
@given(samples(), st.floats(1, 3))
def test_absolute_error_and_its_powers(reduction, drawn, p):
    """For e = X w - y: X' sign(e) / m from the mean of |e|, and X' (p |e|^(p - 1) sign(e)) / m from that of |e|^p."""
    X, y, w = drawn
    scale, e = SCALE[reduction](len(y)), X @ w - y
    close(mg.grad(lambda w: l1_loss(X @ w, y, reduction=reduction))(w), scale * X.T @ np.sign(e))
    share = p * np.abs(e) ** (p - 1) * np.sign(e)
    close(
        mg.grad(lambda w: lp_loss(X @ w, y, p, reduction=reduction))(w),
        scale * X.T @ share,
        size=1 + np.max(np.abs(share)),
    )


# ---- sigmoid and log loss ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sigmoid", [mg.sigmoid, logistic], ids=["sigmoid", "written out"])
@given(samples(), numbers, numbers)
def test_sigmoid_neuron(sigmoid, drawn, w, b):
    """L = 1/2 sum (f - y)^2: dL/dw = sum (f - y) f (1 - f) x and dL/db = sum (f - y) f (1 - f)."""
    X, y, _ = drawn
    x = X[:, 0]
    dw, db = mg.grad(lambda w, b: 0.5 * np.sum((sigmoid(w * x + b) - y) ** 2), argnums=(0, 1))(w, b)
    f = logistic(w * x + b)
    close(dw, np.sum((f - y) * f * (1 - f) * x))
    close(db, np.sum((f - y) * f * (1 - f)))


@given(samples(labels=zero_or_one))
def test_log_loss_of_logistic_regression(drawn):
    """X'(p - y)/m, from logits, from probabilities that have not rounded to 0 or 1, and written out."""
    X, y, w = drawn
    p = logistic(X @ w)
    expected = X.T @ (p - y) / len(y)
    close(mg.grad(lambda w: binary_cross_entropy_with_logits(X @ w, y))(w), expected)
    assume(np.all(np.abs(X @ w) < 10))  # 1 - p loses a digit for every 2.3 that the logit grows

    def written_out(w):
        p = logistic(X @ w)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    close(mg.grad(written_out)(w), expected)
    close(mg.grad(lambda w: binary_cross_entropy(mg.sigmoid(X @ w), y))(w), expected)


# ---- penalties ---------------------------------------------------------------------------------------------

weights = arrays(float, st.integers(1, 6), elements=numbers)
away_from_zero = arrays(float, st.integers(1, 6), elements=st.floats(0.1, 5) | st.floats(-5, -0.1))


@given(weights, st.floats(0, 2))
def test_penalties(w, strength):
    """lambda sum |w| has the gradient lambda sign(w); lambda sum w^2 has 2 lambda w."""
    close(mg.grad(lambda w: strength * np.sum(np.abs(w)))(w), strength * np.sign(w))
    close(mg.grad(lambda w: strength * np.sum(w**2))(w), 2 * strength * w)


@given(away_from_zero, st.floats(1, 6))
def test_lp_norm(w, p):
    """||w||_p = (sum |w|^p)^(1/p) has the gradient sign(w) (|w| / ||w||_p)^(p - 1); p = 2 gives w / ||w||."""
    norm = np.sum(np.abs(w) ** p) ** (1 / p)
    close(
        mg.grad(lambda w: np.sum(np.abs(w) ** p) ** (1 / p))(w),
        np.sign(w) * (np.abs(w) / norm) ** (p - 1),
    )
    close(mg.grad(lambda w: np.sqrt(np.sum(w * w)))(w), w / np.sqrt(np.sum(w * w)))


# ---- why descent works -------------------------------------------------------------------------------------


def log_loss(X, y):
    return lambda w: binary_cross_entropy_with_logits(X @ w, y)


def hessian(f, w):
    """One row per component of the gradient: the gradient of that component."""
    return np.array([mg.grad(lambda v, k=k: mg.grad(f)(v)[k])(w) for k in range(len(w))])


@given(samples(labels=zero_or_one), st.floats(0.01, 1.99))
def test_a_small_step_against_the_gradient_lowers_the_loss(drawn, step):
    """The descent lemma: f(w - t g) <= f(w) - t (1 - t M / 2) |g|^2 for t < 2 / M, M the largest curvature.

    For log loss the curvature is at most |X|^2 / (4 m).
    """
    X, y, w = drawn
    f = log_loss(X, y)
    curvature = np.linalg.norm(X, 2) ** 2 / (4 * len(y))
    assume(curvature > 1e-3)
    t = step / curvature
    g = mg.grad(f)(w)
    promised = t * (1 - step / 2) * g @ g
    assert f(w - t * g) <= f(w) - promised + 1e-13 * (1 + f(w))
    if promised > 1e-12:
        assert f(w - t * g) < f(w)


@given(samples(labels=zero_or_one), st.integers(0, 1000))
def test_no_direction_descends_faster_than_the_negative_gradient(drawn, seed):
    """The derivative of f(w + t u) by t at 0 is g . u; over unit vectors u it is least, -|g|, at u = -g / |g|."""
    X, y, w = drawn
    f = log_loss(X, y)
    g = mg.grad(f)(w)
    length = np.linalg.norm(g)
    assume(length > 1e-6)

    def along(u):
        return mg.grad(lambda t: f(w + t * u))(0.0)

    directions = np.random.default_rng(seed).normal(size=(10, len(w)))
    for u in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        close(along(u), g @ u)
        assert along(u) >= -length - 1e-12
    close(along(-g / length), -length)


@given(samples(), arrays(float, 4, elements=numbers))
def test_second_order_remainder_of_a_quadratic_is_exact(drawn, u):
    """f(w + u) - f(w) - g . u = u'Hu / 2, and H = 2 X'X / m for the mean of squares."""
    X, y, w = drawn
    u = u[: len(w)]
    f = lambda w: mse_loss(X @ w, y)
    H = hessian(f, w)
    close(H, 2 * X.T @ X / len(y))
    close(f(w + u) - f(w) - mg.grad(f)(w) @ u, u @ H @ u / 2)


@given(samples(labels=zero_or_one), arrays(float, 4, elements=st.floats(-1, 1)))
def test_second_order_remainder_of_log_loss(drawn, u):
    """(f(w + t u) - f(w) - t g . u) / t^2 tends to u'Hu / 2, with H = X' diag(p (1 - p)) X / m."""
    X, y, w = drawn
    u = u[: len(w)]
    f = log_loss(X, y)
    p = logistic(X @ w)
    H = hessian(f, w)
    close(H, X.T @ ((p * (1 - p))[:, None] * X) / len(y))
    slope = mg.grad(f)(w) @ u
    t = 2.0**-10
    remainders = [(f(w + s * u) - f(w) - s * slope) / s**2 for s in (t, -t)]
    # Their mean has lost the odd third order; |d^4 f| <= |X u|^4 / 8 bounds what is left, beside rounding.
    left = t**2 / 24 * np.max(np.abs(X @ u)) ** 4 / 8
    assert abs(np.mean(remainders) - u @ H @ u / 2) <= left + 2e-15 * (1 + f(w)) / t**2


# ---- batches and steps -------------------------------------------------------------------------------------


@given(samples(), st.integers(0, 1000), st.data())
def test_mini_batch_gradients_average_to_the_full_gradient(drawn, seed, data):
    """Over a partition of the samples: plainly if the parts are equal, weighted by their sizes if not."""
    X, y, w = drawn
    n = len(y)
    gradient = lambda rows: mg.grad(lambda w: mse_loss(X[rows] @ w, y[rows]))(w)
    order = np.random.default_rng(seed).permutation(n)
    full = gradient(np.arange(n))

    size = data.draw(st.sampled_from([k for k in range(1, n + 1) if n % k == 0]))
    close(np.mean([gradient(rows) for rows in order.reshape(-1, size)], axis=0), full)

    cuts = data.draw(st.sets(st.integers(1, n - 1)) if n > 1 else st.just(set()))
    parts = np.split(order, sorted(cuts))
    close(np.average([gradient(rows) for rows in parts], axis=0, weights=[len(rows) for rows in parts]), full)


@given(samples(), numbers, numbers)
def test_all_parameters_move_at_once(drawn, m0, b0):
    """Both derivatives are taken at the old point; taking the second at the new m gives another step."""
    X, y, _ = drawn
    x, rate = X[:, 0], 0.01
    slopes = mg.grad(lambda m, b: mse_loss(m * x + b, y), argnums=(0, 1))
    dm, db = slopes(m0, b0)
    m, b = mg.tensor(m0, requires_grad=True), mg.tensor(b0, requires_grad=True)
    optimizer = optim.SGD([m, b], lr=rate)
    mse_loss(m * x + b, y).backward()
    optimizer.step()
    close((m.item(), b.item()), (m0 - rate * dm, b0 - rate * db))

    one_after_the_other = b0 - rate * slopes(m0 - rate * dm, b0)[1]
    assume(abs(rate**2 * 2 * np.mean(x) * dm) > 1e-6)  # d^2 L / dm db = 2 mean(x): without it there is no difference
    assert abs(b.item() - one_after_the_other) > 0.9e-6


RULES = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "Momentum": lambda p: optim.Momentum(p, lr=0.1),
    "Nesterov": lambda p: optim.Nesterov(p, lr=0.1),
    "AdaGrad": lambda p: optim.AdaGrad(p, lr=0.1),
    "RMSProp": lambda p: optim.RMSProp(p, lr=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
}


@pytest.mark.parametrize("rule", RULES)
def test_no_optimizer_lets_one_parameter_see_the_others_step(rule):
    """Two parameters under one optimizer walk as each would under its own, given gradients from the same point."""
    x, y = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    slopes = mg.grad(lambda m, b: mse_loss(m * x + b, y), argnums=(0, 1))
    together = [mg.tensor(0.5, requires_grad=True), mg.tensor(-1.0, requires_grad=True)]
    apart = [mg.tensor(0.5, requires_grad=True), mg.tensor(-1.0, requires_grad=True)]
    one, each = RULES[rule](together), [RULES[rule]([p]) for p in apart]
    for _step in range(5):
        one.zero_grad()
        m, b = together
        mse_loss(m * x + b, y).backward()
        one.step()
        for p, g in zip(apart, slopes(*(p.item() for p in apart)), strict=True):
            p.grad = g
        for optimizer in each:
            optimizer.step()
        np.testing.assert_allclose([p.item() for p in together], [p.item() for p in apart], rtol=1e-12)
