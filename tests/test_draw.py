"""Drawings at their edges: what is hidden in a range, awkward characters, files, notebooks, and very long nets."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgd as mg
from microgd.graph.draw import CHARACTER, COLOURS, LONGEST, PADDING, brief
from microgd.graph.layout import layout

SVG = "{http://www.w3.org/2000/svg}"
DOT = re.compile(
    r"""(?P<space>\s+)|(?P<word>[A-Za-z_]\w*)|(?P<text>"(?:[^"\\\x00]|\\.)*")|(?P<arrow>->)|(?P<mark>[{}\[\]=,])"""
)


def tokens(dot):
    """The words of a DOT file; fails on what is none."""
    place = 0
    while place < len(dot):
        match = DOT.match(dot, place)
        assert match, f"no DOT at {dot[place : place + 40]!r}"
        place = match.end()
        if match.lastgroup != "space":
            yield match.lastgroup, match.group()


def parsed(dot):
    """The labels by vertex and the edges, by the part of DOT's grammar that drawings use."""
    words = list(tokens(dot))
    kinds = [kind for kind, _ in words]
    assert [word for _, word in words[:2]] == ["digraph", "{"]
    assert words[-1][1] == "}"
    labels, edges, k = {}, [], 2
    while k < len(words) - 1:
        assert kinds[k] == "word"
        if kinds[k + 1] == "arrow":
            assert kinds[k + 2] == "word"
            edges.append((words[k][1], words[k + 2][1]))
            k += 3
            continue
        end = next(j for j in range(k, len(words)) if words[j][1] == "]")
        attributes = words[k + 2 : end]
        assert words[k + 1][1] == "["
        named = {}
        for j in range(0, len(attributes), 4):
            key, equals, value, *comma = attributes[j : j + 4]
            assert key[0] == "word"
            assert equals[1] == "="
            assert value[0] in ("word", "text")
            assert [text for _, text in comma] in ([","], [])
            named[key[1]] = value[1]
        if words[k][1] != "node":
            labels[words[k][1]] = named["label"][1:-1]
        k = end + 1
    return labels, edges


def texts(picture):
    return [text.text for text in ET.fromstring(picture.to_svg()).iter(f"{SVG}text")]


def half_way(x):
    return np.sum(np.exp(x) @ np.ones(7))


def shouts(x):
    raise ValueError("a" * 1000)


# ---- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.array([1.0, np.nan, 2.0, np.inf, 3.0]), "(5,) 2 not finite"),
        (np.full(9, np.nan), "(9,) 9 not finite"),
        (np.array([1.0, np.nan]), "[1, nan]"),
        (np.full(5, 1 + np.inf * 1j), "(5,) 5 not finite"),
        (np.arange(5.0), "(5,) 0 … 4"),
        (np.full((2, 3), 0.5), "(2,3) all 0.5"),
        (np.zeros((0, 3)), "(0,3)"),
        (np.float32(0.25), "0.25"),
    ],
)
def test_a_range_hides_nothing(value, shown):
    assert brief(value) == shown


# ---- characters --------------------------------------------------------------------------------------------------

AWKWARD = '<&">'


@given(st.text(st.characters(), min_size=1, max_size=20))
def test_any_text_gives_well_formed_svg_and_dot(key):
    picture = mg.draw(lambda p: p[key] * 2.0, {key: 3.0})
    ET.fromstring(picture.to_svg().encode("utf-8"))
    labels, edges = parsed(picture.to_dot())
    assert (len(labels), edges) == (2, [("v0", "v1")])


def test_markup_in_names_and_errors_is_text():
    def refuses(p):
        raise ValueError(AWKWARD)

    assert f"p['{AWKWARD}']" in texts(mg.draw(lambda p: np.sin(p[AWKWARD]), {AWKWARD: 1.0}))
    picture = mg.draw(refuses, {AWKWARD: 1.0})
    assert f"ValueError: {AWKWARD}" in texts(picture)
    labels, _ = parsed(picture.to_dot())
    assert 'ValueError: <&amp;\\">' in labels["v1"]
    assert f"stopped by ValueError: {AWKWARD}" in ET.fromstring(picture.to_svg()).find(f"{SVG}desc").text


def test_an_entity_in_a_name_stays_as_it_is_written():
    labels, _ = parsed(mg.draw(lambda p: np.sin(p["&lt;"]), {"&lt;": 1.0}).to_dot())
    assert labels["v0"].startswith("p['&amp;lt;']")


