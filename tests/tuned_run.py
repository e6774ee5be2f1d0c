"""A recorded run with a real adapter on a tiny model, for tests of what is exported of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exported_run import finished, instruction, write_instructions

from model.dialogue import Metric
from storage.shards import write_shard
from tasks.plan import Run
from tasks.run import run_shard
from tasks.stages import BY_NAME

TRAINING: dict[str, Any] = {"r": 4, "epochs": 24, "batch_size": 2, "learning_rate": 5e-2, "keep": "last", "seed": 3}
SCORES = {"accuracy": 0.625, "weighted_f1": 0.5, "macro_f1": 0.25, "support": 3.0}


def tuned(root: Path, model: Path, **settings: Any) -> Run:
    """The run of ``exported_run`` with finetune done: the adapter says "fear", where the base would not."""
    stages: dict[str, Any] = {name: {"model": str(model)} for name in ("instructions", "finetune", "evaluate")}
    stages["finetune"] |= TRAINING
    for name, values in settings.items():
        stages[name] = {**stages.get(name, {}), **values}
    run = finished(root, **stages)
    for shard in (0, 1):
        write_instructions(run, shard, [instruction("train", shard, turn, "fear") for turn in range(3)])
    run_shard(run, "finetune", 0)
    return run


def score(run: Run) -> None:
    """Puts scores of the adapter and of a floor beside it, as the stage would."""
    rows = [
        Metric("demo", "test", system, name, None, None, value / half if name != "support" else value)
        for system, half in (("tuned", 1), ("majority", 2))
        for name, value in SCORES.items()
    ]
    write_shard(run.layout, "metrics", run.key(BY_NAME["score"]), 0, rows, {})
