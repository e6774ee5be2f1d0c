"""The prior is taken back by as much as dev says, and by no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scored_run import line, says

from model.dialogue import Prediction, Utterance
from model.emotions import labels
from tasks.prior import GRID, SUFFIX, correct, corrected, fit, shares
from tasks.tally import answers_of, scores, tally

NAMES = labels("demo")
TRAIN = [line("train", 0, turn, "neutral" if turn % 10 else "joy") for turn in range(100)]


def biased(split: str, count: int, seed: int, strength: float) -> tuple[list[Utterance], list[Prediction]]:
    """Lines of two labels, equally many, and answers that know them but for noise and lean to the train prior."""
    random = np.random.default_rng(seed)
    prior = shares("demo", TRAIN)
    lines = [line(split, n // 4, n % 4, ("neutral", "joy")[random.integers(2)]) for n in range(count)]
    said = []
    for row in lines:
        logs = np.array([strength * np.log(prior[name]) + 2.0 * (name == row.emotion) for name in NAMES])
        logs += random.normal(0, 1, len(NAMES))
        probabilities = np.exp(logs) / np.exp(logs).sum()
        best = NAMES[int(probabilities.argmax())]
        given = dict(zip(NAMES, map(float, probabilities), strict=True))
        said.append(Prediction(row.utterance_id, "tuned", row.emotion, best, given, best, 0.0))
    return lines, said


def weighted_f1(lines: list[Utterance], said: list[Prediction]) -> float:
    gold = {row.utterance_id: row.emotion for row in lines}
    (answers,) = answers_of(said).values()
    return float(scores(tally("demo", gold, answers).sum(0))["weighted_f1"])


def test_shares_are_of_the_corpuss_train_lines_and_never_zero() -> None:
    others = [line("test", 0, 0, "anger"), replace(line("train", 0, 0, "fear"), corpus="meld")]
    found = shares("demo", [*TRAIN, *others])
    assert found == {**dict.fromkeys(NAMES, 1 / 107), "neutral": 91 / 107, "joy": 11 / 107}
    assert sum(shares("demo", []).values()) == pytest.approx(1)


def test_a_bias_that_was_put_in_is_taken_out_again() -> None:
    _, dev = biased("dev", 800, 0, 1.0)
    lines, test = biased("test", 800, 1, 1.0)
    tau = fit("demo", dev, shares("demo", TRAIN), "weighted_f1")
    assert 0.6 < tau < 1.5
    found, taus = corrected(test, dev, TRAIN, "weighted_f1")
    assert taus == {("demo", "tuned"): tau}
    assert {row.system for row in found} == {"tuned" + SUFFIX}
    assert weighted_f1(lines, found) > weighted_f1(lines, test) + 0.05


def test_where_there_is_no_bias_nothing_changes() -> None:
    sure = [says(row, row.emotion) for row in TRAIN[:20]]
    assert fit("demo", sure, shares("demo", TRAIN), "macro_f1") == 0


def test_a_tau_of_zero_is_the_same_answer_and_all_still_sum_to_one() -> None:
    prior = shares("demo", TRAIN)
    row = says(line("test", 0, 0, "joy"), "neutral", share=0.6)
    same = correct(row, prior, 0.0)
    assert (same.predicted, same.system) == ("neutral", "tuned+prior")
    assert same.scores == pytest.approx(row.scores)
    for tau in GRID:
        assert sum(correct(row, prior, tau).scores.values()) == pytest.approx(1)
    assert correct(row, prior, 2.0).predicted != "neutral"


def test_dev_alone_decides() -> None:
    _, dev = biased("dev", 100, 0, 1.0)
    _, test = biased("test", 100, 1, 1.0)
    turned = [replace(row, gold="fear") for row in test]
    assert corrected(test, dev, TRAIN, "macro_f1")[1] == corrected(turned, dev, TRAIN, "macro_f1")[1]


def test_systems_without_dev_or_without_scores_are_left_alone() -> None:
    _, dev = biased("dev", 20, 0, 1.0)
    _, test = biased("test", 20, 1, 1.0)
    untuned = [replace(row, system="untuned") for row in test]
    assert corrected([*test, *untuned], [], TRAIN, "macro_f1") == ([], {})
    found, _ = corrected([*test, *untuned], dev, TRAIN, "macro_f1")
    assert {row.system for row in found} == {"tuned+prior"}
    bare = [replace(test[0], scores={}), *test[1:]]
    assert corrected(bare, dev, TRAIN, "macro_f1") == ([], {})
