"""Damage is found, set aside, and exactly the damaged shards are made again, with the tables that were there before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import fake_stages
import pyarrow.parquet as pq
import pytest
from fake_stages import go, lake, make

from model.errors import WorkspaceError, WorkspaceLocked
from storage import files, ledger
from storage.layout import Layout
from storage.locks import holding
from storage.shards import read_rows, write_shard
from tasks.drive import Selection
from tasks.fsck import concerned, faults, repair, size
from tasks.plan import Run, load
from tasks.publish import publish


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    fake_stages.install(monkeypatch)
    monkeypatch.setattr("tasks.fsck.publish", lambda _run: None)
    run = make(tmp_path, captions={"reject": ("fake/train/0/1",)})
    go(run, Selection(reason="run"))
    return run


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def put_right(run: Run) -> dict[str, int]:
    """What was made again after a repair; after that nothing is wrong."""
    assert repair(run.layout, faults(run.layout, None))
    done = go(run).done
    assert faults(run.layout, None) == []
    return done


def test_a_whole_workspace_has_no_fault(run: Run) -> None:
    assert faults(run.layout, None) == faults(run.layout, run) == []
    assert size(run.layout) > 5_000


CASES: list[tuple[str, Callable[[Path], None], dict[str, int]]] = [
    ("captions/*/part-00001.parquet", flip, {"captions": 1}),
    ("captions/*/part-00001.parquet", cut, {"captions": 1}),
    ("captions/*/part-00001.parquet", Path.unlink, {"captions": 1}),
    ("captions/*/part-00002.json", flip, {"captions": 1}),
    ("captions/*/part-00002.json", cut, {"captions": 1}),
    ("rejects/*/part-00000.parquet", flip, {"captions": 1}),
    ("rejects/*/part-00000.parquet", Path.unlink, {"captions": 1}),
    ("utterances/*/part-00001.parquet", flip, {"ingest": 1}),
    ("utterances/*/stage.json", flip, {"ingest": 1}),
    ("training_log/*/part-00000.parquet", cut, {"finetune": 1}),
    ("predictions/*/part-00003.parquet", flip, {"evaluate": 1}),
    ("metrics/*/part-00000.json", cut, {"score": 1}),
    ("../models/*/adapter", flip, {"finetune": 1}),
    ("../models/*/adapter", Path.unlink, {"finetune": 1}),
    ("../reports/*/index.html", cut, {"report": 1}),
]


@pytest.mark.parametrize(("place", "damage", "again"), CASES)
def test_exactly_what_is_damaged_is_made_again(
    run: Run, place: str, damage: Callable[[Path], None], again: dict[str, int]
) -> None:
    before = rows(run.layout)
    (path,) = run.layout.lake.glob(place)
    damage(path)
    held = path.read_bytes() if path.exists() else None
    found = faults(run.layout, None)
    assert path.resolve().relative_to(run.layout.root).as_posix() in {fault.file for fault in found}
    assert put_right(run) == again
    assert rows(run.layout) == before
    aside = run.layout.damaged / "0001" / path.resolve().relative_to(run.layout.root)
    assert held is None or aside.read_bytes() == held


def rows(layout: Layout) -> dict[str, list[dict[str, Any]]]:
    return {
        str(path.relative_to(layout.lake)): pq.read_table(path).to_pylist()
        for path in layout.lake.rglob("part-*.parquet")
    }


def test_leftovers_are_set_aside_and_nothing_is_made_again(run: Run) -> None:
    before = lake(run.layout)
    folder = next(run.layout.lake.glob("captions/*"))
    (folder / ".part-00001.parquet.x.tmp").write_text("half")
    assert [fault.kind for fault in faults(run.layout, None)] == ["leftover"]
    assert put_right(run) == {}
    assert lake(run.layout) == before


def test_other_rows_make_what_was_made_of_the_old_ones_stale(run: Run) -> None:
    key = run.keys["captions"] or ""
    old = read_rows(run.layout, "captions", key, 3)
    manifest = json.loads(run.layout.manifest("captions", key, 3).read_text())
    facts = {name: manifest[name] for name in ("stage", "inputs", "reads", "seconds")}
    slower = [replace(row, seconds=9.0) for row in old]
    write_shard(run.layout, "captions", key, 3, slower, facts)
    assert faults(run.layout, None) == [], "how long it took is no other row"
    write_shard(run.layout, "captions", key, 3, [replace(row, text="another") for row in old], facts)
    assert [(fault.kind, fault.stage, fault.shard) for fault in faults(run.layout, None)] == [("stale", "evaluate", 3)]
    repair(run.layout, faults(run.layout, None))
    assert go(run).done == {"evaluate": 1}
    assert faults(run.layout, None) == [], "the predictions are the same, so nothing that reads them is stale"


def test_a_run_alone_is_looked_at(run: Run, tmp_path: Path) -> None:
    other = make(tmp_path, "other", captions={"prompt": "another"})
    go(other)
    flip(next(run.layout.folder("captions", run.keys["captions"] or "").glob("part-00001.parquet")))
    assert len(faults(run.layout, run)) == 1
    assert faults(run.layout, other) == []
    assert [one.run_id for one in concerned(run.layout, faults(run.layout, None))] == [run.run_id]


def test_a_key_that_is_not_that_of_its_settings(run: Run) -> None:
    path = run.layout.run_file(run.run_id)
    record = json.loads(path.read_text().replace('"plain"', '"edited"'))
    path.write_text(json.dumps({name: value for name, value in record.items() if name != "_sha256"}))
    (fault,) = faults(run.layout, None)
    assert (fault.kind, fault.file) == ("misplaced", f"runs/{run.run_id}.json")


def test_a_damaged_record_of_a_run_does_not_stop_the_check(run: Run) -> None:
    cut(run.layout.run_file(run.run_id))
    with pytest.raises(WorkspaceError, match="fsck --repair"):
        load(run.layout, run.run_id)
    assert [fault.kind for fault in faults(run.layout, None)] == ["unreadable"]
    repair(run.layout, faults(run.layout, None))
    assert go(run).done == {}


def test_nothing_is_moved_while_a_run_goes_on(run: Run) -> None:
    part = next(run.layout.lake.glob("captions/*/part-00001.parquet"))
    flip(part)
    found = faults(run.layout, None)
    with holding(run.layout, run.name), pytest.raises(WorkspaceLocked):
        repair(run.layout, found)
    assert part.exists()


def test_a_damaged_shard_stops_what_reads_it_and_says_what_to_do(run: Run) -> None:
    flip(run.layout.part("captions", run.keys["captions"] or "", 3))
    run.layout.manifest("predictions", run.keys["evaluate"] or "", 3).unlink()
    with pytest.raises(Exception, match=r"part-00003.parquet is damaged .* `dialoguellm fsck --repair`"):
        go(run)
    ledger.mark_crashed(run.layout, run.run_id)
    repair(run.layout, faults(run.layout, None))
    assert go(run).done == {"captions": 1, "evaluate": 1}


def test_a_damaged_adapter_is_not_used(run: Run) -> None:
    (run.layout.model(run.keys["finetune"] or "") / "adapter").write_text("weighty")
    run.layout.manifest("predictions", run.keys["evaluate"] or "", 3).unlink()
    with pytest.raises(Exception, match=r"adapter is damaged .* `dialoguellm fsck --repair`"):
        go(run)


@pytest.fixture
def away(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run in a bucket, published."""
    fake_stages.install(monkeypatch)
    run = make(Path(bucket), captions={"reject": ("fake/train/0/1",)})
    go(run, Selection(reason="run"))
    publish(run)
    return run


