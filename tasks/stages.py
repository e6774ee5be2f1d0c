"""The pipeline: every stage, in order."""

from __future__ import annotations

from tasks import calibrate, captions, evaluate, finetune, ingest, instructions, keyframes, report, score
from tasks.stage import Stage

STAGES: tuple[Stage, ...] = (
    ingest.STAGE,
    keyframes.STAGE,
    captions.STAGE,
    instructions.STAGE,
    finetune.STAGE,
    calibrate.STAGE,
    evaluate.STAGE,
    score.STAGE,
    report.STAGE,
)

BY_NAME = {stage.name: stage for stage in STAGES}
_BY_TABLE = {stage.writes: stage for stage in STAGES}


def producer(table: str) -> Stage:
    """The stage that writes a table."""
    return _BY_TABLE[table]
