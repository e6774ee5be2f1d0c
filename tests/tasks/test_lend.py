from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.settings import prepare
from model.dialogue import TrainingStep
from model.errors import SettingsError, TrainingError
from storage.layout import open_workspace
from storage.shards import write_shard
from tasks.lend import lend, lends
from tasks.stages import BY_NAME

SETTINGS = ["finetune.hosts=2", "finetune.rendezvous=127.0.0.1:1", "finetune.host_timeout=0.1"]


@pytest.fixture(autouse=True)
def _rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_RANK", "1")


def test_only_hosts_that_have_not_the_run_lend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepare("demo", workspace=tmp_path, overrides=SETTINGS, create=False)
    assert lends(run.settings["finetune"])
    assert not lends(run.settings["ingest"])
    monkeypatch.setenv("NODE_RANK", "0")
    assert not lends(run.settings["finetune"])


def test_once_training_is_done_there_is_nothing_to_lend(tmp_path: Path) -> None:
    open_workspace(tmp_path, create=True)
    run = prepare("demo", workspace=tmp_path, overrides=SETTINGS)
    row = TrainingStep(1, 1.0, 0.5, 1e-3, 1.0, 8, 0.1, None, None)
    write_shard(run.layout, "training_log", run.key(BY_NAME["finetune"]), 0, [row], {})
    said: list[str] = []
    assert lend(run, said.append) == f"{run.run_id}: finetune is done, nothing to lend"
    assert said == ["host 1 of 2: waiting for host 0 at 127.0.0.1:1"]


def test_the_command_is_the_same_on_every_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is ingested here, no lock is taken, no workspace is made."""
    arguments = ["run", "demo", "-w", str(tmp_path / "workspace"), *(x for one in SETTINGS for x in ("--set", one))]
    found = CliRunner().invoke(app, arguments)
    assert isinstance(found.exception, TrainingError)
    assert "nobody has answered at 127.0.0.1:1 for 0.1 s" in str(found.exception)
    assert not (tmp_path / "workspace").exists()
    monkeypatch.delenv("NODE_RANK")
    found = CliRunner().invoke(app, arguments)
    assert isinstance(found.exception, SettingsError)
    assert "say which of them this is" in str(found.exception)
