"""check_derivation and check_vjp: somebody's own derivative against the automatic one, with the reason if it is wrong.

The claim is called at the given inputs and at a few nearby ones, so that numbers that agree by chance at one point do
not agree at all, and with random cotangents, never ones. The automatic derivative is the truth; where the claim
disagrees, finite differences have the casting vote. The causes are looked for in ``hypotheses``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from microgd.check.diagnosis import Diagnosis, table
from microgd.check.evidence import Graph, plain
from microgd.check.hypotheses import STAGES, Case, Hypothesis, Sample, constants, near
from microgd.core.tape import conjugate
from microgd.core.tensor import differentiable
from microgd.core.tree import flatten, tree_map
from microgd.errors import GraphError, MicrogdError, OptionError

Array = Any
Finding = tuple[str, str, float]  # cause, verdict, confidence
MOVES = 3
SPREADS = (0.3, 0.05, 0.005)
SURE = 0.99
OF_SHAPE = ("missing sum", "transposed", "wrong axis")  # what can explain a gradient of the wrong shape


def check_derivation(
    f: Callable[..., Any], claimed: Callable[..., Any], *inputs: Any, argnums: int | Sequence[int] = 0
) -> Diagnosis:
    """Check a gradient derived by hand: claimed(x) = df/dx, and if it is not, say why.

    Args:
        f: a function of arrays or containers of arrays, returning one number.
        claimed: called with the same inputs; returns the gradient with respect to input ``argnums``, in the input's
            structure, shape and dtype, or a tuple of gradients if ``argnums`` is a tuple.
        inputs: where to check; it is also checked nearby.

    Returns:
        A ``Diagnosis``: ``.ok``, ``.cause``, ``.verdict``, ``.confidence``, ``.table``; one part per input.

    Raises:
        GraphError: the output of ``f`` is not a scalar. OptionError: ``argnums`` names an input that is not there.

    >>> import numpy as np, microgd as mg
    >>> from microgd.check import check_derivation
    >>> loss = lambda w, x, y: np.mean((x * w - y) ** 2)
    >>> claimed = lambda w, x, y: np.mean((x * w - y) * x)
    >>> print(check_derivation(loss, claimed, 0.5, np.array([1.0, 2.0]), np.array([3.0, 4.0])).cause)
    factor
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if any(not -len(inputs) <= n < len(inputs) for n in numbers):
        raise OptionError(f"check_derivation: argnums={argnums}, but there are {len(inputs)} inputs")

    def answer(_: Any, *given: Any) -> dict[int, Any]:
        out = claimed(*given)
        return dict(zip([n % len(inputs) for n in numbers], (out,) if isinstance(argnums, int) else out, strict=True))

    return examine(f, answer, inputs, None)


def check_vjp(f: Callable[..., Any], claimed: Callable[..., Any], *inputs: Any) -> Diagnosis:
    """Check a backward pass written by hand: claimed(g, x) = g' df/dx, and if it is not, say why.

    Args:
        f: a function of arrays or containers of arrays, returning arrays.
        claimed: called with a cotangent of the output's shape and the inputs; returns the cotangent of the input, or
            a tuple with one per input, None for an input that is not to be checked.
        inputs: where to check; it is also checked nearby.

    >>> import numpy as np, microgd as mg
    >>> from microgd.check import check_vjp
    >>> check_vjp(np.tanh, lambda g, x: 1 - np.tanh(x) ** 2, np.array([0.5, -1.0])).cause
    'ignores upstream'
    """

    def answer(g: Any, *given: Any) -> dict[int, Any]:
        out = claimed(g, *given)
        parts = (out,) if len(given) == 1 else out
        return {n: part for n, part in enumerate(parts) if part is not None}

    return examine(f, answer, inputs, np.random.default_rng(0))


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

    def true(self, leaf: int, cotangents: dict[int, Array] | None = None) -> Array:
        found = (self.cotangents if cotangents is None else cotangents).get(self.graph.leaves[leaf])
        return np.zeros_like(self.leaves[leaf]) if found is None else conjugate(found)


