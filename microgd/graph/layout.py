"""Layout: boxes in layers, from what is given at the top to what is computed at the bottom (Sugiyama's method).

Vertices go into layers along the longest way from a source; long edges get a waypoint in every layer they pass, shared
by all edges of one source; barycentres reduce crossings; coordinates are least squares under the order of a layer. An
edge is slanted only between layers, where there is no box, and passes a layer through its waypoint: so no edge can run
through a box. Sugiyama, Tagawa and Toda (1981), "Methods for visual understanding of hierarchical system structures".
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

Point = tuple[float, float]
Cells = list[list[int]]

SEPARATION = 24.0
WAYPOINT = 8.0
GAP, SLOPE, WIDEST = 34.0, 0.12, 110.0  # between layers: at least, per horizontal distance to go, at most
PORT = 16.0
STRAIGHT = 1000.0  # how much more a waypoint weighs than a box: boxes give way, long edges hardly
SWEEPS, PATIENCE = 12, 4


@dataclass(frozen=True)
class Layout:
    """Centres of the boxes, the points that each edge goes through, and the size of the picture."""

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    height: float
    layers: list[int]


def layout(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Places for boxes of these sizes.

    Args:
        sizes: width and height of every box. edges: (from, to) by position in ``sizes``; without cycles.
    """
    layers = layered(len(sizes), edges)
    grid = Grid(sizes, edges, layers)
    grid.reduce_crossings()
    grid.set_coordinates()
    return grid.result()


