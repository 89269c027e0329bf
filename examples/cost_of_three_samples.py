"""What a cost is, and what its derivative does to a slope.

Three samples and the line y = m x. Each error is the side of a square; the cost is the average area of the squares.
The derivative of the cost says which way to turn the line: where it is negative, a larger m costs less.
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


derivative = mg.grad(cost)  # by hand: -2 mean(x (y - m x))

rate = 0.02
walk = [0.6]
print("    m   areas of the squares     cost   d cost / d m")
for _step in range(8):
    m = walk[-1]
    areas = "  ".join(f"{area:5.2f}" for area in (y - m * x) ** 2)
    print(f"{m:.3f}   {areas}   {cost(m):8.4f}   {derivative(m):12.4f}")
    walk.append(m - rate * derivative(m))
print(f"m = {walk[-1]:.3f} was found; the best slope by algebra, sum(x y) / sum(x x), is {x @ y / (x @ x):.3f}")

plt.style.use("tableau-colorblind10")
fig, (before, after, curve) = plt.subplots(1, 3, figsize=(13, 4.5), layout="constrained")
for panel, m in ((before, walk[0]), (after, walk[-1])):
    panel.plot([0, 6], [0, 6 * m], label=f"y = {m:.2f} x")
    panel.plot(x, y, "ko", label="samples")
    for xi, error in zip(x, y - m * x, strict=True):
        panel.add_patch(plt.Rectangle((xi, m * xi), abs(error), error, color="C1", alpha=0.4))
    panel.set(xlim=(0, 8.5), ylim=(0, 8.5), aspect="equal", xlabel="x", ylabel="y", title=f"mean area {cost(m):.2f}")
    panel.legend(loc="upper left")
grid = np.linspace(0.4, 1.9, 100)
curve.plot(grid, [cost(m) for m in grid], label="cost")
for m in walk[:3]:
    ends = m + np.array([-0.09, 0.09])
    (tangent,) = curve.plot(ends, cost(m) + derivative(m) * (ends - m), "C1", lw=3)
tangent.set_label("tangent: its slope is the derivative")
curve.plot(walk, [cost(m) for m in walk], "k.", ms=10, label="the steps taken")
curve.set(xlabel="slope m of the line", ylabel="cost: mean area of the squares", title="downhill, step by step")
curve.legend()
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "cost_of_three_samples.png"
fig.savefig(picture)
print(f"picture: {picture}")
