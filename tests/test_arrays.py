"""Arranging, selecting, sorting and accumulating where it is awkward: ties, zeros, NaN, nothing, repeated indices."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_table import Row
from rows_arrays import ROWS

import microgd as mg
from microgd.errors import DetachError, UnsupportedError
from microgd.ops.index import scatter

nan, inf = np.nan, np.inf
seeds = st.integers(0, 2**32 - 1)

NAN_RELATIVES = [
    (np.nansum, np.sum),
    (np.nanmean, np.mean),
    (np.nanprod, np.prod),
    (np.nanvar, np.var),
    (np.nanstd, np.std),
    (np.nanmax, np.max),
    (np.nanmin, np.min),
    (np.nanmedian, np.median),
    (lambda x: np.nanquantile(x, 0.3), lambda x: np.quantile(x, 0.3)),
    (lambda x: np.nancumsum(x)[-1], lambda x: np.cumsum(x)[-1]),
    (lambda x: np.nancumprod(x)[-1], lambda x: np.cumprod(x)[-1]),
]


@pytest.mark.parametrize(("over_numbers", "plain"), NAN_RELATIVES, ids=[str(f.__name__) for f, _ in NAN_RELATIVES])
@given(seed=seeds)
def test_nan_is_passed_over_and_gets_no_gradient(over_numbers, plain, seed):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=4)
    with_nan = np.insert(numbers, rng.integers(0, 5, 2), nan)
    missing = np.isnan(with_nan)
    np.testing.assert_allclose(over_numbers(mg.tensor(with_nan)).data, over_numbers(with_nan), rtol=1e-12)
    g = mg.grad(over_numbers)(with_nan)
    np.testing.assert_array_equal(g[missing], 0)
    np.testing.assert_allclose(g[~missing], mg.grad(plain)(numbers), rtol=1e-10, atol=1e-12)
    v = rng.normal(size=6)
    curvature, expected = mg.hvp(over_numbers)(with_nan, v), mg.hvp(plain)(numbers, v[~missing])
    np.testing.assert_array_equal(curvature[missing], 0)
    np.testing.assert_allclose(curvature[~missing], expected, rtol=1e-8, atol=1e-8)


def test_nothing_but_nan():
    x = np.array([[nan, 1.0], [nan, 2.0]])
    for f in (np.nanmax, np.nanmin, np.nanmedian):
        out, pullback = mg.vjp(lambda x, f=f: f(x, axis=0), x)
        assert np.isnan(out[0])
        assert not np.isnan(out[1])
        np.testing.assert_array_equal(pullback(np.array([0.0, 1.0]))[0][:, 0], 0)
    np.testing.assert_array_equal(mg.grad(lambda x: np.sum(np.nansum(x, axis=0)))(x), [[0, 1], [0, 1]])


@pytest.mark.parametrize("f", [np.quantile, np.percentile], ids=lambda f: f.__name__)
def test_a_quantile_with_nan_is_nan(f):
    x = np.array([[1.0, nan, 3.0], [1.0, 2.0, 4.0]])
    np.testing.assert_array_equal(f(mg.tensor(x), 0.5, axis=1).data, f(x, 0.5, axis=1))


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2, 3)], ids=str)
def test_running_products_at_zeros(zeros):
    """The derivative of a product is the product of the others, and the second that of what is left by two."""
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[list(zeros)] = 0
    others = [[np.prod(np.delete(x[: i + 1], k)) if k <= i else 0 for k in range(4)] for i in range(4)]
    np.testing.assert_allclose(mg.jacobian(np.cumprod)(x), others, rtol=1e-14)
    pairs = [[np.prod(np.delete(x, [i, k])) if i != k else 0 for k in range(4)] for i in range(4)]
    np.testing.assert_allclose(mg.hessian(lambda x: np.cumprod(x)[-1])(x), pairs, rtol=1e-14)


@given(seed=seeds)
def test_ties_keep_the_whole_gradient(seed):
    rng = np.random.default_rng(seed)
    x, u = rng.integers(0, 3, 6).astype(float), rng.normal(size=6)
    for f in (np.sort, lambda x: np.partition(x, 3)):
        g = mg.grad(lambda x, f=f: np.sum(u * f(x)))(x)
        np.testing.assert_array_equal(np.sort(g), np.sort(u))  # each goes to one entry
        for value in np.unique(x):  # and to one of that size
            np.testing.assert_allclose(g[x == value].sum(), u[f(x) == value].sum(), rtol=1e-12, atol=1e-12)
    for f in (np.max, np.ptp, np.median, lambda x: np.quantile(x, 0.3), lambda x: np.nanmax(x)):
        shift = mg.jvp(f, (x,), (np.ones(6),))[1]
        assert np.isclose(shift, f(x + 1.0) - f(x))


METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


@pytest.mark.parametrize("method", METHODS)
@given(seed=seeds)
def test_quantiles_by_every_method(method, seed):
    """NumPy's value, and shares of the entries that add up to one."""
    rng = np.random.default_rng(seed)
    x, q = rng.permutation(np.arange(7.0)) * 10, rng.uniform(0, 1, 3)
    shares = mg.jacobian(lambda x: np.quantile(x, q, method=method))(x)
    np.testing.assert_allclose(shares @ x, np.quantile(x, q, method=method), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)


