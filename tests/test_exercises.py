"""Exercises as learners and teachers meet them: the twelve that are shipped, right and wrong answers, bad files.

Answers are checked in this process, which is quick; whatever a file may do to the process that runs it is tried in
real ones.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from microgd.check import exercise
from microgd.check.exercises import attempt, exercises_of
from microgd.check.grading import KEPT, grade
from microgd.errors import DataError, OptionError

FOLDER = Path(__file__).parent.parent / "examples" / "exercises"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
every_exercise = pytest.mark.parametrize("name", NAMES)


def last_body(text: str) -> tuple[list[str], slice]:
    """The lines of a file, and where among them the body of its last function stands."""
    function = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)][-1]
    return text.splitlines(), slice(function.body[0].lineno - 1, function.end_lineno)


def answered(name: str, body: str) -> str:
    """The text of a shipped exercise with an answer in it."""
    lines, place = last_body((FOLDER / f"{name}.py").read_text())
    lines[place] = [f"    {line}" for line in body.splitlines()]
    return "\n".join(lines) + "\n"


def solved(name: str) -> str:
    lines, place = last_body((FOLDER / "solutions" / f"{name}.py").read_text())
    return answered(name, "\n".join(line.removeprefix("    ") for line in lines[place]))


def results(text: str, seed: int, path: str = "exercise.py"):
    """The results of all exercises in a text, in this process."""
    module = ModuleType("exercise_file")
    exec(compile(text, path, "exec"), module.__dict__)
    return [attempt(task, seed, path) for task in exercises_of(module)]


def check(*options, cwd, status, **environment):
    """The command, in a process of its own: what it printed, on one stream or the other."""
    command = [sys.executable, "-W", "error", "-m", "microgd.cli", "check", *map(str, options)]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", **environment}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (done.stdout and done.stderr)
    return done.stdout or done.stderr


# ---- the twelve --------------------------------------------------------------------------------------------


def test_there_are_twelve_each_with_a_solution_and_a_line_in_the_readme():
    assert len(NAMES) == 12
    assert sorted(path.stem for path in (FOLDER / "solutions").iterdir()) == NAMES
    assert re.findall(r"\]\((e\w+)\.py\)", (FOLDER / "README.md").read_text()) == NAMES


@every_exercise
def test_as_shipped_it_is_not_done(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"microgd check {name}.py" in text
    (result,) = results(text, seed=0)
    assert result.state == "not done"


@every_exercise
@pytest.mark.parametrize("seed", range(3))
def test_its_solution_passes(name, seed):
    (result,) = results(solved(name), seed)
    assert (result.state, result.points) == ("passed", 5), result
    assert all(finding.wrong == 0 for finding in result.findings)


@every_exercise
def test_it_has_hints_from_a_nudge_on(name):
    module = ModuleType("exercise_file")
    exec((FOLDER / f"{name}.py").read_text(), module.__dict__)
    (task,) = exercises_of(module)
    assert len(task.hints) >= 2


BACK = "H = np.tanh(X @ W1 + b1)\nd = (H @ w2 + b2 - y) / len(y)\nD = d[:, None] * w2 * (1 - H**2)\n"
LOGISTIC = "p = sigmoid(X @ w + b)\n"

WRONG = [
    ("e01_power_rule", "return -n * x ** (n - 1)", ["sign"]),
    ("e01_power_rule", "return x ** (n - 1)", ["missing factor"]),
    ("e02_product_rule", "return 2 * x * np.sin(x) - x**2 * np.cos(x)", ["sign"]),
    ("e03_quotient_rule", "return (np.sin(x) * 2 * x - np.cos(x) * (x**2 + 1)) / (x**2 + 1) ** 2", ["sign"]),
    ("e04_chain_rule", "return -6 * x * np.cos(3 * x**2)", ["sign"]),
    ("e04_chain_rule", "return np.cos(3 * x**2) * 3 * x", ["factor"]),
    ("e05_partial_derivatives", "return x**2 + 9 * x * y**2, 2 * x * y + 3 * y**3", ["swapped arguments"] * 2),
    ("e06_mse_slope_and_intercept", "e = w * x + b - y\nreturn np.mean(e * x), np.mean(e)", ["factor"] * 2),
    ("e06_mse_slope_and_intercept", "e = w * x + b - y\nreturn 2 * np.mean(e * x), 2 * np.sum(e)", [None, "factor"]),
    ("e06_mse_slope_and_intercept", "e = y - w * x - b\nreturn 2 * np.mean(e * x), 2 * np.mean(e)", ["sign"] * 2),
    ("e06_mse_slope_and_intercept", "e = w * x + b - y\nreturn 2 * np.mean(e * x), 0", [None, "missing factor"]),
    ("e07_mse_with_half", "e = X @ w + b - y\nreturn X.T @ e, np.mean(e)", ["factor", None]),
    ("e07_mse_with_half", "e = X @ w + b - y\nreturn np.mean(X.T @ e), np.mean(e)", ["shape", None]),
    ("e08_sigmoid", "return -sigmoid(z) * (1 - sigmoid(z))", ["sign"]),
    ("e09_sigmoid_neuron", "f = sigmoid(w * x + b)\nreturn np.sum((f - y) * x), np.sum(f - y)", ["missing factor"] * 2),
    ("e10_log_loss", LOGISTIC + "return X.T @ (y - p) / len(y), np.mean(y - p)", ["sign"] * 2),
    ("e10_log_loss", LOGISTIC + "return X.T @ (p - y) / len(y), np.sum(p - y)", [None, "factor"]),
    ("e11_softmax_cross_entropy", "return softmax(Z) - Y", ["factor"]),
    ("e11_softmax_cross_entropy", "return ((softmax(Z) - Y) / len(Z)).T", ["transposed"]),
    (
        "e12_two_layer_network",
        BACK + "return (X.T @ D).T, D.sum(0), H.T @ d, d.sum()",
        ["transposed", None, None, None],
    ),
    ("e12_two_layer_network", BACK + "return X.T @ D, D.sum(0), -H.T @ d, d.sum()", [None, None, "sign", None]),
]


@pytest.mark.parametrize(("name", "body", "causes"), WRONG)
@pytest.mark.parametrize("seed", range(2))
def test_a_typical_mistake_is_called_by_its_name(name, body, causes, seed):
    (result,) = results(answered(name, body), seed)
    assert result.state == "failed", result
    assert [finding.cause for finding in result.findings] == causes
    assert result.cause in causes
    assert result.verdict in [finding.verdict for finding in result.findings]
    for finding in result.findings:
        if finding.cause not in (None, "shape", "transposed"):
            assert finding.wrong == result.points
            assert all(float(yours) != float(true) for _, yours, true, _ in finding.table)


def test_a_link_missing_in_the_chain_is_shown_with_its_line():
    (result,) = results(answered("e04_chain_rule", "return np.cos(3 * x**2)"), 0, str(FOLDER / "e04_chain_rule.py"))
    assert result.cause == "missing factor"
    assert "3 * x**2" in result.verdict
    assert "e04_chain_rule.py:14" in result.verdict


def test_a_factor_that_changes_from_point_to_point_is_not_called_a_constant():
    """At each point by itself the answer is 1/2, 1/3, ... or 1/12 of the truth: no constant is wrong by that."""
    text = """
