"""Calibration beside scikit-learn and beside numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.dialogue import Prediction
from model.emotions import labels
from model.errors import CorpusError
from tasks.confidence import Bin, calibration_error, losses, reliability

NAMES = labels("meld")


def made(count: int, seed: int = 0) -> list[Prediction]:
    """Predictions whose gold labels are drawn from their own probabilities: perfectly calibrated but for chance."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        shares = random.dirichlet(np.full(len(NAMES), 0.5))
        gold = NAMES[random.choice(len(NAMES), p=shares)]
        rows.append(one(f"meld/test/{number // 5}/{number}", gold, shares))
    return rows


def one(name: str, gold: str, shares: np.ndarray) -> Prediction:
    best = NAMES[int(shares.argmax())]
    return Prediction(name, "tuned", gold, best, dict(zip(NAMES, map(float, shares), strict=True)), best, 0.0)


def flat(first: float, gold: str = "neutral", name: str = "meld/test/0/0") -> Prediction:
    return one(name, gold, np.array([first] + [(1 - first) / 6] * 6))


def test_losses_are_scikit_learns() -> None:
    from sklearn.metrics import brier_score_loss, log_loss

    rows = made(400)
    shares = np.array([list(row.scores.values()) for row in rows])
    order = sorted(range(len(NAMES)), key=NAMES.__getitem__)  # scikit-learn wants labels by the alphabet
    names = [NAMES[at] for at in order]
    found = {name: (value, bounds) for name, value, bounds in losses("meld", rows, 1000, 0)}
    gold = [row.gold for row in rows]
    assert found["nll"][0] == pytest.approx(log_loss(gold, shares[:, order], labels=names))
    brier = brier_score_loss(gold, shares[:, order], labels=names, scale_by_half=False)
    assert found["brier"][0] == pytest.approx(brier)
    for name in ("nll", "brier"):
        low, high = found[name][1] or (0, 0)
        assert low < found[name][0] < high
    assert found["ece"][0] == pytest.approx(calibration_error(reliability(rows)))


def test_the_interval_of_the_error_is_of_whole_dialogues_and_lies_too_high() -> None:
    """Beside the error of each resample as it stands, computed from its lines."""
    rows = made(200)
    (found,) = [bounds for name, _, bounds in losses("meld", rows, 4000, 0) if name == "ece"]
    by_dialogue = [[row for row in rows if row.utterance_id.startswith(f"meld/test/{d}/")] for d in range(40)]
    random = np.random.default_rng(1)
    errors = [
        calibration_error(reliability([row for d in random.integers(0, 40, 40) for row in by_dialogue[d]]))
        for _ in range(1000)
    ]
    assert found == pytest.approx(tuple(np.quantile(errors, [0.025, 0.975])), abs=0.012)
    assert np.mean(errors) > calibration_error(reliability(rows)) > 0.02  # of answers that are calibrated


def test_bins_hold_every_line_and_say_how_often_it_was_right() -> None:
    rows = [flat(0.95), flat(0.91, "joy"), flat(0.5), flat(0.45), flat(1.0)]
    assert reliability(rows) == [
        Bin(0.4, 0.5, 2, pytest.approx(0.475), 1.0),
        Bin(0.9, 1.0, 3, pytest.approx(2.86 / 3), pytest.approx(2 / 3)),
    ]
    assert calibration_error(reliability(rows)) == pytest.approx((2 * 0.525 + 3 * 0.86 / 3) / 5)


def test_what_is_calibrated_has_a_small_error_and_what_is_too_sure_a_large_one() -> None:
    rows = made(3000)
    sharpened = []
    for row in rows:
        shares = np.array([*row.scores.values()]) ** 3
        sharpened.append(one(row.utterance_id, row.gold, shares / shares.sum()))
    fair, sure = (calibration_error(reliability(part)) for part in (rows, sharpened))
    assert fair < 0.04 < 0.1 < sure


def test_answers_without_scores_have_no_confidence() -> None:
    bare = Prediction("meld/test/0/1", "tuned", "joy", None, {}, "hm", 0.0)
    assert list(losses("meld", [flat(0.9), bare], 1000, 0)) == []
    assert list(losses("meld", [], 1000, 0)) == []
    assert [item.count for item in reliability([flat(0.9), bare])] == [1]


def test_a_gold_label_of_no_probability_is_a_finite_loss() -> None:
    found = {name: value for name, value, _ in losses("meld", [flat(1.0, "joy")], 1000, 0)}
    assert found["nll"] == pytest.approx(15 * math.log(10))
    assert found["brier"] == pytest.approx(2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.5])
def test_scores_that_are_no_probabilities_are_one_error(bad: float) -> None:
    row = flat(0.9)
    row.scores["joy"] = bad
    with pytest.raises(CorpusError, match=r"meld/test/0/0: the scores of tuned are no probabilities .*--force"):
        list(losses("meld", [row], 1000, 0))
    with pytest.raises(CorpusError, match="of the labels of emorynlp"):
        list(losses("emorynlp", [flat(0.9)], 1000, 0))
