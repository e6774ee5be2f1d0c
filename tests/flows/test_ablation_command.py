"""The command ablation: its plan, its table, and what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grid_files
import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from model.errors import RunFailed, SettingsError, UnknownRun

CASES = (
    'name = "two"\nbase = "small.toml"\n[settings]\nfinetune.enabled = false\n[grid]\ninstructions.context = [0, 1]\n'
)


def say(*arguments: str) -> Result:
    found = CliRunner().invoke(app, arguments)
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def rows(*arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(say(*arguments, "--json").stdout))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a finished grid of two cells without training."""
    folder = tmp_path_factory.mktemp("two")
    grid_files.write(folder, tiny_model, CASES)
    (folder / "tiny-grid.toml").rename(folder / "two.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert say("ablation", "two.toml", "--direct", "--no-check").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def _here(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)


def test_the_plan_counts_shards_and_makes_nothing(tmp_path: Path) -> None:
    for command in (("ablation", "two.toml", "--plan"), ("plan", "two.toml")):
        before = {row["stage"]: row for row in rows(*command, "-w", str(tmp_path / "none"))}
        assert (before["instructions"]["keys"], before["instructions"]["runs_waiting_for_ingest"]) == (2, 2)
        assert list(tmp_path.iterdir()) == []
    after = {row["stage"]: row for row in rows("plan", "two.toml")}
    assert after["ingest"] == {
        **{"stage": "ingest", "runs": 2, "keys": 1, "needed": 2, "distinct": 1, "shared": 1, "done": 1, "to_do": 0},
        **{"runs_waiting_for_ingest": ""},
    }
    assert {row["to_do"] for row in after.values()} == {0}
    assert "two: 2 runs, 14 shards, 1 of them shared, 13 done, 0 to do" in " ".join(
        say("plan", "two.toml").stdout.split()
    )


def test_what_was_found_is_shown_by_the_name_alone_or_the_file() -> None:
    assert rows("ablation", "two", "--show") == rows("ablation", "two.toml", "--show")
    found = {(row["cell"], row["metric"]): row for row in rows("ablation", "two", "--show")}
    assert found["context-1", "accuracy"]["system"] == "untuned"
    assert found["context-1", "accuracy"]["difference"] is not None
    text = say("ablation", "two", "--show").stdout
    assert "two: 2 runs, 2 done; compared with context-0" in text
    assert "compared with" in text
    assert "index.html" in text
    assert "paper" not in text.splitlines()[2]


def test_a_base_that_is_not_there_is_named() -> None:
    Path("lost.toml").write_text(CASES.replace("small.toml", "lost-base"))
    with pytest.raises(SettingsError, match="no configuration 'lost-base'"):
        say("ablation", "lost.toml", "--plan")


def test_a_grid_that_never_ran_is_not_shown() -> None:
    with pytest.raises(UnknownRun, match="no grid 'never': it has two"):
        say("ablation", "never", "--show")


def test_input_that_forbids_a_run_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(RunFailed) as caught:
        say("ablation", "two.toml", "--direct", "-w", str(tmp_path / "w"), "--set", "ingest.folder=nowhere")
    assert str(caught.value).count("nowhere") <= 6
    assert "2 runs failed" in str(caught.value)


def test_a_grid_of_seeds_takes_whole_pipelines() -> None:
    with pytest.raises(SettingsError, match="leave out --from"):
        say("run", "small.toml", "--seeds", "1,2", "--until", "ingest")
    with pytest.raises(SettingsError, match="--seeds one: write numbers"):
        say("run", "small.toml", "--seeds", "one")
    with pytest.raises(SettingsError, match="choose one of --plan and --show"):
        say("ablation", "two.toml", "--plan", "--show")


def test_runs_that_cannot_be_planned_are_told_by_their_reason(tmp_path: Path) -> None:
    found = say("ablation", "two.toml", "--plan", "-w", str(tmp_path), "--set", "ingest.folder=nowhere")
    assert found.exit_code == 1
    assert found.stderr.startswith("2 runs cannot be planned (two.context-0 …): ingest.folder")
