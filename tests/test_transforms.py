"""Transforms on transforms: batching, Jacobians, one's own primitives, checkpoints, and every nesting of them."""

from __future__ import annotations

import copy
import itertools
import pickle
import tracemalloc
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

import numpy as np
import pytest

import microgd as mg
from microgd.core.primitive import TABLE
from microgd.errors import DetachError, DtypeError, GraphError, OptionError, ShapeError, UnsupportedError

rng = np.random.default_rng(0)


class TestVmap:
    def test_axes_of_inputs_and_outputs(self):
        x, y = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
        out = mg.vmap(np.outer, in_axes=(1, 0), out_axes=2)(x, y)
        assert out.shape == (3, 2, 4)
        for k in range(4):
            np.testing.assert_array_equal(out[:, :, k], np.outer(x[:, k], y[k]))

    def test_negative_axes(self):
        x = rng.normal(size=(3, 4))
        np.testing.assert_array_equal(mg.vmap(np.sum, in_axes=-1, out_axes=-1)(x), x.sum(0))

    def test_containers_and_axes_inside_them(self):
        p = {"w": rng.normal(size=(5, 2)), "b": 1.0}
        x = rng.normal(size=(5, 2))
        out = mg.vmap(lambda p, x: {"y": p["w"] @ x + p["b"]}, in_axes=({"w": 0, "b": None}, 0))(p, x)
        np.testing.assert_allclose(out["y"], np.sum(p["w"] * x, 1) + 1)

    def test_what_does_not_depend_on_the_batch_is_repeated(self):
        np.testing.assert_array_equal(mg.vmap(lambda x: np.arange(2.0))(np.zeros(3)), np.tile(np.arange(2.0), (3, 1)))

    def test_nested(self):
        x, y = rng.normal(size=3), rng.normal(size=4)
        np.testing.assert_allclose(
            mg.vmap(mg.vmap(lambda a, b: a * np.sin(b), (None, 0)), (0, None))(x, y), np.outer(x, np.sin(y))
        )

    def test_per_example_gradients(self):
        X, y, w = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=3)
        g = mg.vmap(mg.grad(lambda w, x, y: (x @ w - y) ** 2), (None, 0, 0))(w, X, y)
        np.testing.assert_allclose(g, 2 * (X @ w - y)[:, None] * X)

    def test_branches_on_values_are_refused(self):
        with pytest.raises(DetachError, match=r"np\.where"):
            mg.vmap(lambda x: x if x > 0 else -x)(np.ones(2))
        for leave in (float, np.asarray, lambda x: x.item()):
            with pytest.raises(DetachError):
                mg.vmap(leave)(np.ones(2))

    def test_where_instead(self):
        x = np.array([-1.0, 2.0])
        np.testing.assert_array_equal(mg.vmap(lambda x: np.where(x > 0, x, -x))(x), [1, 2])

    def test_assignment_inside(self):
        def f(x):
            out = mg.tensor(np.zeros(3))
            out[1] = x
            out[2] = 2 * x
            return out

        np.testing.assert_array_equal(mg.vmap(f)(np.array([1.0, 5.0])), [[0, 1, 2], [0, 5, 10]])
        with pytest.raises((DetachError, ValueError)):  # NumPy rewords some of the refusals
            mg.vmap(lambda x: np.zeros(3).__setitem__(1, x))(np.ones(2))

    def test_shapes_that_depend_on_values_are_refused(self):
        with pytest.raises(UnsupportedError, match="depends on the values"):
            mg.vmap(lambda x: x[np.nonzero(np.asarray([1, 0]))] * np.nonzero(x)[0])(np.array([[1.0, 1.0], [1.0, 0.0]]))

    def test_what_does_not_fit(self):
        with pytest.raises(ShapeError, match="different numbers of examples"):
            mg.vmap(np.add)(np.ones(2), np.ones(3))
        with pytest.raises(OptionError, match="nothing to batch over"):
            mg.vmap(np.add, (None, None))(1.0, 2.0)
        with pytest.raises(OptionError, match="in_axes"):
            mg.vmap(np.add, (0,))(np.ones(2), np.ones(2))

    def test_integers_and_booleans_are_welcome(self):
        np.testing.assert_array_equal(mg.vmap(lambda i: i + 1)(np.arange(3)), [1, 2, 3])

    def test_empty_batch(self):
        assert mg.vmap(lambda x: np.sum(x * 2))(np.zeros((0, 3))).shape == (0,)

    def test_leaves_nothing_behind_after_an_error(self):
        with pytest.raises(ZeroDivisionError):
            mg.vmap(lambda x: 1 / 0)(np.ones(2))
        assert mg.grad(lambda x: x * x)(3.0) == 6.0

    def test_axes_of_a_dataclass(self):
        @dataclass
        class Line:
            m: object
            b: object

        f = mg.vmap(lambda line: line.m * 2 + line.b, in_axes=(Line(m=0, b=None),))
        np.testing.assert_array_equal(f(Line(np.array([1.0, 2.0]), 3.0)), [5, 7])

    def test_each_example_may_read_another_entry(self):
        x, i = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([2, 0])
        np.testing.assert_array_equal(mg.vmap(lambda x, i: x[i])(x, i), [3, 4])
        np.testing.assert_array_equal(mg.vmap(mg.grad(lambda x, i: x[i] ** 2))(x, i), [[0, 0, 6], [8, 0, 0]])
        read = lambda w: np.sum(mg.vmap(lambda i: w[i] ** 2)(i))
        np.testing.assert_array_equal(mg.grad(read)(np.array([1.0, 2.0, 3.0])), [2, 0, 6])

    @pytest.mark.parametrize(
        "index",
        [
            lambda i, j, k: i,
            lambda i, j, k: np.s_[i, :, 1:4:2],
            lambda i, j, k: np.s_[:, j],
            lambda i, j, k: np.s_[::-1, j],
            lambda i, j, k: np.s_[i, j],
            lambda i, j, k: np.s_[i, :, k],
            lambda i, j, k: np.s_[:, j, k],
            lambda i, j, k: np.s_[i, j, k],
            lambda i, j, k: np.s_[..., k],
            lambda i, j, k: np.s_[i, 2, k],
            lambda i, j, k: np.s_[1, :, k],
            lambda i, j, k: np.s_[[0, 1], j],
        ],
        ids=range(12),
    )
    def test_indices_that_differ_mean_what_numpy_means(self, index):
        x = rng.normal(size=(6, 4, 3, 5))
        i, j, k = rng.integers(-4, 4, 6), rng.integers(-3, 3, (6, 2)), rng.integers(0, 5, (6, 2, 1))
        examples = list(zip(x, i, j, k, strict=True))

        def read(x, *where):
            return x[index(*where)] * 2

        def written(x, *where):
            y = x * 1.0
            y[index(*where)] = x[0, 0, 0]
            return y

        for f in (read, written):
            np.testing.assert_array_equal(mg.vmap(f)(x, i, j, k), [f(*example) for example in examples])
            slope = mg.grad(lambda x, *where, f=f: np.sum(f(x, *where) ** 2))
            np.testing.assert_allclose(mg.vmap(slope)(x, i, j, k), [slope(*example) for example in examples])
            by_tensors = f(mg.tensor(x[0]), *[mg.tensor(place[0]) for place in (i, j, k)])
            np.testing.assert_array_equal(by_tensors.data, f(*examples[0]))

    def test_of_two_values_for_one_place_the_last_counts(self):
        def f(v, i):
            t = mg.tensor(np.zeros(3))
            t[i] = v
            return t

        v, i = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 1], [0, 2]])
        np.testing.assert_array_equal(mg.vmap(f)(v, i), [[0, 2, 0], [3, 0, 4]])
        np.testing.assert_array_equal(mg.vmap(mg.jacobian(f))(v, i)[0], [[0, 0], [0, 1], [0, 0]])

    def test_no_examples_at_all(self):
        x = np.zeros((0, 3))
        assert mg.vmap(lambda x: np.convolve(x, x))(x).shape == (0, 5)
        assert mg.vmap(mg.grad(lambda x: np.sum(np.sort(np.convolve(x, x)))))(x).shape == (0, 3)

    def test_small_whole_numbers_are_indices_too(self):
        x = mg.tensor(np.arange(1e4).reshape(100, 100))
        for dtype in (np.int8, np.uint8, np.int64):
            i = np.array([50, 99], dtype)
            np.testing.assert_array_equal(mg.vmap(lambda i: x[i, 0])(i), [5000, 9900])
            np.testing.assert_array_equal(mg.vmap(lambda i: x[i, i])(i), [5050, 9999])

    def test_an_index_that_differs_has_limits(self):
        x, i = mg.tensor(np.zeros((2, 3))), np.array([0, 2])
        for read in (lambda i: x[i], lambda i: x[i, 0]):
            with pytest.raises(IndexError, match="out of bounds"):
                mg.vmap(read)(i)
        for read in (lambda i: x[None, i], lambda i: x[i > 0], lambda i: x[i * 1.0], lambda i: x[i, i, i]):
            with pytest.raises(UnsupportedError, match="one for each axis"):
                mg.vmap(read)(i)


