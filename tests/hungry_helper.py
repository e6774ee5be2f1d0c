"""A helper of a training run that has no memory for more than one row at a time."""

from __future__ import annotations

from typing import Any

from model import training_helper, training_loss

_real = training_loss.answer_log_probs


def _limited(model: Any, items: Any, **given: Any) -> Any:
    if len(items) > 1:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
    return _real(model, items, **given)


training_loss.answer_log_probs = _limited

if __name__ == "__main__":
    training_helper.main()
