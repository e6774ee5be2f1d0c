"""Keyframes as the gallery shows them: made once, pixels alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_rows import keyframe
from shown_run import LINES, described

from storage.shards import write_shard
from tasks.gallery.pictures import Pictures
from tasks.gallery.snapshot import Snapshot
from tasks.plan import Run
from tasks.stages import BY_NAME


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return described(tmp_path_factory.mktemp("gallery"), LINES)


def test_pictures_are_made_once_for_a_whole_dialogue_and_hold_nothing_but_pixels(run: Run) -> None:
    snapshot = Snapshot(run)
    first = Pictures(snapshot).get("demo/test/4/0", 0, "small")
    assert first is not None
    assert first.startswith(b"\xff\xd8")
    kept = list((run.layout.cache / "gallery").rglob("*-small.jpg"))
    assert len(kept) >= 8
    Path(run.layout.part("keyframes", run.key(BY_NAME["keyframes"]), 2)).rename(run.layout.root / "away")
    try:
        assert Pictures(snapshot).get("demo/test/4/3", 1, "small") == Pictures(snapshot).get(
            "demo/test/4/3", 1, "small"
        )
        assert Pictures(snapshot).get("demo/test/4/3", 1, "small") is not None
        assert Pictures(snapshot).get("demo/test/5/0", 0, "small") is None
    finally:
        (run.layout.root / "away").rename(run.layout.part("keyframes", run.key(BY_NAME["keyframes"]), 2))


@pytest.mark.parametrize("picture", [b"no picture", b"\xff\xd8\xff" + b"0" * 99])
def test_a_frame_that_is_no_picture_is_none(tmp_path: Path, picture: bytes) -> None:
    run = described(tmp_path, LINES)
    frames = [keyframe("demo/test/0/0", 0, picture)]
    write_shard(run.layout, "keyframes", run.key(BY_NAME["keyframes"]), 2, frames, {})
    pictures = Pictures(Snapshot(run))
    assert pictures.get("demo/test/0/0", 0, "small") is None
    assert pictures.get("demo/test/0/0", 0, "small") is None  # out of the cache too
