"""Derivatives as formulas in the user's names: one line per function, read as Python, shown as text or as LaTeX.

``LOCAL`` holds the partial derivatives of functions that work entry by entry, ``PULLED`` what becomes of the upstream
``g`` in functions of whole arrays, ``WORDS`` the rest in a sentence. In a formula ``x``, ``y``, ``z`` are the operands,
``ans`` is the answer and ``n`` the number of entries that one answer is made of. Numbers never come from here: the
engine's own rules compute them, and the tests hold one against the other.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microgd.core.primitive import OPERANDS, Primitive

LOCAL_TEXT = """
add: 1; 1
subtract: 1; -1
multiply times: y; x
divide over: 1 / y; -x / y ** 2
power float_power: y * x ** (y - 1); ans * log(x)
negative: -1
positive copy astype unwrap fraction: 1
nextafter: 1; 0
reciprocal: -1 / x ** 2
remainder: 1; -floor(x / y)
fmod: 1; -trunc(x / y)
square: 2 * x
sqrt: 1 / (2 * ans)
cbrt: 1 / (3 * ans ** 2)
ldexp: exp2(y); -
sum: 1
mean: 1 / n

exp expm1: exp(x)
exp2: log(2) * 2 ** x
exp10: log(10) * 10 ** x
log: 1 / x
log2: 1 / (x * log(2))
log10: 1 / (x * log(10))
log1p: 1 / (1 + x)
logaddexp: sigmoid(x - y); sigmoid(y - x)
logaddexp2: 1 / (1 + 2 ** (y - x)); 1 / (1 + 2 ** (x - y))

sin: cos(x)
cos cosm1: -sin(x)
tan: 1 + ans ** 2
arcsin: 1 / sqrt(1 - x ** 2)
arccos: -1 / sqrt(1 - x ** 2)
arctan: 1 / (1 + x ** 2)
arctan2: y / (x ** 2 + y ** 2); -x / (x ** 2 + y ** 2)
hypot: x / ans; y / ans
deg2rad radians: pi / 180
rad2deg degrees: 180 / pi
sinc: (cos(pi * x) - ans) / x
sinh: cosh(x)
cosh: sinh(x)
tanh: 1 - ans ** 2
arcsinh: 1 / sqrt(x ** 2 + 1)
arccosh: 1 / sqrt(x ** 2 - 1)
arctanh: 1 / (1 - x ** 2)
sindg: pi / 180 * cosdg(x)
cosdg: -pi / 180 * sindg(x)
tandg: pi / 180 * (1 + ans ** 2)
cotdg: -pi / 180 * (1 + ans ** 2)

absolute fabs: sign(x)
copysign: sign(x) * sign(y); 0
maximum fmax: where(x > y, 1, 0); where(y > x, 1, 0)
minimum fmin: where(x < y, 1, 0); where(y < x, 1, 0)
clip: where(x < y, 0, where(x > z, 0, 1)); where(x < y, 1, 0); where(x > z, 1, 0)
where: -; where(x, 1, 0); where(x, 0, 1)
gate: where(y, 1, 0); -
nan_to_num: where(isfinite(x), 1, 0)
relu: where(x > 0, 1, 0)
sigmoid expit: ans * (1 - ans)
softplus: sigmoid(x)
log_expit: sigmoid(-x)
logit: 1 / (x * (1 - x))
log_loss: sigmoid(x) - y; -x

