"""Diagnosis: what a check of somebody's derivation found, as data and as something to read.

One ``Diagnosis`` per input, and one over all of them when there are several: the parts stand in ``.parts``. The
numbers are always there (``.table``), whatever the verdict says and however sure it is. Nothing here decides.
"""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

SHOWN = 6
WIDTH = 100


class Entry(NamedTuple):
    """One number of a gradient: where it stands, what was claimed, what is true, and claimed / true."""

    entry: str
    claimed: Any
    true: Any
    ratio: Any


@dataclass(frozen=True)
class Diagnosis:
    """The answer of ``check_derivation`` and ``check_vjp``.

    Attributes:
        ok: whether the claimed derivative is right for every input.
        cause: a stable name of what went wrong, or None. With several inputs, that of the surest wrong part.
        verdict: a sentence or two for a person.
        confidence: from 0 to 1, how often verdicts of this kind were right on the library of planted mistakes.
        table: every entry as (entry, claimed, true, ratio), those that differ most first.
        parts: one diagnosis per input, where there are several.
    """

    ok: bool
    cause: str | None
    verdict: str
    confidence: float
    table: tuple[Entry, ...] = ()
    name: str = ""
    parts: tuple[Diagnosis, ...] = ()

    @property
    def head(self) -> str:
        state = "right" if self.ok else f"wrong ({self.cause}, confidence {self.confidence:.0%})"
        return f"{self.name}: {state}" if self.name else state

    def __str__(self) -> str:
        lines = [self.head, *textwrap.wrap(self.verdict, WIDTH, initial_indent="  ", subsequent_indent="  ")]
        if self.parts:
            return "\n".join([self.head, *[textwrap.indent(str(part), "  ") for part in self.parts]])
        if not self.ok and self.table:
            cells = [("entry", "claimed", "true", "ratio"), *[row_text(row) for row in self.table[:SHOWN]]]
            widths = [max(len(row[k]) for row in cells) for k in range(4)]
            lines += ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
            if len(self.table) > SHOWN:
                lines.append(f"  ... and {len(self.table) - SHOWN} more entries in .table")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        colour = "#2a7d2a" if self.ok else "#b3261e"
        body = [f'<div style="border-left:4px solid {colour};padding-left:0.8em;margin:0.5em 0">']
        body.append(f"<strong>{html.escape(self.head)}</strong>")
        if self.parts:
            return "".join([*body, *[part._repr_html_() for part in self.parts], "</div>"])
        body.append(f"<p>{html.escape(self.verdict)}</p>")
        if not self.ok and self.table:
            body.append("<table><tr><th>entry</th><th>claimed</th><th>true</th><th>ratio</th></tr>")
            for row in self.table[:SHOWN]:
                body.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row_text(row)) + "</tr>")
            body.append("</table>")
            if len(self.table) > SHOWN:
                body.append(f"<p>... and {len(self.table) - SHOWN} more entries in <code>.table</code></p>")
        return "".join([*body, "</div>"])


def row_text(row: Entry) -> tuple[str, str, str, str]:
    # + 0.0: no -0
    return (row.entry, *(f"{x + 0.0:.6g}" if np.isfinite(x) else str(x) for x in row[1:]))  # type: ignore[return-value]


def table(claimed: Any, true: Any, name: str) -> tuple[Entry, ...]:
    """The rows of two gradients of one shape, those that differ most first."""
    rows = []
    with np.errstate(all="ignore"):
        gap = np.abs(np.asarray(claimed) - np.asarray(true))
        for index in sorted(np.ndindex(gap.shape), key=lambda index: -np.nan_to_num(gap[index], nan=np.inf)):
            c, t = np.asarray(claimed)[index], np.asarray(true)[index]
            place = f"[{', '.join(map(str, index))}]" if index else ""
            rows.append(Entry(f"{name}{place}", c, t, c / t if t else np.float64(np.nan)))
    return tuple(rows)
