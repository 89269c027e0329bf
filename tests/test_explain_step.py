"""explain_step: its numbers are those of the step that follows, its formulas give its numbers, and nothing moves."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.errors import GraphError, NonFiniteError, OptionError
from microgd.optim import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSProp
from microgd.optim.explain import explain_step
from microgd.optim.flat import BLOCK

CASES = [
    (SGD, {}),
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    (SGD, {"momentum": 0.8, "nesterov": True, "maximize": True}),
    (Momentum, {"weight_decay": 0.2, "maximize": True}),
    (Nesterov, {"weight_decay": 0.2}),
    (AdaGrad, {}),
    (AdaGrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1, "maximize": True}),
    (RMSProp, {}),
    (RMSProp, {"momentum": 0.9, "weight_decay": 0.1}),
    (RMSProp, {"centered": True, "maximize": True}),
    (RMSProp, {"centered": True, "momentum": 0.5, "alpha": 0.8}),
    (Adam, {}),
    (Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (Adam, {"betas": (0.5, 0.7), "eps": 1e-3, "maximize": True}),
    (AdamW, {}),
    (AdamW, {"amsgrad": True, "weight_decay": 0.3, "maximize": True}),
    (AdamW, {"weight_decay": 0.0}),
]
every_case = pytest.mark.parametrize(("rule", "options"), CASES, ids=lambda x: getattr(x, "__name__", str(x)))


def leaf(value, dtype=float):
    return mg.tensor(value, dtype=dtype, requires_grad=True)


def setting(rule, options, rng):
    """Two groups with rates of their own: scalars, a matrix, a vector of three, and one array longer than a block."""
    first = {"w": leaf(rng.normal(size=(4, 3))), "b": leaf(0.5)}
    second = [leaf(rng.normal(size=3)), leaf(rng.normal(size=BLOCK + 5)), leaf(-1.0)]
    optimizer = rule([{"params": first}, {"params": second, "lr": 0.3}], lr=0.05, **options)
    return optimizer, [*first.values(), *second]


def feed(params, rng, skip=()):
    for k, p in enumerate(params):
        p.grad = None if k in skip else rng.normal(size=p.shape) + np.zeros(p.shape)


def python(formula):
    """A formula as in a paper, as Python: side by side is times, ^ is a power, and a prime is part of the name."""
    text = re.sub(r"([A-Za-z]\w*)'", r"\1_prime", formula.replace("^", "**"))
    return re.sub(r"(?<![\w.])(sqrt|max)\s\*\s\(", r"\1(", re.sub(r"([\w)])\s+(?=[A-Za-z(])", r"\1 * ", text))


def known(optimizer, group, t):
    """Everything that a formula may name beside the quantities before it."""
    numbers = {name: value for name, value in group.items() if name != "params"}
    if "betas" in numbers:
        numbers["beta1"], numbers["beta2"] = numbers["betas"]
    return {**numbers, "t": t, "sqrt": np.sqrt, "max": np.maximum}


class TestNumbers:
    @every_case
    def test_delta_is_what_the_step_does_and_nothing_moves_before(self, rule, options):
        rng = np.random.default_rng(7)
        optimizer, params = setting(rule, options, rng)
        for skip in ((), (1,), (), (0, 3), ()):
            feed(params, rng, skip)
            values, gradients = [p.value for p in params], [p.grad for p in params]
            copies = [(np.array(p.value), None if p.grad is None else np.array(p.grad)) for p in params]
            state = repr(optimizer.state_dict())
            explained = explain_step(optimizer)

            assert all(p.value is value for p, value in zip(params, values, strict=True))
            assert all(p.grad is gradient for p, gradient in zip(params, gradients, strict=True))
            for p, (value, gradient) in zip(params, copies, strict=True):
                np.testing.assert_array_equal(p.value, value)
                assert gradient is None or np.array_equal(p.grad, gradient)
            assert repr(optimizer.state_dict()) == state
            del values

            optimizer.step()
            for k, (p, part, (value, _)) in enumerate(zip(params, explained.parameters, copies, strict=True)):
                assert part.skipped == (k in skip)
                assert np.shape(part.delta) == p.shape
                np.testing.assert_array_equal(part.delta, np.array(p.value) - value)
                if not part.skipped:
                    np.testing.assert_array_equal(part["p <-"], np.array(p.value))
                    np.testing.assert_array_equal(part["p"], value)

    @every_case
    def test_states_are_those_the_step_leaves(self, rule, options):
        rng = np.random.default_rng(8)
        optimizer, params = setting(rule, options, rng)
        for t in range(1, 4):
            feed(params, rng)
            explained = explain_step(optimizer)
            optimizer.step()
            for k, part in enumerate(explained.parameters):
                saved = optimizer.state_dict()["state"][k]
                assert part.t == saved.pop("step") == t
                for name, array in saved.items():
                    np.testing.assert_array_equal(part[f"{optimizer.symbols[name]} <-"], array)

    @every_case
    def test_every_formula_gives_its_value(self, rule, options):
        rng = np.random.default_rng(9)
        optimizer, params = setting(rule, options, rng)
        for _ in range(3):
            feed(params, rng)
            for (group, _, _), part in zip(optimizer.places(), explain_step(optimizer).parameters, strict=True):
                names = known(optimizer, group, part.t)
                for name, formula, value in part.quantities:
                    if formula not in ("before the step", "p.grad"):
                        computed = eval(python(formula), {}, names)
                        np.testing.assert_allclose(
                            value, computed, rtol=1e-12, atol=1e-12, err_msg=f"{name}: {formula}"
                        )
                    names[name.removesuffix(" <-").replace("'", "_prime")] = value
            optimizer.step()

    @given(
        p=st.floats(-10, 10), gradients=st.lists(st.floats(-10, 10), min_size=2, max_size=5), lr=st.floats(1e-4, 1.0)
    )
    def test_adam_of_the_paper(self, p, gradients, lr):
        """Algorithm 1 of Kingma and Ba, written out here."""
        w, m, v = leaf(p), 0.0, 0.0
        optimizer = Adam([w], lr=lr)
        for t, g in enumerate(gradients, 1):
            w.grad = np.array(g)[()]
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            part = explain_step(optimizer).parameters[0]
            expected = {"m <-": m, "v <-": v, "m'": m / (1 - 0.9**t), "v'": v / (1 - 0.999**t)}
            expected["rate"] = lr / (math.sqrt(expected["v'"]) + 1e-8)
            for name, value in expected.items():
                np.testing.assert_allclose(part[name], value, rtol=1e-9, atol=1e-14)
            np.testing.assert_allclose(part.delta, -expected["rate"] * expected["m'"], rtol=1e-9, atol=1e-12)
            optimizer.step()

    def test_nesterov_by_hand(self):
        w = leaf(4.0)
        optimizer = SGD([w], lr=0.25, momentum=0.5, nesterov=True)
        w.grad = np.float64(8.0)
        optimizer.step()  # b = 8, d = 12, w = 1
        w.grad = np.float64(2.0)
        rows = [(name, value) for name, _, value in explain_step(optimizer).parameters[0].quantities]
        assert rows == [("p", 1), ("b", 8), ("g", 2), ("b <-", 6), ("d", 5), ("delta", -1.25), ("p <-", -0.25)]

    def test_decoupled_decay_by_hand(self):
        w = leaf(2.0)
        optimizer = AdamW([w], lr=0.1, weight_decay=0.5, eps=0.0)
        w.grad = np.float64(3.0)
        part = explain_step(optimizer).parameters[0]
        assert part["decay"] == pytest.approx(-0.1, rel=1e-12)
        assert part["move"] == pytest.approx(-0.1, rel=1e-12), "the first step has length lr"
        assert part.delta == pytest.approx(-0.2, rel=1e-12)
        assert "g <-" not in dict(q[:2] for q in part.quantities), "the gradient has no decay in it"

    def test_a_change_from_outside_counts(self):
        """A value set by hand and a rate changed by a schedule are what the next step will use."""
        w = leaf([1.0, 2.0])
        optimizer = SGD([w], lr=0.1)
        optimizer.param_groups[0]["lr"] = 0.5
        w.data = np.array([3.0, 4.0])
        w.grad = np.array([1.0, 2.0])
        part = explain_step(optimizer).parameters[0]
        np.testing.assert_array_equal(part["p"], [3.0, 4.0])
        np.testing.assert_array_equal(part.delta, [-0.5, -1.0])

    def test_loaded_state_is_used(self):
        w, v = leaf([1.0, 2.0]), leaf([1.0, 2.0])
        old, new = Adam([w]), Adam([v])
        w.grad = v.grad = np.array([1.0, -3.0])
        old.step()
        v.data = np.array(w.data)
        new.load_state_dict(old.state_dict())
        ours, theirs = (explain_step(optimizer).parameters[0] for optimizer in (new, old))
        assert ours.t == theirs.t == 2
        np.testing.assert_array_equal(ours.delta, theirs.delta)

    @pytest.mark.parametrize("rule", [Nesterov, AdaGrad, RMSProp, Adam, AdamW])
    def test_single_precision_stays_single(self, rule):
        w = leaf([1.0, 2.0], dtype=np.float32)
        optimizer = rule([w], lr=0.1)
        w.grad = np.array([0.3, -0.1], np.float32)
        part = explain_step(optimizer).parameters[0]
        assert all(np.asarray(value).dtype == np.float32 for _, _, value in part.quantities if np.ndim(value))
        before = np.array(w.value)
        optimizer.step()
        np.testing.assert_array_equal(part.delta, w.value - before)

    def test_the_next_step_still_works_in_place(self):
        """No view of the buffer stays behind: a step copies it only when someone else holds a value."""
        w = leaf(np.arange(10.0))
        optimizer = Adam([w])
        w.grad = np.ones(10)
        optimizer.step()
        buffer = id(optimizer.flats[0][0].values)
        explained = explain_step(optimizer)
        optimizer.step()
        assert id(optimizer.flats[0][0].values) == buffer
        assert not np.shares_memory(explained.parameters[0]["p"], w.value)
        assert not np.shares_memory(explained.parameters[0]["g"], w.grad)


class Signs(Optimizer):
    """A user's own rule, with a state and no words for it."""

    def __init__(self, params, lr=0.1, weight_decay=0.0, maximize=False):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "maximize": maximize})

    def initial_state(self, group):
        return {"seen": 0.0}

    def update(self, p, g, s, t, group):
        s["seen"] += np.abs(g)
        p -= group["lr"] * np.sign(g)


