"""What is left out may be anything: a row or a matrix of NaN or infinities behind a mask changes no derivative.

Every function below works row by row, or matrix by matrix. One of three is poisoned and then left out, and the first
and second derivatives must be those of the same program on data without poison.
"""

import warnings

import numpy as np
import pytest

import microgd as mg

KNOWN = np.array([True, False, True])
ROWS = np.random.default_rng(0).normal(size=(3, 4)) + 3
MATRICES = np.random.default_rng(1).normal(size=(3, 2, 2)) + 3 * np.eye(2)

LEAVING_OUT = {
    "where": lambda y: np.where(KNOWN, y, 0.0),
    "an index": lambda y: y[KNOWN],
    "nansum": lambda y: np.nansum(np.where(KNOWN, y, np.nan)),
    "choose": lambda y: np.choose(KNOWN.astype(int), [0.0, y]),
}

OF_ROWS = {
    "max": lambda x: np.max(x, 1),
    "min": lambda x: np.min(x, axis=1),
    "prod": lambda x: np.prod(x, 1),
    "var": lambda x: np.var(x, 1),
    "std": lambda x: np.std(x, 1),
    "ptp": lambda x: np.ptp(x, 1),
    "median": lambda x: np.median(x, 1),
    "quantile": lambda x: np.quantile(x, 0.3, axis=1),
    "sort": lambda x: np.sort(x, 1)[:, 1],
    "average": lambda x: np.average(x, 1, weights=[1.0, 2.0, 3.0, 4.0]),
    **{f"norm {p}": lambda x, p=p: np.linalg.norm(x, p, axis=1) for p in (1, 2, 3, np.inf)},
    "logsumexp": lambda x: mg.logsumexp(x, 1),
    "softmax": lambda x: mg.softmax(x, 1)[:, 0],
    "log_softmax": lambda x: mg.log_softmax(x, 1)[:, 0],
    "cumprod": lambda x: np.cumprod(x, 1)[:, 2],
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, 1)[:, 2],
    "logaddexp.accumulate": lambda x: np.logaddexp.accumulate(x, 1)[:, 2],
    "fft": lambda x: np.abs(np.fft.fft(x, axis=1))[:, 1],
    "interp": lambda x: np.interp(x[:, 0], [0.0, 5.0], [1.0, 2.0]),
    "power": lambda x: (x**x)[:, 0],
    "matmul": lambda x: (x @ np.arange(8.0).reshape(4, 2))[:, 0] ** 2,
    "matmul with itself": lambda x: np.diagonal(x @ x.T),
    "einsum": lambda x: np.einsum("ij,ij->i", x, x),
    "cross": lambda x: np.cross(x[:, :3], x[:, 1:])[:, 0],
    "convolve": lambda x: np.stack([np.convolve(row, row[:2])[1] for row in x]),
    "cov": lambda x: np.stack([np.cov(row) for row in x]),
    "vmap": lambda x: mg.vmap(lambda row: row @ np.outer(row, row) @ row)(x),
}

OF_MATRICES = {
    "inv": lambda m: np.linalg.inv(m)[:, 0, 0],
    "det": np.linalg.det,
    "slogdet": lambda m: np.linalg.slogdet(m)[1],
    "solve": lambda m: np.linalg.solve(m, np.ones((2, 1)))[:, 0, 0],
    "solve for one": lambda m: np.linalg.solve(np.eye(2) * 2, m)[:, 0, 0],
    "qr": lambda m: np.linalg.qr(m)[1][:, 0, 1],
    "cholesky": lambda m: np.linalg.cholesky(m @ m.mT)[:, 1, 1],
    "matrix_power": lambda m: np.linalg.matrix_power(m, 3)[:, 0, 1],
    "pinv": lambda m: np.linalg.pinv(m)[:, 0, 0],
    "eigvalsh": lambda m: np.linalg.eigvalsh(m)[:, 0],
    "svdvals": lambda m: np.linalg.svdvals(m)[:, 0],
    "norm": lambda m: np.linalg.norm(m, axis=(1, 2)),
    "vmap": mg.vmap(lambda m: np.linalg.inv(m)[0, 1]),
}