def test_points():
    np.testing.assert_array_equal(mg.grad(np.median)(np.array([1.0, 5.0, 2.0, 9.0])), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(mg.grad(np.median)(np.array([inf, 1.0, 2.0])), [0, 0, 1])
    np.testing.assert_array_equal(np.median(mg.tensor([inf, 1.0, inf])).data, inf)
    np.testing.assert_array_equal(mg.grad(np.ptp)(np.array([3.0, 1.0, 3.0])), [0.5, -1, 0.5])
    for f in (np.std, np.nanstd, lambda x: np.std(x, where=np.array([True, True, False]))):
        np.testing.assert_array_equal(mg.grad(f)(np.full(3, 2.0)), 0)
        np.testing.assert_array_equal(mg.hvp(f)(np.full(3, 2.0), np.arange(3.0)), 0)
    x = np.array([1.0, nan, inf, -inf])
    np.testing.assert_array_equal(mg.grad(lambda x: np.sum(np.nan_to_num(x)))(x), [1, 0, 0, 0])
    np.testing.assert_array_equal(mg.grad(lambda x: np.vander(x).sum())(np.zeros(3)), 1)
    where = np.array([True, False, False])
    np.testing.assert_array_equal(mg.grad(lambda x: np.select([where], [x * 2], x * 3).sum())(np.ones(3)), [2, 3, 3])


def test_interpolation_at_a_knot_and_beyond_the_ends():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 8.0])
    slopes = mg.grad(lambda x: np.sum(np.interp(x, xp, fp)))(np.array([-1.0, 0.0, 1.0, 3.0, 4.0]))
    np.testing.assert_array_equal(slopes, [0, 2, 3, 3, 0])
    ends = mg.grad(lambda fp: np.sum(np.interp(np.array([-1.0, 4.0, 5.0]), xp, fp)))(fp)
    np.testing.assert_array_equal(ends, [1, 0, 2])
    np.testing.assert_array_equal(np.interp(mg.tensor([-1.0, 0.5]), [0.5], [7.0]).data, 7)


INDICES = [
    np.array([2, 0, 2, -1]),
    np.array([[0, 1], [1, 1]]),
    np.array([], dtype=int),
    [1, 1],
    np.array([True, False, True]),
    (np.array([0, 2, 2]), np.array([1, 1, -1])),
    (np.array([[0], [2]]), np.array([1, 1])),
    (slice(None), np.array([0, 0, 1])),
    (np.array([1, 1]), slice(None), 0),
    (Ellipsis, np.array([1, 0, 1])),
    (None, np.array([1, 1])),
    (0, np.array([1, 1]), 1),
    np.arange(12).reshape(3, 4) % 2 == 0,
]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_scatter_is_add_at(index, dtype):
    shape = (3, 4, 2)
    g = np.random.default_rng(0).normal(size=np.empty(shape)[index].shape).astype(dtype)
    expected = np.zeros(shape, dtype)
    np.add.at(expected, index, g)
    for given_as in (g, np.asfortranarray(g), g[..., ::-1][..., ::-1]):
        out = scatter(given_as, index, shape)
        assert out.dtype == dtype
        np.testing.assert_allclose(out, expected, rtol=1e-6)


