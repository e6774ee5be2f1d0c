"""The same flow by each runner: tables as those of a run in this process, made by at least two workers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pipeline_runs import tables
from prefect.context import FlowRunContext
from prefect_server import Server
from talks import write

from flows import runner
from flows.direct import execute
from flows.run_settings import RunSettings
from flows.settings import prepare
from model.errors import SettingsError
from storage.layout import Layout
from tasks.drive import Selection, drive
from tasks.plan import Run
from tasks.stages import BY_NAME

UNTIL = ("ingest", "instructions")


def run_with(tmp_path: Path, **settings: Any) -> Run:
    return Run("x-1", "x", Layout(tmp_path), {}, {}, {"runner": settings})


def test_an_older_record_means_threads_of_this_process(tmp_path: Path) -> None:
    run = Run("x-1", "x", Layout(tmp_path), {}, {}, {})
    assert runner.settings_of(run) == RunSettings()
    assert runner.shares_memory(run)
    assert not runner.shares_memory(run_with(tmp_path, runner="processes"))


def test_few_shards_are_handed_over_at_a_time(tmp_path: Path) -> None:
    assert runner.ahead(run_with(tmp_path)) == 64
    assert runner.ahead(run_with(tmp_path, workers=1000)) == 2000


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_missing_package_is_said_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(SettingsError, match=rf"pip install 'dialoguellm\[{name}\]'"):
        runner._task_runner(RunSettings(runner=name))  # type: ignore[arg-type]


def test_a_cluster_elsewhere_needs_a_server_that_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PREFECT_API_URL", Mock(value=lambda: None))
    with pytest.raises(SettingsError, match="set PREFECT_API_URL"):
        runner._reachable_server(RunSettings(runner="dask", address="tcp://head:8786"))


def test_threads_ask_a_cluster_for_nothing(tmp_path: Path) -> None:
    with runner.placing(run_with(tmp_path), BY_NAME["captions"]):
        pass


def test_a_worker_that_is_gone_is_told_apart_from_one_that_works() -> None:
    gone = Mock(wrapped_future=Mock(status="error", exception=lambda: RuntimeError("killed")))
    assert runner.lost(gone) == "its worker was lost (RuntimeError('killed'))"
    assert runner.lost(Mock(wrapped_future=Mock(status="cancelled"))) == "it was cancelled"
    assert runner.lost(Mock(wrapped_future=Mock(status="pending"))) is None
    assert runner.lost(object()) is None  # type: ignore[arg-type]


def test_a_runner_belongs_into_a_flow(tmp_path: Path) -> None:
    assert FlowRunContext.get() is None
    with pytest.raises(RuntimeError), runner.engaged(run_with(tmp_path)):
        pass


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """A configuration, and the tables of a run of it by this process alone."""
    folder = tmp_path_factory.mktemp("talks")
    config = write(folder, tiny_model)
    drive(prepare(str(config), workspace=folder / "alone"), Selection(UNTIL), execute, engine="direct")
    return config, tables(folder / "alone")


@pytest.mark.parametrize("name", ["processes", "dask", "ray"])
def test_two_workers_make_the_tables_of_one_process(
    name: str, tmp_path: Path, talks: tuple[Path, dict[str, list[dict[str, Any]]]], prefect_server: Server
) -> None:
    if name != "processes" and find_spec(f"prefect_{name}") is None:
        pytest.skip(f"needs prefect-{name}: pip install -e '.[{name}]'")
    config, alone = talks
    arguments = ("run", str(config), "--until", UNTIL[-1], "--no-check", "-w", str(tmp_path / "spread"))
    chosen = ("--set", f"run.runner={name}", "--set", "run.workers=2")
    found = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments, *chosen],
        env={**prefect_server.environment(), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert found.returncode == 0, found.stderr
    assert tables(tmp_path / "spread") == alone
    logs = (tmp_path / "spread" / "logs").glob("*.jsonl")
    lines = [json.loads(line) for path in logs for line in path.read_text().splitlines()]
    at_work = {line["pid"] for line in lines if line["stage"] == "instructions" and line["shard"] is not None}
    assert len(at_work) == 2
