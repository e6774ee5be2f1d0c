"""Which lines are shown, and with what."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

from PIL import Image
from report_rows import LABELS, TEST_IDS, jpeg, keyframe, prediction, rows, utterance

from model.dialogue import Prediction
from tasks.report_examples import choose, examples, thumbnail


def mixed(right: int, wrong: int) -> list[Prediction]:
    labels = [LABELS[n % 3] for n in range(right + wrong)]
    return [prediction(f"demo/test/{n}/0", gold, gold if n < right else None) for n, gold in enumerate(labels)]


def test_half_are_right_and_half_wrong() -> None:
    chosen = choose(mixed(50, 50), 8)
    assert [row.predicted == row.gold for row in chosen] == [True] * 4 + [False] * 4


def test_what_one_half_lacks_the_other_fills() -> None:
    for right, wrong in ((1, 50), (50, 1), (0, 50), (50, 0)):
        chosen = choose(mixed(right, wrong), 8)
        assert len(chosen) == 8
        assert sum(row.predicted == row.gold for row in chosen) == (right if right < 4 else 8 - wrong)
    assert len(choose(mixed(2, 1), 8)) == 3
    assert choose(mixed(5, 5), 0) == []
    assert choose([], 8) == []


def test_labels_take_turns_and_the_order_of_rows_does_not_matter() -> None:
    rare = [prediction("demo/test/rare/0", "anger", "anger"), prediction("demo/test/rare/1", "neutral", "neutral")]
    many = [prediction(f"demo/test/{n}/0", "joy", "joy") for n in range(200)]
    chosen = choose([*many, *rare], 6)
    assert {row.gold for row in chosen} == {"joy", "anger", "neutral"}
    assert choose([*rare, *reversed(many)], 6) == chosen


def test_an_example_has_the_two_lines_before_it_of_its_own_dialogue() -> None:
    found = {item.line.utterance_id: item for item in examples(rows(), rows()["predictions"][:8], 8)}
    assert [line.utterance_id for line in found["demo/test/1/3"].before] == ["demo/test/1/1", "demo/test/1/2"]
    assert [line.utterance_id for line in found["demo/test/1/1"].before] == ["demo/test/1/0"]
    assert found["demo/test/1/0"].before == []


def test_an_example_shows_at_most_four_keyframes_in_order_of_time() -> None:
    frames = [keyframe(TEST_IDS[0], rank) for rank in (4, 2, 0, 3, 1)]
    (item,) = examples({**rows(), "keyframes": frames}, rows()["predictions"][:1], 8)
    assert [frame.time_s for frame in item.thumbnails] == [0.5, 1.5, 2.5, 3.5]
    assert [label for label, _ in item.top] == ["anger", "joy", "neutral"]


def test_a_prediction_of_no_known_line_is_left_out() -> None:
    assert examples({"utterances": [utterance("demo/test/0/0")]}, [prediction("demo/test/5/5")], 8) == []


def test_a_thumbnail_is_small_and_only_pixels() -> None:
    made = thumbnail(keyframe(TEST_IDS[0], picture=jpeg(1280, 720, comment=b"<script>secret</script>")))
    assert made.source
    data = base64.b64decode(made.source.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (made.width, made.height) == (240, 135)
    assert b"secret" not in data


def test_a_thumbnail_says_why_its_frame_was_chosen() -> None:
    plain = keyframe(TEST_IDS[0])
    assert thumbnail(plain).evidence == ["score 0.80"]
    assert thumbnail(replace(plain, faces=1, suspect=True)).evidence == [
        "score 0.80",
        "1 face",
        "out of a damaged stretch",
    ]
    assert thumbnail(replace(plain, score=None, faces=0)).evidence == ["0 faces"]


def test_a_small_picture_is_not_blown_up_and_a_damaged_one_is_none() -> None:
    assert thumbnail(keyframe(TEST_IDS[0], picture=jpeg(60, 40))).width == 60
    assert thumbnail(keyframe(TEST_IDS[0], picture=jpeg()[:200])).source is None