A = np.array([[1.0, 2.0], [np.inf, 1.0]])
FIRST = np.array([True, False])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda x: (A @ x)[0], [1, 2]),
        (lambda x: np.einsum("ij,j->i", A, x)[0], [1, 2]),
        (lambda x: np.sum(np.maximum(np.convolve([1.0, -np.inf], x), 0.0)), [1, 0]),
        (lambda x: np.sum(mg.grad(lambda a: np.sum(np.where(FIRST, np.einsum("ij,j->i", a, x), 0)))(A)), [1, 1]),
    ],
)
def test_infinities_that_were_not_asked_for(loss, expected):
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(mg.grad(loss)(np.array([1.0, 2.0])), expected)


@pytest.mark.parametrize("n", [2, 96, 200])
def test_also_in_products_that_are_shared_out_over_threads(n):
    """NumPy hears nothing of what goes wrong in a thread of BLAS."""
    x = np.ones((n, n))
    x[1:, -1] = 0
    slope = mg.grad(lambda x: np.sum(np.sqrt(np.eye(n) @ x)))(x)
    np.testing.assert_array_equal(slope[0], 0.5)
    np.testing.assert_array_equal(slope[:, :-1], 0.5)
    assert not np.any(np.isfinite(slope[1:, -1]))


def test_zeros_of_a_matrix_win_over_infinite_cotangents():
    root = mg.grad(lambda x: np.sum(np.sqrt(np.eye(2) @ x)))
    np.testing.assert_array_equal(root(np.array([0.0, 4.0])), [np.inf, 0.25])
    forward = mg.jacobian(lambda x: np.array([[np.inf, 1.0], [2.0, 3.0]]) @ x, mode="forward")
    np.testing.assert_array_equal(forward(np.ones(2)), [[np.inf, 1], [2, 3]])


def test_what_is_asked_for_and_undefined_stays_so():
    """Factors whose signs cancel do not hide a NaN."""
    cross = mg.grad(lambda b: np.sum(np.where(True, np.cross(np.array([1.0, np.nan, np.nan]), b), 0.0)))
    np.testing.assert_array_equal(cross(np.ones(3)), [np.nan] * 3)
    x, signs = np.array([[np.nan, 1.0], [np.nan, 2.0], [3.0, 4.0]]), np.array([1, -1, 1])
    total = mg.grad(lambda w: np.sum(np.where(True, np.einsum("ij,j,i->", x, w, signs), 0.0)))
    np.testing.assert_array_equal(total(np.ones(2)), [np.nan, 3])


@pytest.mark.parametrize(
    "product",
    [
        lambda a, x: np.einsum("ij,j->i", a, x),
        lambda a, x: a @ x,
        lambda a, x: np.concatenate([np.convolve(row, x[::-1], "valid") for row in a]),
    ],
    ids=["einsum", "matmul", "convolve"],
)
def test_a_loss_that_is_nan_has_no_gradient(product):
    """A zero among the data is no mask: it does not stop a NaN that comes from above."""
    a, y = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [2.0, 1.0, 1.0]]), np.array([1.0, np.nan, 2.0])
    assert np.isnan(mg.grad(lambda x: np.mean((product(a, x) - y) ** 2))(np.ones(3))).all()


UNDEFINED = [  # of equal eigenvalues or singular values: the function, the point, two rows of the true Hessian
    (lambda a: np.sum(np.real(np.linalg.eigvals(a) ** 2)), np.eye(2), [[2, 0, 0, 0], [0, 0, 2, 0]]),
    (lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), np.eye(2), [[2, 0, 0, 0], [0, 1, 1, 0]]),
    (lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), np.zeros((2, 2)), [[2, 0, 0, 0], [0, 1, 1, 0]]),
    (lambda a: np.sum(np.linalg.svdvals(a) ** 2), np.diag([2.0, 2.0]), [[2, 0, 0, 0], [0, 2, 0, 0]]),
]


@pytest.mark.parametrize("mode", ["forward over reverse", "reverse over reverse", "reverse over forward"])
@pytest.mark.parametrize(("f", "point", "truth"), UNDEFINED, ids=["eigvals", "eigvalsh", "of 0", "svdvals"])
def test_second_derivatives_through_equal_values_are_right_or_nan(f, point, truth, mode):
    gradient = mg.grad(f)
    rows = {
        "forward over reverse": mg.hessian(f),
        "reverse over reverse": mg.jacobian(gradient, mode="reverse"),
        "reverse over forward": lambda a: np.stack(
            [mg.grad(lambda a, e=e: mg.jvp(f, (a,), (e.reshape(2, 2),))[1])(a) for e in np.eye(4)]
        ),
    }[mode]
    got = rows(point).reshape(4, 4)[:2]
    assert np.all(np.isnan(got) | np.isclose(got, truth))