def test_a_primitive_may_have_an_argument_called_out():
    scaled = mg.primitive(lambda x, *, out: x * out, vjps=lambda g, out: g * out)
    assert mg.grad(lambda x: scaled(x, out=3.0))(2.0) == 3.0


class TestJacobian:
    def test_shapes(self):
        A = rng.normal(size=(2, 3))
        J = mg.jacobian(lambda X: A @ X)(rng.normal(size=(3, 4)))
        assert J.shape == (2, 4, 3, 4)
        np.testing.assert_allclose(J[1, 2, :, 2], A[1])
        assert not J[1, 2, :, 1].any()

    def test_containers_inside_containers(self):
        f = lambda p, x: {"sum": p["a"] + np.sum(x), "products": p["a"] * x}
        J = mg.jacobian(f, argnums=(0, 1))({"a": 2.0}, np.array([1.0, 3.0]))
        inner, by_x = J["products"]
        np.testing.assert_array_equal(inner["a"], [1, 3])
        np.testing.assert_array_equal(by_x, 2 * np.eye(2))
        np.testing.assert_array_equal(J["sum"][1], [1, 1])

    def test_dataclasses(self):
        @dataclass
        class Line:
            m: float
            b: float

        J = mg.jacobian(lambda line: line.m * np.arange(3.0) + line.b)(Line(2.0, 1.0))
        np.testing.assert_array_equal(J.m, [0, 1, 2])
        np.testing.assert_array_equal(J.b, [1, 1, 1])

    def test_hessian_of_containers(self):
        H = mg.hessian(lambda p: p["a"] ** 2 * np.sum(p["b"]))({"a": 3.0, "b": np.ones(2)})
        assert H["a"]["a"] == 4.0
        np.testing.assert_array_equal(H["a"]["b"], [6, 6])
        np.testing.assert_array_equal(H["b"]["b"], np.zeros((2, 2)))

    def test_the_hessian_of_least_squares_is_constant(self):
        X, y = rng.normal(size=(7, 3)), rng.normal(size=7)
        H = mg.hessian(lambda w: np.mean((X @ w - y) ** 2))
        np.testing.assert_allclose(H(rng.normal(size=3)), 2 / 7 * X.T @ X, rtol=1e-12)

    def test_the_mode_follows_the_shape(self):
        """A tall Jacobian runs the function on tangents, a wide one never does."""
        duals = []

        def watch(x):
            duals.append(type(x).__name__)
            return x

        mg.jacobian(lambda x: np.sum(watch(x)))(np.ones(5))
        assert "Dual" not in duals
        mg.jacobian(lambda x: watch(x) * np.ones(5))(1.0)
        assert "Dual" in duals

    def test_refusals(self):
        with pytest.raises(OptionError, match="mode"):
            mg.jacobian(np.sin, mode="sideways")
        with pytest.raises(DtypeError, match="floating"):
            mg.jacobian(np.sin)(np.arange(3))
        with pytest.raises(DtypeError, match="real and imaginary"):
            mg.jacobian(lambda z: np.real(z * z))(1j)

    def test_of_a_holomorphic_function_is_its_complex_derivative(self):
        z = np.array([1 + 2j, 0.5j])
        for mode in ("forward", "reverse"):
            np.testing.assert_allclose(mg.jacobian(np.exp, mode=mode)(z), np.diag(np.exp(z)))

    def test_a_real_function_of_complex_numbers_has_no_hessian(self):
        with pytest.raises(DtypeError, match="hvp"):
            mg.hessian(lambda z: np.sum(np.abs(z) ** 4))(np.array([1 + 2j]))

    @pytest.mark.parametrize("argnums", [(0, 0), (0, -2), (1, -1)])
    @pytest.mark.parametrize("transform", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
    def test_an_argument_named_twice_is_refused(self, transform, argnums):
        with pytest.raises(OptionError, match="twice"):
            transform(lambda x, y: x * y, argnums)(2.0, 3.0)

    def test_from_real_to_complex(self):
        np.testing.assert_allclose(mg.jacobian(lambda t: np.exp(1j * t))(0.3), 1j * np.exp(0.3j))

    def test_gauss_newton_is_positive_semidefinite_and_exact_for_linear_models(self):
        X = rng.normal(size=(8, 3))
        loss = lambda s: np.sum(np.logaddexp(0, s))
        w, v = rng.normal(size=(2, 3))
        exact = mg.hvp(lambda w: loss(X @ w))(w, v)
        np.testing.assert_allclose(mg.gauss_newton(lambda w: X @ w, loss)(w, v), exact, rtol=1e-11)
        product = mg.gauss_newton(lambda w: np.tanh(X @ np.sin(w)), loss)
        assert v @ product(w, v) > 0


class TestPrimitive:
    def test_one_operand_in_every_transform(self):
        cube = mg.primitive(lambda x: x**3, vjps=lambda g, x: g * 3 * x * x)
        x = np.array([1.0, 2.0])
        np.testing.assert_array_equal(cube(x), x**3)
        t = mg.tensor(x, requires_grad=True)
        np.sum(cube(t)).backward()
        np.testing.assert_allclose(t.grad, 3 * x**2)
        np.testing.assert_allclose(mg.jvp(cube, (x,), (x,))[1], 3 * x**3)
        np.testing.assert_allclose(mg.hessian(lambda x: np.sum(cube(x)))(x), np.diag(6 * x))
        np.testing.assert_allclose(mg.vmap(cube)(x), x**3)
        np.testing.assert_allclose(mg.vmap(mg.grad(cube))(x), 3 * x**2)

    def test_operands_by_their_own_names_metadata_and_shapes(self):
        def blend(first, second, weight=0.5):
            return first * weight + second * (1 - weight)

        f = mg.primitive(
            blend,
            vjps=(
                lambda g, weight, first_shape: np.reshape(g * weight, first_shape),
                lambda g, weight: g * (1 - weight),
            ),
        )
        assert mg.grad(f, argnums=(0, 1))(1.0, 2.0) == (0.5, 0.5)
        assert mg.grad(lambda a, b: f(a, b, weight=0.25), argnums=(0, 1))(1.0, 2.0) == (0.25, 0.75)
        assert mg.grad(lambda a: f(second=a, first=1.0, weight=0.25))(2.0) == 0.75

    def test_none_marks_an_operand_without_a_derivative(self):
        pick = mg.primitive(lambda x, i: x[int(i)], vjps=(lambda g, i, x: g * (np.arange(x.size) == i), None))
        np.testing.assert_array_equal(mg.grad(pick)(np.arange(3.0), 1.0), [0, 1, 0])

    def test_another_gradient_than_its_own(self):
        straight_through = mg.primitive(np.round, vjps=lambda g: g)
        assert mg.grad(lambda x: straight_through(x) * x)(1.6) == 2.0 + 1.6

    def test_forward_mode_uses_the_given_rule(self):
        asked = []

        def push(t, x):
            asked.append(1)
            return t * 2 * x

        square = mg.primitive(lambda x: x * x, vjps=lambda g, x: g * 2 * x, jvps=push)
        assert mg.jvp(square, (3.0,), (1.0,))[1] == 6.0
        assert asked

    def test_batching_by_declaration_calls_forward_once(self):
        calls = []

        def double(x):
            calls.append(np.shape(x))
            return 2 * x

        assert mg.vmap(mg.primitive(double, vjps=lambda g: 2 * g, batch="entries"))(np.ones(5)).sum() == 10
        assert calls == [(5,)]

    def test_ufuncs_defaults_and_numbers(self):
        sine = mg.primitive(np.sin, vjps=lambda g, x: g * np.cos(x))
        assert mg.grad(sine)(0.5) == np.cos(0.5)
        scaled = mg.primitive(lambda x, y=2.0: x * y, vjps=(lambda g, y: g * y, lambda g, x: g * x))
        assert mg.grad(scaled)(3.0) == 2.0
        assert mg.grad(mg.primitive(lambda x: 2.0 * float(x), vjps=lambda g: 2.0))(1.0) == 2.0
        with pytest.raises(GraphError, match="returned None"):
            mg.grad(mg.primitive(lambda x: x, vjps=lambda g: None))(1.0)

    def test_bad_declarations(self):
        with pytest.raises(OptionError, match="batch"):
            mg.primitive(lambda x: x, vjps=lambda g: g, batch="foo")
        with pytest.raises(OptionError, match="names y2"):
            mg.primitive(lambda x: x, vjps=lambda g, y2: g)
        with pytest.raises(OptionError, match="2 rules for a function of 1"):
            mg.primitive(lambda x: x, vjps=(None, None))
        with pytest.raises(OptionError, match="jvps"):
            mg.primitive(lambda x, y: x, vjps=(None, None), jvps=(None,))

    @pytest.mark.parametrize(
        "transform", [lambda f: mg.jvp(f, (2.0, 3.0), (1.0, 1.0)), lambda f: mg.vmap(f)(np.ones(2), np.ones(2))]
    )
    def test_an_input_that_was_not_passed_in_is_refused(self, transform):
        with pytest.raises(GraphError, match="not among its arguments"):
            transform(lambda x, w: mg.primitive(lambda x: x * w, vjps=lambda g: g * w)(x))

    def test_a_rule_that_looks_at_its_cotangent_can_be_transposed(self):
        cube = mg.primitive(lambda x: x**3, vjps=lambda g, x: np.where(g == 0, 0.0, g * 3 * x**2))
        assert mg.jvp(cube, (2.0,), (1.0,)) == (8.0, 12.0)

    def test_a_rule_of_the_wrong_shape_is_named(self):
        bad = mg.primitive(lambda x: x * 2.0, vjps=lambda g: g[:1, None] * np.ones((2, 7)))
        with pytest.raises(ShapeError, match="cotangent of shape"):
            mg.grad(lambda x: np.sum(bad(x)))(np.ones(3))


class TestCheckpoint:
    def test_value_and_derivatives_are_the_same(self):
        f = lambda p, x: {"y": np.tanh(p["w"] @ x), "s": np.sum(p["w"])}
        p, x = {"w": rng.normal(size=(2, 3))}, rng.normal(size=3)
        loss = lambda f: lambda p, x: np.sum(f(p, x)["y"] ** 2) * f(p, x)["s"]
        want = mg.grad(loss(f), argnums=(0, 1))(p, x)
        got = mg.grad(loss(mg.checkpoint(f)), argnums=(0, 1))(p, x)
        np.testing.assert_allclose(got[0]["w"], want[0]["w"], rtol=1e-12)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-12)

    def test_higher_orders_forward_mode_and_batches(self):
        f = lambda x: np.sin(x) * x
        c = mg.checkpoint(f)
        assert mg.grad(mg.grad(c))(0.7) == pytest.approx(mg.grad(mg.grad(f))(0.7), rel=1e-14)
        assert mg.jvp(c, (0.7,), (1.0,))[1] == pytest.approx(mg.jvp(f, (0.7,), (1.0,))[1], rel=1e-14)
        np.testing.assert_allclose(mg.vmap(mg.grad(c))(np.arange(3.0)), mg.vmap(mg.grad(f))(np.arange(3.0)))

    def test_outputs_of_every_kind_keep_theirs(self):
        t = mg.tensor(np.float32([0.7, 1.6]), requires_grad=True)
        outs = mg.checkpoint(lambda a: (a * 2, a.astype("f8"), np.argmax(a), a > 1, 1.0))(t)
        assert [np.asarray(o.data if isinstance(o, mg.Tensor) else o).dtype for o in outs[:4]] == [
            np.float32,
            np.float64,
            np.int64,
            np.bool_,
        ]
        (np.sum(outs[0]) + np.sum(outs[1]) * 10).backward()
        np.testing.assert_array_equal(t.grad, [12, 12])
        assert mg.checkpoint(lambda a: np.argmax(a))(t) == 1
        assert mg.checkpoint(lambda a: ())(t) == ()

    def test_one_second_run_serves_all_arguments(self):
        runs = []

        def f(x, y, z):
            runs.append(1)
            return x * y * z

        mg.grad(mg.checkpoint(f), argnums=(0, 1, 2))(1.0, 2.0, 3.0)
        assert len(runs) == 2

    def test_holds_less_memory(self):
        def peak(step):
            x = mg.tensor(np.ones(20_000), requires_grad=True)
            tracemalloc.start()
            y = x
            for _ in range(10):
                y = step(y)
            np.sum(y).backward()
            _, top = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return top, x.grad

        def step(x):
            for _ in range(10):
                x = np.tanh(x)
            return x

        plain, want = peak(step)
        small, got = peak(mg.checkpoint(step))
        np.testing.assert_array_equal(got, want)
        assert small < 0.4 * plain

    def test_a_tensor_that_was_not_passed_in_is_refused(self):
        w = mg.tensor(2.0, requires_grad=True)
        x = mg.tensor(3.0, requires_grad=True)
        with pytest.raises(GraphError, match="not among its arguments"):
            mg.checkpoint(lambda x: x * w)(x)

    def test_an_inner_input_that_was_not_passed_in_is_refused(self):
        product = lambda x, w: mg.checkpoint(lambda x: x * w)(x)
        with pytest.raises(GraphError, match="not among its arguments"):
            mg.grad(lambda x: mg.jvp(lambda w: product(x * x, w), (3.0,), (1.0,))[1])(2.0)

    def test_forward_mode_and_batches_run_straight_through(self):
        product = lambda x, w: mg.checkpoint(lambda x: x * w)(x)
        assert mg.jvp(product, (2.0, 3.0), (1.0, 1.0)) == (6.0, 5.0)
        np.testing.assert_array_equal(mg.vmap(product)(np.array([1.0, 2.0]), np.array([3.0, 4.0])), [3, 8])
        square = mg.checkpoint(lambda x: (x**2, np.argmax(x), x > 1))
        squares, largest, above = mg.vmap(square)(np.array([[1.0, 2.0, 3.0], [5.0, 1.0, 0.0]]))
        np.testing.assert_array_equal(squares, [[1, 4, 9], [25, 1, 0]])
        assert largest.tolist() == [2, 0]
        assert above.tolist() == [[False, True, True], [True, False, False]]

    def test_what_was_overwritten_may_have_been_nan(self):
        def overwritten(x):
            t = np.stack([np.sqrt(x), x]) * 1.0
            t[0] = x * x
            return t[0]

        with np.errstate(invalid="ignore"):
            assert mg.jvp(mg.checkpoint(overwritten), (-1.0,), (1.0,))[1] == -2.0

    def test_a_captured_value_of_an_outer_transform_is_fine(self):
        assert mg.grad(lambda a: mg.grad(mg.checkpoint(lambda x: x * x * a))(3.0))(1.0) == 6.0


