"""Exercise 3: the quotient rule.

f(x) = sin(x) / (x^2 + 1). What is df/dx?

Write it in the last function, in place of the three dots, then run: microgd check e03_quotient_rule.py
"""

import numpy as np

from microgd.check import exercise


def f(x):
    return np.sin(x) / (x**2 + 1)


def points(rng):
    return rng.uniform(-3, 3)


@exercise(
    of=f,
    inputs=points,
    hints=[
        "Call the numerator u and the denominator v, and write down u' and v' first.",
        "(u / v)' = (u' v - u v') / v^2. The order of the two products matters: their difference changes sign.",
    ],
)
def df_dx(x):
    return ...
