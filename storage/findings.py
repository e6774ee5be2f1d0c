"""What commands found out and keep in the workspace: comparisons, SECEU, merged models, counterfactual scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import WorkspaceError
from storage import ledger
from storage.files import write_json
from storage.layout import Layout
from storage.ledger import Record
from storage.shards import read_manifest


def save_comparison(layout: Layout, comparison: str, rows: Sequence[Record]) -> None:
    """Keeps the rows of a comparison; one of the same key is replaced."""
    write_json(layout, layout.comparisons / f"{comparison}.json", {"rows": list(rows)})


def comparisons(layout: Layout) -> list[Record]:
    """The rows of all comparisons. Raises WorkspaceError naming a record that is damaged."""
    found: list[Record] = []
    for path in sorted(layout.comparisons.glob("*.json")):
        found += _rows_of(path, read_manifest(path) or {}, "compare")
    return found


def save_seceu(layout: Layout, key: str, scores: Sequence[Record], answers: Sequence[Record]) -> None:
    """Keeps the scores of one measurement with SECEU, and the answers; what has the same key is replaced."""
    write_json(layout, layout.seceu / f"{key}.json", {"rows": list(scores), "answers": list(answers)})


def seceu_scores(layout: Layout, key: str) -> list[Record]:
    """The scores kept under a key, none where there are none. Raises WorkspaceError where the record is damaged."""
    path = layout.seceu / f"{key}.json"
    found = read_manifest(path)
    return [] if found is None else _rows_of(path, found, "seceu")


def seceu(layout: Layout) -> tuple[list[Record], list[Record]]:
    """All scores and all answers. Raises WorkspaceError naming a record that is damaged."""
    scores: list[Record] = []
    answers: list[Record] = []
    for path in sorted(layout.seceu.glob("*.json")):
        found = read_manifest(path) or {}
        scores += _rows_of(path, found, "seceu")
        answers += found.get("answers", [])
    return scores, answers


def exports(layout: Layout, run_id: str) -> list[Record]:
    """The merged models that were made of a run, first to last, those that failed their check among them."""
    return ledger.numbered(layout, run_id, "export")


def record_export(layout: Layout, run_id: str, record: Record) -> None:
    """Puts a merge on record; its number and time are added."""
    number = ledger.next_number(layout, run_id, "export")
    about = {**record, "run_id": run_id, "export": number, "exported_at": ledger.now()}
    write_json(layout, layout.attempts(run_id) / f"export-{number:04d}.json", about)


def save_counterfactual(layout: Layout, run_id: str, key: str, rows: Sequence[Record]) -> None:
    """Keeps what was found of a run with other descriptions; what has the same key is replaced."""
    write_json(layout, _counterfactual_file(layout, run_id, key), {"rows": list(rows)})


def counterfactual(layout: Layout, run_id: str, key: str) -> list[Record] | None:
    """The rows kept under a key, None where there are none."""
    found = read_manifest(_counterfactual_file(layout, run_id, key))
    return None if found is None else _rows_of(_counterfactual_file(layout, run_id, key), found, "counterfactual")


def counterfactuals(layout: Layout, run_id: str) -> list[Record]:
    """All that was found of a run with other descriptions. Raises WorkspaceError naming a record that is damaged."""
    paths = sorted(layout.attempts(run_id).glob("counterfactual-*.json"))
    return [row for path in paths for row in _rows_of(path, read_manifest(path) or {}, "counterfactual")]


def _counterfactual_file(layout: Layout, run_id: str, key: str) -> Path:
    return layout.attempts(run_id) / f"counterfactual-{key}.json"


def _rows_of(path: Path, record: Record, command: str) -> list[Record]:
    rows = record.get("rows")
    if not ledger.are_records(rows):
        raise WorkspaceError(
            f"{path} is damaged: `dialoguellm fsck --repair` sets it aside, `dialoguellm {command}` makes it again"
        )
    return rows
