"""Ufuncs and their methods: none of NumPy's is forgotten, ``at`` is assignment, and awkward points are right."""

from __future__ import annotations

import functools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.core.primitive import TABLE
from microgd.errors import DetachError, GraphError, UnsupportedError
from microgd.ops.special import erf

inf, nan = np.inf, np.nan


# ---- coverage ------------------------------------------------------------------------------------------------


def ufuncs_of(namespace) -> set[np.ufunc]:
    return {f for f in vars(namespace).values() if isinstance(f, np.ufunc)}


def test_every_ufunc_of_numpy_is_in_the_table():
    declared = {f for f, row in TABLE.items() if row.form != "undeclared"}
    dates_only = {np.isnat}
    assert not {f.__name__ for f in ufuncs_of(np) - declared - dates_only}


def test_every_ufunc_of_two_operands_has_its_outer():
    for f in ufuncs_of(np):
        if (f.nin, f.nout, f.signature) == (2, 1, None):
            assert f.outer in TABLE, f.__name__


def test_a_method_without_a_rule_raises():
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(UnsupportedError, match=r"multiply\.reduceat: has no derivative rule"):
        np.multiply.reduceat(t, [0, 1])
    with pytest.raises(UnsupportedError, match="packbits"):
        np.packbits(t)


# ---- at --------------------------------------------------------------------------------------------------------

AT = (np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.logaddexp)
every_at = pytest.mark.parametrize("ufunc", AT, ids=lambda f: f.__name__)


@every_at
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])), max_size=12))
def test_at_gives_what_numpy_gives(ufunc, mentions):
    index = np.array([i for i, _ in mentions], dtype=int)
    b = np.array([x for _, x in mentions])
    expected = np.array([1.0, 2.0, 0.0, 4.0])
    t = mg.tensor(expected) * 1
    ufunc.at(expected, index, b)
    leaf = mg.tensor(b, requires_grad=True)
    assert ufunc.at(t, index, leaf) is None
    np.testing.assert_allclose(t.data, expected, rtol=1e-14)


@every_at
def test_at_leaves_what_was_computed_before(ufunc):
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    t = x * 1
    before = t * t
    ufunc.at(t, [0, 0], 5.0)
    np.testing.assert_array_equal(before.data, [1, 4, 9])
    before.sum().backward()
    np.testing.assert_array_equal(x.grad, [2, 4, 6])


@every_at
def test_at_refuses_what_would_lose_a_gradient(ufunc):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(DetachError, match=r"plain array.*mg\.tensor"):
        ufunc.at(np.zeros(3), [0, 1], x)
    with pytest.raises(GraphError, match="leaf"):
        ufunc.at(x, [0], 1.0)


def test_at_on_a_leaf_in_no_grad():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with mg.no_grad():
        np.add.at(x, [0, 0], 1.0)
    assert x.requires_grad
    np.testing.assert_array_equal(x.data, [3, 2])


def at(ufunc, a, index, b):
    out = a * 1
    ufunc.at(out, index, b)
    return out


def test_a_product_at_one_place_is_right_where_factors_are_zero():
    slope = mg.grad(lambda b: at(np.multiply, mg.tensor([2.0, 1.0]), [0, 0, 0], b)[0])
    np.testing.assert_array_equal(slope(np.array([0.0, 3.0, 5.0])), [30, 0, 0])
    np.testing.assert_array_equal(slope(np.array([0.0, 0.0, 5.0])), [0, 0, 0])


def test_ties_at_one_place_share_evenly():
    a, b = np.array([3.0, 1.0]), np.array([3.0, 3.0, 2.0])
    of_a, of_b = mg.grad(lambda a, b: at(np.maximum, a, [0, 0, 0], b)[0], argnums=(0, 1))(a, b)
    np.testing.assert_allclose(of_a, [1 / 3, 0])
    np.testing.assert_allclose(of_b, [1 / 3, 1 / 3, 0])


# ---- accumulate --------------------------------------------------------------------------------------------------


