"""Problem: one function with right and wrong derivatives of it, read from ``losses.toml`` and ``operations.toml``.

The text is Python over NumPy's names (and softmax, sigmoid, relu): statements separated by ``;``, the last one an
expression. It is data: it can be counted, printed, extended and handed to any checker.
"""

from __future__ import annotations

import linecache
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgd.ops.special import log_softmax, logsumexp, relu, sigmoid, softmax, softplus

WORDS = {name: getattr(np, name) for name in np.__all__ if hasattr(np, name)}
WORDS |= {f.__name__: f for f in (log_softmax, logsumexp, relu, sigmoid, softmax, softplus)}
WORDS |= {"int": int, "np": np}


@dataclass(frozen=True)
class Problem:
    """A function of named inputs, and by input its right derivatives and its wrong ones, (cause|cause, formula)."""

    name: str
    function: str
    inputs: dict[str, str]
    given: str
    right: dict[str, list[str]]
    wrong: dict[str, list[tuple[str, str]]]


def problems(table: str) -> list[Problem]:
    """All problems of one table."""
    rows = tomllib.loads(Path(__file__).with_name(f"{table}.toml").read_text(encoding="utf-8"))
    return [
        Problem(
            name, row["function"], row["inputs"], row.get("given", ""), row["right"], causes_of(row.get("wrong", {}))
        )
        for name, row in rows.items()
    ]


def causes_of(wrong: dict[str, list[str]]) -> dict[str, list[tuple[str, str]]]:
    return {name: [tuple(line.split(": ", 1)) for line in lines] for name, lines in wrong.items()}  # type: ignore[misc]


def program(name: str, parameters: list[str], text: str) -> Callable[..., Any]:
    """The function that ``text`` describes; its source can be looked up like that of any other."""
    *statements, last = [part.strip() for part in text.split(";")]
    lines = [f"def f({', '.join(parameters)}):\n", *[f"    {s}\n" for s in statements if s], f"    return {last}\n"]
    file = f"<{name}: {text}>"
    linecache.cache[file] = (len(text), None, lines, file)
    space = dict(WORDS)
    exec(compile("".join(lines), file, "exec"), space)
    return space["f"]  # type: ignore[no-any-return]


def draw(kind: str, rng: np.random.Generator) -> Any:
    """An input: "5 3" is normal; a word before the shape asks for something else."""
    words = kind.split()
    what = words.pop(0) if words and not words[0].isdigit() else "normal"
    shape = tuple(map(int, words))
    if what == "onehot":
        return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    if what == "ids":
        return rng.integers(0, shape[1], shape[0])
    return DRAWS[what](rng, shape)


DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Any]] = {
    "normal": lambda rng, shape: np.asarray(rng.normal(size=shape))[()],
    "positive": lambda rng, shape: np.asarray(rng.uniform(0.5, 2.5, shape))[()],
    "unit": lambda rng, shape: np.asarray(rng.uniform(0.1, 0.9, shape))[()],
    "labels": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "wide": lambda rng, shape: np.linspace(-3, 3, *shape) + rng.normal(0, 0.2, shape),  # every branch is taken
    "signs": lambda rng, shape: rng.integers(0, 2, shape) * 2.0 - 1,
}
