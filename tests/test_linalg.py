"""Linear algebra where the op table does not reach: complex matrices, singular ones, equal eigenvalues, refusals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rows_linalg import minors

import microgd as mg
from microgd.errors import UnsupportedError
from microgd.ops.products import multi_dot


def random_complex(seed: int, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def mixed(*arrays_: np.ndarray) -> float:
    """A real number that depends on every entry, with and without its phase."""
    total = 0.0
    for k, z in enumerate(arrays_):
        u = random_complex(100 + k, *np.shape(z))
        total = total + np.sum(np.real(u * z)) + np.sum(u.real * np.real(z * np.conj(z)))
    return total


def free_of_phase(v: np.ndarray) -> np.ndarray:
    """What of unit vectors, in columns, does not depend on their phases."""
    return v[..., :, None, :] * np.conj(v[..., None, :, :])


def hermitian(a: np.ndarray) -> np.ndarray:
    return (a + np.conj(a.mT)) / 2


def positive(a: np.ndarray) -> np.ndarray:
    return a @ np.conj(a.mT) + np.eye(a.shape[-1])


def svd_loss(a: np.ndarray) -> float:
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return mixed(s, u[..., :, None, :] * vh.mT[..., None, :, :])


def eigh_loss(a: np.ndarray) -> float:
    w, v = np.linalg.eigh(hermitian(a))
    return mixed(w, free_of_phase(v))


def eig_loss(a: np.ndarray) -> float:
    w, v = np.linalg.eig(a)
    return mixed(w, free_of_phase(v))


SQUARE, TALL, WIDE, VECTOR, STACK = (3, 3), (4, 2), (2, 3), (4,), (2, 3, 3)
COMPLEX = {
    "inv": (lambda a: mixed(np.linalg.inv(a)), SQUARE),
    "pinv tall": (lambda a: mixed(np.linalg.pinv(a)), TALL),
    "pinv wide": (lambda a: mixed(np.linalg.pinv(a)), WIDE),
    "solve": (lambda a, b: mixed(np.linalg.solve(a, b)), SQUARE, (3, 2)),
    "lstsq": (lambda a, b: mixed(*(np.linalg.lstsq(a, b)[k] for k in (0, 1, 3))), TALL, (4, 3)),
    "det": (lambda a: mixed(np.linalg.det(a)), STACK),
    "slogdet": (lambda a: mixed(*np.linalg.slogdet(a)), STACK),
    "cholesky": (lambda a: mixed(np.linalg.cholesky(positive(a))), STACK),
    "cholesky upper": (lambda a: mixed(np.linalg.cholesky(positive(a), upper=True)), SQUARE),
    "qr tall": (lambda a: mixed(*np.linalg.qr(a)), TALL),
    "qr wide": (lambda a: mixed(*np.linalg.qr(a)), WIDE),
    "qr complete of wide": (lambda a: mixed(*np.linalg.qr(a, "complete")), WIDE),
    "eigh": (eigh_loss, SQUARE),
    "eigh stack": (eigh_loss, STACK),
    "eigvalsh": (lambda a: mixed(np.linalg.eigvalsh(hermitian(a), "U")), SQUARE),
    "eig": (eig_loss, SQUARE),
    "eigvals": (lambda a: mixed(np.linalg.eigvals(a)), SQUARE),
    "svd tall": (svd_loss, TALL),
    "svd wide": (svd_loss, (2, 2, 3)),
    "svd square": (svd_loss, SQUARE),
    "svdvals": (lambda a: mixed(np.linalg.svdvals(a)), TALL),
    "matrix_power": (lambda a: mixed(np.linalg.matrix_power(a, -3)), SQUARE),
    "cond": (lambda a: np.linalg.cond(a), SQUARE),
    "cond 1": (lambda a: np.linalg.cond(a, 1), SQUARE),
    **{f"norm {p}": (lambda a, p=p: np.linalg.norm(a, p), VECTOR) for p in (None, 1, 2.5, 3, np.inf, -np.inf, -1)},
    **{f"matrix norm {p}": (lambda a, p=p: np.linalg.norm(a, p), TALL) for p in ("fro", "nuc", 1, -1, 2, -2, np.inf)},
    "vdot": (lambda a, b: mixed(np.vdot(a, b)), TALL, TALL),
    "vecdot": (lambda a, b: mixed(np.vecdot(a, b)), WIDE, (3,)),
    "correlate": (lambda a, b: mixed(np.correlate(a, b, "same")), VECTOR, (3,)),
    "correlate shorter first": (lambda a, b: mixed(np.correlate(a, b, "same")), (2,), (5,)),
    "convolve": (lambda a, b: mixed(np.convolve(a, b, "same")), VECTOR, (3,)),
    "fft": (lambda a: mixed(np.fft.fft(a, 5, norm="ortho")), WIDE),
    "irfft": (lambda a: mixed(np.fft.irfft(a, 5)), TALL),
    "hfft": (lambda a: mixed(np.fft.hfft(a)), VECTOR),
}
if hasattr(np, "vecmat"):
    COMPLEX["vecmat"] = (lambda a, b: mixed(np.vecmat(a, b)), (2,), WIDE)
every_complex = pytest.mark.parametrize("name", COMPLEX)


def slope(f, x: np.ndarray, v: np.ndarray) -> float:
    """Numeric directional derivative."""
    h = 2.0**-12
    return (8 * (f(x + h * v) - f(x - h * v)) - (f(x + 2 * h * v) - f(x - 2 * h * v))) / (12 * h)


def along(g: np.ndarray, v: np.ndarray) -> float:
    """The directional derivative that a gradient dL/dx + i dL/dy promises."""
    return np.sum(np.real(np.conj(g) * v))


@every_complex
def test_complex_derivatives_are_the_numeric_ones(name):
    """First, forward, second, and forward over reverse, along random complex directions."""
    f, *shapes = COMPLEX[name]
    values = [random_complex(k, *shape) for k, shape in enumerate(shapes)]
    for k, x in enumerate(values):
        v, w = random_complex(10, *x.shape), random_complex(20, *x.shape)

        def alone(z, k=k):
            return f(*values[:k], z, *values[k + 1 :])

        def tilt(z, w=w, alone=alone):
            return along(mg.grad(alone)(z), w)

        np.testing.assert_allclose(along(mg.grad(alone)(x), v), slope(alone, x, v), rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(mg.jvp(alone, (x,), (v,))[1], along(mg.grad(alone)(x), v), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(along(mg.grad(tilt)(x), v), slope(tilt, x, v), rtol=1e-6, atol=1e-6)
        forward = along(mg.jvp(mg.grad(alone), (x,), (v,))[1], w)
        np.testing.assert_allclose(forward, along(mg.grad(tilt)(x), v), rtol=1e-8, atol=1e-8)


@every_complex
def test_single_precision_stays_single(name):
    f, *shapes = COMPLEX[name]
    values = [random_complex(k, *shape).astype(np.complex64) for k, shape in enumerate(shapes)]
    for x, g in zip(values, mg.grad(f, argnums=range(len(values)))(*values), strict=True):
        assert g.dtype == np.complex64
        assert g.shape == x.shape


def test_a_real_matrix_with_complex_eigenvalues():
    a = np.array([[1.0, 2.0, 0.5], [-3.0, 1.5, 0.2], [0.1, 0.4, 4.0]])
    assert np.iscomplexobj(np.linalg.eigvals(a))
    v = np.random.default_rng(0).normal(size=(3, 3))
    g = mg.grad(eig_loss)(a)
    assert g.dtype == np.float64
    np.testing.assert_allclose(np.sum(g * v), slope(eig_loss, a, v), rtol=1e-8)
    np.testing.assert_allclose(mg.jvp(eig_loss, (a,), (v,))[1], np.sum(g * v), rtol=1e-10)


# ---- singular matrices -------------------------------------------------------------------------------------


def pair_minors(a: np.ndarray, i: int, j: int) -> np.ndarray:
    """d2 det / da_ij da_km for every k and m: the signed determinant without two rows and two columns."""
    n = len(a)
    out = np.zeros((n, n))
    for rows, columns in ((r, c) for r in combinations(range(n), 2) for c in combinations(range(n), 2)):
        if i in rows and j in columns:
            (k,), (m,) = set(rows) - {i}, set(columns) - {j}
            sign = (-1) ** (i + j + k + m) * np.sign(k - i) * np.sign(m - j)
            out[k, m] = sign * np.linalg.det(np.delete(np.delete(a, rows, 0), columns, 1))
    return out


small_integers = arrays(np.float64, (3, 3), elements=st.integers(-1, 1).map(float))


@given(small_integers)
def test_determinant_of_any_matrix_has_two_derivatives(a):
    """Most such matrices are singular, many of rank 1, some 0."""
    np.testing.assert_allclose(mg.grad(np.linalg.det)(a), minors(a), atol=1e-12)
    second = mg.jacobian(mg.grad(np.linalg.det))(a)
    for i, j in np.ndindex(3, 3):
        np.testing.assert_allclose(second[i, j], pair_minors(a, i, j), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_determinant_of_zero_and_of_rank_one(n):
    zero = np.zeros((n, n))
    np.testing.assert_allclose(mg.grad(np.linalg.det)(zero), np.ones((1, 1)) if n == 1 else zero, atol=1e-30)
    np.testing.assert_allclose(mg.grad(np.linalg.det)(np.ones((n, n))), minors(np.ones((n, n))), atol=1e-12)


def test_determinants_of_a_stack_with_a_singular_one():
    a = np.stack([np.eye(2), np.ones((2, 2)), np.zeros((2, 2))])
    g = mg.grad(lambda a: np.sum(np.linalg.det(a)))(a)
    np.testing.assert_allclose(g, [[[1, 0], [0, 1]], [[1, -1], [-1, 1]], [[0, 0], [0, 0]]], atol=1e-14)


def test_log_determinant_of_a_singular_matrix_is_never_a_wrong_number():
    a = np.stack([np.diag([1.0, 2.0]), np.diag([1.0, 0.0])])

    def guarded(a):
        _, logdet = np.linalg.slogdet(a)
        return np.sum(np.where(np.isfinite(logdet), logdet, 0))

    np.testing.assert_allclose(mg.grad(guarded)(a), [np.diag([1, 0.5]), np.zeros((2, 2))])
    unguarded = mg.grad(lambda a: np.sum(np.linalg.slogdet(a)[1]))(a)
    np.testing.assert_allclose(unguarded[0], np.diag([1, 0.5]))
    assert not np.isfinite(unguarded[1]).any()


@pytest.mark.parametrize("function", [np.linalg.inv, lambda a: np.linalg.solve(a, np.ones(2)), np.linalg.cholesky])
def test_what_numpy_refuses_is_refused(function):
    with pytest.raises(np.linalg.LinAlgError):
        mg.grad(lambda a: np.sum(function(a)))(-np.ones((2, 2)))


def test_least_squares_of_dependent_columns():
    """The shortest solution, no residuals, as NumPy's; differentiated along changes that keep the rank."""
    a, b = np.outer([1.0, 2.0, 3.0], [1.0, -1.0]), np.array([1.0, 0.0, 2.0])
    got = np.linalg.lstsq(mg.tensor(a, requires_grad=True), b)
    for x, want in zip(got, np.linalg.lstsq(a, b), strict=True):
        assert np.shape(x) == np.shape(want)
        np.testing.assert_allclose(getattr(x, "data", x), want, atol=1e-14)
    u, v = np.array([0.3, -0.2, 0.5]), np.array([1.0, -1.0])

    def along_rank_one(t):
        return np.linalg.lstsq(np.outer(np.array([1.0, 2.0, 3.0]) + t * u, v), b)[0][0]

    np.testing.assert_allclose(mg.grad(along_rank_one)(0.0), slope(along_rank_one, 0.0, 1.0), rtol=1e-9)