def layered(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of every vertex: one below its lowest parent, or right above its first use if that costs no length."""
    children: list[set[int]] = [set() for _ in range(count)]
    parents: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges:
        children[a].add(b)
        parents[b].add(a)
    order = list(TopologicalSorter(dict(enumerate(parents))).static_order())
    layers = [0] * count
    for v in order:
        layers[v] = max((layers[p] + 1 for p in parents[v]), default=0)
    for v in reversed(order):
        computed = sum(1 for p in parents[v] if parents[p])  # sources come along, or have one line down to all uses
        if children[v] and computed <= len(children[v]):
            layers[v] = min(layers[child] for child in children[v]) - 1
    return layers


class Grid:
    """Boxes and waypoints as cells in layers, with the segments between neighbouring layers."""

    def __init__(self, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]], layers: list[int]):
        self.sizes, self.edges, self.layer = sizes, edges, list(layers)
        self.widths = [width for width, _ in sizes]
        self.rows: Cells = [[] for _ in range(max(layers, default=0) + 1)]
        self.paths: Cells = []
        waypoints: dict[tuple[int, int], int] = {}
        for v, k in enumerate(layers):
            self.rows[k].append(v)
        for a, b in edges:
            path = [a]
            for k in range(layers[a] + 1, layers[b]):
                if (a, k) not in waypoints:
                    waypoints[a, k] = len(self.widths)
                    self.widths.append(WAYPOINT)
                    self.layer.append(k)
                    self.rows[k].append(waypoints[a, k])
                path.append(waypoints[a, k])
            self.paths.append([*path, b])
        self.up: Cells = [[] for _ in self.widths]
        self.down: Cells = [[] for _ in self.widths]
        for a, b in dict.fromkeys(step for path in self.paths for step in pairwise(path)):
            self.up[b].append(a)
            self.down[a].append(b)
        self.x = [0.0] * len(self.widths)

    # ---- order within layers -----------------------------------------------------------------------------

    def reduce_crossings(self) -> None:
        """Sort every layer by the mean place of its neighbours, down and up in turn; keep the best order seen."""
        best, fewest, found = [list(row) for row in self.rows], self.crossings(), 0
        for sweep in range(SWEEPS):
            if not fewest or sweep - found > PATIENCE:
                break
            down = sweep % 2 == 0
            for k in range(1, len(self.rows)) if down else range(len(self.rows) - 2, -1, -1):
                self.sort(self.rows[k], self.rows[k - 1 if down else k + 1], self.up if down else self.down)
            if (crossings := self.crossings()) < fewest:
                best, fewest, found = [list(row) for row in self.rows], crossings, sweep
        self.rows = best

    def sort(self, row: list[int], other: list[int], neighbours: Cells) -> None:
        """By barycentre, as a share of the other layer's length; a cell without neighbours there keeps its place."""
        place = {v: k / max(len(other) - 1, 1) for k, v in enumerate(other)}
        wanted = {v: k / max(len(row) - 1, 1) for k, v in enumerate(row)}
        wanted |= {v: sum(place[u] for u in around) / len(around) for v in row if (around := neighbours[v])}
        row.sort(key=wanted.__getitem__)

    def crossings(self) -> int:
        """Pairs of segments that cross, layer by layer."""
        total = 0
        for upper, lower in pairwise(self.rows):
            place = {v: k for k, v in enumerate(lower)}
            seen: list[int] = []
            for v in upper:
                ends = sorted(place[u] for u in self.down[v])
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return total

    # ---- coordinates -------------------------------------------------------------------------------------

    def set_coordinates(self) -> None:
        """Each layer as near to its neighbours as its order allows, up and down in turn.

        The last way is down, which makes long edges straight; a source is drawn to its children both ways. With one
        sink, the way up does not depend on where it begins, so a second round would change nothing.
        """
        for row in self.rows:
            self.spread(row, [0.0] * len(row))
        above = [up or down for up, down in zip(self.up, self.down, strict=True)]
        for _ in range(2):
            for row in reversed(self.rows):
                self.pull(row, self.down)
            for row in self.rows:
                self.pull(row, above)

    def pull(self, row: list[int], neighbours: Cells) -> None:
        around = [[self.x[u] for u in neighbours[v]] for v in row]
        self.spread(row, [sum(xs) / len(xs) if xs else self.x[v] for v, xs in zip(row, around, strict=True)])

    def spread(self, row: list[int], wanted: list[float]) -> None:
        """Least squares under the order: minimise sum w (x - wanted)^2 with room between neighbours.

        Without the room it is isotonic regression, solved by pooling adjacent violators. Waypoints weigh more, so
        that long edges are straight.
        """
        offsets = [0.0]
        for a, b in pairwise(row):
            offsets.append(offsets[-1] + (self.widths[a] + self.widths[b]) / 2 + SEPARATION)
        pools: list[list[float]] = []  # weight, mean, cells
        for v, offset, x in zip(row, offsets, wanted, strict=True):
            pool = [1.0 if v < len(self.sizes) else STRAIGHT, x - offset, 1.0]
            while pools and pools[-1][1] > pool[1]:
                weight, mean, cells = pools.pop()
                total = weight + pool[0]
                pool = [total, (weight * mean + pool[0] * pool[1]) / total, cells + pool[2]]
            pools.append(pool)
        means = [mean for _, mean, cells in pools for _ in range(int(cells))]
        for v, mean, offset in zip(row, means, offsets, strict=True):
            self.x[v] = mean + offset

    # ---- the picture -------------------------------------------------------------------------------------

    def result(self) -> Layout:
        """Coordinates from the upper left corner, and routes through them."""
        left = min((x - w / 2 for x, w in zip(self.x, self.widths, strict=True)), default=0.0)
        x = [value - left for value in self.x]
        tops, bottoms = self.bands()
        centres = [(x[v], (tops[self.layer[v]] + bottoms[self.layer[v]]) / 2) for v in range(len(self.sizes))]
        ports = self.ports(x)
        routes = []
        for e, ((a, b), path) in enumerate(zip(self.edges, self.paths, strict=True)):
            route = [(x[a], centres[a][1] + self.sizes[a][1] / 2), (x[a], bottoms[self.layer[a]])]
            for v in path[1:-1]:
                route += [(x[v], tops[self.layer[v]]), (x[v], bottoms[self.layer[v]])]
            route += [(ports[e], tops[self.layer[b]]), (ports[e], centres[b][1] - self.sizes[b][1] / 2)]
            routes.append(route)
        width = max((value + w / 2 for value, w in zip(x, self.widths, strict=True)), default=0.0)
        return Layout(centres, routes, width, bottoms[-1] if self.sizes else 0.0, self.layer[: len(self.sizes)])

    def bands(self) -> tuple[list[float], list[float]]:
        """Where each layer begins and ends; the farther edges go sideways, the wider the gap above."""
        tops: list[float] = [0.0]
        bottoms: list[float] = []
        for k, row in enumerate(self.rows):
            if k:
                reach = max((abs(self.x[v] - self.x[u]) for v in row for u in self.up[v]), default=0.0)
                tops.append(bottoms[-1] + GAP + min(SLOPE * reach, WIDEST - GAP))
            bottoms.append(tops[-1] + max((self.sizes[v][1] for v in row if v < len(self.sizes)), default=0.0))
        return tops, bottoms

    def ports(self, x: list[float]) -> dict[int, float]:
        """Where each edge enters its box: side by side, in the order that they come from."""
        entering: Cells = [[] for _ in self.sizes]
        for e, (_, b) in enumerate(self.edges):
            entering[b].append(e)
        found: dict[int, float] = {}
        for b, arriving in enumerate(entering):
            arriving.sort(key=lambda e: x[self.paths[e][-2]])
            step = min(PORT, 0.8 * self.sizes[b][0] / max(len(arriving), 1))
            found |= {e: x[b] + (k - (len(arriving) - 1) / 2) * step for k, e in enumerate(arriving)}
        return found