erf: 2 / sqrt(pi) * exp(-x ** 2)
erfc: -2 / sqrt(pi) * exp(-x ** 2)
erfcx: 2 * x * ans - 2 / sqrt(pi)
erfi: 2 / sqrt(pi) * exp(x ** 2)
erfinv: sqrt(pi) / 2 * exp(ans ** 2)
erfcinv: -sqrt(pi) / 2 * exp(ans ** 2)
dawsn: 1 - 2 * x * ans
ndtr: exp(-x ** 2 / 2) / sqrt(2 * pi)
ndtri: sqrt(2 * pi) * exp(ans ** 2 / 2)
log_ndtr: inverse_mills(x)
ndtri_exp: 1 / inverse_mills(ans)
owens_t: -exp(-x * x / 2) * erf(x * y / sqrt(2)) / sqrt(8 * pi); exp(-x * x * (1 + y * y) / 2) / (2 * pi * (1 + y * y))
inverse_mills: -ans * (x + ans)
xlogy: log(y); x / y
xlog1py: log1p(y); x / (1 + y)
entr: -1 - log(x)
rel_entr: 1 + log(x / y); -x / y
kl_div: log(x / y); 1 - x / y
huber: maximum(abs(y) - x, 0); clip(y, -x, x)
pseudo_huber: (hypot(x, y) - x) ** 2 / hypot(x, y); x * y / hypot(x, y)
boxcox: x ** (y - 1); ((y * ans + 1) * log(x) - ans) / y
boxcox1p: (1 + x) ** (y - 1); ((y * ans + 1) * log(1 + x) - ans) / y
inv_boxcox: ans ** (1 - y); (x * ans ** (1 - y) - ans * log(ans)) / y
inv_boxcox1p: (1 + ans) ** (1 - y); (x * (1 + ans) ** (1 - y) - (1 + ans) * log(1 + ans)) / y
powm1: y * x ** (y - 1); (ans + 1) * log(x)
exprel: (exp(x) - ans) / x
spence: log(x) / (1 - x)
wrightomega: ans / (1 + ans)
exp1: -exp(-x) / x
expi: exp(x) / x

gamma: ans * psi(x)
gammaln loggamma: psi(x)
psi: polygamma(1, x)
polygamma: -; polygamma(x + 1, y)
rgamma: -ans * psi(x)
beta: ans * (psi(x) - psi(x + y)); ans * (psi(y) - psi(x + y))
betaln: psi(x) - psi(x + y); psi(y) - psi(x + y)
gammainc: -; exp(-y) * y ** (x - 1) / gamma(x)
gammaincc: -; -exp(-y) * y ** (x - 1) / gamma(x)
gammaincinv: -; gamma(x) * exp(ans) * ans ** (1 - x)
gammainccinv: -; -gamma(x) * exp(ans) * ans ** (1 - x)
betainc: -; -; z ** (x - 1) * (1 - z) ** (y - 1) / beta(x, y)
betaincc: -; -; -(z ** (x - 1)) * (1 - z) ** (y - 1) / beta(x, y)
betainccinv: -; -; -beta(x, y) * ans ** (1 - x) * (1 - ans) ** (1 - y)
chdtr: -; exp(-y / 2) * (y / 2) ** (x / 2 - 1) / (2 * gamma(x / 2))
chdtrc: -; -exp(-y / 2) * (y / 2) ** (x / 2 - 1) / (2 * gamma(x / 2))
pdtr: -; -exp(-y) * y ** floor(x) / gamma(floor(x) + 1)
pdtrc: -; exp(-y) * y ** floor(x) / gamma(floor(x) + 1)
stdtr: -; (1 + y * y / x) ** (-(x + 1) / 2) / (sqrt(x) * beta(x / 2, 0.5))
stdtrit: -; (1 + ans * ans / x) ** ((x + 1) / 2) * sqrt(x) * beta(x / 2, 0.5)
fdtr: -; -; (x / y) ** (x / 2) * z ** (x / 2 - 1) * (1 + x * z / y) ** (-(x + y) / 2) / beta(x / 2, y / 2)
fdtrc: -; -; -((x / y) ** (x / 2)) * z ** (x / 2 - 1) * (1 + x * z / y) ** (-(x + y) / 2) / beta(x / 2, y / 2)
betaincinv: -; -; beta(x, y) * ans ** (1 - x) * (1 - ans) ** (1 - y)

