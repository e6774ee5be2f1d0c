"""Rows of a small finished run, for the tests of the report."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from PIL import Image

from model.dialogue import Caption, Keyframe, Metric, Prediction, TrainingStep, Utterance

TEST_IDS = [f"demo/test/{dialogue}/{turn}" for dialogue in range(2) for turn in range(4)]
LABELS = ("neutral", "joy", "anger")


def jpeg(width: int = 640, height: int = 360, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 120, 40)).save(buffer, "JPEG", comment=comment)
    return buffer.getvalue()


def utterance(utterance_id: str, **other: Any) -> Utterance:
    corpus, split, dialogue, number = utterance_id.split("/")
    values = {"emotion": "joy", "speaker": "Ana", "text": f"Line {number}.", "video": "a.mp4", **other}
    return Utterance(utterance_id, corpus, split, dialogue, int(number), number, **values)


def keyframe(utterance_id: str, rank: int = 0, picture: bytes | None = None) -> Keyframe:
    return Keyframe(utterance_id, rank, 0.5 + rank, picture or jpeg(), 640, 360, 9.0, 0.0, 0.8, False, None, None, "m")


def prediction(utterance_id: str, gold: str = "joy", said: str | None = "joy", system: str = "tuned") -> Prediction:
    scores = {} if said is None else {name: 0.7 if name == said else 0.15 for name in LABELS}
    return Prediction(utterance_id, system, gold, said, scores, said or "hard to say", 0.1)


def metrics(system: str = "tuned", split: str = "test", n: int = 8) -> list[Metric]:
    """``n`` gold lines of joy, half of them taken for anger."""

    def one(name: str, value: float, label: str | None = None, said: str | None = None) -> Metric:
        return Metric("demo", split, system, name, label, said, value)

    overall = [
        replace(one("accuracy", 0.5), low=0.5 - 0.98 / n**0.5, high=0.5 + 0.98 / n**0.5),
        replace(one("weighted_f1", 0.667), low=0.5, high=0.8),
        one("macro_f1", 0.667),
        one("dialogues", n // 4),
        replace(one("ece", 0.2), low=0.15, high=0.31),
        one("unparsed", 0),
    ]
    joy = [one("precision", 1.0, "joy"), one("recall", 0.5, "joy"), one("f1", 0.667, "joy"), one("support", n, "joy")]
    anger = [one(name, 0.0, "anger") for name in ("precision", "recall", "f1", "support")]
    cells = [one("confusion", n / 2, "joy", "joy"), one("confusion", n / 2, "joy", "anger")]
    return [*overall, one("support", n), *joy, *anger, *cells]


def rows() -> dict[str, list[Any]]:
    """A run on eight test lines, half right, with everything that a run can have."""
    return {
        "utterances": [utterance("demo/train/9/0"), *map(utterance, TEST_IDS)],
        "keyframes": [keyframe(name, rank) for name in TEST_IDS for rank in range(2)],
        "captions": [Caption(name, f"Somebody waves in {name}.", "demo", "r", "p", 2, 9, (), 0.1) for name in TEST_IDS],
        "training_log": [
            TrainingStep(n, n / 20, 2 / n, 1e-3, 1.0, 50, 0.1, *((1 / n, n / 40) if n % 5 else ()))
            for n in range(1, 21)
        ],
        "predictions": [
            prediction(name, said="joy" if number % 2 else "anger", system=system)
            for system in ("tuned", "untuned")
            for number, name in enumerate(TEST_IDS)
        ],
        "metrics": [row for system in ("tuned", "untuned", "tfidf_lr", "majority") for row in metrics(system)],
        "rejects": [],
    }


def about(**stages: dict[str, Any]) -> dict[str, Any]:
    """The record of a run; ``stages`` replaces single stages' records."""
    made = {
        name: {"key": f"key-of-{name}", "upstream": {}, "settings": {}} for name in ("ingest", "captions", "report")
    }
    made["report"]["upstream"] = {"ingest": "key-of-ingest", "captions": "key-of-captions"}
    return {
        "run_id": "demo-123456",
        "name": "demo",
        "source": "demo.toml",
        "git_commit": None,
        "machine": {"python": "3.11.2", "host": "secret-host", "versions": {"torch": "2.13.0"}},
        "stages": {**made, **stages},
    }
