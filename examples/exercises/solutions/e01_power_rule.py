"""(x + h)^n - x^n = n x^(n-1) h + ..., divided by h; the rest goes to zero with h."""


def df_dx(x, n):
    return n * x ** (n - 1)
