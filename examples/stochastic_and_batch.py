"""How many samples to look at before each step: one, some, or all.

For the line f = w x + b and half the squared error, one sample's gradient is its error times its input, (f - y) x. A
batch takes the mean of that over its samples. Small batches take many rough steps, large ones few smooth steps.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import microgd as mg

rng = np.random.default_rng(0)
x = rng.uniform(-1, 3, 64)
y = 2 * x - 1 + rng.normal(scale=0.8, size=64)


def cost(w, b, x, y):
    return np.mean((w * x + b - y) ** 2) / 2


gradient = mg.grad(cost, argnums=(0, 1))
w, b = -1.0, 2.0
error = w * x + b - y
print(f"error x input, sample 0: {error[0] * x[0]:8.4f}   the derivative by w: {gradient(w, b, x[:1], y[:1])[0]:8.4f}")
print(f"its mean over 64 samples: {np.mean(error * x):7.4f}   the derivative by w: {gradient(w, b, x, y)[0]:8.4f}")

rate, epochs = 0.1, 20
walks = {}
print("batch   steps       w        b     cost")
for size in (1, 8, 64):
    w, b = -1.0, 2.0
    walk = [(w, b)]
    for _epoch in range(epochs):
        for batch in np.split(rng.permutation(64), 64 // size):
            dw, db = gradient(w, b, x[batch], y[batch])
            w, b = w - rate * dw, b - rate * db
            walk.append((w, b))
    walks[size] = np.array(walk)
    print(f"{size:5d}   {len(walk) - 1:5d}   {w:7.4f}  {b:7.4f}   {cost(w, b, x, y):.4f}")
best = np.polyfit(x, y, 1)
print(f"least squares   {best[0]:7.4f}  {best[1]:7.4f}   {cost(*best, x, y):.4f}")

plt.style.use("tableau-colorblind10")
fig, panels = plt.subplots(1, 3, figsize=(13, 4.6), sharex=True, sharey=True, layout="constrained")
W, B = np.meshgrid(np.linspace(-1.5, 3.5, 60), np.linspace(-2, 3, 60))
costs = np.vectorize(lambda w, b: cost(w, b, x, y))(W, B)
for panel, (size, walk) in zip(panels, walks.items(), strict=True):
    panel.contour(W, B, costs, levels=np.geomspace(costs.min(), costs.max(), 12), colors="0.75")
    panel.plot(*walk.T, ".-", lw=1, ms=4, label="the walk")
    panel.plot(*best, "k*", ms=12, label="least squares")
    panel.set(xlabel="w", ylabel="b", title=f"batch of {size}: {len(walk) - 1} steps in {epochs} epochs")
panels[0].legend()
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "stochastic_and_batch.png"
fig.savefig(picture)
print(f"picture: {picture}")
