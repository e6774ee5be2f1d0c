"""Selections that make no sense."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from model.errors import SettingsError
from storage import ledger
from tasks.drive import Selection, planned


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(stages=("captions", "nonsense")), "no stage is called nonsense: the stages are ingest, captions"),
        (Selection(stages=("captions",), shards=(1, 4, 9)), "has no shard 4, 9: it has 0 to 3"),
        (Selection(shards=(-1,)), "has no shard -1"),
    ],
)
def test_what_is_not_there_cannot_be_selected(tmp_path: Path, selection: Selection, message: str) -> None:
    run = make(tmp_path)
    go(run, Selection(stages=("ingest",)))
    for do in (planned, go):
        with pytest.raises(SettingsError, match=message):
            do(run, selection)
    assert len(ledger.attempts(run.layout, run.run_id)) == 1


def test_a_stage_that_is_off_cannot_be_selected(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"enabled": False})
    with pytest.raises(SettingsError, match="captions is off"):
        go(run, Selection(stages=("captions",)))
    assert go(run, Selection(stages=("ingest", "captions"))).done == {"ingest": 1}