class TestReading:
    def test_a_rule_without_words_is_shown_by_its_state(self):
        w = leaf(1.0)
        optimizer = Signs([w])
        w.grad = np.float64(-4.0)
        part = explain_step(optimizer).parameters[0]
        assert (part["seen"], part["seen <-"], part.delta) == (0, 4, pytest.approx(0.1))
        assert "as Signs.update says" in str(part)

    def test_nesterov_on_two_scalars(self):
        w, b = leaf(4.0), leaf(-1.0)
        optimizer = SGD({"w": w, "b": b}, lr=0.25, momentum=0.5, nesterov=True)
        w.grad, b.grad = np.float64(8.0), np.float64(1e-7)
        optimizer.step()
        w.grad, b.grad = np.float64(2.0), None
        assert str(explain_step(optimizer)) == (
            "SGD, the next step\n"
            "  group 0: lr 0.25, momentum 0.5, dampening 0, weight_decay 0, nesterov\n"
            "\n"
            "parameter ['w'] of group 0, shape (): step t = 2\n"
            "  quantity  formula          value\n"
            "  p         before the step      1\n"
            "  b         before the step      8\n"
            "  g         p.grad               2\n"
            "  b <-      momentum b + g       6\n"
            "  d         g + momentum b       5\n"
            "  delta     -lr d            -1.25\n"
            "  p <-      p + delta        -0.25\n"
            "\n"
            "parameter ['b'] of group 0, shape (): skipped, it has no gradient"
        )

    def test_arrays_are_summed_up(self):
        """By one entry, the one that moves most, so that the formulas can be followed, and by the range."""
        w = leaf([[1.0, 2.0], [5.0, 6.0]])
        w.grad = np.array([[1.0, 2.0], [-3.0, 0.0]])
        optimizer = SGD([w], lr=1.0, momentum=0.5)
        text = str(explain_step(optimizer))
        assert "the entry that moves most, and the range" in text
        assert re.search(r"formula +\[1, 0\] +min +max\n", text)
        assert re.search(r"p +before the step +5 +1 +6\n", text)
        assert re.search(r"delta +-lr b +3 +-2 +3\n", text)

    def test_one_number_for_all_entries_stands_in_every_column(self):
        w = leaf(np.ones(4))
        w.grad = np.ones(4)
        text = str(explain_step(Adam([w], betas=(0.75, 0.5))))
        assert re.search(r"c1 +1 - beta1\^t +0.25 +0.25 +0.25\n", text)

    def test_small_arrays_are_shown_whole(self):
        w = leaf([[1.0, 2.0]])
        w.grad = np.array([[1.0, 2.0]])
        text = str(explain_step(SGD([w], lr=1.0)))
        assert re.search(r"formula +\[0, 0\] +\[0, 1\]\n", text)
        assert re.search(r"delta +-lr g +-1 +-2\n", text)

    @every_case
    def test_fits_a_terminal_and_a_page(self, rule, options):
        """Eighty columns even for the widest numbers, and every row of the HTML as wide as its heading."""
        rng = np.random.default_rng(3)
        optimizer, params = setting(rule, options, rng)
        for p in params:
            p.grad = -1.23456e-5 * np.ones(p.shape)
        optimizer.step()
        explained = explain_step(optimizer)
        assert max(map(len, str(explained).splitlines())) <= 80
        page = ET.fromstring(f"<div>{explained._repr_html_()}</div>")
        tables = page.findall("table")
        assert len(tables) == len(params)
        for table, part in zip(tables, explained.parameters, strict=True):
            heading, *rows = table.findall("tr")
            assert [row[0].text for row in rows] == [name for name, _, _ in part.quantities]
            assert {len(row) for row in rows} == {len(heading)}

    def test_html_escapes_names(self):
        w = leaf(1.0)
        optimizer = SGD({"<script>": w}, lr=0.1, momentum=0.9)
        w.grad = np.float64(1.0)
        page = explain_step(optimizer)._repr_html_()
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
        assert "b &lt;-" in page

    def test_many_parameters_are_folded(self):
        params = [leaf(float(k)) for k in range(9)]
        optimizer = SGD(params, lr=0.1)
        for p in params:
            p.grad = np.float64(1.0)
        explained = explain_step(optimizer)
        assert len(explained.parameters) == 9
        assert str(explained).count("step t = 1") == explained._repr_html_().count("<table>") == 6
        assert str(explained).endswith("... and 3 more in .parameters")
        assert "... and 3 more" in explained._repr_html_()

    def test_an_empty_parameter(self):
        w = leaf(np.zeros((0, 2)))
        w.grad = np.zeros((0, 2))
        for rule in (SGD, AdaGrad):
            explained = explain_step(rule([w]))
            assert explained.parameters[0].delta.shape == (0, 2)
            assert "delta" in str(explained)
            assert "delta" in explained._repr_html_()


class TestRefusals:
    def test_before_any_backward(self):
        with pytest.raises(GraphError, match=r"no parameter of this Adam has a gradient \(1 in all\).*call backward"):
            explain_step(Adam([leaf(1.0)]))

    def test_not_an_optimizer(self):
        with pytest.raises(OptionError, match="expected an optimizer, got Tensor"):
            explain_step(leaf(1.0))

    def test_a_gradient_that_the_step_refuses(self):
        w = leaf(1.0)
        w.grad = np.float64(np.nan)
        with pytest.raises(NonFiniteError, match="nothing was updated"):
            explain_step(SGD([w]))


def test_climbing_without_decay_has_no_decay():
    w = mg.tensor(2.0, requires_grad=True)
    optimizer = mg.optim.SGD([w], lr=0.1, maximize=True)
    (w * w).backward()
    assert "weight_decay p" not in str(mg.explain_step(optimizer))
