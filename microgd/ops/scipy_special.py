"""scipy.special's ufuncs: rules that are imported when SciPy is in use, so that SciPy is never needed.

A ufunc of SciPy arrives where NumPy's do; the first one without a row brings this file in. An operand whose derivative
has no formula, such as the order of a Bessel function, refuses instead of passing for a constant. SciPy's functions
that are not ufuncs (softmax, logsumexp, polygamma...) turn their arguments into arrays; microgd has its own of these.
Formulas: NIST Digital Library of Mathematical Functions, dlmf.nist.gov, chapters 5 to 8, 10 and 13.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp  # type: ignore[import-untyped, unused-ignore]

from microgd.core.box import dispatching
from microgd.core.primitive import elementwise, flat
from microgd.errors import UnsupportedError
from microgd.ops.elementwise import power_base
from microgd.ops.guard import over, times
from microgd.ops.special import REAL, polygamma, sigmoid
from microgd.ops.ufunc_methods import declare_outer

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
ROOT_2PI = math.sqrt(2 * math.pi)
DEGREE = math.pi / 180
FROM_ZERO = "degrees from 0"


def no_formula(function: Any) -> Callable[..., Any]:
    """The rule of an operand, usually an order or a parameter, of which no formula for the derivative is known."""

    def refuse(g: Any) -> Any:
        raise UnsupportedError(
            f"{function.__name__}: its derivative with respect to an order or parameter has no closed formula; pass "
            f"that as a plain number, or as mg.stop_gradient(it)."
        )

    return refuse


def inside(function: Callable[[Any], Any], x: Any) -> Any:
    """A function that is 0 at infinity, where SciPy's formula for it gives NaN."""
    far = np.isinf(x)
    return np.where(far, 0, function(np.where(far, 1, x)))


def by_last(function: Any, rule: Callable[..., Any], note: str = "") -> None:
    """Declare a function by the derivative of its last operand, the only one of which a formula is known."""
    elementwise(function, *[no_formula(function)] * (function.nin - 1), rule, note=note)


# Error functions and the normal distribution.
elementwise(sp.erf, lambda g, x: g * (TWO_OVER_ROOT_PI * np.exp(-x * x)))
elementwise(sp.erfc, lambda g, x: g * (-TWO_OVER_ROOT_PI * np.exp(-x * x)))


def tail(u: Any) -> Any:
    """u + 3 u^2 + 3 5 u^3 + ...: what is left of x erfcx(x) and of x dawsn(x) for large x once their limit is taken."""
    return u * (1 + 3 * u * (1 + 5 * u * (1 + 7 * u * (1 + 9 * u * (1 + 11 * u)))))


def erfcx_slope(ans: Any, x: Any) -> Any:
    far = (np.abs(x) > 20) & (np.real(x) >= 0)
    return np.where(far, TWO_OVER_ROOT_PI * tail(-0.5 / x**2), 2 * np.where(far, 0, x) * ans - TWO_OVER_ROOT_PI)


def dawsn_slope(ans: Any, x: Any) -> Any:
    far = (np.abs(x) > 20) & (np.imag(x) == 0)  # elsewhere an exponential is left over too
    return np.where(far, -tail(0.5 / x**2), 1 - 2 * np.where(far, 0, x) * ans)


elementwise(sp.erfcx, lambda g, ans, x: times(g, erfcx_slope(ans, x)))
elementwise(sp.erfi, lambda g, x: times(g, TWO_OVER_ROOT_PI * np.exp(x * x)))
elementwise(sp.dawsn, lambda g, ans, x: times(g, dawsn_slope(ans, x)))
elementwise(sp.erfinv, lambda g, ans: times(g, np.exp(ans * ans) / TWO_OVER_ROOT_PI))
elementwise(sp.erfcinv, lambda g, ans: times(g, np.exp(ans * ans) / -TWO_OVER_ROOT_PI))
elementwise(sp.ndtr, lambda g, x: g * (np.exp(-x * x / 2) / ROOT_2PI))
elementwise(sp.ndtri, lambda g, ans: times(g, ROOT_2PI * np.exp(ans * ans / 2)))


@dispatching
def inverse_mills(x: Any) -> Any:
    """The normal density over the normal distribution function, without underflow on either side."""
    return math.sqrt(2 / math.pi) / sp.erfcx(x / -math.sqrt(2))


def excess(ans: Any, x: Any) -> Any:
    """What the ratio is more than -x; far out on the left these are nearly the same."""
    far = np.real(x) < -30
    left = tail(-1 / np.where(far, x, 1) ** 2)
    return np.where(far, x * left / (1 + left), np.where(far, 0, x) + ans)


