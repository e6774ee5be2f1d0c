"""One sorted copy a table and stage key: what is in it, when it is made anew, when it goes."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from example_rows import ROWS
from finished_run import ask, write

from model.errors import WorkspaceError
from storage import copies
from storage.layout import Layout
from storage.queries import connect
from storage.shards import write_shard
from storage.warehouse import publish


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "it's [a] workspace")


def copy_of(layout: Layout, table: str) -> list[Path]:
    return sorted(layout.folder(table, f"key-{table}").glob("all-*.parquet"))


def test_a_copy_is_sorted_and_leaves_out_pictures(layout: Layout) -> None:
    publish(layout, [write(layout)])
    (path,) = copy_of(layout, "keyframes")
    data = pq.read_table(path)
    assert "jpeg" not in data.column_names
    assert data["shard"].to_pylist() == [0, 0, 0]
    ids = data["utterance_id"].to_pylist()
    assert ids == sorted(ids)
    assert ask(layout, "SELECT count(*) FROM pictures") == [(3,)]


def test_a_copy_is_written_once(layout: Layout) -> None:
    facts = write(layout)
    publish(layout, [facts])
    (path,) = copy_of(layout, "captions")
    before = path.stat().st_mtime_ns
    publish(layout, [facts])
    assert (copy_of(layout, "captions"), path.stat().st_mtime_ns) == ([path], before)
    publish(layout, [facts], rebuild=True)
    assert copy_of(layout, "captions")[0].stat().st_mtime_ns > before


def test_a_reader_goes_on_through_publications(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(layout, [write(layout)])
    with connect(layout) as reader:
        fewer = write(layout)
        manifest = write_shard(layout, "captions", "key-captions", 0, ROWS["captions"][:1], {})
        for row in fewer.rows["shards"]:
            if row["stage"] == "captions":
                row.update(sha256=manifest["sha256"], row_count=1)
        publish(layout, [fewer])
        publish(layout, [fewer])
        assert len(copy_of(layout, "captions")) == 2
        assert reader.execute("SELECT count(*) FROM captions").fetchall() == [(2,)]
    assert ask(layout, "SELECT count(*) FROM captions") == [(1,)]
    monkeypatch.setattr(copies, "KEPT_S", 0.0)
    publish(layout, [fewer])
    assert len(copy_of(layout, "captions")) == 1


def test_a_copy_that_is_needed_again_stays(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forced run whose result is what it was: the file has the same name."""
    monkeypatch.setattr(copies, "KEPT_S", 0.0)
    facts = write(layout)
    publish(layout, [facts])
    kept = copy_of(layout, "captions")
    for changed in ("another", facts.rows["shards"][2]["sha256"]):
        for row in facts.rows["shards"]:
            if row["stage"] == "captions":
                row.update(sha256=changed)
        publish(layout, [facts])
    publish(layout, [facts])
    assert copy_of(layout, "captions") == kept
    assert len(ask(layout, "FROM captions")) == 2


def test_what_cannot_be_copied_is_an_empty_file_until_it_can(layout: Layout) -> None:
    facts = write(layout)
    part = layout.part("captions", "key-captions", 0)
    whole = part.read_bytes()
    part.write_bytes(b"noise")
    publish(layout, [facts])
    (path,) = copy_of(layout, "captions")
    assert not copies.is_whole(path)
    assert ask(layout, "FROM caption_effect") == []  # nothing is counted without its captions
    with pytest.raises(WorkspaceError, match=r"key-captions/part-00000\.parquet"):
        publish(layout, [facts], rebuild=True)
    part.write_bytes(whole)
    publish(layout, [facts])
    assert copies.is_whole(path)
    assert len(ask(layout, "FROM captions")) == 2
    assert len(ask(layout, "FROM caption_effect")) > 0
