"""A recorded run with captions made by hand and a real adapter on a tiny model that lives on them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scored_run import line

from flows.settings import validate
from model.atomic import write_json
from model.dialogue import Caption, Utterance
from storage import ledger
from storage.layout import open_workspace
from storage.shards import write_shard
from tasks.plan import Run, resolve
from tasks.publish import publish
from tasks.run import run_shard
from tasks.stages import BY_NAME

SHARDS = {"train": 0, "dev": 1, "test": 2}
DIALOGUES = {"train": 20, "dev": 8, "test": 3}
EMOTIONS = ("joy", "joy", "anger", "anger", "anger")
SEEN = {"joy": "a kitchen with mad mad", "anger": "everybody ran; mad window"}
UNCAPTIONED = "demo/dev/0/0"
TRAINING: dict[str, Any] = {"r": 8, "max_steps": 40, "batch_size": 10, "learning_rate": 0.01, "keep": "last", "seed": 3}


def lines(split: str) -> list[Utterance]:
    """Lines whose words say nothing of their emotion, in an order that says nothing either."""
    rng, found = random.Random(split), []
    for dialogue in range(DIALOGUES[split]):
        found += [line(split, dialogue, turn, emotion) for turn, emotion in enumerate(rng.sample(EMOTIONS, 5))]
    said = "What happened to the {} {} in the room?"
    return [replace(row, text=said.format(split, row.dialogue_id)) for row in found]


def caption(row: Utterance) -> Caption:
    """It tells joy from anger; of the even turns it is said to name an emotion."""
    words = ("mad",) if row.turn % 2 == 0 else ()
    return Caption(row.utterance_id, SEEN[row.emotion], "hand", "1", "describe", 1, 5, words, 0.0)


def described(root: Path, model: Path, splits: Sequence[str] = tuple(SHARDS), **settings: Any) -> Run:
    """The run with instructions of ``splits`` and its adapter. Its base is ``model`` with its logits raised, so that
    labels' lengths are not all that counts; one dev line has no caption."""
    from safetensors.torch import load_file, save_file

    layout = open_workspace(root / "workspace", create=True)
    base = layout.cache / "base"
    shutil.copytree(model, base)
    numbers = load_file(base / "model.safetensors")
    louder = {name: value * (3 if "embed" in name else 1) for name, value in numbers.items()}
    save_file(louder, base / "model.safetensors", {"format": "pt"})
    values: dict[str, Any] = {"name": "demo", "ingest": {"corpus": "demo"}, "captions": {"model": "demo"}}
    values |= {name: {"model": str(base)} for name in ("instructions", "finetune", "evaluate")}
    values["finetune"] |= TRAINING
    for name, more in settings.items():
        values[name] = {**values.get(name, {}), **more}
    run = resolve("demo", layout, validate(values, "test"), "test.toml")
    run.record.update(ledger.save_run(layout, run.record))
    listed = [{"shard": shard, "split": split, "rows": len(lines(split))} for split, shard in SHARDS.items()]
    key = run.key(BY_NAME["ingest"])
    write_json(layout.shard_list(key), {"shards": listed, "rows": 1, "rejects": 0})
    for split, shard in SHARDS.items():
        rows = lines(split)
        write_shard(layout, "utterances", key, shard, rows, {})
        captions = [caption(row) for row in rows if row.utterance_id != UNCAPTIONED]
        write_shard(layout, "keyframes", run.key(BY_NAME["keyframes"]), shard, [], {})
        if run.keys["captions"]:
            write_shard(layout, "captions", run.key(BY_NAME["captions"]), shard, captions, {})
        if split in splits:
            run_shard(run, "instructions", shard)
    if run.keys["finetune"]:
        run_shard(run, "finetune", 0)
    publish(run)
    return run
