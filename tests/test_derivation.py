"""check_derivation and check_vjp: the cause they name, what they say, and what they never do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.check import Diagnosis, check_derivation, check_vjp
from microgd.check.diagnosis import row_text
from microgd.errors import DtypeError, GraphError, OptionError

rng = np.random.default_rng(5)
X, y, w = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=3)


def loss(w):
    return np.mean((X @ w - y) ** 2)


def truth(w):
    return 2 * X.T @ (X @ w - y) / 7


# ---- what it says ------------------------------------------------------------------------------------------


def test_right():
    found = check_derivation(loss, truth, w)
    assert (found.ok, found.cause) == (True, None)
    assert "right" in str(found)
    assert sorted(row.entry for row in found.table) == ["w[0]", "w[1]", "w[2]"]


@pytest.mark.parametrize(
    ("scale", "cause", "name"),
    [
        (-1, "sign", "sign"),
        (2, "factor", "2 times"),
        (0.5, "factor", "1/2"),
        (7, "factor", "m (with m = 7)"),
        (1 / 7, "factor", "1/m"),
        (1 / 14, "factor", "1/2m"),
        (-2, "factor", "-2"),
        (np.pi, "factor", "π"),
        (1.37, "factor", "1.37"),
    ],
)
def test_constants_are_named(scale, cause, name):
    found = check_derivation(loss, lambda w: scale * truth(w), w)
    assert (found.ok, found.cause) == (False, cause)
    assert name in found.verdict
    assert found.confidence >= 0.8
    np.testing.assert_allclose([row.ratio for row in found.table], scale)


@given(st.integers(2, 9), st.integers(1, 4), st.sampled_from([-1.0, 2.0, 0.5, -0.5]), st.integers(0, 99))
def test_constants_in_any_shape(m, n, scale, seed):
    draw = np.random.default_rng(seed)
    A, b, v = draw.normal(size=(m, n)), draw.normal(size=m), draw.normal(size=n)
    f = lambda v: np.sum(np.tanh(A @ v - b) ** 2)
    right = lambda v: 2 * A.T @ (np.tanh(A @ v - b) / np.cosh(A @ v - b) ** 2)
    assert check_derivation(f, right, v).ok
    found = check_derivation(f, lambda v: scale * right(v), v)
    assert found.cause == ("sign" if scale == -1 else "factor")


def test_mean_for_sum_is_not_a_factor_of_a_mean():
    total = lambda w: np.sum((X @ w - y) ** 2)
    assert check_derivation(total, lambda w: 2 * X.T @ (X @ w - y) / 7, w).cause == "mean for sum"
    assert check_derivation(loss, lambda w: truth(w) / 7, w).cause == "factor"


@pytest.mark.parametrize("x", [[1.0, 2, 3], [1.0, 2, 3, 4], [0.5, -1, 1.5]])
def test_a_forgotten_link_is_no_constant_where_the_data_make_it_one(x):
    """With y = 2 x the claim without the inner x is sum(x) / sum(x^2) times the truth, at every w."""
    x = np.array(x)
    mse = lambda w, x, y: np.mean((w * x - y) ** 2)
    found = check_derivation(mse, lambda w, x, y: np.mean(2 * (w * x - y)), 0.7, x, 2 * x)
    assert found.cause == "missing factor"
    assert "`w * x`" in found.verdict
    assert "The same numbers also fit this: The gradient is" in found.verdict
    assert found.confidence < 0.8
    divided = check_derivation(lambda x, n: np.sum(x**2) / n, lambda x, n: 2 * x, x, 0.37)
    assert (divided.verdict, divided.confidence) == ("There is a factor too many: `n`.", 0.99)


@pytest.mark.parametrize("zero", [0, 0.0, np.zeros(3), np.float64(-0.0)])
def test_zero_is_called_forgotten(zero):
    found = check_derivation(loss, lambda w: zero, w)
    assert (found.cause, found.confidence) == ("missing factor", 0.99)
    assert "0 everywhere" in found.verdict
    assert "forgotten" in found.verdict
    assert "-0" not in [cell for row in found.table for cell in row_text(row)[1::2]]
    assert check_vjp(np.tanh, lambda g, x: 0 * x, w).verdict == found.verdict
    small = lambda answer: check_derivation(lambda x: x**2 / 9, answer, 0.7)
    assert small(lambda x: 0).verdict == found.verdict
    cut = small(lambda x: np.int64(2 * x / 9))
    assert (cut.cause, cut.confidence) == ("dtype", 0.5)
    assert "forgotten" in cut.verdict


@pytest.mark.parametrize(("more", "words"), [(1, "1 too large"), (-1, "1 too small"), (2.5, "2.5 too large")])
def test_a_constant_added(more, words):
    for f, x in ((lambda x: x**3, 1.5), (lambda x: np.sum(x**3), w)):
        found = check_derivation(f, lambda x: 3 * x**2 + more, x)
        assert found.cause == ("extra factor" if more > 0 else "missing factor")
        assert found.verdict.startswith(f"It is {words} everywhere")


def test_sentences_are_whole():
    A = X[:3]
    f = lambda v: np.mean((A @ v - y[:3]) ** 2)
    tripled = check_derivation(f, lambda v: 2 * A.T @ (A @ v - y[:3]), w)
    assert tripled.verdict == "The gradient is 3 or m (with m = 3) times what it should be."
    turned = check_derivation(lambda A: np.sum(A**2), lambda A: 6 * A.T, A)
    assert turned.verdict.endswith("Besides, there is a constant factor: 3 or n (with n = 3).")
    forgotten = check_derivation(f, lambda v: 2 * (A @ v - y[:3])[:, None] * A, w)
    assert forgotten.cause == "missing sum"
    assert forgotten.verdict.endswith("the claim is to be averaged over axis 0.")
    ambiguous = check_derivation(lambda x, n: x**n, lambda x, n: x ** (n - 1), 1.3, 2.5)
    assert "`n`. The same numbers also fit this: The gradient is 2/5 times what it should be." in ambiguous.verdict


def test_a_missing_factor_is_named_by_expression_and_line():
    def neuron(w):
        a = mg.sigmoid(X @ w)
        return np.mean((a - y) ** 2)

    found = check_derivation(neuron, lambda w: 2 / 7 * X.T @ (1 / (1 + np.exp(-X @ w)) - y), w)
    assert found.cause == "missing factor"
    line = neuron.__code__.co_firstlineno + 1
    assert f"`mg.sigmoid(X @ w)` (test_derivation.py:{line} in neuron)" in found.verdict


def test_a_function_that_nobody_wrote_is_called_by_its_name():
    found = check_vjp(np.tanh, lambda g, x: g, w)
    assert "the derivative of `tanh` with respect to `" in found.verdict  # older NumPy does not name its arguments


def test_a_path_left_out_is_named():
    f = lambda x: np.sum((x - np.mean(x)) ** 2 * y)
    found = check_derivation(f, lambda x: 2 * (x - np.mean(x)) * y, rng.normal(size=7))
    assert found.cause == "missing factor"
    assert "`np.mean(x)`" in found.verdict


def test_swapped_and_wrong_variable():
    f = lambda a, b: np.sum(a**2 * b)
    u, v = rng.normal(size=(2, 4))
    both = check_derivation(f, lambda a, b: (a**2, 2 * a * b), u, v, argnums=(0, 1))
    assert [part.cause for part in both.parts] == ["swapped arguments"] * 2
    one = check_derivation(f, lambda a, b: (2 * a * b, 2 * a * b), u, v, argnums=(0, 1))
    assert [part.cause for part in one.parts] == [None, "wrong variable"]
    assert one.cause == "wrong variable"
    assert "`a`, not `b`" in one.verdict


def test_output_instead_of_loss():
    f = lambda w, b: (mg.sigmoid(w * 1.3 + b) - np.float64(0.2)) ** 2
    slope = lambda z: 1 / (2 + np.exp(z) + np.exp(-z))
    assert check_derivation(f, lambda w, b: slope(w * 1.3 + b) * 1.3, 0.4, 0.1).cause == "wrong variable"


def test_upstream():
    slope = lambda x: 1 - np.tanh(x) ** 2
    x = rng.normal(size=5)
    assert check_vjp(np.tanh, lambda g, x: g * slope(x), x).ok
    assert check_vjp(np.tanh, lambda g, x: slope(x), x).cause == "ignores upstream"
    assert check_vjp(np.tanh, lambda g, x: g + slope(x), x).cause == "upstream not multiplied"
    assert check_vjp(np.tanh, lambda g, x: g, x).cause == "missing factor"
    assert check_vjp(np.tanh, lambda g, x: g * (1 - x**2), x).cause == "wrong variable"
    assert check_vjp(mg.softmax, lambda g, x: g * mg.softmax(x) * (1 - mg.softmax(x)), x).cause == "diagonal only"


# ---- several inputs, containers, dtypes --------------------------------------------------------------------


def test_containers_have_one_verdict_for_each_array():
    f = lambda p: np.mean((X @ p["w"] + p["b"] - y) ** 2)

    def claimed(p):
        r = X @ p["w"] + p["b"] - y
        return {"b": -2 * np.mean(r), "w": 2 * X.T @ r / 7}  # in another order

    found = check_derivation(f, claimed, {"w": w, "b": 0.3})
    assert {part.name: part.cause for part in found.parts} == {"p['w']": None, "p['b']": "sign"}
    assert (found.ok, found.cause) == (False, "sign")
    gone = check_derivation(f, lambda p: {"w": p["w"]}, {"w": w, "b": 0.3})
    assert gone.cause == "shape"
    assert "['b']" in gone.verdict


def test_inputs_that_are_not_differentiated():
    ids = np.array([0, 1, 1, 2])
    lookup = lambda g, E, ids: (np.eye(3)[:, ids] @ g, None)
    assert check_vjp(lambda E, ids: E[ids], lookup, rng.normal(size=(3, 2)), ids).ok
    with pytest.raises(DtypeError, match="floating-point"):
        check_derivation(lambda x: x**2, lambda x: 2 * x, 3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "got None (is a `return` missing?)"),
        (..., "got `...`"),
        ("2 w", "got str: '2 w'"),
        ([w, 1.0], "got a list of 2"),
    ],
)
def test_an_answer_that_is_not_done(answer, words):
    found = check_derivation(loss, lambda w: answer, w)
    assert (found.ok, found.cause) == (False, "dtype")
    assert words in found.verdict
    both = check_derivation(lambda a, b: np.sum(a * b), lambda a, b: (b, answer), w, w, argnums=(0, 1))
    assert both.verdict == found.verdict
    contained = check_derivation(lambda p: loss(p["w"]), lambda p: {"w": answer}, {"w": w})
    assert (contained.ok, contained.confidence) == (False, 0.99)
    assert "['w']" in contained.verdict or contained.verdict == found.verdict


def test_an_answer_with_a_branch_that_returns_nothing():
    def claimed(x):
        return 2 * x if x == 0.5 else None

    assert "return" in check_derivation(lambda x: x**2, claimed, 0.5).verdict
    assert "return" in check_vjp(np.tanh, lambda g, x: None, w).verdict
    assert "got None" in check_derivation(lambda p: loss(p["w"]), lambda p: None, {"w": w}).verdict


def test_shape_and_number_of_answers():
    assert check_derivation(loss, lambda w: truth(w)[:, None], w).cause == "shape"
    assert check_derivation(loss, lambda w: 2 * (X @ w - y)[:, None] * X / 7, w).cause == "missing sum"
    for answer in (lambda g, a, b: g * b, lambda g, a, b: (g * b,)):
        assert check_vjp(np.multiply, answer, w, w + 1).cause == "shape"
    short = check_derivation(lambda a, b: np.sum(a * b), lambda a, b: (b,), w, w, argnums=(0, 1))
    assert short.verdict == "Expected a tuple of 2 gradients, one per input, got a tuple of 1."


def test_dtype():
    f = lambda x: np.sum(x**2)
    x = np.array([1.5, -2.25])
    assert check_derivation(f, lambda x: 2 * x, x.astype(np.float32)).ok
    assert check_derivation(f, lambda x: (2 * x).astype(np.float32), x).cause == "dtype"
    assert check_derivation(f, lambda x: 2.0 * x.astype(np.float64), x.astype(np.float32)).cause == "dtype"
    assert check_derivation(f, lambda x: (2 * x).astype(int), x).cause == "dtype"
    assert check_derivation(f, lambda x: [2 * v for v in x], x).ok


def test_complex_numbers():
    z = np.array([1 + 2j, 3 - 1j])
    f = lambda z: np.sum(np.abs(z) ** 2)
    assert check_derivation(f, lambda z: 2 * z, z).ok
    assert check_derivation(f, lambda z: z, z).cause == "factor"


# ---- points that are special -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "claimed", "name"),
    [
        (lambda x: np.sum(mg.relu(x)), lambda x: 1.0 * (x >= 0), "relu"),
        (lambda x: np.sum(np.abs(x)), lambda x: np.where(x >= 0, 1.0, -1.0), "abs"),
        (lambda x: np.sum(np.maximum(x, 0.0)), lambda x: 1.0 * (x >= 0), "maximum"),
    ],
)
def test_kink(f, claimed, name):
    found = check_derivation(f, claimed, np.array([0.0, 1.0, -2.0]))
    assert found.cause == "kink"
    assert name in found.verdict
    assert "test_derivation.py" in found.verdict
    assert check_derivation(f, claimed, np.array([0.5, 1.0, -2.0])).ok


def test_a_coincidence_at_one_point_is_not_an_agreement():
    found = check_derivation(lambda x: x**3, lambda x: 3 * x**4, 1.0)
    assert found.cause == "extra factor"


def test_formulas_may_rely_on_symmetry_and_on_probabilities():
    A = rng.normal(size=(3, 3))
    assert check_derivation(
        lambda A, x: x @ A @ x, lambda A, x: (np.outer(x, x), 2 * A @ x), A + A.T, w, argnums=(0, 1)
    ).ok
    Y = np.eye(3)[[0, 2]]
    f = lambda z, Y: -np.sum(Y * mg.log_softmax(z))
    claimed = lambda z, Y: (mg.softmax(z) - Y, -mg.log_softmax(z))
    assert check_derivation(f, claimed, rng.normal(size=(2, 3)), Y, argnums=(0, 1)).ok


def test_not_finite():
    found = check_derivation(np.log, lambda x: np.nan, 2.0)
    assert (found.cause, found.verdict.split(";")[0]) == ("not finite", "NaN or infinite: 1 of 1 claimed entries")
    assert check_derivation(np.log, lambda x: 1 / x, -1.0).ok, "a value that is not finite differs from none"
    assert check_derivation(np.sqrt, lambda x: 0.0, 0.0).cause == "not finite"
    assert check_derivation(np.sqrt, lambda x: 0.5 / np.sqrt(x), 0.0).ok


def test_memory_and_chance():
    kept = []

    def previous(w):
        kept.append(truth(w))
        return kept[-2] if len(kept) > 1 else 0 * w

    assert check_derivation(loss, previous, w).cause == "stale"
    fixed = truth(w)
    assert check_derivation(loss, lambda w: fixed, w).cause == "stale"
    noise = np.random.default_rng(0)
    assert check_derivation(loss, lambda w: truth(w) * noise.uniform(0.9, 1.1), w).cause == "nondeterministic"
    assert check_derivation(lambda w: loss(w) * noise.uniform(0.9, 1.1), truth, w).cause == "nondeterministic"


# ---- what it never does ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil", [lambda t: t * np.array([1.1, 0.3, -2.2]), lambda t: np.sin(t), lambda t: t + np.array([0.1, 0.7, -0.4])]
)
def test_no_explanation_where_there_is_none(spoil):
    found = check_derivation(loss, lambda w: spoil(truth(w)), w)
    assert (found.ok, found.cause, found.confidence) == (False, "unknown", 0)
    assert len(found.table) == 3, "the raw numbers are shown all the same"


def test_the_claim_is_not_blamed_where_differences_contradict_the_engine():
    found = check_derivation(lambda x: x * mg.stop_gradient(x), lambda x: 2 * x, 2.0)
    assert (found.cause, found.confidence) == ("unknown", 0)
    assert "no verdict" in found.verdict


def test_thin_evidence_is_said_and_costs_confidence():
    claim = lambda c: check_derivation(lambda x: x * 0 + np.float64(1.0), lambda x: x, c)
    found = claim(0.7)
    assert not found.ok
    assert found.cause == "unknown" or "thin" in found.verdict
    assert found.confidence < 0.7


def test_inputs_are_not_written_to():
    def claimed(w):
        answer = truth(w)
        w *= 0
        return answer

    before = w.copy()
    assert check_derivation(loss, claimed, w).ok
    np.testing.assert_array_equal(w, before)


def test_refusals():
    with pytest.raises(GraphError, match="check_vjp"):
        check_derivation(lambda x: x**2, lambda x: 2 * x, w)
    with pytest.raises(OptionError, match="argnums=3"):
        check_derivation(loss, truth, w, argnums=3)
    for check in (check_derivation, check_vjp):
        with pytest.raises(OptionError, match=r"f=.* is not a function"):
            check(loss(w), truth, w)
        with pytest.raises(OptionError, match=r"claimed=array.* is not a function"):
            check(loss, truth(w), w)
        for nothing in (None, "a loss"):
            with pytest.raises(GraphError, match=r"<lambda> returns (None|str).*expected numbers"):
                check(lambda w, nothing=nothing: nothing, truth, w)
    with pytest.raises(ZeroDivisionError):  # a claim's own error is its author's to see
        check_derivation(loss, lambda w: 1 / 0, w)


# ---- how it reads ------------------------------------------------------------------------------------------


def test_text_and_html():
    found = check_derivation(loss, lambda w: truth(w) / 2, w)
    lines = str(found).splitlines()
    assert lines[0] == "w: wrong (factor, confidence 99%)"
    assert lines[2].split() == ["entry", "claimed", "true", "ratio"]
    assert all(line.split()[-1] == "0.5" for line in lines[3:6])
    page = found._repr_html_()
    assert "<table>" in page
    assert page.count("<tr>") == 4
    nasty = Diagnosis(False, "unknown", "a < b & c", 0.0, name="<x>")._repr_html_()
    assert "&lt;x&gt;" in nasty
    assert "a &lt; b &amp; c" in nasty


def test_long_tables_are_cut_and_the_worst_come_first():
    def claimed(x):
        answer = 2 * x
        answer[17] += 1
        return answer

    found = check_derivation(lambda x: np.sum(x**2), claimed, rng.normal(size=30))
    assert found.table[0].entry == "x[17]"
    assert len(found.table) == 30
    assert "24 more" in str(found)
    assert "24 more" in found._repr_html_()


def test_small_numbers_are_not_right_because_they_are_small():
    assert not mg.check_derivation(lambda x: 1e-7 * np.sum(x**2), lambda x: 1e-7 * x, np.array([1.0, 2.0])).ok


def test_a_kink_is_named_by_its_function():
    def loss(x):
        return np.sum(np.exp(x) * np.abs(x))

    found = mg.check_derivation(loss, lambda x: np.exp(x) * (np.abs(x) + np.where(x >= 0, 1, -1)), np.array([0.0, 1.0]))
    assert "kink of `np.abs(x)`" in found.verdict


def test_a_right_answer_has_no_table():
    assert "claimed  " not in str(mg.check_derivation(np.sum, np.ones_like, np.array([1.0, 2.0])))


def test_causes_that_are_near_each_other():
    rng = np.random.default_rng(0)
    W, X = rng.normal(size=(2, 3, 3))
    b, x = 0.3, np.array([1.0, 2.0, 3.0])
    found = mg.check_derivation(lambda W: np.sum(np.sin(X @ W)), lambda W: X.T @ np.cos(X @ W).T, W)
    assert found.cause == "transposed"
    found = mg.check_derivation(lambda b: np.sum(np.sin(x + b) * x), lambda b: (np.cos(x + b) * x)[0], b)
    assert found.cause == "missing sum"
    found = mg.check_derivation(
        lambda x, y: np.sum(x) * np.sum(y**2),
        lambda x, y: (x * 2 * np.sum(y), np.ones(3)),
        np.ones(3),
        np.ones(2),
        argnums=(0, 1),
    )
    assert found.cause == "shape"
    A, w = rng.normal(size=(10, 3)), rng.normal(size=3)
    found = mg.check_derivation(lambda w: np.mean((A @ w) ** 2), lambda w: A.T @ (A @ w), w)
    assert "half of m" in found.verdict
