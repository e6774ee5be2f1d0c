"""One or two rows of every table, for tests of what stores them."""

from __future__ import annotations

from typing import Any

from model.dialogue import (
    Caption,
    Instruction,
    Keyframe,
    Metric,
    Prediction,
    Rejected,
    ReportFile,
    TrainingStep,
    Utterance,
)

FIRST, SECOND = "demo/train/kitchen/1", "demo/train/kitchen/2"
BOXES = ((10.0, 20.5, 64.0, 80.0, 0.93), (0.0, 0.0, 12.0, 12.0, 0.6))

ROWS: dict[str, list[Any]] = {
    "utterances": [
        Utterance(
            FIRST,
            "demo",
            "train",
            "kitchen",
            0,
            "1",
            "Ana",
            "Naïve “quotes” 🙂\n\x00",
            "joy",
            "positive",
            "a.mp4",
            0.5,
            2.0,
            ("E1:anger,frustration", "E2:neutral"),
        ),
        Utterance(SECOND, "demo", "train", "kitchen", 1, "2", "Ben", "", "anger"),
    ],
    "keyframes": [
        Keyframe(FIRST, 0, 0.25, bytes(range(256)), 640, 480, 12.5, 0.0, 0.75, True, 2, BOXES, "novelty-1"),
        Keyframe(FIRST, 1, 1.25, b"", 640, 480, 0.0, 255.0, None, False, None, None, "novelty-1"),
        Keyframe(FIRST, 2, 1.5, b"", 640, 480, 0.0, 0.0, -1.5, False, 0, (), "novelty-1"),
    ],
    "captions": [
        Caption(
            FIRST,
            "Two people smile.",
            "demo",
            "abc",
            "facial-cues",
            2,
            5,
            ("smile", "happy"),
            0.1,
            3,
            0.25,
            0.5,
            False,
            None,
            "no_face",
            ((0, 10.5, 0.0, 200.0, 180.0, 0.875),),
            ((0, 1, 0.125, 0.0, 0.0, 0.5, 0.125, 0.0, 0.25),),
            ((0, "cup", 10.5, 0.0, 20.0, 18.0, 0.875), (1, "chair", 0.0, 0.0, 9.0, 9.0, 0.75)),
        ),
        Caption(SECOND, "A room", "demo", "abc", "facial-cues", 1, 3, (), 0.1, 2, 0.0, 0.0, True, 0.5),
    ],
    "instructions": [
        Instruction(
            FIRST,
            "video",
            (("system", "Name the emotion."), ("user", "Ana: hi")),
            "Name the emotion.\nAna: hi",
            "joy",
            7,
            (),
            "0123456789abcdef",
            ("context:2", "description:14"),
        ),
        Instruction(SECOND, "text", (), "", "anger", 0, (FIRST,), None),
    ],
    "training_log": [
        TrainingStep(1, 0.5, 2.0, 1e-3, 1.5, 100, 0.2),
        TrainingStep(2, 1.0, 1.0, 5e-4, 0.5, 100, 0.2, 1.25, 0.5, 60, 512.0),
    ],
    "predictions": [
        Prediction(FIRST, "tuned", "joy", "joy", {"joy": 0.75, "anger": 0.25}, "joy", 0.1),
        Prediction(SECOND, "tuned", "anger", None, {}, "¯\\_(ツ)_/¯", 0.1),
    ],
    "dev_predictions": [
        Prediction("demo/dev/kitchen/1", "tuned", "joy", "anger", {"joy": 0.25, "anger": 0.75}, "anger", 0.1),
        Prediction("demo/dev/kitchen/2", "tuned", "anger", "anger", {"joy": 0.25, "anger": 0.75}, "anger", 0.1),
    ],
    "metrics": [
        Metric("demo", "test", "tuned", "accuracy", None, None, 0.5, 0.25, 0.75),
        Metric("demo", "test", "tuned", "confusion", "anger", "joy", 1.0),
    ],
    "reports": [ReportFile("index.html", 12, "ab" * 32)],
    "rejects": [Rejected(SECOND, "captions", "no_frames", "the video has no frames")],
}
