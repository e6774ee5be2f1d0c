"""Damage to results.duckdb and to the copies that queries read; it tells of shards that are gone."""

from __future__ import annotations

import random
from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from storage.fsck import Fault
from storage.fsck_warehouse import warehouse
from storage.layout import Layout
from tasks.publish import rebuild


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    fake_stages.install(monkeypatch)
    run = make(tmp_path)
    go(run)
    rebuild(run.layout)
    return run.layout


def found(layout: Layout) -> list[Fault]:
    return list(warehouse(layout, lambda _key: True))


def copies(layout: Layout) -> list[Path]:
    return sorted(path for path in layout.lake.glob("captions/*/all-*.parquet") if path.parent.name != "schema")


def test_database_and_copies(layout: Layout) -> None:
    assert found(layout) == []
    (copy,) = copies(layout)
    data = copy.read_bytes()
    place = len(data) // 2
    copy.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    (fault,) = found(layout)
    assert (fault.kind, fault.file) == ("warehouse", copy.relative_to(layout.root).as_posix())
    copy.unlink()
    assert "is not there" in found(layout)[0].detail
    manifest = next(layout.lake.glob("captions/*/part-00001.json"))
    kept = manifest.read_bytes()
    manifest.unlink()
    assert {(fault.kind, fault.shard) for fault in found(layout)} == {("missing", 1), ("warehouse", None)}
    manifest.write_bytes(next(layout.lake.glob("captions/*/part-00002.json")).read_bytes())
    assert any("tells of other rows of captions 1" in fault.detail for fault in found(layout))
    manifest.write_bytes(kept)
    rebuild(layout)
    assert found(layout) == []


def test_a_damaged_database_is_said_so_or_reads_as_it_did(layout: Layout) -> None:
    whole = layout.database.read_bytes()
    rng = random.Random(4)
    said = 0
    for _ in range(12):
        place = rng.randrange(len(whole))
        layout.database.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        said += [fault.file for fault in found(layout)] == ["results.duckdb"]
    assert said > 3  # the others fell into space that is not used
    for data in (b"", whole[: len(whole) // 2], b"noise" * 9999):
        layout.database.write_bytes(data)
        assert [fault.kind for fault in found(layout)] == ["warehouse"]
