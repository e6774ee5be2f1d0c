"""Records of grids, and the tables that the warehouse makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from finished_run import ask

from model.errors import UnknownRun, WorkspaceError
from storage import ablations, warehouse
from storage.layout import Layout, open_workspace

ROW: dict[str, Any] = {
    **{"base": "demo", "cell": "a", "settings": {"instructions.context": 0}, "against": False, "system": "tuned"},
    **{"corpus": "demo", "split": "dev", "metric": "weighted_f1", "runs": 2, "planned": 3, "run_ids": ["a-1", "a-2"]},
    **{"utterances": 20, "dialogues": 4, "value": 0.5, "sd": 0.01, "low": 0.4, "high": 0.6, "difference": 0.1},
    **{"difference_low": -0.05, "difference_high": 0.25, "p": 0.1, "swap_p": 0.2, "detectable": 0.2, "left_out": 0},
    **{"paper": 0.6794, "paper_row": "Table 4, w/o Context"},
}
RUN = {"base": "demo", "cell": "a", "seed": 1, "test": False, "run_id": "a-1", "state": "done"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = open_workspace(tmp_path / "w", create=True)
    ablations.save(layout, {"ablation": "g", "runs": [RUN], "rows": [ROW], "cells": []})
    return layout


def test_a_record_is_found_by_its_name(layout: Layout) -> None:
    assert ablations.load(layout, "g")["rows"] == [ROW]
    assert ablations.find(layout, "other") is None
    with pytest.raises(UnknownRun, match=r"no grid 'other': it has g; `dialoguellm ablation CONFIG` runs one"):
        ablations.load(layout, "other")


def test_the_warehouse_has_them_once_however_often_it_is_published(layout: Layout) -> None:
    for _ in range(2):
        warehouse.publish(layout, [])
    found = ask(layout, "SELECT cell, value, settings->>'instructions.context', run_ids->>0 FROM ablations")
    assert found == [("a", 0.5, "0", "a-1")]
    assert ask(layout, "SELECT run_id, seed, test, state, error FROM ablation_runs") == [
        ("a-1", 1, False, "done", None)
    ]
    cells = ask(layout, "SELECT runs, weighted_f1, weighted_f1_change, paper_weighted_f1 FROM ablation_cells")
    assert cells == [("2 of 3", "50.0 ± 1.0 [40.0, 60.0]", "+10.0 [-5.0, +25.0]", 67.94)]


def test_a_damaged_record_is_named(layout: Layout) -> None:
    (layout.ablation("g") / "grid.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"grid.json is damaged: `.*fsck --repair`.* `dialoguellm ablation g`"):
        ablations.load(layout, "g")
    with pytest.raises(WorkspaceError, match=r"grid.json is damaged"):
        warehouse.publish(layout, [])
