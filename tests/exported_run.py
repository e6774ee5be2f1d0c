"""A recorded run whose instructions are made by hand, for tests of what is exported from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fake_stages import make

from model.atomic import write_json
from model.dialogue import Instruction, Rejected, Utterance
from storage import ledger
from storage.shards import write_shard
from tasks.plan import Run
from tasks.stages import BY_NAME

SHARDS = {0: "train", 1: "train", 2: "dev", 3: "test"}
LABELS = ("joy", "anger", "joy")
HOSTILE = "Ana: ``` \n---\nlicense: mine\n| <script>alert(1)</script> 🙂 “naïve”"


def instruction(split: str, dialogue: int, turn: int, answer: str = "joy", **changes: Any) -> Instruction:
    """One row of the demo corpus, with text that means harm."""
    name = f"demo/{split}/{dialogue}"
    messages = (("system", "Name the emotion."), ("user", f"{HOSTILE} {name}/{turn}"))
    prompt = "".join(f"<|{role}|>{content}<|end|>" for role, content in messages)
    context = tuple(f"{name}/{before}" for before in range(turn))
    row = {"messages": messages, "prompt": prompt, "context_ids": context}
    return Instruction(f"{name}/{turn}", "v", answer=answer, n_prompt_tokens=9, caption_key=None, **{**row, **changes})


def rows_of(split: str, shard: int) -> list[Instruction]:
    return [instruction(split, shard, turn, answer) for turn, answer in enumerate(LABELS)]


def finished(root: Path, **settings: Any) -> Run:
    """A run with two train shards of three rows and a reject each, a dev and a test shard."""
    run = make(root, "demo", **settings)
    run.record.update(ledger.save_run(run.layout, run.record))
    list_of_shards = [{"shard": shard, "split": split, "rows": 3} for shard, split in SHARDS.items()]
    key = run.key(BY_NAME["ingest"])
    write_json(run.layout.shard_list(key), {"shards": list_of_shards, "rows": 12, "rejects": 0})
    for shard, split in SHARDS.items():
        line = Utterance(f"demo/{split}/{shard}/0", "demo", split, str(shard), 0, "0", "Ana", HOSTILE, "joy")
        write_shard(run.layout, "utterances", key, shard, [line], {})
        for stage in ("keyframes", "captions"):
            if run.keys[stage]:
                write_shard(run.layout, stage, run.key(BY_NAME[stage]), shard, [], {})
        rejected = Rejected(f"demo/{split}/{shard}/9", "instructions", "too_long", HOSTILE)
        write_instructions(run, shard, [*rows_of(split, shard), rejected])
    return run


def write_instructions(run: Run, shard: int, rows: Sequence[Any]) -> None:
    write_shard(run.layout, "instructions", run.key(BY_NAME["instructions"]), shard, rows, {})
