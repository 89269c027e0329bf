"""The chain rule told: numbers from the engine, formulas held against it, names and lines as the user wrote them."""

from __future__ import annotations

import ast
import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_table import ROWS
from scipy import special as sp

import microgd as mg
from microgd.core.primitive import TABLE
from microgd.core.tree import leaves_of
from microgd.graph.explain import explain
from microgd.graph.formulas import LOCAL, MATMUL, PULLED, derivative, expression
from microgd.graph.latex import latex
from microgd.graph.steps import Fold, Step, folded
from microgd.graph.summary import clipped, shaped, summary
from microgd.graph.trace import trace
from microgd.graph.view import view, walk
from microgd.ops import scipy_special, special

every_row = pytest.mark.parametrize("row", [row for row in ROWS if row.draw(0)], ids=str)
X = np.array([1.0, 2.0, 3.0, 4.0])
Y = np.array([2.0, 4.0, 6.0, 8.5])


def scalar_of(row, seed):
    """<u, f(x)> for a random u, as one function of the operands."""
    rng = np.random.default_rng(seed + 1)
    cotangents = [rng.normal(size=np.shape(out)) for out in leaves_of(row(*row.draw(seed)))]
    return lambda *xs: sum(np.sum(u * out) for u, out in zip(cotangents, leaves_of(row(*xs)), strict=True))


# ---- numbers ---------------------------------------------------------------------------------------------------


@every_row
def test_contributions_add_up_to_the_gradient_of_every_function(row):
    values = row.draw(3)
    f = scalar_of(row, 3)
    expected = mg.grad(f, argnums=range(len(values)))(*values)
    told = explain(f, *values)
    assert list(told.gradients) == [f"xs[{k}]" for k in range(len(values))]
    for k, g in enumerate(expected):
        np.testing.assert_allclose(told.gradients[f"xs[{k}]"], g, rtol=1e-12, atol=1e-14)
        parts = [part for step in told.steps for part in step.parts if part.to == f"xs[{k}]"]
        np.testing.assert_allclose(sum(part.contribution for part in parts), g, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(parts[-1].total, told.gradients[f"xs[{k}]"])
        assert [part.which for part in parts] == list(range(1, parts[0].of + 1))
    for form in (str(told), told.to_html(), told.to_latex()):
        assert form.count("{") == form.count("}")
    assert "<lambda>" not in told.to_html()


@every_row
def test_every_step_is_upstream_times_local(row):
    """Where a local derivative is shown, the contribution is its product with the upstream, broadcasting undone."""
    for step in explain(scalar_of(row, 5), *row.draw(5)).steps:
        for part in step.parts:
            if part.local is None or np.iscomplexobj(part.local) or np.iscomplexobj(step.upstream):
                continue
            product, shape = step.upstream * part.local, np.shape(part.contribution)
            if step.vertex.row.name in ("sum", "mean"):  # given out to many entries, the same to each
                entries = np.reshape(part.contribution, (-1, 1))
                assert np.isclose(entries, np.reshape(product, -1), rtol=1e-12, atol=0).any(axis=1).all()
                np.testing.assert_allclose(
                    np.sum(part.contribution), np.sum(product) * part.contribution.size / max(product.size, 1)
                )
                continue
            extra = np.ndim(product) - len(shape)
            axes = [*range(extra), *(k + extra for k, n in enumerate(shape) if n == 1)]
            total = np.sum(product, axis=tuple(axes)).reshape(shape)
            np.testing.assert_allclose(part.contribution, total, rtol=1e-12, atol=1e-14)


def test_the_users_graph_and_gradients_are_left_alone():
    w = mg.tensor(3.0, requires_grad=True)
    w.grad = 5.0
    loss = w * w
    explain(loss)
    assert w.grad == 5.0
    loss.backward()
    assert w.grad == 11.0


def test_an_upstream_that_is_not_one():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    told = explain(w * w, gradient=np.array([10.0, 100.0]))
    np.testing.assert_array_equal(told.gradients["w"], [20.0, 400.0])
    with pytest.raises(mg.errors.ShapeError, match=r"expected shape \(2,\)"):
        explain(w * w, gradient=np.ones(3))


def test_complex_numbers_follow_the_convention_of_grad():
    z = np.array([1 + 2j, 3 - 1j])
    f = lambda z: np.sum(np.real(z * z * (2 - 1j)))
    np.testing.assert_allclose(explain(f, z).gradients["z"], mg.grad(f)(z), rtol=1e-14)


def test_single_precision_stays():
    told = explain(lambda x: np.sum(x * x), np.ones(3, np.float32))
    assert told.gradients["x"].dtype == np.float32


# ---- formulas --------------------------------------------------------------------------------------------------

NUMPY = {name: getattr(np, name) for name in dir(np)}
SPACE = {**{name: getattr(sp, name) for name in dir(sp)}, **NUMPY}
SPACE |= {"sigmoid": mg.sigmoid, "polygamma": special.polygamma, "inverse_mills": scipy_special.inverse_mills}
SPACE |= {"erf": sp.erf, "softmax": mg.softmax, "inv": np.linalg.inv, "abs": np.abs}
OF_COMPLEX = {"real", "imag", "conjugate", "angle"}  # told in words


def evaluated(tree: ast.expr, names: dict):
    with np.errstate(all="ignore"):
        return eval(ast.unparse(tree), SPACE | names)


ELEMENTWISE = [row for row in ROWS if TABLE[row.key].form == "elementwise"]


@pytest.mark.parametrize("row", ELEMENTWISE, ids=str)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_elementwise_formulas_are_the_rules(row, seed):
    """What stands in the explanation, computed, is what the engine's rule makes of ones."""
    values = row.draw(seed)
    graph = view(trace(lambda *xs: row(*xs), tuple(values), inspect.currentframe()))
    for flow in walk(graph):
        vertex = graph.vertices[flow.target]
        if vertex.row is not TABLE[row.key]:
            continue
        d = derivative(vertex.row, flow.operand, vertex.names, vertex.ndims)
        if d.local is None:
            assert d.words
            continue
        known = {v.name: v.value for v in graph.vertices if v.name.isidentifier()}
        got = evaluated(d.local, {"xs": values, "row": row, **known})
        np.testing.assert_allclose(np.broadcast_to(got, np.shape(flow.local)), flow.local, rtol=2e-9, atol=1e-11)


def test_every_elementwise_function_has_a_formula():
    without = {row.name for row in TABLE.values() if row.form == "elementwise"} - set(LOCAL)
    assert without == {"angle", "bessel", "conjugate", "imag", "real"}


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4))], ids=str)
def test_formulas_of_matrix_products(shapes):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape) for shape in shapes)
    out, pullback = mg.vjp(np.matmul, x, y)
    g = rng.normal(size=np.shape(out))
    for formula, expected in zip(MATMUL[len(shapes[0]), len(shapes[1])], pullback(g), strict=True):
        np.testing.assert_allclose(evaluated(expression(formula), {"x": x, "y": y, "g": g}), expected, rtol=1e-12)


