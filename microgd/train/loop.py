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

from microgd.core.tensor import no_grad
from microgd.errors import DivergenceError, NonFiniteError, OptionError, ShapeError
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
        DivergenceError: the loss grows or is not finite; the step is named.
        OptionError, ShapeError: counts below 1, or inputs and targets of different length.

    >>> import numpy as np, microgd as mg
    >>> x = np.array([0.0, 1.0, 2.0]); y = 3 * x + 1
    >>> m, b = mg.tensor(0.0, requires_grad=True), mg.tensor(0.0, requires_grad=True)
    >>> optimizer = mg.optim.SGD([m, b], lr=0.2)
    >>> history = mg.fit(lambda x: m * x + b, (x, y), mg.nn.functional.mse_loss, optimizer, epochs=200)
    >>> round(m.item(), 3), round(b.item(), 3), history.losses[0]
    (3.0, 1.0, 22.0)
    """
    inputs, targets = data
    rows = len(inputs)
    if len(targets) != rows:
        raise ShapeError(f"fit: {rows} rows of inputs but {len(targets)} targets")
    size = rows if batch_size is None else min(batch_size, rows)
    if epochs < 1 or size < 1 or patience < 1:
        raise OptionError(
            f"fit: epochs, batch_size and patience are at least 1; got {epochs}, {batch_size}, {patience}"
        )
    rng = np.random.default_rng(seed)
    history, start = History(stopped=f"all {epochs} epochs done"), time.perf_counter()
    rises = idle = 0

    def record(value: float) -> None:
        nonlocal rises, idle
        losses = history.losses
        losses.append(value)
        if len(losses) > 1:
            rises = rises + 1 if value > losses[-2] else 0
            idle = idle + 1 if 0 <= losses[-2] - value <= tolerance * abs(losses[-2]) else 0
        grown = value > losses[0] and (rises >= RISES or (history.epochs == epochs and value > 2 * abs(losses[0])))
        if not np.isfinite(value) or grown:
            raise DivergenceError(
                f"the loss grew from {losses[0]:.6g} to {value:.6g} by step {history.steps} (epoch {history.epochs}); "
                f"the learning rate is too high"
            )
        if on_epoch is not None:
            on_epoch(history.epochs, value)

    def descend(batch_inputs: Any, batch_targets: Any, full: bool) -> None:
        value = loss(model(batch_inputs), batch_targets)
        if full:  # the loss of this step is that of all the data, so it need not be computed again
            record(value.item())
        optimizer.zero_grad()
        value.backward()
        try:
            optimizer.step()
        except NonFiniteError as error:
            raise DivergenceError(f"step {history.steps + 1} (epoch {history.epochs + 1}): {error}") from None
        history.steps += 1

    def measure() -> float:
        with no_grad():
            return float(loss(model(inputs), targets).item())

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
