"""df/dx = df/du * du/dx, with u = 3 x^2 and f = sin(u)."""

import numpy as np


def df_dx(x):
    return np.cos(3 * x**2) * 6 * x