class TestConstants:
    """What is cut off is cut off in every mode."""

    x = np.array([0.7, 1.6, -2.3])

    @pytest.mark.parametrize(
        "cut", [mg.stop_gradient, lambda x: x.detach(), lambda x: x.data if isinstance(x, mg.Tensor) else x.detach()]
    )
    def test_in_hessians_forward_mode_and_batches(self, cut):
        f = lambda x: np.sum(x**2 * cut(x))
        np.testing.assert_allclose(mg.grad(f)(self.x), 2 * self.x**2)
        np.testing.assert_allclose(mg.hessian(f)(self.x), np.diag(2 * self.x))
        np.testing.assert_allclose(mg.jvp(f, (self.x,), (np.ones(3),))[1], np.sum(2 * self.x**2))
        through = mg.grad(lambda x: np.sum(mg.vmap(lambda v: v * cut(v))(x)))(self.x)
        np.testing.assert_allclose(through, self.x)

    def test_no_grad_in_both_modes(self):
        def f(x):
            with mg.no_grad():
                y = x * x
            return x * y

        for mode in ("forward", "reverse"):
            np.testing.assert_allclose(mg.jacobian(f, mode=mode)(self.x), np.diag(self.x**2))

    def test_a_buffer_made_of_the_input_can_be_filled(self):
        def f(x):
            y = np.trunc(x)
            y[0] = x[1] * x[2]
            return y

        want = np.array([[0, self.x[2], self.x[1]], [0, 0, 0], [0, 0, 0]])
        for mode in ("forward", "reverse"):
            np.testing.assert_allclose(mg.jacobian(f, mode=mode)(self.x), want)

    def test_branches_of_dual_numbers(self):
        f = lambda x: x if x else 2 * x
        assert mg.jvp(f, (np.array([0.0]),), (np.ones(1),))[1] == 2.0
        with pytest.raises(ValueError, match="ambiguous"):
            mg.jvp(f, (self.x,), (self.x,))