elementwise(inverse_mills, lambda g, ans, x: -times(g, times(ans, excess(ans, x))))
elementwise(sp.log_ndtr, lambda g, x: g * inverse_mills(x))
elementwise(sp.ndtri_exp, lambda g, ans: over(g, inverse_mills(ans)))
elementwise(
    sp.owens_t,
    lambda g, x, y: g * times(np.exp(-x * x / 2) / (-2 * ROOT_2PI), sp.erf(x * y / math.sqrt(2))),
    lambda g, x, y: g * (np.exp(-times(x * x, 1 + y * y) / 2) / (2 * math.pi * (1 + y * y))),
)

# Logistic functions, entropies and losses.
elementwise(sp.expit, lambda g, ans: g * (ans * (1 - ans)))
elementwise(sp.logit, lambda g, x: over(g, x * (1 - x)))
elementwise(sp.log_expit, lambda g, x: g * sigmoid(-x))
elementwise(sp.xlogy, lambda g, y: times(g, np.log(y)), lambda g, x, y: times(g, over(x, y)))
elementwise(sp.xlog1py, lambda g, y: times(g, np.log1p(y)), lambda g, x, y: times(g, over(x, 1 + y)))
elementwise(sp.entr, lambda g, x: times(g, -1 - np.log(x)))
elementwise(sp.rel_entr, lambda g, x, y: times(g, 1 + np.log(over(x, y))), lambda g, x, y: -times(g, over(x, y)))
elementwise(sp.kl_div, lambda g, x, y: times(g, np.log(over(x, y))), lambda g, x, y: times(g, 1 - over(x, y)))
elementwise(sp.huber, lambda g, x, y: g * np.maximum(np.abs(y) - x, 0), lambda g, x, y: g * np.clip(y, -x, x))


def pseudo_huber_delta(g: Any, x: Any, y: Any) -> Any:
    length = np.hypot(x, y)
    return times(g, over((length - x) * (length - x), length))


elementwise(sp.pseudo_huber, pseudo_huber_delta, lambda g, x, y: times(g, over(x * y, np.hypot(x, y))))


# Powers, exponentials and logarithms, some of them again in SciPy's own edition.
def boxcox_slope(log: Any, power: Any) -> Any:
    """d((exp(power log) - 1) / power)/d(power): near 0 by an integral, log**2 times that of t exp(t power log)."""
    near = np.abs(times(power, log)) < 1
    inner, outer = np.where(near, log, 0), np.where(near, 1, power)
    e = times(outer, log)
    far = (times(np.exp(e), log) - np.expm1(e) / outer) / outer
    return np.where(near, inner * inner * sp.hyp1f1(2, 3, power * inner) / 2, far)


def exprel_slope(x: Any) -> Any:
    """(exp(x) (x - 1) + 1) / x^2; near 0, where that cancels, by its series."""
    near = np.abs(x) < 1
    far, left, right = np.where(near, 1, x), np.minimum(x, -1), np.maximum(x, 1)
    growth = np.where(x < 0, np.exp(left) / left, np.exp(right - np.log(right)))  # exp(x) / x, finite where that is
    return np.where(near, sp.hyp1f1(2, 3, np.where(near, x, 0)) / 2, growth * (1 - 1 / far) + 1 / far**2)


def inverse_slope(power: Any, x: Any, y: Any) -> Any:
    """(1 + x y)^(1 / y - 1), where ``power`` is (1 + x y)^(1 / y): each formula where it is exact."""
    small = x * y < -0.5
    base, exponent = np.where(small, 1 + x * y, 1), 1 / np.where(small, y, 1) - 1
    return np.where(small, base**exponent, np.where(small, 1, power) ** (1 - y))


def inverse_boxcox_slope(g: Any, ans: Any, y: Any) -> Any:
    return -times(g, boxcox_slope(np.log(ans), y) * ans ** (1 - y))


