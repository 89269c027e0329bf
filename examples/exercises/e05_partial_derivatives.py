"""Exercise 5: partial derivatives.

f(x, y) = x^2 y + 3 x y^3. What are df/dx and df/dy?

Write them in the last function, in place of the three dots, then run: microgd check e05_partial_derivatives.py
"""

from microgd.check import exercise


def f(x, y):
    return x**2 * y + 3 * x * y**3


def points(rng):
    return rng.uniform(0.5, 2), rng.uniform(0.5, 2)


@exercise(
    of=f,
    inputs=points,
    argnums=(0, 1),
    hints=[
        "For df/dx, treat y as if it were a number such as 7: it stays where it is.",
        "Each of the two terms contains both x and y, so each gives a term to both derivatives.",
    ],
)
def partial_derivatives(x, y):
    df_dx = ...
    df_dy = ...
    return df_dx, df_dy
