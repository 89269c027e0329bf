"""Exercises: a function and its derivative by hand, compared at points that nobody knows beforehand.

The decorator ``exercise`` pairs the two in an ordinary Python file; the decorated function stays what it was.
``attempt`` draws points from a seed, lets ``check_derivation`` judge the answer at each, and sums up in a ``Result``.
What goes wrong inside the learner's own code is a result too: told in a sentence, with their lines and none of ours.
This file knows nothing of processes, time limits and terminals.
"""

from __future__ import annotations

import inspect
import os
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from microgd.check.derivation import check_derivation
from microgd.check.diagnosis import Diagnosis, row_text
from microgd.check.trial import expect_functions
from microgd.core.tree import leaves_of
from microgd.core.watch import Watcher, watching
from microgd.errors import OptionError

POINTS = 5
ENOUGH = 3  # wrong points; to find their cause takes longer than to see that they are wrong
ROWS = 8  # of the table of entries; what a person reads
FRAMES = 3  # of a traceback; a deep recursion has a thousand
LONGEST = 1000  # characters of an exception's message

Function = Callable[..., Any]


class TimeUp(BaseException):
    """The time limit, raised where the program is just then; not an ``Exception``, so that few handlers swallow it."""


@dataclass(frozen=True)
class Exercise:
    """A function, the derivative somebody wrote for it, and how to draw the points."""

    of: Function
    by_hand: Function
    inputs: Callable[[np.random.Generator], Any]
    argnums: int | Sequence[int]
    hints: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the function that the learner writes."""
        return str(getattr(self.by_hand, "__name__", self.by_hand))

    def point(self, seed: int, k: int) -> tuple[Any, ...]:
        """The inputs of the k-th point; they do not depend on the other exercises of a file."""
        inputs = self.inputs(np.random.default_rng([seed, zlib.crc32(self.name.encode()), k]))
        return inputs if isinstance(inputs, tuple) else (inputs,)


@dataclass
class Finding:
    """What the points say of one derivative; ``cause`` and ``confidence`` as in ``Diagnosis``.

    ``wrong`` counts the points that disagree; ``point`` is one of them, and ``table`` holds its entries.
    """

    name: str
    wrong: int = 0
    cause: str | None = None
    verdict: str = ""
    confidence: float = 1.0
    point: str = ""
    table: list[tuple[str, ...]] = field(default_factory=list)


@dataclass
class Result:
    """How one exercise went.

    ``state`` is "passed", "failed", "not done", "crashed" or "timed out"; ``verdict`` says the rest in a sentence, and
    ``where`` shows the learner's lines that led to an exception. ``findings`` has one entry per input to differentiate
    by; where several are wrong, ``cause`` and ``verdict`` are those of the surest.
    """

    name: str
    state: str
    verdict: str = ""
    cause: str | None = None
    where: str = ""
    points: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0


def exercise(
    of: Function,
    *,
    inputs: Callable[[np.random.Generator], Any],
    argnums: int | Sequence[int] = 0,
    hints: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Pair a function with the derivative that is written below, for ``microgd check FILE`` to compare.

    by_hand(*inputs) = d of(*inputs) / d inputs[argnums]

    Args:
        of: the function; its value is one real number.
        inputs: rng -> the inputs of one point, a tuple or a single one; ``rng`` is a ``numpy.random.Generator``.
        argnums: position of the input to differentiate by; for several, the answer is a tuple.
        hints: from a nudge to nearly all of it; shown level by level.

    Returns:
        a decorator that leaves the function as it is. The exercise counts as not done while the function returns
        ``...`` or None, or raises ``NotImplementedError``.

    Raises:
        OptionError: ``of`` or ``inputs`` is not a function; ``hints`` is one text.

    >>> from microgd.check import exercise
    >>> @exercise(of=lambda x: x**3, inputs=lambda rng: rng.normal(), hints=["The exponent comes down."])
    ... def slope(x):
    ...     return 3 * x**2
    >>> slope(2.0)
    12.0
    """
    expect_functions("exercise", of=of, inputs=inputs)
    if isinstance(hints, str):
        raise OptionError(f"exercise: hints={hints!r} is one text; give a list of them, hints=[...]")

    def pair(by_hand: Function) -> Function:
        by_hand.exercise = Exercise(of, by_hand, inputs, argnums, tuple(hints))  # type: ignore[attr-defined]
        return by_hand

    return pair


def exercises_of(module: ModuleType) -> list[Exercise]:
    """The exercises in a module, in the order they stand there."""
    found = [getattr(thing, "exercise", None) for thing in vars(module).values()]
    return [each for each in found if isinstance(each, Exercise)]


def attempt(task: Exercise, seed: int, path: str) -> Result:
    """Check one exercise of the file ``path`` at hidden points."""
    started = time.perf_counter()
    try:
        result = examine(task, seed)
    except BaseException as error:  # whatever a learner's code may throw: sys.exit() and KeyboardInterrupt as well
        state = "timed out" if isinstance(error, TimeUp) else "crashed"
        verdict, where = complaint(error, path)
        result = Result(task.name, state, verdict if where else f"It could not be checked: {verdict}", where=where)
    result.seconds = time.perf_counter() - started
    return result


