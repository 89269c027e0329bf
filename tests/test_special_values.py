"""Points where a formula is awkward and mathematics, or a stated choice, gives the answer: a table of its own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import microgd as mg

inf = np.inf

# (what, function, point, derivative)
POINTS = [
    ("relu at 0", mg.relu, 0.0, 0.0),
    ("abs at 0", np.abs, 0.0, 0.0),
    ("abs at -0", np.abs, -0.0, 0.0),
    ("sqrt at 0", np.sqrt, 0.0, inf),
    ("cbrt at 0", np.cbrt, 0.0, inf),
    ("log at 0", np.log, 0.0, inf),
    ("sign", lambda x: np.sign(x) * x, 3.0, 1.0),
    ("floor", lambda x: np.floor(x) + x, 2.0, 1.0),
    ("round", lambda x: np.round(x) * 2 + x, 2.5, 1.0),
    ("clip at the lower bound", lambda x: np.clip(x, 1, 2), 1.0, 1.0),
    ("clip at the upper bound", lambda x: np.clip(x, 1, 2), 2.0, 1.0),
    ("clip outside", lambda x: np.clip(x, 1, 2), 2.5, 0.0),
    ("maximum in a tie", lambda x: np.maximum(x, 1.0), 1.0, 0.5),
    ("minimum in a tie", lambda x: np.minimum(x, 1.0), 1.0, 0.5),
    ("maximum with itself", lambda x: np.maximum(x, x), 1.0, 1.0),
    ("fmax against NaN", lambda x: np.fmax(x, np.nan), 1.0, 1.0),
    ("x ** 2 at 0", lambda x: x**2, 0.0, 0.0),
    ("x ** 1 at 0", lambda x: x**1, 0.0, 1.0),
    ("x ** 0 at 0", lambda x: x**0, 0.0, 0.0),
    ("x ** 0.0 at 0", lambda x: x**0.0, 0.0, 0.0),
    ("x ** 2.0 below 0", lambda x: x**2.0, -3.0, -6.0),
    ("a guarded power above 1", lambda x: np.where(x > 0, x**1.5, 0.0), -1.0, 0.0),
    ("angle at 0", lambda x: np.angle(x), 0.0, 0.0),
    ("angle of a complex 0", lambda x: np.angle(x * (1 + 2j)), 0.0, 0.0),
    ("0 ** y", lambda y: np.float64(0.0) ** y, 2.0, 0.0),
    ("tanh far out", np.tanh, 1000.0, 0.0),
    ("sigmoid far left", mg.sigmoid, -1000.0, 0.0),
    ("sigmoid far right", mg.sigmoid, 1000.0, 0.0),
    ("softplus far right", mg.softplus, 1000.0, 1.0),
    ("softplus far left", mg.softplus, -1000.0, 0.0),
    ("logaddexp far apart", lambda x: np.logaddexp(x, -1000.0), 1000.0, 1.0),
    ("logaddexp of equals", lambda x: np.logaddexp(x, 1000.0), 1000.0, 0.5),
    ("logaddexp with -inf", lambda x: np.logaddexp(x, -inf), 3.0, 1.0),
    ("hypot at 0", lambda x: np.hypot(x, 0.0), 0.0, 0.0),
    ("arctan2 on the axis", lambda y: np.arctan2(y, -1.0), 0.0, -1.0),
    ("remainder below 0", lambda x: x % 3.0, -1.0, 1.0),
    ("a guarded sqrt, branch not taken", lambda x: np.where(x > 0, np.sqrt(np.abs(x)), 0.0), 0.0, 0.0),
    ("a guarded sqrt, branch taken", lambda x: np.where(x > 0, np.sqrt(x), 0.0), 4.0, 0.25),
    ("a guarded power", lambda x: np.where(x > 0, x**0.5, 0.0), 0.0, 0.0),
    ("a guarded power of a power", lambda x: np.where(x > 0, (x**0.5) ** 0.5, 0.0), 0.0, 0.0),
    ("a guarded x log x", lambda x: np.where(x > 0, x * np.log(x), 0.0), 0.0, 0.0),
    ("a guarded x / x", lambda x: np.where(x > 0, x / x, 1.0), 0.0, 0.0),
    ("a guarded product of reciprocals", lambda x: np.where(x > 0, (1 / x) * (1 / x), 0.0), 0.0, 0.0),
    ("0 times sqrt: an exact zero wins", lambda x: 0.0 * np.sqrt(x), 0.0, 0.0),
    ("std of equal numbers", lambda x: np.std(x * np.ones(3)), 2.0, 0.0),
    ("prod with one zero", lambda x: np.prod(mg.array([x, 2.0, 3.0])), 0.0, 6.0),
    ("prod with two zeros", lambda x: np.prod(mg.array([x, 0.0, 3.0])), 0.0, 0.0),
]

# (what, function, point, second derivative)
CURVATURES = [
    ("relu at 0", mg.relu, 0.0, 0.0),
    ("abs at 0", np.abs, 0.0, 0.0),
    ("x ** 2 at 0", lambda x: x**2, 0.0, 2.0),
    ("x ** 3 at 0", lambda x: x**3, 0.0, 0.0),
    ("x ** 3.0 at 0", lambda x: x**3.0, 0.0, 0.0),
    ("x ** 1 at 0", lambda x: x**1, 0.0, 0.0),
    ("x ** 0 at 0", lambda x: x**0, 0.0, 0.0),
    ("square at 0", np.square, 0.0, 2.0),
    ("tanh far out", np.tanh, 1000.0, 0.0),
    ("sigmoid far left", mg.sigmoid, -1000.0, 0.0),
    ("sigmoid far right", mg.sigmoid, 1000.0, 0.0),
    ("softplus far right", mg.softplus, 1000.0, 0.0),
    ("softplus far left", mg.softplus, -1000.0, 0.0),
    ("softplus at 0", mg.softplus, 0.0, 0.25),
    ("logaddexp far apart", lambda x: np.logaddexp(x, -1000.0), 1000.0, 0.0),
    ("logaddexp of equals", lambda x: np.logaddexp(x, 1000.0), 1000.0, 0.25),
    ("maximum with itself", lambda x: np.maximum(x * x, x * x), 1.0, 2.0),
    ("clip inside", lambda x: np.clip(x, -1, 1) ** 2, 0.5, 2.0),
    ("a guarded sqrt", lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0, 0.0),
    ("a guarded log", lambda x: np.where(x > 0, np.log(x), 0.0), 0.0, 0.0),
    ("a guarded division", lambda x: np.where(x > 0, 1 / x, 0.0), 0.0, 0.0),
    ("a guarded power", lambda x: np.where(x > 0, x**0.5, 0.0), 0.0, 0.0),
    ("a guarded x log x", lambda x: np.where(x > 0, x * np.log(x), 0.0), 0.0, 0.0),
    ("a guarded product of reciprocals", lambda x: np.where(x > 0, (1 / x) * (1 / x), 0.0), 0.0, 0.0),
    ("a guarded x log x below 0", lambda x: np.where(x > 0, x * np.log(x), 0.0), -1.0, 0.0),
    ("a guarded x sqrt x", lambda x: np.where(x > 0, x * np.sqrt(x), 0.0), 0.0, 0.0),
    ("a guarded cube of a root", lambda x: np.where(x > 0, np.sqrt(x) * np.sqrt(x) * np.sqrt(x), 0.0), 0.0, 0.0),
    ("a guarded cube of a root below 0", lambda x: np.where(x > 0, np.sqrt(x) ** 2 * np.sqrt(x), 0.0), -1.0, 0.0),
    ("a guarded square of a logarithm below 0", lambda x: np.where(x > 0, np.log(x) ** 2, 0.0), -1.0, 0.0),
    ("a guarded sine of a logarithm below 0", lambda x: np.where(x > 0, np.sin(np.log(x)), 0.0), -1.0, 0.0),
    ("a guarded sine of a reciprocal", lambda x: np.where(x > 0, np.sin(1 / x), 0.0), 0.0, 0.0),
    ("a square of numbers only", lambda x: np.where(np.isnan(x), 0.0, x * x), np.nan, 0.0),
    ("a guarded norm", lambda x: np.where(x > 0, np.linalg.norm(mg.array([x, 0.0])), 0.0), 0.0, 0.0),
    ("a guarded power above 1", lambda x: np.where(x > 0, x**1.5, 0.0), -1.0, 0.0),
    ("a guarded reciprocal", lambda x: np.where(x > 0, np.reciprocal(x), 0.0), 0.0, 0.0),
    ("a guarded arccosh", lambda x: np.where(x > 1, np.arccosh(x), 0.0), 1.0, 0.0),
    ("a guarded arccosh below 0", lambda x: np.where(x > 1, np.arccosh(x), 0.0), -1.0, 0.0),
    ("angle at 0", lambda x: np.angle(x), 0.0, 0.0),
    ("angle of a complex 0", lambda x: np.angle(x * (1 + 2j)), 0.0, 0.0),
    ("abs of a complex 0", lambda x: np.abs(x * (3 + 4j)), 0.0, 0.0),
    ("a guarded arcsin", lambda x: np.where(x < 1, np.arcsin(x), 0.0), 1.0, 0.0),
    ("a guarded arctanh", lambda x: np.where(x < 1, np.arctanh(x), 0.0), 1.0, 0.0),
    ("prod with two zeros", lambda x: np.prod(mg.array([x, x, 3.0])), 0.0, 6.0),
    ("cumprod with zeros", lambda x: np.cumprod(mg.array([x, x, 3.0]))[-1], 0.0, 6.0),
    ("logsumexp far apart", lambda x: mg.logsumexp(mg.array([x, -1000.0])), 1000.0, 0.0),
    ("softmax saturated", lambda x: mg.softmax(mg.array([x, -1000.0]))[0], 1000.0, 0.0),
    ("log_softmax saturated", lambda x: mg.log_softmax(mg.array([x, -1000.0]))[0], 1000.0, 0.0),
    ("sinc at 0", np.sinc, 0.0, -(np.pi**2) / 3),
]

MASKED = [
    ("relu", mg.relu, [0.0, inf, 0.0]),
    ("where", lambda x: np.where(x > 0, x, 0.0), [0.0, inf, 0.0]),
    ("where, the other branch", lambda x: np.where(x > 0, 0.0, x), [-inf, 0.0, np.nan]),
    ("maximum", lambda x: np.maximum(x, 0.5), [0.0, inf, 0.0]),
    ("minimum", lambda x: np.minimum(x, 0.5), [-inf, 0.0, np.nan]),
    ("minimum in a tie", lambda x: np.minimum(x, 3.0), [-inf, inf, np.nan]),
    ("clip", lambda x: np.clip(x, -1, 4), [0.0, inf, np.nan]),
]

GUARDED = [
    ("log", lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0)),
    ("sqrt", lambda x: np.where(x > 0, np.sqrt(x), 0.0)),
    ("division", lambda x: np.where(x != 0, np.abs(x) / (x + (x == 0)), 0.0)),
    ("power", lambda x: np.where(x > 0, x**0.25, 0.0)),
    ("norm", lambda x: np.where(x > 0, np.sqrt(x * x), 0.0)),
]


@pytest.mark.parametrize(("what", "f", "point", "derivative"), POINTS, ids=[p[0] for p in POINTS])
def test_first_derivative(what, f, point, derivative):
    with np.errstate(divide="ignore", invalid="ignore"):  # NumPy warns of log(0) on the way there, as it should
        assert mg.grad(f)(point) == derivative
        x = mg.tensor(point, requires_grad=True)
        f(x).backward()
        assert x.grad == derivative
        single = mg.grad(lambda x: np.sum(f(x)))(np.float32(point))
        assert single == derivative
        assert single.dtype == np.float32


@pytest.mark.parametrize(("what", "f", "point", "derivative"), POINTS, ids=[p[0] for p in POINTS])
def test_forward_mode_and_batches_at_the_same_points(what, f, point, derivative):
    with np.errstate(all="ignore"):
        assert mg.jvp(f, (point,), (1.0,))[1] == derivative
        np.testing.assert_array_equal(mg.vmap(mg.grad(f))(np.array([point, point])), [derivative] * 2)


@pytest.mark.parametrize(("what", "f", "point", "curvature"), CURVATURES, ids=[p[0] for p in CURVATURES])
def test_second_derivative(what, f, point, curvature):
    with np.errstate(all="ignore"):
        assert mg.grad(mg.grad(f))(point) == pytest.approx(curvature, abs=1e-12)
        assert mg.jvp(mg.grad(f), (point,), (1.0,))[1] == pytest.approx(curvature, abs=1e-12)
        assert mg.grad(lambda x: mg.jvp(f, (x,), (1.0,))[1])(point) == pytest.approx(curvature, abs=1e-12)
        assert mg.hessian(f)(point) == pytest.approx(curvature, abs=1e-12)
        x = mg.tensor(point, requires_grad=True)
        f(x).backward(create_graph=True)
        slope = x.grad
        if slope.requires_grad:
            x.grad = None
            slope.backward()
            assert x.grad == pytest.approx(curvature, abs=1e-12)


@pytest.mark.parametrize(("what", "f"), GUARDED, ids=[g[0] for g in GUARDED])
def test_the_branch_not_taken_poisons_nothing(what, f):
    assert mg.grad(f)(0.0) == 0.0
    assert mg.grad(mg.grad(f))(0.0) == 0.0
    values = np.array([0.0, 4.0, 0.0])
    g = mg.grad(lambda x: np.sum(f(x) * np.array([1.0, 2.0, 3.0])))(values)
    assert g[1] == pytest.approx(2 * mg.grad(f)(4.0))
    assert g[0] == g[2] == 0.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.longdouble])
@pytest.mark.parametrize(("what", "f", "gradient"), MASKED, ids=[m[0] for m in MASKED])
def test_what_a_mask_stops_is_exactly_zero_whatever_comes_from_above(what, f, gradient, dtype):
    x, above = np.array([-2.0, 3.0, -0.5], dtype), np.array([-inf, inf, np.nan], dtype)
    _, pullback = mg.vjp(f, x)
    (g,) = pullback(above)
    np.testing.assert_array_equal(g, np.array(gradient, dtype))
    assert not np.any(np.signbit(g[g == 0]))
    np.testing.assert_array_equal(mg.jvp(f, (x,), (above,))[1], g)


@pytest.mark.parametrize(
    "reduced",
    [
        np.max,
        np.ptp,
        np.linalg.norm,
        mg.logsumexp,
        lambda v: v @ v,
        lambda v: mg.softmax(v)[0],
        lambda v: np.cross(v, v)[0],
    ],
)
def test_the_branch_not_taken_poisons_no_reduction(reduced):
    f = lambda x: np.where(x > 0, reduced(np.stack([x / x, x, x])), x)
    with np.errstate(invalid="ignore"):
        assert mg.grad(f)(0.0) == 1.0
        assert mg.jvp(f, (0.0,), (1.0,))[1] == 1.0


@pytest.mark.parametrize("function", [mg.logsumexp, mg.softmax, mg.log_softmax])
def test_a_row_that_is_masked_twice(function):
    """Attention's rows without a key: -inf everywhere, and what comes of it not used."""
    rows, weights = np.array([[0.0, 1.0], [-inf, -inf]]), np.array([1.0, 2.0])

    def loss(x):
        answer = np.reshape(function(x, axis=1) * (1.0 if function is mg.logsumexp else weights), (2, -1))
        return np.sum(np.where(np.array([[True], [False]]), answer, 0.0))

    with np.errstate(invalid="ignore"):
        g = mg.grad(loss)(rows)
    assert np.all(g[0] != 0)
    np.testing.assert_array_equal(g[1], 0)


