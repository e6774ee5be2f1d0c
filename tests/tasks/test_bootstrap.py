"""The bootstrap over dialogues beside scipy's and beside intervals that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks import bootstrap
from tasks.bootstrap import interval, resample, resampled_scores, swap
from tasks.tally import scores


def corpus(dialogues: int, lines: int, right: float, seed: int = 0, alike: bool = False) -> Any:
    """Counts of two labels; with ``alike`` all lines of a dialogue are right or all wrong."""
    random = np.random.default_rng(seed)
    counts = np.zeros((dialogues, 2, 3))
    for dialogue in range(dialogues):
        draws = np.repeat(random.random() < right, lines) if alike else random.random(lines) < right
        for hit in draws:
            gold = random.integers(2)
            counts[dialogue, gold, gold if hit else 1 - gold] += 1
    return counts


def test_a_resample_holds_as_many_dialogues_as_there_are_and_the_seed_decides() -> None:
    ones = np.ones((7, 1))
    assert (resample(ones, 50, 0) == 7).all()
    rows = np.arange(14.0).reshape(7, 2)
    assert (resample(rows, 50, 3) == resample(rows, 50, 3)).all()
    assert (resample(rows, 50, 3) != resample(rows, 50, 4)).any()
    assert resample(rows, 4000, 0).mean(0) == pytest.approx(rows.sum(0), rel=0.03)


def test_how_many_are_drawn_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = corpus(30, 5, 0.6)
    whole = resample(counts, 1000, 1)
    monkeypatch.setattr(bootstrap, "_AT_A_TIME", 30 * 7)
    assert (resample(counts, 1000, 1) == whole).all()


@pytest.mark.parametrize("name", ["accuracy", "weighted_f1", "macro_f1"])
def test_intervals_are_those_of_scipy(name: str) -> None:
    from scipy.stats import bootstrap as theirs

    counts = corpus(40, 6, 0.7)

    def statistic(drawn: Any, axis: int) -> Any:
        return scores(counts[drawn].sum(axis - 2))[name] if drawn.ndim > 1 else scores(counts[drawn].sum(0))[name]

    expected = theirs(
        (np.arange(40),), statistic, n_resamples=5000, method="percentile", vectorized=True, axis=-1, rng=1
    ).confidence_interval
    ours = interval(resampled_scores(resample(counts, 5000, 1))[name])
    assert ours == pytest.approx((expected.low, expected.high), abs=0.01)


def test_lines_of_a_dialogue_that_are_alike_make_the_interval_wider() -> None:
    """By the square root of the dialogue's length, where all of its lines are right or all wrong."""
    widths = []
    for alike in (False, True):
        low, high = interval(resampled_scores(resample(corpus(200, 9, 0.6, alike=alike), 4000, 0))["accuracy"]) or (
            0,
            0,
        )
        widths.append(high - low)
    assert widths[1] / widths[0] == pytest.approx(3, rel=0.2)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = []
    for seed in range(300):
        low, high = interval(resampled_scores(resample(corpus(60, 4, 0.7, seed), 500, seed))["accuracy"]) or (0, 0)
        covered.append(low <= 0.7 <= high)
    assert 0.89 < np.mean(covered) < 0.99


@pytest.mark.parametrize("counts", [corpus(1, 9, 0.5), corpus(9, 4, 1.0), corpus(9, 4, 0.0)])
def test_resamples_that_do_not_differ_give_no_interval(counts: Any) -> None:
    for values in resampled_scores(resample(counts, 200, 0)).values():
        assert interval(values if values.ndim == 1 else values[:, 0]) is None or values.ndim > 1
    assert interval(resampled_scores(resample(counts, 200, 0))["accuracy"]) is None


def test_a_label_that_is_not_drawn_has_no_score_there() -> None:
    counts = np.zeros((8, 2, 3))
    counts[:, 0, 0] = 3
    counts[0, 1, 1] = 2
    counts[1, 0, 1] = 1
    drawn = resample(counts, 500, 0)
    f1 = resampled_scores(drawn)["f1"][:, 1]
    assert np.isnan(f1).tolist() == (drawn[:, 1].sum(-1) == 0).tolist()
    assert 0 < np.isnan(f1).mean() < 1
    low, high = interval(f1) or (0, 0)
    assert 0 < low < high <= 1


def test_swaps_leave_the_sum_of_both_sides_and_are_those_of_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = np.stack([corpus(12, 4, 0.9), corpus(12, 4, 0.5, seed=1)], axis=1)
    swapped = swap(pairs, 2000, 0)
    assert (swapped.sum(1) == pairs.sum((0, 1))).all()
    assert swapped[:, 0].mean(0) == pytest.approx(pairs.sum((0, 1)) / 2, abs=1)
    monkeypatch.setattr(bootstrap, "_AT_A_TIME", 12 * 7)
    assert (swap(pairs, 2000, 0) == swapped).all()
    assert (swap(pairs, 2000, 1) != swapped).any()