j0: -j1(x)
j1: (j0(x) - jv(2, x)) / 2
jv: -; (jv(x - 1, y) - jv(x + 1, y)) / 2
y0: -y1(x)
y1: (y0(x) - yv(2, x)) / 2
yn yv: -; (yv(x - 1, y) - yv(x + 1, y)) / 2
i0: i1(x)
i1: (i0(x) + iv(2, x)) / 2
iv: -; (iv(x - 1, y) + iv(x + 1, y)) / 2
k0: -k1(x)
k1: -(k0(x) + kv(2, x)) / 2
kn kv: -; -(kv(x - 1, y) + kv(x + 1, y)) / 2
i0e: i1e(x) - sign(x) * ans
i1e: (i0e(x) + ive(2, x)) / 2 - sign(x) * ans
ive: -; (ive(x - 1, y) + ive(x + 1, y)) / 2 - sign(y) * ans
k0e: ans - k1e(x)
k1e: ans - (k0e(x) + kve(2, x)) / 2
kve: -; ans - (kve(x - 1, y) + kve(x + 1, y)) / 2
eval_chebyt: -; x * eval_chebyu(x - 1, y)
eval_chebyu: -; 2 * eval_gegenbauer(x - 1, 2, y)
eval_legendre: -; eval_gegenbauer(x - 1, 1.5, y)
eval_gegenbauer: -; -; 2 * y * eval_gegenbauer(x - 1, y + 1, z)
eval_jacobi: -; -; -; (x + y + z + 1) / 2 * eval_jacobi(x - 1, y + 1, z + 1, x3)
eval_laguerre: -; -eval_genlaguerre(x - 1, 1, y)
eval_genlaguerre: -; -; -eval_genlaguerre(x - 1, y + 1, z)
eval_hermite: -; 2 * y * ans - eval_hermite(x + 1, y)
eval_hermitenorm: -; y * ans - eval_hermitenorm(x + 1, y)
hyp0f1: -; hyp0f1(x + 1, y) / x
hyp1f1: -; -; x / y * hyp1f1(x + 1, y + 1, z)
hyp2f1: -; -; -; x * y / z * hyp2f1(x + 1, y + 1, z + 1, x3)
settled: y; -
ellipkinc: 1 / sqrt(1 - y * sin(x) ** 2); -
ellipeinc: sqrt(1 - y * sin(x) ** 2); -
ellipk: (ellipe(x) / (1 - x) - ans) / (2 * x)
ellipe: (ans - ellipk(x)) / (2 * x)
"""

PULLED_TEXT = """
softmax: ans * (g - sum(g * ans))
log_softmax: g - exp(ans) * sum(g)
logsumexp: g * softmax(x)
inv: -ans.T @ g @ ans.T
det: g * ans * inv(x).T
"""

# The shape of a matrix product's formula depends on the number of axes of its operands.
MATMUL: dict[tuple[int, ...], tuple[str, str]] = {
    (1, 1): ("g * y", "g * x"),
    (2, 1): ("outer(g, y)", "x.T @ g"),
    (1, 2): ("y @ g", "outer(x, g)"),
    (2, 2): ("g @ y.T", "x.T @ g"),
}

BACK_IN_SHAPE = "the upstream, back in the shape of {x}"
TURNED_BACK = "the upstream, with its axes turned back"
FOURIER = "the transposed Fourier transform of the upstream"
WORDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("reshape", "ravel", "squeeze", "expand_dims"), (BACK_IN_SHAPE,)),
    **dict.fromkeys(("transpose", "swapaxes", "moveaxis"), (TURNED_BACK,)),
    **dict.fromkeys(("fft", "ifft", "rfft", "irfft"), (FOURIER,)),
    **dict.fromkeys(("max", "min"), ("the entries that reach the extreme share the upstream evenly",)),
    "broadcast_to": ("the upstream, summed over the copies of {x}",),
    "concatenate": ("its own part of the upstream",),
    "cumsum": ("at each entry, the sum of the upstream from there on",),
    "getitem": ("the upstream at the places that were taken, 0 elsewhere",),
    "scatter": ("the upstream at the places that it was added to",),
    "setitem": ("the upstream, 0 where entries were overwritten", "the upstream at the places that were assigned"),
    "einsum": ("the same products and sums, with the upstream in the place of {x}",),
    "convolve": ("the upstream, convolved with {y} turned round", "the upstream, convolved with {x} turned round"),
    "cross_last": ("the cross product of {y} and the upstream", "the cross product of the upstream and {x}"),
    "real": ("the upstream, to the real part",),
    "imag": ("the upstream, to the imaginary part",),
    "conjugate": ("the conjugate of the upstream",),
    "length": ("the upstream times {x} divided by its length",),
    "checkpointed": ("the segment is run again and walked back as a whole",),
}
BY_FORM = {
    "elementwise": "the upstream, scaled entry by entry by the derivative of {name}",
    "linear": "the transpose of {name}, applied to the upstream",
    "bilinear": "the transpose of {name} with the other operand held fixed, applied to the upstream",
    "general": "the upstream times the Jacobian of {name}, by a rule of its own",
}


def parsed(text: str) -> dict[str, tuple[str | None, ...]]:
    """A table as written above: names, a colon, and one formula per operand, ``-`` where there is none."""
    table: dict[str, tuple[str | None, ...]] = {}
    for line in filter(None, text.splitlines()):
        names, _, formulas = line.partition(":")
        row = tuple(None if part.strip() == "-" else part.strip() for part in formulas.split(";"))
        table |= dict.fromkeys(names.split(), row)
    return table


LOCAL, PULLED = parsed(LOCAL_TEXT), parsed(PULLED_TEXT)


@dataclass(frozen=True)
class Derivative:
    """How one operand receives its share: a formula for the local derivative, one for the share, or words."""

    local: ast.expr | None = None
    pulled: ast.expr | None = None
    words: str = ""


def derivative(row: Primitive, operand: int, names: Mapping[str, ast.expr], ndims: tuple[int, ...]) -> Derivative:
    """The derivative by one operand of a call, in the names given for ``x``, ``y``..., ``ans``, ``n`` and ``g``."""
    name = row.name if library(row) else ""  # a user's own function may have the name of another
    if name in LOCAL and row.form in ("elementwise", "linear") and (formula := LOCAL[name][operand]):
        return Derivative(local=filled(formula, names))
    pulled = MATMUL.get(ndims) if name == "matmul" else PULLED.get(name)
    if pulled and (formula := pulled[operand]):
        return Derivative(pulled=filled(formula, names))
    spoken = {name: ast.unparse(names[name]) for name in OPERANDS if name in names}
    told = WORDS.get(name, (BY_FORM[row.form],))
    if len(told) == 1:  # the same words for every operand
        return Derivative(words=told[0].format(name=row.name, x=spoken[OPERANDS[operand]]))
    return Derivative(words=told[operand].format(**spoken))


def library(row: Primitive) -> bool:
    """Whether a function is NumPy's, SciPy's, Python's or ours, so that its name says what it does."""
    home = getattr(row.function, "__module__", None) or "numpy"  # methods of arrays do not say where they come from
    return home.partition(".")[0] in ("numpy", "scipy", "microgd", "_operator")


