"""gradcheck against planted bugs and against everything that is right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from op_table import ROWS

import microgd as mg
from microgd.check import gradcheck, mutants, step_sweep
from microgd.errors import DtypeError, GradientError, MicrogdError, OptionError

rng = np.random.default_rng(7)
X = rng.normal(size=(3, 3))
every_row = pytest.mark.parametrize("row", [row for row in ROWS if row.draw(0)], ids=str)


def tanh_with(rule):
    return mg.primitive(lambda x: np.tanh(x), vjps=rule)


def message(f, *inputs, **options) -> str:
    with pytest.raises(GradientError) as caught:
        gradcheck(f, *inputs, **options)
    return str(caught.value)


def one_entry(g, ans):
    out = g * (1 - ans * ans)
    return np.where(np.arange(9).reshape(3, 3) == 5, 3 * out, out)


PLANTED = {
    "sign": (lambda g, ans: -g * (1 - ans * ans), "Every one of them has the wrong sign."),
    "double": (lambda g, ans: 2 * g * (1 - ans * ans), "Every one of them is 2 times too large."),
    "a third": (lambda g, ans: g * (1 - ans * ans) / 3, "Every one of them is 3 times too small."),
    "sign and size": (lambda g, ans: -4 * g * (1 - ans * ans), "4 times too large and has the wrong sign"),
    "transposed": (lambda g, ans: (g * (1 - ans * ans)).T, "It is transposed."),
    "other places": (lambda g, ans: (g * (1 - ans * ans))[::-1], "the right numbers in other places"),
    "ignores upstream": (lambda g, ans: 1 - ans * ans, "does not depend on the upstream gradient"),
    "upstream twice": (lambda g, ans: g * g * (1 - ans * ans), "9 of 9 entries are wrong"),
    "zero": (lambda g, ans: 0 * g, "The automatic derivative is zero there"),
    "not finite": (lambda g, ans: g / (0 * ans), "9 automatic values are not finite"),
    "one entry": (one_entry, "1 of 9 entries are wrong"),
    "one row": (lambda g, ans: g * (1 - ans * ans) * np.array([[1], [5], [1]]), "all of 1 along axis 0"),
    "one column": (lambda g, ans: g * (1 - ans * ans) * np.array([1, 5, 5]), "all of 1, 2 along axis 1"),
    "negative": (lambda g, ans, x: g * (1 - ans * ans) * np.where(x < 0, 0.5, 1), "Wrong where the input is negative"),
    "positive": (lambda g, ans, x: g * (1 - ans * ans) * np.where(x > 0, 0.5, 1), "Wrong where the input is positive"),
    "mean": (lambda g, ans: np.mean(g * (1 - ans * ans), 0) + 0 * g, "same all along axis 0: the mean of what"),
    "sum": (lambda g, ans: np.sum(g * (1 - ans * ans), 1, keepdims=True) + 0 * g, "along axis 1: the sum of what"),
    "off": (lambda g, ans: g * (1 - ans * ans) + 0.5, "Every entry is off by the same 0.5."),
    "wrong formula": (lambda g, ans: g * (1 - ans), "9 of 9 entries are wrong"),
    "nearly": (lambda g, ans: 1.00003 * g * (1 - ans * ans), "9 of 9 entries are wrong"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bugs_are_refused_and_described(name):
    rule, words = PLANTED[name]
    said = message(tanh_with(rule), X)
    assert words in said
    assert "with respect to x is wrong (reverse mode)" in said


def test_the_worst_entry_is_named_with_both_values():
    said = message(tanh_with(one_entry), X)
    line = next(line for line in said.splitlines() if "worst entry" in line)
    assert line.strip().startswith("worst entry: x[1, 2]: automatic ")
    automatic, numeric = (float(part.split()[-1]) for part in line.split(", numeric"))
    assert automatic == pytest.approx(3 * numeric, rel=1e-6)
    assert "The other entries are right. It is 3 times too large." in said


@every_row
def test_every_function_is_right(row):
    for seed in range(2):
        report = gradcheck(row, *row.draw(seed))
        assert report
        assert not report.kinks


@pytest.mark.parametrize("row", [row for row in ROWS if row.draw(0)][::9], ids=str)
def test_second_order_and_forward_mode_are_right_too(row):
    assert gradcheck(row, *row.draw(0), order=2, modes=("reverse", "forward"))
    assert gradcheck(row, *row.draw(0), torch=True)


def test_a_wrong_forward_rule_is_found_in_forward_mode():
    f = mg.primitive(
        lambda x: np.tanh(x), vjps=lambda g, ans: g * (1 - ans**2), jvps=lambda t, ans: t * t * (1 - ans**2)
    )
    assert gradcheck(f, X)
    assert "(forward mode)" in message(f, X, modes=("reverse", "forward"))


def test_a_wrong_second_derivative_is_found_at_order_two():
    hidden = mg.primitive(lambda x: 1 - np.tanh(x) ** 2, vjps=lambda g, x: g * x)
    f = tanh_with(lambda g, x: g * hidden(x))
    assert gradcheck(f, X)
    assert "the derivative of the derivative of <lambda>" in message(f, X, order=2)


def test_a_rule_that_cuts_off_the_upstream_gradient_is_found_at_order_two():
    f = tanh_with(lambda g, ans: mg.stop_gradient(g) * (1 - ans * ans))
    assert gradcheck(f, X)
    assert "with respect to upstream of output is wrong" in message(f, X, order=2)


def test_an_infinite_derivative_at_the_edge_of_a_domain():
    assert "inf, numeric nan" in message(np.arcsin, np.array([1.0, 0.2]))


def test_a_slice_where_a_sum_belongs():
    add = mg.primitive(lambda x, b: x + b, vjps=(lambda g: g, lambda g: g[0]))
    said = message(add, X, np.ones(3))
    assert "with respect to b is wrong" in said
    assert "right: x" in said


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_inputs_of_any_size(scale):
    x = np.array([1.0, 2.5, 0.3]) * scale
    for f in (np.log, np.sqrt, np.square, np.reciprocal, lambda x: np.sum(x / (1 + x)), lambda x: x**3):
        assert gradcheck(f, x)
    wrong = mg.primitive(lambda x: np.log(x), vjps=lambda g, x: g / x * np.array([1, 1.001, 1]))
    assert "worst entry: x[1]" in message(wrong, x)


def squared(factor, g, x):
    return 2 * g * x * factor


def test_sizes_side_by_side():
    x = np.array([1e-8, 1.0, 1e8])
    assert gradcheck(np.log, x)
    assert gradcheck(lambda x: x * x, x)
    for wrong in range(3):
        f = mg.primitive(lambda x: x * x, vjps=partial(squared, np.where(np.arange(3) == wrong, 1.01, 1)))
        assert f"worst entry: x[{wrong}]" in message(f, x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x + 1e12) - 1e12,
        lambda x: 1e-12 * x + 1e6,
        lambda x: np.sum(mg.softmax(x)),
        lambda x: np.tanh(30 + x * x),
        lambda x: x.astype(np.float32).astype(np.float64) * 2,
        lambda x: np.sin(1e5 * x),
        lambda x: np.exp(30 * x),
        lambda x: np.stack([x[0] + x[1], x[0] * 0.1 + x[0] * 0.2 - x[0] * 0.3]),
        lambda x: np.stack([x[0] * x[1], np.sum(x - np.mean(x))]),
    ],
)
def test_nothing_is_called_wrong_on_roundoff_alone(f):
    for seed in range(5):
        assert gradcheck(f, np.random.default_rng(seed).normal(size=5))


def network(w, b, v, x, labels):
    return mg.nn.functional.cross_entropy(mg.relu(x @ w + b) @ v, labels)


def test_second_derivatives_of_a_network():
    """Thousands of sums that nearly cancel: none is mistaken for a bug."""
    r = np.random.default_rng(0)
    inputs = r.normal(size=(6, 8)), np.zeros(8), r.normal(size=(8, 3)), r.normal(size=(16, 6)), r.integers(0, 3, 16)
    assert gradcheck(network, *inputs, order=2, modes=("reverse", "forward"))


@pytest.mark.parametrize(("size", "right"), [(1e-18, True), (1e-10, False)])
def test_rounding_where_nothing_depends_on_an_entry(size, right):
    row = np.array([30.0, 30.0, 0.0])
    f = mg.primitive(lambda x: row * x, vjps=lambda g: row * g + size)
    if right:
        assert gradcheck(f, np.ones(3))
    else:
        assert "worst entry" in message(f, np.ones(3))


def test_what_differences_cannot_tell_is_counted():
    report = gradcheck(lambda x: 1e-14 * x + 1e6, X)
    assert "9 entries cannot be told" in str(report)


def test_single_precision_is_said_aloud():
    report = gradcheck(np.tanh, X.astype(np.float32))
    assert "Not in double precision" in str(report)
    assert not any(part.unresolved for part in report.parts)
    assert "float64" in message(tanh_with(lambda g, ans: g * (1 - ans * ans) * np.float32(1.01)), X.astype(np.float32))
    assert "double precision" in str(gradcheck(lambda x: x.astype(np.float32).astype(float) ** 2, X))
    assert "double precision" not in str(gradcheck(np.tanh, X))


def test_complex_inputs():
    z = rng.normal(size=3) + 1j * rng.normal(size=3)
    assert gradcheck(lambda z: np.sum(np.abs(z) ** 2), z, order=2, modes=("reverse", "forward"))
    assert gradcheck(lambda z, x: (z * x, np.conj(z)), z, rng.normal(size=3))
    conjugated = mg.primitive(lambda z: z * z, vjps=lambda g, z: g * 2 * np.conj(z))
    assert "z[" in message(conjugated, z)
    flipped = mg.primitive(lambda z: np.sum(np.real(z * np.conj(z))), vjps=lambda g, z: g * 2 * z)
    assert "complex conjugate" in message(flipped, z)


@dataclass
class Line:
    slope: Any
    intercept: Any


class Module:
    def __init__(self, w: Any) -> None:
        self.w = w

    def __tree__(self):
        return {"w": self.w}, lambda parts: Module(parts["w"])

    def __call__(self, x: Any) -> Any:
        return np.tanh(x @ self.w)


def test_containers_of_every_kind():
    def f(line, others, count):
        return {"y": line.slope * others["x"][0] + line.intercept, "n": count, "z": (others["x"][1] ** 2, "text")}

    report = gradcheck(f, Line(2.0, np.ones(3)), {"x": [np.arange(3.0), np.array(0.5)]}, np.arange(3))
    assert list(report.errors) == ["line.slope", "line.intercept", "others['x'][0]", "others['x'][1]"]


def test_a_module_is_checked_with_its_parameters():
    assert list(gradcheck(Module(X), np.ones((2, 3))).errors) == ["module.w", "x"]


def test_functions_may_use_the_methods_of_tensors():
    assert gradcheck(lambda x, y: (x * y).sigmoid().sum(axis=0), mg.tensor(X, requires_grad=True), X)


def test_integers_stay_what_they_were_given_as():
    def f(x, k, t):
        assert type(k) is np.ndarray
        assert type(t) is mg.Tensor
        return x[k] * t

    assert gradcheck(f, X, np.array([0, 2]), mg.tensor([[2], [3]]))


@pytest.mark.parametrize("x", [2.0, np.float64(2.0), np.array(2.0), np.zeros(0), np.zeros((2, 0)), np.ones(1)])
def test_scalars_and_empty_arrays(x):
    assert gradcheck(lambda x: x * x, x, order=2, modes=("reverse", "forward"))


def test_outputs_that_are_views_of_inputs():
    for f in (lambda x: x.T, lambda x: x, lambda x: x.reshape(9), lambda x: x[::-1], lambda x: (x, x)):
        assert gradcheck(f, X)


def test_inputs_are_not_touched_and_functions_that_touch_them_are_refused():
    def careless(x):
        x[0] = 1
        return x * x

    x = X.copy()
    assert "changes its input x in place" in message(careless, x)
    np.testing.assert_array_equal(x, X)


def test_noise_is_named():
    noise = np.random.default_rng(0)
    assert "nondeterministic" in message(lambda x: x * noise.normal(), X)
    assert "nondeterministic" in message(tanh_with(lambda g, ans: g * (1 - ans * ans) * noise.uniform(0.9, 1.1)), X)


def test_a_function_that_is_not_finite_is_named():
    assert "output[1] = nan" in message(np.log, np.array([1.0, -1.0]))


def test_large_functions_are_checked_in_part_and_say_so():
    x = np.random.default_rng(0).normal(size=2000)
    report = gradcheck(np.tanh, x)
    assert report.coverage[:] == (750, 2000, 500, 2000)
    assert "750 of 2000 input entries x 500 of 2000 outputs" in str(report)
    one = mg.primitive(
        lambda x: np.tanh(x), vjps=lambda g, ans: g * (1 - ans**2) * np.where(np.arange(2000) == 3, 2, 1)
    )
    assert "x" in message(one, x)
    assert message(one, x) == message(one, x)


def test_every_input_gets_its_share_of_a_large_check():
    report = gradcheck(lambda w, b: np.tanh(w) @ b, rng.normal(size=(60, 50)), rng.normal(size=50))
    names = [report.parts[0].subject.inputs.name(place)[0] for place in report.parts[0].places]
    assert (names.count("w"), names.count("b")) == (700, 50)


@pytest.mark.parametrize("factor", [1.0, 1.0009, 1.0011, 0.9991, 0.9989, 1.1])
@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0])
def test_the_verdict_is_pytorchs(factor, size):
    torch = pytest.importorskip("torch")
    x = np.array([0.3, -0.7, 1.2]) * size

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t)
            return t * t

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0] * factor

    theirs = torch.autograd.gradcheck(Square.apply, (torch.tensor(x, requires_grad=True),), raise_exception=False)
    ours = mg.primitive(lambda x: x * x, vjps=lambda g, x: g * 2 * x * factor)
    if theirs:
        assert gradcheck(ours, x, torch=True)
    else:
        assert "wrong" in message(ours, x, torch=True)


def test_pytorchs_numbers():
    slightly = tanh_with(lambda g, ans: g * (1 - ans * ans) * 1.0005)
    assert gradcheck(slightly, X, torch=True)
    assert "wrong" in message(slightly, X)
    assert "wrong" in message(tanh_with(lambda g, ans: g * (1 - ans * ans) * 1.003), X, torch=True)
    assert gradcheck(slightly, X, torch=True).steps["x"] == (1e-6, 1e-6)


def test_pytorchs_rule_is_relative_to_the_numeric_value():
    below = mg.primitive(lambda x: x * 1e6, vjps=lambda g: g * 1e6 * 1.0009995)
    above = mg.primitive(lambda x: x * 1e6, vjps=lambda g: g * 1e6 * 1.0010005)
    assert gradcheck(below, X, torch=True)
    assert "wrong" in message(above, X, torch=True)


def test_tolerances_and_steps_of_ones_own():
    slightly = tanh_with(lambda g, ans: g * (1 - ans * ans) * 1.0005)
    assert gradcheck(slightly, X, rtol=1e-3)
    assert gradcheck(slightly, X, atol=1e-2)
    assert gradcheck(lambda x: np.tanh(x), X, eps=1e-5).steps["x"] == (1e-5, 1e-5)


@pytest.mark.parametrize("options", [{"order": 0}, {"modes": ("sideways",)}, {"modes": ()}, {"modes": "both"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(OptionError):
        gradcheck(np.tanh, X, **options)


def test_one_mode_may_be_a_string():
    assert [part.mode for part in gradcheck(np.tanh, X, modes="forward").parts] == ["forward"]


@pytest.mark.parametrize("check", [gradcheck, step_sweep])
def test_what_is_no_function_and_no_input(check):
    with pytest.raises(OptionError, match=r"no inputs.*gradcheck\(f, x\)"):
        check(np.tanh)
    for inputs in ((), (X,)):
        with pytest.raises(OptionError, match=r"f=.* is not a function; give its name, without parentheses"):
            check(np.sum(X), *inputs)


def test_whole_numbers_cannot_be_differentiated():
    with pytest.raises(DtypeError):
        gradcheck(np.tanh, np.arange(3))


# What claims in the library of planted mistakes become right, once they are rules: the engine sums out what was
# broadcast and restores the dtype; and a rule that kept an old value is right at the point where it was kept.
MENDED = {"missing sum", "shape", "dtype", "stale"}


def test_the_library_of_planted_mistakes():
    def checker(f, claimed, x):
        try:
            return gradcheck(mg.primitive(lambda x: f(x), vjps=lambda g, x: claimed(g, x)), x)
        except MicrogdError:
            return False

    score = mutants.score(checker, seeds=[0], only=list(mutants.tasks())[::4])
    assert score.wrong > 150
    assert not score.rejected
    assert not [task.name for task, _ in score.accepted if not set(task.causes) & MENDED]


def test_the_v_curve():
    from microgd.plots import v_curve

    right, wrong = step_sweep(np.tanh, X), step_sweep(tanh_with(lambda g, ans: 2 * g * (1 - ans * ans)), X)
    best = right.steps[np.argmin(right.errors)]
    assert right.chosen / 16 < best < 16 * right.chosen
    assert min(right.errors) < 1e-9
    assert right.errors[0] > 1e-3
    assert right.errors[-1] > 1e-3
    assert min(wrong.errors) > 0.1
    (axes,) = v_curve(*right).axes
    drawn = next(line for line in axes.lines if line.get_label() == "error")
    kept = np.array(right.errors) > 0
    np.testing.assert_array_equal(drawn.get_xdata(), np.array(right.steps)[kept])
    np.testing.assert_array_equal(drawn.get_ydata(), np.array(right.errors)[kept])
    v_curve([1e-3, 1e-5], [0.0, 0.0]).canvas.draw()


def test_gradients_of_the_wrong_shape_are_wrong():
    f = mg.primitive(lambda x, w: x @ w, vjps=(lambda g, w: g @ w.T, lambda g, x: g.T @ x))
    assert "wrong: <lambda>: its rule gave a cotangent of shape (4, 3)" in message(f, np.ones((2, 3)), np.ones((3, 4)))


def test_no_derivative_where_nothing_comes_out():
    with pytest.raises(DtypeError, match="returns no floating-point numbers"):
        gradcheck(lambda x: np.argmax(x), X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: mg.hvp(lambda y: np.sum(mg.relu(y) ** 3))(x, np.ones(3)),
        lambda x: np.sum(mg.vmap(np.max)(x.reshape(3, 1)) ** 2),
        lambda x: mg.jvp(np.abs, (x,), (np.ones(3),))[0],
    ],
    ids=["hvp", "vmap", "jvp"],
)
def test_functions_with_transforms_inside(f):
    assert gradcheck(f, np.array([0.5, -1.0, 2.0]))


def test_a_complex_factor_is_told():
    z = np.array([1 + 1j, 2 - 1j])
    for rule, said in ((lambda g: g * (2 - 1j), "1+0.5j"), (lambda g: g * (2 + 1j), "1-0.5j")):
        doubled = mg.primitive(lambda z: z * 2.0, vjps=rule)
        with pytest.raises(GradientError, match=re.escape(f"{said} times what it should be")):
            gradcheck(doubled, z)


def test_the_upstream_gradient_is_told():
    tripled = mg.primitive(lambda x: x * 2.0, vjps=lambda g, ans, x: g * 3.0)
    with pytest.raises(GradientError, match="upstream gradient: random numbers"):
        gradcheck(tripled, np.ones(2))
    assert "full Jacobian" not in str(gradcheck(lambda x: np.sum(x**2), np.ones(5000)))


def test_a_factor_near_one_has_its_digits():
    slightly = mg.primitive(lambda x: x * 2.0, vjps=lambda g, ans, x: g * 2.001)
    with pytest.raises(GradientError, match=r"1\.0005 times"):
        gradcheck(slightly, np.ones(2))
