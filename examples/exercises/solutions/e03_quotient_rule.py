"""(u / v)' = (u' v - u v') / v^2, with u = sin(x) and v = x^2 + 1."""

import numpy as np


def df_dx(x):
    u, v = np.sin(x), x**2 + 1
    return (np.cos(x) * v - u * 2 * x) / v**2
