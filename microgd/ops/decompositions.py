"""Inverses, determinants and factorizations of matrices, on stacks of them as in NumPy.

A function with several outputs (``eigh``: values and vectors) is one hidden primitive whose output packs them into one
array, and a composed function that takes the array apart, so nothing is factorized twice. Rules are transposes
without conjugates (see ``core/primitive.py``): in a formula from the literature every matrix is conjugated. Where a
factorization can be rotated freely, as eigenvectors of equal eigenvalues, there is no derivative and the answer is NaN,
unless nothing depends on the vectors concerned. Formulas: Giles (2008), Seeger et al. (2017), Golub and Pereyra (1973).
"""

import math
import operator
from typing import Any

import numpy as np

from microgd.core.box import Box, dispatching, innermost
from microgd.core.primitive import composed, elementwise, flat, general, primitive
from microgd.errors import UnsupportedError
from microgd.ops.guard import over, times
from microgd.ops.shape import shaped


def adjoint(x: Any) -> Any:
    """The conjugate transpose."""
    return np.conj(x).mT if x.dtype.kind == "c" else x.mT


def diagonal(x: Any) -> Any:
    return np.diagonal(x, 0, -2, -1)


def row(x: Any) -> Any:
    """A vector as a matrix of one row: times a matrix, it scales the columns."""
    return x[..., None, :]


def column(x: Any) -> Any:
    """A vector as a matrix of one column: times a matrix, it scales the rows."""
    return x[..., :, None]


# ---- inverses and linear systems ---------------------------------------------------------------------------

general(np.linalg.inv, lambda g, ans: -(ans.mT @ g @ ans.mT), batch="stack")


def solve_vector_or_matrix(a: Any, b: Any, is_vector: bool) -> Any:
    return np.linalg.solve(a, column(b))[..., 0] if is_vector else np.linalg.solve(a, b)


def solve_matrix_rule(g: Any, ans: Any, x: Any, y_shape: Any) -> Any:
    """-x^-T g ans'."""
    right = solve_vector_or_matrix(x.mT, g, len(y_shape) == 1)
    return -column(right) * row(ans) if len(y_shape) == 1 else -right @ ans.mT


general(
    np.linalg.solve,
    solve_matrix_rule,
    lambda g, x, y_shape: solve_vector_or_matrix(x.mT, g, len(y_shape) == 1),
    batch="stack",
)


def pinv_rule(g: Any, ans: Any, x: Any, rcond: Any, hermitian: Any, rtol: Any) -> Any:
    """Golub and Pereyra's three terms: of the inverse, and of what lies outside the column and the row space."""
    if rcond is not None or rtol is not None:
        check_cutoff(innermost(x), innermost(ans), hermitian)
    gh, conj_x, conj_p = adjoint(g), np.conj(x), np.conj(ans)
    columns = gh - conj_x @ (conj_p @ gh)
    rows = gh - (gh @ conj_p) @ conj_x
    return columns @ (conj_p @ ans.mT) + (ans.mT @ conj_p) @ rows - ans.mT @ g @ ans.mT


def check_cutoff(x: Any, inverse: Any, hermitian: bool) -> None:
    """Refuse to cut off singular values that are more than rounding: then the vectors kept would count too."""
    values = np.linalg.svd(x, compute_uv=False, hermitian=hermitian)
    largest = np.max(values, axis=-1, keepdims=True, initial=0)
    of_inverse = np.max(np.linalg.svdvals(inverse), axis=-1, keepdims=True, initial=0)  # 1 over the smallest kept
    rounding = max(1e-6, 10 * max(x.shape[-2:]) * np.finfo(values.dtype).eps) * largest
    dropped = values[(values > rounding) & (values * of_inverse < 0.999)]
    if dropped.size:
        raise UnsupportedError(
            f"pinv and lstsq: the cutoff drops singular values that are not 0, as {dropped[0]:.3g} beside "
            f"{largest.max():.3g}, which has no derivative rule. Take a smaller cutoff, or add a ridge: "
            f"solve(a.T @ a + c * eye, a.T @ b)."
        )


