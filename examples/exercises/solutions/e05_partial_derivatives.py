"""With the other variable held still, each derivative is the power rule, term by term."""


def partial_derivatives(x, y):
    df_dx = 2 * x * y + 3 * y**3
    df_dy = x**2 + 9 * x * y**2
    return df_dx, df_dy
