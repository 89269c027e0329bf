"""Linear and logistic regression by gradient descent, from columns of numbers to a fitted model.

The features may be standardised for the descent, which makes its valley round; parameters are always reported in the
data's own units. The curvature of the loss is known here, and with it the rate below which descent cannot diverge.
Losses: mean squared error, or log loss, plus ``l2`` times the squared coefficients (never the intercept).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microgd import optim
from microgd.core.tensor import tensor
from microgd.errors import DataError, DivergenceError, OptionError
from microgd.nn.functional import binary_cross_entropy_with_logits, mse_loss
from microgd.train.loop import History, fit
from microgd.train.metrics import classification_scores, r2_score

Array = Any

OPTIMIZERS = {
    name.lower(): getattr(optim, name) for name in ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam")
}
# Default rates: as a share of 1 / curvature (momentum of 0.9 adds up to ten gradients), or of the target's spread.
BY_CURVATURE = {"sgd": 0.5, "momentum": 0.1, "nesterov": 0.1}
BY_SPREAD = {"adagrad": 1.0, "rmsprop": 0.05, "adam": 0.1}
IN_BATCHES = 0.2  # and of that for mini-batches: at a constant rate their noise stays, in proportion to it
LARGEST = 1e100  # what is beyond it, or below its inverse, cannot be squared and summed, with a penalty as large


@dataclass
class Settings:
    """How to descend. ``None`` means: chosen from the data."""

    model: str | None = None
    optimizer: str = "sgd"
    lr: float | None = None
    epochs: int = 1000
    batch_size: int | None = None
    seed: int = 0
    standardise: bool = True
    l2: float = 0.0
    tolerance: float = 1e-9
    patience: int = 10
    initial: list[float] | None = None


@dataclass
class Model:
    """A fitted regression, in the data's own units."""

    kind: str
    features: list[str]
    target: str
    intercept: float
    coefficients: Array
    classes: list[float] = field(default_factory=list)

    def is_sound(self) -> bool:
        """Whether every part is what it is said to be; a file may hold anything."""
        texts, numbers = [self.kind, self.target, *self.features], [self.intercept, *self.classes, *self.coefficients]
        return (
            all(isinstance(text, str) for text in texts)
            and all(isinstance(number, float) and np.isfinite(number) for number in numbers)
            and len(self.coefficients) == len(self.features)
            and len(self.classes) == {"linear": 0, "logistic": 2}.get(self.kind)
        )

    def scores(self, inputs: Array) -> Array:
        """intercept + coefficients . x for every row: the prediction, or the logit of the second class."""
        return inputs @ self.coefficients + self.intercept

    def predict(self, inputs: Array) -> Array:
        """The target for every row, shape (m,): numbers, or one of the two classes."""
        scores = self.scores(inputs)
        return np.asarray(self.classes)[(scores > 0).astype(int)] if self.kind == "logistic" else scores


@dataclass
class Fitted:
    """A model, how it came about, and what it is worth."""

    model: Model
    history: History
    rate: float
    metrics: dict[str, float]
    closed_form: Array | None
    """Intercept and coefficients from the normal equations, for linear regression."""
    path: Array
    """Intercept and coefficients after every epoch, shape (epochs + 1, 1 + features)."""
    walk: Walk
    notes: list[str]
    """What to know before these numbers are believed."""


@dataclass
class Walk:
    """The ground as the descent saw it: with the features it walked on, standardised or not."""

    path: Array
    """Intercept and coefficients after every epoch, shape (epochs + 1, 1 + features)."""
    minimum: Array | None
    """The closed form, where there is one."""
    loss: Callable[[Array, Array], Array]
    """(intercepts, coefficients) -> losses, for one feature."""


def plain(value: float) -> str:
    """A number with all its digits, so that it can be read back; without ".0"."""
    return repr(float(value)).removesuffix(".0")