def test_ties_of_a_running_extreme_share_evenly():
    x = np.array([1.0, 3.0, 2.0, 3.0, 3.0, 1.0, 4.0])
    jacobian = mg.jacobian(np.maximum.accumulate)(x)
    expected = np.zeros((7, 7))
    expected[0, 0] = expected[1, 1] = expected[2, 1] = expected[6, 6] = 1
    expected[3, [1, 3]] = 1 / 2
    expected[4, [1, 3, 4]] = expected[5, [1, 3, 4]] = 1 / 3
    np.testing.assert_allclose(jacobian, expected)
    np.testing.assert_allclose(mg.jacobian(lambda x: -np.minimum.accumulate(-x))(x), expected)


def test_a_nan_poisons_nothing_before_it():
    g = mg.grad(lambda x: np.sum(np.maximum.accumulate(x)[:2]))(np.array([1.0, 2.0, nan]))
    np.testing.assert_array_equal(g[:2], [1, 1])


def test_a_running_logaddexp_far_out():
    x = np.array([-1000.0, 1000.0, -inf, 1000.0])
    np.testing.assert_allclose(
        mg.jacobian(np.logaddexp.accumulate)(x), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0.5, 0, 0.5]]
    )


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=9))
def test_a_running_logaddexp_is_a_running_softmax(numbers):
    x = np.array(numbers)
    expected = [np.pad(mg.softmax(x[: k + 1]), (0, len(x) - k - 1)) for k in range(len(x))]
    np.testing.assert_allclose(mg.jacobian(np.logaddexp.accumulate)(x), expected, rtol=1e-11, atol=1e-13)


# ---- awkward points ------------------------------------------------------------------------------------------------

# (what, function, point, first derivative, second derivative)
POINTS = [
    ("logaddexp of equals", lambda x: np.logaddexp(x, 5.0), 5.0, 0.5, 0.25),
    ("logaddexp far apart", lambda x: np.logaddexp(x, -1000.0), 1000.0, 1, 0),
    ("logaddexp2 of equals", lambda x: np.logaddexp2(x, 5.0), 5.0, 0.5, 0.25 * math.log(2)),
    ("logaddexp2 far apart", lambda x: np.logaddexp2(x, 1000.0), -1000.0, 0, 0),
    ("sinc at 0", np.sinc, 0.0, 0, -(math.pi**2) / 3),
    ("sinc at a whole number", np.sinc, 1.0, -1, 2),
    ("i0 at 0", np.i0, 0.0, 0, 0.5),
    ("exp where it overflows, guarded", lambda x: np.where(x < 0, np.exp(x), x), 1000.0, 1, 0),
    ("sinh where it overflows, guarded", lambda x: np.where(x < 0, np.sinh(x), x), 1000.0, 1, 0),
    ("copysign at 0", lambda x: np.copysign(x, -1.0), 0.0, 0, 0),
    ("copysign below 0", lambda x: np.copysign(x, 1.0), -2.0, -1, 0),
    ("frexp", lambda x: np.frexp(x)[0], 6.0, 1 / 8, 0),
    ("modf below 0", lambda x: np.modf(x)[0] ** 2, -2.5, -1, 2),
    ("nextafter", lambda x: np.nextafter(x, inf) ** 2, 0.0, 0, 2),
    ("arctan far out", np.arctan, 1000.0, 1 / 1000001, -2000 / 1000001**2),
    ("arcsin next to 1", np.arcsin, 1 - 2.0**-50, 1 / math.sqrt(2.0**-49 - 2.0**-100), None),
    ("remainder by its divisor", lambda y: np.remainder(1.0, y), 0.1, -9, 0),
    ("fmod by its divisor", lambda y: np.fmod(-1.0, y), 0.1, 9, 0),
    ("erf at 0", erf, 0.0, 2 / math.sqrt(math.pi), 0),
    ("erf far out", erf, 1000.0, 0, 0),
]
given_points = pytest.mark.parametrize(("what", "f", "point", "first", "second"), POINTS, ids=[p[0] for p in POINTS])