def pinv(a: Any, rcond: Any, hermitian: Any, rtol: Any) -> Any:
    cutoff = {name: x for name, x in (("rcond", rcond), ("rtol", rtol)) if x is not None}
    return np.linalg.pinv(a, hermitian=hermitian, **cutoff)


general(
    np.linalg.pinv,
    pinv_rule,
    signature="a, rcond=None, hermitian=False, rtol=None",
    forward=pinv,
    batch="stack",
    note="for changes that keep the rank",
)


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The shortest solution, as NumPy's; also what it leaves over, and the singular values."""
    a, b = shaped(a), shaped(b)
    rows, columns = a.shape
    cutoff = np.finfo(np.result_type(a.dtype, b.dtype, "f")).eps * max(rows, columns) if rcond is None else rcond
    x = np.linalg.pinv(a, cutoff) @ b
    values = np.linalg.svdvals(a)
    rank = np.count_nonzero(values > cutoff * values[0])
    left = b - a @ x
    residuals = np.atleast_1d(np.sum(np.real(np.conj(left) * left), axis=0))
    if columns >= rows or not (isinstance(rank, Box) or rank == columns):  # a batch has one shape, that of full rank
        residuals = residuals[:0]
    return x, residuals, rank, values


composed(np.linalg.lstsq, lstsq, note="for changes that keep the rank")


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    a, b = shaped(a), shaped(b)
    if axes is not None:
        last = [k % a.ndim for k in axes]
        a = np.transpose(a, [k for k in range(a.ndim) if k not in last] + last)
    shape = a.shape[b.ndim :]
    return np.linalg.solve(a.reshape(b.size, math.prod(shape)), b.ravel()).reshape(shape)


def tensorinv(a: Any, ind: int = 2) -> Any:
    rows = math.prod(a.shape[:ind])
    return np.linalg.inv(a.reshape(rows, -1)).reshape(a.shape[ind:] + a.shape[:ind])


def matrix_power(a: Any, n: int) -> Any:
    """Squares of squares."""
    n = operator.index(n)
    if n < 0:
        return matrix_power(np.linalg.inv(a), -n)
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    if n == 1:
        return a
    half = matrix_power(a, n // 2)
    return half @ half @ a if n % 2 else half @ half


composed(np.linalg.tensorsolve, tensorsolve)
composed(np.linalg.tensorinv, tensorinv)
composed(np.linalg.matrix_power, matrix_power)
composed(np.linalg.matrix_transpose, lambda x, /: np.swapaxes(x, -1, -2))
composed(np.linalg.diagonal, lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1))
composed(np.linalg.trace, lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype))


# ---- determinants ------------------------------------------------------------------------------------------


def turned_diagonal(x: Any) -> Any:
    """x = u diag(s) vh as (conj(u), s, conj(vh), det(u) det(vh)); NaN for the last if x is not finite."""
    u, s, vh = np.linalg.svd(np.where(np.isfinite(x), x, 0))
    turn = np.where(np.isfinite(x).all(axis=(-2, -1)), np.linalg.det(u) * np.linalg.det(vh), np.nan)
    return np.conj(u), s, np.conj(vh), turn[..., None, None]


def product_without(s: Any, mask: Any) -> Any:
    """The product of all entries along the last axis but those of a mask, for every row of it."""
    return np.prod(np.where(mask, 1, s), axis=-1)


@dispatching
def cofactors(x: Any) -> Any:
    """The derivative of the determinant, det(x) x^-T, by singular values: it is there for singular x as well."""
    u, s, vh, turn = turned_diagonal(x)
    return turn * (u * row(product_without(row(s), np.eye(s.shape[-1], dtype=bool))) @ vh)


