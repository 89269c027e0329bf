"""Models as trees of parameters: for transforms, optimizers, checks and pictures."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import microgd as mg
from microgd.errors import DtypeError, OptionError, ShapeError
from microgd.nn import Linear, Module, Sequential

X = np.array([[0.5, -1.0], [2.0, 0.3], [-0.7, 0.9]])
Y = np.array([[0.2], [0.9], [0.4]])


class Net(Module):
    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.body = Sequential(Linear(2, 4, rng=rng), np.tanh)
        self.heads = {"out": [Linear(4, 1, rng=rng)]}
        self.sharpness = mg.tensor(1.5, requires_grad=True)
        self.offset = np.array([0.25])  # an array is a parameter of mg.grad, but no tensor that an optimizer moves
        self.rate, self.sizes, self.labels, self.name = 0.5, np.array([2, 4, 1]), (1, 2), "net"

    def forward(self, x: Any) -> Any:
        z = self.heads["out"][0](self.body(x))
        return mg.sigmoid(self.sharpness * z) + self.rate * self.offset


def loss(net: Net) -> Any:
    return mg.nn.functional.mse_loss(net(X), Y)


PATHS = ["body.steps[0].weight", "body.steps[0].bias", "heads['out'][0].weight", "heads['out'][0].bias", "sharpness"]


def test_parameters_are_found_by_path():
    net = Net()
    assert list(net.named_parameters()) == PATHS
    assert [p.shape for p in net.parameters()] == [(4, 2), (4,), (1, 4), (1,), ()]
    assert net.named_parameters()["sharpness"] is net.sharpness


def test_a_parameter_used_twice_is_listed_once():
    layer = Linear(3, 3, rng=0)
    assert len(Sequential(layer, np.tanh, layer).parameters()) == 2


def test_linear_by_hand():
    layer = Linear(2, 1, rng=0)
    w, b = layer.weight.data, layer.bias.data
    np.testing.assert_allclose(layer(X).data, X @ w.T + b, rtol=1e-15)
    layer(X).sum().backward()
    np.testing.assert_allclose(layer.weight.grad, [X.sum(axis=0)], rtol=1e-15)
    np.testing.assert_array_equal(layer.bias.grad, [3.0])
    layer.zero_grad()
    assert layer.weight.grad is None
    assert Linear(2, 1, bias=False, rng=0)(X[0]).shape == (1,)


def test_linear_starts_as_told():
    layer = Linear(16, 200, rng=1, dtype=np.float32)
    for p in layer.parameters():
        assert p.dtype == np.float32
        assert 0.24 < np.max(np.abs(p.data)) <= 0.25
    np.testing.assert_array_equal(layer.weight.data, Linear(16, 200, rng=1, dtype=np.float32).weight.data)
    assert np.any(Linear(16, 200).weight.data != Linear(16, 200).weight.data)
    rng = np.random.default_rng(0)
    assert np.any(Linear(4, 4, rng=rng).weight.data != Linear(4, 4, rng=rng).weight.data)


def test_the_gradient_of_a_model_is_a_model():
    net = Net()
    value, gradient = mg.value_and_grad(loss)(net)
    assert type(gradient) is Net
    loss(net).backward()
    for path, p in net.named_parameters().items():
        np.testing.assert_allclose(gradient.named_parameters()[path].data, p.grad, rtol=1e-14)
    np.testing.assert_allclose(gradient.offset.data, mg.grad(lambda c: loss(with_offset(c)))(net.offset), rtol=1e-14)
    assert (gradient.name, gradient.rate, gradient.labels) == ("net", 0.5, (1, 2))
    assert net.offset[0] == 0.25  # the model itself stays as it was
    assert value.data == loss(net).data


def with_offset(offset: Any) -> Net:
    net = Net()
    net.offset = offset
    return net


def test_an_optimizer_moves_a_model():
    net = Net()
    optimizer = mg.optim.Adam(net, lr=0.05)
    history = mg.fit(net, (X, Y), mg.nn.functional.mse_loss, optimizer, epochs=400)
    assert history.losses[-1] < 1e-4 < history.losses[0]
    assert net.offset[0] == 0.25
    with pytest.raises(OptionError, match=r"steps\[0\]\.weight.* is given twice"):
        optimizer.add_param_group({"params": net.body})


def test_batches_jacobians_and_forward_mode_take_models():
    net = Net()
    rows = mg.vmap(net)(X)
    np.testing.assert_allclose(rows.data, net(X).data, rtol=1e-14)
    tangent = mg.grad(loss)(net)
    _, slope = mg.jvp(loss, (net,), (tangent,))
    squares = sum(float(np.sum(p.data**2)) for p in [*map(tangent.named_parameters().get, PATHS), tangent.offset])
    assert float(slope.data) == pytest.approx(squares, rel=1e-12)


def test_gradcheck_checks_the_parameters():
    report = mg.gradcheck(Net(), X, order=2, modes=("reverse", "forward"))
    assert list(report.errors) == [f"module.{path}" for path in [*PATHS, "offset"]] + ["x"]


def test_gradcheck_finds_a_wrong_layer_and_names_it():
    wrong = mg.primitive(lambda x: np.tanh(x), vjps=lambda g, ans: g * (1 - ans))

    class Wrong(Net):
        def __init__(self) -> None:
            super().__init__()
            self.body.steps[1] = wrong

    with pytest.raises(mg.GradientError, match=r"module\.body\.steps\[0\]"):
        mg.gradcheck(Wrong(), X)


def test_each_call_of_a_layer_collapses_into_one_box():
    net = Net()
    picture = mg.draw(net, X, collapse=True)
    texts = [picture.text(v)[0] for v in range(len(picture.graph.vertices))]
    assert sum("Linear, 3 operations" in text for text in texts) == 2
    assert "x" in texts
    with mg.record_lines():
        value = loss(net)
    picture = mg.draw(value, collapse=True)
    texts = [picture.text(v)[0] for v in range(len(picture.graph.vertices))]
    assert sum("Linear, 3 operations" in text for text in texts) == 2
    assert sum("Net, " in text for text in texts) == 1
    assert "value = loss, 3 operations" in texts


def test_a_layer_called_in_a_loop_is_a_box_for_each_call():
    cell = Linear(2, 2, rng=0)

    def unrolled(x):
        for _ in range(4):
            x = cell(x)
        return np.sum(x)

    picture = mg.draw(unrolled, X, collapse=True)
    assert sum("Linear, 3 operations" in picture.text(v)[0] for v in range(len(picture.graph.vertices))) == 4


def test_explanations_name_parameters_by_their_path():
    text = str(mg.explain(Net(), X[:1]))
    assert "self.body.steps[0].weight" in text
    assert "x = [[0.5, -1]]" in text

    alone = Sequential(Linear(2, 1, rng=0))
    assert "model.steps[0].weight" in str(mg.explain(alone, X))


def test_settings_beside_parameters_stay_settings():
    class Mixed(Module):
        def __init__(self) -> None:
            self.kind = Linear  # a class, not a layer
            self.blocks = [(Linear(2, 1, rng=0), 2)]
            self.table = {"w": mg.tensor(1.0, requires_grad=True), "rate": 0.5, "rows": np.arange(3)}
            self.drawn = [mg.tensor(2.0), np.random.default_rng(0)]

        def forward(self, x: Any) -> Any:
            layer, times = self.blocks[0]
            return np.sum(layer(x) * times) * self.table["w"] * self.table["rate"]

    model = Mixed()
    assert list(model.named_parameters()) == ["blocks[0][0].weight", "blocks[0][0].bias", "table['w']"]
    gradient = mg.grad(lambda m: m(X))(model)
    np.testing.assert_allclose(gradient.blocks[0][0].weight.data, [X.sum(axis=0)], rtol=1e-14)
    assert (gradient.blocks[0][1], gradient.table["rate"], gradient.kind) == (2, 0.5, Linear)
    assert model.table["w"].data == 1.0


def test_a_layer_in_two_places_has_two_shares():
    layer = Linear(3, 3, rng=0)
    model = Sequential(layer, np.tanh, layer)
    shares = mg.grad(lambda m: np.sum(m(np.ones((4, 3))) ** 2))(model).steps
    np.sum(model(np.ones((4, 3))) ** 2).backward()
    np.testing.assert_allclose(shares[0].weight.data + shares[2].weight.data, layer.weight.grad, rtol=1e-13)


def test_models_are_copied_and_pickled():
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.parameters()[0] is not net.parameters()[0]
        np.testing.assert_array_equal(other(X).data, net(X).data)


def test_parameters_are_saved_by_name(tmp_path):
    net, other = Net(0), Net(1)
    with pytest.raises(DtypeError, match=r"named_parameters\(\)"):
        mg.save(tmp_path / "net.npz", net)
    mg.save(tmp_path / "net.npz", net.named_parameters())
    stored = mg.load(tmp_path / "net.npz")
    for path, p in other.named_parameters().items():
        p.data = stored[path].data
    np.testing.assert_array_equal(other(X).data, net(X).data)


def test_a_model_prints_its_parts():
    assert repr(Net()) == (
        "Net(\n  body: Sequential(\n    steps: [\n      Linear(2, 4)\n      tanh\n    ]\n  )\n"
        "  heads: {'out': [Linear(4, 1)]}\n  sharpness: float64 ()\n  offset: float64 (1,)\n)"
    )


def test_bad_models_are_refused():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        Module()(X)
    with pytest.raises(OptionError, match="step 1 is a int"):
        Sequential(np.tanh, 3)
    with pytest.raises(OptionError, match="at least one step"):
        Sequential()
    with pytest.raises(OptionError, match="got 0 and 2"):
        Linear(0, 2)
    with pytest.raises(
        ShapeError, match=r"Linear\(3, 1\): expected 3 features along the last axis, got shape \(3, 2\)"
    ):
        Linear(3, 1)(X)


def test_a_layer_of_one_input():
    assert mg.nn.Linear(1, 2)(np.ones((3, 1))).shape == (3, 2)
