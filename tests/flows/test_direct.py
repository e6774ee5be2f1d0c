"""Shards in this process: a failed one does not stop the others."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_stages import STAGES, make

from flows.direct import execute
from tasks.drive import Failure
from tasks.run import run_shard


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


def test_a_failed_shard_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(tmp_path, captions={"broken": (1, 3)})
    run_shard(run, "ingest", 0)
    failures = execute(run, STAGES[1], [0, 1, 2, 3])
    assert failures == [Failure(shard, f"RuntimeError: shard {shard} is broken") for shard in (1, 3)]
    done = [shard for shard in range(4) if run.layout.manifest("captions", run.keys["captions"] or "", shard).exists()]
    assert done == [0, 2]
    assert capsys.readouterr().err.startswith("captions: 4 shards in ")


def test_an_interrupt_is_no_failure_of_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.direct.run_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute(make(tmp_path), STAGES[0], [0])
