"""Exercise 8: the sigmoid.

sigmoid(z) = 1 / (1 + exp(-z)) squeezes any number into (0, 1). What is its derivative?

Write it in the last function, in place of the three dots, then run: microgd check e08_sigmoid.py
"""

import numpy as np

from microgd.check import exercise


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def points(rng):
    return rng.uniform(-4, 4)


@exercise(
    of=sigmoid,
    inputs=points,
    hints=[
        "Write it as v^(-1) with v = 1 + exp(-z), and use the power rule and the chain rule.",
        "The inner derivative of exp(-z) is -exp(-z). Two minus signs meet.",
        "With s = sigmoid(z) the answer needs no new exponential: exp(-z) / (1 + exp(-z)) is 1 - s.",
    ],
)
def sigmoid_slope(z):
    return ...
