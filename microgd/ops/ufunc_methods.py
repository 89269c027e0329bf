"""The methods of ufuncs: ``outer``, ``reduce``, ``accumulate`` and ``at``.

A method follows from its ufunc: ``outer`` is a call on reshaped operands, ``np.add.accumulate`` is ``np.cumsum``,
``np.add.at`` adds what is scattered. What is left has a rule here: running extremes, in which ties share evenly, and
running logarithms of sums. ``at`` works in place, as assignment does: the tensor becomes a new value.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from microgd.core.box import Box, dispatching
from microgd.core.primitive import TABLE, composed, flat, general
from microgd.errors import DetachError
from microgd.ops.elementwise import TIES, lead
from microgd.ops.guard import over, times
from microgd.ops.index import plain, scatter
from microgd.ops.shape import at as at_axis
from microgd.ops.special import logsumexp

# ---- outer: every entry of the one with every entry of the other ------------------------------------------


def outer(ufunc: Any) -> Callable[..., Any]:
    def body(a: Any, b: Any) -> Any:
        return ufunc(np.reshape(a, (*np.shape(a), *[1] * np.ndim(b))), b)

    return body


def declare_outer() -> None:
    """A row for the ``outer`` of every ufunc of two operands that is in the table by now."""
    for row in list(TABLE.values()):
        ufunc = row.function
        if isinstance(ufunc, np.ufunc) and ufunc.nin == 2 and ufunc.nout == 1 and not ufunc.signature:
            if row.form == "flat":
                flat(ufunc.outer, batch="loop")
            else:
                composed(ufunc.outer, outer(ufunc), note=row.note)


declare_outer()

# ---- reduce: beside those that np.sum, np.prod, np.max and np.min stand for ---------------------------------

composed(np.logaddexp.reduce, lambda array, axis=0, keepdims=False: logsumexp(array, axis, keepdims))


def from_first(ufunc: Any, gathered: Callable[..., Any]) -> Callable[..., Any]:
    """``reduce`` of an inverse operation: the first entry, and all the others ``gathered`` against it."""

    def body(array: Any, axis: Any = 0, keepdims: Any = False) -> Any:
        first, others = array[at_axis(slice(1), axis, array.ndim)], array[at_axis(slice(1, None), axis, array.ndim)]
        answer = ufunc(first, gathered(others, axis=axis, keepdims=True))
        return answer if keepdims else np.squeeze(answer, axis)

    return body


composed(np.subtract.reduce, from_first(np.subtract, np.sum))
composed(np.divide.reduce, from_first(np.divide, np.prod))
flat(np.logical_and.reduce, np.logical_or.reduce, signature="array, axis=0, keepdims=False")


def add_reduceat(array: Any, indices: Any, axis: Any = 0) -> Any:
    """Sums of pieces that start at ``indices``; a piece that would end before it starts is one entry."""
    x, starts = np.moveaxis(array, axis, 0), np.asarray(plain(indices))
    np.add.reduceat(np.zeros(len(x)), starts)  # complains of what is no index
    lengths = np.maximum(np.diff(starts, append=len(x)), 1)
    piece = np.repeat(np.arange(len(starts)), lengths)
    entry = np.arange(len(piece)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + np.repeat(starts, lengths)
    return np.moveaxis(scatter(x[entry], piece, (len(starts), *x.shape[1:])), 0, axis)


composed(np.add.reduceat, add_reduceat)

# ---- accumulate: the same for every beginning of an axis ----------------------------------------------------

composed(np.add.accumulate, lambda array, axis=0: np.cumsum(array, axis))
composed(np.multiply.accumulate, lambda array, axis=0: np.cumprod(array, axis))


def later(terms: Any, ans: Any, carried: Callable[..., Any]) -> Any:
    """Along the first axis, the sum of a term and of all later ones, each ``carried(term, ans there, ans here)``.

    It is made by doubling, in as many passes as the length has binary digits, without subtracting anything; a term
    carried on twice must be what it is if carried at once.
    """
    step = 1
    while step < len(terms):
        nearer = terms[:-step] + carried(terms[step:], ans[step:], ans[:-step])
        terms = np.concatenate([nearer, terms[-step:]])
        step *= 2
    return terms


def within_run(term: Any, there: Any, here: Any) -> Any:
    """All of it as long as the extreme stays the same."""
    return np.where(np.equal(there, here), term, 0)


def within_sum(term: Any, there: Any, here: Any) -> Any:
    """The share of the sum up to here in the sum up to there."""
    return times(term, np.exp(lead(here, there)))


def running_extreme(g: Any, ans: Any, x: Any, axis: Any) -> Any:
    """A place's cotangent goes to the entries that reach the extreme so far, which share it evenly."""
    g, ans, x = (np.moveaxis(a, axis, 0) for a in (g, ans, x))
    reach = np.equal(x, ans) * np.ones_like(g)
    ties = later(reach[::-1], ans[::-1], within_run)[::-1]
    return np.moveaxis(reach * later(over(g, ties), ans, within_run), 0, axis)


