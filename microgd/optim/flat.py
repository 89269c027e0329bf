"""Flat: the parameters of one group and dtype, side by side in one buffer.

A hundred small parameters then cost one pass instead of a hundred. The values of the parameters are views of the
buffer, so an update in place moves the model; a value that was replaced from outside is taken in again before the
next step. The buffer is updated block by block, so that a rule's temporaries stay in the processor's cache and the
rule can be written as a plain formula; blocks do not overlap, so threads may share them out. This file does not know
any rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite
from sys import getrefcount
from typing import Any

import numpy as np

from microgd.core.tensor import Tensor
from microgd.errors import DtypeError, NonFiniteError, ShapeError

BLOCK = 65536  # entries; a few such arrays of doubles fit into a level-2 cache
SHARE = 16  # blocks that are worth a thread of their own, also where the rule is short and the numbers single


def pairs(array: Any) -> Any:
    """Complex numbers as pairs of real ones, which rules treat as two parameters, as PyTorch does."""
    return array.view(array.real.dtype) if array.dtype.kind == "c" else array


class Flat:
    """Values, optimizer state and step counts of some parameters."""

    def __init__(self, named: list[tuple[str, Tensor]]) -> None:
        self.names = [name for name, _ in named]
        self.params = [p for _, p in named]
        bounds = np.cumsum([0, *[p.size for p in self.params]])
        self.parts = [slice(int(start), int(stop)) for start, stop in pairwise(bounds)]
        self.values = np.empty(int(bounds[-1]), self.params[0].dtype)
        self.gathered = np.empty_like(self.values)
        self.state: dict[str, Any] = {}
        self.steps = [0] * len(self.params)
        self.held: list[Any] = [None] * len(self.params)
        self.take_in()

    def keep(self, initial: dict[str, float]) -> None:
        """Make the state arrays that a rule asks for and that are not there yet, filled with their first values."""
        for name, value in initial.items():
            if name not in self.state:
                self.state[name] = np.full_like(pairs(self.values), value).view(self.values.dtype)

    def take_in(self) -> None:
        """Make every parameter's value a view of the buffer, whatever it was set to since the last step.

        Values never change for anyone who holds one: if a graph, a list or a variable still has one of ours, it keeps
        the old buffer and the step goes on in a copy.
        """
        watched = self.watched()
        if watched:
            self.values = self.values.copy()
        for k, (p, part) in enumerate(zip(self.params, self.parts, strict=True)):
            if p.value is not self.held[k]:
                self.values[part] = np.reshape(p.value, -1)
                self.hold(k)
            elif watched:
                self.hold(k)

    def watched(self) -> bool:
        """Whether someone else holds the buffer or a value in it. References are counted: ours, and the one that
        counting takes."""
        views = sum(isinstance(value, np.ndarray) for value in self.held)
        if getrefcount(self.values) > views + 2:
            return True
        return any(
            isinstance(self.held[k], np.ndarray) and getrefcount(self.held[k]) > 2 + (p.value is self.held[k])
            for k, p in enumerate(self.params)
        )

    def hold(self, k: int) -> None:
        """Point parameter ``k`` at its part of the buffer; a NumPy scalar cannot be a view and is copied."""
        p = self.params[k]
        p.value = self.held[k] = self.values[self.parts[k]].reshape(p.shape)[()]

    def gradients(self) -> list[Any]:
        """The gradient of every parameter as a flat array, checked, or None where there is none."""
        with np.errstate(over="ignore", invalid="ignore"):
            return [self.checked(name, p) for name, p in zip(self.names, self.params, strict=True)]

    def checked(self, name: str, p: Tensor) -> Any:
        """One gradient, or the reason why no step can be made with it."""
        g = p.grad
        if g is None:
            return None
        if isinstance(g, Tensor):
            g = g.value
        if g.shape != p.shape:
            raise ShapeError(f"step: {name} has shape {p.shape}, its gradient {g.shape}")
        if g.dtype != p.dtype:
            raise DtypeError(f"step: {name} is {p.dtype}, its gradient {g.dtype}; convert one of them with .astype")
        g = np.ascontiguousarray(g).reshape(-1)
        numbers = pairs(g)
        # Sums of finite numbers may overflow, so a second look is needed. A product is the quickest first look, but
        # would leave the threads of BLAS spinning on the processors that a very large step needs.
        few = numbers.size < SHARE * BLOCK
        if not isfinite(numbers.dot(numbers) if few else np.add.reduce(numbers)) and not np.all(np.isfinite(g)):
            bad = g.size - np.count_nonzero(np.isfinite(g))
            raise NonFiniteError(
                f"step: the gradient of {name}, shape {p.shape}, has {bad} entries that are NaN or infinite; nothing "
                f"was updated. Lower the learning rate, or look for a division by zero or an overflow in the loss."
            )
        return g

    def blocks(self, gradients: list[Any]) -> Iterator[tuple[slice, Any, int]]:
        """The work of a step, cut into (part of the buffer, gradient, number of the step).

        Neighbours with small gradients and the same number are gathered, so that they share blocks.
        """
        runs: list[tuple[slice, Any, int]] = []
        for k, (part, g) in enumerate(zip(self.parts, gradients, strict=True)):
            if g is None:
                continue
            step = self.steps[k] + 1
            if g.size < BLOCK:
                self.gathered[part] = g
                last = runs[-1] if runs else None
                if last and last[1] is self.gathered and last[2] == step and last[0].stop == part.start:
                    runs.pop()
                    part = slice(last[0].start, part.stop)
                runs.append((part, self.gathered, step))
            else:
                runs.append((part, g, step))
        for part, g, step in runs:
            offset = 0 if g is self.gathered else part.start
            for start in range(part.start, part.stop, BLOCK):
                stop = min(start + BLOCK, part.stop)
                yield slice(start, stop), g[start - offset : stop - offset], step

    def publish(self, gradients: list[Any]) -> None:
        """Count the steps that were made, and hand out scalars; arrays are views and have moved already."""
        for k, g in enumerate(gradients):
            if g is not None:
                self.steps[k] += 1
                if not self.params[k].shape:
                    self.hold(k)