class TestStructure:
    def test_dicts_are_matched_by_key(self):
        assert mg.jvp(lambda d: d["a"] * 10 + d["b"], ({"a": 1.0, "b": 2.0},), ({"b": 1.0, "a": 0.0},))[1] == 1.0
        assert mg.vjp(lambda x: {"a": x, "b": 10 * x}, 1.0)[1]({"b": 1.0, "a": 0.0})[0] == 10.0
        H = mg.hvp(lambda d: d["a"] ** 2 * d["b"])({"a": 3.0, "b": 5.0}, {"b": 1.0, "a": 0.0})
        assert H == {"a": 6.0, "b": 0.0}
        with pytest.raises(ShapeError, match="structure"):
            mg.jvp(lambda d: d["a"], ({"a": 1.0},), ({"c": 1.0},))

    @pytest.mark.parametrize("mode", [None, "forward", "reverse"])
    def test_jacobians_between_real_and_complex(self, mode):
        x = np.array([0.3, 0.7])
        first, second = mg.jacobian(lambda a, b: a * b, (0, 1), mode=mode)(x, x * 1j)
        np.testing.assert_allclose(first, np.diag(x * 1j))
        np.testing.assert_allclose(second, np.diag(x))
        with pytest.raises(DtypeError, match="no complex derivative"):
            mg.jacobian(lambda z: (z * 2, np.abs(z)), mode=mode)(x * (1 + 1j))
        for empty in (lambda x: None, lambda x: []):
            with pytest.raises(ShapeError, match="expected arrays in and out, got 1 and 0"):
                mg.jacobian(empty, mode=mode)(x)
        assert mg.jacobian(lambda x: x * 2, mode=mode)(np.zeros(0)).shape == (0, 0)
        assert mg.hessian(lambda x: x @ x)(np.zeros(0)).shape == (0, 0)

    @pytest.mark.parametrize("run", [mg.grad, lambda f: lambda x: mg.jvp(f, (x,), (1.0,))[1], mg.vmap])
    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
    def test_copies_of_what_is_traced_lose_nothing_in_silence(self, run, copied):
        with pytest.raises(DetachError):
            run(lambda x: x * copied(x))(np.ones(2) if run is mg.vmap else 1.5)

    @pytest.mark.parametrize("make", [np.zeros_like, np.ones_like, lambda x: np.full_like(x, 2.0)])
    def test_buffers_can_be_filled(self, make):
        def f(x):
            buffer = make(x)
            buffer[0] = x[1] ** 2
            return buffer

        want = np.array([[0, 6.0], [0, 0]])
        x = np.array([2.0, 3.0])
        for mode in ("forward", "reverse"):
            np.testing.assert_array_equal(mg.jacobian(f, mode=mode)(x), want)

    def test_dicts_keep_their_kind(self):
        class Attributes(dict):
            __getattr__ = dict.__getitem__

        gradient = mg.grad(lambda d: np.sum(d.a**2))(Attributes(a=np.ones(3)))
        assert type(gradient) is Attributes
        tree = defaultdict(list, b=OrderedDict(z=np.ones(2), a=2.0), a=3.0)
        gradient = mg.grad(lambda d: np.sum(d["b"]["z"]) * d["b"]["a"] * d["a"])(tree)
        assert type(gradient) is defaultdict
        assert (gradient.default_factory, type(gradient["b"]), list(gradient["b"])) == (list, OrderedDict, ["z", "a"])
        assert (tree["a"], gradient["a"], gradient["b"]["a"]) == (3.0, 4.0, 6.0)

    def test_batched_results_own_their_memory(self):
        A = np.ones((2, 3))
        first, second = mg.vmap(mg.grad(lambda a, b: np.sum((a + b) ** 2), argnums=(0, 1)))(A, A)
        first *= 10
        np.testing.assert_array_equal(second, 4 * A)
        repeated = mg.vmap(lambda x: 2.0)(np.ones(3))
        repeated += 1
        same = mg.vmap(lambda x: x)(A)
        same += 1
        assert A.max() == 1
        t = np.ones(2)
        tangent = mg.jvp(lambda x: x, (np.zeros(2),), (t,))[1]
        tangent += 1
        assert t.max() == 1

    def test_precision_of_every_block(self):
        J = mg.jacobian(lambda d: d[0] * d[1])((np.float32([1, 2]), np.ones(2)))
        assert [block.dtype for block in J] == [np.float32, np.float64]

    def test_seeds_take_the_dtype_of_what_they_seed(self):
        t = mg.tensor(np.ones(3, np.float32), requires_grad=True)
        t.backward(gradient=mg.tensor([1, 2, 3]))
        assert t.grad.dtype == np.float32
        t.grad = mg.tensor([1.0, 2.0, 3.0])
        assert t.grad.dtype == np.float32

    def test_axes_must_name_what_is_there(self):
        with pytest.raises(OptionError, match="keys"):
            mg.vmap(lambda p: p["a"] * p["b"], in_axes=({"a": 0, "B": 0},))({"a": np.ones(2), "b": np.ones(2)})
        with pytest.raises(OptionError, match="out_axes is None"):
            mg.vmap(lambda x: x, out_axes=None)(np.ones(2))
        assert mg.vmap(lambda x: 3.0, out_axes=None)(np.ones(2)) == 3.0
        with pytest.raises(OptionError, match="no axis 0"):
            mg.vmap(lambda x: x)([1.0, 2.0])
        with pytest.raises(OptionError, match="argnums"):
            mg.jacobian(np.sin, argnums=9)(1.0)
        assert mg.grad(np.multiply, argnums=np.int64(1))(2.0, 3.0) == 2.0


