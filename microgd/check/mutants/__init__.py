"""Mutants: a library of planted mistakes, and the score of any checker on it.

Each ``Task`` is a function with somebody's derivative of one input, right or wrong. ``score(checker)`` counts the
mistakes that a checker accepts, the right derivatives it rejects and, if it names causes, how often it names the right
one. The checker sees nothing but what a user would give it. The tables are ``losses.toml`` and ``operations.toml``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgd.check.derivation import check_derivation, check_vjp
from microgd.check.mutants.problem import Problem, draw, problems, program

__all__ = ["LOSSES", "OPERATIONS", "PLAIN", "Problem", "Score", "Task", "diagnose", "score", "tasks"]

LOSSES, OPERATIONS = problems("losses"), problems("operations")
Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]
PLAIN = ("sign", "factor", "mean for sum", "ignores upstream", "upstream not multiplied")


@dataclass(frozen=True)
class Task:
    """One derivative to judge.

    Attributes:
        problem: what it is a derivative of. index: of which input.
        formula: the derivative as it was written. causes: what is wrong with it, by any of these names; empty if right.
        upstream: whether the derivative is a backward pass, claimed(g, *inputs), or a gradient, claimed(*inputs).
        habit: what happens to the formula's value before it is returned, if anything.
    """

    problem: Problem
    index: int
    formula: str
    causes: tuple[str, ...]
    upstream: bool
    habit: str = ""

    @property
    def name(self) -> str:
        return f"{self.problem.name}, d{list(self.problem.inputs)[self.index]} = {self.formula} {self.habit}".strip()

    @property
    def function(self) -> Callable[..., Any]:
        return program(self.problem.name, list(self.problem.inputs), self.problem.function)

    def claimed(self) -> Callable[..., Any]:
        """The derivative of the one input, with a memory of its own."""
        parameters = [*(["g"] if self.upstream else []), *self.problem.inputs]
        claim = program(self.problem.name, parameters, f"{self.problem.given}; {self.formula}")
        return HABITS[self.habit][1](claim) if self.habit else claim

    def inputs(self, seed: int) -> tuple[Any, ...]:
        rng = np.random.default_rng([seed, *self.problem.name.encode()])
        return tuple(draw(kind, rng) for kind in self.problem.inputs.values())

    def alone(self, inputs: tuple[Any, ...]) -> tuple[Callable[..., Any], Callable[..., Any], Any]:
        """(f, claimed, x): the same as a function of the one input, with claimed(g, x)."""
        f, claim = self.function, self.claimed()
        given = lambda x: (*inputs[: self.index], x, *inputs[self.index + 1 :])

        def claimed(g: Any, x: Any) -> Any:
            if self.upstream:
                return claim(g, *given(x))
            value = claim(*given(x))
            return np.asarray(g * value).astype(np.asarray(value).dtype)[()]

        return lambda x: f(*given(x)), claimed, inputs[self.index]


def previous(claim: Callable[..., Any]) -> Callable[..., Any]:
    """Hands out the answer of the call before."""
    kept: list[Any] = []

    def late(*inputs: Any) -> Any:
        kept.append(claim(*inputs))
        return kept[-2] if len(kept) > 1 else 0 * kept[-1]

    return late


def kept(claim: Callable[..., Any]) -> Callable[..., Any]:
    """Computes once and hands that out forever."""
    memory: list[Any] = []

    def first(*inputs: Any) -> Any:
        memory.extend([claim(*inputs)] if not memory else [])
        return memory[0]

    return first


def noisy(claim: Callable[..., Any]) -> Callable[..., Any]:
    rng = np.random.default_rng(0)
    return lambda *inputs: claim(*inputs) * rng.uniform(0.9, 1.1)


def after(change: Callable[[Any], Any]) -> Wrapper:
    """Changes the value before it is returned."""
    return lambda claim: lambda *inputs: change(np.asarray(claim(*inputs)))[()]


HABITS: dict[str, tuple[str, Wrapper]] = {  # what it is called by a checker, and how it comes about
    "from the call before": ("stale", previous),
    "from the first call": ("stale", kept),
    "times a random number": ("nondeterministic", noisy),
    "in single precision": ("dtype", after(lambda value: value.astype(np.float32))),
    "in whole numbers": ("dtype", after(lambda value: value.astype(int))),
    "with an axis too many": ("shape", after(lambda value: value[None])),
    "with ones for g": ("ignores upstream", lambda claim: lambda g, *inputs: claim(np.ones_like(g), *inputs)),
    "over zero": ("not finite", after(lambda value: value / np.zeros(()))),
}
CARRIERS = (
    "power",
    "chain rule",
    "mean squared error, mean",
    "sigmoid neuron",
    "softmax cross-entropy",
    "tanh",
    "softmax",
)


def tasks() -> Iterator[Task]:
    """Every derivative of the library: what the tables say, with signs turned and upstream gradients forgotten too."""
    for upstream, table in ((False, LOSSES), (True, OPERATIONS)):
        for problem in table:
            for name, forms in problem.right.items():
                index = list(problem.inputs).index(name)
                for form in forms:
                    yield Task(problem, index, form, (), upstream)
                wrong = [*problem.wrong.get(name, []), ("sign", f"-({forms[0]})")]
                for causes, form in wrong:
                    yield Task(problem, index, form, tuple(causes.split("|")), upstream)
                for habit, (cause, _) in HABITS.items():
                    if upstream if cause == "ignores upstream" else problem.name in CARRIERS:
                        yield Task(problem, index, forms[0], (cause,), upstream, habit)


@dataclass
class Score:
    """What a checker did with the library.

    Attributes:
        wrong, right: how many judgements of wrong and of right derivatives there were.
        accepted: (task, seed) of mistakes taken for right; rejected: of right ones taken for wrong.
        named: by cause, how often the cause was named right; asked: by cause, how often it could have been.
        missed: (task, seed, cause that was named) of mistakes that were noticed and not understood.
        sure: (confidence, whether the cause was right), for every cause that was named.
    """

    wrong: int = 0
    right: int = 0
    accepted: list[tuple[Task, int]] = field(default_factory=list)
    rejected: list[tuple[Task, int]] = field(default_factory=list)
    named: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[Task, int, str]] = field(default_factory=list)
    sure: list[tuple[float, bool]] = field(default_factory=list)

    def share(self, causes: Iterable[str]) -> float:
        """How often one of these causes was named where it was right."""
        causes = list(causes)
        return sum(self.named[c] for c in causes) / max(sum(self.asked[c] for c in causes), 1)

    @property
    def plain(self) -> float:
        return self.share(PLAIN)

    @property
    def rest(self) -> float:
        return self.share(set(self.asked) - {*PLAIN, "unknown"})

    def __str__(self) -> str:
        lines = [
            f"accepted {len(self.accepted)} of {self.wrong} mistakes",
            f"rejected {len(self.rejected)} of {self.right} truths",
        ]
        if self.named:
            lines.append(f"cause named right: {self.plain:.1%} of plain faults, {self.rest:.1%} of the rest")
            lines += [f"  {cause}: {self.named[cause]} of {self.asked[cause]}" for cause in sorted(self.asked)]
        return "\n".join(lines)


def diagnose(task: Task, inputs: tuple[Any, ...]) -> Any:
    """microgd's own checkers on a task as it stands, with every input in sight."""
    claim, count = task.claimed(), len(inputs)
    if not task.upstream:
        return check_derivation(task.function, claim, *inputs, argnums=task.index)
    if count == 1:
        return check_vjp(task.function, claim, *inputs)
    return check_vjp(
        task.function, lambda *given: [claim(*given) if k == task.index else None for k in range(count)], *inputs
    )


