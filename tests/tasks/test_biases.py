"""A bias for each label is fitted on dev, used as far as left-out dialogues of dev bear it out, and no further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scored_run import line

from model.dialogue import Prediction, Utterance
from model.emotions import labels
from tasks.biases import FOLDS, SHARES, SUFFIX, _best, _climb, _folds, correct, corrected, fit
from tasks.tally import answers_of, dialogue_of, scores, tally

NAMES = labels("demo")


def leaning(
    split: str, count: int, seed: int, lean: Mapping[str, float], signal: float = 1.5
) -> tuple[list[Utterance], list[Prediction]]:
    """Lines of all labels, equally many, and answers that know them but for noise and lean by so many nats."""
    random = np.random.default_rng(seed)
    lines = [line(split, n // 4, n % 4, NAMES[random.integers(len(NAMES))]) for n in range(count)]
    said = []
    for row in lines:
        logs = np.array([lean.get(name, 0.0) + signal * (name == row.emotion) for name in NAMES])
        logs += random.normal(0, 1, len(NAMES))
        shares = np.exp(logs) / np.exp(logs).sum()
        best = NAMES[int(shares.argmax())]
        scores_of = dict(zip(NAMES, map(float, shares), strict=True))
        said.append(Prediction(row.utterance_id, "tuned", row.emotion, best, scores_of, best, 0.0))
    return lines, said


def weighted_f1(said: list[Prediction]) -> float:
    gold = {row.utterance_id: row.gold for row in said}
    (answers,) = answers_of(said).values()
    return float(scores(tally("demo", gold, answers).sum(0))["weighted_f1"])


def test_biases_that_were_put_in_are_taken_out_again() -> None:
    lean = {"neutral": 1.5, "fear": -1.0}
    _, dev = leaning("dev", 600, 0, lean)
    _, test = leaning("test", 600, 1, lean)
    found, biases = corrected([*test, *dev], dev, "weighted_f1")
    one = biases["demo", "tuned"]
    assert one.share > 0
    assert one.of["neutral"] < -0.4 * one.share
    assert one.of["fear"] > 0.4 * one.share
    assert {row.system for row in found} == {"tuned" + SUFFIX}
    assert weighted_f1(found[:600]) > weighted_f1(test) + 0.03
    assert weighted_f1(found[600:]) > weighted_f1(dev) + 0.03  # each dialogue by the biases of the others
    assert all(sum(row.scores.values()) == pytest.approx(1) for row in found)
    assert all(row.predicted == max(row.scores, key=row.scores.__getitem__) for row in found)


def test_what_only_fits_the_lines_it_was_fitted_on_is_held_back() -> None:
    """Answers without any lean: biases fitted on few lines gain there, and on others lose."""
    gains, lost, bare = [], [], []
    for seed in range(6):
        _, dev = leaning("dev", 80, seed, {})
        _, test = leaning("test", 400, 100 + seed, {})
        gold = np.array([NAMES.index(row.gold) for row in dev])
        whole = dict(
            zip(NAMES, _climb(gold, np.log([[*row.scores.values()] for row in dev]), "weighted_f1"), strict=True)
        )
        gains.append(weighted_f1([correct(row, whole) for row in dev]) - weighted_f1(dev))
        bare.append(weighted_f1([correct(row, whole) for row in test]) - weighted_f1(test))
        lost.append(weighted_f1(corrected(test, dev, "weighted_f1")[0]) - weighted_f1(test))
    assert np.mean(gains) > 0.03
    assert np.mean(bare) < -0.01
    assert np.mean(lost) > np.mean(bare) + 0.005


def test_dev_dialogues_meet_biases_fitted_without_them() -> None:
    _, dev = leaning("dev", 400, 0, {"neutral": 2.0})
    one = fit("demo", dev, "weighted_f1")
    assert {*one.folds} == {dialogue_of(row.utterance_id) for row in dev}
    assert len({tuple(values.values()) for values in one.folds.values()}) > 1
    names = sorted({dialogue_of(row.utterance_id) for row in dev})
    fold = _folds(names)
    left_out = [row for row in dev if fold[dialogue_of(row.utterance_id)] == 0]
    other = [row if row not in left_out else replace(row, gold="fear") for row in dev]
    again = fit("demo", other, "weighted_f1")
    (name,) = {dialogue_of(left_out[0].utterance_id)}
    if again.share:
        scaled = {label: value * one.share / again.share for label, value in again.folds[name].items()}
        assert scaled == pytest.approx(one.folds[name])
    sizes = [list(fold.values()).count(place) for place in range(FOLDS)]
    assert max(sizes) - min(sizes) <= 1
    assert _folds(reversed(names)) == fold


def test_one_step_is_the_best_of_all_biases_for_one_label() -> None:
    _, dev = leaning("dev", 60, 3, {"joy": 1.0})
    gold = np.array([NAMES.index(row.gold) for row in dev])
    logs = np.log([[*row.scores.values()] for row in dev])
    best = _best(gold, logs, 1, "weighted_f1")

    def reached(bias: float) -> float:
        shifted = logs + bias * (np.arange(len(NAMES)) == 1)
        said = {row.utterance_id: NAMES[at] for row, at in zip(dev, shifted.argmax(1), strict=True)}
        return float(scores(tally("demo", {row.utterance_id: row.gold for row in dev}, said).sum(0))["weighted_f1"])

    assert reached(best) == pytest.approx(max(reached(step / 10) for step in range(-30, 31)))


def test_nothing_to_gain_and_too_little_to_learn_from_change_nothing() -> None:
    sure = [
        replace(row, scores={name: 0.94 if name == row.gold else 0.01 for name in NAMES}, predicted=row.gold)
        for row in leaning("dev", 40, 0, {})[1]
    ]
    assert fit("demo", sure, "macro_f1").share == 0
    one_dialogue = leaning("dev", 4, 0, {"neutral": 5.0})[1]
    assert fit("demo", one_dialogue, "weighted_f1") == fit("demo", one_dialogue[:1], "weighted_f1")
    assert SHARES[0] == 0
    same = corrected(sure, sure, "macro_f1")[0]
    assert [row.predicted for row in same] == [row.predicted for row in sure]


def test_dev_alone_decides_and_systems_without_scores_are_left_alone() -> None:
    _, dev = leaning("dev", 100, 0, {"neutral": 1.0})
    _, test = leaning("test", 100, 1, {"neutral": 1.0})
    turned = [replace(row, gold="fear") for row in test]
    assert corrected(test, dev, "macro_f1")[1] == corrected(turned, dev, "macro_f1")[1]
    untuned = [replace(row, system="untuned") for row in test]
    assert {row.system for row in corrected([*test, *untuned], dev, "macro_f1")[0]} == {"tuned+biases"}
    assert corrected(test, [], "macro_f1") == ([], {})
    assert corrected([replace(test[0], scores={}), *test[1:]], dev, "macro_f1") == ([], {})
