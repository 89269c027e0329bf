"""Rows of the op table: products, linear algebra and Fourier transforms.

Vectors of a factorization are compared by what does not depend on their signs: squares, or products in which each
stands twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from op_row import AS_CALLED, DOMAINS, REFERENCES, A, Row, row

from microgd.ops import decompositions as parts
from microgd.ops.norms import length
from microgd.ops.products import cross_last


def regular(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Matrices near diag(1, 2, 3...): independent columns, eigenvalues and singular values well apart."""
    return np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1) + rng.uniform(-0.2, 0.2, shape)


def minors(a: np.ndarray) -> np.ndarray:
    """The matrix of cofactors, from its definition."""
    n = len(a)
    return np.array(
        [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    )


REFERENCES[parts.cofactors] = minors  # the singular values of complex numbers would not be exact to the last digits


def steep(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Growing sizes, so that neither entries nor sums of a few tie, with random signs."""
    return (1.3 ** rng.permutation(np.arange(np.prod(shape))) * rng.choice([-0.5, 0.5], np.prod(shape))).reshape(shape)


def of_symmetric(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *rest, **options: function((x + x.mT) / 2, *rest, **options)


def squared(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: function(*args) ** 2


def complex_to_parts(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of complex numbers as one of two real operands, with two real outputs."""
    return lambda re, im, *rest, **options: both_parts(function(re + 1j * im, *rest, **options))


def real_to_parts(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **options: both_parts(function(*args, **options))


def both_parts(z: Any) -> Any:
    return np.real(z), np.imag(z)


def weights(n: int, like: Any) -> Any:
    return np.arange(1, n + 1, dtype=like.dtype)


def eigh_function(x: Any, *rest: Any) -> Any:
    w, v = np.linalg.eigh((x + x.mT) / 2, *rest)
    return w, v * weights(len(w), w) @ v.mT


def eig_function(x: Any) -> Any:
    """What does not depend on the order of the eigenvalues, which are real, though newer NumPy calls them complex."""
    w, v = np.linalg.eig(x)
    return np.real(np.sum(w**3)), np.real(v * np.exp(w) @ np.linalg.inv(v)), np.real(v * v @ w)


def svd_function(x: Any, **options: Any) -> Any:
    u, s, vh = np.linalg.svd(x, **options)
    return s, u * weights(len(s), s) @ vh


def lstsq_function(a: Any, b: Any) -> Any:
    x, residuals, _, s = np.linalg.lstsq(a, b)
    return x, residuals, s


def roots_function(p: Any) -> Any:
    """What does not depend on the order of the roots."""
    r = np.roots(p)
    return np.real(np.sum(r**3)), np.real(np.sum(np.exp(r)))


FFT_OF_COMPLEX = [np.fft.fft, np.fft.ifft, np.fft.irfft, np.fft.hfft]
FFT_OF_REAL = [np.fft.rfft, np.fft.ihfft]
FFTN_OF_COMPLEX, FFTN_OF_REAL = [np.fft.fftn, np.fft.ifftn, np.fft.irfftn], [np.fft.rfftn]
FFT2_OF_COMPLEX, FFT2_OF_REAL = [np.fft.fft2, np.fft.ifft2, np.fft.irfft2], [np.fft.rfft2]

DOMAINS |= {"regular": regular, "steep": steep}
AS_CALLED |= {
    **{f: complex_to_parts(f) for f in (*FFT_OF_COMPLEX, *FFTN_OF_COMPLEX, *FFT2_OF_COMPLEX)},
    **{f: real_to_parts(f) for f in (*FFT_OF_REAL, *FFTN_OF_REAL, *FFT2_OF_REAL)},
    **{f: of_symmetric(f) for f in (np.linalg.cholesky, np.linalg.eigvalsh)},
    np.linalg.eigh: eigh_function,
    np.linalg.eig: eig_function,
    np.linalg.svd: svd_function,
    np.linalg.lstsq: lstsq_function,
    np.roots: roots_function,
    np.linalg.slogdet: lambda a: np.linalg.slogdet(a)[1],
    np.linalg.eigvals: lambda a: np.real(np.sort(np.linalg.eigvals(a))),
    np.linalg.tensorsolve: lambda a, b, shape, **options: np.linalg.tensorsolve(a.reshape(shape), b, **options),
    np.linalg.tensorinv: lambda a, shape, ind: np.linalg.tensorinv(a.reshape(shape), ind),
    np.linalg.multi_dot: lambda *arrays: np.linalg.multi_dot(arrays),
    parts.eigh_packed: of_symmetric(squared(parts.eigh_packed)),
    parts.eig_packed: lambda a: np.real(np.sum(parts.eig_packed(a) ** 4, axis=1)),
    parts.svd_packed: squared(parts.svd_packed),
}


def square(*batch: int) -> A:
    return A((*batch, 3, 3), "regular")


c = {"complex_step": True}

PRODUCTS = [
    row(np.cross, A((3,)), A((2, 3)), **c),
    row(np.cross, A((3, 2)), A((2, 3)), axisa=0, axisc=0),
    row(np.cross, A((2, 3)), A((2, 3)), axis=1),
    row(np.linalg.cross, A((3, 2)), A((3, 2)), axis=0),
    row(cross_last, A((2, 1, 3)), A((2, 3)), **c),
    row(np.kron, A((2, 3)), A((3, 2)), **c),
    row(np.kron, A((2,)), A((2, 1, 2))),
    row(np.kron, A(()), A((2,))),
    row(np.vdot, A((2, 3)), A((2, 3))),
    row(np.vecdot, A((2, 3)), A((3,))),
    row(np.vecdot, A((3, 2)), A((3, 2)), axis=0),
    row(np.linalg.vecdot, A((2, 3)), A((2, 3))),
    row(np.linalg.vecdot, A((3, 2, 2)), A((3, 2, 2)), axis=0),
    row(np.linalg.multi_dot, A((4, 2)), A((2, 3)), A((3, 1)), **c),
    row(np.linalg.multi_dot, A((2,)), A((2, 3)), A((3, 4)), A((4,))),
    row(np.linalg.multi_dot, A((2, 3)), A((3, 2))),
    row(np.linalg.matmul, A((2, 3)), A((3, 2))),
    row(np.linalg.outer, A((2,)), A((3,))),
    row(np.linalg.tensordot, A((2, 3)), A((3, 2)), axes=1),
    row(np.linalg.tensordot, A((2, 2, 3)), A((2, 3, 2))),
    row(np.linalg.matrix_transpose, A((2, 3, 2))),
    row(np.linalg.diagonal, A((2, 3, 3)), offset=1),
    row(np.linalg.trace, A((2, 3, 3)), offset=-1),
    *[row(np.convolve, A((n,)), A((m,)), mode, **c) for n, m in ((4, 2), (2, 5)) for mode in ("full", "same", "valid")],
    *[row(np.correlate, A((n,)), A((m,)), mode) for n, m in ((4, 3), (2, 5)) for mode in ("full", "same", "valid")],
    row(np.polyval, A((4,)), A((2, 3)), **c),
    row(np.polyval, A((3,)), A(())),
    row(np.polyadd, A((2,)), A((4,)), **c),
    row(np.polyadd, A((3,)), A(())),
    row(np.polysub, A((4,)), A((2,)), **c),
    row(np.polysub, [1, 2, 3], A((2,))),
    row(np.polymul, A((3,)), A((2,)), **c),
    row(np.polydiv, A((5,)), A((3,), "nonzero")),
    row(np.polydiv, A((2,)), [1.0, 2.0, 3.0]),
    row(np.polydiv, A((2,)), A((), "nonzero")),
    row(np.poly, A((3,)), **c),
    row(np.poly, A((2, 2), "regular")),
    row(np.roots, A((4,), "nonzero")),
    row(np.polyfit, A((5,), "even"), A((5,)), 1),
    row(np.polyfit, A((5,), "even"), A((5, 2)), 2),
    row(np.polyfit, A((3,), "even"), A((3,)), 1, None, False, A((3,), "positive")),
    row(np.polyfit, A((4,), "even"), A((4, 2)), 1, None, False, None, True),
    row(np.polyfit, A((4,), "even"), A((4,)), 1, None, False, None, "unscaled"),
    row(np.polymul, [2, 1], A((3,))),
    row(np.polyder, A((4,)), **c),
    row(np.polyder, A((4,)), 2),
    row(np.polyint, A((3,)), **c),
    row(np.polyint, A((3,)), 2, 0.5),
    row(np.polyint, A((2,)), 2, [1, 2]),
    row(np.polyint, A((2,)), 0),
    row(np.einsum, A((2, 3)), (30, 1), A((3, 2)), (1, 2)),
    row(np.einsum, "ij,jk,kl->l", A((2, 3)), A((3, 2)), A((2, 2)), optimize=["einsum_path", (1, 2), (0, 1)]),
]
if hasattr(np, "matvec"):
    PRODUCTS += [
        row(np.matvec, A((2, 2, 3)), A((2, 3)), **c),
        row(np.vecmat, A((2, 3)), A((2, 3, 2))),
    ]

SYSTEMS = [
    row(np.linalg.inv, square(), **c),
    row(np.linalg.inv, square(2)),
    row(np.linalg.solve, square(), A((3,)), **c),
    row(np.linalg.solve, square(), A((3, 2)), **c),
    row(np.linalg.solve, square(2), A((3,))),
    row(np.linalg.solve, square(), A((2, 3, 1))),
    row(np.linalg.pinv, A((4, 2), "regular")),
    row(np.linalg.pinv, A((2, 2, 3), "regular"), rcond=1e-10),
    row(np.linalg.pinv, square(), rtol=1e-10),
    row(np.linalg.lstsq, A((4, 2), "regular"), A((4,))),
    row(np.linalg.lstsq, A((2, 3), "regular"), A((2, 2))),
    row(np.linalg.tensorsolve, A((4, 4), "regular"), A((2, 2)), shape=(2, 2, 4)),
    row(np.linalg.tensorsolve, square(), A((3,)), shape=(3, 1, 3), axes=(1,)),
    row(np.linalg.tensorinv, A((4, 4), "regular"), (4, 2, 2), 1),
    *[row(np.linalg.matrix_power, square(), n, **c) for n in (-2, 1, 3)],
    row(np.linalg.det, square(), **c),
    row(np.linalg.det, A((2, 2, 2))),
    row(parts.cofactors, square(), **c),
    row(np.linalg.slogdet, square(2)),
    row(parts.sign_and_log, square()),
]

FACTORIZATIONS = [
    row(np.linalg.cholesky, square()),
    row(np.linalg.cholesky, square(2), upper=True),
    row(np.linalg.qr, A((4, 2), "regular")),
    row(np.linalg.qr, A((2, 2, 3), "regular")),
    row(np.linalg.qr, square(), "r"),
    row(parts.qr_packed, square()),
    row(np.linalg.eigh, square()),
    row(np.linalg.eigh, square(), "U"),
    row(np.linalg.eigvalsh, square(2)),
    row(parts.settled, A((2, 3)), np.array([[1.0]])),
    row(parts.eigh_packed, square()),
    row(np.linalg.eig, square()),
    row(np.linalg.eigvals, square()),
    row(parts.eig_packed, square()),
    row(np.linalg.svd, A((4, 2), "regular"), full_matrices=False),
    row(np.linalg.svd, A((2, 3), "regular"), full_matrices=False),
    row(np.linalg.svd, square()),
    row(np.linalg.svdvals, A((2, 2, 3), "regular")),
    row(parts.svd_packed, A((3, 2), "regular")),
]

NORMS = [
    row(length, A((2, 3))),
    row(length, A((2, 3, 2)), axis=(0, 2), keepdims=True),
    row(np.linalg.norm, A((2, 3, 2))),
    row(np.linalg.norm, A((2, 3)), axis=0, keepdims=True),
    *[row(np.linalg.norm, A((4,), "steep"), ord) for ord in (2, np.inf, -np.inf, 1, 3, 2.5)],
    row(np.linalg.norm, A((2, 3), "steep"), 3, axis=-1),
    *[row(np.linalg.norm, A((2, 3), "regular"), ord) for ord in ("fro", "nuc", 2, -2)],
    *[row(np.linalg.norm, A((2, 3), "steep"), ord) for ord in (1, -1, np.inf, -np.inf)],
    row(np.linalg.norm, A((3, 2, 2), "regular"), "nuc", axis=(2, 1), keepdims=True),
    row(np.linalg.norm, A((2, 3, 2), "steep"), 1, axis=(0, -1), keepdims=True),
    row(np.linalg.vector_norm, A((2, 3), "steep"), ord=3),
    row(np.linalg.vector_norm, A((2, 3, 2)), axis=(0, 2)),
    row(np.linalg.matrix_norm, A((2, 2, 3))),
    row(np.linalg.matrix_norm, A((2, 2, 3), "regular"), ord=2, keepdims=True),
    *[row(np.linalg.cond, square(), p) for p in (None, -2, "fro")],
]


def transforms(function: Callable[..., Any], operands: int) -> list[Row]:
    """Own length, cut, padded to an even and to an odd length, along another axis, and every scaling."""
    along_last, along_first = [A((2, 4))] * operands, [A((3, 2))] * operands
    return [
        row(function, *[A((5,))] * operands),
        row(function, *along_last, n=3, norm="ortho"),
        row(function, *along_first, n=6, axis=0, norm="forward"),
    ]


FFT = [
    *[part for f in FFT_OF_COMPLEX for part in transforms(f, 2)],
    *[part for f in FFT_OF_REAL for part in transforms(f, 1)],
    *[row(f, A((2, 2, 3)), A((2, 2, 3)), s=(3, -1), axes=(0, -1), norm="ortho") for f in FFTN_OF_COMPLEX],
    *[row(f, A((2, 2, 3)), s=(3, -1), axes=(0, -1), norm="ortho") for f in FFTN_OF_REAL],
    *[row(f, A((2, 3)), A((2, 3))) for f in FFT2_OF_COMPLEX],
    *[row(f, A((2, 3))) for f in FFT2_OF_REAL],
    row(np.fft.fftn, A((2, 3)), A((2, 3)), axes=(1, 1)),
    row(np.fft.irfftn, A((2, 4)), A((2, 4)), axes=(1, 1)),
    *[row(f, A((2, 4)), axes=(1, 1)) for f in (np.fft.rfftn, np.fft.rfft2)],
    row(np.fft.rfftn, A((2, 4)), s=(5, 3), axes=(-1, 1)),
    *[row(f, A((2, 3, 4)), A((2, 3, 4))) for f in FFT2_OF_COMPLEX],
    *[row(f, A((2, 3, 4))) for f in FFT2_OF_REAL],
    row(np.fft.fftshift, A((3, 4))),
    row(np.fft.ifftshift, A((3, 4)), axes=0),
]

ROWS: list[Row] = [*PRODUCTS, *SYSTEMS, *FACTORIZATIONS, *NORMS, *FFT]
