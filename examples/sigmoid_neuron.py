"""One sigmoid neuron with two samples to learn: descent seen from above.

The neuron answers f(x) = 1 / (1 + exp(-(w x + b))). Two parameters make the error a landscape, and descent a walk in
it: fast down the slopes, slow on the plateaus, where the sigmoid is almost flat and its derivative almost zero.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import microgd as mg

samples = [(0.5, 0.2), (2.5, 0.9)]


def neuron(w, b, x):
    return mg.sigmoid(w * x + b)


def error(w, b):
    """Half the sum of squared errors: of numbers, of tensors, or of a whole grid of w and b at once."""
    return sum((neuron(w, b, x) - y) ** 2 for x, y in samples) / 2


slopes = mg.grad(error, argnums=(0, 1))
rate = 1.0
w, b = -2.0, -2.0
walk = [(w, b, error(w, b))]
for _epoch in range(1000):
    dw, db = slopes(w, b)
    w, b = w - rate * dw, b - rate * db  # both from the same point
    walk.append((w, b, error(w, b)))
for epoch in (0, 10, 100, 300, 1000):
    print("epoch {:4d}   w = {:7.4f}   b = {:7.4f}   error = {:.6f}".format(epoch, *walk[epoch]))
for x, y in samples:
    print(f"at x = {x} the neuron now answers {neuron(w, b, x):.4f} where {y} is wanted")

plt.style.use("tableau-colorblind10")
ws, bs, errors = np.array(walk).T
W, B = np.meshgrid(np.linspace(-6, 6, 121), np.linspace(-6, 6, 121))
E = error(W, B)
fig = plt.figure(figsize=(12, 5), layout="constrained")
surface = fig.add_subplot(1, 2, 1, projection="3d", computed_zorder=False)
surface.plot_surface(W, B, E, cmap="cividis", alpha=0.8)
surface.plot(ws, bs, errors + 0.005, color="C1", lw=3)
surface.set(xlabel="w", ylabel="b", zlabel="error", title="the error surface")
above = fig.add_subplot(1, 2, 2)
levels = above.contourf(W, B, E, levels=20, cmap="cividis")
fig.colorbar(levels, label="error")
above.plot(ws, bs, color="C1", lw=3, label="1000 epochs at rate 1")
above.plot(ws[::100], bs[::100], "wo", label="every 100 epochs")
above.set(xlabel="w", ylabel="b", title="the same from above")
above.legend()
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "sigmoid_neuron.png"
fig.savefig(picture)
print(f"picture: {picture}")
