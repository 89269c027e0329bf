"""Exercise 4: the chain rule.

f(x) = sin(3 x^2). What is df/dx?

Write it in the last function, in place of the three dots, then run: microgd check e04_chain_rule.py
"""

import numpy as np

from microgd.check import exercise


def f(x):
    return np.sin(3 * x**2)


def points(rng):
    return rng.uniform(-2, 2)


@exercise(
    of=f,
    inputs=points,
    hints=[
        "Name the inner function: u = 3 x^2. If x moves a little, how far does u move? And if u moves, how far does f?",
        "df/dx = df/du * du/dx: the outer derivative, taken at u, times the inner derivative.",
    ],
)
def df_dx(x):
    return ...
