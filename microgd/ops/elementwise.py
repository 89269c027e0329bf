"""Elementwise functions: NumPy's ufuncs, ``where`` and ``clip``.

A rule scales ``g`` by the partial derivative. It is written with the answer where that is shorter or more
accurate (``tanh``), and with ``times`` and ``over`` where the partial derivative can be infinite.
"""

import math
from typing import Any

import numpy as np

from microgd.core.box import dispatching
from microgd.core.primitive import composed, elementwise, flat, general, primitive
from microgd.ops.guard import always, gate, over, ratio, times
from microgd.ops.special import REAL, sigmoid

# Arithmetic.
elementwise(np.add, lambda g: g, lambda g: g)
elementwise(np.subtract, lambda g: g, lambda g: -g)
elementwise(np.multiply, lambda g, y: g * y, lambda g, x: g * x)
elementwise(np.divide, lambda g, y: over(g, y), lambda g, ans, y: -times(g, over(ans, y)))
elementwise(np.negative, lambda g: -g)
elementwise(np.positive, lambda g: g)
elementwise(np.reciprocal, lambda g, ans: -times(g, times(ans, ans)))
elementwise(np.remainder, lambda g: g, lambda g, x, y: -g * np.floor_divide(x, y))
elementwise(np.fmod, lambda g: g, lambda g, ans, x, y: -g * np.rint((x - ans) / y))
composed(np.divmod, lambda x, y: (np.floor_divide(x, y), np.remainder(x, y)))


def power_base(g: Any, x: Any, y: Any) -> Any:
    """d(x ** y)/dx = y x ** (y - 1); 0 for y = 0, also at x = 0."""
    if type(y) in (int, float) and y >= 1 and y % 1 == 0:  # finite wherever x is
        return g * (y * x ** (y - 1))
    return times(g, times(y, x ** (y - 1)))


elementwise(np.power, power_base, lambda g, ans, x: times(g, times(ans, np.log(x))))
elementwise(np.float_power, power_base, lambda g, ans, x: times(g, times(ans, np.log(x))))
elementwise(np.square, lambda g, x: g * (2 * x))
elementwise(np.sqrt, lambda g, ans: times(g, 0.5 / ans))
elementwise(np.cbrt, lambda g, ans: times(g, 1 / (3 * ans * ans)))

# Exponentials and logarithms.
elementwise(np.exp, lambda g, ans: times(g, ans))
elementwise(np.exp2, lambda g, ans: times(g, ans * math.log(2)))
elementwise(np.expm1, lambda g, ans: times(g, ans + 1))
elementwise(np.log, lambda g, x: over(g, x))
elementwise(np.log2, lambda g, x: over(g, x * math.log(2)))
elementwise(np.log10, lambda g, x: over(g, x * math.log(10)))
elementwise(np.log1p, lambda g, x: over(g, 1 + x))


def lead(x: Any, y: Any) -> Any:
    """x - y, and 0 where both are the same infinity."""
    return np.where(np.isinf(x) & (x == y), 0, x - y)


elementwise(np.logaddexp, lambda g, x, y: g * sigmoid(lead(x, y)), lambda g, x, y: g * sigmoid(lead(y, x)))
elementwise(
    np.logaddexp2,
    lambda g, x, y: g * sigmoid(lead(x, y) * math.log(2)),
    lambda g, x, y: g * sigmoid(lead(y, x) * math.log(2)),
)

# Trigonometry.
elementwise(np.sin, lambda g, x: g * np.cos(x))
elementwise(np.cos, lambda g, x: g * -np.sin(x))
elementwise(np.tan, lambda g, ans: g * (1 + ans * ans))
elementwise(np.arcsin, lambda g, x: over(g, np.sqrt((1 - x) * (1 + x))))
elementwise(np.arccos, lambda g, x: -over(g, np.sqrt((1 - x) * (1 + x))))
elementwise(np.arctan, lambda g, x: g / (1 + x * x))
elementwise(
    np.arctan2, lambda g, x, y: times(g, over(y, x * x + y * y)), lambda g, x, y: -times(g, over(x, x * x + y * y))
)
elementwise(
    np.hypot, lambda g, ans, x: times(g, over(x, ans)), lambda g, ans, y: times(g, over(y, ans)), note="0 at the origin"
)
elementwise(np.deg2rad, lambda g: g * (np.pi / 180))
elementwise(np.radians, lambda g: g * (np.pi / 180))
elementwise(np.rad2deg, lambda g: g * (180 / np.pi))
elementwise(np.degrees, lambda g: g * (180 / np.pi))


def sinc_slope(x: Any) -> Any:
    """d sinc(x)/dx: by the series of sin(u)/u where the formula would cancel, so that it can be differentiated on."""
    u = math.pi * x
    near = np.abs(u) < 1
    v = np.where(near, u * u, 0)
    series: Any = 0
    for k in range(12, 0, -1):
        series = series * v + 2 * k * (-1) ** k / math.factorial(2 * k + 1)
    w = np.where(near, 1, u)
    return math.pi * np.where(near, series * u, (np.cos(w) - np.sin(w) / w) / w)


elementwise(np.sinc, lambda g, x: g * sinc_slope(x), signature="x")

# Hyperbolic and Bessel functions.
elementwise(np.sinh, lambda g, x: times(g, np.cosh(x)))
elementwise(np.cosh, lambda g, x: times(g, np.sinh(x)))
elementwise(np.tanh, lambda g, ans: g * (1 - ans * ans))
elementwise(np.arcsinh, lambda g, x: g / np.sqrt(x * x + 1))
elementwise(np.arccosh, lambda g, x: over(over(g, np.sqrt(x - 1)), np.sqrt(x + 1)))
elementwise(np.arctanh, lambda g, x: over(g, (1 - x) * (1 + x)))

