"""-v^(-2) * -exp(-z), with v = 1 + exp(-z), is s (1 - s)."""

import numpy as np


def sigmoid_slope(z):
    s = 1 / (1 + np.exp(-z))
    return s * (1 - s)
