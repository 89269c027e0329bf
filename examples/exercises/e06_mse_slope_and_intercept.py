"""Exercise 6: the slopes of a mean squared error.

A line y = w x + b is compared with m samples (x_i, y_i):

    cost(w, b) = 1/m sum_i (w x_i + b - y_i)^2

What are d cost / dw and d cost / db? Descent turns and shifts the line by these two numbers.

Write them in the last function, in place of the three dots, then run: microgd check e06_mse_slope_and_intercept.py
"""

import numpy as np

from microgd.check import exercise


def cost(w, b, x, y):
    return np.mean((w * x + b - y) ** 2)


def points(rng):
    m = rng.choice([5, 7])
    return rng.normal(), rng.normal(), rng.normal(size=m), rng.normal(size=m)


@exercise(
    of=cost,
    inputs=points,
    argnums=(0, 1),
    hints=[
        "Take one sample first. With the error e = w x + b - y its part of the cost is e^2. What is d(e^2)/de?",
        "The chain rule: d(e^2)/dw = 2 e * de/dw. What is de/dw, and what is de/db?",
        "The derivative of a mean is the mean of the derivatives: np.mean.",
    ],
)
def cost_gradient(w, b, x, y):
    dw = ...
    db = ...
    return dw, db
