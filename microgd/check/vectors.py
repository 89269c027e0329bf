"""Layout: a list of arrays as one real vector, and back; a complex number is its real and its imaginary part.

With inputs and outputs laid out like this every function is one from real vectors to real vectors, and neither the
numeric derivative nor the comparison needs to know of shapes, containers or complex numbers. In microgd's convention
the gradient dL/dx + i dL/dy is laid out in just the same places as x + iy. Nothing here knows a derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Array = Any


class Layout:
    """Where every entry of some named arrays stands."""

    def __init__(self, arrays: Sequence[Array], names: Sequence[str]) -> None:
        self.names = list(names)
        self.shapes = [x.shape for x in arrays]
        self.dtypes = [x.dtype for x in arrays]
        sizes = [x.size * self.width(k) for k, x in enumerate(arrays)]
        ends = np.cumsum([0, *sizes])
        self.slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.size = int(ends[-1])

    def width(self, k: int) -> int:
        """How many real numbers one entry of array ``k`` is."""
        return 2 if self.dtypes[k].kind == "c" else 1

    def pack(self, arrays: Sequence[Array]) -> Array:
        """The vector of these arrays; always a copy."""
        parts = [np.zeros(0)]
        for k, x in enumerate(arrays):
            wide = np.broadcast_to(np.asarray(x, np.complex128 if self.width(k) == 2 else np.float64), self.shapes[k])
            parts.append(np.ravel(wide).view(np.float64))
        return np.concatenate(parts)

    def unpack(self, vector: Array) -> list[Array]:
        """Fresh arrays with the numbers of a vector."""
        return [
            np.array(vector[part])
            .view(np.complex128 if self.width(k) == 2 else np.float64)
            .astype(self.dtypes[k])
            .reshape(self.shapes[k])[()]
            for k, part in enumerate(self.slices)
        ]

    def some(self, most: int, rng: np.random.Generator) -> Array:
        """All places, or ``most`` random ones: an even share of every array, small ones whole."""
        picked = np.zeros(0, int)
        parts = sorted(self.slices, key=lambda part: part.stop - part.start)
        for k, part in enumerate(parts):
            size, share = part.stop - part.start, (most - len(picked)) // (len(parts) - k)
            within = rng.choice(size, share, replace=False) if size > share else np.arange(size)
            picked = np.concatenate([picked, part.start + within])
        return np.sort(picked)

    def leaf(self, place: int) -> int:
        """Which array a place belongs to."""
        return next(k for k, part in enumerate(self.slices) if place < part.stop)

    def index(self, place: int) -> tuple[int, ...]:
        """The index within its array."""
        k = self.leaf(place)
        flat = (place - self.slices[k].start) // self.width(k)
        return tuple(int(n) for n in np.unravel_index(flat, self.shapes[k]))

    def name(self, place: int) -> str:
        """``x[1, 2]``, or ``x[1, 2], imaginary part``."""
        k, index = self.leaf(place), self.index(place)
        odd = self.width(k) == 2 and (place - self.slices[k].start) % 2
        text = f"{self.names[k]}[{', '.join(map(str, index))}]" if index else self.names[k]
        return f"{text}, imaginary part" if odd else text
