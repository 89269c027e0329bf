"""Every property that follows from the form of a primitive, over every row of the op table."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_table import ROWS, Row

import microgd as mg
from microgd.core.primitive import TABLE
from microgd.core.tree import leaves_of

seeds = st.integers(0, 2**32 - 1)
every_row = pytest.mark.parametrize("row", ROWS, ids=str)


def tensors(values: list) -> list[mg.Tensor]:
    return [mg.tensor(v, requires_grad=True) for v in values]


def scalarised(row: Row, seed: int):
    """<u, f(x)> for a random cotangent u: never the sum, which hides a quarter of all wrong rules."""
    rng = np.random.default_rng(seed + 1)
    cotangents = [rng.normal(size=np.shape(out)) for out in leaves_of(row(*row.draw(seed)))]
    return lambda *xs: sum(np.sum(u * out) for u, out in zip(cotangents, leaves_of(row(*xs)), strict=True))


def derivative(f, x, v):
    """Directional derivative by a four-point stencil; its error is about h^4 times the fifth derivative."""
    h = 2.0**-10
    f1, f2 = f(x + h * v) - f(x - h * v), f(x + 2 * h * v) - f(x - 2 * h * v)
    return (8 * f1 - f2) / (12 * h)


def check_gradient(f, values: list, gradients: list, seed: int, rtol: float = 1e-7) -> None:
    """Every gradient against numeric derivatives along every axis and one random direction."""
    rng = np.random.default_rng(seed + 2)
    for k, (x, g) in enumerate(zip(values, gradients, strict=True)):
        assert np.shape(g) == np.shape(x)
        axes = [np.reshape(e, np.shape(x)) for e in np.eye(np.size(x))]
        for v in [*axes, rng.normal(size=np.shape(x))]:
            numeric = derivative(lambda z, k=k: f(*values[:k], z, *values[k + 1 :]), x, v)
            scale = max(np.max(np.abs(g), initial=0), 1)
            np.testing.assert_allclose(np.sum(g * v), numeric, rtol=rtol, atol=rtol * scale, err_msg=f"operand {k}")


def for_a_few_seeds(check) -> None:
    """check(seed) for a fifth of the profile's examples: numeric derivatives of every row take most of the time.

    Called inside a test: where hypothesis wraps the parametrised test, the settings of each row become the parent of
    the next row's, and a thousand of them are too deep for Python's stack.
    """
    settings(max_examples=settings().max_examples // 5)(given(seed=seeds)(check))()


WIDENED = {np.interp, np.cov, np.corrcoef, np.vander, np.bincount, np.geomspace, np.polyfit, mg.polygamma}
"""Functions whose answer NumPy gives in double precision whatever it was given; on tensors the precision is kept."""


def test_every_declared_function_has_a_row():
    flat_or_empty = {row.function for row in TABLE.values() if row.form in ("flat", "undeclared")}
    missing = set(TABLE) - flat_or_empty - {row.key for row in ROWS}
    assert not missing, f"without a row in the op table: {[f.__name__ for f in missing]}"


@every_row
def test_value_and_dtype_are_numpys(row):
    for dtype in (np.float64, np.float32):
        values = row.draw(0, dtype)
        expected = leaves_of(row.on_arrays()(*values))
        for out, want in zip(leaves_of(row(*tensors(values))), expected, strict=True):
            assert isinstance(out, mg.Tensor)
            assert out.shape == np.shape(want)
            fixed = [a.dtype for a in row.args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
            assert out.dtype == (np.result_type(dtype, *fixed) if row.key in WIDENED else want.dtype)
            np.testing.assert_allclose(out.data, want, rtol=1e-12 if dtype == np.float64 else 2e-5, atol=1e-6)


@every_row
def test_gradient_has_shape_and_dtype_of_its_input(row):
    values = tensors(row.draw(0, np.float32))
    sum(np.sum(out) for out in leaves_of(row(*values))).backward()
    for x in values:
        assert x.grad.shape == x.shape
        assert x.grad.dtype == np.float32


@every_row
def test_first_derivative(row):
    def check(seed):
        f, values = scalarised(row, seed), row.draw(seed)
        gradients = mg.grad(f, argnums=range(len(values)))(*values)
        check_gradient(f, values, gradients, seed)

    for_a_few_seeds(check)


@every_row
def test_second_derivative(row):
    def check(seed):
        f, values = scalarised(row, seed), row.draw(seed)
        rng = np.random.default_rng(seed + 3)
        weights = [rng.normal(size=np.shape(x)) for x in values]

        def slope(*xs):
            gradients = mg.grad(f, argnums=range(len(xs)))(*xs)
            return sum(np.sum(w * g) for w, g in zip(weights, gradients, strict=True))

        gradients = mg.grad(slope, argnums=range(len(values)))(*values)
        check_gradient(slope, values, gradients, seed, rtol=2e-6)

    for_a_few_seeds(check)


@every_row
def test_recorded_backward_agrees_with_nested_grad(row):
    f, values = scalarised(row, 7), row.draw(7)
    rng = np.random.default_rng(8)
    weights = [rng.normal(size=np.shape(x)) for x in values]

    def slope(*xs):
        return sum(np.sum(w * g) for w, g in zip(weights, mg.grad(f, argnums=range(len(xs)))(*xs), strict=True))

    expected = mg.grad(slope, argnums=range(len(values)))(*values)
    leaves = tensors(values)
    f(*leaves).backward(create_graph=True)
    total = sum(np.sum(w * x.grad) for w, x in zip(weights, leaves, strict=True))
    for x in leaves:
        x.zero_grad()
    assert isinstance(total, mg.Tensor)
    if total.requires_grad:  # the gradient of a linear function is constant
        total.backward()
    for x, want in zip(leaves, expected, strict=True):
        np.testing.assert_allclose(0 if x.grad is None else x.grad, want, rtol=1e-10, atol=1e-12)


@every_row
def test_forward_agrees_with_reverse(row):
    """<u, J t> = <J'u, t>, exactly but for rounding; and the same for the gradient, in every nesting of the two."""
    values, rng = row.draw(3), np.random.default_rng(4)
    tangents = tuple(rng.normal(size=np.shape(x)) for x in values)
    f = scalarised(row, 3)
    _, slope = mg.jvp(f, tuple(values), tangents)
    gradient = mg.grad(f, argnums=range(len(values)))
    expected = sum(np.sum(g * t) for g, t in zip(gradient(*values), tangents, strict=True))
    np.testing.assert_allclose(slope, expected, rtol=1e-11, atol=1e-12)
    _, pullback = mg.vjp(gradient, *values)
    _, forward_over_reverse = mg.jvp(gradient, tuple(values), tangents)
    reverse_over_forward = mg.grad(lambda *xs: mg.jvp(f, xs, tangents)[1], argnums=range(len(values)))(*values)
    for a, b, c in zip(pullback(tangents), forward_over_reverse, reverse_over_forward, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(c, a, rtol=1e-9, atol=1e-10)
    _, curvature = mg.jvp(lambda *xs: mg.jvp(f, xs, tangents)[1], tuple(values), tangents)
    twice = sum(np.sum(h * t) for h, t in zip(forward_over_reverse, tangents, strict=True))
    np.testing.assert_allclose(curvature, twice, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("row", [row for row in ROWS if row.complex_step], ids=str)
@given(seed=seeds)
def test_complex_step(row, seed):
    """Im f(x + i h v) / h has no cancellation: an oracle exact to the last digits, from NumPy alone."""
    f, values = scalarised(row, seed), row.draw(seed)
    gradients = mg.grad(f, argnums=range(len(values)))(*values)
    plain = row.on_arrays()
    rng = np.random.default_rng(seed + 1)
    u = rng.normal(size=np.shape(plain(*values)))
    for k, (x, g) in enumerate(zip(values, gradients, strict=True)):
        v = rng.normal(size=np.shape(x))
        moved = np.sum(u * plain(*values[:k], x + 1e-30j * v, *values[k + 1 :]))
        np.testing.assert_allclose(np.sum(g * v), moved.imag / 1e-30, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("row", [row for row in ROWS if row.complex_step], ids=str)
@pytest.mark.parametrize(
    "part", [np.real, np.imag, np.conj, lambda z: np.abs(z + 9)], ids=["real", "imag", "conj", "abs"]
)
def test_complex_gradient_is_the_direction_of_ascent(row, part):
    """d L(z + h v)/dh = Re <conj(g), v>, for a real L made of holomorphic and of other functions."""
    rng = np.random.default_rng(11)
    values = [x + 0.1j * rng.uniform(-1, 1, np.shape(x)) for x in row.draw(9)]
    u = rng.normal(size=np.shape(row(*values))) + 1j * rng.normal(size=np.shape(row(*values)))

    def loss(*zs):
        return np.sum(np.real(u * part(row(*zs))))

    gradients = mg.grad(loss, argnums=range(len(values)))(*values)
    leaves = tensors(values)
    loss(*leaves).backward()
    for k, (z, g, leaf) in enumerate(zip(values, gradients, leaves, strict=True)):
        assert g.dtype == np.complex128
        np.testing.assert_allclose(leaf.grad, g, rtol=1e-13, atol=1e-13)
        v = rng.normal(size=np.shape(z)) + 1j * rng.normal(size=np.shape(z))
        numeric = derivative(lambda x, k=k: loss(*values[:k], x, *values[k + 1 :]), z, v)
        np.testing.assert_allclose(np.sum(np.real(np.conj(g) * v)), numeric, rtol=1e-7, atol=1e-7)
        _, slope = mg.jvp(lambda x, k=k: loss(*values[:k], x, *values[k + 1 :]), (z,), (v,))
        np.testing.assert_allclose(slope, np.sum(np.real(np.conj(g) * v)), rtol=1e-11, atol=1e-11)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "not contiguous": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "negative strides": lambda x: np.flip(np.flip(x).copy()),
    "read-only": lambda x: np.lib.stride_tricks.as_strided(x, writeable=False),
}


@every_row
def test_memory_layout_does_not_matter(row):
    f, values = scalarised(row, 2), row.draw(2)
    numbers = range(len(values))
    expected = mg.grad(f, argnums=numbers)(*values)
    for lay in LAYOUTS.values():
        laid = [lay(x) if np.ndim(x) else x for x in values]
        for got, want in zip(mg.grad(f, argnums=numbers)(*laid), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("row", [row for row in ROWS if row.complex_step], ids=str)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_precision_is_kept(row, dtype):
    values = [np.asarray(x + 0.1j, dtype=dtype)[()] for x in row.draw(9)]
    expected = row.on_arrays()(*values)
    leaves = tensors(values)
    out = row(*leaves)
    assert out.dtype == expected.dtype
    np.sum(np.real(out)).backward()
    for leaf in leaves:
        assert leaf.grad.dtype == dtype
        assert leaf.grad.shape == leaf.shape


def stacked(draws: list[list]) -> list:
    """Several draws of the operands, as one batch per operand."""
    return [np.stack(values) for values in zip(*draws, strict=True)]


@every_row
def test_batched_agrees_with_a_loop(row):
    """The function and its gradient, with every operand batched and with each alone."""
    draws = [row.draw(seed) for seed in (1, 2, 3)]
    first, numbers = draws[0], range(len(draws[0]))
    f = scalarised(row, 1)
    for which in [None, *numbers] if len(first) > 1 else [None]:
        if which is not None and row.key is operator.setitem and which > 0:
            continue  # the first operand is then a plain array, which cannot hold a batch
        axes = tuple(0 if which in (None, k) else None for k in numbers)
        examples = [[x if which in (None, k) else first[k] for k, x in enumerate(draw)] for draw in draws]
        batch = [x if axis == 0 else first[k] for k, (x, axis) in enumerate(zip(stacked(draws), axes, strict=True))]
        outs = leaves_of(mg.vmap(lambda *xs: row(*xs), axes)(*batch))
        for got, *want in zip(outs, *[leaves_of(row(*xs)) for xs in examples], strict=True):
            assert got.dtype == want[0].dtype
            np.testing.assert_allclose(got, np.stack(want), rtol=1e-12, atol=1e-12)
        gradients = mg.vmap(mg.grad(f, argnums=numbers), axes)(*batch)
        for got, *want in zip(gradients, *[mg.grad(f, argnums=numbers)(*xs) for xs in examples], strict=True):
            np.testing.assert_allclose(got, np.stack(want), rtol=1e-10, atol=1e-11)
    total = mg.grad(lambda *xs: np.sum(mg.vmap(f)(*xs)), argnums=numbers)(*stacked(draws))
    for got, *want in zip(total, *[mg.grad(f, argnums=numbers)(*xs) for xs in draws], strict=True):
        np.testing.assert_allclose(got, np.stack(want), rtol=1e-10, atol=1e-11)


@every_row
def test_jacobian_and_hessian_agree_in_both_modes(row):
    values = row.draw(5)
    numbers = range(len(values))
    f = scalarised(row, 5)
    outputs = lambda *xs: tuple(leaves_of(row(*xs)))
    rows = leaves_of(mg.jacobian(outputs, numbers, mode="reverse")(*values))
    columns = leaves_of(mg.jacobian(outputs, numbers, mode="forward")(*values))
    for a, b in zip(rows, columns, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)
    curvature = leaves_of(mg.hessian(f, numbers)(*values))
    by_rows = leaves_of(mg.jacobian(mg.grad(f, numbers), numbers, mode="reverse")(*values))
    for a, b in zip(curvature, by_rows, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
