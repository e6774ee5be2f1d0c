"""The test split is evaluate's alone, and each reading of it is on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_stages
import pytest
from fake_stages import SEEN, STAGES, go, make

from model.atomic import write_json
from model.errors import WorkspaceError
from tasks.drive import Selection
from tasks.run import ShardRows, run_shard

INGEST, CAPTIONS, FINETUNE, EVALUATE, _, REPORT = STAGES


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


def test_test_rows_never_reach_a_stage_that_learns(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"reject": ("fake/test/0/0", "fake/train/0/0"), "max_rejects": 1})
    go(run)
    assert {name.split("/")[1] for name in SEEN["finetune"]} == {"train", "dev"}
    assert {name.split("/")[1] for name in SEEN["evaluate"]} == {"test"}
    rows = ShardRows(run, FINETUNE, 0)
    assert {row.utterance_id.split("/")[1] for table in rows for row in rows[table]} == {"train", "dev"}
    everything = [f"fake/test/{d}/{t}" for d in range(2) for t in range(3)]
    for table in ("captions", "utterances"):
        with pytest.raises(WorkspaceError, match="finetune may not read fake/test/0/0"):
            rows.select(table, everything)
    with pytest.raises(KeyError):
        rows["rejects"]


def test_files_of_the_test_split_are_not_even_opened(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run, Selection(stages=("ingest", "captions")))
    for item in run.shards() or []:
        if item["split"] == "test":
            for stage in (INGEST, CAPTIONS):
                run.layout.part(stage.writes, run.key(stage), item["shard"]).unlink()
    assert run_shard(run, "finetune", 0)["rows"] == 1


def test_a_line_of_another_split_is_refused_by_name(tmp_path: Path) -> None:
    run = make(tmp_path)
    run_shard(run, "ingest", 0)
    rows = ShardRows(run, FINETUNE, 0)
    with pytest.raises(WorkspaceError, match=r"finetune may not read fake/test/0/1: .* dev and train lines only"):
        rows.select("utterances", ["fake/train/0/0", "fake/test/0/1"])
    with pytest.raises(WorkspaceError, match=r"evaluate may not read fake/train/0/0"):
        ShardRows(run, EVALUATE, 0).select("utterances", ["fake/train/0/0"])


def test_a_list_of_shards_that_calls_test_train_hands_out_nothing(tmp_path: Path) -> None:
    run = make(tmp_path)
    run_shard(run, "ingest", 0)
    wrong = [{**item, "split": "train"} for item in run.shards() or []]
    write_json(run.layout.shard_list(run.keys["ingest"] or ""), {"shards": wrong, "rows": 1, "rejects": 0})
    with pytest.raises(WorkspaceError, match=r"finetune may not read fake/test/0/0: .* run ingest again"):
        ShardRows(run, FINETUNE, 0)["utterances"]
    with pytest.raises(WorkspaceError, match="finetune may not read fake/test/0/0"):
        ShardRows(run, FINETUNE, 0).columns("utterances", ["text", "utterance_id"])


def test_the_report_is_told_of_each_reading_of_the_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def report(*given: Any) -> Any:
        seen.append(given[2].about)
        yield from REPORT.run(*given)

    fake_stages.install(monkeypatch, (*STAGES[:-1], replace(REPORT, run=report)))
    run = make(tmp_path)
    go(run)
    go(run, Selection(("evaluate", "report"), force=True, reason="again"))
    assert [[read["why"] for read in about["test_readings"]] for about in seen] == [["run"], ["run", "again"]]
    assert seen[0]["run_id"] == run.run_id
