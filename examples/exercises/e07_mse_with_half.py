"""Exercise 7: mean squared error with 1/2m, for several features.

Row i of X, of shape (m, n), holds the n features of sample i; w holds n weights:

    cost(w, b) = 1/(2m) sum_i (X_i . w + b - y_i)^2

What are d cost / dw, n numbers, and d cost / db? Many courses write the cost with this half; find out why.

Write them in the last function, in place of the three dots, then run: microgd check e07_mse_with_half.py
"""

import numpy as np

from microgd.check import exercise


def cost(w, b, X, y):
    m = len(y)
    return np.sum((X @ w + b - y) ** 2) / (2 * m)


def points(rng):
    m, n = rng.choice([5, 7]), 3
    return rng.normal(size=n), rng.normal(), rng.normal(size=(m, n)), rng.normal(size=m)


@exercise(
    of=cost,
    inputs=points,
    argnums=(0, 1),
    hints=[
        "The half meets the 2 that comes down from the square.",
        "For weight j: d cost / dw_j = 1/m sum_i error_i X_ij. Which axis of X is summed over?",
        "A sum over samples of error_i X_ij, for all j at once, is X.T @ error.",
    ],
)
def cost_gradient(w, b, X, y):
    dw = ...
    db = ...
    return dw, db