class Trial:
    """The function, the claim and the inputs, with everything that is needed to call them again elsewhere."""

    def __init__(self, f: Callable[..., Any], answer: Callable[..., dict[int, Any]], inputs: Any, random: Any) -> None:
        self.f, self.answer, self.random = f, answer, random
        entries, self.build = flatten(tree_map(plain, inputs))
        self.paths = [(int(path[1 : path.index("]")]), path[path.index("]") + 1 :]) for path, _ in entries]
        self.given = [np.asarray(x)[()] if differentiable(np.asarray(x)) else x for _, x in entries]
        self.floats = [differentiable(np.asarray(x)) for x in self.given]
        self.leaves = [doubled(x) if pick else x for x, pick in zip(self.given, self.floats, strict=True)]
        names = parameter_names(f, len(inputs))
        self.names = [names[n] + path for n, path in self.paths]
        with np.errstate(all="ignore"):
            found, self.build_out = flatten(f(*self.copies(self.given)))
        self.outputs = [np.asarray(plain(x)) for _, x in found]
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
            mine = [(leaf, path) for leaf, (owner, path) in enumerate(self.paths) if owner == n and self.floats[leaf]]
            if [path for _, path in mine] == [""]:
                found[mine[0][0]] = np.asarray(plain(part))
                continue
            got = dict(flatten(part)[0])
            if missing := [path for _, path in mine if path not in got]:
                raise StructureError(
                    f"claimed gives no gradient for {', '.join(missing)} of input {n}; it has {list(got)}."
                )
            found.update({leaf: np.asarray(plain(got[path])) for leaf, path in mine})
        return found

    def run(self, leaves: list[Any], seeds: list[Array] | None = None) -> Run:
        seeds = [doubled(g) for g in seeds or self.seeds()]
        return Run(leaves, self.graph(leaves), seeds, self.claims(leaves, seeds))

    def slope(self, run: Run, leaf: int, d: Array, side: int = 0) -> tuple[float, float]:
        """The slope of <g, f> along ``d`` in one leaf by finite differences (central, or to one side); and |<g, f>|."""
        x = run.leaves[leaf]
        h = float(np.cbrt(np.finfo(float).eps)) * max(1.0, float(np.max(np.abs(x), initial=0)))

        def value(step: float) -> float:
            leaves = [x + step * d if k == leaf else other for k, other in enumerate(run.leaves)]
            with np.errstate(all="ignore"):
                outs, _ = flatten(self.f(*self.copies(leaves)))
            return sum(np.vdot(g, plain(out)).real for g, (_, out) in zip(run.seeds, outs, strict=True))

        ahead, behind = (h if side >= 0 else 0.0), (h if side <= 0 else 0.0)
        here = value(ahead)
        return (here - value(-behind)) / (ahead + behind), abs(here)

    def shifted(self, run: Run, leaf: int, rng: np.random.Generator) -> Run:
        """A run so close that only what jumps can have changed."""
        leaves = list(run.leaves)
        x = leaves[leaf]
        leaves[leaf] = x + 1e-4 * max(1.0, float(np.max(np.abs(x), initial=0))) * rng.normal(size=np.shape(x))
        return self.run(leaves)

    def sample(self, run: Run, leaf: int) -> Sample:
        rerun = lambda leaves: Graph(self.f, self.copies(leaves), self.chosen)
        return Sample(run.graph, run.cotangents, run.leaves, run.roots, conjugate(run.claims[leaf]), leaf, rerun)

    def lengths(self, graph: Graph) -> dict[int, str]:
        """The lengths that constants may be made of: m for what is summed or for the first axis, then n, p, q..."""
        shapes = [np.shape(x) for x in self.leaves] + [graph.shape_of(k) for k in range(len(graph.nodes))]
        found = [*graph.groups(), *(shape[0] for shape in shapes if shape), *(n for shape in shapes for n in shape)]
        found += [int(np.prod(shape)) for shape in shapes]
        return dict(zip([n for n in dict.fromkeys(found) if n > 1], "mnpqrstuvw", strict=False))

    def moved(self, rng: np.random.Generator) -> Run | None:
        """A run nearby, at the first distance where everything is finite."""
        for spread in SPREADS:
            leaves = list(self.leaves)
            for leaf in self.checked:
                leaves[leaf] = nearby(leaves[leaf], rng, spread)
            try:
                run = self.run(leaves)
            except (ValueError, ArithmeticError, IndexError, LinAlgError):
                continue
            if all(np.isfinite(x).all() for x in [*run.graph.outputs, *map(run.true, self.checked)]):
                return run
        return None