EMPTY = [
    np.flip,
    np.ravel,
    np.sort,
    np.cumsum,
    np.cumprod,
    np.nansum,
    lambda x: np.roll(x, 2),
    lambda x: np.tile(x, 3),
    lambda x: np.repeat(x, 2),
    lambda x: np.take(x, np.array([], dtype=int), axis=0),
    lambda x: np.delete(x, [], axis=0),
    lambda x: np.append(x, 1.0),
    lambda x: np.resize(x, (2, 2)),
    lambda x: np.diagonal(x, 3),
    lambda x: np.sum(x, axis=1, dtype=np.float32),
    lambda x: np.pad(x, 2),
    lambda x: np.pad(x, ((0, 0), (0, 1)), "constant", constant_values=3.0),
    lambda x: np.max(x, axis=1, initial=0.0) if x.shape[1] else x,
    lambda x: np.diagonal(x),
    lambda x: np.trace(x),
    lambda x: np.tril(x),
]


@pytest.mark.parametrize("f", EMPTY, ids=range(len(EMPTY)))
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)], ids=str)
def test_empty_arrays(f, shape):
    x = np.zeros(shape)
    out, pullback = mg.vjp(f, x)
    assert out.shape == np.shape(f(x))
    assert pullback(np.ones(out.shape))[0].shape == shape


@pytest.mark.parametrize("row", [r for r in ROWS if np.ndim(r.draw(0)[0]) == 2], ids=str)
def test_memory_layout_does_not_matter(row: Row):
    """Fortran order, negative strides and read-only arrays give the numbers of a plain copy."""
    first, *rest = row.draw(5)

    def slope(x):
        leaves = mg.grad(lambda x: sum(np.sum(out * np.cos(out)) for out in outputs(row(x, *rest))))(x)
        return np.asarray(leaves)

    def outputs(out):
        return out if isinstance(out, tuple | list) else (out,)

    expected = slope(first)
    backwards = first[::-1, ::-1].copy()[::-1, ::-1]
    frozen = first.copy()
    frozen.flags.writeable = False
    for x in (np.asfortranarray(first), backwards, frozen):
        np.testing.assert_allclose(slope(x), expected, rtol=1e-13, atol=1e-13)


def test_order_of_what_has_no_derivative():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 3, (2, 8)).astype(float)
    t = [mg.tensor(k, requires_grad=True) for k in keys]
    np.testing.assert_array_equal(np.lexsort(tuple(t)), np.lexsort(tuple(keys)))
    np.testing.assert_array_equal(np.argsort(t[0], kind="stable"), np.argsort(keys[0], kind="stable"))
    np.testing.assert_array_equal(np.digitize(t[0], [0.5, 1.5]), np.digitize(keys[0], [0.5, 1.5]))
    np.testing.assert_array_equal(np.searchsorted(np.array([0.5, 1.5]), t[0]), np.digitize(keys[0], [0.5, 1.5]))
    np.testing.assert_array_equal(np.sort(keys[0])[3], t[0][np.argpartition(t[0], 3)[3]].data)
    np.testing.assert_array_equal(np.flatnonzero(t[0]), np.flatnonzero(keys[0]))
    np.testing.assert_array_equal(np.argwhere(t[0]), np.argwhere(keys[0]))
    for given_as, expected in zip(np.histogram(t[0], 4), np.histogram(keys[0], 4), strict=True):
        np.testing.assert_array_equal(given_as, expected)


@given(seed=seeds)
def test_histogram_sorts_weights_into_bins(seed):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-1, 5, 12) / 2, rng.normal(size=12)
    for bins, span in ((3, None), (4, (0.0, 1.5)), ([0.0, 0.5, 2.0], None)):
        for density in (False, True):
            want, edges = np.histogram(x, bins, span, density, w)
            got, _ = np.histogram(x, bins, span, density, mg.tensor(w))
            np.testing.assert_allclose(got.data, want, rtol=1e-9, atol=1e-12)
        inside = (x >= edges[0]) & (x <= edges[-1])
        total = mg.grad(lambda w, b=bins, s=span: np.sum(np.histogram(x, b, s, None, w)[0]))(w)
        np.testing.assert_array_equal(total, inside)


def test_writing_functions_assign():
    t = mg.tensor(np.zeros((2, 3)))
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    before = t * 1.0
    t.put([0, 4], x)
    np.fill_diagonal(t, 3 * x)
    np.testing.assert_array_equal(t.data, [[3, 0, 0], [0, 6, 0]])
    np.testing.assert_array_equal(before.data, 0)  # values never change
    t.put([1], [])
    t.sum().backward()
    np.testing.assert_array_equal(x.grad, 3)  # what was overwritten gets nothing
    for write in (
        lambda a: np.put(a, [0], x),
        lambda a: np.copyto(a, x[:, None]),
        lambda a: np.put_along_axis(a, np.array([[0], [1]]), x[:, None], 1),
    ):
        with pytest.raises(DetachError):
            write(np.zeros((2, 3)))