# ---- equal eigenvalues and singular values -----------------------------------------------------------------


def rotation(n: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(3).normal(size=(n, n)))[0]


@pytest.mark.parametrize("turn", [np.eye(4), rotation(4)], ids=["exact", "rounded"])
def test_equal_eigenvalues_harm_only_what_depends_on_their_vectors(turn):
    a = turn @ np.diag([1.0, 2.0, 2.0, 3.0]) @ turn.T
    a = (a + a.T) / 2
    b = np.random.default_rng(0).normal(size=(4, 4))
    b = b + b.T
    np.testing.assert_allclose(mg.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(a), 2 * a, atol=1e-12)
    np.testing.assert_allclose(mg.grad(lambda a: np.sum(np.linalg.eigh(a)[0] ** 2))(a), 2 * a, atol=1e-12)

    def lowest(a):  # v' b v of the one vector whose eigenvalue stands alone
        v = np.linalg.eigh((a + a.T) / 2)[1][:, 0]
        return v @ b @ v

    np.testing.assert_allclose(np.sum(mg.grad(lowest)(a) * b), slope(lowest, a, b), rtol=1e-7)

    def through_all(a):  # tr(b exp(a)): a derivative exists, but not by way of the vectors
        w, v = np.linalg.eigh(a)
        return np.sum(b * (v * np.exp(w) @ v.T))

    assert np.isnan(mg.grad(through_all)(a)).any()
    assert np.isnan(mg.jvp(through_all, (a,), (b,))[1])