COSINES = np.cos((np.arange(64) + 0.5) * (math.pi / 128))


@dispatching
def bessel(x: Any, order: Any) -> Any:
    """The derivative of np.i0 of this order: the mean of cos(a)**order * exp(x cos(a)) over a circle of angles.

    The integrand is periodic, so the midpoint rule converges faster than any power: 256 points, four at a time here,
    reach the last digits for every x whose i0 is finite (Abramowitz and Stegun 9.6.16).
    """
    cosines = COSINES.astype(np.result_type(x, 0.0))
    both_ways = np.sinh if order % 2 else np.cosh
    return np.mean(cosines**order * both_ways(np.multiply.outer(x, cosines)), axis=-1)


elementwise(np.i0, lambda g, x: times(g, bessel(x, 1)), signature="x", note=REAL)
elementwise(bessel, lambda g, x, order: times(g, bessel(x, order + 1)), bind=lambda x, order: ((x,), {"order": order}))

# Complex numbers. Rules are transposes without conjugates (see primitive.py); a real operand takes the real part.
elementwise(np.real, lambda g: g, signature="val")
elementwise(np.imag, lambda g: g * -1j, signature="val")
elementwise(np.conjugate, lambda g: np.conj(g))
elementwise(np.angle, lambda g, x, deg: times(g, ratio(-180j / math.pi if deg else -1j, x)), signature="z, deg=False")

# Kinks: the derivative of |x| at 0 is 0; ties of maximum and minimum share it evenly; clip at a bound is 1.
elementwise(
    np.absolute,
    lambda g, ans, x: g * np.sign(x) if x.dtype.kind != "c" else times(g, ratio(np.conj(x), ans)),
    note="0 at 0",
)
elementwise(np.fabs, lambda g, x: g * np.sign(x), note="0 at 0")
elementwise(
    np.copysign, lambda g, x, y: np.where(np.signbit(y), -g, g) * np.sign(x), lambda g: np.zeros_like(g), note="0 at 0"
)


def won(g: Any, winner: Any, tie: Any) -> Any:
    return gate(g, winner) + gate(g / 2, tie)


TIES = "ties share evenly"
elementwise(np.maximum, lambda g, x, y: won(g, x > y, x == y), lambda g, x, y: won(g, y > x, x == y), note=TIES)
elementwise(np.minimum, lambda g, x, y: won(g, x < y, x == y), lambda g, x, y: won(g, y < x, x == y), note=TIES)
elementwise(
    np.fmax,
    lambda g, x, y: won(g, (x > y) | np.isnan(y), x == y),
    lambda g, x, y: won(g, (y > x) | np.isnan(x), x == y),
    note=TIES,
)
elementwise(
    np.fmin,
    lambda g, x, y: won(g, (x < y) | np.isnan(y), x == y),
    lambda g, x, y: won(g, (y < x) | np.isnan(x), x == y),
    note=TIES,
)


def exceeds(x: Any, bound: Any) -> Any:
    return False if x is None or bound is None else np.greater(x, bound)


elementwise(
    np.clip,
    lambda g, x, y, z: gate(g, np.logical_not(exceeds(y, x) | exceeds(x, z))),
    lambda g, x, y, z: gate(g, np.logical_and(exceeds(y, x), np.logical_not(exceeds(y, z)))),
    lambda g, x, y, z: gate(g, exceeds(x, z) | exceeds(y, z)),
    bind=lambda a, a_min=None, a_max=None, *, min=None, max=None: (
        (a, min if a_min is None else a_min, max if a_max is None else a_max),
        {},
    ),
    note="1 at a bound",
)
elementwise(
    np.where, None, lambda g, x: gate(g, x), lambda g, x: gate(g, np.logical_not(x)), signature="condition, x, y"
)
for function in (np.where, np.fmax, np.fmin):
    primitive(function).masks = always


def sign_rule(g: Any, ans: Any, x: Any) -> Any:
    """0 for real numbers; of a complex one, z / |z|, what lies across its direction."""
    if x.dtype.kind != "c":
        return np.zeros_like(g)
    return over(g - np.conj(ans) * np.real(g * ans), np.abs(x))


general(np.sign, sign_rule, signature="x", batch="entries")

# Numbers taken apart, and put together again.
elementwise(np.ldexp, lambda g, y: np.ldexp(g, y), None)
elementwise(np.nextafter, lambda g: g, lambda g: np.zeros_like(g))


@dispatching
def exponent(x: Any) -> Any:
    """The power of two that np.frexp takes out of a number."""
    return np.frexp(x)[1]


@dispatching
def fraction(x: Any) -> Any:
    """What np.modf leaves of a number without its whole part."""
    return np.modf(x)[0]


def frexp(x: Any) -> Any:
    power = exponent(x)
    return np.ldexp(x, -power), power


elementwise(fraction, lambda g: g)
composed(np.frexp, frexp)
composed(np.modf, lambda x: (fraction(x), np.trunc(x)))

# Functions without a derivative.
flat(np.floor, np.ceil, np.trunc, np.rint, np.round, np.around, np.fix, np.floor_divide, np.heaviside, np.spacing)
flat(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
flat(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.bitwise_count)
flat(np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.gcd, np.lcm, exponent)
flat(np.isnan, np.isinf, np.isfinite, np.isposinf, np.isneginf, np.signbit, np.isreal, np.iscomplex)
flat(np.isclose)
flat(np.allclose, np.array_equal, np.array_equiv, batch="loop")
flat(np.zeros_like, np.ones_like, np.empty_like, np.shape, np.ndim, np.size)
flat(np.isrealobj, np.iscomplexobj, np.result_type, np.min_scalar_type)
