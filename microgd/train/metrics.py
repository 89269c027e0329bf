"""Metrics: what people want from a model, as opposed to losses, which descent can follow.

Accuracy does not change when a parameter moves a little, so it has no useful gradient; log loss does. Metrics work on
plain arrays and are never differentiated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def r2_score(prediction: Array, target: Array) -> float:
    """Share of the target's variance that is explained: 1 - sum (y - f)^2 / sum (y - mean y)^2.

    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1.0
    """
    target = np.asarray(target)
    return float(1 - np.sum((target - prediction) ** 2) / np.sum((target - np.mean(target)) ** 2))


def classification_scores(prediction: Array, target: Array) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of 0/1 predictions; a quotient without cases is 0.

    precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN).

    >>> classification_scores([1, 1, 0, 0], [1, 0, 0, 0])
    {'accuracy': 0.75, 'precision': 0.5, 'recall': 1.0, 'F1': 0.6666666666666666}
    """
    said, true = np.asarray(prediction).astype(bool), np.asarray(target).astype(bool)
    tp, fp, fn = (int(np.sum(x)) for x in (said & true, said & ~true, ~said & true))

    def share(part: int, whole: int) -> float:
        return part / whole if whole else 0.0

    return {
        "accuracy": float(np.mean(said == true)),
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "F1": share(2 * tp, 2 * tp + fp + fn),
    }
