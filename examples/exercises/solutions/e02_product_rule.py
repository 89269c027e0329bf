"""(u v)' = u' v + u v', with u = x^2 and v = sin(x)."""

import numpy as np


def df_dx(x):
    return 2 * x * np.sin(x) + x**2 * np.cos(x)
