"""The records of grids: which runs a grid has, how they ended, and what was found of them."""

from __future__ import annotations

from collections.abc import Iterator

from model.errors import UnknownRun, WorkspaceError
from storage import files
from storage.files import write_json
from storage.layout import Layout
from storage.ledger import Record, are_records, now
from storage.shards import read_manifest

RUN_COLUMNS = ("base", "cell", "seed", "test", "run_id", "state", "error", "again")


def save(layout: Layout, record: Record) -> None:
    """Writes the record of a grid in place of its last one."""
    write_json(layout, layout.ablation(record["ablation"]) / "grid.json", {**record, "updated_at": now()})


def find(layout: Layout, name: str) -> Record | None:
    """The record of the grid of that name, None where it has none. Raises WorkspaceError where it is damaged."""
    path = files.local(layout, layout.ablation(name) / "grid.json")
    found = read_manifest(path)
    if found is None and not path.exists():
        return None
    if found is None or "ablation" not in found or not all(are_records(found.get(key)) for key in ("runs", "rows")):
        raise WorkspaceError(
            f"{path} is damaged: `dialoguellm fsck --repair` sets it aside, `dialoguellm ablation {name}` makes it "
            "again"
        )
    return found


def load(layout: Layout, name: str) -> Record:
    """The same. Raises UnknownRun where it has none."""
    found = find(layout, name)
    if found is None:
        known = ", ".join(record["ablation"] for record in every(layout)) or "none yet"
        raise UnknownRun(f"{layout.name} has no grid {name!r}: it has {known}; `dialoguellm ablation CONFIG` runs one")
    return found


def every(layout: Layout) -> Iterator[Record]:
    """The records of all grids. Raises WorkspaceError naming one that is damaged."""
    files.refresh(layout, layout.ablations)
    for path in sorted(layout.ablations.glob("*/grid.json")):
        if found := find(layout, path.parent.name):
            yield found


def tables(layout: Layout) -> dict[str, list[Record]]:
    """The rows that the warehouse holds of all grids, by table."""
    found: dict[str, list[Record]] = {"ablation_runs": [], "ablations": []}
    for record in every(layout):
        name = {"ablation": record["ablation"]}
        found["ablation_runs"] += [{**name, **{key: run.get(key) for key in RUN_COLUMNS}} for run in record["runs"]]
        found["ablations"] += [{**name, **row} for row in record["rows"]]
    return found
