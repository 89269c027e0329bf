"""Arrays in a few characters: a number as it is, a small array entry by entry, a large one by its ends and range.

For people, not for reading back. Everything that is shown of a value in this room goes through here.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

ENTRIES = 6
FIRST = 3


def number(x: Any) -> str:
    """Four significant digits, whole numbers whole.

    >>> number(0.123456), number(2.0), number(float("nan"))
    ('0.1235', '2', 'nan')
    """
    x = x.item() if isinstance(x, np.generic) else x
    if isinstance(x, complex):
        return f"{x:.4g}"
    return f"{x:.4g}" if isinstance(x, float) and not (x.is_integer() and abs(x) < 1e6) else str(int(x))


def nested(x: Any) -> str:
    """Every entry, in brackets."""
    return f"[{', '.join(map(nested, x))}]" if x.ndim else number(x[()])


def summary(value: Any) -> str:
    """A value in one line.

    >>> import numpy as np
    >>> summary(np.arange(3.0)), summary(np.arange(100.0))
    ('[0, 1, 2]', '[0, 1, 2, ...] from 0 to 99')
    """
    x = np.asarray(value)
    if x.dtype == object:
        return clipped(str(value), 40)
    if x.size <= ENTRIES:
        return nested(x) if x.size else "empty"
    first = ", ".join(map(number, x.flat[:FIRST]))
    if x.dtype.kind == "c":
        return f"[{first}, ...]"
    if np.all(x == x.flat[0]):
        return f"all {number(x.flat[0])}"
    finite = x[np.isfinite(x)]
    span = f"from {number(finite.min())} to {number(finite.max())}" if finite.size else "none finite"
    missing = x.size - finite.size
    return f"[{first}, ...] {span}" + (f", {missing} not finite" if missing and finite.size else "")


def shaped(value: Any) -> str:
    """The shape in front, unless every entry is shown: ``(100,) [0, 1, 2, ...] from 0 to 99``."""
    return f"{np.shape(value)} {summary(value)}" if np.size(value) > ENTRIES else summary(value)


def clipped(text: str, width: int) -> str:
    """A text of one line and at most ``width`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def wrapped(text: str, indent: str, width: int = 100) -> list[str]:
    """A text in lines of at most ``width``, those after the first set in; words are left whole."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