def test_what_is_not_supported_says_so():
    x = mg.tensor(np.ones((2, 2)), requires_grad=True)
    with pytest.raises(UnsupportedError, match="no derivative rule; those that have: constant"):
        np.pad(x, 1, "empty")
    with pytest.raises(UnsupportedError, match="one reflection, at most 1"):
        np.pad(x, 2, "reflect", reflect_type="odd")
    for f in (np.quantile, np.percentile, np.nanquantile, np.nanpercentile):
        with pytest.raises(UnsupportedError, match=rf"^{f.__name__}: .*'weights'"):
            f(x, 0.5, weights=np.ones((2, 2)), method="inverted_cdf")
    with pytest.raises(ValueError, match="2 constants for 3 integrals"):
        np.polyint(x[0], 3, [1.0, 2.0])
    with pytest.raises(ValueError, match="1 functions for 2 conditions"):
        np.piecewise(x, [x > 1, x < 0], [np.sin])
    with pytest.raises(ValueError, match="a window of 3 on axis 0, which has 2 entries"):
        np.lib.stride_tricks.sliding_window_view(x, 3, 0)
    with pytest.raises(UnsupportedError, match="how the numbers lie in memory"):
        np.ravel(x, order="K")
    with pytest.raises(UnsupportedError, match="needs initial="):
        np.max(x, where=np.eye(2, dtype=bool))
    with pytest.raises(UnsupportedError, match="takes plain q"):
        np.quantile(x, x[0, 0], method="hazen")
    with pytest.raises(UnsupportedError, match="unique"):
        np.unique(x)
    for f in (np.diff, np.cumsum, np.sort, np.prod, np.std, np.median, np.trapezoid, np.gradient):
        with pytest.raises(np.exceptions.AxisError):
            f(x, axis=2)
    with pytest.raises(ValueError, match="from 0 to 1"):
        np.nanquantile(x, 1.5)
    with pytest.raises(ValueError, match="needs more points"):
        np.gradient(x, edge_order=2)
    if hasattr(np, "cumulative_sum"):
        with pytest.raises(ValueError, match="axis="):
            np.cumulative_sum(x)


LAYERS = [np.sort, np.cumsum, np.cumprod, np.median]


@pytest.mark.parametrize(("f", "g"), list(itertools.product(LAYERS, repeat=2)))
def test_batches_of_compositions(f, g):
    x = np.random.default_rng(3).normal(size=(3, 4))

    def both(row):
        return np.sum(np.atleast_1d(f(np.atleast_1d(g(row)))) ** 2)

    np.testing.assert_allclose(mg.vmap(mg.grad(both))(x), [mg.grad(both)(row) for row in x], rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_many_operands_are_joined_as_by_numpy(axis):
    rng = np.random.default_rng(0)
    xs = [rng.normal(size=(2, 2)) for _ in range(70)]
    ts = [mg.tensor(x, requires_grad=True) for x in xs]
    joined = np.concatenate(xs, axis)
    out = np.concatenate(ts, axis)
    np.testing.assert_array_equal(out.data, joined)
    (out**2).sum().backward()
    np.testing.assert_array_equal([t.grad for t in ts], 2 * np.stack(xs))
    np.testing.assert_array_equal(mg.jvp(lambda *xs: np.concatenate(xs, axis), tuple(xs), tuple(xs))[1], joined)
    batches = tuple(np.stack([x, -x]) for x in xs)
    np.testing.assert_array_equal(mg.vmap(lambda *xs: np.concatenate(xs, axis))(*batches), [joined, -joined])


def test_places_may_be_tensors():
    a, places = mg.tensor([1.0, 2.0, 3.0], requires_grad=True), mg.tensor([0, 1])
    np.testing.assert_array_equal(np.delete(a, places).data, [3])
    np.testing.assert_array_equal(np.insert(a, mg.tensor(1), 5.0).data, [1, 5, 2, 3])


def test_membership_is_that_of_entries():
    t = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert 2.0 in t
    assert 5.0 not in t


def test_operands_may_be_given_by_name():
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), mg.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_allclose(np.linalg.solve(a=a, b=b).data, np.linalg.solve(a, b.data))
    np.testing.assert_allclose(np.linalg.det(a=mg.tensor(a)).data, 5)