@pytest.mark.parametrize(
    ("call", "point", "curvature"),
    [
        (lambda sp, x: sp.gammainc(2.0, x), 0.0, 1.0),
        (lambda sp, x: sp.gammaincc(2.0, x), 0.0, -1.0),
        (lambda sp, x: sp.gammainc(2.0, x), np.inf, 0.0),
        (lambda sp, x: sp.betainc(2.0, 2.0, x), 0.0, 6.0),
        (lambda sp, x: sp.betainc(2.0, 2.0, x), 1.0, -6.0),
    ],
)
def test_distributions_at_the_edge_of_their_range(call, point, curvature):
    sp = pytest.importorskip("scipy.special")
    assert mg.hvp(lambda x: call(sp, x))(point, 1.0) == pytest.approx(curvature)


@pytest.mark.parametrize("name", ["erfcx", "dawsn", "i0e", "i1e", "k0e", "k1e", "rgamma", "log_ndtr", "beta", "fdtrc"])
def test_functions_that_vanish_far_out_have_derivatives_that_do(name):
    sp = pytest.importorskip("scipy.special")
    parameters = {"beta": (2.5,), "fdtrc": (2.5, 1.5)}.get(name, ())
    f = lambda x: getattr(sp, name)(*parameters, x)
    assert f(inf) == mg.grad(f)(inf) == mg.grad(mg.grad(f))(inf) == mg.hvp(f)(inf, 1.0) == 0.0