def examine(task: Exercise, seed: int) -> Result:
    """The answer at every point, and what ``check_derivation`` finds wrong with it."""
    if objection := rehearse(task, task.point(seed, 0), task.point(seed, 0)):
        return objection
    names = inspect.signature(task.of).parameters
    seen: dict[str, list[Judged]] = {}
    points = wrong = 0
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # what it prints is read once, not at every call
        while points < POINTS and wrong < ENOUGH:
            inputs = task.point(seed, points)
            diagnosis = check_derivation(task.of, task.by_hand, *inputs, argnums=task.argnums)
            points, wrong = points + 1, wrong + (not diagnosis.ok)
            for part in diagnosis.parts or (diagnosis,):
                seen.setdefault(part.name, []).append(Judged(part, dict(zip(names, inputs, strict=False))))
    findings = [finding(name, judged) for name, judged in seen.items()]
    if not wrong:
        return Result(task.name, "passed", points=points, findings=findings)
    surest = max((each for each in findings if each.wrong), key=lambda each: each.confidence)
    return Result(task.name, "failed", surest.verdict, surest.cause, points=points, findings=findings)


def rehearse(task: Exercise, inputs: tuple[Any, ...], untouched: tuple[Any, ...]) -> Result | None:
    """One call of the answer; a result if there is nothing in it that could be compared."""
    tensors = Tensors()
    try:
        with watching(tensors):
            answer = task.by_hand(*inputs)
    except NotImplementedError:
        answer = None
    wanted = 1 if isinstance(task.argnums, int) else len(task.argnums)
    parts = [answer] if isinstance(task.argnums, int) or not np.iterable(answer) else list(answer)
    if any(part is None or part is ... for part in parts):
        return Result(task.name, "not done", "It does not return an answer yet, or not all of it.")
    if tensors.seen:
        verdict = "The answer was computed by automatic differentiation; write it by hand, in plain NumPy."
        return Result(task.name, "failed", verdict, "not by hand")
    if len(parts) != wanted:
        verdict = f"Expected {wanted} derivatives, as a tuple in the order of the inputs; got {len(parts)}."
        return Result(task.name, "failed", verdict, "shape")
    if not all(map(numeric, parts)):
        return Result(task.name, "failed", f"Expected numbers, got {type(answer).__name__}: {answer!r:.100}", "dtype")
    if not all(map(np.array_equal, leaves_of(inputs), leaves_of(untouched))):
        verdict = "It changes its inputs in place (x -= ... or x[i] = ...), and so for everyone who uses them."
        return Result(task.name, "failed", verdict, "changes its inputs")
    return None


def numeric(x: Any) -> bool:
    """Whether it is a number or an array, or a container of them."""
    try:
        return np.asarray(x).dtype.kind in "biufc"
    except ValueError:  # a list of arrays of several shapes
        return all(map(numeric, x))


class Tensors(Watcher):
    """Notices operations on tensors: a derivative by hand, called with plain arrays, has none."""

    seen = False

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        self.seen = True


class Judged(NamedTuple):
    """What is said of one derivative at one point."""

    diagnosis: Diagnosis
    inputs: dict[str, Any]


def finding(name: str, judged: list[Judged]) -> Finding:
    """One verdict for all points: a cause is named only if it is the same at all that are wrong."""
    wrong = [each for each in judged if not each.diagnosis.ok]
    if not wrong:
        return Finding(name)
    clearest = lambda each: (each.diagnosis.confidence, -each.diagnosis.verdict.count(" or "))
    shown = max(wrong, key=clearest)
    said = shown.diagnosis.cause, shown.diagnosis.verdict, shown.diagnosis.confidence
    if any(each.diagnosis.cause != shown.diagnosis.cause for each in wrong):
        said = "unknown", "Nothing explains all points together.", 0.0
    elif shown.diagnosis.cause == "factor" and not one_factor(wrong):
        said = "unknown", "It is a multiple of the true derivative, but by another factor at every point.", 0.0
    point = ", ".join(f"{name} {short(np.asarray(x))}" for name, x in shown.inputs.items())
    return Finding(name, len(wrong), *said, point, [row_text(row) for row in shown.diagnosis.table[:ROWS]])


def one_factor(judged: list[Judged]) -> bool:
    """Whether claimed / true is one constant at all points, or one constant times or over some length, such as m."""
    ratios = np.array([each.diagnosis.table[0].ratio for each in judged])
    lengths = zip(*([1, *(n for x in each.inputs.values() for n in np.shape(x))] for each in judged), strict=False)
    constant = lambda x: np.allclose(x, x[0], rtol=1e-6, atol=0)
    return any(constant(ratios * n) or constant(ratios / n) for n in map(np.array, lengths))


def short(x: Any) -> str:
    """An array on a line."""
    if x.size > ROWS or x.ndim > 1:
        return f"of shape {x.shape}"
    return f"= {x:.4g}" if x.ndim == 0 else f"= {np.array2string(x, precision=3, suppress_small=True)}"


def complaint(error: BaseException, path: str) -> tuple[str, str]:
    """An exception in a sentence, and the lines of the file ``path`` that led to it."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    lines = [
        f"line {frame.lineno}, in {frame.name}\n    {frame.line}" for frame in told.stack if frame.filename == path
    ]
    sentence = f"{type(error).__name__}: {told}".removesuffix(": ")
    if isinstance(error, SyntaxError) and error.filename == path:
        sentence = f"{type(error).__name__}: {error.msg}"
        lines = [f"line {error.lineno}\n    {(error.text or '').strip()}"]
    elif isinstance(error, SystemExit):
        sentence = "It ends the whole program (sys.exit, quit); an exercise only returns its answer."
    elif isinstance(error, TypeError) and ("'bitwise_xor'" in sentence or " ^: " in sentence):
        sentence += "; a power is written ** in Python, not ^"
    elif isinstance(error, TimeUp):
        sentence = f"Not finished within {error} s."
    return sentence[:LONGEST], "\n".join(list(dict.fromkeys(lines))[-FRAMES:])
