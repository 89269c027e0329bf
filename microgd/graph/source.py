"""What the user's own line says about one operation: its name, its expression, its operands.

An ``Origin`` knows the place in the program and the text of the expression there. Python's parser takes the text apart.
One written expression may be many operations (``np.var(x)``); only the one that it ends in is it, and the others
are steps inside. This file knows nothing of values.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

from microgd.core.watch import Origin

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.Mod: "remainder",
    ast.USub: "negative",
    ast.UAdd: "positive",
}
ALIASES = {
    "amax": "max",
    "amin": "min",
    "expit": "sigmoid",
    "radians": "deg2rad",
    "degrees": "rad2deg",
    "abs": "absolute",
}


@dataclass(frozen=True)
class Written:
    """One expression of the user's program."""

    text: str = ""
    """As it stands there."""
    name: str = ""
    """The variable that the line assigns it to."""
    place: str = ""
    """``file.py:12 in loss``."""
    operation: str = ""
    """The row of the operation that the expression ends in."""
    operands: tuple[str, ...] = ()
    """How its operands are written."""


def written(origin: Origin | None) -> Written:
    """What stands at a place; nothing where lines were not recorded."""
    return read(*origin) if origin else Written()


@lru_cache(maxsize=4096)
def read(code: CodeType, instruction: int, line: int) -> Written:
    origin = Origin(code, instruction, line)
    tree = parsed(origin.text)
    if isinstance(tree, ast.AugAssign):
        operands = (ast.unparse(tree.target), ast.unparse(tree.value))
        symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}.get(
            kind := OPERATORS.get(type(tree.op), "")
        )
        text = f"{operands[0]} {symbol} {operands[1]}" if symbol else origin.text
        return Written(text, operands[0], origin.place, kind, operands)
    if not isinstance(tree, ast.Expr):
        return Written(origin.text, "", origin.place)
    operation, operands = taken_apart(tree.value)
    return Written(ast.unparse(tree.value), target(origin, tree.value), origin.place, operation, operands)


def parsed(text: str) -> ast.stmt | None:
    """The one statement that a piece of text is."""
    try:
        body = ast.parse(text.strip()).body
    except SyntaxError:
        return None
    return body[0] if len(body) == 1 else None


def taken_apart(tree: ast.expr) -> tuple[str, tuple[str, ...]]:
    """The operation that an expression ends in, and its operands as text."""
    if isinstance(tree, ast.BinOp):
        return OPERATORS.get(type(tree.op), ""), (ast.unparse(tree.left), ast.unparse(tree.right))
    if isinstance(tree, ast.UnaryOp):
        return OPERATORS.get(type(tree.op), ""), (ast.unparse(tree.operand),)
    if isinstance(tree, ast.Subscript):
        return "getitem", (ast.unparse(tree.value),)
    if isinstance(tree, ast.Attribute) and tree.attr in ("T", "mT", "real", "imag"):
        return {"T": "transpose", "mT": "swapaxes"}.get(tree.attr, tree.attr), (ast.unparse(tree.value),)
    if isinstance(tree, ast.Call):
        arguments = tuple(ast.unparse(part) for part in tree.args if not isinstance(part, ast.Starred))
        if isinstance(tree.func, ast.Name):
            return ALIASES.get(tree.func.id, tree.func.id), arguments
        if isinstance(tree.func, ast.Attribute):
            owner, name = ast.unparse(tree.func.value), ALIASES.get(tree.func.attr, tree.func.attr)
            from_library = owner.split(".")[0] in ("np", "numpy", "mg", "microgd", "scipy", "special", "F", "nn")
            return name, arguments if from_library else (owner, *arguments)
    return "", ()


def target(origin: Origin, tree: ast.expr) -> str:
    """The variable that gets exactly this expression; nothing if the line does something else with it."""
    line = parsed(linecache.getline(origin.code.co_filename, origin.line))
    value = getattr(line, "value", None)
    if isinstance(line, ast.Assign) and len(line.targets) == 1:
        goal: ast.expr = line.targets[0]
    elif isinstance(line, ast.AnnAssign):
        goal = line.target
    else:
        return ""
    return ast.unparse(goal) if value is not None and ast.dump(value) == ast.dump(tree) else ""


def number(text: str) -> float | int | complex | None:
    """The number that a piece of text is, if it is one."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return found if type(found) in (int, float, complex) else None
