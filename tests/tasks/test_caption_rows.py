from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from model.caption_quality import LENIENT, Limits
from model.captioner import Described
from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.errors import VideoError
from tasks.caption_rows import ALIKE, Provenance, different, rows_of

FROM = Provenance("org/seer", "abc", "describe")


def utterance(turn: int, dialogue: str = "0") -> Utterance:
    name = f"meld/train/{dialogue}/{turn}"
    return Utterance(name, "meld", "train", dialogue, turn, str(turn), "Ann", "Oh.", "joy")


def rows(
    said: Sequence[str | VideoError],
    lines: Sequence[Utterance] = (),
    limits: Limits | None = LENIENT,
    faces: int | None = None,
) -> list[Caption | Rejected]:
    lines = lines or [utterance(turn) for turn in range(len(said))]
    boxes = None if faces is None else ((1.0, 1.0, 9.0, 9.0, 0.9),) * faces
    frames = {
        line.utterance_id: [
            Keyframe(line.utterance_id, 0, 0.5, b"x", 64, 48, 1.0, 0.0, 0.5, False, faces, boxes, "test")
        ]
        for line in lines
    }
    told = (text if isinstance(text, VideoError) else Described(text, 2, 7, 0.5, 300) for text in said)
    return list(rows_of(lines, told, frames, FROM, limits))


def test_a_caption_with_all_that_is_measured() -> None:
    (row,) = rows(["  A happy\n man\u202e sits near the door. "], faces=1)
    assert isinstance(row, Caption)
    assert (row.utterance_id, row.text) == ("meld/train/0/0", "A happy man sits near the door.")
    assert (row.model, row.revision, row.prompt_id, row.n_frames, row.n_tokens) == ("org/seer", "abc", "describe", 2, 7)
    assert (row.emotion_words, row.seconds, row.n_words, row.repetition) == (("happy",), 0.5, 7, 0.0)
    assert row.english == pytest.approx(5 / 7)
    assert (row.refusal, row.like_previous, row.contradiction) == (False, None, "none")
    assert row.n_prompt_tokens == 300
    (uncounted,) = rows_of([utterance(0)], [Described("A man sits.", 1, 0, 0.1)], {}, FROM, LENIENT)
    assert isinstance(uncounted, Caption)
    assert uncounted.n_prompt_tokens is None, "a server that does not count has not read nothing"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "empty_caption"),
        ("man " * 30, "repeating_caption"),
        ("Ein Mann sitzt auf dem Sofa und schaut aus dem Fenster.", "not_english"),
        ("A man.<|im_end|>\n<|im_start|>user", "chat_tokens"),
        ("answer: joy", "label_only"),
        ("I'm sorry, I can't describe people.", "refusal"),
        ("Man.", "too_short"),
        (VideoError("no_frames", "there is no keyframe"), "no_frames"),
        (VideoError("bad_picture", "not a JPEG"), "bad_picture"),
    ],
)
def test_a_model_that_fails_costs_one_utterance(said: str | VideoError, reason: str) -> None:
    before, row, after = rows(["A man sits.", said, "A man stands."])
    assert isinstance(before, Caption)
    assert isinstance(after, Caption)
    assert isinstance(row, Rejected)
    assert (row.utterance_id, row.stage, row.reason) == ("meld/train/0/1", "captions", reason)
    assert row.detail


def test_likeness_to_the_caption_before_it_in_its_dialogue() -> None:
    lines = [utterance(0), utterance(1), utterance(2), utterance(0, "1"), utterance(1, "1")]
    found = rows(["A man sits.", "", "A man stands.", "A man stands.", "A man stands."], lines)
    likeness = [row.like_previous for row in found if isinstance(row, Caption)]
    assert likeness == [None, pytest.approx(0.5), None, 1.0]


def test_limits_and_none() -> None:
    said = ["joy", "A happy man sits."]
    strict = rows(said, limits=Limits(max_emotion_words=0))
    assert [row.reason for row in strict if isinstance(row, Rejected)] == ["label_only", "emotion_words"]
    assert all(isinstance(row, Caption) for row in rows(said, limits=None))


def test_without_a_detector_nothing_contradicts() -> None:
    for faces, expected in ((None, None), (0, "no_face"), (1, "none")):
        (row,) = rows(["A man sits."], faces=faces)
        assert isinstance(row, Caption)
        assert row.contradiction == expected


def frame(turn: int, rank: int, novelty: float) -> Keyframe:
    name = utterance(turn).utterance_id
    return Keyframe(name, rank, rank / 2, bytes([rank]), 64, 48, 1.0, novelty, None, False, None, None, "uniform-2")


@pytest.mark.parametrize(
    ("novelties", "kept"),
    [
        ([0.0, 30.0, 25.0], [0, 1, 2]),
        ([0.0, 0.0, 0.3, 0.1], [0]),
        ([0.0, 0.3, 30.0, 0.1], [0, 2]),
        ([0.0, 0.2, 0.2, 0.2, 0.2, 0.2], [0, 3]),
        ([0.0, ALIKE, ALIKE - 0.01], [0, 1]),
        ([40.0], [0]),
        ([], []),
    ],
)
def test_frames_that_show_the_same_are_shown_once(novelties: Sequence[float], kept: Sequence[int]) -> None:
    frames = [frame(0, rank, novelty) for rank, novelty in enumerate(novelties)]
    assert different(frames[::-1]) == [frames[rank] for rank in kept]


def test_each_line_has_its_first_frame() -> None:
    frames = [frame(turn, rank, 0.0) for turn in range(3) for rank in range(2)]
    assert different(frames) == frames[::2]
    assert different([replace(one, novelty=float("nan")) for one in frames])[0].rank == 0


def test_a_frame_that_is_left_out_differs_from_the_one_shown_by_less_than_told() -> None:
    """Thumbnails, with the difference that the keyframes stage stores of them."""
    import numpy as np

    from tasks.video.measure import difference

    random = np.random.default_rng(5)
    thumbs = [random.integers(0, 255, (36, 64), dtype=np.uint8)]
    for _ in range(60):
        moved = thumbs[-1].astype(int)
        moved[random.integers(36), random.integers(64)] += random.integers(-400, 400)
        thumbs.append(np.clip(moved, 0, 255).astype(np.uint8))
    novelties = [0.0, *(difference(one, other) for one, other in pairwise(thumbs))]
    frames = [frame(0, rank, novelty) for rank, novelty in enumerate(novelties)]
    ranks = [one.rank for one in different(frames)]
    assert 1 < len(ranks) < len(frames) / 2
    for rank, thumb in enumerate(thumbs):
        shown = max(kept for kept in ranks if kept <= rank)
        assert rank == shown or difference(thumbs[shown], thumb) < ALIKE
