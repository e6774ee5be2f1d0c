"""Utterances grouped by file; impossible times."""

from __future__ import annotations

import pytest

from model.dialogue import Utterance
from tasks.video.stretches import by_file, fault


def utterance(turn: int, video: str | None, start: float | None = None, end: float | None = None) -> Utterance:
    identity = f"x/test/0/{turn}"
    return Utterance(identity, "x", "test", "x/test/0", turn, str(turn), "A", "Hi.", "joy", None, video, start, end)


def test_lines_of_one_file_are_together_in_their_order() -> None:
    lines = [utterance(0, "b", 1.0, 2.0), utterance(1, "a"), utterance(2, "b", 0.0, 3.0), utterance(3, None)]
    files = by_file(lines)
    assert list(files) == ["b", "a"]
    assert files["b"] == {"x/test/0/0": (1.0, 2.0), "x/test/0/2": (0.0, 3.0)}
    assert files["a"] == {"x/test/0/1": (0.0, None)}


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(("start", "end"), [(2.0, 2.0), (3.0, 1.0), (-1.0, 2.0), (NAN, 1.0), (0.0, INF), (0.0, NAN)])
def test_impossible_times(start: float, end: float) -> None:
    found = fault(utterance(0, "a", start, end))
    assert found is not None
    assert found.reason == "bad_times"


def test_no_video_named() -> None:
    reasons = [getattr(fault(utterance(0, name)), "reason", None) for name in (None, "", "a")]
    assert reasons == ["no_video_named", "no_video_named", None]
