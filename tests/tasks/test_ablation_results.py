"""A cell's scores over its seeds and its difference from another cell, held against counts that one can do by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scored_run import corpus_lines, recorded, right_but, says, scored

from storage.ledger import Record
from tasks import ablation_results
from tasks.ablation_results import FLOOR, best, update
from tasks.compare import differences, pairs
from tasks.plan import Run
from tasks.systems import Systems

LINES = corpus_lines()
DEV = [row for row in LINES if row.split == "dev"]
TEST = [row for row in LINES if row.split == "test"]


def run_of(root: Path, seed: int, wrong: list[int], name: str, **more: Any) -> Run:
    """A run that has the dev lines right but for those at the places ``wrong``, and no test line wrong."""
    tables = {"finetune": {"seed": seed, **more}, "score": {"resamples": 1000}}
    return recorded(root, right_but(TEST, []), tables=tables, name=name, dev=right_but(DEV, wrong))


def record_of(runs: dict[str, dict[int | None, Run]], against: str) -> Record:
    cells = [
        {"base": "demo", "cell": name, "settings": {"finetune.epochs": 1}, "against": name == against, "paper": None}
        for name in runs
    ]
    return {
        "ablation": "g",
        "paper": None,
        "cells": [{**cell, "planned": 2} for cell in cells],
        "rows": [],
        "keys": {},
        "runs": [
            {"base": "demo", "cell": name, "seed": seed, "test": False, "run_id": run.run_id, "state": "done"}
            for name, seeds in runs.items()
            for seed, run in seeds.items()
        ],
    }


def found(record: Record, cell: str, metric: str = "accuracy", split: str = "dev") -> Record:
    (row,) = [
        row for row in record["rows"] if (row["cell"], row["metric"], row["split"]) == (cell, metric, split)
    ]  # fmt: skip
    return dict(row)


@pytest.fixture
def grid(tmp_path: Path) -> tuple[Path, Record]:
    one = {seed: run_of(tmp_path, seed, [*range(6 * seed)], f"g.a.seed-{seed}") for seed in (1, 2)}
    other = {seed: run_of(tmp_path, seed, [0, 1], f"g.b.seed-{seed}", epochs=3) for seed in (1, 2)}
    record = record_of({"a": one, "b": other}, "a")
    update(one[1].layout, record)
    return tmp_path, record


def test_seeds_become_mean_and_deviation(grid: tuple[Path, Record]) -> None:
    row = found(grid[1], "a")
    assert (row["runs"], row["planned"], row["utterances"], row["dialogues"]) == (2, 2, 48, 12)
    assert row["value"] == pytest.approx((42 / 48 + 36 / 48) / 2)
    assert row["sd"] == pytest.approx(6 / 48 / 2**0.5)
    assert row["low"] < row["value"] < row["high"]
    assert found(grid[1], "b")["sd"] == 0


def test_a_cell_differs_from_the_one_it_is_compared_with_seed_by_seed(grid: tuple[Path, Record]) -> None:
    row = found(grid[1], "b")
    assert row["difference"] == pytest.approx(46 / 48 - (42 + 36) / 96)
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert 0 < row["swap_p"] <= 1
    assert found(grid[1], "a")["difference"] is None


def test_one_seed_is_what_compare_says(tmp_path: Path) -> None:
    one, other = run_of(tmp_path, 1, [0, 4, 9], "g.a"), run_of(tmp_path, 1, [1], "g.b", epochs=3)
    record = record_of({"a": {None: one}, "b": {None: other}}, "a")
    update(one.layout, record)
    (pair,) = pairs(Systems(other, "dev").said("tuned"), Systems(one, "dev").said("tuned"), "dev")
    for said in differences(pair, 1000, 0):
        row = found(record, "b", said.metric)
        assert row["value"] == said.first_value
        assert [row[f"difference{end}"] for end in ("", "_low", "_high")] == [said.difference, said.low, said.high]
        assert (row["p"], row["swap_p"], row["detectable"]) == (said.p, said.swap_p, said.detectable)


def test_a_model_without_seeds_stands_against_each(tmp_path: Path) -> None:
    seeds: dict[int | None, Run] = {seed: run_of(tmp_path, seed, [*range(seed)], f"g.a.{seed}") for seed in (1, 2)}
    untuned = run_of(tmp_path, 0, [*range(24)], "g.untuned", epochs=9)
    record = record_of({"a": seeds, "untuned": {None: untuned}}, "a")
    update(untuned.layout, record)
    row = found(record, "untuned")
    assert row["difference"] == pytest.approx(24 / 48 - (47 + 46) / 96)
    assert row["sd"] is None


def test_a_seed_that_is_missing_is_counted_and_not_guessed(grid: tuple[Path, Record]) -> None:
    root, record = grid
    layout = run_of(root, 1, [*range(6)], "g.a.seed-1").layout
    record["runs"] = [run for run in record["runs"] if (run["cell"], run["seed"]) != ("b", 1)]
    update(layout, record)
    row = found(record, "b")
    assert (row["runs"], row["planned"], row["sd"]) == (1, 2, None)
    assert row["difference"] == pytest.approx(46 / 48 - 36 / 48)


def test_what_has_not_changed_is_not_computed_again(grid: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch) -> None:
    root, record = grid
    layout = run_of(root, 1, [*range(6)], "g.a.seed-1").layout
    before = [*record["rows"]]
    again: list[str] = []
    real = ablation_results._rows
    monkeypatch.setattr(ablation_results, "_rows", lambda cell, *rest: again.append(cell["cell"]) or real(cell, *rest))
    update(layout, record)
    assert (record["rows"], again) == (before, [])
    run_of(root, 2, [5], "g.b.seed-2", epochs=3)
    update(layout, record)
    assert {*again} == {"b"}
    assert found(record, "b")["value"] == pytest.approx((46 + 47) / 96)


def test_test_is_scored_where_it_was_read_and_floors_stand_beside(tmp_path: Path) -> None:
    run = scored(run_of(tmp_path, 1, [0], "g.a"))
    record = record_of({"a": {None: run}}, "a")
    update(run.layout, record)
    assert found(record, "a", split="test")["value"] == 1
    assert found(record, f"{FLOOR}majority", split="test")["value"] == 0.5
    assert best(record["rows"], "demo") == "a"
    assert best(record["rows"], "other") is None


def test_the_best_is_by_weighted_f1_on_dev(grid: tuple[Path, Record]) -> None:
    assert best(grid[1]["rows"], "demo") == "b"


def test_answers_that_do_not_parse_count_as_wrong(tmp_path: Path) -> None:
    said = [says(row, None if place < 12 else row.emotion) for place, row in enumerate(DEV)]
    run = recorded(tmp_path, right_but(TEST, []), dev=said, name="g.a", tables={"score": {"resamples": 1000}})
    record = record_of({"a": {None: run}}, "a")
    update(run.layout, record)
    assert found(record, "a")["value"] == 0.75


def test_a_damaged_file_costs_its_own_cell_alone(grid: tuple[Path, Record]) -> None:
    root, record = grid
    run = run_of(root, 2, [5], "g.b.seed-2", epochs=3)
    part = run.layout.part("dev_predictions", run.keys["calibrate"] or "", 1)
    part.write_bytes(part.read_bytes()[:-64] + bytes(64))
    record["keys"] = {}
    update(run.layout, record)
    of_dev = {row["cell"] for row in record["rows"] if row["split"] == "dev"}
    assert "a" in of_dev
    assert "b" not in of_dev
    assert "part-00001.parquet" in record["unread"]["dev demo/b"]