def f(x):
    """Smooth, not symmetric, scalar to scalar."""
    return np.sin(x * x) + x**3 * np.exp(-x)


WAYS = {
    "reverse": lambda h: mg.grad(h),
    "backward": lambda h: lambda x: through_backward(h, x),
    "forward": lambda h: lambda x: mg.jvp(h, (x,), (1.0,))[1],
    "pullback": lambda h: lambda x: mg.vjp(h, x)[1](1.0)[0],
    "batch": lambda h: lambda x: np.sum(mg.vmap(h)(np.stack([x, x]))) / 2,
    "jacobian": lambda h: mg.jacobian(h),
    "checkpoint": lambda h: mg.grad(mg.checkpoint(h)),
}


def through_backward(h, x):
    t = mg.tensor(x, requires_grad=True) if isinstance(x, float) else None
    if t is None:
        return mg.grad(h)(x)  # inside another transform a tensor made by hand is a constant
    h(t).backward()
    return t.grad


def derivative_of_f(order):
    """By complex steps and central differences of them: independent of every transform."""

    def by_step(h):
        return lambda x: h(x + 1e-30j).imag / 1e-30 if h is f else (h(x + 1e-4) - h(x - 1e-4)) / 2e-4

    h = f
    for _ in range(order):
        h = by_step(h)
    return h(0.7)