@pytest.mark.parametrize(
    ("name", "point", "slope"),
    [
        ("erfcx", 1e6, -1e-12 / np.sqrt(np.pi)),  # of 1 / (sqrt(pi) x), which is all that is left far out
        ("dawsn", -1e6, -0.5e-12),  # of 1 / (2 x)
        ("exprel", -1e6, 1e-12),  # of -1 / x
        ("exprel", 1e-9, 0.5),
        ("exprel", 705.0, np.exp(704.5) / 705 * np.exp(0.5) * 704 / 705),
        ("spence", 1.0, -1.0),
        ("spence", 1e14, -14 * np.log(10) / 1e14),
        ("wrightomega", inf, 1.0),
    ],
)
def test_slopes_whose_formula_cancels(name, point, slope):
    sp = pytest.importorskip("scipy.special")
    f = getattr(sp, name)
    assert mg.grad(f)(point) == pytest.approx(slope, rel=1e-8, abs=0)


@pytest.mark.parametrize(
    ("call", "point", "first", "second"),
    [
        (lambda sp, x: sp.beta(x, 0.5), 1e16, -np.sqrt(np.pi) / 2 * 1e-24, 3 / 4 * np.sqrt(np.pi) * 1e-40),
        (lambda sp, x: sp.beta(x, 0.5), -0.5, -2 * np.pi, -7.712052506289528),  # at a pole of gamma(x + 1/2)
        (lambda sp, x: sp.betaln(x, 0.5), 1e16, -0.5e-16, 0.5e-32),
        (lambda sp, x: sp.log_ndtr(x), -1e9, 1e9, -1.0),
        (lambda sp, x: sp.ndtri_exp(x), -1e16, np.sqrt(0.5) * 1e-8, np.sqrt(0.125) * 1e-24),  # of -sqrt(-2 x)
        (lambda sp, x: sp.inv_boxcox(x, 0.5), -2.0, 0.0, 0.5),  # of (1 + x / 2)**2
        (lambda sp, x: sp.stdtr(inf, x), 1.0, np.exp(-0.5) / np.sqrt(2 * np.pi), -np.exp(-0.5) / np.sqrt(2 * np.pi)),
        (lambda sp, x: sp.owens_t(x, 0.0), inf, 0.0, 0.0),
        (lambda sp, x: sp.owens_t(0.0, x), inf, 0.0, 0.0),
    ],
    ids=range(9),
)
def test_both_derivatives_at_the_ends(call, point, first, second):
    """Compared with the leading term of an expansion, or with the limit."""
    sp = pytest.importorskip("scipy.special")
    f = lambda x: call(sp, x)
    with np.errstate(all="ignore"):
        assert mg.grad(f)(point) == pytest.approx(first, rel=1e-8, abs=0)
        assert mg.grad(mg.grad(f))(point) == pytest.approx(second, rel=1e-8, abs=0)
        assert mg.hvp(f)(point, 1.0) == pytest.approx(second, rel=1e-8, abs=0)


