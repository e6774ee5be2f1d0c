"""Shards: rows, rejects and manifest, whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from example_rows import FIRST, ROWS, SECOND

from model.dialogue import Rejected, Utterance
from model.errors import WorkspaceError
from storage import shards, tables
from storage.layout import Layout
from storage.ledger import shard_state
from storage.shards import read_manifest, read_rows, read_table, write_shard

UTTERANCES = ROWS["utterances"]
REJECTED = [
    Rejected(FIRST, "s", "bad", "why"),
    Rejected(FIRST, "s", "worse", "why"),
    Rejected(SECOND, "s", "bad", "why"),
]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def lines(count: int) -> list[Utterance]:
    return [
        Utterance(f"demo/train/d/{n}", "demo", "train", "d", n, str(n), "Ana", f"line {n}", "joy") for n in range(count)
    ]


def files(layout: Layout) -> set[str]:
    return {str(path.relative_to(layout.lake)) for path in layout.lake.rglob("*") if path.is_file()}


@pytest.mark.parametrize("table", ROWS)
def test_rows_of_every_table_come_back(layout: Layout, table: str) -> None:
    write_shard(layout, table, "k", 7, ROWS[table], {})
    assert read_rows(layout, table, "k", 7) == ROWS[table]


def test_the_manifest_says_what_was_written(layout: Layout) -> None:
    facts: dict[str, Any] = {"run_id": "r"}

    def rows() -> Iterator[Any]:
        yield from (UTTERANCES[0], REJECTED[0], UTTERANCES[1], REJECTED[1], REJECTED[2])
        facts["seconds"] = 1.5  # known only when the stage has ended

    manifest = write_shard(layout, "utterances", "k", 3, rows(), facts)
    part = layout.part("utterances", "k", 3).read_bytes()
    assert (
        manifest
        == read_manifest(layout.manifest("utterances", "k", 3))
        == {
            "run_id": "r",
            "seconds": 1.5,
            "stage_key": "k",
            "shard": 3,
            "rows": 2,
            "rejects": 3,
            "rejected_utterances": 2,
            "bytes": len(part),
            "sha256": hashlib.sha256(part).hexdigest(),
        }
    )
    assert read_rows(layout, "utterances", "k", 3) == UTTERANCES
    assert read_rows(layout, "rejects", "k", 3) == REJECTED
    assert files(layout) == {
        "utterances/k/part-00003.parquet",
        "utterances/k/part-00003.json",
        "rejects/k/part-00003.parquet",
    }


def test_rejects_go_when_nothing_is_rejected_any_more(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, [UTTERANCES[0], *REJECTED], {})
    assert write_shard(layout, "utterances", "k", 0, UTTERANCES, {})["rejects"] == 0
    assert not layout.part("rejects", "k", 0).exists()
    assert read_rows(layout, "rejects", "k", 0) == []


def test_a_shard_may_hold_rejects_only_or_nothing(layout: Layout) -> None:
    assert write_shard(layout, "utterances", "k", 0, REJECTED, {})["rows"] == 0
    assert write_shard(layout, "utterances", "k", 1, [], {})["rows"] == 0
    assert read_rows(layout, "utterances", "k", 0) == read_rows(layout, "utterances", "k", 1) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_row_groups_neither_lose_nor_double_rows(layout: Layout, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.ROWS_PER_GROUP, "utterances", 3)
    assert write_shard(layout, "utterances", "k", 0, lines(count), {})["rows"] == count
    assert read_rows(layout, "utterances", "k", 0) == lines(count)
    assert pq.ParquetFile(layout.part("utterances", "k", 0)).num_row_groups == max(1, -(-count // 3))


def test_pictures_are_not_packed_again_and_text_is(layout: Layout) -> None:
    for table, packing in (("keyframes", "UNCOMPRESSED"), ("utterances", "ZSTD")):
        write_shard(layout, table, "k", 0, ROWS[table], {})
        group = pq.ParquetFile(layout.part(table, "k", 0)).metadata.row_group(0)
        assert {group.column(index).compression for index in range(group.num_columns)} == {packing}


def test_only_the_rows_of_named_utterances(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    found = read_table(layout, "utterances", "k", 0, [SECOND, "unknown"])
    assert tables.from_arrow("utterances", found) == [UTTERANCES[1]]
    assert read_table(layout, "utterances", "k", 0, []).num_rows == 0


# ---- what goes wrong while writing


def failing(error: BaseException, after: int = 2) -> Iterator[Any]:
    yield from lines(after)
    yield REJECTED[0]
    raise error


@pytest.mark.parametrize("error", [ValueError("code"), OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()])
def test_a_failing_stage_leaves_no_trace(layout: Layout, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_shard(layout, "utterances", "k", 0, failing(error), {})
    assert files(layout) == set()
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)


def test_a_failing_stage_leaves_the_old_shard(layout: Layout) -> None:
    manifest = write_shard(layout, "utterances", "k", 0, [*UTTERANCES, *REJECTED], {})
    with pytest.raises(ValueError, match="code"):
        write_shard(layout, "utterances", "k", 0, failing(ValueError("code")), {})
    assert shard_state(layout, "utterances", "k", 0) == ("done", manifest)
    assert read_rows(layout, "utterances", "k", 0) == UTTERANCES
    assert read_rows(layout, "rejects", "k", 0) == REJECTED


def test_a_row_that_does_not_fit_leaves_no_trace(layout: Layout) -> None:
    nameless = Utterance(None, "demo", "train", "d", 0, "0", "Ana", "hi", "joy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="utterance_id"):
        write_shard(layout, "utterances", "k", 0, [nameless], {})
    assert files(layout) == set()


def stop(*_: object) -> None:
    raise OSError("stop")


@pytest.mark.parametrize("before", [False, True])
def test_without_its_manifest_a_shard_is_not_there(
    layout: Layout, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine stops after the rows were written and before the manifest is: also when a shard is done again."""
    if before:
        write_shard(layout, "utterances", "k", 0, lines(2), {})
    monkeypatch.setattr(shards, "write_json", stop)
    with pytest.raises(OSError, match="stop"):
        write_shard(layout, "utterances", "k", 0, lines(2), {})
    assert layout.part("utterances", "k", 0).exists()
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)


