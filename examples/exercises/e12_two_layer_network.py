"""Exercise 12: a network of two layers, by hand.

X of shape (m, n) goes through h hidden units with tanh, and on to one answer for each of the m samples:

    H = tanh(X W1 + b1)        out = H w2 + b2        loss = 1/(2m) sum_i (out_i - y_i)^2

W1 has shape (n, h), b1 (h,), w2 (h,), and b2 is a number. What are the four derivatives of the loss? Walk backwards,
and give each one the shape of what it belongs to.

Write them in the last function, in place of the three dots, then run: microgd check e12_two_layer_network.py
"""

import numpy as np

from microgd.check import exercise


def loss(W1, b1, w2, b2, X, y):
    H = np.tanh(X @ W1 + b1)
    out = H @ w2 + b2
    return np.sum((out - y) ** 2) / (2 * len(y))


def points(rng):
    m, n, h = rng.choice([5, 7]), 3, 4
    parameters = rng.normal(size=(n, h)), rng.normal(size=h), rng.normal(size=h), rng.normal()
    return *parameters, rng.normal(size=(m, n)), rng.normal(size=m)


@exercise(
    of=loss,
    inputs=points,
    argnums=(0, 1, 2, 3),
    hints=[
        "At the end: d_out = (out - y) / m, of shape (m,). The second layer is the line of exercise 7, with H for X.",
        "Through the second layer: d_H = d_out[:, None] * w2, of shape (m, h).",
        "Through tanh: d_A = d_H * (1 - H^2), because tanh' = 1 - tanh^2.",
        "The first layer: dW1 = X.T @ d_A. The bias was added to every row, so db1 sums over the rows: axis=0.",
    ],
)
def loss_gradient(W1, b1, w2, b2, X, y):
    dW1 = ...
    db1 = ...
    dw2 = ...
    db2 = ...
    return dW1, db1, dw2, db2
