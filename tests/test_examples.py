"""Every example runs in a process of its own, as a reader would run it, and prints what mathematics says.

The expected numbers come from formulas derived by hand and written here in plain NumPy, never from microgd.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from microgd.data import BUNDLED

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
every_example = pytest.mark.parametrize("name", NAMES)


def run(name, *arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=cwd,
        env={**os.environ, "MPLBACKEND": "Agg", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Runs each example once, when first asked for: (finished process, folder of its picture)."""
    done = {}

    def result(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            done[name] = run(name, folder, cwd=folder), folder
        return done[name]

    return result


def numbers(line):
    """The numbers of one printed line; a digit inside a word is not one."""
    return [float(n) for n in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])", line)]


def printed(results, name, pattern):
    """The numbers of every printed line that contains ``pattern``."""
    return [numbers(line) for line in results(name)[0].stdout.splitlines() if re.search(pattern, line)]


def logistic(z):
    return 1 / (1 + np.exp(-z))


# ---- all of them -------------------------------------------------------------------------------------------


@every_example
def test_runs_without_error_or_warning(results, name):
    process, _ = results(name)
    assert process.returncode == 0, process.stderr
    assert "Warning" not in process.stderr
    assert process.stdout


@every_example
def test_draws_its_picture(results, name):
    process, folder = results(name)
    if name == "engine_in_60_lines":
        assert not list(folder.iterdir())
        return
    picture = folder / f"{name}.png"
    assert process.stdout.splitlines()[-1] == f"picture: {picture}"
    pixels = matplotlib.image.imread(picture)
    assert min(pixels.shape[:2]) >= 400
    assert pixels[..., :3].std() > 0.05, "an empty picture"


@every_example
def test_fits_on_a_page(name):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 60


def test_the_readme_lists_each_example_once():
    assert sorted(re.findall(r"\]\((\w+)\.py\)", (EXAMPLES / "README.md").read_text())) == NAMES


def test_without_a_folder_the_picture_goes_to_a_temporary_one(tmp_path):
    before = sorted(EXAMPLES.iterdir())
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    process = run("cost_of_three_samples", cwd=here, TMPDIR=str(temporary))
    picture = Path(process.stdout.splitlines()[-1].removeprefix("picture: "))
    assert picture.exists()
    assert picture.is_relative_to(temporary)
    assert not list(here.iterdir())
    assert sorted(EXAMPLES.iterdir()) == before


# ---- each of them ------------------------------------------------------------------------------------------


def test_engine_in_60_lines(results):
    """The loss (2 w - 1)^2 at rate 0.1: the distance of w from 1/2 shrinks by 1 - 0.8 every step."""
    rows = np.array(printed(results, "engine_in_60_lines", "loss"))
    w = 0.5 + 2.5 * 0.2 ** np.arange(5)
    np.testing.assert_allclose(rows, np.stack([w, (2 * w - 1) ** 2, 4 * (2 * w - 1)], axis=1), atol=5.01e-5)


def test_cost_of_three_samples(results):
    """The cost is a parabola of curvature 2 mean(x^2): its distance from the best m shrinks by one factor."""
    x, y = np.array([1.0, 3.0, 5.0]), np.array([2.0, 3.0, 6.0])
    best = 41 / 35
    m = best + (0.6 - best) * (1 - 0.02 * 2 * 35 / 3) ** np.arange(9)
    errors = y - m[:8, None] * x
    rows = np.array(printed(results, "cost_of_three_samples", r"^\d"))
    np.testing.assert_allclose(rows[:, 0], m[:8], atol=5.01e-4)
    np.testing.assert_allclose(rows[:, 1:4], errors**2, atol=5.01e-3)
    np.testing.assert_allclose(rows[:, 4], np.mean(errors**2, axis=1), atol=5.01e-5)
    np.testing.assert_allclose(rows[:, 5], -2 * np.mean(errors * x, axis=1), atol=5.01e-5)
    assert printed(results, "cost_of_three_samples", "^m =") == [[round(m[8], 3), round(best, 3)]]


