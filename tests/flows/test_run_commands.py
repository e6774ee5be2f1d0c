"""Commands that do or plan work, on small stages and in this process."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_stages
import pytest
from framed_run import framed
from typer.testing import CliRunner, Result

from flows.cli import app
from model.errors import RunFailed, SettingsError, UnknownRun, WorkspaceError
from storage import ledger
from storage.layout import Layout, open_workspace
from storage.locks import holding
from tasks.stages import BY_NAME

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in a folder of its own that holds fake.toml; raises what it raises."""
    fake_stages.install(monkeypatch, publishing=True)
    monkeypatch.chdir(tmp_path)
    Path("fake.toml").write_text('name = "fake"\n')

    def invoke(*arguments: str) -> Result:
        found = CliRunner().invoke(app, arguments)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    return invoke


def planned(command: Command, *arguments: str) -> dict[str, Any]:
    found = {row["stage"]: row for row in json.loads(command(*arguments, "--json").stdout)}
    return {name: (row["pending"], row["reason"]) for name, row in found.items() if row["pending"] != 0}


def test_a_run_ends_with_what_to_do_next(command: Command, tmp_path: Path) -> None:
    said = command("run", "fake.toml", "--direct").stdout
    assert re.search(r"^fake-\w{6}: 9 shards done$", said, re.MULTILINE)
    assert str(tmp_path / "workspace" / "results.duckdb") in said
    for line in re.findall(r"dialoguellm (.*)$", said, re.MULTILINE):  # every line that it offers can be typed
        assert command(*shlex.split(line)).exit_code == 0, line
    assert ": 0 shards done" in command("run", "fake.toml", "--direct").stdout


def test_a_plan_tells_what_captions_cost(tmp_path: Path) -> None:
    run = framed(tmp_path)
    for shard in (0, 1):
        run.layout.manifest("captions", run.key(BY_NAME["captions"]), shard).unlink()
    arguments = ("rerun", run.run_id, "--stage", "captions", "--dry-run", "-w", str(run.layout.root))
    said = CliRunner().invoke(app, arguments).stdout
    assert "captions: 6 to do, about 7 pictures, about " in said
    assert "reckoned: this model was not timed here yet" in said
    rows = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [row["pending"] for row in rows] == [2], "programs get the table alone"


def test_parts_of_the_pipeline_can_be_chosen(command: Command) -> None:
    assert ": 5 shards done" in command("run", "fake.toml", "--direct", "--until", "captions").stdout
    assert ": 1 shard done" in command("run", "fake.toml", "--direct", "--stages", "finetune").stdout
    assert ": 2 shards done" in command("run", "fake.toml", "--direct", "--from", "evaluate", "--until", "score").stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--stages", "dance"),
        ("--stages", "captions,"),
        ("--from", "dance"),
        ("--from", "score", "--until", "captions"),
        ("--stages", "captions", "--from", "ingest"),
    ],
)
def test_a_choice_that_makes_no_sense_does_nothing(command: Command, options: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError):
        command("run", "fake.toml", "--direct", *options)
    assert not Path("workspace").exists()


def test_a_plan_changes_nothing(command: Command) -> None:
    assert planned(command, "plan", "fake.toml")["captions"] == (None, "all")
    assert [path.name for path in Path().iterdir()] == ["fake.toml"]
    command("run", "fake.toml", "--direct")
    assert planned(command, "plan", "fake.toml") == {}
    changed = planned(command, "plan", "fake.toml", "--set", "captions.prompt=faces")
    assert changed["captions"] == (4, "4 changed")
    assert changed["score"] == (1, "1 stale")


