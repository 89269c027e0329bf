"""Exercise 9: a sigmoid neuron with a squared error.

The neuron answers f_i = sigmoid(w x_i + b), and the answers wanted are y_i:

    error(w, b) = 1/2 sum_i (f_i - y_i)^2

What are d error / dw and d error / db? The chain now has three links: square, sigmoid, line.

Write them in the last function, in place of the three dots, then run: microgd check e09_sigmoid_neuron.py
"""

import numpy as np

from microgd.check import exercise


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def error(w, b, x, y):
    f = sigmoid(w * x + b)
    return np.sum((f - y) ** 2) / 2


def points(rng):
    m = rng.choice([5, 7])
    return rng.normal(), rng.normal(), rng.normal(size=m), rng.uniform(size=m)


@exercise(
    of=error,
    inputs=points,
    argnums=(0, 1),
    hints=[
        "One sample: d error / df, then df/dz, then dz/dw. Multiply the three.",
        "df/dz is the slope of the sigmoid, f (1 - f): it is the link that is forgotten most often.",
        "The error is a sum over the samples, so its derivative is the sum of theirs: np.sum.",
    ],
)
def error_gradient(w, b, x, y):
    dw = ...
    db = ...
    return dw, db
