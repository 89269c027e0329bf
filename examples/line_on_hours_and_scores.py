"""A line through hours studied and scores, found by gradient descent.

The hours are standardised first (mean 0, spread 1), so that one learning rate suits both parameters. At the end the
line is written in the data's own units again, beside the answer that algebra gives at once.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import microgd as mg
from microgd.data import BUNDLED, read_csv

hours, scores = read_csv(BUNDLED).values.T  # 100 students, made from a seed
center, spread = hours.mean(), hours.std()
x = (hours - center) / spread


def in_points_per_hour():
    """The line m x + b, as slope and intercept over the hours themselves."""
    return m.item() / spread, b.item() - m.item() * center / spread


m = mg.tensor(0.0, requires_grad=True)
b = mg.tensor(0.0, requires_grad=True)
optimizer = mg.optim.SGD([m, b], lr=0.1)
losses, lines = [], []
for epoch in range(61):
    optimizer.zero_grad()
    loss = mg.nn.functional.mse_loss(m * x + b, scores)
    loss.backward()
    losses.append(loss.item())
    lines.append(in_points_per_hour())
    if epoch % 10 == 0:
        print("epoch {:2d}   loss {:9.4f}   score = {:7.4f} x hours + {:7.4f}".format(epoch, loss.item(), *lines[-1]))
    optimizer.step()
print("least squares by algebra:  score = {:7.4f} x hours + {:7.4f}".format(*np.polyfit(hours, scores, 1)))

plt.style.use("tableau-colorblind10")
fig, (data, curve) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
data.plot(hours, scores, "k.", alpha=0.5)
ends = np.array([0, hours.max()])
for epoch in (0, 2, 5, 10, 60):
    slope, intercept = lines[epoch]
    data.plot(ends, slope * ends + intercept, color=plt.cm.cividis_r(epoch**0.5 / 8), label=f"epoch {epoch}")
data.set(xlabel="hours studied", ylabel="score", title="the line as it moves")
data.legend()
curve.plot(losses)
curve.set(xlabel="epoch", ylabel="mean squared error", yscale="log", title="the learning curve")
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "line_on_hours_and_scores.png"
fig.savefig(picture)
print(f"picture: {picture}")
