"""The state of shards, runs and attempts, read from files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from example_rows import ROWS

from model.dialogue import Rejected
from model.errors import UnknownRun, WorkspaceError
from storage import findings, ledger
from storage.layout import Layout
from storage.shards import write_shard


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def write(layout: Layout, shard: int = 0) -> ledger.Record:
    return write_shard(layout, "captions", "k", shard, ROWS["captions"], {"run_id": "r"})


def save(layout: Layout, run_id: str, name: str = "demo") -> None:
    ledger.save_run(layout, {"run_id": run_id, "name": name, "stages": {}})


def start(layout: Layout, run_id: str = "demo-1", reason: str = "run") -> ledger.Record:
    return ledger.start_attempt(layout, run_id, reason=reason, pending={"ingest": {"missing": 1}}, engine="direct")


# ---- shards


def test_a_written_shard_is_done(layout: Layout) -> None:
    assert ledger.shard_state(layout, "captions", "k", 0) == ("missing", None)
    manifest = write(layout)
    assert ledger.shard_state(layout, "captions", "k", 0) == ("done", manifest)
    assert ledger.shard_state(layout, "captions", "other", 0) == ("missing", None)
    assert ledger.shard_state(layout, "captions", "k", 1) == ("missing", None)


@pytest.mark.parametrize("how", ["longer", "shorter", "gone"])
def test_a_file_of_another_size_is_corrupt(layout: Layout, how: str) -> None:
    manifest = write(layout)
    part = layout.part("captions", "k", 0)
    data = part.read_bytes()
    part.write_bytes(data + b"x" if how == "longer" else data[:-1])
    if how == "gone":
        part.unlink()
    assert ledger.shard_state(layout, "captions", "k", 0) == ("corrupt", manifest)


def test_a_manifest_without_size_is_corrupt(layout: Layout) -> None:
    write(layout)
    layout.manifest("captions", "k", 0).write_text("{}")
    assert ledger.shard_state(layout, "captions", "k", 0)[0] == "corrupt"


def test_a_failure_counts_until_an_attempt_succeeds(layout: Layout) -> None:
    ledger.record_failure(layout, "captions", "k", 0, {"error": "no model"})
    state, found = ledger.shard_state(layout, "captions", "k", 0)
    assert (state, found and found["error"]) == ("failed", "no model")
    assert found
    assert found["failed_at"].endswith("+00:00")
    manifest = write(layout)
    assert ledger.shard_state(layout, "captions", "k", 0) == ("done", manifest)
    assert not layout.failure("captions", "k", 0).exists()


def test_a_failure_does_not_hide_an_older_success(layout: Layout) -> None:
    manifest = write(layout)
    ledger.record_failure(layout, "captions", "k", 0, {"error": "no model"})
    assert ledger.shard_state(layout, "captions", "k", 0) == ("done", manifest)


def test_the_list_of_shards_is_unknown_until_written(layout: Layout) -> None:
    assert ledger.shard_list(layout, "k") is None
    layout.shard_list("k").parent.mkdir(parents=True)
    layout.shard_list("k").write_text('{"shards": [{"shard": 0, "split": "train", "rows": 3}]}')
    assert ledger.shard_list(layout, "k") == [{"shard": 0, "split": "train", "rows": 3}]


def test_many_shards_have_the_states_of_each(layout: Layout) -> None:
    def both(*shards: int) -> list[str]:
        found = ledger.shard_states(layout, "captions", "k", shards)
        assert found == [ledger.shard_state(layout, "captions", "k", shard) for shard in shards]
        return [state for state, _ in found]

    assert both() == []
    for shard in range(3):
        write(layout, shard)
    assert both(2, 0, 1) == ["done"] * 3
    layout.part("captions", "k", 1).write_bytes(b"short")
    layout.part("captions", "k", 2).unlink()
    assert both(0, 1, 2) == ["done", "corrupt", "corrupt"]
    ledger.record_failure(layout, "captions", "k", 3, {"error": "no room"})
    layout.manifest("captions", "k", 0).write_text("noise")
    assert both(0, 1, 3, 4) == ["missing", "corrupt", "failed", "missing"]


# ---- runs


def test_runs_are_in_order_of_use(layout: Layout) -> None:
    assert ledger.runs(layout) == []
    save(layout, "demo-1")
    save(layout, "demo-2")
    before = ledger.find_run(layout, "demo-1")
    stamp = json.loads(layout.run_file("demo-2").read_text()) | {"used_at": "2000-01-01T00:00:00.000+00:00"}
    layout.run_file("demo-2").write_text(json.dumps(stamp))
    save(layout, "demo-1")
    assert [run["run_id"] for run in ledger.runs(layout)] == ["demo-2", "demo-1"]
    after = ledger.find_run(layout, "demo-1")
    assert after["created_at"] == before["created_at"]
    assert after["used_at"] >= before["used_at"]


def test_a_run_is_found_by_id_by_name_and_last(layout: Layout) -> None:
    for number, (run_id, name) in enumerate((("demo-1", "demo"), ("demo-2", "demo"), ("meld-1", "meld"))):
        save(layout, run_id, name)
        record = json.loads(layout.run_file(run_id).read_text()) | {"used_at": f"2026-01-0{number + 1}"}
        layout.run_file(run_id).write_text(json.dumps(record))
    assert ledger.find_run(layout, "demo-1")["run_id"] == "demo-1"
    assert ledger.find_run(layout, "demo")["run_id"] == "demo-2"
    assert ledger.find_run(layout)["run_id"] == "meld-1"


HOSTILE = [
    "../demo-1",
    "..",
    "/etc/passwd",
    "demo-1/../demo-1",
    "",
    "demo-1.json",
    "*",
    "a\0b",
    "-rf",
    ".hidden",
    "a/b",
    "a\n",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_never_reach_the_file_system(layout: Layout, name: str) -> None:
    save(layout, "demo-1")
    (layout.root / "demo-1.json").write_text('{"run_id": "evil", "name": "evil", "used_at": "9", "stages": {}}')
    with pytest.raises(UnknownRun, match="demo-1"):
        ledger.find_run(layout, name)


@pytest.mark.parametrize(
    "name", [name for name in HOSTILE if name != "demo-1.json"] + ["a" * 65, "ä", "a b", "$(x)", "a;b"]
)
def test_hostile_names_are_not_safe(name: str) -> None:
    assert not ledger.safe_name(name)


@pytest.mark.parametrize("name", ["demo", "a", "MELD_2.1-x", "9", "a" * 64])
def test_plain_names_are_safe(name: str) -> None:
    assert ledger.safe_name(name)


def test_without_runs_the_message_says_how_to_make_one(layout: Layout) -> None:
    with pytest.raises(UnknownRun, match=r"has no run yet.*dialoguellm run CONFIG"):
        ledger.find_run(layout)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run_id": "demo-1"}'])
def test_a_damaged_record_of_a_run_is_named(layout: Layout, text: str) -> None:
    save(layout, "demo-1")
    layout.run_file("demo-1").write_text(text)
    with pytest.raises(WorkspaceError, match=r"demo-1\.json is damaged: `dialoguellm fsck --repair`"):
        ledger.runs(layout)


def test_the_record_names_machine_and_versions() -> None:
    found = ledger.machine()
    assert found["cpus"] == os.cpu_count()
    assert found["versions"].keys() == {*ledger.VERSIONS}
    json.dumps(found)


# ---- attempts


def test_attempts_are_numbered_and_know_their_parent(layout: Layout) -> None:
    for _ in range(3):
        ledger.save_attempt(layout, {**start(layout), "state": "completed"})
    start(layout, "demo-2")
    found = ledger.attempts(layout, "demo-1")
    assert [(item["attempt"], item["parent"], item["state"]) for item in found] == [
        (1, None, "completed"),
        (2, 1, "completed"),
        (3, 2, "completed"),
    ]
    assert found[0]["pending"] == {"ingest": {"missing": 1}}
    assert found[0]["pid"] == os.getpid()
    assert len(ledger.attempts(layout, "demo-2")) == 1


def test_the_next_attempt_marks_a_running_one_as_crashed(layout: Layout) -> None:
    start(layout)
    second = start(layout)
    first, _ = ledger.attempts(layout, "demo-1")
    assert (first["state"], first["error"]) == ("crashed", "the process is gone")
    assert first["finished_at"] is not None
    assert (second["attempt"], second["state"]) == (2, "running")


def test_only_running_attempts_of_this_run_are_marked(layout: Layout) -> None:
    ledger.save_attempt(layout, {**start(layout), "state": "failed", "error": "own"})
    start(layout, "demo-2")
    assert ledger.mark_crashed(layout, "demo-1") == 0
    assert ledger.mark_crashed(layout, "demo-2") == 1
    assert ledger.mark_crashed(layout, "demo-2") == 0
    assert ledger.attempts(layout, "demo-1")[0]["error"] == "own"
    assert ledger.mark_crashed(layout, "never") == 0


def test_a_comparison_is_kept_under_its_key(layout: Layout) -> None:
    assert findings.comparisons(layout) == []
    for value in (1, 2):
        findings.save_comparison(layout, "b", [{"metric": "accuracy", "p": value}])
    findings.save_comparison(layout, "a", [{"metric": "macro_f1"}])
    assert findings.comparisons(layout) == [{"metric": "macro_f1"}, {"metric": "accuracy", "p": 2}]
    (layout.comparisons / "b.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"b\.json is damaged: delete it, `dialoguellm compare` makes it again"):
        findings.comparisons(layout)


def test_readings_of_the_test_split_are_those_of_the_adapter_in_whatever_run(layout: Layout) -> None:
    for number, adapter in enumerate(["a", "b", "a", None]):
        record = {"run_id": f"demo-{number}", "name": "demo", "stages": {"finetune": {"key": adapter}}}
        ledger.save_run(layout, record)
        attempt = start(layout, f"demo-{number}")
        attempt["test_reads"].append({"run_id": f"demo-{number}", "read_at": f"2026-01-0{9 - number}"})
        ledger.save_attempt(layout, attempt)
    assert [read["run_id"] for read in ledger.test_reads(layout, "demo-0", "a")] == ["demo-2", "demo-0"]
    assert [read["run_id"] for read in ledger.test_reads(layout, "demo-3", None)] == ["demo-3"]
    assert ledger.test_reads(layout, "demo-9", "z") == []


def test_exports_are_numbered_and_are_no_attempts(layout: Layout) -> None:
    assert findings.exports(layout, "demo-1") == []
    for passed in (False, True):
        findings.record_export(layout, "demo-1", {"passed": passed})
    findings.record_export(layout, "demo-2", {"passed": True})
    found = findings.exports(layout, "demo-1")
    assert [(one["run_id"], one["export"], one["passed"]) for one in found] == [
        ("demo-1", 1, False),
        ("demo-1", 2, True),
    ]
    assert found[0]["exported_at"] <= found[1]["exported_at"]
    assert ledger.attempts(layout, "demo-1") == []


def test_readings_by_commands_stand_with_those_of_attempts(layout: Layout) -> None:
    save(layout, "demo-1")
    attempt = start(layout)
    attempt["test_reads"].append({"run_id": "demo-1", "attempt": 1, "read_at": "2026-01-01"})
    ledger.save_attempt(layout, attempt)
    ledger.record_reading(layout, "demo-1", "abc", "explain", 1)
    ledger.record_reading(layout, "demo-1", "abc", "counterfactual", 3)
    found = ledger.readings(layout, "demo-1")
    assert [read.get("why") for read in found] == [None, "explain", "counterfactual"]
    assert [read["attempt"] for read in found] == [1, None, None]
    assert len(ledger.attempts(layout, "demo-1")) == 1
    assert ledger.test_reads(layout, "demo-1", None) == found


def test_what_was_found_with_other_descriptions_is_kept_under_its_key(layout: Layout) -> None:
    assert findings.counterfactual(layout, "demo-1", "abc") is None
    for key, value in (("abc", 1), ("def", 2), ("abc", 3)):
        findings.save_counterfactual(layout, "demo-1", key, [{"value": value}])
    assert findings.counterfactual(layout, "demo-1", "abc") == [{"value": 3}]
    assert findings.counterfactuals(layout, "demo-1") == [{"value": 3}, {"value": 2}]
    (layout.attempts("demo-1") / "counterfactual-abc.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"counterfactual-abc.json is damaged: delete it, `dialoguellm counterf"):
        findings.counterfactuals(layout, "demo-1")


def test_a_number_is_never_given_twice(layout: Layout) -> None:
    save(layout, "demo-1")
    for _ in range(3):
        ledger.record_reading(layout, "demo-1", "a", "explain", 1)
    (layout.attempts("demo-1") / "reading-0001.json").unlink()
    ledger.record_reading(layout, "demo-1", "a", "compare", 1)
    assert [read["stage"] for read in ledger.readings(layout, "demo-1")] == ["explain", "explain", "compare"]


@pytest.mark.parametrize("kind", ["attempt", "reading", "export"])
def test_a_damaged_record_beside_a_run_is_named_and_not_left_out(layout: Layout, kind: str) -> None:
    save(layout, "demo-1")
    start(layout)
    ledger.record_reading(layout, "demo-1", "a", "explain", 1)
    findings.record_export(layout, "demo-1", {})
    path = layout.attempts("demo-1") / f"{kind}-0001.json"
    path.write_bytes(path.read_bytes()[:-9])
    read = {"attempt": ledger.attempts, "reading": ledger.readings, "export": ledger.exports}[kind]
    with pytest.raises(WorkspaceError, match=rf"{kind}-0001\.json is damaged: `dialoguellm fsck --repair`"):
        read(layout, "demo-1")


def test_what_is_later_is_later_whatever_the_clock_says() -> None:
    assert ledger.later_than("") <= ledger.now()
    assert ledger.later_than("2999-01-01T00:00:00.000+00:00") == "2999-01-01T00:00:00.001+00:00"
    assert ledger.later_than("no time") <= ledger.now()


def test_deleted_rejects_make_a_shard_corrupt(layout: Layout) -> None:
    refused = Rejected("demo/train/kitchen/9", "captions", "no_frames", "why")
    write_shard(layout, "captions", "k", 0, [*ROWS["captions"], refused], {})
    assert ledger.shard_state(layout, "captions", "k", 0)[0] == "done"
    layout.part("rejects", "k", 0).unlink()
    assert ledger.shard_state(layout, "captions", "k", 0)[0] == "corrupt"
