"""Drawing: the computation graph as SVG written by hand, and as DOT text.

A box for every value: the operation in the user's names, value, shape and gradient; inputs, constants, the output and
an operation that failed each have a colour, and the kind is also told by the outline. What does not fit is in full in
the tooltip. It needs no program but a browser.
"""

from __future__ import annotations

import html
import re
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from microgd.errors import OptionError
from microgd.files import replacing
from microgd.graph.groups import collapsed
from microgd.graph.layout import Layout, Point, layout
from microgd.graph.summary import clipped, nested, number, summary
from microgd.graph.trace import trace
from microgd.graph.view import Vertex, View, view, walk

SIZE, LINE, CHARACTER, PADDING, MARGIN = 12, 16, 7.25, 8, 16
LONGEST = 34  # characters in a line of a box
TALLEST = 800  # pixels in a notebook; beyond that it scrolls
GREY, RED = "#8a8a8a", "#b3261e"
COLOURS = {  # fill and outline, told apart with any colour vision and by the outline's form
    "input": ("#e3f0f8", "#0072b2", ""),
    "constant": ("#f4f4f4", GREY, "4 3"),
    "operation": ("#ffffff", "#4d4d4d", ""),
    "group": ("#f1ecf6", "#6a4c93", ""),
    "output": ("#fdeee3", "#d55e00", ""),
    "failed": ("#fbe3e4", RED, "7 3"),
}
FONT = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"


@dataclass(frozen=True)
class Drawing:
    """What ``mg.draw`` gives: a picture in a notebook, SVG or DOT on request.

    Attributes:
        graph: the vertices and arrows.
        error: what stopped the computation, if it failed half-way; empty otherwise.
    """

    graph: View

    @property
    def error(self) -> str:
        return self.graph.error

    @cached_property
    def layout(self) -> Layout:
        """Where everything is."""
        arrows = [(arrow.source, arrow.target) for arrow in self.graph.arrows]
        return layout([size(self.text(v)) for v in range(len(self.graph.vertices))], arrows)

    def kind(self, v: int) -> str:
        """What a vertex is drawn as."""
        vertex = self.graph.vertices[v]
        if vertex.kind == "operation" and self.graph.root is not None and vertex is self.graph.top:
            return "output"
        return "group" if vertex.kind == "operation" and vertex.call is None else vertex.kind

    def text(self, v: int) -> list[str]:
        """The lines in a box."""
        return list(box_lines(self.graph.vertices[v], self.error))

    def to_svg(self) -> str:
        """The picture as a file of its own."""
        return "\n".join(svg_lines(self))

    def to_dot(self) -> str:
        """The graph in Graphviz's language."""
        return "\n".join(dot_lines(self))

    def save(self, path: str | Path) -> None:
        """Write ``.svg``, or ``.dot`` or ``.gv``, as the name says; an older file is replaced at once or not at all."""
        path = Path(path)
        writers: dict[str, Callable[[], str]] = {".svg": self.to_svg, ".dot": self.to_dot, ".gv": self.to_dot}
        if path.suffix not in writers:
            raise OptionError(f"save: expected a name that ends in {', '.join(writers)}, got {path.name!r}")
        text = writers[path.suffix]()
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _repr_html_(self) -> str:
        return f'<div style="overflow:auto;max-height:{TALLEST}px;background:#fff">{self.to_svg()}</div>'

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __str__(self) -> str:
        vertices, arrows = len(self.graph.vertices), len(self.graph.arrows)
        failed = f", stopped by {self.error}" if self.error else ""
        return f"graph of {vertices} vertices and {arrows} arrows{failed}"

    def __repr__(self) -> str:
        return f"<{self}; .save('graph.svg') writes the picture>"