def check(inputs: Array, target: Array, names: list[str], target_name: str, settings: Settings) -> None:
    """Refuse what cannot be fitted, with the reason."""
    if len(inputs) < 2:
        raise DataError(f"{len(inputs)} row of data: at least two are needed to fit anything")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"feature {twice!r} is given twice; its effect cannot be shared out")
    for name, column in zip([*names, target_name], [*inputs.T, target], strict=True):
        largest = np.max(np.abs(column))
        if largest > LARGEST or 0 < largest < 1 / LARGEST:
            raise DataError(f"{name!r} reaches {largest:g}, too far from 1 to be squared; change its unit")
    for name, column in zip(names, inputs.T, strict=True):
        if np.ptp(column) == 0:
            raise DataError(
                f"feature {name!r} is {plain(column[0])} in every row, so its effect cannot be told from the "
                f"intercept; leave it out with --features"
            )
    kinds = np.unique(target)
    if settings.model == "logistic" and len(kinds) != 2:
        shown = ", ".join(map(plain, kinds[:4])) + (", ..." if len(kinds) > 4 else "")
        raise DataError(f"logistic regression needs a target of two classes; {target_name!r} has {len(kinds)}: {shown}")
    if np.ptp(target) == 0:
        raise DataError(f"target {target_name!r} is {plain(target[0])} in every row: there is nothing to fit")
    if settings.model not in (None, "linear", "logistic"):
        raise OptionError(f"model: expected linear or logistic, got {settings.model!r}")
    if settings.optimizer not in OPTIMIZERS:
        raise OptionError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {settings.optimizer!r}")
    for name in ("epochs", "patience", "batch_size"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise OptionError(f"{name}: must be at least 1, got {value}")
    if settings.batch_size is not None and settings.batch_size > len(inputs):
        raise OptionError(f"batch_size: {settings.batch_size} is more than the {len(inputs)} rows; use full for all")
    if settings.seed < 0:
        raise OptionError(f"seed: must be 0 or more, got {settings.seed}")
    if settings.lr is not None and not 0 < settings.lr < np.inf:
        raise OptionError(f"lr: must be a finite rate above 0, got {settings.lr}")
    for name in ("l2", "tolerance"):
        if not 0 <= getattr(settings, name) <= LARGEST:
            raise OptionError(f"{name}: must be a number from 0 to {LARGEST:g}, got {getattr(settings, name)}")
    if settings.initial is not None and len(settings.initial) != 1 + len(names):
        raise OptionError(
            f"initial values: expected {1 + len(names)} numbers, the intercept and then {', '.join(names)}; "
            f"got {len(settings.initial)}"
        )
    if settings.initial is not None and not np.all(np.isfinite(settings.initial)):
        raise OptionError(f"initial values: must be finite, got {', '.join(map(str, settings.initial))}")


def curvature(inputs: Array, logistic: bool, l2: float, batch_size: int) -> float:
    """The largest second derivative that a step can meet; below 2 over it, plain descent cannot diverge.

    For all rows it is the largest eigenvalue of 2 X'X/m (a quarter of X'X/m for log loss), with a column of ones for
    the intercept; for one row, the largest 2 |x|^2. In between lies the expected smoothness of Gower et al. (2019).
    """
    rows = np.column_stack([np.ones(len(inputs)), inputs])
    m, b = len(rows), min(batch_size, len(inputs))
    full, single = np.linalg.eigvalsh(rows.T @ rows / m)[-1], np.max(np.sum(rows * rows, axis=1))
    mixed = (m * (b - 1) * full + (m - b) * single) / (b * (m - 1))
    return float((0.25 if logistic else 2.0) * mixed + 2 * l2)


def default_rate(settings: Settings, curve: float, target: Array, logistic: bool) -> float:
    """A rate that converges on ordinary data: far below the largest stable one, or a share of the target's spread."""
    share = 1.0 if settings.batch_size in (None, len(target)) else IN_BATCHES
    if settings.optimizer in BY_CURVATURE:
        return share * BY_CURVATURE[settings.optimizer] / curve
    return share * BY_SPREAD[settings.optimizer] * (1.0 if logistic else float(np.std(target)))


def closed_form(inputs: Array, target: Array, l2: float) -> Array:
    """Intercept and coefficients that minimise mean (y - Xw - b)^2 + l2 |w|^2, by least squares."""
    middle, height = np.mean(inputs, axis=0), np.mean(target)
    k = inputs.shape[1]
    rows = np.vstack([inputs - middle, np.sqrt(l2 * len(inputs)) * np.eye(k)])
    w = np.linalg.lstsq(rows, np.concatenate([target - height, np.zeros(k)]), rcond=None)[0]
    return np.concatenate([[height - middle @ w], w])


def remarks(history: History, inputs: Array, settings: Settings, rate: float, usual: float, parted: bool) -> list[str]:
    """What to know of a fit: it had not ended, or other coefficients, or ever larger ones, fit as well.

    Args:
        inputs: standardised. rate: of learning; usual: what it is by default. parted: no row's class is mistaken.
    """
    notes, losses, middle = [], history.losses, history.epochs // 2
    before, after = losses[0] - losses[middle], losses[middle] - losses[-1]
    if losses[-1] >= losses[0]:
        lower = min(usual, rate / 2)
        notes.append(f"the loss did not fall: it began at the minimum, or the rate is too high; try --lr {lower:.2g}")
    elif history.epochs == settings.epochs and after > 0.1 * before > 0:
        higher = f"--lr {usual:.2g}, or " if rate < usual else ""
        notes.append(f"the loss was still falling at the end; try {higher}more --epochs")
    if settings.l2 == 0 and (rank := np.linalg.matrix_rank(inputs)) < inputs.shape[1]:
        notes.append(
            f"of {inputs.shape[1]} features, only {rank} can be told apart in these rows, so other coefficients fit as "
            f"well; leave some out with --features, or add --l2 0.01"
        )
    if settings.l2 == 0 and parted:
        notes.append(
            "the features part the classes without a mistake, so ever larger coefficients fit ever better; --l2 0.01 "
            "would hold them"
        )
    return notes


def descend(
    inputs: Array,
    target: Array,
    names: list[str],
    target_name: str,
    settings: Settings,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Fitted:
    """Fit a regression by gradient descent.

    Args:
        inputs: shape (m, k), k features. target: shape (m,). names, target_name: of the columns.
        settings: how. on_epoch: called with the epochs done and the loss.

    Raises:
        DataError: data that cannot be fitted. OptionError: a setting out of range.
        DivergenceError: the loss grew; the message names a rate that would do.
    """
    check(inputs, target, names, target_name, settings)
    classes = np.unique(target)
    logistic = settings.model == "logistic" or (settings.model is None and len(classes) == 2 < len(target))
    y = (target == classes[1]).astype(float) if logistic else target
    middle, scale = np.zeros(len(names)), np.ones(len(names))
    mean, deviation = np.mean(inputs, axis=0), np.std(inputs, axis=0)
    if settings.standardise:
        middle, scale = mean, deviation
    x = (inputs - middle) / scale

    def own_units(walked: Array) -> Array:
        """Intercept and coefficients, or rows of them, for the features as they were given."""
        coefficients = walked[..., 1:] / scale
        return np.concatenate([walked[..., :1] - (coefficients @ middle)[..., None], coefficients], axis=-1)

    start = np.zeros(1 + len(names)) if settings.initial is None else np.asarray(settings.initial, dtype=float)
    b = tensor(start[0] + start[1:] @ middle, requires_grad=True)
    w = tensor(start[1:] * scale, requires_grad=True)
    data_loss = binary_cross_entropy_with_logits if logistic else mse_loss

    def loss(prediction: Array, truth: Array) -> Array:
        error = data_loss(prediction, truth)
        return error + settings.l2 * (w * w).sum() if settings.l2 else error

    curve = curvature(x, logistic, settings.l2, settings.batch_size or len(x))
    usual = default_rate(settings, curve, y, logistic)
    rate = usual if settings.lr is None else settings.lr
    optimizer = OPTIMIZERS[settings.optimizer]([b, w], lr=rate)
    path: list[Array] = []

    def follow(epoch: int, value: float) -> None:
        path.append(np.append(b.data, w.data))
        on_epoch(epoch, value)

    try:
        history = fit(
            lambda rows: rows @ w + b,
            (x, y),
            loss,
            optimizer,
            settings.epochs,
            settings.batch_size,
            seed=settings.seed,
            tolerance=settings.tolerance,
            patience=settings.patience,
            on_epoch=follow,
        )
    except DivergenceError as error:
        raise DivergenceError(f"{error} ({rate:g}); try --lr {min(usual, rate / 2):.2g}") from None

    walked = np.array(path)
    followed = own_units(walked)
    final = followed[-1]
    kind = "logistic" if logistic else "linear"
    model = Model(kind, names, target_name, float(final[0]), final[1:], [float(c) for c in classes] if logistic else [])
    scores = model.scores(inputs)
    metrics = classification_scores(scores > 0, y) if logistic else {"R2": r2_score(scores, target)}
    minimum = None if logistic else closed_form(x, y, settings.l2)
    best = None if minimum is None else own_units(minimum)

    def surface(intercepts: Array, slopes: Array) -> Array:
        """Row by row, so that a large file does not need a large grid."""
        total = np.zeros(np.shape(intercepts))
        for value, truth in zip(x[:, 0], y, strict=True):
            z = intercepts + slopes * value
            total += data_loss(z, np.full_like(z, truth), reduction="none")
        return total / len(x) + settings.l2 * slopes**2

    parted = logistic and metrics["accuracy"] == 1
    notes = remarks(history, (inputs - mean) / deviation, settings, rate, usual, parted)
    return Fitted(model, history, rate, metrics, best, followed, Walk(walked, minimum, surface), notes)
