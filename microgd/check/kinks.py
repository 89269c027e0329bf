"""Kinks: which branch every operation takes, and where two runs part.

At a kink (relu at 0, the two largest of a maximum, the bound of a clip, an ``if`` of the user's own) a function has
no derivative, and a difference across one means nothing. A ``Path`` is the run of a function as a sequence of
operations, each with the branch that it took; two points on the same side of every kink have the same path. What a
disagreement means is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from microgd.core.box import innermost
from microgd.core.watch import Origin, Watcher, origin, watching
from microgd.ops.norms import length
from microgd.ops.special import relu

Array = Any


def sign(x: Array) -> Array:
    """-1, 0 or 1; of complex numbers only whether they are 0."""
    return x == 0 if np.iscomplexobj(x) else np.sign(x)


def compared(x: Array, y: Array, *_: Array) -> Array:
    """Which of two is larger, or that they are equal; complex numbers in NumPy's order."""
    return np.greater(x, y).astype(int) - np.less(x, y)


def region(x: Array, low: Array, high: Array) -> Array:
    """Below, at, between, at, above the bounds of a clip."""
    bounds = [compared(x, bound) for bound in (low, high) if bound is not None]
    return sum(np.broadcast_to(b, np.shape(x + sum(bounds))) * 3**k for k, b in enumerate(bounds))


def reaches(x: Array, ans: Array, axis: Any, keepdims: bool) -> Array:
    """Which entries are the extreme ones."""
    return x == (ans if keepdims or axis is None else np.expand_dims(ans, axis))


Branch = Callable[[Any, dict[str, Any], Array], Array]
of_first: Branch = lambda operands, params, ans: sign(operands[0])
of_second: Branch = lambda operands, params, ans: sign(operands[1])
of_two: Branch = lambda operands, params, ans: compared(*operands)
of_floor: Branch = lambda operands, params, ans: np.floor_divide(*operands)
of_power: Branch = lambda operands, params, ans: (
    sign(operands[0]) if not np.all(np.asarray(operands[1]) == np.abs(np.rint(np.real(operands[1])))) else ()
)
of_answer: Branch = lambda operands, params, ans: ans

BRANCHES: dict[Callable[..., Any], Branch] = {
    **dict.fromkeys((relu, np.absolute, np.fabs, np.sqrt, np.cbrt, np.reciprocal), of_first),
    **dict.fromkeys((np.divide, np.copysign), of_second),
    **dict.fromkeys((np.maximum, np.minimum, np.fmax, np.fmin), of_two),
    **dict.fromkeys((np.remainder, np.fmod), of_floor),
    **dict.fromkeys((np.power, np.float_power), of_power),
    **dict.fromkeys((np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix, np.floor_divide, np.heaviside), of_answer),
    np.sign: of_first,
    **dict.fromkeys((np.hypot, length), lambda operands, params, ans: ans == 0),
    np.arctan2: lambda operands, params, ans: np.where(operands[1] < 0, sign(operands[0]), ans == 0),
    np.clip: lambda operands, params, ans: region(*operands),
    np.where: lambda operands, params, ans: operands[0],
    np.max: lambda operands, params, ans: reaches(operands[0], ans, **params),
    np.min: lambda operands, params, ans: reaches(operands[0], ans, **params),
}
"""For operations with kinks, what stays the same as long as none is crossed."""

NAMES = {length: "norm"}
"""Operations that nobody calls by the name of their row."""


@dataclass
class Path(Watcher):
    """The operations of one run in order, as (name, branch), and where in the program each was written."""

    steps: list[tuple[str, bytes]] = field(default_factory=list)
    origins: list[Origin | None] = field(default_factory=list)
    precisions: set[np.dtype[Any]] = field(default_factory=set)
    caller: Origin | None = None

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        """Note one operation."""
        answer = innermost(answer)
        branch = BRANCHES.get(row.function)
        with np.errstate(all="ignore"):
            if branch is not None:
                found = branch([innermost(x) for x in operands], params, answer)
            else:  # an order, a comparison, a number of entries: whatever is made of whole numbers is a branch
                found = answer if np.asarray(answer).dtype.kind in "biu" else ()
        self.steps.append((NAMES.get(row.function, row.name), np.asarray(found).tobytes()))
        self.origins.append(origin())
        if isinstance(answer, np.ndarray | np.inexact) and answer.dtype.kind in "fc":
            self.precisions.add(answer.dtype)

    def parting(self, other: Path) -> int | None:
        """The first operation where another run takes another branch; None if there is none."""
        for k, (mine, theirs) in enumerate(zip(self.steps, other.steps, strict=False)):
            if mine != theirs:
                return k
        return None if len(self.steps) == len(other.steps) else min(len(self.steps), len(other.steps)) - 1

    def crossing(self, others: list[Path]) -> tuple[str, str, str] | None:
        """Of the first operation that parts from any of the others: its name, the expression, and the place."""
        found = [k for k in map(self.parting, others) if k is not None]
        if not found:
            return None
        name, at = self.steps[min(found)][0], self.origins[min(found)]
        return (name, at.text or name, at.place) if at and at != self.caller else (name, name, "")


class Kink(NamedTuple):
    """One entry that stands on a kink, or closer to one than the step of the numeric derivative.

    Attributes:
        entry: of the input. operation: the function with the kink. expression, place: as written, and where.
        distance: the smallest step that crosses it; 0.0 if every step does.
    """

    entry: str
    operation: str
    expression: str
    place: str
    distance: float

    def __str__(self) -> str:
        where = f"`{self.expression}`" + (f" ({self.place})" if self.place else "")
        near = f"within {self.distance:.2g} of" if self.distance else "on"
        return f"{self.entry} is {near} a kink of {self.operation}: {where}"


def walk(run: Callable[[], Any]) -> Path:
    """The path of one run."""
    path = Path()
    with watching(path):
        path.caller = origin()
        run()
    return path