def test_wide_characters_have_room():
    picture = mg.draw(lambda 重み: np.sin(重み), 1.0)
    (group,) = [g for g in ET.fromstring(picture.to_svg()).iter(f"{SVG}g") if g.get("data-vertex") == "0"]
    name = next(iter(group.iter(f"{SVG}text")))
    assert (name.text, float(name.get("textLength"))) == ("重み", 4 * CHARACTER)
    assert float(group.find(f"{SVG}rect").get("width")) >= 4 * CHARACTER + 2 * PADDING


# ---- a run that failed -------------------------------------------------------------------------------------------


def test_a_long_error_is_cut_where_it_can_be_seen_and_whole_in_the_tooltip():
    picture = mg.draw(half_way, np.ones(3))
    (failed,) = [k for k in range(len(picture.graph.vertices)) if picture.kind(k) == "failed"]
    assert len(picture.text(failed)) == 6
    assert picture.text(failed)[-2].endswith("…")
    (long,) = [k for k in range(2) if mg.draw(shouts, 1.0).kind(k) == "failed"]
    assert max(map(len, mg.draw(shouts, 1.0).text(long))) <= LONGEST
    titles = [title.text for title in ET.fromstring(picture.to_svg()).iter(f"{SVG}title")]
    assert any(title.endswith(picture.error) for title in titles[1:])


def test_the_arrow_into_a_failure_is_red_from_end_to_end():
    root = ET.fromstring(mg.draw(half_way, np.ones(3)).to_svg())
    paths = list(root.iter(f"{SVG}path"))
    red = COLOURS["failed"][1]
    assert Counter(path.get("stroke") for path in paths)[red] == 1
    assert Counter(path.get("fill") for path in paths)[red] == 1


# ---- files and notebooks -----------------------------------------------------------------------------------------


def test_a_picture_scales_and_has_a_title():
    root = ET.fromstring(mg.draw(lambda w: w * w, 3.0).to_svg())
    width, height = float(root.get("width")), float(root.get("height"))
    assert np.allclose([0, 0, width, height], [float(x) for x in root.get("viewBox").split()], atol=0.6)
    assert [root[0].tag, root[1].tag] == [f"{SVG}title", f"{SVG}desc"]
    assert root[1].text == "graph of 2 vertices and 2 arrows"


def test_a_notebook_scrolls_what_is_long():
    def chain(w):
        for _ in range(60):
            w = np.sin(w)
        return w

    picture = mg.draw(chain, 1.0)
    assert picture.layout.height > 800
    assert re.match(r'<div style="overflow:auto;max-height:800px;[^"]*"><svg ', picture._repr_html_())
    assert picture._repr_svg_() == picture.to_svg()


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside(tmp_path):
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(OSError, match=r"a\.svg"):
        mg.draw(lambda w: w * w, 3.0).save(tmp_path / "a.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_drawing_changes_nothing():
    w = mg.tensor(2.0, requires_grad=True)
    loss = w * w
    first, second = mg.draw(loss).to_svg(), mg.draw(loss).to_svg()
    assert first == second
    assert w.grad is None
    loss.backward()
    assert w.grad == 4.0


# ---- layout ------------------------------------------------------------------------------------------------------


def test_a_value_that_is_used_along_a_long_chain_has_one_straight_line():
    count = 60
    edges = [(k, k + 1) for k in range(count)] + [(count + 1, k) for k in range(1, count + 1)]
    plan = layout([(80, 40)] * (count + 2), edges)
    rails = {a[0] for route in plan.routes for a, b in pairwise(route[1:-1]) if a[0] == b[0]}
    assert max(rails) - min(rails) < 20
    assert plan.width < 4 * 80


def test_several_ends_are_laid_out_too():
    edges = [(0, k) for k in range(1, 9)] + [(k, k + 8) for k in range(1, 9)]
    plan = layout([(80, 40)] * 17, edges)
    for a, b in combinations(plan.centres, 2):
        assert abs(a[0] - b[0]) >= 80 or abs(a[1] - b[1]) >= 40
    for k in range(1, 9):  # each below its parent
        assert plan.centres[k][0] == pytest.approx(plan.centres[k + 8][0])


def test_tooltips_have_values_and_constants_are_dashed():
    x = mg.tensor(2.0, requires_grad=True)
    assert "value 4" in mg.draw(x * x).to_svg()
    assert "stroke-dasharray" not in mg.draw(x * x).to_svg()
    assert "stroke-dasharray" in mg.draw(x * np.ones(2)).to_svg()
