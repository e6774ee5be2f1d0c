"""A training run of a tiny model by several processes, that can be started anew as often as a test wants."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from model import lora, packing, trainer, training_loss
from model.dialogue import TrainingStep
from model.training_hosts import Hosts
from model.training_plan import Example, TrainOptions
from model.training_processes import Helpers, Job, helpers

OPTIONS = TrainOptions(
    learning_rate=3e-3, batch_size=5, micro_batch=2, epochs=2, checkpoint_every=2, weight_decay=0.1, seed=5, keep="last"
)
ANSWERS = ("joy", "anger and then some more of it", "fear")
"""Of very different lengths: a mean over rows, or of processes' means, would be another loss."""


class Killed(BaseException):
    pass


class Machine:
    """Starts the training anew, as often as it is asked to, in one folder."""

    def __init__(
        self,
        base: Path,
        folder: Path,
        processes: int,
        options: TrainOptions = OPTIONS,
        *,
        scored: bool = False,
        **job: Any,
    ) -> None:
        self.base, self.folder, self.options = base, folder, options
        self.adapter = lora.LoraOptions(r=4, dropout=0.0)
        self.scored = scored
        self.poisoned: int | None = None
        self.job = Job(str(base), self.adapter, options, processes, **{"share": True, **job})
        self.hosts: Hosts | None = None
        self.made: Helpers | None = None

    def run(
        self,
        kill_at: int | None = None,
        lose_at: int | None = None,
        call_at: Mapping[int, Callable[[], None]] = MappingProxyType({}),
    ) -> list[TrainingStep]:
        base, tokenizer = lora.load(self.base, device="cpu")
        model = lora.attach(base, self.adapter, "tiny", seed=5)
        lines = [f"Name the emotion.\nRoss: {'well, ' * (k % 4)}line {k}\n" for k in range(12)]
        items = [packing.encode(tokenizer, line, [ANSWERS[k % 3]]) for k, line in enumerate(lines)]
        weights = [math.inf if k == self.poisoned else 1.0 + k % 2 for k in range(len(items))]
        examples = [Example(f"meld/train/0/{k}", item, weights[k]) for k, item in enumerate(items)]

        def progress(step: int, _total: int, _what: str) -> None:
            if step == kill_at:
                raise Killed
            if step in call_at:
                call_at[step]()
            if step == lose_at and self.made:
                os.kill(self.made.workers.running[0].pid, signal.SIGKILL)

        def dev() -> tuple[float, float]:
            import torch

            model.eval()
            with torch.no_grad():
                parts = [packing.answer_log_probs(model, items[k : k + 5], share=self.job.share) for k in (0, 5, 10)]
            return -float(torch.cat(parts).mean()), 0.5

        with helpers(model, examples, self.job, self.folder, self.hosts) as self.made:
            given: dict[str, Any] = {"share": self.job.share, "helpers": self.made, "progress": progress}
            given |= {"dev": dev} if self.scored else {}
            return list(trainer.train(model, examples, self.folder, self.options, base="tiny", **given))

    def bytes(self) -> bytes:
        return (self.folder / "adapter" / "adapter_model.safetensors").read_bytes()

    def numbers(self) -> dict[str, Any]:
        from safetensors.torch import load_file

        return dict(load_file(self.folder / "adapter" / "adapter_model.safetensors"))


def same(ours: Machine, theirs: Machine) -> None:
    import torch

    pairs = [(value, theirs.numbers()[name]) for name, value in ours.numbers().items()]
    assert all(torch.allclose(a, b, atol=2e-5) for a, b in pairs)
    assert max(float(a.abs().max()) for a, _ in pairs) > 0.01


def hungry(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has no memory for more than one row at a time."""
    real = training_loss.answer_log_probs

    def limited(model: Any, items: Any, **given: Any) -> Any:
        if len(items) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return real(model, items, **given)

    monkeypatch.setattr(training_loss, "answer_log_probs", limited)
