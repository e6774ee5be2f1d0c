from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.dialogue import Utterance
from tasks.corpora import emorynlp, meld
from tasks.floors import majority, tfidf_lr

REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent"))


def line(number: int, emotion: str, text: str, split: str = "train") -> Utterance:
    return Utterance(f"meld/{split}/0/{number}", "meld", split, "0", number, str(number), "Ross", text, emotion)


TRAIN = [
    *(line(i, "surprise", f"What?! number {i}?!") for i in range(5)),
    *(line(10 + i, "sadness", f"I miss him so, day {i}...") for i in range(5)),
    *(line(20 + i, "neutral", f"Table {i} is ready.") for i in range(6)),
]


def test_majority_is_the_commonest_label_of_train() -> None:
    lines = [line(0, "joy", "x", "test"), line(1, "fear", "y", "test")]
    assert majority(TRAIN, lines) == {"meld/test/0/0": "neutral", "meld/test/0/1": "neutral"}
    assert set(majority(TRAIN[:10], lines).values()) == {"sadness"}  # five each: the first in the alphabet


def test_tfidf_learns_words_and_punctuation_and_is_deterministic() -> None:
    lines = [line(0, "joy", "Really?!", "test"), line(1, "joy", "I miss that", "test"), line(2, "joy", "", "test")]
    found = tfidf_lr(TRAIN, lines)
    assert (found["meld/test/0/0"], found["meld/test/0/1"]) == ("surprise", "sadness")
    assert tfidf_lr(TRAIN, lines) == found


def test_a_corpus_of_one_label_still_has_a_floor() -> None:
    assert tfidf_lr(TRAIN[:3], TRAIN[-1:]) == {TRAIN[-1].utterance_id: "surprise"}


@pytest.mark.parametrize(
    ("corpus", "accuracy_of_majority", "least"), [("meld", 0.481, 0.58), ("emorynlp", 0.293, 0.34)]
)
def test_floors_of_the_real_corpora(corpus: str, accuracy_of_majority: float, least: float) -> None:
    if not (REAL / corpus).is_dir():
        pytest.skip("the real corpora are not here: set DIALOGUELLM_TEST_DATA")
    read = {"meld": meld.read, "emorynlp": emorynlp.read}[corpus]
    rows = [row for row in read(REAL / corpus) if isinstance(row, Utterance)]
    train, test = ([row for row in rows if row.split == split] for split in ("train", "test"))

    def accuracy(found: dict[str, str]) -> float:
        return sum(found[row.utterance_id] == row.emotion for row in test) / len(test)

    assert accuracy(majority(train, test)) == pytest.approx(accuracy_of_majority, abs=0.0005)
    assert least < accuracy(tfidf_lr(train, test)) < least + 0.05