@pytest.mark.parametrize("name", PULLED)
def test_formulas_of_whole_arrays(name):
    f = {"softmax": mg.softmax, "log_softmax": mg.log_softmax, "logsumexp": mg.logsumexp}.get(name)
    f = f or {"inv": np.linalg.inv, "det": np.linalg.det}[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 3) if name in ("inv", "det") else 4)
    out, pullback = mg.vjp(f, x)
    g = rng.normal(size=np.shape(out))
    (formula,) = PULLED[name]
    np.testing.assert_allclose(evaluated(expression(formula), {"x": x, "ans": out, "g": g}), pullback(g)[0], rtol=1e-10)


def test_formulas_are_in_the_names_of_the_user():
    def f(rate, time):
        return np.exp(-rate * time) * time**3

    text = str(explain(f, 0.5, 2.0))
    for piece in ("= 3 * time ** 2 = 12", "d v1/d rate = -1", "exp(v2)"):
        assert piece in text


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("1 / (2 * y)", r"\frac{1}{2 \cdot y}"),
        ("(a + b) * c", r"\left(a + b\right) \cdot c"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("-x ** 2", "-x^{2}"),
        ("(-x) ** 2", r"\left(-x\right)^{2}"),
        ("sqrt(x)", r"\sqrt{x}"),
        ("W1.T @ v12", r"W_{1}^{\top} \, v_{12}"),
        ("where(x > 0, 1, 0)", r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}"),
        ("learning_rate * x", r"\mathrm{learning\_rate} \cdot x"),
        ("x[1:3]", r"x[\texttt{1:3}]"),
        ("f(x, axis=0)", r"\operatorname{f}\left(x, \mathrm{axis}=0\right)"),
    ],
)
def test_latex(formula, expected):
    assert latex(ast.parse(formula, mode="eval").body) == expected


# ---- names, values and lines -----------------------------------------------------------------------------------


def test_an_ordinary_forward_pass_is_told_in_the_names_of_the_caller():
    m, b = mg.tensor(0.5, requires_grad=True), mg.tensor(0.0, requires_grad=True)
    x, y = X, Y
    loss = np.mean((m * x + b - y) ** 2)
    graph = explain(loss).graph
    vertices = {vertex.name: vertex for vertex in graph.vertices}
    assert vertices["loss"].text == "mean((m * x + b - y) ** 2)"
    assert [vertices[f"v{k}"].formula for k in (1, 2, 3, 4)] == [
        "v1 = m * x",
        "v2 = v1 + b",
        "v3 = v2 - y",
        "v4 = v3 ** 2",
    ]
    np.testing.assert_array_equal(vertices["v3"].value, m.item() * x + b.item() - y)
    assert vertices["x"].kind == "constant"