def test_a_rerun_does_what_failed_alone(command: Command) -> None:
    with pytest.raises(RunFailed) as caught:
        command("run", "fake.toml", "--direct", "--set", "captions.broken=[1]")
    again = re.findall(r"again: dialoguellm (.*)", str(caught.value))[0].split()
    assert planned(command, *again, "--dry-run")["captions"] == (1, "1 failed")
    with pytest.raises(RunFailed, match="1 of 1 shards failed"):
        command(*again, "--direct")
    assert ": 5 shards done" in command("run", "fake.toml", "--direct").stdout


def test_a_rerun_of_a_stage_with_what_follows(command: Command) -> None:
    command("run", "fake.toml", "--direct")
    options = ("rerun", "fake", "--stage", "captions", "--force")
    assert planned(command, *options, "--dry-run") == {"captions": (4, "4 forced")}
    assert planned(command, *options, "--shards", "0,3", "--dry-run") == {"captions": (2, "2 forced")}
    assert set(planned(command, *options, "--downstream", "--dry-run")) == {
        "captions",
        "finetune",
        "evaluate",
        "score",
        "report",
    }
    assert ": 2 shards done" in command(*options, "--shards", "0,3", "--direct").stdout
    reason = ledger.attempts(open_workspace(Path("workspace")), ledger.runs(Layout(Path("workspace")))[0]["run_id"])
    assert reason[-1]["reason"] == "rerun fake --stage captions --shards 0,3 --force"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--failed", "--stage", "captions"),
        ("--stage", "captions", "--only", "--downstream"),
        ("--stage", "dance"),
        ("--stage", "captions", "--shards", "x"),
        ("--stage", "captions", "--shards", ""),
        ("--stage", "captions", "--shards", "99"),
    ],
)
def test_a_rerun_that_makes_no_sense_does_nothing(command: Command, options: tuple[str, ...]) -> None:
    command("run", "fake.toml", "--direct", "--until", "ingest")
    with pytest.raises(SettingsError):
        command("rerun", "fake", "--direct", *options)


@pytest.mark.parametrize("arguments", [("rerun", "fake", "--failed"), ("reap",), ("warehouse", "rebuild")])
def test_without_a_workspace_none_is_made(command: Command, arguments: tuple[str, ...]) -> None:
    with pytest.raises(WorkspaceError, match="holds no workspace yet"):
        command(*arguments)
    assert not Path("workspace").exists()


def test_an_unknown_run_is_named(command: Command) -> None:
    command("run", "fake.toml", "--direct", "--until", "ingest")
    with pytest.raises(UnknownRun, match=r"no run '\.\./fake': it has fake-"):
        command("rerun", "../fake", "--failed")


def test_reap_marks_attempts_whose_process_is_gone(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    command("run", "fake.toml", "--direct", "--until", "ingest")
    layout = open_workspace(Path("workspace"))
    (record,) = ledger.runs(layout)
    ledger.start_attempt(layout, record["run_id"], reason="run", pending={}, engine="direct")
    with holding(layout, "fake"):
        assert command("reap").stdout == "0 attempts marked as crashed\n"
    assert command("reap").stdout == "1 attempt marked as crashed\n"
    assert command("reap").stdout == "0 attempts marked as crashed\n"
    assert ledger.attempts(layout, record["run_id"])[-1]["state"] == "crashed"
    # what is told to Prefect's server, and again where it was out of reach: tests/flows/test_zombies.py
    monkeypatch.setattr("flows.zombies.bury", lambda crashed: [item.get("flow_run") for item in crashed])
    ledger.start_attempt(layout, record["run_id"], reason="run", pending={}, engine="prefect", flow_run="f1")
    for marked in ("1 attempt", "0 attempts"):
        assert command("reap").stdout == f"{marked} marked as crashed\n[None, 'f1']\n"


def test_the_warehouse_can_be_made_again(command: Command) -> None:
    command("run", "fake.toml", "--direct")
    Path("workspace/results.duckdb").unlink()
    assert command("warehouse", "rebuild").stdout.startswith("1 runs in ")
    assert json.loads(command("sql", "select accuracy from scores", "--json").stdout)