def draw(output: Any, *inputs: Any, gradient: Any = None, collapse: bool = False) -> Drawing:
    """The graph of a computation, with values, shapes and gradients d(output)/d(vertex).

    Args:
        output: a tensor, before ``backward()`` frees its graph; or a function, which is run on ``inputs``. If the
            function raises, what it had computed is drawn, with the expression that failed and the error.
        inputs: what the function is given. Where none requires a gradient, all floating-point ones are differentiated.
        gradient: the cotangent of an output that is no scalar. Ones by default: the derivative of its sum.
        collapse: draw each call of a function as one box. A tensor must be made inside ``mg.record_lines()`` for it.

    Raises:
        GraphError: no graph, or one that was used and freed. ShapeError: ``gradient`` of another shape.
        OptionError: ``inputs`` beside a tensor.

    >>> import microgd as mg
    >>> w = mg.tensor(2.0, requires_grad=True)
    >>> picture = mg.draw(w * w)
    >>> picture
    <graph of 2 vertices and 2 arrows; .save('graph.svg') writes the picture>
    >>> print(picture.to_dot())
    digraph {
      node [shape=box, fontname="monospace", style=filled, fillcolor=white]
      v0 [label="w\\nvalue 2\\ngrad  4", fillcolor="#e3f0f8", color="#0072b2"]
      v1 [label="output = w * w\\nvalue 4\\ngrad  1", fillcolor="#fdeee3", color="#d55e00"]
      v0 -> v1
      v0 -> v1
    }
    """
    graph = view(trace(output, inputs, sys._getframe(1)))
    if graph.root is not None:
        walk(graph, gradient)
    return Drawing(collapsed(graph) if collapse else graph)


# ---- boxes ---------------------------------------------------------------------------------------------------


def box_lines(vertex: Vertex, error: str) -> Iterator[str]:
    """What stands in a box, one line each."""
    if vertex.kind == "failed":
        yield clipped(vertex.text or vertex.name, LONGEST)
        yield from textwrap.wrap(error, LONGEST, max_lines=4, placeholder="…")
        if vertex.place:
            yield clipped(f"at {vertex.place}", LONGEST)
        return
    group = vertex.kind == "operation" and vertex.call is None
    yield clipped(f"{vertex.name} = {vertex.text}" if group else vertex.formula, LONGEST)
    if vertex.value is not None:
        yield clipped(f"value {brief(vertex.value)}", LONGEST)
    elif vertex.shape:
        yield f"shape {vertex.shape}"
    if vertex.gradient is not None:
        yield clipped(f"grad  {brief(vertex.gradient)}", LONGEST)


def brief(value: Any) -> str:
    """A number, up to four entries, or the shape and the range; how many are not finite where some are not."""
    x = np.asarray(value)
    if 0 < x.size <= 4 and x.dtype != object and len(nested(x)) <= LONGEST - 6:
        return nested(x)
    shape = str(x.shape).replace(" ", "")
    if not x.size or x.dtype.kind not in "fiuc":
        return shape
    if missing := x.size - np.count_nonzero(np.isfinite(x)):
        return f"{shape} {missing} not finite"
    if x.dtype.kind == "c":
        return shape
    low, high = number(x.min()), number(x.max())
    return f"{shape} all {low}" if low == high else f"{shape} {low} … {high}"


def length(line: str) -> float:
    """The room for a line; Chinese, Japanese and Korean characters take two places."""
    return (len(line) + sum(unicodedata.east_asian_width(c) in "WF" for c in line)) * CHARACTER


def size(lines: list[str]) -> Point:
    return max(map(length, lines)) + 2 * PADDING, len(lines) * LINE + 2 * PADDING - 4


def tooltip(vertex: Vertex, error: str) -> str:
    """Everything about a vertex, in full."""
    lines = [vertex.formula, vertex.text if vertex.text != vertex.formula else "", vertex.place]
    if vertex.kind != "failed":
        lines.append(f"shape {vertex.shape}")
    for name, value in (("value", vertex.value), ("gradient", vertex.gradient)):
        if value is not None:
            lines.append(f"{name} {summary(value)}")
    return "\n".join(line for line in [*lines, error if vertex.kind == "failed" else ""] if line)


# ---- SVG -----------------------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Text without the characters that XML has no way to write, nor DOT, nor UTF-8."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def escaped(text: str) -> str:
    """Text for XML."""
    return html.escape(printable(text))


