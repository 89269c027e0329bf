"""d(e^2)/dw = 2 e de/dw, with the error e = w x + b - y, de/dw = x and de/db = 1; then the mean over the samples."""

import numpy as np


def cost_gradient(w, b, x, y):
    error = w * x + b - y
    dw = np.mean(2 * error * x)
    db = np.mean(2 * error)
    return dw, db
