from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from model.dialogue import Instruction
from tasks import class_balance

ANSWERS = ["joy"] * 6 + ["neutral"] * 3 + ["anger"]


def row(name: str, answer: str) -> Instruction:
    return Instruction(name, "sound", (("user", name),), name, answer, 9, (), None)


ROWS = [row(f"meld/train/0/{k}", answer) for k, answer in enumerate(ANSWERS)]


def test_counts_and_what_is_missing() -> None:
    found = class_balance.counts([*ROWS, row("emorynlp/train/0/0", "mad")])
    assert found["meld"]["joy"] == 6
    assert found["emorynlp"]["mad"] == 1
    assert class_balance.missing({"meld": found["meld"]}) == [
        f"meld/{label}" for label, count in found["meld"].items() if count == 0
    ]
    assert len(class_balance.missing(found)) == 4 + 6


def test_weights_are_those_of_scikit_learn_and_add_up_to_the_rows() -> None:
    found = class_balance.weights(class_balance.counts([*ROWS, row("emorynlp/train/0/0", "mad")]))
    present = np.array(["anger", "joy", "neutral"])
    theirs = compute_class_weight("balanced", classes=present, y=np.array(ANSWERS))
    for label, value in zip(present, theirs, strict=True):
        assert found["meld", label] == pytest.approx(value)
    assert sum(found["meld", answer] for answer in ANSWERS) == pytest.approx(10)
    assert found["emorynlp", "mad"] == 1.0
    assert len(found) == 4


def test_log_priors_are_in_the_order_of_the_labels_and_finite() -> None:
    counts = class_balance.counts(ROWS)
    (found,) = class_balance.log_priors(counts, 2.0).values()
    by_label = dict(zip(counts["meld"], found, strict=True))
    assert by_label["joy"] == pytest.approx(2 * math.log(0.6))
    assert by_label["disgust"] == by_label["anger"] == pytest.approx(2 * math.log(0.1))
