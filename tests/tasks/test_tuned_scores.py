"""The tuned model scores prompts as evaluate does."""

from __future__ import annotations

from pathlib import Path

import pytest
from described_run import described

from model.errors import WorkspaceError
from storage.shards import read_rows
from tasks.run import run_shard
from tasks.stages import BY_NAME
from tasks.tuned_scores import score

pytestmark = pytest.mark.usefixtures("one_thread")


def test_it_scores_as_evaluate_does_and_each_prompt_once(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model)
    run_shard(run, "evaluate", 2)
    stored = read_rows(run.layout, "predictions", run.key(BY_NAME["evaluate"]), 2)
    tuned = [row for row in stored if row.system == "tuned"]
    rows = read_rows(run.layout, "instructions", run.key(BY_NAME["instructions"]), 2)
    seen: list[tuple[int, int]] = []
    found = score(run, [*rows, *rows[:3]], lambda done, total, _: seen.append((done, total)))
    assert [one.row for one in found] == [*rows, *rows[:3]]
    assert seen[-1] == (len(rows), len(rows))
    for one, row in zip(found, tuned, strict=False):
        assert one.scored.probabilities == pytest.approx([row.scores[label] for label in one.labels], abs=1e-5)


def test_without_an_adapter_it_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model, splits=(), finetune={"enabled": False})
    with pytest.raises(WorkspaceError, match="has no adapter: finetune is off in it"):
        score(run, [])