def test_slopes_in_single_precision_do_not_overflow_before_their_functions():
    sp = pytest.importorskip("scipy.special")
    x = np.float32(90.0)
    assert mg.grad(sp.exprel)(x) == pytest.approx(np.exp(90.0) * 89 / 8100, rel=1e-5)
    for a, b in ((-50.3, 0.2), (-40.3, 0.5), (40.0, -39.7), (-36.25, 0.25)):  # the last one beside a pole
        slope = mg.grad(lambda a, b=b: sp.beta(a, b))
        assert slope(np.float32(a)) == pytest.approx(slope(float(np.float32(a))), rel=1e-3)


@pytest.mark.parametrize(("name", "point"), [("dawsn", 15 + 15j), ("erfcx", 5 - 25j), ("spence", 1 + 1j)])
def test_holomorphic_functions_away_from_the_real_axis(name, point):
    sp = pytest.importorskip("scipy.special")
    f = getattr(sp, name)
    got = np.conj(mg.grad(lambda z: np.real(f(z)))(point))
    h = 1e-3
    assert got == pytest.approx((8 * (f(point + h) - f(point - h)) - f(point + 2 * h) + f(point - 2 * h)) / (12 * h))


@pytest.mark.parametrize(
    ("name", "point"), [("gamma", -1.0), ("erfinv", 50.0), ("ndtri", -1.0), ("erfcinv", -1.0), ("log_ndtr", np.inf)]
)
def test_functions_behind_a_guard_where_they_are_not_defined(name, point):
    sp = pytest.importorskip("scipy.special")
    f = lambda x: np.where(False, getattr(sp, name)(x), 0.0)
    with np.errstate(all="ignore"):
        assert mg.grad(f)(point) == mg.grad(mg.grad(f))(point) == mg.hvp(f)(point, 1.0) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda z: np.tensordot(z, z),
        lambda z: np.average(z, axis=0),
        lambda z: np.nanmedian(z[:, 0]),
        lambda z: np.cov(z.T),
    ],
)
def test_nothing_at_all_gives_what_numpy_gives(call):
    z = np.zeros((0, 3))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = call(z)
        np.testing.assert_array_equal(call(mg.tensor(z, requires_grad=True)).data, expected)


