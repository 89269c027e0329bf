"""The scalar engine: a tensor of a Python float costs no array, and networks written number by number train."""

from __future__ import annotations

import numpy as np
import pytest

import microgd as mg
from microgd.core.tape import EDGES, ROW

FUNCTIONS = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "x ** y": lambda x, y: x**y,
    "x ** 2": lambda x, y: x**2,
    "2 ** x": lambda x, y: 2**x,
    "1 - x": lambda x, y: 1 - x,
    "1 / x": lambda x, y: 1 / x,
    "-x": lambda x, y: -x,
    "abs": lambda x, y: abs(x),
    "exp": lambda x, y: np.exp(x),
    "log": lambda x, y: np.log(x),
    "sqrt": lambda x, y: np.sqrt(x),
    "sin": lambda x, y: np.sin(x),
    "tanh": lambda x, y: x.tanh(),
    "relu": lambda x, y: x.relu(),
    "sigmoid": lambda x, y: x.sigmoid(),
    "softplus": lambda x, y: mg.softplus(x),
    "maximum": lambda x, y: np.maximum(x, y),
    "clip": lambda x, y: np.clip(x, 0.0, 1.0),
    "where": lambda x, y: np.where(x > 1, x, y),
    "sum": lambda x, y: x.sum() * y,
    "mean": lambda x, y: np.mean(x * y),
}


def history(node: list) -> list:
    """Every node that one was made from, and itself."""
    return [node, *[before for edge in node[EDGES:] for before in history(edge[0])]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_scalar_stays_a_numpy_scalar(name):
    """The value, everything the graph saved for the way back, and the gradients."""
    x, y = mg.tensor(0.5, requires_grad=True), mg.tensor(1.5, requires_grad=True)
    assert type(x.data) is np.float64
    out = FUNCTIONS[name](x, y)
    assert type(out.data) is np.float64
    for node in history(out.node):
        saved = [value for _parent, _operand, *kept in node[EDGES:] for value in kept]
        assert not [value for value in saved if isinstance(value, np.ndarray)], f"{node[ROW].name} saved an array"
    out.backward()
    assert type(x.grad) is np.float64


def test_float32_scalars_too():
    x = mg.tensor(0.5, dtype=np.float32, requires_grad=True)
    y = (2.0 * x).tanh() ** 2
    y.backward()
    assert (type(x.data), type(y.data), type(x.grad)) == (np.float32, np.float32, np.float32)


def test_an_optimizer_leaves_scalars_scalars():
    m, b = mg.tensor(1.0, requires_grad=True), mg.tensor(2.0, requires_grad=True)
    optimizer = mg.optim.SGD([m, b], lr=0.1)
    ((3 * m + b) ** 2).backward()
    optimizer.step()
    assert (type(m.data), type(b.data), type((m * b).data)) == (np.float64, np.float64, np.float64)
    np.testing.assert_allclose([m.data, b.data], [1 - 0.1 * 30, 2 - 0.1 * 10])


# ---- a network of numbers ----------------------------------------------------------------------------------


class Neuron:
    def __init__(self, rng, inputs, activation):
        self.w = [mg.tensor(w, requires_grad=True) for w in rng.uniform(-1, 1, inputs).tolist()]
        self.b = mg.tensor(0.0, requires_grad=True)
        self.activation = activation

    def __call__(self, xs):
        z = self.b
        for w, x in zip(self.w, xs, strict=True):
            z = z + w * x
        return self.activation(z)


class Network:
    def __init__(self, rng, sizes, activation):
        kinds = [activation] * (len(sizes) - 2) + [lambda z: z]
        self.layers = [
            [Neuron(rng, inputs, kind) for _neuron in range(outputs)]
            for inputs, outputs, kind in zip(sizes, sizes[1:], kinds, strict=False)
        ]

    def __call__(self, xs):
        for layer in self.layers:
            xs = [neuron(xs) for neuron in layer]
        return xs[0]

    @property
    def parameters(self):
        return [p for layer in self.layers for neuron in layer for p in (*neuron.w, neuron.b)]


def two_rings(rng, n):
    """Points inside a disc (-1) and around it (+1): no line separates them."""
    labels = np.where(np.arange(n) < n // 2, -1.0, 1.0)
    radius = np.where(labels < 0, rng.uniform(0, 0.6, n), rng.uniform(1.0, 1.4, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), labels


def hinge_loss(network, points, labels):
    """Mean hinge loss, and a little of every parameter squared."""
    data = sum((1 - label * network(point)).relu() for point, label in zip(points, labels, strict=True)) / len(labels)
    return data + 1e-4 * sum(p * p for p in network.parameters)


@pytest.mark.parametrize("activation", [mg.Tensor.relu, mg.Tensor.tanh], ids=["relu", "tanh"])
def test_a_network_written_scalar_by_scalar_trains(activation):
    rng = np.random.default_rng(5)
    points, labels = two_rings(rng, 24)
    points, labels = points.tolist(), labels.tolist()
    network = Network(rng, (2, 8, 1), activation)
    losses = []
    for _step in range(150):
        for p in network.parameters:
            p.zero_grad()
        loss = hinge_loss(network, points, labels)
        loss.backward()
        with mg.no_grad():
            for p in network.parameters:
                p -= 0.5 * p.grad
        losses.append(loss.item())
    assert losses[0] > 0.7
    assert losses[-1] < 0.05
    assert all((network(point).item() > 0) == (label > 0) for point, label in zip(points, labels, strict=True))


def test_the_network_of_numbers_is_the_network_of_matrices():
    rng = np.random.default_rng(7)
    points, labels = two_rings(rng, 10)
    network = Network(rng, (2, 4, 3, 1), mg.Tensor.tanh)
    loss = hinge_loss(network, points.tolist(), labels.tolist())
    loss.backward()

    def array_loss(weights, biases):
        h = points
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            h = np.tanh(h @ W + b)
        scores = (h @ weights[-1] + biases[-1])[:, 0]
        squares = sum(np.sum(p**2) for p in (*weights, *biases))
        return np.mean(np.maximum(1 - labels * scores, 0)) + 1e-4 * squares

    weights = [np.array([[w.item() for w in neuron.w] for neuron in layer]).T for layer in network.layers]
    biases = [np.array([neuron.b.item() for neuron in layer]) for layer in network.layers]
    value, (dW, db) = mg.value_and_grad(array_loss, argnums=(0, 1))(weights, biases)
    np.testing.assert_allclose(loss.item(), value, rtol=1e-12)
    for layer, gW, gb in zip(network.layers, dW, db, strict=True):
        np.testing.assert_allclose([[w.grad for w in neuron.w] for neuron in layer], gW.T, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose([neuron.b.grad for neuron in layer], gb, rtol=1e-10, atol=1e-14)
