"""A published run with frames, captions and answers, made by hand, for tests of the gallery."""

from __future__ import annotations

from pathlib import Path

from report_rows import keyframe
from scored_run import corpus_lines, recorded, right_but

from model.dialogue import Caption, Utterance
from storage.shards import write_shard
from tasks.plan import Run
from tasks.stages import BY_NAME

LINES = corpus_lines()
TEST = [row for row in LINES if row.split == "test"]


def described(root: Path, lines: list[Utterance], wrong: tuple[int, ...] = (1, 5, 7), name: str = "demo") -> Run:
    """A published run whose test lines have frames, captions and predictions."""
    shown = [row for row in lines if row.split == "test"]
    tables = {"captions": {"enabled": True}, "ingest": {"corpus": "demo"}}
    run = recorded(root, right_but(shown, wrong), lines, tables, name)
    frames = [keyframe(row.utterance_id, rank) for row in shown for rank in range(2)]
    captions = [
        Caption(row.utterance_id, f"{row.speaker} waves. {row.text}", "demo", "r", "p", 2, 9, (), 0.1) for row in shown
    ]
    write_shard(run.layout, "keyframes", run.key(BY_NAME["keyframes"]), 2, frames, {})
    write_shard(run.layout, "captions", run.key(BY_NAME["captions"]), 2, captions, {})
    return run
