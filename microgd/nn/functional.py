"""Losses: how far predictions are from targets, as programs of NumPy functions, on tensors or plain arrays.

Every loss refuses shapes that differ: (N, 1) against (N,) would broadcast to (N, N) and train on nonsense. Every
course scales its loss differently, so the reduction is named: with m entries, ``"mean"`` is 1/m of the sum, ``"sum"``
is 1, ``"half_mean"`` 1/(2m), ``"half_sum"`` 1/2, and ``"none"`` leaves the entries as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgd.core.box import Box
from microgd.errors import DtypeError, OptionError, ShapeError
from microgd.ops.reduce import squared
from microgd.ops.special import log_loss, log_softmax

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "l1_loss",
    "lp_loss",
    "mse_loss",
]

Array = Any  # a tensor, an array or a number

REDUCTIONS = {
    "mean": np.mean,
    "sum": np.sum,
    "half_mean": lambda losses: np.mean(losses) / 2,
    "half_sum": lambda losses: np.sum(losses) / 2,
    "none": lambda losses: losses,
}


def reduced(losses: Array, reduction: str) -> Array:
    """Losses per entry, brought together as ``reduction`` says."""
    if reduction not in REDUCTIONS:
        raise OptionError(f"reduction: expected one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    return REDUCTIONS[reduction](losses)


def matched(name: str, prediction: Array, target: Array) -> tuple[Array, Array]:
    """Both as arrays or tensors, once their shapes are the same; of whole numbers, whose differences may not fit into
    their type, as floats."""
    prediction, target = (x if isinstance(x, Box) else np.asarray(x) for x in (prediction, target))
    if prediction.dtype.kind in "biu" and target.dtype.kind in "biu":
        prediction = prediction.astype(float)
    if prediction.shape != target.shape:
        a, b = prediction.shape, target.shape
        advice = "reshape one of them"
        if a == (*b, 1):
            advice = "take prediction[:, 0], or target.reshape(-1, 1)" if len(b) == 1 else "take prediction[..., 0]"
        elif b == (*a, 1):
            advice = "take target[:, 0], or prediction.reshape(-1, 1)" if len(a) == 1 else "take target[..., 0]"
        raise ShapeError(f"{name}: prediction has shape {a} and target {b}; they must be the same: {advice}")
    return prediction, target


def zero_or_one(name: str, target: Array) -> None:
    """Refuse labels such as -1 and 1, with which the log loss has no lower bound."""
    if np.any((target < 0) | (target > 1)):
        raise OptionError(f"{name}: targets must be 0, 1 or between; labels -1 and 1 become (labels + 1) / 2")


def mse_loss(prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """Squared error, (prediction - target)^2: the area of the square on each error. Of complex numbers |error|^2.

    Args:
        prediction, target: of the same shape.
        reduction: "mean" (1/m), "sum", "half_mean" (1/2m), "half_sum" (1/2) or "none".

    Raises:
        ShapeError: shapes that differ. OptionError: an unknown reduction.

    >>> import numpy as np, microgd as mg
    >>> float(mg.nn.functional.mse_loss(np.array([1.0, 2.0]), np.array([0.0, 4.0])))
    2.5
    """
    prediction, target = matched("mse_loss", prediction, target)
    return reduced(squared(prediction - target), reduction)


def l1_loss(prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """Absolute error, |prediction - target|; its derivative where they agree is 0.

    Args and errors as in ``mse_loss``.

    >>> import numpy as np, microgd as mg
    >>> float(mg.nn.functional.l1_loss(np.array([1.0, 2.0]), np.array([0.0, 4.0])))
    1.5
    """
    prediction, target = matched("l1_loss", prediction, target)
    return reduced(np.abs(prediction - target), reduction)


def lp_loss(prediction: Array, target: Array, p: float = 2.0, reduction: str = "mean") -> Array:
    """Error to a power, |prediction - target|^p.

    Args:
        prediction, target: of the same shape.
        p: the exponent, at least 1: below, the loss is not convex and its slope at 0 infinite.
        reduction: as in ``mse_loss``.

    Raises:
        OptionError: p below 1 or infinite. ShapeError: shapes that differ.

    >>> import numpy as np, microgd as mg
    >>> float(mg.nn.functional.lp_loss(np.array([1.0, 2.0]), np.array([0.0, 4.0]), p=3))
    4.5
    """
    if not 1 <= p < np.inf:
        raise OptionError(f"lp_loss: p must be at least 1 and finite, got {p!r}")
    prediction, target = matched("lp_loss", prediction, target)
    error = prediction - target
    if p == 2:
        return reduced(squared(error), reduction)
    smooth = p % 2 == 0 and error.dtype.kind != "c"  # even powers have no kink
    return reduced((error if smooth else np.abs(error)) ** float(p), reduction)


def binary_cross_entropy(prediction: Array, target: Array, reduction: str = "mean") -> Array:
    """Log loss of probabilities, -(y log f + (1 - y) log(1 - f)), with logarithms no less than -100.

    A probability below e^-100 counts as e^-100 and has derivative 0. From a model's output before the sigmoid, use
    ``binary_cross_entropy_with_logits``, which loses nothing there.

    Args:
        prediction: probabilities in [0, 1]. target: 0 or 1, or probabilities, of the same shape.
        reduction: as in ``mse_loss``.

    Raises:
        OptionError: a prediction or target outside [0, 1]. ShapeError: shapes that differ.

    >>> import numpy as np, microgd as mg
    >>> round(float(mg.nn.functional.binary_cross_entropy(np.array([0.5]), np.array([1.0]))), 6)
    0.693147
    """
    prediction, target = matched("binary_cross_entropy", prediction, target)
    if np.any((prediction < 0) | (prediction > 1)):
        raise OptionError(
            "binary_cross_entropy: predictions must be probabilities in [0, 1]; for a model's output before the "
            "sigmoid use binary_cross_entropy_with_logits"
        )
    zero_or_one("binary_cross_entropy", target)
    with np.errstate(divide="ignore"):
        log_f, log_rest = np.maximum(np.log(prediction), -100), np.maximum(np.log(1 - prediction), -100)
    return reduced(-(target * log_f + (1 - target) * log_rest), reduction)


def binary_cross_entropy_with_logits(logits: Array, target: Array, reduction: str = "mean") -> Array:
    """Log loss of sigmoid(z), as log(1 + exp(z)) - y z: finite for every finite z.

    Args:
        logits: z, any real numbers. target: 0 or 1, or probabilities, of the same shape.
        reduction: as in ``mse_loss``.

    Raises:
        OptionError: a target outside [0, 1]. ShapeError: shapes that differ.

    >>> import numpy as np, microgd as mg
    >>> float(mg.nn.functional.binary_cross_entropy_with_logits(np.array([1000.0]), np.array([0.0])))
    1000.0
    """
    logits, target = matched("binary_cross_entropy_with_logits", logits, target)
    zero_or_one("binary_cross_entropy_with_logits", target)
    return reduced(log_loss(logits, target), reduction)


def cross_entropy(logits: Array, labels: Array, reduction: str = "mean", ignore_index: int = -100) -> Array:
    """Log loss of softmax(z) over classes, logsumexp(z) - z[label], for every row.

    Args:
        logits: z, shape (N, C). labels: class numbers from 0 to C - 1, integers of shape (N,).
        reduction: as in ``mse_loss``; m counts the rows that are not ignored.
        ignore_index: a label whose rows do not count.

    Raises:
        ShapeError: shapes other than (N, C) and (N,). DtypeError: labels that are not integers.
        OptionError: a label outside the classes, or no label that counts.

    >>> import numpy as np, microgd as mg
    >>> round(float(mg.nn.functional.cross_entropy(np.zeros((2, 4)), np.array([0, 3]))), 6)
    1.386294
    """
    labels = np.asarray(labels)
    if np.ndim(logits) != 2 or labels.shape != np.shape(logits)[:1]:
        raise ShapeError(
            f"cross_entropy: expected logits (N, C) and labels (N,), got {np.shape(logits)} and {labels.shape}; "
            f"one-hot targets become labels by .argmax(axis=1)"
        )
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"cross_entropy: labels are class numbers, integers; got {labels.dtype}")
    counted, classes = labels != ignore_index, np.shape(logits)[1]
    outside = labels[counted & ((labels < 0) | (labels >= classes))]
    if outside.size:
        raise OptionError(f"cross_entropy: label {outside[0]} is not one of the {classes} classes, 0 to {classes - 1}")
    if not counted.any():
        raise OptionError(f"cross_entropy: no row counts: of {len(labels)} labels all are ignore_index={ignore_index}")
    rows = np.arange(len(labels)) if reduction == "none" else np.flatnonzero(counted)
    losses = -log_softmax(logits, axis=1)[rows, np.where(counted, labels, 0)[rows]]
    return np.where(counted, losses, 0) if reduction == "none" else reduced(losses, reduction)