def cofactors_rule(g: Any, x: Any) -> Any:
    """The second derivative of a diagonal matrix's determinant by entries ii and jj is the product of all others, by
    ij and ji minus that. No other is left; and any matrix can be turned into a diagonal one."""
    u, s, vh, turn = turned_diagonal(x)
    identity = np.eye(s.shape[-1], dtype=bool)
    if np.all(innermost(s) > 0):
        others = np.where(identity, 0, column(product_without(row(s), identity)) / row(s))
    else:  # memory for n^3 numbers, which only zeros need
        others = np.where(identity, 0, product_without(s[..., None, None, :], identity[:, None] | identity))
    g = u.mT @ g @ vh.mT
    return turn * (u @ (np.where(identity, others @ column(diagonal(g)), 0) - others * g.mT) @ vh)


general(
    np.linalg.det, lambda g, x: times(g[..., None, None], cofactors(x)), batch="stack", note="also of singular matrices"
)
general(cofactors, cofactors_rule, batch="stack")


@dispatching
def sign_and_log(x: Any) -> Any:
    """Both outputs of slogdet, side by side."""
    return np.stack(np.linalg.slogdet(x), axis=-1)


def sign_and_log_rule(g: Any, ans: Any, x: Any) -> Any:
    """d log|det x| is the real part of tr(x^-1 dx), and the sign turns by the imaginary part."""
    sign, scale = ans[..., 0], np.real(g[..., 1])
    if x.dtype.kind == "c":
        scale = scale + 1j * np.imag(g[..., 0] * sign)
    regular = np.where((sign == 0)[..., None, None], np.nan, x)
    return times(scale[..., None, None], np.linalg.inv(regular).mT)


general(sign_and_log, sign_and_log_rule, batch="stack")


def slogdet(a: Any) -> Any:
    both = sign_and_log(a)
    return SlogdetResult(both[..., 0], np.real(both[..., 1]))


SlogdetResult = type(np.linalg.slogdet(np.eye(1)))
composed(np.linalg.slogdet, slogdet)


# ---- factorizations ----------------------------------------------------------------------------------------


def half_diagonal(x: Any) -> Any:
    return np.where(np.eye(x.shape[-1], dtype=bool), x / 2, x)


def cholesky_rule(g: Any, ans: Any, upper: bool) -> Any:
    """l^-T tril(l' g) l^-1, half of it on the diagonal, made Hermitian."""
    g, factor = (adjoint(g), adjoint(ans)) if upper else (g, ans)
    inner = np.linalg.solve(factor.mT, np.tril(half_diagonal(factor.mT @ g)))
    gradient = np.linalg.solve(adjoint(factor), inner.mT).mT
    return (gradient + adjoint(gradient)) / 2


general(
    np.linalg.cholesky,
    cholesky_rule,
    signature="a, upper=False",
    batch="stack",
    note="the gradient is Hermitian, although half of the matrix is read",
)


@dispatching
def qr_packed(a: Any) -> Any:
    """q above r, for a matrix with at least as many rows as columns."""
    return np.concatenate(np.linalg.qr(a), axis=-2)


def qr_rule(g: Any, ans: Any, x_shape: Any) -> Any:
    """(gq + q m) r^-T, where m is the Hermitian matrix with the upper triangle of gr r' - q' gq."""
    m = x_shape[-2]
    q, r, gq, gr = ans[..., :m, :], ans[..., m:, :], g[..., :m, :], g[..., m:, :]
    upper = np.triu(half_diagonal(gr @ r.mT - q.mT @ gq))
    return np.linalg.solve(r, (gq + np.conj(q) @ (upper + adjoint(upper))).mT).mT


general(qr_packed, qr_rule, batch="stack")