def test_numbers_that_the_tape_did_not_keep_are_found_or_said_to_be_unknown():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    found = explain(np.sum((w + 0.1) ** 2))
    assert "v1 = w + 0.1" in str(found)
    hidden = np.sum(np.tanh(w + mg.tensor([3.0, 4.0]).data))
    text = str(explain(hidden))
    assert "v1 = w + const" in text
    assert "const is a constant that was not kept" in text


def test_a_leaf_that_moved_since_is_not_taken_for_what_it_was():
    w = mg.tensor(2.0, requires_grad=True)
    v = mg.tensor(3.0, requires_grad=True)
    loss = (w + v) * 2.0
    with mg.no_grad():
        w -= 1e-6
    values = {vertex.name: vertex.value for vertex in explain(loss).graph.vertices}
    assert values["w"] is None
    assert values["loss"] == 10.0


def test_lines_and_expressions_as_they_were_written():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    with mg.record_lines():
        loss = np.sum(  w*w )  # fmt: skip
    told = explain(loss)
    assert [step.vertex.text for step in told.steps] == ["np.sum(  w*w )", "w*w"]
    assert all("test_explain.py:" in step.vertex.place for step in told.steps)
    assert "np.sum( w*w )" in str(told)


def test_a_function_is_told_with_its_own_variables():
    def loss(m, b, x, y):
        prediction = m * x + b
        error = prediction - y
        return np.mean(error * error)

    told = explain(loss, mg.tensor(0.5, requires_grad=True), mg.tensor(0.0, requires_grad=True), X, Y)
    assert [step.vertex.name for step in told.steps] == ["loss", "v2", "error", "prediction", "v1"]
    assert set(told.gradients) == {"m", "b"}  # x and y are data
    assert set(explain(loss, 0.5, 0.0, X, Y).gradients) == {"m", "b", "x", "y"}


def test_containers_and_closures_have_names():
    scale = mg.tensor(2.0, requires_grad=True)
    parameters = {"w": mg.tensor(3.0, requires_grad=True)}
    told = explain(lambda p: p["w"] * scale, parameters)
    assert told.gradients == {"p['w']": 2.0, "scale": 3.0}
    product = parameters["w"] * scale
    assert explain(product).gradients == {"parameters['w']": 2.0, "scale": 3.0}


class Neuron:
    def __init__(self, w):
        self.w = mg.tensor(w, requires_grad=True)

    def __call__(self, x):
        return np.tanh(self.w * x)


def test_parameters_in_objects_have_names():
    neuron = Neuron(2.0)
    layers = [Neuron(0.5), Neuron(1.5)]
    told = explain(lambda x: layers[1](layers[0](neuron(x))), np.float64(3.0))
    assert set(told.gradients) == {"neuron.w", "layers[0].w", "layers[1].w"} | {"x"}
    assert set(explain(neuron(1.0)).gradients) == {"neuron.w"}


def test_numbers_of_arrays_without_axes_are_written_as_numbers():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    assert "v1 = 3 * w" in str(explain(np.sum(np.array(3.0) * w)))


def test_assignment_is_told_with_its_place():
    def f(x):
        y = x * 2.0
        y[1:] = 5.0
        return np.sum(y)

    text = str(explain(f, np.ones(3)))
    assert "y = setitem(v1, 1:, 5)" in text
    assert "the upstream, 0 where entries were overwritten" in text


def test_names_of_two_functions_are_kept_apart():
    def layer(x, w):
        h = x * w
        return np.tanh(h)

    told = explain(lambda x, u, v: layer(layer(x, u), v), 0.5, 1.0, 2.0)
    names = [vertex.name for vertex in told.graph.vertices]
    assert len(set(names)) == len(names)
    assert {"x", "u", "v", "h", "h_2"} <= set(names)


def test_a_name_that_looks_like_ours_is_left_to_the_user():
    v1 = mg.tensor(2.0, requires_grad=True)
    assert "output = v2 * v1" in str(explain(v1 * v1 * v1))


# ---- folding and forms -----------------------------------------------------------------------------------------


def test_a_long_loop_is_folded():
    def f(x):
        for _ in range(200):
            x = np.sin(x)
        return x

    told = explain(f, 0.5)
    assert len(told.steps) == 200
    shown = folded(told.steps)
    (fold,) = [step for step in shown if isinstance(step, Fold)]
    assert fold.steps + sum(isinstance(step, Step) for step in shown) == 200
    assert str(fold).startswith("... 197 more steps of the same kind (sin)")
    for form in (str(told), told.to_html(), told.to_latex()):
        assert "197 more steps" in form
    assert "(sin), from v2 to v198\n" in str(told)  # forward
    assert "(sin), from v198 to v2\n" in str(told)  # and back
    assert len(str(told).splitlines()) < 60