TRIPLES = ["reverse", "forward", "batch", "jacobian"]
NESTINGS = [*itertools.product(WAYS, repeat=2), *itertools.product(TRIPLES, repeat=3)]


@pytest.mark.parametrize("ways", NESTINGS, ids="-".join)
def test_every_pair_of_transforms_and_some_triples(ways):
    h, order = f, 0
    for way in ways:
        h, order = WAYS[way](h), order + (way != "batch")
    np.testing.assert_allclose(h(0.7), derivative_of_f(order), rtol=1e-6 if order < 3 else 1e-3)


@pytest.mark.parametrize("outer", ["reverse", "forward"])
@pytest.mark.parametrize("inner", ["reverse", "forward"])
def test_perturbations_are_not_confused(outer, inner):
    """d/dx [x d/dy (x + y)] is 1, and d/dx [x d/dy (x y)] is 2x; a confused engine says otherwise."""
    D = {"reverse": mg.grad, "forward": lambda h: lambda x: mg.jvp(h, (x,), (1.0,))[1]}
    assert D[outer](lambda x: x * D[inner](lambda y: x + y)(1.0))(3.0) == 1.0
    assert D[outer](lambda x: x * D[inner](lambda y: x * y)(1.0))(3.0) == 6.0


def test_user_primitives_do_not_collide_with_each_other():
    before = len(TABLE)
    a = mg.primitive(lambda x: x, vjps=lambda g: g)
    b = mg.primitive(lambda x: x, vjps=lambda g: 2 * g)
    assert len(TABLE) == before + 2
    assert (mg.grad(a)(1.0), mg.grad(b)(1.0)) == (1.0, 2.0)


