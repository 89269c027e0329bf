"""check_derivation and check_vjp: somebody's own derivative against the automatic one, with the reason if it is wrong.

The claim is called at the given inputs and at a few nearby ones, so that numbers that agree by chance at one point do
not agree at all, and with random cotangents, never ones. The automatic derivative is the truth; where the claim
disagrees, finite differences have the casting vote. The causes are looked for in ``hypotheses``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from microgd.check.diagnosis import Diagnosis, table
from microgd.check.evidence import Case, Graph, Sample
from microgd.check.hypotheses import STAGES, Hypothesis, near
from microgd.check.trial import Run, StructureError, Trial, agree, described, expect_functions, same
from microgd.errors import MicrogdError, OptionError

Array = Any
Verdict = tuple[str, str, float]  # cause, sentence, confidence
MOVES = 3
WORK = 400_000  # steps back through the graph before the search for an explanation is given up, a few seconds
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
        GraphError: the output of ``f`` is not a scalar. OptionError: ``argnums`` names an input that is not there, or
            ``f`` or ``claimed`` is no function.

    >>> import numpy as np, microgd as mg
    >>> from microgd.check import check_derivation
    >>> loss = lambda w, x, y: np.mean((x * w - y) ** 2)
    >>> claimed = lambda w, x, y: np.mean((x * w - y) * x)
    >>> print(check_derivation(loss, claimed, 0.5, np.array([1.0, 2.0]), np.array([3.0, 4.0])).cause)
    factor
    """
    expect_functions("check_derivation", f=f, claimed=claimed)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if any(not -len(inputs) <= n < len(inputs) for n in numbers):
        raise OptionError(f"check_derivation: argnums={argnums}, but there are {len(inputs)} inputs")

    def answer(_: Any, *given: Any) -> dict[int, Any]:
        out = claimed(*given)
        parts = (out,) if isinstance(argnums, int) else out
        return dict(zip([n % len(inputs) for n in numbers], counted(parts, len(numbers)), strict=True))

    return diagnosed(f, answer, inputs, None)


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
    expect_functions("check_vjp", f=f, claimed=claimed)

    def answer(g: Any, *given: Any) -> dict[int, Any]:
        out = claimed(g, *given)
        parts = counted((out,) if len(given) == 1 else out, len(given))
        return {n: part for n, part in enumerate(parts) if part is not None}

    return diagnosed(f, answer, inputs, np.random.default_rng(0))


def counted(parts: Any, count: int) -> Any:
    """The answers of a claim about several inputs."""
    if not isinstance(parts, tuple | list) or len(parts) != count:
        raise StructureError("shape", f"Expected a tuple of {count} gradients, one per input, got {described(parts)}.")
    return parts


def diagnosed(f: Callable[..., Any], answer: Callable[..., Any], inputs: tuple[Any, ...], random: Any) -> Diagnosis:
    """One diagnosis of all that is claimed."""
    try:
        parts = judged(Trial(f, answer, inputs, random))
    except StructureError as error:
        return Diagnosis(False, *error.args, SURE)
    return parts[0] if len(parts) == 1 else together(parts)


