"""Trial: a function, somebody's derivative of it, and the inputs; called together at one point or another.

A ``Run`` is one point with everything that is true and claimed there. Points nearby keep what a formula may rely on:
zeros, symmetry, rows that sum to one. Whatever is called gets copies. What a disagreement means is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from microgd.check.evidence import Graph, Sample
from microgd.check.numeric import central, step, tolerance
from microgd.core.box import innermost
from microgd.core.tape import conjugate
from microgd.core.tensor import differentiable
from microgd.core.tree import flatten, leaves_of, tree_map
from microgd.errors import DtypeError, GraphError, OptionError

Array = Any
SPREADS = (0.3, 0.05, 0.005)


@dataclass
class Run:
    """One point with a cotangent: what is true there and what was claimed, by leaf of the inputs."""

    leaves: list[Any]
    graph: Graph
    seeds: list[Array]
    claims: dict[int, Array]

    @cached_property
    def roots(self) -> dict[int, Array]:
        found: dict[int, Array] = {}
        for root, g in zip(self.graph.roots, self.seeds, strict=True):
            if root is not None:
                found[root] = found.get(root, 0) + conjugate(g)
        return found

    @cached_property
    def cotangents(self) -> dict[int, Array]:
        return self.graph.pull(self.roots)

    def true(self, leaf: int) -> Array:
        found = self.cotangents.get(self.graph.leaves[leaf])
        return np.zeros_like(self.leaves[leaf]) if found is None else conjugate(found)


class Trial:
    """The function, the claim and the inputs, with everything that is needed to call them again elsewhere."""

    def __init__(self, f: Callable[..., Any], answer: Callable[..., dict[int, Any]], inputs: Any, random: Any) -> None:
        self.f, self.answer, self.random = f, answer, random
        entries, self.build = flatten(tree_map(innermost, inputs))
        self.paths = [(int(path[1 : path.index("]")]), path[path.index("]") + 1 :]) for path, _ in entries]
        self.given = [np.asarray(x)[()] if differentiable(np.asarray(x)) else x for _, x in entries]
        self.floats = [differentiable(np.asarray(x)) for x in self.given]
        self.leaves = [doubled(x) if pick else x for x, pick in zip(self.given, self.floats, strict=True)]
        names = parameter_names(f, len(inputs))
        self.names = [names[n] + path for n, path in self.paths]
        with np.errstate(all="ignore"):
            out = f(*self.copies(self.given))
            found, self.build_out = flatten(out)
        self.outputs = [np.asarray(innermost(x)) for _, x in found]
        if not self.outputs or any(x.dtype.kind not in "biufc" for x in self.outputs):
            raise GraphError(f"{getattr(f, '__name__', f)} returns {described(out)}; expected numbers to differentiate")
        if random is None and [x.shape for x in self.outputs] != [()]:
            raise GraphError(
                f"check_derivation: expected a function with a scalar output, got shapes "
                f"{', '.join(str(x.shape) for x in self.outputs)}; reduce it to a loss, or use check_vjp."
            )
        self.chosen = self.floats

    def copies(self, leaves: list[Any]) -> Any:
        """The inputs made of these leaves; copies, so that nobody can write into ours."""
        return self.build([np.array(x)[()] if pick else x for x, pick in zip(leaves, self.floats, strict=True)])

    def seeds(self) -> list[Array]:
        """Cotangents for every output: random ones, or 1 for a loss."""
        if self.random is None:
            return [np.ones((), x.dtype)[()] for x in self.outputs]
        return [self.random.normal(size=x.shape).astype(x.dtype)[()] for x in self.outputs]

    def graph(self, leaves: list[Any]) -> Graph:
        with np.errstate(all="ignore"):
            return Graph(self.f, self.copies(leaves), self.chosen)

    def claims(self, leaves: list[Any], seeds: list[Array]) -> dict[int, Array]:
        """What is claimed, by leaf."""
        with np.errstate(all="ignore"):
            parts = self.answer(self.build_out([np.array(g)[()] for g in seeds]), *self.copies(leaves))
        found = {}
        for n, part in parts.items():
            if not any(pick for (owner, _), pick in zip(self.paths, self.floats, strict=True) if owner == n):
                raise DtypeError(
                    f"input {n}: expected floating-point numbers to differentiate; convert with dtype=float"
                )
            mine = [(leaf, path) for leaf, (owner, path) in enumerate(self.paths) if owner == n and self.floats[leaf]]
            if [path for _, path in mine] == [""]:
                found[mine[0][0]] = numbers(part)
                continue
            got = dict(flatten(part)[0])
            if missing := [path for _, path in mine if path not in got]:
                has = list(got) or described(part)
                raise StructureError(
                    "shape", f"claimed gives no gradient for {', '.join(missing)} of input {n}; got {has}."
                )
            found.update({leaf: numbers(got[path]) for leaf, path in mine})
        if not found:
            raise StructureError("shape", "The claim gives no gradient of any input: is a `return` missing?")
        return found

    def run(self, leaves: list[Any], seeds: list[Array] | None = None) -> Run:
        seeds = [doubled(g) for g in seeds or self.seeds()]
        return Run(leaves, self.graph(leaves), seeds, self.claims(leaves, seeds))

    def slope(self, run: Run, leaf: int, d: Array) -> float:
        """The slope of <g, f> along ``d`` in one leaf, by central differences."""
        x = run.leaves[leaf]

        def line(t: float) -> Array:
            outs = leaves_of(self.f(*self.copies([*run.leaves[:leaf], x + t * d, *run.leaves[leaf + 1 :]])))
            return sum(np.vdot(g, innermost(out)).real for g, out in zip(run.seeds, outs, strict=True))

        return float(central(line, step(np.max(np.abs(x), initial=0))).value)

    def shifted(self, run: Run, leaf: int, rng: np.random.Generator) -> Run:
        """A run so close that only what jumps can have changed."""
        x = run.leaves[leaf]
        move = 1e-4 * max(1.0, float(np.max(np.abs(x), initial=0))) * rng.normal(size=np.shape(x))
        return self.run([*run.leaves[:leaf], x + move, *run.leaves[leaf + 1 :]])

    def sample(self, run: Run, leaf: int) -> Sample:
        rerun = lambda leaves: Graph(self.f, self.copies(leaves), self.chosen)
        return Sample(
            run.graph, run.cotangents, run.leaves, run.roots, conjugate(run.claims[leaf]), run.claims, leaf, rerun
        )

    def lengths(self, graph: Graph) -> dict[int, str]:
        """The lengths that constants may be made of: m for what is summed or for the first axis, then n, p, q..."""
        shapes = [np.shape(x) for x in self.leaves] + [graph.shape_of(k) for k in range(len(graph.nodes))]
        found = [*graph.groups(), *(shape[0] for shape in shapes if shape), *(n for shape in shapes for n in shape)]
        found += [int(np.prod(shape)) for shape in shapes]
        return dict(zip([n for n in dict.fromkeys(found) if n > 1], "mnpqrstuvw", strict=False))

    def moved(self, rng: np.random.Generator, claimed: list[int]) -> Run | None:
        """A run with the claimed leaves nearby, at the first distance where everything is finite."""
        for spread in SPREADS:
            leaves = list(self.leaves)
            for leaf in claimed:
                leaves[leaf] = nearby(leaves[leaf], rng, spread)
            try:
                run = self.run(leaves)
            except (ValueError, ArithmeticError, IndexError, LinAlgError):
                continue
            if all(np.isfinite(x).all() for x in [*run.graph.outputs, *map(run.true, claimed)]):
                return run
        return None


class StructureError(Exception):
    """(cause, sentence): a claim that is not made of numbers, or not in the containers of the inputs."""


def numbers(part: Any) -> Array:
    """A claimed gradient as an array."""
    if type(part) is int and part == 0:
        part = 0.0  # written as 0, and no fraction that was cut off
    try:
        found = np.asarray(innermost(part))
    except ValueError:  # rows of several lengths
        found = np.asarray(None)
    if found.dtype.kind not in "biufc":
        raise StructureError("dtype", f"Expected the numbers of a gradient, got {described(part)}.")
    return found


def described(x: Any) -> str:
    """What was returned in place of what was expected, in words."""
    if x is None:
        return "None (is a `return` missing?)"
    if x is ...:
        return "`...` (is it not done yet?)"
    return f"a {type(x).__name__} of {len(x)}" if isinstance(x, tuple | list) else f"{type(x).__name__}: {x!r:.60}"


def expect_functions(who: str, **given: Any) -> None:
    """Refuse what is no function where one belongs: an array, or f(x) for f."""
    for name, value in given.items():
        if not callable(value):
            raise OptionError(f"{who}: {name}={value!r:.60} is not a function; give its name, without parentheses")


def agree(claimed: Array, true: Array, run: Run, dtype: Any = np.float64) -> bool:
    """Entry by entry, |c - t| <= atol + rtol max(|c|, |t|), and the same infinities and NaNs in the same places."""
    if claimed.shape != np.shape(true):
        return False
    odd = ~np.isfinite(true)
    if not np.array_equal(claimed[odd], np.asarray(true)[odd], equal_nan=True):
        return False
    claimed, true = claimed[~odd], np.asarray(true)[~odd]
    eps = np.finfo(dtype).eps
    rtol = tolerance(float(eps))
    flow = max((np.max(np.abs(g), initial=0) for g in run.cotangents.values()), default=0)
    atol = rtol / 100 * max(np.max(np.abs(true), initial=0), 1e-6 * flow)
    with np.errstate(all="ignore"):
        gap = np.abs(claimed - true)
        return bool(np.all(gap <= atol + rtol * np.maximum(np.abs(claimed), np.abs(true))))


def same(a: Array, b: Array, scale: Array = 0.0) -> bool:
    """Equal to rounding, in numbers of the size of ``b`` or of ``scale``."""
    size = max(np.max(np.abs(x), initial=0, where=np.isfinite(x)) for x in (b, scale))
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-12, atol=1e-12 * size, equal_nan=True)


def doubled(x: Array) -> Array:
    """The same numbers in double precision."""
    return np.asarray(x, dtype=np.result_type(x, np.float64))[()]


def nearby(x: Array, rng: np.random.Generator, spread: float) -> Array:
    """Another array a little off, with what may matter kept: zeros, symmetry, rows that sum to 1."""
    noise = rng.uniform(-spread, spread, np.shape(x))
    if np.ndim(x) >= 2 and np.shape(x)[-1] == np.shape(x)[-2] and np.array_equal(x, x.mT):
        noise = noise + noise.mT
    moved = x * (1 + noise) if np.any(x) else x + noise
    if np.ndim(x) and np.isrealobj(x) and np.shape(x)[-1] > 1 and np.min(x) >= 0 and np.allclose(np.sum(x, -1), 1):
        moved = moved / np.sum(moved, -1, keepdims=True)
    return moved


def parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the first positional parameters, numbers where they have none."""
    try:
        found = [
            p.name
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        found = []
    return (found + [f"input {k}" for k in range(len(found), count)])[:count]