class StructureError(Exception):
    """A claim whose containers are not those of the inputs."""


def examine(f: Callable[..., Any], answer: Callable[..., Any], inputs: tuple[Any, ...], random: Any) -> Diagnosis:
    """Call the claim at several points, and judge it for each input by itself."""
    trial = Trial(f, answer, inputs, random)
    rng = np.random.default_rng(1)
    try:
        seeds = trial.seeds()
        given = trial.claims(trial.given, seeds)
    except StructureError as error:
        return Diagnosis(False, "shape", str(error), SURE)
    trial.checked = sorted(given)
    try:
        trial.graph(trial.leaves)
    except (MicrogdError, TypeError):  # f needs some inputs as plain arrays
        trial.chosen = [leaf in given for leaf in range(len(trial.leaves))]
    first = trial.run(trial.leaves, seeds)
    runs = [first, *filter(None, [trial.moved(rng) for _ in range(MOVES)])]
    again = trial.claims(first.leaves, first.seeds)
    steady = all(map(same, trial.graph(first.leaves).outputs, first.graph.outputs))
    parts = [Judge(trial, leaf, runs, given[leaf], again[leaf], steady).diagnosis() for leaf in trial.checked]
    return parts[0] if len(parts) == 1 else together(parts)


@dataclass
class Judge:
    """The verdict on one input."""

    trial: Trial
    leaf: int
    runs: list[Run]
    given: Array
    again: Array
    steady: bool

    def diagnosis(self) -> Diagnosis:
        name = self.trial.names[self.leaf]
        found = next(self.findings(), None)
        worst = next((run for run in self.runs if not self.right(run)), self.runs[0])
        claimed, true = worst.claims[self.leaf], worst.true(self.leaf)
        rows = table(claimed, true, name) if claimed.shape == true.shape else ()
        if found is None:
            count = true.size * len(self.runs)
            return Diagnosis(True, None, f"All {count} numbers agree, at {len(self.runs)} points.", SURE, rows, name)
        return Diagnosis(False, *found, rows, name)

    def right(self, run: Run) -> bool:
        return agree(run.claims[self.leaf], run.true(self.leaf), run)

    def findings(self) -> Iterator[Finding]:
        """What is wrong, the first finding counts; none if all is right."""
        first, claim = self.runs[0], self.runs[0].claims[self.leaf]
        true = first.true(self.leaf)
        if not self.steady:
            yield (
                "nondeterministic",
                "The function gives another value when it is called again with the same input.",
                SURE,
            )
        if not np.isfinite(true).all():
            if agree(claim, true, first):
                return
            yield "not finite", "The derivative itself is not finite at this input.", SURE
        if not np.isfinite(claim).all():
            yield (
                "not finite",
                f"{np.sum(~np.isfinite(claim))} claimed entries are NaN or infinite; the true ones are finite.",
                SURE,
            )
        if all(map(self.right, self.runs)) and same(self.again, claim, true):
            yield from self.dtype()
            return
        yield from self.stale()
        if not same(self.again, claim, true):
            yield (
                "nondeterministic",
                "The claim gives another answer when it is called again with the same input.",
                SURE,
            )
        yield from self.dtype()
        yield from self.doubt()
        if claim.shape == true.shape:
            yield from self.kink()
            if self.trial.random is not None:
                yield from self.upstream()
        yield from self.explained()
        if claim.shape != true.shape:
            yield "shape", f"Expected shape {true.shape}, the input's, got {claim.shape}.", SURE
        if not claim.any():
            yield "unknown", "The claim is zero everywhere, and the derivative is not.", 0.0
        yield "unknown", "No known mistake gives these numbers at every point that was tried.", 0.0

    def dtype(self) -> Iterator[Finding]:
        """Numbers that would be right in another precision."""
        given, expected = self.given.dtype, self.trial.given[self.leaf].dtype
        true = self.runs[0].true(self.leaf)
        if given.kind in "fc" and given != expected and agree(self.given, true, self.runs[0], given):
            yield "dtype", f"The numbers are right, but in {given}; the input and so its gradient are {expected}.", SURE
        cut = (np.trunc(true), np.rint(true), np.floor(true)) if given.kind in "iu" else ()
        if any(np.array_equal(self.given, whole) for whole in cut):
            yield "dtype", f"The claim is made of whole numbers ({given}): fractions were cut off.", SURE

    def stale(self) -> Iterator[Finding]:
        """The answer that belongs to an earlier call."""
        claims = [run.claims[self.leaf] for run in self.runs]
        pairs = list(zip(self.runs, claims[1:], strict=False))
        if not pairs or all(map(self.right, self.runs[1:])):
            return
        if all(agree(claim, run.true(self.leaf), run) for run, claim in pairs):
            yield "stale", "Every answer is the right one for the previous call: a value from before is used.", 0.98
        if self.right(self.runs[0]) and all(same(claim, claims[0]) for claim in claims[1:]):
            yield (
                "stale",
                "Right at the first call, and the same ever after: a value was kept, or written down as a number.",
                0.95,
            )

    def doubt(self) -> Iterator[Finding]:
        """Finite differences have the casting vote between the claim and the engine."""
        run = self.runs[-1]
        x = run.leaves[self.leaf]
        d = np.random.default_rng(2).normal(size=np.shape(x))
        slope, size = self.trial.slope(run, self.leaf, d)
        true = run.true(self.leaf)
        if abs(slope - np.vdot(true, d).real) > 1e-4 * np.linalg.norm(true) * np.linalg.norm(d) + 1e-7 * size:
            says = "The claim and the automatic derivative differ, but finite differences agree with neither"
            yield "unknown", f"{says} ({slope:.6g} along a direction): is the function smooth here?", 0.0

    def kink(self) -> Iterator[Finding]:
        """Right everywhere around the input, and not at it."""
        rng, first = np.random.default_rng(3), self.runs[0]
        if self.right(first):
            return
        close = [self.trial.shifted(first, self.leaf, rng) for _ in range(3)]
        if not all(map(self.right, close)):
            return
        d = rng.normal(size=np.shape(first.leaves[self.leaf]))
        up, down = (self.trial.slope(first, self.leaf, d, side)[0] for side in (1, -1))
        if abs(up - down) > 1e-3 * (abs(up) + abs(down)):
            where = next(jumps(first.graph, close), "")
            says = f"The input sits on a kink{where}: the slope is {down:.6g} on one side and {up:.6g} on the other."
            yield (
                "kink",
                f"{says} Around it the claim is right; at it, this engine takes the convention of its table.",
                0.97,
            )
        yield "unknown", "The claim is right all around the input, and wrong at it.", 0.0

    def upstream(self) -> Iterator[Finding]:
        """Whether the claim uses the cotangent at all, and as a factor."""
        first = self.runs[0]
        claim = first.claims[self.leaf]
        other, silent = (
            self.trial.claims(first.leaves, g)[self.leaf] for g in (self.trial.seeds(), [0 * g for g in first.seeds])
        )
        if same(other, claim, first.true(self.leaf)):
            yield (
                "ignores upstream",
                "The answer does not depend on the upstream gradient g: multiply the local derivative by g.",
                SURE,
            )
        elif silent.any():
            yield (
                "upstream not multiplied",
                "With g = 0 the answer is not 0: the upstream gradient g is used, but not as a factor of everything.",
                0.97,
            )

    def explained(self) -> Iterator[Finding]:
        """The first hypothesis that predicts every claimed number."""
        samples = [self.trial.sample(run, self.leaf) for run in self.runs if run.graph.kind == self.runs[0].graph.kind]
        case = Case(samples, self.trial.names, constants(self.trial.lengths(self.runs[0].graph)))
        thin = sum(np.count_nonzero(s.true) for s in samples) < 3
        for confidence, family in STAGES:
            found = []
            for hypothesis in family(case):
                c = fitted(hypothesis, samples)
                told = hypothesis.explain(c) if c is not None else None
                if told and (told[0] in OF_SHAPE or samples[0].claimed.shape == samples[0].true.shape):
                    found.append((not near(c, 1), *told))
            if found:
                _, cause, says = min(found, key=lambda item: item[0])
                others = sorted({other for _, other, _ in found} - {cause})
                if others:
                    says += f" The same numbers also fit: {', '.join(others)}."
                if thin:
                    says += " The evidence is thin: few numbers to go by."
                yield cause, says, confidence * (0.7 if others else 1) * (0.6 if thin else 1)