def score(
    checker: Callable[..., Any] | None = None, seeds: Iterable[int] = range(2), only: Iterable[Task] | None = None
) -> Score:
    """Grade a checker on the library of planted mistakes.

    Args:
        checker: called like ``check_vjp``, as checker(f, claimed, x) with claimed(g, x), on functions of one array. It
            returns whether the claim is right, as something true or false, or as something with ``.ok``, ``.cause``
            and ``.confidence``. By default microgd's own, which also see the other inputs.
        seeds: the inputs are drawn anew for each.
        only: some of ``tasks()``, instead of all.

    >>> from microgd.check import mutants
    >>> trusting = mutants.score(lambda f, claimed, x: True, seeds=[0])
    >>> len(trusting.accepted) == trusting.wrong, len(trusting.rejected)
    (True, 0)
    """
    result = Score()
    chosen = list(tasks() if only is None else only)
    for seed in seeds:
        for task in chosen:
            with np.errstate(all="ignore"):
                inputs = task.inputs(seed)
                answer = diagnose(task, inputs) if checker is None else checker(*task.alone(inputs))
            ok = bool(getattr(answer, "ok", answer))
            if not task.causes:
                result.right += 1
                result.rejected += [] if ok else [(task, seed)]
                continue
            result.wrong += 1
            result.accepted += [(task, seed)] if ok else []
            if not hasattr(answer, "cause"):
                continue
            result.asked[task.causes[0]] += 1
            hit = answer.cause in task.causes
            result.named[task.causes[0]] += hit
            if answer.cause != "unknown":
                result.sure.append((answer.confidence, hit))
            if not hit:
                result.missed.append((task, seed, answer.cause))
    return result