def test_a_zero_that_moves_is_not_a_mask():
    """Where the cotangent is 0 but its derivative is not, as that of u**2 is at u = 0, the second derivative counts."""
    f = lambda x: np.sum(np.where(x > 0, x * np.log(x), 0) ** 2)
    points = np.array([0.0, 1.0, -1.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(mg.hessian(f)(points), np.diag([0, 2, 0]))
        np.testing.assert_array_equal(mg.grad(lambda x: np.sum(mg.grad(f)(x)))(points), [0, 2, 0])


def test_a_residual_that_is_zero_moves():
    """At a perfect fit cotangents are 0, and their derivatives are not: beside a missing value too."""
    A, b = np.array([[1.0, 2.0], [np.nan, 1.0], [3.0, 1.0]]), np.array([5.0, 0.0, 5.0])
    known = ~np.isnan(A).any(axis=1)
    fit = np.array([1.0, 2.0])
    products = {
        "by entries": lambda x: np.sum(A * x, axis=1),
        "as a matrix": lambda x: A @ x,
        "by einsum": lambda x: np.einsum("ij,j->i", A, x),
        "of three": lambda x: np.einsum("ij,j,i->i", A, x, np.array([1.0, np.inf, -1.0])),
        "from the left": lambda x: np.tensordot(x, A, (0, 1)),
    }
    with np.errstate(invalid="ignore"):
        for product in products.values():
            loss = lambda x, product=product: np.sum(np.where(known, np.abs(product(x)) - b, 0.0) ** 2)
            gradient = mg.grad(loss)
            np.testing.assert_array_equal(gradient(fit), 0)
            np.testing.assert_array_equal(mg.hessian(loss)(fit), [[20, 10], [10, 10]])
            np.testing.assert_array_equal(mg.grad(lambda x, g=gradient: g(x)[0])(fit), [20, 10])
            np.testing.assert_array_equal(mg.vmap(gradient)(fit[None]), [[0, 0]])


def test_what_is_undefined_stays_so():
    with np.errstate(all="ignore"):
        assert np.isnan(mg.grad(lambda x: np.log(x) * np.sqrt(x))(-1.0))
        assert np.isnan(mg.grad(lambda x: np.where(x < 0, np.sqrt(x), 0.0))(-1.0))
        np.testing.assert_array_equal(
            mg.grad(lambda x: np.sum(np.where(x < 5, np.sqrt(x) ** 2, 0.0)))(np.ones(2) * -1), [np.nan] * 2
        )


def test_ties_of_an_extreme_share_evenly():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    np.testing.assert_allclose(mg.grad(lambda x: np.max(x))(x), [[0, 0.5, 0.5], [0, 0, 0]])
    np.testing.assert_allclose(mg.grad(lambda x: np.sum(np.max(x, axis=1)))(x), [[0, 0.5, 0.5], [1 / 3] * 3])
    np.testing.assert_allclose(mg.grad(lambda x: np.sum(np.min(x, axis=0)))(x), [[1, 0, 0], [0, 1, 1]])


def test_repeated_indices_receive_every_share():
    np.testing.assert_array_equal(mg.grad(lambda x: np.sum(x[[0, 0, 2]]))(np.zeros(3)), [2, 0, 1])


def test_the_last_of_two_assignments_to_one_place_counts():
    def f(v):
        t = mg.tensor(np.zeros(3))
        t[np.array([1, 1])] = v
        return np.sum(t * np.array([5.0, 7.0, 9.0]))

    np.testing.assert_array_equal(mg.grad(f)(np.ones(2)), [0, 7])


def test_logsumexp_and_softmax_at_extremes():
    x = np.array([1000.0, -1000.0, 1000.0])
    np.testing.assert_array_equal(mg.grad(lambda x: mg.logsumexp(x))(x), [0.5, 0, 0.5])
    np.testing.assert_array_equal(mg.softmax(x), [0.5, 0, 0.5])
    g = mg.grad(lambda x: mg.log_softmax(x)[1])(x)
    np.testing.assert_allclose(g, [-0.5, 1, -0.5], rtol=1e-15)
    assert mg.logsumexp(np.array([-inf, -inf])) == -inf
    np.testing.assert_array_equal(mg.grad(lambda x: mg.logsumexp(x))(np.array([-inf, 0.0])), [0, 1])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_empty_arrays(shape):
    x = np.zeros(shape)
    for f in (
        np.sum,
        np.prod,
        lambda x: np.sum(np.exp(x) * x),
        lambda x: np.sum(x.T @ x),
        lambda x: np.sum(x[..., :1]),
    ):
        assert mg.grad(f)(x).shape == shape


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1, ::-1],
        lambda x: np.lib.stride_tricks.as_strided(x, writeable=False),
    ],
    ids=["Fortran order", "not contiguous", "negative strides", "read-only"],
)
def test_memory_layout_does_not_matter(layout):
    x = np.arange(1.0, 7.0).reshape(2, 3)

    def f(x):
        return np.sum(np.log(x) @ x.T) + np.sum(x[:, 1:].reshape(-1) ** 2) + np.prod(x)

    laid = layout(x)
    np.testing.assert_allclose(mg.grad(f)(laid), mg.grad(f)(laid.copy()), rtol=1e-13)