def running_logaddexp(g: Any, ans: Any, x: Any, axis: Any) -> Any:
    """exp(x - ans) of every place from an entry on; no exponent is positive, so nothing overflows."""
    g, ans, x = (np.moveaxis(a, axis, 0) for a in (g, ans, x))
    return np.moveaxis(times(later(g, ans, within_sum), np.exp(lead(x, ans))), 0, axis)


general(np.maximum.accumulate, running_extreme, signature="array, axis=0", note=TIES)
general(np.minimum.accumulate, running_extreme, signature="array, axis=0", note=TIES)
general(np.logaddexp.accumulate, running_logaddexp, signature="array, axis=0")

# ---- at: in place, once for every mention of an index -------------------------------------------------------


def in_place(ufunc: Any, updated: Callable[..., Any]) -> None:
    """Declare ``ufunc.at`` by the function that gives the updated value."""

    def at(a: Any, indices: Any, b: Any) -> None:
        if not isinstance(a, Box):
            raise DetachError(
                f"{ufunc.__name__}.at: the target is a plain array, which cannot hold a gradient; make it a tensor "
                f"first, mg.tensor(array)."
            )
        index = plain(indices)
        a.replace(updated(a, np.broadcast_to(b, np.empty(a.shape, bool)[index].shape), index))

    composed(ufunc.at, at)


def product_at(a: Any, b: Any, index: Any) -> Any:
    """Factors for one place are multiplied in pairs until each place has one: no division, so zeros do no harm."""
    places = np.arange(a.size).reshape(a.shape)[index]
    order = np.argsort(places, axis=None, kind="stable")
    factors = b.reshape(-1)[order]
    places = places.reshape(-1)[order]
    while np.any(second := places[1:] == places[:-1]):
        rank = np.arange(len(places)) - np.searchsorted(places, places)
        first = np.flatnonzero(rank % 2 == 0)
        paired = np.append(second, False)[first]
        factors = factors[first] * np.where(paired, factors[np.minimum(first + 1, len(places) - 1)], 1)
        places = places[first]
    out = a.reshape(-1) * 1
    out[places] = out[places] * factors
    return out.reshape(a.shape)


def updating(ufunc: Any) -> Callable[..., Any]:
    """``ufunc.at`` as a function of the old values and the new: to be declared by what of ``g`` goes to each."""

    @dispatching
    def updated(a: Any, b: Any, index: Any) -> Any:
        out = np.array(a)
        ufunc.at(out, index, b)
        return out

    updated.__name__ = f"{ufunc.__name__}_at"
    return updated


def bind_index(a: Any, b: Any, index: Any) -> Any:
    return (a, b), {"index": index}


def share(g: Any, ans: Any, x: Any, y: Any, index: Any) -> Any:
    """What each of those gets that reach the extreme at one place."""
    reached = scatter(np.equal(y, ans[index]) * np.ones_like(ans[index]), index, ans.shape)
    return g / (np.equal(x, ans) + reached)


maximum_at, minimum_at, logaddexp_at = (updating(ufunc) for ufunc in (np.maximum, np.minimum, np.logaddexp))
for function in (maximum_at, minimum_at):
    general(
        function,
        lambda g, ans, x, y, index: share(g, ans, x, y, index) * np.equal(x, ans),
        lambda g, ans, x, y, index: share(g, ans, x, y, index)[index] * np.equal(y, ans[index]),
        bind=bind_index,
        note=TIES,
    )
general(
    logaddexp_at,
    lambda g, ans, x, index: g * np.exp(lead(x, ans)),
    lambda g, ans, y, index: g[index] * np.exp(lead(y, ans[index])),
    bind=bind_index,
)

in_place(np.add, lambda a, b, index: a + scatter(b, index, a.shape))
in_place(np.subtract, lambda a, b, index: a - scatter(b, index, a.shape))
in_place(np.multiply, product_at)
in_place(np.maximum, maximum_at)
in_place(np.minimum, minimum_at)
in_place(np.logaddexp, logaddexp_at)
