"""Two systems on the same lines: beside scipy, beside what tests promise, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scored_run import corpus_lines, line

from model.dialogue import Utterance
from model.errors import SettingsError
from tasks.compare import DETECTABLE, Difference, differences, flips, pairs, record
from tasks.systems import Said

LINES = [line("test", dialogue, turn, ("joy", "anger")[turn % 2]) for dialogue in range(40) for turn in range(6)]


class Named:
    """As much of a run as a comparison asks for."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id


def said(name: str, wrong: Any, lines: list[Utterance] = LINES) -> Said:
    answers = {row.utterance_id: "fear" if place in wrong else row.emotion for place, row in enumerate(lines)}
    return Said(Named(name), "tuned", {row.utterance_id: row.emotion for row in lines}, answers)  # type: ignore[arg-type]


def compared(first: Said, second: Said, **options: Any) -> dict[str, Difference]:
    (pair,) = pairs(first, second, "test", **options)
    return {row.metric: row for row in differences(pair, 4000)}


def test_the_difference_its_interval_and_what_flipped() -> None:
    first, second = said("a-1", range(0, 30)), said("b-2", range(20, 100))
    found = compared(first, second)
    accuracy = found["accuracy"]
    assert (accuracy.first, accuracy.second, accuracy.corpus, accuracy.split) == (
        "a-1:tuned",
        "b-2:tuned",
        "demo",
        "test",
    )
    assert (accuracy.utterances, accuracy.dialogues, accuracy.first_only, accuracy.second_only) == (240, 40, 0, 0)
    assert (accuracy.first_value, accuracy.second_value) == (210 / 240, 160 / 240)
    assert accuracy.difference == pytest.approx(50 / 240)
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.difference < accuracy.high
    assert set(found) == {"accuracy", "weighted_f1", "macro_f1"}
    assert found["macro_f1"].mcnemar_p is None
    (pair,) = pairs(first, second, "test")
    rows = flips(pair)
    assert [row.label for row in rows] == ["joy", "anger"]
    assert [
        sum(getattr(row, name) for row in rows) for name in ("both_right", "first_right", "second_right", "both_wrong")
    ] == [140, 70, 20, 10]


def test_turned_around_it_is_the_same_difference() -> None:
    one, other = said("a-1", range(0, 30)), said("b-2", range(20, 60))
    here, there = compared(one, other)["weighted_f1"], compared(other, one)["weighted_f1"]
    assert here.low is not None
    assert there.high is not None
    assert here.difference == -there.difference
    assert here.low == pytest.approx(-there.high)
    assert (here.p, here.swap_p) == (there.p, there.swap_p)
    assert here.detectable == pytest.approx(there.detectable)


def test_mcnemar_is_the_exact_binomial_test() -> None:
    """10 lines against 2: 2 * (1 + 12 + 66) / 2 ** 12, by hand."""
    found = compared(said("a-1", range(0, 2)), said("b-2", range(2, 12)))
    assert found["accuracy"].mcnemar_p == pytest.approx(2 * 79 / 4096)


def test_the_interval_and_the_smallest_difference_are_those_of_scipy() -> None:
    """Accuracy's difference is a mean over dialogues of equal length, which scipy can resample on its own."""
    from scipy.stats import bootstrap

    random = np.random.default_rng(0)
    first, second = (
        said("a-1", set(random.choice(240, 40, replace=False))),
        said("b-2", set(random.choice(240, 70, replace=False))),
    )
    ours = compared(first, second)["accuracy"]
    hits = np.array([[side.answers[name] == gold for name, gold in side.gold.items()] for side in (first, second)])
    each = (hits[0].astype(float) - hits[1]).reshape(40, 6).mean(1)
    theirs = bootstrap((each,), np.mean, n_resamples=4000, method="percentile", rng=0)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)
    assert ours.detectable == pytest.approx(DETECTABLE * each.std() / 40**0.5, rel=0.05)


def test_few_dialogues_never_say_more_than_their_swaps_can() -> None:
    """Six dialogues that all point one way: 2 of 64 ways to swap them are as extreme."""
    lines = LINES[:36]
    found = compared(said("a-1", [], lines), said("b-2", range(0, 36, 6), lines))["accuracy"]
    assert found.p < 0.001
    assert found.swap_p == pytest.approx(2 / 64, abs=0.01)


def test_swaps_are_the_permutations_of_scipy() -> None:
    from scipy.stats import permutation_test

    random = np.random.default_rng(3)
    sides = [said(name, set(random.choice(240, size, replace=False))) for name, size in (("a", 60), ("b", 75))]
    hits = np.array([[side.answers[name] == gold for name, gold in side.gold.items()] for side in sides])
    each = hits.reshape(2, 40, 6).sum(2).astype(float)
    theirs = permutation_test(
        (each[0], each[1]), lambda x, y, axis: (x - y).sum(axis), permutation_type="samples", n_resamples=4000, rng=0
    )
    assert compared(*sides)["accuracy"].swap_p == pytest.approx(theirs.pvalue, abs=0.03)