def test_the_backward_pass_never_warns():
    """Warnings are errors in these tests, so an infinite local derivative must pass in silence."""
    x = mg.tensor([0.0, 4.0], requires_grad=True)
    np.sqrt(x).sum().backward()
    np.testing.assert_array_equal(x.grad, [inf, 0.25])


def stored_as_integer(x):
    t = mg.tensor([1, 2])
    t[0] = x[0]
    return np.sum(t * 1.0)


TO_INTEGERS = [
    stored_as_integer,
    lambda x: np.sum(x.astype(int) * 1.0),
    lambda x: np.sum(x.astype(bool) * 1.0),
    lambda x: np.sum(x, dtype=int) * 1.0,
    lambda x: np.mean(np.cumsum(x, dtype=int)),
    lambda x: np.sum(np.full_like(mg.tensor([1, 2]), x[0]) * 1.0),
    lambda x: np.sum(np.insert(np.arange(3), 0, x) * 1.0),
]


@pytest.mark.parametrize("f", TO_INTEGERS, ids=range(len(TO_INTEGERS)))
def test_nothing_flows_through_integers(f):
    x = np.array([1.5, 2.5])
    np.testing.assert_array_equal(mg.grad(lambda x: f(x) + np.sum(x))(x), 1)
    np.testing.assert_array_equal(mg.grad(f)(x), 0)
    np.testing.assert_array_equal(mg.jvp(f, (x,), (x,))[1], 0)
    np.testing.assert_array_equal(mg.vmap(mg.grad(f))(np.stack([x, 2 * x])), np.zeros((2, 2)))
    assert f(mg.tensor(x)) == f(x)
    assert not getattr(f(mg.tensor(x, requires_grad=True)), "requires_grad", False)
