"""What a batch is trained on: the loss of each row, and what the sum is divided by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.packing import answer_log_probs, text_log_probs
from model.training_plan import Example, LossOn

if TYPE_CHECKING:
    import torch


def losses(model: Any, rows: Sequence[Example], loss_on: LossOn = "answer", *, share: bool = True) -> torch.Tensor:
    """The loss of each row in nats, times its weight: float32 [rows], differentiable.

    That of its answer's tokens, or of all its tokens but the first; of a row with ``offsets`` that of the right label
    among its labels, whose scores are their log-probabilities plus the offsets. All rows have offsets, or none has.
    """
    import torch

    items = [row.item for row in rows]
    if rows[0].offsets:
        parts = answer_log_probs(model, items, share=share).split([len(row.offsets) for row in rows])
        scores = [part + part.new_tensor(row.offsets) for part, row in zip(parts, rows, strict=True)]
        found = torch.stack([one.logsumexp(0) - one[row.gold] for one, row in zip(scores, rows, strict=True)])
    elif loss_on == "all":
        found = -text_log_probs(model, items, share=share)
    else:
        found = -answer_log_probs(model, items, share=share)
    return found * found.new_tensor([row.weight for row in rows])


def n_terms(rows: Sequence[Example], loss_on: LossOn = "answer") -> int:
    """What the sum of the rows' losses is divided by: their targets, or the rows where labels are compared."""
    if rows[0].offsets:
        return len(rows)
    prompts = sum(len(row.item.prompt) - 1 for row in rows) if loss_on == "all" else 0
    return prompts + sum(row.item.n_targets for row in rows)
