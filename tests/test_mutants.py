"""The library of planted mistakes is what it says, and microgd's own checkers pass it.

The derivatives in the tables are compared with finite differences alone: nothing of the engine is trusted here. The
demands on the checkers hold for every seed; ``HYPOTHESIS_PROFILE=thorough`` tries twenty of them.
"""

import os

import numpy as np
import pytest

from microgd.check import check_vjp, mutants
from microgd.check.mutants.problem import program

SEEDS = range(20) if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else range(2)
TASKS = list(mutants.tasks())
WRONG = [task for task in TASKS if task.causes]
CAUSES = {
    "sign", "factor", "transposed", "wrong axis", "missing sum", "mean for sum", "missing factor", "extra factor",
    "ignores upstream", "upstream not multiplied", "permuted", "swapped arguments", "wrong variable", "diagonal only",
    "stale", "shape", "dtype", "not finite", "kink", "nondeterministic", "unknown",
}  # fmt: skip


def test_size():
    assert len(WRONG) >= 150
    assert len(TASKS) - len(WRONG) >= 150
    assert len({task.problem.name for task in TASKS}) >= 25
    written = {(task.problem.name, task.index, task.formula, task.habit) for task in TASKS}
    assert len(written) == len(TASKS), "a derivative stands twice in the library"
    assert {cause for task in WRONG for cause in task.causes} <= CAUSES
    assert CAUSES - {cause for task in WRONG for cause in task.causes} == {"kink"}


def differences(f, inputs, index, g):
    """The gradient of <g, f> with respect to one input, by central differences of two step sizes (Richardson)."""
    x = np.asarray(inputs[index], float)
    value = lambda v: np.sum(g * f(*inputs[:index], v[()], *inputs[index + 1 :]))
    found = np.zeros_like(x)
    for k in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[k] = 1e-3
        slopes = [(value(x + h * step) - value(x - h * step)) / (2e-3 * h) for h in (1, 0.5)]
        found[k] = (4 * slopes[1] - slopes[0]) / 3
    return found


@pytest.mark.parametrize("problem", [*mutants.LOSSES, *mutants.OPERATIONS], ids=lambda problem: problem.name)
def test_tables_are_right_about_right_and_wrong(problem):
    mine = [task for task in TASKS if task.problem is problem and not task.habit]
    for seed in (0, 1):
        inputs = mine[0].inputs(seed)
        f = mine[0].function
        g = np.random.default_rng(seed).normal(size=np.shape(f(*inputs))) if mine[0].upstream else np.float64(1)
        true = {index: differences(f, inputs, index, g) for index in {task.index for task in mine}}
        for task in mine:
            with np.errstate(all="ignore"):
                got = np.asarray(task.claimed()(*([g] if task.upstream else []), *inputs))
            expected = true[task.index]
            near = got.shape == expected.shape and np.allclose(got, expected, rtol=1e-6, atol=1e-7)
            assert near == (not task.causes), task.name


def test_demands():
    found = mutants.score(seeds=SEEDS)
    assert [task.name for task, _ in found.accepted] == []
    assert [task.name for task, _ in found.rejected] == []
    assert [(task.name, cause) for task, _, cause in found.missed if task.causes[0] in mutants.PLAIN] == []
    assert found.plain == 1
    assert found.rest >= 0.85
    certainty, hits = (np.array(column, float) for column in zip(*found.sure, strict=True))
    assert abs(certainty.mean() - hits.mean()) < 0.1, "confidence is what the library bears out"
    assert hits[certainty >= 0.85].mean() > 0.95, "who is sure is right"
    assert hits.mean() > 0.95, "a false explanation is worse than none"


def test_one_input_in_sight():
    some = [task for task in TASKS if not task.habit][::12]
    found = mutants.score(check_vjp, seeds=[0], only=some)
    assert found.accepted == found.rejected == []
    assert found.plain == 1


def test_score_grades_other_checkers():
    some = TASKS[:40]
    wrong = sum(bool(task.causes) for task in some)
    suspicious = mutants.score(lambda f, claimed, x: False, seeds=[0, 1], only=some)
    assert (len(suspicious.accepted), len(suspicious.rejected)) == (0, 2 * (40 - wrong))
    assert suspicious.wrong == 2 * wrong
    assert "accepted 0" in str(suspicious)
    assert "cause" not in str(suspicious)  # it named none

    def sums(f, claimed, x):
        """The checker that everyone writes first: the sum of the output, and a single direction of ones."""
        h = 1e-6
        slope = (np.sum(f(x + h)) - np.sum(f(x - h))) / (2 * h)
        return abs(slope - np.sum(claimed(np.ones_like(f(x)), x))) < 1e-5

    first = mutants.score(sums, seeds=[0])
    assert len(first.accepted) > 30, "a probe of ones hides much"


def test_program_reads_like_a_function():
    f = program("name", ["x"], "y = x + 1; y * 2")
    assert f(3) == 8