def test_equal_singular_values():
    a = 2.0 * rotation(3)
    np.testing.assert_allclose(mg.grad(lambda a: np.linalg.norm(a, "nuc"))(a), rotation(3), atol=1e-14)
    np.testing.assert_allclose(mg.grad(lambda a: np.sum(np.linalg.svdvals(a) ** 2))(a), 2 * a, atol=1e-14)
    assert np.isnan(mg.grad(lambda a: np.sum(np.linalg.svd(a)[0] ** 3))(a)).any()


# ---- norms at zero -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ord", [None, 0.5, 1, 1.5, 2, 3, 4.0, np.inf, -np.inf])
@pytest.mark.parametrize("x", [np.zeros(3), np.zeros(3, dtype=complex)], ids=["real", "complex"])
def test_the_derivative_of_a_norm_at_zero_is_zero(ord, x):
    np.testing.assert_array_equal(mg.grad(lambda x: np.linalg.norm(x, ord))(x), 0)
    np.testing.assert_array_equal(mg.jvp(lambda x: np.linalg.norm(x, ord), (x,), (x + 1,))[1], 0)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_the_derivative_of_a_matrix_norm_at_zero_is_zero(ord):
    np.testing.assert_array_equal(mg.grad(lambda x: np.linalg.norm(x, ord))(np.zeros((2, 3))), 0)


