"""Subject: a function of the user's as one from real vectors to real vectors, and its automatic derivative.

Containers, shapes, dtypes, constants and complex numbers are dealt with here (with ``vectors``), and whatever makes a
function unfit to be checked is refused: noise, values that are not finite, inputs changed in place. The function gets
copies and what it returns is copied, so outputs may be views of inputs. No differences are taken here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from microgd.check.kinks import Path, walk
from microgd.check.trial import expect_functions, parameter_names, same
from microgd.check.vectors import Layout
from microgd.core.box import innermost
from microgd.core.tensor import Tensor, tensor
from microgd.core.tree import flatten, leaves_of
from microgd.errors import DtypeError, GradientError, OptionError, ShapeError
from microgd.transforms.forward import jvp
from microgd.transforms.reverse import vjp

Array = Any


class Subject:
    """A function of floating-point leaves, returning a list of such, as one from vectors to vectors."""

    def __init__(self, f: Callable[..., list[Any]], leaves: list[Array], names: list[str], title: str) -> None:
        self.f, self.leaves, self.title = f, leaves, title
        self.inputs = Layout(leaves, names)
        self.x = self.inputs.pack(leaves)
        given = self.handles(self.x)
        found = f(*given)
        moved = [name for name, a, b in zip(names, leaves, given, strict=True) if not np.array_equal(a, b.data, True)]
        if moved:
            raise GradientError(f"gradcheck: {title} changes its input {', '.join(moved)} in place; work on a copy")
        outs = [np.asarray(innermost(y)) for y in found]
        self.outputs = Layout(outs, ["output"] if len(outs) == 1 else [f"output {k}" for k in range(len(outs))])
        if not outs:
            raise DtypeError(f"gradcheck: {title} returns no floating-point numbers; there is nothing to differentiate")
        self.y = self.outputs.pack(outs)
        if not np.isfinite(self.y).all():
            place = int(np.flatnonzero(~np.isfinite(self.y))[0])
            raise GradientError(
                f"gradcheck: {title} is not finite at this input: {self.outputs.name(place)} = {self.y[place]}"
            )
        if not same(self.value(self.x), self.y):
            raise GradientError(
                f"gradcheck: {title} is nondeterministic: called again with the same input, it gives another value. "
                f"Draw random numbers outside, or from a generator seeded inside."
            )
        self.here = self.path(self.x)

    def handles(self, x: Array) -> list[Tensor]:
        """The inputs as tensors, which have the methods that ``f`` may use, and may be written into."""
        return [tensor(part) for part in self.inputs.unpack(x)]

    def value(self, x: Array) -> Array:
        """f(x), a copy."""
        return self.outputs.pack([innermost(y) for y in self.f(*self.handles(x))])

    def path(self, x: Array) -> Path:
        """The operations and branches of a run at ``x``."""
        return walk(lambda: vjp(self.f, *self.inputs.unpack(x)))

    @property
    def precision(self) -> float:
        """The eps of the coarsest numbers in the computation."""
        return max(float(np.finfo(t).eps) for t in {*self.inputs.dtypes, *self.outputs.dtypes, *self.here.precisions})

    @cached_property
    def pullback(self) -> Callable[..., Any]:
        return vjp(self.f, *self.inputs.unpack(self.x))[1]

    def pull(self, u: Array) -> Array:
        """u' J."""
        with wrong_shapes(self.title):
            return self.inputs.pack(self.pullback(self.outputs.unpack(u)))

    def steady(self, u: Array) -> None:
        """Refuse a way back that differs from one time to the next."""
        here = self.pull(u)
        again = self.inputs.pack(vjp(self.f, *self.inputs.unpack(self.x))[1](self.outputs.unpack(u)))
        if not same(again, here):
            raise GradientError(
                f"gradcheck: the derivative of {self.title} is nondeterministic: it differs at a second call"
            )

    def push(self, t: Array) -> Array:
        """J t."""
        with wrong_shapes(self.title):
            return self.outputs.pack(jvp(self.f, tuple(self.inputs.unpack(self.x)), tuple(self.inputs.unpack(t)))[1])

    def gradient(self, u: Array) -> Subject:
        """(x, u) -> u' J(x), for the next order; u counts as an input, since other functions will give it."""
        cotangents, count = self.outputs.unpack(u), len(self.leaves)
        f = lambda *given: list(vjp(self.f, *given[:count])[1](list(given[count:])))
        names = [*self.inputs.names, *[f"upstream of {name}" for name in self.outputs.names]]
        return Subject(f, [*self.leaves, *cotangents], names, f"the derivative of {self.title}")


@contextmanager
def wrong_shapes(title: str) -> Iterator[None]:
    """A rule that gives a gradient of the wrong shape gives a wrong gradient."""
    try:
        yield
    except ShapeError as error:
        raise GradientError(f"gradcheck: the derivative of {title} is wrong: {error}") from error


def opened(f: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Callable[..., list[Any]], list[Array], list[str]]:
    """``f`` as a function of the floating-point leaves of its inputs alone, with the leaves and their names.

    Of a module its own parameters are inputs too, the first ones.
    """
    expect_functions("gradcheck", f=f)
    names = parameter_names(getattr(f, "forward", f), len(inputs))
    if hasattr(f, "__tree__"):
        f, inputs, names = (lambda module, *given: module(*given)), (f, *inputs), ["module", *names]
    if not inputs:
        raise OptionError("gradcheck: no inputs; give the point at which to check, as in gradcheck(f, x)")
    entries, build = flatten(inputs)
    given = [np.array(innermost(x))[()] for _, x in entries]
    floats = [x.dtype.kind in "fc" for x in given]
    if not any(floats):
        raise DtypeError("gradcheck: expected an input of floating-point numbers; convert with dtype=float")

    def constant(x: Any, original: Any) -> Any:
        return tensor(x) if isinstance(original, Tensor) else np.copy(x)[()]

    def of_floats(*leaves: Any) -> list[Any]:
        rest = iter(leaves)
        whole = [constant(x, original) for x, (_, original) in zip(given, entries, strict=True)]
        out = f(*build([next(rest) if pick else x for x, pick in zip(whole, floats, strict=True)]))
        return [y for y in leaves_of(out) if (y if hasattr(y, "dtype") else np.asarray(y)).dtype.kind in "fc"]

    named = [names[int(path[1 : path.index("]")])] + path[path.index("]") + 1 :] for path, _ in entries]
    pairs = [(x, name) for x, name, pick in zip(given, named, floats, strict=True) if pick]
    return of_floats, [x for x, _ in pairs], [name for _, name in pairs]
