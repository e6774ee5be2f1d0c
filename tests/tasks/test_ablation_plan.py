"""What runs share, counted on a small pipeline of real stages."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from tasks import ablation_plan
from tasks.ablation_plan import StageShare, sharing
from tasks.plan import Run


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Three runs: two differ in training alone, the third from its captions on."""
    fake_stages.install(monkeypatch)
    monkeypatch.setattr(ablation_plan, "STAGES", fake_stages.STAGES)
    return [
        make(tmp_path, "a"),
        make(tmp_path, "b", finetune={"seed": 1}),
        make(tmp_path, "c", captions={"prompt": "other"}),
    ]


def test_before_ingest_only_keys_can_be_counted(runs: list[Run]) -> None:
    found = {one.stage: one for one in sharing(runs)}
    assert found["captions"] == StageShare("captions", 3, 2, 0, 0, 0, 3)
    assert found["ingest"] == StageShare("ingest", 3, 1, 3, 1, 0, 0)
    assert [one.keys for one in found.values()] == [1, 2, 3, 3, 3, 3]


def test_shards_are_counted_once_a_key(runs: list[Run]) -> None:
    go(runs[0])
    found = {one.stage: one for one in sharing(runs)}
    shards = len(runs[0].shards() or ())
    assert found["captions"] == StageShare("captions", 3, 2, 3 * shards, 2 * shards, shards, 0)
    assert (found["captions"].shared, found["captions"].pending) == (shards, shards)
    assert (found["finetune"].distinct, found["finetune"].done, found["finetune"].shared) == (3, 1, 0)
    go(runs[1])
    go(runs[2])
    assert sum(one.pending for one in sharing(runs)) == 0


def test_a_damaged_shard_is_not_done(runs: list[Run]) -> None:
    go(runs[0])
    runs[0].layout.part("captions", runs[0].keys["captions"] or "", 1).unlink()
    found = {one.stage: one for one in sharing(runs[:1])}
    assert found["captions"].pending == 1
