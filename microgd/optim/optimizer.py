"""Optimizer: parameters, groups, checks and state; everything but the rule.

A rule is a subclass: it names its hyper-parameters in ``__init__``, its state in ``initial_state``, and writes its
formula in ``update``, on flat blocks of parameters (``p``), gradients (``g``) and state (``s``). For explanations,
``quantities`` names what that formula computes. Weight decay that is added to the gradient, maximisation, parameter
groups, saving and loading are the same for all and live here. Names, defaults and layout are those of ``torch.optim``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, ValuesView
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from microgd.core.tensor import Tensor
from microgd.core.tree import flatten
from microgd.errors import DtypeError, OptionError, ShapeError
from microgd.nn import Module
from microgd.optim.flat import SHARE, Flat, pairs
from microgd.optim.threads import spread

Group = dict[str, Any]

# Hyper-parameter: what it must satisfy, and how that is said.
RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "lr": (lambda x: 0 <= x < np.inf, "a finite rate, 0 or more"),
    "momentum": (lambda x: 0 <= x < np.inf, "0 or more"),
    "dampening": (lambda x: -np.inf < x < np.inf, "a finite number"),
    "weight_decay": (lambda x: 0 <= x < np.inf, "0 or more"),
    "eps": (lambda x: 0 <= x < np.inf, "0 or more"),
    "alpha": (lambda x: 0 <= x < 1, "in [0, 1)"),
    "lr_decay": (lambda x: 0 <= x < np.inf, "0 or more"),
    "initial_accumulator_value": (lambda x: 0 <= x < np.inf, "0 or more"),
    "betas": (lambda x: len(x) == 2 and all(0 <= beta < 1 for beta in x), "two numbers in [0, 1)"),
}


class Quantity(NamedTuple):
    """A number or array of one update: its name, the formula it comes from, and what it is."""

    name: str
    formula: str
    value: Any


class Optimizer:
    """Base of every optimizer. ``defaults`` are the hyper-parameters of groups that do not set their own.

    Args:
        params: leaf tensors that require a gradient: one, a list, a dict or any container of them; a model, whose
            parameters are meant; or a list of groups ``{"params": ..., "lr": ...}`` with hyper-parameters of their own.
        defaults: hyper-parameters by name.

    Raises:
        OptionError: no parameters, one given twice, one that is no leaf, or a hyper-parameter out of range.
    """

    decoupled = False
    """Whether weight decay shrinks the parameter directly (AdamW) instead of being added to the gradient."""

    symbols: ClassVar[dict[str, str]] = {}
    """The letters of the state arrays in the formulas, by their names in the state."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.flats: list[list[Flat]] = []
        params = listed(params)
        grouped = isinstance(params, list | tuple) and any(isinstance(g, dict) and "params" in g for g in params)
        for group in params if grouped else [{"params": params}]:
            self.add_param_group(group)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.defaults.items())
        count = sum(len(group["params"]) for group in self.param_groups)
        return f"<{type(self).__name__} of {count} parameters, {options}>"

    def initial_state(self, group: Group) -> dict[str, float]:
        """The names of the state arrays that the rule keeps for this group, with their first values."""
        return {}

    def update(self, p: Any, g: Any, s: dict[str, Any], t: int, group: Group) -> None:
        """Move ``p`` in place, given its gradient ``g``, state ``s`` and the number ``t`` of this step, from 1.

        It is called block by block, for large parameters on several threads, and touches nothing but ``p`` and ``s``.
        """
        raise NotImplementedError

    def quantities(self, g: Any, s: dict[str, Any], t: int, group: Group) -> tuple[list[Quantity], str]:
        """What the formula speaks of, computed from what ``update`` was given and the state that it left behind; and
        the formula of the change of the parameter, in these names. For explanations only: a step does not call it."""
        unnamed = f"as {type(self).__name__}.update says"
        return [Quantity(self.symbols.get(name, name), unnamed, array) for name, array in s.items()], unnamed

    def decayed(self, p: Any, g: Any, group: Group) -> Any:
        """The gradient that the rule is given: turned around to climb, with weight decay; decoupled, ``p`` shrinks."""
        decay = group["weight_decay"]
        if group["maximize"]:
            g = -g
        if decay and self.decoupled:
            p *= 1 - group["lr"] * decay
        elif decay:
            g = g + decay * p
        return g

    def check(self, group: Group) -> None:
        """Refuse hyper-parameters that make no sense."""
        kind = type(self).__name__
        for name, value in group.items():
            if name in RANGES:
                valid, expected = RANGES[name]
                try:
                    good = valid(value)
                except (TypeError, ValueError):
                    good = False
                if not good:
                    raise OptionError(f"{kind}: {name} must be {expected}, got {value!r}")
            elif name not in self.defaults and name != "params":
                raise OptionError(f"{kind}: unknown option {name!r}; it has {', '.join(self.defaults)}")

    def add_param_group(self, group: Group) -> None:
        """Add parameters with hyper-parameters of their own."""
        kind, number = type(self).__name__, len(self.param_groups)
        if not (isinstance(group, dict) and "params" in group):
            raise OptionError(
                f"{kind}: group {number} must be a dict with the key 'params', as in "
                f'{{"params": [w, b], "lr": 0.1}}; got {type(group).__name__}'
            )
        group = {**self.defaults, **group}
        self.check(group)
        named = [
            (f"parameter {path} of group {number}".replace("  ", " "), p)
            for path, p in flatten(listed(group["params"]))[0]
        ]
        if not named:
            raise OptionError(f"{kind}: no parameters given (group {number}); was a generator already used up?")
        seen = {id(p) for old in self.param_groups for p in old["params"]}
        for name, p in named:
            if not isinstance(p, Tensor):
                raise OptionError(f"{kind}: {name} is a {type(p).__name__}; make it with mg.tensor(requires_grad=True)")
            if not (p.is_leaf and p.requires_grad):
                what = "does not require a gradient" if p.is_leaf else "was computed, or is the input of a transform"
                raise OptionError(f"{kind}: {name}, shape {p.shape}, {what}; only leaves with requires_grad=True move")
            if id(p) in seen:
                raise OptionError(f"{kind}: {name}, shape {p.shape}, is given twice; it would move twice a step")
            seen.add(id(p))
        group["params"] = [p for _, p in named]
        dtypes = dict.fromkeys(p.dtype for _, p in named)
        self.flats.append([Flat([(n, p) for n, p in named if p.dtype == dtype]) for dtype in dtypes])
        self.param_groups.append(group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient, all at once, from the same point.

        All gradients are checked before the first parameter moves. Values are written in place, unless someone still
        holds one: a graph recorded before the step, or an array kept from ``p.data``, keeps the old value.

        Args:
            closure: computes the loss again and calls ``backward``; its result is returned.

        Raises:
            NonFiniteError: a gradient with a NaN or infinity. ShapeError, DtypeError: one that does not fit.
        """
        loss = None if closure is None else closure()
        work = [
            (group, flat, flat.gradients())
            for group, flats in zip(self.param_groups, self.flats, strict=True)
            for flat in flats
        ]
        for group, flat, gradients in work:
            flat.take_in()
            flat.keep(self.initial_state(group))
            spread(partial(self.move, group, flat), list(flat.blocks(gradients)), SHARE)
            flat.publish(gradients)
        return loss

    def move(self, group: Group, flat: Flat, block: tuple[slice, Any, int]) -> None:
        """Let the rule move one block."""
        part, g, t = block
        p = pairs(flat.values[part])
        g = self.decayed(p, pairs(g), group)
        self.update(p, g, {name: pairs(array[part]) for name, array in flat.state.items()}, t, group)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def places(self) -> list[tuple[Group, Flat, int]]:
        """For every parameter, in order: its group, and where its state lies."""
        where = {id(p): (flat, k) for flats in self.flats for flat in flats for k, p in enumerate(flat.params)}
        return [(group, *where[id(p)]) for group in self.param_groups for p in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly: state by parameter index, and the groups. Arrays are copies."""
        state = {}
        for index, (group, flat, k) in enumerate(self.places()):
            flat.keep(self.initial_state(group))
            if flat.steps[k]:
                shape, part = flat.params[k].shape, flat.parts[k]
                arrays = {name: array[part].reshape(shape).copy()[()] for name, array in flat.state.items()}
                state[index] = {"step": flat.steps[k], **arrays}
        groups, first = [], 0
        for group in self.param_groups:
            indices = list(range(first, first + len(group["params"])))
            groups.append({**group, "params": indices})
            first += len(indices)
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned; parameters are matched by their order.

        Raises:
            OptionError, ShapeError, DtypeError: it is of other parameters or another rule. Nothing is changed then.
        """
        kind, places = type(self).__name__, self.places()
        if not {"state", "param_groups"} <= set(state_dict):
            raise OptionError(f"{kind}: expected the keys 'state' and 'param_groups', got {', '.join(state_dict)}")
        groups, state = state_dict["param_groups"], state_dict["state"]
        ours, theirs = ([len(g["params"]) for g in side] for side in (self.param_groups, groups))
        if ours != theirs:
            raise OptionError(f"{kind}: the saved groups hold {theirs} parameters, this optimizer's {ours}")
        for group in groups:
            missing = sorted(set(self.defaults) - set(group))
            if missing:
                raise OptionError(f"{kind}: the saved groups lack {', '.join(missing)}")
            self.check(group)
        strange = set(state) - set(range(len(places)))
        if strange:
            raise OptionError(
                f"{kind}: saved state of parameters {sorted(strange, key=str)}; this optimizer's are numbered 0 to "
                f"{len(places) - 1}"
            )
        saved_groups = [group for group in groups for _ in group["params"]]
        for index, saved in state.items():
            self.match(saved, self.initial_state(saved_groups[index]), *places[index][1:])
        for group, flats, saved_group in zip(self.param_groups, self.flats, groups, strict=True):
            group.update({name: value for name, value in saved_group.items() if name != "params"})
            for flat in flats:
                flat.state = {}
        for index, (group, flat, k) in enumerate(places):
            saved = {"step": 0, **state.get(index, {})}
            flat.steps[k] = int(saved.pop("step"))
            flat.keep({**dict.fromkeys(saved, 0.0), **self.initial_state(group)})
            for name, array in saved.items():
                flat.state[name][flat.parts[k]] = np.reshape(array, -1)

    def match(self, saved: dict[str, Any], expected: dict[str, float], flat: Flat, k: int) -> None:
        """Refuse saved state of another rule, shape or dtype. Of options that are off now, there may be some left."""
        kind, name, p = type(self).__name__, flat.names[k], flat.params[k]
        needed = {"step", *expected}
        if not needed <= set(saved) <= {*needed, *self.symbols}:
            raise OptionError(
                f"{kind}: {name} needs the state {', '.join(['step', *expected])}, the saved one has "
                f"{', '.join(sorted(saved))}; it was saved by another rule or with other options"
            )
        for entry in [entry for entry in saved if entry != "step"]:
            array = np.asarray(saved[entry])
            if array.shape != p.shape:
                raise ShapeError(f"{kind}: {name} has shape {p.shape}, its saved {entry} {array.shape}")
            if array.dtype != p.dtype:
                raise DtypeError(f"{kind}: {name} is {p.dtype}, its saved {entry} {array.dtype}")


def listed(params: Any) -> Any:
    """What can only be walked by iterating, a generator or ``dict.values()``, as a list; of a model the parameters."""
    if isinstance(params, Module):
        return params.named_parameters()
    return list(params) if isinstance(params, Iterator | ValuesView) else params
