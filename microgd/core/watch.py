"""Watching: how diagnostics see every operation, at no cost to anyone who does not watch.

A ``Watcher`` is told of each operation on tensors and of each step of a backward pass, but only in the context
(thread, asyncio task) that watches. While somebody watches, nodes also remember their ``Origin``: the line of the
user's program that asked for them, and the very expression on it. This file knows nothing of nodes or of arrays.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy

LIBRARY = tuple(str(Path(file).parent) + os.sep for file in (Path(__file__).parent, numpy.__file__))
LAYERS = str(Path(__file__).parents[1] / "nn" / "layers.py")


class Origin(NamedTuple):
    """A place in a user's program: cheap to note, and looked up in the source only when asked."""

    code: CodeType
    instruction: int
    line: int
    layer: Origin | None = None  # the place in one of the library's own layers, where one was called from there

    @property
    def place(self) -> str:
        """``file.py:12 in loss``."""
        return f"{Path(self.code.co_filename).name}:{self.line} in {self.code.co_name}"

    @property
    def text(self) -> str:
        """The expression as it was written, or the whole line where Python does not know the columns."""
        lines = linecache.getlines(self.code.co_filename)
        positions = list(self.code.co_positions())[self.instruction // 2]
        first, last, start, stop = positions
        if first is None or last is None or not lines[first - 1 : last]:
            return lines[self.line - 1].strip() if lines[self.line - 1 : self.line] else ""
        piece = [line.rstrip("\n").encode() for line in lines[first - 1 : last]]
        piece[-1] = piece[-1][:stop]
        piece[0] = piece[0][start:]
        return " ".join(part.decode().strip() for part in piece)


class Watcher:
    """Told of what happens; the methods do nothing until they are overridden."""

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        """After an operation: its row in the table, the operands and the answer as plain values."""

    def arrived(self, node: Any, cotangent: Any) -> None:
        """On the way back, when all that comes to a node from above has been added up."""

    def backward(self, node: Any, operand: int, cotangent: Any, result: Any) -> None:
        """After a rule was applied on the way back: what came from above, and what goes on to one operand."""

    def tangent(self, row: Any, operands: Any, tangents: Any, result: Any) -> None:
        """After a rule was applied in forward mode; a tangent is None where an operand is constant."""

    def cut(self, node: Any, how: str) -> None:
        """When a value is taken out of the graph that it has a node in."""


class Recorder(Watcher):
    """Notes where values leave the graph; that nodes note their lines needs no more than somebody who watches."""

    def __init__(self) -> None:
        self.cuts: list[tuple[Any, str, Origin | None]] = []

    def cut(self, node: Any, how: str) -> None:
        """Note the place."""
        self.cuts.append((node, how, origin()))


watchers: list[Watcher] = []
"""Everyone who watches, in any context: empty in ordinary use, which is all that the hot path looks at."""

mine: ContextVar[tuple[Watcher, ...]] = ContextVar("mine", default=())


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tell ``watcher`` of everything that happens inside, in this context."""
    watchers.append(watcher)
    token = mine.set((*mine.get(), watcher))
    try:
        yield
    finally:
        watchers.remove(watcher)
        mine.reset(token)


@contextmanager
def record_lines() -> Iterator[None]:
    """Let every tensor made inside remember the line and the expression it came from, and note where chains break.

    >>> import microgd as mg
    >>> with mg.record_lines():
    ...     x = mg.tensor(2.0, requires_grad=True)
    ...     y = x * x
    """
    recorder = Recorder()
    last_cuts.set(recorder.cuts)
    with watching(recorder):
        yield


# The (node, how, where) of the last recording in this context; None if there was none.
last_cuts: ContextVar[list[tuple[Any, str, Origin | None]] | None] = ContextVar("last_cuts", default=None)


def tell(what: str, *known: Any) -> None:
    """Call this method of all who watch in this context."""
    for watcher in mine.get():
        getattr(watcher, what)(*known)


def origin() -> Origin | None:
    """The innermost place outside this package and NumPy, if this context watches."""
    if not mine.get():
        return None
    frame, layer = sys._getframe(1), None
    while frame.f_back and frame.f_code.co_filename.startswith(LIBRARY):
        if layer is None and frame.f_code.co_filename == LAYERS:
            layer = Origin(frame.f_code, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return Origin(frame.f_code, frame.f_lasti, frame.f_lineno, layer)
