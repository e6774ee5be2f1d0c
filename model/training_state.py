"""What a training run leaves on disk, and what a later one takes from it.

<folder>/checkpoints/    while it runs (checkpoints.py)
<folder>/adapter/        when it is done
<folder>/training.json   last: the run's pin, its base weights and its log
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model import atomic, checkpoints, lora
from model.dialogue import TrainingStep
from model.training_plan import Example, TrainOptions


@dataclass(slots=True)
class State:
    """Steps done, the lowest dev loss so far, and the log's rows."""

    step: int = 0
    best: float = math.inf
    log: list[dict[str, Any]] = field(default_factory=list)


def base_of(folder: Path) -> str | None:
    """Identity of the base weights that the finished run in ``folder`` was trained on, None if there is no such run."""
    return checkpoints.read_json(folder / "training.json").get("base")


def pin_of(examples: Sequence[Example], options: TrainOptions, base: str) -> str:
    """What a checkpoint must share with a run that goes on from it."""
    fixed = asdict(options) | {"micro_batch": None, "checkpoint_every": None}
    total = hashlib.sha256(json.dumps([base, fixed], sort_keys=True).encode())
    for example in examples:
        total.update(repr((example.utterance_id, example.item.prompt, example.item.answers)).encode())
    return total.hexdigest()


def resume(saved: Path, pin: str, model: Any, optimizer: Any) -> State:
    """Set adapter and optimizer to the last checkpoint of the same pin; checkpoints of any other are removed."""
    for checkpoint in reversed(checkpoints.steps(saved)):
        state = checkpoints.read_json(checkpoint / "state.json")
        if state.pop("pin", None) == pin:
            checkpoints.restore(checkpoint, model, optimizer)
            return State(**state)
    shutil.rmtree(saved, ignore_errors=True)
    return State()


def finished(folder: Path, pin: str) -> list[TrainingStep] | None:
    """The log of a finished run of the same pin, None if there is none."""
    found = checkpoints.read_json(folder / "training.json")
    if found.get("pin") != pin or not (folder / "adapter" / "adapter_model.safetensors").is_file():
        return None
    return steps_of(found["log"])


def steps_of(log: Sequence[dict[str, Any]]) -> list[TrainingStep]:
    return [TrainingStep(**row) for row in log]


def finish(model: Any, folder: Path, record: dict[str, Any], *, best: bool) -> None:
    """Put the adapter in place, then say so in training.json, then drop the checkpoints: a kill loses nothing."""
    chosen = folder / "checkpoints" / "best"

    def fill(work: Path) -> None:
        if best:
            shutil.copytree(chosen, work, dirs_exist_ok=True)
        else:
            lora.save(model, work)

    atomic.replace_folder(folder / "adapter", fill)
    atomic.write_json(folder / "training.json", record)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
