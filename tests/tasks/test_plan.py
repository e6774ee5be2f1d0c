"""What is to be done, and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from model.errors import UnknownRun, WorkspaceError
from storage import ledger
from tasks.drive import Selection, planned
from tasks.plan import Pending, Run, load, load_current, plan, plan_stage

TABLES = {stage.name: stage.writes for stage in fake_stages.STAGES}
SHARDS = {"ingest": 1, "captions": 4, "finetune": 1, "evaluate": 1, "score": 1, "report": 1}


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


def reasons(run: Run) -> dict[str, dict[str, int]]:
    """Pending shards by stage and reason, without the stages that have none."""
    return {item.stage.name: item.reasons() for item in plan(run) if item.pending}


def details(run: Run, stage: str) -> set[str]:
    (found,) = plan(run, [stage])
    return {entry.detail for entry in found.pending}


# ---- reasons


def test_before_ingest_the_number_of_shards_is_unknown(tmp_path: Path) -> None:
    found = {item.stage.name: item for item in plan(make(tmp_path))}
    assert {name: item.total for name, item in found.items()} == {**SHARDS, "captions": None, "evaluate": None}
    assert {reason for item in found.values() for reason in item.reasons()} == {"missing"}


def test_a_finished_run_has_nothing_to_do(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    found = plan(make(tmp_path))
    assert reasons(run) == reasons(make(tmp_path)) == reasons(load(run.layout)) == {}
    assert {item.stage.name: item.total for item in found} == SHARDS
    assert {item.stage.name: item.rows for item in found} == {
        "ingest": 21,
        "captions": 21,
        "finetune": 1,
        "evaluate": 6,
        "score": 2,
        "report": 1,
    }


def test_a_deleted_shard_is_planned_again_alone(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    run.layout.manifest("captions", run.keys["captions"] or "", 2).unlink()
    assert reasons(run) == {"captions": {"missing": 1}}
    run.layout.part("captions", run.keys["captions"] or "", 1).unlink()
    assert reasons(run) == {"captions": {"missing": 1, "corrupt": 1}}
    assert [entry.shard for entry in plan(run, ["captions"])[0].pending] == [1, 2]
    assert go(run).done == {"captions": 2}
    assert reasons(run) == {}


def test_a_deleted_shard_is_missing_and_not_changed_whatever_ran_before(tmp_path: Path) -> None:
    go(make(tmp_path, captions={"prompt": "old"}))
    run = make(tmp_path, captions={"prompt": "new"})
    go(run)
    run.layout.manifest("captions", run.keys["captions"] or "", 2).unlink()
    assert reasons(run) == {"captions": {"missing": 1}}


def test_a_changed_setting_is_named_and_what_follows_is_stale(tmp_path: Path) -> None:
    go(make(tmp_path))
    run = make(tmp_path, captions={"prompt": "faces", "seed": 3})
    assert reasons(run) == {
        "captions": {"changed": 4},
        "finetune": {"stale": 1},
        "evaluate": {"stale": 1},
        "score": {"stale": 1},
        "report": {"stale": 1},
    }
    assert details(run, "captions") == {"prompt: 'plain' → 'faces', seed: 0 → 3"}
    assert details(run, "finetune") == {"what it reads has changed"}


def test_a_changed_source_and_a_new_version_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(make(tmp_path))
    first, *rest = fake_stages.STAGES
    newer = replace(first, version=2, identity=lambda _: {"demo": "xyz"})
    fake_stages.install(monkeypatch, (newer, *rest))
    run = make(tmp_path)
    assert reasons(run)["ingest"] == {"changed": 1}
    assert details(run, "ingest") == {"demo: 'abc' → 'xyz', version: 1 → 2"}
    assert reasons(run)["captions"] == {"stale": 1}


def test_settings_that_cannot_change_a_result_change_nothing(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    again = make(tmp_path, captions={"broken": (0,), "max_rejects": 0.5}, ingest={"max_rejects": 0.5})
    assert again.run_id == run.run_id
    assert reasons(again) == {}


def test_old_results_lie_beside_the_new_ones(tmp_path: Path) -> None:
    old = make(tmp_path)
    go(old)
    before = fake_stages.lake(old.layout)
    new = make(tmp_path, captions={"prompt": "faces"})
    go(new)
    after = fake_stages.lake(new.layout)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)
    assert reasons(old) == reasons(new) == {}
    assert new.keys["ingest"] == old.keys["ingest"]
    assert reasons(make(tmp_path)) == {}  # back to the old settings: all there


@pytest.mark.parametrize("stage", ["ingest", "captions", "finetune", "report"])
def test_a_file_of_another_size_is_corrupt(tmp_path: Path, stage: str) -> None:
    run = make(tmp_path)
    go(run)
    part = run.layout.part(TABLES[stage], run.keys[stage] or "", 0)
    part.write_bytes(part.read_bytes()[:-1])
    assert reasons(run) == {stage: {"corrupt": 1}}
    assert go(run).done == {stage: 1}
    assert reasons(run) == {}


def test_a_failed_shard_shows_its_error_until_it_succeeds(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run, Selection(stages=("ingest",)))
    ledger.record_failure(run.layout, "captions", run.keys["captions"] or "", 1, {"error": "no memory"})
    found = plan(run, ["captions"])[0]
    assert found.reasons() == {"missing": 3, "failed": 1}
    assert Pending(1, "failed", "no memory") in found.pending
    go(run)
    assert reasons(run) == {}


def test_a_failed_ingest_shows_its_error(tmp_path: Path) -> None:
    run = make(tmp_path)
    ledger.record_failure(run.layout, "utterances", run.keys["ingest"] or "", 0, {"error": "no corpus"})
    assert plan(run, ["ingest"])[0].pending == [Pending(0, "failed", "no corpus")]


def test_force_makes_finished_shards_pending(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    stage = fake_stages.STAGES[1]
    assert plan_stage(run, stage, force=True).reasons() == {"forced": 4}
    (found,) = planned(run, Selection(stages=("captions",), shards=(1, 3), force=True))
    assert [(entry.shard, entry.reason) for entry in found.pending] == [(1, "forced"), (3, "forced")]


def test_planning_writes_nothing(tmp_path: Path) -> None:
    run = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    plan(run)
    assert sorted(tmp_path.rglob("*")) == before


# ---- stages that are off


def test_a_stage_that_is_off_is_not_planned(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"enabled": False})
    assert run.keys["captions"] is None
    assert "captions" not in {item.stage.name for item in plan(run)}
    assert run.keys["finetune"] != make(tmp_path).keys["finetune"]
    with pytest.raises(ValueError, match="captions is off"):
        run.key(fake_stages.STAGES[1])


# ---- keys and records


def test_keys_do_not_depend_on_the_process() -> None:
    """With the real stages: sets and dictionaries must not leak their order into a key."""
    script = (
        "from storage.layout import Layout; from tasks.plan import resolve; from tasks.stages import STAGES\n"
        "from pathlib import Path; import json\n"
        "values = {s.name: s.settings.model_validate({'dialogues': {'train': 1, 'test': 2}} if s.name == 'ingest' else"
        " {}) for s in STAGES if s.name in ('ingest', 'keyframes')}\n"
        "print(json.dumps([[s.name, values[s.name].key_fields(), dict(s.identity(values[s.name]))]"
        " for s in STAGES if s.name in values]))\n"
    )
    outputs = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        outputs.add(found.stdout)
    assert len(outputs) == 1


def test_a_run_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"prompt": "faces", "reject": ("a", "b")})
    ledger.save_run(run.layout, run.record)
    for name in (run.run_id, "fake", None):
        again = load(run.layout, name)
        assert (again.run_id, again.name, again.keys, again.settings) == (run.run_id, run.name, run.keys, run.settings)
    with pytest.raises(UnknownRun):
        load(run.layout, "../fake")


def test_names_do_not_share_reports_but_all_else(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two")
    assert {name for name in one.keys if one.keys[name] != two.keys[name]} == {"report"}
    assert one.run_id != two.run_id


@pytest.mark.parametrize("change", ["stage", "setting", "form"])
def test_a_record_of_another_version_is_named(tmp_path: Path, change: str) -> None:
    run = make(tmp_path)
    ledger.save_run(run.layout, run.record)
    path = run.layout.run_file(run.run_id)
    record = json.loads(path.read_text())
    if change == "stage":
        del record["stages"]["score"]
    elif change == "setting":
        record["stages"]["score"]["settings"]["gone"] = 1
    else:
        record["stages"] = []
    path.write_text(json.dumps(record))
    said = "is damaged: " if change == "form" else "recorded by another version of this program: delete it"
    with pytest.raises(WorkspaceError, match=said):
        load(run.layout)


def test_a_command_names_the_workspace_where_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path / "two words")
    assert run.typed("status x") == f"dialoguellm status x -w '{run.layout.root}'"
    monkeypatch.chdir(tmp_path / "two words")
    assert run.typed("status x") == "dialoguellm status x"


def test_a_run_whose_stage_has_changed_since_is_not_taken_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    assert load_current(run.layout, run.run_id).keys == run.keys
    newer = [replace(stage, version=2) if stage.name == "captions" else stage for stage in fake_stages.STAGES]
    monkeypatch.setattr("tasks.plan.STAGES", tuple(newer))
    with pytest.raises(WorkspaceError, match=r"captions is no longer what it was recorded with \(version: 1 → 2\)"):
        load_current(run.layout, run.run_id)


def test_a_run_from_before_a_stage_that_is_off_by_itself_stays_readable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Off(fake_stages.Plain):
        enabled: bool = False

    run = make(tmp_path)
    ledger.save_run(run.layout, run.record)
    extra = replace(fake_stages.STAGES[3], name="extra", writes="dev_predictions", settings=Off)
    fake_stages.install(monkeypatch, (*fake_stages.STAGES, extra))
    assert load_current(run.layout, run.run_id).keys == {**run.keys, "extra": None}
    always = replace(extra, settings=fake_stages.Plain)
    fake_stages.install(monkeypatch, (*fake_stages.STAGES, always))
    with pytest.raises(WorkspaceError, match="was recorded by another version"):
        load(run.layout)
