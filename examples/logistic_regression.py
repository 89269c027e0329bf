"""Logistic regression on scikit-learn's breast-cancer data, and why a metric is not a loss.

The log loss falls smoothly and has a gradient everywhere: it is what descent can follow. Accuracy is what people
want to know, but it moves in jumps; its derivative is zero almost everywhere and shows no way down.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import microgd as mg

X, y = load_breast_cancer(return_X_y=True)  # 30 measurements of 569 tumours; 1 is benign
order = np.random.default_rng(0).permutation(len(y))
train, test = order[:400], order[400:]
X = (X - X[train].mean(axis=0)) / X[train].std(axis=0)  # in units of the training data alone
y = y.astype(float)


def log_loss(rows):
    return mg.nn.functional.binary_cross_entropy_with_logits(X[rows] @ w + b, y[rows])


def accuracy(rows):
    return np.mean((X[rows] @ w.data + b.data > 0) == y[rows])


w = mg.tensor(np.zeros(30), requires_grad=True)
b = mg.tensor(0.0, requires_grad=True)
optimizer = mg.optim.SGD([w, b], lr=0.1)
history = []
for epoch in range(201):
    optimizer.zero_grad()
    loss = log_loss(train)
    loss.backward()
    history.append((loss.item(), log_loss(test).item(), accuracy(train), accuracy(test)))
    if epoch % 40 == 0:
        print("epoch {:3d}   log loss {:.4f}, new {:.4f}   accuracy {:.3f}, new {:.3f}".format(epoch, *history[-1]))
    optimizer.step()

print(f"as learned:            log loss {log_loss(test).item():.4f}   accuracy {accuracy(test):.3f}")
w.data, b.data = w.data * 10, b.data * 10
print(f"ten times as certain:  log loss {log_loss(test).item():.4f}   accuracy {accuracy(test):.3f}")

plt.style.use("tableau-colorblind10")
fig, panels = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for panel, (learned, new) in zip(panels, np.transpose(history).reshape(2, 2, -1), strict=True):
    panel.plot(learned, label="400 tumours to learn from")
    panel.plot(new, "--", label="169 new ones")
    panel.set(xlabel="epoch")
panels[0].set(ylabel="log loss", title="the loss is smooth")
panels[0].legend()
panels[1].set(ylabel="accuracy", title="the metric jumps", ylim=(0.9, 1))
picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "logistic_regression.png"
fig.savefig(picture)
print(f"picture: {picture}")
