"""Polynomials by their coefficients, the highest power first.

Sums, products, derivatives and integrals of polynomials are linear in the coefficients, so they are short programs.
A leading zero stays where it is: it is a coefficient like the others, with a gradient of its own.
"""

from typing import Any

import numpy as np

from microgd.core.primitive import composed
from microgd.ops.shape import shaped


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


composed(np.polyval, polyval)
composed(np.polyadd, polyadd)
composed(np.polysub, polysub)
composed(np.polymul, lambda a1, a2: np.convolve(a1, a2), note="leading zeros stay")
composed(np.polyder, polyder)
composed(np.polyint, polyint)