def test_a_killed_stage_leaves_dot_files_only(layout: Layout) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from model.dialogue import Utterance\n"
        "from storage.layout import Layout; from storage.shards import write_shard\n"
        "def rows():\n"
        "    yield Utterance('a/train/d/1', 'a', 'train', 'd', 0, '1', 'Ana', 'hi', 'joy')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_shard(Layout(Path(sys.argv[1])), 'utterances', 'k', 0, rows(), {})\n"
    )
    assert subprocess.run([sys.executable, "-c", script, layout.root], check=False).returncode == -signal.SIGKILL
    assert {Path(name).name[0] for name in files(layout)} == {"."}
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    assert read_rows(layout, "utterances", "k", 0) == UTTERANCES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_finished(small_disk: Path) -> None:
    layout = Layout(small_disk)
    frame = ROWS["keyframes"][0]
    many = [replace(frame, jpeg=number.to_bytes(4, "big") * 64) for number in range(5000)]
    manifest = write_shard(layout, "keyframes", "k", 0, [frame] * 100, {})
    for shard in (0, 1):
        with pytest.raises(OSError, match="No space left"):
            write_shard(layout, "keyframes", "k", shard, many, {})
    assert files(layout) == {"keyframes/k/part-00000.parquet", "keyframes/k/part-00000.json"}
    assert shard_state(layout, "keyframes", "k", 0) == ("done", manifest)
    assert read_rows(layout, "keyframes", "k", 0) == [frame] * 100


# ---- what is damaged when reading


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "empty":
        data.clear()
    elif how == "cut":
        del data[-9:]
    elif how == "noise":
        data[:] = b"noise" * 50
    elif how == "one bit":
        data[data.index(bytes(range(200))) + 150] ^= 1
    elif how == "footer":
        data[-200:-8] = bytes(192)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["empty", "cut", "noise", "one bit", "footer"])
def test_a_damaged_file_is_named(layout: Layout, how: str) -> None:
    write_shard(layout, "keyframes", "k", 4, ROWS["keyframes"], {})
    damage(layout.part("keyframes", "k", 4), how)
    for ids in (None, [FIRST]):
        with pytest.raises(WorkspaceError, match=r"part-00004\.parquet is damaged .*delete it and `dialoguellm run`"):
            read_table(layout, "keyframes", "k", 4, ids)
    with pytest.raises(WorkspaceError, match="is damaged"):
        read_rows(layout, "keyframes", "k", 4)


def test_every_changed_byte_is_noticed_or_harmless(layout: Layout) -> None:
    """A damaged file may be refused or read as it was; never read as other rows."""
    write_shard(layout, "predictions", "k", 0, ROWS["predictions"], {})
    path = layout.part("predictions", "k", 0)
    whole = path.read_bytes()
    refused = 0
    for place in range(4, len(whole) - 8, 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert read_rows(layout, "predictions", "k", 0) == ROWS["predictions"], place
        except WorkspaceError:
            refused += 1
    assert refused > 20


def test_rows_of_another_table_are_refused(layout: Layout) -> None:
    write_shard(layout, "metrics", "k", 0, ROWS["metrics"], {})
    layout.folder("captions", "k").mkdir(parents=True)
    layout.part("metrics", "k", 0).rename(layout.part("captions", "k", 0))
    with pytest.raises(WorkspaceError, match="its columns are not those of this program"):
        read_rows(layout, "captions", "k", 0)


def test_a_missing_file_says_what_makes_it(layout: Layout) -> None:
    with pytest.raises(WorkspaceError, match=r"part-00000\.parquet is not there: `dialoguellm run` makes it again"):
        read_rows(layout, "captions", "k", 0)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"text"', "\xff"])
def test_a_damaged_manifest_is_no_manifest(layout: Layout, text: str) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    layout.manifest("utterances", "k", 0).write_bytes(text.encode("latin-1"))
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)


def test_a_manifest_is_readable_json(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {"error": "name \udcff", "path": Path("x")})
    assert json.loads(layout.manifest("utterances", "k", 0).read_text())["path"] == "x"