def filled(formula: str, names: Mapping[str, ast.expr]) -> ast.expr:
    """A formula with other names in the place of its own, and the simplest sums and powers worked out."""
    return Fill(names).visit(ast.parse(formula, mode="eval").body)  # type: ignore[no-any-return]


class Fill(ast.NodeTransformer):
    """Puts names in the place of names."""

    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left: ast.expr = self.visit(node.left)
        right: ast.expr = self.visit(node.right)
        a, b = constant(left), constant(right)
        match node.op:
            case ast.Sub() if a is not None and b is not None:  # the exponent of a power rule
                return literal(a - b)
            case ast.Pow() if b == 1:
                return left
            case ast.Mult() if b == 1:
                return left
            case ast.Mult() if a == 1:
                return right
        return ast.BinOp(left, node.op, right)


def constant(node: ast.expr) -> Any:
    """The number that a tree stands for, or None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = constant(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else None


def literal(x: Any) -> ast.expr:
    """A number as a tree, whole numbers whole, with six digits."""
    return expression(f"{x:.6g}")


def expression(text: str) -> ast.expr:
    """A name or an expression as a tree; what Python cannot read stands as it is.

    >>> ast.unparse(expression("a + b")), ast.unparse(expression("of 3"))
    ('a + b', 'of 3')
    """
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return ast.Name(text)
