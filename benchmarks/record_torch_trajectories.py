"""Record 60 steps of torch.optim as data, so that the tests can hold microgd to it without torch.

    python benchmarks/record_torch_trajectories.py

Both sides walk on the same surface, whose gradient ``slope`` is given in closed form, from the same start, in
doubles. Written to ``tests/data/torch_trajectories.json``: for every case the name of the optimizer here, its options,
and the parameters after each step.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

STEPS = 60
START = [1.5, -0.7, 0.3, -2.0]

# microgd's name -> torch's class, and the options to try.
CASES = [
    ("SGD", torch.optim.SGD, {}),
    ("SGD", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    ("SGD", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    ("SGD", torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("AdaGrad", torch.optim.Adagrad, {}),
    ("AdaGrad", torch.optim.Adagrad, {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.05}),
    ("AdaGrad", torch.optim.Adagrad, {"lr": 0.3, "initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
    ("RMSProp", torch.optim.RMSprop, {}),
    ("RMSProp", torch.optim.RMSprop, {"alpha": 0.95, "centered": True}),
    ("RMSProp", torch.optim.RMSprop, {"lr": 0.02, "momentum": 0.9, "eps": 1e-3, "weight_decay": 0.05}),
    ("RMSProp", torch.optim.RMSprop, {"lr": 0.02, "momentum": 0.5, "centered": True, "maximize": True}),
    ("Adam", torch.optim.Adam, {}),
    ("Adam", torch.optim.Adam, {"lr": 0.1, "betas": [0.8, 0.95], "eps": 1e-3}),
    ("Adam", torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.1}),
    ("Adam", torch.optim.Adam, {"lr": 0.1, "amsgrad": True, "betas": [0.9, 0.9]}),
    ("Adam", torch.optim.Adam, {"lr": 0.1, "maximize": True}),
    ("AdamW", torch.optim.AdamW, {}),
    ("AdamW", torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
]


def slope(p: np.ndarray) -> np.ndarray:
    """A gradient that curves, couples the parameters and changes sign."""
    return np.array([3.0, 0.5, 1.0, 2.0]) * p + np.sin(3 * p) + 0.3 * np.roll(p, 1)


def trajectory(optimizer: type[torch.optim.Optimizer], options: dict) -> list[list[float]]:
    p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    walker = optimizer([p], **options)
    points = []
    for _ in range(STEPS):
        p.grad = torch.from_numpy(slope(p.detach().numpy()))
        walker.step()
        points.append(p.detach().tolist())
    return points


def main() -> None:
    cases = [
        {"optimizer": name, "options": options, "points": trajectory(optimizer, options)}
        for name, optimizer, options in CASES
    ]
    recorded = {"torch": torch.__version__, "start": START, "cases": cases}
    target = Path(__file__).parent.parent / "tests" / "data" / "torch_trajectories.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(recorded))
    print(f"{len(cases)} trajectories of {STEPS} steps written to {target}")


if __name__ == "__main__":
    main()
