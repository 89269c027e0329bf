"""Products of arrays. All are linear in each operand; matmul and einsum carry the rest."""

import math
from string import ascii_letters, ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from microgd.core.primitive import bilinear, composed, primitive
from microgd.ops.guard import always
from microgd.ops.shape import shaped


def product(x: Any, y: Any) -> Any:
    """x @ y of two matrices. On arrays ``dot`` gives the same sooner, above all a column times a row."""
    return x.dot(y) if type(x) is np.ndarray and type(y) is np.ndarray else x @ y


def matmul_left(g: Any, x_shape: Any, y: Any) -> Any:
    """g y', for x @ y; vectors stand in for a missing row or column."""
    if len(x_shape) == 2 and len(y.shape) == 2:
        return product(g, y.T)
    if len(y.shape) == 1:
        return g * y if len(x_shape) == 1 else g[..., None] * y
    if len(x_shape) == 1:
        return (y @ g[..., None])[..., 0]
    return g @ y.mT


def matmul_right(g: Any, x: Any, y_shape: Any) -> Any:
    """x' g, for x @ y."""
    if len(x.shape) == 2 and len(y_shape) <= 2:  # then g has as many axes as y
        return product(x.T, g)
    if len(x.shape) == 1:
        return g * x if len(y_shape) == 1 else x[:, None] * g[..., None, :]
    if len(y_shape) == 1:
        return (g[..., None, :] @ x)[..., 0, :]
    if len(y_shape) == 2:  # a batch of rows: one product instead of a sum over the batch
        return x.reshape(-1, x.shape[-1]).T @ g.reshape(-1, g.shape[-1])
    return x.mT @ g


def says_invalid() -> bool:
    """Whether NumPy says so when a product of matrices meets 0 times infinity; with some BLAS it does not."""
    said: list[Any] = []
    with np.errstate(invalid="call", call=lambda *error: said.append(error)):
        np.zeros((8, 8)).dot(np.full((8, 8), np.inf))
    return bool(said)


# Products of larger arrays, in entries, may be shared out over threads, whose errors NumPy does not hear.
UNHEARD = 4096 if says_invalid() else 0


def unheard(d: Any, g: Any, x: Any, y: Any) -> bool:
    """Whether nobody may have said that a product met 0 times infinity. Of ``x`` and ``y`` one is but a shape."""
    return bool(d.size > UNHEARD or g.size > UNHEARD or (y if type(x) is tuple else x).size > UNHEARD)


bilinear(np.matmul, matmul_left, matmul_right)
primitive(np.matmul).silent = unheard


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """One matrix product between reshapes."""
    a, b = shaped(a), shaped(b)
    axes_a, axes_b = (range(-axes, 0), range(axes)) if np.ndim(axes) == 0 else axes
    axes_a, axes_b = ([normalize_axis_index(k, x.ndim) for k in np.ravel(ks)] for x, ks in ((a, axes_a), (b, axes_b)))
    if [a.shape[k] for k in axes_a] != [b.shape[k] for k in axes_b]:
        raise ValueError(f"tensordot: axes {axes_a} of shape {a.shape} do not fit axes {axes_b} of shape {b.shape}")
    free_a = [k for k in range(a.ndim) if k not in axes_a]
    free_b = [k for k in range(b.ndim) if k not in axes_b]
    rows, summed, columns = (math.prod(x.shape[k] for k in ks) for x, ks in ((a, free_a), (a, axes_a), (b, free_b)))
    left = np.transpose(a, free_a + axes_a).reshape(rows, summed)
    right = np.transpose(b, axes_b + free_b).reshape(summed, columns)
    return (left @ right).reshape([a.shape[k] for k in free_a] + [b.shape[k] for k in free_b])


composed(np.tensordot, tensordot)


def dot(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return a @ b if np.ndim(b) <= 2 else tensordot(a, b, (-1, -2))


composed(np.dot, dot)
composed(np.inner, lambda a, b: a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else tensordot(a, b, (-1, -1)))
composed(np.outer, lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1)))


def explicit(subscripts: Any, ndims: Any) -> Any:
    """Einstein notation with every letter written out: a term per operand, and the output's."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    spare = [c for c in ascii_letters[::-1] if c not in subscripts]
    hidden = [
        ndim - len(term.replace("...", "")) if "..." in term else 0 for term, ndim in zip(terms, ndims, strict=True)
    ]
    dots = "".join(spare[: max(hidden, default=0)])
    terms = [term.replace("...", dots[len(dots) - n :]) for term, n in zip(terms, hidden, strict=True)]
    if not arrow:
        letters = "".join(terms)
        once = sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1)
        output = "..." + "".join(once)
    return terms, output.replace("...", dots)


def einsum_rule(g: Any, i: Any, xs: Any, subscripts: Any, optimize: Any) -> Any:
    """The cotangent takes the place of operand i, and its letters that of the output.

    A letter that stands twice in the operand's term (a diagonal) comes back through an identity matrix, and one
    that stands nowhere else (a sum) through ones. An axis of length 1 may stand for a longer one: then it is summed.
    """
    terms, output = explicit(subscripts, [np.ndim(x) for x in xs])
    target, shape = "", xs[i].shape
    operands = [(output, g)] + [(term, x) for k, (term, x) in enumerate(zip(terms, xs, strict=True)) if k != i]
    used = set("".join(term for term, _ in operands))
    lengths = dict(sorted((c, n) for term, x in operands for c, n in zip(term, np.shape(x), strict=True)))
    spare = iter(c for c in ascii_letters if c not in used | set(terms[i]))
    for letter, n in zip(terms[i], shape, strict=True):
        if n == 1:
            continue
        if letter in target:
            copy = next(spare)
            operands.append((letter + copy, np.eye(n, dtype=g.dtype)))
            target += copy
        else:
            if lengths.get(letter) != n:
                operands.append((letter, np.ones(n, dtype=g.dtype)))
            target += letter
    order = True if isinstance(optimize, list) else optimize  # a path given for the operands is not one for the rule
    cotangent = np.einsum(",".join(t for t, _ in operands) + "->" + target, *[x for _, x in operands], optimize=order)
    return cotangent.reshape(shape) if 1 in shape else cotangent


def bind_einsum(*args: Any, optimize: Any = False) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Both call forms of np.einsum: subscripts first, or operands each followed by a list of axis numbers."""
    if isinstance(args[0], str):
        return tuple(args[1:]), {"subscripts": args[0], "optimize": optimize}
    letters = ascii_uppercase + ascii_lowercase  # in the order in which outputs are sorted

    def spell(axes: Any) -> str:
        return "".join("..." if k is ... else letters[k] for k in axes)

    pairs = len(args) // 2
    subscripts = ",".join(spell(args[2 * k + 1]) for k in range(pairs))
    if len(args) % 2:
        subscripts += "->" + spell(args[-1])
    return tuple(args[0 : 2 * pairs : 2]), {"subscripts": subscripts, "optimize": optimize}


bilinear(
    np.einsum,
    einsum_rule,
    signature="*operands, subscripts, optimize=False",
    bind=bind_einsum,
    forward=lambda *xs, subscripts, optimize: np.einsum(subscripts, *xs, optimize=optimize),
)
primitive(np.einsum).silent = always