from microgd.check import exercise
@exercise(of=lambda x, n: x**n, inputs=lambda rng: (rng.uniform(1, 2), int(rng.integers(2, 13))))
def slope(x, n): return x ** (n - 1)
"""
    (result,) = results(text, seed=0)
    assert result.cause != "factor", result
    assert "every point" in result.verdict


HEAD = """
import numpy as np
from microgd.check import exercise
def f(x, y): return np.sum(x**2) + y**3
def answer(argnums=0):
    return exercise(of=f, inputs=lambda rng: (rng.normal(size=3), rng.normal()), argnums=argnums, hints=["one", "two"])
"""

ANSWERS = [
    ("return 2 * x", "passed", None, ""),
    ("return list(2 * x)", "passed", None, ""),
    ("pass", "not done", None, "not return"),
    ("raise NotImplementedError", "not done", None, "not return"),
    ("return 'two x'", "failed", "dtype", "Expected numbers, got str: 'two x'"),
    ("return {'x': 2 * x}", "failed", "dtype", "got dict"),
    ("return 2 * x + 0j", "failed", "dtype", "complex"),
    ("return np.sqrt(-np.abs(x))", "failed", "not finite", "NaN"),
    ("x *= 2\nreturn x", "failed", "changes its inputs", "in place"),
    ("import microgd\nreturn microgd.grad(f)(x, y)", "failed", "not by hand", "by hand"),
    ("return 2 * z", "crashed", None, "NameError: name 'z' is not defined"),
    ("import sys\nsys.exit(0)", "crashed", None, "ends the whole program"),
    ("return x ^ 2", "crashed", None, "a power is written ** in Python, not ^"),
    ("return y ^ 2", "crashed", None, "a power is written ** in Python, not ^"),
    ("return slope(x, y)", "crashed", None, "RecursionError"),
    ("raise KeyboardInterrupt", "crashed", None, "KeyboardInterrupt"),
    ("class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd", "crashed", None, "Odd"),
]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("body", "state", "cause", "words"), ANSWERS)
def test_answers_of_every_kind(tmp_path, body, state, cause, words):
    path = tmp_path / "answer.py"
    path.write_text(HEAD + "@answer()\ndef slope(x, y):\n" + "".join(f"    {line}\n" for line in body.splitlines()))
    (result,) = results(path.read_text(), 0, str(path))
    assert (result.state, result.cause) == (state, cause), result
    assert words in result.verdict
    if state == "crashed":
        assert result.where.splitlines()[-1].strip() in body
        assert "microgd" not in result.where


@pytest.mark.parametrize("returned", ["2 * x", "3.0", "(2 * x, 3 * y**2, 1)"])
def test_the_number_of_derivatives_is_counted(returned):
    (result,) = results(HEAD + f"@answer((0, 1))\ndef slopes(x, y): return {returned}\n", 0)
    assert (result.state, result.cause) == ("failed", "shape")
    assert "Expected 2 derivatives" in result.verdict


def test_the_decorated_function_stays_what_it_was_and_misuse_is_told():
    def slope(x):
        return 2 * x

    assert exercise(of=lambda x: x**2, inputs=lambda rng: rng.normal())(slope) is slope
    with pytest.raises(OptionError, match="of=3 is not a function"):
        exercise(of=3, inputs=lambda rng: 1.0)
    with pytest.raises(OptionError, match="inputs=4 is not a function"):
        exercise(of=abs, inputs=4)
    with pytest.raises(OptionError, match="give a list"):
        exercise(of=abs, inputs=lambda rng: 1.0, hints="one text")


def test_what_is_decorated_need_not_be_a_plain_function():
    text = HEAD + "@answer()\n@np.vectorize\ndef slope(x, y): return -2 * x\n"
    (result,) = results(text, 0)
    assert (result.state, result.cause) == ("failed", "sign")


def test_points_come_from_the_seed_alone():
    wrong = HEAD + "@answer()\ndef slope(x, y): return -2 * x\n"
    first, again, other = (results(wrong, seed)[0].findings[0].point for seed in (1, 1, 2))
    assert first == again != other
    longer = HEAD + "@answer()\ndef another(x, y): return 2 * x\n" + wrong.removeprefix(HEAD)
    assert results(longer, 1)[1].findings[0].point == first, "other exercises in the file make no difference"


# ---- in processes of their own -----------------------------------------------------------------------------

MISBEHAVING = {
    "good": "return 2 * x",
    "wrong": "return -2 * x",
    "endless": "while True:\n    y += 1",
    "flood": "while True:\n    print('spam' * 1000)",
    "deaf": "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass",
    "gone": "import os\nos._exit(0)",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
    "greedy": "hoard = []\nwhile True:\n    hoard.append(np.zeros(10**7))",
    "asks": "return float(input('the answer? ')) * x",
    "claims": 'print(\'{"result": {"name": "claims", "state": "passed", "findings": []}}\')\nreturn -2 * x',
    "meddles": "import os\nfor k in range(3, 30):\n    try: os.write(k, b'passed\\n')\n    except OSError: pass",
    "closes": "import os\nos.closerange(3, 100)\nreturn 2 * x",
    "steers": "print('\\x1b[2J all passed')\nreturn -2 * x",
    "starts": "import subprocess\nprocess = subprocess.Popen(['sleep', '600'])\n"
    "open('pid', 'w').write(str(process.pid))\nreturn 2 * x",
    "last": "return 2 * x",
}


@pytest.fixture(scope="module")
def misbehaved(tmp_path_factory):
    """One run of the command over everything a file may do."""
    folder = tmp_path_factory.mktemp("misbehaving")
    functions = [
        f"@answer()\ndef {name}(x, y):\n" + "".join(f"    {line}\n" for line in body.splitlines())
        for name, body in MISBEHAVING.items()
    ]
    (folder / "file.py").write_text(HEAD + "\n".join(functions))
    options = ["--json", "--seed", 5, "--time-limit", 1, "--hints", 1]
    report = json.loads(check("file.py", *options, cwd=folder, status=1))
    return folder, report, {each["name"]: each for each in report["exercises"]}


def test_every_exercise_gets_its_turn(misbehaved):
    _, report, each = misbehaved
    assert list(each) == list(MISBEHAVING)
    passed = {name for name, result in each.items() if result["state"] == "passed"}
    assert passed == {"good", "starts", "last"}
    assert (report["ok"], report["passed"], report["total"], report["seed"]) == (False, 3, 15, 5)
    assert (report["file"], report["error"], report["hint_level"]) == ("file.py", "", 1)


@pytest.mark.parametrize(
    ("name", "state", "words", "line"),
    [
        ("wrong", "failed", "sign", ""),
        ("endless", "timed out", "Not finished within 1 s", "in endless"),
        ("flood", "timed out", "Not finished within 1 s", "print('spam' * 1000)"),
        ("deaf", "timed out", "Not finished within 1 s", ""),
        ("gone", "crashed", "ended the whole process with status 0", ""),
        ("killed", "crashed", "Segmentation fault", ""),
        ("greedy", "crashed", "MemoryError", "hoard.append(np.zeros(10**7))"),
        ("asks", "crashed", "EOFError", "input('the answer? ')"),
        ("claims", "failed", "sign", ""),
        ("meddles", "crashed", "wrote into the channel", ""),
        ("closes", "crashed", "closed the channel", ""),
    ],
)
def test_misbehaviour_is_told_in_a_sentence(misbehaved, name, state, words, line):
    result = misbehaved[2][name]
    assert result["state"] == state
    assert words in result["verdict"]
    assert line in result["where"]
    assert "microgd" not in result["where"]
    assert (result["hints"], result["hints_available"]) == (["one"], 2)
    if state == "timed out":
        assert result["seconds"] >= 1


def test_a_right_answer_is_shown_no_hint(misbehaved):
    result = misbehaved[2]["good"]
    assert (result["hints"], result["hints_available"], result["points"]) == ([], 2, 5)


def test_a_flood_is_cut_and_counted(misbehaved):
    _, report, _ = misbehaved
    assert report["printed"].startswith("spamspam")
    assert len(report["printed"]) == KEPT < report["printed_bytes"]


def test_what_a_file_started_ends_with_it(misbehaved):
    stat = Path(f"/proc/{(misbehaved[0] / 'pid').read_text()}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


LOADING = {
    "a syntax error": ("def f(x):\n    return 2 *\n", "SyntaxError", "return 2 *"),
    "an import error": ("import numpi\n", "No module named 'numpi'", "import numpi"),
    "an endless loop": ("while True:\n    pass\n", "Not finished within 0.5 s", "line"),
    "an exit": ("import sys\nsys.exit('bye')\n", "ends the whole program", "sys.exit"),
    "a hard exit": ("import os\nos._exit(0)\n", "ended the whole process", ""),
    "no Python": ("\0\1\2", "SyntaxError", ""),
    "nothing": ("x = 1\n", "no exercises", ""),
    "misuse": ("from microgd.check import exercise\n@exercise\ndef f(x): ...\n", "inputs", "@exercise"),
}


@pytest.mark.parametrize("what", LOADING)
def test_a_file_that_cannot_be_loaded(tmp_path, what):
    text, words, line = LOADING[what]
    path = tmp_path / "file.py"
    path.write_text(text)
    report = grade(path, time_limit=0.5)
    assert not report.ok
    assert words in report.error
    assert line in report.where
    assert "Traceback" not in report.error + report.where + report.printed.decode()
    assert report.results == []


def test_what_cannot_be_graded_at_all(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        grade(tmp_path / "missing.py")
    with pytest.raises(OptionError, match="time limit"):
        grade(FOLDER / "e01_power_rule.py", time_limit=0)
    with pytest.raises(OptionError, match="seed -1"):
        grade(FOLDER / "e01_power_rule.py", seed=-1)
    assert "name one Python file" in check(".", cwd=tmp_path, status=2)
    report = json.loads(check("missing.py", "--json", cwd=tmp_path, status=2))
    assert (report["ok"], report["exercises"], "no such file" in report["error"]) == (False, [], True)
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "no exercises" in check("empty.py", cwd=tmp_path, status=2)


def test_files_beside_it_may_be_imported_and_shadow_nothing_of_ours(tmp_path):
    (tmp_path / "helper.py").write_text("def twice(x): return 2 * x\n")
    for name in ("numpy", "json", "microgd", "signal"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong one')\n")
    path = tmp_path / "file.py"
    path.write_text(HEAD + "from helper import twice\n@answer()\ndef slope(x, y): return twice(x)\n")
    report = grade(path)
    assert report.ok, report
    assert not (tmp_path / "__pycache__").exists() or report.printed == b""


def test_the_report_for_people(tmp_path):
    wrong = "def cost_gradient(w, b, x, y):\n    e = w * x + b - y\n    return np.mean(e * x), 2 * np.mean(e)\n"
    text = (FOLDER / "e06_mse_slope_and_intercept.py").read_text()
    text = text[: text.index("def cost_gradient")] + wrong
    text += (
        "@exercise(of=cost, inputs=points)\ndef steers(w, b, x, y):\n    print('\\x1b[2J' + '[red]ü')\n    return q\n"
    )
    (tmp_path / "file.py").write_text(text)
    printed = check("file.py", "--hints", 2, "--seed", 3, cwd=tmp_path, status=1)
    for words in (
        "failed     cost_gradient",
        "w: wrong (factor, confidence",
        "1/2",
        "b: right",
        "Hint 1: Take one sample first.",
        "Hint 2: The chain rule",
        "1 more hint: --hints 3",
        "crashed    steers",
        "NameError: name 'q' is not defined",
        "return q",
        "[red]ü",
        "0 of 2 passed; the same points again: --seed 3",
    ):
        assert words in printed
    assert "Hint 3" not in printed
    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_all_passed_is_exit_status_0(tmp_path):
    (tmp_path / "file.py").write_text(solved("e06_mse_slope_and_intercept"))
    assert "1 of 1 passed" in check("file.py", cwd=tmp_path, status=0)


def test_a_terminal_without_umlauts(tmp_path):
    (tmp_path / "file.py").write_text("raise ValueError('Größe')", encoding="utf-8")
    assert "ValueError: Gr??e" in check("file.py", cwd=tmp_path, status=2, PYTHONIOENCODING="ascii")


def interruptible() -> None:
    """A process that was itself started in the background ignores interrupts, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted(tmp_path):
    (tmp_path / "file.py").write_text("import os\nopen('pid', 'w').write(str(os.getpid()))\nwhile True: pass\n")
    command = [sys.executable, "-m", "microgd.cli", "check", "file.py"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible
    )
    for _ in range(200):
        time.sleep(0.05)
        if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text()):
            break
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert not Path(f"/proc/{pid}").exists()
