"""Exercise 1: the power rule.

f(x) = x^n, in Python x**n, for any number n. What is df/dx?

Write it in the last function, in place of the three dots, then run: microgd check e01_power_rule.py
"""

from microgd.check import exercise


def f(x, n):
    return x**n


def points(rng):
    return rng.uniform(0.5, 2), rng.integers(2, 6) + 0.5


@exercise(
    of=f,
    inputs=points,
    hints=[
        "(x + h)^n = x^n + n x^(n-1) h + terms with h^2 and higher. Which of them is left after dividing by h?",
        "The exponent comes down as a factor, and the new exponent is one less.",
    ],
)
def df_dx(x, n):
    return ...