def test_a_long_computation_without_a_loop_is_cut_in_the_middle():
    w = mg.tensor(1.0, requires_grad=True)
    total = w
    for k in range(100):  # no two rounds alike
        total = np.reshape(total, (1,) * (k % 7)) * w if k % 3 else np.sin(total)
        total = np.sum(total)
    shown = folded(explain(total).steps)
    assert len(shown) == 41
    assert "more steps of several kinds (" in str(shown[20])


def test_nothing_at_all_has_a_mean():
    with np.errstate(all="ignore"):
        assert explain(lambda x: np.sum(np.mean(x, axis=1)), np.zeros((2, 0))).gradients["x"].shape == (2, 0)


def test_a_deep_graph_needs_no_recursion():
    w = mg.tensor(1.0, requires_grad=True)
    total = w
    for _ in range(5000):
        total = total + w
    assert explain(total).gradients["w"] == 5001.0


def test_lines_of_text_are_of_bearable_length():
    W = np.random.default_rng(0).normal(size=(20, 20)) * 1e-7
    text = str(explain(lambda W: np.sum(np.tanh(W @ W.T) ** 2) / 3, W))
    assert max(map(len, text.splitlines())) <= 104


def test_html_is_escaped():
    text = explain(lambda x: x["<b>"] * 2.0, {"<b>": 1.0}).to_html()
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), "0.5"),
        (np.zeros(0), "empty"),
        (np.array([[1.0, 2.0], [3.0, np.nan]]), "[[1, 2], [3, nan]]"),
        (np.full((3, 3), 0.25), "all 0.25"),
        (np.arange(10.0), "[0, 1, 2, ...] from 0 to 9"),
        (np.array([np.inf, *range(9)]), "[inf, 0, 1, ...] from 0 to 8, 1 not finite"),
        (np.array([1 + 2j]), "[1+2j]"),
    ],
    ids=str,
)
def test_summaries(value, expected):
    assert summary(value) == expected


def test_shapes_stand_before_what_is_summarised():
    assert shaped(np.zeros((2, 5))) == "(2, 5) all 0"
    assert clipped("a  b\nc" * 20, 10) == "a b ca b …"


# ---- refusals --------------------------------------------------------------------------------------------------


def test_refusals_say_what_to_do():
    w = mg.tensor(2.0, requires_grad=True)
    loss = w * w
    loss.backward()
    with pytest.raises(mg.errors.GraphError, match="retain_graph=True"):
        explain(loss)
    with pytest.raises(mg.errors.GraphError, match="requires_grad=True"):
        explain(mg.tensor(1.0))
    with pytest.raises(mg.errors.GraphError, match="got float"):
        explain(1.0)
    with pytest.raises(mg.errors.GraphError, match=r"write 3\.0 for 3"):
        explain(lambda x: x * x, 3)
    with pytest.raises(mg.errors.ShapeError, match="got 2"):
        explain(lambda x: (x, x * x), 3.0)
    with pytest.raises(mg.errors.OptionError, match="one tensor"):
        explain(w * w, w)
    with pytest.raises(ZeroDivisionError):
        explain(lambda x: x * (1 / 0), 3.0)


def test_a_graph_that_was_used_in_part():
    w = mg.tensor(2.0, requires_grad=True)
    shared = w * w
    (shared * 3.0).backward()
    with pytest.raises(mg.errors.GraphError, match="already used"):
        explain(shared + w)


def test_an_explanation_inside_a_derivative():
    def f(x):
        assert explain(x * x).gradients == {"x": 2.0}
        return x * x

    assert mg.grad(f)(1.0) == 2.0


def test_a_users_function_may_have_the_name_of_another():
    def over(x, y):
        return x - 2 * y

    def softmax(x):
        return 2 * x

    over = mg.primitive(over, vjps=(lambda g: g, lambda g: -2 * g))
    softmax = mg.primitive(softmax, vjps=lambda g: 2 * g)
    told = str(explain(lambda x, y: over(x, y), 3.0, 4.0))
    assert "over(x, y) = -5" in told
    assert "x / y" not in told
    assert "upstream - sum" not in str(explain(lambda x: np.sum(softmax(x)), np.array([1.0, 2.0])))


def test_a_variable_may_be_called_const():
    const = mg.tensor(2.0, requires_grad=True)
    assert "not kept" not in str(explain(const * 3.0))
    assert "maximum.accumulate(x)" in str(explain(lambda x: np.sum(np.maximum.accumulate(x)), np.array([1.0, 2.0])))


def test_only_what_was_stretched_is_called_so():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert "stretched" not in str(explain(np.sum(x * x)))
    assert "stretched" in str(explain(np.sum(mg.tensor(3.0, requires_grad=True) * x)))
