"""LaTeX of a Python expression, as a textbook would set it: fractions, powers, roots, cases.

It knows Python's syntax tree and nothing of this project. What has no form of its own is set as upright text.
"""

from __future__ import annotations

import ast
import re

SUMS, PRODUCTS, SIGNS, POWERS, ATOMS = range(5)
FUNCTIONS = {
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "log",
    "exp",
    "max",
    "min",
    "det",
    "arcsin",
    "arccos",
    "arctan",
}

COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: r"\ge", ast.LtE: r"\le", ast.Eq: "=", ast.NotEq: r"\ne"}
ESCAPES = {"\\": r"\backslash ", **{c: "\\" + c for c in "{}_$&#%"}, "~": r"\sim ", "^": r"\wedge "}


def latex(node: ast.expr) -> str:
    r"""The formula as LaTeX, for math mode.

    >>> print(latex(ast.parse("-x / y ** 2", mode="eval").body))
    -\frac{x}{y^{2}}
    """
    return written(node)[0]


def factor(node: ast.expr) -> str:
    r"""The formula as it stands behind a dot of multiplication.

    >>> factor(ast.parse("1 - y", mode="eval").body)
    '\\left(1 - y\\right)'
    """
    return within(node, PRODUCTS)


def name(text: str) -> str:
    r"""A variable: one letter in italics, a number behind it as an index, longer names upright.

    >>> name("v12"), name("loss"), name("w_1")
    ('v_{12}', '\\mathrm{loss}', 'w_{1}')
    """
    if text in ("pi", "inf"):
        return r"\pi" if text == "pi" else r"\infty"
    letters, index = re.fullmatch(r"(.*?)_?(\d*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if not letters:
        return plain(text)
    head = letters if len(letters) == 1 and letters.isalpha() else rf"\mathrm{{{plain(letters)}}}"
    return head + (f"_{{{index}}}" if index else "")


def plain(text: str) -> str:
    return "".join(ESCAPES.get(c, c) for c in text)


def within(node: ast.expr, level: int) -> str:
    """An operand, in parentheses where it binds less tightly than its place asks for."""
    text, own = written(node)
    return text if own >= level else rf"\left({text}\right)"


def written(node: ast.expr) -> tuple[str, int]:
    """The text, and how tightly it binds."""
    match node:
        case ast.Name(id=text):
            return name(text), ATOMS
        case ast.Constant(value=value):
            return plain(str(value)), ATOMS
        case ast.UnaryOp(op=ast.USub()):
            return f"-{within(node.operand, PRODUCTS)}", SIGNS if isinstance(node.operand, ast.Constant) else SUMS
        case ast.BinOp():
            return binary(node)
        case ast.Attribute(attr="T"):
            return rf"{within(node.value, ATOMS)}^{{\top}}", POWERS
        case ast.Compare(ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            return f"{within(node.left, SUMS)} {COMPARISONS[type(op)]} {within(right, SUMS)}", SUMS - 1
        case ast.Call(func=ast.Name(id=function)):
            return call(function, node), ATOMS
        case ast.Subscript():
            return rf"{within(node.value, ATOMS)}[\texttt{{{plain(ast.unparse(node.slice))}}}]", ATOMS
    return rf"\texttt{{{plain(ast.unparse(node))}}}", ATOMS


def binary(node: ast.BinOp) -> tuple[str, int]:
    match node.op:
        case ast.Add():
            return f"{within(node.left, SUMS)} + {within(node.right, SUMS)}", SUMS
        case ast.Sub():
            return f"{within(node.left, SUMS)} - {within(node.right, PRODUCTS)}", SUMS
        case ast.Mult():
            return rf"{within(node.left, PRODUCTS)} \cdot {within(node.right, SIGNS + 1)}", PRODUCTS
        case ast.MatMult():
            return rf"{within(node.left, PRODUCTS)} \, {within(node.right, SIGNS + 1)}", PRODUCTS
        case ast.Div():
            if isinstance(node.left, ast.UnaryOp) and isinstance(node.left.op, ast.USub):
                return rf"-\frac{{{latex(node.left.operand)}}}{{{latex(node.right)}}}", SUMS
            return rf"\frac{{{latex(node.left)}}}{{{latex(node.right)}}}", SIGNS + 1
        case ast.Pow():
            return f"{within(node.left, ATOMS)}^{{{latex(node.right)}}}", POWERS
    return rf"\texttt{{{plain(ast.unparse(node))}}}", ATOMS


def call(function: str, node: ast.Call) -> str:
    arguments = [latex(a) for a in node.args]
    if function == "where" and len(arguments) == 3:
        condition, yes, no = arguments
        return rf"\begin{{cases}} {yes} & {condition} \\ {no} & \text{{otherwise}} \end{{cases}}"
    if function == "sqrt":
        return rf"\sqrt{{{arguments[0]}}}"
    if function in ("abs", "absolute", "fabs"):
        return rf"\left|{arguments[0]}\right|"
    if function == "exp" and len(node.args) == 1:
        return f"e^{{{arguments[0]}}}" if len(arguments[0]) < 20 else rf"\exp\left({arguments[0]}\right)"
    head = rf"\{function}" if function in FUNCTIONS else rf"\operatorname{{{plain(function)}}}"
    given = arguments + [rf"\mathrm{{{plain(k.arg or '')}}}={latex(k.value)}" for k in node.keywords]
    return rf"{head}\left({', '.join(given)}\right)"
