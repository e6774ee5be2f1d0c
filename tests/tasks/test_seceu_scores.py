"""Scores of a test of emotional understanding, by hand, against the norms of the published one, and beside controls."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from seceu_file import HUMAN, SCORES, write

from tasks.seceu_scores import best_constant, controls, correlation, distances, norms, worth
from tasks.seceu_test import Item, Test, load

PUBLISHED = [  # Table 6: SECEU score, EQ, percent of people who are beaten
    *((2.4, 107, 64), (3.3, 91, 23), (2.63, 103, 52), (1.89, 117, 89), (2.56, 104, 56)),
    *((3.72, 83, 13), (2.5, 105, 59), (3.12, 94, 28), (2.46, 106, 61), (2.31, 109, 72)),
]


@pytest.fixture
def test(tmp_path: Path) -> Test:
    return load(write(tmp_path / "items.json"))


def test_the_norms_give_the_published_quotients() -> None:
    published = Test("k", (), 2.79, 0.822)
    for distance, eq, percentile in PUBLISHED:
        found = norms(published, distance)
        assert found[0] == pytest.approx(eq, abs=1)
        assert found[1] == pytest.approx(percentile, abs=7)  # theirs are of the people themselves


def test_right_answers_are_at_no_distance(test: Test) -> None:
    found = worth(test, {item.name: item.standard for item in test.items})
    assert found.distance == pytest.approx(0, abs=0.01)
    assert (found.answered, found.eq) == (5, pytest.approx(190, abs=0.2))
    assert found.gain == pytest.approx(found.uniform, abs=0.01)


def test_distances_by_hand(test: Test) -> None:
    answers = {"1": (4.0, 3.0, 2.0, 1.0), "4": (1.0, 1.0, 1.0, 1.0)}
    far = distances(test, answers)
    assert far == {"1": pytest.approx(math.sqrt(1 + 0.25 + 0.25)), "4": pytest.approx(math.sqrt(4.5**2 + 3 * 1.5**2))}
    found = worth(test, answers)
    assert (found.answered, found.rescaled) == (2, 1)
    assert found.distance == pytest.approx((far["1"] + far["4"]) / 2)
    assert found.eq is found.percentile is found.pattern is None  # the norms are of the whole test
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.distance < found.high
    same = [math.dist((2.5,) * 4, SCORES[at]) for at in (0, 3)]
    assert found.uniform == pytest.approx(sum(same) / 2)
    assert found.gain == pytest.approx(found.uniform - found.distance)


def test_no_answers_are_worth_nothing(test: Test) -> None:
    found = worth(test, {})
    assert (found.answered, found.distance, found.eq, found.gain) == (0, None, None, None)


def test_the_pattern_is_pearsons_correlation_with_people(test: Test) -> None:
    far = {str(at): 2 * human + 1 for at, human in enumerate(HUMAN, 1)}
    assert correlation(test, far)[0] == pytest.approx(1)
    assert correlation(test, {name: -value for name, value in far.items()})[0] == pytest.approx(-1)
    assert correlation(test, dict.fromkeys(far, 1.0)) == (None, None)
    assert correlation(test, {"1": 1.0, "2": 2.0}) == (None, None)


def test_no_constant_is_better_than_the_best(test: Test) -> None:
    found = controls(test)
    best = found["best_constant"].distance
    names = [item.name for item in test.items]
    assert best is not None
    assert best < min(value for name, one in found.items() if name != "best_constant" and (value := one.distance))
    rng = np.random.default_rng(1)
    for draw in (rng.dirichlet(np.ones(4), 200) * 10).tolist():
        assert worth(test, dict.fromkeys(names, tuple(draw)), 1000).distance >= best - 1e-6  # type: ignore[operator]
    assert sum(best_constant(test)) == pytest.approx(10, abs=0.02)


def test_random_answers_are_worse_than_the_same_for_all(test: Test) -> None:
    found = controls(test)
    assert found["uniform"].gain == pytest.approx(0)
    random = found["random"]
    assert random.gain is not None
    assert random.gain_high is not None
    assert random.low < random.distance < random.high  # type: ignore[operator]
    assert random.gain_high < 0
    assert random.eq == pytest.approx(15 * (3.0 - random.distance) / 0.5 + 100)  # type: ignore[operator]
    assert controls(test) == found


def test_options_that_go_by_their_place_are_found_out_by_shuffling() -> None:
    items = tuple(Item(str(n), "x", ("a", "b", "c", "d"), (4.0, 3.0, 2.0, 1.0), 2.0) for n in range(30))
    ordered = Test("k", items, 3.0, 0.5)
    assert controls(ordered, 1000)["in_order"].distance == 0
    shuffled = controls(ordered.shuffled(0), 1000)
    assert shuffled["in_order"].distance > shuffled["uniform"].distance  # type: ignore[operator]
