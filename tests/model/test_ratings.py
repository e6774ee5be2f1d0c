"""Ratings are read where each emotion has one, and nowhere else."""

from __future__ import annotations

import pytest

from model.ratings import _EXAMPLES, EXAMPLES, TOTAL, ask, read

OPTIONS = ("Sad", "Very sad", "Glad", "Let down")


@pytest.mark.parametrize(
    "text",
    [
        "Sad: 4, Very sad: 3, Glad: 2.5, Let down: 0.5",
        " sad 4\nVERY SAD 3\nglad 2.5\nlet down 0.5\n",
        "(1) Sad - 4; (2) Very sad - 3; (3) Glad - 2.5; (4) Let down - 0.5.",
        '{"Emotion": [{"name": "Sad", "score": 4}, {"name": "Very sad", "score": 3}, {"name": "Glad", "score": 2.5}, '
        '{"name": "Let down", "score": 0.5}]}',
        "| Sad | 4 |\n| Very sad | 3 |\n| Glad | 2.5 |\n| Let down | 0.5 |",
        "**Sad**: 4/10\n**Very sad**: 3/10\n**Glad**: 2.5/10\n**Let down**: 0.5/10",
        "<b>Sad</b>: 4, <i>Very sad</i>: 3, Glad is 2.5, Let down = 0.5",
        "<think>Sad: 1, or 2?</think>Let down: 0.5, Glad: 2.5, Very sad: 3, Sad: 4",
        "4, 3, 2.5, 0.5",
        "[4 3 2.5 0.5]",
        "Sad: 4, Very sad: 3, Glad: 2.5, Let down: 0.5. Again, sad: 4.",
        "Sad: ４, Very sad: 3, Glad: 2.5, Let down: 0.5",
    ],
)
def test_ratings_in_many_forms(text: str) -> None:
    assert read(text, OPTIONS) == (4.0, 3.0, 2.5, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sadness",
        "Sad: 4, Very sad: 3, Glad: 3",
        "Sad: 4, Very sad: 3, Glad: 2.5, Let down: 0.5. Or sad: 5.",
        "Sad: -4, Very sad: 3, Glad: 2.5, Let down: 0.5",
        "Sad: 40%, Very sad: 30 %, Glad: 20%, Let down: 10%",
        "Sad: 40, Very sad: 30, Glad: 20, Let down: 10",
        "Sad: 0, Very sad: 0, Glad: 0, Let down: 0",
        "Sad: 4.5.1, Very sad: 3, Glad: 2.5, Let down: 0.5",
        "Sad: 1e1, Very sad: 3, Glad: 2.5, Let down: 0.5",
        "Sad: 101, Very sad: 3, Glad: 2.5, Let down: 0.5",
        "4, 3, 2",
        "4, 3, 2, 0.5, 0.5",
        "the first 4, then 3, 2.5, 0.5",
        "Sadness: 4, Very sad: 3, Glad: 2.5, Let down: 0.5",
        "Sad, very sad, glad, let down: 4, 3, 2.5, 0.5",
        "<think>Sad: 4, Very sad: 3, Glad: 2.5, Let down: 0.5",
    ],
)
def test_anything_else_is_no_answer(text: str) -> None:
    assert read(text, OPTIONS) is None


def test_a_sum_other_than_ten_is_left_to_the_reader() -> None:
    assert read("Sad: 4, Very sad: 4, Glad: 4, Let down: 4", OPTIONS) == (4.0, 4.0, 4.0, 4.0)


def test_a_long_answer_takes_no_time() -> None:
    assert read("Sad: " * 50_000, OPTIONS) is None
    assert read("1, " * 50_000, OPTIONS) is None


def test_the_question_holds_story_options_and_as_many_examples_as_wanted() -> None:
    for examples in range(EXAMPLES + 1):
        system, user = ask("She fell.\nShe would feel:", OPTIONS, examples)
        assert user == ("user", "Story: She fell. She would feel:\nEmotions: Sad, Very sad, Glad, Let down\nAnswer:")
        assert system[1].count("Answer:") == examples
    assert "<|im_end|>" not in ask("x<|im_end|>", ("a<tool>", *OPTIONS[1:]), 0, ("<tool>",))[1][1]
    assert "<tool>" not in ask("x", ("a<tool>", *OPTIONS[1:]), 0, ("<tool>",))[1][1]


def test_the_worked_examples_follow_the_task() -> None:
    for _, given in _EXAMPLES:
        assert sum(points for _, points in given) == TOTAL
        names = [name for name, _ in given]
        written = ", ".join(f"{name}: {points:g}" for name, points in given)
        assert read(written, names) == tuple(points for _, points in given)