def test_why_against_the_gradient(results):
    """At (0, 0) both answers are 1/2: gradient, Hessian and loss by the chain rule, written out."""
    x, y = np.array([0.5, 2.5]), np.array([0.2, 0.9])
    inputs = np.stack([x, np.ones(2)])
    g = inputs @ ((0.5 - y) * 0.25)
    length = np.linalg.norm(g)
    curvature = (g / length) @ (inputs * 0.25**2) @ inputs.T @ (g / length)  # f'' is 0 at f = 1/2
    (row,) = printed(results, "why_against_the_gradient", "^gradient")
    np.testing.assert_allclose(row, [*g, length], atol=5.01e-5)
    rows = np.array(printed(results, "why_against_the_gradient", "degrees"))
    np.testing.assert_allclose(rows[:, 1], length * np.cos(np.radians(rows[:, 0])), atol=5.01e-5)
    rows = np.array(printed(results, "why_against_the_gradient", r"^ +\d+\."))
    step = np.geomspace(0.01, 10, 7)
    moved = logistic(-np.outer(step, inputs.T @ g / length))
    change = np.sum((moved - y) ** 2, axis=1) / 2 - np.sum((0.5 - y) ** 2) / 2
    expected = [step, change, -length * step, -length * step + curvature * step**2 / 2]
    np.testing.assert_allclose(rows, np.transpose(expected), atol=5.01e-5)
    assert rows[0, 1] < 0 < rows[-1, 1]


def test_learning_rates(results):
    """The distance from the best slope is multiplied by 1 - rate x curvature at every step."""
    curvature, best = 2 * 35 / 3, 41 / 35
    assert printed(results, "learning_rates", "^curvature") == [
        [pytest.approx(v, abs=5.01e-5) for v in (curvature, 1 / curvature, 2 / curvature)]
    ]
    rows = np.array(printed(results, "learning_rates", "^rate"))
    share = np.array([0.1, 0.5, 1.0, 1.8, 2.0, 2.1])
    np.testing.assert_allclose(rows[:, 0], share / curvature, atol=5.01e-5)
    m = best + (0.6 - best) * (1 - share[:, None]) ** np.arange(7)
    np.testing.assert_allclose(rows[:, 1:8], m, atol=5.01e-4)
    lowest = np.mean((np.array([2, 3, 6]) - best * np.array([1, 3, 5])) ** 2)
    np.testing.assert_allclose(rows[:, 8], lowest + curvature / 2 * (m[:, -1] - best) ** 2, atol=5.01e-5)


def test_line_on_hours_and_scores(results):
    """With standardised hours the Hessian is 2 I: at rate 0.1 all errors shrink by 0.8 a step, from zero."""
    hours, scores = np.loadtxt(BUNDLED, delimiter=",", skiprows=1).T
    (slope, intercept), residual, *_ = np.linalg.lstsq(np.stack([hours, np.ones(100)], axis=1), scores)
    distance = (slope * hours.std()) ** 2 + scores.mean() ** 2
    expected = [
        (k, residual[0] / 100 + 0.64**k * distance, slope * (1 - 0.8**k), intercept * (1 - 0.8**k))
        for k in range(0, 61, 10)
    ]
    np.testing.assert_allclose(printed(results, "line_on_hours_and_scores", "^epoch"), expected, atol=5.01e-5)
    (fit,) = printed(results, "line_on_hours_and_scores", "algebra")
    np.testing.assert_allclose(fit, [slope, intercept], atol=5.01e-5)