def test_a_shape_may_be_an_array_in_a_batch():
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(mg.vmap(lambda v: np.reshape(v, np.array([3, 1])))(x), x[..., None])
    np.testing.assert_array_equal(mg.vmap(lambda v: np.broadcast_to(v, np.array([2, 3])))(x)[:, 1], x)


def doubled_in_place(x):
    x *= 2
    x[0] = x[1] + 1
    return np.sum(x**2)


def test_a_function_may_assign_to_what_it_is_given():
    """Value semantics: nobody outside sees it, and the derivative is by what was given."""
    x = np.array([1.0, 2.0])
    expected = [0.0, 8 * 2 + 2 * (2 * 2 + 1) * 2]
    for gradient in (mg.grad(doubled_in_place)(x), mg.jacobian(doubled_in_place, mode="forward")(x)):
        np.testing.assert_allclose(gradient, expected)
    np.testing.assert_allclose(mg.vjp(doubled_in_place, x)[1](1.0)[0], expected)
    np.testing.assert_allclose(mg.hessian(doubled_in_place)(x), [[0, 0], [0, 16]])
    np.testing.assert_array_equal(mg.vmap(mg.grad(doubled_in_place))(np.stack([x, x])), [expected] * 2)
    np.testing.assert_array_equal(x, [1, 2])
    assert mg.check_derivation(doubled_in_place, lambda x: np.array([0.0, 16 * x[1] + 4]), x)