def fitted(hypothesis: Hypothesis, samples: list[Sample]) -> Any:
    """The constant c with observed = c * direction at every sample, or None."""
    found = []
    for s in samples:
        try:
            with np.errstate(all="ignore"):
                direction, observed = np.asarray(hypothesis.direction(s)), np.asarray(hypothesis.observed(s))
        except (ValueError, TypeError, IndexError, LinAlgError):
            return None
        if direction.shape != observed.shape or not np.isfinite(direction).all() or not np.isfinite(observed).all():
            return None
        scale = np.max(np.abs(s.claimed), initial=0)
        if np.max(np.abs(direction), initial=0) <= 1e-9 * scale:  # nothing can be learned here
            if np.max(np.abs(observed), initial=0) > 1e-7 * scale:
                return None
            continue
        c = np.vdot(direction, observed) / np.vdot(direction, direction).real
        if np.max(np.abs(observed - c * direction)) > 1e-7 * max(np.max(np.abs(observed)), 1e-6 * scale):
            return None
        found.append(c)
    return found[0] if found and all(near(c, found[0]) for c in found) else None


def together(parts: list[Diagnosis]) -> Diagnosis:
    """One diagnosis over several inputs."""
    wrong = [part for part in parts if not part.ok]
    surest = max(wrong, key=lambda part: part.confidence, default=parts[0])
    says = " ".join(f"{part.name}: {part.verdict}" for part in wrong) or "Right for every input."
    rows = tuple(row for part in wrong or parts for row in part.table)
    return Diagnosis(not wrong, surest.cause, says, surest.confidence, rows, "", tuple(parts))