@pytest.mark.parametrize("ord", [2, 3, 1.5])
def test_norms_guarded_by_where_at_zero(ord):
    """Rows of zeros that where() does not take leave no trace, in either order."""
    x = np.array([[3.0, -4.0], [0.0, 0.0]])

    def guarded(x):
        norms = np.linalg.norm(x, ord, axis=1)
        return np.sum(np.where(norms > 0, norms, 0) ** 3)

    g, h = mg.grad(guarded)(x), mg.hessian(guarded)(x)
    assert np.isfinite(g).all()
    assert np.isfinite(h).all()
    alone = mg.grad(lambda v: np.linalg.norm(v, ord) ** 3)(x[0])
    np.testing.assert_allclose(g, [alone, [0, 0]])


@pytest.mark.parametrize("ord", [1.5, 2, 3, 4])
def test_norms_of_vectors_with_zero_entries_are_smooth_there(ord):
    x, v = np.array([0.0, 2.0, -1.0]), np.array([0.0, 0.5, 1.0])

    def norm(x):
        return np.linalg.norm(x, ord)

    np.testing.assert_allclose(mg.grad(norm)(x) @ v, slope(norm, x, v), rtol=1e-9)
    assert mg.grad(norm)(x)[0] == 0
    np.testing.assert_allclose(
        mg.grad(lambda x: mg.grad(norm)(x) @ v)(x) @ v, slope(lambda x: mg.grad(norm)(x) @ v, x, v)
    )


def test_a_zero_entry_of_a_norm_with_a_cusp_there_gets_nothing():
    x = np.array([0.0, 2.0, -1.0])
    g = mg.grad(lambda x: np.linalg.norm(x, 0.5))(x)
    np.testing.assert_allclose(g, [0, *mg.grad(lambda x: np.linalg.norm(x, 0.5))(x[1:])])
    assert g[1] == pytest.approx(np.sqrt(np.linalg.norm(x, 0.5) / 2))


def test_the_number_of_nonzero_entries_is_flat():
    t = mg.tensor([1.0, 0.0, -2.0], requires_grad=True)
    count = np.linalg.norm(t, 0)
    assert float(count) == 2.0
    (count * t.sum()).backward()
    np.testing.assert_array_equal(t.grad, [2, 2, 2])


