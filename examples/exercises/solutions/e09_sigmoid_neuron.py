"""For one sample: (f - y) from the square, f (1 - f) from the sigmoid, x or 1 from the line. Then the sum."""

import numpy as np


def error_gradient(w, b, x, y):
    f = 1 / (1 + np.exp(-(w * x + b)))
    dz = (f - y) * f * (1 - f)
    dw = np.sum(dz * x)
    db = np.sum(dz)
    return dw, db
