"""Exercise 10: log loss, or binary cross-entropy.

Logistic regression answers with the probability p_i = sigmoid(X_i . w + b); the labels y_i are 0 or 1:

    loss(w, b) = -1/m sum_i ( y_i log(p_i) + (1 - y_i) log(1 - p_i) )

What are d loss / dw and d loss / db? The answer is much simpler than the way to it.

Write them in the last function, in place of the three dots, then run: microgd check e10_log_loss.py
"""

import numpy as np

from microgd.check import exercise


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def loss(w, b, X, y):
    p = sigmoid(X @ w + b)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def points(rng):
    m, n = rng.choice([5, 7]), 3
    return rng.normal(size=n), rng.normal(), rng.normal(size=(m, n)), rng.integers(2, size=m)


@exercise(
    of=loss,
    inputs=points,
    argnums=(0, 1),
    hints=[
        "One sample, with z = X_i . w + b: d loss / dp = -y / p + (1 - y) / (1 - p).",
        "Multiply by dp/dz = p (1 - p). Almost everything cancels.",
        "d loss / dz = p - y. Then as for a line: X.T @ (p - y) / m.",
    ],
)
def loss_gradient(w, b, X, y):
    dw = ...
    db = ...
    return dw, db
