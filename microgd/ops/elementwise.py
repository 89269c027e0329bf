"""Elementwise functions: NumPy's ufuncs, ``where`` and ``clip``.

A rule scales ``g`` by the partial derivative. It is written with the answer where that is shorter or more
accurate (``tanh``), and with ``times`` and ``over`` where the partial derivative can be infinite.
"""

from typing import Any

import numpy as np

from microgd.core.primitive import elementwise, flat
from microgd.ops.guard import over, times

# Arithmetic.
elementwise(np.add, lambda g: g, lambda g: g)
elementwise(np.subtract, lambda g: g, lambda g: -g)
elementwise(np.multiply, lambda g, y: g * y, lambda g, x: g * x)
elementwise(np.divide, lambda g, y: over(g, y), lambda g, ans, y: -times(g, over(ans, y)))
elementwise(np.negative, lambda g: -g)
elementwise(np.positive, lambda g: g)
elementwise(np.reciprocal, lambda g, ans: -times(g, ans * ans))
elementwise(np.remainder, lambda g: g, lambda g, x, y: -g * np.floor(x / y))
elementwise(np.fmod, lambda g: g, lambda g, x, y: -g * np.trunc(x / y))


def power_base(g: Any, x: Any, y: Any) -> Any:
    """d(x ** y)/dx = y x ** (y - 1); 0 for y = 0, also at x = 0."""
    if type(y) in (int, float) and y >= 1:  # always finite
        return g * (y * x ** (y - 1))
    return times(g, times(y, x ** (y - 1)))


elementwise(np.power, power_base, lambda g, ans, x: times(g, times(ans, np.log(x))))
elementwise(np.float_power, power_base, lambda g, ans, x: times(g, times(ans, np.log(x))))
elementwise(np.square, lambda g, x: g * (2 * x))
elementwise(np.sqrt, lambda g, ans: times(g, 0.5 / ans))
elementwise(np.cbrt, lambda g, ans: times(g, 1 / (3 * ans * ans)))

# Exponentials and logarithms.
elementwise(np.exp, lambda g, ans: g * ans)
elementwise(np.exp2, lambda g, ans: g * (ans * np.log(2)))
elementwise(np.expm1, lambda g, ans: g * (ans + 1))
elementwise(np.log, lambda g, x: over(g, x))
elementwise(np.log2, lambda g, x: over(g, x * np.log(2)))
elementwise(np.log10, lambda g, x: over(g, x * np.log(10)))
elementwise(np.log1p, lambda g, x: over(g, 1 + x))


def lead(x: Any, y: Any) -> Any:
    """x - y, and 0 where both are the same infinity."""
    return np.where(x == y, 0, x - y)


elementwise(
    np.logaddexp,
    lambda g, x, y: g / (1 + np.exp(lead(y, x))),
    lambda g, x, y: g / (1 + np.exp(lead(x, y))),
)
elementwise(
    np.logaddexp2,
    lambda g, x, y: g / (1 + np.exp2(lead(y, x))),
    lambda g, x, y: g / (1 + np.exp2(lead(x, y))),
)

# Trigonometry.
elementwise(np.sin, lambda g, x: g * np.cos(x))
elementwise(np.cos, lambda g, x: g * -np.sin(x))
elementwise(np.tan, lambda g, ans: g * (1 + ans * ans))
elementwise(np.arcsin, lambda g, x: over(g, np.sqrt(1 - x * x)))
elementwise(np.arccos, lambda g, x: -over(g, np.sqrt(1 - x * x)))
elementwise(np.arctan, lambda g, x: g / (1 + x * x))
elementwise(
    np.arctan2,
    lambda g, x, y: times(g, over(y, x * x + y * y)),
    lambda g, x, y: -times(g, over(x, x * x + y * y)),
)
elementwise(np.hypot, lambda g, ans, x: times(g, over(x, ans)), lambda g, ans, y: times(g, over(y, ans)))
elementwise(np.deg2rad, lambda g: g * (np.pi / 180))
elementwise(np.radians, lambda g: g * (np.pi / 180))
elementwise(np.rad2deg, lambda g: g * (180 / np.pi))
elementwise(np.degrees, lambda g: g * (180 / np.pi))

# Hyperbolic functions.
elementwise(np.sinh, lambda g, x: g * np.cosh(x))
elementwise(np.cosh, lambda g, x: g * np.sinh(x))
elementwise(np.tanh, lambda g, ans: g * (1 - ans * ans))
elementwise(np.arcsinh, lambda g, x: g / np.sqrt(x * x + 1))
elementwise(np.arccosh, lambda g, x: over(g, np.sqrt(x - 1) * np.sqrt(x + 1)))
elementwise(np.arctanh, lambda g, x: over(g, (1 - x) * (1 + x)))

# Complex numbers. Rules are transposes without conjugates (see primitive.py); a real operand takes the real part.
elementwise(np.real, lambda g: g, signature="val")
elementwise(np.imag, lambda g: g * -1j, signature="val")
elementwise(np.conjugate, lambda g: np.conj(g))
elementwise(np.angle, lambda g, x: times(g, over(-1j, x)), signature="z")

# Kinks: the derivative of |x| at 0 is 0; ties of maximum and minimum share it evenly; clip at a bound is 1.
elementwise(
    np.absolute,
    lambda g, ans, x: g * np.sign(x) if x.dtype.kind != "c" else times(g, over(np.conj(x), ans)),
)
elementwise(np.fabs, lambda g, x: g * np.sign(x))


def won(g: Any, winner: Any, tie: Any) -> Any:
    return np.where(winner, g, np.where(tie, g / 2, 0))


elementwise(np.maximum, lambda g, x, y: won(g, x > y, x == y), lambda g, x, y: won(g, y > x, x == y))
elementwise(np.minimum, lambda g, x, y: won(g, x < y, x == y), lambda g, x, y: won(g, y < x, x == y))
elementwise(
    np.fmax,
    lambda g, x, y: won(g, (x > y) | np.isnan(y), x == y),
    lambda g, x, y: won(g, (y > x) | np.isnan(x), x == y),
)
elementwise(
    np.fmin,
    lambda g, x, y: won(g, (x < y) | np.isnan(y), x == y),
    lambda g, x, y: won(g, (y < x) | np.isnan(x), x == y),
)


def exceeds(x: Any, bound: Any) -> Any:
    return False if x is None or bound is None else np.greater(x, bound)


elementwise(
    np.clip,
    lambda g, x, y, z: np.where(exceeds(y, x) | exceeds(x, z), 0, g),
    lambda g, x, y, z: np.where(np.logical_and(exceeds(y, x), np.logical_not(exceeds(y, z))), g, 0),
    lambda g, x, y, z: np.where(exceeds(x, z) | exceeds(y, z), g, 0),
    bind=lambda a, a_min=None, a_max=None, *, min=None, max=None: (
        (a, min if a_min is None else a_min, max if a_max is None else a_max),
        {},
    ),
)
elementwise(
    np.where,
    None,
    lambda g, x: np.where(x, g, 0),
    lambda g, x: np.where(x, 0, g),
    signature="condition, x, y",
)

flat(np.sign, np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix, np.floor_divide, np.heaviside)
flat(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
flat(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift)
flat(np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
flat(np.isnan, np.isinf, np.isfinite, np.signbit, np.isclose, np.allclose, np.array_equal, np.isposinf, np.isneginf)
flat(np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.shape, np.ndim, np.size, np.result_type)
