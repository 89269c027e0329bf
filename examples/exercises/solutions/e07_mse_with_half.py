"""The half cancels the 2 of the square, so each derivative is the mean of error times input."""

import numpy as np


def cost_gradient(w, b, X, y):
    m = len(y)
    error = X @ w + b - y
    dw = X.T @ error / m
    db = np.sum(error) / m
    return dw, db