def test_joining_many_operands_takes_linear_memory():
    """What is kept beside each operand does not grow with their number."""

    def kept(count):
        ts = [mg.tensor(1.0, requires_grad=True) for _ in range(count)]
        tracemalloc.start()
        out = np.stack(ts)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert out.shape == (count,)
        return size / count

    assert kept(3000) < 1.5 * kept(300)


REFUSED_BY_NUMPY = [
    lambda x: np.linalg.matrix_power(x, 1.5),
    lambda x: np.tensordot(x, np.ones((3, 2)), 1),
    lambda x: np.tensordot(x, x, ((0, 1), (0,))),
    lambda x: np.tensordot(x, x, ((0,), (2,))),
    lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0], period=0),
    lambda x: np.diff(x, -1),
    lambda x: np.diag(x[None]),
    lambda x: np.diag(x[0, 0]),
    lambda x: np.vander(x),
    lambda x: np.meshgrid(x[0], x[1], indexing="yx"),
    lambda x: np.take_along_axis(x, np.array([0, 1]), 1),
    lambda x: np.take_along_axis(x, np.array([[0, 1]]), None),
    lambda x: np.var(x, ddof=1, correction=1),
    lambda x: np.average(x, weights=x - x),
    lambda x: np.prod(x, axis=[0]),
    lambda x: np.add.reduceat(x, [0, -1]),
    lambda x: np.concatenate([x, x], dtype=int),
    lambda x: np.nanmax(x, where=[True, False]),
    lambda x: np.polyfit(x[0], x, 1, cov=True),
]


@pytest.mark.parametrize("f", REFUSED_BY_NUMPY, ids=range(len(REFUSED_BY_NUMPY)))
def test_what_numpy_refuses_is_refused(f):
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    with pytest.raises((ValueError, TypeError, ZeroDivisionError, IndexError)) as expected:
        f(x)
    with pytest.raises(expected.type):
        f(mg.tensor(x, requires_grad=True))


AS_NUMPY = [
    lambda x: np.inner(x, [1.0, 2.0]),
    lambda x: np.inner([1.0, 2.0], x),
    lambda x: np.tensordot(x, [1.0, 2.0], 1),
    lambda x: np.tensordot([[1.0, 2.0]], x, np.int64(1)),
    lambda x: np.column_stack([x, [1.0, 2.0]]),
    lambda x: np.gradient(x, [1.0, 3.0]),
    lambda x: np.einsum("ij,j->i", np.ones((3, 1)), x),
    lambda x: np.einsum("ij,j->i", np.array([[1.0, 2.0], [0.5, 3.0]]), x[:1]),
    lambda x: np.einsum("ij,j->ij", x[:, None], np.array([1.0, 2.0, 4.0])),
    lambda x: np.einsum("ij,j", x[None], x[1:]),
    lambda x: np.nansum(x, where=[True, False]),
    lambda x: np.nanmean(x, where=[True, False]),
    lambda x: np.vander(x, 0),
    lambda x: np.diff(x, 0, prepend=7.0),
    lambda x: np.interp(x, [0.5, 1.0, 2.0], [1.0, 4.0, 2.0], period=-3.0),
    lambda x: np.sum(x, axis=None, out=None),
    lambda x: np.cumsum(x, out=None) * np.all(x > 0, where=[True, False]),
    lambda x: x * np.argmax(x, 0, None) + np.nanmax(x[:0][None].T, 1, initial=1.0).sum(),
    lambda x: np.add.reduce(x, 0, None, None),
    lambda x: np.add.reduceat(x, [1]),
    lambda x: np.maximum.reduce(x, dtype=None),
    lambda x: np.multiply.reduce(x, initial=None),
    lambda x: np.concatenate([x, [1, 2]], dtype=np.float64),
    lambda x: np.stack([x, [1, 2]], dtype=np.float64),
    lambda x: np.hstack([x, [1, 2]], dtype=np.float64),
    lambda x: np.vstack([x, [1, 2]], dtype=np.float64),
    lambda x: np.nanmax(x, initial=2.0),
    lambda x: np.nanmin(x, where=[True, False], initial=9.0),
    lambda x: np.logspace(0.0, x, 3, dtype=np.float64),
    lambda x: np.linspace(0.0, x, 3, retstep=True)[1],
    lambda x: np.var(x, mean=[1.5]),
    lambda x: np.poly([x[0], 1.0, x[1]]) if isinstance(x, np.ndarray) else np.poly(np.stack([x[0], 1.0, x[1]])),
    lambda x: np.imag(np.poly(x * 1j)),
    lambda x: np.polyfit([0.0, 1.0, 2.0], np.append(x, 1.0), 1, full=True)[1],
    lambda x: np.polyfit([0.0, 1.0, 2.0], np.outer(np.append(x, 1.0), [1.0, 2.0]), 1, cov="unscaled")[0],
    lambda x: np.polydiv(np.append(x, [0.0, 3.0]), x)[0],
    lambda x: np.polyfit(np.arange(3), np.append(x, 1.0), 1),
    lambda x: np.histogram([0.5, 0.6, 1.5], [0.0, 1.0, 2.0, 3.0, 4.0], weights=np.append(x, 3.0))[0],
    lambda x: np.gradient(np.append(x, [1.0, 0.0, 4.0]), np.array([0.0, 1.0, 3.0, 4.5, 7.0]), edge_order=2),
    lambda x: np.diff(x, append=x[:1] * 2),
    lambda x: np.linalg.norm(np.outer(x, [3.0, 2.0]), np.inf, axis=0, keepdims=True),
    lambda x: np.nanquantile(x, 0.3, keepdims=True),
    lambda x: np.nanmax(np.outer(x, [1.0, np.nan, 2.0]), axis=1, keepdims=True),
    lambda x: np.nan_to_num(x * [1.0, np.nan], nan=5.0),
]