def test_a_solution_that_fits_beside_one_that_is_missing():
    """Residuals of 0 move: where not all of a matrix is missing its second derivative is no 0."""
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, np.nan], [2.0, 1.0]])
    fits = np.linalg.solve(a, b)
    second = mg.hessian(lambda a: np.nansum((np.linalg.solve(a, b) - fits) ** 2))(a)
    known = mg.hessian(lambda a: np.sum((np.linalg.solve(a, b[:, :1]) - fits[:, :1]) ** 2))(a)
    assert np.all(np.isnan(second) | np.isclose(second, known))
    stack, v = np.stack([a, a * np.nan, a + 1]), np.ones(2)
    fits = np.linalg.solve(stack, v)
    second = mg.hessian(lambda v: np.nansum((np.linalg.solve(stack, v) - fits) ** 2))(v)
    known = mg.hessian(lambda v: np.sum((np.linalg.solve(stack[::2], v) - fits[::2]) ** 2))(v)
    assert np.all(np.isnan(second) | np.isclose(second, known))


@pytest.mark.parametrize("mode", ["hessian", "grad of grad"])
def test_roots_at_zero_in_a_row_that_is_left_out(mode):
    loss = lambda t: np.sum(np.where(FIRST, 0.0, np.sqrt(t[:4].reshape(2, 2)) @ t[4:]) ** 2)
    entries = lambda t: np.sum(np.where(FIRST, 0.0, np.sum(np.sqrt(t[:4].reshape(2, 2)) * t[4:], 1)) ** 2)
    second = {
        "hessian": mg.hessian,
        "grad of grad": lambda f: mg.grad(lambda t: np.sum(mg.grad(f)(t) * np.arange(6))),
    }[mode]
    t = np.array([0.0, 0.0, 1.0, 4.0, 1.0, 2.0])
    np.testing.assert_allclose(second(loss)(t), second(entries)(t))


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 0.0])
@pytest.mark.parametrize("how", LEAVING_OUT)
@pytest.mark.parametrize(
    ("function", "data", "once_only"),
    [
        *[pytest.param(f, ROWS, False, id=f"{name} of rows") for name, f in OF_ROWS.items()],
        *[
            pytest.param(f, MATRICES, name in ("qr", "cholesky", "eigvalsh", "svdvals"), id=f"{name} of matrices")
            for name, f in OF_MATRICES.items()
        ],
    ],
)
def test_what_is_left_out_has_no_say(function, data, once_only, how, poison):
    poisoned = data.copy()
    poisoned[1] = poison
    loss = lambda x: np.sum(LEAVING_OUT[how](function(x)) ** 2)
    gradient = mg.grad(loss)
    v = np.random.default_rng(2).normal(size=data.shape)
    again = mg.grad(lambda x: np.sum(gradient(x) * v))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            function(poisoned)
        except np.linalg.LinAlgError:
            pytest.skip("NumPy has no value for such a matrix")
        if poison == 0 and function is OF_MATRICES["qr"]:
            pytest.skip("without full rank it has no derivative, and says so")
        np.testing.assert_allclose(gradient(poisoned), gradient(data), rtol=1e-9, atol=1e-12)
        if once_only:  # its zeros might be ones that move, so that NaN it is
            return
        np.testing.assert_allclose(mg.hvp(loss)(poisoned, v), mg.hvp(loss)(data, v), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(again(poisoned), again(data), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        np.nan_to_num,
        np.nanmedian,
        lambda y: np.fmax(y, 0.0),
        lambda y: np.fmin(9.0, y),
        lambda y: np.select([KNOWN], [y], 0.0),
        lambda y: np.piecewise(y, [KNOWN], [lambda v: v, 0.0]),
    ],
)
def test_a_nan_that_is_passed_over_has_no_say(f):
    factors = np.array([1.0, np.nan, 2.0])
    slope = mg.grad(lambda x, y: np.sum(f(x * y) ** 2))
    clean, poisoned = (slope(np.ones(3), y) for y in (np.nan_to_num(factors), factors))
    if f is np.nanmedian:  # of two numbers, not of three
        clean = mg.grad(lambda x: np.median(x[KNOWN] * factors[KNOWN]) ** 2)(np.ones(3))
    np.testing.assert_allclose(poisoned, clean)
