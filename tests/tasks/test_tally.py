"""Counts by dialogue, and their scores beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from model.emotions import labels
from model.errors import CorpusError
from tasks.tally import OVERALL, dialogue_of, scores, tally

NAMES = labels("meld")
GOLD = ["neutral"] * 6 + ["joy"] * 4 + ["fear"] * 2
SAID = ["neutral", "neutral", "joy", None, "anger", "neutral", "joy", "joy", "neutral", None, "fear", "joy"]
IDS = [f"meld/test/{number % 3}/{number}" for number in range(len(GOLD))]


def test_scores_agree_with_scikit_learn_and_no_answer_is_wrong() -> None:
    from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

    counts = tally("meld", dict(zip(IDS, GOLD, strict=True)), dict(zip(IDS, SAID, strict=True)))
    assert counts.shape == (3, len(NAMES), len(NAMES) + 1)
    found = scores(counts.sum(0))
    filled = [label or "none" for label in SAID]
    assert found["accuracy"] == pytest.approx(accuracy_score(GOLD, filled))
    for average in ("weighted", "macro"):
        expected = f1_score(GOLD, filled, average=average, labels=sorted(set(GOLD)))
        assert found[f"{average}_f1"] == pytest.approx(expected)
    theirs = precision_recall_fscore_support(GOLD, filled, labels=list(NAMES), zero_division=0)
    for name, expected in zip(("precision", "recall", "f1"), theirs, strict=False):
        assert found[name] == pytest.approx(expected)


def test_many_tables_at_once_are_each_as_if_alone() -> None:
    tables = np.random.default_rng(0).integers(0, 5, (4, 3, 7, 8)).astype(float)
    together = scores(tables)
    for at in np.ndindex(4, 3):
        for name, alone in scores(tables[at]).items():
            assert together[name][at] == pytest.approx(alone)


def test_dialogues_have_the_order_that_is_asked_for() -> None:
    gold = dict.fromkeys(IDS, "joy")
    counts = tally("meld", gold, {IDS[1]: "joy", IDS[2]: None}, ["meld/test/2", "meld/test/0", "meld/test/1"])
    assert counts.sum((1, 2)).tolist() == [1, 0, 1]
    assert counts[0, NAMES.index("joy"), -1] == 1
    assert dialogue_of("meld/test/38/4") == "meld/test/38"


def test_of_no_lines_there_is_no_score() -> None:
    found = scores(tally("meld", {}, {}).sum(0))
    assert all(np.isnan(found[name]) for name in OVERALL)


@pytest.mark.parametrize(
    ("gold", "said", "message"),
    [
        ({}, "joy", r"1 predictions are of utterances that the corpus meld lacks, the first meld/test/0/0"),
        ({IDS[0]: "joy"}, "joyful", r"meld/test/0/0: 'joyful' is not a label of meld"),
        ({IDS[0]: "mad"}, "joy", r"meld/test/0/0: 'mad' is not a label of meld"),
    ],
)
def test_answers_that_are_not_the_corpuss_are_one_error(gold: dict[str, str], said: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        tally("meld", gold, {IDS[0]: said})
