"""Tokens, times and failures in manifests."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from model.dialogue import Prediction, TrainingStep
from model.errors import RunFailed
from storage import journal, ledger
from storage.tables import Columns
from tasks import shard_facts
from tasks.evaluate import STAGE as EVALUATE
from tasks.finetune import STAGE as FINETUNE
from tasks.instructions import STAGE as INSTRUCTIONS
from tasks.publish import facts


class Table:
    """Prompts by column."""

    def columns(self, table: str, names: object) -> list[list[object]]:
        assert (table, names) == ("instructions", ("utterance_id", "n_prompt_tokens"))
        return [["a", "b"], [100, 20]]


def test_tokens_of_rows_and_of_columns() -> None:
    found: ledger.Record = {}
    rows = [TrainingStep(1, 1.0, 0.5, 0.1, 1.0, 30, 0.0), TrainingStep(2, 1.0, 0.5, 0.1, 1.0, 12, 0.0)]
    assert list(shard_facts.summed(rows, Table(), FINETUNE, found)) == rows
    assert found["tokens"] == 42
    many = Columns({"n_prompt_tokens": [1, 2, 3]})
    assert list(shard_facts.summed([many], Table(), INSTRUCTIONS, found)) == [many]
    assert found["tokens"] == 6


def test_a_scored_line_counts_the_prompt_that_was_read_for_it() -> None:
    scored = [Prediction(name, system, "joy", "joy", {"joy": 1.0}, "joy", 0.0) for name in "ab" for system in "xy"]
    generated = Prediction("a", "z", "joy", "joy", {}, "joy", 0.0, 7, 3)
    found: ledger.Record = {}
    list(shard_facts.summed([*scored, generated], Table(), EVALUATE, found))
    assert found["totals"] == {"n_prompt_tokens": 2 * 120 + 7, "n_tokens": 3}
    assert found["tokens"] == 250


def test_failures_are_counted_until_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)
    for _ in range(2):
        with pytest.raises(RunFailed):
            go(make(tmp_path, captions={"broken": (1,)}))
    run = make(tmp_path)
    stage = {stage.name: stage for stage in run.stages()}["captions"]
    assert shard_facts.failures(run, stage, 1) == 2
    (row,) = [row for row in facts(run).rows["stages"] if row["stage"] == "captions"]
    assert (row["done"], row["retries"]) == (3, 2)
    go(run)
    assert shard_facts.failures(run, stage, 1) == 0
    (row,) = [row for row in facts(run).rows["stages"] if row["stage"] == "captions"]
    assert (row["done"], row["retries"]) == (4, 2)


def test_a_long_shard_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)
    run = make(tmp_path)
    heard = []
    with journal.keeping(run.layout, run.run_id):
        tell = shard_facts.told(lambda *said: heard.append(said))
        tell(1, 10, "clips")
        monkeypatch.setattr(shard_facts, "TOLD_EVERY_S", 0)
        tell(2, 10, "clips")
    assert heard == [(1, 10, "clips"), (2, 10, "clips")]
    assert [line["message"] for line in journal.lines(run.layout, run.run_id)] == ["2 of 10 clips"]