@pytest.mark.parametrize("f", AS_NUMPY, ids=range(len(AS_NUMPY)))
def test_calls_that_numpy_takes(f):
    x, v = np.array([1.25, 2.5]), np.array([0.5, -1.0])
    out, pullback = mg.vjp(f, x)
    np.testing.assert_allclose(out, f(x))
    u = np.random.default_rng(0).normal(size=np.shape(out))
    h = 1e-6
    slope = (f(x + h * v) - f(x - h * v)) / (2 * h)
    np.testing.assert_allclose(np.sum(pullback(u[()])[0] * v), np.sum(u * slope), atol=1e-8)
    np.testing.assert_allclose(mg.jvp(f, (x,), (v,))[1], slope, atol=1e-8)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("shape", "axis"), [((0,), None), ((0, 3), 0), ((0, 3), 1)])
def test_the_median_of_nothing(shape, axis):
    x = np.zeros(shape)
    np.testing.assert_array_equal(np.median(mg.tensor(x), axis).data, np.median(x, axis))
    assert mg.grad(lambda x: np.sum(np.median(x, axis)))(x).shape == shape


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.corrcoef(x, dtype=np.float32),
        lambda x: np.vstack([x, x], dtype=np.float32),
        lambda x: np.logspace(x, 2.0, 3, dtype=np.float32),
        lambda x: np.linalg.lstsq(np.array([[1j, 2.0], [1.0, 3j], [2.0, 1.0]]), np.append(x[0], 1.0))[1],
    ],
    ids=["corrcoef", "vstack", "logspace", "residuals of complex numbers"],
)
def test_a_dtype_that_is_asked_for(f):
    x = np.array([[1.25, 2.5], [0.5, 3.0]])
    expected, out = f(x), f(mg.tensor(x, requires_grad=True))
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.data, expected, rtol=1e-5)


def test_stable_sorting_keeps_the_order_of_ties():
    x = np.round(np.random.default_rng(0).normal(size=100) * 3)
    place = np.empty(100)
    place[np.argsort(x, kind="stable")] = np.arange(100)
    np.testing.assert_array_equal(mg.grad(lambda x: np.sum(np.sort(x, kind="stable") * np.arange(100)))(x), place)


def test_a_choice_that_is_not_there():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(IndexError):
        np.choose([5, 0, 1], [x, x * 10])
    single = mg.tensor(np.ones(3, np.float32), requires_grad=True)
    assert np.choose([0, 1, 0], [single, np.array([True, False, True])]).dtype == np.float32


def test_the_rank_of_nothing_is_0():
    assert np.linalg.lstsq(np.zeros((2, 2)), mg.tensor(np.ones(2), requires_grad=True))[2] == 0


def test_a_number_has_one_axis_that_may_be_named():
    """As NumPy has it."""
    for f in (np.sum, np.max, np.min, np.prod):
        for axis in (0, -1):
            assert np.sum(mg.grad(lambda x, f=f, axis=axis: np.sum(f(x, axis=axis)))(3.0)) == 1
