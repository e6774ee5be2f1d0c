"""A training run of a tiny model that can be started anew as often as a test wants, and killed at any step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from model import lora, packing, trainer
from model.dialogue import TrainingStep
from model.training_plan import Example, TrainOptions

OPTIONS = TrainOptions(
    learning_rate=3e-3, batch_size=4, micro_batch=3, epochs=2, checkpoint_every=3, weight_decay=0.1, seed=5
)
N_STEPS = 8
LINES = [f"Name the emotion.\nRoss: {'well, ' * (k % 4)}line {k}\n" for k in range(15)]


class Killed(BaseException):
    pass


class Machine:
    """Starts the training process anew, as often as it is asked to, in one folder."""

    def __init__(self, model_folder: Path, folder: Path, options: TrainOptions = OPTIONS, dropout: float = 0.3) -> None:
        self.model_folder, self.folder, self.options, self.dropout = model_folder, folder, options, dropout
        self.tasks = ["emotion"] * len(LINES)
        self.dev_scores: list[tuple[float, float]] = []

    def run(self, kill_at: int | None = None) -> list[TrainingStep]:
        base, tokenizer = lora.load(self.model_folder, device="cpu")
        model = lora.attach(base, lora.LoraOptions(r=4, dropout=self.dropout), "tiny", seed=5)
        examples = [
            Example(
                f"meld/train/0/{k}",
                packing.encode(tokenizer, line, [("joy", "anger", "fear")[k % 3]]),
                task=self.tasks[k],
            )
            for k, line in enumerate(LINES)
        ]

        told = iter(self.dev_scores)

        def dev() -> tuple[float, float]:
            import torch

            model.eval()
            with torch.no_grad():
                loss = -float(packing.answer_log_probs(model, [example.item for example in examples]).mean())
            return next(told) if self.dev_scores else (loss, 0.5)

        def progress(step: int, total: int, _what: str) -> None:
            assert total == N_STEPS or self.options != OPTIONS
            if step == kill_at:
                raise Killed

        return list(trainer.train(model, examples, self.folder, self.options, base="tiny", dev=dev, progress=progress))

    def adapter(self) -> bytes:
        return (self.folder / "adapter" / "adapter_model.safetensors").read_bytes()


def without_machine(steps: Sequence[TrainingStep]) -> list[TrainingStep]:
    return [dataclasses.replace(step, seconds=0.0, memory_mib=0.0) for step in steps]
