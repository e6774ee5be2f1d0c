"""The keyframes stage: rows in, rows out, rejects instead of failures."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image
from pydantic import ValidationError
from video_clips import real_data, three_shots, which_scene

from model import face_weights
from model.dialogue import Keyframe, Rejected, Utterance
from model.errors import CorpusError, WeightsError
from tasks.keyframes import STAGE, KeyframesSettings, run
from tasks.stage import Context
from tasks.video.reasons import ADVICE


def utterance(turn: int, video: str | None, start: float | None = None, end: float | None = None) -> Utterance:
    identity = f"x/test/0/{turn}"
    return Utterance(identity, "x", "test", "x/test/0", turn, str(turn), "A", "Hi.", "joy", None, video, start, end)


def keyframes(
    utterances: list[Utterance], videos: Path | None, settings: KeyframesSettings | None = None
) -> list[Keyframe | Rejected]:
    context = Context(cache=Path(), folder=Path(), videos=videos)
    return list(run({"utterances": utterances}, settings or KeyframesSettings(workers=2), context))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    three_shots(tmp_path / "a.mp4")
    (tmp_path / "text.mp4").write_text("not a video")
    os.mkfifo(tmp_path / "pipe.mp4")
    return tmp_path


def test_rows_come_in_the_order_of_the_lines_and_bad_ones_say_why(videos: Path) -> None:
    lines = [
        utterance(0, "a.mp4", 2.0, 3.0),
        utterance(1, "gone.mp4"),
        utterance(2, "a.mp4"),
        utterance(3, None),
        utterance(4, "text.mp4"),
        utterance(5, "../a.mp4"),
        utterance(6, "pipe.mp4"),
        utterance(7, "a.mp4", 1.0, 0.5),
        utterance(8, "a.mp4", 50.0, 60.0),
        utterance(9, "a.mp4", 0.0, 0.9),
    ]
    rows = keyframes(lines, videos)
    order = [int(row.utterance_id.split("/")[-1]) for row in rows]
    assert order == sorted(order)
    assert set(order) == set(range(10)), "each line has frames or a reason"
    rejects = {int(row.utterance_id[-1]): row for row in rows if isinstance(row, Rejected)}
    assert {turn: reject.reason for turn, reject in rejects.items()} == {
        1: "missing_video",
        3: "no_video_named",
        4: "not_a_video",
        5: "outside_root",
        6: "not_a_video",
        7: "bad_times",
        8: "outside_video",
    }
    assert all(ADVICE[reject.reason] in reject.detail and reject.stage == "keyframes" for reject in rejects.values())
    frames = [row for row in rows if isinstance(row, Keyframe)]
    shown = [(row.utterance_id[-1], row.rank, which_scene(row.jpeg, range(6))) for row in frames]
    assert shown == [("0", 0, 3), ("2", 0, 1), ("2", 1, 2), ("2", 2, 3), ("9", 0, 1)]


def test_pictures_are_what_their_row_says(videos: Path) -> None:
    for row in keyframes([utterance(0, "a.mp4")], videos, KeyframesSettings(workers=2, long_side=160)):
        assert isinstance(row, Keyframe)
        with Image.open(io.BytesIO(row.jpeg)) as image:
            assert (image.format, image.size) == ("JPEG", (row.width, row.height)) == ("JPEG", (160, 90))
        assert row.sharpness > 0
        assert (row.faces, row.face_boxes, row.suspect) == (None, None, False)
        assert row.score is not None


def test_the_same_rows_every_time_whatever_the_number_of_workers(videos: Path) -> None:
    lines = [utterance(0, "a.mp4"), utterance(1, "a.mp4", 0.5, 1.5)]
    one = keyframes(lines, videos, KeyframesSettings(workers=1))
    assert one == keyframes(lines, videos, KeyframesSettings(workers=2)) == keyframes(lines, videos)


def test_turned_off_it_gives_nothing_and_starts_nothing() -> None:
    before = psutil.Process().children()
    assert keyframes([utterance(0, "a.mp4")], None, KeyframesSettings(enabled=False)) == []
    assert psutil.Process().children() == before


def test_a_corpus_of_text_gives_reasons_without_a_video_folder() -> None:
    rows = keyframes([utterance(0, None), utterance(1, None)], None)
    assert [getattr(row, "reason", None) for row in rows] == ["no_video_named"] * 2


@pytest.mark.parametrize("folder", [None, Path("nowhere")])
def test_a_missing_video_folder_is_one_error_and_not_a_thousand_rejects(folder: Path | None) -> None:
    with pytest.raises(CorpusError, match=r"keyframes\.enabled"):
        keyframes([utterance(0, "a.mp4")], folder)


def test_progress_counts_clips(videos: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    context = Context(cache=Path(), folder=Path(), videos=videos, progress=lambda *report: seen.append(report))
    list(run({"utterances": [utterance(0, "a.mp4"), utterance(1, None)]}, KeyframesSettings(workers=2), context))
    assert seen == [(1, 2, "clips"), (2, 2, "clips")]


def test_a_reader_may_stop_half_way(videos: Path) -> None:
    context = Context(cache=Path(), folder=Path(), videos=videos)
    rows = run({"utterances": [utterance(at, "a.mp4") for at in range(9)]}, KeyframesSettings(workers=2), context)
    next(rows)
    rows.close()
    assert len(keyframes([utterance(0, "a.mp4")], videos)) == 3, "the pool still serves"


def test_the_key_holds_what_decides_the_result(tmp_path: Path) -> None:
    model = tmp_path / "faces.onnx"
    model.write_bytes(b"weights")
    plain, faces = KeyframesSettings(), KeyframesSettings(face_model=str(model), workers=7)
    assert plain.key_fields() == faces.key_fields()
    assert STAGE.identity(plain) == {}
    assert len(STAGE.identity(faces)["face_model"]) == 64
    assert set(STAGE.identity(faces)) == {"face_model", "faces"}, "what is done with it is in the key too"
    assert KeyframesSettings(mode="full").key_fields() != plain.key_fields()
    with pytest.raises(WeightsError, match=r"keyframes\.face_model"):
        STAGE.identity(KeyframesSettings(face_model=str(tmp_path / "gone.onnx")))


def test_no_face_model_is_off_by_any_name() -> None:
    assert KeyframesSettings(face_model="off") == KeyframesSettings(face_model="OFF") == KeyframesSettings()
    with pytest.raises(ValidationError):
        KeyframesSettings(face_model="")


def test_a_name_and_its_file_give_the_same_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = real_data("weights", "yunet_n_dynamic.onnx")
    size, digest = model.stat().st_size, hashlib.sha256(model.read_bytes()).hexdigest()
    pinned = replace(face_weights.REGISTRY["yunet"], size=size, sha256=digest)
    monkeypatch.setitem(face_weights.REGISTRY, "yunet", pinned)
    (tmp_path / "weights").mkdir()
    shutil.copy(model, tmp_path / "weights" / f"{digest[:12]}-{pinned.hub_file}")
    by_name, by_path = KeyframesSettings(face_model="yunet"), KeyframesSettings(face_model=str(model))
    assert STAGE.identity(by_name) == STAGE.identity(by_path)
    context = Context(cache=tmp_path, folder=tmp_path, videos=real_data("videos"))
    lines = [utterance(0, "pyfeat_single_face.mp4")]
    one, other = (list(run({"utterances": lines}, settings, context)) for settings in (by_name, by_path))
    assert one == other
    for row in one:
        assert isinstance(row, Keyframe)
        assert (row.faces, len(row.face_boxes or ()), row.method) == (1, 1, "best-2/fast/yunet-2")
        ((x, y, width, height, score),) = row.face_boxes or ()
        assert 0 <= x < x + width <= row.width
        assert 0 <= y < y + height <= row.height
        assert 0.6 <= score <= 1


def test_every_real_clip_gives_frames() -> None:
    folder = real_data("videos")
    lines = [utterance(at, name.name) for at, name in enumerate(sorted(folder.iterdir()))]
    rows = keyframes(lines, folder)
    assert not [row for row in rows if isinstance(row, Rejected)]
    counts = {line.video: sum(row.utterance_id == line.utterance_id for row in rows) for line in lines}
    assert all(1 <= count <= 4 for count in counts.values()), counts
