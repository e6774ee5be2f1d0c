from __future__ import annotations

import math
from dataclasses import replace

import pytest

from model.dialogue import Instruction, Prediction, Rejected
from model.errors import VideoError
from model.generation import Generated
from model.predictor import Scored
from tasks.label_scoring import ScoredRow
from tasks.said import LONGEST, from_constrained, from_scores, from_text

ROW = Instruction("meld/test/0/0", "sound", (), "Ross: Hm\n", "joy", 9, (), None)
SCORED = ScoredRow(ROW, "meld", ("neutral", "joy"), 1, Scored((-1.0, -2.0), (2, 2), (0.7, 0.3), 1, 0.5))


def test_scoring_takes_the_likeliest_label_and_generation_the_greedy_one() -> None:
    scored, constrained = from_scores(SCORED, "tuned", "evaluate"), from_constrained(SCORED, "tuned", "evaluate")
    assert scored == Prediction(
        "meld/test/0/0", "tuned", "joy", "neutral", {"neutral": 0.7, "joy": 0.3}, "neutral", 0.5
    )
    assert constrained == Prediction("meld/test/0/0", "tuned", "joy", "joy", {}, "joy", 0.5)


def test_scores_that_are_not_finite_are_no_answer() -> None:
    broken = replace(SCORED, scored=replace(SCORED.scored, probabilities=(math.nan, math.nan)))
    for told in (from_scores, from_constrained):
        found = told(broken, "tuned", "calibrate")
        assert isinstance(found, Rejected)
        assert (found.reason, found.stage) == ("no_score", "calibrate")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Joy", "joy"),
        ("The emotion is happiness.", "joy"),
        ("", None),
        ("   \n", None),
        ("<|im_start|>joy", None),
        ("<b>joy</b>", "joy"),
        ("joy or anger", None),
        ("not joy", None),
        ("excited", None),
        ("peaceful", None),
        ("\u202ejoy\x00", "joy"),
        ("&lt;script&gt;joy", None),
        ('```json\n{"emotion": "joy"}\n```', None),
    ],
)
def test_an_answer_is_read_or_kept_as_it_is(text: str, label: str | None) -> None:
    found = from_text(ROW, Generated(text, 9, 4, 0.5), "org/oracle", "evaluate")
    assert isinstance(found, Prediction)
    assert (found.predicted, found.raw, found.gold, found.scores) == (label, text, "joy", {})
    assert (found.n_prompt_tokens, found.n_tokens) == (9, 4)


def test_a_long_answer_is_cut_and_tokens_that_nobody_counted_are_unknown() -> None:
    found = from_text(ROW, Generated("a" * 900_000, 0, 0, 0.5), "org/oracle", "evaluate")
    assert isinstance(found, Prediction)
    assert (len(found.raw), found.n_prompt_tokens, found.n_tokens) == (LONGEST, None, None)


def test_no_answer_is_a_reject_with_its_reason() -> None:
    found = from_text(ROW, VideoError("timed_out", "took too long"), "org/oracle", "evaluate")
    assert found == Rejected("meld/test/0/0", "evaluate", "timed_out", "took too long")