def test_no_difference_is_found_where_there_is_none_as_often_as_the_level_says() -> None:
    found = []
    swaps = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        sides = [said(name, set(np.flatnonzero(random.random(240) < 0.25))) for name in ("a-1", "b-2")]
        (pair,) = pairs(*sides, "test")
        row = differences(pair, 500, seed)[0]
        found.append(row.p < 0.05)
        swaps.append(row.swap_p < 0.05)
    assert 0.005 < np.mean(found) < 0.12
    assert 0.005 < np.mean(swaps) < 0.1


def test_a_true_difference_of_the_detectable_size_is_found_four_times_in_five() -> None:
    found, sizes = [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        rates = (0.2, 0.2 + 0.1)
        sides = [
            said(name, set(np.flatnonzero(random.random(240) < rate))) for name, rate in zip("ab", rates, strict=True)
        ]
        row = differences(pairs(*sides, "test")[0], 500, seed)[0]
        found.append(row.p < 0.05)
        sizes.append(row.detectable)
    # the difference is 0.1; the power that the mean detectable size promises for it, by the normal law
    from scipy.stats import norm

    promised = norm.cdf(0.1 / (np.mean(sizes) / DETECTABLE) - 1.96)
    assert np.mean(found) == pytest.approx(promised, abs=0.12)


def test_the_same_answers_are_no_difference() -> None:
    for row in compared(said("a-1", range(9)), said("b-2", range(9))).values():
        assert (row.difference, row.low, row.high, row.p, row.swap_p, row.detectable) == (0, None, None, 1, 1, 0)


def test_lines_of_one_side_alone_are_refused_or_left_out_and_counted() -> None:
    first, second = said("a-1", [0]), said("b-2", [1], LINES[6:-3])
    with pytest.raises(SettingsError, match=r"a-1:tuned alone has 9 lines of demo: --intersect compares the 231 lines"):
        pairs(first, second, "test")
    found = compared(first, second, intersect=True)["accuracy"]
    assert (found.utterances, found.dialogues, found.first_only, found.second_only) == (231, 39, 9, 0)
    with pytest.raises(SettingsError, match="have no line of demo in common"):
        pairs(said("a-1", [], LINES[:6]), said("b-2", [], LINES[6:]), "test", intersect=True)


def test_other_corpora_and_label_sets_are_refused() -> None:
    four = [line("test", 0, turn, "happy", "iemocap4") for turn in range(4)]
    six = [line("test", 0, turn, "happy", "iemocap") for turn in range(4)]
    for options in ({}, {"intersect": True}):
        with pytest.raises(
            SettingsError, match=r"label sets: iemocap4 \(happy, sad, neutral, angry\) against iemocap \("
        ):
            pairs(said("a-1", [], four), said("b-2", [], six), "test", **options)
    with pytest.raises(SettingsError, match=r"--intersect compares iemocap4 alone"):
        pairs(said("a-1", [], four), said("b-2", [], [*four, *six]), "test")
    assert [
        one.corpus for one in pairs(said("a-1", [], four), said("b-2", [], [*four, *six]), "test", intersect=True)
    ] == ["iemocap4"]


def test_other_gold_labels_are_always_refused() -> None:
    other = [replace(row, emotion="sadness") if place == 7 else row for place, row in enumerate(LINES)]
    for options in ({}, {"intersect": True}):
        with pytest.raises(
            SettingsError, match=r"1 of 240 lines have another gold label in b-2, the first demo/test/1/1"
        ):
            pairs(said("a-1", []), said("b-2", [], other), "test", **options)


def test_several_corpora_are_compared_apart() -> None:
    both = [*LINES, *(row for row in corpus_lines(8, "meld") if row.split == "test")]
    found = pairs(said("a-1", [0], both), said("b-2", [250], both), "test")
    assert [(one.corpus, len(one.first.answers)) for one in found] == [("demo", 240), ("meld", 32)]


def test_the_record_of_the_same_comparison_has_the_same_key() -> None:
    rows = list(compared(said("a-1", [0]), said("b-2", [1])).values())
    again = list(compared(said("a-1", [0]), said("b-2", [1])).values())
    assert record(rows, 4000, 0) == record(again, 4000, 0)
    assert record(rows, 4000, 0)["comparison"] != record(rows, 4000, 1)["comparison"]
    turned = list(compared(said("b-2", [1]), said("a-1", [0])).values())
    assert record(turned, 4000, 0)["comparison"] != record(rows, 4000, 0)["comparison"]