elementwise(sp.boxcox, lambda g, x, y: times(g, x ** (y - 1)), lambda g, x, y: times(g, boxcox_slope(np.log(x), y)))
elementwise(
    sp.boxcox1p, lambda g, x, y: times(g, (1 + x) ** (y - 1)), lambda g, x, y: times(g, boxcox_slope(np.log1p(x), y))
)
elementwise(sp.powm1, power_base, lambda g, ans, x: times(g, times(ans + 1, np.log(x))))
elementwise(sp.exprel, lambda g, x: times(g, exprel_slope(x)))
elementwise(sp.exp2, lambda g, ans: times(g, ans * math.log(2)))
elementwise(sp.exp10, lambda g, ans: times(g, ans * math.log(10)))
elementwise(sp.expm1, lambda g, ans: times(g, ans + 1))
elementwise(sp.wrightomega, lambda g, ans: g * np.where(np.isinf(ans), 1, ans / (1 + ans)))
elementwise(sp.log1p, lambda g, x: over(g, 1 + x))
elementwise(sp.cbrt, lambda g, ans: times(g, 1 / (3 * ans * ans)))
elementwise(sp.inv_boxcox, lambda g, ans, x, y: times(g, inverse_slope(ans, x, y)), inverse_boxcox_slope)
elementwise(
    sp.inv_boxcox1p,
    lambda g, ans, x, y: times(g, inverse_slope(1 + ans, x, y)),
    lambda g, ans, y: inverse_boxcox_slope(g, 1 + ans, y),
)


def spence_slope(x: Any) -> Any:
    """log(x) / (1 - x); near 1 by its series."""
    near = np.abs(x - 1) < 0.5
    far = np.where(near, 2, x)
    return np.where(near, -sp.hyp2f1(1, 1, 2, np.where(near, 1 - x, 0)), np.log(far) / (1 - far))


elementwise(sp.spence, lambda g, x: times(g, spence_slope(x)))
elementwise(sp.exp1, lambda g, x: -over(times(g, np.exp(-x)), x))
elementwise(sp.expi, lambda g, x: over(times(g, np.exp(x)), x))


# Trigonometry in degrees.
elementwise(sp.sindg, lambda g, x: g * (DEGREE * sp.cosdg(x)))
elementwise(sp.cosdg, lambda g, x: g * (-DEGREE * sp.sindg(x)))
elementwise(sp.tandg, lambda g, ans: g * (DEGREE * (1 + ans * ans)))
elementwise(sp.cotdg, lambda g, ans: g * (-DEGREE * (1 + ans * ans)))
elementwise(sp.cosm1, lambda g, x: g * -np.sin(x))

# Gamma and beta functions.
elementwise(sp.gamma, lambda g, ans, x: times(g, ans * sp.psi(x)))
elementwise(sp.gammaln, lambda g, x: g * sp.psi(x))
elementwise(sp.loggamma, lambda g, x: g * sp.psi(x))
elementwise(sp.psi, lambda g, x: g * polygamma(1, x), note=REAL)


def reflected(x: Any) -> Any:
    """d(1 / gamma(x))/dx over gamma(1 - x): it is finite at the poles of gamma too."""
    return np.cos(math.pi * x) - np.sin(math.pi * x) * sp.psi(1 - x) / math.pi


def rgamma_slope(x: Any) -> Any:
    left, right = np.where(x < 0.5, x, 0.5), np.where(x < 0.5, 0.5, x)
    return np.where(x < 0.5, sp.gamma(1 - left) * reflected(left), -times(sp.rgamma(right), sp.psi(right)))


elementwise(sp.rgamma, lambda g, x: g * rgamma_slope(x))


def psi_behind(x: Any, y: Any) -> Any:
    """psi(x) - psi(x + y); for large numbers, which are nearly the same, by the series of psi."""
    far = (x > 100) & (x + y > 100)
    a = np.where(far, x, 1)
    b = np.where(far, x + y, 1)
    gap = np.where(far, y, 0) / a / b  # 1 / a - 1 / b
    series = -np.log1p(np.where(far, y, 0) / a) - gap / 2
    series = series - gap * (1 / a + 1 / b) * (10 - 1 / a**2 - 1 / b**2) / 120
    return np.where(far, series, sp.psi(np.where(far, 1, x)) - sp.psi(np.where(far, 1, x + y)))


def beta_slope(x: Any, y: Any) -> Any:
    """Near poles of gamma(x + y), where beta is 0, it is taken for a product with 1 / gamma(x + y)."""
    near = (x + y < 0.5) & (np.abs(x + y - np.round(x + y)) < 0.05)
    regular = inside(lambda y: sp.beta(x, y) * psi_behind(x, y), np.where(near, 1, y))
    a, b = np.where(near, x, 0.1), np.where(near, y, 0.1)
    size = sp.gammasgn(a) * sp.gammasgn(b) * np.exp(sp.gammaln(a) + sp.gammaln(b) + sp.gammaln(1 - a - b))
    return np.where(near, sp.beta(a, b) * sp.psi(a) + size * reflected(a + b), regular)


elementwise(sp.beta, lambda g, x, y: g * beta_slope(x, y), lambda g, x, y: g * beta_slope(y, x))
elementwise(sp.betaln, lambda g, x, y: g * psi_behind(x, y), lambda g, x, y: g * psi_behind(y, x))


