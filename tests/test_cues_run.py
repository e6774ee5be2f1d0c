"""Captions by facts alone: on faces that are drawn into the rows, and on real clips with the real detector."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_runs import dialoguellm

from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.errors import SettingsError
from tasks import captions, keyframes
from tasks.captions import CaptionsSettings, identity
from tasks.keyframes import KeyframesSettings
from tasks.stage import Context

REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent"))
DETECTOR = REAL / "weights" / "yunet_n_dynamic.onnx"
LINE = Utterance("own/train/0/0", "own", "train", "0", 0, "0", "Ann", "Oh.", "joy")
FRAME = Keyframe(LINE.utterance_id, 0, 0.4, b"1", 400, 200, 1.0, 0.0, 0.5, False, 1, ((150, 20, 80, 100, 0.9),), "test")
CONFIG = """
name = "cues"
workspace = {workspace!r}

[ingest]
corpus = "table"
file = {table!r}
videos = {folder!r}
labels = "meld"

[captions]
model = "cues"
"""


def run(
    folder: Path, lines: Sequence[Utterance], frames: Sequence[Keyframe], **settings: Any
) -> list[Caption | Rejected]:
    rows: Mapping[str, Sequence[Any]] = {"utterances": lines, "keyframes": frames}
    context = Context(cache=folder, folder=folder)
    return list(captions.STAGE.run(rows, CaptionsSettings(model="cues", **settings), context))


def test_facts_of_any_corpus_with_their_provenance(tmp_path: Path) -> None:
    silent = replace(LINE, utterance_id="own/train/0/1", turn=1)
    row, none = run(tmp_path, [LINE, silent], [FRAME, replace(FRAME, rank=1, time_s=1.6, jpeg=b"2")])
    assert isinstance(row, Caption)
    assert row.text == ("0.4 s to 1.6 s: one face, in the middle, very near (height 50 %). The picture hardly changes.")
    assert (row.model, row.prompt_id, row.n_frames, row.n_tokens) == ("cues", "cues", 2, 0)
    assert row.revision == identity(CaptionsSettings(model="cues"))["weights"]
    assert (row.contradiction, row.emotion_words) == ("none", ())
    assert isinstance(none, Rejected)
    assert none.reason == "no_frames"


def test_without_a_detector_there_is_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'keyframes\.face_model = "yunet"'):
        run(tmp_path, [LINE], [replace(FRAME, faces=None, face_boxes=None)])
    table = tmp_path / "lines.csv"
    table.write_text("split,dialogue_id,turn,speaker,text,emotion,video\ntrain,0,0,Ann,Oh.,joy,a.mp4\n")
    config = tmp_path / "cues.toml"
    named = {"workspace": str(tmp_path / "workspace"), "table": str(table), "folder": str(tmp_path)}
    config.write_text(CONFIG.format(**named))
    told = dialoguellm(tmp_path / "home", "check", str(config), code=3)
    assert "speaks of faces: set keyframes.face_model" in " ".join(told.split())


def test_what_plays_no_part_is_in_no_key() -> None:
    plain = CaptionsSettings(model="cues")
    other = CaptionsSettings(model="cues", prompt="facial-cues", max_new_tokens=99, spoken_words=True, min_words=9)
    assert plain.key_fields() == other.key_fields() == {"enabled": True, "model": "cues", "max_frames": 4}
    assert identity(plain) == identity(other)


@pytest.mark.skipif(not DETECTOR.is_file(), reason="the real clips are not here: set DIALOGUELLM_TEST_DATA")
def test_real_clips(tmp_path: Path) -> None:
    clips = ("pyfeat_face_noface.mov", "pyfeat_single_face.mp4", "torchcodec_nasa_13013.mp4", "intel_asl_no.mkv")
    lines = [replace(LINE, utterance_id=f"own/train/0/{n}", turn=n, video=name) for n, name in enumerate(clips)]
    context = Context(cache=tmp_path, folder=tmp_path, videos=REAL / "videos")
    chosen = KeyframesSettings(face_model=str(DETECTOR), workers=1)
    frames = [row for row in keyframes.STAGE.run({"utterances": lines}, chosen, context) if isinstance(row, Keyframe)]
    said = [row.text if isinstance(row, Caption) else row for row in run(tmp_path, lines, frames)]
    assert "one face, in the middle, very near (height 6" in said[0]
    assert ", another picture: no face." in said[0], "a face, then a title"
    assert said[1].count(":") == 1
    assert "one face, in the middle, very near" in said[1]
    assert "one face" not in said[2], "he turns his back"
    assert said[2].count("another picture") == 2
    assert "one face, in the middle, at some distance (height 17 to 19 %)" in said[3]
