"""What the files themselves tell: parts, rejects, manifests, records, checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from example_rows import FIRST, ROWS
from filelock import FileLock

from model import checkpoints
from model.dialogue import Rejected
from storage import findings, fsck, ledger
from storage.files import write_json
from storage.layout import Layout
from storage.shards import read_manifest, write_shard

REJECTED = Rejected(FIRST, "captions", "no_frames", "why")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    for shard in range(3):
        write_shard(layout, "captions", "k", shard, [*ROWS["captions"], REJECTED], {"stage": "captions"})
    return layout


def found(layout: Layout) -> list[tuple[str, str]]:
    faults = [*fsck.records(layout), *fsck.lake(layout, lambda _key: True), *fsck.models(layout, lambda _key: True)]
    assert all(fault.kind in fsck.KINDS for fault in faults)
    return [(fault.kind, fault.file.rpartition("/")[2]) for fault in faults]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("captions/k/part-00001.parquet", cut, "truncated"),
    ("captions/k/part-00001.parquet", longer, "changed"),
    ("captions/k/part-00001.parquet", flip, "changed"),
    ("captions/k/part-00001.parquet", Path.unlink, "missing"),
    ("rejects/k/part-00001.parquet", cut, "truncated"),
    ("rejects/k/part-00001.parquet", flip, "changed"),
    ("rejects/k/part-00001.parquet", Path.unlink, "missing"),
    ("captions/k/part-00001.json", cut, "unreadable"),
    ("captions/k/part-00001.json", flip, "unreadable"),
]


def test_nothing_is_said_of_what_is_whole(layout: Layout) -> None:
    assert found(layout) == []


@pytest.mark.parametrize(("name", "damage", "kind"), DAMAGE)
def test_damage_is_named_by_file_and_shard(
    layout: Layout, name: str, damage: Callable[[Path], None], kind: str
) -> None:
    path = layout.lake / name
    damage(path)
    if name == "captions/k/part-00001.json" and kind == "unreadable":
        cut(path)  # its last byte is the end of a line
    assert (kind, "part-00001" + path.suffix) in found(layout)
    fault = next(fsck.lake(layout, lambda key: key == "k"))
    assert (fault.shard, fault.stage_key) == (1, "k")
    assert {place.name for place in fault.aside} == {"part-00001.json", "part-00001.parquet"}
    assert not list(fsck.lake(layout, lambda key: key != "k"))


def test_a_manifest_in_the_wrong_place_vouches_for_nothing(layout: Layout) -> None:
    for name in ("part-00001.json", "part-00001.parquet"):
        shutil.copy(layout.lake / "captions" / "k" / name, layout.lake / "captions" / "k" / name.replace("1", "7"))
    assert found(layout) == [("misplaced", "part-00007.json")]
    shutil.copytree(layout.lake / "captions" / "k", layout.lake / "captions" / "other")
    assert len(found(layout)) == 5


def test_what_a_killed_process_leaves_is_listed_unless_one_works_there(layout: Layout) -> None:
    folder = layout.lake / "captions" / "k"
    (folder / ".part-00001.parquet.x.tmp").touch()
    (folder / "notes.txt").touch()
    layout.manifest("captions", "k", 1).unlink()
    expected = [
        ("leftover", ".part-00001.parquet.x.tmp"),
        ("leftover", "notes.txt"),
        ("unfinished", "part-00001.parquet"),
        ("unfinished", "part-00001.parquet"),
    ]
    assert sorted(found(layout)) == expected
    layout.lock("x").parent.mkdir()
    with FileLock(layout.lock("_captions-k")):
        assert found(layout) == []
    assert sorted(found(layout)) == expected


def test_a_listed_shard_must_be_there(layout: Layout) -> None:
    write_shard(layout, "utterances", "i", 0, ROWS["utterances"], {})
    write_json(layout, layout.shard_list("i"), {"shards": [{"shard": 0}, {"shard": 1}]})
    assert found(layout) == [("missing", "part-00001.json")]
    cut(layout.shard_list("i"))
    cut(layout.shard_list("i"))
    assert found(layout) == [("unreadable", "stage.json")]


def test_what_a_stage_left_in_its_folder_is_compared_too(layout: Layout) -> None:
    adapter = layout.model("f") / "adapter" / "adapter_model.safetensors"
    adapter.parent.mkdir(parents=True)
    adapter.write_bytes(b"numbers")
    from storage.model_folders import listed

    facts = {"stage": "finetune", "files": listed(layout, layout.model("f"))}
    write_shard(layout, "training_log", "f", 0, ROWS["training_log"], facts)
    assert found(layout) == []
    flip(adapter)
    assert found(layout) == [("changed", "adapter_model.safetensors")]
    fault = next(fsck.lake(layout, lambda key: key == "f"))
    assert layout.model("f") in fault.aside
    assert layout.manifest("training_log", "f", 0) in fault.aside


def test_checkpoints_and_their_leftovers(layout: Layout) -> None:
    step = layout.model("f") / "checkpoints" / "step-00000001"
    step.mkdir(parents=True)
    (step / "state.json").write_text("{}")
    checkpoints.seal(step)
    assert found(layout) == []
    (step / "state.json").write_text("{ }")
    (step.parent / ".step-00000002.tmp").mkdir()
    assert found(layout) == [("changed", "state.json"), ("leftover", ".step-00000002.tmp")]


def test_records_that_cannot_be_read(layout: Layout) -> None:
    ledger.save_run(layout, {"run_id": "demo-1", "name": "demo", "stages": {}})
    ledger.start_attempt(layout, "demo-1", reason="run", pending={}, engine="direct")
    findings.save_comparison(layout, "c", [])
    assert found(layout) == []
    for path in (layout.run_file("demo-1"), layout.attempts("demo-1") / "attempt-0001.json"):
        flip(path)
        assert ("unreadable", path.name) in found(layout)
        assert read_manifest(path) is None
    for path in (layout.comparisons / "d.json", layout.ablation("g") / "grid.json", layout.seceu / "s.json"):
        write_json(layout, path, {"of": "another program"})
        assert ("unreadable", path.name) in found(layout), "what its command refuses is set aside"
    assert len(found(layout)) == 5


def test_a_shard_that_is_made_again_meanwhile_has_no_fault(layout: Layout) -> None:
    flip(layout.part("captions", "k", 1))
    again: list[int] = []

    def look(_bytes: int) -> None:
        if not again:
            again.append(1)
            write_shard(layout, "captions", "k", 1, ROWS["captions"], {"stage": "captions"})

    assert not list(fsck.shard(layout, "captions", "k", 1, look))
