"""Data made from a seed, and said to be so.

The bundled file of hours studied against scores holds what ``hours_and_scores`` makes; nobody sat these exams.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BUNDLED = Path(__file__).with_name("hours_and_scores.csv")


def hours_and_scores(seed: int = 1847, n: int = 100) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Hours studied (0.5 to 10) against exam scores: score = 38 + 5.5 hours + noise of standard deviation 6.

    Returns:
        Shape (n, 2): hours, rounded to 0.1, and points, rounded to 1.

    >>> hours_and_scores(n=2)
    array([[ 8.1, 86. ],
           [ 2.6, 45. ]])
    """
    rng = np.random.RandomState(seed)
    hours = np.round(rng.uniform(0.5, 10, n), 1)
    scores = np.round(38 + 5.5 * hours + rng.normal(0, 6, n))
    return np.column_stack([hours, scores])