def agree(claimed: Array, true: Array, run: Run, dtype: Any = np.float64) -> bool:
    """Entry by entry, |c - t| <= atol + rtol max(|c|, |t|), and the same infinities and NaNs in the same places."""
    if claimed.shape != np.shape(true):
        return False
    finite = np.isfinite(true)
    if not finite.all():
        return np.array_equal(np.asarray(claimed)[~finite], np.asarray(true)[~finite], equal_nan=True)
    eps = np.finfo(dtype).eps
    rtol = max(1e-5, 4 * float(eps) ** 0.5)
    flow = max((np.max(np.abs(g), initial=0) for g in run.cotangents.values()), default=0)
    atol = rtol / 100 * max(np.max(np.abs(true), initial=0), 1e-6 * flow)
    with np.errstate(all="ignore"):
        gap = np.abs(claimed - true)
        return bool(np.all(gap <= atol + rtol * np.maximum(np.abs(claimed), np.abs(true))))


def same(a: Array, b: Array, scale: Array = 0.0) -> bool:
    """Equal to rounding, in numbers of the size of ``b`` or of ``scale``."""
    size = max(np.max(np.abs(b), initial=0), np.max(np.abs(scale), initial=0))
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-9, atol=1e-12 * size, equal_nan=True)


def jumps(graph: Graph, close: list[Run]) -> Iterator[str]:
    """The operations whose local derivative is another one a little further on."""
    for edge in graph.edges:
        here = graph.apply(edge, np.ones(graph.shape_of(edge.child)))
        for run in close:
            if run.graph.kind == graph.kind:
                there = run.graph.apply(run.graph.edges[graph.edges.index(edge)], np.ones(graph.shape_of(edge.child)))
                if np.max(np.abs(here - there), initial=0) > 0.1 * np.max(np.abs(there), initial=0):
                    text, place = graph.expression(edge.child)
                    yield f" of `{text}`" + (f" ({place})" if place else "")


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
