"""The training log as TensorBoard's event files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from model.dialogue import TrainingStep
from model.errors import TrainingError

FOLDER = "tensorboard"
SCALARS = {
    "train": ("loss", "learning_rate", "gradient_norm", "epoch", "tokens", "unique_tokens", "seconds", "memory_mib"),
    "dev": ("dev_loss", "dev_weighted_f1"),
}


def require() -> None:
    """Raises TrainingError where TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        raise TrainingError(
            'finetune.tensorboard = true needs `pip install "dialoguellm[tensorboard]"`; or set it to false'
        )


def logged(steps: Iterable[TrainingStep], folder: Path) -> Iterator[TrainingStep]:
    """The same steps, each written into ``folder`` as it comes; what an earlier attempt wrote there is made anew.

    A resumed run yields the steps before it again, so that the files always hold the whole log.
    """
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    with SummaryWriter(str(folder), flush_secs=10) as writer:
        for step in steps:
            for group, names in SCALARS.items():
                for name in names:
                    if (value := getattr(step, name)) is not None:
                        writer.add_scalar(f"{group}/{name.removeprefix('dev_')}", value, step.step)
            if step.seconds:
                writer.add_scalar("train/tokens_per_s", step.tokens / step.seconds, step.step)
            yield step
