"""A recorded run with keyframes made by hand, for tests of what shows them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from exported_run import SHARDS, finished
from PIL import Image

from model.dialogue import Keyframe, Rejected, Utterance
from storage.shards import write_shard
from tasks.plan import Run
from tasks.stages import BY_NAME

GREY = (110, 110, 110)
TEXT = "Naïve\n\x1b[2J “quotes” 🙂 \u202e" + "long " * 200
WITH_FACES, SUSPECT, REFUSED, TEXT_ONLY = (f"demo/train/0/{turn}" for turn in range(4))


def keyframe(utterance_id: str, rank: int = 0, **changes: Any) -> Keyframe:
    """A grey picture of 640 × 360."""
    buffer = io.BytesIO()
    Image.new("RGB", (640, 360), GREY).save(buffer, "JPEG")
    row = Keyframe(utterance_id, rank, 0.5 + rank, buffer.getvalue(), 640, 360, 99.0, 0.0, 0.8, False, 0, (), "best-2")
    return replace(row, **changes)


def framed(root: Path, **settings: Any) -> Run:
    """A line with two frames and a face, one with a suspect frame, one refused, one without video; and other splits."""
    run = finished(root, **settings)
    for shard, split in SHARDS.items():
        where = ("demo", split, str(shard))
        lines = [Utterance(f"demo/{split}/{shard}/{n}", *where, n, str(n), "Ana", TEXT, "joy") for n in range(4)]
        write_shard(run.layout, "utterances", run.key(BY_NAME["ingest"]), shard, lines, {})
        rows: list[Any] = [keyframe(line.utterance_id) for line in lines]
        if shard == 0:
            face = {"faces": 1, "face_boxes": ((320.0, 60.0, 160.0, 240.0, 0.9),)}
            rows = [
                keyframe(WITH_FACES, 1),
                keyframe(WITH_FACES, 0, **face),
                keyframe(SUSPECT, suspect=True, score=None),
            ]
            rows += [Rejected(REFUSED, "keyframes", "missing_video", "a.mp4: no such file")]
        if run.keys["keyframes"]:
            write_shard(run.layout, "keyframes", run.key(BY_NAME["keyframes"]), shard, rows, {})
    return run
