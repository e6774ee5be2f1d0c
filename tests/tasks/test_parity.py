"""The check of a merge passes what rounding does and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from model.dialogue import Instruction
from model.predictor import Scored
from tasks.label_scoring import ScoredRow
from tasks.parity import compare

ROW = Instruction("demo/dev/0/0", "v", (), "p", "joy", 1, (), None)


def scored(*lines: tuple[float, float]) -> list[ScoredRow]:
    return [ScoredRow(ROW, "demo", ("joy", "anger"), 0, Scored((0.0, 0.0), (1, 1), line, 0, 0.0)) for line in lines]


BASE = scored((0.5, 0.5), (0.5, 0.5))


def test_the_same_answers_pass() -> None:
    ours = scored((0.9, 0.1), (0.2, 0.8))
    found = compare(ours, ours, BASE, 0.0)
    assert (found.utterances, found.agreeing, found.tied, found.largest_gap) == (2, 2, 0, 0.0)
    assert found.effect == pytest.approx(0.4)
    assert found.passed


@pytest.mark.parametrize(
    ("merged", "agreeing", "tied", "passed"),
    [
        (((0.91, 0.09), (0.505, 0.495)), 2, 0, True),
        (((0.9, 0.1), (0.495, 0.505)), 1, 1, True),  # the adapter had them within the tolerance
        (((0.93, 0.07), (0.505, 0.495)), 2, 0, False),  # same labels, too far
        (((0.1, 0.9), (0.505, 0.495)), 1, 0, False),
    ],
)
def test_what_passes(merged: Sequence[tuple[float, float]], agreeing: int, tied: int, passed: bool) -> None:
    found = compare(scored((0.9, 0.1), (0.505, 0.495)), scored(*merged), BASE, 0.02)
    assert (found.agreeing, found.tied, found.passed) == (agreeing, tied, passed)


def test_two_labels_just_within_the_gap_are_still_not_a_tie_for_the_adapter() -> None:
    found = compare(scored((0.515, 0.485)), scored((0.499, 0.501)), scored((0.5, 0.5)), 0.02)
    assert found.largest_gap < 0.02
    assert not found.passed


def test_what_is_no_number_does_not_pass() -> None:
    nan = float("nan")
    assert not compare(scored((0.9, 0.1)), scored((nan, nan)), scored((0.5, 0.5)), 1.0).passed
