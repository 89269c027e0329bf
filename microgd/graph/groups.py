"""Groups: the operations of one call of a user's function, or of a layer, drawn as one vertex.

Which function an operation stands in is known by its line. Operations are made one after the other, so those of one
call stand side by side in the order of their making; a call begins anew where the first expression of the function
comes again. Operations of the function that is looked at itself stay apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from microgd.core.watch import Origin
from microgd.graph.view import Arrow, Vertex, View


def collapsed(graph: View) -> View:
    """The graph with one vertex per call of a function."""
    where = list(range(len(graph.vertices)))  # from a vertex to the last one of its group
    sizes: dict[int, int] = {}
    for run in runs(graph):
        sizes[run[-1]] = len(run)
        for v in run:
            where[v] = run[-1]
    kept = [v for v in range(len(graph.vertices)) if where[v] == v]
    place = {v: k for k, v in enumerate(kept)}
    vertices = [grouped(graph.vertices[v], sizes[v]) if sizes.get(v, 1) > 1 else graph.vertices[v] for v in kept]
    ends = [(where[a.source], where[a.target]) for a in graph.arrows]
    pairs = dict.fromkeys((place[source], place[target]) for source, target in ends if source != target)
    arrows = [Arrow(source, target, k) for k, (source, target) in enumerate(pairs)]
    places = {number: place[where[v]] for number, v in graph.places.items()}
    return View(vertices, arrows, places, graph.root, graph.outer, graph.error)


def grouped(last: Vertex, size: int) -> Vertex:
    """The vertex of a whole call: its result, under the function's name."""
    assert last.where is not None
    names = spot(last.where).code.co_qualname.split(".")
    name = names[-2] if names[-1] in ("forward", "__call__") and len(names) > 1 else names[-1]  # a module's class
    return replace(last, call=None, text=f"{name}, {size} operations")


def spot(where: Origin) -> Origin:
    """The place of an operation: in the layer, if the user called one of the library's."""
    return where.layer or where


def runs(graph: View) -> Iterator[list[int]]:
    """Operations of one call, in order."""
    run: list[int] = []
    first = before = None
    for v, vertex in enumerate(graph.vertices):
        if vertex.kind != "operation":
            continue
        here = vertex.where and spot(vertex.where)
        if here is not None and here.code in graph.outer:
            here = None
        if here is None or first is None or here.code is not first.code or (here == first != before):
            if run:
                yield run
            run, first = [], here
        if here is not None:
            run.append(v)
        before = here
    if run:
        yield run
