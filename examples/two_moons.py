"""A network of two layers bends a line until it fits between two moons.

One layer can only draw a straight border. Sixteen tanh neurons in front of it draw sixteen soft lines, and the
second layer adds them up to a curved one. Its gradient comes from the chain rule, which nobody had to write.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import microgd as mg

X, y = make_moons(400, noise=0.2, random_state=0)
y = y.astype(float)
train, test = slice(0, 200), slice(200, 400)

rng = np.random.default_rng(0)
W1 = mg.tensor(rng.normal(size=(2, 16)), requires_grad=True)
b1 = mg.tensor(np.zeros(16), requires_grad=True)
W2 = mg.tensor(rng.normal(size=16) / 4, requires_grad=True)
b2 = mg.tensor(0.0, requires_grad=True)


def network(X):
    """The logit of each point: positive where the network says 1."""
    return np.tanh(X @ W1 + b1) @ W2 + b2


def accuracy(rows):
    return np.mean((network(X[rows]).data > 0) == y[rows])


optimizer = mg.optim.Adam([W1, b1, W2, b2], lr=0.03)
for epoch in range(301):
    optimizer.zero_grad()
    loss = mg.nn.functional.binary_cross_entropy_with_logits(network(X[train]), y[train])
    loss.backward()
    if epoch % 50 == 0:
        print(f"epoch {epoch:3d}  log loss {loss.item():.4f}  accuracy {accuracy(train):.3f}, new {accuracy(test):.3f}")
    optimizer.step()

plt.style.use("tableau-colorblind10")
fig, panel = plt.subplots(figsize=(7, 5), layout="constrained")
gx, gy = np.meshgrid(np.linspace(-1.8, 2.8, 200), np.linspace(-1.4, 1.9, 200))
with mg.no_grad():
    p = mg.sigmoid(network(np.stack([gx, gy], axis=-1))).data
shades = panel.contourf(gx, gy, p, levels=10, cmap="RdYlBu_r", vmin=-1, vmax=2)
fig.colorbar(shades, label="probability of 1")
panel.contour(gx, gy, p, levels=[0.5], colors="k")
for label, marker in ((0, "s"), (1, "o")):
    panel.plot(*X[train][y[train] == label].T, marker, ms=5, mec="k", mew=0.5, label=f"class {label}")
panel.set(xlabel="first coordinate", ylabel="second coordinate", title="black: the network's border, p = 1/2")
panel.legend()
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "two_moons.png"
fig.savefig(picture)
print(f"picture: {picture}")
