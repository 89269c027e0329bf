"""Where an exact zero meets a NaN or an infinity in a derivative rule, and wins.

What ``np.where`` or a mask leaves out sends exact zeros back, and its values may be anything. So a product with 0 is 0
there, whatever the other factor is: among single numbers in elementwise rules, among the terms of sums of products, as
in a product of matrices, and for whole matrices of a stack. A zero that belongs to finite numbers is left alone: it may
be one that moves, as a residual at a perfect fit, and then higher derivatives depend on it. So is a derivative that is
NaN in a sum of products: it says that there is none.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from microgd.core.box import Box, innermost
from microgd.core.primitive import Primitive


def zeros_win(d: Any, row: Primitive, rule: Callable[..., Any], g: Any, saved: tuple[Any, ...]) -> Any:
    """A rule's answer with 0 for NaN wherever it comes of nothing but exact zeros, as far as the form can tell."""
    if row.form == "elementwise":
        return zero_wins(d, g, rule(np.ones_like(g), *saved))
    if row.form == "bilinear" and None not in row.rules:
        return zeros_win_in_sums(d, rule, (g, *saved), 0)
    if not isinstance(g, Box) and not np.any(g):  # in a box it may be a zero that moves
        return zero_wins(d, 0)
    return zeros_win_in_stacks(d, g, saved) if row.batch == "stack" else d


def zero_wins(product: Any, *factors: Any) -> Any:
    """A product with 0 for NaN wherever one of its factors is exactly 0."""
    if not holds_nan(product):
        return product
    return np.where(np.isnan(product) & (sum([np.equal(x, 0) for x in factors]) != 0), 0, product)[()]


def zeros_win_in_sums(d: Any, products: Callable[..., Any], factors: tuple[Any, ...], moving: int) -> Any:
    """Sums of products: what is not finite may as well be 0 where all that it is multiplied with is 0.

    Then no sum changes with the weight that stands for it; weights are random, so that none cancel by their signs. Of
    the factor that is a derivative, number ``moving``, only infinities count.
    """
    lost = [np.isinf if k == moving else not_finite for k in range(len(factors))]
    random = np.random.default_rng(0).random

    def sums(stand_in: Callable[[Any, Any], Any]) -> Any:
        return products(*[each(x, partial(stand_in, isnt)) for x, isnt in zip(factors, lost, strict=True)])

    once = sums(lambda isnt, x: np.where(isnt(x), 1.0, np.not_equal(x, 0)))
    again = sums(lambda isnt, x: np.where(isnt(x), random(x.shape), np.not_equal(x, 0)))
    return np.where(np.isnan(d) & (once == again), sums(lambda isnt, x: np.where(isnt(x), 0, x)), d)[()]


def each(x: Any, function: Callable[[Any], Any]) -> Any:
    """A function of an operand, or of each of several; metadata stay."""
    if type(x) is tuple:
        return tuple([each(part, function) for part in x])
    return function(x) if hasattr(x, "dtype") else x


def not_finite(x: Any) -> Any:
    return np.logical_not(np.isfinite(x))


def zeros_win_in_stacks(d: Any, g: Any, saved: tuple[Any, ...]) -> Any:
    """Whole matrices: nothing comes from above for one that is not finite, so it was left out.

    Zeros in a box may move; then nothing at all of it may be finite, so that all of it must have been left out.
    """
    stack, arrays = d.shape[:-2], [x for x in saved if hasattr(x, "dtype")]
    if len(d.shape) != max([len(x.shape) for x in arrays], default=0) or g.shape[: len(stack)] != stack:
        return d  # not one matrix for each
    some = np.all if isinstance(g, Box) else np.any
    lost = [some(np.reshape(not_finite(x), (*stack, -1)), axis=-1) for x in arrays if x.shape[: len(stack)] == stack]
    unasked = np.all(np.reshape(np.equal(g, 0), (*stack, -1)), axis=-1)
    return np.where((unasked & (sum(lost) != 0))[..., None, None], 0, d)


def holds_nan(x: Any) -> bool:
    """Whether a NaN is among the numbers, inside however many boxes; their largest is then NaN too."""
    x = innermost(x)
    if not x.size:
        return False
    largest = x if isinstance(x, float) else np.maximum.reduce(x, axis=None)
    return bool(largest != largest)
