"""Polynomials by their coefficients, the highest power first: arithmetic, roots, and the least-squares fit.

Sums, products, derivatives and integrals of polynomials are linear in the coefficients, so they are short programs.
A leading zero stays where it is: it is a coefficient like the others, with a gradient of its own. A root r of p moves
by -dp(r) / p'(r), so it needs no derivative of the eigenvalues that it is found by.
"""

from typing import Any

import numpy as np

from microgd.core.box import innermost
from microgd.core.primitive import composed, general
from microgd.ops.guard import over
from microgd.ops.shape import KEPT, shaped


def polyval(p: Any, x: Any) -> Any:
    """Horner's scheme."""
    value = np.zeros_like(x)
    for coefficient in p:
        value = value * x + coefficient
    return value


def aligned(*polynomials: Any) -> list[Any]:
    """The same polynomials with as many coefficients each."""
    polynomials = tuple(np.atleast_1d(shaped(p)) for p in polynomials)
    length = max(map(len, polynomials))
    return [np.concatenate([np.zeros_like(p, shape=length - len(p)), p]) for p in polynomials]


def polyadd(a1: Any, a2: Any) -> Any:
    a1, a2 = aligned(a1, a2)
    return a1 + a2


def polysub(a1: Any, a2: Any) -> Any:
    a1, a2 = aligned(a1, a2)
    return a1 - a2


def times_of(m: Any, name: str) -> range:
    if m < 0:
        raise ValueError(f"{name}: m={m}; expected how many times to do it, 0 or more")
    return range(int(m))


def polyder(p: Any, m: Any = 1) -> Any:
    p = shaped(p)
    for _ in times_of(m, "polyder"):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    """The constants of integration in ``k`` come in the order of the integrals."""
    p, k = shaped(p), np.atleast_1d(np.zeros(1) if k is None else shaped(k))
    if 1 < len(k) < m or not len(k):
        raise ValueError(f"polyint: {len(k)} constants for {m} integrals; expected one for each, or one for all")
    for step in times_of(m, "polyint"):
        p = np.concatenate([p / np.arange(len(p), 0, -1), k[step : step + 1] if len(k) > 1 else k])
    return p


def polydiv(u: Any, v: Any) -> Any:
    """Long division; as NumPy does it, zeros that lead the remainder are dropped."""
    u, v = (np.atleast_1d(shaped(p)) * 1.0 for p in (u, v))
    quotient, rest, scale = [], u.astype(np.result_type(u.dtype, v.dtype)), 1 / v[0]
    for k in range(len(u) - len(v) + 1):
        quotient.append(scale * rest[k])
        rest = np.concatenate([rest[:k], rest[k : k + len(v)] - quotient[k] * v, rest[k + len(v) :]])
    while len(rest) > 1 and np.allclose(innermost(rest[0]), 0, rtol=1e-14):
        rest = rest[1:]
    return np.stack(quotient or [0 * rest[0]]), rest


def poly(seq_of_zeros: Any) -> Any:
    """The product of (x - r) over all roots r, or over the eigenvalues of a matrix."""
    given = np.atleast_1d(shaped(seq_of_zeros)) * 1.0
    zeros: Any = np.linalg.eigvals(given) if given.ndim == 2 else given
    p, none = np.ones_like(zeros, shape=1), np.zeros_like(zeros, shape=1)
    for r in zeros:
        p = np.concatenate([p, none]) - np.concatenate([none, r * p])
    found = innermost(zeros)
    return np.real(p) if np.all(np.sort(found) == np.sort(np.conj(found))) else p


def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: Any = False, w: Any = None, cov: Any = False) -> Any:
    """The least-squares fit, on columns of equal length; with ``full`` or ``cov`` what NumPy reports beside it."""
    order = int(deg) + 1
    x, y = shaped(x) + 0.0, shaped(y) + 0.0
    powers, values = np.vander(x, order), y
    if w is not None:
        powers, values = powers * shaped(w)[:, None], (values.T * w).T
    lengths = np.sqrt(np.sum(powers * powers, axis=0))
    cutoff = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    scaled = powers / lengths
    p, residuals, rank, s = np.linalg.lstsq(scaled, values, cutoff)
    p = (p.T / lengths).T
    if full:
        return p, residuals, rank, s, cutoff
    if not cov:
        return p
    if cov != "unscaled" and len(x) <= order:
        raise ValueError(f"polyfit: {len(x)} points for {order} coefficients leave nothing to scale the covariance by")
    spread = np.linalg.inv(scaled.T @ scaled) / np.outer(lengths, lengths)
    noise = 1 if cov == "unscaled" else residuals / (len(x) - order)
    return p, (spread if y.ndim == 1 else spread[:, :, None]) * noise


composed(np.polyval, polyval)
general(
    np.roots,
    lambda g, ans, x: -over(g, polyval(np.polyder(x), ans)) @ np.vander(ans, len(x)),
    bind=lambda p: ((np.atleast_1d(shaped(p)),), {}),
    note="where the roots differ",
)
composed(np.poly, poly)
composed(np.polydiv, polydiv)
composed(np.polyfit, polyfit, note=KEPT)
composed(np.polyadd, polyadd)
composed(np.polysub, polysub)
composed(np.polymul, lambda a1, a2: np.convolve(a1, a2), note="leading zeros stay")
composed(np.polyder, polyder)
composed(np.polyint, polyint)
