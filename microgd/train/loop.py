"""The descent loop: epochs of batches, and the reasons to stop.

A step computes the loss of a batch, walks back, and lets the optimizer move every parameter at once. The loss that
is recorded is that of all the data, at the start and after every epoch, so that runs with different batch sizes can
be compared. The loop knows nothing of the model but that it maps inputs to predictions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgd.core.tensor import Tensor, no_grad
from microgd.errors import DataError, DivergenceError, NonFiniteError, OptionError, ShapeError
from microgd.optim import Optimizer

RISES = 10  # so many epochs in a row with a growing loss, above where it started, are a divergence


@dataclass
class History:
    """What happened: ``losses[k]`` is the loss of all the data after k epochs."""

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    stopped: str = ""

    @property
    def epochs(self) -> int:
        """Epochs that were run."""
        return len(self.losses) - 1


def fit(
    model: Callable[[Any], Any],
    data: tuple[Any, Any],
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    *,
    seed: int = 0,
    tolerance: float = 0.0,
    patience: int = 10,
    on_epoch: Callable[[int, float], None] | None = None,
) -> History:
    """Minimise ``loss(model(inputs), targets)`` over the optimizer's parameters.

    Args:
        model: maps inputs, shape (m, ...), to predictions; built on the optimizer's parameters.
        data: (inputs, targets), each with m rows.
        loss: (predictions, targets) -> a scalar, averaged over rows.
        optimizer: holds the parameters. epochs: passes over the data.
        batch_size: rows per step; all of them by default, 1 is stochastic descent. The last batch may be smaller.
        seed: for the order of the rows, shuffled anew every epoch.
        tolerance, patience: stop when ``patience`` epochs in a row have each lowered the loss by less than
            ``tolerance`` times its size.
        on_epoch: called with the number of epochs done and the loss.

    Raises:
        DivergenceError: the loss grows, or stops being finite; the step is named.
        NonFiniteError: the loss is not finite before the first step.
        OptionError: counts that are none; a loss that is no real scalar, or depends on no parameter of the optimizer.
        DataError, ShapeError: no rows, or inputs and targets of different length.

    >>> import numpy as np, microgd as mg
    >>> x = np.array([0.0, 1.0, 2.0]); y = 3 * x + 1
    >>> m, b = mg.tensor(0.0, requires_grad=True), mg.tensor(0.0, requires_grad=True)
    >>> optimizer = mg.optim.SGD([m, b], lr=0.2)
    >>> history = mg.fit(lambda x: m * x + b, (x, y), mg.nn.functional.mse_loss, optimizer, epochs=200)
    >>> round(m.item(), 3), round(b.item(), 3), history.losses[0]
    (3.0, 1.0, 22.0)
    """
    inputs, targets = (np.asarray(part) if isinstance(part, list | tuple) else part for part in data)
    rows = len(inputs)
    if len(targets) != rows:
        raise ShapeError(f"fit: {rows} rows of inputs but {len(targets)} targets")
    if not rows:
        raise DataError("fit: the data have no rows; at least one is needed")
    size = rows if batch_size is None else batch_size
    for name, count, least in (
        ("epochs", epochs, 1),
        ("batch_size", size, 1),
        ("patience", patience, 1),
        ("seed", seed, 0),
    ):
        if not isinstance(count, int | np.integer) or count < least:
            raise OptionError(f"fit: {name} must be a whole number, at least {least}; got {count!r}")
    size = min(size, rows)
    sign = -1 if any(group.get("maximize") for group in optimizer.param_groups) else 1  # climbing, less is worse
    rng = np.random.default_rng(seed)
    history, start = History(stopped=f"all {epochs} epochs done"), time.perf_counter()
    rises = idle = 0

    def record(value: float) -> None:
        nonlocal rises, idle
        losses = history.losses
        losses.append(value)
        if not np.isfinite(value) and not history.steps:
            raise NonFiniteError(
                f"the loss is {value:g} before the first step; look for NaN, infinite or very large numbers in the "
                f"data and in the parameters to start from"
            )
        if len(losses) > 1:
            worse = sign * (value - losses[-2])
            rises = rises + 1 if worse > 0 else 0
            idle = idle + 1 if 0 <= -worse <= tolerance * abs(losses[-2]) else 0
        if not np.isfinite(value) or diverged(value):
            same = f"{value:.6g}" == f"{losses[0]:.6g}"
            went = "swings and stays at" if same else f"{'grew' if sign > 0 else 'fell'} from {losses[0]:.6g} to"
            raise DivergenceError(
                f"the loss {went} {value:.6g} by step {history.steps} (epoch {history.epochs}); "
                f"the learning rate is too high"
            )
        if on_epoch is not None:
            on_epoch(history.epochs, value)

    def diverged(value: float) -> bool:
        """Worse than at the start, and for many epochs in a row, or at the end and by far.

        By far: by more than the loss at the start, which may be next to nothing, and the mean square of the targets.
        """
        risen = sign * (value - history.losses[0])
        far = history.epochs == epochs and risen > max(abs(history.losses[0]), mean_square(targets))
        return risen > 0 and (rises >= RISES or far)

    def descend(batch_inputs: Any, batch_targets: Any, full: bool) -> None:
        value = scalar(loss(model(batch_inputs), batch_targets))
        if full:  # the loss of this step is that of all the data, so it need not be computed again
            record(value.item())
        optimizer.zero_grad()
        value.backward()
        if not history.steps and all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
            raise OptionError(
                "fit: the loss depends on no parameter of the optimizer, so no step can change it; build the optimizer "
                "on the parameters of the model that is fitted"
            )
        try:
            optimizer.step()
        except NonFiniteError as error:
            raise DivergenceError(f"step {history.steps + 1} (epoch {history.epochs + 1}): {error}") from None
        history.steps += 1

    def measure() -> float:
        with no_grad():
            return float(scalar(loss(model(inputs), targets)).item())

    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is reported, not warned about
        if size < rows:
            record(measure())
        for _ in range(epochs):
            if size == rows:
                descend(inputs, targets, True)
            else:
                order = rng.permutation(rows)
                for first in range(0, rows, size):
                    chosen = order[first : first + size]
                    descend(inputs[chosen], targets[chosen], False)
                record(measure())
            if idle >= patience and tolerance > 0:
                history.stopped = (
                    f"converged: {patience} epochs in a row changed the loss by less than {tolerance:g} of it"
                )
                break
        if size == rows:
            record(measure())
    history.seconds = time.perf_counter() - start
    return history


def mean_square(targets: Any) -> float:
    """The mean square of numbers: what a squared error is measured against."""
    values = targets.data if isinstance(targets, Tensor) else np.asarray(targets)
    return float(np.mean(np.abs(values) ** 2.0)) if values.dtype.kind in "biufc" else 0.0


def scalar(value: Any) -> Tensor:
    """A loss, if it is one that descent can follow."""
    if isinstance(value, Tensor) and value.data.size == 1 and np.isrealobj(value.data):
        return value
    array = value.data if isinstance(value, Tensor) else np.asarray(value)
    kind = f"a {type(value).__name__} of shape {array.shape} and dtype {array.dtype}"
    raise OptionError(
        f"fit: the loss must be one real number, as a tensor computed from the parameters of the optimizer; got {kind}"
    )