IN_BUCKET: list[tuple[dict[str, bytes | None], dict[str, int]]] = [
    (
        {
            "lake/captions/*/part-00001.parquet": b"noise",
            "lake/captions/*/part-00002.json": b"{}",
            "lake/captions/*/part-00003.parquet": None,
            "lake/rejects/*/part-00000.parquet": b"",
            "models/*/[0-9a-f]*": b"weighty",
            "reports/*/index.html": None,
        },
        {"captions": 4, "finetune": 1, "report": 1},
    ),
    ({"lake/utterances/*/stage.json": b"{", "models/*.json": b"noise"}, {"ingest": 1, "finetune": 1}),
    ({"lake/captions/*/all-*.parquet": b"noise"}, {}),
    ({"results.duckdb": b"noise"}, {}),
]


@pytest.mark.parametrize(("damage", "again"), IN_BUCKET)
def test_what_is_damaged_in_a_bucket_is_set_aside_there_and_made_again(
    away: Run, damage: dict[str, bytes | None], again: dict[str, int]
) -> None:
    assert faults(away.layout, None) == []
    assert size(away.layout) > 5_000
    bucket = away.layout.mirror.bucket  # type: ignore[union-attr]
    for pattern, data in damage.items():
        (name,) = (one for one in bucket.list("") if PurePosixPath(one).match(pattern) and "/schema/" not in one)
        if data is None:
            bucket.delete(name)
        else:
            bucket.put(name, data)
    found = faults(away.layout, None)
    assert len(found) >= len(damage)
    assert (repair(away.layout, found) is not None) == bool(again)
    assert {bucket.read(name)[0] for name in bucket.list("damaged/0001/")} >= (
        {*damage.values()} - {None} if again else set()
    )
    assert go(away).done == again
    assert faults(away.layout, None) == []


def test_a_copy_on_this_machine_is_no_fault_of_the_bucket_s(away: Run) -> None:
    path = away.layout.part("captions", away.keys["captions"] or "", 1)
    files.local(away.layout, path)
    whole, about = path.read_bytes(), path.stat()
    flip(path)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    with pytest.raises(WorkspaceError, match="is damaged"):
        read_rows(away.layout, "captions", away.keys["captions"] or "", 1)
    assert faults(away.layout, None) == []
    assert read_rows(away.layout, "captions", away.keys["captions"] or "", 1)
    assert path.read_bytes() == whole
