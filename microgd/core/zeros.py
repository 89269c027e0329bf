"""Where an exact zero meets a NaN or an infinity in a derivative rule, and wins.

What ``np.where`` or a mask leaves out sends exact zeros back, and its values may be anything. So a product with 0 is 0
there, whatever the other factor is: among single numbers in elementwise rules, among the terms of sums of products, as
in a product of matrices, and for whole matrices of a stack. A zero that belongs to finite numbers is left alone: it may
be one that moves, as a residual at a perfect fit, and then higher derivatives depend on it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from microgd.core.box import Box, innermost
from microgd.core.primitive import Primitive


def zeros_win(d: Any, row: Primitive, rule: Callable[..., Any], g: Any, saved: tuple[Any, ...]) -> Any:
    """A rule's answer with 0 for NaN wherever it comes of nothing but exact zeros, as far as the form can tell."""
    if row.form == "elementwise":
        return zero_wins(d, g, rule(np.ones_like(g), *saved))
    if row.form == "bilinear" and None not in row.rules:
        return zeros_win_in_sums(d, rule, g, *saved)
    if row.batch == "stack" and len(d.shape) > 1 and g.shape[: len(d.shape) - 2] == d.shape[:-2]:
        d = np.where(unheard(d.shape[:-2], g, saved)[..., None, None], 0, d)
    if not isinstance(g, Box) and not np.any(g):  # in a box it may be a zero that moves
        return zero_wins(d, 0)
    return d


def zero_wins(product: Any, *factors: Any) -> Any:
    """A product with 0 for NaN wherever one of its factors is exactly 0."""
    if not holds_nan(product):
        return product
    return np.where(np.isnan(product) & (sum([np.equal(x, 0) for x in factors]) != 0), 0, product)[()]


def zeros_win_in_sums(d: Any, products: Callable[..., Any], *factors: Any) -> Any:
    """Sums of products: what is not finite may as well be 0 where all that it is multiplied with is 0.

    Then no sum changes with the weight that stands for it; the weights are random, so that none cancel by their signs.
    """
    weighed = (np.ones, np.random.default_rng(0).random)
    once, again = (products(*[presence(x, weights) for x in factors]) for weights in weighed)
    return np.where(np.isnan(d) & (once == again), products(*[finite_part(x) for x in factors]), d)[()]


def presence(x: Any, weights: Callable[[Any], Any]) -> Any:
    """1 for every number but 0, and weights for what is not finite; an operand, or several."""
    if type(x) is tuple:
        return tuple([presence(part, weights) for part in x])
    return np.where(np.isfinite(x), np.not_equal(x, 0), weights(x.shape)) if hasattr(x, "dtype") else x


def finite_part(x: Any) -> Any:
    """0 for what is not finite."""
    if type(x) is tuple:
        return tuple([finite_part(part) for part in x])
    return np.where(np.isfinite(x), x, 0) if is_inexact(x) else x


def unheard(stack: tuple[int, ...], g: Any, saved: tuple[Any, ...]) -> Any:
    """Which matrices of a stack are not finite, and nothing comes from above that would ask for them."""
    each = (*stack, -1)
    own = [x for x in saved if is_inexact(x) and x.shape[: len(stack)] == stack]
    broken = [~np.isfinite(np.reshape(x, each)).all(axis=-1) for x in own]
    return sum(broken, np.bool_(False)) & ~np.any(np.reshape(np.not_equal(g, 0), each), axis=-1)


def is_inexact(x: Any) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind in "fc"


def holds_nan(x: Any) -> bool:
    """Whether a NaN is among the numbers, inside however many boxes; their sum is then NaN too."""
    x = innermost(x)
    total = x if isinstance(x, float) else np.add.reduce(x, axis=None)
    return bool(total != total)
