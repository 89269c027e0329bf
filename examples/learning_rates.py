"""Learning rates: too small, good, too large, and why.

The cost of a line y = m x is a parabola, so its second derivative, the curvature c, is the same everywhere. A step of
rate r multiplies the distance from the best slope by 1 - r c: a small rate shrinks it slowly, r = 1/c ends it at once,
from there to 2/c it swings from side to side, and beyond 2/c every step leads further away.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import microgd as mg

x = np.array([1.0, 3.0, 5.0])
y = np.array([2.0, 3.0, 6.0])


def cost(m):
    return np.mean((y - m * x) ** 2)


derivative = mg.grad(cost)
curvature = mg.grad(derivative)(0.0)  # by hand: 2 mean(x^2)
print(f"curvature {curvature:.4f}: the best rate is {1 / curvature:.4f}, the limit {2 / curvature:.4f}")

start, steps = 0.6, 6
walks = {}
for share in (0.1, 0.5, 1.0, 1.8, 2.0, 2.1):
    rate = share / curvature
    walk = [start]
    for _step in range(steps):
        walk.append(walk[-1] - rate * derivative(walk[-1]))
    walks[share] = np.array(walk)
    print(f"rate {rate:.4f}   m: " + "  ".join(f"{m:6.3f}" for m in walk) + f"   cost {cost(walk[-1]):.4f}")

plt.style.use("tableau-colorblind10")
fig, panels = plt.subplots(2, 3, figsize=(12, 7), sharex=True, sharey=True, layout="constrained")
grid = np.linspace(0.1, 2.25, 100)
words = ("too small", "small", "just right", "it swings, and arrives", "it swings for ever", "it leads away")
for panel, (share, walk), word in zip(panels.flat, walks.items(), words, strict=True):
    panel.plot(grid, [cost(m) for m in grid], color="0.7")
    panel.plot(walk, [cost(m) for m in walk], ".-", ms=9, label=f"{steps} steps")
    panel.plot(start, cost(start), "C1o", ms=8, label="start")
    panel.set(title=f"{share:g} / curvature: {word}", xlabel="slope m", ylabel="cost")
panels[0, 0].legend()
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "learning_rates.png"
fig.savefig(picture)
print(f"picture: {picture}")
