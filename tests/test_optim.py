"""Optimizers: torch's trajectories, the papers' formulas written out, first steps by hand, and every refusal."""

from __future__ import annotations

import copy
import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.core.tape import GRAD
from microgd.errors import DtypeError, NonFiniteError, OptionError, ShapeError
from microgd.optim import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from microgd.optim.flat import BLOCK

RECORDED = json.loads((Path(__file__).parent / "data" / "torch_trajectories.json").read_text())
ALL = [SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamW]
every_rule = pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.__name__)


def leaf(value):
    return mg.tensor(value, dtype=float, requires_grad=True)


def walk(optimizer, params, gradient, steps):
    """The path of ``params`` when ``gradient(p)`` is the gradient at p."""
    path = []
    for _ in range(steps):
        for p in params:
            p.grad = gradient(p.data)
        optimizer.step()
        path.append([np.array(p.data) for p in params])
    return path


def slope(p):
    return np.array([3.0, 0.5, 1.0, 2.0]) * p + np.sin(3 * p) + 0.3 * np.roll(p, 1)


class TestTorch:
    @pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: f"{c['optimizer']} {c['options']}")
    def test_trajectory(self, case):
        p = leaf(RECORDED["start"])
        optimizer = getattr(mg.optim, case["optimizer"])([p], **case["options"])
        path = [points[0] for points in walk(optimizer, [p], slope, len(case["points"]))]
        np.testing.assert_allclose(path, case["points"], rtol=1e-12, atol=1e-13)

    def test_presets_are_sgd(self):
        """Momentum and Nesterov are SGD with options, so SGD's trajectories hold for them."""
        for preset, options in ((Momentum, {"momentum": 0.9}), (Nesterov, {"momentum": 0.9, "nesterov": True})):
            p, q = leaf(RECORDED["start"]), leaf(RECORDED["start"])
            ours = walk(preset([p], lr=0.05), [p], slope, 60)
            np.testing.assert_array_equal(ours, walk(SGD([q], lr=0.05, **options), [q], slope, 60))

    def test_names_and_defaults(self):
        expected = {
            SGD: {"lr": 1e-3, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False},
            Adam: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False},
            AdamW: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2, "amsgrad": False},
            RMSProp: {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False},
            AdaGrad: {"lr": 1e-2, "lr_decay": 0, "weight_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10},
        }
        for rule, defaults in expected.items():
            parameters = inspect.signature(rule).parameters
            assert {
                name: parameters[name].default for name in parameters if name not in ("params", "maximize")
            } == defaults
            assert list(parameters)[1 : 1 + len(defaults)] == list(defaults), "positional order is torch's"


class TestByHand:
    """First steps worked out with pencil and paper: p = 1, g = 2, rate 0.1."""

    @pytest.mark.parametrize(
        ("rule", "options", "after_one", "after_two"),
        [
            (SGD, {}, 0.8, 0.6),
            (SGD, {"weight_decay": 0.5}, 0.75, 0.5125),
            (Momentum, {"momentum": 0.5}, 0.8, 0.5),
            (SGD, {"momentum": 0.5, "dampening": 0.5}, 0.8, 0.6),
            (Nesterov, {"momentum": 0.5}, 0.7, 0.35),
            (AdaGrad, {"eps": 0.0}, 0.9, 0.9 - 0.1 / math.sqrt(2)),
            (RMSProp, {"alpha": 0.75, "eps": 0.0}, 0.8, 0.8 - 0.2 / math.sqrt(1.75)),
            (Adam, {"eps": 0.0}, 0.9, 0.8),
            (AdamW, {"eps": 0.0, "weight_decay": 0.5}, 0.85, 0.7075),
        ],
    )
    def test_first_two_steps(self, rule, options, after_one, after_two):
        p = leaf(1.0)
        path = walk(rule([p], lr=0.1, **options), [p], lambda _: np.float64(2.0), 2)
        np.testing.assert_allclose([points[0] for points in path], [after_one, after_two], rtol=1e-14)


def paper_momentum(p, g, state, t, lr=0.1, mu=0.9):
    state["v"] = mu * state.get("v", 0.0) + g
    return p - lr * state["v"]


def paper_nesterov(p, g, state, t, lr=0.1, mu=0.9):
    state["v"] = mu * state.get("v", 0.0) + g
    return p - lr * (g + mu * state["v"])


