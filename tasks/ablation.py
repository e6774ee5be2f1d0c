"""The record of a grid: its cells, its runs with their state, and what was found of them so far.

Selecting is done on dev: the runs of a grid do not open the test split. Test is read by runs of their own, of
cells that are named, and each of these readings is on record as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model.errors import SettingsError
from storage import ablations, ledger
from storage.layout import Layout
from storage.ledger import Record
from tasks import ablation_results
from tasks.ablation_plan import sharing
from tasks.grid import Cell, Grid, Member
from tasks.plan import Run

CHOSEN, ALL = "chosen", "all"
Place = tuple[str, str, int | None, bool]
"""Base, cell, seed, and whether it reads test: what names a run of a grid."""


def place(member: Member, *, test: bool) -> Place:
    return member.cell.base.name, member.cell.label, member.seed, test


def begin(layout: Layout, grid: Grid, *, dev: bool = True) -> Record:
    """The grid's record, with what its last one knew of cells that it still has.

    Its runs are those of dev, or where nothing is chosen, without ``dev``, those that read test.
    """
    earlier = ablations.find(layout, grid.name) or {"runs": [], "rows": [], "keys": {}}
    cells = [_cell(cell, grid) for cell in grid.cells]
    same = [{"cell": one, "as": other} for one, other in grid.same]
    known = {_place(run): run for run in earlier["runs"]}
    record: Record = {
        "ablation": grid.name,
        "source": grid.source,
        "against": grid.against,
        "paper": grid.paper,
        "seeds": [*grid.seeds],
        "cells": cells,
        "same": same,
        "plan": earlier.get("plan", []),
        "began_at": earlier.get("began_at", ledger.now()),
        "keys": earlier.get("keys", {}),
        "rows": earlier["rows"],
        "runs": [
            known.get(at) or _run(at)
            for test in (False, True)
            for at in (place(member, test=test) for member in grid.members(grid.cells, test=test))
            if test is not dev or known.get(at, {"state": "pending"})["state"] != "pending"
        ],
    }
    return record


def note(record: Record, at: Place, run_id: str | None, state: str, error: str = "", again: str = "") -> None:
    """Puts on record how one run of the grid stands."""
    entry = next((run for run in record["runs"] if _place(run) == at), None)
    if entry is None:
        record["runs"].append(entry := _run(at))
    entry.update(run_id=run_id or entry["run_id"], state=state, error=error or None, again=again or None)


def count(record: Record, runs: Sequence[Run]) -> None:
    """Puts on record what the grid's runs share."""
    record["plan"] = [{"stage": one.stage, "needed": one.needed, "distinct": one.distinct} for one in sharing(runs)]


def refresh(layout: Layout, record: Record) -> None:
    """Computes what is new of the runs that are done and keeps it; whatever is published next publishes it too."""
    ablation_results.update(layout, record)
    ablations.save(layout, record)


def to_test(record: Record, grid: Grid, wanted: str) -> list[Cell]:
    """The cells whose test split is to be read: "all", "chosen" (each base's best on dev and the one it is compared
    with), or labels separated by commas. Raises SettingsError where there is no such cell, or no choice yet."""
    if wanted == ALL:
        return [*grid.cells]
    if wanted != CHOSEN:
        labels = [label.strip() for label in wanted.split(",")]
        known = {cell.label for cell in grid.cells}
        if lost := [label for label in labels if label not in known]:
            raise SettingsError(f"--test {wanted}: no cell is called {lost[0]}; {CHOSEN}, {ALL} or {', '.join(known)}")
        return [cell for cell in grid.cells if cell.label in labels]
    pending = [run for run in record["runs"] if not run["test"] and run["state"] != "done"]
    if pending:
        raise SettingsError(
            f"--test {CHOSEN}: {len(pending)} of the grid's runs are not done, the first "
            f"{pending[0]['base']}/{pending[0]['cell']}; the best is chosen when all are, or name the cells"
        )
    best = {base: ablation_results.best(record["rows"], base) for base in {cell.base.name for cell in grid.cells}}
    return [cell for cell in grid.cells if cell.label in (best[cell.base.name], grid.against)]


def readings_of_test(layout: Layout, record: Record) -> list[Record]:
    """Every reading of the test split by an adapter of the grid, or by a run of it that has none."""
    found: dict[str, Record] = {}
    for run in record["runs"]:
        if run["test"] and run["run_id"] and (layout.run_file(run["run_id"])).exists():
            key = ledger.find_run(layout, run["run_id"])["stages"]["finetune"]["key"]
            for read in ledger.test_reads(layout, run["run_id"], key):
                found[f"{read['run_id']} {read['read_at']}"] = read
    return sorted(found.values(), key=lambda read: str(read["read_at"]))


def _cell(cell: Cell, grid: Grid) -> Record:
    return {
        "base": cell.base.name,
        "config": cell.base.config,
        "cell": cell.label,
        "settings": dict(cell.settings),
        "against": cell.label == grid.against,
        "paper": cell.paper,
        "planned": len(grid.seeds) if cell.tuned and grid.seeds else 1,
    }


def _run(at: Place) -> Record:
    named: dict[str, Any] = dict(zip(("base", "cell", "seed", "test"), at, strict=True))
    return {**named, "run_id": None, "state": "pending", "error": None, "again": None}


def _place(run: Record) -> Place:
    return run["base"], run["cell"], run["seed"], run["test"]
