"""The graph of a computation as data, its layout, and the pictures made of it."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.graph.draw import CHARACTER, COLOURS, PADDING, draw
from microgd.graph.layout import layout

SVG = "{http://www.w3.org/2000/svg}"
RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(16, 4)), RNG.normal(size=(16, 1))
WEIGHTS = [RNG.normal(size=shape) for shape in [(4, 8), (8,), (8, 8), (8,), (8, 1), (1,)]]


def layer(x, W, b):
    z = x @ W + b
    return np.tanh(z)


def mlp(W1, b1, W2, b2, W3, b3, X, Y):
    h = layer(X, W1, b1)
    h = layer(h, W2, b2)
    error = h @ W3 + b3 - Y
    return np.mean(error * error) + 0.01 * (np.sum(W1**2) + np.sum(W2**2))


def recurrent(W, U, b, h, xs):
    for x in xs:
        h = np.tanh(W @ h + U @ x + b)
    return np.sum(h * h)


def scalars(layers, width):
    """A network written number by number, as an engine for scalars would do it."""
    rng = np.random.default_rng(1)
    leaf = lambda: mg.tensor(rng.normal(), requires_grad=True)
    xs = [leaf() for _ in range(3)]
    for _ in range(layers):
        sums = [sum((leaf() * x for x in xs), start=leaf()) for _ in range(width)]
        xs = [np.tanh(s) for s in sums]
    return sum(xs)


def net(collapse=False):
    tensors = [mg.tensor(w, requires_grad=True) for w in WEIGHTS]
    return draw(mlp, *tensors, *DATA, collapse=collapse)


PICTURES = {
    "mlp": net,
    "mlp, collapsed": lambda: net(collapse=True),
    "recurrent": lambda: draw(
        recurrent, *(mg.tensor(RNG.normal(size=s), requires_grad=True) for s in [(3, 3), (3, 4), 3, 3]), DATA[0]
    ),
    "scalars": lambda: draw(scalars(3, 4)),
    "failed": lambda: draw(lambda x: np.sum(np.sin(x) @ np.ones(7)), np.ones(3)),
    "one leaf": lambda: draw(mg.tensor(1.0, requires_grad=True)),
}
every_picture = pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)


def boxes(picture):
    """The rectangles in the file, by vertex: left, top, right, bottom."""
    found = {}
    for group in ET.fromstring(picture.to_svg()).iter(f"{SVG}g"):
        if group.get("class") == "vertex":
            rect = group.find(f"{SVG}rect")
            x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
            found[int(group.get("data-vertex"))] = (x, y, x + w, y + h)
    return found


def curves(picture):
    """Points along every arrow as drawn: (from, to, points)."""
    for path in ET.fromstring(picture.to_svg()).iter(f"{SVG}path"):
        if path.get("class") != "arrow":
            continue
        points = []
        for command, numbers in re.findall(r"([MLC])([-\d. ]+)", path.get("d")):
            xy = np.array(numbers.split(), float).reshape(-1, 2)
            if command == "C":
                a, (b, c, d) = points[-1], xy
                t = np.linspace(0, 1, 25)[:, None]
                points += list((1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * c + t**3 * d)
            elif command == "L":
                points += [points[-1] + k * (xy[0] - points[-1]) / 24 for k in range(25)]
            else:
                points += list(xy)
        yield int(path.get("data-from")), int(path.get("data-to")), np.array(points)


# ---- pictures --------------------------------------------------------------------------------------------------


@every_picture
def test_every_vertex_is_drawn_once_and_every_arrow_too(picture):
    picture = picture()
    svg = picture.to_svg()
    assert sorted(map(int, re.findall(r'data-vertex="(\d+)"', svg))) == list(range(len(picture.graph.vertices)))
    drawn = [(int(a), int(b)) for a, b in re.findall(r'data-from="(\d+)" data-to="(\d+)"', svg)]
    assert drawn == [(arrow.source, arrow.target) for arrow in picture.graph.arrows]


@every_picture
def test_boxes_do_not_overlap_and_lie_in_the_picture(picture):
    picture = picture()
    for (_, a), (_, b) in combinations(boxes(picture).items(), 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    for left, top, right, bottom in boxes(picture).values():
        assert -0.1 <= left < right <= picture.layout.width + 0.1
        assert -0.1 <= top < bottom <= picture.layout.height + 0.1


@every_picture
def test_no_arrow_runs_through_a_box(picture):
    picture = picture()
    found = boxes(picture)
    for source, target, points in curves(picture):
        for v, (left, top, right, bottom) in found.items():
            x, y = points.T
            inside = (x > left + 0.2) & (x < right - 0.2) & (y > top + 0.2) & (y < bottom - 0.2)
            assert not inside.any(), f"{source} -> {target} runs through {picture.graph.vertices[v].formula}"


@every_picture
def test_arrows_begin_and_end_at_their_boxes(picture):
    picture = picture()
    found = boxes(picture)
    for arrow, route in zip(picture.graph.arrows, picture.layout.routes, strict=True):
        source, target = found[arrow.source], found[arrow.target]
        assert route[0][1] == pytest.approx(source[3], abs=0.1)
        assert source[0] < route[0][0] < source[2]
        assert route[-1][1] == pytest.approx(target[1], abs=0.1)
        assert target[0] < route[-1][0] < target[2]
    ends = {(target, tuple(points[-1])) for _, target, points in curves(picture)}
    assert len(ends) == len(picture.graph.arrows)  # each has a place of its own to arrive at


@every_picture
def test_text_fits_its_box(picture):
    for group in ET.fromstring(picture().to_svg()).iter(f"{SVG}g"):
        if group.get("class") == "vertex":
            width = float(group.find(f"{SVG}rect").get("width"))
            for text in group.iter(f"{SVG}text"):
                assert float(text.get("textLength")) <= width - 2 * PADDING + 0.1
                assert float(text.get("textLength")) == pytest.approx(len(text.text) * CHARACTER, abs=0.1)


def test_a_picture_shows_values_gradients_and_shapes():
    picture = net()
    text = {v.name: picture.text(k) for k, v in enumerate(picture.graph.vertices)}
    assert text["mlp"][0].startswith("mlp = ")
    assert text["W1"][1].startswith("value (4,8) ")
    assert text["W1"][2].startswith("grad (4,8) ")
    gradients = mg.grad(mlp, argnums=range(6))(*WEIGHTS, *DATA)
    for name, g in zip(["W1", "b1", "W2", "b2", "W3", "b3"], gradients, strict=True):
        (vertex,) = [v for v in picture.graph.vertices if v.name == name]
        np.testing.assert_allclose(vertex.gradient, g, rtol=1e-12)
    kinds = {v.name: picture.kind(k) for k, v in enumerate(picture.graph.vertices)}
    assert (kinds["W1"], kinds["X"], kinds["error"], kinds["mlp"]) == ("input", "constant", "operation", "output")


def test_calls_of_a_function_collapse():
    picture = net(collapse=True)
    groups = [v for k, v in enumerate(picture.graph.vertices) if picture.kind(k) == "group"]
    assert [v.text for v in groups] == ["layer, 3 operations"] * 2
    assert groups[1].name == "h"
    assert groups[0].name.startswith("v")  # not x, as the second call names its argument
    into = [picture.graph.vertices[a.source].name for a in picture.graph.arrows if a.target == groups_place(picture)]
    assert sorted(into) == ["W1", "X", "b1"]
    assert len(net().graph.vertices) == len(picture.graph.vertices) + 4


def groups_place(picture):
    return next(k for k in range(len(picture.graph.vertices)) if picture.kind(k) == "group")


def test_a_tensor_collapses_if_its_lines_were_recorded():
    w = mg.tensor(np.ones((3, 3)), requires_grad=True)
    with mg.record_lines():
        h = layer(layer(w, w, 1.0), w, 2.0) * 1.0
    picture = draw(h, collapse=True)
    assert [picture.kind(k) for k in range(len(picture.graph.vertices))] == ["input", "group", "group", "output"]


def test_a_computation_that_failed_is_drawn_up_to_there():
    def f(W, x):
        h = np.tanh(W @ x)
        scaled = h * 2.0
        return np.sum(scaled - x[:2])

    picture = draw(f, np.ones((4, 4)), np.ones(4))
    assert picture.error.startswith("ValueError: operands could not be broadcast")
    names = [v.name for v in picture.graph.vertices]
    assert {"W", "x", "h", "scaled"} <= set(names)
    (failed,) = [k for k in range(len(names)) if picture.kind(k) == "failed"]
    sources = {names[a.source] for a in picture.graph.arrows if a.target == failed}
    assert "scaled" in sources
    assert picture.text(failed)[0] == "scaled - x[:2]"
    assert picture.text(failed)[-1].startswith("at test_graph.py:")
    assert COLOURS["failed"][1] in picture.to_svg()
    assert "stopped by ValueError" in repr(picture)


def test_a_function_that_fails_at_once_is_drawn_too():
    def refuses(x):
        raise RuntimeError("not today")

    picture = draw(refuses, 1.0)
    assert [v.kind for v in picture.graph.vertices] == ["input", "failed"]
    assert picture.graph.arrows == []


def test_an_operation_without_a_rule_is_a_failure_that_is_drawn():
    picture = draw(lambda x: np.frompyfunc(math.sin, 1, 1)(np.sin(x)), np.ones(3))
    assert picture.error.startswith("UnsupportedError: sin (vectorized)")
    assert [(v.kind, v.name) for v in picture.graph.vertices][:2] == [("input", "x"), ("operation", "v1")]
    assert [(a.source, a.target) for a in picture.graph.arrows] == [(0, 1), (1, 2)]


def test_text_is_escaped():
    names = {'a<b>&"c"\\': 1.0, "null\0": 2.0}
    picture = draw(lambda p: p['a<b>&"c"\\'] * p["null\0"], names)
    root = ET.fromstring(picture.to_svg())
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert """p['a<b>&"c"\\\\']""" in texts
    assert r'label="p[' in picture.to_dot()
    for line in picture.to_dot().splitlines()[2:-1]:
        assert re.fullmatch(r'  v\d+ (-> v\d+|\[label="([^"\\]|\\.)*", fillcolor="#\w{6}", color="#\w{6}"\])', line)


def test_saving(tmp_path):
    picture = net()
    for name, start in {"a.svg": "<svg", "a.dot": "digraph", "a.gv": "digraph"}.items():
        picture.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.dot", "a.gv", "a.svg"]
    with pytest.raises(mg.errors.OptionError, match=r"ends in \.svg"):
        picture.save(tmp_path / "a.png")
    assert "<svg" in picture._repr_html_()


def test_refusals():
    w = mg.tensor(1.0, requires_grad=True)
    with pytest.raises(mg.errors.OptionError, match="one tensor"):
        draw(w, w)
    with pytest.raises(mg.errors.GraphError, match="requires_grad"):
        draw(mg.tensor(1.0))


# ---- layout ----------------------------------------------------------------------------------------------------

graphs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.tuples(st.floats(10, 200), st.floats(10, 80)), min_size=n, max_size=n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1]), max_size=25),
    )
)


@given(graphs)
def test_any_graph_is_laid_out_without_overlap(graph):
    sizes, edges = graph
    plan = layout(sizes, edges)
    rectangles = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), (w, h) in zip(plan.centres, sizes, strict=True)
    ]
    for a, b in combinations(rectangles, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for (a, b), route in zip(edges, plan.routes, strict=True):
        assert plan.layers[a] < plan.layers[b]
        assert all(p[1] <= q[1] + 1e-9 for p, q in pairwise(route))  # downwards only
        for p, q in pairwise(route):
            for left, top, right, bottom in rectangles:
                if p[0] == q[0]:
                    assert not (left < p[0] < right and max(top, p[1]) < min(bottom, q[1]) - 1e-9)
                else:  # slanted: only where no box is
                    assert bottom <= p[1] + 1e-9 or top >= q[1] - 1e-9


@given(graphs, st.randoms())
def test_vertices_may_come_in_any_order(graph, random):
    sizes, edges = graph
    order = list(range(len(sizes)))
    random.shuffle(order)
    plan = layout(sizes, [(order[a], order[b]) for a, b in edges])
    assert all(plan.layers[order[a]] < plan.layers[order[b]] for a, b in edges)


def test_crossings_that_can_be_avoided_are():
    edges = [(0, 3), (1, 4), (2, 5), (3, 8), (4, 7), (5, 6)]
    plan = layout([(40, 20)] * 9, edges)
    ends = [(plan.centres[a][0], plan.centres[b][0]) for a, b in edges]
    for (a, b), (c, d) in combinations(ends[:3], 2):
        assert (a - c) * (b - d) > 0
    for (a, b), (c, d) in combinations(ends[3:], 2):
        assert (a - c) * (b - d) > 0


def test_a_source_stands_above_its_first_use():
    chain = [(k, k + 1) for k in range(5)]
    plan = layout([(40, 20)] * 7, [*chain, (6, 5)])
    assert plan.layers[6] == plan.layers[5] - 1


def test_a_long_edge_is_straight():
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]
    plan = layout([(40, 20)] * 6, edges)
    waypoints = plan.routes[-1][2:-2]
    assert len(waypoints) == 8
    assert len({round(x, 3) for x, _ in waypoints}) == 1


def test_a_thousand_vertices_share_their_long_edges():
    picture = draw(scalars(4, 10))
    assert 900 < len(picture.graph.vertices) < 1300
    assert picture.to_svg().count('class="vertex"') == len(picture.graph.vertices)
    wide = draw(recurrent, *(np.ones(s) * 0.1 for s in [(3, 3), (3, 4), 3, 3]), np.ones((150, 4)))
    points = picture_points(wide)
    assert points < 15 * len(wide.graph.arrows)


def picture_points(picture):
    """How many coordinates the arrows take in the file: quadratic if every long edge had waypoints of its own."""
    return sum(len(re.findall(r"[MLC]", d)) for d in re.findall(r' d="([^"]*)"', picture.to_svg()))