def test_no_grad_does_not_hide_an_assignment_to_an_input():
    def f(x):
        with mg.no_grad():
            x *= 2
        return x**2

    with pytest.raises(GraphError, match="or the input of a transform"):
        mg.grad(f)(3.0)


@pytest.mark.parametrize("out", [None, "a", True, [1.0]], ids=str)
def test_a_loss_that_is_no_number(out):
    with pytest.raises(GraphError, match=f"the function returned {type(out).__name__}; is a return missing"):
        mg.grad(lambda x: out)(1.0)


def test_a_jacobian_of_nothing():
    with pytest.raises(ShapeError, match="is a return missing"):
        mg.jacobian(lambda x: None)(1.0)


def test_complex_gradients_through_a_checkpoint():
    z = np.array([1 + 2j, 3 - 1j])
    f = lambda z: z * z * (1 + 2j)
    loss = lambda f: lambda z: np.sum(np.real(f(z) * (2 - 1j)))
    np.testing.assert_allclose(mg.grad(loss(mg.checkpoint(f)))(z), mg.grad(loss(f))(z))


def test_backward_from_a_gradient_that_is_differentiated():
    def f(t):
        w = mg.tensor(1.5, requires_grad=True)
        (w * w).backward(gradient=t)
        return w.grad

    assert mg.grad(f)(2.0) == 3.0


def test_grad_inside_no_grad():
    def f(x):
        with mg.no_grad():
            inner = mg.grad(lambda y: y**3)(2.0)
        return inner * x

    assert mg.grad(f)(5.0) == 12.0


def test_an_output_may_appear_twice():
    def f(x):
        y = x * x
        return y, y

    assert mg.vjp(f, 3.0)[1]((1.0, 2.0)) == (18.0,)


def test_indices_apart_in_a_batch():
    """Their axis comes first, as NumPy puts it."""
    x, i = np.random.default_rng(0).normal(size=(5, 3, 4, 2, 3)), np.array([0, 2])
    mask = np.zeros((3, 4), bool)
    mask[0, 1] = mask[2, 3] = True
    for f in (lambda a: a[i, :, 0, i], lambda a: a[i, 0, :, i], lambda a: a[mask, :, i]):
        np.testing.assert_array_equal(mg.vmap(f)(x), np.stack([f(a) for a in x]))


def test_counting_in_a_batch():
    assert mg.vmap(lambda x: np.count_nonzero(x, axis=0))(np.ones((2, 3, 4))).shape == (2, 4)


def test_complex_outputs_and_whole_numbers_are_refused():
    with pytest.raises(GraphError, match="expected a real output"):
        mg.grad(lambda z: z * z)(1 + 2j)
    with pytest.raises(DtypeError, match="expected floating-point numbers"):
        mg.jvp(lambda x: x * 2.0, (2,), (2,))


def test_a_tangent_has_the_precision_of_its_primal():
    assert mg.jvp(lambda x: x, (np.float32(2),), (np.float64(1.5),))[1].dtype == np.float32


def test_a_nan_that_another_operand_brought_stays():
    """Below a mask, and beside an index, which has no derivative."""
    keep, factors = np.array([True, True, False]), np.array([np.nan, 1.0, 2.0])
    taken = lambda x: np.take_along_axis(x, np.array([1, 0, 2]), 0) * factors
    np.testing.assert_array_equal(mg.grad(lambda x: np.sum(np.where(keep, taken(x), 0)))(np.ones(3)), [1, np.nan, 0])


@pytest.mark.parametrize("mode", ["grad", "hessian", "batch", "backward"])
def test_a_checkpointed_function_may_assign_to_what_it_is_given(mode):
    def f(x):
        x *= 2
        x[0] += 1
        return np.sum(x**3)

    x = np.array([1.0, 2.0])
    if mode == "backward":
        t = mg.tensor(x, requires_grad=True)
        (mg.checkpoint(f)(t * 1) + mg.checkpoint(f)(t * 1)).backward()
        np.testing.assert_allclose(t.grad, 2 * mg.grad(f)(x.copy()))
        np.testing.assert_array_equal(t.data, [1, 2])
    else:
        rows = lambda f: lambda x: mg.vmap(mg.grad(f))(np.stack([x, x + 1]))
        transform = {"grad": mg.grad, "hessian": mg.hessian, "batch": rows}[mode]
        np.testing.assert_allclose(transform(mg.checkpoint(f))(x), transform(f)(x))
    np.testing.assert_array_equal(x, [1, 2])


def test_a_checkpoint_of_a_leaf_leaves_it_alone():
    t = mg.tensor([1.0, 2.0], requires_grad=True)

    def f(x):
        x *= 2
        return np.sum(x**3), np.floor(x), 7

    total, floor, seven = mg.checkpoint(f)(t)
    total.backward()
    np.testing.assert_allclose(t.grad, 24 * np.array([1.0, 4.0]))
    np.testing.assert_array_equal(t.data, [1, 2])
    np.testing.assert_array_equal(floor.data, [2, 4])
    assert seven == 7
