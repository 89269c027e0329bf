"""The chain rule, layer by layer, from the loss back to the first weights."""

import numpy as np


def loss_gradient(W1, b1, w2, b2, X, y):
    H = np.tanh(X @ W1 + b1)
    d_out = (H @ w2 + b2 - y) / len(y)
    dw2 = H.T @ d_out
    db2 = np.sum(d_out)
    d_A = d_out[:, None] * w2 * (1 - H**2)
    dW1 = X.T @ d_A
    db1 = np.sum(d_A, axis=0)
    return dW1, db1, dw2, db2
