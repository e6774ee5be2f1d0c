"""A recorded run with a real adapter on a tiny model, for tests of what is exported of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from exported_run import finished, instruction, write_instructions

from model.dialogue import Metric
from model.packing import encode_prompts
from storage.shards import write_shard
from tasks.instructions import load_tokenizer
from tasks.plan import Run
from tasks.run import run_shard
from tasks.stages import BY_NAME

TRAINING: dict[str, Any] = {"r": 4, "max_steps": 8, "batch_size": 3, "keep": "last", "seed": 3}
TRAINING |= {"learning_rate": 0.1, "dropout": 0.0}
SCORES = {"accuracy": 0.625, "weighted_f1": 0.5, "macro_f1": 0.25, "support": 3.0}


def tuned(root: Path, model: Path, **settings: Any) -> Run:
    """The run of ``exported_run`` with every train line angry and finetune done: the adapter finds any line angrier.

    Its base, ``base_of`` the run, is ``model`` with its logits raised: as it is, only labels' lengths would count.
    """
    from safetensors.torch import load_file, save_file

    base = root / "workspace" / "cache" / "base"
    shutil.copytree(model, base)
    found = load_file(base / "model.safetensors")
    save_file(
        {name: value * (3 if "embed" in name else 1) for name, value in found.items()},
        base / "model.safetensors",
        {"format": "pt"},
    )
    stages: dict[str, Any] = {name: {"model": str(base)} for name in ("instructions", "finetune", "evaluate")}
    stages["finetune"] |= TRAINING
    for name, values in settings.items():
        stages[name] = {**stages.get(name, {}), **values}
    run = finished(root, **stages)
    for shard in (0, 1):
        rows = [instruction("train", shard, turn, "anger") for turn in range(3)]
        counted = encode_prompts(load_tokenizer(base), [row.prompt for row in rows])
        made = [replace(row, n_prompt_tokens=len(ids)) for row, ids in zip(rows, counted, strict=True)]
        write_instructions(run, shard, made)
    run_shard(run, "finetune", 0)
    return run


def base_of(run: Run) -> Path:
    """The folder of the run's base model."""
    return Path(run.settings["finetune"].model)  # type: ignore[attr-defined]


def score(run: Run) -> None:
    """Puts scores of the adapter and of a floor beside it, as the stage would."""
    rows = [
        Metric("demo", "test", system, name, None, None, *(value / half if name != "support" else value, *around))
        for system, half in (("tuned", 1), ("majority", 2))
        for name, value in SCORES.items()
        for around in [(value - 0.125, value + 0.125) if (system, name) == ("tuned", "weighted_f1") else ()]
    ]
    write_shard(run.layout, "metrics", run.key(BY_NAME["score"]), 0, rows, {})
