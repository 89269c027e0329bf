"""Record: what every operation of a run was given and gave, by the number of its node.

For whoever looks at a computation afterwards: explanations, drawings, checks. The tape keeps what derivatives need; a
``Recorder`` watches and keeps the rest. Values are plain arrays, out of however many boxes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from microgd.core.box import innermost
from microgd.core.primitive import Primitive
from microgd.core.tape import EDGES, NUMBER, Node, next_number
from microgd.core.watch import Watcher


@dataclass
class Call:
    """What is known of one operation: its plain operands by position, its metadata, and its answer if known."""

    row: Primitive
    operands: dict[int, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    answer: Any = None


class Recorder(Watcher):
    """Keeps every operation under the number that its node will have."""

    def __init__(self) -> None:
        self.calls: dict[int, Call] = {}

    def forward(self, row: Any, operands: Any, params: dict[str, Any], answer: Any) -> None:
        """Note one operation: its node, if it gets one, is made right after this and takes the next number."""
        self.calls[next_number() + 1] = Call(
            row, {k: innermost(x) for k, x in enumerate(operands)}, params, innermost(answer)
        )


def reached(roots: Iterable[Node | None]) -> list[Node]:
    """Every node that the roots were made from, once, from the oldest to the newest."""
    seen: dict[int, Node] = {}
    waiting = [node for node in roots if node is not None]
    while waiting:
        node = waiting.pop()
        if node[NUMBER] not in seen:
            seen[node[NUMBER]] = node
            waiting += [edge[0] for edge in node[EDGES:]]
    return [seen[number] for number in sorted(seen)]