def paper_adagrad(p, g, state, t, lr=0.1):
    state["G"] = state.get("G", 0.0) + g**2
    return p - lr * g / (math.sqrt(state["G"]) + 1e-10)


def paper_rmsprop(p, g, state, t, lr=0.1):
    state["r"] = 0.99 * state.get("r", 0.0) + 0.01 * g**2
    return p - lr * g / (math.sqrt(state["r"]) + 1e-8)


def paper_adam(p, g, state, t, lr=0.1, b1=0.9, b2=0.999):
    state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    m_hat, v_hat = state["m"] / (1 - b1**t), state["v"] / (1 - b2**t)
    return p - lr * m_hat / (math.sqrt(v_hat) + 1e-8)


def paper_adamw(p, g, state, t, lr=0.1):
    return paper_adam(p - lr * 0.01 * p, g, state, t, lr)


@pytest.mark.parametrize(
    ("rule", "paper"),
    [
        (SGD, lambda p, g, state, t: p - 0.1 * g),
        (Momentum, paper_momentum),
        (Nesterov, paper_nesterov),
        (AdaGrad, paper_adagrad),
        (RMSProp, paper_rmsprop),
        (Adam, paper_adam),
        (AdamW, paper_adamw),
    ],
)
@given(st.lists(st.floats(-10, 10).filter(lambda g: abs(g) > 1e-3), min_size=1, max_size=20), st.floats(-5, 5))
def test_the_papers_formula_in_plain_python(rule, paper, gradients, start):
    p, q, state = leaf(start), start, {}
    optimizer = rule([p], lr=0.1)
    for t, g in enumerate(gradients, 1):
        p.grad = g
        optimizer.step()
        q = paper(q, g, state, t)
        assert p.item() == pytest.approx(q, rel=1e-11, abs=1e-11)


