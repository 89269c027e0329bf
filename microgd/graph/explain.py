"""Explanation: backpropagation told step by step, with the numbers of this very computation.

A step is one operation on the way back: what arrives from above (the upstream), the local derivative as a formula in
the user's names and as a number, their product, and the gradient of each operand as far as it has come. Numbers are
the engine's own: a sweep over the user's graph with a watcher. Long loops are folded, arrays summarised; ``.steps``
holds everything in full.
"""

from __future__ import annotations

import sys
from typing import Any

from microgd.graph.steps import Story, steps
from microgd.graph.telling import html_parts, latex_lines, text_lines
from microgd.graph.trace import trace
from microgd.graph.view import view, walk


class Explanation(Story):
    """What ``mg.explain`` gives: ``str()`` for a terminal, HTML for a notebook, LaTeX for a page.

    Attributes:
        output: the name of what is differentiated.
        steps: every operation in the order of the way back.
        gradients: by the name of each input, d(output)/d(input).
        graph: the vertices and arrows behind it.
    """

    def __str__(self) -> str:
        return "\n".join(text_lines(self))

    __repr__ = __str__

    def to_html(self) -> str:
        """A fragment of HTML that stands on its own: styles inside, no script."""
        return "".join(html_parts(self))

    _repr_html_ = to_html

    def to_latex(self) -> str:
        """Equations in ``align*`` (package amsmath): the operation, and each product of the chain rule."""
        return "\n".join(latex_lines(self))


def explain(output: Any, *inputs: Any, gradient: Any = None) -> Explanation:
    """Backpropagation of one computation, narrated: d(output)/d(parent) += d(output)/d(node) * d(node)/d(parent).

    Args:
        output: a tensor, before ``backward()`` frees its graph; or a function, which is run on ``inputs``. Run that
            way, or inside ``mg.record_lines()``, every step also tells its line and the expression as it was written.
        inputs: what the function is given. Where none requires a gradient, all floating-point ones are differentiated.
        gradient: the cotangent of an output that is no scalar. Ones by default: the derivative of its sum.

    Raises:
        GraphError: no graph, or one that was used and freed. ShapeError: ``gradient`` of another shape.
        OptionError: ``inputs`` beside a tensor.

    >>> import microgd as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> print(mg.explain(x * x + 2.0))
    output = 11, explained backwards in 2 steps
    <BLANKLINE>
    Forward
      x = 3
      v1 = x * x = 9
      output = v1 + 2 = 11
    <BLANKLINE>
    Backward, from d output/d output = 1
    <BLANKLINE>
    1. output = v1 + 2
       x * x + 2
       upstream  d output/d output = 1
       to v1     d output/d v1 = 1
                 1 * 1 = 1
    <BLANKLINE>
    2. v1 = x * x
       upstream  d output/d v1 = 1
       to x      d v1/d x = x = 3
                 1 * 3 = 3  (1 of 2)
       to x      d v1/d x = x = 3
                 1 * 3 = 3  (2 of 2), sum 6
    <BLANKLINE>
    Gradient
      d output/d x = 6
    """
    found = trace(output, inputs, sys._getframe(1))
    if found.failure:
        raise found.failure.error
    graph = view(found)
    flows = walk(graph, gradient)
    gradients = {v.name: v.gradient for v in graph.vertices if v.kind == "input" and v.gradient is not None}
    return Explanation(graph.top.name, tuple(steps(graph, flows)), gradients, graph)