def check_point(f, point, first, second):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(mg.grad(f)(point), first, rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(mg.jvp(f, (point,), (1.0,))[1], first, rtol=1e-12, atol=1e-300)
        if second is not None:
            np.testing.assert_allclose(mg.grad(mg.grad(f))(point), second, rtol=1e-11, atol=1e-300)


@given_points
def test_derivatives_at_awkward_points(what, f, point, first, second):
    check_point(f, point, first, second)


@given(st.floats(-3, 3))
def test_derivatives_of_sinc_meet_where_the_formulas_do(x):
    """sinc'' + 2 sinc'/x + pi**2 sinc = 0, and the derivative of that: one law on both sides of the series' end."""
    first, second = mg.grad(np.sinc), mg.grad(mg.grad(np.sinc))
    third = mg.grad(second)
    law = x * second(x) + 2 * first(x) + math.pi**2 * x * np.sinc(x)
    slope = x * third(x) + 3 * second(x) + math.pi**2 * (x * first(x) + np.sinc(x))
    np.testing.assert_allclose([law, slope], 0, atol=1e-11)


@given(st.floats(-50, 50))
def test_derivatives_of_i0_satisfy_bessels_equation(x):
    first = mg.grad(np.i0)
    law = x * mg.grad(first)(x) + first(x) - x * np.i0(x)
    np.testing.assert_allclose(law, 0, atol=1e-12 * (1 + abs(x) * np.i0(x)))


@pytest.mark.parametrize(
    "f", [np.exp2, np.log2, np.log10, np.logaddexp2, np.sinc, np.i0, erf], ids=lambda f: f.__name__
)
def test_rules_stay_in_single_precision(f):
    x = np.full(3, 1.5, np.float32)
    row = TABLE[f]
    _, _, *saved = row.keeps[0](None, 0, f(x, x) if f is np.logaddexp2 else f(x), *[x] * len(row.rules))
    assert row.rules[0](x, *saved).dtype == np.float32


@pytest.mark.parametrize("kind", [np.float32, np.float64, float, int])
def test_erf_without_scipy(kind):
    x = [kind(-1), kind(0), kind(2)]
    values = erf(np.array(x))
    assert values.dtype == (np.float32 if kind is np.float32 else np.float64)
    np.testing.assert_allclose(values, [math.erf(v) for v in x], rtol=1e-7 if kind is np.float32 else 1e-15)
    assert erf(x[2]) == values[2]


def test_outer_takes_any_shapes():
    x, y = np.arange(6.0).reshape(2, 3), np.arange(4.0).reshape(2, 2)
    g = mg.grad(lambda x, y: np.sum(np.multiply.outer(x, y) ** 2), argnums=(0, 1))(x, y)
    np.testing.assert_allclose(g[0], 2 * x * np.sum(y * y))
    np.testing.assert_allclose(g[1], 2 * y * np.sum(x * x))
    t = mg.tensor(3.0, requires_grad=True)
    assert np.subtract.outer([1.0, 2.0], t).shape == (2,)
    np.testing.assert_array_equal(np.equal.outer(mg.tensor([0, 1]), [0, 1, 2]), np.eye(2, 3, dtype=bool))


def test_reduce_is_a_fold():
    x = np.array([[1.0, 2.0, 4.0], [0.5, 0.0, 3.0]])
    for f in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp):
        fold = functools.partial(functools.reduce, f)
        np.testing.assert_allclose(mg.jacobian(f.reduce)(x), mg.jacobian(fold)(x), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(
            mg.jacobian(f.accumulate)(x), mg.jacobian(lambda x, f=f: np.stack([x[0], f(x[0], x[1])]))(x), atol=1e-15
        )


# ---- SciPy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["microgd", "scipy.special"])
def test_scipy_is_found_when_it_is_used(first):
    pytest.importorskip("scipy", reason="SciPy's functions need SciPy")
    script = (
        f"import sys, {first}\n"
        "import microgd as mg\n"
        "assert 'microgd.ops.scipy_special' not in sys.modules\n"
        "from scipy import special\n"
        "print(mg.grad(special.erf)(0.0), mg.vmap(mg.grad(special.gammaln))(__import__('numpy').ones(1))[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    np.testing.assert_allclose([float(x) for x in done.stdout.split()], [2 / math.sqrt(math.pi), -np.euler_gamma])


def scipy_points(sp):
    third = 1 / 3
    return [
        ("log_ndtr far left", sp.log_ndtr, -1000.0, 1000.000999998, None),
        ("log_ndtr far right", sp.log_ndtr, 1000.0, 0, 0),
        ("expit far out", sp.expit, -1000.0, 0, 0),
        ("log_expit far left", sp.log_expit, -1000.0, 1, 0),
        ("xlogy at x = 0", lambda y: sp.xlogy(0.0, y), 0.0, 0, 0),
        ("xlogy(x, x) at 1", lambda x: sp.xlogy(x, x), 1.0, 1, 1),
        ("entr at 0", sp.entr, 0.0, inf, -inf),
        ("rel_entr by y at 0, 0", lambda y: sp.rel_entr(0.0, y), 0.0, 0, 0),
        ("kl_div of equals", lambda x: sp.kl_div(x, 2.0), 2.0, 0, 0.5),
        ("erfinv at 1", sp.erfinv, 1.0, inf, inf),
        ("i1 at 0", sp.i1, 0.0, 0.5, 0),
        ("j1 at 0", sp.j1, 0.0, 0.5, 0),
        ("rgamma at a pole of gamma", sp.rgamma, 0.0, 1, 2 * np.euler_gamma),
        ("rgamma at another pole", sp.rgamma, -3.0, -6, None),
        ("exprel at 0", sp.exprel, 0.0, 0.5, third),
        ("exprel far left", sp.exprel, -1000.0, 1e-6, 2e-9),
        ("boxcox at power 0", lambda p: sp.boxcox(math.e, p), 0.0, 0.5, third),
        ("boxcox of 0", lambda p: sp.boxcox(0.0, p), 2.0, 0.25, -0.25),
        ("pseudo_huber without a residual", lambda r: sp.pseudo_huber(2.0, r), 0.0, 0, 1),
        ("ellipk at 0", sp.ellipk, 0.0, math.pi / 8, 9 * math.pi / 64),
        ("cosm1 at 0", sp.cosm1, 0.0, 0, -1),
        ("gammainc at 0", lambda x: sp.gammainc(1.0, x), 0.0, 1, -1),
        ("gammainc far out", lambda x: sp.gammainc(2.0, x), 1000.0, 0, 0),
        ("betainc at 0", lambda x: sp.betainc(1.0, 3.0, x), 0.0, 3, -6),
    ]


def test_scipys_functions_at_awkward_points():
    sp = pytest.importorskip("scipy.special", reason="SciPy's functions need SciPy")
    for what, f, point, first, second in scipy_points(sp):
        try:
            check_point(f, point, first, second)
        except AssertionError as error:
            raise AssertionError(what) from error


def test_a_derivative_without_a_formula_is_refused():
    sp = pytest.importorskip("scipy.special", reason="SciPy's functions need SciPy")
    with pytest.raises(UnsupportedError, match="jv: its derivative with respect to an order"):
        mg.grad(sp.jv)(1.5, 2.0)
    with pytest.raises(UnsupportedError, match="gammainc"):
        mg.jvp(lambda a: sp.gammainc(a, 2.0), (1.5,), (1.0,))
    assert mg.grad(lambda a: sp.gammainc(mg.stop_gradient(a), a))(2.0) == mg.grad(lambda x: sp.gammainc(2.0, x))(2.0)
    with pytest.raises(UnsupportedError, match="ive"):
        mg.grad(lambda z: np.real(sp.ive(1.0, z)))(1.0 + 1.0j)


def test_scipys_other_functions_lose_no_gradient():
    sp = pytest.importorskip("scipy.special", reason="SciPy's functions need SciPy")
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    for f in (sp.softmax, sp.logsumexp, sp.log_softmax, lambda t: sp.polygamma(1, t)):
        with pytest.raises(DetachError, match="log_softmax and polygamma, as SciPy's convert"):
            f(t)
    for ours, theirs in ((mg.softmax, sp.softmax), (mg.logsumexp, sp.logsumexp), (mg.log_softmax, sp.log_softmax)):
        np.testing.assert_allclose(ours(t).data, theirs(t.data), rtol=1e-14)
    np.testing.assert_array_equal(mg.polygamma(1, t).data, sp.polygamma(1, t.data))
