"""The house rules that a machine can hold: import direction, line budgets, one dependency, a clean lint."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import microgd

PACKAGE = Path(microgd.__file__).parent
ROOT = PACKAGE.parent
FLOORS = [
    {"errors", "files"},
    {"core"},
    {"ops"},
    {"transforms"},
    {"check", "graph", "nn", "plots", "catalogue"},
    {"optim"},
    {"data", "train"},
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "microgd":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {[*name.name.split("."), ""][1] for name in node.names if name.name.split(".")[0] == "microgd"}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_from_right_to_left(path):
    here = FLOOR[room(path)]
    for other in imports(path):
        assert other == room(path) or FLOOR[other] < here, f"{path} imports {other}, which is not below it"


def code_lines(path: Path) -> int:
    """Lines that hold code: no blank lines, comments or docstrings."""
    source = path.read_text()
    silent = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            silent |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(1 for k, line in lines if k not in silent and line.strip() and not line.strip().startswith("#"))


AFTERNOON = [
    *[f"ops/{name}.py" for name in ("guard", "elementwise", "reduce", "shape", "index", "linalg", "special")],
    *[f"transforms/{name}.py" for name in ("reverse", "forward", "batch", "jacobian", "custom")],
    *[f"check/{name}.py" for name in ("numeric", "gradcheck")],
]
"""Beside core, what one reads to know how it all works; other files are more of the same kind, one family each."""


def test_line_budgets():
    """Growth is a decision: whoever raises these numbers says why in docs/design.md."""
    core = sum(code_lines(path) for path in modules() if room(path) == "core")
    assert core <= 1065
    assert core + sum(code_lines(PACKAGE / name) for name in AFTERNOON) <= 2700
    for path in modules():
        assert code_lines(path) <= 420, f"{path} is more than one room"


def test_numpy_is_the_only_thing_imported_at_run_time():
    """In a process of its own: importing the library brings in nothing that is not NumPy's or Python's."""
    script = (
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import microgd\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "print(*sorted(new - {'microgd', 'numpy'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_lint_and_types(command):
    if command == ["mypy"] and np.lib.NumpyVersion(np.__version__) < "2.3.0":
        pytest.skip("the type stubs of this NumPy lack functions that it has")
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_says_what_it_is():
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
