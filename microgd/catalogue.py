"""The catalogue: what has a derivative, read off the table of primitives.

``mg.supported()`` lists every function in the table, ``mg.supported(f)`` answers for one. Nothing is written down
twice: names come from the modules where users find the functions, dtypes from NumPy's own loops, the rest from the
row. The page docs/supported.md is made here too::

    python -c "from microgd import catalogue; print(catalogue.page(), end='')" > docs/supported.md
"""

from __future__ import annotations

import html
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from importlib import import_module
from typing import Any

import numpy as np

from microgd.core.primitive import LATE, TABLE, Primitive, late, undeclared
from microgd.ops.special import REAL
from microgd.transforms.batch import RULES

PUBLIC = ("numpy", "numpy.linalg", "numpy.fft", "scipy.special", "microgd")
SPOKEN: dict[Any, str] = {operator.getitem: "t[i]", operator.setitem: "t[i] = v", np.ndarray.astype: "t.astype"}
FLOATS = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
AS_NUMPY = ("as NumPy",)


@dataclass(frozen=True)
class Entry:
    """What is known of one function. It is true, as a condition, if calls on tensors work."""

    name: str
    form: str
    modes: str
    orders: str
    dtypes: str
    notes: str

    def __bool__(self) -> bool:
        return self.form != "unsupported"

    def __str__(self) -> str:
        known = [f"{field.name} {text}" for field, text in zip(fields(self), astuple(self), strict=True) if text]
        return f"{self.name}: {'; '.join(known[1:])}"


class Catalogue(tuple[Entry, ...]):
    """Entries by name; prints as a table, also in a notebook."""

    __slots__ = ()

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table as text, its head first."""
        yield tuple(field.name for field in fields(Entry))
        yield from (astuple(entry) for entry in self)

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rows(), strict=True)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in self.rows()
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in self.rows())
        return f"<table>{body}</table>"

    def markdown(self) -> str:
        """The table for a page of documentation."""
        head, *rows = (f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in self.rows())
        return "\n".join([head, "|---" * len(fields(Entry)) + "|", *rows])


def public_name(function: Any) -> str | None:
    """Where users find a function, or None if it is not for them."""
    if function in SPOKEN:
        return SPOKEN[function]
    name = getattr(function, "__name__", str(function))
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return f"{public_name(owner)}.{name}"
    for module in PUBLIC:
        if getattr(sys.modules.get(module), name, None) is function:
            return f"{module}.{name}"
    home = getattr(function, "__module__", None) or "numpy"  # methods of arrays do not say where they come from
    return None if home.startswith("microgd.") else f"{home}.{getattr(function, '__qualname__', name)}"


def modes(row: Primitive) -> str:
    """In which modes a function has a rule, and how it is batched."""
    if row.form == "flat":
        return "constant in all"
    if row.form == "composed":
        return "all, by its parts"
    loop = row.batch == "loop" and row.function not in RULES
    return "reverse, forward, batch by loop" if loop else "reverse, forward, batch by rule"


def dtypes(row: Primitive) -> tuple[str, ...]:
    """What a function takes, and keeps in value and gradient: for ufuncs NumPy knows."""
    ufunc = getattr(row.function, "__self__", row.function)
    if isinstance(ufunc, np.ufunc):
        takes_complex = any(letter in kinds.split("->")[0] for kinds in ufunc.types for letter in "FD")
    elif row.form in ("linear", "bilinear"):
        takes_complex = True
    elif row.note != REAL:
        return AS_NUMPY
    return FLOATS + COMPLEX if row.note != REAL and takes_complex else FLOATS


def entry(row: Primitive) -> Entry:
    return Entry(
        name=public_name(row.function) or row.name,
        form=row.form,
        modes=modes(row),
        orders="0 from the first on" if row.form == "flat" else "any",
        dtypes=", ".join(dtypes(row)),
        notes=row.note,
    )


def whole() -> Catalogue:
    """Every function that users can call; with SciPy's, where it is installed."""
    for rules in LATE.values():
        with suppress(ImportError):
            import_module(rules)
    rows = [row for row in TABLE.values() if row.form != "undeclared" and public_name(row.function)]
    return Catalogue(sorted(map(entry, rows), key=lambda e: e.name))


def supported(function: Callable[..., Any] | None = None) -> Catalogue | Entry:
    """Which functions have a derivative, and of which kind: the whole catalogue, or the entry of one function.

    An entry has a name, a form (elementwise, linear, bilinear, general; composed of others; flat, that is constant
    almost everywhere), modes, orders, dtypes and notes. The entry of a function without a rule is false, and says what
    to do instead.

    Args:
        function: a function of NumPy, SciPy or your own (made with ``mg.primitive``); all of them if left out.

    >>> import math
    >>> import numpy as np
    >>> from microgd.catalogue import supported
    >>> print(supported(np.fmax))
    numpy.fmax: form elementwise; modes reverse, forward, batch by rule; orders any;
    dtypes float32, float64, complex64, complex128; notes ties share evenly
    >>> bool(supported(math.sin))
    False
    """
    if function is None:
        return whole()
    row = TABLE.get(function) or late(function)
    if row is None or row.form == "undeclared":
        return Entry(public_name(function) or str(function), "unsupported", "", "", "", str(undeclared(function)))
    return entry(row)


def page() -> str:
    """docs/supported.md."""
    return f"""# What has a derivative

This page is made from the table of rules itself, by

    python -c "from microgd import catalogue; print(catalogue.page(), end='')" > docs/supported.md

`mg.supported()` gives the same table in Python, and `mg.supported(np.linalg.inv)` one entry of it.

- **form**: an *elementwise* function scales a tangent or cotangent entry by entry; a *linear* one is its own tangent
  map; a *bilinear* one is linear in each operand alone; a *general* one has a rule for the way back, from which forward
  mode is made; a *composed* one is a program of the others; a *flat* one is constant almost everywhere.
- **modes**: reverse (`grad`, `backward`), forward (`jvp`) and batch (`vmap`), by a rule or one example after the other.
- **orders**: rules are written in NumPy and are differentiated by the same rules, so there is no highest order.
- **dtypes**: what is kept in value and gradient. *As NumPy*: what NumPy's function takes; complex numbers may be
  refused.
- Everywhere: an exact zero from above wins against an infinite local derivative; entries that tie for an extreme share
  evenly; the derivative of `abs`, `relu` and a norm at 0 is 0; that of `clip` at a bound is 1.

{whole().markdown()}
"""