def judged(trial: Trial) -> list[Diagnosis]:
    """Call the claim at several points, and judge it for each input by itself."""
    rng = np.random.default_rng(1)
    seeds = trial.seeds()
    given = trial.claims(trial.given, seeds)
    claimed = sorted(given)
    try:
        trial.graph(trial.leaves)
    except (MicrogdError, TypeError):  # f needs some inputs as plain arrays
        trial.chosen = [leaf in given for leaf in range(len(trial.leaves))]
    first = trial.run(trial.leaves, seeds)
    runs = [first, *filter(None, [trial.moved(rng, claimed) for _ in range(MOVES)])]
    again = trial.claims(first.leaves, first.seeds)
    steady = all(map(same, trial.graph(first.leaves).outputs, first.graph.outputs))
    return [Judge(trial, leaf, runs, given[leaf], again[leaf], steady).diagnosis() for leaf in claimed]


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
            says = f"All {true.size * len(self.runs)} numbers agree, at {len(self.runs)} points."
            if not any(np.any(run.true(self.leaf)) for run in self.runs):
                return Diagnosis(True, None, f"{says} But all are zero: thin evidence.", 0.5, rows, name)
            return Diagnosis(True, None, says, SURE, rows, name)
        return Diagnosis(False, *found, rows, name)

    def right(self, run: Run) -> bool:
        return agree(run.claims[self.leaf], run.true(self.leaf), run)

    def findings(self) -> Iterator[Verdict]:
        """What is wrong, the first finding counts; none if all is right."""
        first, claim = self.runs[0], self.runs[0].claims[self.leaf]
        true = first.true(self.leaf)
        if not self.steady:
            yield "nondeterministic", "Called again with the same input, the function gives another value.", SURE
        if not np.isfinite(true).all():
            if agree(claim, true, first):
                return
            yield "not finite", "The derivative itself is not finite at this input.", SURE
        if not np.isfinite(claim).all():
            count = np.sum(~np.isfinite(claim))
            yield (
                "not finite",
                f"NaN or infinite: {count} of {claim.size} claimed entries; the true ones are finite.",
                SURE,
            )
        if all(map(self.right, self.runs)) and same(self.again, claim, true):
            yield from self.dtype()
            return
        yield from self.stale()
        if not same(self.again, claim, true):
            yield "nondeterministic", "Called again with the same input, the claim gives another answer.", SURE
        yield from self.dtype()
        yield from self.around()
        if not any(run.claims[self.leaf].any() for run in self.runs):
            yield "missing factor", "It is 0 everywhere, and the derivative is not: was it forgotten?", SURE
        if claim.shape == true.shape and self.trial.random is not None:
            yield from self.upstream()
        yield from self.explained()
        if claim.shape != true.shape:
            yield "shape", f"Expected shape {true.shape}, the input's, got {claim.shape}.", SURE
        yield "unknown", "No known mistake gives these numbers at every point that was tried.", 0.0

    def dtype(self) -> Iterator[Verdict]:
        """Numbers that would be right in another precision."""
        given, expected = self.given.dtype, self.trial.given[self.leaf].dtype
        true = self.runs[0].true(self.leaf)
        if given.kind in "fc" and given != expected and agree(self.given, true, self.runs[0], given):
            yield "dtype", f"The numbers are right, but in {given}; the input and so its gradient are {expected}.", SURE
        cut = (np.trunc(true), np.rint(true), np.floor(true)) if given.kind in "iu" else ()
        if any(np.array_equal(self.given, whole) for whole in cut):
            if not self.given.any():
                yield "dtype", f"It is 0, in whole numbers ({given}): were fractions cut off, or was it forgotten?", 0.5
            yield "dtype", f"The claim is made of whole numbers ({given}): fractions were cut off.", SURE

    def stale(self) -> Iterator[Verdict]:
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
                "Right at the first call and the same ever after: a value was kept, or is a fixed number.",
                0.95,
            )

    def around(self) -> Iterator[Verdict]:
        """Right everywhere around the input and not at it; or differences that disagree with the engine too."""
        rng, first = np.random.default_rng(3), self.runs[0]
        close = [self.trial.shifted(first, self.leaf, rng) for _ in range(3)]
        if all(map(self.right, close)) and not self.right(first):
            if where := next(jumps(first.graph, close), ""):
                says = f"The input sits on a kink of {where}, where the slope jumps; all around it the claim is right."
                yield "kink", f"{says} At the kink itself any slope in between is a convention.", 0.97
            yield "unknown", "The claim is right all around the input, and wrong at it.", 0.0
        claim, true = close[0].claims[self.leaf], close[0].true(self.leaf)
        if claim.shape == true.shape and (size := float(np.linalg.norm(claim - true))):
            d = (claim - true) / size
            slope = self.trial.slope(close[0], self.leaf, d)
            if abs(slope - np.vdot(true, d).real) > 0.3 * size:
                says = "Finite differences disagree with the automatic derivative too: no verdict on the claim. "
                yield "unknown", f"{says}Is the function smooth here, or is a part of it cut off from its history?", 0.0

    def upstream(self) -> Iterator[Verdict]:
        """Whether the claim uses the cotangent at all, and as a factor."""
        first = self.runs[0]
        claim = first.claims[self.leaf]
        other, silent = (
            self.trial.claims(first.leaves, g)[self.leaf] for g in (self.trial.seeds(), [0 * g for g in first.seeds])
        )
        if same(other, claim, first.true(self.leaf)):
            says = "The answer does not depend on the upstream gradient g: multiply the local derivative by it."
            yield "ignores upstream", says, SURE
        elif silent.any():
            says = "With g = 0 the answer is not 0: the upstream gradient is used, but not as a factor of everything."
            yield "upstream not multiplied", says, 0.97

    def explained(self) -> Iterator[Verdict]:
        """The first hypothesis that predicts every claimed number."""
        samples = [self.trial.sample(run, self.leaf) for run in self.runs if run.graph.kind == self.runs[0].graph.kind]
        case = Case(samples, self.trial.names, self.trial.lengths(self.runs[0].graph))
        thin = sum(np.count_nonzero(s.true) for s in samples) < 3
        left = WORK // (1 + len(case.graph.nodes))
        for confidence, family in STAGES:
            found = []
            for hypothesis in islice(family(case), left):
                left -= 1
                c = fitted(hypothesis, samples)
                told = hypothesis.explain(c) if c is not None else None
                if told and (told[0] in OF_SHAPE or samples[0].claimed.shape == samples[0].true.shape):
                    found.append((not near(c, 1), *told))
            if found:
                found.sort(key=lambda item: item[0])
                _, cause, says = found[0]
                others = [sentence for _, other, sentence in found if other != cause]
                if others:
                    says += f" The same numbers also fit this: {others[0]}"
                if thin:
                    says += " The evidence is thin: few numbers to go by."
                yield cause, says, confidence * (0.7 if others else 1) * (0.6 if thin else 1)
        if left <= 0 and samples[0].claimed.shape == samples[0].true.shape:
            yield "unknown", "The computation is large, and not every mistake was tried; none of those tried fits.", 0.0


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


def jumps(graph: Graph, close: list[Run]) -> Iterator[str]:
    """The operations whose local derivative is another one a little further on."""
    for e, edge in enumerate(graph.edges):
        ones = np.ones(graph.shape_of(edge.child))
        here = graph.apply(edge, ones)
        for run in close:
            there = run.graph.apply(run.graph.edges[e], ones) if run.graph.kind == graph.kind else here
            if np.max(np.abs(here - there), initial=0) > 0.1 * np.max(np.abs(there), initial=0):
                yield graph.called(edge.child)
