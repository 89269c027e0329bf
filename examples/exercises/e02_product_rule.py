"""Exercise 2: the product rule.

f(x) = x^2 sin(x). What is df/dx?

Write it in the last function, in place of the three dots, then run: microgd check e02_product_rule.py
"""

import numpy as np

from microgd.check import exercise


def f(x):
    return x**2 * np.sin(x)


def points(rng):
    return rng.uniform(-3, 3)


@exercise(
    of=f,
    inputs=points,
    hints=[
        "It is not the product of the two derivatives. If both sides of a rectangle grow, which strips are new?",
        "(u v)' = u' v + u v', with u = x^2 and v = sin(x).",
    ],
)
def df_dx(x):
    return ...
