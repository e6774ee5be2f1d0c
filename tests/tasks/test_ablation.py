"""The record of a grid: what it keeps when the grid changes, and whose test split may be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import SettingsError
from storage import ablations
from storage.layout import open_workspace
from tasks.ablation import begin, count, note, place, readings_of_test, to_test
from tasks.grid import Base, Cell, Grid

BASE = Base("demo", "demo")
CELLS = tuple(Cell(BASE, label, {"instructions.context": at}, {}) for at, label in enumerate(("a", "b", "c")))
GRID = Grid("g", "g.toml", "workspace", (*CELLS[:2], replace(CELLS[2], tuned=False)), (1, 2), "a")


def scored(cell: str, value: float) -> dict[str, object]:
    return {"base": "demo", "cell": cell, "split": "dev", "corpus": "demo", "metric": "weighted_f1", "value": value}


def test_a_run_for_each_seed_and_none_of_test_unless_asked_for(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "w", create=True)
    record = begin(layout, GRID)
    assert [(run["cell"], run["seed"]) for run in record["runs"]] == [
        *(("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", None))
    ]
    assert {(run["test"], run["state"]) for run in record["runs"]} == {(False, "pending")}
    assert [cell["planned"] for cell in record["cells"]] == [2, 2, 1]


def test_where_nothing_is_chosen_there_are_the_runs_that_read_test_alone(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "w", create=True)
    ablations.save(layout, begin(layout, GRID))  # as if it had been begun with the runs of dev
    record = begin(layout, GRID, dev=False)
    assert [(run["cell"], run["seed"], run["test"]) for run in record["runs"]] == [
        *(("a", 1, True), ("a", 2, True), ("b", 1, True), ("b", 2, True), ("c", None, True))
    ]
    note(record, place(GRID.members(CELLS[:1])[0], test=False), "g-1", "done")
    ablations.save(layout, record)
    assert len(begin(layout, GRID, dev=False)["runs"]) == 6, "what was done on dev stays"


def test_what_was_done_stays_on_record_and_cells_that_are_gone_do_not(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "w", create=True)
    record = begin(layout, GRID)
    (first, *_), last = GRID.members(CELLS[:1]), GRID.members(CELLS[1:2], test=True)[0]
    note(record, place(first, test=False), "g-1", "failed", "no", "again")
    note(record, place(first, test=False), None, "done")
    note(record, place(last, test=True), "g-2", "done")
    ablations.save(layout, record)
    again = {(run["cell"], run["seed"], run["test"]): run for run in begin(layout, GRID)["runs"]}
    assert again["a", 1, False] | {"base": "demo"} == {
        **{"base": "demo", "cell": "a", "seed": 1, "test": False, "run_id": "g-1", "state": "done"},
        **{"error": None, "again": None},
    }
    assert again["b", 1, True]["run_id"] == "g-2"
    smaller = begin(layout, replace(GRID, cells=CELLS[:1]))
    assert {run["cell"] for run in smaller["runs"]} == {"a"}


def test_test_is_read_for_the_chosen_one_only_when_all_are_done(tmp_path: Path) -> None:
    record = begin(open_workspace(tmp_path / "w", create=True), GRID)
    with pytest.raises(SettingsError, match=r"--test chosen: 5 of the grid's runs are not done, the first demo/a"):
        to_test(record, GRID, "chosen")
    for run in record["runs"]:
        run["state"] = "done"
    record["rows"] = [scored("a", 0.5), scored("b", 0.7), scored("c", 0.6), scored("floor:majority", 0.9)]
    assert [cell.label for cell in to_test(record, GRID, "chosen")] == ["a", "b"]
    assert [cell.label for cell in to_test(record, GRID, "all")] == ["a", "b", "c"]
    assert [cell.label for cell in to_test(record, GRID, "c, a")] == ["a", "c"]
    with pytest.raises(SettingsError, match=r"no cell is called d; chosen, all or"):
        to_test(record, GRID, "a,d")


def test_what_is_shared_and_what_read_test_are_on_record(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "w", create=True)
    record = begin(layout, GRID)
    count(record, [])
    assert record["plan"] == []
    assert readings_of_test(layout, record) == []