def qr(a: Any, mode: str = "reduced") -> Any:
    """Of a wide matrix, the left square decides q, and r of the rest is q' times it."""
    m, n = a.shape[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and m <= n):
        raise UnsupportedError(
            f"linalg.qr: mode={mode!r} of a matrix of shape {m} x {n} has no derivative: the columns of q beyond the "
            f"matrix's own are arbitrary. Use mode='reduced'."
        )
    packed = qr_packed(a[..., :m])
    q, r = packed[..., :m, :], packed[..., m:, :]
    if m < n:
        r = np.concatenate([r, adjoint(q) @ a[..., m:]], axis=-1)
    return r if mode == "r" else QRResult(q, r)


QRResult = type(np.linalg.qr(np.eye(1)))
composed(np.linalg.qr, qr, note="mode='reduced' or 'r'; the first columns independent")


def reciprocal_gaps(w: Any) -> Any:
    """1 / (w_j - w_i), 0 on the diagonal; NaN where two are equal within rounding.

    Equal eigenvalues of rotated matrices of 2 to 400 rows came out up to 5.3 eps |w| apart.
    """
    gaps = row(w) - column(w)
    sizes = np.abs(w)
    equal = np.abs(gaps) <= 8 * np.finfo(sizes.dtype).eps * np.max(sizes, axis=-1, initial=0)[..., None, None]
    return np.where(np.eye(w.shape[-1], dtype=bool), 0, 1 / np.where(equal, np.nan, gaps))


@dispatching
def settled(v: Any, slope: Any) -> Any:
    """Vectors as a rule reads them: with NaN for ``slope``, no derivative comes back through them."""
    return v


elementwise(settled, lambda g, y: g + (y - 1), None)
primitive(settled).undefined = True


def uses(v: Any, gaps: Any, count: int) -> Any:
    """Vectors to be read ``count`` times by a rule. Those of equal values have no derivative; each use says so for
    itself, lest it be lost where uses cancel."""
    slope = np.where(np.isnan(gaps).any(axis=(-2, -1)), np.nan, 1)[..., None, None]
    return [settled(v, slope) for _ in range(count)]


def over_gaps(v: Any, gv: Any, gaps: Any) -> Any:
    """v' gv over the gaps; NaN for equal values, unless nothing depends on their vectors."""
    asked = np.not_equal(gv, 0).any(axis=-2)
    return times(v.mT @ gv, gaps) + np.where(np.isnan(gaps) & row(asked), np.nan, 0)


@dispatching
def eigh_packed(a: Any, UPLO: Any = "L") -> Any:
    """Eigenvectors, and under each its eigenvalue."""
    w, v = np.linalg.eigh(a, UPLO)
    return np.concatenate([v, row(w)], axis=-2)


def eigh_rule(g: Any, ans: Any) -> Any:
    """Vectors turn towards each other by dA over the gap of their values; values move by the diagonal."""
    w, gv, gw = np.real(ans[..., -1, :]), g[..., :-1, :], g[..., -1, :]
    gaps = reciprocal_gaps(w)
    v, left, right = uses(ans[..., :-1, :], gaps, 3)
    inner = over_gaps(v, gv, gaps) + np.eye(w.shape[-1], dtype=w.dtype) * row(gw)
    gradient = np.conj(left) @ inner @ right.mT
    return (gradient + adjoint(gradient)) / 2


general(eigh_packed, eigh_rule, signature="a, UPLO='L'", batch="stack")


def eigh(a: Any, UPLO: Any = "L") -> Any:
    packed = eigh_packed(a, UPLO)
    return EighResult(np.real(packed[..., -1, :]), packed[..., :-1, :])


EighResult = type(np.linalg.eigh(np.eye(1)))
HERMITIAN = "the gradient is Hermitian, although half of the matrix is read"
composed(np.linalg.eigh, eigh, note=f"{HERMITIAN}; NaN through vectors of equal values")
composed(np.linalg.eigvalsh, lambda a, UPLO="L": eigh(a, UPLO).eigenvalues, note=HERMITIAN)


@dispatching
def eig_packed(a: Any) -> Any:
    """Eigenvectors, and under each its eigenvalue."""
    w, v = np.linalg.eig(a)
    return np.concatenate([v, row(w)], axis=-2)


