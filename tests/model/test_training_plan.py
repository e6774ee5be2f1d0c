from __future__ import annotations

from itertools import pairwise

import pytest

from model.packing import Item
from model.training_plan import Example, TrainOptions, batches, epoch_order, learning_rate, n_steps

LENGTHS = [(7 * k) % 41 + 3 for k in range(50)]
EXAMPLES = [Example(f"meld/train/0/{k}", Item((1,) * n, ((2,),))) for k, n in enumerate(LENGTHS)]


@pytest.mark.parametrize("grouped", [True, False])
def test_an_epoch_holds_every_row_once(grouped: bool) -> None:
    options = TrainOptions(batch_size=8, group_by_length=grouped)
    order = epoch_order(LENGTHS, options, 0)
    assert sorted(row for batch in order for row in batch) == list(range(50))
    assert sorted(map(len, order)) == [2, 8, 8, 8, 8, 8, 8]
    assert order == epoch_order(LENGTHS, options, 0)
    assert order != epoch_order(LENGTHS, options, 1)
    assert order != epoch_order(LENGTHS, TrainOptions(batch_size=8, group_by_length=grouped, seed=1), 0)


def test_grouping_puts_similar_lengths_together() -> None:
    def spread(grouped: bool) -> int:
        order = epoch_order(LENGTHS, TrainOptions(batch_size=8, group_by_length=grouped), 0)
        return sum(max(LENGTHS[row] for row in batch) - min(LENGTHS[row] for row in batch) for batch in order)

    assert spread(True) * 3 < spread(False)


def test_a_resumed_run_gets_the_rest_of_the_same_batches() -> None:
    options = TrainOptions(batch_size=8, epochs=3)
    total = n_steps(len(EXAMPLES), options)
    everything = list(batches(EXAMPLES, options, 0, total))
    assert total == len(everything) == 21
    for done in (1, 6, 7, 8, 20, 21):
        assert list(batches(EXAMPLES, options, done, total)) == everything[done:]
    assert [number for number, (_, _, ends) in enumerate(everything, 1) if ends] == [7, 14, 21]
    assert everything[6][1] == 1.0


def test_max_steps_overrides_epochs() -> None:
    assert n_steps(50, TrainOptions(batch_size=8, epochs=3, max_steps=4)) == 4


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.1), ("linear", 0.0), ("constant", 1.0)])
def test_learning_rate(schedule: str, last: float) -> None:
    options = TrainOptions(learning_rate=2.0, warmup=0.1, schedule=schedule)  # type: ignore[arg-type]
    rates = [learning_rate(step, 1000, options) for step in range(1, 1001)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[99] == rates[100] == 2.0
    assert all(a <= b for a, b in pairwise(rates[:100]))
    assert all(a >= b for a, b in pairwise(rates[100:]))
    assert rates[-1] == pytest.approx(2.0 * last, abs=0.01)


def test_learning_rate_of_very_short_runs_is_positive() -> None:
    for total in (1, 2, 3):
        for schedule in ("cosine", "linear", "constant"):
            options = TrainOptions(schedule=schedule)  # type: ignore[arg-type]
            assert all(learning_rate(step, total, options) > 0 for step in range(1, total + 1))