class TestDescent:
    @every_rule
    def test_converges_on_a_quadratic(self, rule):
        curvatures, target = np.array([1.0, 3.0, 0.5]), np.array([1.0, -2.0, 0.5])
        p = leaf(np.zeros(3))
        rate = {SGD: 0.3, Momentum: 0.05, Nesterov: 0.05, AdaGrad: 1.0}.get(rule, 0.02)
        options = {"weight_decay": 0.0} if rule is AdamW else {}
        optimizer = rule([p], lr=rate, **options)
        for _ in range(500):
            optimizer.zero_grad()
            error = p - target
            (curvatures * error * error / 2).sum().backward()
            optimizer.step()
        np.testing.assert_allclose(p.data, target, atol=0.02)

    @every_rule
    @given(st.integers(0, 1000))
    def test_maximize_is_minimising_the_negative(self, rule, seed):
        start = np.random.default_rng(seed).normal(size=4)
        up, down = leaf(start), leaf(start)
        a = walk(rule([up], lr=0.01, maximize=True), [up], slope, 5)
        b = walk(rule([down], lr=0.01), [down], lambda p: -slope(p), 5)
        np.testing.assert_array_equal(a, b)

    @every_rule
    def test_together_is_the_same_as_one_by_one(self, rule):
        """Neighbours share a buffer and blocks; the result must not show it, to the last bit."""
        rng = np.random.default_rng(0)
        shapes = [(3,), (), (2, 2), (BLOCK + 5,), (0,), (4,), (BLOCK // 2,), (BLOCK // 2 + 1,)]
        starts = [rng.normal(size=shape) for shape in shapes]
        together = [leaf(start) for start in starts]
        path = walk(rule(together, lr=0.01), together, np.sin, 3)
        for k, start in enumerate(starts):
            alone = leaf(start)
            for points, (expected,) in zip(path, walk(rule([alone], lr=0.01), [alone], np.sin, 3), strict=True):
                np.testing.assert_array_equal(points[k], expected)

    @every_rule
    def test_single_precision_stays_single(self, rule):
        single, double = mg.tensor(np.ones(3, np.float32), requires_grad=True), leaf(np.ones(3))
        optimizer = rule([single, double], lr=0.1)
        for p in (single, double):
            p.grad = np.full(3, 0.5, p.dtype)
        optimizer.step()
        assert single.dtype == np.float32
        assert all(a.dtype == np.float32 for n, a in optimizer.state_dict()["state"][0].items() if n != "step")
        np.testing.assert_allclose(single.data, double.data, rtol=1e-6, atol=1e-6)

    def test_a_centered_variance_is_never_below_zero(self):
        """Under a constant gradient the variance tends to 0, and rounding takes it below."""
        p = leaf([1.0, 2.0, 3.0])
        walk(RMSProp([p], lr=0.0, alpha=0.9, centered=True), [p], lambda p: np.array([0.1, 0.3, 0.7]), 1000)
        np.testing.assert_array_equal(p.data, [1.0, 2.0, 3.0])

    def test_all_move_at_once(self):
        """Both gradients are taken at the same point: x and y swap roles symmetrically."""
        x, y = leaf(1.0), leaf(2.0)
        (x * y).backward()
        SGD([x, y], lr=0.5).step()
        assert (x.item(), y.item()) == (0.0, 1.5)


class TestParameters:
    def test_any_container(self):
        model = {"w": leaf([1.0, 2.0]), "layers": [(leaf(3.0),), leaf(4.0)]}
        optimizer = SGD(model, lr=1.0)
        for p in (model["w"], model["layers"][0][0], model["layers"][1]):
            p.grad = np.ones_like(p.data)
        optimizer.step()
        assert model["layers"][0][0].item() == 2.0
        assert len(SGD(leaf(1.0) for _ in range(3)).param_groups[0]["params"]) == 3
        assert len(SGD(leaf(1.0)).param_groups[0]["params"]) == 1
        assert len(SGD({"a": leaf(1.0), "b": leaf(1.0)}.values()).param_groups[0]["params"]) == 2

    def test_groups_have_their_own_options(self):
        a, b, c = leaf(1.0), leaf(1.0), leaf(1.0)
        optimizer = SGD([{"params": [a], "lr": 0.5}, {"params": b}], lr=0.1)
        optimizer.add_param_group({"params": c, "lr": 0.0})
        a.grad = b.grad = c.grad = 1.0
        optimizer.step()
        assert [p.item() for p in (a, b, c)] == [0.5, 0.9, 1.0]
        optimizer.param_groups[0]["lr"] = 0.1
        optimizer.step()
        assert a.item() == 0.4

    def test_without_gradient_nothing_moves_and_no_step_is_counted(self):
        a, b = leaf(1.0), leaf(1.0)
        optimizer = Adam([a, b], lr=0.1)
        a.grad = 1.0
        optimizer.step()
        b.grad = 1.0
        optimizer.step()
        assert b.item() == pytest.approx(0.9), "its first step is corrected as a first step"
        assert a.item() == pytest.approx(0.8)

    @every_rule
    def test_a_value_that_was_replaced_is_where_the_next_step_starts(self, rule):
        p = leaf([1.0, 2.0])
        optimizer = rule([p], lr=0.1)
        p.data = [10.0, 20.0]
        before = p.data
        p.grad = np.zeros(2)
        optimizer.step()
        np.testing.assert_allclose(p.data, [10.0, 20.0], rtol=2e-3)  # AdamW shrinks a little
        np.testing.assert_array_equal(before, [10.0, 20.0])
        with mg.no_grad():
            p -= 5.0
        p.grad = np.zeros(2)
        optimizer.step()
        np.testing.assert_allclose(p.data, [5.0, 15.0], rtol=5e-3)

    def test_two_optimizers_may_share_a_parameter(self):
        p = leaf([1.0, 1.0])
        first, second = SGD([p], lr=0.1), SGD([p], lr=0.5)
        for optimizer in (first, second, first):
            p.grad = np.ones(2)
            optimizer.step()
        np.testing.assert_allclose(p.data, 0.3)

    @every_rule
    def test_values_that_someone_holds_never_change(self, rule):
        p, q = leaf([1.0, 2.0]), leaf([[3.0]])
        optimizer = rule([p, q], lr=0.1)
        kept = []
        for _ in range(3):
            loss = (p * p).sum() + q.sum()
            kept.append((loss, p.data, p.data[::-1], p.detach(), np.array(p.data)))
            p.grad, q.grad = np.ones(2), np.ones((1, 1))
            optimizer.step()
        for loss, value, reverse, detached, copied in kept:
            np.testing.assert_array_equal(value, copied)
            np.testing.assert_array_equal(reverse, copied[::-1])
            np.testing.assert_array_equal(detached.data, copied)
            p.zero_grad()
            loss.backward()
            np.testing.assert_array_equal(p.grad, 2 * copied)

    @every_rule
    def test_values_that_nobody_holds_are_updated_in_place(self, rule):
        p, b = leaf([1.0, 2.0]), leaf(0.0)
        optimizer = rule([p, b], lr=0.1)
        places = set()
        for _ in range(5):
            optimizer.zero_grad()
            prediction = p * np.array([2.0, 3.0]) + b
            loss = (prediction * prediction).mean()
            loss.backward()
            optimizer.step()
            places.add(p.data.__array_interface__["data"][0])
        assert len(places) == 1

    def test_all_move_from_the_same_point_also_when_one_was_given_the_value_of_another(self):
        p, q = leaf([1.0, 1.0]), leaf([5.0, 5.0])
        optimizer = SGD([{"params": p}, {"params": q}], lr=0.5)
        q.data = p.data
        p.grad = q.grad = np.ones(2)
        optimizer.step()
        np.testing.assert_array_equal([p.data, q.data], [[0.5, 0.5], [0.5, 0.5]])

    def test_gradients_survive_a_step_and_accumulate(self):
        p = leaf(1.0)
        optimizer = SGD([p], lr=0.1)
        (p * 3).backward()
        optimizer.step()
        assert p.grad == 3.0
        (p * 3).backward()
        assert p.grad == 6.0
        optimizer.zero_grad()
        assert p.grad is None

    def test_gradient_that_is_a_tensor(self):
        p = leaf(3.0)
        (p * p).backward(create_graph=True)
        SGD([p], lr=0.5).step()
        assert p.item() == 0.0

    def test_closure(self):
        p = leaf(3.0)
        optimizer = SGD([p], lr=0.5)

        def closure():
            optimizer.zero_grad()
            loss = p * p
            loss.backward()
            return loss

        assert optimizer.step(closure).item() == 9.0
        assert p.item() == 0.0


class TestState:
    @every_rule
    def test_resumes_bit_for_bit(self, rule):
        def run(stop):
            params = [leaf([1.0, 2.0, 3.0, 4.0]), leaf(np.ones((2, 2)).reshape(4))]
            optimizer = rule([{"params": params[0], "lr": 0.05}, {"params": params[1]}], lr=0.1)
            walk(optimizer, params, slope, stop)
            return params, optimizer

        through, _ = run(10)
        halfway, optimizer = run(4)
        saved, values = copy.deepcopy(optimizer.state_dict()), [np.array(p.data) for p in halfway]
        fresh = [leaf(value) for value in values]
        resumed = rule([{"params": fresh[0]}, {"params": fresh[1]}], lr=123.0)
        resumed.load_state_dict(saved)
        assert resumed.param_groups[0]["lr"] == 0.05
        walk(resumed, fresh, slope, 6)
        for a, b in zip(through, fresh, strict=True):
            np.testing.assert_array_equal(a.data, b.data)

    def test_layout_is_torchs(self):
        p, q = leaf([1.0, 2.0]), leaf(1.0)
        optimizer = Adam([p, q])
        p.grad = np.ones(2)
        optimizer.step()
        state = optimizer.state_dict()
        assert list(state) == ["state", "param_groups"]
        assert list(state["state"]) == [0], "a parameter that never moved has no state"
        assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
        assert state["param_groups"][0]["params"] == [0, 1]
        state["state"][0]["exp_avg"][:] = 99
        assert optimizer.state_dict()["state"][0]["exp_avg"][0] != 99, "a copy"

    def test_the_wrong_state_is_refused_and_changes_nothing(self):
        p = leaf([1.0, 2.0])
        optimizer = Adam([p], lr=0.1)
        p.grad = np.ones(2)
        optimizer.step()
        before = optimizer.state_dict()
        other = SGD([leaf([1.0, 2.0])], momentum=0.9)
        walk(other, other.param_groups[0]["params"], np.ones_like, 1)
        with pytest.raises(OptionError, match=r"parameter \[0\].*exp_avg.*momentum_buffer"):
            optimizer.load_state_dict({**other.state_dict(), "param_groups": before["param_groups"]})
        longer = Adam([leaf([1.0, 2.0, 3.0])])
        walk(longer, longer.param_groups[0]["params"], np.ones_like, 1)
        with pytest.raises(ShapeError, match=r"\(2,\).*exp_avg \(3,\)"):
            optimizer.load_state_dict(longer.state_dict())
        with pytest.raises(OptionError, match=r"\[2\].*\[1\]"):
            optimizer.load_state_dict(Adam([leaf(1.0), leaf(2.0)]).state_dict())
        single = Adam([mg.tensor(np.ones(2, np.float32), requires_grad=True)])
        walk(single, single.param_groups[0]["params"], np.ones_like, 1)
        with pytest.raises(DtypeError, match=r"parameter \[0\].* is float64, its saved exp_avg float32"):
            optimizer.load_state_dict(single.state_dict())
        with pytest.raises(OptionError, match="saved state of parameters \\['0'\\]"):
            optimizer.load_state_dict({**before, "state": {"0": before["state"][0]}})
        groups = [{n: v for n, v in before["param_groups"][0].items() if n not in ("betas", "amsgrad")}]
        with pytest.raises(OptionError, match="lack amsgrad, betas"):
            optimizer.load_state_dict({**before, "param_groups": groups})
        with pytest.raises(OptionError, match="expected the keys"):
            optimizer.load_state_dict({})
        for name, array in optimizer.state_dict()["state"][0].items():
            np.testing.assert_array_equal(array, before["state"][0][name])

    @pytest.mark.parametrize("option", [0.0, 0.9])
    def test_state_of_an_option_that_is_off_is_kept_and_that_of_another_run_is_not(self, option):
        def steps(optimizer, p, momenta):
            for momentum in momenta:
                optimizer.param_groups[0]["momentum"] = momentum
                p.grad = np.array(1.0)
                optimizer.step()

        p, q = leaf(0.0), leaf(0.0)
        one, other = SGD([p], lr=1.0), SGD([q], lr=1.0)
        steps(one, p, [0.9, option])
        steps(other, q, [0.9] * 5)
        q.data = p.data
        other.load_state_dict(one.state_dict())
        steps(one, p, [0.9])
        steps(other, q, [0.9])
        assert p.item() == q.item()

    def test_an_option_that_was_just_switched_on_is_saved(self):
        p = leaf([1.0, 2.0])
        optimizer = Adam([p])
        walk(optimizer, [p], np.ones_like, 1)
        optimizer.param_groups[0]["amsgrad"] = True
        optimizer.load_state_dict(optimizer.state_dict())

    def test_options_may_be_switched_on_later(self):
        """By hand, or by a saved group: the state that the rule needs now starts when it is needed."""
        p, q = leaf([1.0]), leaf([1.0])
        late, loaded = SGD([p], lr=0.1), SGD([q])
        late.param_groups[0]["momentum"] = 0.9
        loaded.load_state_dict(SGD([leaf([1.0])], lr=0.1, momentum=0.9).state_dict())
        for optimizer, parameter in ((late, p), (loaded, q)):
            walk(optimizer, [parameter], np.ones_like, 2)
            np.testing.assert_allclose(parameter.data, 1 - 0.1 - 0.19)


class TestRefusals:
    @pytest.mark.parametrize(
        ("rule", "options", "message"),
        [
            (SGD, {"lr": -0.1}, "SGD: lr must be a finite rate, 0 or more, got -0.1"),
            (SGD, {"lr": math.nan}, "lr must be"),
            (SGD, {"lr": "fast"}, "lr must be .* got 'fast'"),
            (SGD, {"momentum": -1}, "momentum must be 0 or more"),
            (SGD, {"nesterov": True}, "nesterov needs momentum above 0"),
            (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening=0.1"),
            (Adam, {"betas": (0.9, 1.0)}, r"betas must be two numbers in \[0, 1\)"),
            (Adam, {"betas": (-0.1, 0.9)}, "betas"),
            (Adam, {"betas": 0.9}, "betas"),
            (Adam, {"eps": -1e-8}, "eps must be 0 or more"),
            (AdamW, {"weight_decay": -0.1}, "weight_decay"),
            (RMSProp, {"alpha": 1.0}, r"alpha must be in \[0, 1\)"),
            (AdaGrad, {"lr_decay": -1}, "lr_decay"),
        ],
    )
    def test_hyper_parameters(self, rule, options, message):
        with pytest.raises(OptionError, match=message):
            rule([leaf(1.0)], **options)

    def test_parameters(self):
        p = leaf([1.0, 2.0])
        for params, message in [
            ([], "no parameters"),
            (iter([]), "already used up"),
            ([p, p], r"parameter \[1\] of group 0, shape \(2,\), is given twice"),
            ({"a": p, "b": p}, r"parameter \['b'\]"),
            ([mg.tensor(1.0)], "does not require a gradient"),
            ([p * 1], "was computed, or is the input"),
            ([np.zeros(3)], "ndarray"),
            ([{"params": p, "learning_rate": 0.1}], "unknown option 'learning_rate'"),
            ([{"params": p, "lr": -1.0}], "lr must be"),
            ([{"params": p}, {"params": p}], r"of group 1.*is given twice"),
            ([{"params": p}, leaf(1.0)], "group 1 must be a dict with the key 'params'.*got Tensor"),
        ]:
            with pytest.raises(OptionError, match=message):
                SGD(params)

    def test_gradients(self):
        p, q = leaf([1.0, 2.0]), leaf(1.0)
        optimizer = Adam({"w": p, "b": q}, lr=0.1)
        p.grad, q.grad = np.array([1.0, np.nan]), 1.0
        with pytest.raises(NonFiniteError, match=r"parameter \['w'\] of group 0, shape \(2,\), has 1 entries"):
            optimizer.step()
        assert q.item() == 1.0, "nothing moves when one gradient is bad"
        p.node[GRAD] = np.ones(3)
        with pytest.raises(ShapeError, match=r"\(2,\), its gradient \(3,\)"):
            optimizer.step()
        p.node[GRAD] = np.ones(2, np.float32)
        with pytest.raises(DtypeError, match="float32"):
            optimizer.step()
        p.grad = np.array([np.inf, -np.inf])
        with pytest.raises(NonFiniteError, match="has 2 entries"):
            optimizer.step()
        p.grad = np.full(2, 1e308)  # finite, though neither its sum nor its square is
        SGD([p], lr=0.0).step()


@pytest.mark.parametrize(
    "make",
    [
        lambda ps: mg.optim.SGD(ps, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda ps: mg.optim.AdaGrad(ps, lr=0.1, initial_accumulator_value=0.5),
        lambda ps: mg.optim.RMSProp(ps, lr=0.01, centered=True),
        lambda ps: mg.optim.AdamW(ps, lr=0.05),
    ],
    ids=["SGD", "AdaGrad", "RMSProp", "AdamW"],
)
@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_complex_parameter_moves_as_its_two_parts_would(make, shape):
    """And a real function of it falls, holomorphic or not on the way."""
    rng = np.random.default_rng(0)
    start = np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))
    z = mg.tensor(start, requires_grad=True)
    x, y = (mg.tensor(part.copy(), requires_grad=True) for part in (start.real, start.imag))
    together, apart = make([z]), make([x, y])
    losses = []
    for _ in range(30):
        together.zero_grad()
        loss = np.sum(np.abs(np.sin(z) - 0.5) ** 2 + np.real(z * np.conj(z)) / 4)
        loss.backward()
        assert np.all(mg.optim.explain.explain_step(together).parameters[0].delta != 0)
        together.step()
        apart.zero_grad()
        w = x + 1j * y
        np.sum(np.abs(np.sin(w) - 0.5) ** 2 + np.real(w * np.conj(w)) / 4).backward()
        apart.step()
        losses.append(loss.item())
    np.testing.assert_allclose(z.data, x.data + 1j * y.data, rtol=1e-12)
    assert losses[-1] < losses[0]


def test_without_memory_adam_follows_the_last_gradient():
    """Also a small one after a large one, in single precision."""
    p = mg.tensor(np.float32(0), requires_grad=True)
    optimizer = Adam([p], lr=1.0, betas=(0.0, 0.0))
    for g in (1e4, 1e-4):
        p.grad = np.float32(g)
        optimizer.step()
    assert p.item() == pytest.approx(-2, rel=1e-3)


def test_state_may_have_been_text():
    """Lists instead of arrays, as after a file of JSON."""
    p = leaf([1.0, 2.0])
    optimizer = Adam([p])
    walk(optimizer, [p], np.ones_like, 1)
    state = json.loads(json.dumps(optimizer.state_dict(), default=lambda array: array.tolist()))
    state["state"] = {int(k): saved for k, saved in state["state"].items()}
    other = Adam([leaf([1.0, 2.0])])
    other.load_state_dict(state)
    np.testing.assert_array_equal(
        other.state_dict()["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"]
    )