# ---- shapes, types and refusals ----------------------------------------------------------------------------

EMPTY = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: np.linalg.slogdet(a)[1],
    "cholesky": np.linalg.cholesky,
    "qr": lambda a: np.linalg.qr(a)[1],
    "eigh": lambda a: np.linalg.eigh(a)[1],
    "eig": lambda a: np.real(np.linalg.eig(a)[1]),
    "svd": lambda a: np.linalg.svd(a)[0],
    "solve": lambda a: np.linalg.solve(a, a),
    "norm": lambda a: np.linalg.norm(a, axis=(1, 2)),
    "fft": lambda a: np.real(np.fft.fft(a, 4)),
}


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 0)], ids=str)
def test_empty_stacks(name, shape):
    a = np.zeros(shape)
    g = mg.grad(lambda a: np.sum(EMPTY[name](a)))(a)
    assert g.shape == a.shape
    assert g.dtype == a.dtype


@pytest.mark.parametrize(
    "call", [np.linalg.eigh, np.linalg.eig, np.linalg.qr, np.linalg.svd, np.linalg.slogdet], ids=lambda f: f.__name__
)
def test_several_outputs_come_with_numpys_names(call):
    plain = call(np.eye(2))
    boxed = call(mg.tensor(np.eye(2), requires_grad=True))
    assert type(boxed) is type(plain)
    assert boxed._fields == plain._fields


@pytest.mark.parametrize(
    "call",
    [
        np.linalg.svd,
        lambda a: np.linalg.qr(a, mode="complete"),
        lambda a: np.linalg.qr(a, mode="raw"),
    ],
)
def test_arbitrary_columns_are_refused(call):
    with pytest.raises(UnsupportedError, match="Use"):
        call(mg.tensor(np.ones((3, 2)), requires_grad=True))


def test_norms_that_do_not_exist_are_refused():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    for ord, axis in [("fro", 0), (3, None), ("nuc", (0,))]:
        with pytest.raises(ValueError, match="norm"):
            np.linalg.norm(x, ord, axis=axis)
    with pytest.raises(ValueError, match="norm"):
        np.linalg.norm(np.reshape(x, (1, 2, 3)), 2)


def test_flat_functions_of_matrices():
    a = mg.tensor(np.diag([1.0, 2.0, 0.0]), requires_grad=True)
    assert np.linalg.matrix_rank(a) == 2
    assert np.einsum_path("ij,jk->ik", a, a)[0] == np.einsum_path("ij,jk->ik", a.data, a.data)[0]
    np.testing.assert_array_equal(np.linalg.matrix_power(a, 0).data, np.eye(3))


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
@pytest.mark.parametrize("shapes", [((2,), (2,)), ((3, 2), (2,)), ((2,), (4, 3)), ((3,), (2,))], ids=str)
def test_cross_products_of_vectors_in_the_plane(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape) for shape in shapes)
    try:
        np.cross(a, b)
    except ValueError:
        pytest.skip("this NumPy multiplies vectors of space alone")
    np.testing.assert_allclose(np.cross(mg.tensor(a), b).data, np.cross(a, b))
    u, v = rng.normal(size=np.shape(np.cross(a, b))), rng.normal(size=a.shape)
    g = mg.grad(lambda a: np.sum(u * np.cross(a, b)))(a)
    np.testing.assert_allclose(np.sum(g * v), np.sum(u * np.cross(v, b)))


def test_solve_stretches_its_operands():
    """One matrix for many right sides, and one right side for many matrices."""
    rng = np.random.default_rng(0)
    for shapes in [((3, 3), (2, 3, 1)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 2))]:
        a, b = (rng.normal(size=shape) for shape in shapes)
        u = rng.normal(size=np.linalg.solve(a, b).shape)
        da, db = mg.grad(lambda a, b, u=u: np.sum(u * np.linalg.solve(a, b)), (0, 1))(a, b)
        v, w = rng.normal(size=a.shape), rng.normal(size=b.shape)
        np.testing.assert_allclose(np.sum(da * v), slope(lambda a, u=u, b=b: np.sum(u * np.linalg.solve(a, b)), a, v))
        np.testing.assert_allclose(np.sum(db * w), np.sum(u * np.linalg.solve(a, np.broadcast_to(w, b.shape))))


