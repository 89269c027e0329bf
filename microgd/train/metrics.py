"""Metrics: what people want from a model, as opposed to losses, which descent can follow.

Accuracy does not change when a parameter moves a little, so it has no useful gradient; log loss does. Metrics work on
plain arrays and are never differentiated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgd.errors import OptionError
from microgd.nn.functional import matched

Array = Any


def r2_score(prediction: Array, target: Array) -> float:
    """Share of the target's variance that is explained: 1 - sum (y - f)^2 / sum (y - mean y)^2.

    Of a target that never changes it is 1 where all is met and 0 otherwise, as scikit-learn has it.

    Args:
        prediction, target: numbers f and y, of the same shape.

    Raises:
        ShapeError: shapes that differ.

    >>> r2_score([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    0.5
    """
    prediction, target = matched("r2_score", prediction, target)
    missed, spread = (float(np.sum((target - other) ** 2.0)) for other in (prediction, np.mean(target)))
    return 1 - missed / spread if spread else float(missed == 0)


def classification_scores(prediction: Array, target: Array) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of 0/1 predictions; a quotient without cases is 0.

    precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN).

    Args:
        prediction, target: 0 or 1, or booleans, of the same shape; of probabilities pass ``p > 0.5``.

    Raises:
        ShapeError: shapes that differ. OptionError: labels other than 0 and 1.

    >>> classification_scores([1, 1, 0, 0], [1, 0, 0, 0])
    {'accuracy': 0.75, 'precision': 0.5, 'recall': 1.0, 'F1': 0.6666666666666666}
    """
    prediction, target = matched("classification_scores", prediction, target)
    for labels in (prediction, target):
        if not np.all((labels == 0) | (labels == 1)):
            raise OptionError(
                "classification_scores: expected labels 0 and 1; compare with the class that counts as 1, as in "
                "labels == 2, or probabilities with a threshold, as in p > 0.5"
            )
    said, true = prediction == 1, target == 1
    tp, fp, fn = (int(np.sum(x)) for x in (said & true, said & ~true, ~said & true))

    def share(part: int, whole: int) -> float:
        return part / whole if whole else 0.0

    return {
        "accuracy": float(np.mean(said == true)),
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "F1": share(2 * tp, 2 * tp + fp + fn),
    }