def eig_rule(g: Any, ans: Any) -> Any:
    """As for a Hermitian matrix, but the inverse is no longer the adjoint, and vectors keep their length 1."""
    w, gv, gw = ans[..., -1, :], g[..., :-1, :], g[..., -1, :]
    gaps = reciprocal_gaps(w)
    u, v, left, right = uses(ans[..., :-1, :], gaps, 4)
    across = gv - np.conj(u) * row(diagonal(u.mT @ gv))
    inner = over_gaps(v, across, gaps) + np.eye(w.shape[-1], dtype=w.dtype) * row(gw)
    return np.linalg.solve(left.mT, inner @ right.mT)


general(eig_packed, eig_rule, batch="stack")


def eig(a: Any) -> Any:
    packed = eig_packed(a)
    return EigResult(packed[..., -1, :], packed[..., :-1, :])


EigResult = type(np.linalg.eig(np.eye(1)))
composed(np.linalg.eig, eig, note="where the values differ")
composed(np.linalg.eigvals, lambda a: eig(a).eigenvalues, note="where the values differ")


@dispatching
def svd_packed(a: Any, hermitian: bool = False) -> Any:
    """Left vectors, under each its singular value, and under that the right vector: a = u diag(s) w'."""
    u, s, vh = np.linalg.svd(a, full_matrices=False, hermitian=hermitian)
    return np.concatenate([u, row(s), vh.mT], axis=-2)


def svd_rule(g: Any, ans: Any, x_shape: Any) -> Any:
    """As for ``eigh``, with the squares of s for values; and what lies outside the spaces that u and w span."""
    m, n = x_shape[-2:]
    s, gu, gs, gw = np.real(ans[..., m, :]), g[..., :m, :], np.real(g[..., m, :]), g[..., m + 1 :, :]
    gaps = over(reciprocal_gaps(s), row(s) + column(s))
    u, left_u = uses(ans[..., :m, :], gaps, 2)
    w, right_w = uses(ans[..., m + 1 :, :], gaps, 2)
    left, right = over_gaps(u, gu, gaps), over_gaps(w, gw, gaps)
    if u.dtype.kind == "c":  # the phase of a left vector is that of its right one
        gs = gs + over(1j * np.imag(diagonal(u.mT @ gu)), s)
    inner = (left + adjoint(left)) * row(s) + (column(s) * (right + adjoint(right)).mT)
    gradient = np.conj(left_u) @ (inner + np.eye(s.shape[-1], dtype=s.dtype) * row(gs)) @ adjoint(right_w)
    if m > n:
        gradient = gradient + outside(u, over(gu, row(s))) @ adjoint(w)
    if m < n:
        gradient = gradient + np.conj(u) @ outside(w, over(gw, row(s))).mT
    return gradient


def outside(q: Any, h: Any) -> Any:
    """What of the columns of h is not in the space of conj(q)'s."""
    return h - np.conj(q) @ (q.mT @ h)


general(svd_packed, svd_rule, signature="a, hermitian=False", batch="stack")


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    m, n = a.shape[-2:]
    if compute_uv and full_matrices and m != n:
        raise UnsupportedError(
            f"linalg.svd: full_matrices=True of a matrix of shape {m} x {n} has no derivative: the vectors beyond the "
            f"matrix's own are arbitrary. Use full_matrices=False."
        )
    packed = svd_packed(a, hermitian)
    s = np.real(packed[..., m, :])
    return SVDResult(packed[..., :m, :], s, packed[..., m + 1 :, :].mT) if compute_uv else s


SVDResult = type(np.linalg.svd(np.eye(1)))
composed(np.linalg.svd, svd, note="full_matrices=False; NaN through vectors of equal values")
composed(np.linalg.svdvals, lambda x, /: svd(x, compute_uv=False))
flat(np.linalg.matrix_rank, batch="stack")