def svg_lines(drawing: Drawing) -> Iterator[str]:
    plan, graph = drawing.layout, drawing.graph
    width, height = plan.width + 2 * MARGIN, plan.height + 2 * MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" role="img" '
        f'font-family="{FONT}" font-size="{SIZE}">'
    )
    of = f" of {escaped(graph.top.name)}" if graph.root is not None else ""
    yield f"<title>Computation{of}</title><desc>{escaped(str(drawing))}</desc>"
    yield f'<rect width="{width:.1f}" height="{height:.1f}" fill="#fff"/>'
    yield f'<g transform="translate({MARGIN} {MARGIN})">'
    drawn: set[tuple[int, Point, Point]] = set()
    colours = [RED if graph.vertices[arrow.target].kind == "failed" else GREY for arrow in graph.arrows]
    yield '<g fill="none" stroke-width="1.3">'
    for arrow, route, colour in zip(graph.arrows, plan.routes, colours, strict=True):
        ends = f'data-from="{arrow.source}" data-to="{arrow.target}"'
        yield f'<path class="arrow" {ends} d="{path(arrow.source, route, drawn)}" stroke="{colour}"/>'
    yield "</g>"
    for route, colour in zip(plan.routes, colours, strict=True):
        x, y = route[-1]
        yield f'<path d="M{x:.1f} {y:.1f}l-3.5 -7h7z" fill="{colour}"/>'
    for v in range(len(graph.vertices)):
        yield from svg_box(drawing, v)
    yield "</g></svg>"


def path(source: int, route: list[Point], drawn: set[tuple[int, Point, Point]]) -> str:
    """Straight through layers and curved between them; what an earlier edge of the same source has drawn is shared."""
    parts: list[str] = []
    for k, (a, b) in enumerate(pairwise(route)):
        if (source, a, b) in drawn:
            parts = []
            continue
        drawn.add((source, a, b))
        if not parts:
            parts.append(f"M{a[0]:.1f} {a[1]:.1f}")
        if k % 2 == 0 or a[0] == b[0]:
            parts.append(f"L{b[0]:.1f} {b[1]:.1f}")
        else:
            middle = (a[1] + b[1]) / 2
            parts.append(f"C{a[0]:.1f} {middle:.1f} {b[0]:.1f} {middle:.1f} {b[0]:.1f} {b[1]:.1f}")
    return "".join(parts)


def svg_box(drawing: Drawing, v: int) -> Iterator[str]:
    lines = drawing.text(v)
    (x, y), (width, height) = drawing.layout.centres[v], size(lines)
    fill, outline, dashes = COLOURS[drawing.kind(v)]
    left, top = x - width / 2, y - height / 2
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    full = escaped(tooltip(drawing.graph.vertices[v], drawing.error))
    yield f'<g class="vertex" data-vertex="{v}"><title>{full}</title>'
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5" fill="{fill}" '
        f'stroke="{outline}" stroke-width="1.3"{dash}/>'
    )
    for k, line in enumerate(lines):
        weight = ' font-weight="600"' if k == 0 else ' fill="#404040"'
        yield (
            f'<text x="{left + PADDING:.1f}" y="{top + PADDING + 9 + k * LINE:.1f}"{weight} xml:space="preserve" '
            f'textLength="{length(line):.1f}" lengthAdjust="spacingAndGlyphs">{escaped(line)}</text>'
        )
    yield "</g>"


# ---- DOT -----------------------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """Text between quotes in DOT, where a backslash begins an escape and an ampersand an entity."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def dot_lines(drawing: Drawing) -> Iterator[str]:
    yield "digraph {"
    yield '  node [shape=box, fontname="monospace", style=filled, fillcolor=white]'
    for v in range(len(drawing.graph.vertices)):
        fill, outline, _ = COLOURS[drawing.kind(v)]
        label = "\\n".join(map(quoted, drawing.text(v)))
        yield f'  v{v} [label="{label}", fillcolor="{fill}", color="{outline}"]'
    for arrow in drawing.graph.arrows:
        yield f"  v{arrow.source} -> v{arrow.target}"
    yield "}"