def test_stochastic_and_batch(results):
    """Descent by error times input, written out."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 3, 64)
    y = 2 * x - 1 + rng.normal(scale=0.8, size=64)
    cost = lambda w, b: np.mean((w * x + b - y) ** 2) / 2

    error = -x + 2 - y
    for line, expected in (("sample 0", error[0] * x[0]), ("its mean", np.mean(error * x))):
        np.testing.assert_allclose(printed(results, "stochastic_and_batch", line)[0][-2:], expected, atol=5.01e-5)

    rows = printed(results, "stochastic_and_batch", r"^ +\d")
    for size, row in zip((1, 8, 64), rows, strict=True):
        w, b = -1.0, 2.0
        for _epoch in range(20):
            for batch in np.split(rng.permutation(64), 64 // size):
                error = w * x[batch] + b - y[batch]
                w, b = w - 0.1 * np.mean(error * x[batch]), b - 0.1 * np.mean(error)
        np.testing.assert_allclose(row, [size, 20 * 64 // size, w, b, cost(w, b)], atol=5.01e-5)

    (fit,) = printed(results, "stochastic_and_batch", "least squares")
    best = np.linalg.lstsq(np.stack([x, np.ones(64)], axis=1), y)[0]
    np.testing.assert_allclose(fit, [*best, cost(*best)], atol=5.01e-5)


def test_sigmoid_neuron(results):
    """1000 epochs with dw = sum (f - y) f (1 - f) x; zero error is at w x + b = logit(y) for both samples."""
    x, y = np.array([0.5, 2.5]), np.array([0.2, 0.9])
    w, b, walk = -2.0, -2.0, []
    for _epoch in range(1001):
        f = logistic(w * x + b)
        walk.append((w, b, np.sum((f - y) ** 2) / 2))
        slope = (f - y) * f * (1 - f)
        w, b = w - np.sum(slope * x), b - np.sum(slope)
    rows = printed(results, "sigmoid_neuron", "^epoch")
    assert [row[0] for row in rows] == [0, 10, 100, 300, 1000]
    for epoch, *numbers in rows:
        np.testing.assert_allclose(numbers, walk[int(epoch)], atol=5.01e-5)
    logits = np.log(y / (1 - y))
    w_best = (logits[1] - logits[0]) / 2
    np.testing.assert_allclose(rows[-1][1:], [w_best, logits[0] - 0.5 * w_best, 0], atol=2e-4)
    answers = [row[1] for row in printed(results, "sigmoid_neuron", "answers")]
    np.testing.assert_allclose(answers, y, atol=1e-4)


def test_logistic_regression(results):
    """Descent along X'(p - y) / m, written out."""
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:400], order[400:]
    X = (X - X[train].mean(axis=0)) / X[train].std(axis=0)

    def measures(rows, scale=1.0):
        z = scale * (X[rows] @ w + b)
        return np.mean(np.logaddexp(0, z) - y[rows] * z), np.mean((z > 0) == y[rows])

    w, b, expected = np.zeros(30), 0.0, []
    for epoch in range(201):
        if epoch % 40 == 0:
            (loss, accuracy), (new_loss, new_accuracy) = measures(train), measures(test)
            expected.append((epoch, loss, new_loss, accuracy, new_accuracy))
        slope = (logistic(X[train] @ w + b) - y[train]) / 400
        w, b = w - 0.1 * X[train].T @ slope, b - 0.1 * np.sum(slope)
    np.testing.assert_allclose(printed(results, "logistic_regression", "^epoch"), expected, atol=5.01e-4)
    np.testing.assert_allclose(printed(results, "logistic_regression", "^as learned"), [measures(test)], atol=5.01e-4)
    np.testing.assert_allclose(printed(results, "logistic_regression", "^ten"), [measures(test, 10)], atol=5.01e-4)


def test_two_moons(results):
    """The best of all straight lines gets 87.5 % of the first half right and 91 % of the other; the network more."""
    rows = printed(results, "two_moons", "^epoch")
    assert rows[0][1] == pytest.approx(np.log(2), abs=0.3)
    _epoch, loss, accuracy, new = rows[-1]
    assert loss < 0.1
    assert accuracy > 0.96
    assert new > 0.94


def test_six_optimizers(results):
    """Where a path ends, the hand-derived gradient is zero and the Hessian positive: in one valley or the other."""
    rows = {row.split()[0]: numbers(row) for row in results("six_optimizers")[0].stdout.splitlines()[1:7]}
    assert list(rows) == ["SGD", "AdaGrad", "RMSProp", "Momentum", "Nesterov", "Adam"]
    for name, (x, y, loss) in rows.items():
        u, v = np.array([x + 1, y - 0.5]), np.array([x - 1, y + 0.5])
        shallow, deep = 0.7 * np.exp(-3 * u @ u), 1.5 * np.exp(-3 * v @ v)
        gradient = 0.6 * np.array([x, y]) + 6 * shallow * u + 6 * deep * v
        hessian = (0.6 + 6 * shallow + 6 * deep) * np.eye(2) - 36 * (shallow * np.outer(u, u) + deep * np.outer(v, v))
        assert np.all(np.linalg.eigvalsh(hessian) > 0)
        assert np.linalg.norm(np.linalg.solve(hessian, gradient)) < 0.002  # one Newton step from the minimum
        assert loss == pytest.approx(0.3 * (x * x + y * y) - shallow - deep, abs=2e-4)
        assert (x > 0) == (name in ("Momentum", "Nesterov", "Adam"))
