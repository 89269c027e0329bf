"""Functions that NumPy lacks and networks need, each stable where the plain formula overflows."""

import math
from typing import Any

import numpy as np

from microgd.core.box import Box, dispatching, method
from microgd.core.primitive import elementwise, general
from microgd.errors import UnsupportedError
from microgd.ops.guard import ZERO, gate, times
from microgd.ops.reduce import kept

ERF = np.frompyfunc(math.erf, 1, 1)
REAL = "real numbers only"


@dispatching
def relu(x: Any) -> Any:
    """Rectified linear unit, max(x, 0); its derivative at 0 is 0.

    >>> import numpy as np, microgd as mg
    >>> mg.relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    if type(x) is np.float64:  # five times faster than np.maximum, and what a scalar network spends its time on
        return ZERO if x <= 0 else x
    return np.maximum(x, 0)


def spare(x: Any) -> Any:
    """The memory of a temporary for what is made of it: large arrays are dear to allocate. Numbers have none."""
    return x if type(x) is np.ndarray and x.dtype.kind == "f" else None


@dispatching
def sigmoid(x: Any) -> Any:
    """Logistic function, 1 / (1 + exp(-x)), without overflow on either side.

    >>> import numpy as np, microgd as mg
    >>> mg.sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    with np.errstate(over="ignore"):  # exp(1000) is infinite, and 1 / (1 + inf) the right answer
        e = -x
        e = np.exp(e, out=spare(e))
        e += 1
        return np.divide(1, e, out=spare(e))  # twice as fast as np.reciprocal


@dispatching
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), the smooth relu; its derivative is the sigmoid.

    >>> import microgd as mg
    >>> float(mg.softplus(1000.0))
    1000.0
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))  # three times as fast as logaddexp


@dispatching
def log_loss(x: Any, y: Any) -> Any:
    """log(1 + exp(x)) - y x: the negative log probability of the label y under sigmoid(x), without cancellation.

    >>> import numpy as np
    >>> log_loss(np.array([-1000.0, 0.0, 1000.0]), 1.0).round(4).tolist()
    [1000.0, 0.6931, 0.0]
    """
    loss = np.maximum(x, 0) - y * x
    e = -np.abs(x)
    e = np.exp(e, out=spare(e))
    return np.add(loss, np.log1p(e, out=spare(e)), out=spare(loss))


@dispatching
def erf(x: Any) -> Any:
    """Error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x; scipy.special.erf is faster.

    >>> import numpy as np, microgd as mg
    >>> mg.erf(np.array([-np.inf, 0.0, np.inf]))
    array([-1.,  0.,  1.])
    """
    return np.asarray(ERF(x), dtype=np.result_type(x, 0.0))[()]


@dispatching
def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function at x, for a whole number n >= 0. Needs SciPy.

    >>> import microgd as mg
    >>> float(mg.polygamma(1, 1.0).round(4))  # pi**2 / 6
    1.6449
    """
    from scipy.special import polygamma as of_arrays  # type: ignore[import-untyped, unused-ignore]

    x = np.asarray(x)
    if x.dtype.kind == "c":
        raise UnsupportedError(
            "polygamma: SciPy has it for real numbers only, so psi and its kin have no derivative here"
        )
    return of_arrays(n, x).astype(np.result_type(x, np.float32))[()]


@dispatching
def logsumexp(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """log(sum(exp(a))) along an axis, without overflow.

    Args:
        a: numbers. axis: one axis or a tuple of them; None for all. keepdims: keep it, with length 1.

    >>> import numpy as np, microgd as mg
    >>> float(mg.logsumexp(np.array([1000.0, 1000.0]))) - 1000 - float(np.log(2)) < 1e-12
    True
    """
    peak = np.max(a, axis=axis, keepdims=True)
    peak = np.where(np.isfinite(peak), peak, 0)
    with np.errstate(divide="ignore"):  # the log of an empty sum of exponentials is -inf, and says so
        total = np.log(np.sum(np.exp(a - peak), axis=axis, keepdims=True)) + peak
    return total if keepdims else np.squeeze(total, axis=axis)[()]


@dispatching
def softmax(a: Any, axis: Any = -1) -> Any:
    """exp(a) / sum(exp(a)) along an axis: positive, and of sum 1.

    Args:
        a: logits. axis: along which they compete, the last if nothing is said.

    >>> import numpy as np, microgd as mg
    >>> mg.softmax(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    e = np.exp(a - np.max(a, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@dispatching
def log_softmax(a: Any, axis: Any = -1) -> Any:
    """a - logsumexp(a): the logarithm of softmax, exact where softmax rounds to 0.

    Args as for ``softmax``.

    >>> import numpy as np, microgd as mg
    >>> mg.log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    shifted = a - np.max(a, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


elementwise(erf, lambda g, x: g * (2 / math.sqrt(math.pi) * np.exp(-x * x)), note=REAL)
elementwise(polygamma, None, lambda g, x, y: g * polygamma(x + 1, y), note=REAL)
elementwise(relu, lambda g, ans: gate(g, ans > 0), note=REAL)
elementwise(sigmoid, lambda g, ans: g * (ans * (1 - ans)))
elementwise(softplus, lambda g, x: g * sigmoid(x), note=REAL)
elementwise(log_loss, lambda g, x, y: g * (sigmoid(x) - y), lambda g, x: -g * x, note=REAL)
general(
    logsumexp,
    lambda g, x, axis, keepdims: times(kept(g, x.shape, axis, keepdims), softmax(x, axis)),
    signature="a, axis=None, keepdims=False",
)
general(
    softmax,
    lambda g, ans, axis: times(g - np.sum(times(g, ans), axis=axis, keepdims=True), ans),
    signature="a, axis=-1",
)
general(
    log_softmax,
    lambda g, ans, axis: g - times(np.sum(g, axis=axis, keepdims=True), np.exp(ans)),
    signature="a, axis=-1",
)

Box.relu = method(relu)
Box.sigmoid = method(sigmoid)
Box.softmax = method(softmax)
