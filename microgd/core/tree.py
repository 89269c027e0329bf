"""Trees: containers of arrays go wherever one array goes.

A tree is a tuple, list, dict, dataclass or object with a ``__tree__`` method, nested to any depth. ``flatten``
gives its arrays with their paths, and a function that builds the same tree around new leaves. Text, None,
booleans and functions inside a tree are structure, not leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

from microgd.errors import ShapeError

Build = Callable[[Iterator[Any]], Any]
STRUCTURE = (str, bytes, bool, type(None))


def flatten(tree: Any) -> tuple[list[tuple[str, Any]], Callable[[Iterable[Any]], Any]]:
    """The leaves of a tree as (path, leaf), and the function that puts as many new ones in their places.

    >>> leaves, build = flatten({"w": 1.0, "layers": [2.0, 3.0]})
    >>> leaves
    [("['w']", 1.0), ("['layers'][0]", 2.0), ("['layers'][1]", 3.0)]
    >>> build([10.0, 20.0, 30.0])
    {'w': 10.0, 'layers': [20.0, 30.0]}
    """
    leaves: list[tuple[str, Any]] = []
    build = walk(tree, "", leaves)
    return leaves, lambda values: build(iter(values))


def flatten_like(tree: Any, paths: list[str], what: str) -> list[Any]:
    """The leaves of ``tree`` in the order of ``paths``: a dict may list its keys in another order."""
    found = dict(flatten(tree)[0])
    if set(found) != set(paths):
        missing, extra = sorted(set(paths) - set(found)), sorted(set(found) - set(paths))
        raise ShapeError(
            f"{what}: expected the structure {paths or 'of an empty container'}, got {list(found)}; "
            f"missing {missing}, too many {extra}"
        )
    return [found[path] for path in paths]


def leaves_of(tree: Any) -> list[Any]:
    """Only the leaves."""
    return [leaf for _, leaf in flatten(tree)[0]]


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply ``function`` to every leaf, and to the leaves at the same places of other trees."""
    leaves, build = flatten(tree)
    return build([function(leaf, *rest) for (_, leaf), *rest in zip(leaves, *map(leaves_of, others), strict=True)])


def walk(tree: Any, path: str, leaves: list[tuple[str, Any]]) -> Build:
    """Collect the leaves below ``tree``; the result builds it again from an iterator over new ones."""
    if isinstance(tree, tuple | list):
        parts = [walk(item, f"{path}[{k}]", leaves) for k, item in enumerate(tree)]
        make: Callable[..., Any] = tree._make if hasattr(tree, "_make") else type(tree)  # named tuples
        return lambda values: make([part(values) for part in parts])
    if isinstance(tree, dict):
        entries = {key: walk(item, f"{path}[{key!r}]", leaves) for key, item in tree.items()}
        return lambda values: refilled(tree, {key: part(values) for key, part in entries.items()})
    if hasattr(tree, "__tree__") and not isinstance(tree, type):
        children, rebuild = tree.__tree__()
        named = {name: walk(item, f"{path}.{name}", leaves) for name, item in children.items()}
        return lambda values: rebuild({name: part(values) for name, part in named.items()})
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {
            f.name: walk(getattr(tree, f.name), f"{path}.{f.name}", leaves) for f in dataclasses.fields(tree) if f.init
        }
        return lambda values: dataclasses.replace(tree, **{name: part(values) for name, part in fields.items()})
    if isinstance(tree, STRUCTURE) or (callable(tree) and not hasattr(tree, "dtype")):
        return lambda values: tree
    leaves.append((path, tree))
    return next


def refilled(tree: dict[Any, Any], entries: dict[Any, Any]) -> Any:
    """A dict of the same kind, such as a defaultdict, with other values."""
    other = copy(tree)
    other.update(entries)
    return other