def gamma_density(a: Any, x: Any) -> Any:
    """x^(a - 1) exp(-x) / gamma(a); by logarithms, which do not overflow, but have no derivatives at 0 and inf."""
    between = np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))
    edge = times(np.exp(-x - sp.gammaln(a)), x ** (a - 1))
    return np.where(np.equal(x, 0) | np.isinf(x), edge, between)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a - 1) (1 - x)^(b - 1) / beta(a, b); likewise at 0 and 1."""
    between = np.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b))
    edge = times(x ** (a - 1) * (1 - x) ** (b - 1), np.exp(-sp.betaln(a, b)))
    return np.where(np.equal(x, 0) | np.equal(x, 1), edge, between)


by_last(sp.gammainc, lambda g, x, y: times(g, gamma_density(x, y)))
by_last(sp.gammaincc, lambda g, x, y: times(g, -gamma_density(x, y)))
by_last(sp.gammaincinv, lambda g, ans, x: over(g, gamma_density(x, ans)))
by_last(sp.gammainccinv, lambda g, ans, x: -over(g, gamma_density(x, ans)))
by_last(sp.betainc, lambda g, x, y, z: times(g, beta_density(x, y, z)))
by_last(sp.betaincinv, lambda g, ans, x, y: over(g, beta_density(x, y, ans)))


def student_density(df: Any, t: Any) -> Any:
    """With infinitely many degrees of freedom, the normal density."""
    normal = np.isinf(df)
    df = np.where(normal, 1, df)
    student = np.exp(-(df + 1) / 2 * np.log1p(t * t / df) - sp.betaln(df / 2, 0.5)) / np.sqrt(df)
    return np.where(normal, np.exp(-t * t / 2) / ROOT_2PI, student)


def f_density(dfn: Any, dfd: Any, x: Any) -> Any:
    """The ratio dfn x / (dfn x + dfd) has a beta distribution."""
    total = dfn * x + dfd
    return beta_density(dfn / 2, dfd / 2, dfn * x / total) * dfn * dfd / (total * total)


by_last(sp.betaincc, lambda g, x, y, z: times(g, -beta_density(x, y, z)))
by_last(sp.betainccinv, lambda g, ans, x, y: -over(g, beta_density(x, y, ans)))
by_last(sp.chdtr, lambda g, x, y: times(g, gamma_density(x / 2, y / 2) / 2))
by_last(sp.chdtrc, lambda g, x, y: times(g, gamma_density(x / 2, y / 2) / -2))
by_last(sp.pdtr, lambda g, x, y: times(g, -gamma_density(np.floor(x) + 1, y)))
by_last(sp.pdtrc, lambda g, x, y: times(g, gamma_density(np.floor(x) + 1, y)))
by_last(sp.stdtr, lambda g, x, y: g * student_density(x, y))
by_last(sp.stdtrit, lambda g, ans, x: over(g, student_density(x, ans)))
by_last(sp.fdtr, lambda g, x, y, z: times(g, inside(lambda z: f_density(x, y, z), z)))
by_last(sp.fdtrc, lambda g, x, y, z: times(g, -inside(lambda z: f_density(x, y, z), z)))

# Bessel functions: the derivative is half the difference, or sum, of the neighbours in order.
elementwise(sp.j0, lambda g, x: g * -sp.j1(x))
elementwise(sp.j1, lambda g, x: g * ((sp.j0(x) - sp.jv(2, x)) / 2))
by_last(sp.jv, lambda g, x, y: g * ((sp.jv(x - 1, y) - sp.jv(x + 1, y)) / 2))
elementwise(sp.y0, lambda g, x: times(g, -sp.y1(x)))
elementwise(sp.y1, lambda g, x: times(g, (sp.y0(x) - sp.yv(2, x)) / 2))
by_last(sp.yn, lambda g, x, y: times(g, (sp.yv(x - 1, y) - sp.yv(x + 1, y)) / 2))
by_last(sp.yv, lambda g, x, y: times(g, (sp.yv(x - 1, y) - sp.yv(x + 1, y)) / 2))
elementwise(sp.i0, lambda g, x: times(g, sp.i1(x)))
elementwise(sp.i1, lambda g, x: times(g, (sp.i0(x) + sp.iv(2, x)) / 2))
by_last(sp.iv, lambda g, x, y: times(g, (sp.iv(x - 1, y) + sp.iv(x + 1, y)) / 2))
elementwise(sp.k0, lambda g, x: times(g, -sp.k1(x)))
elementwise(sp.k1, lambda g, x: times(g, (sp.k0(x) + sp.kv(2, x)) / -2))
by_last(sp.kn, lambda g, x, y: times(g, (sp.kv(x - 1, y) + sp.kv(x + 1, y)) / -2))
by_last(sp.kv, lambda g, x, y: times(g, (sp.kv(x - 1, y) + sp.kv(x + 1, y)) / -2))


def ive_slope(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if y.dtype.kind == "c":
        raise UnsupportedError(
            "ive: exp(-|Re z|) makes it no holomorphic function; use scipy.special.iv of complex numbers"
        )
    return times(g, (sp.ive(x - 1, y) + sp.ive(x + 1, y)) / 2 - np.sign(y) * ans)


elementwise(sp.i0e, lambda g, ans, x: g * (sp.i1e(x) - np.sign(x) * ans))
elementwise(sp.i1e, lambda g, ans, x: g * ((sp.i0e(x) + inside(lambda x: sp.ive(2, x), x)) / 2 - np.sign(x) * ans))
by_last(sp.ive, ive_slope, note=REAL)
elementwise(sp.k0e, lambda g, ans, x: times(g, ans - sp.k1e(x)))
elementwise(sp.k1e, lambda g, ans, x: times(g, ans - (sp.k0e(x) + inside(lambda x: sp.kve(2, x), x)) / 2))
by_last(sp.kve, lambda g, ans, x, y: times(g, ans - (sp.kve(x - 1, y) + sp.kve(x + 1, y)) / 2))


# Orthogonal polynomials: the derivative is one of a lower degree, of the same family or of a wider one.
def lower(family: Any, n: Any, *rest: Any) -> Any:
    """The polynomial of degree n - 1; that of degree -1 is 0, and below the families go on in ways of their own."""
    constant = np.equal(n, 0)
    return np.where(constant, 0, family(np.where(constant, 0, n - 1), *rest)) + np.where(np.less(n, 0), np.nan, 0)


by_last(sp.eval_chebyt, lambda g, x, y: g * (x * lower(sp.eval_chebyu, x, y)), note=FROM_ZERO)
by_last(sp.eval_chebyu, lambda g, x, y: g * (2 * lower(sp.eval_gegenbauer, x, 2, y)), note=FROM_ZERO)
by_last(sp.eval_legendre, lambda g, x, y: g * lower(sp.eval_gegenbauer, x, 1.5, y), note=FROM_ZERO)
by_last(sp.eval_gegenbauer, lambda g, x, y, z: g * (2 * y * lower(sp.eval_gegenbauer, x, y + 1, z)), note=FROM_ZERO)
by_last(
    sp.eval_jacobi,
    lambda g, x, y, z, x3: g * ((x + y + z + 1) / 2 * lower(sp.eval_jacobi, x, y + 1, z + 1, x3)),
    note=FROM_ZERO,
)
by_last(sp.eval_laguerre, lambda g, x, y: g * -lower(sp.eval_genlaguerre, x, 1, y), note=FROM_ZERO)
by_last(sp.eval_genlaguerre, lambda g, x, y, z: g * -lower(sp.eval_genlaguerre, x, y + 1, z), note=FROM_ZERO)
by_last(sp.eval_hermite, lambda g, x, y: g * (2 * x * lower(sp.eval_hermite, x, y)), note=FROM_ZERO)
by_last(sp.eval_hermitenorm, lambda g, x, y: g * (x * lower(sp.eval_hermitenorm, x, y)), note=FROM_ZERO)

# Hypergeometric functions, and elliptic integrals by them.
by_last(sp.hyp0f1, lambda g, x, y: times(g, sp.hyp0f1(x + 1, y) / x))
by_last(sp.hyp1f1, lambda g, x, y, z: times(g, sp.hyp1f1(x + 1, y + 1, z) * (x / y)))
by_last(sp.hyp2f1, lambda g, x, y, z, x3: times(g, sp.hyp2f1(x + 1, y + 1, z + 1, x3) * (x * y / z)))
elementwise(sp.ellipkinc, lambda g, x, y: over(g, np.sqrt(1 - y * np.sin(x) ** 2)), no_formula(sp.ellipkinc))
elementwise(sp.ellipeinc, lambda g, x, y: times(g, np.sqrt(1 - y * np.sin(x) ** 2)), no_formula(sp.ellipeinc))
elementwise(sp.ellipk, lambda g, x: times(g, inside(lambda x: sp.hyp2f1(1.5, 1.5, 2, x), x) * (math.pi / 8)))
elementwise(sp.ellipe, lambda g, x: times(g, sp.hyp2f1(0.5, 1.5, 2, x) * (-math.pi / 8)))

flat(sp.gammasgn, sp.round)
declare_outer()
