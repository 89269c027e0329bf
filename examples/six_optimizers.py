"""Six optimizers on one loss surface with two valleys, and the paths they take.

All start above the shallow valley. SGD, AdaGrad and RMSProp have no velocity and stop in it; Momentum, Nesterov and
Adam have one and roll through to the deep valley. The rates were chosen to show this, and rank nothing: at rate 0.1
Adam stops in the shallow valley too.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import microgd as mg


def loss(x, y):
    shallow = 0.7 * np.exp(-3 * ((x + 1) ** 2 + (y - 0.5) ** 2))
    deep = 1.5 * np.exp(-3 * ((x - 1) ** 2 + (y + 0.5) ** 2))
    return 0.3 * (x**2 + y**2) - shallow - deep


def walk(make_optimizer, steps=150):
    x, y = mg.tensor(-2.0, requires_grad=True), mg.tensor(1.5, requires_grad=True)
    optimizer = make_optimizer([x, y])
    path = [(x.item(), y.item())]
    for _step in range(steps):
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()
        path.append((x.item(), y.item()))
    return np.array(path)


optimizers = {
    "SGD": lambda parameters: mg.optim.SGD(parameters, lr=0.05),
    "AdaGrad": lambda parameters: mg.optim.AdaGrad(parameters, lr=0.3),
    "RMSProp": lambda parameters: mg.optim.RMSProp(parameters, lr=0.05),
    "Momentum": lambda parameters: mg.optim.Momentum(parameters, lr=0.05),
    "Nesterov": lambda parameters: mg.optim.Nesterov(parameters, lr=0.05),
    "Adam": lambda parameters: mg.optim.Adam(parameters, lr=0.2),
}
plt.style.use("tableau-colorblind10")
fig, panels = plt.subplots(2, 3, figsize=(12, 7.5), sharex=True, sharey=True, layout="constrained")
X, Y = np.meshgrid(np.linspace(-2.3, 2, 120), np.linspace(-1.8, 1.8, 120))
print("rule            x        y     loss")
for panel, (name, make_optimizer) in zip(panels.flat, optimizers.items(), strict=True):
    path = walk(make_optimizer)
    print("{:8s}   {:7.4f}  {:7.4f}  {:7.4f}".format(name, *path[-1], loss(*path[-1])))
    panel.contour(X, Y, loss(X, Y), levels=np.linspace(-1.2, 2, 33), colors="0.7", linestyles="-", linewidths=1)
    panel.plot(*path.T, ".-", lw=1.5, ms=4)
    panel.plot(*path[-1], "C1*", ms=14, mec="k")
    panel.set(
        title=f"{name}: loss {loss(*path[-1]):.2f} after {len(path) - 1} steps", xlabel="x", ylabel="y", aspect="equal"
    )
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "six_optimizers.png"
fig.savefig(picture)
print(f"picture: {picture}")