def test_lists_beside_tensors():
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(np.kron([1.0, -1.0], t).data, [1, 2, -1, -2])
    np.testing.assert_array_equal(np.convolve([1.0, 1.0], t).data, [1, 3, 2])
    assert float(np.vdot([1.0, 1.0], t).data) == 3.0
    assert float(np.polyval(t, 3.0).data) == 5.0


def test_a_chain_of_products_is_taken_in_the_cheap_order():
    """A tall matrix times a wide one is large, and never needed if the wide one meets the vector first."""
    tall, wide, end = np.ones((300, 2)), np.ones((2, 300)), np.ones((300, 1))
    shapes = []

    class Watched(np.ndarray):
        def __array_ufunc__(self, ufunc, how, *inputs, **kwargs):
            out = getattr(ufunc, how)(*[np.asarray(x) for x in inputs], **kwargs)
            shapes.append(out.shape)
            return out.view(Watched)

    multi_dot([x.view(Watched) for x in (tall, wide, end)])
    assert shapes == [(2, 1), (300, 1)]


def test_the_third_derivative_of_a_singular_determinant():
    """It is a polynomial of degree 3: its third derivative along v is 6 times that of v."""
    a, v = np.diag([1.0, 0.0, 2.0]), np.arange(9.0).reshape(3, 3) ** 2 / 9
    second = mg.hvp(np.linalg.det)
    along = mg.grad(lambda a: np.sum(v * second(a, v)))
    np.testing.assert_allclose(np.sum(v * along(a)), 6 * np.linalg.det(v), rtol=1e-9)


def test_a_cutoff_that_drops_more_than_rounding_is_refused():
    a, b = np.diag([3.0, 2.0, 1.0]), np.ones(3)
    for call in (lambda a: np.linalg.pinv(a, 0.5), lambda a: np.linalg.pinv(a, rtol=0.5)):
        with pytest.raises(UnsupportedError, match=r"^pinv and lstsq: the cutoff drops"):
            mg.grad(lambda a, call=call: np.sum(call(a)))(a)
    with pytest.raises(UnsupportedError, match=r"^pinv and lstsq: the cutoff drops"):
        mg.grad(lambda a: np.sum(np.linalg.lstsq(a, b, 0.5)[0]))(a)
    lower = np.array([[1.0, 0.0], [0.999, 1.0]])  # of a Hermitian matrix, with the eigenvalues 0.001 and 1.999
    with pytest.raises(UnsupportedError, match=r"0.001 beside 2"):
        mg.grad(lambda a: np.sum(np.linalg.pinv(a, 1e-2, hermitian=True)))(lower)
    assert not mg.jvp(lambda a: np.linalg.pinv(a, 0.1), (np.zeros((2, 3)),), (np.ones((2, 3)),))[1].any()
    data = (np.random.default_rng(20).normal(size=(20, 20)) + 50).astype(np.float32)
    centred = data - data.mean(axis=0)  # without full rank but for rounding, which may be cut off
    assert np.isfinite(mg.grad(lambda a: np.sum(np.linalg.lstsq(a, np.ones(20, np.float32))[0]))(centred)).all()
    constant = mg.grad(lambda a: np.sum(a) * np.linalg.pinv(mg.stop_gradient(a), 0.5)[0, 0])
    np.testing.assert_allclose(constant(a), 1 / 3)
    a[2] = 0
    np.testing.assert_allclose(mg.grad(lambda a: np.linalg.pinv(a, 0.5)[0, 0])(a)[0, 0], -1 / 9)


def test_close_eigenvalues_of_a_large_matrix_are_not_equal():
    """Single precision, 200 rows: neighbours lie some hundred roundings apart."""
    x = np.random.default_rng(0).normal(size=(2000, 200)).astype(np.float32)
    s = x.T @ x / 2000

    def whitened(s):
        w, v = np.linalg.eigh(s)
        return np.sum(((v / np.sqrt(w + 1e-3)) @ v.T) ** 2)

    single, double = mg.grad(whitened)(s), mg.grad(whitened)(s.astype(float))
    np.testing.assert_allclose(single, double, atol=1e-3 * np.max(np.abs(double)))
